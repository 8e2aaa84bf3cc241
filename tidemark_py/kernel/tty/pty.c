/* pty: pseudo-terminal pairs (pty(7), pts(4)): their life, reads and writes of both ends, hang-up.
 *
 * Owns struct tty and the table of open pairs. A pair lives while any description, session or lookup refers to it; its
 * number is free again when the master closes. The master's writes run the line discipline at once: there is no second
 * buffer. tty_task_ops (installed by task/) sends the signals.
 * Missing: BREAK, modem lines. */
#include "tty_core.h"

const struct tty_task_ops *tty_task_ops;
static struct tty *ptys[MAX_PTYS];

static const struct guest_termios2 initial_termios = {
    .c_iflag = ICRNL | IXON,
    .c_oflag = OPOST | ONLCR,
    .c_cflag = B38400 | CS8 | CREAD,
    .c_lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
    .c_cc = {[VINTR] = 3, [VQUIT] = 28, [VERASE] = 127, [VKILL] = 21, [VEOF] = 4, [VMIN] = 1, [VSTART] = 17, [VSTOP] = 19,
           [VSUSP] = 26, [VREPRINT] = 18, [VDISCARD] = 15, [VWERASE] = 23, [VLNEXT] = 22},
    .c_ispeed = 38400,
    .c_ospeed = 38400,
};

void tty_get(struct tty *t) { t->refs++; }
void tty_put(struct tty *t) {
  if (--t->refs) return;
  if (t->output) kpages_free(t->output, OUTPUT_PAGES);
  kfree(t);
}
i32 tty_session(const struct tty *t) { return t->session; }
i32 tty_foreground(const struct tty *t) { return t->foreground; }
u32 tty_device(const struct tty *t) { return (PTY_MAJOR << 8) | t->index; }
struct tty *tty_by_index(u32 index) { return index < MAX_PTYS ? ptys[index] : NULL; }

int pty_master_open(struct ofd *ofd, u32 *index) {
  u32 i = 0;
  while (i < MAX_PTYS && ptys[i]) i++;
  if (i == MAX_PTYS) return -ENOSPC;
  struct tty *t = kzalloc(sizeof *t);
  if (!t) return -ENOMEM;
  t->refs = 1, t->index = i, t->termios = initial_termios, t->master_open = t->locked = true;
  wait_queue_init(&t->slave_read), wait_queue_init(&t->slave_write), wait_queue_init(&t->master_wait);
  ptys[i] = t;
  ofd->priv = t, ofd->ops = &pty_master_ops;
  if (index) *index = i;
  return 0;
}

int pty_slave_attach(struct tty *t, struct ofd *ofd) {
  if (!t->master_open || t->locked) return -EIO;
  if (t->exclusive && t->slave_opens) return -EBUSY;
  tty_get(t);
  t->slave_opens++, t->slave_closed = false;
  ofd->pos = t->hang_ups; /* a terminal has no position */
  ofd->priv = t, ofd->ops = &pty_slave_ops;
  if (!(ofd->flags & O_NOCTTY) && !t->session && tty_task_ops && tty_task_ops->current_is_leader() &&
      !tty_task_ops->current_tty()) {
    t->session = tty_task_ops->current_session(), t->foreground = tty_task_ops->current_group();
    tty_task_ops->set_current_tty(t);
  }
  return 0;
}

int pty_new(u32 *index, struct ofd **master) {
  struct inode *ino = inode_anonymous(S_IFCHR | 0600);
  if (!ino) return -ENOMEM;
  ino->rdev = (5 << 8) | 2;
  struct ofd *f = ofd_new(ino, &pty_master_ops, O_RDWR, NULL);
  if (!f) {
    inode_put(ino);
    return -ENOMEM;
  }
  int r = pty_master_open(f, index);
  if (r) {
    ofd_put(f);
    return r;
  }
  *master = f;
  return 0;
}

/* TIOCGPTPEER: the slave without a path walk, so that it works where /dev/pts is not mounted. */
int pty_open_slave(u32 index, u32 flags, struct ofd **slave) {
  struct tty *t = tty_by_index(index);
  if (!t) return -EIO;
  struct inode *ino = devpts_any_inode(index);
  if (!ino) return -ENOMEM;
  struct ofd *f = ofd_new(ino, &pty_slave_ops, flags & (O_ACCMODE | O_NONBLOCK | O_NOCTTY), NULL);
  if (!f) {
    inode_put(ino);
    return -ENOMEM;
  }
  int r = pty_slave_attach(t, f);
  char name[24];
  ksnprintf(name, sizeof name, "/dev/pts/%u", index);
  if (r || !(f->path = kstrdup(name))) {
    ofd_put(f);
    return r ? r : -ENOMEM;
  }
  *slave = f;
  return 0;
}

/* ---- hang-up ---- */
static void end_session(struct tty *t) {
  i32 session = t->session, foreground = t->foreground;
  t->session = t->foreground = 0;
  if (session && tty_task_ops) tty_task_ops->hangup_session(session, foreground);
}

static bool is_hung_up(const struct ofd *f) { return f->pos != ((const struct tty *)f->priv)->hang_ups; }

void tty_hang_up(struct tty *t) {
  t->hang_ups++;
  end_session(t);
  wait_wake(&t->slave_read, 0), wait_wake(&t->slave_write, 0), wait_wake(&t->master_wait, 0);
}

/* The leader died: Linux hangs no pty up; task/ tells the foreground group, and another session may have the terminal. */
void tty_session_exit(struct tty *t, i32 sid) {
  if (t->session == sid) t->session = t->foreground = 0;
}

/* ---- master ---- */
static i64 master_read(struct ofd *f, struct iobuf *io, UNUSED u64 *pos) {
  struct tty *t = f->priv;
  if (!io->left) return 0;
  while (!output_used(t) && !t->packet_status) {
    if (t->slave_closed) return -EIO;
    if (f->flags & O_NONBLOCK) return -EAGAIN;
    int r = wait_on(&t->master_wait, WAIT_FOREVER);
    if (r) return r;
  }
  if (!t->packet) {
    t->packet_status = 0;
    return output_take(t, io);
  }
  u8 head = t->packet_status ? t->packet_status : TIOCPKT_DATA;
  i64 r = iobuf_write(io, &head, 1);
  t->packet_status = 0;
  if (r != 1 || head != TIOCPKT_DATA || !io->left) return r;
  r = output_take(t, io);
  return r < 0 ? r : r + 1;
}

static i64 master_write(struct ofd *f, struct iobuf *io, UNUSED u64 *pos) {
  struct tty *t = f->priv;
  i64 done = 0, r = 0;
  while (io->left) {
    if (!ldisc_room(t)) {
      ldisc_wake(t);
      if ((r = f->flags & O_NONBLOCK ? -EAGAIN : wait_on(&t->master_wait, WAIT_FOREVER))) break;
      continue;
    }
    u8 chunk[256]; /* near the end one by one: what does not fit stays with the writer */
    u32 free_bytes = INPUT_BYTES - (t->write_pos - t->read_pos);
    r = iobuf_read(io, chunk, MIN(free_bytes > 2 * sizeof chunk ? sizeof chunk : 1, io->left));
    if (r <= 0) break;
    ldisc_receive(t, chunk, (u32)r);
    done += r;
  }
  ldisc_wake(t);
  return done ? done : r;
}

static u32 master_poll(struct ofd *f, struct poll_table *pt) {
  struct tty *t = f->priv;
  poll_wait(pt, &t->master_wait);
  u32 ready = 0;
  if (output_used(t)) ready |= POLLIN | POLLRDNORM;
  if (t->packet_status) ready |= POLLPRI | POLLIN | POLLRDNORM;
  if (ldisc_room(t)) ready |= POLLOUT | POLLWRNORM;
  if (t->slave_closed) ready |= POLLHUP;
  return ready;
}

static i64 master_ioctl(struct ofd *f, u32 request, uaddr_t arg) { return tty_ioctl(f->priv, f, true, request, arg); }

static void master_release(struct ofd *f) {
  struct tty *t = f->priv;
  if (!t) return;
  t->master_open = false;
  ptys[t->index] = NULL;
  devpts_forget(t->index);
  tty_hang_up(t);
  tty_put(t);
}

/* ---- slave ---- */
static i64 slave_read(struct ofd *f, struct iobuf *io, UNUSED u64 *pos) {
  struct tty *t = f->priv;
  if (is_hung_up(f) || !io->left) return 0;
  int r = tty_task_ops->check_background(t, SIGTTIN);
  return r ? r : ldisc_read(t, io, f->flags & O_NONBLOCK, (u32)f->pos);
}

static i64 slave_write(struct ofd *f, struct iobuf *io, UNUSED u64 *pos) {
  struct tty *t = f->priv;
  i64 done = 0, r = 0;
  if (!is_hung_up(f) && (t->termios.c_lflag & TOSTOP) && (r = tty_task_ops->check_background(t, SIGTTOU))) return r;
  while (io->left) {
    if (is_hung_up(f)) {
      r = -EIO;
      break;
    }
    if (output_blocked(t)) {
      output_settle(t);
      if (output_used(t)) wait_wake(&t->master_wait, POLLIN | POLLRDNORM);
      if ((r = f->flags & O_NONBLOCK ? -EAGAIN : wait_on(&t->slave_write, WAIT_FOREVER))) break;
      continue;
    }
    u8 chunk[512]; /* OPOST makes at most 8 bytes of one */
    u32 room = output_room(t, OUTPUT_RESERVE);
    u64 max = t->termios.c_oflag & OPOST ? room / 8 : room;
    r = iobuf_read(io, chunk, MIN(MIN(max, sizeof chunk), io->left));
    if (r <= 0) break;
    for (i64 i = 0; i < r; i++)
      if (!output_processed(t, chunk[i])) return done ? done : -ENOMEM; /* only the ring's first allocation fails */
    done += r;
  }
  output_settle(t);
  if (done) wait_wake(&t->master_wait, POLLIN | POLLRDNORM);
  return done ? done : r;
}

static u32 slave_poll(struct ofd *f, struct poll_table *pt) {
  struct tty *t = f->priv;
  poll_wait(pt, &t->slave_read), poll_wait(pt, &t->slave_write);
  if (is_hung_up(f)) return POLLIN | POLLOUT | POLLERR | POLLHUP | POLLRDNORM | POLLWRNORM;
  u32 ready = 0;
  if (ldisc_ready(t)) ready |= POLLIN | POLLRDNORM;
  if (!output_blocked(t)) ready |= POLLOUT | POLLWRNORM;
  return ready;
}

static i64 slave_ioctl(struct ofd *f, u32 request, uaddr_t arg) {
  struct tty *t = f->priv;
  return is_hung_up(f) ? -EIO : tty_ioctl(t, f, false, request, arg);
}

static void slave_release(struct ofd *f) {
  struct tty *t = f->priv;
  if (!t) return;
  if (!--t->slave_opens) {
    t->slave_closed = true, t->exclusive = false;
    wait_wake(&t->master_wait, POLLIN | POLLHUP);
  }
  tty_put(t);
}

const struct ofd_ops pty_master_ops = {.read = master_read, .write = master_write, .poll = master_poll,
                                       .ioctl = master_ioctl, .release = master_release};
const struct ofd_ops pty_slave_ops = {.read = slave_read, .write = slave_write, .poll = slave_poll,
                                      .ioctl = slave_ioctl, .release = slave_release};
