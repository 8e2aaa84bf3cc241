/* mm/space: life of an address space: create, fork, references, register block slots. Lock held; touches kernel
 * structures alone (no guest memory), so any instance may call it. */
#include "area.h"
#include "errand.h"

_Thread_local struct mm *mm_current;
static u64 guest_max_bytes = GUEST_MAX_BYTES;

void mm_set_guest_max(u64 bytes) { guest_max_bytes = ALIGN_DOWN(MIN(bytes, GUEST_MAX_BYTES), (u64)PAGE_BYTES); }

u64 mm_guest_max(void) { return guest_max_bytes; }

struct mm *mm_create(void) {
  struct mm *mm = kzalloc(sizeof(*mm));
  if (!mm) return NULL;
  mm->refs = 1;
  mm->max_guest_bytes = mm->limit_bytes = guest_max_bytes;
  mm->mmap_page = MIN_MAP_PAGE;
  return mm;
}

struct mm *mm_fork(const struct mm *from) {
  struct mm *mm = kzalloc(sizeof(*mm));
  if (!mm) return NULL;
  *mm = *from;
  mm->refs = 1;
  mm->vmas = NULL, mm->vma_count = mm->vma_capacity = 0;
  mm->mapped_bytes = mm->writable_bytes = 0;
  mm->resident_pages = mm->dirty_pages = 0;
  mm->code = mm->jit = NULL;
  mm->errands = NULL, mm->restored = NULL;
  mm->external_code = false;
  memset(mm->regblocks_used, 0, sizeof(mm->regblocks_used)); /* one thread goes on in the child */
  if (area_reserve(mm, from->vma_count) < 0) {
    kfree(mm);
    return NULL;
  }
  for (u32 i = 0; i < from->vma_count; i++) {
    const struct vma *v = &from->vmas[i];
    if (v->dont_fork) continue;
    area_refs_get(v);
    area_insert(mm, v);
  }
  if (mm->args) mm->args->refs++;
  return mm;
}

void mm_args_set(struct mm *mm, const char *strings, u32 argv_bytes, u32 envp_bytes) {
  if (mm->args && !--mm->args->refs) kfree(mm->args);
  mm->args = kmalloc(sizeof(*mm->args) + argv_bytes + envp_bytes);
  if (!mm->args) return;
  mm->args->refs = 1, mm->args->argv_bytes = argv_bytes, mm->args->envp_bytes = envp_bytes, mm->args->auxv_bytes = 0;
  memcpy(mm->args->strings, strings, argv_bytes + envp_bytes);
}
void mm_auxv_set(struct mm *mm, const u64 *words, u32 count) {
  if (!mm->args) return;
  mm->args->auxv_bytes = MIN(count, AUXV_WORDS) * (u32)sizeof *words;
  memcpy(mm->args->auxv, words, mm->args->auxv_bytes);
}

void mm_get(struct mm *mm) { mm->refs++; }

/* The areas stay: mm_reset_guest clears by them. What had a file keeps saying that its pages have content. */
void mm_release_files(struct mm *mm) {
  if (mm->refs > 1) return;
  for (u32 i = 0; i < mm->vma_count; i++) {
    struct vma *v = &mm->vmas[i];
    if (v->shared && v->file && (v->prot & PERM_W)) mm_file_written(v->file);
    area_refs_put(v);
    v->shared |= v->file != NULL;
    v->file = NULL, v->memory = NULL;
  }
}

void mm_put(struct mm *mm) {
  if (!mm || --mm->refs) return;
  mm_errands_lose(mm);
  mm_release_files(mm);
  cpu_code_free(mm);
  if (mm->args && !--mm->args->refs) kfree(mm->args);
  kfree(mm->vmas);
  kfree(mm);
}

int mm_regblock_alloc(struct mm *mm) {
  for (u32 slot = 0; slot < REGBLOCKS; slot++) {
    u8 *byte = &mm->regblocks_used[slot / 8], bit = (u8)(1u << (slot & 7));
    if (*byte & bit) continue;
    *byte |= bit;
    return (int)slot;
  }
  return -EAGAIN;
}

void mm_regblock_free(struct mm *mm, int slot) { mm->regblocks_used[slot / 8] &= (u8) ~(1u << (slot & 7)); }
