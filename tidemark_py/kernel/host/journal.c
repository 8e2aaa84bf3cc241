/* The kernel worker's side of kept file systems (file/journal.h): roles/keeper.py calls these. Addresses are kernel
 * memory that the caller has from tk_blob_alloc. */
#ifdef __wasm__
#include "../file/journal.h"
#include "instance.h"

i32 WASM_EXPORT("tk_journal_new") tk_journal_new(double blocks) {
  HOLD_LOCK;
  return journal_new((u64)blocks);
}
i32 WASM_EXPORT("tk_journal_replay") tk_journal_replay(u32 number, u32 at, u32 bytes) {
  HOLD_LOCK;
  return journal_replay(number, (const u8 *)(uintptr_t)at, bytes);
}
i32 WASM_EXPORT("tk_journal_replayed") tk_journal_replayed(u32 number) {
  HOLD_LOCK;
  return journal_replayed(number);
}
double WASM_EXPORT("tk_journal_begin") tk_journal_begin(u32 number) {
  HOLD_LOCK;
  return (double)journal_begin(number);
}
i32 WASM_EXPORT("tk_journal_take") tk_journal_take(u32 number, u32 at, u32 room) {
  HOLD_LOCK;
  return journal_take(number, (u8 *)(uintptr_t)at, room);
}
u32 WASM_EXPORT("tk_journal_wanted") tk_journal_wanted(u32 number) {
  HOLD_LOCK;
  return journal_wanted(number);
}
double WASM_EXPORT("tk_journal_bytes") tk_journal_bytes(u32 number) {
  HOLD_LOCK;
  return (double)journal_bytes(number);
}

void WASM_EXPORT("tk_journal_done") tk_journal_done(u32 number, double upto, i32 result) {
  HOLD_LOCK;
  journal_done(number, (u64)upto, result);
}
void WASM_EXPORT("tk_journal_take_all") tk_journal_take_all(u32 number) {
  HOLD_LOCK;
  journal_take_all(number);
}
void WASM_EXPORT("tk_journal_limit") tk_journal_limit(u32 number, double blocks) {
  HOLD_LOCK;
  journal_limit(number, (u64)blocks);
}
void WASM_EXPORT("tk_journal_discard") tk_journal_discard(u32 number) {
  HOLD_LOCK;
  journal_discard(number);
}
void WASM_EXPORT("tk_journal_detach_all") tk_journal_detach_all(void) {
  HOLD_LOCK;
  journal_detach_all();
}
#endif
