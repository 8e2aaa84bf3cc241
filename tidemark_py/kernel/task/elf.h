/* task/elf: ELF64 riscv files, read and checked whole before anything is touched, then mapped (elf(5), the RISC-V psABI,
 * Linux fs/binfmt_elf.c). Lock held. */
#ifndef TIDEMARK_TASK_ELF_H
#define TIDEMARK_TASK_ELF_H
#include "../file/file.h"

struct elf_segment { /* a PT_LOAD, as the file says */
  u64 vaddr, filesz, memsz, offset;
  u32 prot;
};
struct elf_image {
  struct ofd *file;
  bool dynamic_base;     /* ET_DYN: loads anywhere */
  bool stack_exec;       /* PT_GNU_STACK with PF_X */
  u64 entry, phdr_vaddr; /* without the base; phdr_vaddr 0: not in memory */
  u16 phnum;
  u64 low, high;         /* [low, high): all segments, page-aligned */
  u64 align;             /* largest p_align, within reason */
  u32 segment_count;
  struct elf_segment *segments;
  char *interpreter;     /* PT_INTERP or NULL */
};

/* Takes over the reference to `file` (also on failure). -ENOEXEC with one klog line that says why, -ENOMEM, -EIO.
 * path: for that line. */
int elf_read(struct ofd *file, const char *path, struct elf_image **out);
void elf_free(struct elf_image *e); /* NULL is fine */
/* Own memory: maps every segment at its address + base. 0 or -errno (half done: the process is to be ended). */
int elf_map(struct mm *mm, const struct elf_image *e, u64 base);
#endif
