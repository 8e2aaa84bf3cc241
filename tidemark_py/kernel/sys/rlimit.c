/* sys/rlimit: getrlimit(2), setrlimit(2), prlimit(2). Kept per process; who allocates honours them. */
#include "sys.h"

static i64 limit_change(struct process *p, u32 resource, uaddr_t new_limit, uaddr_t old_limit) {
  if (resource >= RLIM_NLIMITS) return -EINVAL;
  struct rlimit64 *l = &p->limits[resource];
  struct guest_rlimit next, old = {.rlim_cur = l->cur, .rlim_max = l->max};
  if (new_limit) {
    if (COPY_IN(next, new_limit)) return -EFAULT;
    if (next.rlim_cur > next.rlim_max) return -EINVAL;
    if (next.rlim_max > l->max && !credentials_capable(&current->process->cred, CAP_SYS_RESOURCE)) return -EPERM;
    if (resource == RLIMIT_NOFILE && next.rlim_max > FD_LIMIT_HARD) return -EPERM;
  }
  if (old_limit && COPY_OUT(old_limit, old)) return -EFAULT;
  if (!new_limit) return 0;
  l->cur = next.rlim_cur, l->max = next.rlim_max;
  return 0;
}

i64 sys_getrlimit(u32 resource, uaddr_t rlim) { return limit_change(current->process, resource, 0, rlim); }
i64 sys_setrlimit(u32 resource, uaddr_t rlim) {
  return rlim ? limit_change(current->process, resource, rlim, 0) : -EFAULT;
}
i64 sys_prlimit64(i32 pid, u32 resource, uaddr_t new_limit, uaddr_t old_limit) {
  struct process *p = process_of(pid);
  if (!p) return -ESRCH;
  const struct credentials *me = &current->process->cred, *it = &p->cred;
  bool same = me->uid == it->euid && me->uid == it->suid && me->uid == it->uid && me->gid == it->egid &&
              me->gid == it->sgid && me->gid == it->gid;
  if (p != current->process && !same && !credentials_capable(me, CAP_SYS_RESOURCE)) return -EPERM;
  return limit_change(p, resource, new_limit, old_limit);
}
