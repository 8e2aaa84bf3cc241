/* cpu/code: see code.h. Owns mm->code; allocation by chunks of four pages' slots, since one page's slots are just over
 * four kernel pages long. */
#include "code.h"
#include "float.h"

#define CHUNK_PAGES 4u
#define CHUNK_KERNEL_PAGES ((u32)(ALIGN_UP(CHUNK_PAGES * sizeof(struct code_page), PAGE_BYTES) / PAGE_BYTES))
#define SECOND_ENTRIES 1024u
#define SECOND_KERNEL_PAGES ((u32)(SECOND_ENTRIES * sizeof(void *) / PAGE_BYTES))
#define RUN_LIMIT 64u /* instructions decoded at once */

struct code_chunk {
  struct code_chunk *next;
  struct code_page *pages;
};
struct code {
  struct code_page **first[1024]; /* by address >> 22, then (address >> 12) & 1023 */
  struct code_chunk *chunks;
  u32 chunk_used; /* pages of the first chunk handed out */
};

void cpu_code_free(struct mm *mm) {
  struct code *code = mm->code;
  if (cpu_translator) cpu_translator->free(mm);
  if (!code) return;
  for (struct code_chunk *c = code->chunks, *next; c; c = next) {
    next = c->next;
    kpages_free(c->pages, CHUNK_KERNEL_PAGES);
    kfree(c);
  }
  for (u32 i = 0; i < ARRAY_LEN(code->first); i++)
    if (code->first[i]) kpages_free(code->first[i], SECOND_KERNEL_PAGES);
  kfree(code);
  mm->code = NULL;
}

bool code_attach(struct cpu_state *st) {
  struct code *code = __atomic_load_n((struct code **)&st->mm->code, __ATOMIC_ACQUIRE);
  if (!code) {
    kernel_lock();
    code = st->mm->code;
    if (!code) {
      code = kzalloc(sizeof(*code));
      if (code) __atomic_store_n((struct code **)&st->mm->code, code, __ATOMIC_RELEASE);
    }
    kernel_unlock();
  }
  if (!code) return false;
  st->pages = (struct code_page *const *const *)code->first;
  return true;
}

static struct code_page *page_find(const struct code *code, u32 page) {
  struct code_page **second = code->first[page >> 10];
  return second ? second[page & (SECOND_ENTRIES - 1)] : NULL;
}

static void slot_write(u64 *slot, u64 value) { __atomic_store_n(slot, value, __ATOMIC_RELAXED); }

static struct code_page *page_new(struct code *code) {
  if (!code->chunks || code->chunk_used == CHUNK_PAGES) {
    struct code_chunk *c = kmalloc(sizeof(*c));
    if (!c) return NULL;
    c->pages = kpages_alloc(CHUNK_KERNEL_PAGES);
    if (!c->pages) {
      kfree(c);
      return NULL;
    }
    c->next = code->chunks, code->chunks = c, code->chunk_used = 0;
  }
  struct code_page *p = &code->chunks->pages[code->chunk_used++];
  memset(p, 0, sizeof(*p));
  p->slots[CODE_SLOTS] = p->slots[CODE_SLOTS + 1] = (u64)SLOT_PAGE_END << SLOT_OP;
  return p;
}

static struct code_page *page_make(struct code *code, u32 page) {
  struct code_page ***second = &code->first[page >> 10], *p;
  if (!*second) {
    struct code_page **table = kpages_alloc(SECOND_KERNEL_PAGES);
    if (!table) return NULL;
    memset(table, 0, SECOND_KERNEL_PAGES * PAGE_BYTES);
    __atomic_store_n(second, table, __ATOMIC_RELEASE);
  }
  p = (*second)[page & (SECOND_ENTRIES - 1)];
  if (p) return p;
  if (!(p = page_new(code))) return NULL;
  __atomic_store_n(&(*second)[page & (SECOND_ENTRIES - 1)], p, __ATOMIC_RELEASE);
  return p;
}

void code_start_mark(struct mm *mm, u32 pc) {
  struct code_page *page = mm->code ? page_find(mm->code, pc >> PAGE_SHIFT) : NULL;
  u32 at = (pc & (PAGE_BYTES - 1)) / 2;
  if (page) __atomic_fetch_or(&page->starts[at / 64], 1ull << (at & 63), __ATOMIC_RELAXED);
}
u32 code_start_before(const struct mm *mm, u32 pc, u32 reach) {
  i32 word = (i32)((pc & (PAGE_BYTES - 1)) / 128);
  u64 within = ~0ull >> (63 - ((pc / 2) & 63));
  u32 base = pc & ~127u;
  const struct code_page *page = page_find(mm->code, pc >> PAGE_SHIFT);
  for (; page && pc - base < reach + 128; within = ~0ull, base -= 128) {
    u64 bits = __atomic_load_n(&page->starts[word], __ATOMIC_RELAXED) & within;
    if (bits) return base + 2 * (63 - (u32)__builtin_clzll(bits));
    if (--word < 0) {
      if (base < PAGE_BYTES) break;
      word = CODE_SLOTS / 64 - 1, page = page_find(mm->code, (base >> PAGE_SHIFT) - 1);
    }
  }
  return pc;
}

/* Was the jump to pc a call? The instruction before the return address in register r says so; of an indirect one what
 * pc begins with: room on the stack is made. */
static bool called(const struct cpu_state *st, u32 r, u32 pc) {
  u64 ra = st->x[r];
  struct insn d;
  if (ra >> 32 || ra < 4 || !(guest_perm((u32)(ra - 4) >> PAGE_SHIFT) & PERM_X) || !(guest_perm((u32)(ra - 1) >> PAGE_SHIFT) & PERM_X)) return false;
  d = insn_decode(code_bits(ra - 4));
  if (d.length == 4 && d.op == OP_JAL && d.rd == r) return (u32)ra - 4 + (u32)d.imm == pc;
  bool indirect = d.length == 4 && d.op == OP_JALR && d.rd == r;
  if (!indirect) {
    d = insn_decode(code_bits(ra - 2));
    indirect = d.length == 2 && d.op == OP_JALR && d.rd == r;
  }
  if (!indirect) return false;
  d = insn_decode(code_bits(pc));
  return d.op == OP_ADDI && d.rd == 2 && d.rs1 == 2 && d.imm < 0;
}

static void page_clear(struct code_page *p) {
  for (u32 i = 0; i < CODE_SLOTS; i++) slot_write(&p->slots[i], 0);
}

void cpu_code_invalidate(struct mm *mm, u32 page, u32 pages) {
  struct code *code = mm->code;
  if (!code || pages == 0) return;
  mm->code_generation++;
  u32 last = pages - 1 > ~0u - page ? ~0u : page + (pages - 1);
  last = MIN(last, (1u << 20) - 1);
  if (page > last) return;
  if (cpu_translator) cpu_translator->invalidate(mm, page ? page - 1 : 0, last);
  if (page > 0) { /* an instruction may begin in the halfword before */
    struct code_page *before = page_find(code, page - 1);
    if (before) slot_write(&before->slots[CODE_SLOTS - 1], 0);
  }
  for (u32 high = page >> 10; high <= last >> 10; high++) {
    if (!code->first[high]) continue;
    for (u32 low = high == page >> 10 ? page & 1023 : 0; low <= (high == last >> 10 ? last & 1023 : 1023); low++)
      if (code->first[high][low]) page_clear(code->first[high][low]);
  }
}

/* A page whose permission byte says neither W nor external has not changed since it was decoded: when it becomes
 * writable or is replaced, mm invalidates it. */
void code_fence(struct cpu_state *st) {
  kernel_lock();
  struct code *code = st->mm->code;
  mm_code_sync(st->mm);
  for (u32 high = 0; high < ARRAY_LEN(code->first); high++) {
    if (!code->first[high]) continue;
    for (u32 low = 0; low < SECOND_ENTRIES; low++)
      if (code->first[high][low] && (guest_perm(high << 10 | low) & (PERM_W | PERM_EXTERNAL)))
        cpu_code_invalidate(st->mm, high << 10 | low, 1);
  }
  kernel_unlock();
}

static bool fault(struct cpu_state *st, u64 addr, i32 signo, i32 si_code) {
  st->fault = (struct cpu_fault){.addr = addr, .si_signo = signo, .si_code = si_code};
  return false;
}

/* Make the page of addr executable-now; lock held. */
static bool fetch_prepare(struct cpu_state *st, u64 addr) {
  i32 signo = SIGSEGV, si_code = SEGV_MAPERR;
  if (addr >= GUEST_MAX_BYTES - 4) return fault(st, addr, SIGSEGV, SEGV_MAPERR);
  if (guest_perm((u32)(addr >> PAGE_SHIFT)) & PERM_X) return true;
  if (mm_fault(st->mm, addr, ACCESS_X, &signo, &si_code) < 0) return fault(st, addr, signo, si_code);
  return true;
}

const u64 *code_enter(struct cpu_state *st, u64 pc) {
  const u64 *ip = NULL;
  st->pc = pc;
  kernel_lock();
  if (fetch_prepare(st, pc)) {
    if (page_make(st->mm->code, (u32)(pc >> PAGE_SHIFT))) ip = code_find(st, pc);
    else fault(st, pc, SIGKILL, SI_KERNEL); /* as the out-of-memory killer */
  }
  kernel_unlock();
  return ip;
}

/* ---- slots ---- */
static u64 slot(u32 op, u32 rd, u32 rs1, u32 rs2, u32 low, i32 imm) {
  return (u64)(u32)imm << 32 | (u64)op << SLOT_OP | (u64)rs2 << SLOT_RS2 | (u64)rs1 << SLOT_RS1 | (u64)rd << SLOT_RD | low;
}

static const u16 slot_of[ISA_OPS] = {
#define X(name) [OP_##name] = SLOT_##name##_2,
    X(ADDI) X(ADDIW) X(ANDI) X(SLLI) X(SRLI) X(SRAI) X(ADD) X(SUB) X(XOR) X(OR) X(AND) X(ADDW) X(SUBW) X(LW) X(LD)
    X(SW) X(SD) X(FLD) X(FSD)
#undef X
#define X(name) [OP_##name] = SLOT_##name,
    X(ECALL) X(FENCE) X(FENCE_I) X(LB) X(LH) X(LBU) X(LHU) X(LWU) X(SB) X(SH) X(FLW) X(FSW)
    X(SLTI) X(SLTIU) X(XORI) X(ORI) X(SLLIW) X(SRLIW) X(SRAIW)
    X(SLL) X(SLT) X(SLTU) X(SRL) X(SRA) X(SLLW) X(SRLW) X(SRAW)
    X(MUL) X(MULH) X(MULHSU) X(MULHU) X(DIV) X(DIVU) X(REM) X(REMU) X(MULW) X(DIVW) X(DIVUW) X(REMW) X(REMUW)
    X(FADD_D) X(FSUB_D) X(FMUL_D) X(FDIV_D) X(FSQRT_D) X(FADD_S) X(FSUB_S) X(FMUL_S) X(FDIV_S)
    X(FSGNJ_D) X(FSGNJN_D) X(FSGNJX_D) X(FMV_X_D) X(FMV_D_X) X(FMV_X_W) X(FMV_W_X)
    X(FEQ_D) X(FLT_D) X(FLE_D) X(FCVT_D_W) X(FCVT_D_L) X(FCVT_D_S)
#undef X
};

static bool in_page(u64 pc, i32 offset) { return ((pc + (u64)(i64)offset) ^ pc) < PAGE_BYTES; }

static u64 slot_branch(const struct insn *d, u64 pc) {
  u32 near = d->op - OP_BEQ + SLOT_BEQ, far = d->op - OP_BEQ + SLOT_BEQ_FAR, long_form = d->length == 4;
  if (!in_page(pc, d->imm)) return slot(far, d->rs2, d->rs1, d->rs2, d->length, d->imm);
  if (d->rs2 == 0) {
    switch (d->op) {
    case OP_BEQ: near = SLOT_BEQZ_2 + long_form; break;
    case OP_BNE: near = SLOT_BNEZ_2 + long_form; break;
    case OP_BLT: near = SLOT_BLTZ; break;
    case OP_BGE: near = SLOT_BGEZ; break;
    }
  } else if (d->rs1 == 0 && d->op == OP_BLT) {
    return slot(SLOT_BGTZ, 0, d->rs2, 0, 0, d->imm * 4);
  } else if (d->rs1 == 0 && d->op == OP_BGE) {
    return slot(SLOT_BLEZ, 0, d->rs2, 0, 0, d->imm * 4);
  }
  return slot(near, 0, d->rs1, d->rs2, 0, d->imm * 4);
}

static u64 slot_constant(u32 rd, u64 value, u32 length) {
  if (value == (u64)(i64)(i32)value) return slot(SLOT_LI_2 + (length == 4), rd, 0, 0, 0, (i32)value);
  return slot(SLOT_LIU, rd, 0, 0, length / 2, (i32)value);
}

static u64 slot_make(const struct insn *d, u64 pc) {
  u32 rd = d->rd ? d->rd : REG_NUMBER_SINK, four = d->length == 4;
  u32 format = insn_formats[d->op];
  if (d->op == OP_ILLEGAL) return slot(SLOT_ILLEGAL, 0, 0, 0, 0, 0);
  if (format == F_B) return slot_branch(d, pc);
  if (d->op >= OP_LR_W && d->op <= OP_AMOMAXU_D) return slot(SLOT_ATOMIC, rd, d->rs1, d->rs2, 0, d->op);
  switch (d->op) {
  case OP_LUI: return slot_constant(rd, (u64)(i64)d->imm, d->length);
  case OP_AUIPC: {
    u64 value = pc + (u64)(i64)d->imm;
    return value >> 32 ? slot(SLOT_AUIPC, rd, 0, 0, 0, d->imm) : slot_constant(rd, value, 4);
  }
  case OP_JAL:
    if (!in_page(pc, d->imm)) return slot(d->rd ? SLOT_JAL_FAR : SLOT_J_FAR, rd, 0, 0, 0, d->imm);
    return d->rd ? slot(SLOT_JAL, rd, 0, 0, 0, d->imm * 4) : slot(SLOT_J_2 + four, 0, 0, 0, 0, d->imm * 4);
  case OP_JALR:
    if (d->rd == 0) return slot(SLOT_JR_2 + four, 0, d->rs1, 0, 0, d->imm);
    return slot(four ? SLOT_JALR_4 : SLOT_JALR_2, rd, d->rs1, 0, 0, d->imm);
  case OP_EBREAK: return slot(SLOT_BREAK, 0, 0, 0, 0, 0);
  case OP_CSRRW:
  case OP_CSRRS:
  case OP_CSRRC:
  case OP_CSRRWI:
  case OP_CSRRSI:
  case OP_CSRRCI: return slot(SLOT_CSR, rd, d->rs1, 0, 0, (i32)((u32)d->op << 16 | (u32)d->imm));
  case OP_ADDI:
    if (d->rd == 0) break;
    if (d->rs1 == 0) return slot(SLOT_LI_2 + four, rd, 0, 0, 0, d->imm);
    if (d->imm == 0) return slot(SLOT_MV_2 + four, rd, d->rs1, 0, 0, 0);
    break;
  case OP_ADD:
    if (d->rs1 == 0) return slot(SLOT_MV_2 + four, rd, d->rs2, 0, 0, 0);
    break;
  case OP_FLW:
  case OP_FLD: return slot(slot_of[d->op] + (d->op == OP_FLD && four), d->rd, d->rs1, 0, 0, d->imm);
  case OP_FSGNJ_D:
    if (d->rs1 == d->rs2) return slot(SLOT_FMV_D, d->rd, d->rs1, 0, 0, 0);
    break;
  }
  u32 op = slot_of[d->op];
  if (d->op >= OP_FMADD_S && d->op <= OP_FMV_D_X) {
    bool to_x = format == F_CMP || format == F_XF || format == F_XFRM;
    bool rounds = format == F_F3RM || format == F_F2RM || format == F_FXRM || format == F_XFRM;
    bool hardware = op && (!rounds || d->rm == RM_RNE || d->rm == RM_DYN);
    u32 dest = to_x ? rd : d->rd;
    if (hardware) return slot(op, dest, d->rs1, d->rs2, d->rm, d->op);
    return slot(SLOT_FLOAT, dest, d->rs1, d->rs2, d->rm, d->rs3 << 16 | d->op);
  }
  if (format == F_R || format == F_I) {
    if (d->rd == 0) return slot(SLOT_NOP_2 + four, 0, 0, 0, 0, 0);
  }
  if (op >= SLOT_NOP_2) op += four;
  return slot(op, rd, d->rs1, d->rs2, 0, d->imm);
}

/* May control go on behind it? */
static bool ends_run(u32 op) {
  return op == OP_JAL || op == OP_JALR || op == OP_ILLEGAL || op == OP_ECALL || op == OP_EBREAK || op == OP_FENCE_I;
}

u64 *code_slot_peek(struct mm *mm, u32 pc) {
  struct code_page *page = mm->code ? page_find(mm->code, pc >> PAGE_SHIFT) : NULL;
  return page ? &page->slots[(pc & (PAGE_BYTES - 1)) >> 1] : NULL;
}
u64 *code_slot(struct mm *mm, u32 pc) {
  if (!mm->code || !(guest_perm(pc >> PAGE_SHIFT) & PERM_X) || !(guest_perm((pc + 2) >> PAGE_SHIFT) & PERM_X)) return NULL;
  struct code_page *page = page_make(mm->code, pc >> PAGE_SHIFT);
  if (!page) return NULL;
  u64 *at = &page->slots[(pc & (PAGE_BYTES - 1)) >> 1];
  struct insn d = insn_decode(code_bits(pc));
  if (!*at) slot_write(at, slot_make(&d, pc));
  return at;
}

u64 code_plain(u64 pc) {
  struct insn d = insn_decode(code_bits(pc));
  return slot_make(&d, pc);
}

u32 code_bits(u64 pc) {
  u32 bits = guest_ld16((u32)pc);
  return (bits & 3) == 3 ? bits | guest_ld16((u32)pc + 2) << 16 : bits;
}

/* The slot for `first` at pc and `second` behind it, or 0 when they do not make a pair. Nothing but the second
 * instruction's result may be lost: the first one's register is overwritten by the second, or kept. */
static u64 slot_pair(const struct insn *first, const struct insn *second, u64 pc) {
  u32 length = (first->length + second->length) / 2u, rd = first->rd;
  bool chained = rd != 0 && second->rd == rd && second->rs1 == rd;
  if (rd == 0) return 0;
  if (first->op == OP_LUI && chained && (second->op == OP_ADDI || second->op == OP_ADDIW)) {
    i64 value = (i64)first->imm + second->imm;
    if (second->op == OP_ADDIW) value = (i32)(u32)(u64)value;
    return value == (i32)value ? slot(SLOT_PAIR_LI, rd, 0, 0, length, (i32)value) : 0;
  }
  if (first->op == OP_AUIPC && chained) {
    u64 value = pc + (u64)(i64)first->imm + (u64)(i64)second->imm;
    if (value >> 32) return 0;
    if (second->op == OP_ADDI) return slot(SLOT_PAIR_LIU, rd, 0, 0, length, (i32)value);
    if (second->op == OP_JALR) return slot(SLOT_PAIR_CALL, rd, 0, 0, length, (i32)(value & ~1ull));
    if (second->op == OP_LD) return slot(SLOT_PAIR_LOAD, rd, 0, 0, length, (i32)value);
    return 0;
  }
  if (first->op == OP_SLLI && chained && second->op == OP_SRLI)
    return slot(SLOT_SLLI_SRLI, rd, first->rs1, 0, length, second->imm << 8 | first->imm);
  if (first->op == OP_SLLI && second->op == OP_ADD && second->rd == rd && (second->rs1 == rd) != (second->rs2 == rd))
    return slot(SLOT_SLLI_ADD, rd, first->rs1, second->rs1 == rd ? second->rs2 : second->rs1, length, first->imm);
  if ((first->op == OP_ADDI || first->op == OP_ADDIW) && first->rs1 == rd && insn_formats[second->op] == F_B &&
      in_page(pc + first->length, second->imm)) {
    u32 op = (first->op == OP_ADDI ? SLOT_ADDI_BEQ : SLOT_ADDIW_BEQ) + (second->op - OP_BEQ);
    u32 offset = (u32)((second->imm + first->length) * 4) & 0xfffff;
    return slot(op, rd, second->rs1, second->rs2, length, (i32)((u32)first->imm << 20 | offset));
  }
  return 0;
}

bool code_decode(struct cpu_state *st, const u64 *ip) {
  u64 pc = state_pc(st, ip);
  u32 start = (u32)pc;
  u64 *at = (u64 *)(uintptr_t)ip;
  bool ok = true;
  struct insn before = {0};
  kernel_lock();
  if (!fetch_prepare(st, pc)) {
    kernel_unlock();
    return false;
  }
  for (u32 n = 0; n < RUN_LIMIT; n++) {
    u32 offset = (u32)pc & (PAGE_BYTES - 1);
    if (offset == PAGE_BYTES - 2 && (guest_ld16((u32)pc) & 3) == 3 && !fetch_prepare(st, pc + 2)) {
      ok = n > 0; /* the fault belongs to that instruction when it is reached */
      break;
    }
    struct insn d = insn_decode(code_bits(pc));
    slot_write(at, slot_make(&d, pc));
    if (n > 0 && offset + d.length <= PAGE_BYTES) {
      u64 pair = slot_pair(&before, &d, pc - before.length);
      if (pair) slot_write(at - before.length / 2, pair);
    }
    before = d;
    pc += d.length, at += d.length / 2;
    if (ends_run(d.op) || offset + d.length >= PAGE_BYTES || *at) break;
  }
  if (cpu_translator) {
    if (called(st, 1, start) || called(st, 6, start)) code_start_mark(st->mm, start);
    cpu_translator->decoded(st->mm, start);
  }
  kernel_unlock();
  return ok;
}
