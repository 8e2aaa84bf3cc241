/* wasi/fds: a module's descriptors: their rights, flags, preopen names, renumbering and closing (witx fdstat, prestat).
 *
 * Rights are what a description can do, less what the module gave up: as today's runtimes do it, they tell, and only
 * reading and writing are refused by them. */
#include "wasi.h"

#include "../net/net.h"

#define DIRECTORY_RIGHTS                                                                                                 \
  (WASI_RIGHTS_PATH_CREATE_DIRECTORY | WASI_RIGHTS_PATH_CREATE_FILE | WASI_RIGHTS_PATH_LINK_SOURCE |                     \
   WASI_RIGHTS_PATH_LINK_TARGET | WASI_RIGHTS_PATH_OPEN | WASI_RIGHTS_FD_READDIR | WASI_RIGHTS_PATH_READLINK |           \
   WASI_RIGHTS_PATH_RENAME_SOURCE | WASI_RIGHTS_PATH_RENAME_TARGET | WASI_RIGHTS_PATH_SYMLINK |                          \
   WASI_RIGHTS_PATH_REMOVE_DIRECTORY | WASI_RIGHTS_PATH_UNLINK_FILE | WASI_RIGHTS_PATH_FILESTAT_GET |                    \
   WASI_RIGHTS_PATH_FILESTAT_SET_TIMES | WASI_RIGHTS_FD_FILESTAT_GET | WASI_RIGHTS_FD_FILESTAT_SET_TIMES)
#define FILE_RIGHTS                                                                                                      \
  (WASI_RIGHTS_FD_DATASYNC | WASI_RIGHTS_FD_READ | WASI_RIGHTS_FD_SEEK | WASI_RIGHTS_FD_FDSTAT_SET_FLAGS |               \
   WASI_RIGHTS_FD_SYNC | WASI_RIGHTS_FD_TELL | WASI_RIGHTS_FD_WRITE | WASI_RIGHTS_FD_ADVISE | WASI_RIGHTS_FD_ALLOCATE |  \
   WASI_RIGHTS_FD_FILESTAT_GET | WASI_RIGHTS_FD_FILESTAT_SET_SIZE | WASI_RIGHTS_FD_FILESTAT_SET_TIMES |                  \
   WASI_RIGHTS_POLL_FD_READWRITE)
#define SOCKET_RIGHTS (WASI_RIGHTS_SOCK_SHUTDOWN | WASI_RIGHTS_SOCK_ACCEPT)

struct fdstat { /* witx */
  u8 filetype, pad;
  u16 flags;
  u32 pad2;
  u64 base, inheriting;
};
_Static_assert(sizeof(struct fdstat) == 24, "fdstat");

/* ---- the side table ---- */
struct wasi_fd *wasi_fd_of(i32 fd) {
  struct wasi *w = current->process->wasi;
  return fd >= 0 && (u32)fd < w->fd_capacity ? &w->fds[fd] : NULL;
}

struct wasi_fd *wasi_fd_make(i32 fd) {
  struct wasi *w = current->process->wasi;
  if ((u32)fd >= w->fd_capacity) {
    u32 capacity = MAX(32u, ALIGN_UP((u32)fd + 1, 32u));
    struct wasi_fd *fds = krealloc(w->fds, capacity * sizeof *fds);
    if (!fds) return NULL;
    memset(fds + w->fd_capacity, 0, (capacity - w->fd_capacity) * sizeof *fds);
    w->fds = fds, w->fd_capacity = capacity;
  }
  return &w->fds[fd];
}

void wasi_fd_forget(i32 fd) {
  struct wasi_fd *w = wasi_fd_of(fd);
  if (!w) return;
  kfree(w->preopen);
  *w = (struct wasi_fd){0};
}

bool wasi_refused(i32 fd, u64 right) {
  const struct wasi_fd *w = wasi_fd_of(fd);
  return w && (w->refused & right);
}

struct ofd *wasi_hold(i32 fd) {
  struct ofd *f = ofd_hold(fd);
  if (f && (f->flags & O_PATH)) ofd_put(f), f = NULL;
  return f;
}

/* ---- fdstat ---- */
u8 wasi_filetype(const struct inode *ino, const struct ofd *f) {
  switch (ino ? ino->mode & S_IFMT : 0) {
  case S_IFBLK: return WASI_FILETYPE_BLOCK_DEVICE;
  case S_IFCHR: return WASI_FILETYPE_CHARACTER_DEVICE;
  case S_IFDIR: return WASI_FILETYPE_DIRECTORY;
  case S_IFREG: return WASI_FILETYPE_REGULAR_FILE;
  case S_IFLNK: return WASI_FILETYPE_SYMBOLIC_LINK;
  case S_IFSOCK: {
    const struct socket *s = f ? socket_of(f) : NULL;
    return s && !socket_is_stream(s) ? WASI_FILETYPE_SOCKET_DGRAM : WASI_FILETYPE_SOCKET_STREAM;
  }
  default: return WASI_FILETYPE_UNKNOWN;
  }
}

static void rights_of(i32 fd, const struct ofd *f, u64 *base, u64 *inheriting) {
  u8 type = wasi_filetype(f->inode, f);
  if (type == WASI_FILETYPE_DIRECTORY) *base = DIRECTORY_RIGHTS, *inheriting = DIRECTORY_RIGHTS | FILE_RIGHTS;
  else {
    *base = FILE_RIGHTS;
    if (type == WASI_FILETYPE_SOCKET_DGRAM || type == WASI_FILETYPE_SOCKET_STREAM) *base |= SOCKET_RIGHTS;
    if (!f->ops->seek) *base &= ~(u64)(WASI_RIGHTS_FD_SEEK | WASI_RIGHTS_FD_TELL); /* how a C library knows a terminal */
    if ((f->flags & O_ACCMODE) == O_WRONLY) *base &= ~(u64)WASI_RIGHTS_FD_READ;
    if ((f->flags & O_ACCMODE) == O_RDONLY) *base &= ~(u64)WASI_RIGHTS_FD_WRITE;
    *inheriting = *base;
  }
  const struct wasi_fd *w = wasi_fd_of(fd);
  if (w) *base &= ~w->refused, *inheriting &= ~w->refused_inheriting;
}

i64 wasi_do_fd_fdstat_get(u32 fd, u32 stat) {
  struct ofd *f AUTO_OFD = wasi_hold((i32)fd);
  if (!f) return -EBADF;
  struct fdstat s = {.filetype = wasi_filetype(f->inode, f)};
  if (f->flags & O_APPEND) s.flags |= WASI_FDFLAGS_APPEND;
  if (f->flags & O_NONBLOCK) s.flags |= WASI_FDFLAGS_NONBLOCK;
  if ((f->flags & O_SYNC) == O_SYNC) s.flags |= WASI_FDFLAGS_SYNC;
  else if (f->flags & O_DSYNC) s.flags |= WASI_FDFLAGS_DSYNC;
  rights_of((i32)fd, f, &s.base, &s.inheriting);
  return COPY_OUT(stat, s);
}

i64 wasi_do_fd_fdstat_set_flags(u32 fd, u32 flags) {
  struct ofd *f AUTO_OFD = wasi_hold((i32)fd);
  if (!f || S_ISDIR(f->inode ? f->inode->mode : 0)) return -EBADF;
  if (flags & ~(u32)(WASI_FDFLAGS_APPEND | WASI_FDFLAGS_NONBLOCK)) return flags > 31 ? -EINVAL : -EOPNOTSUPP;
  f->flags &= ~(u32)(O_APPEND | O_NONBLOCK);
  if (flags & WASI_FDFLAGS_APPEND) f->flags |= O_APPEND;
  if (flags & WASI_FDFLAGS_NONBLOCK) f->flags |= O_NONBLOCK;
  return 0;
}

/* Rights can only be given up. */
i64 wasi_do_fd_fdstat_set_rights(u32 fd, u64 base, u64 inheriting) {
  struct ofd *f AUTO_OFD = wasi_hold((i32)fd);
  if (!f) return -EBADF;
  u64 has, has_inheriting;
  rights_of((i32)fd, f, &has, &has_inheriting);
  if ((base & ~has) || (inheriting & ~has_inheriting)) return -(WASI_RESULT + WASI_ENOTCAPABLE);
  struct wasi_fd *w = wasi_fd_make((i32)fd);
  if (!w) return -ENOMEM;
  w->refused = ~base, w->refused_inheriting = ~inheriting;
  return 0;
}

/* ---- preopens ---- */
struct prestat { /* witx; tag 0: a directory */
  u32 tag, name_bytes;
};
/* A descriptor among the preopens that is none (inherited): C libraries stop looking at EBADF, and skip other tags. */
#define PRESTAT_OTHER 255u

i64 wasi_do_fd_prestat_get(u32 fd, u32 buf) {
  const struct ofd *f = fd_get(current->process->fds, (i32)fd);
  const struct wasi_fd *w = f ? wasi_fd_of((i32)fd) : NULL;
  if (!f || ((!w || !w->preopen) && (fd < 3 || fd > current->process->wasi->last_preopen))) return -EBADF;
  struct prestat s = {.tag = PRESTAT_OTHER};
  if (w && w->preopen) s = (struct prestat){.name_bytes = (u32)strlen(w->preopen)};
  return COPY_OUT(buf, s);
}

i64 wasi_do_fd_prestat_dir_name(u32 fd, u32 path, u32 path_len) {
  const struct wasi_fd *w = wasi_fd_of((i32)fd);
  if (!w || !w->preopen) return -EBADF;
  u32 bytes = (u32)strlen(w->preopen);
  if (path_len < bytes) return -ENAMETOOLONG;
  return copy_out(path, w->preopen, bytes);
}

/* ---- closing ---- */
i64 wasi_do_fd_close(u32 fd) {
  /* first: the number may be another thread's before the close is through */
  if (fd_get(current->process->fds, (i32)fd)) wasi_fd_forget((i32)fd);
  return fd_close(current->process->fds, (i32)fd);
}

i64 wasi_do_fd_renumber(u32 fd, u32 to) {
  struct fd_table *t = current->process->fds;
  struct ofd *f AUTO_OFD = wasi_hold((i32)fd);
  if (!f || !fd_get(t, (i32)to)) return -EBADF;
  if (fd == to) return 0;
  if (!wasi_fd_make((i32)MAX(fd, to))) return -ENOMEM;
  ofd_get(f);
  int r = fd_replace(t, (i32)to, f, fd_limit(), false);
  if (r < 0) {
    ofd_put(f);
    return r;
  }
  wasi_fd_forget((i32)to);
  *wasi_fd_of((i32)to) = *wasi_fd_of((i32)fd);
  wasi_fd_of((i32)fd)->preopen = NULL;
  wasi_fd_forget((i32)fd);
  return fd_close(t, (i32)fd);
}
