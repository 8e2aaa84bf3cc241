/* ioctl: tty_ioctl(4) for both ends of a pty. On the master, requests about the terminal mean the slave's terminal.
 *
 * Called by pty.c. Requests that change the terminal from a background group raise SIGTTOU first (tty_task_ops).
 * Missing: TCGETA/TCSETA (struct termio), modem lines, TIOCGICOUNT, locked termios, other line disciplines. */
#include "tty_core.h"

static i64 put_u32(uaddr_t arg, u32 v) { return COPY_OUT(arg, v); }

static i64 termios_get(struct tty *t, uaddr_t arg, u32 bytes) { return copy_out(arg, &t->termios, bytes); }

static i64 termios_set(struct tty *t, uaddr_t arg, u32 bytes, bool flush) {
  struct guest_termios2 next = t->termios, old = t->termios;
  int r = copy_in(&next, arg, bytes);
  if (r) return r;
  if (flush) ldisc_flush(t);
  t->termios = next;
  if (bytes == TERMIOS_BYTES && ((old.c_cflag ^ next.c_cflag) & CBAUD)) { /* speeds as the old interface names them */
    static const u32 low[] = {0, 50, 75, 110, 134, 150, 200, 300, 600, 1200, 1800, 2400, 4800, 9600, 19200, 38400};
    static const u32 high[] = {57600, 115200, 230400, 460800, 500000, 576000, 921600, 1000000, 1152000, 1500000, 2000000};
    u32 code = next.c_cflag & CBAUD, i = code & 15;
    u32 speed = !(code & CBAUDEX) ? low[i] : i >= 1 && i <= ARRAY_LEN(high) ? high[i - 1] : old.c_ospeed;
    t->termios.c_ispeed = t->termios.c_ospeed = speed;
  }
  ldisc_termios_changed(t, &old);
  if (t->packet) {
    bool old_flow = (old.c_iflag & IXON) && old.c_cc[VSTOP] == 19 && old.c_cc[VSTART] == 17;
    bool new_flow = (next.c_iflag & IXON) && next.c_cc[VSTOP] == 19 && next.c_cc[VSTART] == 17;
    if (old_flow != new_flow) {
      t->packet_status &= (u8) ~(TIOCPKT_DOSTOP | TIOCPKT_NOSTOP);
      t->packet_status |= new_flow ? TIOCPKT_DOSTOP : TIOCPKT_NOSTOP;
    }
    wait_wake(&t->master_wait, POLLIN | POLLPRI);
  }
  return 0;
}

/* A background group that changes the terminal stops first. */
static int check_change(struct tty *t, bool master) { return master ? 0 : tty_task_ops->check_background(t, SIGTTOU); }

/* Output pending for the terminal is what the master has not read. Linux' ptys do not wait for it either. */
static i64 set_winsize(struct tty *t, uaddr_t arg) {
  struct guest_winsize w;
  int r = COPY_IN(w, arg);
  if (r || !memcmp(&w, &t->winsize, sizeof w)) return r;
  t->winsize = w;
  if (t->foreground > 0) tty_task_ops->signal_group(t->foreground, SIGWINCH);
  return 0;
}

static i64 take_as_controlling(struct tty *t) {
  i32 session = tty_task_ops->current_session();
  bool leader = tty_task_ops->current_is_leader();
  if (leader && t->session == session) return 0;
  if (!leader || tty_task_ops->current_tty() || t->session) return -EPERM;
  t->session = session, t->foreground = tty_task_ops->current_group();
  tty_task_ops->set_current_tty(t);
  return 0;
}

static i64 give_up_controlling(struct tty *t) {
  if (tty_task_ops->current_tty() != t) return -ENOTTY;
  if (!tty_task_ops->current_is_leader()) {
    tty_task_ops->set_current_tty(NULL);
    return 0;
  }
  i32 session = t->session, foreground = t->foreground;
  t->session = t->foreground = 0;
  tty_task_ops->set_current_tty(NULL);
  if (session && foreground > 0) {
    tty_task_ops->signal_group(foreground, SIGHUP);
    tty_task_ops->signal_group(foreground, SIGCONT);
  }
  return 0;
}

static i64 set_foreground(struct tty *t, bool master, uaddr_t arg) {
  i32 group;
  int r = check_change(t, master);
  if (r) return r == -EIO ? -ENOTTY : r;
  if (tty_task_ops->current_tty() != t || t->session != tty_task_ops->current_session()) return -ENOTTY;
  if ((r = COPY_IN(group, arg))) return r;
  if (group < 0) return -EINVAL;
  if (!tty_task_ops->group_in_session(group, t->session)) return tty_task_ops->group_in_session(group, 0) ? -EPERM : -ESRCH;
  t->foreground = group;
  return 0;
}

static i64 flush(struct tty *t, bool master, uaddr_t which) {
  if (which > TCIOFLUSH) return -EINVAL;
  bool input = which != TCOFLUSH, output = which != TCIFLUSH;
  if (master ? output : input) ldisc_flush(t);
  if (master ? input : output) output_flush(t);
  wait_wake(&t->master_wait, POLLIN | POLLPRI);
  return 0;
}

static i64 flow(struct tty *t, uaddr_t action) {
  switch (action) {
    case TCOOFF:
      tty_stop(t);
      t->stopped_call = true;
      return 0;
    case TCOON:
      t->stopped_call = false;
      tty_start(t);
      return 0;
    case TCIOFF:
    case TCION: {
      u8 c = t->termios.c_cc[action == TCIOFF ? VSTOP : VSTART];
      if (c && output_byte(t, c)) wait_wake(&t->master_wait, POLLIN | POLLRDNORM);
      return 0;
    }
  }
  return -EINVAL;
}

static i64 master_request(struct tty *t, u32 request, uaddr_t arg) {
  u32 v;
  int r;
  switch (request) {
    case TIOCGPTN: return put_u32(arg, t->index);
    case TIOCGPTLCK: return put_u32(arg, t->locked);
    case TIOCGPKT: return put_u32(arg, t->packet);
    case TIOCSPTLCK:
      if ((r = COPY_IN(v, arg))) return r;
      t->locked = v;
      return 0;
    case TIOCPKT:
      if ((r = COPY_IN(v, arg))) return r;
      if (v && !t->packet) t->packet_status = 0;
      t->packet = v;
      return 0;
    case TIOCSIG:
      if (arg < 1 || arg > 64) return -EINVAL;
      if (t->foreground > 0) tty_task_ops->signal_group(t->foreground, (i32)arg);
      return 0;
    case TIOCGPTPEER: {
      struct ofd *slave;
      if (!tty_task_ops->install_fd) return -ENOSYS;
      if ((r = pty_open_slave(t->index, (u32)arg, &slave))) return r;
      if ((r = tty_task_ops->install_fd(slave, (u32)arg & O_CLOEXEC)) < 0) ofd_put(slave);
      return r;
    }
    case FIONREAD: return put_u32(arg, output_used(t));
    case TIOCOUTQ: return put_u32(arg, 0);
  }
  return -ENOIOCTLCMD;
}

i64 tty_ioctl(struct tty *t, UNUSED struct ofd *f, bool master, u32 request, uaddr_t arg) {
  if (master) {
    i64 r = master_request(t, request, arg);
    if (r != -ENOIOCTLCMD) return r;
  }
  int r;
  u32 v;
  switch (request) {
    case TCGETS: return termios_get(t, arg, TERMIOS_BYTES);
    case TCGETS2: return termios_get(t, arg, sizeof(struct guest_termios2));
    case TCSETS:
    case TCSETSW:
    case TCSETSF: return (r = check_change(t, master)) ? r : termios_set(t, arg, TERMIOS_BYTES, request == TCSETSF);
    case TCSETS2:
    case TCSETSW2:
    case TCSETSF2:
      return (r = check_change(t, master)) ? r : termios_set(t, arg, sizeof t->termios, request == TCSETSF2);
    case TIOCGWINSZ: return COPY_OUT(arg, t->winsize);
    case TIOCSWINSZ: return set_winsize(t, arg);
    case TIOCGPGRP:
      if (!master && tty_task_ops->current_tty() != t) return -ENOTTY;
      return put_u32(arg, (u32)t->foreground);
    case TIOCSPGRP: return set_foreground(t, master, arg);
    case TIOCGSID:
      if ((!master && tty_task_ops->current_tty() != t) || !t->session) return -ENOTTY;
      return put_u32(arg, (u32)t->session);
    case TIOCSCTTY: return master ? -ENOTTY : take_as_controlling(t);
    case TIOCNOTTY: return give_up_controlling(t);
    case TIOCVHANGUP:
      if (!tty_task_ops->is_privileged()) return -EPERM;
      tty_hang_up(t);
      return 0;
    case TCFLSH: return (r = check_change(t, master)) ? r : flush(t, master, arg);
    case TCXONC: return (r = check_change(t, master)) ? r : flow(t, arg);
    case TCSBRK: /* tcdrain, and breaks, which a pty does not carry */
    case TCSBRKP:
    case TIOCSBRK:
    case TIOCCBRK: return check_change(t, master);
    case TIOCEXCL:
    case TIOCNXCL:
      t->exclusive = request == TIOCEXCL;
      return 0;
    case TIOCGEXCL: return put_u32(arg, t->exclusive);
    case FIONREAD: return put_u32(arg, ldisc_readable_bytes(t));
    case TIOCOUTQ: return put_u32(arg, 0);
    case TIOCGETD: return put_u32(arg, 0);
    case TIOCSETD: return (r = COPY_IN(v, arg)) ? r : v ? -EINVAL : 0;
    case TIOCGDEV: return put_u32(arg, tty_device(t));
    case TIOCSTI: {
      u8 c;
      if ((r = copy_in(&c, arg, 1))) return r;
      ldisc_receive(t, &c, 1);
      ldisc_wake(t);
      return 0;
    }
    case TIOCMGET:
    case TIOCMSET:
    case TIOCMBIS:
    case TIOCMBIC: return -EINVAL;
  }
  return -ENOTTY;
}
