/* wasi/dir: fd_readdir. A cookie is a position as getdents64(2) has it here: 0 is ".", 1 "..", then the file system's own
 * plus 2. The last entry may be cut off where the buffer ends: that is how the module knows that there is more. */
#include "wasi.h"

struct dirent { /* witx; the name follows */
  u64 next, ino;
  u32 name_bytes;
  u8 type, pad[3];
};
_Static_assert(sizeof(struct dirent) == 24, "dirent");

struct listing {
  u32 at, left; /* in the module's buffer */
  int error;
};

static bool piece(struct listing *l, const void *bytes, u32 n) {
  u32 part = MIN(n, l->left);
  if (copy_out(l->at, bytes, part)) return l->error = -EFAULT, false;
  l->at += part, l->left -= part;
  return part == n;
}

static u8 filetype(u8 type) {
  switch (type) {
  case DT_BLK: return WASI_FILETYPE_BLOCK_DEVICE;
  case DT_CHR: return WASI_FILETYPE_CHARACTER_DEVICE;
  case DT_DIR: return WASI_FILETYPE_DIRECTORY;
  case DT_REG: return WASI_FILETYPE_REGULAR_FILE;
  case DT_LNK: return WASI_FILETYPE_SYMBOLIC_LINK;
  case DT_SOCK: return WASI_FILETYPE_SOCKET_STREAM;
  default: return WASI_FILETYPE_UNKNOWN;
  }
}

static bool add(struct listing *l, u64 ino, u8 type, const char *name, u32 bytes, u64 next) {
  struct dirent d = {.next = next, .ino = ino, .name_bytes = bytes, .type = filetype(type)};
  return piece(l, &d, sizeof d) && piece(l, name, bytes);
}
static bool add_entry(void *arg, const struct dirent_out *e, u64 next) {
  return add(arg, e->ino, e->type, e->name, e->name_bytes, next + 2);
}

i64 wasi_do_fd_readdir(u32 fd, u32 buf, u32 buf_len, u64 cookie, u32 used) {
  struct ofd *f AUTO_OFD = wasi_hold((i32)fd);
  if (!f) return -EBADF;
  struct inode *dir = f->inode;
  if (!dir || !S_ISDIR(dir->mode) || !dir->ops->readdir) return -ENOTDIR;
  struct listing l = {.at = buf, .left = buf_len};
  bool more = true;
  if (!dir->nlink && dir->ops->last_put) more = false; /* removed: empty */
  if (more && cookie == 0) more = add(&l, dir->ino, DT_DIR, ".", 1, cookie = 1);
  if (more && cookie == 1) {
    struct superblock *mount = f->mount ? f->mount : dir->sb;
    struct inode *parent = dir_parent(caller_fs(), dir, &mount, f->path);
    more = add(&l, parent ? parent->ino : dir->ino, DT_DIR, "..", 2, cookie = 2);
    if (parent) inode_put(parent);
  }
  int r = more && l.left ? dir->ops->readdir(dir, cookie - 2, add_entry, &l) : 0;
  if (!r) r = l.error;
  return r ? r : wasi_out32(used, buf_len - l.left);
}
