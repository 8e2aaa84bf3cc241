/* wasi/poll: poll_oneoff: clocks and descriptors at once (witx subscription, event), on ppoll's own machinery. */
#include "wasi.h"

#include "../ipc/ipc.h"

#define SUBSCRIPTIONS_MOST 4096u

struct subscription { /* witx */
  u64 userdata;
  u8 tag, pad[7];
  union {
    struct {
      u32 id, pad;
      u64 timeout, precision;
      u16 flags, pad2[3];
    } clock;
    u32 fd;
  };
};
struct event { /* witx */
  u64 userdata;
  u16 error;
  u8 type, pad[5];
  u64 bytes;
  u16 flags, pad2[3];
};
_Static_assert(sizeof(struct subscription) == 48 && sizeof(struct event) == 32, "poll_oneoff");

struct look {
  struct subscription *subs;
  struct poll_fd *fds; /* one per subscription; fd -1 for clocks and what failed at once */
  u64 *deadline;       /* CLOCK_MONOTONIC; of clocks */
  u16 *error;
  u32 count;
};

static u64 after(u64 now, u64 ns) { return ns > WAIT_FOREVER - 1 - now ? WAIT_FOREVER - 1 : now + ns; }

/* The clock's deadline on CLOCK_MONOTONIC. */
static int clock_deadline(const struct subscription *s, u64 now, u64 *deadline) {
  bool absolute = s->clock.flags & WASI_SUBCLOCK_ABSTIME;
  if (s->clock.flags > 1) return -EINVAL;
  if (s->clock.id > WASI_CLOCKID_MONOTONIC) return s->clock.id > WASI_CLOCKID_THREAD_CPUTIME ? -EINVAL : -EOPNOTSUPP;
  if (!absolute) *deadline = after(now, s->clock.timeout);
  else if (s->clock.id == WASI_CLOCKID_MONOTONIC) *deadline = s->clock.timeout;
  else {
    u64 real = time_realtime_ns();
    *deadline = s->clock.timeout > real ? after(now, s->clock.timeout - real) : now;
  }
  return 0;
}

/* Returns how many failed at once; *first: the earliest deadline. */
static u32 prepare(struct look *l, u64 *first) {
  u32 failed = 0;
  u64 now = time_monotonic_ns();
  for (u32 i = 0; i < l->count; i++) {
    const struct subscription *s = &l->subs[i];
    int r = 0;
    l->fds[i] = (struct poll_fd){.fd = -1};
    if (s->tag == WASI_EVENTTYPE_CLOCK) {
      r = clock_deadline(s, now, &l->deadline[i]);
      if (!r) *first = MIN(*first, l->deadline[i]);
    } else if (s->tag > WASI_EVENTTYPE_FD_WRITE) r = -EINVAL;
    else if (!fd_get(current->process->fds, (i32)s->fd)) r = -EBADF;
    else l->fds[i] = (struct poll_fd){.fd = (i32)s->fd, .events = s->tag == WASI_EVENTTYPE_FD_READ ? POLLIN : POLLOUT};
    l->error[i] = (u16)wasi_errno(r);
    failed += r != 0;
  }
  return failed;
}

static u64 readable_bytes(u32 fd) {
  const struct ofd *f = fd_get(current->process->fds, (i32)fd);
  if (!f || !f->inode || !S_ISREG(f->inode->mode)) return 1;
  return f->inode->size - MIN(f->pos, f->inode->size);
}

/* Writes what has happened to `out`; returns how many events, or -EFAULT. */
static i64 report(const struct look *l, u32 out) {
  u64 now = time_monotonic_ns();
  u32 n = 0;
  for (u32 i = 0; i < l->count; i++) {
    const struct subscription *s = &l->subs[i];
    struct event e = {.userdata = s->userdata, .type = s->tag, .error = l->error[i]};
    if (!e.error && s->tag == WASI_EVENTTYPE_CLOCK) {
      if (l->deadline[i] > now) continue;
    } else if (!e.error) {
      u32 ready = l->fds[i].revents;
      if (!ready) continue;
      if (ready & POLLHUP) e.flags = WASI_EVENTRWFLAGS_HANGUP;
      e.bytes = s->tag == WASI_EVENTTYPE_FD_READ ? readable_bytes(s->fd) : 1;
    }
    if (copy_out(out + (u64)n * sizeof e, &e, sizeof e)) return -EFAULT;
    n++;
  }
  return n;
}

i64 wasi_do_poll_oneoff(u32 in, u32 out, u32 count, u32 nevents) {
  if (!count || count > SUBSCRIPTIONS_MOST) return -EINVAL;
  if (access_prepare(out, (size_t)count * sizeof(struct event), ACCESS_W)) return -EFAULT;
  size_t each = sizeof(struct subscription) + sizeof(struct poll_fd) + sizeof(u64) + sizeof(u16);
  AUTO_KFREE u8 *memory = kzalloc(count * each);
  if (!memory) return -ENOMEM;
  struct look l = {.subs = (void *)memory, .count = count};
  l.deadline = (void *)(memory + count * sizeof(struct subscription));
  l.fds = (void *)(l.deadline + count);
  l.error = (void *)(l.fds + count);
  if (copy_in(l.subs, in, count * sizeof(struct subscription))) return -EFAULT;
  u64 first = WAIT_FOREVER;
  u32 failed = prepare(&l, &first);
  struct thread *t = current;
  /* made again after a stop: the time that has passed counts */
  if (t->restart_deadline_ns) first = MIN(first, t->restart_deadline_ns);
  for (u32 i = 0; t->restart_deadline_ns && i < count; i++) l.deadline[i] = MIN(l.deadline[i], t->restart_deadline_ns);
  i64 r = poll_fds(t->process->fds, l.fds, count, failed || first <= time_monotonic_ns() ? 0 : first);
  bool again = r <= -ERESTARTSYS && r >= -ERESTART_RESTARTBLOCK;
  t->restart_deadline_ns = again && first != WAIT_FOREVER ? first : 0;
  if (r < 0) return r;
  r = report(&l, out);
  return r < 0 ? r : wasi_out32(nevents, (u32)r);
}
