/* ipc: pipes and fifos, poll/select/epoll machinery, eventfd, timerfd, (later) sockets and System V.
 * Locking: kernel lock. pipe(7): 64 KiB default, PIPE_BUF 4096 atomicity; a write without readers returns -EPIPE
 * (sys/ raises SIGPIPE). */
#ifndef TIDEMARK_IPC_IPC_H
#define TIDEMARK_IPC_IPC_H
#include "../file/file.h"

void ipc_boot(void); /* tells file/ how fifos open */
int pipe_new(u32 flags, struct ofd **read_end, struct ofd **write_end); /* O_NONBLOCK, O_CLOEXEC ignored here */
int fifo_open(struct inode *ino, struct ofd *ofd);                      /* inode_ops.open for S_IFIFO */
extern const struct ofd_ops pipe_ops;

/* poll over fds of a table: shared by poll, ppoll, select, pselect. fds' revents are filled. Returns ready count, 0 on
 * timeout, -ERESTARTNOHAND on a signal. */
struct poll_fd {
  i32 fd;
  u16 events, revents;
};
i64 poll_fds(struct fd_table *t, struct poll_fd *fds, u32 count, u64 deadline_ns);

/* One-shot readiness watch for a host role: 1 when `events` are ready now; else 0 and, once when they become so (or the
 * description is released), thread_wake(bell), or host_notify(role, NOTIFY_WATCH, id) without one. */
int host_watch(struct ofd *f, u32 events, struct thread *bell, u32 role, u32 id);
int epoll_new(struct ofd **out);
int epoll_control(struct ofd *ep, int op, int fd, struct ofd *target, u32 events, u64 data);
i64 epoll_wait_events(struct ofd *ep, uaddr_t events, int max, u64 deadline_ns);
int eventfd_new(u64 initial, u32 flags, struct ofd **out);
int timerfd_new(int clock, u32 flags, struct ofd **out);
/* deadline 0: off; absolute CLOCK_MONOTONIC. get: what is left until the next expiry, 0 when off. -EINVAL: no timerfd. */
int timerfd_set(struct ofd *f, u64 deadline_ns, u64 interval_ns);
int timerfd_get(struct ofd *f, u64 *left_ns, u64 *interval_ns, int *clock);
#endif
