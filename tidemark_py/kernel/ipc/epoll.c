/* epoll: epoll(7) over wait queues.
 *
 * Owns struct epoll (behind an epoll description) and its items, one for each description and fd number registered. An
 * item stands with wake callbacks in the queues its target's poll operation names; a wake puts it on the ready list, and
 * epoll_wait asks the target again before it reports. An item goes when its target's last reference goes (poll_hook).
 * Nesting is bounded (5 deep) and loops are refused, so every recursion here is bounded. Called by sys/event.c.
 * Missing: EPOLLWAKEUP means nothing here; busy polling. */
#include "poll.h"

#define EPOLL_PRIVATE (EPOLLET | EPOLLONESHOT | EPOLLEXCLUSIVE | EPOLLWAKEUP)
#define EPOLL_MAX_DEPTH 5

struct epoll {
  struct ofd *ofd;        /* its own description, not referenced */
  struct wait_queue wait; /* epoll_wait callers and pollers of the epoll itself */
  struct list items, ready, timed;
};
struct epoll_item {
  struct poll_hook hook; /* on the target */
  struct epoll *ep;
  struct ofd *target;    /* not referenced */
  int fd;
  bool ready;
  u32 events;
  u64 data;
  struct list link, ready_link, timed_link; /* ep->items, ep->ready, ep->timed: by time alone */
  struct poll_set set;
};
static const struct ofd_ops epoll_ops;

static u32 interest(const struct epoll_item *item) { return item->events & ~EPOLL_PRIVATE; }

static void item_ready(struct epoll_item *item) {
  if (item->ready) return;
  item->ready = true;
  list_add_tail(&item->ep->ready, &item->ready_link);
}
static void item_unready(struct epoll_item *item) {
  item->ready = false;
  list_remove(&item->ready_link);
}

static void item_wake(struct wait_entry *e, u32 events) {
  struct epoll_item *item = e->data;
  if (!interest(item)) return; /* a one-shot that has fired */
  if (events && !(events & (interest(item) | POLLERR | POLLHUP))) return;
  item_ready(item);
  wait_wake(&item->ep->wait, POLLIN | POLLRDNORM);
}

static void item_free(struct epoll_item *item) {
  poll_set_clear(&item->set);
  list_remove(&item->hook.link), list_remove(&item->link);
  list_remove(&item->ready_link), list_remove(&item->timed_link);
  kfree(item);
}
static void item_released(struct poll_hook *h, UNUSED struct ofd *f) { item_free(CONTAINER_OF(h, struct epoll_item, hook)); }

static struct epoll_item *item_find(struct epoll *ep, struct ofd *target, int fd) {
  LIST_FOR(h, &target->poll_hooks, struct poll_hook, link) {
    struct epoll_item *item = CONTAINER_OF(h, struct epoll_item, hook);
    if (h->released == item_released && item->ep == ep && item->fd == fd) return item;
  }
  return NULL;
}

/* ---- nesting ---- */
static int depth_below(const struct epoll *ep, const struct epoll *forbidden) {
  int depth = 1;
  if (ep == forbidden) return EPOLL_MAX_DEPTH + 1;
  LIST_FOR(item, &ep->items, struct epoll_item, link)
    if (item->target->ops == &epoll_ops) depth = MAX(depth, 1 + depth_below(item->target->priv, forbidden));
  return depth;
}
static int depth_above(const struct epoll *ep) {
  int depth = 1;
  LIST_FOR(h, &ep->ofd->poll_hooks, struct poll_hook, link)
    if (h->released == item_released) depth = MAX(depth, 1 + depth_above(CONTAINER_OF(h, struct epoll_item, hook)->ep));
  return depth;
}

/* ---- epoll_ctl ---- */
static int item_add(struct epoll *ep, int fd, struct ofd *target, u32 events, u64 data) {
  bool nested = target->ops == &epoll_ops;
  if ((events & EPOLLEXCLUSIVE) &&
      (nested || events & ~(EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLET | EPOLLEXCLUSIVE | EPOLLWAKEUP)))
    return -EINVAL;
  if (nested && depth_below(target->priv, ep) + depth_above(ep) > EPOLL_MAX_DEPTH) return -ELOOP;
  struct epoll_item *item = kzalloc(sizeof *item);
  if (!item) return -ENOMEM;
  item->ep = ep, item->target = target, item->fd = fd, item->events = events, item->data = data;
  item->hook.released = item_released;
  poll_set_init(&item->set);
  item->set.wake = item_wake, item->set.data = item, item->set.exclusive = events & EPOLLEXCLUSIVE;
  list_add_tail(&ep->items, &item->link);
  list_add_tail(&target->poll_hooks, &item->hook.link);
  list_init(&item->ready_link), list_init(&item->timed_link);
  u32 now = poll_ofd(target, interest(item), &item->set.table);
  bool timed = nested || item->set.table.timed;
  if (timed) list_add_tail(&ep->timed, &item->timed_link);
  if (item->set.error) {
    int r = item->set.error;
    item_free(item);
    return r;
  }
  if (now) item_ready(item);
  if (now || timed) wait_wake(&ep->wait, 0); /* those parked may have a nearer deadline now */
  return 0;
}

int epoll_control(struct ofd *f, int op, int fd, struct ofd *target, u32 events, u64 data) {
  if (f->ops != &epoll_ops || f == target) return -EINVAL;
  if (!target->ops->poll) return -EPERM;
  struct epoll *ep = f->priv;
  struct epoll_item *item = item_find(ep, target, fd);
  events |= EPOLLERR | EPOLLHUP; /* always of interest, so no interest at all means a spent one-shot */
  switch (op) {
    case EPOLL_CTL_ADD: return item ? -EEXIST : item_add(ep, fd, target, events, data);
    case EPOLL_CTL_DEL:
      if (!item) return -ENOENT;
      item_free(item);
      return 0;
    case EPOLL_CTL_MOD:
      if (!item) return -ENOENT;
      if ((item->events | events) & EPOLLEXCLUSIVE) return -EINVAL;
      item->events = events, item->data = data;
      if (poll_ofd(target, interest(item), NULL) && interest(item)) {
        item_ready(item);
        wait_wake(&ep->wait, POLLIN | POLLRDNORM);
      }
      return 0;
  }
  return -EINVAL;
}

/* ---- epoll_wait ---- */
/* Report ready items, at most max. Level-triggered ones go back to the end of the list: callers take turns. */
static i64 collect(struct epoll *ep, uaddr_t out, int max) {
  struct list scan;
  i64 n = 0;
  list_init(&scan);
  while (!list_empty(&ep->ready)) {
    struct list *first = ep->ready.next;
    list_remove(first);
    list_add_tail(&scan, first);
  }
  while (n >= 0 && n < max && !list_empty(&scan)) {
    struct epoll_item *item = CONTAINER_OF(scan.next, struct epoll_item, ready_link);
    item_unready(item);
    u32 now = interest(item) ? poll_ofd(item->target, interest(item), NULL) : 0;
    if (!now) continue;
    struct guest_epoll_event e = {.events = now, .data = item->data};
    if (copy_out(out + (u64)n * sizeof e, &e, sizeof e)) {
      item_ready(item);
      if (!n) n = -EFAULT;
      break;
    }
    n++;
    if (item->events & EPOLLONESHOT)
      item->events &= EPOLL_PRIVATE;
    else if (!(item->events & EPOLLET))
      item_ready(item);
  }
  while (!list_empty(&scan)) { /* what was not looked at stays in front */
    struct list *last = scan.prev;
    list_remove(last);
    list_add_tail(ep->ready.next, last);
  }
  if (n > 0 && !list_empty(&ep->ready)) wait_wake(&ep->wait, POLLIN | POLLRDNORM);
  return n;
}

static u64 next_deadline(struct epoll *ep) {
  struct poll_table pt;
  poll_table_deadlines(&pt);
  LIST_FOR(item, &ep->timed, struct epoll_item, timed_link)
    if (interest(item)) poll_ofd(item->target, interest(item), &pt);
  return pt.deadline_ns;
}

i64 epoll_wait_events(struct ofd *f, uaddr_t events, int max, u64 deadline_ns) {
  if (f->ops != &epoll_ops || max <= 0 || max > 0x7fffffff / (int)sizeof(struct guest_epoll_event)) return -EINVAL;
  struct epoll *ep = f->priv;
  int woken = 0;
  for (;;) {
    u64 nearest = next_deadline(ep); /* expired timers put their items on the ready list here */
    i64 n = collect(ep, events, max);
    if (n || !deadline_ns) return n;
    if (woken == -ERESTARTSYS) return -EINTR;
    if (woken == -EAGAIN) return -EAGAIN;
    if (woken == -ETIMEDOUT && host_monotonic_ns() >= deadline_ns) return 0;
    struct wait_entry e = {.thread = current, .exclusive = true};
    wait_add(&ep->wait, &e);
    woken = wait_park(MIN(deadline_ns, nearest));
    wait_remove(&e);
  }
}

/* ---- as a description ---- */
static u32 epoll_poll(struct ofd *f, struct poll_table *pt) {
  struct epoll *ep = f->priv;
  poll_wait(pt, &ep->wait);
  u64 nearest = next_deadline(ep);
  if (pt) poll_deadline(pt, nearest);
  LIST_FOR(item, &ep->ready, struct epoll_item, ready_link) {
    if (interest(item) && poll_ofd(item->target, interest(item), NULL)) return POLLIN | POLLRDNORM;
    item_unready(item);
  }
  return 0;
}

static void epoll_release(struct ofd *f) {
  struct epoll *ep = f->priv;
  while (!list_empty(&ep->items)) item_free(CONTAINER_OF(ep->items.next, struct epoll_item, link));
  kfree(ep);
}

static const char *epoll_link_text(UNUSED struct ofd *f, UNUSED char *buf, UNUSED u32 bytes) { return "anon_inode:[eventpoll]"; }

static const struct ofd_ops epoll_ops = {.poll = epoll_poll, .release = epoll_release, .link_text = epoll_link_text};

int epoll_new(struct ofd **out) {
  struct epoll *ep = kzalloc(sizeof *ep);
  struct inode *ino = ep ? inode_anonymous(0600) : NULL;
  struct ofd *f = ino ? ofd_new(ino, &epoll_ops, O_RDWR, ep) : NULL;
  if (!f) {
    if (ino) inode_put(ino);
    kfree(ep);
    return -ENOMEM;
  }
  ep->ofd = f;
  wait_queue_init(&ep->wait), list_init(&ep->items), list_init(&ep->ready), list_init(&ep->timed);
  *out = f;
  return 0;
}
