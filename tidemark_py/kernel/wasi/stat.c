/* wasi/stat: what is known of a file and may be set: fd_filestat_get, fd_filestat_set_size, fd_filestat_set_times,
 * path_filestat_get, path_filestat_set_times (witx filestat, fstflags). */
#include "wasi.h"

struct filestat { /* witx */
  u64 dev, ino;
  u8 filetype, pad[7];
  u64 nlink, size, atim, mtim, ctim;
};
_Static_assert(sizeof(struct filestat) == 64, "filestat");

static u64 ns_of(struct timespec64 t) { return (u64)t.sec * NS_PER_S + (u64)t.nsec; }

static i64 stat_out(struct inode *ino, const struct ofd *f, u32 buf) {
  int r = ino->ops && ino->ops->getattr ? ino->ops->getattr(ino) : 0;
  if (r) return r;
  struct filestat s = {.dev = ino->sb->dev, .ino = ino->ino, .filetype = wasi_filetype(ino, f), .nlink = ino->nlink,
                       .size = ino->size, .atim = ns_of(ino->atime), .mtim = ns_of(ino->mtime), .ctim = ns_of(ino->ctime)};
  return COPY_OUT(buf, s);
}

i64 wasi_do_fd_filestat_get(u32 fd, u32 buf) {
  struct ofd *f AUTO_OFD = wasi_hold((i32)fd);
  return f && f->inode ? stat_out(f->inode, f, buf) : -EBADF;
}

static int walk(struct walk **w, u32 fd, u32 flags, u32 path, u32 path_len) {
  struct path_arg a AUTO_PATH = {0};
  if (flags > 1) return -EINVAL;
  int r = wasi_path(&a, fd, path, path_len);
  if (r) return r;
  if (!(*w = walk_new())) return -ENOMEM;
  u32 walk_flags = flags & WASI_LOOKUP_SYMLINK_FOLLOW ? 0 : WALK_NOFOLLOW;
  return (int)wasi_path_result(path_walk_at(caller_fs(), caller(), &a.at, walk_flags, *w));
}

i64 wasi_do_path_filestat_get(u32 fd, u32 flags, u32 path, u32 path_len, u32 buf) {
  struct walk *w AUTO_WALK = NULL;
  int r = walk(&w, fd, flags, path, path_len);
  return r ? r : stat_out(w->inode, NULL, buf);
}

/* ---- setting ---- */
static int time_of(struct timespec64 *t, u64 ns, bool set, bool now) {
  if (set && now) return -EINVAL;
  t->sec = (i64)(ns / NS_PER_S);
  t->nsec = now ? UTIME_NOW : set ? (i32)(ns % NS_PER_S) : UTIME_OMIT;
  return 0;
}

static i64 set_times(struct inode *ino, const struct superblock *mount, u64 atim, u64 mtim, u32 flags) {
  struct timespec64 t[2];
  if (flags > 15) return -EINVAL;
  int r = time_of(&t[0], atim, flags & WASI_FSTFLAGS_ATIM, flags & WASI_FSTFLAGS_ATIM_NOW);
  if (!r) r = time_of(&t[1], mtim, flags & WASI_FSTFLAGS_MTIM, flags & WASI_FSTFLAGS_MTIM_NOW);
  if (!r) r = mount_may_write(mount, ino);
  return r ? r : inode_set_times(ino, caller(), t);
}

i64 wasi_do_fd_filestat_set_times(u32 fd, u64 atim, u64 mtim, u32 flags) {
  struct ofd *f AUTO_OFD = wasi_hold((i32)fd);
  return f && f->inode ? set_times(f->inode, f->mount, atim, mtim, flags) : -EBADF;
}
i64 wasi_do_path_filestat_set_times(u32 fd, u32 flags, u32 path, u32 path_len, u64 atim, u64 mtim, u32 fst_flags) {
  struct walk *w AUTO_WALK = NULL;
  int r = walk(&w, fd, flags, path, path_len);
  return r ? r : set_times(w->inode, w->mount, atim, mtim, fst_flags);
}

i64 wasi_do_fd_filestat_set_size(u32 fd, u64 size) {
  struct ofd *f AUTO_OFD = wasi_hold((i32)fd);
  if (!f || (f->inode && S_ISDIR(f->inode->mode))) return -EBADF;
  return size > INT64_MAX ? -EFBIG : sys_ftruncate((i32)fd, (i64)size);
}
