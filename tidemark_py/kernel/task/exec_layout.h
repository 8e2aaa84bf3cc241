/* task/exec_layout: where things go in a new address space; between exec.c and exec_commit.c.
 *
 * Guest memory grows linearly, so everything stays low and close together:
 *   64 KiB: the program (a non-PIE one where it wants to be) | gap | stack, growing down in its kept room | signal code
 *   page | heap, with room for brk | mmap upwards: interpreter, libraries, ...
 * A static program then needs little more memory than its stack's room; brk may go on past its room while that is free.
 * No address randomisation: wanted, runs repeat exactly. */
#ifndef TIDEMARK_TASK_EXEC_LAYOUT_H
#define TIDEMARK_TASK_EXEC_LAYOUT_H
#include "elf.h"
#include "exec.h"

#define EXEC_PATH_INACCESSIBLE 0x80000000u /* exec_prepare_for flag: "/dev/fd/N" of a close-on-exec descriptor */
int exec_lay_out(const struct process *p, struct exec_image *e); /* 0, or -ENOMEM when it cannot fit the window */
#endif
