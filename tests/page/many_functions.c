/* A module of about 1 MB of code, all different: what a program of that size is to the engine. Prints a line, computes with a
 * few of its functions. Built by test_wasi_speed.py. */
#include <stdio.h>

#define PASTE(a, b) a##b
#define FUNCTION(n) \
  __attribute__((used, noinline)) static unsigned PASTE(f, n)(unsigned a, unsigned b, double *t) { \
    for (unsigned i = n; i < a; i += 3) { \
      t[i & 7] = t[(i + 1) & 7] * 1.5 + (double)(b ^ (n * 2654435761u)); \
      if (b & (1u << (n & 31))) b = (b >> 3) + i * (n + 17); \
      else b = (b << 5) - (unsigned)t[b & 7] / (n + 1); \
    } \
    return a * n + b; \
  }
#define ONE(n) FUNCTION(n)
#define F ONE(__COUNTER__)
#define F8 F F F F F F F F
#define F64 F8 F8 F8 F8 F8 F8 F8 F8
#define F512 F64 F64 F64 F64 F64 F64 F64 F64

F512 F512 F512 F512 F512 F512 F512 F64 F64

int main(int argc, char **argv) {
  double t[8] = {1};
  unsigned h = f1(100, (unsigned)argc, t) + f99(200, (unsigned)argv[0][0], t) + f1234(1300, 5, t);
  puts("here");
  return h == 0 && t[3] == 0;
}
