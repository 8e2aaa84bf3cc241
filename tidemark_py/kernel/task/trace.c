/* task/trace: records of what threads do, in one queue (core/queue.h) for each worker. Writers are the threads that make
 * system calls (sys/trace.c), event_post and whoever notes a wait, a message or a phase; the reader is the kernel worker,
 * told once by NOTIFY_TRACE and reading until nothing is left, the queues merged by time. Nothing that a thread records of
 * its calls is lost: a full queue parks it. The rest comes from places that cannot wait: what does not fit is counted and
 * told in the next record. Queues exist while somebody traces. */
#include "trace.h"

#include "../core/queue.h"

#define RING_BYTES (1u << 17)
#define RING_PAGES ((RING_BYTES + (u32)sizeof(struct shared_queue) + PAGE_BYTES - 1) / PAGE_BYTES)
_Static_assert(TRACE_RECORD_MAX_BYTES <= RING_BYTES / 4, "room for a few records");

u32 trace_all;
bool trace_any;
static struct shared_queue *rings[MAX_INSTANCES];
static bool told;
static struct wait_queue room = {{&room.entries, &room.entries}};

static void watch(u32 what) {
  u32 bits = (trace_any ? WATCH_TRACE : 0) | (what & TRACE_ON_TIMELINE ? WATCH_TIMELINE : 0) |
             (what & TRACE_ON_PROFILE ? WATCH_PROFILE : 0);
  __atomic_store_n(&counters.watching, (counters.watching & WATCH_METRICS) | bits, __ATOMIC_SEQ_CST);
}

static struct shared_queue *ring_here(void) {
  struct shared_queue **mine = &rings[instance_id];
  if (!*mine && (*mine = kpages_alloc(RING_PAGES))) queue_init(*mine, RING_BYTES, false);
  return *mine;
}

int trace_set(i32 pid, u32 what) {
  if (what && !ring_here()) return -ENOMEM;
  if (pid) {
    struct process *p = process_find(pid);
    if (!p) return -ESRCH;
    p->traced = what;
  } else {
    trace_all = what;
  }
  u32 any = trace_all;
  for (u32 i = 0; i < MAX_PROCESSES; i++)
    if (processes[i].state != PROCESS_FREE) any |= processes[i].traced;
  trace_any = any != 0;
  watch(any);
  if (!trace_any) wait_wake(&room, 0);
  return 0;
}

bool trace_room(bool may_wait) {
  struct shared_queue *q = trace_any ? ring_here() : NULL;
  while (q && !queue_begin(q, 2 * TRACE_RECORD_MAX_BYTES)) { /* twice: a LOST record may go before */
    if (!may_wait || !current || !current->may_park || wait_on_killable(&room)) {
      q->lost++;
      return false;
    }
    q = trace_any ? ring_here() : NULL;
  }
  return q != NULL;
}

static void put(struct shared_queue *q, const struct trace_record *r) {
  u8 *to = queue_begin(q, r->bytes);
  kassert(to);
  memcpy(to, r, r->bytes);
  queue_end(q, to, r->bytes);
}

void trace_put(const struct trace_record *r) {
  kassert(r->bytes % 8 == 0 && r->bytes <= TRACE_RECORD_MAX_BYTES);
  struct shared_queue *q = rings[instance_id];
  if (q->lost) {
    struct trace_record l = {.bytes = sizeof l, .kind = TRACE_LOST, .start_ns = r->start_ns, .end_ns = r->end_ns, .result = q->lost};
    q->lost = 0;
    put(q, &l);
  }
  put(q, r);
  if (!told) told = true, host_notify(ROLE_KERNEL, NOTIFY_TRACE, 0);
}

void trace_event(const struct event_record *e) {
  const struct process *p = process_find(e->pid);
  if (!((p ? trace_wanted(p) : trace_all) & TRACE_ON_EVENTS) || !trace_room(false)) return;
  struct trace_record r = {.bytes = sizeof r, .kind = TRACE_EVENT, .pid = e->pid, .tid = e->tid, .start_ns = e->time_ns,
                           .end_ns = e->time_ns, .nr = e->kind, .instance = instance_id};
  r.args[0] = (u64)e->a, r.args[1] = (u64)e->b, r.args[2] = (u64)e->ppid;
  if (p) memcpy(r.name, p->name, sizeof r.name);
  trace_put(&r);
}

static void note(i32 pid, i32 tid, const struct process *p, u32 kind, u32 nr, u64 start_ns, u64 end_ns, u64 a, u64 b, u64 c) {
  if (!trace_room(false)) return;
  struct trace_record r = {.bytes = sizeof r, .kind = kind, .pid = pid, .tid = tid, .start_ns = start_ns, .end_ns = end_ns,
                           .nr = nr, .instance = instance_id, .args = {a, b, c}};
  if (p) memcpy(r.name, p->name, sizeof r.name);
  trace_put(&r);
}

void trace_note(const struct thread *t, u32 kind, u32 nr, u64 start_ns, u64 end_ns, u64 a, u64 b, u64 c) {
  const struct process *p = t ? t->process : NULL;
  if (p && (trace_wanted(p) & TRACE_ON_TIMELINE)) note(p->pid, t->tid, p, kind, nr, start_ns, end_ns, a, b, c);
}

void trace_message(i32 pid, i32 tid, u32 kind, u64 start_ns, u64 end_ns, u32 role, u32 arg, u32 instance) {
  if (counters.watching & WATCH_TIMELINE) note(pid, tid, NULL, TRACE_MESSAGE, kind, start_ns, end_ns, role, arg, instance);
}

/* The oldest of all queues' fronts. */
static struct shared_queue *oldest(const u8 **record, u32 *bytes) {
  struct shared_queue *found = NULL;
  u64 first = UINT64_MAX;
  for (u32 i = 0; i < MAX_INSTANCES; i++) {
    u32 n;
    const u8 *front = rings[i] ? queue_front(rings[i], &n) : NULL;
    u64 end_ns = front ? ((const struct trace_record *)(const void *)front)->end_ns : UINT64_MAX;
    if (front && end_ns < first) first = end_ns, found = rings[i], *record = front, *bytes = n;
  }
  return found;
}

i64 trace_take(uaddr_t to, u32 bytes) {
  u32 done = 0, n;
  const u8 *record;
  struct shared_queue *q;
  while ((q = oldest(&record, &n))) {
    if (done + n > bytes) break;
    if (copy_out(to + done, record, n)) return -EFAULT;
    done += n;
    queue_pop(q);
  }
  if (!q) {
    told = false;
    for (u32 i = 0; !trace_any && i < MAX_INSTANCES; i++)
      if (rings[i]) kpages_free(rings[i], RING_PAGES), rings[i] = NULL;
  }
  if (done) wait_wake(&room, 0);
  return done;
}

/* ---- what is lacking ---- */
static struct call_use uses[256];
static u32 use_count;

void call_use_note(u32 nr, bool refused) {
  const char *name = current->process->name;
  for (u32 i = 0; i < use_count; i++)
    if (uses[i].nr == nr && !memcmp(uses[i].program, name, sizeof uses[i].program)) {
      uses[i].count++, uses[i].refused += refused;
      return;
    }
  if (use_count == ARRAY_LEN(uses)) return;
  struct call_use *u = &uses[use_count++];
  *u = (struct call_use){.nr = nr, .count = 1, .refused = refused};
  memcpy(u->program, name, sizeof u->program);
}

i64 call_use_take(uaddr_t to, u32 bytes) {
  u32 n = MIN(use_count, bytes / (u32)sizeof *uses);
  if (copy_out(to, uses, n * sizeof *uses)) return -EFAULT;
  memmove(uses, uses + n, (use_count - n) * sizeof *uses);
  use_count -= n;
  return (i64)(n * sizeof *uses);
}
