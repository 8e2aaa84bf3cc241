/* netlink: AF_NETLINK sockets that ask about links and addresses (netlink(7), rtnetlink(7)); getifaddrs(3), ip(8).
 *
 * A request is answered while it is sent: the answers stand in the socket's own queue when send returns. What a list
 * gives is one message for lo, or one for each of its two addresses. Nothing can be changed and nothing changes, so groups
 * may be joined and never say anything. Missing: protocols but NETLINK_ROUTE, routes and neighbours (an empty list:
 * the table that ip(8) shows is empty), messages between processes. */
#include "interface.h"

static struct list bound = {&bound, &bound};

static u32 port_of(const struct socket *s) {
  struct guest_sockaddr_nl a;
  memcpy(&a, s->local.data, sizeof a);
  return s->local.bytes ? a.nl_pid : 0;
}
static void address_from(u32 port, u32 groups, struct socket_address *a) {
  struct guest_sockaddr_nl nl = {.nl_family = AF_NETLINK, .nl_pid = port, .nl_groups = groups};
  *a = (struct socket_address){.bytes = sizeof nl};
  memcpy(a->data, &nl, sizeof nl);
}
static int address_to(const struct socket_address *a, struct guest_sockaddr_nl *nl) {
  if (a->bytes < sizeof *nl || ADDRESS_FAMILY(a) != AF_NETLINK) return -EINVAL;
  memcpy(nl, a->data, sizeof *nl);
  return 0;
}

static bool port_taken(u32 port) {
  LIST_FOR(s, &bound, struct socket, names) if (port_of(s) == port) return true;
  return false;
}

/* port 0: the process's number, or, when another socket has it, one from the top. */
static int bind_port(struct socket *s, u32 port, u32 pid, u32 groups) {
  static u32 rover = (u32)-4096;
  if (s->bound) {
    if (port && port != port_of(s)) return -EINVAL;
    port = port_of(s);
  } else {
    if (port && port_taken(port)) return -EADDRINUSE;
    if (!port) port = pid;
    while (port_taken(port)) port = rover--;
    s->bound = true;
    list_add_tail(&bound, &s->names);
  }
  address_from(port, groups, &s->local);
  return 0;
}

int netlink_bind(struct socket *s, const struct socket_context *ctx, const struct socket_address *a) {
  struct guest_sockaddr_nl nl;
  int r = address_to(a, &nl);
  return r ? r : bind_port(s, nl.nl_pid, (u32)ctx->who.pid, nl.nl_groups);
}

int netlink_connect(struct socket *s, const struct socket_context *ctx, const struct socket_address *a) {
  struct guest_sockaddr_nl nl;
  if (ADDRESS_FAMILY(a) == AF_UNSPEC) {
    s->remote.bytes = 0, s->state = SOCKET_FRESH;
    return 0;
  }
  int r = address_to(a, &nl);
  if (!r && !s->bound) r = bind_port(s, 0, (u32)ctx->who.pid, 0);
  if (r) return r;
  s->remote = *a, s->state = SOCKET_CONNECTED;
  return 0;
}

void netlink_unbind(struct socket *s) { list_remove(&s->names); }

/* ---- answers: a buffer that messages and attributes are put into ---- */
struct answer {
  u8 data[2048];
  u32 bytes, message; /* message: where the one being made begins */
};

static void *put(struct answer *a, u32 bytes) {
  kassert(a->bytes + ALIGN_UP(bytes, 4u) <= sizeof a->data);
  void *at = a->data + a->bytes;
  a->bytes += ALIGN_UP(bytes, 4u);
  return at;
}
static void message_begin(struct answer *a, const struct socket *s, const struct guest_nlmsghdr *q, u32 type, u32 flags) {
  a->message = a->bytes;
  struct guest_nlmsghdr h = {.nlmsg_type = (u16)type, .nlmsg_flags = (u16)flags, .nlmsg_seq = q->nlmsg_seq,
                             .nlmsg_pid = port_of(s)};
  memcpy(put(a, sizeof h), &h, sizeof h);
}
static void message_end(struct answer *a) {
  u32 bytes = a->bytes - a->message;
  memcpy(a->data + a->message, &bytes, sizeof bytes);
}
static void attribute(struct answer *a, u32 type, const void *data, u32 bytes) {
  struct guest_rtattr h = {.rta_len = (u16)(sizeof h + bytes), .rta_type = (u16)type};
  u8 *at = put(a, h.rta_len);
  memcpy(at, &h, sizeof h);
  memcpy(at + sizeof h, data, bytes);
}
static void attribute_u32(struct answer *a, u32 type, u32 v) { attribute(a, type, &v, sizeof v); }
static void attribute_u8(struct answer *a, u32 type, u8 v) { attribute(a, type, &v, sizeof v); }

/* To the asker. A full queue loses it, and says so (ENOBUFS). */
static int deliver(struct socket *s, struct answer *a) {
  struct packet *p = socket_has_room(s) ? packet_new(a->bytes) : NULL;
  if (!p) {
    s->error = ENOBUFS;
    return 0;
  }
  memcpy(p->data, a->data, a->bytes);
  p->bytes = a->bytes;
  address_from(0, 0, &p->from);
  socket_enqueue(s, p);
  a->bytes = 0;
  return 0;
}

/* ---- what there is ---- */
static void put_link(struct answer *a) {
  static const u8 nothing[200]; /* an address of six bytes, counters of nothing */
  struct guest_ifinfomsg i = {.ifi_type = ARPHRD_LOOPBACK, .ifi_index = INTERFACE_INDEX, .ifi_flags = INTERFACE_FLAGS};
  memcpy(put(a, sizeof i), &i, sizeof i);
  attribute(a, IFLA_IFNAME, INTERFACE_NAME, sizeof INTERFACE_NAME);
  attribute_u32(a, IFLA_TXQLEN, INTERFACE_QUEUE);
  attribute_u8(a, IFLA_OPERSTATE, 0), attribute_u8(a, IFLA_LINKMODE, 0);
  attribute_u32(a, IFLA_MTU, INTERFACE_MTU);
  attribute_u32(a, IFLA_GROUP, 0), attribute_u32(a, IFLA_PROMISCUITY, 0);
  attribute_u32(a, IFLA_NUM_TX_QUEUES, 1), attribute_u32(a, IFLA_NUM_RX_QUEUES, 1);
  attribute_u8(a, IFLA_CARRIER, 1);
  attribute(a, IFLA_ADDRESS, nothing, 6), attribute(a, IFLA_BROADCAST, nothing, 6);
  attribute(a, IFLA_STATS64, nothing, 200), attribute(a, IFLA_STATS, nothing, 96);
  attribute(a, IFLA_QDISC, "noqueue", sizeof "noqueue");
}

static void put_address(struct answer *a, u32 family) {
  static const u8 v4[4] = {127, 0, 0, 1}, v6[16] = {[15] = 1};
  static const u32 lifetimes[4] = {~0u, ~0u, 0, 0}; /* preferred, valid, made, changed */
  struct guest_ifaddrmsg i = {.ifa_family = (u8)family, .ifa_prefixlen = family == AF_INET ? 8 : 128,
                              .ifa_flags = IFA_F_PERMANENT, .ifa_scope = RT_SCOPE_HOST, .ifa_index = INTERFACE_INDEX};
  memcpy(put(a, sizeof i), &i, sizeof i);
  if (family == AF_INET) {
    attribute(a, IFA_ADDRESS, v4, sizeof v4), attribute(a, IFA_LOCAL, v4, sizeof v4);
    attribute(a, IFA_LABEL, INTERFACE_NAME, sizeof INTERFACE_NAME);
  } else {
    attribute(a, IFA_ADDRESS, v6, sizeof v6);
  }
  attribute_u32(a, IFA_FLAGS, IFA_F_PERMANENT);
  attribute(a, IFA_CACHEINFO, lifetimes, sizeof lifetimes);
}

/* RTM_GETLINK for one: by number, or by name in an attribute. 0 or -errno. */
static int find_link(const u8 *body, u32 bytes) {
  struct guest_ifinfomsg i;
  if (bytes < sizeof i) return -EINVAL;
  memcpy(&i, body, sizeof i);
  if (i.ifi_index) return i.ifi_index == INTERFACE_INDEX ? 0 : -ENODEV;
  for (u32 at = sizeof i; at < bytes && bytes - at >= sizeof(struct guest_rtattr);) {
    struct guest_rtattr h;
    memcpy(&h, body + at, sizeof h);
    if (h.rta_len < sizeof h || h.rta_len > bytes - at) break;
    if (h.rta_type == IFLA_IFNAME) {
      const char *name = (const char *)body + at + sizeof h;
      u32 length = (u32)h.rta_len - (u32)sizeof h;
      if (length && !name[length - 1]) length--;
      return length == sizeof INTERFACE_NAME - 1 && !memcmp(name, INTERFACE_NAME, length) ? 0 : -ENODEV;
    }
    at += ALIGN_UP(h.rta_len, 4u);
  }
  return -EINVAL;
}

/* One request: its answers go into the queue; what it says itself (an acknowledgement, if asked for): 0 or -errno. */
static int request(struct socket *s, const struct socket_context *ctx, const struct guest_nlmsghdr *q, const u8 *body,
                   u32 bytes, struct answer *a, bool *listed) {
  *listed = false;
  if (!(q->nlmsg_flags & NLM_F_REQUEST) || q->nlmsg_type < NLMSG_MIN_TYPE) return 0;
  if (q->nlmsg_type > RTM_MAX) return -EOPNOTSUPP;
  if (!bytes) return 0;
  bool may = ctx && credentials_capable(ctx->cred, CAP_NET_ADMIN); /* write(2) brings no context */
  if ((q->nlmsg_type & 3) != 2) return may ? -EOPNOTSUPP : -EPERM;
  bool list = (q->nlmsg_flags & NLM_F_DUMP) != 0;
  u32 family = body[0];
  if (!list) {
    int r = q->nlmsg_type == RTM_GETLINK ? find_link(body, bytes) : -EOPNOTSUPP;
    if (r) return r;
    message_begin(a, s, q, RTM_NEWLINK, 0), put_link(a), message_end(a);
    return deliver(s, a);
  }
  switch (q->nlmsg_type) {
    case RTM_GETLINK: message_begin(a, s, q, RTM_NEWLINK, NLM_F_MULTI), put_link(a), message_end(a); break;
    case RTM_GETADDR:
      if (family == AF_UNSPEC || family == AF_INET)
        message_begin(a, s, q, RTM_NEWADDR, NLM_F_MULTI), put_address(a, AF_INET), message_end(a);
      if (family == AF_UNSPEC || family == AF_INET6)
        message_begin(a, s, q, RTM_NEWADDR, NLM_F_MULTI), put_address(a, AF_INET6), message_end(a);
      break;
    case RTM_GETROUTE:
    case RTM_GETNEIGH: break;
    default: return -EOPNOTSUPP;
  }
  if (a->bytes) deliver(s, a);
  message_begin(a, s, q, NLMSG_DONE, NLM_F_MULTI);
  memset(put(a, 4), 0, 4);
  message_end(a);
  *listed = true;
  return deliver(s, a);
}

/* NLMSG_ERROR: the errno, then the request: whole when it failed, else its head. */
static void acknowledge(struct socket *s, const u8 *message, u32 bytes, int error, struct answer *a) {
  struct guest_nlmsghdr q;
  memcpy(&q, message, sizeof q);
  u32 quoted = error && bytes <= 1024 ? bytes : (u32)sizeof q;
  message_begin(a, s, &q, NLMSG_ERROR, quoted == bytes && error ? 0 : NLM_F_CAPPED);
  memcpy(put(a, sizeof error), &error, sizeof error);
  memcpy(put(a, quoted), message, quoted);
  message_end(a);
  deliver(s, a);
}

i64 netlink_send(struct socket *s, struct iobuf *io, const struct socket_message *m, const struct socket_context *ctx) {
  struct guest_sockaddr_nl to = {0};
  int r = m->name.bytes ? address_to(&m->name, &to) : 0;
  if (!r && !m->name.bytes && s->remote.bytes) r = address_to(&s->remote, &to);
  if (r) return r;
  if (to.nl_pid) return -ECONNREFUSED; /* nobody but the kernel listens */
  if (io->left > s->send_buffer - 32) return -EMSGSIZE;
  if (!s->bound) bind_port(s, 0, m->who.pid ? (u32)m->who.pid : 0, 0);
  u64 bytes = io->left;
  if (!bytes) return 0;
  AUTO_KFREE u8 *data = kmalloc(bytes);
  AUTO_KFREE struct answer *a = kmalloc(sizeof *a);
  if (!data || !a) return -ENOBUFS;
  for (u64 done = 0; done < bytes;) {
    i64 n = iobuf_read(io, data + done, bytes - done);
    if (n <= 0) return n ? n : -EFAULT;
    done += (u64)n;
  }
  for (u64 at = 0; bytes - at >= sizeof(struct guest_nlmsghdr);) {
    struct guest_nlmsghdr q;
    bool listed;
    memcpy(&q, data + at, sizeof q);
    if (q.nlmsg_len < sizeof q || q.nlmsg_len > bytes - at) break;
    a->bytes = 0;
    r = request(s, ctx, &q, data + at + sizeof q, q.nlmsg_len - (u32)sizeof q, a, &listed);
    if (r || (q.nlmsg_flags & NLM_F_ACK && !listed)) acknowledge(s, data + at, q.nlmsg_len, r, a);
    u64 step = ALIGN_UP((u64)q.nlmsg_len, 4ull);
    if (step >= bytes - at) break;
    at += step;
  }
  return (i64)bytes;
}

int netlink_option_set(i32 name) {
  switch (name) {
    case NETLINK_ADD_MEMBERSHIP:
    case NETLINK_DROP_MEMBERSHIP:
    case NETLINK_PKTINFO:
    case NETLINK_BROADCAST_ERROR:
    case NETLINK_NO_ENOBUFS:
    case NETLINK_CAP_ACK:
    case NETLINK_EXT_ACK:
    case NETLINK_GET_STRICT_CHK: return 0;
  }
  return -ENOPROTOOPT;
}
