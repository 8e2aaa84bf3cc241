/* core: types, the kernel lock, kernel heap, strings, diagnostics. Knows no other room.
 *
 * Locking: one kernel lock guards every kernel structure (DESIGN.md section 4). The lock word holds the owner's
 * instance number + 1. Nothing under it waits for a Python role or parks: wait_park() drops it. */
#ifndef TIDEMARK_CORE_CORE_H
#define TIDEMARK_CORE_CORE_H
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t i8;
typedef int16_t i16;
typedef int32_t i32;
typedef int64_t i64;
/* A guest address as a register holds it: an integer, never a pointer. */
typedef u64 uaddr_t;

#include "../gen/abi.h" /* errno, syscall numbers, guest struct layouts, shared layouts */

#define PAGE_SHIFT 12
#define PAGE_BYTES 4096u
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define ALIGN_UP(x, a) (((x) + (a)-1) & ~((__typeof__(x))(a)-1))
#define ALIGN_DOWN(x, a) ((x) & ~((__typeof__(x))(a)-1))
#define CONTAINER_OF(p, type, field) ((type *)(void *)((char *)(p)-offsetof(type, field)))
#define UNUSED __attribute__((unused))
#define NORETURN __attribute__((noreturn))
#define NOINLINE __attribute__((noinline))
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))
#ifdef __wasm__
#define WASM_EXPORT(name) __attribute__((export_name(name), used))
#else
#define WASM_EXPORT(name) __attribute__((used))
#endif

/* Results inside the kernel that never reach a guest (only sys_dispatch sees them). Linux numbers them likewise. */
#define ERESTARTSYS 512           /* restart if SA_RESTART or no handler, else EINTR */
#define ERESTARTNOINTR 513        /* always restart */
#define ERESTARTNOHAND 514        /* restart only if no handler ran */
#define ERESTART_RESTARTBLOCK 516 /* nanosleep and the like: EINTR after a handler, else go on to the saved deadline */
/* ENOTHERE (status.toml): a file body must be fetched first; all is done again (file/lazy.c). A host thread that may
 * not park is given it. */

/* ---- instances: one per worker (or native pthread) that holds a kernel instance ---- */
#define MAX_INSTANCES 160
#define INSTANCE_STACK_BYTES (128 * 1024)
#define INSTANCE_TLS_BYTES 4096
#define INSTANCE_AREA_BYTES (INSTANCE_STACK_BYTES + INSTANCE_TLS_BYTES) /* stack below, TLS block above */
extern _Thread_local u32 instance_id; /* 0 .. MAX_INSTANCES-1 */
extern struct kernel_counters counters; /* ABI layout: lock word, panic flag, totals */

/* ---- lock ---- */
void kernel_lock(void);
void kernel_unlock(void);
bool kernel_lock_held(void); /* by this instance */
#define ASSERT_LOCKED() kassert(kernel_lock_held())

/* ---- heap (kernel lock held); NULL when the kernel memory's maximum is reached: callers return -ENOMEM ---- */
void *kmalloc(size_t bytes);
void *kzalloc(size_t bytes);
void *krealloc(void *p, size_t bytes);
void kfree(void *p); /* NULL is fine */
void *kpages_alloc(u32 pages); /* 4 KiB aligned, not zeroed */
void kpages_free(void *p, u32 pages);
u64 kheap_used_bytes(void);
u64 kheap_total_bytes(void);
/* What counts of the heap: runs in use, and the first page of free ones (their links). Up to `room` of them; how many
 * there are. None where the heap is malloc's. */
u32 kheap_ranges(struct image_range *to, u32 room);
/* Test hook: the n-th allocation from now fails (0 = off). */
void kheap_fail_after(u32 n);

/* ---- strings (freestanding: core/string.c) ---- */
void *memcpy(void *restrict d, const void *restrict s, size_t n);
void *memmove(void *d, const void *s, size_t n);
void *memset(void *d, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
void *memchr(const void *s, int c, size_t n);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
char *strrchr(const char *s, int c);
char *kstrdup(const char *s);
/* %d %u %x %o %s %c %p with l, ll, z, width, 0 and - flags, .precision for s; returns what a full write would take. */
int kvsnprintf(char *buf, size_t size, const char *fmt, va_list ap);
int ksnprintf(char *buf, size_t size, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* ---- diagnostics ---- */
void klog(const char *fmt, ...) PRINTF_LIKE(1, 2); /* one line to the host's diagnostics stream */
NORETURN void kpanic(const char *fmt, ...) PRINTF_LIKE(1, 2);
extern char panic_text[512];
#define kassert(c)                                                                                                       \
  do {                                                                                                                   \
    if (UNLIKELY(!(c))) kpanic("%s:%d: %s", __FILE__, __LINE__, #c);                                                     \
  } while (0)

/* ---- cleanup attribute helpers ---- */
static inline void kfree_cleanup(void *pp) { kfree(*(void **)pp); }
#define AUTO_KFREE __attribute__((cleanup(kfree_cleanup)))

/* ---- intrusive doubly linked list ---- */
struct list {
  struct list *next, *prev;
};
static inline void list_init(struct list *l) { l->next = l->prev = l; }
static inline bool list_empty(const struct list *l) { return l->next == l; }
static inline void list_add_tail(struct list *head, struct list *n) {
  n->prev = head->prev, n->next = head, head->prev->next = n, head->prev = n;
}
static inline void list_remove(struct list *n) {
  n->prev->next = n->next, n->next->prev = n->prev, n->next = n->prev = n;
}
#define LIST_FOR(it, head, type, field)                                                                                  \
  for (type *it = CONTAINER_OF((head)->next, type, field), *it##_next = CONTAINER_OF(it->field.next, type, field);      \
       &it->field != (head); it = it##_next, it##_next = CONTAINER_OF(it->field.next, type, field))

/* ---- what the host gives (wasm imports "host"; natively tests/kernel/native_host.c) ---- */
u64 host_monotonic_ns(void);
u64 host_realtime_ns(void);
void host_random(void *buf, u32 bytes);
void host_log(const char *text, u32 bytes);
/* Tell a role that there is work. role: ROLE_OWNER or ROLE_KERNEL; kind: NOTIFY_*; never blocks, may be called under the lock. */
void host_notify(u32 role, u32 kind, u32 arg);
NORETURN void host_panic(void);
/* Park on a word of kernel memory while *word == expected: 0 woken or value differs, 1 timed out. timeout_ns < 0: for ever. */
int host_wait32(u32 *word, u32 expected, i64 timeout_ns);
void host_wake32(u32 *word, u32 count);
#endif
