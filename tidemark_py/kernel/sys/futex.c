/* sys/futex: futex(2), set_robust_list(2). The queues are in wait/futex.c. Missing: priority inheritance (ENOSYS). */
#include "sys.h"

/* The deadline of a wait: relative for FUTEX_WAIT, absolute on either clock for FUTEX_WAIT_BITSET. 0 or -errno. */
static int futex_deadline(uaddr_t timeout, bool absolute, bool realtime, u64 *deadline) {
  *deadline = WAIT_FOREVER;
  if (!timeout) return 0;
  struct guest_timespec ts;
  if (COPY_IN(ts, timeout)) return -EFAULT;
  if (ts.tv_sec < 0 || ts.tv_nsec < 0 || ts.tv_nsec >= (i64)NS_PER_S) return -EINVAL;
  u64 now = time_monotonic_ns();
  if ((u64)ts.tv_sec > (u64)INT64_MAX / NS_PER_S) return 0;
  u64 ns = (u64)ts.tv_sec * NS_PER_S + (u64)ts.tv_nsec;
  if (!absolute) *deadline = now + ns;
  else if (!realtime) *deadline = ns;
  else {
    u64 wall = time_realtime_ns();
    *deadline = ns > wall ? now + (ns - wall) : now;
  }
  return 0;
}

static i64 wait(u64 addr, u32 value, u32 bitset, bool is_private, u64 deadline) {
  i64 r = futex_wait(addr, value, bitset, is_private, deadline);
  if (r != -ERESTARTSYS || deadline == WAIT_FOREVER) return r;
  /* with a timeout the call goes on to the same moment after a stop, but not after a handler */
  struct thread *t = current;
  t->restart_nr = SYS_futex;
  t->restart_deadline_ns = deadline;
  t->restart_args[0] = addr, t->restart_args[1] = value, t->restart_args[2] = bitset, t->restart_args[3] = is_private;
  return -ERESTART_RESTARTBLOCK;
}

i64 futex_wait_again(void) {
  const u64 *a = current->restart_args;
  return wait(a[0], (u32)a[1], (u32)a[2], a[3] != 0, current->restart_deadline_ns);
}

i64 sys_futex(uaddr_t uaddr, i32 op, u32 val, uaddr_t timeout, uaddr_t uaddr2, u32 val3) {
  bool is_private = op & FUTEX_PRIVATE_FLAG, realtime = op & FUTEX_CLOCK_REALTIME;
  i32 command = op & ~(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME);
  u64 deadline;
  int r;
  if (uaddr & 3) return -EINVAL;
  if (realtime && command != FUTEX_WAIT && command != FUTEX_WAIT_BITSET) return -ENOSYS;
  u32 val2 = (u32)timeout;
  switch (command) {
  case FUTEX_WAIT:
    if ((r = futex_deadline(timeout, false, realtime, &deadline))) return r;
    return wait(uaddr, val, UINT32_MAX, is_private, deadline);
  case FUTEX_WAIT_BITSET:
    if ((r = futex_deadline(timeout, true, realtime, &deadline))) return r;
    return wait(uaddr, val, val3, is_private, deadline);
  case FUTEX_WAKE: return futex_wake(uaddr, val, UINT32_MAX, is_private);
  case FUTEX_WAKE_BITSET: return futex_wake(uaddr, val, val3, is_private);
  case FUTEX_REQUEUE:
  case FUTEX_CMP_REQUEUE:
    if ((i32)val < 0 || (i32)val2 < 0 || (uaddr2 & 3)) return -EINVAL;
    return futex_requeue(uaddr, uaddr2, val, val2, command == FUTEX_CMP_REQUEUE ? &val3 : NULL, is_private);
  case FUTEX_WAKE_OP:
    if (uaddr2 & 3) return -EINVAL;
    return futex_wake_op(uaddr, uaddr2, val, val2, val3, is_private);
  default: return -ENOSYS;
  }
}

i64 sys_set_robust_list(uaddr_t head, u64 len) {
  if (len != sizeof(struct guest_robust_list_head)) return -EINVAL;
  current->robust_list = head;
  return 0;
}
i64 sys_get_robust_list(i32 pid, uaddr_t head_ptr, uaddr_t len_ptr) {
  struct thread *t = pid ? thread_find(pid) : current;
  if (!t) return -ESRCH;
  if (t->process != current->process && !credentials_capable(&current->process->cred, CAP_SYS_PTRACE)) return -EPERM;
  u64 len = sizeof(struct guest_robust_list_head);
  return COPY_OUT(head_ptr, t->robust_list) || COPY_OUT(len_ptr, len) ? -EFAULT : 0;
}
