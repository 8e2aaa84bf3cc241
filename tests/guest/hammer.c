/* Eight processes at once on files, pipes and children; every result is checked, the output does not depend on the
 * order. Under the thread-sanitized native kernel this is the race detector's workload. usage: hammer [ROUNDS] */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORKERS 8
static int failures;
#define CHECK(c) \
  do { \
    if (!(c) && failures++ < 5) printf("line %d: %s: %s\n", __LINE__, #c, strerror(errno)); \
  } while (0)

static void files(int me, int round) {
  char a[64], b[64], body[5000], back[5000];
  snprintf(a, sizeof a, "hammer.d/%d-%d", me, round);
  snprintf(b, sizeof b, "hammer.d/%d-%d-moved", me, round);
  memset(body, 'a' + me, sizeof body);
  int fd = open(a, O_CREAT | O_EXCL | O_RDWR, 0600);
  CHECK(fd >= 0);
  CHECK(write(fd, body, sizeof body) == (ssize_t)sizeof body);
  CHECK(rename(a, b) == 0);
  CHECK(link(b, a) == 0);
  CHECK(pread(fd, back, sizeof back, 0) == (ssize_t)sizeof back && memcmp(body, back, sizeof back) == 0);
  struct stat st;
  CHECK(fstat(fd, &st) == 0 && st.st_nlink == 2 && st.st_size == sizeof body);
  CHECK(unlink(a) == 0 && unlink(b) == 0);
  CHECK(fstat(fd, &st) == 0 && st.st_nlink == 0);
  close(fd);
  /* one shared file, appended whole lines only */
  fd = open("hammer.d/log", O_WRONLY | O_APPEND);
  char line[32];
  int n = snprintf(line, sizeof line, "%d:%06d\n", me, round);
  CHECK(write(fd, line, (size_t)n) == n);
  close(fd);
}

static void pipes(int me, int round) {
  int down[2], up[2];
  CHECK(pipe(down) == 0 && pipe(up) == 0);
  pid_t child = fork();
  if (child == 0) {
    close(down[1]), close(up[0]);
    char buf[256];
    ssize_t n;
    while ((n = read(down[0], buf, sizeof buf)) > 0)
      if (write(up[1], buf, (size_t)n) != n) _exit(9);
    _exit(me);
  }
  CHECK(child > 0);
  close(down[0]), close(up[1]);
  int sum = 0, want = 0;
  for (int i = 0; i < 20; i++) {
    char out = (char)(i + round), in = 0;
    want += out;
    CHECK(write(down[1], &out, 1) == 1);
    struct pollfd p = {.fd = up[0], .events = POLLIN};
    CHECK(poll(&p, 1, 20000) == 1);
    CHECK(read(up[0], &in, 1) == 1);
    sum += in;
  }
  CHECK(sum == want);
  close(down[1]);
  char end;
  CHECK(read(up[0], &end, 1) == 0);
  close(up[0]);
  int status = 0;
  CHECK(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == me);
}

static void children(int me) {
  pid_t killed = fork();
  if (killed == 0) {
    for (;;) pause();
  }
  pid_t spins = fork();
  if (spins == 0) {
    for (volatile unsigned i = 0;; i++) {
    }
  }
  CHECK(killed > 0 && spins > 0);
  CHECK(kill(killed, SIGTERM) == 0 && kill(spins, SIGKILL) == 0);
  int status;
  CHECK(waitpid(killed, &status, 0) == killed && WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
  CHECK(waitpid(spins, &status, 0) == spins && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  CHECK(waitpid(-1, &status, WNOHANG) == -1 && errno == ECHILD);
  (void)me;
}

int main(int argc, char **argv) {
  int rounds = argc > 1 ? atoi(argv[1]) : 10;
  setvbuf(stdout, NULL, _IOLBF, 0);
  CHECK(mkdir("hammer.d", 0700) == 0);
  close(open("hammer.d/log", O_CREAT | O_WRONLY, 0600));
  for (int w = 0; w < WORKERS; w++) {
    pid_t p = fork();
    if (p == 0) {
      for (int r = 0; r < rounds; r++) {
        files(w, r);
        pipes(w, r);
        children(w);
      }
      _exit(failures ? 1 : 0);
    }
    CHECK(p > 0);
  }
  int good = 0, status;
  for (int w = 0; w < WORKERS; w++) {
    CHECK(wait(&status) > 0);
    good += WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }
  struct stat st;
  CHECK(stat("hammer.d/log", &st) == 0);
  printf("%d of %d workers, log %s\n", good, WORKERS, st.st_size == (off_t)(WORKERS * rounds * 9) ? "whole" : "short");
  CHECK(unlink("hammer.d/log") == 0 && rmdir("hammer.d") == 0);
  return failures != 0;
}
