/* The kernel worker's side of kept file systems (file/journal.h): roles/keeper.py calls these. Addresses are kernel
 * memory that the caller has from tk_blob_alloc. */
#ifdef __wasm__
#include "../file/journal.h"

#define LOCKED(type, call)                                                                                               \
  kernel_lock();                                                                                                         \
  type r = call;                                                                                                         \
  kernel_unlock();                                                                                                       \
  return r

i32 WASM_EXPORT("tk_journal_new") tk_journal_new(double blocks) { LOCKED(i32, journal_new((u64)blocks)); }
i32 WASM_EXPORT("tk_journal_replay") tk_journal_replay(u32 number, u32 at, u32 bytes) {
  LOCKED(i32, journal_replay(number, (const u8 *)(uintptr_t)at, bytes));
}
i32 WASM_EXPORT("tk_journal_replayed") tk_journal_replayed(u32 number) { LOCKED(i32, journal_replayed(number)); }
double WASM_EXPORT("tk_journal_begin") tk_journal_begin(u32 number) { LOCKED(double, (double)journal_begin(number)); }
i32 WASM_EXPORT("tk_journal_take") tk_journal_take(u32 number, u32 at, u32 room) {
  LOCKED(i32, journal_take(number, (u8 *)(uintptr_t)at, room));
}
u32 WASM_EXPORT("tk_journal_wanted") tk_journal_wanted(u32 number) { LOCKED(u32, journal_wanted(number)); }
double WASM_EXPORT("tk_journal_bytes") tk_journal_bytes(u32 number) { LOCKED(double, (double)journal_bytes(number)); }

void WASM_EXPORT("tk_journal_done") tk_journal_done(u32 number, double upto, i32 result) {
  kernel_lock();
  journal_done(number, (u64)upto, result);
  kernel_unlock();
}
void WASM_EXPORT("tk_journal_take_all") tk_journal_take_all(u32 number) {
  kernel_lock();
  journal_take_all(number);
  kernel_unlock();
}
void WASM_EXPORT("tk_journal_limit") tk_journal_limit(u32 number, double blocks) {
  kernel_lock();
  journal_limit(number, (u64)blocks);
  kernel_unlock();
}
void WASM_EXPORT("tk_journal_discard") tk_journal_discard(u32 number) {
  kernel_lock();
  journal_discard(number);
  kernel_unlock();
}
void WASM_EXPORT("tk_journal_detach_all") tk_journal_detach_all(void) {
  kernel_lock();
  journal_detach_all();
  kernel_unlock();
}
#endif
