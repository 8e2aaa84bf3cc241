/* jit/policy: when to translate, what runs where, who has linked what.
 *
 * Heat is sampled: the interpreter's slices end at the target of a jump, and that counts for the guest function around
 * it (cpu marks what is first reached by a call). What translated code calls and finds untranslated heats up too. A
 * region's entries replace slots of the decode cache (SLOT_TRANSLATED, immediate: region, number), so that the
 * interpreter needs no look-up; what is known from another process or an earlier exec is installed as soon as its first
 * instruction is decoded (store.c). An instance links a region when it first runs it. Where it has not, its table holds
 * not_here(). Writers hold the kernel lock. */
#include "../core/metric.h"
#include "jit.h"

#ifdef __wasm__
#include "store.h"
#define OFF 0u
#define FORCED 2u
/* Translating, linking and the engine's baseline compiler cost a third of a millisecond on the guest's thread, its
 * optimizing compiler one or two on another: what has run a quarter of a million instructions is worth that in a thread
 * that goes on for long. One that has not yet run for half a second is likely to end soon: there only what has
 * already lost several times what its translation costs. */
#define HOT_SAMPLES 64u
#define YOUNG_INSTRUCTIONS 150000000ull
#define YOUNG_FACTOR 16u
#define HOT_CALLS 1500u
#define HOT_LEAVES 1000u
#define LINK_TRIES 3u /* runs before an instance links what another process made */
#define RETRIES 3u    /* translations anew, with more of the code having been seen */
#define SLICE_SAMPLING 4096
#define RUN_COUNT 100000u
#define START_REACH 4096u /* bytes back to a function's start */
#define LITTLE 60u    /* instructions of a region that may be part of another one too */
#define JUMPS 4096u
#define UNSEEN_LIMIT 64u

static u32 mode, table_base;
static struct jit_ctx *ctx;
#define HEAT 8192u
static struct heat {
  u32 pc, count;
} sampled[HEAT], counted[HEAT]; /* where the interpreter's time goes; what translated code calls and leaves to */
static u32 jump_count;
static struct { u32 from, to; } jumps[JUMPS]; /* indirect jumps seen */
static struct { u64 instructions, all, regions, bytes, links, leaves, refused, anew, translate_ns, link_ns; } stats;

static _Thread_local struct space *my_space;
static _Thread_local u32 my_epoch, my_generation;
static _Thread_local u8 *my_linked, *my_tries;
static _Thread_local struct cpu_state *my_state;
static u8 *linked_of[MAX_INSTANCES]; /* my_linked and my_tries; kernel lock */

/* ptr NULL: bytes 0: empty the entries linked since, bytes 1: and forget what was ever linked; gives the first of
 * `index` entries. Else link to that entry: 0 or -1; the same index again
 * is the same bytes. */
__attribute__((import_module("host"), import_name("jit_link"))) i32 import_jit_link(const void *ptr, u32 bytes, u32 index);

typedef u64 (*region_fn)(u32 block, u32 entry, u32 count, u32 depth);
static u64 pack(u32 count, u32 pc) { return (u64)count << 32 | pc; }
u64 WASM_EXPORT("tk_jit_not_here") tk_jit_not_here(u32 block, UNUSED u32 entry, u32 count, UNUSED u32 depth) {
  return pack(count, guest_head_ld32(block + REG_TARGET));
}
u32 jit_generation(void) { return store_generation << 1 & 0x3ffe; }

u32 jit_callee(struct jit_ctx *c, u32 pc) {
  u32 id = store_find(c->mm, pc, true);
  return id ? table_base + id : 0;
}

#define CTX_PAGES ((u32)(ALIGN_UP(sizeof(struct jit_ctx), (size_t)PAGE_BYTES) / PAGE_BYTES))
#define ROOM_PAGES (BODY_ROOM / PAGE_BYTES)
static bool ctx_make(void) {
  if (ctx) return true;
  struct jit_ctx *c = kpages_alloc(CTX_PAGES);
  u8 *body = kpages_alloc(ROOM_PAGES), *result = kpages_alloc(ROOM_PAGES);
  if (!c || !body || !result) {
    if (c) kpages_free(c, CTX_PAGES);
    if (body) kpages_free(body, ROOM_PAGES);
    if (result) kpages_free(result, ROOM_PAGES);
    return false;
  }
  memset(c, 0, CTX_PAGES * PAGE_BYTES);
  c->body = (struct jit_buffer){.at = body, .room = BODY_ROOM}, c->out = (struct jit_buffer){.at = result, .room = BODY_ROOM};
  ctx = c;
  return true;
}

/* Lock held, own memory. A region that begins at pc; anew: though there is one, which stays what other code calls. */
enum anew { ONCE, GROWN, CHANGED }; /* GROWN: if that brings in more of the code */
static bool translate(struct mm *mm, u32 pc, enum anew anew) {
  struct space *s = store_space(mm);
  if (!s || !ctx_make()) return false;
  if (!table_base) table_base = (u32)import_jit_link(NULL, 0, STORE_REGIONS); /* calls are emitted with it */
  u32 id = store_find(mm, pc, true);
  if (!id) {
    store_flush();
    id = store_find(mm, pc, true);
    if (!id) return false;
  }
  const struct region *r = &store_regions[id];
  bool ready = r->state == REGION_READY;
  if (r->state == REGION_REFUSED) return false;
  if (ready && !(anew && r->version < RETRIES)) {
    store_install(s, id);
    return true;
  }
  ctx->mm = mm, ctx->prune = mode != FORCED, ctx->before = ready ? r : NULL;
  u64 began = phase_begin(), since = host_monotonic_ns();
  bool ok = jit_region(ctx, pc) && !(ready && anew == GROWN && ctx->insn_count < r->insns + r->insns / 8 + 4) && jit_flow(ctx);
  u32 as = ok && ready ? store_anew(id) : id;
  ctx->own = as;
  ok = ok && as && jit_build(ctx) && store_keep(ctx, as);
  stats.translate_ns += host_monotonic_ns() - since;
  if (!ok) {
    if (!ready) store_regions[id].state = REGION_REFUSED, stats.refused++;
    phase_end(METRIC_JIT, began);
    return ready;
  }
  phase_end(METRIC_JIT, began);
  s->holds[as] = HOLDS;
  store_install(s, as);
  stats.regions++, stats.bytes += ctx->out.length, stats.anew += ready;
  return true;
}

u32 jit_seen_targets(struct jit_ctx *c, u32 pc, u32 *targets) {
  u32 n = 0, low = ~0u, high = 0;
  for (u32 i = 0; i < jump_count; i++) {
    if (jumps[i].from != pc || jumps[i].to - c->low >= JIT_WINDOW - 4 || !jit_wanted(c, jumps[i].to)) continue;
    if (n == JIT_SWITCH_TARGETS) return 0;
    targets[n++] = jumps[i].to;
    low = MIN(low, jumps[i].to), high = MAX(high, jumps[i].to);
  }
  return n && high - low < JIT_SWITCH_SPAN ? n : 0;
}

bool jit_wanted(struct jit_ctx *c, u32 pc) {
  if (!c->prune) return true;
  const u64 *slot = code_slot_peek(c->mm, pc);
  if (slot && (u32)*slot >> SLOT_OP == SLOT_TRANSLATED) { /* not twice, unless it is little */
    const struct region *r = &store_regions[ENTRY_REGION((u32)(*slot >> 32))];
    if (r->pc != c->start && r->insns > LITTLE) return false;
  }
  return (slot && *slot) || (c->before && store_contains(c->before, pc));
}

bool jit_reached(struct jit_ctx *c, u32 pc) {
  const u64 *slot = code_slot_peek(c->mm, pc);
  return !c->prune || (slot && *slot);
}

/* A region left by an indirect jump to where nothing begins: after some of these it is translated anew, with them. */
static NOINLINE void jump_seen(struct mm *mm, u32 from, u32 to, u32 id) {
  struct region *r = &store_regions[id];
  if (id > store_count || r->state != REGION_READY || to - (r->pc - MIN(r->pc, JIT_WINDOW_BELOW)) >= JIT_WINDOW - 4) return;
  kernel_lock();
  u32 i = 0;
  while (i < jump_count && (jumps[i].from != from || jumps[i].to != to)) i++;
  if (i == jump_count && i < JUMPS) jumps[jump_count].from = from, jumps[jump_count++].to = to;
  if (r->version < RETRIES && ++r->unseen == UNSEEN_LIMIT << 2 * r->version) translate(mm, r->pc, GROWN);
  kernel_unlock();
}

static u32 misaligned[1024]; /* accesses, by a hash of their pc */
static u32 misaligned_bit(u32 pc) { return (pc >> 1) * 2654435761u >> 17; }
bool jit_misaligned(u32 pc) { return misaligned[misaligned_bit(pc) / 32] >> (misaligned_bit(pc) & 31) & 1; }

static bool heated(struct heat *table, u32 pc, u32 limit) {
  struct heat *h = &table[(pc >> 1) * 2654435761u >> 19];
  if (h->pc != pc) {
    if (h->count > 0) {
      h->count--;
      return false;
    }
    h->pc = pc;
  }
  if (++h->count < limit) return false;
  h->count = 0;
  return true;
}

/* Code at pc, in the function that begins at start, is hot. Lock held. */
static void promote(struct mm *mm, u32 start, u32 pc) {
  u32 id = store_find(mm, start, false);
  const struct region *r = &store_regions[id];
  if (id && r->state == REGION_READY) {
    if (start != pc && store_contains(r, pc)) code_start_mark(mm, pc); /* only not entered there: it may earn its own */
    else translate(mm, start, GROWN);
  } else {
    translate(mm, start, ONCE);
  }
  id = store_find(mm, start, false);
  if (start != pc && !(id && store_regions[id].state == REGION_READY && store_contains(&store_regions[id], pc))) code_start_mark(mm, pc);
}

static u32 patience(const struct cpu_state *st) { return st->retired < YOUNG_INSTRUCTIONS ? YOUNG_FACTOR : 1; }

static void sample(struct cpu_state *st, const u64 *ip) {
  u64 pc = state_pc(st, ip);
  if (pc >> 32 || (u32)SLOT_LOAD(ip) >> SLOT_OP == SLOT_TRANSLATED) return;
  u32 start = mode == FORCED ? (u32)pc : code_start_before(st->mm, (u32)pc, START_REACH);
  if (mode != FORCED && !heated(sampled, start, HOT_SAMPLES * patience(st))) return;
  kernel_lock();
  promote(st->mm, start, (u32)pc);
  kernel_unlock();
}

/* Translated code is left for pc again and again. */
static NOINLINE void leaves_hot(struct mm *mm, u32 pc) {
  kernel_lock();
  const u64 *slot = code_slot_peek(mm, pc);
  if (slot && *slot && (guest_perm(pc >> PAGE_SHIFT) & guest_perm((pc + 2) >> PAGE_SHIFT) & PERM_X)) {
    struct insn d = insn_decode(code_bits(pc));
    u32 bytes, need, start = code_start_before(mm, pc, START_REACH), id = store_find(mm, start, false);
    if (id && store_contains(&store_regions[id], pc) && jit_is_access(&d, &bytes, &need) && !jit_misaligned(pc)) {
      misaligned[misaligned_bit(pc) / 32] |= 1u << (misaligned_bit(pc) & 31); /* or refused for another reason: no harm */
      translate(mm, start, CHANGED);
    } else if (jit_translates(&d)) {
      promote(mm, start, pc);
    }
  }
  kernel_unlock();
}

/* Lock held: the slot of pc was just filled. */
static void decoded(struct mm *mm, u32 pc) {
  if (!store_count) return;
  u32 id = store_find(mm, pc, false);
  if (id && store_holds(mm->jit, id)) store_install(mm->jit, id);
}

/* Forget what this instance has linked if it belongs to another address space or is stale. */
static bool instance_ready(struct mm *mm) {
  struct space *s = __atomic_load_n((struct space **)&mm->jit, __ATOMIC_ACQUIRE);
  if (!s) return false;
  u32 generation = __atomic_load_n(&store_generation, __ATOMIC_ACQUIRE);
  if (my_space == s && my_epoch == s->epoch && my_generation == generation) return true;
  if (!my_linked) { /* a new instance, perhaps under the number of one that is gone */
    kernel_lock();
    if (!linked_of[instance_id]) linked_of[instance_id] = kmalloc(2 * STORE_REGIONS);
    my_linked = linked_of[instance_id];
    kernel_unlock();
    if (!my_linked) return false;
    my_tries = my_linked + STORE_REGIONS, my_generation = 0;
  }
  memset(my_linked, 0, STORE_REGIONS);
  guest_perm_fill(JUMP_CACHE_OFFSET, 0, JUMP_CACHE_BYTES);
  if (my_generation != generation) memset(my_tries, 0, STORE_REGIONS);
  table_base = (u32)import_jit_link(NULL, my_generation != generation, STORE_REGIONS);
  my_space = s, my_epoch = s->epoch, my_generation = generation;
  return true;
}

static NOINLINE bool link(struct space *s, u32 id) {
  if (mode != FORCED && my_tries[id] < LINK_TRIES) {
    my_tries[id]++;
    return false;
  }
  kernel_lock();
  struct region *r = &store_regions[id];
  u64 since = host_monotonic_ns();
  bool ok = my_generation == store_generation && store_holds(s, id) && import_jit_link(r->bytes, r->length, table_base + id) == 0;
  if (ok) my_linked[id] = 1, stats.links++;
  stats.link_ns += host_monotonic_ns() - since;
  kernel_unlock();
  return ok;
}

/* What runs pc: table index << JUMP_ENTRY_BITS | entry, or 0. Next time it is found in the cache of jumps. */
static inline u32 lookup(struct cpu_state *st, u32 pc) {
  struct code_page *const *second = st->pages[pc >> 22];
  struct code_page *page = second ? second[(pc >> PAGE_SHIFT) & 1023] : NULL;
  if (!page) return 0;
  u64 slot = SLOT_LOAD(&page->slots[(pc & (PAGE_BYTES - 1)) >> 1]);
  if ((u32)slot >> SLOT_OP != SLOT_TRANSLATED) return 0;
  u32 e = (u32)(slot >> 32), id = ENTRY_REGION(e);
  if (UNLIKELY(!my_linked[id] || my_generation != store_generation) && !link(my_space, id)) return 0;
  u32 at = (table_base + id) << JUMP_ENTRY_BITS | ENTRY_NUMBER(e);
  guest_head_st64(JUMP_CACHE_OFFSET + ((pc << 2) & JUMP_CACHE_MASK), (u64)(pc ^ (store_generation << 1 & 0x3ffe)) << 32 | at);
  return at;
}

/* Run translated code from pc on, until it is at `want`, or where no entry is, or the count is used up, or it does not
 * get on. */
static inline u64 enter(u32 at, u32 block, u32 count, u32 depth) {
  return ((region_fn)(uintptr_t)(at >> JUMP_ENTRY_BITS))(block, at & ((1u << JUMP_ENTRY_BITS) - 1), count, depth);
}
u64 WASM_EXPORT("tk_jit_chase") tk_jit_chase(u32 block, u32 pc, u32 count, u32 depth, u32 want) {
  struct cpu_state *st = my_state;
  for (;;) {
    if (pc == want || (i32)count <= 0 || depth > JIT_DEPTH) return pack(count, pc);
    u32 at = lookup(st, pc);
    if (UNLIKELY(!at)) {
      if (want == ~1u || (mode != FORCED && !heated(counted, pc, HOT_CALLS * patience(st)))) return pack(count, pc);
      kernel_lock();
      bool made = translate(st->mm, pc, ONCE);
      kernel_unlock();
      if (!made || !(at = lookup(st, pc))) return pack(count, pc);
    }
    u64 r = enter(at, block, count, depth);
    u32 next = (u32)r;
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

/* An entry of a translation that is no more: decoded anew. */
static NOINLINE void entry_remove(struct mm *mm, u32 pc) {
  kernel_lock();
  u64 *slot = code_slot_peek(mm, pc);
  if (slot && (u32)*slot >> SLOT_OP == SLOT_TRANSLATED) {
    u32 id = ENTRY_REGION((u32)(*slot >> 32));
    if (id > store_count || !store_holds(mm->jit, id)) __atomic_store_n(slot, 0, __ATOMIC_RELAXED);
  }
  kernel_unlock();
}

/* The slot at ip is an entry and the register block is true: run. Afterwards st->pc and the register block are. true: the
 * interpreter is to do the instruction at pc itself. */
static bool run(struct cpu_state *st, u32 block, i64 *budget) {
  u32 pc = (u32)st->pc, count = (u32)MIN(*budget, (i64)RUN_COUNT), at;
  if (!instance_ready(st->mm)) return true;
  my_state = st;
  if (UNLIKELY(!(at = lookup(st, pc)))) {
    entry_remove(st->mm, pc);
    return true;
  }
  u64 r = enter(at, block, count, 0);
  if ((u32)r != pc || (u32)(r >> 32) != count) r = tk_jit_chase(block, (u32)r, (u32)(r >> 32), 0, ~1u);
  i32 left = (i32)(u32)(r >> 32), done = (i32)count - left;
  st->pc = (u32)r;
  if (UNLIKELY(guest_head_ld32(block + REG_JUMP) == (u32)r && guest_head_ld32(block + REG_JUMP + 4))) {
    jump_seen(st->mm, guest_head_ld32(block + REG_JUMP + 4), (u32)r, guest_head_ld32(block + REG_JUMP_REGION));
    guest_head_st64(block + REG_JUMP, 0);
  }
  st->retired += (u64)(i64)done;
  *budget -= done;
  stats.instructions += (u64)(i64)done, stats.leaves++;
  if (left > 0 && mode != FORCED && heated(counted, (u32)r, HOT_LEAVES * patience(st))) leaves_hot(st->mm, (u32)r);
  return left > 0;
}

static void invalidate(struct mm *mm, u32 first, u32 last) {
  if (mm->jit) store_invalidate(mm->jit, first, last);
}
static void executed(u64 instructions) { stats.all += instructions; }

static void forget(void) {
  store_flush();
  if (ctx) {
    kpages_free(ctx->body.at, ROOM_PAGES), kpages_free(ctx->out.at, ROOM_PAGES), kpages_free(ctx, CTX_PAGES);
    ctx = NULL;
  }
  memset(sampled, 0, sizeof sampled), memset(counted, 0, sizeof counted);
  memset(jumps, 0, sizeof jumps), memset(misaligned, 0, sizeof misaligned);
  jump_count = 0;
}

static struct cpu_translator translator = {.slice = SLICE_SAMPLING, .sample = sample, .decoded = decoded, .run = run,
                                           .invalidate = invalidate, .executed = executed, .forget = forget, .free = store_space_free};

/* 0 off, 1 on, 2 translate whatever a jump reaches. Before the first guest runs; a machine that was saved with
 * translations goes on without them. */
void WASM_EXPORT("tk_jit_mode") tk_jit_mode(u32 m) {
  mode = m;
  if (m == OFF) store_flush();
  translator.slice = m == FORCED ? 1 : SLICE_SAMPLING;
  cpu_translator = m == OFF ? NULL : &translator;
}
/* 0 instructions in translated code, 1 of all, 2 regions, 3 bytes, 4 links, 5 returns to the interpreter, 6 refused,
 * 7 regions translated anew; nanoseconds of guest threads spent 8 on translating, 9 on linking. */
double WASM_EXPORT("tk_jit_stat") tk_jit_stat(u32 i) { return i < sizeof stats / 8 ? (double)((u64 *)&stats)[i] : 0; }
#endif
