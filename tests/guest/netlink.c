/* netlink(7), rtnetlink(7), netdevice(7): what lo is, by getifaddrs, by requests of our own and by ioctls.
 * The host has more interfaces, and its lo may lack IPv6: only what every lo has is printed. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "check.h"
#include "show.h"

#define LO_FLAGS (IFF_UP | IFF_LOOPBACK)
static char buf[65536] __attribute__((aligned(8)));
static struct nlmsghdr *const answer = (struct nlmsghdr *)buf;


static void library(void) {
  struct ifaddrs *all;
  int v4 = 0, other = 0, links = 0, down = 0;
  check("getifaddrs", !getifaddrs(&all));
  for (struct ifaddrs *a = all; a; a = a->ifa_next) {
    if (strcmp(a->ifa_name, "lo") || !a->ifa_addr) continue;
    down += (a->ifa_flags & LO_FLAGS) != LO_FLAGS;
    if (a->ifa_addr->sa_family == AF_INET) {
      struct sockaddr_in *address = (struct sockaddr_in *)a->ifa_addr, *mask = (struct sockaddr_in *)a->ifa_netmask;
      v4 += address->sin_addr.s_addr == htonl(INADDR_LOOPBACK) && mask->sin_addr.s_addr == htonl(0xff000000);
    } else if (a->ifa_addr->sa_family == AF_INET6) {
      other += !IN6_IS_ADDR_LOOPBACK(&((struct sockaddr_in6 *)a->ifa_addr)->sin6_addr);
    } else {
      links += a->ifa_addr->sa_family == AF_PACKET;
    }
  }
  printf("lo: 127.0.0.1/8 %d, links %d, IPv6 but ::1 %d, not up %d\n", v4, links, other, down);
  freeifaddrs(all);
  struct if_nameindex *names = if_nameindex();
  check("if_nameindex", names && names[0].if_index == 1 && !strcmp(names[0].if_name, "lo"));
  if_freenameindex(names);
  char lo[IF_NAMESIZE] = "";
  printf("lo is %u, 1 is %s", if_nametoindex("lo"), if_indextoname(1, lo));
  printf(", none is %u\n", if_nametoindex("nowhere"));
}

static struct {
  struct nlmsghdr head;
  union {
    struct ifinfomsg link;
    struct ifaddrmsg address;
  };
  char more[32];
} q;
static long ask(int s, int type, int flags, unsigned body) {
  q.head = (struct nlmsghdr){.nlmsg_len = NLMSG_LENGTH(body), .nlmsg_type = (unsigned short)type, .nlmsg_seq = 7,
                             .nlmsg_flags = (unsigned short)flags};
  return send(s, &q, q.head.nlmsg_len, 0) - (long)q.head.nlmsg_len;
}
static void show_error(const char *text, int s) {
  long n = recv(s, buf, sizeof buf, MSG_DONTWAIT);
  int error = n >= 20 ? *(int *)NLMSG_DATA(answer) : 0;
  printf("%s: %ld bytes, type %d, flags %x, seq %u, error %d\n", text, n, n > 0 ? answer->nlmsg_type : 0,
         n > 0 ? answer->nlmsg_flags : 0, n > 0 ? answer->nlmsg_seq : 0, error);
}

/* What the list of `type` says of lo; the list ends with NLMSG_DONE. */
static void list(int s, int type, unsigned body, int family) {
  int found = 0, ended = 0;
  q.link = (struct ifinfomsg){.ifi_family = (unsigned char)family};
  ask(s, type, NLM_F_REQUEST | NLM_F_DUMP, body);
  while (!ended) {
    struct sockaddr_nl from;
    socklen_t from_bytes = sizeof from;
    long n = recvfrom(s, buf, sizeof buf, MSG_DONTWAIT, (struct sockaddr *)&from, &from_bytes);
    if (n <= 0) break;
    if (from.nl_pid || from.nl_family != AF_NETLINK || from_bytes != sizeof from) printf("from %u\n", from.nl_pid);
    for (struct nlmsghdr *h = answer; NLMSG_OK(h, n); h = NLMSG_NEXT(h, n)) {
      ended |= h->nlmsg_type == NLMSG_DONE;
      struct ifinfomsg *i = NLMSG_DATA(h);
      struct ifaddrmsg *a = NLMSG_DATA(h);
      found += h->nlmsg_seq == 7 && h->nlmsg_flags & NLM_F_MULTI &&
               ((h->nlmsg_type == RTM_NEWLINK && i->ifi_index == 1 && i->ifi_type == 772) ||
                (h->nlmsg_type == RTM_NEWADDR && a->ifa_index == 1 && a->ifa_family == AF_INET && a->ifa_prefixlen == 8));
    }
  }
  printf("list %d of family %d: lo %d, ended %d\n", type, family, found, ended);
}

static void requests(void) {
  SHOW("stream", socket(AF_NETLINK, SOCK_STREAM, NETLINK_ROUTE));
  SHOW("no such protocol", socket(AF_NETLINK, SOCK_RAW, 400));
  int s = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), t = socket(AF_NETLINK, SOCK_DGRAM, NETLINK_ROUTE);
  struct sockaddr_nl me = {.nl_family = AF_NETLINK}, wrong = {.nl_family = AF_INET};
  socklen_t n = sizeof me;
  SHOW("wrong family", bind(s, (struct sockaddr *)&wrong, sizeof wrong));
  SHOW("bind", bind(s, (struct sockaddr *)&me, sizeof me));
  getsockname(s, (struct sockaddr *)&me, &n);
  printf("name: %d bytes, own pid %d\n", (int)n, me.nl_pid == (unsigned)getpid());
  SHOW("taken", bind(t, (struct sockaddr *)&me, sizeof me));
  me.nl_pid = 0;
  SHOW("another", bind(t, (struct sockaddr *)&me, sizeof me));
  getsockname(t, (struct sockaddr *)&me, &n);
  check("has its own number", me.nl_pid != (unsigned)getpid() && me.nl_pid);
  int one = 1;
  SHOW("extended", setsockopt(s, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof one));
  SHOW("unknown option", setsockopt(s, SOL_NETLINK, 999, &one, sizeof one));
  list(s, RTM_GETLINK, sizeof q.link, AF_UNSPEC);
  list(s, RTM_GETADDR, sizeof q.address, AF_UNSPEC);
  list(s, RTM_GETADDR, sizeof q.address, AF_INET);
  SHOW("nothing more", recv(s, buf, sizeof buf, MSG_DONTWAIT));
  q.link = (struct ifinfomsg){.ifi_index = 1};
  ask(t, RTM_GETLINK, NLM_F_REQUEST | NLM_F_ACK, sizeof q.link);
  recv(t, buf, sizeof buf, 0);
  printf("one: type %d, flags %x\n", answer->nlmsg_type, answer->nlmsg_flags);
  show_error("then its acknowledgement", t);
  q.link.ifi_index = 99999;
  SHOW("sent", ask(t, RTM_GETLINK, NLM_F_REQUEST, sizeof q.link));
  show_error("no such link", t);
  ask(t, 4 * 80 + 2, NLM_F_REQUEST, sizeof q.link);
  show_error("no such request", t);
  ask(t, 5, NLM_F_REQUEST | NLM_F_ACK, sizeof q.link);
  show_error("a control message", t);
  ask(t, RTM_GETLINK, 0, sizeof q.link);
  show_error("no request", t);
  q.head.nlmsg_len = 12;
  SHOW("short", send(t, &q, 16, 0));
  SHOW("shorter", send(t, &q, 3, 0));
  show_error("unanswered", t);
  struct sockaddr_nl other = {.nl_family = AF_NETLINK, .nl_pid = 0x7ffffff0};
  SHOW("to nobody", sendto(t, &q, 16, 0, (struct sockaddr *)&other, sizeof other));
  ask(t, RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, sizeof q.link);
  struct pollfd p = {t, POLLIN | POLLOUT, 0};
  poll(&p, 1, 0);
  printf("events %x\n", p.revents);
  long whole = recv(t, buf, 1, MSG_PEEK | MSG_TRUNC);
  check("its length by a peek", whole > 100 && recv(t, buf, sizeof buf, 0) == whole);
  SHOW("shutdown", shutdown(t, SHUT_RDWR));
  SHOW("listen", listen(t, 1));
  SHOW("accept", accept(t, NULL, NULL));
  close(s), close(t);
}

static void ioctls(void) {
  int s = socket(AF_INET, SOCK_DGRAM, 0);
  struct ifreq r = {.ifr_name = "lo"};
  SHOW("SIOCGIFFLAGS", ioctl(s, SIOCGIFFLAGS, &r));
  check("up", (r.ifr_flags & LO_FLAGS) == LO_FLAGS);
  SHOW("SIOCGIFADDR", ioctl(s, SIOCGIFADDR, &r));
  printf("%s\n", inet_ntoa(((struct sockaddr_in *)&r.ifr_addr)->sin_addr));
  SHOW("SIOCGIFNETMASK", ioctl(s, SIOCGIFNETMASK, &r));
  printf("%s\n", inet_ntoa(((struct sockaddr_in *)&r.ifr_netmask)->sin_addr));
  SHOW("SIOCGIFHWADDR", ioctl(s, SIOCGIFHWADDR, &r));
  printf("type %d\n", r.ifr_hwaddr.sa_family);
  SHOW("SIOCGIFINDEX", ioctl(s, SIOCGIFINDEX, &r));
  printf("index %d\n", r.ifr_ifindex);
  r.ifr_ifindex = 99999;
  SHOW("no such number", ioctl(s, SIOCGIFNAME, &r));
  strcpy(r.ifr_name, "nowhere");
  SHOW("no such name", ioctl(s, SIOCGIFMTU, &r));
  SHOW("bad address", ioctl(s, SIOCGIFMTU, (void *)16));
  struct ifreq entry[16];
  struct ifconf all = {.ifc_len = sizeof entry, .ifc_req = entry};
  SHOW("SIOCGIFCONF", ioctl(s, SIOCGIFCONF, &all));
  int lo = 0;
  for (int i = 0; i < all.ifc_len / (int)sizeof *entry; i++) lo += !strcmp(entry[i].ifr_name, "lo");
  printf("lo %d\n", lo);
  all.ifc_req = NULL, all.ifc_len = 0;
  ioctl(s, SIOCGIFCONF, &all);
  check("length without a buffer", all.ifc_len >= (int)sizeof *entry);
  close(s);
}

int main(void) {
  library();
  requests();
  ioctls();
  return 0;
}
