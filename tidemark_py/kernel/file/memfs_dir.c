/* memfs_dir: directories of memfs (memfs.h): borrowed or own names, and the calls that change them. The callers
 * (name.c, open.c) have checked permissions, mounts and names; what is left here is what the tree itself forbids.
 *
 * Own names stand in an array in the order they were made; each keeps a rising cookie, its readdir position, for life,
 * so that a reader finds its place after any number of removals. Removed slots are squeezed out when the array is full.
 * Follows rename(2), unlink(2), link(2), getdents64(2). Missing: RENAME_WHITEOUT. */
#include "memfs.h"

#define INDEX_FROM 16u /* more names than this get a hash index */
#define INDEX_GONE 0xffffffffu

/* ---- the array of own names ---- */
static void index_build(struct memfs_directory *d) {
  kfree(d->index);
  d->index = NULL, d->index_size = 0, d->index_used = 0;
  if (d->capacity <= INDEX_FROM) return;
  u32 size = 64;
  while (size < d->capacity * 2) size *= 2;
  if (!(d->index = kzalloc(size * sizeof *d->index))) return; /* a search through the array works too */
  d->index_size = size;
  for (u32 i = 0; i < d->count; i++) {
    if (!d->entries[i].name) continue;
    u32 slot = d->entries[i].hash & (size - 1);
    while (d->index[slot]) slot = (slot + 1) & (size - 1);
    d->index[slot] = i + 1, d->index_used++;
  }
}

static bool same_name(const struct memfs_entry *e, const char *name, u32 bytes, u32 hash) {
  return e->name && e->hash == hash && e->bytes == bytes && !memcmp(e->name, name, bytes);
}

struct memfs_entry *memfs_dir_find(struct memfs_inode *dir, const char *name, u32 bytes, u32 hash) {
  struct memfs_directory *d = &dir->dir;
  if (!d->index) {
    for (u32 i = 0; i < d->count; i++)
      if (same_name(&d->entries[i], name, bytes, hash)) return &d->entries[i];
    return NULL;
  }
  for (u32 slot = hash & (d->index_size - 1); d->index[slot]; slot = (slot + 1) & (d->index_size - 1)) {
    u32 i = d->index[slot];
    if (i != INDEX_GONE && same_name(&d->entries[i - 1], name, bytes, hash)) return &d->entries[i - 1];
  }
  return NULL;
}

/* Room for `more` entries and their index slots; entries may move. */
static bool array_reserve(struct memfs_directory *d, u32 more) {
  if (d->count + more <= d->capacity) return true;
  if (more == 1 && d->live + d->live / 4 < d->count) { /* enough holes: squeeze them out */
    u32 to = 0;
    for (u32 i = 0; i < d->count; i++)
      if (d->entries[i].name) d->entries[to++] = d->entries[i];
    d->count = to;
  } else {
    u32 capacity = d->capacity ? d->capacity * 2 : 4;
    while (capacity < d->count + more) capacity *= 2;
    struct memfs_entry *entries = krealloc(d->entries, capacity * sizeof *entries);
    if (!entries) return false;
    d->entries = entries, d->capacity = capacity;
  }
  index_build(d);
  return true;
}

static void array_append(struct memfs_directory *d, struct memfs_entry e) {
  u32 at = d->count++;
  d->entries[at] = e, d->live++;
  if (d->index) {
    u32 slot = e.hash & (d->index_size - 1);
    while (d->index[slot] && d->index[slot] != INDEX_GONE) slot = (slot + 1) & (d->index_size - 1);
    if (!d->index[slot]) d->index_used++;
    d->index[slot] = at + 1;
    if (d->index_used * 4 > d->index_size * 3) index_build(d);
  }
}

int memfs_dir_own(struct memfs_inode *dir) {
  struct memfs_directory *d = &dir->dir;
  if (d->own) return 0;
  u32 capacity = dir->base->children + 4;
  if (!(d->entries = kmalloc(capacity * sizeof *d->entries))) return -ENOMEM;
  d->capacity = capacity;
  for (const struct frozen_entry *e = dir->base->first; e; e = e->next)
    d->entries[d->count++] =
        (struct memfs_entry){.name = e->name, .bytes = e->bytes, .hash = e->hash, .cookie = e->cookie, .child = e->node, .is_frozen = true};
  d->live = d->count, d->next_cookie = dir->base->next_cookie;
  d->own = dir->changed = true;
  index_build(d);
  return 0;
}

int memfs_dir_reserve(struct memfs_inode *dir, u32 names) {
  int r = memfs_dir_own(dir);
  return r ? r : array_reserve(&dir->dir, names) ? 0 : -ENOMEM;
}

int memfs_dir_add(struct memfs_inode *dir, const char *name, u32 bytes, u32 hash, void *child, bool is_frozen, bool copy_name) {
  struct memfs_directory *d = &dir->dir;
  if (!array_reserve(d, 1)) return -ENOMEM;
  if (copy_name) {
    char *copy = kmalloc(bytes);
    if (!copy) return -ENOMEM;
    memcpy(copy, name, bytes);
    name = copy;
  }
  array_append(d, (struct memfs_entry){.name = name, .bytes = bytes, .hash = hash, .cookie = d->next_cookie++, .child = child,
                                       .is_frozen = is_frozen, .owns_name = copy_name});
  return 0;
}

void memfs_dir_remove(struct memfs_inode *dir, struct memfs_entry *e) {
  struct memfs_directory *d = &dir->dir;
  if (d->index) {
    u32 at = (u32)(e - d->entries) + 1, slot = e->hash & (d->index_size - 1);
    while (d->index[slot] != at) slot = (slot + 1) & (d->index_size - 1);
    d->index[slot] = INDEX_GONE;
  }
  if (e->owns_name) kfree((void *)(uintptr_t)e->name);
  *e = (struct memfs_entry){.cookie = e->cookie};
  d->live--;
  while (d->count && !d->entries[d->count - 1].name) d->count--;
}

bool memfs_dir_empty(const struct memfs_inode *dir) { return dir->dir.own ? !dir->dir.live : !dir->base->children; }

void memfs_dir_free(struct memfs_inode *dir) {
  struct memfs_directory *d = &dir->dir;
  for (u32 i = 0; i < d->count; i++)
    if (d->entries[i].owns_name) kfree((void *)(uintptr_t)d->entries[i].name);
  kfree(d->entries);
  kfree(d->index);
}

/* ---- looking ---- */
static struct memfs_inode *child_of(struct memfs_inode *dir, void *child, bool is_frozen) {
  if (is_frozen) return memfs_shadow(memfs_fs(dir), child, dir);
  memfs_ref(child);
  return child;
}

/* The child called so, with a reference, or -ENOENT, -ENOMEM. */
static int child_find(struct memfs_inode *dir, const char *name, u32 bytes, u32 hash, struct memfs_inode **out) {
  void *child;
  bool is_frozen = true;
  if (dir->dir.own) {
    struct memfs_entry *e = memfs_dir_find(dir, name, bytes, hash);
    if (!e) return -ENOENT;
    child = e->child, is_frozen = e->is_frozen;
  } else {
    struct frozen_entry *e = frozen_find(memfs_fs(dir)->tree, dir->base, name, bytes, hash);
    if (!e) return -ENOENT;
    child = e->node;
  }
  return (*out = child_of(dir, child, is_frozen)) ? 0 : -ENOMEM;
}

int memfs_lookup(struct inode *dir, const char *name, u32 bytes, struct inode **out) {
  struct memfs_inode *d = memfs_of(dir), *child;
  if (bytes == 2 && name[0] == '.' && name[1] == '.') {
    if (!d->dir.parent) return -ENOENT;
    memfs_ref(d->dir.parent);
    *out = &d->dir.parent->i;
    return 0;
  }
  int r = child_find(d, name, bytes, name_hash(name, bytes), &child);
  if (!r) *out = &child->i;
  return r;
}

static u8 type_of_mode(u32 mode) { return (u8)((mode & S_IFMT) >> 12); }

int memfs_readdir(struct inode *dir, u64 pos, readdir_fn fn, void *arg) {
  struct memfs_inode *d = memfs_of(dir);
  if (!d->dir.own) {
    for (const struct frozen_entry *e = d->base->first; e; e = e->next) {
      if (e->cookie < pos) continue;
      struct dirent_out out = {.ino = e->node->ino, .type = type_of_mode(e->node->mode), .name = e->name, .name_bytes = e->bytes};
      if (!fn(arg, &out, e->cookie + 1)) break;
    }
    return 0;
  }
  u32 low = 0, high = d->dir.count; /* first slot with cookie >= pos; removed slots keep theirs */
  while (low < high) {
    u32 middle = (low + high) / 2;
    if (d->dir.entries[middle].cookie < pos)
      low = middle + 1;
    else
      high = middle;
  }
  for (; low < d->dir.count; low++) {
    const struct memfs_entry *e = &d->dir.entries[low];
    if (!e->name) continue;
    const struct frozen *f = e->child;
    const struct memfs_inode *m = e->child;
    struct dirent_out out = {.ino = e->is_frozen ? f->ino : m->i.ino,
                             .type = type_of_mode(e->is_frozen ? f->mode : m->i.mode),
                             .name = e->name,
                             .name_bytes = e->bytes};
    if (!fn(arg, &out, e->cookie + 1)) break;
  }
  return 0;
}

/* ---- changing ---- */
static int add_new(struct memfs_inode *d, const char *name, u32 bytes, struct memfs_inode *m) {
  int r = memfs_dir_add(d, name, bytes, name_hash(name, bytes), m, false, true);
  if (!r) {
    if (S_ISDIR(m->i.mode)) d->i.nlink++;
    memfs_touch(d, true);
  }
  return r;
}

/* Checks that come first in every call that makes a name. */
static int may_add(struct memfs_inode *d, const char *name, u32 bytes) {
  if (!d->i.nlink) return -ENOENT; /* the directory itself was removed */
  int r = memfs_dir_reserve(d, 1);
  if (r) return r;
  return memfs_dir_find(d, name, bytes, name_hash(name, bytes)) ? -EEXIST : 0;
}

int memfs_create(struct inode *dir, const char *name, u32 bytes, u32 mode, u32 uid, u32 gid, u64 rdev, struct inode **out) {
  struct memfs_inode *d = memfs_of(dir);
  int r = may_add(d, name, bytes);
  if (r) return r;
  struct memfs_inode *m = memfs_inode_make(memfs_fs(d), mode, uid, gid, rdev, d);
  if (!m) return -ENOSPC;
  if ((r = add_new(d, name, bytes, m))) {
    m->i.nlink = 0;
    inode_put(&m->i);
    return r;
  }
  if (out)
    *out = &m->i;
  else
    inode_put(&m->i);
  return 0;
}

int memfs_symlink(struct inode *dir, const char *name, u32 bytes, const char *target, u32 uid, u32 gid) {
  struct inode *made;
  char *copy = kstrdup(target);
  if (!copy) return -ENOMEM;
  int r = memfs_create(dir, name, bytes, S_IFLNK | 0777, uid, gid, 0, &made);
  if (r) {
    kfree(copy);
    return r;
  }
  memfs_of(made)->target = copy;
  made->size = strlen(copy);
  inode_put(made);
  return 0;
}

int memfs_link(struct inode *dir, const char *name, u32 bytes, struct inode *target) {
  struct memfs_inode *d = memfs_of(dir), *m = memfs_of(target);
  if (S_ISDIR(target->mode)) return -EPERM;
  int r = may_add(d, name, bytes);
  if (r) return r;
  if ((r = add_new(d, name, bytes, m))) return r;
  target->nlink++;
  memfs_touch(m, false);
  return 0;
}

static void drop_links(struct memfs_inode *d, struct memfs_inode *m) {
  if (S_ISDIR(m->i.mode)) {
    m->i.nlink = 0, m->dir.parent = NULL;
    d->i.nlink--;
  } else {
    m->i.nlink--;
  }
  memfs_touch(m, false);
}

int memfs_unlink(struct inode *dir, const char *name, u32 bytes, bool want_dir) {
  struct memfs_inode *d = memfs_of(dir), *m;
  u32 hash = name_hash(name, bytes);
  int r = child_find(d, name, bytes, hash, &m);
  if (r) return r;
  bool is_dir = S_ISDIR(m->i.mode);
  if (want_dir != is_dir)
    r = want_dir ? -ENOTDIR : -EISDIR;
  else if (is_dir && !memfs_dir_empty(m))
    r = -ENOTEMPTY;
  else if (!(r = memfs_dir_own(d))) {
    memfs_dir_remove(d, memfs_dir_find(d, name, bytes, hash));
    drop_links(d, m);
    memfs_touch(d, true);
  }
  inode_put(&m->i);
  return r;
}

static bool is_ancestor(const struct memfs_inode *m, const struct memfs_inode *of) {
  for (;; of = of->dir.parent) {
    if (of == m) return true;
    if (!of->dir.parent || of->dir.parent == of) return false;
  }
}

static int rename_checked(struct memfs_inode *od, const char *oname, u32 obytes, struct memfs_inode *nd, const char *nname,
                          u32 nbytes, u32 flags, struct memfs_inode *src, struct memfs_inode *dst) {
  u32 ohash = name_hash(oname, obytes), nhash = name_hash(nname, nbytes);
  bool exchange = flags & RENAME_EXCHANGE, src_dir = S_ISDIR(src->i.mode), dst_dir = dst && S_ISDIR(dst->i.mode);
  if (exchange && !dst) return -ENOENT;
  if (dst && (flags & RENAME_NOREPLACE)) return -EEXIST;
  if (src_dir && is_ancestor(src, nd)) return -EINVAL;
  if (dst_dir && is_ancestor(dst, od)) return exchange ? -EINVAL : -ENOTEMPTY;
  if (src == dst) return 0;
  if (dst && !exchange) {
    if (src_dir && !dst_dir) return -ENOTDIR;
    if (!src_dir && dst_dir) return -EISDIR;
    if (dst_dir && !memfs_dir_empty(dst)) return -ENOTEMPTY;
  }
  int r = memfs_dir_own(od);
  if (!r) r = memfs_dir_reserve(nd, 1);
  if (r) return r;
  if (dst) {
    struct memfs_entry *oe = memfs_dir_find(od, oname, obytes, ohash), *ne = memfs_dir_find(nd, nname, nbytes, nhash);
    void *child = ne->child;
    bool is_frozen = ne->is_frozen;
    ne->child = oe->child, ne->is_frozen = oe->is_frozen;
    if (exchange) {
      oe->child = child, oe->is_frozen = is_frozen;
      if (dst_dir) dst->dir.parent = od, nd->i.nlink--, od->i.nlink++;
      memfs_touch(dst, false);
    } else {
      drop_links(nd, dst);
      memfs_dir_remove(od, oe);
    }
  } else {
    struct memfs_entry *oe = memfs_dir_find(od, oname, obytes, ohash);
    u32 at = (u32)(oe - od->dir.entries);
    if ((r = memfs_dir_add(nd, nname, nbytes, nhash, oe->child, oe->is_frozen, true))) return r;
    memfs_dir_remove(od, &od->dir.entries[at]);
  }
  if (src_dir) src->dir.parent = nd, od->i.nlink--, nd->i.nlink++;
  memfs_touch(src, false);
  memfs_touch(od, true);
  if (nd != od) memfs_touch(nd, true);
  return 0;
}

int memfs_rename(struct inode *old_dir, const char *old_name, u32 old_bytes, struct inode *new_dir, const char *new_name,
                 u32 new_bytes, u32 flags) {
  struct memfs_inode *od = memfs_of(old_dir), *nd = memfs_of(new_dir), *src, *dst = NULL;
  if (!nd->i.nlink) return -ENOENT;
  int r = child_find(od, old_name, old_bytes, name_hash(old_name, old_bytes), &src);
  if (r) return r;
  r = child_find(nd, new_name, new_bytes, name_hash(new_name, new_bytes), &dst);
  if (r == -ENOENT) r = 0, dst = NULL;
  if (!r) r = rename_checked(od, old_name, old_bytes, nd, new_name, new_bytes, flags, src, dst);
  inode_put(&src->i);
  if (dst) inode_put(&dst->i);
  return r;
}
