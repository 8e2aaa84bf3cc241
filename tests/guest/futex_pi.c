/* futex(2): words with owners (LOCK_PI and its family), a dead owner, condition variables over them, futex_waitv(2),
 * futex_wait(2), futex_wake(2), futex_requeue(2), sched_getattr(2). */
#define _GNU_SOURCE
#include "check.h"
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#ifndef FUTEX_LOCK_PI2
#define FUTEX_LOCK_PI2 13
#endif
#define WAITV 449
#define NEW_WAKE 454
#define NEW_WAIT 455
#define NEW_REQUEUE 456
#define P FUTEX_PRIVATE_FLAG

struct waitv {
  uint64_t val, uaddr;
  uint32_t flags, reserved;
};
static uint32_t word, other;
static const char *result(long r) {
  static char text[32];
  if (r < 0) return strerror(errno);
  snprintf(text, sizeof text, "%ld", r);
  return text;
}
static long fu(uint32_t *a, int op, uint32_t val, void *timeout, uint32_t *b, uint32_t val3) {
  return syscall(SYS_futex, a, op, val, timeout, b, val3);
}
static int tid(void) { return (int)syscall(SYS_gettid); }
static struct timespec in_ms(clockid_t clock, long ms) {
  struct timespec t;
  clock_gettime(clock, &t);
  t.tv_nsec += ms * 1000000, t.tv_sec += t.tv_nsec / 1000000000, t.tv_nsec %= 1000000000;
  return t;
}
/* Until thread `t` of this process sleeps in the kernel: proc_pid_stat(5). */
static void asleep(int *t) {
  for (int seen = 0; seen < 3; pause_ms(5)) {
    char path[64], text[256], *end;
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", __atomic_load_n(t, __ATOMIC_SEQ_CST));
    FILE *f = fopen(path, "r");
    size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
    if (f) fclose(f);
    text[n] = 0;
    end = strrchr(text, ')');
    seen = end && end[2] == 'S' ? seen + 1 : 0;
  }
}
#define LOAD(w) __atomic_load_n(&(w), __ATOMIC_SEQ_CST)
static int shape(uint32_t w) { return (w & FUTEX_WAITERS ? 4 : 0) | (w & FUTEX_OWNER_DIED ? 2 : 0) | ((w & FUTEX_TID_MASK) != 0); }

static void alone(void) {
  word = 0;
  printf("lock %s\n", result(fu(&word, FUTEX_LOCK_PI | P, 0, NULL, NULL, 0)));
  check("the word names its owner", (int)word == tid());
  printf("again %s\n", result(fu(&word, FUTEX_LOCK_PI | P, 0, NULL, NULL, 0)));
  printf("try %s\n", result(fu(&word, FUTEX_TRYLOCK_PI | P, 0, NULL, NULL, 0)));
  printf("unlock %s\n", result(fu(&word, FUTEX_UNLOCK_PI | P, 0, NULL, NULL, 0)));
  printf("word %x, unlock again %s\n", word, result(fu(&word, FUTEX_UNLOCK_PI | P, 0, NULL, NULL, 0)));
  printf("try %s\n", result(fu(&word, FUTEX_TRYLOCK_PI | P, 0, NULL, NULL, 0)));
  word = 0x3ffffff0;
  printf("owner that never was %s\n", result(fu(&word, FUTEX_LOCK_PI | P, 0, NULL, NULL, 0)));
  word = 0;
  printf("misaligned %s\n", result(fu((uint32_t *)((char *)&word + 1), FUTEX_LOCK_PI | P, 0, NULL, NULL, 0)));
  printf("nowhere %s\n", result(fu((uint32_t *)8, FUTEX_LOCK_PI | P, 0, NULL, NULL, 0)));
}

static int order[8], taken;
static void *taker(void *arg) {
  long r = fu(&word, FUTEX_LOCK_PI | P, 0, NULL, NULL, 0);
  if (r) printf("taker: %s\n", result(r));
  if ((int)(LOAD(word) & FUTEX_TID_MASK) != tid()) printf("not mine\n");
  order[taken++] = (int)(intptr_t)arg;
  uint32_t mine = (uint32_t)tid();
  if (!__atomic_compare_exchange_n(&word, &mine, 0, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
    fu(&word, FUTEX_UNLOCK_PI | P, 0, NULL, NULL, 0);
  return NULL;
}
static void contended(void) {
  pthread_t t[4];
  word = 0;
  fu(&word, FUTEX_LOCK_PI | P, 0, NULL, NULL, 0);
  for (intptr_t i = 0; i < 4; i++) {
    pthread_create(&t[i], NULL, taker, (void *)i);
    pause_ms(60); /* they come one after the other */
  }
  printf("shape %d\n", shape(LOAD(word)));
  pid_t p = fork();
  if (!p) _exit(0); /* the lock is not the child's */
  waitpid(p, NULL, 0);
  printf("unlock %s\n", result(fu(&word, FUTEX_UNLOCK_PI | P, 0, NULL, NULL, 0)));
  for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);
  printf("all took it %d, shape %d\n", taken == 4 && order[0] + order[1] + order[2] + order[3] == 6, shape(LOAD(word)));
}

static int let_go, main_tid;
static void *holder(void *arg) {
  fu(&word, FUTEX_LOCK_PI | P, 0, NULL, NULL, 0);
  __atomic_store_n((int *)arg, 1, __ATOMIC_SEQ_CST);
  while (!LOAD(let_go)) pause_ms(1);
  asleep(&main_tid);
  fu(&word, FUTEX_UNLOCK_PI | P, 0, NULL, NULL, 0);
  return NULL;
}
static void time_outs(void) {
  pthread_t t;
  int held = 0;
  word = 0;
  pthread_create(&t, NULL, holder, &held);
  while (!LOAD(held)) pause_ms(1);
  struct timespec soon = in_ms(CLOCK_REALTIME, 50);
  printf("try %s\n", result(fu(&word, FUTEX_TRYLOCK_PI | P, 0, NULL, NULL, 0)));
  printf("not the owner %s\n", result(fu(&word, FUTEX_UNLOCK_PI | P, 0, NULL, NULL, 0)));
  printf("timed out %s\n", result(fu(&word, FUTEX_LOCK_PI | P, 0, &soon, NULL, 0)));
  soon = in_ms(CLOCK_MONOTONIC, 50);
  printf("timed out %s\n", result(fu(&word, FUTEX_LOCK_PI2 | P, 0, &soon, NULL, 0)));
  struct timespec bad = {0, 1000000000};
  printf("bad time %s\n", result(fu(&word, FUTEX_LOCK_PI | P, 0, &bad, NULL, 0)));
  __atomic_store_n(&let_go, 1, __ATOMIC_SEQ_CST);
  printf("then %s\n", result(fu(&word, FUTEX_LOCK_PI | P, 0, NULL, NULL, 0)));
  pthread_join(t, NULL);
  fu(&word, FUTEX_UNLOCK_PI | P, 0, NULL, NULL, 0);
}

static void mutexes(void) {
  pthread_mutexattr_t a;
  pthread_mutexattr_init(&a);
  printf("protocol %d\n", pthread_mutexattr_setprotocol(&a, PTHREAD_PRIO_INHERIT));
  pthread_mutex_t *m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
  pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
  printf("init %d\n", pthread_mutex_init(m, &a));
  fflush(stdout);
  pid_t p = fork();
  if (!p) {
    pthread_mutex_lock(m);
    __atomic_store_n((int *)(m + 1), 1, __ATOMIC_SEQ_CST);
    pause_ms(50);
    _exit(0); /* without unlocking, waited for or not */
  }
  while (!__atomic_load_n((int *)(m + 1), __ATOMIC_SEQ_CST)) pause_ms(1);
  int r = pthread_mutex_lock(m);
  printf("dead owner %s\n", r == EOWNERDEAD ? "EOWNERDEAD" : strerror(r));
  printf("consistent %d unlock %d lock %d unlock %d\n", pthread_mutex_consistent(m), pthread_mutex_unlock(m),
         pthread_mutex_lock(m), pthread_mutex_unlock(m));
  waitpid(p, NULL, 0);
}

static uint32_t condition;
static int woken;
static int waiter_tids[3];
static void *waiter(void *arg) {
  __atomic_store_n(&waiter_tids[(intptr_t)arg], tid(), __ATOMIC_SEQ_CST);
  uint32_t seen = LOAD(condition);
  long r = fu(&condition, FUTEX_WAIT_REQUEUE_PI | P, seen, NULL, &word, 0);
  if (r) printf("waiter: %s\n", result(r));
  if ((int)(LOAD(word) & FUTEX_TID_MASK) != tid()) printf("waiter has not the lock\n");
  woken++;
  fu(&word, FUTEX_UNLOCK_PI | P, 0, NULL, NULL, 0);
  return NULL;
}
static void conditions(void) {
  pthread_t t[3];
  word = 0, condition = 7;
  for (intptr_t i = 0; i < 3; i++) pthread_create(&t[i], NULL, waiter, (void *)i);
  for (int i = 0; i < 3; i++) {
    while (!LOAD(waiter_tids[i])) pause_ms(1);
    asleep(&waiter_tids[i]);
  }
  printf("other value %s\n", result(fu(&condition, FUTEX_CMP_REQUEUE_PI | P, 1, (void *)9, &word, 8)));
  printf("not one %s\n", result(fu(&condition, FUTEX_CMP_REQUEUE_PI | P, 2, (void *)9, &word, 7)));
  printf("plain wake %s\n", result(fu(&condition, FUTEX_WAKE | P, 1, NULL, NULL, 0)));
  fu(&word, FUTEX_LOCK_PI | P, 0, NULL, NULL, 0);
  printf("requeued %s\n", result(fu(&condition, FUTEX_CMP_REQUEUE_PI | P, 1, (void *)9, &word, 7)));
  pause_ms(50);
  printf("woken while locked %d\n", woken);
  fu(&word, FUTEX_UNLOCK_PI | P, 0, NULL, NULL, 0);
  for (int i = 0; i < 3; i++) pthread_join(t[i], NULL);
  printf("woken %d\n", woken);
  struct timespec soon = in_ms(CLOCK_MONOTONIC, 30);
  printf("timed out %s\n", result(fu(&condition, FUTEX_WAIT_REQUEUE_PI | P, 7, &soon, &word, 0)));
  printf("same word %s\n", result(fu(&condition, FUTEX_WAIT_REQUEUE_PI | P, 7, NULL, &condition, 0)));
}

static void *wake_second(void *arg) {
  asleep(&main_tid);
  __atomic_store_n(&other, 1, __ATOMIC_SEQ_CST);
  printf("woke %s\n", result(arg ? syscall(NEW_WAKE, &other, 0xffffffffUL, 5, 2 | 128) : fu(&other, FUTEX_WAKE | P, 5, NULL, NULL, 0)));
  return NULL;
}
static void vectors(void) {
  struct waitv w[2] = {{0, (uintptr_t)&word, 2 | 128, 0}, {0, (uintptr_t)&other, 2 | 128, 0}};
  pthread_t t;
  word = other = 0;
  pthread_create(&t, NULL, wake_second, NULL);
  long r = syscall(WAITV, w, 2, 0, NULL, CLOCK_MONOTONIC);
  pthread_join(t, NULL);
  printf("waitv %s\n", result(r));
  printf("other value %s\n", result(syscall(WAITV, w, 2, 0, NULL, CLOCK_MONOTONIC)));
  other = 0;
  struct timespec soon = in_ms(CLOCK_MONOTONIC, 30), wall = in_ms(CLOCK_REALTIME, 30);
  printf("timed out %s\n", result(syscall(WAITV, w, 2, 0, &soon, CLOCK_MONOTONIC)));
  printf("timed out %s\n", result(syscall(WAITV, w, 2, 0, &wall, CLOCK_REALTIME)));
  printf("clock %s\n", result(syscall(WAITV, w, 2, 0, &soon, CLOCK_BOOTTIME)));
  printf("none %s\n", result(syscall(WAITV, w, 0, 0, NULL, 0)));
  printf("many %s\n", result(syscall(WAITV, w, 129, 0, NULL, 0)));
  printf("flags %s\n", result(syscall(WAITV, w, 2, 1, NULL, 0)));
  w[1].flags = 0;
  printf("size %s\n", result(syscall(WAITV, w, 2, 0, NULL, 0)));
  w[1].flags = 2, w[1].reserved = 1;
  printf("reserved %s\n", result(syscall(WAITV, w, 2, 0, NULL, 0)));
  w[1].reserved = 0, w[1].uaddr++;
  printf("misaligned %s\n", result(syscall(WAITV, w, 2, 0, NULL, 0)));
  w[1].uaddr = 8;
  printf("nowhere %s\n", result(syscall(WAITV, w, 2, 0, NULL, 0)));
  word = other = 0;
  pthread_create(&t, NULL, wake_second, (void *)1);
  r = syscall(NEW_WAIT, &other, 0, 0xffffffffUL, 2 | 128, NULL, 0);
  pthread_join(t, NULL);
  printf("futex_wait %s\n", result(r));
  printf("other value %s\n", result(syscall(NEW_WAIT, &other, 0, 0xffffffffUL, 2 | 128, NULL, 0)));
  printf("no mask %s\n", result(syscall(NEW_WAIT, &other, 1, 0, 2 | 128, NULL, 0)));
  printf("flags %s\n", result(syscall(NEW_WAKE, &other, 0xffffffffUL, 1, 0)));
  struct waitv q[2] = {{0, (uintptr_t)&word, 2 | 128, 0}, {1, (uintptr_t)&other, 2 | 128, 0}};
  printf("requeue none %s\n", result(syscall(NEW_REQUEUE, q, 0, 1, 1)));
  q[0].val = 5;
  printf("other value %s\n", result(syscall(NEW_REQUEUE, q, 0, 1, 1)));
}

static void scheduling(void) {
  struct {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t more[4];
  } a;
  memset(&a, -1, sizeof a);
  printf("getattr %s: %u %u %d %u\n", result(syscall(SYS_sched_getattr, 0, &a, sizeof a, 0)), a.size, a.policy, a.nice - getpriority(PRIO_PROCESS, 0), a.priority);
  printf("small %s\n", result(syscall(SYS_sched_getattr, 0, &a, 40, 0)));
  printf("flags %s\n", result(syscall(SYS_sched_getattr, 0, &a, sizeof a, 1)));
  printf("nobody %s\n", result(syscall(SYS_sched_getattr, 9999999, &a, sizeof a, 0)));
  memset(&a, 0, sizeof a);
  a.size = 48, a.nice = 5;
  printf("setattr %s\n", result(syscall(SYS_sched_setattr, 0, &a, 0)));
  printf("getattr %s: %d\n", result(syscall(SYS_sched_getattr, 0, &a, 48, 0)), a.nice);
  a.policy = 77;
  printf("policy %s\n", result(syscall(SYS_sched_setattr, 0, &a, 0)));
}

int main(void) {
  main_tid = tid();
  setvbuf(stdout, NULL, _IOLBF, 0);
  puts("-- alone"), alone();
  puts("-- contended"), contended();
  puts("-- time-outs"), time_outs();
  puts("-- mutexes"), mutexes();
  puts("-- conditions"), conditions();
  puts("-- vectors"), vectors();
  puts("-- scheduling"), scheduling();
  return 0;
}
