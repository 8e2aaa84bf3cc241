/* freeze: every guest thread stops at the border of the kernel, so that kernel memory and the guests' memories are the
 * whole machine: nothing of a frozen thread is on a wasm stack.
 *
 * Freezing looks like a signal without a handler: a sleeping call ends and is made again (restart codes; where a call
 * says EINTR even so, the dispatcher makes it again), a running thread comes out of the guest. What cannot be
 * interrupted (a hand-over, a page on its way from a layer) ends by itself soon. The parent of a vfork child has no
 * frame to keep: it is suspended logically. Called by host/machine.c and the run loop. Lock held. */
#include "task.h"

bool freezing;

static bool suspended(const struct thread *t) {
  for (u32 i = 0; i < MAX_THREADS; i++)
    if (threads[i].process && threads[i].vfork_parent == t) return true;
  return false;
}

i32 task_freeze(bool on) {
  ASSERT_LOCKED();
  if (on) {
    for (u32 i = 0; i < MAX_THREADS; i++)
      if (threads[i].process && threads[i].host && &threads[i] != current) return -EBUSY;
    for (u32 i = 0; i < MAX_PROCESSES; i++)
      if (processes[i].state != PROCESS_FREE && processes[i].wasi) return -EOPNOTSUPP;
    if (ptrace_anyone()) return -EBUSY; /* a stopped tracee is in the middle of something */
    if (!lazy_all_here()) return -EAGAIN;
  }
  freezing = on;
  for (u32 i = 0; i < MAX_THREADS; i++)
    if (threads[i].process && !threads[i].host) thread_poll(&threads[i]);
  return 0;
}

void task_forget_code(void) {
  for (u32 i = 0; i < MAX_PROCESSES; i++)
    if (processes[i].state != PROCESS_FREE && processes[i].mm) cpu_code_free(processes[i].mm);
  if (cpu_translator) cpu_translator->forget(); /* a saved machine is small */
}

u32 task_unfrozen(void) {
  ASSERT_LOCKED();
  u32 n = process_memories_closing();
  for (u32 i = 0; i < MAX_THREADS; i++) {
    const struct thread *t = &threads[i];
    n += t->process && !t->host && !t->frozen && !suspended(t);
  }
  return n;
}

void freeze_point(struct thread *t) {
  if (LIKELY(!freezing) || t->killed) return;
  thread_count_instructions(t);
  t->frozen = true;
  __atomic_store_n(&t->record->word, THREAD_PARKED, __ATOMIC_SEQ_CST);
  while (freezing) thread_sleep(t);
  __atomic_store_n(&t->record->word, THREAD_KERNEL, __ATOMIC_SEQ_CST);
  t->frozen = false;
}
