/* mm/remap: mremap(2), madvise(2). Own memory, lock held.
 * Missing: MREMAP_DONTUNMAP of shared areas, KSM (-EINVAL), MADV_REMOVE and MADV_POPULATE_* on what Linux refuses too. */
#include "area.h"

/* Grow the last area of the old range where it stands, if what follows is free. */
static bool grow_in_place(struct mm *mm, const struct vma *v, u32 end, u32 new_end) {
  if (v->end != end || new_end > max_page(mm) || !area_range_free(mm, end, new_end)) return false;
  if (area_reserve(mm, 1) < 0) return false;
  v = area_at(mm, end - 1);
  struct vma more = *v;
  more.start = end, more.end = new_end;
  if (more.file || more.memory) more.file_page += end - v->start;
  area_refs_get(&more);
  area_insert(mm, &more);
  return true;
}

static i64 move_to(struct mm *mm, u32 start, u32 pages, u32 to, u32 new_pages, bool keep_old) {
  u32 common = MIN(pages, new_pages);
  area_split(mm, start);
  area_split(mm, start + pages);
  const struct vma *v = area_at(mm, start);
  struct vma moved = *v;
  moved.start = to, moved.end = to + new_pages;
  area_refs_get(&moved);
  for (u32 p = pages_next(start, start + common, PERM_RESIDENT); p < start + common;
       p = pages_next(p + 1, start + common, PERM_RESIDENT))
    if (pages_grow(mm, to + (p - start)) < 0) {
      area_refs_put(&moved);
      area_merge(mm, start, start + pages);
      return -ENOMEM;
    }
  pages_move(mm, v, start, to, common);
  if (!keep_old) area_remove(mm, start, start + pages);
  area_insert(mm, &moved);
  return (i64)page_addr(to);
}

i64 mm_remap(struct mm *mm, u64 old_addr, u64 old_bytes, u64 new_bytes, int flags, u64 new_addr) {
  if (mm->all_resident) return -ENOMEM;
  if (flags & ~(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP)) return -EINVAL;
  if ((flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) && !(flags & MREMAP_MAYMOVE)) return -EINVAL;
  if (old_addr % PAGE_BYTES || !new_bytes) return -EINVAL;
  if (old_addr >= mm->max_guest_bytes || old_bytes > mm->max_guest_bytes) return -EFAULT;
  if (new_bytes > mm->max_guest_bytes) return -ENOMEM;
  u32 start = page_of(old_addr), pages = page_of(ALIGN_UP(old_bytes, (u64)PAGE_BYTES));
  u32 new_pages = page_of(ALIGN_UP(new_bytes, (u64)PAGE_BYTES));
  bool fixed = flags & MREMAP_FIXED, keep_old = flags & MREMAP_DONTUNMAP;
  if (keep_old && pages != new_pages) return -EINVAL;
  if (fixed) {
    if (new_addr % PAGE_BYTES || new_addr >= mm->max_guest_bytes || new_pages > max_page(mm) - page_of(new_addr)) return -EINVAL;
    if (page_of(new_addr) < MIN_MAP_PAGE) return -EPERM;
    if (page_of(new_addr) < start + pages && start < page_of(new_addr) + new_pages) return -EINVAL;
  }
  const struct vma *v = area_at(mm, start);
  if (!v) return -EFAULT;
  if (keep_old && v->shared) return -EINVAL;
  if (!pages) { /* a second mapping of the same shared pages */
    if (!v->shared || !(flags & MREMAP_MAYMOVE)) return -EINVAL;
  } else if (v->end - start < pages) {
    return -EFAULT;
  }
  if (!fixed && !keep_old && pages && new_pages <= pages)
    return new_pages == pages || !mm_unmap(mm, page_addr(start + new_pages), page_addr(pages - new_pages)) ? (i64)old_addr : -ENOMEM;
  u32 more = keep_old ? new_pages : new_pages > pages ? new_pages - pages : 0;
  if (area_counted(v) && mm->writable_bytes + page_addr(more) > mm->limit_bytes) return -ENOMEM;
  if (!fixed && !keep_old && pages && grow_in_place(mm, v, start + pages, start + new_pages)) return (i64)old_addr;
  if (!(flags & MREMAP_MAYMOVE)) return -ENOMEM;
  if (area_reserve(mm, 6) < 0) return -ENOMEM;
  u32 to;
  if (fixed) {
    to = page_of(new_addr);
    area_split(mm, to);
    area_split(mm, to + new_pages);
    area_remove(mm, to, to + new_pages);
  } else {
    i64 gap = area_find_gap(mm, new_pages);
    if (gap < 0) return gap;
    to = (u32)gap;
  }
  return pages ? move_to(mm, start, pages, to, new_pages, keep_old) : move_to(mm, start, 0, to, new_pages, true);
}

static int advise_area(struct mm *mm, struct vma *v, u32 start, u32 end, int advice) {
  switch (advice) {
  case MADV_FREE:
    if (v->file || v->shared) return -EINVAL;
    pages_drop(mm, v, start, end); /* free to do at once */
    return 0;
  case MADV_DONTNEED:
  case MADV_DONTNEED_LOCKED:
    pages_drop(mm, v, start, end);
    return 0;
  case MADV_REMOVE:
    if (!v->shared || !(v->prot & PERM_W)) return v->shared ? -EACCES : -EINVAL;
    if (v->file) return -EOPNOTSUPP;
    for (u32 p = start; p < end; p++) shared_memory_punch(v->memory, v->file_page + (p - v->start));
    pages_drop(mm, v, start, end);
    return 0;
  case MADV_POPULATE_READ:
  case MADV_POPULATE_WRITE:
    for (u32 p = start; p < end; p++) {
      int r = page_fault(mm, page_addr(p), advice == MADV_POPULATE_READ ? ACCESS_R : ACCESS_W);
      if (r == -ENOTHERE) return r;
      if (r < 0) return mm_fault_info.si_signo == SIGSEGV ? -EINVAL : -EFAULT;
    }
    return 0;
  case MADV_DONTFORK: v->dont_fork = true; return 0;
  case MADV_DOFORK: v->dont_fork = false; return 0;
  case MADV_WIPEONFORK:
    if (v->file || v->shared) return -EINVAL;
    v->wipe_on_fork = true;
    return 0;
  case MADV_KEEPONFORK: v->wipe_on_fork = false; return 0;
  default: return 0;
  }
}

int mm_advise(struct mm *mm, u64 addr, u64 bytes, int advice) {
  switch (advice) {
  case MADV_NORMAL: case MADV_RANDOM: case MADV_SEQUENTIAL: case MADV_WILLNEED: case MADV_DONTNEED: case MADV_FREE:
  case MADV_REMOVE: case MADV_DONTFORK: case MADV_DOFORK: case MADV_HUGEPAGE: case MADV_NOHUGEPAGE: case MADV_DONTDUMP:
  case MADV_DODUMP: case MADV_WIPEONFORK: case MADV_KEEPONFORK: case MADV_COLD: case MADV_PAGEOUT:
  case MADV_POPULATE_READ: case MADV_POPULATE_WRITE: case MADV_DONTNEED_LOCKED:
    break;
  default: return -EINVAL;
  }
  if (addr % PAGE_BYTES) return -EINVAL;
  u64 rounded = ALIGN_UP(bytes, (u64)PAGE_BYTES);
  if (rounded < bytes || addr + rounded < addr) return -EINVAL;
  if (!rounded) return 0;
  if (addr >= mm->max_guest_bytes || rounded > mm->max_guest_bytes - addr) return -ENOMEM;
  u32 start = page_of(addr), end = start + page_of(rounded), at = start;
  if (area_reserve(mm, 2) < 0) return -ENOMEM;
  bool splits = advice == MADV_DONTFORK || advice == MADV_DOFORK || advice == MADV_WIPEONFORK || advice == MADV_KEEPONFORK;
  if (splits) area_split(mm, start), area_split(mm, end);
  int r = 0;
  bool hole = false;
  for (u32 i = area_index(mm, start); at < end && i < mm->vma_count && mm->vmas[i].start < end && !r; i++) {
    struct vma *v = &mm->vmas[i];
    if (v->start > at) hole = true;
    at = v->end;
    r = advise_area(mm, v, MAX(v->start, start), MIN(v->end, end), advice);
  }
  if (splits) area_merge(mm, start, end);
  return r ? r : hole || at < end ? -ENOMEM : 0; /* holes are skipped, the rest done, then ENOMEM */
}
