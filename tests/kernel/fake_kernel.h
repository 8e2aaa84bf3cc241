/* What ipc/ and tty/ need below them, for unit tests without guests: threads that park on a futex, guest addresses that
 * are kernel pointers, and the host. Include once, in the test's main file. */
#ifndef FAKE_KERNEL_H
#define FAKE_KERNEL_H
#include "../../tidemark_py/kernel/file/file.h"

extern int printf(const char *, ...);
extern NORETURN void abort(void);
extern long syscall(long, ...);
typedef unsigned long pthread_type;
extern int pthread_create(pthread_type *, const void *, void *(*)(void *), void *);
extern int pthread_join(pthread_type, void **);
extern int usleep(unsigned);

static u64 clock_read(int clock) {
  struct { long sec, nsec; } ts;
  syscall(228, clock, &ts);
  return (u64)ts.sec * 1000000000u + (u64)ts.nsec;
}
u64 host_monotonic_ns(void) { return clock_read(1); }
u64 host_realtime_ns(void) { return clock_read(0); }
void host_random(void *buf, u32 bytes) { memset(buf, 7, bytes); }
void host_log(const char *text, u32 bytes) { printf("%.*s\n", (int)bytes, text); }
void host_panic(void) { abort(); }
static u32 notified_id, notified_count;
void host_notify(UNUSED u32 role, UNUSED u32 kind, u32 arg) { notified_id = arg, notified_count++; }
int host_wait32(u32 *word, u32 expected, i64 timeout_ns) {
  struct { long sec, nsec; } ts = {timeout_ns / 1000000000, timeout_ns % 1000000000};
  return syscall(202, word, 128, expected, timeout_ns < 0 ? NULL : &ts, NULL, 0) != 0 && timeout_ns >= 0;
}
void host_wake32(u32 *word, u32 count) { syscall(202, word, 129, MIN(count, 0x7fffffffu), NULL, NULL, 0); }

int file_sync(UNUSED struct superblock *sb) { return 0; } /* nothing here has a journal */

/* ---- wait ---- */
struct thread {
  u32 cell, parks;
  bool signalled;
};
_Thread_local struct thread *current;
static struct thread main_thread;

void wait_queue_init(struct wait_queue *q) { list_init(&q->entries); }
void wait_add(struct wait_queue *q, struct wait_entry *e) {
  list_add_tail(&q->entries, &e->link);
  e->queued = true;
}
void wait_remove(struct wait_entry *e) {
  if (e->queued) list_remove(&e->link);
  e->queued = false;
}
void thread_wake(struct thread *t) {
  __atomic_add_fetch(&t->cell, 1, __ATOMIC_SEQ_CST);
  host_wake32(&t->cell, 1);
}
void wait_wake_n(struct wait_queue *q, u32 events, u32 n) {
  LIST_FOR(e, &q->entries, struct wait_entry, link) {
    if (events && e->events && !(events & e->events)) continue;
    e->fired = true;
    if (e->thread)
      thread_wake(e->thread);
    else
      e->wake(e, events);
    if (e->exclusive && !--n) break;
  }
}
void wait_wake(struct wait_queue *q, u32 events) { wait_wake_n(q, events, 1); }
int wait_park(u64 deadline_ns) {
  struct thread *t = current;
  if (t->signalled) return -ERESTARTSYS;
  u32 cell = __atomic_load_n(&t->cell, __ATOMIC_SEQ_CST);
  u64 now = host_monotonic_ns();
  if (deadline_ns <= now) return -ETIMEDOUT;
  t->parks++;
  kernel_unlock();
  host_wait32(&t->cell, cell, deadline_ns == WAIT_FOREVER ? -1 : (i64)(deadline_ns - now));
  kernel_lock();
  return t->signalled ? -ERESTARTSYS : host_monotonic_ns() >= deadline_ns ? -ETIMEDOUT : 0;
}
int wait_on(struct wait_queue *q, u64 deadline_ns) {
  struct wait_entry e = {.thread = current};
  wait_add(q, &e);
  int r = wait_park(deadline_ns);
  wait_remove(&e);
  return r;
}

int wait_on_killable(struct wait_queue *q) { return wait_on(q, WAIT_FOREVER); }

/* ---- mm: guest addresses are kernel addresses ---- */
int iobuf_here(UNUSED struct iobuf *io) { return 0; }
int copy_in(void *dst, uaddr_t src, size_t n) { return memcpy(dst, (void *)(uintptr_t)src, n), 0; }
int copy_out(uaddr_t dst, const void *src, size_t n) { return memcpy((void *)(uintptr_t)dst, src, n), 0; }
void iobuf_init_kernel(struct iobuf *io, void *base, u64 len) {
  *io = (struct iobuf){.kernel = true, .left = len, .segments = 1, .inline_seg = {(u64)(uintptr_t)base, len}};
}
i64 iobuf_write(struct iobuf *io, const void *src, u64 n) {
  n = MIN(n, io->left);
  memcpy((u8 *)(uintptr_t)io->inline_seg.base + io->done_in_segment, src, n);
  io->left -= n, io->done_in_segment += n;
  return (i64)n;
}
i64 iobuf_read(struct iobuf *io, void *dst, u64 n) {
  n = MIN(n, io->left);
  memcpy(dst, (u8 *)(uintptr_t)io->inline_seg.base + io->done_in_segment, n);
  io->left -= n, io->done_in_segment += n;
  return (i64)n;
}
void lock_release_owner(UNUSED struct inode *ino, UNUSED const void *owner) {}
void lock_free_all(struct inode *ino);
void lock_free_all(UNUSED struct inode *ino) {}
void fifo_register(UNUSED int (*open)(struct inode *ino, struct ofd *ofd)) {}

/* ---- checks ---- */
static int checks_failed;
#define CHECK(c) ((c) ? (void)0 : (void)(printf("%s:%d: %s\n", __FILE__, __LINE__, #c), checks_failed++))
#define CHECK_EQ(a, b)                                                                                                   \
  do {                                                                                                                   \
    long long va = (long long)(a), vb = (long long)(b);                                                                  \
    if (va != vb) printf("%s:%d: %s = %lld, not %lld\n", __FILE__, __LINE__, #a, va, vb), checks_failed++;               \
  } while (0)
static UNUSED i64 put(struct ofd *f, const void *data, u64 n) {
  struct iobuf io;
  iobuf_init_kernel(&io, (void *)(uintptr_t)data, n);
  return ofd_write(f, &io);
}
static UNUSED i64 get(struct ofd *f, void *data, u64 n) {
  struct iobuf io;
  iobuf_init_kernel(&io, data, n);
  return ofd_read(f, &io);
}
#endif
