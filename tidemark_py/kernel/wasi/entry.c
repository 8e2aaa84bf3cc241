/* wasi/entry: how a module's thread gets into the kernel and out of it again, and how it ends.
 *
 * The word of its record is USER while module code (or the shim) runs. Entering swaps it to KERNEL; a killer, who holds
 * the lock, swaps USER to DEAD: exactly one of them succeeds, so a worker is only ever ended outside of the kernel. */
#include "wasi.h"

static _Thread_local bool over;

/* The owner is ending this worker: nothing of the kernel may be touched any more. */
static NORETURN void wait_for_the_end(void) {
  static u32 never;
  for (;;) host_wait32(&never, 0, -1);
}

void wasi_enter(void) {
  struct thread *t = current;
  u32 user = THREAD_USER;
  /* the slot may be somebody else's by now */
  if (UNLIKELY(t->instance != instance_id)) wait_for_the_end();
  if (UNLIKELY(!__atomic_compare_exchange_n(&t->record->word, &user, THREAD_KERNEL, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)))
    wait_for_the_end();
  kernel_lock();
}

bool wasi_leave(i64 result) {
  struct thread *t = current;
  bool again = UNLIKELY(result <= -ERESTARTSYS && result >= -ERESTART_RESTARTBLOCK);
  if (UNLIKELY(fetch_wanted())) { /* it met a file body that is not here, before any effect */
    if (result < 0) again = true, fetch_wait(false);
    fetch_forget();
  }
  if (UNLIKELY(__atomic_load_n(&t->process->timers_armed, __ATOMIC_RELAXED))) process_run_timers(t->process);
  if (UNLIKELY(again || __atomic_load_n(&t->poll, __ATOMIC_ACQUIRE)))
    if (!signal_deliver()) wasi_exit();
  __atomic_store_n(&t->record->word, THREAD_USER, __ATOMIC_SEQ_CST);
  kernel_unlock();
  return again;
}

static void thread_ends(void) {
  ASSERT_LOCKED();
  current->record->status = STATUS_EXITED;
  over = true;
  bool parent = thread_exit();
  kassert(!parent); /* modules do not vfork */
  kernel_unlock();
}

/* By a trap: a module may catch what JavaScript throws through it, a trap it cannot. The shim asks tk_wasi_over. */
void wasi_exit(void) {
  thread_ends();
  __builtin_trap();
}

/* ---- for host/exports.c ---- */
u32 wasi_thread_start(u32 slot, u32 generation) {
  over = false;
  kernel_lock();
  u32 status = task_start(slot, generation);
  if (!status && !signal_deliver()) {
    thread_ends();
    return STATUS_EXITED;
  }
  if (!status) __atomic_store_n(&current->record->word, THREAD_USER, __ATOMIC_SEQ_CST);
  kernel_unlock();
  return status;
}

bool wasi_is_over(void) { return over; }
bool wasi_in_module(void) {
  struct thread *t = current;
  if (!t) return false;
  u32 word = __atomic_load_n(&t->record->word, __ATOMIC_SEQ_CST);
  if (t->instance != instance_id || word == THREAD_DEAD) wait_for_the_end(); /* killed while it trapped */
  return word == THREAD_USER;
}

void wasi_text_to(i32 fd, const char *text, u32 bytes) {
  struct ofd *f = wasi_hold(fd);
  if (!f) return;
  struct iobuf io;
  iobuf_init_kernel(&io, (void *)(uintptr_t)text, bytes);
  while (io.left)
    if (ofd_write(f, &io) <= 0) break;
  ofd_put(f);
}

/* The shim: the module cannot start, or trapped. Why goes to stderr behind argv[0]; the process ends with wait status
 * `status`. One thread at a time is between the two. */
u8 *wasi_fail_begin(void) {
  wasi_enter();
  return current->process->wasi->buffer;
}

void wasi_fail(u32 bytes, i32 status) {
  ASSERT_LOCKED();
  struct wasi *w = current->process->wasi;
  char *text = (char *)w->buffer;
  u32 name = (u32)strnlen(w->strings, 1024);
  bytes = MIN(bytes, WASI_FAIL_BYTES);
  memmove(text + name + 2, text, bytes);
  memcpy(text, w->strings, name);
  memcpy(text + name, ": ", 2);
  text[name + 2 + bytes] = '\n';
  wasi_text_to(2, text, name + 3 + bytes);
  task_exit_group(status);
  thread_ends();
}

/* ---- further threads ---- */
i64 wasi_do_thread_spawn(u32 start_arg) {
  struct thread *self = current;
  struct process *p = self->process;
  struct thread *t = thread_new(p, 0);
  if (!t) return -EAGAIN;
  i32 tid = t->tid;
  t->blocked = self->blocked;
  t->module_argument = start_arg;
  t->record->memory_owner = (i32)self->index;
  event_post(EVENT_SPAWN, p->pid, tid, 3, t->index);
  int r = task_hand_over(t, self, START_WASI_THREAD);
  if (r < 0) {
    thread_discard(t);
    return r;
  }
  return tid;
}

void wasi_thread_end(void) {
  wasi_enter();
  task_exit_thread(0);
  thread_ends();
}

u64 wasi_module_bytes(void) { return current->process->wasi->module ? current->process->wasi->module->inode->size : 0; }

u32 wasi_module_read(u64 offset) {
  struct wasi *w = current->process->wasi;
  i64 n;
  do {
    wasi_enter();
    n = w->module ? inode_read_kernel(w->module->inode, offset, w->buffer, WASI_BUFFER_BYTES) : 0;
  } while (wasi_leave(n));
  return n > 0 ? (u32)n : 0;
}
