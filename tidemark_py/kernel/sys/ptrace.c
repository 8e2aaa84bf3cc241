/* sys/ptrace: ptrace(2), the requests; what they do to a thread is in task/ptrace.c. Register sets as riscv64 has them:
 * NT_PRSTATUS is pc, x1..x31, NT_PRFPREG f0..f31, fcsr. Single steps: none, as Linux has none on riscv64 (EIO). */
#include "../gen/syscalls.h"
#include "../mm/copy.h"
#include "../task/errand.h"

#define OPTIONS                                                                                                          \
  (PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC |         \
   PTRACE_O_TRACEVFORKDONE | PTRACE_O_TRACEEXIT | PTRACE_O_TRACESECCOMP | PTRACE_O_EXITKILL)
#define GENERAL_WORDS 32u /* pc, then x1..x31 */

/* ---- memory ---- */
/* Another process's memory, also where it may only read: breakpoints. A page on its way is waited for. */
static int memory(struct thread *t, u64 address, bool write, void *data, u32 bytes) {
  i32 tid = t->tid;
  for (;;) {
    i32 r = write ? errand_poke(t->process, address, data, bytes) : errand_memory(t->process, address, false, data, bytes);
    if (r == -EFAULT) return -EIO;
    if (r != -EAGAIN) return r;
    r = errand_retry();
    if (r) return r;
    if (thread_find(tid) != t) return -ESRCH;
  }
}

static i64 peek(struct thread *t, uaddr_t address, uaddr_t to) {
  u64 word;
  int r = memory(t, address, false, &word, sizeof word);
  return r ? r : COPY_OUT(to, word);
}

/* ---- register sets ---- */
static u32 set_pack(const struct state_registers *r, u64 type, u64 *words) {
  if (type == NT_PRSTATUS) {
    memcpy(words, r->x, sizeof r->x);
    words[0] = r->pc;
    return GENERAL_WORDS * 8;
  }
  struct guest_riscv_d_ext_state fp = {.fcsr = r->fcsr};
  memcpy(fp.f, r->f, sizeof fp.f);
  memcpy(words, &fp, sizeof fp);
  return sizeof fp;
}
static void set_unpack(struct state_registers *r, u64 type, const u64 *words) {
  if (type == NT_PRSTATUS) {
    memcpy(r->x + 1, words + 1, sizeof r->x - 8);
    r->pc = words[0];
    return;
  }
  struct guest_riscv_d_ext_state fp;
  memcpy(&fp, words, sizeof fp);
  memcpy(r->f, fp.f, sizeof r->f);
  r->fcsr = fp.fcsr & 0xff;
}

static i64 register_set(struct thread *t, bool write, u64 type, uaddr_t iov) {
  u64 words[sizeof(struct guest_riscv_d_ext_state) / 8];
  struct guest_iovec v;
  if (COPY_IN(v, iov)) return -EFAULT;
  if (type != NT_PRSTATUS && type != NT_PRFPREG) return -EINVAL;
  if (v.iov_len % 8) return -EINVAL;
  u64 bytes = MIN((u64)set_pack(t->ptrace.regs, type, words), v.iov_len);
  if (write) {
    if (copy_in(words, v.iov_base, bytes)) return -EFAULT;
    set_unpack(t->ptrace.regs, type, words);
    t->ptrace.registers_changed = true;
  } else if (copy_out(v.iov_base, words, bytes)) {
    return -EFAULT;
  }
  v.iov_len = bytes;
  return COPY_OUT(iov, v);
}

static i64 call_info(const struct thread *t, u64 room, uaddr_t to) {
  const struct ptrace *x = &t->ptrace;
  struct guest_ptrace_syscall_info info = {.arch = AUDIT_ARCH_RISCV64, .instruction_pointer = x->regs->pc,
                                           .stack_pointer = x->regs->x[2]};
  u32 bytes = offsetof(struct guest_ptrace_syscall_info, nr);
  if (x->stop == PTRACE_AT_ENTRY) {
    info.op = PTRACE_SYSCALL_INFO_ENTRY, info.nr = x->regs->x[17];
    memcpy(info.args, x->regs->x + 10, sizeof info.args);
    bytes = sizeof info;
  } else if (x->stop == PTRACE_AT_EXIT) {
    i64 result = (i64)x->regs->x[10];
    info.op = PTRACE_SYSCALL_INFO_EXIT, info.nr = (u64)result, info.args[0] = result < 0 && result >= -4095;
    bytes = offsetof(struct guest_ptrace_syscall_info, args) + 1;
  }
  return copy_out(to, &info, MIN(room, (u64)bytes)) ? -EFAULT : (i64)bytes;
}

/* ---- the tracee's signals ---- */
static i64 signal_info_get(const struct thread *t, uaddr_t to) {
  struct guest_siginfo info;
  if (t->ptrace.stop == PTRACE_AT_GROUP_STOP) return -EINVAL;
  signal_info_to_guest(t->ptrace.info, &info);
  return COPY_OUT(to, info);
}
static i64 signal_info_set(struct thread *t, uaddr_t from) {
  struct guest_siginfo info;
  if (COPY_IN(info, from)) return -EFAULT;
  if (t->ptrace.stop == PTRACE_AT_GROUP_STOP) return -EINVAL;
  signal_info_from_guest(&info, t->ptrace.info);
  return 0;
}
static i64 signal_mask(struct thread *t, bool write, u64 bytes, uaddr_t at) {
  if (bytes != sizeof t->blocked) return -EINVAL;
  if (!write) return COPY_OUT(at, t->blocked);
  sigset_bits mask;
  if (COPY_IN(mask, at)) return -EFAULT;
  signal_set_blocked(t, mask);
  return 0;
}

/* ---- beginning ---- */
static i64 trace_me(void) {
  struct process *parent = current->process->parent;
  return parent->host ? -EPERM : ptrace_attach(current, parent, false, 0);
}

static i64 attach(struct thread *t, bool seize, uaddr_t addr, u64 options) {
  if (seize && (addr || (options & ~(u64)OPTIONS))) return -EIO;
  if (t->process == current->process) return -EPERM;
  int r = ptrace_may_access(t->process);
  if (r == 0) r = ptrace_attach(t, current->process, seize, seize ? (u32)options : 0);
  if (r == 0 && !seize) signal_thread(t, SIGSTOP, NULL);
  return r;
}

static i64 resume(struct thread *t, i64 request, u64 signo) {
  if (signo > NSIG) return -EIO;
  if (request == PTRACE_DETACH) ptrace_detach(t, (i32)signo);
  else ptrace_resume(t, request == PTRACE_SYSCALL, (i32)signo);
  return 0;
}

static i64 options_set(struct thread *t, u64 options) {
  if (options & ~(u64)OPTIONS) return -EINVAL;
  t->ptrace.options = (u32)options;
  return 0;
}

/* Of a tracee that is stopped. */
static i64 ask(struct thread *t, i64 request, uaddr_t addr, uaddr_t data) {
  u64 word = data;
  switch (request) {
  case PTRACE_PEEKTEXT:
  case PTRACE_PEEKDATA: return peek(t, addr, data);
  case PTRACE_POKETEXT:
  case PTRACE_POKEDATA: return memory(t, addr, true, &word, sizeof word);
  case PTRACE_CONT:
  case PTRACE_SYSCALL:
  case PTRACE_DETACH: return resume(t, request, data);
  case PTRACE_SETOPTIONS: return options_set(t, data);
  case PTRACE_GETEVENTMSG: return COPY_OUT(data, t->ptrace.message);
  case PTRACE_GETSIGINFO: return signal_info_get(t, data);
  case PTRACE_SETSIGINFO: return signal_info_set(t, data);
  case PTRACE_GETSIGMASK:
  case PTRACE_SETSIGMASK: return signal_mask(t, request == PTRACE_SETSIGMASK, addr, data);
  case PTRACE_GETREGSET:
  case PTRACE_SETREGSET: return register_set(t, request == PTRACE_SETREGSET, addr, data);
  case PTRACE_GET_SYSCALL_INFO: return call_info(t, addr, data);
  case PTRACE_LISTEN:
    if (!t->ptrace.seized || t->ptrace.code >> 8 != PTRACE_EVENT_STOP) return -EIO;
    ptrace_listen(t);
    return 0;
  default: return -EIO;
  }
}

i64 sys_ptrace(i64 request, i64 pid, uaddr_t addr, uaddr_t data) {
  if (request == PTRACE_TRACEME) return trace_me();
  struct thread *t = pid > 0 && pid <= INT32_MAX ? thread_find((i32)pid) : NULL;
  if (!t || t->process->state == PROCESS_ZOMBIE) return -ESRCH;
  if (request == PTRACE_ATTACH || request == PTRACE_SEIZE) return attach(t, request == PTRACE_SEIZE, addr, data);
  if (t->ptrace.tracer != current->process) return -ESRCH;
  if (request == PTRACE_KILL) return signal_process(t->process, SIGKILL, NULL);
  if (request == PTRACE_INTERRUPT) {
    if (!t->ptrace.seized) return -EIO;
    ptrace_interrupt(t);
    return 0;
  }
  return t->ptrace.stop && !t->ptrace.listening ? ask(t, request, addr, data) : -ESRCH;
}
