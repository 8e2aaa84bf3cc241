/* signal_frame: what a handler finds on its stack and what rt_sigreturn takes back: riscv64 struct rt_sigframe
 * (siginfo, ucontext), sigaltstack(2). Own memory, lock held. The return address is the mm's sigreturn page. */
#include "task.h"

#define SS_ONSTACK 1
#define SS_DISABLE 2
#define SS_AUTODISARM (1u << 31)

static bool on_altstack(const struct thread *t, u64 sp) {
  return !(t->sigaltstack_flags & SS_AUTODISARM) && t->sigaltstack_bytes && sp > t->sigaltstack_sp &&
         sp - t->sigaltstack_sp <= t->sigaltstack_bytes;
}

void signal_altstack_get(const struct thread *t, u64 sp, struct guest_stack_t *out) {
  *out = (struct guest_stack_t){.ss_sp = t->sigaltstack_sp, .ss_size = t->sigaltstack_bytes};
  u32 flags = t->sigaltstack_bytes ? on_altstack(t, sp) ? SS_ONSTACK : 0 : SS_DISABLE;
  out->ss_flags = (i32)(flags | (t->sigaltstack_flags & SS_AUTODISARM));
}

int signal_altstack_set(struct thread *t, u64 sp, const struct guest_stack_t *in) {
  if (on_altstack(t, sp)) return -EPERM;
  u32 mode = (u32)in->ss_flags & ~SS_AUTODISARM;
  if (mode != 0 && mode != SS_ONSTACK && mode != SS_DISABLE) return -EINVAL;
  if (mode == SS_DISABLE) {
    t->sigaltstack_sp = t->sigaltstack_bytes = 0;
  } else {
    if (in->ss_size < MINSIGSTKSZ) return -ENOMEM;
    t->sigaltstack_sp = in->ss_sp, t->sigaltstack_bytes = in->ss_size;
  }
  t->sigaltstack_flags = (u32)in->ss_flags & SS_AUTODISARM;
  return 0;
}

void signal_info_to_guest(const struct signal_info *i, struct guest_siginfo *out) {
  union {
    struct guest_siginfo user;
    struct guest_siginfo_chld child;
    struct guest_siginfo_fault fault;
    struct guest_siginfo_timer timer;
  } u;
  memset(&u, 0, sizeof u);
  u.user.si_signo = i->signo, u.user.si_errno = i->errno_, u.user.si_code = i->code;
  bool from_kernel = i->code > 0 && i->code < 0x80;
  if (i->code == SI_TIMER) {
    u.timer.si_timerid = i->timer_id, u.timer.si_overrun = i->overrun, u.timer.si_value = i->value;
  } else if (from_kernel && i->signo == SIGCHLD) {
    u.child.si_pid = i->pid, u.child.si_uid = i->uid, u.child.si_status = i->status;
    u.child.si_utime = i->utime, u.child.si_stime = i->stime;
  } else if (from_kernel && (i->signo == SIGSEGV || i->signo == SIGBUS || i->signo == SIGILL || i->signo == SIGFPE ||
                             i->signo == SIGTRAP)) {
    u.fault.si_addr = i->addr;
  } else {
    u.user.si_pid = i->pid, u.user.si_uid = i->uid, u.user.si_value = i->value;
  }
  *out = u.user;
}

void signal_info_from_guest(const struct guest_siginfo *in, struct signal_info *out) {
  *out = (struct signal_info){.signo = in->si_signo, .errno_ = in->si_errno, .code = in->si_code, .pid = in->si_pid,
                              .uid = in->si_uid, .value = in->si_value};
}

int signal_setup_frame(struct thread *t, i32 signo, const struct signal_info *info, const struct signal_action *act) {
  u32 block = t->regblock;
  u64 sp = cpu_x(block, 2), base = sp;
  if ((act->flags & SA_ONSTACK) && t->sigaltstack_bytes && !on_altstack(t, sp))
    base = t->sigaltstack_sp + t->sigaltstack_bytes;
  u64 at = (base - sizeof(struct guest_rt_sigframe)) & ~15ull;
  /* an overflow of the alternate stack must not write below it */
  if (on_altstack(t, sp) && base == sp && !on_altstack(t, at)) return -EFAULT;
  struct guest_rt_sigframe *f = kzalloc(sizeof *f);
  if (!f) return -ENOMEM;
  signal_info_to_guest(info, &f->info);
  signal_altstack_get(t, sp, &f->uc.uc_stack);
  f->uc.uc_sigmask = t->restore_blocked ? t->saved_blocked : t->blocked;
  struct guest_mcontext *m = &f->uc.uc_mcontext;
  m->pc = cpu_pc(block);
  guest_head_copy_in(m->x, block + REG_X + 8, sizeof m->x);
  guest_head_copy_in(m->f, block + REG_F, sizeof m->f);
  m->fcsr = guest_head_ld32(block + REG_FCSR);
  int r = copy_out(at, f, sizeof *f);
  kfree(f);
  if (r) return r;
  if (t->sigaltstack_flags & SS_AUTODISARM) t->sigaltstack_sp = t->sigaltstack_bytes = t->sigaltstack_flags = 0;
  cpu_set_x(block, 1, t->process->mm->sigreturn_page);
  cpu_set_x(block, 2, at);
  cpu_set_x(block, 10, (u64)signo);
  cpu_set_x(block, 11, at + offsetof(struct guest_rt_sigframe, info));
  cpu_set_x(block, 12, at + offsetof(struct guest_rt_sigframe, uc));
  cpu_set_pc(block, act->handler);
  guest_head_st64(block + REG_RES_ADDR, ~0ull);
  return 0;
}

int signal_return(struct thread *t) {
  u32 block = t->regblock;
  struct guest_rt_sigframe *f = kmalloc(sizeof *f);
  if (!f) return -ENOMEM;
  int r = copy_in(f, cpu_x(block, 2), sizeof *f);
  if (!r) {
    const struct guest_mcontext *m = &f->uc.uc_mcontext;
    cpu_set_pc(block, m->pc & ~1ull);
    guest_head_copy_out(block + REG_X + 8, m->x, sizeof m->x);
    guest_head_copy_out(block + REG_F, m->f, sizeof m->f);
    guest_head_st32(block + REG_FCSR, m->fcsr & 0xff);
    guest_head_st64(block + REG_RES_ADDR, ~0ull);
    signal_altstack_set(t, cpu_x(block, 2), &f->uc.uc_stack); /* errors are Linux' to ignore too */
    t->restart_code = 0;
    signal_set_blocked(t, f->uc.uc_sigmask);
  }
  kfree(f);
  return r;
}
