/* fork: clone(2), clone3(2), fork, vfork; START_FORK in the child's worker; the hand-over to a worker.
 *
 * A child process has a guest memory of its own, held by another worker: the parent sends its dirty pages through a
 * window of kernel pages. Few pages are all written before the child's worker is asked for; more go in halves that the
 * child empties while the parent fills the other one. vfork, and CLONE_VM without CLONE_THREAD, need no worker: the
 * child runs on the parent's, on the parent's memory, until it execs or exits. Threads share the guest memory.
 * No roll-back of a parent, ever. Missing: namespaces, set_tid; while a process with several threads sends more
 * than two halves, its other threads run on (each page is whole, the set is not one instant). Lock held. */
#include "fork.h"

#include "exec.h"
#include "../core/metric.h"

/* ---- hand-over ---- */
/* Ask the owner for a worker for `child`; `waiter` sleeps until it has answered. 0 or the owner's -errno. */
int task_hand_over(struct thread *child, struct thread *waiter, u32 start_kind) {
  struct thread_record *c = child->record, *w = waiter ? waiter->record : NULL;
  c->start_kind = start_kind;
  if (w) {
    w->generation++;
    w->resume_result = 0;
    c->waiter = (i32)waiter->index, c->waiter_generation = w->generation;
    __atomic_store_n(&w->word, THREAD_HANDOVER, __ATOMIC_SEQ_CST);
  }
  child->asked_ns = phase_begin();
  host_notify(ROLE_OWNER, NOTIFY_START, child->index);
  if (!w) return 0;
  task_wait_handover(waiter);
  return w->resume_result;
}

i32 task_resume(u32 slot, u32 generation, i32 result) {
  ASSERT_LOCKED();
  struct thread *t = slot < MAX_THREADS ? &threads[slot] : NULL;
  if (!t || !t->process || t->record->word != THREAD_HANDOVER || t->record->generation != generation) {
    counters.resumes_refused++;
    event_post(EVENT_RESUME_REFUSED, t && t->process ? t->process->pid : 0, t && t->process ? t->tid : 0, generation,
               t ? (i64)t->record->generation : -1);
    return -ESTALE;
  }
  t->record->resume_result = MIN(result, 0);
  __atomic_store_n(&t->record->word, THREAD_KERNEL, __ATOMIC_SEQ_CST);
  counters.resumes++;
  event_post(EVENT_RESUME, t->process->pid, t->tid, result, 0);
  thread_wake(t);
  return 0;
}

/* ---- the window ---- */
static void transfer_free(struct fork_transfer *x) {
  if (x->window) kpages_free(x->window, x->window_pages);
  kfree(x);
}

void fork_let_go(struct fork_transfer *x, struct thread *t, i32 error) {
  struct thread *other = NULL;
  if (x->parent == t) x->parent = NULL, other = x->child;
  else x->child = NULL, other = x->parent;
  t->fork = NULL;
  if (error && !x->error) x->error = error;
  if (other) thread_wake(other);
  else transfer_free(x);
}

/* Fill a half with the next dirty pages from *page on; sets *page to where the next one starts, -1 at the end. */
static void half_fill(struct fork_transfer *x, struct fork_half *h, u32 room, struct mm *mm, i64 *page) {
  h->count = 0;
  while (*page >= 0 && h->count < room) {
    mm_page_export((u32)*page, h->bytes + (size_t)h->count * PAGE_BYTES);
    h->page[h->count++] = (u32)*page;
    *page = mm_dirty_next(mm, (u32)*page + 1);
  }
  h->full = true;
  if (*page < 0) x->done = true;
}

/* A window for the dirty pages of mm, its first halves filled. *page: where to go on. NULL: no memory. */
static struct fork_transfer *transfer_new(struct mm *mm, u32 half_pages[2], i64 *page) {
  struct fork_transfer *x = kzalloc(sizeof *x);
  if (!x) return NULL;
  u32 dirty = 0;
  for (i64 p = mm_dirty_next(mm, 0); p >= 0 && dirty < 2 * FORK_HALF_PAGES; p = mm_dirty_next(mm, (u32)p + 1)) dirty++;
  for (u32 want = MAX(dirty, 1u);; want = (want + 1) / 2) {
    x->window = kpages_alloc(want);
    x->window_pages = want;
    if (x->window || want < 2) break;
  }
  if (!x->window) {
    kfree(x);
    return NULL;
  }
  half_pages[0] = (x->window_pages + 1) / 2, half_pages[1] = x->window_pages - half_pages[0];
  x->half[0].bytes = x->window, x->half[1].bytes = x->window + (size_t)half_pages[0] * PAGE_BYTES;
  *page = mm_dirty_next(mm, 0);
  half_fill(x, &x->half[0], half_pages[0], mm, page);
  if (*page >= 0 && half_pages[1]) half_fill(x, &x->half[1], half_pages[1], mm, page);
  return x;
}

/* Send what did not fit at once. 0 or the child's -errno. */
static int transfer_pump(struct fork_transfer *x, struct thread *t, struct mm *mm, const u32 half_pages[2], i64 page) {
  u32 at = 0;
  while (!x->done && !x->error) {
    struct fork_half *h = &x->half[at];
    while (h->full && !x->error) thread_sleep(t);
    if (x->error) break;
    half_fill(x, h, half_pages[at], mm, &page);
    if (x->child) thread_wake(x->child);
    if (half_pages[1]) at ^= 1;
  }
  return x->error;
}

int fork_import(struct thread *t) {
  struct fork_transfer *x = t->fork;
  struct mm *mm = t->process->mm;
  int r = 0;
  guest_head_copy_out(t->regblock, x->registers, REGBLOCK_BYTES);
  for (u32 at = 0; r == 0; at ^= x->half[1].bytes < x->window + (size_t)x->window_pages * PAGE_BYTES) {
    struct fork_half *h = &x->half[at];
    while (!h->full && !x->done && !x->error) thread_sleep(t);
    if (x->error) r = x->error;
    if (r || !h->full) break;
    for (u32 i = 0; i < h->count && !r; i++) r = mm_page_import(mm, h->page[i], h->bytes + (size_t)i * PAGE_BYTES);
    h->full = false;
    if (x->parent) thread_wake(x->parent);
  }
  fork_let_go(x, t, r);
  if (!r && t->set_child_tid) copy_out(t->set_child_tid, &t->tid, sizeof t->tid);
  return r;
}

/* ---- clone ---- */
static void child_registers(u8 *block, u64 flags, u64 stack, u64 tls) {
  u64 pc = current->syscall_pc + 4, zero = 0, none = ~0ull;
  memcpy(block + REG_PC, &pc, 8);
  memcpy(block + REG_X + 8 * 10, &zero, 8);
  if (stack) memcpy(block + REG_X + 8 * 2, &stack, 8);
  if (flags & CLONE_SETTLS) memcpy(block + REG_X + 8 * 4, &tls, 8);
  memcpy(block + REG_RES_ADDR, &none, 8);
  memcpy(block + REG_INSTRET, &zero, 8);
}

static int clone_flags_check(u64 flags) {
  const u64 namespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |
                         CLONE_NEWNET | CLONE_NEWTIME;
  if (flags & namespaces) return -EPERM;
  if (flags & CLONE_INTO_CGROUP) return -EINVAL;
  if ((flags & CLONE_PIDFD) && (flags & (CLONE_THREAD | CLONE_DETACHED))) return -EINVAL;
  if ((flags & CLONE_SIGHAND) && !(flags & CLONE_VM)) return -EINVAL;
  if ((flags & CLONE_THREAD) && !(flags & CLONE_SIGHAND)) return -EINVAL;
  if ((flags & CLONE_SIGHAND) && (flags & CLONE_CLEAR_SIGHAND)) return -EINVAL;
  if ((flags & CLONE_PARENT) && current->process->pid == 1) return -EINVAL;
  return 0;
}

static i64 clone_thread(u64 flags, u64 stack, uaddr_t parent_tid, uaddr_t child_tid, u64 tls) {
  struct thread *self = current;
  struct process *p = self->process;
  struct thread *t = thread_new(p, 0);
  if (!t) return -EAGAIN;
  i32 tid = t->tid;
  t->regslot = mm_regblock_alloc(p->mm);
  if (t->regslot < 0) {
    thread_discard(t);
    return -EAGAIN;
  }
  t->regblock = REGBLOCK_OFFSET((u32)t->regslot);
  u8 block[REGBLOCK_BYTES];
  guest_head_copy_in(block, self->regblock, REGBLOCK_BYTES);
  child_registers(block, flags, stack, tls);
  guest_head_copy_out(t->regblock, block, REGBLOCK_BYTES);
  t->blocked = self->blocked;
  memcpy(t->name, self->name, sizeof t->name);
  u32 event = ptrace_clone_event(flags, 0);
  if (ptrace_child(t, flags, event)) {
    mm_regblock_free(p->mm, t->regslot);
    thread_discard(t);
    return -ENOMEM;
  }
  if (flags & CLONE_CHILD_CLEARTID) t->clear_child_tid = child_tid;
  if (flags & CLONE_PARENT_SETTID) copy_out(parent_tid, &tid, sizeof tid);
  if (flags & CLONE_CHILD_SETTID) copy_out(child_tid, &tid, sizeof tid);
  const struct thread *holder = self; /* a vfork child has no worker of its own */
  while (holder->vfork_parent) holder = holder->vfork_parent;
  t->record->memory_owner = (i32)holder->index;
  event_post(EVENT_SPAWN, p->pid, tid, 3, t->index);
  int r = task_hand_over(t, self, START_THREAD);
  if (r < 0) {
    mm_regblock_free(p->mm, t->regslot);
    thread_discard(t);
    if (p->thread_count == 1) thread_wake(self);
    return r;
  }
  if (event) ptrace_event_due(self, event, tid);
  return tid;
}

/* A child process of the caller with its tables shared or copied by flags; no memory yet. */
static struct process *child_process(u64 flags, i32 exit_signal, u32 event, struct thread **thread, i64 *error) {
  struct process *self = current->process, *parent = flags & CLONE_PARENT ? self->parent : self;
  *error = -EAGAIN;
  if (self->cred.uid != 0 && process_count_of(self->cred.uid) >= self->limits[RLIMIT_NPROC].cur) return NULL;
  struct process *p = process_new(parent);
  if (!p) return NULL;
  *error = -ENOMEM;
  if (parent != self) {
    process_set_group(p, self->pgid), process_set_session(p, self->sid);
    p->cred = self->cred, p->root = self->root;
    memcpy(p->limits, self->limits, sizeof p->limits);
  }
  memcpy(p->name, current->name, sizeof p->name);
  p->exit_signal = flags & CLONE_PARENT ? self->exit_signal : exit_signal;
  if (flags & CLONE_FILES) fd_table_get(p->fds = self->fds);
  else p->fds = fd_table_copy(self->fds);
  if (flags & CLONE_FS) (p->fs = self->fs)->refs++;
  else p->fs = fs_context_copy(self->fs);
  if (flags & CLONE_SIGHAND) (p->actions = self->actions)->refs++;
  else p->actions = signal_actions_copy(self->actions);
  process_set_exe(p, self->exe);
  p->exe_path = self->exe_path ? kstrdup(self->exe_path) : NULL;
  struct thread *t = p->fds && p->fs && p->actions ? thread_new(p, p->pid) : NULL;
  if (!t) {
    if (p->fds && p->fs && p->actions) *error = -EAGAIN;
    process_discard(p);
    return NULL;
  }
  if (flags & CLONE_CLEAR_SIGHAND) signal_exec_reset(p);
  t->blocked = current->blocked;
  if (!(flags & CLONE_VM) || (flags & CLONE_VFORK)) {
    t->sigaltstack_sp = current->sigaltstack_sp, t->sigaltstack_bytes = current->sigaltstack_bytes;
    t->sigaltstack_flags = current->sigaltstack_flags;
  }
  if (ptrace_child(t, flags, event)) {
    *error = -ENOMEM;
    process_discard(p);
    return NULL;
  }
  *thread = t;
  return p;
}

static i64 clone_vfork(struct process *p, struct thread *t, u64 flags, u64 stack, uaddr_t child_tid, u64 tls, u32 event) {
  struct thread *self = current;
  struct mm *mm = self->process->mm;
  t->regslot = mm_regblock_alloc(mm);
  if (t->regslot < 0) {
    process_discard(p);
    return -EAGAIN;
  }
  mm_get(mm);
  p->mm = mm;
  t->regblock = REGBLOCK_OFFSET((u32)t->regslot);
  u8 block[REGBLOCK_BYTES];
  guest_head_copy_in(block, self->regblock, REGBLOCK_BYTES);
  child_registers(block, flags, stack, tls);
  guest_head_copy_out(t->regblock, block, REGBLOCK_BYTES);
  if (flags & CLONE_CHILD_SETTID) copy_out(child_tid, &t->tid, sizeof t->tid);
  t->vfork_parent = self, p->vfork_waiter = self;
  t->instance = instance_id, t->running = true;
  /* the parent returns from its call when this worker is its own again */
  cpu_set_x(self->regblock, 10, (u64)p->pid);
  cpu_set_pc(self->regblock, self->syscall_pc + 4);
  __atomic_store_n(&self->record->word, THREAD_PARKED, __ATOMIC_SEQ_CST);
  self->park_start_ns = time_monotonic_ns();
  self->in_guest_call = false;
  event_post(EVENT_SPAWN, p->pid, t->tid, 2, t->index);
  ptrace_vfork_parent(self, event, p->pid);
  __atomic_store_n(&t->record->word, THREAD_KERNEL, __ATOMIC_SEQ_CST);
  current = t;
  return -ENORESULT;
}

void vfork_switch_back(struct thread *parent) {
  parent->parked_ns += time_monotonic_ns() - parent->park_start_ns;
  parent->park_start_ns = 0;
  __atomic_store_n(&parent->record->word, THREAD_KERNEL, __ATOMIC_SEQ_CST);
  current = parent;
  mm_current = parent->process->mm;
}

/* execve in a vfork child: its image goes to a fresh worker, this worker is the parent's again. If the owner has none,
 * the child is still whole and its execve fails. */
static int exec_in_fresh_worker(struct thread *t) {
  struct thread *parent = t->vfork_parent;
  struct process *p = t->process;
  i32 slot = t->regslot;
  u32 block = t->regblock;
  if (!process_take_memory(p)) return -EAGAIN;
  t->vfork_parent = NULL, p->vfork_waiter = NULL;
  t->running = false, t->instance = UINT32_MAX, t->regslot = -1;
  t->record->generation++;
  __atomic_store_n(&t->record->word, THREAD_NEW, __ATOMIC_SEQ_CST);
  current = parent;
  int r = task_hand_over(t, parent, exec_start_kind(t));
  if (r < 0) {
    current = t;
    t->vfork_parent = parent, p->vfork_waiter = parent;
    t->running = true, t->instance = instance_id, t->regslot = slot, t->regblock = block;
    __atomic_store_n(&t->record->word, THREAD_KERNEL, __ATOMIC_SEQ_CST);
    __atomic_store_n(&parent->record->word, THREAD_PARKED, __ATOMIC_SEQ_CST);
    process_drop_memory(p);
    return r;
  }
  mm_regblock_free(parent->process->mm, slot);
  vfork_switch_back(parent);
  return -ENORESULT;
}

int exec_start(void) {
  struct thread *t = current;
  int r = -ENORESULT;
  if (t->vfork_parent) r = exec_in_fresh_worker(t);
  else __atomic_store_n(&t->poll, 1, __ATOMIC_SEQ_CST); /* the run loop commits */
  if (r != -ENORESULT) {
    exec_image_free(t->exec);
    t->exec = NULL;
  }
  return r;
}

static i64 clone_fork(struct process *p, struct thread *t, u64 flags, u64 stack, uaddr_t child_tid, u64 tls) {
  struct thread *self = current;
  struct mm *mm = self->process->mm;
  i32 pid = p->pid;
  u64 began = phase_begin();
  if (!process_take_memory(p)) {
    process_discard(p);
    return -EAGAIN;
  }
  p->mm = mm_fork(mm);
  u32 half_pages[2];
  i64 page = -1;
  struct fork_transfer *x = p->mm ? transfer_new(mm, half_pages, &page) : NULL;
  if (!x) {
    process_discard(p);
    return -ENOMEM;
  }
  memset(p->mm->regblocks_used, 0, sizeof p->mm->regblocks_used);
  t->regslot = mm_regblock_alloc(p->mm);
  t->regblock = REGBLOCK_OFFSET((u32)t->regslot);
  guest_head_copy_in(x->registers, self->regblock, REGBLOCK_BYTES);
  child_registers(x->registers, flags, stack, tls);
  if (flags & CLONE_CHILD_SETTID) t->set_child_tid = child_tid;
  x->parent = self, x->child = t;
  self->fork = t->fork = x;
  event_post(EVENT_SPAWN, pid, t->tid, 1, t->index);
  int r = task_hand_over(t, self, START_FORK);
  if (r < 0) { /* no worker: the child never was */
    fork_let_go(x, t, r);
    fork_let_go(x, self, r);
    process_discard(p);
    return r;
  }
  r = transfer_pump(x, self, mm, half_pages, page);
  fork_let_go(x, self, r);
  phase_end(METRIC_FORK, began);
  return r < 0 ? r : pid;
}

static int pidfd_install(struct process *p, uaddr_t to) {
  struct ofd *f;
  struct process *self = current->process;
  int r = pidfd_new(p, 0, &f);
  if (r) return r;
  i32 fd = fd_install(self->fds, f, 0, (u32)MIN(self->limits[RLIMIT_NOFILE].cur, FD_LIMIT_HARD), true);
  if (fd < 0) {
    ofd_put(f);
    return fd;
  }
  if (!COPY_OUT(to, fd)) return fd;
  fd_close(self->fds, fd);
  return -EFAULT;
}

i64 task_clone(u64 flags, u64 stack, uaddr_t parent_tid, uaddr_t child_tid, u64 tls, i32 exit_signal, uaddr_t pidfd) {
  ASSERT_LOCKED();
  if (current->host) return -ENOSYS;
  int r = clone_flags_check(flags);
  if (r) return r;
  if (current->process->exiting) return -EAGAIN;
  if (flags & CLONE_THREAD) return clone_thread(flags, stack, parent_tid, child_tid, tls);
  struct thread *t;
  i64 error;
  u32 event = ptrace_clone_event(flags, exit_signal);
  struct process *p = child_process(flags, exit_signal, event, &t, &error);
  if (!p) return error;
  if (flags & CLONE_CHILD_CLEARTID) t->clear_child_tid = child_tid;
  i32 pid = p->pid;
  if (flags & CLONE_PARENT_SETTID) copy_out(parent_tid, &pid, sizeof pid);
  int fd = -1;
  if ((flags & CLONE_PIDFD) && (fd = pidfd_install(p, pidfd)) < 0) {
    process_discard(p);
    return fd;
  }
  struct fd_table *fds = current->process->fds;
  i64 made = flags & CLONE_VM ? clone_vfork(p, t, flags, stack, child_tid, tls, event)
                              : clone_fork(p, t, flags, stack, child_tid, tls);
  if (made < 0 && made != -ENORESULT && fd >= 0) fd_close(fds, fd);
  if (made > 0 && event) ptrace_event_due(current, event, (i32)made);
  return made;
}
