/* futex: what futex.c and futex_pi.c share: one kind of waiter, one table of queues. Kernel lock. */
#ifndef TIDEMARK_WAIT_FUTEX_H
#define TIDEMARK_WAIT_FUTEX_H
#include "../mm/mm.h"
#include "wait.h"

extern _Thread_local struct thread *current; /* opaque on this floor */

struct futex_waiter {
  struct wait_entry entry;
  struct mm_futex_key key;
  u32 bitset;
  bool woken;
  bool pi, requeue_pi; /* waits to own the word; waits to be sent on to such a word */
  bool owner_died;     /* pi: the owner ended without unlocking */
  i32 tid, owner;      /* pi: who waits, for whom */
};
extern u32 futex_pi_waiters; /* queued ones, all together */

struct wait_queue *futex_bucket(const struct mm_futex_key *k);
struct wait_queue *futex_bucket_at(u32 index); /* NULL past the last one */
static inline bool futex_same(const struct mm_futex_key *a, const struct mm_futex_key *b) {
  return a->object == b->object && a->offset == b->offset;
}
void futex_wake_waiter(struct futex_waiter *w);
#endif
