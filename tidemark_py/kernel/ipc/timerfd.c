/* timerfd: a timer behind a description (timerfd_create(2)). Nothing runs when it expires: whoever looks (a read, a
 * poll, an epoll_wait with the deadline that poll reported) counts the expiries then and wakes the others.
 * Called by sys/event.c. Missing: TFD_TIMER_CANCEL_ON_SET (the wall clock is never set here); a host_watch on a timerfd
 * does not fire by time. */
#include "ipc.h"

struct timerfd {
  int clock;
  u64 deadline_ns, interval_ns, expiries; /* deadline 0: off; CLOCK_MONOTONIC */
  struct wait_queue wait;
};

static void timerfd_update(struct timerfd *t) {
  u64 now = host_monotonic_ns();
  if (!t->deadline_ns || now < t->deadline_ns) return;
  u64 n = 1;
  if (t->interval_ns) n += (now - t->deadline_ns) / t->interval_ns;
  t->deadline_ns = t->interval_ns ? t->deadline_ns + n * t->interval_ns : 0;
  bool edge = !t->expiries; /* no further one until it is read, as in Linux */
  t->expiries += n;
  if (edge) wait_wake(&t->wait, POLLIN | POLLRDNORM);
}

static i64 timerfd_read(struct ofd *f, struct iobuf *io, UNUSED u64 *pos) {
  struct timerfd *t = f->priv;
  if (io->left < sizeof(u64)) return -EINVAL;
  for (timerfd_update(t); !t->expiries; timerfd_update(t)) {
    if (f->flags & O_NONBLOCK) return -EAGAIN;
    int r = wait_on(&t->wait, t->deadline_ns ? t->deadline_ns : WAIT_FOREVER);
    if (r && r != -ETIMEDOUT) return r;
  }
  i64 n = iobuf_write(io, &t->expiries, sizeof t->expiries);
  if (n == (i64)sizeof t->expiries) t->expiries = 0;
  return n;
}

static u32 timerfd_poll(struct ofd *f, struct poll_table *pt) {
  struct timerfd *t = f->priv;
  timerfd_update(t);
  poll_wait(pt, &t->wait);
  poll_deadline(pt, t->deadline_ns && !t->expiries ? t->deadline_ns : WAIT_FOREVER);
  return t->expiries ? POLLIN | POLLRDNORM : 0;
}

static void timerfd_release(struct ofd *f) { kfree(f->priv); }
static const char *timerfd_link_text(UNUSED struct ofd *f, UNUSED char *buf, UNUSED u32 bytes) { return "anon_inode:[timerfd]"; }

static const struct ofd_ops timerfd_ops = {
    .read = timerfd_read, .poll = timerfd_poll, .release = timerfd_release, .link_text = timerfd_link_text};

int timerfd_new(int clock, u32 flags, struct ofd **out) {
  struct timerfd *t = kzalloc(sizeof *t);
  struct inode *ino = t ? inode_anonymous(0600) : NULL;
  struct ofd *f = ino ? ofd_new(ino, &timerfd_ops, O_RDWR | (flags & O_NONBLOCK), t) : NULL;
  if (!f) {
    if (ino) inode_put(ino);
    kfree(t);
    return -ENOMEM;
  }
  t->clock = clock;
  wait_queue_init(&t->wait);
  *out = f;
  return 0;
}

int timerfd_set(struct ofd *f, u64 deadline_ns, u64 interval_ns) {
  if (f->ops != &timerfd_ops) return -EINVAL;
  struct timerfd *t = f->priv;
  t->deadline_ns = deadline_ns, t->interval_ns = interval_ns, t->expiries = 0;
  timerfd_update(t);
  wait_wake(&t->wait, 0); /* those parked on it wait for another time now */
  return 0;
}

int timerfd_get(struct ofd *f, u64 *left_ns, u64 *interval_ns, int *clock) {
  if (f->ops != &timerfd_ops) return -EINVAL;
  struct timerfd *t = f->priv;
  timerfd_update(t);
  u64 now = host_monotonic_ns();
  *left_ns = t->deadline_ns > now ? t->deadline_ns - now : 0;
  *interval_ns = t->interval_ns, *clock = t->clock;
  return 0;
}
