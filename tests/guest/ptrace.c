/* ptrace(2): what a tracer sees and may do: calls, signals, registers, memory, events, group stops, ends. Registers have
 * other names on the host: only what a program can ask of both is printed. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <elf.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "check.h"
#include "show.h"

#if defined(__riscv)
struct registers { uint64_t pc, x[31]; };
#define NUMBER(r) (r).x[16]
#define RESULT(r) (r).x[9]
#define PC(r) (r).pc
#define BREAK_BYTES 0
#define BREAK(word) (((word) & ~0xffffull) | 0x9002) /* c.ebreak */
#else
struct registers { uint64_t r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, number, ip, rest[10]; };
#define NUMBER(r) (r).number
#define RESULT(r) (r).ax
#define PC(r) (r).ip
#define BREAK_BYTES 1
#define BREAK(word) (((word) & ~0xffull) | 0xcc)
#endif
#define SYSGOOD 1
#define EVENT_STOP 128
#ifndef PTRACE_SEIZE
#define PTRACE_SEIZE 0x4206
#define PTRACE_INTERRUPT 0x4207
#define PTRACE_LISTEN 0x4208
#endif
#define GET_SYSCALL_INFO 0x420e

static struct call_info { /* of PTRACE_GET_SYSCALL_INFO */
  uint8_t op, pad[3];
  uint32_t arch;
  uint64_t pc, sp, nr, args[6];
} info;
static volatile long cell = 11;
static long pt(long request, pid_t pid, long addr, long data) { return syscall(SYS_ptrace, request, pid, addr, data); }

static const char *call_name(uint64_t nr) {
  switch (nr) {
    case SYS_getppid: return "getppid";
    case SYS_getuid: return "getuid";
    case SYS_close: return "close";
    case SYS_kill: return "kill";
    case SYS_exit_group: return "exit_group";
    default: return "another";
  }
}
static void show_status(const char *what, int status) {
  int event = status >> 16;
  if (WIFEXITED(status)) printf("%s: exited %d\n", what, WEXITSTATUS(status));
  else if (WIFSIGNALED(status)) printf("%s: killed by %d\n", what, WTERMSIG(status));
  else if (event) printf("%s: stopped %d event %d\n", what, WSTOPSIG(status), event);
  else printf("%s: stopped %x\n", what, WSTOPSIG(status));
  fflush(stdout);
}
static int next(const char *what, pid_t pid) {
  int status = -1;
  pid_t got = waitpid(pid, &status, __WALL);
  if (got != pid) printf("%s: waitpid %s\n", what, got < 0 ? error_name() : "another");
  else show_status(what, status);
  return status;
}
static struct registers registers_of(pid_t pid) {
  struct registers r = {0};
  struct iovec v = {&r, sizeof r};
  if (pt(PTRACE_GETREGSET, pid, NT_PRSTATUS, (long)&v)) printf("GETREGSET: %s\n", error_name());
  return r;
}
static void set_registers(pid_t pid, struct registers r) {
  struct iovec v = {&r, sizeof r};
  if (pt(PTRACE_SETREGSET, pid, NT_PRSTATUS, (long)&v)) printf("SETREGSET: %s\n", error_name());
}
/* A child that is traced by us and stopped by its own SIGSTOP. */
static pid_t traced(void (*fn)(void), long options) {
  fflush(stdout);
  pid_t pid = fork();
  if (!pid) {
    if (pt(PTRACE_TRACEME, 0, 0, 0)) _exit(99);
    raise(SIGSTOP);
    fn();
    _exit(0);
  }
  int status;
  waitpid(pid, &status, 0);
  if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGSTOP) show_status("its first stop", status);
  if (options && pt(PTRACE_SETOPTIONS, pid, 0, options)) printf("SETOPTIONS: %s\n", error_name());
  return pid;
}

/* ---- calls ---- */
static void three_calls(void) {
  syscall(SYS_getppid);
  syscall(SYS_close, 77);
  _exit(syscall(SYS_getuid) == 4242 ? 5 : 6);
}
static void show_call(pid_t pid) {
  memset(&info, 0, sizeof info);
  long n = pt(GET_SYSCALL_INFO, pid, sizeof info, (long)&info);
  if (info.op == 1) printf("  before %s, %ld bytes, first argument %lld\n", call_name(info.nr), n, info.nr == SYS_close ? (long long)info.args[0] : 0);
  else if (info.op == 2) printf("  after: %s%lld, %ld bytes\n", (uint8_t)info.args[0] ? "error " : "", (int64_t)info.nr < 0 ? (long long)info.nr : 0, n);
  else printf("  no call, %ld bytes\n", n);
}
static void calls(void) {
  pid_t pid = traced(three_calls, SYSGOOD);
  show_call(pid);
  for (int stops = 0; stops < 50; stops++) {
    pt(PTRACE_SYSCALL, pid, 0, 0);
    int status;
    waitpid(pid, &status, 0);
    if (!WIFSTOPPED(status)) {
      show_status("calls", status);
      break;
    }
    if (WSTOPSIG(status) != (SIGTRAP | 0x80)) printf("  stop %x\n", WSTOPSIG(status));
    pt(GET_SYSCALL_INFO, pid, sizeof info, (long)&info);
    static uint64_t nr;
    if (info.op == 1) nr = info.nr;
    if (!strcmp(call_name(nr), "another")) continue; /* of the library's raise */
    show_call(pid);
    if (info.op == 2 && nr == SYS_getuid) { /* another result */
      struct registers r = registers_of(pid);
      RESULT(r) = 4242;
      set_registers(pid, r);
    }
  }
}

static void changed_calls(void) {
  long first = syscall(SYS_close, 77), e = errno; /* becomes getppid */
  (void)e;
  long second = syscall(SYS_getuid); /* is not made */
  _exit((first == getppid() ? 1 : 0) + (second == 321 ? 2 : 0));
}
static void changes(void) {
  pid_t pid = traced(changed_calls, SYSGOOD);
  int status = 0, skipped = 0;
  for (;;) {
    pt(PTRACE_SYSCALL, pid, 0, 0);
    waitpid(pid, &status, 0);
    if (!WIFSTOPPED(status)) break;
    pt(GET_SYSCALL_INFO, pid, sizeof info, (long)&info);
    struct registers r = registers_of(pid);
    if (info.op == 1 && info.nr == SYS_close) NUMBER(r) = SYS_getppid, set_registers(pid, r);
    if (info.op == 1 && info.nr == SYS_getuid) NUMBER(r) = (uint64_t)-1, skipped = 1, set_registers(pid, r);
    else if (info.op == 2 && skipped) RESULT(r) = 321, skipped = 0, set_registers(pid, r);
  }
  show_status("changed number, then none", status);
}

/* ---- signals ---- */
static volatile sig_atomic_t got_usr1, got_usr2, got_value;
static void count(int signo, siginfo_t *i, void *c) {
  (void)c;
  if (signo == SIGUSR1) got_usr1++;
  else got_usr2++;
  got_value = i->si_value.sival_int;
}
static void raiser(void) {
  struct sigaction a = {.sa_sigaction = count, .sa_flags = SA_SIGINFO};
  sigaction(SIGUSR1, &a, NULL), sigaction(SIGUSR2, &a, NULL);
  signal(SIGWINCH, SIG_IGN);
  union sigval v = {.sival_int = 5};
  sigqueue(getpid(), SIGUSR1, v); /* taken away */
  sigqueue(getpid(), SIGUSR1, v); /* delivered with another value */
  int value = got_value;
  sigqueue(getpid(), SIGUSR1, v); /* becomes SIGUSR2 */
  raise(SIGWINCH);                /* ignored, but seen */
  _exit(got_usr1 * 10 + got_usr2 + (value == 6 ? 100 : 0));
}
static void signals(void) {
  pid_t pid = traced(raiser, 0);
  siginfo_t i;
  pt(PTRACE_CONT, pid, 0, 0);
  next("first", pid);
  SHOW("GETSIGINFO", pt(PTRACE_GETSIGINFO, pid, 0, (long)&i));
  printf("  signo %d code %d value %d\n", i.si_signo, i.si_code, i.si_value.sival_int);
  pt(PTRACE_CONT, pid, 0, 0);
  next("second", pid);
  i.si_value.sival_int = 6;
  SHOW("SETSIGINFO", pt(PTRACE_SETSIGINFO, pid, 0, (long)&i));
  pt(PTRACE_CONT, pid, 0, SIGUSR1);
  next("third", pid);
  pt(PTRACE_CONT, pid, 0, SIGUSR2);
  next("ignored", pid);
  pt(PTRACE_CONT, pid, 0, SIGWINCH);
  next("end", pid);
}

/* ---- memory ---- */
static long work(long v);
static void worker(void) { _exit((int)(work(3) + cell)); }
__attribute__((noinline, aligned(8))) static long work(long v) {
  __asm__ volatile("" ::: "memory");
  return v * 2;
}
static void memory(void) {
  pid_t pid = traced(worker, 0);
  long word = 0, old = 0;
  SHOW("PEEKDATA", pt(PTRACE_PEEKDATA, pid, (long)&cell, (long)&word));
  printf("  %ld\n", word);
  SHOW("POKEDATA", pt(PTRACE_POKEDATA, pid, (long)&cell, 20));
  SHOW("ours", cell);
  SHOW("peek nowhere", pt(PTRACE_PEEKDATA, pid, 16, (long)&word));
  SHOW("poke nowhere", pt(PTRACE_POKEDATA, pid, 16, 1));
  SHOW("peek code", pt(PTRACE_PEEKTEXT, pid, (long)work, (long)&old));
  SHOW("breakpoint", pt(PTRACE_POKETEXT, pid, (long)work, (long)BREAK((uint64_t)old)));
  pt(PTRACE_CONT, pid, 0, 0);
  next("at the breakpoint", pid);
  struct registers r = registers_of(pid);
  printf("there: %d\n", PC(r) == (uint64_t)(uintptr_t)work + BREAK_BYTES);
  SHOW("code again", pt(PTRACE_POKETEXT, pid, (long)work, old));
  PC(r) = (uint64_t)(uintptr_t)work;
  set_registers(pid, r);
  pt(PTRACE_CONT, pid, 0, 0);
  next("end", pid);
  printf("our own code is whole: %ld\n", work(4));
}

/* ---- children ---- */
static void forks(void) {
  pid_t pid = fork();
  if (!pid) _exit(3);
  int status;
  waitpid(pid, &status, 0);
  _exit(WEXITSTATUS(status));
}
static void vforks(void) {
  pid_t pid = vfork();
  if (!pid) _exit(4);
  int status;
  waitpid(pid, &status, 0);
  _exit(WEXITSTATUS(status));
}
static void *ends(void *p) { return p; }
static void threads(void) {
  pthread_t t;
  if (pthread_create(&t, NULL, ends, NULL)) _exit(1);
  pthread_join(t, NULL);
}
static void execs(void) {
  execl("/proc/self/exe", "ptrace", "exec", NULL);
  _exit(1);
}
static void family(const char *what, void (*fn)(void)) {
  long options = PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC |
                 PTRACE_O_TRACEVFORKDONE | PTRACE_O_TRACEEXIT;
  pid_t pid = traced(fn, options), child = 0, got;
  printf("%s\n", what);
  int status, child_status = -1, stops = 0;
  unsigned long other_exit = 0;
  pt(PTRACE_CONT, pid, 0, 0);
  while (stops++ < 30 && (got = waitpid(-1, &status, __WALL)) > 0) {
    unsigned long message = 0;
    if (got != pid) { /* its order among the parent's is free */
      if (WIFSTOPPED(status) && status >> 16 == PTRACE_EVENT_EXIT) pt(PTRACE_GETEVENTMSG, got, 0, (long)&other_exit);
      if (!WIFSTOPPED(status)) child_status = status;
      pt(PTRACE_CONT, got, 0, 0);
      continue;
    }
    if (!WIFSTOPPED(status)) break;
    if (WSTOPSIG(status) == SIGCHLD) {
      pt(PTRACE_CONT, pid, 0, SIGCHLD);
      continue;
    }
    show_status(" ", status);
    pt(PTRACE_GETEVENTMSG, pid, 0, (long)&message);
    int event = status >> 16;
    if (event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK || event == PTRACE_EVENT_CLONE) child = (pid_t)message;
    if (event == PTRACE_EVENT_VFORK_DONE || event == PTRACE_EVENT_EXEC) printf("  message: %s\n", message == (unsigned long)child ? "child" : message == (unsigned long)pid ? "itself" : "?");
    if (event == PTRACE_EVENT_EXIT) printf("  message: %lx\n", message);
    pt(PTRACE_CONT, pid, 0, 0);
  }
  show_status(" itself", status);
  if (child && child_status != -1) show_status(" the other", child_status);
  else if (child) next(" the other, later", child);
  printf("  its exit event: %lx\n", other_exit);
}
static void events(void) {
  family("fork", forks);
  family("vfork", vforks);
  family("exec", execs);
  pid_t pid = traced(execs, 0);
  pt(PTRACE_CONT, pid, 0, 0);
  next("exec without the option", pid);
  pt(PTRACE_CONT, pid, 0, 0);
  next("end", pid);
}
/* A thread is waited for as a process is. */
static void thread_events(void) {
  pid_t pid = traced(threads, PTRACE_O_TRACECLONE), got;
  int status, others = 0, clones = 0;
  pt(PTRACE_CONT, pid, 0, 0);
  while ((got = waitpid(-1, &status, __WALL)) > 0) {
    if (WIFSTOPPED(status)) {
      clones += status >> 16 == PTRACE_EVENT_CLONE;
      pt(PTRACE_CONT, got, 0, 0);
    } else if (got != pid) {
      others += WIFEXITED(status) && WEXITSTATUS(status) == 0;
    } else {
      show_status("the process", status);
    }
  }
  printf("threads made %d, seen to end %d\n", clones, others);
}

/* ---- attaching ---- */
static int pipes[2];
static void sleeper(void) {
  char c;
  long n = read(pipes[0], &c, 1); /* made again after each stop */
  _exit(n == 1 ? c : 90);
}
static pid_t child_of(void (*fn)(void)) {
  pipe(pipes);
  fflush(stdout);
  pid_t pid = fork();
  if (pid) return pid;
  fn();
  _exit(0);
}
static void proc_state(pid_t pid) {
  char path[64], line[256];
  snprintf(path, sizeof path, "/proc/%d/status", pid);
  FILE *f = fopen(path, "r");
  while (f && fgets(line, sizeof line, f)) {
    if (!strncmp(line, "State:", 6)) printf("  %s", line);
    if (!strncmp(line, "TracerPid:", 10)) printf("  tracer is us: %d\n", atoi(line + 10) == getpid());
  }
  if (f) fclose(f);
}
static void attaching(void) {
  char path[64];
  pid_t pid = child_of(sleeper);
  pause_ms(20);
  SHOW("ATTACH", pt(PTRACE_ATTACH, pid, 0, 0));
  next("attached", pid);
  proc_state(pid);
  SHOW("again", pt(PTRACE_ATTACH, pid, 0, 0));
  SHOW("DETACH", pt(PTRACE_DETACH, pid, 0, 0));
  SHOW("again", pt(PTRACE_DETACH, pid, 0, 0));
  SHOW("SEIZE", pt(PTRACE_SEIZE, pid, 0, SYSGOOD));
  snprintf(path, sizeof path, "/proc/%d/mem", pid);
  int mem = open(path, O_RDWR);
  long value = 0;
  SHOW("mem of one that sleeps", pread(mem, &value, sizeof value, (off_t)(uintptr_t)&cell));
  printf("  %ld\n", value);
  value = 12;
  SHOW("write it", pwrite(mem, &value, sizeof value, (off_t)(uintptr_t)&cell));
  SHOW("read it", pread(mem, &value, sizeof value, (off_t)(uintptr_t)&cell));
  SHOW("its code", pread(mem, &value, sizeof value, (off_t)(uintptr_t)work));
  SHOW("write its code", pwrite(mem, &value, sizeof value, (off_t)(uintptr_t)work));
  SHOW("mem nowhere", pread(mem, &value, sizeof value, 16));
  SHOW("write nowhere", pwrite(mem, &value, sizeof value, 16));
  close(mem);
  SHOW("not stopped", pt(PTRACE_CONT, pid, 0, 0));
  SHOW("peek one that runs", pt(PTRACE_PEEKDATA, pid, (long)&cell, (long)&cell));
  SHOW("INTERRUPT", pt(PTRACE_INTERRUPT, pid, 0, 0));
  next("interrupted", pid);
  siginfo_t i;
  SHOW("GETSIGINFO", pt(PTRACE_GETSIGINFO, pid, 0, (long)&i));
  printf("  signo %d code %x\n", i.si_signo, i.si_code);
  SHOW("bad signal", pt(PTRACE_CONT, pid, 0, 99));
  SHOW("bad options", pt(PTRACE_SETOPTIONS, pid, 0, 1 << 30));
  struct iovec v = {&i, sizeof i};
  SHOW("bad register set", pt(PTRACE_GETREGSET, pid, 77777, (long)&v));
  SHOW("bad request", pt(12345, pid, 0, 0));
  SHOW("CONT", pt(PTRACE_CONT, pid, 0, 0));
  write(pipes[1], "A", 1);
  next("the read was made again", pid);
  SHOW("gone", pt(PTRACE_ATTACH, pid, 0, 0));
  SHOW("oneself", pt(PTRACE_ATTACH, getpid(), 0, 0));
  SHOW("SEIZE with an address", pt(PTRACE_SEIZE, getppid(), 1, 0));
  SHOW("not ours", pt(PTRACE_CONT, getppid(), 0, 0));
}

static void group_stops(void) {
  pid_t pid = child_of(sleeper);
  SHOW("SEIZE", pt(PTRACE_SEIZE, pid, 0, 0));
  kill(pid, SIGSTOP);
  next("the signal", pid);
  pt(PTRACE_CONT, pid, 0, SIGSTOP);
  next("the group stop", pid);
  SHOW("LISTEN", pt(PTRACE_LISTEN, pid, 0, 0));
  SHOW("listens", pt(PTRACE_CONT, pid, 0, 0));
  int status;
  SHOW("nothing new", waitpid(pid, &status, __WALL | WNOHANG));
  kill(pid, SIGCONT);
  next("continued", pid);
  pt(PTRACE_CONT, pid, 0, 0);
  next("its signal", pid);
  pt(PTRACE_CONT, pid, 0, SIGCONT);
  write(pipes[1], "B", 1);
  next("end", pid);
  pid = child_of(sleeper);
  pt(PTRACE_ATTACH, pid, 0, 0);
  next("attached", pid);
  siginfo_t i;
  pt(PTRACE_CONT, pid, 0, SIGSTOP);
  next("its group stop", pid);
  SHOW("GETSIGINFO", pt(PTRACE_GETSIGINFO, pid, 0, (long)&i));
  kill(pid, SIGKILL);
  next("killed in it", pid);
}

/* ---- ends ---- */
static void waits(void) {
  pid_t pid = traced(three_calls, SYSGOOD);
  siginfo_t i = {0};
  pt(PTRACE_SYSCALL, pid, 0, 0);
  SHOW("waitid, keeping it", waitid(P_PID, (id_t)pid, &i, WSTOPPED | WEXITED | WNOWAIT));
  printf("  signo %d code %d status %x\n", i.si_signo, i.si_code, i.si_status);
  next("the same", pid);
  kill(pid, SIGKILL);
  next("killed at a call", pid);
  pid = traced(sleeper, PTRACE_O_EXITKILL);
  SHOW("KILL", pt(PTRACE_KILL, pid, 0, 0));
  next("end", pid);
}
/* A grandchild with another tracer than its parent: the tracer learns of its end first, then the parent. */
static void two_parents(void) {
  int told[2], go[2];
  char c = 0;
  pipe(told), pipe(go);
  fflush(stdout);
  pid_t parent = fork();
  if (!parent) {
    pid_t pid = fork();
    if (!pid) {
      read(go[0], &c, 1);
      _exit(8);
    }
    write(told[1], &pid, sizeof pid);
    int status;
    _exit(waitpid(pid, &status, 0) == pid ? 100 + WEXITSTATUS(status) : 1);
  }
  pid_t pid = 0;
  read(told[0], &pid, sizeof pid);
  SHOW("SEIZE a grandchild", pt(PTRACE_SEIZE, pid, 0, 0));
  write(go[1], "x", 1);
  siginfo_t i;
  int status;
  SHOW("it has ended", waitid(P_PID, (id_t)pid, &i, WEXITED | WNOWAIT));
  SHOW("its parent does not know", waitpid(parent, &status, WNOHANG));
  next("the tracer", pid);
  next("the parent", parent);
}
static void tracer_dies(void) {
  for (int kills = 0; kills < 2; kills++) {
    pid_t pid = child_of(sleeper);
    pid_t tracer = fork();
    if (!tracer) {
      int status;
      pt(PTRACE_SEIZE, pid, 0, kills ? PTRACE_O_EXITKILL : 0);
      pt(PTRACE_INTERRUPT, pid, 0, 0);
      waitpid(pid, &status, __WALL);
      _exit(0);
    }
    waitpid(tracer, NULL, 0);
    write(pipes[1], "C", 1);
    next(kills ? "its tracee is killed" : "its tracee goes on", pid);
  }
}

int main(int argc, char **argv) {
  if (argc > 1 && !strcmp(argv[1], "exec")) return 7;
  setvbuf(stdout, NULL, _IONBF, 0);
  calls();
  changes();
  signals();
  memory();
  events();
  thread_events();
  attaching();
  group_stops();
  waits();
  two_parents();
  tracer_dies();
  return 0;
}
