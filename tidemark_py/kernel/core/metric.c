/* core/metric: histograms of system calls, wake-ups, messages and phases. One table for all workers, made when somebody
 * asks and then kept, for a worker without the lock may be adding; each word is added to atomically. Clocks have steps of
 * 5 us in browsers: a single short time says little, sums and medians of many are right. */
#include "metric.h"

#define METRICS (METRIC_CALLS + SYSCALL_TABLE_ROWS)
#define METRIC_PAGES ((METRICS * (u32)sizeof(struct histogram) + PAGE_BYTES - 1) / PAGE_BYTES)

static struct histogram *table;
void (*phase_seen)(u32 id, u64 start_ns, u64 end_ns);

int metrics_set(bool on) {
  ASSERT_LOCKED();
  if (on && !table && !(table = kpages_alloc(METRIC_PAGES))) return -ENOMEM;
  if (on) memset(table, 0, METRIC_PAGES * PAGE_BYTES);
  u32 bits = on ? counters.watching | WATCH_METRICS : counters.watching & ~(u32)WATCH_METRICS;
  __atomic_store_n(&counters.watching, bits, __ATOMIC_SEQ_CST);
  return 0;
}

const struct histogram *metrics_now(void) { return watching() & WATCH_METRICS ? table : NULL; }

/* The unit, then four buckets to each doubling. */
static u32 bucket_of(u64 ns) {
  u64 units = ns >> METRIC_UNIT_SHIFT;
  if (units < 4) return (u32)units;
  u32 top = 63u - (u32)__builtin_clzll(units);
  return MIN(4 * (top - 1) + (u32)(units >> (top - 2) & 3), METRIC_BUCKETS - 1u);
}

void metric_count(u32 id, u32 n) {
  if ((watching() & WATCH_METRICS) && id < METRICS) __atomic_add_fetch(&table[id].count, n, __ATOMIC_RELAXED);
}

void metric_add(u32 id, u64 ns) {
  if (!(watching() & WATCH_METRICS) || id >= METRICS) return;
  struct histogram *m = &table[id];
  __atomic_add_fetch(&m->sum_ns, ns, __ATOMIC_RELAXED);
  __atomic_add_fetch(&m->buckets[bucket_of(ns)], 1, __ATOMIC_RELAXED);
  u64 most = __atomic_load_n(&m->max_ns, __ATOMIC_RELAXED);
  while (ns > most && !__atomic_compare_exchange_n(&m->max_ns, &most, ns, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {}
}

void phase_ended(u32 id, u64 start_ns) {
  u64 now = host_monotonic_ns();
  metric_count(id, 1), metric_add(id, now - start_ns);
  if (phase_seen && (watching() & WATCH_TIMELINE) && kernel_lock_held()) phase_seen(id, start_ns, now);
}
