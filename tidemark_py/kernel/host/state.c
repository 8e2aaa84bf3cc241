/* state: the kernel's state as records for a host role, and back (ABI layouts state_*, tidemark_py/state).
 *
 * One export reads, one writes; records travel through the caller's staging memory. What only a process's own worker
 * can reach (its memory, its threads) is an errand: begun here, told by NOTIFY_ERRAND, taken here. A writer checks the
 * whole record before it changes anything, and refuses one that was read of another object (-ESTALE). */
#include "../ipc/pipe.h"
#include "../net/net.h"
#include "../task/errand.h"
#include "instance.h"

#define STATE_BYTES_MAX (STAGING_BYTES / 2) /* of one record */
#define SETTABLE_FLAGS (O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME)

static u64 identity(const struct ofd *f) { return (u64)(uintptr_t)f; }

static u32 kind_of(const struct ofd *f) {
  if (pipe_is(f)) return OFD_KIND_PIPE;
  if (socket_of(f)) return OFD_KIND_SOCKET;
  u32 mode = f->inode ? f->inode->mode : 0;
  if (S_ISREG(mode)) return OFD_KIND_FILE;
  if (S_ISDIR(mode)) return OFD_KIND_DIRECTORY;
  return S_ISCHR(mode) || S_ISBLK(mode) ? OFD_KIND_DEVICE : OFD_KIND_OTHER;
}

/* ---- descriptors: the table becomes the record's, with descriptions that the process has open already ---- */
static i64 fds_read(const struct fd_table *t, u8 *to, u32 room) {
  u64 at = 0;
  for (u32 i = 0; i < t->capacity; i++) {
    const struct ofd *f = t->entries[i].ofd;
    if (!f) continue;
    struct state_fd r = {.fd = (i32)i, .cloexec = t->entries[i].cloexec, .ofd = identity(f),
                         .generation = f->generation, .kind = kind_of(f)};
    if (at + sizeof r <= room) memcpy(to + at, &r, sizeof r);
    at += sizeof r;
  }
  return (i64)at;
}

static struct ofd *fds_find(const struct fd_table *t, const struct state_fd *r) {
  for (u32 i = 0; i < t->capacity; i++) {
    struct ofd *f = t->entries[i].ofd;
    if (f && identity(f) == r->ofd && f->generation == r->generation) return f;
  }
  return NULL;
}

static i32 fds_write(struct process *p, const u8 *from, u32 bytes) {
  struct fd_table *t = p->fds;
  u32 count = bytes / (u32)sizeof(struct state_fd);
  if (bytes % sizeof(struct state_fd)) return -EINVAL;
  AUTO_KFREE struct state_fd *r = kmalloc(bytes ? bytes : 1);
  AUTO_KFREE struct ofd **held = kmalloc((count + 1) * sizeof *held);
  if (!r || !held) return -ENOMEM;
  memcpy(r, from, bytes);
  u32 limit = (u32)MIN(p->limits[RLIMIT_NOFILE].cur, FD_LIMIT_HARD);
  for (u32 i = 0; i < count; i++) {
    if (r[i].fd < 0 || (u32)r[i].fd >= limit || (i && r[i].fd <= r[i - 1].fd)) return -EINVAL;
    if (!(held[i] = fds_find(t, &r[i]))) return -ESTALE;
  }
  for (u32 i = 0; i < count; i++) ofd_get(held[i]);
  i32 e = 0;
  for (u32 i = 0; i < count; i++) {
    if (!e && fd_get(t, r[i].fd) == held[i]) {
      t->entries[r[i].fd].cloexec = r[i].cloexec != 0;
      ofd_put(held[i]);
      continue;
    }
    int put = e ? e : fd_replace(t, r[i].fd, held[i], limit, r[i].cloexec != 0);
    if (put < 0) {
      ofd_put(held[i]);
      e = put;
    }
  }
  for (u32 fd = 0, i = 0; !e && fd < t->capacity; fd++) {
    if (i < count && (u32)r[i].fd == fd) i++;
    else if (t->entries[fd].ofd) fd_close(t, (int)fd);
  }
  return e;
}

/* ---- one description ---- */
static i64 ofd_read_state(const struct ofd *f, u8 *to, u32 room) {
  const struct inode *ino = f->inode;
  struct state_ofd r = {.ofd = identity(f), .generation = f->generation, .kind = kind_of(f), .position = f->pos,
                        .flags = f->flags, .refs = f->refs, .owner_pid = f->owner_pid,
                        .path_bytes = f->path ? (u32)strlen(f->path) : 0};
  if (ino) r.mode = ino->mode, r.inode = ino->ino, r.size = ino->size, r.rdev = ino->rdev;
  if (ino && ino->sb) r.device = ino->sb->dev;
  if (sizeof r + r.path_bytes <= room) {
    memcpy(to, &r, sizeof r);
    if (r.path_bytes) memcpy(to + sizeof r, f->path, r.path_bytes);
  }
  return (i64)(sizeof r + r.path_bytes);
}

static i32 ofd_write_state(struct ofd *f, const u8 *from, u32 bytes) {
  struct state_ofd r;
  if (bytes < sizeof r) return -EINVAL;
  memcpy(&r, from, sizeof r);
  if (r.ofd != identity(f) || r.generation != f->generation) return -ESTALE;
  if ((r.flags ^ f->flags) & ~(u32)SETTABLE_FLAGS) return -EINVAL;
  if (r.position != f->pos) {
    if (!f->ops->seek || r.position > INT64_MAX) return -ESPIPE;
    i64 at = f->ops->seek(f, (i64)r.position, SEEK_SET);
    if (at < 0) return (i32)at;
  }
  f->flags = r.flags, f->owner_pid = r.owner_pid;
  return 0;
}

/* ---- how a process ended ---- */
static i64 exit_read(const struct process *p, u8 *to, u32 room) {
  if (p->state != PROCESS_ZOMBIE) return -EAGAIN;
  struct state_child_exit r = {.pid = p->pid, .status = p->exit_status,
                               .instructions = p->instructions + p->child_instructions,
                               .user_ns = p->utime_ns + p->child_utime_ns};
  if (sizeof r <= room) memcpy(to, &r, sizeof r);
  return sizeof r;
}
static i32 exit_write(struct process *p, const u8 *from, u32 bytes) {
  struct state_child_exit r;
  if (bytes != sizeof r) return -EINVAL;
  memcpy(&r, from, sizeof r);
  if (p->state != PROCESS_ZOMBIE) return -EAGAIN;
  if (r.pid != p->pid) return -ESTALE;
  if (r.instructions < p->child_instructions || r.user_ns < p->child_utime_ns) return -EINVAL;
  p->exit_status = r.status;
  p->instructions = r.instructions - p->child_instructions, p->utime_ns = r.user_ns - p->child_utime_ns;
  return 0;
}

/* ---- kernel memory: what lies above the instances' stacks, which are nobody else's business ---- */
#ifdef __wasm__
static bool kernel_range(double address, u32 bytes) {
  u64 end = (u64)__builtin_wasm_memory_size(0) << 16;
  if (!(address >= 1024) || address + bytes > (double)end) return false;
  u64 low = (u64)(uintptr_t)instance_area(0), high = (u64)(uintptr_t)instance_area(MAX_INSTANCES);
  return (u64)address + bytes <= low || (u64)address >= high;
}
#else
static bool kernel_range(UNUSED double address, UNUSED u32 bytes) { return false; } /* a process is no flat memory */
#endif

/* The descriptor that a record names, or NULL. */
static struct ofd *fd_named(const struct process *p, double object) {
  return object >= 0 && object < FD_LIMIT_HARD ? fd_get(p->fds, (int)object) : NULL;
}

/* ---- the calls ---- */
static i64 read_record(u32 kind, i32 pid, double object, u8 *to, u32 room) {
  if (kind == STATE_KERNEL_MEMORY) {
    if (!kernel_range(object, room)) return -EFAULT;
    memcpy(to, (const void *)(uintptr_t)object, room);
    return room;
  }
  struct process *p = process_find(pid);
  if (!p) return -ESRCH;
  if (kind == STATE_CHILD_EXIT) return exit_read(p, to, room);
  if (!p->fds) return -ESRCH;
  if (kind == STATE_FDS) return fds_read(p->fds, to, room);
  struct ofd *f = fd_named(p, object);
  if (!f) return -EBADF;
  if (kind == STATE_OFD) return ofd_read_state(f, to, room);
  if (kind == STATE_PIPE) return pipe_state_read(f, to, room);
  if (kind != STATE_SOCKET) return -EINVAL;
  return socket_of(f) ? socket_state_read(socket_of(f), to, room) : -ENOTSOCK;
}

static i32 write_record(u32 kind, i32 pid, double object, const u8 *from, u32 bytes) {
  if (kind == STATE_KERNEL_MEMORY) {
    if (!kernel_range(object, bytes)) return -EFAULT;
    memcpy((void *)(uintptr_t)object, from, bytes);
    return 0;
  }
  struct process *p = process_find(pid);
  if (!p) return -ESRCH;
  if (kind == STATE_CHILD_EXIT) return exit_write(p, from, bytes);
  if (!p->fds) return -ESRCH;
  if (kind == STATE_FDS) return fds_write(p, from, bytes);
  struct ofd *f = fd_named(p, object);
  if (!f) return -EBADF;
  if (kind == STATE_OFD) return ofd_write_state(f, from, bytes);
  if (kind == STATE_PIPE) return pipe_state_write(f, from, bytes);
  if (kind != STATE_SOCKET) return -EINVAL;
  return socket_of(f) ? socket_state_write(socket_of(f), from, bytes) : -ENOTSOCK;
}

static i32 lend(u8 **data, u32 at, u32 bytes, bool fill) {
  if (bytes > STATE_BYTES_MAX) return -EMSGSIZE;
  *data = kzalloc(bytes ? bytes : 1);
  if (!*data) return -ENOMEM;
  return fill ? copy_in(*data, at, bytes) : 0;
}

/* Length of the record, which is at staging address `at`; -EMSGSIZE when `room` is less (memory: exactly room bytes). */
i32 WASM_EXPORT("tk_state_read") tk_state_read(u32 kind, i32 pid, double object, u32 at, u32 room) {
  if (!current) return -ESRCH;
  HOLD_LOCK;
  u8 *data = NULL;
  i64 r = lend(&data, at, room, false);
  if (r == 0) r = read_record(kind, pid, object, data, room);
  if (r > (i64)room) r = -EMSGSIZE;
  if (r > 0 && copy_out(at, data, (size_t)r)) r = -EFAULT;
  kfree(data);
  return (i32)r;
}

i32 WASM_EXPORT("tk_state_write") tk_state_write(u32 kind, i32 pid, double object, u32 at, u32 bytes) {
  if (!current) return -ESRCH;
  HOLD_LOCK;
  u8 *data = NULL;
  i32 r = lend(&data, at, bytes, true);
  if (r == 0) r = write_record(kind, pid, object, data, bytes);
  kfree(data);
  return r;
}

/* STATE_THREAD, STATE_GUEST_MEMORY: number of an errand, or -errno. */
i32 WASM_EXPORT("tk_errand_begin") tk_errand_begin(u32 kind, i32 pid, double object, u32 at, u32 bytes, u32 write) {
  if (!current) return -ESRCH;
  if (!(object >= 0)) return -EFAULT;
  HOLD_LOCK;
  u8 *data = NULL;
  i32 r = lend(&data, at, bytes, write != 0);
  if (r == 0) r = errand_begin(kind, pid, (u64)object, write != 0, data, bytes);
  else kfree(data);
  return r;
}
/* Length of its result, which is at staging address `at`, or its -errno; -EAGAIN while under way, else it is over. */
i32 WASM_EXPORT("tk_errand_take") tk_errand_take(u32 id, u32 at, u32 room) {
  if (!current) return -ESRCH;
  HOLD_LOCK;
  const u8 *data = NULL;
  i32 r = errand_result(id, &data);
  if (r > (i32)room) r = -EMSGSIZE;
  if (r > 0 && copy_out(at, data, (size_t)r)) r = -EFAULT;
  if (r != -EAGAIN) errand_end(id);
  return r;
}
