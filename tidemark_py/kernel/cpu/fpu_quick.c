/* cpu/fpu_quick: float instructions by hardware arithmetic where that is provably what cpu/float would give, flags
 * included. Hardware here means what wasm has: binary32 and binary64, round to nearest even, no flags, no fma.
 *
 * Two arguments serve. An exact result raises nothing, so it is right whatever the flags say. An inexact one raises NX
 * alone unless it overflows or is tiny; with NX set already nothing is left to report for a normal result. fma follows
 * Boldo and Melquiond, "Emulation of FMA and correctly rounded sums: proved algorithms using rounding to odd" (2008),
 * on exponents that keep every intermediate value normal. */
#include "float.h"
#include "isa.h"
#include "state.h"
#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif

static inline double to_double(u64 v) {
  double d;
  __builtin_memcpy(&d, &v, 8);
  return d;
}
static inline u64 from_double(double d) {
  u64 v;
  __builtin_memcpy(&v, &d, 8);
  return v;
}
static inline float to_float(u64 v) {
  u32 w = (u32)v;
  float d;
  __builtin_memcpy(&d, &w, 4);
  return d;
}
static inline u64 from_float(float d) {
  u32 v;
  __builtin_memcpy(&v, &d, 4);
  return v | 0xffffffff00000000ull;
}
static inline bool boxed(u64 v) { return v >> 32 == 0xffffffffu; }
static inline u32 exponent(u64 v) { return (u32)(v >> 52) & 0x7ff; }
/* Normal, and not the smallest normal number, which a tiny result may have been rounded to. */
static inline bool plain64(u64 v) { return exponent(v) - 2 < 0x7fd; }
static inline bool plain32(u64 v) { return (((u32)v >> 23 & 0xff) - 2) < 0xfd; }

/* a + b - s where s = a + b rounded: exact for any a, b (Knuth). */
static inline double sum_error(double a, double b, double s) {
  double bb = s - a;
  return (a - (s - bb)) + (b - bb);
}
/* a * b - p where p = a * b rounded (Dekker, with Veltkamp's split). */
static inline double product_error(double a, double b, double p) {
  double ca = 134217729.0 * a, cb = 134217729.0 * b;
  double ah = ca - (ca - a), al = a - ah, bh = cb - (cb - b), bl = b - bh;
  return ((ah * bh - p) + ah * bl + al * bh) + al * bl;
}
/* a + b rounded to odd: the nearest below or above, whichever has an odd last bit, unless exact. */
static inline double add_odd(double a, double b) {
  double s = a + b, e = sum_error(a, b, s);
  u64 v = from_double(s);
  if (e == 0 || (v & 1)) return s;
  return to_double((e > 0) == (s > 0) ? v + 1 : v - 1);
}

bool fpu_fma64(u64 a, u64 b, u64 c, u64 *r) {
  u32 ea = exponent(a), eb = exponent(b), ec = exponent(c);
  double x = to_double(a), y = to_double(b), z = to_double(c);
  if (ea - 200 > 1600 || eb - 200 > 1600 || ea + eb - 1023 - 300 > 1400) return false;
  if (z == 0) {
    *r = from_double(x * y);
    return true;
  }
  if (ec - 200 > 1600) return false;
  double uh = x * y, ul = product_error(x, y, uh);
  double th = z + ul, tl = sum_error(z, ul, th);
  double vh = uh + th, vl = sum_error(uh, th, vh);
  *r = from_double(vh + add_odd(tl, vl));
  return true;
}

/* The product of two binary32 is exact in binary64; so is its sum with a third but for a rounding to odd. */
static bool fma32(u64 a, u64 b, u64 c, u64 *r) {
  double p = (double)to_float(a) * (double)to_float(b), z = (double)to_float(c);
  *r = from_float((float)add_odd(p, z));
  return plain32(*r);
}

static bool fma_quick(u32 op, u64 a, u64 b, u64 c, u64 *r) {
  bool wide = (op - OP_FMADD_S) & 1;
  u32 kind = (op - OP_FMADD_S) / 2; /* madd, msub, nmsub, nmadd */
  u64 sign = wide ? F64_SIGN : F32_SIGN;
  if (kind >= 2) a ^= sign;
  if (kind & 1) c ^= sign;
  return wide ? fpu_fma64(a, b, c, r) : boxed(a) && boxed(b) && boxed(c) && fma32(a, b, c, r);
}

/* Exact, or a zero that is exact: no flags at all. */
static bool exact64(u32 op, u64 a, u64 b, bool sticky, u64 *r) {
  double x = to_double(a), y = to_double(b), s;
  switch (op) {
  case OP_FSUB_D: y = -y; /* fall through */
  case OP_FADD_D:
    s = x + y;
    *r = from_double(s);
    return exponent(*r) != 0x7ff && (sticky || sum_error(x, y, s) == 0);
  case OP_FMUL_D:
    s = x * y;
    *r = from_double(s);
    if (exponent(a) == 0x7ff || exponent(b) == 0x7ff) return false;
    if (x == 0 || y == 0) return true;
    return ((a | b) & 0x7ffffff) == 0 && plain64(*r); /* 26 bits by 26 bits */
  case OP_FDIV_D:
    s = x / y;
    *r = from_double(s);
    if (exponent(a) == 0x7ff || exponent(b) == 0x7ff || y == 0) return false;
    if (x == 0) return true;
    return ((*r | b) & 0x7ffffff) == 0 && plain64(*r) && exponent(a) > 1 && s * y == x;
  }
  return false;
}

static bool exact32(u32 op, u64 a, u64 b, bool sticky, u64 *r) {
  double x = (double)to_float(a), y = (double)to_float(b), s;
  if (!boxed(a) || !boxed(b)) return false;
  switch (op) {
  case OP_FSUB_S: y = -y; /* fall through */
  case OP_FADD_S:
    s = x + y;
    if (sum_error(x, y, s) != 0) return false;
    break;
  case OP_FMUL_S: s = x * y; break;
  default: return false;
  }
  *r = from_float((float)s);
  (void)sticky;
  return s - s == 0 && (double)to_float(*r) == s; /* finite and nothing lost */
}

/* Toward zero, as C casts do. */
static bool truncate(const struct cpu_state *st, u32 op, double v, u64 *x) {
  switch (op) {
  case OP_FCVT_W_S:
  case OP_FCVT_W_D:
    if (!(v > -2147483649.0 && v < 2147483648.0)) return false;
    *x = (u64)(i64)(i32)v;
    return (st->fflags & FLAG_NX) || (double)(i32)v == v;
  case OP_FCVT_L_S:
  case OP_FCVT_L_D:
    if (!(v >= -9223372036854775808.0 && v < 9223372036854775808.0)) return false;
    *x = (u64)(i64)v;
    return (st->fflags & FLAG_NX) || (double)(i64)v == v;
  }
  return false;
}

bool fpu_quick(struct cpu_state *st, u32 op, u32 rd, u32 rs1, u32 rs2, u32 rs3, u32 rm) {
  u64 a = st->f[rs1], b = st->f[rs2], r;
  bool sticky = st->fflags & FLAG_NX, nearest = (rm == RM_DYN ? st->frm : rm) == RM_RNE;
  bool wide = (op - OP_FMADD_S) & 1;
  if (op <= OP_FNMADD_D) {
    if (!nearest || !sticky || !fma_quick(op, a, b, st->f[rs3], &r)) return false;
  } else if (op <= OP_FDIV_D) {
    if (!nearest || !(wide ? exact64(op, a, b, sticky, &r) : exact32(op, a, b, sticky, &r))) return false;
  } else if (op >= OP_FCVT_W_S && op <= OP_FCVT_LU_D) {
    return rm == RM_RTZ && (wide || boxed(a)) && truncate(st, op, wide ? to_double(a) : (double)to_float(a), &st->x[rd]);
  } else {
    switch (op) {
    case OP_FSGNJ_S:
      if (!boxed(a) || !boxed(b)) return false;
      r = (a & ~(u64)F32_SIGN) | (b & F32_SIGN);
      break;
    case OP_FLE_S:
    case OP_FLT_S:
    case OP_FEQ_S: {
      float x = to_float(a), y = to_float(b);
      if (!boxed(a) || !boxed(b) || x != x || y != y) return false;
      st->x[rd] = op == OP_FLE_S ? x <= y : op == OP_FLT_S ? x < y : x == y;
      return true;
    }
    case OP_FCVT_S_D:
      r = from_float((float)to_double(a));
      if (!nearest || !sticky || !plain32(r)) return false;
      break;
    case OP_FCVT_S_W:
      r = from_float((float)(i32)st->x[rs1]);
      if (!nearest || !sticky) return false;
      break;
    case OP_FCVT_S_L:
      r = from_float((float)(i64)st->x[rs1]);
      if (!nearest || !sticky) return false;
      break;
    case OP_FCVT_D_L: {
      i64 v = (i64)st->x[rs1];
      if (!nearest || v > 1ll << 53 || v < -(1ll << 53)) return false;
      r = from_double((double)v);
      break;
    }
    case OP_FCVT_D_S: {
      float v = to_float(a);
      if (!boxed(a) || v != v || (rm == RM_DYN && st->frm > RM_RMM)) return false;
      r = from_double((double)v);
      break;
    }
    default: return false;
    }
  }
  st->f[rd] = r, st->f_dirty = 1;
  return true;
}
