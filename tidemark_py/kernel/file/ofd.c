/* ofd: open file descriptions, and reads and writes through them (open(2) "open file description", read(2), write(2)).
 * Called by everything that opens something and by sys/. A description whose ops say nothing reads as Linux does:
 * -EINVAL; a directory -EISDIR; O_PATH -EBADF. */
#include "inode.h"

static u32 next_generation;

static bool is_writer(const struct ofd *f) {
  return f->inode && S_ISREG(f->inode->mode) && (f->flags & O_ACCMODE) != O_RDONLY && !(f->flags & O_PATH);
}

struct ofd *ofd_new(struct inode *inode, const struct ofd_ops *ops, u32 flags, void *priv) {
  struct ofd *f = kzalloc(sizeof *f);
  if (!f) return NULL;
  f->ops = ops, f->inode = inode, f->refs = 1, f->flags = flags, f->priv = priv, f->generation = ++next_generation;
  list_init(&f->poll_hooks);
  if (is_writer(f)) inode->writers++;
  return f;
}

void ofd_set_way(struct ofd *f, const struct walk *w) {
  kassert(!f->mount);
  f->mount = w->mount;
  mount_hold(w->mount);
  if (is_writer(f)) w->mount->writers++;
  if (w->dir && w->dir_mount == w->mount && w->inode == f->inode) inode_get(f->dir = w->dir);
}

void ofd_get(struct ofd *f) { f->refs++; }

void ofd_put(struct ofd *f) {
  kassert(f->refs);
  if (f->refs == 1) ofd_notify(f, (f->flags & O_ACCMODE) == O_RDONLY ? IN_CLOSE_NOWRITE : IN_CLOSE_WRITE);
  if (--f->refs) return;
  while (!list_empty(&f->poll_hooks)) {
    struct poll_hook *h = CONTAINER_OF(f->poll_hooks.next, struct poll_hook, link);
    h->released(h, f); /* takes itself off the list ... */
    if (f->poll_hooks.next == &h->link) list_remove(&h->link); /* ... or else we do */
  }
  if (f->inode && f->inode->locks) lock_release_owner(f->inode, f);
  if (f->ops && f->ops->release) f->ops->release(f);
  if (is_writer(f)) f->inode->writers--;
  if (f->mount && is_writer(f)) f->mount->writers--;
  if (f->inode) inode_put(f->inode);
  if (f->dir) inode_put(f->dir);
  mount_drop(f->mount);
  kfree(f->path);
  kfree(f);
}

/* ---- what directories and O_PATH descriptions can do ---- */
static i64 directory_read(UNUSED struct ofd *f, UNUSED struct iobuf *io, UNUSED u64 *pos) { return -EISDIR; }
i64 ofd_seek_position(struct ofd *f, i64 offset, int whence) {
  if (whence == SEEK_CUR)
    offset += (i64)f->pos;
  else if (whence != SEEK_SET)
    return -EINVAL;
  if (offset < 0) return -EINVAL;
  f->pos = (u64)offset;
  return offset;
}
static int directory_fsync(struct ofd *f) { return f->inode ? file_sync(f->inode->sb) : 0; }
const struct ofd_ops directory_ops = {.read = directory_read, .seek = ofd_seek_position, .fsync = directory_fsync};

static i64 path_only_io(UNUSED struct ofd *f, UNUSED struct iobuf *io, UNUSED u64 *pos) { return -EBADF; }
static i64 path_only_seek(UNUSED struct ofd *f, UNUSED i64 offset, UNUSED int whence) { return -EBADF; }
const struct ofd_ops path_only_ops = {.read = path_only_io, .write = path_only_io, .seek = path_only_seek};

/* ---- reading and writing ---- */
static int may(const struct ofd *f, u32 refused_mode) {
  return (f->flags & O_PATH) || (f->flags & O_ACCMODE) == refused_mode || (f->flags & O_ACCMODE) == O_ACCMODE ? -EBADF : 0;
}

static i64 told(struct ofd *f, i64 r, u32 mask) {
  if (r > 0) ofd_notify(f, mask);
  return r;
}

static i64 written(struct ofd *f, i64 r) {
  told(f, r, IN_MODIFY);
  int e = r > 0 && UNLIKELY(f->flags & O_DSYNC) && f->inode ? file_sync(f->inode->sb) : 0; /* O_SYNC has that bit too */
  return e ? e : r;
}

i64 ofd_pread(struct ofd *f, struct iobuf *io, u64 pos) {
  int r = may(f, O_WRONLY);
  if (r) return r;
  if (!f->ops->seek) return -ESPIPE;
  return f->ops->read ? told(f, f->ops->read(f, io, &pos), IN_ACCESS) : -EINVAL;
}

i64 ofd_pwrite(struct ofd *f, struct iobuf *io, u64 pos) {
  int r = may(f, O_RDONLY);
  if (r) return r;
  if (!f->ops->seek) return -ESPIPE;
  if (!f->ops->write) return -EINVAL;
  if ((r = iobuf_here(io))) return r;
  if ((f->flags & O_APPEND) && f->inode) pos = f->inode->size; /* Linux appends here too: pwrite(2) BUGS */
  return written(f, f->ops->write(f, io, &pos));
}

i64 ofd_read(struct ofd *f, struct iobuf *io) {
  int r = may(f, O_WRONLY);
  if (r) return r;
  return f->ops->read ? told(f, f->ops->read(f, io, &f->pos), IN_ACCESS) : -EINVAL;
}

i64 ofd_write(struct ofd *f, struct iobuf *io) {
  int r = may(f, O_RDONLY);
  if (r) return r;
  if (!f->ops->write) return -EINVAL;
  if ((r = iobuf_here(io))) return r;
  if ((f->flags & O_APPEND) && f->inode && S_ISREG(f->inode->mode)) f->pos = f->inode->size;
  return written(f, f->ops->write(f, io, &f->pos));
}

/* Through the page operation, so that it works for every file system that has one. */
i64 inode_read_kernel(struct inode *ino, u64 pos, void *dst, u32 bytes) {
  if (S_ISDIR(ino->mode)) return -EISDIR;
  if (!S_ISREG(ino->mode) || !ino->ops || !ino->ops->page) return -EACCES;
  if (pos >= ino->size) return 0;
  u32 left = (u32)MIN((u64)bytes, ino->size - pos), done = 0;
  while (done < left) {
    u8 *page = NULL;
    u32 offset = (u32)(pos % PAGE_BYTES), n = MIN(left - done, PAGE_BYTES - offset);
    int r = ino->ops->page(ino, pos / PAGE_BYTES, false, &page);
    if (r) return done && r != -ENOTHERE ? (i64)done : r;
    if (page)
      memcpy((u8 *)dst + done, page + offset, n);
    else
      memset((u8 *)dst + done, 0, n);
    done += n, pos += n;
  }
  return done;
}
