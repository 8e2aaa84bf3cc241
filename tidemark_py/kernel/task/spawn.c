/* spawn: a new process for a host role, from a spawn_request (ABI layout): what fork, dup2, chdir and execve would do,
 * checked at once. The caller gets the pid or the errno that execve would give. Lock held. */
#include "exec.h"

#define PREOPENS_MOST 64u

struct request {
  struct spawn_request head;
  const struct fd_map *fds;
  char *path, *cwd, **argv, **envp; /* argv and envp in one allocation */
  const char *preopens; /* head.preopens pairs of strings */
  u32 preopens_bytes;
};

/* Strings of a request of `bytes` bytes: *at moves behind the next one; NULL when it does not end. */
static char *next_string(u8 *request, u32 bytes, u32 *at) {
  char *s = (char *)request + *at;
  size_t n = strnlen(s, bytes - *at);
  if (n == bytes - *at) return NULL;
  *at += (u32)n + 1;
  return s;
}

static int request_read(u8 *bytes, u32 count, struct request *r) {
  memcpy(&r->head, bytes, sizeof r->head);
  if (r->head.bytes != count || r->head.fd_count > 256 || r->head.argc > count || r->head.envc > count) return -EINVAL;
  u32 at = sizeof r->head + r->head.fd_count * (u32)sizeof(struct fd_map);
  if (at > count) return -EINVAL;
  r->fds = (const struct fd_map *)(const void *)(bytes + sizeof r->head);
  if (!(r->path = next_string(bytes, count, &at)) || !(r->cwd = next_string(bytes, count, &at))) return -EINVAL;
  r->argv = kzalloc(((size_t)r->head.argc + r->head.envc + 2) * sizeof(char *));
  if (!r->argv) return -ENOMEM;
  r->envp = r->argv + r->head.argc + 1;
  for (u32 i = 0; i < r->head.argc; i++)
    if (!(r->argv[i] = next_string(bytes, count, &at))) return -EINVAL;
  for (u32 i = 0; i < r->head.envc; i++)
    if (!(r->envp[i] = next_string(bytes, count, &at))) return -EINVAL;
  u32 from = at;
  if (r->head.preopens > PREOPENS_MOST) return -EINVAL;
  for (u32 i = 0; i < 2 * r->head.preopens; i++)
    if (!next_string(bytes, count, &at)) return -EINVAL;
  r->preopens = (const char *)bytes + from, r->preopens_bytes = at - from;
  return 0;
}

static int spawn_files(struct process *p, const struct request *r) {
  struct fd_table *from = current->process->fds;
  if (!(p->fds = fd_table_new())) return -ENOMEM;
  for (u32 i = 0; i < r->head.fd_count; i++) {
    struct fd_map map;
    memcpy(&map, &r->fds[i], sizeof map);
    struct ofd *f = fd_get(from, map.source);
    if (!f || map.target < 0) return -EBADF;
    ofd_get(f);
    int e = fd_replace(p->fds, map.target, f, FD_LIMIT_HARD, false);
    if (e < 0) {
      ofd_put(f);
      return e;
    }
  }
  return 0;
}

static int spawn_directory(struct process *p, const struct request *r) {
  struct inode *root = root_inode(r->head.root);
  if (!root) return -EINVAL;
  if (!(p->fs = fs_context_new(root))) return -ENOMEM;
  p->fs->umask = r->head.umask & 0777;
  p->root = r->head.root;
  if (!r->cwd[0]) return 0;
  struct walk *w = walk_new();
  if (!w) return -ENOMEM;
  int e = path_walk(p->fs, &p->cred, NULL, NULL, r->cwd, WALK_DIRECTORY, w);
  if (!e) {
    char *path = kstrdup(w->path);
    if (path) {
      inode_get(w->inode);
      inode_put(p->fs->cwd);
      mount_hold(w->mount);
      mount_drop(p->fs->cwd_mount);
      p->fs->cwd = w->inode, p->fs->cwd_mount = w->mount;
      kfree(p->fs->cwd_path);
      p->fs->cwd_path = path;
    } else e = -ENOMEM;
  }
  walk_free(w);
  return e;
}

/* fd 0's terminal becomes the session's, as login programs do with TIOCSCTTY. */
static void spawn_terminal(struct process *p, struct thread *t, u32 flags) {
  if (!(flags & SPAWN_CTTY) || !(flags & SPAWN_SETSID)) return;
  struct ofd *f = fd_get(p->fds, 0);
  if (!f || !f->ops->ioctl) return;
  struct thread *self = current;
  current = t; /* the terminal asks about the current session */
  f->ops->ioctl(f, TIOCSCTTY, 0);
  current = self;
}

/* What modules are given, by this process and what it starts. */
static int spawn_options(struct process *p, const struct request *r) {
  if (!r->head.preopens && !r->head.capabilities) return 0; /* what it inherited */
  struct wasi_options *o = kmalloc(sizeof *o + r->preopens_bytes);
  if (!o) return -ENOMEM;
  *o = (struct wasi_options){.refs = 1, .capabilities = r->head.capabilities, .preopens = r->head.preopens};
  memcpy(o->strings, r->preopens, r->preopens_bytes);
  wasi_options_put(p->wasi_options);
  p->wasi_options = o;
  return 0;
}

static int spawn_prepare(struct process *p, const struct request *r) {
  u32 flags = r->head.flags;
  credentials_init(&p->cred, r->head.uid, r->head.gid);
  if (flags & SPAWN_SETSID) {
    process_set_session(p, p->pid), process_set_group(p, p->pid);
    if (p->tty) tty_put(p->tty);
    p->tty = NULL;
  } else if (flags & SPAWN_SETPGID) process_set_group(p, p->pid);
  if (!(p->actions = kzalloc(sizeof *p->actions))) return -ENOMEM;
  p->actions->refs = 1;
  p->limits[RLIMIT_NOFILE] = (struct rlimit64){FD_LIMIT_DEFAULT, FD_LIMIT_HARD};
  int e = spawn_options(p, r);
  if (!e) e = spawn_files(p, r);
  return e ? e : spawn_directory(p, r);
}

i64 task_spawn(const u8 *request, u32 bytes) {
  ASSERT_LOCKED();
  if (!current || bytes < sizeof(struct spawn_request)) return -EINVAL;
  AUTO_KFREE u8 *copy = kmalloc(bytes);
  if (!copy) return -ENOMEM;
  memcpy(copy, request, bytes);
  struct request r = {0};
  int e = request_read(copy, bytes, &r);
  AUTO_KFREE void *strings = r.argv;
  if (e) return e;
  struct process *p = process_new(current->process);
  if (!p) return -EAGAIN;
  struct thread *t = NULL;
  struct exec_image *image = NULL;
  e = spawn_prepare(p, &r);
  if (!e) e = exec_prepare_for(p, NULL, NULL, r.path, NULL, r.argv, r.head.argc, r.envp, r.head.envc, 0, &image);
  if (!e && (!process_take_memory(p) || !(t = thread_new(p, p->pid)))) e = -EAGAIN;
  if (e) {
    if (image) exec_image_free(image);
    process_discard(p);
    return e;
  }
  image->memory_limit = r.head.memory_limit;
  t->exec = image;
  spawn_terminal(p, t, r.head.flags);
  i32 pid = p->pid;
  event_post(EVENT_SPAWN, pid, t->tid, 0, t->index);
  task_hand_over(t, NULL, exec_start_kind(t));
  return pid;
}
