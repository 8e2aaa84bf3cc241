/* sys/process_vm: process_vm_readv(2), process_vm_writev(2). Another process's memory is reached by errands, done by one
 * of its own threads (task/errand.h). Piecewise, as far as it goes: what was moved before a bad address counts. */
#include "../gen/syscalls.h"
#include "../mm/copy.h"
#include "../task/errand.h"

static i32 move(struct process *p, i32 pid, u64 address, bool write, u8 *data, u32 bytes) {
  for (;;) {
    if (process_find(pid) != p) return -ESRCH;
    i32 r = errand_memory(p, address, write, data, bytes);
    if (r != -EAGAIN) return r; /* else a page is on its way */
    r = errand_retry();
    if (r) return r;
  }
}

/* From or to one place over there, as far as `local` goes: bytes moved, less than asked for when either side ends. */
static i64 transfer(struct process *p, i32 pid, struct iobuf *local, u64 address, u64 bytes, bool write, u8 *data) {
  u64 done = 0;
  u32 most = write ? PAGE_BYTES : ERRAND_MEMORY_BYTES; /* a write stops exactly where the memory ends */
  while (done < bytes) {
    u32 n = (u32)MIN(MIN(bytes - done, (u64)most), most - ((address + done) & (most - 1)));
    if (write) {
      i64 got = iobuf_read(local, data, n);
      if (got <= 0) return done ? (i64)done : -EFAULT;
      n = (u32)got;
    }
    i32 r = move(p, pid, address + done, write, data, n);
    if (r == -EFAULT && most > PAGE_BYTES) { /* up to the page that is not there */
      most = PAGE_BYTES;
      continue;
    }
    if (r) return done ? (i64)done : r;
    if (!write) {
      i64 given = iobuf_write(local, data, n);
      if (given < (i64)n) return given > 0 ? (i64)done + given : done ? (i64)done : -EFAULT;
    }
    done += n;
  }
  return (i64)done;
}

static i64 process_vm(i32 pid, uaddr_t local_iov, u64 liovcnt, uaddr_t remote_iov, u64 riovcnt, u64 flags, bool write) {
  if (flags || liovcnt > IOV_MAX || riovcnt > IOV_MAX) return -EINVAL;
  struct iobuf local;
  int r = iobuf_init_iovec(&local, local_iov, (u32)liovcnt);
  if (r) return r;
  u64 want = riovcnt * sizeof(struct guest_iovec);
  struct guest_iovec *remote = kmalloc(want + 1);
  u8 *data = kmalloc(ERRAND_MEMORY_BYTES);
  i64 n = !remote || !data ? -ENOMEM : copy_in(remote, remote_iov, want) ? -EFAULT : 0;
  if (!n && local.left) {
    const struct thread *t = thread_find(pid);
    struct process *p = t ? t->process : NULL;
    n = !p || p->state == PROCESS_ZOMBIE ? -ESRCH : p->host || p->wasi ? -EPERM : ptrace_may_access(p);
    for (u64 i = 0; i < riovcnt && n >= 0 && local.left; i++) {
      u64 bytes = MIN(remote[i].iov_len, local.left);
      if (!bytes) continue;
      i64 moved = transfer(p, p->pid, &local, remote[i].iov_base, bytes, write, data);
      if (moved < 0) {
        n = n ? n : moved;
        break;
      }
      n += moved;
      if ((u64)moved < bytes) break;
    }
  }
  kfree(remote);
  kfree(data);
  iobuf_free(&local);
  return n;
}

i64 sys_process_vm_readv(i32 pid, uaddr_t local_iov, u64 liovcnt, uaddr_t remote_iov, u64 riovcnt, u64 flags) {
  return process_vm(pid, local_iov, liovcnt, remote_iov, riovcnt, flags, false);
}
i64 sys_process_vm_writev(i32 pid, uaddr_t local_iov, u64 liovcnt, uaddr_t remote_iov, u64 riovcnt, u64 flags) {
  return process_vm(pid, local_iov, liovcnt, remote_iov, riovcnt, flags, true);
}
