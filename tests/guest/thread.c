/* pthreads(7) over clone(2) CLONE_THREAD: shared memory, joins, mutexes, conditions, signals, exec, exit. */
#define _GNU_SOURCE
#include "check.h"

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define THREADS 6
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int counter, turn;
static _Atomic int flag;
static _Thread_local int own;

static void *returns(void *arg) {
  own++;
  return (void *)((long)arg * 2 + own);
}
static void *adds(void *arg) {
  (void)arg;
  for (int i = 0; i < 2000; i++) {
    pthread_mutex_lock(&lock);
    counter++;
    pthread_mutex_unlock(&lock);
  }
  return NULL;
}
static void *takes_turns(void *arg) {
  int me = (int)(long)arg;
  for (int i = 0; i < 50; i++) {
    pthread_mutex_lock(&lock);
    while (turn % THREADS != me) pthread_cond_wait(&changed, &lock);
    turn++;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
  }
  return NULL;
}
static void run_all(void *(*f)(void *), long *results) {
  pthread_t t[THREADS];
  for (long i = 0; i < THREADS; i++)
    if (pthread_create(&t[i], NULL, f, (void *)i)) check("pthread_create", 0);
  for (int i = 0; i < THREADS; i++) {
    void *r;
    pthread_join(t[i], &r);
    if (results) results[i] = (long)r;
  }
}

static void basics(void) {
  long r[THREADS];
  int good = 1;
  run_all(returns, r);
  for (long i = 0; i < THREADS; i++) good &= r[i] == i * 2 + 1;
  check("create, join, own variables", good && own == 0);
  run_all(adds, NULL);
  check("mutex", counter == 2000 * THREADS);
  run_all(takes_turns, NULL);
  check("condition", turn == 50 * THREADS);
}

static void *ids(void *arg) {
  pid_t *out = arg;
  out[0] = getpid(), out[1] = (pid_t)syscall(SYS_gettid), out[2] = getppid();
  return NULL;
}
static void identity(void) {
  pid_t got[3];
  pthread_t t;
  pthread_create(&t, NULL, ids, got);
  pthread_join(t, NULL);
  check("one process, own thread id", got[0] == getpid() && got[1] != getpid() && got[2] == getppid());
}

static _Atomic int who;
static void handler(int signo) {
  (void)signo;
  who = (int)syscall(SYS_gettid);
}
static _Atomic int waiting_tid;
static void *waits(void *arg) {
  waiting_tid = (int)syscall(SYS_gettid);
  while (!flag) pause_ms(1);
  return arg;
}
static void signals(void) {
  pthread_t t;
  struct sigaction a = {.sa_handler = handler};
  sigaction(SIGUSR1, &a, NULL);
  flag = waiting_tid = who = 0;
  pthread_create(&t, NULL, waits, NULL);
  while (!waiting_tid) pause_ms(1);
  pthread_kill(t, SIGUSR1);
  for (int i = 0; i < 1000 && !who; i++) pause_ms(1);
  check("pthread_kill reaches that thread", who == waiting_tid);
  sigset_t set;
  sigemptyset(&set), sigaddset(&set, SIGUSR1), pthread_sigmask(SIG_BLOCK, &set, NULL);
  who = 0;
  kill(getpid(), SIGUSR1);
  for (int i = 0; i < 1000 && !who; i++) pause_ms(1);
  check("a process signal goes where it is not blocked", who == waiting_tid);
  pthread_sigmask(SIG_UNBLOCK, &set, NULL);
  flag = 1;
  pthread_join(t, NULL);
}

static void *sleeps(void *arg) {
  for (;;) pause();
  return arg;
}
static void *spins(void *arg) {
  for (;;) flag++;
  return arg;
}
static void *ends_process(void *arg) {
  pause_ms(5);
  _exit((int)(long)arg);
}
static void *ends_itself(void *arg) {
  pthread_exit(arg);
}
static void *execs(void *arg) {
  pause_ms(5);
  execl(arg, arg, "--pid", (char *)NULL);
  _exit(98);
}
static int child(void (*body)(void)) {
  int status;
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    body();
    _exit(97);
  }
  waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}
static void start(void *(*f)(void *), void *arg) {
  pthread_t t;
  pthread_create(&t, NULL, f, arg);
}
static void exit_from_thread(void) {
  start(sleeps, NULL), start(spins, NULL), start(ends_process, (void *)33L);
  for (;;) pause();
}
static void main_leaves_first(void) {
  start(ends_process, (void *)44L);
  pthread_exit(NULL);
}
static void all_leave(void) {
  start(ends_itself, NULL);
  pthread_exit(NULL);
}
static void exec_from_thread(void) {
  start(sleeps, NULL), start(spins, NULL), start(execs, (void *)"/proc/self/exe");
  for (;;) pause();
}
static void killed_by_signal(void) {
  start(sleeps, NULL), start(spins, NULL);
  pause_ms(5);
  kill(getpid(), SIGTERM);
  for (;;) pause();
}
static void fork_in_thread_group(void) {
  start(spins, NULL), start(sleeps, NULL);
  for (int i = 0; i < 5; i++) {
    int status;
    pid_t pid = fork();
    if (pid == 0) _exit(7);
    if (waitpid(pid, &status, 0) != pid || WEXITSTATUS(status) != 7) _exit(1);
  }
  _exit(55);
}
static void ends(void) {
  check("_exit in a thread ends all", child(exit_from_thread) == 33);
  check("the leader may leave first", child(main_leaves_first) == 44);
  check("the last one out", child(all_leave) == 0);
  check("a signal ends all", child(killed_by_signal) == 256 + SIGTERM);
  check("execve in a thread keeps the pid", child(exec_from_thread) == 66);
  check("fork in a process with threads", child(fork_in_thread_group) == 55);
}

static pthread_mutex_t robust;
static void *dies_with_lock(void *arg) {
  pthread_mutex_lock(&robust);
  return arg;
}
static void robust_mutex(void) {
  pthread_mutexattr_t attr;
  pthread_t t;
  pthread_mutexattr_init(&attr);
  pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
  pthread_mutex_init(&robust, &attr);
  pthread_create(&t, NULL, dies_with_lock, NULL);
  pthread_join(t, NULL);
  check("robust mutex: its owner died", pthread_mutex_lock(&robust) == EOWNERDEAD && pthread_mutex_consistent(&robust) == 0);
}

static void semaphores(void) {
  sem_t sem;
  struct timespec t;
  sem_init(&sem, 0, 0);
  clock_gettime(CLOCK_REALTIME, &t);
  t.tv_nsec += 10000000;
  if (t.tv_nsec >= 1000000000) t.tv_sec++, t.tv_nsec -= 1000000000;
  check("sem_timedwait", sem_timedwait(&sem, &t) == -1 && errno == ETIMEDOUT);
  sem_post(&sem);
  check("sem_post", sem_wait(&sem) == 0);
}

static void many(void) {
  int good = 0;
  for (long i = 0; i < 100; i++) {
    pthread_t t;
    void *r;
    if (pthread_create(&t, NULL, returns, (void *)i) == 0 && pthread_join(t, &r) == 0) good += (long)r == i * 2 + 1;
  }
  check("a hundred, one after the other", good == 100);
}

int main(int argc, char **argv) {
  if (argc == 2 && !strcmp(argv[1], "--pid")) return getpid() == syscall(SYS_gettid) ? 66 : 67;
  basics();
  identity();
  signals();
  ends();
  robust_mutex();
  semaphores();
  many();
  return 0;
}
