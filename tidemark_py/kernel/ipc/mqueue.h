/* mqueue: POSIX message queues (mq_overview(7)). Kernel lock. */
#ifndef TIDEMARK_IPC_MQUEUE_H
#define TIDEMARK_IPC_MQUEUE_H
#include "ipc.h"

#define MQUEUE_MAX_MESSAGES 10 /* /proc/sys/fs/mqueue: the defaults, and what the unprivileged may ask for */
#define MQUEUE_MESSAGE_BYTES 8192

struct mqueue_attributes { /* struct mq_attr's head */
  i64 flags, max_messages, message_bytes, count;
};
struct mqueue_watch { /* mq_notify(3) */
  i32 pid, how, signo; /* pid 0: nobody */
  u64 value;
};
/* given by sys/: who asks; the message has come */
i32 mqueue_current_pid(void);
void mqueue_tell(const struct mqueue_watch *w);

int mqueue_open(const char *name, const struct credentials *cred, u32 flags, u32 mode, const struct mqueue_attributes *a,
                struct ofd **out); /* a NULL: the defaults */
int mqueue_unlink(const char *name, const struct credentials *cred);
/* -EBADF: no queue, or not open for it; -EMSGSIZE, -EAGAIN, -ETIMEDOUT, -ERESTARTSYS */
i64 mqueue_send(struct ofd *f, struct iobuf *io, u32 priority, u64 deadline);
i64 mqueue_receive(struct ofd *f, struct iobuf *io, u32 *priority, u64 deadline);
int mqueue_attributes_get(struct ofd *f, struct mqueue_attributes *a);
int mqueue_watch(struct ofd *f, const struct mqueue_watch *w); /* NULL: no longer */
#endif
