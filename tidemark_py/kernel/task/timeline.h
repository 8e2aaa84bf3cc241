/* timeline: waits, messages, starts and phases of threads, as trace records and as metrics. Called where they happen, only
 * while counters.watching says so. See timeline.c. */
#ifndef TIDEMARK_TASK_TIMELINE_H
#define TIDEMARK_TASK_TIMELINE_H
#include "../core/metric.h"
#include "task.h"

void wake_noted(struct thread *t);                           /* t is being woken; lock held */
void wait_ended(struct thread *t, u64 start_ns, u64 now_ns); /* t has slept; lock held */
void thread_begins(struct thread *t);                        /* on this worker; lock held */
void message_sent(u32 role, u32 kind, u32 arg);              /* lock held or not */
void message_handled(u32 role, u32 kind, u32 arg);           /* lock held when a timeline is wanted */
void timeline_boot(void);
#endif
