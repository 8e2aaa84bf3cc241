/* ptrace: stopping a thread for its tracer and letting it go on: ptrace(2). See ptrace.h. Lock held everywhere.
 *
 * A stop is reported to the tracer (SIGCHLD, wait4) and slept through in the kernel, like a sleep of the kernel's own:
 * errands are done meanwhile, SIGKILL ends it. What a tracer has not yet waited for when a thread ends is kept apart
 * (dead threads; a process whose tracer is not its parent: process->tracer). */
#include "ptrace.h"

#include "exec.h"

#define STOPPED(code) (((code) << 8) | 0x7f)

struct dead_thread { /* of a process that lives on: its tracer waits for it as for a process */
  struct list link;
  struct process *tracer;
  i32 tid, pgid, status;
  u32 uid;
};
static struct list dead_threads = {&dead_threads, &dead_threads};

int ptrace_may_access(const struct process *p) {
  const struct credentials *me = &current->process->cred, *it = &p->cred;
  if (p == current->process || credentials_capable(me, CAP_SYS_PTRACE)) return 0;
  bool same = me->uid == it->uid && me->uid == it->euid && me->uid == it->suid && me->gid == it->gid &&
              me->gid == it->egid && me->gid == it->sgid;
  return same && p->dumpable == 1 ? 0 : -EPERM;
}

bool ptrace_anyone(void) {
  for (u32 i = 0; i < MAX_THREADS; i++)
    if (threads[i].process && threads[i].ptrace.tracer) return true;
  return false;
}

/* ---- stops ---- */
static void tell_tracer(const struct thread *t) {
  const struct ptrace *x = &t->ptrace;
  struct process *tracer = x->tracer;
  wait_wake(&tracer->child_wait, 0);
  if (tracer->actions->action[SIGCHLD - 1].flags & SA_NOCLDSTOP) return;
  struct signal_info info = {.signo = SIGCHLD, .code = CLD_TRAPPED, .pid = t->tid, .uid = t->process->cred.uid,
                             .status = x->code & 0x7f};
  signal_process(tracer, SIGCHLD, &info);
}

/* The registers as Linux shows them: a call that begins is behind its ecall, one that was interrupted is either at its
 * ecall again or has its restart code for a result. */
static void registers_show(struct thread *t) {
  struct state_registers *r = t->ptrace.regs;
  guest_head_copy_in(r, t->regblock, sizeof *r);
  t->ptrace.registers_changed = false;
  if (t->ptrace.stop == PTRACE_AT_ENTRY) {
    r->pc = t->syscall_pc + 4;
  } else if (t->restart_code && t->ptrace.stop == PTRACE_AT_EXIT) {
    r->x[10] = (u64)(i64)-t->restart_code;
  } else if (t->restart_code) {
    r->pc = t->syscall_pc, r->x[10] = t->syscall_args[0];
    if (t->restart_code == ERESTART_RESTARTBLOCK) r->x[17] = SYS_restart_syscall;
  }
}

static void registers_take(struct thread *t, enum ptrace_stop stop) {
  struct state_registers *r = t->ptrace.regs;
  if (!t->ptrace.registers_changed) return;
  if (stop == PTRACE_AT_ENTRY) r->pc -= 4;
  else if (t->restart_code && stop == PTRACE_AT_EXIT && r->x[10] == (u64)(i64)-t->restart_code) r->x[10] = (u64)(i64)-EINTR;
  else t->restart_code = 0;
  r->x[0] = 0, r->reservation = ~0ull;
  guest_head_copy_out(t->regblock, r, sizeof *r);
}

static void stop_begin(struct thread *t, enum ptrace_stop stop, i32 code, const struct signal_info *info) {
  struct ptrace *x = &t->ptrace;
  x->stop = stop, x->code = code, x->signo = 0;
  x->reported = x->listening = false;
  struct signal_info own = {.signo = SIGTRAP, .code = code, .pid = t->tid, .uid = t->process->cred.uid};
  *x->info = info ? *info : own;
  registers_show(t);
  tell_tracer(t);
}

/* Until the tracer lets it go on, is gone, or somebody kills it. */
static void stop_end(struct thread *t) {
  struct ptrace *x = &t->ptrace;
  enum ptrace_stop stop = x->stop;
  __atomic_store_n(&t->record->word, THREAD_PARKED, __ATOMIC_SEQ_CST);
  while (x->stop && !(x->ending ? t->process->sigkilled : t->killed)) thread_sleep(t);
  __atomic_store_n(&t->record->word, THREAD_KERNEL, __ATOMIC_SEQ_CST);
  if (!x->stop) registers_take(t, stop);
  x->stop = PTRACE_RUNS;
}

static void stop_at(struct thread *t, enum ptrace_stop stop, i32 code, const struct signal_info *info) {
  stop_begin(t, stop, code, info);
  stop_end(t);
}

static void event_stop(struct thread *t, u32 event, u64 message) {
  t->ptrace.message = message;
  stop_at(t, PTRACE_AT_EVENT, SIGTRAP | (i32)(event << 8), NULL);
}

/* A stop at a call ends with a signal from the tracer, perhaps. */
static void call_stop(struct thread *t, enum ptrace_stop stop) {
  struct ptrace *x = &t->ptrace;
  struct process *tracer = x->tracer;
  x->message = stop == PTRACE_AT_ENTRY ? PTRACE_EVENTMSG_SYSCALL_ENTRY : PTRACE_EVENTMSG_SYSCALL_EXIT;
  stop_at(t, stop, SIGTRAP | (x->options & PTRACE_O_TRACESYSGOOD ? 0x80 : 0), NULL);
  if (t->killed || !x->signo) return;
  struct signal_info info = {.signo = x->signo, .code = SI_USER, .pid = tracer->pid, .uid = tracer->cred.uid};
  signal_thread(t, x->signo, &info);
}

void ptrace_call_begins(struct thread *t) {
  struct ptrace *x = &t->ptrace;
  if (!x->tracer || !x->calls) return;
  x->in_call = true;
  call_stop(t, PTRACE_AT_ENTRY);
  __atomic_store_n(&t->poll, 1, __ATOMIC_SEQ_CST); /* ptrace_leave comes after it */
}

void ptrace_leave(struct thread *t) {
  struct ptrace *x = &t->ptrace;
  if (x->stop) stop_end(t); /* a vfork parent: its worker is its own again */
  if (x->event && x->tracer && !t->killed) event_stop(t, x->event, x->due_message);
  x->event = 0;
  if (x->vfork_done && x->tracer && !t->killed) event_stop(t, PTRACE_EVENT_VFORK_DONE, x->due_message);
  x->vfork_done = false;
  if (x->in_call && x->tracer && x->calls && !t->killed) call_stop(t, PTRACE_AT_EXIT);
  x->in_call = false;
}

bool ptrace_trap(struct thread *t) {
  struct ptrace *x = &t->ptrace;
  struct process *p = t->process;
  bool group = p->state == PROCESS_STOPPED && !x->group_done;
  if (!group && !x->interrupt) return false;
  i32 code = group || p->state == PROCESS_STOPPED ? p->stop_signal : SIGTRAP;
  if (group) x->group_done = true;
  x->interrupt = false;
  if (x->seized) stop_at(t, PTRACE_AT_EVENT, code | PTRACE_EVENT_STOP << 8, NULL);
  else stop_at(t, PTRACE_AT_GROUP_STOP, code, NULL);
  return true;
}

i32 ptrace_signal(struct thread *t, i32 signo, struct signal_info *info) {
  struct ptrace *x = &t->ptrace;
  const struct process *tracer = x->tracer;
  stop_at(t, PTRACE_AT_SIGNAL, signo, info);
  if (t->killed || !x->signo) return 0;
  if (x->signo != signo)
    *info = (struct signal_info){.signo = x->signo, .code = SI_USER, .pid = tracer->pid, .uid = tracer->cred.uid};
  else *info = *x->info;
  if (!(t->blocked & SIGBIT(x->signo))) return x->signo;
  signal_thread(t, x->signo, info);
  return 0;
}

/* ---- events ---- */
void ptrace_exec_done(struct thread *t, i32 tid_before) {
  struct ptrace *x = &t->ptrace;
  if (!x->tracer) return;
  if (x->options & PTRACE_O_TRACEEXEC) ptrace_event_due(t, PTRACE_EVENT_EXEC, tid_before);
  else if (!x->seized) {
    struct signal_info info = {.signo = SIGTRAP, .code = SI_USER, .pid = t->process->pid, .uid = t->process->cred.uid};
    signal_thread(t, SIGTRAP, &info);
  }
}

void ptrace_exit_event(struct thread *t, i32 wait_status) {
  struct ptrace *x = &t->ptrace;
  if (!x->tracer || !(x->options & PTRACE_O_TRACEEXIT) || t->process->sigkilled || t->regslot < 0) return;
  x->ending = true;
  event_stop(t, PTRACE_EVENT_EXIT, (u64)wait_status);
}

u32 ptrace_clone_event(u64 flags, i32 exit_signal) {
  const struct ptrace *x = &current->ptrace;
  if (!x->tracer || (flags & CLONE_UNTRACED)) return 0;
  if (flags & CLONE_VFORK) return x->options & PTRACE_O_TRACEVFORK ? PTRACE_EVENT_VFORK : 0;
  if (exit_signal != SIGCHLD) return x->options & PTRACE_O_TRACECLONE ? PTRACE_EVENT_CLONE : 0;
  return x->options & PTRACE_O_TRACEFORK ? PTRACE_EVENT_FORK : 0;
}

int ptrace_child(struct thread *child, u64 flags, u32 event) {
  const struct ptrace *x = &current->ptrace;
  if (!x->tracer || !(event || (flags & CLONE_PTRACE))) return 0;
  int r = ptrace_attach(child, x->tracer, x->seized, x->options);
  if (r) return r;
  if (x->seized) child->ptrace.interrupt = true;
  else signal_thread(child, SIGSTOP, NULL);
  return 0;
}

void ptrace_event_due(struct thread *t, u32 event, i32 message) {
  t->ptrace.event = event, t->ptrace.due_message = (u64)message;
  t->ptrace.in_call = true;
  __atomic_store_n(&t->poll, 1, __ATOMIC_SEQ_CST);
}

void ptrace_vfork_parent(struct thread *t, u32 event, i32 child) {
  struct ptrace *x = &t->ptrace;
  if (!x->tracer) return;
  x->in_call = true;
  x->due_message = (u64)child;
  x->vfork_done = x->options & PTRACE_O_TRACEVFORKDONE;
  __atomic_store_n(&t->poll, 1, __ATOMIC_SEQ_CST);
  if (!event) return;
  x->message = (u64)child;
  stop_begin(t, PTRACE_AT_EVENT, SIGTRAP | (i32)(event << 8), NULL);
}

/* ---- the tracer's side ---- */
int ptrace_attach(struct thread *t, struct process *tracer, bool seized, u32 options) {
  struct ptrace *x = &t->ptrace;
  const struct process *p = t->process;
  if (x->tracer || p == tracer || p->host || p->wasi || tracer->host || p->state == PROCESS_ZOMBIE || p->exiting) return -EPERM;
  if (!x->regs) x->regs = kzalloc(sizeof *x->regs);
  if (!x->info) x->info = kzalloc(sizeof *x->info);
  if (!x->regs || !x->info) return -ENOMEM;
  x->tracer = tracer, x->seized = seized, x->options = options;
  x->stop = PTRACE_RUNS, x->group_done = x->interrupt = x->in_call = false, x->event = 0;
  tracer->traces = true;
  thread_poll(t); /* it may be in a group stop, which is the tracer's to end now */
  return 0;
}

static void set_calls(struct thread *t, bool calls) { __atomic_store_n(&t->ptrace.calls, calls, __ATOMIC_RELAXED); }

void ptrace_resume(struct thread *t, bool calls, i32 signo) {
  set_calls(t, calls);
  t->ptrace.signo = signo;
  t->ptrace.stop = PTRACE_RUNS, t->ptrace.listening = false;
  thread_wake(t);
}

void ptrace_detach(struct thread *t, i32 signo) {
  struct ptrace *x = &t->ptrace;
  set_calls(t, false);
  bool stopped = x->stop;
  x->tracer = NULL, x->options = 0;
  x->group_done = x->interrupt = x->vfork_done = false, x->event = 0;
  x->signo = signo, x->stop = PTRACE_RUNS;
  if (stopped) thread_poll(t);
}

/* A stopped tracee that listens, or one that is to stop once more for something new. */
static void stop_again(struct thread *t, i32 code) {
  struct ptrace *x = &t->ptrace;
  if (!x->listening) {
    x->interrupt = true;
    thread_poll(t);
    return;
  }
  x->listening = x->reported = false;
  x->code = code | PTRACE_EVENT_STOP << 8;
  tell_tracer(t);
}
static i32 trap_signal(const struct process *p) { return p->state == PROCESS_STOPPED ? p->stop_signal : SIGTRAP; }
void ptrace_interrupt(struct thread *t) { stop_again(t, trap_signal(t->process)); }
void ptrace_listen(struct thread *t) {
  t->ptrace.listening = true;
  if (!t->ptrace.interrupt) return;
  t->ptrace.interrupt = false; /* something new has come meanwhile */
  stop_again(t, trap_signal(t->process));
}
void ptrace_continued(struct thread *t) {
  t->ptrace.group_done = false;
  if (t->ptrace.tracer && t->ptrace.seized) stop_again(t, SIGTRAP);
}

/* ---- ends ---- */
void ptrace_thread_free(struct thread *t) {
  kfree(t->ptrace.regs);
  kfree(t->ptrace.info);
  t->ptrace = (struct ptrace){0};
}

void ptrace_thread_ends(struct thread *t, i32 wait_status) {
  struct process *p = t->process, *tracer = t->ptrace.tracer;
  if (!tracer) return;
  t->ptrace.tracer = NULL;
  if (t->tid == p->pid) { /* reported as its process, when all of it has ended */
    if (tracer != p->parent) p->tracer = tracer;
    return;
  }
  struct dead_thread *d = kmalloc(sizeof *d);
  if (!d) return;
  *d = (struct dead_thread){.tracer = tracer, .tid = t->tid, .pgid = p->pgid, .status = wait_status, .uid = p->cred.uid};
  list_add_tail(&dead_threads, &d->link);
  wait_wake(&tracer->child_wait, 0);
}

void ptrace_tracer_ends(struct process *p) {
  if (!p->traces) return;
  for (u32 i = 0; i < MAX_THREADS; i++) {
    struct thread *t = &threads[i];
    if (!t->process || t->ptrace.tracer != p) continue;
    bool kill = t->ptrace.options & PTRACE_O_EXITKILL;
    ptrace_detach(t, t->ptrace.stop == PTRACE_AT_SIGNAL ? t->ptrace.info->signo : 0);
    if (kill) signal_process(t->process, SIGKILL, NULL);
  }
  LIST_FOR(d, &dead_threads, struct dead_thread, link) if (d->tracer == p) {
    list_remove(&d->link);
    kfree(d);
  }
  for (u32 i = 0; i < MAX_PROCESSES; i++) {
    struct process *z = &processes[i];
    if (z->state == PROCESS_FREE || z->tracer != p) continue;
    z->tracer = NULL;
    if (z->state == PROCESS_ZOMBIE) process_announce_zombie(z);
  }
}

/* ---- waiting ---- */
static bool selects(i32 idtype, i32 id, i32 tid, i32 pgid) {
  return idtype == P_PID ? tid == id : idtype == P_PGID ? pgid == id : true;
}

static i32 wait_stopped(struct process *p, i32 idtype, i32 id, u32 options, struct wait_result *r, bool *any) {
  for (u32 i = 0; i < MAX_THREADS; i++) {
    struct thread *t = &threads[i];
    struct ptrace *x = &t->ptrace;
    if (!t->process || x->tracer != p || !selects(idtype, id, t->tid, t->process->pgid)) continue;
    *any = true;
    if (!x->stop || x->listening || x->reported) continue;
    x->reported = !(options & WNOWAIT);
    *r = (struct wait_result){.pid = t->tid, .status = STOPPED(x->code), .code = CLD_TRAPPED, .uid = t->process->cred.uid,
                              .utime_ns = thread_cpu_ns(t)};
    return t->tid;
  }
  return 0;
}

static i32 wait_dead(struct process *p, i32 idtype, i32 id, u32 options, struct wait_result *r, bool *any) {
  LIST_FOR(d, &dead_threads, struct dead_thread, link) {
    if (d->tracer != p || !selects(idtype, id, d->tid, d->pgid)) continue;
    *any = true;
    if (!(options & WEXITED)) continue;
    *r = (struct wait_result){.pid = d->tid, .status = d->status, .uid = d->uid};
    process_exit_code(d->status, &r->code);
    if (!(options & WNOWAIT)) {
      list_remove(&d->link);
      kfree(d);
    }
    return r->pid;
  }
  return 0;
}

/* Processes whose parent is another: they are its once the tracer has seen their end. */
static i32 wait_ended(struct process *p, i32 idtype, i32 id, u32 options, struct wait_result *r, bool *any) {
  for (u32 i = 0; i < MAX_PROCESSES; i++) {
    struct process *z = &processes[i];
    if (z->state == PROCESS_FREE || z->tracer != p || !selects(idtype, id, z->pid, z->pgid)) continue;
    *any = true;
    if (z->state != PROCESS_ZOMBIE || !(options & WEXITED)) continue;
    *r = (struct wait_result){.pid = z->pid, .status = z->exit_status, .uid = z->cred.uid, .utime_ns = z->utime_ns};
    process_exit_code(z->exit_status, &r->code);
    if (!(options & WNOWAIT)) {
      z->tracer = NULL;
      process_announce_zombie(z);
    }
    return r->pid;
  }
  return 0;
}

i32 ptrace_wait(struct process *p, i32 idtype, i32 id, u32 options, struct wait_result *r, bool *any) {
  if (!p->traces) return 0;
  i32 tid = wait_stopped(p, idtype, id, options, r, any);
  if (!tid) tid = wait_dead(p, idtype, id, options, r, any);
  return tid ? tid : wait_ended(p, idtype, id, options, r, any);
}
