/* Pty pairs and the line discipline without guests: termios(3), pty(7), tty_ioctl(4). What a master reads and a slave
 * reads for what is typed; the expected bytes are what Linux 6.x gives for the same. */
#include "fake_kernel.h"
#include "../../tidemark_py/kernel/tty/tty_core.h"

static i32 last_signal, last_group, hung_sid, background;
static struct tty *ctty;
static void fake_signal_group(i32 pgid, i32 signo) { last_group = pgid, last_signal = signo; }
static int fake_background(UNUSED struct tty *t, UNUSED i32 signo) { return background; }
static i32 fake_session(void) { return 10; }
static i32 fake_group(void) { return 11; }
static bool fake_leader(void) { return true; }
static struct tty *fake_tty(void) { return ctty; }
static void fake_set_tty(struct tty *t) {
  if (t) tty_get(t);
  if (ctty) tty_put(ctty);
  ctty = t;
}
static bool fake_in_session(i32 pgid, UNUSED i32 sid) { return pgid < 100; }
static void fake_hangup(i32 sid, UNUSED i32 foreground) { hung_sid = sid, fake_set_tty(NULL); }
static bool fake_privileged(void) { return true; }
static const struct tty_task_ops fake_ops = {fake_signal_group, fake_background, fake_session, fake_group, fake_leader,
                                             fake_tty, fake_set_tty, fake_in_session, fake_hangup, fake_privileged, NULL};
int chrdev_register(UNUSED u32 major, UNUSED u32 first, UNUSED u32 minors, UNUSED const struct ofd_ops *ops,
                    UNUSED int (*open)(struct inode *, struct ofd *)) { return 0; }
void fs_on_new_root(UNUSED int (*fn)(struct inode *)) {}
int fs_mount(UNUSED struct inode *root, UNUSED const char *path, UNUSED struct superblock *sb) { return 0; }

static struct ofd *master, *slave;
static u8 text[20000];
static void open_pair(void) {
  u32 index;
  i32 unlock = 0;
  CHECK_EQ(pty_new(&index, &master), 0);
  CHECK_EQ(pty_open_slave(index, O_RDWR, &slave), -EIO); /* locked */
  CHECK_EQ(master->ops->ioctl(master, TIOCSPTLCK, (uintptr_t)&unlock), 0);
  CHECK_EQ(pty_open_slave(index, O_RDWR | O_NOCTTY, &slave), 0);
  master->flags |= O_NONBLOCK, slave->flags |= O_NONBLOCK;
}
static void close_pair(void) { ofd_put(slave), ofd_put(master); }
static void set(u32 clear_i, u32 set_i, u32 clear_l, u32 set_l) {
  struct guest_termios2 t;
  CHECK_EQ(slave->ops->ioctl(slave, TCGETS2, (uintptr_t)&t), 0);
  t.c_iflag = (t.c_iflag & ~clear_i) | set_i, t.c_lflag = (t.c_lflag & ~clear_l) | set_l;
  CHECK_EQ(slave->ops->ioctl(slave, TCSETS2, (uintptr_t)&t), 0);
}
static void set_cc(u32 which, u8 value) {
  struct guest_termios t;
  slave->ops->ioctl(slave, TCGETS, (uintptr_t)&t);
  t.c_cc[which] = value;
  slave->ops->ioctl(slave, TCSETS, (uintptr_t)&t);
}
#define EXPECT(f, expected)                                                                                              \
  do {                                                                                                                   \
    i64 n = get(f, text, sizeof text);                                                                                   \
    if (n != (i64)sizeof(expected) - 1 || memcmp(text, expected, sizeof(expected) - 1)) {                                \
      printf("%s:%d: read %lld:", __FILE__, __LINE__, (long long)n);                                                     \
      for (i64 i = 0; i < n; i++) printf(text[i] < 32 || text[i] > 126 ? "\\x%02x" : "%c", text[i]);                     \
      printf(", not %s\n", #expected), checks_failed++;                                                                  \
    }                                                                                                                    \
  } while (0)
#define TYPE(s) CHECK_EQ(put(master, s, sizeof(s) - 1), sizeof(s) - 1)
#define NOTHING(f) CHECK_EQ(get(f, text, sizeof text), -EAGAIN)

static void test_a_line_is_read_when_it_ends(void) {
  open_pair();
  TYPE("hel");
  EXPECT(master, "hel");
  NOTHING(slave);
  CHECK(!(slave->ops->poll(slave, NULL) & POLLIN));
  TYPE("lo\r");
  EXPECT(master, "lo\r\n");
  CHECK(slave->ops->poll(slave, NULL) & POLLIN);
  u32 waiting;
  CHECK_EQ(slave->ops->ioctl(slave, FIONREAD, (uintptr_t)&waiting), 0);
  CHECK_EQ(waiting, 6);
  CHECK_EQ(get(slave, text, 2), 2);
  EXPECT(slave, "llo\n");
  NOTHING(slave);
  CHECK_EQ(put(slave, "a\nb", 3), 3);
  EXPECT(master, "a\r\nb");
  TYPE("one\ntwo\nthr");
  EXPECT(slave, "one\n");
  EXPECT(slave, "two\n");
  NOTHING(slave);
  close_pair();
}

static void test_editing(void) {
  open_pair();
  TYPE("abc\x7f\x7fx\n");
  EXPECT(master, "abc\b \b\b \bx\r\n");
  EXPECT(slave, "ax\n");
  TYPE("one two  \x17X\n"); /* VWERASE */
  EXPECT(master, "one two  \b \b\b \b\b \b\b \b\b \bX\r\n");
  EXPECT(slave, "one X\n");
  TYPE("junk\x15ok\n"); /* VKILL */
  EXPECT(master, "junk\b \b\b \b\b \b\b \bok\r\n");
  EXPECT(slave, "ok\n");
  TYPE("a\x16\x03z\x7f\x7f\n"); /* VLNEXT, a control character takes two columns */
  EXPECT(master, "a^\b^Cz\b \b\b \b\b \b\r\n");
  EXPECT(slave, "a\n");
  TYPE("ab\x12\n"); /* VREPRINT */
  EXPECT(master, "ab^R\r\nab\r\n");
  EXPECT(slave, "ab\n");
  TYPE("ab\t\x7f" "c\n"); /* erasing a tab goes back to where it began */
  EXPECT(master, "ab\t\b\b\b\b\b\bc\r\n");
  EXPECT(slave, "abc\n");
  TYPE("\xc3\xa4\x7f\n"); /* without IUTF8 the bytes go one by one */
  EXPECT(master, "\xc3\xa4\b \b\r\n");
  EXPECT(slave, "\xc3\n");
  set(0, IUTF8, 0, 0);
  TYPE("\xc3\xa4\xe2\x82\xac\x7f\x7f!\n");
  EXPECT(master, "\xc3\xa4\xe2\x82\xac\b \b\b \b!\r\n");
  EXPECT(slave, "!\n");
  set(0, 0, ECHOE, 0);
  TYPE("ab\x7f\n");
  EXPECT(master, "ab^?\r\n");
  EXPECT(slave, "a\n");
  TYPE("ab\x15" "c\n");
  EXPECT(master, "ab^U\r\nc\r\n");
  EXPECT(slave, "c\n");
  close_pair();
}

static void test_end_of_file(void) {
  open_pair();
  TYPE("\x04");
  CHECK_EQ(get(slave, text, 10), 0);
  NOTHING(slave);
  TYPE("ab\x04" "cd\n");
  EXPECT(slave, "ab");
  EXPECT(slave, "cd\n");
  TYPE("xy\x04\x04");
  CHECK_EQ(get(slave, text, 2), 2); /* fills the buffer: the mark goes with it */
  CHECK_EQ(get(slave, text, 2), 0);
  NOTHING(slave);
  close_pair();
}

static void test_signals(void) {
  open_pair();
  slave->ops->ioctl(slave, TIOCSCTTY, 0);
  CHECK(ctty == slave->priv);
  TYPE("abc\x03");
  CHECK(last_signal == SIGINT && last_group == 11);
  EXPECT(master, "^C"); /* what was not read yet is flushed with the line */
  TYPE("\n");
  EXPECT(slave, "\n");
  TYPE("\x1c");
  CHECK_EQ(last_signal, SIGQUIT);
  TYPE("\x1a");
  CHECK_EQ(last_signal, SIGTSTP);
  get(master, text, sizeof text);
  set(0, 0, 0, NOFLSH);
  TYPE("abc\x03");
  EXPECT(master, "abc^C");
  TYPE("\n");
  EXPECT(slave, "abc\n");
  set(0, 0, ISIG, 0);
  TYPE("\x03\n");
  EXPECT(slave, "\x03\n");
  struct guest_winsize w = {.ws_row = 24, .ws_col = 80};
  CHECK_EQ(master->ops->ioctl(master, TIOCSWINSZ, (uintptr_t)&w), 0);
  CHECK_EQ(last_signal, SIGWINCH);
  last_signal = 0;
  CHECK_EQ(slave->ops->ioctl(slave, TIOCSWINSZ, (uintptr_t)&w), 0); /* no change, no signal */
  CHECK_EQ(last_signal, 0);
  i32 group = 50;
  CHECK_EQ(slave->ops->ioctl(slave, TIOCSPGRP, (uintptr_t)&group), 0);
  group = 150;
  CHECK_EQ(slave->ops->ioctl(slave, TIOCSPGRP, (uintptr_t)&group), -ESRCH);
  CHECK_EQ(slave->ops->ioctl(slave, TIOCGPGRP, (uintptr_t)&group), 0);
  CHECK_EQ(group, 50);
  background = -ERESTARTSYS;
  CHECK_EQ(get(slave, text, 1), -ERESTARTSYS);
  CHECK_EQ(put(slave, "x", 1), 1); /* no TOSTOP */
  background = 0;
  hung_sid = 0;
  ofd_put(master);
  CHECK_EQ(hung_sid, 10);
  CHECK_EQ(get(slave, text, 10), 0);
  CHECK_EQ(put(slave, "x", 1), -EIO);
  CHECK(slave->ops->poll(slave, NULL) & POLLHUP);
  ofd_put(slave);
}

static void test_raw_reads(void) {
  open_pair();
  set(ICRNL | IXON, 0, ICANON | ECHO | ISIG | IEXTEN, 0);
  TYPE("a\r\x03\x11");
  EXPECT(slave, "a\r\x03\x11");
  NOTHING(master);
  set_cc(VMIN, 3);
  TYPE("ab");
  CHECK(!(slave->ops->poll(slave, NULL) & POLLIN));
  TYPE("c");
  CHECK(slave->ops->poll(slave, NULL) & POLLIN);
  EXPECT(slave, "abc");
  set_cc(VMIN, 0);
  CHECK_EQ(get(slave, text, 10), 0);
  set_cc(VTIME, 1);
  slave->flags &= ~(u32)O_NONBLOCK;
  u64 start = host_monotonic_ns();
  CHECK_EQ(get(slave, text, 10), 0);
  CHECK(host_monotonic_ns() - start >= 100000000);
  set_cc(VMIN, 5); /* between bytes at most VTIME */
  TYPE("xy");
  CHECK_EQ(get(slave, text, 10), 2);
  close_pair();
}

static void test_switching_to_raw_shows_the_unfinished_line(void) {
  open_pair();
  TYPE("part");
  NOTHING(slave);
  set(0, 0, ICANON, 0);
  EXPECT(slave, "part");
  TYPE("more");
  set(0, 0, 0, ICANON);
  EXPECT(slave, "more");
  close_pair();
}

static void test_flow_control_and_bounds(void) {
  open_pair();
  TYPE("\x13");
  CHECK_EQ(put(slave, "x", 1), -EAGAIN);
  CHECK(!(slave->ops->poll(slave, NULL) & POLLOUT));
  TYPE("\x11");
  CHECK_EQ(put(slave, "x", 1), 1);
  EXPECT(master, "x");
  i64 total = 0, n;
  while ((n = put(slave, text, 1000)) > 0) total += n;
  CHECK(total >= 8000 && total <= OUTPUT_BYTES);
  TYPE("e"); /* an echo still fits */
  while ((n = get(master, text, sizeof text)) > 0) total -= n;
  CHECK(slave->ops->poll(slave, NULL) & POLLOUT);
  set(0, 0, ECHO, 0);
  memset(text, 'x', sizeof text);
  CHECK_EQ(put(master, text, 10000), 10000); /* no whole line: excess is dropped */
  TYPE("\n");
  static u8 line[5000];
  CHECK_EQ(get(slave, line, sizeof line), 4096);
  CHECK_EQ(line[4095], '\n');
  TYPE("y\n");
  n = put(master, text, 10000); /* a line waits: the master is held back */
  CHECK_EQ(n, 4096 - 1 - 2);
  CHECK(!(master->ops->poll(master, NULL) & POLLOUT));
  CHECK_EQ(get(slave, text, 100), 2);
  CHECK(master->ops->poll(master, NULL) & POLLOUT);
  slave->ops->ioctl(slave, TCFLSH, TCIFLUSH);
  set(ICRNL, 0, ICANON, 0);
  CHECK_EQ(put(master, text, 10000), 4096);
  CHECK_EQ(get(slave, line, sizeof line), 4096);
  close_pair();
}

static void test_closing_the_slave_ends_the_master(void) {
  u32 index;
  i32 zero = 0;
  open_pair();
  CHECK_EQ(master->ops->poll(master, NULL) & POLLHUP, 0);
  put(slave, "bye", 3);
  ofd_put(slave);
  CHECK(master->ops->poll(master, NULL) & POLLHUP);
  EXPECT(master, "bye");
  CHECK_EQ(get(master, text, 10), -EIO);
  CHECK_EQ(master->ops->ioctl(master, TIOCGPTN, (uintptr_t)&index), 0);
  CHECK_EQ(pty_open_slave(index, O_RDWR | O_NOCTTY | O_NONBLOCK, &slave), 0);
  NOTHING(master);
  close_pair();
  for (u32 i = 0; i < MAX_PTYS; i++) { /* numbers and memory come back */
    CHECK_EQ(pty_new(&index, &master), 0);
    CHECK_EQ(index, 0);
    master->ops->ioctl(master, TIOCSPTLCK, (uintptr_t)&zero);
    ofd_put(master);
  }
}

static void test_packet_mode(void) {
  open_pair();
  i32 one = 1;
  CHECK_EQ(master->ops->ioctl(master, TIOCPKT, (uintptr_t)&one), 0);
  put(slave, "hi", 2);
  EXPECT(master, "\0hi");
  slave->ops->ioctl(slave, TCFLSH, TCIFLUSH);
  CHECK(master->ops->poll(master, NULL) & POLLPRI);
  EXPECT(master, "\x01");
  close_pair();
}

static u32 seed = 12345;
static void test_random_bytes_in_random_modes(void) { /* for the sanitizers: bounds hold whatever is typed */
  open_pair();
  for (u32 i = 0; i < 200000; i++) {
    seed = seed * 1664525 + 1013904223;
    u8 bytes[40];
    u32 n = seed >> 27;
    for (u32 k = 0; k < n; k++) bytes[k] = (u8)((seed >> (k % 24)) * (k + 1));
    if (seed % 3 == 0) put(master, bytes, n);
    if (seed % 5 == 0) put(slave, bytes, n);
    if (seed % 7 == 0) get(slave, text, 1 + seed % 5000);
    if (seed % 4 == 0) get(master, text, 1 + seed % 9000);
    if (seed % 11 == 0) {
      struct guest_termios2 t = ((struct tty *)slave->priv)->termios;
      t.c_lflag ^= 1u << (seed >> 8) % 16, t.c_iflag ^= 1u << (seed >> 13) % 15, t.c_oflag ^= 1u << (seed >> 18) % 13;
      t.c_cc[(seed >> 21) % 17] = (u8)(seed >> 3), t.c_cc[VTIME] = 0;
      slave->ops->ioctl(slave, TCSETS2, (uintptr_t)&t);
    }
  }
  close_pair();
}

int main(void) {
  current = &main_thread, tty_task_ops = &fake_ops;
  kernel_lock();
  test_a_line_is_read_when_it_ends();
  test_editing();
  test_end_of_file();
  test_signals();
  test_raw_reads();
  test_switching_to_raw_shows_the_unfinished_line();
  test_flow_control_and_bounds();
  test_closing_the_slave_ends_the_master();
  test_packet_mode();
  test_random_bytes_in_random_modes();
  printf("tty_test: %d failed\n", checks_failed);
  return checks_failed != 0;
}
