/* Arguments and one variable of the environment. */
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv) {
  for (int i = 0; i < argc; i++) printf("%s\n", argv[i]);
  const char *v = getenv("V");
  printf("V=%s\n", v ? v : "(none)");
  return 7;
}
