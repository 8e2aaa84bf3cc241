/* What the small kernels share: a clock, a loop that lasts long enough to be measured, one line of output. */
#ifndef TIDEMARK_BENCH_H
#define TIDEMARK_BENCH_H
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static inline double now_s(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Seconds one call of `body` takes: batches double until one lasts `least` seconds (the first warms up). */
#define MEASURE(least, result, body)                                                                                   \
  do {                                                                                                                 \
    for (long batch_ = 1;; batch_ *= 2) {                                                                              \
      double start_ = now_s();                                                                                         \
      for (long i_ = 0; i_ < batch_; i_++) {                                                                           \
        body;                                                                                                          \
      }                                                                                                                \
      double took_ = now_s() - start_;                                                                                 \
      if (took_ >= (least)) {                                                                                          \
        (result) = took_ / (double)batch_;                                                                             \
        break;                                                                                                         \
      }                                                                                                                \
    }                                                                                                                  \
  } while (0)

static inline double least_s(int argc, char **argv) { return argc > 1 ? atof(argv[1]) : 0.2; }

static inline void fail(const char *what) {
  perror(what);
  exit(1);
}
#endif
