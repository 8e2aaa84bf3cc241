/* tcp(7), udp(7), ip(7), ipv6(7) on the loopback addresses. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "show.h"

static char buf[300000], big[300000];

static struct sockaddr_in v4(const char *ip, int port) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  inet_pton(AF_INET, ip, &a.sin_addr);
  return a;
}
static struct sockaddr_in6 v6(const char *ip, int port) {
  struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
  inet_pton(AF_INET6, ip, &a.sin6_addr);
  return a;
}
static int port_of(int s) {
  struct sockaddr_storage a;
  socklen_t n = sizeof a;
  getsockname(s, (struct sockaddr *)&a, &n);
  return ntohs(((struct sockaddr_in *)&a)->sin_port);
}
static void show_name(const char *text, int s, int peer) {
  struct sockaddr_storage a;
  socklen_t n = sizeof a;
  char ip[64] = "";
  if ((peer ? getpeername : getsockname)(s, (struct sockaddr *)&a, &n)) {
    printf("%s: %s\n", text, error_name());
    return;
  }
  if (a.ss_family == AF_INET)
    inet_ntop(AF_INET, &((struct sockaddr_in *)&a)->sin_addr, ip, sizeof ip);
  else
    inet_ntop(AF_INET6, &((struct sockaddr_in6 *)&a)->sin6_addr, ip, sizeof ip);
  printf("%s: family %d length %d ip %s port %d\n", text, a.ss_family, (int)n, ip, ((struct sockaddr_in *)&a)->sin_port != 0);
}
static int bind4(int s, const char *ip, int port) {
  struct sockaddr_in a = v4(ip, port);
  return bind(s, (struct sockaddr *)&a, sizeof a);
}
static int connect4(int s, const char *ip, int port) {
  struct sockaddr_in a = v4(ip, port);
  return connect(s, (struct sockaddr *)&a, sizeof a);
}
static int connect6(int s, const char *ip, int port) {
  struct sockaddr_in6 a = v6(ip, port);
  return connect(s, (struct sockaddr *)&a, sizeof a);
}
static int revents(int fd) {
  struct pollfd f = {fd, POLLIN | POLLOUT | POLLRDHUP, 0};
  poll(&f, 1, 0);
  return f.revents;
}
static int get(int s, int level, int option) {
  int v = -1;
  socklen_t n = sizeof v;
  return getsockopt(s, level, option, &v, &n) ? -errno : v;
}

static void kinds(void) {
  SHOW("wrong protocol", socket(AF_INET, SOCK_STREAM, IPPROTO_UDP));
  int s = socket(AF_INET, SOCK_STREAM, 0);
  printf("protocol %d type %d\n", get(s, SOL_SOCKET, SO_PROTOCOL), get(s, SOL_SOCKET, SO_TYPE));
  show_name("fresh", s, 0), show_name("fresh peer", s, 1);
  printf("poll fresh %x\n", revents(s));
  SHOW("read fresh", read(s, buf, 1));
  SHOW("write fresh", send(s, buf, 1, MSG_NOSIGNAL));
  SHOW("refused", connect4(s, "127.0.0.1", 1));
  SHOW("not ours", bind4(s, "192.0.2.1", 0));
  int one = 1;
  setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  printf("nodelay %d reuse %d error %d\n", get(s, IPPROTO_TCP, TCP_NODELAY), get(s, SOL_SOCKET, SO_REUSEADDR), get(s, SOL_SOCKET, SO_ERROR));
  close(s);
  struct sockaddr_in6 wrong = v6("::1", 0);
  s = socket(AF_INET, SOCK_DGRAM, 0);
  SHOW("wrong family", bind(s, (struct sockaddr *)&wrong, sizeof wrong));
  SHOW("short", bind(s, (struct sockaddr *)&wrong, 4));
  SHOW("listen on datagrams", listen(s, 1));
  close(s);
}

static int listener, port;
static void *client(void *arg) {
  usleep(20000);
  int s = socket(AF_INET, SOCK_STREAM, 0);
  if (connect4(s, "127.0.0.1", port)) printf("client %s\n", error_name());
  write(s, arg, strlen(arg));
  long n = read(s, buf, 100);
  printf("client got %.*s\n", (int)n, buf);
  close(s);
  return NULL;
}
static void tcp(void) {
  listener = socket(AF_INET, SOCK_STREAM, 0);
  SHOW("bind", bind4(listener, "127.0.0.1", 0));
  port = port_of(listener);
  SHOW("bind again", bind4(listener, "127.0.0.1", 0));
  int s = socket(AF_INET, SOCK_STREAM, 0), c;
  SHOW("taken", bind4(s, "127.0.0.1", port));
  SHOW("taken by the wildcard", bind4(s, "0.0.0.0", port));
  SHOW("other address", bind4(s, "127.0.0.2", port));
  close(s);
  SHOW("listen", listen(listener, 5));
  show_name("listener", listener, 0);
  printf("poll listener %x\n", revents(listener));
  c = socket(AF_INET, SOCK_STREAM, 0);
  SHOW("connect", connect4(c, "127.0.0.1", port));
  show_name("client", c, 0), show_name("client peer", c, 1);
  printf("poll listener %x\n", revents(listener));
  struct sockaddr_in from;
  socklen_t n = sizeof from;
  s = accept4(listener, (struct sockaddr *)&from, &n, SOCK_NONBLOCK);
  printf("accepted from the client's port %d length %d\n", ntohs(from.sin_port) == port_of(c), (int)n);
  show_name("server end", s, 0);
  printf("port kept %d\n", port_of(s) == port);
  SHOW("nothing yet", read(s, buf, 10));
  write(c, "ping", 4), usleep(1000);
  SHOW("ping", read(s, buf, 10));
  write(s, "pong", 4);
  SHOW("pong", read(c, buf, 10));
  SHOW("again", connect4(c, "127.0.0.1", port));
  shutdown(c, SHUT_WR), usleep(1000);
  printf("half closed %x\n", revents(s));
  SHOW("end", read(s, buf, 10));
  SHOW("still writable", write(s, "bye", 3));
  SHOW("still readable", read(c, buf, 10));
  close(s), usleep(1000);
  printf("closed %x\n", revents(c));
  SHOW("end", read(c, buf, 10));
  close(c);
  c = socket(AF_INET, SOCK_STREAM, 0);
  connect4(c, "127.0.0.1", port);
  s = accept(listener, NULL, NULL);
  write(c, "unread", 6), usleep(1000);
  close(s), usleep(1000);
  SHOW("reset", read(c, buf, 10));
  close(c);
  c = socket(AF_INET, SOCK_STREAM, 0);
  connect4(c, "127.0.0.1", port);
  s = accept(listener, NULL, NULL);
  struct linger at_once = {1, 0};
  SHOW("linger", setsockopt(s, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once));
  close(s), usleep(1000);
  SHOW("aborted", read(c, buf, 10));
  SHOW("told once", read(c, buf, 10));
  close(c);
  pthread_t t;
  pthread_create(&t, NULL, client, "blocking");
  s = accept(listener, NULL, NULL);
  long r = read(s, buf, 100);
  printf("server got %.*s\n", (int)r, buf);
  write(s, "answer", 6);
  pthread_join(t, NULL);
  close(s);
  c = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  r = connect4(c, "127.0.0.1", port);
  struct pollfd f = {c, POLLOUT, 0};
  poll(&f, 1, 1000);
  printf("non-blocking connect %d, then %x error %d\n", r == 0 || errno == EINPROGRESS, f.revents, get(c, SOL_SOCKET, SO_ERROR));
  close(c), close(listener);
  c = socket(AF_INET, SOCK_STREAM, 0);
  SHOW("listener gone", connect4(c, "127.0.0.1", port));
  close(c);
}

static void transfer(void) {
  listener = socket(AF_INET, SOCK_STREAM, 0);
  listen(listener, 5); /* binds by itself */
  port = port_of(listener);
  for (unsigned i = 0; i < sizeof big; i++) big[i] = (char)(i * 13 + i / 241);
  fflush(stdout);
  if (fork() == 0) {
    int c = socket(AF_INET, SOCK_STREAM, 0);
    if (connect4(c, "127.0.0.1", port)) _exit(1);
    for (int i = 0; i < 10; i++)
      if (write(c, big, sizeof big) != sizeof big) _exit(2);
    shutdown(c, SHUT_WR);
    _exit(read(c, buf, 10) == 4 ? 0 : 3);
  }
  int s = accept(listener, NULL, NULL);
  long at = 0, bad = 0, r;
  while ((r = read(s, buf, 65536)) > 0)
    for (long i = 0; i < r; i++, at++) bad += buf[i] != big[at % (long)sizeof big];
  write(s, "done", 4);
  int status;
  wait(&status);
  printf("moved %ld bad %ld status %d\n", at, bad, status);
  close(s), close(listener);
}

static void udp(void) {
  int a = socket(AF_INET, SOCK_DGRAM, 0), b = socket(AF_INET, SOCK_DGRAM, 0);
  SHOW("bind", bind4(a, "127.0.0.1", 0));
  struct sockaddr_in to = v4("127.0.0.1", port_of(a)), from;
  SHOW("no destination", send(b, "x", 1, 0));
  SHOW("sendto", sendto(b, "hello", 5, 0, (struct sockaddr *)&to, sizeof to));
  SHOW("empty", sendto(b, "", 0, 0, (struct sockaddr *)&to, sizeof to));
  socklen_t n = sizeof from;
  usleep(1000);
  SHOW("recvfrom", recvfrom(a, buf, 100, 0, (struct sockaddr *)&from, &n));
  printf("from b %d\n", ntohs(from.sin_port) == port_of(b));
  SHOW("empty", recv(a, buf, 100, 0));
  SHOW("none", recv(a, buf, 100, MSG_DONTWAIT));
  SHOW("reply", sendto(a, "reply", 5, 0, (struct sockaddr *)&from, n));
  SHOW("reply", recv(b, buf, 100, 0));
  SHOW("connect", connect(b, (struct sockaddr *)&to, sizeof to));
  show_name("connected", b, 0);
  SHOW("send", send(b, "truncated", 9, 0));
  usleep(1000);
  SHOW("cut", recv(a, buf, 4, MSG_TRUNC));
  SHOW("too long", send(b, big, 70000, 0));
  close(a);
  SHOW("to nobody", send(b, "x", 1, 0));
  usleep(1000);
  SHOW("refused", send(b, "x", 1, 0));
  struct sockaddr off = {.sa_family = AF_UNSPEC};
  SHOW("disconnect", connect(b, &off, sizeof off));
  show_name("peer", b, 1);
  close(b);
}

static void six(void) {
  listener = socket(AF_INET6, SOCK_STREAM, 0);
  int off = 0;
  setsockopt(listener, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  struct sockaddr_in6 any = v6("::", 0);
  SHOW("bind", bind(listener, (struct sockaddr *)&any, sizeof any));
  listen(listener, 5);
  port = port_of(listener);
  int c = socket(AF_INET6, SOCK_STREAM, 0);
  SHOW("connect ::1", connect6(c, "::1", port));
  int s = accept(listener, NULL, NULL);
  show_name("server end", s, 0), show_name("client", c, 0);
  write(c, "six", 3);
  SHOW("read", read(s, buf, 10));
  close(c), close(s);
  c = socket(AF_INET, SOCK_STREAM, 0);
  SHOW("connect from IPv4", connect4(c, "127.0.0.1", port));
  s = accept(listener, NULL, NULL);
  show_name("server end", s, 0), show_name("server peer", s, 1), show_name("client peer", c, 1);
  close(c), close(s);
  c = socket(AF_INET6, SOCK_STREAM, 0);
  SHOW("mapped", connect6(c, "::ffff:127.0.0.1", port));
  close(c), close(listener);
}

static void probe(void) { /* what getaddrinfo does to learn its source addresses: one socket, many destinations */
  struct sockaddr none = {.sa_family = AF_UNSPEC};
  int s = socket(AF_INET6, SOCK_DGRAM, 0);
  SHOW("probe ::1", connect6(s, "::1", 9));
  show_name("source", s, 0);
  SHOW("disconnect", connect(s, &none, sizeof none));
  show_name("no source", s, 0);
  SHOW("probe mapped", connect6(s, "::ffff:127.0.0.1", 9));
  show_name("source", s, 0);
  close(s);
  s = socket(AF_INET, SOCK_DGRAM, 0);
  SHOW("bind", bind4(s, "127.0.0.1", 0));
  SHOW("connect", connect4(s, "127.0.0.1", 9));
  SHOW("disconnect", connect(s, &none, sizeof none));
  show_name("the chosen name stays", s, 0);
  char options[16];
  socklen_t n = sizeof options;
  SHOW("no options", getsockopt(s, IPPROTO_IP, IP_OPTIONS, options, &n));
  int tos = 0x10;
  printf("%d bytes\n", (int)n);
  SHOW("type of service", setsockopt(s, IPPROTO_IP, IP_TOS, &tos, sizeof tos));
  printf("%d\n", get(s, IPPROTO_IP, IP_TOS));
  close(s);
}

static void with_epoll(void) {
  listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  bind4(listener, "127.0.0.1", 0), listen(listener, 100);
  port = port_of(listener);
  int ep = epoll_create1(0), served = 0, bytes = 0;
  struct epoll_event e = {.events = EPOLLIN, .data.fd = listener}, events[16];
  epoll_ctl(ep, EPOLL_CTL_ADD, listener, &e);
  fflush(stdout);
  for (int k = 0; k < 4; k++)
    if (fork() == 0) {
      for (int i = 0; i < 20; i++) {
        int c = socket(AF_INET, SOCK_STREAM, 0);
        if (connect4(c, "127.0.0.1", port)) _exit(1);
        write(c, "request", 7);
        if (read(c, buf, 100) != 8) _exit(2);
        close(c);
      }
      _exit(0);
    }
  while (served < 80) {
    int n = epoll_wait(ep, events, 16, 5000);
    if (n <= 0) break;
    for (int i = 0; i < n; i++) {
      if (events[i].data.fd == listener) {
        int s;
        while ((s = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
          e = (struct epoll_event){.events = EPOLLIN | EPOLLET | EPOLLRDHUP, .data.fd = s};
          epoll_ctl(ep, EPOLL_CTL_ADD, s, &e);
        }
      } else {
        long r = read(events[i].data.fd, buf, 100);
        if (r == 7) write(events[i].data.fd, "response", 8), bytes += 7;
        if (r == 0) close(events[i].data.fd), served++;
      }
    }
  }
  int ok = 0, status;
  while (wait(&status) > 0) ok += status == 0;
  printf("served %d bytes %d clients %d\n", served, bytes, ok);
  close(ep), close(listener);
}

static void resolver(void) { /* what programs that probe the network must survive */
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST}, *found = NULL;
  int r = getaddrinfo("127.0.0.1", "80", &hints, &found);
  printf("numeric %d family %d\n", r, found ? found->ai_family : -1);
  if (found) freeaddrinfo(found);
}

int main(void) {
  setvbuf(stdout, NULL, _IOFBF, 1 << 16);
  kinds();
  tcp();
  transfer();
  udp();
  six();
  probe();
  with_epoll();
  resolver();
  return 0;
}
