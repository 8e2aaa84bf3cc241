/* memfd_create(2) and the seals of fcntl(2); leases where a file system has none to give. */
#include "try.h"
#include <sys/mman.h>

#define ADD 1033
#define GET 1034
static int make(unsigned flags) { return (int)syscall(SYS_memfd_create, "box", flags); }
static int sealed(int seals) {
  int fd = make(2);
  if (write(fd, "0123456789", 10) != 10) printf("write\n");
  if (seals) TRY(fcntl(fd, ADD, seals));
  return fd;
}
static void *map(int fd, int prot, int flags) {
  void *p = mmap(NULL, 4096, prot, flags, fd, 0);
  printf("map %d %d: %s\n", prot, flags, p == MAP_FAILED ? strerror(errno) : "ok");
  return p == MAP_FAILED ? NULL : p;
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  int fd = make(0);
  TRY(fcntl(fd, GET));
  TRY(fcntl(fd, ADD, 2));
  close(fd);
  fd = make(2);
  TRY(fcntl(fd, GET));
  struct stat st;
  fstat(fd, &st);
  SHOW("%o", st.st_mode);
  TRY(fcntl(fd, ADD, 0x1000));
  char way[64];
  snprintf(way, sizeof way, "/proc/self/fd/%d", fd);
  int reader = open(way, O_RDONLY);
  TRY(fcntl(reader, ADD, 1));
  TRY(fcntl(reader, GET));
  close(reader), close(fd);

  puts("-- SHRINK");
  fd = sealed(2);
  TRY(ftruncate(fd, 5));
  TRY(ftruncate(fd, 10));
  TRY(ftruncate(fd, 20));
  TRY(fcntl(fd, GET));
  reader = open(way, O_RDWR | O_TRUNC);
  printf("O_TRUNC: %s\n", reader < 0 ? strerror(errno) : "ok");
  close(fd);

  puts("-- GROW");
  fd = sealed(4);
  TRY(ftruncate(fd, 20));
  TRY(ftruncate(fd, 5));
  TRY(pwrite(fd, "ab", 2, 3));
  TRY(pwrite(fd, "ab", 2, 4));
  TRY(fallocate(fd, 0, 0, 100));
  close(fd);

  puts("-- WRITE");
  fd = sealed(0);
  char *p = map(fd, PROT_READ | PROT_WRITE, MAP_SHARED);
  TRY(fcntl(fd, ADD, 8));
  p[0] = 'x';
  munmap(p, 4096);
  char *private = map(fd, PROT_READ | PROT_WRITE, MAP_PRIVATE);
  TRY(fcntl(fd, ADD, 8));
  private[0] = 'p';
  TRY(pwrite(fd, "ab", 2, 0));
  TRY(fallocate(fd, 3, 0, 4096));
  map(fd, PROT_READ | PROT_WRITE, MAP_SHARED);
  map(fd, PROT_READ | PROT_WRITE, MAP_PRIVATE);
  p = map(fd, PROT_READ, MAP_SHARED);
  printf("%c %c\n", p[0], private[0]);
  printf("mprotect: %s\n", mprotect(p, 4096, PROT_READ | PROT_WRITE) ? strerror(errno) : "ok");
  TRY(ftruncate(fd, 3));
  TRY(fcntl(fd, ADD, 1));
  TRY(fcntl(fd, ADD, 4));
  TRY(fcntl(fd, GET));
  close(fd);

  puts("-- FUTURE_WRITE");
  fd = sealed(0);
  p = map(fd, PROT_READ | PROT_WRITE, MAP_SHARED);
  TRY(fcntl(fd, ADD, 16));
  p[1] = 'y';
  TRY(pwrite(fd, "ab", 2, 0));
  map(fd, PROT_READ | PROT_WRITE, MAP_SHARED);
  char c;
  TRY(pread(fd, &c, 1, 1));
  printf("%c\n", c);
  close(fd);

  puts("-- not to be executed");
  fd = make(8);
  TRY(fcntl(fd, GET));
  fstat(fd, &st);
  SHOW("%o", st.st_mode);
  TRY(fchmod(fd, 0700));
  TRY(fchmod(fd, 0600));
  close(fd);
  TRY(make(8 | 16));
  TRY(make(0x100));

  puts("-- other files");
  put("f", "f");
  fd = open("f", O_RDWR);
  TRY(fcntl(fd, F_GETLEASE));
  TRY(fcntl(fd, F_SETLEASE, F_UNLCK));
  TRY(fcntl(fd, F_SETLEASE, 77));
  close(fd);
  fd = open("/proc/self/stat", O_RDONLY);
  TRY(fcntl(fd, GET));
  close(fd);
  return 0;
}
