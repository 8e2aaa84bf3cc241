/* fork: pages on their way from a parent's guest memory to its child's, through a window of kernel pages. */
#ifndef TIDEMARK_TASK_FORK_H
#define TIDEMARK_TASK_FORK_H
#include "task.h"

#define FORK_HALF_PAGES 256u
struct fork_half {
  u32 count;
  bool full;
  u32 page[FORK_HALF_PAGES];
  u8 *bytes;
};
struct fork_transfer { /* owner: parent and child together; freed when both have let go */
  u8 registers[REGBLOCK_BYTES];
  struct thread *parent, *child; /* NULL once that side has let go */
  struct fork_half half[2];
  u8 *window;
  u32 window_pages;
  i32 error;  /* -errno: the other side gives up */
  bool done;  /* the parent has sent all */
};
void fork_let_go(struct fork_transfer *x, struct thread *t, i32 error); /* t is parent or child; error 0: finished */
#endif
