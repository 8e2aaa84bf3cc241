/* sys/file: bytes through descriptors: read(2), write(2), readv(2), pread(2), preadv2(2), lseek(2), truncate(2),
 * fallocate(2), sendfile(2), copy_file_range(2), fsync(2), posix_fadvise(2), readahead(2), ioctl(2).
 * A write that meets no reader raises SIGPIPE here; one beyond RLIMIT_FSIZE, SIGXFSZ. Files live in memory: syncing and
 * advising check their arguments and have nothing to do. Missing: RWF_NOWAIT and its like (EOPNOTSUPP). */
#include "files.h"

/* ---- one read or write, at `pos` or at the description's position ---- */
static i64 read_at(struct ofd *f, struct iobuf *io, const i64 *pos) {
  if (pos && *pos < 0) return -EINVAL;
  return pos ? ofd_pread(f, io, (u64)*pos) : ofd_read(f, io);
}

static i64 write_at(struct ofd *f, struct iobuf *io, const i64 *pos) {
  if (pos && *pos < 0) return -EINVAL;
  struct inode *ino = f->inode;
  bool regular = ino && S_ISREG(ino->mode);
  u64 limit = current->process->limits[RLIMIT_FSIZE].cur;
  if (UNLIKELY(limit != ~0ull) && regular && io->left) {
    u64 at = f->flags & O_APPEND ? ino->size : pos ? (u64)*pos : f->pos;
    if (at >= limit) {
      signal_thread(current, SIGXFSZ, NULL);
      return -EFBIG;
    }
    io->left = MIN(io->left, limit - at);
  }
  i64 r = pos ? ofd_pwrite(f, io, (u64)*pos) : ofd_write(f, io);
  if (UNLIKELY(r == -EPIPE)) signal_thread(current, SIGPIPE, NULL);
  if (r > 0 && regular && (ino->mode & (S_ISUID | S_ISGID)) && !credentials_capable(caller(), CAP_FSETID))
    inode_drop_privileges(ino);
  return r;
}

static i64 counted(bool write, i64 r) {
  struct process *p = current->process;
  p->io[write].calls++;
  if (r > 0) p->io[write].bytes += (u64)r;
  return r;
}

static i64 transfer(i32 fd, uaddr_t buf, u64 count, const i64 *pos, bool write) {
  struct ofd *f AUTO_OFD = ofd_hold(fd);
  if (!f) return -EBADF;
  struct iobuf io;
  iobuf_init_guest(&io, buf, MIN(count, RW_MAX_BYTES));
  return counted(write, write ? write_at(f, &io, pos) : read_at(f, &io, pos));
}
i64 sys_read(i32 fd, uaddr_t buf, u64 count) { return transfer(fd, buf, count, NULL, false); }
i64 sys_write(i32 fd, uaddr_t buf, u64 count) { return transfer(fd, buf, count, NULL, true); }
i64 sys_pread64(i32 fd, uaddr_t buf, u64 count, i64 offset) { return transfer(fd, buf, count, &offset, false); }
i64 sys_pwrite64(i32 fd, uaddr_t buf, u64 count, i64 offset) { return transfer(fd, buf, count, &offset, true); }

static i64 transfer_vector(i32 fd, uaddr_t iov, u64 count, const i64 *pos, bool write) {
  struct ofd *f AUTO_OFD = ofd_hold(fd);
  if (!f) return -EBADF;
  u32 mode = f->flags & O_ACCMODE; /* asked before the buffers */
  if ((f->flags & O_PATH) || mode == (write ? O_RDONLY : O_WRONLY)) return -EBADF;
  if (count > IOV_MAX) return -EINVAL;
  struct iobuf io;
  i64 r = iobuf_init_iovec(&io, iov, (u32)count);
  if (r) return r;
  io.left = MIN(io.left, RW_MAX_BYTES);
  r = counted(write, write ? write_at(f, &io, pos) : read_at(f, &io, pos));
  iobuf_free(&io);
  return r;
}
i64 sys_readv(i32 fd, uaddr_t iov, u64 iovcnt) { return transfer_vector(fd, iov, iovcnt, NULL, false); }
i64 sys_writev(i32 fd, uaddr_t iov, u64 iovcnt) { return transfer_vector(fd, iov, iovcnt, NULL, true); }
i64 sys_preadv(i32 fd, uaddr_t iov, u64 iovcnt, i64 offset) { return transfer_vector(fd, iov, iovcnt, &offset, false); }
i64 sys_pwritev(i32 fd, uaddr_t iov, u64 iovcnt, i64 offset) { return transfer_vector(fd, iov, iovcnt, &offset, true); }
i64 sys_preadv2(i32 fd, uaddr_t iov, u64 iovcnt, i64 offset, UNUSED u64 pos_h, u32 flags) {
  if (flags & ~(u32)(RWF_HIPRI | RWF_DSYNC | RWF_SYNC)) return -EOPNOTSUPP;
  return transfer_vector(fd, iov, iovcnt, offset == -1 ? NULL : &offset, false);
}
i64 sys_pwritev2(i32 fd, uaddr_t iov, u64 iovcnt, i64 offset, UNUSED u64 pos_h, u32 flags) {
  if (flags & ~(u32)(RWF_HIPRI | RWF_DSYNC | RWF_SYNC | RWF_APPEND)) return -EOPNOTSUPP;
  struct ofd *f AUTO_OFD = ofd_hold(fd);
  if (!f) return -EBADF;
  if (!(flags & RWF_APPEND)) return transfer_vector(fd, iov, iovcnt, offset == -1 ? NULL : &offset, true);
  if (!f->inode || !S_ISREG(f->inode->mode)) return transfer_vector(fd, iov, iovcnt, NULL, true);
  i64 end = (i64)f->inode->size, r = transfer_vector(fd, iov, iovcnt, &end, true);
  if (r > 0 && offset == -1) f->pos = (u64)(end + r);
  return r;
}

i64 sys_lseek(i32 fd, i64 offset, i32 whence) {
  struct ofd *f AUTO_OFD = ofd_hold(fd);
  if (!f) return -EBADF;
  if ((u32)whence > SEEK_MAX) return -EINVAL;
  return f->ops->seek ? f->ops->seek(f, offset, whence) : -ESPIPE;
}

/* ---- size ---- */
static i64 resize(struct inode *ino, i64 length) {
  if ((u64)length > current->process->limits[RLIMIT_FSIZE].cur && S_ISREG(ino->mode)) {
    signal_thread(current, SIGXFSZ, NULL);
    return -EFBIG;
  }
  int r = file_truncate(ino, (u64)length);
  if (!r && !credentials_capable(caller(), CAP_FSETID)) inode_drop_privileges(ino);
  return r;
}

i64 sys_truncate(uaddr_t path, i64 length) {
  if (length < 0) return -EINVAL;
  struct walk *w AUTO_WALK = NULL;
  int r = walk_in(&w, AT_FDCWD, path, 0);
  if (r) return r;
  if (S_ISREG(w->inode->mode) && (r = mount_may_write(w->mount, w->inode))) return r;
  if (S_ISREG(w->inode->mode) && (r = inode_permission(w->inode, caller(), 2))) return r;
  i64 done = resize(w->inode, length);
  if (!done) walk_notify(w, IN_MODIFY);
  return done;
}

i64 sys_ftruncate(i32 fd, i64 length) {
  if (length < 0) return -EINVAL;
  struct ofd *f AUTO_OFD = ofd_hold(fd);
  if (!f || (f->flags & O_PATH)) return -EBADF;
  if ((f->flags & O_ACCMODE) == O_RDONLY || !f->inode || !S_ISREG(f->inode->mode)) return -EINVAL;
  i64 done = resize(f->inode, length);
  if (!done) ofd_notify(f, IN_MODIFY);
  return done;
}

i64 sys_fallocate(i32 fd, i32 mode, i64 offset, i64 length) {
  struct ofd *f AUTO_OFD = ofd_hold(fd);
  if (!f || (f->flags & O_PATH)) return -EBADF;
  if (offset < 0 || length <= 0) return -EINVAL;
  u32 known = FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE;
  if ((u32)mode & ~known) return -EOPNOTSUPP;
  if ((f->flags & O_PATH) || (f->flags & O_ACCMODE) == O_RDONLY) return -EBADF;
  struct inode *ino = f->inode;
  if (!ino || S_ISFIFO(ino->mode)) return -ESPIPE;
  if (S_ISDIR(ino->mode)) return -EISDIR;
  if (!S_ISREG(ino->mode)) return -ENODEV;
  if (offset > INT64_MAX - length) return -EFBIG;
  if (!ino->ops->fallocate) return -EOPNOTSUPP;
  if (!(mode & FALLOC_FL_KEEP_SIZE) && (u64)(offset + length) > current->process->limits[RLIMIT_FSIZE].cur) {
    signal_thread(current, SIGXFSZ, NULL);
    return -EFBIG;
  }
  bool grows = !(mode & FALLOC_FL_KEEP_SIZE) && (u64)(offset + length) > ino->size;
  if ((ino->seals & F_SEAL_GROW) && grows) return -EPERM;
  if ((ino->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) && (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))) return -EPERM;
  int r = ino->ops->fallocate(ino, (u32)mode, (u64)offset, (u64)length);
  if (!r) ofd_notify(f, IN_MODIFY);
  return r;
}

/* ---- from file to descriptor ---- */
#define COPY_PAGES 16u

/* Move up to count bytes from in (at *in_pos) to out (at *out_pos, or its own position when NULL). */
static i64 copy_between(struct ofd *in, u64 *in_pos, struct ofd *out, u64 *out_pos, u64 count) {
  u8 *buffer = kpages_alloc(COPY_PAGES);
  if (!buffer) return -ENOMEM;
  i64 done = 0, r = 0;
  while (count) {
    struct iobuf io;
    u64 n = MIN(count, (u64)COPY_PAGES * PAGE_BYTES);
    iobuf_init_kernel(&io, buffer, n);
    if ((r = ofd_pread(in, &io, *in_pos)) <= 0) break;
    n = (u64)r;
    iobuf_init_kernel(&io, buffer, n);
    i64 at = out_pos ? (i64)*out_pos : 0;
    if ((r = write_at(out, &io, out_pos ? &at : NULL)) <= 0) break;
    *in_pos += (u64)r, done += r, count -= (u64)r;
    if (out_pos) *out_pos += (u64)r;
    if ((u64)r < n) break;
  }
  kpages_free(buffer, COPY_PAGES);
  return done ? done : r;
}

static int offset_in(uaddr_t addr, u64 *pos) {
  i64 offset;
  if (COPY_IN(offset, addr)) return -EFAULT;
  if (offset < 0) return -EINVAL;
  *pos = (u64)offset;
  return 0;
}

i64 sys_sendfile(i32 out_fd, i32 in_fd, uaddr_t offset, u64 count) {
  u64 pos = 0;
  i64 given;
  if (offset && COPY_IN(given, offset)) return -EFAULT;
  struct ofd *in AUTO_OFD = ofd_hold(in_fd), *out AUTO_OFD = ofd_hold(out_fd);
  if (!in || (in->flags & O_PATH) || (in->flags & O_ACCMODE) == O_WRONLY) return -EBADF;
  if (!out || (out->flags & O_PATH) || (out->flags & O_ACCMODE) == O_RDONLY) return -EBADF;
  if (!in->ops->seek) return offset ? -ESPIPE : -EINVAL;
  if (!in->ops->read || !in->inode || S_ISDIR(in->inode->mode) || (out->flags & O_APPEND)) return -EINVAL;
  if (offset && given < 0) return -EINVAL;
  pos = offset ? (u64)given : in->pos;
  i64 n = copy_between(in, &pos, out, NULL, MIN(count, RW_MAX_BYTES));
  if (n < 0) return n;
  if (!offset)
    in->pos = pos;
  else if (COPY_OUT(offset, pos))
    return -EFAULT;
  return n;
}

i64 sys_copy_file_range(i32 fd_in, uaddr_t off_in, i32 fd_out, uaddr_t off_out, u64 len, u32 flags) {
  if (flags) return -EINVAL;
  struct ofd *in AUTO_OFD = ofd_hold(fd_in), *out AUTO_OFD = ofd_hold(fd_out);
  if (!in || !out || ((in->flags | out->flags) & O_PATH)) return -EBADF;
  u64 from = in->pos, to = out->pos;
  int r = off_in ? offset_in(off_in, &from) : 0;
  if (!r && off_out) r = offset_in(off_out, &to);
  if (r == -EFAULT) return r;
  if (!in->inode || !out->inode) return -EINVAL;
  if (S_ISDIR(in->inode->mode) || S_ISDIR(out->inode->mode)) return -EISDIR;
  if (!S_ISREG(in->inode->mode) || !S_ISREG(out->inode->mode)) return -EINVAL;
  if ((in->flags & O_ACCMODE) == O_WRONLY || (out->flags & O_ACCMODE) == O_RDONLY || (out->flags & O_APPEND)) return -EBADF;
  if (r) return r;
  len = MIN(len, RW_MAX_BYTES);
  if (from + len < from || to + len < to) return -EOVERFLOW;
  u64 there = from < in->inode->size ? MIN(len, in->inode->size - from) : 0;
  if (in->inode == out->inode && from < to + there && to < from + there) return -EINVAL;
  i64 n = copy_between(in, &from, out, &to, there);
  if (n < 0) return n;
  if (off_in ? COPY_OUT(off_in, from) != 0 : (in->pos = from, false)) return -EFAULT;
  if (off_out ? COPY_OUT(off_out, to) != 0 : (out->pos = to, false)) return -EFAULT;
  return n;
}

/* ---- syncing, advice ---- */
i64 sys_fsync(i32 fd) {
  struct ofd *f AUTO_OFD = ofd_hold(fd);
  if (!f || (f->flags & O_PATH)) return -EBADF;
  return f->ops->fsync ? f->ops->fsync(f) : -EINVAL;
}
i64 sys_fdatasync(i32 fd) { return sys_fsync(fd); }
i64 sys_sync(void) {
  file_sync_all(); /* sync(2) has no errors */
  return 0;
}
i64 sys_syncfs(i32 fd) {
  struct ofd *f AUTO_OFD = ofd_hold(fd);
  if (!f || (f->flags & O_PATH)) return -EBADF;
  return f->inode ? file_sync(f->inode->sb) : 0;
}
i64 sys_sync_file_range(i32 fd, i64 offset, i64 nbytes, u32 flags) {
  const struct ofd *f = fd_get(current->process->fds, fd);
  if (!f || (f->flags & O_PATH)) return -EBADF;
  if ((flags & ~7u) || offset < 0 || nbytes < 0 || offset > INT64_MAX - nbytes) return -EINVAL;
  u32 type = f->inode ? f->inode->mode & S_IFMT : 0;
  return type == S_IFREG || type == S_IFBLK || type == S_IFDIR || type == S_IFLNK ? 0 : -ESPIPE;
}
i64 sys_fadvise64(i32 fd, UNUSED i64 offset, i64 len, i32 advice) {
  const struct ofd *f = fd_get(current->process->fds, fd);
  if (!f || (f->flags & O_PATH)) return -EBADF;
  if (f->inode && S_ISFIFO(f->inode->mode)) return -ESPIPE;
  if (len < 0 || (u32)advice > 5) return -EINVAL;
  if (advice == POSIX_FADV_WILLNEED && f->inode) file_missing(f->inode, true);
  return 0;
}
i64 sys_readahead(i32 fd, UNUSED i64 offset, UNUSED u64 count) {
  const struct ofd *f = fd_get(current->process->fds, fd);
  if (!f || (f->flags & O_PATH) || (f->flags & O_ACCMODE) == O_WRONLY) return -EBADF;
  if (!f->inode || !S_ISREG(f->inode->mode)) return -EINVAL;
  file_missing(f->inode, true);
  return 0;
}

/* ---- ioctl ---- */
i64 sys_ioctl(i32 fd, u32 request, uaddr_t arg) {
  struct ofd *f AUTO_OFD = ofd_hold(fd);
  if (!f || (f->flags & O_PATH)) return -EBADF;
  struct fd_table *t = current->process->fds;
  i32 value;
  switch (request) {
  case FIOCLEX: t->entries[fd].cloexec = true; return 0;
  case FIONCLEX: t->entries[fd].cloexec = false; return 0;
  case FIONBIO:
    if (COPY_IN(value, arg)) return -EFAULT;
    f->flags = value ? f->flags | O_NONBLOCK : f->flags & ~(u32)O_NONBLOCK;
    return 0;
  case FIOASYNC:
    if (COPY_IN(value, arg)) return -EFAULT;
    return !value == !(f->flags & FASYNC) ? 0 : async_able(f) ? async_set(f, value) : -ENOTTY;
  case FIONREAD:
    if (!f->inode || !S_ISREG(f->inode->mode)) break;
    value = (i32)(f->inode->size - MIN(f->pos, f->inode->size));
    return COPY_OUT(arg, value);
  case FIOQSIZE: {
    if (!f->inode || !(S_ISREG(f->inode->mode) || S_ISDIR(f->inode->mode))) break;
    u64 size = f->inode->size;
    return COPY_OUT(arg, size);
  }
  default: break;
  }
  return f->ops->ioctl ? f->ops->ioctl(f, request, arg) : -ENOTTY;
}
