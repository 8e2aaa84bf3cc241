/* sys/time: clocks, sleeping, interval and POSIX timers: clock_gettime(2), nanosleep(2), clock_nanosleep(2),
 * getitimer(2), timer_create(2), times(2), getrusage(2). */
#include "sys.h"

i64 futex_wait_again(void); /* sys/futex.c: the one other call with a saved deadline */

static struct guest_timespec timespec_of(u64 ns) {
  return (struct guest_timespec){.tv_sec = (i64)(ns / NS_PER_S), .tv_nsec = (i64)(ns % NS_PER_S)};
}
static struct guest_timeval timeval_of(u64 ns) {
  return (struct guest_timeval){.tv_sec = (i64)(ns / NS_PER_S), .tv_usec = (i64)(ns % NS_PER_S / 1000)};
}
/* Nanoseconds of a valid timespec (~292 years at most), or -EINVAL. */
static i64 timespec_ns(const struct guest_timespec *ts) {
  if (ts->tv_sec < 0 || ts->tv_nsec < 0 || ts->tv_nsec >= (i64)NS_PER_S) return -EINVAL;
  if (ts->tv_sec >= INT64_MAX / (i64)NS_PER_S) return INT64_MAX;
  return ts->tv_sec * (i64)NS_PER_S + ts->tv_nsec;
}

/* ---- clocks: without the lock; what they write is brought in under it by copy_out's slow path ---- */
static int put_unlocked(uaddr_t to, const void *from, size_t bytes) {
  kernel_lock();
  int r = copy_out(to, from, bytes);
  kernel_unlock();
  return r;
}
/* Two aligned words into a writable page, lock-free; else the long way. */
static int put_words(uaddr_t to, u64 a, u64 b) {
  bool direct = !(to & 7) && to < mm_current->max_guest_bytes - 16 && (to & (PAGE_BYTES - 1)) <= PAGE_BYTES - 16 &&
                !mm_current->all_resident && (guest_perm((u32)(to >> PAGE_SHIFT)) & PERM_W);
  if (LIKELY(direct)) {
    guest_st64((u32)to, a), guest_st64((u32)to + 8, b);
    return 0;
  }
  u64 words[2] = {a, b};
  return put_unlocked(to, words, sizeof words);
}

i64 sys_clock_gettime(i32 clockid, uaddr_t tp) {
  int error;
  u64 ns = time_clock_ns(clockid, &error);
  if (error) return error;
  u64 sec = ns / NS_PER_S;
  return put_words(tp, sec, ns - sec * NS_PER_S);
}
i64 sys_gettimeofday(uaddr_t tv, uaddr_t tz) {
  u64 ns = time_realtime_ns(), zero = 0;
  if (tv && put_words(tv, ns / NS_PER_S, ns % NS_PER_S / 1000)) return -EFAULT;
  return tz ? put_unlocked(tz, &zero, sizeof zero) : 0;
}
i64 sys_clock_getres(i32 clockid, uaddr_t res) {
  int error;
  time_clock_ns(clockid, &error);
  if (error) return error;
  bool coarse = clockid == CLOCK_REALTIME_COARSE || clockid == CLOCK_MONOTONIC_COARSE;
  return res ? put_words(res, 0, coarse ? 4000000 : 1) : 0;
}
i64 sys_clock_settime(i32 clockid, UNUSED uaddr_t tp) { return clockid == CLOCK_REALTIME ? -EPERM : -EINVAL; }
i64 sys_settimeofday(UNUSED uaddr_t tv, UNUSED uaddr_t tz) { return -EPERM; }

/* ---- sleeping ---- */
static i64 sleep_until(u64 deadline, uaddr_t rem, bool absolute) {
  int r;
  do r = wait_park(deadline);
  while (r == 0);
  if (r == -ETIMEDOUT) return 0;
  if (r != -ERESTARTSYS) return r;
  if (absolute) return -ERESTARTNOHAND;
  u64 now = time_monotonic_ns();
  struct guest_timespec left = timespec_of(deadline > now ? deadline - now : 0);
  if (rem && COPY_OUT(rem, left)) return -EFAULT;
  current->restart_nr = SYS_clock_nanosleep;
  current->restart_deadline_ns = deadline;
  current->restart_args[0] = rem;
  return -ERESTART_RESTARTBLOCK;
}

static i64 sleep_for(i32 clock, bool absolute, uaddr_t request, uaddr_t rem) {
  struct guest_timespec ts;
  if (COPY_IN(ts, request)) return -EFAULT;
  i64 ns = timespec_ns(&ts);
  if (ns < 0) return ns;
  int error;
  u64 clock_now = time_clock_ns(clock, &error), now = time_monotonic_ns();
  if (error) return error;
  u64 deadline = absolute ? (u64)ns > clock_now ? now + ((u64)ns - clock_now) : 0 : now + (u64)ns;
  if (deadline < now && (absolute || !ns)) return 0;
  return sleep_until(deadline, rem, absolute);
}

i64 sys_nanosleep(uaddr_t req, uaddr_t rem) { return sleep_for(CLOCK_MONOTONIC, false, req, rem); }
i64 sys_clock_nanosleep(i32 clockid, u32 flags, uaddr_t request, uaddr_t remain) {
  if (clockid == CLOCK_THREAD_CPUTIME_ID) return -EINVAL;
  if (clockid < 0 || clockid > CLOCK_TAI || clockid == 10 || clockid == CLOCK_MONOTONIC_RAW ||
      clockid == CLOCK_REALTIME_COARSE || clockid == CLOCK_MONOTONIC_COARSE)
    return clockid == CLOCK_MONOTONIC_RAW || clockid == CLOCK_REALTIME_COARSE || clockid == CLOCK_MONOTONIC_COARSE
             ? -EOPNOTSUPP
             : -EINVAL;
  return sleep_for(clockid, flags & TIMER_ABSTIME, request, remain);
}
i64 sys_restart_syscall(void) {
  switch (current->restart_nr) {
  case SYS_clock_nanosleep:
    return sleep_until(current->restart_deadline_ns, current->restart_args[0], false);
  case SYS_futex: return futex_wait_again();
  default: return -EINTR;
  }
}

/* ---- interval timers ---- */
static struct itimer *itimer_of(i32 which, u64 *now) {
  struct process *p = current->process;
  *now = which == ITIMER_REAL ? time_monotonic_ns() : process_cpu_ns(p);
  return which == ITIMER_REAL      ? &p->real_timer
         : which == ITIMER_VIRTUAL ? &p->virtual_timer
         : which == ITIMER_PROF    ? &p->prof_timer
                                   : NULL;
}
static u64 time_left(const struct itimer *t, u64 now) {
  return !t->deadline_ns ? 0 : t->deadline_ns > now ? t->deadline_ns - now : 1000;
}
i64 sys_getitimer(i32 which, uaddr_t curr_value) {
  u64 now;
  const struct itimer *t = itimer_of(which, &now);
  if (!t) return -EINVAL;
  struct guest_itimerval v = {.it_interval = timeval_of(t->interval_ns), .it_value = timeval_of(time_left(t, now))};
  return COPY_OUT(curr_value, v);
}
static bool timeval_bad(const struct guest_timeval *tv) {
  return tv->tv_sec < 0 || tv->tv_usec < 0 || tv->tv_usec >= 1000000;
}
static u64 timeval_ns(const struct guest_timeval *tv) {
  u64 most = (u64)INT64_MAX / NS_PER_S / 2;
  return MIN((u64)tv->tv_sec, most) * NS_PER_S + (u64)tv->tv_usec * 1000;
}
i64 sys_setitimer(i32 which, uaddr_t new_value, uaddr_t old_value) {
  u64 now;
  struct itimer *t = itimer_of(which, &now), old;
  struct guest_itimerval v = {0};
  if (!t) return -EINVAL;
  if (new_value && COPY_IN(v, new_value)) return -EFAULT;
  if (timeval_bad(&v.it_value) || timeval_bad(&v.it_interval)) return -EINVAL;
  old = *t;
  u64 in = timeval_ns(&v.it_value);
  t->deadline_ns = in ? now + in : 0;
  t->interval_ns = timeval_ns(&v.it_interval);
  time_timers_changed(current->process);
  v = (struct guest_itimerval){.it_interval = timeval_of(old.interval_ns), .it_value = timeval_of(time_left(&old, now))};
  return old_value ? COPY_OUT(old_value, v) : 0;
}

/* ---- POSIX timers ---- */
static struct posix_timer *timer_of(i32 id) {
  LIST_FOR(t, &current->process->posix_timers, struct posix_timer, link) if (t->id == id) return t;
  return NULL;
}
static bool is_cpu_clock(i32 clock) { return clock == CLOCK_PROCESS_CPUTIME_ID || clock == CLOCK_THREAD_CPUTIME_ID; }

i64 sys_timer_create(i32 clockid, uaddr_t sevp, uaddr_t timerid) {
  int error;
  struct guest_sigevent ev = {.sigev_signo = SIGALRM, .sigev_notify = SIGEV_SIGNAL};
  time_clock_ns(clockid, &error);
  if (error || clockid < 0) return -EINVAL;
  if (sevp && COPY_IN(ev, sevp)) return -EFAULT;
  bool to_thread = ev.sigev_notify == (SIGEV_SIGNAL | SIGEV_THREAD_ID);
  if (ev.sigev_notify != SIGEV_SIGNAL && ev.sigev_notify != SIGEV_NONE && !to_thread) return -EINVAL;
  if (ev.sigev_notify != SIGEV_NONE && (ev.sigev_signo < 1 || ev.sigev_signo > NSIG)) return -EINVAL;
  struct thread *to = to_thread ? thread_find(ev.sigev_tid) : NULL;
  if (to_thread && (!to || to->process != current->process)) return -EINVAL;
  struct process *p = current->process;
  struct posix_timer *t = kzalloc(sizeof *t);
  if (!t) return -EAGAIN;
  t->id = p->next_timer_id++;
  t->clock = clockid, t->signo = ev.sigev_signo, t->notify = ev.sigev_notify, t->tid = ev.sigev_tid;
  t->value = sevp ? ev.sigev_value : (u64)t->id;
  if (COPY_OUT(timerid, t->id)) {
    kfree(t);
    return -EFAULT;
  }
  list_add_tail(&p->posix_timers, &t->link);
  return 0;
}

static struct guest_itimerspec timer_value(const struct posix_timer *t) {
  u64 now = is_cpu_clock(t->clock) ? process_cpu_ns(current->process) : time_monotonic_ns();
  return (struct guest_itimerspec){.it_interval = timespec_of(t->timer.interval_ns),
                                   .it_value = timespec_of(time_left(&t->timer, now))};
}
i64 sys_timer_gettime(i32 timerid, uaddr_t curr_value) {
  struct posix_timer *t = timer_of(timerid);
  if (!t) return -EINVAL;
  struct guest_itimerspec v = timer_value(t);
  return COPY_OUT(curr_value, v);
}
i64 sys_timer_getoverrun(i32 timerid) {
  struct posix_timer *t = timer_of(timerid);
  return t ? t->overrun_last : -EINVAL;
}
i64 sys_timer_settime(i32 timerid, u32 flags, uaddr_t new_value, uaddr_t old_value) {
  struct posix_timer *t = timer_of(timerid);
  struct guest_itimerspec v;
  if (!t || !new_value) return -EINVAL;
  if (COPY_IN(v, new_value)) return -EFAULT;
  i64 in = timespec_ns(&v.it_value), interval = timespec_ns(&v.it_interval);
  if (in < 0 || interval < 0) return -EINVAL;
  v = timer_value(t);
  if (old_value && COPY_OUT(old_value, v)) return -EFAULT;
  int error;
  u64 clock_now = time_clock_ns(is_cpu_clock(t->clock) ? CLOCK_PROCESS_CPUTIME_ID : t->clock, &error);
  u64 now = is_cpu_clock(t->clock) ? clock_now : time_monotonic_ns();
  if ((flags & TIMER_ABSTIME) && in) in = (u64)in > clock_now ? (i64)((u64)in - clock_now) : 1;
  t->timer = (struct itimer){.deadline_ns = in ? now + (u64)in : 0, .interval_ns = (u64)interval};
  t->overrun = t->overrun_last = 0;
  time_timers_changed(current->process);
  return 0;
}
i64 sys_timer_delete(i32 timerid) {
  struct posix_timer *t = timer_of(timerid);
  if (!t) return -EINVAL;
  list_remove(&t->link);
  kfree(t);
  time_timers_changed(current->process);
  return 0;
}

/* ---- use of time ---- */
i64 sys_times(uaddr_t buf) {
  const struct process *p = current->process;
  const u64 tick = NS_PER_S / 100;
  struct guest_tms t = {.tms_utime = (i64)(process_cpu_ns(p) / tick), .tms_cutime = (i64)(p->child_utime_ns / tick)};
  if (buf && COPY_OUT(buf, t)) return -EFAULT;
  return (i64)(time_monotonic_ns() / tick);
}
i64 sys_getrusage(i32 who, uaddr_t usage) {
  const struct process *p = current->process;
  struct guest_rusage u;
  if (who == RUSAGE_SELF) rusage_of(&u, process_cpu_ns(p), p->page_faults);
  else if (who == RUSAGE_CHILDREN) rusage_of(&u, p->child_utime_ns, 0);
  else if (who == RUSAGE_THREAD) rusage_of(&u, thread_cpu_ns(current), 0);
  else return -EINVAL;
  if (who == RUSAGE_SELF && p->mm) u.ru_maxrss = p->mm->resident_pages * 4;
  return COPY_OUT(usage, u);
}
