/* sys/stat: attributes: stat(2), statx(2), statfs(2), access(2), chmod(2), chown(2), utimensat(2). */
#include "files.h"

static u32 walk_flags_of(u32 flags) {
  return (flags & AT_SYMLINK_NOFOLLOW ? WALK_NOFOLLOW : 0) | (flags & AT_EMPTY_PATH ? WALK_EMPTY : 0);
}

int target_in(struct target *t, i32 dirfd, uaddr_t path, u32 flags) {
  int r = walk_in(&t->walk, dirfd, path, walk_flags_of(flags));
  if (!r) t->inode = t->walk->inode, t->mount = t->walk->mount;
  return r;
}
int target_of_fd(struct target *t, i32 fd, bool path_fine) {
  struct ofd *f = fd_get(current->process->fds, fd);
  if (!f || !f->inode || (!path_fine && (f->flags & O_PATH))) return -EBADF;
  ofd_get(f);
  t->ofd = f, t->inode = f->inode, t->mount = f->mount;
  return 0;
}

/* ---- stat ---- */
static int refresh(struct inode *ino) { return ino->ops && ino->ops->getattr ? ino->ops->getattr(ino) : 0; }

static i64 stat_out(struct inode *ino, uaddr_t buf) {
  int r = refresh(ino);
  if (r) return r;
  struct guest_stat st = {
      .st_dev = ino->sb->dev, .st_ino = ino->ino, .st_mode = ino->mode, .st_nlink = ino->nlink, .st_uid = ino->uid,
      .st_gid = ino->gid, .st_rdev = ino->rdev, .st_size = (i64)ino->size, .st_blksize = PAGE_BYTES,
      .st_blocks = (i64)ino->blocks_512, .st_atime_sec = ino->atime.sec, .st_atime_nsec = (u64)ino->atime.nsec,
      .st_mtime_sec = ino->mtime.sec, .st_mtime_nsec = (u64)ino->mtime.nsec, .st_ctime_sec = ino->ctime.sec,
      .st_ctime_nsec = (u64)ino->ctime.nsec};
  return COPY_OUT(buf, st);
}

i64 sys_newfstatat(i32 dirfd, uaddr_t path, uaddr_t buf, u32 flags) {
  if (flags & ~(u32)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT)) return -EINVAL;
  struct target t AUTO_TARGET = {0};
  int r = target_in(&t, dirfd, path, flags);
  return r ? r : stat_out(t.inode, buf);
}

i64 sys_fstat(i32 fd, uaddr_t buf) {
  struct target t AUTO_TARGET = {0};
  int r = target_of_fd(&t, fd, true);
  return r ? r : stat_out(t.inode, buf);
}

static struct guest_statx_timestamp statx_time(struct timespec64 t) {
  return (struct guest_statx_timestamp){.tv_sec = t.sec, .tv_nsec = (u32)t.nsec};
}

i64 sys_statx(i32 dirfd, uaddr_t path, u32 flags, u32 mask, uaddr_t buf) {
  u32 known = AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT | AT_STATX_SYNC_TYPE;
  if ((flags & ~known) || (flags & AT_STATX_SYNC_TYPE) == AT_STATX_SYNC_TYPE || (mask & 0x80000000u)) return -EINVAL;
  struct target t AUTO_TARGET = {0};
  int r = target_in(&t, dirfd, path, flags);
  if (!r) r = refresh(t.inode);
  if (r) return r;
  const struct inode *ino = t.inode;
  struct guest_statx st = {
      .stx_mask = STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID, .stx_blksize = PAGE_BYTES, .stx_nlink = ino->nlink,
      .stx_uid = ino->uid, .stx_gid = ino->gid, .stx_mode = (u16)ino->mode, .stx_ino = ino->ino, .stx_size = ino->size,
      .stx_blocks = ino->blocks_512, .stx_attributes_mask = STATX_ATTR_MOUNT_ROOT, .stx_atime = statx_time(ino->atime),
      .stx_btime = statx_time(ino->btime), .stx_ctime = statx_time(ino->ctime), .stx_mtime = statx_time(ino->mtime),
      .stx_rdev_major = dev_major(ino->rdev), .stx_rdev_minor = dev_minor(ino->rdev), .stx_dev_major = dev_major(ino->sb->dev),
      .stx_dev_minor = dev_minor(ino->sb->dev), .stx_mnt_id = t.mount ? t.mount->mount_id : ino->sb->mount_id};
  if (ino == (t.mount ? t.mount : ino->sb)->root) st.stx_attributes |= STATX_ATTR_MOUNT_ROOT;
  return COPY_OUT(buf, st);
}

/* ---- statfs ---- */
static i64 statfs_out(const struct target *t, uaddr_t buf) {
  const struct superblock *sb = t->inode->sb;
  u32 flags = t->mount ? t->mount->mount_flags & (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC) : 0; /* ST_ have the same values */
  u64 free_blocks = sb->blocks_limit - MIN(sb->blocks_used, sb->blocks_limit);
  u64 free_inodes = sb->inodes_limit - MIN(sb->inodes_used, sb->inodes_limit);
  struct guest_statfs st = {.f_type = (i64)sb->magic, .f_bsize = PAGE_BYTES, .f_blocks = sb->blocks_limit, .f_bfree = free_blocks,
                            .f_bavail = free_blocks, .f_files = sb->inodes_limit, .f_ffree = free_inodes, .f_namelen = 255,
                            .f_frsize = PAGE_BYTES, .f_flags = 0x20 | flags | (sb->read_only ? ST_RDONLY : 0)}; /* 0x20: flags are valid */
  st.f_fsid[0] = (i32)sb->dev;
  return COPY_OUT(buf, st);
}

i64 sys_statfs(uaddr_t path, uaddr_t buf) {
  struct target t AUTO_TARGET = {0};
  int r = target_in(&t, AT_FDCWD, path, 0);
  return r ? r : statfs_out(&t, buf);
}

i64 sys_fstatfs(i32 fd, uaddr_t buf) {
  struct target t AUTO_TARGET = {0};
  int r = target_of_fd(&t, fd, true);
  return r ? r : statfs_out(&t, buf);
}

/* ---- access ---- */
i64 sys_faccessat2(i32 dirfd, uaddr_t path, i32 mode, u32 flags) {
  if ((mode & ~7) || (flags & ~(u32)(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))) return -EINVAL;
  struct credentials cred = *caller();
  if (!(flags & AT_EACCESS)) {
    cred.fsuid = cred.uid, cred.fsgid = cred.gid;
    if (!(cred.securebits & SECBIT_NO_SETUID_FIXUP)) cred.cap_effective = cred.uid ? 0 : cred.cap_permitted;
  }
  struct path_arg a AUTO_PATH = {0};
  struct walk *w AUTO_WALK = NULL;
  int r = path_in(&a, dirfd, path);
  if (r) return r;
  if (!(w = walk_new())) return -ENOMEM;
  if ((r = path_walk_at(caller_fs(), &cred, &a.at, walk_flags_of(flags), w))) return r;
  if (!mode) return 0;
  u32 type = w->inode->mode & S_IFMT;
  if ((mode & 2) && (type == S_IFREG || type == S_IFDIR || type == S_IFLNK) && (r = mount_may_write(w->mount, w->inode))) return r;
  return inode_permission(w->inode, &cred, (u32)mode);
}
i64 sys_faccessat(i32 dirfd, uaddr_t path, i32 mode) { return sys_faccessat2(dirfd, path, mode, 0); }

/* ---- mode, owner, times ---- */
i64 sys_fchmodat2(i32 dirfd, uaddr_t path, u32 mode, u32 flags) {
  if (flags & ~(u32)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) return -EINVAL;
  struct target t AUTO_TARGET = {0};
  int r = target_in(&t, dirfd, path, flags);
  if (!r) r = mount_may_write(t.mount, t.inode);
  if (!r) r = inode_chmod(t.inode, caller(), mode);
  return r ? r : (target_notify(&t, IN_ATTRIB), 0);
}
i64 sys_fchmodat(i32 dirfd, uaddr_t path, u32 mode) { return sys_fchmodat2(dirfd, path, mode, 0); }
i64 sys_fchmod(i32 fd, u32 mode) {
  struct target t AUTO_TARGET = {0};
  int r = target_of_fd(&t, fd, false);
  if (!r) r = mount_may_write(t.mount, t.inode);
  if (!r) r = inode_chmod(t.inode, caller(), mode);
  return r ? r : (target_notify(&t, IN_ATTRIB), 0);
}

i64 sys_fchownat(i32 dirfd, uaddr_t path, u32 uid, u32 gid, u32 flags) {
  if (flags & ~(u32)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) return -EINVAL;
  struct target t AUTO_TARGET = {0};
  int r = target_in(&t, dirfd, path, flags);
  if (!r) r = mount_may_write(t.mount, t.inode);
  if (!r) r = inode_chown(t.inode, caller(), uid, gid);
  return r ? r : (target_notify(&t, IN_ATTRIB), 0);
}
i64 sys_fchown(i32 fd, u32 uid, u32 gid) {
  struct target t AUTO_TARGET = {0};
  int r = target_of_fd(&t, fd, false);
  if (!r) r = mount_may_write(t.mount, t.inode);
  if (!r) r = inode_chown(t.inode, caller(), uid, gid);
  return r ? r : (target_notify(&t, IN_ATTRIB), 0);
}

i64 sys_utimensat(i32 dirfd, uaddr_t path, uaddr_t times, u32 flags) {
  struct timespec64 set[2];
  if (times) {
    struct guest_timespec in[2];
    int r = copy_in(in, times, sizeof in);
    if (r) return r;
    for (u32 i = 0; i < 2; i++) {
      bool special = in[i].tv_nsec == UTIME_NOW || in[i].tv_nsec == UTIME_OMIT;
      if (!special && (in[i].tv_nsec < 0 || in[i].tv_nsec > 999999999)) return -EINVAL;
      set[i] = (struct timespec64){in[i].tv_sec, (i32)in[i].tv_nsec};
    }
    if (set[0].nsec == UTIME_OMIT && set[1].nsec == UTIME_OMIT) return 0;
  }
  if (flags & ~(u32)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) return -EINVAL;
  struct target t AUTO_TARGET = {0};
  int r;
  if (!path && dirfd != AT_FDCWD)
    r = flags ? -EINVAL : target_of_fd(&t, dirfd, false);
  else
    r = target_in(&t, dirfd, path, flags);
  if (!r) r = mount_may_write(t.mount, t.inode);
  if (!r) r = inode_set_times(t.inode, caller(), times ? set : NULL);
  if (r) return r;
  bool a = !times || set[0].nsec != UTIME_OMIT, m = !times || set[1].nsec != UTIME_OMIT;
  target_notify(&t, a && m ? IN_ATTRIB : a ? IN_ACCESS : IN_MODIFY);
  return 0;
}
