/* The kernel heap under a random load: contents kept, everything given back, nothing grows on repetition. */
#include "../../tidemark_py/kernel/core/core.h"

extern int printf(const char *, ...);
extern void abort(void);
extern long syscall(long, ...);
u64 host_monotonic_ns(void) { return 0; }
u64 host_realtime_ns(void) { return 0; }
void host_random(void *buf, u32 bytes) { memset(buf, 0, bytes); }
void host_log(const char *text, u32 bytes) { printf("%.*s\n", (int)bytes, text); }
void host_panic(void) { abort(); }
void host_notify(u32 role, u32 kind, u32 arg) { (void)role, (void)kind, (void)arg; }
int host_wait32(u32 *word, u32 expected, i64 timeout_ns) { return (void)word, (void)expected, (void)timeout_ns, 0; }
void host_wake32(u32 *word, u32 count) { (void)word, (void)count; }

#define OBJECTS 4000
static struct { u8 *p; u32 bytes, pages; } object[OBJECTS];
static u64 state = 88172645463325252u;
static u32 next(u32 below) {
  state ^= state << 13, state ^= state >> 7, state ^= state << 17;
  return (u32)(state % below);
}
static void check(u32 i) {
  for (u32 k = 0; k < object[i].bytes; k += 97)
    if (object[i].p[k] != (u8)i) printf("object %u byte %u changed\n", i, k), abort();
}
static void drop(u32 i) {
  if (!object[i].p) return;
  check(i);
  if (object[i].pages) kpages_free(object[i].p, object[i].pages);
  else kfree(object[i].p);
  object[i].p = NULL;
}
int main(void) {
  kernel_lock();
  u64 total_after_first = 0;
  for (int round = 0; round < 6; round++) {
    for (int step = 0; step < 200000; step++) {
      u32 i = next(OBJECTS), what = next(10);
      if (object[i].p && !object[i].pages && what == 0) {
        u32 bytes = 1 + next(9000);
        object[i].p = krealloc(object[i].p, bytes);
        object[i].bytes = bytes;
        memset(object[i].p, (u8)i, bytes);
        continue;
      }
      drop(i);
      if (what < 2) continue;
      if (what == 2) {
        object[i].pages = 1 + next(40), object[i].bytes = object[i].pages * PAGE_BYTES;
        object[i].p = kpages_alloc(object[i].pages);
      } else {
        object[i].pages = 0, object[i].bytes = 1 + next(what < 9 ? 600 : 20000);
        object[i].p = kmalloc(object[i].bytes);
      }
      memset(object[i].p, (u8)i, object[i].bytes);
    }
    for (u32 i = 0; i < OBJECTS; i++) drop(i);
    if (round == 0) total_after_first = kheap_total_bytes();
  }
  u64 left = kheap_used_bytes();
  char text[64];
  ksnprintf(text, sizeof text, "%5d|%-5u|%05x|%s|%.3s|%lld|%c", -42, 7u, 0xabcu, "str", "abcdef", -9000000000ll, 'z');
  bool formatted = !strcmp(text, "  -42|7    |00abc|str|abc|-9000000000|z");
  kheap_fail_after(3);
  void *a = kmalloc(8), *b = kmalloc(8), *c = kmalloc(8);
  bool injected = a && b && !c;
  printf("left %lu KiB grew %d formatted %d injected %d\n", (unsigned long)(left / 1024),
         kheap_total_bytes() > total_after_first * 5 / 4, formatted, injected);
  return !(left <= 14 * PAGE_BYTES && kheap_total_bytes() <= total_after_first * 5 / 4 && formatted && injected);
}
