/* profile: where guest threads spend their time in user mode, as trace records (TRACE_SAMPLE) of who asked by
 * TRACE_ON_PROFILE. Called by task/run.c alone, around cpu_run, without the lock. See profile.c. */
#ifndef TIDEMARK_TASK_PROFILE_H
#define TIDEMARK_TASK_PROFILE_H
#include "../core/metric.h"
#include "task.h"

/* 0: nobody asks. Else now. */
static inline u64 profile_begin(void) { return UNLIKELY(watching() & WATCH_PROFILE) ? host_monotonic_ns() : 0; }
/* t was in cpu_run since then: its registers are in its block. */
void profile_end(struct thread *t, u64 since_ns);
#endif
