/* queue: bounded queues between workers without locks (layouts.toml: shared_queue). One implementation for the kernel's
 * events and traces, guests' stdio, and what pages and Python queue; of byte records:
 *   SPSC  one producer, one consumer: both wait-free. The producer writes, then moves `tail`.
 *   MPSC  many producers: each takes its place by moving `tail` (lock-free), writes, then marks the record whole; the
 *         consumer takes records in the order of their places and stops at one that is not whole. It wipes what it took,
 *         so that a head of a former lap is never taken for a new one.
 * Back-pressure: a full queue takes nothing (NULL) and the producer says what follows: count it as lost, come again, or
 * sleep on `popped` until the consumer has taken something. No record is half there, none overtakes another.
 * The third kind has no records: a stream of bytes (below), which pipes and terminals are, an SPSC queue whose ends the
 * kernel lock gives to one thread at a time, many as may have them open. What a terminal's line is typed into is no queue:
 * it is edited from behind (tty/ldisc.c). A frame channel keeps the newest only (ipc/frame.c).
 * A producer must not die between queue_begin and queue_end of an MPSC queue: no worker is ended inside the kernel.
 *
 * The same in JavaScript: js_shim/queue.js; every interleaving of this file: tests/kernel/queue_test.c, which defines
 * QUEUE_STEP. Depends on nothing but core.h's types, so that it may be compiled alone. */
#ifndef TIDEMARK_CORE_QUEUE_H
#define TIDEMARK_CORE_QUEUE_H
#ifndef QUEUE_STEP
#define QUEUE_STEP() ((void)0)
#endif

#ifndef QUEUE_WAIT /* sleep while *word == seen; wake all who do */
#define QUEUE_WAIT(word, seen) ((void)host_wait32(word, seen, -1))
#define QUEUE_WAKE(word) host_wake32(word, ~0u)
#endif

#define QUEUE_RECORD_BYTES(bytes) ((((bytes) + (QUEUE_ALIGN - 1)) & ~(QUEUE_ALIGN - 1)) + QUEUE_HEAD_BYTES)

static inline u32 queue_load(const u32 *word) {
  QUEUE_STEP();
  return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}
static inline void queue_store(u32 *word, u32 value) {
  QUEUE_STEP();
  __atomic_store_n(word, value, __ATOMIC_SEQ_CST);
}
static inline void queue_add(u32 *word, u32 n) {
  QUEUE_STEP();
  __atomic_add_fetch(word, n, __ATOMIC_SEQ_CST);
}
/* A word that nobody else looks at before a later store or add lets them. */
static inline void queue_put(u32 *word, u32 value) {
  QUEUE_STEP();
  *word = value;
}

static inline u8 *queue_bytes(struct shared_queue *q) { return (u8 *)(q + 1); }
static inline u32 *queue_head_at(struct shared_queue *q, u32 position) {
  return (u32 *)(void *)(queue_bytes(q) + (position & (q->capacity - 1)));
}

/* `memory` has sizeof(struct shared_queue) + capacity bytes, 8-aligned; capacity is a power of two. */
static inline void queue_init(struct shared_queue *memory, u32 capacity, bool many) {
  memset(memory, 0, sizeof *memory + (many ? capacity : 0));
  memory->capacity = capacity, memory->many = many;
}

/* Bytes between its ends, heads and padding with them. */
static inline u32 queue_used(const struct shared_queue *q) { return queue_load(&q->tail) - queue_load(&q->head); }

/* The largest record that an empty queue always has room for: what does not wrap. */
static inline u32 queue_most(const struct shared_queue *q) { return q->capacity / 2 - QUEUE_HEAD_BYTES; }

/* Room for `bytes` of a record, or NULL: full, or more than queue_most(). Then write them and call queue_end. */
static inline u8 *queue_begin(struct shared_queue *q, u32 bytes) {
  if (bytes > queue_most(q)) return NULL;
  u32 record = QUEUE_RECORD_BYTES(bytes), tail = queue_load(&q->tail);
  for (;;) {
    u32 left = q->capacity - (tail & (q->capacity - 1)), skip = left < record ? left : 0;
    if (tail + skip + record - queue_load(&q->head) > q->capacity) {
      if (!q->many) return NULL;
      u32 now = queue_load(&q->tail);
      if (now == tail) return NULL;
      tail = now; /* another producer was quicker, and head belongs to what came later */
      continue;
    }
    if (q->many) {
      QUEUE_STEP();
      if (!__atomic_compare_exchange_n(&q->tail, &tail, tail + skip + record, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) continue;
      if (skip) queue_store(queue_head_at(q, tail), QUEUE_PAD | skip);
    } else if (skip) {
      queue_put(queue_head_at(q, tail), QUEUE_PAD | skip);
    }
    return queue_bytes(q) + ((tail + skip) & (q->capacity - 1)) + QUEUE_HEAD_BYTES;
  }
}

/* What queue_begin gave is whole; wakes the consumer where it sleeps. */
static inline void queue_end(struct shared_queue *q, u8 *record, u32 bytes) {
  u32 *head = (u32 *)(void *)(record - QUEUE_HEAD_BYTES);
  if (q->many) {
    queue_store(head, QUEUE_COMMITTED | bytes);
  } else {
    u32 tail = q->tail, skip = ((u32)((u8 *)head - queue_bytes(q)) - tail) & (q->capacity - 1);
    queue_put(head, QUEUE_COMMITTED | bytes);
    queue_store(&q->tail, tail + skip + QUEUE_RECORD_BYTES(bytes));
  }
  if (!queue_load(&q->consumer_waits)) return;
  queue_add(&q->pushed, 1);
  QUEUE_WAKE(&q->pushed);
}

/* The oldest record and its length, or NULL. It stays until queue_pop. */
static inline const u8 *queue_front(struct shared_queue *q, u32 *bytes) {
  u32 head = q->head; /* ours */
  for (;;) {
    if (!q->many && queue_load(&q->tail) == head) return NULL;
    u32 *at = queue_head_at(q, head), value = q->many ? queue_load(at) : *at;
    if (value & QUEUE_PAD) {
      if (q->many) queue_put(at, 0);
      head += value & ~QUEUE_PAD;
      queue_store(&q->head, head);
      continue;
    }
    if (!(value & QUEUE_COMMITTED)) return NULL;
    *bytes = value & ~QUEUE_COMMITTED;
    return (u8 *)at + QUEUE_HEAD_BYTES;
  }
}

/* Done with the front; wakes producers where they sleep. */
static inline void queue_pop(struct shared_queue *q) {
  u32 head = q->head, *at = queue_head_at(q, head), record = QUEUE_RECORD_BYTES(*at & ~QUEUE_COMMITTED);
  if (q->many) {
    QUEUE_STEP();
    memset(at, 0, record);
  }
  queue_store(&q->head, head + record);
  if (!queue_load(&q->producer_waits)) return;
  queue_add(&q->popped, 1);
  QUEUE_WAKE(&q->popped);
}

/* The same, asleep until there is one. `pushed` is read before the look: what comes between changes it. */
static inline const u8 *queue_front_wait(struct shared_queue *q, u32 *bytes) {
  const u8 *record = queue_front(q, bytes);
  if (record) return record;
  queue_store(&q->consumer_waits, 1);
  for (;;) {
    u32 seen = queue_load(&q->pushed);
    if ((record = queue_front(q, bytes))) break;
    QUEUE_WAIT(&q->pushed, seen);
  }
  queue_store(&q->consumer_waits, 0);
  return record;
}

/* Asleep until there is room; NULL only for what no queue of this size takes. */
static inline u8 *queue_begin_wait(struct shared_queue *q, u32 bytes) {
  u8 *record = queue_begin(q, bytes);
  if (record || bytes > queue_most(q)) return record;
  queue_add(&q->producer_waits, 1);
  for (;;) {
    u32 seen = queue_load(&q->popped);
    if ((record = queue_begin(q, bytes))) break;
    QUEUE_WAIT(&q->popped, seen);
  }
  queue_add(&q->producer_waits, ~0u);
  return record;
}

/* ---- streams: the same words for bytes without records, as stdio is. One producer, one consumer, both wait-free; a queue
 * made with many = false, used by these alone. Pieces are what lies in one row, so two may be needed for all. Nobody sleeps
 * here: whose stream it is has wait queues for that. ---- */

/* Where the next bytes go, and how many fit there; 0: full. Then write some of them and say so. */
static inline u8 *stream_space(struct shared_queue *q, u32 *bytes) {
  u32 tail = q->tail; /* ours */
  u32 at = tail & (q->capacity - 1), room = q->capacity - (tail - queue_load(&q->head));
  *bytes = MIN(room, q->capacity - at);
  return queue_bytes(q) + at;
}
static inline void stream_wrote(struct shared_queue *q, u32 bytes) { queue_store(&q->tail, q->tail + bytes); }

/* The bytes from the `skip`th oldest on, and how many lie there in a row; 0: there are no more. */
static inline const u8 *stream_bytes(struct shared_queue *q, u32 skip, u32 *bytes) {
  u32 head = q->head; /* ours */
  u32 used = queue_load(&q->tail) - head, at = (head + skip) & (q->capacity - 1);
  *bytes = skip < used ? MIN(used - skip, q->capacity - at) : 0;
  return queue_bytes(q) + at;
}
static inline void stream_read(struct shared_queue *q, u32 bytes) { queue_store(&q->head, q->head + bytes); }

/* The producer takes back what it put last, of bytes that the consumer has not taken: who holds both ends knows them. */
static inline void stream_drop_newest(struct shared_queue *q, u32 bytes) { queue_store(&q->tail, q->tail - bytes); }

/* Who holds both ends may begin at the start of its bytes again, so that what comes next lies in one row. */
static inline void stream_rewind(struct shared_queue *q) { q->head = q->tail = 0; }

/* Up to `bytes` of them copied, not taken. */
static inline u32 stream_peek(struct shared_queue *q, u8 *to, u32 bytes) {
  u32 done = 0, n;
  for (const u8 *from; done < bytes && (from = stream_bytes(q, done, &n), n); done += MIN(n, bytes - done))
    memcpy(to + done, from, MIN(n, bytes - done));
  return done;
}
/* All of them, or as many as fit. */
static inline u32 stream_put(struct shared_queue *q, const u8 *from, u32 bytes) {
  u32 done = 0, n;
  for (u8 *to; done < bytes && (to = stream_space(q, &n), n);) {
    n = MIN(n, bytes - done);
    memcpy(to, from + done, n);
    stream_wrote(q, n);
    done += n;
  }
  return done;
}
#endif
