/* socket: the life of a socket and its face as an open description (socket(2), socketpair(2), shutdown(2)).
 *
 * A connected stream is two sockets that hold a reference on each other; each has its own queue of incoming packets.
 * When one closes it drops its reference, the other keeps the husk until it closes too. */
#include "ancillary.h"
#include "interface.h"

static const struct ofd_ops socket_ops;

bool socket_is_stream(const struct socket *s) { return s->type == SOCK_STREAM; }
bool socket_is_record(const struct socket *s) { return s->type == SOCK_STREAM || s->type == SOCK_SEQPACKET; }

static int check_kind(u32 domain, u32 *type, u32 *protocol) {
  switch (domain) {
    case AF_UNIX:
      if (*protocol && *protocol != AF_UNIX) return -EPROTONOSUPPORT;
      *protocol = 0;
      if (*type == SOCK_RAW) *type = SOCK_DGRAM;
      return *type == SOCK_STREAM || *type == SOCK_DGRAM || *type == SOCK_SEQPACKET ? 0 : -ESOCKTNOSUPPORT;
    case AF_INET:
    case AF_INET6: {
      u32 natural = *type == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP;
      if (*type == SOCK_RAW) return -EPROTONOSUPPORT;
      if (*type != SOCK_STREAM && *type != SOCK_DGRAM) return -ESOCKTNOSUPPORT;
      bool lite = *type == SOCK_DGRAM && *protocol == IPPROTO_UDPLITE; /* the same, without checksums to choose */
      if (*protocol && *protocol != natural && !lite) return -EPROTONOSUPPORT;
      *protocol = lite ? IPPROTO_UDPLITE : natural;
      return 0;
    }
    case AF_NETLINK:
      if (*type != SOCK_RAW && *type != SOCK_DGRAM) return -ESOCKTNOSUPPORT;
      return *protocol == NETLINK_ROUTE ? 0 : -EPROTONOSUPPORT;
  }
  return -EAFNOSUPPORT;
}

int socket_new(u32 domain, u32 type, u32 protocol, const struct socket_context *ctx, struct socket **out) {
  int r = check_kind(domain, &type, &protocol);
  if (r) return r;
  struct socket *s = kzalloc(sizeof *s);
  if (!s) return -ENOMEM;
  s->refs = 1, s->domain = domain, s->type = type, s->protocol = protocol, s->who = ctx->who;
  s->limit = s->send_buffer = SOCKET_BUFFER_BYTES, s->receive_low = 1;
  s->peer_who = (struct guest_ucred){.pid = 0, .uid = ~0u, .gid = ~0u};
  list_init(&s->incoming), list_init(&s->backlog), list_init(&s->pending_link), list_init(&s->names);
  list_init(&s->knocking);
  wait_queue_init(&s->read_wait), wait_queue_init(&s->write_wait);
  ancillary_fresh(s);
  if (domain == AF_INET || domain == AF_INET6) inet_any(domain, &s->local);
  *out = s;
  return 0;
}

void socket_put(struct socket *s) {
  if (--s->refs) return;
  if (s->peer) socket_put(s->peer); /* the peer has closed already or it would hold us */
  kfree(s);
}

void socket_wire(struct socket *a, struct socket *b) {
  a->peer = b, b->peer = a, a->refs++, b->refs++;
  a->state = b->state = SOCKET_CONNECTED;
  a->peer_who = b->who, b->peer_who = a->who;
}

int socket_pair(u32 domain, u32 type, u32 protocol, const struct socket_context *ctx, struct socket **a, struct socket **b) {
  int r = socket_new(domain, type, protocol, ctx, a);
  if (r) return r;
  if (domain != AF_UNIX)
    r = -EOPNOTSUPP;
  else
    r = socket_new(domain, type, protocol, ctx, b);
  if (r) {
    socket_put(*a);
    return r;
  }
  socket_wire(*a, *b);
  return 0;
}

struct socket *socket_of(const struct ofd *f) { return f->ops == &socket_ops ? f->priv : NULL; }

int socket_take_error(struct socket *s) {
  int r = -s->error;
  s->error = 0;
  return r;
}

void socket_wake(struct socket *s) {
  wait_wake(&s->read_wait, POLLIN | POLLRDNORM | POLLRDHUP | POLLHUP);
  wait_wake(&s->write_wait, POLLOUT | POLLWRNORM | POLLHUP | POLLERR);
}

int socket_shutdown(struct socket *s, int how) {
  if (s->domain == AF_NETLINK) return -EOPNOTSUPP;
  if (how < SHUT_RD || how > SHUT_RDWR) return -EINVAL;
  if (s->state == SOCKET_LISTENING && s->domain != AF_UNIX && how != SHUT_WR) { /* Linux stops listening */
    s->state = SOCKET_FRESH;
    socket_turn_away(s);
    socket_wake(s);
    return 0;
  }
  if (s->door) { /* Linux forgets a connection that nobody has answered */
    socket_connecting_leave(s);
    return 0;
  }
  if (socket_is_record(s) && s->state != SOCKET_CONNECTED) return -ENOTCONN;
  if (!socket_is_record(s) && s->domain != AF_UNIX && !s->remote.bytes) return -ENOTCONN;
  struct socket *peer = s->peer && s->peer->peer == s && socket_is_record(s) ? s->peer : NULL;
  if (how != SHUT_WR) {
    s->read_shut = true;
    if (peer && s->domain == AF_UNIX) peer->write_shut = true;
  }
  if (how != SHUT_RD) {
    s->write_shut = true;
    if (peer) peer->nothing_more = true;
  }
  socket_wake(s);
  if (peer) socket_wake(peer);
  return 0;
}

static void socket_close(struct socket *s);

/* Nobody will accept or answer what waits here. */
static void send_away(struct socket *s) {
  socket_connecting_leave(s);
  socket_turn_away(s);
  net_bridge_gone(s);
  net_bridge_refuse(s, ECONNREFUSED); /* a bridged connection that was not answered */
  while (!list_empty(&s->backlog)) {
    struct socket *pending = CONTAINER_OF(s->backlog.next, struct socket, pending_link);
    list_remove(&pending->pending_link);
    if (pending->peer) socket_reset(pending->peer, ECONNRESET);
    socket_close(pending);
    socket_put(pending);
  }
  s->backlog_count = 0;
}

/* From its peer, who is told that it was no orderly end when there is something unread, or `reset`. */
static void part(struct socket *s, bool reset) {
  struct socket *peer = s->peer;
  s->peer = NULL;
  if (peer && socket_is_record(s)) {
    bool cut = s->domain != AF_UNIX && s->linger_on && !s->linger_seconds; /* socket(7), SO_LINGER; tcp(7) */
    if (reset || cut || !list_empty(&s->incoming)) socket_reset(peer, ECONNRESET);
    peer->nothing_more = true;
  }
  while (!list_empty(&s->incoming)) {
    struct packet *p = CONTAINER_OF(s->incoming.next, struct packet, link);
    list_remove(&p->link);
    packet_free(p);
  }
  s->charged = 0;
  socket_wake(s);
  if (peer) {
    socket_wake(peer);
    socket_put(peer);
  }
}

void socket_disconnect(struct socket *s) {
  bool was = s->state == SOCKET_CONNECTED || s->state == SOCKET_CONNECTING;
  send_away(s);
  part(s, true);
  s->state = SOCKET_FRESH, s->error = was ? ECONNRESET : 0, s->remote.bytes = 0;
  s->read_shut = s->write_shut = s->nothing_more = s->unreported = s->failed = false;
  inet_disconnect(s);
}

/* The description is gone. */
static void socket_close(struct socket *s) {
  s->closed = true;
  send_away(s);
  if (s->domain == AF_UNIX)
    unix_unbind(s);
  else if (s->domain == AF_NETLINK)
    netlink_unbind(s);
  else
    inet_unbind(s);
  part(s, false);
}

/* ---- the description ---- */
static i64 socket_read(struct ofd *f, struct iobuf *io, UNUSED u64 *pos) {
  struct socket_message m = {0};
  i64 n = socket_receive(f->priv, io, &m, f->flags & O_NONBLOCK ? MSG_DONTWAIT : 0);
  for (u32 i = 0; i < m.rights_count; i++) ofd_put(m.rights[i]); /* read(2) drops what came along */
  kfree(m.rights);
  return n;
}
static i64 socket_write(struct ofd *f, struct iobuf *io, UNUSED u64 *pos) {
  struct socket *s = f->priv;
  struct socket_message m = {.who = socket_caller()};
  return socket_send(s, io, &m, f->flags & O_NONBLOCK ? MSG_DONTWAIT : 0, NULL);
}
static u32 socket_poll(struct ofd *f, struct poll_table *pt) { return socket_poll_state(f->priv, pt); }

static i64 socket_ioctl(struct ofd *f, u32 request, uaddr_t arg) {
  struct socket *s = f->priv;
  i32 n;
  switch (request) {
    case FIONREAD:
      if (s->state == SOCKET_LISTENING) return -EINVAL;
      n = (i32)socket_readable_bytes(s);
      return COPY_OUT(arg, n);
    case SIOCOUTQ:
      n = socket_is_record(s) && s->peer ? (i32)socket_readable_bytes(s->peer) : 0;
      return COPY_OUT(arg, n);
    case SIOCATMARK:
      n = 0;
      return COPY_OUT(arg, n);
  }
  return interface_ioctl(request, arg);
}

static void socket_release(struct ofd *f) {
  socket_close(f->priv);
  socket_put(f->priv);
}
static const char *socket_link_text(struct ofd *f, char *buf, u32 bytes) {
  ksnprintf(buf, bytes, "socket:[%llu]", (unsigned long long)f->inode->ino);
  return buf;
}

static const struct ofd_ops socket_ops = {.read = socket_read, .write = socket_write, .poll = socket_poll,
                                          .ioctl = socket_ioctl, .release = socket_release, .link_text = socket_link_text};

struct ofd *socket_ofd(struct socket *s, u32 flags) {
  struct inode *ino = inode_anonymous(S_IFSOCK | 0777);
  struct ofd *f = ino ? ofd_new(ino, &socket_ops, O_RDWR | (flags & O_NONBLOCK), s) : NULL;
  if (f) return f;
  if (ino) inode_put(ino);
  socket_close(s);
  socket_put(s);
  return NULL;
}
