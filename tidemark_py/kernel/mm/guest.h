/* mm/guest: raw access to the guest memory bound to this instance (wasm memory index 1).
 *
 * Layout of that memory: [hidden head: HEAD_BYTES][guest address 0 ...]. The head holds one permission byte per 4 KiB
 * guest page at offset 0 (1 MiB for the whole 4 GiB window) and the threads' register blocks and jit/'s cache of jumps after it. Guest accesses
 * carry HEAD_BYTES as constant offset, so no guest address reaches the head.
 *
 * In wasm each function is an accessor from kernel/mm/guest.wat, merged and inlined by binaryen. Natively they are
 * inline loads off the thread-local guest_base. NO PERMISSION CHECK here: the caller has checked guest_perm() (all
 * pages an access touches) or is the kernel itself. Addresses are u32 (inside the window: checked by the caller too);
 * an access must not run past GUEST_MAX_BYTES. Accesses beyond the current size trap: perm bytes say what is there. */
#ifndef TIDEMARK_MM_GUEST_H
#define TIDEMARK_MM_GUEST_H
#include "../core/core.h"

#define PERM_TABLE_BYTES (1024u * 1024u)
#define REGBLOCK_BYTES 1024u
#define REGBLOCKS 128u
#define JUMP_CACHE_BYTES 65536u /* jit/ */
#define JUMP_CACHE_OFFSET (PERM_TABLE_BYTES + REGBLOCK_BYTES * REGBLOCKS)
#define HEAD_BYTES (JUMP_CACHE_OFFSET + JUMP_CACHE_BYTES) /* 0x130000 */
#define GUEST_MAX_BYTES (0x100000000ull - HEAD_BYTES)
#define REGBLOCK_OFFSET(slot) (PERM_TABLE_BYTES + (slot)*REGBLOCK_BYTES)

/* Permission byte. R, W, X are what an access may do at once; a clear bit means "slow path": mm_fault() decides. */
#define PERM_R 1u
#define PERM_W 2u
#define PERM_X 4u
#define PERM_RESIDENT 8u  /* the page's bytes live in guest memory */
#define PERM_DIRTY 16u    /* they differ from zero page or file: fork must copy them */
#define PERM_EXTERNAL 32u /* the page lives in kernel memory's page cache (shared mapping): R and W stay clear */

#ifdef __wasm__
#define GUEST_FN(ret, name, ...) __attribute__((import_module("guest"), import_name(#name))) ret guest_##name(__VA_ARGS__)
GUEST_FN(u32, ld8, u32 a);
GUEST_FN(u32, ld16, u32 a);
GUEST_FN(u32, ld32, u32 a);
GUEST_FN(u64, ld64, u32 a);
GUEST_FN(void, st8, u32 a, u32 v);
GUEST_FN(void, st16, u32 a, u32 v);
GUEST_FN(void, st32, u32 a, u32 v);
GUEST_FN(void, st64, u32 a, u64 v);
GUEST_FN(u32, perm, u32 page);                     /* head[page] */
GUEST_FN(void, perm_set, u32 page, u32 bits);
GUEST_FN(void, perm_fill, u32 page, u32 bits, u32 pages);
GUEST_FN(u32, head_ld32, u32 off);                 /* register blocks; off < HEAD_BYTES */
GUEST_FN(u64, head_ld64, u32 off);
GUEST_FN(void, head_st32, u32 off, u32 v);
GUEST_FN(void, head_st64, u32 off, u64 v);
GUEST_FN(void, head_copy_in, void *dst, u32 off, u32 n);  /* guest head -> kernel */
GUEST_FN(void, head_copy_out, u32 off, const void *src, u32 n);
/* Sequentially consistent atomics; a is naturally aligned. cas returns the old value. */
GUEST_FN(u32, atomic_ld32, u32 a);
GUEST_FN(u64, atomic_ld64, u32 a);
GUEST_FN(u32, cas32, u32 a, u32 expected, u32 desired);
GUEST_FN(u64, cas64, u32 a, u64 expected, u64 desired);
GUEST_FN(u32, xchg32, u32 a, u32 v);
GUEST_FN(u64, xchg64, u32 a, u64 v);
GUEST_FN(u32, add32, u32 a, u32 v);
GUEST_FN(u64, add64, u32 a, u64 v);
GUEST_FN(u32, and32, u32 a, u32 v);
GUEST_FN(u64, and64, u32 a, u64 v);
GUEST_FN(u32, or32, u32 a, u32 v);
GUEST_FN(u64, or64, u32 a, u64 v);
GUEST_FN(u32, xor32, u32 a, u32 v);
GUEST_FN(u64, xor64, u32 a, u64 v);
GUEST_FN(void, fence, void);
GUEST_FN(void, copy_to_kernel, void *dst, u32 a, u32 n);
GUEST_FN(void, copy_from_kernel, u32 a, const void *src, u32 n);
GUEST_FN(void, move, u32 dst, u32 src, u32 n);
GUEST_FN(void, fill, u32 a, u32 byte, u32 n);
GUEST_FN(u32, size_pages, void);                   /* 64 KiB wasm pages, head included */
GUEST_FN(i32, grow_pages, u32 delta);              /* old size or -1 */
#else
#include "guest_native.h" /* same names as static inline functions off `extern _Thread_local u8 *guest_base` */
#endif
#endif
