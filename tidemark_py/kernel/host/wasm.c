/* The host calls of core.h over the imports that the shim gives a worker, and the instance's own set-up. */
#ifdef __wasm__
#include "../task/timeline.h"
#include "instance.h"

#define IMPORT(name) __attribute__((import_module("host"), import_name(#name)))
IMPORT(now_ms) double import_now_ms(void); /* performance.now itself */
IMPORT(random) void import_random(void *buf, u32 bytes);
IMPORT(log) void import_log(const char *text, u32 bytes);
IMPORT(notify) void import_notify(u32 role, u32 kind, u32 arg);
IMPORT(panic) void import_panic(void);

static _Thread_local double epoch_ms; /* performance.timeOrigin: milliseconds since 1970 at performance.now() == 0 */
static double boot_ms;                /* wall clock at boot, same scale for every instance */

extern u8 __heap_base;
u8 *instance_area(u32 id) {
  return (u8 *)ALIGN_UP((uintptr_t)&__heap_base, (uintptr_t)65536) + (size_t)id * INSTANCE_AREA_BYTES;
}

#define CANARY 0x7eda7edau
static u32 *canary(void) { return (u32 *)(void *)instance_area(instance_id); }

void instance_enter(u32 id, double epoch) {
  instance_id = id;
  epoch_ms = epoch;
  *canary() = CANARY;
}
void instance_leave(void) { kassert(*canary() == CANARY); }

void clock_set(u64 ns) { boot_ms = epoch_ms + import_now_ms() - (double)ns / 1e6; }
void clock_boot(void) { boot_ms = epoch_ms + import_now_ms() - 1; }
double clock_boot_ms(void) { return boot_ms; }
u64 host_realtime_ns(void) { return (u64)((epoch_ms + import_now_ms()) * 1e6); }
u64 host_monotonic_ns(void) { return (u64)((epoch_ms - boot_ms + import_now_ms()) * 1e6); }

void host_random(void *buf, u32 bytes) { import_random(buf, bytes); }
void host_log(const char *text, u32 bytes) { import_log(text, bytes); }
void host_notify(u32 role, u32 kind, u32 arg) {
  if (UNLIKELY(watching())) message_sent(role, kind, arg);
  import_notify(role, kind, arg);
}
void host_panic(void) {
  import_panic();
  __builtin_trap();
}
/* The page's main thread may not wait: it looks again and again. Only the kernel lock makes it, whose holder never waits
 * for anybody; parking is refused to it (may_park). */
static _Thread_local bool spins;
#define SPIN_MS 5000.0
void instance_spin(bool on) { spins = on; }
static int spin32(const u32 *word, u32 expected) {
  double end = 0;
  while (__atomic_load_n(word, __ATOMIC_SEQ_CST) == expected) {
    if (end == 0) end = import_now_ms() + SPIN_MS;
    else if (import_now_ms() > end) kpanic("the kernel lock was not released within 5 s");
  }
  return 0;
}

int host_wait32(u32 *word, u32 expected, i64 timeout_ns) {
  if (spins) return spin32(word, expected);
  return __builtin_wasm_memory_atomic_wait32((int *)word, (int)expected, timeout_ns) == 2;
}
void host_wake32(u32 *word, u32 count) { __builtin_wasm_memory_atomic_notify((int *)word, count); }
u32 lock_owner(void) { return __atomic_load_n(&counters.lock_word, __ATOMIC_SEQ_CST) & 0x7fffffffu; }
#endif
