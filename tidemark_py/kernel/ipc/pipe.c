/* pipe: pipes and fifos (pipe(7), fifo(7), pipe(2), F_SETPIPE_SZ of fcntl(2)).
 *
 * Owns: struct pipe, a stream (core/queue.h) that starts empty and grows by doubling up to its limit (64 KiB unless
 * F_SETPIPE_SZ), so that an idle pipe costs one small allocation. Its ends belong to whoever holds the kernel lock.
 * Called by sys/pipe.c, by file/ for S_IFIFO, by procfs for names.
 * Writes of at most PIPE_BUF bytes are atomic. A write without readers returns -EPIPE; sys/ raises SIGPIPE.
 * Wake-ups go out on edges only, as Linux does it: readers when data appears in an empty pipe, writers when PIPE_BUF
 * bytes are free again. (A pipe that somebody polls wakes at every write: edge-triggered epoll counts on it.)
 * Missing: O_DIRECT packet mode. */
#include "pipe.h"

#include "../core/queue.h"

#define PIPE_DEFAULT_BYTES 65536u

struct pipe {
  struct shared_queue *ring; /* NULL until the first write */
  u32 limit;                 /* bytes it may hold */
  u32 readers, writers; /* open descriptions by access mode */
  u32 reader_opens, writer_opens; /* ever: a fifo's opener may meet a peer that has left already */
  bool polled;
  struct wait_queue read_wait, write_wait;
  struct inode *inode;  /* not referenced: every open description holds it */
  struct list link;     /* open_fifos; a pipe of pipe(2) is found by its inode's priv instead */
};
static struct list open_fifos = {&open_fifos, &open_fifos};
static const struct inode_ops pipe_inode_ops = {.open = fifo_open}; /* open("/proc/self/fd/0") opens a pipe anew */

static struct pipe *pipe_make(struct inode *ino) {
  struct pipe *p = kzalloc(sizeof *p);
  if (!p) return NULL;
  p->limit = PIPE_DEFAULT_BYTES, p->inode = ino;
  wait_queue_init(&p->read_wait), wait_queue_init(&p->write_wait);
  list_init(&p->link);
  if (ino->ops == &pipe_inode_ops)
    ino->priv = p;
  else
    list_add_tail(&open_fifos, &p->link);
  return p;
}

static u32 ring_pages(u32 bytes) { return bytes / PAGE_BYTES + 1; } /* the first one: the queue's words */
static struct shared_queue *ring_new(u32 bytes) {
  struct shared_queue *ring = kpages_alloc(ring_pages(bytes));
  if (ring) queue_init(ring, bytes, false);
  return ring;
}
static void ring_free(struct shared_queue *ring) {
  if (ring) kpages_free(ring, ring_pages(ring->capacity));
}
static u32 pipe_size(const struct pipe *p) { return p->ring ? p->ring->capacity : 0; }
static u32 pipe_used(const struct pipe *p) { return p->ring ? queue_used(p->ring) : 0; }

static void pipe_free(struct pipe *p) {
  list_remove(&p->link);
  if (p->inode->ops == &pipe_inode_ops) p->inode->priv = NULL;
  ring_free(p->ring);
  kfree(p);
}

/* Give the ring `size` bytes, which hold what is in it. No memory: the pipe stays as it is. */
static bool pipe_resize(struct pipe *p, u32 size) {
  struct shared_queue *ring = ring_new(size);
  if (!ring) return false;
  if (p->ring) stream_wrote(ring, stream_peek(p->ring, queue_bytes(ring), size));
  ring_free(p->ring);
  p->ring = ring;
  return true;
}

static void pipe_taken(struct pipe *p, u32 bytes) {
  stream_read(p->ring, bytes);
  if (!pipe_used(p)) stream_rewind(p->ring);
}

static i64 pipe_read(struct ofd *f, struct iobuf *io, UNUSED u64 *pos) {
  struct pipe *p = f->priv;
  if (!io->left) return 0;
  while (!pipe_used(p)) {
    if (!p->writers) return 0;
    if (f->flags & O_NONBLOCK) return -EAGAIN;
    int r = wait_on(&p->read_wait, WAIT_FOREVER);
    if (r) return r;
  }
  bool was_full = p->limit - pipe_used(p) < PIPE_BUF;
  i64 done = 0;
  u32 n;
  for (const u8 *from; io->left && (from = stream_bytes(p->ring, 0, &n), n);) {
    i64 r = iobuf_write(io, from, MIN(n, io->left));
    if (r <= 0) {
      if (!done) done = r;
      break;
    }
    done += r, pipe_taken(p, (u32)r);
  }
  if ((was_full && p->limit - pipe_used(p) >= PIPE_BUF) || p->polled) wait_wake(&p->write_wait, POLLOUT | POLLWRNORM);
  return done;
}

static i64 pipe_write(struct ofd *f, struct iobuf *io, UNUSED u64 *pos) {
  struct pipe *p = f->priv;
  if (!io->left) return 0;
  u64 atomic = io->left <= PIPE_BUF ? io->left : 1;
  bool was_empty = !pipe_used(p);
  i64 done = 0, r = 0;
  while (io->left) {
    if (!p->readers) {
      r = -EPIPE;
      break;
    }
    u32 room = p->limit - pipe_used(p);
    if (room >= (done ? 1 : atomic)) {
      u32 want = (u32)MIN(room, io->left);
      while (pipe_size(p) < p->limit && pipe_size(p) - pipe_used(p) < want)
        if (!pipe_resize(p, p->ring ? MIN(pipe_size(p) * 2, p->limit) : PAGE_BYTES)) break;
      if (!p->ring) {
        r = -ENOMEM;
        break;
      }
      room = pipe_size(p) - pipe_used(p);
      if (room < want) p->limit = pipe_size(p); /* without memory a small ring has to do */
    }
    if (room < (done ? 1 : atomic)) {
      if (was_empty && pipe_used(p)) wait_wake(&p->read_wait, POLLIN | POLLRDNORM);
      if (f->flags & O_NONBLOCK) {
        r = -EAGAIN;
        break;
      }
      if ((r = wait_on(&p->write_wait, WAIT_FOREVER))) break;
      was_empty = !pipe_used(p);
      continue;
    }
    u32 n;
    u8 *to = stream_space(p->ring, &n);
    r = iobuf_read(io, to, MIN(n, io->left));
    if (r <= 0) break;
    stream_wrote(p->ring, (u32)r), done += r;
  }
  if ((was_empty || p->polled) && pipe_used(p)) wait_wake(&p->read_wait, POLLIN | POLLRDNORM);
  return done ? done : r;
}

static u32 pipe_poll(struct ofd *f, struct poll_table *pt) {
  struct pipe *p = f->priv;
  u32 mode = f->flags & O_ACCMODE, ready = 0;
  if (pt) p->polled = true;
  if (mode != O_WRONLY) {
    poll_wait(pt, &p->read_wait);
    if (pipe_used(p)) ready |= POLLIN | POLLRDNORM;
    if (!p->writers && f->pos != p->writer_opens) ready |= POLLHUP; /* no hang-up before the first writer of a fifo */
  }
  if (mode != O_RDONLY) {
    poll_wait(pt, &p->write_wait);
    if (p->limit - pipe_used(p) >= PIPE_BUF) ready |= POLLOUT | POLLWRNORM;
    if (!p->readers) ready |= POLLERR;
  }
  return ready;
}

static void pipe_release(struct ofd *f) {
  struct pipe *p = f->priv;
  u32 mode = f->flags & O_ACCMODE;
  if (mode != O_WRONLY && !--p->readers) wait_wake(&p->write_wait, POLLOUT | POLLERR | POLLHUP);
  if (mode != O_RDONLY && !--p->writers) wait_wake(&p->read_wait, POLLIN | POLLHUP);
  if (!p->readers && !p->writers) pipe_free(p);
}

static i64 pipe_ioctl(struct ofd *f, u32 request, uaddr_t arg) {
  struct pipe *p = f->priv;
  i32 used = (i32)pipe_used(p);
  return request == FIONREAD ? COPY_OUT(arg, used) : -ENOTTY;
}

static const char *pipe_link_text(struct ofd *f, char *buf, u32 bytes) {
  ksnprintf(buf, bytes, "pipe:[%llu]", (unsigned long long)f->inode->ino);
  return buf;
}

const struct ofd_ops pipe_ops = {
    .read = pipe_read,
    .write = pipe_write,
    .poll = pipe_poll,
    .ioctl = pipe_ioctl,
    .release = pipe_release,
    .link_text = pipe_link_text,
};
/* The same for a named fifo, whose /proc name is its path. */
static const struct ofd_ops fifo_ops = {
    .read = pipe_read, .write = pipe_write, .poll = pipe_poll, .ioctl = pipe_ioctl, .release = pipe_release};

int pipe_new(u32 flags, struct ofd **read_end, struct ofd **write_end) {
  struct inode *ino = inode_anonymous(S_IFIFO | 0600);
  if (!ino) return -ENOMEM;
  ino->ops = &pipe_inode_ops;
  struct pipe *p = pipe_make(ino);
  struct ofd *r = NULL, *w = NULL;
  if (p && (r = ofd_new(ino, &pipe_ops, O_RDONLY | (flags & O_NONBLOCK), p))) {
    p->readers = p->reader_opens = 1;
    inode_get(ino);
    if ((w = ofd_new(ino, &pipe_ops, O_WRONLY | (flags & O_NONBLOCK), p))) {
      p->writers = p->writer_opens = 1;
      *read_end = r, *write_end = w;
      return 0;
    }
    ofd_put(r); /* frees the pipe and one inode reference */
  } else if (p) {
    pipe_free(p);
  }
  inode_put(ino);
  return -ENOMEM;
}

/* Wait until the count of peers that ever opened differs from `seen`. */
static int fifo_wait_peer(struct wait_queue *q, const u32 *opens, u32 seen) {
  while (*opens == seen) {
    int r = wait_on(q, WAIT_FOREVER);
    if (r) return r;
  }
  return 0;
}

int fifo_open(struct inode *ino, struct ofd *ofd) {
  bool unnamed = ino->ops == &pipe_inode_ops; /* through /proc/self/fd: waits for nobody */
  struct pipe *p = unnamed ? ino->priv : NULL;
  LIST_FOR(it, &open_fifos, struct pipe, link) if (it->inode == ino) p = it;
  if (!p && !(p = pipe_make(ino))) return -ENOMEM;
  u32 mode = ofd->flags & O_ACCMODE;
  bool nonblock = ofd->flags & O_NONBLOCK;
  if (mode == O_WRONLY && nonblock && !p->readers && !unnamed) {
    if (!p->writers) pipe_free(p);
    return -ENXIO;
  }
  if (mode != O_WRONLY) p->readers++, p->reader_opens++;
  if (mode != O_RDONLY) p->writers++, p->writer_opens++;
  wait_wake(&p->read_wait, 0), wait_wake(&p->write_wait, 0); /* peers in open(2) */
  int r = 0;
  if (unnamed) {
    /* open at once */
  } else if (mode == O_RDONLY && !p->writers) {
    if (nonblock)
      ofd->pos = p->writer_opens; /* see pipe_poll; streams have no use for the position */
    else
      r = fifo_wait_peer(&p->read_wait, &p->writer_opens, p->writer_opens);
  } else if (mode == O_WRONLY && !p->readers) {
    r = fifo_wait_peer(&p->write_wait, &p->reader_opens, p->reader_opens);
  }
  ofd->priv = p;
  if (r) {
    pipe_release(ofd);
    ofd->priv = NULL;
    return r;
  }
  ofd->ops = ino->ops == &pipe_inode_ops ? &pipe_ops : &fifo_ops;
  return 0;
}

void ipc_boot(void) { fifo_register(fifo_open); }

static struct pipe *pipe_of(const struct ofd *f) { return f->ops == &pipe_ops || f->ops == &fifo_ops ? f->priv : NULL; }

bool pipe_is(const struct ofd *f) { return pipe_of(f); }

i64 pipe_data(struct ofd *f, bool nonblock) {
  struct pipe *p = pipe_of(f);
  while (!pipe_used(p)) {
    if (!p->writers) return 0;
    if (nonblock) return -EAGAIN;
    int r = wait_on(&p->read_wait, WAIT_FOREVER);
    if (r) return r;
  }
  return pipe_used(p);
}

i64 pipe_room(struct ofd *f, bool nonblock) {
  struct pipe *p = pipe_of(f);
  for (;;) {
    if (!p->readers) return -EPIPE;
    if (p->limit > pipe_used(p)) return p->limit - pipe_used(p);
    if (nonblock) return -EAGAIN;
    int r = wait_on(&p->write_wait, WAIT_FOREVER);
    if (r) return r;
  }
}

u32 pipe_peek(const struct ofd *f, void *to, u32 bytes) {
  const struct pipe *p = pipe_of(f);
  return p->ring ? stream_peek(p->ring, to, bytes) : 0;
}

void pipe_skip(struct ofd *f, u32 bytes) {
  struct pipe *p = pipe_of(f);
  u32 n = MIN(bytes, pipe_used(p));
  if (!n) return;
  pipe_taken(p, n);
  wait_wake(&p->write_wait, POLLOUT | POLLWRNORM);
}

i64 pipe_capacity(const struct ofd *f) {
  const struct pipe *p = pipe_of(f);
  return p ? (i64)p->limit : -EBADF;
}

i64 pipe_set_capacity(struct ofd *f, u32 bytes, bool privileged) {
  struct pipe *p = pipe_of(f);
  if (!p) return -EBADF;
  if (bytes > 0x80000000u) return -EINVAL;
  u32 limit = PAGE_BYTES;
  while (limit < bytes) limit *= 2;
  if (limit > PIPE_MAX_BYTES && !(privileged && limit <= 32 * PIPE_MAX_BYTES)) return -EPERM;
  if (limit < pipe_used(p)) return -EBUSY;
  if (pipe_size(p) > limit && !pipe_resize(p, limit)) return -ENOMEM;
  p->limit = limit;
  wait_wake(&p->write_wait, POLLOUT | POLLWRNORM);
  return limit;
}

i64 pipe_state_read(const struct ofd *f, u8 *to, u32 room) {
  const struct pipe *p = pipe_of(f);
  if (!p) return -EBADF;
  u32 used = pipe_used(p);
  struct state_pipe s = {.inode = p->inode->ino, .used = used, .limit = p->limit, .readers = p->readers,
                         .writers = p->writers, .reader_opens = p->reader_opens, .writer_opens = p->writer_opens,
                         .polled = p->polled, .named = f->ops == &fifo_ops};
  if (room < sizeof s || room - sizeof s < used) return (i64)sizeof s + used;
  memcpy(to, &s, sizeof s);
  pipe_peek(f, to + sizeof s, used);
  return (i64)sizeof s + used;
}

i32 pipe_state_write(struct ofd *f, const u8 *from, u32 bytes) {
  struct pipe *p = pipe_of(f);
  struct state_pipe s;
  if (!p) return -EBADF;
  if (bytes < sizeof s) return -EINVAL;
  memcpy(&s, from, sizeof s);
  if (s.inode != p->inode->ino) return -ESTALE;
  if (s.used != bytes - sizeof s || s.used > s.limit || s.limit < PAGE_BYTES || (s.limit & (s.limit - 1)) ||
      s.limit > 32 * PIPE_MAX_BYTES)
    return -EINVAL;
  u32 size = PAGE_BYTES;
  while (size < s.used) size *= 2;
  struct shared_queue *ring = s.used ? ring_new(size) : NULL;
  if (s.used && !ring) return -ENOMEM;
  ring_free(p->ring);
  p->ring = ring, p->limit = s.limit;
  if (ring) stream_put(ring, from + sizeof s, s.used);
  if (pipe_used(p)) wait_wake(&p->read_wait, POLLIN | POLLRDNORM);
  if (p->limit - pipe_used(p) >= PIPE_BUF) wait_wake(&p->write_wait, POLLOUT | POLLWRNORM);
  return 0;
}
