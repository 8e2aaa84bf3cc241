/* task/crash: what a core dump would tell, as text: signal, registers by their psABI names, mapped files, and the
 * instructions around pc. Made by the dying thread in its own memory, kept until the kernel worker takes it; the oldest
 * of too many is dropped. Missing: a stack trace (riscv64 code keeps no frame pointers). */
#include "trace.h"

#define REPORT_BYTES 12288u
#define REPORTS_KEPT 8u
#define BEFORE_BYTES 32u
#define AFTER_BYTES 32u

struct report {
  struct list link;
  i32 pid;
  u32 bytes;
  char text[REPORT_BYTES];
};
static struct list reports = {&reports, &reports};
static u32 report_count;

static PRINTF_LIKE(2, 3) void add(struct report *r, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  int n = kvsnprintf(r->text + r->bytes, REPORT_BYTES - r->bytes, fmt, ap);
  va_end(ap);
  r->bytes = MIN(r->bytes + (u32)MAX(n, 0), REPORT_BYTES - 1);
}

static const char *area_name(const struct vma *v) {
  return v->file && v->file->path ? v->file->path : v->name ? v->name : v->memory ? "[shared]" : "[anonymous]";
}

/* "libc.so.6+0x1234", as objdump and addr2line want it; nothing for an address that is not mapped from a file. */
static void add_place(struct report *r, const struct mm *mm, u64 addr) {
  const struct vma *v = mm_find(mm, (u32)(addr >> PAGE_SHIFT));
  if (!v) return;
  if (v->file) add(r, "  %s+0x%llx", area_name(v), (unsigned long long)((v->file_page << PAGE_SHIFT) + addr - ((u64)v->start << PAGE_SHIFT)));
  else add(r, "  %s", area_name(v));
}

static void add_registers(struct report *r, const struct mm *mm, u32 block) {
  for (u32 i = 1; i < 32; i++) {
    add(r, "  %-4s 0x%016llx", cpu_register_name(i), (unsigned long long)cpu_x(block, i));
    if (i % 4 == 0 || i == 31) add(r, "\n");
  }
  add(r, "  pc   0x%016llx", (unsigned long long)cpu_pc(block));
  add_place(r, mm, cpu_pc(block));
  add(r, "\n  ra   0x%016llx", (unsigned long long)cpu_x(block, 1));
  add_place(r, mm, cpu_x(block, 1));
  add(r, "\n");
}

/* Instructions are 2 or 4 bytes long: going back, a start from which one ends at pc is searched. */
static u64 first_shown(u64 pc) {
  for (u64 from = pc - MIN(pc, (u64)BEFORE_BYTES); from < pc; from += 2) {
    u64 at = from;
    u16 low;
    while (at < pc && !copy_in(&low, at, 2)) at += (low & 3) == 3 ? 4 : 2;
    if (at == pc) return from;
  }
  return pc;
}

static void add_code(struct report *r, u64 pc) {
  char text[96];
  for (u64 at = first_shown(pc), end = pc + AFTER_BYTES; at < end;) {
    u32 bits = 0;
    if (copy_in(&bits, at, 2)) {
      add(r, "%s 0x%llx: not readable\n", at == pc ? "=>" : "  ", (unsigned long long)at);
      return;
    }
    if ((bits & 3) == 3 && copy_in((u8 *)&bits + 2, at + 2, 2)) return;
    u32 n = cpu_disassemble(at, bits, text, sizeof text);
    add(r, "%s 0x%llx: %0*x%*s  %s\n", at == pc ? "=>" : "  ", (unsigned long long)at, n == 2 ? 4 : 8, bits, n == 2 ? 4 : 0, "", text);
    at += n;
  }
}

static void add_areas(struct report *r, const struct mm *mm) {
  for (u32 i = 0; i < mm->vma_count; i++) {
    const struct vma *v = &mm->vmas[i];
    if (!v->file && !v->name) continue;
    add(r, "  %08llx-%08llx %c%c%c%c %08llx %s\n", (unsigned long long)v->start << PAGE_SHIFT, (unsigned long long)v->end << PAGE_SHIFT,
        v->prot & PERM_R ? 'r' : '-', v->prot & PERM_W ? 'w' : '-', v->prot & PERM_X ? 'x' : '-', v->shared ? 's' : 'p',
        (unsigned long long)v->file_page << PAGE_SHIFT, area_name(v));
  }
}

static const char *signal_name(i32 signo) {
  switch (signo) {
  case SIGSEGV: return "SIGSEGV (bad address)";
  case SIGBUS: return "SIGBUS (address without memory behind it)";
  case SIGILL: return "SIGILL (illegal instruction)";
  case SIGFPE: return "SIGFPE (arithmetic)";
  case SIGABRT: return "SIGABRT (abort)";
  case SIGTRAP: return "SIGTRAP (breakpoint)";
  case SIGSYS: return "SIGSYS (bad system call)";
  default: return "a signal that dumps core";
  }
}

void crash_report(struct thread *t, const struct signal_info *info) {
  const struct process *p = t->process;
  struct mm *mm = p->mm;
  if (!mm || mm != mm_current || mm->all_resident) return;
  struct report *r = kmalloc(sizeof *r);
  if (!r) return;
  r->pid = p->pid, r->bytes = 0;
  add(r, "%s[%d] (thread %d, %s) ended by %s", p->name, p->pid, t->tid, p->exe_path ? p->exe_path : "?", signal_name(info->signo));
  if (info->code > 0 && info->code != SI_KERNEL) add(r, ", si_code %d, at address 0x%llx", info->code, (unsigned long long)info->addr);
  else if (info->pid) add(r, ", sent by process %d", info->pid);
  add(r, "\nregisters:\n");
  add_registers(r, mm, t->regblock);
  add(r, "code:\n");
  add_code(r, cpu_pc(t->regblock));
  add(r, "mapped:\n");
  add_areas(r, mm);
  fetch_forget(); /* what is not here is shown as not readable */
  list_add_tail(&reports, &r->link);
  if (++report_count > REPORTS_KEPT) {
    struct report *oldest = CONTAINER_OF(reports.next, struct report, link);
    list_remove(&oldest->link), report_count--;
    kfree(oldest);
  }
  host_notify(ROLE_KERNEL, NOTIFY_CRASH, (u32)p->pid);
}

i64 crash_take(i32 *pid, uaddr_t to, u32 bytes) {
  if (list_empty(&reports)) return 0;
  struct report *r = CONTAINER_OF(reports.next, struct report, link);
  u32 n = MIN(r->bytes, bytes);
  i64 result = copy_out(to, r->text, n) ? -EFAULT : (i64)n;
  *pid = r->pid;
  list_remove(&r->link), report_count--;
  kfree(r);
  return result;
}
