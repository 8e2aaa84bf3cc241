/* jit: hot guest code becomes WebAssembly. What the room's own files share.
 *
 * A region is the code that can be reached from one hot pc without leaving by a call, an indirect jump or an instruction
 * that is not translated. It becomes one wasm function (regblock, entry, count, depth) -> count << 32 | next pc. The
 * register block and that pc are the whole truth whenever such a function is entered, calls or returns; nothing else is
 * ever to be undone, so that a wasm frame may be left at any time. What a region can't do (an ecall, an access that its
 * check refuses) it leaves to the interpreter by returning the pc of that instruction: faults are the interpreter's.
 *
 *   region.c  decodes, finds blocks       flow.c   loops, entries, dominators, which registers are where
 *   emit.c    instructions                build.c  control flow, the module
 *   policy.c  when, and running it        store.c  translations by content, entries, invalidation
 *
 * A build with JIT_DROPPED leaves out the instruction of that OP_ number: every test of translated code must then fail
 * (tests/expect/test_translated.py). JIT_TEXT: the translator in a native program, which can only print what it makes.
 *
 * Missing: atomics, CSRs, min, max and class of floats, fused binary32: the interpreter runs them. */
#ifndef TIDEMARK_JIT_JIT_H
#define TIDEMARK_JIT_JIT_H
#include "../cpu/code.h"
#include "../cpu/cpu.h"

#define JIT_MAX_INSNS 700u
#define JIT_MAX_NODES 640u     /* blocks and dispatch nodes of a region */
#define JIT_MAX_BLOCKS 420u
#define JIT_MAX_ENTRIES 200u
#define JIT_MAX_EDGES 4096u
#define JIT_WINDOW_BELOW 16384u
#define JIT_WINDOW 65536u      /* bytes a region's code lies within */
#define JIT_DEPTH 300u         /* wasm frames on each other */
#define JIT_SWITCH_TARGETS 64u /* of one indirect jump; one with more goes by the cache of jumps */
#define JIT_SWITCH_EDGES 128u  /* of a region */
#define JIT_SWITCH_SPAN 2048u  /* bytes between the first and the last of them */
/* In the register block's spare bytes: the last indirect jump out of a region, from << 32 | to; and that region. */
#define REG_JUMP 560u
#define REG_JUMP_REGION 568u
#define REG_TARGET 572u /* pc that is being called or jumped to: what not_here() returns */
/* The cache of jumps, in the hidden head: pc ^ generation << 32 | table index << 10 | entry, at (pc << 2) & its mask. */
#define JUMP_CACHE_MASK (JUMP_CACHE_BYTES - 8u)
#define JUMP_ENTRY_BITS 10u
#define NO_NODE 0xffffu

enum jit_end {
  END_FALL,   /* into succ 0 */
  END_JUMP,   /* to succ 0, or out to target */
  END_BRANCH, /* taken: succ 0 or target; else succ 1 */
  END_CALL,   /* direct, continues at succ 0 */
  END_CALLR,  /* indirect call */
  END_JUMPR,  /* return, tail call, switch */
  END_LEAVE,  /* the interpreter does the instruction at `end`; may come back behind it */
  END_ROOT,   /* function entry: a case for every entry */
  END_LOOP,   /* in front of a loop head: e == 0 goes on, else to an entry inside the loop */
  END_AGAIN,  /* a jump back that enters no loop at its head: to an entry, through a dispatch node */
};

typedef u64 regset; /* bit 1..31: x, 32 + n: f */
#define X_BIT(r) ((regset)((r) ? 1ull << (r) : 0))
#define F_BIT(r) ((regset)1 << (32 + (r)))

struct jit_node {
  u32 pc, end;        /* end: address of what follows, or of the instruction left to the interpreter */
  u32 target;         /* of END_JUMP, END_BRANCH, END_CALL */
  u16 first, count;   /* instructions */
  u16 edge, edges;    /* successors in ctx->edges; NO_NODE: outside */
  u16 rpo, idom;
  u16 loop;           /* innermost loop (index of its head), or NO_NODE */
  u16 entry;          /* number + 1, or 0 */
  u16 forward_in;     /* edges into it other than back edges */
  u8 kind;            /* enum jit_end */
  bool head, dispatch_here; /* loop head; it has a dispatch node */
  u16 dispatch;       /* that node */
  u16 outer;          /* of a loop head: the head of the loop around it */
  regset uses, kills, live, dirty, valid, dirty_out, valid_out;
};

struct jit_fact { /* [low, high) off a register is accessible; its guest address is in a local */
  i32 low, high;
  u8 reg, need, local;
};
#define JIT_FACTS 12

struct jit_exit { /* code behind the body that leaves the region */
  regset spill, valid; /* what it spills; what may be spilled wherever it is taken */
  u32 pc;              /* LEAVE_THERE */
  u8 how;              /* enum jit_leave */
};
/* LEAVE_AT: a word on the stack says where: halfwords from the window's start << 12 | instructions counted too many.
 * LEAVE_THERE: at the exit's own pc. LEAVE_DYNAMIC, LEAVE_SPILLED: at LOCAL_PC. LEAVE_RESULT: as LOCAL_RESULT says. */
enum jit_leave { LEAVE_AT, LEAVE_THERE, LEAVE_DYNAMIC, LEAVE_SPILLED, LEAVE_RESULT };
#define JIT_MAX_EXITS 700u

struct jit_buffer {
  u8 *at;
  u32 length, room;
  bool full;
};

#define BODY_ROOM (320u * 1024)
struct region;
struct jit_ctx { /* one at a time: the kernel lock is held */
  struct mm *mm;
  u32 low, start; /* window, entry 0 */
  u8 seen[JIT_WINDOW / 2];
  struct insn insns[JIT_MAX_INSNS];
  u32 pcs[JIT_MAX_INSNS];
  u32 insn_count;
  struct jit_node nodes[JIT_MAX_NODES];
  u32 node_count, block_count;
  u16 edges[JIT_MAX_EDGES];
  u32 edge_count, switch_edges;
  u16 order[JIT_MAX_NODES]; /* reverse post-order */
  u32 order_count;
  u16 root;
  u32 own;        /* this region's number */
  bool prune;     /* leave out code that nobody has reached yet */
  const struct region *before; /* the region that this one replaces */
  u16 entries[JIT_MAX_ENTRIES];
  u32 entry_count;
  u16 children[JIT_MAX_NODES], next_child[JIT_MAX_NODES];
  regset used, written;
  bool floats;
  u32 page_low, page_high;
  /* emission */
  struct jit_buffer body, out;
  u8 local_of[64];  /* of x and f registers */
  u32 locals_i64, locals_f64;
  struct jit_exit exits[JIT_MAX_EXITS];
  u32 exit_count;
  regset entry_live; /* what entries other than the first load */
  u32 next_address; /* round robin */
  u16 labels[2 * JIT_MAX_NODES + 64]; /* control stack: node | LABEL_* */
  u32 depth;
  bool failed;
};

/* region.c */
bool jit_translates(const struct insn *d);
regset jit_reads(const struct insn *d);
regset jit_writes(const struct insn *d);
bool jit_is_access(const struct insn *d, u32 *bytes, u32 *need);
bool jit_is_arithmetic(const struct insn *d); /* float arithmetic that wants RNE and NX set */
bool jit_region(struct jit_ctx *c, u32 pc);
/* policy.c: where the indirect jump at pc was seen to go, within the region's window. */
u32 jit_seen_targets(struct jit_ctx *c, u32 pc, u32 *targets);
bool jit_wanted(struct jit_ctx *c, u32 pc);  /* policy.c: worth a block */
bool jit_misaligned(u32 pc);                 /* the access there was seen to be */
bool jit_reached(struct jit_ctx *c, u32 pc); /* has been run */
/* flow.c */
bool jit_flow(struct jit_ctx *c);
/* emit.c */
void put(struct jit_ctx *c, u32 byte);
void put_u(struct jit_buffer *b, u32 v);
void put_s(struct jit_buffer *b, i64 v);
void put_byte(struct jit_buffer *b, u32 v);
#define OUT(...)                                                                                                         \
  do {                                                                                                                   \
    static const u8 bytes_[] = {__VA_ARGS__};                                                                            \
    for (u32 i_ = 0; i_ < sizeof bytes_; i_++) put(c, bytes_[i_]);                                                       \
  } while (0)
enum { LOCAL_BLOCK, LOCAL_ENTRY, LOCAL_COUNT, LOCAL_DEPTH, LOCAL_PC, LOCAL_FLOAT, LOCAL_ADDRESS, LOCAL_ADDRESSES = 12,
       LOCAL_T0 = LOCAL_ADDRESS + LOCAL_ADDRESSES, LOCAL_RESULT, LOCAL_REGISTERS };
enum { FUNC_CHASE, FUNC_FMA, FUNC_HIGH, FUNC_REGION };
void put_get(struct jit_ctx *c, u32 local);
void put_set(struct jit_ctx *c, u32 local);
void put_i32(struct jit_ctx *c, u32 v);
void put_i64(struct jit_ctx *c, i64 v);
void get_x(struct jit_ctx *c, u32 r);
void set_x(struct jit_ctx *c, u32 r);
void put_spill(struct jit_ctx *c, regset set);
void put_reload(struct jit_ctx *c, regset set);
struct jit_facts {
  struct jit_fact f[JIT_FACTS];
  u32 count;
  bool floats; /* hardware's float arithmetic is known to do */
};
/* Leaving: the exit for it, then the condition, then leave_if; or leave_now. dirty, valid: at this point. shared: seldom
 * taken, one exit for many of them. adjust: instructions counted too many. */
struct jit_leaving {
  u16 exit;
  bool word; /* on the stack */
};
struct jit_leaving leave_open(struct jit_ctx *c, u32 how, u32 pc, u32 adjust, regset dirty, regset valid, bool shared);
void leave_if(struct jit_ctx *c, struct jit_leaving l);
void leave_now(struct jit_ctx *c, struct jit_leaving l);
struct jit_leaving leave_spilled(struct jit_ctx *c); /* at LOCAL_PC, everything is spilled */
void jit_emit_insn(struct jit_ctx *c, const struct jit_node *n, u32 index, struct jit_facts *facts, regset dirty, regset valid);
u32 jit_dropped(void); /* tests' builds alone: JIT_DROPPED may name it */
/* build.c: the module's bytes in c->out, or false */
u32 jit_generation(void); /* policy.c: of table indexes; differs in the bits that choose a place in the cache */
u32 jit_callee(struct jit_ctx *c, u32 pc); /* policy.c: table index of the region that begins at pc; 0 none */
bool jit_build(struct jit_ctx *c);
#endif
