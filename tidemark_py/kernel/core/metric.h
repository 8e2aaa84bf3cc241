/* metric: how long things take, as histograms (layouts.toml: histogram). Nothing is measured unless counters.watching says
 * so; then any room adds, with or without the lock. Read by tk_metrics. See metric.c; waits and messages: task/timeline.h. */
#ifndef TIDEMARK_CORE_METRIC_H
#define TIDEMARK_CORE_METRIC_H
#include "core.h"

static inline u32 watching(void) { return __atomic_load_n(&counters.watching, __ATOMIC_RELAXED); }

int metrics_set(bool on);               /* lock held; on: from zero. 0 or -ENOMEM */
const struct histogram *metrics_now(void); /* METRIC_CALLS + SYSCALL_TABLE_ROWS of them; NULL: off */
void metric_count(u32 id, u32 n);
void metric_add(u32 id, u64 ns); /* of something counted */

/* A part of the kernel's work. 0 while nobody watches: then phase_end does nothing. */
static inline u64 phase_begin(void) { return UNLIKELY(watching() & (WATCH_METRICS | WATCH_TIMELINE)) ? host_monotonic_ns() : 0; }
void phase_ended(u32 id, u64 start_ns);
static inline void phase_end(u32 id, u64 start_ns) {
  if (UNLIKELY(start_ns)) phase_ended(id, start_ns);
}
extern void (*phase_seen)(u32 id, u64 start_ns, u64 end_ns); /* lock held; set by who makes timelines */
#endif
