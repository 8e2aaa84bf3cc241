/* sys/sysv_msg: msgget(2), msgsnd(2), msgrcv(2), msgctl(2).
 * Missing: MSG_COPY (EINVAL). */
#include "sysv.h"

#define MSG_MAX_BYTES 8192u
#define QUEUE_BYTES 16384u

struct message {
  struct list link;
  i64 type;
  u32 bytes;
  u8 text[];
};
struct queue {
  struct sysv_object object; /* first */
  struct list messages;
  struct wait_queue wait; /* senders and receivers */
  u64 used, count, limit;
  i64 stime, rtime, ctime;
  i32 lspid, lrpid;
};
static struct sysv_table queues;

static void queue_put(struct queue *q) {
  if (--q->object.refs) return;
  LIST_FOR(m, &q->messages, struct message, link) {
    list_remove(&m->link);
    kfree(m);
  }
  kfree(q);
}

i64 sys_msgget(i32 key, u32 flags) {
  struct sysv_object *found;
  i64 r = sysv_lookup(&queues, key, flags, &found);
  if (r || found) return r ? r : found->id;
  struct queue *q = kzalloc(sizeof *q);
  if (!q) return -ENOMEM;
  if ((r = sysv_add(&queues, &q->object, key, flags)) < 0) {
    kfree(q);
    return r;
  }
  list_init(&q->messages);
  wait_queue_init(&q->wait);
  q->limit = QUEUE_BYTES, q->ctime = sysv_now();
  return r;
}

/* One sleep on a queue held by the caller: 0 look again, -EIDRM, -EAGAIN ... */
static int queue_wait(struct queue *q) {
  int r = wait_on(&q->wait, WAIT_FOREVER);
  return q->object.removed ? -EIDRM : r == -ERESTARTSYS ? -ERESTARTNOHAND : r;
}

i64 sys_msgsnd(i32 msqid, uaddr_t msgp, u64 size, u32 flags) {
  i64 type;
  if (COPY_IN(type, msgp)) return -EFAULT;
  if (size > MSG_MAX_BYTES || msqid < 0 || type < 1) return -EINVAL;
  struct message *m = kmalloc(sizeof *m + size);
  if (!m) return -ENOMEM;
  m->type = type, m->bytes = (u32)size;
  struct queue *q = NULL;
  int r = copy_in(m->text, msgp + sizeof type, size);
  if (!r && !(q = (struct queue *)(void *)sysv_find(&queues, msqid))) r = -EINVAL;
  if (!r) r = sysv_access(&q->object, 0222);
  if (r) {
    kfree(m);
    return r;
  }
  q->object.refs++;
  while (!r && (q->used + size > q->limit || q->count + 1 > q->limit)) r = flags & IPC_NOWAIT ? -EAGAIN : queue_wait(q);
  if (r) {
    kfree(m);
  } else {
    list_add_tail(&q->messages, &m->link);
    q->used += size, q->count++, q->stime = sysv_now(), q->lspid = current->process->pid;
    wait_wake(&q->wait, 0);
  }
  queue_put(q);
  return r;
}

static struct message *choose(struct queue *q, i64 type, u32 flags) {
  struct message *best = NULL;
  i64 most = type == INT64_MIN ? INT64_MAX : -type;
  LIST_FOR(m, &q->messages, struct message, link) {
    if (type == 0) return m;
    if (type > 0) {
      if ((m->type == type) == !(flags & MSG_EXCEPT)) return m;
    } else if (m->type <= most && (!best || m->type < best->type)) {
      best = m;
    }
  }
  return best;
}

i64 sys_msgrcv(i32 msqid, uaddr_t msgp, u64 size, i64 type, u32 flags) {
  if (msqid < 0 || (i64)size < 0 || (flags & MSG_COPY)) return -EINVAL;
  struct queue *q = (struct queue *)(void *)sysv_find(&queues, msqid);
  if (!q) return -EINVAL;
  int r = sysv_access(&q->object, 0444);
  if (r) return r;
  q->object.refs++;
  struct message *m = NULL;
  while (!r && !(m = choose(q, type, flags))) r = flags & IPC_NOWAIT ? -ENOMSG : queue_wait(q);
  if (!r && m->bytes > size && !(flags & MSG_NOERROR)) r = -E2BIG;
  i64 n = r;
  if (!r) {
    list_remove(&m->link);
    q->used -= m->bytes, q->count--, q->rtime = sysv_now(), q->lrpid = current->process->pid;
    wait_wake(&q->wait, 0);
    n = (i64)MIN(size, m->bytes);
    if (COPY_OUT(msgp, m->type) || copy_out(msgp + sizeof m->type, m->text, (size_t)n)) n = -EFAULT; /* it is lost, as in Linux */
    kfree(m);
  }
  queue_put(q);
  return n;
}

static i64 limits(bool in_use, uaddr_t to) {
  struct guest_msginfo i = {.msgpool = SYSV_OBJECTS * (QUEUE_BYTES / 1024), .msgmap = QUEUE_BYTES, .msgmax = MSG_MAX_BYTES,
                            .msgmnb = QUEUE_BYTES, .msgmni = SYSV_OBJECTS, .msgssz = 16, .msgtql = QUEUE_BYTES, .msgseg = 0xffff};
  if (in_use) { /* msgctl(2), MSG_INFO: queues, messages, bytes */
    i.msgpool = (i32)sysv_count(&queues), i.msgmap = i.msgtql = 0;
    for (i32 k = 0; k <= sysv_highest(&queues); k++) {
      const struct queue *q = (struct queue *)(void *)sysv_at(&queues, k);
      if (q) i.msgmap += (i32)q->count, i.msgtql += (i32)q->used;
    }
  }
  return COPY_OUT(to, i) ? -EFAULT : sysv_highest(&queues);
}

i64 sys_msgctl(i32 msqid, i32 cmd, uaddr_t buf) {
  i32 what = cmd & ~IPC_64;
  if (what == IPC_INFO || what == MSG_INFO) return limits(what == MSG_INFO, buf);
  bool by_index = what == MSG_STAT || what == MSG_STAT_ANY;
  struct queue *q = (struct queue *)(void *)(by_index ? sysv_at(&queues, msqid) : sysv_find(&queues, msqid));
  if (msqid < 0 || cmd < 0 || !q) return -EINVAL;
  struct guest_msqid_ds d = {0};
  int r;
  switch (cmd & ~IPC_64) {
  case MSG_STAT:
  case MSG_STAT_ANY:
  case IPC_STAT:
    if (what != MSG_STAT_ANY && (r = sysv_access(&q->object, 0444))) return r;
    d = (struct guest_msqid_ds){.msg_perm = sysv_perm_out(&q->object), .msg_stime = q->stime, .msg_rtime = q->rtime,
                                .msg_ctime = q->ctime, .msg_cbytes = q->used, .msg_qnum = q->count,
                                .msg_qbytes = q->limit, .msg_lspid = q->lspid, .msg_lrpid = q->lrpid};
    if (COPY_OUT(buf, d)) return -EFAULT;
    return by_index ? q->object.id : 0;
  case IPC_SET:
    if (COPY_IN(d, buf)) return -EFAULT;
    if ((r = sysv_owner(&q->object))) return r;
    if (d.msg_qbytes > QUEUE_BYTES && !credentials_capable(caller(), CAP_SYS_RESOURCE)) return -EPERM;
    sysv_perm_set(&q->object, &d.msg_perm);
    q->limit = d.msg_qbytes, q->ctime = sysv_now();
    wait_wake(&q->wait, 0);
    return 0;
  case IPC_RMID:
    if ((r = sysv_owner(&q->object))) return r;
    sysv_remove(&queues, &q->object);
    wait_wake(&q->wait, 0);
    queue_put(q);
    return 0;
  default: return -EINVAL;
  }
}
