/* A server on the listening socket that it was given as descriptor 0: one connection, what came
 * goes back in capitals. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <wasi/api.h>

#define CHECK(call)                                      \
  do {                                                   \
    __wasi_errno_t e = call;                             \
    if (e) return printf("%s: errno %d\n", #call, e), 1; \
  } while (0)

int main(void) {
  __wasi_fd_t fd;
  __wasi_fdstat_t stat;
  CHECK(__wasi_sock_accept(0, 0, &fd));
  CHECK(__wasi_fd_fdstat_get(fd, &stat));
  printf("accepted a %s\n", stat.fs_filetype == __WASI_FILETYPE_SOCKET_STREAM ? "stream" : "?");

  char text[64];
  size_t n, sent;
  __wasi_roflags_t flags;
  __wasi_iovec_t in = {(uint8_t *)text, 2};
  CHECK(__wasi_sock_recv(fd, &in, 1, __WASI_RIFLAGS_RECV_PEEK, &n, &flags));
  printf("peeked %.*s\n", (int)n, text);
  in.buf_len = 9; /* comes in two pieces */
  CHECK(__wasi_sock_recv(fd, &in, 1, __WASI_RIFLAGS_RECV_WAITALL, &n, &flags));
  printf("received %.*s\n", (int)n, text);

  for (size_t i = 0; i < n; i++) text[i] = (char)toupper(text[i]);
  __wasi_ciovec_t out[2] = {{(uint8_t *)text, 4}, {(uint8_t *)text + 4, n - 4}};
  CHECK(__wasi_sock_send(fd, out, 2, 0, &sent));
  CHECK(__wasi_sock_shutdown(fd, __WASI_SDFLAGS_WR));
  printf("sent %zu, then errno %d\n", sent, __wasi_sock_send(fd, out, 1, 0, &sent));

  __wasi_subscription_t wait = {.u = {.tag = __WASI_EVENTTYPE_FD_READ, .u = {.fd_read = {fd}}}};
  __wasi_event_t event;
  CHECK(__wasi_poll_oneoff(&wait, &event, 1, &n));
  CHECK(__wasi_sock_recv(fd, &in, 1, 0, &n, &flags));
  printf("the end: %zu, hung up %d\n", n, event.fd_readwrite.flags & __WASI_EVENTRWFLAGS_FD_READWRITE_HANGUP ? 1 : 0);
  return 0;
}
