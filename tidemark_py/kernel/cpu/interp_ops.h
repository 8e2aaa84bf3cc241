/* cpu/interp_ops: the handlers, one per slot operation: included by interp.c, inside its dispatch switch (or as
 * functions). Macros and names come from there. */
#ifdef SLICE

OP(UNDECODED) {
  if (!code_decode(st, ip)) EXIT(CPU_FAULT);
  DISPATCH();
}
OP(TRANSLATED) {
  if (ip != st->skip) EXIT(CPU_TRANSLATED);
  st->skip = NULL;
  s = code_plain(PC);
  goto decoded;
}
OP(PAGE_END) { /* not an instruction: nothing is counted */
  u64 pc = PC;
  ip = code_find(st, pc);
  if (UNLIKELY(!ip) && !(ip = code_enter(st, pc))) EXIT(CPU_FAULT);
  DISPATCH();
}
OP(ILLEGAL) { EXIT(CPU_ILLEGAL); }
OP(ECALL) {
  count--;
  EXIT(CPU_ECALL);
}
OP(BREAK) { EXIT(CPU_BREAK); }
OP(FENCE) {
  guest_fence();
  NEXT(2);
}
OP(FENCE_I) {
  code_fence(st);
  NEXT(2);
}
OP(CSR) {
  u32 what = (u32)IMM;
  csr_execute(st, what >> 16, FIELD(SLOT_RD), FIELD(SLOT_RS1), what & 0xfff, st->retired + (u64)(i64)(st->slice - count));
  NEXT(2);
}
OP(ATOMIC) {
  if (!memory_atomic(st, (u32)IMM, FIELD(SLOT_RD), X1, X2)) EXIT(CPU_FAULT);
  NEXT(2);
}

/* ---- constants, moves, jumps ---- */
OP(NOP_2) { NEXT(1); }
OP(NOP_4) { NEXT(2); }
ALU(LI, IMM)
OP(LIU) {
  RD = (u32)IMM;
  ip += LOW, count--;
  DISPATCH();
}
ALU4(AUIPC, PC + (u64)IMM)
ALU(MV, X1)
OP(J_2) { JUMP_NEAR(); }
OP(J_4) { JUMP_NEAR(); }
OP(JAL) {
  RD = PC + 4;
  JUMP_NEAR();
}
OP(J_FAR) { JUMP_FAR(PC + (u64)IMM); }
OP(JAL_FAR) {
  u64 pc = PC;
  RD = pc + 4;
  JUMP_FAR(pc + (u64)IMM);
}
OP(JR_2) { JUMP_FAR(X1 & ~1ull); }
OP(JR_4) { JUMP_FAR((X1 + (u64)IMM) & ~1ull); }
OP(JALR_2) {
  u64 target = X1 & ~1ull;
  RD = PC + 2;
  JUMP_FAR(target);
}
OP(JALR_4) {
  u64 target = (X1 + (u64)IMM) & ~1ull;
  RD = PC + 4;
  JUMP_FAR(target);
}

BRANCH(BEQZ_2, 1, X1 == 0)
BRANCH(BEQZ_4, 2, X1 == 0)
BRANCH(BNEZ_2, 1, X1 != 0)
BRANCH(BNEZ_4, 2, X1 != 0)
BRANCH(BLTZ, 2, (i64)X1 < 0)
BRANCH(BGEZ, 2, (i64)X1 >= 0)
BRANCH(BLEZ, 2, (i64)X1 <= 0)
BRANCH(BGTZ, 2, (i64)X1 > 0)
BRANCH(BEQ, 2, X1 == X2)
BRANCH(BNE, 2, X1 != X2)
BRANCH(BLT, 2, (i64)X1 < (i64)X2)
BRANCH(BGE, 2, (i64)X1 >= (i64)X2)
BRANCH(BLTU, 2, X1 < X2)
BRANCH(BGEU, 2, X1 >= X2)
BRANCH_FAR(BEQ_FAR, X1 == X2)
BRANCH_FAR(BNE_FAR, X1 != X2)
BRANCH_FAR(BLT_FAR, (i64)X1 < (i64)X2)
BRANCH_FAR(BGE_FAR, (i64)X1 >= (i64)X2)
BRANCH_FAR(BLTU_FAR, X1 < X2)
BRANCH_FAR(BGEU_FAR, X1 >= X2)

/* ---- integer ---- */
ALU(ADDI, X1 + (u64)IMM)
ALU(ADDIW, SEXT32(X1 + (u64)IMM))
ALU(ANDI, X1 & (u64)IMM)
ALU(SLLI, X1 << IMM)
ALU(SRLI, X1 >> IMM)
ALU(SRAI, (i64)X1 >> IMM)
ALU(ADD, X1 + X2)
ALU(SUB, X1 - X2)
ALU(XOR, X1 ^ X2)
ALU(OR, X1 | X2)
ALU(AND, X1 & X2)
ALU(ADDW, SEXT32(X1 + X2))
ALU(SUBW, SEXT32(X1 - X2))
ALU4(SLTI, (i64)X1 < IMM)
ALU4(SLTIU, X1 < (u64)IMM)
ALU4(XORI, X1 ^ (u64)IMM)
ALU4(ORI, X1 | (u64)IMM)
ALU4(SLLIW, SEXT32((u32)X1 << IMM))
ALU4(SRLIW, SEXT32((u32)X1 >> IMM))
ALU4(SRAIW, (i64)((i32)X1 >> IMM))
ALU4(SLL, X1 << (X2 & 63))
ALU4(SRL, X1 >> (X2 & 63))
ALU4(SRA, (i64)X1 >> (X2 & 63))
ALU4(SLT, (i64)X1 < (i64)X2)
ALU4(SLTU, X1 < X2)
ALU4(SLLW, SEXT32((u32)X1 << (X2 & 31)))
ALU4(SRLW, SEXT32((u32)X1 >> (X2 & 31)))
ALU4(SRAW, (i64)((i32)X1 >> (X2 & 31)))
ALU4(MUL, X1 * X2)
ALU4(MULH, mul_high_signed(X1, X2))
ALU4(MULHSU, mul_high_mixed(X1, X2))
ALU4(MULHU, mul_high(X1, X2))
ALU4(DIV, div_signed((i64)X1, (i64)X2))
ALU4(DIVU, div_unsigned(X1, X2))
ALU4(REM, rem_signed((i64)X1, (i64)X2))
ALU4(REMU, rem_unsigned(X1, X2))
ALU4(MULW, SEXT32((u32)X1 * (u32)X2))
ALU4(DIVW, SEXT32(div_signed((i32)X1, (i32)X2)))
ALU4(DIVUW, SEXT32(div32((u32)X1, (u32)X2)))
ALU4(REMW, rem_signed((i32)X1, (i32)X2))
ALU4(REMUW, SEXT32(rem32((u32)X1, (u32)X2)))

/* ---- pairs ---- */
#define NEXT_PAIR()                                                                                                      \
  do {                                                                                                                   \
    ip += LOW, count -= 2;                                                                                               \
    DISPATCH();                                                                                                          \
  } while (0)
OP(PAIR_LI) {
  RD = (u64)IMM;
  NEXT_PAIR();
}
OP(PAIR_LIU) {
  RD = (u32)IMM;
  NEXT_PAIR();
}
OP(PAIR_CALL) { /* auipc ra; jalr ra */
  RD = PC + 2 * LOW;
  count--;
  JUMP_FAR((u64)(u32)IMM);
}
OP(PAIR_LOAD) { /* auipc r; ld r, off(r) */
  u64 a = (u32)IMM, v;
  if (LIKELY(!(a & ODD_BITS(8))) && LIKELY(guest_perm((u32)a >> PAGE_SHIFT) & PERM_R)) v = guest_ld64((u32)a);
  else {
    if (!memory_load(st, a, 8)) { /* the auipc has been executed */
      u64 pc = PC;
      RD = pc + (u64)(i64)insn_decode(code_bits(pc)).imm;
      ip += 2, count--;
      EXIT(CPU_FAULT);
    }
    v = st->value;
  }
  RD = v;
  NEXT_PAIR();
}
OP(SLLI_SRLI) {
  RD = X1 << (IMM & 63) >> (IMM >> 8);
  NEXT_PAIR();
}
OP(SLLI_ADD) {
  RD = (X1 << IMM) + X2;
  NEXT_PAIR();
}
#define ADD_BRANCH(name, sum, cond)                                                                                      \
  OP(name) {                                                                                                             \
    RD = sum;                                                                                                            \
    if (cond) {                                                                                                          \
      ip = (const u64 *)(const void *)((const char *)ip + ((i64)(s << 12) >> 44));                                       \
      count--;                                                                                                           \
      JUMPED();                                                                                                          \
    }                                                                                                                    \
    NEXT_PAIR();                                                                                                         \
  }
#define ADD_BRANCHES(name, sum)                                                                                          \
  ADD_BRANCH(name##_BEQ, sum, X1 == X2)                                                                                  \
  ADD_BRANCH(name##_BNE, sum, X1 != X2)                                                                                  \
  ADD_BRANCH(name##_BLT, sum, (i64)X1 < (i64)X2)                                                                         \
  ADD_BRANCH(name##_BGE, sum, (i64)X1 >= (i64)X2)                                                                        \
  ADD_BRANCH(name##_BLTU, sum, X1 < X2)                                                                                  \
  ADD_BRANCH(name##_BGEU, sum, X1 >= X2)
ADD_BRANCHES(ADDI, RD + (u64)((i64)s >> 52))
ADD_BRANCHES(ADDIW, SEXT32(RD + (u64)((i64)s >> 52)))

/* ---- memory ---- */
#define TO_U64(v) (v)
#define TO_I8(v) ((u64)(i64)(i8)(v))
#define TO_I16(v) ((u64)(i64)(i16)(v))
#define TO_BOX(v) ((v) | 0xffffffff00000000ull)
LOAD24(LW, 4, guest_ld32, SEXT32, RD)
LOAD24(LD, 8, guest_ld64, TO_U64, RD)
LOAD(LB, 2, 1, guest_ld8, TO_I8, RD)
LOAD(LH, 2, 2, guest_ld16, TO_I16, RD)
LOAD(LBU, 2, 1, guest_ld8, TO_U64, RD)
LOAD(LHU, 2, 2, guest_ld16, TO_U64, RD)
LOAD(LWU, 2, 4, guest_ld32, TO_U64, RD)
LOAD(FLW, 2, 4, guest_ld32, TO_BOX, FD)
LOAD24(FLD, 8, guest_ld64, TO_U64, FD)
STORE(SB, 2, 1, guest_st8, u32, X2)
STORE(SH, 2, 2, guest_st16, u32, X2)
STORE24(SW, 4, guest_st32, u32, X2)
STORE24(SD, 8, guest_st64, u64, X2)
STORE(FSW, 2, 4, guest_st32, u32, F2)
STORE24(FSD, 8, guest_st64, u64, F2)

/* ---- float: the cases hardware does as well; the rest in fpu.c ---- */
OP(FLOAT) {
  FLOAT_SLOW();
  NEXT(2);
}
FLOAT64(FADD_D, as_double(F1) + as_double(F2), finite64)
FLOAT64(FSUB_D, as_double(F1) - as_double(F2), finite64)
FLOAT64(FMUL_D, as_double(F1) * as_double(F2), plain64)
FLOAT64(FDIV_D, as_double(F1) / as_double(F2), plain64)
#ifdef __wasm__
FLOAT64(FSQRT_D, __builtin_sqrt(as_double(F1)), plain64)
#else /* would want libm for errno's sake */
OP(FSQRT_D) {
  FLOAT_SLOW();
  NEXT(2);
}
#endif
FLOAT32(FADD_S, as_float(F1) + as_float(F2))
FLOAT32(FSUB_S, as_float(F1) - as_float(F2))
FLOAT32(FMUL_S, as_float(F1) * as_float(F2))
FLOAT32(FDIV_S, as_float(F1) / as_float(F2))
COMPARE64(FEQ_D, ==)
COMPARE64(FLT_D, <)
COMPARE64(FLE_D, <=)
OP(FMV_D) {
  FD = F1;
  NEXT(2);
}
OP(FSGNJ_D) {
  FD = (F1 & ~F64_SIGN) | (F2 & F64_SIGN);
  NEXT(2);
}
OP(FSGNJN_D) {
  FD = (F1 & ~F64_SIGN) | (~F2 & F64_SIGN);
  NEXT(2);
}
OP(FSGNJX_D) {
  FD = F1 ^ (F2 & F64_SIGN);
  NEXT(2);
}
OP(FMV_X_D) {
  RD = F1;
  NEXT(2);
}
OP(FMV_D_X) {
  FD = X1;
  NEXT(2);
}
OP(FMV_X_W) {
  RD = SEXT32(F1);
  NEXT(2);
}
OP(FMV_W_X) {
  FD = TO_BOX(X1);
  NEXT(2);
}
OP(FCVT_D_W) { /* exact in every mode */
  if (LOW == RM_DYN && st->frm > RM_RMM) FLOAT_SLOW();
  else FD = as_bits((double)(i32)X1);
  NEXT(2);
}
OP(FCVT_D_L) {
  if (LIKELY(st->float_fast)) FD = as_bits((double)(i64)X1);
  else FLOAT_SLOW();
  NEXT(2);
}
OP(FCVT_D_S) {
  float v = as_float(F1);
  if (LIKELY(v == v) && boxed(F1) && st->float_fast) FD = as_bits((double)v);
  else FLOAT_SLOW();
  NEXT(2);
}
#endif
