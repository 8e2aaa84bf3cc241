/* path: the walk from a path to an inode, and what a process' paths start from (root, cwd, umask).
 * Called by open.c, name.c, task/ (exec) and sys/. Follows path_resolution(7), symlink(7), openat2(2)'s RESOLVE_ flags.
 *
 * The walk keeps a reference on one inode and the text of its absolute path as the process sees it. ".." asks the file
 * system for the parent; one that does not know (procfs) is left by the text. Nothing here parks.
 * Missing: directories whose absolute path is longer than PATH_MAX cannot be entered. */
#include "inode.h"

#define LINKS_MAX 40u

/* ---- pools: a walk is large and short-lived ---- */
#define POOL_KEEP 8u
static void *kept_buffers[POOL_KEEP], *kept_walks[POOL_KEEP];
static u32 kept_buffer_count, kept_walk_count;

char *path_buffer(void) { return kept_buffer_count ? kept_buffers[--kept_buffer_count] : kmalloc(PATH_BYTES); }
void path_buffer_free(char *p) {
  if (!p) return;
  if (kept_buffer_count < POOL_KEEP)
    kept_buffers[kept_buffer_count++] = p;
  else
    kfree(p);
}

static void walk_clear(struct walk *w) {
  w->dir = w->inode = NULL, w->mount = w->dir_mount = NULL, w->last = w->path, w->last_bytes = 0, w->trailing_slash = false, w->path[0] = 0;
}
struct walk *walk_new(void) {
  struct walk *w = kept_walk_count ? kept_walks[--kept_walk_count] : kmalloc(sizeof *w);
  if (w) walk_clear(w);
  return w;
}
static void walk_drop(struct walk *w) {
  if (w->dir) inode_put(w->dir);
  if (w->inode) inode_put(w->inode);
  walk_clear(w);
}
void walk_free(struct walk *w) {
  if (!w) return;
  walk_drop(w);
  if (kept_walk_count < POOL_KEEP)
    kept_walks[kept_walk_count++] = w;
  else
    kfree(w);
}

/* ---- contexts ---- */
struct fs_context *fs_context_new(struct inode *root) {
  struct fs_context *fs = kzalloc(sizeof *fs);
  if (!fs || !(fs->cwd_path = kstrdup("/"))) {
    kfree(fs);
    return NULL;
  }
  fs->refs = 1, fs->umask = 022;
  inode_get(root), inode_get(root);
  mount_hold(root->sb), mount_hold(root->sb);
  fs->root = fs->cwd = root, fs->root_mount = fs->cwd_mount = root->sb;
  return fs;
}

struct fs_context *fs_context_copy(const struct fs_context *from) {
  struct fs_context *fs = kzalloc(sizeof *fs);
  if (!fs || !(fs->cwd_path = kstrdup(from->cwd_path))) {
    kfree(fs);
    return NULL;
  }
  fs->refs = 1, fs->umask = from->umask, fs->root = from->root, fs->cwd = from->cwd;
  fs->root_mount = from->root_mount, fs->cwd_mount = from->cwd_mount;
  inode_get(fs->root), inode_get(fs->cwd);
  mount_hold(fs->root_mount), mount_hold(fs->cwd_mount);
  return fs;
}

void fs_context_get(struct fs_context *fs) { fs->refs++; }

void fs_context_put(struct fs_context *fs) {
  if (!fs || --fs->refs) return;
  inode_put(fs->root);
  inode_put(fs->cwd);
  mount_drop(fs->root_mount), mount_drop(fs->cwd_mount);
  kfree(fs->cwd_path);
  kfree(fs);
}

/* ---- mounts ---- */
struct inode *inode_cross_mounts(struct inode *ino, struct superblock **mount) {
  while (UNLIKELY(ino->mounted)) {
    struct superblock *on = mount_find(*mount, ino);
    if (!on) break;
    inode_get(on->root);
    inode_put(ino);
    ino = on->root, *mount = on;
  }
  return ino;
}

static struct inode *lookup(struct inode *dir, const char *name, u32 bytes, int *error) {
  struct inode *child = NULL;
  *error = dir->ops && dir->ops->lookup ? dir->ops->lookup(dir, name, bytes, &child) : -ENOTDIR;
  return *error ? NULL : child;
}

/* The directory that `text` (absolute, normalised) names, by plain look-ups from fs->root; new reference or NULL. */
static struct inode *dir_by_text(const struct fs_context *fs, struct superblock **mount, const char *text, u32 bytes) {
  struct inode *at = fs->root;
  *mount = fs->root_mount;
  inode_get(at);
  at = inode_cross_mounts(at, mount);
  for (u32 i = 0; i < bytes;) {
    while (i < bytes && text[i] == '/') i++;
    u32 start = i;
    while (i < bytes && text[i] != '/') i++;
    if (i == start) break;
    int error;
    struct inode *next = lookup(at, text + start, i - start, &error);
    inode_put(at);
    if (!next) return NULL;
    at = inode_cross_mounts(next, mount);
    if (!S_ISDIR(at->mode)) {
      inode_put(at);
      return NULL;
    }
  }
  return at;
}

static u32 text_parent_bytes(const char *text) {
  const char *slash = strrchr(text, '/');
  return slash ? (u32)(slash - text) : 0;
}

/* Parent of a directory: new reference; NULL when it cannot be found. `text`: its absolute path, for file systems that
 * do not know parents; may be NULL. The process' root is its own parent, and so is a root without a mount point. */
struct inode *dir_parent(const struct fs_context *fs, struct inode *dir, struct superblock **mount, const char *text) {
  if (dir == fs->root && *mount == fs->root_mount) return inode_get(dir), dir;
  while (dir == (*mount)->root && (*mount)->mountpoint) {
    dir = (*mount)->mountpoint, *mount = (*mount)->parent;
    if (dir == fs->root && *mount == fs->root_mount) return inode_get(dir), inode_cross_mounts(dir, mount);
  }
  int error;
  struct inode *parent = lookup(dir, "..", 2, &error);
  if (parent) return inode_cross_mounts(parent, mount);
  return text ? dir_by_text(fs, mount, text, text_parent_bytes(text)) : NULL;
}

/* ---- the walk ---- */
static int append(struct walk *w, u32 *bytes, const char *name, u32 name_bytes) {
  if (*bytes + name_bytes + 2 > PATH_BYTES) return -ENAMETOOLONG;
  if (*bytes != 1) w->path[(*bytes)++] = '/'; /* 1: it is "/" */
  memcpy(w->path + *bytes, name, name_bytes);
  w->last = w->path + *bytes, w->last_bytes = name_bytes;
  *bytes += name_bytes;
  w->path[*bytes] = 0;
  return 0;
}

static void set_text(struct walk *w, u32 *bytes, const char *text) {
  u32 n = text ? (u32)strnlen(text, PATH_BYTES - 1) : 0;
  memcpy(w->path, text ? text : "", n);
  if (!n || w->path[0] != '/') w->path[0] = '/', n = 1;
  while (n > 1 && w->path[n - 1] == '/') n--;
  w->path[n] = 0;
  *bytes = n;
}

struct walker {
  const struct fs_context *fs;
  const struct credentials *cred;
  struct walk *w;
  struct inode *at, *start; /* at: referenced */
  struct superblock *mount, *start_mount;
  char *start_path;         /* of WALK_BENEATH and WALK_IN_ROOT: borrowed */
  const char *rest;
  char *rest_buffer;        /* what rest points into once a link was followed */
  u32 flags, bytes, links;
};

static void go(struct walker *k, struct inode *to, struct superblock *mount) { /* takes the reference */
  inode_put(k->at);
  k->at = to, k->mount = mount;
}

/* To "/" (or the start directory under RESOLVE_IN_ROOT). */
static int go_root(struct walker *k) {
  if (k->flags & WALK_BENEATH) return -EXDEV;
  struct inode *root = k->flags & WALK_IN_ROOT ? k->start : k->fs->root;
  struct superblock *mount = k->flags & WALK_IN_ROOT ? k->start_mount : k->fs->root_mount;
  inode_get(root);
  root = inode_cross_mounts(root, &mount);
  if ((k->flags & WALK_NO_XDEV) && mount != k->mount) return inode_put(root), -EXDEV;
  go(k, root, mount);
  set_text(k->w, &k->bytes, k->flags & WALK_IN_ROOT ? k->start_path : "/");
  return 0;
}

static int go_up(struct walker *k) {
  if ((k->flags & (WALK_BENEATH | WALK_IN_ROOT)) && k->at == k->start && k->mount == k->start_mount)
    return k->flags & WALK_BENEATH ? -EXDEV : 0;
  struct superblock *mount = k->mount;
  struct inode *parent = dir_parent(k->fs, k->at, &mount, k->w->path);
  if (!parent) return -ENOENT;
  if ((k->flags & WALK_NO_XDEV) && mount != k->mount) return inode_put(parent), -EXDEV;
  if (parent != k->at) {
    k->bytes = MAX(text_parent_bytes(k->w->path), 1u);
    k->w->path[0] = '/', k->w->path[k->bytes] = 0;
  }
  go(k, parent, mount);
  return 0;
}

/* Put a link's target in front of what is left. Takes the link's reference. */
static int follow(struct walker *k, struct inode *link, const char *rest, u32 before_bytes) {
  int r = ++k->links > LINKS_MAX || (k->flags & WALK_NO_LINKS) ? -ELOOP : 0;
  struct inode *jump = NULL;
  struct superblock *jump_mount = NULL;
  if (!r && link->ops->follow) {
    r = k->flags & WALK_NO_MAGIC ? -ELOOP : link->ops->follow(link, &jump, &jump_mount);
    if (!r && jump && (k->flags & (WALK_BENEATH | WALK_IN_ROOT))) inode_put(jump), r = -EXDEV;
  }
  if (r) return inode_put(link), r;
  char *target = path_buffer();
  i64 n = !target ? -ENOMEM : link->ops->readlink ? link->ops->readlink(link, target, PATH_BYTES - 1) : -EINVAL;
  inode_put(link);
  if (jump) { /* the text is what the link shows: the best there is */
    if (n > 0) target[n] = 0;
    set_text(k->w, &k->bytes, n > 0 && target[0] == '/' ? target : "/");
    path_buffer_free(target);
    go(k, jump, jump_mount ? jump_mount : jump->sb);
    k->rest = rest;
    return 0;
  }
  u32 rest_bytes = (u32)strlen(rest);
  if (n >= 0 && (u64)n + rest_bytes + 1 >= PATH_BYTES) n = -ENAMETOOLONG;
  if (n == 0) n = -ENOENT;
  if (n < 0) return path_buffer_free(target), (int)n;
  memcpy(target + n, rest, rest_bytes + 1); /* rest begins with '/' or is empty */
  path_buffer_free(k->rest_buffer);
  k->rest = k->rest_buffer = target;
  k->bytes = before_bytes, k->w->path[before_bytes] = 0;
  return target[0] == '/' ? go_root(k) : 0;
}

static int finish(struct walker *k) {
  struct walk *w = k->w;
  w->inode = k->at, w->mount = k->mount, k->at = NULL;
  return (k->flags & WALK_DIRECTORY) && !S_ISDIR(w->inode->mode) ? -ENOTDIR : 0;
}

static int walk_components(struct walker *k) {
  struct walk *w = k->w;
  for (;;) {
    const char *p = k->rest;
    bool slashes = *p == '/';
    while (*p == '/') p++;
    if (!*p) { /* "/", "a/" after a link, or nothing left after a jump */
      if (slashes && !S_ISDIR(k->at->mode)) return -ENOTDIR;
      w->last = w->path + k->bytes, w->last_bytes = 0;
      return finish(k);
    }
    u32 n = 0;
    while (p[n] && p[n] != '/') n++;
    const char *rest = p + n, *after = rest;
    while (*after == '/') after++;
    bool last = !*after;
    if (w->dir) inode_put(w->dir), w->dir = NULL, w->dir_mount = NULL;
    w->trailing_slash = last && *rest;
    if (!S_ISDIR(k->at->mode)) return -ENOTDIR;
    int r = inode_permission(k->at, k->cred, 1);
    if (r) return r;
    if (p[0] == '.' && (n == 1 || (n == 2 && p[1] == '.'))) {
      if (n == 2 && (r = go_up(k))) return r;
      k->rest = rest;
      if (last) {
        static char dot[] = ".", dots[] = "..";
        w->last = n == 1 ? dot : dots, w->last_bytes = n;
        return finish(k);
      }
      continue;
    }
    if (n > NAME_BYTES) return -ENAMETOOLONG;
    struct inode *child = lookup(k->at, p, n, &r);
    u32 before = k->bytes;
    int too_long = append(w, &k->bytes, p, n);
    if (!child) {
      if (r != -ENOENT || !last || !(k->flags & WALK_PARENT)) return r;
      w->dir = k->at, w->dir_mount = k->mount, k->at = NULL;
      return too_long;
    }
    if (too_long) return inode_put(child), too_long;
    struct superblock *mount = k->mount;
    child = inode_cross_mounts(child, &mount);
    if (mount != k->mount && (k->flags & WALK_NO_XDEV)) return inode_put(child), -EXDEV;
    bool follow_last = !(k->flags & WALK_NAME) && (!(k->flags & WALK_NOFOLLOW) || w->trailing_slash);
    if (S_ISLNK(child->mode) && (!last || follow_last)) {
      if ((r = follow(k, child, rest, before))) return r;
      continue;
    }
    if (last) {
      w->dir = k->at, w->dir_mount = k->mount, k->at = child, k->mount = mount;
      if (w->trailing_slash && !(k->flags & WALK_NAME) && !S_ISDIR(child->mode)) return -ENOTDIR;
      return finish(k);
    }
    go(k, child, mount);
    k->rest = rest;
  }
}

int path_walk(const struct fs_context *fs, const struct credentials *cred, struct inode *at, const char *at_path,
              const char *path, u32 flags, struct walk *w) {
  struct path_at p = {.at = at, .at_path = at_path, .path = path};
  return path_walk_at(fs, cred, &p, flags, w);
}

int path_walk_at(const struct fs_context *fs, const struct credentials *cred, const struct path_at *p, u32 flags, struct walk *w) {
  const char *path = p->path, *at_path = p->at ? p->at_path : fs->cwd_path;
  struct inode *at = p->at ? p->at : fs->cwd;
  struct superblock *mount = !p->at ? fs->cwd_mount : p->at_mount ? p->at_mount : at->sb;
  flags |= p->walk;
  walk_drop(w);
  if (strnlen(path, PATH_BYTES) >= PATH_BYTES) return -ENAMETOOLONG;
  if (!*path && !(flags & WALK_EMPTY)) return -ENOENT;
  struct walker k = {.fs = fs, .cred = cred, .w = w, .at = at, .start = at, .mount = mount, .start_mount = mount,
                     .start_path = (char *)(uintptr_t)at_path, .rest = path, .flags = flags};
  inode_get(at);
  set_text(w, &k.bytes, at_path);
  int r = 0;
  if (!*path)
    r = finish(&k);
  else if (*path != '/' || !(r = go_root(&k)))
    r = walk_components(&k);
  if (k.at) inode_put(k.at);
  path_buffer_free(k.rest_buffer);
  if (r) walk_drop(w);
  return r;
}

/* ---- getcwd ---- */
struct name_search {
  u64 ino;
  char *name;
  u32 bytes;
};
static bool name_found(void *arg, const struct dirent_out *d, UNUSED u64 next) {
  struct name_search *s = arg;
  if (d->ino != s->ino || d->name_bytes > NAME_BYTES) return true;
  memcpy(s->name, d->name, d->name_bytes);
  s->bytes = d->name_bytes;
  return false;
}

/* By climbing: needed when the directory or one above it was renamed since the text was made. */
static i64 climb(const struct fs_context *fs, char *buf, u32 bytes) {
  char name[NAME_BYTES + 1];
  u32 at = bytes - 1;
  buf[at] = 0;
  struct inode *dir = fs->cwd;
  struct superblock *mount = fs->cwd_mount;
  inode_get(dir);
  i64 r = 0;
  while (dir != fs->root || mount != fs->root_mount) {
    struct inode *named = dir;
    struct superblock *m = mount, *below = mount;
    while (named == m->root && m->mountpoint && !(named == fs->root && m == fs->root_mount))
      named = m->mountpoint, m = m->parent;
    struct inode *parent = dir_parent(fs, dir, &mount, NULL);
    if (!parent || (parent == dir && mount == below)) { /* removed, or outside of the process' root */
      if (parent) inode_put(parent);
      r = parent ? 0 : -ENOENT;
      break;
    }
    struct name_search s = {.ino = named->ino, .name = name};
    struct inode *holder = parent;
    if (holder->ops->readdir) holder->ops->readdir(holder, 0, name_found, &s);
    inode_put(dir);
    dir = parent;
    if (!s.bytes || s.bytes + 1 > at) {
      r = s.bytes ? -ERANGE : -ENOENT;
      break;
    }
    at -= s.bytes;
    memcpy(buf + at, name, s.bytes);
    buf[--at] = '/';
  }
  inode_put(dir);
  if (r) return r;
  if (at == bytes - 1) buf[--at] = '/';
  memmove(buf, buf + at, bytes - at);
  return bytes - at - 1;
}

i64 path_of_cwd(const struct fs_context *fs, char *buf, u32 bytes) {
  if (!fs->cwd->nlink) return -ENOENT;
  struct superblock *mount;
  struct inode *by_text = dir_by_text(fs, &mount, fs->cwd_path, (u32)strlen(fs->cwd_path));
  bool same = by_text && by_text->sb == fs->cwd->sb && by_text->ino == fs->cwd->ino; /* procfs makes inodes anew */
  if (by_text) inode_put(by_text);
  if (!same) return climb(fs, buf, bytes);
  u32 n = (u32)strlen(fs->cwd_path);
  if (n + 1 > bytes) return -ERANGE;
  memcpy(buf, fs->cwd_path, n + 1);
  return n;
}
