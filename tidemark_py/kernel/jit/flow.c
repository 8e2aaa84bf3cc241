/* jit/flow: the shape of a region: loops, entries, the dominator tree that build.c walks, and where registers are.
 *
 * Entries inside a loop are reached through a dispatch node in front of its head, so that the graph stays reducible with
 * many entries. A jump back that is no natural loop's is cut, its target becomes an entry too, and the jump goes there
 * by way of the innermost loop around both, or of a dispatch node in front of everything. Dominators:
 * Cooper, Harvey and Kennedy, "A Simple, Fast Dominance Algorithm" (2001). */
#if defined(__wasm__) || defined(JIT_TEXT) /* only wasm has an engine that could run it; tests read it (tests/expect) */
#include "jit.h"

#define UNSEEN 0xfffeu
#define MAX_CUTS 64u

static struct cut {
  u16 from, edge, to;
} cuts[MAX_CUTS]; /* under the kernel lock */
static u32 cut_count;

static u16 stack_node[JIT_MAX_NODES], stack_edge[JIT_MAX_NODES];

static void number(struct jit_ctx *c, u16 root) {
  static u16 post[JIT_MAX_NODES];
  u32 depth = 0, done = 0;
  for (u32 i = 0; i < c->node_count; i++) c->nodes[i].rpo = UNSEEN;
  stack_node[depth] = root, stack_edge[depth++] = 0;
  c->nodes[root].rpo = 0;
  while (depth) {
    struct jit_node *n = &c->nodes[stack_node[depth - 1]];
    if (stack_edge[depth - 1] < n->edges) {
      u16 to = c->edges[n->edge + stack_edge[depth - 1]++];
      if (to != NO_NODE && c->nodes[to].rpo == UNSEEN) {
        c->nodes[to].rpo = 0;
        stack_node[depth] = to, stack_edge[depth++] = 0;
      }
    } else {
      post[done++] = stack_node[--depth];
    }
  }
  c->order_count = done;
  for (u32 i = 0; i < done; i++) c->order[i] = post[done - 1 - i], c->nodes[c->order[i]].rpo = (u16)i;
}

static u16 meet(struct jit_ctx *c, u16 a, u16 b) {
  while (a != b) {
    while (c->nodes[a].rpo > c->nodes[b].rpo) a = c->nodes[a].idom;
    while (c->nodes[b].rpo > c->nodes[a].rpo) b = c->nodes[b].idom;
  }
  return a;
}

static void dominators(struct jit_ctx *c, u16 root) {
  for (u32 i = 0; i < c->node_count; i++) c->nodes[i].idom = NO_NODE;
  c->nodes[root].idom = root;
  for (bool changed = true; changed;) {
    changed = false;
    /* forward pushes instead of predecessor lists: the meet is the same */
    for (u32 i = 0; i < c->order_count; i++) {
      u16 from = c->order[i];
      for (u32 k = 0; k < c->nodes[from].edges; k++) {
        u16 to = c->edges[c->nodes[from].edge + k];
        if (to == NO_NODE || to == root) continue;
        u16 now = c->nodes[to].idom == NO_NODE ? from : meet(c, from, c->nodes[to].idom);
        if (now != c->nodes[to].idom) c->nodes[to].idom = now, changed = true;
      }
    }
  }
}

static bool dominates(struct jit_ctx *c, u16 a, u16 b) {
  while (c->nodes[b].rpo > c->nodes[a].rpo) b = c->nodes[b].idom;
  return a == b;
}

static bool retreats(struct jit_ctx *c, u16 from, u16 to) { return c->nodes[to].rpo <= c->nodes[from].rpo; }

static bool entry_add(struct jit_ctx *c, u16 n) {
  struct jit_node *b = &c->nodes[n];
  if (b->entry || b->count == 0 || c->entry_count == JIT_MAX_ENTRIES) return false;
  c->entries[c->entry_count++] = n;
  b->entry = (u16)c->entry_count;
  return true;
}

/* Members of the loop of head h: everything that reaches a back edge without passing h. */
static void loop_mark(struct jit_ctx *c, u16 h) {
  static bool in[JIT_MAX_NODES];
  memset(in, 0, sizeof(in));
  in[h] = true;
  for (bool changed = true; changed;) {
    changed = false;
    for (u32 i = c->order_count; i-- > 0;) {
      u16 n = c->order[i];
      if (in[n] || !dominates(c, h, n)) continue;
      for (u32 k = 0; k < c->nodes[n].edges && !in[n]; k++) {
        u16 to = c->edges[c->nodes[n].edge + k];
        if (to != NO_NODE && in[to] && (to != h || retreats(c, n, h))) in[n] = changed = true;
      }
    }
  }
  c->nodes[h].outer = c->nodes[h].loop;
  for (u32 n = 0; n < c->node_count; n++)
    if (in[n]) c->nodes[n].loop = h;
}

static u16 node_new(struct jit_ctx *c, u32 kind) {
  if (c->node_count == JIT_MAX_NODES) {
    c->failed = true;
    return 0;
  }
  struct jit_node *n = &c->nodes[c->node_count];
  memset(n, 0, sizeof(*n));
  n->kind = (u8)kind, n->loop = NO_NODE, n->edge = (u16)c->edge_count;
  return (u16)c->node_count++;
}
static void edge_add(struct jit_ctx *c, u16 from, u16 to) {
  if (c->edge_count == JIT_MAX_EDGES) {
    c->failed = true;
    return;
  }
  c->edges[c->edge_count++] = to;
  c->nodes[from].edges++;
}

static u16 loop_around(struct jit_ctx *c, u16 b) { return c->nodes[b].head ? c->nodes[b].outer : c->nodes[b].loop; }

/* Where control goes from inside loop l (NO_NODE: the root) on its way to entry block b. */
static u16 way(struct jit_ctx *c, u16 l, u16 b) {
  u16 inner = b;
  for (u16 at = loop_around(c, b); at != l; at = c->nodes[at].outer) inner = at;
  return c->nodes[inner].head && c->nodes[inner].dispatch_here ? c->nodes[inner].dispatch : inner;
}

static void entries_find(struct jit_ctx *c) {
  entry_add(c, 0);
  for (u32 i = 0; i < cut_count; i++)
    if (c->nodes[cuts[i].from].rpo != UNSEEN && c->nodes[cuts[i].to].rpo != UNSEEN) entry_add(c, cuts[i].to);
  for (u32 i = 0; i < c->order_count; i++)
    if (c->nodes[c->order[i]].head) entry_add(c, c->order[i]);
  for (u32 i = 0; i < c->block_count; i++) {
    struct jit_node *n = &c->nodes[i];
    bool returns = n->kind == END_CALL || n->kind == END_CALLR || n->kind == END_LEAVE;
    if (n->rpo != UNSEEN && returns && c->edges[n->edge] != NO_NODE) entry_add(c, c->edges[n->edge]);
  }
}

static bool within_loop(struct jit_ctx *c, u16 l, u16 n) {
  u16 at = c->nodes[n].loop;
  while (at != NO_NODE && at != l) at = c->nodes[at].outer;
  return at == l;
}

/* The loop by way of which a cut jump goes; NO_NODE: everything's. */
static u16 cut_loop(struct jit_ctx *c, const struct cut *k) {
  u16 l = loop_around(c, k->to);
  while (l != NO_NODE && !within_loop(c, l, k->from)) l = c->nodes[l].outer;
  return l;
}

static void dispatch_nodes(struct jit_ctx *c) {
  for (u32 i = 0; i < c->entry_count; i++)
    for (u16 l = loop_around(c, c->entries[i]); l != NO_NODE; l = c->nodes[l].outer) c->nodes[l].dispatch_here = true;
  u32 blocks = c->node_count;
  for (u32 h = 0; h < blocks; h++) {
    if (!c->nodes[h].head || !c->nodes[h].dispatch_here) continue;
    u16 d = node_new(c, END_LOOP);
    if (c->failed) return;
    c->nodes[h].dispatch = d;
    c->nodes[d].pc = c->nodes[h].pc;
  }
  for (u32 n = 0; n < blocks; n++)
    for (u32 k = 0; k < c->nodes[n].edges; k++) {
      u16 *to = &c->edges[c->nodes[n].edge + k];
      if (*to != NO_NODE && c->nodes[*to].head && c->nodes[*to].dispatch_here) *to = c->nodes[*to].dispatch;
    }
  for (u32 h = 0; h < blocks; h++) {
    if (!c->nodes[h].head || !c->nodes[h].dispatch_here) continue;
    u16 d = c->nodes[h].dispatch;
    c->nodes[d].edge = (u16)c->edge_count;
    edge_add(c, d, (u16)h);
    for (u32 i = 0; i < c->entry_count; i++) { /* one edge for each entry, NO_NODE where it lies elsewhere */
      u16 l = loop_around(c, c->entries[i]);
      while (l != NO_NODE && l != h) l = c->nodes[l].outer;
      edge_add(c, d, l == h ? way(c, (u16)h, c->entries[i]) : NO_NODE);
    }
    if (c->failed) return;
  }
  u16 top = NO_NODE;
  for (u32 i = 0; i < cut_count; i++) {
    const struct cut *k = &cuts[i];
    if (!c->nodes[k->to].entry) continue;
    u16 l = cut_loop(c, k), again = node_new(c, END_AGAIN);
    if (l == NO_NODE && top == NO_NODE) top = node_new(c, END_LOOP);
    if (c->failed) return;
    c->nodes[again].pc = c->nodes[k->to].pc, c->nodes[again].entry = c->nodes[k->to].entry;
    c->nodes[again].edge = (u16)c->edge_count;
    edge_add(c, again, l == NO_NODE ? top : c->nodes[l].dispatch);
    c->edges[k->edge] = again;
  }
  if (top != NO_NODE) {
    c->nodes[top].pc = c->start, c->nodes[top].edge = (u16)c->edge_count;
    edge_add(c, top, way(c, NO_NODE, 0));
    for (u32 i = 0; i < c->entry_count; i++) edge_add(c, top, way(c, NO_NODE, c->entries[i]));
  }
  c->root = node_new(c, END_ROOT);
  if (c->failed) return;
  c->nodes[c->root].edge = (u16)c->edge_count;
  for (u32 i = 0; i < c->entry_count; i++) edge_add(c, c->root, top != NO_NODE ? top : way(c, NO_NODE, c->entries[i]));
}

static bool calls(const struct jit_node *n) { return n->kind == END_CALL || n->kind == END_CALLR; }

/* Upwards exposed uses and kills of the straight line. */
static void summarise(struct jit_ctx *c, struct jit_node *n) {
  n->uses = n->kills = 0;
  for (u32 i = 0; i < n->count; i++) {
    const struct insn *d = &c->insns[n->first + i];
    n->uses |= jit_reads(d) & ~n->kills;
    n->kills |= jit_writes(d);
  }
}

static void registers(struct jit_ctx *c) {
  for (u32 i = 0; i < c->node_count; i++) {
    struct jit_node *n = &c->nodes[i];
    if (i < c->block_count) summarise(c, n);
    n->live = n->dirty = n->dirty_out = 0;
    n->valid = ~(regset)0;
  }
  for (bool changed = true; changed;) {
    changed = false;
    for (u32 i = 0; i < c->order_count; i++) {
      struct jit_node *n = &c->nodes[c->order[i]];
      n->dirty_out = calls(n) ? 0 : n->dirty | n->kills;
      for (u32 k = 0; k < n->edges; k++) {
        u16 to = c->edges[n->edge + k];
        if (to == NO_NODE || (n->dirty_out & ~c->nodes[to].dirty) == 0) continue;
        c->nodes[to].dirty |= n->dirty_out, changed = true;
      }
    }
  }
  for (bool changed = true; changed;) {
    changed = false;
    for (u32 i = c->order_count; i-- > 0;) {
      struct jit_node *n = &c->nodes[c->order[i]];
      regset out = 0;
      if (!calls(n))
        for (u32 k = 0; k < n->edges; k++)
          if (c->edges[n->edge + k] != NO_NODE) out |= c->nodes[c->edges[n->edge + k]].live;
      regset live = n->uses | (out & ~n->kills) | n->dirty;
      if (live != n->live) n->live = live, changed = true;
    }
  }
  c->nodes[c->root].live = c->entry_live = 0;
  for (u32 k = 1; k < c->nodes[c->root].edges; k++) c->entry_live |= c->nodes[c->edges[c->nodes[c->root].edge + k]].live;
  for (bool changed = true; changed;) {
    changed = false;
    for (u32 i = 0; i < c->order_count; i++) {
      struct jit_node *n = &c->nodes[c->order[i]];
      if (n->kind == END_ROOT) n->valid = 0;
      n->valid_out = n->valid | n->kills;
      for (u32 k = 0; k < n->edges; k++) {
        u16 to = c->edges[n->edge + k];
        if (to == NO_NODE) continue;
        regset gives = n->kind == END_ROOT && k ? c->entry_live : calls(n) || n->kind == END_ROOT ? c->nodes[to].live : n->valid_out;
        if (c->nodes[to].valid & ~gives) c->nodes[to].valid &= gives, changed = true;
      }
    }
  }
}

bool jit_flow(struct jit_ctx *c) {
  for (u32 i = 0; i < c->node_count; i++) c->nodes[i].loop = c->nodes[i].outer = c->nodes[i].dispatch = NO_NODE;
  cut_count = 0;
  number(c, 0);
  dominators(c, 0);
  for (u32 i = 0; i < c->order_count; i++) {
    u16 from = c->order[i];
    for (u32 k = 0; k < c->nodes[from].edges; k++) {
      u16 *to = &c->edges[c->nodes[from].edge + k];
      if (*to == NO_NODE || !retreats(c, from, *to)) continue;
      if (dominates(c, *to, from)) c->nodes[*to].head = true;
      else {
        bool jumps = c->nodes[from].kind != END_LEAVE && c->nodes[from].kind != END_CALL && c->nodes[from].kind != END_CALLR;
        u16 edge = (u16)(c->nodes[from].edge + k);
        if (jumps && cut_count < MAX_CUTS) cuts[cut_count++] = (struct cut){.from = from, .edge = edge, .to = *to};
        *to = NO_NODE;
      }
    }
  }
  number(c, 0); /* cuts may have taken blocks off */
  dominators(c, 0);
  for (u32 i = 0; i < c->block_count; i++)
    if (c->nodes[i].rpo == UNSEEN) c->nodes[i].head = false;
  for (u32 i = 0; i < c->order_count; i++)
    if (c->nodes[c->order[i]].head) loop_mark(c, c->order[i]);
  entries_find(c);
  for (u32 i = 0; i < c->block_count; i++)
    if (c->nodes[i].kind == END_LEAVE) c->nodes[i].edges = 0;
  dispatch_nodes(c);
  if (c->failed) return false;
  number(c, c->root);
  dominators(c, c->root);
  for (u32 i = 0; i < c->node_count; i++) c->nodes[i].forward_in = 0, c->nodes[i].head = false, c->children[i] = c->next_child[i] = NO_NODE;
  for (u32 i = 0; i < c->order_count; i++) {
    u16 from = c->order[i];
    for (u32 k = 0; k < c->nodes[from].edges; k++) {
      u16 to = c->edges[c->nodes[from].edge + k];
      if (to == NO_NODE) continue;
      if (!retreats(c, from, to)) c->nodes[to].forward_in++;
      else if (dominates(c, to, from)) c->nodes[to].head = true;
      else return false;
    }
  }
  /* children by descending order number: the last of them is the outermost block's */
  for (u32 i = 1; i < c->order_count; i++) {
    u16 n = c->order[i], up = c->nodes[n].idom;
    c->next_child[n] = c->children[up], c->children[up] = n;
  }
  registers(c);
  return true;
}
#endif
