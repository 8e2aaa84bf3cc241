/* net: sockets between the processes of this kernel: AF_UNIX, and AF_INET/AF_INET6 on the loopback addresses; and
 * AF_NETLINK to ask about these.
 *
 * One implementation of streams, datagrams and records for all families; a family adds its names (unix.c, inet.c).
 * Knows files (a description in front of a socket, descriptors in flight) and no task: sys/socket.c gives credentials
 * and the path context. Kernel lock for everything. */
#ifndef TIDEMARK_NET_NET_H
#define TIDEMARK_NET_NET_H
#include "../file/file.h"

#define SOCKET_BUFFER_BYTES 212992u /* Linux' rmem_default and wmem_default */
#define SOCKET_RIGHTS_MAX 253u      /* SCM_MAX_FD */

struct socket_address {
  u32 bytes; /* 0: none */
  u8 data[128];
};
#define ADDRESS_FAMILY(a) ((a)->bytes >= 2 ? (u32)((a)->data[0] | (a)->data[1] << 8) : 0u)

struct socket_context { /* who asks */
  struct guest_ucred who;
  const struct fs_context *fs;
  const struct credentials *cred;
};

struct packet_head { /* of a datagram of AF_INET, AF_INET6 */
  u8 to[16], hops, traffic_class; /* to: IPv4 as ::ffff:a.b.c.d */
};
struct packet { /* net/packet.c */
  struct list link;
  u32 bytes, offset, capacity;
  struct ofd **rights;
  u32 rights_count;
  struct guest_ucred who;
  struct socket_address from;
  struct packet_head head;
  u8 data[];
};

enum socket_state { SOCKET_FRESH, SOCKET_LISTENING, SOCKET_CONNECTED, SOCKET_CONNECTING };

struct socket {
  u32 refs; /* the description, the peer, a queue of pending connections */
  u32 domain, type, protocol;
  enum socket_state state;
  bool closed;                  /* the description is gone: only references from peers keep it */
  bool read_shut, write_shut;
  bool bound, nothing_more;     /* nothing_more: the peer shut its writing side or closed */
  bool chose_address, chose_port; /* by bind(): what was not chosen goes with a datagram socket's connection */
  i32 error;                    /* SO_ERROR: positive errno, cleared when reported */
  struct socket *peer;          /* referenced; a stream's other end, a datagram socket's default destination */
  struct list incoming;         /* packets to read */
  u32 charged, limit;           /* bytes they take; at most (SO_RCVBUF) */
  struct list backlog;          /* of pending_link: connections to accept */
  struct list pending_link;
  u32 backlog_count, backlog_max;
  struct list knocking;         /* of pending_link: AF_INET clients whom a full backlog keeps waiting, each referenced */
  struct socket *door;          /* whose list of them it is in; not referenced: who closes it turns us away */
  bool unreported, failed;      /* connect(2) said EINPROGRESS, and since then it succeeded or failed: the next one says so */
  struct wait_queue read_wait, write_wait;
  struct socket_address local, remote;
  struct guest_ucred who, peer_who;
  struct list names;            /* in unix.c's or inet.c's list while bound */
  struct inode *inode;          /* AF_UNIX bound to a path: referenced */
  /* options */
  u64 receive_timeout_ns, send_timeout_ns; /* 0: for ever */
  bool pass_credentials, reuse_address, reuse_port, keepalive, broadcast, v6_only, no_delay;
  bool timestamp, oob_inline;
  bool tells_hops, tells_class, tells_destination, tells_hops6, tells_class6, tells_destination6; /* ancillary.c */
  u8 hops, hops6, traffic_class;
  u32 coverage[2];              /* UDPLITE_SEND_CSCOV, UDPLITE_RECV_CSCOV: kept */
  u32 send_buffer, receive_low, linger_on, linger_seconds, priority, mark, service;
};

struct socket_message { /* what goes along with the bytes */
  struct socket_address name;      /* in: destination (bytes 0: none); out: sender */
  struct ofd **rights;             /* in: borrowed, each referenced by the callee; out: referenced, the caller frees the array */
  u32 rights_count;
  struct guest_ucred who;          /* in: of the sender; out: of the sender */
  u32 flags;                       /* out: MSG_TRUNC, MSG_EOR */
  struct packet_head head;         /* in: hops and class, as far as ordered; out: of a datagram */
  bool orders_hops, orders_class;
};

/* socket.c */
int socket_new(u32 domain, u32 type, u32 protocol, const struct socket_context *ctx, struct socket **out);
int socket_pair(u32 domain, u32 type, u32 protocol, const struct socket_context *ctx, struct socket **a, struct socket **b);
struct ofd *socket_ofd(struct socket *s, u32 flags); /* takes the reference; on NULL (no memory) it is gone */
struct socket *socket_of(const struct ofd *f);       /* NULL: not a socket */
void socket_put(struct socket *s);
void socket_wire(struct socket *a, struct socket *b); /* make them a connected pair */
int socket_shutdown(struct socket *s, int how);
void socket_disconnect(struct socket *s);              /* a stream of AF_INET: as new, but for its chosen name */
void socket_reset(struct socket *s, i32 error);        /* its connection is broken: error is a positive errno */
void socket_wake(struct socket *s);                    /* whoever waits on it: its state has changed */
bool socket_is_stream(const struct socket *s);
bool socket_is_record(const struct socket *s);       /* a stream or SOCK_SEQPACKET: has connections */
int socket_take_error(struct socket *s);             /* 0 or -errno */

/* transfer.c */
i64 socket_send(struct socket *s, struct iobuf *io, const struct socket_message *m, u32 flags,
                const struct socket_context *ctx);
i64 socket_receive(struct socket *s, struct iobuf *io, struct socket_message *m, u32 flags);
u64 socket_readable_bytes(const struct socket *s);   /* FIONREAD */
void socket_wake_writers(struct socket *s);          /* room in s->incoming: its senders */
bool socket_has_room(const struct socket *destination);
void socket_enqueue(struct socket *destination, struct packet *p);
u32 socket_poll_state(struct socket *s, struct poll_table *pt);

struct guest_ucred socket_caller(void); /* the running process: sys/socket.c gives it at link time */

/* state.c: the socket's record, then its queue: length of all, whatever fits of it */
i64 socket_state_read(const struct socket *s, u8 *to, u32 room);
/* Its queue and pending error become the record's. -ESTALE another socket, -EINVAL, -EOPNOTSUPP descriptors in flight,
 * -ENOMEM; then nothing has changed. */
i32 socket_state_write(struct socket *s, const u8 *from, u32 bytes);

/* packet.c */
struct packet *packet_new(u32 capacity);
u32 packet_charge(const struct packet *p);
void packet_free(struct packet *p);                  /* and the descriptors in flight */

/* connect.c */
int socket_bind(struct socket *s, const struct socket_context *ctx, const struct socket_address *a);
int socket_listen(struct socket *s, const struct socket_context *ctx, i32 backlog);
int socket_connect(struct socket *s, const struct socket_context *ctx, const struct socket_address *a, bool nonblock);
int socket_accept(struct socket *s, bool nonblock, struct socket **out);
int socket_connecting_wait(struct socket *s, bool nonblock); /* for the end of SOCKET_CONNECTING: 0, -EINPROGRESS, or why not */
void socket_connecting_fail(struct socket *s, i32 error);    /* it ends so; error: a positive errno */
void socket_connecting_leave(struct socket *s);              /* nobody waits for a place in a backlog any more */
void socket_turn_away(struct socket *l);                     /* all who wait for a place in this one's backlog */
int socket_destination(struct socket *s, const struct socket_context *ctx, const struct socket_address *a,
                       struct socket **out, struct socket_address *to); /* of a datagram: a new reference, and its name;
                                                                           *out NULL: lost on the way */

/* options.c: value in and out are kernel memory */
int socket_option_set(struct socket *s, i32 level, i32 name, const u8 *value, u32 bytes);
int socket_option_get(struct socket *s, i32 level, i32 name, u8 *value, u32 *bytes); /* *bytes: room, then length */

/* bridge.c */
int net_bridge_set(struct socket *s);                /* NULL: none any more; -EINVAL unless a listening stream */
struct socket *net_bridge(const struct socket *from); /* borrowed; NULL: beyond loopback is unreachable for this kind */
void net_bridge_gone(const struct socket *s);
void net_bridge_ask(struct socket *s);               /* its connection waits in the bridge's backlog */
int net_bridge_answer(struct socket *end, i32 error); /* 0: go on; else the errno that connect gives. -ENOTCONN, -EINVAL */
void net_bridge_refuse(struct socket *end, i32 error);

/* netlink.c */
int netlink_bind(struct socket *s, const struct socket_context *ctx, const struct socket_address *a);
int netlink_connect(struct socket *s, const struct socket_context *ctx, const struct socket_address *a);
i64 netlink_send(struct socket *s, struct iobuf *io, const struct socket_message *m, const struct socket_context *ctx);
int netlink_option_set(i32 name);                    /* of SOL_NETLINK: accepted, or -ENOPROTOOPT */
void netlink_unbind(struct socket *s);

/* unix.c */
int unix_bind(struct socket *s, const struct socket_context *ctx, const struct socket_address *a);
int unix_find(const struct socket_context *ctx, const struct socket_address *a, u32 type, struct socket **out);
void unix_unbind(struct socket *s);
/* inet.c */
int inet_bind(struct socket *s, const struct socket_context *ctx, const struct socket_address *a);
int inet_autobind(struct socket *s, const struct socket_address *towards);
int inet_check_destination(const struct socket *s, struct socket_address *a); /* normalises; -ENETUNREACH beyond loopback */
int inet_outside(const struct socket *s, struct socket_address *a); /* beyond loopback, normalised: 0, or -errno */
void inet_loopback(u32 domain, struct socket_address *a);           /* 127.0.0.1:0 or [::1]:0 */
struct socket *inet_find(const struct socket *from, const struct socket_address *a); /* borrowed or NULL */
void inet_unbind(struct socket *s);
void inet_disconnect(struct socket *s); /* the name it got by use goes */
u32 inet_port(const struct socket_address *a);
void inet_ip(const struct socket_address *a, u8 ip[16]); /* IPv4 as ::ffff:a.b.c.d */
bool inet_is_v4(const u8 ip[16]);                        /* of that form */
void inet_any(u32 domain, struct socket_address *a); /* 0.0.0.0:0 or [::]:0 */
#endif
