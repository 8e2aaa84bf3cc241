/* pidfd: a process behind a description: pidfd_open(2), CLONE_PIDFD of clone(2). Readable once the process has ended.
 * It names slot and generation, so it never reaches a later process of the same number. Called by sys/ and task/fork.c.
 * Missing: pidfds of single threads (PIDFD_THREAD), pidfd_getfd(2). Lock held. */
#include "task.h"

struct pidfd {
  struct process *process;
  u32 generation;
  i32 pid;
};
/* One queue for all: a slot's own would go with the process while an epoll still stands in it. */
static struct wait_queue ended = {{&ended.entries, &ended.entries}};

void pidfd_process_ended(void) { wait_wake(&ended, POLLIN | POLLRDNORM); }

static struct process *alive(const struct pidfd *d) {
  struct process *p = d->process;
  return p->generation == d->generation && p->pid == d->pid && p->state != PROCESS_FREE ? p : NULL;
}

static u32 pidfd_poll(struct ofd *f, struct poll_table *pt) {
  poll_wait(pt, &ended);
  const struct process *p = alive(f->priv);
  return !p ? POLLIN | POLLRDNORM | POLLHUP : p->state == PROCESS_ZOMBIE ? POLLIN | POLLRDNORM : 0;
}
static void pidfd_release(struct ofd *f) { kfree(f->priv); }
static const char *pidfd_link_text(UNUSED struct ofd *f, UNUSED char *buf, UNUSED u32 bytes) { return "anon_inode:[pidfd]"; }
static const struct ofd_ops pidfd_ops = {.poll = pidfd_poll, .release = pidfd_release, .link_text = pidfd_link_text};

int pidfd_new(struct process *p, u32 flags, struct ofd **out) {
  struct pidfd *d = kmalloc(sizeof *d);
  struct inode *ino = d ? inode_anonymous(0600) : NULL;
  struct ofd *f = ino ? ofd_new(ino, &pidfd_ops, O_RDWR | (flags & O_NONBLOCK), d) : NULL;
  if (!f) {
    if (ino) inode_put(ino);
    kfree(d);
    return -ENOMEM;
  }
  *d = (struct pidfd){.process = p, .generation = p->generation, .pid = p->pid};
  *out = f;
  return 0;
}

int pidfd_process(const struct ofd *f, struct process **out) {
  if (!f || f->ops != &pidfd_ops) return -EBADF;
  *out = alive(f->priv);
  return *out ? 0 : -ESRCH;
}
