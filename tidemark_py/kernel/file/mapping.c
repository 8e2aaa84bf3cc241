/* file/mapping: what mm/ asks of an open file when it is mapped (mmap(2)): may it, its pages, its identity. Lock held. */
#include "inode.h"

#define DEV_ZERO_MAJOR 1u
#define DEV_ZERO_MINOR 5u

void mm_file_get(struct ofd *file) { ofd_get(file); }
void mm_file_put(struct ofd *file) { ofd_put(file); }

int mm_file_check(struct ofd *file, int prot, bool shared) {
  u32 mode = file->flags & O_ACCMODE;
  const struct inode *ino = file->inode;
  if (file->flags & O_PATH) return -EBADF;
  if (mode == O_WRONLY || (shared && (prot & PROT_WRITE) && mode != O_RDWR)) return -EACCES;
  if (file->ops->mmap_ok) {
    int r = file->ops->mmap_ok(file, prot, shared ? MAP_SHARED : MAP_PRIVATE);
    if (r) return r;
  }
  if (ino && S_ISCHR(ino->mode) && dev_major(ino->rdev) == DEV_ZERO_MAJOR && dev_minor(ino->rdev) == DEV_ZERO_MINOR) return 1;
  if (!ino || !S_ISREG(ino->mode) || !ino->ops->page) return -ENODEV;
  return 0;
}

int mm_file_page(struct ofd *file, u64 index, bool write, u8 **page, u32 *bytes) {
  struct inode *ino = file->inode;
  *page = NULL, *bytes = 0;
  if (index > (FILE_MAX_BYTES >> PAGE_SHIFT) || index << PAGE_SHIFT >= ino->size) return -ENXIO;
  int r = ino->ops->page(ino, index, write, page);
  /* A page made for writing is whole; one of a layer's body ends with the file, what follows is another file's. */
  *bytes = write ? PAGE_BYTES : (u32)MIN(ino->size - (index << PAGE_SHIFT), (u64)PAGE_BYTES);
  return r;
}

const void *mm_file_identity(struct ofd *file) { return file->inode; }

void mm_file_written(struct ofd *file) {
  struct inode *ino = file->inode;
  ino->mtime = ino->ctime = time_now();
  if (ino->ops->changed) ino->ops->changed(ino);
}
