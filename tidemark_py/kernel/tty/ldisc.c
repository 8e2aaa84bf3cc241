/* ldisc: the N_TTY line discipline's input half: line editing, echo, signals, reads (termios(3); Linux
 * drivers/tty/n_tty.c is the model, behaviour for behaviour, not code for code).
 *
 * Owns struct tty's input fields. Called by pty.c (bytes typed at the master; reads of the slave) and ioctl.c. Bytes that
 * do not fit a line of 4095 are dropped, with a bell under IMAXBEL; a newline always fits. In raw mode, or while whole
 * lines wait, a full buffer stops the master instead.
 * Missing: PARMRK and INPCK (a pty has no parity errors), EXTPROC. */
#include "tty_core.h"

#define LFLAG(f) (t->termios.c_lflag & (f))
#define IFLAG(f) (t->termios.c_iflag & (f))

static u32 used(const struct tty *t) { return t->write_pos - t->read_pos; }
static u8 at(const struct tty *t, u32 pos) { return t->input[pos % INPUT_BYTES]; }
static bool ends_line(const struct tty *t, u32 pos) {
  u32 i = pos % INPUT_BYTES;
  return t->input_ends[i / 8] >> (i % 8) & 1;
}
static void set_end(struct tty *t, u32 pos, bool on) {
  u32 i = pos % INPUT_BYTES;
  t->input_ends[i / 8] = (u8)((t->input_ends[i / 8] & ~(1u << (i % 8))) | (u32)on << (i % 8));
}
static bool is_control(u8 c) { return c < 32 || c == 127; }
/* A character that stands for a function: 0 in c_cc means none. */
static bool is_cc(const struct tty *t, u8 c, u32 which) { return c && t->termios.c_cc[which] == c; }

/* ---- echo ---- */
static void echo_raw(struct tty *t, u8 c) { output_processed(t, c); }
static void echo_char(struct tty *t, u8 c) {
  if (LFLAG(ECHOCTL) && is_control(c) && c != '\t') {
    echo_raw(t, '^');
    c ^= 0x40;
  }
  echo_raw(t, c);
}
static void echo_erase_column(struct tty *t) { echo_raw(t, '\b'), echo_raw(t, ' '), echo_raw(t, '\b'); }
static void finish_erasing(struct tty *t) {
  if (t->erasing) echo_raw(t, '/');
  t->erasing = false;
}

/* The tab before write_pos was taken away: step back over the columns it had covered. */
static void echo_erase_tab(struct tty *t) {
  u32 columns = 0, pos = t->write_pos;
  bool after_tab = false;
  while (pos != t->line_pos && !after_tab) {
    u8 c = at(t, --pos);
    if (c == '\t')
      after_tab = true;
    else if (is_control(c))
      columns += LFLAG(ECHOCTL) ? 2 : 0;
    else if (!tty_is_continuation(t, c))
      columns++;
  }
  if (!after_tab) columns += t->line_column;
  for (u32 n = 8 - (columns & 7); n; n--) echo_raw(t, '\b');
}

/* ---- line editing ---- */
static bool is_word(u8 c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' || c >= 0xc0;
}

static void erase(struct tty *t, u32 which) {
  if (t->write_pos == t->line_pos) return;
  if (which == VKILL && (!LFLAG(ECHO) || !LFLAG(ECHOK) || !LFLAG(ECHOKE) || !LFLAG(ECHOE))) {
    t->write_pos = t->line_pos;
    if (!LFLAG(ECHO)) return;
    finish_erasing(t);
    echo_char(t, t->termios.c_cc[VKILL]);
    if (LFLAG(ECHOK)) echo_raw(t, '\n');
    return;
  }
  bool seen_word = false;
  while (t->write_pos != t->line_pos) {
    u32 pos = t->write_pos; /* one character, of one or more bytes */
    u8 c;
    do c = at(t, --pos);
    while (tty_is_continuation(t, c) && pos != t->line_pos);
    if (tty_is_continuation(t, c)) break;
    if (which == VWERASE) {
      if (is_word(c))
        seen_word = true;
      else if (seen_word)
        break;
    }
    u32 end = t->write_pos;
    t->write_pos = pos;
    if (LFLAG(ECHO)) {
      if (LFLAG(ECHOPRT)) {
        if (!t->erasing) echo_raw(t, '\\');
        t->erasing = true;
        echo_char(t, c);
        while (++pos != end) echo_raw(t, at(t, pos));
      } else if (which == VERASE && !LFLAG(ECHOE)) {
        echo_char(t, t->termios.c_cc[VERASE]);
      } else if (c == '\t') {
        echo_erase_tab(t);
      } else {
        if (is_control(c) && LFLAG(ECHOCTL)) echo_erase_column(t);
        if (!is_control(c) || LFLAG(ECHOCTL)) echo_erase_column(t);
      }
    }
    if (which == VERASE) break;
  }
  if (t->write_pos == t->line_pos && LFLAG(ECHO)) finish_erasing(t);
}

static void reprint(struct tty *t, u8 c) {
  finish_erasing(t);
  echo_char(t, c);
  echo_raw(t, '\n');
  for (u32 pos = t->line_pos; pos != t->write_pos; pos++) echo_char(t, at(t, pos));
}

/* Append one byte. In canonical mode the last place is for the end of the line. */
static bool store(struct tty *t, u8 c, bool end) {
  u32 limit = LFLAG(ICANON) && !end ? INPUT_BYTES - 1 : INPUT_BYTES;
  if (used(t) >= limit) {
    if (IFLAG(IMAXBEL)) echo_raw(t, '\a');
    return false;
  }
  t->input[t->write_pos % INPUT_BYTES] = c;
  set_end(t, t->write_pos++, end);
  if (end) t->line_pos = t->write_pos;
  return true;
}

static void interrupt(struct tty *t, u8 c, i32 signo) {
  if (!LFLAG(NOFLSH)) {
    ldisc_flush(t);
    output_flush(t);
  }
  if (t->foreground > 0) tty_task_ops->signal_group(t->foreground, signo);
  if (IFLAG(IXON)) tty_start(t);
  if (LFLAG(ECHO)) echo_char(t, c);
}

/* True: c ended a line, edited it, or did something else than go into it. */
static bool receive_canonical(struct tty *t, u8 c) {
  bool extended = LFLAG(IEXTEN);
  if (is_cc(t, c, VERASE)) return erase(t, VERASE), true;
  if (is_cc(t, c, VKILL)) return erase(t, VKILL), true;
  if (extended && is_cc(t, c, VWERASE)) return erase(t, VWERASE), true;
  if (extended && is_cc(t, c, VLNEXT)) {
    t->literal_next = true;
    if (LFLAG(ECHO)) {
      finish_erasing(t);
      if (LFLAG(ECHOCTL)) echo_raw(t, '^'), echo_raw(t, '\b');
    }
    return true;
  }
  if (extended && LFLAG(ECHO) && is_cc(t, c, VREPRINT)) return reprint(t, c), true;
  if (c == '\n') {
    if (LFLAG(ECHO | ECHONL)) echo_raw(t, '\n');
    return store(t, c, true), true;
  }
  if (is_cc(t, c, VEOF)) return store(t, 0, true), true;
  if (is_cc(t, c, VEOL) || (extended && is_cc(t, c, VEOL2))) {
    if (LFLAG(ECHO)) {
      if (t->write_pos == t->line_pos) t->line_column = t->column;
      echo_char(t, c);
    }
    return store(t, c, true), true;
  }
  return false;
}

static void receive(struct tty *t, u8 c) {
  if (IFLAG(ISTRIP)) c &= 0x7f;
  if (IFLAG(IUCLC) && LFLAG(IEXTEN) && c >= 'A' && c <= 'Z') c += 32;
  bool literal = t->literal_next;
  t->literal_next = false;
  if (!literal) {
    if (IFLAG(IXON)) {
      if (is_cc(t, c, VSTART)) {
        tty_start(t);
        return;
      }
      if (is_cc(t, c, VSTOP)) {
        tty_stop(t);
        return;
      }
    }
    if (LFLAG(ISIG)) {
      if (is_cc(t, c, VINTR)) return interrupt(t, c, SIGINT);
      if (is_cc(t, c, VQUIT)) return interrupt(t, c, SIGQUIT);
      if (is_cc(t, c, VSUSP)) return interrupt(t, c, SIGTSTP);
    }
    if (t->stopped && IFLAG(IXON) && IFLAG(IXANY)) tty_start(t);
    if (c == '\r') {
      if (IFLAG(IGNCR)) return;
      if (IFLAG(ICRNL)) c = '\n';
    } else if (c == '\n' && IFLAG(INLCR)) {
      c = '\r';
    }
    if (LFLAG(ICANON) && receive_canonical(t, c)) return;
  }
  if (LFLAG(ECHO)) {
    finish_erasing(t);
    if (t->write_pos == t->line_pos) t->line_column = t->column;
    if (c == '\n' && !literal)
      echo_raw(t, c);
    else
      echo_char(t, c);
  }
  store(t, c, false);
}

void ldisc_receive(struct tty *t, const u8 *bytes, u32 n) {
  for (u32 i = 0; i < n; i++) receive(t, bytes[i]);
}

void ldisc_wake(struct tty *t) {
  output_settle(t);
  if (LFLAG(ICANON) ? t->line_pos != t->read_pos : used(t)) wait_wake(&t->slave_read, POLLIN | POLLRDNORM);
  if (output_used(t) || t->packet_status) wait_wake(&t->master_wait, POLLIN | POLLRDNORM);
}

/* A reader between lines may not starve the master: with no whole line waiting, excess is dropped, not held back. */
u32 ldisc_room(const struct tty *t) {
  u32 room = INPUT_BYTES - used(t);
  if (LFLAG(ICANON) && t->line_pos == t->read_pos) return INPUT_BYTES;
  return LFLAG(ICANON) && room ? room - 1 : room;
}

bool ldisc_ready(const struct tty *t) {
  if (LFLAG(ICANON)) return t->line_pos != t->read_pos;
  u32 want = t->termios.c_cc[VTIME] ? 1 : MAX(t->termios.c_cc[VMIN], 1);
  return used(t) >= want;
}

u32 ldisc_readable_bytes(const struct tty *t) {
  if (!LFLAG(ICANON)) return used(t);
  u32 bytes = 0;
  for (u32 pos = t->read_pos; pos != t->line_pos; pos++) bytes += !(ends_line(t, pos) && !at(t, pos));
  return bytes;
}

void ldisc_flush(struct tty *t) {
  t->read_pos = t->line_pos = t->write_pos = 0;
  memset(t->input_ends, 0, sizeof t->input_ends);
  t->literal_next = t->erasing = false;
  if (t->packet) t->packet_status |= TIOCPKT_FLUSHREAD;
  wait_wake(&t->master_wait, POLLOUT | POLLWRNORM);
}

void ldisc_termios_changed(struct tty *t, const struct guest_termios2 *old) {
  if ((old->c_lflag ^ t->termios.c_lflag) & ICANON) { /* what was typed so far becomes readable either way */
    memset(t->input_ends, 0, sizeof t->input_ends);
    t->line_pos = t->read_pos;
    if (LFLAG(ICANON) && used(t)) {
      set_end(t, t->write_pos - 1, true);
      t->line_pos = t->write_pos;
    }
    t->erasing = t->literal_next = false;
  }
  if (!IFLAG(IXON) && (old->c_iflag & IXON)) tty_start(t);
  ldisc_wake(t);
}

/* ---- reads ---- */
/* Move up to n bytes that lie in one piece of the ring. Returns the bytes or -EFAULT. */
static i64 take(struct tty *t, struct iobuf *io, u32 n) {
  u32 start = t->read_pos % INPUT_BYTES;
  i64 r = iobuf_write(io, t->input + start, MIN(n, INPUT_BYTES - start));
  if (r > 0) t->read_pos += (u32)r;
  return r;
}

/* One line or as much of it as fits. An end-of-file mark is eaten and adds nothing. */
static i64 read_line(struct tty *t, struct iobuf *io) {
  i64 done = 0;
  while (t->read_pos != t->line_pos) {
    u32 n = 0, max = (u32)MIN(t->line_pos - t->read_pos, io->left);
    while (n < max && !ends_line(t, t->read_pos + n)) n++;
    bool end = t->read_pos + n != t->line_pos && ends_line(t, t->read_pos + n);
    bool mark = end && !at(t, t->read_pos + n);
    if (end && !mark && n < max) n++;
    else if (end && !mark) end = false; /* its last byte does not fit */
    while (n) {
      i64 r = take(t, io, n);
      if (r <= 0) return done ? done : r;
      done += r, n -= (u32)r;
    }
    if (mark) set_end(t, t->read_pos, false), t->read_pos++;
    if (end) set_end(t, t->read_pos - 1, false);
    if (end || !io->left) break;
  }
  return done;
}

i64 ldisc_read(struct tty *t, struct iobuf *io, bool nonblock, u32 hang_ups) {
  u64 deadline = WAIT_FOREVER, tick = t->termios.c_cc[VTIME] * 100000000ull;
  u32 minimum = t->termios.c_cc[VMIN];
  if (!LFLAG(ICANON) && tick && !minimum) deadline = host_monotonic_ns() + tick;
  i64 done = 0, r = 0;
  while (io->left) {
    bool was_full = !ldisc_room(t);
    if (LFLAG(ICANON)) {
      if (t->line_pos != t->read_pos) {
        r = read_line(t, io);
        if (was_full) wait_wake(&t->master_wait, POLLOUT | POLLWRNORM);
        return r < 0 && done ? done : done + r;
      }
    } else {
      u32 n = used(t);
      while (n && io->left) {
        r = take(t, io, (u32)MIN(n, io->left));
        if (r <= 0) return done ? done : r;
        done += r, n = used(t);
        if (tick && minimum) deadline = host_monotonic_ns() + tick;
      }
      if (was_full && done) wait_wake(&t->master_wait, POLLOUT | POLLWRNORM);
      if ((u64)done >= MAX(minimum, 1u)) break;
      if (!minimum && !tick) break;
    }
    if (!t->master_open) return done ? done : -EIO;
    if (t->hang_ups != hang_ups) break;
    if (nonblock) return done ? done : -EAGAIN;
    r = wait_on(&t->slave_read, deadline);
    if (r == -ETIMEDOUT) {
      if (host_monotonic_ns() < deadline) continue;
      if (LFLAG(ICANON) || !used(t)) break;
      continue;
    }
    if (r) return done ? done : r;
    if (!done && !(r = tty_task_ops->check_background(t, SIGTTIN))) continue;
    if (r < 0) return done ? done : r;
  }
  return done;
}
