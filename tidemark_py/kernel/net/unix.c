/* unix: names of AF_UNIX sockets (unix(7)): paths (a socket inode), abstract names, names given by autobind.
 * All bound sockets stand in one list. */
#include "net.h"

static struct list bound = {&bound, &bound};

static void set_bound(struct socket *s, const struct socket_address *a) {
  s->local = *a, s->bound = true;
  list_add_tail(&bound, &s->names);
}

/* Abstract names: each type of socket has its own. */
static bool name_taken(const struct socket_address *a, u32 type, struct socket **out) {
  LIST_FOR(s, &bound, struct socket, names) {
    if (s->inode || s->type != type || s->local.bytes != a->bytes || memcmp(s->local.data, a->data, a->bytes)) continue;
    if (out) *out = s;
    return true;
  }
  return false;
}

static int check(const struct socket_address *a) {
  if (a->bytes < 2 || a->bytes > sizeof(struct guest_sockaddr_un)) return -EINVAL;
  return ADDRESS_FAMILY(a) == AF_UNIX ? 0 : -EINVAL;
}

/* sun_path as a string: it may lack the NUL. */
static void path_of(const struct socket_address *a, char *path) {
  u32 n = a->bytes - 2;
  memcpy(path, a->data + 2, n);
  path[n] = 0;
}

static int find_inode(const struct socket_context *ctx, const char *path, struct inode **out) {
  struct walk *w = walk_new();
  if (!w) return -ENOMEM;
  int r = path_walk(ctx->fs, ctx->cred, NULL, NULL, path, 0, w);
  if (!r) *out = w->inode, w->inode = NULL;
  walk_free(w);
  return r;
}

int unix_bind(struct socket *s, const struct socket_context *ctx, const struct socket_address *a) {
  int r = check(a);
  if (r) return r;
  struct socket_address name = *a;
  if (s->bound && (a->bytes == 2 || !a->data[2])) return -EINVAL;
  if (a->bytes == 2) { /* autobind: five hexadecimal digits */
    static u32 next;
    do {
      char digits[8];
      ksnprintf(digits, sizeof digits, "%05x", next++ & 0xfffff);
      name.bytes = 8, name.data[2] = 0;
      memcpy(name.data + 3, digits, 5);
    } while (name_taken(&name, s->type, NULL));
    set_bound(s, &name);
    return 0;
  }
  if (!a->data[2]) {
    if (name_taken(a, s->type, NULL)) return -EADDRINUSE;
    set_bound(s, a);
    return 0;
  }
  char path[sizeof(struct guest_sockaddr_un)];
  path_of(a, path);
  struct path_at at = {.path = path};
  if (s->bound) { /* Linux finds the name taken before it finds the socket bound */
    struct inode *ino;
    if (find_inode(ctx, path, &ino)) return -EINVAL;
    inode_put(ino);
    return -EADDRINUSE;
  }
  r = file_mknod(ctx->fs, ctx->cred, &at, S_IFSOCK | 0777, 0);
  if (r) return r == -EEXIST ? -EADDRINUSE : r;
  if ((r = find_inode(ctx, path, &s->inode))) return r;
  name.bytes = 2 + (u32)strlen(path) + 1;
  memcpy(name.data + 2, path, name.bytes - 2);
  set_bound(s, &name);
  return 0;
}

int unix_find(const struct socket_context *ctx, const struct socket_address *a, u32 type, struct socket **out) {
  int r = check(a);
  if (r) return r;
  if (a->bytes == 2) return -EINVAL;
  struct socket *found = NULL;
  if (!a->data[2]) {
    if (!name_taken(a, type, &found)) return -ECONNREFUSED;
  } else {
    char path[sizeof(struct guest_sockaddr_un)];
    struct inode *ino;
    path_of(a, path);
    if ((r = find_inode(ctx, path, &ino))) return r;
    r = (ino->mode & S_IFMT) != S_IFSOCK ? -ECONNREFUSED : inode_permission(ino, ctx->cred, 2);
    LIST_FOR(s, &bound, struct socket, names) if (s->inode == ino) found = s;
    inode_put(ino);
    if (r) return r;
    if (!found) return -ECONNREFUSED;
  }
  if (found->type != type) return -EPROTOTYPE;
  found->refs++;
  *out = found;
  return 0;
}

void unix_unbind(struct socket *s) {
  list_remove(&s->names); /* the name stays for getsockname of who is still connected */
  if (s->inode) inode_put(s->inode);
  s->inode = NULL;
}
