/* sys/mqueue: mq_open(2), mq_unlink(2), mq_timedsend(2), mq_timedreceive(2), mq_notify(2), mq_getsetattr(2).
 * Missing: SIGEV_THREAD (EINVAL: it wants a netlink socket). */
#include "../ipc/mqueue.h"
#include "event.h"
#include "files.h"

#define PRIORITIES 32768u

i32 mqueue_current_pid(void) { return current ? current->process->pid : 0; }

void mqueue_tell(const struct mqueue_watch *w) {
  struct process *p = process_find(w->pid);
  if (!p || w->how != SIGEV_SIGNAL) return;
  struct signal_info info = {.signo = w->signo, .code = SI_MESGQ, .pid = current->process->pid, .uid = current->process->cred.uid,
                             .value = w->value};
  signal_process(p, w->signo, &info);
}

static int attributes_in(struct mqueue_attributes *a, uaddr_t from) {
  i64 words[8];
  if (copy_in(words, from, sizeof words)) return -EFAULT;
  *a = (struct mqueue_attributes){words[0], words[1], words[2], words[3]};
  return 0;
}

i64 sys_mq_open(uaddr_t name, u32 oflag, u32 mode, uaddr_t attr) {
  struct path_arg a AUTO_PATH = {0};
  struct mqueue_attributes given;
  int r = attr ? attributes_in(&given, attr) : 0;
  if (!r) r = path_in(&a, AT_FDCWD, name);
  if (r) return r;
  struct ofd *f;
  r = mqueue_open(a.buffer, caller(), oflag, mode & ~caller_fs()->umask, attr ? &given : NULL, &f);
  return r ? r : install_new_ofd(f, true); /* close-on-exec always: mq_overview(7) */
}

i64 sys_mq_unlink(uaddr_t name) {
  struct path_arg a AUTO_PATH = {0};
  int r = path_in(&a, AT_FDCWD, name);
  return r ? r : mqueue_unlink(a.buffer, caller());
}

/* An absolute CLOCK_REALTIME as a deadline. */
static int absolute_in(uaddr_t timeout, u64 *deadline) {
  struct guest_timespec ts;
  *deadline = WAIT_FOREVER;
  if (!timeout) return 0;
  if (COPY_IN(ts, timeout)) return -EFAULT;
  if (ts.tv_sec < 0 || ts.tv_nsec < 0 || ts.tv_nsec >= (i64)NS_PER_S) return -EINVAL;
  if ((u64)ts.tv_sec > (u64)INT64_MAX / NS_PER_S) return 0;
  u64 ns = (u64)ts.tv_sec * NS_PER_S + (u64)ts.tv_nsec, wall = time_realtime_ns(), now = time_monotonic_ns();
  *deadline = ns > wall ? now + (ns - wall) : now;
  return 0;
}

i64 sys_mq_timedsend(i32 mqdes, uaddr_t msg_ptr, u64 msg_len, u32 msg_prio, uaddr_t timeout) {
  u64 deadline;
  int r = absolute_in(timeout, &deadline);
  if (!r && msg_prio >= PRIORITIES) r = -EINVAL;
  if (r) return r;
  struct ofd *f AUTO_OFD = ofd_hold(mqdes);
  if (!f) return -EBADF;
  struct iobuf io;
  iobuf_init_guest(&io, msg_ptr, msg_len);
  return mqueue_send(f, &io, msg_prio, deadline);
}

i64 sys_mq_timedreceive(i32 mqdes, uaddr_t msg_ptr, u64 msg_len, uaddr_t msg_prio, uaddr_t timeout) {
  u64 deadline;
  u32 priority;
  int r = absolute_in(timeout, &deadline);
  if (r) return r;
  struct ofd *f AUTO_OFD = ofd_hold(mqdes);
  if (!f) return -EBADF;
  struct iobuf io;
  iobuf_init_guest(&io, msg_ptr, msg_len);
  i64 n = mqueue_receive(f, &io, &priority, deadline);
  return n >= 0 && msg_prio && COPY_OUT(msg_prio, priority) ? -EFAULT : n;
}

i64 sys_mq_notify(i32 mqdes, uaddr_t sevp) {
  struct guest_sigevent ev;
  if (sevp) {
    if (COPY_IN(ev, sevp)) return -EFAULT;
    if (ev.sigev_notify != SIGEV_NONE && ev.sigev_notify != SIGEV_SIGNAL) return -EINVAL;
    if (ev.sigev_notify == SIGEV_SIGNAL && (ev.sigev_signo < 1 || ev.sigev_signo > 64)) return -EINVAL;
  }
  struct ofd *f AUTO_OFD = ofd_hold(mqdes);
  if (!f) return -EBADF;
  if (!sevp) return mqueue_watch(f, NULL);
  struct mqueue_watch w = {current->process->pid, ev.sigev_notify, ev.sigev_signo, ev.sigev_value};
  return mqueue_watch(f, &w);
}

i64 sys_mq_getsetattr(i32 mqdes, uaddr_t newattr, uaddr_t oldattr) {
  struct mqueue_attributes next = {0}, now;
  int r = newattr ? attributes_in(&next, newattr) : 0;
  if (!r && newattr && (next.flags & ~(i64)O_NONBLOCK)) r = -EINVAL;
  if (r) return r;
  struct ofd *f AUTO_OFD = ofd_hold(mqdes);
  if (!f) return -EBADF;
  if ((r = mqueue_attributes_get(f, &now))) return r;
  if (newattr) f->flags = (f->flags & ~(u32)O_NONBLOCK) | (u32)next.flags;
  const i64 out[8] = {now.flags, now.max_messages, now.message_bytes, now.count};
  return oldattr ? copy_out(oldattr, out, sizeof out) : 0;
}
