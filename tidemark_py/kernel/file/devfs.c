/* devfs: device numbers and their openers, the memory devices (null(4), random(4), full(4)), and the tree of /dev.
 * Other rooms register their devices by chrdev_register (tty: /dev/tty, /dev/console, /dev/ptmx, ptys). A device node
 * anywhere opens through the same table. The tree is a frozen one, shared by the /dev of all roots. */
#include "memfs.h"
#include "root.h"

#define CHRDEVS_MAX 16u
struct chrdev {
  u32 major, minor_first, minors;
  const struct ofd_ops *ops;
  int (*open)(struct inode *ino, struct ofd *f);
};
static struct chrdev chrdevs[CHRDEVS_MAX];
static u32 chrdev_count;

int chrdev_register(u32 major, u32 minor_first, u32 minors, const struct ofd_ops *ops, int (*open)(struct inode *ino, struct ofd *ofd)) {
  if (chrdev_count == CHRDEVS_MAX) return -ENOSPC;
  chrdevs[chrdev_count++] = (struct chrdev){major, minor_first, minors, ops, open};
  return 0;
}

static int (*fifo_opener)(struct inode *ino, struct ofd *f);
void fifo_register(int (*open)(struct inode *ino, struct ofd *ofd)) { fifo_opener = open; }

int open_special(struct inode *ino, struct ofd *f) {
  if (S_ISFIFO(ino->mode)) return fifo_opener ? fifo_opener(ino, f) : -ENXIO;
  if (!S_ISCHR(ino->mode)) return -ENXIO; /* block devices, sockets, anonymous inodes */
  u32 major = dev_major(ino->rdev), minor = dev_minor(ino->rdev);
  for (u32 i = 0; i < chrdev_count; i++) {
    const struct chrdev *d = &chrdevs[i];
    if (d->major != major || minor < d->minor_first || minor - d->minor_first >= d->minors) continue;
    if (d->ops) f->ops = d->ops;
    return d->open ? d->open(ino, f) : 0;
  }
  return -ENXIO;
}

/* ---- memory devices: major 1 ---- */
enum { NULL_MINOR = 3, ZERO_MINOR = 5, FULL_MINOR = 7, RANDOM_MINOR = 8, URANDOM_MINOR = 9 };

static i64 null_read(UNUSED struct ofd *f, UNUSED struct iobuf *io, UNUSED u64 *pos) { return 0; }
static i64 null_write(UNUSED struct ofd *f, struct iobuf *io, UNUSED u64 *pos) {
  u64 n = io->left;
  io->left = 0;
  return (i64)n;
}
static i64 zero_read(UNUSED struct ofd *f, struct iobuf *io, UNUSED u64 *pos) { return iobuf_zero(io, io->left); }
static i64 full_write(UNUSED struct ofd *f, UNUSED struct iobuf *io, UNUSED u64 *pos) { return -ENOSPC; }
static i64 random_read(UNUSED struct ofd *f, struct iobuf *io, UNUSED u64 *pos) {
  u8 bytes[256];
  i64 done = 0;
  while (io->left) {
    u32 n = (u32)MIN((u64)sizeof bytes, io->left);
    host_random(bytes, n);
    i64 r = iobuf_write(io, bytes, n);
    if (r <= 0) return done ? done : r;
    done += r;
    if (r < (i64)n) break;
  }
  return done;
}
static i64 device_seek(struct ofd *f, UNUSED i64 offset, UNUSED int whence) { return f->pos = 0, 0; }

static const struct ofd_ops null_ops = {.read = null_read, .write = null_write, .seek = device_seek};
static const struct ofd_ops zero_ops = {.read = zero_read, .write = null_write, .seek = device_seek};
static const struct ofd_ops full_ops = {.read = zero_read, .write = full_write, .seek = device_seek};
static const struct ofd_ops random_ops = {.read = random_read, .write = null_write, .seek = device_seek};

/* Is this /dev/zero? mmap(2) of it gives anonymous memory. */
bool ofd_is_zero_device(const struct ofd *f) { return f->ops == &zero_ops; }

/* ---- the tree ---- */
static struct frozen_tree *dev_tree;
static const struct {
  const char *name, *link;
  u32 mode, major, minor;
} nodes[] = {
    {"null", NULL, S_IFCHR | 0666, 1, NULL_MINOR},
    {"zero", NULL, S_IFCHR | 0666, 1, ZERO_MINOR},
    {"full", NULL, S_IFCHR | 0666, 1, FULL_MINOR},
    {"random", NULL, S_IFCHR | 0666, 1, RANDOM_MINOR},
    {"urandom", NULL, S_IFCHR | 0666, 1, URANDOM_MINOR},
    {"tty", NULL, S_IFCHR | 0666, 5, 0},
    {"console", NULL, S_IFCHR | 0620, 5, 1},
    {"ptmx", NULL, S_IFCHR | 0666, 5, 2},
    {"fd", "/proc/self/fd", S_IFLNK | 0777, 0, 0},
    {"stdin", "/proc/self/fd/0", S_IFLNK | 0777, 0, 0},
    {"stdout", "/proc/self/fd/1", S_IFLNK | 0777, 0, 0},
    {"stderr", "/proc/self/fd/2", S_IFLNK | 0777, 0, 0},
    {"pts", NULL, S_IFDIR | 0755, 0, 0},
    {"shm", NULL, S_IFDIR | 01777, 0, 0},
    {"fb0", NULL, S_IFCHR | 0666, 29, 0},
    {"frame0", NULL, S_IFCHR | 0666, 240, 0},
    {"frame1", NULL, S_IFCHR | 0666, 240, 1},
    {"frame2", NULL, S_IFCHR | 0666, 240, 2},
    {"frame3", NULL, S_IFCHR | 0666, 240, 3},
    {"frame4", NULL, S_IFCHR | 0666, 240, 4},
    {"frame5", NULL, S_IFCHR | 0666, 240, 5},
    {"frame6", NULL, S_IFCHR | 0666, 240, 6},
    {"frame7", NULL, S_IFCHR | 0666, 240, 7},
    {"input", NULL, S_IFDIR | 0755, 0, 0}, /* a directory stands before what lies in it */
    {"input/event0", NULL, S_IFCHR | 0666, 13, 64},
    {"input/event1", NULL, S_IFCHR | 0666, 13, 65},
    {"input/mice", NULL, S_IFCHR | 0666, 13, 63},
};

bool devfs_boot(void) {
  chrdev_register(1, NULL_MINOR, 1, &null_ops, NULL);
  chrdev_register(1, ZERO_MINOR, 1, &zero_ops, NULL);
  chrdev_register(1, FULL_MINOR, 1, &full_ops, NULL);
  chrdev_register(1, RANDOM_MINOR, 2, &random_ops, NULL);
  dev_tree = frozen_tree_new();
  u32 each = frozen_cut_bytes(sizeof(struct frozen)) + frozen_cut_bytes(sizeof(struct frozen_entry));
  if (!dev_tree || !frozen_reserve(dev_tree, ARRAY_LEN(nodes), ARRAY_LEN(nodes) * each)) return false;
  for (u32 i = 0; i < ARRAY_LEN(nodes); i++) {
    struct frozen *n = frozen_node(dev_tree, nodes[i].mode);
    n->mtime = dev_tree->root->mtime, n->mtime_nsec = dev_tree->root->mtime_nsec;
    n->rdev = makedev(nodes[i].major, nodes[i].minor);
    if (nodes[i].link) n->target = nodes[i].link, n->size = strlen(nodes[i].link);
    const char *name = nodes[i].name, *slash = strchr(name, '/');
    struct frozen *dir = dev_tree->root;
    if (slash) {
      u32 bytes = (u32)(slash - name);
      dir = frozen_find(dev_tree, dir, name, bytes, name_hash(name, bytes))->node;
      name = slash + 1;
    }
    frozen_set(dev_tree, dir, name, (u32)strlen(name), n);
  }
  return true;
}

struct superblock *devfs_new(void) {
  struct memfs *fs = memfs_over("devtmpfs", dev_tree, 0);
  return fs ? &fs->sb : NULL;
}
