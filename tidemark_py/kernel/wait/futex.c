/* futex(2): waiters keyed by the word's identity (mm_futex_key), in hashed queues; one lock, the kernel's.
 *
 * A waiter compares the word under the lock and queues itself before the lock is dropped, a waker takes the lock after
 * its store: no wake-up is lost. Called by sys/futex.c and at thread exit. Missing: priority inheritance. */
#include "../mm/mm.h"
#include "wait.h"

extern _Thread_local struct thread *current; /* opaque on this floor */

struct futex_waiter {
  struct wait_entry entry;
  struct mm_futex_key key;
  u32 bitset;
  bool woken;
};
#define BUCKETS 256u
static struct wait_queue buckets[BUCKETS];

static struct wait_queue *bucket_of(const struct mm_futex_key *k) {
  u64 h = (k->object ^ (k->offset >> 2)) * 0x9e3779b97f4a7c15ull;
  struct wait_queue *q = &buckets[(u32)(h >> 32) % BUCKETS];
  if (!q->entries.next) wait_queue_init(q);
  return q;
}
static bool same(const struct mm_futex_key *a, const struct mm_futex_key *b) {
  return a->object == b->object && a->offset == b->offset;
}

i64 futex_wait(u64 addr, u32 value, u32 bitset, bool is_private, u64 deadline_ns) {
  if (!bitset) return -EINVAL;
  struct futex_waiter w = {.bitset = bitset};
  u32 now;
  int r = mm_futex_key(addr, is_private, &w.key);
  if (r || (r = user_load32(addr, &now))) return r;
  if (now != value) return -EAGAIN;
  w.entry.thread = current, w.entry.data = &w;
  wait_add(bucket_of(&w.key), &w.entry);
  while (!w.woken) {
    r = wait_park(deadline_ns);
    if (r) break;
  }
  wait_remove(&w.entry);
  return w.woken ? 0 : r;
}

static void wake_one(struct futex_waiter *w) {
  w->woken = true;
  struct thread *t = w->entry.thread;
  wait_remove(&w->entry);
  thread_wake(t);
}

static i64 wake_key(const struct mm_futex_key *key, u32 count, u32 bitset) {
  i64 woken = 0;
  LIST_FOR(e, &bucket_of(key)->entries, struct wait_entry, link) {
    if ((u64)woken >= count) break;
    struct futex_waiter *w = e->data;
    if (!same(&w->key, key) || !(w->bitset & bitset)) continue;
    wake_one(w);
    woken++;
  }
  return woken;
}

i64 futex_wake(u64 addr, u32 count, u32 bitset, bool is_private) {
  if (!bitset) return -EINVAL;
  struct mm_futex_key key;
  int r = mm_futex_key(addr, is_private, &key);
  return r ? r : wake_key(&key, count, bitset);
}

i64 futex_requeue(u64 from, u64 to, u32 wake, u32 move, const u32 *expected, bool is_private) {
  struct mm_futex_key a, b;
  u32 now;
  int r = mm_futex_key(from, is_private, &a);
  if (r || (r = mm_futex_key(to, is_private, &b))) return r;
  if (expected) {
    if ((r = user_load32(from, &now))) return r;
    if (now != *expected) return -EAGAIN;
  }
  i64 woken = wake_key(&a, wake, UINT32_MAX), moved = 0;
  struct wait_queue *target = bucket_of(&b);
  if (!same(&a, &b))
    LIST_FOR(e, &bucket_of(&a)->entries, struct wait_entry, link) {
      if ((u64)moved >= move) break;
      struct futex_waiter *w = e->data;
      if (!same(&w->key, &a)) continue;
      wait_remove(e);
      w->key = b;
      wait_add(target, e);
      moved++;
    }
  return expected ? woken + moved : woken;
}

i64 futex_wake_op(u64 first, u64 second, u32 wake_first, u32 wake_second, u32 op, bool is_private) {
  static const enum mm_atomic kinds[] = {MM_ATOMIC_SWAP, MM_ATOMIC_ADD, MM_ATOMIC_OR, MM_ATOMIC_AND, MM_ATOMIC_XOR};
  struct mm_futex_key a, b;
  int r = mm_futex_key(first, is_private, &a);
  if (r || (r = mm_futex_key(second, is_private, &b))) return r;
  u32 kind = (op >> 28) & 7, compare = (op >> 24) & 15, old;
  u32 operand = (u32)((i32)(op << 8) >> 20), against = (u32)((i32)(op << 20) >> 20);
  if ((op >> 31) & 1) operand = 1u << (operand & 31); /* FUTEX_OP_OPARG_SHIFT */
  if (kind >= ARRAY_LEN(kinds) || compare > 5) return -ENOSYS;
  if (kind == 3) operand = ~operand; /* FUTEX_OP_ANDN */
  if ((r = user_atomic32(second, kinds[kind], operand, 0, &old))) return r;
  i32 left = (i32)old, right = (i32)against;
  bool also = compare == 0   ? left == right
              : compare == 1 ? left != right
              : compare == 2 ? left < right
              : compare == 3 ? left <= right
              : compare == 4 ? left > right
                             : left >= right;
  i64 woken = wake_key(&a, wake_first, UINT32_MAX);
  return woken + (also ? wake_key(&b, wake_second, UINT32_MAX) : 0);
}
