/* mm/errand: something to be done in the memory of an address space by a thread that holds it.
 *
 * Guest memory is out of reach of every other worker, the kernel worker too: who wants to look at it or change it leaves
 * an errand, and makes the threads come by (task/errand.c). Kernel lock held everywhere. */
#ifndef TIDEMARK_MM_ERRAND_H
#define TIDEMARK_MM_ERRAND_H
#include "mm.h"

struct mm_errand { /* owner: who adds it, until run() was true or lost() was called */
  struct mm_errand *next;
  bool (*run)(struct mm_errand *e);  /* own memory; false: this thread cannot do it, another one may */
  void (*lost)(struct mm_errand *e); /* the address space has ended */
};
void mm_errand_add(struct mm *mm, struct mm_errand *e);
void mm_errands_lose(struct mm *mm);
void mm_errands_run_all(void);
static inline void mm_errands_run(void) {
  if (UNLIKELY(mm_current && mm_current->errands)) mm_errands_run_all();
}
#endif
