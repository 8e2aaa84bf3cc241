/* inode: what the files of file/ share among themselves and with nobody else. Kernel lock. */
#ifndef TIDEMARK_FILE_INODE_H
#define TIDEMARK_FILE_INODE_H
#include "file.h"

#define NAME_BYTES 255u
#define FILE_MAX_BYTES 0x7fffffffffffffffull

void superblock_init(struct superblock *sb, const char *type, u32 magic);
void superblock_release(struct superblock *sb); /* frees a dying one without inodes */
void inode_free(struct inode *ino);             /* the end of an inode and of its superblock's count */
void lock_free_all(struct inode *ino);
void xattr_free_all(struct inode *ino);
u32 xattr_pack(const struct inode *ino, u8 *to);
int xattr_unpack(struct inode *ino, const u8 *from, u32 count); /* 0, -EINVAL, -ENOMEM */
void inode_watches_ended(struct inode *ino);   /* nobody but watches may refer to it any more */
void inode_watches_unmount(struct inode *ino); /* its file system goes */
int inode_may_delete(const struct inode *dir, const struct inode *victim, const struct credentials *cred);
bool inode_owner_or_capable(const struct inode *ino, const struct credentials *cred); /* CAP_FOWNER */
void inode_attributes_changed(struct inode *ino);
/* takes a reference, gives one: the root of what is mounted here as seen through *mount, which becomes that mount */
struct inode *inode_cross_mounts(struct inode *ino, struct superblock **mount);
struct superblock *mount_find(const struct superblock *through, const struct inode *on); /* what covers `on`, or NULL */

void new_inode_owner(const struct inode *dir, const struct credentials *cred, u32 *mode, u32 *uid, u32 *gid);
int open_special(struct inode *ino, struct ofd *f); /* devices and fifos: calls the opener registered for them */
const struct ofd_ops *file_default_ops(const struct inode *ino);
extern const struct ofd_ops directory_ops, path_only_ops;
#endif
