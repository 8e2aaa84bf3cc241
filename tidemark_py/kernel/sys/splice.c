/* sys/splice: splice(2), tee(2), vmsplice(2), by copying: no page changes hands. Bytes leave the pipe once the other end
 * has taken them. Missing: while the other end of a splice out of a pipe waits, a second reader of that pipe may get the
 * same bytes. */
#include "../ipc/pipe.h"
#include "files.h"

#define SPLICE_FLAGS (SPLICE_F_MOVE | SPLICE_F_NONBLOCK | SPLICE_F_MORE | SPLICE_F_GIFT)
#define CHUNK_PAGES 16u
#define CHUNK_BYTES ((u64)CHUNK_PAGES * PAGE_BYTES)

static i64 broken(i64 r) {
  if (r == -EPIPE) signal_thread(current, SIGPIPE, NULL);
  return r;
}
static i64 write_kernel(struct ofd *out, void *bytes, u64 n, const u64 *pos) {
  struct iobuf io;
  iobuf_init_kernel(&io, bytes, n);
  return broken(pos ? ofd_pwrite(out, &io, *pos) : ofd_write(out, &io));
}

/* Into the pipe `out` go up to len bytes of `in`: what there is room for. */
static i64 fill(struct ofd *in, u64 *pos, struct ofd *out, u64 len, bool nonblock, u8 *buffer) {
  i64 done = 0;
  while (len) {
    i64 r = pipe_room(out, nonblock || done);
    if (r <= 0) return done ? done : broken(r);
    struct iobuf io;
    iobuf_init_kernel(&io, buffer, MIN(MIN(len, (u64)r), CHUNK_BYTES));
    r = pos ? ofd_pread(in, &io, *pos) : ofd_read(in, &io);
    if (r <= 0) return done ? done : r;
    u64 n = (u64)r;
    if (pos) *pos += n;
    if ((r = write_kernel(out, buffer, n, NULL)) <= 0) return done ? done : r;
    done += r, len -= (u64)r;
    if (!in->inode || !S_ISREG(in->inode->mode)) break; /* a stream gives what it has */
  }
  return done;
}

/* Out of the pipe `in` go up to len bytes, what is in it, to a file or stream. */
static i64 drain(struct ofd *in, struct ofd *out, u64 *pos, u64 len, bool nonblock, u8 *buffer) {
  i64 done = 0;
  while (len) {
    i64 r = pipe_data(in, nonblock || done);
    if (r <= 0) return done ? done : r;
    u32 n = pipe_peek(in, buffer, (u32)MIN(len, CHUNK_BYTES));
    if ((r = write_kernel(out, buffer, n, pos)) <= 0) return done ? done : r;
    pipe_skip(in, (u32)r);
    if (pos) *pos += (u64)r;
    done += r, len -= (u64)r;
    if (r < (i64)n) break;
  }
  return done;
}

static int offset_in(uaddr_t addr, u64 *pos) {
  i64 offset;
  if (COPY_IN(offset, addr)) return -EFAULT;
  if (offset < 0) return -EINVAL;
  *pos = (u64)offset;
  return 0;
}

static i64 splice(struct ofd *in, uaddr_t off_in, struct ofd *out, uaddr_t off_out, u64 len, u32 flags) {
  bool from_pipe = pipe_is(in), to_pipe = pipe_is(out), nonblock = flags & SPLICE_F_NONBLOCK;
  if ((from_pipe && off_in) || (to_pipe && off_out)) return -ESPIPE;
  if (!from_pipe && !to_pipe) return -EINVAL;
  if (from_pipe && to_pipe && in->priv == out->priv) return -EINVAL;
  struct ofd *file = from_pipe ? out : in;
  uaddr_t off = from_pipe ? off_out : off_in;
  if (off && !file->ops->seek) return -ESPIPE;
  if (from_pipe && (out->flags & O_APPEND)) return -EINVAL;
  if (!(from_pipe ? file->ops->write : file->ops->read) || (file->inode && S_ISDIR(file->inode->mode))) return -EINVAL;
  u64 pos = 0;
  int r = off ? offset_in(off, &pos) : 0;
  if (r) return r;
  u8 *buffer = kpages_alloc(CHUNK_PAGES);
  if (!buffer) return -ENOMEM;
  i64 n = from_pipe ? drain(in, out, off ? &pos : NULL, len, nonblock || (in->flags & O_NONBLOCK), buffer)
                    : fill(in, off ? &pos : NULL, out, len, nonblock || (out->flags & O_NONBLOCK), buffer);
  kpages_free(buffer, CHUNK_PAGES);
  return n >= 0 && off && COPY_OUT(off, pos) ? -EFAULT : n;
}

i64 sys_splice(i32 fd_in, uaddr_t off_in, i32 fd_out, uaddr_t off_out, u64 len, u32 flags) {
  if (!len) return 0;
  if (flags & ~(u32)SPLICE_FLAGS) return -EINVAL;
  struct ofd *in AUTO_OFD = ofd_hold(fd_in), *out AUTO_OFD = ofd_hold(fd_out);
  if (!in || !out || ((in->flags | out->flags) & O_PATH)) return -EBADF;
  if ((in->flags & O_ACCMODE) == O_WRONLY || (out->flags & O_ACCMODE) == O_RDONLY) return -EBADF;
  return splice(in, off_in, out, off_out, MIN(len, RW_MAX_BYTES), flags);
}

i64 sys_tee(i32 fd_in, i32 fd_out, u64 len, u32 flags) {
  if (flags & ~(u32)SPLICE_FLAGS) return -EINVAL;
  if (!len) return 0;
  struct ofd *in AUTO_OFD = ofd_hold(fd_in), *out AUTO_OFD = ofd_hold(fd_out);
  if (!in || !out || (in->flags & O_ACCMODE) == O_WRONLY || (out->flags & O_ACCMODE) == O_RDONLY) return -EBADF;
  if (!pipe_is(in) || !pipe_is(out) || in->priv == out->priv) return -EINVAL;
  i64 r = pipe_data(in, (flags & SPLICE_F_NONBLOCK) || (in->flags & O_NONBLOCK));
  if (r < 0) return r;
  bool ended = !r;
  r = pipe_room(out, ended || (flags & SPLICE_F_NONBLOCK) || (out->flags & O_NONBLOCK));
  if (r <= 0 || ended) return r == -EPIPE || !ended ? broken(r) : 0;
  u8 *buffer = kpages_alloc(CHUNK_PAGES);
  if (!buffer) return -ENOMEM;
  u32 n = pipe_peek(in, buffer, (u32)MIN(MIN(len, (u64)r), CHUNK_BYTES)); /* waiting for room may have emptied it */
  r = n ? write_kernel(out, buffer, n, NULL) : 0;
  kpages_free(buffer, CHUNK_PAGES);
  return r;
}

i64 sys_vmsplice(i32 fd, uaddr_t iov, u64 nr_segs, u32 flags) {
  if (flags & ~(u32)SPLICE_FLAGS) return -EINVAL;
  struct ofd *f AUTO_OFD = ofd_hold(fd);
  if (!f || (f->flags & O_PATH)) return -EBADF;
  if (nr_segs > IOV_MAX) return -EINVAL;
  struct iobuf io;
  i64 r = iobuf_init_iovec(&io, iov, (u32)nr_segs);
  if (r) return r;
  if (!pipe_is(f)) return iobuf_free(&io), -EBADF;
  bool write = (f->flags & O_ACCMODE) != O_RDONLY, nonblock = (flags & SPLICE_F_NONBLOCK) || (f->flags & O_NONBLOCK);
  u64 left = io.left;
  if (left && (r = write ? pipe_room(f, nonblock) : pipe_data(f, nonblock)) > 0) {
    if (write && nonblock) io.left = MIN(left, (u64)r);
    r = write ? ofd_write(f, &io) : ofd_read(f, &io);
  }
  iobuf_free(&io);
  return broken(r);
}
