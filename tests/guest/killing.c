/* SIGKILL at any moment over pipelines, sockets, threads, mappings and sleeping processes: everybody is reaped, no
 * descriptor is left, and the next round works. usage: killing [ROUNDS] */
#define _GNU_SOURCE
#include "check.h"
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define STAGES 4
static unsigned state = 12345;
static unsigned below(unsigned n) {
  state ^= state << 13, state ^= state >> 17, state ^= state << 5;
  return state % n;
}

static void *spin(void *arg) {
  char buf[512];
  int *ends = arg;
  for (;;) {
    ssize_t n = read(ends[0], buf, sizeof buf);
    if (n <= 0 || write(ends[1], buf, (size_t)n) < 0) return NULL;
  }
}

static void stage(int kind, int in, int out) {
  char buf[4096];
  memset(buf, kind, sizeof buf);
  switch (kind) {
  case 0: /* writes as fast as it can */
    for (;;)
      if (write(out, buf, sizeof buf) < 0) _exit(0);
  case 1: { /* passes on by a thread */
    pthread_t t;
    int ends[2] = {in, out};
    pthread_create(&t, NULL, spin, ends);
    pthread_join(t, NULL);
    _exit(0);
  }
  case 2: /* touches shared and private memory, holds a lock, forks */
    for (;;) {
      char *p = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
      if (p != MAP_FAILED) memset(p, 1, 65536);
      int fd = open("lock", O_RDWR | O_CREAT, 0600), two[2];
      if (fd >= 0) flock(fd, LOCK_EX);
      if (!socketpair(AF_UNIX, SOCK_STREAM, 0, two)) close(two[0]), close(two[1]);
      pid_t c = fork();
      if (!c) _exit(0);
      if (c > 0) waitpid(c, NULL, 0);
      if (read(in, buf, sizeof buf) <= 0) _exit(0);
      if (fd >= 0) close(fd);
      if (p != MAP_FAILED) munmap(p, 65536);
    }
  default:
    for (;;)
      if (read(in, buf, sizeof buf) <= 0) pause();
  }
}

int main(int argc, char **argv) {
  int rounds = argc > 1 ? atoi(argv[1]) : 15, killed = 0, other = 0, first = dup(0), refused = 0;
  close(first);
  signal(SIGPIPE, SIG_IGN);
  for (int r = 0; r < rounds; r++) {
    pid_t pids[STAGES];
    int in = -1, group = 0;
    for (int i = 0; i < STAGES; i++) {
      int ends[2];
      if (pipe(ends)) return 1;
      pids[i] = fork();
      if (!pids[i]) {
        setpgid(0, group);
        close(ends[0]);
        stage(i, in, ends[1]);
      }
      if (pids[i] < 0) refused++;
      if (!group && pids[i] > 0) setpgid(pids[i], group = pids[i]);
      close(ends[1]);
      if (in >= 0) close(in);
      in = ends[0];
    }
    close(in);
    struct timespec ts = {0, (long)below(3000) * 1000};
    nanosleep(&ts, NULL);
    for (unsigned i = 0, at = below(STAGES); i < STAGES; i++) kill(pids[(at + i) % STAGES], SIGKILL);
    kill(-group, SIGKILL);
    for (int i = 0; i < STAGES; i++) {
      int status;
      if (waitpid(pids[i], &status, 0) != pids[i]) continue;
      if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) killed++;
      else other++; /* ended by itself first: its reader was gone */
    }
  }
  check("all were reaped", killed + other == rounds * STAGES && !refused);
  check("nobody is left", waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
  check("no descriptor is left", dup(0) == first);
  int fd = open("lock", O_RDWR | O_CREAT, 0600);
  int locked = -1;
  for (int i = 0; i < 2000 && locked; i++, pause_ms(1)) locked = flock(fd, LOCK_EX | LOCK_NB); /* a killed child's child may be ending */
  check("no lock is left", locked == 0);
  return 0;
}
