/* pipe: what fcntl and splice-like callers need beyond ipc.h. All under the kernel lock. */
#ifndef TIDEMARK_IPC_PIPE_H
#define TIDEMARK_IPC_PIPE_H
#include "ipc.h"

#ifndef PIPE_BUF
#define PIPE_BUF 4096u
#endif

bool pipe_is(const struct ofd *f);
/* for splice: wait for bytes (how many; 0 the end) or room (how many; -EPIPE without readers), -EAGAIN with nonblock;
 * look at bytes without taking them; take them */
i64 pipe_data(struct ofd *f, bool nonblock);
i64 pipe_room(struct ofd *f, bool nonblock);
u32 pipe_peek(const struct ofd *f, void *to, u32 bytes);
void pipe_skip(struct ofd *f, u32 bytes);
/* The pipe's record and, after it in `to`, its bytes: length of both, whatever fits of them; -EBADF when not a pipe. */
i64 pipe_state_read(const struct ofd *f, u8 *to, u32 room);
/* Its contents and capacity become the record's: -ESTALE another pipe, -EINVAL, -ENOMEM; then nothing has changed. */
i32 pipe_state_write(struct ofd *f, const u8 *from, u32 bytes);
i64 pipe_capacity(const struct ofd *f);                                /* F_GETPIPE_SZ: bytes, -EBADF when not a pipe */
i64 pipe_set_capacity(struct ofd *f, u32 bytes, bool privileged);      /* F_SETPIPE_SZ: bytes set, -EPERM, -EBUSY ... */
#endif
