/* cpu/float: see float.h. A number is taken apart into sign, exponent and a 64-bit significand whose top bit is set;
 * what falls off below is kept as a sticky bit 0 ("jam"), which is enough for every rounding since at least eleven bits
 * below the target precision are there. One function, round_pack, puts results together. */
#include "float.h"

enum kind { ZERO, FINITE, INF, QNAN, SNAN };
struct number {
  enum kind kind;
  bool sign;
  i32 exp; /* of the top bit: value = sig * 2^(exp - 63) */
  u64 sig;
};
struct u128 {
  u64 hi, lo;
};

static inline u32 precision(bool wide) { return wide ? 53 : 24; }
static inline i32 exp_max(bool wide) { return wide ? 1023 : 127; }
static inline u32 exp_bits(bool wide) { return wide ? 11 : 8; }
static inline u32 leading_zeros(u64 v) { return (u32)__builtin_clzll(v); }

static u64 shift_right_jam(u64 v, u32 n) {
  if (n == 0) return v;
  if (n > 63) return v != 0;
  return v >> n | ((v << (64 - n)) != 0);
}

static struct number unpack(bool wide, u64 a) {
  u32 fraction_bits = precision(wide) - 1;
  u64 fraction = a & ((1ull << fraction_bits) - 1);
  u32 field = (u32)(a >> fraction_bits) & ((1u << exp_bits(wide)) - 1);
  struct number n = {FINITE, (a >> (wide ? 63 : 31)) & 1, 0, 0};
  if (field == (1u << exp_bits(wide)) - 1) {
    n.kind = fraction == 0 ? INF : fraction >> (fraction_bits - 1) ? QNAN : SNAN;
    return n;
  }
  if (field == 0 && fraction == 0) {
    n.kind = ZERO;
    return n;
  }
  if (field == 0) {
    u32 lead = leading_zeros(fraction);
    n.sig = fraction << lead;
    n.exp = 1 - exp_max(wide) - (i32)(lead - (63 - fraction_bits));
  } else {
    n.sig = (fraction | 1ull << fraction_bits) << (63 - fraction_bits);
    n.exp = (i32)field - exp_max(wide);
  }
  return n;
}

static u64 sign_bit(bool wide, bool sign) { return (u64)sign << (wide ? 63 : 31); }
static u64 infinity(bool wide, bool sign) { return sign_bit(wide, sign) | (wide ? 0x7ff0000000000000ull : 0x7f800000u); }
static u64 default_nan(bool wide) { return wide ? F64_NAN : F32_NAN; }
static u64 nan_result(bool wide, bool invalid, u32 *flags) {
  if (invalid) *flags |= FLAG_NV;
  return default_nan(wide);
}
static bool is_nan(const struct number *n) { return n->kind >= QNAN; }

/* Does rounding `low` (the bits below a unit; `half` is half a unit) move away from zero? */
static bool rounds_up(u32 rm, bool sign, u64 low, u64 half, bool odd) {
  switch (rm) {
  case RM_RNE: return low > half || (low == half && odd);
  case RM_RMM: return low >= half;
  case RM_RDN: return sign && low != 0;
  case RM_RUP: return !sign && low != 0;
  }
  return false;
}

static u64 overflow(bool wide, bool sign, u32 rm, u32 *flags) {
  *flags |= FLAG_OF | FLAG_NX;
  if (rm == RM_RTZ || (rm == RM_RDN && !sign) || (rm == RM_RUP && sign)) return infinity(wide, sign) - 1;
  return infinity(wide, sign);
}

/* sig has its top bit set, exp belongs to it. */
static u64 round_pack(bool wide, bool sign, i32 exp, u64 sig, u32 rm, u32 *flags) {
  u32 drop = 64 - precision(wide), fraction_bits = precision(wide) - 1;
  i32 exp_min = 1 - exp_max(wide);
  u64 mask = (1ull << drop) - 1, half = 1ull << (drop - 1);
  bool tiny = false;
  if (exp < exp_min) {
    /* Tiny unless rounding at full precision, exponent unbounded, would reach the smallest normal number. */
    tiny = !(exp == exp_min - 1 && (sig | mask) == ~0ull &&
             rounds_up(rm, sign, sig & mask, half, (sig >> drop) & 1));
    sig = shift_right_jam(sig, (u32)(exp_min - exp));
    exp = exp_min;
  }
  u64 low = sig & mask, kept = sig >> drop;
  if (low) {
    *flags |= FLAG_NX | (tiny ? FLAG_UF : 0);
    if (rounds_up(rm, sign, low, half, kept & 1)) kept++;
  }
  if (kept >> (fraction_bits + 1)) kept >>= 1, exp++;
  if (exp > exp_max(wide)) return overflow(wide, sign, rm, flags);
  u64 field = kept >> fraction_bits ? (u64)(exp + exp_max(wide)) : 0;
  return sign_bit(wide, sign) | field << fraction_bits | (kept & ((1ull << fraction_bits) - 1));
}

static u64 exact_zero(bool wide, bool sign_a, bool sign_b, u32 rm) {
  return sign_bit(wide, sign_a == sign_b ? sign_a : rm == RM_RDN);
}

/* ---- 128-bit help: wasm has no wide arithmetic and no runtime library here ---- */
static struct u128 multiply(u64 a, u64 b) {
  u64 al = (u32)a, ah = a >> 32, bl = (u32)b, bh = b >> 32;
  u64 ll = al * bl, lh = al * bh, hl = ah * bl, mid = (ll >> 32) + (u32)lh + (u32)hl;
  return (struct u128){ah * bh + (lh >> 32) + (hl >> 32) + (mid >> 32), mid << 32 | (u32)ll};
}
static struct u128 shift_right_jam128(struct u128 v, u32 n) {
  if (n == 0) return v;
  if (n > 127) return (struct u128){0, (v.hi | v.lo) != 0};
  if (n >= 64) return (struct u128){0, shift_right_jam(v.hi, n - 64) | (v.lo != 0)};
  u64 lost = v.lo << (64 - n);
  return (struct u128){v.hi >> n, v.hi << (64 - n) | v.lo >> n | (lost != 0)};
}
/* (hi:0) / d with hi < d and d's top bit set, Knuth's D in base 2^32: quotient, and whether a remainder is left. */
static u64 divide(u64 hi, u64 d, bool *inexact) {
  u64 d1 = d >> 32, d0 = (u32)d, quotient = 0, rest = hi;
  for (int digit = 0; digit < 2; digit++) {
    u64 q = rest / d1, r = rest % d1;
    while (q >> 32 || q * d0 > r << 32) {
      q--, r += d1;
      if (r >> 32) break;
    }
    rest = (rest << 32) - q * d;
    quotient = quotient << 32 | q;
  }
  *inexact = rest != 0;
  return quotient;
}

/* ---- operations ---- */
static u64 add_finite(bool wide, struct number x, struct number y, u32 rm, u32 *flags) {
  if (x.exp < y.exp || (x.exp == y.exp && x.sig < y.sig)) {
    struct number t = x;
    x = y, y = t;
  }
  u64 small = shift_right_jam(y.sig, (u32)(x.exp - y.exp));
  if (x.sign == y.sign) {
    u64 sum = x.sig + small;
    if (sum < x.sig) return round_pack(wide, x.sign, x.exp + 1, sum >> 1 | (sum & 1) | 1ull << 63, rm, flags);
    return round_pack(wide, x.sign, x.exp, sum, rm, flags);
  }
  u64 difference = x.sig - small;
  if (difference == 0) return exact_zero(wide, false, true, rm);
  u32 lead = leading_zeros(difference);
  return round_pack(wide, x.sign, x.exp - (i32)lead, difference << lead, rm, flags);
}

u64 float_add(bool wide, u64 a, u64 b, u32 rm, u32 *flags) {
  struct number x = unpack(wide, a), y = unpack(wide, b);
  if (is_nan(&x) || is_nan(&y)) return nan_result(wide, x.kind == SNAN || y.kind == SNAN, flags);
  if (x.kind == INF) return y.kind == INF && x.sign != y.sign ? nan_result(wide, true, flags) : a;
  if (y.kind == INF) return b;
  if (x.kind == ZERO && y.kind == ZERO) return exact_zero(wide, x.sign, y.sign, rm);
  if (x.kind == ZERO) return b;
  if (y.kind == ZERO) return a;
  return add_finite(wide, x, y, rm, flags);
}

u64 float_mul(bool wide, u64 a, u64 b, u32 rm, u32 *flags) {
  struct number x = unpack(wide, a), y = unpack(wide, b);
  bool sign = x.sign != y.sign;
  if (is_nan(&x) || is_nan(&y)) return nan_result(wide, x.kind == SNAN || y.kind == SNAN, flags);
  if (x.kind == INF || y.kind == INF)
    return x.kind == ZERO || y.kind == ZERO ? nan_result(wide, true, flags) : infinity(wide, sign);
  if (x.kind == ZERO || y.kind == ZERO) return sign_bit(wide, sign);
  struct u128 p = multiply(x.sig, y.sig);
  u64 sig = p.hi | (p.lo != 0);
  i32 exp = x.exp + y.exp + 1;
  if (!(sig >> 63)) sig = p.hi << 1 | p.lo >> 63 | (p.lo << 1 != 0), exp--;
  return round_pack(wide, sign, exp, sig, rm, flags);
}

u64 float_div(bool wide, u64 a, u64 b, u32 rm, u32 *flags) {
  struct number x = unpack(wide, a), y = unpack(wide, b);
  bool sign = x.sign != y.sign, inexact;
  if (is_nan(&x) || is_nan(&y)) return nan_result(wide, x.kind == SNAN || y.kind == SNAN, flags);
  if (x.kind == INF) return y.kind == INF ? nan_result(wide, true, flags) : infinity(wide, sign);
  if (y.kind == INF) return sign_bit(wide, sign);
  if (y.kind == ZERO) {
    if (x.kind == ZERO) return nan_result(wide, true, flags);
    *flags |= FLAG_DZ;
    return infinity(wide, sign);
  }
  if (x.kind == ZERO) return sign_bit(wide, sign);
  /* half of x stays below y, so the quotient fits; its top bit is bit 63 or 62 */
  u64 q = divide(x.sig >> 1, y.sig, &inexact);
  i32 exp = x.exp - y.exp;
  if (!(q >> 63)) q <<= 1, exp--;
  return round_pack(wide, sign, exp, q | inexact, rm, flags);
}

u64 float_sqrt(bool wide, u64 a, u32 rm, u32 *flags) {
  struct number x = unpack(wide, a);
  if (is_nan(&x)) return nan_result(wide, x.kind == SNAN, flags);
  if (x.kind == ZERO || (x.kind == INF && !x.sign)) return a;
  if (x.sign) return nan_result(wide, true, flags);
  /* value = m * 2^e with e even, m in [1, 4): root of m digit by digit, 58 bits, the rest sticky */
  u64 rest = (x.exp & 1) ? x.sig >> 1 : x.sig >> 2; /* m at bits 61 and up: m << 61 */
  i32 exp = (x.exp - (x.exp & 1)) / 2;
  u64 root = 0, bit = 1ull << 61;
  /* invariant: rest = (m - root^2) scaled; both scaled by 2 a step, so that no digit is lost (rest < 2^63) */
  for (int i = 0; i < 58; i++, bit >>= 1) {
    u64 trial = (root << 1) + bit;
    if (rest >= trial) rest -= trial, root += bit;
    rest <<= 1;
  }
  /* root has its top bit at 61 */
  return round_pack(wide, false, exp, root << 2 | (rest != 0), rm, flags);
}

u64 float_fma(bool wide, u64 a, u64 b, u64 c, u32 rm, u32 *flags) {
  struct number x = unpack(wide, a), y = unpack(wide, b), z = unpack(wide, c);
  bool sign = x.sign != y.sign;
  bool invalid = (x.kind == INF && y.kind == ZERO) || (x.kind == ZERO && y.kind == INF);
  if (is_nan(&x) || is_nan(&y) || is_nan(&z) || invalid)
    return nan_result(wide, invalid || x.kind == SNAN || y.kind == SNAN || z.kind == SNAN, flags);
  if (x.kind == INF || y.kind == INF)
    return z.kind == INF && z.sign != sign ? nan_result(wide, true, flags) : infinity(wide, sign);
  if (z.kind == INF) return c;
  if (x.kind == ZERO || y.kind == ZERO) return z.kind == ZERO ? exact_zero(wide, sign, z.sign, rm) : c;
  struct u128 p = multiply(x.sig, y.sig), q;
  i32 exp = x.exp + y.exp + 1;
  if (!(p.hi >> 63)) p.hi = p.hi << 1 | p.lo >> 63, p.lo <<= 1, exp--;
  if (z.kind == ZERO) return round_pack(wide, sign, exp, p.hi | (p.lo != 0), rm, flags);
  q = (struct u128){z.sig, 0};
  bool q_sign = z.sign;
  i32 q_exp = z.exp;
  if (exp < q_exp || (exp == q_exp && (p.hi < q.hi))) { /* p becomes the larger one */
    struct u128 t = p;
    p = q, q = t;
    i32 e = exp;
    exp = q_exp, q_exp = e;
    bool s = sign;
    sign = q_sign, q_sign = s;
  }
  q = shift_right_jam128(q, (u32)(exp - q_exp));
  if (sign == q_sign) {
    u64 lo = p.lo + q.lo, carry = lo < p.lo, hi = p.hi + q.hi + carry;
    u64 jam = lo != 0;
    if (hi < p.hi || (carry && hi == p.hi)) return round_pack(wide, sign, exp + 1, hi >> 1 | (hi & 1) | 1ull << 63 | jam, rm, flags);
    return round_pack(wide, sign, exp, hi | jam, rm, flags);
  }
  u64 lo = p.lo - q.lo, hi = p.hi - q.hi - (p.lo < q.lo);
  if ((hi | lo) == 0) return exact_zero(wide, false, true, rm);
  u32 lead = hi ? leading_zeros(hi) : 64 + leading_zeros(lo);
  if (lead >= 64) hi = lo << (lead - 64), lo = 0;
  else if (lead) hi = hi << lead | lo >> (64 - lead), lo <<= lead;
  return round_pack(wide, sign, exp - (i32)lead, hi | (lo != 0), rm, flags);
}

/* Order as integers: total order with -0 < +0. */
static i64 order_key(bool wide, u64 a) {
  i64 v = wide ? (i64)a : (i64)(i32)(u32)a;
  return v < 0 ? (wide ? (i64)F64_SIGN - v : (i64)(i32)F32_SIGN - v) - 1 : v;
}
static bool both_zero(bool wide, u64 a, u64 b) { return ((a | b) & (wide ? ~F64_SIGN : (u64)(u32)~F32_SIGN)) == 0; }

static u64 min_max(bool wide, u64 a, u64 b, bool max, u32 *flags) {
  struct number x = unpack(wide, a), y = unpack(wide, b);
  if (x.kind == SNAN || y.kind == SNAN) *flags |= FLAG_NV;
  if (is_nan(&x)) return is_nan(&y) ? default_nan(wide) : b;
  if (is_nan(&y)) return a;
  return (order_key(wide, a) < order_key(wide, b)) != max ? a : b;
}
u64 float_min(bool wide, u64 a, u64 b, u32 *flags) { return min_max(wide, a, b, false, flags); }
u64 float_max(bool wide, u64 a, u64 b, u32 *flags) { return min_max(wide, a, b, true, flags); }

static bool unordered(bool wide, u64 a, u64 b, bool signalling, u32 *flags) {
  struct number x = unpack(wide, a), y = unpack(wide, b);
  if (!is_nan(&x) && !is_nan(&y)) return false;
  if (signalling || x.kind == SNAN || y.kind == SNAN) *flags |= FLAG_NV;
  return true;
}
bool float_eq(bool wide, u64 a, u64 b, u32 *flags) {
  return !unordered(wide, a, b, false, flags) && (a == b || both_zero(wide, a, b));
}
bool float_lt(bool wide, u64 a, u64 b, u32 *flags) {
  return !unordered(wide, a, b, true, flags) && !both_zero(wide, a, b) && order_key(wide, a) < order_key(wide, b);
}
bool float_le(bool wide, u64 a, u64 b, u32 *flags) {
  return !unordered(wide, a, b, true, flags) && (both_zero(wide, a, b) || order_key(wide, a) <= order_key(wide, b));
}

u64 float_class(bool wide, u64 a) {
  struct number n = unpack(wide, a);
  switch (n.kind) {
  case SNAN: return 1 << 8;
  case QNAN: return 1 << 9;
  case INF: return n.sign ? 1 << 0 : 1 << 7;
  case ZERO: return n.sign ? 1 << 3 : 1 << 4;
  case FINITE: break;
  }
  if (n.exp < 1 - exp_max(wide)) return n.sign ? 1 << 2 : 1 << 5;
  return n.sign ? 1 << 1 : 1 << 6;
}

u64 float_convert(bool from_wide, u64 a, u32 rm, u32 *flags) {
  struct number n = unpack(from_wide, a);
  if (is_nan(&n)) return nan_result(!from_wide, n.kind == SNAN, flags);
  if (n.kind == INF) return infinity(!from_wide, n.sign);
  if (n.kind == ZERO) return sign_bit(!from_wide, n.sign);
  return round_pack(!from_wide, n.sign, n.exp, n.sig, rm, flags);
}

u64 float_to_int(bool wide, u64 a, bool is_signed, u32 bits, u32 rm, u32 *flags) {
  struct number n = unpack(wide, a);
  /* magnitudes allowed on either side */
  u64 high = is_signed ? (1ull << (bits - 1)) - 1 : bits == 64 ? ~0ull : (1ull << bits) - 1;
  u64 low = is_signed ? 1ull << (bits - 1) : 0;
  bool negative = n.sign && !is_nan(&n), out_of_range = is_nan(&n) || n.kind == INF;
  u64 magnitude = 0;
  u32 inexact = 0;
  if (n.kind == FINITE) {
    if (n.exp > 63) out_of_range = true;
    else {
      u64 rest; /* the fraction, half a unit at its top bit, sticky below */
      if (n.exp >= 0) {
        magnitude = n.sig >> (63 - n.exp);
        rest = n.exp == 63 ? 0 : n.sig << (n.exp + 1);
      } else
        rest = shift_right_jam(n.sig, (u32)(-1 - n.exp));
      if (rest) {
        inexact = FLAG_NX;
        if (rounds_up(rm, n.sign, rest, 1ull << 63, magnitude & 1)) {
          magnitude++;
          if (magnitude == 0) out_of_range = true;
        }
      }
    }
  }
  if (out_of_range || magnitude > (negative ? low : high)) {
    *flags |= FLAG_NV;
    magnitude = negative ? low : high;
  } else
    *flags |= inexact;
  u64 v = negative ? 0 - magnitude : magnitude;
  return bits == 32 ? (u64)(i64)(i32)(u32)v : v;
}

u64 float_from_int(bool wide, u64 v, bool is_signed, u32 bits, u32 rm, u32 *flags) {
  if (bits == 32) v = is_signed ? (u64)(i64)(i32)(u32)v : (u32)v;
  bool sign = is_signed && (i64)v < 0;
  u64 magnitude = sign ? 0 - v : v;
  if (magnitude == 0) return 0;
  u32 lead = leading_zeros(magnitude);
  return round_pack(wide, sign, 63 - (i32)lead, magnitude << lead, rm, flags);
}
