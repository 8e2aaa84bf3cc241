/* watch: what happens to inodes and names, told to whoever watches them: the events of inotify(7) without its queue.
 * Called by file/ and sys/ wherever Linux calls fsnotify; ipc/inotify.c is the listener. A watch holds its inode.
 *
 * An event about a name goes to the directory's watches with the name, one about a file to the directory it was opened
 * or walked through, then to its own watches. inode_watch_count keeps all of it to one comparison while nobody watches.
 * Missing: a file renamed while open is reported under the name it was opened by; memory mappings make no events. */
#include "inode.h"

u32 inode_watch_count;

void inode_watch_add(struct inode_watch *w, struct inode *ino) {
  inode_get(ino);
  w->inode = ino, w->next = ino->watches, ino->watches = w;
  ino->sb->watched++;
  inode_watch_count++;
}

void inode_watch_remove(struct inode_watch *w) {
  struct inode *ino = w->inode;
  struct inode_watch **p = &ino->watches;
  while (*p != w) p = &(*p)->next;
  *p = w->next, w->inode = NULL;
  ino->sb->watched--;
  inode_watch_count--;
  inode_put(ino);
}

/* The listener may take the watch away. */
static void tell(struct inode *ino, u32 mask, u32 cookie, const char *name, u32 bytes, bool gone) {
  for (struct inode_watch *w = ino->watches, *next; w; w = next) {
    next = w->next;
    if (gone && (w->mask & IN_EXCL_UNLINK)) continue;
    if ((mask & w->mask & IN_ALL_EVENTS) || (mask & (IN_DELETE_SELF | IN_UNMOUNT))) w->event(w, mask, cookie, name, bytes);
  }
}

static u32 directory_bit(const struct inode *ino) { return S_ISDIR(ino->mode) ? IN_ISDIR : 0; }

void inode_notify(struct inode *ino, u32 mask) {
  if (LIKELY(!ino->watches)) return;
  inode_get(ino);
  tell(ino, mask | directory_bit(ino), 0, NULL, 0, false);
  inode_put(ino);
}

void inode_notify_name(struct inode *dir, u32 mask, u32 cookie, const char *name, u32 bytes, const struct inode *child) {
  if (UNLIKELY(dir->watches != NULL)) tell(dir, mask | directory_bit(child), cookie, name, bytes, false);
}

void walk_notify(const struct walk *w, u32 mask) {
  if (LIKELY(!inode_watch_count) || !w->inode) return;
  if (w->dir && w->dir_mount == w->mount) inode_notify_name(w->dir, mask, 0, w->last, w->last_bytes, w->inode);
  inode_notify(w->inode, mask);
}

void ofd_notify(struct ofd *f, u32 mask) {
  if (LIKELY(!inode_watch_count) || !f->mount || (f->flags & O_PATH)) return;
  const char *name = f->dir && f->dir->watches && f->path ? strrchr(f->path, '/') : NULL;
  if (name) tell(f->dir, mask | directory_bit(f->inode), 0, name + 1, (u32)strlen(name + 1), !f->inode->nlink);
  inode_notify(f->inode, mask);
}

static void tell_all(struct inode *ino, u32 mask) {
  inode_get(ino);
  tell(ino, mask, 0, NULL, 0, false);
  inode_put(ino);
}

/* After inode_put: the last link is gone and only watches refer to it. */
void inode_watches_ended(struct inode *ino) {
  u32 watches = 0;
  for (const struct inode_watch *w = ino->watches; w; w = w->next) watches++;
  if (!watches || ino->refs > watches) return;
  tell_all(ino, IN_DELETE_SELF);
}

/* The inodes of a memfs are found by its list; other file systems are left by their watchers' own end. */
void inode_watches_unmount(struct inode *ino) {
  if (ino->watches) tell_all(ino, IN_UNMOUNT);
}
