/* mm/slow: the slow path of single guest accesses: page crossing, not present, external; atomics; futex words.
 * The cpu calls the mm_slow_* without the lock; the user_* want it held. Own memory (mm_current). */
#include "area.h"
#include "copy.h"

static u64 guest_load(u32 a, u32 bytes) {
  switch (bytes) {
  case 1: return guest_ld8(a);
  case 2: return guest_ld16(a);
  case 4: return guest_ld32(a);
  case 8: return guest_ld64(a);
  default: {
    u64 v = 0;
    guest_copy_to_kernel(&v, a, bytes);
    return v;
  }
  }
}

static void guest_store(u32 a, u32 bytes, u64 v) {
  switch (bytes) {
  case 1: guest_st8(a, (u32)v); break;
  case 2: guest_st16(a, (u32)v); break;
  case 4: guest_st32(a, (u32)v); break;
  case 8: guest_st64(a, v); break;
  default: guest_copy_from_kernel(a, &v, bytes);
  }
}

static int out_of_window(struct mm *mm, u64 addr, u32 bytes) {
  u64 max = mm->max_guest_bytes;
  if (addr < max && bytes <= max - addr) return 0;
  u64 bad = addr < max ? max : addr;
  mm_fault_info = (struct mm_fault_info){.addr = bad, .si_signo = SIGSEGV, .si_code = SEGV_MAPERR};
  return -EFAULT;
}

/* All pages of the access present; *direct: none of them is external. */
static int present(struct mm *mm, u64 addr, u32 bytes, u32 access, bool *direct) {
  u32 first = page_of(addr), last = page_of(addr + bytes - 1);
  int r = out_of_window(mm, addr, bytes);
  *direct = true;
  for (u32 page = first; page <= last && r == 0; page++) {
    if ((guest_perm(page) & access) == access) continue;
    r = page_fault(mm, MAX(addr, page_addr(page)), access);
    if ((guest_perm(page) & access) != access) *direct = false;
  }
  return r;
}

int mm_slow_load(u64 addr, u32 bytes, u64 *value) {
  struct mm *mm = mm_current;
  bool direct;
  kernel_lock();
  int r;
  do r = present(mm, addr, bytes, ACCESS_R, &direct);
  while (page_fetched(addr, &r));
  if (r == 0 && direct) {
    *value = guest_load((u32)addr, bytes);
  } else if (r == 0) {
    *value = 0;
    r = copy_in(value, addr, bytes);
  }
  kernel_unlock();
  return r;
}

int mm_slow_store(u64 addr, u32 bytes, u64 value) {
  struct mm *mm = mm_current;
  bool direct;
  kernel_lock();
  int r;
  do r = present(mm, addr, bytes, ACCESS_W, &direct);
  while (page_fetched(addr, &r));
  if (r == 0 && direct) guest_store((u32)addr, bytes, value);
  else if (r == 0) r = copy_out(addr, &value, bytes);
  kernel_unlock();
  return r;
}

int mm_slow_prepare(u64 addr, u32 bytes, u32 access) {
  bool direct;
  kernel_lock();
  int r;
  do r = present(mm_current, addr, bytes, access, &direct);
  while (page_fetched(addr, &r));
  kernel_unlock();
  return r;
}

static u64 combine(enum mm_atomic op, u32 bytes, u64 old, u64 operand, u64 expected) {
  bool wide = bytes == 8;
  i64 so = wide ? (i64)old : (i32)old, sv = wide ? (i64)operand : (i32)operand;
  u64 uo = wide ? old : (u32)old, uv = wide ? operand : (u32)operand;
  switch (op) {
  case MM_ATOMIC_CAS: return uo == (wide ? expected : (u32)expected) ? operand : old;
  case MM_ATOMIC_SWAP: return operand;
  case MM_ATOMIC_ADD: return old + operand;
  case MM_ATOMIC_XOR: return old ^ operand;
  case MM_ATOMIC_AND: return old & operand;
  case MM_ATOMIC_OR: return old | operand;
  case MM_ATOMIC_MIN: return so < sv ? old : operand;
  case MM_ATOMIC_MAX: return so > sv ? old : operand;
  case MM_ATOMIC_MINU: return uo < uv ? old : operand;
  case MM_ATOMIC_MAXU: return uo > uv ? old : operand;
  case MM_ATOMIC_LOAD: return old;
  }
  return old;
}

/* Under the lock: other threads of the process may touch the same word without it, so a page in guest memory wants a
 * real compare and swap; an external page is reached under the lock alone. */
static int atomic_locked(u64 addr, u32 bytes, enum mm_atomic op, u64 operand, u64 expected, u64 *old) {
  struct mm *mm = mm_current;
  bool load = op == MM_ATOMIC_LOAD, direct = true;
  if (!mm) return -EFAULT;
  if (mm->all_resident) {
    u32 word = 0;
    if (bytes != 4 || addr % 4 || copy_in(&word, addr, 4) < 0) return -EFAULT; /* bounds */
  } else {
    int r = present(mm, addr, bytes, load ? ACCESS_R : ACCESS_R | ACCESS_W, &direct);
    if (r < 0) return r;
  }
  u32 a = (u32)addr;
  if (!direct) {
    *old = 0;
    int r = copy_in(old, addr, bytes);
    u64 next = combine(op, bytes, *old, operand, expected);
    if (r == 0 && !load && (op != MM_ATOMIC_CAS || *old == (bytes == 8 ? expected : (u32)expected))) r = copy_out(addr, &next, bytes);
    return r;
  }
  if (load) {
    *old = bytes == 8 ? guest_atomic_ld64(a) : guest_atomic_ld32(a);
    return 0;
  }
  for (;;) {
    u64 seen = bytes == 8 ? guest_atomic_ld64(a) : guest_atomic_ld32(a);
    u64 next = combine(op, bytes, seen, operand, expected);
    *old = seen;
    if (op == MM_ATOMIC_CAS && seen != (bytes == 8 ? expected : (u32)expected)) return 0;
    if (bytes == 8 ? guest_cas64(a, seen, next) == seen : guest_cas32(a, (u32)seen, (u32)next) == (u32)seen) return 0;
  }
}

int mm_slow_atomic(u64 addr, u32 bytes, enum mm_atomic op, u64 operand, u64 expected, u64 *old) {
  kernel_lock();
  int r;
  do r = atomic_locked(addr, bytes, op, operand, expected, old);
  while (page_fetched(addr, &r));
  kernel_unlock();
  return r;
}

int user_load32(uaddr_t addr, u32 *value) {
  u64 old = 0;
  if (addr % 4) return -EFAULT;
  int r = atomic_locked(addr, 4, MM_ATOMIC_LOAD, 0, 0, &old);
  *value = (u32)old;
  return r;
}

int user_atomic32(uaddr_t addr, enum mm_atomic op, u32 operand, u32 expected, u32 *old) {
  u64 wide = 0;
  if (addr % 4) return -EFAULT;
  int r = atomic_locked(addr, 4, op, operand, expected, &wide);
  *old = (u32)wide;
  return r;
}

int mm_futex_key(uaddr_t addr, bool private_only, struct mm_futex_key *key) {
  struct mm *mm = mm_current;
  if (!mm || out_of_window(mm, addr, 4) < 0) return -EFAULT;
  key->object = (u64)(uintptr_t)mm, key->offset = addr;
  if (private_only || mm->all_resident) return 0;
  const struct vma *v = area_at(mm, page_of(addr));
  if (!v || !(v->prot & (PERM_R | PERM_W))) return -EFAULT;
  if (!v->shared) return 0;
  key->object = (u64)(uintptr_t)(v->file ? mm_file_identity(v->file) : (const void *)v->memory);
  key->offset = ((v->file_page + (page_of(addr) - v->start)) << PAGE_SHIFT) + addr % PAGE_BYTES;
  return 0;
}
