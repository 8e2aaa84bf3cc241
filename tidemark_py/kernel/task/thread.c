/* thread: the slots of threads, their numbers and records.
 *
 * A slot is the handle the runtime uses, with the generation in its record. Freed slots are taken again longest-free
 * first, so that a record can still be read for a while after its thread ended. Lock held everywhere. */
#include "task.h"

struct thread threads[MAX_THREADS];
struct thread_record thread_records[MAX_THREADS];
_Thread_local struct thread *current;

#define PID_MAX 32768
static u16 pid_refs[PID_MAX]; /* process or thread of that number, groups and sessions named so */
static u16 tid_slot[PID_MAX]; /* slot + 1 */
static i32 last_pid;
static u32 free_head, free_tail; /* slot + 1; 0 none */
static bool ready;

static void slots_boot(void) {
  ready = true;
  for (u32 i = 0; i < MAX_THREADS; i++) threads[i].free_next = i + 2;
  threads[MAX_THREADS - 1].free_next = 0;
  free_head = 1, free_tail = MAX_THREADS;
}

i32 pid_alloc(void) {
  for (u32 tries = 0; tries < PID_MAX; tries++) {
    i32 pid = ++last_pid;
    if (pid >= PID_MAX) pid = last_pid = 300; /* as Linux: low numbers are not used twice */
    if (pid_refs[pid]) continue;
    pid_refs[pid] = 1;
    return pid;
  }
  return -EAGAIN;
}
void pid_get(i32 pid) {
  if (pid > 0) pid_refs[pid]++;
}
void pid_put(i32 pid) {
  if (pid <= 0) return;
  kassert(pid_refs[pid] > 0);
  pid_refs[pid]--;
}

struct thread *thread_find(i32 tid) {
  if (tid <= 0 || tid >= PID_MAX || !tid_slot[tid]) return NULL;
  return &threads[tid_slot[tid] - 1];
}

struct thread *thread_new(struct process *p, i32 tid) {
  if (!ready) slots_boot();
  if (!free_head) return NULL;
  if (!tid && (tid = pid_alloc()) < 0) return NULL;
  u32 index = free_head - 1;
  struct thread *t = &threads[index];
  free_head = t->free_next;
  if (!free_head) free_tail = 0;
  u32 cell = t->cell;
  memset(t, 0, sizeof *t);
  t->index = index, t->tid = tid, t->process = p, t->cell = cell;
  t->record = &thread_records[index];
  t->regslot = -1, t->instance = UINT32_MAX, t->may_park = true;
  t->start_ns = time_monotonic_ns();
  t->affinity = current ? current->affinity : ~0ull;
  signal_pending_init(&t->pending);
  list_init(&t->wait_entries);
  list_add_tail(&p->threads, &t->link);
  p->thread_count++;
  counters.threads++;
  tid_slot[tid] = (u16)(index + 1);
  memcpy(t->name, p->name, sizeof t->name);
  struct thread_record *r = t->record;
  u32 generation = r->generation + 1;
  *r = (struct thread_record){.generation = generation, .pid = p->pid, .tid = tid, .waiter = -1, .memory_owner = -1};
  __atomic_store_n(&r->word, THREAD_NEW, __ATOMIC_SEQ_CST);
  return t;
}

void thread_discard(struct thread *t) {
  struct process *p = t->process;
  signal_pending_clear(&t->pending);
  ptrace_thread_free(t);
  LIST_FOR(e, &t->wait_entries, struct wait_entry, thread_link) wait_remove(e);
  if (t->host_fs) fs_context_put(t->host_fs);
  if (t->exec) exec_image_free(t->exec);
  t->host_fs = NULL, t->exec = NULL;
  list_remove(&t->link);
  p->thread_count--;
  counters.threads--;
  tid_slot[t->tid] = 0;
  if (t->tid != p->pid) pid_put(t->tid); /* a leader's number is its process's */
  __atomic_store_n(&t->record->word, THREAD_DEAD, __ATOMIC_SEQ_CST);
  t->process = NULL;
  t->free_next = 0;
  if (free_tail) threads[free_tail - 1].free_next = t->index + 1;
  else free_head = t->index + 1;
  free_tail = t->index + 1;
}

/* execve in a thread other than the leader: it takes the leader's number (the leader is gone). */
void thread_become_leader(struct thread *t) {
  struct process *p = t->process;
  if (t->tid == p->pid) return;
  tid_slot[t->tid] = 0;
  pid_put(t->tid);
  t->tid = p->pid;
  tid_slot[t->tid] = (u16)(t->index + 1);
  t->record->tid = t->tid;
}

u64 thread_cpu_ns(const struct thread *t) {
  u64 now = t->park_start_ns ? t->park_start_ns : time_monotonic_ns();
  u64 off = t->start_ns + t->parked_ns;
  return now > off ? now - off : 0;
}

void thread_count_instructions(struct thread *t) { t->record->instructions = guest_head_ld64(t->regblock + REG_INSTRET); }
