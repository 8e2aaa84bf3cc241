/* Races on purpose: fork, wait, signals, kills, futexes and threads at once; only the sums are printed. usage: storm [N] */
#define _GNU_SOURCE
#include "check.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>

static volatile sig_atomic_t children, hits;
static void on_child(int signo) {
  int saved = errno;
  (void)signo;
  while (waitpid(-1, NULL, WNOHANG) > 0) children++;
  errno = saved;
}
static void on_hit(int signo) {
  (void)signo;
  hits++;
}

/* SIGCHLD handlers reap while the parent forks on. */
static void reap_in_handler(int n) {
  sigset_t set, old;
  struct sigaction a = {.sa_handler = on_child, .sa_flags = SA_RESTART};
  sigaction(SIGCHLD, &a, NULL);
  children = 0;
  for (int i = 0; i < n; i++) {
    pid_t pid;
    while ((pid = fork()) == -1 && errno == EAGAIN) pause_ms(1);
    if (pid == 0) _exit(0);
  }
  sigemptyset(&set), sigaddset(&set, SIGCHLD);
  sigprocmask(SIG_BLOCK, &set, &old);
  while (children < n) sigsuspend(&old);
  sigprocmask(SIG_SETMASK, &old, NULL);
  signal(SIGCHLD, SIG_DFL);
  check("every child is reaped once", children == n && waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
}

/* Kill children in every state: just forked, running, sleeping, stopped, forking themselves, in exec. */
static void kill_storm(int n) {
  int good = 0;
  for (int i = 0; i < n; i++) {
    pid_t pid = fork();
    if (pid == 0) {
      switch (i % 6) {
      case 0: for (;;) pause();
      case 1: for (volatile int k = 0;; k++) continue;
      case 2: raise(SIGSTOP); for (;;) pause();
      case 3: for (;;) if (fork() == 0) _exit(0); else wait(NULL);
      case 4: for (;;) poll(NULL, 0, 1);
      default: execl("/proc/self/exe", "storm", "--sleep", (char *)NULL); _exit(9);
      }
    }
    if (i % 3) {
      struct timespec t = {0, (i * 7919) % 3000 * 1000};
      nanosleep(&t, NULL);
    }
    int status = 0;
    kill(pid, SIGKILL);
    good += waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
  }
  check("killed in any state", good == n);
}

/* Two processes signal each other as fast as they can while both do calls that get interrupted. */
static void signal_ping_pong(int n) {
  _Atomic int *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  sigset_t set, old;
  struct sigaction a = {.sa_handler = on_hit};
  sigaction(SIGUSR1, &a, NULL);
  sigemptyset(&set), sigaddset(&set, SIGUSR1);
  sigprocmask(SIG_BLOCK, &set, &old);
  hits = 0;
  pid_t parent = getpid(), pid = fork(), other = pid ? pid : parent;
  for (int i = 0; i < n; i++) {
    if (pid) kill(other, SIGUSR1);
    while (hits <= i) sigsuspend(&old);
    shared[pid != 0]++;
    if (!pid) kill(other, SIGUSR1);
  }
  if (pid == 0) _exit(0);
  int status;
  waitpid(pid, &status, 0);
  sigprocmask(SIG_SETMASK, &old, NULL);
  check("signals are never lost", WIFEXITED(status) && shared[0] == n && shared[1] == n);
}

/* Stop and continue a busy child; it must come through whole. */
static void stop_storm(int n) {
  int status, good = 1;
  pid_t pid = fork();
  if (pid == 0) {
    unsigned long h = 0;
    for (int k = 0; k < 300; k++) {
      for (int i = 0; i < 3000; i++) h = h * 31 + (unsigned long)i;
      poll(NULL, 0, 0);
      getppid();
    }
    _exit(h != 0 ? 5 : 6);
  }
  for (int i = 0; i < n; i++) kill(pid, SIGSTOP), kill(pid, SIGCONT);
  kill(pid, SIGSTOP);
  good &= waitpid(pid, &status, WUNTRACED) == pid;
  if (WIFSTOPPED(status)) {
    kill(pid, SIGCONT);
    good &= waitpid(pid, &status, 0) == pid;
  }
  check("stopped and continued", good && WIFEXITED(status) && WEXITSTATUS(status) == 5);
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long sum;
static void *works(void *arg) {
  for (int i = 0; i < 300; i++) {
    pthread_mutex_lock(&lock);
    sum++;
    pthread_mutex_unlock(&lock);
    if (i % 100 == 0) {
      pid_t pid = fork();
      if (pid == 0) _exit(3);
      int status;
      if (pid > 0 && (waitpid(pid, &status, 0) != pid || WEXITSTATUS(status) != 3)) _exit(77);
    }
  }
  return arg;
}
/* Threads fork and wait under a rain of timer signals. */
static void threads_that_fork(void) {
  struct itimerval every = {{0, 1000}, {0, 1000}}, off = {{0, 0}, {0, 0}};
  struct sigaction a = {.sa_handler = on_hit, .sa_flags = SA_RESTART};
  sigaction(SIGALRM, &a, NULL);
  setitimer(ITIMER_REAL, &every, NULL);
  pthread_t t[4];
  sum = 0;
  for (int i = 0; i < 4; i++) pthread_create(&t[i], NULL, works, NULL);
  for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);
  setitimer(ITIMER_REAL, &off, NULL);
  check("threads that fork", sum == 4 * 300);
}

static void *loops(void *arg) {
  for (;;)
    if (arg) getppid();
  return arg;
}
/* A process full of threads is killed, execs or exits at any moment. */
static void groups_of_threads_end(int n) {
  int good = 0;
  for (int i = 0; i < n; i++) {
    pid_t pid = fork();
    if (pid == 0) {
      pthread_t t;
      for (long k = 0; k < 3; k++) pthread_create(&t, NULL, loops, (void *)(k & 1));
      if (i % 3 == 0) _exit(11);
      if (i % 3 == 1) execl("/proc/self/exe", "storm", "--code", (char *)NULL);
      for (;;) pause();
    }
    if (i % 3 == 2) {
      struct timespec ts = {0, i % 10 * 300000};
      nanosleep(&ts, NULL), kill(pid, SIGKILL);
    }
    int status;
    waitpid(pid, &status, 0);
    good += i % 3 == 2 ? WIFSIGNALED(status) : WIFEXITED(status) && WEXITSTATUS(status) == 11;
  }
  check("groups of threads end", good == n);
}

int main(int argc, char **argv) {
  if (argc == 2 && !strcmp(argv[1], "--sleep")) for (;;) pause();
  if (argc == 2 && !strcmp(argv[1], "--code")) return 11;
  int n = argc > 1 ? atoi(argv[1]) : 60;
  reap_in_handler(n);
  kill_storm(n);
  signal_ping_pong(n * 5);
  stop_storm(n);
  threads_that_fork();
  groups_of_threads_end(n / 3);
  return 0;
}
