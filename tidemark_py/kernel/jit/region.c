/* jit/region: from a pc to decoded instructions and basic blocks. Reads guest memory: own memory, kernel lock held. */
#if defined(__wasm__) || defined(JIT_TEXT) /* only wasm has an engine that could run it; tests read it (tests/expect) */
#include "jit.h"

bool jit_is_access(const struct insn *d, u32 *bytes, u32 *need) {
  static const u8 sizes[ISA_OPS] = {[OP_LB] = 1, [OP_LBU] = 1, [OP_SB] = 1, [OP_LH] = 2, [OP_LHU] = 2, [OP_SH] = 2,
                                    [OP_LW] = 4, [OP_LWU] = 4, [OP_SW] = 4, [OP_FLW] = 4, [OP_FSW] = 4,
                                    [OP_LD] = 8, [OP_SD] = 8, [OP_FLD] = 8, [OP_FSD] = 8};
  *bytes = sizes[d->op];
  if (!*bytes) return false;
  u32 format = insn_formats[d->op];
  *need = format == F_STORE || format == F_FSTORE ? PERM_W : PERM_R;
  return true;
}

bool jit_is_arithmetic(const struct insn *d) {
  switch (d->op) {
  case OP_FADD_D: case OP_FSUB_D: case OP_FMUL_D: case OP_FDIV_D: case OP_FSQRT_D: case OP_FCVT_D_L:
  case OP_FMADD_D: case OP_FMSUB_D: case OP_FNMSUB_D: case OP_FNMADD_D:
  case OP_FADD_S: case OP_FSUB_S: case OP_FMUL_S: case OP_FDIV_S: case OP_FCVT_S_D:
  case OP_FCVT_W_D: case OP_FCVT_L_D: case OP_FCVT_WU_D: case OP_FCVT_LU_D: case OP_FCVT_D_LU: return true;
  }
  return false;
}

bool jit_translates(const struct insn *d) {
  if (d->op == OP_ILLEGAL) return false;
  if (d->op <= OP_REMUW || d->op == OP_FENCE) return true;
  switch (d->op) {
  case OP_FADD_D: case OP_FSUB_D: case OP_FMUL_D: case OP_FDIV_D: case OP_FSQRT_D: case OP_FCVT_D_L:
  case OP_FADD_S: case OP_FSUB_S: case OP_FMUL_S: case OP_FDIV_S: case OP_FCVT_S_D:
  case OP_FMADD_D: case OP_FMSUB_D: case OP_FNMSUB_D: case OP_FNMADD_D:
  case OP_FCVT_D_LU: return d->rm == 0 || d->rm == RM_DYN;
  case OP_FCVT_W_D: case OP_FCVT_L_D: case OP_FCVT_WU_D: case OP_FCVT_LU_D: return d->rm == 1;
  case OP_FCVT_D_W: case OP_FCVT_D_WU: case OP_FCVT_D_S: return d->rm <= 4;
  case OP_FLW: case OP_FLD: case OP_FSW: case OP_FSD:
  case OP_FSGNJ_D: case OP_FSGNJN_D: case OP_FSGNJX_D: case OP_FEQ_D: case OP_FLT_D: case OP_FLE_D:
  case OP_FSGNJ_S: case OP_FSGNJN_S: case OP_FSGNJX_S: case OP_FEQ_S: case OP_FLT_S: case OP_FLE_S:
  case OP_FMV_X_D: case OP_FMV_D_X: case OP_FMV_X_W: case OP_FMV_W_X: return true;
  }
  return false;
}

regset jit_reads(const struct insn *d) {
  switch (insn_formats[d->op]) {
  case F_I: case F_LOAD: case F_FLOAD: case F_FX: case F_FXRM: return X_BIT(d->rs1);
  case F_STORE: case F_B: case F_R: return X_BIT(d->rs1) | X_BIT(d->rs2);
  case F_FSTORE: return X_BIT(d->rs1) | F_BIT(d->rs2);
  case F_F4: return F_BIT(d->rs1) | F_BIT(d->rs2) | F_BIT(d->rs3);
  case F_F3RM: case F_F3: case F_CMP: return F_BIT(d->rs1) | F_BIT(d->rs2);
  case F_F2RM: case F_XF: case F_XFRM: return F_BIT(d->rs1);
  }
  return 0;
}

regset jit_writes(const struct insn *d) {
  switch (insn_formats[d->op]) {
  case F_U: case F_J: case F_I: case F_LOAD: case F_R: case F_CMP: case F_XF: case F_XFRM: return X_BIT(d->rd);
  case F_FLOAD: case F_FX: case F_FXRM: case F_F4: case F_F3RM: case F_F3: case F_F2RM: return F_BIT(d->rd);
  }
  return 0;
}

#define SEEN_INSN 1u
#define SEEN_LEADER 2u
#define SEEN_QUEUED 4u

static u8 *seen(struct jit_ctx *c, u32 pc) { return &c->seen[(pc - c->low) / 2]; }
static bool inside(const struct jit_ctx *c, u32 pc) { return pc - c->low < JIT_WINDOW - 4; }

/* Instructions are read from pages that may be executed now; any other page ends the region. */
static bool fetch(struct jit_ctx *c, u32 pc, struct insn *d) {
  if (!inside(c, pc) || !(guest_perm(pc >> PAGE_SHIFT) & PERM_X)) return false;
  if ((pc & (PAGE_BYTES - 1)) == PAGE_BYTES - 2 && (guest_ld16(pc) & 3) == 3 && !(guest_perm((pc + 2) >> PAGE_SHIFT) & PERM_X))
    return false;
  *d = insn_decode(code_bits(pc));
  return true;
}

static bool is_link(u32 r) { return r == 1 || r == 5; } /* as the ISA hints; a PLT stub links to t1 and is a jump */
static u32 switch_targets[JIT_SWITCH_TARGETS]; /* under the kernel lock */
static u32 targets_of(struct jit_ctx *c, u32 pc, const struct insn *d) {
  return !is_link(d->rd) && !is_link(d->rs1) ? jit_seen_targets(c, pc, switch_targets) : 0;
}

/* auipc and jalr make a call or jump as direct as jal's: where to. */
static bool direct_pair(const struct insn *before, u32 before_pc, const struct insn *d, u32 *target) {
  if (d->op != OP_JALR || before->op != OP_AUIPC || before->rd != d->rs1 || d->rs1 == 0) return false;
  u64 to = (before_pc + (u64)(i64)before->imm + (u64)(i64)d->imm) & ~1ull;
  *target = (u32)to;
  return !(to >> 32);
}

struct queue {
  u32 pcs[JIT_MAX_BLOCKS];
  u32 head, count;
};
static struct queue queue; /* under the kernel lock */

static void leader(struct jit_ctx *c, u32 pc) {
  if (!inside(c, pc) || (*seen(c, pc) & SEEN_QUEUED) || queue.count == JIT_MAX_BLOCKS) return;
  if (pc != c->start && !jit_wanted(c, pc)) return;
  *seen(c, pc) |= SEEN_QUEUED | SEEN_LEADER;
  queue.pcs[queue.count++] = pc;
}

/* Walk from each leader to the end of its straight line. */
static void walk(struct jit_ctx *c, u32 pc) {
  struct insn d = {0}, before;
  for (;;) {
    before = d;
    if (!fetch(c, pc, &d)) return;
    u8 *s = seen(c, pc);
    if (*s & SEEN_INSN) {
      *s |= SEEN_LEADER;
      return;
    }
    if (c->insn_count == JIT_MAX_INSNS) return;
    *s |= SEEN_INSN;
    c->insn_count++;
    u32 next = pc + d.length;
    if (!jit_translates(&d)) {
      if (d.op != OP_ILLEGAL && d.op != OP_EBREAK) leader(c, next);
      return;
    }
    if (insn_formats[d.op] == F_B) {
      leader(c, pc + (u32)d.imm);
      leader(c, next);
      return;
    }
    if (d.op == OP_JAL) {
      leader(c, is_link(d.rd) ? next : pc + (u32)d.imm);
      return;
    }
    if (d.op == OP_JALR) {
      u32 target;
      if (is_link(d.rd)) leader(c, next);
      else if (direct_pair(&before, pc - before.length, &d, &target)) {
        leader(c, target);
        return;
      }
      u32 n = targets_of(c, pc, &d);
      if (c->switch_edges + n > JIT_SWITCH_EDGES) n = 0;
      c->switch_edges += n;
      while (n-- > 0) leader(c, switch_targets[n]);
      return;
    }
    pc = next;
  }
}

static u16 node_at[JIT_WINDOW / 2]; /* valid where SEEN_LEADER is set and a node was made */

static bool block(struct jit_ctx *c, u32 pc) {
  if (c->node_count == JIT_MAX_BLOCKS) return false;
  struct jit_node *n = &c->nodes[c->node_count];
  memset(n, 0, sizeof(*n));
  n->pc = pc, n->first = (u16)c->insn_count;
  n->kind = END_LEAVE;
  for (;;) {
    struct insn *d = &c->insns[c->insn_count];
    n->end = pc;
    if (n->count && inside(c, pc) && (*seen(c, pc) & SEEN_LEADER)) {
      n->kind = END_FALL, n->target = pc;
      break;
    }
    if (c->insn_count >= JIT_MAX_INSNS || !fetch(c, pc, d) || !(*seen(c, pc) & SEEN_INSN) || !jit_translates(d)) break;
    c->pcs[c->insn_count] = pc;
    c->insn_count++, n->count++;
    c->used |= jit_reads(d) | jit_writes(d), c->written |= jit_writes(d);
    c->floats |= jit_is_arithmetic(d);
    c->page_low = MIN(c->page_low, pc >> PAGE_SHIFT), c->page_high = MAX(c->page_high, (pc + d->length - 1) >> PAGE_SHIFT);
    n->end = pc + d->length;
    if (insn_formats[d->op] == F_B) n->kind = END_BRANCH, n->target = pc + (u32)d->imm;
    else if (d->op == OP_JAL) n->kind = is_link(d->rd) ? END_CALL : END_JUMP, n->target = pc + (u32)d->imm;
    else if (n->count > 1 && direct_pair(d - 1, c->pcs[c->insn_count - 2], d, &n->target)) n->kind = is_link(d->rd) ? END_CALL : END_JUMP;
    else if (d->op == OP_JALR) n->kind = is_link(d->rd) ? END_CALLR : END_JUMPR;
    else {
      pc = n->end;
      continue;
    }
    break;
  }
  if (n->count == 0 && c->node_count == 0) return false; /* nothing to translate at the entry */
  node_at[(n->pc - c->low) / 2] = (u16)c->node_count++;
  return true;
}

static u16 find(struct jit_ctx *c, u32 pc) {
  if (!inside(c, pc) || !(*seen(c, pc) & SEEN_QUEUED)) return NO_NODE;
  u16 n = node_at[(pc - c->low) / 2];
  return n < c->block_count && c->nodes[n].pc == pc ? n : NO_NODE;
}

bool jit_region(struct jit_ctx *c, u32 pc) {
  c->low = pc > JIT_WINDOW_BELOW ? (pc - JIT_WINDOW_BELOW) & ~1u : 0;
  c->start = pc;
  memset(c->seen, 0, sizeof(c->seen));
  c->insn_count = c->node_count = c->edge_count = c->entry_count = c->switch_edges = 0;
  c->used = c->written = 0, c->floats = false, c->failed = false;
  c->page_low = c->page_high = pc >> PAGE_SHIFT;
  queue.head = queue.count = 0;
  leader(c, pc);
  while (queue.head < queue.count) walk(c, queue.pcs[queue.head++]);
  /* a straight line that ran into the middle of another made a leader that nobody queued */
  for (u32 i = 0; i < JIT_WINDOW / 2; i++) {
    u64 eight;
    if (!(i & 7)) { /* most of the window is not this region's */
      memcpy(&eight, &c->seen[i], 8);
      if (!eight) {
        i += 7;
        continue;
      }
    }
    if ((c->seen[i] & (SEEN_LEADER | SEEN_QUEUED)) == SEEN_LEADER && queue.count < JIT_MAX_BLOCKS)
      c->seen[i] |= SEEN_QUEUED, queue.pcs[queue.count++] = c->low + 2 * i;
  }
  c->insn_count = 0;
  for (u32 i = 0; i < queue.count; i++) {
    if (!block(c, queue.pcs[i])) {
      if (i == 0) return false;
      break;
    }
  }
  c->block_count = c->node_count;
  for (u32 i = 0; i < c->block_count; i++) {
    struct jit_node *n = &c->nodes[i];
    n->edge = (u16)c->edge_count;
    switch (n->kind) {
    case END_FALL:
    case END_JUMP: c->edges[c->edge_count++] = find(c, n->target); break;
    case END_BRANCH:
      c->edges[c->edge_count++] = find(c, n->target);
      c->edges[c->edge_count++] = find(c, n->end);
      break;
    case END_CALL:
    case END_CALLR: c->edges[c->edge_count++] = find(c, n->end); break;
    case END_JUMPR: {
      u32 last = n->first + n->count - 1u;
      for (u32 k = targets_of(c, c->pcs[last], &c->insns[last]); k-- > 0;)
        if (c->edge_count < JIT_MAX_EDGES / 2 && find(c, switch_targets[k]) != NO_NODE) c->edges[c->edge_count++] = find(c, switch_targets[k]);
      break;
    }
    case END_LEAVE: { /* not a jump: a way that goes through the interpreter */
      struct insn d;
      u16 behind = fetch(c, n->end, &d) ? find(c, n->end + d.length) : NO_NODE;
      c->edges[c->edge_count++] = behind;
      break;
    }
    default: break;
    }
    n->edges = (u16)(c->edge_count - n->edge);
  }
  return true;
}
#endif
