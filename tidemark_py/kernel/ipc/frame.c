/* /dev/frame0 .. frame7: a guest's way to publish frames. One write(2) or writev(2) is one frame: a frame_head, then its
 * bytes; a write that is malformed or faults publishes nothing. One producer at a time (EBUSY); at its end, however it
 * came, the last whole frame stays and consumers learn that no more come. Reading gives nothing (EINVAL); a write never
 * blocks, so poll(2) always says POLLOUT.
 * Missing: mmap of the buffers (a write is one copy, faster than stores into shared pages). */
#include "frame.h"

struct frame_ring frame_rings[FRAME_CHANNELS];

/* ---- the channel, producer's side ---- */
static u32 state_load(const struct frame_ring *r) { return __atomic_load_n(&r->channel.state, __ATOMIC_SEQ_CST); }

static void announce(struct frame_ring *r) {
  __atomic_add_fetch(&r->channel.published, 1, __ATOMIC_SEQ_CST);
  host_wake32(&r->channel.published, ~0u);
}

void frame_begin(struct frame_ring *r) {
  __atomic_add_fetch(&r->channel.generation, 1, __ATOMIC_SEQ_CST);
  announce(r);
}

void frame_end(struct frame_ring *r) { frame_begin(r); }

struct frame_slot *frame_back(struct frame_ring *r, u32 bytes, u8 **to) {
  u32 back = state_load(r) & 3;
  struct frame_slot *s = &r->slots[back];
  if (!r->bytes[back] || s->capacity < bytes) {
    u32 pages = (MAX(bytes, 1u) + PAGE_BYTES - 1) / PAGE_BYTES;
    u8 *fresh = kpages_alloc(pages);
    if (!fresh) return NULL;
    if (r->bytes[back]) kpages_free(r->bytes[back], s->capacity / PAGE_BYTES);
    r->bytes[back] = fresh, s->address = (u32)(uintptr_t)fresh, s->capacity = pages * PAGE_BYTES, s->bytes = 0;
  }
  *to = r->bytes[back];
  return s;
}

void frame_publish(struct frame_ring *r) {
  u32 old = state_load(r), back = old & 3, next;
  struct frame_slot *s = &r->slots[back];
  s->generation = r->channel.generation, s->number = r->channel.published, s->time_ns = host_monotonic_ns();
  do {
    u32 middle = (old >> FRAME_STATE_MIDDLE_SHIFT) & 3;
    next = (old & ~15u) | back << FRAME_STATE_MIDDLE_SHIFT | middle | FRAME_STATE_FRESH;
  } while (!__atomic_compare_exchange_n(&r->channel.state, &old, next, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
  announce(r);
}

/* ---- the device ---- */
static int head_check(const struct frame_head *h, u64 left) {
  bool picture = h->kind == FRAME_KIND_PIXELS, vertices = h->kind == FRAME_KIND_TRIANGLES || h->kind == FRAME_KIND_POINTS;
  if (h->magic != FRAME_MAGIC || h->reserved || (!picture && !vertices) || h->bytes != left) return -EINVAL;
  u32 each = h->format == FRAME_FORMAT_RGB565 ? 2 : 4;
  if (picture && (h->format < FRAME_FORMAT_RGBA8 || h->format > FRAME_FORMAT_RGB565)) return -EINVAL;
  if (picture && (!h->width || !h->height || h->width > FRAME_SIDE_MAX || h->height > FRAME_SIDE_MAX)) return -EINVAL;
  if (picture && (h->stride < h->width * each || h->stride % each || (u64)h->stride * h->height != h->bytes)) return -EINVAL;
  if (vertices && (h->format != FRAME_FORMAT_XY_RGBA || h->height != 1 || h->stride < 24 || h->stride % 4)) return -EINVAL;
  if (vertices && (u64)h->stride * h->width != h->bytes) return -EINVAL;
  return h->bytes > FRAME_BYTES_MAX ? -EFBIG : 0;
}

static i64 frame_write(struct ofd *f, struct iobuf *io, UNUSED u64 *pos) {
  struct frame_ring *r = f->priv;
  struct frame_head head;
  u64 bytes = io->left;
  if (bytes < sizeof head) return -EINVAL;
  int e = iobuf_prepare(io, ACCESS_R);
  if (e < 0) return e;
  if (iobuf_read(io, &head, sizeof head) != (i64)sizeof head) return -EFAULT;
  if ((e = head_check(&head, io->left)) < 0) return e;
  u8 *to;
  struct frame_slot *s = frame_back(r, head.bytes, &to);
  if (!s) return -ENOMEM;
  if (head.bytes && iobuf_read(io, to, head.bytes) != (i64)head.bytes) return -EFAULT;
  s->bytes = head.bytes, s->kind = head.kind, s->width = head.width, s->height = head.height;
  s->stride = head.stride, s->format = head.format;
  frame_publish(r);
  return (i64)bytes;
}

static u32 frame_poll(UNUSED struct ofd *f, UNUSED struct poll_table *pt) { return POLLOUT | POLLWRNORM; }
static void frame_release(struct ofd *f) { frame_end(f->priv); }
static const struct ofd_ops frame_ops = {.write = frame_write, .poll = frame_poll, .release = frame_release};
static const struct ofd_ops closed_ops = {0};

static int frame_open(struct inode *ino, struct ofd *f) {
  struct frame_ring *r = &frame_rings[dev_minor(ino->rdev)];
  f->ops = &closed_ops; /* a failed open releases nothing */
  if ((f->flags & O_ACCMODE) == O_RDONLY) return 0;
  if (r->channel.generation & 1) return -EBUSY;
  f->ops = &frame_ops, f->priv = r;
  frame_begin(r);
  return 0;
}

void frame_boot(void) {
  for (u32 i = 0; i < FRAME_CHANNELS; i++) frame_rings[i].channel.state = FRAME_STATE_START;
  chrdev_register(FRAME_MAJOR, 0, FRAME_SCREEN_CHANNEL, &closed_ops, frame_open);
}
