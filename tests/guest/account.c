/* Forks, execs and threads that may fail on the way: whatever happens, each is accounted for once. On a host that fails
 * none it prints the same; tests/kernel/test_handover.py lets the owner fail on purpose. usage: account [N] */
#define _GNU_SOURCE
#include "check.h"

#include <pthread.h>
#include <sys/wait.h>

static int refused, killed, done, strange;

static void reap(pid_t pid, int code) {
  int status;
  if (waitpid(pid, &status, 0) != pid) strange++;
  else if (WIFSIGNALED(status) && WTERMSIG(status) == 9) killed++;
  else if (WIFEXITED(status) && WEXITSTATUS(status) == code) done++;
  else if (WIFEXITED(status) && WEXITSTATUS(status) == 8) refused++;
  else strange++;
}

static void forks(int n, size_t bytes) {
  char *touched = malloc(bytes);
  memset(touched, 1, bytes);
  for (int i = 0; i < n; i++) {
    pid_t pid = fork();
    if (pid == 0) {
      for (size_t k = 0; k < bytes; k += 4096)
        if (touched[k] != 1) _exit(7);
      _exit(5);
    }
    if (pid == -1) errno == EAGAIN ? refused++ : strange++;
    else reap(pid, 5);
  }
  free(touched);
}

static void execs(int n) {
  for (int i = 0; i < n; i++) {
    pid_t pid = vfork();
    if (pid == 0) {
      execl("/proc/self/exe", "account", "--code", (char *)NULL);
      _exit(errno == EAGAIN ? 8 : 9);
    }
    reap(pid, 6);
  }
}

static void *returns(void *arg) { return arg; }
static void threads(int n) {
  for (int i = 0; i < n; i++) {
    pthread_t t;
    int e = pthread_create(&t, NULL, returns, NULL);
    if (e == EAGAIN) refused++;
    else if (e) strange++;
    else if (pthread_join(t, NULL)) strange++;
    else done++;
  }
}

int main(int argc, char **argv) {
  if (argc == 2 && !strcmp(argv[1], "--code")) return 6;
  int n = argc > 1 ? atoi(argv[1]) : 20;
  forks(n, 4096);
  forks(n / 4 + 1, 6 << 20);
  execs(n);
  if (argc < 3) threads(n);
  check("nothing strange", strange == 0);
  check("nobody is left", wait(NULL) == -1 && errno == ECHILD);
  fprintf(stderr, "done %d refused %d killed %d\n", done, refused, killed);
  return 0;
}
