/* cpu/interp: cpu_run: executes slots (code.h) until an ecall, a fault, an illegal instruction or the end of its budget.
 *
 * One handler per slot operation. Instructions are counted in `count`, downwards, one subtraction each; taken branches
 * and jumps look at its sign, so a run ends soon after the slice is used up, with the exact number retired. Between
 * slices *poll is read. Loads and stores check one permission byte; an address that is misaligned or above the window
 * fails one masked test and goes to memory.c, as does a page whose byte does not allow the access.
 *
 * Measured in V8 on tests/bench/coremix: this switch 770 MIPS of CPU time, one function per handler with musttail calls 165. */
#include "code.h"
#include "float.h"

#define SLICE 16384

#define W ((u32)s)
#define IMM ((i64)s >> 32)
#define REG_AT(array, shift) (*(u64 *)(void *)((char *)(array) + ((W >> (shift)) & 0x1f8)))
#define RD REG_AT(st->x, SLOT_RD - 3)
#define X1 REG_AT(st->x, SLOT_RS1 - 3)
#define X2 REG_AT(st->x, SLOT_RS2 - 3)
#define FD (*(st->f_dirty = 1, &REG_AT(st->f, SLOT_RD - 3))) /* to be written */
#define F1 REG_AT(st->f, SLOT_RS1 - 3)
#define F2 REG_AT(st->f, SLOT_RS2 - 3)
#define FIELD(shift) ((W >> (shift)) & 63)
#define SEXT32(v) ((u64)(i64)(i32)(u32)(v))
#define PC state_pc(st, ip)
#define LOW (W & 7)

/* Tests count what is executed through this hook (tests/kernel/cpu_runner.c). */
#ifdef CPU_TRACE
void cpu_trace(const struct cpu_state *st, u64 pc, i32 count);
#define TRACE() cpu_trace(st, PC, count)
#else
#define TRACE() (void)0
#endif

#define OP(name) case SLOT_##name:
#define DISPATCH() goto dispatch
#define EXIT(code)                                                                                                       \
  do {                                                                                                                   \
    exit = code;                                                                                                         \
    goto leave;                                                                                                          \
  } while (0)

#define NEXT(halfwords)                                                                                                  \
  do {                                                                                                                   \
    ip += halfwords, count--;                                                                                            \
    DISPATCH();                                                                                                          \
  } while (0)
/* After a taken jump: ip is set. */
#define JUMPED()                                                                                                         \
  do {                                                                                                                   \
    if (UNLIKELY(--count <= 0)) EXIT(CPU_BUDGET);                                                                        \
    DISPATCH();                                                                                                          \
  } while (0)
#define JUMP_FAR(target)                                                                                                 \
  do {                                                                                                                   \
    u64 jump_target = (target);                                                                                          \
    ip = code_find(st, jump_target);                                                                                     \
    if (UNLIKELY(!ip) && !(ip = code_enter(st, jump_target))) {                                                          \
      count--;                                                                                                           \
      EXIT(CPU_FAULT);                                                                                                   \
    }                                                                                                                    \
    JUMPED();                                                                                                            \
  } while (0)
#define JUMP_NEAR()                                                                                                      \
  do {                                                                                                                   \
    ip = (const u64 *)(const void *)((const char *)ip + IMM);                                                            \
    JUMPED();                                                                                                            \
  } while (0)

#define ALU4(name, expr)                                                                                                 \
  OP(name) {                                                                                                             \
    RD = (u64)(expr);                                                                                                    \
    NEXT(2);                                                                                                             \
  }
#define ALU(name, expr)                                                                                                  \
  OP(name##_2) {                                                                                                         \
    RD = (u64)(expr);                                                                                                    \
    NEXT(1);                                                                                                             \
  }                                                                                                                      \
  ALU4(name##_4, expr)

/* One test catches addresses above 4 GiB and misaligned ones; pages between the window's end and 4 GiB have
 * permission byte 0. */
#define ODD_BITS(bytes) (0xffffffff00000000ull | ((bytes)-1))
#define LOAD(name, halfwords, bytes, access, cast, dest)                                                                 \
  OP(name) {                                                                                                             \
    u64 a = X1 + (u64)IMM, v;                                                                                            \
    if (LIKELY(!(a & ODD_BITS(bytes))) && LIKELY(guest_perm((u32)a >> PAGE_SHIFT) & PERM_R)) v = access((u32)a);         \
    else {                                                                                                               \
      if (!memory_load(st, a, bytes)) EXIT(CPU_FAULT);                                                                   \
      v = st->value;                                                                                                     \
    }                                                                                                                    \
    dest = cast(v);                                                                                                      \
    NEXT(halfwords);                                                                                                     \
  }
#define STORE(name, halfwords, bytes, access, type, source)                                                              \
  OP(name) {                                                                                                             \
    u64 a = X1 + (u64)IMM;                                                                                               \
    if (LIKELY(!(a & ODD_BITS(bytes))) && LIKELY(guest_perm((u32)a >> PAGE_SHIFT) & PERM_W)) access((u32)a, (type)source); \
    else if (!memory_store(st, a, bytes, source)) EXIT(CPU_FAULT);                                                       \
    NEXT(halfwords);                                                                                                     \
  }
#define LOAD24(name, bytes, access, cast, dest)                                                                          \
  LOAD(name##_2, 1, bytes, access, cast, dest) LOAD(name##_4, 2, bytes, access, cast, dest)
#define STORE24(name, bytes, access, type, source)                                                                       \
  STORE(name##_2, 1, bytes, access, type, source) STORE(name##_4, 2, bytes, access, type, source)

#define BRANCH(name, halfwords, cond)                                                                                    \
  OP(name) {                                                                                                             \
    if (cond) JUMP_NEAR();                                                                                               \
    NEXT(halfwords);                                                                                                     \
  }
#define BRANCH_FAR(name, cond)                                                                                           \
  OP(name) {                                                                                                             \
    if (cond) JUMP_FAR(PC + (u64)IMM);                                                                                   \
    ip += LOW / 2, count--;                                                                                              \
    DISPATCH();                                                                                                          \
  }

static inline double as_double(u64 v) {
  double d;
  __builtin_memcpy(&d, &v, 8);
  return d;
}
static inline u64 as_bits(double d) {
  u64 v;
  __builtin_memcpy(&v, &d, 8);
  return v;
}
static inline float as_float(u64 v) {
  u32 w = (u32)v;
  float d;
  __builtin_memcpy(&d, &w, 4);
  return d;
}
static inline u64 as_boxed(float d) {
  u32 v;
  __builtin_memcpy(&v, &d, 4);
  return v | 0xffffffff00000000ull;
}
/* A normal number that is not the smallest one (which a tiny result may have been rounded to): with RNE and NX set
 * already, the hardware's result is right and raises nothing new. */
static inline bool plain64(u64 v) { return ((v >> 52 & 0x7ff) - 2) < 0x7fd; }
static inline bool plain32(u64 v) { return (((u32)v >> 23 & 0xff) - 2) < 0xfd; }
/* Of a sum: tiny ones are exact. */
static inline bool finite64(u64 v) { return (v >> 52 & 0x7ff) != 0x7ff; }
static inline bool boxed(u64 v) { return v >> 32 == 0xffffffffu; }

#define FLOAT_SLOW()                                                                                                     \
  do {                                                                                                                   \
    u32 what = (u32)IMM;                                                                                                 \
    if (!fpu_execute(st, what & 0xffff, FIELD(SLOT_RD), FIELD(SLOT_RS1), FIELD(SLOT_RS2), what >> 16, LOW))              \
      EXIT(CPU_ILLEGAL);                                                                                                 \
  } while (0)
#define FLOAT64(name, expr, fine)                                                                                        \
  OP(name) {                                                                                                             \
    u64 r = as_bits(expr);                                                                                               \
    if (LIKELY(st->float_fast) && LIKELY(fine(r))) FD = r;                                                               \
    else FLOAT_SLOW();                                                                                                   \
    NEXT(2);                                                                                                             \
  }
#define FLOAT32(name, expr)                                                                                              \
  OP(name) {                                                                                                             \
    u64 r = as_boxed(expr);                                                                                              \
    if (LIKELY(st->float_fast) && boxed(F1) && boxed(F2) && LIKELY(plain32(r))) FD = r;                                  \
    else FLOAT_SLOW();                                                                                                   \
    NEXT(2);                                                                                                             \
  }
/* Comparisons: hardware unless a NaN is about. */
#define COMPARE64(name, op)                                                                                              \
  OP(name) {                                                                                                             \
    double p = as_double(F1), q = as_double(F2);                                                                         \
    if (LIKELY(p == p) && LIKELY(q == q)) RD = p op q;                                                                   \
    else FLOAT_SLOW();                                                                                                   \
    NEXT(2);                                                                                                             \
  }

#define HIDE(v) __asm__("" : "+r"(v))
static u64 mul_high(u64 a, u64 b) {
  u64 al = (u32)a, ah = a >> 32, bl = (u32)b, bh = b >> 32;
  u64 mid = ah * bl + (al * bl >> 32);
  HIDE(mid); /* or clang sees a 128-bit product and calls a library that is not there */
  u64 mid2 = al * bh + (u32)mid;
  return ah * bh + (mid >> 32) + (mid2 >> 32);
}
static u64 mul_high_signed(u64 a, u64 b) { return mul_high(a, b) - ((i64)a < 0 ? b : 0) - ((i64)b < 0 ? a : 0); }
static u64 mul_high_mixed(u64 a, u64 b) { return mul_high(a, b) - ((i64)a < 0 ? b : 0); }
/* Division by zero and overflow have results, not traps (chapter 12.2). */
static i64 div_signed(i64 a, i64 b) { return b == 0 ? -1 : b == -1 ? (i64)(0 - (u64)a) : a / b; }
static i64 rem_signed(i64 a, i64 b) { return b == 0 ? a : b == -1 ? 0 : a % b; }
static u64 div_unsigned(u64 a, u64 b) { return b == 0 ? ~0ull : a / b; }
static u64 rem_unsigned(u64 a, u64 b) { return b == 0 ? a : a % b; }
static u32 div32(u32 a, u32 b) { return b == 0 ? ~0u : a / b; }
static u32 rem32(u32 a, u32 b) { return b == 0 ? a : a % b; }

static u32 execute(struct cpu_state *st, const u64 *ip) {
  i32 count = st->count;
  u32 exit;
  u64 s;
dispatch:
  TRACE();
  s = SLOT_LOAD(ip);
decoded:
  switch (W >> SLOT_OP) {
#include "interp_ops.h"
  default: EXIT(CPU_ILLEGAL);
  }
leave:
  st->ip = ip, st->count = count;
  return exit;
}
/* Called through a pointer, so that no optimizer folds it into cpu_run and further up: an engine replaces baseline code
 * by optimized code at a function's next call only, and this one is called anew for each slice. */
static u32 (*volatile const execute_slice)(struct cpu_state *st, const u64 *ip) = execute;

const struct cpu_translator *cpu_translator;
_Thread_local bool cpu_ended_translated;

static void state_load(struct cpu_state *st, u32 block) {
  guest_head_copy_in(st->x, block + REG_X, 32 * 8); /* two bulk copies are faster than 64 loads in V8 */
  guest_head_copy_in(st->f, block + REG_F, 32 * 8);
  st->x[0] = 0;
  u32 fcsr = guest_head_ld32(block + REG_FCSR);
  st->fflags = fcsr & 31, st->frm = (fcsr >> 5) & 7;
  state_float_mode(st);
  st->f_dirty = 0;
  st->reservation = guest_head_ld64(block + REG_RES_ADDR);
  st->reservation_value = guest_head_ld64(block + REG_RES_VALUE);
  st->retired = guest_head_ld64(block + REG_INSTRET);
}

static void state_store(const struct cpu_state *st, u32 block, u64 pc) {
  guest_head_copy_out(block + REG_X, st->x, 32 * 8);
  if (st->f_dirty) guest_head_copy_out(block + REG_F, st->f, 32 * 8);
  guest_head_st32(block + REG_FCSR, st->frm << 5 | st->fflags);
  guest_head_st64(block + REG_RES_ADDR, st->reservation);
  guest_head_st64(block + REG_RES_VALUE, st->reservation_value);
  guest_head_st64(block + REG_INSTRET, st->retired);
  guest_head_st64(block + REG_PC, pc);
}

/* Translated code runs on the register block, and leaves fcsr, the reservation and the count of instructions alone. */
static bool run_translated(struct cpu_state *st, const struct cpu_translator *translator, u32 block, i64 *budget) {
  guest_head_copy_out(block + REG_X, st->x, 32 * 8);
  if (st->f_dirty) guest_head_copy_out(block + REG_F, st->f, 32 * 8);
  st->f_dirty = 0;
  guest_head_st32(block + REG_FCSR, st->frm << 5 | st->fflags);
  bool skip = translator->run(st, block, budget);
  guest_head_copy_in(st->x, block + REG_X, 32 * 8);
  st->x[0] = 0;
  if (guest_head_ld32(block + REG_F_WRITTEN)) {
    guest_head_copy_in(st->f, block + REG_F, 32 * 8);
    guest_head_st32(block + REG_F_WRITTEN, 0);
  }
  return skip;
}

enum cpu_exit cpu_run(struct mm *mm, u32 regblock, i64 budget, const u32 *poll, struct cpu_fault *fault) {
  struct cpu_state st;
  u32 exit = CPU_FAULT;
  u64 pc = cpu_pc(regblock);
  st.mm = mm, st.pc = pc, st.skip = NULL;
  const struct cpu_translator *translator = __atomic_load_n(&cpu_translator, __ATOMIC_RELAXED);
  state_load(&st, regblock);
  st.fault = (struct cpu_fault){.addr = pc, .si_signo = SIGKILL, .si_code = SI_KERNEL};
  const u64 *ip = NULL;
  u64 retired = st.retired;
  bool translated = false;
  if (code_attach(&st)) {
    ip = code_find(&st, pc);
    if (!ip) ip = code_enter(&st, pc);
  }
  while (ip) {
    st.slice = st.count = (i32)MIN(budget, translator ? translator->slice : SLICE);
    exit = execute_slice(&st, ip);
    ip = st.ip;
    st.retired += (u64)(i64)(st.slice - st.count);
    budget -= st.slice - st.count;
    translated = exit == CPU_TRANSLATED;
    if (UNLIKELY(translated)) {
      st.pc = state_pc(&st, ip);
      bool skip = run_translated(&st, translator, regblock, &budget);
      exit = CPU_FAULT;
      if (!(ip = code_find(&st, st.pc)) && !(ip = code_enter(&st, st.pc))) break;
      st.skip = skip ? ip : NULL;
      exit = CPU_BUDGET;
    } else if (translator && exit == CPU_BUDGET) translator->sample(&st, ip);
    if (exit != CPU_BUDGET || budget <= 0 || __atomic_load_n(poll, __ATOMIC_RELAXED)) break;
  }
  if (translator) translator->executed(st.retired - retired);
  cpu_ended_translated = translated;
  if (ip) st.pc = state_pc(&st, ip); /* NULL: a jump to where nothing may be executed; st.pc says where */
  if (exit == CPU_ILLEGAL) st.fault = (struct cpu_fault){.addr = code_bits(st.pc)};
  if (exit == CPU_FAULT || exit == CPU_ILLEGAL) *fault = st.fault;
  state_store(&st, regblock, st.pc);
  return (enum cpu_exit)exit;
}

void cpu_reset(u32 regblock, u64 pc, u64 sp) {
  for (u32 off = 0; off < REGBLOCK_BYTES; off += 8) guest_head_st64(regblock + off, 0);
  guest_head_st64(regblock + REG_RES_ADDR, NO_RESERVATION);
  cpu_set_pc(regblock, pc);
  cpu_set_x(regblock, 2, sp);
}
