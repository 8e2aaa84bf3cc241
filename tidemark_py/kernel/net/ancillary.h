/* ancillary: hop limit, traffic class and destination of datagrams. Kernel lock held. */
#ifndef TIDEMARK_NET_ANCILLARY_H
#define TIDEMARK_NET_ANCILLARY_H
#include "net.h"

#define ANCILLARY_MAX 3
struct ancillary { /* one control message */
  i32 level, type;
  u32 bytes;
  u8 data[20];
};
void ancillary_fresh(struct socket *s); /* a new socket's options */
int ancillary_option_set(struct socket *s, i32 level, i32 name, i32 value); /* SOL_IP, SOL_IPV6; one that is none of ours: 0 */
i32 ancillary_option_get(const struct socket *s, i32 level, i32 name);
struct packet_head ancillary_head(const struct socket *s, const struct socket_message *m, const struct socket_address *to);
/* A control message that goes along with a datagram: 0 or -EINVAL. */
int ancillary_in(const struct socket *s, i32 level, i32 type, const u8 *body, u64 bytes, struct socket_message *m);
/* What s wants to be told of a datagram: how many. */
u32 ancillary_out(const struct socket *s, const struct packet_head *h, struct ancillary out[ANCILLARY_MAX]);
#endif
