/* tty_core: the inside of a pty pair, for tty/ alone. Kernel lock for everything. */
#ifndef TIDEMARK_TTY_TTY_CORE_H
#define TIDEMARK_TTY_TTY_CORE_H
#include "tty.h"

#include "../core/queue.h"

#define ENOIOCTLCMD 515 /* inside tty/ alone: not a request of the master */

#define INPUT_BYTES 4096u         /* N_TTY_BUF_SIZE: what one line can hold */
#define OUTPUT_BYTES (5 * PAGE_BYTES)
#define OUTPUT_RING_BYTES (8 * PAGE_BYTES) /* the power of two above it */
#define OUTPUT_PAGES (OUTPUT_RING_BYTES / PAGE_BYTES + 1)
#define OUTPUT_RESERVE PAGE_BYTES /* for echoes when a program has filled the rest */
#define MAX_PTYS 128u
#define PTY_MAJOR 136u

#define TERMIOS_BYTES sizeof(struct guest_termios) /* the head of termios2 */

struct tty {
  u32 refs, index;
  struct guest_termios2 termios;
  struct guest_winsize winsize;
  i32 session, foreground; /* 0: none */

  /* input: what the slave reads. Free-running positions; a byte at position p stands at input[p % INPUT_BYTES]. */
  u8 input[INPUT_BYTES];
  u8 input_ends[INPUT_BYTES / 8]; /* canonical: this byte ends a line (an end-of-file mark is a byte 0 with it set) */
  u32 read_pos;                   /* next byte to read */
  u32 line_pos;                   /* canonical: all before it are whole lines; the rest can still be edited */
  u32 write_pos;
  bool literal_next;              /* after VLNEXT */
  bool erasing;                   /* inside an ECHOPRT erasure */
  u32 line_column;                /* column at which the line being edited began */

  /* output: what the master reads */
  struct shared_queue *output; /* a stream of OUTPUT_BYTES at most, made at the first byte */
  u32 output_settled; /* of these a flush takes none away: see output_flush */
  u32 column;
  bool stopped;      /* ^S or TCOOFF */
  bool stopped_call; /* by TCOOFF: no character starts it again */

  bool master_open, locked, packet, exclusive;
  u32 hang_ups; /* so often hung up: a slave description that knows fewer (ofd.pos) is dead */
  bool slave_closed; /* the last slave description is gone (never true before the first open) */
  u8 packet_status;  /* TIOCPKT_* not yet read by the master */
  u32 slave_opens;
  struct wait_queue slave_read, slave_write, master_wait;
};

/* output.c */
static inline u32 output_used(const struct tty *t) { return t->output ? queue_used(t->output) : 0; }
u32 output_room(const struct tty *t, u32 reserve); /* bytes that fit; reserve: kept free for echoes */
bool output_blocked(const struct tty *t);          /* a program's write must wait */
bool output_byte(struct tty *t, u8 c);             /* as it is; false: full */
bool output_processed(struct tty *t, u8 c);        /* through OPOST */
i64 output_take(struct tty *t, struct iobuf *io);  /* the master reads */
void output_settle(struct tty *t); /* at the end of a write, before the master is woken */
void output_flush(struct tty *t);
void tty_stop(struct tty *t);
void tty_start(struct tty *t);
bool tty_is_continuation(const struct tty *t, u8 c); /* a UTF-8 byte that takes no column (IUTF8) */

/* ldisc.c */
void ldisc_receive(struct tty *t, const u8 *bytes, u32 n); /* typed at the master; wakes no reader */
void ldisc_wake(struct tty *t);                            /* readers and pollers, after ldisc_receive */
u32 ldisc_room(const struct tty *t);                       /* bytes the master may still write */
bool ldisc_ready(const struct tty *t);                     /* a read would not block */
u32 ldisc_readable_bytes(const struct tty *t);             /* FIONREAD */
i64 ldisc_read(struct tty *t, struct iobuf *io, bool nonblock, u32 hang_ups); /* ends when there are more of them */
void ldisc_flush(struct tty *t);
void ldisc_termios_changed(struct tty *t, const struct guest_termios2 *old);

/* pty.c */
extern const struct ofd_ops pty_master_ops, pty_slave_ops;
struct tty *tty_by_index(u32 index); /* an open master's, or NULL */
int pty_master_open(struct ofd *ofd, u32 *index);
int pty_slave_attach(struct tty *t, struct ofd *ofd); /* open(2) of a slave, /dev/tty or /dev/pts/N */

/* ioctl.c */
i64 tty_ioctl(struct tty *t, struct ofd *f, bool master, u32 request, uaddr_t arg);

/* devpts.c */
void devpts_boot(void);
void devpts_forget(u32 index);                         /* its number is free again */
struct inode *devpts_any_inode(u32 index);             /* a new reference, or NULL */
#endif
