/* Ends badly, by argv[1]. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__attribute__((noinline)) void trap_in_here(volatile int *p) {
  if (*p) __builtin_trap();
}
__attribute__((noinline)) int too_deep(int n) {
  volatile int kept[4] = {n};
  return n == -1 ? 0 : too_deep(n + 1) + kept[n & 3];
}
int main(int argc, char **argv) {
  const char *how = argc > 1 ? argv[1] : "";
  volatile int one = 1;
  if (!strcmp(how, "trap")) trap_in_here(&one);
  if (!strcmp(how, "deep")) return too_deep(1);
  if (!strcmp(how, "divide")) return one / (one - 1);
  if (!strcmp(how, "bounds")) return *(volatile int *)0xfffffff0u;
  if (!strcmp(how, "abort")) abort();
  if (!strcmp(how, "exit")) exit(300 % 256);
  if (!strcmp(how, "memory")) {
    int mib = 0;
    for (char *p; mib < 512 && (p = malloc(1 << 20)); mib++) *(volatile char *)p = 1;
    printf("%s\n", mib < 512 ? "no more memory" : "512 MiB");
    return mib < 512 ? 5 : 0;
  }
  return 0;
}
