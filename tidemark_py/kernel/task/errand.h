/* task/errand: requests of a host role that only a process's own worker can serve: its memory, its threads' registers. */
#ifndef TIDEMARK_TASK_ERRAND_H
#define TIDEMARK_TASK_ERRAND_H
#include "task.h"

/* Lock held. STATE_GUEST_MEMORY: `bytes` bytes at `address` of process pid, to be read into or written from `data`;
 * STATE_THREAD: thread tid `address` of it. `data` (kmalloc) becomes the errand's. Number >= 1, or -errno with data
 * freed: -ESRCH, -EAGAIN (no memory yet), -EOPNOTSUPP (an attached role), -EINVAL. NOTIFY_ERRAND tells when it is done. */
i32 errand_begin(u32 kind, i32 pid, u64 address, bool write, u8 *data, u32 bytes);
/* Its data (borrowed until errand_end) and their length; -EAGAIN while under way, -ENOENT no such errand, or the
 * errand's own -errno: -EFAULT, -ESRCH (the process or thread has ended), -ESTALE (a record of another thread). */
i32 errand_result(u32 id, const u8 **data);
/* The same for a guest thread's call, which waits: memory of p, at most one errand's worth. 0, or -errno: -EFAULT, -ESRCH,
 * -EOPNOTSUPP, -EAGAIN (a page of a lazy layer is on its way: again), -EINTR (killed), -ENOMEM. */
i32 errand_memory(struct process *p, u64 address, bool write, void *data, u32 bytes);
#define ERRAND_MEMORY_BYTES 65536u
/* Writing for a tracer: private pages that the guest itself may not write, too. */
i32 errand_poke(struct process *p, u64 address, const void *data, u32 bytes);
i32 errand_usage(struct process *p, struct mm_usage *out, u32 count); /* of its first areas: 0 or as errand_memory */
i32 errand_retry(void); /* after -EAGAIN, a moment later: 0, or -errno when the caller was killed */
void errands_forget(void); /* those of a machine that was saved: nobody waits for them */
void errand_end(u32 id); /* under way: its result is dropped when it comes */
#endif
