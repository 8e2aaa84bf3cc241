/* signal(7), sigaction(2), sigaltstack(2), sigsuspend(2), sigtimedwait(2), sigqueue(3): delivery, masks, frames. */
#define _GNU_SOURCE
#include "check.h"

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>

static volatile sig_atomic_t count, order[16], depth, deepest;
static volatile siginfo_t last;
static void counting(int signo) {
  (void)signo;
  count++;
}
static void keep(int signo, siginfo_t *info, void *context) {
  (void)signo, (void)context;
  memcpy((void *)&last, info, sizeof *info);
  count++;
}
static void install(int signo, void (*handler)(int), int flags) {
  struct sigaction a = {.sa_handler = handler, .sa_flags = flags};
  sigaction(signo, &a, NULL);
}
static sigset_t set_of(int a, int b) {
  sigset_t s;
  sigemptyset(&s);
  if (a) sigaddset(&s, a);
  if (b) sigaddset(&s, b);
  return s;
}

static void basics(void) {
  struct sigaction a = {.sa_sigaction = keep, .sa_flags = SA_SIGINFO}, old;
  check("sigaction", sigaction(SIGUSR1, &a, &old) == 0 && old.sa_handler == SIG_DFL);
  count = 0;
  kill(getpid(), SIGUSR1);
  check("kill to self is at once", count == 1 && last.si_signo == SIGUSR1 && last.si_code == SI_USER && last.si_pid == getpid());
  raise(SIGUSR1);
  check("raise", count == 2 && last.si_code == SI_TKILL);
  union sigval v = {.sival_int = 1234};
  sigqueue(getpid(), SIGUSR1, v);
  check("sigqueue", count == 3 && last.si_code == SI_QUEUE && last.si_value.sival_int == 1234);
  check("SIGKILL has no handler", sigaction(SIGKILL, &a, NULL) == -1 && errno == EINVAL);
  check("signal 0", kill(getpid(), 0) == 0);
  check("nobody there", kill(999999, 0) == -1 && errno == ESRCH);
  check("no such signal", kill(getpid(), 65) == -1 && errno == EINVAL);
  install(SIGUSR1, counting, SA_RESETHAND);
  count = 0;
  raise(SIGUSR1);
  sigaction(SIGUSR1, NULL, &old);
  check("SA_RESETHAND", count == 1 && old.sa_handler == SIG_DFL);
}

static void masks(void) {
  sigset_t set = set_of(SIGUSR1, SIGUSR2), old, pending;
  install(SIGUSR1, counting, 0), install(SIGUSR2, counting, 0);
  sigprocmask(SIG_BLOCK, &set, &old);
  count = 0;
  raise(SIGUSR1), raise(SIGUSR1), raise(SIGUSR2);
  sigpending(&pending);
  check("blocked are pending", count == 0 && sigismember(&pending, SIGUSR1) && sigismember(&pending, SIGUSR2));
  sigprocmask(SIG_SETMASK, &old, NULL);
  check("standard signals do not queue", count == 2);
  sigset_t rt = set_of(SIGRTMIN, 0);
  struct sigaction a = {.sa_sigaction = keep, .sa_flags = SA_SIGINFO};
  sigaction(SIGRTMIN, &a, NULL);
  sigprocmask(SIG_BLOCK, &rt, NULL);
  count = 0;
  for (int i = 1; i <= 5; i++) sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = i});
  sigprocmask(SIG_UNBLOCK, &rt, NULL);
  check("real-time signals queue, in order", count == 5 && last.si_value.sival_int == 5);
  install(SIGUSR1, SIG_IGN, 0);
  sigprocmask(SIG_BLOCK, &set, NULL);
  raise(SIGUSR1);
  install(SIGUSR1, counting, 0);
  count = 0;
  sigprocmask(SIG_UNBLOCK, &set, NULL);
  check("ignored, then handled", count <= 1);
  check("bad how", sigprocmask(77, &set, NULL) == -1 && errno == EINVAL);
}

static void nested_handler(int signo) {
  depth++;
  if (depth > deepest) deepest = depth;
  order[count++ & 15] = signo;
  if (signo == SIGUSR1) raise(SIGUSR2);
  if (signo == SIGHUP && deepest < 4) raise(SIGHUP);
  depth--;
}
static void nesting(void) {
  install(SIGUSR1, nested_handler, 0), install(SIGUSR2, nested_handler, 0);
  count = depth = deepest = 0;
  raise(SIGUSR1);
  check("a handler is interrupted", count == 2 && deepest == 2 && order[0] == SIGUSR1 && order[1] == SIGUSR2);
  struct sigaction a = {.sa_handler = nested_handler};
  sigaddset(&a.sa_mask, SIGUSR2);
  sigaction(SIGUSR1, &a, NULL);
  count = depth = deepest = 0;
  raise(SIGUSR1);
  check("sa_mask", count == 2 && deepest == 1);
  install(SIGHUP, nested_handler, SA_NODEFER);
  count = depth = deepest = 0;
  raise(SIGHUP);
  check("SA_NODEFER", deepest == 4);
  install(SIGHUP, SIG_DFL, 0);
}

static sigjmp_buf back;
static void jump(int signo) { siglongjmp(back, signo); }
static void *fault_address;
static void fault_info(int signo, siginfo_t *info, void *context) {
  (void)context;
  fault_address = info->si_addr;
  order[0] = info->si_code;
  siglongjmp(back, signo);
}
static void faults(void) {
  struct sigaction a = {.sa_sigaction = fault_info, .sa_flags = SA_SIGINFO};
  sigaction(SIGSEGV, &a, NULL), sigaction(SIGBUS, &a, NULL), sigaction(SIGTRAP, &a, NULL), sigaction(SIGILL, &a, NULL);
  volatile char *none = (char *)8;
  int got = sigsetjmp(back, 1);
  if (!got) *none = 1;
  check("SIGSEGV: nothing mapped", got == SIGSEGV && fault_address == (void *)8 && order[0] == SEGV_MAPERR);
  char *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  got = sigsetjmp(back, 1);
  if (!got) *(volatile char *)(page + 5) = 1;
  check("SIGSEGV: read-only", got == SIGSEGV && fault_address == page + 5 && order[0] == SEGV_ACCERR);
  got = sigsetjmp(back, 1);
  if (!got) ((void (*)(void))page)();
  check("SIGSEGV: no execute", got == SIGSEGV && fault_address == page);
  munmap(page, 4096);
  got = sigsetjmp(back, 1);
#ifdef __riscv
  if (!got) __asm__ volatile(".word 0xffffffff");
#else
  if (!got) __asm__ volatile("ud2");
#endif
  check("SIGILL", got == SIGILL);
  got = sigsetjmp(back, 1);
#ifdef __riscv
  if (!got) __asm__ volatile("ebreak");
#else
  if (!got) __asm__ volatile("int3");
#endif
  check("SIGTRAP", got == SIGTRAP);
  install(SIGSEGV, SIG_DFL, 0), install(SIGBUS, SIG_DFL, 0), install(SIGTRAP, SIG_DFL, 0), install(SIGILL, SIG_DFL, 0);
  pid_t pid = fork();
  if (pid == 0) {
    sigset_t all;
    sigfillset(&all), sigprocmask(SIG_BLOCK, &all, NULL); /* a fault cannot be blocked */
    *none = 1;
    _exit(0);
  }
  int status;
  waitpid(pid, &status, 0);
  check("a blocked SIGSEGV kills", WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

static char *alt_low, *alt_high;
static volatile int on_alt, state_seen;
static void on_stack(int signo) {
  char here;
  (void)signo;
  stack_t now;
  sigaltstack(NULL, &now);
  on_alt = &here > alt_low && &here < alt_high;
  state_seen = now.ss_flags;
}
static volatile int endless = 1;
static int overflow(int n) {
  volatile char room[4096];
  room[0] = (char)n;
  return endless ? overflow(n + 1) + room[0] : 0;
}
static void altstack(void) {
  size_t bytes = 65536;
  alt_low = malloc(bytes), alt_high = alt_low + bytes;
  stack_t st = {.ss_sp = alt_low, .ss_size = bytes}, old;
  check("sigaltstack", sigaltstack(&st, &old) == 0 && (old.ss_flags & SS_DISABLE));
  install(SIGUSR1, on_stack, SA_ONSTACK);
  raise(SIGUSR1);
  check("handler on the alternate stack", on_alt && (state_seen & SS_ONSTACK));
  install(SIGUSR1, on_stack, 0);
  raise(SIGUSR1);
  check("or not", !on_alt);
  struct sigaction a = {.sa_handler = jump, .sa_flags = SA_ONSTACK};
  sigaction(SIGSEGV, &a, NULL);
  int got = sigsetjmp(back, 1);
  if (!got) overflow(0);
  check("stack overflow is caught", got == SIGSEGV);
  install(SIGSEGV, SIG_DFL, 0);
  st.ss_size = 100;
  check("too small", sigaltstack(&st, NULL) == -1 && errno == ENOMEM);
  st.ss_flags = SS_DISABLE;
  sigaltstack(&st, NULL);
}

/* Kicks until it is stopped: the first kick may come before the call that it is to interrupt. */
static pid_t kicker(int signo) {
  pid_t target = getpid(), pid = fork();
  if (pid == 0)
    for (;;) pause_ms(20), kill(target, signo);
  return pid;
}
static void no_more(pid_t pid) { kill(pid, SIGKILL), waitpid(pid, NULL, 0); }
static void restarts(void) {
  int link[2], status;
  char c;
  if (pipe(link)) return;
  install(SIGUSR1, counting, 0);
  pid_t pid = kicker(SIGUSR1);
  check("read: EINTR without SA_RESTART", read(link[0], &c, 1) == -1 && errno == EINTR);
  no_more(pid);
  install(SIGUSR1, counting, SA_RESTART);
  count = 0;
  pid_t target = getpid();
  pid = fork();
  if (pid == 0) {
    pause_ms(20), kill(target, SIGUSR1), pause_ms(20);
    _exit(write(link[1], "z", 1) != 1);
  }
  check("read: restarted with it", read(link[0], &c, 1) == 1 && c == 'z' && count == 1);
  waitpid(pid, &status, 0);
  struct pollfd p = {.fd = link[0], .events = POLLIN};
  pid = kicker(SIGUSR1);
  check("poll: EINTR always", poll(&p, 1, 5000) == -1 && errno == EINTR);
  no_more(pid);
  pid = kicker(SIGUSR1);
  struct timespec t = {5, 0}, left = {0, 0};
  check("nanosleep: EINTR, with the rest", nanosleep(&t, &left) == -1 && errno == EINTR && left.tv_sec >= 1 && left.tv_sec <= 4);
  no_more(pid);
  pid = kicker(SIGUSR1);
  check("pause", pause() == -1 && errno == EINTR);
  no_more(pid);
  /* stopping and continuing goes unnoticed */
  pid = fork();
  if (pid == 0) {
    struct timespec nap = {0, 150000000};
    double before = seconds(CLOCK_MONOTONIC);
    int r = nanosleep(&nap, NULL);
    _exit(r == 0 && seconds(CLOCK_MONOTONIC) - before >= 0.15 ? 0 : 1);
  }
  pause_ms(30), kill(pid, SIGSTOP);
  waitpid(pid, &status, WUNTRACED);
  kill(pid, SIGCONT);
  waitpid(pid, &status, 0);
  check("nanosleep: over a stop", WIFEXITED(status) && WEXITSTATUS(status) == 0);
  close(link[0]), close(link[1]);
}

static void waiting(void) {
  sigset_t set = set_of(SIGUSR2, SIGCHLD), old, none;
  sigemptyset(&none);
  siginfo_t info;
  install(SIGUSR2, counting, 0);
  sigprocmask(SIG_BLOCK, &set, &old);
  count = 0;
  raise(SIGUSR2);
  check("sigsuspend takes a pending one", sigsuspend(&none) == -1 && errno == EINTR && count == 1);
  sigset_t now;
  sigprocmask(SIG_BLOCK, NULL, &now);
  check("and restores the mask", sigismember(&now, SIGUSR2) == 1);
  struct timespec zero = {0, 0}, soon = {0, 20000000};
  check("sigtimedwait: nothing", sigtimedwait(&set, &info, &zero) == -1 && errno == EAGAIN);
  double before = seconds(CLOCK_MONOTONIC);
  check("sigtimedwait: time out", sigtimedwait(&set, &info, &soon) == -1 && errno == EAGAIN && seconds(CLOCK_MONOTONIC) - before >= 0.019);
  pid_t pid = fork();
  if (pid == 0) {
    pause_ms(10);
    _exit(3);
  }
  check("sigwaitinfo: SIGCHLD, ignored by default", sigwaitinfo(&set, &info) == SIGCHLD && info.si_pid == pid && info.si_status == 3);
  waitpid(pid, NULL, 0);
  count = 0;
  sigqueue(getpid(), SIGUSR2, (union sigval){.sival_int = 9});
  check("sigwaitinfo: takes it from the handler", sigwaitinfo(&set, &info) == SIGUSR2 && info.si_value.sival_int == 9 && count == 0);
  sigprocmask(SIG_SETMASK, &old, NULL);
}

static void defaults(void) {
  static const struct { int signo; int kills; } table[] = {
    {SIGHUP, 1}, {SIGINT, 1}, {SIGPIPE, 1}, {SIGALRM, 1}, {SIGCHLD, 0}, {SIGURG, 0}, {SIGWINCH, 0}, {SIGCONT, 0},
    {SIGUSR1, 1}, {SIGXCPU, 1}, {SIGSYS, 1}, {SIGIO, 1}, {SIGPROF, 1}, {40, 1},
  };
  int good = 0, n = (int)(sizeof table / sizeof *table), status;
  for (int i = 0; i < n; i++) {
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
      signal(table[i].signo, SIG_DFL);
      raise(table[i].signo);
      _exit(1);
    }
    waitpid(pid, &status, 0);
    good += table[i].kills ? WIFSIGNALED(status) && WTERMSIG(status) == table[i].signo : WIFEXITED(status);
  }
  check("default actions", good == n);
}

static void registers_survive(int signo) {
  (void)signo;
  volatile double x = 1.5;
  for (int i = 0; i < 100; i++) x *= 1.01;
  count++;
}
static void storm(void) {
  struct itimerval every = {{0, 300}, {0, 300}}, off = {{0, 0}, {0, 0}};
  install(SIGALRM, registers_survive, SA_RESTART);
  count = 0;
  setitimer(ITIMER_REAL, &every, NULL);
  double sum = 0, want = 0;
  unsigned long hash = 5381, same = 5381;
  for (int round = 0; round < 200 || count < 20; round++) {
    sum = 0, hash = 5381;
    for (int i = 1; i < 2000; i++) sum += 1.0 / i, hash = hash * 33 + (unsigned long)i;
    if (!round) want = sum, same = hash;
    if (sum != want || hash != same) break;
  }
  setitimer(ITIMER_REAL, &off, NULL);
  check("registers survive a storm of handlers", count >= 20 && sum == want && hash == same);
}

static void ucontext_edit(int signo, siginfo_t *info, void *context) {
  (void)signo, (void)info;
  ucontext_t *u = context;
  sigaddset(&u->uc_sigmask, SIGUSR2); /* what the handler leaves there becomes the mask */
}
static void context_is_used(void) {
  struct sigaction a = {.sa_sigaction = ucontext_edit, .sa_flags = SA_SIGINFO};
  sigaction(SIGUSR1, &a, NULL);
  raise(SIGUSR1);
  sigset_t now, set = set_of(SIGUSR2, 0);
  sigprocmask(SIG_BLOCK, NULL, &now);
  check("the mask of the frame is taken back", sigismember(&now, SIGUSR2) == 1);
  sigprocmask(SIG_UNBLOCK, &set, NULL);
}

int main(void) {
  basics();
  masks();
  nesting();
  faults();
  altstack();
  restarts();
  waiting();
  defaults();
  storm();
  context_is_used();
  return 0;
}
