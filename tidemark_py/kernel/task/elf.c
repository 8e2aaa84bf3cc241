/* task/elf: see elf.h. Segments become private file areas: nothing is copied before it is touched; the part of a last
 * file page behind p_filesz is cleared (bss). Missing: PT_GNU_PROPERTY (nothing of it is defined for riscv64 here). */
#include "elf.h"

#define MAX_PHDR_BYTES 65536u /* Linux: the table fits 64 KiB */
#define MAX_ALIGN_BYTES (2u << 20)

static int refuse(const char *path, const char *why) {
  klog("%s: cannot execute: %s", path, why);
  return -ENOEXEC;
}

static const char *machine_name(u32 machine) {
  switch (machine) {
  case EM_386: return "an i386 ELF";
  case EM_MIPS: return "a MIPS ELF";
  case EM_PPC64: return "a PowerPC 64 ELF";
  case EM_S390: return "an S/390 ELF";
  case EM_ARM: return "a 32-bit ARM ELF";
  case EM_X86_64: return "an x86-64 ELF";
  case EM_AARCH64: return "an AArch64 ELF";
  case EM_LOONGARCH: return "a LoongArch ELF";
  default: return NULL;
  }
}

static int check_header(const struct guest_elf64_ehdr *h, const char *path, u64 file_bytes) {
  char why[96];
  if (h->e_ident[EI_DATA] == ELFDATA2MSB) return refuse(path, "a big-endian ELF, this is a riscv64 machine (little-endian)");
  if (h->e_ident[EI_CLASS] == ELFCLASS32 && h->e_machine == EM_RISCV)
    return refuse(path, "a 32-bit RISC-V ELF, this is a riscv64 machine");
  if (h->e_machine != EM_RISCV) {
    const char *name = machine_name(h->e_machine);
    if (name) ksnprintf(why, sizeof(why), "%s, this is a riscv64 machine", name);
    else ksnprintf(why, sizeof(why), "an ELF for machine %u, this is a riscv64 machine (243)", h->e_machine);
    return refuse(path, why);
  }
  if (h->e_ident[EI_CLASS] != ELFCLASS64 || h->e_ident[EI_DATA] != ELFDATA2LSB)
    return refuse(path, "a malformed ELF header (class or byte order)");
  if (h->e_type == ET_REL) return refuse(path, "a relocatable object, not linked yet");
  if (h->e_type == ET_CORE) return refuse(path, "a core dump");
  if (h->e_type != ET_EXEC && h->e_type != ET_DYN) return refuse(path, "a malformed ELF header (type)");
  if (h->e_phentsize != sizeof(struct guest_elf64_phdr)) return refuse(path, "a malformed ELF header (e_phentsize)");
  if (!h->e_phnum) return refuse(path, "an ELF without program headers");
  u64 bytes = (u64)h->e_phnum * sizeof(struct guest_elf64_phdr);
  if (bytes > MAX_PHDR_BYTES) return refuse(path, "an ELF with too many program headers");
  if (h->e_phoff > file_bytes || bytes > file_bytes - h->e_phoff)
    return refuse(path, "a truncated ELF: its program headers lie behind the end of the file");
  return 0;
}

static int add_segment(struct elf_image *e, const struct guest_elf64_phdr *p, const char *path, u64 file_bytes) {
  if (p->p_filesz > p->p_memsz) return refuse(path, "a malformed ELF: a segment is longer in the file than in memory");
  if (p->p_offset > file_bytes || p->p_filesz > file_bytes - p->p_offset)
    return refuse(path, "a truncated ELF: a segment lies behind the end of the file");
  if (p->p_filesz && ((p->p_vaddr ^ p->p_offset) & (PAGE_BYTES - 1)))
    return refuse(path, "a malformed ELF: a segment's address and file offset differ within a page");
  if (p->p_vaddr > GUEST_MAX_BYTES || p->p_memsz > GUEST_MAX_BYTES - p->p_vaddr) {
    klog("%s: cannot execute: a segment at 0x%llx of 0x%llx bytes does not fit the 4 GiB address window", path,
         (unsigned long long)p->p_vaddr, (unsigned long long)p->p_memsz);
    return -ENOMEM;
  }
  if (!p->p_memsz) return 0;
  struct elf_segment *s = &e->segments[e->segment_count];
  *s = (struct elf_segment){.vaddr = p->p_vaddr, .filesz = p->p_filesz, .memsz = p->p_memsz, .offset = p->p_offset};
  s->prot = (p->p_flags & PF_R ? PERM_R : 0) | (p->p_flags & PF_W ? PERM_W : 0) | (p->p_flags & PF_X ? PERM_X : 0);
  u64 low = ALIGN_DOWN(s->vaddr, (u64)PAGE_BYTES), high = ALIGN_UP(s->vaddr + s->memsz, (u64)PAGE_BYTES);
  if (!e->segment_count || low < e->low) e->low = low;
  if (!e->segment_count || high > e->high) e->high = high;
  if (p->p_align > e->align && !(p->p_align & (p->p_align - 1))) e->align = MIN(p->p_align, (u64)MAX_ALIGN_BYTES);
  e->segment_count++;
  return 0;
}

static int read_interpreter(struct elf_image *e, const struct guest_elf64_phdr *p, const char *path) {
  if (e->interpreter) return 0; /* the first one counts */
  if (p->p_filesz < 2 || p->p_filesz > 4096) return refuse(path, "a malformed ELF: the length of its interpreter's name");
  u32 bytes = (u32)p->p_filesz;
  if (!(e->interpreter = kmalloc(bytes))) return -ENOMEM;
  i64 n = inode_read_kernel(e->file->inode, p->p_offset, e->interpreter, bytes);
  if (n < 0) return (int)n;
  if (n != bytes || e->interpreter[bytes - 1]) return refuse(path, "a malformed ELF: its interpreter's name does not end");
  return 0;
}

static int read_program_headers(struct elf_image *e, const struct guest_elf64_ehdr *h, const char *path) {
  u64 file_bytes = e->file->inode->size;
  u32 bytes = (u32)h->e_phnum * (u32)sizeof(struct guest_elf64_phdr);
  AUTO_KFREE struct guest_elf64_phdr *headers = kmalloc(bytes);
  e->segments = kzalloc(h->e_phnum * sizeof(*e->segments));
  if (!headers || !e->segments) return -ENOMEM;
  i64 n = inode_read_kernel(e->file->inode, h->e_phoff, headers, bytes);
  if (n < 0) return (int)n;
  if (n != bytes) return refuse(path, "a truncated ELF");
  u64 phdr = 0;
  int r = 0;
  for (u32 i = 0; i < h->e_phnum && r == 0; i++) {
    const struct guest_elf64_phdr *p = &headers[i];
    if (p->p_type == PT_LOAD) {
      r = add_segment(e, p, path, file_bytes);
      if (r == 0 && h->e_phoff >= p->p_offset && h->e_phoff < p->p_offset + p->p_filesz && !phdr)
        phdr = h->e_phoff - p->p_offset + p->p_vaddr;
    } else if (p->p_type == PT_INTERP) {
      r = read_interpreter(e, p, path);
    } else if (p->p_type == PT_PHDR) {
      e->phdr_vaddr = p->p_vaddr;
    } else if (p->p_type == PT_GNU_STACK) {
      e->stack_exec = p->p_flags & PF_X;
    }
  }
  if (r < 0) return r;
  if (!e->segment_count) return refuse(path, "an ELF with nothing to load");
  if (!e->phdr_vaddr) e->phdr_vaddr = phdr;
  return 0;
}

int elf_read(struct ofd *file, const char *path, struct elf_image **out) {
  struct elf_image *e = kzalloc(sizeof(*e));
  if (!e) {
    ofd_put(file);
    return -ENOMEM;
  }
  e->file = file;
  e->align = PAGE_BYTES;
  struct guest_elf64_ehdr h;
  i64 n = inode_read_kernel(file->inode, 0, &h, sizeof(h));
  int r = n < 0 ? (int)n : 0;
  if (r == 0 && n < (i64)sizeof(h)) r = refuse(path, "a truncated ELF: shorter than its header");
  if (r == 0) r = check_header(&h, path, file->inode->size);
  if (r == 0) {
    e->dynamic_base = h.e_type == ET_DYN;
    e->entry = h.e_entry;
    e->phnum = h.e_phnum;
    r = read_program_headers(e, &h, path);
  }
  if (r < 0) {
    elf_free(e);
    return r;
  }
  *out = e;
  return 0;
}

void elf_free(struct elf_image *e) {
  if (!e) return;
  ofd_put(e->file);
  kfree(e->segments);
  kfree(e->interpreter);
  kfree(e);
}

static int map_segment(struct mm *mm, const struct elf_image *e, const struct elf_segment *s, u64 base) {
  u64 start = ALIGN_DOWN(base + s->vaddr, (u64)PAGE_BYTES), end = ALIGN_UP(base + s->vaddr + s->memsz, (u64)PAGE_BYTES);
  u64 file_end = base + s->vaddr + s->filesz, file_top = ALIGN_UP(file_end, (u64)PAGE_BYTES);
  int prot = (int)s->prot;
  if (s->filesz) {
    i64 r = mm_map(mm, start, file_top - start, prot, MAP_PRIVATE | MAP_FIXED, e->file, ALIGN_DOWN(s->offset, (u64)PAGE_BYTES));
    if (r < 0) return (int)r;
  } else {
    file_top = start;
  }
  if (end > file_top) {
    i64 r = mm_map(mm, file_top, end - file_top, prot, MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS, NULL, 0);
    if (r < 0) return (int)r;
  }
  /* bss inside the last file page; a segment nobody may write keeps what the file has there, as on Linux */
  if (s->filesz && s->memsz > s->filesz && (s->prot & PERM_W) && file_end % PAGE_BYTES)
    return zero_out(file_end, file_top - file_end);
  return 0;
}

int elf_map(struct mm *mm, const struct elf_image *e, u64 base) {
  for (u32 i = 0; i < e->segment_count; i++) {
    int r = map_segment(mm, e, &e->segments[i], base);
    if (r < 0) return r;
  }
  return 0;
}
