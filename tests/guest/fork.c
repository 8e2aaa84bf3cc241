/* fork(2), vfork(2), clone(2), execve(2), posix_spawn(3): what is copied, what is shared, who runs when. */
#define _GNU_SOURCE
#include "check.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

extern char **environ;
static int code_of(pid_t pid) {
  int status;
  return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static volatile int shared_with_vfork;
static void vfork_shares_memory(void) {
  volatile pid_t parent = getpid();
  pid_t pid = vfork();
  if (pid == 0) {
    shared_with_vfork = getpid() != parent && getppid() == parent ? 41 : 40;
    _exit(9);
  }
  check("vfork: child ran first, on the parent's memory", shared_with_vfork == 41);
  check("vfork: exit code", code_of(pid) == 9);
}

static void vfork_exec(const char *self) {
  for (int i = 0; i < 5; i++) {
    pid_t pid = vfork();
    if (pid == 0) {
      execl(self, self, "--code", "23", (char *)NULL);
      _exit(99);
    }
    if (code_of(pid) != 23) check("vfork: exec", 0);
  }
  pid_t pid = vfork();
  if (pid == 0) {
    execl("/no/such/file", "x", (char *)NULL);
    _exit(errno == ENOENT ? 31 : 32);
  }
  check("vfork: a failed exec leaves the child", code_of(pid) == 31);
}

static void spawn(const char *self) {
  pid_t pid;
  char *argv[] = {(char *)self, "--code", "5", NULL};
  int link[2];
  if (pipe(link)) return;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, link[1], 1);
  posix_spawn_file_actions_addclose(&actions, link[0]);
  check("posix_spawn", posix_spawn(&pid, self, &actions, NULL, argv, environ) == 0 && code_of(pid) == 5);
  char text[32] = {0};
  close(link[1]);
  check("posix_spawn: dup2", read(link[0], text, 31) == 7 && !strcmp(text, "code 5\n"));
  close(link[0]);
  check("posix_spawn: ENOENT", posix_spawn(&pid, "/no/such", NULL, NULL, argv, environ) == ENOENT);
  posix_spawn_file_actions_destroy(&actions);
}

static void memory_is_copied(void) {
  size_t bytes = 8 << 20; /* more than any window of a transfer */
  char *private = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  int *both = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  for (size_t i = 0; i < bytes; i += 4096) private[i] = (char)(i >> 12);
  pid_t pid = fork();
  if (pid == 0) {
    int bad = 0;
    for (size_t i = 0; i < bytes; i += 4096) bad |= private[i] != (char)(i >> 12);
    memset(private, 1, bytes);
    both[0] = 77;
    _exit(bad);
  }
  int code = code_of(pid), bad = 0;
  for (size_t i = 0; i < bytes; i += 4096) bad |= private[i] != (char)(i >> 12);
  check("fork: 8 MiB arrive whole in the child", code == 0);
  check("fork: the child's writes stay there", !bad);
  check("fork: a shared page is shared", both[0] == 77);
  munmap(private, bytes), munmap(both, 4096);
}

static void descriptors(void) {
  int fd = open("fork.tmp", O_RDWR | O_CREAT | O_TRUNC, 0600), keep = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (write(fd, "0123456789", 10) != 10) return;
  lseek(fd, 0, SEEK_SET);
  pid_t pid = fork();
  if (pid == 0) {
    char c;
    close(keep);
    _exit(read(fd, &c, 1) == 1 && c == '0' ? 0 : 1);
  }
  check("fork: descriptors are inherited", code_of(pid) == 0);
  check("fork: the file offset is shared", lseek(fd, 0, SEEK_CUR) == 1);
  check("fork: closing in the child keeps the parent's", fcntl(keep, F_GETFD) == FD_CLOEXEC);
  close(fd), close(keep);
  unlink("fork.tmp");
}

static void handlers(int signo) { (void)signo; }
static void what_exec_keeps(const char *self) {
  signal(SIGUSR1, handlers), signal(SIGUSR2, SIG_IGN);
  sigset_t set;
  sigemptyset(&set), sigaddset(&set, SIGTERM);
  sigprocmask(SIG_BLOCK, &set, NULL);
  pid_t pid = fork();
  if (pid == 0) {
    alarm(100);
    int a = open("/dev/null", O_RDONLY), b = open("/dev/null", O_RDONLY | O_CLOEXEC);
    dup2(a, 20), dup2(b, 21), fcntl(21, F_SETFD, FD_CLOEXEC);
    execl(self, self, "--kept", (char *)NULL);
    _exit(99);
  }
  check("exec: what is kept and what is not", code_of(pid) == 0);
  sigprocmask(SIG_UNBLOCK, &set, NULL);
  signal(SIGUSR1, SIG_DFL), signal(SIGUSR2, SIG_DFL);
}
static int kept(void) {
  struct sigaction usr1, usr2;
  sigset_t set;
  sigaction(SIGUSR1, NULL, &usr1), sigaction(SIGUSR2, NULL, &usr2);
  sigprocmask(SIG_BLOCK, NULL, &set);
  int bad = 0;
  bad |= usr1.sa_handler != SIG_DFL ? 1 : 0;
  bad |= usr2.sa_handler != SIG_IGN ? 2 : 0;
  bad |= !sigismember(&set, SIGTERM) ? 4 : 0;
  bad |= fcntl(20, F_GETFD) == -1 ? 8 : 0;
  bad |= fcntl(21, F_GETFD) != -1 ? 16 : 0;
  bad |= alarm(0) == 0 ? 32 : 0;
  return bad;
}

static void clone_forms(void) {
  int status;
  pid_t tid = 0;
#ifdef __riscv
  long pid = syscall(SYS_clone, CLONE_PARENT_SETTID | SIGCHLD, 0, &tid, 0, 0);
#else
  long pid = syscall(SYS_clone, CLONE_PARENT_SETTID | SIGCHLD, 0, &tid, 0, 0);
#endif
  if (pid == 0) _exit(2);
  check("clone: CLONE_PARENT_SETTID", pid > 0 && tid == pid && waitpid((pid_t)pid, &status, 0) == pid);
  pid = syscall(SYS_clone, 0, 0, 0, 0, 0); /* no exit signal */
  if (pid == 0) _exit(4);
  check("clone: a child without signal wants __WALL",
        waitpid((pid_t)pid, &status, 0) == -1 && errno == ECHILD && waitpid((pid_t)pid, &status, __WALL) == pid &&
          WEXITSTATUS(status) == 4);
  check("clone: SIGHAND without VM", syscall(SYS_clone, CLONE_SIGHAND | SIGCHLD, 0, 0, 0, 0) == -1 && errno == EINVAL);
  check("clone: THREAD without SIGHAND",
        syscall(SYS_clone, CLONE_THREAD | CLONE_VM | SIGCHLD, 0, 0, 0, 0) == -1 && errno == EINVAL);
  int fd = open("/dev/null", O_RDONLY);
  pid = syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
  if (pid == 0) _exit(close(fd));
  check("clone: CLONE_FILES", waitpid((pid_t)pid, &status, 0) == pid && fcntl(fd, F_GETFD) == -1 && errno == EBADF);
  char before[4096], after[4096];
  pid = syscall(SYS_clone, CLONE_FS | SIGCHLD, 0, 0, 0, 0);
  if (!getcwd(before, sizeof before)) return;
  if (pid == 0) _exit(chdir("/"));
  waitpid((pid_t)pid, &status, 0);
  check("clone: CLONE_FS", getcwd(after, sizeof after) && !strcmp(after, "/"));
  if (chdir(before)) return;
}

static void many_at_once(void) {
  pid_t pids[40];
  int good = 0;
  for (int i = 0; i < 40; i++) {
    pids[i] = fork();
    if (pids[i] == 0) {
      pause_ms(5);
      _exit(i);
    }
  }
  for (int i = 39; i >= 0; i--) good += code_of(pids[i]) == i;
  check("fork: 40 children at once, reaped backwards", good == 40);
}

static void deep(void) {
  int depth = 12, status;
  for (int i = 0; i < depth; i++) {
    pid_t pid = fork();
    if (pid) {
      if (waitpid(pid, &status, 0) != pid) _exit(100);
      if (i) _exit(WEXITSTATUS(status) + 1);
      check("fork: a chain of 12", WEXITSTATUS(status) == depth - 1);
      return;
    }
  }
  _exit(0);
}

static void limit(void) {
  pid_t pid = fork();
  if (pid == 0) {
    struct rlimit one = {1, 1};
    if (setgid(65534) || setuid(65534)) _exit(0); /* not root on this host: nothing to see */
    setrlimit(RLIMIT_NPROC, &one);
    pid_t a = fork();
    if (a == 0) {
      pid_t b = fork();
      if (b == 0) _exit(0);
      _exit(b == -1 && errno == EAGAIN ? 0 : 5);
    }
    _exit(a == -1 ? errno != EAGAIN : 0);
  }
  check("fork: RLIMIT_NPROC", code_of(pid) == 0);
}

int main(int argc, char **argv) {
  if (argc == 3 && !strcmp(argv[1], "--code")) {
    printf("code %s\n", argv[2]);
    return atoi(argv[2]);
  }
  if (argc == 2 && !strcmp(argv[1], "--kept")) return kept();
  int null = open("/dev/null", O_WRONLY), out = dup(1);
  vfork_shares_memory();
  dup2(null, 1);
  vfork_exec("/proc/self/exe");
  dup2(out, 1);
  spawn("/proc/self/exe");
  memory_is_copied();
  descriptors();
  what_exec_keeps("/proc/self/exe");
  clone_forms();
  many_at_once();
  deep();
  limit();
  return 0;
}
