/* connect(2) of a stream that does not wait, on the loopback address: EINPROGRESS, then what became of it. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "check.h"
#include "show.h"

static struct sockaddr_in to = {.sin_family = AF_INET};
static int listener;

static const char *name(long r) {
  static char number[16];
  if (r >= 0) {
    snprintf(number, sizeof number, "%ld", r);
    return number;
  }
  return error_name();
}
static void show(const char *what, long r) {
  printf("%s: %s\n", what, name(r));
  fflush(stdout);
}
static int events_of(int s, int timeout) {
  struct pollfd p = {s, POLLIN | POLLOUT | POLLRDHUP, 0};
  poll(&p, 1, timeout);
  return p.revents;
}
static void show_events(const char *what, int s) { printf("%s: events %x\n", what, events_of(s, 0)); }
static int error_of(int s) {
  int e = -1;
  socklen_t n = sizeof e;
  getsockopt(s, SOL_SOCKET, SO_ERROR, &e, &n);
  return e;
}
static int connect_to(int s) { return connect(s, (struct sockaddr *)&to, sizeof to); }
static int client(void) { return socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0); }
static int disconnect(int s) {
  struct sockaddr none = {.sa_family = AF_UNSPEC};
  return connect(s, &none, sizeof none);
}
static void listen_anew(int backlog) {
  socklen_t n = sizeof to;
  listener = socket(AF_INET, SOCK_STREAM, 0);
  to.sin_port = 0, to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  bind(listener, (struct sockaddr *)&to, sizeof to);
  getsockname(listener, (struct sockaddr *)&to, &n);
  listen(listener, backlog);
}

static void there(void) {
  int c = client(), d = client();
  char byte;
  show_events("fresh", c);
  show("connect", connect_to(c));
  show_events("after", c);
  struct sockaddr_in peer;
  socklen_t n = sizeof peer;
  show("getpeername before the second", getpeername(c, (struct sockaddr *)&peer, &n));
  show("second", connect_to(c));
  show("third", connect_to(c));
  show("another", connect_to(d));
  show("written before it says 0", write(d, "x", 1));
  show("second of it", connect_to(d));
  int s = accept(listener, NULL, NULL), t = accept(listener, NULL, NULL);
  show("what was written", read(t, &byte, 1));
  show("disconnect", disconnect(d));
  show_events("disconnected", d);
  printf("error %d\n", error_of(d));
  show("its peer", read(t, &byte, 1));
  show("connect again", connect_to(d));
  show("second again", connect_to(d));
  close(accept(listener, NULL, NULL));
  close(s), close(t), close(c), close(d);
}

/* listen(2) 0 lets one connection wait. */
static void full(void) {
  listen_anew(0);
  int first = client(), second = client(), third = client();
  char byte;
  struct sockaddr_in peer;
  socklen_t n = sizeof peer;
  show("first", connect_to(first));
  show("first again", connect_to(first));
  show("second, no room", connect_to(second));
  show_events("second", second);
  show("second again", connect_to(second));
  show("write to it", send(second, "x", 1, MSG_NOSIGNAL));
  show("read from it", read(second, &byte, 1));
  show("its peer", getpeername(second, (struct sockaddr *)&peer, &n));
  show("third, no room", connect_to(third));
  show("shut", shutdown(third, SHUT_WR));
  show("shut again", shutdown(third, SHUT_WR));
  close(accept(listener, NULL, NULL));
  printf("second once there is room: events %x\n", events_of(second, -1));
  show("second at last", connect_to(second));
  close(accept(listener, NULL, NULL));
  close(first), close(second), close(third);
}

/* Who waits for room, without O_NONBLOCK, is let in by accept(2). */
static void waits(void) {
  int first = client();
  show("first", connect_to(first));
  pid_t pid = fork();
  if (!pid) {
    int s = socket(AF_INET, SOCK_STREAM, 0);
    char byte = 0;
    int ok = !connect_to(s) && write(s, "y", 1) == 1 && read(s, &byte, 1) == 1 && byte == 'z';
    _exit(ok ? 0 : 1);
  }
  close(accept(listener, NULL, NULL));
  int s = accept(listener, NULL, NULL), status;
  char byte = 0;
  read(s, &byte, 1);
  write(s, "z", 1);
  waitpid(pid, &status, 0);
  printf("waiting connect: got %c, exit %d\n", byte, WEXITSTATUS(status));
  close(s), close(first);
}

static void refused(void) {
  char byte;
  close(listener);
  int c = client();
  show("refused", connect_to(c));
  show_events("refused", c);
  printf("error %d\n", error_of(c));
  show_events("told", c);
  show("second", connect_to(c));
  show_events("fresh again", c);
  show("third", connect_to(c));
  show("fourth", connect_to(c));
  int d = client();
  show("to read", connect_to(d));
  show("read", read(d, &byte, 1));
  show("read again", read(d, &byte, 1));
  show("write", send(d, "x", 1, MSG_NOSIGNAL));
  show("second", connect_to(d));
  int e = client();
  show("to write", connect_to(e));
  show("write", send(e, "x", 1, MSG_NOSIGNAL));
  show("write again", send(e, "x", 1, MSG_NOSIGNAL));
  show("disconnect", disconnect(e));
  show_events("disconnected", e);
  int f = socket(AF_INET, SOCK_STREAM, 0);
  show("waiting", connect_to(f));
  show_events("waited", f);
  show("disconnect", disconnect(f));
  listen_anew(1);
  show("connect after all", connect_to(f));
  close(c), close(d), close(e), close(f);
}

/* The other end closes: in order, or with bytes unread. */
static void closed(void) {
  char bytes[4];
  for (int unread = 0; unread < 2; unread++) {
    int c = socket(AF_INET, SOCK_STREAM, 0);
    connect_to(c);
    int s = accept(listener, NULL, NULL);
    write(s, "abc", 3);
    if (unread) write(c, "x", 1);
    close(s);
    printf("closed, %s\n", unread ? "something unread" : "nothing unread");
    show_events("it", c);
    show("read", read(c, bytes, 2));
    if (!unread) {
      show("first write", send(c, "y", 1, MSG_NOSIGNAL));
      show_events("then", c);
      show("second write", send(c, "y", 1, MSG_NOSIGNAL));
    }
    show("rest", read(c, bytes, 2));
    show("end", read(c, bytes, 2));
    show("end again", read(c, bytes, 2));
    show("write", send(c, "y", 1, MSG_NOSIGNAL));
    show_events("at last", c);
    close(c);
  }
}

int main(void) {
  signal(SIGPIPE, SIG_IGN);
  listen_anew(5);
  there();
  closed();
  close(listener);
  full();
  waits();
  refused();
  return 0;
}
