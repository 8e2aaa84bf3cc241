/* cpu/float: IEEE 754 binary32 and binary64 in integers, as RISC-V wants them: all five rounding modes, exact flags,
 * fused multiply-add, tininess detected after rounding, canonical NaN results.
 *
 * Values are raw bits, a binary32 in the low half (NaN boxing is the caller's). `wide` picks binary64. Flags are or-ed
 * into *flags. The interpreter uses the hardware where that is provably the same and comes here otherwise. */
#ifndef TIDEMARK_CPU_FLOAT_H
#define TIDEMARK_CPU_FLOAT_H
#include "../core/core.h"

enum { RM_RNE, RM_RTZ, RM_RDN, RM_RUP, RM_RMM };
#define FLAG_NX 1u
#define FLAG_UF 2u
#define FLAG_OF 4u
#define FLAG_DZ 8u
#define FLAG_NV 16u
#define F32_NAN 0x7fc00000u
#define F64_NAN 0x7ff8000000000000ull
#define F32_SIGN 0x80000000u
#define F64_SIGN 0x8000000000000000ull

u64 float_add(bool wide, u64 a, u64 b, u32 rm, u32 *flags); /* subtract: flip b's sign first */
u64 float_mul(bool wide, u64 a, u64 b, u32 rm, u32 *flags);
u64 float_div(bool wide, u64 a, u64 b, u32 rm, u32 *flags);
u64 float_sqrt(bool wide, u64 a, u32 rm, u32 *flags);
u64 float_fma(bool wide, u64 a, u64 b, u64 c, u32 rm, u32 *flags); /* a * b + c, rounded once */
u64 float_min(bool wide, u64 a, u64 b, u32 *flags);
u64 float_max(bool wide, u64 a, u64 b, u32 *flags);
bool float_eq(bool wide, u64 a, u64 b, u32 *flags); /* quiet */
bool float_lt(bool wide, u64 a, u64 b, u32 *flags); /* signalling */
bool float_le(bool wide, u64 a, u64 b, u32 *flags);
u64 float_class(bool wide, u64 a); /* fclass's ten bits */
u64 float_convert(bool from_wide, u64 a, u32 rm, u32 *flags); /* binary64 -> binary32 or back */
/* To integer, saturating; the result is what the register gets (32-bit ones sign-extended). */
u64 float_to_int(bool wide, u64 a, bool is_signed, u32 bits, u32 rm, u32 *flags);
u64 float_from_int(bool wide, u64 v, bool is_signed, u32 bits, u32 rm, u32 *flags);
#endif
