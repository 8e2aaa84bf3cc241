/* sys/capability: capget(2), capset(2), the capability options of prctl(2), and how the sets follow the user ids
 * (capabilities(7), Linux security/commoncap.c). Called by identity.c and process.c. execve's part is in
 * task/exec_commit.c. Missing: capabilities of files (security.capability is kept, and not honoured). */
#include "sys.h"

#define CAPABILITY_VERSION_1 0x19980330u
#define CAPABILITY_VERSION_2 0x20071026u
#define CAPABILITY_VERSION_3 0x20080522u
#define BIT(capability) (1ull << (capability))
/* what setfsuid takes and gives: capabilities that are about files */
#define FILE_CAPABILITIES                                                                                                \
  (BIT(CAP_CHOWN) | BIT(CAP_MKNOD) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_DAC_READ_SEARCH) | BIT(CAP_FOWNER) |              \
   BIT(CAP_FSETID) | BIT(CAP_LINUX_IMMUTABLE) | BIT(CAP_MAC_OVERRIDE))

static struct credentials *cred(void) { return &current->process->cred; }

/* ---- the sets follow the ids ---- */
static bool any_root(const struct credentials *c) { return !c->uid || !c->euid || !c->suid; }

void capabilities_follow_ids(struct credentials *c, const struct credentials *old) {
  if (c->securebits & SECBIT_NO_SETUID_FIXUP) return;
  if (any_root(old) && !any_root(c)) {
    if (!(c->securebits & SECBIT_KEEP_CAPS)) c->cap_permitted = c->cap_effective = 0;
    c->cap_ambient = 0;
  }
  if (!old->euid && c->euid) c->cap_effective = 0;
  if (old->euid && !c->euid) c->cap_effective = c->cap_permitted;
}

void capabilities_follow_fsuid(struct credentials *c, u32 old_fsuid) {
  if (c->securebits & SECBIT_NO_SETUID_FIXUP) return;
  if (!old_fsuid && c->fsuid) c->cap_effective &= ~FILE_CAPABILITIES;
  if (old_fsuid && !c->fsuid) c->cap_effective |= c->cap_permitted & FILE_CAPABILITIES;
}

/* ---- capget, capset ---- */
/* How many data records the header's version has; -EINVAL writes the version we prefer. */
static i64 capability_records(uaddr_t header, struct guest_cap_user_header *h) {
  if (COPY_IN(*h, header)) return -EFAULT;
  if (h->version == CAPABILITY_VERSION_1) return 1;
  if (h->version == CAPABILITY_VERSION_2 || h->version == CAPABILITY_VERSION_3) return 2;
  h->version = CAPABILITY_VERSION_3;
  return COPY_OUT(header, *h) ? -EFAULT : -EINVAL;
}

i64 sys_capget(uaddr_t header, uaddr_t data) {
  struct guest_cap_user_header h;
  i64 records = capability_records(header, &h);
  if (records < 0) return records == -EINVAL && !data ? 0 : records;
  if (!data) return 0;
  if (h.pid < 0) return -EINVAL;
  struct process *p = process_of(h.pid);
  if (!p) return -ESRCH;
  const struct credentials *c = &p->cred;
  struct guest_cap_user_data d[2];
  for (u32 i = 0; i < 2; i++) {
    d[i].effective = (u32)(c->cap_effective >> (32 * i));
    d[i].permitted = (u32)(c->cap_permitted >> (32 * i));
    d[i].inheritable = (u32)(c->cap_inheritable >> (32 * i));
  }
  return copy_out(data, d, (size_t)records * sizeof d[0]) ? -EFAULT : 0;
}

i64 sys_capset(uaddr_t header, uaddr_t data) {
  struct guest_cap_user_header h;
  struct guest_cap_user_data d[2] = {{0}};
  i64 records = capability_records(header, &h);
  if (records < 0) return records;
  if (h.pid && h.pid != current->tid) return -EPERM;
  if (copy_in(d, data, (size_t)records * sizeof d[0])) return -EFAULT;
  struct credentials *c = cred();
  u64 effective = (d[0].effective | (u64)d[1].effective << 32) & CAPABILITIES_ALL;
  u64 permitted = (d[0].permitted | (u64)d[1].permitted << 32) & CAPABILITIES_ALL;
  u64 inheritable = (d[0].inheritable | (u64)d[1].inheritable << 32) & CAPABILITIES_ALL;
  if ((inheritable & ~(c->cap_inheritable | c->cap_permitted)) && !credentials_capable(c, CAP_SETPCAP)) return -EPERM;
  if (inheritable & ~(c->cap_inheritable | c->cap_bounding)) return -EPERM;
  if (permitted & ~c->cap_permitted) return -EPERM;
  if (effective & ~permitted) return -EPERM;
  c->cap_effective = effective, c->cap_permitted = permitted, c->cap_inheritable = inheritable;
  c->cap_ambient &= permitted & inheritable;
  return 0;
}

/* ---- prctl ---- */
static i64 set_securebits(struct credentials *c, u64 next) {
  u32 bits = SECBIT_NOROOT | SECBIT_NO_SETUID_FIXUP | SECBIT_KEEP_CAPS | SECBIT_NO_CAP_AMBIENT_RAISE;
  u32 locks = bits << 1, locked = (c->securebits & locks) >> 1;
  if (next & ~(u64)(bits | locks)) return -EPERM;
  if (((c->securebits ^ next) & locked) || (c->securebits & locks & ~next)) return -EPERM;
  if (!credentials_capable(c, CAP_SETPCAP)) return -EPERM;
  c->securebits = (u32)next;
  return 0;
}

static i64 ambient(struct credentials *c, u64 what, u64 capability) {
  if (what == PR_CAP_AMBIENT_CLEAR_ALL) return capability ? -EINVAL : (c->cap_ambient = 0, 0);
  if (capability > CAP_LAST_CAP) return -EINVAL;
  u64 bit = BIT(capability);
  switch (what) {
  case PR_CAP_AMBIENT_IS_SET: return (c->cap_ambient & bit) != 0;
  case PR_CAP_AMBIENT_RAISE:
    if (!(c->cap_permitted & c->cap_inheritable & bit) || (c->securebits & SECBIT_NO_CAP_AMBIENT_RAISE)) return -EPERM;
    c->cap_ambient |= bit;
    return 0;
  case PR_CAP_AMBIENT_LOWER: c->cap_ambient &= ~bit; return 0;
  default: return -EINVAL;
  }
}

i64 capability_prctl(i32 option, u64 arg2, u64 arg3, u64 arg4, u64 arg5) {
  struct credentials *c = cred();
  switch (option) {
  case PR_CAPBSET_READ: return arg2 > CAP_LAST_CAP ? -EINVAL : (i64)(c->cap_bounding >> arg2 & 1);
  case PR_CAPBSET_DROP:
    if (!credentials_capable(c, CAP_SETPCAP)) return -EPERM;
    if (arg2 > CAP_LAST_CAP) return -EINVAL;
    c->cap_bounding &= ~BIT(arg2);
    return 0;
  case PR_SET_SECUREBITS: return set_securebits(c, arg2);
  case PR_GET_SECUREBITS: return c->securebits;
  case PR_GET_KEEPCAPS: return (c->securebits & SECBIT_KEEP_CAPS) != 0;
  case PR_SET_KEEPCAPS:
    if (arg2 > 1) return -EINVAL;
    if (c->securebits & SECBIT_KEEP_CAPS_LOCKED) return -EPERM;
    c->securebits = (c->securebits & ~(u32)SECBIT_KEEP_CAPS) | (arg2 ? SECBIT_KEEP_CAPS : 0);
    return 0;
  default: return arg4 || arg5 ? -EINVAL : ambient(c, arg2, arg3);
  }
}
