/* jit/store: translations by content. A region knows the bytes it was made from: any address space that has them at the
 * same addresses may run it, so that a forked child or the next exec of a file starts with what its predecessors made.
 * Its number is an index of every instance's table. Entries replace slots of an address space's decode cache; pages that
 * change take theirs away. When numbers or bytes run out everything is forgotten at once. owner: kernel lock. */
#ifdef __wasm__ /* only there is an engine that could run it */
#include "store.h"

#define BY_PC 4096u
#define SPACE_PAGES ((u32)(ALIGN_UP(sizeof(struct space), (size_t)PAGE_BYTES) / PAGE_BYTES))

struct region store_regions[STORE_REGIONS];
u32 store_generation = 1, store_count;
static u16 by_pc[BY_PC];
static u64 store_bytes;
static struct space *spaces;
static u32 last_epoch;

static u32 hash_pc(u32 pc) { return (pc >> 1) * 2654435761u >> 20; }

/* The first bytes at pc, as far as they are there. */
static u32 key_at(u32 pc) {
  u32 key = 2166136261u;
  for (u32 i = 0; i < 16; i += 2) {
    if (!(guest_perm((pc + i) >> PAGE_SHIFT) & PERM_X)) break;
    key = (key ^ guest_ld16(pc + i)) * 16777619u;
  }
  return key;
}

struct space *store_space(struct mm *mm) {
  if (mm->jit) return mm->jit;
  struct space *s = kpages_alloc(SPACE_PAGES);
  if (!s) return NULL;
  memset(s, 0, SPACE_PAGES * PAGE_BYTES);
  s->mm = mm, s->next = spaces, s->epoch = ++last_epoch;
  spaces = s;
  __atomic_store_n((struct space **)&mm->jit, s, __ATOMIC_RELEASE);
  return s;
}

static bool same_code(const struct region *r) {
  const u16 *at = r->code;
  for (u32 i = 0; i < r->part_count; i++) {
    u32 pc = r->parts[i].pc, n = r->parts[i].halfwords;
    for (u32 page = pc >> PAGE_SHIFT; page <= (pc + 2 * n - 1) >> PAGE_SHIFT; page++)
      if (!(guest_perm(page) & PERM_X)) return false;
    for (u32 k = 0; k < n; k++)
      if (guest_ld16(pc + 2 * k) != at[k]) return false;
    at += n;
  }
  return true;
}

bool store_holds(struct space *s, u32 id) {
  const struct region *r = &store_regions[id];
  if (r->state != REGION_READY) return false;
  if (s->holds[id] == HOLDS) return true;
  if (!same_code(r)) return false; /* a page may not be here yet: asked again */
  s->holds[id] = HOLDS;
  return true;
}

static u32 number_new(u32 pc, u32 key) {
  if (store_count + 1 >= STORE_REGIONS || store_bytes > STORE_BYTES) return 0;
  u32 id = ++store_count;
  u16 *chain = &by_pc[hash_pc(pc)];
  store_regions[id] = (struct region){.pc = pc, .key = key, .next = *chain};
  *chain = (u16)id;
  return id;
}

u32 store_find(struct mm *mm, u32 pc, bool make) {
  struct space *s = store_space(mm);
  u32 key = key_at(pc), reserved = 0;
  if (!s) return 0;
  for (u32 id = by_pc[hash_pc(pc)]; id; id = store_regions[id].next) {
    const struct region *r = &store_regions[id];
    if (r->pc != pc || r->key != key) continue;
    if (r->state != REGION_READY) reserved = id;
    else if (store_holds(s, id)) return id;
  }
  return reserved || !make ? reserved : number_new(pc, key);
}

u32 store_anew(u32 id) {
  u32 other = number_new(store_regions[id].pc, store_regions[id].key);
  if (other) store_regions[other].version = store_regions[id].version + 1;
  return other;
}

static u32 bytes_of(const struct region *r) { return r->length + r->insns * 6; }

bool store_keep(struct jit_ctx *c, u32 id) {
  struct region *r = &store_regions[id];
  u32 halfwords = 0;
  for (u32 i = 0; i < c->insn_count; i++) halfwords += c->insns[i].length / 2u;
  u32 parts = (u32)ALIGN_UP(c->out.length, 8u), code = parts + c->block_count * (u32)sizeof(struct region_part);
  u32 entries = (u32)ALIGN_UP(code + 2 * halfwords, 4u);
  u8 *block = kmalloc(entries + 4 * c->entry_count);
  if (!block) return false;
  memcpy(block, c->out.at, c->out.length);
  r->bytes = block, r->parts = (void *)(block + parts), r->code = (void *)(block + code), r->entries = (void *)(block + entries);
  r->length = c->out.length, r->insns = c->insn_count, r->page_low = c->page_low, r->page_high = c->page_high;
  r->part_count = (u16)c->block_count, r->entry_count = (u16)c->entry_count;
  u16 *at = r->code;
  for (u32 i = 0; i < c->block_count; i++) {
    const struct jit_node *n = &c->nodes[i];
    u32 pc = n->pc;
    r->parts[i].pc = pc;
    for (u32 k = 0; k < n->count; k++) {
      u32 bytes = c->insns[n->first + k].length;
      for (u32 b = 0; b < bytes; b += 2) *at++ = (u16)guest_ld16(pc + b);
      pc += bytes;
    }
    r->parts[i].halfwords = (pc - n->pc) / 2;
  }
  for (u32 i = 0; i < c->entry_count; i++) r->entries[i] = c->nodes[c->entries[i]].pc;
  r->state = REGION_READY, r->unseen = 0;
  store_bytes += bytes_of(r);
  return true;
}

void store_install(struct space *s, u32 id) {
  const struct region *r = &store_regions[id];
  for (u32 i = 0; i < r->entry_count && i < 1u << ENTRY_NUMBER_BITS; i++) {
    u64 *slot = code_slot(s->mm, r->entries[i]);
    if (!slot || !*slot) continue;
    if (i > 0 && (u32)*slot >> SLOT_OP == SLOT_TRANSLATED) { /* a region's own beginning stays, and the bigger one */
      u32 e = (u32)(*slot >> 32), other = ENTRY_REGION(e);
      const struct region *was = &store_regions[other];
      if (other != id && was->pc != r->pc && s->holds[other] == HOLDS && (ENTRY_NUMBER(e) == 0 || was->insns > r->insns)) continue;
    }
    u32 entry = id << ENTRY_NUMBER_BITS | i;
    __atomic_store_n(slot, (u64)entry << 32 | (u64)SLOT_TRANSLATED << SLOT_OP, __ATOMIC_RELEASE);
  }
}

bool store_contains(const struct region *r, u32 pc) {
  for (u32 i = 0; i < r->part_count; i++)
    if (pc - r->parts[i].pc < 2 * r->parts[i].halfwords) return true;
  return false;
}

static void uninstall(struct space *s, u32 id) {
  const struct region *r = &store_regions[id];
  for (u32 i = 0; i < r->entry_count; i++) {
    u64 *slot = code_slot_peek(s->mm, r->entries[i]);
    if (slot && (u32)*slot >> SLOT_OP == SLOT_TRANSLATED && ENTRY_REGION((u32)(*slot >> 32)) == id) __atomic_store_n(slot, 0, __ATOMIC_RELAXED);
  }
  s->holds[id] = HOLDS_UNKNOWN;
}

void store_invalidate(struct space *s, u32 first, u32 last) {
  bool any = false;
  for (u32 id = 1; id <= store_count; id++) {
    if (s->holds[id] != HOLDS || store_regions[id].page_high < first || store_regions[id].page_low > last) continue;
    uninstall(s, id);
    any = true;
  }
  if (!any) return;
  s->epoch = ++last_epoch;
  guest_perm_fill(JUMP_CACHE_OFFSET, 0, JUMP_CACHE_BYTES); /* of own memory */
}

void store_space_free(struct mm *mm) {
  struct space *s = mm->jit;
  if (!s) return;
  for (struct space **at = &spaces; *at; at = &(*at)->next)
    if (*at == s) {
      *at = s->next;
      break;
    }
  kpages_free(s, SPACE_PAGES);
  mm->jit = NULL;
}

void store_flush(void) {
  for (struct space *s = spaces; s; s = s->next) {
    for (u32 id = 1; id <= store_count; id++)
      if (s->holds[id]) uninstall(s, id);
    s->epoch = ++last_epoch;
  }
  for (u32 id = 1; id <= store_count; id++) kfree(store_regions[id].bytes);
  memset(store_regions, 0, sizeof(struct region) * (store_count + 1));
  memset(by_pc, 0, sizeof(by_pc));
  store_count = 0, store_bytes = 0;
  __atomic_store_n(&store_generation, store_generation + 1, __ATOMIC_RELEASE);
}
#endif
