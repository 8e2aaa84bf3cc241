/* kernels: small programs of one kind of work each, for measuring translators. Written for this project.
 *
 *   kernels NAME ROUNDS     prints "NAME ROUNDS CHECKSUM MILLISECONDS"; the checksum depends on NAME and ROUNDS alone
 *
 * sha256 qsort chase matmul nbody fib mem bytecode. */
#pragma STDC FP_CONTRACT OFF /* the same sums with and without fused multiply-add */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static uint32_t random_state = 12345;
static uint32_t random_next(void) {
  random_state = random_state * 1664525u + 1013904223u;
  return random_state >> 4;
}

/* ---- SHA-256 (FIPS 180-4) of a 16 KiB buffer, chained ---- */
static uint32_t sha_k[64], sha_h[8];
static uint32_t rotate(uint32_t v, int n) { return v >> n | v << (32 - n); }

static void sha_constants(void) { /* fractional parts of square and cube roots of primes, by integer search */
  int found = 0;
  for (uint32_t p = 2; found < 64; p++) {
    int prime = 1;
    for (uint32_t d = 2; d * d <= p; d++) prime &= p % d != 0;
    if (!prime) continue;
    unsigned __int128 goal = (unsigned __int128)p << 96;
    uint64_t low = 0, high = (uint64_t)1 << 36; /* cube root of p, 32 bits behind the point */
    while (high - low > 1) {
      uint64_t middle = low + (high - low) / 2;
      if ((unsigned __int128)middle * middle * middle <= goal) low = middle;
      else high = middle;
    }
    sha_k[found] = (uint32_t)low;
    if (found < 8) {
      goal = (unsigned __int128)p << 64, low = 0, high = (uint64_t)1 << 36;
      while (high - low > 1) {
        uint64_t middle = low + (high - low) / 2;
        if ((unsigned __int128)middle * middle <= goal) low = middle;
        else high = middle;
      }
      sha_h[found] = (uint32_t)low;
    }
    found++;
  }
}

static void sha_block(uint32_t state[8], const uint8_t *p) {
  uint32_t w[64], v[8];
  for (int i = 0; i < 16; i++) w[i] = (uint32_t)p[4 * i] << 24 | (uint32_t)p[4 * i + 1] << 16 | (uint32_t)p[4 * i + 2] << 8 | p[4 * i + 3];
  for (int i = 16; i < 64; i++) {
    uint32_t a = rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3;
    uint32_t b = rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10;
    w[i] = w[i - 16] + a + w[i - 7] + b;
  }
  memcpy(v, state, sizeof v);
  for (int i = 0; i < 64; i++) {
    uint32_t t = v[7] + (rotate(v[4], 6) ^ rotate(v[4], 11) ^ rotate(v[4], 25)) + ((v[4] & v[5]) ^ (~v[4] & v[6])) + sha_k[i] + w[i];
    uint32_t u = (rotate(v[0], 2) ^ rotate(v[0], 13) ^ rotate(v[0], 22)) + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
    v[7] = v[6], v[6] = v[5], v[5] = v[4], v[4] = v[3] + t, v[3] = v[2], v[2] = v[1], v[1] = v[0], v[0] = t + u;
  }
  for (int i = 0; i < 8; i++) state[i] += v[i];
}

static uint64_t sha256(int rounds) {
  static uint8_t buffer[16384];
  uint32_t state[8];
  sha_constants();
  memcpy(state, sha_h, sizeof state);
  for (unsigned i = 0; i < sizeof buffer; i++) buffer[i] = (uint8_t)random_next();
  for (int r = 0; r < rounds; r++)
    for (unsigned i = 0; i < sizeof buffer; i += 64) sha_block(state, buffer + i);
  return state[0];
}

/* ---- quicksort of 20,000 numbers ---- */
static uint32_t numbers[20000];
static void sort(uint32_t *a, long n) {
  while (n > 12) {
    uint32_t pivot = a[n / 2];
    long i = -1, j = n;
    for (;;) {
      do i++;
      while (a[i] < pivot);
      do j--;
      while (a[j] > pivot);
      if (i >= j) break;
      uint32_t t = a[i];
      a[i] = a[j], a[j] = t;
    }
    sort(a, j + 1);
    a += j + 1, n -= j + 1;
  }
  for (long i = 1; i < n; i++) {
    uint32_t v = a[i];
    long j = i;
    for (; j > 0 && a[j - 1] > v; j--) a[j] = a[j - 1];
    a[j] = v;
  }
}
static uint64_t quicksort(int rounds) {
  uint64_t sum = 0;
  for (int r = 0; r < rounds; r++) {
    for (int i = 0; i < 20000; i++) numbers[i] = random_next();
    sort(numbers, 20000);
    sum = sum * 31 + numbers[r % 20000];
  }
  return sum;
}

/* ---- pointer chase through 256 KiB ---- */
static uint64_t chase(int rounds) {
  enum { N = 32768 };
  static void *cells[N];
  static int order[N];
  for (int i = 0; i < N; i++) order[i] = i;
  for (int i = N - 1; i > 0; i--) {
    int j = (int)(random_next() % (uint32_t)(i + 1)), t = order[i];
    order[i] = order[j], order[j] = t;
  }
  for (int i = 0; i < N; i++) cells[order[i]] = &cells[order[(i + 1) % N]];
  void **p = cells[0];
  for (int r = 0; r < rounds; r++)
    for (int i = 0; i < N - 1; i++) p = *p;
  return (uint64_t)(p - (void **)cells);
}

/* ---- product of matrices of doubles ---- */
static double ma[96][96], mb[96][96], mc[96][96];
static uint64_t matmul(int rounds) {
  for (int i = 0; i < 96; i++)
    for (int j = 0; j < 96; j++) ma[i][j] = random_next() % 1000 / 7.0, mb[i][j] = random_next() % 1000 / 11.0;
  double sum = 0;
  for (int r = 0; r < rounds; r++) {
    for (int i = 0; i < 96; i++)
      for (int j = 0; j < 96; j++) {
        double s = 0;
        for (int k = 0; k < 96; k++) s += ma[i][k] * mb[k][j];
        mc[i][j] = s;
      }
    sum += mc[r % 96][(r * 7) % 96];
    ma[r % 96][r % 89] += 0.5;
  }
  return (uint64_t)sum;
}

/* ---- bodies that attract each other ---- */
static uint64_t nbody(int rounds) {
  static double x[5][3], v[5][3], m[5];
  for (int i = 0; i < 5; i++) {
    m[i] = 1.0 / (1 + i * i);
    for (int k = 0; k < 3; k++) x[i][k] = (random_next() % 2000 - 1000.0) / 100, v[i][k] = (random_next() % 2000 - 1000.0) / 1000;
  }
  for (int r = 0; r < rounds * 1000; r++) {
    for (int i = 0; i < 5; i++)
      for (int j = i + 1; j < 5; j++) {
        double d[3], square = 0.01;
        for (int k = 0; k < 3; k++) d[k] = x[i][k] - x[j][k], square += d[k] * d[k];
        double scale = 0.001 / (square * __builtin_sqrt(square));
        for (int k = 0; k < 3; k++) v[i][k] -= d[k] * m[j] * scale, v[j][k] += d[k] * m[i] * scale;
      }
    for (int i = 0; i < 5; i++)
      for (int k = 0; k < 3; k++) x[i][k] += 0.001 * v[i][k];
  }
  return (uint64_t)(int64_t)(x[0][0] * 1e3);
}

/* ---- recursion ---- */
__attribute__((noinline)) static unsigned fibonacci(unsigned n) { return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2); }
static uint64_t fib(int rounds) {
  uint64_t sum = 0;
  for (int r = 0; r < rounds; r++) sum += fibonacci(22 + (unsigned)(r & 1));
  return sum;
}

/* ---- the C library's memcpy, memset, strlen, memcmp ---- */
static uint64_t memory(int rounds) {
  static char a[40000], b[40000];
  uint64_t sum = 0;
  for (unsigned i = 0; i < sizeof a - 1; i++) a[i] = (char)(1 + random_next() % 255);
  for (int r = 0; r < rounds; r++) {
    unsigned skew = (unsigned)r % 8;
    memcpy(b + skew, a, sizeof a - 8);
    memset(b + 1000, r | 1, 5000);
    b[sizeof b - 1] = 0;
    sum += strlen(b + skew) + (unsigned)(memcmp(a, b, sizeof a) > 0);
  }
  return sum;
}

/* ---- an interpreter of bytecode: one big switch ---- */
enum { PUSH, ADD, SUB, MUL, XOR, DUP, SWAP, DROP, LOAD, STORE, JNZ, LESS, HALT };
static uint64_t bytecode(int rounds) {
  static const int8_t code[] = {/* v0 = 200; v1 = 1; do v1 = v1 * 3 + v0 ^ 85; while (--v0) */
                                PUSH, 100, DUP, ADD, STORE, 0, PUSH, 1, STORE, 1, LOAD, 1, PUSH, 3, MUL, LOAD, 0, ADD, PUSH, 85,
                                XOR, STORE, 1, LOAD, 0, PUSH, 1, SUB, DUP, STORE, 0, JNZ, 10, LOAD, 1, HALT};
  uint64_t sum = 0;
  for (int r = 0; r < rounds * 100; r++) {
    uint32_t stack[16], slots[2] = {0, 0}, *top = stack, t;
    for (int pc = 0;;) {
      switch (code[pc++]) {
      case PUSH: *top++ = (uint32_t)code[pc++]; continue;
      case ADD: top--, top[-1] += top[0]; continue;
      case SUB: top--, top[-1] -= top[0]; continue;
      case MUL: top--, top[-1] *= top[0]; continue;
      case XOR: top--, top[-1] ^= top[0]; continue;
      case DUP: *top = top[-1], top++; continue;
      case SWAP: t = top[-1], top[-1] = top[-2], top[-2] = t; continue;
      case DROP: top--; continue;
      case LOAD: *top++ = slots[code[pc++]]; continue;
      case STORE: slots[code[pc++]] = *--top; continue;
      case JNZ: pc = *--top ? code[pc] : pc + 1; continue;
      case LESS: top--, top[-1] = top[-1] < top[0]; continue;
      default: break;
      }
      break;
    }
    sum = sum * 7 + top[-1];
  }
  return sum;
}

int main(int argc, char **argv) {
  static const struct {
    const char *name;
    uint64_t (*run)(int);
  } kernels[] = {{"sha256", sha256}, {"qsort", quicksort}, {"chase", chase}, {"matmul", matmul},
                 {"nbody", nbody},   {"fib", fib},         {"mem", memory},  {"bytecode", bytecode}};
  for (unsigned i = 0; argc == 3 && i < sizeof kernels / sizeof *kernels; i++) {
    if (strcmp(kernels[i].name, argv[1])) continue;
    struct timespec before, after;
    clock_gettime(CLOCK_MONOTONIC, &before);
    uint64_t sum = kernels[i].run(atoi(argv[2]));
    clock_gettime(CLOCK_MONOTONIC, &after);
    double ms = (double)(after.tv_sec - before.tv_sec) * 1e3 + (double)(after.tv_nsec - before.tv_nsec) / 1e6;
    printf("%s %s %llu %.3f\n", argv[1], argv[2], (unsigned long long)sum, ms);
    return 0;
  }
  fprintf(stderr, "usage: kernels sha256|qsort|chase|matmul|nbody|fib|mem|bytecode ROUNDS\n");
  return 2;
}
