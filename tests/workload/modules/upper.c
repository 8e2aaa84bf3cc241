/* stdin to stdout in capitals; exits with the number in argv[1]. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv) {
  int c;
  while ((c = getchar()) != EOF) putchar(toupper(c));
  return argc > 1 ? atoi(argv[1]) : 0;
}
