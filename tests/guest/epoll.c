/* epoll(7), eventfd(2), timerfd_create(2). */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "show.h"

static int ctl(int ep, int op, int fd, uint32_t events, uint64_t data) {
  struct epoll_event e = {.events = events, .data.u64 = data};
  return epoll_ctl(ep, op, fd, &e);
}
static void show_wait(const char *text, int ep, int timeout) {
  struct epoll_event e[8];
  int n = epoll_wait(ep, e, 8, timeout);
  printf("%s: %d", text, n);
  for (int i = 0; i < n; i++) printf(" %x/%llu", e[i].events, (unsigned long long)e[i].data.u64);
  printf("%s\n", n < 0 ? error_name() : "");
}
static long ms(void) {
  struct timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}
static int p[2];
static char buf[100];

static void triggers(void) {
  int ep = epoll_create1(EPOLL_CLOEXEC);
  printf("cloexec %d\n", fcntl(ep, F_GETFD));
  pipe(p);
  SHOW("add", ctl(ep, EPOLL_CTL_ADD, p[0], EPOLLIN, 1));
  SHOW("add again", ctl(ep, EPOLL_CTL_ADD, p[0], EPOLLIN, 1));
  SHOW("add bad", ctl(ep, EPOLL_CTL_ADD, 999, EPOLLIN, 1));
  SHOW("add self", ctl(ep, EPOLL_CTL_ADD, ep, EPOLLIN, 1));
  int file = open("epoll_file", O_RDWR | O_CREAT, 0600);
  SHOW("add file", ctl(ep, EPOLL_CTL_ADD, file, EPOLLIN, 1));
  close(file), unlink("epoll_file");
  SHOW("mod absent", ctl(ep, EPOLL_CTL_MOD, p[1], EPOLLIN, 1));
  SHOW("del absent", ctl(ep, EPOLL_CTL_DEL, p[1], 0, 0));
  SHOW("bad op", ctl(ep, 9, p[1], 0, 0));
  SHOW("max 0", epoll_wait(ep, NULL, 0, 0));
  show_wait("nothing", ep, 0);
  write(p[1], "ab", 2);
  show_wait("level", ep, -1);
  show_wait("level again", ep, 0);
  read(p[0], buf, 1);
  show_wait("one left", ep, 0);
  ctl(ep, EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLET, 2);
  show_wait("edge after mod", ep, 0);
  show_wait("edge again", ep, 0);
  write(p[1], "c", 1);
  show_wait("edge after write", ep, 0);
  show_wait("edge again", ep, 0);
  ctl(ep, EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLONESHOT, 3);
  show_wait("one-shot", ep, 0);
  write(p[1], "d", 1);
  show_wait("one-shot spent", ep, 0);
  ctl(ep, EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLONESHOT, 4);
  show_wait("re-armed", ep, 0);
  ctl(ep, EPOLL_CTL_MOD, p[0], EPOLLIN, 5);
  SHOW("add write end", ctl(ep, EPOLL_CTL_ADD, p[1], EPOLLOUT, 6));
  show_wait("both", ep, 0);
  struct pollfd pfd = {ep, POLLIN | POLLOUT, 0};
  poll(&pfd, 1, 0);
  printf("poll of epoll %x\n", pfd.revents);
  int dup_fd = dup(p[0]);
  close(p[0]); /* the description lives on through its copy */
  ctl(ep, EPOLL_CTL_DEL, p[1], 0, 0);
  show_wait("closed but duplicated", ep, 0);
  close(dup_fd);
  show_wait("gone", ep, 0);
  close(p[1]);
  pipe(p);
  ctl(ep, EPOLL_CTL_ADD, p[0], 0, 7);
  close(p[1]);
  show_wait("hang-up without interest", ep, 0);
  close(p[0]), close(ep);
}

static void fairness(void) { /* with room for one event, ready descriptions take turns */
  int ep = epoll_create1(0), q[3][2], seen[3] = {0};
  for (int i = 0; i < 3; i++) {
    pipe(q[i]);
    write(q[i][1], "x", 1);
    ctl(ep, EPOLL_CTL_ADD, q[i][0], EPOLLIN, (uint64_t)i);
  }
  for (int i = 0; i < 6; i++) {
    struct epoll_event e;
    if (epoll_wait(ep, &e, 1, 0) == 1) seen[e.data.u64]++;
  }
  printf("turns %d %d %d\n", seen[0], seen[1], seen[2]);
  for (int i = 0; i < 3; i++) close(q[i][0]), close(q[i][1]);
  close(ep);
}

static void nesting(void) {
  int e[8];
  for (int i = 0; i < 8; i++) e[i] = epoll_create1(0);
  pipe(p);
  ctl(e[0], EPOLL_CTL_ADD, p[0], EPOLLIN, 1);
  SHOW("nest", ctl(e[1], EPOLL_CTL_ADD, e[0], EPOLLIN, 2));
  SHOW("loop", ctl(e[0], EPOLL_CTL_ADD, e[1], EPOLLIN, 3));
  show_wait("inner empty", e[1], 0);
  write(p[1], "x", 1);
  show_wait("through", e[1], 0);
  read(p[0], buf, 1);
  show_wait("empty again", e[1], 0);
  int depth = 1;
  while (depth < 7 && !ctl(e[depth + 1], EPOLL_CTL_ADD, e[depth], EPOLLIN, 4)) depth++;
  printf("depth %d %s\n", depth, error_name());
  for (int i = 0; i < 8; i++) close(e[i]);
  close(p[0]), close(p[1]);
}

static int shared_ep;
static void *late(void *arg) {
  (void)arg;
  usleep(30000);
  write(p[1], "x", 1);
  return NULL;
}
static void nothing(int n) { (void)n; }
static void waiting(void) {
  shared_ep = epoll_create1(0);
  pipe(p);
  ctl(shared_ep, EPOLL_CTL_ADD, p[0], EPOLLIN, 1);
  pthread_t t;
  pthread_create(&t, NULL, late, NULL);
  show_wait("woken", shared_ep, 5000);
  pthread_join(t, NULL);
  read(p[0], buf, 10);
  long start = ms();
  show_wait("timeout", shared_ep, 30);
  printf("waited %d\n", ms() - start >= 29);
  struct sigaction sa = {.sa_handler = nothing, .sa_flags = SA_RESTART};
  sigaction(SIGALRM, &sa, NULL);
  ualarm(20000, 0);
  show_wait("interrupted", shared_ep, 2000);
  sigset_t block, none;
  sigemptyset(&none), sigemptyset(&block), sigaddset(&block, SIGALRM);
  sigprocmask(SIG_BLOCK, &block, NULL);
  raise(SIGALRM);
  struct epoll_event e;
  SHOW("pwait mask", epoll_pwait(shared_ep, &e, 1, 2000, &none));
  sigprocmask(SIG_UNBLOCK, &block, NULL);
  close(p[0]), close(p[1]), close(shared_ep);
}

static void *taker(void *arg) {
  struct epoll_event e;
  while (epoll_wait(shared_ep, &e, 1, 3000) == 1) {
    char c;
    if (read(p[0], &c, 1) == 1) __atomic_add_fetch((int *)arg, 1, __ATOMIC_SEQ_CST);
    if (c == 'q') break;
  }
  return NULL;
}
static void many_waiters(void) {
  shared_ep = epoll_create1(0);
  pipe2(p, O_NONBLOCK);
  ctl(shared_ep, EPOLL_CTL_ADD, p[0], EPOLLIN, 1);
  int taken = 0;
  pthread_t t[4];
  for (int i = 0; i < 4; i++) pthread_create(&t[i], NULL, taker, &taken);
  for (int i = 0; i < 50; i++) {
    write(p[1], "x", 1);
    if (i % 10 == 0) usleep(1000);
  }
  write(p[1], "qqqq", 4);
  for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);
  printf("taken %d\n", taken);
  close(p[0]), close(p[1]), close(shared_ep);
}

static void eventfds(void) {
  uint64_t v;
  int fd = eventfd(3, EFD_NONBLOCK);
  SHOW("short read", read(fd, &v, 4));
  read(fd, &v, 8);
  printf("value %llu\n", (unsigned long long)v);
  SHOW("empty", read(fd, &v, 8));
  v = 5, write(fd, &v, 8), write(fd, &v, 8);
  read(fd, &v, 8);
  printf("sum %llu\n", (unsigned long long)v);
  v = UINT64_MAX;
  SHOW("too big", write(fd, &v, 8));
  v = UINT64_MAX - 1;
  SHOW("biggest", write(fd, &v, 8));
  v = 1;
  SHOW("full", write(fd, &v, 8));
  struct pollfd f = {fd, POLLIN | POLLOUT, 0};
  poll(&f, 1, 0);
  printf("poll full %x\n", f.revents);
  close(fd);
  fd = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK);
  read(fd, &v, 8);
  printf("semaphore %llu\n", (unsigned long long)v);
  read(fd, &v, 8);
  SHOW("semaphore empty", read(fd, &v, 8));
  SHOW("bad flags", eventfd(0, 0x10));
  int ep = epoll_create1(0);
  ctl(ep, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLET, 8);
  v = 1, write(fd, &v, 8);
  show_wait("eventfd edge", ep, 0);
  show_wait("eventfd edge", ep, 0);
  write(fd, &v, 8);
  show_wait("eventfd edge again", ep, 0);
  close(fd), close(ep);
}

static void timerfds(void) {
  uint64_t v = 0;
  int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  SHOW("bad clock", timerfd_create(99, 0));
  SHOW("not armed", read(fd, &v, 8));
  struct itimerspec its = {.it_value = {0, 20000000}}, now;
  SHOW("set", timerfd_settime(fd, 0, &its, NULL));
  timerfd_gettime(fd, &now);
  printf("left %d interval %ld\n", now.it_value.tv_sec == 0 && now.it_value.tv_nsec > 0, (long)now.it_interval.tv_nsec);
  struct pollfd f = {fd, POLLIN, 0};
  long start = ms();
  int r = poll(&f, 1, 2000);
  long took = ms() - start;
  printf("poll %d %x in time %d\n", r, f.revents, took >= 15);
  SHOW("read", read(fd, &v, 8));
  printf("expiries %llu\n", (unsigned long long)v);
  SHOW("read again", read(fd, &v, 8));
  int ep = epoll_create1(0), outer = epoll_create1(0);
  ctl(ep, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLET, 9);
  ctl(outer, EPOLL_CTL_ADD, ep, EPOLLIN, 10);
  its = (struct itimerspec){.it_value = {0, 10000000}, .it_interval = {0, 10000000}};
  timerfd_settime(fd, 0, &its, NULL);
  show_wait("epoll timer", ep, 2000);
  show_wait("epoll timer, next edge", ep, 2000);
  read(fd, &v, 8);
  show_wait("nested timer", outer, 2000);
  its = (struct itimerspec){0};
  timerfd_settime(fd, 0, &its, &now);
  printf("old interval %ld\n", (long)now.it_interval.tv_nsec);
  SHOW("disarmed", read(fd, &v, 8));
  fcntl(fd, F_SETFL, 0);
  clock_gettime(CLOCK_MONOTONIC, &its.it_value);
  its.it_value.tv_nsec += 20000000;
  if (its.it_value.tv_nsec >= 1000000000) its.it_value.tv_sec++, its.it_value.tv_nsec -= 1000000000;
  timerfd_settime(fd, TFD_TIMER_ABSTIME, &its, NULL);
  SHOW("absolute, blocking read", read(fd, &v, 8));
  printf("expiries %llu\n", (unsigned long long)v);
  close(fd);
  fd = timerfd_create(CLOCK_REALTIME, 0);
  its.it_value = (struct timespec){1, 0}; /* 1970 */
  timerfd_settime(fd, TFD_TIMER_ABSTIME, &its, NULL);
  SHOW("past", read(fd, &v, 8));
  its.it_value = (struct timespec){0, 1000000000};
  SHOW("bad value", timerfd_settime(fd, 0, &its, NULL));
  SHOW("not a timer", timerfd_settime(ep, 0, &its, NULL));
  close(fd), close(ep), close(outer);
}

static void *arm(void *arg) {
  usleep(20000);
  struct itimerspec its = {.it_value = {0, 10000000}};
  timerfd_settime(*(int *)arg, 0, &its, NULL);
  return NULL;
}
static void armed_while_waiting(void) {
  int fd = timerfd_create(CLOCK_MONOTONIC, 0), ep = epoll_create1(0);
  ctl(ep, EPOLL_CTL_ADD, fd, EPOLLIN, 11);
  pthread_t t;
  pthread_create(&t, NULL, arm, &fd);
  show_wait("armed meanwhile", ep, 5000);
  pthread_join(t, NULL);
  uint64_t v;
  read(fd, &v, 8);
  pthread_create(&t, NULL, arm, &fd);
  SHOW("armed meanwhile, read", read(fd, &v, 8));
  pthread_join(t, NULL);
  close(fd), close(ep);
}

int main(void) {
  triggers();
  fairness();
  nesting();
  waiting();
  many_waiters();
  eventfds();
  timerfds();
  armed_while_waiting();
  return 0;
}
