/* check: what guest programs share: a named fact is printed as ok or BAD, so that a run explains itself. */
#ifndef TESTS_GUEST_CHECK_H
#define TESTS_GUEST_CHECK_H
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static inline void check(const char *what, int ok) {
  printf("%s: %s\n", what, ok ? "ok" : "BAD");
  fflush(stdout);
}
static inline double seconds(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}
static inline void pause_ms(long ms) {
  struct timespec t = {ms / 1000, ms % 1000 * 1000000};
  while (nanosleep(&t, &t) == -1 && errno == EINTR) continue;
}
#endif
