/* poll(2), ppoll(2), select(2), pselect(2) over pipes, files and timeouts. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/select.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "show.h"

static volatile sig_atomic_t signals;
static void count_signal(int n) { (void)n, signals++; }
static long ms(void) {
  struct timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}
static void watch(fd_set *set, int a, int b) {
  FD_ZERO(set);
  FD_SET(a, set);
  if (b >= 0) FD_SET(b, set);
}
static int p[2];
static void *late_writer(void *arg) {
  usleep(30000);
  write(arg ? *(int *)arg : p[1], "x", 1);
  return NULL;
}

static void polls(void) {
  pipe(p);
  int file = open("/dev/null", O_RDWR);
  struct pollfd f[5] = {{p[0], POLLIN, 9}, {p[1], POLLOUT, 9}, {-5, POLLIN, 9}, {999, POLLIN, 9}, {file, POLLIN | POLLOUT, 9}};
  int r = poll(f, 5, -1);
  printf("poll %d: %x %x %x %x %x\n", r, f[0].revents, f[1].revents, f[2].revents, f[3].revents, f[4].revents);
  long start = ms();
  r = poll(f, 1, 40);
  printf("timeout %d %x waited %d\n", r, f[0].revents, ms() - start >= 39);
  r = poll(NULL, 0, 10);
  printf("nothing %d\n", r);
  pthread_t t;
  pthread_create(&t, NULL, late_writer, NULL);
  r = poll(f, 1, 5000);
  printf("woken %d %x\n", r, f[0].revents);
  pthread_join(t, NULL);
  f[0].events = POLLIN | POLLRDNORM | POLLOUT;
  poll(f, 1, 0);
  printf("asked for more %x\n", f[0].revents);
  close(p[1]);
  poll(f, 1, 0);
  printf("hang-up with data %x\n", f[0].revents);
  char c[8];
  read(p[0], c, 8);
  f[0].events = 0;
  poll(f, 1, 0);
  printf("hang-up %x\n", f[0].revents);
  close(p[0]);
  pipe(p);
  close(p[0]);
  f[1].fd = p[1], f[1].events = POLLOUT;
  poll(&f[1], 1, 0);
  printf("no reader %x\n", f[1].revents);
  close(p[1]), close(file);
}

static void signals_and_masks(void) {
  pipe(p);
  struct sigaction sa = {.sa_handler = count_signal, .sa_flags = SA_RESTART};
  sigaction(SIGALRM, &sa, NULL);
  sigaction(SIGUSR1, &sa, NULL);
  struct pollfd f = {p[0], POLLIN, 0};
  ualarm(20000, 0);
  int r = poll(&f, 1, 2000);
  printf("poll is not restarted %d %s %d\n", r, error_name(), (int)signals);
  sigset_t block, none, now;
  sigemptyset(&none), sigemptyset(&block), sigaddset(&block, SIGUSR1);
  sigprocmask(SIG_BLOCK, &block, NULL);
  raise(SIGUSR1);
  signals = 0;
  struct timespec ts = {0, 10000000};
  r = ppoll(&f, 1, &ts, NULL);
  printf("blocked: ppoll %d signals %d\n", r, (int)signals);
  ts = (struct timespec){2, 0};
  r = ppoll(&f, 1, &ts, &none);
  printf("unblocked inside: %d %s signals %d\n", r, error_name(), (int)signals);
  sigprocmask(SIG_BLOCK, NULL, &now);
  printf("mask is back %d\n", sigismember(&now, SIGUSR1));
  raise(SIGUSR1);
  fd_set set;
  watch(&set, p[0], -1);
  r = pselect(p[0] + 1, &set, NULL, NULL, &ts, &none);
  printf("pselect: %d %s signals %d\n", r, error_name(), (int)signals);
  write(p[1], "x", 1);
  raise(SIGUSR1);
  r = ppoll(&f, 1, NULL, &none);
  printf("ready and pending: %d\n", r);
  sigprocmask(SIG_UNBLOCK, &block, NULL);
  printf("delivered in the end %d\n", (int)signals);
  ts = (struct timespec){0, 2000000000};
  r = ppoll(&f, 1, &ts, NULL);
  printf("bad time %d %s\n", r, error_name());
  close(p[0]), close(p[1]);
}

static void selects(void) {
  int q[2];
  pipe(p), pipe(q);
  fd_set in, out, except;
  watch(&in, p[0], q[0]), watch(&out, p[1], -1), watch(&except, p[0], -1);
  struct timeval tv = {0, 0};
  int r = select(q[1] + 1, &in, &out, &except, &tv);
  printf("select %d: %d %d %d %d\n", r, FD_ISSET(p[0], &in), FD_ISSET(q[0], &in), FD_ISSET(p[1], &out), FD_ISSET(p[0], &except));
  watch(&in, p[0], q[0]);
  pthread_t t;
  pthread_create(&t, NULL, late_writer, &q[1]);
  tv = (struct timeval){5, 0};
  r = select(q[1] + 1, &in, NULL, NULL, &tv);
  printf("select %d: %d %d, time left %d\n", r, FD_ISSET(p[0], &in), FD_ISSET(q[0], &in), tv.tv_sec <= 4);
  pthread_join(t, NULL);
  close(q[0]);
  watch(&in, q[0], -1);
  r = select(q[0] + 1, &in, NULL, NULL, &tv);
  printf("closed %d %s\n", r, error_name());
  long start = ms();
  tv = (struct timeval){0, 30000};
  r = select(0, NULL, NULL, NULL, &tv);
  printf("sleep %d %d left %ld\n", r, ms() - start >= 29, (long)tv.tv_usec);
  watch(&in, p[0], -1);
  close(p[1]);
  r = select(p[0] + 1, &in, NULL, NULL, NULL);
  printf("end of file is readable %d %d\n", r, FD_ISSET(p[0], &in));
  r = select(-1, NULL, NULL, NULL, &tv);
  printf("negative %d %s\n", r, error_name());
  close(p[0]), close(q[1]);
}

static void many(void) {
  enum { N = 60 };
  int pipes[N][2];
  struct pollfd f[N];
  for (int i = 0; i < N; i++) {
    pipe(pipes[i]);
    f[i] = (struct pollfd){pipes[i][0], POLLIN, 0};
  }
  pid_t child = fork();
  if (child == 0) {
    for (int i = N - 1; i >= 0; i -= 7) {
      usleep(2000);
      write(pipes[i][1], "x", 1);
    }
    _exit(0);
  }
  int seen = 0, sum = 0;
  while (seen < (N + 6) / 7) {
    int r = poll(f, N, 5000);
    if (r <= 0) break;
    for (int i = 0; i < N; i++)
      if (f[i].revents & POLLIN) {
        char c;
        read(f[i].fd, &c, 1);
        seen++, sum += i;
      }
  }
  waitpid(child, NULL, 0);
  printf("many %d %d\n", seen, sum);
  for (int i = 0; i < N; i++) close(pipes[i][0]), close(pipes[i][1]);
}

int main(void) {
  polls();
  signals_and_masks();
  selects();
  many();
  return 0;
}
