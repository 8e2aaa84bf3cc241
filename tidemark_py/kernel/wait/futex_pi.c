/* futex_pi: the futexes whose word names its owner (futex(2), "Priority-inheritance futexes"). All threads have one
 * priority here, so there is nothing to inherit; what counts is kept: the word's protocol (owner's thread id,
 * FUTEX_WAITERS, FUTEX_OWNER_DIED), hand-over to the first waiter, EDEADLK, EPERM, ESRCH, and a dead owner's lock going
 * to a waiter. Called by sys/futex.c and at thread exit. Kernel lock.
 * Missing: chains of owners are not followed for EDEADLK. */
#include "futex.h"

u32 futex_pi_waiters;

static struct futex_waiter *first_waiter(const struct mm_futex_key *key, u32 *count) {
  struct futex_waiter *first = NULL;
  *count = 0;
  LIST_FOR(e, &futex_bucket(key)->entries, struct wait_entry, link) {
    struct futex_waiter *w = e->data;
    if (!w->pi || !futex_same(&w->key, key)) continue;
    if (!first) first = w;
    ++*count;
  }
  return first;
}

/* One try: 1 it is ours, 0 *owner holds it and FUTEX_WAITERS is set (with `mark`), or -errno. */
static i64 take(u64 addr, i32 tid, bool mark, bool died, i32 *owner) {
  for (;;) {
    u32 now, old;
    int r = user_load32(addr, &now);
    if (r) return r;
    *owner = (i32)(now & FUTEX_TID_MASK);
    u32 next;
    if (!*owner || died) next = (u32)tid | (now & (FUTEX_WAITERS | FUTEX_OWNER_DIED)) | (died ? FUTEX_OWNER_DIED : 0);
    else if (*owner == tid) return -EDEADLK;
    else if (!mark || (now & FUTEX_WAITERS)) return 0;
    else next = now | FUTEX_WAITERS;
    if ((r = user_atomic32(addr, MM_ATOMIC_CAS, next, now, &old))) return r;
    if (old != now) continue;
    if (!*owner || died) return 1;
    return 0;
  }
}

i64 futex_lock_pi(u64 addr, i32 tid, bool wait, bool is_private, u64 deadline_ns) {
  struct futex_waiter w = {.bitset = UINT32_MAX, .pi = true, .tid = tid};
  int r = mm_futex_key(addr, is_private, &w.key);
  if (r) return r;
  bool died = false;
  for (;;) {
    i64 got = take(addr, tid, wait, died, &w.owner);
    if (got) return got < 0 ? got : 0;
    if (!wait) return -EAGAIN;
    if (!thread_lives(w.owner)) return -ESRCH;
    w.entry = (struct wait_entry){.thread = current, .data = &w}, w.woken = w.owner_died = false;
    wait_add(futex_bucket(&w.key), &w.entry);
    futex_pi_waiters++;
    while (!w.woken && !(r = wait_park(deadline_ns))) continue;
    wait_remove(&w.entry);
    futex_pi_waiters--;
    if (w.woken && !w.owner_died) return 0; /* handed over */
    if (!w.woken) return r;
    /* the first to come gets a dead owner's word; who comes later finds another owner in it */
    u32 now;
    if ((r = user_load32(addr, &now))) return r;
    died = (i32)(now & FUTEX_TID_MASK) == w.owner && !thread_lives(w.owner);
  }
}

i64 futex_unlock_pi(u64 addr, i32 tid, bool is_private) {
  struct mm_futex_key key;
  int r = mm_futex_key(addr, is_private, &key);
  for (;;) {
    u32 now, old, waiters;
    if (r || (r = user_load32(addr, &now))) return r;
    if ((i32)(now & FUTEX_TID_MASK) != tid) return -EPERM;
    struct futex_waiter *w = first_waiter(&key, &waiters);
    u32 next = w ? (u32)w->tid | (waiters > 1 ? FUTEX_WAITERS : 0) : 0;
    if ((r = user_atomic32(addr, MM_ATOMIC_CAS, next, now, &old))) return r;
    if (old != now) continue;
    if (w) {
      LIST_FOR(e, &futex_bucket(&key)->entries, struct wait_entry, link) {
        struct futex_waiter *other = e->data;
        if (other->pi && futex_same(&other->key, &key)) other->owner = w->tid;
      }
      futex_wake_waiter(w);
    }
    return 0;
  }
}

void futex_owner_exit(i32 tid) {
  for (u32 i = 0; futex_pi_waiters && futex_bucket_at(i); i++) {
    struct wait_queue *q = futex_bucket_at(i);
    if (!q->entries.next) continue;
    LIST_FOR(e, &q->entries, struct wait_entry, link) {
      struct futex_waiter *w = e->data;
      if (!w->pi || w->owner != tid) continue;
      w->owner_died = true;
      futex_wake_waiter(w);
    }
  }
}

/* ---- condition variables over such a word: FUTEX_WAIT_REQUEUE_PI, FUTEX_CMP_REQUEUE_PI ---- */
/* A waiter that is sent on takes the second word itself: Linux queues it there, which nobody can tell apart. */
i64 futex_wait_requeue_pi(u64 addr, u32 value, u64 target, i32 tid, bool is_private, u64 deadline_ns) {
  struct futex_waiter w = {.bitset = UINT32_MAX, .requeue_pi = true, .tid = tid};
  struct mm_futex_key other;
  u32 now;
  int r = mm_futex_key(addr, is_private, &w.key);
  if (!r) r = mm_futex_key(target, is_private, &other);
  if (!r && futex_same(&w.key, &other)) r = -EINVAL;
  if (r || (r = user_load32(addr, &now))) return r;
  if (now != value) return -EAGAIN;
  w.entry.thread = current, w.entry.data = &w;
  wait_add(futex_bucket(&w.key), &w.entry);
  while (!w.woken && !(r = wait_park(deadline_ns))) continue;
  wait_remove(&w.entry);
  if (!w.woken) return r == -ERESTARTSYS ? -EAGAIN : r; /* as Linux: user space looks at its condition again */
  return futex_lock_pi(target, tid, true, is_private, WAIT_FOREVER);
}

i64 futex_cmp_requeue_pi(u64 from, u64 to, u32 wake, u32 move, u32 expected, bool is_private) {
  struct mm_futex_key a, b;
  u32 now;
  if (wake != 1) return -EINVAL;
  int r = mm_futex_key(from, is_private, &a);
  if (!r) r = mm_futex_key(to, is_private, &b);
  if (!r && futex_same(&a, &b)) r = -EINVAL;
  if (r || (r = user_load32(from, &now))) return r;
  if (now != expected) return -EAGAIN;
  i64 done = 0;
  LIST_FOR(e, &futex_bucket(&a)->entries, struct wait_entry, link) {
    struct futex_waiter *w = e->data;
    if (!futex_same(&w->key, &a)) continue;
    if (!w->requeue_pi) return done ? done : -EINVAL;
    if ((u64)done > move) break;
    futex_wake_waiter(w);
    done++;
  }
  return done;
}
