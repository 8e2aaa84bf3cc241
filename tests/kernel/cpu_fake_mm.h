/* What cpu/ needs below it, for tests without the other rooms: a guest memory whose permission bytes are the whole truth
 * (what has none is not mapped), the heap, the clock, no lock. Include once, in the test's main file. */
#ifndef CPU_FAKE_MM_H
#define CPU_FAKE_MM_H
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "../../tidemark_py/kernel/cpu/code.h"

/* From fcntl.h, stdlib.h and sys/mman.h, which define the same names as the guest's ABI header. */
int open(const char *path, int flags, ...);
void *mmap(void *at, size_t bytes, int prot, int flags, int fd, off_t offset);
void *malloc(size_t n);
void *calloc(size_t n, size_t m);
void *aligned_alloc(size_t alignment, size_t n);
void free(void *p);
void exit(int status) __attribute__((noreturn));
unsigned long strtoul(const char *s, char **end, int base);

_Thread_local u8 *guest_base;
_Thread_local struct mm *mm_current;
_Thread_local struct mm_fault_info mm_fault_info;
u32 guest_size_pages(void) { return 65536; }
i32 guest_grow_pages(u32 delta) { return delta ? -1 : 65536; }
void kernel_lock(void) {}
void kernel_unlock(void) {}
bool kernel_lock_held(void) { return true; }
static UNUSED bool fail_allocations;
void *kmalloc(size_t n) { return fail_allocations ? NULL : malloc(n); }
void *kzalloc(size_t n) { return fail_allocations ? NULL : calloc(1, n); }
void kfree(void *p) { free(p); }
void *kpages_alloc(u32 pages) { return aligned_alloc(PAGE_BYTES, (size_t)pages * PAGE_BYTES); }
void kpages_free(void *p, u32 pages) { (void)pages, free(p); }
u64 host_monotonic_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (u64)t.tv_sec * 1000000000u + (u64)t.tv_nsec;
}

/* ---- a mini mm ---- */
static int no_access(u64 addr) {
  bool mapped = addr < GUEST_MAX_BYTES && guest_perm((u32)(addr >> PAGE_SHIFT));
  mm_fault_info = (struct mm_fault_info){.addr = addr, .si_signo = SIGSEGV, .si_code = mapped ? SEGV_ACCERR : SEGV_MAPERR};
  return -EFAULT;
}
static int check(u64 addr, u32 bytes, u32 access) {
  for (u64 at = addr; at < addr + bytes; at = (at | (PAGE_BYTES - 1)) + 1)
    if (at >= GUEST_MAX_BYTES || (guest_perm((u32)(at >> PAGE_SHIFT)) & access) != access) return no_access(at);
  return 0;
}
int mm_fault(struct mm *mm, u64 addr, u32 access, int *si_signo, int *si_code) {
  (void)mm;
  int r = check(addr, 1, access);
  *si_signo = mm_fault_info.si_signo, *si_code = mm_fault_info.si_code;
  return r;
}
int mm_slow_load(u64 addr, u32 bytes, u64 *value) {
  *value = 0;
  if (check(addr, bytes, ACCESS_R) < 0) return -EFAULT;
  guest_copy_to_kernel(value, (u32)addr, bytes);
  return 0;
}
int mm_slow_store(u64 addr, u32 bytes, u64 value) {
  if (check(addr, bytes, ACCESS_W) < 0) return -EFAULT;
  guest_copy_from_kernel((u32)addr, &value, bytes);
  return 0;
}
int mm_slow_atomic(u64 addr, u32 bytes, enum mm_atomic op, u64 operand, u64 expected, u64 *old) {
  (void)op, (void)operand, (void)expected, (void)old;
  return check(addr, bytes, op == MM_ATOMIC_LOAD ? ACCESS_R : ACCESS_R | ACCESS_W);
}
void mm_code_sync(struct mm *mm) { (void)mm; }

static UNUSED bool guest_reserve(void) {
  guest_base = mmap(NULL, 1ull << 32, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return guest_base != (u8 *)(intptr_t)-1;
}
#endif
