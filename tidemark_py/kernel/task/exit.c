/* exit: how threads and processes end, and how parents learn of it: exit(2), exit_group(2), wait4(2), waitid(2).
 *
 * A handler never ends its thread: it marks it, and the run loop ends it on leaving the kernel (thread_exit), on the
 * worker that holds its memory. The last thread publishes the zombie and wakes the parent before the guest memory is
 * zeroed; a zombie holds no memory. Lock held. */
#include "task.h"

#include "../mm/errand.h"
#include "fork.h"

/* ---- marking ---- */
static void thread_kill(struct thread *t) {
  t->killed = true;
  thread_poll(t);
  /* module code does not come back by itself: its worker is ended, unless it is in the kernel and about to see this */
  u32 user = THREAD_USER;
  if (t->process->wasi && __atomic_compare_exchange_n(&t->record->word, &user, THREAD_DEAD, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
    host_notify(ROLE_OWNER, NOTIFY_KILL, t->index);
}

static void kill_threads(struct process *p, struct thread *except) {
  if (p->state == PROCESS_STOPPED) p->state = PROCESS_RUNNING;
  LIST_FOR(t, &p->threads, struct thread, link) if (t != except) thread_kill(t);
}

void process_kill(struct process *p, i32 wait_status) {
  if (p->host || p->state == PROCESS_ZOMBIE) return;
  if (!p->group_exit) p->group_exit = true, p->exit_status = wait_status;
  p->exiting = true;
  kill_threads(p, NULL);
}

void task_exit_thread(i32 code) {
  current->exit_code = code;
  thread_kill(current);
}
void task_exit_group(i32 wait_status) { process_kill(current->process, wait_status); }

void task_kill_other_threads(void) {
  struct thread *self = current;
  struct process *p = self->process;
  if (p->thread_count > 1) kill_threads(p, self);
  while (p->thread_count > 1) thread_sleep(self);
  thread_become_leader(self);
}

/* ---- ending ---- */
/* get_robust_list(2): words of mutexes the thread holds get FUTEX_OWNER_DIED and one waiter is woken. */
static void robust_word(struct thread *t, u64 addr, bool pending) {
  u32 value, old;
  if (addr & 3) return;
  for (u32 tries = 0; tries < 1000; tries++) {
    if (user_load32(addr, &value)) return;
    if (pending && !value) { /* unlocked, its waiter not woken */
      futex_wake(addr, 1, UINT32_MAX, false);
      return;
    }
    if ((value & FUTEX_TID_MASK) != (u32)t->tid) return;
    if (user_atomic32(addr, MM_ATOMIC_CAS, (value & FUTEX_WAITERS) | FUTEX_OWNER_DIED, value, &old)) return;
    if (old != value) continue;
    if (value & FUTEX_WAITERS) futex_wake(addr, 1, UINT32_MAX, false);
    return;
  }
}

static void robust_list_walk(struct thread *t) {
  struct guest_robust_list_head head;
  if (!t->robust_list || COPY_IN(head, t->robust_list)) return;
  u64 at = head.list_next & ~1ull, pending = head.list_op_pending & ~1ull, next;
  for (u32 n = 0; at != t->robust_list && n < 2048; n++) {
    bool ok = copy_in(&next, at, 8) == 0;
    if (at != pending) robust_word(t, at + (u64)head.futex_offset, false);
    if (!ok) return;
    at = next & ~1ull;
  }
  if (pending) robust_word(t, pending + (u64)head.futex_offset, true);
}

static void clear_child_tid(struct thread *t) {
  u32 zero = 0;
  if (!t->clear_child_tid || copy_out(t->clear_child_tid, &zero, 4)) return;
  futex_wake(t->clear_child_tid, 1, UINT32_MAX, false);
}

/* Nearest living subreaper above, else init. */
static struct process *new_parent_of(const struct process *gone) {
  for (struct process *p = gone->parent; p; p = p->parent)
    if (p->subreaper && !p->exiting && p->state != PROCESS_ZOMBIE) return p;
  return process_init();
}

static bool parent_ignores(const struct process *parent, i32 exit_signal) {
  if (exit_signal != SIGCHLD || !parent->actions) return false;
  const struct signal_action *a = &parent->actions->action[SIGCHLD - 1];
  return a->handler == SIG_IGN || (a->flags & SA_NOCLDWAIT);
}

static void tell_parent(struct process *p, i32 code, i32 status, i32 signo) {
  struct process *parent = p->parent;
  wait_wake(&parent->child_wait, 0);
  if (parent->pid == 1) {
    host_notify(ROLE_KERNEL, NOTIFY_CHILD, (u32)p->pid);
    return;
  }
  if (signo <= 0) return;
  struct signal_info info = {.signo = signo, .code = code, .pid = p->pid, .uid = p->cred.uid, .status = status,
                             .utime = (i64)(process_cpu_ns(p) / 10000000)};
  signal_process(parent, signo, &info);
}

i32 process_exit_code(i32 wait_status, i32 *code) {
  if (!(wait_status & 0x7f)) {
    *code = CLD_EXITED;
    return (wait_status >> 8) & 0xff;
  }
  *code = wait_status & 0x80 ? CLD_DUMPED : CLD_KILLED;
  return wait_status & 0x7f;
}

static void tell_tracer(const struct process *p, i32 code, i32 status) {
  struct signal_info info = {.signo = SIGCHLD, .code = code, .pid = p->pid, .uid = p->cred.uid, .status = status};
  wait_wake(&p->tracer->child_wait, 0);
  signal_process(p->tracer, SIGCHLD, &info);
}

void process_announce_zombie(struct process *p) {
  i32 code, status = process_exit_code(p->exit_status, &code);
  struct process *parent = p->parent;
  if (UNLIKELY(p->tracer)) {
    tell_tracer(p, code, status);
    return;
  }
  bool reap = (p->adopted && parent->host) || parent_ignores(parent, p->exit_signal);
  bool silent = p->exit_signal == SIGCHLD && parent->actions && !parent->host &&
                parent->actions->action[SIGCHLD - 1].handler == SIG_IGN;
  if (!(p->adopted && parent->host)) tell_parent(p, code, status, silent ? 0 : p->exit_signal);
  if (reap) process_reap(p);
}

static void orphan_children(struct process *p) {
  LIST_FOR(c, &p->children, struct process, sibling) {
    struct process *parent = new_parent_of(p);
    list_remove(&c->sibling);
    process_set_parent(c, parent);
    c->adopted = true;
    c->exit_signal = SIGCHLD;
    list_add_tail(&parent->children, &c->sibling);
    if (c->parent_death_signal) signal_process(c, c->parent_death_signal, NULL);
    if (c->state == PROCESS_ZOMBIE && !c->tracer) process_announce_zombie(c);
  }
}

static void process_end(struct process *p) {
  p->exiting = true;
  p->timers_armed = 0;
  if (p->sid == p->pid) session_leader_exit(p);
  process_release_resources(p);
  session_check_orphaned(p);
  ptrace_tracer_ends(p);
  orphan_children(p);
  p->state = PROCESS_ZOMBIE;
  pidfd_process_ended();
  event_post(EVENT_EXIT, p->pid, p->pid, p->exit_status, 0);
  process_announce_zombie(p);
}

/* What a thread leaves to its process whether it ends by itself or its worker died. */
static void thread_account(struct thread *t) {
  futex_owner_exit(t->tid);
  struct process *p = t->process;
  p->instructions += t->record->instructions;
  p->utime_ns += thread_cpu_ns(t);
  i32 status = p->group_exit ? p->exit_status : (t->exit_code & 0xff) << 8;
  if (t->tid == p->pid) p->exit_status = status;
  ptrace_thread_ends(t, status);
}

bool thread_exit(void) {
  ASSERT_LOCKED();
  struct thread *t = current, *vfork_parent = t->vfork_parent;
  struct process *p = t->process;
  ptrace_exit_event(t, p->group_exit ? p->exit_status : (t->exit_code & 0xff) << 8);
  struct mm *mm = p->mm;
  bool last = p->thread_count == 1;
  mm_errands_run(); /* those that want this thread */
  if (t->regslot >= 0) thread_count_instructions(t);
  if (mm && t->regslot >= 0) {
    robust_list_walk(t);
    if (!last || mm->refs > 1) clear_child_tid(t);
    mm_regblock_free(mm, t->regslot);
  }
  thread_account(t);
  struct thread_record *r = t->record;
  r->exit_status = last ? p->exit_status : 0;
  r->touched_pages = last && !vfork_parent && mm ? mm->resident_pages : UINT32_MAX;
  if (!last) {
    thread_discard(t);
    /* who waits for us in execve; whoever must look at the timers now */
    LIST_FOR(other, &p->threads, struct thread, link) thread_wake(other);
    if (vfork_parent) {
      p->vfork_waiter = NULL;
      vfork_switch_back(vfork_parent);
      return true;
    }
    current = NULL, mm_current = NULL;
    return false;
  }
  p->mm = NULL;
  bool closing = process_memory_closing(p);
  if (mm) mm_release_files(mm); /* who learns of the end may unmount what was mapped */
  thread_discard(t);
  if (vfork_parent) {
    p->vfork_waiter = NULL;
    vfork_switch_back(vfork_parent);
    process_end(p);
    if (mm) mm_put(mm);
    return true;
  }
  current = NULL;
  process_end(p); /* p may be reaped now */
  /* the parent may go on while this worker zeroes its memory */
  kernel_unlock();
  kernel_lock();
  if (mm) {
    if (!mm->all_resident) mm_reset_guest(mm); /* a module's memory ends with its worker */
    mm_put(mm);
  }
  if (closing) process_memory_closed();
  mm_current = NULL;
  return false;
}

i32 task_worker_died(u32 slot, u32 instance) {
  ASSERT_LOCKED();
  struct thread *t = slot < MAX_THREADS ? &threads[slot] : NULL;
  if (!t || !t->process || (t->instance != UINT32_MAX && t->instance != instance)) {
    counters.stale_messages++;
    return -ESTALE;
  }
  struct process *p = t->process;
  if (t->record->word != THREAD_DEAD) event_post(EVENT_CRASH, p->pid, t->tid, slot, 0);
  if (t->host) {
    host_thread_lost(t);
    return 0;
  }
  /* a vfork child lives on its parent's worker: it ends first */
  for (u32 i = 0; i < MAX_THREADS; i++)
    if (threads[i].process && threads[i].vfork_parent == t) {
      struct thread *c = &threads[i];
      struct process *cp = c->process;
      c->vfork_parent = NULL, cp->vfork_waiter = NULL;
      cp->group_exit = true, cp->exit_status = SIGKILL;
      thread_account(c);
      if (cp->mm && c->regslot >= 0) mm_regblock_free(cp->mm, c->regslot);
      if (cp->mm) mm_put(cp->mm);
      cp->mm = NULL;
      thread_discard(c);
      process_end(cp);
    }
  if (t->fork) {
    bool unborn = t->fork->child == t && t->fork->parent; /* its parent's clone fails: the child never was */
    fork_let_go(t->fork, t, -EAGAIN);
    if (unborn) {
      event_post(EVENT_EXIT, p->pid, t->tid, SIGKILL, 0);
      process_discard(p);
      return 0;
    }
  }
  process_kill(p, SIGKILL);
  if (p->mm && t->regslot >= 0) mm_regblock_free(p->mm, t->regslot);
  thread_account(t);
  thread_discard(t);
  if (p->thread_count) return 0; /* the others die on leaving the kernel */
  if (p->mm) mm_put(p->mm);
  p->mm = NULL;
  process_drop_memory(p);
  process_end(p);
  return 0;
}

/* ---- waiting ---- */
static bool wait_selects(const struct process *p, i32 idtype, i32 id, u32 options) {
  if (idtype == P_PID && p->pid != id) return false;
  if (idtype == P_PGID && p->pgid != id) return false;
  if (options & __WALL) return true;
  return (p->exit_signal != SIGCHLD) == !!(options & __WCLONE);
}

static const struct process *tracer_of(const struct process *p) {
  const struct thread *leader = thread_find(p->pid);
  return leader && leader->process == p ? leader->ptrace.tracer : NULL;
}

/* What the caller can have of p now; 0 nothing. */
static i32 wait_take(struct process *p, u32 options, struct wait_result *r) {
  if (p->tracer) return 0; /* its tracer waits first */
  *r = (struct wait_result){.uid = p->cred.uid};
  r->utime_ns = p->utime_ns + p->child_utime_ns;
  i32 pid = p->pid;
  if (p->state == PROCESS_ZOMBIE && (options & WEXITED)) {
    process_exit_code(p->exit_status, &r->code);
    r->status = p->exit_status;
    if (!(options & WNOWAIT)) process_reap(p);
  } else if (p->stopped_event && (options & WSTOPPED) && tracer_of(p) != p->parent) {
    r->code = CLD_STOPPED, r->status = (p->stop_signal << 8) | 0x7f;
    if (!(options & WNOWAIT)) p->stopped_event = false;
  } else if (p->continued_event && (options & WCONTINUED)) {
    r->code = CLD_CONTINUED, r->status = 0xffff;
    if (!(options & WNOWAIT)) p->continued_event = false;
  } else return 0;
  return r->pid = pid;
}

static i64 wait_look(struct process *self, i32 idtype, i32 id, u32 options, struct wait_result *r) {
  bool any = false;
  LIST_FOR(p, &self->children, struct process, sibling) {
    if (!wait_selects(p, idtype, id, options)) continue;
    any = true;
    i32 pid = wait_take(p, options, r);
    if (pid) return pid;
  }
  i32 tid = ptrace_wait(self, idtype, id, options, r, &any);
  if (tid) return tid;
  return any ? 0 : -ECHILD;
}

i64 task_wait(i32 idtype, i32 id, u32 options, struct wait_result *r) {
  ASSERT_LOCKED();
  struct process *self = current->process;
  if (idtype == P_PGID && id == 0) id = self->pgid;
  struct wait_entry e = {.thread = current};
  bool parked = false;
  wait_add(&self->child_wait, &e);
  i64 found;
  for (;;) {
    found = wait_look(self, idtype, id, options, r);
    if (found || (options & WNOHANG)) break;
    parked = true;
    int w = wait_park(WAIT_FOREVER);
    if (w) {
      found = wait_look(self, idtype, id, options, r);
      if (found <= 0) found = w;
      break;
    }
  }
  wait_remove(&e);
  if (parked && found > 0) event_post(EVENT_WAITER_WAKEUP, self->pid, current->tid, found, 0);
  return found;
}

void process_child_event(struct process *p, i32 code, i32 status) {
  p->stopped_event = code == CLD_STOPPED;
  p->continued_event = code == CLD_CONTINUED;
  event_post(code == CLD_STOPPED ? EVENT_STOP : EVENT_CONTINUE, p->pid, p->pid, status, 0);
  struct process *parent = p->parent;
  if (!parent || (code == CLD_STOPPED && tracer_of(p) == parent)) return;
  bool quiet = parent->actions && (parent->actions->action[SIGCHLD - 1].flags & SA_NOCLDSTOP);
  tell_parent(p, code, status, quiet ? 0 : SIGCHLD);
}
