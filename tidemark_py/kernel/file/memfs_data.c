/* memfs_data: bodies of memfs' regular files (memfs.h): a radix tree of own pages over the base's body.
 *
 * A page is own, borrowed (not in the tree, but inside base_bytes), or a hole. base_bytes only shrinks, at truncate: what
 * grows back reads as zeros. Bytes of an own page behind the file's end may be anything (a shared mapping writes
 * there), so every call that moves the end outwards clears them first. Follows lseek(2), truncate(2), fallocate(2). */
#include "journal.h"

#define RADIX_BITS 7u
#define RADIX (1u << RADIX_BITS)
#define PAGE_BLOCKS (PAGE_BYTES / 512)
struct radix {
  void *slot[RADIX]; /* struct radix, or a page at the lowest level */
};

static u64 height_covers(u32 height) { return height * RADIX_BITS >= 64 ? ~0ull : 1ull << (height * RADIX_BITS); }

static u8 *page_of_slot(const void *slot) { return (u8 *)((uintptr_t)slot & ~(uintptr_t)PAGE_TAGS); }

static u8 *page_get(const struct memfs_file *f, u64 index) {
  if (!f->pages || index >= height_covers(f->height)) return NULL;
  void *node = f->pages;
  for (u32 h = f->height; node && h; h--) node = ((struct radix *)node)->slot[(index >> ((h - 1) * RADIX_BITS)) & (RADIX - 1)];
  return page_of_slot(node);
}

/* Where the page's pointer goes; NULL: no memory. */
static void **page_place(struct memfs_file *f, u64 index) {
  if (!f->pages) {
    f->height = 0;
    while (index >= height_covers(f->height)) f->height++;
  }
  while (f->pages && index >= height_covers(f->height)) {
    struct radix *up = kzalloc(sizeof *up);
    if (!up) return NULL;
    up->slot[0] = f->pages, f->pages = up, f->height++;
  }
  void **place = &f->pages;
  for (u32 h = f->height; h; h--) {
    if (!*place && !(*place = kzalloc(sizeof(struct radix)))) return NULL;
    place = &((struct radix *)*place)->slot[(index >> ((h - 1) * RADIX_BITS)) & (RADIX - 1)];
  }
  return place;
}

/* With a journal: this own page's bytes change now. */
static void page_changes(struct memfs_inode *m, u64 index, u32 tags) {
  if (LIKELY(!memfs_fs(m)->journal)) return;
  void **place = page_place(&m->file, index);
  *place = (void *)((uintptr_t)*place | tags);
  if ((tags & PAGE_SHARED) && !m->shared_pages) m->shared_pages = true, memfs_fs(m)->shared_count++;
  memfs_mark(m);
}

/* Free the own pages from..to (exclusive) below one node. True: the node is empty now. Depth: `height`, at most 8. */
static bool free_range(struct memfs_inode *m, void *node, u32 height, u64 first, u64 from, u64 to) {
  if (!height) {
    struct superblock *sb = m->i.sb;
    kpages_free(page_of_slot(node), 1);
    sb->blocks_used--;
    return true;
  }
  struct radix *r = node;
  u64 step = height_covers(height - 1);
  bool empty = true;
  for (u32 i = 0; i < RADIX; i++) {
    u64 start = first + i * step;
    if (!r->slot[i]) continue;
    bool inside = start < to && (start + step > from || start + step < start);
    if (inside && free_range(m, r->slot[i], height - 1, start, from, to))
      r->slot[i] = NULL;
    else
      empty = false;
  }
  if (empty) kfree(r);
  return empty;
}

static bool is_borrowed(const struct memfs_inode *m, u64 index) { return index < (m->file.base_bytes + PAGE_BYTES - 1) / PAGE_BYTES; }

static void pages_free_range(struct memfs_inode *m, u64 from, u64 to) {
  struct memfs_file *f = &m->file;
  if (!f->pages || from >= to || from >= height_covers(f->height)) return;
  if (free_range(m, f->pages, f->height, 0, from, to)) f->pages = NULL, f->height = 0;
}
/* With a journal, whole pages became holes: it is told all of the file anew. */
static void forget_told(struct memfs_inode *m) {
  if (LIKELY(!memfs_fs(m)->journal)) return;
  m->file.kept = 0;
  memfs_pages_tag(m, 0);
  memfs_mark(m);
}
void memfs_pages_free(struct memfs_inode *m, u64 from) { pages_free_range(m, from, ~0ull); }

/* st_blocks anew, after a range went: own pages plus borrowed ones not shadowed by own pages. */
static u64 count_own(const void *node, u32 height, u64 first, u64 borrowed, u64 *over_base) {
  if (!node) return 0;
  if (!height) {
    if (first < borrowed) ++*over_base;
    return 1;
  }
  u64 n = 0, step = height_covers(height - 1);
  for (u32 i = 0; i < RADIX; i++) n += count_own(((const struct radix *)node)->slot[i], height - 1, first + i * step, borrowed, over_base);
  return n;
}
static void count_blocks(struct memfs_inode *m) {
  u64 borrowed = (m->file.base_bytes + PAGE_BYTES - 1) / PAGE_BYTES, over = 0;
  u64 own = count_own(m->file.pages, m->file.height, 0, borrowed, &over);
  m->i.blocks_512 = (own + borrowed - over) * PAGE_BLOCKS;
}

/* ---- what may not be here yet (lazy.c) ---- */
bool memfs_is_lazy(const struct inode *ino) {
  const struct memfs_inode *m = CONTAINER_OF(ino, struct memfs_inode, i);
  return S_ISREG(ino->mode) && m->base && m->base->lazy;
}
static int here(const struct memfs_inode *m, u64 from, u64 bytes) {
  if (LIKELY(!m->base || !m->base->lazy) || from >= m->file.base_bytes) return 0;
  return lazy_need(m->base->lazy, m->base->body + from, MIN(bytes, m->file.base_bytes - from));
}
int memfs_here(struct inode *ino, u64 from, u64 bytes) { return here(memfs_of(ino), from, bytes); }
u64 memfs_missing(struct inode *ino, bool advise) {
  const struct memfs_inode *m = memfs_of(ino);
  if (!memfs_is_lazy(ino)) return 0;
  if (advise) lazy_advise(m->base->lazy, m->base->body, m->file.base_bytes);
  return lazy_missing(m->base->lazy, m->base->body, m->file.base_bytes);
}

/* An own page for index, which has none yet. fill: with what it held before (else the caller overwrites it all). */
static int page_make(struct memfs_inode *m, u64 index, bool fill, u8 **out) {
  struct superblock *sb = m->i.sb;
  if ((sb->blocks_limit && sb->blocks_used >= sb->blocks_limit) || journal_full(memfs_fs(m))) return -ENOSPC;
  int r = fill ? here(m, index * PAGE_BYTES, PAGE_BYTES) : 0;
  if (r) return r;
  u8 *page = kpages_alloc(1);
  void **place = page ? page_place(&m->file, index) : NULL;
  if (!place) {
    if (page) kpages_free(page, 1);
    return -ENOSPC; /* tmpfs says the same when memory is gone */
  }
  bool borrowed = is_borrowed(m, index);
  if (fill) {
    u64 start = index * PAGE_BYTES;
    u32 n = borrowed ? (u32)MIN((u64)PAGE_BYTES, m->file.base_bytes - start) : 0;
    if (n) memcpy(page, m->base->body + start, n);
    memset(page + n, 0, PAGE_BYTES - n);
  }
  *place = page, sb->blocks_used++;
  page_changes(m, index, PAGE_DIRTY);
  if (!borrowed) m->i.blocks_512 += PAGE_BLOCKS;
  *out = page;
  return 0;
}

int memfs_page(struct inode *ino, u64 index, bool write, u8 **page) {
  struct memfs_inode *m = memfs_of(ino);
  if ((*page = page_get(&m->file, index))) {
    m->changed |= write;
    if (write) page_changes(m, index, PAGE_DIRTY | PAGE_SHARED);
    return 0;
  }
  if (!write) {
    if (!is_borrowed(m, index)) return 0;
    int r = here(m, index * PAGE_BYTES, PAGE_BYTES);
    if (r) return r;
    if ((index + 1) * PAGE_BYTES <= m->file.base_bytes) {
      *page = (u8 *)(uintptr_t)(m->base->body + index * PAGE_BYTES);
      return 0;
    }
    m->changed = true; /* the last page's copy with its zeros is kept */
  }
  int r = page_make(m, index, true, page);
  if (write && r != -ENOTHERE) m->changed = true;
  if (write && !r) page_changes(m, index, PAGE_SHARED);
  return r;
}

/* Index of the first own page at or after `index`, ~0 when none: empty branches are skipped. */
static u64 next_own(const void *node, u32 height, u64 first, u64 index) {
  if (!node) return ~0ull;
  if (!height) return first >= index ? first : ~0ull;
  u64 step = height_covers(height - 1);
  u32 i = index > first ? (u32)MIN((index - first) / step, (u64)RADIX) : 0;
  for (; i < RADIX; i++) {
    u64 found = next_own(((const struct radix *)node)->slot[i], height - 1, first + i * step, index);
    if (found != ~0ull) return found;
  }
  return ~0ull;
}
static u64 file_next_own(const struct memfs_file *f, u64 index) { return next_own(f->pages, f->height, 0, index); }

/* Zero an own page's bytes from `pos` to the page's end. */
static void clear_tail(struct memfs_inode *m, u64 pos) {
  u32 offset = (u32)(pos % PAGE_BYTES);
  u8 *page = offset ? page_get(&m->file, pos / PAGE_BYTES) : NULL;
  if (!page) return;
  memset(page + offset, 0, PAGE_BYTES - offset);
  page_changes(m, pos / PAGE_BYTES, PAGE_DIRTY);
}

/* ---- for the journal ---- */
/* The slot of the first own page at or after *index, which it becomes; NULL: none. */
static void **slot_next(void **at, u32 height, u64 first, u64 *index, u32 having) {
  if (!*at) return NULL;
  if (!height) {
    if (first < *index || (having && !((uintptr_t)*at & having))) return NULL;
    *index = first;
    return at;
  }
  u64 step = height_covers(height - 1);
  u32 i = *index > first ? (u32)MIN((*index - first) / step, (u64)RADIX) : 0;
  for (; i < RADIX; i++) {
    void **found = slot_next(&((struct radix *)*at)->slot[i], height - 1, first + i * step, index, having);
    if (found) return found;
  }
  return NULL;
}

u8 *memfs_page_dirty(struct memfs_inode *m, u64 *index, bool take) {
  void **slot = slot_next(&m->file.pages, m->file.height, 0, index, PAGE_DIRTY);
  if (slot && take) *slot = (void *)((uintptr_t)*slot & ~(uintptr_t)PAGE_DIRTY);
  return slot ? page_of_slot(*slot) : NULL;
}

void memfs_pages_tag(struct memfs_inode *m, u32 having) {
  u64 index = 0;
  for (void **slot; (slot = slot_next(&m->file.pages, m->file.height, 0, &index, having)); index++)
    *slot = (void *)((uintptr_t)*slot | PAGE_DIRTY);
}

void memfs_pages_unshare(struct memfs_inode *m) {
  u64 index = 0;
  for (void **slot; (slot = slot_next(&m->file.pages, m->file.height, 0, &index, PAGE_SHARED)); index++)
    *slot = (void *)(((uintptr_t)*slot & ~(uintptr_t)PAGE_TAGS) | PAGE_DIRTY); /* it may have been written since */
  m->shared_pages = false, memfs_fs(m)->shared_count--;
  memfs_mark(m);
}

int memfs_page_put(struct memfs_inode *m, u64 index, const u8 *bytes, u32 count) {
  u8 *page = page_get(&m->file, index);
  int r = page ? 0 : page_make(m, index, false, &page);
  if (r) return r;
  memcpy(page, bytes, count);
  memset(page + count, 0, PAGE_BYTES - count);
  return 0;
}

int memfs_truncate(struct inode *ino, u64 bytes) {
  struct memfs_inode *m = memfs_of(ino);
  if (bytes > FILE_MAX_BYTES) return -EFBIG;
  clear_tail(m, MIN(bytes, ino->size));
  if (bytes < ino->size) {
    u64 keep = (bytes + PAGE_BYTES - 1) / PAGE_BYTES;
    pages_free_range(m, keep, ~0ull);
    m->file.base_bytes = MIN(m->file.base_bytes, bytes);
    m->file.kept = MIN(m->file.kept, bytes);
    count_blocks(m);
  }
  ino->size = bytes;
  memfs_touch(m, true);
  return 0;
}

/* Bytes that are the file's become zeros: whole pages turn to holes where nothing is borrowed. */
static int zero_range(struct memfs_inode *m, u64 from, u64 to) {
  while (from < to) {
    u64 index = from / PAGE_BYTES;
    u32 offset = (u32)(from % PAGE_BYTES), n = (u32)MIN(to - from, (u64)PAGE_BYTES - offset);
    u8 *page = page_get(&m->file, index);
    if (!page && !is_borrowed(m, index)) { /* a hole: on to the next own page */
      u64 next = file_next_own(&m->file, index);
      if (next == ~0ull || next >= to / PAGE_BYTES + 1) break;
      from = next * PAGE_BYTES;
      continue;
    }
    if (n == PAGE_BYTES && !is_borrowed(m, index)) {
      pages_free_range(m, index, index + 1);
    } else {
      int r = page ? 0 : page_make(m, index, n != PAGE_BYTES, &page);
      if (r) return r;
      memset(page + offset, 0, n);
      page_changes(m, index, PAGE_DIRTY);
    }
    from += n;
  }
  return 0;
}

int memfs_fallocate(struct inode *ino, u32 mode, u64 offset, u64 bytes) {
  struct memfs_inode *m = memfs_of(ino);
  u32 known = FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE;
  if (mode & ~known) return -EOPNOTSUPP;
  bool punch = mode & FALLOC_FL_PUNCH_HOLE, zero = mode & FALLOC_FL_ZERO_RANGE, keep = mode & FALLOC_FL_KEEP_SIZE;
  if (punch && (zero || !keep)) return -EOPNOTSUPP;
  u64 end = offset + bytes;
  if (punch) {
    int r = zero_range(m, offset, MIN(end, ALIGN_UP(MAX(ino->size, m->file.base_bytes), (u64)PAGE_BYTES)));
    count_blocks(m);
    forget_told(m);
    memfs_touch(m, true);
    return r;
  }
  const struct superblock *sb = m->i.sb;
  if (sb->blocks_limit && (bytes + PAGE_BYTES - 1) / PAGE_BYTES > sb->blocks_limit - sb->blocks_used) return -ENOSPC;
  if (end > ino->size && !keep) clear_tail(m, ino->size);
  for (u64 index = offset / PAGE_BYTES; index < (end + PAGE_BYTES - 1) / PAGE_BYTES; index++) {
    u8 *page = page_get(&m->file, index);
    int r = page || (is_borrowed(m, index) && !zero) ? 0 : page_make(m, index, true, &page);
    if (r) return r;
    if (zero) {
      u64 start = index * PAGE_BYTES, low = MAX(start, offset), high = MIN(start + PAGE_BYTES, end);
      memset(page + (low - start), 0, (size_t)(high - low));
      page_changes(m, index, PAGE_DIRTY);
    }
  }
  if (end > ino->size && !keep) ino->size = end;
  memfs_touch(m, true);
  return 0;
}

/* ---- descriptions ---- */
static i64 file_read(struct ofd *f, struct iobuf *io, u64 *pos) {
  struct memfs_inode *m = memfs_of(f->inode);
  u64 at = *pos, size = m->i.size;
  if (at >= size) return 0;
  u64 left = MIN(io->left, size - at);
  i64 done = 0, r = here(m, at, left); /* all of it first: no short read of a file */
  if (UNLIKELY(r)) return r;
  while (left) {
    u32 offset = (u32)(at % PAGE_BYTES);
    u64 n = MIN(left, (u64)PAGE_BYTES - offset), index = at / PAGE_BYTES;
    const u8 *page = page_get(&m->file, index);
    if (page) {
      r = iobuf_write(io, page + offset, n);
    } else if (at < m->file.base_bytes) { /* straight from the layer; all at once while nothing was changed */
      n = MIN(m->file.pages ? n : left, m->file.base_bytes - at);
      r = iobuf_write(io, m->base->body + at, n);
    } else {
      if (!m->file.pages) n = left;
      r = iobuf_zero(io, n);
    }
    if (r <= 0) break;
    done += r, at += (u64)r, left -= (u64)r;
    if ((u64)r < n) break;
  }
  *pos = at;
  return done ? done : r;
}

static i64 file_write(struct ofd *f, struct iobuf *io, u64 *pos) {
  struct memfs_inode *m = memfs_of(f->inode);
  u64 at = *pos;
  if (!io->left) return 0;
  if (at >= FILE_MAX_BYTES) return -EFBIG;
  u64 left = MIN(io->left, FILE_MAX_BYTES - at);
  if (UNLIKELY(inode_sealed_write(&m->i, at, left))) return -EPERM;
  i64 done = 0, r = here(m, ALIGN_DOWN(at, (u64)PAGE_BYTES), at % PAGE_BYTES + left);
  if (UNLIKELY(r)) return r;
  if (at > m->i.size) clear_tail(m, m->i.size);
  while (left) {
    u64 index = at / PAGE_BYTES;
    u32 offset = (u32)(at % PAGE_BYTES), n = (u32)MIN(left, (u64)PAGE_BYTES - offset);
    u8 *page = page_get(&m->file, index);
    bool fresh = !page;
    if (fresh && (r = page_make(m, index, n != PAGE_BYTES, &page))) break;
    r = iobuf_read(io, page + offset, n);
    if (r < (i64)n && fresh && n == PAGE_BYTES) { /* a bad buffer half-way: what was not brought is as it was before */
      u32 got = r > 0 ? (u32)r : 0;
      u64 start = index * PAGE_BYTES;
      u32 borrowed = start < m->file.base_bytes ? (u32)MIN((u64)PAGE_BYTES, m->file.base_bytes - start) : 0;
      if (borrowed > got) memcpy(page + got, m->base->body + start + got, borrowed - got);
      u32 from = MAX(got, borrowed);
      memset(page + from, 0, PAGE_BYTES - from);
    }
    if (r <= 0) break;
    page_changes(m, index, PAGE_DIRTY);
    done += r, at += (u64)r, left -= (u64)r;
    if (at > m->i.size) m->i.size = at;
    if ((u32)r < n) break;
  }
  if (done) {
    memfs_touch(m, true);
    *pos = at;
  }
  m->changed = true;
  return done ? done : r;
}

static bool has_data(const struct memfs_inode *m, u64 index) { return is_borrowed(m, index) || page_get(&m->file, index); }

static i64 file_seek(struct ofd *f, i64 offset, int whence) {
  struct memfs_inode *m = memfs_of(f->inode);
  i64 size = (i64)m->i.size;
  switch (whence) {
  case SEEK_SET: break;
  case SEEK_CUR:
    if (__builtin_add_overflow(offset, (i64)f->pos, &offset)) return -EOVERFLOW;
    break;
  case SEEK_END:
    if (__builtin_add_overflow(offset, size, &offset)) return -EOVERFLOW;
    break;
  case SEEK_DATA:
  case SEEK_HOLE: {
    if (offset < 0 || offset >= size) return -ENXIO;
    u64 index = (u64)offset / PAGE_BYTES, end = ((u64)size + PAGE_BYTES - 1) / PAGE_BYTES;
    if (whence == SEEK_DATA) {
      if (!has_data(m, index)) index = file_next_own(&m->file, index);
      if (index >= end) return -ENXIO;
    } else {
      while (index < end && has_data(m, index)) index++;
      if (index >= end) return f->pos = (u64)size, size;
    }
    offset = MAX(offset, (i64)(index * PAGE_BYTES));
    break;
  }
  default: return -EINVAL;
  }
  if (offset < 0) return -EINVAL;
  f->pos = (u64)offset;
  return offset;
}

static int file_fsync(struct ofd *f) { return file_sync(f->inode->sb); }

const struct ofd_ops memfs_file_ops = {.read = file_read, .write = file_write, .seek = file_seek, .fsync = file_fsync};
