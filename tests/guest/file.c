/* Bytes in files: open(2), read(2), write(2), lseek(2), pread(2), readv(2), truncate(2), fallocate(2), sendfile(2),
 * copy_file_range(2). */
#include "try.h"
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#ifndef FALLOC_FL_ZERO_RANGE
#define FALLOC_FL_ZERO_RANGE 16
#endif
#include <signal.h>

static void opening(void) {
  OPEN("a", O_RDONLY);
  OPEN("a", O_WRONLY | O_CREAT | O_EXCL, 0644);
  OPEN("a", O_WRONLY | O_CREAT | O_EXCL, 0644);
  OPEN("a", O_RDONLY | O_DIRECTORY);
  OPEN("a/", O_RDONLY);
  OPEN("a/b", O_RDONLY);
  OPEN("new/", O_WRONLY | O_CREAT, 0644);
  OPEN("a/", O_WRONLY | O_CREAT, 0644);
  OPEN("", O_RDONLY);
  OPEN(".", O_WRONLY);
  OPEN(".", O_RDONLY);
  OPEN(".", O_RDWR | O_CREAT, 0644);
  OPEN("missing/x", O_WRONLY | O_CREAT, 0644);
  OPEN("d", O_CREAT | O_DIRECTORY | O_RDONLY, 0755);
  OPEN(".", O_TMPFILE | O_RDONLY, 0600);
  char name[300];
  memset(name, 'n', sizeof name);
  name[256] = 0;
  TRY(open(name, O_RDONLY));
  static char path[5000];
  memset(path, '/', sizeof path - 1);
  TRY(open(path, O_RDONLY));
  TRY(open((char *)8, O_RDONLY));
  int fd = open("a", O_WRONLY | O_APPEND | O_NONBLOCK | O_CLOEXEC);
  SHOW("%x", fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND | O_NONBLOCK));
  SHOW("%x", fcntl(fd, F_GETFD));
  char c;
  TRY(read(fd, &c, 1));
  close(fd);
  fd = open("a", O_PATH);
  TRY(read(fd, &c, 1));
  TRY(fchmod(fd, 0600));
  TRY(lseek(fd, 0, SEEK_SET));
  struct stat st;
  TRY(fstat(fd, &st));
  close(fd);
  TRY(close(fd));
  TRY(write(fd, "x", 1));
  fd = open(".", O_RDONLY);
  TRY(read(fd, &c, 1));
  close(fd);
  fd = open("a", O_RDONLY);
  TRY(write(fd, "x", 1));
  TRY(ftruncate(fd, 0));
  close(fd);
}

static void positions(void) {
  char buf[64];
  int fd = open("p", O_RDWR | O_CREAT, 0644);
  TRY(write(fd, "0123456789", 10));
  TRY(lseek(fd, 0, SEEK_CUR));
  TRY(lseek(fd, -3, SEEK_END));
  TRY(read(fd, buf, sizeof buf));
  TRY(read(fd, buf, sizeof buf));
  TRY(lseek(fd, -1, SEEK_SET));
  TRY(lseek(fd, 0, 77));
  TRY(pread(fd, buf, 4, 2));
  printf("%.4s\n", buf);
  TRY(pwrite(fd, "XY", 2, 4));
  TRY(pread(fd, buf, 1, -1));
  TRY(lseek(fd, 20, SEEK_SET));
  TRY(write(fd, "end", 3));
  TRY(pread(fd, buf, sizeof buf, 0));
  printf("%.10s %d %d %.3s\n", buf, buf[10], buf[19], buf + 20);
  struct iovec v[3] = {{"aa", 2}, {"", 0}, {"bbb", 3}}, r[2] = {{buf, 3}, {buf + 32, 10}};
  TRY(lseek(fd, 0, SEEK_SET));
  TRY(writev(fd, v, 3));
  TRY(preadv(fd, r, 2, 1));
  printf("%.3s %.4s\n", buf, buf + 32);
  TRY(pwritev(fd, v, 3, 2));
  TRY(preadv2(fd, r, 1, -1, 0));
  TRY(lseek(fd, 0, SEEK_CUR));
  TRY(writev(fd, v, -1));
  TRY(writev(fd, v, 2000));
  v[1].iov_len = (size_t)-1;
  TRY(writev(fd, v, 3));
  TRY(write(fd, (void *)8, 4));
  TRY(read(fd, (void *)8, 4));
  TRY(read(fd, (void *)8, 0));
  int append = open("p", O_WRONLY | O_APPEND);
  TRY(lseek(append, 0, SEEK_SET));
  TRY(write(append, "tail", 4));
  TRY(lseek(append, 0, SEEK_CUR));
  TRY(pwrite(append, "more", 4, 0));
  SHOW("%ld", (long)stat_of("p").st_size);
  int left = -1;
  lseek(fd, 5, SEEK_SET);
  TRY(ioctl(fd, FIONREAD, &left));
  SHOW("%d", left);
  TRY(ioctl(fd, 0x5413, &left));
  close(append), close(fd);
}

static void holes(void) {
  int fd = open("sparse", O_RDWR | O_CREAT, 0644);
  char buf[4096], zero[4096] = {0};
  TRY(pwrite(fd, "far", 3, 5ll << 32));
  SHOW("%lld", (long long)stat_of("sparse").st_size);
  SHOW("%d", stat_of("sparse").st_blocks < 64);
  TRY(pread(fd, buf, sizeof buf, 1 << 20));
  SHOW("%d", memcmp(buf, zero, sizeof buf));
  TRY(lseek(fd, 0, SEEK_DATA) == 5ll << 32);
  TRY(lseek(fd, 0, SEEK_HOLE));
  TRY(lseek(fd, (5ll << 32) + 3, SEEK_DATA));
  TRY(lseek(fd, 5ll << 32, SEEK_HOLE) == (5ll << 32) + 3);
  TRY(ftruncate(fd, 10000));
  TRY(lseek(fd, 0, SEEK_DATA));
  memset(buf, 'z', sizeof buf);
  TRY(pwrite(fd, buf, sizeof buf, 4096));
  TRY(ftruncate(fd, 5000));
  TRY(ftruncate(fd, 9000));
  TRY(pread(fd, buf, sizeof buf, 4096));
  SHOW("%d %d %d", buf[0], buf[5000 - 4096 - 1], buf[5000 - 4096]);
  TRY(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4096, 100));
  TRY(pread(fd, buf, 200, 4096));
  SHOW("%d %d %d", buf[0], buf[99], buf[100]);
  TRY(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 4096));
  TRY(fallocate(fd, 0, 0, 20000));
  SHOW("%ld", (long)stat_of("sparse").st_size);
  TRY(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 40000));
  SHOW("%ld", (long)stat_of("sparse").st_size);
  TRY(fallocate(fd, FALLOC_FL_ZERO_RANGE, 4096 + 50, 100));
  TRY(pread(fd, buf, 200, 4096));
  SHOW("%d %d %d", buf[49], buf[149], buf[150]);
  TRY(fallocate(fd, 0, -1, 5));
  TRY(fallocate(fd, 0, 0, 0));
  TRY(ftruncate(fd, -1));
  TRY(truncate("sparse", 3));
  TRY(truncate("missing", 3));
  TRY(truncate(".", 3));
  SHOW("%ld", (long)stat_of("sparse").st_size);
  TRY(posix_fadvise(fd, 0, 0, POSIX_FADV_WILLNEED));
  TRY(posix_fadvise(fd, 0, 0, 99));
  TRY(fsync(fd));
  TRY(fdatasync(fd));
  TRY(syncfs(fd));
  TRY(readahead(fd, 0, 10));
  close(fd);
}

static void copies(void) {
  put("from", "abcdefghij");
  int in = open("from", O_RDONLY), out = open("to", O_RDWR | O_CREAT | O_TRUNC, 0644), pipes[2];
  off_t at = 2;
  TRY(sendfile(out, in, &at, 4));
  SHOW("%ld", (long)at);
  TRY(lseek(in, 0, SEEK_CUR));
  TRY(sendfile(out, in, NULL, 100));
  TRY(sendfile(out, in, NULL, 100));
  show("to");
  loff_t x = 8, y = 1;
  TRY(copy_file_range(in, &x, out, &y, 100, 0));
  SHOW("%ld %ld", (long)x, (long)y);
  show("to");
  TRY(copy_file_range(in, NULL, out, NULL, 5, 0));
  TRY(copy_file_range(in, &x, out, &y, 5, 1));
  x = 0, y = 3;
  TRY(copy_file_range(out, &x, out, &y, 5, 0));
  if (pipe(pipes)) return;
  TRY(sendfile(pipes[1], in, (at = 0, &at), 5));
  TRY(sendfile(out, pipes[0], NULL, 5));
  TRY(sendfile(in, out, NULL, 5));
  TRY(lseek(pipes[0], 0, SEEK_CUR));
  TRY(pread(pipes[0], &x, 1, 0));
  TRY(fsync(pipes[0]));
  TRY(ftruncate(pipes[0], 0));
  signal(SIGPIPE, SIG_IGN);
  close(pipes[0]);
  TRY(write(pipes[1], "x", 1));
  close(pipes[1]), close(in), close(out);
}

static void devices(void) {
  char buf[16];
  int fd = open("/dev/null", O_RDWR);
  TRY(read(fd, buf, 16));
  TRY(write(fd, buf, 16));
  close(fd);
  fd = open("/dev/zero", O_RDWR);
  memset(buf, 1, 16);
  TRY(read(fd, buf, 16));
  SHOW("%d %d", buf[0], buf[15]);
  TRY(write(fd, buf, 16));
  close(fd);
  fd = open("/dev/full", O_RDWR);
  TRY(write(fd, buf, 16));
  TRY(read(fd, buf, 16));
  close(fd);
  fd = open("/dev/urandom", O_RDONLY);
  TRY(read(fd, buf, 16));
  close(fd);
  struct stat st = stat_of("/dev/null");
  SHOW("%o %lx", st.st_mode, (unsigned long)st.st_rdev);
}

static void in_memory(void) {
  int fd = (int)syscall(SYS_memfd_create, "mem", 1);
  char buf[64];
  struct stat st;
  TRY(write(fd, "memory", 6));
  TRY(pread(fd, buf, 6, 0));
  TRY(ftruncate(fd, 100000));
  fstat(fd, &st);
  SHOW("%o %d %ld", st.st_mode, (int)st.st_nlink, (long)st.st_size);
  SHOW("%d", fcntl(fd, F_GETFD));
  char path[32];
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  ssize_t n = readlink(path, buf, sizeof buf);
  printf("%.*s\n", (int)n, buf);
  close(fd);
  TRY(syscall(SYS_memfd_create, "x", 0x1000));
  TRY(syscall(SYS_memfd_create, (char *)8, 0));
}

static int signalled;
static void note(int s) { signalled = s; }
static void limits(void) {
  signal(SIGXFSZ, note);
  struct rlimit limit = {1000, RLIM_INFINITY}, all = {RLIM_INFINITY, RLIM_INFINITY};
  int fd = open("limited", O_RDWR | O_CREAT, 0644);
  setrlimit(RLIMIT_FSIZE, &limit);
  char buf[600] = {0};
  long first = write(fd, buf, 600), second = write(fd, buf, 600), third = write(fd, buf, 600);
  int error = errno;
  setrlimit(RLIMIT_FSIZE, &all);
  printf("limit: %ld %ld %ld %s signal %d\n", first, second, third, strerror(error), signalled);
  close(fd);
  struct rlimit fds = {10, 10};
  TRY(setrlimit(RLIMIT_NOFILE, &fds));
  int last = 0;
  while ((fd = open("limited", O_RDONLY)) >= 0) last = fd;
  SHOW("%d %s", last, strerror(errno));
  TRY(open("not-made", O_WRONLY | O_CREAT, 0644));
  for (int i = 3; i <= last; i++) close(i);
  OPEN("not-made", O_RDONLY);
}

int main(void) {
  enter("file");
  opening();
  positions();
  holes();
  copies();
  devices();
  in_memory();
  limits();
  return 0;
}
