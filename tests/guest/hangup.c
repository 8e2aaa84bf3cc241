/* The end of a terminal's session: the leader's exit, TIOCNOTTY, vhangup(2), the master's close: setsid(2), tty_ioctl(4),
 * vhangup(2), pty(7). */
#define _GNU_SOURCE
#include "check.h"
#include <fcntl.h>
#include <stdbool.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>

static int m;
static char slave_name[64];
static volatile sig_atomic_t hups, conts;
static void on_hup(int n) { (void)n, hups++; }
static void on_cont(int n) { (void)n, conts++; }

static const char *result(long r) { return r >= 0 ? "ok" : strerror(errno); }
static void handle(int signo, void (*fn)(int)) {
  struct sigaction a = {.sa_handler = fn};
  sigaction(signo, &a, NULL);
}
static void open_master(void) {
  m = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);
  grantpt(m), unlockpt(m);
  ptsname_r(m, slave_name, sizeof slave_name);
}
static void say(int to, char c) {
  if (write(to, &c, 1) != 1) printf("lost a word\n");
}
static char hear(int from) {
  char c = 0;
  return read(from, &c, 1) == 1 ? c : '-';
}

/* A leader with its terminal and a child in its foreground group (own: in a group of its own, still the foreground). */
static void leader_exit(bool own_group) {
  printf("-- the leader exits%s\n", own_group ? ", another group is in the foreground" : "");
  open_master();
  int report[2], go[2];
  if (pipe(report) || pipe(go)) return;
  pid_t leader = fork();
  if (!leader) {
    setsid();
    int s = open(slave_name, O_RDWR);
    pid_t member = fork();
    if (!member) {
      handle(SIGHUP, on_hup), handle(SIGCONT, on_cont);
      handle(SIGTTOU, SIG_IGN);
      if (own_group) {
        setpgid(0, 0);
        tcsetpgrp(s, getpid());
      }
      say(report[1], 'r');
      double end = seconds(CLOCK_MONOTONIC) + 5;
      while (!hups && seconds(CLOCK_MONOTONIC) < end) pause_ms(1);
      pause_ms(50);
      printf("hup %d cont %d\n", (int)hups, (int)conts);
      printf("/dev/tty: %s\n", result(open("/dev/tty", O_RDWR)));
      printf("write: %s\n", result(write(s, "x", 1)));
      fcntl(s, F_SETFL, O_NONBLOCK);
      char c;
      printf("read: %s\n", result(read(s, &c, 1)));
      printf("tcgetpgrp: %s\n", result(tcgetpgrp(s)));
      struct pollfd p = {s, POLLIN | POLLOUT, 0};
      poll(&p, 1, 0);
      printf("poll %x\n", (unsigned)p.revents);
      fflush(stdout);
      say(report[1], 'd');
      _exit(0);
    }
    while (own_group && tcgetpgrp(s) != member) pause_ms(1);
    hear(go[0]);
    _exit(0);
  }
  printf("ready %c\n", hear(report[0]));
  fflush(stdout);
  say(go[1], 'g');
  waitpid(leader, NULL, 0);
  hear(report[0]);
  close(m), close(report[0]), close(report[1]), close(go[0]), close(go[1]);
}

static void next_session(void) {
  puts("-- another session takes the terminal after the leader's exit");
  open_master();
  for (int round = 0; round < 2; round++) {
    pid_t p = fork();
    if (!p) {
      handle(SIGHUP, SIG_IGN);
      setsid();
      int s = open(slave_name, O_RDWR);
      printf("session %d foreground %d\n", (int)(tcgetsid(s) == getpid()), (int)(tcgetpgrp(s) == getpid()));
      fflush(stdout);
      _exit(0);
    }
    waitpid(p, NULL, 0);
  }
  close(m);
}

/* How: TIOCNOTTY by the leader, or vhangup. */
static void given_up(bool hang) {
  printf("-- %s\n", hang ? "vhangup" : "TIOCNOTTY by the leader");
  open_master();
  pid_t leader = fork();
  if (!leader) {
    setsid();
    handle(SIGHUP, on_hup), handle(SIGCONT, on_cont);
    int s = open(slave_name, O_RDWR), other = dup(s);
    long r = hang ? syscall(SYS_vhangup) : ioctl(s, TIOCNOTTY);
    printf("call: %s, hup %d cont %d\n", result(r), (int)hups, (int)conts);
    printf("write: %s\n", result(write(s, "x", 1)));
    char c;
    fcntl(other, F_SETFL, O_NONBLOCK);
    errno = 0;
    long n = read(other, &c, 1);
    printf("read: %ld %s\n", n, n < 0 ? strerror(errno) : "");
    struct termios t;
    printf("tcgetattr: %s\n", result(tcgetattr(s, &t)));
    printf("isatty %d\n", isatty(s));
    struct pollfd p = {s, POLLIN | POLLOUT, 0};
    poll(&p, 1, 0);
    printf("poll %x\n", (unsigned)p.revents);
    int again = open(slave_name, O_RDWR | O_NOCTTY);
    printf("open again: %s\n", result(again));
    printf("write there: %s\n", result(write(again, "y", 1)));
    printf("write to the old one: %s\n", result(write(s, "x", 1)));
    printf("/dev/tty: %s\n", result(open("/dev/tty", O_RDWR)));
    fflush(stdout);
    _exit(0);
  }
  waitpid(leader, NULL, 0);
  close(m);
}

static void master_closes(void) {
  puts("-- the master closes");
  open_master();
  int report[2];
  if (pipe(report)) return;
  pid_t leader = fork();
  if (!leader) {
    close(m);
    setsid();
    handle(SIGHUP, on_hup), handle(SIGCONT, on_cont);
    int s = open(slave_name, O_RDWR);
    say(report[1], 'r');
    char c;
    errno = 0;
    long n = read(s, &c, 1);
    pause_ms(50);
    printf("blocked read: %s\n", n < 0 && (errno == EIO || errno == EINTR) ? "ended" : n == 0 ? "end" : "?");
    printf("hup %d cont %d\n", (int)hups, (int)conts);
    n = read(s, &c, 1);
    printf("read: %ld %s\n", n, n < 0 ? strerror(errno) : "");
    printf("write: %s\n", result(write(s, "x", 1)));
    printf("ioctl: %s\n", result(ioctl(s, TIOCGPGRP, &n)));
    fflush(stdout);
    _exit(0);
  }
  hear(report[0]);
  pause_ms(50);
  close(m);
  waitpid(leader, NULL, 0);
  close(report[0]), close(report[1]);
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  leader_exit(false);
  leader_exit(true);
  next_session();
  given_up(false);
  given_up(true);
  master_closes();
  printf("without privilege: ");
  fflush(stdout);
  pid_t p = fork();
  if (!p) {
    if (setuid(1000)) _exit(1);
    printf("%s\n", result(syscall(SYS_vhangup)));
    fflush(stdout);
    _exit(0);
  }
  waitpid(p, NULL, 0);
  return 0;
}
