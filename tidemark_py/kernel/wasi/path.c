/* wasi/path: names under directory descriptors: path_open, path_create_directory, path_link, path_readlink, path_rename,
 * path_symlink, path_remove_directory, path_unlink_file. No path leads above its directory, neither by "..", nor by a
 * link, nor by being absolute; a directory that is the process's root needs no such guard. */
#include "wasi.h"

static bool is_utf8(const u8 *s, u32 n) {
  for (u32 i = 0; i < n;) {
    u8 c = s[i++];
    u32 more = c < 0x80 ? 0 : c >= 0xc2 && c < 0xe0 ? 1 : (c & 0xf0) == 0xe0 ? 2 : c >= 0xf0 && c < 0xf5 ? 3 : 4;
    if (more == 4 || i + more > n) return false;
    if ((c == 0xe0 && s[i] < 0xa0) || (c == 0xed && s[i] >= 0xa0) || (c == 0xf0 && s[i] < 0x90) || (c == 0xf4 && s[i] >= 0x90))
      return false;
    for (; more; more--)
      if ((s[i++] & 0xc0) != 0x80) return false;
  }
  return true;
}

/* A string of the module: NUL-terminated in a pooled buffer. */
static int text_in(char **out, uaddr_t text, u32 bytes) {
  if (bytes >= PATH_BYTES) return -ENAMETOOLONG;
  char *s = *out = path_buffer();
  if (!s) return -ENOMEM;
  if (copy_in(s, text, bytes)) return -EFAULT;
  s[bytes] = 0;
  if (memchr(s, 0, bytes)) return -EINVAL;
  return is_utf8((const u8 *)s, bytes) ? 0 : -EILSEQ;
}

int wasi_path(struct path_arg *a, u32 fd, uaddr_t path, u32 bytes) {
  a->dir = wasi_hold((i32)fd);
  if (!a->dir) return -EBADF;
  if (!a->dir->inode || !S_ISDIR(a->dir->inode->mode)) return -ENOTDIR;
  int r = text_in(&a->buffer, path, bytes);
  if (r) return r;
  if (a->buffer[0] == '/') return -EPERM;
  bool whole = a->dir->inode == caller_fs()->root && a->dir->mount == caller_fs()->root_mount;
  a->at = (struct path_at){.at = a->dir->inode, .at_mount = a->dir->mount, .at_path = a->dir->path, .path = a->buffer,
                           .walk = whole ? 0 : WALK_BENEATH};
  return 0;
}

i64 wasi_path_result(i64 r) { return r == -EXDEV ? -EPERM : r; }

/* ---- open ---- */
static u32 open_flags(u32 dirflags, u32 oflags, u64 base, u32 fdflags) {
  bool reads = base & (WASI_RIGHTS_FD_READ | WASI_RIGHTS_FD_READDIR);
  bool writes = base & (WASI_RIGHTS_FD_WRITE | WASI_RIGHTS_FD_ALLOCATE | WASI_RIGHTS_FD_FILESTAT_SET_SIZE);
  if ((oflags & WASI_OFLAGS_DIRECTORY) && !(oflags & WASI_OFLAGS_CREAT)) writes = writes && (base & WASI_RIGHTS_FD_WRITE);
  u32 flags = !writes ? O_RDONLY : reads ? O_RDWR : O_WRONLY;
  if (oflags & WASI_OFLAGS_CREAT) flags |= O_CREAT;
  if (oflags & WASI_OFLAGS_DIRECTORY) flags |= O_DIRECTORY;
  if (oflags & WASI_OFLAGS_EXCL) flags |= O_EXCL;
  if (oflags & WASI_OFLAGS_TRUNC) flags |= O_TRUNC;
  if (fdflags & WASI_FDFLAGS_APPEND) flags |= O_APPEND;
  if (fdflags & WASI_FDFLAGS_NONBLOCK) flags |= O_NONBLOCK;
  if (fdflags & WASI_FDFLAGS_DSYNC) flags |= O_DSYNC;
  if (fdflags & (WASI_FDFLAGS_SYNC | WASI_FDFLAGS_RSYNC)) flags |= O_SYNC;
  return flags | (dirflags & WASI_LOOKUP_SYMLINK_FOLLOW ? 0 : O_NOFOLLOW) | O_NOCTTY;
}

i64 wasi_do_path_open(u32 fd, u32 dirflags, u32 path, u32 path_len, u32 oflags, u64 base, u64 inheriting, u32 fdflags,
                      u32 opened) {
  if (dirflags > 1 || oflags > 15 || fdflags > 31) return -EINVAL;
  if ((oflags & WASI_OFLAGS_DIRECTORY) && (oflags & (WASI_OFLAGS_CREAT | WASI_OFLAGS_EXCL | WASI_OFLAGS_TRUNC))) return -EINVAL;
  struct path_arg a AUTO_PATH = {0};
  int r = wasi_path(&a, fd, path, path_len);
  if (r) return r;
  if (access_prepare(opened, 4, ACCESS_W)) return -EFAULT;
  if (!fd_has_room(current->process->fds, fd_limit())) return -EMFILE;
  struct ofd *f;
  u32 flags = open_flags(dirflags, oflags, base, fdflags);
  r = file_open(caller_fs(), caller(), &a.at, flags, 0666, &f);
  if (r) return wasi_path_result(r);
  int made = fd_install(current->process->fds, f, 0, fd_limit(), true);
  struct wasi_fd *w = made < 0 ? NULL : wasi_fd_make(made);
  if (!w) {
    if (made < 0) ofd_put(f);
    else fd_close(current->process->fds, made);
    return made < 0 ? made : -ENOMEM;
  }
  u64 io = WASI_RIGHTS_FD_READ | WASI_RIGHTS_FD_WRITE;
  *w = (struct wasi_fd){.refused = ~base & io, .refused_inheriting = ~inheriting & io};
  if (!S_ISDIR(f->inode->mode)) w->refused_inheriting |= w->refused;
  return wasi_out32(opened, (u32)made);
}

/* ---- names ---- */
i64 wasi_do_path_create_directory(u32 fd, u32 path, u32 path_len) {
  struct path_arg a AUTO_PATH = {0};
  int r = wasi_path(&a, fd, path, path_len);
  return r ? r : wasi_path_result(file_mkdir(caller_fs(), caller(), &a.at, 0777));
}

static i64 unlink(u32 fd, u32 path, u32 path_len, bool directory) {
  struct path_arg a AUTO_PATH = {0};
  int r = wasi_path(&a, fd, path, path_len);
  return r ? r : wasi_path_result(file_unlink(caller_fs(), caller(), &a.at, directory));
}
i64 wasi_do_path_unlink_file(u32 fd, u32 path, u32 path_len) { return unlink(fd, path, path_len, false); }
i64 wasi_do_path_remove_directory(u32 fd, u32 path, u32 path_len) { return unlink(fd, path, path_len, true); }

i64 wasi_do_path_link(u32 old_fd, u32 old_flags, u32 old_path, u32 old_path_len, u32 new_fd, u32 new_path, u32 new_path_len) {
  struct path_arg from AUTO_PATH = {0}, to AUTO_PATH = {0};
  int r = wasi_path(&from, old_fd, old_path, old_path_len);
  if (!r) r = wasi_path(&to, new_fd, new_path, new_path_len);
  if (!r && old_flags) r = -EINVAL; /* as today's runtimes: a link to what a symbolic link names is not made */
  return r ? r : wasi_path_result(file_link(caller_fs(), caller(), &from.at, WALK_NOFOLLOW, &to.at));
}

i64 wasi_do_path_rename(u32 fd, u32 old_path, u32 old_path_len, u32 new_fd, u32 new_path, u32 new_path_len) {
  struct path_arg from AUTO_PATH = {0}, to AUTO_PATH = {0};
  int r = wasi_path(&from, fd, old_path, old_path_len);
  if (!r) r = wasi_path(&to, new_fd, new_path, new_path_len);
  return r ? r : wasi_path_result(file_rename(caller_fs(), caller(), &from.at, &to.at, 0));
}

i64 wasi_do_path_symlink(u32 old_path, u32 old_path_len, u32 fd, u32 new_path, u32 new_path_len) {
  struct path_arg to AUTO_PATH = {0}, target AUTO_PATH = {0};
  int r = text_in(&target.buffer, old_path, old_path_len);
  if (!r) r = wasi_path(&to, fd, new_path, new_path_len);
  if (!r && to.at.walk && target.buffer[0] == '/') r = -EPERM; /* nobody under this directory could follow it */
  return r ? r : wasi_path_result(file_symlink(caller_fs(), caller(), target.buffer, &to.at));
}

i64 wasi_do_path_readlink(u32 fd, u32 path, u32 path_len, u32 buf, u32 buf_len, u32 used) {
  struct path_arg a AUTO_PATH = {0};
  struct walk *w AUTO_WALK = walk_new();
  int r = wasi_path(&a, fd, path, path_len);
  if (r) return r;
  if (!w) return -ENOMEM;
  r = path_walk_at(caller_fs(), caller(), &a.at, WALK_NOFOLLOW, w);
  if (r) return wasi_path_result(r);
  if (!S_ISLNK(w->inode->mode) || !w->inode->ops->readlink) return -EINVAL;
  char *text = path_buffer();
  if (!text) return -ENOMEM;
  i64 n = w->inode->ops->readlink(w->inode, text, PATH_BYTES);
  if (n >= 0) {
    n = MIN(n, (i64)buf_len);
    r = copy_out(buf, text, (size_t)n) ? -EFAULT : wasi_out32(used, (u32)n);
  }
  path_buffer_free(text);
  return n < 0 ? n : r;
}
