/* mm/area: the sorted, disjoint list of areas: search, split, merge, accounts. mmap(2), Linux mm/vma.c. */
#include "area.h"

u32 area_index(const struct mm *mm, u32 page) {
  u32 low = 0, high = mm->vma_count;
  while (low < high) {
    u32 mid = (low + high) / 2;
    if (mm->vmas[mid].end > page) high = mid;
    else low = mid + 1;
  }
  return low;
}

struct vma *area_at(const struct mm *mm, u32 page) {
  u32 i = area_index(mm, page);
  return i < mm->vma_count && mm->vmas[i].start <= page ? &mm->vmas[i] : NULL;
}

const struct vma *mm_find(const struct mm *mm, u32 page) { return area_at(mm, page); }

bool area_range_free(const struct mm *mm, u32 start, u32 end) {
  u32 i = area_index(mm, start);
  return i == mm->vma_count || mm->vmas[i].start >= end;
}

bool area_range_full(const struct mm *mm, u32 start, u32 end) {
  for (u32 i = area_index(mm, start); start < end; i++) {
    if (i == mm->vma_count || mm->vmas[i].start > start) return false;
    start = mm->vmas[i].end;
  }
  return true;
}

int area_reserve(struct mm *mm, u32 extra) {
  u32 want = mm->vma_count + extra;
  if (want <= mm->vma_capacity) return 0;
  if (want > 65530) return -ENOMEM; /* vm.max_map_count */
  u32 capacity = MAX(want, mm->vma_capacity * 2);
  struct vma *vmas = krealloc(mm->vmas, capacity * sizeof(*vmas));
  if (!vmas) return -ENOMEM;
  mm->vmas = vmas, mm->vma_capacity = capacity;
  return 0;
}

void area_refs_get(const struct vma *v) {
  if (v->file) mm_file_get(v->file);
  if (v->memory) shared_memory_get(v->memory);
}

void area_refs_put(const struct vma *v) {
  if (v->file) mm_file_put(v->file);
  if (v->memory) shared_memory_put(v->memory);
}

static void account(struct mm *mm, const struct vma *v, bool add) {
  u64 bytes = page_addr(v->end - v->start);
  if (!add) bytes = -bytes;
  mm->mapped_bytes += bytes;
  if (area_counted(v)) mm->writable_bytes += bytes;
}

static void slot_open(struct mm *mm, u32 index) {
  kassert(mm->vma_count < mm->vma_capacity);
  memmove(&mm->vmas[index + 1], &mm->vmas[index], (mm->vma_count - index) * sizeof(struct vma));
  mm->vma_count++;
}

static void slot_close(struct mm *mm, u32 index, u32 count) {
  memmove(&mm->vmas[index], &mm->vmas[index + count], (mm->vma_count - index - count) * sizeof(struct vma));
  mm->vma_count -= count;
}

static bool joinable(const struct vma *a, const struct vma *b) {
  return a->end == b->start && a->prot == b->prot && a->shared == b->shared && a->grows_down == b->grows_down &&
         a->no_reserve == b->no_reserve && a->dont_fork == b->dont_fork && a->wipe_on_fork == b->wipe_on_fork &&
         a->signal_code == b->signal_code && a->file == b->file && a->memory == b->memory && a->name == b->name &&
         ((!a->file && !a->memory) || a->file_page + (a->end - a->start) == b->file_page);
}

void area_merge(struct mm *mm, u32 start, u32 end) {
  u32 i = start ? area_index(mm, start - 1) : 0;
  while (i + 1 < mm->vma_count && mm->vmas[i].end <= end) {
    struct vma *a = &mm->vmas[i], *b = a + 1;
    if (!joinable(a, b)) {
      i++;
      continue;
    }
    area_refs_put(b);
    a->end = b->end;
    slot_close(mm, i + 1, 1);
  }
}

void area_insert(struct mm *mm, const struct vma *v) {
  u32 i = area_index(mm, v->start);
  kassert(v->start < v->end && (i == mm->vma_count || mm->vmas[i].start >= v->end));
  slot_open(mm, i);
  mm->vmas[i] = *v;
  account(mm, v, true);
  area_merge(mm, v->start, v->end);
}

void area_split(struct mm *mm, u32 page) {
  struct vma *v = area_at(mm, page);
  if (!v || v->start == page) return;
  u32 i = (u32)(v - mm->vmas);
  slot_open(mm, i);
  struct vma *low = &mm->vmas[i], *high = low + 1;
  area_refs_get(high);
  low->end = high->start = page;
  if (high->file || high->memory) high->file_page += page - low->start;
}

void area_set(struct mm *mm, u32 index, u32 prot) {
  struct vma *v = &mm->vmas[index];
  account(mm, v, false);
  v->prot = (u8)prot;
  account(mm, v, true);
}

void area_remove(struct mm *mm, u32 start, u32 end) {
  u32 first = area_index(mm, start), count = 0;
  while (first + count < mm->vma_count && mm->vmas[first + count].end <= end) {
    struct vma *v = &mm->vmas[first + count++];
    kassert(v->start >= start);
    pages_drop(mm, v, v->start, v->end);
    account(mm, v, false);
    if (v->shared && v->file && (v->prot & PERM_W)) mm_file_written(v->file);
    area_refs_put(v);
  }
  slot_close(mm, first, count);
}

void area_extend_down(struct mm *mm, struct vma *v, u32 start) {
  account(mm, v, false);
  v->start = start;
  account(mm, v, true);
}

/* First fit upwards from *from, below `limit`; blocked ranges are given as pseudo-areas. */
static i64 gap_between(const struct mm *mm, u32 from, u32 limit, u32 pages, const u32 blocked[][2], u32 blocks) {
  u32 at = from;
  for (u32 i = area_index(mm, at); at < limit && limit - at >= pages;) {
    u32 next = i < mm->vma_count ? mm->vmas[i].start : limit;
    bool moved = false;
    if (next < at + pages) { /* an area is in the way */
      at = mm->vmas[i++].end;
      continue;
    }
    for (u32 b = 0; b < blocks; b++)
      if (at < blocked[b][1] && at + pages > blocked[b][0]) at = blocked[b][1], moved = true;
    if (!moved) return at;
    i = area_index(mm, at);
    if (i < mm->vma_count && mm->vmas[i].start < at) at = mm->vmas[i++].end;
  }
  return -ENOMEM;
}

i64 area_find_gap(const struct mm *mm, u32 pages) {
  i64 found = gap_between(mm, MAX(mm->mmap_page, MIN_MAP_PAGE), max_page(mm), pages, NULL, 0);
  if (found >= 0 || mm->mmap_page <= MIN_MAP_PAGE) return found;
  /* No room above: what is left below, with the stack's and some of the heap's room spared. */
  u32 stack_low = page_of(mm->stack_top - mm->stack_bytes);
  const u32 blocked[2][2] = {
      {stack_low ? stack_low - 1 : 0, page_of(mm->stack_top)},
      {page_of(mm->brk_start), MIN(page_of(ALIGN_UP(mm->brk, PAGE_BYTES)) + STACK_GUARD_PAGES, max_page(mm))},
  };
  return gap_between(mm, MIN_MAP_PAGE, mm->mmap_page, pages, blocked, 2);
}
