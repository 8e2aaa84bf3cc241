/* sys: the dispatcher's own switches. The handlers are declared by gen/syscalls.h. */
#ifndef TIDEMARK_SYS_SYS_H
#define TIDEMARK_SYS_SYS_H
#include "../gen/syscalls.h"
#include "../task/exec.h"

#ifdef __wasm__
#define sys_trace false
#else
extern bool sys_trace; /* print every call on the log */
#endif
void trace_text(u64 nr, const u64 args[6], i64 result); /* lock held, as the next */
void trace_call(u64 nr, const u64 args[6], i64 result, u64 start_ns, u64 parked_ns, bool may_wait);

/* what several families need; lock held */
void rusage_of(struct guest_rusage *out, u64 user_ns, u32 faults);
void capabilities_follow_ids(struct credentials *c, const struct credentials *old); /* sys/capability.c */
void capabilities_follow_fsuid(struct credentials *c, u32 old_fsuid);
i64 capability_prctl(i32 option, u64 arg2, u64 arg3, u64 arg4, u64 arg5);
struct process *process_of(i32 pid); /* 0: the caller; NULL: none */
#endif
