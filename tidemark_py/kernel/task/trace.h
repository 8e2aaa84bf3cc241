/* trace: queues of trace records (layouts.toml: trace_record) for strace and trace files, which programs met what this
 * kernel lacks, and crash reports. See trace.c, crash.c. Lock held in every call. */
#ifndef TIDEMARK_TASK_TRACE_H
#define TIDEMARK_TASK_TRACE_H
#include "task.h"

#define TRACE_RECORD_MAX_BYTES 2048u

/* What is recorded: TRACE_ON_* of everything, and of processes with process->traced (inherited by fork). */
extern u32 trace_all;
extern bool trace_any; /* somebody traces something: looked at once per call */
static inline u32 trace_wanted(const struct process *p) { return p->host ? 0 : trace_all | p->traced; }

/* pid 0: all from now on; else that process and what it forks. what: TRACE_ON_*, 0 ends it. 0, -ESRCH, -ENOMEM. */
int trace_set(i32 pid, u32 what);
/* Room for one more record of at most TRACE_RECORD_MAX_BYTES; a thread that may park waits for the reader. */
bool trace_room(bool may_wait);
void trace_put(const struct trace_record *r); /* r->bytes of it; after trace_room() */
void trace_event(const struct event_record *e);
/* A wait, start or phase of `t`, a message of pid and tid (0: of a role), for those who want a timeline. */
void trace_note(const struct thread *t, u32 kind, u32 nr, u64 start_ns, u64 end_ns, u64 a, u64 b, u64 c);
void trace_message(i32 pid, i32 tid, u32 kind, u64 start_ns, u64 end_ns, u32 role, u32 arg, u32 instance);
/* Whole records, oldest first, into a staging buffer of the caller: bytes, 0 when there are none, -EFAULT. */
i64 trace_take(uaddr_t to, u32 bytes);

/* Calls that a program made though this kernel has them in part or not at all. refused: it answered so. */
void call_use_note(u32 nr, bool refused);
i64 call_use_take(uaddr_t to, u32 bytes); /* call_use[] into staging; forgets them */

/* Own memory, before the process ends by a signal that dumps core: the report is kept for crash_take. */
void crash_report(struct thread *t, const struct signal_info *info);
i64 crash_take(i32 *pid, uaddr_t to, u32 bytes); /* the oldest one's text; 0: none */
#endif
