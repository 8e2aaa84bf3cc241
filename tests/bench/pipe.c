/* A pipe between two processes: seconds per byte with 64 KiB writes, then seconds per round trip of one byte.
 * usage: pipe [least seconds] */
#include "bench.h"

enum { CHUNK = 65536 };
static char buffer[CHUNK];

static void reader(int fd) {
  while (read(fd, buffer, CHUNK) > 0) {
  }
  _exit(0);
}

static void echo(int in, int out) {
  char c;
  while (read(in, &c, 1) == 1 && write(out, &c, 1) == 1) {
  }
  _exit(0);
}

static void put(int fd) {
  for (long done = 0; done < CHUNK;) {
    ssize_t n = write(fd, buffer + done, (size_t)(CHUNK - done));
    if (n < 0) fail("write");
    done += n;
  }
}

static void ping(int out, int in) {
  char c = 1;
  if (write(out, &c, 1) != 1 || read(in, &c, 1) != 1) fail("ping");
}

int main(int argc, char **argv) {
  int there[2], back[2];
  double bulk, trip;
  if (pipe(there)) fail("pipe");
  pid_t pid = fork();
  if (pid == 0) {
    close(there[1]);
    reader(there[0]);
  }
  close(there[0]);
  MEASURE(least_s(argc, argv), bulk, put(there[1]));
  close(there[1]);
  waitpid(pid, NULL, 0);
  if (pipe(there) || pipe(back)) fail("pipe");
  pid = fork();
  if (pid == 0) {
    close(there[1]);
    close(back[0]);
    echo(there[0], back[1]);
  }
  close(there[0]);
  close(back[1]);
  MEASURE(least_s(argc, argv), trip, ping(there[1], back[0]));
  close(there[1]);
  waitpid(pid, NULL, 0);
  printf("%.12g %.12g\n", bulk / CHUNK, trip);
  return 0;
}
