/* Job control on a terminal: setsid(2), tcsetpgrp(3), SIGTTIN, SIGTTOU, ^C, ^Z, hang-up, orphaned groups. */
#define _GNU_SOURCE
#include "check.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>

static int master;
static char slave_path[64];

/* Runs body as the leader of a session on a new terminal; its exit code. */
static int on_terminal(int (*body)(int tty), void (*meanwhile)(pid_t)) {
  int zero = 0, number, status;
  master = open("/dev/ptmx", O_RDWR | O_NOCTTY);
  if (master < 0 || ioctl(master, TIOCSPTLCK, &zero) || ioctl(master, TIOCGPTN, &number)) return 100;
  snprintf(slave_path, sizeof slave_path, "/dev/pts/%d", number);
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    setsid();
    int tty = open(slave_path, O_RDWR); /* becomes the controlling terminal */
    close(master);
    _exit(tty < 0 ? 101 : body(tty));
  }
  if (meanwhile) meanwhile(pid);
  waitpid(pid, &status, 0);
  close(master);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 200 + WTERMSIG(status);
}

static pid_t job(int tty, int foreground, int (*body)(int)) {
  pid_t pid = fork();
  if (pid == 0) {
    setpgid(0, 0);
    signal(SIGTTOU, SIG_IGN);
    if (foreground) tcsetpgrp(tty, getpid());
    signal(SIGTTOU, SIG_DFL);
    _exit(body(tty));
  }
  setpgid(pid, pid);
  return pid;
}
static int sleeps(int tty) {
  (void)tty;
  for (;;) pause();
  return 0;
}
static int reads(int tty) {
  char c;
  return read(tty, &c, 1) == 1 ? 0 : 1;
}
static int writes(int tty) { return write(tty, "x", 1) == 1 ? 0 : 1; }
static int sets(int tty) {
  struct termios t;
  return tcgetattr(tty, &t) == 0 && tcsetattr(tty, TCSANOW, &t) == 0 ? 0 : 1;
}

static int controlling(int tty) {
  int bad = 0, other = open("/dev/tty", O_RDWR);
  bad |= other < 0;
  bad |= (tcgetpgrp(tty) != getpid()) << 1;
  bad |= (tcgetsid(tty) != getpid()) << 2;
  bad |= (ioctl(tty, TIOCNOTTY) != 0) << 3; /* the leader gives it up: SIGHUP to the foreground group, that is us */
  return bad;
}
static int background(int tty) {
  int status, bad = 0;
  pid_t pid = job(tty, 0, reads);
  bad |= !(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status) && WSTOPSIG(status) == SIGTTIN);
  kill(pid, SIGKILL), waitpid(pid, &status, 0);
  pid = job(tty, 0, sets);
  bad |= !(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status) && WSTOPSIG(status) == SIGTTOU) << 1;
  kill(pid, SIGKILL), waitpid(pid, &status, 0);
  pid = job(tty, 0, writes); /* without TOSTOP it may */
  bad |= !(waitpid(pid, &status, WUNTRACED) == pid && WIFEXITED(status)) << 2;
  struct termios t;
  tcgetattr(tty, &t);
  t.c_lflag |= TOSTOP;
  tcsetattr(tty, TCSANOW, &t);
  pid = job(tty, 0, writes);
  bad |= !(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status) && WSTOPSIG(status) == SIGTTOU) << 3;
  kill(pid, SIGKILL), waitpid(pid, &status, 0);
  bad |= !(tcsetpgrp(tty, 999999) == -1 && (errno == ESRCH || errno == EPERM)) << 4;
  return bad;
}

/* When a job is in the foreground. */
static void press(pid_t leader, char c) {
  pid_t group = 0;
  for (int i = 0; i < 2000 && (ioctl(master, TIOCGPGRP, &group) || group <= 0 || group == leader); i++) pause_ms(1);
  pause_ms(20);
  if (write(master, &c, 1) != 1) check("press", 0);
}
static void press_c(pid_t pid) {
  press(pid, 3);
}
static void press_z(pid_t pid) {
  press(pid, 26);
}
static int interrupted(int tty) {
  int status;
  pid_t pid = job(tty, 1, sleeps);
  waitpid(pid, &status, WUNTRACED);
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGINT ? 0 : 1;
}
static int suspended(int tty) {
  int status, bad;
  pid_t pid = job(tty, 1, sleeps);
  waitpid(pid, &status, WUNTRACED);
  bad = !(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTSTP);
  signal(SIGTTOU, SIG_IGN);
  bad |= (tcsetpgrp(tty, getpid()) != 0) << 1;
  kill(-pid, SIGCONT);
  waitpid(pid, &status, WCONTINUED);
  bad |= !WIFCONTINUED(status) << 2;
  kill(-pid, SIGTERM);
  waitpid(pid, &status, 0);
  bad |= !(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM) << 3;
  return bad;
}

static int told[2];
static void tell(int signo) {
  char c = (char)signo;
  if (write(told[1], &c, 1) != 1) _exit(1);
}
static int listens(int tty) {
  (void)tty;
  signal(SIGHUP, tell), signal(SIGCONT, tell);
  tell(1);
  alarm(2);
  for (;;) pause();
  return 0;
}
static int leader_leaves(int tty) {
  char c;
  job(tty, 1, listens);
  if (read(told[0], &c, 1) != 1) return 1;
  return 42;
}
static int leader_is_hung_up(int tty) {
  char c;
  signal(SIGHUP, tell);
  tell(1);
  return read(tty, &c, 1) <= 0 ? 7 : 8; /* end of file, or EIO while the hang-up is under way */
}
static void hang_up(pid_t pid) {
  char c;
  (void)pid;
  if (read(told[0], &c, 1) == 1) close(master);
}
static void hangups(void) {
  char c = 0;
  if (pipe(told)) return;
  check("a session leader leaves", on_terminal(leader_leaves, NULL) == 42);
  check("the foreground group is hung up", read(told[0], &c, 1) == 1 && (c == SIGHUP || c == SIGCONT));
  close(told[0]), close(told[1]);
  if (pipe(told)) return;
  check("a terminal that is hung up reads as ended", on_terminal(leader_is_hung_up, hang_up) == 7);
  close(told[0]), close(told[1]);
}

static void orphaned_group(void) {
  char c = 0;
  int status;
  if (pipe(told)) return;
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    setsid();
    pid_t middle = fork();
    if (middle == 0) {
      setpgid(0, 0);
      pid_t inner = fork();
      if (inner == 0) {
        signal(SIGHUP, tell);
        raise(SIGSTOP);
        pause_ms(50);
        _exit(0);
      }
      waitpid(inner, &status, WUNTRACED);
      /* both in a group whose only tie to the session is this process' parent */
      setpgid(inner, getpid());
      _exit(0);
    }
    waitpid(middle, &status, 0);
    pause_ms(100);
    _exit(0);
  }
  waitpid(pid, &status, 0);
  close(told[1]);
  check("a stopped group that is orphaned gets SIGHUP", read(told[0], &c, 1) == 1 && c == SIGHUP);
  close(told[0]);
}

int main(void) {
  signal(SIGHUP, SIG_IGN);
  check("controlling terminal", on_terminal(controlling, NULL) == 0);
  signal(SIGHUP, SIG_DFL);
  check("background jobs", on_terminal(background, NULL) == 0);
  check("^C", on_terminal(interrupted, press_c) == 0);
  check("^Z, and on again", on_terminal(suspended, press_z) == 0);
  hangups();
  orphaned_group();
  return 0;
}
