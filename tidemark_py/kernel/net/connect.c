/* connect: who talks to whom (bind(2), listen(2), connect(2), accept(2)). Names are the families' (unix.c, inet.c).
 *
 * The server's end waits in the listener's backlog with what was sent to it already. A full backlog makes an AF_UNIX
 * connect wait, or fail with EAGAIN; one of AF_INET knocks (SOCKET_CONNECTING) until there is room. As in Linux, a
 * non-blocking one says EINPROGRESS even when the connection is there by then: the next says 0, and then EISCONN. */
#include "net.h"

int socket_bind(struct socket *s, const struct socket_context *ctx, const struct socket_address *a) {
  if (s->domain == AF_UNIX) return unix_bind(s, ctx, a);
  if (s->domain == AF_NETLINK) return netlink_bind(s, ctx, a);
  return s->bound ? -EINVAL : inet_bind(s, ctx, a);
}

/* Put a new server end into the backlog of `l`, connected to s. */
static int join(struct socket *l, struct socket *s) {
  struct socket_context ctx = {.who = l->who};
  struct socket *end;
  int r = socket_new(l->domain, l->type, l->protocol, &ctx, &end);
  if (r) return r;
  socket_wire(s, end);
  end->limit = l->limit, end->send_buffer = l->send_buffer, end->pass_credentials = l->pass_credentials;
  end->keepalive = l->keepalive, end->no_delay = l->no_delay;
  list_add_tail(&l->backlog, &end->pending_link);
  l->backlog_count++;
  wait_wake(&l->read_wait, POLLIN | POLLRDNORM);
  return 0;
}

/* The two ends learn their names. */
static void name_ends(const struct socket *l, struct socket *s, const struct socket_address *to) {
  struct socket *end = s->peer;
  end->remote = s->local;
  s->remote = end->local = s->domain == AF_UNIX ? l->local : *to;
  if (s->domain != AF_UNIX && l->domain != s->domain) { /* an IPv4 client of an IPv6 listener */
    struct socket probe = {.domain = l->domain};
    inet_check_destination(&probe, &end->local), inet_check_destination(&probe, &end->remote);
  }
}

static bool is_full(const struct socket *l) { return l->backlog_count > l->backlog_max; }

/* ---- a connection that is under way ---- */
void socket_connecting_fail(struct socket *s, i32 error) {
  s->state = SOCKET_FRESH, s->error = error, s->failed = true;
  s->read_shut = s->write_shut = true, s->nothing_more = false;
  s->remote.bytes = 0;
  if (s->domain != AF_UNIX) inet_disconnect(s);
  socket_wake(s);
}

void socket_connecting_leave(struct socket *s) {
  if (!s->door) return;
  s->door = NULL, s->state = SOCKET_FRESH, s->remote.bytes = 0;
  list_remove(&s->pending_link);
  inet_disconnect(s);
  socket_wake(s);
  socket_put(s);
}

static struct socket *knocking_first(struct socket *l) {
  return list_empty(&l->knocking) ? NULL : CONTAINER_OF(l->knocking.next, struct socket, pending_link);
}

static struct socket *knocking_take(struct socket *l) {
  struct socket *s = knocking_first(l);
  if (!s) return NULL;
  list_remove(&s->pending_link);
  s->door = NULL;
  return s;
}

void socket_turn_away(struct socket *l) {
  for (struct socket *s; (s = knocking_take(l));) {
    socket_connecting_fail(s, ECONNREFUSED);
    socket_put(s);
  }
}

/* There may be room in the backlog: the first who wait for it come in. */
static void admit(struct socket *l) {
  while (!is_full(l) && knocking_first(l)) {
    struct socket *s = knocking_take(l);
    struct socket_address to = s->remote;
    int r = join(l, s);
    if (r) {
      socket_connecting_fail(s, -r);
    } else {
      name_ends(l, s, &to);
      s->unreported = true;
      socket_wake(s);
    }
    socket_put(s);
  }
}

static void knock(struct socket *l, struct socket *s, const struct socket_address *to) {
  s->state = SOCKET_CONNECTING, s->remote = *to, s->door = l, s->refs++;
  list_add_tail(&l->knocking, &s->pending_link);
}

/* What became of it, once: the socket may connect again when it failed. */
static int connecting_result(struct socket *s) {
  if (s->state == SOCKET_CONNECTED) {
    s->unreported = false;
    return 0;
  }
  if (!s->failed) return -ECONNABORTED; /* shutdown(2) by another thread */
  s->failed = s->read_shut = s->write_shut = false;
  return s->error ? socket_take_error(s) : -ECONNABORTED;
}

int socket_connecting_wait(struct socket *s, bool nonblock) {
  u64 deadline = s->send_timeout_ns ? host_monotonic_ns() + s->send_timeout_ns : WAIT_FOREVER;
  while (s->state == SOCKET_CONNECTING) {
    int r = nonblock ? -EINPROGRESS : wait_on(&s->write_wait, deadline);
    if (r) return r == -ETIMEDOUT ? -EINPROGRESS : r;
  }
  return connecting_result(s);
}

int socket_listen(struct socket *s, const struct socket_context *ctx, i32 backlog) {
  if (!socket_is_record(s)) return -EOPNOTSUPP;
  if (s->state == SOCKET_CONNECTED) return -EINVAL;
  if (!s->bound) {
    if (s->domain == AF_UNIX) return -EINVAL;
    int r = inet_autobind(s, NULL);
    if (r) return r;
  }
  s->backlog_max = backlog < 0 || backlog > SOMAXCONN ? SOMAXCONN : (u32)backlog;
  s->who = ctx->who; /* what SO_PEERCRED tells the clients */
  if (s->state == SOCKET_FRESH && s->domain != AF_UNIX) host_notify(ROLE_KERNEL, NOTIFY_LISTEN, inet_port(&s->local));
  s->state = SOCKET_LISTENING;
  admit(s);
  wait_wake(&s->write_wait, 0); /* there may be more room now */
  return 0;
}

static int find_listener(struct socket *s, const struct socket_context *ctx, const struct socket_address *a,
                         struct socket **out) {
  if (s->domain == AF_UNIX) {
    int r = unix_find(ctx, a, s->type, out);
    if (r) return r;
  } else {
    *out = inet_find(s, a);
    if (!*out) return -ECONNREFUSED;
    (*out)->refs++;
  }
  if ((*out)->state == SOCKET_LISTENING && !(*out)->read_shut) return 0;
  socket_put(*out);
  *out = NULL;
  return -ECONNREFUSED;
}

static int bridge_join(struct socket *s, const struct socket_address *a, bool nonblock) {
  struct socket *l = net_bridge(s);
  struct socket_address here;
  inet_loopback(s->domain, &here);
  int r = is_full(l) ? -EAGAIN : inet_autobind(s, &here);
  if (!r) r = join(l, s);
  if (r) {
    inet_disconnect(s);
    return r;
  }
  s->peer->remote = s->local;
  s->remote = s->peer->local = *a;
  net_bridge_ask(s);
  return socket_connecting_wait(s, nonblock);
}

/* Nothing waits for an AF_INET listener's room here: `s` knocks. */
static int inet_join(struct socket *s, struct socket *l, const struct socket_address *a, bool nonblock) {
  if (is_full(l)) {
    knock(l, s, a);
    return socket_connecting_wait(s, nonblock);
  }
  int r = join(l, s);
  if (r) return r;
  name_ends(l, s, a);
  s->unreported = nonblock;
  return nonblock ? -EINPROGRESS : 0;
}

static int unix_join(struct socket *s, const struct socket_context *ctx, struct socket_address *a, bool nonblock) {
  for (;;) {
    struct socket *l;
    int r = find_listener(s, ctx, a, &l);
    if (r) return r;
    if (is_full(l)) {
      u64 deadline = s->send_timeout_ns ? host_monotonic_ns() + s->send_timeout_ns : WAIT_FOREVER;
      r = nonblock ? -EAGAIN : wait_on(&l->write_wait, deadline);
      socket_put(l);
      if (r) return r == -ETIMEDOUT ? -EAGAIN : r;
      continue; /* it may be gone by now: look again */
    }
    if (!(r = join(l, s))) name_ends(l, s, a);
    socket_put(l);
    return r;
  }
}

static int stream_connect(struct socket *s, const struct socket_context *ctx, struct socket_address *a, bool nonblock) {
  if (s->domain != AF_UNIX && ADDRESS_FAMILY(a) == AF_UNSPEC) {
    socket_disconnect(s);
    return 0;
  }
  if (s->unreported || s->failed) return connecting_result(s);
  if (s->state == SOCKET_CONNECTED) return -EISCONN;
  if (s->state == SOCKET_LISTENING) return s->domain == AF_UNIX ? -EINVAL : -EISCONN;
  if (s->state == SOCKET_CONNECTING) return nonblock ? -EALREADY : socket_connecting_wait(s, false);
  if (s->domain == AF_UNIX) return unix_join(s, ctx, a, nonblock);
  struct socket_address out = *a;
  struct socket *l = NULL;
  bool leaves = net_bridge(s) && !inet_outside(s, &out);
  int r = leaves ? bridge_join(s, &out, nonblock) : inet_check_destination(s, a);
  if (leaves || r) return r;
  r = inet_autobind(s, a);
  if (r) return r;
  r = find_listener(s, ctx, a, &l);
  if (!r) r = inet_join(s, l, a, nonblock);
  if (l) socket_put(l);
  if (r == -ECONNREFUSED && nonblock && !s->failed && s->state == SOCKET_FRESH) {
    socket_connecting_fail(s, ECONNREFUSED);
    return -EINPROGRESS;
  }
  if (s->state == SOCKET_FRESH) inet_disconnect(s); /* the port goes back */
  return r;
}

static int datagram_connect(struct socket *s, const struct socket_context *ctx, struct socket_address *a) {
  struct socket *peer = NULL;
  int r = 0;
  if (ADDRESS_FAMILY(a) == AF_UNSPEC) {
    a->bytes = 0;
    if (s->domain != AF_UNIX) inet_disconnect(s);
  } else if (s->domain == AF_UNIX) {
    if ((r = unix_find(ctx, a, s->type, &peer))) return r;
    if (peer->peer && peer->peer != s && peer != s) {
      socket_put(peer);
      return -EPERM;
    }
    *a = peer->local;
  } else {
    r = inet_check_destination(s, a);
    if (!r) r = inet_autobind(s, a);
    if (r) return r;
  }
  struct socket *old = s->peer;
  s->peer = peer, s->remote = *a;
  s->state = a->bytes ? SOCKET_CONNECTED : SOCKET_FRESH;
  if (old) socket_put(old);
  wait_wake(&s->write_wait, POLLOUT | POLLWRNORM);
  return 0;
}

int socket_connect(struct socket *s, const struct socket_context *ctx, const struct socket_address *a, bool nonblock) {
  struct socket_address to = *a;
  if (to.bytes < 2) return -EINVAL;
  if (s->domain == AF_NETLINK) return netlink_connect(s, ctx, &to);
  return socket_is_record(s) ? stream_connect(s, ctx, &to, nonblock) : datagram_connect(s, ctx, &to);
}

int socket_accept(struct socket *s, bool nonblock, struct socket **out) {
  if (!socket_is_record(s)) return -EOPNOTSUPP;
  u64 deadline = s->receive_timeout_ns ? host_monotonic_ns() + s->receive_timeout_ns : WAIT_FOREVER;
  for (;;) {
    if (s->state != SOCKET_LISTENING || s->read_shut) return -EINVAL;
    if (!list_empty(&s->backlog)) break;
    int r = nonblock ? -EAGAIN : wait_on(&s->read_wait, deadline);
    if (r) return r == -ETIMEDOUT ? -EAGAIN : r;
  }
  struct socket *end = CONTAINER_OF(s->backlog.next, struct socket, pending_link);
  list_remove(&end->pending_link);
  s->backlog_count--;
  admit(s);
  wait_wake(&s->write_wait, 0);
  *out = end;
  return 0;
}

int socket_destination(struct socket *s, const struct socket_context *ctx, const struct socket_address *a,
                       struct socket **out, struct socket_address *to) {
  struct socket *d = NULL;
  *out = NULL;
  if (s->domain == AF_UNIX) {
    if (a) {
      int r = unix_find(ctx, a, s->type, &d);
      if (r) return r;
    } else {
      if (!s->peer) return -ENOTCONN;
      if (s->peer->closed) {
        d = s->peer;
        s->peer = NULL, s->state = SOCKET_FRESH, s->remote.bytes = 0;
        socket_put(d);
        return -ECONNREFUSED;
      }
      d = s->peer;
      d->refs++;
    }
    int r = d->peer && d->peer != s ? -EPERM : d->read_shut ? -EPIPE : 0;
    if (r) socket_put(d);
    else *out = d;
    return r;
  }
  *to = a ? *a : s->remote;
  if (!to->bytes) return -EDESTADDRREQ;
  int r = inet_check_destination(s, to);
  if (!r) r = inet_autobind(s, to);
  if (r) return r;
  d = inet_find(s, to);
  if (!d && !a) s->error = ECONNREFUSED; /* as an ICMP answer would tell a connected socket */
  if (d) d->refs++;
  *out = d;
  return 0;
}
