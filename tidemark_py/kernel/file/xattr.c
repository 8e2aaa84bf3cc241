/* xattr: extended attributes in memory, for every file system that keeps its inodes (memfs): xattr(7), setxattr(2).
 * Called by sys/xattr.c. Names of the classes user., trusted. and security.; their rules are xattr(7)'s.
 * Missing: access control lists (system.posix_acl_*: EOPNOTSUPP, and none is there). */
#include "inode.h"

#define XATTR_TOTAL_BYTES (1u << 20) /* of one inode: ENOSPC beyond */

struct xattr {
  struct xattr *next;
  u32 name_bytes, value_bytes; /* name_bytes with its NUL */
  char data[];                 /* the name, then the value */
};

enum xattr_class { CLASS_NONE, CLASS_USER, CLASS_TRUSTED, CLASS_SECURITY, CLASS_ACL };

static int class_of(const char *name, enum xattr_class *class) {
  static const struct {
    const char *prefix;
    enum xattr_class class;
  } known[] = {{"user.", CLASS_USER}, {"trusted.", CLASS_TRUSTED}, {"security.", CLASS_SECURITY}};
  *class = CLASS_NONE;
  for (u32 i = 0; i < ARRAY_LEN(known); i++) {
    size_t n = strlen(known[i].prefix);
    if (strncmp(name, known[i].prefix, n)) continue;
    if (!name[n]) return -EINVAL;
    *class = known[i].class;
    return 0;
  }
  if (!strcmp(name, "system.posix_acl_access") || !strcmp(name, "system.posix_acl_default")) *class = CLASS_ACL;
  return 0;
}

/* Linux' xattr_permission(): may cred read or write attributes of this class here? */
static int permission(const struct inode *ino, const struct credentials *cred, enum xattr_class class, bool write) {
  u32 type = ino->mode & S_IFMT;
  switch (class) {
  case CLASS_TRUSTED:
    if (!credentials_capable(cred, CAP_SYS_ADMIN)) return write ? -EPERM : -ENODATA;
    return 0;
  case CLASS_SECURITY:
    return write && !credentials_capable(cred, CAP_SYS_ADMIN) ? -EPERM : 0;
  case CLASS_USER:
    if (type != S_IFREG && type != S_IFDIR) return write ? -EPERM : -ENODATA;
    if (type == S_IFDIR && (ino->mode & S_ISVTX) && write && cred && cred->fsuid != ino->uid &&
        !credentials_capable(cred, CAP_FOWNER))
      return -EPERM;
    return inode_permission(ino, cred, write ? 2 : 4);
  default: return 0;
  }
}

static struct xattr **find(struct inode *ino, const char *name) {
  struct xattr **p = &ino->xattrs;
  while (*p && strcmp((*p)->data, name)) p = &(*p)->next;
  return p;
}

static int check(const struct inode *ino, const struct credentials *cred, const char *name, bool write, enum xattr_class *class) {
  int r = class_of(name, class);
  if (!r) r = permission(ino, cred, *class, write);
  if (!r && (!ino->ops || !ino->ops->keeps_xattrs || *class == CLASS_NONE)) r = -EOPNOTSUPP;
  return r;
}

int xattr_set(struct inode *ino, const struct credentials *cred, const char *name, const void *value, u32 bytes, u32 flags) {
  enum xattr_class class;
  int r = check(ino, cred, name, true, &class);
  if (!r && class == CLASS_ACL) r = -EOPNOTSUPP;
  if (r) return r;
  struct xattr **place = find(ino, name), *old = *place;
  if (old && (flags & XATTR_CREATE)) return -EEXIST;
  if (!old && (flags & XATTR_REPLACE)) return -ENODATA;
  u32 name_bytes = (u32)strlen(name) + 1, total = name_bytes + bytes;
  for (const struct xattr *x = ino->xattrs; x; x = x->next)
    if (x != old) total += x->name_bytes + x->value_bytes;
  if (total > XATTR_TOTAL_BYTES) return -ENOSPC;
  struct xattr *made = kmalloc(sizeof *made + name_bytes + bytes);
  if (!made) return -ENOMEM;
  made->name_bytes = name_bytes, made->value_bytes = bytes, made->next = old ? old->next : NULL;
  memcpy(made->data, name, name_bytes);
  memcpy(made->data + name_bytes, value, bytes);
  *place = made;
  kfree(old);
  inode_attributes_changed(ino);
  return 0;
}

i64 xattr_get(struct inode *ino, const struct credentials *cred, const char *name, const void **value) {
  enum xattr_class class;
  int r = check(ino, cred, name, false, &class);
  if (r) return r;
  const struct xattr *x = *find(ino, name);
  if (!x) return -ENODATA;
  *value = x->data + x->name_bytes;
  return x->value_bytes;
}

int xattr_remove(struct inode *ino, const struct credentials *cred, const char *name) {
  enum xattr_class class;
  int r = check(ino, cred, name, true, &class);
  if (r) return r;
  struct xattr **place = find(ino, name), *old = *place;
  if (!old) return -ENODATA;
  *place = old->next;
  kfree(old);
  inode_attributes_changed(ino);
  return 0;
}

/* The names one after the other, each with its NUL; buf NULL: only how many bytes. -ERANGE: they do not fit. */
i64 xattr_list(const struct inode *ino, const struct credentials *cred, char *buf, u32 bytes) {
  u32 done = 0;
  bool all = credentials_capable(cred, CAP_SYS_ADMIN);
  for (const struct xattr *x = ino->xattrs; x; x = x->next) {
    if (!all && !strncmp(x->data, "trusted.", 8)) continue;
    if (buf && x->name_bytes > bytes - done) return -ERANGE;
    if (buf) memcpy(buf + done, x->data, x->name_bytes);
    done += x->name_bytes;
  }
  return done;
}

/* All of them for a journal: u32 name_bytes, u32 value_bytes, name, value, and so on. to NULL: only how many bytes. */
u32 xattr_pack(const struct inode *ino, u8 *to) {
  u32 done = 0;
  for (const struct xattr *x = ino->xattrs; x; x = x->next) {
    u32 bytes[2] = {x->name_bytes, x->value_bytes};
    if (to) memcpy(to + done, bytes, sizeof bytes), memcpy(to + done + sizeof bytes, x->data, x->name_bytes + x->value_bytes);
    done += (u32)sizeof bytes + x->name_bytes + x->value_bytes;
  }
  return done;
}

int xattr_unpack(struct inode *ino, const u8 *from, u32 count) {
  xattr_free_all(ino);
  struct xattr **place = &ino->xattrs;
  for (u32 at = 0; at < count;) {
    u32 bytes[2];
    if (count > XATTR_TOTAL_BYTES * 2 || count - at < sizeof bytes) return -EINVAL;
    memcpy(bytes, from + at, sizeof bytes);
    at += (u32)sizeof bytes;
    if (!bytes[0] || bytes[0] > count - at || bytes[1] > count - at - bytes[0] || from[at + bytes[0] - 1]) return -EINVAL;
    struct xattr *made = kmalloc(sizeof *made + bytes[0] + bytes[1]);
    if (!made) return -ENOMEM;
    made->name_bytes = bytes[0], made->value_bytes = bytes[1], made->next = NULL;
    memcpy(made->data, from + at, bytes[0] + bytes[1]);
    *place = made, place = &made->next;
    at += bytes[0] + bytes[1];
  }
  return 0;
}

void xattr_free_all(struct inode *ino) {
  for (struct xattr *x = ino->xattrs, *next; x; x = next) next = x->next, kfree(x);
  ino->xattrs = NULL;
}
