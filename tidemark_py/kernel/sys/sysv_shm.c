/* sys/sysv_shm: shmget(2), shmat(2), shmdt(2), shmctl(2). A segment is an unnamed memory file that its areas map shared;
 * the areas' references to the description are the attachments, and the last one gone ends a removed segment.
 * Missing: SHM_HUGETLB, SHM_LOCK's effect (nothing is ever swapped), mprotect(2) may make a SHM_RDONLY area writable. */
#include "sysv.h"

#define SHM_DEST 01000u
#define SHM_MAX_BYTES (1ull << 32)

struct segment {
  struct sysv_object object; /* first */
  struct ofd *file;          /* referenced until removed */
  struct poll_hook hook;     /* tells of the last attachment */
  u64 bytes;
  i64 atime, dtime, ctime;
  i32 cpid, lpid;
};
static struct sysv_table segments;

static struct segment *segment_of(i32 id) { return (struct segment *)(void *)sysv_find(&segments, id); }
static u32 attached(const struct segment *s) { return s->file->refs - !(s->object.mode & SHM_DEST); }

static void segment_released(struct poll_hook *h, UNUSED struct ofd *f) {
  struct segment *s = CONTAINER_OF(h, struct segment, hook);
  list_remove(&h->link);
  sysv_remove(&segments, &s->object);
  kfree(s);
}

i64 sys_shmget(i32 key, u64 size, u32 flags) {
  struct sysv_object *found;
  if (flags & SHM_HUGETLB) return -EINVAL;
  i64 r = sysv_lookup(&segments, key, flags, &found);
  if (r) return r;
  if (found) return ((struct segment *)(void *)found)->bytes < size ? -EINVAL : found->id;
  if (!size || size > SHM_MAX_BYTES) return -EINVAL;
  struct segment *s = kzalloc(sizeof *s);
  if (!s) return -ENOMEM;
  char name[16];
  ksnprintf(name, sizeof name, "SYSV%08x", (u32)key);
  r = memfd_open(name, 0, &s->file);
  if (!r && (r = file_truncate(s->file->inode, ALIGN_UP(size, (u64)PAGE_BYTES))) == 0) r = sysv_add(&segments, &s->object, key, flags);
  if (r < 0) {
    if (s->file) ofd_put(s->file);
    kfree(s);
    return r;
  }
  ksnprintf(s->file->path, strlen(s->file->path) + 1, "/%s", name);
  s->bytes = size, s->ctime = sysv_now(), s->cpid = current->process->pid;
  s->file->inode->uid = s->object.uid, s->file->inode->gid = s->object.gid;
  s->hook.released = segment_released;
  list_add_tail(&s->file->poll_hooks, &s->hook.link);
  return r;
}

i64 sys_shmat(i32 shmid, uaddr_t addr, u32 flags) {
  struct segment *s = segment_of(shmid);
  if (!s) return -EINVAL;
  if (addr % PAGE_BYTES) {
    if (!(flags & SHM_RND)) return -EINVAL;
    addr = ALIGN_DOWN(addr, (u64)PAGE_BYTES);
  }
  if (!addr && (flags & SHM_REMAP)) return -EINVAL;
  bool read_only = flags & SHM_RDONLY;
  int r = sysv_access(&s->object, (read_only ? 0444 : 0666) | (flags & SHM_EXEC ? 0111 : 0));
  if (r) return r;
  int prot = PROT_READ | (read_only ? 0 : PROT_WRITE) | (flags & SHM_EXEC ? PROT_EXEC : 0);
  int fixed = !addr ? 0 : flags & SHM_REMAP ? MAP_FIXED : MAP_FIXED_NOREPLACE;
  i64 at = mm_map(current->process->mm, addr, s->bytes, prot, MAP_SHARED | fixed, s->file, 0);
  if (at == -EEXIST) return -EINVAL;
  if (at < 0) return at;
  s->atime = sysv_now(), s->lpid = current->process->pid;
  return at;
}

i64 sys_shmdt(uaddr_t addr) {
  struct mm *mm = current->process->mm;
  u32 first = (u32)(addr >> PAGE_SHIFT);
  if (addr % PAGE_BYTES || addr >= mm->max_guest_bytes) return -EINVAL;
  struct segment *s = NULL;
  u64 pages = 0;
  for (u32 i = 0; i < mm->vma_count && !s; i++) { /* the start of it may be unmapped */
    const struct vma *v = &mm->vmas[i];
    if (!v->file || !v->shared || v->start < first || v->start - first != v->file_page) continue;
    LIST_FOR(h, &v->file->poll_hooks, struct poll_hook, link)
      if (h->released == segment_released) s = CONTAINER_OF(h, struct segment, hook);
  }
  if (!s) return -EINVAL;
  struct ofd *file AUTO_OFD = s->file;
  ofd_get(file); /* the last unmapping must not end it below us */
  pages = ALIGN_UP(s->bytes, (u64)PAGE_BYTES) >> PAGE_SHIFT;
  s->dtime = sysv_now(), s->lpid = current->process->pid;
  for (u32 i = 0; i < mm->vma_count;) {
    const struct vma *v = &mm->vmas[i];
    bool ours = v->file == file && v->start >= first && v->start < first + pages && v->start - first == v->file_page;
    if (!ours) i++;
    else if (mm_unmap(mm, (u64)v->start << PAGE_SHIFT, (u64)(v->end - v->start) << PAGE_SHIFT)) return -ENOMEM;
  }
  return 0;
}

static i64 limits(bool in_use, uaddr_t to) {
  struct guest_shminfo i = {.shmmax = SHM_MAX_BYTES, .shmmin = 1, .shmmni = SYSV_OBJECTS, .shmseg = SYSV_OBJECTS,
                            .shmall = SHM_MAX_BYTES / PAGE_BYTES};
  struct guest_shm_info u = {.used_ids = (i32)sysv_count(&segments)};
  for (i32 k = 0; k <= sysv_highest(&segments); k++) {
    const struct segment *s = (struct segment *)(void *)sysv_at(&segments, k);
    if (s) u.shm_tot += (s->bytes + PAGE_BYTES - 1) / PAGE_BYTES, u.shm_rss += s->file->inode->blocks_512 / (PAGE_BYTES / 512);
  }
  int r = in_use ? COPY_OUT(to, u) : COPY_OUT(to, i);
  return r ? -EFAULT : sysv_highest(&segments);
}

i64 sys_shmctl(i32 shmid, i32 cmd, uaddr_t buf) {
  i32 what = cmd & ~IPC_64;
  if (what == IPC_INFO || what == SHM_INFO) return limits(what == SHM_INFO, buf);
  bool by_index = what == SHM_STAT || what == SHM_STAT_ANY;
  struct segment *s = by_index ? (struct segment *)(void *)sysv_at(&segments, shmid) : segment_of(shmid);
  if (shmid < 0 || cmd < 0 || !s) return -EINVAL;
  struct guest_shmid_ds d = {0};
  int r;
  switch (cmd & ~IPC_64) {
  case SHM_STAT:
  case SHM_STAT_ANY:
  case IPC_STAT:
    if (what != SHM_STAT_ANY && (r = sysv_access(&s->object, 0444))) return r;
    d = (struct guest_shmid_ds){.shm_perm = sysv_perm_out(&s->object), .shm_segsz = s->bytes, .shm_atime = s->atime,
                                .shm_dtime = s->dtime, .shm_ctime = s->ctime, .shm_cpid = s->cpid, .shm_lpid = s->lpid,
                                .shm_nattch = attached(s)};
    if (COPY_OUT(buf, d)) return -EFAULT;
    return by_index ? s->object.id : 0;
  case IPC_SET:
    if (COPY_IN(d, buf)) return -EFAULT;
    if ((r = sysv_owner(&s->object))) return r;
    sysv_perm_set(&s->object, &d.shm_perm);
    s->ctime = sysv_now();
    return 0;
  case SHM_LOCK:
  case SHM_UNLOCK: return sysv_owner(&s->object);
  case IPC_RMID:
    if ((r = sysv_owner(&s->object))) return r;
    if (s->object.mode & SHM_DEST) return 0;
    s->object.mode |= SHM_DEST, s->object.key = IPC_PRIVATE;
    ofd_put(s->file); /* nobody attached: the end of s */
    return 0;
  default: return -EINVAL;
  }
}
