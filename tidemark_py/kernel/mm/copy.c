/* mm/copy: user copies. Page by page: permission byte, fault where needed, external pages from kernel memory. Lock
 * held, own memory (mm_current). Runs of accessible pages are moved in one copy. */
#include "area.h"
#include "copy.h"

/* A staging memory has no areas: everything inside it is accessible. */
static bool staging_range(uaddr_t a, u64 bytes) {
  u64 size = (u64)guest_size_pages() * 65536 - HEAD_BYTES;
  return a <= size && bytes <= size - a;
}

static bool in_window(const struct mm *mm, uaddr_t a, u64 bytes) {
  return a <= mm->max_guest_bytes && bytes <= mm->max_guest_bytes - a;
}

/* How many of `bytes` from a can be moved at once in guest memory with `access`; 0: the first page is external. */
static i64 direct_run(struct mm *mm, uaddr_t a, u64 bytes, u32 access) {
  u32 page = page_of(a);
  if (!(guest_perm(page) & access)) {
    int r = page_fault(mm, a, access);
    if (r < 0) return r;
    if (!(guest_perm(page) & access)) return 0;
  }
  u64 run = MIN(bytes, PAGE_BYTES - a % PAGE_BYTES);
  while (run < bytes && (guest_perm(++page) & access)) run = MIN(bytes, run + PAGE_BYTES);
  return (i64)run;
}

/* One piece inside one external page. Bytes behind a file's last byte read as zero and swallow stores. */
static i64 external_copy(struct mm *mm, uaddr_t a, u64 bytes, u8 *to, const u8 *from) {
  const struct vma *v = area_at(mm, page_of(a));
  u32 off = a % PAGE_BYTES, n = (u32)MIN(bytes, PAGE_BYTES - off), valid = 0;
  u8 *page = NULL;
  int r = external_page(v, page_of(a), !to, &page, &valid);
  if (r == 0 && to && off + n > valid && (v->prot & PERM_W)) r = external_page(v, page_of(a), true, &page, &valid);
  if (r < 0) {
    mm_fault_info = (struct mm_fault_info){.addr = a, .si_signo = SIGBUS, .si_code = BUS_ADRERR};
    return -EFAULT;
  }
  u32 there = off < valid ? MIN(n, valid - off) : 0;
  if (!to) {
    if (from) memcpy(page + off, from, there);
    else memset(page + off, 0, there);
    return n;
  }
  if (page) memcpy(to, page + off, there);
  else there = 0;
  memset(to + there, 0, n - there);
  return n;
}

/* to: guest -> kernel; from: kernel -> guest; neither: zeros -> guest. Returns the bytes done before a fault. */
static u64 user_copy(uaddr_t a, u64 bytes, u8 *to, const u8 *from) {
  struct mm *mm = mm_current;
  u64 done = 0;
  if (!mm) return 0;
  if (!bytes) return 0;
  bool staging = mm->all_resident;
  if (staging && !staging_range(a, bytes)) return 0;
  if (!staging && !in_window(mm, a, bytes)) {
    if (a >= mm->max_guest_bytes) return 0;
    bytes = mm->max_guest_bytes - a + 1; /* ends in the fault at the border */
  }
  u32 access = to ? ACCESS_R : ACCESS_W;
  while (done < bytes) {
    if (a + done >= mm->max_guest_bytes) break;
    u64 left = MIN(bytes - done, mm->max_guest_bytes - (a + done));
    i64 n = staging ? (i64)left : direct_run(mm, a + done, left, access);
    if (n < 0) break;
    if (n == 0) {
      n = external_copy(mm, a + done, left, to ? to + done : NULL, from ? from + done : NULL);
      if (n < 0) break;
    } else {
      u32 at = (u32)(a + done);
      if (to) guest_copy_to_kernel(to + done, at, (u32)n);
      else if (from) guest_copy_from_kernel(at, from + done, (u32)n);
      else guest_fill(at, 0, (u32)n);
    }
    done += (u64)n;
  }
  return done;
}

u64 user_copy_in(void *dst, uaddr_t src, u64 bytes) { return user_copy(src, bytes, dst, NULL); }
u64 user_copy_out(uaddr_t dst, const void *src, u64 bytes) { return user_copy(dst, bytes, NULL, src); }
u64 user_zero(uaddr_t dst, u64 bytes) { return user_copy(dst, bytes, NULL, NULL); }

int copy_in(void *dst, uaddr_t src, size_t bytes) { return user_copy(src, bytes, dst, NULL) == bytes ? 0 : -EFAULT; }
int copy_out(uaddr_t dst, const void *src, size_t bytes) { return user_copy(dst, bytes, NULL, src) == bytes ? 0 : -EFAULT; }
int zero_out(uaddr_t dst, size_t bytes) { return user_copy(dst, bytes, NULL, NULL) == bytes ? 0 : -EFAULT; }

i64 strncpy_in(char *dst, uaddr_t src, size_t max) {
  size_t done = 0;
  while (done < max) {
    /* small pieces that end at page borders: most strings are short, and nothing behind the NUL may fault */
    size_t n = MIN(MIN((size_t)64, max - done), PAGE_BYTES - (src + done) % PAGE_BYTES);
    if (src + done < src || user_copy(src + done, n, (u8 *)dst + done, NULL) != n) return -EFAULT;
    const char *end = memchr(dst + done, 0, n);
    if (end) return end - dst;
    done += n;
  }
  return -ENAMETOOLONG;
}

int access_prepare(uaddr_t a, size_t bytes, u32 access) {
  struct mm *mm = mm_current;
  if (!mm) return -EFAULT;
  if (!bytes) return 0;
  if (mm->all_resident) return staging_range(a, bytes) ? 0 : -EFAULT;
  if (!in_window(mm, a, bytes)) return -EFAULT;
  for (u32 page = page_of(a); page <= page_of(a + bytes - 1); page++) {
    u64 at = MAX(a, page_addr(page));
    u32 perm = guest_perm(page);
    if ((perm & access) == access) continue;
    if (page_fault(mm, at, access) < 0) return -EFAULT;
  }
  return 0;
}

/* Inside one page. */
static int poke_page(struct mm *mm, uaddr_t dst, const u8 *src, u32 bytes) {
  u32 page = page_of(dst);
  const struct vma *v = area_at(mm, page);
  if (v && !v->shared && !(v->prot & PERM_W)) {
    if (!(guest_perm(page) & PERM_RESIDENT)) {
      int r = page_fault(mm, dst, v->prot & PERM_X ? ACCESS_X : ACCESS_R);
      if (r < 0) return r;
    }
    u32 perm = guest_perm(page);
    guest_copy_from_kernel((u32)dst, src, bytes);
    if (!(perm & PERM_DIRTY)) mm->dirty_pages++;
    guest_perm_set(page, perm | PERM_DIRTY);
  } else {
    int r = copy_out(dst, src, bytes);
    if (r) return r;
  }
  if (v && (v->prot & PERM_X)) cpu_code_invalidate(mm, page, 1);
  return 0;
}

int mm_poke(uaddr_t dst, const void *src, u32 bytes) {
  struct mm *mm = mm_current;
  if (!mm || mm->all_resident || !in_window(mm, dst, bytes)) return -EFAULT;
  for (u32 done = 0; done < bytes;) {
    u32 n = (u32)MIN((u64)(bytes - done), PAGE_BYTES - (dst + done) % PAGE_BYTES);
    int r = poke_page(mm, dst + done, (const u8 *)src + done, n);
    if (r) return r;
    done += n;
  }
  return 0;
}
