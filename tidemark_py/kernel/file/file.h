/* file: inodes, directories, mounts, open file descriptions (OFD), fd tables, path walk. Everything under the kernel
 * lock. Knows mm (iobuf) and wait (queues); knows no syscall, task or tty: it is given credentials, root and cwd in a
 * struct fs_context, and returns -errno.
 *
 * One generic inode with ops per file system: memfs (file/memfs.c: also layers), devfs, devpts, procfs and anonymous
 * inodes (pipes, sockets, eventfd) fill in the ops they have. */
#ifndef TIDEMARK_FILE_FILE_H
#define TIDEMARK_FILE_FILE_H
#include "../mm/mm.h"
#include "../wait/wait.h"

#ifndef S_ISDIR /* inode(7) */
#define S_ISDIR(m) (((m) & S_IFMT) == S_IFDIR)
#define S_ISREG(m) (((m) & S_IFMT) == S_IFREG)
#define S_ISLNK(m) (((m) & S_IFMT) == S_IFLNK)
#define S_ISCHR(m) (((m) & S_IFMT) == S_IFCHR)
#define S_ISBLK(m) (((m) & S_IFMT) == S_IFBLK)
#define S_ISFIFO(m) (((m) & S_IFMT) == S_IFIFO)
#define S_ISSOCK(m) (((m) & S_IFMT) == S_IFSOCK)
#endif

struct inode;
struct ofd;
struct superblock;
struct poll_table;

struct timespec64 {
  i64 sec;
  i32 nsec;
};

struct credentials {
  u32 uid, gid, euid, egid, suid, sgid, fsuid, fsgid;
  u32 group_count;
  u32 groups[32];
  u64 cap_inheritable, cap_permitted, cap_effective, cap_bounding, cap_ambient; /* bit n: capability n */
  u32 securebits;                                                              /* SECBIT_* of prctl(2) */
};
#define CAPABILITIES_ALL ((1ull << (CAP_LAST_CAP + 1)) - 1)
void credentials_init(struct credentials *c, u32 uid, u32 gid); /* as login leaves them: user 0 has all capabilities */
/* May it act as `capability` allows? NULL, the kernel itself, may. */
static inline bool credentials_capable(const struct credentials *c, u32 capability) {
  return !c || (c->cap_effective >> capability & 1);
}

/* ---- inodes ---- */
struct dirent_out { /* what readdir reports */
  u64 ino;
  u8 type;          /* DT_* */
  const char *name;
  u32 name_bytes;
};
/* returns false to stop (buffer full) */
typedef bool (*readdir_fn)(void *arg, const struct dirent_out *d, u64 next_pos);

struct inode_ops {
  /* directories: child with a new reference in *out, or -ENOENT. name is not NUL-terminated. ".." is asked for as well:
   * a file system that does not know its parents answers -ENOENT and the walk goes by the path's text. */
  int (*lookup)(struct inode *dir, const char *name, u32 bytes, struct inode **out);
  int (*create)(struct inode *dir, const char *name, u32 bytes, u32 mode, u32 uid, u32 gid, u64 rdev, struct inode **out);
  int (*symlink)(struct inode *dir, const char *name, u32 bytes, const char *target, u32 uid, u32 gid);
  int (*link)(struct inode *dir, const char *name, u32 bytes, struct inode *target);
  int (*unlink)(struct inode *dir, const char *name, u32 bytes, bool want_dir);
  int (*rename)(struct inode *old_dir, const char *old_name, u32 old_bytes, struct inode *new_dir, const char *new_name,
                u32 new_bytes, u32 flags);
  /* "." and ".." are the caller's; positions are the file system's own, the first call comes with 0 */
  int (*readdir)(struct inode *dir, u64 pos, readdir_fn fn, void *arg);
  int (*tmpfile)(struct inode *dir, u32 mode, u32 uid, u32 gid, struct inode **out); /* O_TMPFILE: nlink 0 */
  /* symbolic links: target bytes into buf (no NUL), returns length. procfs magic links fill *jump instead (own reference)
   * and the mount it was reached through. */
  i64 (*readlink)(struct inode *ino, char *buf, u32 bytes);
  int (*follow)(struct inode *ino, struct inode **jump, struct superblock **mount);
  /* regular files: a pointer to the page's bytes for mmap and the page cache. write: make it private to this inode
   * (copy-on-write from a layer) and allocate holes. NULL *page with 0: a hole. -EIO/-ENOSPC/-ENOMEM. */
  int (*page)(struct inode *ino, u64 index, bool write, u8 **page);
  int (*truncate)(struct inode *ino, u64 bytes);
  int (*fallocate)(struct inode *ino, u32 mode, u64 offset, u64 bytes);
  void (*changed)(struct inode *ino); /* attributes were set from outside (chmod, utimensat ...); may be NULL */
  int (*open)(struct inode *ino, struct ofd *ofd); /* may replace ofd->ops and set ofd->priv (devices, procfs, fifos) */
  int (*getattr)(struct inode *ino);               /* refresh dynamic fields (procfs); may be NULL */
  void (*evict)(struct inode *ino);                /* last reference gone: free priv; the inode itself is freed after */
  bool keeps_xattrs;                               /* extended attributes may be set (file/xattr.c keeps them) */
  void (*last_put)(struct inode *ino);             /* instead of evict: the file system keeps or frees the inode itself */
};

struct inode {
  const struct inode_ops *ops;
  const struct ofd_ops *fops; /* default ops for an OFD opened on it */
  struct superblock *sb;
  u32 refs;
  u32 nlink;
  u64 ino;
  u32 mode, uid, gid;
  u64 rdev;
  u64 size;       /* bytes */
  u64 blocks_512; /* st_blocks */
  struct timespec64 atime, mtime, ctime, btime;
  struct wait_queue wait;     /* fifo opens, locks */
  u32 mounted;                /* how many mounts stand on it; which one is seen depends on the way here (mount.c) */
  void *locks;                /* record locks (file/lock.c) */
  struct inode_watch *watches; /* file/watch.c: each holds a reference */
  struct xattr *xattrs;       /* file/xattr.c */
  u32 image;                  /* task/exec.c: a number for these bytes as a program, 0 none yet */
  u64 image_key;
  void *priv;                 /* the file system's own */
  u32 write_denied;           /* >0: being executed (ETXTBSY) */
  u32 writers;                /* regular files: descriptions open for writing (execve's ETXTBSY) */
  u32 seals;                  /* F_SEAL_* of a memfd (memfd_create(2)); 0 for all other files */
  bool sealable;              /* a memfd: F_GET_SEALS and F_ADD_SEALS know it */
  bool linkable;              /* O_TMPFILE without O_EXCL: may get its first name by linkat(2) */
};

/* A file system and, at once, its mount. A bind mount is a superblock without files of its own (covered): only what is
 * said about mounts counts there. */
struct superblock {
  const char *type; /* "tmpfs", "proc", "devtmpfs", "devpts" */
  u64 dev;          /* st_dev */
  u32 magic;        /* statfs f_type */
  struct inode *root;
  struct inode *mountpoint; /* NULL for the root file system */
  struct superblock *parent; /* the mount that mountpoint was reached through */
  struct superblock *copy;   /* during a recursive bind: of this one */
  char mount_path[64];      /* for /proc/mounts */
  u64 next_ino;
  u64 blocks_used, blocks_limit, inodes_used, inodes_limit; /* 4 KiB blocks */
  void *priv;
  void (*kill)(struct superblock *sb); /* unmounted or its root dropped: free priv; the superblock is freed after */
  struct list link;                    /* all superblocks of one root, in mount order: sb->root_sb->mounts */
  struct list mounts;                  /* of the root file system: its mounts, itself not among them */
  struct superblock *root_sb;          /* NULL until mounted */
  u32 watched;                         /* inode_watches on its inodes */
  u32 live_inodes;                     /* made by inode_init and not freed yet */
  u32 mount_id;
  u32 mount_flags;                     /* MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC of this mount alone */
  u32 holds, writers;                  /* of this mount: contexts and descriptions; those of them open for writing */
  bool dying, read_only;
  bool covered;                        /* a bind mount: root belongs to `bound`, this superblock only names the mount */
};

void inode_get(struct inode *ino);
void inode_put(struct inode *ino);
struct inode *inode_new(struct superblock *sb, u32 mode); /* refs 1, nlink 1, times now */
void inode_init(struct inode *ino, struct superblock *sb, u32 mode); /* the same for one embedded in a bigger struct */
struct timespec64 time_now(void);
u64 makedev(u32 major, u32 minor); /* as Linux encodes st_dev and st_rdev */
u32 dev_major(u64 dev);
u32 dev_minor(u64 dev);

/* ---- open file descriptions ---- */
struct ofd_ops {
  i64 (*read)(struct ofd *f, struct iobuf *io, u64 *pos);  /* pos: NULL for streams' callers never; streams ignore it */
  i64 (*write)(struct ofd *f, struct iobuf *io, u64 *pos);
  i64 (*seek)(struct ofd *f, i64 offset, int whence);      /* NULL: -ESPIPE */
  u32 (*poll)(struct ofd *f, struct poll_table *pt);       /* POLL* now; registers on its queues when pt is not NULL */
  i64 (*ioctl)(struct ofd *f, u32 request, uaddr_t arg);   /* NULL: -ENOTTY */
  int (*fsync)(struct ofd *f);
  int (*mmap_ok)(struct ofd *f, int prot, int flags);      /* NULL: regular file rules */
  /* mmap: the page's bytes where the inode has no page op (devices); mmap_ok must be there */
  int (*mmap_page)(struct ofd *f, u64 index, u8 **page, u32 *bytes);
  void (*release)(struct ofd *f);                          /* last reference */
  void (*flush)(struct ofd *f);                            /* each close(2) */
  const char *(*link_text)(struct ofd *f, char *buf, u32 bytes); /* /proc/self/fd for anonymous: "pipe:[12]" */
};

struct ofd {
  const struct ofd_ops *ops;
  struct inode *inode;
  struct superblock *mount; /* opened through it, held; NULL for what has no path */
  struct inode *dir;        /* the directory it was opened in, referenced; NULL where that is not known */
  u32 refs;
  u32 flags;     /* O_ACCMODE | O_APPEND | O_NONBLOCK | O_DIRECTORY | O_PATH ... */
  u64 pos;
  u32 generation;
  char *path;    /* absolute path at open, for /proc and the cwd; may be NULL */
  void *priv;    /* the object behind it: pipe, tty, socket, eventfd */
  i32 owner_pid; /* F_SETOWN */
  struct list poll_hooks; /* poll_hook: epoll registrations and watches; ofd_new makes it an empty list */
};
/* Told when the description goes: the last ofd_put calls released() of every hook (which may remove any of them: take
 * the first until the list is empty; a hook it leaves in place is unlinked) before ops->release. */
struct poll_hook {
  struct list link;
  void (*released)(struct poll_hook *h, struct ofd *f);
};
void ofd_get(struct ofd *f);
void ofd_put(struct ofd *f);
/* anonymous descriptions (pipes, eventfd ...): takes over the inode reference */
struct ofd *ofd_new(struct inode *inode, const struct ofd_ops *ops, u32 flags, void *priv);
struct inode *inode_anonymous(u32 mode); /* on a hidden "anon" superblock */
/* ofd_ops.seek of what has a position and no end: directories, procfs */
i64 ofd_seek_position(struct ofd *f, i64 offset, int whence);
i64 ofd_read(struct ofd *f, struct iobuf *io);                 /* at f->pos, access mode checked */
i64 ofd_write(struct ofd *f, struct iobuf *io);
i64 ofd_pread(struct ofd *f, struct iobuf *io, u64 pos);
i64 ofd_pwrite(struct ofd *f, struct iobuf *io, u64 pos);
/* whole kernel-side read of a regular file range (ELF headers, #!): bytes read or -errno */
i64 inode_read_kernel(struct inode *ino, u64 pos, void *dst, u32 bytes);

/* ---- poll ---- */
struct poll_table { /* collects wait entries; ipc/poll.c owns the storage */
  void (*add)(struct poll_table *pt, struct wait_queue *q);
  u64 deadline_ns; /* look again at this time (CLOCK_MONOTONIC): timerfd */
  bool timed;      /* something here becomes ready by time alone, now or later */
};
static inline void poll_wait(struct poll_table *pt, struct wait_queue *q) {
  if (pt) pt->add(pt, q);
}
static inline void poll_deadline(struct poll_table *pt, u64 ns) {
  if (!pt) return;
  pt->timed = true;
  if (ns < pt->deadline_ns) pt->deadline_ns = ns;
}

/* ---- fd tables ---- */
#define FD_LIMIT_DEFAULT 1024u
#define FD_LIMIT_HARD 65536u
struct fd_entry {
  struct ofd *ofd;
  bool cloexec;
};
struct fd_table {
  u32 refs;
  u32 capacity;
  u32 lowest_free_hint;
  struct fd_entry *entries;
};
struct fd_table *fd_table_new(void);
struct fd_table *fd_table_copy(const struct fd_table *from); /* same OFDs, referenced */
void fd_table_get(struct fd_table *t);
void fd_table_put(struct fd_table *t); /* last reference closes all */
void fd_table_close_on_exec(struct fd_table *t);
struct ofd *fd_get(struct fd_table *t, int fd); /* borrowed, or NULL (-EBADF) */
int fd_install(struct fd_table *t, struct ofd *f, int lowest, u32 limit, bool cloexec); /* takes the reference on success */
int fd_replace(struct fd_table *t, int fd, struct ofd *f, u32 limit, bool cloexec);     /* dup2: closes what was there */
int fd_close(struct fd_table *t, int fd);
bool fd_has_room(const struct fd_table *t, u32 limit); /* would fd_install find a number below limit? */

/* ---- path walk ---- */
struct fs_context { /* shared by threads (CLONE_FS) */
  u32 refs;
  struct inode *root, *cwd;
  struct superblock *root_mount, *cwd_mount; /* held */
  char *cwd_path; /* absolute, as the process sees it */
  u32 umask;
};
struct fs_context *fs_context_new(struct inode *root);
void fs_context_get(struct fs_context *fs);
struct fs_context *fs_context_copy(const struct fs_context *from);
void fs_context_put(struct fs_context *fs);

struct walk { /* result of path_walk */
  struct inode *dir;    /* parent, referenced (NULL for "/", ".", ".." and after a magic link) */
  struct inode *inode;  /* the thing, referenced, or NULL when only the last component is missing */
  struct superblock *mount, *dir_mount; /* of inode and dir: borrowed */
  char *last;           /* last component in `path`, or "", ".", ".." */
  u32 last_bytes;
  bool trailing_slash;
  char path[4096];      /* normalised absolute path */
};
#define WALK_NOFOLLOW 1u   /* do not follow a final symbolic link */
#define WALK_PARENT 2u     /* inode may be missing: no -ENOENT for the last component */
#define WALK_DIRECTORY 4u  /* -ENOTDIR unless a directory */
#define WALK_EMPTY 8u      /* AT_EMPTY_PATH: "" means the start directory itself */
#define WALK_NO_MAGIC 16u  /* RESOLVE_NO_MAGICLINKS */
#define WALK_NAME 32u      /* the last component is named (unlink, rename, mkdir): not followed, not even before a '/' */
#define WALK_BENEATH 64u   /* RESOLVE_BENEATH: -EXDEV when the walk leaves the start directory */
#define WALK_IN_ROOT 128u  /* RESOLVE_IN_ROOT: the start directory is "/" */
#define WALK_NO_LINKS 256u /* RESOLVE_NO_SYMLINKS */
#define WALK_NO_XDEV 512u  /* RESOLVE_NO_XDEV */
/* at: directory to start at for relative paths (NULL = fs->cwd; at_path its absolute path). Follows at most 40 links
 * (ELOOP); NAME_MAX 255, PATH_MAX 4096. Search permission is checked with cred. `w` is large: kmalloc it or use walk_new. */
int path_walk(const struct fs_context *fs, const struct credentials *cred, struct inode *at, const char *at_path,
              const char *path, u32 flags, struct walk *w);
struct path_at { /* a path and where it starts; at_mount NULL: `at` is on its own file system's mount */
  struct inode *at;
  struct superblock *at_mount;
  const char *at_path, *path;
  u32 walk; /* WALK_* besides what the call itself needs */
};
int path_walk_at(const struct fs_context *fs, const struct credentials *cred, const struct path_at *p, u32 flags, struct walk *w);
void walk_free(struct walk *w); /* drops references; NULL is fine */
struct walk *walk_new(void);
/* pool of path buffers (PATH_BYTES each): walks are short, so a few are kept */
#define PATH_BYTES 4096u /* with the NUL */
char *path_buffer(void); /* NULL: no memory */
void path_buffer_free(char *p);
int inode_permission(const struct inode *ino, const struct credentials *cred, u32 mask); /* 4 r, 2 w, 1 x: 0 or -EACCES */
/* open(2) whole: O_CREAT, O_EXCL, O_TRUNC, O_DIRECTORY, O_NOFOLLOW, O_PATH, O_TMPFILE; new description in *out */
int file_open(const struct fs_context *fs, const struct credentials *cred, const struct path_at *p, u32 flags, u32 mode,
              struct ofd **out);
/* the same with WALK_* besides: openat2(2) */
int file_open_walk(const struct fs_context *fs, const struct credentials *cred, const struct path_at *p, u32 flags, u32 mode,
                   u32 walk_flags, struct ofd **out);
int file_open_inode(struct inode *ino, const char *path, u32 flags, struct ofd **out);
void ofd_set_way(struct ofd *f, const struct walk *w); /* right after the description was made */
/* The path calls (file/name.c): mkdirat, mknodat, unlinkat, symlinkat, linkat, renameat2 with all their checks.
 * `at` as for path_walk. */
int file_mkdir(const struct fs_context *fs, const struct credentials *cred, const struct path_at *p, u32 mode);
int file_mknod(const struct fs_context *fs, const struct credentials *cred, const struct path_at *p, u32 mode, u64 rdev);
int file_unlink(const struct fs_context *fs, const struct credentials *cred, const struct path_at *p, bool want_dir);
int file_symlink(const struct fs_context *fs, const struct credentials *cred, const char *target, const struct path_at *p);
int file_link(const struct fs_context *fs, const struct credentials *cred, const struct path_at *from, u32 walk_flags,
              const struct path_at *to);
int file_rename(const struct fs_context *fs, const struct credentials *cred, const struct path_at *from,
                const struct path_at *to, u32 flags);
/* 0 or -EPERM: do a memfd's seals allow a write of [pos, pos + bytes), a new size? */
int inode_sealed_write(const struct inode *ino, u64 pos, u64 bytes);
int inode_sealed_size(const struct inode *ino, u64 bytes);
int file_truncate(struct inode *ino, u64 bytes); /* regular files: -EISDIR, -EINVAL, -ETXTBSY, -EROFS */
/* chmod, chown, utimensat on an inode. uid or gid ~0: as it is. times: NULL for now; nsec UTIME_NOW, UTIME_OMIT. */
int inode_chmod(struct inode *ino, const struct credentials *cred, u32 mode);
int inode_chown(struct inode *ino, const struct credentials *cred, u32 uid, u32 gid);
int inode_set_times(struct inode *ino, const struct credentials *cred, const struct timespec64 *times);
void inode_drop_privileges(struct inode *ino); /* set-user-id and set-group-id go: a write or chown by somebody */
bool credentials_in_group(const struct credentials *cred, u32 gid);
/* Absolute path of a directory as seen from fs->root, into buf: its length, -ENOENT when removed, -ERANGE. */
i64 path_of_cwd(const struct fs_context *fs, char *buf, u32 bytes);

/* ---- extended attributes (file/xattr.c): xattr(7) ---- */
int xattr_set(struct inode *ino, const struct credentials *cred, const char *name, const void *value, u32 bytes, u32 flags);
i64 xattr_get(struct inode *ino, const struct credentials *cred, const char *name, const void **value); /* borrowed */
i64 xattr_list(const struct inode *ino, const struct credentials *cred, char *buf, u32 bytes);
int xattr_remove(struct inode *ino, const struct credentials *cred, const char *name);

/* ---- watches (file/watch.c): the events of inotify(7), IN_* in mask ---- */
struct inode_watch {
  struct inode_watch *next;
  struct inode *inode;
  u32 mask;
  /* name: of a directory's entry, not NUL-terminated; IN_DELETE_SELF and IN_UNMOUNT come unasked, as the last event */
  void (*event)(struct inode_watch *w, u32 mask, u32 cookie, const char *name, u32 bytes);
};
extern u32 inode_watch_count;
void inode_watch_add(struct inode_watch *w, struct inode *ino);
void inode_watch_remove(struct inode_watch *w);
void inode_notify(struct inode *ino, u32 mask); /* its own watches alone */
void inode_notify_name(struct inode *dir, u32 mask, u32 cookie, const char *name, u32 bytes, const struct inode *child);
void walk_notify(const struct walk *w, u32 mask); /* the directory's watches, with the name, then its own */
void ofd_notify(struct ofd *f, u32 mask);

/* ---- locks (file/lock.c): fcntl(2) record locks, OFD locks, flock(2) ---- */
struct file_lock_request {
  const void *owner;  /* the fd table for POSIX locks, the description for OFD and flock locks */
  i32 pid;            /* for F_GETLK; -1 for OFD locks */
  u32 type;           /* F_RDLCK, F_WRLCK, F_UNLCK */
  u64 start, end;     /* bytes, inclusive; end ~0 = to the end */
};
int lock_set(struct inode *ino, const struct file_lock_request *r, bool wait); /* -EAGAIN, -EDEADLK, -ERESTARTSYS, -ENOLCK */
/* F_GETLK: type F_UNLCK in *r when free, else the lock in the way. */
void lock_test(struct inode *ino, struct file_lock_request *r);
int lock_flock(struct ofd *f, u32 operation); /* LOCK_SH, LOCK_EX, LOCK_UN, LOCK_NB */
void lock_release_owner(struct inode *ino, const void *owner); /* close */
struct lock_shown { /* /proc/locks */
  const char *kind;   /* "POSIX", "OFDLCK", "FLOCK" */
  struct file_lock_request request;
  const struct inode *inode;
};
void lock_each(struct inode *ino, void (*fn)(void *arg, const struct lock_shown *l), void *arg);

/* ---- roots and layers ---- */
/* A root is a writable tree over a frozen one. Root 0 is made at boot (empty). Handles are small integers. */
#define MAX_ROOTS 64
struct inode *root_inode(u32 root);                 /* borrowed or NULL */
int root_new(i32 base);                             /* base -1: empty; else a fresh writable view of root `base`'s frozen
                                                       layers (its own writes are not seen). Mounts /dev /proc /dev/pts
                                                       /dev/shm /tmp as needed. Handle or -errno */
int root_drop(u32 root);                            /* frees the writable part; -EBUSY while processes use it */
/* Apply a layer to root's frozen tree: index = struct layer_entry[] + strings (ABI layout), blob = file bodies.
 * All or nothing: the index is checked whole first; -EINVAL names nothing, klog says which entry. The blob's memory is
 * kept by reference (kernel heap pages); on failure the caller frees it. lazy_shift: 0, or the bodies come later in
 * chunks of 1 << lazy_shift bytes (lazy.h), and the result is the blob's id. */
int layer_apply(u32 root, const void *index, u32 index_bytes, u8 *blob, u64 blob_bytes, u32 lazy_shift);
/* Bytes of a regular file that a lazy layer has not brought yet; advise: they are asked for, without waiting. */
u64 file_missing(struct inode *ino, bool advise);
/* The blobs of all layers in use (not the lazy ones): up to `room` ranges, how many there are; twice where two roots
 * share one. */
u32 layer_blobs(struct image_range *to, u32 room);
bool lazy_all_here(void); /* every body of every lazy layer */
/* Until all that was changed before is kept (journal.c): 0, -ENOSPC, -EIO; at once where nothing is kept. -EAGAIN: this
 * thread may not park. Only a kill ends it early. file_sync_all: every journal there is. */
int file_sync(struct superblock *sb);
int file_sync_all(void);
void file_boot(void);
/* Memory file systems made at run time: mount(2) of tmpfs, memfd_create. limit in 4 KiB blocks, 0: the default. */
struct superblock *memfs_new(const char *type, u64 limit_blocks);
int memfd_open(const char *name, u32 flags, struct ofd **out);
/* new reference, *mount (of dir) becomes the parent's; see path.c */
struct inode *dir_parent(const struct fs_context *fs, struct inode *dir, struct superblock **mount, const char *text);

/* devices register by number; devfs nodes open through this table */
int chrdev_register(u32 major, u32 minor_first, u32 minors, const struct ofd_ops *ops,
                    int (*open)(struct inode *ino, struct ofd *ofd));
/* other rooms add file systems: make a superblock and mount its root on an existing directory of `root` */
struct superblock *superblock_new(const char *type, u32 magic);
int fs_mount(struct inode *root, const char *path, struct superblock *sb);
/* mount sb where a walk ended; mount --bind of one directory or file there */
int fs_mount_at(const struct walk *on, struct superblock *sb);
int fs_bind(const struct walk *on, const struct walk *of, bool recursive);
/* Undo. -EBUSY while anything on it is in use, -EINVAL for the root's. lazy (MNT_DETACH): a bind mount in use goes from
 * the tree and ends with its last user, other file systems are -EOPNOTSUPP instead of -EBUSY. */
int fs_unmount(struct superblock *mount, bool lazy);
/* MS_REMOUNT: the mount's own flags, with `whole` the file system's too. -EBUSY: to read-only while open for writing. */
int fs_remount(struct superblock *mount, u32 mount_flags, bool whole);
void mount_hold(struct superblock *mount); /* NULL is fine */
void mount_drop(struct superblock *mount);
/* 0 or -EROFS: may what was reached through `mount` (NULL: no path) be changed? */
int mount_may_write(const struct superblock *mount, const struct inode *ino);
/* procfs/ registers here; called for every new root, and at once for those that are there */
void fs_on_new_root(int (*fn)(struct inode *root));
/* all mounts seen from a root, its own file system first, in mount order (/proc/mounts) */
void fs_each_mount(const struct inode *root, void (*fn)(void *arg, const struct superblock *sb), void *arg);
/* mount(2) by type: who implements one registers it. make returns a fresh superblock or NULL (no memory). */
void fs_type_register(const char *type, struct superblock *(*make)(void));
void superblock_discard(struct superblock *sb); /* one that could not be mounted */
struct superblock *fs_type_make(const char *type); /* NULL: *known false for an unknown type */
bool fs_type_known(const char *type);
/* opening a fifo is ipc's: it registers fifo_open here at boot (-ENXIO until then) */
void fifo_register(int (*open)(struct inode *ino, struct ofd *ofd));
#endif
