/* sys/xattr: setxattr(2), getxattr(2), listxattr(2), removexattr(2) in all their forms, and the -at calls of Linux 6.13. */
#include "files.h"

static int name_in(char *text, uaddr_t name) {
  i64 n = strncpy_in(text, name, XATTR_NAME_MAX + 1);
  return n == -ENAMETOOLONG || n == 0 ? -ERANGE : n < 0 ? (int)n : 0;
}

/* The name comes before the file: its errors count first. */
#define NAMED(name)                         \
  char text[XATTR_NAME_MAX + 1];            \
  int r = name_in(text, name);              \
  struct target t AUTO_TARGET = {0};        \
  if (r) return r
#define PATH(flags) target_in(&t, AT_FDCWD, path, flags)
#define FD() target_of_fd(&t, fd, false)

/* find: the target, asked for after name and value are here */
#define SET(find, name, value, size, flags)                                            \
  if ((flags) & ~(u32)(XATTR_CREATE | XATTR_REPLACE)) return -EINVAL;                  \
  NAMED(name);                                                                         \
  if ((size) > XATTR_SIZE_MAX) return -E2BIG;                                          \
  void *copy AUTO_KFREE = kmalloc((size_t)MAX(size, 1ull));                            \
  if (!copy) return -ENOMEM;                                                           \
  if ((size) && (r = copy_in(copy, value, (size_t)(size)))) return r;                  \
  if ((r = find) || (r = mount_may_write(t.mount, t.inode))) return r;                 \
  if ((r = xattr_set(t.inode, caller(), text, copy, (u32)(size), flags))) return r;    \
  return target_notify(&t, IN_ATTRIB), 0

static i64 get(struct target *t, const char *text, uaddr_t value, u64 size) {
  const void *found;
  i64 n = xattr_get(t->inode, caller(), text, &found);
  if (n <= 0 || !size) return n;
  if ((u64)n > size) return -ERANGE;
  void *copy AUTO_KFREE = kmalloc((size_t)n); /* copy_out may let others in: the attribute may go meanwhile */
  if (!copy) return -ENOMEM;
  memcpy(copy, found, (size_t)n);
  int r = copy_out(value, copy, (size_t)n);
  return r ? r : n;
}
#define GET(find, name, value, size) \
  NAMED(name);                       \
  return (r = find) ? r : get(&t, text, value, size)

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
#define LIST(find)                   \
  struct target t AUTO_TARGET = {0}; \
  int r = find;                      \
  return r ? r : list(&t, buf, size)

#define REMOVE(find, name)                                                    \
  NAMED(name);                                                                \
  if ((r = find) || (r = mount_may_write(t.mount, t.inode))) return r;        \
  if ((r = xattr_remove(t.inode, caller(), text))) return r;                  \
  return target_notify(&t, IN_ATTRIB), 0

i64 sys_setxattr(uaddr_t path, uaddr_t name, uaddr_t value, u64 size, i32 flags) { SET(PATH(0), name, value, size, (u32)flags); }
i64 sys_lsetxattr(uaddr_t path, uaddr_t name, uaddr_t value, u64 size, i32 flags) {
  SET(PATH(AT_SYMLINK_NOFOLLOW), name, value, size, (u32)flags);
}
i64 sys_fsetxattr(i32 fd, uaddr_t name, uaddr_t value, u64 size, i32 flags) { SET(FD(), name, value, size, (u32)flags); }
i64 sys_getxattr(uaddr_t path, uaddr_t name, uaddr_t value, u64 size) { GET(PATH(0), name, value, size); }
i64 sys_lgetxattr(uaddr_t path, uaddr_t name, uaddr_t value, u64 size) { GET(PATH(AT_SYMLINK_NOFOLLOW), name, value, size); }
i64 sys_fgetxattr(i32 fd, uaddr_t name, uaddr_t value, u64 size) { GET(FD(), name, value, size); }
i64 sys_listxattr(uaddr_t path, uaddr_t buf, u64 size) { LIST(PATH(0)); }
i64 sys_llistxattr(uaddr_t path, uaddr_t buf, u64 size) { LIST(PATH(AT_SYMLINK_NOFOLLOW)); }
i64 sys_flistxattr(i32 fd, uaddr_t buf, u64 size) { LIST(FD()); }
i64 sys_removexattr(uaddr_t path, uaddr_t name) { REMOVE(PATH(0), name); }
i64 sys_lremovexattr(uaddr_t path, uaddr_t name) { REMOVE(PATH(AT_SYMLINK_NOFOLLOW), name); }
i64 sys_fremovexattr(i32 fd, uaddr_t name) { REMOVE(FD(), name); }

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
#define AT() target_at(&t, dirfd, path, at_flags)
i64 sys_setxattrat(i32 dirfd, uaddr_t path, u32 at_flags, uaddr_t name, uaddr_t args, u64 size) {
  struct guest_xattr_args a;
  int bad = args_in(&a, args, size);
  if (bad) return bad;
  SET(AT(), name, a.value, a.size, a.flags);
}
i64 sys_getxattrat(i32 dirfd, uaddr_t path, u32 at_flags, uaddr_t name, uaddr_t args, u64 size) {
  struct guest_xattr_args a;
  int bad = args_in(&a, args, size);
  if (bad || a.flags) return bad ? bad : -EINVAL;
  GET(AT(), name, a.value, a.size);
}
i64 sys_listxattrat(i32 dirfd, uaddr_t path, u32 at_flags, uaddr_t buf, u64 size) { LIST(AT()); }
i64 sys_removexattrat(i32 dirfd, uaddr_t path, u32 at_flags, uaddr_t name) { REMOVE(AT(), name); }
