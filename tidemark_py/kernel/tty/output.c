/* output: from a program to the terminal (termios(3), c_oflag), as Linux' n_tty does it.
 *
 * Owns the stream (core/queue.h) the master reads. Programs stop OUTPUT_RESERVE bytes before it is full, so that echoes still fit (an
 * echo beyond that is dropped), and go on when it is half empty. Missing: delays (NLDLY, CRDLY ...) other than XTABS, OFILL. */
#include "tty_core.h"

bool tty_is_continuation(const struct tty *t, u8 c) { return (t->termios.c_iflag & IUTF8) && (c & 0xc0) == 0x80; }

u32 output_room(const struct tty *t, u32 reserve) {
  u32 free_bytes = OUTPUT_BYTES - output_used(t);
  return free_bytes > reserve ? free_bytes - reserve : 0;
}

bool output_blocked(const struct tty *t) { return t->stopped || output_room(t, OUTPUT_RESERVE) < 8; /* one tab */ }

bool output_byte(struct tty *t, u8 c) {
  if (!t->output) {
    if (!(t->output = kpages_alloc(OUTPUT_PAGES))) return false;
    queue_init(t->output, OUTPUT_RING_BYTES, false);
  }
  return output_used(t) < OUTPUT_BYTES && stream_put(t->output, &c, 1);
}

bool output_processed(struct tty *t, u8 c) {
  u32 flags = t->termios.c_oflag;
  if (!(flags & OPOST)) return output_byte(t, c);
  switch (c) {
    case '\n':
      if (flags & ONLRET) t->column = 0;
      if (flags & ONLCR) {
        t->column = t->line_column = 0;
        return output_byte(t, '\r') && output_byte(t, '\n');
      }
      t->line_column = t->column;
      break;
    case '\r':
      if ((flags & ONOCR) && !t->column) return true;
      if (flags & OCRNL) {
        c = '\n';
        if (!(flags & ONLRET)) break;
      }
      t->column = t->line_column = 0;
      break;
    case '\t': {
      u32 spaces = 8 - (t->column & 7);
      t->column += spaces;
      if ((flags & TABDLY) != XTABS) break;
      while (spaces--)
        if (!output_byte(t, ' ')) return false;
      return true;
    }
    case '\b':
      if (t->column) t->column--;
      break;
    default:
      if (c < 32 || c == 127) break;
      if ((flags & OLCUC) && c >= 'a' && c <= 'z') c -= 32;
      if (!tty_is_continuation(t, c)) t->column++;
  }
  return output_byte(t, c);
}

i64 output_take(struct tty *t, struct iobuf *io) {
  bool was_high = output_used(t) >= OUTPUT_BYTES / 2;
  i64 done = 0;
  u32 n;
  for (const u8 *from; t->output && io->left && (from = stream_bytes(t->output, 0, &n), n);) {
    i64 r = iobuf_write(io, from, MIN(n, io->left));
    if (r <= 0) {
      if (!done) done = r;
      break;
    }
    stream_read(t->output, (u32)r), done += r;
  }
  output_settle(t);
  if (was_high && output_used(t) < OUTPUT_BYTES / 2) wait_wake(&t->slave_write, POLLOUT | POLLWRNORM);
  return done;
}

/* Linux hands output on to the master's own buffer of 4 KiB at once: a flush reaches what lies behind that alone. */
void output_settle(struct tty *t) { t->output_settled = MIN(output_used(t), 4096u); }

void output_flush(struct tty *t) {
  if (t->output) stream_drop_newest(t->output, output_used(t) - t->output_settled);
  if (t->packet) t->packet_status |= TIOCPKT_FLUSHWRITE;
  wait_wake(&t->slave_write, POLLOUT | POLLWRNORM);
}

static void packet_flow(struct tty *t, u8 set, u8 clear) {
  if (!t->packet) return;
  t->packet_status = (u8)((t->packet_status & ~clear) | set);
  wait_wake(&t->master_wait, POLLIN | POLLPRI | POLLRDNORM);
}
void tty_stop(struct tty *t) {
  if (t->stopped) return;
  t->stopped = true;
  packet_flow(t, TIOCPKT_STOP, TIOCPKT_START);
}
void tty_start(struct tty *t) {
  if (!t->stopped || t->stopped_call) return;
  t->stopped = false;
  packet_flow(t, TIOCPKT_START, TIOCPKT_STOP);
  wait_wake(&t->slave_write, POLLOUT | POLLWRNORM);
}
