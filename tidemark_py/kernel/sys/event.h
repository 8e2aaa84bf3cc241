/* event: what the waiting calls of sys/ share. */
#ifndef TIDEMARK_SYS_EVENT_H
#define TIDEMARK_SYS_EVENT_H
#include "../task/task.h"

/* A relative timespec as a CLOCK_MONOTONIC deadline: 0 for "do not wait", WAIT_FOREVER without one. 0 or -errno. */
int deadline_in(uaddr_t timespec, u64 *deadline_ns);
/* The signal mask of ppoll and friends: 1 set, 0 none given, -errno; then, with the call's result: */
int wait_mask_begin(uaddr_t sigmask, u64 bytes);
void wait_mask_end(int begun, i64 result);
/* Into the current fd table: the descriptor, or -errno and the description is gone. */
i64 install_new_ofd(struct ofd *f, bool cloexec);
#endif
