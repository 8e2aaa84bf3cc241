/* wasi/socket: sock_accept, sock_recv, sock_send, sock_shutdown: on sockets that the process was given (preview 1 makes
 * none itself). A send that meets no reader is EPIPE without a signal. */
#include "wasi.h"

#include "../net/net.h"

static int socket_in(u32 fd, struct ofd **f, struct socket **s) {
  *f = wasi_hold((i32)fd);
  if (!*f) return -EBADF;
  return (*s = socket_of(*f)) ? 0 : -ENOTSOCK;
}

i64 wasi_do_sock_accept(u32 fd, u32 flags, u32 connection) {
  struct ofd *f AUTO_OFD = NULL;
  struct socket *s, *end;
  int r = socket_in(fd, &f, &s);
  if (!r && flags & ~(u32)WASI_FDFLAGS_NONBLOCK) r = -EINVAL;
  if (!r && access_prepare(connection, 4, ACCESS_W)) r = -EFAULT;
  if (!r) r = socket_accept(s, f->flags & O_NONBLOCK, &end);
  if (r) return r;
  struct ofd *made = socket_ofd(end, flags & WASI_FDFLAGS_NONBLOCK ? SOCK_NONBLOCK : 0);
  if (!made) return -ENOMEM;
  int number = fd_install(current->process->fds, made, 0, fd_limit(), true);
  if (number < 0) {
    ofd_put(made);
    return number;
  }
  wasi_fd_forget(number);
  return wasi_out32(connection, (u32)number);
}

i64 wasi_do_sock_recv(u32 fd, u32 iovs, u32 iovs_len, u32 flags, u32 received, u32 out_flags) {
  struct ofd *f AUTO_OFD = NULL;
  struct socket *s;
  struct iobuf io;
  int r = socket_in(fd, &f, &s);
  if (!r && flags & ~(u32)(WASI_RIFLAGS_RECV_PEEK | WASI_RIFLAGS_RECV_WAITALL)) r = -EOPNOTSUPP;
  if (!r) r = wasi_iobuf(&io, iovs, iovs_len);
  if (r) return r;
  if (iobuf_prepare(&io, ACCESS_W)) return iobuf_free(&io), -EFAULT;
  struct socket_message m = {0};
  u32 linux_flags = (flags & WASI_RIFLAGS_RECV_PEEK ? MSG_PEEK : 0) | (flags & WASI_RIFLAGS_RECV_WAITALL ? MSG_WAITALL : 0);
  i64 n = socket_receive(s, &io, &m, linux_flags | (f->flags & O_NONBLOCK ? MSG_DONTWAIT : 0));
  iobuf_free(&io);
  for (u32 i = 0; i < m.rights_count; i++) ofd_put(m.rights[i]);
  kfree(m.rights);
  if (n < 0) return n;
  u16 told = m.flags & MSG_TRUNC ? WASI_ROFLAGS_RECV_DATA_TRUNCATED : 0;
  return COPY_OUT(out_flags, told) ? -EFAULT : wasi_out32(received, (u32)n);
}

i64 wasi_do_sock_send(u32 fd, u32 iovs, u32 iovs_len, u32 flags, u32 sent) {
  struct ofd *f AUTO_OFD = NULL;
  struct socket *s;
  struct iobuf io;
  int r = socket_in(fd, &f, &s);
  if (!r && flags) r = -EINVAL;
  if (!r) r = wasi_iobuf(&io, iovs, iovs_len);
  if (r) return r;
  if (iobuf_prepare(&io, ACCESS_R)) return iobuf_free(&io), -EFAULT;
  struct socket_context ctx = {.who = socket_caller(), .fs = caller_fs(), .cred = caller()};
  struct socket_message m = {0};
  i64 n = socket_send(s, &io, &m, f->flags & O_NONBLOCK ? MSG_DONTWAIT | MSG_NOSIGNAL : MSG_NOSIGNAL, &ctx);
  iobuf_free(&io);
  return n < 0 ? n : wasi_out32(sent, (u32)n);
}

i64 wasi_do_sock_shutdown(u32 fd, u32 how) {
  struct ofd *f AUTO_OFD = NULL;
  struct socket *s;
  int r = socket_in(fd, &f, &s);
  if (r) return r;
  if (!how || how > (WASI_SDFLAGS_RD | WASI_SDFLAGS_WR)) return -EINVAL;
  return socket_shutdown(s, how == WASI_SDFLAGS_RD ? SHUT_RD : how == WASI_SDFLAGS_WR ? SHUT_WR : SHUT_RDWR);
}
