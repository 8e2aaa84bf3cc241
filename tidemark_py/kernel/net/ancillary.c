/* ancillary: what the head of a datagram says beside its bytes, as options and control messages (ip(7), ipv6(7), RFC 3542):
 * hop limit, traffic class, destination. There is no wire: what the sender gives is what the receiver is told.
 * Missing: options of the head, other interfaces' numbers; a source address in IP_PKTINFO is not obeyed. */
#include "ancillary.h"

#define HOPS_DEFAULT 64

int ancillary_option_set(struct socket *s, i32 level, i32 name, i32 v) {
  bool v6 = level == SOL_IPV6;
  switch (name) {
    case IPV6_UNICAST_HOPS:
      if (!v6) break;
      if (v < -1 || v > 255) return -EINVAL;
      s->hops6 = v < 0 ? HOPS_DEFAULT : (u8)v;
      return 0;
    case IPV6_TCLASS:
      if (!v6) break;
      if (v < -1 || v > 255) return -EINVAL;
      s->traffic_class = v < 0 ? 0 : (u8)v;
      return 0;
    case IPV6_RECVPKTINFO:
      if (v6) s->tells_destination6 = v;
      return 0;
    case IPV6_RECVHOPLIMIT:
      if (v6) s->tells_hops6 = v;
      return 0;
    case IPV6_RECVTCLASS:
      if (v6) s->tells_class6 = v;
      return 0;
  }
  if (v6) return 0;
  switch (name) {
    case IP_TTL:
      if (v != -1 && (v < 1 || v > 255)) return -EINVAL;
      s->hops = v < 0 ? HOPS_DEFAULT : (u8)v;
      break;
    case IP_TOS: s->service = (u32)v & 0xff; break;
    case IP_PKTINFO: s->tells_destination = v; break;
    case IP_RECVTTL: s->tells_hops = v; break;
    case IP_RECVTOS: s->tells_class = v; break;
  }
  return 0;
}

i32 ancillary_option_get(const struct socket *s, i32 level, i32 name) {
  if (level == SOL_IPV6) {
    switch (name) {
      case IPV6_UNICAST_HOPS: return s->hops6;
      case IPV6_TCLASS: return s->traffic_class;
      case IPV6_RECVPKTINFO: return s->tells_destination6;
      case IPV6_RECVHOPLIMIT: return s->tells_hops6;
      case IPV6_RECVTCLASS: return s->tells_class6;
      case IPV6_MTU: return 65536;
    }
    return 0;
  }
  switch (name) {
    case IP_TTL: return s->hops;
    case IP_TOS: return (i32)s->service;
    case IP_PKTINFO: return s->tells_destination;
    case IP_RECVTTL: return s->tells_hops;
    case IP_RECVTOS: return s->tells_class;
    case IP_MTU: return 65536;
  }
  return 0;
}

void ancillary_fresh(struct socket *s) { s->hops = s->hops6 = HOPS_DEFAULT; }

/* Of a datagram from s to the address `to`, with what m orders instead of the socket's own. */
struct packet_head ancillary_head(const struct socket *s, const struct socket_message *m, const struct socket_address *to) {
  struct packet_head h = {0};
  inet_ip(to, h.to);
  bool v4 = inet_is_v4(h.to);
  h.hops = m->orders_hops ? m->head.hops : v4 ? s->hops : s->hops6;
  h.traffic_class = m->orders_class ? m->head.traffic_class : v4 ? (u8)s->service : s->traffic_class;
  return h;
}

int ancillary_in(const struct socket *s, i32 level, i32 type, const u8 *body, u64 bytes, struct socket_message *m) {
  i32 v = 0;
  if (s->type != SOCK_DGRAM || (level != SOL_IP && level != SOL_IPV6)) return 0;
  if (level == SOL_IPV6 ? type == IPV6_PKTINFO : type == IP_PKTINFO) return 0;
  bool byte = level == SOL_IP && type == IP_TOS && bytes == 1;
  if (!byte && bytes != sizeof v) return -EINVAL;
  memcpy(&v, body, bytes);
  bool hops = level == SOL_IPV6 ? type == IPV6_HOPLIMIT : type == IP_TTL;
  bool class = level == SOL_IPV6 ? type == IPV6_TCLASS : type == IP_TOS;
  if (v < -1 || v > 255 || (level == SOL_IP && hops && v < 1)) return -EINVAL;
  if (hops && v >= 0) m->orders_hops = true, m->head.hops = (u8)v;
  if (class && v >= 0) m->orders_class = true, m->head.traffic_class = (u8)v;
  return hops || class ? 0 : -EINVAL;
}

static u32 add(struct ancillary *a, i32 level, i32 type, const void *data, u32 bytes) {
  a->level = level, a->type = type, a->bytes = bytes;
  memcpy(a->data, data, bytes);
  return 1;
}

u32 ancillary_out(const struct socket *s, const struct packet_head *h, struct ancillary out[ANCILLARY_MAX]) {
  u32 n = 0;
  i32 hops = h->hops, class = h->traffic_class, interface = 1;
  u8 info[20] = {0};
  if (s->type != SOCK_DGRAM) return 0;
  if (s->domain == AF_INET6) {
    memcpy(info, h->to, 16), memcpy(info + 16, &interface, 4);
    if (s->tells_destination6) n += add(out + n, SOL_IPV6, IPV6_PKTINFO, info, 20);
    if (inet_is_v4(h->to)) return n;
    if (s->tells_hops6) n += add(out + n, SOL_IPV6, IPV6_HOPLIMIT, &hops, sizeof hops);
    if (s->tells_class6) n += add(out + n, SOL_IPV6, IPV6_TCLASS, &class, sizeof class);
  } else if (s->domain == AF_INET) {
    memcpy(info, &interface, 4), memcpy(info + 4, h->to + 12, 4), memcpy(info + 8, h->to + 12, 4);
    if (s->tells_destination) n += add(out + n, SOL_IP, IP_PKTINFO, info, 12);
    if (s->tells_hops) n += add(out + n, SOL_IP, IP_TTL, &hops, sizeof hops);
    if (s->tells_class) n += add(out + n, SOL_IP, IP_TOS, &h->traffic_class, 1);
  }
  return n;
}
