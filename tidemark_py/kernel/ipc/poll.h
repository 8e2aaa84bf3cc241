/* poll: storage for the wait entries that ofd_ops.poll registers. Kernel lock. */
#ifndef TIDEMARK_IPC_POLL_H
#define TIDEMARK_IPC_POLL_H
#include "ipc.h"

/* The running thread: opaque on this floor (task/task.h). */
extern _Thread_local struct thread *current;

#define POLL_INLINE_ENTRIES 4u
struct poll_chunk {
  struct poll_chunk *next;
  u32 used;
  struct wait_entry entries[POLL_INLINE_ENTRIES];
};
/* A poll table that keeps entries for one thread or one callback. */
struct poll_set {
  struct poll_table table;
  u32 events;                                        /* interest given to the entries added from now on */
  struct thread *thread;                             /* whom they wake, or */
  void (*wake)(struct wait_entry *e, u32 events);    /* what they call, with */
  void *data;
  bool exclusive;
  int error;                                         /* -ENOMEM once an entry could not be kept */
  struct poll_chunk first, *last;
};
void poll_set_init(struct poll_set *s);
void poll_table_deadlines(struct poll_table *pt); /* a table that only collects deadlines */
void poll_set_clear(struct poll_set *s); /* removes and frees all entries */
/* What is ready of `events` (POLLERR, POLLHUP always count). A description without a poll operation is always ready. */
u32 poll_ofd(struct ofd *f, u32 events, struct poll_table *pt);
#endif
