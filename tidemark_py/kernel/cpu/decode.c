/* cpu/decode: 32 instruction bits -> struct insn. No state, no memory.
 *
 * Follows the Unprivileged ISA 20240411: chapter 35 (opcode maps), 28 (C). Reserved encodings are OP_ILLEGAL; hints
 * (rd = x0 and the like) decode as what they are spelled as and do nothing. Zba, Zbb, Zbs, V are not in rv64gc. */
#include "isa.h"

#define X(name, text, format) [OP_##name] = text,
const char *const insn_names[ISA_OPS] = {[OP_ILLEGAL] = "illegal", ISA_ALL(X)};
#undef X
#define X(name, text, format) [OP_##name] = format,
const u8 insn_formats[ISA_OPS] = {[OP_ILLEGAL] = F_NONE, ISA_ALL(X)};
#undef X

static inline u32 field(u32 v, u32 high, u32 low) { return (v >> low) & ((1u << (high - low + 1)) - 1); }
static inline i32 sign_extend(u32 v, u32 bits) { return (i32)(v << (32 - bits)) >> (32 - bits); }

static i32 imm_i(u32 b) { return (i32)b >> 20; }
static i32 imm_s(u32 b) { return (((i32)b >> 25) * 32) | (i32)field(b, 11, 7); }
static i32 imm_b(u32 b) {
  return sign_extend(field(b, 31, 31) << 12 | field(b, 7, 7) << 11 | field(b, 30, 25) << 5 | field(b, 11, 8) << 1, 13);
}
static i32 imm_j(u32 b) {
  return sign_extend(field(b, 31, 31) << 20 | field(b, 19, 12) << 12 | field(b, 20, 20) << 11 | field(b, 30, 21) << 1, 21);
}

static u16 decode_op_imm(u32 b, struct insn *d, bool word) {
  static const u16 plain[8] = {OP_ADDI, 0, OP_SLTI, OP_SLTIU, OP_XORI, 0, OP_ORI, OP_ANDI};
  u32 f3 = field(b, 14, 12), shift_bits = word ? 5 : 6, high = b >> (20 + shift_bits);
  u32 arithmetic = 1u << (10 - shift_bits); /* bit 30, seen from the end of the shift amount */
  d->imm = imm_i(b);
  if (f3 != 1 && f3 != 5) return word ? (f3 == 0 ? OP_ADDIW : OP_ILLEGAL) : plain[f3];
  d->imm = (i32)field(b, 19 + shift_bits, 20);
  if (high == 0) return f3 == 1 ? (word ? OP_SLLIW : OP_SLLI) : (word ? OP_SRLIW : OP_SRLI);
  if (high == arithmetic && f3 == 5) return word ? OP_SRAIW : OP_SRAI;
  return OP_ILLEGAL;
}

static u16 decode_op(u32 b, bool word) {
  static const u16 base[2][8] = {{OP_ADD, OP_SLL, OP_SLT, OP_SLTU, OP_XOR, OP_SRL, OP_OR, OP_AND},
                                 {OP_ADDW, OP_SLLW, 0, 0, 0, OP_SRLW, 0, 0}};
  static const u16 muldiv[2][8] = {{OP_MUL, OP_MULH, OP_MULHSU, OP_MULHU, OP_DIV, OP_DIVU, OP_REM, OP_REMU},
                                   {OP_MULW, 0, 0, 0, OP_DIVW, OP_DIVUW, OP_REMW, OP_REMUW}};
  u32 f3 = field(b, 14, 12), f7 = b >> 25;
  if (f7 == 0) return base[word][f3];
  if (f7 == 1) return muldiv[word][f3];
  if (f7 == 0x20 && f3 == 0) return word ? OP_SUBW : OP_SUB;
  if (f7 == 0x20 && f3 == 5) return word ? OP_SRAW : OP_SRA;
  return OP_ILLEGAL;
}

static u16 decode_amo(u32 b, struct insn *d) {
  u32 f3 = field(b, 14, 12), f5 = b >> 27, base = OP_ILLEGAL;
  if (f3 != 2 && f3 != 3) return OP_ILLEGAL;
  switch (f5) {
  case 0x02: base = d->rs2 == 0 ? OP_LR_W : OP_ILLEGAL; break;
  case 0x03: base = OP_SC_W; break;
  case 0x01: base = OP_AMOSWAP_W; break;
  case 0x00: base = OP_AMOADD_W; break;
  case 0x04: base = OP_AMOXOR_W; break;
  case 0x0c: base = OP_AMOAND_W; break;
  case 0x08: base = OP_AMOOR_W; break;
  case 0x10: base = OP_AMOMIN_W; break;
  case 0x14: base = OP_AMOMAX_W; break;
  case 0x18: base = OP_AMOMINU_W; break;
  case 0x1c: base = OP_AMOMAXU_W; break;
  }
  d->rm = (u8)field(b, 26, 25);
  return (u16)(base == OP_ILLEGAL ? base : base + (f3 == 3));
}

static u16 decode_system(u32 b, struct insn *d) {
  static const u16 csr[8] = {0, OP_CSRRW, OP_CSRRS, OP_CSRRC, 0, OP_CSRRWI, OP_CSRRSI, OP_CSRRCI};
  u32 f3 = field(b, 14, 12);
  if (f3 == 0) return b == 0x00000073 ? OP_ECALL : b == 0x00100073 ? OP_EBREAK : OP_ILLEGAL;
  d->imm = (i32)(b >> 20);
  bool writes = (f3 & 3) == 1 || d->rs1 != 0; /* csrrs/csrrc with x0 or 0 only read */
  switch (d->imm) {
  case CSR_FFLAGS:
  case CSR_FRM:
  case CSR_FCSR: return csr[f3];
  case CSR_CYCLE:
  case CSR_TIME:
  case CSR_INSTRET: return writes ? OP_ILLEGAL : csr[f3];
  }
  return OP_ILLEGAL;
}

static u16 decode_float(u32 b, struct insn *d) {
  static const u16 sgnj[8] = {OP_FSGNJ_S, OP_FSGNJN_S, OP_FSGNJX_S}, minmax[8] = {OP_FMIN_S, OP_FMAX_S},
                   cmp[8] = {OP_FLE_S, OP_FLT_S, OP_FEQ_S},
                   to_int[4] = {OP_FCVT_W_S, OP_FCVT_WU_S, OP_FCVT_L_S, OP_FCVT_LU_S},
                   from_int[4] = {OP_FCVT_S_W, OP_FCVT_S_WU, OP_FCVT_S_L, OP_FCVT_S_LU};
  u32 f5 = b >> 27, width = field(b, 26, 25), rm = d->rm, base = OP_ILLEGAL;
  bool rm_ok = rm < 5 || rm == RM_DYN, rounds = true;
  if (width > 1) return OP_ILLEGAL;
  switch (f5) {
  case 0x00: base = OP_FADD_S; break;
  case 0x01: base = OP_FSUB_S; break;
  case 0x02: base = OP_FMUL_S; break;
  case 0x03: base = OP_FDIV_S; break;
  case 0x0b: base = d->rs2 == 0 ? OP_FSQRT_S : OP_ILLEGAL; break;
  case 0x04: base = sgnj[rm], rounds = false; break;
  case 0x05: base = minmax[rm], rounds = false; break;
  case 0x14: base = cmp[rm], rounds = false; break;
  case 0x08: /* between the two widths: rs2 names the source */
    if (d->rs2 != 1 - width || !rm_ok) return OP_ILLEGAL;
    return width ? OP_FCVT_D_S : OP_FCVT_S_D;
  case 0x18: base = d->rs2 < 4 ? to_int[d->rs2] : OP_ILLEGAL; break;
  case 0x1a: base = d->rs2 < 4 ? from_int[d->rs2] : OP_ILLEGAL; break;
  case 0x1c:
    rounds = false;
    if (d->rs2 == 0) base = rm == 0 ? OP_FMV_X_W : rm == 1 ? OP_FCLASS_S : OP_ILLEGAL;
    break;
  case 0x1e:
    rounds = false;
    if (d->rs2 == 0 && rm == 0) base = OP_FMV_W_X;
    break;
  }
  if (base == OP_ILLEGAL || (rounds && !rm_ok)) return OP_ILLEGAL;
  return (u16)(base + width);
}

static u16 decode32(u32 b, struct insn *d) {
  static const u16 branches[8] = {OP_BEQ, OP_BNE, 0, 0, OP_BLT, OP_BGE, OP_BLTU, OP_BGEU};
  static const u16 loads[8] = {OP_LB, OP_LH, OP_LW, OP_LD, OP_LBU, OP_LHU, OP_LWU, 0};
  static const u16 stores[8] = {OP_SB, OP_SH, OP_SW, OP_SD};
  static const u16 fma[4] = {OP_FMADD_S, OP_FMSUB_S, OP_FNMSUB_S, OP_FNMADD_S};
  u32 f3 = field(b, 14, 12);
  d->rd = (u8)field(b, 11, 7), d->rs1 = (u8)field(b, 19, 15), d->rs2 = (u8)field(b, 24, 20);
  d->rs3 = (u8)(b >> 27), d->rm = (u8)f3;
  switch (field(b, 6, 2)) {
  case 0x00: d->imm = imm_i(b); return loads[f3];
  case 0x01: d->imm = imm_i(b); return f3 == 2 ? OP_FLW : f3 == 3 ? OP_FLD : OP_ILLEGAL;
  case 0x03:
    d->imm = (i32)field(b, 27, 20);
    return f3 == 0 ? OP_FENCE : f3 == 1 ? OP_FENCE_I : OP_ILLEGAL; /* other fields are reserved for finer fences: ignored */
  case 0x04: return decode_op_imm(b, d, false);
  case 0x05: d->imm = (i32)(b & 0xfffff000u); return OP_AUIPC;
  case 0x06: return decode_op_imm(b, d, true);
  case 0x08: d->imm = imm_s(b); return stores[f3];
  case 0x09: d->imm = imm_s(b); return f3 == 2 ? OP_FSW : f3 == 3 ? OP_FSD : OP_ILLEGAL;
  case 0x0b: return decode_amo(b, d);
  case 0x0c: return decode_op(b, false);
  case 0x0d: d->imm = (i32)(b & 0xfffff000u); return OP_LUI;
  case 0x0e: return decode_op(b, true);
  case 0x10:
  case 0x11:
  case 0x12:
  case 0x13: {
    u32 width = field(b, 26, 25);
    if (width > 1 || f3 == 5 || f3 == 6) return OP_ILLEGAL;
    return (u16)(fma[field(b, 3, 2)] + width);
  }
  case 0x14: return decode_float(b, d);
  case 0x18: d->imm = imm_b(b); return branches[f3];
  case 0x19: d->imm = imm_i(b); return f3 == 0 ? OP_JALR : OP_ILLEGAL;
  case 0x1b: d->imm = imm_j(b); return OP_JAL;
  case 0x1c: return decode_system(b, d);
  }
  return OP_ILLEGAL;
}

/* ---- C: field names as in the specification's chapter; r' are x8..x15 ---- */
static u16 set(struct insn *d, u16 op, u32 rd, u32 rs1, u32 rs2, i32 imm) {
  d->rd = (u8)rd, d->rs1 = (u8)rs1, d->rs2 = (u8)rs2, d->imm = imm;
  return op;
}
static i32 c_imm6(u32 h) { return sign_extend(field(h, 12, 12) << 5 | field(h, 6, 2), 6); }
static i32 c_lw(u32 h) { return (i32)(field(h, 12, 10) << 3 | field(h, 6, 6) << 2 | field(h, 5, 5) << 6); }
static i32 c_ld(u32 h) { return (i32)(field(h, 12, 10) << 3 | field(h, 6, 5) << 6); }
static i32 c_j(u32 h) {
  return sign_extend(field(h, 12, 12) << 11 | field(h, 11, 11) << 4 | field(h, 10, 9) << 8 | field(h, 8, 8) << 10 |
                         field(h, 7, 7) << 6 | field(h, 6, 6) << 7 | field(h, 5, 3) << 1 | field(h, 2, 2) << 5, 12);
}
static i32 c_b(u32 h) {
  return sign_extend(field(h, 12, 12) << 8 | field(h, 11, 10) << 3 | field(h, 6, 5) << 6 | field(h, 4, 3) << 1 |
                         field(h, 2, 2) << 5, 9);
}
static i32 c_ldsp(u32 h) { return (i32)(field(h, 12, 12) << 5 | field(h, 6, 5) << 3 | field(h, 4, 2) << 6); }
static i32 c_lwsp(u32 h) { return (i32)(field(h, 12, 12) << 5 | field(h, 6, 4) << 2 | field(h, 3, 2) << 6); }
static i32 c_sdsp(u32 h) { return (i32)(field(h, 12, 10) << 3 | field(h, 9, 7) << 6); }
static i32 c_swsp(u32 h) { return (i32)(field(h, 12, 9) << 2 | field(h, 8, 7) << 6); }

static u16 decode_c0(u32 h, struct insn *d) {
  u32 rd = 8 + field(h, 4, 2), rs1 = 8 + field(h, 9, 7);
  switch (field(h, 15, 13)) {
  case 0: {
    u32 imm = field(h, 12, 11) << 4 | field(h, 10, 7) << 6 | field(h, 6, 6) << 2 | field(h, 5, 5) << 3;
    return imm ? set(d, OP_ADDI, rd, 2, 0, (i32)imm) : (u16)OP_ILLEGAL;
  }
  case 1: return set(d, OP_FLD, rd, rs1, 0, c_ld(h));
  case 2: return set(d, OP_LW, rd, rs1, 0, c_lw(h));
  case 3: return set(d, OP_LD, rd, rs1, 0, c_ld(h));
  case 5: return set(d, OP_FSD, 0, rs1, rd, c_ld(h));
  case 6: return set(d, OP_SW, 0, rs1, rd, c_lw(h));
  case 7: return set(d, OP_SD, 0, rs1, rd, c_ld(h));
  }
  return OP_ILLEGAL;
}

static u16 decode_c1(u32 h, struct insn *d) {
  static const u16 alu[8] = {OP_SUB, OP_XOR, OP_OR, OP_AND, OP_SUBW, OP_ADDW, 0, 0};
  u32 rd = field(h, 11, 7), r1 = 8 + field(h, 9, 7), r2 = 8 + field(h, 4, 2);
  i32 imm = c_imm6(h);
  switch (field(h, 15, 13)) {
  case 0: return set(d, OP_ADDI, rd, rd, 0, imm);
  case 1: return rd ? set(d, OP_ADDIW, rd, rd, 0, imm) : (u16)OP_ILLEGAL;
  case 2: return set(d, OP_ADDI, rd, 0, 0, imm);
  case 3:
    if (imm == 0) return OP_ILLEGAL;
    if (rd != 2) return set(d, OP_LUI, rd, 0, 0, imm * 4096);
    imm = sign_extend(field(h, 12, 12) << 9 | field(h, 6, 6) << 4 | field(h, 5, 5) << 6 | field(h, 4, 3) << 7 |
                          field(h, 2, 2) << 5, 10);
    return set(d, OP_ADDI, 2, 2, 0, imm);
  case 4:
    switch (field(h, 11, 10)) {
    case 0: return set(d, OP_SRLI, r1, r1, 0, imm & 63);
    case 1: return set(d, OP_SRAI, r1, r1, 0, imm & 63);
    case 2: return set(d, OP_ANDI, r1, r1, 0, imm);
    }
    return set(d, alu[field(h, 12, 12) << 2 | field(h, 6, 5)], r1, r1, r2, 0);
  case 5: return set(d, OP_JAL, 0, 0, 0, c_j(h));
  case 6: return set(d, OP_BEQ, 0, r1, 0, c_b(h));
  case 7: return set(d, OP_BNE, 0, r1, 0, c_b(h));
  }
  return OP_ILLEGAL;
}

static u16 decode_c2(u32 h, struct insn *d) {
  u32 rd = field(h, 11, 7), rs2 = field(h, 6, 2);
  switch (field(h, 15, 13)) {
  case 0: return set(d, OP_SLLI, rd, rd, 0, c_imm6(h) & 63);
  case 1: return set(d, OP_FLD, rd, 2, 0, c_ldsp(h));
  case 2: return rd ? set(d, OP_LW, rd, 2, 0, c_lwsp(h)) : (u16)OP_ILLEGAL;
  case 3: return rd ? set(d, OP_LD, rd, 2, 0, c_ldsp(h)) : (u16)OP_ILLEGAL;
  case 4:
    if (!field(h, 12, 12)) {
      if (rs2) return set(d, OP_ADD, rd, 0, rs2, 0);
      return rd ? set(d, OP_JALR, 0, rd, 0, 0) : (u16)OP_ILLEGAL;
    }
    if (rs2) return set(d, OP_ADD, rd, rd, rs2, 0);
    return rd ? set(d, OP_JALR, 1, rd, 0, 0) : set(d, OP_EBREAK, 0, 0, 0, 0);
  case 5: return set(d, OP_FSD, 0, 2, rs2, c_sdsp(h));
  case 6: return set(d, OP_SW, 0, 2, rs2, c_swsp(h));
  case 7: return set(d, OP_SD, 0, 2, rs2, c_sdsp(h));
  }
  return OP_ILLEGAL;
}

struct insn insn_decode(u32 bits) {
  struct insn d = {0};
  d.length = (bits & 3) == 3 ? 4 : 2;
  switch (bits & 3) {
  case 0: d.op = decode_c0(bits & 0xffff, &d); break;
  case 1: d.op = decode_c1(bits & 0xffff, &d); break;
  case 2: d.op = decode_c2(bits & 0xffff, &d); break;
  default: d.op = (bits & 0x1c) == 0x1c ? (u16)OP_ILLEGAL : decode32(bits, &d); break; /* 0x1f: longer than 32 bits */
  }
  return d;
}
