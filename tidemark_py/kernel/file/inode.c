/* inode: the life of inodes and superblocks, permission checks and attribute changes that every file system shares.
 * Called by all of file/, by ipc, tty and procfs for their own inodes, by sys/. Follows inode(7), path_resolution(7),
 * chmod(2), chown(2), utimensat(2). Access times are not kept up by reads (like a noatime mount).
 * Whether the mount may be written to is the caller's to ask (mount_may_write): an inode does not know how it was reached. */
#include "inode.h"

struct timespec64 time_now(void) {
  u64 ns = host_realtime_ns();
  return (struct timespec64){.sec = (i64)(ns / 1000000000u), .nsec = (i32)(ns % 1000000000u)};
}

u64 makedev(u32 major, u32 minor) {
  return (minor & 0xffu) | ((u64)(major & 0xfffu) << 8) | ((u64)(minor & ~0xffu) << 12) | ((u64)(major & ~0xfffu) << 32);
}
u32 dev_major(u64 dev) { return (u32)((dev >> 8) & 0xfff) | (u32)((dev >> 32) & ~0xfffull); }
u32 dev_minor(u64 dev) { return (u32)(dev & 0xff) | (u32)((dev >> 12) & 0xffffff00u); }

/* ---- superblocks ---- */
static u32 next_device_minor = 20;

void superblock_init(struct superblock *sb, const char *type, u32 magic) {
  sb->type = type, sb->magic = magic, sb->dev = makedev(0, ++next_device_minor), sb->next_ino = 1;
  list_init(&sb->link), list_init(&sb->mounts);
}

struct superblock *superblock_new(const char *type, u32 magic) {
  struct superblock *sb = kzalloc(sizeof *sb);
  if (sb) superblock_init(sb, type, magic);
  return sb;
}

void superblock_release(struct superblock *sb) {
  if (sb->dying && !sb->live_inodes && !sb->holds) kfree(sb);
}

void mount_hold(struct superblock *mount) {
  if (mount) mount->holds++;
}

void mount_drop(struct superblock *mount) {
  if (!mount) return;
  kassert(mount->holds);
  mount->holds--;
  superblock_release(mount);
}

/* ---- inodes ---- */
void inode_init(struct inode *ino, struct superblock *sb, u32 mode) {
  ino->sb = sb, ino->refs = 1, ino->nlink = 1, ino->mode = mode, ino->ino = sb->next_ino++;
  ino->atime = ino->mtime = ino->ctime = ino->btime = time_now();
  wait_queue_init(&ino->wait);
  sb->live_inodes++;
}

struct inode *inode_new(struct superblock *sb, u32 mode) {
  struct inode *ino = kzalloc(sizeof *ino);
  if (ino) inode_init(ino, sb, mode);
  return ino;
}

void inode_get(struct inode *ino) { ino->refs++; }

void inode_free(struct inode *ino) {
  struct superblock *sb = ino->sb;
  lock_free_all(ino);
  xattr_free_all(ino);
  sb->live_inodes--;
  kfree(ino);
  superblock_release(sb);
}

void inode_put(struct inode *ino) {
  kassert(ino->refs);
  if (--ino->refs) {
    if (UNLIKELY(ino->watches && !ino->nlink)) inode_watches_ended(ino);
    return;
  }
  if (ino->ops && ino->ops->last_put) {
    ino->ops->last_put(ino);
    return;
  }
  if (ino->ops && ino->ops->evict) ino->ops->evict(ino);
  inode_free(ino);
}

/* Pipes, sockets, eventfds: one hidden superblock, as Linux' pipefs, sockfs and anon_inodefs taken together. */
struct inode *inode_anonymous(u32 mode) {
  static struct superblock *anon;
  if (!anon && !(anon = superblock_new("anon", 0x09041934))) return NULL;
  return inode_new(anon, mode);
}

/* ---- permissions ---- */
void credentials_init(struct credentials *c, u32 uid, u32 gid) {
  *c = (struct credentials){.uid = uid, .gid = gid, .euid = uid, .egid = gid, .suid = uid, .sgid = gid, .fsuid = uid, .fsgid = gid,
                            .cap_bounding = CAPABILITIES_ALL};
  if (!uid) c->cap_permitted = c->cap_effective = CAPABILITIES_ALL;
}

bool credentials_in_group(const struct credentials *cred, u32 gid) {
  if (cred->fsgid == gid) return true;
  for (u32 i = 0; i < cred->group_count; i++)
    if (cred->groups[i] == gid) return true;
  return false;
}

int inode_permission(const struct inode *ino, const struct credentials *cred, u32 mask) {
  if (!cred) return 0;
  u32 bits = ino->mode;
  if (cred->fsuid == ino->uid)
    bits >>= 6;
  else if (credentials_in_group(cred, ino->gid))
    bits >>= 3;
  if (!(mask & ~bits & 7)) return 0;
  if (credentials_capable(cred, CAP_DAC_OVERRIDE)) /* all but executing what nobody may execute */
    return (mask & 1) && !S_ISDIR(ino->mode) && !(ino->mode & 0111) ? -EACCES : 0;
  bool reads = S_ISDIR(ino->mode) ? !(mask & 2) : mask == 4;
  return reads && credentials_capable(cred, CAP_DAC_READ_SEARCH) ? 0 : -EACCES;
}

/* May `cred` remove or rename `victim` out of dir? (sticky directories: unlink(2)) */
int inode_may_delete(const struct inode *dir, const struct inode *victim, const struct credentials *cred) {
  int r = inode_permission(dir, cred, 3);
  if (r) return r;
  if ((dir->mode & S_ISVTX) && cred && cred->fsuid != victim->uid && cred->fsuid != dir->uid &&
      !credentials_capable(cred, CAP_FOWNER))
    return -EPERM;
  return 0;
}

bool inode_owner_or_capable(const struct inode *ino, const struct credentials *cred) {
  return !cred || cred->fsuid == ino->uid || credentials_capable(cred, CAP_FOWNER);
}

void inode_attributes_changed(struct inode *ino) {
  ino->ctime = time_now();
  if (ino->ops && ino->ops->changed) ino->ops->changed(ino);
}

int inode_sealed_write(const struct inode *ino, u64 pos, u64 bytes) {
  if (LIKELY(!ino->seals)) return 0;
  if (ino->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) return -EPERM;
  return (ino->seals & F_SEAL_GROW) && pos + bytes > ino->size ? -EPERM : 0;
}
int inode_sealed_size(const struct inode *ino, u64 bytes) {
  return ((ino->seals & F_SEAL_SHRINK) && bytes < ino->size) || ((ino->seals & F_SEAL_GROW) && bytes > ino->size) ? -EPERM : 0;
}

int inode_chmod(struct inode *ino, const struct credentials *cred, u32 mode) {
  if (!inode_owner_or_capable(ino, cred)) return -EPERM;
  if (S_ISLNK(ino->mode)) return -EOPNOTSUPP;
  mode &= 07777;
  if ((ino->seals & F_SEAL_EXEC) && ((mode ^ ino->mode) & 0111)) return -EPERM;
  if (cred && !credentials_in_group(cred, ino->gid) && !credentials_capable(cred, CAP_FSETID)) mode &= ~(u32)S_ISGID;
  ino->mode = (ino->mode & S_IFMT) | mode;
  inode_attributes_changed(ino);
  return 0;
}

int inode_chown(struct inode *ino, const struct credentials *cred, u32 uid, u32 gid) {
  if (!credentials_capable(cred, CAP_CHOWN)) {
    if (cred->fsuid != ino->uid) return uid == ~0u && gid == ~0u ? 0 : -EPERM;
    if (uid != ~0u && uid != ino->uid) return -EPERM;
    if (gid != ~0u && gid != ino->gid && !credentials_in_group(cred, gid)) return -EPERM;
  }
  if (uid != ~0u) ino->uid = uid;
  if (gid != ~0u) ino->gid = gid;
  if (!S_ISDIR(ino->mode)) inode_drop_privileges(ino);
  inode_attributes_changed(ino);
  return 0;
}

/* Set-user-id goes, set-group-id too where it means execution. */
void inode_drop_privileges(struct inode *ino) {
  ino->mode &= ~(u32)S_ISUID;
  if (ino->mode & S_IXGRP) ino->mode &= ~(u32)S_ISGID;
}

int inode_set_times(struct inode *ino, const struct credentials *cred, const struct timespec64 *times) {
  struct timespec64 now = time_now(), set[2] = {now, now};
  bool all_now = true, none = false;
  if (times) {
    none = times[0].nsec == UTIME_OMIT && times[1].nsec == UTIME_OMIT;
    all_now = times[0].nsec == UTIME_NOW && times[1].nsec == UTIME_NOW;
    set[0] = times[0].nsec == UTIME_NOW ? now : times[0].nsec == UTIME_OMIT ? ino->atime : times[0];
    set[1] = times[1].nsec == UTIME_NOW ? now : times[1].nsec == UTIME_OMIT ? ino->mtime : times[1];
  }
  if (none) return 0;
  if (!inode_owner_or_capable(ino, cred)) {
    if (!all_now) return -EPERM;
    int r = inode_permission(ino, cred, 2);
    if (r) return r;
  }
  ino->atime = set[0], ino->mtime = set[1];
  inode_attributes_changed(ino);
  return 0;
}
