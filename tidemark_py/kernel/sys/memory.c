/* sys/memory: brk(2), mmap(2), munmap(2), mprotect(2), mremap(2), madvise(2), msync(2), mincore(2), mlock(2) and its
 * family, riscv_flush_icache. Thin: the meaning is in mm/. Limits: RLIMIT_AS and RLIMIT_DATA (getrlimit(2)). */
#include "../task/task.h"
#include "../gen/syscalls.h"

static struct mm *own(void) { return current->process->mm; }

static bool over_address_limit(u64 more) {
  u64 limit = current->process->limits[RLIMIT_AS].cur;
  return limit != ~0ull && (more > limit || own()->mapped_bytes > limit - more);
}

i64 sys_brk(u64 addr) {
  struct mm *mm = own();
  u64 data = current->process->limits[RLIMIT_DATA].cur;
  if (addr > mm->brk && (over_address_limit(addr - mm->brk) || (addr >= mm->brk_start && addr - mm->brk_start > data)))
    return (i64)mm->brk;
  return mm_brk(mm, addr);
}

i64 sys_mmap(u64 addr, u64 length, i32 prot, i32 flags, i32 fd, i64 offset) {
  struct ofd *file = NULL;
  if (offset % (i64)PAGE_BYTES) return -EINVAL;
  if (!(flags & MAP_ANONYMOUS) && !(file = fd_get(current->process->fds, fd))) return -EBADF;
  if (length && over_address_limit(length)) return -ENOMEM;
  return mm_map(own(), addr, length, prot, flags, file, (u64)offset);
}

i64 sys_munmap(u64 addr, u64 length) { return mm_unmap(own(), addr, length); }

i64 sys_mprotect(u64 addr, u64 len, i32 prot) { return mm_protect(own(), addr, len, prot); }

i64 sys_mremap(u64 old_address, u64 old_size, u64 new_size, u32 flags, u64 new_address) {
  if (new_size > old_size && over_address_limit(new_size - old_size)) return -ENOMEM;
  return mm_remap(own(), old_address, old_size, new_size, (int)flags, new_address);
}

i64 sys_madvise(u64 addr, u64 length, i32 advice) { return mm_advise(own(), addr, length, advice); }

/* [addr, addr + length) in whole pages: *end, or -EINVAL (unaligned, wraps), -ENOMEM (outside the window). */
static i64 whole_pages(u64 addr, u64 length, u64 *end) {
  u64 rounded = ALIGN_UP(length, (u64)PAGE_BYTES);
  if (addr % PAGE_BYTES) return -EINVAL;
  if (rounded < length || addr + rounded < addr) return -ENOMEM;
  *end = addr + rounded;
  return *end > own()->max_guest_bytes ? -ENOMEM : 0;
}

static i64 no_holes(u64 addr, u64 end) {
  while (addr < end) {
    const struct vma *v = mm_find(own(), (u32)(addr >> PAGE_SHIFT));
    if (!v) return -ENOMEM;
    addr = (u64)v->end << PAGE_SHIFT;
  }
  return 0;
}

/* Shared pages live in the page cache itself: there is nothing to write back but the file's times. */
i64 sys_msync(u64 addr, u64 length, i32 flags) {
  u64 end;
  if ((flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC)) || ((flags & MS_ASYNC) && (flags & MS_SYNC))) return -EINVAL;
  i64 r = whole_pages(addr, length, &end);
  if (r < 0) return r;
  for (u64 at = addr; at < end && (flags & MS_SYNC);) {
    const struct vma *v = mm_find(own(), (u32)(at >> PAGE_SHIFT));
    if (!v) break;
    at = (u64)v->end << PAGE_SHIFT;
    if (!v->shared || !v->file || !(v->prot & PERM_W)) continue;
    mm_file_written(v->file);
    if (v->file->inode && (r = file_sync(v->file->inode->sb))) return r;
  }
  return no_holes(addr, end);
}

i64 sys_mincore(u64 addr, u64 length, uaddr_t vec) {
  u64 end;
  i64 r = whole_pages(addr, length, &end);
  if (r < 0) return r;
  if ((r = no_holes(addr, end)) < 0) return r;
  u8 out[256];
  while (addr < end) {
    u32 n = 0;
    for (; n < sizeof(out) && addr < end; addr += PAGE_BYTES)
      out[n++] = guest_perm((u32)(addr >> PAGE_SHIFT)) & (PERM_RESIDENT | PERM_EXTERNAL) ? 1 : 0;
    if (copy_out(vec, out, n) < 0) return -EFAULT;
    vec += n;
  }
  return 0;
}

/* Nothing is ever paged out: a range that exists is as good as locked. */
static i64 lock_range(u64 addr, u64 length) {
  u64 end, start = ALIGN_DOWN(addr, (u64)PAGE_BYTES);
  if (length + (addr - start) < length) return -EINVAL;
  i64 r = whole_pages(start, length + (addr - start), &end);
  return r < 0 ? r : no_holes(start, end);
}

i64 sys_mlock(u64 addr, u64 len) { return lock_range(addr, len); }
i64 sys_munlock(u64 addr, u64 len) { return lock_range(addr, len); }
i64 sys_mlock2(u64 addr, u64 len, u32 flags) { return flags & ~(u32)MLOCK_ONFAULT ? -EINVAL : lock_range(addr, len); }
i64 sys_mlockall(i32 flags) {
  if (!flags || (flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)) || flags == MCL_ONFAULT) return -EINVAL;
  return 0;
}
i64 sys_munlockall(void) { return 0; }

i64 sys_riscv_flush_icache(u64 start, u64 end, u64 flags) {
  struct mm *mm = own();
  if (flags & ~(u64)SYS_RISCV_FLUSH_ICACHE_LOCAL) return -EINVAL;
  if (start < end && end <= mm->max_guest_bytes) {
    u32 first = (u32)(start >> PAGE_SHIFT), last = (u32)((end - 1) >> PAGE_SHIFT);
    cpu_code_invalidate(mm, first, last - first + 1);
  } else {
    cpu_code_invalidate(mm, 0, ~0u);
  }
  mm_code_sync(mm);
  return 0;
}
