/* sys/async: SIGIO for a description with O_ASYNC: FIOASYNC and F_SETFL, fcntl(2) on F_SETOWN. A hook on the description
 * stands in the queues that its poll operation names, as an epoll item does; each wake-up sends SIGIO to the owner.
 * Missing: F_SETSIG, the owner's permissions as of F_SETOWN. Lock held. */
#include "../ipc/poll.h"
#include "files.h"

struct async {
  struct poll_hook hook;
  struct poll_set set;
  struct ofd *ofd; /* not referenced: the hook tells of its end */
};

static void async_wake(struct wait_entry *e, u32 events) {
  const struct async *a = e->data;
  i32 owner = a->ofd->owner_pid;
  if (!events || !owner) return;
  struct process *p = owner > 0 ? process_find(owner) : NULL;
  if (p) signal_process(p, SIGIO, NULL);
  if (owner < 0) signal_group(-owner, SIGIO, NULL);
}

static void async_free(struct async *a) {
  poll_set_clear(&a->set);
  list_remove(&a->hook.link);
  kfree(a);
}
static void async_released(struct poll_hook *h, UNUSED struct ofd *f) { async_free(CONTAINER_OF(h, struct async, hook)); }

bool async_able(const struct ofd *f) {
  return f->ops->poll && f->inode && (S_ISSOCK(f->inode->mode) || S_ISFIFO(f->inode->mode) || S_ISCHR(f->inode->mode));
}

int async_set(struct ofd *f, bool on) {
  LIST_FOR(h, &f->poll_hooks, struct poll_hook, link) if (h->released == async_released) {
    if (!on) async_free(CONTAINER_OF(h, struct async, hook));
    f->flags = on ? f->flags | FASYNC : f->flags & ~(u32)FASYNC;
    return 0;
  }
  if (on) {
    struct async *a = kzalloc(sizeof *a);
    if (!a) return -ENOMEM;
    a->ofd = f, a->hook.released = async_released;
    poll_set_init(&a->set);
    a->set.wake = async_wake, a->set.data = a;
    f->ops->poll(f, &a->set.table);
    if (a->set.error) {
      poll_set_clear(&a->set);
      kfree(a);
      return -ENOMEM;
    }
    list_add_tail(&f->poll_hooks, &a->hook.link);
    f->flags |= FASYNC;
  } else {
    f->flags &= ~(u32)FASYNC;
  }
  return 0;
}
