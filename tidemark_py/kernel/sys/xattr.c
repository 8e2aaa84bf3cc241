/* sys/xattr: setxattr(2), getxattr(2), listxattr(2), removexattr(2) in all their forms, and the -at calls of Linux 6.13. */
#include "files.h"

static int name_in(char *text, uaddr_t name) {
  i64 n = strncpy_in(text, name, XATTR_NAME_MAX + 1);
  return n == -ENAMETOOLONG || n == 0 ? -ERANGE : n < 0 ? (int)n : 0;
}

static i64 set(struct target *t, uaddr_t name, uaddr_t value, u64 size, u32 flags) {
  char text[XATTR_NAME_MAX + 1];
  if (flags & ~(u32)(XATTR_CREATE | XATTR_REPLACE)) return -EINVAL;
  int r = name_in(text, name);
  if (r) return r;
  if (size > XATTR_SIZE_MAX) return -E2BIG;
  void *copy AUTO_KFREE = kmalloc((size_t)MAX(size, 1ull));
  if (!copy) return -ENOMEM;
  if (size && (r = copy_in(copy, value, (size_t)size))) return r;
  if ((r = mount_may_write(t->mount, t->inode))) return r;
  if ((r = xattr_set(t->inode, caller(), text, copy, (u32)size, flags))) return r;
  target_notify(t, IN_ATTRIB);
  return 0;
}

static i64 get(struct target *t, uaddr_t name, uaddr_t value, u64 size) {
  char text[XATTR_NAME_MAX + 1];
  const void *found;
  int r = name_in(text, name);
  if (r) return r;
  i64 n = xattr_get(t->inode, caller(), text, &found);
  if (n <= 0 || !size) return n;
  if ((u64)n > size) return -ERANGE;
  void *copy AUTO_KFREE = kmalloc((size_t)n); /* copy_out may let others in: the attribute may go meanwhile */
  if (!copy) return -ENOMEM;
  memcpy(copy, found, (size_t)n);
  return (r = copy_out(value, copy, (size_t)n)) ? r : n;
}

static i64 list(struct target *t, uaddr_t list, u64 size) {
  i64 n = xattr_list(t->inode, caller(), NULL, 0);
  if (n <= 0 || !size) return n;
  if (n > XATTR_LIST_MAX) return -E2BIG;
  if ((u64)n > size) return -ERANGE;
  char *names AUTO_KFREE = kmalloc((size_t)n);
  if (!names) return -ENOMEM;
  n = xattr_list(t->inode, caller(), names, (u32)n);
  int r = n > 0 ? copy_out(list, names, (size_t)n) : 0;
  return r ? r : n;
}

static i64 remove(struct target *t, uaddr_t name) {
  char text[XATTR_NAME_MAX + 1];
  int r = name_in(text, name);
  if (!r) r = mount_may_write(t->mount, t->inode);
  if (!r) r = xattr_remove(t->inode, caller(), text);
  if (!r) target_notify(t, IN_ATTRIB);
  return r;
}

#define BY_PATH(flags, call)                                  \
  struct target t AUTO_TARGET = {0};                          \
  int r = target_in(&t, AT_FDCWD, path, flags);               \
  return r ? r : call
#define BY_FD(call)                                           \
  struct target t AUTO_TARGET = {0};                          \
  int r = target_of_fd(&t, fd, false);                        \
  return r ? r : call

i64 sys_setxattr(uaddr_t path, uaddr_t name, uaddr_t value, u64 size, i32 flags) { BY_PATH(0, set(&t, name, value, size, (u32)flags)); }
i64 sys_lsetxattr(uaddr_t path, uaddr_t name, uaddr_t value, u64 size, i32 flags) {
  BY_PATH(AT_SYMLINK_NOFOLLOW, set(&t, name, value, size, (u32)flags));
}
i64 sys_fsetxattr(i32 fd, uaddr_t name, uaddr_t value, u64 size, i32 flags) { BY_FD(set(&t, name, value, size, (u32)flags)); }
i64 sys_getxattr(uaddr_t path, uaddr_t name, uaddr_t value, u64 size) { BY_PATH(0, get(&t, name, value, size)); }
i64 sys_lgetxattr(uaddr_t path, uaddr_t name, uaddr_t value, u64 size) { BY_PATH(AT_SYMLINK_NOFOLLOW, get(&t, name, value, size)); }
i64 sys_fgetxattr(i32 fd, uaddr_t name, uaddr_t value, u64 size) { BY_FD(get(&t, name, value, size)); }
i64 sys_listxattr(uaddr_t path, uaddr_t buf, u64 size) { BY_PATH(0, list(&t, buf, size)); }
i64 sys_llistxattr(uaddr_t path, uaddr_t buf, u64 size) { BY_PATH(AT_SYMLINK_NOFOLLOW, list(&t, buf, size)); }
i64 sys_flistxattr(i32 fd, uaddr_t buf, u64 size) { BY_FD(list(&t, buf, size)); }
i64 sys_removexattr(uaddr_t path, uaddr_t name) { BY_PATH(0, remove(&t, name)); }
i64 sys_lremovexattr(uaddr_t path, uaddr_t name) { BY_PATH(AT_SYMLINK_NOFOLLOW, remove(&t, name)); }
i64 sys_fremovexattr(i32 fd, uaddr_t name) { BY_FD(remove(&t, name)); }

/* ---- by directory descriptor ---- */
static int target_at(struct target *t, i32 dirfd, uaddr_t path, u32 flags) {
  if (flags & ~(u32)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) return -EINVAL;
  if ((flags & AT_EMPTY_PATH) && !path) return target_of_fd(t, dirfd, false);
  return target_in(t, dirfd, path, flags);
}
static int args_in(struct guest_xattr_args *args, uaddr_t from, u64 size) {
  if (size < sizeof *args) return -EINVAL;
  if (size > PAGE_BYTES) return -E2BIG;
  return copy_in(args, from, sizeof *args);
}
i64 sys_setxattrat(i32 dirfd, uaddr_t path, u32 at_flags, uaddr_t name, uaddr_t args, u64 size) {
  struct guest_xattr_args a;
  struct target t AUTO_TARGET = {0};
  int r = args_in(&a, args, size);
  if (!r) r = target_at(&t, dirfd, path, at_flags);
  return r ? r : set(&t, name, a.value, a.size, a.flags);
}
i64 sys_getxattrat(i32 dirfd, uaddr_t path, u32 at_flags, uaddr_t name, uaddr_t args, u64 size) {
  struct guest_xattr_args a;
  struct target t AUTO_TARGET = {0};
  int r = args_in(&a, args, size);
  if (!r && a.flags) r = -EINVAL;
  if (!r) r = target_at(&t, dirfd, path, at_flags);
  return r ? r : get(&t, name, a.value, a.size);
}
i64 sys_listxattrat(i32 dirfd, uaddr_t path, u32 at_flags, uaddr_t buf, u64 size) {
  struct target t AUTO_TARGET = {0};
  int r = target_at(&t, dirfd, path, at_flags);
  return r ? r : list(&t, buf, size);
}
i64 sys_removexattrat(i32 dirfd, uaddr_t path, u32 at_flags, uaddr_t name) {
  struct target t AUTO_TARGET = {0};
  int r = target_at(&t, dirfd, path, at_flags);
  return r ? r : remove(&t, name);
}
