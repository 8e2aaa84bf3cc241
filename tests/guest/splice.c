/* splice(2), tee(2), vmsplice(2). */
#include "try.h"
#include <signal.h>
#include <sys/socket.h>

static int p[2], q[2];
static char buf[200000];

static void take(int fd, int most) {
  ssize_t n = read(fd, buf, (size_t)most);
  printf("read %zd [%.*s]\n", n, n < 0 ? 0 : n > 40 ? 40 : (int)n, buf);
}

int main(void) {
  enter("splice");
  signal(SIGPIPE, SIG_IGN);
  if (pipe(p) || pipe(q)) return 1;
  put("in", "hello splice, this is a file");
  int in = open("in", O_RDONLY), out = open("out", O_RDWR | O_CREAT | O_TRUNC, 0644);
  TRY(splice(in, NULL, out, NULL, 10, 0));
  TRY(splice(in, NULL, p[0], NULL, 10, 0));
  TRY(splice(p[1], NULL, out, NULL, 10, 0));
  TRY(splice(99, NULL, out, NULL, 10, 0));
  TRY(splice(in, NULL, p[1], NULL, 10, 0x1000));
  TRY(splice(in, NULL, p[1], NULL, 0, 0));
  loff_t off = 6;
  TRY(splice(in, &off, p[1], &off, 5, 0));
  TRY(splice(in, &off, p[1], NULL, 6, 0));
  SHOW("%lld", (long long)off);
  TRY(splice(in, NULL, p[1], NULL, 5, 0));
  SHOW("%ld", (long)lseek(in, 0, SEEK_CUR));
  TRY(tee(p[0], q[1], 8, 0));
  TRY(tee(p[0], q[1], 100, SPLICE_F_NONBLOCK));
  TRY(tee(p[0], p[1], 8, 0));
  TRY(tee(in, p[1], 8, 0));
  take(q[0], 100);
  TRY(tee(q[0], p[1], 8, SPLICE_F_NONBLOCK));
  off = 3;
  TRY(splice(p[0], NULL, out, &off, 4, 0));
  SHOW("%lld", (long long)off);
  TRY(splice(p[0], NULL, out, NULL, 100, 0));
  SHOW("%ld", (long)lseek(out, 0, SEEK_CUR));
  show("out");
  TRY(splice(p[0], NULL, out, NULL, 100, SPLICE_F_NONBLOCK));
  int append = open("out", O_WRONLY | O_APPEND);
  write(p[1], "abc", 3);
  TRY(splice(p[0], NULL, append, NULL, 3, 0));
  TRY(splice(p[0], NULL, q[1], NULL, 100, 0));
  take(q[0], 100);
  /* the end of a file, more than a pipe holds */
  TRY((lseek(in, 0, SEEK_END), splice(in, NULL, p[1], NULL, 100, 0)));
  int big = open("big", O_RDWR | O_CREAT, 0644);
  TRY(ftruncate(big, 200000));
  TRY(splice(big, NULL, p[1], NULL, 200000, 0));
  TRY(splice(big, NULL, p[1], NULL, 200000, SPLICE_F_NONBLOCK));
  SHOW("%d", (int)read(p[0], buf, sizeof buf));
  /* sockets, and a waiting end */
  int s[2];
  socketpair(AF_UNIX, SOCK_STREAM, 0, s);
  write(s[0], "by socket", 9);
  TRY(splice(s[1], NULL, p[1], NULL, 100, 0));
  TRY(splice(p[0], NULL, s[1], NULL, 100, 0));
  take(s[0], 100);
  if (!fork()) {
    usleep(20000);
    write(p[1], "late", 4);
    _exit(0);
  }
  TRY(splice(p[0], NULL, s[1], NULL, 100, 0));
  wait(NULL);
  take(s[0], 100);
  /* memory */
  struct iovec v[2] = {{(void *)"one ", 4}, {(void *)"two", 3}};
  TRY(vmsplice(p[1], v, 2, 0));
  char there[8] = {0};
  v[0] = (struct iovec){there, 5};
  TRY(vmsplice(p[0], v, 1, 0));
  SHOW("%s", there);
  TRY(vmsplice(in, v, 1, 0));
  take(p[0], 100);
  close(p[0]);
  TRY(splice(in, &off, p[1], NULL, 5, 0));
  TRY(vmsplice(p[1], v, 1, 0));
  close(q[1]);
  TRY(splice(q[0], NULL, out, NULL, 5, 0));
  TRY(tee(q[0], p[1], 5, 0));
  return 0;
}
