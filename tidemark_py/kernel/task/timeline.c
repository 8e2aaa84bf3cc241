/* task/timeline: what threads wait for, who wakes them, how long messages take. Message times: what was sent and not
 * handled yet stands in a small table; a role says what it handles (tk_handled). */
#include "timeline.h"

#include "trace.h"

#define SENT_MOST 64u

static struct sent {
  u64 time_ns; /* 0: free */
  u32 role, kind, arg, instance;
  i32 pid, tid; /* of the thread that sent it; 0 a role */
} sent[SENT_MOST];
static u32 sent_word; /* a lock of a few instructions: senders may not hold the kernel's */

void wake_noted(struct thread *t) {
  if (t->woken_ns || !t->park_start_ns) return;
  t->woken_ns = time_monotonic_ns(), t->woken_by = current ? current->tid : 0;
}

void wait_ended(struct thread *t, u64 start_ns, u64 now_ns) {
  if (t->woken_ns) metric_count(METRIC_WAKE, 1), metric_add(METRIC_WAKE, now_ns > t->woken_ns ? now_ns - t->woken_ns : 0);
  u64 by = t->woken_ns ? (u64)(i64)t->woken_by : 0;
  t->woken_ns = 0;
  if (watching() & WATCH_TIMELINE) trace_note(t, TRACE_WAIT, (u32)t->syscall_nr, start_ns, now_ns, by, 0, 0);
}

void thread_begins(struct thread *t) {
  trace_note(t, TRACE_RUN, t->record->start_kind, t->start_ns, t->start_ns, 0, 0, 0);
  phase_end(METRIC_HANDOVER, t->asked_ns);
  t->asked_ns = 0;
}

static void phase_noted(u32 id, u64 start_ns, u64 end_ns) { trace_note(current, TRACE_PHASE, id, start_ns, end_ns, 0, 0, 0); }
void timeline_boot(void) { phase_seen = phase_noted; }

/* ---- messages ---- */
/* Who finds it taken does not measure: its holder may not be running. */
static bool sent_lock(void) {
  for (u32 n = 0; n < 20; n++)
    if (!__atomic_exchange_n(&sent_word, 1, __ATOMIC_ACQUIRE)) return true;
  return false;
}
static void sent_unlock(void) { __atomic_store_n(&sent_word, 0, __ATOMIC_RELEASE); }

void message_sent(u32 role, u32 kind, u32 arg) {
  if (kind == NOTIFY_TRACE || !sent_lock()) return; /* TRACE is us */
  struct sent *to = &sent[0];
  for (u32 i = 0; i < SENT_MOST && to->time_ns; i++)
    if (sent[i].time_ns < to->time_ns) to = &sent[i]; /* free, or the oldest: it was never handled */
  const struct thread *by = current && current->process && !current->host ? current : NULL;
  *to = (struct sent){time_monotonic_ns(), role, kind, arg, instance_id, by ? by->process->pid : 0, by ? by->tid : 0};
  sent_unlock();
}

void message_handled(u32 role, u32 kind, u32 arg) {
  struct sent found = {0}, *first = NULL;
  if (!sent_lock()) return;
  for (u32 i = 0; i < SENT_MOST; i++) {
    struct sent *s = &sent[i];
    if (s->time_ns && s->role == role && s->kind == kind && s->arg == arg && (!first || s->time_ns < first->time_ns)) first = s;
  }
  if (first) found = *first, first->time_ns = 0;
  sent_unlock();
  if (!found.time_ns) return;
  u64 now = time_monotonic_ns();
  u32 id = role == ROLE_OWNER ? METRIC_MESSAGE_OWNER : METRIC_MESSAGE_KERNEL;
  metric_count(id, 1), metric_add(id, now > found.time_ns ? now - found.time_ns : 0);
  if (kernel_lock_held()) trace_message(found.pid, found.tid, kind, found.time_ns, now, role, arg, found.instance);
}
