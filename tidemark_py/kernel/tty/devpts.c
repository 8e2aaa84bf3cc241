/* devpts: /dev/pts, and the devices /dev/ptmx, /dev/tty and /dev/console (pts(4), tty(4), console(4)).
 *
 * One superblock per root, all with the same device number and inode numbers, so that a slave is the same file whichever
 * root it is looked up in (ttyname compares them). The directory lists every open pair.
 * Missing: the mount options; a chown of a slave is seen in the root it was made in alone. */
#include "tty_core.h"

#define DEVPTS_MAGIC 0x1cd1u
#define DEVICE(major, minor) ((u32)(major) << 8 | (minor))
static u64 devpts_device; /* st_dev of all */

struct devpts {
  struct list link; /* mounts */
  struct superblock *sb;
  struct inode *slaves[MAX_PTYS], *ptmx;
};
static struct list mounts = {&mounts, &mounts};

static const struct inode_ops slave_inode_ops;

static struct inode *slave_inode(struct devpts *d, u32 index) { /* borrowed */
  if (!d->slaves[index] && tty_by_index(index)) {
    struct inode *ino = inode_new(d->sb, S_IFCHR | 0620);
    if (!ino) return NULL;
    ino->ops = &slave_inode_ops, ino->ino = 3 + index, ino->rdev = DEVICE(PTY_MAJOR, index), ino->gid = 5;
    d->slaves[index] = ino;
  }
  return d->slaves[index];
}

static int devpts_lookup(struct inode *dir, const char *name, u32 bytes, struct inode **out) {
  struct devpts *d = dir->sb->priv;
  struct inode *ino = NULL;
  if (!d) return -ENOENT; /* unmounted while somebody was in it */
  if (bytes == 4 && !memcmp(name, "ptmx", 4)) {
    ino = d->ptmx;
  } else {
    u32 index = 0, i = 0;
    for (; i < bytes && name[i] >= '0' && name[i] <= '9' && index < MAX_PTYS; i++) index = index * 10 + (u32)(name[i] - '0');
    if (!bytes || i != bytes || index >= MAX_PTYS || !tty_by_index(index) || (bytes > 1 && name[0] == '0')) return -ENOENT;
    ino = slave_inode(d, index);
    if (!ino) return -ENOMEM;
  }
  if (!ino) return -ENOENT;
  inode_get(ino);
  *out = ino;
  return 0;
}

static int devpts_readdir(UNUSED struct inode *dir, u64 pos, readdir_fn fn, void *arg) {
  for (; pos <= MAX_PTYS; pos++) {
    char name[12] = "ptmx";
    if (pos && !tty_by_index((u32)pos - 1)) continue;
    if (pos) ksnprintf(name, sizeof name, "%u", (u32)pos - 1);
    struct dirent_out e = {.ino = 2 + pos, .type = S_IFCHR >> 12, .name = name, .name_bytes = (u32)strlen(name)};
    if (!fn(arg, &e, pos + 1)) break;
  }
  return 0;
}

static int refuse_create(UNUSED struct inode *dir, UNUSED const char *name, UNUSED u32 bytes, UNUSED u32 mode,
                         UNUSED u32 uid, UNUSED u32 gid, UNUSED u64 rdev, UNUSED struct inode **out) {
  return -EACCES;
}

static void devpts_kill(struct superblock *sb) {
  struct devpts *d = sb->priv;
  list_remove(&d->link);
  sb->priv = NULL;
  for (u32 i = 0; i < MAX_PTYS; i++)
    if (d->slaves[i]) inode_put(d->slaves[i]);
  if (d->ptmx) inode_put(d->ptmx);
  kfree(d);
}
static const struct inode_ops devpts_ops = {
    .lookup = devpts_lookup, .readdir = devpts_readdir, .create = refuse_create};

void devpts_forget(u32 index) {
  LIST_FOR(d, &mounts, struct devpts, link) {
    if (d->slaves[index]) inode_put(d->slaves[index]);
    d->slaves[index] = NULL;
  }
}

struct inode *devpts_any_inode(u32 index) {
  LIST_FOR(d, &mounts, struct devpts, link) {
    struct inode *ino = slave_inode(d, index);
    if (!ino) return NULL;
    inode_get(ino);
    return ino;
  }
  struct inode *ino = inode_anonymous(S_IFCHR | 0620);
  if (ino) ino->rdev = DEVICE(PTY_MAJOR, index);
  return ino;
}

static int slave_open(struct inode *ino, struct ofd *ofd) {
  struct tty *t = tty_by_index((u32)(ino->rdev & 0xff));
  return t ? pty_slave_attach(t, ofd) : -EIO;
}
static const struct inode_ops slave_inode_ops = {.open = slave_open};

static int ptmx_open(UNUSED struct inode *ino, struct ofd *ofd) { return pty_master_open(ofd, NULL); }
static const struct inode_ops ptmx_inode_ops = {.open = ptmx_open};

static int current_tty_open(UNUSED struct inode *ino, struct ofd *ofd) {
  struct tty *t = tty_task_ops->current_tty();
  return t ? pty_slave_attach(t, ofd) : -ENXIO;
}

/* ---- /dev/console: the session's terminal, or the diagnostics stream where there is none ---- */
static i64 console_read(UNUSED struct ofd *f, UNUSED struct iobuf *io, UNUSED u64 *pos) { return 0; }
static i64 console_write(UNUSED struct ofd *f, struct iobuf *io, UNUSED u64 *pos) {
  char text[256];
  i64 done = 0;
  while (io->left) {
    i64 r = iobuf_read(io, text, MIN(sizeof text, io->left));
    if (r <= 0) return done ? done : r;
    host_log(text, (u32)r);
    done += r;
  }
  return done;
}
static const struct ofd_ops console_ops = {.read = console_read, .write = console_write};
static int console_open(UNUSED struct inode *ino, struct ofd *ofd) {
  struct tty *t = tty_task_ops ? tty_task_ops->current_tty() : NULL;
  if (t) return pty_slave_attach(t, ofd);
  ofd->ops = &console_ops;
  return 0;
}

static int mount_devpts(struct inode *root) {
  struct superblock *sb = superblock_new("devpts", DEVPTS_MAGIC);
  struct devpts *d = sb ? kzalloc(sizeof *d) : NULL;
  if (!d) return -ENOMEM;
  if (!devpts_device) devpts_device = sb->dev;
  sb->dev = devpts_device, sb->priv = d, sb->kill = devpts_kill, d->sb = sb;
  list_add_tail(&mounts, &d->link);
  struct inode *dir = inode_new(sb, S_IFDIR | 0755);
  if (!dir) return -ENOMEM;
  dir->ops = &devpts_ops, dir->ino = 1, dir->nlink = 2;
  sb->root = dir;
  if ((d->ptmx = inode_new(sb, S_IFCHR | 0666)))
    d->ptmx->ops = &ptmx_inode_ops, d->ptmx->ino = 2, d->ptmx->rdev = DEVICE(5, 2);
  return fs_mount(root, "/dev/pts", sb);
}

void devpts_boot(void) {
  chrdev_register(5, 0, 1, &pty_slave_ops, current_tty_open);
  chrdev_register(5, 1, 1, &console_ops, console_open);
  chrdev_register(5, 2, 1, &pty_master_ops, ptmx_open);
  chrdev_register(PTY_MAJOR, 0, MAX_PTYS, &pty_slave_ops, slave_open);
  fs_on_new_root(mount_devpts);
}

void tty_boot(void) { devpts_boot(); }
