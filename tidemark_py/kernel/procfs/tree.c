/* tree: the file system under /proc and /sys: look-up, listing, links, opens and reads (proc(5)).
 *
 * Directories follow from the lists of paths (system.c, process.c, sysfs.c). An inode is made at look-up and freed with
 * its last reference; its number says what it is about, so it stays the same. Content is made when a description reads
 * at position 0 and kept until it does so again, as Linux' seq_file does. */
#include "proc.h"

#define PROC_MAGIC_NUMBER 0x9fa0u
#define SYSFS_MAGIC_NUMBER 0x62656572u
#define PID_POSITION 0x10000u /* directory positions from here on are pids */

static const struct inode_ops proc_inode_ops;
static const struct ofd_ops proc_ofd_ops;

struct process *node_process(const struct proc_node *n) {
  struct process *p = process_find(n->pid);
  return p && p->state != PROCESS_FREE ? p : NULL;
}
struct thread *node_thread(const struct proc_node *n) {
  struct process *p = node_process(n);
  if (!p) return NULL;
  struct thread *t = thread_find(n->tid ? n->tid : n->pid);
  if (t && t->process == p) return t;
  return n->tid || list_empty(&p->threads) ? NULL : CONTAINER_OF(p->threads.next, struct thread, link);
}
struct ofd *node_ofd(const struct proc_node *n) {
  struct process *p = node_process(n);
  return p && p->fds ? fd_get(p->fds, n->fd) : NULL;
}

i32 proc_pid_of(const struct ofd *f) {
  if (f->inode->ops != &proc_inode_ops) return 0;
  const struct proc_node *n = f->inode->priv;
  return n->tree == &proc_process_tree && n->kind == PROC_DIR && !n->prefix_bytes && !n->tid ? n->pid : 0;
}

static u64 node_number(const struct proc_node *n) {
  u64 low = n->file ? 2 + (u64)(n->file - n->tree->files) : 1;
  if (!n->file && n->prefix_bytes) { /* a directory: by the first path below it */
    u32 i = 0;
    while (strncmp(n->tree->files[i].path, n->prefix, n->prefix_bytes)) i++;
    low = 0x1000 + 0x100 * n->prefix_bytes + i;
  }
  if (n->fd >= 0) low = (n->kind == PROC_FILE ? 0x50000u : 0x40000u) + (u32)n->fd;
  return (u64)(n->tid ? n->tid : n->pid) << 20 | (n->tid ? 0x80000u : 0) | low;
}

static bool is_directory(enum proc_kind kind) { return kind >= PROC_DIR; }
static u32 node_mode(const struct proc_node *n) {
  u32 bits = n->file ? n->file->mode : 0;
  if (is_directory(n->kind)) return S_IFDIR | (n->kind == PROC_FDS || n->kind == PROC_FDINFOS ? 0500 : 0555);
  if (n->kind == PROC_FILE) return S_IFREG | (bits ? bits : 0444);
  if (n->fd < 0) return S_IFLNK | 0777;
  struct ofd *f = node_ofd(n);
  u32 access = f ? f->flags & O_ACCMODE : 0;
  return S_IFLNK | (access == O_RDONLY ? 0500 : access == O_WRONLY ? 0300 : 0700);
}

static int node_inode(struct superblock *sb, const struct proc_node *n, struct inode **out) {
  struct proc_node *own = kmalloc(sizeof *own);
  struct inode *ino = own ? inode_new(sb, node_mode(n)) : NULL;
  if (!ino) {
    kfree(own);
    return -ENOMEM;
  }
  *own = *n;
  ino->ops = &proc_inode_ops, ino->fops = is_directory(n->kind) ? NULL : &proc_ofd_ops;
  ino->priv = own, ino->ino = node_number(n);
  if (is_directory(n->kind)) ino->nlink = 2;
  struct process *p = n->pid ? node_process(n) : NULL;
  if (p) ino->uid = p->cred.euid, ino->gid = p->cred.egid;
  *out = ino;
  return 0;
}

/* A decimal number without leading zeros, or -1. */
static i32 parse_number(const char *name, u32 bytes) {
  i32 v = 0;
  if (!bytes || bytes > 9 || (bytes > 1 && name[0] == '0')) return -1;
  for (u32 i = 0; i < bytes; i++) {
    if (name[i] < '0' || name[i] > '9') return -1;
    v = v * 10 + (name[i] - '0');
  }
  return v;
}

/* The component of file's path below the directory n, or NULL when it is not below. */
static const char *component(const struct proc_node *n, const struct proc_file *file, u32 *bytes) {
  if (strncmp(file->path, n->prefix, n->prefix_bytes) || (n->tid && file->process_only)) return NULL;
  const char *name = file->path + n->prefix_bytes, *end = strchr(name, '/');
  *bytes = end ? (u32)(end - name) : (u32)strlen(name);
  return name;
}

static void node_from_file(const struct proc_node *dir, const struct proc_file *file, const char *name, u32 bytes,
                           struct proc_node *n) {
  *n = (struct proc_node){.tree = dir->tree, .pid = dir->pid, .tid = dir->tid, .fd = -1, .kind = PROC_DIR};
  if (name[bytes] == '/')
    n->prefix = file->path, n->prefix_bytes = (u32)(name + bytes + 1 - file->path);
  else
    n->file = file, n->kind = file->kind;
}

static int proc_lookup(struct inode *dir, const char *name, u32 bytes, struct inode **out) {
  const struct proc_node *d = dir->priv;
  struct proc_node n = *d;
  i32 number = parse_number(name, bytes);
  n.file = NULL;
  switch (d->kind) {
    case PROC_FDS:
    case PROC_FDINFOS:
      n.fd = number, n.file = d->file, n.kind = d->kind == PROC_FDS ? PROC_MAGIC : PROC_FILE;
      return number >= 0 && node_ofd(&n) ? node_inode(dir->sb, &n, out) : -ENOENT;
    case PROC_TASKS:
      n.tid = number, n.kind = PROC_DIR, n.prefix = "", n.prefix_bytes = 0;
      return number > 0 && node_thread(&n) ? node_inode(dir->sb, &n, out) : -ENOENT;
    case PROC_DIR: break;
    default: return -ENOTDIR;
  }
  if (d->pid && !node_process(d)) return -ENOENT;
  if (number > 0 && d->tree == &proc_system_tree && !d->prefix_bytes) {
    struct thread *t = thread_find(number);
    struct process *p = process_find(number);
    n = (struct proc_node){.tree = &proc_process_tree, .prefix = "", .kind = PROC_DIR, .fd = -1};
    n.pid = p ? number : t ? t->process->pid : 0;
    return n.pid && node_process(&n) ? node_inode(dir->sb, &n, out) : -ENOENT;
  }
  for (u32 i = 0; i < d->tree->count; i++) {
    u32 length;
    const char *c = component(d, &d->tree->files[i], &length);
    if (!c || length != bytes || memcmp(c, name, bytes)) continue;
    node_from_file(d, &d->tree->files[i], c, length, &n);
    return node_inode(dir->sb, &n, out);
  }
  return -ENOENT;
}

static bool emit(struct proc_node *n, const char *name, u32 bytes, u64 next, readdir_fn fn, void *arg) {
  struct dirent_out e = {.ino = node_number(n), .type = (u8)(node_mode(n) >> 12), .name = name, .name_bytes = bytes};
  return fn(arg, &e, next);
}
static bool emit_number(struct proc_node *n, u32 number, u64 next, readdir_fn fn, void *arg) {
  char name[12];
  return emit(n, name, (u32)ksnprintf(name, sizeof name, "%u", number), next, fn, arg);
}

static int readdir_static(const struct proc_node *d, u64 *pos, readdir_fn fn, void *arg) {
  for (; *pos < d->tree->count; ++*pos) {
    const struct proc_file *file = &d->tree->files[*pos];
    u32 bytes, other;
    const char *name = component(d, file, &bytes);
    bool again = false; /* a directory is listed for its first path alone */
    for (u32 j = 0; name && j < *pos && !again; j++) {
      const char *before = component(d, &d->tree->files[j], &other);
      again = before && other == bytes && !memcmp(before, name, bytes);
    }
    if (!name || again) continue;
    struct proc_node n;
    node_from_file(d, file, name, bytes, &n);
    if (!emit(&n, name, bytes, *pos + 1, fn, arg)) return 1;
  }
  return 0;
}

static int proc_readdir(struct inode *dir, u64 pos, readdir_fn fn, void *arg) {
  const struct proc_node *d = dir->priv;
  struct proc_node n = *d;
  struct process *p = d->pid ? node_process(d) : NULL;
  if (d->pid && !p) return -ENOENT;
  switch (d->kind) {
    case PROC_FDS:
    case PROC_FDINFOS:
      n.kind = d->kind == PROC_FDS ? PROC_MAGIC : PROC_FILE;
      for (; p->fds && pos < p->fds->capacity; pos++) {
        n.fd = (i32)pos;
        if (fd_get(p->fds, n.fd) && !emit_number(&n, (u32)pos, pos + 1, fn, arg)) break;
      }
      return 0;
    case PROC_TASKS: /* position: one above the last tid listed */
      for (i32 tid; n.kind = PROC_DIR, true; pos = (u64)tid + 1) {
        tid = 0;
        LIST_FOR(t, &p->threads, struct thread, link)
          if ((u64)t->tid >= pos && (!tid || t->tid < tid)) tid = t->tid;
        n.tid = tid, n.file = NULL, n.prefix_bytes = 0;
        if (!tid || !emit_number(&n, (u32)tid, (u64)tid + 1, fn, arg)) return 0;
      }
    default: break;
  }
  if (pos < PID_POSITION && readdir_static(d, &pos, fn, arg)) return 0;
  if (d->tree != &proc_system_tree || d->prefix_bytes) return 0;
  for (i32 pid = pos < PID_POSITION ? 1 : (i32)(pos - PID_POSITION); pid < 32768; pid++) {
    n = (struct proc_node){.tree = &proc_process_tree, .prefix = "", .kind = PROC_DIR, .fd = -1, .pid = pid};
    if (node_process(&n) && !emit_number(&n, (u32)pid, PID_POSITION + (u64)pid + 1, fn, arg)) break;
  }
  return 0;
}

static int node_show(const struct proc_node *n, struct text *t) {
  if (n->pid && !node_process(n)) return -ESRCH;
  int r = n->fd < 0               ? n->file->show(t, n)
          : n->kind == PROC_MAGIC ? proc_show_fd(t, n)
                                  : proc_show_fdinfo(t, n);
  return r ? r : t->failed ? -ENOMEM : 0;
}

static i64 proc_readlink(struct inode *ino, char *buf, u32 bytes) {
  struct text t = {0};
  int r = node_show(ino->priv, &t);
  u32 n = MIN(t.bytes, bytes);
  if (!r) memcpy(buf, t.data, n);
  text_free(&t);
  return r ? (r == -ESRCH ? -ENOENT : r) : (i64)n;
}

static int proc_follow(struct inode *ino, struct inode **jump, struct superblock **mount) {
  const struct proc_node *n = ino->priv;
  *jump = NULL;
  if (n->kind != PROC_MAGIC) return 0;
  if (n->fd < 0) return node_process(n) ? n->file->target(n, jump, mount) : -ENOENT;
  struct ofd *f = node_ofd(n);
  if (!f || !f->inode) return -ENOENT;
  inode_get(f->inode);
  *jump = f->inode, *mount = f->mount;
  return 0;
}

static void proc_evict(struct inode *ino) { kfree(ino->priv); }

static int proc_open(struct inode *ino, struct ofd *ofd) {
  const struct proc_node *n = ino->priv;
  if (n->kind != PROC_FILE) return 0;
  if (n->file && n->file->ops) {
    const struct process *p = node_process(n);
    ofd->ops = n->file->ops;
    return !p ? -ESRCH : ptrace_may_access(p) ? -EACCES : 0;
  }
  if ((ofd->flags & O_ACCMODE) != O_RDONLY && !(n->file->write && n->fd < 0)) return -EACCES;
  struct text *t = kzalloc(sizeof *t);
  if (!t) return -ENOMEM;
  ofd->priv = t, ofd->ops = &proc_ofd_ops;
  return 0;
}

static const struct inode_ops proc_inode_ops = {.lookup = proc_lookup, .readdir = proc_readdir, .readlink = proc_readlink,
                                                .follow = proc_follow, .open = proc_open, .evict = proc_evict};

static i64 proc_read(struct ofd *f, struct iobuf *io, u64 *pos) {
  struct text *t = f->priv;
  if (!*pos || !t->data) {
    text_free(t);
    int r = node_show(f->inode->priv, t);
    if (r) {
      text_free(t);
      return r;
    }
  }
  if (*pos >= t->bytes) return 0;
  i64 n = iobuf_write(io, t->data + *pos, MIN(t->bytes - *pos, io->left));
  if (n > 0) *pos += (u64)n;
  return n;
}

static i64 proc_write(struct ofd *f, struct iobuf *io, UNUSED u64 *pos) {
  const struct proc_node *n = f->inode->priv;
  char data[256];
  if (!n->file || !n->file->write) return -EINVAL;
  if (n->pid && !node_process(n)) return -ESRCH;
  if (io->left > sizeof data) return -EINVAL;
  i64 bytes = iobuf_read(io, data, io->left);
  return bytes <= 0 ? bytes : n->file->write(n, data, (u32)bytes);
}

static void proc_release(struct ofd *f) {
  if (!f->priv) return;
  text_free(f->priv);
  kfree(f->priv);
}

static const struct ofd_ops proc_ofd_ops = {
    .read = proc_read, .write = proc_write, .seek = ofd_seek_position, .release = proc_release};

static struct superblock *tree_superblock(const char *type, u32 magic, const struct proc_tree *tree) {
  struct superblock *sb = superblock_new(type, magic);
  struct proc_node top = {.tree = tree, .prefix = "", .kind = PROC_DIR, .fd = -1};
  if (!sb || !node_inode(sb, &top, &sb->root)) return sb;
  kfree(sb);
  return NULL;
}
static struct superblock *proc_make(void) { return tree_superblock("proc", PROC_MAGIC_NUMBER, &proc_system_tree); }
static struct superblock *sysfs_make(void) { return tree_superblock("sysfs", SYSFS_MAGIC_NUMBER, &proc_sysfs_tree); }

static int mount_made(struct inode *root, const char *path, struct superblock *sb) {
  int r = sb ? fs_mount(root, path, sb) : -ENOMEM;
  if (r && sb) superblock_discard(sb);
  return r;
}

static int mount_all(struct inode *root) {
  int r = mount_made(root, "/proc", proc_make());
  if (!r) mount_made(root, "/sys", sysfs_make()); /* a root without /sys is fine */
  return r;
}

void procfs_boot(void) {
  fs_type_register("proc", proc_make);
  fs_type_register("sysfs", sysfs_make);
  fs_on_new_root(mount_all);
}
