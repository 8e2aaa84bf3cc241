/* process: the slots of processes, their family, groups and sessions; what init is.
 *
 * init (pid 1) is a host process: it has no worker, is never signalled, and adopts orphans, which are reaped as they
 * end. Lock held everywhere. credentials(7), setpgid(2), prctl(2) PR_SET_CHILD_SUBREAPER. */
#include "exec.h"
#include "timeline.h"
#include "../ipc/ipc.h"
#include "../tty/screen.h"

void procfs_boot(void); /* a higher floor: given at link time */

struct process processes[MAX_PROCESSES];

#define PID_MAX 32768
static u16 pid_slot[PID_MAX]; /* slot + 1 */
static u32 slot_hint;

struct process *process_find(i32 pid) {
  if (pid <= 0 || pid >= PID_MAX || !pid_slot[pid]) return NULL;
  return &processes[pid_slot[pid] - 1];
}
struct process *process_init(void) { return process_find(1); }
u32 guest_memory_cap(void) { return counters.memories_cap; }

static void limits_default(struct process *p) {
  for (u32 i = 0; i < ARRAY_LEN(p->limits); i++) p->limits[i].cur = p->limits[i].max = ~0ull;
  p->limits[RLIMIT_STACK].cur = 8u << 20;
  p->limits[RLIMIT_CORE].cur = 0;
  p->limits[RLIMIT_NPROC] = (struct rlimit64){MAX_PROCESSES, MAX_PROCESSES};
  p->limits[RLIMIT_NOFILE] = (struct rlimit64){FD_LIMIT_DEFAULT, FD_LIMIT_HARD};
  p->limits[RLIMIT_MEMLOCK] = (struct rlimit64){8u << 20, 8u << 20};
  p->limits[RLIMIT_SIGPENDING] = (struct rlimit64){4096, 4096};
  p->limits[RLIMIT_MSGQUEUE] = (struct rlimit64){819200, 819200};
  p->limits[RLIMIT_NICE] = p->limits[RLIMIT_RTPRIO] = (struct rlimit64){0, 0};
}

struct process *process_new(struct process *parent) {
  struct process *p = NULL;
  for (u32 i = 0; i < MAX_PROCESSES && !p; i++) {
    u32 at = (slot_hint + i) % MAX_PROCESSES;
    if (processes[at].state == PROCESS_FREE) p = &processes[at], slot_hint = at + 1;
  }
  if (!p) return NULL;
  i32 pid = pid_alloc();
  if (pid < 0) return NULL;
  u32 generation = p->generation + 1;
  memset(p, 0, sizeof *p);
  p->generation = generation, p->pid = pid, p->state = PROCESS_RUNNING;
  p->exit_signal = SIGCHLD;
  list_init(&p->children), list_init(&p->sibling), list_init(&p->threads), list_init(&p->posix_timers);
  wait_queue_init(&p->child_wait);
  signal_pending_init(&p->pending);
  p->start_ns = time_monotonic_ns();
  p->dumpable = 1, p->timer_slack_ns = 50000;
  pid_slot[pid] = (u16)(p - processes + 1);
  counters.processes++;
  if (!parent) {
    limits_default(p);
    process_set_group(p, pid), process_set_session(p, pid);
    return p;
  }
  process_set_parent(p, parent);
  list_add_tail(&parent->children, &p->sibling);
  process_set_group(p, parent->pgid), process_set_session(p, parent->sid);
  memcpy(p->limits, parent->limits, sizeof p->limits);
  memcpy(p->name, parent->name, sizeof p->name);
  p->cred = parent->cred;
  p->root = parent->root;
  p->traced = parent->traced;
  p->personality = parent->personality, p->dumpable = parent->dumpable, p->no_new_privs = parent->no_new_privs;
  p->nice = parent->nice, p->timer_slack_ns = parent->timer_slack_ns;
  if (parent->tty) tty_get(parent->tty), p->tty = parent->tty;
  if (parent->wasi_options) parent->wasi_options->refs++, p->wasi_options = parent->wasi_options;
  return p;
}

void process_set_parent(struct process *p, struct process *parent) {
  p->parent = parent;
  __atomic_store_n(&p->ppid, parent ? parent->pid : 0, __ATOMIC_RELAXED);
}
void process_set_group(struct process *p, i32 pgid) {
  pid_get(pgid);
  pid_put(p->pgid);
  p->pgid = pgid;
}
void process_set_session(struct process *p, i32 sid) {
  pid_get(sid);
  pid_put(p->sid);
  p->sid = sid;
}

/* Memories whose process is a zombie already while their worker zeroes them: at the cap they are worth waiting for, or
 * a loop of fork and wait would now and then be refused. */
static u32 memories_closing;
static struct wait_queue memory_wait = {{&memory_wait.entries, &memory_wait.entries}};

bool process_take_memory(struct process *p) {
  while (counters.memories >= counters.memories_cap) {
    if (!memories_closing || !current->may_park) return false;
    struct wait_entry e = {.thread = current, .exclusive = true};
    wait_add(&memory_wait, &e);
    int r = wait_park_killable(WAIT_FOREVER);
    wait_remove(&e);
    if (r < 0) return false;
  }
  counters.memories++;
  p->memory_slot = 1;
  return true;
}
bool process_memory_closing(struct process *p) {
  if (!p->memory_slot) return false;
  p->memory_slot = 0;
  memories_closing++;
  return true;
}
bool process_memories_closing(void) { return memories_closing != 0; }
void process_memory_closed(void) {
  memories_closing--;
  counters.memories--;
  wait_wake(&memory_wait, 0);
}
void process_drop_memory(struct process *p) {
  if (process_memory_closing(p)) process_memory_closed();
}

void wasi_options_put(struct wasi_options *o) {
  if (o && --o->refs == 0) kfree(o);
}

/* What both a zombie and a child that never ran give back at once: files, handlers, timers, terminal. */
void process_release_resources(struct process *p) {
  sysv_process_exit(p);
  posix_timers_free(p);
  wasi_process_end(p);
  wasi_options_put(p->wasi_options);
  p->wasi_options = NULL;
  struct fd_table *fds = p->fds;
  p->fds = NULL;
  if (fds) fd_table_put(fds);
  if (p->fs) fs_context_put(p->fs);
  p->fs = NULL;
  process_set_exe(p, NULL);
  kfree(p->exe_path);
  p->exe_path = NULL;
  if (p->tty) tty_put(p->tty);
  p->tty = NULL;
}

static void slot_free(struct process *p) {
  kassert(p->thread_count == 0 && list_empty(&p->children));
  signal_pending_clear(&p->pending);
  if (p->actions) signal_actions_put(p->actions);
  p->actions = NULL;
  list_remove(&p->sibling);
  process_set_group(p, 0), process_set_session(p, 0);
  pid_slot[p->pid] = 0;
  pid_put(p->pid);
  process_set_parent(p, NULL);
  p->state = PROCESS_FREE;
  if (!p->host) counters.processes--;
}

void process_discard(struct process *p) {
  LIST_FOR(t, &p->threads, struct thread, link) thread_discard(t);
  process_release_resources(p);
  if (p->mm) mm_put(p->mm);
  p->mm = NULL;
  process_drop_memory(p);
  slot_free(p);
}

void process_reap(struct process *p) {
  kassert(p->state == PROCESS_ZOMBIE);
  struct process *parent = p->parent;
  event_post(EVENT_REAP, p->pid, p->pid, p->exit_status, (i64)(p->instructions + p->child_instructions));
  if (parent) {
    parent->child_instructions += p->instructions + p->child_instructions;
    parent->child_utime_ns += p->utime_ns + p->child_utime_ns;
  }
  slot_free(p);
}

u32 process_count_of(u32 uid) {
  u32 n = 0;
  for (u32 i = 0; i < MAX_PROCESSES; i++) n += processes[i].state != PROCESS_FREE && processes[i].cred.uid == uid;
  return n;
}

u64 process_cpu_ns(const struct process *p) {
  u64 ns = p->utime_ns;
  for (const struct list *l = p->threads.next; l != &p->threads; l = l->next)
    ns += thread_cpu_ns(CONTAINER_OF(l, const struct thread, link));
  return ns;
}

/* ---- boot and host threads ---- */
int task_boot(u32 memories_cap, u32 guest_max_pages) {
  counters.memories_cap = memories_cap, counters.guest_max_pages = guest_max_pages;
  mm_set_guest_max((u64)guest_max_pages * 65536 - HEAD_BYTES);
  timeline_boot();
  task_session_boot();
  file_boot();
  ipc_boot();
  tty_boot();
  frame_boot();
  framebuffer_boot();
  input_boot();
  procfs_boot();
  struct process *init = process_new(NULL);
  if (!init) return -ENOMEM;
  kassert(init->pid == 1);
  init->host = true;
  credentials_init(&init->cred, 0, 0);
  memcpy(init->name, "init", 5);
  init->fds = fd_table_new();
  init->fs = fs_context_new(root_inode(0));
  init->mm = mm_create();
  init->actions = kzalloc(sizeof *init->actions);
  if (!init->fds || !init->fs || !init->mm || !init->actions) return -ENOMEM;
  init->actions->refs = 1;
  init->mm->all_resident = true;
  init->limits[RLIMIT_NOFILE].cur = FD_LIMIT_HARD;
  return 0;
}

/* A process of its own for an attached role: init's files, its own table; no worker. */
static struct process *host_process_new(void) {
  struct process *init = process_init(), *p = process_new(init);
  if (!p) return NULL;
  p->host = true;
  counters.processes--; /* not one of the guests' */
  memcpy(p->name, "host", 5);
  p->fds = fd_table_new();
  p->fs = fs_context_copy(init->fs);
  p->mm = mm_create();
  p->actions = kzalloc(sizeof *p->actions);
  if (p->actions) p->actions->refs = 1;
  if (p->fds && p->fs && p->mm && p->actions) {
    p->mm->all_resident = true;
    process_set_session(p, p->pid), process_set_group(p, p->pid);
    return p;
  }
  process_discard(p);
  return NULL;
}

i32 host_thread_attach(i32 pid, bool may_park) {
  ASSERT_LOCKED();
  if (current) return -EBUSY;
  struct process *p = pid ? process_find(pid) : host_process_new();
  if (!p) return pid ? -ESRCH : -EAGAIN;
  if (!p->host) return -EPERM;
  bool leader = !thread_find(p->pid) || thread_find(p->pid)->process != p;
  struct thread *t = thread_new(p, leader ? p->pid : 0);
  if (!t) return -EAGAIN;
  t->host = true, t->may_park = may_park, t->instance = instance_id;
  t->record->word = THREAD_HOST;
  current = t;
  mm_current = p->mm;
  return (i32)t->index;
}

static void host_process_end(struct process *p) {
  process_release_resources(p);
  mm_put(p->mm);
  p->mm = NULL;
  LIST_FOR(c, &p->children, struct process, sibling) {
    list_remove(&c->sibling);
    process_set_parent(c, process_init());
    c->adopted = true;
    list_add_tail(&c->parent->children, &c->sibling);
    if (c->state == PROCESS_ZOMBIE) process_reap(c);
  }
  slot_free(p);
}

static void host_thread_end(struct thread *t) {
  struct process *p = t->process;
  thread_discard(t);
  if (p->pid != 1 && p->thread_count == 0) host_process_end(p);
}

void host_thread_detach(void) {
  ASSERT_LOCKED();
  if (!current) return;
  struct thread *t = current;
  /* files let go of while there still is somebody who does it */
  if (t->process->pid != 1 && t->process->thread_count == 1) process_release_resources(t->process);
  current = NULL, mm_current = NULL;
  host_thread_end(t);
}

/* The worker of an attached role is gone without a word. */
void host_thread_lost(struct thread *t) { host_thread_end(t); }

int host_thread_use_root(u32 root) {
  ASSERT_LOCKED();
  struct inode *ino = root_inode(root);
  if (!ino) return -EINVAL;
  struct fs_context *fs = fs_context_new(ino);
  if (!fs) return -ENOMEM;
  if (current->host_fs) fs_context_put(current->host_fs);
  current->host_fs = fs;
  return 0;
}

void host_fs_swap(struct thread *t) {
  struct fs_context *fs = t->process->fs;
  t->process->fs = t->host_fs;
  t->host_fs = fs;
}
