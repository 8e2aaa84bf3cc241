/* mount: what is mounted where. One list of mounts per root, in mount order; an inode knows what covers it
 * (inode->mounted), a superblock knows where it is (mountpoint). Called by root.c, sys/, tty and procfs.
 * Follows mount(2), umount(2). Missing: mount namespaces, propagation, MS_MOVE; one superblock is mounted once. A bind
 * mount is a nameless superblock that points at somebody else's directory: ".." in it leads to where that stands. */
#include "root.h"

static u32 next_mount_id = 20;

static struct superblock *root_superblock(struct superblock *sb) { return sb->root_sb ? sb->root_sb : sb; }

/* A bind mount's superblock owns nothing: it holds a reference on another file system's inode. */
static bool is_bind(const struct superblock *sb) { return sb->covered; }

int mount_on(struct superblock *root_sb, struct inode *on, const char *path, struct superblock *sb) {
  if (S_ISDIR(on->mode) != S_ISDIR(sb->root->mode)) return -ENOTDIR;
  if (on->mounted || sb->mountpoint) return -EBUSY;
  root_sb = root_superblock(root_sb);
  inode_get(on);
  on->mounted = sb->root;
  sb->mountpoint = on, sb->root_sb = root_sb, sb->mount_id = ++next_mount_id;
  ksnprintf(sb->mount_path, sizeof sb->mount_path, "%s", path);
  list_add_tail(&root_sb->mounts, &sb->link);
  return 0;
}

void mount_undo(struct superblock *sb) {
  struct inode *on = sb->mountpoint;
  if (!on) return;
  on->mounted = NULL, sb->mountpoint = NULL;
  list_remove(&sb->link);
  inode_put(on);
}

void superblock_kill(struct superblock *sb) {
  sb->dying = true;
  if (is_bind(sb)) {
    inode_put(sb->root);
    kfree(sb);
    return;
  }
  if (sb->kill == memfs_kill) {
    sb->kill(sb);
    kfree(sb);
    return;
  }
  struct inode *root = sb->root;
  if (sb->kill) sb->kill(sb);
  sb->live_inodes++; /* the superblock must outlive its root's end */
  sb->root = NULL;
  if (root) inode_put(root);
  sb->live_inodes--;
  superblock_release(sb);
}

void superblock_discard(struct superblock *sb) { superblock_kill(sb); }

bool superblock_in_use(const struct superblock *sb) {
  if (is_bind(sb)) return false;
  u64 held = 1; /* sb->root */
  const struct superblock *root_sb = sb->root_sb ? sb->root_sb : sb;
  LIST_FOR(m, &root_sb->mounts, struct superblock, link) {
    held += m->mountpoint->sb == sb;
    held += is_bind(m) && m->root->sb == sb;
  }
  if (sb->kill == memfs_kill) return memfs_references(CONTAINER_OF(sb, struct memfs, sb)) > held;
  return sb->root->refs > held;
}

int fs_mount(struct inode *root, const char *path, struct superblock *sb) {
  struct fs_context fs = {.refs = 1, .root = root, .cwd = root, .cwd_path = (char *)(uintptr_t) "/"};
  struct walk *w = walk_new();
  if (!w) return -ENOMEM;
  int r = path_walk(&fs, NULL, NULL, NULL, path, 0, w);
  if (!r) r = mount_on(root->sb, w->inode, w->path, sb);
  walk_free(w);
  return r;
}

/* mount --bind: `of` appears at `on` too. */
int fs_bind(struct inode *root, struct inode *on, const char *path, struct inode *of) {
  struct superblock *sb = superblock_new(of->sb->type, of->sb->magic);
  if (!sb) return -ENOMEM;
  inode_get(of);
  sb->root = of, sb->covered = true;
  int r = of == on ? -EINVAL : mount_on(root->sb, on, path, sb);
  if (r) superblock_kill(sb);
  return r;
}

/* Takes the caller's reference on ino, the root of what is mounted. */
int fs_unmount(struct inode *ino, bool lazy) {
  struct superblock *root_sb = root_superblock(ino->sb), *sb = NULL;
  LIST_FOR(m, &root_sb->mounts, struct superblock, link) if (m->root == ino) sb = m; /* the newest one */
  inode_put(ino);                                                                     /* the mount has its own */
  if (!sb) return -EINVAL;
  LIST_FOR(m, &root_sb->mounts, struct superblock, link) if (!is_bind(sb) && m->mountpoint->sb == sb) return -EBUSY;
  if (superblock_in_use(sb)) return lazy ? -EOPNOTSUPP : -EBUSY;
  mount_undo(sb);
  superblock_kill(sb);
  return 0;
}

void fs_each_mount(const struct inode *root, void (*fn)(void *arg, const struct superblock *sb), void *arg) {
  const struct superblock *root_sb = root_superblock(root->sb);
  fn(arg, root_sb);
  LIST_FOR(m, &root_sb->mounts, struct superblock, link) fn(arg, m);
}

/* ---- types ---- */
#define FS_TYPES_MAX 8u
static struct {
  const char *type;
  struct superblock *(*make)(void);
} types[FS_TYPES_MAX];
static u32 type_count;

void fs_type_register(const char *type, struct superblock *(*make)(void)) {
  kassert(type_count < FS_TYPES_MAX);
  types[type_count].type = type, types[type_count++].make = make;
}
bool fs_type_known(const char *type) {
  for (u32 i = 0; i < type_count; i++)
    if (!strcmp(types[i].type, type)) return true;
  return false;
}
struct superblock *fs_type_make(const char *type) {
  for (u32 i = 0; i < type_count; i++)
    if (!strcmp(types[i].type, type)) return types[i].make();
  return NULL;
}
