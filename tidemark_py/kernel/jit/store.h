/* jit/store: translations by content, and which of them hold in an address space. See store.c. */
#ifndef TIDEMARK_JIT_STORE_H
#define TIDEMARK_JIT_STORE_H
#include "jit.h"

#define STORE_REGIONS 8192u /* table slots of each instance */
#define STORE_BYTES (48u << 20)
/* Of a slot that holds an entry (SLOT_TRANSLATED), its immediate. */
#define ENTRY_NUMBER_BITS 10u
#define ENTRY_NUMBER(e) ((e) & ((1u << ENTRY_NUMBER_BITS) - 1))
#define ENTRY_REGION(e) ((e) >> ENTRY_NUMBER_BITS)

enum region_state { REGION_RESERVED, REGION_READY, REGION_REFUSED };
struct region_part {
  u32 pc, halfwords;
};
struct region {
  u32 pc, key;       /* where it begins, and what its first bytes are */
  u32 length, insns; /* of the module in bytes; guest instructions */
  u32 page_low, page_high;
  u8 *bytes;                 /* the module; one block with what follows */
  struct region_part *parts; /* the code it was made from, */
  u16 *code;                 /* and its bytes, part after part */
  u32 *entries;              /* pcs */
  u16 part_count, entry_count, next; /* next: chain of by_pc */
  u16 unseen;                /* jumps to targets not known when it was translated */
  u8 state, version;         /* version: how often it was translated anew, under other numbers */
};

/* What an address space knows. owner: kernel lock. */
enum region_holds { HOLDS_UNKNOWN, HOLDS };
struct space {
  struct space *next;
  struct mm *mm;
  u32 epoch;                  /* changes whenever what an instance linked for this space may be wrong */
  u8 holds[STORE_REGIONS];
};

extern struct region store_regions[]; /* by number, from 1 */
extern u32 store_generation;          /* changes when all numbers are given back */
extern u32 store_count;

struct space *store_space(struct mm *mm);        /* made if need be; NULL: no memory */
/* The region of this address space that begins at pc; make: a number for it if there is none. 0: none. Own memory. */
u32 store_find(struct mm *mm, u32 pc, bool make);
bool store_holds(struct space *s, u32 id);       /* READY and made of the bytes that are there now. Own memory. */
/* Another number for what begins where region id does, found before it from now on. 0: none left. */
u32 store_anew(u32 id);
/* What was translated (c) becomes region id. false: no memory. */
bool store_keep(struct jit_ctx *c, u32 id);
void store_install(struct space *s, u32 id);     /* its entries into the decode cache */
bool store_contains(const struct region *r, u32 pc);
void store_invalidate(struct space *s, u32 first, u32 last); /* pages */
void store_space_free(struct mm *mm);
void store_flush(void);                          /* forget every translation */
#endif
