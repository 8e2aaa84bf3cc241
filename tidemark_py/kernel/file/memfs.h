/* memfs: the in-memory file system under "/", /tmp, /dev, /dev/shm and memfds: a writable tree over a frozen one.
 *
 * A frozen tree (frozen.c, layer.c) is what layers brought: immutable nodes whose bodies lie in the layers' blobs,
 * shared by any number of roots. A writable inode with `base` is the *shadow* of a frozen node: made at the first
 * lookup, found again through the superblock's hash, so hard links stay one inode. What nobody changed is borrowed:
 * a directory's names (until the first create, unlink or rename in it makes them its own), a file's pages (until the
 * first write to a page copies that page). Kernel lock for all of it.
 *
 * A memfs may have a journal (journal.c): then what changes is marked here, as it changes.
 *
 * Life: an inode stays while it has references or links. Shadows of unchanged files without references are kept in a
 * short queue and then freed: they can be made again. root_drop frees every inode of the superblock's list. */
#ifndef TIDEMARK_FILE_MEMFS_H
#define TIDEMARK_FILE_MEMFS_H
#include "inode.h"
#include "lazy.h"

#define DIRECTORY_BYTES 4096u /* st_size of a directory */
#define MEMFS_LIMIT_BLOCKS 262144u
#define MEMFS_LIMIT_INODES 1048576u
#define MEMFS_IDLE_SHADOWS 512u
#define LOCAL_INO_FIRST 0x40000000u /* inode numbers above belong to a writable tree, below to the frozen one */

/* ---- the frozen tree ---- */
struct frozen {
  u32 mode, uid, gid, nlink;
  u64 ino, rdev, size;
  i64 mtime;
  u32 mtime_nsec;
  u32 children;              /* directories: how many */
  u64 next_cookie;           /* directories: readdir position for the next name */
  struct frozen *parent;     /* directories */
  struct lazy_blob *lazy;    /* regular files: whose bytes the body may still wait for, or NULL */
  union {
    const u8 *body;          /* regular: in a blob */
    const char *target;      /* symbolic links, NUL-terminated */
    struct frozen_entry *first; /* directories, in cookie order */
  };
  struct frozen_entry *last;
};
struct frozen_entry {
  const char *name; /* not NUL-terminated */
  u32 bytes, hash;
  u64 cookie;
  struct frozen *dir, *node;
  struct frozen_entry *hash_next, *next, *prev;
};
struct frozen_chunk {
  struct frozen_chunk *next;
  u32 pages;
};
struct frozen_blob {
  struct frozen_blob *next;
  u8 *bytes;
  u32 pages;
  struct lazy_blob *lazy; /* or NULL */
};
struct frozen_tree {
  u32 refs; /* superblocks over it */
  struct frozen *root;
  u64 next_ino;
  struct frozen_entry **table; /* by directory and name */
  u32 table_size, entry_count; /* a power of two */
  struct list users;           /* memfs.tree_link */
  struct frozen_chunk *chunks; /* what nodes, entries and strings are cut from */
  u8 *cut, *cut_end;
  struct frozen_blob *blobs;
};
struct frozen_tree *frozen_tree_new(void); /* with an empty root directory */
void frozen_tree_put(struct frozen_tree *t);
/* Room for what is coming, so that the calls below cannot fail: bytes as frozen_cut takes them. */
bool frozen_reserve(struct frozen_tree *t, u32 entries, u64 bytes);
void *frozen_cut(struct frozen_tree *t, u32 bytes); /* 8-aligned, zeroed; from what was reserved */
u32 frozen_cut_bytes(u32 bytes);
struct frozen *frozen_node(struct frozen_tree *t, u32 mode);
struct frozen_entry *frozen_find(const struct frozen_tree *t, const struct frozen *dir, const char *name, u32 bytes, u32 hash);
/* dir's name becomes node (NULL: goes). `name` must live as long as the tree. Live trees follow where they did not
 * change the name themselves. */
void frozen_set(struct frozen_tree *t, struct frozen *dir, const char *name, u32 bytes, struct frozen *node);
void frozen_attributes_changed(struct frozen_tree *t, struct frozen *node); /* a directory merged in place */
static inline u32 name_hash(const char *name, u32 bytes) {
  u32 h = 2166136261u;
  for (u32 i = 0; i < bytes; i++) h = (h ^ (u8)name[i]) * 16777619u;
  return h;
}

/* ---- the writable tree ---- */
struct memfs_entry {
  const char *name; /* NULL: removed. Not NUL-terminated */
  u32 bytes, hash;
  u64 cookie;
  void *child;      /* struct frozen or struct memfs_inode */
  bool is_frozen, owns_name;
};
struct memfs_directory {
  struct memfs_inode *parent; /* NULL once removed; itself for the root */
  bool own;                   /* the names below count, not the base's */
  struct memfs_entry *entries; /* in cookie order */
  u32 count, capacity, live;
  u32 wanted;                 /* names a layer under way may bring */
  u64 next_cookie;
  u32 *index;                 /* open addressing over entries, slot + 1; NULL while the directory is small */
  u32 index_size, index_used;
};
struct memfs_file {
  void *pages;    /* radix tree of page pointers, `height` levels; PAGE_* in a pointer's low bits */
  u32 height;
  u64 base_bytes; /* of the base's body that still count */
  u64 kept;       /* with a journal: the fewest bytes it had since the journal was told of it, ~0: never fewer than now */
};
#define PAGE_DIRTY 1u  /* the journal has not got these bytes */
#define PAGE_SHARED 2u /* a shared mapping may write it at any time, without a word */
#define PAGE_TAGS 3u
struct memfs_inode {
  struct inode i; /* first: the generic code frees through it */
  struct list link; /* memfs.inodes */
  struct list idle; /* memfs.idle, or empty */
  struct memfs_inode *hash_next;
  struct frozen *base;
  bool changed;     /* differs from the base: must be kept */
  bool hashed;
  bool shared_pages;  /* some page has PAGE_SHARED */
  struct list dirty, renamed; /* of the journal: attributes or pages to be written; a directory's names */
  union {
    struct memfs_directory dir;
    struct memfs_file file;
    char *target;
  };
};
struct memfs {
  struct superblock sb; /* first */
  struct frozen_tree *tree; /* or NULL */
  struct list tree_link, inodes, idle;
  u32 idle_count, shadow_count;
  struct memfs_inode **shadows; /* by base */
  u32 shadows_size;
  struct journal *journal; /* or NULL */
  u32 shared_count;        /* inodes with shared_pages */
};
extern const struct inode_ops memfs_ops;
extern const struct ofd_ops memfs_file_ops;

static inline struct memfs_inode *memfs_of(struct inode *ino) { return CONTAINER_OF(ino, struct memfs_inode, i); }
static inline struct memfs *memfs_fs(const struct memfs_inode *m) { return CONTAINER_OF(m->i.sb, struct memfs, sb); }
bool inode_is_memfs(const struct inode *ino);

struct memfs *memfs_over(const char *type, struct frozen_tree *tree, u64 limit_blocks); /* takes a reference on the tree */
u64 memfs_references(const struct memfs *fs); /* references on its inodes, all together */
void memfs_unwatch(struct superblock *sb);    /* it is being unmounted: every watch on it hears so and goes */
void memfs_kill(struct superblock *sb);       /* superblock.kill: frees every inode, used or not */
void memfs_ref(struct memfs_inode *m);        /* also for one without references */
struct memfs_inode *memfs_shadow_find(struct memfs *fs, const struct frozen *base); /* borrowed or NULL */
struct memfs_inode *memfs_shadow(struct memfs *fs, struct frozen *base, struct memfs_inode *parent); /* new reference; NULL: no memory */
struct memfs_inode *memfs_inode_make(struct memfs *fs, u32 mode, u32 uid, u32 gid, u64 rdev, struct memfs_inode *parent);
void memfs_adopt(struct memfs_inode *m, struct frozen *base); /* a local directory becomes base's shadow */
/* journal.c: m's attributes (and a directory's names) are to be written; nothing without a journal */
void journal_changed(struct memfs_inode *m);
static inline void memfs_mark(struct memfs_inode *m) {
  m->changed = true;
  if (UNLIKELY(memfs_fs(m)->journal != NULL)) journal_changed(m);
}
void memfs_touch(struct memfs_inode *m, bool data); /* mtime if data, and ctime; marks it changed */

/* directories (memfs_dir.c) */
struct memfs_entry *memfs_dir_find(struct memfs_inode *dir, const char *name, u32 bytes, u32 hash); /* own only */
int memfs_dir_own(struct memfs_inode *dir);     /* copy the base's names: 0 or -ENOMEM */
int memfs_dir_reserve(struct memfs_inode *dir, u32 names); /* own, and room for so many more */
int memfs_dir_add(struct memfs_inode *dir, const char *name, u32 bytes, u32 hash, void *child, bool is_frozen, bool copy_name);
void memfs_dir_remove(struct memfs_inode *dir, struct memfs_entry *e);
bool memfs_dir_empty(const struct memfs_inode *dir);
void memfs_dir_free(struct memfs_inode *dir);
int memfs_lookup(struct inode *dir, const char *name, u32 bytes, struct inode **out);
int memfs_create(struct inode *dir, const char *name, u32 bytes, u32 mode, u32 uid, u32 gid, u64 rdev, struct inode **out);
int memfs_symlink(struct inode *dir, const char *name, u32 bytes, const char *target, u32 uid, u32 gid);
int memfs_link(struct inode *dir, const char *name, u32 bytes, struct inode *target);
int memfs_unlink(struct inode *dir, const char *name, u32 bytes, bool want_dir);
int memfs_rename(struct inode *old_dir, const char *old_name, u32 old_bytes, struct inode *new_dir, const char *new_name,
                 u32 new_bytes, u32 flags);
int memfs_readdir(struct inode *dir, u64 pos, readdir_fn fn, void *arg);

/* regular files (memfs_data.c) */
void memfs_pages_free(struct memfs_inode *m, u64 from); /* pages from..end */
u8 *memfs_page_dirty(struct memfs_inode *m, u64 *index, bool take); /* first own dirty page at or after *index; take: clean now */
void memfs_pages_tag(struct memfs_inode *m, u32 having); /* own pages with any of these tags (0: all) are dirty */
void memfs_pages_unshare(struct memfs_inode *m);
int memfs_page_put(struct memfs_inode *m, u64 index, const u8 *bytes, u32 count); /* an own page: these bytes, then zeros */
bool memfs_is_lazy(const struct inode *ino); /* regular: some of its body may not be here */
int memfs_here(struct inode *ino, u64 from, u64 bytes); /* bytes of the base's body: 0, -ENOTHERE, -EIO */
u64 memfs_missing(struct inode *ino, bool advise); /* bytes not here; advise: they are asked for */
int memfs_page(struct inode *ino, u64 index, bool write, u8 **page);
int memfs_truncate(struct inode *ino, u64 bytes);
int memfs_fallocate(struct inode *ino, u32 mode, u64 offset, u64 bytes);
#endif
