/* Pipes, fifos, poll and host watches without guests: pipe(7), fifo(7), poll(2). Ends with eight threads hammering pipes
 * (for the thread sanitizer): every byte arrives once and in order. */
#include "fake_kernel.h"
#include "../../tidemark_py/kernel/ipc/pipe.h"

static u8 big[200000], back[200000];

static void test_bytes_come_out_in_order_and_the_pipe_bounds_them(void) {
  struct ofd *r, *w;
  CHECK_EQ(pipe_new(O_NONBLOCK, &r, &w), 0);
  CHECK_EQ(get(r, back, 10), -EAGAIN);
  CHECK_EQ(put(w, big, sizeof big), 65536);
  CHECK_EQ(put(w, big, 1), -EAGAIN);
  CHECK_EQ(w->ops->poll(w, NULL), 0);
  CHECK_EQ(get(r, back, 100), 100);
  CHECK_EQ(put(w, big, 101), -EAGAIN); /* atomic: all or nothing up to PIPE_BUF */
  CHECK_EQ(put(w, big + 65536, 100), 100);
  CHECK_EQ(get(r, back + 100, 70000), 65536);
  CHECK(!memcmp(big, back, 65636));
  CHECK_EQ(w->ops->poll(w, NULL) & POLLOUT, POLLOUT);
  CHECK_EQ(get(w, back, 1), -EBADF);
  CHECK_EQ(put(r, back, 1), -EBADF);
  ofd_put(r);
  CHECK_EQ(put(w, big, 1), -EPIPE);
  CHECK_EQ(w->ops->poll(w, NULL) & POLLERR, POLLERR);
  ofd_put(w);
}

static void test_end_of_file_after_the_last_writer(void) {
  struct ofd *r, *w;
  CHECK_EQ(pipe_new(0, &r, &w), 0);
  CHECK_EQ(put(w, "abc", 3), 3);
  ofd_put(w);
  CHECK_EQ(r->ops->poll(r, NULL), POLLIN | POLLRDNORM | POLLHUP);
  CHECK_EQ(get(r, back, 10), 3);
  CHECK_EQ(get(r, back, 10), 0);
  CHECK_EQ(r->ops->poll(r, NULL), POLLHUP);
  ofd_put(r);
}

static void test_capacity(void) {
  struct ofd *r, *w;
  CHECK_EQ(pipe_new(O_NONBLOCK, &r, &w), 0);
  CHECK_EQ(pipe_capacity(r), 65536);
  CHECK_EQ(pipe_set_capacity(w, 5000, false), 8192);
  CHECK_EQ(put(w, big, sizeof big), 8192);
  CHECK_EQ(pipe_set_capacity(w, 4096, false), -EBUSY);
  CHECK_EQ(pipe_set_capacity(w, 1 << 20, false), 1 << 20);
  CHECK_EQ(pipe_set_capacity(w, (1 << 20) + 1, false), -EPERM);
  CHECK_EQ(put(w, big + 8192, sizeof big - 8192), sizeof big - 8192);
  CHECK_EQ(get(r, back, 150000), 150000);
  CHECK_EQ(pipe_set_capacity(w, 65536, false), 65536);
  CHECK_EQ(get(r, back + 150000, 70000), 50000);
  CHECK(!memcmp(big, back, sizeof big));
  ofd_put(r), ofd_put(w);
}

static void test_no_memory_is_survived(void) {
  struct ofd *r, *w;
  for (u32 n = 1; n < 6; n++) {
    kheap_fail_after(n);
    int e = pipe_new(0, &r, &w);
    kheap_fail_after(0);
    CHECK_EQ(e, n <= 4 ? -ENOMEM : 0);
    if (!e) ofd_put(r), ofd_put(w);
  }
  CHECK_EQ(pipe_new(O_NONBLOCK, &r, &w), 0);
  kheap_fail_after(1);
  CHECK_EQ(put(w, big, 100), -ENOMEM);
  kheap_fail_after(0);
  CHECK_EQ(put(w, big, 4096), 4096);
  kheap_fail_after(1);
  CHECK_EQ(put(w, big, 5000), -EAGAIN); /* cannot grow: the small ring has to do */
  kheap_fail_after(0);
  CHECK_EQ(get(r, back, 4096), 4096);
  CHECK_EQ(w->ops->poll(w, NULL) & POLLOUT, POLLOUT);
  ofd_put(r), ofd_put(w);
}

static void test_a_signal_ends_a_wait_with_the_count_so_far(void) {
  struct ofd *r, *w;
  CHECK_EQ(pipe_new(0, &r, &w), 0);
  current->signalled = true;
  CHECK_EQ(get(r, back, 1), -ERESTARTSYS);
  CHECK_EQ(put(w, big, 100000), 65536);
  CHECK_EQ(put(w, big, 10), -ERESTARTSYS);
  current->signalled = false;
  ofd_put(r), ofd_put(w);
}

/* ---- fifos ---- */
static struct inode *fifo;
static struct ofd *fifo_ofd(u32 flags, int *result) {
  inode_get(fifo);
  struct ofd *f = ofd_new(fifo, NULL, flags, NULL);
  *result = fifo_open(fifo, f);
  if (*result) f->ops = NULL, ofd_put(f), f = NULL;
  return f;
}
static struct thread other_thread;
static void *open_writer(UNUSED void *arg) {
  instance_id = 1, current = &other_thread;
  usleep(20000);
  kernel_lock();
  int e;
  struct ofd *w = fifo_ofd(O_WRONLY, &e);
  CHECK_EQ(put(w, "hello", 5), 5);
  ofd_put(w);
  kernel_unlock();
  return NULL;
}
static void test_fifo_opens_wait_for_each_other(void) {
  int e;
  fifo = inode_anonymous(S_IFIFO | 0644);
  CHECK(!fifo_ofd(O_WRONLY | O_NONBLOCK, &e));
  CHECK_EQ(e, -ENXIO);
  struct ofd *r = fifo_ofd(O_RDONLY | O_NONBLOCK, &e);
  CHECK_EQ(r->ops->poll(r, NULL), 0); /* no hang-up before the first writer */
  CHECK_EQ(get(r, back, 10), 0);
  struct ofd *w = fifo_ofd(O_WRONLY | O_NONBLOCK, &e);
  CHECK_EQ(get(r, back, 10), -EAGAIN);
  ofd_put(w);
  CHECK_EQ(r->ops->poll(r, NULL), POLLHUP);
  ofd_put(r);
  pthread_type t;
  pthread_create(&t, NULL, open_writer, NULL);
  r = fifo_ofd(O_RDONLY, &e); /* waits, and meets a writer that has left already */
  CHECK_EQ(e, 0);
  CHECK_EQ(get(r, back, 10), 5);
  CHECK_EQ(get(r, back, 10), 0);
  ofd_put(r);
  kernel_unlock();
  pthread_join(t, NULL);
  kernel_lock();
  struct ofd *both = fifo_ofd(O_RDWR, &e);
  CHECK_EQ(put(both, "x", 1), 1);
  CHECK_EQ(get(both, back, 9), 1);
  ofd_put(both);
  inode_put(fifo);
}

/* ---- poll ---- */
static struct ofd *poll_target;
static void *write_later(UNUSED void *arg) {
  instance_id = 1, current = &other_thread;
  usleep(20000);
  kernel_lock();
  CHECK_EQ(put(poll_target, "x", 1), 1);
  kernel_unlock();
  return NULL;
}
static void test_poll_waits_for_the_first_ready(void) {
  struct ofd *r, *w;
  struct fd_table *table = fd_table_new();
  CHECK_EQ(pipe_new(0, &r, &w), 0);
  CHECK_EQ(fd_install(table, r, 0, 1024, false), 0);
  CHECK_EQ(fd_install(table, w, 0, 1024, false), 1);
  struct poll_fd fds[4] = {{0, POLLIN, 9}, {-1, POLLIN, 9}, {7, POLLIN, 9}, {1, POLLOUT | POLLIN, 9}};
  CHECK_EQ(poll_fds(table, fds, 4, 0), 2);
  CHECK(!fds[0].revents && !fds[1].revents && fds[2].revents == POLLNVAL && fds[3].revents == POLLOUT);
  u64 start = host_monotonic_ns();
  CHECK_EQ(poll_fds(table, fds, 1, start + 10000000), 0);
  CHECK(host_monotonic_ns() - start >= 10000000);
  poll_target = w;
  pthread_type t;
  pthread_create(&t, NULL, write_later, NULL);
  CHECK_EQ(poll_fds(table, fds, 2, WAIT_FOREVER), 1);
  CHECK_EQ(fds[0].revents, POLLIN);
  kernel_unlock();
  pthread_join(t, NULL);
  kernel_lock();
  CHECK_EQ(get(r, back, 5), 1);
  current->signalled = true;
  CHECK_EQ(poll_fds(table, fds, 1, WAIT_FOREVER), -ERESTARTNOHAND);
  current->signalled = false;
  fd_table_put(table);
}

static void test_host_watch_tells_once(void) {
  struct ofd *r, *w;
  CHECK_EQ(pipe_new(0, &r, &w), 0);
  CHECK_EQ(host_watch(r, POLLIN, NULL, ROLE_KERNEL, 41), 0);
  u32 before = notified_count;
  CHECK_EQ(put(w, "x", 1), 1);
  CHECK_EQ(put(w, "y", 1), 1);
  CHECK_EQ(notified_count, before + 1);
  CHECK_EQ(notified_id, 41);
  CHECK_EQ(host_watch(r, POLLIN, NULL, ROLE_KERNEL, 42), 1);
  CHECK_EQ(get(r, back, 5), 2);
  CHECK_EQ(host_watch(r, POLLIN, NULL, ROLE_KERNEL, 43), 0);
  ofd_put(r);
  CHECK_EQ(notified_id, 43); /* released */
  ofd_put(w);
  CHECK_EQ(pipe_new(0, &r, &w), 0);
  CHECK_EQ(host_watch(r, POLLIN, NULL, ROLE_KERNEL, 44), 0);
  ofd_put(w);
  CHECK_EQ(notified_id, 44); /* hang-up */
  ofd_put(r);
  CHECK_EQ(pipe_new(O_NONBLOCK, &r, &w), 0); /* reaps the spent ones */
  CHECK_EQ(host_watch(w, POLLOUT, NULL, ROLE_KERNEL, 45), 1);
  ofd_put(r), ofd_put(w);
}

/* ---- eight threads ---- */
#define PAIRS 4
#define TOTAL (8u << 20)
static struct ofd *ends[PAIRS][2];
static struct thread hammer_threads[2 * PAIRS];
static void *hammer(void *arg) {
  u32 i = (u32)(uintptr_t)arg, pair = i / 2, state = i + 1, at = 0, size;
  instance_id = 2 + i, current = &hammer_threads[i];
  static u8 bufs[2 * PAIRS][70000];
  u8 *buf = bufs[i];
  while (at < TOTAL) {
    state = state * 1664525 + 1013904223, size = 1 + (state >> 8) % (state & 1 ? 69999 : 4096);
    if (i & 1) {
      kernel_lock();
      i64 n = get(ends[pair][0], buf, size);
      kernel_unlock();
      if (n <= 0) break;
      for (i64 k = 0; k < n; k++)
        if (buf[k] != (u8)((at + k) * 7 + (at + k) / 251)) checks_failed++;
      at += (u32)n;
    } else {
      size = MIN(size, TOTAL - at);
      for (u32 k = 0; k < size; k++) buf[k] = (u8)((at + k) * 7 + (at + k) / 251);
      kernel_lock();
      i64 n = put(ends[pair][1], buf, size);
      kernel_unlock();
      CHECK_EQ(n, size);
      at += size;
    }
  }
  CHECK_EQ(at, TOTAL);
  return NULL;
}
static void test_eight_threads_lose_nothing(void) {
  pthread_type t[2 * PAIRS];
  for (u32 i = 0; i < PAIRS; i++) CHECK_EQ(pipe_new(0, &ends[i][0], &ends[i][1]), 0);
  kernel_unlock();
  u64 start = host_monotonic_ns();
  for (u32 i = 0; i < 2 * PAIRS; i++) pthread_create(&t[i], NULL, hammer, (void *)(uintptr_t)i);
  for (u32 i = 0; i < 2 * PAIRS; i++) pthread_join(t[i], NULL);
  u64 ms = (host_monotonic_ns() - start) / 1000000, parks = 0;
  kernel_lock();
  for (u32 i = 0; i < PAIRS; i++) ofd_put(ends[i][0]), ofd_put(ends[i][1]);
  for (u32 i = 0; i < 2 * PAIRS; i++) parks += hammer_threads[i].parks;
  printf("%u MiB through %u pipes in %llu ms, %llu parks\n", PAIRS * (TOTAL >> 20), PAIRS, (unsigned long long)ms,
         (unsigned long long)parks);
}

int main(void) {
  current = &main_thread;
  kernel_lock();
  for (u32 i = 0; i < sizeof big; i++) big[i] = (u8)(i * 31 + i / 255);
  test_bytes_come_out_in_order_and_the_pipe_bounds_them();
  test_end_of_file_after_the_last_writer();
  test_capacity();
  test_no_memory_is_survived();
  test_a_signal_ends_a_wait_with_the_count_so_far();
  test_fifo_opens_wait_for_each_other();
  test_poll_waits_for_the_first_ready();
  test_host_watch_tells_once();
  test_eight_threads_lose_nothing();
  printf("pipe_test: %d failed\n", checks_failed);
  return checks_failed != 0;
}
