/* coremix: an integer mix for measuring interpreters and translators: linked-list work, small matrix products, a
 * character-driven state machine and CRCs over what they produce. Written for this project.
 *
 *   coremix [ROUNDS]      prints "coremix ROUNDS CHECKSUM MILLISECONDS"; the checksum depends on ROUNDS alone
 *
 * Hosted (riscv64, native, WASI): with main(). For wasm32-freestanding only coremix_run(rounds) is exported. */
#include <stddef.h>
#include <stdint.h>

#define NODES 40
#define SIDE 14
#define TEXT_BYTES 640

struct node {
  struct node *next;
  int16_t key, value;
};

static struct node nodes[NODES];
static int16_t matrix_a[SIDE * SIDE], matrix_b[SIDE * SIDE];
static int32_t matrix_c[SIDE * SIDE];
static char text[TEXT_BYTES + 1];

static uint32_t random_state;
static uint32_t random_next(void) {
  random_state = random_state * 1664525u + 1013904223u;
  return random_state >> 8;
}

static uint16_t crc16(uint16_t crc, uint32_t value, int bytes) {
  for (int i = 0; i < bytes; i++, value >>= 8) {
    uint8_t byte = (uint8_t)value;
    for (int bit = 0; bit < 8; bit++, byte >>= 1) {
      unsigned feedback = (crc ^ byte) & 1;
      crc >>= 1;
      if (feedback) crc ^= 0xa001;
    }
  }
  return crc;
}

/* ---- lists ---- */
static struct node *list_make(void) {
  for (int i = 0; i < NODES; i++) {
    nodes[i].next = i + 1 < NODES ? &nodes[i + 1] : NULL;
    nodes[i].key = (int16_t)(random_next() & 0x3f);
    nodes[i].value = (int16_t)i;
  }
  return nodes;
}

static int by_key(const struct node *a, const struct node *b) { return a->key - b->key; }
static int by_value(const struct node *a, const struct node *b) { return a->value - b->value; }

static struct node *list_sort(struct node *list, int (*compare)(const struct node *, const struct node *)) {
  for (int run = 1;; run *= 2) {
    struct node *left = list, *tail = NULL;
    int merges = 0;
    list = NULL;
    while (left) {
      struct node *right = left;
      int left_size = 0, right_size = run;
      merges++;
      while (left_size < run && right) left_size++, right = right->next;
      while (left_size > 0 || (right_size > 0 && right)) {
        struct node *pick;
        if (left_size == 0 || (right_size > 0 && right && compare(left, right) > 0)) pick = right, right = right->next, right_size--;
        else pick = left, left = left->next, left_size--;
        if (tail) tail->next = pick;
        else list = pick;
        tail = pick;
      }
      left = right;
    }
    tail->next = NULL;
    if (merges <= 1) return list;
  }
}

static struct node *list_reverse(struct node *list) {
  struct node *out = NULL;
  while (list) {
    struct node *next = list->next;
    list->next = out;
    out = list;
    list = next;
  }
  return out;
}

static struct node *list_find(struct node *list, int key) {
  while (list && list->key != key) list = list->next;
  return list;
}

static uint16_t list_round(struct node **list, uint16_t crc) {
  int found = 0;
  for (int i = 0; i < 6; i++) {
    struct node *hit = list_find(*list, (int)(random_next() & 0x3f));
    if (hit) found += hit->value, hit->key ^= 5;
  }
  *list = list_reverse(list_sort(*list, by_key));
  crc = crc16(crc, (uint32_t)((*list)->key + found), 2);
  *list = list_sort(*list, by_value);
  for (struct node *n = *list; n; n = n->next) n->key = (int16_t)((n->key * 7 + n->value) & 0x3f);
  return crc16(crc, (uint32_t)(*list)->key, 2);
}

/* ---- matrices ---- */
static uint16_t matrix_round(uint16_t crc, int16_t seed) {
  for (int i = 0; i < SIDE * SIDE; i++) matrix_a[i] = (int16_t)(matrix_a[i] + seed), matrix_b[i] = (int16_t)(matrix_b[i] ^ seed);
  for (int i = 0; i < SIDE; i++)
    for (int j = 0; j < SIDE; j++) {
      int32_t sum = 0;
      for (int k = 0; k < SIDE; k++) {
        int32_t product = matrix_a[i * SIDE + k] * matrix_b[k * SIDE + j];
        sum += ((product >> 2) & 0xf) * ((product >> 5) & 0x7f);
      }
      matrix_c[i * SIDE + j] = sum;
    }
  int32_t total = 0, previous = 0;
  for (int i = 0; i < SIDE * SIDE; i++) {
    total += matrix_c[i] > previous ? 10 : matrix_c[i] & 3;
    previous = matrix_c[i];
  }
  return crc16(crc, (uint32_t)total, 4);
}

/* ---- a scanner of number-like words ---- */
enum state { START, SIGN, INTEGER, FRACTION, EXPONENT, EXPONENT_DIGITS, WORD, BAD, STATES };

static enum state step(enum state state, char c, uint32_t *visits) {
  enum state next = state;
  int digit = c >= '0' && c <= '9';
  switch (state) {
  case START:
    if (digit) next = INTEGER;
    else if (c == '+' || c == '-') next = SIGN;
    else if (c == '.') next = FRACTION;
    else if (c >= 'a' && c <= 'z') next = WORD;
    else if (c != ' ') next = BAD;
    break;
  case SIGN: next = digit ? INTEGER : c == '.' ? FRACTION : BAD; break;
  case INTEGER:
    if (c == '.') next = FRACTION;
    else if (c == 'e') next = EXPONENT;
    else if (!digit) next = BAD;
    break;
  case FRACTION:
    if (c == 'e') next = EXPONENT;
    else if (!digit) next = BAD;
    break;
  case EXPONENT: next = digit || c == '-' ? EXPONENT_DIGITS : BAD; break;
  case EXPONENT_DIGITS: next = digit ? EXPONENT_DIGITS : BAD; break;
  case WORD:
    if (c < 'a' || c > 'z') next = BAD;
    break;
  default: break;
  }
  if (next != state) visits[state]++;
  return next;
}

static void text_make(void) {
  static const char *const words[] = {"12 ", "-3.75 ", "+118 ", "6e5 ", "abc ", ".25e-7 ", "9x ", "tide ", "-.5 ", "77.1e ", "0 ", "? "};
  size_t at = 0;
  while (at < TEXT_BYTES) {
    const char *w = words[random_next() % (sizeof words / sizeof *words)];
    while (*w && at < TEXT_BYTES) text[at++] = *w++;
  }
  text[TEXT_BYTES] = 0;
}

static uint16_t text_round(uint16_t crc, unsigned stride) {
  uint32_t visits[STATES] = {0}, ends[STATES] = {0};
  for (int pass = 0; pass < 2; pass++) {
    enum state state = START;
    for (const char *p = text; *p; p++) {
      if (*p == ' ') ends[state]++, state = START;
      else state = step(state, *p, visits);
    }
    for (size_t i = stride % 7; i < TEXT_BYTES; i += 11 + stride % 5) /* spoil, and put right again in the next pass */
      if (text[i] != ' ') text[i] ^= 1;
  }
  for (int i = 0; i < STATES; i++) crc = crc16(crc, visits[i] ^ ends[i] << 3, 4);
  return crc;
}

uint32_t coremix_run(uint32_t rounds);
#if defined(__wasm__) && !defined(__wasi__)
__attribute__((export_name("coremix_run")))
#endif
uint32_t coremix_run(uint32_t rounds) {
  uint16_t crc = 0xffff;
  uint32_t mix = 0;
  random_state = 20261120;
  struct node *list = list_make();
  for (int i = 0; i < SIDE * SIDE; i++) matrix_a[i] = (int16_t)random_next(), matrix_b[i] = (int16_t)random_next();
  text_make();
  for (uint32_t r = 0; r < rounds; r++) {
    crc = list_round(&list, crc);
    crc = matrix_round(crc, (int16_t)(crc & 0xff));
    crc = text_round(crc, r);
    mix = mix * 31 + crc;
  }
  return mix;
}

#if !defined(__wasm__) || defined(__wasi__)
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int main(int argc, char **argv) {
  uint32_t rounds = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 20000;
  struct timespec a, b;
  clock_gettime(CLOCK_MONOTONIC, &a);
  uint32_t sum = coremix_run(rounds);
  clock_gettime(CLOCK_MONOTONIC, &b);
  printf("coremix %u %08x %ld\n", rounds, sum, (long)((b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000));
  return 0;
}
#endif
