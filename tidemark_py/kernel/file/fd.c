/* fd: descriptor tables. Called by task/ (fork, exec, exit) and sys/. Follows dup(2), close(2), fcntl(2), EMFILE of
 * open(2). close(2) gives up the record locks the table's owner has on the file, whichever descriptor goes. */
#include "inode.h"

#define FD_TABLE_START 32u

struct fd_table *fd_table_new(void) {
  struct fd_table *t = kzalloc(sizeof *t);
  if (!t) return NULL;
  t->refs = 1, t->capacity = FD_TABLE_START;
  t->entries = kzalloc(FD_TABLE_START * sizeof *t->entries);
  if (!t->entries) {
    kfree(t);
    return NULL;
  }
  return t;
}

struct fd_table *fd_table_copy(const struct fd_table *from) {
  struct fd_table *t = kzalloc(sizeof *t);
  if (!t) return NULL;
  u32 used = from->capacity;
  while (used > FD_TABLE_START && !from->entries[used - 1].ofd) used--;
  t->refs = 1, t->capacity = used, t->lowest_free_hint = from->lowest_free_hint;
  t->entries = kmalloc(used * sizeof *t->entries);
  if (!t->entries) {
    kfree(t);
    return NULL;
  }
  memcpy(t->entries, from->entries, used * sizeof *t->entries);
  for (u32 i = 0; i < used; i++)
    if (t->entries[i].ofd) ofd_get(t->entries[i].ofd);
  return t;
}

void fd_table_get(struct fd_table *t) { t->refs++; }

/* The entry is out of the table already. */
static void close_ofd(struct fd_table *t, struct ofd *f) {
  if (f->ops && f->ops->flush) f->ops->flush(f);
  if (f->inode && f->inode->locks) lock_release_owner(f->inode, t);
  ofd_put(f);
}

void fd_table_put(struct fd_table *t) {
  if (!t || --t->refs) return;
  for (u32 i = 0; i < t->capacity; i++) {
    struct ofd *f = t->entries[i].ofd;
    t->entries[i].ofd = NULL;
    if (f) close_ofd(t, f);
  }
  kfree(t->entries);
  kfree(t);
}

void fd_table_close_on_exec(struct fd_table *t) {
  for (u32 i = 0; i < t->capacity; i++)
    if (t->entries[i].ofd && t->entries[i].cloexec) fd_close(t, (int)i);
}

struct ofd *fd_get(struct fd_table *t, int fd) {
  return LIKELY((u32)fd < t->capacity) ? t->entries[fd].ofd : NULL;
}

static bool table_grow(struct fd_table *t, u32 fd) {
  u32 capacity = t->capacity;
  while (capacity <= fd) capacity *= 2;
  if (capacity == t->capacity) return true;
  struct fd_entry *entries = krealloc(t->entries, capacity * sizeof *entries);
  if (!entries) return false;
  memset(entries + t->capacity, 0, (capacity - t->capacity) * sizeof *entries);
  t->entries = entries, t->capacity = capacity;
  return true;
}

int fd_install(struct fd_table *t, struct ofd *f, int lowest, u32 limit, bool cloexec) {
  limit = MIN(limit, FD_LIMIT_HARD);
  if (lowest < 0 || (u32)lowest >= limit) return lowest ? -EINVAL : -EMFILE;
  u32 fd = MAX((u32)lowest, t->lowest_free_hint);
  while (fd < t->capacity && t->entries[fd].ofd) fd++;
  if (fd >= limit) return -EMFILE;
  if (!table_grow(t, fd)) return -ENOMEM;
  t->entries[fd] = (struct fd_entry){.ofd = f, .cloexec = cloexec};
  if ((u32)lowest <= t->lowest_free_hint) t->lowest_free_hint = fd + 1;
  return (int)fd;
}

int fd_replace(struct fd_table *t, int fd, struct ofd *f, u32 limit, bool cloexec) {
  if (fd < 0 || (u32)fd >= MIN(limit, FD_LIMIT_HARD)) return -EBADF;
  if (!table_grow(t, (u32)fd)) return -ENOMEM;
  struct ofd *old = t->entries[fd].ofd;
  t->entries[fd] = (struct fd_entry){.ofd = f, .cloexec = cloexec};
  if (old) close_ofd(t, old);
  return fd;
}

int fd_close(struct fd_table *t, int fd) {
  struct ofd *f = fd_get(t, fd);
  if (!f) return -EBADF;
  t->entries[fd] = (struct fd_entry){0};
  if ((u32)fd < t->lowest_free_hint) t->lowest_free_hint = (u32)fd;
  close_ofd(t, f);
  return 0;
}

bool fd_has_room(const struct fd_table *t, u32 limit) {
  limit = MIN(limit, FD_LIMIT_HARD);
  u32 fd = t->lowest_free_hint;
  while (fd < t->capacity && t->entries[fd].ofd) fd++;
  return fd < limit;
}
