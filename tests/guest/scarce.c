/* A little of everything by a program that takes ENOMEM for an answer: the n-th allocation of the kernel may fail in any
 * of it (tests/kernel/test_exhaustion.py). Prints one line at the end. */
#define _GNU_SOURCE
#include "check.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/wait.h>

static void *thread(void *arg) { return arg; }

static void everything(void) {
  int two[2], fd;
  char *p;
  mkdir("dir", 0755), unlink("dir/link");
  if (symlink("file", "dir/link")) errno = 0;
  for (int i = 0; i < 20; i++) {
    char name[32];
    snprintf(name, sizeof name, "dir/f%d", i);
    fd = open(name, O_RDWR | O_CREAT, 0644);
    if (fd >= 0 && write(fd, name, sizeof name) > 0) lseek(fd, 1 << 20, SEEK_SET);
    if (fd >= 0 && write(fd, name, sizeof name) > 0) fsync(fd);
    if (fd >= 0) {
      p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
      if (p != MAP_FAILED) munmap(p, 8192);
      close(fd);
    }
    rename(name, "dir/renamed");
  }
  if (!pipe(two)) {
    if (write(two[1], "x", 1) == 1) fcntl(two[0], F_SETPIPE_SZ, 65536 * 2);
    close(two[0]), close(two[1]);
  }
  if (!socketpair(AF_UNIX, SOCK_STREAM, 0, two)) {
    if (write(two[0], "hello", 5) == 5) shutdown(two[0], SHUT_WR);
    close(two[0]), close(two[1]);
  }
  int ep = epoll_create1(0), ev = eventfd(1, 0), tm = timerfd_create(CLOCK_MONOTONIC, 0), in = inotify_init1(IN_NONBLOCK);
  struct epoll_event e = {.events = EPOLLIN};
  epoll_ctl(ep, EPOLL_CTL_ADD, ev, &e), epoll_ctl(ep, EPOLL_CTL_ADD, tm, &e), epoll_wait(ep, &e, 1, 0);
  inotify_add_watch(in, "dir", IN_ALL_EVENTS);
  close(open("dir/renamed", O_RDONLY)), close(ep), close(ev), close(tm), close(in);
  p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (p != MAP_FAILED) munmap(p, 1 << 20);
  pthread_t t;
  if (!pthread_create(&t, NULL, thread, NULL)) pthread_join(t, NULL);
  pid_t pid = fork();
  if (!pid) _exit(0);
  if (pid > 0) waitpid(pid, NULL, 0);
  pid = vfork();
  if (!pid) {
    execl("/no/such", "such", NULL);
    _exit(0);
  }
  if (pid > 0) waitpid(pid, NULL, 0);
  int m = posix_openpt(O_RDWR | O_NOCTTY);
  if (m >= 0) grantpt(m), unlockpt(m), close(m);
}

int main(void) {
  everything();
  everything(); /* whatever failed, the second time nothing does */
  pid_t pid = fork();
  if (!pid) _exit(7);
  int status = 0;
  waitpid(pid, &status, 0);
  check("still alive", WIFEXITED(status) && WEXITSTATUS(status) == 7);
  return 0;
}
