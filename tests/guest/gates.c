/* The process gates: what every later thing stands on. usage: gates [REPEATS] */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
static int global = 1;

static void fork_returns_both_ways(void) {
  int link[2], local = 5;
  pid_t me = getpid(), ids[2];
  if (pipe(link)) return;
  pid_t child = fork();
  if (child == 0) {
    ids[0] = getpid(), ids[1] = getppid();
    global = 2, local = 6; /* must not show in the parent */
    _exit(write(link[1], ids, sizeof ids) == sizeof ids ? 7 : 8);
  }
  int status = -1;
  pid_t waited = waitpid(child, &status, 0);
  if (read(link[0], ids, sizeof ids) != sizeof ids) return;
  printf("fork: child's pid is what the parent got %d, its parent is me %d, differs %d\n", ids[0] == child, ids[1] == me,
         ids[0] != me);
  printf("wait: pid %d exited %d code %d, memory apart %d\n", waited == child, WIFEXITED(status), WEXITSTATUS(status),
         global == 1 && local == 5);
  close(link[0]), close(link[1]);
}

static void wait_resumes_once(int repeats) {
  int bad = 0;
  for (int i = 0; i < repeats; i++) {
    pid_t child = fork();
    if (child == 0) _exit(i & 0x7f);
    int status;
    pid_t first = wait(&status);
    if (first != child || !WIFEXITED(status) || WEXITSTATUS(status) != (i & 0x7f)) bad++;
    if (wait(&status) != -1 || errno != ECHILD) bad++;
  }
  printf("wait: %d forks, bad %d\n", repeats, bad);
}

static void wait_nohang(void) {
  int gate[2];
  if (pipe(gate)) return;
  pid_t child = fork();
  if (child == 0) {
    char c;
    close(gate[1]);
    _exit(read(gate[0], &c, 1) == 1 ? 3 : 4);
  }
  int status = -1;
  pid_t running = waitpid(child, &status, WNOHANG);
  if (write(gate[1], "x", 1) != 1) return;
  pid_t done = waitpid(child, &status, 0);
  printf("wnohang: running %d then code %d, again %d\n", running, done == child ? WEXITSTATUS(status) : -1,
         waitpid(child, &status, WNOHANG) == -1 && errno == ECHILD);
  close(gate[0]), close(gate[1]);
}

static void exec_leaves_the_parent(const char *self) {
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    execl(self, self, "--echo", "from exec", (char *)NULL);
    _exit(99);
  }
  int status;
  waitpid(child, &status, 0);
  printf("exec: code %d, parent's memory %d\n", WEXITSTATUS(status), global);
  child = fork();
  if (child == 0) {
    execl("/no/such/program", "x", (char *)NULL);
    _exit(errno == ENOENT ? 12 : 13);
  }
  waitpid(child, &status, 0);
  printf("failed exec: the caller goes on %d\n", WEXITSTATUS(status));
}

static void spawn_and_vfork(const char *self) {
  char *argv[] = {(char *)self, "--echo", "from spawn", NULL};
  pid_t child;
  int status, r = posix_spawn(&child, self, NULL, NULL, argv, environ);
  waitpid(child, &status, 0);
  printf("posix_spawn: %d code %d\n", r, WEXITSTATUS(status));
  volatile int shared = 0;
  child = vfork();
  if (child == 0) {
    shared = 41;
    _exit(17);
  }
  waitpid(child, &status, 0);
  printf("vfork: shared %d code %d\n", shared, WEXITSTATUS(status));
  r = posix_spawn(&child, "/no/such", NULL, NULL, argv, environ);
  printf("posix_spawn of nothing: %s\n", strerror(r));
}

static volatile sig_atomic_t chld;
static void on_child(int s) { (void)s, chld++; }
static void child_signals(void) {
  struct sigaction sa = {.sa_handler = on_child, .sa_flags = SA_RESTART}, old;
  sigaction(SIGCHLD, &sa, &old);
  pid_t child = fork();
  if (child == 0) _exit(0);
  int status;
  waitpid(child, &status, 0);
  printf("sigchld: %d\n", chld >= 1);
  sigaction(SIGCHLD, &old, NULL);
  child = fork();
  if (child == 0) {
    raise(SIGKILL);
    _exit(1);
  }
  waitpid(child, &status, 0);
  printf("killed: %d by %d\n", WIFSIGNALED(status), WTERMSIG(status));
}

static void orphans(void) {
  int link[2];
  if (pipe(link)) return;
  pid_t child = fork();
  if (child == 0) {
    if (fork() == 0) {
      while (getppid() == getpid() - 1) usleep(1000);
      pid_t parent = getppid();
      _exit(write(link[1], &parent, sizeof parent) != sizeof parent);
    }
    _exit(0);
  }
  int status;
  waitpid(child, &status, 0);
  pid_t parent = -1;
  close(link[1]);
  if (read(link[0], &parent, sizeof parent) != sizeof parent) parent = -2;
  printf("orphan: adopted %d\n", parent != child && parent > 0);
  close(link[0]);
}

int main(int argc, char **argv) {
  if (argc == 3 && !strcmp(argv[1], "--echo")) {
    printf("echo %s\n", argv[2]);
    return 21;
  }
  setvbuf(stdout, NULL, _IOLBF, 0);
  fork_returns_both_ways();
  wait_resumes_once(argc > 1 ? atoi(argv[1]) : 50);
  wait_nohang();
  exec_leaves_the_parent("/proc/self/exe");
  spawn_and_vfork("/proc/self/exe");
  child_signals();
  orphans();
  return 0;
}
