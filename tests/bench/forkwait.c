/* fork(2), _exit in the child, waitpid(2) in the parent: seconds for all three. usage: forkwait [least seconds] */
#include "bench.h"

static void once(void) {
  pid_t pid = fork();
  if (pid < 0) fail("fork");
  if (pid == 0) _exit(7);
  int status;
  if (waitpid(pid, &status, 0) != pid || WEXITSTATUS(status) != 7) fail("waitpid");
}

int main(int argc, char **argv) {
  double s;
  MEASURE(least_s(argc, argv), s, once());
  printf("%.12g\n", s);
  return 0;
}
