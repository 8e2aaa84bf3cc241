/* sys/fcntl: fcntl(2) and flock(2). Locks themselves are in file/lock.c, pipe sizes in ipc/pipe.c.
 * Missing: leases, F_NOTIFY, seals, F_SETSIG (EINVAL). */
#include "../ipc/pipe.h"
#include "files.h"

#define SETFL_FLAGS (O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME | FASYNC)

static i64 duplicate(struct ofd *f, u64 lowest, bool cloexec) {
  if (lowest >= fd_limit()) return -EINVAL;
  ofd_get(f);
  int r = fd_install(current->process->fds, f, (int)lowest, fd_limit(), cloexec);
  if (r < 0) ofd_put(f);
  return r;
}

/* The bytes a struct flock means: l_len 0 is "to the end", negative counts backwards. */
static int range_of(const struct ofd *f, const struct guest_flock *l, struct file_lock_request *r) {
  i64 start = l->l_start, base = 0, end;
  switch (l->l_whence) {
  case SEEK_SET: break;
  case SEEK_CUR: base = (i64)f->pos; break;
  case SEEK_END: base = (i64)f->inode->size; break;
  default: return -EINVAL;
  }
  if (__builtin_add_overflow(start, base, &start)) return -EOVERFLOW;
  if (start < 0) return -EINVAL;
  if (l->l_len > 0) {
    if (__builtin_add_overflow(start, l->l_len - 1, &end)) return -EOVERFLOW;
    r->start = (u64)start, r->end = (u64)end;
  } else if (l->l_len < 0) {
    if (start + l->l_len < 0) return -EINVAL;
    r->start = (u64)(start + l->l_len), r->end = (u64)start - 1;
  } else {
    r->start = (u64)start, r->end = ~0ull;
  }
  return 0;
}

static i64 record_lock(i32 fd, struct ofd *f, u32 cmd, uaddr_t arg) {
  bool of_ofd = cmd == F_OFD_GETLK || cmd == F_OFD_SETLK || cmd == F_OFD_SETLKW;
  bool wait = cmd == F_SETLKW || cmd == F_OFD_SETLKW;
  struct guest_flock l;
  if (COPY_IN(l, arg)) return -EFAULT;
  if (!f->inode || (of_ofd && l.l_pid)) return -EINVAL;
  if (l.l_type != F_RDLCK && l.l_type != F_WRLCK && l.l_type != F_UNLCK) return -EINVAL;
  struct file_lock_request r = {.owner = of_ofd ? (void *)f : (void *)current->process->fds,
                                .pid = of_ofd ? -1 : current->process->pid,
                                .type = (u32)l.l_type};
  int e = range_of(f, &l, &r);
  if (e) return e;
  if (cmd == F_GETLK || cmd == F_OFD_GETLK) {
    if (l.l_type == F_UNLCK) return -EINVAL;
    lock_test(f->inode, &r);
    l.l_type = (i16)r.type;
    if (r.type != F_UNLCK) {
      l.l_whence = SEEK_SET, l.l_start = (i64)r.start, l.l_len = r.end == ~0ull ? 0 : (i64)(r.end - r.start + 1);
      l.l_pid = r.pid;
    }
    return COPY_OUT(arg, l);
  }
  u32 mode = f->flags & O_ACCMODE;
  if ((r.type == F_RDLCK && mode == O_WRONLY) || (r.type == F_WRLCK && mode == O_RDONLY)) return -EBADF;
  e = lock_set(f->inode, &r, wait);
  if (!e && !of_ofd && fd_get(current->process->fds, fd) != f) lock_release_owner(f->inode, r.owner); /* closed meanwhile */
  return e;
}

static i64 owner_ex(struct ofd *f, u32 cmd, uaddr_t arg) {
  struct guest_f_owner_ex o = {.type = f->owner_pid < 0 ? F_OWNER_PGRP : F_OWNER_PID, .pid = f->owner_pid < 0 ? -f->owner_pid : f->owner_pid};
  if (cmd == F_GETOWN_EX) return COPY_OUT(arg, o);
  if (COPY_IN(o, arg)) return -EFAULT;
  if (o.type < F_OWNER_TID || o.type > F_OWNER_PGRP) return -EINVAL;
  f->owner_pid = o.type == F_OWNER_PGRP ? -o.pid : o.pid;
  return 0;
}

/* ---- seals: memfd_create(2) ---- */
/* Is the file mapped writable and shared by anybody? Asked for F_SEAL_WRITE alone, so a search will do. */
static bool has_writable_mapping(const struct inode *ino) {
  for (u32 i = 0; i < MAX_PROCESSES; i++) {
    const struct mm *mm = processes[i].state == PROCESS_FREE ? NULL : processes[i].mm;
    for (u32 v = 0; mm && v < mm->vma_count; v++) {
      const struct vma *a = &mm->vmas[v];
      if (a->shared && a->file && a->file->inode == ino && (a->prot & PERM_W)) return true;
    }
  }
  return false;
}

static i64 add_seals(const struct ofd *f, u32 seals) {
  u32 known = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE | F_SEAL_EXEC;
  struct inode *ino = f->inode;
  if ((f->flags & O_ACCMODE) == O_RDONLY) return -EPERM;
  if (seals & ~known) return -EINVAL;
  if (!ino || !ino->sealable) return -EINVAL;
  if (ino->seals & F_SEAL_SEAL) return -EPERM;
  if ((seals & F_SEAL_WRITE) && !(ino->seals & F_SEAL_WRITE) && has_writable_mapping(ino)) return -EBUSY;
  if ((seals & F_SEAL_EXEC) && (ino->mode & 0111)) seals |= F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE;
  ino->seals |= seals;
  return 0;
}

/* ---- leases: files here have none to give, as on file systems without them (fcntl(2)) ---- */
static i64 set_lease(const struct ofd *f, u64 type) {
  const struct inode *ino = f->inode;
  if (!ino) return -EINVAL;
  if (caller()->fsuid != ino->uid && !credentials_capable(caller(), CAP_LEASE)) return -EACCES;
  if (!S_ISREG(ino->mode) || type > F_UNLCK) return -EINVAL;
  return type == F_UNLCK ? -EAGAIN : -EINVAL;
}

i64 sys_fcntl(i32 fd, u32 cmd, u64 arg) {
  struct ofd *f AUTO_OFD = ofd_hold(fd);
  if (!f) return -EBADF;
  switch (cmd) {
  case F_DUPFD: return duplicate(f, (u32)arg, false);
  case F_DUPFD_CLOEXEC: return duplicate(f, (u32)arg, true);
  case F_GETFD: return current->process->fds->entries[fd].cloexec ? FD_CLOEXEC : 0;
  case F_SETFD: current->process->fds->entries[fd].cloexec = arg & FD_CLOEXEC; return 0;
  case F_GETFL: return f->flags;
  default: break;
  }
  if (f->flags & O_PATH) return -EBADF;
  switch (cmd) {
  case F_SETFL:
    if (((u32)arg & ~f->flags & O_NOATIME) && f->inode && f->inode->uid != caller()->fsuid &&
        !credentials_capable(caller(), CAP_FOWNER))
      return -EPERM;
    if (((f->flags ^ (u32)arg) & FASYNC) && async_able(f) && async_set(f, (u32)arg & FASYNC)) return -ENOMEM;
    f->flags = (f->flags & ~(u32)SETFL_FLAGS) | ((u32)arg & SETFL_FLAGS);
    return 0;
  case F_GETLK:
  case F_SETLK:
  case F_SETLKW:
  case F_OFD_GETLK:
  case F_OFD_SETLK:
  case F_OFD_SETLKW: return record_lock(fd, f, cmd, arg);
  case F_GETOWN: return f->owner_pid;
  case F_SETOWN:
    if ((i32)arg == INT32_MIN) return -EINVAL;
    f->owner_pid = (i32)arg;
    return 0;
  case F_GETOWN_EX:
  case F_SETOWN_EX: return owner_ex(f, cmd, arg);
  case F_GETPIPE_SZ: return pipe_capacity(f);
  case F_SETPIPE_SZ: return pipe_set_capacity(f, (u32)MIN(arg, 0xffffffffull), credentials_capable(caller(), CAP_SYS_RESOURCE));
  case F_ADD_SEALS: return add_seals(f, (u32)arg);
  case F_GET_SEALS: return f->inode && f->inode->sealable ? (i64)f->inode->seals : -EINVAL;
  case F_SETLEASE: return set_lease(f, arg);
  case F_GETLEASE: return F_UNLCK;
  default: return -EINVAL; /* F_NOTIFY ... */
  }
}

i64 sys_flock(i32 fd, i32 operation) {
  struct ofd *f AUTO_OFD = ofd_hold(fd);
  u32 type = (u32)operation & ~(u32)LOCK_NB;
  if (type != LOCK_SH && type != LOCK_EX && type != LOCK_UN && !(type & LOCK_MAND)) return -EINVAL;
  if (!f || (f->flags & O_PATH) || !f->inode) return -EBADF;
  return lock_flock(f, (u32)operation);
}
