/* mount: what is mounted where. One list of mounts per root, in mount order; an inode knows how many mounts stand on it
 * (inode->mounted), a superblock where it stands (mountpoint) and through which mount that was reached (parent): so a
 * directory can be bound to itself, and what is mounted below it is not seen through the bind mount. Called by root.c,
 * sys/, tty and procfs. Follows mount(2), umount(2), mount_namespaces(7).
 * Missing: mount namespaces, propagation, MS_MOVE; one file system has one mount that is not a bind mount. */
#include "root.h"

static u32 next_mount_id = 20;

static struct superblock *root_superblock(struct superblock *sb) { return sb->root_sb ? sb->root_sb : sb; }

/* A bind mount's superblock owns nothing: it holds a reference on another file system's inode. */
static bool is_bind(const struct superblock *sb) { return sb->covered; }

struct superblock *mount_find(const struct superblock *through, const struct inode *on) {
  const struct superblock *root_sb = through->root_sb ? through->root_sb : through;
  LIST_FOR(m, &root_sb->mounts, struct superblock, link) if (m->mountpoint == on && m->parent == through) return m;
  return NULL;
}

int mount_on(struct superblock *parent, struct inode *on, const char *path, struct superblock *sb) {
  if (S_ISDIR(on->mode) != S_ISDIR(sb->root->mode)) return -ENOTDIR;
  if (sb->mountpoint || (on->mounted && mount_find(parent, on))) return -EBUSY;
  struct superblock *root_sb = root_superblock(parent);
  inode_get(on);
  on->mounted++;
  sb->mountpoint = on, sb->parent = parent, sb->root_sb = root_sb, sb->mount_id = ++next_mount_id;
  ksnprintf(sb->mount_path, sizeof sb->mount_path, "%s", path);
  list_add_tail(&root_sb->mounts, &sb->link);
  return 0;
}

void mount_undo(struct superblock *sb) {
  struct inode *on = sb->mountpoint;
  if (!on) return;
  on->mounted--, sb->mountpoint = NULL, sb->parent = NULL;
  list_remove(&sb->link);
  inode_put(on);
}

int mount_may_write(const struct superblock *mount, const struct inode *ino) {
  return ino->sb->read_only || (mount && (mount->mount_flags & MS_RDONLY)) ? -EROFS : 0;
}

void superblock_kill(struct superblock *sb) {
  sb->dying = true;
  if (is_bind(sb)) {
    struct inode *of = sb->root;
    sb->root = NULL;
    superblock_release(sb);
    inode_put(of);
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
  if (is_bind(sb)) return sb->holds;
  u64 held = 1 + sb->watched; /* sb->root; a watch does not keep a file system mounted */
  const struct superblock *root_sb = sb->root_sb ? sb->root_sb : sb;
  LIST_FOR(m, &root_sb->mounts, struct superblock, link) {
    held += m->mountpoint->sb == sb;
    held += is_bind(m) && m->root->sb == sb;
  }
  if (sb->kill == memfs_kill) return memfs_references(CONTAINER_OF(sb, struct memfs, sb)) > held;
  return sb->root->refs > held;
}

int fs_mount_at(const struct walk *on, struct superblock *sb) { return mount_on(on->mount, on->inode, on->path, sb); }

int fs_mount(struct inode *root, const char *path, struct superblock *sb) {
  struct fs_context fs = {.refs = 1, .root = root, .cwd = root, .root_mount = root->sb, .cwd_mount = root->sb,
                          .cwd_path = (char *)(uintptr_t) "/"};
  struct walk *w = walk_new();
  if (!w) return -ENOMEM;
  int r = path_walk(&fs, NULL, NULL, NULL, path, 0, w);
  if (!r) r = fs_mount_at(w, sb);
  walk_free(w);
  return r;
}

/* A bind mount of `of` as seen through `mount`. */
static int bind_at(struct superblock *parent, struct inode *on, const char *path, struct inode *of, const struct superblock *mount,
                   struct superblock **made) {
  struct superblock *sb = superblock_new(of->sb->type, of->sb->magic);
  if (!sb) return -ENOMEM;
  inode_get(of);
  sb->root = of, sb->covered = true, sb->mount_flags = mount->mount_flags;
  int r = mount_on(parent, on, path, sb);
  if (r) return superblock_kill(sb), r;
  *made = sb;
  return 0;
}

/* The mounts from `last` back to `first`, which was made last but those: all that a failed call made. */
static void undo_from(struct superblock *first) {
  struct list *mounts = &first->root_sb->mounts;
  for (bool done = false; !done;) {
    struct superblock *sb = CONTAINER_OF(mounts->prev, struct superblock, link);
    done = sb == first;
    mount_undo(sb);
    superblock_kill(sb);
  }
}

/* mount --bind: `of` appears at `on` too; --rbind: and what is mounted below it. */
int fs_bind(const struct walk *on, const struct walk *of, bool recursive) {
  struct superblock *top;
  int r = bind_at(on->mount, on->inode, on->path, of->inode, of->mount, &top);
  if (r || !recursive) return r;
  struct list *mounts = &top->root_sb->mounts;
  LIST_FOR(m, mounts, struct superblock, link) m->copy = NULL;
  of->mount->copy = top;
  size_t of_bytes = strlen(of->path);
  if (of_bytes == 1) of_bytes = 0; /* "/" */
  LIST_FOR(m, mounts, struct superblock, link) {
    if (m == top) break; /* what follows was made here */
    bool below = !strncmp(m->mount_path, of->path, of_bytes) && m->mount_path[of_bytes] == '/';
    if (!below || !m->parent->copy) continue;
    char path[sizeof m->mount_path];
    ksnprintf(path, sizeof path, "%s%s", on->path, m->mount_path + of_bytes);
    if ((r = bind_at(m->parent->copy, m->mountpoint, path, m->root, m, &m->copy))) break;
  }
  of->mount->copy = NULL;
  if (r) undo_from(top);
  return r;
}

static bool stands_on(const struct superblock *m, const struct superblock *sb) {
  while (m && m != sb) m = m->parent;
  return m;
}

int fs_unmount(struct superblock *sb, bool lazy) {
  if (!sb->mountpoint) return -EINVAL;
  struct list *mounts = &sb->root_sb->mounts;
  LIST_FOR(m, mounts, struct superblock, link) {
    bool goes = stands_on(m, sb);
    if (goes && m != sb && !lazy) return -EBUSY;
    if (goes && superblock_in_use(m) && !(lazy && is_bind(m))) return lazy ? -EOPNOTSUPP : -EBUSY;
    if (!goes && is_bind(m) && stands_on(m->root->sb, sb)) return -EBUSY; /* its files are still seen elsewhere */
  }
  LIST_FOR(m, mounts, struct superblock, link)
    if (stands_on(m, sb) && m->watched) m->kill == memfs_kill ? memfs_unwatch(m) : inode_watches_unmount(m->root);
  for (struct list *at = mounts->prev, *before; at != mounts; at = before) { /* what stands on others is newer */
    struct superblock *m = CONTAINER_OF(at, struct superblock, link);
    before = at->prev;
    if (!stands_on(m, sb)) continue;
    mount_undo(m);
    superblock_kill(m);
  }
  return 0;
}

int fs_remount(struct superblock *sb, u32 mount_flags, bool whole) {
  struct superblock *of = is_bind(sb) ? sb->root->sb : sb;
  if (mount_flags & MS_RDONLY) {
    u32 writers = sb->writers;
    if (whole) {
      writers += of == sb ? 0 : of->writers;
      LIST_FOR(m, &root_superblock(sb)->mounts, struct superblock, link)
        if (m != sb && is_bind(m) && m->root->sb == of) writers += m->writers;
    }
    if (writers) return -EBUSY;
  }
  if (whole) of->read_only = mount_flags & MS_RDONLY;
  sb->mount_flags = mount_flags;
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
