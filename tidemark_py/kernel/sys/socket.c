/* sys/socket: the socket calls (socket(2) and its neighbours, sendmsg(2), recvmsg(2), cmsg(3), SCM_RIGHTS and
 * SCM_CREDENTIALS of unix(7)). Thin: net/ does the work; here guest structures become kernel ones.
 * Missing: out-of-band data. */
#include "../gen/syscalls.h"
#include "../net/ancillary.h"
#include "event.h"

static struct socket_context context(void) {
  const struct process *p = current->process;
  return (struct socket_context){.who = {.pid = p->pid, .uid = p->cred.uid, .gid = p->cred.gid}, .fs = p->fs, .cred = &p->cred};
}
struct guest_ucred socket_caller(void) { return context().who; }
static struct socket_context effective_context(void) { /* what SO_PEERCRED tells */
  struct socket_context c = context();
  c.who.uid = current->process->cred.euid, c.who.gid = current->process->cred.egid;
  return c;
}

static struct socket *get(i32 fd, struct ofd **f, int *error) {
  *f = fd_get(current->process->fds, fd);
  struct socket *s = *f && !((*f)->flags & O_PATH) ? socket_of(*f) : NULL;
  *error = s ? 0 : *f && !((*f)->flags & O_PATH) ? -ENOTSOCK : -EBADF;
  return s;
}
#define GET_SOCKET(fd)                                                                                                   \
  struct ofd *f UNUSED;                                                                                                  \
  int r;                                                                                                                 \
  struct socket *s = get(fd, &f, &r);                                                                                    \
  if (!s) return r

static void ofd_release_cleanup(struct ofd **f) {
  if (*f) ofd_put(*f);
}
/* Calls that park keep the description: another thread may close it meanwhile. */
#define HOLD_SOCKET() \
  struct ofd *held __attribute__((cleanup(ofd_release_cleanup))) UNUSED = f; \
  ofd_get(f)

static int address_in(uaddr_t addr, u32 bytes, struct socket_address *a) {
  *a = (struct socket_address){0};
  if ((i32)bytes < 0 || bytes > sizeof a->data) return -EINVAL;
  if (copy_in(a->data, addr, bytes)) return -EFAULT;
  a->bytes = bytes;
  return 0;
}

/* At most the room the caller has; the whole length comes back. */
static int address_out(const struct socket_address *a, uaddr_t addr, uaddr_t length) {
  i32 room;
  if (COPY_IN(room, length)) return -EFAULT;
  if (room < 0) return -EINVAL;
  if (copy_out(addr, a->data, MIN((u32)room, a->bytes))) return -EFAULT;
  return COPY_OUT(length, a->bytes);
}
static struct socket_address family_only(const struct socket *s) {
  return (struct socket_address){.bytes = 2, .data = {(u8)s->domain}};
}

static void tell_refused(u64 a, u64 b) {
  event_post(EVENT_NET_REFUSED, current->process->pid, current->tid, (i64)a, (i64)b);
  host_notify(ROLE_KERNEL, NOTIFY_NET_REFUSED, (u32)counters.event_seq);
}

i64 sys_socket(i32 domain, i32 type, i32 protocol) {
  u32 flags = (u32)type & ~(u32)SOCK_TYPE_MASK;
  if (flags & ~(u32)(SOCK_CLOEXEC | SOCK_NONBLOCK)) return -EINVAL;
  struct socket_context ctx = effective_context();
  struct socket *s;
  int r = socket_new((u32)domain, (u32)type & SOCK_TYPE_MASK, (u32)protocol, &ctx, &s);
  if (r == -EAFNOSUPPORT || r == -EPROTONOSUPPORT || r == -ESOCKTNOSUPPORT) /* raw, packet ...: told to whoever audits */
    tell_refused((u32)protocol, ((u32)domain & 0xffffu) | ((u32)type & SOCK_TYPE_MASK) << 16 | 1ull << 33);
  if (r) return r;
  struct ofd *f = socket_ofd(s, flags);
  return f ? install_new_ofd(f, flags & SOCK_CLOEXEC) : -ENOMEM;
}

i64 sys_socketpair(i32 domain, i32 type, i32 protocol, uaddr_t sv) {
  u32 flags = (u32)type & ~(u32)SOCK_TYPE_MASK;
  if (flags & ~(u32)(SOCK_CLOEXEC | SOCK_NONBLOCK)) return -EINVAL;
  int r = access_prepare(sv, 2 * sizeof(i32), ACCESS_W);
  if (r) return r;
  struct socket_context ctx = effective_context();
  struct socket *a, *b;
  if ((r = socket_pair((u32)domain, (u32)type & SOCK_TYPE_MASK, (u32)protocol, &ctx, &a, &b))) return r;
  struct ofd *fa = socket_ofd(a, flags), *fb = socket_ofd(b, flags);
  if (!fa || !fb) {
    if (fa) ofd_put(fa);
    if (fb) ofd_put(fb);
    return -ENOMEM;
  }
  i32 fds[2];
  fds[0] = (i32)install_new_ofd(fa, flags & SOCK_CLOEXEC);
  if (fds[0] < 0) {
    ofd_put(fb);
    return fds[0];
  }
  fds[1] = (i32)install_new_ofd(fb, flags & SOCK_CLOEXEC);
  if (fds[1] < 0) {
    fd_close(current->process->fds, fds[0]);
    return fds[1];
  }
  return copy_out(sv, fds, sizeof fds);
}

i64 sys_bind(i32 fd, uaddr_t addr, u32 addrlen) {
  GET_SOCKET(fd);
  struct socket_address a;
  if ((r = address_in(addr, addrlen, &a))) return r;
  struct socket_context ctx = context();
  return socket_bind(s, &ctx, &a);
}

i64 sys_listen(i32 fd, i32 backlog) {
  GET_SOCKET(fd);
  struct socket_context ctx = effective_context();
  return socket_listen(s, &ctx, backlog);
}

/* What found no way out is told to whoever audits. */
static i64 audited(const struct socket *s, const struct socket_address *a, i64 result) {
  if (result != -ENETUNREACH || a->bytes < sizeof(struct guest_sockaddr_in)) return result;
  bool v6 = ADDRESS_FAMILY(a) == AF_INET6;
  u64 address = 0;
  for (u32 i = 0; i < (v6 ? 8u : 4u); i++) address = address << 8 | a->data[(v6 ? 16u : 4u) + i];
  tell_refused(address, (u64)inet_port(a) | (u64)s->protocol << 16 | (u64)v6 << 32);
  return result;
}

i64 sys_connect(i32 fd, uaddr_t addr, u32 addrlen) {
  struct socket_address a;
  int bad = address_in(addr, addrlen, &a);
  const struct ofd *any = fd_get(current->process->fds, fd);
  if (bad && any && !(any->flags & O_PATH)) return bad; /* Linux looks at the address before the kind of descriptor */
  GET_SOCKET(fd);
  HOLD_SOCKET();
  struct socket_context ctx = context();
  return audited(s, &a, socket_connect(s, &ctx, &a, f->flags & O_NONBLOCK));
}

i64 sys_accept4(i32 fd, uaddr_t addr, uaddr_t addrlen, u32 flags) {
  if (flags & ~(u32)(SOCK_CLOEXEC | SOCK_NONBLOCK)) return -EINVAL;
  GET_SOCKET(fd);
  HOLD_SOCKET();
  struct socket *end;
  if ((r = socket_accept(s, f->flags & O_NONBLOCK, &end))) return r;
  struct socket_address a = end->remote.bytes ? end->remote : family_only(end);
  struct ofd *conn = socket_ofd(end, flags);
  if (!conn) return -ENOMEM;
  if (addr && (r = address_out(&a, addr, addrlen))) {
    ofd_put(conn);
    return r;
  }
  return install_new_ofd(conn, flags & SOCK_CLOEXEC);
}
i64 sys_accept(i32 fd, uaddr_t addr, uaddr_t addrlen) { return sys_accept4(fd, addr, addrlen, 0); }

i64 sys_getsockname(i32 fd, uaddr_t addr, uaddr_t addrlen) {
  GET_SOCKET(fd);
  struct socket_address a = s->local.bytes ? s->local : family_only(s);
  return address_out(&a, addr, addrlen);
}
i64 sys_getpeername(i32 fd, uaddr_t addr, uaddr_t addrlen) {
  GET_SOCKET(fd);
  if (s->state != SOCKET_CONNECTED) return -ENOTCONN;
  struct socket_address a = s->remote.bytes ? s->remote : family_only(s);
  return address_out(&a, addr, addrlen);
}

i64 sys_shutdown(i32 fd, i32 how) {
  GET_SOCKET(fd);
  return socket_shutdown(s, how);
}

i64 sys_setsockopt(i32 fd, i32 level, i32 optname, uaddr_t optval, u32 optlen) {
  GET_SOCKET(fd);
  u8 value[128] = {0};
  if ((i32)optlen < 0) return -EINVAL;
  if (s->domain == AF_UNIX && level != SOL_SOCKET) return -EOPNOTSUPP;
  u32 bytes = MIN(optlen, (u32)sizeof value);
  if (copy_in(value, optval, bytes)) return -EFAULT;
  return socket_option_set(s, level, optname, value, bytes);
}
i64 sys_getsockopt(i32 fd, i32 level, i32 optname, uaddr_t optval, uaddr_t optlen) {
  GET_SOCKET(fd);
  u8 value[128] = {0};
  i32 room;
  if (s->domain == AF_UNIX && level != SOL_SOCKET) return -EOPNOTSUPP;
  if (COPY_IN(room, optlen)) return -EFAULT;
  if (room < 0) return -EINVAL;
  u32 bytes = MIN((u32)room, (u32)sizeof value);
  if ((r = socket_option_get(s, level, optname, value, &bytes))) return r;
  if (copy_out(optval, value, bytes)) return -EFAULT;
  return COPY_OUT(optlen, bytes);
}

/* ---- sending ---- */
static u32 call_flags(const struct ofd *f, u32 flags) { return f->flags & O_NONBLOCK ? flags | MSG_DONTWAIT : flags; }

static i64 send(struct ofd *f, struct socket *s, struct iobuf *io, struct socket_message *m, u32 flags) {
  struct socket_context ctx = context();
  if (!m->who.pid) m->who = ctx.who;
  i64 n = audited(s, &m->name, socket_send(s, io, m, call_flags(f, flags), &ctx));
  if (n == -EPIPE && !(flags & MSG_NOSIGNAL) && socket_is_stream(s)) signal_thread(current, SIGPIPE, NULL);
  return n;
}

i64 sys_sendto(i32 fd, uaddr_t buf, u64 len, u32 flags, uaddr_t addr, u32 addrlen) {
  GET_SOCKET(fd);
  HOLD_SOCKET();
  struct socket_message m = {0};
  if (addr && (r = address_in(addr, addrlen, &m.name))) return r;
  struct iobuf io;
  iobuf_init_guest(&io, buf, MIN(len, 0x7ffff000ull));
  if ((r = iobuf_prepare(&io, ACCESS_R))) return r;
  return send(f, s, &io, &m, flags);
}

/* The descriptors and credentials of a control buffer. m->rights is allocated; references are not taken. */
static int control_in(const struct socket *s, uaddr_t control, u64 bytes, struct socket_message *m) {
  if (!bytes) return 0;
  if (bytes > 65536) return -ENOBUFS;
  AUTO_KFREE u8 *data = kmalloc(bytes);
  if (!data) return -ENOMEM;
  if (copy_in(data, control, bytes)) return -EFAULT;
  const struct process *p = current->process;
  for (u64 at = 0; bytes - at >= sizeof(struct guest_cmsghdr);) {
    struct guest_cmsghdr h;
    memcpy(&h, data + at, sizeof h);
    if (h.cmsg_len < sizeof h || h.cmsg_len > bytes - at) return -EINVAL;
    const u8 *body = data + at + sizeof h;
    u64 n = h.cmsg_len - sizeof h;
    if (s->domain != AF_UNIX) {
      int r = ancillary_in(s, h.cmsg_level, h.cmsg_type, body, n, m);
      if (r) return r;
    } else if (h.cmsg_level == SOL_SOCKET && h.cmsg_type == SCM_RIGHTS) {
      u32 count = (u32)(n / sizeof(i32));
      if (m->rights_count + count > SOCKET_RIGHTS_MAX) return -EINVAL;
      struct ofd **rights = krealloc(m->rights, (m->rights_count + count + 1) * sizeof *rights);
      if (!rights) return -ENOMEM;
      m->rights = rights;
      for (u32 i = 0; i < count; i++) {
        i32 fd;
        memcpy(&fd, body + i * sizeof fd, sizeof fd);
        struct ofd *f = fd_get(p->fds, fd);
        if (!f) return -EBADF;
        m->rights[m->rights_count++] = f;
      }
    } else if (h.cmsg_level == SOL_SOCKET && h.cmsg_type == SCM_CREDENTIALS) {
      struct guest_ucred who;
      if (n != sizeof who) return -EINVAL;
      memcpy(&who, body, sizeof who);
      bool uid_ok = who.uid == p->cred.uid || who.uid == p->cred.euid || who.uid == p->cred.suid;
      bool gid_ok = who.gid == p->cred.gid || who.gid == p->cred.egid || who.gid == p->cred.sgid;
      if (who.pid != p->pid && !credentials_capable(&p->cred, CAP_SYS_ADMIN)) return -EPERM;
      if (!uid_ok && !credentials_capable(&p->cred, CAP_SETUID)) return -EPERM;
      if (!gid_ok && !credentials_capable(&p->cred, CAP_SETGID)) return -EPERM;
      if (who.pid != p->pid && !process_find(who.pid)) return -ESRCH;
      m->who = who;
    } else if (h.cmsg_level == SOL_SOCKET) {
      return -EINVAL;
    }
    u64 step = ALIGN_UP(h.cmsg_len, (u64)8);
    if (step >= bytes - at) break;
    at += step;
  }
  return 0;
}

i64 sys_sendmsg(i32 fd, uaddr_t msg, u32 flags) {
  GET_SOCKET(fd);
  HOLD_SOCKET();
  struct guest_msghdr h;
  struct socket_message m = {0};
  if (COPY_IN(h, msg)) return -EFAULT;
  if (h.msg_iovlen > IOV_MAX) return -EMSGSIZE;
  if (h.msg_name && h.msg_namelen && (r = address_in(h.msg_name, MIN(h.msg_namelen, 128u), &m.name))) return r;
  struct iobuf io;
  if ((r = iobuf_init_iovec(&io, h.msg_iov, (u32)h.msg_iovlen))) return r;
  i64 n = h.msg_control ? control_in(s, h.msg_control, h.msg_controllen, &m) : 0;
  if (!n) n = iobuf_prepare(&io, ACCESS_R);
  if (!n) n = send(f, s, &io, &m, flags);
  kfree(m.rights);
  iobuf_free(&io);
  return n;
}

/* ---- receiving ---- */
/* A UNIX stream that never was connected: Linux says so before it looks at the buffers or flags. */
static bool never_connected(const struct socket *s) {
  return s->domain == AF_UNIX && socket_is_stream(s) && (s->state == SOCKET_FRESH || s->state == SOCKET_LISTENING);
}

i64 sys_recvfrom(i32 fd, uaddr_t buf, u64 len, u32 flags, uaddr_t addr, uaddr_t addrlen) {
  GET_SOCKET(fd);
  HOLD_SOCKET();
  struct socket_message m = {0};
  struct iobuf io;
  iobuf_init_guest(&io, buf, MIN(len, 0x7ffff000ull));
  if (never_connected(s)) return -EINVAL;
  if ((r = iobuf_prepare(&io, ACCESS_W))) return r;
  i64 n = socket_receive(s, &io, &m, call_flags(f, flags));
  for (u32 i = 0; i < m.rights_count; i++) ofd_put(m.rights[i]);
  kfree(m.rights);
  if (n >= 0 && addr && (r = address_out(&m.name, addr, addrlen))) return r;
  return n;
}

struct control_writer {
  uaddr_t at;
  u64 left, used;
  u32 flags; /* MSG_CTRUNC */
};
static int control_out(struct control_writer *w, i32 level, i32 type, const void *data, u32 bytes) {
  struct guest_cmsghdr h = {.cmsg_len = sizeof h + bytes, .cmsg_level = level, .cmsg_type = type};
  if (w->left < sizeof h) {
    w->flags |= MSG_CTRUNC;
    return 0;
  }
  if (w->left < h.cmsg_len) w->flags |= MSG_CTRUNC, h.cmsg_len = w->left;
  if (COPY_OUT(w->at, h) || copy_out(w->at + sizeof h, data, h.cmsg_len - sizeof h)) return -EFAULT;
  u64 step = MIN(ALIGN_UP(h.cmsg_len, (u64)8), w->left);
  w->at += step, w->left -= step, w->used += step;
  return 0;
}

/* Install what came along: as many descriptors as there is room for; the rest is closed. */
static int rights_out(struct control_writer *w, struct socket_message *m, bool cloexec) {
  u64 room = w->left > sizeof(struct guest_cmsghdr) ? (w->left - sizeof(struct guest_cmsghdr)) / sizeof(i32) : 0;
  i32 fds[SOCKET_RIGHTS_MAX];
  u32 count = 0;
  for (u32 i = 0; i < m->rights_count; i++) {
    i64 fd = count < room ? install_new_ofd(m->rights[i], cloexec) : -1;
    if (count >= room) ofd_put(m->rights[i]);
    if (fd < 0) {
      w->flags |= MSG_CTRUNC, room = count;
      continue;
    }
    fds[count++] = (i32)fd;
  }
  u32 all = m->rights_count;
  kfree(m->rights);
  m->rights = NULL, m->rights_count = 0;
  if (!all || !count) return 0;
  return control_out(w, SOL_SOCKET, SCM_RIGHTS, fds, count * (u32)sizeof(i32));
}

i64 sys_recvmsg(i32 fd, uaddr_t msg, u32 flags) {
  GET_SOCKET(fd);
  HOLD_SOCKET();
  struct guest_msghdr h;
  struct socket_message m = {0};
  if (COPY_IN(h, msg)) return -EFAULT;
  if (h.msg_iovlen > IOV_MAX) return -EMSGSIZE;
  if (h.msg_name && (i32)h.msg_namelen < 0) return -EINVAL;
  struct iobuf io;
  if ((r = iobuf_init_iovec(&io, h.msg_iov, (u32)h.msg_iovlen))) return r;
  i64 n = never_connected(s) ? -EINVAL : iobuf_prepare(&io, ACCESS_W);
  if (!n && h.msg_control && h.msg_controllen) n = access_prepare(h.msg_control, MIN(h.msg_controllen, 65536ull), ACCESS_W);
  if (!n) n = access_prepare(msg, sizeof h, ACCESS_W);
  if (!n) n = socket_receive(s, &io, &m, call_flags(f, flags));
  iobuf_free(&io);
  if (n < 0) return n;
  struct control_writer w = {.at = h.msg_control, .left = h.msg_control ? h.msg_controllen : 0};
  if (s->domain == AF_UNIX && s->pass_credentials) {
    if (!m.who.pid && !m.who.uid) m.who.uid = m.who.gid = 65534;
    r = control_out(&w, SOL_SOCKET, SCM_CREDENTIALS, &m.who, sizeof m.who);
  }
  struct ancillary told[ANCILLARY_MAX];
  u32 facts = s->domain == AF_UNIX ? 0 : ancillary_out(s, &m.head, told);
  for (u32 i = 0; i < facts && !r; i++) r = control_out(&w, told[i].level, told[i].type, told[i].data, told[i].bytes);
  int r2 = rights_out(&w, &m, flags & MSG_CMSG_CLOEXEC);
  if (r || r2) return r ? r : r2;
  if (h.msg_name) {
    if (copy_out(h.msg_name, m.name.data, MIN(h.msg_namelen, m.name.bytes))) return -EFAULT;
    h.msg_namelen = m.name.bytes;
  }
  h.msg_controllen = w.used;
  h.msg_flags = m.flags | w.flags | (flags & MSG_CMSG_CLOEXEC);
  return COPY_OUT(msg, h) ? -EFAULT : n;
}

/* ---- several at once: what was done before an error counts ---- */
i64 sys_sendmmsg(i32 fd, uaddr_t msgvec, u32 vlen, u32 flags) {
  const u64 step = sizeof(struct guest_mmsghdr);
  GET_SOCKET(fd);
  i64 done = 0, n = 0;
  for (; done < MIN(vlen, (u32)IOV_MAX); done++) {
    uaddr_t at = msgvec + (u64)done * step;
    if ((n = sys_sendmsg(fd, at, flags)) < 0) break;
    u32 bytes = (u32)n;
    if (COPY_OUT(at + offsetof(struct guest_mmsghdr, msg_len), bytes)) return done ? done : -EFAULT;
  }
  return done ? done : n;
}

i64 sys_recvmmsg(i32 fd, uaddr_t msgvec, u32 vlen, u32 flags, uaddr_t timeout) {
  const u64 step = sizeof(struct guest_mmsghdr);
  u64 deadline;
  int r = deadline_in(timeout, &deadline);
  if (r) return r;
  i64 done = 0, n = 0;
  for (; done < MIN(vlen, (u32)IOV_MAX); done++) {
    uaddr_t at = msgvec + (u64)done * step;
    u32 own = flags & ~(u32)MSG_WAITFORONE;
    if (done && flags & MSG_WAITFORONE) own |= MSG_DONTWAIT;
    if ((n = sys_recvmsg(fd, at, own)) < 0) break;
    u32 bytes = (u32)n;
    if (COPY_OUT(at + offsetof(struct guest_mmsghdr, msg_len), bytes)) return done ? done : -EFAULT;
    if (deadline != WAIT_FOREVER && time_monotonic_ns() >= deadline) {
      done++;
      break;
    }
  }
  return done ? done : n;
}
