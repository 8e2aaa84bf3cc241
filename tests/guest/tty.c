/* pty(7), termios(3), tty_ioctl(4): what both ends of a pseudo-terminal see. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "show.h"

static int m, s;
static char slave_name[64];

/* What can be read now. Linux processes input in a work queue: wait for it; the master until it stays quiet. */
static void show_bytes(const char *text, int fd) {
  static unsigned char buf[20000];
  struct pollfd f = {fd, POLLIN | POLLPRI, 0};
  poll(&f, 1, fd == m ? 400 : 60);
  errno = 0;
  long n = read(fd, buf, sizeof buf), more;
  int error = errno;
  while (fd == m && n > 0 && poll(&f, 1, 60) > 0 && (more = read(fd, buf + n, sizeof buf - (size_t)n)) > 0) n += more;
  errno = error;
  printf("%s: ", text);
  if (n < 0) printf("%s", error_name());
  for (long i = 0; i < n; i++) printf(buf[i] < 32 || buf[i] > 126 ? "\\x%02x" : "%c", buf[i]);
  printf("%s\n", n == 0 ? "(end)" : "");
}
static void type(const char *keys) { write(m, keys, strlen(keys)); }
static void both(const char *keys) {
  type(keys);
  show_bytes("  echo", m);
  show_bytes("  line", s);
}
static void open_pair(void) {
  m = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);
  grantpt(m), unlockpt(m);
  ptsname_r(m, slave_name, sizeof slave_name);
  s = open(slave_name, O_RDWR | O_NOCTTY | O_NONBLOCK);
}
static void close_pair(void) { close(s), close(m); }
static void set(tcflag_t clear_i, tcflag_t set_i, tcflag_t clear_o, tcflag_t set_o, tcflag_t clear_l, tcflag_t set_l) {
  struct termios t;
  tcgetattr(s, &t);
  t.c_iflag = (t.c_iflag & ~clear_i) | set_i, t.c_oflag = (t.c_oflag & ~clear_o) | set_o;
  t.c_lflag = (t.c_lflag & ~clear_l) | set_l;
  tcsetattr(s, TCSANOW, &t);
}
static void set_cc(int which, cc_t value) {
  struct termios t;
  tcgetattr(s, &t);
  t.c_cc[which] = value;
  tcsetattr(s, TCSANOW, &t);
}

static void identity(void) {
  m = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK);
  unsigned number = 99;
  int zero = 0, lock = -1;
  SHOW("TIOCGPTN", ioctl(m, TIOCGPTN, &number));
  snprintf(slave_name, sizeof slave_name, "/dev/pts/%u", number);
  SHOW("locked", open(slave_name, O_RDWR | O_NOCTTY));
  SHOW("unlock", ioctl(m, TIOCSPTLCK, &zero));
  ioctl(m, TIOCGPTLCK, &lock);
  s = open(slave_name, O_RDWR | O_NOCTTY | O_NONBLOCK);
  char text[64];
  int r = ttyname_r(s, text, sizeof text);
  printf("lock %d isatty %d %d ttyname %d %d\n", lock, isatty(m), isatty(s), r, strcmp(text, slave_name));
  struct stat st, by_name;
  fstat(s, &st), stat(slave_name, &by_name);
  printf("device %d %d same %d\n", S_ISCHR(st.st_mode), (int)(st.st_rdev >> 8), st.st_ino == by_name.st_ino && st.st_dev == by_name.st_dev);
  struct termios t;
  tcgetattr(m, &t);
  printf("termios %x %x %x %x:", t.c_iflag, t.c_oflag, t.c_cflag, t.c_lflag);
  for (int i = 0; i < 17; i++) printf(" %d", t.c_cc[i]);
  printf("\n");
  struct winsize w = {1, 2, 3, 4};
  ioctl(s, TIOCGWINSZ, &w);
  printf("size %d %d %d %d\n", w.ws_row, w.ws_col, w.ws_xpixel, w.ws_ypixel);
  w = (struct winsize){24, 80, 0, 0};
  ioctl(m, TIOCSWINSZ, &w);
  w.ws_row = 0;
  ioctl(s, TIOCGWINSZ, &w);
  printf("size %d %d\n", w.ws_row, w.ws_col);
  int disc = -1;
  SHOW("TIOCGETD", ioctl(s, TIOCGETD, &disc));
  printf("discipline %d\n", disc);
  pid_t group;
  SHOW("not our terminal", ioctl(s, TIOCGPGRP, &group));
  SHOW("session of none", ioctl(s, TIOCGSID, &group));
  int peer = ioctl(m, TIOCGPTPEER, O_RDWR | O_NOCTTY);
  printf("peer is a tty %d\n", isatty(peer));
  close(peer);
  SHOW("TCGETS of a pipe-like", ioctl(open("/dev/null", O_RDWR), TCGETS, &t));
  close_pair();
  SHOW("gone", open(slave_name, O_RDWR | O_NOCTTY));
}

static void lines(void) {
  open_pair();
  printf("lines\n");
  type("hel");
  show_bytes("  echo", m), show_bytes("  unfinished", s);
  both("lo\r");
  both("one\ntwo\n");
  show_bytes("  second", s);
  int n = 0;
  type("abc\x04" "def\n"), usleep(20000);
  ioctl(s, FIONREAD, &n);
  printf("  FIONREAD %d\n", n);
  show_bytes("  to the mark", s), show_bytes("  rest", s);
  type("\x04");
  show_bytes("  mark alone", s), show_bytes("  then", s);
  show_bytes("  echo", m);
  write(s, "out\nput\ttab\r\n", 13);
  show_bytes("  output", m);
  char c[3];
  type("12345\n"), usleep(20000);
  SHOW("  part", read(s, c, 2));
  show_bytes("  rest", s);
  type("xy\x04"), usleep(20000);
  SHOW("  exactly up to the mark", read(s, c, 2));
  show_bytes("  then", s);
  close_pair();
}

static void editing(void) {
  open_pair();
  printf("editing\n");
  both("abc\x7f\x7fx\n");
  both("one two  \x17X\n");
  both("a.b-c d_e \x17\x17!\n");
  both("junk\x15ok\n");
  both("a\x16\x03z\x7f\x7f\n");
  both("ab\x12""cd\n");
  both("ab\t\x7f" "c\n");
  both("abcdefgh\tx\t\x7f\x7f\x7f.\n");
  both("\x01\x02\x7f\x7f.\n");
  both("\xc3\xa4\x7f\n");
  set(0, IUTF8, 0, 0, 0, 0);
  both("\xc3\xa4\xe2\x82\xac\x7f\x7f!\n");
  both("\xc3\xa4 \xe2\x82\xac\x17!\n");
  printf("no ECHOE\n");
  set(0, 0, 0, 0, ECHOE, 0);
  both("ab\x7f\n");
  both("ab\x15" "c\n");
  printf("no ECHOKE\n");
  set(0, 0, 0, 0, ECHOKE, ECHOE);
  both("ab\x15" "c\n");
  printf("no ECHOCTL\n");
  set(0, 0, 0, 0, ECHOCTL, ECHOKE);
  both("\x01z\x7f\x7f\n");
  printf("ECHOPRT\n");
  set(0, 0, 0, 0, ECHOE, ECHOCTL | ECHOPRT);
  both("abc\x7f\x7fz\x7f\n");
  printf("ECHONL\n");
  set(0, 0, 0, 0, ECHO | ECHOPRT, ECHONL);
  both("quiet\n");
  printf("no IEXTEN\n");
  set(0, 0, 0, 0, ECHONL | IEXTEN, ECHO);
  both("a \x16\x17\n");
  printf("VEOL\n");
  set_cc(VEOL, ';');
  both("one;two\n");
  show_bytes("  rest", s);
  close_pair();
}

static void flags(void) {
  open_pair();
  printf("INLCR\n");
  set(ICRNL, INLCR, 0, 0, 0, 0);
  both("a\nb\r");
  set(INLCR, ICRNL, 0, 0, 0, 0);
  both("\n");
  printf("IGNCR\n");
  set(0, IGNCR, 0, 0, 0, 0);
  both("a\rb\n");
  printf("ISTRIP\n");
  set(IGNCR, ISTRIP, 0, 0, 0, 0);
  both("\xe1\xe2\n");
  printf("IUCLC\n");
  set(ISTRIP, IUCLC, 0, 0, 0, 0);
  both("ABC\n");
  printf("raw output\n");
  set(IUCLC, 0, OPOST, 0, 0, 0);
  write(s, "a\nb", 3), show_bytes("  output", m);
  printf("OCRNL, ONLRET, XTABS, OLCUC\n");
  set(0, 0, ONLCR, OPOST | OCRNL, 0, 0);
  write(s, "a\rb\n", 4), show_bytes("  output", m);
  set(0, 0, OCRNL, ONOCR, 0, 0);
  write(s, "\n\rb\rc", 5), show_bytes("  output", m);
  set(0, 0, ONOCR, ONLRET | XTABS, 0, 0);
  write(s, "ab\tc\td\n\te", 9), show_bytes("  output", m);
  set(0, 0, ONLRET | XTABS, OLCUC | ONLCR, 0, 0);
  write(s, "abc\n", 4), show_bytes("  output", m);
  close_pair();
}

static void raw(void) {
  open_pair();
  printf("raw\n");
  struct termios t;
  tcgetattr(s, &t);
  cfmakeraw(&t);
  tcsetattr(s, TCSANOW, &t);
  both("a\r\x03\x11\x7f");
  set_cc(VMIN, 3);
  type("ab"), usleep(20000);
  struct pollfd f = {s, POLLIN, 0};
  poll(&f, 1, 0);
  printf("  poll below VMIN %x\n", f.revents);
  type("c"), usleep(20000);
  poll(&f, 1, 0);
  printf("  poll at VMIN %x\n", f.revents);
  show_bytes("  three", s);
  set_cc(VMIN, 0);
  show_bytes("  VMIN 0", s);
  fcntl(s, F_SETFL, O_RDWR);
  set_cc(VTIME, 1);
  char c[10];
  SHOW("  VTIME 1", read(s, c, 10));
  set_cc(VMIN, 5);
  type("xy");
  SHOW("  between bytes", read(s, c, 10));
  type("12345678");
  SHOW("  asked for 3", read(s, c, 3));
  SHOW("  the rest", read(s, c, 10));
  fcntl(s, F_SETFL, O_RDWR | O_NONBLOCK);
  set(0, 0, 0, 0, 0, ICANON);
  type("part"), usleep(20000);
  set(0, 0, 0, 0, ICANON, 0);
  set_cc(VMIN, 1);
  show_bytes("  line, then raw", s);
  type("more"), usleep(20000);
  set(0, 0, 0, 0, 0, ICANON);
  show_bytes("  raw, then line", s);
  type("lost"), usleep(20000);
  tcgetattr(s, &t);
  tcsetattr(s, TCSAFLUSH, &t);
  type("kept\n");
  show_bytes("  after a flush", s);
  close_pair();
}

static void flow_and_bounds(void) {
  open_pair();
  printf("flow\n");
  type("\x13"), usleep(20000);
  SHOW("  stopped", write(s, "x", 1));
  type("\x11"), usleep(20000);
  SHOW("  going", write(s, "x", 1));
  show_bytes("  output", m);
  tcflow(s, TCOOFF);
  SHOW("  TCOOFF", write(s, "x", 1));
  tcflow(s, TCOON);
  SHOW("  TCOON", write(s, "x", 1));
  tcflow(s, TCIOFF);
  show_bytes("  TCIOFF", m);
  set(0, 0, 0, 0, ECHO, 0);
  static char big[10000];
  memset(big, 'b', sizeof big);
  long total = 0, n;
  while (total < 10000 && (n = write(m, big, sizeof big - (size_t)total)) > 0) total += n, usleep(20000);
  printf("  no line: all taken %d\n", total == 10000);
  type("\n"), usleep(20000);
  n = read(s, big, sizeof big);
  printf("  longest line %ld ends %d\n", n, big[n - 1] == '\n');
  total = 0;
  while ((n = write(s, big, 1000)) > 0 && total < (1 << 20)) total += n;
  printf("  output is bounded %d\n", total < (1 << 20));
  tcflush(s, TCOFLUSH);
  close_pair();
}

static volatile sig_atomic_t got[65];
static void on_signal(int n) { got[n]++; }
static void catch(int n) {
  struct sigaction sa = {.sa_handler = on_signal};
  sigaction(n, &sa, NULL);
}

static void job_control(void) {
  printf("job control\n");
  fflush(stdout);
  open_pair();
  pid_t child = fork();
  if (child == 0) {
    setsid();
    SHOW("  TIOCSCTTY", ioctl(s, TIOCSCTTY, 0));
    SHOW("  again", ioctl(s, TIOCSCTTY, 0));
    pid_t group = 0, sid = 0;
    ioctl(s, TIOCGPGRP, &group), ioctl(s, TIOCGSID, &sid);
    printf("  group %d session %d tcgetpgrp %d\n", group == getpid(), sid == getpid(), tcgetpgrp(s) == getpid());
    int tty = open("/dev/tty", O_RDWR | O_NONBLOCK);
    printf("  /dev/tty is a terminal %d\n", isatty(tty));
    catch(SIGINT), catch(SIGQUIT), catch(SIGTSTP), catch(SIGWINCH), catch(SIGTTOU), catch(SIGTTIN), catch(SIGHUP), catch(SIGCONT);
    type("abc\x03"), usleep(20000);
    printf("  SIGINT %d\n", (int)got[SIGINT]);
    show_bytes("  echo", m);
    both("\n");
    type("\x1c");
    show_bytes("  echo", m);
    type("\x1a");
    show_bytes("  echo", m);
    printf("  SIGQUIT %d SIGTSTP %d\n", (int)got[SIGQUIT], (int)got[SIGTSTP]);
    set(0, 0, 0, 0, 0, NOFLSH);
    type("keep\x03"), usleep(20000);
    both("\n");
    struct winsize w = {30, 90, 0, 0};
    ioctl(m, TIOCSWINSZ, &w), usleep(20000);
    printf("  SIGWINCH %d\n", (int)got[SIGWINCH]);
    ioctl(s, TIOCSWINSZ, &w), usleep(20000);
    printf("  unchanged %d\n", (int)got[SIGWINCH]);
    fflush(stdout);
    pid_t job = fork();
    if (job == 0) { /* a background group */
      setpgid(0, 0);
      fcntl(s, F_SETFL, O_RDWR);
      signal(SIGTTOU, SIG_DFL), signal(SIGTTIN, SIG_DFL), signal(SIGCONT, SIG_DFL);
      char c;
      write(s, "bg writes\n", 10);
      read(s, &c, 1); /* stops */
      tcsetpgrp(s, getpgrp()); /* stops */
      _exit(tcgetpgrp(s) == getpgrp() ? 5 : 6);
    }
    setpgid(job, job);
    int status;
    waitpid(job, &status, WUNTRACED);
    printf("  background read: stopped %d %d\n", WIFSTOPPED(status), WSTOPSIG(status) == SIGTTIN);
    type("z\n"), usleep(20000);
    ioctl(s, TIOCSPGRP, &job), kill(-job, SIGCONT); /* to the foreground: it reads "z" */
    usleep(20000);
    printf("  its turn\n");
    signal(SIGTTOU, SIG_IGN);
    waitpid(job, &status, 0);
    printf("  job %d %d\n", WIFEXITED(status), WEXITSTATUS(status));
    pid_t me = getpid();
    SHOW("  back", ioctl(s, TIOCSPGRP, &me));
    pid_t none = 30000;
    SHOW("  no such group", ioctl(s, TIOCSPGRP, &none) ? -1 : 0);
    fcntl(m, F_SETFL, O_RDWR | O_NONBLOCK);
    show_bytes("  what was written", m);
    close(m), usleep(20000);
    printf("  hung up: SIGHUP %d SIGCONT %d\n", (int)got[SIGHUP], (int)got[SIGCONT] > 0);
    char c;
    SHOW("  read", read(s, &c, 1));
    SHOW("  write", write(s, "x", 1));
    struct termios t;
    SHOW("  tcgetattr", tcgetattr(s, &t));
    struct pollfd f = {s, POLLIN | POLLOUT, 0};
    poll(&f, 1, 0);
    printf("  poll %x\n", f.revents);
    SHOW("  /dev/tty", open("/dev/tty", O_RDWR));
    fflush(stdout);
    _exit(0);
  }
  close(m), close(s);
  int status;
  waitpid(child, &status, 0);
  printf("  session %d %d\n", WIFEXITED(status), WEXITSTATUS(status));
}

static void sessions(void) {
  printf("sessions\n");
  fflush(stdout);
  open_pair();
  fcntl(m, F_SETFL, O_RDWR);
  if (fork() == 0) {
    setsid();
    int fd = open(slave_name, O_RDWR); /* no O_NOCTTY: it becomes the controlling terminal */
    printf("  controlling by open %d\n", tcgetpgrp(fd) == getpid());
    fflush(stdout);
    if (fork() == 0) { /* a member of the foreground group outlives the leader */
      catch(SIGHUP);
      for (int i = 0; i < 100 && !got[SIGHUP]; i++) usleep(20000);
      char text[40];
      int n = snprintf(text, sizeof text, "hup %d tty %d\n", (int)got[SIGHUP], open("/dev/tty", O_RDWR) < 0);
      write(fd, text, (size_t)n);
      _exit(0);
    }
    usleep(20000);
    _exit(0);
  }
  close(s);
  char text[100];
  long n = 0, r;
  while ((r = read(m, text + n, sizeof text - 1 - (size_t)n)) > 0) n += r;
  text[n] = 0;
  printf("  %.*s", (int)strcspn(text, "\r"), text);
  printf("\n  at the end %s\n", error_name());
  while (wait(NULL) > 0) {
  }
  struct pollfd f = {m, POLLIN | POLLOUT, 0};
  poll(&f, 1, 0);
  printf("  poll of the master %x\n", f.revents);
  s = open(slave_name, O_RDWR | O_NOCTTY | O_NONBLOCK);
  write(s, "again\n", 6);
  show_bytes("  opened again", m);
  close_pair();
}

static void *close_later(void *arg) {
  usleep(30000);
  close(*(int *)arg);
  return NULL;
}
static void blocked_readers(void) {
  printf("blocked readers\n");
  open_pair();
  fcntl(s, F_SETFL, O_RDWR), fcntl(m, F_SETFL, O_RDWR);
  pthread_t t;
  char c;
  pthread_create(&t, NULL, close_later, &m);
  SHOW("  slave, master closes", read(s, &c, 1));
  pthread_join(t, NULL);
  close(s);
  open_pair();
  fcntl(m, F_SETFL, O_RDWR);
  pthread_create(&t, NULL, close_later, &s);
  SHOW("  master, slave closes", read(m, &c, 1));
  pthread_join(t, NULL);
  close(m);
}

static void packets(void) {
  printf("packets\n");
  open_pair();
  int one = 1;
  SHOW("  TIOCPKT", ioctl(m, TIOCPKT, &one));
  write(s, "hi", 2), show_bytes("  data", m);
  tcflush(s, TCIFLUSH), show_bytes("  flush", m);
  set(IXON, 0, 0, 0, 0, 0), show_bytes("  no flow control", m);
  set(0, IXON, 0, 0, 0, 0), show_bytes("  flow control", m);
  tcflow(s, TCOOFF), show_bytes("  stop", m);
  tcflow(s, TCOON), show_bytes("  start", m);
  close_pair();
}

int main(void) {
  setvbuf(stdout, NULL, _IOFBF, 1 << 16);
  identity();
  lines();
  editing();
  flags();
  raw();
  flow_and_bounds();
  job_control();
  sessions();
  blocked_readers();
  packets();
  return 0;
}
