/* jit/emit: wasm for single instructions. Values of x registers are i64 locals, of f registers f64 locals (all 64 bits
 * of them: a NaN-boxed binary32 travels as it is; wasm moves never change a NaN).
 *
 * Memory: an access, or the run of accesses off one unchanged base in a block, is checked once: bits above 4 GiB, then
 * the permission byte (of the first and the last byte's page for a run). Refused: leave, the interpreter does it. */
#if defined(__wasm__) || defined(JIT_TEXT) /* only wasm has an engine that could run it; tests read it (tests/expect) */
#include "jit.h"

void put_byte(struct jit_buffer *b, u32 v) {
  if (b->length < b->room) b->at[b->length++] = (u8)v;
  else b->full = true;
}
void put_u(struct jit_buffer *b, u32 v) {
  for (; v >= 128; v >>= 7) put_byte(b, v | 128);
  put_byte(b, v);
}
void put_s(struct jit_buffer *b, i64 v) {
  while (v < -64 || v > 63) {
    put_byte(b, ((u32)v & 127) | 128);
    v >>= 7;
  }
  put_byte(b, (u32)v & 127);
}
void put(struct jit_ctx *c, u32 byte) { put_byte(&c->body, byte); }
void put_get(struct jit_ctx *c, u32 local) { put(c, 0x20), put_u(&c->body, local); }
void put_set(struct jit_ctx *c, u32 local) { put(c, 0x21), put_u(&c->body, local); }
static void put_tee(struct jit_ctx *c, u32 local) { put(c, 0x22), put_u(&c->body, local); }
void put_i32(struct jit_ctx *c, u32 v) { put(c, 0x41), put_s(&c->body, (i32)v); }
void put_i64(struct jit_ctx *c, i64 v) { put(c, 0x42), put_s(&c->body, v); }
static void put_f64(struct jit_ctx *c, u64 bits) {
  put(c, 0x44);
  for (u32 i = 0; i < 8; i++) put(c, (u32)(bits >> (8 * i)) & 255);
}
static void memarg(struct jit_ctx *c, u32 align, u32 offset) { put_u(&c->body, align), put_u(&c->body, offset); }

void get_x(struct jit_ctx *c, u32 r) {
  if (r) put_get(c, c->local_of[r]);
  else put_i64(c, 0);
}
void set_x(struct jit_ctx *c, u32 r) {
  if (r) put_set(c, c->local_of[r]);
  else put(c, 0x1a);
}
static void get_f(struct jit_ctx *c, u32 r) { put_get(c, c->local_of[32 + r]); }
static void set_f(struct jit_ctx *c, u32 r) { put_set(c, c->local_of[32 + r]); }

static u32 slot_offset(u32 r) { return r < 32 ? REG_X + 8 * r : REG_F + 8 * (r - 32); }

static void put_registers(struct jit_ctx *c, regset set) {
  for (u32 r = 1; r < 64; r++) {
    if (!(set >> r & 1)) continue;
    put_get(c, LOCAL_BLOCK), put_get(c, c->local_of[r]);
    put(c, r < 32 ? 0x37 : 0x39), memarg(c, 3, slot_offset(r));
  }
}
void put_spill(struct jit_ctx *c, regset set) {
  put_registers(c, set);
  if (!(set >> 32)) return;
  put_get(c, LOCAL_BLOCK), put_i32(c, 1);
  put(c, 0x36), memarg(c, 2, REG_F_WRITTEN);
}
void put_reload(struct jit_ctx *c, regset set) {
  for (u32 r = 1; r < 64; r++) {
    if (!(set >> r & 1)) continue;
    put_get(c, LOCAL_BLOCK), put(c, r < 32 ? 0x29 : 0x2b), memarg(c, 3, slot_offset(r));
    put_set(c, c->local_of[r]);
  }
}

/* Shared exits grow: what they spill is dirty at one of the places that take them and valid at all. */
static u32 exit_shared(struct jit_ctx *c, u32 how, regset dirty, regset valid) {
  u32 best = c->exit_count, least = 65;
  for (u32 e = 0; e < c->exit_count; e++) {
    const struct jit_exit *x = &c->exits[e];
    if (x->how != how || !x->valid || ((x->spill | dirty) & ~(x->valid & valid))) continue;
    u32 more = (u32)__builtin_popcountll(dirty & ~x->spill) + (u32)__builtin_popcountll(x->valid & ~valid);
    if (more < least) best = e, least = more;
  }
  return best;
}

struct jit_leaving leave_open(struct jit_ctx *c, u32 how, u32 pc, u32 adjust, regset dirty, regset valid, bool shared) {
  bool near = pc - c->low < JIT_WINDOW && adjust < 4096;
  valid |= 1; /* x0: always */
  if (how == LEAVE_AT && !(shared && near)) {
    how = LEAVE_THERE;
    if (adjust) c->failed = true;
  }
  u32 e = how == LEAVE_RESULT || shared ? exit_shared(c, how, dirty, valid) : c->exit_count;
  if (e == JIT_MAX_EXITS) {
    c->failed = true;
    return (struct jit_leaving){0};
  }
  struct jit_exit *x = &c->exits[e];
  if (e == c->exit_count) c->exit_count++, *x = (struct jit_exit){.spill = dirty, .valid = shared ? valid : 0, .pc = pc, .how = (u8)how};
  else x->spill |= dirty, x->valid &= valid;
  if (how == LEAVE_THERE) x->valid = 0;
  if (how == LEAVE_AT) put_i32(c, (pc - c->low) >> 1 << 12 | adjust);
  return (struct jit_leaving){.exit = (u16)e, .word = how == LEAVE_AT};
}
void leave_if(struct jit_ctx *c, struct jit_leaving l) {
  put(c, 0x0d), put_u(&c->body, c->depth + l.exit);
  if (l.word) put(c, 0x1a);
}
void leave_now(struct jit_ctx *c, struct jit_leaving l) { put(c, 0x0c), put_u(&c->body, c->depth + l.exit); }
struct jit_leaving leave_spilled(struct jit_ctx *c) { return leave_open(c, LEAVE_SPILLED, 0, 0, 0, ~(regset)0, true); }

/* ---- memory ---- */
struct access {
  const struct jit_node *n;
  u32 index; /* in the block */
  struct jit_facts *facts;
  regset dirty, valid;
};

/* The interpreter is to do this instruction. */
static struct jit_leaving leave_here(struct jit_ctx *c, const struct access *a) {
  return leave_open(c, LEAVE_AT, c->pcs[a->n->first + a->index], a->n->count - a->index, a->dirty, a->valid, true);
}

static const struct jit_fact *fact_find(const struct jit_facts *facts, u32 reg, i32 low, i32 high, u32 need) {
  for (u32 i = 0; i < facts->count; i++) {
    const struct jit_fact *f = &facts->f[i];
    if (f->reg == reg && f->low <= low && f->high >= high && (f->need & need) == need) return f;
  }
  return NULL;
}

static void facts_forget(struct jit_facts *facts, u32 reg, u32 local) {
  for (u32 i = 0; i < facts->count;)
    if (facts->f[i].reg == reg || facts->f[i].local == local) facts->f[i] = facts->f[--facts->count];
    else i++;
}

/* All accesses off `base` from here on in this block while it is unchanged: their span and needs. */
static void group(struct jit_ctx *c, const struct access *a, i32 *low, i32 *high, u32 *need) {
  u32 base = c->insns[a->n->first + a->index].rs1;
  for (u32 i = a->index; i < a->n->count; i++) {
    const struct insn *d = &c->insns[a->n->first + i];
    u32 bytes, wants;
    if (jit_is_access(d, &bytes, &wants) && d->rs1 == base) {
      i32 l = MIN(*low, d->imm), h = MAX(*high, d->imm + (i32)bytes);
      if (h - l <= 2048) *low = l, *high = h, *need |= wants;
    }
    if (jit_writes(d) & X_BIT(base)) break;
  }
}

/* Afterwards address local + (imm - low) is the guest address: returns the fact. */
static struct jit_fact check(struct jit_ctx *c, const struct access *a, u32 bytes, u32 wants) {
  const struct insn *d = &c->insns[a->n->first + a->index];
  const struct jit_fact *known = fact_find(a->facts, d->rs1, d->imm, d->imm + (i32)bytes, wants);
  if (known) return *known;
  i32 low = d->imm, high = d->imm + (i32)bytes;
  u32 need = wants, local = LOCAL_ADDRESS + c->next_address++ % LOCAL_ADDRESSES;
  group(c, a, &low, &high, &need);
  bool single = (u32)(high - low) == bytes;
  facts_forget(a->facts, 64, local);
  struct jit_leaving leaving = leave_here(c, a);
  get_x(c, d->rs1);
  if (low) put_i64(c, low), put(c, 0x7c);
  put_tee(c, LOCAL_T0);
  if (single && bytes > 1 && jit_misaligned(c->pcs[a->n->first + a->index])) { /* in its page? */
    put_i64(c, 32);
    OUT(0x88, 0x50, 0x45);
    put_get(c, LOCAL_T0), put(c, 0xa7), put_i32(c, PAGE_BYTES - 1), put(c, 0x71), put_i32(c, PAGE_BYTES - bytes);
    OUT(0x4b, 0x72); /* gt_u, or */
  } else if (single && bytes > 1) { /* misaligned ones may cross into another page */
    put_i64(c, (i64)(0xffffffff00000000ull | (bytes - 1)));
    OUT(0x83, 0x50, 0x45); /* and, eqz, eqz */
  } else {
    put_i64(c, 32);
    OUT(0x88, 0xa7);
  }
  leave_if(c, leaving);
  leaving = leave_here(c, a);
  put_get(c, LOCAL_T0);
  put(c, 0xa7), put_tee(c, local);
  put_i32(c, 12);
  OUT(0x76, 0x2d, 0, 0); /* shr_u, load8_u */
  if (!single) {
    put_get(c, local);
    put_i32(c, (u32)(high - low - 1)), put(c, 0x6a);
    put_i32(c, 12);
    OUT(0x76, 0x2d, 0, 0, 0x71);
  }
  put_i32(c, need);
  put(c, 0x71);
  if (need == 3) put_i32(c, 3), put(c, 0x47);
  else put(c, 0x45);
  leave_if(c, leaving);
  struct jit_fact f = {.low = low, .high = high, .reg = d->rs1, .need = (u8)need, .local = (u8)local};
  if (d->rs1) {
    if (a->facts->count == JIT_FACTS) memmove(a->facts->f, a->facts->f + 1, sizeof(f) * --a->facts->count);
    a->facts->f[a->facts->count++] = f;
  }
  return f;
}

static void emit_access(struct jit_ctx *c, const struct access *a, u32 bytes, u32 wants) {
  static const u8 code[ISA_OPS] = {[OP_LB] = 0x30, [OP_LBU] = 0x31, [OP_LH] = 0x32, [OP_LHU] = 0x33, [OP_LW] = 0x34,
                                   [OP_LWU] = 0x35, [OP_LD] = 0x29, [OP_FLW] = 0x35, [OP_FLD] = 0x2b, [OP_SB] = 0x3c,
                                   [OP_SH] = 0x3d, [OP_SW] = 0x3e, [OP_SD] = 0x37, [OP_FSW] = 0x3e, [OP_FSD] = 0x39};
  const struct insn *d = &c->insns[a->n->first + a->index];
  struct jit_fact f = check(c, a, bytes, wants);
  put_get(c, f.local);
  switch (d->op) {
  case OP_SB: case OP_SH: case OP_SW: case OP_SD: get_x(c, d->rs2); break;
  case OP_FSW: get_f(c, d->rs2), put(c, 0xbd); break;
  case OP_FSD: get_f(c, d->rs2); break;
  }
  put(c, code[d->op]), memarg(c, 0, HEAD_BYTES + (u32)(d->imm - f.low));
  switch (d->op) {
  case OP_FLW:
    put_i64(c, (i64)0xffffffff00000000ull);
    OUT(0x84, 0xbf);
    set_f(c, d->rd);
    break;
  case OP_FLD: set_f(c, d->rd); break;
  default:
    if (wants == PERM_R) set_x(c, d->rd);
  }
}

/* ---- float ---- */
#define F64_SMALL 0x0020000000000000ull /* twice the smallest normal number */
#define F64_INFINITE 0x7ff0000000000000ull

/* The result is in LOCAL_FT; leave unless it is what software would give with no new flag. */
static void float_result(struct jit_ctx *c, const struct access *a, u32 ft, bool sum) {
  struct jit_leaving leaving = {0};
  if (sum) leaving = leave_here(c, a);
  put_get(c, ft), put(c, 0xbd), put_i64(c, 1), put(c, 0x86); /* without its sign: integers compare faster */
  if (!sum) put_i64(c, (i64)(F64_SMALL << 1)), put(c, 0x7d);
  put_i64(c, (i64)((sum ? F64_INFINITE : F64_INFINITE - F64_SMALL) << 1)), put(c, 0x5a);
  if (sum) {
    leave_if(c, leaving);
    return;
  }
  /* a zero factor gives an exact zero */
  const struct insn *d = &c->insns[a->n->first + a->index];
  OUT(0x04, 0x40);
  c->depth++;
  leaving = leave_here(c, a);
  if (d->op == OP_FMUL_D || d->op == OP_FDIV_D) {
    get_f(c, d->rs1), put_f64(c, 0), put(c, 0x61);
    if (d->op == OP_FMUL_D) get_f(c, d->rs2), put_f64(c, 0), put(c, 0x61), put(c, 0x72);
    put_get(c, ft), put_f64(c, 0), put(c, 0x61), put(c, 0x71), put(c, 0x45);
    leave_if(c, leaving);
  } else {
    leave_now(c, leaving);
  }
  c->depth--;
  put(c, 0x0b);
}

static void float_fast(struct jit_ctx *c, const struct access *a) {
  if (a->facts->floats) return;
  struct jit_leaving leaving = leave_here(c, a);
  put_get(c, LOCAL_FLOAT), put(c, 0x45);
  leave_if(c, leaving);
  a->facts->floats = true;
}

/* Both operands boxed, or leave. */
static void boxed(struct jit_ctx *c, const struct access *a, u32 r) {
  struct jit_leaving leaving = leave_here(c, a);
  get_f(c, r), put(c, 0xbd), put_i64(c, 32);
  OUT(0x87); /* shr_s */
  put_i64(c, -1), put(c, 0x52);
  leave_if(c, leaving);
}
static void get_single(struct jit_ctx *c, u32 r) {
  get_f(c, r);
  OUT(0xbd, 0xa7, 0xbe);
}

/* To an integer, toward zero; NX is set already. Out of range: leave. */
static void emit_truncate(struct jit_ctx *c, const struct access *a) {
  static const struct {
    u64 low, high; /* more than low, or not less where that is one of the values; less than high */
    u8 compare, code, widen;
  } rows[] = {{0xc1e0000000200000ull, 0x41e0000000000000ull, 0x64, 2, 1},  /* -2^31 - 1, 2^31 */
              {0xbff0000000000000ull, 0x41f0000000000000ull, 0x64, 3, 1},  /* -1, 2^32 */
              {0xc3e0000000000000ull, 0x43e0000000000000ull, 0x66, 6, 0},  /* -2^63, 2^63 */
              {0xbff0000000000000ull, 0x43f0000000000000ull, 0x64, 7, 0}}; /* -1, 2^64 */
  const struct insn *d = &c->insns[a->n->first + a->index];
  u32 i = d->op == OP_FCVT_W_D ? 0 : d->op == OP_FCVT_WU_D ? 1 : d->op == OP_FCVT_L_D ? 2 : 3;
  struct jit_leaving leaving = leave_here(c, a);
  get_f(c, d->rs1), put_f64(c, rows[i].low), put(c, rows[i].compare);
  get_f(c, d->rs1), put_f64(c, rows[i].high), put(c, 0x63);
  OUT(0x71, 0x45);
  leave_if(c, leaving);
  get_f(c, d->rs1), put(c, 0xfc), put(c, rows[i].code);
  if (rows[i].widen) put(c, 0xac);
  set_x(c, d->rd);
}

static void emit_compare(struct jit_ctx *c, const struct access *a) { /* NaNs raise flags */
  const struct insn *d = &c->insns[a->n->first + a->index];
  bool single = d->op == OP_FEQ_S || d->op == OP_FLT_S || d->op == OP_FLE_S;
  void (*get)(struct jit_ctx *, u32) = single ? get_single : get_f;
  u32 equal = single ? 0x5b : 0x61;
  if (single) boxed(c, a, d->rs1), boxed(c, a, d->rs2);
  struct jit_leaving leaving = leave_here(c, a);
  get(c, d->rs1), get(c, d->rs1), put(c, equal), get(c, d->rs2), get(c, d->rs2), put(c, equal);
  OUT(0x71, 0x45);
  leave_if(c, leaving);
  get(c, d->rs1), get(c, d->rs2);
  put(c, equal + (d->op == OP_FEQ_D || d->op == OP_FEQ_S ? 0u : d->op == OP_FLT_D || d->op == OP_FLT_S ? 2u : 4u));
  put(c, 0xad), set_x(c, d->rd);
}

static void emit_float(struct jit_ctx *c, const struct access *a) {
  const struct insn *d = &c->insns[a->n->first + a->index];
  u32 ft = c->local_of[0]; /* an f64 of its own */
  struct jit_leaving leaving;
  if (jit_is_arithmetic(d)) float_fast(c, a);
  switch (d->op) {
  case OP_FADD_D: case OP_FSUB_D: case OP_FMUL_D: case OP_FDIV_D:
    get_f(c, d->rs1), get_f(c, d->rs2);
    put(c, d->op == OP_FADD_D ? 0xa0 : d->op == OP_FSUB_D ? 0xa1 : d->op == OP_FMUL_D ? 0xa2 : 0xa3);
    put_set(c, ft);
    float_result(c, a, ft, d->op == OP_FADD_D || d->op == OP_FSUB_D);
    put_get(c, ft), set_f(c, d->rd);
    return;
  case OP_FSQRT_D:
    get_f(c, d->rs1), put(c, 0x9f), put_set(c, ft);
    float_result(c, a, ft, false);
    put_get(c, ft), set_f(c, d->rd);
    return;
  case OP_FMADD_D: case OP_FMSUB_D: case OP_FNMSUB_D: case OP_FNMADD_D:
    get_f(c, d->rs1);
    if (d->op == OP_FNMSUB_D || d->op == OP_FNMADD_D) put(c, 0x9a);
    get_f(c, d->rs2), get_f(c, d->rs3);
    if (d->op == OP_FMSUB_D || d->op == OP_FNMADD_D) put(c, 0x9a);
    put(c, 0x10), put_u(&c->body, FUNC_FMA), put_set(c, ft);
    float_result(c, a, ft, false);
    put_get(c, ft), set_f(c, d->rd);
    return;
  case OP_FADD_S: case OP_FSUB_S: case OP_FMUL_S: case OP_FDIV_S: case OP_FCVT_S_D:
    if (d->op == OP_FCVT_S_D) {
      get_f(c, d->rs1), put(c, 0xb6);
    } else {
      boxed(c, a, d->rs1), boxed(c, a, d->rs2);
      get_single(c, d->rs1), get_single(c, d->rs2);
      put(c, d->op == OP_FADD_S ? 0x92 : d->op == OP_FSUB_S ? 0x93 : d->op == OP_FMUL_S ? 0x94 : 0x95);
    }
    OUT(0xbc, 0xad); /* reinterpret, extend_u */
    put_i64(c, (i64)0xffffffff00000000ull);
    OUT(0x84, 0xbf);
    put_set(c, ft);
    leaving = leave_here(c, a);
    put_get(c, ft);
    OUT(0xbd, 0xa7); /* the exponent: as plain32 */
    put_i32(c, 23), put(c, 0x76), put_i32(c, 255), put(c, 0x71), put_i32(c, 2), put(c, 0x6b), put_i32(c, 0xfd), put(c, 0x4f);
    leave_if(c, leaving);
    put_get(c, ft), set_f(c, d->rd);
    return;
  case OP_FCVT_W_D: case OP_FCVT_L_D: case OP_FCVT_WU_D: case OP_FCVT_LU_D: emit_truncate(c, a); return;
  case OP_FCVT_D_W: case OP_FCVT_D_WU:
    get_x(c, d->rs1), put(c, 0xa7), put(c, d->op == OP_FCVT_D_W ? 0xb7 : 0xb8);
    set_f(c, d->rd);
    return;
  case OP_FCVT_D_L: case OP_FCVT_D_LU: get_x(c, d->rs1), put(c, d->op == OP_FCVT_D_L ? 0xb9 : 0xba), set_f(c, d->rd); return;
  case OP_FCVT_D_S: /* exact; a NaN is made canonical, or raises a flag */
    boxed(c, a, d->rs1);
    leaving = leave_here(c, a);
    get_single(c, d->rs1), get_single(c, d->rs1), put(c, 0x5c);
    leave_if(c, leaving);
    get_single(c, d->rs1), put(c, 0xbb), set_f(c, d->rd);
    return;
  case OP_FEQ_D: case OP_FLT_D: case OP_FLE_D: case OP_FEQ_S: case OP_FLT_S: case OP_FLE_S: emit_compare(c, a); return;
  case OP_FSGNJ_S: case OP_FSGNJN_S: case OP_FSGNJX_S:
    boxed(c, a, d->rs1);
    if (d->rs1 == d->rs2 && d->op == OP_FSGNJ_S) {
      get_f(c, d->rs1), set_f(c, d->rd);
      return;
    }
    boxed(c, a, d->rs2);
    get_f(c, d->rs1), put(c, 0xbd);
    if (d->op == OP_FSGNJX_S) {
      get_f(c, d->rs2), put(c, 0xbd), put_i64(c, 0x80000000ll);
      OUT(0x83, 0x85);
    } else {
      put_i64(c, (i64)0xffffffff7fffffffull), put(c, 0x83), get_f(c, d->rs2), put(c, 0xbd);
      if (d->op == OP_FSGNJN_S) put_i64(c, -1), put(c, 0x85);
      put_i64(c, 0x80000000ll);
      OUT(0x83, 0x84);
    }
    put(c, 0xbf), set_f(c, d->rd);
    return;
  case OP_FSGNJ_D: case OP_FSGNJN_D: case OP_FSGNJX_D:
    if (d->rs1 == d->rs2 && d->op == OP_FSGNJ_D) {
      get_f(c, d->rs1);
    } else if (d->op == OP_FSGNJX_D) {
      get_f(c, d->rs1), put(c, 0xbd), get_f(c, d->rs2), put(c, 0xbd);
      put_i64(c, INT64_MIN);
      OUT(0x83, 0x85, 0xbf);
    } else {
      get_f(c, d->rs1), get_f(c, d->rs2);
      if (d->op == OP_FSGNJN_D) put(c, 0x9a);
      put(c, 0xa6);
    }
    set_f(c, d->rd);
    return;
  case OP_FMV_X_D: get_f(c, d->rs1), put(c, 0xbd), set_x(c, d->rd); return;
  case OP_FMV_D_X: get_x(c, d->rs1), put(c, 0xbf), set_f(c, d->rd); return;
  case OP_FMV_X_W: get_f(c, d->rs1), put(c, 0xbd), put(c, 0xc4), set_x(c, d->rd); return;
  case OP_FMV_W_X:
    get_x(c, d->rs1), put_i64(c, (i64)0xffffffff00000000ull);
    OUT(0x84, 0xbf);
    set_f(c, d->rd);
    return;
  default: c->failed = true;
  }
}

/* ---- integer ---- */
static void wrapped(struct jit_ctx *c, u32 r) { get_x(c, r), put(c, 0xa7); }

static void emit_divide(struct jit_ctx *c, const struct insn *d) {
  bool word = d->op >= OP_DIVW && d->op <= OP_REMUW, rem = d->op == OP_REM || d->op == OP_REMU || d->op == OP_REMW || d->op == OP_REMUW;
  bool sign = d->op == OP_DIV || d->op == OP_REM || d->op == OP_DIVW || d->op == OP_REMW;
  u32 type = word ? 0x7f : 0x7e;
#define A() (word ? wrapped(c, d->rs1) : get_x(c, d->rs1))
#define B() (word ? wrapped(c, d->rs2) : get_x(c, d->rs2))
  B(), put(c, word ? 0x45 : 0x50), put(c, 0x04), put(c, type); /* by zero */
  if (rem) A();
  else word ? put_i32(c, ~0u) : put_i64(c, -1);
  put(c, 0x05);
  if (sign) {
    B(), word ? put_i32(c, ~0u) : put_i64(c, -1), put(c, word ? 0x46 : 0x51), put(c, 0x04), put(c, type);
    if (rem) word ? put_i32(c, 0) : put_i64(c, 0);
    else word ? put_i32(c, 0) : put_i64(c, 0), A(), put(c, word ? 0x6b : 0x7d);
    put(c, 0x05);
  }
  A(), B(), put(c, (word ? 0x6d : 0x7f) + (rem ? 2u : 0u) + (sign ? 0u : 1u));
  if (sign) put(c, 0x0b);
  put(c, 0x0b);
  if (word) put(c, 0xac);
  set_x(c, d->rd);
}

static void emit_high(struct jit_ctx *c, const struct insn *d) {
  get_x(c, d->rs1), get_x(c, d->rs2), put(c, 0x10), put_u(&c->body, FUNC_HIGH);
  if (d->op != OP_MULHU) { /* less b where a < 0 */
    get_x(c, d->rs1), put_i64(c, 63), put(c, 0x87), get_x(c, d->rs2);
    OUT(0x83, 0x7d);
  }
  if (d->op == OP_MULH) {
    get_x(c, d->rs2), put_i64(c, 63), put(c, 0x87), get_x(c, d->rs1);
    OUT(0x83, 0x7d);
  }
  set_x(c, d->rd);
}

void jit_emit_insn(struct jit_ctx *c, const struct jit_node *n, u32 index, struct jit_facts *facts, regset dirty, regset valid) {
  /* op: 64-bit operator; negative: on the low words, result sign-extended */
  static const i16 plain[ISA_OPS] = {
      [OP_ADDI] = 0x7c, [OP_ADD] = 0x7c, [OP_SUB] = 0x7d, [OP_XORI] = 0x85, [OP_XOR] = 0x85, [OP_ORI] = 0x84, [OP_OR] = 0x84,
      [OP_ANDI] = 0x83, [OP_AND] = 0x83, [OP_SLLI] = 0x86, [OP_SLL] = 0x86, [OP_SRLI] = 0x88, [OP_SRL] = 0x88, [OP_SRAI] = 0x87,
      [OP_SRA] = 0x87, [OP_MUL] = 0x7e, [OP_SLTI] = 0x53, [OP_SLT] = 0x53, [OP_SLTIU] = 0x54, [OP_SLTU] = 0x54,
      [OP_ADDIW] = -0x6a, [OP_ADDW] = -0x6a, [OP_SUBW] = -0x6b, [OP_SLLIW] = -0x74, [OP_SLLW] = -0x74, [OP_SRLIW] = -0x76,
      [OP_SRLW] = -0x76, [OP_SRAIW] = -0x75, [OP_SRAW] = -0x75, [OP_MULW] = -0x6c};
  const struct insn *d = &c->insns[n->first + index];
  struct access a = {.n = n, .index = index, .facts = facts, .dirty = dirty, .valid = valid};
  u32 bytes, wants, pc = c->pcs[n->first + index];
  i32 op = plain[d->op];
#ifdef JIT_DROPPED
  if (d->op == JIT_DROPPED) return;
#endif
  if (jit_is_access(d, &bytes, &wants)) emit_access(c, &a, bytes, wants);
  else if (d->op >= OP_FMADD_S && d->op <= OP_FMV_D_X) emit_float(c, &a);
  else if (d->op == OP_FENCE) OUT(0xfe, 0x03, 0x00);
  else if (insn_formats[d->op] != F_B && d->op != OP_JAL && d->op != OP_JALR && d->rd == 0) return;
  else if (op) {
    bool immediate = insn_formats[d->op] == F_I;
    if (op > 0) {
      if (d->op == OP_ADDI && d->imm == 0) get_x(c, d->rs1);
      else if (d->op == OP_ADDI && d->rs1 == 0) put_i64(c, d->imm);
      else {
        get_x(c, d->rs1);
        if (immediate) put_i64(c, d->imm);
        else get_x(c, d->rs2);
        put(c, (u32)op);
        if (op == 0x53 || op == 0x54) put(c, 0xad);
      }
    } else {
      wrapped(c, d->rs1);
      if (d->op == OP_ADDIW && d->imm == 0) {
      } else {
        if (immediate) put_i32(c, (u32)d->imm);
        else wrapped(c, d->rs2);
        put(c, (u32)-op);
      }
      put(c, 0xac);
    }
    set_x(c, d->rd);
  } else if (d->op == OP_LUI) put_i64(c, d->imm), set_x(c, d->rd);
  else if (d->op == OP_AUIPC) put_i64(c, (i64)pc + d->imm), set_x(c, d->rd);
  else if (d->op >= OP_DIV && d->op <= OP_REMUW && d->op != OP_MULW) emit_divide(c, d);
  else if (d->op >= OP_MULH && d->op <= OP_MULHU) emit_high(c, d);
  else c->failed = true;
  regset w = jit_writes(d);
  for (u32 r = 1; r < 32; r++)
    if (w >> r & 1) facts_forget(facts, r, 255);
}
#endif
