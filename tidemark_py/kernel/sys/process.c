/* sys/process: clone, exit, wait, groups and sessions: clone(2), wait4(2), waitid(2), setpgid(2), setsid(2), prctl(2).
 * execve is in sys/exec.c. Thin handlers over task/. */
#include "sys.h"

struct process *process_of(i32 pid) {
  if (!pid) return current->process;
  struct process *p = process_find(pid);
  if (p) return p;
  struct thread *t = thread_find(pid);
  return t ? t->process : NULL;
}

i64 sys_clone(u64 flags, u64 stack, uaddr_t parent_tid, u64 tls, uaddr_t child_tid) {
  /* the low byte is the exit signal; CLONE_PIDFD uses parent_tid's word */
  if ((flags & CLONE_PIDFD) && (flags & CLONE_PARENT_SETTID)) return -EINVAL;
  i32 signo = (i32)(flags & CSIGNAL);
  if (signo > NSIG) return -EINVAL;
  return task_clone((u32)flags & ~(u64)CSIGNAL, stack, parent_tid, child_tid, tls, signo, parent_tid);
}

i64 sys_clone3(uaddr_t args, u64 size) {
  struct guest_clone_args a = {0};
  if (size < 64) return -EINVAL;
  if (size > PAGE_BYTES) return -E2BIG;
  if (copy_in(&a, args, MIN(size, sizeof a))) return -EFAULT;
  for (u64 at = sizeof a; at < size; at += 8) {
    u64 word = 0;
    if (copy_in(&word, args + at, MIN(8ull, size - at))) return -EFAULT;
    if (word) return -E2BIG;
  }
  if (a.flags & ~0x3ffffffffull || a.flags & (CLONE_DETACHED | CSIGNAL)) return -EINVAL;
  if (a.exit_signal > NSIG || a.set_tid_size || a.set_tid) return -EINVAL;
  if ((a.flags & (CLONE_THREAD | CLONE_PARENT)) && a.exit_signal) return -EINVAL;
  if (!a.stack != !a.stack_size) return -EINVAL;
  return task_clone(a.flags, a.stack ? a.stack + a.stack_size : 0, a.parent_tid, a.child_tid, a.tls, (i32)a.exit_signal,
                    a.pidfd);
}

i64 sys_unshare(u64 flags) {
  const u64 namespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |
                         CLONE_NEWNET | CLONE_NEWTIME;
  struct process *p = current->process;
  if (flags & namespaces) return -EPERM;
  if (flags & ~(u64)(CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_VM | CLONE_THREAD | CLONE_SYSVSEM)) return -EINVAL;
  if ((flags & (CLONE_SIGHAND | CLONE_VM | CLONE_THREAD)) && p->thread_count > 1) return -EINVAL;
  if ((flags & CLONE_FS) && p->fs->refs > 1) {
    struct fs_context *own = fs_context_copy(p->fs);
    if (!own) return -ENOMEM;
    fs_context_put(p->fs);
    p->fs = own;
  }
  if ((flags & CLONE_FILES) && p->fds->refs > 1) {
    struct fd_table *own = fd_table_copy(p->fds);
    if (!own) return -ENOMEM;
    fd_table_put(p->fds);
    p->fds = own;
  }
  return 0;
}

i64 sys_exit(i32 status) {
  task_exit_thread(status & 0xff);
  return -ENORESULT;
}
i64 sys_exit_group(i32 status) {
  task_exit_group((status & 0xff) << 8);
  return -ENORESULT;
}

i64 sys_set_tid_address(uaddr_t tidptr) {
  current->clear_child_tid = tidptr;
  return current->tid;
}

/* ---- waiting ---- */
void rusage_of(struct guest_rusage *out, u64 user_ns, u32 faults) {
  *out = (struct guest_rusage){.ru_minflt = faults};
  out->ru_utime.tv_sec = (i64)(user_ns / NS_PER_S), out->ru_utime.tv_usec = (i64)(user_ns % NS_PER_S / 1000);
}

static int rusage_out(uaddr_t to, u64 user_ns) {
  struct guest_rusage u;
  rusage_of(&u, user_ns, 0);
  return to ? COPY_OUT(to, u) : 0;
}

i64 sys_wait4(i32 pid, uaddr_t wstatus, u32 options, uaddr_t rusage) {
  if (options & ~(WNOHANG | WUNTRACED | WCONTINUED | __WNOTHREAD | __WALL | __WCLONE)) return -EINVAL;
  if (pid == INT32_MIN) return -ESRCH;
  struct wait_result r;
  i32 idtype = pid == -1 ? P_ALL : pid > 0 ? P_PID : P_PGID;
  i64 found = task_wait(idtype, pid > 0 ? pid : pid == -1 ? 0 : -pid, options | WEXITED, &r);
  if (found <= 0) return found;
  if (wstatus && COPY_OUT(wstatus, r.status)) return -EFAULT;
  return rusage_out(rusage, r.utime_ns) ? -EFAULT : found;
}

i64 sys_waitid(i32 idtype, i32 id, uaddr_t infop, u32 options, uaddr_t rusage) {
  if (options & ~(WNOHANG | WNOWAIT | WEXITED | WSTOPPED | WCONTINUED | __WNOTHREAD | __WALL | __WCLONE)) return -EINVAL;
  if (!(options & (WEXITED | WSTOPPED | WCONTINUED))) return -EINVAL;
  bool nonblock = false;
  if (idtype == P_PIDFD) {
    if (id < 0) return -EINVAL;
    struct ofd *f = fd_get(current->process->fds, id);
    struct process *p;
    int e = pidfd_process(f, &p);
    if (e) return e == -ESRCH ? -ECHILD : e;
    nonblock = (f->flags & O_NONBLOCK) && !(options & WNOHANG);
    if (nonblock) options |= WNOHANG;
    idtype = P_PID, id = p->pid;
  }
  if (idtype < P_ALL || idtype > P_PGID || (idtype == P_PID && id <= 0) || (idtype == P_PGID && id < 0)) return -EINVAL;
  struct wait_result r = {0};
  i64 found = task_wait(idtype, id, options, &r);
  if (!found && nonblock) return -EAGAIN;
  if (found < 0) return found;
  struct guest_siginfo_chld info = {0};
  if (found > 0) {
    info.si_signo = SIGCHLD, info.si_code = r.code, info.si_pid = r.pid, info.si_uid = r.uid;
    i32 s = r.status;
    info.si_status = r.code == CLD_EXITED      ? (s >> 8) & 0xff
                     : r.code == CLD_STOPPED   ? (s >> 8) & 0xff
                     : r.code == CLD_TRAPPED   ? s >> 8
                     : r.code == CLD_CONTINUED ? SIGCONT
                                               : s & 0x7f;
    if (rusage_out(rusage, r.utime_ns)) return -EFAULT;
  }
  return infop && COPY_OUT(infop, info) ? -EFAULT : 0;
}

/* ---- groups and sessions ---- */
static bool group_exists_in(i32 pgid, i32 sid) {
  for (u32 i = 0; i < MAX_PROCESSES; i++)
    if (processes[i].state != PROCESS_FREE && processes[i].pgid == pgid && processes[i].sid == sid) return true;
  return false;
}

i64 sys_setpgid(i32 pid, i32 pgid) {
  struct process *self = current->process, *p = pid ? process_find(pid) : self;
  if (pgid < 0) return -EINVAL;
  if (!p || (p != self && p->parent != self)) return -ESRCH;
  if (p != self && p->sid != self->sid) return -EPERM;
  if (p != self && p->execed) return -EACCES;
  if (p->sid == p->pid) return -EPERM;
  if (!pgid) pgid = p->pid;
  if (pgid != p->pid && !group_exists_in(pgid, self->sid)) return -EPERM;
  process_set_group(p, pgid);
  return 0;
}
i64 sys_getpgid(i32 pid) {
  struct process *p = process_of(pid);
  return p ? p->pgid : -ESRCH;
}
i64 sys_getsid(i32 pid) {
  struct process *p = process_of(pid);
  return p ? p->sid : -ESRCH;
}
i64 sys_vhangup(void) {
  if (!credentials_capable(&current->process->cred, CAP_SYS_TTY_CONFIG)) return -EPERM;
  if (current->process->tty) tty_hang_up(current->process->tty);
  return 0;
}

i64 sys_setsid(void) {
  struct process *p = current->process;
  if (p->pgid == p->pid) return -EPERM;
  for (u32 i = 0; i < MAX_PROCESSES; i++)
    if (processes[i].state != PROCESS_FREE && processes[i].pgid == p->pid) return -EPERM;
  process_set_session(p, p->pid), process_set_group(p, p->pid);
  if (p->tty) tty_put(p->tty);
  p->tty = NULL;
  return p->pid;
}

/* ---- prctl ---- */
i64 sys_prctl(i32 option, u64 arg2, u64 arg3, u64 arg4, u64 arg5) {
  struct process *p = current->process;
  switch (option) {
  case PR_SET_NAME: {
    char name[16] = {0};
    i64 n = strncpy_in(name, arg2, sizeof name);
    if (n == -EFAULT) return -EFAULT;
    name[15] = 0;
    memset(current->name, 0, sizeof current->name);
    memcpy(current->name, name, strlen(name));
    if (current->tid == p->pid) memcpy(p->name, current->name, sizeof p->name);
    return 0;
  }
  case PR_GET_NAME: return copy_out(arg2, current->name, sizeof current->name);
  case PR_SET_PDEATHSIG:
    if (arg2 > NSIG) return -EINVAL;
    p->parent_death_signal = (i32)arg2;
    return 0;
  case PR_GET_PDEATHSIG: return COPY_OUT(arg2, p->parent_death_signal);
  case PR_GET_DUMPABLE: return (i64)p->dumpable;
  case PR_SET_DUMPABLE:
    if (arg2 > 1) return -EINVAL;
    p->dumpable = (u32)arg2;
    return 0;
  case PR_SET_NO_NEW_PRIVS:
    if (arg2 != 1 || arg3 || arg4 || arg5) return -EINVAL;
    p->no_new_privs = 1;
    return 0;
  case PR_GET_NO_NEW_PRIVS: return arg2 || arg3 || arg4 || arg5 ? -EINVAL : (i64)p->no_new_privs;
  case PR_SET_CHILD_SUBREAPER: p->subreaper = arg2 != 0; return 0;
  case PR_GET_CHILD_SUBREAPER: {
    i32 v = p->subreaper;
    return COPY_OUT(arg2, v);
  }
  case PR_SET_TIMERSLACK: p->timer_slack_ns = arg2 ? (u32)arg2 : 50000; return 0;
  case PR_GET_TIMERSLACK: return (i64)p->timer_slack_ns;
  case PR_SET_KEEPCAPS:
  case PR_GET_KEEPCAPS:
  case PR_SET_SECUREBITS:
  case PR_GET_SECUREBITS:
  case PR_CAPBSET_READ:
  case PR_CAPBSET_DROP:
  case PR_CAP_AMBIENT: return capability_prctl(option, arg2, arg3, arg4, arg5);
  case PR_GET_SECCOMP: return 0;
  case PR_GET_TID_ADDRESS: return COPY_OUT(arg2, current->clear_child_tid);
  case PR_GET_THP_DISABLE: return 0;
  case PR_SET_THP_DISABLE: return 0;
  case PR_SET_VMA: return arg2 == PR_SET_VMA_ANON_NAME ? 0 : -EINVAL;
  case PR_SET_PTRACER: return 0;
  case PR_RISCV_SET_ICACHE_FLUSH_CTX: return 0;
  default: return -EINVAL;
  }
}

i64 sys_personality(u32 persona) {
  struct process *p = current->process;
  u32 old = p->personality;
  if (persona != UINT32_MAX && (persona & 0xff)) return -EINVAL; /* PER_LINUX with its flag bits */
  if (persona != UINT32_MAX) p->personality = persona;
  return (i64)old;
}
