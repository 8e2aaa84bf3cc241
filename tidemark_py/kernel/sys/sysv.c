/* sys/sysv: identifiers, keys and permissions of sysvipc(7). Called by sysv_shm.c, sysv_sem.c and sysv_msg.c.
 * Missing: the /proc/sysvipc files. */
#include "sysv.h"

#define ID_STEP 32768 /* id = use of the slot * this + slot: a stale id does not reach a later object */

struct sysv_object *sysv_find(const struct sysv_table *t, i32 id) {
  if (id < 0 || (u32)(id % ID_STEP) >= SYSV_OBJECTS) return NULL;
  struct sysv_object *o = t->slots[id % ID_STEP];
  return o && o->id == id ? o : NULL;
}

struct sysv_object *sysv_at(const struct sysv_table *t, i32 index) {
  return index >= 0 && (u32)index < SYSV_OBJECTS ? t->slots[index] : NULL;
}

i32 sysv_highest(const struct sysv_table *t) {
  u32 i = SYSV_OBJECTS - 1;
  while (i && !t->slots[i]) i--;
  return (i32)i;
}

u32 sysv_count(const struct sysv_table *t) {
  u32 n = 0;
  for (u32 i = 0; i < SYSV_OBJECTS; i++) n += t->slots[i] != NULL;
  return n;
}

int sysv_access(const struct sysv_object *o, u32 wanted) {
  const struct credentials *c = caller();
  u32 asked = ((wanted >> 6) | (wanted >> 3) | wanted) & 7, granted = o->mode;
  if (credentials_capable(c, CAP_IPC_OWNER)) return 0;
  if (c->euid == o->uid || c->euid == o->cuid) granted >>= 6;
  else if (credentials_in_group(c, o->gid) || credentials_in_group(c, o->cgid)) granted >>= 3;
  return asked & ~granted & 7 ? -EACCES : 0;
}

int sysv_owner(const struct sysv_object *o) {
  u32 me = caller()->euid;
  return me == o->uid || me == o->cuid || credentials_capable(caller(), CAP_SYS_ADMIN) ? 0 : -EPERM;
}

i64 sysv_lookup(const struct sysv_table *t, i32 key, u32 flags, struct sysv_object **found) {
  *found = NULL;
  if (key == IPC_PRIVATE) return 0;
  for (u32 i = 0; i < SYSV_OBJECTS; i++) {
    struct sysv_object *o = t->slots[i];
    if (!o || o->key != key) continue;
    if ((flags & IPC_CREAT) && (flags & IPC_EXCL)) return -EEXIST;
    *found = o;
    return sysv_access(o, flags & 0777);
  }
  return flags & IPC_CREAT ? 0 : -ENOENT;
}

int sysv_add(struct sysv_table *t, struct sysv_object *o, i32 key, u32 flags) {
  for (u32 i = 0; i < SYSV_OBJECTS; i++) {
    if (t->slots[i]) continue;
    t->seq = (t->seq + 1) % 32767;
    const struct credentials *c = caller();
    o->id = t->seq * ID_STEP + (i32)i, o->key = key, o->mode = flags & 0777, o->seq = t->seq, o->refs = 1;
    o->uid = o->cuid = c->euid, o->gid = o->cgid = c->egid, o->removed = false;
    t->slots[i] = o;
    return o->id;
  }
  return -ENOSPC;
}

void sysv_remove(struct sysv_table *t, struct sysv_object *o) {
  t->slots[o->id % ID_STEP] = NULL;
  o->removed = true;
}

struct guest_ipc_perm sysv_perm_out(const struct sysv_object *o) {
  return (struct guest_ipc_perm){.key = o->key, .uid = o->uid, .gid = o->gid, .cuid = o->cuid, .cgid = o->cgid,
                                 .mode = o->mode, .seq = o->seq};
}

void sysv_perm_set(struct sysv_object *o, const struct guest_ipc_perm *from) {
  o->uid = from->uid, o->gid = from->gid, o->mode = (o->mode & ~0777u) | (from->mode & 0777);
}
