/* memfs: superblock, inodes and shadows of the in-memory file system; design in memfs.h. Directories are in
 * memfs_dir.c, file bodies in memfs_data.c. Follows tmpfs(5) where it has a say: ENOSPC by blocks and by inodes.
 * Missing: quotas of users, renameat2's RENAME_WHITEOUT. */
#include "journal.h"

/* ---- shadows by base ---- */
static u32 shadow_slot(const struct frozen *base, u32 size) {
  uintptr_t a = (uintptr_t)base >> 3;
  return (u32)(a ^ (a >> 9)) & (size - 1);
}

static bool shadow_table_grow(struct memfs *fs) {
  u32 size = fs->shadows_size ? fs->shadows_size * 4 : 64;
  struct memfs_inode **table = kzalloc(size * sizeof *table);
  if (!table) return fs->shadows_size != 0; /* longer chains will do */
  for (u32 i = 0; i < fs->shadows_size; i++)
    for (struct memfs_inode *m = fs->shadows[i], *next; m; m = next) {
      next = m->hash_next;
      u32 slot = shadow_slot(m->base, size);
      m->hash_next = table[slot], table[slot] = m;
    }
  kfree(fs->shadows);
  fs->shadows = table, fs->shadows_size = size;
  return true;
}

static void shadow_insert(struct memfs *fs, struct memfs_inode *m) {
  u32 slot = shadow_slot(m->base, fs->shadows_size);
  m->hash_next = fs->shadows[slot], fs->shadows[slot] = m;
  m->hashed = true, fs->shadow_count++;
}

struct memfs_inode *memfs_shadow_find(struct memfs *fs, const struct frozen *base) {
  if (!fs->shadows_size) return NULL;
  for (struct memfs_inode *m = fs->shadows[shadow_slot(base, fs->shadows_size)]; m; m = m->hash_next)
    if (m->base == base) return m;
  return NULL;
}

static void shadow_remove(struct memfs *fs, struct memfs_inode *m) {
  struct memfs_inode **p = &fs->shadows[shadow_slot(m->base, fs->shadows_size)];
  while (*p != m) p = &(*p)->hash_next;
  *p = m->hash_next;
  m->hashed = false, fs->shadow_count--;
}

/* ---- inodes ---- */
static void idle_leave(struct memfs *fs, struct memfs_inode *m) {
  if (list_empty(&m->idle)) return;
  list_remove(&m->idle);
  fs->idle_count--;
}

void memfs_ref(struct memfs_inode *m) {
  if (m->i.refs++ == 0) idle_leave(memfs_fs(m), m);
}

static void memfs_free(struct memfs_inode *m) {
  struct memfs *fs = memfs_fs(m);
  idle_leave(fs, m);
  list_remove(&m->dirty), list_remove(&m->renamed);
  if (m->shared_pages) fs->shared_count--;
  if (m->hashed) shadow_remove(fs, m);
  list_remove(&m->link);
  if (!m->base) fs->sb.inodes_used--;
  if (S_ISDIR(m->i.mode))
    memfs_dir_free(m);
  else if (S_ISREG(m->i.mode))
    memfs_pages_free(m, 0);
  else if (S_ISLNK(m->i.mode) && !m->base)
    kfree(m->target);
  inode_free(&m->i);
}

static void memfs_last_put(struct inode *ino) {
  struct memfs_inode *m = memfs_of(ino);
  struct memfs *fs = memfs_fs(m);
  if (!ino->nlink) {
    memfs_free(m);
    return;
  }
  if (UNLIKELY(m->shared_pages)) memfs_pages_unshare(m); /* a mapping would hold a reference */
  if (!m->base || m->changed || S_ISDIR(ino->mode) || ino->mounted) return;
  list_add_tail(&fs->idle, &m->idle);
  if (++fs->idle_count > MEMFS_IDLE_SHADOWS) memfs_free(CONTAINER_OF(fs->idle.next, struct memfs_inode, idle));
}

static struct memfs_inode *memfs_alloc(struct memfs *fs, u32 mode, struct memfs_inode *parent) {
  struct memfs_inode *m = kzalloc(sizeof *m);
  if (!m) return NULL;
  inode_init(&m->i, &fs->sb, mode);
  m->i.ops = &memfs_ops;
  list_init(&m->idle), list_init(&m->dirty), list_init(&m->renamed);
  list_add_tail(&fs->inodes, &m->link);
  if (S_ISDIR(mode)) {
    m->i.size = DIRECTORY_BYTES, m->i.blocks_512 = DIRECTORY_BYTES / 512;
    m->dir.parent = parent ? parent : m, m->dir.next_cookie = 1;
  }
  m->i.fops = S_ISREG(mode) ? &memfs_file_ops : NULL;
  return m;
}

struct memfs_inode *memfs_shadow(struct memfs *fs, struct frozen *base, struct memfs_inode *parent) {
  struct memfs_inode *m = memfs_shadow_find(fs, base);
  if (m) {
    memfs_ref(m);
    return m;
  }
  if (fs->shadow_count >= fs->shadows_size * 2 && !shadow_table_grow(fs)) return NULL;
  u64 next_ino = fs->sb.next_ino;
  if (!(m = memfs_alloc(fs, base->mode, parent))) return NULL;
  fs->sb.next_ino = next_ino; /* it has its base's number */
  m->base = base;
  m->i.uid = base->uid, m->i.gid = base->gid, m->i.nlink = base->nlink, m->i.rdev = base->rdev, m->i.ino = base->ino;
  m->i.mtime = (struct timespec64){base->mtime, (i32)base->mtime_nsec};
  m->i.atime = m->i.ctime = m->i.btime = m->i.mtime;
  if (S_ISREG(base->mode)) {
    m->i.size = m->file.base_bytes = base->size;
    m->i.blocks_512 = (base->size + PAGE_BYTES - 1) / PAGE_BYTES * (PAGE_BYTES / 512);
  } else if (S_ISLNK(base->mode)) {
    m->i.size = base->size;
  }
  shadow_insert(fs, m);
  return m;
}

struct memfs_inode *memfs_inode_make(struct memfs *fs, u32 mode, u32 uid, u32 gid, u64 rdev, struct memfs_inode *parent) {
  if (fs->sb.inodes_limit && fs->sb.inodes_used >= fs->sb.inodes_limit) return NULL;
  struct memfs_inode *m = memfs_alloc(fs, mode, parent);
  if (!m) return NULL;
  fs->sb.inodes_used++;
  m->i.uid = uid, m->i.gid = gid, m->i.rdev = rdev;
  if (S_ISDIR(mode)) m->i.nlink = 2, m->dir.own = true;
  if (S_ISREG(mode)) m->file.kept = ~0ull;
  memfs_mark(m);
  return m;
}

void memfs_adopt(struct memfs_inode *m, struct frozen *base) {
  struct memfs *fs = memfs_fs(m);
  if (!fs->shadows_size && !shadow_table_grow(fs)) return;
  m->base = base; /* it stays its own: only names that come later are added */
  fs->sb.inodes_used--;
  shadow_insert(fs, m);
}

void memfs_touch(struct memfs_inode *m, bool data) {
  m->i.ctime = time_now();
  if (data) m->i.mtime = m->i.ctime;
  memfs_mark(m);
}

static void memfs_changed(struct inode *ino) { memfs_mark(memfs_of(ino)); }

static i64 memfs_readlink(struct inode *ino, char *buf, u32 bytes) {
  struct memfs_inode *m = memfs_of(ino);
  const char *target = m->base ? m->base->target : m->target;
  u32 n = (u32)MIN(ino->size, (u64)bytes);
  memcpy(buf, target, n);
  return n;
}

static int memfs_tmpfile(struct inode *dir, u32 mode, u32 uid, u32 gid, struct inode **out) {
  struct memfs *fs = memfs_fs(memfs_of(dir));
  struct memfs_inode *m = memfs_inode_make(fs, mode, uid, gid, 0, NULL);
  if (!m) return -ENOSPC;
  m->i.nlink = 0;
  *out = &m->i;
  return 0;
}

const struct inode_ops memfs_ops = {
    .lookup = memfs_lookup,
    .create = memfs_create,
    .symlink = memfs_symlink,
    .link = memfs_link,
    .unlink = memfs_unlink,
    .rename = memfs_rename,
    .readdir = memfs_readdir,
    .tmpfile = memfs_tmpfile,
    .readlink = memfs_readlink,
    .page = memfs_page,
    .truncate = memfs_truncate,
    .fallocate = memfs_fallocate,
    .changed = memfs_changed,
    .keeps_xattrs = true,
    .last_put = memfs_last_put,
};

bool inode_is_memfs(const struct inode *ino) { return ino->ops == &memfs_ops; }

/* ---- superblocks ---- */
void memfs_unwatch(struct superblock *sb) {
  struct memfs *fs = CONTAINER_OF(sb, struct memfs, sb);
  while (sb->watched) {
    LIST_FOR(m, &fs->inodes, struct memfs_inode, link) if (m->i.watches) {
      inode_watches_unmount(&m->i); /* it may be the last to refer to the inode: start anew */
      break;
    }
  }
}

void memfs_kill(struct superblock *sb) {
  struct memfs *fs = CONTAINER_OF(sb, struct memfs, sb);
  kassert(sb->dying);
  journal_end(fs);
  sb->live_inodes++; /* so that the last inode_free() leaves the superblock to us */
  while (!list_empty(&fs->inodes)) memfs_free(CONTAINER_OF(fs->inodes.next, struct memfs_inode, link));
  kfree(fs->shadows);
  if (fs->tree) {
    list_remove(&fs->tree_link);
    frozen_tree_put(fs->tree);
  }
  sb->live_inodes--, sb->root = NULL;
}

struct memfs *memfs_over(const char *type, struct frozen_tree *tree, u64 limit_blocks) {
  struct memfs *fs = kzalloc(sizeof *fs);
  if (!fs) return NULL;
  superblock_init(&fs->sb, type, TMPFS_MAGIC);
  list_init(&fs->inodes), list_init(&fs->idle), list_init(&fs->tree_link);
  fs->sb.kill = memfs_kill;
  fs->sb.next_ino = tree ? LOCAL_INO_FIRST : 1;
  fs->sb.blocks_limit = limit_blocks ? limit_blocks : MEMFS_LIMIT_BLOCKS, fs->sb.inodes_limit = MEMFS_LIMIT_INODES;
  struct memfs_inode *root = tree ? memfs_shadow(fs, tree->root, NULL) : memfs_inode_make(fs, S_IFDIR | 0755, 0, 0, 0, NULL);
  if (!root) {
    kfree(fs->shadows);
    kfree(fs);
    return NULL;
  }
  if (tree) {
    fs->tree = tree, tree->refs++;
    list_add_tail(&tree->users, &fs->tree_link);
  }
  fs->sb.root = &root->i;
  return fs;
}

struct superblock *memfs_new(const char *type, u64 limit_blocks) {
  struct memfs *fs = memfs_over(type, NULL, limit_blocks);
  return fs ? &fs->sb : NULL;
}

u64 memfs_references(const struct memfs *fs) {
  u64 n = 0;
  LIST_FOR(m, &fs->inodes, struct memfs_inode, link) n += m->i.refs;
  return n;
}
