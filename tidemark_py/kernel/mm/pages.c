/* mm/pages: permission bytes and page contents in the guest memory of this instance ("own memory").
 * The counts resident_pages and dirty_pages follow the bytes here and in fault.c alone. */
#include "area.h"

#define GROW_STEP_BYTES (4u << 20) /* each growth interrupts every worker on the memory: not page by page */
#define WASM_PAGE_BYTES 65536u

u32 pages_next(u32 page, u32 end, u32 mask) {
  u64 wide = mask * 0x0101010101010101ull;
  while (page < end) {
    if ((page & 7) == 0 && end - page >= 8) { /* the permission table starts at head offset 0 */
      if (!(guest_head_ld64(page) & wide)) {
        page += 8;
        continue;
      }
    }
    if (guest_perm(page) & mask) return page;
    page++;
  }
  return end;
}

int pages_grow(struct mm *mm, u32 page) {
  u64 need = HEAD_BYTES + page_addr(page) + PAGE_BYTES, have = (u64)guest_size_pages() * WASM_PAGE_BYTES;
  if (LIKELY(need <= have)) return 0;
  u64 most = HEAD_BYTES + mm->max_guest_bytes;
  if (need > most) return -ENOMEM;
  u64 aim = MIN(ALIGN_UP(need, GROW_STEP_BYTES), ALIGN_DOWN(most, WASM_PAGE_BYTES));
  if (aim < need) aim = need;
  if (guest_grow_pages((u32)((ALIGN_UP(aim, WASM_PAGE_BYTES) - have) / WASM_PAGE_BYTES)) >= 0) return 0;
  if (guest_grow_pages((u32)((ALIGN_UP(need, WASM_PAGE_BYTES) - have) / WASM_PAGE_BYTES)) >= 0) return 0;
  klog("a guest memory cannot grow to %llu MiB", (unsigned long long)(need >> 20));
  return -ENOMEM;
}

static bool has_content(const struct vma *v, u32 perm) {
  return (perm & PERM_RESIDENT) && ((perm & PERM_DIRTY) || v->file || v->shared || v->signal_code);
}

static void forget(struct mm *mm, const struct vma *v, u32 start, u32 end) {
  for (u32 page = pages_next(start, end, 0xff); page < end; page = pages_next(page, end, 0xff)) {
    u32 run = page, clear = 0;
    for (; page < end; page++) {
      u32 perm = guest_perm(page);
      if (!perm) break;
      if (perm & PERM_RESIDENT) mm->resident_pages--;
      if (perm & PERM_DIRTY) mm->dirty_pages--;
      if (has_content(v, perm)) {
        clear++;
      } else if (clear) {
        guest_fill((u32)page_addr(page - clear), 0, clear << PAGE_SHIFT);
        clear = 0;
      }
    }
    if (clear) guest_fill((u32)page_addr(page - clear), 0, clear << PAGE_SHIFT);
    guest_perm_fill(run, 0, page - run);
  }
}

void pages_drop(struct mm *mm, const struct vma *v, u32 start, u32 end) {
  if ((v->prot & PERM_X) && start < end) cpu_code_invalidate(mm, start, end - start);
  forget(mm, v, start, end);
}

void pages_protect(struct mm *mm, const struct vma *v, u32 start, u32 end) {
  (void)mm;
  u32 bits = prot_bits(v->prot);
  for (u32 page = pages_next(start, end, 0xff); page < end; page = pages_next(page + 1, end, 0xff)) {
    u32 perm = guest_perm(page), keep = perm & (PERM_RESIDENT | PERM_DIRTY | PERM_EXTERNAL);
    if (perm & PERM_EXTERNAL) keep |= perm & bits & PERM_X;
    else if (perm & PERM_RESIDENT) keep |= bits & (perm & PERM_DIRTY ? ~0u : ~PERM_W);
    guest_perm_set(page, keep);
  }
}

void pages_move(struct mm *mm, const struct vma *v, u32 from, u32 to, u32 pages) {
  if (v->prot & PERM_X) cpu_code_invalidate(mm, from, pages);
  for (u32 i = pages_next(from, from + pages, 0xff) - from; i < pages; i = pages_next(from + i + 1, from + pages, 0xff) - from) {
    u32 perm = guest_perm(from + i);
    guest_perm_set(from + i, 0);
    if (has_content(v, perm)) {
      if (perm & PERM_EXTERNAL) mm->resident_pages--; /* the copy for fetches: made anew when wanted */
      else guest_move((u32)page_addr(to + i), (u32)page_addr(from + i), PAGE_BYTES);
      guest_fill((u32)page_addr(from + i), 0, PAGE_BYTES);
    }
    guest_perm_set(to + i, perm & PERM_EXTERNAL ? 0 : perm);
  }
}

void mm_usage(const struct mm *mm, struct mm_usage *out, u32 count) {
  const u32 here = PERM_RESIDENT | PERM_EXTERNAL;
  for (u32 i = 0; i < MIN(count, mm->vma_count); i++) {
    const struct vma *v = &mm->vmas[i];
    out[i] = (struct mm_usage){.start = v->start};
    for (u32 page = pages_next(v->start, v->end, here); page < v->end; page = pages_next(page + 1, v->end, here)) {
      out[i].resident++;
      out[i].dirty += (guest_perm(page) & PERM_DIRTY) != 0;
    }
  }
}

/* ---- fork's page transfer ---- */

i64 mm_dirty_next(const struct mm *mm, u32 page) {
  for (u32 i = area_index(mm, page); i < mm->vma_count; i++) {
    const struct vma *v = &mm->vmas[i];
    if (v->shared || v->dont_fork || v->wipe_on_fork) continue;
    u32 found = pages_next(MAX(page, v->start), v->end, PERM_DIRTY);
    if (found < v->end) return found;
  }
  return -1;
}

i64 mm_saved_next(const struct mm *mm, u32 page) {
  for (u32 i = area_index(mm, page); i < mm->vma_count; i++) {
    const struct vma *v = &mm->vmas[i];
    if (v->shared) continue;
    u32 found = pages_next(MAX(page, v->start), v->end, PERM_DIRTY);
    if (found < v->end) return found;
  }
  return -1;
}

void mm_page_export(u32 page, void *dst) { guest_copy_to_kernel(dst, (u32)page_addr(page), PAGE_BYTES); }

int mm_page_import(struct mm *mm, u32 page, const void *src) {
  const struct vma *v = area_at(mm, page);
  if (!v || v->shared) return 0; /* the parent unmapped nothing meanwhile: cannot happen, and harms nothing */
  int r = pages_grow(mm, page);
  if (r < 0) return r;
  u32 perm = guest_perm(page);
  guest_copy_from_kernel((u32)page_addr(page), src, PAGE_BYTES);
  if (!(perm & PERM_RESIDENT)) mm->resident_pages++;
  if (!(perm & PERM_DIRTY)) mm->dirty_pages++;
  guest_perm_set(page, PERM_RESIDENT | PERM_DIRTY | prot_bits(v->prot));
  return 0;
}

/* The translations go with the mm (mm_put), not page by page. */
void mm_reset_guest(struct mm *mm) {
  for (u32 i = 0; i < mm->vma_count; i++) forget(mm, &mm->vmas[i], mm->vmas[i].start, mm->vmas[i].end);
  mm->resident_pages = mm->dirty_pages = 0;
}
