/* clock_gettime(2), nanosleep(2), setitimer(2), timer_create(2), times(2), getrusage(2). */
#define _GNU_SOURCE
#include "check.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/timex.h>
#include <sys/wait.h>

static volatile sig_atomic_t count, value, code;
static void counting(int signo) {
  (void)signo;
  count++;
}
static void with_info(int signo, siginfo_t *info, void *context) {
  (void)signo, (void)context;
  value = info->si_value.sival_int, code = info->si_code;
  count++;
}

static void clocks(void) {
  struct timespec a, b;
  static const clockid_t all[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID,
                                  CLOCK_MONOTONIC_RAW, CLOCK_REALTIME_COARSE, CLOCK_MONOTONIC_COARSE, CLOCK_BOOTTIME};
  int good = 0;
  for (int i = 0; i < 8; i++) good += clock_gettime(all[i], &a) == 0 && a.tv_nsec >= 0 && a.tv_nsec < 1000000000;
  check("eight clocks", good == 8);
  check("no such clock", clock_gettime(77, &a) == -1 && errno == EINVAL);
  check("resolution", clock_getres(CLOCK_MONOTONIC, &a) == 0 && a.tv_sec == 0 && a.tv_nsec > 0);
  good = 1;
  clock_gettime(CLOCK_MONOTONIC, &a);
  for (int i = 0; i < 10000; i++, a = b) {
    clock_gettime(CLOCK_MONOTONIC, &b);
    good &= b.tv_sec > a.tv_sec || (b.tv_sec == a.tv_sec && b.tv_nsec >= a.tv_nsec);
  }
  check("monotonic", good);
  struct timeval tv;
  gettimeofday(&tv, NULL);
  check("the year", tv.tv_sec > 1700000000 && time(NULL) - tv.tv_sec <= 1);
  check("bad pointer", syscall(SYS_clock_gettime, CLOCK_REALTIME, (void *)8) == -1 && errno == EFAULT);
}

static void sleeping(void) {
  double before = seconds(CLOCK_MONOTONIC);
  struct timespec t = {0, 30000000};
  check("nanosleep", nanosleep(&t, NULL) == 0);
  double took = seconds(CLOCK_MONOTONIC) - before;
  check("as long as asked", took >= 0.03 && took < 2);
  t.tv_nsec = 1000000000;
  check("bad nanoseconds", nanosleep(&t, NULL) == -1 && errno == EINVAL);
  t = (struct timespec){-1, 0};
  check("negative", nanosleep(&t, NULL) == -1 && errno == EINVAL);
  clock_gettime(CLOCK_MONOTONIC, &t);
  t.tv_nsec += 20000000;
  if (t.tv_nsec >= 1000000000) t.tv_sec++, t.tv_nsec -= 1000000000;
  check("until a moment", clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == 0);
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  check("reached", now.tv_sec > t.tv_sec || (now.tv_sec == t.tv_sec && now.tv_nsec >= t.tv_nsec));
  check("a moment past", clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == 0);
  clock_gettime(CLOCK_REALTIME, &t);
  t.tv_nsec += 20000000;
  if (t.tv_nsec >= 1000000000) t.tv_sec++, t.tv_nsec -= 1000000000;
  check("until a time of day", clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &t, NULL) == 0);
  check("clock without sleep", clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &now, NULL) == EINVAL);
}

static void interval_timers(void) {
  struct sigaction a = {.sa_handler = counting};
  struct itimerval t = {{0, 0}, {0, 20000}}, old;
  sigaction(SIGALRM, &a, NULL);
  count = 0;
  check("setitimer", setitimer(ITIMER_REAL, &t, &old) == 0 && old.it_value.tv_sec == 0 && old.it_value.tv_usec == 0);
  getitimer(ITIMER_REAL, &old);
  check("getitimer", old.it_value.tv_usec > 0 && old.it_value.tv_usec <= 20000);
  pause();
  check("SIGALRM while asleep", count == 1);
  t.it_interval.tv_usec = 5000, t.it_value.tv_usec = 5000;
  setitimer(ITIMER_REAL, &t, NULL);
  while (count < 6) continue;
  check("SIGALRM while busy, repeated", count >= 6);
  memset(&t, 0, sizeof t);
  setitimer(ITIMER_REAL, &t, &old);
  check("stopped", old.it_interval.tv_usec == 5000);
  alarm(100);
  check("alarm", alarm(0) >= 99);
  t.it_value.tv_usec = 2000000;
  check("bad microseconds", setitimer(ITIMER_REAL, &t, NULL) == -1 && errno == EINVAL);
  sigaction(SIGVTALRM, &a, NULL), sigaction(SIGPROF, &a, NULL);
  count = 0;
  t = (struct itimerval){{0, 0}, {0, 10000}};
  setitimer(ITIMER_VIRTUAL, &t, NULL);
  while (!count) continue;
  setitimer(ITIMER_PROF, &t, NULL);
  while (count < 2) continue;
  check("processor time timers", count == 2);
  fflush(stdout);
  pid_t pid;
  alarm(50);
  pid = fork();
  if (pid == 0) _exit(alarm(0) != 0);
  int status;
  waitpid(pid, &status, 0);
  check("timers are not inherited", alarm(0) >= 49 && WEXITSTATUS(status) == 0);
}

static void posix_timers(void) {
  timer_t id;
  struct sigaction a = {.sa_sigaction = with_info, .sa_flags = SA_SIGINFO};
  sigaction(SIGUSR1, &a, NULL);
  struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 55};
  check("timer_create", timer_create(CLOCK_MONOTONIC, &ev, &id) == 0);
  struct itimerspec t = {{0, 5000000}, {0, 5000000}}, now;
  count = 0;
  check("timer_settime", timer_settime(id, 0, &t, NULL) == 0);
  timer_gettime(id, &now);
  check("timer_gettime", now.it_interval.tv_nsec == 5000000 && now.it_value.tv_nsec <= 5000000);
  while (count < 3) pause_ms(1);
  check("it fires", value == 55 && code == SI_TIMER);
  sigset_t set;
  sigemptyset(&set), sigaddset(&set, SIGUSR1), sigprocmask(SIG_BLOCK, &set, NULL);
  pause_ms(40);
  sigprocmask(SIG_UNBLOCK, &set, NULL);
  check("overruns", timer_getoverrun(id) >= 3);
  check("timer_delete", timer_delete(id) == 0);
  errno = 0;
  ev.sigev_signo = 99;
  check("bad signal", timer_create(CLOCK_MONOTONIC, &ev, &id) == -1 && errno == EINVAL);
}

static void use(void) {
  struct tms t;
  struct rusage r;
  double before = seconds(CLOCK_PROCESS_CPUTIME_ID);
  while (seconds(CLOCK_PROCESS_CPUTIME_ID) - before < 0.03) continue;
  check("times", times(&t) != (clock_t)-1 && t.tms_utime + t.tms_stime >= 1);
  check("getrusage", getrusage(RUSAGE_SELF, &r) == 0 && r.ru_utime.tv_sec + r.ru_utime.tv_usec + r.ru_stime.tv_usec > 0);
  before = seconds(CLOCK_PROCESS_CPUTIME_ID);
  pause_ms(60);
  check("sleeping costs no processor time", seconds(CLOCK_PROCESS_CPUTIME_ID) - before < 0.05);
  fflush(stdout);
  if (fork() == 0) {
    before = seconds(CLOCK_PROCESS_CPUTIME_ID);
    while (seconds(CLOCK_PROCESS_CPUTIME_ID) - before < 0.04) continue;
    _exit(0);
  }
  wait(NULL);
  check("a child's time comes with wait", getrusage(RUSAGE_CHILDREN, &r) == 0 && r.ru_utime.tv_usec + r.ru_stime.tv_usec >= 20000);
  check("nobody", getrusage(7, &r) == -1 && errno == EINVAL);
}

int main(void) {
  clocks();
  sleeping();
  interval_timers();
  posix_timers();
  use();
  return 0;
}
