/* options: getsockopt(2), setsockopt(2), by socket(7), unix(7), tcp(7), ip(7), ipv6(7).
 *
 * Options that have an effect here are kept and honoured; those that only tune a real network are kept where a program
 * reads them back, or accepted. An unknown one is ENOPROTOOPT. */
#include "ancillary.h"

static int as_int(const u8 *value, u32 bytes, i32 *v) {
  if (bytes < sizeof *v) return -EINVAL;
  memcpy(v, value, sizeof *v);
  return 0;
}

static int set_timeout(const u8 *value, u32 bytes, u64 *ns) {
  struct guest_timeval tv;
  if (bytes < sizeof tv) return -EINVAL;
  memcpy(&tv, value, sizeof tv);
  if (tv.tv_usec < 0 || tv.tv_usec >= 1000000) return -EDOM;
  *ns = tv.tv_sec < 0 || tv.tv_sec > 1000000000 ? 0 : (u64)tv.tv_sec * 1000000000u + (u64)tv.tv_usec * 1000u;
  return 0;
}

static int set_socket_level(struct socket *s, i32 name, const u8 *value, u32 bytes) {
  i32 v = 0;
  if (name == SO_RCVTIMEO) return set_timeout(value, bytes, &s->receive_timeout_ns);
  if (name == SO_SNDTIMEO) return set_timeout(value, bytes, &s->send_timeout_ns);
  if (name == SO_BINDTODEVICE || name == SO_ATTACH_FILTER) return -EPERM;
  int r = as_int(value, bytes, &v);
  if (r) return r;
  u32 size = (u32)MIN(MAX(v, 1152), 4 << 20) * 2; /* Linux doubles what is asked */
  switch (name) {
    case SO_REUSEADDR: s->reuse_address = v; return 0;
    case SO_REUSEPORT: s->reuse_port = v; return 0;
    case SO_KEEPALIVE: s->keepalive = v; return 0;
    case SO_BROADCAST: s->broadcast = v; return 0;
    case SO_PASSCRED:
      if (s->domain != AF_UNIX) return -EOPNOTSUPP;
      s->pass_credentials = v;
      return 0;
    case SO_OOBINLINE: s->oob_inline = v; return 0;
    case SO_TIMESTAMP: s->timestamp = v; return 0;
    case SO_RCVBUF:
    case SO_RCVBUFFORCE:
      s->limit = MAX(size, 2304u);
      socket_wake_writers(s);
      return 0;
    case SO_SNDBUF:
    case SO_SNDBUFFORCE: s->send_buffer = MAX(size, 4608u); return 0;
    case SO_RCVLOWAT: s->receive_low = v > 0 ? (u32)v : 1; return 0;
    case SO_PRIORITY: s->priority = (u32)v; return 0;
    case SO_MARK: s->mark = (u32)v; return 0;
    case SO_LINGER:
      if (bytes < sizeof(struct guest_linger)) return -EINVAL;
      s->linger_on = v != 0;
      memcpy(&s->linger_seconds, value + 4, 4);
      return 0;
    case SO_DEBUG:
    case SO_DONTROUTE:
    case SO_NO_CHECK:
    case SO_BUSY_POLL:
    case SO_TIMESTAMPNS:
    case SO_TIMESTAMPING:
    case SO_INCOMING_CPU:
    case SO_MAX_PACING_RATE: return 0;
    case SO_TYPE:
    case SO_ERROR:
    case SO_ACCEPTCONN:
    case SO_DOMAIN:
    case SO_PROTOCOL: return -ENOPROTOOPT;
  }
  return -ENOPROTOOPT;
}

int socket_option_set(struct socket *s, i32 level, i32 name, const u8 *value, u32 bytes) {
  i32 v = 0;
  if (level == SOL_SOCKET) return set_socket_level(s, name, value, bytes);
  if (s->domain == AF_UNIX) return -EOPNOTSUPP;
  if (s->domain == AF_NETLINK) return level == SOL_NETLINK ? netlink_option_set(name) : -ENOPROTOOPT;
  if (bytes && bytes < sizeof v) /* many IP options take a byte as well */
    v = value[0];
  else if (as_int(value, bytes, &v))
    return -EINVAL;
  if (level == SOL_TCP && s->type == SOCK_STREAM) {
    switch (name) {
      case TCP_NODELAY: s->no_delay = v; return 0;
      case TCP_CORK:
      case TCP_KEEPIDLE:
      case TCP_KEEPINTVL:
      case TCP_KEEPCNT:
      case TCP_USER_TIMEOUT:
      case TCP_DEFER_ACCEPT:
      case TCP_QUICKACK:
      case TCP_SYNCNT:
      case TCP_LINGER2:
      case TCP_WINDOW_CLAMP:
      case TCP_FASTOPEN:
      case TCP_MAXSEG:
      case TCP_NOTSENT_LOWAT: return 0;
    }
    return -ENOPROTOOPT;
  }
  if (level == SOL_UDPLITE && s->protocol == IPPROTO_UDPLITE) {
    if (name != UDPLITE_SEND_CSCOV && name != UDPLITE_RECV_CSCOV) return -ENOPROTOOPT;
    s->coverage[name == UDPLITE_RECV_CSCOV] = v && v < 8 ? 8 : (u32)MIN(MAX(v, 0), 65535); /* a part of the head is none */
    return 0;
  }
  if (level == SOL_IPV6 && s->domain == AF_INET6) {
    if (name != IPV6_V6ONLY) return ancillary_option_set(s, level, name, v);
    if (s->bound) return -EINVAL;
    s->v6_only = v;
    return 0;
  }
  return level == SOL_IP ? ancillary_option_set(s, level, name, v) : -ENOPROTOOPT;
}

static int give(u8 *value, u32 *bytes, const void *from, u32 n) {
  *bytes = MIN(*bytes, n);
  memcpy(value, from, *bytes);
  return 0;
}
static int give_int(u8 *value, u32 *bytes, i64 v) {
  i32 number = (i32)v;
  return give(value, bytes, &number, sizeof number);
}
static int give_timeout(u8 *value, u32 *bytes, u64 ns) {
  struct guest_timeval tv = {.tv_sec = (i64)(ns / 1000000000u), .tv_usec = (i64)(ns / 1000u % 1000000u)};
  return give(value, bytes, &tv, sizeof tv);
}

int socket_option_get(struct socket *s, i32 level, i32 name, u8 *value, u32 *bytes) {
  if (level == SOL_SOCKET) {
    switch (name) {
      case SO_TYPE: return give_int(value, bytes, s->type);
      case SO_DOMAIN: return give_int(value, bytes, s->domain);
      case SO_PROTOCOL: return give_int(value, bytes, s->protocol);
      case SO_ERROR: return give_int(value, bytes, -socket_take_error(s));
      case SO_ACCEPTCONN: return give_int(value, bytes, s->state == SOCKET_LISTENING);
      case SO_REUSEADDR: return give_int(value, bytes, s->reuse_address);
      case SO_REUSEPORT: return give_int(value, bytes, s->reuse_port);
      case SO_KEEPALIVE: return give_int(value, bytes, s->keepalive);
      case SO_BROADCAST: return give_int(value, bytes, s->broadcast);
      case SO_PASSCRED: return s->domain == AF_UNIX ? give_int(value, bytes, s->pass_credentials) : -EOPNOTSUPP;
      case SO_OOBINLINE: return give_int(value, bytes, s->oob_inline);
      case SO_TIMESTAMP: return give_int(value, bytes, s->timestamp);
      case SO_RCVBUF: return give_int(value, bytes, s->limit);
      case SO_SNDBUF: return give_int(value, bytes, s->send_buffer);
      case SO_RCVLOWAT: return give_int(value, bytes, s->receive_low);
      case SO_SNDLOWAT: return give_int(value, bytes, 1);
      case SO_PRIORITY: return give_int(value, bytes, s->priority);
      case SO_MARK: return give_int(value, bytes, s->mark);
      case SO_DEBUG:
      case SO_DONTROUTE:
      case SO_NO_CHECK: return give_int(value, bytes, 0);
      case SO_INCOMING_CPU: return give_int(value, bytes, 0);
      case SO_RCVTIMEO: return give_timeout(value, bytes, s->receive_timeout_ns);
      case SO_SNDTIMEO: return give_timeout(value, bytes, s->send_timeout_ns);
      case SO_LINGER: {
        struct guest_linger l = {.l_onoff = (i32)s->linger_on, .l_linger = (i32)s->linger_seconds};
        return give(value, bytes, &l, sizeof l);
      }
      case SO_PEERCRED: return give(value, bytes, &s->peer_who, sizeof s->peer_who);
      case SO_PEERNAME:
        if (!s->remote.bytes) return -ENOTCONN;
        return give(value, bytes, s->remote.data, s->remote.bytes);
    }
    return -ENOPROTOOPT;
  }
  if (s->domain == AF_UNIX) return -EOPNOTSUPP;
  if (s->domain == AF_NETLINK) return -ENOPROTOOPT;
  if (level == SOL_TCP && s->type == SOCK_STREAM) {
    switch (name) {
      case TCP_NODELAY: return give_int(value, bytes, s->no_delay);
      case TCP_MAXSEG: return give_int(value, bytes, 65483);
      case TCP_KEEPIDLE: return give_int(value, bytes, 7200);
      case TCP_KEEPINTVL: return give_int(value, bytes, 75);
      case TCP_KEEPCNT: return give_int(value, bytes, 9);
      case TCP_CORK:
      case TCP_USER_TIMEOUT:
      case TCP_DEFER_ACCEPT: return give_int(value, bytes, 0);
      case TCP_INFO: {
        u8 info[104] = {[0] = s->state == SOCKET_CONNECTED ? TCP_ESTABLISHED : s->state == SOCKET_LISTENING ? TCP_LISTEN : TCP_CLOSE};
        return give(value, bytes, info, sizeof info);
      }
    }
    return -ENOPROTOOPT;
  }
  if (level == SOL_UDPLITE && s->protocol == IPPROTO_UDPLITE) {
    if (name != UDPLITE_SEND_CSCOV && name != UDPLITE_RECV_CSCOV) return -ENOPROTOOPT;
    return give_int(value, bytes, s->coverage[name == UDPLITE_RECV_CSCOV]);
  }
  if (level == SOL_IPV6 && s->domain == AF_INET6) {
    if (name == IPV6_V6ONLY) return give_int(value, bytes, s->v6_only);
    return give_int(value, bytes, ancillary_option_get(s, level, name));
  }
  if (level == SOL_IP && name == IP_OPTIONS) { /* none: no header of ours has any */
    *bytes = 0;
    return 0;
  }
  if (level == SOL_IP) return give_int(value, bytes, ancillary_option_get(s, level, name));
  return -EOPNOTSUPP;
}
