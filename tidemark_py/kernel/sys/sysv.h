/* sysv: what shared memory, semaphores and message queues of sysvipc(7) share: tables of objects by number and key, and
 * their permissions. For sys/sysv*.c alone; lock held. */
#ifndef TIDEMARK_SYS_SYSV_H
#define TIDEMARK_SYS_SYSV_H
#include "files.h"

#define SYSV_OBJECTS 1024u /* of each kind */

struct sysv_object {
  i32 id, key;
  u32 uid, gid, cuid, cgid, mode;
  u16 seq;
  bool removed;
  u32 refs; /* the table's, and one for each call that waits on it: whoever waits sees `removed` and answers EIDRM */
};
struct sysv_table {
  struct sysv_object *slots[SYSV_OBJECTS];
  u16 seq;
};

/* The object of a key that exists, to its id: the get calls. 0: there is none and the caller makes one. */
i64 sysv_lookup(const struct sysv_table *t, i32 key, u32 flags, struct sysv_object **found);
int sysv_add(struct sysv_table *t, struct sysv_object *o, i32 key, u32 flags); /* id or -ENOSPC */
void sysv_remove(struct sysv_table *t, struct sysv_object *o);                 /* the number and the key go */
struct sysv_object *sysv_find(const struct sysv_table *t, i32 id);             /* NULL: -EINVAL */
/* By index: what ipcs(1) walks. The highest index in use (0 when none), the object at one or NULL, how many there are. */
i32 sysv_highest(const struct sysv_table *t);
struct sysv_object *sysv_at(const struct sysv_table *t, i32 index);
u32 sysv_count(const struct sysv_table *t);
int sysv_access(const struct sysv_object *o, u32 wanted); /* bits as in a mode: 0444, 0222; 0 or -EACCES */
int sysv_owner(const struct sysv_object *o);              /* IPC_SET, IPC_RMID: 0 or -EPERM */
struct guest_ipc_perm sysv_perm_out(const struct sysv_object *o);
void sysv_perm_set(struct sysv_object *o, const struct guest_ipc_perm *from);
static inline i64 sysv_now(void) { return (i64)(time_realtime_ns() / NS_PER_S); }
#endif
