/* wasi/process: what a module's process has besides its descriptors: arguments, environment, clocks, random, its end.
 *
 * Preopens. A spawn request may name them; else the default holds, made for C libraries, which know no working directory
 * and cannot tell "/x" from "x" (both reach the preopen with the empty name, the last one of these): "/" first, for those
 * that can; "." is the working directory; then each directory of the root by its name ("/tmp"), unless the working
 * directory has an entry of that name, so that absolute paths work from everywhere. */
#include "wasi.h"

#include "../ipc/ipc.h"

/* ---- preopens ---- */
static int preopen(struct process *p, const char *directory, const char *name) {
  struct ofd *f;
  const struct path_at at = {.path = directory};
  int r = file_open(p->fs, &p->cred, &at, O_RDONLY | O_DIRECTORY, 0, &f);
  if (r) return r;
  int fd = fd_install(p->fds, f, 3, (u32)MIN(p->limits[RLIMIT_NOFILE].cur, (u64)FD_LIMIT_HARD), true);
  if (fd < 0) {
    ofd_put(f);
    return fd;
  }
  struct wasi_fd *w = wasi_fd_make(fd);
  if (!w || !(w->preopen = kstrdup(name))) return -ENOMEM;
  p->wasi->last_preopen = (u32)fd;
  return 0;
}

struct top_level {
  struct process *p;
  int error;
};

static bool preopen_top(void *arg, const struct dirent_out *d, UNUSED u64 next) {
  struct top_level *t = arg;
  struct process *p = t->p;
  char name[258];
  if (d->type != DT_DIR && d->type != DT_LNK) return true;
  if (d->name_bytes + 2 > sizeof name) return true;
  name[0] = '/';
  memcpy(name + 1, d->name, d->name_bytes);
  name[d->name_bytes + 1] = 0;
  struct walk *w = walk_new();
  if (!w) return t->error = -ENOMEM, false;
  bool shadows = path_walk(p->fs, &p->cred, NULL, NULL, name + 1, WALK_NOFOLLOW, w) == 0;
  bool usable = !shadows && path_walk(p->fs, &p->cred, NULL, NULL, name, WALK_DIRECTORY, w) == 0;
  walk_free(w);
  if (usable) {
    int r = preopen(p, name, name);
    if (r == -ENOMEM || r == -EMFILE) return t->error = r, false;
  }
  return true;
}

static int preopens_default(struct process *p) {
  bool at_root = p->fs->cwd == p->fs->root && p->fs->cwd_mount == p->fs->root_mount;
  int r = preopen(p, at_root ? "." : "/", at_root ? "." : "/");
  if (!r) r = at_root ? preopen(p, "/", "/") : preopen(p, ".", ".");
  if (r || at_root) return r;
  struct inode *root = p->fs->root;
  struct top_level top = {.p = p};
  if (root->ops->readdir) root->ops->readdir(root, 0, preopen_top, &top);
  return top.error;
}

static int preopens_asked(struct process *p, const struct wasi_options *o) {
  const char *at = o->strings;
  for (u32 i = 0; i < o->preopens; i++) {
    const char *directory = at, *name = directory + strlen(directory) + 1;
    at = name + strlen(name) + 1;
    int r = preopen(p, directory, name);
    if (r) {
      char text[320];
      int n = ksnprintf(text, sizeof text, "%s: cannot open the directory %.200s, which it was to be given as %.60s\n", p->name,
                        directory, name);
      wasi_text_to(2, text, MIN((u32)n, (u32)sizeof text - 1));
      return r;
    }
  }
  return 0;
}

/* ---- start and end: called by task/ ---- */
int wasi_process_start(struct process *p, struct exec_image *e) {
  struct wasi *w = kzalloc(sizeof *w);
  if (!w) return -ENOMEM;
  p->wasi = w;
  w->strings = e->strings, e->strings = NULL;
  w->argv_bytes = e->argv_bytes, w->envp_bytes = e->strings_bytes - e->argv_bytes;
  w->argc = e->argc, w->envc = e->envc;
  w->module = e->module, e->module = NULL;
  if (!(w->buffer = kpages_alloc(WASI_BUFFER_BYTES / PAGE_BYTES))) return -ENOMEM;
  w->memory_limit_pages = p->mm->limit_bytes < mm_guest_max() ? MAX((u32)(p->mm->limit_bytes / 65536), 1u) : 0;
  const struct wasi_options *o = p->wasi_options;
  if (o && (o->preopens || (o->capabilities & WASI_CAPABILITY_NO_PREOPENS))) return preopens_asked(p, o);
  return preopens_default(p);
}

void wasi_process_end(struct process *p) {
  struct wasi *w = p->wasi;
  if (!w) return;
  p->wasi = NULL;
  for (u32 i = 0; i < w->fd_capacity; i++) kfree(w->fds[i].preopen);
  kfree(w->fds);
  kfree(w->strings);
  if (w->module) ofd_put(w->module);
  if (w->buffer) kpages_free(w->buffer, WASI_BUFFER_BYTES / PAGE_BYTES);
  kfree(w);
}

/* ---- arguments and environment ---- */
static i64 strings_out(const char *strings, u64 bytes, u32 count, u32 pointers, u32 text) {
  u64 at = 0;
  for (u32 i = 0; i < count; i++) {
    if (wasi_out32(pointers + 4 * i, text + (u32)at)) return -EFAULT;
    at += strlen(strings + at) + 1;
  }
  return copy_out(text, strings, bytes);
}

i64 wasi_do_args_get(u32 argv, u32 argv_buf) {
  const struct wasi *w = current->process->wasi;
  return strings_out(w->strings, w->argv_bytes, w->argc, argv, argv_buf);
}
i64 wasi_do_args_sizes_get(u32 count, u32 bytes) {
  const struct wasi *w = current->process->wasi;
  return wasi_out32(count, w->argc) ? -EFAULT : wasi_out32(bytes, (u32)w->argv_bytes);
}
i64 wasi_do_environ_get(u32 environ, u32 environ_buf) {
  const struct wasi *w = current->process->wasi;
  return strings_out(w->strings + w->argv_bytes, w->envp_bytes, w->envc, environ, environ_buf);
}
i64 wasi_do_environ_sizes_get(u32 count, u32 bytes) {
  const struct wasi *w = current->process->wasi;
  return wasi_out32(count, w->envc) ? -EFAULT : wasi_out32(bytes, (u32)w->envp_bytes);
}

/* ---- clocks ---- */
#define RESOLUTION_NS 1000u /* the host's clocks step at least by so much */

i64 wasi_do_clock_res_get(u32 id, u32 resolution) {
  return id > WASI_CLOCKID_THREAD_CPUTIME ? -EINVAL : wasi_out64(resolution, RESOLUTION_NS);
}

i64 wasi_do_clock_time_get(u32 id, UNUSED u64 precision, u32 time) {
  u64 ns;
  if (id == WASI_CLOCKID_REALTIME) ns = time_realtime_ns();
  else if (id == WASI_CLOCKID_MONOTONIC) ns = time_monotonic_ns();
  else if (id <= WASI_CLOCKID_THREAD_CPUTIME) {
    wasi_enter();
    ns = id == WASI_CLOCKID_PROCESS_CPUTIME ? process_cpu_ns(current->process) : thread_cpu_ns(current);
    wasi_leave(0);
  } else return -EINVAL;
  return wasi_out64(time, ns);
}

/* ---- the rest ---- */
i64 wasi_do_random_get(u32 buf, u32 buf_len) {
  u8 bytes[1024];
  if (access_prepare(buf, buf_len, ACCESS_W)) return -EFAULT;
  for (u32 done = 0; done < buf_len;) {
    u32 n = MIN(buf_len - done, (u32)sizeof bytes);
    host_random(bytes, n);
    if (copy_out(buf + (u64)done, bytes, n)) return -EFAULT;
    done += n;
  }
  return 0;
}

i64 wasi_do_sched_yield(void) { return 0; }

i64 wasi_do_proc_exit(u32 code) {
  task_exit_group((i32)((code & 0xff) << 8));
  return 0;
}

/* witx signals are Linux' in another order. */
i64 wasi_do_proc_raise(u32 signal) {
  static const u8 linux_signal[] = {0,       SIGHUP,  SIGINT,  SIGQUIT, SIGILL,  SIGTRAP, SIGABRT, SIGBUS,
                                    SIGFPE,  SIGKILL, SIGUSR1, SIGSEGV, SIGUSR2, SIGPIPE, SIGALRM, SIGTERM,
                                    SIGCHLD, SIGCONT, SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU, SIGURG,  SIGXCPU,
                                    SIGXFSZ, SIGVTALRM, SIGPROF, SIGWINCH, SIGIO, SIGPWR, SIGSYS};
  if (signal >= ARRAY_LEN(linux_signal)) return -EINVAL;
  return signal ? signal_thread(current, linux_signal[signal], NULL) : 0;
}

/* Once: a line on stdout, in order with what the module writes there. */
i64 wasi_do_ready(void) {
  struct wasi *w = current->process->wasi;
  if (w->ready) return 0;
  w->ready = true;
  event_post(EVENT_READY, current->process->pid, current->tid, 0, 0);
  wasi_text_to(1, "READY\n", 6);
  return 0;
}

i64 wasi_do_log(u32 text, u32 text_len) {
  char line[512];
  u32 n = MIN(text_len, (u32)sizeof line - 1);
  if (copy_in(line, text, n)) return -EFAULT;
  line[n] = 0;
  klog("%s[%d]: %s", current->process->name, current->process->pid, line);
  return 0;
}
