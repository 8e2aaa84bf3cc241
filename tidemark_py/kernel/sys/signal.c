/* sys/signal: kill(2), tgkill(2), sigaction(2), sigprocmask(2), sigpending(2), sigsuspend(2), sigtimedwait(2),
 * sigqueue(3), sigaltstack(2), sigreturn(2). Thin handlers over task/signal.c. */
#include "event.h"
#include "sys.h"

static int kill_one(struct process *p, i32 sig) {
  int r = signal_permission(p, sig);
  struct signal_info info;
  signal_info_user(&info, sig, SI_USER);
  return r ? r : signal_process(p, sig, &info);
}

i64 sys_kill(i32 pid, i32 sig) {
  if (sig < 0 || sig > NSIG) return -EINVAL;
  if (pid > 0) {
    struct process *p = process_of(pid);
    return p ? kill_one(p, sig) : -ESRCH;
  }
  if (pid == INT32_MIN) return -ESRCH;
  i32 pgid = pid == 0 ? current->process->pgid : -pid;
  int r = -ESRCH;
  bool any = false;
  /* the caller last: what kills it must not keep it from reaching the others */
  for (u32 i = 0; i < MAX_PROCESSES; i++) {
    struct process *p = &processes[i];
    if (p->state == PROCESS_FREE || p->pid == 1) continue;
    if (pid == -1 ? p == current->process : p->pgid != pgid) continue;
    int e = kill_one(p, sig);
    if (!e) any = true;
    else if (r != -EPERM) r = e;
  }
  return any ? 0 : r;
}

static i64 kill_thread(i32 tgid, i32 tid, i32 sig, struct signal_info *info) {
  if (tid <= 0 || sig < 0 || sig > NSIG) return -EINVAL;
  struct thread *t = thread_find(tid);
  if (!t || (tgid && t->process->pid != tgid)) return -ESRCH;
  int r = signal_permission(t->process, sig);
  return r || !sig ? r : signal_thread(t, sig, info);
}
i64 sys_tkill(i32 tid, i32 sig) {
  struct signal_info info;
  signal_info_user(&info, sig, SI_TKILL);
  return kill_thread(0, tid, sig, &info);
}
i64 sys_tgkill(i32 tgid, i32 tid, i32 sig) {
  struct signal_info info;
  if (tgid <= 0) return -EINVAL;
  signal_info_user(&info, sig, SI_TKILL);
  return kill_thread(tgid, tid, sig, &info);
}

static int queue_info(uaddr_t from, i32 sig, i32 pid, struct signal_info *info) {
  struct guest_siginfo g;
  if (COPY_IN(g, from)) return -EFAULT;
  g.si_signo = sig;
  signal_info_from_guest(&g, info);
  /* nobody passes for the kernel or for kill(2) but towards itself */
  if ((info->code >= 0 || info->code == SI_TKILL) && pid != current->process->pid) return -EPERM;
  return 0;
}
i64 sys_rt_sigqueueinfo(i32 pid, i32 sig, uaddr_t from) {
  struct signal_info info;
  int r = queue_info(from, sig, pid, &info);
  if (r) return r;
  struct process *p = process_find(pid);
  if (!p) return -ESRCH;
  r = signal_permission(p, sig);
  return r ? r : signal_process(p, sig, &info);
}
i64 sys_rt_tgsigqueueinfo(i32 tgid, i32 tid, i32 sig, uaddr_t from) {
  struct signal_info info;
  if (tgid <= 0) return -EINVAL;
  int r = queue_info(from, sig, tgid, &info);
  return r ? r : kill_thread(tgid, tid, sig, &info);
}

i64 sys_rt_sigaction(i32 signum, uaddr_t act, uaddr_t oldact, u64 sigsetsize) {
  if (sigsetsize != 8 || signum < 1 || signum > NSIG) return -EINVAL;
  if (act && (signum == SIGKILL || signum == SIGSTOP)) return -EINVAL;
  struct process *p = current->process;
  struct guest_sigaction g;
  struct signal_action *a = &p->actions->action[signum - 1], next = *a;
  if (act) {
    if (COPY_IN(g, act)) return -EFAULT;
    next = (struct signal_action){.handler = g.handler, .flags = g.flags & ~(u64)SA_UNSUPPORTED,
                                  .mask = g.mask & ~(SIGBIT(SIGKILL) | SIGBIT(SIGSTOP))};
  }
  g = (struct guest_sigaction){.handler = a->handler, .flags = a->flags, .mask = a->mask};
  if (oldact && COPY_OUT(oldact, g)) return -EFAULT;
  if (act) {
    *a = next;
    signal_flush_ignored(p, signum);
  }
  return 0;
}

i64 sys_rt_sigprocmask(i32 how, uaddr_t set, uaddr_t oldset, u64 sigsetsize) {
  if (sigsetsize != 8) return -EINVAL;
  sigset_bits old = current->blocked, given = 0;
  if (set) {
    if (COPY_IN(given, set)) return -EFAULT;
    if (how != SIG_BLOCK && how != SIG_UNBLOCK && how != SIG_SETMASK) return -EINVAL;
  }
  if (set) signal_set_blocked(current, how == SIG_BLOCK ? old | given : how == SIG_UNBLOCK ? old & ~given : given);
  return oldset ? COPY_OUT(oldset, old) : 0;
}

i64 sys_rt_sigpending(uaddr_t set, u64 sigsetsize) {
  if (sigsetsize > 8) return -EINVAL;
  sigset_bits pending = (current->pending.set | current->process->pending.set) & current->blocked;
  return copy_out(set, &pending, sigsetsize);
}

i64 sys_rt_sigsuspend(uaddr_t mask, u64 sigsetsize) {
  sigset_bits m;
  if (sigsetsize != 8) return -EINVAL;
  if (COPY_IN(m, mask)) return -EFAULT;
  current->saved_blocked = current->blocked;
  signal_set_blocked(current, m);
  int r;
  do r = wait_park(WAIT_FOREVER);
  while (r == 0);
  current->restore_blocked = true;
  return r == -ERESTARTSYS ? -ERESTARTNOHAND : r;
}

i64 sys_rt_sigtimedwait(uaddr_t set, uaddr_t info, uaddr_t timeout, u64 sigsetsize) {
  sigset_bits wanted;
  u64 deadline;
  if (sigsetsize != 8) return -EINVAL;
  if (COPY_IN(wanted, set)) return -EFAULT;
  wanted &= ~(SIGBIT(SIGKILL) | SIGBIT(SIGSTOP));
  int r = deadline_in(timeout, &deadline);
  if (r) return r;
  struct thread *t = current;
  struct signal_info got;
  i32 signo = signal_dequeue(t, wanted, &got);
  if (!signo && deadline) {
    /* while it waits they count as unblocked, so that a sender wakes this thread for them */
    sigset_bits old = t->blocked;
    t->real_blocked = old;
    t->blocked &= ~wanted;
    do {
      r = wait_park(deadline);
      signo = signal_dequeue(t, wanted, &got);
    } while (!signo && r == 0);
    t->real_blocked = 0;
    signal_set_blocked(t, old);
  } else r = -ETIMEDOUT;
  if (!signo) return r == -ETIMEDOUT ? -EAGAIN : -EINTR;
  struct guest_siginfo g;
  signal_info_to_guest(&got, &g);
  return info && COPY_OUT(info, g) ? -EFAULT : signo;
}

i64 sys_rt_sigreturn(void) {
  if (signal_return(current)) signal_force(current, SIGSEGV, 0x80, 0);
  return -ENORESULT;
}

i64 sys_sigaltstack(uaddr_t ss, uaddr_t old_ss) {
  struct guest_stack_t now, next;
  u64 sp = current->process->host ? 0 : cpu_x(current->regblock, 2);
  signal_altstack_get(current, sp, &now);
  if (ss) {
    if (COPY_IN(next, ss)) return -EFAULT;
    int r = signal_altstack_set(current, sp, &next);
    if (r) return r;
  }
  return old_ss ? COPY_OUT(old_ss, now) : 0;
}
