/* unix(7): streams, datagrams, records, descriptors and credentials in messages. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "show.h"

static char buf[300000], big[300000];
static int sv[2];

static struct sockaddr_un address(const char *path, socklen_t *length) {
  struct sockaddr_un a = {.sun_family = AF_UNIX};
  size_t n = path[0] == '@' ? strlen(path) : strlen(path) + 1;
  memcpy(a.sun_path, path, n);
  if (path[0] == '@') a.sun_path[0] = 0;
  *length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
  return a;
}
static int do_bind(int s, const char *path) {
  socklen_t n;
  struct sockaddr_un a = address(path, &n);
  return bind(s, (struct sockaddr *)&a, n);
}
static int do_connect(int s, const char *path) {
  socklen_t n;
  struct sockaddr_un a = address(path, &n);
  return connect(s, (struct sockaddr *)&a, n);
}
static void show_name(const char *text, int s, int peer) {
  struct sockaddr_un a;
  memset(&a, 0, sizeof a);
  socklen_t n = sizeof a;
  int r = peer ? getpeername(s, (struct sockaddr *)&a, &n) : getsockname(s, (struct sockaddr *)&a, &n);
  if (r) {
    printf("%s: %s\n", text, error_name());
    return;
  }
  if (n > 2 && !a.sun_path[0]) a.sun_path[0] = '@';
  printf("%s: %d %.*s\n", text, (int)n, n > 2 ? (int)(n - 2) : 0, a.sun_path);
}
static int revents(int fd, int events) {
  struct pollfd f = {fd, (short)events, 0};
  poll(&f, 1, 0);
  return f.revents;
}

static void kinds(void) {
  SHOW("bad family", socket(77, SOCK_STREAM, 0));
  SHOW("bad type", socket(AF_UNIX, 9, 0));
  SHOW("bad protocol", socket(AF_UNIX, SOCK_STREAM, 5));
  SHOW("not a socket", listen(0, 1));
  int s = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  printf("flags %x %d\n", fcntl(s, F_GETFL) & (O_NONBLOCK | O_ACCMODE), fcntl(s, F_GETFD));
  int v = 0;
  socklen_t n = sizeof v;
  getsockopt(s, SOL_SOCKET, SO_TYPE, &v, &n);
  printf("type %d %d", v, (int)n);
  getsockopt(s, SOL_SOCKET, SO_DOMAIN, &v, &n);
  printf(" domain %d", v);
  getsockopt(s, SOL_SOCKET, SO_ACCEPTCONN, &v, &n);
  printf(" listening %d\n", v);
  SHOW("unknown option", getsockopt(s, SOL_SOCKET, 9999, &v, &n));
  struct stat st;
  fstat(s, &st);
  printf("fstat socket %d\n", S_ISSOCK(st.st_mode));
  SHOW("read unconnected", read(s, buf, 1));
  SHOW("write unconnected", send(s, buf, 1, MSG_NOSIGNAL));
  SHOW("lseek", lseek(s, 0, SEEK_SET));
  printf("poll unconnected %x\n", revents(s, POLLIN | POLLOUT));
  show_name("no name", s, 0);
  show_name("no peer", s, 1);
  SHOW("listen unbound", listen(s, 5));
  close(s);
}

static void streams(void) {
  socketpair(AF_UNIX, SOCK_STREAM, 0, sv);
  SHOW("write", write(sv[0], "hello", 5));
  SHOW("peek", recv(sv[1], buf, 3, MSG_PEEK));
  SHOW("read", read(sv[1], buf, 10));
  SHOW("nothing", recv(sv[1], buf, 10, MSG_DONTWAIT));
  write(sv[0], "ab", 2), write(sv[0], "cd", 2);
  int n = 0;
  ioctl(sv[1], FIONREAD, &n);
  printf("waiting %d\n", n);
  SHOW("joined", read(sv[1], buf, 10));
  printf("poll %x %x\n", revents(sv[0], POLLIN | POLLOUT), revents(sv[1], POLLIN | POLLOUT));
  show_name("pair name", sv[0], 0), show_name("pair peer", sv[0], 1);
  shutdown(sv[0], SHUT_WR);
  printf("half closed %x %x\n", revents(sv[0], POLLIN | POLLOUT | POLLRDHUP), revents(sv[1], POLLIN | POLLOUT | POLLRDHUP));
  SHOW("end", read(sv[1], buf, 10));
  SHOW("write after shutdown", send(sv[0], "x", 1, MSG_NOSIGNAL));
  SHOW("other way", write(sv[1], "back", 4));
  SHOW("other way", read(sv[0], buf, 10));
  close(sv[1]);
  printf("closed %x\n", revents(sv[0], POLLIN | POLLOUT | POLLRDHUP));
  SHOW("read closed", read(sv[0], buf, 10));
  close(sv[0]);
  socketpair(AF_UNIX, SOCK_STREAM, 0, sv);
  write(sv[0], "unread", 6);
  close(sv[1]);
  SHOW("reset", read(sv[0], buf, 10));
  SHOW("then end", read(sv[0], buf, 10));
  SHOW("broken", send(sv[0], "x", 1, MSG_NOSIGNAL));
  close(sv[0]);
  fflush(stdout);
  socketpair(AF_UNIX, SOCK_STREAM, 0, sv);
  if (fork() == 0) {
    close(sv[1]);
    signal(SIGPIPE, SIG_DFL);
    write(sv[0], "x", 1);
    usleep(20000);
    write(sv[0], "x", 1);
    _exit(3);
  }
  close(sv[0]), close(sv[1]);
  int status;
  wait(&status);
  printf("SIGPIPE %d\n", WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE);
  socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sv);
  long total = 0, r;
  while ((r = write(sv[0], big, 1000)) > 0) total += r;
  printf("bounded %d %s out %x\n", total > 10000 && total < 1000000, error_name(), revents(sv[0], POLLOUT));
  while ((r = read(sv[1], buf, sizeof buf)) > 0) total -= r;
  printf("drained %ld out %x\n", total, revents(sv[0], POLLOUT));
  close(sv[0]), close(sv[1]);
}

static void transfer(void) {
  socketpair(AF_UNIX, SOCK_STREAM, 0, sv);
  for (unsigned i = 0; i < sizeof big; i++) big[i] = (char)(i * 7 + i / 251);
  pid_t child = fork();
  if (child == 0) {
    close(sv[0]);
    for (int i = 0; i < 20; i++)
      if (write(sv[1], big, sizeof big) != sizeof big) _exit(1);
    _exit(0);
  }
  close(sv[1]);
  long at = 0, bad = 0, r;
  while ((r = read(sv[0], buf, 77777)) > 0)
    for (long i = 0; i < r; i++, at++) bad += buf[i] != big[at % (long)sizeof big];
  int status;
  wait(&status);
  printf("moved %ld bad %ld status %d\n", at, bad, status);
  close(sv[0]);
  socketpair(AF_UNIX, SOCK_STREAM, 0, sv);
  if (fork() == 0) {
    for (int i = 0; i < 5; i++) usleep(3000), write(sv[1], "12345", 5);
    _exit(0);
  }
  SHOW("MSG_WAITALL", recv(sv[0], buf, 25, MSG_WAITALL));
  wait(NULL);
  struct timeval tv = {0, 20000};
  setsockopt(sv[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
  SHOW("timeout", recv(sv[0], buf, 1, 0));
  close(sv[0]), close(sv[1]);
}

static void *client(void *arg) {
  usleep(20000);
  int s = socket(AF_UNIX, SOCK_STREAM, 0);
  if (do_connect(s, arg)) printf("client %s\n", error_name());
  write(s, "hi from client", 14);
  char answer[40];
  long n = read(s, answer, sizeof answer);
  printf("client got %ld\n", n);
  close(s);
  return NULL;
}
static void servers(const char *path) {
  printf("server on %s\n", path);
  unlink(path);
  int l = socket(AF_UNIX, SOCK_STREAM, 0), c = socket(AF_UNIX, SOCK_STREAM, 0);
  SHOW("connect to nobody", do_connect(c, path));
  SHOW("bind", do_bind(l, path));
  SHOW("bind again", do_bind(l, path));
  int other = socket(AF_UNIX, SOCK_STREAM, 0);
  SHOW("bind taken", do_bind(other, path));
  close(other);
  SHOW("not listening", do_connect(c, path));
  other = socket(AF_UNIX, SOCK_DGRAM, 0);
  SHOW("wrong type", do_connect(other, path));
  close(other);
  SHOW("accept before listen", accept(l, NULL, NULL));
  SHOW("listen", listen(l, 2));
  SHOW("listen again", listen(l, 5));
  show_name("listener", l, 0);
  fcntl(l, F_SETFL, O_NONBLOCK);
  SHOW("nobody", accept(l, NULL, NULL));
  printf("poll listener %x\n", revents(l, POLLIN | POLLOUT));
  SHOW("connect", do_connect(c, path));
  SHOW("connect again", do_connect(c, path));
  printf("poll listener %x\n", revents(l, POLLIN | POLLOUT));
  SHOW("write before accept", write(c, "early", 5));
  struct sockaddr_un from;
  socklen_t n = sizeof from;
  int s = accept4(l, (struct sockaddr *)&from, &n, SOCK_CLOEXEC);
  printf("accepted %d from %d bytes\n", s > 0, (int)n);
  show_name("server end", s, 0), show_name("server peer", s, 1), show_name("client peer", c, 1);
  SHOW("early data", read(s, buf, 100));
  struct ucred cred;
  n = sizeof cred;
  getsockopt(c, SOL_SOCKET, SO_PEERCRED, &cred, &n);
  printf("peer is us %d\n", cred.pid == getpid() && cred.uid == geteuid());
  close(s), close(c);
  fcntl(l, F_SETFL, 0);
  pthread_t t;
  pthread_create(&t, NULL, client, (void *)path);
  s = accept(l, NULL, NULL);
  long r = read(s, buf, 100);
  printf("server got %.*s\n", (int)r, buf);
  write(s, "answer", 6);
  pthread_join(t, NULL);
  close(s);
  c = socket(AF_UNIX, SOCK_STREAM, 0);
  do_connect(c, path);
  close(l);
  SHOW("listener closed", read(c, buf, 1));
  close(c);
  c = socket(AF_UNIX, SOCK_STREAM, 0);
  SHOW("after close", do_connect(c, path));
  close(c), unlink(path);
}

static void datagrams(void) {
  socketpair(AF_UNIX, SOCK_DGRAM, 0, sv);
  write(sv[0], "one", 3), write(sv[0], "", 0), write(sv[0], "three", 5);
  SHOW("first", read(sv[1], buf, 100));
  SHOW("empty", read(sv[1], buf, 100));
  SHOW("cut", recv(sv[1], buf, 2, MSG_TRUNC));
  SHOW("none", recv(sv[1], buf, 2, MSG_DONTWAIT));
  SHOW("too long", write(sv[0], big, sizeof big));
  close(sv[1]);
  SHOW("gone", write(sv[0], "x", 1));
  SHOW("gone again", write(sv[0], "x", 1));
  close(sv[0]);
  unlink("dgram_a"), unlink("dgram_b");
  int a = socket(AF_UNIX, SOCK_DGRAM, 0), b = socket(AF_UNIX, SOCK_DGRAM, 0);
  do_bind(a, "dgram_a"), do_bind(b, "dgram_b");
  socklen_t n;
  struct sockaddr_un to = address("dgram_a", &n), from;
  SHOW("sendto", sendto(b, "letter", 6, 0, (struct sockaddr *)&to, n));
  n = sizeof from;
  long r = recvfrom(a, buf, 100, 0, (struct sockaddr *)&from, &n);
  printf("received %ld from %s %d\n", r, from.sun_path, (int)n);
  SHOW("send without destination", send(b, "x", 1, 0));
  SHOW("connect", do_connect(b, "dgram_a"));
  SHOW("send", send(b, "x", 1, 0));
  do_connect(a, "dgram_b");
  int c = socket(AF_UNIX, SOCK_DGRAM, 0);
  to = address("dgram_a", &n);
  SHOW("stranger", sendto(c, "x", 1, 0, (struct sockaddr *)&to, n));
  to = address("dgram_none", &n);
  SHOW("no such name", sendto(c, "x", 1, 0, (struct sockaddr *)&to, n));
  close(a);
  SHOW("closed", send(b, "x", 1, 0));
  close(b), close(c), unlink("dgram_a"), unlink("dgram_b");
  socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv);
  write(sv[0], "record", 6), write(sv[0], "two", 3);
  SHOW("record", read(sv[1], buf, 4));
  SHOW("next record", read(sv[1], buf, 100));
  close(sv[0]);
  SHOW("end", read(sv[1], buf, 4));
  SHOW("broken", send(sv[1], "x", 1, MSG_NOSIGNAL));
  close(sv[1]);
}

static long send_fds(int s, const char *text, const int *fds, int count) {
  struct iovec iov = {(void *)text, strlen(text)};
  union {
    char bytes[CMSG_SPACE(10 * sizeof(int))];
    struct cmsghdr align;
  } control;
  struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
  if (count) {
    m.msg_control = control.bytes, m.msg_controllen = CMSG_SPACE((size_t)count * sizeof(int));
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET, c->cmsg_type = SCM_RIGHTS, c->cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
    memcpy(CMSG_DATA(c), fds, (size_t)count * sizeof(int));
  }
  return sendmsg(s, &m, MSG_NOSIGNAL);
}
static struct cmsghdr *next_header(struct msghdr *m, struct cmsghdr *c) {
  char *end = (char *)m->msg_control + m->msg_controllen, *next = (char *)c + CMSG_ALIGN(c->cmsg_len);
  return next + sizeof *c <= end ? (struct cmsghdr *)(void *)next : NULL;
}
static int receive_fds(int s, int *fds, size_t room, int flags) {
  struct iovec iov = {buf, 100};
  union {
    char bytes[CMSG_SPACE(10 * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
    struct cmsghdr align;
  } control;
  struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = room};
  long n = recvmsg(s, &m, flags);
  int count = 0;
  printf("  %ld bytes, flags %x:", n, m.msg_flags & ~MSG_CMSG_CLOEXEC);
  for (struct cmsghdr *c = n < 0 ? NULL : CMSG_FIRSTHDR(&m); c; c = next_header(&m, c)) {
    if (c->cmsg_type == SCM_RIGHTS) {
      int k = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
      memcpy(fds + count, CMSG_DATA(c), (size_t)k * sizeof(int)), count += k;
      printf(" rights %d", k);
    } else if (c->cmsg_type == SCM_CREDENTIALS) {
      struct ucred u;
      memcpy(&u, CMSG_DATA(c), sizeof u);
      printf(" credentials %d %d", u.pid == getpid() || u.pid == getppid(), u.uid == getuid());
    }
  }
  printf("\n");
  return count;
}

static void rights(void) {
  int p[2], got[20];
  printf("rights\n");
  pipe(p);
  socketpair(AF_UNIX, SOCK_STREAM, 0, sv);
  printf("  sent %ld\n", send_fds(sv[0], "fd", &p[1], 1));
  close(p[1]);
  printf("  in flight %x\n", revents(p[0], POLLIN));
  int n = receive_fds(sv[1], got, CMSG_SPACE(10 * sizeof(int)), MSG_CMSG_CLOEXEC);
  printf("  cloexec %d\n", fcntl(got[0], F_GETFD));
  SHOW("  through it", write(got[0], "via", 3));
  SHOW("  through it", read(p[0], buf, 10));
  close(got[0]);
  SHOW("  then the end", read(p[0], buf, 10));
  int two[2] = {p[0], sv[0]};
  send_fds(sv[0], "a", two, 2), send_fds(sv[0], "b", NULL, 0), send_fds(sv[0], "c", two, 1);
  n = receive_fds(sv[1], got, CMSG_SPACE(10 * sizeof(int)), 0);
  for (int i = 0; i < n; i++) close(got[i]);
  n = receive_fds(sv[1], got, CMSG_SPACE(10 * sizeof(int)), 0);
  for (int i = 0; i < n; i++) close(got[i]);
  send_fds(sv[0], "cut", two, 2);
  n = receive_fds(sv[1], got, CMSG_LEN(sizeof(int)), 0);
  for (int i = 0; i < n; i++) close(got[i]);
  send_fds(sv[0], "no room", two, 1);
  receive_fds(sv[1], got, 0, 0);
  int bad = 99;
  SHOW("  bad descriptor", send_fds(sv[0], "x", &bad, 1));
  pipe(p);
  send_fds(sv[0], "lost", &p[1], 1);
  close(p[1]), close(sv[0]), close(sv[1]); /* the message dies in the queue */
  SHOW("  closed in flight", read(p[0], buf, 10));
  close(p[0]);
  socketpair(AF_UNIX, SOCK_DGRAM, 0, sv);
  int on = 1;
  setsockopt(sv[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
  write(sv[0], "who", 3);
  receive_fds(sv[1], got, CMSG_SPACE(10 * sizeof(int)), 0);
  pid_t child = fork();
  if (child == 0) {
    write(sv[0], "child", 5);
    _exit(0);
  }
  waitpid(child, NULL, 0);
  struct iovec iov = {buf, 100};
  char control[100];
  struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  recvmsg(sv[1], &m, 0);
  struct ucred u;
  memcpy(&u, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof u);
  printf("  from the child %d\n", u.pid == child);
  close(sv[0]), close(sv[1]);
}

static void abstract_names(void) {
  int a = socket(AF_UNIX, SOCK_DGRAM, 0);
  struct sockaddr_un un = {.sun_family = AF_UNIX};
  SHOW("autobind", bind(a, (struct sockaddr *)&un, sizeof(sa_family_t)));
  socklen_t n = sizeof un;
  getsockname(a, (struct sockaddr *)&un, &n);
  printf("autobound %d %d\n", (int)n, un.sun_path[0]);
  close(a);
}

int main(void) {
  setvbuf(stdout, NULL, _IOFBF, 1 << 16);
  kinds();
  streams();
  fflush(stdout);
  transfer();
  servers("socket_path");
  servers("@tidemark-abstract");
  datagrams();
  fflush(stdout);
  rights();
  abstract_names();
  return 0;
}
