/* signal: sending, queueing, choosing and delivering: signal(7), sigaction(2), kill(2).
 *
 * A signal is pending for a process or for one thread; the run loop delivers it on the way back to the guest
 * (signal_deliver), in the thread's own memory. SIGKILL takes effect when sent. A host process ignores all. Lock held. */
#include "trace.h"

#define STOP_SIGNALS (SIGBIT(SIGSTOP) | SIGBIT(SIGTSTP) | SIGBIT(SIGTTIN) | SIGBIT(SIGTTOU))
#define UNBLOCKABLE (SIGBIT(SIGKILL) | SIGBIT(SIGSTOP))
#define SYNCHRONOUS                                                                                                      \
  (SIGBIT(SIGSEGV) | SIGBIT(SIGBUS) | SIGBIT(SIGILL) | SIGBIT(SIGTRAP) | SIGBIT(SIGFPE) | SIGBIT(SIGSYS))
#define IGNORED_BY_DEFAULT (SIGBIT(SIGCHLD) | SIGBIT(SIGURG) | SIGBIT(SIGWINCH) | SIGBIT(SIGCONT))
#define CORE_SIGNALS                                                                                                     \
  (SIGBIT(SIGQUIT) | SIGBIT(SIGILL) | SIGBIT(SIGABRT) | SIGBIT(SIGFPE) | SIGBIT(SIGSEGV) | SIGBIT(SIGBUS) |              \
   SIGBIT(SIGSYS) | SIGBIT(SIGTRAP) | SIGBIT(SIGXCPU) | SIGBIT(SIGXFSZ))

/* ---- pending sets ---- */
void signal_pending_init(struct signal_pending *p) {
  p->set = 0;
  list_init(&p->queue);
}
static void pending_remove(struct signal_pending *p, sigset_bits which) {
  LIST_FOR(q, &p->queue, struct signal_queued, link) if (SIGBIT(q->info.signo) & which) {
    list_remove(&q->link);
    kfree(q);
  }
  p->set &= ~which;
}
void signal_pending_clear(struct signal_pending *p) { pending_remove(p, ~0ull); }

static void pending_add(struct signal_pending *p, const struct signal_info *info) {
  bool was = p->set & SIGBIT(info->signo);
  if (was && info->signo < SIGRTMIN) return;
  p->set |= SIGBIT(info->signo);
  struct signal_queued *q = kmalloc(sizeof *q);
  if (!q) return; /* the signal arrives, what it carries does not: as Linux when the queue is full */
  q->info = *info;
  list_add_tail(&p->queue, &q->link);
}

static bool pending_take(struct signal_pending *p, i32 signo, struct signal_info *info) {
  *info = (struct signal_info){.signo = signo};
  bool more = false, found = false;
  LIST_FOR(q, &p->queue, struct signal_queued, link) {
    if (q->info.signo != signo) continue;
    if (found) {
      more = true;
      break;
    }
    found = true;
    *info = q->info;
    list_remove(&q->link);
    kfree(q);
  }
  if (!more) p->set &= ~SIGBIT(signo);
  return true;
}

static i32 next_signal(sigset_bits set) {
  if (set & SIGBIT(SIGKILL)) return SIGKILL;
  if (set & SYNCHRONOUS) set &= SYNCHRONOUS;
  return set ? __builtin_ctzll(set) + 1 : 0;
}

static void timer_taken(struct process *p, struct signal_info *info) {
  if (info->code != SI_TIMER) return;
  LIST_FOR(pt, &p->posix_timers, struct posix_timer, link) if (pt->id == info->timer_id) {
    pt->queued = false;
    info->overrun = pt->overrun_last = pt->overrun;
    pt->overrun = 0;
  }
}

i32 signal_dequeue(struct thread *t, sigset_bits mask, struct signal_info *info) {
  struct process *p = t->process;
  i32 signo = next_signal(t->pending.set & mask);
  if (signo) pending_take(&t->pending, signo, info);
  else if ((signo = next_signal(p->pending.set & mask))) pending_take(&p->pending, signo, info);
  if (signo) timer_taken(p, info);
  return signo;
}

bool signal_is_pending(const struct thread *t) { return signal_waits(t) || (freezing && !t->host); }
bool signal_waits(const struct thread *t) {
  const struct process *p = t->process;
  if (p->pid == 1) return false;
  if (UNLIKELY(t->ptrace.interrupt)) return true;
  return t->killed || t->registers_set || (p->state == PROCESS_STOPPED && !t->ptrace.group_done) || ((t->pending.set | p->pending.set) & ~t->blocked);
}

void signal_set_blocked(struct thread *t, sigset_bits mask) {
  t->blocked = mask & ~UNBLOCKABLE;
  if (signal_is_pending(t)) __atomic_store_n(&t->poll, 1, __ATOMIC_SEQ_CST);
}

/* ---- actions ---- */
struct signal_actions *signal_actions_copy(const struct signal_actions *from) {
  struct signal_actions *a = kmalloc(sizeof *a);
  if (!a) return NULL;
  *a = *from;
  a->refs = 1;
  return a;
}
void signal_actions_put(struct signal_actions *a) {
  if (--a->refs == 0) kfree(a);
}

static bool is_ignored(const struct process *p, i32 signo) {
  u64 h = p->actions->action[signo - 1].handler;
  return h == SIG_IGN || (h == SIG_DFL && (IGNORED_BY_DEFAULT & SIGBIT(signo)));
}

void signal_flush_ignored(struct process *p, i32 signo) {
  if (!is_ignored(p, signo)) return;
  pending_remove(&p->pending, SIGBIT(signo));
  LIST_FOR(t, &p->threads, struct thread, link) pending_remove(&t->pending, SIGBIT(signo));
}

void signal_exec_reset(struct process *p) {
  if (p->actions->refs > 1) {
    struct signal_actions *own = signal_actions_copy(p->actions);
    if (!own) {
      process_kill(p, SIGKILL);
      return;
    }
    signal_actions_put(p->actions);
    p->actions = own;
  }
  for (u32 i = 0; i < NSIG; i++) {
    struct signal_action *a = &p->actions->action[i];
    *a = (struct signal_action){.handler = a->handler == SIG_IGN ? SIG_IGN : SIG_DFL};
  }
  LIST_FOR(t, &p->threads, struct thread, link) t->sigaltstack_sp = t->sigaltstack_bytes = t->sigaltstack_flags = 0;
}

/* ---- sending ---- */
struct wait_queue signal_watchers = {{&signal_watchers.entries, &signal_watchers.entries}};

void signal_info_user(struct signal_info *info, i32 signo, i32 code) {
  *info = (struct signal_info){.signo = signo, .code = code, .pid = current->process->pid,
                               .uid = current->process->cred.uid};
}

int signal_permission(const struct process *p, i32 signo) {
  const struct credentials *me = &current->process->cred, *it = &p->cred;
  if (credentials_capable(me, CAP_KILL) || me->euid == it->suid || me->euid == it->uid || me->uid == it->suid || me->uid == it->uid) return 0;
  return signo == SIGCONT && p->sid == current->process->sid ? 0 : -EPERM;
}

static void resume_stopped(struct process *p) {
  if (p->state != PROCESS_STOPPED) return;
  p->state = PROCESS_RUNNING;
  LIST_FOR(t, &p->threads, struct thread, link) {
    ptrace_continued(t);
    thread_wake(t);
  }
  process_child_event(p, CLD_CONTINUED, SIGCONT);
}

/* Stop and continue cancel each other when sent, whatever is blocked or ignored. */
static void cancel_opposites(struct process *p, i32 signo) {
  sigset_bits gone = signo == SIGCONT ? STOP_SIGNALS : SIGBIT(signo) & STOP_SIGNALS ? SIGBIT(SIGCONT) : 0;
  if (!gone) return;
  pending_remove(&p->pending, gone);
  LIST_FOR(t, &p->threads, struct thread, link) pending_remove(&t->pending, gone);
  if (signo == SIGCONT) resume_stopped(p);
}

static struct thread *choose_thread(struct process *p, i32 signo) {
  struct thread *any = NULL;
  LIST_FOR(t, &p->threads, struct thread, link) {
    if (t->killed || (t->blocked & SIGBIT(signo))) continue;
    if (t->tid == p->pid) return t; /* Linux tries the leader first */
    if (!any) any = t;
  }
  return any;
}

/* An attached role is nobody's to stop or end: it gets the signals it has asked for by sigaction, and takes them with
 * sigtimedwait when a call of it ends in EINTR. init gets none. */
static bool host_refuses(const struct process *p, i32 signo) {
  return p->host && (p->pid == 1 || signo == SIGKILL || p->actions->action[signo - 1].handler <= SIG_IGN);
}

/* A module has no handlers and looks for no signals while it computes: what ends it, ends it when sent. */
static bool module_dies(struct process *p, i32 signo, bool blocked) {
  if (!p->wasi || blocked || p->actions->action[signo - 1].handler != SIG_DFL) return false;
  if (SIGBIT(signo) & (STOP_SIGNALS | IGNORED_BY_DEFAULT)) return false;
  event_post(EVENT_SIGNAL, p->pid, p->pid, signo, CORE_SIGNALS & SIGBIT(signo) ? 1 : 0);
  process_kill(p, signo);
  return true;
}

/* A tracer sees signals before anybody asks whether they are ignored. */
static bool is_traced(const struct process *p, const struct thread *t) {
  if (!t) t = thread_find(p->pid);
  return t && t->process == p && t->ptrace.tracer;
}

static int send(struct process *p, struct thread *t, i32 signo, const struct signal_info *info) {
  ASSERT_LOCKED();
  if (signo < 0 || signo > NSIG) return -EINVAL;
  if (!signo || host_refuses(p, signo) || p->state == PROCESS_ZOMBIE || p->state == PROCESS_FREE) return 0;
  struct signal_info kernel = {.signo = signo, .code = 0x80}; /* SI_KERNEL */
  if (!info) info = &kernel;
  if (signo == SIGKILL) {
    p->sigkilled = true;
    event_post(EVENT_SIGNAL, p->pid, t ? t->tid : 0, signo, info->pid);
    process_kill(p, SIGKILL);
    return 0;
  }
  cancel_opposites(p, signo);
  bool blocked = false; /* a blocked signal is kept even when ignored: sigtimedwait may want it */
  LIST_FOR(each, &p->threads, struct thread, link) if (!t || each == t)
    blocked |= ((each->blocked | each->real_blocked) & SIGBIT(signo)) != 0;
  if (is_ignored(p, signo) && !blocked && !is_traced(p, t)) return 0;
  if (t) {
    if (module_dies(p, signo, blocked)) return 0;
    pending_add(&t->pending, info);
    if (blocked) wait_wake(&signal_watchers, POLLIN | POLLRDNORM);
    if (!(t->blocked & SIGBIT(signo))) thread_poll(t);
    else thread_wake(t); /* it may be in sigtimedwait */
    return 0;
  }
  if (module_dies(p, signo, blocked)) return 0;
  pending_add(&p->pending, info);
  if (blocked) wait_wake(&signal_watchers, POLLIN | POLLRDNORM);
  struct thread *target = choose_thread(p, signo);
  if (target) thread_poll(target);
  else
    LIST_FOR(each, &p->threads, struct thread, link) thread_wake(each);
  return 0;
}

int signal_process(struct process *p, i32 signo, const struct signal_info *info) { return send(p, NULL, signo, info); }
int signal_thread(struct thread *t, i32 signo, const struct signal_info *info) { return send(t->process, t, signo, info); }

int signal_group(i32 pgid, i32 signo, const struct signal_info *info) {
  int r = -ESRCH;
  for (u32 i = 0; i < MAX_PROCESSES; i++) {
    struct process *p = &processes[i];
    if (p->state == PROCESS_FREE || p->pgid != pgid || p->pid == 1) continue;
    r = 0;
    send(p, NULL, signo, info);
  }
  return r;
}

void signal_force(struct thread *t, i32 signo, i32 code, u64 addr) {
  struct process *p = t->process;
  struct signal_action *a = &p->actions->action[signo - 1];
  if (a->handler == SIG_IGN || (t->blocked & SIGBIT(signo))) {
    a->handler = SIG_DFL;
    t->blocked &= ~SIGBIT(signo);
  }
  struct signal_info info = {.signo = signo, .code = code, .addr = addr};
  pending_remove(&t->pending, SIGBIT(signo));
  pending_add(&t->pending, &info);
  __atomic_store_n(&t->poll, 1, __ATOMIC_SEQ_CST);
}

/* ---- delivering ---- */
/* After a handler's frame is built the call it interrupted ends in EINTR or is made again when the handler returns. */
static void restart_for_handler(struct thread *t, const struct signal_action *a) {
  i32 code = t->restart_code;
  if (!code) return;
  t->restart_code = 0;
  bool again = code == ERESTARTNOINTR || (code == ERESTARTSYS && (a->flags & SA_RESTART));
  if (!again) {
    cpu_set_x(t->regblock, 10, (u64)(i64)-EINTR);
    return;
  }
  cpu_set_x(t->regblock, 10, t->syscall_args[0]);
  cpu_set_pc(t->regblock, t->syscall_pc);
}

static void restart_without_handler(struct thread *t) {
  i32 code = t->restart_code;
  if (!code) return;
  t->restart_code = 0;
  if (code == ERESTART_RESTARTBLOCK) cpu_set_x(t->regblock, 17, SYS_restart_syscall);
  cpu_set_x(t->regblock, 10, t->syscall_args[0]);
  cpu_set_pc(t->regblock, t->syscall_pc);
}

static void deliver_to_handler(struct thread *t, i32 signo, const struct signal_info *info, struct signal_action *action) {
  struct signal_action a = *action;
  if (UNLIKELY(trace_any)) {
    struct event_record e = {.time_ns = time_monotonic_ns(), .kind = EVENT_SIGNAL, .pid = t->process->pid, .tid = t->tid, .a = signo, .b = 2};
    trace_event(&e);
  }
  restart_for_handler(t, &a);
  if (a.flags & SA_RESETHAND) action->handler = SIG_DFL;
  if (signal_setup_frame(t, signo, info, &a)) {
    if (signo == SIGSEGV) action->handler = SIG_DFL;
    signal_force(t, SIGSEGV, 0x80, 0);
    return;
  }
  sigset_bits mask = t->blocked | a.mask;
  if (!(a.flags & SA_NODEFER)) mask |= SIGBIT(signo);
  t->restore_blocked = false;
  signal_set_blocked(t, mask);
}

static void stop(struct thread *t, i32 signo) {
  struct process *p = t->process;
  t->ptrace.group_done = false;
  if (p->state == PROCESS_STOPPED) return;
  p->state = PROCESS_STOPPED;
  p->stop_signal = signo;
  LIST_FOR(other, &p->threads, struct thread, link) if (other != t) thread_poll(other);
  process_child_event(p, CLD_STOPPED, signo);
}

static void default_action(struct thread *t, i32 signo, const struct signal_info *info) {
  struct process *p = t->process;
  if (IGNORED_BY_DEFAULT & SIGBIT(signo)) return;
  if (STOP_SIGNALS & SIGBIT(signo)) {
    if (signo == SIGSTOP || !group_is_orphaned(p->pgid, NULL)) stop(t, signo);
    return;
  }
  if (CORE_SIGNALS & SIGBIT(signo)) crash_report(t, info);
  event_post(EVENT_SIGNAL, p->pid, t->tid, signo, CORE_SIGNALS & SIGBIT(signo) ? 1 : 0);
  process_kill(p, signo);
}

static void park_while_stopped(struct thread *t) {
  while (t->process->state == PROCESS_STOPPED && !t->killed && !t->ptrace.tracer) {
    freeze_point(t);
    __atomic_store_n(&t->record->word, THREAD_PARKED, __ATOMIC_SEQ_CST);
    thread_sleep(t);
    __atomic_store_n(&t->record->word, THREAD_KERNEL, __ATOMIC_SEQ_CST);
  }
}

bool signal_deliver(void) {
  struct thread *t = current;
  struct process *p = t->process;
  bool handled = false;
  __atomic_store_n(&t->poll, 0, __ATOMIC_SEQ_CST);
  for (;;) {
    if (t->killed) return false;
    if (UNLIKELY(t->ptrace.tracer) && ptrace_trap(t)) continue;
    if (p->state == PROCESS_STOPPED && !t->ptrace.group_done) {
      park_while_stopped(t);
      continue;
    }
    struct signal_info info;
    i32 signo = signal_dequeue(t, ~t->blocked, &info);
    if (!signo) break;
    if (UNLIKELY(t->ptrace.tracer) && !(signo = ptrace_signal(t, signo, &info))) continue;
    struct signal_action *a = &p->actions->action[signo - 1];
    if (a->handler == SIG_IGN) continue;
    if (a->handler == SIG_DFL) {
      default_action(t, signo, &info);
      continue;
    }
    deliver_to_handler(t, signo, &info, a);
    handled = true;
  }
  if (!handled) {
    restart_without_handler(t);
    if (t->restore_blocked) {
      t->restore_blocked = false;
      signal_set_blocked(t, t->saved_blocked);
      if (signal_waits(t)) return signal_deliver();
    }
  }
  return true;
}
