/* bridge: connections beyond the loopback addresses are handed to whoever bridges to the outside (an attached role).
 *
 * The role listens on an ordinary socket and makes it the bridge. A guest's connect(2) to a foreign address becomes a
 * pending connection there: accept(2) gives its other end, whose own name (getsockname) is where the guest wants to go and
 * whose peer credentials say who asks. The guest waits, or polls, in SOCKET_CONNECTING until the role has answered
 * (net_bridge_answer) or closed the end. From then on both ends are a stream like any other, with the same back-pressure.
 * Without a bridge: ENETUNREACH. Missing: datagrams (names are asked for on the loopback: a stub resolver lives there). */
#include "net.h"

static struct socket *bridge; /* not referenced: socket_close takes it away */

int net_bridge_set(struct socket *s) {
  if (s && (s->state != SOCKET_LISTENING || s->type != SOCK_STREAM || s->domain == AF_UNIX)) return -EINVAL;
  bridge = s;
  return 0;
}

void net_bridge_gone(const struct socket *s) {
  if (bridge == s) bridge = NULL;
}

struct socket *net_bridge(const struct socket *from) { return bridge && from->type == SOCK_STREAM ? bridge : NULL; }

void net_bridge_ask(struct socket *s) { s->state = SOCKET_CONNECTING; }

/* The one who asked is told; the two ends know each other no more. */
void net_bridge_refuse(struct socket *end, i32 error) {
  struct socket *s = end->peer;
  if (!s || s->state != SOCKET_CONNECTING) return;
  s->peer = NULL, end->peer = NULL, end->nothing_more = true;
  socket_connecting_fail(s, error);
  socket_wake(end);
  socket_put(s), socket_put(end);
}

int net_bridge_answer(struct socket *end, i32 error) {
  struct socket *s = end->peer;
  if (!s || s->state != SOCKET_CONNECTING) return -ENOTCONN; /* it gave up meanwhile */
  if (error < 0 || error > 133) return -EINVAL;
  if (error) {
    net_bridge_refuse(end, error);
    return 0;
  }
  s->state = SOCKET_CONNECTED, s->unreported = true;
  socket_wake(s);
  return 0;
}
