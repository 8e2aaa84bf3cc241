/* sys/path: names: open, create, remove, move, links, working directory. Thin handlers over file/.
 * openat(2), openat2(2), mkdir(2), mknod(2), unlink(2), symlink(2), link(2), rename(2), readlink(2), getcwd(2), chdir(2),
 * chroot(2), umask(2). */
#include "files.h"

static void path_arg_start(struct path_arg *a) {
  a->at.at = a->dir->inode, a->at.at_mount = a->dir->mount, a->at.at_path = a->dir->path;
}

int path_in(struct path_arg *a, i32 dirfd, uaddr_t path) {
  if (!(a->buffer = path_buffer())) return -ENOMEM;
  i64 n = strncpy_in(a->buffer, path, PATH_BYTES);
  if (n < 0) return (int)n;
  a->at.path = a->buffer;
  if (a->buffer[0] == '/' || dirfd == AT_FDCWD) return 0;
  if (!(a->dir = ofd_hold(dirfd))) return -EBADF;
  if (!a->dir->inode) return -ENOTDIR;
  path_arg_start(a);
  return 0;
}

int walk_in(struct walk **w, i32 dirfd, uaddr_t path, u32 walk_flags) {
  struct path_arg a AUTO_PATH = {0};
  int r = path_in(&a, dirfd, path);
  if (r) return r;
  if (!(*w = walk_new())) return -ENOMEM;
  return path_walk_at(caller_fs(), caller(), &a.at, walk_flags, *w);
}

/* ---- opening ---- */
static i64 open_and_install(const struct path_arg *a, u32 flags, u32 mode, u32 walk_flags) {
  if (!fd_has_room(current->process->fds, fd_limit())) return -EMFILE;
  struct ofd *f;
  int r = file_open_walk(caller_fs(), caller(), &a->at, flags, mode, walk_flags, &f);
  if (r) return r;
  if ((r = fd_install(current->process->fds, f, 0, fd_limit(), flags & O_CLOEXEC)) < 0) ofd_put(f);
  return r;
}

i64 sys_openat(i32 dirfd, uaddr_t path, u32 flags, u32 mode) {
  struct path_arg a AUTO_PATH = {0};
  int r = path_in(&a, dirfd, path);
  if (r) return r;
  if (!(flags & O_PATH)) flags |= O_LARGEFILE; /* as every 64-bit Linux */
  return open_and_install(&a, flags, mode, 0);
}

#define OPEN_FLAGS                                                                                                       \
  (O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK | O_SYNC | O_DSYNC | O_DIRECT | O_LARGEFILE | \
   O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC | O_PATH | O_TMPFILE | FASYNC)
#define FASYNC 0x2000u

i64 sys_openat2(i32 dirfd, uaddr_t path, uaddr_t how_addr, u64 size) {
  struct guest_open_how how;
  if (size < sizeof how) return -EINVAL;
  if (size > PAGE_BYTES) return -E2BIG;
  int r = COPY_IN(how, how_addr);
  for (u64 at = sizeof how; !r && at < size; at += 8) { /* what a newer caller knows must be zero */
    u64 more = 0;
    r = copy_in(&more, how_addr + at, (size_t)MIN(size - at, 8ull));
    if (!r && more) return -E2BIG;
  }
  if (r) return r;
  u64 known = RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH | RESOLVE_IN_ROOT | RESOLVE_CACHED;
  if ((how.flags & ~(u64)OPEN_FLAGS) || (how.resolve & ~known)) return -EINVAL;
  if ((how.resolve & RESOLVE_BENEATH) && (how.resolve & RESOLVE_IN_ROOT)) return -EINVAL;
  bool makes = how.flags & (O_CREAT | ((u32)O_TMPFILE & ~(u32)O_DIRECTORY));
  if (makes ? how.mode & ~07777ull : how.mode != 0) return -EINVAL;
  if ((how.flags & O_PATH) && (how.flags & ~(u64)(O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC))) return -EINVAL;
  if (how.resolve & RESOLVE_CACHED && (how.flags & (O_TRUNC | O_CREAT | O_TMPFILE))) return -EAGAIN;
  u32 walk_flags = 0;
  if (how.resolve & RESOLVE_NO_XDEV) walk_flags |= WALK_NO_XDEV;
  if (how.resolve & RESOLVE_NO_MAGICLINKS) walk_flags |= WALK_NO_MAGIC;
  if (how.resolve & RESOLVE_NO_SYMLINKS) walk_flags |= WALK_NO_LINKS;
  if (how.resolve & RESOLVE_BENEATH) walk_flags |= WALK_BENEATH;
  if (how.resolve & RESOLVE_IN_ROOT) walk_flags |= WALK_IN_ROOT;
  struct path_arg a AUTO_PATH = {0};
  if ((r = path_in(&a, dirfd, path))) return r;
  if (a.buffer[0] == '/' && (how.resolve & RESOLVE_IN_ROOT) && dirfd != AT_FDCWD) { /* "/" is the directory */
    if (!(a.dir = ofd_hold(dirfd))) return -EBADF;
    if (!a.dir->inode) return -ENOTDIR;
    path_arg_start(&a);
  }
  u32 flags = (u32)how.flags;
  return open_and_install(&a, flags & O_PATH ? flags : flags | O_LARGEFILE, (u32)how.mode, walk_flags);
}

/* ---- names ---- */
i64 sys_mkdirat(i32 dirfd, uaddr_t path, u32 mode) {
  struct path_arg a AUTO_PATH = {0};
  int r = path_in(&a, dirfd, path);
  return r ? r : file_mkdir(caller_fs(), caller(), &a.at, mode);
}

i64 sys_mknodat(i32 dirfd, uaddr_t path, u32 mode, u32 dev) {
  struct path_arg a AUTO_PATH = {0};
  int r = path_in(&a, dirfd, path);
  if (r) return r;
  switch (mode & S_IFMT) {
  case 0:
  case S_IFREG:
  case S_IFIFO:
  case S_IFSOCK: dev = 0; break;
  case S_IFCHR:
  case S_IFBLK: break;
  case S_IFDIR: return -EPERM;
  default: return -EINVAL;
  }
  return file_mknod(caller_fs(), caller(), &a.at, mode, dev);
}

i64 sys_unlinkat(i32 dirfd, uaddr_t path, u32 flags) {
  if (flags & ~(u32)AT_REMOVEDIR) return -EINVAL;
  struct path_arg a AUTO_PATH = {0};
  int r = path_in(&a, dirfd, path);
  return r ? r : file_unlink(caller_fs(), caller(), &a.at, flags & AT_REMOVEDIR);
}

i64 sys_symlinkat(uaddr_t target, i32 newdirfd, uaddr_t linkpath) {
  struct path_arg t AUTO_PATH = {0}, a AUTO_PATH = {0};
  int r = path_in(&t, AT_FDCWD, target);
  if (!r) r = path_in(&a, newdirfd, linkpath);
  return r ? r : file_symlink(caller_fs(), caller(), t.buffer, &a.at);
}

i64 sys_linkat(i32 olddirfd, uaddr_t oldpath, i32 newdirfd, uaddr_t newpath, u32 flags) {
  if (flags & ~(u32)(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH)) return -EINVAL;
  if ((flags & AT_EMPTY_PATH) && !credentials_capable(caller(), CAP_DAC_READ_SEARCH)) return -ENOENT;
  struct path_arg from AUTO_PATH = {0}, to AUTO_PATH = {0};
  int r = path_in(&from, olddirfd, oldpath);
  if (!r) r = path_in(&to, newdirfd, newpath);
  u32 walk_flags = (flags & AT_SYMLINK_FOLLOW ? 0 : WALK_NOFOLLOW) | (flags & AT_EMPTY_PATH ? WALK_EMPTY : 0);
  return r ? r : file_link(caller_fs(), caller(), &from.at, walk_flags, &to.at);
}

i64 sys_renameat2(i32 olddirfd, uaddr_t oldpath, i32 newdirfd, uaddr_t newpath, u32 flags) {
  struct path_arg from AUTO_PATH = {0}, to AUTO_PATH = {0};
  int r = path_in(&from, olddirfd, oldpath);
  if (!r) r = path_in(&to, newdirfd, newpath);
  return r ? r : file_rename(caller_fs(), caller(), &from.at, &to.at, flags);
}

i64 sys_readlinkat(i32 dirfd, uaddr_t path, uaddr_t buf, i32 bufsiz) {
  if (bufsiz <= 0) return -EINVAL;
  struct path_arg a AUTO_PATH = {0};
  struct walk *w AUTO_WALK = NULL;
  int r = path_in(&a, dirfd, path);
  if (r) return r;
  if (!(w = walk_new())) return -ENOMEM;
  r = path_walk_at(caller_fs(), caller(), &a.at, WALK_NOFOLLOW | WALK_EMPTY, w);
  if (r) return r;
  if (!S_ISLNK(w->inode->mode) || !w->inode->ops->readlink) return a.buffer[0] ? -EINVAL : -ENOENT;
  i64 n = w->inode->ops->readlink(w->inode, a.buffer, (u32)MIN((u32)bufsiz, PATH_BYTES));
  if (n < 0) return n;
  n = MIN(n, (i64)bufsiz);
  r = copy_out(buf, a.buffer, (size_t)n);
  return r ? r : n;
}

/* ---- where a process stands ---- */
i64 sys_getcwd(uaddr_t buf, u64 size) {
  char *path = path_buffer();
  if (!path) return -ENOMEM;
  struct fs_context *fs = caller_fs();
  i64 n = path_of_cwd(fs, path, PATH_BYTES);
  if (n >= 0) {
    if (strcmp(path, fs->cwd_path)) { /* a directory above was renamed: from now on the new name */
      char *fresh = kstrdup(path);
      if (fresh) {
        kfree(fs->cwd_path);
        fs->cwd_path = fresh;
      }
    }
    n++;
    if ((u64)n > size)
      n = -ERANGE;
    else if (copy_out(buf, path, (size_t)n))
      n = -EFAULT;
  }
  path_buffer_free(path);
  return n;
}

static int set_cwd(struct inode *dir, struct superblock *mount, const char *path) {
  int r = S_ISDIR(dir->mode) ? inode_permission(dir, caller(), 1) : -ENOTDIR;
  if (r) return r;
  char *copy = kstrdup(path ? path : "/");
  if (!copy) return -ENOMEM;
  struct fs_context *fs = caller_fs();
  inode_get(dir);
  inode_put(fs->cwd);
  kfree(fs->cwd_path);
  if (!mount) mount = dir->sb;
  mount_hold(mount);
  mount_drop(fs->cwd_mount);
  fs->cwd = dir, fs->cwd_mount = mount, fs->cwd_path = copy;
  return 0;
}

i64 sys_chdir(uaddr_t path) {
  struct walk *w AUTO_WALK = NULL;
  int r = walk_in(&w, AT_FDCWD, path, WALK_DIRECTORY);
  return r ? r : set_cwd(w->inode, w->mount, w->path);
}

i64 sys_fchdir(i32 fd) {
  struct ofd *f AUTO_OFD = ofd_hold(fd);
  if (!f) return -EBADF;
  return f->inode ? set_cwd(f->inode, f->mount, f->path) : -ENOTDIR;
}

i64 sys_chroot(uaddr_t path) {
  struct walk *w AUTO_WALK = NULL;
  int r = walk_in(&w, AT_FDCWD, path, WALK_DIRECTORY);
  if (!r) r = inode_permission(w->inode, caller(), 1);
  if (!r && !credentials_capable(caller(), CAP_SYS_CHROOT)) r = -EPERM;
  if (r) return r;
  struct fs_context *fs = caller_fs();
  inode_get(w->inode);
  inode_put(fs->root);
  mount_hold(w->mount);
  mount_drop(fs->root_mount);
  fs->root = w->inode, fs->root_mount = w->mount;
  return 0;
}

i64 sys_umask(u32 mask) {
  struct fs_context *fs = caller_fs();
  u32 old = fs->umask;
  fs->umask = mask & 0777;
  return old;
}
