/* sys/inotify: inotify_init1(2), inotify_add_watch(2), inotify_rm_watch(2). */
#include "../ipc/inotify.h"
#include "event.h"
#include "files.h"

i64 sys_inotify_init1(u32 flags) {
  if (flags & ~(u32)(IN_CLOEXEC | IN_NONBLOCK)) return -EINVAL;
  struct ofd *f;
  int r = inotify_new(caller()->uid, flags, &f);
  return r ? r : install_new_ofd(f, flags & IN_CLOEXEC);
}

i64 sys_inotify_add_watch(i32 fd, uaddr_t path, u32 mask) {
  u32 flags = IN_ONLYDIR | IN_DONT_FOLLOW | IN_EXCL_UNLINK | IN_MASK_CREATE | IN_MASK_ADD | IN_ISDIR | IN_ONESHOT;
  u32 known = IN_ALL_EVENTS | IN_UNMOUNT | IN_Q_OVERFLOW | IN_IGNORED | flags;
  if (!(mask & known)) return -EINVAL;
  struct ofd *f AUTO_OFD = ofd_hold(fd);
  if (!f || (f->flags & O_PATH)) return -EBADF;
  if ((mask & IN_MASK_ADD) && (mask & IN_MASK_CREATE)) return -EINVAL;
  if (!ofd_is_inotify(f)) return -EINVAL;
  struct walk *w AUTO_WALK = NULL;
  int r = walk_in(&w, AT_FDCWD, path, (mask & IN_DONT_FOLLOW ? WALK_NOFOLLOW : 0) | (mask & IN_ONLYDIR ? WALK_DIRECTORY : 0));
  if (!r) r = inode_permission(w->inode, caller(), 4);
  return r ? r : inotify_watch(f, w->inode, mask);
}

i64 sys_inotify_rm_watch(i32 fd, i32 wd) {
  struct ofd *f AUTO_OFD = ofd_hold(fd);
  if (!f || (f->flags & O_PATH)) return -EBADF;
  return ofd_is_inotify(f) ? inotify_unwatch(f, wd) : -EINVAL;
}
