/* frozen: the tree that layers make: nodes, names and the table that finds them. See memfs.h.
 *
 * Nodes, names and strings are cut from chunks and live as long as the tree: a replaced file may still be open
 * somewhere. Only layer.c and root.c change a tree; live writable trees over it are told by frozen_set(). */
#include "memfs.h"

#define TABLE_START 64u

u32 frozen_cut_bytes(u32 bytes) { return ALIGN_UP(bytes, 8u); }

void *frozen_cut(struct frozen_tree *t, u32 bytes) {
  bytes = frozen_cut_bytes(bytes);
  kassert((size_t)(t->cut_end - t->cut) >= bytes);
  void *p = t->cut;
  t->cut += bytes;
  memset(p, 0, bytes);
  return p;
}

bool frozen_reserve(struct frozen_tree *t, u32 entries, u64 bytes) {
  u32 size = t->table_size ? t->table_size : TABLE_START;
  while (size < t->entry_count + entries) size *= 2;
  if (size != t->table_size) {
    struct frozen_entry **table = kzalloc(size * sizeof *table);
    if (!table) return false;
    for (u32 i = 0; i < t->table_size; i++)
      for (struct frozen_entry *e = t->table[i], *next; e; e = next) {
        next = e->hash_next;
        u32 slot = (e->hash ^ (u32)e->dir->ino * 2654435761u) & (size - 1);
        e->hash_next = table[slot], table[slot] = e;
      }
    kfree(t->table);
    t->table = table, t->table_size = size;
  }
  if ((u64)(t->cut_end - t->cut) >= bytes) return true;
  u64 pages = (bytes + sizeof(struct frozen_chunk) + 8 + PAGE_BYTES - 1) / PAGE_BYTES;
  struct frozen_chunk *chunk = pages < 0x80000 ? kpages_alloc((u32)pages) : NULL;
  if (!chunk) return false;
  chunk->next = t->chunks, chunk->pages = (u32)pages, t->chunks = chunk;
  t->cut = (u8 *)chunk + ALIGN_UP(sizeof *chunk, 8), t->cut_end = (u8 *)chunk + pages * PAGE_BYTES;
  return true;
}

struct frozen *frozen_node(struct frozen_tree *t, u32 mode) {
  struct frozen *n = frozen_cut(t, sizeof *n);
  n->mode = mode, n->ino = t->next_ino++;
  n->next_cookie = 1;
  if (S_ISDIR(mode)) n->nlink = 2;
  return n;
}

struct frozen_tree *frozen_tree_new(void) {
  struct frozen_tree *t = kzalloc(sizeof *t);
  if (!t) return NULL;
  t->refs = 1, t->next_ino = 1;
  list_init(&t->users);
  if (!frozen_reserve(t, TABLE_START, frozen_cut_bytes(sizeof(struct frozen)))) {
    kfree(t->table);
    kfree(t);
    return NULL;
  }
  struct timespec64 now = time_now();
  t->root = frozen_node(t, S_IFDIR | 0755);
  t->root->parent = t->root, t->root->mtime = now.sec, t->root->mtime_nsec = (u32)now.nsec;
  return t;
}

void frozen_tree_put(struct frozen_tree *t) {
  if (!t || --t->refs) return;
  for (struct frozen_blob *b = t->blobs, *next; b; b = next) {
    next = b->next;
    lazy_blob_free(b->lazy);
    if (b->bytes) kpages_free(b->bytes, b->pages);
    kfree(b);
  }
  for (struct frozen_chunk *c = t->chunks, *next; c; c = next) {
    next = c->next;
    kpages_free(c, c->pages);
  }
  kfree(t->table);
  kfree(t);
}

static struct frozen_entry **bucket(const struct frozen_tree *t, const struct frozen *dir, u32 hash) {
  return &t->table[(hash ^ (u32)dir->ino * 2654435761u) & (t->table_size - 1)];
}

struct frozen_entry *frozen_find(const struct frozen_tree *t, const struct frozen *dir, const char *name, u32 bytes, u32 hash) {
  for (struct frozen_entry *e = *bucket(t, dir, hash); e; e = e->hash_next)
    if (e->dir == dir && e->hash == hash && e->bytes == bytes && !memcmp(e->name, name, bytes)) return e;
  return NULL;
}

/* ---- changes, and how live trees follow ---- */

/* Writable trees that changed what `e` names, but borrow the directory's names, must keep theirs. */
static void pin_changed(struct frozen_tree *t, struct frozen_entry *e) {
  LIST_FOR(fs, &t->users, struct memfs, tree_link) {
    struct memfs_inode *child = memfs_shadow_find(fs, e->node), *dir = memfs_shadow_find(fs, e->dir);
    if (child && child->changed && dir && !dir->dir.own && memfs_dir_own(dir))
      klog("layer: no memory to keep a changed file of a live root: %.*s", (int)e->bytes, e->name);
  }
}

static void sync_one(struct memfs *fs, struct frozen *dir, const char *name, u32 bytes, u32 hash, struct frozen *node) {
  struct memfs_inode *d = memfs_shadow_find(fs, dir);
  if (!d) return;
  bool node_is_dir = node && S_ISDIR(node->mode);
  if (!d->dir.own) {
    if (!d->changed) d->i.nlink = dir->nlink;
    return;
  }
  struct memfs_entry *e = memfs_dir_find(d, name, bytes, hash);
  if (!e) {
    if (!node) return;
    if (memfs_dir_add(d, name, bytes, hash, node, true, false))
      klog("layer: no memory to show %.*s in a live root", (int)bytes, name);
    else if (node_is_dir)
      d->i.nlink++;
    return;
  }
  if (!e->is_frozen) { /* made here: a directory takes the layer's in, anything else stays */
    struct memfs_inode *local = e->child;
    if (node_is_dir && S_ISDIR(local->i.mode) && !local->base) memfs_adopt(local, node);
    return;
  }
  struct frozen *old = e->child;
  struct memfs_inode *shadow = memfs_shadow_find(fs, old);
  if (old == node || (shadow && shadow->changed)) return;
  if (S_ISDIR(old->mode)) d->i.nlink--;
  if (!node) {
    memfs_dir_remove(d, e);
    return;
  }
  e->child = node;
  if (node_is_dir) d->i.nlink++;
}

void frozen_set(struct frozen_tree *t, struct frozen *dir, const char *name, u32 bytes, struct frozen *node) {
  u32 hash = name_hash(name, bytes);
  struct frozen_entry *e = frozen_find(t, dir, name, bytes, hash);
  if (e) {
    pin_changed(t, e);
    if (S_ISDIR(e->node->mode))
      dir->nlink--;
    else
      e->node->nlink--;
  }
  if (!e && node) {
    struct frozen_entry **slot = bucket(t, dir, hash);
    e = frozen_cut(t, sizeof *e);
    *e = (struct frozen_entry){.name = name, .bytes = bytes, .hash = hash, .dir = dir, .cookie = dir->next_cookie++};
    e->hash_next = *slot, *slot = e;
    e->prev = dir->last;
    if (dir->last)
      dir->last->next = e;
    else
      dir->first = e;
    dir->last = e;
    dir->children++, t->entry_count++;
  }
  if (node) {
    e->node = node;
    if (S_ISDIR(node->mode))
      dir->nlink++, node->parent = dir;
    else
      node->nlink++;
  } else if (e) {
    struct frozen_entry **slot = bucket(t, dir, hash);
    while (*slot != e) slot = &(*slot)->hash_next;
    *slot = e->hash_next;
    if (e->prev)
      e->prev->next = e->next;
    else
      dir->first = e->next;
    if (e->next)
      e->next->prev = e->prev;
    else
      dir->last = e->prev;
    dir->children--, t->entry_count--;
  }
  LIST_FOR(fs, &t->users, struct memfs, tree_link) sync_one(fs, dir, name, bytes, hash, node);
}

void frozen_attributes_changed(struct frozen_tree *t, struct frozen *node) {
  LIST_FOR(fs, &t->users, struct memfs, tree_link) {
    struct memfs_inode *m = memfs_shadow_find(fs, node);
    if (!m || m->changed) continue;
    m->i.mode = node->mode, m->i.uid = node->uid, m->i.gid = node->gid;
    m->i.mtime = m->i.ctime = (struct timespec64){node->mtime, (i32)node->mtime_nsec};
  }
}
