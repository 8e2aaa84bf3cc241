/* cpu/memory: guest accesses that the interpreter's inline path does not take: misaligned, not present, crossing a
 * page, external, out of the window; and LR, SC and the AMOs (chapter 13, "A"), which are real atomics on the guest
 * memory. Misaligned atomics raise SIGBUS BUS_ADRALN as on Linux. LR and SC compare by value: SC succeeds if the
 * reserved word still holds what LR read (an ABA change in between goes unseen, as under qemu). */
#include "isa.h"
#include "state.h"

static NOINLINE bool fault_at(struct cpu_state *st, u64 addr, i32 signo, i32 code) {
  st->fault = (struct cpu_fault){.addr = addr, .si_signo = signo, .si_code = code};
  return false;
}
static bool fault_from_mm(struct cpu_state *st) {
  return fault_at(st, mm_fault_info.addr, mm_fault_info.si_signo, mm_fault_info.si_code);
}

/* All bytes in one page that allows it, inside the window? */
static inline bool direct(u64 addr, u32 bytes, u32 access) {
  return addr < GUEST_MAX_BYTES && (addr & (PAGE_BYTES - 1)) <= PAGE_BYTES - bytes &&
         (guest_perm((u32)(addr >> PAGE_SHIFT)) & access) == access;
}

NOINLINE bool memory_load(struct cpu_state *st, u64 addr, u32 bytes) {
  u32 a = (u32)addr;
  if (direct(addr, bytes, PERM_R)) {
    switch (bytes) {
    case 1: st->value = guest_ld8(a); break;
    case 2: st->value = guest_ld16(a); break;
    case 4: st->value = guest_ld32(a); break;
    default: st->value = guest_ld64(a); break;
    }
    return true;
  }
  if (addr > GUEST_MAX_BYTES - bytes) return fault_at(st, addr, SIGSEGV, SEGV_MAPERR);
  return mm_slow_load(addr, bytes, &st->value) == 0 || fault_from_mm(st);
}

NOINLINE bool memory_store(struct cpu_state *st, u64 addr, u32 bytes, u64 value) {
  u32 a = (u32)addr;
  if (direct(addr, bytes, PERM_W)) {
    switch (bytes) {
    case 1: guest_st8(a, (u32)value); break;
    case 2: guest_st16(a, (u32)value); break;
    case 4: guest_st32(a, (u32)value); break;
    default: guest_st64(a, value); break;
    }
    return true;
  }
  if (addr > GUEST_MAX_BYTES - bytes) return fault_at(st, addr, SIGSEGV, SEGV_MAPERR);
  return mm_slow_store(addr, bytes, value) == 0 || fault_from_mm(st);
}

/* One atomic on memory that is there: old value, zero-extended. */
static u64 atomic_direct(u32 a, bool wide, enum mm_atomic op, u64 v, u64 expected) {
  switch (op) {
  case MM_ATOMIC_LOAD: return wide ? guest_atomic_ld64(a) : guest_atomic_ld32(a);
  case MM_ATOMIC_CAS: return wide ? guest_cas64(a, expected, v) : guest_cas32(a, (u32)expected, (u32)v);
  case MM_ATOMIC_SWAP: return wide ? guest_xchg64(a, v) : guest_xchg32(a, (u32)v);
  case MM_ATOMIC_ADD: return wide ? guest_add64(a, v) : guest_add32(a, (u32)v);
  case MM_ATOMIC_XOR: return wide ? guest_xor64(a, v) : guest_xor32(a, (u32)v);
  case MM_ATOMIC_AND: return wide ? guest_and64(a, v) : guest_and32(a, (u32)v);
  case MM_ATOMIC_OR: return wide ? guest_or64(a, v) : guest_or32(a, (u32)v);
  case MM_ATOMIC_MIN:
  case MM_ATOMIC_MAX:
  case MM_ATOMIC_MINU:
  case MM_ATOMIC_MAXU: break;
  }
  for (;;) {
    u64 old = wide ? guest_atomic_ld64(a) : guest_atomic_ld32(a), uv = wide ? v : (u32)v;
    i64 so = wide ? (i64)old : (i32)old, sv = wide ? (i64)v : (i32)v;
    bool keep = op == MM_ATOMIC_MIN ? so <= sv : op == MM_ATOMIC_MAX ? so >= sv : op == MM_ATOMIC_MINU ? old <= uv : old >= uv;
    u64 next = keep ? old : uv;
    if (wide ? guest_cas64(a, old, next) == old : guest_cas32(a, (u32)old, (u32)next) == (u32)old) return old;
  }
}

static bool atomic_do(struct cpu_state *st, u64 addr, bool wide, enum mm_atomic op, u64 v, u64 expected, u64 *old) {
  u32 bytes = wide ? 8 : 4;
  if (direct(addr, bytes, op == MM_ATOMIC_LOAD ? PERM_R : PERM_R | PERM_W)) {
    *old = atomic_direct((u32)addr, wide, op, v, expected);
    return true;
  }
  if (addr > GUEST_MAX_BYTES - bytes) return fault_at(st, addr, SIGSEGV, SEGV_MAPERR);
  return mm_slow_atomic(addr, bytes, op, v, expected, old) == 0 || fault_from_mm(st);
}

NOINLINE bool memory_atomic(struct cpu_state *st, u32 op, u32 rd, u64 addr, u64 operand) {
  static const u8 kinds[] = {MM_ATOMIC_SWAP, MM_ATOMIC_ADD, MM_ATOMIC_XOR, MM_ATOMIC_AND, MM_ATOMIC_OR,
                             MM_ATOMIC_MIN,  MM_ATOMIC_MAX, MM_ATOMIC_MINU, MM_ATOMIC_MAXU};
  bool wide = (op - OP_LR_W) & 1;
  u64 old = 0;
  if (addr & (wide ? 7 : 3)) return fault_at(st, addr, SIGBUS, BUS_ADRALN);
  switch (op) {
  case OP_LR_W:
  case OP_LR_D:
    if (!atomic_do(st, addr, wide, MM_ATOMIC_LOAD, 0, 0, &old)) return false;
    st->reservation = addr, st->reservation_value = old;
    break;
  case OP_SC_W:
  case OP_SC_D: {
    bool failed = true;
    if (st->reservation == addr) {
      u64 expected = wide ? st->reservation_value : (u32)st->reservation_value;
      if (!atomic_do(st, addr, wide, MM_ATOMIC_CAS, operand, expected, &old)) return false;
      failed = old != expected;
    }
    st->reservation = NO_RESERVATION;
    st->x[rd] = failed;
    return true;
  }
  default:
    if (!atomic_do(st, addr, wide, (enum mm_atomic)kinds[(op - OP_AMOSWAP_W) / 2], operand, 0, &old)) return false;
    break;
  }
  st->x[rd] = wide ? old : (u64)(i64)(i32)(u32)old;
  return true;
}
