/* cpu/state: a thread's registers while cpu_run is on the stack. Copied from the register block on entry and back on
 * exit: kernel memory is memory 0, one instruction closer than the guest's. Private to its thread. */
#ifndef TIDEMARK_CPU_STATE_H
#define TIDEMARK_CPU_STATE_H
#include "cpu.h"

#define REG_NUMBER_SINK 32u /* x0 as a destination */
#define NO_RESERVATION (~0ull)

struct code_page;

struct cpu_state {
  /* 64 of each: slots carry register numbers in six bits, so no bit pattern reaches beyond. x[32] is the sink. */
  u64 x[64];
  u64 f[64];
  u32 f_dirty;               /* f is newer than the register block's */
  u64 pc_bias;               /* pc = (slot address >> 2) + pc_bias in the current page */
  struct code_page *const *const *pages; /* code's first level */
  u64 value;                 /* result of memory_load */
  u32 fflags, frm;
  u32 float_fast;            /* frm is RNE and NX is set already: hardware arithmetic will do */
  i32 count;                 /* instructions left in this slice (valid outside the dispatch loop) */
  i32 slice;                 /* what count started from */
  u64 retired;               /* by this thread before this slice */
  const u64 *ip;             /* where to go on; NULL: pc says it */
  const u64 *skip;           /* an entry of translated code to be interpreted once */
  u64 pc;
  u64 reservation, reservation_value;
  struct mm *mm;
  struct cpu_fault fault;
};

static inline u64 state_pc(const struct cpu_state *st, const u64 *ip) { return ((uintptr_t)ip >> 2) + st->pc_bias; }
static inline void state_float_mode(struct cpu_state *st) { st->float_fast = st->frm == 0 && (st->fflags & 1); }

/* memory.c: the slow side of guest accesses. false: st->fault is set. */
bool memory_load(struct cpu_state *st, u64 addr, u32 bytes); /* st->value, zero-extended */
bool memory_store(struct cpu_state *st, u64 addr, u32 bytes, u64 value);
bool memory_atomic(struct cpu_state *st, u32 op, u32 rd, u64 addr, u64 operand); /* OP_LR_W ... OP_AMOMAXU_D */

/* fpu_quick.c: true when hardware could do it; false: nothing was done. */
bool fpu_quick(struct cpu_state *st, u32 op, u32 rd, u32 rs1, u32 rs2, u32 rs3, u32 rm);
bool fpu_fma64(u64 a, u64 b, u64 c, u64 *r); /* a * b + c rounded once, by hardware; false: not provably */
/* fpu.c: every float instruction but loads and stores, and the CSRs. false: illegal. */
bool fpu_execute(struct cpu_state *st, u32 op, u32 rd, u32 rs1, u32 rs2, u32 rs3, u32 rm);
bool csr_execute(struct cpu_state *st, u32 op, u32 rd, u32 rs1, u32 csr, u64 instret);
#endif
