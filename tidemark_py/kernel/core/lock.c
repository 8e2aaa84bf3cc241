/* The kernel lock: a word that holds the owner's instance + 1, the top bit set while somebody waits.
 * It lives in kernel_counters so that a supervisor sees whether a dead worker held it. After a panic nobody gets it. */
#include "core.h"

struct kernel_counters counters;
_Thread_local u32 instance_id;

#define WAITERS 0x80000000u

static u32 compare_and_swap(u32 *word, u32 expected, u32 desired) {
  __atomic_compare_exchange_n(word, &expected, desired, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
  return expected;
}

void kernel_lock(void) {
  u32 *word = &counters.lock_word, mine = instance_id + 1;
  u32 seen = compare_and_swap(word, 0, mine);
  while (seen != 0) {
    kassert((seen & ~WAITERS) != mine);
    if (!(seen & WAITERS)) {
      u32 now = compare_and_swap(word, seen, seen | WAITERS);
      if (now != seen) {
        seen = now ? now : compare_and_swap(word, 0, mine | WAITERS);
        continue;
      }
    }
    host_wait32(word, seen | WAITERS, -1);
    /* other waiters may still be there: take it with the bit set */
    seen = compare_and_swap(word, 0, mine | WAITERS);
  }
  if (UNLIKELY(__atomic_load_n(&counters.panicked, __ATOMIC_RELAXED))) {
    kernel_unlock();
    host_panic();
  }
}

void kernel_unlock(void) {
  u32 old = __atomic_exchange_n(&counters.lock_word, 0, __ATOMIC_RELEASE);
  if (old & WAITERS) host_wake32(&counters.lock_word, 1);
}

bool kernel_lock_held(void) {
  return (__atomic_load_n(&counters.lock_word, __ATOMIC_RELAXED) & ~WAITERS) == instance_id + 1;
}
