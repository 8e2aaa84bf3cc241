/* root: what root.c, mount.c, devfs.c and layer.c tell each other. Kernel lock. */
#ifndef TIDEMARK_FILE_ROOT_H
#define TIDEMARK_FILE_ROOT_H
#include "memfs.h"

bool devfs_boot(void);
struct superblock *devfs_new(void);
bool ofd_is_zero_device(const struct ofd *f);

/* Mount sb on `on` (referenced by the caller, who keeps his reference), which was reached through `parent`. */
int mount_on(struct superblock *parent, struct inode *on, const char *path, struct superblock *sb);
void mount_undo(struct superblock *sb);     /* take it off its mount point and out of the list; the superblock stays */
void superblock_kill(struct superblock *sb); /* no longer mounted: its end, at once or with its last inode */
bool superblock_in_use(const struct superblock *sb); /* references besides what mounting itself holds */
struct memfs *root_memfs(u32 root);         /* NULL: no such root */
#endif
