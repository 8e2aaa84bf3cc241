/* cpu/code: the decode cache of an address space: one 8-byte slot per halfword of executable page.
 *
 * A slot holds everything a handler needs; the interpreter loads it as one u64, so that a slot replaced meanwhile by
 * another thread is seen old or new, never torn:
 *   bits 0-2  rounding mode, or the length of a fused pair in halfwords
 *   bits 3-8 rd, 9-14 rs1, 15-20 rs2 (pre-scaled by 8: mask and add)
 *   bits 21-31 slot operation, 32-63 immediate (sign-extended by one arithmetic shift)
 * A slot of zero means "decode me". Since slots map linearly to addresses, a branch inside its page adds a constant to
 * the slot pointer. Pages are never freed before the address space ends: invalidation writes zeros in place, which
 * other threads meet at their next instruction, so no generation check is needed on the way.
 * Writers (decode, invalidate) hold the kernel lock; readers take none. */
#ifndef TIDEMARK_CPU_CODE_H
#define TIDEMARK_CPU_CODE_H
#include "isa.h"
#include "state.h"

#define CODE_SLOTS (PAGE_BYTES / 2)
/* Two slots more: where a page's last instruction falls off its end. */
struct code_page {
  u64 slots[CODE_SLOTS + 2];
  u64 starts[CODE_SLOTS / 64]; /* what was first reached by a call: where functions begin, as far as can be told */
};

#define SLOT_RD 3
#define SLOT_RS1 9
#define SLOT_RS2 15
#define SLOT_OP 21

/* Slot operations. _2 and _4: the length of the instruction. */
#define SLOT_PAIRED(X)                                                                                                   \
  X(NOP) X(LI) X(MV) X(ADDI) X(ADDIW) X(ANDI) X(SLLI) X(SRLI) X(SRAI) X(ADD) X(SUB) X(XOR) X(OR) X(AND) X(ADDW) X(SUBW)  \
  X(LW) X(LD) X(SW) X(SD) X(FLD) X(FSD) X(J) X(BEQZ) X(BNEZ) X(JR)
#define SLOT_SINGLE(X)                                                                                                   \
  X(UNDECODED) X(TRANSLATED) X(PAGE_END) X(ILLEGAL) X(ECALL) X(BREAK) X(FENCE) X(FENCE_I) X(CSR) X(ATOMIC) X(FLOAT)                    \
  X(LIU) X(AUIPC) X(JAL) X(JAL_FAR) X(J_FAR) X(JALR_2) X(JALR_4)                                                         \
  X(BEQ) X(BNE) X(BLT) X(BGE) X(BLTU) X(BGEU) X(BLTZ) X(BGEZ) X(BLEZ) X(BGTZ)                                            \
  X(BEQ_FAR) X(BNE_FAR) X(BLT_FAR) X(BGE_FAR) X(BLTU_FAR) X(BGEU_FAR)                                                    \
  X(LB) X(LH) X(LBU) X(LHU) X(LWU) X(SB) X(SH) X(FLW) X(FSW)                                                             \
  X(SLTI) X(SLTIU) X(XORI) X(ORI) X(SLLIW) X(SRLIW) X(SRAIW)                                                             \
  X(SLL) X(SLT) X(SLTU) X(SRL) X(SRA) X(SLLW) X(SRLW) X(SRAW)                                                            \
  X(MUL) X(MULH) X(MULHSU) X(MULHU) X(DIV) X(DIVU) X(REM) X(REMU) X(MULW) X(DIVW) X(DIVUW) X(REMW) X(REMUW)              \
  X(FADD_D) X(FSUB_D) X(FMUL_D) X(FDIV_D) X(FSQRT_D) X(FADD_S) X(FSUB_S) X(FMUL_S) X(FDIV_S)                             \
  X(FMV_D) X(FSGNJ_D) X(FSGNJN_D) X(FSGNJX_D) X(FMV_X_D) X(FMV_D_X) X(FMV_X_W) X(FMV_W_X)                                \
  X(FEQ_D) X(FLT_D) X(FLE_D) X(FCVT_D_W) X(FCVT_D_L) X(FCVT_D_S)

/* Pairs of instructions in one slot; the second has its own slot too, for those who jump there. Bits 0-2 hold the
 * pair's length in halfwords. *_BRANCH: the add's immediate in bits 52-63, the branch's slot offset in bits 32-51. */
#define SLOT_FUSED(X)                                                                                                    \
  X(PAIR_LI) X(PAIR_LIU) X(PAIR_CALL) X(PAIR_LOAD) X(SLLI_SRLI) X(SLLI_ADD)                                              \
  X(ADDI_BEQ) X(ADDI_BNE) X(ADDI_BLT) X(ADDI_BGE) X(ADDI_BLTU) X(ADDI_BGEU)                                              \
  X(ADDIW_BEQ) X(ADDIW_BNE) X(ADDIW_BLT) X(ADDIW_BGE) X(ADDIW_BLTU) X(ADDIW_BGEU)

enum slot_op {
#define X(name) SLOT_##name,
  SLOT_SINGLE(X) SLOT_FUSED(X)
#undef X
#define X(name) SLOT_##name##_2, SLOT_##name##_4,
  SLOT_PAIRED(X)
#undef X
  SLOT_OPS
};

#if defined(__wasm__)
#define SLOT_LOAD(ip) (*(const volatile u64 *)(ip)) /* one aligned i64.load: not torn by any engine */
#define PAGE_LOAD(p) (*(p))                         /* what it points to is reached through it: ordered */
#else
#define SLOT_LOAD(ip) __atomic_load_n((ip), __ATOMIC_RELAXED)
#define PAGE_LOAD(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#endif

/* The slot of `pc` in the cache as it stands, setting st->pc_bias; NULL: not there (or pc outside the window). */
static inline const u64 *code_find(struct cpu_state *st, u64 pc) {
  if (UNLIKELY(pc >> 32)) return NULL;
  struct code_page *const *second = PAGE_LOAD(&st->pages[pc >> 22]);
  if (UNLIKELY(!second)) return NULL;
  struct code_page *page = PAGE_LOAD(&second[(pc >> PAGE_SHIFT) & 1023]);
  if (UNLIKELY(!page)) return NULL;
  st->pc_bias = (pc & ~(u64)(PAGE_BYTES - 1)) - ((uintptr_t)page->slots >> 2);
  return &page->slots[(pc & (PAGE_BYTES - 1)) >> 1];
}

/* Make the address space's cache; false: no memory. Takes the lock. */
bool code_attach(struct cpu_state *st);
/* The slot of pc, making its page: NULL with st->fault and st->pc set when pc may not be executed. Takes the lock. */
const u64 *code_enter(struct cpu_state *st, u64 pc);
/* Fill the slot at ip and those after it up to the end of its run. false: st->fault set (pc is ip's). Takes the lock. */
bool code_decode(struct cpu_state *st, const u64 *ip);
/* The instruction at pc, whose pages may be executed: 16 or 32 bits. */
u32 code_bits(u64 pc);
/* What the slot of pc would hold were it no entry of translated code. */
u64 code_plain(u64 pc);
/* The slot of pc, decoded (NULL: not executable now), or as it is (NULL: no such page). Lock held. */
u64 *code_slot(struct mm *mm, u32 pc);
u64 *code_slot_peek(struct mm *mm, u32 pc);
/* Marks of function starts: set one; the last one at or before pc, at most `reach` bytes back, else pc. Lock held; none. */
void code_start_mark(struct mm *mm, u32 pc);
u32 code_start_before(const struct mm *mm, u32 pc, u32 reach);
/* fence.i: forget what writable pages hold. Takes the lock; own memory. */
void code_fence(struct cpu_state *st);
#endif
