/* wait4(2), waitid(2), setpgid(2), setsid(2): children's states, groups, orphans. */
#define _GNU_SOURCE
#include "check.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

static pid_t child_that_exits(int code) {
  pid_t pid = fork();
  if (pid == 0) _exit(code);
  return pid;
}
static pid_t child_that_pauses(void) {
  pid_t pid = fork();
  if (pid == 0)
    for (;;) pause();
  return pid;
}

static void statuses(void) {
  int status;
  pid_t pid = child_that_exits(300); /* one byte */
  check("exit code is a byte", wait(&status) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 44);
  pid = child_that_pauses();
  kill(pid, SIGTERM);
  check("killed", waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
  pid = fork();
  if (pid == 0) abort();
  check("aborted", waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
  check("no child", wait(&status) == -1 && errno == ECHILD);
  pid = child_that_exits(0);
  check("not my child", waitpid(1, &status, WNOHANG) == -1 && errno == ECHILD);
  struct rusage usage;
  check("rusage", wait4(pid, &status, 0, &usage) == pid && usage.ru_utime.tv_sec < 5);
  check("bad options", waitpid(-1, &status, 0x100) == -1 && errno == EINVAL);
}

static void stop_and_continue(void) {
  int status;
  siginfo_t info;
  pid_t pid = child_that_pauses();
  kill(pid, SIGSTOP);
  check("stopped", waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
  check("told once", waitpid(pid, &status, WUNTRACED | WNOHANG) == 0);
  kill(pid, SIGCONT);
  check("continued", waitpid(pid, &status, WCONTINUED) == pid && WIFCONTINUED(status));
  kill(pid, SIGSTOP);
  memset(&info, 0, sizeof info);
  check("waitid stopped", waitid(P_PID, (id_t)pid, &info, WSTOPPED) == 0 && info.si_code == CLD_STOPPED &&
                            info.si_status == SIGSTOP && info.si_pid == pid && info.si_signo == SIGCHLD);
  kill(pid, SIGKILL); /* a stopped process dies at once */
  check("kill while stopped", waitpid(pid, &status, 0) == pid && WTERMSIG(status) == SIGKILL);
}

static void waitid_forms(void) {
  siginfo_t info;
  int status;
  pid_t pid = child_that_exits(6);
  memset(&info, 0, sizeof info);
  check("waitid WNOWAIT", waitid(P_ALL, 0, &info, WEXITED | WNOWAIT) == 0 && info.si_pid == pid &&
                            info.si_code == CLD_EXITED && info.si_status == 6);
  check("still there", waitid(P_PID, (id_t)pid, &info, WEXITED) == 0 && info.si_pid == pid);
  check("gone", waitid(P_PID, (id_t)pid, &info, WEXITED) == -1 && errno == ECHILD);
  check("no kind of event", waitid(P_ALL, 0, &info, 0) == -1 && errno == EINVAL);
  pid = child_that_pauses();
  memset(&info, 0xff, sizeof info);
  check("WNOHANG clears the record", waitid(P_ALL, 0, &info, WEXITED | WNOHANG) == 0 && info.si_pid == 0);
  kill(pid, SIGKILL);
  check("waitid killed", waitid(P_ALL, 0, &info, WEXITED) == 0 && info.si_code == CLD_KILLED && info.si_status == SIGKILL);
  pid_t other = fork();
  if (other == 0) {
    setpgid(0, 0);
    _exit(8);
  }
  setpgid(other, other);
  pid = child_that_exits(1);
  check("by group", waitpid(-other, &status, 0) == other && WEXITSTATUS(status) == 8);
  check("own group", waitpid(0, &status, 0) == pid);
}

static volatile sig_atomic_t signals;
static siginfo_t last;
static void on_child(int signo, siginfo_t *info, void *context) {
  (void)signo, (void)context;
  last = *info;
  signals++;
}

static void sigchld(void) {
  int status;
  struct sigaction act = {.sa_sigaction = on_child, .sa_flags = SA_SIGINFO | SA_RESTART};
  sigaction(SIGCHLD, &act, NULL);
  pid_t pid = child_that_exits(12);
  check("SIGCHLD and wait", waitpid(pid, &status, 0) == pid);
  check("its siginfo", signals == 1 && last.si_pid == pid && last.si_code == CLD_EXITED && last.si_status == 12);
  act.sa_flags |= SA_NOCLDSTOP;
  sigaction(SIGCHLD, &act, NULL);
  signals = 0;
  pid = child_that_pauses();
  kill(pid, SIGSTOP);
  waitpid(pid, &status, WUNTRACED);
  check("SA_NOCLDSTOP", signals == 0);
  kill(pid, SIGKILL);
  waitpid(pid, &status, 0);
  signal(SIGCHLD, SIG_IGN);
  pid = child_that_exits(0);
  check("SIG_IGN reaps", waitpid(pid, &status, 0) == -1 && errno == ECHILD);
  act.sa_flags = SA_SIGINFO | SA_NOCLDWAIT | SA_RESTART;
  sigaction(SIGCHLD, &act, NULL);
  pid = child_that_exits(0);
  check("SA_NOCLDWAIT reaps", waitpid(pid, &status, 0) == -1 && errno == ECHILD);
  signal(SIGCHLD, SIG_DFL);
}

static void orphans(void) {
  int link[2], status;
  pid_t ids[2] = {0, 0};
  if (pipe(link)) return;
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  pid_t pid = fork();
  if (pid == 0) {
    pid_t parent = getpid();
    if (fork() == 0) {
      while (getppid() == parent) pause_ms(1);
      ids[0] = getpid(), ids[1] = getppid();
      _exit(write(link[1], ids, sizeof ids) != sizeof ids);
    }
    _exit(0);
  }
  waitpid(pid, &status, 0);
  check("orphan comes to the subreaper", read(link[0], ids, sizeof ids) == sizeof ids && ids[1] == getpid());
  check("and is reaped there", waitpid(ids[0], &status, 0) == ids[0] && WEXITSTATUS(status) == 0);
  prctl(PR_SET_CHILD_SUBREAPER, 0);
  pid = fork();
  if (pid == 0) {
    pid_t inner = fork();
    if (inner == 0) {
      prctl(PR_SET_PDEATHSIG, SIGTERM);
      if (write(link[1], "r", 1) != 1) _exit(1);
      for (;;) pause();
    }
    char c;
    if (read(link[0], &c, 1) != 1) _exit(1);
    _exit(0);
  }
  waitpid(pid, &status, 0);
  close(link[1]);
  char c;
  check("PR_SET_PDEATHSIG", read(link[0], &c, 1) == 0); /* end of file: the last writer died */
  close(link[0]);
}

static void groups(void) {
  int status;
  check("own group", getpgrp() == getpgid(0) && getsid(0) == getsid(getpid()));
  pid_t pid = fork();
  if (pid == 0) {
    int bad = 0;
    bad |= setpgid(0, 0) != 0;
    bad |= (getpgrp() != getpid()) << 1;
    bad |= !(setsid() == -1 && errno == EPERM) << 2; /* a group leader may not */
    pid_t inner = fork();
    if (inner == 0) {
      int wrong = setsid() != getpid();
      wrong |= (getsid(0) != getpid() || getpgrp() != getpid()) << 1;
      wrong |= !(setpgid(0, 0) == -1 && errno == EPERM) << 2; /* a session leader */
      wrong |= (open("/dev/tty", O_RDWR) != -1 || errno != ENXIO) << 3;
      _exit(wrong);
    }
    waitpid(inner, &status, 0);
    bad |= (WEXITSTATUS(status) != 0) << 3;
    _exit(bad);
  }
  check("setpgid and setsid", waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 0);
  check("no such group", setpgid(0, 999999) == -1 && errno == EPERM);
  check("no such process", getpgid(999999) == -1 && errno == ESRCH && getsid(999999) == -1 && errno == ESRCH);
  check("negative group", setpgid(0, -1) == -1 && errno == EINVAL);
}

static void group_kill(void) {
  int status, killed = 0;
  pid_t leader = child_that_pauses();
  setpgid(leader, leader);
  for (int i = 0; i < 3; i++) {
    pid_t pid = child_that_pauses();
    setpgid(pid, leader);
  }
  check("kill a group", kill(-leader, SIGUSR1) == 0);
  for (int i = 0; i < 4; i++) killed += waitpid(-leader, &status, 0) > 0 && WTERMSIG(status) == SIGUSR1;
  check("all of it", killed == 4);
  check("then it is gone", kill(-leader, 0) == -1 && errno == ESRCH);
}

int main(void) {
  statuses();
  stop_and_continue();
  waitid_forms();
  sigchld();
  orphans();
  groups();
  group_kill();
  return 0;
}
