/* sys/signalfd: signals read from a description: signalfd(2). It reports what is pending for whoever reads or polls, not
 * for whoever made it. Signals that are not blocked are delivered as ever. */
#include "event.h"
#include "files.h"

struct signalfd {
  sigset_bits mask;
};

static void record_of(const struct signal_info *i, struct guest_signalfd_siginfo *out) {
  *out = (struct guest_signalfd_siginfo){.ssi_signo = (u32)i->signo, .ssi_errno = i->errno_, .ssi_code = i->code};
  if (i->code == SI_TIMER) {
    out->ssi_tid = (u32)i->timer_id, out->ssi_overrun = (u32)i->overrun;
    out->ssi_ptr = i->value, out->ssi_int = (i32)i->value;
    return;
  }
  bool fault = i->code > 0 && (SIGBIT(i->signo) & (SIGBIT(SIGSEGV) | SIGBIT(SIGBUS) | SIGBIT(SIGILL) | SIGBIT(SIGFPE) | SIGBIT(SIGTRAP)));
  if (fault) {
    out->ssi_addr = i->addr;
    return;
  }
  out->ssi_pid = (u32)i->pid, out->ssi_uid = i->uid;
  if (i->signo == SIGCHLD && i->code > 0) {
    out->ssi_status = i->status, out->ssi_utime = (u64)i->utime, out->ssi_stime = (u64)i->stime;
  } else if (i->code < 0) {
    out->ssi_ptr = i->value, out->ssi_int = (i32)i->value;
  }
}

static i64 signalfd_read(struct ofd *f, struct iobuf *io, UNUSED u64 *pos) {
  const struct signalfd *s = f->priv;
  struct guest_signalfd_siginfo record;
  if (io->left < sizeof record) return -EINVAL;
  if (iobuf_prepare(io, ACCESS_W)) return -EFAULT; /* a signal taken must not get lost */
  i64 done = 0;
  while (io->left >= sizeof record) {
    struct signal_info info;
    if (signal_dequeue(current, s->mask, &info)) {
      record_of(&info, &record);
      i64 n = iobuf_write(io, &record, sizeof record);
      if (n < 0) return done ? done : n;
      done += n;
      continue;
    }
    if (done) break;
    if (f->flags & O_NONBLOCK) return -EAGAIN;
    int r = wait_on(&signal_watchers, WAIT_FOREVER);
    if (r) return r;
  }
  return done;
}

static u32 signalfd_poll(struct ofd *f, struct poll_table *pt) {
  const struct signalfd *s = f->priv;
  poll_wait(pt, &signal_watchers);
  if (!current) return 0;
  return (current->pending.set | current->process->pending.set) & s->mask ? POLLIN | POLLRDNORM : 0;
}

static void signalfd_release(struct ofd *f) { kfree(f->priv); }
static const char *signalfd_link_text(UNUSED struct ofd *f, UNUSED char *buf, UNUSED u32 bytes) { return "anon_inode:[signalfd]"; }
static const struct ofd_ops signalfd_ops = {
    .read = signalfd_read, .poll = signalfd_poll, .release = signalfd_release, .link_text = signalfd_link_text};

i64 sys_signalfd4(i32 fd, uaddr_t mask, u64 sizemask, u32 flags) {
  sigset_bits wanted;
  if (sizemask != sizeof wanted) return -EINVAL;
  if (COPY_IN(wanted, mask)) return -EFAULT;
  if (flags & ~(u32)(SFD_NONBLOCK | SFD_CLOEXEC)) return -EINVAL;
  wanted &= ~(SIGBIT(SIGKILL) | SIGBIT(SIGSTOP));
  if (fd != -1) {
    struct ofd *old = fd_get(current->process->fds, fd);
    if (!old) return -EBADF;
    if (old->ops != &signalfd_ops) return -EINVAL;
    ((struct signalfd *)old->priv)->mask = wanted;
    wait_wake(&signal_watchers, POLLIN | POLLRDNORM); /* what it wants now may be pending */
    return fd;
  }
  struct signalfd *s = kzalloc(sizeof *s);
  struct inode *ino = s ? inode_anonymous(0600) : NULL;
  struct ofd *f = ino ? ofd_new(ino, &signalfd_ops, O_RDWR | (flags & SFD_NONBLOCK ? O_NONBLOCK : 0), s) : NULL;
  if (!f) {
    if (ino) inode_put(ino);
    kfree(s);
    return -ENOMEM;
  }
  s->mask = wanted;
  return install_new_ofd(f, flags & SFD_CLOEXEC);
}
