/* sys/futex: futex(2), set_robust_list(2). futex_waitv(2), futex_wait(2) and its like. The queues are in wait/. */
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

/* A lock is waited for again after any handler: futex(2) says no EINTR for these. */
static i64 nointr(i64 r) { return r == -ERESTARTSYS ? -ERESTARTNOINTR : r; }

i64 sys_futex(uaddr_t uaddr, i32 op, u32 val, uaddr_t timeout, uaddr_t uaddr2, u32 val3) {
  bool is_private = op & FUTEX_PRIVATE_FLAG, realtime = op & FUTEX_CLOCK_REALTIME;
  i32 command = op & ~(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME);
  u64 deadline;
  int r;
  if (uaddr & 3) return -EINVAL;
  if (realtime && command != FUTEX_WAIT && command != FUTEX_WAIT_BITSET && command != FUTEX_WAIT_REQUEUE_PI &&
      command != FUTEX_LOCK_PI2)
    return -ENOSYS;
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
    return futex_requeue(uaddr, uaddr2, val, val2, command == FUTEX_CMP_REQUEUE ? &val3 : NULL, is_private, is_private);
  case FUTEX_WAKE_OP:
    if (uaddr2 & 3) return -EINVAL;
    return futex_wake_op(uaddr, uaddr2, val, val2, val3, is_private);
  case FUTEX_LOCK_PI: /* absolute, on CLOCK_REALTIME whatever the flag says */
    if ((r = futex_deadline(timeout, true, true, &deadline))) return r;
    return nointr(futex_lock_pi(uaddr, current->tid, true, is_private, deadline));
  case FUTEX_LOCK_PI2:
    if ((r = futex_deadline(timeout, true, realtime, &deadline))) return r;
    return nointr(futex_lock_pi(uaddr, current->tid, true, is_private, deadline));
  case FUTEX_TRYLOCK_PI: return futex_lock_pi(uaddr, current->tid, false, is_private, WAIT_FOREVER);
  case FUTEX_UNLOCK_PI: return futex_unlock_pi(uaddr, current->tid, is_private);
  case FUTEX_WAIT_REQUEUE_PI:
    if (uaddr2 & 3) return -EINVAL;
    if ((r = futex_deadline(timeout, true, realtime, &deadline))) return r;
    return futex_wait_requeue_pi(uaddr, val, uaddr2, current->tid, is_private, deadline);
  case FUTEX_CMP_REQUEUE_PI:
    if ((i32)val < 0 || (i32)val2 < 0 || (uaddr2 & 3)) return -EINVAL;
    return futex_cmp_requeue_pi(uaddr, uaddr2, val, val2, val3, is_private);
  default: return -ENOSYS;
  }
}

/* ---- the calls of Linux 5.16 and 6.7: flags say size and sharing ---- */
static int flags_check(u32 flags) {
  if (flags & ~(u32)(FUTEX2_SIZE_MASK | FUTEX2_PRIVATE)) return -EINVAL;
  return (flags & FUTEX2_SIZE_MASK) == FUTEX2_SIZE_U32 ? 0 : -EINVAL;
}
static int clock_deadline(uaddr_t timeout, i32 clockid, u64 *deadline) {
  if (timeout && clockid != CLOCK_MONOTONIC && clockid != CLOCK_REALTIME) return -EINVAL;
  return futex_deadline(timeout, true, clockid == CLOCK_REALTIME, deadline);
}
static int words_in(struct futex_word *words, uaddr_t from, u32 count) {
  for (u32 i = 0; i < count; i++) {
    struct guest_futex_waitv w;
    if (COPY_IN(w, from + i * sizeof w)) return -EFAULT;
    if (flags_check(w.flags) || w.reserved || (w.uaddr & 3) || w.val > UINT32_MAX) return -EINVAL;
    words[i] = (struct futex_word){w.uaddr, (u32)w.val, w.flags & FUTEX2_PRIVATE};
  }
  return 0;
}

i64 sys_futex_waitv(uaddr_t waiters, u32 nr_futexes, u32 flags, uaddr_t timeout, i32 clockid) {
  u64 deadline;
  if (flags || !nr_futexes || nr_futexes > FUTEX_WAITV_MAX || !waiters) return -EINVAL;
  i64 r = clock_deadline(timeout, clockid, &deadline);
  if (r) return r;
  struct futex_word *words AUTO_KFREE = kmalloc(nr_futexes * sizeof *words);
  if (!words) return -ENOMEM;
  if ((r = words_in(words, waiters, nr_futexes))) return r;
  r = futex_wait_any(words, nr_futexes, deadline);
  return r == -ERESTARTSYS && deadline != WAIT_FOREVER ? -EINTR : r;
}
i64 sys_futex_wait(uaddr_t uaddr, u64 val, u64 mask, u32 flags, uaddr_t timeout, i32 clockid) {
  u64 deadline;
  i64 r = flags_check(flags);
  if (!r && (val > UINT32_MAX || mask > UINT32_MAX || (uaddr & 3))) r = -EINVAL;
  if (!r) r = clock_deadline(timeout, clockid, &deadline);
  if (r) return r;
  r = futex_wait(uaddr, (u32)val, (u32)mask, flags & FUTEX2_PRIVATE, deadline);
  return r == -ERESTARTSYS && deadline != WAIT_FOREVER ? -EINTR : r;
}
i64 sys_futex_wake(uaddr_t uaddr, u64 mask, i32 nr, u32 flags) {
  if (flags_check(flags) || mask > UINT32_MAX || (uaddr & 3)) return -EINVAL;
  return nr <= 0 ? 0 : futex_wake(uaddr, (u32)nr, (u32)mask, flags & FUTEX2_PRIVATE);
}
i64 sys_futex_requeue(uaddr_t waiters, u32 flags, i32 nr_wake, i32 nr_requeue) {
  struct futex_word w[2];
  if (flags || !waiters || nr_wake < 0 || nr_requeue < 0) return -EINVAL;
  int r = words_in(w, waiters, 2);
  if (r) return r;
  return futex_requeue(w[0].addr, w[1].addr, (u32)nr_wake, (u32)nr_requeue, &w[0].value, w[0].is_private, w[1].is_private);
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
