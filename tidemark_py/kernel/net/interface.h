/* interface: the facts about lo, for ioctls (interface.c) and netlink (netlink.c). Kernel lock held. */
#ifndef TIDEMARK_NET_INTERFACE_H
#define TIDEMARK_NET_INTERFACE_H
#include "net.h"

#define INTERFACE_NAME "lo"
#define INTERFACE_INDEX 1
#define INTERFACE_FLAGS (IFF_UP | IFF_LOOPBACK | IFF_RUNNING | IFF_LOWER_UP)
#define INTERFACE_MTU 65536
#define INTERFACE_QUEUE 1000

i64 interface_ioctl(u32 request, uaddr_t arg); /* SIOCGIF*; -ENOTTY: none of them */
#endif
