/* sys/pidfd: pidfd_open(2), pidfd_send_signal(2). The description itself is in task/pidfd.c.
 * Missing: PIDFD_THREAD and the scopes of pidfd_send_signal (EINVAL). */
#include "event.h"
#include "files.h"

#include "../procfs/proc.h"

i64 sys_pidfd_open(i32 pid, u32 flags) {
  if (flags & ~(u32)PIDFD_NONBLOCK || pid <= 0) return -EINVAL;
  struct process *p = process_find(pid);
  if (!p) return thread_find(pid) ? -EINVAL : -ESRCH;
  struct ofd *f;
  int r = pidfd_new(p, flags & PIDFD_NONBLOCK ? O_NONBLOCK : 0, &f);
  return r ? r : install_new_ofd(f, true);
}

i64 sys_pidfd_send_signal(i32 pidfd, i32 sig, uaddr_t from, u32 flags) {
  if (flags) return -EINVAL;
  struct ofd *f AUTO_OFD = ofd_hold(pidfd);
  struct process *p = NULL;
  int r = pidfd_process(f, &p);
  i32 pid = r == -EBADF && f ? proc_pid_of(f) : 0; /* Linux takes a directory /proc/PID as well */
  if (pid) r = (p = process_find(pid)) ? 0 : -ESRCH;
  if (r == -EBADF) return r;
  struct signal_info info;
  signal_info_user(&info, sig, SI_USER);
  if (from) {
    struct guest_siginfo g;
    if (COPY_IN(g, from)) return -EFAULT;
    if (g.si_signo != sig) return -EINVAL;
    signal_info_from_guest(&g, &info);
    /* nobody passes for the kernel or for kill(2) but towards itself */
    if ((info.code >= 0 || info.code == SI_TKILL) && p != current->process) return -EPERM;
  }
  if (r) return r;
  if (sig < 0 || sig > NSIG) return -EINVAL;
  r = signal_permission(p, sig);
  return r ? r : signal_process(p, sig, &info);
}
