/* wasi/io: bytes through descriptors: fd_read, fd_write, fd_pread, fd_pwrite, fd_seek, fd_tell, fd_sync, fd_datasync,
 * fd_advise, fd_allocate. A write that meets no reader raises SIGPIPE, as for every process here. */
#include "wasi.h"

#define IOV_MOST 1024u

struct iovec32 {
  u32 base, len;
};

int wasi_iobuf(struct iobuf *io, u32 iovs, u32 count) {
  struct iovec32 few[8];
  if (count > IOV_MOST) return -EINVAL;
  memset(io, 0, sizeof *io);
  io->segs = &io->inline_seg;
  io->segments = count;
  if (!count) return 0;
  AUTO_KFREE struct iovec32 *many = count > ARRAY_LEN(few) ? kmalloc(count * sizeof *many) : NULL;
  struct iovec32 *v = count > ARRAY_LEN(few) ? many : few;
  if (!v) return -ENOMEM;
  if (copy_in(v, iovs, count * sizeof *v)) return -EFAULT;
  if (count > 1 && !(io->segs = kmalloc(count * sizeof *io->segs))) return -ENOMEM;
  for (u32 i = 0; i < count; i++) {
    io->segs[i] = (struct iovec_seg){.base = v[i].base, .len = v[i].len};
    io->left += v[i].len;
  }
  return 0;
}

static i64 transfer(u32 fd, u32 iovs, u32 count, const u64 *pos, u32 done, bool write) {
  struct ofd *f AUTO_OFD = wasi_hold((i32)fd);
  if (!f || (f->inode && S_ISDIR(f->inode->mode))) return -EBADF;
  if (wasi_refused((i32)fd, write ? WASI_RIGHTS_FD_WRITE : WASI_RIGHTS_FD_READ)) return -EBADF;
  if (pos && *pos > INT64_MAX) return -EINVAL;
  if (access_prepare(done, 4, ACCESS_W)) return -EFAULT;
  struct iobuf io;
  i64 r = wasi_iobuf(&io, iovs, count);
  if (r) return r;
  io.left = MIN(io.left, RW_MAX_BYTES);
  if (iobuf_prepare(&io, write ? ACCESS_R : ACCESS_W)) r = -EFAULT;
  else if (write) r = pos ? ofd_pwrite(f, &io, *pos) : ofd_write(f, &io);
  else r = pos ? ofd_pread(f, &io, *pos) : ofd_read(f, &io);
  iobuf_free(&io);
  if (UNLIKELY(r == -EPIPE)) signal_thread(current, SIGPIPE, NULL);
  return r < 0 ? r : wasi_out32(done, (u32)r);
}
i64 wasi_do_fd_read(u32 fd, u32 iovs, u32 iovs_len, u32 nread) { return transfer(fd, iovs, iovs_len, NULL, nread, false); }
i64 wasi_do_fd_write(u32 fd, u32 iovs, u32 iovs_len, u32 nwritten) {
  return transfer(fd, iovs, iovs_len, NULL, nwritten, true);
}
i64 wasi_do_fd_pread(u32 fd, u32 iovs, u32 iovs_len, u64 offset, u32 nread) {
  return transfer(fd, iovs, iovs_len, &offset, nread, false);
}
i64 wasi_do_fd_pwrite(u32 fd, u32 iovs, u32 iovs_len, u64 offset, u32 nwritten) {
  return transfer(fd, iovs, iovs_len, &offset, nwritten, true);
}

/* Directories have no position that a module may see. */
static i64 seek(u32 fd, i64 offset, int whence, u32 to) {
  struct ofd *f AUTO_OFD = wasi_hold((i32)fd);
  if (!f || (f->inode && S_ISDIR(f->inode->mode))) return -EBADF;
  i64 r = f->ops->seek ? f->ops->seek(f, offset, whence) : -ESPIPE;
  return r < 0 ? r : wasi_out64(to, (u64)r);
}
i64 wasi_do_fd_seek(u32 fd, u64 offset, u32 whence, u32 newoffset) {
  static const int linux_whence[] = {SEEK_SET, SEEK_CUR, SEEK_END};
  if (whence >= ARRAY_LEN(linux_whence)) return -EINVAL;
  return seek(fd, (i64)offset, linux_whence[whence], newoffset);
}
i64 wasi_do_fd_tell(u32 fd, u32 offset) { return seek(fd, 0, SEEK_CUR, offset); }

i64 wasi_do_fd_sync(u32 fd) {
  struct ofd *f AUTO_OFD = wasi_hold((i32)fd);
  if (!f) return -EBADF;
  return f->ops->fsync ? f->ops->fsync(f) : -EINVAL;
}
i64 wasi_do_fd_datasync(u32 fd) { return wasi_do_fd_sync(fd); }

i64 wasi_do_fd_advise(u32 fd, u64 offset, u64 len, u32 advice) {
  struct ofd *f AUTO_OFD = wasi_hold((i32)fd);
  if (!f || (f->inode && S_ISDIR(f->inode->mode))) return -EBADF;
  if (advice > 5 || offset > INT64_MAX || len > INT64_MAX) return -EINVAL;
  return f->ops->seek ? 0 : -ESPIPE;
}

i64 wasi_do_fd_allocate(u32 fd, u64 offset, u64 len) {
  struct ofd *f AUTO_OFD = wasi_hold((i32)fd);
  if (!f || (f->inode && S_ISDIR(f->inode->mode))) return -EBADF;
  if (offset > INT64_MAX || len > INT64_MAX) return -EINVAL;
  return sys_fallocate((i32)fd, 0, (i64)offset, (i64)len);
}
