/* procfs/memory: /proc/PID/mem (proc_pid_mem(5)): another process's memory as a file whose positions are addresses. For
 * who may trace it; private pages take writes whatever their protection, as with ptrace(2). Page by page: what was moved
 * before an address that is not there counts. A module's memory is the engine's: EIO. */
#include "../task/errand.h"
#include "proc.h"

static i32 move(const struct proc_node *n, u64 at, bool write, u8 *page, u32 bytes) {
  for (;;) {
    struct process *p = node_process(n);
    if (!p || !p->mm || p->host || p->wasi) return -EIO;
    i32 r = write ? errand_poke(p, at, page, bytes) : errand_memory(p, at, false, page, bytes);
    if (r != -EAGAIN) return r == -EFAULT || r == -ESRCH ? -EIO : r;
    if ((r = errand_retry())) return r;
  }
}

static i64 transfer(struct ofd *f, struct iobuf *io, u64 *pos, bool write) {
  const struct proc_node *n = f->inode->priv;
  const struct process *p = node_process(n);
  if (!p || !p->mm) return 0;
  u8 *page = kmalloc(PAGE_BYTES);
  if (!page) return -ENOMEM;
  u64 done = 0;
  i64 r = 0;
  while (io->left && r >= 0) {
    u32 bytes = (u32)MIN(io->left, PAGE_BYTES - (*pos + done) % PAGE_BYTES);
    if (write && (r = iobuf_read(io, page, bytes)) < 0) break;
    if ((r = move(n, *pos + done, write, page, bytes)) < 0) break;
    if (!write && (r = iobuf_write(io, page, bytes)) < 0) break;
    done += bytes;
  }
  kfree(page);
  *pos += done;
  return done ? (i64)done : r;
}

static i64 memory_read(struct ofd *f, struct iobuf *io, u64 *pos) { return transfer(f, io, pos, false); }
static i64 memory_write(struct ofd *f, struct iobuf *io, u64 *pos) { return transfer(f, io, pos, true); }

const struct ofd_ops proc_memory_ops = {.read = memory_read, .write = memory_write, .seek = ofd_seek_position};
