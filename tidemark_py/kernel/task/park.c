/* park: how a thread sleeps inside the kernel, and how it is woken. One cell per thread, a counter.
 *
 * No wake-up is lost: the cell is read under the lock, everything that wakes adds to it under the lock, and the wait
 * ends at once when it no longer holds what was read. A process timer that falls due while its threads sleep is run by
 * whichever of them wakes for it. Called by every room through wait/wait.h. */
#include "../mm/errand.h"
#include "timeline.h"

struct list *thread_wait_entries(struct thread *t) { return &t->wait_entries; }
bool thread_lives(i32 tid) {
  const struct thread *t = thread_find(tid);
  return t && t->process && t->process->state != PROCESS_ZOMBIE;
}

void thread_wake(struct thread *t) {
  ASSERT_LOCKED();
  if (UNLIKELY(watching())) wake_noted(t);
  __atomic_add_fetch(&t->cell, 1, __ATOMIC_SEQ_CST);
  /* an attached role may wait for it in several ways at once */
  host_wake32(&t->cell, t->host ? UINT32_MAX : 1);
}

void thread_poll(struct thread *t) {
  __atomic_store_n(&t->poll, 1, __ATOMIC_SEQ_CST);
  thread_wake(t);
}

static void set_word(struct thread *t, u32 word) { __atomic_store_n(&t->record->word, word, __ATOMIC_SEQ_CST); }

/* One sleep on the cell; false: the deadline has passed. */
static bool cell_wait(struct thread *t, u64 deadline_ns, u64 now) {
  u32 seen = __atomic_load_n(&t->cell, __ATOMIC_SEQ_CST);
  if (deadline_ns <= now) return false;
  i64 timeout = deadline_ns == WAIT_FOREVER ? -1 : (i64)MIN(deadline_ns - now, (u64)INT64_MAX);
  bool in_call = t->host && t->host_fs;
  if (in_call) host_fs_swap(t);
  kernel_unlock();
  host_wait32(&t->cell, seen, timeout);
  kernel_lock();
  if (in_call) host_fs_swap(t);
  return true;
}

static int park(u64 deadline_ns, bool killable_only) {
  ASSERT_LOCKED();
  struct thread *t = current;
  kassert(t);
  if (!t->may_park) return deadline_ns <= time_monotonic_ns() ? -ETIMEDOUT : -EAGAIN;
  u32 word = t->record->word;
  u64 began = time_monotonic_ns(), now = began;
  int r = 0;
  t->park_start_ns = began;
  u32 start_cell = t->cell;
  for (;;) {
    mm_errands_run();
    if (killable_only ? t->killed : signal_is_pending(t)) {
      r = -ERESTARTSYS;
      break;
    }
    if (__atomic_load_n(&t->cell, __ATOMIC_SEQ_CST) != start_cell) break;
    if (deadline_ns <= now) {
      r = -ETIMEDOUT;
      break;
    }
    u64 timers = process_next_deadline(t->process);
    set_word(t, t->host ? THREAD_HOST : THREAD_PARKED);
    cell_wait(t, MIN(deadline_ns, timers), now);
    now = time_monotonic_ns();
    if (timers <= now) process_run_timers(t->process);
  }
  set_word(t, word);
  t->parked_ns += now - began;
  t->park_start_ns = 0;
  if (UNLIKELY(watching())) wait_ended(t, began, now);
  return r;
}

int wait_park(u64 deadline_ns) { return park(deadline_ns, false); }
int wait_park_killable(u64 deadline_ns) { return park(deadline_ns, true); }

int wait_on(struct wait_queue *q, u64 deadline_ns) {
  struct wait_entry e = {.thread = current};
  wait_add(q, &e);
  int r = wait_park(deadline_ns);
  wait_remove(&e);
  return r;
}

int wait_on_killable(struct wait_queue *q) {
  struct wait_entry e = {.thread = current};
  wait_add(q, &e);
  int r = wait_park_killable(WAIT_FOREVER);
  wait_remove(&e);
  return r;
}

void thread_sleep(struct thread *t) {
  ASSERT_LOCKED();
  mm_errands_run();
  u64 began = time_monotonic_ns();
  u32 seen = __atomic_load_n(&t->cell, __ATOMIC_SEQ_CST);
  kernel_unlock();
  host_wait32(&t->cell, seen, -1);
  kernel_lock();
  u64 now = time_monotonic_ns();
  t->parked_ns += now - began;
  if (UNLIKELY(watching())) wait_ended(t, began, now);
}

/* Until the owner has answered. Not even a kill ends this: the child may already be on its way. */
void task_wait_handover(struct thread *t) {
  while (t->record->word == THREAD_HANDOVER) thread_sleep(t);
}
