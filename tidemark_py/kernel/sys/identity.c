/* sys/identity: who a process is: credentials(7), getpid(2), setuid(2) and its family, setgroups(2). Ids are read without the lock: only their own process
 * changes them. */
#include "sys.h"

#define KEEP UINT32_MAX

i64 sys_getpid(void) { return current->process->pid; }
i64 sys_gettid(void) { return current->tid; }
i64 sys_getppid(void) { return __atomic_load_n(&current->process->ppid, __ATOMIC_RELAXED); }
i64 sys_getuid(void) { return current->process->cred.uid; }
i64 sys_geteuid(void) { return current->process->cred.euid; }
i64 sys_getgid(void) { return current->process->cred.gid; }
i64 sys_getegid(void) { return current->process->cred.egid; }

static struct credentials *cred(void) { return &current->process->cred; }
static bool may_set_uid(void) { return credentials_capable(cred(), CAP_SETUID); }
static bool may_set_gid(void) { return credentials_capable(cred(), CAP_SETGID); }

/* After a change of effective ids: the file system ids follow, and the process is no longer dumpable. */
static i64 ids_changed(const struct credentials *old) {
  struct credentials *c = cred();
  if (c->euid != old->euid || c->egid != old->egid) current->process->dumpable = 0, current->process->parent_death_signal = 0;
  c->fsuid = c->euid, c->fsgid = c->egid;
  capabilities_follow_ids(c, old);
  return 0;
}

i64 sys_setuid(u32 uid) {
  struct credentials *c = cred(), old = *c;
  if (uid == KEEP) return -EINVAL;
  if (may_set_uid()) c->uid = c->suid = uid;
  else if (uid != c->uid && uid != c->suid) return -EPERM;
  c->euid = uid;
  return ids_changed(&old);
}
i64 sys_setgid(u32 gid) {
  struct credentials *c = cred(), old = *c;
  if (gid == KEEP) return -EINVAL;
  if (may_set_gid()) c->gid = c->sgid = gid;
  else if (gid != c->gid && gid != c->sgid) return -EPERM;
  c->egid = gid;
  return ids_changed(&old);
}
i64 sys_setreuid(u32 ruid, u32 euid) {
  struct credentials *c = cred(), old = *c;
  if (!may_set_uid()) {
    if (ruid != KEEP && ruid != c->uid && ruid != c->euid) return -EPERM;
    if (euid != KEEP && euid != c->uid && euid != c->euid && euid != c->suid) return -EPERM;
  }
  if (ruid != KEEP) c->uid = ruid;
  if (euid != KEEP) c->euid = euid;
  if (ruid != KEEP || (euid != KEEP && euid != old.uid)) c->suid = c->euid;
  return ids_changed(&old);
}
i64 sys_setregid(u32 rgid, u32 egid) {
  struct credentials *c = cred(), old = *c;
  if (!may_set_gid()) {
    if (rgid != KEEP && rgid != c->gid && rgid != c->egid) return -EPERM;
    if (egid != KEEP && egid != c->gid && egid != c->egid && egid != c->sgid) return -EPERM;
  }
  if (rgid != KEEP) c->gid = rgid;
  if (egid != KEEP) c->egid = egid;
  if (rgid != KEEP || (egid != KEEP && egid != old.gid)) c->sgid = c->egid;
  return ids_changed(&old);
}
static bool one_of(u32 id, u32 a, u32 b, u32 c) { return id == KEEP || id == a || id == b || id == c; }
i64 sys_setresuid(u32 ruid, u32 euid, u32 suid) {
  struct credentials *c = cred(), old = *c;
  if (!may_set_uid() && !(one_of(ruid, c->uid, c->euid, c->suid) && one_of(euid, c->uid, c->euid, c->suid) &&
                         one_of(suid, c->uid, c->euid, c->suid)))
    return -EPERM;
  if (ruid != KEEP) c->uid = ruid;
  if (euid != KEEP) c->euid = euid;
  if (suid != KEEP) c->suid = suid;
  return ids_changed(&old);
}
i64 sys_setresgid(u32 rgid, u32 egid, u32 sgid) {
  struct credentials *c = cred(), old = *c;
  if (!may_set_gid() && !(one_of(rgid, c->gid, c->egid, c->sgid) && one_of(egid, c->gid, c->egid, c->sgid) &&
                         one_of(sgid, c->gid, c->egid, c->sgid)))
    return -EPERM;
  if (rgid != KEEP) c->gid = rgid;
  if (egid != KEEP) c->egid = egid;
  if (sgid != KEEP) c->sgid = sgid;
  return ids_changed(&old);
}
static i64 three_out(uaddr_t a, uaddr_t b, uaddr_t c, u32 x, u32 y, u32 z) {
  return COPY_OUT(a, x) || COPY_OUT(b, y) || COPY_OUT(c, z) ? -EFAULT : 0;
}
i64 sys_getresuid(uaddr_t ruid, uaddr_t euid, uaddr_t suid) {
  return three_out(ruid, euid, suid, cred()->uid, cred()->euid, cred()->suid);
}
i64 sys_getresgid(uaddr_t rgid, uaddr_t egid, uaddr_t sgid) {
  return three_out(rgid, egid, sgid, cred()->gid, cred()->egid, cred()->sgid);
}
/* The old value comes back whether or not it was changed. */
i64 sys_setfsuid(u32 uid) {
  struct credentials *c = cred();
  u32 old = c->fsuid;
  if (uid != KEEP && (may_set_uid() || one_of(uid, c->uid, c->euid, c->suid) || uid == old)) {
    c->fsuid = uid;
    capabilities_follow_fsuid(c, old);
  }
  return old;
}
i64 sys_setfsgid(u32 gid) {
  struct credentials *c = cred();
  u32 old = c->fsgid;
  if (gid != KEEP && (may_set_gid() || one_of(gid, c->gid, c->egid, c->sgid) || gid == old)) c->fsgid = gid;
  return old;
}

i64 sys_getgroups(i32 size, uaddr_t list) {
  const struct credentials *c = cred();
  if (size < 0) return -EINVAL;
  if (!size) return c->group_count;
  if ((u32)size < c->group_count) return -EINVAL;
  return copy_out(list, c->groups, c->group_count * sizeof(u32)) ? -EFAULT : (i64)c->group_count;
}
i64 sys_setgroups(i32 size, uaddr_t list) {
  struct credentials *c = cred();
  u32 groups[ARRAY_LEN(c->groups)];
  if (!may_set_gid()) return -EPERM;
  if (size < 0 || (u32)size > ARRAY_LEN(groups)) return -EINVAL;
  if (copy_in(groups, list, (u32)size * sizeof(u32))) return -EFAULT;
  c->group_count = (u32)size;
  memcpy(c->groups, groups, (u32)size * sizeof(u32));
  return 0;
}
