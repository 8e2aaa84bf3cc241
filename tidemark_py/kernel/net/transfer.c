/* transfer: bytes and messages from one socket's hands into another's queue (send(2), recv(2), unix(7), tcp(7), udp(7)).
 *
 * A sender waits on its own write_wait; who empties a queue wakes its senders: a stream has one, datagram senders share
 * the queue datagram_room. Missing: out-of-band data, MSG_MORE and MSG_ZEROCOPY mean nothing, SO_RCVLOWAT. */
#include "ancillary.h"

#define PACKET_MAX_BYTES 65536u
#define PACKET_SMALL_BYTES 1024u

static struct wait_queue datagram_room;
static struct wait_queue *datagram_queue(void) {
  if (!datagram_room.entries.next) wait_queue_init(&datagram_room);
  return &datagram_room;
}

bool socket_has_room(const struct socket *d) { return d->charged < d->limit; }

void socket_wake_writers(struct socket *s) {
  if (!socket_is_record(s)) {
    wait_wake(datagram_queue(), POLLOUT | POLLWRNORM);
  } else if (s->peer) {
    wait_wake(&s->peer->write_wait, POLLOUT | POLLWRNORM);
  }
}

/* Linux: a signal restarts a wait without a timeout and interrupts one with. */
static int wait_for(struct wait_queue *q, u64 deadline) {
  int r = wait_on(q, deadline);
  if (r == -ETIMEDOUT) return -EAGAIN;
  return r == -ERESTARTSYS && deadline != WAIT_FOREVER ? -EINTR : r;
}
static u64 deadline_of(u64 timeout_ns) { return timeout_ns ? host_monotonic_ns() + timeout_ns : WAIT_FOREVER; }

void socket_reset(struct socket *s, i32 error) {
  s->error = error;
  s->nothing_more = true;
  if (s->domain != AF_UNIX) s->read_shut = s->write_shut = true;
  socket_wake(s);
}

/* ---- sending ---- */
static int attach_rights(struct packet *p, const struct socket_message *m) {
  if (!m->rights_count) return 0;
  p->rights = kmalloc(m->rights_count * sizeof *p->rights);
  if (!p->rights) return -ENOMEM;
  for (u32 i = 0; i < m->rights_count; i++) ofd_get(p->rights[i] = m->rights[i]);
  p->rights_count = m->rights_count;
  return 0;
}

void socket_enqueue(struct socket *d, struct packet *p) {
  list_add_tail(&d->incoming, &p->link);
  d->charged += packet_charge(p);
  wait_wake(&d->read_wait, POLLIN | POLLRDNORM);
}

static bool same_sender(const struct packet *p, const struct guest_ucred *who) { return !memcmp(&p->who, who, sizeof *who); }

static i64 stream_send(struct socket *s, struct iobuf *io, const struct socket_message *m, u32 flags) {
  if (s->state == SOCKET_CONNECTING) {
    i64 e = socket_connecting_wait(s, flags & MSG_DONTWAIT);
    if (e) return e == -EINPROGRESS ? -EAGAIN : e;
  }
  if (s->failed && s->error) return socket_take_error(s);
  if (s->state != SOCKET_CONNECTED) return s->domain == AF_UNIX ? -ENOTCONN : -EPIPE;
  if (m->name.bytes && s->domain == AF_UNIX) return -EISCONN;
  u64 deadline = deadline_of(s->send_timeout_ns);
  bool rights_sent = !m->rights_count;
  i64 done = 0, r = 0;
  while (io->left) {
    struct socket *d = s->peer;
    if (s->error && s->domain != AF_UNIX) {
      r = socket_take_error(s);
      break;
    }
    if (s->write_shut || !d || (d->closed && s->domain == AF_UNIX)) {
      r = -EPIPE;
      break;
    }
    if (d->closed) { /* sent, and answered by a reset */
      done += (i64)io->left;
      socket_reset(s, EPIPE);
      break;
    }
    if (!socket_has_room(d)) {
      if ((r = flags & MSG_DONTWAIT ? -EAGAIN : wait_for(&s->write_wait, deadline))) break;
      continue;
    }
    struct packet *p = list_empty(&d->incoming) ? NULL : CONTAINER_OF(d->incoming.prev, struct packet, link);
    if (p && rights_sent && !p->rights_count && p->capacity > p->bytes && same_sender(p, &m->who)) {
      r = iobuf_read(io, p->data + p->bytes, MIN(p->capacity - p->bytes, io->left));
      if (r <= 0) break;
      p->bytes += (u32)r, done += r;
      wait_wake(&d->read_wait, POLLIN | POLLRDNORM);
      continue;
    }
    u32 want = (u32)MIN(io->left, PACKET_MAX_BYTES);
    p = packet_new(want < PACKET_SMALL_BYTES ? PACKET_SMALL_BYTES : want);
    if (!p || (!rights_sent && attach_rights(p, m))) {
      if (p) packet_free(p);
      r = -ENOMEM;
      break;
    }
    r = iobuf_read(io, p->data, want);
    if (r <= 0) {
      packet_free(p);
      break;
    }
    p->bytes = (u32)r, p->who = m->who, rights_sent = true, done += r;
    socket_enqueue(d, p);
  }
  return done ? done : r;
}

/* A datagram or a record: whole or not at all. */
static i64 message_send(struct socket *s, struct iobuf *io, const struct socket_message *m, u32 flags,
                        const struct socket_context *ctx) {
  u64 deadline = deadline_of(s->send_timeout_ns), bytes = io->left;
  if (s->error) return socket_take_error(s);
  if (s->write_shut) return -EPIPE;
  if (bytes > s->send_buffer || (s->domain != AF_UNIX && bytes > 65507)) return -EMSGSIZE;
  struct socket *d = NULL;
  struct socket_address to;
  if (socket_is_record(s)) {
    if (s->state != SOCKET_CONNECTED) return -ENOTCONN;
    d = s->peer;
    if (!d || d->closed) return -EPIPE;
    d->refs++;
  } else {
    int r = socket_destination(s, ctx, m->name.bytes ? &m->name : NULL, &d, &to);
    if (r) return r;
    if (!d) return (i64)bytes; /* nobody there: lost, as on a wire */
  }
  struct packet *p = NULL;
  i64 r = 0;
  while (!socket_has_room(d)) {
    r = flags & MSG_DONTWAIT ? -EAGAIN : wait_for(socket_is_record(s) ? &s->write_wait : datagram_queue(), deadline);
    if (!r && d->closed) r = socket_is_record(s) ? -EPIPE : -ECONNREFUSED;
    if (!r && d->read_shut) r = -EPIPE;
    if (r) goto out;
  }
  p = packet_new((u32)bytes);
  r = !p ? -ENOMEM : attach_rights(p, m);
  if (r) goto out;
  while (p->bytes < bytes) {
    r = iobuf_read(io, p->data + p->bytes, bytes - p->bytes);
    if (r <= 0) goto out;
    p->bytes += (u32)r;
  }
  p->who = m->who, p->from = s->local;
  if (s->domain != AF_UNIX) p->head = ancillary_head(s, m, &to);
  socket_enqueue(d, p);
  p = NULL, r = (i64)bytes;
out:
  if (p) packet_free(p);
  socket_put(d);
  return r;
}

i64 socket_send(struct socket *s, struct iobuf *io, const struct socket_message *m, u32 flags,
                const struct socket_context *ctx) {
  if (flags & MSG_OOB) return -EOPNOTSUPP;
  if (s->domain == AF_NETLINK) return netlink_send(s, io, m, ctx);
  return socket_is_stream(s) ? stream_send(s, io, m, flags) : message_send(s, io, m, flags, ctx);
}

/* ---- receiving ---- */
static void consume(struct socket *s, struct packet *p) {
  bool was_full = !socket_has_room(s) || s->charged * 2 > s->limit;
  list_remove(&p->link);
  s->charged -= packet_charge(p);
  packet_free(p);
  if (was_full && s->charged * 2 <= s->limit) socket_wake_writers(s);
}

/* Hand over descriptors: a peek gets references of its own. */
static int give_rights(struct packet *p, struct socket_message *m, bool peek) {
  if (!p->rights_count || m->rights) return 0;
  if (!peek) {
    m->rights = p->rights, m->rights_count = p->rights_count;
    p->rights = NULL, p->rights_count = 0;
    return 0;
  }
  m->rights = kmalloc(p->rights_count * sizeof *m->rights);
  if (!m->rights) return -ENOMEM;
  m->rights_count = p->rights_count;
  for (u32 i = 0; i < p->rights_count; i++) ofd_get(m->rights[i] = p->rights[i]);
  return 0;
}

/* Nothing to read: 0 to wait, 1 for the end of the stream, or -errno. */
static int receive_idle(struct socket *s, u32 flags) {
  if (s->error) return socket_take_error(s);
  if (s->read_shut || (socket_is_record(s) && s->nothing_more)) return 1;
  if (s->state == SOCKET_CONNECTING) return flags & MSG_DONTWAIT ? -EAGAIN : 0;
  if (socket_is_record(s) && s->state != SOCKET_CONNECTED) return s->domain == AF_UNIX ? -EINVAL : -ENOTCONN;
  return flags & MSG_DONTWAIT ? -EAGAIN : 0;
}

/* Bytes of what stands in the queue, up to the end of a message with descriptors or to another sender's (SO_PASSCRED). */
static i64 stream_take(struct socket *s, struct iobuf *io, struct socket_message *m, bool peek, bool *stop) {
  i64 done = 0;
  struct list *at = s->incoming.next;
  *stop = false;
  while (at != &s->incoming && io->left && !*stop) {
    struct packet *p = CONTAINER_OF(at, struct packet, link);
    at = at->next;
    if (done && s->pass_credentials && !same_sender(p, &m->who)) {
      *stop = true;
      break;
    }
    i64 n = iobuf_write(io, p->data + p->offset, MIN(p->bytes - p->offset, io->left));
    if (n <= 0) {
      if (!done) done = n;
      *stop = true;
      break;
    }
    done += n, m->who = p->who;
    *stop = p->rights_count;
    give_rights(p, m, peek);
    if (peek) continue;
    p->offset += (u32)n;
    if (p->offset == p->bytes) consume(s, p);
  }
  return done;
}

static i64 stream_receive(struct socket *s, struct iobuf *io, struct socket_message *m, u32 flags) {
  u64 deadline = deadline_of(s->receive_timeout_ns);
  i64 done = 0;
  if (s->state == SOCKET_LISTENING) return s->domain == AF_UNIX ? -EINVAL : -ENOTCONN;
  while (io->left) {
    bool stop;
    i64 n = list_empty(&s->incoming) || (s->read_shut && s->domain == AF_UNIX && !s->nothing_more)
                ? 0 : stream_take(s, io, m, flags & MSG_PEEK, &stop);
    if (n < 0) return done ? done : n;
    done += n;
    if (!io->left || (n && stop) || (done && !(flags & MSG_WAITALL)) || (done && flags & MSG_PEEK)) break;
    if (n) continue;
    if (done && (s->error || s->read_shut || s->nothing_more)) break;
    int r = receive_idle(s, flags);
    if (r) return done ? done : r == 1 ? 0 : r;
    if ((r = wait_for(&s->read_wait, deadline))) return done ? done : r;
  }
  return done;
}

static i64 message_receive(struct socket *s, struct iobuf *io, struct socket_message *m, u32 flags) {
  u64 deadline = deadline_of(s->receive_timeout_ns);
  while (list_empty(&s->incoming)) {
    int r = receive_idle(s, flags);
    if (r) return r == 1 ? 0 : r;
    if ((r = wait_for(&s->read_wait, deadline))) return r;
  }
  struct packet *p = CONTAINER_OF(s->incoming.next, struct packet, link);
  u64 want = MIN(p->bytes, io->left), whole = p->bytes;
  for (u64 n = 0; n < want;) {
    i64 r = iobuf_write(io, p->data + n, want - n);
    if (r <= 0) return r;
    n += (u64)r;
  }
  m->name = p->from, m->who = p->who, m->head = p->head;
  if (want < whole) m->flags |= MSG_TRUNC;
  int r = give_rights(p, m, flags & MSG_PEEK);
  if (r) return r;
  if (!(flags & MSG_PEEK)) consume(s, p);
  return flags & MSG_TRUNC ? (i64)whole : (i64)want;
}

i64 socket_receive(struct socket *s, struct iobuf *io, struct socket_message *m, u32 flags) {
  if (flags & MSG_OOB) return s->domain == AF_UNIX ? -EOPNOTSUPP : -EINVAL;
  if (flags & MSG_ERRQUEUE) return -EAGAIN;
  return socket_is_stream(s) ? stream_receive(s, io, m, flags) : message_receive(s, io, m, flags);
}

u64 socket_readable_bytes(const struct socket *s) {
  u64 bytes = 0;
  for (const struct list *l = s->incoming.next; l != &s->incoming; l = l->next) {
    const struct packet *p = CONTAINER_OF(l, const struct packet, link);
    bytes += p->bytes - p->offset;
    if (!socket_is_stream(s)) break;
  }
  return bytes;
}

/* ---- poll ---- */
u32 socket_poll_state(struct socket *s, struct poll_table *pt) {
  poll_wait(pt, &s->read_wait), poll_wait(pt, &s->write_wait);
  u32 ready = s->error ? POLLERR : 0;
  if (s->state == SOCKET_CONNECTING) return ready;
  if (s->state == SOCKET_LISTENING) return ready | (list_empty(&s->backlog) ? 0 : POLLIN | POLLRDNORM);
  bool ended = s->read_shut || (socket_is_record(s) && s->nothing_more);
  bool gone = s->domain == AF_UNIX && s->peer && s->peer->closed; /* TCP may still send to the other end's host */
  bool dead = (s->write_shut || gone) && ended;
  if (!list_empty(&s->incoming) || ended) ready |= POLLIN | POLLRDNORM;
  if (ended) ready |= POLLRDHUP;
  if (dead && socket_is_record(s)) ready |= POLLHUP;
  if (socket_is_record(s)) {
    if (s->state != SOCKET_CONNECTED) return ready | POLLHUP | POLLOUT | POLLWRNORM | (s->domain == AF_UNIX ? POLLWRBAND : 0);
    if (!s->peer || s->peer->closed || s->write_shut || s->peer->charged * 2 <= s->peer->limit) ready |= POLLOUT | POLLWRNORM;
    if (s->domain == AF_UNIX && (ready & POLLOUT)) ready |= POLLWRBAND;
  } else {
    if (s->peer) poll_wait(pt, datagram_queue());
    if (!s->peer || socket_has_room(s->peer)) ready |= POLLOUT | POLLWRNORM | (s->domain == AF_UNIX ? POLLWRBAND : 0);
  }
  return ready;
}
