/* The cheapest system call: seconds per getppid(2), always a real call. usage: getppid [least seconds] */
#include "bench.h"
#include <sys/syscall.h>

int main(int argc, char **argv) {
  double s;
  MEASURE(least_s(argc, argv), s, syscall(SYS_getppid));
  printf("%.12g\n", s);
  return 0;
}
