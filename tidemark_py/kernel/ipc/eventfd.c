/* eventfd: a counter behind a description (eventfd(2)). Called by sys/event.c. */
#include "ipc.h"

#define COUNT_MAX 0xfffffffffffffffeull

struct eventfd {
  u64 count;
  bool semaphore;
  struct wait_queue wait;
};

static i64 eventfd_read(struct ofd *f, struct iobuf *io, UNUSED u64 *pos) {
  struct eventfd *e = f->priv;
  if (io->left < sizeof(u64)) return -EINVAL;
  while (!e->count) {
    if (f->flags & O_NONBLOCK) return -EAGAIN;
    int r = wait_on(&e->wait, WAIT_FOREVER);
    if (r) return r;
  }
  u64 value = e->semaphore ? 1 : e->count;
  i64 n = iobuf_write(io, &value, sizeof value);
  if (n != (i64)sizeof value) return n < 0 ? n : -EFAULT;
  e->count -= value;
  wait_wake(&e->wait, POLLOUT | POLLWRNORM);
  return n;
}

static i64 eventfd_write(struct ofd *f, struct iobuf *io, UNUSED u64 *pos) {
  struct eventfd *e = f->priv;
  u64 value;
  if (io->left < sizeof value) return -EINVAL;
  i64 n = iobuf_read(io, &value, sizeof value);
  if (n != (i64)sizeof value) return n < 0 ? n : -EFAULT;
  if (value == ~0ull) return -EINVAL;
  while (COUNT_MAX - e->count < value) {
    if (f->flags & O_NONBLOCK) return -EAGAIN;
    int r = wait_on(&e->wait, WAIT_FOREVER);
    if (r) return r;
  }
  e->count += value;
  if (value) wait_wake(&e->wait, POLLIN | POLLRDNORM);
  return n;
}

static u32 eventfd_poll(struct ofd *f, struct poll_table *pt) {
  struct eventfd *e = f->priv;
  poll_wait(pt, &e->wait);
  return (e->count ? POLLIN | POLLRDNORM : 0) | (e->count < COUNT_MAX ? POLLOUT | POLLWRNORM : 0);
}

static void eventfd_release(struct ofd *f) { kfree(f->priv); }
static const char *eventfd_link_text(UNUSED struct ofd *f, UNUSED char *buf, UNUSED u32 bytes) { return "anon_inode:[eventfd]"; }

static const struct ofd_ops eventfd_ops = {.read = eventfd_read, .write = eventfd_write, .poll = eventfd_poll,
                                           .release = eventfd_release, .link_text = eventfd_link_text};

int eventfd_new(u64 initial, u32 flags, struct ofd **out) {
  struct eventfd *e = kzalloc(sizeof *e);
  struct inode *ino = e ? inode_anonymous(0600) : NULL;
  struct ofd *f = ino ? ofd_new(ino, &eventfd_ops, O_RDWR | (flags & O_NONBLOCK), e) : NULL;
  if (!f) {
    if (ino) inode_put(ino);
    kfree(e);
    return -ENOMEM;
  }
  e->count = initial, e->semaphore = flags & EFD_SEMAPHORE;
  wait_queue_init(&e->wait);
  *out = f;
  return 0;
}
