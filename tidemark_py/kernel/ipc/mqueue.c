/* mqueue: POSIX message queues: names, queues ordered by priority, blocking both ways: mq_overview(7). Called by
 * sys/mqueue.c, which knows signals: a queue that was empty tells its watcher by a call back. Kernel lock.
 * Missing: the mqueue file system, RLIMIT_MSGQUEUE (the number of queues and their sizes are bounded instead). */
#include "mqueue.h"

#define QUEUES 256u

struct message {
  struct list link;
  u32 priority, bytes;
  u8 data[];
};
struct mqueue {
  struct inode *inode; /* owner, mode, times; holds the queue while it has a name or descriptions */
  struct list messages; /* highest priority first, oldest first among equals */
  i64 max_messages, message_bytes;
  u32 count, receivers; /* receivers: parked in mqueue_receive */
  struct wait_queue wait;
  struct mqueue_watch watch;
  char name[256]; /* "": unlinked */
};
static struct mqueue *queues[QUEUES];

static struct mqueue *find(const char *name) {
  for (u32 i = 0; i < QUEUES; i++)
    if (queues[i] && !strcmp(queues[i]->name, name)) return queues[i];
  return NULL;
}

static void evict(struct inode *ino) {
  struct mqueue *q = ino->priv;
  while (!list_empty(&q->messages)) {
    struct message *m = CONTAINER_OF(q->messages.next, struct message, link);
    list_remove(&m->link);
    kfree(m);
  }
  kfree(q);
}
static const struct inode_ops inode_ops = {.evict = evict};

static int name_check(const char *name) {
  size_t n = strlen(name);
  if (!n) return -ENOENT;
  if (n > 255) return -ENAMETOOLONG;
  if (!strcmp(name, ".") || !strcmp(name, "..") || strchr(name, '/')) return -EACCES;
  return 0;
}

static int make(const char *name, const struct credentials *cred, u32 mode, const struct mqueue_attributes *a, struct mqueue **out) {
  bool capable = credentials_capable(cred, CAP_SYS_RESOURCE);
  i64 most = capable ? 65536 : MQUEUE_MAX_MESSAGES, most_bytes = capable ? 16 << 20 : MQUEUE_MESSAGE_BYTES;
  struct mqueue_attributes use = a ? *a : (struct mqueue_attributes){.max_messages = MQUEUE_MAX_MESSAGES, .message_bytes = MQUEUE_MESSAGE_BYTES};
  if (use.max_messages <= 0 || use.message_bytes <= 0 || use.max_messages > most || use.message_bytes > most_bytes) return -EINVAL;
  u32 slot = 0;
  while (slot < QUEUES && queues[slot]) slot++;
  if (slot == QUEUES) return -ENOSPC;
  struct mqueue *q = kzalloc(sizeof *q);
  struct inode *ino = q ? inode_anonymous(S_IFREG | (mode & 0777)) : NULL;
  if (!ino) return kfree(q), -ENOMEM;
  ino->ops = &inode_ops, ino->priv = q, ino->uid = cred->fsuid, ino->gid = cred->fsgid, ino->size = 80;
  q->inode = ino, q->max_messages = use.max_messages, q->message_bytes = use.message_bytes;
  list_init(&q->messages);
  wait_queue_init(&q->wait);
  memcpy(q->name, name, strlen(name) + 1);
  *out = queues[slot] = q; /* the name holds the inode */
  return 0;
}

/* ---- descriptions ---- */
static i64 status_read(struct ofd *f, struct iobuf *io, u64 *pos) {
  const struct mqueue *q = f->priv;
  u64 bytes = 0;
  for (const struct list *l = q->messages.next; l != &q->messages; l = l->next) bytes += CONTAINER_OF(l, const struct message, link)->bytes;
  char text[96];
  u32 n = (u32)ksnprintf(text, sizeof text, "QSIZE:%-10llu NOTIFY:%-5d SIGNO:%-5d NOTIFY_PID:%-6d\n", (unsigned long long)bytes,
                         q->watch.pid ? q->watch.how : 0, q->watch.pid && q->watch.how == SIGEV_SIGNAL ? q->watch.signo : 0, q->watch.pid);
  if (*pos >= n) return 0;
  i64 r = iobuf_write(io, text + *pos, MIN(io->left, n - *pos));
  if (r > 0) *pos += (u64)r;
  return r;
}
static u32 mqueue_poll(struct ofd *f, struct poll_table *pt) {
  struct mqueue *q = f->priv;
  poll_wait(pt, &q->wait);
  return (q->count ? POLLIN | POLLRDNORM : 0) | (q->count < q->max_messages ? POLLOUT | POLLWRNORM : 0);
}
static void mqueue_flush(struct ofd *f) {
  struct mqueue *q = f->priv;
  if (q->watch.pid && q->watch.pid == mqueue_current_pid()) q->watch.pid = 0;
}
static i64 mqueue_seek(struct ofd *f, i64 offset, int whence) { return ofd_seek_position(f, offset, whence); }
static const struct ofd_ops mqueue_ops = {.read = status_read, .seek = mqueue_seek, .poll = mqueue_poll, .flush = mqueue_flush};

static struct mqueue *of(struct ofd *f) { return f->ops == &mqueue_ops ? f->priv : NULL; }

int mqueue_open(const char *name, const struct credentials *cred, u32 flags, u32 mode, const struct mqueue_attributes *a,
                struct ofd **out) {
  static const u8 wanted[4] = {4, 2, 6, 6};
  int r = name_check(name);
  if (r) return r;
  struct mqueue *q = find(name);
  bool made = false;
  if (q) {
    if ((flags & O_CREAT) && (flags & O_EXCL)) return -EEXIST;
    if ((flags & O_ACCMODE) == O_ACCMODE) return -EINVAL;
    if ((r = inode_permission(q->inode, cred, wanted[flags & O_ACCMODE]))) return r;
  } else {
    if (!(flags & O_CREAT)) return -ENOENT;
    if ((r = make(name, cred, mode, a, &q))) return r;
    made = true;
  }
  struct ofd *f = ofd_new(q->inode, &mqueue_ops, flags & (O_ACCMODE | O_NONBLOCK), q);
  if (!f) {
    if (made) mqueue_unlink(name, NULL);
    return -ENOMEM;
  }
  inode_get(q->inode);
  *out = f;
  return 0;
}

int mqueue_unlink(const char *name, const struct credentials *cred) {
  int r = name_check(name);
  if (r) return r;
  for (u32 i = 0; i < QUEUES; i++) {
    struct mqueue *q = queues[i];
    if (!q || strcmp(q->name, name)) continue;
    if (cred && cred->fsuid != q->inode->uid && !credentials_capable(cred, CAP_FOWNER)) return -EACCES;
    queues[i] = NULL, q->name[0] = 0, q->inode->nlink = 0;
    inode_put(q->inode);
    return 0;
  }
  return -ENOENT;
}

/* ---- messages ---- */
static int wait_for(struct mqueue *q, const struct ofd *f, u64 deadline, bool receiver) {
  if (f->flags & O_NONBLOCK) return -EAGAIN;
  q->receivers += receiver;
  int r = wait_on(&q->wait, deadline);
  q->receivers -= receiver;
  return r;
}

i64 mqueue_send(struct ofd *f, struct iobuf *io, u32 priority, u64 deadline) {
  struct mqueue *q = of(f);
  if (!q || (f->flags & O_ACCMODE) == O_RDONLY) return -EBADF;
  if (io->left > (u64)q->message_bytes) return -EMSGSIZE;
  struct message *m = kmalloc(sizeof *m + (size_t)io->left);
  if (!m) return -ENOMEM;
  m->priority = priority, m->bytes = (u32)io->left;
  i64 r = m->bytes ? iobuf_read(io, m->data, m->bytes) : 0;
  r = r == (i64)m->bytes ? 0 : -EFAULT;
  while (!r && q->count >= q->max_messages) r = wait_for(q, f, deadline, false);
  if (r) return kfree(m), r;
  struct list *before = q->messages.next; /* what it stands in front of */
  while (before != &q->messages && CONTAINER_OF(before, struct message, link)->priority >= priority) before = before->next;
  list_add_tail(before, &m->link);
  bool was_empty = !q->count++;
  q->inode->mtime = q->inode->ctime = time_now();
  if (was_empty && !q->receivers && q->watch.pid) {
    struct mqueue_watch told = q->watch;
    q->watch.pid = 0; /* once */
    mqueue_tell(&told);
  }
  wait_wake(&q->wait, POLLIN | POLLRDNORM);
  return 0;
}

i64 mqueue_receive(struct ofd *f, struct iobuf *io, u32 *priority, u64 deadline) {
  struct mqueue *q = of(f);
  if (!q || (f->flags & O_ACCMODE) == O_WRONLY) return -EBADF;
  if (io->left < (u64)q->message_bytes) return -EMSGSIZE;
  while (!q->count) {
    int r = wait_for(q, f, deadline, true);
    if (r) return r;
  }
  struct message *m = CONTAINER_OF(q->messages.next, struct message, link);
  list_remove(&m->link);
  q->count--;
  i64 r = m->bytes ? iobuf_write(io, m->data, m->bytes) : 0;
  r = r == (i64)m->bytes ? r : -EFAULT; /* as Linux: the message is gone */
  *priority = m->priority;
  kfree(m);
  wait_wake(&q->wait, POLLOUT | POLLWRNORM);
  return r;
}

int mqueue_attributes_get(struct ofd *f, struct mqueue_attributes *a) {
  const struct mqueue *q = of(f);
  if (!q) return -EBADF;
  *a = (struct mqueue_attributes){f->flags & O_NONBLOCK, q->max_messages, q->message_bytes, q->count};
  return 0;
}

int mqueue_watch(struct ofd *f, const struct mqueue_watch *w) {
  struct mqueue *q = of(f);
  if (!q) return -EBADF;
  if (!w) {
    if (q->watch.pid == mqueue_current_pid()) q->watch.pid = 0;
    return 0;
  }
  if (q->watch.pid) return -EBUSY;
  q->watch = *w;
  return 0;
}
