/* poll_oneoff on stdin and a clock: what comes first. */
#include <poll.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>
int main(void) {
  struct pollfd p = {.fd = 0, .events = POLLIN};
  struct timespec before, after;
  printf("%d\n", poll(&p, 1, 50));
  printf("%d\n", poll(&p, 1, 20000));
  char c;
  printf("%d\n", (int)read(0, &c, 1));
  clock_gettime(CLOCK_MONOTONIC, &before);
  nanosleep(&(struct timespec){.tv_nsec = 30000000}, NULL);
  clock_gettime(CLOCK_MONOTONIC, &after);
  long ms = (after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000;
  printf("%s\n", ms >= 30 ? "slept" : "too short");
  return 0;
}
