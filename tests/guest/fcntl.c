/* Descriptors: dup(2), dup3(2), fcntl(2), close_range(2), flock(2), record locks. */
#include "try.h"
#include <limits.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC 4
#endif
#define close_range_(first, last, flags) syscall(SYS_close_range, first, last, flags)

static void duplicates(void) {
  put("f", "0123456789");
  int fd = open("f", O_RDWR);
  TRY(dup(fd) - fd);
  int other = fd + 1;
  char c;
  TRY(read(fd, &c, 1));
  TRY(lseek(other, 0, SEEK_CUR));
  TRY(dup2(fd, fd) - fd);
  TRY(dup2(fd, 20));
  TRY(dup2(99, 20));
  TRY(dup2(fd, -1));
  TRY(dup2(fd, 10000000));
  TRY(dup3(fd, fd, 0));
  TRY(dup3(fd, 21, O_CLOEXEC));
  TRY(dup3(fd, 22, O_APPEND));
  TRY(fcntl(21, F_GETFD));
  TRY(fcntl(20, F_GETFD));
  TRY(fcntl(fd, F_DUPFD, 50));
  TRY(fcntl(fd, F_DUPFD, 50));
  TRY(fcntl(fd, F_DUPFD_CLOEXEC, 50));
  TRY(fcntl(52, F_GETFD));
  TRY(fcntl(fd, F_DUPFD, -1));
  TRY(fcntl(fd, F_DUPFD, 10000000));
  TRY(fcntl(fd, F_SETFD, FD_CLOEXEC));
  TRY(fcntl(fd, F_GETFD));
  TRY(ioctl(fd, FIONCLEX));
  TRY(fcntl(fd, F_GETFD));
  TRY(fcntl(fd, F_SETFL, O_APPEND | O_NONBLOCK | O_WRONLY | O_CREAT));
  SHOW("%x", fcntl(other, F_GETFL) & ~0x8000);
  TRY(write(fd, "tail", 4));
  SHOW("%ld", (long)lseek(other, 0, SEEK_CUR));
  int off = 0;
  TRY(ioctl(fd, FIONBIO, &off));
  SHOW("%x", fcntl(other, F_GETFL) & ~0x8000);
  TRY(fcntl(99, F_GETFL));
  TRY(fcntl(fd, 9999));
  TRY(fcntl(fd, F_GETOWN));
  TRY(fcntl(fd, F_SETOWN, getpid()));
  SHOW("%d", fcntl(fd, F_GETOWN) == getpid());
  TRY(fcntl(fd, F_GETPIPE_SZ));
  TRY(close_range_(50, 51, 0));
  TRY(fcntl(51, F_GETFD));
  TRY(fcntl(52, F_GETFD));
  TRY(close_range_(20, 20, CLOSE_RANGE_CLOEXEC));
  TRY(fcntl(20, F_GETFD));
  TRY(close_range_(5, 4, 0));
  TRY(close_range_(0, 4, 99));
  TRY(close_range_(fd, ~0u, 0));
  TRY(fcntl(fd, F_GETFD));
  int p[2];
  TRY(pipe2(p, O_NONBLOCK | O_CLOEXEC));
  TRY(fcntl(p[0], F_GETPIPE_SZ));
  TRY(fcntl(p[0], F_SETPIPE_SZ, 100000));
  TRY(fcntl(p[1], F_GETPIPE_SZ));
  SHOW("%x %x %d", fcntl(p[0], F_GETFL), fcntl(p[1], F_GETFL), fcntl(p[0], F_GETFD));
  close(p[0]), close(p[1]);
}

static struct flock lock_of(short type, off_t start, off_t len) {
  return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len};
}
static void ask(int fd, short type, off_t start, off_t len) {
  struct flock l = lock_of(type, start, len);
  if (fcntl(fd, F_GETLK, &l)) {
    printf("getlk: %s\n", strerror(errno));
    return;
  }
  printf("getlk %d %ld %ld: type %d start %ld len %ld by parent %d\n", type, (long)start, (long)len, l.l_type, (long)l.l_start,
         (long)l.l_len, l.l_type != F_UNLCK && l.l_pid == getppid());
}
static int set(int fd, short type, off_t start, off_t len) {
  struct flock l = lock_of(type, start, len);
  return fcntl(fd, F_SETLK, &l);
}

static void record_locks(void) {
  int fd = open("f", O_RDWR), down[2], up[2];
  if (pipe(down) || pipe(up)) return;
  TRY(set(fd, F_WRLCK, 10, 10));
  TRY(set(fd, F_RDLCK, 20, 10));
  TRY(set(fd, F_UNLCK, 14, 2));
  pid_t child = fork();
  if (!child) {
    char c;
    ask(fd, F_WRLCK, 0, 0);
    ask(fd, F_RDLCK, 14, 2);
    ask(fd, F_RDLCK, 16, 100);
    ask(fd, F_RDLCK, 20, 10);
    TRY(set(fd, F_RDLCK, 20, 10));
    TRY(set(fd, F_WRLCK, 20, 10));
    TRY(set(fd, F_WRLCK, 0, 10));
    struct flock l = lock_of(F_WRLCK, 16, 4);
    if (write(up[1], "x", 1) != 1) _exit(1);
    TRY(fcntl(fd, F_SETLKW, &l)); /* the parent closes another descriptor of the file */
    ask(fd, F_WRLCK, 0, 0);
    l = lock_of(F_WRLCK, 5, -3);
    TRY(fcntl(fd, F_SETLK, &l));
    l.l_type = 99;
    TRY(fcntl(fd, F_SETLK, &l));
    l = lock_of(F_RDLCK, -5, 1);
    TRY(fcntl(fd, F_SETLK, &l));
    int ro = open("f", O_RDONLY);
    TRY(set(ro, F_WRLCK, 100, 1));
    TRY(set(ro, F_RDLCK, 100, 1));
    /* a circle of waits: the parent waits for 16, we ask for 200 */
    if (write(up[1], "x", 1) != 1 || read(down[0], &c, 1) != 1) _exit(1);
    usleep(100000);
    l = lock_of(F_WRLCK, 200, 1);
    TRY(fcntl(fd, F_SETLKW, &l));
    _exit(0);
  }
  char c;
  if (read(up[0], &c, 1) != 1) return;
  usleep(50000);
  close(open("f", O_RDONLY)); /* drops all our locks */
  if (read(up[0], &c, 1) != 1) return;
  if (set(fd, F_WRLCK, 200, 1)) puts("parent: 200 is taken");
  struct flock l = lock_of(F_WRLCK, 16, 1);
  if (write(down[1], "x", 1) != 1) return;
  int r = fcntl(fd, F_SETLKW, &l); /* until the child ends */
  int status;
  waitpid(child, &status, 0);
  printf("parent got 16: %d, child %d\n", r, status);
  close(fd), close(down[0]), close(down[1]), close(up[0]), close(up[1]);
}

static void description_locks(void) {
  int a = open("f", O_RDWR), b = open("f", O_RDWR);
  struct flock l = lock_of(F_WRLCK, 0, 10);
  TRY(fcntl(a, F_OFD_SETLK, &l));
  TRY(fcntl(b, F_OFD_SETLK, &l));
  TRY(fcntl(b, F_OFD_GETLK, &l));
  SHOW("%d %d", l.l_type, l.l_pid);
  l = lock_of(F_WRLCK, 0, 10);
  int c = dup(a);
  close(a);
  TRY(fcntl(b, F_OFD_SETLK, &l));
  close(c);
  TRY(fcntl(b, F_OFD_SETLK, &l));
  l.l_pid = 5;
  TRY(fcntl(b, F_OFD_SETLK, &l));
  close(b);
}

static void whole_file_locks(void) {
  int a = open("f", O_RDONLY), b = open("f", O_RDONLY);
  TRY(flock(a, LOCK_EX | LOCK_NB));
  TRY(flock(b, LOCK_SH | LOCK_NB));
  TRY(flock(a, LOCK_SH | LOCK_NB));
  TRY(flock(b, LOCK_SH | LOCK_NB));
  TRY(flock(a, LOCK_EX | LOCK_NB));
  TRY(flock(b, LOCK_UN));
  TRY(flock(a, LOCK_EX | LOCK_NB));
  TRY(flock(a, 99));
  TRY(flock(99, LOCK_SH));
  pid_t child = fork();
  if (!child) {
    usleep(50000);
    close(a);
    _exit(0);
  }
  close(a); /* the child's copy keeps the lock until it goes */
  TRY(flock(b, LOCK_EX | LOCK_NB));
  TRY(flock(b, LOCK_EX));
  waitpid(child, NULL, 0);
  close(b);
}

static void resolve(void) {
  struct {
    uint64_t flags, mode, resolve;
  } how = {O_RDONLY, 0, 0};
  char path[64];
  mkdir("in", 0755);
  put("in/f", "f");
  if (symlink("f", "in/l") || symlink("../f", "in/up") || symlink("/f", "in/abs")) return;
  int at = open("in", O_RDONLY | O_DIRECTORY), magic = open("f", O_RDONLY);
#define OPENAT2(dir, name, r)                                                                                            \
  do {                                                                                                                   \
    how.resolve = r;                                                                                                     \
    int fd_ = (int)syscall(SYS_openat2, dir, name, &how, sizeof how);                                                    \
    printf("openat2 %s %s: %s\n", name, #r, fd_ < 0 ? strerror(errno) : "ok");                                           \
    if (fd_ >= 0) close(fd_);                                                                                            \
  } while (0)
  OPENAT2(at, "f", 0);
  OPENAT2(at, "up", 8);
  OPENAT2(at, "../f", 8);
  OPENAT2(at, "f", 8);
  OPENAT2(at, "/f", 8);
  OPENAT2(at, "l", 4);
  OPENAT2(at, "l", 8);
  OPENAT2(at, "abs", 16);
  OPENAT2(at, "abs", 8);
  OPENAT2(at, "up", 16);
  OPENAT2(at, "/f", 16);
  OPENAT2(at, "f", 24);
  OPENAT2(at, "f", 1 << 20);
  snprintf(path, sizeof path, "/proc/self/fd/%d", magic);
  int fd = (how.resolve = 2, (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how));
  SHOW("%s", fd < 0 ? strerror(errno) : "ok");
  how.mode = 0644, how.resolve = 0;
  TRY(syscall(SYS_openat2, at, "f", &how, sizeof how));
  how.mode = 0;
  TRY(syscall(SYS_openat2, at, "f", &how, 8));
  how.flags = 1ull << 40;
  TRY(syscall(SYS_openat2, at, "f", &how, sizeof how));
  close(at), close(magic);
}

int main(void) {
  enter("fcntl");
  duplicates();
  record_locks();
  description_locks();
  whole_file_locks();
  resolve();
  return 0;
}
