/* layer: applying a layer's index and blob to a root's frozen tree. Called by kernel/host.
 *
 * Everything is checked before anything is touched: ranges of strings and bodies, path shapes, types, duplicates,
 * parents, hard link targets. Then room is reserved, so that what follows cannot fail: all or nothing. A refusal names
 * the entry's path in the log. A character device 0:0 removes the name below (a whiteout); directories merge; anything
 * else replaces. The format is layouts.toml's layer_header and layer_entry. Missing: opaque directories. */
#include "root.h"

struct layer {
  const struct layer_header *header;
  const struct layer_entry *entries;
  const char *strings;
  u8 *blob;
  u64 blob_bytes;
  struct frozen_tree *tree;
  struct lazy_blob *lazy; /* or NULL: all bodies are here */
  u32 count, table_size;
  u32 *table;             /* path -> entry + 1, open addressing */
  struct frozen **nodes;  /* by entry, while applying */
};

static const char *path_of(const struct layer *l, u32 i) { return l->strings + l->entries[i].path; }

static int refuse(const struct layer *l, u32 i, const char *why) {
  const struct layer_entry *e = &l->entries[i];
  bool printable = (u64)e->path + e->path_bytes <= l->header->strings_bytes && e->path_bytes < PATH_BYTES;
  klog("layer refused: entry %u, %.*s: %s", i, printable ? (int)e->path_bytes : 0, printable ? path_of(l, i) : "", why);
  return -EINVAL;
}

/* Entry with this path + 1, or 0. */
static u32 layer_find(const struct layer *l, const char *path, u32 bytes) {
  for (u32 slot = name_hash(path, bytes) & (l->table_size - 1); l->table[slot]; slot = (slot + 1) & (l->table_size - 1)) {
    u32 i = l->table[slot] - 1;
    if (l->entries[i].path_bytes == bytes && !memcmp(path_of(l, i), path, bytes)) return i + 1;
  }
  return 0;
}

static void layer_insert(struct layer *l, u32 i) {
  u32 slot = name_hash(path_of(l, i), l->entries[i].path_bytes) & (l->table_size - 1);
  while (l->table[slot]) slot = (slot + 1) & (l->table_size - 1);
  l->table[slot] = i + 1;
}

static bool in_strings(const struct layer *l, u32 offset, u32 bytes) { return (u64)offset + bytes <= l->header->strings_bytes; }

/* Relative, no empty, "." or ".." components, no NUL, names of at most 255 bytes. */
static bool path_shape_ok(const char *p, u32 bytes) {
  if (!bytes || bytes >= PATH_BYTES || memchr(p, 0, bytes)) return false;
  for (u32 i = 0; i <= bytes;) {
    u32 n = 0;
    while (i + n < bytes && p[i + n] != '/') n++;
    if (!n || n > NAME_BYTES || (p[i] == '.' && (n == 1 || (n == 2 && p[i + 1] == '.')))) return false;
    i += n + 1;
  }
  return true;
}

static u32 parent_bytes(const char *path, u32 bytes) {
  while (bytes && path[bytes - 1] != '/') bytes--;
  return bytes ? bytes - 1 : 0;
}

static struct frozen *tree_find(const struct frozen_tree *t, const char *path, u32 bytes) {
  struct frozen *at = t->root;
  for (u32 i = 0; i < bytes;) {
    u32 n = 0;
    while (i + n < bytes && path[i + n] != '/') n++;
    struct frozen_entry *e = S_ISDIR(at->mode) ? frozen_find(t, at, path + i, n, name_hash(path + i, n)) : NULL;
    if (!e) return NULL;
    at = e->node;
    i += n + 1;
  }
  return at;
}

static bool is_whiteout(const struct layer_entry *e) { return S_ISCHR(e->mode) && !e->rdev; }

/* Will `path` be a directory when the entries before `limit` have been applied? */
static bool is_directory_then(const struct layer *l, const char *path, u32 bytes, u32 limit) {
  u32 found = bytes ? layer_find(l, path, bytes) : 0;
  if (!bytes || found) return !found || (found - 1 < limit && S_ISDIR(l->entries[found - 1].mode));
  const struct frozen *at = l->tree->root; /* not in this layer: every step down to it must be one and stay one */
  for (u32 start = 0, end; start < bytes; start = end + 1) {
    for (end = start; end < bytes && path[end] != '/'; end++) {}
    if ((found = layer_find(l, path, end)) && !S_ISDIR(l->entries[found - 1].mode)) return false;
    struct frozen_entry *e = frozen_find(l->tree, at, path + start, end - start, name_hash(path + start, end - start));
    if (!e || !S_ISDIR(e->node->mode)) return false;
    at = e->node;
  }
  return true;
}

static int check_entry(const struct layer *l, u32 i) {
  const struct layer_entry *e = &l->entries[i];
  const char *path = path_of(l, i);
  if (!in_strings(l, e->path, e->path_bytes)) return refuse(l, i, "path outside of the strings");
  if (!path_shape_ok(path, e->path_bytes)) return refuse(l, i, "not a plain relative path");
  if (layer_find(l, path, e->path_bytes)) return refuse(l, i, "named twice");
  if (e->mode & ~(u32)(S_IFMT | 07777)) return refuse(l, i, "unknown mode bits");
  if (e->mtime_nsec > 999999999) return refuse(l, i, "nanoseconds out of range");
  if (e->link_bytes && !in_strings(l, e->link, e->link_bytes)) return refuse(l, i, "link outside of the strings");
  const char *link = e->link_bytes ? l->strings + e->link : "";
  switch (e->mode & S_IFMT) {
  case S_IFREG:
    if (e->size > FILE_MAX_BYTES || e->offset > l->blob_bytes || e->size > l->blob_bytes - e->offset)
      return refuse(l, i, "body outside of the blob");
    break;
  case S_IFLNK:
    if (!e->link_bytes || e->link_bytes >= PATH_BYTES || memchr(link, 0, e->link_bytes)) return refuse(l, i, "bad link target");
    break;
  case 0: {
    u32 target = e->link_bytes ? layer_find(l, link, e->link_bytes) : 0;
    u32 type = target ? l->entries[target - 1].mode & S_IFMT : 0;
    if (!type || type == S_IFDIR || is_whiteout(&l->entries[target - 1])) return refuse(l, i, "hard link to no earlier file");
    break;
  }
  case S_IFDIR:
  case S_IFCHR:
  case S_IFBLK:
  case S_IFIFO:
  case S_IFSOCK: break;
  default: return refuse(l, i, "unknown file type");
  }
  u32 parent = parent_bytes(path, e->path_bytes);
  if (!is_directory_then(l, path, parent, i)) return refuse(l, i, "no directory to stand in");
  return 0;
}

static u64 room_for(const struct layer_entry *e) {
  u32 links = (e->mode & S_IFMT) == S_IFLNK ? frozen_cut_bytes(e->link_bytes + 1) : 0;
  u32 name = frozen_cut_bytes(MIN(NAME_BYTES + 1, e->path_bytes));
  return (u64)frozen_cut_bytes(sizeof(struct frozen)) + frozen_cut_bytes(sizeof(struct frozen_entry)) + name + links;
}

static void apply_entry(struct layer *l, u32 i) {
  const struct layer_entry *e = &l->entries[i];
  const char *path = path_of(l, i);
  u32 parent = parent_bytes(path, e->path_bytes), at = parent ? parent + 1 : 0, bytes = e->path_bytes - at;
  u32 found = parent ? layer_find(l, path, parent) : 0;
  struct frozen *dir = found ? l->nodes[found - 1] : tree_find(l->tree, path, parent);
  struct frozen_entry *there = frozen_find(l->tree, dir, path + at, bytes, name_hash(path + at, bytes));
  if (is_whiteout(e)) {
    if (there) frozen_set(l->tree, dir, there->name, bytes, NULL);
    return;
  }
  struct frozen *n;
  bool merged = S_ISDIR(e->mode) && there && S_ISDIR(there->node->mode);
  if ((e->mode & S_IFMT) == 0) {
    n = l->nodes[layer_find(l, l->strings + e->link, e->link_bytes) - 1];
  } else {
    n = merged ? there->node : frozen_node(l->tree, e->mode);
    n->mode = e->mode, n->uid = e->uid, n->gid = e->gid, n->mtime = e->mtime, n->mtime_nsec = e->mtime_nsec;
    if (S_ISREG(e->mode)) {
      n->size = e->size, n->body = l->blob + e->offset, n->lazy = l->lazy;
    } else if (S_ISLNK(e->mode)) {
      char *target = frozen_cut(l->tree, e->link_bytes + 1);
      memcpy(target, l->strings + e->link, e->link_bytes);
      n->target = target, n->size = e->link_bytes;
    } else if (S_ISCHR(e->mode) || S_ISBLK(e->mode)) {
      n->rdev = e->rdev;
    }
  }
  l->nodes[i] = n;
  if (merged) {
    frozen_attributes_changed(l->tree, n);
    return;
  }
  const char *name = there ? there->name : NULL;
  if (!name) {
    char *copy = frozen_cut(l->tree, bytes);
    memcpy(copy, path + at, bytes);
    name = copy;
  }
  frozen_set(l->tree, dir, name, bytes, n);
}

/* Live trees over this one take in new names and keep what they changed: get them room for it beforehand. */
static int prepare_live(const struct layer *l) {
  for (u32 pass = 0; pass < 2; pass++)
    for (u32 i = 0; i < l->count; i++) {
      const char *path = path_of(l, i);
      u32 bytes = l->entries[i].path_bytes, parent = parent_bytes(path, bytes), at = parent ? parent + 1 : 0;
      struct frozen *dir = tree_find(l->tree, path, parent);
      if (!dir || !S_ISDIR(dir->mode)) continue;
      struct frozen_entry *there = frozen_find(l->tree, dir, path + at, bytes - at, name_hash(path + at, bytes - at));
      LIST_FOR(fs, &l->tree->users, struct memfs, tree_link) {
        struct memfs_inode *d = memfs_shadow_find(fs, dir), *m = there ? memfs_shadow_find(fs, there->node) : NULL;
        if (!d) continue;
        int r = m && m->changed ? memfs_dir_own(d) : 0;
        if (!r && d->dir.own) {
          if (!pass)
            d->dir.wanted++;
          else if (d->dir.wanted)
            r = memfs_dir_reserve(d, d->dir.wanted), d->dir.wanted = 0;
        }
        if (r && pass) return r; /* counts left behind only make the next call reserve more */
      }
    }
  return 0;
}

static int check_header(struct layer *l, const void *index, u32 index_bytes) {
  const struct layer_header *h = index;
  const char *why = NULL;
  if (index_bytes < sizeof *h)
    why = "index shorter than its header";
  else if (h->magic != LAYER_MAGIC)
    why = "not a layer";
  else if (h->version != LAYER_VERSION)
    why = "another version of the format";
  else if ((u64)sizeof *h + (u64)h->entries * sizeof(struct layer_entry) + h->strings_bytes > index_bytes)
    why = "index shorter than it says";
  else if (h->blob_bytes > l->blob_bytes)
    why = "blob shorter than the index says";
  else if (h->entries > 0x1000000u)
    why = "too many entries";
  if (why) {
    klog("layer refused: %s", why);
    return -EINVAL;
  }
  l->header = h, l->count = h->entries;
  l->entries = (const struct layer_entry *)(h + 1);
  l->strings = (const char *)(l->entries + l->count);
  l->blob_bytes = h->blob_bytes;
  return 0;
}

int layer_apply(u32 root, const void *index, u32 index_bytes, u8 *blob, u64 blob_bytes, u32 lazy_shift) {
  struct memfs *fs = root_memfs(root);
  if (!fs || ((uintptr_t)index & 7)) return -EINVAL;
  struct layer l = {.blob = blob, .blob_bytes = blob_bytes, .tree = fs->tree};
  int r = check_header(&l, index, index_bytes);
  if (r) return r;
  l.table_size = 16;
  while (l.table_size < l.count * 2) l.table_size *= 2;
  l.table = kzalloc((size_t)l.table_size * sizeof *l.table);
  l.nodes = kzalloc(MAX(l.count, 1u) * sizeof *l.nodes);
  struct frozen_blob *keep = kzalloc(sizeof *keep);
  u64 room = 0;
  if (!l.table || !l.nodes || !keep) r = -ENOMEM;
  for (u32 i = 0; !r && i < l.count; i++) {
    if ((r = check_entry(&l, i))) break;
    layer_insert(&l, i);
    room += room_for(&l.entries[i]);
  }
  if (!r && !frozen_reserve(l.tree, l.count, room)) r = -ENOMEM;
  if (!r) r = prepare_live(&l);
  if (!r && lazy_shift && !(l.lazy = lazy_blob_new(blob, blob_bytes, lazy_shift))) r = -ENOMEM;
  if (!r) {
    for (u32 i = 0; i < l.count; i++) apply_entry(&l, i);
    u32 pages = (u32)MAX((blob_bytes + PAGE_BYTES - 1) / PAGE_BYTES, 1ull); /* as tk_blob_alloc gave them */
    *keep = (struct frozen_blob){.next = l.tree->blobs, .bytes = blob, .pages = pages, .lazy = l.lazy};
    l.tree->blobs = keep;
    keep = NULL;
    if (l.lazy) r = (int)lazy_blob_id(l.lazy);
  }
  kfree(l.table);
  kfree(l.nodes);
  kfree(keep);
  return r;
}
