/* Helpers of the file tests: print what a call returned, with the error's name, so that two systems can be compared. */
#ifndef TRY_H
#define TRY_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

/* The call's text, its value, and strerror when it is negative. */
#define TRY(call)                                                                                                        \
  do {                                                                                                                   \
    errno = 0;                                                                                                           \
    long got_ = (long)(call);                                                                                            \
    if (got_ < 0)                                                                                                        \
      printf("%s: %s\n", #call, strerror(errno));                                                                        \
    else                                                                                                                 \
      printf("%s: %ld\n", #call, got_);                                                                                  \
  } while (0)
/* An open whose number does not matter. */
#define OPEN(...)                                                                                                        \
  do {                                                                                                                   \
    int fd_ = open(__VA_ARGS__);                                                                                         \
    printf("open(%s): %s\n", #__VA_ARGS__, fd_ < 0 ? strerror(errno) : "ok");                                            \
    if (fd_ >= 0) close(fd_);                                                                                            \
  } while (0)
#define SHOW(format, ...) printf(#__VA_ARGS__ ": " format "\n", __VA_ARGS__)

static inline void put(const char *path, const char *text) {
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text)) printf("put %s: %s\n", path, strerror(errno));
  if (fd >= 0) close(fd);
}
static inline void show(const char *path) {
  char buf[256];
  int fd = open(path, O_RDONLY);
  ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof buf);
  if (n < 0)
    printf("%s: %s\n", path, strerror(errno));
  else
    printf("%s: [%.*s]\n", path, (int)n, buf);
  if (fd >= 0) close(fd);
}
static inline struct stat stat_of(const char *path) {
  struct stat st;
  memset(&st, 0, sizeof st);
  if (lstat(path, &st)) printf("lstat %s: %s\n", path, strerror(errno));
  return st;
}
/* A fresh directory to work in. */
static inline void enter(const char *name) {
  setvbuf(stdout, NULL, _IONBF, 0);
  umask(022);
  char dir[64];
  snprintf(dir, sizeof dir, "%s.dir", name); /* the program may lie beside it */
  if (mkdir(dir, 0755) || chdir(dir)) printf("enter %s: %s\n", name, strerror(errno)), exit(1);
}
/* Run fn in a child as user 1000. */
static inline void as_user(void (*fn)(void)) {
  pid_t pid = fork();
  if (!pid) {
    if (setgid(1000) || setuid(1000)) printf("setuid: %s\n", strerror(errno));
    fn();
    _exit(0);
  }
  int status;
  waitpid(pid, &status, 0);
  if (status) printf("child: status %x\n", status);
}
#endif
