/* name: calls that make, remove and move names: mkdir(2), mknod(2), unlink(2), rmdir(2), symlink(2), link(2), rename(2).
 * Called by sys/. What every file system must refuse is checked here; what only the tree knows, in its operations. */
#include "inode.h"

static inline void walk_cleanup(struct walk **w) { walk_free(*w); }
#define AUTO_WALK __attribute__((cleanup(walk_cleanup)))

static bool is_dots(const struct walk *w) {
  return w->last_bytes && w->last_bytes <= 2 && w->last[0] == '.' && (w->last_bytes == 1 || w->last[1] == '.');
}
/* The walk ended at "/", "." or ".." rather than at a name in a directory. */
static bool is_unnamed(const struct walk *w) { return !w->dir || !w->last_bytes || is_dots(w); }

static int walk_to_new(const struct fs_context *fs, const struct credentials *cred, const struct path_at *p, bool slash_fine,
                       struct walk *w) {
  int r = path_walk_at(fs, cred, p, WALK_PARENT | WALK_NOFOLLOW | WALK_NAME, w);
  if (r) return r;
  if (w->inode) return -EEXIST;
  if (w->trailing_slash && !slash_fine) return -ENOENT;
  if (!w->dir->nlink) return -ENOENT;
  if ((r = mount_may_write(w->dir_mount, w->dir))) return r;
  return inode_permission(w->dir, cred, 3);
}

int file_mknod(const struct fs_context *fs, const struct credentials *cred, const struct path_at *p, u32 mode, u64 rdev) {
  if (!(mode & S_IFMT)) mode |= S_IFREG;
  struct walk *w AUTO_WALK = walk_new();
  if (!w) return -ENOMEM;
  bool is_dir = S_ISDIR(mode);
  int r = walk_to_new(fs, cred, p, is_dir, w);
  if (r) return r;
  if ((S_ISCHR(mode) || S_ISBLK(mode)) && !credentials_capable(cred, CAP_MKNOD)) return -EPERM;
  if (!w->dir->ops->create) return -EPERM;
  mode = (mode & S_IFMT) | (mode & (is_dir ? 01777u : 07777u) & ~fs->umask);
  u32 uid, gid;
  new_inode_owner(w->dir, cred, &mode, &uid, &gid);
  r = w->dir->ops->create(w->dir, w->last, w->last_bytes, mode, uid, gid, rdev, &w->inode);
  if (!r) inode_notify_name(w->dir, IN_CREATE, 0, w->last, w->last_bytes, w->inode);
  return r;
}

int file_mkdir(const struct fs_context *fs, const struct credentials *cred, const struct path_at *p, u32 mode) {
  return file_mknod(fs, cred, p, S_IFDIR | (mode & 01777), 0);
}

int file_symlink(const struct fs_context *fs, const struct credentials *cred, const char *target, const struct path_at *p) {
  if (!*target) return -ENOENT;
  struct walk *w AUTO_WALK = walk_new();
  if (!w) return -ENOMEM;
  int r = walk_to_new(fs, cred, p, false, w);
  if (r) return r;
  if (!w->dir->ops->symlink) return -EPERM;
  u32 mode = S_IFLNK, uid, gid;
  new_inode_owner(w->dir, cred, &mode, &uid, &gid);
  r = w->dir->ops->symlink(w->dir, w->last, w->last_bytes, target, uid, gid);
  struct inode link = {.mode = S_IFLNK};
  if (!r) inode_notify_name(w->dir, IN_CREATE, 0, w->last, w->last_bytes, &link);
  return r;
}

int file_unlink(const struct fs_context *fs, const struct credentials *cred, const struct path_at *p, bool want_dir) {
  struct walk *w AUTO_WALK = walk_new();
  if (!w) return -ENOMEM;
  int r = path_walk_at(fs, cred, p, WALK_NOFOLLOW | WALK_NAME | WALK_PARENT, w);
  if (r) return r;
  if (is_unnamed(w)) {
    if (!want_dir) return -EISDIR;
    return !is_dots(w) ? -EBUSY : w->last_bytes == 1 ? -EINVAL : -ENOTEMPTY;
  }
  if ((r = mount_may_write(w->dir_mount, w->dir))) return r;
  struct inode *ino = w->inode;
  if (!ino) return -ENOENT;
  if (w->trailing_slash && !S_ISDIR(ino->mode)) return -ENOTDIR;
  if (w->trailing_slash && !want_dir) return -EISDIR;
  if ((r = inode_may_delete(w->dir, ino, cred))) return r;
  if (want_dir && !S_ISDIR(ino->mode)) return -ENOTDIR;
  if (!want_dir && S_ISDIR(ino->mode)) return -EISDIR;
  if (w->mount != w->dir_mount || ino->mounted || ino == fs->root) return -EBUSY;
  if (!w->dir->ops->unlink) return -EPERM;
  if ((r = w->dir->ops->unlink(w->dir, w->last, w->last_bytes, want_dir))) return r;
  if (!want_dir) inode_notify(ino, IN_ATTRIB); /* its count of links */
  struct inode gone = {.mode = ino->mode};
  inode_put(ino); /* perhaps its last moment: said before the name's */
  w->inode = NULL;
  inode_notify_name(w->dir, IN_DELETE, 0, w->last, w->last_bytes, &gone);
  return 0;
}

/* proc(5) protected_hardlinks: not to what one neither owns nor may change, nor to set-id programs. */
static bool may_link_to(const struct inode *ino, const struct credentials *cred) {
  if (inode_owner_or_capable(ino, cred)) return true;
  bool set_id = (ino->mode & S_ISUID) || (ino->mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP);
  return S_ISREG(ino->mode) && !set_id && !inode_permission(ino, cred, 6);
}

int file_link(const struct fs_context *fs, const struct credentials *cred, const struct path_at *from, u32 walk_flags,
              const struct path_at *to) {
  struct walk *source AUTO_WALK = walk_new(), *w AUTO_WALK = walk_new();
  if (!source || !w) return -ENOMEM;
  int r = path_walk_at(fs, cred, from, walk_flags, source);
  if (!r) r = walk_to_new(fs, cred, to, false, w);
  if (r) return r;
  struct inode *ino = source->inode;
  if (ino->sb != w->dir->sb || source->mount != w->dir_mount) return -EXDEV;
  if (!may_link_to(ino, cred)) return -EPERM;
  if (S_ISDIR(ino->mode)) return -EPERM;
  if (!w->dir->ops->link || ino->ops != w->dir->ops) return -EPERM;
  if (!ino->nlink && !ino->linkable) return -ENOENT;
  r = w->dir->ops->link(w->dir, w->last, w->last_bytes, ino);
  if (r) return r;
  ino->linkable = false;
  inode_notify(ino, IN_ATTRIB);
  inode_notify_name(w->dir, IN_CREATE, 0, w->last, w->last_bytes, ino);
  return 0;
}

static u32 next_cookie;

static void notify_moved(const struct walk *from, const struct walk *to, struct inode *moved, struct inode *replaced) {
  u32 cookie = ++next_cookie;
  inode_notify_name(from->dir, IN_MOVED_FROM, cookie, from->last, from->last_bytes, moved);
  inode_notify_name(to->dir, IN_MOVED_TO, cookie, to->last, to->last_bytes, moved);
  if (replaced) inode_notify(replaced, IN_ATTRIB);
  inode_notify(moved, IN_MOVE_SELF);
}

int file_rename(const struct fs_context *fs, const struct credentials *cred, const struct path_at *from,
                const struct path_at *to, u32 flags) {
  if (flags & ~(u32)(RENAME_NOREPLACE | RENAME_EXCHANGE)) return -EINVAL;
  if ((flags & RENAME_NOREPLACE) && (flags & RENAME_EXCHANGE)) return -EINVAL;
  struct walk *o AUTO_WALK = walk_new(), *n AUTO_WALK = walk_new();
  if (!o || !n) return -ENOMEM;
  /* what is wrong with the ways there counts before what is wrong with the names */
  u32 walk_flags = WALK_NOFOLLOW | WALK_NAME | WALK_PARENT;
  int r = path_walk_at(fs, cred, from, walk_flags, o);
  if (!r) r = path_walk_at(fs, cred, to, walk_flags, n);
  if (r) return r;
  if ((o->dir ? o->dir_mount : o->mount) != (n->dir ? n->dir_mount : n->mount)) return -EXDEV;
  if (is_unnamed(o)) return -EBUSY;
  if (is_unnamed(n)) return flags & RENAME_NOREPLACE ? -EEXIST : -EBUSY;
  if ((r = mount_may_write(o->dir_mount, o->dir))) return r;
  if (!o->inode) return -ENOENT;
  if (n->inode && (flags & RENAME_NOREPLACE)) return -EEXIST;
  if (!n->inode && (flags & RENAME_EXCHANGE)) return -ENOENT;
  bool is_dir = S_ISDIR(o->inode->mode);
  if (!is_dir && (o->trailing_slash || (n->trailing_slash && !(flags & RENAME_EXCHANGE)))) return -ENOTDIR;
  if (n->inode && (flags & RENAME_EXCHANGE) && n->trailing_slash && !S_ISDIR(n->inode->mode)) return -ENOTDIR;
  if ((r = inode_may_delete(o->dir, o->inode, cred))) return r;
  if ((r = n->inode ? inode_may_delete(n->dir, n->inode, cred) : inode_permission(n->dir, cred, 3))) return r;
  if (is_dir && o->dir != n->dir && (r = inode_permission(o->inode, cred, 2))) return r; /* ".." changes */
  if (o->mount != o->dir_mount || o->inode->mounted || o->inode == fs->root) return -EBUSY;
  if (n->inode && (n->mount != n->dir_mount || n->inode->mounted || n->inode == fs->root)) return -EBUSY;
  if (!o->dir->ops->rename || o->dir->ops != n->dir->ops) return -EPERM;
  if ((r = o->dir->ops->rename(o->dir, o->last, o->last_bytes, n->dir, n->last, n->last_bytes, flags))) return r;
  if (!inode_watch_count || o->inode == n->inode) return 0;
  bool exchange = flags & RENAME_EXCHANGE;
  notify_moved(o, n, o->inode, exchange ? NULL : n->inode);
  if (exchange) notify_moved(n, o, n->inode, NULL);
  return 0;
}
