/* sys/poll: ppoll(2) and pselect6(2); riscv64 has no poll or select call. Both write the time left back, as Linux does,
 * so that a restarted call waits no longer than asked. Signal masks: epoll_pwait (sys/event.c) uses the same helpers. */
#include "../gen/syscalls.h"
#include "../ipc/ipc.h"
#include "event.h"

int deadline_in(uaddr_t timespec, u64 *deadline_ns) {
  *deadline_ns = WAIT_FOREVER;
  if (!timespec) return 0;
  struct guest_timespec ts;
  if (COPY_IN(ts, timespec)) return -EFAULT;
  if (ts.tv_sec < 0 || ts.tv_nsec < 0 || ts.tv_nsec >= 1000000000) return -EINVAL;
  u64 now = time_monotonic_ns();
  if (!ts.tv_sec && !ts.tv_nsec)
    *deadline_ns = 0;
  else if ((u64)ts.tv_sec < (WAIT_FOREVER - now) / 1000000000u - 1)
    *deadline_ns = now + (u64)ts.tv_sec * 1000000000u + (u64)ts.tv_nsec;
  return 0;
}

/* The time left goes back to the caller; an unwritable timeout is no error. */
static void time_left_out(uaddr_t timespec, u64 deadline_ns) {
  if (!timespec || deadline_ns == WAIT_FOREVER) return;
  u64 now = time_monotonic_ns(), left = deadline_ns > now ? deadline_ns - now : 0;
  struct guest_timespec ts = {.tv_sec = (i64)(left / 1000000000u), .tv_nsec = (i64)(left % 1000000000u)};
  (void)COPY_OUT(timespec, ts);
}

int wait_mask_begin(uaddr_t sigmask, u64 bytes) {
  if (!sigmask) return 0;
  sigset_bits mask;
  if (bytes != sizeof mask) return -EINVAL;
  if (COPY_IN(mask, sigmask)) return -EFAULT;
  current->saved_blocked = current->blocked;
  signal_set_blocked(current, mask & ~(SIGBIT(SIGKILL) | SIGBIT(SIGSTOP)));
  return 1;
}

void wait_mask_end(int begun, i64 result) {
  if (begun <= 0) return;
  if (result == -ERESTARTNOHAND || result == -EINTR)
    current->restore_blocked = true; /* the handler runs under the temporary mask; its frame keeps the old one */
  else
    signal_set_blocked(current, current->saved_blocked);
}

i64 sys_ppoll(uaddr_t fds, u32 nfds, uaddr_t timeout, uaddr_t sigmask, u64 sigsetsize) {
  u64 deadline;
  int r = deadline_in(timeout, &deadline);
  if (r) return r;
  if (nfds > current->process->limits[RLIMIT_NOFILE].cur || nfds > FD_LIMIT_HARD) return -EINVAL;
  struct poll_fd few[16], *list = nfds <= ARRAY_LEN(few) ? few : kmalloc(nfds * sizeof *list);
  if (!list) return -ENOMEM;
  _Static_assert(sizeof(struct poll_fd) == sizeof(struct guest_pollfd), "pollfd");
  i64 result;
  if (copy_in(list, fds, nfds * sizeof *list) || access_prepare(fds, nfds * sizeof *list, ACCESS_W)) {
    result = -EFAULT;
  } else {
    int begun = wait_mask_begin(sigmask, sigsetsize);
    result = begun < 0 ? begun : poll_fds(current->process->fds, list, nfds, deadline);
    wait_mask_end(begun, result);
    if (result >= 0 && copy_out(fds, list, nfds * sizeof *list)) result = -EFAULT;
    time_left_out(timeout, deadline);
  }
  if (list != few) kfree(list);
  return result;
}

#define SELECT_IN (POLLIN | POLLRDNORM | POLLRDBAND | POLLHUP | POLLERR)
#define SELECT_OUT (POLLOUT | POLLWRNORM | POLLWRBAND | POLLERR)
#define SELECT_EXCEPT POLLPRI
static const u32 select_events[3] = {SELECT_IN, SELECT_OUT, SELECT_EXCEPT};

/* sets: 3 bit maps of `words` u64 each. Returns descriptors found, or -errno. */
static i64 select_collect(const u64 *sets, u32 nfds, u32 words, struct poll_fd *list) {
  u32 count = 0;
  for (u32 fd = 0; fd < nfds; fd++) {
    u32 events = 0;
    for (u32 s = 0; s < 3; s++)
      if (sets[s * words + fd / 64] >> (fd % 64) & 1) events |= select_events[s];
    if (!events) continue;
    if (!fd_get(current->process->fds, (int)fd)) return -EBADF;
    list[count++] = (struct poll_fd){.fd = (i32)fd, .events = (u16)events};
  }
  return count;
}

static i64 select_report(u64 *sets, u32 words, const struct poll_fd *list, u32 count) {
  u64 asked[3];
  i64 bits = 0;
  for (u32 i = 0; i < count; i++) {
    u32 fd = (u32)list[i].fd;
    for (u32 s = 0; s < 3; s++) {
      u64 *word = &sets[s * words + fd / 64], bit = 1ull << (fd % 64);
      asked[s] = *word & bit;
      if (!asked[s]) continue;
      if (list[i].revents & select_events[s] || (list[i].revents & POLLNVAL && s == 0))
        bits++;
      else
        *word &= ~bit;
    }
  }
  return bits;
}

i64 sys_pselect6(i32 nfds, uaddr_t readfds, uaddr_t writefds, uaddr_t exceptfds, uaddr_t timeout, uaddr_t sigmask) {
  u64 deadline;
  int r = deadline_in(timeout, &deadline);
  if (r) return r;
  if (nfds < 0) return -EINVAL;
  struct guest_sigset_argpack pack = {0};
  if (sigmask && COPY_IN(pack, sigmask)) return -EFAULT;
  u32 count = MIN((u32)nfds, current->process->fds->capacity), words = (count + 63) / 64, bytes = words * 8;
  uaddr_t from[3] = {readfds, writefds, exceptfds};
  AUTO_KFREE u64 *sets = kzalloc(3 * bytes + 8);
  AUTO_KFREE struct poll_fd *list = kmalloc(count * sizeof *list + 8);
  if (!sets || !list) return -ENOMEM;
  for (u32 s = 0; s < 3; s++)
    if (from[s] && (copy_in(sets + s * words, from[s], bytes) || access_prepare(from[s], bytes, ACCESS_W))) return -EFAULT;
  i64 found = select_collect(sets, count, words, list);
  if (found < 0) return found;
  int begun = wait_mask_begin(pack.sigmask, pack.size);
  i64 result = begun < 0 ? begun : poll_fds(current->process->fds, list, (u32)found, deadline);
  wait_mask_end(begun, result);
  if (result >= 0) {
    result = select_report(sets, words, list, (u32)found);
    for (u32 s = 0; s < 3; s++)
      if (from[s] && copy_out(from[s], sets + s * words, bytes)) result = -EFAULT;
  }
  time_left_out(timeout, deadline);
  return result;
}
