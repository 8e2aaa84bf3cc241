/* wait: queues of those who wait for something. Parking itself needs the running thread: task/park.c.
 *
 * Owns the entries' links; the entries belong to their callers (mostly on the stack of a parked thread). An entry that
 * names a thread is also on that thread's own list, so that a worker that dies leaves no entry behind. Lock held. */
#include "wait.h"

void wait_queue_init(struct wait_queue *q) { list_init(&q->entries); }

void wait_add(struct wait_queue *q, struct wait_entry *e) {
  ASSERT_LOCKED();
  kassert(!e->queued);
  list_add_tail(&q->entries, &e->link);
  if (e->thread) list_add_tail(thread_wait_entries(e->thread), &e->thread_link);
  else list_init(&e->thread_link);
  e->queued = true, e->fired = false;
}

void wait_remove(struct wait_entry *e) {
  if (!e->queued) return;
  ASSERT_LOCKED();
  list_remove(&e->link);
  list_remove(&e->thread_link);
  e->queued = false;
}

/* Exclusive entries stop the walk once `exclusive` of them were woken; each entry woken counts towards `n`. */
static void wake(struct wait_queue *q, u32 events, u32 n, u32 exclusive) {
  ASSERT_LOCKED();
  LIST_FOR(e, &q->entries, struct wait_entry, link) {
    if (events && e->events && !(events & e->events)) continue;
    bool one = e->exclusive;
    if (one && !exclusive) continue;
    e->fired = true;
    if (e->thread) thread_wake(e->thread);
    else e->wake(e, events);
    if (one) exclusive--;
    if (--n == 0) return;
  }
}

void wait_wake(struct wait_queue *q, u32 events) { wake(q, events, UINT32_MAX, 1); }
void wait_wake_n(struct wait_queue *q, u32 events, u32 n) {
  if (n) wake(q, events, n, n);
}
