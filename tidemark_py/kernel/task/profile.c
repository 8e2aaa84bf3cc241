/* task/profile: every millisecond of user mode a record of where the thread is and for how long it has been there: the
 * time since the sample before, kernel and waits not counted. The pc is that of a jump's target, for cpu_run ends at those.
 * A record that finds no room is counted as lost (TRACE_LOST), its time with the next one. Missing: callers. */
#include "profile.h"

#include "../cpu/cpu.h"
#include "../file/file.h"
#include "trace.h"

#define SAMPLE_NS 1000000u
#define NAME_BYTES 252u

static _Thread_local u64 pending_ns;

struct sample {
  struct trace_record record;
  u16 argument, bytes; /* captured: what is mapped there */
  char name[NAME_BYTES];
};

static void sample(struct thread *t, u64 now_ns) {
  struct sample s = {.record = {.kind = TRACE_SAMPLE, .pid = t->process->pid, .tid = t->tid, .start_ns = now_ns - pending_ns,
                                .end_ns = now_ns, .instance = instance_id}};
  u64 pc = cpu_pc(t->regblock);
  const struct vma *v = mm_find(mm_current, (u32)(pc >> PAGE_SHIFT));
  const char *name = !v ? "[unmapped]" : v->file && v->file->path ? v->file->path : v->name ? v->name : "[anonymous]";
  u64 place = v && v->file ? (v->file_page << PAGE_SHIFT) + pc - ((u64)v->start << PAGE_SHIFT) : pc;
  s.record.args[0] = pc, s.record.args[1] = cpu_ended_translated, s.record.args[2] = place;
  memcpy(s.record.name, t->process->name, sizeof s.record.name);
  u32 n = 0;
  while (n < NAME_BYTES && name[n]) s.name[n] = name[n], n++;
  s.bytes = (u16)n;
  s.record.bytes = (u32)ALIGN_UP(offsetof(struct sample, name) + n, (size_t)8);
  trace_put(&s.record);
}

void profile_end(struct thread *t, u64 since_ns) {
  u64 now = host_monotonic_ns();
  pending_ns += now - since_ns;
  if (pending_ns < SAMPLE_NS) return;
  kernel_lock();
  bool wanted = (trace_wanted(t->process) & TRACE_ON_PROFILE) != 0;
  bool room = wanted && trace_room(false);
  if (room) sample(t, now);
  kernel_unlock();
  if (room || !wanted) pending_ns = 0;
}
