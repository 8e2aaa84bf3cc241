/* inotify(7): every event, names, cookies, one-shot, coalescing, overflow, unmounting, poll and epoll. */
#include "try.h"
#include <poll.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/xattr.h>

static int in;
static uint32_t last_cookie;

static void show_mask(uint32_t mask) {
  static const struct {
    uint32_t bit;
    const char *name;
  } bits[] = {{IN_ACCESS, "ACCESS"}, {IN_MODIFY, "MODIFY"}, {IN_ATTRIB, "ATTRIB"}, {IN_CLOSE_WRITE, "CLOSE_WRITE"},
              {IN_CLOSE_NOWRITE, "CLOSE_NOWRITE"}, {IN_OPEN, "OPEN"}, {IN_MOVED_FROM, "MOVED_FROM"}, {IN_MOVED_TO, "MOVED_TO"},
              {IN_CREATE, "CREATE"}, {IN_DELETE, "DELETE"}, {IN_DELETE_SELF, "DELETE_SELF"}, {IN_MOVE_SELF, "MOVE_SELF"},
              {IN_UNMOUNT, "UNMOUNT"}, {IN_Q_OVERFLOW, "Q_OVERFLOW"}, {IN_IGNORED, "IGNORED"}, {IN_ISDIR, "ISDIR"}};
  for (size_t i = 0; i < sizeof bits / sizeof *bits; i++)
    if (mask & bits[i].bit) printf(" %s", bits[i].name), mask &= ~bits[i].bit;
  if (mask) printf(" +%x", mask);
}

static void events(const char *what) {
  static char buf[1 << 16] __attribute__((aligned(8)));
  printf("%s:\n", what);
  for (;;) {
    ssize_t n = read(in, buf, sizeof buf);
    if (n <= 0) {
      if (errno != EAGAIN) printf("  read: %s\n", strerror(errno));
      return;
    }
    for (ssize_t at = 0; at < n;) {
      struct inotify_event *e = (struct inotify_event *)(buf + at);
      printf("  %d", e->wd);
      show_mask(e->mask);
      if (e->len) printf(" [%s] %u", e->name, e->len);
      if (e->cookie) printf(" cookie %s", e->cookie == last_cookie ? "same" : "new");
      if (e->cookie) last_cookie = e->cookie;
      printf("\n");
      at += (ssize_t)sizeof *e + e->len;
    }
  }
}

static void basics(void) {
  mkdir("d", 0755);
  put("d/old", "old");
  TRY(inotify_add_watch(in, "d", IN_ALL_EVENTS));
  TRY(inotify_add_watch(in, "d/old", IN_ALL_EVENTS));
  int fd = open("d/new", O_RDWR | O_CREAT, 0644);
  TRY(write(fd, "abc", 3));
  TRY(write(fd, "abc", 3));
  char c[4];
  TRY(pread(fd, c, 2, 0));
  TRY(pread(fd, c, 0, 0));
  TRY(read(fd, c, 4));
  TRY(ftruncate(fd, 1));
  TRY(fchmod(fd, 0600));
  TRY(close(fd));
  events("a new file");
  fd = open("d/old", O_RDONLY);
  read(fd, c, 1);
  int copy = dup(fd);
  close(fd);
  events("read, one of two closed");
  close(copy);
  events("closed");
  close(open("d/old", O_WRONLY | O_TRUNC));
  events("truncated at open");
  close(open("d/old", O_PATH));
  events("O_PATH");
  TRY(chmod("d/old", 0640));
  TRY(chown("d/old", 0, 0));
  TRY(utimensat(AT_FDCWD, "d/old", NULL, 0));
  struct timespec one[2] = {{1, 0}, {0, UTIME_OMIT}}, other[2] = {{0, UTIME_OMIT}, {1, 0}};
  TRY(utimensat(AT_FDCWD, "d/old", one, 0));
  TRY(utimensat(AT_FDCWD, "d/old", other, 0));
  TRY(truncate("d/old", 2));
  events("attributes");
  TRY(mkdir("d/sub", 0755));
  TRY(symlink("old", "d/soft"));
  TRY(link("d/old", "d/hard"));
  TRY(mkfifo("d/fifo", 0600));
  events("more names");
  DIR *dir = opendir("d");
  while (readdir(dir)) continue;
  closedir(dir);
  dir = opendir("d/sub");
  closedir(dir);
  events("directories");
  TRY(access("d/old", R_OK));
  struct stat st;
  TRY(stat("d/old", &st));
  TRY(readlink("d/soft", c, 4));
  events("looks");
}

static void moves(void) {
  TRY(mkdir("e", 0755));
  TRY(inotify_add_watch(in, "e", IN_MOVE | IN_CREATE | IN_DELETE));
  TRY(rename("d/new", "d/newer"));
  events("within");
  TRY(rename("d/newer", "e/newer"));
  events("across");
  TRY(rename("d/old", "e/old"));
  events("a watched file");
  put("d/x", "x");
  put("d/y", "y");
  events("two files");
  TRY(inotify_add_watch(in, "d/y", IN_ALL_EVENTS));
  TRY(rename("d/x", "d/y"));
  events("over a watched one");
  TRY(rename("d/sub", "e/sub"));
  events("a directory");
  TRY(syscall(SYS_renameat2, AT_FDCWD, "d/y", AT_FDCWD, "e/old", 2)); /* RENAME_EXCHANGE */
  events("exchange");
  TRY(rename("e/old", "outside"));
  events("out of sight");
  TRY(rename("outside", "d/back"));
  events("back");
}

static void ends(void) {
  put("victim", "v");
  int wd = inotify_add_watch(in, "victim", IN_ALL_EVENTS);
  TRY(link("victim", "second"));
  TRY(unlink("victim"));
  events("one of two links");
  int fd = open("second", O_RDONLY);
  TRY(unlink("second"));
  events("the last link, still open");
  close(fd);
  events("closed");
  TRY(inotify_rm_watch(in, wd));
  TRY(mkdir("gone", 0755));
  TRY(inotify_add_watch(in, "gone", IN_DELETE_SELF | IN_CREATE | IN_DELETE));
  TRY(mkdir("gone/inner", 0755));
  TRY(inotify_add_watch(in, "gone/inner", IN_ALL_EVENTS));
  TRY(rmdir("gone/inner"));
  TRY(rmdir("gone"));
  events("directories removed");
  put("f", "f");
  wd = inotify_add_watch(in, "f", IN_OPEN);
  TRY(inotify_rm_watch(in, wd));
  TRY(inotify_rm_watch(in, wd));
  TRY(inotify_rm_watch(in, -1));
  events("removed by hand");
}

static void flags(void) {
  TRY(inotify_add_watch(in, "f", IN_OPEN | IN_ONESHOT));
  show("f");
  show("f");
  events("one shot");
  int wd = inotify_add_watch(in, "f", IN_OPEN);
  TRY(inotify_add_watch(in, "f", IN_CLOSE_NOWRITE | IN_MASK_ADD) == wd);
  show("f");
  events("mask added");
  TRY(inotify_add_watch(in, "f", IN_ACCESS) == wd);
  show("f");
  events("mask replaced");
  TRY(inotify_add_watch(in, "f", IN_OPEN | IN_MASK_CREATE));
  TRY(inotify_add_watch(in, "f", IN_OPEN | IN_MASK_CREATE | IN_MASK_ADD));
  TRY(inotify_add_watch(in, "f", IN_OPEN | IN_ONLYDIR));
  TRY(inotify_add_watch(in, "f", 0));
  TRY(inotify_add_watch(in, "missing", IN_OPEN));
  TRY(inotify_add_watch(99, "f", IN_OPEN));
  TRY(inotify_add_watch(1, "f", IN_OPEN));
  TRY(inotify_rm_watch(1, 1));
  TRY(inotify_rm_watch(99, 1));
  TRY(inotify_init1(~0));
  TRY(symlink("f", "to-f"));
  TRY(inotify_add_watch(in, "to-f", IN_ALL_EVENTS | IN_DONT_FOLLOW) != wd);
  TRY(unlink("to-f"));
  events("a link itself");
  mkdir("x", 0755);
  put("x/a", "a");
  int excl = inotify_add_watch(in, "x", IN_ALL_EVENTS | IN_EXCL_UNLINK);
  int fd = open("x/a", O_RDWR);
  TRY(unlink("x/a"));
  TRY(write(fd, "b", 1));
  close(fd);
  events("of an unlinked child");
  TRY(inotify_rm_watch(in, excl));
  fd = inotify_init1(IN_NONBLOCK);
  TRY(inotify_add_watch(fd, "f", IN_OPEN));
  show("f");
  char small[16];
  TRY(read(fd, small, 15));
  TRY(read(fd, small, 16));
  TRY(read(fd, small, 16));
  TRY(inotify_add_watch(fd, "x", IN_CREATE));
  put("x/name", "");
  TRY(read(fd, small, 16));
  int bytes = -1;
  TRY(ioctl(fd, FIONREAD, &bytes));
  SHOW("%d", bytes);
  TRY(write(fd, small, 1));
  TRY(lseek(fd, 0, SEEK_SET));
  close(fd);
}

static void waits(void) {
  puts("waiting");
  int fd = inotify_init1(0), ep = epoll_create1(0);
  TRY(inotify_add_watch(fd, "f", IN_ATTRIB));
  struct pollfd p = {fd, POLLIN | POLLOUT, 0};
  TRY(poll(&p, 1, 0));
  struct epoll_event e = {.events = EPOLLIN | EPOLLET};
  TRY(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e));
  TRY(epoll_wait(ep, &e, 1, 0));
  pid_t child = fork();
  if (!child) {
    usleep(50000);
    _exit(chmod("f", 0600));
  }
  struct inotify_event event;
  TRY(read(fd, &event, sizeof event));
  printf("woken:");
  show_mask(event.mask);
  printf("\n");
  waitpid(child, NULL, 0);
  chmod("f", 0644);
  TRY(epoll_wait(ep, &e, 1, 1000));
  TRY(epoll_wait(ep, &e, 1, 0));
  p.revents = 0;
  TRY(poll(&p, 1, 0));
  SHOW("%x", (unsigned)p.revents);
  close(fd), close(ep);
}

static void overflow(void) {
  int fd = inotify_init1(IN_NONBLOCK), n = 0, most = 0, lost = 0;
  FILE *f = fopen("/proc/sys/fs/inotify/max_queued_events", "r");
  if (!f || fscanf(f, "%d", &most) != 1) most = 0;
  if (f) fclose(f);
  TRY(inotify_add_watch(fd, "x", IN_OPEN | IN_CLOSE_NOWRITE));
  for (int i = 0; i < most; i++) close(open("x/name", O_RDONLY));
  char one[sizeof(struct inotify_event) + 16] __attribute__((aligned(8)));
  const struct inotify_event *e = (const struct inotify_event *)one;
  ssize_t got;
  while ((got = read(fd, one, sizeof one)) > 0) n += got == sizeof one, lost += e->mask == IN_Q_OVERFLOW && e->wd == -1;
  printf("queue: all that fit %d, overflow %d\n", n == most, lost);
  put("x/name", "");
  close(open("x/name", O_RDONLY));
  TRY(read(fd, one, sizeof one));
  close(fd);
}

static void unmounting(void) {
  mkdir("m", 0755);
  TRY(mount("none", "m", "tmpfs", 0, NULL));
  put("m/f", "f");
  TRY(inotify_add_watch(in, "m", IN_ALL_EVENTS) > 0);
  TRY(inotify_add_watch(in, "m/f", IN_OPEN) > 0);
  TRY(setxattr("m/f", "trusted.a", "1", 1, 0));
  TRY(removexattr("m/f", "trusted.a"));
  events("xattr");
  TRY(umount("m"));
  int unmounts = 0, ignored = 0;
  char buf[4096] __attribute__((aligned(8)));
  ssize_t n = read(in, buf, sizeof buf);
  for (ssize_t at = 0; at < n;) {
    struct inotify_event *e = (struct inotify_event *)(buf + at);
    unmounts += (e->mask & IN_UNMOUNT) != 0, ignored += (e->mask & IN_IGNORED) != 0;
    at += (ssize_t)sizeof *e + e->len;
  }
  printf("unmounted %d ignored %d\n", unmounts, ignored);
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  unshare(CLONE_NEWNS);
  mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
  in = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  basics();
  moves();
  ends();
  flags();
  waits();
  overflow();
  unmounting();
  return 0;
}
