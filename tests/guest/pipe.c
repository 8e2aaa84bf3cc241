/* pipe(7), fifo(7), F_SETPIPE_SZ of fcntl(2): prints what happens; the host's print is the specification. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "show.h"

static char big[200000], back[200000];
static volatile sig_atomic_t signals;
static void count_signal(int n) { (void)n, signals++; }

static void bounds(void) {
  int p[2];
  SHOW("pipe2 bad flag", pipe2(p, 0x1));
  pipe2(p, O_NONBLOCK | O_CLOEXEC);
  SHOW("cloexec", fcntl(p[0], F_GETFD));
  SHOW("flags r", fcntl(p[0], F_GETFL) & (O_ACCMODE | O_NONBLOCK));
  SHOW("flags w", fcntl(p[1], F_GETFL) & (O_ACCMODE | O_NONBLOCK));
  SHOW("empty", read(p[0], back, 10));
  SHOW("fill", write(p[1], big, sizeof big));
  SHOW("full", write(p[1], big, 1));
  int n = -1;
  ioctl(p[0], FIONREAD, &n);
  printf("FIONREAD %d\n", n);
  SHOW("read 100", read(p[0], back, 100));
  SHOW("atomic write does not fit", write(p[1], big, 4096));
  SHOW("read 4096", read(p[0], back, 4096));
  SHOW("atomic write fits", write(p[1], big, 4096));
  SHOW("lseek", lseek(p[0], 0, SEEK_SET));
  SHOW("pread", pread(p[0], back, 1, 0));
  SHOW("read from the write end", read(p[1], back, 1));
  SHOW("write to the read end", write(p[0], back, 1));
  SHOW("zero", write(p[1], big, 0));
  SHOW("bad address", write(p[1], (void *)8, 0));
  close(p[1]);
  long total = 0, r;
  while ((r = read(p[0], back, 7000)) > 0) total += r;
  printf("drained %ld, then %ld\n", total, r);
  close(p[0]);
}

static void capacity(void) {
  int p[2];
  pipe2(p, O_NONBLOCK);
  SHOW("capacity", fcntl(p[0], F_GETPIPE_SZ));
  SHOW("set 5000", fcntl(p[0], F_SETPIPE_SZ, 5000));
  SHOW("fill", write(p[1], big, sizeof big));
  SHOW("set smaller", fcntl(p[0], F_SETPIPE_SZ, 4096));
  SHOW("set 1 MiB", fcntl(p[0], F_SETPIPE_SZ, 1 << 20));
  SHOW("fill more", write(p[1], big, sizeof big));
  int null = open("/dev/null", O_RDONLY);
  SHOW("not a pipe", fcntl(null, F_GETPIPE_SZ));
  close(null);
  close(p[0]), close(p[1]);
}

static void broken(void) {
  int p[2];
  pipe(p);
  close(p[0]);
  signal(SIGPIPE, SIG_IGN);
  SHOW("ignored", write(p[1], "x", 1));
  struct sigaction sa = {.sa_handler = count_signal};
  sigaction(SIGPIPE, &sa, NULL);
  SHOW("handled", write(p[1], "x", 1));
  printf("signals %d\n", (int)signals);
  signal(SIGPIPE, SIG_DFL);
  fflush(stdout);
  if (fork() == 0) {
    write(p[1], "x", 1);
    _exit(1);
  }
  int status;
  wait(&status);
  printf("default: signaled %d %d\n", WIFSIGNALED(status), WTERMSIG(status) == SIGPIPE);
  close(p[1]);
}

static void vectors(void) {
  int p[2];
  pipe(p);
  struct iovec out[3] = {{"one", 3}, {"", 0}, {"three", 5}};
  SHOW("writev", writev(p[1], out, 3));
  char a[2], b[20] = "";
  struct iovec in[2] = {{a, 2}, {b, 19}};
  SHOW("readv", readv(p[0], in, 2));
  printf("%.2s|%s\n", a, b);
  close(p[0]), close(p[1]);
}

static int gate[2];
static void *late_writer(void *arg) {
  (void)arg;
  usleep(30000);
  write(gate[1], "late", 4);
  return NULL;
}
static void blocking(void) {
  pipe(gate);
  pthread_t t;
  pthread_create(&t, NULL, late_writer, NULL);
  SHOW("blocked read", read(gate[0], back, 100));
  pthread_join(t, NULL);
  struct sigaction sa = {.sa_handler = count_signal}; /* no SA_RESTART */
  sigaction(SIGALRM, &sa, NULL);
  signals = 0;
  ualarm(30000, 0);
  SHOW("interrupted read", read(gate[0], back, 100));
  ualarm(30000, 0);
  SHOW("interrupted write gives the count", write(gate[1], big, sizeof big));
  ualarm(30000, 0);
  SHOW("interrupted write of none", write(gate[1], big, sizeof big));
  printf("signals %d\n", (int)signals);
  sa.sa_flags = SA_RESTART;
  sigaction(SIGALRM, &sa, NULL);
  while (read(gate[0], back, sizeof back) == sizeof back) {
  }
  pid_t child = fork();
  if (child == 0) {
    usleep(80000);
    write(gate[1], "restarted", 9);
    _exit(0);
  }
  ualarm(20000, 0);
  SHOW("restarted read", read(gate[0], back, 100));
  printf("signals %d\n", (int)signals);
  waitpid(child, NULL, 0);
  close(gate[0]), close(gate[1]);
}

static void large_transfer(void) {
  int p[2];
  pipe(p);
  for (unsigned i = 0; i < sizeof big; i++) big[i] = (char)(i * 31 + i / 253);
  pid_t child = fork();
  if (child == 0) {
    close(p[0]);
    for (int i = 0; i < 40; i++)
      if (write(p[1], big, sizeof big) != sizeof big) _exit(1);
    _exit(0);
  }
  close(p[1]);
  long at = 0, r, bad = 0;
  while ((r = read(p[0], back, 50000)) > 0)
    for (long i = 0; i < r; i++, at++) bad += back[i] != big[at % (long)sizeof big];
  int status;
  waitpid(child, &status, 0);
  printf("moved %ld bad %ld status %d\n", at, bad, status);
  close(p[0]);
}

static void atomic_writers(void) { /* PIPE_BUF writes never mix */
  int p[2];
  pipe(p);
  for (int w = 0; w < 4; w++)
    if (fork() == 0) {
      close(p[0]);
      char line[1024];
      memset(line, 'a' + w, sizeof line);
      for (int i = 0; i < 200; i++) write(p[1], line, sizeof line);
      _exit(0);
    }
  close(p[1]);
  int mixed = 0, lines = 0;
  char line[1024];
  long have = 0, r;
  while ((r = read(p[0], line + have, sizeof line - (size_t)have)) > 0) {
    have += r;
    if (have < (long)sizeof line) continue;
    have = 0, lines++;
    for (unsigned i = 1; i < sizeof line; i++) mixed += line[i] != line[0];
  }
  while (wait(NULL) > 0) {
  }
  printf("lines %d mixed %d\n", lines, mixed);
  close(p[0]);
}

static void fifos(void) {
  unlink("fifo");
  SHOW("mkfifo", mkfifo("fifo", 0640));
  struct stat st;
  stat("fifo", &st);
  printf("type %d mode %o\n", S_ISFIFO(st.st_mode), st.st_mode & 0777);
  SHOW("write end without reader", open("fifo", O_WRONLY | O_NONBLOCK));
  int r = open("fifo", O_RDONLY | O_NONBLOCK);
  struct pollfd pfd = {r, POLLIN, 0};
  poll(&pfd, 1, 0);
  printf("poll before the first writer %x\n", pfd.revents);
  SHOW("read before the first writer", read(r, back, 10));
  int w = open("fifo", O_WRONLY | O_NONBLOCK);
  SHOW("read with a writer", read(r, back, 10));
  SHOW("write", write(w, "abc", 3));
  close(w);
  poll(&pfd, 1, 0);
  printf("poll after the writer %x\n", pfd.revents);
  SHOW("read what it left", read(r, back, 10));
  poll(&pfd, 1, 0);
  printf("poll at the end %x\n", pfd.revents);
  close(r);
  if (fork() == 0) {
    usleep(20000);
    int fd = open("fifo", O_WRONLY);
    write(fd, "hello", 5);
    _exit(0);
  }
  r = open("fifo", O_RDONLY);
  long total = 0, n;
  while ((n = read(r, back, 100)) > 0) total += n;
  printf("blocking open, read %ld\n", total);
  wait(NULL);
  close(r);
  int both = open("fifo", O_RDWR);
  SHOW("both ways", write(both, "x", 1));
  SHOW("both ways", read(both, back, 10));
  close(both);
  unlink("fifo");
  SHOW("gone", open("fifo", O_RDONLY | O_NONBLOCK));
}

static void through_proc(void) {
  int p[2];
  pipe(p);
  char path[64], text[64] = "";
  snprintf(path, sizeof path, "/proc/self/fd/%d", p[1]);
  long n = readlink(path, text, sizeof text - 1);
  printf("link %.6s %d\n", text, n > 7);
  int again = open(path, O_WRONLY);
  SHOW("reopened", write(again, "via proc", 8));
  close(p[1]);
  struct pollfd pfd = {p[0], POLLIN, 0};
  poll(&pfd, 1, 0);
  printf("a writer is left %x\n", pfd.revents);
  close(again);
  poll(&pfd, 1, 0);
  printf("none is left %x\n", pfd.revents);
  SHOW("content", read(p[0], back, 100));
  struct stat st;
  fstat(p[0], &st);
  printf("fstat fifo %d size %ld\n", S_ISFIFO(st.st_mode), (long)st.st_size);
  close(p[0]);
}

int main(void) {
  bounds();
  capacity();
  broken();
  vectors();
  blocking();
  large_transfer();
  atomic_writers();
  fifos();
  through_proc();
  return 0;
}
