/* open: open(2), from path to description. Called by sys/, task/ (exec) and anything that opens for the kernel itself.
 * Follows open(2) and openat2(2). A device, a fifo or a procfs file finishes the description in its own opener.
 * Missing: O_DIRECT (taken and ignored, as tmpfs does). */
#include "inode.h"

/* What F_GETFL shows. O_NOCTTY stays until the opener has seen it. */
#define OPEN_ONCE (O_CREAT | O_EXCL | O_TRUNC | O_CLOEXEC | O_NOCTTY)
#define TMPFILE_BIT ((u32)O_TMPFILE & ~(u32)O_DIRECTORY)

const struct ofd_ops *file_default_ops(const struct inode *ino) {
  static const struct ofd_ops nothing;
  return ino->fops ? ino->fops : S_ISDIR(ino->mode) ? &directory_ops : &nothing;
}

int file_open_inode(struct inode *ino, const char *path, u32 flags, struct ofd **out) {
  struct ofd *f = ofd_new(ino, file_default_ops(ino), (flags & ~(u32)OPEN_ONCE) | (flags & O_NOCTTY), NULL);
  if (!f) return -ENOMEM;
  inode_get(ino);
  int r = 0;
  if (path && !(f->path = kstrdup(path)))
    r = -ENOMEM;
  else if (flags & O_PATH)
    f->ops = &path_only_ops;
  else if (ino->ops && ino->ops->open)
    r = ino->ops->open(ino, f);
  else if (!S_ISREG(ino->mode) && !S_ISDIR(ino->mode))
    r = open_special(ino, f);
  if (r) {
    f->ops = NULL; /* the opener has undone what it did: nothing to release */
    ofd_put(f);
    return r;
  }
  f->flags &= ~(u32)O_NOCTTY;
  *out = f;
  return 0;
}

static u32 access_mask(u32 flags) {
  static const u8 mask[4] = {4, 2, 6, 6};
  u32 m = mask[flags & O_ACCMODE];
  return flags & O_TRUNC ? m | 2 : m;
}

static int may_open(const struct inode *ino, const struct superblock *mount, const struct credentials *cred, u32 flags) {
  u32 mask = access_mask(flags);
  if (S_ISLNK(ino->mode)) return -ELOOP;
  if (S_ISDIR(ino->mode) && (mask & 2)) return -EISDIR;
  int r = inode_permission(ino, cred, mask);
  if (r) return r;
  if ((mask & 2) && S_ISREG(ino->mode)) {
    if (ino->write_denied) return -ETXTBSY;
    if ((r = mount_may_write(mount, ino))) return r;
  }
  if ((flags & O_NOATIME) && !inode_owner_or_capable(ino, cred)) return -EPERM;
  if ((S_ISCHR(ino->mode) || S_ISBLK(ino->mode)) && mount && (mount->mount_flags & MS_NODEV)) return -EACCES;
  return 0;
}

/* Group and mode of something new in dir: set-group-id directories hand theirs down. */
void new_inode_owner(const struct inode *dir, const struct credentials *cred, u32 *mode, u32 *uid, u32 *gid) {
  *uid = cred ? cred->fsuid : 0, *gid = cred ? cred->fsgid : 0;
  if (!(dir->mode & S_ISGID)) return;
  *gid = dir->gid;
  if (S_ISDIR(*mode))
    *mode |= S_ISGID;
  else if ((*mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) && !credentials_capable(cred, CAP_FSETID) && !credentials_in_group(cred, *gid))
    *mode &= ~(u32)S_ISGID;
}

static int create(const struct fs_context *fs, const struct credentials *cred, struct walk *w, u32 mode) {
  struct inode *dir = w->dir;
  int r = mount_may_write(w->dir_mount, dir);
  if (!r) r = dir->nlink ? inode_permission(dir, cred, 3) : -ENOENT;
  if (r) return r;
  if (!dir->ops->create) return -EACCES;
  u32 uid, gid;
  mode = S_IFREG | (mode & 07777 & ~fs->umask);
  new_inode_owner(dir, cred, &mode, &uid, &gid);
  return dir->ops->create(dir, w->last, w->last_bytes, mode, uid, gid, 0, &w->inode);
}

static int open_tmpfile(const struct fs_context *fs, const struct credentials *cred, struct walk *w, u32 flags, u32 mode,
                        struct ofd **out) {
  struct inode *dir = w->inode, *made;
  int r = mount_may_write(w->mount, dir);
  if (!r) r = inode_permission(dir, cred, 3);
  if (r) return r;
  if (!dir->ops->tmpfile) return -EOPNOTSUPP;
  u32 uid, gid;
  mode = S_IFREG | (mode & 07777 & ~fs->umask);
  new_inode_owner(dir, cred, &mode, &uid, &gid);
  if ((r = dir->ops->tmpfile(dir, mode, uid, gid, &made))) return r;
  made->linkable = !(flags & O_EXCL);
  u32 n = (u32)strlen(w->path);
  ksnprintf(w->path + n, PATH_BYTES - n, "/#%llu", (unsigned long long)made->ino);
  r = file_open_inode(made, w->path, flags & ~(u32)O_EXCL, out);
  if (!r) ofd_set_way(*out, w);
  inode_put(made);
  return r;
}

static int open_walked(const struct fs_context *fs, const struct credentials *cred, const struct path_at *p, u32 flags, u32 mode,
                       u32 walk_flags, struct walk *w, struct ofd **out) {
  const char *path = p->path;
  bool tmpfile = flags & TMPFILE_BIT, make = (flags & O_CREAT) && !tmpfile, made = false;
  size_t path_bytes = strnlen(path, PATH_BYTES);
  bool slash = path_bytes && path[path_bytes - 1] == '/';
  if (make) walk_flags |= WALK_PARENT | (slash ? WALK_NAME : 0);
  if ((flags & O_NOFOLLOW) || (make && (flags & O_EXCL))) walk_flags |= WALK_NOFOLLOW;
  if (tmpfile) walk_flags |= WALK_DIRECTORY;
  int r = path_walk_at(fs, cred, p, walk_flags, w);
  if (r) return r;
  if (make) {
    if (slash && w->dir) return -EISDIR; /* not for ".." and the like, which have no name */
    if (w->inode && (flags & O_EXCL)) return -EEXIST;
    if (!w->inode) {
      if ((r = create(fs, cred, w, mode))) return r;
      w->mount = w->dir_mount;
      made = true;
    } else if (S_ISDIR(w->inode->mode)) {
      return -EISDIR;
    }
  }
  if (tmpfile) return open_tmpfile(fs, cred, w, flags, mode, out);
  struct inode *ino = w->inode;
  if ((flags & O_DIRECTORY) && !S_ISDIR(ino->mode)) return -ENOTDIR;
  bool truncated = false;
  if (!(flags & O_PATH) && !made) {
    if ((r = may_open(ino, w->mount, cred, flags))) return r;
    if ((flags & O_TRUNC) && S_ISREG(ino->mode) && ino->ops->truncate) {
      if ((r = inode_sealed_size(ino, 0))) return r;
      if ((r = ino->ops->truncate(ino, 0))) return r;
      if (!credentials_capable(cred, CAP_FSETID)) inode_drop_privileges(ino);
      truncated = true;
    }
  }
  if (made) inode_notify_name(w->dir, IN_CREATE, 0, w->last, w->last_bytes, ino);
  if ((r = file_open_inode(ino, w->path, flags, out))) return r;
  ofd_set_way(*out, w);
  ofd_notify(*out, IN_OPEN);
  if (truncated) ofd_notify(*out, IN_MODIFY);
  return 0;
}

int file_open_walk(const struct fs_context *fs, const struct credentials *cred, const struct path_at *p, u32 flags, u32 mode,
                   u32 walk_flags, struct ofd **out) {
  if (flags & O_PATH) flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  if (flags & TMPFILE_BIT) {
    if ((flags & O_TMPFILE) != O_TMPFILE || (flags & O_CREAT) || !(flags & O_ACCMODE)) return -EINVAL;
  } else if ((flags & (O_CREAT | O_DIRECTORY)) == (O_CREAT | O_DIRECTORY)) {
    return -EINVAL;
  }
  struct walk *w = walk_new();
  if (!w) return -ENOMEM;
  int r = open_walked(fs, cred, p, flags, mode, walk_flags, w, out);
  walk_free(w);
  return r;
}

int file_open(const struct fs_context *fs, const struct credentials *cred, const struct path_at *p, u32 flags, u32 mode,
              struct ofd **out) {
  return file_open_walk(fs, cred, p, flags, mode, 0, out);
}

int file_truncate(struct inode *ino, u64 bytes) {
  if (S_ISDIR(ino->mode)) return -EISDIR;
  if (!S_ISREG(ino->mode) || !ino->ops->truncate) return -EINVAL;
  if (ino->write_denied) return -ETXTBSY;
  if (inode_sealed_size(ino, bytes)) return -EPERM;
  return ino->ops->truncate(ino, bytes);
}
