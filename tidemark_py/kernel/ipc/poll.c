/* poll: waiting for several descriptions at once (poll(2), select(2)), and one-shot watches for host roles.
 *
 * Owns the wait entries that ofd_ops.poll registers through a poll_table. Called by sys/poll.c and ipc/epoll.c, and by
 * host/ for watches. A description without a poll operation is always readable and writable. Deadlines inside
 * descriptions (timerfd) reach a parked thread through poll_table.deadline_ns. */
#include "poll.h"

#define POLL_ALWAYS (POLLERR | POLLHUP | POLLNVAL)

static void poll_set_add(struct poll_table *pt, struct wait_queue *q) {
  struct poll_set *s = CONTAINER_OF(pt, struct poll_set, table);
  struct poll_chunk *c = s->last;
  if (c->used == POLL_INLINE_ENTRIES) {
    c = kzalloc(sizeof *c);
    if (!c) {
      s->error = -ENOMEM;
      return;
    }
    s->last->next = c, s->last = c;
  }
  struct wait_entry *e = &c->entries[c->used++];
  *e = (struct wait_entry){.thread = s->thread, .wake = s->wake, .events = s->events, .data = s->data,
                            .exclusive = s->exclusive};
  wait_add(q, e);
}

void poll_set_init(struct poll_set *s) {
  s->table = (struct poll_table){.add = poll_set_add, .deadline_ns = WAIT_FOREVER};
  s->events = 0, s->thread = NULL, s->wake = NULL, s->data = NULL, s->exclusive = false, s->error = 0;
  s->first.next = NULL, s->first.used = 0, s->last = &s->first;
}

void poll_set_clear(struct poll_set *s) {
  for (struct poll_chunk *c = &s->first, *next; c; c = next) {
    next = c->next;
    for (u32 i = 0; i < c->used; i++) wait_remove(&c->entries[i]);
    if (c != &s->first) kfree(c);
  }
  s->first.next = NULL, s->first.used = 0, s->last = &s->first;
}

static void poll_add_nothing(UNUSED struct poll_table *pt, UNUSED struct wait_queue *q) {}
void poll_table_deadlines(struct poll_table *pt) {
  *pt = (struct poll_table){.add = poll_add_nothing, .deadline_ns = WAIT_FOREVER};
}

u32 poll_ofd(struct ofd *f, u32 events, struct poll_table *pt) {
  u32 ready = f->ops->poll ? f->ops->poll(f, pt) : POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;
  return ready & (events | POLL_ALWAYS);
}

/* One look at all descriptions. pt NULL: no registration. Returns how many are ready. */
static u32 poll_scan(struct ofd **ofds, struct poll_fd *fds, u32 count, struct poll_set *s) {
  u32 ready = 0;
  for (u32 i = 0; i < count; i++) {
    fds[i].revents = 0;
    if (fds[i].fd < 0) continue;
    u32 now = POLLNVAL;
    if (ofds[i]) {
      if (s) s->events = fds[i].events | POLL_ALWAYS;
      now = poll_ofd(ofds[i], fds[i].events, s ? &s->table : NULL);
    }
    fds[i].revents = (u16)now;
    if (now) ready++, s = NULL; /* nobody will wait: register no more */
  }
  return ready;
}

i64 poll_fds(struct fd_table *t, struct poll_fd *fds, u32 count, u64 deadline_ns) {
  struct ofd *few[16], **ofds = count <= ARRAY_LEN(few) ? few : kmalloc(count * sizeof *ofds);
  if (!ofds) return -ENOMEM;
  for (u32 i = 0; i < count; i++) {
    ofds[i] = fds[i].fd < 0 ? NULL : fd_get(t, fds[i].fd);
    if (ofds[i]) ofd_get(ofds[i]); /* another thread may close it while we are parked */
  }
  struct poll_set s;
  poll_set_init(&s);
  s.thread = current;
  i64 r = poll_scan(ofds, fds, count, deadline_ns ? &s : NULL);
  while (!r && deadline_ns) {
    if ((r = s.error)) break;
    int woken = wait_park(MIN(deadline_ns, s.table.deadline_ns));
    poll_table_deadlines(&s.table);
    u32 ready = 0;
    for (u32 i = 0; i < count; i++) {
      if (fds[i].fd < 0) continue;
      u32 now = ofds[i] ? poll_ofd(ofds[i], fds[i].events, &s.table) : POLLNVAL;
      fds[i].revents = (u16)now, ready += now != 0;
    }
    if ((r = ready)) break;
    if (woken == -ERESTARTSYS) r = -ERESTARTNOHAND;
    if (woken == -EAGAIN) r = -EAGAIN;
    if (woken == -ETIMEDOUT && host_monotonic_ns() >= deadline_ns) break;
  }
  poll_set_clear(&s);
  for (u32 i = 0; i < count; i++)
    if (ofds[i]) ofd_put(ofds[i]);
  if (ofds != few) kfree(ofds);
  return r;
}

/* ---- watches of host roles ---- */
struct host_watch {
  struct ofd *ofd; /* not referenced: the hook tells of its end */
  struct poll_hook hook;
  struct poll_set set;
  u32 events, role, id;
  struct thread *bell; /* whom to wake instead of telling a role */
  bool fired;
  struct list link; /* spent_watches */
};
/* Fired watches are freed at the next call: a wake callback runs inside a walk over the queue they stand in. Until then
 * their hook stays, so that their entries leave the queues before the queues go. */
static struct list spent_watches = {&spent_watches, &spent_watches};

static void watch_fire(struct host_watch *w) {
  if (w->fired) return;
  w->fired = true;
  list_add_tail(&spent_watches, &w->link);
  if (w->bell) thread_wake(w->bell);
  else host_notify(w->role, NOTIFY_WATCH, w->id);
}

static void watch_wake(struct wait_entry *e, UNUSED u32 events) {
  struct host_watch *w = e->data;
  if (!w->fired && poll_ofd(w->ofd, w->events, NULL)) watch_fire(w);
}

static void watch_released(struct poll_hook *h, UNUSED struct ofd *f) {
  struct host_watch *w = CONTAINER_OF(h, struct host_watch, hook);
  list_remove(&h->link);
  poll_set_clear(&w->set);
  watch_fire(w);
}

int host_watch(struct ofd *f, u32 events, struct thread *bell, u32 role, u32 id) {
  LIST_FOR(w, &spent_watches, struct host_watch, link) {
    list_remove(&w->link);
    list_remove(&w->hook.link);
    poll_set_clear(&w->set);
    kfree(w);
  }
  if (poll_ofd(f, events, NULL)) return 1;
  if (bell) /* one that still stands will do */
    LIST_FOR(h, &f->poll_hooks, struct poll_hook, link) {
      struct host_watch *w = h->released == watch_released ? CONTAINER_OF(h, struct host_watch, hook) : NULL;
      if (w && w->bell == bell && w->events == events && !w->fired) return 0;
    }
  struct host_watch *w = kzalloc(sizeof *w);
  if (!w) return -ENOMEM;
  w->ofd = f, w->events = events, w->bell = bell, w->role = role, w->id = id;
  w->hook.released = watch_released;
  poll_set_init(&w->set);
  w->set.wake = watch_wake, w->set.data = w, w->set.events = events | POLL_ALWAYS;
  u32 ready = poll_ofd(f, events, &w->set.table);
  if (ready || w->set.error) {
    int r = ready ? 1 : w->set.error;
    poll_set_clear(&w->set);
    kfree(w);
    return r;
  }
  list_add_tail(&f->poll_hooks, &w->hook.link);
  return 0;
}
