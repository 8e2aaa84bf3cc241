/* sys/misc: what the machine says of itself, and scheduling that has no effect: uname(2), sysinfo(2), getrandom(2),
 * sched_setscheduler(2) and family, getpriority(2), getcpu(2), riscv_hwprobe(2), membarrier(2). */
#include "../task/uts.h"
#include "../task/uts.h"
#include "sys.h"

#define PROCESSORS 2u /* what sched_getaffinity shows; /proc/cpuinfo agrees (procfs) */
#define MEMORY_TOTAL_BYTES (2ull << 30)

i64 sys_uname(uaddr_t buf) {
  struct guest_utsname u = {.sysname = UTS_SYSNAME, .release = UTS_RELEASE, .version = UTS_VERSION, .machine = UTS_MACHINE};
  memcpy(u.nodename, uts_nodename, sizeof uts_nodename);
  memcpy(u.domainname, uts_domainname, sizeof uts_domainname);
  return COPY_OUT(buf, u);
}
static i64 name_set(char *name, uaddr_t from, i32 len) {
  char next[65] = {0};
  if (!credentials_capable(&current->process->cred, CAP_SYS_ADMIN)) return -EPERM;
  if (len < 0 || len > 64) return -EINVAL;
  if (copy_in(next, from, (size_t)len)) return -EFAULT;
  memcpy(name, next, sizeof next);
  return 0;
}
i64 sys_sethostname(uaddr_t name, i32 len) { return name_set(uts_nodename, name, len); }
i64 sys_setdomainname(uaddr_t name, i32 len) { return name_set(uts_domainname, name, len); }

i64 sys_sysinfo(uaddr_t info) {
  u64 used = kheap_used_bytes();
  for (u32 i = 0; i < MAX_PROCESSES; i++)
    if (processes[i].mm && processes[i].state != PROCESS_FREE) used += (u64)processes[i].mm->resident_pages * PAGE_BYTES;
  struct guest_sysinfo s = {.uptime = (i64)(time_monotonic_ns() / NS_PER_S), .totalram = MEMORY_TOTAL_BYTES,
                            .freeram = used < MEMORY_TOTAL_BYTES ? MEMORY_TOTAL_BYTES - used : 0,
                            .procs = (u16)counters.threads, .mem_unit = 1};
  return COPY_OUT(info, s);
}

i64 sys_getrandom(uaddr_t buf, u64 buflen, u32 flags) {
  if (flags & ~(u32)(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE)) return -EINVAL;
  if ((flags & (GRND_RANDOM | GRND_INSECURE)) == (GRND_RANDOM | GRND_INSECURE)) return -EINVAL;
  u8 chunk[256];
  u64 done = 0, want = MIN(buflen, 33554431ull);
  while (done < want) {
    u32 n = (u32)MIN(want - done, sizeof chunk);
    host_random(chunk, n);
    if (copy_out(buf + done, chunk, n)) return done ? (i64)done : -EFAULT;
    done += n;
  }
  return (i64)done;
}

/* ---- processors ---- */
i64 sys_getcpu(uaddr_t cpu, uaddr_t node, UNUSED uaddr_t unused) {
  u32 number = instance_id % PROCESSORS, zero = 0;
  kernel_lock();
  i64 r = (cpu && COPY_OUT(cpu, number)) || (node && COPY_OUT(node, zero)) ? -EFAULT : 0;
  kernel_unlock();
  return r;
}
i64 sys_sched_yield(void) { return 0; }

i64 sys_sched_getaffinity(i32 pid, u32 cpusetsize, uaddr_t mask) {
  const struct thread *t = pid ? thread_find(pid) : current;
  u64 bits = (1ull << PROCESSORS) - 1;
  if (pid < 0 || cpusetsize < sizeof bits || cpusetsize & 7) return -EINVAL;
  if (!t) return -ESRCH;
  bits &= t->affinity;
  return COPY_OUT(mask, bits) ? -EFAULT : (i64)sizeof bits;
}
i64 sys_sched_setaffinity(i32 pid, u32 cpusetsize, uaddr_t mask) {
  struct thread *t = pid ? thread_find(pid) : current;
  u64 bits = 0;
  if (pid < 0) return -EINVAL;
  if (!t) return -ESRCH;
  if (copy_in(&bits, mask, MIN(cpusetsize, (u32)sizeof bits))) return -EFAULT;
  if (!(bits & ((1ull << PROCESSORS) - 1))) return -EINVAL;
  if (signal_permission(t->process, SIGKILL)) return -EPERM; /* the same rule: whose process it is */
  t->affinity = bits;
  return 0;
}

/* ---- scheduling: SCHED_OTHER for all ---- */
static bool policy_known(i32 policy) {
  return policy == SCHED_NORMAL || policy == SCHED_FIFO || policy == SCHED_RR || policy == SCHED_BATCH ||
         policy == SCHED_IDLE || policy == SCHED_DEADLINE;
}
i64 sys_sched_get_priority_max(i32 policy) {
  return !policy_known(policy) ? -EINVAL : policy == SCHED_FIFO || policy == SCHED_RR ? 99 : 0;
}
i64 sys_sched_get_priority_min(i32 policy) {
  return !policy_known(policy) ? -EINVAL : policy == SCHED_FIFO || policy == SCHED_RR ? 1 : 0;
}
i64 sys_sched_getscheduler(i32 pid) { return pid < 0 ? -EINVAL : process_of(pid) ? SCHED_NORMAL : -ESRCH; }
i64 sys_sched_getparam(i32 pid, uaddr_t param) {
  struct guest_sched_param p = {0};
  if (pid < 0 || !param) return -EINVAL;
  return process_of(pid) ? COPY_OUT(param, p) : -ESRCH;
}
static i64 param_check(i32 pid, i32 policy, uaddr_t param) {
  struct guest_sched_param p;
  if (pid < 0 || !param) return -EINVAL;
  if (!process_of(pid)) return -ESRCH;
  if (COPY_IN(p, param)) return -EFAULT;
  if (policy == SCHED_FIFO || policy == SCHED_RR) return p.sched_priority < 1 || p.sched_priority > 99 ? -EINVAL : -EPERM;
  if (policy != SCHED_NORMAL && policy != SCHED_BATCH && policy != SCHED_IDLE) return -EINVAL;
  return p.sched_priority ? -EINVAL : 0;
}
i64 sys_sched_setparam(i32 pid, uaddr_t param) { return param_check(pid, SCHED_NORMAL, param); }
i64 sys_sched_setscheduler(i32 pid, i32 policy, uaddr_t param) {
  return param_check(pid, policy & ~0x40000000, param); /* SCHED_RESET_ON_FORK has nothing to reset */
}
i64 sys_sched_rr_get_interval(i32 pid, uaddr_t tp) {
  struct guest_timespec ts = {.tv_nsec = 4000000};
  if (pid < 0) return -EINVAL;
  return process_of(pid) ? COPY_OUT(tp, ts) : -ESRCH;
}

/* struct sched_attr of sched_setattr(2) in its first size; later fields, the utilisation clamps, must not be asked for. */
#define SCHED_ATTR_SIZE_VER0 48u
i64 sys_sched_getattr(i32 pid, uaddr_t attr, u32 size, u32 flags) {
  struct process *p = pid < 0 ? NULL : process_of(pid);
  if (pid < 0 || !attr || flags || size < SCHED_ATTR_SIZE_VER0 || size > PAGE_BYTES) return -EINVAL;
  if (!p) return -ESRCH;
  struct guest_sched_attr a = {.size = MIN(size, (u32)sizeof a), .sched_policy = SCHED_NORMAL, .sched_nice = p->nice};
  return copy_out(attr, &a, a.size);
}
i64 sys_sched_setattr(i32 pid, uaddr_t attr, u32 flags) {
  struct guest_sched_attr a = {0};
  struct process *p = pid < 0 ? NULL : process_of(pid);
  if (pid < 0 || !attr || flags) return -EINVAL;
  if (COPY_IN(a.size, attr)) return -EFAULT;
  if (!a.size) a.size = SCHED_ATTR_SIZE_VER0;
  if (a.size < SCHED_ATTR_SIZE_VER0 || a.size > PAGE_BYTES) return -E2BIG;
  if (copy_in(&a, attr, MIN(a.size, (u32)sizeof a))) return -EFAULT;
  if (!p) return -ESRCH;
  if (a.sched_policy == SCHED_FIFO || a.sched_policy == SCHED_RR)
    return a.sched_priority < 1 || a.sched_priority > 99 ? -EINVAL : -EPERM;
  if (a.sched_policy == SCHED_DEADLINE) return -EPERM;
  if (a.sched_policy != SCHED_NORMAL && a.sched_policy != SCHED_BATCH && a.sched_policy != SCHED_IDLE) return -EINVAL;
  if (a.sched_priority || (a.sched_flags & ~1ull)) return -EINVAL; /* SCHED_FLAG_RESET_ON_FORK */
  i32 nice = MAX(-20, MIN(19, a.sched_nice));
  if (nice < p->nice && !credentials_capable(&current->process->cred, CAP_SYS_NICE)) return -EPERM;
  p->nice = nice;
  return 0;
}

/* Calls fn for what which/who name; -ESRCH when nothing. The best (lowest) nice comes back in *nice. */
static i64 priority_each(i32 which, i32 who, const i32 *set, i32 *nice) {
  struct process *self = current->process;
  if (which < PRIO_PROCESS || which > PRIO_USER) return -EINVAL;
  i64 r = -ESRCH;
  for (u32 i = 0; i < MAX_PROCESSES; i++) {
    struct process *p = &processes[i];
    if (p->state == PROCESS_FREE) continue;
    bool match = which == PRIO_PROCESS ? p == process_of(who)
                 : which == PRIO_PGRP  ? p->pgid == (who ? who : self->pgid)
                                       : p->cred.uid == (who ? (u32)who : self->cred.uid);
    if (!match) continue;
    if (r == -ESRCH) r = 0, *nice = p->nice;
    *nice = MIN(*nice, p->nice);
    if (!set) continue;
    bool nice_capable = credentials_capable(&self->cred, CAP_SYS_NICE);
    if (!nice_capable && self->cred.euid != p->cred.uid && self->cred.euid != p->cred.euid) r = -EPERM;
    else if (!nice_capable && *set < p->nice) r = -EACCES;
    else p->nice = *set;
  }
  return r;
}
i64 sys_getpriority(i32 which, i32 who) {
  i32 nice = 0;
  i64 r = priority_each(which, who, NULL, &nice);
  return r ? r : 20 - nice;
}
i64 sys_setpriority(i32 which, i32 who, i32 prio) {
  i32 nice, value = MAX(-20, MIN(19, prio));
  return priority_each(which, who, &value, &nice);
}

/* ---- riscv_hwprobe(2) ---- */
i64 sys_riscv_hwprobe(uaddr_t pairs, u64 pair_count, u64 cpusetsize, uaddr_t cpus, u32 flags) {
  if (flags || (cpusetsize && !cpus)) return -EINVAL;
  for (u64 i = 0; i < pair_count; i++) {
    struct guest_riscv_hwprobe pair;
    if (COPY_IN(pair, pairs + i * sizeof pair)) return -EFAULT;
    switch (pair.key) {
    case 0: case 1: case 2: pair.value = 0; break; /* vendor, architecture, implementation */
    case 3: pair.value = 1; break;                 /* base behaviour: IMA */
    case 4: pair.value = 3; break;                 /* F and D, C */
    case 5: pair.value = 3; break;                 /* misaligned scalar accesses: fast */
    case 7: pair.value = GUEST_MAX_BYTES; break;   /* highest virtual address */
    default: pair.key = -1, pair.value = 0; break;
    }
    if (COPY_OUT(pairs + i * sizeof pair, pair)) return -EFAULT;
  }
  return 0;
}

/* Plain stores of other threads cannot be ordered from here: no command is offered, which callers know to live with. */
i64 sys_membarrier(i32 cmd, u32 flags, UNUSED i32 cpu_id) { return cmd == MEMBARRIER_CMD_QUERY && !flags ? 0 : -EINVAL; }
