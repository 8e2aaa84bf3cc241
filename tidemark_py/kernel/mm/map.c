/* mm/map: mmap(2), munmap(2), mprotect(2), brk(2). Own memory, lock held; addresses and lengths as the guest gave them.
 * Everything that can fail is checked, and room for the areas reserved, before the first change.
 * Missing: huge pages (-ENOMEM), MAP_SYNC, MAP_DROPPABLE. MAP_POPULATE and MAP_LOCKED are hints here. */
#include "area.h"

#define MAP_LEGACY                                                                                                     \
  (MAP_TYPE | MAP_FIXED | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_DENYWRITE | MAP_EXECUTABLE | MAP_LOCKED | MAP_NORESERVE | \
   MAP_POPULATE | MAP_NONBLOCK | MAP_STACK | MAP_HUGETLB | MAP_FIXED_NOREPLACE)

#define HERE_MAX_PAGES 16384u /* 64 MiB: a writable mapping beyond it is fetched by pages */

static bool over_limit(const struct mm *mm, const struct vma *v) {
  return area_counted(v) && mm->writable_bytes + page_addr(v->end - v->start) > mm->limit_bytes;
}

/* Pages of [addr, addr + bytes) when it lies inside the window and addr is aligned, else -EINVAL. */
static i64 range_pages(const struct mm *mm, u64 addr, u64 bytes) {
  if (addr % PAGE_BYTES || bytes > mm->max_guest_bytes || addr > mm->max_guest_bytes) return -EINVAL;
  u64 pages = ALIGN_UP(bytes, (u64)PAGE_BYTES) >> PAGE_SHIFT;
  return page_of(addr) + pages > max_page(mm) ? -EINVAL : (i64)pages;
}

static bool in_stack_room(const struct mm *mm, u32 start, u32 end) {
  return mm->stack_bytes && start < page_of(mm->stack_top) && end > page_of(mm->stack_top - mm->stack_bytes);
}

/* Where the new area goes: a page, or -errno. */
static i64 place(const struct mm *mm, u64 addr, u32 pages, int flags) {
  if (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) {
    if (addr % PAGE_BYTES) return -EINVAL;
    if (addr >= mm->max_guest_bytes || pages > max_page(mm) - page_of(addr)) return -ENOMEM;
    if (page_of(addr) < MIN_MAP_PAGE) return -EPERM;
    if ((flags & MAP_FIXED_NOREPLACE) && !area_range_free(mm, page_of(addr), page_of(addr) + pages)) return -EEXIST;
    return page_of(addr);
  }
  if (addr && addr < mm->max_guest_bytes) { /* a hint */
    u32 page = page_of(ALIGN_UP(addr, (u64)PAGE_BYTES));
    if (page >= MIN_MAP_PAGE && page < max_page(mm) && pages <= max_page(mm) - page &&
        area_range_free(mm, page, page + pages) && !in_stack_room(mm, page, page + pages))
      return page;
  }
  return area_find_gap(mm, pages);
}

i64 mm_map(struct mm *mm, u64 addr, u64 bytes, int prot, int flags, struct ofd *file, u64 offset) {
  u32 type = (u32)flags & MAP_TYPE;
  if (mm->all_resident) return -ENOMEM;
  if (offset % PAGE_BYTES || !bytes) return -EINVAL;
  if (type != MAP_SHARED && type != MAP_PRIVATE && type != MAP_SHARED_VALIDATE) return -EINVAL;
  if (type == MAP_SHARED_VALIDATE && (flags & ~MAP_LEGACY)) return -EOPNOTSUPP;
  if ((flags & MAP_HUGETLB) || bytes > mm->max_guest_bytes) return -ENOMEM;
  u32 pages = page_of(ALIGN_UP(bytes, (u64)PAGE_BYTES));
  if (flags & MAP_ANONYMOUS) file = NULL;
  struct vma v = {
      .prot = (u8)(prot & (PERM_R | PERM_W | PERM_X)),
      .shared = type != MAP_PRIVATE,
      .grows_down = flags & MAP_GROWSDOWN,
      .no_reserve = flags & MAP_NORESERVE,
  };
  if (file) {
    if ((offset >> PAGE_SHIFT) + pages > (u64)INT64_MAX >> PAGE_SHIFT) return -EOVERFLOW;
    int kind = mm_file_check(file, prot, v.shared);
    if (kind < 0) return kind;
    if (v.grows_down) return -EINVAL;
    if (kind == 0) v.file = file, v.file_page = offset >> PAGE_SHIFT;
  }
  /* What the kernel may write into is brought here now, so that no copy_out finds it missing after an effect. */
  if (v.file && (prot & PROT_WRITE) && pages <= HERE_MAX_PAGES) {
    int r = mm_file_here(v.file, v.file_page, pages);
    if (r) return r;
  }
  i64 start = place(mm, addr, pages, flags);
  if (start < 0) return start;
  v.start = (u32)start, v.end = v.start + pages;
  if (over_limit(mm, &v)) return -ENOMEM;
  if (area_reserve(mm, 3) < 0) return -ENOMEM;
  if (v.shared && !v.file && !(v.memory = shared_memory_new(pages))) return -ENOMEM;
  if (v.file) mm_file_get(v.file), mm->lazy_files |= mm_file_lazy(v.file);
  if (flags & MAP_FIXED) {
    area_split(mm, v.start);
    area_split(mm, v.end);
    area_remove(mm, v.start, v.end);
  }
  area_insert(mm, &v);
  return (i64)page_addr(v.start);
}

int mm_unmap(struct mm *mm, u64 addr, u64 bytes) {
  i64 pages = range_pages(mm, addr, bytes);
  if (pages <= 0) return -EINVAL;
  u32 start = page_of(addr), end = start + (u32)pages;
  if (area_range_free(mm, start, end)) return 0;
  if (area_reserve(mm, 2) < 0) return -ENOMEM;
  area_split(mm, start);
  area_split(mm, end);
  area_remove(mm, start, end);
  return 0;
}

/* mm_map's rule for what becomes writable later. */
static int writable_here(const struct mm *mm, u32 start, u32 end) {
  if (LIKELY(!mm->lazy_files)) return 0;
  for (u32 i = area_index(mm, start); i < mm->vma_count && mm->vmas[i].start < end; i++) {
    const struct vma *v = &mm->vmas[i];
    u32 low = MAX(start, v->start), pages = MIN(end, v->end) - low;
    if (!v->file || (v->prot & PERM_W) || pages > HERE_MAX_PAGES) continue;
    if (mm_file_here(v->file, v->file_page + (low - v->start), pages) == -ENOTHERE) return -ENOTHERE;
  }
  return 0;
}

/* Linux gives effect to the areas before the first hole and then fails; so here. */
int mm_protect(struct mm *mm, u64 addr, u64 bytes, int prot) {
  if (addr % PAGE_BYTES || (prot & PROT_GROWSDOWN && prot & PROT_GROWSUP)) return -EINVAL;
  if (!bytes) return 0;
  i64 pages = range_pages(mm, addr, bytes);
  if (pages < 0) return -ENOMEM;
  if (prot & ~(PROT_READ | PROT_WRITE | PROT_EXEC | PROT_SEM | PROT_GROWSDOWN | PROT_GROWSUP)) return -EINVAL;
  u32 start = page_of(addr), end = start + (u32)pages;
  if (prot & PROT_GROWSDOWN) {
    const struct vma *v = area_at(mm, start);
    if (!v) return -ENOMEM;
    if (!v->grows_down) return -EINVAL;
    start = v->start;
  } else if (prot & PROT_GROWSUP) {
    return -EINVAL;
  }
  u32 bits = (u32)prot & (PERM_R | PERM_W | PERM_X), at = start;
  int r = bits & PERM_W ? writable_here(mm, start, end) : 0;
  if (r) return r;
  if (area_reserve(mm, 2) < 0) return -ENOMEM;
  area_split(mm, start);
  area_split(mm, end);
  for (u32 i = area_index(mm, start); at < end; i++) {
    if (i == mm->vma_count || mm->vmas[i].start > at) {
      r = -ENOMEM;
      break;
    }
    struct vma *v = &mm->vmas[i];
    at = v->end;
    if (v->prot == bits) continue;
    if (v->file && (r = mm_file_check(v->file, (int)bits, v->shared)) != 0) {
      r = -EACCES;
      break;
    }
    struct vma next = *v;
    next.prot = (u8)bits;
    if (!area_counted(v) && over_limit(mm, &next)) {
      r = -ENOMEM;
      break;
    }
    if (v->prot & PERM_X) cpu_code_invalidate(mm, v->start, v->end - v->start);
    area_set(mm, i, bits);
    pages_protect(mm, v, v->start, v->end);
  }
  area_merge(mm, start, end);
  return r;
}

i64 mm_brk(struct mm *mm, u64 addr) {
  if (mm->all_resident || addr < mm->brk_start || addr >= mm->max_guest_bytes) return (i64)mm->brk;
  u32 old_end = page_of(ALIGN_UP(mm->brk, (u64)PAGE_BYTES)), new_end = page_of(ALIGN_UP(addr, (u64)PAGE_BYTES));
  if (new_end > old_end) {
    static const char heap_name[] = "[heap]";
    struct vma v = {.start = old_end, .end = new_end, .prot = PERM_R | PERM_W, .name = heap_name};
    if (new_end > max_page(mm) || !area_range_free(mm, old_end, new_end)) return (i64)mm->brk;
    if (over_limit(mm, &v) || area_reserve(mm, 1) < 0) return (i64)mm->brk;
    area_insert(mm, &v);
  } else if (new_end < old_end && mm_unmap(mm, page_addr(new_end), page_addr(old_end - new_end)) < 0) {
    return (i64)mm->brk;
  }
  mm->brk = addr;
  return (i64)addr;
}

void mm_name(struct mm *mm, u64 addr, const char *name) {
  struct vma *v = area_at(mm, page_of(addr));
  if (v) v->name = name;
}

i64 mm_map_signal_code(struct mm *mm, u64 addr) {
  i64 r = mm_map(mm, addr, PAGE_BYTES, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, NULL, 0);
  if (r < 0) return r;
  struct vma *v = area_at(mm, page_of(addr));
  v->name = "[sigpage]", v->signal_code = true;
  mm->sigreturn_page = addr;
  return 0;
}
