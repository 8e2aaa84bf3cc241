/* event: the ring of lifecycle records that the API, the inspector and the tests read. Lock held by writers; readers
 * take no lock: seq, body, seq again. */
#include "trace.h"

struct event_record event_ring[EVENT_RING_RECORDS];

void event_post(u32 kind, i32 pid, i32 tid, i64 a, i64 b) {
  ASSERT_LOCKED();
  u64 seq = counters.event_seq + 1;
  struct event_record *e = &event_ring[seq % EVENT_RING_RECORDS];
  const struct process *p = process_find(pid);
  __atomic_store_n(&e->seq, 0, __ATOMIC_SEQ_CST);
  e->time_ns = time_monotonic_ns();
  e->kind = kind, e->pid = pid, e->tid = tid, e->a = a, e->b = b;
  e->ppid = p && p->parent ? p->parent->pid : 0;
  __atomic_store_n(&e->seq, seq, __ATOMIC_SEQ_CST);
  __atomic_store_n(&counters.event_seq, seq, __ATOMIC_SEQ_CST);
  if (UNLIKELY(trace_any)) trace_event(e);
}
