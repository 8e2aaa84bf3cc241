/* cpu/fpu: float instructions in full generality, over cpu/float, and the user CSRs (fflags, frm, fcsr, cycle, time,
 * instret). The interpreter's own fast cases are in interp.c; whatever they cannot prove comes here.
 * NaN boxing (chapter 20.2): a binary32 operand whose upper half is not all ones is the canonical NaN. */
#include "float.h"
#include "isa.h"
#include "state.h"

static inline u64 unbox(bool wide, u64 v) {
  if (wide) return v;
  return v >> 32 == 0xffffffffu ? (u32)v : F32_NAN;
}
static inline u64 box(bool wide, u64 v) { return wide ? v : v | 0xffffffff00000000ull; }

static bool to_integer(struct cpu_state *st, u32 op, u32 rd, u64 a, bool wide, u32 rm, u32 *flags) {
  u32 kind = (op - OP_FCVT_W_S) / 2; /* W, WU, L, LU */
  st->x[rd] = float_to_int(wide, a, !(kind & 1), kind & 2 ? 64 : 32, rm, flags);
  return true;
}

NOINLINE bool fpu_execute(struct cpu_state *st, u32 op, u32 rd, u32 rs1, u32 rs2, u32 rs3, u32 rm) {
  if (fpu_quick(st, op, rd, rs1, rs2, rs3, rm)) return true;
  bool wide = (op - OP_FMADD_S) & 1;
  u64 sign = wide ? F64_SIGN : F32_SIGN;
  u64 a = unbox(wide, st->f[rs1]), b = unbox(wide, st->f[rs2]), x = st->x[rs1], r;
  u32 flags = 0, format = insn_formats[op];
  if (format == F_F4 || format == F_F3RM || format == F_F2RM || format == F_XFRM || format == F_FXRM) {
    if (rm == RM_DYN) rm = st->frm;
    if (rm > RM_RMM) return false;
  } else if (rm == RM_DYN) {
    rm = RM_RNE; /* exact conversions to double */
  }
  switch (op) {
  case OP_FMADD_S:
  case OP_FMADD_D: r = float_fma(wide, a, b, unbox(wide, st->f[rs3]), rm, &flags); break;
  case OP_FMSUB_S:
  case OP_FMSUB_D: r = float_fma(wide, a, b, unbox(wide, st->f[rs3]) ^ sign, rm, &flags); break;
  case OP_FNMSUB_S:
  case OP_FNMSUB_D: r = float_fma(wide, a ^ sign, b, unbox(wide, st->f[rs3]), rm, &flags); break;
  case OP_FNMADD_S:
  case OP_FNMADD_D: r = float_fma(wide, a ^ sign, b, unbox(wide, st->f[rs3]) ^ sign, rm, &flags); break;
  case OP_FADD_S:
  case OP_FADD_D: r = float_add(wide, a, b, rm, &flags); break;
  case OP_FSUB_S:
  case OP_FSUB_D: r = float_add(wide, a, b ^ sign, rm, &flags); break;
  case OP_FMUL_S:
  case OP_FMUL_D: r = float_mul(wide, a, b, rm, &flags); break;
  case OP_FDIV_S:
  case OP_FDIV_D: r = float_div(wide, a, b, rm, &flags); break;
  case OP_FSQRT_S:
  case OP_FSQRT_D: r = float_sqrt(wide, a, rm, &flags); break;
  case OP_FSGNJ_S:
  case OP_FSGNJ_D: r = (a & ~sign) | (b & sign); break;
  case OP_FSGNJN_S:
  case OP_FSGNJN_D: r = (a & ~sign) | (~b & sign); break;
  case OP_FSGNJX_S:
  case OP_FSGNJX_D: r = a ^ (b & sign); break;
  case OP_FMIN_S:
  case OP_FMIN_D: r = float_min(wide, a, b, &flags); break;
  case OP_FMAX_S:
  case OP_FMAX_D: r = float_max(wide, a, b, &flags); break;
  case OP_FCVT_S_D: r = float_convert(true, st->f[rs1], rm, &flags), wide = false; break;
  case OP_FCVT_D_S: r = float_convert(false, unbox(false, st->f[rs1]), rm, &flags), wide = true; break;
  case OP_FCVT_S_W:
  case OP_FCVT_D_W: r = float_from_int(wide, x, true, 32, rm, &flags); break;
  case OP_FCVT_S_WU:
  case OP_FCVT_D_WU: r = float_from_int(wide, x, false, 32, rm, &flags); break;
  case OP_FCVT_S_L:
  case OP_FCVT_D_L: r = float_from_int(wide, x, true, 64, rm, &flags); break;
  case OP_FCVT_S_LU:
  case OP_FCVT_D_LU: r = float_from_int(wide, x, false, 64, rm, &flags); break;
  case OP_FMV_W_X:
  case OP_FMV_D_X: r = wide ? x : (u32)x; break;
  default: /* those that write x registers */
    switch (op) {
    case OP_FLE_S:
    case OP_FLE_D: st->x[rd] = float_le(wide, a, b, &flags); break;
    case OP_FLT_S:
    case OP_FLT_D: st->x[rd] = float_lt(wide, a, b, &flags); break;
    case OP_FEQ_S:
    case OP_FEQ_D: st->x[rd] = float_eq(wide, a, b, &flags); break;
    case OP_FCLASS_S:
    case OP_FCLASS_D: st->x[rd] = float_class(wide, a); break;
    case OP_FMV_X_W: st->x[rd] = (u64)(i64)(i32)(u32)st->f[rs1]; break;
    case OP_FMV_X_D: st->x[rd] = st->f[rs1]; break;
    default: to_integer(st, op, rd, a, wide, rm, &flags); break;
    }
    goto done;
  }
  st->f[rd] = box(wide, r), st->f_dirty = 1;
done:
  if (flags) {
    st->fflags |= flags;
    state_float_mode(st);
  }
  return true;
}

static u64 csr_read(const struct cpu_state *st, u32 csr, u64 instret) {
  switch (csr) {
  case CSR_FFLAGS: return st->fflags;
  case CSR_FRM: return st->frm;
  case CSR_FCSR: return st->frm << 5 | st->fflags;
  case CSR_TIME: return host_monotonic_ns();
  }
  return instret; /* cycle too: one instruction a cycle */
}

bool csr_execute(struct cpu_state *st, u32 op, u32 rd, u32 rs1, u32 csr, u64 instret) {
  bool immediate = op >= OP_CSRRWI;
  u64 old = csr_read(st, csr, instret), operand = immediate ? rs1 : st->x[rs1], v;
  switch (op) {
  case OP_CSRRW:
  case OP_CSRRWI: v = operand; break;
  case OP_CSRRS:
  case OP_CSRRSI: v = old | operand; break;
  default: v = old & ~operand; break;
  }
  if (csr == CSR_FFLAGS) st->fflags = v & 31;
  else if (csr == CSR_FRM) st->frm = v & 7;
  else if (csr == CSR_FCSR) st->fflags = v & 31, st->frm = (v >> 5) & 7;
  state_float_mode(st);
  st->x[rd] = old;
  return true;
}
