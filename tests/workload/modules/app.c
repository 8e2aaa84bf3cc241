/* An app: says it is ready when asked to, then its main loop, by argv. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
__attribute__((import_module("tidemark"), import_name("ready"))) int host_ready(void);
int main(int argc, char **argv) {
  setvbuf(stdout, NULL, _IONBF, 0);
  printf("starting %s\n", getenv("MODE") ? getenv("MODE") : "-");
  host_ready();
  puts("main loop");
  for (int i = 1; i < argc; i++) {
    if (!strcmp(argv[i], "spin")) for (volatile int x = 0;; x++) {}
    if (!strcmp(argv[i], "flood")) for (;;) puts("0123456789");
    if (!strcmp(argv[i], "eat")) {
      int mib = 0;
      for (char *p; mib < 300 && (p = malloc(1 << 20)); mib++) *(volatile char *)p = 1;
      printf("%s\n", mib < 64 ? "memory is short" : "memory is plenty");
      return mib < 64 ? 3 : 0;
    }
    FILE *f = fopen(argv[i], "r");
    char text[64] = "";
    printf("%s: %s", argv[i], f && fgets(text, sizeof text, f) ? text : "not there\n");
  }
  return 0;
}
