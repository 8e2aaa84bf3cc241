/* jit/policy: when to translate, which pc enters where, who has linked what, and when it ends.
 *
 * Hot code is found by where the interpreter's slices end (always at the target of a jump) and by what translated code
 * calls. A translation's entries replace slots of the decode cache (SLOT_TRANSLATED, imm: entry number): invalidation
 * of a page forgets them, and the interpreter needs no look-up. A region is an index of each instance's table, from
 * table_base on, the same in all of them; an instance links a region when it first runs it. Where it has not, the table
 * holds not_here(). Writers hold the kernel lock. Regions and entries live as long as their address space. */
#include "jit.h"

#ifdef __wasm__
#define OFF 0u
#define FORCED 2u
/* Translating, linking and the engine's first compile cost one to two milliseconds together: what runs a
 * third of a million instructions is worth that. */
#define HOT_SAMPLES 80u
#define HOT_CALLS 2000u
#define COVERED_TIMES 8u /* hotter by that factor where code is translated already, only not entered at */
#define COVERED_BITS (1u << 20)
#define SLICE_SAMPLING 4096
#define RUN_COUNT 100000u
#define ENTRY_CHUNK 512u
#define ENTRY_CHUNKS 128u
#define HASH 8192u

struct entry {
  u64 original; /* the slot it replaced */
  u32 pc;
  u16 region, number;
  u8 version; /* of the region */
};
enum { RESERVED, READY, DEAD, REFUSED };
struct region {
  u8 *bytes;
  u32 pc, length, page_low, page_high, insns;
  u8 state, version, unseen; /* unseen: jumps to targets not known when it was translated */
};
#define JUMPS 4096u
#define UNSEEN_LIMIT 8u
struct space {
  u32 epoch; /* changes whenever a table entry may be stale */
  u32 region_count, entry_count;
  struct entry *chunks[ENTRY_CHUNKS];
  u32 jump_count;
  struct { u32 from, to; } jumps[JUMPS]; /* indirect jumps seen */
  u32 covered[COVERED_BITS / 32]; /* instructions in translations, by a hash of their pc */
  u16 by_pc[HASH]; /* open addressing; region numbers from 1 */
  struct region regions[JIT_REGIONS];
};
#define SPACE_PAGES ((u32)(ALIGN_UP(sizeof(struct space), (size_t)PAGE_BYTES) / PAGE_BYTES))
#define BODY_ROOM (320u * 1024)

static u32 mode, table_base, last_epoch;
static struct jit_ctx *ctx;
static u16 heat[4096];
static struct { u64 instructions, regions, bytes, links, leaves, refused; } stats;

static _Thread_local struct space *my_space;
static _Thread_local u32 my_epoch;
static _Thread_local u8 *my_linked;
static _Thread_local struct cpu_state *my_state;

/* ptr NULL: fill the table's part for regions with tk_jit_not_here, give its first index. Else link to that index: 0 or -1. */
__attribute__((import_module("host"), import_name("jit_link"))) i32 import_jit_link(const void *ptr, u32 bytes, u32 index);

typedef u64 (*region_fn)(u32 block, u32 entry, u32 count, u32 depth);
static u64 pack(u32 count, u32 pc) { return (u64)count << 32 | pc; }
u64 WASM_EXPORT("tk_jit_not_here") tk_jit_not_here(UNUSED u32 block, UNUSED u32 entry, u32 count, UNUSED u32 depth) {
  return pack(count, JIT_NOT_HERE);
}

static struct entry *entry_at(struct space *s, u32 id) { return &s->chunks[id / ENTRY_CHUNK][id % ENTRY_CHUNK]; }

static u16 *find(struct space *s, u32 pc) {
  u32 h = (pc >> 1) * 2654435761u >> 19;
  while (s->by_pc[h] && (s->regions[s->by_pc[h]].pc != pc || s->regions[s->by_pc[h]].state == DEAD)) h = (h + 1) % HASH;
  return &s->by_pc[h];
}

/* The region that begins at pc, made if need be; 0: none left. */
static u32 region_number(struct space *s, u32 pc) {
  u16 *at = find(s, pc);
  if (*at) return *at;
  if (s->region_count + 1 >= JIT_REGIONS) return 0;
  u32 id = ++s->region_count;
  s->regions[id] = (struct region){.pc = pc, .state = RESERVED};
  return *at = (u16)id;
}

static struct space *space_of(struct mm *mm) {
  if (mm->jit) return mm->jit;
  struct space *s = kpages_alloc(SPACE_PAGES);
  if (!s) return NULL;
  memset(s, 0, SPACE_PAGES * PAGE_BYTES);
  s->epoch = ++last_epoch;
  __atomic_store_n((struct space **)&mm->jit, s, __ATOMIC_RELEASE);
  return s;
}

u32 jit_callee(struct jit_ctx *c, u32 pc, u32 *entry) {
  struct space *s = c->mm->jit;
  *entry = 0;
  u32 id = region_number(s, pc);
  return id ? table_base + id : 0;
}

static void entry_install(struct space *s, struct mm *mm, u32 pc, u32 region, u32 number) {
  u64 *slot = code_slot(mm, pc);
  if (!slot || !*slot) return;
  u64 original = *slot;
  if ((u32)original >> SLOT_OP == SLOT_TRANSLATED) {
    struct entry *old = entry_at(s, (u32)(original >> 32));
    const struct region *was = &s->regions[old->region];
    if (was->state == READY && old->version == was->version && old->region != region && number != 0 && (old->number == 0 || was->insns > s->regions[region].insns)) return;
    original = old->original;
  }
  if (s->entry_count == ENTRY_CHUNK * ENTRY_CHUNKS) return;
  struct entry **chunk = &s->chunks[s->entry_count / ENTRY_CHUNK];
  if (!*chunk && !(*chunk = kzalloc(ENTRY_CHUNK * sizeof(struct entry)))) return;
  *entry_at(s, s->entry_count) = (struct entry){.original = original, .pc = pc, .region = (u16)region, .number = (u16)number, .version = s->regions[region].version};
  __atomic_store_n(slot, (u64)s->entry_count++ << 32 | (u64)SLOT_TRANSLATED << SLOT_OP, __ATOMIC_RELEASE);
}

static u32 covered_bit(u32 pc) { return ((pc >> 1) * 2654435761u) >> 12; }

static bool ctx_make(void) {
  u32 pages = (u32)(ALIGN_UP(sizeof(struct jit_ctx), (size_t)PAGE_BYTES) / PAGE_BYTES), room = BODY_ROOM / PAGE_BYTES;
  if (ctx) return true;
  struct jit_ctx *c = kpages_alloc(pages);
  u8 *body = kpages_alloc(room), *result = kpages_alloc(room);
  if (!c || !body || !result) return false; /* once, when the machine is full: what was got stays */
  memset(c, 0, pages * PAGE_BYTES);
  c->body = (struct jit_buffer){.at = body, .room = BODY_ROOM}, c->out = (struct jit_buffer){.at = result, .room = BODY_ROOM};
  ctx = c;
  return true;
}

/* Lock held. */
static bool translate(struct mm *mm, u32 pc) {
  struct space *s = space_of(mm);
  if (!s || !ctx_make()) return false;
  if (!table_base) table_base = (u32)import_jit_link(NULL, 0, JIT_REGIONS); /* calls are emitted with it */
  u32 id = region_number(s, pc);
  if (!id || s->regions[id].state == REFUSED) return false;
  struct region *r = &s->regions[id];
  if (r->state == READY && r->unseen != 255) return true;
  ctx->mm = mm, ctx->own = id;
  u8 *bytes = NULL;
  if (jit_region(ctx, pc) && jit_flow(ctx) && jit_build(ctx)) bytes = kmalloc(ctx->out.length);
  if (!bytes) {
    r->unseen = 0;
    if (r->state == READY) return true;
    r->state = REFUSED, stats.refused++;
    return false;
  }
  kfree(r->bytes);
  memcpy(bytes, ctx->out.at, ctx->out.length);
  r->bytes = bytes, r->length = ctx->out.length, r->page_low = ctx->page_low, r->page_high = ctx->page_high;
  r->insns = ctx->insn_count;
  r->state = READY, r->unseen = 0, r->version++;
  for (u32 i = 0; i < ctx->entry_count; i++) entry_install(s, mm, ctx->nodes[ctx->entries[i]].pc, id, i);
  for (u32 i = 0; i < ctx->insn_count; i++) {
    u32 bit = covered_bit(ctx->pcs[i]);
    s->covered[bit / 32] |= 1u << (bit & 31);
  }
  stats.regions++, stats.bytes += r->length;
  return true;
}

u32 jit_seen_targets(struct jit_ctx *c, u32 pc, u32 *targets) {
  struct space *s = c->mm->jit;
  u32 n = 0;
  for (u32 i = 0; i < s->jump_count && n < JIT_SWITCH_TARGETS; i++)
    if (s->jumps[i].from == pc && s->jumps[i].to - c->low < JIT_WINDOW - 4) targets[n++] = s->jumps[i].to;
  return n;
}

/* A region left by an indirect jump to where nothing begins: after some of these it is translated anew, with them. */
static NOINLINE void jump_seen(struct mm *mm, u32 from, u32 to, u32 id) {
  struct space *s = mm->jit;
  struct region *r = &s->regions[id];
  if (r->state != READY || to - (r->pc - MIN(r->pc, JIT_WINDOW_BELOW)) >= JIT_WINDOW - 4 || r->version > 12) return;
  kernel_lock();
  u32 i = 0;
  while (i < s->jump_count && (s->jumps[i].from != from || s->jumps[i].to != to)) i++;
  if (i == s->jump_count && i < JUMPS) s->jumps[s->jump_count].from = from, s->jumps[s->jump_count++].to = to;
  if (++r->unseen >= UNSEEN_LIMIT * r->version) r->unseen = 255, translate(mm, r->pc);
  kernel_unlock();
}

static bool is_covered(const struct mm *mm, u32 pc) {
  const struct space *s = mm->jit;
  u32 bit = covered_bit(pc);
  return s && (s->covered[bit / 32] >> (bit & 31) & 1);
}

static bool heated(const struct mm *mm, u32 pc, u32 limit) {
  if (is_covered(mm, pc)) limit *= COVERED_TIMES;
  u16 *h = &heat[((pc >> 1) * 2654435761u ^ (u32)(uintptr_t)mm * 40503u) >> 20];
  if (++*h < limit) return false;
  *h = 0;
  return true;
}

static bool try_translate(struct mm *mm, u32 pc) {
  kernel_lock();
  bool made = translate(mm, pc);
  kernel_unlock();
  return made;
}

static void sample(struct cpu_state *st, const u64 *ip) {
  u64 pc = state_pc(st, ip);
  if (pc >> 32 || (u32)SLOT_LOAD(ip) >> SLOT_OP == SLOT_TRANSLATED) return;
  if (mode == FORCED || heated(st->mm, (u32)pc, HOT_SAMPLES)) try_translate(st->mm, (u32)pc);
}

/* Forget what this instance has linked if it belongs to another address space or is stale. */
static bool instance_ready(struct mm *mm) {
  struct space *s = __atomic_load_n((struct space **)&mm->jit, __ATOMIC_ACQUIRE);
  if (!s) return false;
  if (my_space == s && my_epoch == s->epoch) return true;
  kernel_lock();
  if (!my_linked) my_linked = kmalloc(JIT_REGIONS);
  kernel_unlock();
  if (!my_linked) return false;
  memset(my_linked, 0, JIT_REGIONS);
  table_base = (u32)import_jit_link(NULL, 0, JIT_REGIONS);
  my_space = s, my_epoch = s->epoch;
  return true;
}

static bool link(struct space *s, u32 id) {
  kernel_lock();
  struct region *r = &s->regions[id];
  bool ok = r->state == READY && import_jit_link(r->bytes, r->length, table_base + id) == 0;
  if (ok) my_linked[id] = r->version, stats.links++;
  kernel_unlock();
  return ok;
}

/* What runs pc: table index << 12 | entry, or 0. */
static u32 lookup(struct cpu_state *st, u32 pc) {
  struct code_page *const *second = st->pages[pc >> 22];
  struct code_page *page = second ? second[(pc >> PAGE_SHIFT) & 1023] : NULL;
  if (!page) return 0;
  u64 slot = SLOT_LOAD(&page->slots[(pc & (PAGE_BYTES - 1)) >> 1]);
  if ((u32)slot >> SLOT_OP != SLOT_TRANSLATED) return 0;
  const struct entry *e = entry_at(my_space, (u32)(slot >> 32));
  u32 version = my_space->regions[e->region].version;
  if (UNLIKELY(e->version != version)) return 0;
  if (UNLIKELY(my_linked[e->region] != version) && !link(my_space, e->region)) return 0;
  return (table_base + e->region) << 12 | e->number;
}

/* Run translated code from pc on, until it is at `want`, or where no entry is, or the count is used up, or it does not
 * get on. target: what pc stands for when it is JIT_NOT_HERE. */
u64 WASM_EXPORT("tk_jit_chase") tk_jit_chase(u32 block, u32 pc, u32 count, u32 depth, u32 want, u32 target) {
  struct cpu_state *st = my_state;
  if (pc == JIT_NOT_HERE) pc = target;
  for (;;) {
    if (pc == want || (i32)count <= 0 || depth > JIT_DEPTH) return pack(count, pc);
    u32 at = lookup(st, pc);
    if (UNLIKELY(!at)) {
      if (want == ~1u || (mode != FORCED && !heated(st->mm, pc, HOT_CALLS)) || !try_translate(st->mm, pc)) return pack(count, pc);
      at = lookup(st, pc);
      if (!at) return pack(count, pc);
    }
    u64 r = ((region_fn)(uintptr_t)(at >> 12))(block, at & 4095, count, depth);
    u32 next = (u32)r;
    if (next == JIT_NOT_HERE) return pack(count, pc);
    if (next == pc && (u32)(r >> 32) == count) return r;
    pc = next, count = (u32)(r >> 32);
  }
}

/* A fused product and sum as exact as cpu's: NaN where only software knows the answer. */
double WASM_EXPORT("tk_jit_fma") tk_jit_fma(double a, double b, double d) {
  u64 bits[3], r;
  memcpy(&bits[0], &a, 8), memcpy(&bits[1], &b, 8), memcpy(&bits[2], &d, 8);
  if (!fpu_fma64(bits[0], bits[1], bits[2], &r)) return __builtin_nan("");
  double v;
  memcpy(&v, &r, 8);
  return v;
}

/* An entry of a translation that is no more. */
static NOINLINE void entry_remove(struct mm *mm, u32 pc) {
  kernel_lock();
  u64 *slot = code_slot_peek(mm, pc);
  if (slot && (u32)*slot >> SLOT_OP == SLOT_TRANSLATED)
    __atomic_store_n(slot, entry_at(mm->jit, (u32)(*slot >> 32))->original, __ATOMIC_RELAXED);
  kernel_unlock();
}

/* The slot at ip is an entry and the register block is true: run. Afterwards st->pc and the register block are. true: the
 * interpreter is to do the instruction at pc itself. */
#ifdef JIT_TRACE
static u32 leave_ring[256];
u32 WASM_EXPORT("tk_jit_ring") tk_jit_ring(void) { return (u32)(uintptr_t)leave_ring; }
#endif
static bool run(struct cpu_state *st, u32 block, i64 *budget) {
  u32 pc = (u32)st->pc, count = (u32)MIN(*budget, (i64)RUN_COUNT);
  if (!instance_ready(st->mm)) return true;
  my_state = st;
  if (UNLIKELY(!lookup(st, pc))) entry_remove(st->mm, pc);
  u64 r = tk_jit_chase(block, pc, count, 0, ~1u, 0);
  i32 left = (i32)(u32)(r >> 32), done = (i32)count - left;
  st->pc = (u32)r;
  if (UNLIKELY(guest_head_ld32(block + REG_JUMP) == (u32)r && guest_head_ld32(block + REG_JUMP + 4))) {
    jump_seen(st->mm, guest_head_ld32(block + REG_JUMP + 4), (u32)r, guest_head_ld32(block + REG_JUMP_REGION));
    guest_head_st64(block + REG_JUMP, 0);
  }
  st->retired += (u64)(i64)done;
  *budget -= done;
  stats.instructions += (u64)(i64)done, stats.leaves++;
#ifdef JIT_TRACE
  leave_ring[stats.leaves & 255] = st->pc;
#endif
  return left > 0;
}

static u64 original(struct cpu_state *st, u32 id) { return entry_at(st->mm->jit, id)->original; }

static void invalidate(struct mm *mm, u32 first, u32 last) {
  struct space *s = mm->jit;
  if (!s) return;
  bool any = false;
  for (u32 id = 1; id <= s->region_count; id++) {
    struct region *r = &s->regions[id];
    if (r->state == REFUSED) r->state = RESERVED;
    if (r->state != READY || r->page_high < first || r->page_low > last) continue;
    r->state = DEAD, any = true;
    kfree(r->bytes);
    r->bytes = NULL;
  }
  if (!any) return;
  s->epoch = ++last_epoch;
  for (u32 i = 0; i < s->entry_count; i++) { /* entries in pages that stay */
    const struct entry *e = entry_at(s, i);
    if (s->regions[e->region].state != DEAD) continue;
    u64 *slot = code_slot_peek(mm, e->pc);
    if (slot && *slot == ((u64)i << 32 | (u64)SLOT_TRANSLATED << SLOT_OP)) __atomic_store_n(slot, e->original, __ATOMIC_RELAXED);
  }
}

static void space_free(struct mm *mm) {
  struct space *s = mm->jit;
  if (!s) return;
  for (u32 id = 1; id <= s->region_count; id++) kfree(s->regions[id].bytes);
  for (u32 i = 0; i < ENTRY_CHUNKS; i++) kfree(s->chunks[i]);
  kpages_free(s, SPACE_PAGES);
  mm->jit = NULL;
}
static void end(struct mm *mm) {
  memset(heat, 0, sizeof(heat)); /* or the next process finds its cold code hot */
  space_free(mm);
}

static struct cpu_translator translator = {
    .slice = SLICE_SAMPLING, .sample = sample, .run = run, .original = original, .invalidate = invalidate, .free = end};

/* 0 off, 1 on, 2 translate whatever a jump reaches. Before the first guest runs. */
void WASM_EXPORT("tk_jit_mode") tk_jit_mode(u32 m) {
  mode = m;
  translator.slice = m == FORCED ? 1 : SLICE_SAMPLING;
  cpu_translator = m == OFF ? NULL : &translator;
}
/* 0 instructions in translated code, 1 regions, 2 bytes, 3 links, 4 returns to the interpreter, 5 refused. */
double WASM_EXPORT("tk_jit_stat") tk_jit_stat(u32 i) { return i < 6 ? (double)((u64 *)&stats)[i] : 0; }
#endif
