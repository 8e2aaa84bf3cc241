/* machine: saving a whole machine and starting one from what was saved (tidemark_py/state/saved_machine.py, state/saving.py).
 *
 * Saving: tk_freeze, poll tk_unfrozen until it is 0, take the guests' pages and registers by errands, then kernel memory
 * by tk_image_ranges in one go, tk_freeze(0). Restoring, in a fresh kernel memory that nobody has booted: grow it, write
 * the image, tk_restore, give pages and registers, tk_restore_start. Only this very kernel.wasm can read its image. */
#ifdef __wasm__
#include "../task/errand.h"
#include "instance.h"

#define RANGES_MAX 4096u

i32 WASM_EXPORT("tk_freeze") tk_freeze(u32 on) {
  HOLD_LOCK;
  return task_freeze(on != 0);
}
u32 WASM_EXPORT("tk_unfrozen") tk_unfrozen(void) {
  HOLD_LOCK;
  return task_unfrozen();
}
double WASM_EXPORT("tk_monotonic_ns") tk_monotonic_ns(void) { return (double)host_monotonic_ns(); }

static i32 give_ranges(u32 (*list)(struct image_range *to, u32 room), u32 at) {
  if (!current) return -ESRCH;
  HOLD_LOCK;
  struct image_range *r = kmalloc(RANGES_MAX * sizeof *r);
  u32 count = r ? list(r, RANGES_MAX) : 0;
  i32 e = !r ? -ENOMEM : count > RANGES_MAX ? -EMSGSIZE : copy_out(at, r, count * sizeof *r);
  kfree(r);
  return e ? e : (i32)count;
}
/* Static data up to the instances' stacks, then the heap. */
static u32 image(struct image_range *to, u32 room) {
  task_forget_code();
  to[0] = (struct image_range){.address = 0, .bytes = (u64)(uintptr_t)instance_area(0)};
  return kheap_ranges(to + 1, room - 1) + 1;
}
/* How many image_range records are at staging address `at`. */
i32 WASM_EXPORT("tk_image_ranges") tk_image_ranges(u32 at) { return give_ranges(image, at); }
i32 WASM_EXPORT("tk_layer_blobs") tk_layer_blobs(u32 at) { return give_ranges(layer_blobs, at); }

/* What kernel memory has: its end may be free pages, of which no range speaks. */
double WASM_EXPORT("tk_memory_bytes") tk_memory_bytes(void) { return (double)__builtin_wasm_memory_size(0) * 65536; }
/* Kernel memory has at least `bytes` bytes from now on: 0 or -ENOMEM. */
i32 WASM_EXPORT("tk_restore_grow") tk_restore_grow(double bytes) {
  size_t need = (size_t)((bytes + 65535) / 65536), have = __builtin_wasm_memory_size(0);
  return need <= have || __builtin_wasm_memory_grow(0, need - have) != (size_t)-1 ? 0 : -ENOMEM;
}
/* The image is there: this instance is its init. */
i32 WASM_EXPORT("tk_restore") tk_restore(u32 memories_cap, u32 guest_max_pages, double monotonic_ns) {
  counters.lock_word = 0; /* whatever it was then */
  counters.panicked = 0;
  clock_set((u64)monotonic_ns);
  HOLD_LOCK;
  return task_restore(memories_cap, guest_max_pages);
}
i32 WASM_EXPORT("tk_restore_pages") tk_restore_pages(i32 pid, u32 at) {
  HOLD_LOCK;
  return restore_pages(pid, at);
}
i32 WASM_EXPORT("tk_restore_registers") tk_restore_registers(i32 tid, u32 at) {
  HOLD_LOCK;
  return restore_registers(tid, at);
}
void WASM_EXPORT("tk_restore_start") tk_restore_start(void) {
  HOLD_LOCK;
  task_restore_start();
}
#endif
