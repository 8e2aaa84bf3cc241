/* mm/fault: what a first touch does: zero page, private file page, copy-on-first-write marks, external pages, stack
 * growth, and the exact signal where the access is not allowed (mmap(2), sigaction(2): SEGV_MAPERR, SEGV_ACCERR,
 * BUS_ADRERR). Lock held, own memory. */
#include "area.h"

_Thread_local struct mm_fault_info mm_fault_info;

static int fail(u64 addr, i32 signo, i32 code) {
  mm_fault_info = (struct mm_fault_info){.addr = addr, .si_signo = signo, .si_code = code};
  return -EFAULT;
}

/* Out of memory in the middle of an access: Linux' OOM killer ends the process. */
static int out_of_memory(u64 addr, const char *what) {
  klog("out of memory at guest address 0x%llx: %s", (unsigned long long)addr, what);
  return fail(addr, SIGKILL, SI_KERNEL);
}

int external_page(const struct vma *v, u32 page, bool write, u8 **bytes, u32 *valid) {
  u64 index = v->file_page + (page - v->start);
  if (v->file) return mm_file_page(v->file, index, write, bytes, valid);
  *valid = PAGE_BYTES;
  return shared_memory_page(v->memory, index, write, bytes);
}

/* The stack: an area below which nothing is mapped grows down to the faulting page. */
static struct vma *grow_down(struct mm *mm, u32 page) {
  u32 i = area_index(mm, page);
  if (i == mm->vma_count || !mm->vmas[i].grows_down) return NULL;
  struct vma *v = &mm->vmas[i];
  u32 low_end = i ? mm->vmas[i - 1].end : MIN_MAP_PAGE;
  if (page_addr(v->end) == mm->stack_top) {
    if (page < page_of(mm->stack_top - mm->stack_bytes) || page < low_end) return NULL;
  } else if (page < low_end + STACK_GUARD_PAGES || v->end - page > page_of(mm->stack_bytes)) {
    return NULL;
  }
  if (area_counted(v) && mm->writable_bytes + page_addr(v->start - page) > mm->limit_bytes) return NULL;
  area_extend_down(mm, v, page);
  return v;
}

static int external_fault(struct mm *mm, const struct vma *v, u64 addr, u32 access) {
  u32 page = page_of(addr), valid;
  u8 *bytes;
  int r = external_page(v, page, access & ACCESS_W, &bytes, &valid);
  if (r == -ENOTHERE) return r;
  if (r < 0) return r == -ENOMEM ? out_of_memory(addr, "no kernel page for shared memory") : fail(addr, SIGBUS, BUS_ADRERR);
  u32 perm = guest_perm(page);
  if ((access & ACCESS_X) && !(perm & PERM_X)) { /* a copy for fetches: coherent only after fence.i, as the ISA has it */
    if (pages_grow(mm, page) < 0) return out_of_memory(addr, "memory.grow refused");
    u32 base = (u32)page_addr(page);
    if (bytes) guest_copy_from_kernel(base, bytes, valid);
    else guest_fill(base, 0, valid);
    if (!(perm & PERM_RESIDENT)) mm->resident_pages++;
    perm |= PERM_X | PERM_RESIDENT;
    mm->external_code = true;
  }
  guest_perm_set(page, perm | PERM_EXTERNAL);
  return 0;
}

static int bring_in(struct mm *mm, const struct vma *v, u64 addr) {
  u32 page = page_of(addr);
  if (pages_grow(mm, page) < 0) return out_of_memory(addr, "memory.grow refused");
  if (v->file) {
    u8 *bytes;
    u32 valid;
    int r = mm_file_page(v->file, v->file_page + (page - v->start), false, &bytes, &valid);
    if (r == -ENOTHERE) return r;
    if (r < 0) return fail(addr, SIGBUS, BUS_ADRERR);
    if (bytes) guest_copy_from_kernel((u32)page_addr(page), bytes, valid); /* the rest is zero already */
  }
  if (v->signal_code && page == page_of(mm->sigreturn_page)) {
    guest_st32((u32)page_addr(page), 0x08b00893);     /* li a7,139: rt_sigreturn */
    guest_st32((u32)page_addr(page) + 4, 0x00000073); /* ecall */
  }
  mm->resident_pages++;
  return 0;
}

int page_fault(struct mm *mm, u64 addr, u32 access) {
  if (addr >= mm->max_guest_bytes) return fail(addr, SIGSEGV, SEGV_MAPERR);
  u32 page = page_of(addr);
  const struct vma *v = area_at(mm, page);
  if (!v && !(v = grow_down(mm, page))) return fail(addr, SIGSEGV, SEGV_MAPERR);
  u32 allowed = prot_bits(v->prot);
  if (access & ~allowed) return fail(addr, SIGSEGV, SEGV_ACCERR);
  if (v->shared) return external_fault(mm, v, addr, access);
  u32 perm = guest_perm(page);
  bool makes_dirty = (access & ACCESS_W) && !(perm & PERM_DIRTY);
  if (makes_dirty && page_addr(mm->dirty_pages) >= mm->limit_bytes)
    return out_of_memory(addr, "the process is at its memory limit");
  if (!(perm & PERM_RESIDENT)) {
    int r = bring_in(mm, v, addr);
    if (r < 0) return r;
    perm = PERM_RESIDENT;
  }
  if (makes_dirty) {
    perm |= PERM_DIRTY;
    mm->dirty_pages++;
  }
  guest_perm_set(page, perm | (allowed & (perm & PERM_DIRTY ? ~0u : ~PERM_W)));
  return 0;
}

bool page_fetched(u64 addr, int *r) {
  if (LIKELY(*r != -ENOTHERE)) return false;
  int waited = fetch_wait(true);
  if (!waited) return true;
  *r = fail(addr, SIGKILL, SI_KERNEL); /* killed meanwhile */
  return false;
}

int mm_fault(struct mm *mm, u64 addr, u32 access, int *si_signo, int *si_code) {
  if (mm->all_resident) {
    if (addr < (u64)guest_size_pages() * 65536 - HEAD_BYTES) return 0;
    fail(addr, SIGSEGV, SEGV_MAPERR);
  } else {
    int r;
    do r = page_fault(mm, addr, access);
    while (page_fetched(addr, &r));
    if (r == 0) return 0;
  }
  *si_signo = mm_fault_info.si_signo, *si_code = mm_fault_info.si_code;
  return -EFAULT;
}

void mm_code_sync(struct mm *mm) {
  if (!mm->external_code) return;
  for (u32 i = 0; i < mm->vma_count; i++) {
    const struct vma *v = &mm->vmas[i];
    if (!v->shared || !(v->prot & PERM_X)) continue;
    for (u32 p = pages_next(v->start, v->end, PERM_X); p < v->end; p = pages_next(p + 1, v->end, PERM_X))
      guest_perm_set(p, guest_perm(p) & ~PERM_X);
    cpu_code_invalidate(mm, v->start, v->end - v->start);
  }
}
