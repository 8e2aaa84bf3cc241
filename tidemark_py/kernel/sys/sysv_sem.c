/* sys/sysv_sem: semget(2), semop(2), semtimedop(2), semctl(2). The operations of one call happen all or not at all;
 * whoever must wait tries again at each change of its set. SEM_UNDO adjustments are kept by the set and applied when
 * their process ends (sysv_process_exit). */
#include "event.h"
#include "sysv.h"

#define SETS_SEMS 32000
#define OPS_MAX 500u
#define VALUE_MAX 32767

struct sem {
  i32 value, pid;
};
struct undo {
  struct list link;
  const struct process *process;
  u32 generation;
  i32 adjust[]; /* one for each semaphore */
};
struct waiter { /* on the stack of a call that sleeps: GETNCNT, GETZCNT */
  struct list link;
  u32 number;
  bool zero;
};
struct sem_set {
  struct sysv_object object; /* first */
  struct wait_queue wait;
  struct list undos, waiters;
  i64 otime, ctime;
  u32 count;
  struct sem sems[];
};
static struct sysv_table sets;

static struct sem_set *set_of(i32 id) { return (struct sem_set *)(void *)sysv_find(&sets, id); }

static void set_put(struct sem_set *s) {
  if (--s->object.refs) return;
  LIST_FOR(u, &s->undos, struct undo, link) kfree(u);
  kfree(s);
}

i64 sys_semget(i32 key, i32 nsems, u32 flags) {
  struct sysv_object *found;
  if (nsems < 0 || nsems > SETS_SEMS) return -EINVAL;
  i64 r = sysv_lookup(&sets, key, flags, &found);
  if (r) return r;
  if (found) return (u32)nsems > ((struct sem_set *)(void *)found)->count ? -EINVAL : found->id;
  if (!nsems) return -EINVAL;
  struct sem_set *s = kzalloc(sizeof *s + (u32)nsems * sizeof s->sems[0]);
  if (!s) return -ENOMEM;
  if ((r = sysv_add(&sets, &s->object, key, flags)) < 0) {
    kfree(s);
    return r;
  }
  wait_queue_init(&s->wait);
  list_init(&s->undos), list_init(&s->waiters);
  s->count = (u32)nsems, s->ctime = sysv_now();
  return r;
}

static struct undo *undo_of(struct sem_set *s, bool make) {
  const struct process *p = current->process;
  LIST_FOR(u, &s->undos, struct undo, link) if (u->process == p && u->generation == p->generation) return u;
  struct undo *u = make ? kzalloc(sizeof *u + s->count * sizeof u->adjust[0]) : NULL;
  if (!u) return NULL;
  u->process = p, u->generation = p->generation;
  list_add_tail(&s->undos, &u->link);
  return u;
}

void sysv_process_exit(struct process *p) {
  for (u32 i = 0; i < SYSV_OBJECTS; i++) {
    struct sem_set *s = (struct sem_set *)(void *)sets.slots[i];
    if (!s) continue;
    LIST_FOR(u, &s->undos, struct undo, link) {
      if (u->process != p || u->generation != p->generation) continue;
      for (u32 n = 0; n < s->count; n++) {
        if (!u->adjust[n]) continue;
        i32 value = s->sems[n].value + u->adjust[n];
        s->sems[n] = (struct sem){.value = MIN(MAX(value, 0), VALUE_MAX), .pid = p->pid};
      }
      s->otime = sysv_now();
      list_remove(&u->link);
      kfree(u);
      wait_wake(&s->wait, 0);
    }
  }
}

/* All of them or none: 0 done, 1 op `*stuck` must wait, or -ERANGE. */
static int try_ops(struct sem_set *s, const struct guest_sembuf *ops, u32 count, struct undo *undo, u32 *stuck) {
  int r = 0;
  u32 done = 0;
  for (; done < count && !r; done++) {
    struct sem *sem = &s->sems[ops[done].sem_num];
    i32 delta = ops[done].sem_op, next = sem->value + delta;
    if ((!delta && sem->value) || next < 0) r = 1;
    else if (next > VALUE_MAX) r = -ERANGE;
    else if ((ops[done].sem_flg & SEM_UNDO) && delta) {
      i32 adjust = undo->adjust[ops[done].sem_num] - delta;
      if (adjust < -VALUE_MAX - 1 || adjust > VALUE_MAX) r = -ERANGE;
      else undo->adjust[ops[done].sem_num] = adjust;
    }
    if (r) break;
    sem->value = next;
  }
  if (!r) {
    for (u32 i = 0; i < count; i++) s->sems[ops[i].sem_num].pid = current->process->pid;
    return 0;
  }
  *stuck = done;
  while (done--) {
    s->sems[ops[done].sem_num].value -= ops[done].sem_op;
    if (ops[done].sem_flg & SEM_UNDO) undo->adjust[ops[done].sem_num] += ops[done].sem_op;
  }
  return r;
}

static i64 run_ops(struct sem_set *s, const struct guest_sembuf *ops, u32 count, u64 deadline) {
  bool alter = false, undone = false;
  for (u32 i = 0; i < count; i++) {
    if (ops[i].sem_num >= s->count) return -EFBIG;
    alter |= ops[i].sem_op != 0, undone |= (ops[i].sem_flg & SEM_UNDO) != 0;
  }
  int r = sysv_access(&s->object, alter ? 0222 : 0444);
  if (r) return r;
  struct undo *undo = undone ? undo_of(s, true) : NULL;
  if (undone && !undo) return -ENOMEM;
  u32 stuck = 0;
  s->object.refs++;
  while ((r = try_ops(s, ops, count, undo, &stuck)) == 1) {
    if (ops[stuck].sem_flg & IPC_NOWAIT || !deadline) {
      r = -EAGAIN;
      break;
    }
    struct waiter w = {.number = ops[stuck].sem_num, .zero = !ops[stuck].sem_op};
    list_add_tail(&s->waiters, &w.link);
    r = wait_on(&s->wait, deadline);
    list_remove(&w.link);
    if (s->object.removed) r = -EIDRM;
    if (r) break;
    if (undone && !(undo = undo_of(s, true))) {
      r = -ENOMEM;
      break;
    }
  }
  if (!r) {
    s->otime = sysv_now();
    if (alter) wait_wake(&s->wait, 0);
  }
  set_put(s);
  return r == -ETIMEDOUT ? -EAGAIN : r == -ERESTARTSYS ? -EINTR : r; /* never made again: signal(7) */
}

i64 sys_semtimedop(i32 semid, uaddr_t sops, u32 nsops, uaddr_t timeout) {
  u64 deadline;
  int r = deadline_in(timeout, &deadline);
  if (r) return r;
  if (!nsops || semid < 0) return -EINVAL;
  if (nsops > OPS_MAX) return -E2BIG;
  struct guest_sembuf *ops AUTO_KFREE = kmalloc(nsops * sizeof *ops);
  if (!ops) return -ENOMEM;
  if (copy_in(ops, sops, nsops * sizeof *ops)) return -EFAULT;
  struct sem_set *s = set_of(semid);
  return s ? run_ops(s, ops, nsops, deadline) : -EINVAL;
}
i64 sys_semop(i32 semid, uaddr_t sops, u32 nsops) { return sys_semtimedop(semid, sops, nsops, 0); }

static void forget_undo(struct sem_set *s, u32 number) {
  LIST_FOR(u, &s->undos, struct undo, link) u->adjust[number] = 0;
}

static i64 all_values(struct sem_set *s, bool set, uaddr_t array) {
  u16 *values AUTO_KFREE = kmalloc(s->count * sizeof *values);
  if (!values) return -ENOMEM;
  if (set) {
    if (copy_in(values, array, s->count * sizeof *values)) return -EFAULT;
    for (u32 i = 0; i < s->count; i++)
      if (values[i] > VALUE_MAX) return -ERANGE;
    for (u32 i = 0; i < s->count; i++) {
      s->sems[i] = (struct sem){.value = values[i], .pid = current->process->pid};
      forget_undo(s, i);
    }
    s->ctime = sysv_now();
    wait_wake(&s->wait, 0);
    return 0;
  }
  for (u32 i = 0; i < s->count; i++) values[i] = (u16)s->sems[i].value;
  return copy_out(array, values, s->count * sizeof *values);
}

static i64 one_value(struct sem_set *s, i32 number, i32 cmd, i32 value) {
  if (number < 0 || (u32)number >= s->count) return -EINVAL;
  struct sem *sem = &s->sems[number];
  i64 waiting = 0;
  switch (cmd) {
  case GETVAL: return sem->value;
  case GETPID: return sem->pid;
  case SETVAL:
    if (value < 0 || value > VALUE_MAX) return -ERANGE;
    *sem = (struct sem){.value = value, .pid = current->process->pid};
    forget_undo(s, (u32)number);
    s->ctime = sysv_now();
    wait_wake(&s->wait, 0);
    return 0;
  default:
    LIST_FOR(w, &s->waiters, struct waiter, link) waiting += w->number == (u32)number && w->zero == (cmd == GETZCNT);
    return waiting;
  }
}

static i64 limits(bool in_use, uaddr_t to) {
  struct guest_seminfo i = {.semmap = SETS_SEMS, .semmni = SYSV_OBJECTS, .semmns = SYSV_OBJECTS * SETS_SEMS, .semmnu = SYSV_OBJECTS * SETS_SEMS,
                            .semmsl = SETS_SEMS, .semopm = OPS_MAX, .semume = OPS_MAX, .semusz = 20, .semvmx = VALUE_MAX,
                            .semaem = VALUE_MAX};
  if (in_use) { /* semctl(2), SEM_INFO: how many sets and semaphores there are */
    i.semusz = (i32)sysv_count(&sets), i.semaem = 0;
    for (i32 k = 0; k <= sysv_highest(&sets); k++) {
      const struct sem_set *s = (struct sem_set *)(void *)sysv_at(&sets, k);
      if (s) i.semaem += (i32)s->count;
    }
  }
  return COPY_OUT(to, i) ? -EFAULT : sysv_highest(&sets);
}

i64 sys_semctl(i32 semid, i32 semnum, i32 cmd, u64 arg) {
  i32 what = cmd & ~IPC_64;
  if (what == IPC_INFO || what == SEM_INFO) return limits(what == SEM_INFO, arg);
  bool by_index = what == SEM_STAT || what == SEM_STAT_ANY;
  struct sem_set *s = by_index ? (struct sem_set *)(void *)sysv_at(&sets, semid) : set_of(semid);
  if (semid < 0 || !s) return -EINVAL;
  struct guest_semid_ds d = {0};
  int r;
  switch (cmd & ~IPC_64) {
  case GETVAL:
  case GETPID:
  case GETNCNT:
  case GETZCNT: return (r = sysv_access(&s->object, 0444)) ? r : one_value(s, semnum, cmd & ~IPC_64, 0);
  case SETVAL: return (r = sysv_access(&s->object, 0222)) ? r : one_value(s, semnum, SETVAL, (i32)arg);
  case GETALL: return (r = sysv_access(&s->object, 0444)) ? r : all_values(s, false, arg);
  case SETALL: return (r = sysv_access(&s->object, 0222)) ? r : all_values(s, true, arg);
  case SEM_STAT:
  case SEM_STAT_ANY:
  case IPC_STAT:
    if (what != SEM_STAT_ANY && (r = sysv_access(&s->object, 0444))) return r;
    d = (struct guest_semid_ds){.sem_perm = sysv_perm_out(&s->object), .sem_otime = s->otime, .sem_ctime = s->ctime,
                                .sem_nsems = s->count};
    if (COPY_OUT(arg, d)) return -EFAULT;
    return by_index ? s->object.id : 0;
  case IPC_SET:
    if (COPY_IN(d, arg)) return -EFAULT;
    if ((r = sysv_owner(&s->object))) return r;
    sysv_perm_set(&s->object, &d.sem_perm);
    s->ctime = sysv_now();
    return 0;
  case IPC_RMID:
    if ((r = sysv_owner(&s->object))) return r;
    sysv_remove(&sets, &s->object);
    wait_wake(&s->wait, 0);
    set_put(s);
    return 0;
  default: return -EINVAL;
  }
}
