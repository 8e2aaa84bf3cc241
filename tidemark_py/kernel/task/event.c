/* event: lifecycle records for the API, the inspector and the tests, in one queue (core/queue.h). Its producer is whoever
 * holds the kernel lock, its consumer the kernel worker (tk_events_take); kept are the kinds that somebody listens to. The
 * consumer looks now and then and is told by NOTIFY_EVENT when the queue is half full; what finds no room all the same
 * is given up and counted (queue.lost, tk_events_lost). */
#include "trace.h"

#include "../core/queue.h"

#define RECORD_BYTES QUEUE_RECORD_BYTES((u32)sizeof(struct event_record))
#define RING_BYTES (1u << 18)
#define RING_PAGES ((RING_BYTES + (u32)sizeof(struct shared_queue) + PAGE_BYTES - 1) / PAGE_BYTES)
_Static_assert(RING_BYTES / RECORD_BYTES >= EVENT_RING_RECORDS, "room for so many");

static struct shared_queue *ring;
static u32 listened; /* 1 << EVENT_*: which are kept */
static bool told;

int event_listen(u32 kinds) {
  ASSERT_LOCKED();
  if (kinds && !ring) {
    if (!(ring = kpages_alloc(RING_PAGES))) return -ENOMEM;
    queue_init(ring, RING_BYTES, false);
  }
  listened = kinds, told = false;
  return 0;
}

static void put(const struct event_record *e) {
  u8 *to = queue_begin(ring, sizeof *e);
  if (!to) {
    queue_add(&ring->lost, 1);
    return;
  }
  memcpy(to, e, sizeof *e);
  queue_end(ring, to, sizeof *e);
  if (told || queue_used(ring) < RING_BYTES / 2) return;
  told = true;
  host_notify(ROLE_KERNEL, NOTIFY_EVENT, 0);
}

void event_post(u32 kind, i32 pid, i32 tid, i64 a, i64 b) {
  ASSERT_LOCKED();
  const struct process *p = process_find(pid);
  struct event_record e = {.seq = counters.event_seq + 1, .kind = kind, .pid = pid, .tid = tid, .a = a, .b = b,
                           .ppid = p && p->parent ? p->parent->pid : 0};
  bool kept = listened >> kind & 1;
  if (kept || trace_any) e.time_ns = time_monotonic_ns();
  if (kept) put(&e);
  __atomic_store_n(&counters.event_seq, e.seq, __ATOMIC_SEQ_CST);
  if (UNLIKELY(trace_any)) trace_event(&e);
}

i64 event_take(uaddr_t to, u32 bytes) {
  ASSERT_LOCKED();
  u32 done = 0, n;
  const u8 *record;
  while (ring && (record = queue_front(ring, &n)) && done + n <= bytes) {
    if (copy_out(to + done, record, n)) return -EFAULT;
    done += n;
    queue_pop(ring);
  }
  if (!done) told = false;
  return done;
}

u32 event_lost(void) {
  ASSERT_LOCKED();
  u32 lost = ring ? ring->lost : 0;
  if (ring) ring->lost = 0;
  return lost;
}
