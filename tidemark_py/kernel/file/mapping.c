/* mapping: what mm/ wants from files (mm.h, "what the floors above give at link time"). Follows mmap(2)'s errors. */
#include "memfs.h"
#include "root.h"

void mm_file_get(struct ofd *file) { ofd_get(file); }
void mm_file_put(struct ofd *file) { ofd_put(file); }
u64 file_missing(struct inode *ino, bool advise) { return inode_is_memfs(ino) ? memfs_missing(ino, advise) : 0; }
const void *mm_file_identity(struct ofd *file) { return file->inode; }

int mm_file_check(struct ofd *file, int prot, bool shared) {
  u32 mode = file->flags & O_ACCMODE;
  if (file->flags & O_PATH) return -EBADF;
  if (mode == O_WRONLY) return -EACCES;
  if (shared && (prot & PROT_WRITE) && mode != O_RDWR) return -EACCES;
  if (file->ops->mmap_ok) return file->ops->mmap_ok(file, prot, shared ? MAP_SHARED : MAP_PRIVATE);
  if (ofd_is_zero_device(file)) return 1;
  const struct inode *ino = file->inode;
  if (ino && shared && (prot & PROT_WRITE) && (ino->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))) return -EPERM;
  return ino && S_ISREG(ino->mode) && ino->ops && ino->ops->page ? 0 : -ENODEV;
}

int mm_file_page(struct ofd *file, u64 index, bool write, u8 **page, u32 *bytes) {
  struct inode *ino = file->inode;
  if (file->ops->mmap_page) return file->ops->mmap_page(file, index, page, bytes);
  if (index >= (ino->size + PAGE_BYTES - 1) / PAGE_BYTES) return -ENXIO;
  *bytes = (u32)MIN((u64)PAGE_BYTES, ino->size - index * PAGE_BYTES);
  return ino->ops->page(ino, index, write, page);
}

bool mm_file_lazy(struct ofd *file) { return file->inode && inode_is_memfs(file->inode) && memfs_is_lazy(file->inode); }

int mm_file_here(struct ofd *file, u64 index, u64 pages) {
  if (!mm_file_lazy(file)) return 0;
  return memfs_here(file->inode, index * PAGE_BYTES, pages * PAGE_BYTES);
}

void mm_file_written(struct ofd *file) {
  struct inode *ino = file->inode;
  ino->mtime = ino->ctime = time_now();
  if (ino->ops && ino->ops->changed) ino->ops->changed(ino);
}
