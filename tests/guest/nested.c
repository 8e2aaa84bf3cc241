/* nested: what a translator of hot code must get right: deep recursion, jumps out of many frames, signals in loops that
 * make no call, a handler that changes the pc, changes of stack, fork below many frames, code that is written anew. Each
 * under calls hot enough to be translated; the output depends on nothing else. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#define NEST 50
static volatile long sink;

/* ---- recursion ---- */
__attribute__((noinline)) static long depth(long n) {
  volatile long here = n;
  if (n == 0) return 0;
  return depth(n - 1) + (here & 3);
}
__attribute__((noinline)) static unsigned fib(unsigned n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

/* ---- under NEST calls do something ---- */
__attribute__((noinline)) static long under(int n, long (*leaf)(long), long arg) {
  volatile long keep = n * 3;
  long r = n ? under(n - 1, leaf, arg) : leaf(arg);
  return r + keep - n * 3;
}

static sigjmp_buf target;
static long jumps(long n) {
  siglongjmp(target, (int)n);
  return 0;
}

static volatile sig_atomic_t ticks;
static void tick(int signo) {
  (void)signo;
  ticks++;
}
static long spins(long n) {
  uint64_t x = 88172645463325252ull;
  while (ticks < n) x ^= x << 13, x ^= x >> 7, x ^= x << 17;
  sink = (long)x;
  return n;
}

static char *guarded;
static volatile long faults;
static void skip_fault(int signo, siginfo_t *info, void *context) {
  ucontext_t *u = context;
  (void)signo;
  if ((char *)info->si_addr != guarded + 8) _exit(9);
  faults++;
#if defined(__riscv)
  uint16_t low;
  memcpy(&low, (void *)u->uc_mcontext.__gregs[0], 2);
  u->uc_mcontext.__gregs[0] += (low & 3) == 3 ? 4 : 2;
#elif defined(__x86_64__)
  u->uc_mcontext.gregs[REG_RIP] += 3; /* movb $imm, (%reg) */
#endif
}
static long faulting(long n) {
  long passed = 0;
  for (long i = 0; i < n; i++) {
#if defined(__riscv)
    __asm__ volatile("sb zero, 8(%0)" : : "r"(guarded) : "memory");
#elif defined(__x86_64__)
    __asm__ volatile("movb $0, (%0)" : : "a"(guarded + 8) : "memory");
#endif
    passed++;
  }
  return passed;
}

static void *faulted_out;
static void leave_by_fault(int signo, siginfo_t *info, void *context) {
  (void)signo, (void)context;
  faulted_out = info->si_addr;
  siglongjmp(target, 2);
}
static long walks(long n) { /* off the end of a page, in a loop */
  volatile char *p = guarded - 4096;
  long sum = 0;
  for (long i = 0; i < n; i++) sum += p[i];
  return sum;
}

static long forks(long n) {
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) _exit((int)(n + fib(10)));
  int status = 0;
  waitpid(child, &status, 0);
  return WEXITSTATUS(status);
}

/* ---- code written at run time: returns a constant ---- */
typedef long (*maker)(void);
static void write_code(unsigned char *at, int value) {
#if defined(__riscv)
  uint32_t li = 0x00000513u | (uint32_t)value << 20, ret = 0x00008067u; /* addi a0, zero, value; jalr zero, 0(ra) */
  memcpy(at, &li, 4), memcpy(at + 4, &ret, 4);
#elif defined(__x86_64__)
  unsigned char code[] = {0xb8, (unsigned char)value, (unsigned char)(value >> 8), 0, 0, 0xc3};
  memcpy(at, code, sizeof code);
#endif
  __builtin___clear_cache((char *)at, (char *)at + 8);
}
static unsigned char *code_page;
static long rewrites(long n) {
  long sum = 0;
  for (long i = 0; i < n; i++) {
    write_code(code_page, (int)i + 1);
    for (int k = 0; k < 400; k++) sum += ((maker)(uintptr_t)code_page)();
  }
  return sum;
}

/* ---- coroutines: what swapcontext does, which musl does not have ---- */
#ifdef __riscv
#define SAVED 14
#define RETURN_SLOT 0
__asm__(".text\n.globl stack_swap\nstack_swap:\n addi sp, sp, -112\n sd ra, 0(sp)\n sd s0, 8(sp)\n sd s1, 16(sp)\n"
        " sd s2, 24(sp)\n sd s3, 32(sp)\n sd s4, 40(sp)\n sd s5, 48(sp)\n sd s6, 56(sp)\n sd s7, 64(sp)\n sd s8, 72(sp)\n"
        " sd s9, 80(sp)\n sd s10, 88(sp)\n sd s11, 96(sp)\n sd sp, 0(a0)\n mv sp, a1\n ld ra, 0(sp)\n ld s0, 8(sp)\n"
        " ld s1, 16(sp)\n ld s2, 24(sp)\n ld s3, 32(sp)\n ld s4, 40(sp)\n ld s5, 48(sp)\n ld s6, 56(sp)\n ld s7, 64(sp)\n"
        " ld s8, 72(sp)\n ld s9, 80(sp)\n ld s10, 88(sp)\n ld s11, 96(sp)\n addi sp, sp, 112\n ret\n");
#else
#define SAVED 8
#define RETURN_SLOT 6
__asm__(".text\n.globl stack_swap\nstack_swap:\n push %rbp\n push %rbx\n push %r12\n push %r13\n push %r14\n push %r15\n"
        " mov %rsp, (%rdi)\n mov %rsi, %rsp\n pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbx\n pop %rbp\n ret\n");
#endif
void stack_swap(void **saved, void *to);
static void *main_stack, *other_stack;
static volatile long yielded;
static long yields(long n) {
  for (long i = 0; i < n; i++) {
    yielded = (yielded * 3 + i) & 0xffff;
    stack_swap(&other_stack, main_stack);
  }
  return n;
}
static void coroutine(void) {
  for (;;) sink = under(NEST, yields, 7);
}
static long resumes(long n) {
  long sum = 0;
  for (long i = 0; i < n; i++) {
    stack_swap(&main_stack, other_stack);
    sum += yielded;
  }
  return sum;
}

int main(void) {
  for (int i = 0; i < 300; i++) sink = under(NEST, depth, 20); /* hot */
  printf("fib %u\n", fib(32));
  for (int i = 0; i < 3; i++) printf("depth %ld\n", depth(100000));
  long returns = 0;
  for (volatile int i = 1; i <= 300; i++) {
    int r = sigsetjmp(target, 1);
    if (r == 0) under(NEST, jumps, i);
    returns += r;
  }
  printf("jumps %ld\n", returns);

  signal(SIGALRM, tick);
  struct itimerval every = {{0, 2000}, {0, 2000}}, never = {{0, 0}, {0, 0}};
  setitimer(ITIMER_REAL, &every, NULL);
  printf("signals %ld\n", under(NEST, spins, 10));
  setitimer(ITIMER_REAL, &never, NULL);

  char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  mprotect(pages + 4096, 4096, PROT_NONE);
  guarded = pages + 4096;
  memset(pages, 1, 4096);
  struct sigaction action = {.sa_flags = SA_SIGINFO};
  action.sa_sigaction = skip_fault;
  sigaction(SIGSEGV, &action, NULL);
  for (int i = 0; i < 20; i++) sink = under(NEST, faulting, 20);
  printf("skipped %ld of 400, passed %ld\n", faults, sink);
  action.sa_sigaction = leave_by_fault;
  sigaction(SIGSEGV, &action, NULL);
  long left = 0;
  for (volatile int i = 0; i < 100; i++) {
    if (sigsetjmp(target, 1) == 0) under(NEST, walks, 5000);
    else left += faulted_out == guarded;
  }
  printf("left %ld\n", left);

  static _Alignas(16) void *stack[8192];
  other_stack = stack + 8192 - SAVED;
  ((void **)other_stack)[RETURN_SLOT] = (void *)(uintptr_t)coroutine;
  printf("coroutines %ld\n", under(NEST, resumes, 3000));

  long children = 0;
  for (int i = 0; i < 10; i++) children += under(NEST, forks, i);
  printf("children %ld\n", children);

  code_page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  printf("rewritten %ld\n", under(NEST, rewrites, 60));
  munmap(code_page, 4096);
  unsigned char *again = mmap(code_page, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  write_code(again, 77);
  printf("mapped anew %ld\n", ((maker)(uintptr_t)again)());
  return 0;
}
