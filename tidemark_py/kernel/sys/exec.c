/* sys/exec: execve(2), execveat(2): strings from the guest into kernel memory, then task/exec. The run loop commits
 * current->exec after the call; a failed call leaves the caller whole. */
#include "../gen/syscalls.h"
#include "../task/exec_layout.h"

#define STRINGS_MAX_BYTES (6u << 20) /* more than any limit lets through; keeps kernel memory bounded */
#define STRING_MAX_BYTES 131072u
#define PATH_BYTES 4096u

struct strings { /* a NULL-terminated vector of the guest */
  char **v;
  u32 count, capacity;
  char *text;
  u64 used, size;
};

static void strings_free(struct strings *s) {
  kfree(s->v);
  kfree(s->text);
}

static int strings_add(struct strings *s, uaddr_t from) {
  if (s->count == s->capacity) {
    u32 capacity = MAX(64u, s->capacity * 2);
    char **v = krealloc(s->v, capacity * sizeof(*v));
    if (!v) return -ENOMEM;
    s->v = v, s->capacity = capacity;
  }
  for (;;) {
    u64 room = s->size - s->used;
    i64 n = room ? strncpy_in(s->text + s->used, from, MIN(room, (u64)STRING_MAX_BYTES)) : -ENAMETOOLONG;
    if (n >= 0) {
      s->v[s->count++] = (char *)(uintptr_t)s->used; /* an offset until all is read: text moves */
      s->used += (u64)n + 1;
      return 0;
    }
    if (n != -ENAMETOOLONG) return (int)n;
    if (room >= STRING_MAX_BYTES || s->size >= STRINGS_MAX_BYTES) return -E2BIG;
    u64 size = MAX(4096ull, s->size * 2);
    char *text = krealloc(s->text, size);
    if (!text) return -ENOMEM;
    s->text = text, s->size = size;
  }
}

static int strings_read(struct strings *s, uaddr_t vector) {
  *s = (struct strings){.count = 0};
  for (uaddr_t at = vector; vector; at += 8) { /* a NULL vector is an empty one, as on Linux */
    uaddr_t string;
    if (COPY_IN(string, at) < 0) return -EFAULT;
    if (!string) break;
    int r = strings_add(s, string);
    if (r < 0) return r;
    if ((u64)s->count * 8 + s->used > STRINGS_MAX_BYTES) return -E2BIG;
  }
  for (u32 i = 0; i < s->count; i++) s->v[i] = s->text + (uintptr_t)s->v[i];
  return 0;
}

static i64 execute(struct inode *at, const char *at_path, const char *path, const char *filename, uaddr_t argv,
                   uaddr_t envp, u32 flags) {
  struct strings arguments = {.count = 0}, environment = {.count = 0};
  struct exec_image *image = NULL;
  int r = strings_read(&arguments, argv);
  if (r == 0) r = strings_read(&environment, envp);
  if (r == 0)
    r = exec_prepare_for(current->process, at, at_path, path, filename, arguments.v, arguments.count, environment.v,
                         environment.count, flags, &image);
  strings_free(&arguments);
  strings_free(&environment);
  if (r < 0) return r;
  if (current->exec) exec_image_free(current->exec);
  current->exec = image;
  return 0;
}

i64 sys_execve(uaddr_t path, uaddr_t argv, uaddr_t envp) {
  if (current->process->host) return -EPERM;
  AUTO_KFREE char *name = kmalloc(PATH_BYTES);
  if (!name) return -ENOMEM;
  i64 n = strncpy_in(name, path, PATH_BYTES);
  if (n <= 0) return n < 0 ? n : -ENOENT;
  return execute(NULL, NULL, name, NULL, argv, envp, 0);
}

i64 sys_execveat(i32 dirfd, uaddr_t path, uaddr_t argv, uaddr_t envp, u32 flags) {
  if (current->process->host) return -EPERM;
  if (flags & ~(u32)(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW)) return -EINVAL;
  AUTO_KFREE char *name = kmalloc(PATH_BYTES), *shown = kmalloc(PATH_BYTES + 32);
  if (!name || !shown) return -ENOMEM;
  i64 n = strncpy_in(name, path, PATH_BYTES);
  if (n < 0) return n;
  if (!n && !(flags & AT_EMPTY_PATH)) return -ENOENT;
  if (name[0] == '/' || (n && dirfd == AT_FDCWD)) return execute(NULL, NULL, name, NULL, argv, envp, flags);
  if (dirfd == AT_FDCWD) return -EACCES; /* the working directory itself */
  struct fd_table *fds = current->process->fds;
  struct ofd *at = fd_get(fds, dirfd);
  if (!at) return -EBADF;
  if (n && (at->inode->mode & S_IFMT) != S_IFDIR) return -ENOTDIR;
  ksnprintf(shown, PATH_BYTES + 32, n ? "/dev/fd/%d/%s" : "/dev/fd/%d%s", dirfd, name);
  if (fds->entries[dirfd].cloexec) flags |= EXEC_PATH_INACCESSIBLE;
  return execute(at->inode, at->path, name, shown, argv, envp, flags);
}
