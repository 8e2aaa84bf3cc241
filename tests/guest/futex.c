/* futex(2): waiting, waking, requeueing, timeouts, between processes and within one. */
#define _GNU_SOURCE
#include "check.h"

#include <linux/futex.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static long futex(void *at, int op, uint32_t value, const void *timeout, void *second, uint32_t third) {
  return syscall(SYS_futex, at, op, value, timeout, second, third);
}
struct shared {
  _Atomic uint32_t word, other, turns, ready;
};
static struct shared *s;

static pid_t waiter(_Atomic uint32_t *at, uint32_t value, uint32_t bits) {
  pid_t pid = fork();
  if (pid == 0) {
    atomic_fetch_add(&s->ready, 1);
    long r = bits ? futex(at, FUTEX_WAIT_BITSET, value, NULL, NULL, bits) : futex(at, FUTEX_WAIT, value, NULL, NULL, 0);
    _exit(r == 0 ? 0 : errno == EAGAIN ? 2 : 1);
  }
  return pid;
}
static void settle(uint32_t n) {
  while (atomic_load(&s->ready) < n) pause_ms(1);
  pause_ms(20);
}
static int code_of(pid_t pid) {
  int status;
  return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void errors(void) {
  uint32_t word = 1;
  struct timespec t = {0, 10000000}, bad = {0, 1000000000};
  check("other value", futex(&word, FUTEX_WAIT, 2, NULL, NULL, 0) == -1 && errno == EAGAIN);
  check("nobody waits", futex(&word, FUTEX_WAKE, 1, NULL, NULL, 0) == 0);
  double before = seconds(CLOCK_MONOTONIC);
  check("time out", futex(&word, FUTEX_WAIT, 1, &t, NULL, 0) == -1 && errno == ETIMEDOUT);
  check("as long as asked", seconds(CLOCK_MONOTONIC) - before >= 0.01);
  check("bad time", futex(&word, FUTEX_WAIT, 1, &bad, NULL, 0) == -1 && errno == EINVAL);
  check("misaligned", futex((char *)&word + 1, FUTEX_WAIT, 1, NULL, NULL, 0) == -1 && errno == EINVAL);
  check("not mapped", futex((void *)8, FUTEX_WAIT, 1, NULL, NULL, 0) == -1 && errno == EFAULT);
  check("no bits", futex(&word, FUTEX_WAIT_BITSET, 1, NULL, NULL, 0) == -1 && errno == EINVAL);
  clock_gettime(CLOCK_REALTIME, &t);
  t.tv_sec -= 1;
  check("a time of day gone by",
        futex(&word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 1, &t, NULL, ~0u) == -1 && errno == ETIMEDOUT);
  clock_gettime(CLOCK_MONOTONIC, &t);
  t.tv_nsec += 10000000;
  if (t.tv_nsec >= 1000000000) t.tv_sec++, t.tv_nsec -= 1000000000;
  check("until a moment", futex(&word, FUTEX_WAIT_BITSET, 1, &t, NULL, ~0u) == -1 && errno == ETIMEDOUT);
}

static void waking(void) {
  pid_t pids[4];
  s->ready = 0;
  s->word = 0;
  for (int i = 0; i < 4; i++) pids[i] = waiter(&s->word, 0, 0);
  settle(4);
  check("wake two", futex(&s->word, FUTEX_WAKE, 2, NULL, NULL, 0) == 2);
  check("wake the rest", futex(&s->word, FUTEX_WAKE, 100, NULL, NULL, 0) == 2);
  int good = 0;
  for (int i = 0; i < 4; i++) good += code_of(pids[i]) == 0;
  check("all woke", good == 4);
  s->ready = 0;
  pids[0] = waiter(&s->word, 0, 1), pids[1] = waiter(&s->word, 0, 2);
  settle(2);
  check("bit 4: nobody", futex(&s->word, FUTEX_WAKE_BITSET, 10, NULL, NULL, 4) == 0);
  check("bit 2: one", futex(&s->word, FUTEX_WAKE_BITSET, 10, NULL, NULL, 2) == 1 && code_of(pids[1]) == 0);
  check("bit 1: the other", futex(&s->word, FUTEX_WAKE_BITSET, 10, NULL, NULL, 1) == 1 && code_of(pids[0]) == 0);
}

static void requeueing(void) {
  pid_t pids[4];
  s->ready = 0;
  s->word = s->other = 0;
  for (int i = 0; i < 4; i++) pids[i] = waiter(&s->word, 0, 0);
  settle(4);
  check("compare fails", futex(&s->word, FUTEX_CMP_REQUEUE, 1, (void *)10L, &s->other, 5) == -1 && errno == EAGAIN);
  check("one woken, three moved", futex(&s->word, FUTEX_CMP_REQUEUE, 1, (void *)10L, &s->other, 0) == 4);
  check("none left", futex(&s->word, FUTEX_WAKE, 10, NULL, NULL, 0) == 0);
  check("they wait there", futex(&s->other, FUTEX_WAKE, 10, NULL, NULL, 0) == 3);
  int good = 0;
  for (int i = 0; i < 4; i++) good += code_of(pids[i]) == 0;
  check("all woke up", good == 4);
  s->ready = 0;
  s->other = 5;
  pids[0] = waiter(&s->word, 0, 0), pids[1] = waiter(&s->other, 5, 0);
  settle(2);
  uint32_t op = FUTEX_OP(FUTEX_OP_ADD, 3, FUTEX_OP_CMP_EQ, 5);
  check("wake_op", futex(&s->word, FUTEX_WAKE_OP, 1, (void *)1L, &s->other, op) == 2 && s->other == 8);
  code_of(pids[0]), code_of(pids[1]);
}

static volatile sig_atomic_t handled;
static void handler(int signo) {
  (void)signo;
  handled++;
}
static void signals(void) {
  int status;
  s->word = 0;
  struct sigaction a = {.sa_handler = handler};
  sigaction(SIGUSR1, &a, NULL);
  pid_t parent = getpid(), pid = fork();
  if (pid == 0) {
    pause_ms(20);
    kill(parent, SIGUSR1);
    _exit(0);
  }
  check("a handler ends the wait", futex(&s->word, FUTEX_WAIT, 0, NULL, NULL, 0) == -1 && errno == EINTR && handled == 1);
  waitpid(pid, &status, 0);
}

static void ping_pong(void) {
  const uint32_t rounds = 2000;
  s->word = 0;
  s->turns = 0;
  pid_t pid = fork();
  for (uint32_t i = 0; i < rounds; i++) {
    uint32_t mine = pid == 0;
    while (atomic_load(&s->word) != mine) futex(&s->word, FUTEX_WAIT, !mine, NULL, NULL, 0);
    atomic_fetch_add(&s->turns, 1);
    atomic_store(&s->word, !mine);
    futex(&s->word, FUTEX_WAKE, 1, NULL, NULL, 0);
  }
  if (pid == 0) _exit(0);
  check("ping-pong between processes", code_of(pid) == 0 && s->turns == 2 * rounds);
}

int main(void) {
  s = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  errors();
  waking();
  requeueing();
  signals();
  ping_pong();
  return 0;
}
