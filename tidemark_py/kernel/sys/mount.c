/* sys/mount: mount(2), umount(2). By root only: tmpfs (size=, mode=, uid=, gid=, nr_inodes=) and the types other rooms
 * registered, bind mounts (recursive ones too), MS_REMOUNT of a file system or, with MS_BIND, of one mount: read-only,
 * nosuid, nodev, noexec; propagation flags (there is one
 * private namespace: MS_PRIVATE and MS_SLAVE are what is). Missing: the rest, which is EINVAL or ENODEV. */
#include "files.h"

static bool number(const char **p, u32 base, u64 *value) {
  const char *start = *p;
  *value = 0;
  while (**p >= '0' && **p < (char)('0' + base)) *value = *value * base + (u64)(*(*p)++ - '0');
  return *p != start;
}

/* One "key=value" of tmpfs' options. */
static bool tmpfs_option(struct superblock *sb, const char *key, u32 key_bytes, const char *value) {
  u64 n;
#define IS(name) (key_bytes == sizeof(name) - 1 && !memcmp(key, name, key_bytes))
  if (!number(&value, IS("mode") ? 8 : 10, &n)) return false;
  u32 shift = *value == 'k' || *value == 'K' ? 10 : *value == 'm' || *value == 'M' ? 20 : *value == 'g' || *value == 'G' ? 30 : 0;
  if (shift) n <<= shift, value++;
  bool percent = *value == '%';
  if (percent) value++;
  if (*value && *value != ',') return false;
  if (IS("size"))
    sb->blocks_limit = percent ? sb->blocks_limit * MIN(n, 100ull) / 100 : (n + PAGE_BYTES - 1) / PAGE_BYTES;
  else if (IS("nr_inodes"))
    sb->inodes_limit = n;
  else if (IS("mode"))
    sb->root->mode = S_IFDIR | ((u32)n & 07777);
  else if (IS("uid"))
    sb->root->uid = (u32)n;
  else if (IS("gid"))
    sb->root->gid = (u32)n;
  else
    return false;
#undef IS
  return true;
}

static int tmpfs_options(struct superblock *sb, const char *p) {
  while (*p) {
    const char *end = strchr(p, ','), *equals = strchr(p, '=');
    if (!equals || (end && equals > end) || !tmpfs_option(sb, p, (u32)(equals - p), equals + 1)) return -EINVAL;
    if (!end) break;
    p = end + 1;
  }
  return 0;
}

#define KEPT_FLAGS (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC)

static i64 mount_new(struct walk *w, const char *type, const char *options, u64 flags) {
  if (!fs_type_known(type)) return -ENODEV;
  struct superblock *sb = fs_type_make(type);
  if (!sb) return -ENOMEM;
  int r = strcmp(type, "tmpfs") ? 0 : tmpfs_options(sb, options);
  sb->read_only = flags & MS_RDONLY, sb->mount_flags = (u32)(flags & KEPT_FLAGS);
  if (!r) r = fs_mount_at(w, sb);
  if (r) superblock_discard(sb);
  return r;
}

i64 sys_mount(uaddr_t source, uaddr_t target, uaddr_t fstype, u64 flags, uaddr_t data) {
  struct path_arg to AUTO_PATH = {0}, from AUTO_PATH = {0}, options AUTO_PATH = {0};
  char type[32] = "";
  int r = path_in(&to, AT_FDCWD, target);
  if (!r && fstype && strncpy_in(type, fstype, sizeof type) < 0) r = -EFAULT;
  if (!r && data) r = path_in(&options, AT_FDCWD, data);
  if (!r && !credentials_capable(caller(), CAP_SYS_ADMIN)) r = -EPERM;
  if (r) return r;
  struct walk *w AUTO_WALK = walk_new(), *s AUTO_WALK = NULL;
  if (!w) return -ENOMEM;
  if ((r = path_walk(caller_fs(), caller(), NULL, NULL, to.buffer, 0, w))) return r;
  flags &= ~(u64)MS_SILENT;
  bool is_mount = w->inode == w->mount->root;
  if (flags & MS_REMOUNT) return is_mount ? fs_remount(w->mount, (u32)(flags & KEPT_FLAGS), !(flags & MS_BIND)) : -EINVAL;
  if (flags & (MS_PRIVATE | MS_SLAVE)) return is_mount ? 0 : -EINVAL;
  if (flags & (MS_SHARED | MS_UNBINDABLE | MS_MOVE)) return -EINVAL;
  if (!(flags & MS_BIND)) return mount_new(w, type, options.buffer ? options.buffer : "", flags);
  if ((r = path_in(&from, AT_FDCWD, source))) return r;
  if (!(s = walk_new())) return -ENOMEM;
  if ((r = path_walk(caller_fs(), caller(), NULL, NULL, from.buffer, 0, s))) return r;
  return fs_bind(w, s, flags & MS_REC);
}

i64 sys_umount2(uaddr_t target, u32 flags) {
  if (flags & ~(u32)(MNT_FORCE | MNT_DETACH | UMOUNT_NOFOLLOW)) return -EINVAL;
  if (!credentials_capable(caller(), CAP_SYS_ADMIN)) return -EPERM;
  struct walk *w AUTO_WALK = NULL;
  int r = walk_in(&w, AT_FDCWD, target, flags & UMOUNT_NOFOLLOW ? WALK_NOFOLLOW : 0);
  if (r) return r;
  struct superblock *mount = w->mount;
  if (w->inode != mount->root) return -EINVAL;
  if (mount == caller_fs()->root_mount) return -EBUSY;
  if ((r = file_sync(mount))) return r;
  walk_free(w); /* its references would keep the mount busy */
  w = NULL;
  return fs_unmount(mount, flags & MNT_DETACH);
}
