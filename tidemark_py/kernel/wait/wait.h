/* wait: parking and waking. One cell per thread; queues hold entries that point to threads (or to a callback).
 * Pattern (Linux' wait_event): under the lock, add entries, test the condition, wait_park(), test again, remove.
 * Data, signals and kill all wake the same cell. futex(2) lives here as well. */
#ifndef TIDEMARK_WAIT_WAIT_H
#define TIDEMARK_WAIT_WAIT_H
#include "../core/core.h"

struct thread;
struct wait_queue {
  struct list entries; /* of wait_entry.link; zeroed memory is NOT valid: wait_queue_init */
};
struct wait_entry {
  struct list link;
  struct thread *thread;  /* whose cell to wake; NULL: call wake() */
  void (*wake)(struct wait_entry *e, u32 events);
  u32 events;             /* interest (POLL*), 0 = any */
  bool queued, fired, exclusive;
  void *data;
  struct list thread_link; /* among the thread's entries while queued: a worker that dies leaves none behind */
};
#define WAIT_FOREVER (~0ull)

void wait_queue_init(struct wait_queue *q);
void wait_add(struct wait_queue *q, struct wait_entry *e);    /* e zeroed by the caller, then thread or wake set */
void wait_remove(struct wait_entry *e);                       /* fine when not queued */
void wait_wake(struct wait_queue *q, u32 events);             /* all non-exclusive and one exclusive entry */
void wait_wake_n(struct wait_queue *q, u32 events, u32 n);    /* at most n entries; returns nothing */
/* Park the current thread until its cell is signalled; the lock is dropped meanwhile and held again on return.
 * deadline: CLOCK_MONOTONIC ns or WAIT_FOREVER. 0 woken (maybe spuriously), -ERESTARTSYS signal or kill pending,
 * -ETIMEDOUT, -EAGAIN for a thread that may not park (attached roles on an event loop). */
int wait_park(u64 deadline_ns);
/* Like wait_park but only kill wakes it early (uninterruptible). */
int wait_park_killable(u64 deadline_ns);
/* one queue, one wake-up: add, park, remove */
int wait_on(struct wait_queue *q, u64 deadline_ns);
int wait_on_killable(struct wait_queue *q); /* for ever, and only a kill ends it early */
void thread_wake(struct thread *t); /* signal a thread's cell; lock held */
struct list *thread_wait_entries(struct thread *t); /* given by task/ */

/* ---- futex(2), wait/futex.c: lock held, own memory ---- */
i64 futex_wait(u64 addr, u32 value, u32 bitset, bool is_private, u64 deadline_ns); /* 0, -EAGAIN, -ETIMEDOUT, -ERESTARTSYS */
i64 futex_wake(u64 addr, u32 count, u32 bitset, bool is_private);
i64 futex_requeue(u64 from, u64 to, u32 wake, u32 move, const u32 *expected, bool is_private, bool to_private);
struct futex_word {
  u64 addr;
  u32 value;
  bool is_private;
};
i64 futex_wait_any(const struct futex_word *words, u32 count, u64 deadline_ns); /* index, or as futex_wait */
/* ---- words that name their owner, wait/futex_pi.c ---- */
i64 futex_lock_pi(u64 addr, i32 tid, bool wait, bool is_private, u64 deadline_ns); /* without wait: -EAGAIN */
i64 futex_unlock_pi(u64 addr, i32 tid, bool is_private);
i64 futex_wait_requeue_pi(u64 addr, u32 value, u64 target, i32 tid, bool is_private, u64 deadline_ns);
i64 futex_cmp_requeue_pi(u64 from, u64 to, u32 wake, u32 move, u32 expected, bool is_private);
void futex_owner_exit(i32 tid); /* a thread ends: what it owns and others wait for goes to them */
bool thread_lives(i32 tid);     /* given by task/ */
i64 futex_wake_op(u64 first, u64 second, u32 wake_first, u32 wake_second, u32 op, bool is_private);
#endif
