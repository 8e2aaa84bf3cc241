/* Random riscv64 code, run where it was written: fuzz SEED PROGRAMS prints a hash of all registers, fcsr and memory
 * after every few programs. What it prints must not depend on what runs it: an interpreter, a translator, qemu-riscv64
 * (NaN payloads and tininess are the ISA's). Unprivileged ISA 20240411; instructions straight from its tables.
 *
 * A program is a loop of random instructions with branches over some of them. x8 points into the middle of the data
 * (page-crossing and misaligned accesses are frequent), x9 to aligned words for atomics, x31 counts rounds, x30 holds
 * where calls return to. Every program overwrites the one before: fence.i has to be right too. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define CODE ((uint32_t *)0x30000000)
#define DATA ((uint8_t *)0x31000000)
#define DATA_BYTES 12288
#define LENGTH 40
#define ROUNDS 5

static uint64_t seed;
static uint64_t pick(uint64_t n) {
  seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
  return (seed >> 11) % n;
}

/* x, f: 32 words each; f[32] is fcsr. */
void run(void *code, uint64_t *x, uint64_t *f);
#define ALL_X(M) M(6) M(7) M(8) M(9) M(10) M(12) M(13) M(14) M(15) M(16) M(17) M(18) M(19) M(20) M(21) M(22) M(23) \
  M(24) M(25) M(26) M(27) M(28) M(29) M(30) M(31)
#define ALL_F(M) M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7) M(8) M(9) M(10) M(11) M(12) M(13) M(14) M(15) M(16) M(17) \
  M(18) M(19) M(20) M(21) M(22) M(23) M(24) M(25) M(26) M(27) M(28) M(29) M(30) M(31)
#define SAVED_X(M) M(8, 8) M(9, 16) M(18, 24) M(19, 32) M(20, 40) M(21, 48) M(22, 56) M(23, 64) M(24, 72) M(25, 80) \
  M(26, 88) M(27, 96)
#define SAVED_F(M) M(8, 104) M(9, 112) M(18, 120) M(19, 128) M(20, 136) M(21, 144) M(22, 152) M(23, 160) M(24, 168) \
  M(25, 176) M(26, 184) M(27, 192)
#define STR(...) #__VA_ARGS__
#define LD_X(i) "ld x" STR(i) ", 8*" STR(i) "(a1)\n"
#define SD_X(i) "sd x" STR(i) ", 8*" STR(i) "(x5)\n"
#define LD_F(i) "fld f" STR(i) ", 8*" STR(i) "(a2)\n"
#define SD_F(i) "fsd f" STR(i) ", 8*" STR(i) "(x6)\n"
#define PUT_X(r, at) "sd x" STR(r) ", " STR(at) "(sp)\n"
#define GET_X(r, at) "ld x" STR(r) ", " STR(at) "(sp)\n"
#define PUT_F(r, at) "fsd f" STR(r) ", " STR(at) "(sp)\n"
#define GET_F(r, at) "fld f" STR(r) ", " STR(at) "(sp)\n"
__asm__(".text\n.globl run\nrun:\n"
        "addi sp, sp, -240\nsd ra, 0(sp)\nsd a1, 200(sp)\nsd a2, 208(sp)\n" SAVED_X(PUT_X) SAVED_F(PUT_F)
        "mv ra, a0\nld t0, 256(a2)\nfscsr t0\n" ALL_F(LD_F) "ld x5, 40(a1)\n" ALL_X(LD_X) "ld a1, 88(a1)\n"
        "jalr ra, ra\n"
        "sd x5, 216(sp)\nsd x11, 224(sp)\nld x5, 200(sp)\n" ALL_X(SD_X)
        "ld x6, 216(sp)\nsd x6, 40(x5)\nld x6, 224(sp)\nsd x6, 88(x5)\nld x6, 208(sp)\n" ALL_F(SD_F)
        "frcsr x7\nsd x7, 256(x6)\n" SAVED_X(GET_X) SAVED_F(GET_F) "ld ra, 0(sp)\naddi sp, sp, 240\nret\n");

static uint32_t rd(void) { /* not x0-x4, x8, x9, x30, x31, but x0 now and then */
  uint32_t r = (uint32_t)pick(32);
  return r == 0 || (r >= 5 && r != 8 && r != 9 && r < 30) ? r : 10 + r % 8;
}
static uint32_t rs(void) {
  uint32_t r = (uint32_t)pick(32);
  return r >= 1 && r <= 4 ? 11 : r;
}
static uint32_t fr(void) { return (uint32_t)pick(32); }
static uint32_t type_r(uint32_t op, uint32_t f3, uint32_t f7, uint32_t d, uint32_t a, uint32_t b) {
  return f7 << 25 | b << 20 | a << 15 | f3 << 12 | d << 7 | op;
}
static uint32_t type_i(uint32_t op, uint32_t f3, int32_t imm, uint32_t d, uint32_t a) {
  return (uint32_t)imm << 20 | a << 15 | f3 << 12 | d << 7 | op;
}
static uint32_t type_s(uint32_t op, uint32_t f3, int32_t imm, uint32_t a, uint32_t b) {
  return ((uint32_t)imm >> 5 & 127) << 25 | b << 20 | a << 15 | f3 << 12 | ((uint32_t)imm & 31) << 7 | op;
}
static uint32_t type_b(uint32_t f3, int32_t imm, uint32_t a, uint32_t b) {
  uint32_t i = (uint32_t)imm;
  return (i >> 12 & 1) << 31 | (i >> 5 & 63) << 25 | b << 20 | a << 15 | f3 << 12 | (i >> 1 & 15) << 8 | (i >> 11 & 1) << 7 | 0x63;
}
static int32_t offset(void) { return pick(4) ? (int32_t)pick(64) * 8 - 256 : (int32_t)pick(4096) - 2048; }
static uint32_t rounding(void) { return pick(8) ? (pick(2) ? 0 : 7) : (uint32_t)pick(5); }

static uint32_t integer(void) {
  static const uint8_t word[] = {0, 1, 5};
  uint32_t f3 = (uint32_t)pick(8), word_f3 = word[pick(3)];
  switch (pick(8)) {
  case 0: return type_r(0x33, f3, (f3 == 0 || f3 == 5) && pick(2) ? 32 : 0, rd(), rs(), rs());
  case 1: return type_r(0x3b, word_f3, word_f3 != 1 && pick(2) ? 32 : 0, rd(), rs(), rs());
  case 2: return type_r(0x33, f3, 1, rd(), rs(), rs());
  case 3: return type_r(0x3b, f3 == 0 ? 0 : f3 | 4, 1, rd(), rs(), rs());
  case 4: return f3 == 1 || f3 == 5 ? type_i(0x13, f3, (int32_t)pick(64) | (f3 == 5 && pick(2) ? 0x400 : 0), rd(), rs())
                                    : type_i(0x13, f3, (int32_t)pick(4096) - 2048, rd(), rs());
  case 5: return word_f3 ? type_i(0x1b, word_f3, (int32_t)pick(32) | (word_f3 == 5 && pick(2) ? 0x400 : 0), rd(), rs())
                         : type_i(0x1b, 0, (int32_t)pick(4096) - 2048, rd(), rs());
  case 6: return (uint32_t)pick(1u << 20) << 12 | rd() << 7 | (pick(2) ? 0x37 : 0x17);
  default: return type_i(0x13, 0, (int32_t)pick(64) - 32, rd(), rs());
  }
}

static uint32_t memory(void) {
  switch (pick(8)) {
  case 0: case 1: case 2: return type_i(0x03, (uint32_t)pick(7), offset(), rd(), 8);
  case 3: case 4: return type_s(0x23, (uint32_t)pick(4), offset(), 8, rs());
  case 5: return type_i(0x07, 2 + (uint32_t)pick(2), offset(), fr(), 8);
  case 6: return type_s(0x27, 2 + (uint32_t)pick(2), offset(), 8, fr());
  default: {
    static const uint8_t amo[] = {0, 1, 4, 8, 12, 16, 20, 24, 28};
    return type_r(0x2f, 2 + (uint32_t)pick(2), (uint32_t)amo[pick(9)] << 2 | (uint32_t)pick(4), rd(), 9, rs());
  }
  }
}

static uint32_t floating(void) {
  uint32_t wide = pick(4) ? 1 : 0, rm = rounding();
  switch (pick(14)) {
  case 0: case 1: case 2: return type_r(0x53, rm, (uint32_t)pick(4) << 2 | wide, fr(), fr(), fr());
  case 3: return type_r(0x53, rm, 0x2c | wide, fr(), fr(), 0);
  case 4: return type_r(0x53, (uint32_t)pick(3), 0x10 | wide, fr(), fr(), fr());
  case 5: return type_r(0x53, (uint32_t)pick(2), 0x14 | wide, fr(), fr(), fr());
  case 6: return type_r(0x53, (uint32_t)pick(3), 0x50 | wide, rd(), fr(), fr());
  case 7: return type_r(0x53, pick(2) ? 1 : rm, 0x60 | wide, rd(), fr(), (uint32_t)pick(4));
  case 8: return type_r(0x53, rm, 0x68 | wide, fr(), rs(), (uint32_t)pick(4));
  case 9: return wide ? type_r(0x53, rm, 0x21, fr(), fr(), 0) : type_r(0x53, rm, 0x20, fr(), fr(), 1);
  case 10: return type_r(0x53, (uint32_t)pick(2), 0x70 | wide, rd(), fr(), 0);
  case 11: return type_r(0x53, 0, 0x78 | wide, fr(), rs(), 0);
  case 12: return type_i(0x73, 2, 1 + (int32_t)pick(3), rd(), 0); /* read fflags, frm, fcsr */
  default: return fr() << 27 | wide << 25 | fr() << 20 | fr() << 15 | rm << 12 | fr() << 7 | (0x43 + 4 * (uint32_t)pick(4));
  }
}

static void generate(void) {
  uint32_t n = 0, style = (uint32_t)pick(4);
  while (n < LENGTH) {
    uint64_t k = pick(16);
    if (k < 2 && n + 4 < LENGTH) {
      static const uint8_t f3[] = {0, 1, 4, 5, 6, 7};
      CODE[n] = type_b(f3[pick(6)], 4 * (2 + (int32_t)pick(3)), rs(), rs());
    } else if (k == 2 && pick(4) == 0) {
      CODE[n] = pick(2) ? type_i(0x73, 1, 1, 0, rs()) : type_i(0x73, 5, 2, 0, (uint32_t)pick(8) % 5); /* write fflags; frm */
    } else if (k < 6) {
      CODE[n] = memory();
    } else {
      CODE[n] = style < 2 ? integer() : pick(style) ? floating() : integer();
    }
    n++;
  }
  CODE[n] = type_i(0x13, 0, -1, 31, 31), n++;
  CODE[n] = type_b(1, -4 * (int32_t)n, 31, 0), n++;
  CODE[n] = 0x00008067; /* ret */
  __asm__ volatile("fence.i" ::: "memory");
}

static uint64_t value(void) {
  static const uint64_t known[] = {0, 1, ~0ull, 1ull << 63, ~0ull >> 1, 0x7fffffff, 0xffffffff80000000ull, 0xffffffffull,
                                   0x3ff0000000000000ull, 0x7ff0000000000000ull, 0x7ff8000000000000ull, 0x7ff0000000000001ull,
                                   0xfff8000000000000ull, 0x0010000000000000ull, 0x000fffffffffffffull, 0x7fefffffffffffffull,
                                   0xffffffff3f800000ull, 0xffffffff7f800000ull, 0xffffffff7fc00000ull, 0xffffffff00800000ull,
                                   0xffffffff00000001ull, 0xffffffffff7fffffull, 0x8000000000000000ull, 0xffffffff80000000ull};
  switch (pick(5)) {
  case 0: return known[pick(sizeof known / sizeof *known)];
  case 1: return pick(1000);
  case 2: { /* a double of ordinary size */
    double d = (double)(int64_t)pick(2000000) / 1000 - 1000;
    uint64_t bits;
    memcpy(&bits, &d, 8);
    return bits;
  }
  case 3: {
    float d = (float)(int64_t)pick(2000000) / 1000 - 1000;
    uint32_t bits;
    memcpy(&bits, &d, 4);
    return bits | 0xffffffff00000000ull;
  }
  default: return pick(~0ull) << 11 ^ pick(~0ull);
  }
}

int main(int argc, char **argv) {
  uint64_t x[32] = {0}, f[33], hash = 14695981039346656037ull;
  int programs = argc > 2 ? atoi(argv[2]) : 100, line = argc > 3 ? atoi(argv[3]) : 20;
  seed = 88172645463325252ull + (argc > 1 ? strtoull(argv[1], NULL, 0) : 1) * 7919;
  if (mmap(CODE, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED ||
      mmap(DATA, DATA_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
    return 1;
  for (int p = 1; p <= programs; p++) {
    generate();
    for (int i = 0; i < DATA_BYTES / 8; i++) ((uint64_t *)DATA)[i] = value();
    for (int i = 5; i < 32; i++) x[i] = value();
    for (int i = 0; i < 32; i++) f[i] = value();
    f[32] = pick(4) ? 1 : pick(32) | pick(5) << 5; /* mostly: nearest, NX set already */
    x[8] = (uint64_t)(uintptr_t)(DATA + 4096), x[9] = (uint64_t)(uintptr_t)(DATA + 8192), x[31] = ROUNDS;
    run(CODE, x, f);
    for (int i = 5; i < 32; i++) hash = (hash ^ x[i]) * 1099511628211ull;
    for (int i = 0; i < 33; i++) hash = (hash ^ f[i]) * 1099511628211ull;
    for (int i = 0; i < DATA_BYTES / 8; i++) hash = (hash ^ ((uint64_t *)DATA)[i]) * 1099511628211ull;
    if (p % line == 0) printf("%d %016llx\n", p, (unsigned long long)hash);
  }
  return 0;
}
