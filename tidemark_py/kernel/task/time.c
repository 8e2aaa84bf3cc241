/* time: clocks, interval timers, POSIX timers: clock_gettime(2), setitimer(2), timer_create(2).
 *
 * Timers are looked at by the run loop (every budget while one is armed) and by parked threads, whose sleep ends at the
 * process's next deadline. Processor time is wall time less the time parked. Lock held, but for the clocks. */
#include "task.h"

u64 time_monotonic_ns(void) { return host_monotonic_ns(); }
u64 time_realtime_ns(void) { return host_realtime_ns(); }

u64 time_clock_ns(i32 clock, int *error) {
  *error = 0;
  switch (clock) {
  case CLOCK_REALTIME:
  case CLOCK_REALTIME_COARSE:
  case CLOCK_REALTIME_ALARM:
  case CLOCK_TAI: return host_realtime_ns();
  case CLOCK_MONOTONIC:
  case CLOCK_MONOTONIC_RAW:
  case CLOCK_MONOTONIC_COARSE:
  case CLOCK_BOOTTIME_ALARM:
  case CLOCK_BOOTTIME: return host_monotonic_ns();
  case CLOCK_THREAD_CPUTIME_ID: return thread_cpu_ns(current);
  default: break;
  }
  /* processor clocks: own or, as clock_getcpuclockid(3) makes them, ~pid << 3 | kind, bit 2 for a thread */
  bool locked = kernel_lock_held();
  u64 ns = 0;
  if (!locked) kernel_lock();
  if (clock == CLOCK_PROCESS_CPUTIME_ID) ns = process_cpu_ns(current->process);
  else if (clock < 0 && (clock & 3) != 3) {
    i32 id = ~(clock >> 3);
    struct thread *t = clock & 4 ? (id ? thread_find(id) : current) : NULL;
    struct process *p = clock & 4 ? NULL : id ? process_find(id) : current->process;
    if (t && t->process == current->process) ns = thread_cpu_ns(t);
    else if (p) ns = process_cpu_ns(p);
    else *error = -EINVAL;
  } else *error = -EINVAL;
  if (!locked) kernel_unlock();
  return ns;
}

u64 process_next_deadline(const struct process *p) {
  u64 next = p->real_timer.deadline_ns ? p->real_timer.deadline_ns : WAIT_FOREVER;
  for (const struct list *l = p->posix_timers.next; l != &p->posix_timers; l = l->next) {
    u64 at = CONTAINER_OF(l, const struct posix_timer, link)->timer.deadline_ns;
    if (at && at < next) next = at;
  }
  return next;
}

void time_timers_changed(struct process *p) {
  bool armed = p->virtual_timer.deadline_ns || p->prof_timer.deadline_ns || process_next_deadline(p) != WAIT_FOREVER;
  __atomic_store_n(&p->timers_armed, armed, __ATOMIC_SEQ_CST);
}

/* How often t has fired by `now`; moves its deadline on. */
static u64 timer_expiries(struct itimer *t, u64 now) {
  if (!t->deadline_ns || now < t->deadline_ns) return 0;
  if (!t->interval_ns) {
    t->deadline_ns = 0;
    return 1;
  }
  u64 n = (now - t->deadline_ns) / t->interval_ns + 1;
  t->deadline_ns += n * t->interval_ns;
  return n;
}

static void posix_timer_fire(struct process *p, struct posix_timer *t, u64 n) {
  if (t->notify == SIGEV_NONE) return;
  if (t->queued) {
    t->overrun = (i32)MIN((u64)INT32_MAX, (u64)t->overrun + n);
    return;
  }
  t->overrun = (i32)MIN((u64)INT32_MAX, n - 1);
  struct signal_info info = {.signo = t->signo, .code = SI_TIMER, .timer_id = t->id, .value = t->value};
  struct thread *to = t->notify & SIGEV_THREAD_ID ? thread_find(t->tid) : NULL;
  if ((t->notify & SIGEV_THREAD_ID) && (!to || to->process != p)) return;
  t->queued = true;
  if (to) signal_thread(to, t->signo, &info);
  else signal_process(p, t->signo, &info);
  /* an ignored signal is not queued: the next expiry tries again */
  sigset_bits pending = p->pending.set | (to ? to->pending.set : 0);
  if (!(pending & SIGBIT(t->signo))) t->queued = false;
}

void process_run_timers(struct process *p) {
  ASSERT_LOCKED();
  if (!p->timers_armed || p->state == PROCESS_ZOMBIE) return;
  u64 now = time_monotonic_ns();
  if (timer_expiries(&p->real_timer, now)) signal_process(p, SIGALRM, NULL);
  if (p->virtual_timer.deadline_ns || p->prof_timer.deadline_ns) {
    u64 used = process_cpu_ns(p);
    if (timer_expiries(&p->virtual_timer, used)) signal_process(p, SIGVTALRM, NULL);
    if (timer_expiries(&p->prof_timer, used)) signal_process(p, SIGPROF, NULL);
  }
  LIST_FOR(t, &p->posix_timers, struct posix_timer, link) {
    u64 clock_now = t->clock == CLOCK_PROCESS_CPUTIME_ID || t->clock == CLOCK_THREAD_CPUTIME_ID ? process_cpu_ns(p) : now;
    u64 n = timer_expiries(&t->timer, clock_now);
    if (n) posix_timer_fire(p, t, n);
  }
  time_timers_changed(p);
}

void posix_timers_free(struct process *p) {
  LIST_FOR(t, &p->posix_timers, struct posix_timer, link) {
    list_remove(&t->link);
    kfree(t);
  }
  time_timers_changed(p);
}
