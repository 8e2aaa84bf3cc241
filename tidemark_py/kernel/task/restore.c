/* restore: a saved machine's threads come back to life in this tab's workers.
 *
 * Kernel memory holds the image already; what belonged to the workers of then (instances, hand-overs, errands, decode
 * caches) is made anew. One thread of each address space brings its pages and the register blocks of all its threads
 * into its worker's memory and then asks for workers for the others. A thread goes on from freeze_point: its interrupted
 * call is made again. Called by host/machine.c and the run loop. Lock held. */
#include "errand.h"

struct part {
  struct part *next;
  u8 *bytes;
  struct state_pages head;
};

static void part_free(struct part *p) {
  kpages_free(p->bytes, MAX(p->head.count, 1u));
  kfree(p);
}

static void thread_unbind(struct thread *t) {
  struct thread_record *r = t->record;
  t->instance = UINT32_MAX, t->running = t->frozen = t->registers_set = t->in_guest_call = false;
  t->poll = 1;
  r->generation++;
  r->waiter = r->memory_owner = -1;
}

static void memory_unbind(struct mm *mm) {
  mm->errands = NULL;
  mm->resident_pages = mm->dirty_pages = 0;
  mm->external_code = false;
  cpu_code_free(mm);
}

i32 task_restore(u32 memories_cap, u32 guest_max_pages) {
  ASSERT_LOCKED();
  if (counters.guest_max_pages > guest_max_pages) return -EOVERFLOW;
  if (counters.memories > memories_cap) return -EAGAIN;
  counters.memories_cap = memories_cap;
  freezing = false;
  errands_forget();
  for (u32 i = 0; i < MAX_PROCESSES; i++) {
    struct process *p = &processes[i];
    if (p->state != PROCESS_FREE && !p->host && p->mm) memory_unbind(p->mm);
  }
  current = NULL;
  for (u32 i = 0; i < MAX_THREADS; i++) {
    struct thread *t = &threads[i];
    if (!t->process) continue;
    if (t->host) {
      kassert(t->process->pid == 1 && !current);
      t->instance = instance_id;
      current = t, mm_current = t->process->mm;
    } else thread_unbind(t);
  }
  kassert(current);
  for (u32 i = 0; i < MAX_THREADS; i++)
    if (threads[i].process && !threads[i].host) {
      threads[i].record->start_kind = START_RESTORE;
      threads[i].record->word = THREAD_NEW;
    }
  for (u32 i = 0; i < MAX_THREADS; i++) /* suspended parents: their child's worker is theirs */
    if (threads[i].process && threads[i].vfork_parent) threads[i].vfork_parent->record->word = THREAD_PARKED;
  return 0;
}

i32 restore_pages(i32 pid, uaddr_t at) {
  struct process *p = process_find(pid);
  if (!p || !p->mm || p->host) return -ESRCH;
  struct part *part = kzalloc(sizeof *part);
  if (!part) return -ENOMEM;
  i32 r = COPY_IN(part->head, at);
  if (!r && part->head.count > ARRAY_LEN(part->head.page)) r = -EINVAL;
  if (r || !(part->bytes = kpages_alloc(MAX(part->head.count, 1u)))) {
    kfree(part);
    return r ? r : -ENOMEM;
  }
  r = copy_in(part->bytes, at + sizeof part->head, (size_t)part->head.count * PAGE_BYTES);
  if (r) {
    part_free(part);
    return r;
  }
  part->next = p->mm->restored;
  p->mm->restored = part;
  return 0;
}

i32 restore_registers(i32 tid, uaddr_t at) {
  struct thread *t = thread_find(tid);
  if (!t || t->host) return -ESRCH;
  if (!t->restored && !(t->restored = kmalloc(sizeof *t->restored))) return -ENOMEM;
  return copy_in(t->restored, at, sizeof *t->restored);
}

void task_restore_start(void) {
  ASSERT_LOCKED();
  for (u32 i = 0; i < MAX_THREADS; i++) {
    struct thread *t = &threads[i];
    if (!t->process || t->host || t->record->word != THREAD_NEW) continue;
    bool first = true; /* of its address space: it brings the pages */
    for (u32 j = 0; j < i; j++)
      first &= !threads[j].process || threads[j].record->word != THREAD_NEW || threads[j].process->mm != t->process->mm;
    if (first) host_notify(ROLE_OWNER, NOTIFY_START, i);
  }
}

void restore_begin(struct thread *t) {
  struct mm *mm = t->process->mm;
  int r = 0;
  for (struct part *p = mm->restored, *next; p; p = next) {
    next = p->next;
    for (u32 i = 0; i < p->head.count && !r; i++) r = mm_page_import(mm, p->head.page[i], p->bytes + (size_t)i * PAGE_BYTES);
    part_free(p);
  }
  mm->restored = NULL;
  if (r) {
    klog("%s[%d]: out of memory while it was restored", t->process->name, t->process->pid);
    process_kill(t->process, SIGKILL);
  }
  for (u32 i = 0; i < MAX_THREADS; i++) {
    struct thread *each = &threads[i];
    if (!each->process || each->process->mm != mm) continue;
    if (each->restored) guest_head_copy_out(each->regblock, each->restored, sizeof *each->restored);
    kfree(each->restored);
    each->restored = NULL;
    if (each == t || each->record->word != THREAD_NEW) continue;
    each->record->start_kind = START_THREAD;
    each->record->memory_owner = (i32)t->index;
    host_notify(ROLE_OWNER, NOTIFY_START, each->index);
  }
}
