/* What the bench measures: a computation (also exported, to be run bare), and small writes. argv: nothing, write, or start. */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <fcntl.h>

static unsigned char table[1 << 16];
static double a[64][64], b[64][64], c[64][64];

static double now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

__attribute__((export_name("work"))) int work(int rounds) {
  unsigned h = 1;
  for (int r = 0; r < rounds; r++) {
    for (unsigned i = 0; i < sizeof table; i++) h = (h ^ table[(h * 31 + i) & 0xffff]) * 16777619u, table[i] = (unsigned char)(h >> 9);
    for (int i = 0; i < 64; i++)
      for (int j = 0; j < 64; j++) {
        double s = 0;
        for (int k = 0; k < 64; k++) s += a[i][k] * b[k][j] + h % 7;
        c[i][j] = s;
      }
    a[r & 63][h & 63] = c[h & 63][r & 63] / 1e9;
  }
  return (int)h;
}

int main(int argc, char **argv) {
  double t = now_ms();
  if (argc > 1 && !strcmp(argv[1], "write")) {
    int fd = open("/dev/null", O_WRONLY), n = 300000;
    if (fd < 0) return 1;
    for (int i = 0; i < n; i++)
      if (write(fd, "0123456789abcdef", 16) != 16) return 2;
    printf("%.4f\n", (now_ms() - t) * 1e3 / n);
    return 0;
  }
  if (argc > 1 && !strcmp(argv[1], "start")) {
    puts("here");
    return 0;
  }
  int h = work(800);
  printf("%.1f %d\n", now_ms() - t, h);
  return 0;
}
