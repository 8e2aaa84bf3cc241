/* cpu: rv64gc, from a register block in the guest memory's hidden head. Unprivileged ISA 20240411, psABI.
 *
 * The register block plus pc is the whole truth whenever cpu_run is not on the stack. Knows mm (permission bytes,
 * mm_fault) and core; knows nothing of syscalls, tasks or signals: an ecall, a fault or an exhausted budget returns. */
#ifndef TIDEMARK_CPU_CPU_H
#define TIDEMARK_CPU_CPU_H
#include "../mm/mm.h"

/* offsets inside a register block (REGBLOCK_OFFSET(slot)) */
#define REG_X 0u         /* u64 x[32]; x[0] is always 0 */
#define REG_SINK 256u    /* u64: what is written to x0 goes here */
#define REG_PC 264u      /* u64 */
#define REG_F 272u       /* u64 f[32], NaN-boxed */
#define REG_FCSR 528u    /* u32: frm << 5 | fflags */
#define REG_RES_ADDR 536u /* u64: LR reservation address, ~0 when none */
#define REG_RES_VALUE 544u /* u64 */
#define REG_F_WRITTEN 576u /* u32: translated code has written f registers */
#define REG_INSTRET 552u /* u64: instructions retired by this thread */

enum cpu_exit {
  CPU_ECALL = 1,   /* pc at the ecall; the dispatcher advances it by 4 */
  CPU_BUDGET = 2,  /* budget used up, or poll word set; pc at the next instruction */
  CPU_FAULT = 3,   /* memory fault: details in *fault, pc at the faulting instruction */
  CPU_ILLEGAL = 4, /* fault->addr = the instruction bits */
  CPU_BREAK = 5,   /* ebreak */
  CPU_TRANSLATED = 6, /* never returned: the slot is an entry of translated code */
};

struct cpu_fault {
  u64 addr;
  i32 si_signo, si_code; /* SIGSEGV, SIGBUS with its code */
};

/* Run the block at `regblock` (head offset) for about `budget` instructions. Called without the kernel lock.
 * *poll is read at every loop back-edge budget check: non-zero ends the run soon with CPU_BUDGET. */
enum cpu_exit cpu_run(struct mm *mm, u32 regblock, i64 budget, const u32 *poll, struct cpu_fault *fault);

extern _Thread_local bool cpu_ended_translated; /* the last cpu_run ran translated code last */

static inline u64 cpu_x(u32 regblock, u32 i) { return guest_head_ld64(regblock + REG_X + 8 * i); }
static inline void cpu_set_x(u32 regblock, u32 i, u64 v) { guest_head_st64(regblock + REG_X + 8 * i, v); }
static inline u64 cpu_pc(u32 regblock) { return guest_head_ld64(regblock + REG_PC); }
static inline void cpu_set_pc(u32 regblock, u64 v) { guest_head_st64(regblock + REG_PC, v); }
void cpu_reset(u32 regblock, u64 pc, u64 sp); /* all else zero */

/* The decode cache of an address space (mm->code). Lock held. */
void cpu_code_free(struct mm *mm);
/* Executable bytes of these pages may have changed (munmap, mprotect, new mapping, fence.i with ~0): drop translations. */
void cpu_code_invalidate(struct mm *mm, u32 page, u32 pages);
struct cpu_state;
/* What jit/ gives: translated code for pieces of the guest's. NULL (always so natively): everything is interpreted. */
struct cpu_translator {
  i32 slice; /* instructions between two samples */
  void (*sample)(struct cpu_state *st, const u64 *ip); /* a slice ended here, at a jump's target */
  /* st->pc is an entry and the register block is true: run, setting st->pc and the register block. true: the interpreter
   * does the instruction there itself. */
  bool (*run)(struct cpu_state *st, u32 regblock, i64 *budget);
  void (*decoded)(struct mm *mm, u32 pc); /* the slot of pc was filled; lock held, own memory */
  void (*invalidate)(struct mm *mm, u32 first, u32 last); /* pages; lock held */
  void (*free)(struct mm *mm);                            /* lock held */
  void (*executed)(u64 instructions);                     /* by a cpu_run, all told */
  void (*forget)(void); /* everything that can be made again; no thread is in cpu_run; lock held */
};
extern const struct cpu_translator *cpu_translator;
const char *cpu_register_name(u32 x); /* psABI: "a0" */
/* Text of one instruction for diagnostics: "addi a0,a0,1". Returns its length in bytes (2 or 4). */
u32 cpu_disassemble(u64 pc, u32 bits, char *out, u32 out_bytes);
#endif
