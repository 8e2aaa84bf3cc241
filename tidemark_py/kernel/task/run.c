/* run: what a worker does with a thread from hand-over to end: start it, run guest code, serve its calls, deliver its
 * signals, end it. Called by host/exports.c (tk_run) in the worker that got the thread.
 *
 * The lock is held only where something is to do: an ecall takes it if its row says so, a thread with nothing pending
 * goes back to the guest without it. `current` may change on the way: a vfork child runs here until it execs or exits. */
#include "../mm/errand.h"
#include "exec.h"
#include "fork.h"
#include "profile.h"
#include "timeline.h"

#define BUDGET_INSTRUCTIONS 200000
#define BUDGET_PROFILING 50000
#define CALLS_PER_TIMER_LOOK 64u

/* Twice per system call: a plain store. Whoever acts on USER looks again after a while, nobody synchronises by it. */
static void set_word(struct thread *t, u32 word) { *(volatile u32 *)&t->record->word = word; }

static void start_exec(struct thread *t) {
  struct exec_image *image = t->exec;
  t->exec = NULL;
  if (!t->killed) {
    mm_current = NULL;
    if (image->module) exec_commit_module(image);
    else {
      u64 began = phase_begin();
      exec_commit(image);
      phase_end(METRIC_EXEC, began);
    }
    return;
  }
  exec_image_free(image);
  /* never in this worker's memory: shared with a vfork parent at most */
  if (t->process->mm) mm_put(t->process->mm);
  t->process->mm = NULL, mm_current = NULL;
}

/* false: the child never was; its parent's clone fails instead. */
static bool start_fork(struct thread *t) {
  struct process *p = t->process;
  bool parent_waits = t->fork && t->fork->parent;
  u64 began = phase_begin();
  int r = t->fork ? fork_import(t) : -EAGAIN;
  phase_end(METRIC_FORK_IMPORT, began);
  if (!r) return true;
  if (!parent_waits) {
    process_kill(p, SIGKILL);
    return true;
  }
  event_post(EVENT_EXIT, p->pid, t->tid, SIGKILL, 0);
  if (p->mm) mm_reset_guest(p->mm);
  process_discard(p);
  current = NULL, mm_current = NULL;
  return false;
}

/* 0: run it; else the status to return. */
u32 task_start(u32 slot, u32 generation) {
  struct thread *t = slot < MAX_THREADS ? &threads[slot] : NULL;
  if (!t || !t->process || t->record->word != THREAD_NEW || t->record->generation != generation) {
    counters.stale_messages++;
    return STATUS_STALE;
  }
  kassert(!current);
  t->instance = instance_id, t->running = true, t->in_guest_call = false;
  current = t;
  mm_current = t->process->mm;
  set_word(t, THREAD_KERNEL);
  t->start_ns = time_monotonic_ns();
  if (UNLIKELY(watching())) thread_begins(t);
  switch (t->record->start_kind) {
  case START_EXEC:
  case START_WASI: start_exec(t); break;
  case START_FORK:
    if (!start_fork(t)) return STATUS_ERROR;
    break;
  case START_RESTORE: restore_begin(t); break;
  default: break;
  }
  for (struct thread *up = t->vfork_parent; up; up = up->vfork_parent) up->instance = instance_id, up->running = true;
  return 0;
}

/* Lock held. What is to be done before the guest goes on; else the status to return: the thread is gone. */
static u32 leave_kernel(void) {
  for (;;) {
    struct thread *t = current;
    mm_errands_run();
    if (t->exec && !t->killed) {
      struct exec_image *image = t->exec;
      if (image->module) {
        exec_move(t);
        return STATUS_MOVED;
      }
      t->exec = NULL, t->restart_code = 0;
      u64 began = phase_begin();
      exec_commit(image);
      phase_end(METRIC_EXEC, began);
    }
    freeze_point(t);
    if (UNLIKELY(t->ptrace.regs)) ptrace_leave(t);
    if (signal_deliver()) {
      t->registers_set = false;
      return STATUS_CONTINUE;
    }
    t->record->status = STATUS_EXITED;
    u64 began = phase_begin();
    bool more = thread_exit();
    phase_end(METRIC_EXIT, began);
    if (!more) return STATUS_EXITED;
  }
}

static void fault(struct thread *t) {
  i32 signo = t->fault.si_signo;
  if (signo <= 0) { /* no memory left to bring the page in */
    klog("%s[%d]: out of memory at 0x%llx", t->process->name, t->process->pid, (unsigned long long)t->fault.addr);
    process_kill(t->process, SIGKILL);
    return;
  }
  signal_force(t, signo, t->fault.si_code, t->fault.addr);
}

u32 task_run(u32 slot, u32 generation) {
  kernel_lock();
  u32 status = task_start(slot, generation);
  if (!status) status = leave_kernel();
  kernel_unlock();
  for (u32 calls = 0; status == STATUS_CONTINUE;) {
    struct thread *t = current;
    set_word(t, THREAD_USER);
    u64 since = profile_begin();
    i64 budget = UNLIKELY(since) ? BUDGET_PROFILING : BUDGET_INSTRUCTIONS;
    enum cpu_exit why = cpu_run(mm_current, t->regblock, budget, &t->poll, &t->fault);
    set_word(t, THREAD_KERNEL);
    if (UNLIKELY(since)) profile_end(t, since);
    bool look = false;
    if (LIKELY(why == CPU_ECALL)) {
      sys_dispatch();
      t = current;
      look = ++calls % CALLS_PER_TIMER_LOOK == 0;
    } else if (why == CPU_BUDGET) {
      thread_count_instructions(t);
      look = true;
    } else {
      kernel_lock();
      if (why == CPU_FAULT) fault(t);
      else if (why == CPU_ILLEGAL) signal_force(t, SIGILL, ILL_ILLOPC, cpu_pc(t->regblock));
      else signal_force(t, SIGTRAP, TRAP_BRKPT, cpu_pc(t->regblock));
      kernel_unlock();
    }
    look = look && __atomic_load_n(&t->process->timers_armed, __ATOMIC_RELAXED);
    if (UNLIKELY(look || __atomic_load_n(&t->poll, __ATOMIC_ACQUIRE))) {
      kernel_lock();
      if (look) process_run_timers(t->process);
      status = leave_kernel();
      kernel_unlock();
    }
  }
  return status;
}
