/* procfs/memory: what /proc/PID says of memory: mem, maps, smaps (proc_pid_mem(5), proc_pid_maps(5), proc_pid_smaps(5)).
 *
 * mem is another process's memory as a file whose positions are addresses. For
 * who may trace it; private pages take writes whatever their protection, as with ptrace(2). Page by page: what was moved
 * before an address that is not there counts. A module's memory is the engine's: EIO. smaps: what is here is known to the process's own worker, which is asked;
 * shared pages count as one process's. */
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

static void area_line(struct text *t, const struct vma *v) {
  const struct inode *ino = v->file ? v->file->inode : NULL;
  u32 before = t->bytes;
  text_printf(t, "%08llx-%08llx %c%c%c%c %08llx %02x:%02x %llu", (unsigned long long)v->start << PAGE_SHIFT,
              (unsigned long long)v->end << PAGE_SHIFT, v->prot & PERM_R ? 'r' : '-', v->prot & PERM_W ? 'w' : '-',
              v->prot & PERM_X ? 'x' : '-', v->shared ? 's' : 'p',
              (unsigned long long)(v->file ? v->file_page << PAGE_SHIFT : 0), ino ? dev_major(ino->sb->dev) : 0,
              ino ? dev_minor(ino->sb->dev) : 0, (unsigned long long)(ino ? ino->ino : 0));
  const char *name = v->file ? v->file->path : v->name;
  if (name) {
    do text_add(t, " ", 1);
    while (!t->failed && t->bytes - before < 73);
    text_printf(t, "%s%s", name, ino && !ino->nlink ? " (deleted)" : "");
  } else if (!v->file && v->memory) {
    text_printf(t, " /dev/zero (deleted)");
  }
  text_add(t, "\n", 1);
}

static const struct mm *mm_shown(const struct proc_node *n) {
  const struct process *p = node_process(n);
  return p && p->mm && !p->mm->all_resident ? p->mm : NULL;
}

int proc_show_maps(struct text *t, const struct proc_node *n) {
  const struct mm *mm = mm_shown(n);
  for (u32 i = 0; mm && i < mm->vma_count; i++) area_line(t, &mm->vmas[i]);
  return 0;
}

static void usage_lines(struct text *t, const struct vma *v, const struct mm_usage *u) {
  u32 size = (v->end - v->start) * 4, rss = u->resident * 4, dirty = u->dirty * 4, clean = rss - dirty;
  text_printf(t, "Size:           %8u kB\nKernelPageSize:        4 kB\nMMUPageSize:           4 kB\nRss:            %8u kB\n", size, rss);
  text_printf(t, "Pss:            %8u kB\nPss_Dirty:      %8u kB\nShared_Clean:   %8u kB\nShared_Dirty:   %8u kB\n", rss, dirty,
              v->shared ? clean : 0, v->shared ? dirty : 0);
  text_printf(t, "Private_Clean:  %8u kB\nPrivate_Dirty:  %8u kB\nReferenced:     %8u kB\nAnonymous:      %8u kB\n",
              v->shared ? 0 : clean, v->shared ? 0 : dirty, rss, v->file && !u->dirty ? 0 : dirty);
  text_printf(t, "LazyFree:              0 kB\nSwap:                  0 kB\nSwapPss:               0 kB\nLocked:                0 kB\n");
  text_printf(t, "VmFlags:%s%s%s%s mr mw me%s\n", v->prot & PERM_R ? " rd" : "", v->prot & PERM_W ? " wr" : "",
              v->prot & PERM_X ? " ex" : "", v->shared ? " sh" : "", v->grows_down ? " gd" : "");
}

int proc_show_smaps(struct text *t, const struct proc_node *n) {
  const struct mm *mm = mm_shown(n);
  u32 count = mm ? mm->vma_count : 0;
  if (!count) return 0;
  struct mm_usage *usage = kzalloc(count * sizeof *usage);
  if (!usage) return -ENOMEM;
  i32 r = errand_usage(node_process(n), usage, count);
  mm = mm_shown(n); /* the lock was let go */
  static const struct mm_usage none;
  for (u32 i = 0; mm && i < mm->vma_count; i++) {
    const struct vma *v = &mm->vmas[i];
    bool known = !r && i < count && usage[i].start == v->start && usage[i].resident <= v->end - v->start;
    area_line(t, v);
    usage_lines(t, v, known ? &usage[i] : &none);
  }
  kfree(usage);
  return 0;
}
