/* process_vm_readv(2), process_vm_writev(2): into oneself, a child that runs, sleeps, is stopped, is gone. */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "check.h"

#define PAGE 4096
#define BIG (300 * 1024)
static const char *why(long r) {
  static char number[24];
  if (r >= 0) {
    snprintf(number, sizeof number, "%ld", r);
    return number;
  }
  return errno == EFAULT ? "EFAULT" : errno == EINVAL ? "EINVAL" : errno == ESRCH ? "ESRCH" : errno == EPERM ? "EPERM"
                                                                                                             : strerror(errno);
}
static void show(const char *what, long r) {
  printf("%s: %s\n", what, why(r));
  fflush(stdout);
}
static long get(pid_t pid, void *to, size_t room, const void *from, size_t bytes) {
  struct iovec local = {to, room}, remote = {(void *)from, bytes};
  return process_vm_readv(pid, &local, 1, &remote, 1, 0);
}
static long put(pid_t pid, void *to, const void *from, size_t bytes) {
  struct iovec local = {(void *)from, bytes}, remote = {to, bytes};
  return process_vm_writev(pid, &local, 1, &remote, 1, 0);
}

static volatile int word = 1;
static char text[] = "parent", copy[BIG];

int main(void) {
  show("self", get(getpid(), copy, 7, text, 7));
  printf("%s\n", copy);
  show("flags", process_vm_readv(getpid(), NULL, 0, NULL, 0, 1));
  show("nothing", process_vm_readv(getpid(), NULL, 0, NULL, 0, 0));
  show("too many", process_vm_readv(getpid(), NULL, 2000, NULL, 0, 0));
  show("nobody", get(0x3ffffe, copy, 1, text, 1));

  char *area = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  char *big = mmap(NULL, BIG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  int ready[2], go[2];
  pipe(ready), pipe(go);
  prctl(PR_SET_DUMPABLE, 1);
  pid_t child = fork();
  if (!child) {
    strcpy(text, "child");
    memset(area, 'a', 4 * PAGE);
    munmap(area + 2 * PAGE, PAGE);
    mprotect(area + 3 * PAGE, PAGE, PROT_READ);
    for (int i = 0; i < BIG; i++) big[i] = (char)(i * 7 + i / 4096);
    char byte = 0;
    write(ready[1], "r", 1);
    while (word == 1) sched_yield(); /* runs */
    write(ready[1], "r", 1);
    read(go[0], &byte, 1); /* sleeps */
    _exit(word == 3 && !strcmp(text, "chosen") ? 7 : 1);
  }
  char byte;
  read(ready[0], &byte, 1);
  show("running child", get(child, copy, 6, text, 6));
  printf("%s, ours is %s\n", copy, text);
  int two = 2, three = 3;
  show("write", put(child, (void *)&word, &two, sizeof two));
  read(ready[0], &byte, 1);
  show("sleeping child", get(child, copy, sizeof word, (void *)&word, sizeof word));
  printf("word %d, ours %d\n", *(int *)copy, word);
  show("write", put(child, (void *)&word, &three, sizeof three));
  show("write", put(child, text, "chosen", 7));
  show("much", get(child, copy, BIG, big, BIG));
  int same = 1;
  for (int i = 0; i < BIG; i++) same &= copy[i] == (char)(i * 7 + i / 4096);
  check("all of it", same);
  show("a hole behind", get(child, copy, 4 * PAGE, area, 4 * PAGE));
  show("a hole", get(child, copy, PAGE, area + 2 * PAGE, PAGE));
  show("write into read-only", put(child, area + 3 * PAGE, "x", 1));
  show("write up to a hole", put(child, area + PAGE, copy, 2 * PAGE));
  show("nowhere to put it", get(child, (void *)16, 8, text, 8));
  struct iovec local[3] = {{copy, 2}, {copy + 2, 0}, {copy + 2, 4}}, remote[2] = {{text, 3}, {area, 100}};
  show("gathered", process_vm_readv(child, local, 3, remote, 2, 0));
  printf("%.6s\n", copy);
  remote[1].iov_base = (void *)64;
  show("second bad", process_vm_readv(child, local, 3, remote, 2, 0));
  kill(child, SIGSTOP);
  int status;
  waitpid(child, &status, WUNTRACED);
  show("stopped child", get(child, copy, 7, text, 7));
  printf("%s\n", copy);
  kill(child, SIGCONT);
  write(go[1], "g", 1);
  siginfo_t info;
  waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT);
  show("zombie", get(child, copy, 1, text, 1));
  waitpid(child, &status, 0);
  printf("exit %d\n", WEXITSTATUS(status));
  show("gone", get(child, copy, 1, text, 1));
  if (!(child = fork())) {
    int other = !setgid(12345) && !setuid(12345); /* only root can */
    long r = get(getppid(), copy, 1, text, 1);
    check("another user's is refused", other ? r < 0 && errno == EPERM : r == 1);
    _exit(0);
  }
  waitpid(child, &status, 0);
  return 0;
}
