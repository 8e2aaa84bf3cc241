/* signalfd(2), pidfd_open(2), pidfd_send_signal(2), waitid(P_PIDFD), CLONE_PIDFD, SIGIO by O_ASYNC and FIOASYNC. */
#include "try.h"
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>

static void block(int n) {
  sigset_t s;
  sigemptyset(&s), sigaddset(&s, n);
  sigprocmask(SIG_BLOCK, &s, NULL);
}
static int sfd(int fd, int a, int b, int flags) {
  sigset_t s;
  sigemptyset(&s), sigaddset(&s, a), sigaddset(&s, b);
  return signalfd(fd, &s, flags);
}
static void take(int fd) {
  struct signalfd_siginfo i[4];
  errno = 0;
  ssize_t n = read(fd, i, sizeof i);
  printf("read %zd %s\n", n, n < 0 ? strerror(errno) : "");
  for (int k = 0; k < n / (int)sizeof *i; k++)
    printf("  signo %u code %d self %d int %d status %d\n", i[k].ssi_signo, i[k].ssi_code, i[k].ssi_pid == (unsigned)getpid(),
           i[k].ssi_int, i[k].ssi_status);
}
static int ready(int fd) {
  struct pollfd p = {.fd = fd, .events = POLLIN};
  poll(&p, 1, 0);
  return p.revents;
}

static void signals(void) {
  block(SIGUSR1), block(SIGCHLD), block(SIGRTMIN + 1);
  TRY(sfd(-1, SIGUSR1, SIGCHLD, 0x1234567));
  TRY(sfd(0, SIGUSR1, SIGCHLD, 0));
  TRY(sfd(99, SIGUSR1, SIGCHLD, 0));
  int fd = sfd(-1, SIGUSR1, SIGCHLD, SFD_NONBLOCK | SFD_CLOEXEC);
  SHOW("%d", fcntl(fd, F_GETFD));
  take(fd);
  SHOW("%d", ready(fd));
  kill(getpid(), SIGUSR1), kill(getpid(), SIGUSR1);
  SHOW("%d", ready(fd));
  char small[100];
  TRY(read(fd, small, sizeof small));
  take(fd);
  SHOW("%d", ready(fd));
  SHOW("%d", sfd(fd, SIGUSR1, SIGRTMIN + 1, 0) == fd);
  union sigval v = {.sival_int = 42};
  sigqueue(getpid(), SIGRTMIN + 1, v), v.sival_int = 43, sigqueue(getpid(), SIGRTMIN + 1, v);
  take(fd);
  /* a child that ends, by a blocking read and through epoll */
  int ep = epoll_create1(0), wait = sfd(-1, SIGCHLD, SIGCHLD, 0);
  struct epoll_event e = {.events = EPOLLIN, .data.fd = 7};
  epoll_ctl(ep, EPOLL_CTL_ADD, wait, &e);
  pid_t child = fork();
  if (!child) usleep(30000), _exit(5);
  SHOW("%d", epoll_wait(ep, &e, 1, 5000));
  take(wait);
  SHOW("%d", waitpid(child, NULL, 0) == child);
  child = fork();
  if (!child) usleep(30000), _exit(6);
  take(wait);
  waitpid(child, NULL, 0);
  SHOW("%d", epoll_wait(ep, &e, 1, 0));
  TRY(write(fd, small, 8));
  close(fd), close(wait), close(ep);
}

static void pidfds(void) {
  TRY(syscall(SYS_pidfd_open, 0, 0));
  TRY(syscall(SYS_pidfd_open, -1, 0));
  TRY(syscall(SYS_pidfd_open, 4000000, 0));
  TRY(syscall(SYS_pidfd_open, getpid(), 0x12));
  TRY(syscall(SYS_pidfd_send_signal, 0, 0, NULL, 0));
  TRY(syscall(SYS_pidfd_send_signal, 99, 0, NULL, 0));
  siginfo_t i;
  TRY(waitid(P_PIDFD, 0, &i, WEXITED));
  TRY(waitid(P_PIDFD, 99, &i, WEXITED));
  pid_t child = fork();
  if (!child) {
    for (;;) pause();
  }
  int fd = (int)syscall(SYS_pidfd_open, child, O_NONBLOCK);
  SHOW("%d", fcntl(fd, F_GETFD));
  SHOW("%d", ready(fd));
  TRY(waitid(P_PIDFD, (id_t)fd, &i, WEXITED));
  TRY(syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0));
  TRY(syscall(SYS_pidfd_send_signal, fd, 999, NULL, 0));
  TRY(syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0));
  struct pollfd p = {.fd = fd, .events = POLLIN};
  TRY(poll(&p, 1, 5000));
  SHOW("%d", p.revents);
  TRY(syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0));
  TRY(waitid(P_PIDFD, (id_t)fd, &i, WEXITED));
  printf("child %d code %d status %d\n", i.si_pid == child, i.si_code, i.si_status);
  TRY(waitid(P_PIDFD, (id_t)fd, &i, WEXITED));
  TRY(syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0));
  char c;
  TRY(read(fd, &c, 1));
  close(fd);
  /* clone3 with a pidfd */
  struct clone_args a = {.flags = CLONE_PIDFD, .exit_signal = SIGCHLD};
  int made = -1;
  a.pidfd = (uint64_t)(uintptr_t)&made;
  child = (pid_t)syscall(SYS_clone3, &a, sizeof a);
  if (!child) _exit(9);
  printf("cloexec %d\n", fcntl(made, F_GETFD));
  p.fd = made;
  TRY(poll(&p, 1, 5000));
  TRY(waitid(P_PIDFD, (id_t)made, &i, WEXITED));
  printf("child %d code %d status %d\n", i.si_pid == child, i.si_code, i.si_status);
  close(made);
}

static volatile sig_atomic_t got;
static void on_io(int n) { got += n == SIGIO; }
static void wait_io(const char *what) {
  for (int k = 0; !got && k < 200; k++) usleep(10000);
  printf("%s: %s\n", what, got ? "SIGIO" : "nothing");
  got = 0;
}
static void async(void) {
  struct sigaction act = {.sa_handler = on_io};
  sigaction(SIGIO, &act, NULL);
  int s[2], on = 1, fd;
  socketpair(AF_UNIX, SOCK_STREAM, 0, s);
  TRY(ioctl(s[0], FIOASYNC, &on));
  SHOW("%d", (fcntl(s[0], F_GETFL) & O_ASYNC) != 0);
  TRY(fcntl(s[0], F_SETOWN, getpid()));
  SHOW("%d", fcntl(s[0], F_GETOWN) == getpid());
  got = 0, write(s[1], "x", 1);
  wait_io("socket");
  on = 0;
  TRY(ioctl(s[0], FIOASYNC, &on));
  SHOW("%d", (fcntl(s[0], F_GETFL) & O_ASYNC) != 0);
  got = 0, write(s[1], "x", 1);
  usleep(20000);
  SHOW("%d", got);
  int p[2];
  pipe(p);
  fcntl(p[0], F_SETOWN, getpid());
  TRY(fcntl(p[0], F_SETFL, O_ASYNC));
  got = 0, write(p[1], "x", 1);
  wait_io("pipe");
  put("plain", "x");
  fd = open("plain", O_RDONLY), on = 1;
  TRY(ioctl(fd, FIOASYNC, &on));
  on = 0;
  TRY(ioctl(fd, FIOASYNC, &on));
  close(p[0]), close(p[1]), close(s[0]), close(s[1]), close(fd);
}

int main(void) {
  enter("signalfd");
  signals();
  pidfds();
  async();
  return 0;
}
