/* files: what the file handlers of sys/ share: descriptors held over a call, path arguments, the caller's credentials. */
#ifndef TIDEMARK_SYS_FILES_H
#define TIDEMARK_SYS_FILES_H
#include "../gen/syscalls.h"
#include "../task/task.h"

#define RW_MAX_BYTES 0x7ffff000ull /* the most one call moves: read(2) */

/* A description may be closed by another thread while this one is parked: hold it. */
static inline struct ofd *ofd_hold(i32 fd) {
  struct ofd *f = fd_get(current->process->fds, fd);
  if (f) ofd_get(f);
  return f;
}
static inline void ofd_cleanup(struct ofd **f) {
  if (*f) ofd_put(*f);
}
#define AUTO_OFD __attribute__((cleanup(ofd_cleanup)))
static inline void walk_cleanup(struct walk **w) { walk_free(*w); }
#define AUTO_WALK __attribute__((cleanup(walk_cleanup)))

static inline const struct credentials *caller(void) { return &current->process->cred; }
static inline struct fs_context *caller_fs(void) { return current->process->fs; }
static inline u32 fd_limit(void) { return (u32)MIN(current->process->limits[RLIMIT_NOFILE].cur, (u64)FD_LIMIT_HARD); }

/* SIGIO, sys/async.c: can it be asked for; on or off, 0 or -ENOMEM */
#ifndef FASYNC
#define FASYNC 0x2000u
#endif
bool async_able(const struct ofd *f);
int async_set(struct ofd *f, bool on);

/* A path argument with its directory descriptor: at.path is a pooled buffer. */
struct path_arg {
  struct path_at at;
  char *buffer;
  struct ofd *dir; /* held, or NULL */
};
static inline void path_arg_cleanup(struct path_arg *a) {
  path_buffer_free(a->buffer);
  if (a->dir) ofd_put(a->dir);
}
#define AUTO_PATH __attribute__((cleanup(path_arg_cleanup)))
/* What a call is about, by path or by descriptor: an inode and the mount it was reached through. */
struct target {
  struct inode *inode;
  struct superblock *mount; /* NULL: no path leads there */
  struct walk *walk;        /* one of these holds both */
  struct ofd *ofd;
};
static inline void target_cleanup(struct target *t) {
  walk_free(t->walk);
  if (t->ofd) ofd_put(t->ofd);
}
#define AUTO_TARGET __attribute__((cleanup(target_cleanup)))
int target_in(struct target *t, i32 dirfd, uaddr_t path, u32 flags); /* AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH */
int target_of_fd(struct target *t, i32 fd, bool path_fine);
static inline void target_notify(const struct target *t, u32 mask) {
  if (t->walk) walk_notify(t->walk, mask);
  else ofd_notify(t->ofd, mask);
}

int path_in(struct path_arg *a, i32 dirfd, uaddr_t path); /* 0, -EFAULT, -ENAMETOOLONG, -EBADF, -ENOMEM */
/* path_in and path_walk in one */
int walk_in(struct walk **w, i32 dirfd, uaddr_t path, u32 walk_flags);
#endif
