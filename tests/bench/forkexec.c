/* fork(2), execve(2) of a program, waitpid(2): seconds for all three. usage: forkexec SECONDS PROGRAM ARGS... */
#include "bench.h"

static void once(char **argv) {
  pid_t pid = fork();
  if (pid < 0) fail("fork");
  if (pid == 0) {
    execv(argv[0], argv);
    _exit(127);
  }
  int status;
  if (waitpid(pid, &status, 0) != pid || status != 0) fail("waitpid");
}

int main(int argc, char **argv) {
  double s;
  if (argc < 3) return 2;
  MEASURE(least_s(argc, argv), s, once(argv + 2));
  printf("%.12g\n", s);
  return 0;
}
