/* mm/guest_native: the accessors of mm/guest.h for the native build (tests, sanitizers): plain memory off the
 * thread-local guest_base, which the native host sets to the mmap'd region of the process this pthread runs.
 *
 * Guest programs may race on their own data; that is their business, so under the thread sanitizer plain guest loads
 * and stores are not instrumented.
 * Included by mm/guest.h alone. */
#ifndef TIDEMARK_MM_GUEST_NATIVE_H
#define TIDEMARK_MM_GUEST_NATIVE_H

extern _Thread_local u8 *guest_base;
/* The region's size in 64 KiB pages, and growth of it: the native host keeps them (it maps the whole window at once). */
u32 guest_size_pages(void);
i32 guest_grow_pages(u32 delta);

#if defined(__SANITIZE_THREAD__)
#define GUEST_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define GUEST_TSAN 1
#endif
#endif
#ifdef GUEST_TSAN
#define GUEST_RACY __attribute__((no_sanitize("thread"), noinline)) static UNUSED
#else
#define GUEST_RACY static inline UNUSED
#endif

static inline u8 *guest_at(u32 a) { return guest_base + HEAD_BYTES + a; }

/* Packed single-field structs: an unaligned access of that width with no call to memcpy (which sanitizers intercept). */
struct guest_u16 {
  u16 v;
} __attribute__((packed, may_alias));
struct guest_u32 {
  u32 v;
} __attribute__((packed, may_alias));
struct guest_u64 {
  u64 v;
} __attribute__((packed, may_alias));

GUEST_RACY u32 guest_ld8(u32 a) { return *guest_at(a); }
GUEST_RACY u32 guest_ld16(u32 a) { return ((const struct guest_u16 *)(const void *)guest_at(a))->v; }
GUEST_RACY u32 guest_ld32(u32 a) { return ((const struct guest_u32 *)(const void *)guest_at(a))->v; }
GUEST_RACY u64 guest_ld64(u32 a) { return ((const struct guest_u64 *)(const void *)guest_at(a))->v; }
GUEST_RACY void guest_st8(u32 a, u32 v) { *guest_at(a) = (u8)v; }
GUEST_RACY void guest_st16(u32 a, u32 v) { ((struct guest_u16 *)(void *)guest_at(a))->v = (u16)v; }
GUEST_RACY void guest_st32(u32 a, u32 v) { ((struct guest_u32 *)(void *)guest_at(a))->v = v; }
GUEST_RACY void guest_st64(u32 a, u64 v) { ((struct guest_u64 *)(void *)guest_at(a))->v = v; }

GUEST_RACY u32 guest_perm(u32 page) { return guest_base[page]; }
GUEST_RACY void guest_perm_set(u32 page, u32 bits) { guest_base[page] = (u8)bits; }
GUEST_RACY void guest_perm_fill(u32 page, u32 bits, u32 pages) {
  for (u32 i = 0; i < pages; i++) guest_base[page + i] = (u8)bits;
}
GUEST_RACY u32 guest_head_ld32(u32 off) { return ((const struct guest_u32 *)(const void *)(guest_base + off))->v; }
GUEST_RACY u64 guest_head_ld64(u32 off) { return ((const struct guest_u64 *)(const void *)(guest_base + off))->v; }
GUEST_RACY void guest_head_st32(u32 off, u32 v) { ((struct guest_u32 *)(void *)(guest_base + off))->v = v; }
GUEST_RACY void guest_head_st64(u32 off, u64 v) { ((struct guest_u64 *)(void *)(guest_base + off))->v = v; }

/* Bulk copies. Under TSan the kernel's side stays plain bytes too: a copy loop, so that no interceptor looks. */
#ifdef GUEST_TSAN
GUEST_RACY void guest_bytes_copy(void *dst, const void *src, u32 n) {
  u8 *d = dst;
  const u8 *s = src;
  if ((uintptr_t)d <= (uintptr_t)s || d >= s + n)
    for (u32 i = 0; i < n; i++) ((volatile u8 *)d)[i] = s[i];
  else
    for (u32 i = n; i-- > 0;) ((volatile u8 *)d)[i] = s[i];
}
GUEST_RACY void guest_bytes_fill(void *dst, u32 byte, u32 n) {
  for (u32 i = 0; i < n; i++) ((volatile u8 *)dst)[i] = (u8)byte;
}
#else
static inline void guest_bytes_copy(void *dst, const void *src, u32 n) { memmove(dst, src, n); }
static inline void guest_bytes_fill(void *dst, u32 byte, u32 n) { memset(dst, (int)byte, n); }
#endif
static inline void guest_head_copy_in(void *dst, u32 off, u32 n) { guest_bytes_copy(dst, guest_base + off, n); }
static inline void guest_head_copy_out(u32 off, const void *src, u32 n) { guest_bytes_copy(guest_base + off, src, n); }
static inline void guest_copy_to_kernel(void *dst, u32 a, u32 n) { guest_bytes_copy(dst, guest_at(a), n); }
static inline void guest_copy_from_kernel(u32 a, const void *src, u32 n) { guest_bytes_copy(guest_at(a), src, n); }
static inline void guest_move(u32 dst, u32 src, u32 n) { guest_bytes_copy(guest_at(dst), guest_at(src), n); }
static inline void guest_fill(u32 a, u32 byte, u32 n) { guest_bytes_fill(guest_at(a), byte, n); }

/* Sequentially consistent atomics; a naturally aligned. */
#define GUEST_ATOMICS(type, bits)                                                                                        \
  static inline type *guest_word##bits(u32 a) { return (type *)(void *)guest_at(a); }                                   \
  static inline type guest_atomic_ld##bits(u32 a) { return __atomic_load_n(guest_word##bits(a), __ATOMIC_SEQ_CST); }    \
  static inline type guest_cas##bits(u32 a, type expected, type desired) {                                              \
    __atomic_compare_exchange_n(guest_word##bits(a), &expected, desired, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);    \
    return expected;                                                                                                     \
  }                                                                                                                      \
  static inline type guest_xchg##bits(u32 a, type v) {                                                                   \
    return __atomic_exchange_n(guest_word##bits(a), v, __ATOMIC_SEQ_CST);                                                \
  }                                                                                                                      \
  static inline type guest_add##bits(u32 a, type v) {                                                                    \
    return __atomic_fetch_add(guest_word##bits(a), v, __ATOMIC_SEQ_CST);                                                 \
  }                                                                                                                      \
  static inline type guest_and##bits(u32 a, type v) {                                                                    \
    return __atomic_fetch_and(guest_word##bits(a), v, __ATOMIC_SEQ_CST);                                                 \
  }                                                                                                                      \
  static inline type guest_or##bits(u32 a, type v) {                                                                     \
    return __atomic_fetch_or(guest_word##bits(a), v, __ATOMIC_SEQ_CST);                                                  \
  }                                                                                                                      \
  static inline type guest_xor##bits(u32 a, type v) {                                                                    \
    return __atomic_fetch_xor(guest_word##bits(a), v, __ATOMIC_SEQ_CST);                                                 \
  }
GUEST_ATOMICS(u32, 32)
GUEST_ATOMICS(u64, 64)
#undef GUEST_ATOMICS
#ifdef GUEST_TSAN
static inline void guest_fence(void) { /* TSan knows no fences; the atomics above are sequentially consistent */
}
#else
static inline void guest_fence(void) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
#endif
#endif
