/* inotify: descriptions that hear of changes to files (inotify(7)). Kernel lock. */
#ifndef TIDEMARK_IPC_INOTIFY_H
#define TIDEMARK_IPC_INOTIFY_H
#include "ipc.h"

#define INOTIFY_MAX_EVENTS 16384u /* /proc/sys/fs/inotify */
#define INOTIFY_MAX_INSTANCES 128u
#define INOTIFY_MAX_WATCHES 65536u

int inotify_new(u32 uid, u32 flags, struct ofd **out);
bool ofd_is_inotify(const struct ofd *f);
int inotify_watch(struct ofd *f, struct inode *ino, u32 mask); /* the watch descriptor, -EEXIST, -ENOSPC, -ENOMEM */
int inotify_unwatch(struct ofd *f, i32 wd);                    /* -EINVAL: none such */
#endif
