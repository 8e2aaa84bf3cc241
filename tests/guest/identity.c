/* credentials(7), prctl(2), uname(2), sched_setaffinity(2), getrlimit(2), getrandom(2), sysinfo(2), capget(2). */
#define _GNU_SOURCE
#include "check.h"

#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <sys/wait.h>

/* Runs in a child, so that ids can be dropped; a host where we are not root counts as passed. */
static void in_child(const char *what, int (*test)(void)) {
  int status;
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) _exit(geteuid() == 0 ? test() : 0);
  waitpid(pid, &status, 0);
  if (WEXITSTATUS(status)) printf("code %d\n", WEXITSTATUS(status));
  check(what, WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static int drop(void) {
  gid_t groups[2] = {10, 20}, got[4];
  uid_t r, e, s;
  if (setgroups(2, groups) || getgroups(4, got) != 2 || got[0] != 10 || got[1] != 20) return 1;
  if (getgroups(0, NULL) != 2 || getgroups(1, got) != -1 || errno != EINVAL) return 2;
  if (setgid(1000) || getgid() != 1000 || getegid() != 1000) return 3;
  if (setuid(1000) || getuid() != 1000 || geteuid() != 1000) return 4;
  if (setuid(0) != -1 || errno != EPERM) return 5;
  if (getresuid(&r, &e, &s) || r != 1000 || e != 1000 || s != 1000) return 6;
  if (setgroups(0, NULL) != -1 || errno != EPERM) return 7;
  return kill(1, 0) == -1 && errno == EPERM ? 0 : 8;
}
static int saved(void) {
  uid_t r, e, s;
  if (setresuid(1000, 1000, 0)) return 1;
  if (seteuid(0) || geteuid() != 0) return 2;
  if (setreuid(2000, 3000) || getuid() != 2000 || geteuid() != 3000) return 3;
  if (getresuid(&r, &e, &s) || s != 3000) return 4;
  return setresuid((uid_t)-1, 2000, (uid_t)-1) == 0 && geteuid() == 2000 ? 0 : 5;
}
static int groups_too(void) {
  gid_t r, e, s;
  if (setresgid(1, 2, 3) || getresgid(&r, &e, &s) || r != 1 || e != 2 || s != 3) return 1;
  if (setregid(5, 6) || getgid() != 5 || getegid() != 6) return 2;
  return syscall(SYS_setfsuid, 7) == 0 && syscall(SYS_setfsuid, -1) == 7 ? 0 : 3;
}
static int limits(void) {
  struct rlimit l;
  if (getrlimit(RLIMIT_NOFILE, &l)) return 1;
  l.rlim_cur = 10;
  if (setrlimit(RLIMIT_NOFILE, &l) || getrlimit(RLIMIT_NOFILE, &l) || l.rlim_cur != 10) return 2;
  int fd, last = -1;
  while ((fd = dup(0)) >= 0) last = fd;
  if (errno != EMFILE || last != 9) return 3;
  l.rlim_cur = 2, l.rlim_max = 1;
  if (setrlimit(RLIMIT_CORE, &l) != -1 || errno != EINVAL) return 4;
  if (getrlimit(99, &l) != -1 || errno != EINVAL) return 5;
  if (setuid(1000)) return 6;
  l.rlim_cur = l.rlim_max = 1 << 30;
  return setrlimit(RLIMIT_NOFILE, &l) == -1 && errno == EPERM ? 0 : 7;
}

static void names(void) {
  char name[17] = {0};
  struct utsname u;
  check("PR_SET_NAME", prctl(PR_SET_NAME, "a-name-that-is-too-long") == 0 && prctl(PR_GET_NAME, name) == 0 &&
                         !strcmp(name, "a-name-that-is-"));
  check("uname", uname(&u) == 0 && !strcmp(u.sysname, "Linux") && u.machine[0] && u.release[0] >= '3');
  check("pids", getpid() == syscall(SYS_gettid) && getppid() > 0);
  check("no_new_privs", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
                          prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
  check("prctl: no such option", prctl(123456, 0, 0, 0, 0) == -1 && errno == EINVAL);
  check("dumpable", prctl(PR_GET_DUMPABLE) == 1);
}

static void machine(void) {
  struct sysinfo s;
  unsigned char a[32] = {0}, b[32] = {0};
  cpu_set_t set;
  unsigned cpu;
  check("sysinfo", sysinfo(&s) == 0 && s.totalram * s.mem_unit >= (64u << 20) && s.freeram <= s.totalram && s.procs >= 1);
  check("getrandom", getrandom(a, 32, 0) == 32 && getrandom(b, 32, GRND_NONBLOCK) == 32 && memcmp(a, b, 32));
  check("getrandom: flags", getrandom(a, 32, 0x100) == -1 && errno == EINVAL);
  check("processors", sched_getaffinity(0, sizeof set, &set) >= 0 && CPU_COUNT(&set) >= 1);
  check("getcpu", syscall(SYS_getcpu, &cpu, NULL, NULL) == 0 && CPU_ISSET(cpu, &set));
  check("sched_yield", sched_yield() == 0);
  check("policy", syscall(SYS_sched_getscheduler, 0) == SCHED_OTHER && sched_get_priority_max(SCHED_FIFO) == 99);
  errno = 0;
  check("nice", getpriority(PRIO_PROCESS, 0) < 15 && setpriority(PRIO_PROCESS, 0, 15) == 0 &&
                  getpriority(PRIO_PROCESS, 0) == 15 && errno == 0);
  unsigned header[2] = {0x20080522, 0}, data[6];
  check("capget", syscall(SYS_capget, header, data) == 0 && (geteuid() || data[0]));
  header[0] = 1;
  check("capget: version", syscall(SYS_capget, header, data) == -1 && errno == EINVAL && header[0] == 0x20080522);
  check("an unknown call", syscall(999) == -1 && errno == ENOSYS);
}

int main(void) {
  in_child("dropping root", drop);
  in_child("saved ids", saved);
  in_child("groups", groups_too);
  in_child("limits", limits);
  names();
  machine();
  return 0;
}
