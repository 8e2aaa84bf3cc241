/* errand: a role's look into a process, done by a thread of that process on its way through the kernel.
 *
 * Every thread of the address space is made to come by; one that sleeps in a call does the errand there and sleeps on.
 * A thread record is taken and given by the thread itself (a vfork parent's by the child that has its worker): only then
 * its register block is the truth. Registers given to a thread inside a call end the call: it is interrupted and its
 * result dropped. Called by host/state.c. Lock held. Missing: a writer cannot take back pending signals. */
#include "errand.h"

#include "../mm/errand.h"

#define RETRY_NS 1000000ull

struct errand {
  struct mm_errand base;
  struct list link;
  u32 id, kind;
  bool write, done, forgotten;
  bool inside; /* a guest thread waits for it, no role */
  bool poke;   /* write where the guest may not */
  bool usage;  /* no bytes: struct mm_usage of the areas */
  struct thread *target; /* STATE_THREAD, STATE_REGISTERS */
  i32 tid;
  u64 address;
  u8 *data;
  u32 bytes;
  i32 result;
};
static struct list errands = {&errands, &errands};
static u32 last_id;
static struct wait_queue done_inside = {{&done_inside.entries, &done_inside.entries}};

_Static_assert(sizeof(struct state_registers) <= REGBLOCK_BYTES, "register block");
#define SAME_PLACE(field, offset) _Static_assert(offsetof(struct state_registers, field) == (offset), "cpu.h REG_*")
SAME_PLACE(x, REG_X);
SAME_PLACE(sink, REG_SINK);
SAME_PLACE(pc, REG_PC);
SAME_PLACE(f, REG_F);
SAME_PLACE(fcsr, REG_FCSR);
SAME_PLACE(reservation, REG_RES_ADDR);
SAME_PLACE(reservation_value, REG_RES_VALUE);
SAME_PLACE(instret, REG_INSTRET);

struct thread_state {
  struct state_thread thread;
  struct state_registers registers;
};

static void errand_free(struct errand *e) {
  list_remove(&e->link);
  kfree(e->data);
  kfree(e);
}

static void finish(struct errand *e, i32 result) {
  e->done = true, e->result = result;
  if (e->forgotten) errand_free(e);
  else if (e->inside) wait_wake(&done_inside, 0);
  else host_notify(ROLE_KERNEL, NOTIFY_ERRAND, e->id);
}

/* ---- threads ---- */
static void thread_read(const struct thread *t, struct thread_state *s) {
  u32 waits = 0;
  for (const struct list *l = t->wait_entries.next; l != &t->wait_entries; l = l->next) waits++;
  s->thread = (struct state_thread){
      .slot = t->index, .generation = t->record->generation, .pid = t->process->pid, .tid = t->tid,
      .word = t->record->word, .in_call = t->in_guest_call, .blocked = t->blocked, .saved_blocked = t->saved_blocked,
      .pending = t->pending.set, .process_pending = t->process->pending.set, .stack_sp = t->sigaltstack_sp,
      .stack_bytes = t->sigaltstack_bytes, .clear_child_tid = t->clear_child_tid, .robust_list = t->robust_list,
      .call = t->syscall_nr, .call_pc = t->syscall_pc, .restart_deadline_ns = t->restart_deadline_ns,
      .parked_since_ns = t->park_start_ns, .waits = waits, .stack_flags = t->sigaltstack_flags,
      .restore_blocked = t->restore_blocked, .killed = t->killed};
  memcpy(s->thread.arguments, t->syscall_args, sizeof s->thread.arguments);
  memcpy(s->thread.name, t->name, sizeof s->thread.name);
  guest_head_copy_in(&s->registers, t->regblock, sizeof s->registers);
  if (!t->restart_code) return;
  /* stopped on its way out of a call that is to be made again */
  s->registers.pc = t->syscall_pc, s->registers.x[10] = t->syscall_args[0];
  if (t->restart_code == ERESTART_RESTARTBLOCK) s->registers.x[17] = SYS_restart_syscall;
}

static i32 thread_write(struct thread *t, const struct thread_state *s) {
  if (s->thread.slot != t->index || s->thread.generation != t->record->generation || s->thread.tid != t->tid)
    return -ESTALE;
  struct state_registers r = s->registers;
  r.x[0] = 0;
  guest_head_copy_out(t->regblock, &r, sizeof r);
  t->restart_code = 0;
  if (t->in_guest_call) {
    t->registers_set = true;
    thread_poll(t);
  }
  t->sigaltstack_sp = s->thread.stack_sp, t->sigaltstack_bytes = s->thread.stack_bytes;
  t->sigaltstack_flags = s->thread.stack_flags;
  t->clear_child_tid = s->thread.clear_child_tid, t->robust_list = s->thread.robust_list;
  memcpy(t->name, s->thread.name, sizeof t->name);
  t->name[sizeof t->name - 1] = 0;
  if (t->tid == t->process->pid) memcpy(t->process->name, t->name, sizeof t->name);
  signal_set_blocked(t, s->thread.blocked);
  for (sigset_bits missing = s->thread.pending & ~t->pending.set; missing; missing &= missing - 1)
    signal_thread(t, __builtin_ctzll(missing) + 1, NULL);
  return 0;
}

/* Pages from `address` on that a saved machine must have, as many as there is room for. */
static i32 pages_read(struct errand *e) {
  struct state_pages head = {.next = UINT32_MAX};
  u32 room = (e->bytes - (u32)sizeof head) / PAGE_BYTES;
  for (i64 page = mm_saved_next(mm_current, (u32)e->address); page >= 0; page = mm_saved_next(mm_current, (u32)page + 1)) {
    if (head.count == MIN(room, (u32)ARRAY_LEN(head.page))) {
      head.next = (u32)page;
      break;
    }
    mm_page_export((u32)page, e->data + sizeof head + (size_t)head.count * PAGE_BYTES);
    head.page[head.count++] = (u32)page;
  }
  memcpy(e->data, &head, sizeof head);
  return (i32)(sizeof head + head.count * PAGE_BYTES);
}

static bool target_is_here(const struct errand *e) {
  const struct thread *t = e->target;
  if (!t->process || t->tid != e->tid) return true; /* gone: the answer is known here */
  for (const struct thread *at = current; at; at = at->vfork_parent)
    if (at == t) return true;
  return false;
}

static i32 thread_errand(struct errand *e) {
  struct thread *t = e->target;
  if (!t->process || t->tid != e->tid) return -ESRCH;
  if (e->kind == STATE_REGISTERS) {
    guest_head_copy_in(e->data, t->regblock, sizeof(struct state_registers));
    return sizeof(struct state_registers);
  }
  struct thread_state s;
  if (e->write) {
    memcpy(&s, e->data, sizeof s);
    return thread_write(t, &s);
  }
  thread_read(t, &s);
  memcpy(e->data, &s, sizeof s);
  return sizeof s;
}

/* ---- the queue's calls ---- */
static bool run(struct mm_errand *base) {
  struct errand *e = CONTAINER_OF(base, struct errand, base);
  if (e->kind == STATE_PAGES) {
    finish(e, pages_read(e));
    return true;
  }
  if (e->target) {
    if (!target_is_here(e)) return false;
    finish(e, thread_errand(e));
    return true;
  }
  if (e->usage) {
    memset(e->data, 0, e->bytes);
    mm_usage(mm_current, (struct mm_usage *)(void *)e->data, e->bytes / (u32)sizeof(struct mm_usage));
    finish(e, (i32)e->bytes);
    return true;
  }
  i32 r = e->poke    ? mm_poke(e->address, e->data, e->bytes)
          : e->write ? copy_out(e->address, e->data, e->bytes)
                     : copy_in(e->data, e->address, e->bytes);
  if (r == -ENOTHERE) r = -EAGAIN; /* a page of a lazy layer: it is on its way now */
  finish(e, r ? r : e->write ? 0 : (i32)e->bytes);
  return true;
}
static void lost(struct mm_errand *base) { finish(CONTAINER_OF(base, struct errand, base), -ESRCH); }

static i32 check(u32 kind, const struct process *p, u64 address, bool write, u32 bytes) {
  if (!p || p->state == PROCESS_ZOMBIE || p->exiting) return -ESRCH;
  if (p->wasi) return -EOPNOTSUPP; /* its memory and stack are the engine's */
  if (p->host) return -EOPNOTSUPP;
  if (kind == STATE_GUEST_MEMORY) return p->mm ? 0 : -EAGAIN;
  if (kind == STATE_PAGES && !write && bytes > sizeof(struct state_pages) + PAGE_BYTES) return p->mm ? 0 : -EAGAIN;
  bool thread = kind == STATE_THREAD && bytes == sizeof(struct thread_state);
  bool registers = kind == STATE_REGISTERS && !write && bytes == sizeof(struct state_registers);
  if (!thread && !registers) return -EINVAL;
  const struct thread *t = address > INT32_MAX ? NULL : thread_find((i32)address);
  if (!t || t->process != p) return -ESRCH;
  return p->mm ? 0 : -EAGAIN;
}

static i32 begin(u32 kind, struct process *p, u64 address, bool write, u8 *data, u32 bytes, struct errand **out) {
  ASSERT_LOCKED();
  i32 r = check(kind, p, address, write, bytes);
  struct errand *e = r ? NULL : kzalloc(sizeof *e);
  if (!e) {
    kfree(data);
    return r ? r : -ENOMEM;
  }
  last_id = last_id % INT32_MAX + 1;
  *e = (struct errand){.base = {.run = run, .lost = lost}, .id = last_id, .kind = kind, .write = write,
                       .address = address, .data = data, .bytes = bytes};
  if (kind == STATE_THREAD || kind == STATE_REGISTERS) e->target = thread_find((i32)address), e->tid = (i32)address;
  list_add_tail(&errands, &e->link);
  mm_errand_add(p->mm, &e->base);
  for (u32 i = 0; i < MAX_THREADS; i++)
    if (threads[i].process && threads[i].process->mm == p->mm) thread_poll(&threads[i]);
  *out = e;
  return 0;
}

i32 errand_begin(u32 kind, i32 pid, u64 address, bool write, u8 *data, u32 bytes) {
  struct errand *e;
  i32 r = begin(kind, process_find(pid), address, write, data, bytes, &e);
  return r ? r : (i32)e->id;
}

enum how { COPY, POKE, USAGE };
/* from: to be written; else to: read. */
static i32 memory(struct process *p, u64 address, enum how how, const void *from, void *to, u32 bytes) {
  u8 *own = bytes > ERRAND_MEMORY_BYTES ? NULL : kmalloc(bytes);
  if (!own) return -ENOMEM;
  if (from) memcpy(own, from, bytes);
  struct errand *e;
  i32 r = begin(STATE_GUEST_MEMORY, p, address, from, own, bytes, &e);
  if (r) return r;
  e->inside = true, e->poke = how == POKE, e->usage = how == USAGE;
  struct wait_entry entry = {.thread = current};
  wait_add(&done_inside, &entry);
  while (!e->done && !r) r = wait_park_killable(WAIT_FOREVER);
  wait_remove(&entry);
  if (!e->done) {
    e->forgotten = true;
    return -EINTR;
  }
  r = e->result < 0 ? e->result : 0;
  if (!r && to) memcpy(to, e->data, bytes);
  errand_free(e);
  return r;
}

i32 errand_memory(struct process *p, u64 address, bool write, void *data, u32 bytes) {
  if (p->mm && p->mm == mm_current) return write ? copy_out(address, data, bytes) : copy_in(data, address, bytes);
  return memory(p, address, COPY, write ? data : NULL, write ? NULL : data, bytes);
}
i32 errand_poke(struct process *p, u64 address, const void *data, u32 bytes) {
  if (p->mm && p->mm == mm_current) return mm_poke(address, data, bytes);
  return memory(p, address, POKE, data, NULL, bytes);
}
i32 errand_usage(struct process *p, struct mm_usage *out, u32 count) {
  if (!p->mm || p->mm != mm_current) return memory(p, 0, USAGE, NULL, out, count * (u32)sizeof *out);
  mm_usage(p->mm, out, count);
  return 0;
}
i32 errand_retry(void) {
  i32 r = wait_park_killable(time_monotonic_ns() + RETRY_NS);
  return r == -ETIMEDOUT ? 0 : r;
}

static struct errand *find(u32 id) {
  LIST_FOR(e, &errands, struct errand, link) if (e->id == id) return e;
  return NULL;
}
i32 errand_result(u32 id, const u8 **data) {
  ASSERT_LOCKED();
  struct errand *e = find(id);
  if (!e || e->forgotten) return -ENOENT;
  *data = e->data;
  return e->done ? e->result : -EAGAIN;
}
void errands_forget(void) {
  LIST_FOR(e, &errands, struct errand, link) errand_free(e);
}
void errand_end(u32 id) {
  ASSERT_LOCKED();
  struct errand *e = find(id);
  if (!e) return;
  if (e->done) errand_free(e);
  else e->forgotten = true;
}
