/* jit/build: control flow of a region and the bytes of its module.
 *
 * The dominator tree is walked as in Ramsey, "Beyond Relooper" (2022): a node with several ways in gets a block whose
 * end it stands behind, a loop head a loop, anything else is emitted where it is branched to. What leaves the region
 * stands behind the body, one label for each place, so that the body stays small and hot. */
#if defined(__wasm__) || defined(JIT_TEXT) /* only wasm has an engine that could run it; tests read it (tests/expect) */
#include "jit.h"

#define LABEL_LOOP 0x4000u
#define LABEL_BLOCK 0x8000u

static struct jit_facts facts_of[JIT_MAX_NODES]; /* under the kernel lock */

static void facts_clear(u16 node) { facts_of[node].count = 0, facts_of[node].floats = false; }

static void push(struct jit_ctx *c, u32 label) {
  if (c->depth < ARRAY_LEN(c->labels)) c->labels[c->depth++] = (u16)label;
  else c->failed = true;
}
static void open(struct jit_ctx *c, u32 op, u32 label) {
  put(c, op), put(c, 0x40);
  push(c, label);
}
static void close(struct jit_ctx *c) {
  put(c, 0x0b);
  c->depth--;
}
static void br(struct jit_ctx *c, u32 op, u32 label) {
  for (u32 i = c->depth; i-- > 0;)
    if (c->labels[i] == label) {
      put(c, op), put_u(&c->body, c->depth - 1 - i);
      return;
    }
  c->failed = true;
}

static bool back(struct jit_ctx *c, u16 from, u16 to) { return c->nodes[to].rpo <= c->nodes[from].rpo; }
static u32 label(struct jit_ctx *c, u16 from, u16 to) { return back(c, from, to) ? to | LABEL_LOOP : to | LABEL_BLOCK; }
static bool by_branch(struct jit_ctx *c, u16 from, u16 to) { return back(c, from, to) || c->nodes[to].forward_in > 1; }

static void tree(struct jit_ctx *c, u16 x);

static void go(struct jit_ctx *c, u16 from, u16 to, bool keep_facts) {
  if (by_branch(c, from, to)) {
    br(c, 0x0c, label(c, from, to));
    return;
  }
  if (keep_facts && !c->nodes[to].head) facts_of[to] = facts_of[from];
  else facts_clear(to);
  tree(c, to);
}

static void float_mode(struct jit_ctx *c) { /* RNE and NX */
  if (!c->floats) return;
  put_get(c, LOCAL_BLOCK);
  OUT(0x28, 2);
  put_u(&c->body, REG_FCSR);
  put_i32(c, 0xe1), put(c, 0x71), put_i32(c, 1), put(c, 0x46), put_set(c, LOCAL_FLOAT);
}

/* e goes on to the next dispatch node unless `to` is where entry i begins. */
static void entry_rest(struct jit_ctx *c, u16 to, u32 i, bool at_root) {
  bool more = c->nodes[to].kind == END_LOOP && c->nodes[c->entries[i]].dispatch != to;
  if (!more || at_root) put_i32(c, more ? i + 1 : 0), put_set(c, LOCAL_ENTRY);
}

static void root_code(struct jit_ctx *c, u16 x) {
  const struct jit_node *n = &c->nodes[x];
  float_mode(c);
  if (n->edges > 1) { /* one load of all that other entries want, or the module would be made of loads */
    put_get(c, LOCAL_ENTRY);
    open(c, 0x04, 0);
    put_reload(c, c->entry_live);
    close(c);
  }
  for (u32 i = 0; i < n->edges; i++) open(c, 0x02, 0);
  put_get(c, LOCAL_ENTRY), put(c, 0x0e), put_u(&c->body, n->edges - 1);
  for (u32 i = 0; i < n->edges; i++) put_u(&c->body, i);
  for (u32 i = 0; i < n->edges; i++) {
    u16 to = c->edges[n->edge + i];
    close(c);
    if (i == 0) put_reload(c, c->nodes[to].live);
    entry_rest(c, to, i, true);
    go(c, x, to, false);
  }
}

static void poll(struct jit_ctx *c, const struct jit_node *n) {
  struct jit_leaving leaving = leave_open(c, LEAVE_AT, n->pc, 0, n->dirty, n->valid, true);
  put_get(c, LOCAL_COUNT), put_i32(c, 1), put(c, 0x48);
  leave_if(c, leaving);
}

static void loop_code(struct jit_ctx *c, u16 x) {
  const struct jit_node *n = &c->nodes[x];
  u32 inside = 0, at = 0;
  for (u32 i = 1; i < n->edges; i++) inside += c->edges[n->edge + i] != NO_NODE;
  open(c, 0x02, 0);
  put_get(c, LOCAL_ENTRY);
  OUT(0x45, 0x0d, 0);
  for (u32 i = 0; i < inside; i++) open(c, 0x02, 0);
  put_get(c, LOCAL_ENTRY), put(c, 0x0e), put_u(&c->body, n->edges);
  put_u(&c->body, 0);
  for (u32 i = 1; i < n->edges; i++) put_u(&c->body, c->edges[n->edge + i] != NO_NODE ? at++ : 0);
  put_u(&c->body, 0);
  for (u32 i = 1; i < n->edges; i++) {
    u16 to = c->edges[n->edge + i];
    if (to == NO_NODE) continue;
    close(c);
    entry_rest(c, to, i - 1, false);
    go(c, x, to, false);
  }
  close(c);
  poll(c, n);
  go(c, x, c->edges[n->edge], false);
}

static void condition(struct jit_ctx *c, const struct insn *d, bool invert) {
  static const u8 code[] = {0x51, 0x52, 0x53, 0x59, 0x54, 0x5a}; /* BEQ.. order: eq ne lt ge ltu geu */
  static const u8 opposite[] = {0x52, 0x51, 0x59, 0x53, 0x5a, 0x54};
#ifdef JIT_DROPPED
  if (d->op == JIT_DROPPED) {
    put_i32(c, invert);
    return;
  }
#endif
  get_x(c, d->rs1), get_x(c, d->rs2);
  put(c, (invert ? opposite : code)[d->op - OP_BEQ]);
}

static void branch_code(struct jit_ctx *c, u16 x, regset dirty, regset valid) {
  const struct jit_node *n = &c->nodes[x];
  const struct insn *d = &c->insns[n->first + n->count - 1];
  u16 taken = c->edges[n->edge], next = c->edges[n->edge + 1];
  if (taken == NO_NODE) {
    struct jit_leaving leaving = leave_open(c, LEAVE_AT, n->target, 0, dirty, valid, true);
    condition(c, d, false);
    leave_if(c, leaving);
  } else if (by_branch(c, x, taken)) {
    condition(c, d, false);
    br(c, 0x0d, label(c, x, taken));
  } else if (next == NO_NODE) {
    struct jit_leaving leaving = leave_open(c, LEAVE_AT, n->end, 0, dirty, valid, true);
    condition(c, d, true);
    leave_if(c, leaving);
    go(c, x, taken, true);
    return;
  } else if (by_branch(c, x, next)) {
    condition(c, d, true);
    br(c, 0x0d, label(c, x, next));
    go(c, x, taken, true);
    return;
  } else {
    condition(c, d, false);
    open(c, 0x04, 0);
    go(c, x, taken, true);
    close(c);
  }
  if (next == NO_NODE) leave_now(c, leave_open(c, LEAVE_AT, n->end, 0, dirty, valid, true));
  else go(c, x, next, true);
}

/* The target of a jalr into LOCAL_PC; an odd one above the window is the interpreter's. */
static void target_code(struct jit_ctx *c, const struct jit_node *n, regset dirty, regset valid) {
  u32 index = n->first + n->count - 1u;
  const struct insn *d = &c->insns[index];
  struct jit_leaving leaving = leave_open(c, LEAVE_AT, c->pcs[index], 1, dirty, valid, true);
  get_x(c, d->rs1);
  if (d->imm) put_i64(c, d->imm), put(c, 0x7c);
  put(c, 0x22), put_u(&c->body, LOCAL_T0);
  put_i64(c, 32);
  OUT(0x88, 0xa7);
  leave_if(c, leaving);
  put_get(c, LOCAL_T0), put(c, 0xa7), put_i32(c, ~1u), put(c, 0x71), put_set(c, LOCAL_PC);
}

static void deeper(struct jit_ctx *c) { put_get(c, LOCAL_DEPTH), put_i32(c, 1), put(c, 0x6a); }
static void put_tee_result(struct jit_ctx *c) { put(c, 0x22), put_u(&c->body, LOCAL_RESULT); }
static void result_differs(struct jit_ctx *c, u32 pc) {
  put_tee_result(c);
  put(c, 0xa7), put_i32(c, pc), put(c, 0x47);
}
static void result_count(struct jit_ctx *c) {
  put_get(c, LOCAL_RESULT), put_i64(c, 32);
  OUT(0x88, 0xa7);
}

/* Is LOCAL_PC in the cache of jumps (an i32)? LOCAL_T0: what is there. */
static void cached(struct jit_ctx *c) {
  put_get(c, LOCAL_PC), put_i32(c, 2), put(c, 0x74), put_i32(c, JUMP_CACHE_MASK);
  OUT(0x71, 0x29, 3);
  put_u(&c->body, JUMP_CACHE_OFFSET);
  put(c, 0x22), put_u(&c->body, LOCAL_T0), put_i64(c, 32);
  OUT(0x88, 0xa7);
  put_get(c, LOCAL_PC), put_i32(c, jit_generation());
  OUT(0x73, 0x46);
}
static void cached_entry(struct jit_ctx *c) {
  put_get(c, LOCAL_T0), put(c, 0xa7), put_i32(c, (1u << JUMP_ENTRY_BITS) - 1), put(c, 0x71);
}
static void cached_index(struct jit_ctx *c) {
  put_get(c, LOCAL_T0), put(c, 0xa7), put_i32(c, JUMP_ENTRY_BITS), put(c, 0x76);
}

/* To LOCAL_PC, everything is spilled: an i32 says whether no more than a return will do. */
static void out_unless(struct jit_ctx *c) {
  put_get(c, LOCAL_COUNT), put_i32(c, 1), put(c, 0x48);
  leave_if(c, leave_spilled(c));
}
static void put_target(struct jit_ctx *c) {
  put_get(c, LOCAL_BLOCK), put_get(c, LOCAL_PC);
  OUT(0x36, 2);
  put_u(&c->body, REG_TARGET);
}

/* A jump out of the region: by a tail call. */
static void jump_out(struct jit_ctx *c, u32 target, regset dirty) {
  u32 index = jit_reached(c, target) ? jit_callee(c, target) : 0;
  put_spill(c, dirty);
  put_i32(c, target), put_set(c, LOCAL_PC);
  if (!index) {
    leave_now(c, leave_spilled(c));
    return;
  }
  out_unless(c);
  put_target(c);
  put_get(c, LOCAL_BLOCK), put_i32(c, 0), put_get(c, LOCAL_COUNT), put_get(c, LOCAL_DEPTH), put_i32(c, index);
  OUT(0x13, 0, 0);
}

static void call_code(struct jit_ctx *c, u16 x, regset dirty, regset valid) {
  const struct jit_node *n = &c->nodes[x];
  const struct insn *d = &c->insns[n->first + n->count - 1];
  bool direct = n->kind == END_CALL;
  if (!direct) target_code(c, n, dirty, valid);
  put_i64(c, n->end), set_x(c, d->rd);
  dirty |= X_BIT(d->rd), valid |= X_BIT(d->rd);
  struct jit_leaving leaving = leave_open(c, direct ? LEAVE_AT : LEAVE_DYNAMIC, n->target, 0, dirty, valid, true);
  put_get(c, LOCAL_COUNT), put_i32(c, 1), put(c, 0x48);
  put_get(c, LOCAL_DEPTH), put_i32(c, JIT_DEPTH), put(c, 0x4e), put(c, 0x72);
  leave_if(c, leaving);
  put_spill(c, dirty);
  u32 index = direct && n->target != c->start ? jit_callee(c, n->target) : 0;
  put_get(c, LOCAL_BLOCK);
  if (direct) put_i32(c, n->target);
  else put_get(c, LOCAL_PC);
  OUT(0x36, 2);
  put_u(&c->body, REG_TARGET);
  if (direct && (index || n->target == c->start)) {
    put_get(c, LOCAL_BLOCK), put_i32(c, 0), put_get(c, LOCAL_COUNT), deeper(c);
    if (index) {
      put_i32(c, index);
      OUT(0x11, 0, 0);
    } else {
      put(c, 0x10), put_u(&c->body, FUNC_REGION);
    }
  } else {
    if (direct) put_i32(c, n->target), put_set(c, LOCAL_PC);
    cached(c);
    put(c, 0x04), put(c, 0x7e), c->labels[c->depth++] = 0;
    put_get(c, LOCAL_BLOCK), cached_entry(c), put_get(c, LOCAL_COUNT), deeper(c), cached_index(c);
    OUT(0x11, 0, 0, 0x05);
    put_get(c, LOCAL_BLOCK), put_get(c, LOCAL_PC), put_get(c, LOCAL_COUNT), deeper(c), put_i32(c, n->end), put(c, 0x10), put_u(&c->body, FUNC_CHASE);
    close(c);
  }
  result_differs(c, n->end);
  open(c, 0x04, 0);
  put_get(c, LOCAL_BLOCK), put_get(c, LOCAL_RESULT), put(c, 0xa7), result_count(c), deeper(c);
  put_i32(c, n->end), put(c, 0x10), put_u(&c->body, FUNC_CHASE);
  result_differs(c, n->end);
  leave_if(c, leave_open(c, LEAVE_RESULT, 0, 0, 0, 0, true));
  close(c);
  result_count(c), put_set(c, LOCAL_COUNT);
  u16 to = c->edges[n->edge];
  if (to == NO_NODE) {
    leave_now(c, leave_open(c, LEAVE_RESULT, 0, 0, 0, 0, true));
    return;
  }
  put_reload(c, c->nodes[to].live);
  float_mode(c);
  go(c, x, to, false);
}

/* A switch: to the targets seen so far by a table over the pc; others leave, and are noted. */
static void jump_code(struct jit_ctx *c, u16 x, regset dirty) {
  static u16 node_at[JIT_SWITCH_SPAN / 2];
  const struct jit_node *n = &c->nodes[x];
  u32 pc = c->pcs[n->first + n->count - 1u], low = ~0u, high = 0, cases = 0;
  const struct insn *d = &c->insns[n->first + n->count - 1u];
  if (d->rd) put_i64(c, n->end), set_x(c, d->rd), dirty |= X_BIT(d->rd);
  if (d->rs1 == 1 || d->rs1 == 5) { /* a return */
    put_spill(c, dirty);
    leave_now(c, leave_spilled(c));
    return;
  }
  for (u32 i = 0; i < n->edges; i++) {
    u16 to = c->edges[n->edge + i];
    if (to == NO_NODE) continue;
    low = MIN(low, c->nodes[to].pc), high = MAX(high, c->nodes[to].pc); /* a dispatch node has its head's pc */
  }
  if (low <= high && high - low < JIT_SWITCH_SPAN) {
    u32 span = (high - low) / 2 + 1;
    for (u32 i = 0; i < span; i++) node_at[i] = NO_NODE;
    open(c, 0x02, 0);
    for (u32 i = 0; i < n->edges; i++) {
      u16 to = c->edges[n->edge + i];
      if (to == NO_NODE) continue;
      node_at[(c->nodes[to].pc - low) / 2] = (u16)cases++;
    }
    for (u32 i = 0; i < cases; i++) open(c, 0x02, 0);
    put_get(c, LOCAL_PC), put_i32(c, low), put(c, 0x6b), put_i32(c, 1), put(c, 0x76);
    put(c, 0x0e), put_u(&c->body, span);
    for (u32 i = 0; i <= span; i++) put_u(&c->body, i < span && node_at[i] != NO_NODE ? node_at[i] : cases);
    for (u32 i = 0; i < n->edges; i++) {
      u16 to = c->edges[n->edge + i];
      if (to == NO_NODE) continue;
      close(c);
      go(c, x, to, false);
    }
    close(c);
  }
  put_get(c, LOCAL_BLOCK), put_get(c, LOCAL_PC), put(c, 0xad), put_i64(c, (i64)((u64)pc << 32));
  OUT(0x84, 0x37, 3);
  put_u(&c->body, REG_JUMP);
  put_get(c, LOCAL_BLOCK), put_i32(c, c->own);
  OUT(0x36, 2);
  put_u(&c->body, REG_JUMP_REGION);
  put_spill(c, dirty);
  out_unless(c);
  cached(c), put(c, 0x45);
  leave_if(c, leave_spilled(c));
  put_target(c);
  put_get(c, LOCAL_BLOCK), cached_entry(c), put_get(c, LOCAL_COUNT), put_get(c, LOCAL_DEPTH), cached_index(c);
  OUT(0x13, 0, 0);
}

static void code(struct jit_ctx *c, u16 x) {
  const struct jit_node *n = &c->nodes[x];
  if (n->kind == END_ROOT || n->kind == END_LOOP) {
    if (n->kind == END_ROOT) root_code(c, x);
    else loop_code(c, x);
    return;
  }
  if (n->kind == END_AGAIN) {
    poll(c, n);
    put_i32(c, n->entry), put_set(c, LOCAL_ENTRY);
    go(c, x, c->edges[n->edge], false);
    return;
  }
  regset dirty = n->dirty, valid = n->valid;
  if (n->head) poll(c, n);
  if (n->count) put_get(c, LOCAL_COUNT), put_i32(c, n->count), put(c, 0x6b), put_set(c, LOCAL_COUNT);
  bool ends = n->kind != END_FALL && n->kind != END_LEAVE; /* the last instruction is the end's */
  for (u32 i = 0; i + (ends ? 1 : 0) < n->count; i++) {
    jit_emit_insn(c, n, i, &facts_of[x], dirty, valid);
    regset w = jit_writes(&c->insns[n->first + i]);
    dirty |= w, valid |= w;
  }
  switch (n->kind) {
  case END_FALL:
  case END_JUMP:
    if (n->kind == END_JUMP && n->count && c->insns[n->first + n->count - 1u].rd) { /* a link that nobody returns by */
      u32 rd = c->insns[n->first + n->count - 1u].rd;
      put_i64(c, n->end), set_x(c, rd);
      dirty |= X_BIT(rd), valid |= X_BIT(rd);
    }
    if (c->edges[n->edge] == NO_NODE) jump_out(c, n->target, dirty);
    else go(c, x, c->edges[n->edge], true);
    break;
  case END_BRANCH: branch_code(c, x, dirty, valid); break;
  case END_CALL:
  case END_CALLR: call_code(c, x, dirty, valid); break;
  case END_JUMPR:
    target_code(c, n, dirty, valid);
    jump_code(c, x, dirty);
    break;
  default:
    put_spill(c, dirty);
    put_i32(c, n->end), put_set(c, LOCAL_PC);
    leave_now(c, leave_spilled(c));
    break;
  }
}

/* Blocks for the children that are branched to, outermost the one that comes last. */
static void within(struct jit_ctx *c, u16 x, u16 child) {
  while (child != NO_NODE && c->nodes[child].forward_in < 2) child = c->next_child[child];
  if (child == NO_NODE) {
    code(c, x);
    return;
  }
  open(c, 0x02, child | LABEL_BLOCK);
  within(c, x, c->next_child[child]);
  close(c);
  facts_clear(child);
  tree(c, child);
}

static void tree(struct jit_ctx *c, u16 x) {
  bool loop = c->nodes[x].head;
  if (c->failed || c->body.full) return;
  if (loop) open(c, 0x03, x | LABEL_LOOP);
  within(c, x, c->children[x]);
  if (loop) close(c);
}

/* ---- the module ---- */
static void out(struct jit_ctx *c, const void *bytes, u32 n) {
  for (u32 i = 0; i < n; i++) put_byte(&c->out, ((const u8 *)bytes)[i]);
}
#define RAW(...)                                                                                                         \
  do {                                                                                                                   \
    static const u8 raw_[] = {__VA_ARGS__};                                                                              \
    out(c, raw_, sizeof raw_);                                                                                           \
  } while (0)

static void exits_code(struct jit_ctx *c) {
  for (u32 i = 0; i < c->exit_count; i++) {
    const struct jit_exit *x = &c->exits[i];
    put(c, 0x0b);
    if (x->how == LEAVE_RESULT) {
      put_get(c, LOCAL_RESULT), put(c, 0x0f);
      continue;
    }
    if (x->how == LEAVE_AT) put_set(c, LOCAL_PC);
    put_spill(c, x->spill & ~1ull);
    put_get(c, LOCAL_COUNT);
    if (x->how == LEAVE_AT) put_get(c, LOCAL_PC), put_i32(c, 4095), put(c, 0x71), put(c, 0x6a);
    put(c, 0xad), put_i64(c, 32), put(c, 0x86);
    if (x->how == LEAVE_THERE) put_i64(c, x->pc);
    else put_get(c, LOCAL_PC);
    if (x->how == LEAVE_AT) put_i32(c, 12), put(c, 0x76), put_i32(c, 1), put(c, 0x74), put_i32(c, c->low), put(c, 0x6a);
    if (x->how != LEAVE_THERE) put(c, 0xad);
    OUT(0x84, 0x0f);
  }
}

/* The high half of a product of two unsigned: (a, b) -> i64, from four products of halves. */
static const u8 high_body[] = {
    0x01, 0x02, 0x7e, /* locals: mid, mid2 */
    0x20, 0, 0x42, 32, 0x88, 0x20, 1, 0x42, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x83, 0x7e,                             /* ah * bl */
    0x20, 0, 0x42, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x83, 0x20, 1, 0x42, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x83, 0x7e, /* al * bl */
    0x42, 32, 0x88, 0x7c, 0x21, 2,                                                                                 /* mid */
    0x20, 0, 0x42, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x83, 0x20, 1, 0x42, 32, 0x88, 0x7e,                             /* al * bh */
    0x20, 2, 0x42, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x83, 0x7c, 0x21, 3,                                             /* mid2 */
    0x20, 0, 0x42, 32, 0x88, 0x20, 1, 0x42, 32, 0x88, 0x7e, 0x20, 2, 0x42, 32, 0x88, 0x7c, 0x20, 3, 0x42, 32, 0x88, 0x7c, 0x0b};

static u32 size_u(u32 v) {
  u32 n = 1;
  while (v >>= 7) n++;
  return n;
}

static void module_head(struct jit_ctx *c) {
  RAW(0, 'a', 's', 'm', 1, 0, 0, 0);
  RAW(1, 31, 4, 0x60, 4, 0x7f, 0x7f, 0x7f, 0x7f, 1, 0x7e, /* 0: region */
      0x60, 5, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 1, 0x7e,       /* 1: chase */
      0x60, 3, 0x7c, 0x7c, 0x7c, 1, 0x7c,                   /* 2: fma */
      0x60, 2, 0x7e, 0x7e, 1, 0x7e);                        /* 3: high */
  /* imports: g.m guest memory, k.t table, k.c chase, k.f fma */
  RAW(2, 31, 4, 1, 'g', 1, 'm', 2, 3, 19, 0x80, 0x80, 4, 1, 'k', 1, 't', 1, 0x70, 0, 0, 1, 'k', 1, 'c', 0, 1, 1, 'k', 1, 'f', 0, 2);
  RAW(3, 3, 2, 3, 0);
  RAW(7, 5, 1, 1, 'r', 0, FUNC_REGION);
}

static void locals_assign(struct jit_ctx *c) {
  u32 next = LOCAL_REGISTERS;
  for (u32 r = 1; r < 32; r++)
    if (c->used >> r & 1) c->local_of[r] = (u8)next++;
  c->locals_i64 = next - LOCAL_T0;
  c->local_of[0] = (u8)next++; /* a scratch f64 */
  for (u32 r = 32; r < 64; r++)
    if (c->used >> r & 1) c->local_of[r] = (u8)next++;
  c->locals_f64 = next - LOCAL_T0 - c->locals_i64;
}

bool jit_build(struct jit_ctx *c) {
  c->body.length = c->out.length = 0, c->body.full = c->out.full = false;
  c->depth = c->exit_count = c->next_address = 0;
  locals_assign(c);
  facts_clear(c->root);
  tree(c, c->root);
  put(c, 0x00);
  u32 labels = c->exit_count;
  exits_code(c);
  put(c, 0x0b);
  if (c->failed || c->body.full) return false;
  module_head(c);
  /* locals: i32 from LOCAL_PC on, i64, f64 */
  u32 head = 1 + 2 + size_u(c->locals_i64) + 1 + size_u(c->locals_f64) + 1 + 2 * labels;
  u32 region = head + c->body.length, total = 1 + size_u(sizeof high_body) + sizeof high_body + size_u(region) + region;
  put_byte(&c->out, 10), put_u(&c->out, total), put_byte(&c->out, 2);
  put_u(&c->out, sizeof high_body), out(c, high_body, sizeof high_body);
  put_u(&c->out, region);
  put_byte(&c->out, 3), put_u(&c->out, LOCAL_T0 - LOCAL_PC), put_byte(&c->out, 0x7f);
  put_u(&c->out, c->locals_i64), put_byte(&c->out, 0x7e), put_u(&c->out, c->locals_f64), put_byte(&c->out, 0x7c);
  for (u32 i = labels; i-- > 0;) put_byte(&c->out, 0x02), put_byte(&c->out, c->exits[i].how == LEAVE_AT ? 0x7f : 0x40);
  out(c, c->body.at, c->body.length);
  return !c->out.full;
}
#endif
