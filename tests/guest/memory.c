/* mmap(2), munmap(2), mprotect(2), mremap(2), madvise(2), msync(2), mincore(2), brk: what they do and refuse, which
 * signal a bad access gets, and that shared pages are one page for every process. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096ul
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define RW (PROT_READ | PROT_WRITE)
#define TAKE(call) ((call) == MAP_FAILED ? strerrorname(errno) : "mapped")

static const char *strerrorname(int e) {
  switch (e) {
  case 0: return "0";
  case EINVAL: return "EINVAL";
  case ENOMEM: return "ENOMEM";
  case EBADF: return "EBADF";
  case EACCES: return "EACCES";
  case ENODEV: return "ENODEV";
  case EEXIST: return "EEXIST";
  case EFAULT: return "EFAULT";
  case EOVERFLOW: return "EOVERFLOW";
  case EPERM: return "EPERM";
  default: return "other";
  }
}
static const char *result(long r) { return r == -1 ? strerrorname(errno) : "ok"; }

static sigjmp_buf back;
static volatile int fault_signo, fault_code;
static volatile uintptr_t fault_addr;
static void on_fault(int signo, siginfo_t *info, void *context) {
  (void)context;
  fault_signo = signo, fault_code = info->si_code, fault_addr = (uintptr_t)info->si_addr;
  siglongjmp(back, 1);
}
static const char *touch(volatile char *p, int write) { /* what happens at p */
  static char text[80];
  if (sigsetjmp(back, 1) == 0) {
    if (write) *p = 1;
    else (void)*p;
    return "fine";
  }
  snprintf(text, sizeof text, "signal %d code %d at the address %d", fault_signo, fault_code, fault_addr == (uintptr_t)p);
  return text;
}

static void errors(void) {
  char *volatile low = (char *)16;
  int dir = open("/", O_RDONLY), null = open("/dev/null", O_RDWR), out = open("memory.tmp", O_CREAT | O_WRONLY | O_TRUNC, 0644);
  int in = open("memory.tmp", O_RDONLY), pipes[2];
  if (pipe(pipes)) return;
  printf("length 0: %s\n", TAKE(mmap(0, 0, RW, ANON, -1, 0)));
  printf("no type: %s\n", TAKE(mmap(0, PAGE, RW, MAP_ANONYMOUS, -1, 0)));
  printf("offset: %s\n", TAKE(mmap(0, PAGE, PROT_READ, MAP_PRIVATE, in, 100)));
  printf("fixed, unaligned: %s\n", TAKE(mmap((void *)0x10001, PAGE, RW, ANON | MAP_FIXED, -1, 0)));
  printf("bad fd: %s\n", TAKE(mmap(0, PAGE, PROT_READ, MAP_PRIVATE, 999, 0)));
  printf("directory: %s\n", TAKE(mmap(0, PAGE, PROT_READ, MAP_PRIVATE, dir, 0)));
  printf("pipe: %s\n", TAKE(mmap(0, PAGE, PROT_READ, MAP_PRIVATE, pipes[0], 0)));
  printf("null device: %s\n", TAKE(mmap(0, PAGE, PROT_READ, MAP_PRIVATE, null, 0)));
  printf("write-only file: %s\n", TAKE(mmap(0, PAGE, PROT_READ, MAP_PRIVATE, out, 0)));
  printf("shared writable of a read-only file: %s\n", TAKE(mmap(0, PAGE, RW, MAP_SHARED, in, 0)));
  printf("private writable of a read-only file: %s\n", TAKE(mmap(0, PAGE, RW, MAP_PRIVATE, in, 0)));
  printf("far too long: %s\n", TAKE(mmap(0, SIZE_MAX - 10000, RW, ANON, -1, 0)));
  char *p = mmap(0, 4 * PAGE, RW, ANON, -1, 0);
  printf("noreplace: %s\n", TAKE(mmap(p, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0)));
  printf("munmap unaligned: %s\n", result(munmap(p + 1, PAGE)));
  printf("munmap length 0: %s\n", result(munmap(p, 0)));
  printf("munmap the middle: %s\n", result(munmap(p + PAGE, PAGE)));
  printf("munmap it again: %s\n", result(munmap(p + PAGE, PAGE)));
  printf("mprotect over the hole: %s\n", result(mprotect(p, 4 * PAGE, PROT_READ)));
  printf("mprotect unaligned: %s\n", result(mprotect(p + 7, PAGE, PROT_READ)));
  printf("mprotect bad prot: %s\n", result(mprotect(p, PAGE, 0x100)));
  printf("before the hole: %s\n", touch(p, 1));
  printf("madvise over the hole: %s\n", result(madvise(p, 4 * PAGE, MADV_DONTNEED)));
  printf("madvise nonsense: %s\n", result(madvise(p, PAGE, 12345)));
  printf("msync over the hole: %s\n", result(msync(p, 4 * PAGE, MS_SYNC)));
  printf("msync both: %s\n", result(msync(p, PAGE, MS_SYNC | MS_ASYNC)));
  printf("mremap of nothing: %s\n", TAKE(mremap(p + PAGE, PAGE, 2 * PAGE, MREMAP_MAYMOVE)));
  printf("mremap to length 0: %s\n", TAKE(mremap(p, PAGE, 0, MREMAP_MAYMOVE)));
  printf("mremap unaligned: %s\n", TAKE(mremap(p + 1, PAGE, PAGE, 0)));
  printf("mremap fixed without maymove: %s\n", TAKE(mremap(p, PAGE, PAGE, MREMAP_FIXED, p + 64 * PAGE)));
  unsigned char seen[4];
  printf("mincore over the hole: %s\n", result(mincore(p, 4 * PAGE, seen)));
  printf("mincore unaligned: %s\n", result(mincore(p + 1, PAGE, seen)));
  printf("mlock: %s, of a hole: %s\n", result(mlock(p + 3, 10)), result(mlock(p, 3 * PAGE)));
  printf("read(2) into a read-only page: %s\n", result(read(open("/dev/zero", O_RDONLY), p, 10)));
  printf("read(2) into nothing: %s\n", result(read(open("/dev/zero", O_RDONLY), low, 10)));
}

static void faults(void) {
  char *p = mmap(0, 4 * PAGE, PROT_NONE, ANON, -1, 0);
  printf("PROT_NONE read: %s\n", touch(p, 0));
  mprotect(p, PAGE, PROT_READ);
  printf("PROT_READ read: %s\n", touch(p, 0));
  printf("PROT_READ write: %s\n", touch(p + 5, 1));
  mprotect(p, PAGE, PROT_WRITE);
  printf("PROT_WRITE write: %s\n", touch(p, 1));
  printf("PROT_WRITE read: %s\n", touch(p, 0));
  munmap(p, 4 * PAGE);
  printf("unmapped: %s\n", touch(p + 2 * PAGE + 3, 1));
  printf("NULL: %s\n", touch(NULL, 0));
  printf("16: %s\n", touch((char *)16, 1));
  volatile uint64_t *across;
  p = mmap(0, 2 * PAGE, RW, ANON, -1, 0);
  munmap(p + PAGE, PAGE);
  across = (uint64_t *)(p + PAGE - 4);
  if (sigsetjmp(back, 1) == 0) {
    *across = 1;
    printf("crossing: fine\n");
  } else {
    printf("crossing into nothing: signal %d code %d\n", fault_signo, fault_code);
  }
  int fd = open("memory.tmp", O_RDWR | O_CREAT | O_TRUNC, 0644);
  if (write(fd, "abc", 3) != 3) return;
  p = mmap(0, 3 * PAGE, RW, MAP_SHARED, fd, 0);
  printf("behind the end, same page: %d %s\n", p[100], touch(p + 100, 0));
  printf("page behind the end: %s\n", touch(p + PAGE, 0));
  printf("page behind the end, private: %s\n", touch((char *)mmap(0, 3 * PAGE, RW, MAP_PRIVATE, fd, 0) + PAGE, 1));
  if (ftruncate(fd, 2 * PAGE)) return;
  printf("after ftruncate: %s\n", touch(p + PAGE, 1));
  if (ftruncate(fd, 10)) return;
  printf("after another: %s\n", touch(p + PAGE, 1));
}

static void files(void) {
  static char block[3 * PAGE];
  for (unsigned i = 0; i < sizeof block; i++) block[i] = (char)('a' + i / PAGE);
  int fd = open("memory.tmp", O_RDWR | O_CREAT | O_TRUNC, 0644);
  if (write(fd, block, sizeof block) != sizeof block) return;
  char *a = mmap(0, 3 * PAGE, RW, MAP_PRIVATE, fd, 0), *s = mmap(0, 3 * PAGE, RW, MAP_SHARED, fd, 0);
  char *t = mmap(0, PAGE, PROT_READ, MAP_SHARED, fd, 2 * PAGE), c = 0;
  close(fd);
  a[0] = 'P';
  s[1] = 'S', s[2 * PAGE] = 'T';
  printf("private %.3s shared %.3s second %.2s\n", a, s, t);
  fd = open("memory.tmp", O_RDWR);
  if (pread(fd, &c, 1, 1) != 1 || pwrite(fd, "W", 1, 2) != 1) return;
  printf("read sees %c, shared sees %c\n", c, s[2]);
  pid_t child = fork();
  if (child == 0) {
    a[0] = 'C', s[3] = 'C';
    _exit(a[PAGE] == 'b');
  }
  int status = 0;
  waitpid(child, &status, 0);
  printf("child: %d, private %c, shared %c\n", WEXITSTATUS(status), a[0], s[3]);
  printf("msync %s\n", result(msync(s, 3 * PAGE, MS_SYNC)));
  a[PAGE] = 'x';
  madvise(a, 3 * PAGE, MADV_DONTNEED);
  printf("after MADV_DONTNEED: %c %c\n", a[0], a[PAGE]);
  char *big = mremap(a, 3 * PAGE, 2 * PAGE, 0);
  printf("shrunk in place %d: %s\n", big == a, touch(a + 2 * PAGE, 0));
  mprotect(s, PAGE, PROT_READ);
  printf("mprotect of shared: %s\n", touch(s, 1));
  unlink("memory.tmp");
  printf("unlinked: %c\n", s[2 * PAGE]);
}

struct shared {
  _Atomic int counter, word;
  _Atomic long wide;
};
static void shared_memory(void) {
  struct shared *s = mmap(0, sizeof *s, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  for (int i = 0; i < 3; i++)
    if (fork() == 0) {
      for (int k = 0; k < 1000; k++) {
        atomic_fetch_add(&s->counter, 1);
        long seen = atomic_load(&s->wide);
        while (!atomic_compare_exchange_weak(&s->wide, &seen, seen + 3)) continue;
      }
      _exit(0);
    }
  while (wait(NULL) > 0) continue;
  printf("shared counters: %d %ld\n", s->counter, s->wide);
  pid_t child = fork();
  if (child == 0) {
    while (atomic_load(&s->word) == 0) syscall(SYS_futex, &s->word, FUTEX_WAIT, 0, NULL, NULL, 0);
    atomic_store(&s->word, 2);
    syscall(SYS_futex, &s->word, FUTEX_WAKE, 1, NULL, NULL, 0);
    _exit(9);
  }
  usleep(20000);
  atomic_store(&s->word, 1);
  syscall(SYS_futex, &s->word, FUTEX_WAKE, 1, NULL, NULL, 0);
  while (atomic_load(&s->word) == 1) syscall(SYS_futex, &s->word, FUTEX_WAIT, 1, NULL, NULL, 0);
  int status = 0;
  waitpid(child, &status, 0);
  printf("futex between processes: %d %d\n", s->word, WEXITSTATUS(status));
  char *z = mmap(0, 2 * PAGE, RW, MAP_SHARED, open("/dev/zero", O_RDWR), 0);
  if (fork() == 0) z[PAGE] = 'z', _exit(0);
  wait(NULL);
  printf("/dev/zero, shared: %c\n", z[PAGE]);
  char *again = mremap(z, 0, 2 * PAGE, MREMAP_MAYMOVE);
  printf("a second mapping: %d %c\n", again != z, again[PAGE]);
}

static void moving(void) {
  char *p = mmap(0, 16 * PAGE, RW, ANON, -1, 0);
  memset(p, 'm', 4 * PAGE);
  munmap(p + 8 * PAGE, 8 * PAGE);
  char *in_place = mremap(p, 8 * PAGE, 12 * PAGE, 0);
  printf("grown in place: %d, new bytes %d\n", in_place == p, p[11 * PAGE]);
  char *wall = mmap(p + 12 * PAGE, PAGE, RW, ANON | MAP_FIXED, -1, 0);
  printf("no room: %s\n", TAKE(mremap(p, 12 * PAGE, 20 * PAGE, 0)));
  char *moved = mremap(p, 12 * PAGE, 20 * PAGE, MREMAP_MAYMOVE);
  printf("moved: %d, %c %d, old: %s\n", moved != p, moved[3 * PAGE], moved[5 * PAGE], touch(p, 0));
  char *to = mmap(0, 8 * PAGE, RW, ANON, -1, 0);
  to[0] = 't', to[4 * PAGE] = 'k';
  char *fixed = mremap(moved, 2 * PAGE, 3 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to);
  printf("fixed: %d %c %d %c\n", fixed == to, to[PAGE], to[2 * PAGE], to[4 * PAGE]);
  printf("the rest stayed: %c, the moved part: %s\n", moved[2 * PAGE], touch(moved, 0));
  (void)wall;
}

static void break_and_advice(void) {
  char *start = sbrk(0);
  printf("sbrk grows: %d\n", sbrk(100000) == start);
  memset(start, 'h', 100000);
  printf("shrinks: %d\n", brk(start + 10) == 0 && sbrk(0) == start + 10);
  if (sbrk(100000 - 10) != start + 10) return;
  printf("grown again: %c %d\n", start[5], start[90000]);
  unsigned char seen[4] = {9, 9, 9, 9};
  char *p = mmap(0, 4 * PAGE, RW, ANON, -1, 0);
  p[PAGE] = 1;
  mincore(p, 4 * PAGE, seen);
  printf("mincore: %d%d%d%d\n", seen[0] & 1, seen[1] & 1, seen[2] & 1, seen[3] & 1);
  memset(p, 'd', 4 * PAGE);
  madvise(p + PAGE, PAGE, MADV_DONTNEED);
  printf("MADV_DONTNEED: %c %d %c\n", p[0], p[PAGE], p[2 * PAGE]);
  madvise(p, PAGE, MADV_WIPEONFORK);
  madvise(p + 2 * PAGE, PAGE, MADV_DONTFORK);
  pid_t child = fork();
  if (child == 0) {
    signal(SIGSEGV, SIG_DFL);
    if (p[0] != 0 || p[3 * PAGE] != 'd') _exit(1);
    _exit(p[2 * PAGE]);
  }
  int status = 0;
  waitpid(child, &status, 0);
  printf("after fork: wiped, not copied: signal %d\n", WTERMSIG(status));
  char *huge = mmap(0, 1ul << 30, PROT_NONE, ANON | MAP_NORESERVE, -1, 0);
  printf("1 GiB reserved: %d\n", huge != MAP_FAILED);
  mprotect(huge + (1ul << 29), PAGE, RW);
  huge[(1ul << 29) + 5] = 'g';
  printf("its middle: %c, its end: %s\n", huge[(1ul << 29) + 5], touch(huge + (1ul << 30) - 1, 0));
  munmap(huge, 1ul << 30);
  struct rlimit limit = {64ul << 20, RLIM_INFINITY};
  if (fork() == 0) {
    setrlimit(RLIMIT_AS, &limit);
    printf("RLIMIT_AS: %s\n", TAKE(mmap(0, 128ul << 20, RW, ANON, -1, 0)));
    fflush(stdout);
    _exit(0);
  }
  wait(NULL);
}

static int deep(int n) { /* a frame of a page each */
  volatile char frame[4000];
  frame[0] = (char)n;
  return n ? deep(n - 1) + frame[0] * 0 + 1 : 0;
}
static volatile int endless = 1;
static int overflow(int n) {
  volatile char frame[4000];
  frame[0] = (char)n;
  return endless ? overflow(n + 1) + frame[0] : 0;
}
static void stack(void) {
  printf("1500 pages deep: %d\n", deep(1500));
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    static char other[65536];
    stack_t alternate = {.ss_sp = other, .ss_size = sizeof other};
    sigaltstack(&alternate, NULL);
    struct sigaction act = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigaction(SIGSEGV, &act, NULL);
    if (sigsetjmp(back, 1) == 0) overflow(0);
    _exit(fault_signo == SIGSEGV ? 5 : 6);
  }
  int status = 0;
  waitpid(child, &status, 0);
  printf("stack overflow is caught on another stack: %d\n", WEXITSTATUS(status));
}

#if defined(__riscv)
static const unsigned char returns_7[] = {0x13, 0x05, 0x70, 0x00, 0x67, 0x80, 0x00, 0x00}; /* li a0,7; ret */
static const unsigned char returns_9[] = {0x13, 0x05, 0x90, 0x00, 0x67, 0x80, 0x00, 0x00};
#else
static const unsigned char returns_7[] = {0xb8, 7, 0, 0, 0, 0xc3}; /* mov eax,7; ret */
static const unsigned char returns_9[] = {0xb8, 9, 0, 0, 0, 0xc3};
#endif
static int run(char *code, const unsigned char *bytes, size_t n) {
  memcpy(code, bytes, n);
  __builtin___clear_cache(code, code + n);
  int (*f)(void);
  memcpy(&f, &code, sizeof f);
  return f();
}
static void code(void) {
  char *p = mmap(0, PAGE, RW | PROT_EXEC, ANON, -1, 0);
  int first = run(p, returns_7, sizeof returns_7);
  printf("made code: %d, changed: %d\n", first, run(p, returns_9, sizeof returns_9));
  int fd = open("memory.code", O_RDWR | O_CREAT | O_TRUNC, 0700);
  unlink("memory.code");
  if (fd < 0 || ftruncate(fd, PAGE)) return;
  char *w = mmap(0, PAGE, RW, MAP_SHARED, fd, 0), *x = mmap(0, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
  int (*f)(void);
  memcpy(&f, &x, sizeof f);
  memcpy(w, returns_7, sizeof returns_7);
  __builtin___clear_cache(x, x + 64);
  first = f();
  memcpy(w, returns_9, sizeof returns_9);
  __builtin___clear_cache(x, x + 64);
  printf("through a second mapping: %d, changed: %d\n", first, f());
  mprotect(p, PAGE, PROT_READ);
  memcpy(&f, &p, sizeof f);
  if (sigsetjmp(back, 1) == 0) printf("ran: %d\n", f());
  else printf("not executable: signal %d code %d at it %d\n", fault_signo, fault_code, fault_addr == (uintptr_t)p);
}

int main(void) {
  struct sigaction act = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
  sigaction(SIGSEGV, &act, NULL);
  sigaction(SIGBUS, &act, NULL);
  setvbuf(stdout, NULL, _IOLBF, 0);
  errors();
  faults();
  files();
  shared_memory();
  moving();
  break_and_advice();
  stack();
  code();
  return 0;
}
