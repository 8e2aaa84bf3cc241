/* proc: the inside of procfs/. One list of files per tree, each with the function that writes its text; directories
 * follow from the paths. Kernel lock for everything. */
#ifndef TIDEMARK_PROCFS_PROC_H
#define TIDEMARK_PROCFS_PROC_H
#include "../task/task.h"
#include "../task/uts.h"

/* ---- text: a buffer that grows ---- */
struct text {
  char *data;
  u32 bytes, capacity;
  bool failed; /* no memory: what is in it is not whole */
};
void text_add(struct text *t, const char *data, u32 bytes);
void text_printf(struct text *t, const char *fmt, ...) PRINTF_LIKE(2, 3);
void text_free(struct text *t);

/* ---- files ---- */
enum proc_kind {
  PROC_FILE,   /* show writes the content */
  PROC_LINK,   /* show writes the target */
  PROC_MAGIC,  /* a link that also leads straight to an inode: target gives it */
  PROC_DIR,    /* whatever lies below the path in the list */
  PROC_FDS, PROC_FDINFOS, PROC_TASKS, /* directories made of a process' state */
};
struct proc_node;
struct proc_file {
  const char *path; /* without a leading slash */
  int (*show)(struct text *t, const struct proc_node *n); /* 0 or -errno */
  enum proc_kind kind;
  u32 mode;         /* 0: 0444 for files */
  /* PROC_MAGIC: a new reference, and the mount it was reached through where that is known */
  int (*target)(const struct proc_node *n, struct inode **out, struct superblock **mount);
  i64 (*write)(const struct proc_node *n, const char *data, u32 bytes);    /* NULL: not writable */
  bool process_only; /* not below task/TID */
  const struct ofd_ops *ops; /* not a text: for who may trace the process */
};
struct proc_tree {
  const struct proc_file *files;
  u32 count;
};
extern const struct proc_tree proc_system_tree, proc_process_tree, proc_sysfs_tree;

struct proc_node { /* inode->priv */
  const struct proc_tree *tree;
  const struct proc_file *file; /* NULL: a directory that follows from paths */
  const char *prefix;           /* PROC_DIR: paths below begin with these bytes ("" at the top) */
  u32 prefix_bytes;
  enum proc_kind kind;
  i32 pid, tid, fd;             /* 0: not about a process; tid: inside task/; fd: an entry of PROC_FDS */
};
struct process *node_process(const struct proc_node *n); /* NULL: gone */
struct thread *node_thread(const struct proc_node *n);   /* the one meant: the leader unless tid says; may be NULL */
struct ofd *node_ofd(const struct proc_node *n);         /* borrowed or NULL */

int proc_show_fd(struct text *t, const struct proc_node *n);     /* where a descriptor leads */
int proc_show_fdinfo(struct text *t, const struct proc_node *n);
int proc_show_mounts(struct text *t, const struct proc_node *n);
int proc_show_net_dev(struct text *t, const struct proc_node *n);
int proc_show_net_route(struct text *t, const struct proc_node *n);
int proc_show_net_inet6(struct text *t, const struct proc_node *n);
int proc_show_net_sockets(struct text *t, const struct proc_node *n);
int proc_show_net_unix(struct text *t, const struct proc_node *n);
extern const struct ofd_ops proc_memory_ops;
int proc_show_maps(struct text *t, const struct proc_node *n);
int proc_show_smaps(struct text *t, const struct proc_node *n);
u32 proc_cpus(void);
i32 proc_pid_of(const struct ofd *f); /* whose directory /proc/PID it is; 0: none */
#define PROC_MEMORY_TOTAL_BYTES (2ull << 30) /* what a tab is told to have */
u64 proc_memory_used(void);
void procfs_boot(void);
#endif
