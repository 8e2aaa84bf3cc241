/* dispatch: one system call, from registers to result. The table (gen/syscalls.c) says which handler, whether it wants
 * the lock, and how its arguments look in a trace.
 *
 * Only here is a0 written. Results of -ERESTART* never reach the guest: they are kept in the thread until the signal
 * that caused them is delivered (task/signal.c). Called by the run loop without the lock, and by attached roles. */
#include "../core/metric.h"
#include "../task/trace.h"
#include "sys.h"

#ifndef __wasm__
bool sys_trace;
#endif

/* One line per program and number; a ring is enough to keep a loop from flooding the log. */
static void unknown_call(u64 nr) {
  static struct {
    char name[16];
    u64 nr;
  } seen[64];
  static u32 at;
  const char *program = current->process->name;
  counters.unknown_syscalls++;
  event_post(EVENT_UNKNOWN_SYSCALL, current->process->pid, current->tid, (i64)nr, 0);
  for (u32 i = 0; i < ARRAY_LEN(seen); i++)
    if (seen[i].nr == nr && seen[i].name[0] && !strcmp(seen[i].name, program)) return;
  memcpy(seen[at % ARRAY_LEN(seen)].name, program, sizeof seen[0].name);
  seen[at++ % ARRAY_LEN(seen)].nr = nr;
  const char *name = nr < SYSCALL_TABLE_ROWS && syscall_table[nr].name ? syscall_table[nr].name : "?";
  klog("%s[%d]: system call %llu (%s) is not implemented: ENOSYS", program, current->process->pid,
       (unsigned long long)nr, name);
}

/* Programs probe for these at every start and do without: not worth a line. */
static bool quietly_missing(u64 nr) { return nr == SYS_rseq || nr == SYS_io_uring_setup; }

/* A call that met a file body which is not here: nothing has happened yet ("buffers before effects"), so wait and do
 * it all again. A part already done is the result; the rest waits in the next call. */
static NOINLINE i64 call_again(const struct syscall_row *row, const u64 args[6], i64 r) {
  const struct thread *t = current;
  while (r < 0 && fetch_wanted() && current == t) {
    int waited = fetch_wait(false);
    if (waited == -EAGAIN) return -ENOTHERE;
    if (waited) return -ERESTARTNOINTR;
    r = row->call(args);
  }
  fetch_forget();
  return r;
}

/* What a call answers to the part of it that is missing. */
static bool is_refusal(i64 r) {
  return r == -ENOSYS || r == -EOPNOTSUPP || r == -EINVAL || r == -EAFNOSUPPORT || r == -EPROTONOSUPPORT || r == -ENOPROTOOPT;
}

static i64 call_locked(const struct syscall_row *row, u64 nr, const u64 args[6]) {
  struct thread *t = current;
  u64 start_ns = UNLIKELY(trace_any) ? time_monotonic_ns() : 0, parked_ns = t->parked_ns; /* the lock's time is the call's */
  kernel_lock();
  i64 r = row->call ? row->call(args) : -ENOSYS;
  if (UNLIKELY(fetch_wanted())) r = call_again(row, args, r);
  if (!row->call && !quietly_missing(nr)) unknown_call(nr);
  if (UNLIKELY(t->exec) && current == t && r == 0) r = exec_start();
  if (UNLIKELY(row->level != SYSCALL_FULL) && current == t && t->process) call_use_note((u32)nr, is_refusal(r));
  if (UNLIKELY(sys_trace || start_ns)) {
    struct thread *now = current;
    current = t;
    if (t->process && sys_trace) trace_text(nr, args, r);
    if (t->process && start_ns) trace_call(nr, args, r, start_ns, t->parked_ns - parked_ns, now == t);
    current = now;
  }
  kernel_unlock();
  return r;
}

static const struct syscall_row no_row = {.name = NULL, .flags = SYSCALL_LOCK};
static const struct syscall_row *row_of(u64 nr) { return LIKELY(nr < SYSCALL_TABLE_ROWS) ? &syscall_table[nr] : &no_row; }

static inline i64 call(const struct syscall_row *row, u64 nr, const u64 args[6]) {
  bool quick = row->call && !(row->flags & SYSCALL_LOCK) && !sys_trace && !trace_any;
  return LIKELY(quick) ? row->call(args) : call_locked(row, nr, args);
}

/* One call of METRIC_SAMPLE is timed, for the clock takes as long as a quick call; those that take the lock are all counted,
 * and each that slept counts with its sleep. */
static NOINLINE i64 call_measured(const struct syscall_row *row, u64 nr, const u64 args[6]) {
  static _Thread_local u32 calls;
  struct thread *t = current;
  u32 id = METRIC_CALLS + (u32)MIN(nr, (u64)SYSCALL_TABLE_ROWS);
  bool timed = calls++ % METRIC_SAMPLE == 0;
  if (!(row->flags & SYSCALL_LOCK) && !trace_any) {
    if (!timed) return call(row, nr, args);
    metric_count(id, METRIC_SAMPLE);
  } else {
    metric_count(id, 1);
  }
  u64 parked_ns = t->parked_ns, start_ns = timed ? time_monotonic_ns() : 0;
  i64 r = call(row, nr, args);
  if (timed) metric_add(id, time_monotonic_ns() - start_ns);
  else if (UNLIKELY(current == t && t->parked_ns != parked_ns)) metric_add(id, t->parked_ns - parked_ns);
  return r;
}

static inline void take_call(struct thread *t, u32 block) {
  for (u32 i = 0; i < 6; i++) t->syscall_args[i] = cpu_x(block, 10 + i);
  t->syscall_nr = cpu_x(block, 17);
  t->syscall_pc = cpu_pc(block);
  t->record->syscall = (u32)t->syscall_nr;
}

/* A tracer looks at the call first and may change it. false: it is not made (killed, or its number is -1 now). */
static NOINLINE bool traced_call(struct thread *t, u32 block) {
  kernel_lock();
  ptrace_call_begins(t);
  bool killed = t->killed;
  kernel_unlock();
  if (killed) return false;
  take_call(t, block);
  if (t->syscall_nr != ~0ull) return true;
  cpu_set_pc(block, t->syscall_pc + 4);
  return false;
}

u32 sys_dispatch(void) {
  struct thread *t = current;
  u32 block = t->regblock;
  take_call(t, block);
  if (UNLIKELY(__atomic_load_n(&t->ptrace.calls, __ATOMIC_RELAXED)) && !traced_call(t, block)) return STATUS_CONTINUE;
  u64 nr = t->syscall_nr;
  t->in_guest_call = true;
  const struct syscall_row *row = row_of(nr);
  i64 r = UNLIKELY(watching() & WATCH_METRICS) ? call_measured(row, nr, t->syscall_args) : call(row, nr, t->syscall_args);
  if (UNLIKELY(current != t)) return STATUS_CONTINUE; /* t may run elsewhere by now */
  t->in_guest_call = false;
  if (UNLIKELY(freezing) && r == -EINTR && !signal_waits(t)) r = -ERESTARTNOINTR; /* the machine is being saved */
  if (UNLIKELY(r == -ENORESULT || t->registers_set)) return STATUS_CONTINUE;
  if (UNLIKELY(r <= -ERESTARTSYS && r >= -ERESTART_RESTARTBLOCK)) {
    t->restart_code = (i32)-r;
    r = -EINTR;
    __atomic_store_n(&t->poll, 1, __ATOMIC_SEQ_CST);
  }
  cpu_set_x(block, 10, (u64)r);
  cpu_set_pc(block, t->syscall_pc + 4);
  return STATUS_CONTINUE;
}

i64 sys_call_host(u64 nr, const u64 args[6]) {
  struct thread *t = current;
  const struct syscall_row *row = row_of(nr);
  if (!row->call) return -ENOSYS;
  if (nr == SYS_exit || nr == SYS_exit_group || nr == SYS_rt_sigreturn) return -EPERM;
  if (!(row->flags & SYSCALL_LOCK)) return row->call(args);
  kernel_lock();
  t->in_syscall = true;
  bool own_root = t->host_fs != NULL;
  if (own_root) host_fs_swap(t);
  i64 r = row->call(args);
  if (UNLIKELY(fetch_wanted())) r = call_again(row, args, r);
  if (own_root) host_fs_swap(t);
  t->in_syscall = false;
  if (UNLIKELY(sys_trace)) trace_text(nr, args, r);
  kernel_unlock();
  return r <= -ERESTARTSYS && r >= -ERESTART_RESTARTBLOCK ? -EINTR : r;
}
