/* Every interleaving of core/queue.h: producers and a consumer are coroutines that stop before each shared access; the
 * explorer takes each of them from each state, remembers the states it has seen (shared bytes, each one's registers and
 * live stack), and goes on until there is no new one. Checked: records whole, each producer's in order, none lost or
 * doubled, nobody asleep while there is something to do.
 * queue_test SCENARIO: prints how many states there were. x86-64 and aarch64 Linux. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <ucontext.h>
/* the same numbers, from the tables */
#undef RENAME_NOREPLACE
#undef RENAME_EXCHANGE
#undef RENAME_WHITEOUT
#undef WNOWAIT
#undef __WCLONE
#include "../../tidemark_py/kernel/core/core.h"

static void step(void);
static void wait_on(u32 *word, u32 seen);
static void wake(const u32 *word);
#define QUEUE_STEP() step()
#define QUEUE_WAIT(word, seen) wait_on(word, seen)
#define QUEUE_WAKE(word) wake(word)
#include "../../tidemark_py/kernel/core/queue.h"

#define MOST_THREADS 4
#define STACK_BYTES 2048
#define RING_BYTES 64u
#define MOST_RECORDS 4

static const struct scenario {
  const char *name;
  u32 producers, records, bytes[MOST_RECORDS]; /* of record n of each producer */
  bool waits;                                 /* producers sleep when it is full; else they give the record up */
  u32 start;                                  /* where the counters begin: near their end, too */
  bool stream;                                /* no records: bytes */
} scenarios[] = {
    {"spsc-waiting", 1, 4, {8, 16, 24, 4}, true, 0, false},
    {"spsc-losing", 1, 4, {8, 24, 24, 12}, false, 0xFFFFFFC0u, false},
    {"mpsc-waiting", 2, 2, {20, 8}, true, 0xFFFFFFD8u, false},
    {"mpsc-losing", 2, 2, {24, 12}, false, 0, false},
    {"mpsc-three", 3, 1, {16}, true, 0xFFFFFFF0u, false},
    {"stream", 1, 4, {40, 8, 56, 3}, false, 0xFFFFFFD0u, true},
};
static const struct scenario *scenario;

/* All that a state is. */
static struct world {
  _Alignas(64) struct shared_queue queue;
  u8 ring[RING_BYTES];
  bool done[MOST_THREADS];
  const u32 *asleep[MOST_THREADS];
  u32 given_up[MOST_THREADS], taken[MOST_THREADS]; /* bit n: record n */
  ucontext_t context[MOST_THREADS];
  _Alignas(16) u8 stack[MOST_THREADS][STACK_BYTES];
} world;
static ucontext_t explorer;
static u32 running;

static void step(void) { swapcontext(&world.context[running], &explorer); }
static void wait_on(u32 *word, u32 seen) {
  step();
  if (*word != seen) return;
  world.asleep[running] = word;
  swapcontext(&world.context[running], &explorer);
}
static void wake(const u32 *word) {
  step();
  for (u32 i = 0; i < MOST_THREADS; i++)
    if (world.asleep[i] == word) world.asleep[i] = NULL;
}
static void check(bool right, const char *what) {
  if (right) return;
  printf("%s: %s\n", scenario->name, what);
  exit(1);
}

/* A record: its producer, its number, then bytes that say the same; written and read in two halves. */
static u8 byte_of(u32 producer, u32 number, u32 at) { return (u8)(producer << 6 | number << 4 | (at & 15)); }

static void produce(u32 me) {
  for (u32 n = 0; n < scenario->records; n++) {
    u32 bytes = scenario->bytes[n];
    u8 *to = scenario->waits ? queue_begin_wait(&world.queue, bytes) : queue_begin(&world.queue, bytes);
    if (!to) {
      queue_add(&world.queue.lost, 1);
      world.given_up[me] |= 1u << n;
      continue;
    }
    for (u32 i = 0; i < bytes; i++) {
      if (i == bytes / 2) step();
      to[i] = byte_of(me, n, i);
    }
    queue_end(&world.queue, to, bytes);
  }
}

static bool all_taken(void) {
  for (u32 p = 1; p <= scenario->producers; p++)
    if ((world.taken[p] | world.given_up[p]) != (1u << scenario->records) - 1) return false;
  return true;
}

static bool producers_done(void) {
  for (u32 p = 1; p <= scenario->producers; p++)
    if (!world.done[p]) return false;
  return true;
}

static void consume(void) {
  u32 left = scenario->producers * scenario->records;
  while (left) {
    u32 bytes;
    const u8 *record = scenario->waits ? queue_front_wait(&world.queue, &bytes) : queue_front(&world.queue, &bytes);
    if (!record) {
      if (producers_done() && !queue_front(&world.queue, &bytes)) break;
      continue;
    }
    u32 producer = record[0] >> 6, number = record[0] >> 4 & 3;
    check(producer >= 1 && producer <= scenario->producers && number < scenario->records, "a record of nobody");
    check(bytes == scenario->bytes[number], "a wrong length");
    for (u32 i = 0; i < bytes; i++) {
      if (i == bytes / 2) step();
      check(record[i] == byte_of(producer, number, i), "torn");
    }
    check(world.taken[producer] >> number == 0, "out of order or twice");
    world.taken[producer] |= 1u << number;
    queue_pop(&world.queue);
    left--;
  }
}

/* Byte n of a stream. */
static u8 stream_byte(u32 n) { return (u8)(n * 5 + 1); }

static void produce_stream(void) {
  u32 put = 0;
  for (u32 n = 0; n < scenario->records; n++)
    for (u32 left = scenario->bytes[n], room; left;) {
      u8 *to = stream_space(&world.queue, &room);
      room = MIN(room, left);
      for (u32 i = 0; i < room; i++) {
        if (i == room / 2) step();
        to[i] = stream_byte(put++);
      }
      if (room) stream_wrote(&world.queue, room);
      left -= room;
    }
  world.taken[1] = (1u << scenario->records) - 1;
}

static void consume_stream(void) {
  u32 total = 0, n;
  for (u32 i = 0; i < scenario->records; i++) total += scenario->bytes[i];
  for (u32 got = 0; got < total;) {
    const u8 *from = stream_bytes(&world.queue, 0, &n);
    for (u32 i = 0; i < n; i++) {
      if (i == n / 2) step();
      check(from[i] == stream_byte(got++), "a byte that was not put there");
    }
    if (n) stream_read(&world.queue, n);
  }
  check((stream_bytes(&world.queue, 0, &n), n) == 0, "bytes that nobody put");
}

static void run(u32 me) {
  if (scenario->stream) me ? produce_stream() : consume_stream();
  else if (me) produce(me);
  else consume();
  world.done[me] = true;
  for (;;) swapcontext(&world.context[me], &explorer);
}

static u64 mix(u64 h, const void *data, size_t bytes) {
  const u8 *p = data;
  u64 word;
  for (; bytes >= 8; bytes -= 8, p += 8) memcpy(&word, p, 8), h = (h ^ word) * 0x9E3779B97F4A7C15ull, h ^= h >> 29;
  for (; bytes; bytes--) h = (h ^ *p++) * 0x100000001B3ull;
  return h;
}

/* Two hashes of 64 bits: what counts of a state. Below its stack pointer a coroutine has nothing. */
static void digest(u64 out[2]) {
  for (u32 round = 0; round < 2; round++) {
    u64 h = round ? 0xD6E8FEB86659FD93ull : 0xA0761D6478BD642Full;
    h = mix(h, &world, offsetof(struct world, context));
    for (u32 i = 0; i <= scenario->producers; i++) {
      const mcontext_t *m = &world.context[i].uc_mcontext;
#if defined(__x86_64__)
      const int kept[] = {REG_RBX, REG_RBP, REG_RSP, REG_RIP, REG_R12, REG_R13, REG_R14, REG_R15, REG_RDI};
      for (size_t k = 0; k < sizeof kept / sizeof *kept; k++) h = mix(h, &m->gregs[kept[k]], 8);
      u64 sp = (u64)m->gregs[REG_RSP];
#elif defined(__aarch64__)
      h = mix(h, &m->regs[19], 12 * 8);
      u64 sp = m->sp;
#else
#error "which registers a call keeps"
#endif
      const u8 *from = (const u8 *)(uintptr_t)sp, *end = world.stack[i] + STACK_BYTES;
      check(from > world.stack[i] && from < end, "a stack ran over");
      h = mix(h, from, (size_t)(end - from));
    }
    out[round] = h;
  }
}

#define SEEN_SIZE (1u << 24)
static u64 (*seen)[2];
static u32 states;
static bool is_new(void) {
  u64 d[2];
  digest(d);
  d[0] |= 1;
  u32 at = (u32)(d[0] >> 20) & (SEEN_SIZE - 1);
  for (; seen[at][0]; at = (at + 1) & (SEEN_SIZE - 1))
    if (seen[at][0] == d[0] && seen[at][1] == d[1]) return false;
  memcpy(seen[at], d, sizeof d);
  check(++states < SEEN_SIZE / 2, "too many states");
  return true;
}

int main(int argc, char **argv) {
  for (size_t i = 0; argc == 2 && i < sizeof scenarios / sizeof *scenarios; i++)
    if (!strcmp(argv[1], scenarios[i].name)) scenario = &scenarios[i];
  if (!scenario) return fprintf(stderr, "usage: queue_test SCENARIO\n"), 2;
  seen = calloc(SEEN_SIZE, sizeof *seen);
  u32 depth = 0, room = 256;
  struct world *stack = malloc(room * sizeof *stack);
  if (!seen || !stack) return perror("queue_test"), 2;
  queue_init(&world.queue, RING_BYTES, scenario->producers > 1);
  world.queue.head = world.queue.tail = scenario->start;
  for (u32 i = 0; i <= scenario->producers; i++) {
    getcontext(&world.context[i]);
    world.context[i].uc_stack.ss_sp = world.stack[i], world.context[i].uc_stack.ss_size = STACK_BYTES;
    makecontext(&world.context[i], (void (*)(void))run, 1, i);
  }
  is_new();
  stack[depth++] = world;
  u32 ends = 0, full = 0;
  while (depth) {
    struct world from = stack[--depth];
    bool any = false, over = true;
    for (u32 i = 0; i <= scenario->producers; i++) {
      over = over && from.done[i];
      if (from.done[i] || from.asleep[i]) continue;
      any = true;
      memcpy(&world, &from, sizeof world);
      running = i;
      swapcontext(&explorer, &world.context[i]);
      if (!is_new()) continue;
      if (depth == room && !(stack = realloc(stack, (room *= 2) * sizeof *stack))) return perror("queue_test"), 2;
      stack[depth++] = world;
    }
    memcpy(&world, &from, sizeof world);
    check(any || over, "all asleep: a wake-up was lost");
    if (over) ends++, full += world.queue.lost != 0, check(all_taken(), "a record is missing");
  }
  check(ends > 0, "no end was reached");
  printf("%s: %u states, %u ends, %u with records given up\n", scenario->name, states, ends, full);
  return 0;
}
