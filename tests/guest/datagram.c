/* ip(7), ipv6(7), RFC 3542: what a datagram's head says, by control messages, on the loopback addresses. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "check.h"
#pragma GCC diagnostic ignored "-Wsign-compare" /* CMSG_NXTHDR of the C library */

static int on = 1;
static void set(int s, int level, int option, int value) {
  if (setsockopt(s, level, option, &value, sizeof value)) printf("option %d %d: %s\n", level, option, strerror(errno));
}
static int get(int s, int level, int option) {
  int value = -1;
  socklen_t n = sizeof value;
  return getsockopt(s, level, option, &value, &n) ? -errno : value;
}

static void show(const char *what, int s, size_t room) {
  char bytes[16], control[256], ip[64];
  struct iovec io = {bytes, sizeof bytes};
  struct msghdr m = {.msg_iov = &io, .msg_iovlen = 1, .msg_control = control, .msg_controllen = room};
  long n = recvmsg(s, &m, 0);
  printf("%s: %ld bytes, flags %x\n", what, n, m.msg_flags);
  for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
    printf("  level %d type %d length %d", c->cmsg_level, c->cmsg_type, (int)c->cmsg_len);
    if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
      struct in_pktinfo p;
      memcpy(&p, CMSG_DATA(c), sizeof p);
      printf(" %s on %d\n", inet_ntoa(p.ipi_addr), p.ipi_ifindex);
    } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
      struct in6_pktinfo p;
      memcpy(&p, CMSG_DATA(c), sizeof p);
      printf(" %s on %d\n", inet_ntop(AF_INET6, &p.ipi6_addr, ip, sizeof ip), p.ipi6_ifindex);
    } else {
      printf(" first byte %d\n", *(unsigned char *)CMSG_DATA(c));
    }
  }
}

static void send_with(int s, void *to, socklen_t to_bytes, int level, int type, int value) {
  char control[CMSG_SPACE(sizeof value)] = {0};
  struct iovec io = {"abc", 3};
  struct msghdr m = {.msg_name = to, .msg_namelen = to_bytes, .msg_iov = &io, .msg_iovlen = 1, .msg_control = control,
                     .msg_controllen = sizeof control};
  struct cmsghdr *c = CMSG_FIRSTHDR(&m);
  c->cmsg_level = level, c->cmsg_type = type, c->cmsg_len = CMSG_LEN(sizeof value);
  memcpy(CMSG_DATA(c), &value, sizeof value);
  long n = sendmsg(s, &m, 0);
  printf("sent with %d %d %d: %ld %s\n", level, type, value, n, n < 0 ? strerror(errno) : "");
}

static void v4(void) {
  int s = socket(AF_INET, SOCK_DGRAM, 0), c = socket(AF_INET, SOCK_DGRAM, 0);
  struct sockaddr_in to = {.sin_family = AF_INET};
  socklen_t n = sizeof to;
  bind(s, (struct sockaddr *)&to, n);
  getsockname(s, (struct sockaddr *)&to, &n);
  inet_pton(AF_INET, "127.0.0.5", &to.sin_addr);
  printf("defaults: ttl %d tos %d told %d %d %d\n", get(s, IPPROTO_IP, IP_TTL), get(s, IPPROTO_IP, IP_TOS),
         get(s, IPPROTO_IP, IP_RECVTTL), get(s, IPPROTO_IP, IP_RECVTOS), get(s, IPPROTO_IP, IP_PKTINFO));
  sendto(c, "abc", 3, 0, (struct sockaddr *)&to, n);
  show("nothing asked", s, 256);
  set(s, IPPROTO_IP, IP_RECVTTL, on), set(s, IPPROTO_IP, IP_RECVTOS, on), set(s, IPPROTO_IP, IP_PKTINFO, on);
  sendto(c, "abc", 3, 0, (struct sockaddr *)&to, n);
  show("all asked", s, 256);
  set(c, IPPROTO_IP, IP_TTL, 7), set(c, IPPROTO_IP, IP_TOS, 16);
  set(c, IPPROTO_IP, IP_TTL, 0), set(c, IPPROTO_IP, IP_TTL, 256);
  sendto(c, "abc", 3, 0, (struct sockaddr *)&to, n);
  show("chosen", s, 256);
  send_with(c, &to, n, IPPROTO_IP, IP_TTL, 9);
  show("ordered", s, 256);
  send_with(c, &to, n, IPPROTO_IP, IP_TTL, 300);
  sendto(c, "abc", 3, 0, (struct sockaddr *)&to, n);
  show("no room", s, 0);
  sendto(c, "abc", 3, 0, (struct sockaddr *)&to, n);
  show("room for one", s, CMSG_SPACE(12));
  close(s), close(c);
}

static void v6(void) {
  int s = socket(AF_INET6, SOCK_DGRAM, 0), c = socket(AF_INET6, SOCK_DGRAM, 0);
  struct sockaddr_in6 to = {.sin6_family = AF_INET6};
  socklen_t n = sizeof to;
  bind(s, (struct sockaddr *)&to, n);
  getsockname(s, (struct sockaddr *)&to, &n);
  to.sin6_addr = in6addr_loopback;
  printf("defaults: hops %d class %d\n", get(s, IPPROTO_IPV6, IPV6_UNICAST_HOPS), get(s, IPPROTO_IPV6, IPV6_TCLASS));
  set(s, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, on), set(s, IPPROTO_IPV6, IPV6_RECVTCLASS, on);
  set(s, IPPROTO_IPV6, IPV6_RECVPKTINFO, on);
  sendto(c, "abc", 3, 0, (struct sockaddr *)&to, n);
  show("all asked", s, 256);
  set(c, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 5), set(c, IPPROTO_IPV6, IPV6_TCLASS, 32);
  set(c, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 256);
  sendto(c, "abc", 3, 0, (struct sockaddr *)&to, n);
  show("chosen", s, 256);
  send_with(c, &to, n, IPPROTO_IPV6, IPV6_HOPLIMIT, 2);
  show("ordered", s, 256);
  send_with(c, &to, n, IPPROTO_IPV6, IPV6_TCLASS, 64);
  show("ordered", s, 256);
  send_with(c, &to, n, IPPROTO_IPV6, IPV6_HOPLIMIT, 300);
  inet_pton(AF_INET6, "::ffff:127.0.0.1", &to.sin6_addr);
  sendto(c, "abc", 3, 0, (struct sockaddr *)&to, n);
  show("IPv4", s, 256);
  close(s), close(c);
}

int main(void) {
  v4();
  v6();
  return 0;
}
