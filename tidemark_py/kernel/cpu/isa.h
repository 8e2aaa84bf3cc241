/* cpu/isa: the instructions of rv64gc (I M A F D C Zicsr Zifencei), one row each, and the decoded form.
 *
 * Row: X(NAME, "mnemonic", FORMAT). Compressed instructions decode to their 32-bit equivalents with length 2.
 * Used by decode, disasm, code (slot building) and the interpreter. Unprivileged ISA 20240411. */
#ifndef TIDEMARK_CPU_ISA_H
#define TIDEMARK_CPU_ISA_H
#include "../core/core.h"

/* Formats say what the disassembler prints and which fields of struct insn count. */
enum insn_format {
  F_NONE,   /* nothing */
  F_U,      /* rd, imm */
  F_J,      /* rd, target */
  F_I,      /* rd, rs1, imm */
  F_LOAD,   /* rd, imm(rs1) */
  F_STORE,  /* rs2, imm(rs1) */
  F_B,      /* rs1, rs2, target */
  F_R,      /* rd, rs1, rs2 */
  F_LR,     /* rd, (rs1) */
  F_AMO,    /* rd, rs2, (rs1) */
  F_CSR,    /* rd, csr, rs1 */
  F_CSRI,   /* rd, csr, uimm */
  F_FENCE,  /* pred, succ */
  F_FLOAD,  /* fd, imm(rs1) */
  F_FSTORE, /* fs2, imm(rs1) */
  F_F4,     /* fd, fs1, fs2, fs3, rm */
  F_F3RM,   /* fd, fs1, fs2, rm */
  F_F3,     /* fd, fs1, fs2 */
  F_F2RM,   /* fd, fs1, rm */
  F_CMP,    /* rd, fs1, fs2 */
  F_XF,     /* rd, fs1 */
  F_XFRM,   /* rd, fs1, rm */
  F_FX,     /* fd, rs1 */
  F_FXRM,   /* fd, rs1, rm */
};

#define ISA_INT(X)                                                                                                       \
  X(LUI, "lui", F_U) X(AUIPC, "auipc", F_U) X(JAL, "jal", F_J) X(JALR, "jalr", F_LOAD)                                   \
  X(BEQ, "beq", F_B) X(BNE, "bne", F_B) X(BLT, "blt", F_B) X(BGE, "bge", F_B) X(BLTU, "bltu", F_B) X(BGEU, "bgeu", F_B)  \
  X(LB, "lb", F_LOAD) X(LH, "lh", F_LOAD) X(LW, "lw", F_LOAD) X(LD, "ld", F_LOAD)                                        \
  X(LBU, "lbu", F_LOAD) X(LHU, "lhu", F_LOAD) X(LWU, "lwu", F_LOAD)                                                      \
  X(SB, "sb", F_STORE) X(SH, "sh", F_STORE) X(SW, "sw", F_STORE) X(SD, "sd", F_STORE)                                    \
  X(ADDI, "addi", F_I) X(SLTI, "slti", F_I) X(SLTIU, "sltiu", F_I) X(XORI, "xori", F_I) X(ORI, "ori", F_I)               \
  X(ANDI, "andi", F_I) X(SLLI, "slli", F_I) X(SRLI, "srli", F_I) X(SRAI, "srai", F_I)                                    \
  X(ADD, "add", F_R) X(SUB, "sub", F_R) X(SLL, "sll", F_R) X(SLT, "slt", F_R) X(SLTU, "sltu", F_R) X(XOR, "xor", F_R)    \
  X(SRL, "srl", F_R) X(SRA, "sra", F_R) X(OR, "or", F_R) X(AND, "and", F_R)                                              \
  X(ADDIW, "addiw", F_I) X(SLLIW, "slliw", F_I) X(SRLIW, "srliw", F_I) X(SRAIW, "sraiw", F_I)                            \
  X(ADDW, "addw", F_R) X(SUBW, "subw", F_R) X(SLLW, "sllw", F_R) X(SRLW, "srlw", F_R) X(SRAW, "sraw", F_R)               \
  X(MUL, "mul", F_R) X(MULH, "mulh", F_R) X(MULHSU, "mulhsu", F_R) X(MULHU, "mulhu", F_R)                                \
  X(DIV, "div", F_R) X(DIVU, "divu", F_R) X(REM, "rem", F_R) X(REMU, "remu", F_R)                                        \
  X(MULW, "mulw", F_R) X(DIVW, "divw", F_R) X(DIVUW, "divuw", F_R) X(REMW, "remw", F_R) X(REMUW, "remuw", F_R)           \
  X(FENCE, "fence", F_FENCE) X(FENCE_I, "fence.i", F_NONE) X(ECALL, "ecall", F_NONE) X(EBREAK, "ebreak", F_NONE)         \
  X(CSRRW, "csrrw", F_CSR) X(CSRRS, "csrrs", F_CSR) X(CSRRC, "csrrc", F_CSR)                                             \
  X(CSRRWI, "csrrwi", F_CSRI) X(CSRRSI, "csrrsi", F_CSRI) X(CSRRCI, "csrrci", F_CSRI)

/* W and D forms alternate: decode adds 1 for the 64-bit one. */
#define ISA_ATOMIC(X)                                                                                                    \
  X(LR_W, "lr.w", F_LR) X(LR_D, "lr.d", F_LR) X(SC_W, "sc.w", F_AMO) X(SC_D, "sc.d", F_AMO)                              \
  X(AMOSWAP_W, "amoswap.w", F_AMO) X(AMOSWAP_D, "amoswap.d", F_AMO)                                                      \
  X(AMOADD_W, "amoadd.w", F_AMO) X(AMOADD_D, "amoadd.d", F_AMO)                                                          \
  X(AMOXOR_W, "amoxor.w", F_AMO) X(AMOXOR_D, "amoxor.d", F_AMO)                                                          \
  X(AMOAND_W, "amoand.w", F_AMO) X(AMOAND_D, "amoand.d", F_AMO)                                                          \
  X(AMOOR_W, "amoor.w", F_AMO) X(AMOOR_D, "amoor.d", F_AMO)                                                              \
  X(AMOMIN_W, "amomin.w", F_AMO) X(AMOMIN_D, "amomin.d", F_AMO)                                                          \
  X(AMOMAX_W, "amomax.w", F_AMO) X(AMOMAX_D, "amomax.d", F_AMO)                                                          \
  X(AMOMINU_W, "amominu.w", F_AMO) X(AMOMINU_D, "amominu.d", F_AMO)                                                      \
  X(AMOMAXU_W, "amomaxu.w", F_AMO) X(AMOMAXU_D, "amomaxu.d", F_AMO)

/* S and D forms alternate: decode adds 1 for double. */
#define ISA_FLOAT(X)                                                                                                     \
  X(FMADD_S, "fmadd.s", F_F4) X(FMADD_D, "fmadd.d", F_F4) X(FMSUB_S, "fmsub.s", F_F4) X(FMSUB_D, "fmsub.d", F_F4)        \
  X(FNMSUB_S, "fnmsub.s", F_F4) X(FNMSUB_D, "fnmsub.d", F_F4) X(FNMADD_S, "fnmadd.s", F_F4)                              \
  X(FNMADD_D, "fnmadd.d", F_F4)                                                                                          \
  X(FADD_S, "fadd.s", F_F3RM) X(FADD_D, "fadd.d", F_F3RM) X(FSUB_S, "fsub.s", F_F3RM) X(FSUB_D, "fsub.d", F_F3RM)        \
  X(FMUL_S, "fmul.s", F_F3RM) X(FMUL_D, "fmul.d", F_F3RM) X(FDIV_S, "fdiv.s", F_F3RM) X(FDIV_D, "fdiv.d", F_F3RM)        \
  X(FSQRT_S, "fsqrt.s", F_F2RM) X(FSQRT_D, "fsqrt.d", F_F2RM)                                                            \
  X(FSGNJ_S, "fsgnj.s", F_F3) X(FSGNJ_D, "fsgnj.d", F_F3) X(FSGNJN_S, "fsgnjn.s", F_F3) X(FSGNJN_D, "fsgnjn.d", F_F3)    \
  X(FSGNJX_S, "fsgnjx.s", F_F3) X(FSGNJX_D, "fsgnjx.d", F_F3)                                                            \
  X(FMIN_S, "fmin.s", F_F3) X(FMIN_D, "fmin.d", F_F3) X(FMAX_S, "fmax.s", F_F3) X(FMAX_D, "fmax.d", F_F3)                \
  X(FLE_S, "fle.s", F_CMP) X(FLE_D, "fle.d", F_CMP) X(FLT_S, "flt.s", F_CMP) X(FLT_D, "flt.d", F_CMP)                    \
  X(FEQ_S, "feq.s", F_CMP) X(FEQ_D, "feq.d", F_CMP) X(FCLASS_S, "fclass.s", F_XF) X(FCLASS_D, "fclass.d", F_XF)          \
  X(FCVT_W_S, "fcvt.w.s", F_XFRM) X(FCVT_W_D, "fcvt.w.d", F_XFRM)                                                        \
  X(FCVT_WU_S, "fcvt.wu.s", F_XFRM) X(FCVT_WU_D, "fcvt.wu.d", F_XFRM)                                                    \
  X(FCVT_L_S, "fcvt.l.s", F_XFRM) X(FCVT_L_D, "fcvt.l.d", F_XFRM)                                                        \
  X(FCVT_LU_S, "fcvt.lu.s", F_XFRM) X(FCVT_LU_D, "fcvt.lu.d", F_XFRM)                                                    \
  X(FCVT_S_W, "fcvt.s.w", F_FXRM) X(FCVT_D_W, "fcvt.d.w", F_FXRM)                                                          \
  X(FCVT_S_WU, "fcvt.s.wu", F_FXRM) X(FCVT_D_WU, "fcvt.d.wu", F_FXRM)                                                      \
  X(FCVT_S_L, "fcvt.s.l", F_FXRM) X(FCVT_D_L, "fcvt.d.l", F_FXRM)                                                        \
  X(FCVT_S_LU, "fcvt.s.lu", F_FXRM) X(FCVT_D_LU, "fcvt.d.lu", F_FXRM)                                                    \
  X(FCVT_S_D, "fcvt.s.d", F_F2RM) X(FCVT_D_S, "fcvt.d.s", F_F2RM)                                                        \
  X(FMV_X_W, "fmv.x.w", F_XF) X(FMV_X_D, "fmv.x.d", F_XF) X(FMV_W_X, "fmv.w.x", F_FX) X(FMV_D_X, "fmv.d.x", F_FX)        \
  X(FLW, "flw", F_FLOAD) X(FLD, "fld", F_FLOAD) X(FSW, "fsw", F_FSTORE) X(FSD, "fsd", F_FSTORE)

#define ISA_ALL(X) ISA_INT(X) ISA_ATOMIC(X) ISA_FLOAT(X)

enum insn_op {
  OP_ILLEGAL,
#define X(name, text, format) OP_##name,
  ISA_ALL(X)
#undef X
  ISA_OPS
};

#define RM_DYN 7u
#define CSR_FFLAGS 0x001u
#define CSR_FRM 0x002u
#define CSR_FCSR 0x003u
#define CSR_CYCLE 0xc00u
#define CSR_TIME 0xc01u
#define CSR_INSTRET 0xc02u

struct insn {
  u16 op;          /* OP_*; OP_ILLEGAL for anything else */
  u8 length;       /* 2 or 4 bytes, right for illegal ones too */
  u8 rd, rs1, rs2, rs3;
  u8 rm;           /* rounding mode field as encoded; aq/rl for atomics */
  i32 imm;         /* sign-extended; LUI and AUIPC: the value added, low 12 bits zero; CSR: its number; FENCE: pred<<4|succ */
};

/* `bits`: 32 bits at pc; the upper half is ignored for a compressed one. */
struct insn insn_decode(u32 bits);
extern const char *const insn_names[ISA_OPS];
extern const u8 insn_formats[ISA_OPS];
#endif
