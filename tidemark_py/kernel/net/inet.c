/* inet: names of AF_INET and AF_INET6 sockets: the loopback addresses and their ports (ip(7), ipv6(7)).
 *
 * There is one interface, lo. Whatever is not 127.0.0.0/8, ::1 or the wildcard is unreachable but by a bridge (bridge.c). Inside, addresses are
 * compared in one form: 16 bytes, IPv4 as ::ffff:a.b.c.d. Missing: multicast, raw sockets, addresses of other hosts. */
#include "net.h"

#define PORT_FIRST 32768u
#define PORT_LAST 60999u

struct endpoint {
  u8 ip[16];
  u32 port;
};
static const u8 mapped[12] = {[10] = 0xff, [11] = 0xff};
static const u8 zero[16];
static struct list bound = {&bound, &bound};

static struct endpoint endpoint_of(const struct socket_address *a) {
  struct endpoint e = {.port = inet_port(a)};
  if (ADDRESS_FAMILY(a) == AF_INET6) {
    memcpy(e.ip, a->data + offsetof(struct guest_sockaddr_in6, sin6_addr), 16);
  } else {
    memcpy(e.ip, mapped, 12);
    memcpy(e.ip + 12, a->data + offsetof(struct guest_sockaddr_in, sin_addr), 4);
  }
  return e;
}
bool inet_is_v4(const u8 ip[16]) { return !memcmp(ip, mapped, sizeof mapped); }
static bool is_v4(const struct endpoint *e) { return inet_is_v4(e->ip); }
static bool is_any(const struct endpoint *e) {
  return !memcmp(e->ip, zero, 16) || (is_v4(e) && !memcmp(e->ip + 12, zero, 4));
}
static bool is_loopback(const struct endpoint *e) {
  static const u8 one[16] = {[15] = 1};
  return !memcmp(e->ip, one, 16) || (is_v4(e) && e->ip[12] == 127);
}

static void address_from(u32 domain, const struct endpoint *e, struct socket_address *a) {
  memset(a, 0, sizeof *a);
  a->data[0] = (u8)domain;
  a->data[2] = (u8)(e->port >> 8), a->data[3] = (u8)e->port;
  if (domain == AF_INET6) {
    a->bytes = sizeof(struct guest_sockaddr_in6);
    memcpy(a->data + offsetof(struct guest_sockaddr_in6, sin6_addr), e->ip, 16);
  } else {
    a->bytes = sizeof(struct guest_sockaddr_in);
    memcpy(a->data + offsetof(struct guest_sockaddr_in, sin_addr), e->ip + 12, 4);
  }
}

void inet_ip(const struct socket_address *a, u8 ip[16]) {
  struct endpoint e = endpoint_of(a);
  memcpy(ip, e.ip, sizeof e.ip);
}
u32 inet_port(const struct socket_address *a) { return (u32)a->data[2] << 8 | a->data[3]; }

void inet_any(u32 domain, struct socket_address *a) {
  struct endpoint e = {0};
  address_from(domain, &e, a);
}

static int check(u32 domain, const struct socket_address *a) {
  if (a->bytes < (domain == AF_INET6 ? 24u : sizeof(struct guest_sockaddr_in))) return -EINVAL;
  return ADDRESS_FAMILY(a) == domain ? 0 : -EAFNOSUPPORT;
}

static const struct endpoint loopback_v6 = {.ip = {[15] = 1}}, loopback_v4 = {.ip = {[10] = 0xff, 0xff, 127, [15] = 1}};

void inet_loopback(u32 domain, struct socket_address *a) {
  address_from(domain, domain == AF_INET ? &loopback_v4 : &loopback_v6, a);
}

/* A socket of AF_INET6 may be given names of both families. */
static int check_for(const struct socket *s, const struct socket_address *a) {
  return check(s->domain == AF_INET6 && ADDRESS_FAMILY(a) == AF_INET ? AF_INET : s->domain, a);
}

/* In the socket's own family; the wildcard means this host. */
int inet_check_destination(const struct socket *s, struct socket_address *a) {
  int r = check_for(s, a);
  if (r) return r;
  struct endpoint e = endpoint_of(a);
  if (is_any(&e)) memcpy(e.ip, (is_v4(&e) ? &loopback_v4 : &loopback_v6)->ip, sizeof e.ip);
  if (!is_loopback(&e) || (s->v6_only && is_v4(&e))) return -ENETUNREACH;
  address_from(s->domain, &e, a);
  return 0;
}

int inet_outside(const struct socket *s, struct socket_address *a) {
  int r = check_for(s, a);
  if (r) return r;
  struct endpoint e = endpoint_of(a);
  if (is_any(&e) || is_loopback(&e)) return -EINVAL;
  if ((s->v6_only && is_v4(&e)) || (is_v4(&e) && e.ip[12] >= 224) || (!is_v4(&e) && e.ip[0] == 0xff)) return -ENETUNREACH;
  address_from(s->domain, &e, a);
  return 0;
}

/* Do two bound names stand for a common address? */
static bool overlap(const struct socket *a, const struct endpoint *x, const struct socket *b, const struct endpoint *y) {
  if (x->port != y->port) return false;
  if (is_any(x) && (a->domain == AF_INET6 ? !(a->v6_only && is_v4(y)) : b->domain == AF_INET || is_v4(y) || !b->v6_only))
    return true;
  if (is_any(y) && (b->domain == AF_INET6 ? !(b->v6_only && is_v4(x)) : a->domain == AF_INET || is_v4(x) || !a->v6_only))
    return true;
  return !memcmp(x->ip, y->ip, 16);
}

static bool conflicts(const struct socket *s, const struct endpoint *e) {
  LIST_FOR(o, &bound, struct socket, names) {
    if (o == s || o->protocol != s->protocol) continue;
    struct endpoint theirs = endpoint_of(&o->local);
    if (!overlap(s, e, o, &theirs)) continue;
    if (s->reuse_port && o->reuse_port) continue;
    if (s->reuse_address && o->reuse_address && o->state != SOCKET_LISTENING) continue;
    return true;
  }
  return false;
}

static int take_port(struct socket *s, struct endpoint *e) {
  if (e->port) {
    if (conflicts(s, e)) return -EADDRINUSE;
  } else {
    static u32 next;
    u32 tries = PORT_LAST - PORT_FIRST + 1;
    if (!next) {
      host_random(&next, sizeof next);
      next %= tries;
    }
    do {
      if (!tries--) return -EADDRINUSE;
      e->port = PORT_FIRST + next++ % (PORT_LAST - PORT_FIRST + 1);
    } while (conflicts(s, e));
  }
  address_from(s->domain, e, &s->local);
  s->bound = true;
  list_add_tail(&bound, &s->names);
  return 0;
}

int inet_bind(struct socket *s, const struct socket_context *ctx, const struct socket_address *a) {
  int r = check(s->domain, a);
  if (r) return r == -EAFNOSUPPORT && s->domain == AF_INET && ADDRESS_FAMILY(a) == AF_UNSPEC ? -EINVAL : r;
  struct endpoint e = endpoint_of(a);
  if (!is_any(&e) && !is_loopback(&e)) return -EADDRNOTAVAIL;
  if (e.port && e.port < 1024 && !credentials_capable(ctx->cred, CAP_NET_BIND_SERVICE)) return -EACCES;
  bool chose_port = e.port != 0;
  if ((r = take_port(s, &e))) return r;
  s->chose_address = !is_any(&e), s->chose_port = chose_port;
  return 0;
}

/* A port for a socket that sends without having bound, on the address it sends from. */
int inet_autobind(struct socket *s, const struct socket_address *towards) {
  struct endpoint e = {0};
  if (s->bound) { /* a wildcard becomes the address in use once connected; the port stays */
    if (towards && socket_is_record(s)) {
      struct endpoint mine = endpoint_of(&s->local), to = endpoint_of(towards);
      if (is_any(&mine)) {
        memcpy(mine.ip, to.ip, 16);
        address_from(s->domain, &mine, &s->local);
      }
    }
    return 0;
  }
  if (towards) {
    e = endpoint_of(towards);
    e.port = 0;
  } else if (s->domain == AF_INET) {
    memcpy(e.ip, mapped, 12);
  }
  return take_port(s, &e);
}

/* What of the name nobody chose is given back (Linux' __udp_disconnect, inet_reset_saddr). */
void inet_disconnect(struct socket *s) {
  struct endpoint e = endpoint_of(&s->local);
  if (!s->chose_address) memset(e.ip, 0, 16);
  if (!s->chose_port) {
    if (s->bound) inet_unbind(s);
    s->bound = false;
    e.port = 0;
  }
  address_from(s->domain, &e, &s->local);
}

struct socket *inet_find(const struct socket *from, const struct socket_address *a) {
  struct endpoint to = endpoint_of(a), me = endpoint_of(&from->local);
  struct socket *best = NULL;
  int best_score = 0;
  LIST_FOR(s, &bound, struct socket, names) {
    if (s->protocol != from->protocol || (socket_is_record(s) && s->state != SOCKET_LISTENING)) continue;
    struct endpoint name = endpoint_of(&s->local);
    if (name.port != to.port) continue;
    int score = 0;
    if (!memcmp(name.ip, to.ip, 16))
      score = 2;
    else if (is_any(&name) && (s->domain == AF_INET ? is_v4(&to) : !(s->v6_only && is_v4(&to))))
      score = 1;
    if (!score) continue;
    if (!socket_is_record(s) && s->remote.bytes) { /* connected: hears its peer alone */
      struct endpoint peer = endpoint_of(&s->remote);
      if (peer.port != me.port || memcmp(peer.ip, me.ip, 16)) {
        if (!is_any(&me) || peer.port != me.port) continue;
      }
      score += 2;
    }
    if (score > best_score) best = s, best_score = score;
  }
  return best;
}

void inet_unbind(struct socket *s) { list_remove(&s->names); }
