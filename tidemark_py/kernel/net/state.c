/* state: a socket and its queue as a record (ABI layouts state_socket, state_packet), and back.
 *
 * For diagnostics, tests and saving; called by host/state.c, kernel lock held. Missing: the options of setsockopt(2) and
 * connections not accepted yet are only counted; descriptors in flight cannot be written. */
#include "net.h"

static u64 identity(const struct socket *s) { return (u64)(uintptr_t)s; }

static u32 flags_of(const struct socket *s) {
  return (s->read_shut ? SOCKET_FLAG_READ_SHUT : 0u) | (s->write_shut ? SOCKET_FLAG_WRITE_SHUT : 0u) |
         (s->bound ? SOCKET_FLAG_BOUND : 0u) | (s->nothing_more ? SOCKET_FLAG_NOTHING_MORE : 0u) |
         (s->closed ? SOCKET_FLAG_CLOSED : 0u);
}
_Static_assert(SOCKET_FRESH == SOCKET_STATE_FRESH && SOCKET_LISTENING == SOCKET_STATE_LISTENING &&
                   SOCKET_CONNECTED == SOCKET_STATE_CONNECTED,
               "SOCKET_STATE");

i64 socket_state_read(const struct socket *s, u8 *to, u32 room) {
  struct state_socket r = {.socket = identity(s), .peer = identity(s->peer), .domain = s->domain, .type = s->type,
                           .protocol = s->protocol, .state = (u32)s->state, .flags = flags_of(s), .error = s->error,
                           .charged = s->charged, .limit = s->limit, .backlog = s->backlog_count,
                           .backlog_max = s->backlog_max, .local_bytes = s->local.bytes,
                           .remote_bytes = s->remote.bytes};
  memcpy(r.local, s->local.data, sizeof r.local);
  memcpy(r.remote, s->remote.data, sizeof r.remote);
  u64 at = sizeof r;
  for (const struct list *l = s->incoming.next; l != &s->incoming; l = l->next) {
    const struct packet *p = CONTAINER_OF(l, const struct packet, link);
    struct state_packet head = {.bytes = p->bytes - p->offset, .rights = p->rights_count, .pid = p->who.pid,
                                .uid = p->who.uid, .gid = p->who.gid, .from_bytes = p->from.bytes};
    u64 end = at + sizeof head + head.from_bytes + head.bytes;
    if (end <= room) {
      memcpy(to + at, &head, sizeof head);
      memcpy(to + at + sizeof head, p->from.data, head.from_bytes);
      memcpy(to + at + sizeof head + head.from_bytes, p->data + p->offset, head.bytes);
    }
    r.packets++;
    at = end;
  }
  if (sizeof r <= room) memcpy(to, &r, sizeof r);
  return (i64)at;
}

static void packets_free(struct list *packets) {
  while (!list_empty(packets)) {
    struct packet *p = CONTAINER_OF(packets->next, struct packet, link);
    list_remove(&p->link);
    packet_free(p);
  }
}

/* The record's packets in a list of their own. */
static i32 packets_read(u32 count, const u8 *from, u32 bytes, struct list *packets, u32 *charge) {
  u32 at = 0;
  for (u32 i = 0; i < count; i++) {
    struct state_packet head;
    if (bytes - at < sizeof head) return -EINVAL;
    memcpy(&head, from + at, sizeof head);
    at += sizeof head;
    if (head.rights) return -EOPNOTSUPP;
    struct packet *p = NULL;
    if (head.from_bytes > sizeof p->from.data || head.from_bytes > bytes - at || head.bytes > bytes - at - head.from_bytes)
      return -EINVAL;
    if (!(p = packet_new(head.bytes))) return -ENOMEM;
    list_add_tail(packets, &p->link);
    p->who = (struct guest_ucred){.pid = head.pid, .uid = head.uid, .gid = head.gid};
    p->from.bytes = head.from_bytes, p->bytes = head.bytes;
    memcpy(p->from.data, from + at, head.from_bytes);
    memcpy(p->data, from + at + head.from_bytes, head.bytes);
    at += head.from_bytes + head.bytes;
    *charge += packet_charge(p);
  }
  return at == bytes ? 0 : -EINVAL;
}

i32 socket_state_write(struct socket *s, const u8 *from, u32 bytes) {
  struct state_socket r;
  if (bytes < sizeof r) return -EINVAL;
  memcpy(&r, from, sizeof r);
  if (r.socket != identity(s)) return -ESTALE;
  for (const struct list *l = s->incoming.next; l != &s->incoming; l = l->next)
    if (CONTAINER_OF(l, const struct packet, link)->rights_count) return -EOPNOTSUPP;
  struct list packets;
  list_init(&packets);
  u32 charge = 0;
  i32 e = r.error < 0 ? -EINVAL : packets_read(r.packets, from + sizeof r, bytes - (u32)sizeof r, &packets, &charge);
  if (e) {
    packets_free(&packets);
    return e;
  }
  packets_free(&s->incoming);
  while (!list_empty(&packets)) {
    struct list *first = packets.next;
    list_remove(first);
    list_add_tail(&s->incoming, first);
  }
  s->charged = charge, s->error = r.error;
  wait_wake(&s->read_wait, POLLIN | POLLRDNORM | (s->error ? POLLERR : 0u));
  socket_wake_writers(s);
  return 0;
}
