/* lock: advisory locks: fcntl(2) record locks (POSIX and open file description ones) and flock(2).
 *
 * One list per inode (inode->locks) of ranges with an owner: a fd table for POSIX locks, a description for the others.
 * flock locks stand in the same list but conflict only with each other. Waiters sleep on inode->wait and look again.
 * EDEADLK: POSIX waiters are linked, and a new wait that closes a circle of waits is refused. Mandatory locks: none. */
#include "inode.h"

struct file_lock {
  struct file_lock *next;
  struct file_lock_request r;
  bool flock;
};
struct lock_waiter {
  struct lock_waiter *next;
  const void *owner, *blocked_by;
};
static struct lock_waiter *waiters;

static bool overlap(const struct file_lock_request *a, const struct file_lock_request *b) {
  return a->start <= b->end && b->start <= a->end;
}

/* The first in the file of those in the way. */
static struct file_lock *conflict(const struct inode *ino, const struct file_lock_request *r, bool flock) {
  struct file_lock *first = NULL;
  for (struct file_lock *l = ino->locks; l; l = l->next)
    if (l->flock == flock && l->r.owner != r->owner && overlap(&l->r, r) && (l->r.type == F_WRLCK || r->type == F_WRLCK))
      if (!first || l->r.start < first->r.start) first = l;
  return first;
}

/* Would `owner`, waiting for `by`, close a circle? */
static bool deadlock(const void *owner, const void *by) {
  for (u32 steps = 0; steps < 64; steps++) {
    const struct lock_waiter *w = waiters;
    while (w && w->owner != by) w = w->next;
    if (!w) return false;
    if ((by = w->blocked_by) == owner) return true;
  }
  return false;
}

static void lock_add(struct inode *ino, struct file_lock *l, const struct file_lock_request *r, bool flock) {
  *l = (struct file_lock){.next = ino->locks, .r = *r, .flock = flock};
  ino->locks = l;
}

/* Cut the range out of the owner's locks, then add it with its type. Two spare records make that safe from failing. */
static int replace_range(struct inode *ino, const struct file_lock_request *r, bool flock) {
  struct file_lock *spare = kmalloc(sizeof *spare), *spare2 = kmalloc(sizeof *spare2);
  if (!spare || !spare2) {
    kfree(spare);
    kfree(spare2);
    return -ENOLCK;
  }
  struct file_lock_request want = *r;
  for (struct file_lock **p = (struct file_lock **)&ino->locks, *l; (l = *p);) {
    if (l->flock != flock || l->r.owner != r->owner) {
      p = &l->next;
      continue;
    }
    if (l->r.type == r->type && l->r.start <= (want.end == ~0ull ? want.end : want.end + 1) &&
        want.start <= (l->r.end == ~0ull ? l->r.end : l->r.end + 1)) { /* same kind, touching: one lock */
      want.start = MIN(want.start, l->r.start), want.end = MAX(want.end, l->r.end);
      *p = l->next;
      kfree(l);
      continue;
    }
    if (overlap(&l->r, r)) {
      if (l->r.start < r->start && l->r.end > r->end) { /* a hole in the middle */
        struct file_lock_request right = l->r;
        right.start = r->end + 1;
        l->r.end = r->start - 1;
        lock_add(ino, spare2, &right, flock);
        spare2 = NULL;
        break;
      }
      if (l->r.start < r->start) {
        l->r.end = r->start - 1;
      } else if (l->r.end > r->end) {
        l->r.start = r->end + 1;
      } else {
        *p = l->next;
        kfree(l);
        continue;
      }
    }
    p = &l->next;
  }
  if (r->type != F_UNLCK) {
    lock_add(ino, spare, &want, flock);
    spare = NULL;
  }
  kfree(spare);
  kfree(spare2);
  wait_wake(&ino->wait, 0);
  return 0;
}

static int set_waiting(struct inode *ino, const struct file_lock_request *r, bool wait, bool flock) {
  struct file_lock *l;
  while (r->type != F_UNLCK && (l = conflict(ino, r, flock))) {
    if (!wait) return -EAGAIN;
    if (!flock && deadlock(r->owner, l->r.owner)) return -EDEADLK;
    struct lock_waiter w = {.next = waiters, .owner = r->owner, .blocked_by = l->r.owner};
    if (!flock) waiters = &w;
    int e = wait_on(&ino->wait, WAIT_FOREVER);
    if (!flock) {
      struct lock_waiter **p = &waiters;
      while (*p != &w) p = &(*p)->next;
      *p = w.next;
    }
    if (e) return e;
  }
  return replace_range(ino, r, flock);
}

int lock_set(struct inode *ino, const struct file_lock_request *r, bool wait) { return set_waiting(ino, r, wait, false); }

void lock_test(struct inode *ino, struct file_lock_request *r) {
  const struct file_lock *l = conflict(ino, r, false);
  if (l)
    *r = l->r;
  else
    r->type = F_UNLCK;
}

int lock_flock(struct ofd *f, u32 operation) {
  struct file_lock_request r = {.owner = f, .pid = -1, .end = ~0ull};
  if (operation & LOCK_MAND) return 0; /* share modes are gone from Linux, which says so and does nothing */
  switch (operation & ~(u32)LOCK_NB) {
  case LOCK_SH: r.type = F_RDLCK; break;
  case LOCK_EX: r.type = F_WRLCK; break;
  case LOCK_UN: r.type = F_UNLCK; break;
  default: return -EINVAL;
  }
  struct inode *ino = f->inode;
  /* A conversion is not atomic: flock(2) */
  bool converts = false;
  for (struct file_lock *l = ino->locks; l; l = l->next) converts |= l->flock && l->r.owner == f && l->r.type != r.type;
  if (converts && r.type != F_UNLCK) {
    struct file_lock_request free_first = r;
    free_first.type = F_UNLCK;
    int e = replace_range(ino, &free_first, true);
    if (e) return e;
  }
  return set_waiting(ino, &r, !(operation & LOCK_NB), true);
}

void lock_release_owner(struct inode *ino, const void *owner) {
  bool freed = false;
  for (struct file_lock **p = (struct file_lock **)&ino->locks, *l; (l = *p);) {
    if (l->r.owner != owner) {
      p = &l->next;
      continue;
    }
    *p = l->next;
    kfree(l);
    freed = true;
  }
  if (freed) wait_wake(&ino->wait, 0);
}

/* The inode is going: whatever is left (a lock taken while another thread closed the descriptor) goes with it. */
void lock_free_all(struct inode *ino) {
  for (struct file_lock *l = ino->locks, *next; l; l = next) {
    next = l->next;
    kfree(l);
  }
  ino->locks = NULL;
}

void lock_each(struct inode *ino, void (*fn)(void *arg, const struct lock_shown *l), void *arg) {
  for (const struct file_lock *l = ino->locks; l; l = l->next) {
    struct lock_shown shown = {.kind = l->flock ? "FLOCK" : l->r.pid < 0 ? "OFDLCK" : "POSIX", .request = l->r, .inode = ino};
    fn(arg, &shown);
  }
}
