/* root: root handles. A root is a writable memfs over a frozen tree, with /dev, /dev/shm and what other rooms mount
 * (procfs, devpts). Called by kernel/host and task/. Several roots share one frozen tree; a layer applied to one of them
 * is seen by all. */
#include "root.h"
#include "journal.h"

static struct memfs *roots[MAX_ROOTS];

#define NEW_ROOT_MAX 8u
static int (*new_root_fns[NEW_ROOT_MAX])(struct inode *root);
static u32 new_root_count;

struct memfs *root_memfs(u32 root) { return root < MAX_ROOTS ? roots[root] : NULL; }
struct inode *root_inode(u32 root) { return root < MAX_ROOTS && roots[root] ? roots[root]->sb.root : NULL; }

void fs_on_new_root(int (*fn)(struct inode *root)) {
  kassert(new_root_count < NEW_ROOT_MAX);
  new_root_fns[new_root_count++] = fn;
  for (u32 i = 0; i < MAX_ROOTS; i++)
    if (roots[i] && fn(roots[i]->sb.root)) klog("root %u: a file system could not be mounted", i);
}

/* What a root has even without layers; layers merge into it. */
static const struct {
  const char *name;
  u32 mode;
} skeleton[] = {{"dev", 0755}, {"proc", 0555}, {"sys", 0555}, {"tmp", 01777}, {"root", 0700}, {"etc", 0755}};

static struct frozen_tree *tree_with_skeleton(void) {
  struct frozen_tree *t = frozen_tree_new();
  u32 each = frozen_cut_bytes(sizeof(struct frozen)) + frozen_cut_bytes(sizeof(struct frozen_entry));
  if (!t || !frozen_reserve(t, ARRAY_LEN(skeleton), ARRAY_LEN(skeleton) * each)) {
    frozen_tree_put(t);
    return NULL;
  }
  for (u32 i = 0; i < ARRAY_LEN(skeleton); i++) {
    struct frozen *n = frozen_node(t, S_IFDIR | skeleton[i].mode);
    n->mtime = t->root->mtime, n->mtime_nsec = t->root->mtime_nsec;
    frozen_set(t, t->root, skeleton[i].name, (u32)strlen(skeleton[i].name), n);
  }
  return t;
}

/* A layer may have whited out a mount point. */
static int ensure_directory(struct inode *root, const char *name, u32 mode) {
  struct inode *dir;
  u32 bytes = (u32)strlen(name);
  int r = root->ops->lookup(root, name, bytes, &dir);
  if (r == -ENOENT) r = root->ops->create(root, name, bytes, S_IFDIR | mode, 0, 0, 0, &dir);
  if (!r) inode_put(dir);
  return r;
}

static int mount_new(struct inode *root, const char *path, struct superblock *sb) {
  if (!sb) return -ENOMEM;
  int r = fs_mount(root, path, sb);
  if (r) superblock_kill(sb);
  return r;
}

static struct superblock *shm_new(void) {
  struct superblock *sb = memfs_new("tmpfs", 0);
  if (sb) sb->root->mode = S_IFDIR | 01777;
  return sb;
}

static void unmount_all(struct memfs *fs) {
  while (!list_empty(&fs->sb.mounts)) { /* the newest first: they may stand on older ones */
    struct superblock *sb = CONTAINER_OF(fs->sb.mounts.prev, struct superblock, link);
    mount_undo(sb);
    superblock_kill(sb);
  }
}

static int populate(struct memfs *fs) {
  struct inode *root = fs->sb.root;
  int r = ensure_directory(root, "dev", 0755);
  if (!r) r = ensure_directory(root, "proc", 0555);
  if (!r) r = ensure_directory(root, "sys", 0555);
  if (!r) r = mount_new(root, "/dev", devfs_new());
  if (!r) r = mount_new(root, "/dev/shm", shm_new());
  for (u32 i = 0; !r && i < new_root_count; i++) r = new_root_fns[i](root);
  return r;
}

int root_new(i32 base) {
  if (base >= (i32)MAX_ROOTS || (base >= 0 && !roots[base])) return -EINVAL;
  u32 root = 0;
  while (root < MAX_ROOTS && roots[root]) root++;
  if (root == MAX_ROOTS) return -ENFILE;
  struct frozen_tree *tree = base < 0 ? tree_with_skeleton() : roots[base]->tree;
  struct memfs *fs = tree ? memfs_over("tmpfs", tree, 0) : NULL;
  if (base < 0) frozen_tree_put(tree); /* memfs_over has its own reference */
  if (!fs) return -ENOMEM;
  ksnprintf(fs->sb.mount_path, sizeof fs->sb.mount_path, "/");
  fs->sb.mount_id = 1 + root;
  int r = populate(fs);
  if (r) {
    unmount_all(fs);
    superblock_kill(&fs->sb);
    return r;
  }
  roots[root] = fs;
  return (int)root;
}

int root_drop(u32 root) {
  struct memfs *fs = root_memfs(root);
  if (!fs) return -EINVAL;
  if (superblock_in_use(&fs->sb)) return -EBUSY;
  LIST_FOR(m, &fs->sb.mounts, struct superblock, link) if (superblock_in_use(m)) return -EBUSY;
  unmount_all(fs);
  superblock_kill(&fs->sb);
  roots[root] = NULL;
  return 0;
}

static struct superblock *tmpfs_make(void) {
  struct superblock *sb = memfs_new("tmpfs", 0);
  if (sb) sb->root->mode = S_IFDIR | 01777;
  return sb;
}

/* ---- memfd_create(2): nameless files on a file system of their own ---- */
int memfd_open(const char *name, u32 flags, struct ofd **out) {
  static struct superblock *memfds;
  if (!memfds && !(memfds = memfs_new("tmpfs", 0))) return -ENOMEM;
  struct inode *ino;
  int r = memfds->root->ops->tmpfile(memfds->root, S_IFREG | 0777, 0, 0, &ino);
  if (r) return r;
  char path[NAME_BYTES + 8];
  ksnprintf(path, sizeof path, "/memfd:%s", name);
  r = file_open_inode(ino, path, O_RDWR | O_LARGEFILE | flags, out);
  inode_put(ino);
  return r;
}

void file_boot(void) {
  if (!devfs_boot() || root_new(-1) != 0) kpanic("file: no memory for the first root");
  fs_type_register("tmpfs", tmpfs_make);
  fs_type_register("devtmpfs", devfs_new);
  journal_boot();
}

u32 layer_blobs(struct image_range *to, u32 room) {
  u32 count = 0;
  for (u32 i = 0; i < MAX_ROOTS; i++) {
    const struct memfs *fs = root_memfs(i);
    for (const struct frozen_blob *b = fs ? fs->tree->blobs : NULL; b; b = b->next) {
      if (!b->bytes || b->lazy) continue;
      if (count < room)
        to[count] = (struct image_range){.address = (u64)(uintptr_t)b->bytes, .bytes = (u64)b->pages * PAGE_BYTES};
      count++;
    }
  }
  return count;
}
