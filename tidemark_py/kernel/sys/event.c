/* sys/event: epoll_create1(2), epoll_ctl(2), epoll_wait(2), eventfd(2), timerfd_create(2). */
#include "event.h"
#include "../gen/syscalls.h"
#include "../ipc/ipc.h"

i64 install_new_ofd(struct ofd *f, bool cloexec) {
  u32 limit = (u32)MIN(current->process->limits[RLIMIT_NOFILE].cur, FD_LIMIT_HARD);
  int fd = fd_install(current->process->fds, f, 0, limit, cloexec);
  if (fd < 0) ofd_put(f);
  return fd;
}

i64 sys_epoll_create1(u32 flags) {
  struct ofd *f;
  if (flags & ~(u32)EPOLL_CLOEXEC) return -EINVAL;
  int r = epoll_new(&f);
  return r ? r : install_new_ofd(f, flags & EPOLL_CLOEXEC);
}

i64 sys_epoll_ctl(i32 epfd, i32 op, i32 fd, uaddr_t event) {
  struct guest_epoll_event e = {0};
  if (op != EPOLL_CTL_DEL && COPY_IN(e, event)) return -EFAULT;
  struct fd_table *t = current->process->fds;
  struct ofd *ep = fd_get(t, epfd), *target = fd_get(t, fd);
  if (!ep || !target || ((ep->flags | target->flags) & O_PATH)) return -EBADF;
  return epoll_control(ep, op, fd, target, e.events, e.data);
}

static i64 wait_masked(i32 epfd, uaddr_t events, i32 max, u64 deadline, uaddr_t sigmask, u64 sigsetsize) {
  struct ofd *ep = fd_get(current->process->fds, epfd);
  if (!ep || (ep->flags & O_PATH)) return -EBADF;
  ofd_get(ep); /* another thread may close it meanwhile */
  int begun = wait_mask_begin(sigmask, sigsetsize);
  i64 r = begun < 0 ? begun : epoll_wait_events(ep, events, max, deadline);
  wait_mask_end(begun, r);
  ofd_put(ep);
  return r;
}

i64 sys_epoll_pwait(i32 epfd, uaddr_t events, i32 maxevents, i32 timeout_ms, uaddr_t sigmask, u64 sigsetsize) {
  u64 deadline = timeout_ms < 0 ? WAIT_FOREVER : !timeout_ms ? 0 : time_monotonic_ns() + (u64)timeout_ms * 1000000u;
  return wait_masked(epfd, events, maxevents, deadline, sigmask, sigsetsize);
}

i64 sys_epoll_pwait2(i32 epfd, uaddr_t events, i32 maxevents, uaddr_t timeout, uaddr_t sigmask, u64 sigsetsize) {
  u64 deadline;
  int r = deadline_in(timeout, &deadline);
  return r ? r : wait_masked(epfd, events, maxevents, deadline, sigmask, sigsetsize);
}

i64 sys_eventfd2(u32 initial, u32 flags) {
  struct ofd *f;
  if (flags & ~(u32)(EFD_SEMAPHORE | EFD_CLOEXEC | EFD_NONBLOCK)) return -EINVAL;
  int r = eventfd_new(initial, flags, &f);
  return r ? r : install_new_ofd(f, flags & EFD_CLOEXEC);
}

/* ---- timerfd ---- */
i64 sys_timerfd_create(i32 clockid, u32 flags) {
  struct ofd *f;
  if (flags & ~(u32)(TFD_CLOEXEC | TFD_NONBLOCK)) return -EINVAL;
  switch (clockid) {
    case CLOCK_REALTIME:
    case CLOCK_MONOTONIC:
    case CLOCK_BOOTTIME:
    case CLOCK_REALTIME_ALARM:
    case CLOCK_BOOTTIME_ALARM: break;
    default: return -EINVAL;
  }
  int r = timerfd_new(clockid, flags, &f);
  return r ? r : install_new_ofd(f, flags & TFD_CLOEXEC);
}

static bool time_valid(const struct guest_timespec *ts) {
  return ts->tv_sec >= 0 && ts->tv_nsec >= 0 && ts->tv_nsec < 1000000000;
}
static u64 to_ns(const struct guest_timespec *ts) {
  u64 most = (u64)1 << 62; /* 146 years: sums stay in range */
  return (u64)ts->tv_sec >= most / NS_PER_S ? most : (u64)ts->tv_sec * NS_PER_S + (u64)ts->tv_nsec;
}
static struct guest_timespec from_ns(u64 ns) {
  return (struct guest_timespec){.tv_sec = (i64)(ns / NS_PER_S), .tv_nsec = (i64)(ns % NS_PER_S)};
}

i64 sys_timerfd_gettime(i32 fd, uaddr_t curr_value) {
  struct ofd *f = fd_get(current->process->fds, fd);
  u64 left, interval;
  int clock, r = f && !(f->flags & O_PATH) ? timerfd_get(f, &left, &interval, &clock) : -EBADF;
  if (r) return r;
  struct guest_itimerspec now = {.it_interval = from_ns(interval), .it_value = from_ns(left)};
  return COPY_OUT(curr_value, now);
}

i64 sys_timerfd_settime(i32 fd, u32 flags, uaddr_t new_value, uaddr_t old_value) {
  struct guest_itimerspec next, old;
  if (COPY_IN(next, new_value)) return -EFAULT;
  if (flags & ~(u32)(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET)) return -EINVAL;
  if (!time_valid(&next.it_value) || !time_valid(&next.it_interval)) return -EINVAL;
  struct ofd *f = fd_get(current->process->fds, fd);
  u64 left, interval;
  int clock, r = f && !(f->flags & O_PATH) ? timerfd_get(f, &left, &interval, &clock) : -EBADF;
  if (r) return r;
  old = (struct guest_itimerspec){.it_interval = from_ns(interval), .it_value = from_ns(left)};
  u64 value = to_ns(&next.it_value), now = time_monotonic_ns();
  if (value) {
    if (!(flags & TFD_TIMER_ABSTIME)) {
      value += now;
    } else if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_ALARM) {
      u64 wall = time_realtime_ns();
      value = value > wall ? now + (value - wall) : MAX(now, 1u);
    }
  }
  if ((r = timerfd_set(f, value, to_ns(&next.it_interval)))) return r;
  return old_value ? COPY_OUT(old_value, old) : 0;
}
