/* inotify: the queue and the watches behind an inotify description: inotify(7). Events come from file/watch.c.
 * Called by sys/inotify.c. Follows Linux fs/notify/inotify: an event like the last one waiting is dropped, the queue's
 * overflow is said once, IN_IGNORED is a watch's last word. Kernel lock. */
#include "inotify.h"

struct inotify {
  struct list events, watches;
  u32 queued, queued_bytes, watch_count;
  u32 uid;
  i32 last_wd;
  struct wait_queue wait;
};
struct watch {
  struct inode_watch w; /* first */
  struct inotify *in;
  struct list link;
  i32 wd;
};
struct event {
  struct list link;
  struct guest_inotify_event head; /* len: the name's room in it, with its NULs */
  char name[];
};

static u32 instances_of[8]; /* by hash of the user: a bound, not an account */
static u32 *instances(u32 uid) { return &instances_of[uid % ARRAY_LEN(instances_of)]; }

static bool is_overflow(const struct event *e) { return e->head.mask == IN_Q_OVERFLOW; }

static bool same(const struct event *e, i32 wd, u32 mask, const char *name, u32 bytes) {
  return e->head.mask == mask && e->head.wd == wd && !(mask & IN_IGNORED) && !e->head.len == !bytes &&
         (!bytes || (strlen(e->name) == bytes && !memcmp(e->name, name, bytes)));
}

static void queue(struct inotify *in, i32 wd, u32 mask, u32 cookie, const char *name, u32 bytes) {
  struct event *last = list_empty(&in->events) ? NULL : CONTAINER_OF(in->events.prev, struct event, link);
  if (last && same(last, wd, mask, name, bytes)) return;
  if (in->queued >= INOTIFY_MAX_EVENTS) {
    if (last && is_overflow(last)) return;
    wd = -1, mask = IN_Q_OVERFLOW, cookie = 0, bytes = 0;
  }
  u32 room = bytes ? ALIGN_UP(bytes + 1, (u32)sizeof(struct guest_inotify_event)) : 0;
  struct event *e = kzalloc(sizeof *e + room);
  if (!e) { /* what cannot be kept was lost: the reader must look for himself */
    if (last && !is_overflow(last)) last->head = (struct guest_inotify_event){.wd = -1, .mask = IN_Q_OVERFLOW, .len = last->head.len};
    return;
  }
  e->head = (struct guest_inotify_event){.wd = wd, .mask = mask, .cookie = cookie, .len = room};
  if (bytes) memcpy(e->name, name, bytes);
  list_add_tail(&in->events, &e->link);
  in->queued++, in->queued_bytes += (u32)sizeof e->head + room;
  wait_wake(&in->wait, POLLIN | POLLRDNORM);
}

static void drop_event(struct inotify *in, struct event *e) {
  list_remove(&e->link);
  in->queued--, in->queued_bytes -= (u32)sizeof e->head + e->head.len;
  kfree(e);
}

static void watch_end(struct watch *w, bool say) {
  struct inotify *in = w->in;
  if (say) queue(in, w->wd, IN_IGNORED, 0, NULL, 0);
  list_remove(&w->link);
  in->watch_count--;
  inode_watch_remove(&w->w);
  kfree(w);
}

static void heard(struct inode_watch *iw, u32 mask, u32 cookie, const char *name, u32 bytes) {
  struct watch *w = CONTAINER_OF(iw, struct watch, w);
  bool last = mask & (IN_DELETE_SELF | IN_UNMOUNT);
  if (mask & (IN_DELETE_SELF | IN_MOVE_SELF)) mask &= ~IN_ISDIR;
  if ((mask & iw->mask & IN_ALL_EVENTS) || (mask & IN_UNMOUNT)) {
    queue(w->in, w->wd, mask, cookie, name, bytes);
    if (iw->mask & IN_ONESHOT) last = true;
  }
  if (last) watch_end(w, true);
}

/* ---- the description ---- */
static i64 inotify_read(struct ofd *f, struct iobuf *io, UNUSED u64 *pos) {
  struct inotify *in = f->priv;
  while (list_empty(&in->events)) {
    if (f->flags & O_NONBLOCK) return -EAGAIN;
    int r = wait_on(&in->wait, WAIT_FOREVER);
    if (r) return r;
  }
  i64 done = 0;
  while (!list_empty(&in->events)) {
    struct event *e = CONTAINER_OF(in->events.next, struct event, link);
    u32 bytes = (u32)sizeof e->head + e->head.len;
    if (bytes > io->left) return done ? done : -EINVAL;
    i64 r = iobuf_write(io, &e->head, sizeof e->head);
    if (r == (i64)sizeof e->head && e->head.len) r = iobuf_write(io, e->name, e->head.len) == (i64)e->head.len ? r : -EFAULT;
    drop_event(in, e); /* as Linux: an event that met a bad buffer is lost */
    if (r != (i64)sizeof e->head) return done ? done : -EFAULT;
    done += bytes;
  }
  return done;
}

static u32 inotify_poll(struct ofd *f, struct poll_table *pt) {
  struct inotify *in = f->priv;
  poll_wait(pt, &in->wait);
  return list_empty(&in->events) ? 0 : POLLIN | POLLRDNORM;
}

static i64 inotify_ioctl(struct ofd *f, u32 request, uaddr_t arg) {
  struct inotify *in = f->priv;
  return request == FIONREAD ? COPY_OUT(arg, in->queued_bytes) : -ENOTTY;
}

static i64 inotify_seek(struct ofd *f, UNUSED i64 offset, UNUSED int whence) { return (i64)f->pos; } /* Linux: noop_llseek */

static void inotify_release(struct ofd *f) {
  struct inotify *in = f->priv;
  while (!list_empty(&in->watches)) watch_end(CONTAINER_OF(in->watches.next, struct watch, link), false);
  while (!list_empty(&in->events)) drop_event(in, CONTAINER_OF(in->events.next, struct event, link));
  --*instances(in->uid);
  kfree(in);
}
static const char *inotify_link_text(UNUSED struct ofd *f, UNUSED char *buf, UNUSED u32 bytes) { return "anon_inode:inotify"; }

static const struct ofd_ops inotify_ops = {.read = inotify_read, .poll = inotify_poll, .ioctl = inotify_ioctl, .seek = inotify_seek,
                                           .release = inotify_release, .link_text = inotify_link_text};
bool ofd_is_inotify(const struct ofd *f) { return f->ops == &inotify_ops; }

int inotify_new(u32 uid, u32 flags, struct ofd **out) {
  if (*instances(uid) >= INOTIFY_MAX_INSTANCES) return -EMFILE;
  struct inotify *in = kzalloc(sizeof *in);
  struct inode *ino = in ? inode_anonymous(0600) : NULL;
  struct ofd *f = ino ? ofd_new(ino, &inotify_ops, O_RDONLY | (flags & O_NONBLOCK), in) : NULL;
  if (!f) {
    if (ino) inode_put(ino);
    kfree(in);
    return -ENOMEM;
  }
  list_init(&in->events), list_init(&in->watches);
  wait_queue_init(&in->wait);
  in->uid = uid;
  ++*instances(uid);
  *out = f;
  return 0;
}

/* ---- watches ---- */
static struct watch *watch_of_inode(const struct inotify *in, const struct inode *ino) {
  LIST_FOR(w, &in->watches, struct watch, link) if (w->w.inode == ino) return w;
  return NULL;
}
static struct watch *watch_by_wd(const struct inotify *in, i32 wd) {
  LIST_FOR(w, &in->watches, struct watch, link) if (w->wd == wd) return w;
  return NULL;
}

int inotify_watch(struct ofd *f, struct inode *ino, u32 mask) {
  struct inotify *in = f->priv;
  u32 kept = mask & (IN_ALL_EVENTS | IN_EXCL_UNLINK | IN_ONESHOT);
  struct watch *w = watch_of_inode(in, ino);
  if (w) {
    if (mask & IN_MASK_CREATE) return -EEXIST;
    w->w.mask = mask & IN_MASK_ADD ? w->w.mask | kept : kept;
    return w->wd;
  }
  if (in->watch_count >= INOTIFY_MAX_WATCHES) return -ENOSPC;
  if (!(w = kzalloc(sizeof *w))) return -ENOMEM;
  do in->last_wd = in->last_wd == INT32_MAX ? 1 : in->last_wd + 1;
  while (watch_by_wd(in, in->last_wd));
  w->in = in, w->wd = in->last_wd, w->w.mask = kept, w->w.event = heard;
  list_add_tail(&in->watches, &w->link);
  in->watch_count++;
  inode_watch_add(&w->w, ino);
  return w->wd;
}

int inotify_unwatch(struct ofd *f, i32 wd) {
  struct watch *w = watch_by_wd(f->priv, wd);
  if (!w) return -EINVAL;
  watch_end(w, true);
  return 0;
}
