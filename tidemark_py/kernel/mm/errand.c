/* mm/errand: the queue of an address space. It is short: one errand at a time, mostly. See errand.h. */
#include "errand.h"

void mm_errand_add(struct mm *mm, struct mm_errand *e) {
  e->next = mm->errands;
  mm->errands = e;
}

void mm_errands_run_all(void) {
  struct mm *mm = mm_current;
  struct mm_errand *todo = mm->errands;
  mm->errands = NULL;
  while (todo) {
    struct mm_errand *e = todo;
    todo = e->next;
    if (!e->run(e)) mm_errand_add(mm, e);
  }
}

void mm_errands_lose(struct mm *mm) {
  while (mm->errands) {
    struct mm_errand *e = mm->errands;
    mm->errands = e->next;
    e->lost(e);
  }
}
