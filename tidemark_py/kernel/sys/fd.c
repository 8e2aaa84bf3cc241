/* sys/fd: the descriptor table: close(2), close_range(2), dup(2), dup3(2),
 * memfd_create(2). */
#include "files.h"

i64 sys_close(i32 fd) { return fd_close(current->process->fds, fd); }

i64 sys_close_range(u32 first, u32 last, u32 flags) {
  if (first > last || (flags & ~(u32)(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC))) return -EINVAL;
  struct process *p = current->process;
  if ((flags & CLOSE_RANGE_UNSHARE) && p->fds->refs > 1) {
    struct fd_table *own = fd_table_copy(p->fds);
    if (!own) return -ENOMEM;
    fd_table_put(p->fds);
    p->fds = own;
  }
  for (u32 fd = first; fd <= last && fd < p->fds->capacity; fd++) {
    if (!p->fds->entries[fd].ofd) continue;
    if (flags & CLOSE_RANGE_CLOEXEC)
      p->fds->entries[fd].cloexec = true;
    else
      fd_close(p->fds, (int)fd);
  }
  return 0;
}

i64 sys_dup(i32 oldfd) {
  struct ofd *f = ofd_hold(oldfd);
  if (!f) return -EBADF;
  int r = fd_install(current->process->fds, f, 0, fd_limit(), false);
  if (r < 0) ofd_put(f);
  return r;
}

i64 sys_dup3(i32 oldfd, i32 newfd, u32 flags) {
  if ((flags & ~(u32)O_CLOEXEC) || oldfd == newfd) return -EINVAL;
  struct ofd *f = ofd_hold(oldfd);
  if (!f) return -EBADF;
  int r = fd_replace(current->process->fds, newfd, f, fd_limit(), flags & O_CLOEXEC);
  if (r < 0) ofd_put(f);
  return r;
}

i64 sys_memfd_create(uaddr_t name, u32 flags) {
  char text[250]; /* the name's limit: 249 and the NUL */
  if (flags & ~(u32)(MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL | MFD_EXEC)) return -EINVAL;
  if ((flags & MFD_EXEC) && (flags & MFD_NOEXEC_SEAL)) return -EINVAL;
  i64 n = strncpy_in(text, name, sizeof text);
  if (n < 0) return n == -ENAMETOOLONG ? -EINVAL : n;
  struct ofd *f;
  int r = memfd_open(text, 0, &f);
  if (r) return r;
  f->inode->sealable = true;
  if (!(flags & (MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL))) f->inode->seals = F_SEAL_SEAL;
  if (flags & MFD_NOEXEC_SEAL) f->inode->mode &= ~0111u, f->inode->seals |= F_SEAL_EXEC;
  if ((r = fd_install(current->process->fds, f, 0, fd_limit(), flags & MFD_CLOEXEC)) < 0) ofd_put(f);
  return r;
}
