/* sys/dir: getdents64(2). Position 0 is ".", 1 is "..", then the file system's own positions plus 2. */
#include "files.h"

#define CHUNK_BYTES 32768u
#define RECORD_HEAD offsetof(struct guest_dirent64, d_name)

struct dents {
  u8 *buffer;
  u32 used, bytes;
  u64 pos;   /* where the description stands after what is in the buffer */
  bool full; /* one did not fit */
};

static bool add(struct dents *d, u64 ino, u8 type, const char *name, u32 name_bytes, u64 next) {
  u32 record = ALIGN_UP((u32)RECORD_HEAD + name_bytes + 1, 8u);
  if (d->used + record > d->bytes) return d->full = true, false;
  u8 *p = d->buffer + d->used;
  memset(p, 0, record);
  u16 reclen = (u16)record;
  memcpy(p, &ino, 8);
  memcpy(p + 8, &next, 8);
  memcpy(p + 16, &reclen, 2);
  p[18] = type;
  memcpy(p + RECORD_HEAD, name, name_bytes);
  d->used += record, d->pos = next;
  return true;
}
static bool add_entry(void *arg, const struct dirent_out *e, u64 next_pos) {
  return add(arg, e->ino, e->type, e->name, e->name_bytes, next_pos + 2);
}

static int fill(struct ofd *f, struct dents *d) {
  struct inode *dir = f->inode;
  if (!dir->nlink && dir->ops->last_put) return -ENOENT; /* removed */
  if (d->pos == 0 && !add(d, dir->ino, DT_DIR, ".", 1, 1)) return 0;
  if (d->pos == 1) {
    struct superblock *mount = f->mount ? f->mount : dir->sb;
    struct inode *parent = dir_parent(caller_fs(), dir, &mount, f->path);
    u64 ino = parent ? parent->ino : dir->ino;
    if (parent) inode_put(parent);
    if (!add(d, ino, DT_DIR, "..", 2, 2)) return 0;
  }
  return dir->ops->readdir(dir, d->pos - 2, add_entry, d);
}

i64 sys_getdents64(i32 fd, uaddr_t dirp, u32 count) {
  struct ofd *f AUTO_OFD = ofd_hold(fd);
  if (!f || (f->flags & O_PATH)) return -EBADF;
  if (!f->inode || !S_ISDIR(f->inode->mode) || !f->inode->ops || !f->inode->ops->readdir) return -ENOTDIR;
  struct dents d = {.bytes = MIN(count, CHUNK_BYTES), .pos = f->pos};
  if (!(d.buffer = kmalloc(MAX(d.bytes, 8u)))) return -ENOMEM;
  int r = fill(f, &d);
  if (!d.used && !r && d.full) r = -EINVAL; /* not even one fits */
  if (d.used && !(r = copy_out(dirp, d.buffer, d.used))) f->pos = d.pos;
  kfree(d.buffer);
  if (!r) ofd_notify(f, IN_ACCESS);
  return r ? r : (i64)d.used;
}
