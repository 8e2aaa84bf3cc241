/* A native program around kernel/cpu alone: runs a static riscv64 ELF with a handful of calls (write, exit,
 * clock_gettime, and signals of the kind cpu_fuzz_gen.py uses), so that the cpu is tested without the other rooms.
 *
 *   cpu_runner ELF              run it: its output is ours; exit status likewise; a fault is named on stderr
 *   cpu_runner --stats OUT ELF  (built with -DCPU_TRACE) writes what was executed, as "name count" lines, to the file OUT
 *   cpu_runner --bench ELF      prints instructions, seconds and MIPS to stderr
 *   cpu_runner --decode         reads 32-bit hex words on stdin, prints "length mnemonic" for each
 * Owned by the cpu tests. */
#include "cpu_fake_mm.h"

/* ---- what was executed (CPU_TRACE) ---- */
static u64 executed[ISA_OPS], compressed[24], total, taken, misaligned, nan_operands, rounding, floats;
#ifdef CPU_TRACE
#define COUNT_FROM 0x1001000u /* cpu_fuzz_gen.BLOCKS: its driver is not counted */
static u64 last_pc;
static i32 last_count;
static bool last_valid;
static bool nan_at(u64 v, bool wide) {
  if (wide) return (v & ~0x8000000000000000ull) > 0x7ff0000000000000ull;
  return v >> 32 != 0xffffffffu || ((u32)v & 0x7fffffffu) > 0x7f800000u;
}
static void account(const struct cpu_state *st, const struct insn *d, u32 bits) {
  u32 format = insn_formats[d->op];
  executed[d->op]++, total++;
  if (d->length == 2) compressed[(bits & 3) * 8 + (bits >> 13 & 7)]++;
  if (format == F_LOAD || format == F_STORE || format == F_FLOAD || format == F_FSTORE) {
    static const u8 sizes[ISA_OPS] = {[OP_LH] = 2, [OP_LHU] = 2, [OP_SH] = 2, [OP_LW] = 4, [OP_LWU] = 4, [OP_SW] = 4,
                                      [OP_FLW] = 4, [OP_FSW] = 4, [OP_LD] = 8, [OP_SD] = 8, [OP_FLD] = 8, [OP_FSD] = 8};
    u32 size = sizes[d->op];
    if (size && (st->x[d->rs1] + (u64)(i64)d->imm) % size) misaligned++;
  }
  if (d->op >= OP_FMADD_S && d->op <= OP_FMV_D_X) {
    floats++;
    bool wide = ((d->op - OP_FMADD_S) & 1) != 0;
    if (d->op == OP_FCVT_S_D) wide = true;
    if (d->op == OP_FCVT_D_S) wide = false;
    bool from_x = format == F_FX || format == F_FXRM;
    bool two = format == F_F3 || format == F_F3RM || format == F_CMP || format == F_F4;
    if (!from_x && (nan_at(st->f[d->rs1], wide) || (two && nan_at(st->f[d->rs2], wide)) ||
                    (format == F_F4 && nan_at(st->f[d->rs3], wide))))
      nan_operands++;
    if (format == F_F3RM || format == F_F2RM || format == F_F4 || format == F_XFRM || format == F_FXRM)
      if ((d->rm == RM_DYN ? st->frm : d->rm) != 0) rounding++;
  }
}
/* Called before each slot: what the last one retired is known from the count. Operands of a fused pair's second
 * instruction are looked at before the first has run: good enough for statistics. */
void cpu_trace(const struct cpu_state *st, u64 pc, i32 count) {
  static struct cpu_state before;
  if (last_valid) {
    i32 retired = last_count - count;
    u64 at = last_pc;
    for (i32 i = 0; i < retired && at >= COUNT_FROM; i++) {
      u32 bits = code_bits(at);
      struct insn d = insn_decode(bits);
      account(&before, &d, bits);
      if (insn_formats[d.op] == F_B && i == retired - 1 && pc != at + d.length) taken++;
      at += d.length;
    }
  }
  before = *st;
  last_pc = pc, last_count = count, last_valid = true;
}
#endif

/* ecall and ebreak leave cpu_run and are never followed by a slot. */
static void trace_exit(u32 block, enum cpu_exit why) {
#ifdef CPU_TRACE
  last_valid = false;
  if ((why == CPU_ECALL || why == CPU_BREAK) && cpu_pc(block) >= COUNT_FROM)
    executed[why == CPU_ECALL ? OP_ECALL : OP_EBREAK]++, total++;
#else
  (void)block, (void)why;
#endif
}

static void print_stats(const char *path) {
  FILE *f = fopen(path, "w");
  if (!f) return;
  fprintf(f, "total %llu\ntaken %llu\nmisaligned %llu\nnan %llu\nrounding %llu\nfloats %llu\n", (unsigned long long)total,
          (unsigned long long)taken, (unsigned long long)misaligned, (unsigned long long)nan_operands,
          (unsigned long long)rounding, (unsigned long long)floats);
  for (u32 i = 1; i < ISA_OPS; i++) fprintf(f, "op.%s %llu\n", insn_names[i], (unsigned long long)executed[i]);
  for (u32 i = 0; i < ARRAY_LEN(compressed); i++) /* quadrant and funct3; quadrant 0's 4 is reserved */
    if (i != 4) fprintf(f, "c.q%u.f%u %llu\n", i / 8, i % 8, (unsigned long long)compressed[i]);
  fclose(f);
}

/* ---- ELF ---- */
static u64 get(const u8 *p, u32 n) {
  u64 v = 0;
  for (u32 i = 0; i < n; i++) v |= (u64)p[i] << (8 * i);
  return v;
}
static u64 load_elf(const char *path) {
  static u8 head[65536];
  int fd = open(path, O_RDONLY);
  if (fd < 0 || read(fd, head, sizeof head) < 64 || get(head, 4) != 0x464c457f || get(head + 18, 2) != 243) {
    fprintf(stderr, "cpu_runner: %s: no riscv64 ELF\n", path);
    exit(126);
  }
  u64 phoff = get(head + 32, 8), count = get(head + 56, 2);
  for (u64 i = 0; i < count; i++) {
    const u8 *ph = head + phoff + i * 56;
    if (get(ph, 4) != 1) continue;
    u64 offset = get(ph + 8, 8), vaddr = get(ph + 16, 8), filesz = get(ph + 32, 8), memsz = get(ph + 40, 8);
    for (u64 done = 0; done < filesz;) {
      ssize_t n = pread(fd, guest_at((u32)(vaddr + done)), filesz - done, (off_t)(offset + done));
      if (n <= 0) exit(126);
      done += (u64)n;
    }
    u32 first = (u32)(vaddr >> PAGE_SHIFT), end = (u32)((vaddr + memsz + PAGE_BYTES - 1) >> PAGE_SHIFT);
    u32 flags = (u32)get(ph + 4, 4); /* PF_X 1, PF_W 2, PF_R 4 */
    guest_perm_fill(first, PERM_R | (flags & 2 ? PERM_W : 0) | (flags & 1 ? PERM_X : 0) | PERM_RESIDENT, end - first);
  }
  close(fd);
  return get(head + 24, 8);
}

/* ---- signals: one frame deep, on a stack of our own choice; only the pc of the saved context can be changed ---- */
static u64 handlers[32], signal_stack;
static u8 saved_block[REGBLOCK_BYTES];
static bool signal_raise(u32 block, u32 signo, i32 code, u64 addr) {
  if (signo >= 32 || !handlers[signo] || !signal_stack) return false;
  u32 frame = (u32)signal_stack - 2048, info = frame, context = frame + 128;
  guest_head_copy_in(saved_block, block, REGBLOCK_BYTES);
  guest_st32(info, signo), guest_st32(info + 8, (u32)code), guest_st64(info + 16, addr);
  guest_st64(context + 176, cpu_pc(block));
  cpu_set_x(block, 2, frame), cpu_set_x(block, 10, signo), cpu_set_x(block, 11, info), cpu_set_x(block, 12, context);
  cpu_set_pc(block, handlers[signo]);
  return true;
}
static void signal_return(u32 block) {
  u64 retired = guest_head_ld64(block + REG_INSTRET);
  guest_head_copy_out(block, saved_block, REGBLOCK_BYTES);
  guest_head_st64(block + REG_INSTRET, retired);
  cpu_set_pc(block, guest_ld64((u32)signal_stack - 2048 + 128 + 176));
}
static bool exit_to_signal(u32 block, enum cpu_exit why, const struct cpu_fault *fault) {
  u64 pc = cpu_pc(block);
  if (why == CPU_FAULT) return signal_raise(block, (u32)fault->si_signo, fault->si_code, fault->addr);
  if (why == CPU_ILLEGAL) return signal_raise(block, SIGILL, ILL_ILLOPC, pc);
  return why == CPU_BREAK && signal_raise(block, SIGTRAP, TRAP_BRKPT, pc);
}

static int ecall(u32 block) {
  u64 number = cpu_x(block, 17), a0 = cpu_x(block, 10), a1 = cpu_x(block, 11), a2 = cpu_x(block, 12), r = (u64)-38;
  switch (number) {
  case 64: {
    u64 done = 0;
    while (done < a2) {
      ssize_t n = write((int)a0, guest_at((u32)(a1 + done)), a2 - done);
      if (n <= 0) break;
      done += (u64)n;
    }
    r = done;
    break;
  }
  case 93:
  case 94: return (int)(a0 & 255);
  case 132: signal_stack = guest_ld64((u32)a0) + guest_ld64((u32)a0 + 16), r = 0; break;
  case 134: handlers[a0 & 31] = guest_ld64((u32)a1), r = 0; break;
  case 139: signal_return(block); return -1;
  case 113: {
    u64 now = host_monotonic_ns(), t[2] = {now / 1000000000u, now % 1000000000u};
    guest_copy_from_kernel((u32)a1, t, sizeof t);
    r = 0;
    break;
  }
  }
  cpu_set_x(block, 10, r);
  cpu_set_pc(block, cpu_pc(block) + 4);
  return -1;
}

static int decode_stdin(void) {
  char line[64];
  while (fgets(line, sizeof line, stdin)) {
    struct insn d = insn_decode((u32)strtoul(line, NULL, 16));
    char text[96];
    cpu_disassemble(0x10000, (u32)strtoul(line, NULL, 16), text, sizeof text);
    printf("%u %s\t%s\n", d.length, insn_names[d.op], text);
  }
  return 0;
}

int main(int argc, char **argv) {
  static struct mm mm;
  static u32 poll;
  const char *mode = argc > 2 ? argv[1] : "";
  u32 block = REGBLOCK_OFFSET(0), stack_top = 0x7ff00000u;
  if (argc == 2 && !strcmp(argv[1], "--decode")) return decode_stdin();
  if (argc < 2) return 2;
  if (!guest_reserve()) return 2;
  mm_current = &mm;
  u64 entry = load_elf(argv[argc - 1]);
  guest_perm_fill((stack_top >> PAGE_SHIFT) - 256, PERM_R | PERM_W | PERM_RESIDENT, 256);
  cpu_reset(block, entry, stack_top - 64);
  struct cpu_fault fault = {0};
  u64 start = host_monotonic_ns();
  int status = -1;
  while (status < 0) {
    enum cpu_exit why = cpu_run(&mm, block, 1 << 30, &poll, &fault);
    trace_exit(block, why);
    if (why == CPU_ECALL) status = ecall(block);
    else if (why != CPU_BUDGET && !exit_to_signal(block, why, &fault)) {
      fprintf(stderr, "cpu_runner: exit %d at pc 0x%llx, addr 0x%llx, signal %d code %d\n", (int)why,
              (unsigned long long)cpu_pc(block), (unsigned long long)fault.addr, fault.si_signo, fault.si_code);
      status = 125;
    }
  }
  double seconds = (double)(host_monotonic_ns() - start) / 1e9;
  u64 retired = guest_head_ld64(block + REG_INSTRET);
  if (!strcmp(mode, "--bench"))
    fprintf(stderr, "%llu instructions, %.3f s, %.1f MIPS\n", (unsigned long long)retired, seconds, (double)retired / seconds / 1e6);
  if (!strcmp(mode, "--stats")) print_stats(argv[2]);
  cpu_code_free(&mm);
  return status;
}
