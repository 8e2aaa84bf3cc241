/* sys/pipe: pipe2(2). */
#include "../gen/syscalls.h"
#include "../ipc/ipc.h"
#include "../task/task.h"

i64 sys_pipe2(uaddr_t fds, u32 flags) {
  if (flags & ~(u32)(O_CLOEXEC | O_NONBLOCK)) return -EINVAL; /* O_DIRECT's packets are not here */
  struct fd_table *t = current->process->fds;
  u32 limit = (u32)MIN(current->process->limits[RLIMIT_NOFILE].cur, FD_LIMIT_HARD);
  bool cloexec = flags & O_CLOEXEC;
  int r = access_prepare(fds, 2 * sizeof(i32), ACCESS_W);
  if (r) return r;
  struct ofd *ends[2];
  if ((r = pipe_new(flags & O_NONBLOCK, &ends[0], &ends[1]))) return r;
  i32 pair[2];
  if ((pair[0] = fd_install(t, ends[0], 0, limit, cloexec)) < 0) {
    ofd_put(ends[0]), ofd_put(ends[1]);
    return pair[0];
  }
  if ((pair[1] = fd_install(t, ends[1], 0, limit, cloexec)) < 0) {
    fd_close(t, pair[0]);
    ofd_put(ends[1]);
    return pair[1];
  }
  return copy_out(fds, pair, sizeof pair);
}
