/* task/trace: a ring of bytes with whole records in it. Writers are the threads that make system calls (sys/trace.c) and
 * event_post; the reader is the kernel worker, told once by NOTIFY_TRACE and reading until nothing is left. Nothing that a
 * thread records of its calls is lost: a full ring parks it. Events come from places that cannot wait: what does not fit
 * is counted and told in the next record. The ring exists while somebody traces. */
#include "trace.h"

#define RING_BYTES (1u << 20)

u32 trace_all;
bool trace_any;
static u8 *ring;
static u32 head, used; /* bytes */
static u32 lost;
static bool told;
static struct wait_queue room = {{&room.entries, &room.entries}};

int trace_set(i32 pid, u32 what) {
  if (what && !ring && !(ring = kpages_alloc(RING_BYTES / PAGE_BYTES))) return -ENOMEM;
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
  if (!trace_any) wait_wake(&room, 0);
  return 0;
}

bool trace_room(bool may_wait) {
  while (trace_any && used + TRACE_RECORD_MAX_BYTES > RING_BYTES) {
    if (!may_wait || !current || !current->may_park || wait_on_killable(&room)) {
      lost++;
      return false;
    }
  }
  return trace_any && ring;
}

static void write_bytes(const void *from, u32 n) {
  u32 at = (head + used) % RING_BYTES, first = MIN(n, RING_BYTES - at);
  memcpy(ring + at, from, first);
  memcpy(ring, (const u8 *)from + first, n - first);
  used += n;
}

void trace_put(const struct trace_record *r) {
  kassert(r->bytes % 8 == 0 && r->bytes <= TRACE_RECORD_MAX_BYTES);
  if (lost && used + TRACE_RECORD_MAX_BYTES + sizeof(struct trace_record) <= RING_BYTES) {
    struct trace_record l = {.bytes = sizeof l, .kind = TRACE_LOST, .start_ns = r->start_ns, .end_ns = r->end_ns, .result = lost};
    lost = 0;
    write_bytes(&l, sizeof l);
  }
  write_bytes(r, r->bytes);
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

i64 trace_take(uaddr_t to, u32 bytes) {
  u32 done = 0;
  while (used) {
    u32 at = head % RING_BYTES, n;
    u8 *record = ring + at;
    if (RING_BYTES - at >= sizeof n) memcpy(&n, record, sizeof n);
    else kpanic("trace: a record's length is torn"); /* records are multiples of 8, so is the ring */
    if (done + n > bytes) break;
    u32 first = MIN(n, RING_BYTES - at);
    if (copy_out(to + done, record, first) || (n > first && copy_out(to + done + first, ring, n - first))) return -EFAULT;
    head = (head + n) % RING_BYTES, used -= n, done += n;
  }
  if (!used) {
    told = false;
    if (!trace_any && ring) kpages_free(ring, RING_BYTES / PAGE_BYTES), ring = NULL, head = 0;
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
