/* POSIX message queues: names, attributes, order by priority, blocking and time-outs, mq_notify, poll, permissions:
 * mq_overview(7), mq_open(3) and its pages. */
#include "try.h"
#include <mqueue.h>
#include <poll.h>
#include <signal.h>
#include <time.h>

static char buf[8192];
static char name[64];
#define RESULT(what, call)                                                  \
  do {                                                                      \
    errno = 0;                                                              \
    long r_ = (long)(call);                                                 \
    printf("%s: %ld %s\n", what, r_, r_ < 0 ? strerror(errno) : "");        \
  } while (0)
static mqd_t opened(int flags, long messages, long bytes) {
  struct mq_attr a = {.mq_maxmsg = messages, .mq_msgsize = bytes};
  return mq_open(name, flags, 0600, messages ? &a : NULL);
}
static void receive(mqd_t q) {
  unsigned priority = 99;
  errno = 0;
  ssize_t n = mq_receive(q, buf, sizeof buf, &priority);
  if (n < 0) printf("receive: %s\n", strerror(errno));
  else printf("receive: [%.*s] %u\n", (int)n, buf, priority);
}
static struct timespec in_ms(long ms) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  t.tv_nsec += ms * 1000000, t.tv_sec += t.tv_nsec / 1000000000, t.tv_nsec %= 1000000000;
  return t;
}
static volatile sig_atomic_t told, told_code, told_value;
static void on_message(int n, siginfo_t *i, void *c) {
  (void)n, (void)c;
  told++, told_code = i->si_code, told_value = i->si_value.sival_int;
}

static void names(void) {
  RESULT("no such", mq_open(name, O_RDWR));
  mqd_t q = opened(O_CREAT | O_RDWR, 0, 0);
  printf("made %d\n", q >= 0);
  RESULT("exclusive", opened(O_CREAT | O_EXCL | O_RDWR, 0, 0));
  RESULT("slash inside", mq_open("/a/b", O_CREAT | O_RDWR, 0600, NULL));
  RESULT("empty", mq_open("/", O_CREAT | O_RDWR, 0600, NULL));
  RESULT("unlink", mq_unlink(name));
  RESULT("unlink again", mq_unlink(name));
  RESULT("still works", mq_send(q, "x", 1, 0));
  receive(q);
  struct mq_attr a;
  RESULT("attributes", mq_getattr(q, &a));
  printf("%ld %ld %ld %ld\n", a.mq_flags, a.mq_maxmsg, a.mq_msgsize, a.mq_curmsgs);
  a.mq_flags = O_NONBLOCK, a.mq_maxmsg = 99;
  struct mq_attr old;
  RESULT("set", mq_setattr(q, &a, &old));
  mq_getattr(q, &a);
  printf("%ld %ld, old %ld\n", a.mq_flags, a.mq_maxmsg, old.mq_flags);
  a.mq_flags = 1;
  RESULT("set other flags", mq_setattr(q, &a, NULL));
  RESULT("close", mq_close(q));
  RESULT("closed", mq_getattr(q, &a));
  RESULT("of a file", mq_getattr(1, &a));
  RESULT("no messages", opened(O_CREAT | O_RDWR, -1, 10));
  RESULT("no bytes", opened(O_CREAT | O_RDWR, 10, 0));
}

static void order(void) {
  mqd_t q = opened(O_CREAT | O_RDWR | O_NONBLOCK, 4, 16);
  receive(q);
  RESULT("send", mq_send(q, "low", 3, 1));
  RESULT("send", mq_send(q, "high", 4, 7));
  RESULT("send", mq_send(q, "low too", 7, 1));
  RESULT("send", mq_send(q, "", 0, 3));
  RESULT("full", mq_send(q, "more", 4, 9));
  struct pollfd p = {q, POLLIN | POLLOUT, 0};
  RESULT("poll", poll(&p, 1, 0));
  printf("%x\n", (unsigned)p.revents);
  unsigned priority;
  RESULT("small room", mq_receive(q, buf, 15, &priority));
  receive(q), receive(q), receive(q), receive(q), receive(q);
  RESULT("too long", mq_send(q, buf, 17, 0));
  RESULT("priority", mq_send(q, buf, 1, 32768));
  RESULT("highest", mq_send(q, buf, 1, 32767));
  RESULT("bad address", mq_send(q, (char *)8, 1, 0));
  p.revents = 0;
  RESULT("poll", poll(&p, 1, 0));
  printf("%x\n", (unsigned)p.revents);
  mqd_t reader = mq_open(name, O_RDONLY), writer = mq_open(name, O_WRONLY);
  RESULT("send by a reader", mq_send(reader, "x", 1, 0));
  RESULT("receive by a writer", mq_receive(writer, buf, sizeof buf, NULL));
  char text[128];
  ssize_t n = pread(reader, text, sizeof text, 0);
  printf("read: %.*s", (int)n, text);
  mq_close(q), mq_close(reader), mq_close(writer), mq_unlink(name);
}

static void waiting(void) {
  mqd_t q = opened(O_CREAT | O_RDWR, 1, 16);
  struct timespec soon = in_ms(40), bad = {0, -1};
  RESULT("timed out", mq_timedreceive(q, buf, sizeof buf, NULL, &soon));
  RESULT("bad time", mq_timedreceive(q, buf, sizeof buf, NULL, &bad));
  RESULT("send", mq_timedsend(q, "1", 1, 0, &soon));
  RESULT("timed out", mq_timedsend(q, "2", 1, 0, &soon));
  fflush(stdout);
  pid_t child = fork();
  if (!child) {
    for (int i = 0; i < 200; i++) {
      snprintf(buf, sizeof buf, "%d", i);
      if (mq_send(q, buf, strlen(buf), 0)) _exit(1);
    }
    _exit(0);
  }
  receive(q);
  int sum = 0, good = 1;
  for (int i = 0; i < 200; i++) {
    ssize_t n = mq_receive(q, buf, sizeof buf, NULL);
    buf[n > 0 ? n : 0] = 0;
    good &= atoi(buf) == i, sum += atoi(buf);
  }
  int status;
  waitpid(child, &status, 0);
  printf("two hundred in order %d %d, status %d\n", good, sum, status);
  mq_close(q), mq_unlink(name);
}

static void notices(void) {
  mqd_t q = opened(O_CREAT | O_RDWR | O_NONBLOCK, 4, 16);
  struct sigaction a = {.sa_sigaction = on_message, .sa_flags = SA_SIGINFO};
  sigaction(SIGUSR1, &a, NULL);
  struct sigevent e = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 42};
  RESULT("notify", mq_notify(q, &e));
  RESULT("twice", mq_notify(q, &e));
  mq_send(q, "1", 1, 0);
  printf("told %d code %d value %d\n", (int)told, (int)told_code == SI_MESGQ, (int)told_value);
  mq_send(q, "2", 1, 0);
  printf("told %d\n", (int)told);
  RESULT("again", mq_notify(q, &e));
  mq_send(q, "3", 1, 0);
  printf("not empty before: told %d\n", (int)told);
  receive(q), receive(q), receive(q);
  RESULT("off", mq_notify(q, NULL));
  mq_send(q, "4", 1, 0);
  printf("told %d\n", (int)told);
  e.sigev_signo = 99;
  RESULT("bad signal", mq_notify(q, &e));
  e.sigev_notify = SIGEV_NONE;
  RESULT("none", mq_notify(q, &e));
  mq_close(q), mq_unlink(name);
}

static void others(void) {
  mqd_t q = opened(O_CREAT | O_RDWR, 0, 0);
  fflush(stdout);
  pid_t p = fork();
  if (!p) {
    if (setgid(1000) || setuid(1000)) _exit(1);
    RESULT("not mine", mq_open(name, O_RDONLY));
    RESULT("not mine", mq_unlink(name));
    struct mq_attr a = {.mq_maxmsg = 11, .mq_msgsize = 10};
    RESULT("too many", mq_open("/tidemark-other", O_CREAT | O_RDWR, 0600, &a));
    fflush(stdout);
    _exit(0);
  }
  waitpid(p, NULL, 0);
  mq_close(q), mq_unlink(name);
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  snprintf(name, sizeof name, "/tidemark-%d", (int)getpid());
  names();
  order();
  waiting();
  notices();
  others();
  return 0;
}
