/* host/instance: what one kernel instance is to its worker: stack, TLS block, clock base. */
#ifndef TIDEMARK_HOST_INSTANCE_H
#define TIDEMARK_HOST_INSTANCE_H
#include "../core/core.h"

void instance_enter(u32 id, double epoch_ms); /* epoch_ms: this worker's performance.timeOrigin */
void instance_leave(void);
double clock_boot_ms(void); /* where it is 0, in milliseconds since 1970 */
void instance_spin(bool on); /* this instance's worker may not wait (a page's main thread) */
void clock_set(u64 monotonic_ns); /* CLOCK_MONOTONIC is that now: a saved machine's time goes on */
void clock_boot(void);     /* CLOCK_MONOTONIC starts near zero here */
u32 lock_owner(void);      /* instance + 1 or 0 */
u8 *instance_area(u32 id); /* low end of the stack */

/* The kernel lock until the block ends, whichever way it is left: how every export holds it. */
struct lock_held { u8 unused; };
static inline struct lock_held lock_hold(void) {
  kernel_lock();
  return (struct lock_held){0};
}
static inline void lock_let_go(const struct lock_held *held) {
  (void)held;
  kernel_unlock();
}
#define HOLD_LOCK const struct lock_held lock_held __attribute__((cleanup(lock_let_go), unused)) = lock_hold()
#endif
