/* mm/iobuf: a cursor over a guest's buffers or a kernel buffer (readv(2), writev(2)). Lock held, own memory. */
#include "copy.h"

#define IOV_MAX_SEGMENTS 1024u
#define MAX_RW_BYTES 0x7ffff000ull /* most that one read or write moves on Linux */

static void init_single(struct iobuf *io, bool kernel, u64 base, u64 len) {
  memset(io, 0, sizeof(*io));
  io->kernel = kernel;
  io->segments = 1;
  io->inline_seg.base = base, io->inline_seg.len = len;
  io->left = MIN(len, MAX_RW_BYTES);
  io->segs = &io->inline_seg;
}

void iobuf_init_guest(struct iobuf *io, uaddr_t base, u64 len) { init_single(io, false, base, len); }
void iobuf_init_kernel(struct iobuf *io, void *base, u64 len) { init_single(io, true, (u64)(uintptr_t)base, len); }

int iobuf_init_iovec(struct iobuf *io, uaddr_t iov, u32 count) {
  memset(io, 0, sizeof(*io));
  if (count > IOV_MAX_SEGMENTS) return -EINVAL;
  io->segments = count;
  io->segs = &io->inline_seg;
  if (count > 1 && !(io->segs = kmalloc(count * sizeof(io->inline_seg)))) return -ENOMEM;
  int r = count ? copy_in(io->segs, iov, count * sizeof(io->inline_seg)) : 0; /* struct iovec: two u64 */
  u64 total = 0;
  for (u32 i = 0; i < count && r == 0; i++) {
    u64 len = io->segs[i].len;
    if (len > (u64)INT64_MAX || total + len > (u64)INT64_MAX) r = -EINVAL;
    total += len;
  }
  if (r < 0) {
    iobuf_free(io);
    return r;
  }
  io->left = MIN(total, MAX_RW_BYTES);
  return 0;
}

void iobuf_free(struct iobuf *io) {
  if (io->segs != &io->inline_seg) kfree(io->segs);
  memset(io, 0, sizeof(*io));
  io->segs = &io->inline_seg;
}

int iobuf_prepare(struct iobuf *io, u32 access) {
  if (io->kernel) return 0;
  u64 left = io->left, skip = io->done_in_segment;
  for (u32 i = io->segment; i < io->segments && left; i++, skip = 0) {
    u64 n = MIN(io->segs[i].len - skip, left);
    if (access_prepare(io->segs[i].base + skip, n, access) < 0) return -EFAULT;
    left -= n;
  }
  return 0;
}

/* Before a write's first effect: a buffer in a mapped file of a lazy layer is brought here whole. A bad address is found
 * later, byte-exact. */
int iobuf_here(struct iobuf *io) {
  if (LIKELY(io->kernel || !mm_current || !mm_current->lazy_files)) return 0;
  fetch_forget();
  return iobuf_prepare(io, ACCESS_R) < 0 && fetch_wanted() ? -ENOTHERE : 0;
}

static i64 iobuf_move(struct iobuf *io, u8 *to, const u8 *from, u64 n) {
  u64 done = 0;
  n = MIN(n, io->left);
  while (done < n) {
    const struct iovec_seg *s = &io->segs[io->segment];
    u64 part = MIN(n - done, s->len - io->done_in_segment), base = s->base + io->done_in_segment, moved = part;
    if (part && io->kernel) {
      u8 *p = (u8 *)(uintptr_t)base;
      if (to) memcpy(to + done, p, part);
      else if (from) memcpy(p, from + done, part);
      else memset(p, 0, part);
    } else if (part) {
      moved = to ? user_copy_in(to + done, base, part)
                 : from ? user_copy_out(base, from + done, part) : user_zero(base, part);
    }
    done += moved, io->left -= moved, io->done_in_segment += moved;
    if (moved < part) break;
    if (io->done_in_segment == s->len && io->segment + 1 < io->segments) io->segment++, io->done_in_segment = 0;
    else if (!part) break;
  }
  return done || !n ? (i64)done : -EFAULT;
}

i64 iobuf_write(struct iobuf *io, const void *src, u64 n) { return iobuf_move(io, NULL, src, n); }
i64 iobuf_read(struct iobuf *io, void *dst, u64 n) { return iobuf_move(io, dst, NULL, n); }
i64 iobuf_zero(struct iobuf *io, u64 n) { return iobuf_move(io, NULL, NULL, n); }
