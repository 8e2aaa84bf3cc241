/* Random system calls with random arguments from four threads at a time: the kernel must answer each, and end a process
 * only for what the process did. Guest program for the native kernel; syscall_table.h is generated from the ABI tables.
 * usage: syscall_fuzz CALLS SEED. Prints "total N succeeded N", then "never NAME" for each call that never succeeded.
 *
 * Rounds: a child with four threads makes calls until it has made its share, dies of one, or the parent's patience ends.
 * What it may do to others is bounded: its own process group, no kill(-1), no unmapping of the program's own memory. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "syscall_table.h" /* struct row { long nr; const char *name; int count; enum kind kinds[6]; } rows[]; enum kind */

#define THREADS 4
#define ROUND_CALLS 6000
#define ROUND_MS 1500
#define ARENA (64 * 4096)

static struct {
  uint64_t calls[512], ok[512], total;
  uint64_t rounds, killed, timed_out;
} *shared;
static const char *self;
static int fds[40], fd_count;
static char *arena, *hole, *read_only;

struct rng {
  uint64_t s;
};
static uint64_t next(struct rng *r) { return r->s ^= r->s << 13, r->s ^= r->s >> 7, r->s ^= r->s << 17; }
static unsigned below(struct rng *r, unsigned n) { return (unsigned)((next(r) >> 11) % n); }

/* ---- arguments ---- */
struct scratch {
  char bytes[8192];
  struct iovec iov[8];
  struct timespec times[4];
  char text[256];
};
static const char *const paths[] = {"f", "d", "d/g", "l", ".", "..", "/dev/null", "/dev/zero", "/proc/self/status", "/proc/self/maps",
                                    "missing", "d/new", "x", "fifo", "", "/", "/tmp", "/dev/ptmx", "/proc/self/fd/0", "d/sub"};
static const char *const names[] = {"user.a", "trusted.b", "security.c", "bad", "user."};

static long any_fd(struct rng *r) {
  unsigned k = below(r, 20);
  if (k < 16) return fds[below(r, (unsigned)fd_count)];
  return k == 16 ? -1 : k == 17 ? AT_FDCWD : k == 18 ? 999 : (long)below(r, 64);
}
static long bad_pointer(struct rng *r) {
  switch (below(r, 7)) {
  case 0: return 0;
  case 1: return 8;
  case 2: return (long)hole;
  case 3: return (long)(hole - 1 - below(r, 16)); /* over the edge */
  case 4: return (long)read_only + below(r, 4096);
  case 5: return -1 - (long)below(r, 8192);
  default: return (long)next(r);
  }
}
static long pointer(struct rng *r, struct scratch *s) {
  if (!below(r, 6)) return bad_pointer(r);
  switch (below(r, 5)) {
  case 0: memset(s->bytes, 0, 512); break;
  case 1:
    for (int i = 0; i < 64; i++) ((int *)(void *)s->bytes)[i] = (int)below(r, 8);
    break;
  case 2:
    for (int i = 0; i < 64; i++) ((long *)(void *)s->bytes)[i] = (long)below(r, 128);
    break;
  case 3:
    for (int i = 0; i < 64; i++) ((uint64_t *)(void *)s->bytes)[i] = next(r);
    break;
  default: break; /* what the last call left */
  }
  return (long)s->bytes + (below(r, 4) ? 0 : (long)below(r, 64));
}
static long size_of(struct rng *r) {
  switch (below(r, 8)) {
  case 0: return 0;
  case 1: return (long)below(r, 16);
  case 2: return 4096;
  case 3: return 8;
  case 4: return -1;
  case 5: return 1l << below(r, 40);
  default: return (long)below(r, 300);
  }
}
static long flag_bits(struct rng *r) {
  switch (below(r, 5)) {
  case 0:
  case 1: return 0;
  case 2: return 1l << below(r, 32);
  case 3: return (long)below(r, 4);
  default: return (long)(uint32_t)next(r);
  }
}
static long number(struct rng *r) {
  unsigned k = below(r, 10);
  return k < 7 ? (long)below(r, 40) : k == 7 ? -1 : k == 8 ? (long)(int)next(r) : 0;
}
static long address(struct rng *r) {
  return below(r, 8) ? (long)arena + (long)below(r, 64) * 4096 : (long)below(r, 16) * 4096 + 5;
}

static long argument(struct rng *r, struct scratch *s, enum kind k) {
  switch (k) {
  case KIND_fd: return any_fd(r);
  case KIND_cstr:
    if (!below(r, 12)) return bad_pointer(r);
    return below(r, 5) ? (long)paths[below(r, sizeof paths / sizeof *paths)] : (long)names[below(r, 5)];
  case KIND_size: return size_of(r);
  case KIND_flags: return flag_bits(r);
  case KIND_mode: return (long)below(r, 0x1000);
  case KIND_pid: return below(r, 3) ? 0 : below(r, 2) ? getpid() : 99999;
  case KIND_signo: {
    static const int mild[] = {0, SIGUSR1, SIGURG, SIGCONT, SIGWINCH, SIGUSR2, SIGCHLD, 34, 40};
    return below(r, 40) ? mild[below(r, sizeof mild / sizeof *mild)] : (long)below(r, 70);
  }
  case KIND_iovec: {
    if (!below(r, 10)) return bad_pointer(r);
    for (int i = 0; i < 8; i++) s->iov[i] = (struct iovec){below(r, 10) ? s->bytes : (void *)bad_pointer(r), (size_t)below(r, 600)};
    return (long)s->iov;
  }
  case KIND_time: {
    if (!below(r, 10)) return bad_pointer(r);
    for (int i = 0; i < 4; i++) s->times[i] = (struct timespec){0, below(r, 10) ? (long)below(r, 200000) : (long)next(r)};
    return (long)s->times;
  }
  case KIND_off: return below(r, 4) ? (long)below(r, 20000) : size_of(r);
  case KIND_address: return address(r);
  case KIND_ptr: return pointer(r, s);
  default: return number(r);
  }
}

/* ---- calls that random arguments hardly ever get right ---- */
static const struct timespec brief = {0, 100000}, brief_absolute = {1, 0};
static int tids[THREADS];
static uint32_t other_word;
static int special[8]; /* epoll, inotify, timerfd, a connected pair, a socket */
static long any_epoll(void) { return special[0]; }
static long of_kind(const char *name) { return special[name[0] == 'i' ? 1 : name[0] == 't' ? 2 : 5]; }
static long pair_end(int n) { return special[3 + n]; }
static long fresh(struct rng *r, struct scratch *s) {
  snprintf(s->text, sizeof s->text, "n%u", below(r, 12));
  return (long)s->text;
}
static long unix_name(struct rng *r, struct scratch *s) {
  struct sockaddr_un *a = (struct sockaddr_un *)(void *)(s->bytes + 2048);
  memset(a, 0, sizeof *a);
  a->sun_family = AF_UNIX;
  snprintf(a->sun_path + 1, 8, "u%03u", below(r, 50));
  return (long)a;
}
static long listener(struct rng *r, struct scratch *s) {
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
  bind(fd, (struct sockaddr *)unix_name(r, s), 8);
  listen(fd, 5);
  return fd;
}
static long waiting(struct rng *r, struct scratch *s) { /* a listener with somebody to accept */
  long fd = listener(r, s);
  int client = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
  connect(client, (struct sockaddr *)(s->bytes + 2048), 8);
  return fd;
}
static long message(struct scratch *s) {
  struct mmsghdr *m = (struct mmsghdr *)(void *)(s->bytes + 3072);
  memset(m, 0, sizeof *m);
  s->iov[0] = (struct iovec){s->bytes, 16};
  m->msg_hdr.msg_iov = s->iov, m->msg_hdr.msg_iovlen = 1;
  return (long)m;
}
static long queue(void) { return syscall(SYS_mq_open, "queue", O_RDWR | O_CREAT | O_NONBLOCK, 0600, 0); }
static long queue_with(int messages, struct scratch *s) {
  long q = syscall(SYS_msgget, IPC_PRIVATE, 0600 | IPC_CREAT);
  *(long *)(void *)s->bytes = 1;
  if (messages) syscall(SYS_msgsnd, q, s->bytes, 8, IPC_NOWAIT);
  return q;
}
#define SET(...) \
  do { \
    const long v_[] = {__VA_ARGS__}; \
    memcpy(a, v_, sizeof v_); \
    return; \
  } while (0)
static void recipe(long nr, struct rng *r, struct scratch *s, long *a) {
  long p = (long)s->bytes, *words = (long *)(void *)s->bytes;
  int *ints = (int *)(void *)s->bytes;
  switch (nr) {
#include "syscall_recipes.h"
  default: return;
  }
}

static void nothing(int n) { (void)n; }
/* They end or replace the caller, or want one that is no leader: a child of its own makes the call. */
static int wants_child(long nr) {
  return nr == SYS_exit || nr == SYS_exit_group || nr == SYS_rt_sigreturn || nr == SYS_execve || nr == SYS_execveat || nr == SYS_setsid;
}
static int by_child(long nr) {
  pid_t p = fork();
  if (!p) {
    char *const argv[] = {(char *)(uintptr_t)self, (char *)(uintptr_t) "0", NULL};
    if (nr == SYS_execve) syscall(nr, self, argv, NULL);
    else if (nr == SYS_execveat) syscall(nr, AT_FDCWD, self, argv, NULL, 0);
    else if (nr == SYS_setsid && syscall(nr) > 0) _exit(0);
    else if (nr == SYS_rt_sigreturn) { /* what a handler returns by */
      signal(SIGUSR2, nothing);
      raise(SIGUSR2);
      _exit(0);
    } else syscall(nr, 0);
    _exit(1);
  }
  int status = 1;
  return p > 0 && waitpid(p, &status, 0) == p && status == 0;
}

static long make_child(struct rng *r, long nr, struct scratch *s) {
  long got;
  if (nr == SYS_clone) got = syscall(SYS_clone, (below(r, 2) ? 0 : (long)(next(r) & 0xf00)) | SIGCHLD, 0, 0, 0, 0);
  else {
    uint64_t *args = (uint64_t *)(void *)s->bytes;
    memset(args, 0, 88);
    args[4] = SIGCHLD;
    if (!below(r, 4)) args[below(r, 11)] = next(r);
    if (args[5] || args[6]) args[5] = args[6] = 0; /* no stack of its own */
    got = syscall(SYS_clone3, args, below(r, 6) ? 88 : size_of(r));
  }
  if (!got) _exit(0);
  return got;
}

static void call(struct rng *r, struct scratch *s) {
  const struct row *row = &rows[below(r, ROWS)];
  if (wants_child(row->nr)) {
    if (below(r, 40)) return; /* dear */
    __atomic_fetch_add(&shared->calls[row->nr], 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&shared->total, 1, __ATOMIC_RELAXED);
    if (by_child(row->nr)) __atomic_fetch_add(&shared->ok[row->nr], 1, __ATOMIC_RELAXED);
    return;
  }
  long a[6] = {0}, got;
  for (int i = 0; i < row->count; i++) a[i] = argument(r, s, row->kinds[i]);
  if (below(r, 2)) recipe(row->nr, r, s, a);
  if (row->nr == SYS_kill && a[0] < 0) a[0] = 0;
  if (row->nr == SYS_mount) a[1] = (long)(below(r, 8) ? "d/sub" : "x"); /* what hides the rest would starve later rounds */
  __atomic_fetch_add(&shared->calls[row->nr], 1, __ATOMIC_RELAXED);
  __atomic_fetch_add(&shared->total, 1, __ATOMIC_RELAXED);
  errno = 0;
  got = row->nr == SYS_clone || row->nr == SYS_clone3 ? make_child(r, row->nr, s)
                                                       : syscall(row->nr, a[0], a[1], a[2], a[3], a[4], a[5]);
  /* what waits for a signal always ends by one; futex_waitv(2) and futex_wait(2) end by their time here */
  int waited = (errno == EINTR && (row->nr == SYS_rt_sigsuspend || row->nr == SYS_restart_syscall)) ||
               (errno == ETIMEDOUT && (row->nr == 449 || row->nr == 455));
  if (got != -1 || waited) __atomic_fetch_add(&shared->ok[row->nr], 1, __ATOMIC_RELAXED);
}

static volatile int done_threads;
static uint64_t round_seed;
static void *work(void *arg) {
  long me = (long)arg;
  struct rng r = {round_seed * 2654435761u + (uint64_t)me * 977 + 1};
  struct scratch *s = mmap(NULL, sizeof *s + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  tids[me] = (int)syscall(SYS_gettid);
  for (int i = 0; i < ROUND_CALLS / THREADS; i++) call(&r, s);
  __atomic_fetch_add(&done_threads, 1, __ATOMIC_SEQ_CST);
  return NULL;
}

static void add(int fd) {
  if (fd >= 0 && fd_count < 40) fds[fd_count++] = fd;
}
static void prepare(void) {
  int two[2], null = open("/dev/null", O_RDWR);
  for (int i = 0; i < 3; i++)
    if (dup2(null, i) != i) close(i);
  mkdir("d", 0755), mkdir("d/sub", 0755), mkfifo("fifo", 0644);
  if (symlink("f", "l")) errno = 0;
  int f = open("f", O_RDWR | O_CREAT, 0644);
  if (write(f, "some bytes for whoever reads", 28) != 28) _exit(9);
  lseek(f, 0, SEEK_SET);
  add(f), add(open("d/g", O_RDWR | O_CREAT, 0644)), add(open("d", O_RDONLY | O_DIRECTORY)), add(null);
  add(open("/dev/zero", O_RDWR)), add(open("/proc/self/status", O_RDONLY)), add(open("f", O_PATH));
  for (int i = 0; i < 2; i++)
    if (!pipe2(two, O_NONBLOCK)) add(two[0]), add(two[1]);
  for (int i = 1; i <= 2; i++)
    if (!socketpair(AF_UNIX, i | SOCK_NONBLOCK, 0, two)) add(two[0]), add(two[1]);
  add(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)), add(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0));
  add(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
  special[0] = epoll_create1(0), special[1] = inotify_init1(IN_NONBLOCK), special[2] = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, special + 3)) _exit(6);
  special[5] = special[3];
  add(eventfd(3, EFD_NONBLOCK)), add(special[2]), add(special[0]), add(special[1]);
  add((int)syscall(SYS_memfd_create, "m", 2)), add(posix_openpt(O_RDWR | O_NONBLOCK | O_NOCTTY));
  add((int)syscall(SYS_pidfd_open, getpid(), 0));
  arena = mmap(NULL, ARENA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  hole = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  munmap(hole + 4096, 8192), hole += 4096;
  read_only = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (int i = 1; i < 65; i++) signal(i, nothing);
  struct sigaction sa = {.sa_handler = nothing};
  sigaction(SIGUSR1, &sa, NULL); /* without SA_RESTART: it ends waits */
}

static void child(uint64_t seed) {
  char dir[32];
  setpgid(0, 0);
  snprintf(dir, sizeof dir, "r%u", (unsigned)(seed & 0xffffff));
  mkdir(dir, 0755);
  if (chdir(dir)) _exit(8);
  prepare();
  round_seed = seed;
  pthread_t t[THREADS];
  for (long i = 0; i < THREADS; i++)
    if (pthread_create(&t[i], NULL, work, (void *)i)) _exit(7);
  struct timespec tick = {0, 3000000};
  while (done_threads < THREADS) {
    nanosleep(&tick, NULL);
    for (int i = 0; i < THREADS; i++)
      if (tids[i]) syscall(SYS_tgkill, getpid(), tids[i], SIGUSR1);
  }
  syscall(SYS_exit_group, 0);
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
  uint64_t calls = argc > 1 ? strtoull(argv[1], NULL, 10) : 100000, seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
  self = argv[0];
  shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  signal(SIGCHLD, SIG_DFL);
  int base = open(".", O_RDONLY | O_DIRECTORY);
  for (; shared->total < calls; shared->rounds++) {
    pid_t p = fork();
    if (p < 0) {
      printf("fork: %s\n", strerror(errno));
      return 1;
    }
    if (!p) child(seed + shared->rounds);
    double end = now() + ROUND_MS / 1000.0;
    int status = 0;
    while (waitpid(p, &status, WNOHANG) == 0) {
      if (now() > end) {
        shared->timed_out++;
        kill(-p, SIGKILL), kill(p, SIGKILL);
        waitpid(p, &status, 0);
        break;
      }
      usleep(2000);
    }
    shared->killed += WIFSIGNALED(status);
    kill(-p, SIGKILL);
    while (waitpid(-1, NULL, WNOHANG) > 0) continue;
    if (fchdir(base)) return 2;
  }
  uint64_t ok = 0;
  for (unsigned i = 0; i < ROWS; i++) ok += shared->ok[rows[i].nr];
  printf("total %llu succeeded %llu rounds %llu killed %llu late %llu\n", (unsigned long long)shared->total, (unsigned long long)ok,
         (unsigned long long)shared->rounds, (unsigned long long)shared->killed, (unsigned long long)shared->timed_out);
  for (unsigned i = 0; i < ROWS; i++)
    if (!shared->ok[rows[i].nr]) printf("never %s %llu\n", rows[i].name, (unsigned long long)shared->calls[rows[i].nr]);
  return 0;
}
