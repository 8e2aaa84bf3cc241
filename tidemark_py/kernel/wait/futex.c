/* futex(2): waiters keyed by the word's identity (mm_futex_key), in hashed queues; one lock, the kernel's.
 *
 * A waiter compares the word under the lock and queues itself before the lock is dropped, a waker takes the lock after
 * its store: no wake-up is lost. Called by sys/futex.c and at thread exit. Words with owners: futex_pi.c. */
#include "futex.h"

#define BUCKETS 256u
static struct wait_queue buckets[BUCKETS];

struct wait_queue *futex_bucket_at(u32 index) { return index < BUCKETS ? &buckets[index] : NULL; }

struct wait_queue *futex_bucket(const struct mm_futex_key *k) {
  u64 h = (k->object ^ (k->offset >> 2)) * 0x9e3779b97f4a7c15ull;
  struct wait_queue *q = &buckets[(u32)(h >> 32) % BUCKETS];
  if (!q->entries.next) wait_queue_init(q);
  return q;
}

i64 futex_wait(u64 addr, u32 value, u32 bitset, bool is_private, u64 deadline_ns) {
  if (!bitset) return -EINVAL;
  struct futex_waiter w = {.bitset = bitset};
  u32 now;
  int r = mm_futex_key(addr, is_private, &w.key);
  if (r || (r = user_load32(addr, &now))) return r;
  if (now != value) return -EAGAIN;
  w.entry.thread = current, w.entry.data = &w;
  wait_add(futex_bucket(&w.key), &w.entry);
  while (!w.woken) {
    r = wait_park(deadline_ns);
    if (r) break;
  }
  wait_remove(&w.entry);
  return w.woken ? 0 : r;
}

void futex_wake_waiter(struct futex_waiter *w) {
  w->woken = true;
  struct thread *t = w->entry.thread;
  wait_remove(&w->entry);
  thread_wake(t);
}

/* The first of several words to be woken: its index. */
i64 futex_wait_any(const struct futex_word *words, u32 count, u64 deadline_ns) {
  struct futex_waiter *w = kzalloc(count * sizeof *w);
  if (!w) return -ENOMEM;
  i64 r = 0;
  for (u32 i = 0; !r && i < count; i++) r = mm_futex_key(words[i].addr, words[i].is_private, &w[i].key);
  for (u32 i = 0; !r && i < count; i++) {
    u32 now;
    if (!(r = user_load32(words[i].addr, &now)) && now != words[i].value) r = -EAGAIN;
  }
  for (u32 i = 0; !r && i < count; i++) {
    w[i].bitset = UINT32_MAX, w[i].entry.thread = current, w[i].entry.data = &w[i];
    wait_add(futex_bucket(&w[i].key), &w[i].entry);
  }
  i64 woken = -1;
  while (!r) {
    for (u32 i = 0; i < count && woken < 0; i++)
      if (w[i].woken) woken = i;
    if (woken >= 0) break;
    r = wait_park(deadline_ns);
  }
  for (u32 i = 0; i < count; i++) { /* a wake-up that came with a time-out or signal counts */
    wait_remove(&w[i].entry);
    if (w[i].woken && woken < 0) woken = i;
  }
  kfree(w);
  return woken >= 0 ? woken : r;
}

static i64 wake_key(const struct mm_futex_key *key, u32 count, u32 bitset) {
  i64 woken = 0;
  LIST_FOR(e, &futex_bucket(key)->entries, struct wait_entry, link) {
    if ((u64)woken >= count) break;
    struct futex_waiter *w = e->data;
    if (!futex_same(&w->key, key) || !(w->bitset & bitset)) continue;
    if (w->pi || w->requeue_pi) return woken ? woken : -EINVAL;
    futex_wake_waiter(w);
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

i64 futex_requeue(u64 from, u64 to, u32 wake, u32 move, const u32 *expected, bool is_private, bool to_private) {
  struct mm_futex_key a, b;
  u32 now;
  int r = mm_futex_key(from, is_private, &a);
  if (r || (r = mm_futex_key(to, to_private, &b))) return r;
  if (expected) {
    if ((r = user_load32(from, &now))) return r;
    if (now != *expected) return -EAGAIN;
  }
  i64 woken = wake_key(&a, wake, UINT32_MAX), moved = 0;
  if (woken < 0) return woken;
  struct wait_queue *target = futex_bucket(&b);
  if (!futex_same(&a, &b))
    LIST_FOR(e, &futex_bucket(&a)->entries, struct wait_entry, link) {
      if ((u64)moved >= move) break;
      struct futex_waiter *w = e->data;
      if (!futex_same(&w->key, &a)) continue;
      if (w->pi || w->requeue_pi) return -EINVAL;
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
