/* /dev/fb0: a true-colour framebuffer as linux/fb.h has it: 32 bits (BGRX in memory) or 16 (RGB565), twice as many rows
 * as are seen, so that a program can draw below and pan (FBIOPAN_DISPLAY). Its memory is kernel pages: read, write and
 * mmap (shared: stores are seen at once; private: a copy) reach the same bytes, and so does the renderer, which finds
 * them in the screen's frame channel. The memory is made at the first open and stays as long as anybody has it open or
 * mapped; a new size is refused while a second description is open.
 * Missing: colour maps (true colour has none), vertical sync (WAITFORVSYNC returns at once). */
#include "screen.h"

#define FB_MAJOR 29

static struct {
  u32 width, height, bits, x, y; /* x, y: what is seen first */
  u8 *bytes;
  u32 pages, opens;
} fb = {.width = 640, .height = 480, .bits = 32};

static u32 fb_stride(void) { return fb.width * (fb.bits / 8); }
static u32 fb_bytes(void) { return fb_stride() * fb.height * 2; }

/* Tell the renderer what is on the screen. The slot is the producer's until published, so it never sees half of it. */
static void show(void) {
  struct frame_ring *r = &frame_rings[FRAME_SCREEN_CHANNEL];
  struct frame_slot *s = &r->slots[r->channel.state & 3];
  s->address = fb.bytes ? (u32)(uintptr_t)(fb.bytes + fb.y * fb_stride() + fb.x * (fb.bits / 8)) : 0;
  s->kind = FRAME_KIND_SCREEN, s->width = fb.width, s->height = fb.height, s->stride = fb_stride();
  s->format = fb.bits == 16 ? FRAME_FORMAT_RGB565 : FRAME_FORMAT_BGRX8;
  s->bytes = fb.bytes ? fb_stride() * fb.height : 0, s->capacity = 0;
  frame_publish(r);
}

/* Pages for the mode; the old ones go. Nobody maps them (the caller saw to that), and a renderer that still looks at them
 * finds the generation changed before and throws away what it read. */
static int make_room(void) {
  u32 pages = (fb_bytes() + PAGE_BYTES - 1) / PAGE_BYTES;
  if (fb.bytes && fb.pages == pages) return 0;
  u8 *fresh = kpages_alloc(pages);
  if (!fresh) return -ENOMEM;
  struct frame_ring *r = &frame_rings[FRAME_SCREEN_CHANNEL];
  frame_end(r), frame_begin(r);
  if (fb.bytes) kpages_free(fb.bytes, fb.pages);
  fb.bytes = fresh, fb.pages = pages;
  memset(fb.bytes, 0, (size_t)pages * PAGE_BYTES);
  return 0;
}

static int set_mode(u32 width, u32 height, u32 bits) {
  if (!width || !height || width > FRAME_SIDE_MAX || height > FRAME_SIDE_MAX || (bits != 16 && bits != 32)) return -EINVAL;
  u32 old_width = fb.width, old_height = fb.height, old_bits = fb.bits;
  if (width == old_width && height == old_height && bits == old_bits) return 0;
  if (fb.opens > 1) return -EBUSY;
  fb.width = width, fb.height = height, fb.bits = bits;
  int r = (u64)fb_stride() * height * 2 > FRAME_BYTES_MAX * 2ull ? -EINVAL : fb.opens ? make_room() : 0;
  if (r < 0) {
    fb.width = old_width, fb.height = old_height, fb.bits = old_bits;
    return r;
  }
  fb.x = fb.y = 0;
  if (fb.bytes && fb.opens) memset(fb.bytes, 0, (size_t)fb.pages * PAGE_BYTES);
  return 0;
}

int framebuffer_resize(u32 width, u32 height) { return fb.opens ? -EBUSY : set_mode(width, height, fb.bits); }
void framebuffer_size(u32 *width, u32 *height) { *width = fb.width, *height = fb.height; }

/* ---- ioctls ---- */
static struct guest_fb_var_screeninfo variable(void) {
  struct guest_fb_var_screeninfo v = {.xres = fb.width, .yres = fb.height, .xres_virtual = fb.width, .yres_virtual = fb.height * 2,
                                      .xoffset = fb.x, .yoffset = fb.y, .bits_per_pixel = fb.bits, .height = ~0u, .width = ~0u};
  bool deep = fb.bits == 32;
  v.red.offset = deep ? 16 : 11, v.green.offset = deep ? 8 : 5;
  v.red.length = deep ? 8 : 5, v.green.length = deep ? 8 : 6, v.blue.length = deep ? 8 : 5;
  return v;
}

static int fixed_out(uaddr_t arg) {
  struct guest_fb_fix_screeninfo x = {.id = "tidemark", .smem_len = fb_bytes(), .type = FB_TYPE_PACKED_PIXELS,
                                      .visual = FB_VISUAL_TRUECOLOR, .xpanstep = 1, .ypanstep = 1, .line_length = fb_stride()};
  return COPY_OUT(arg, x);
}

static int variable_put(uaddr_t arg) {
  struct guest_fb_var_screeninfo v;
  int r = COPY_IN(v, arg);
  if (r < 0) return r;
  u32 bits = v.bits_per_pixel <= 16 ? 16 : 32; /* the next that there is, as drivers round */
  if (v.xres_virtual > v.xres || v.yres_virtual > v.yres * 2) return -EINVAL;
  if (v.activate & 2) return 0; /* FB_ACTIVATE_TEST */
  if ((r = set_mode(v.xres, v.yres, bits)) < 0) return r;
  if (v.xoffset || v.yoffset > fb.height) return -EINVAL;
  fb.y = v.yoffset;
  show();
  v = variable();
  return COPY_OUT(arg, v);
}

static int pan(uaddr_t arg) {
  struct guest_fb_var_screeninfo v;
  int r = COPY_IN(v, arg);
  if (r < 0) return r;
  if (v.xoffset || v.yoffset > fb.height) return -EINVAL;
  fb.y = v.yoffset;
  show();
  return 0;
}

static i64 fb_ioctl(UNUSED struct ofd *f, u32 request, uaddr_t arg) {
  switch (request) {
  case FBIOGET_VSCREENINFO: {
    struct guest_fb_var_screeninfo v = variable();
    return COPY_OUT(arg, v);
  }
  case FBIOPUT_VSCREENINFO: return variable_put(arg);
  case FBIOGET_FSCREENINFO: return fixed_out(arg);
  case FBIOPAN_DISPLAY: return pan(arg);
  case FBIOBLANK: case FBIO_WAITFORVSYNC: return 0;
  case FBIOGETCMAP: case FBIOPUTCMAP: return -EINVAL;
  default: return -ENOTTY;
  }
}

/* ---- bytes ---- */
static i64 fb_move(struct iobuf *io, u64 *pos, bool write) {
  u64 size = fb_bytes(), n = *pos < size ? MIN(io->left, size - *pos) : 0;
  if (!n) return write && io->left ? -ENOSPC : 0;
  i64 r = write ? iobuf_read(io, fb.bytes + *pos, n) : iobuf_write(io, fb.bytes + *pos, n);
  if (r > 0) *pos += (u64)r;
  if (r > 0 && write) show();
  return r;
}
static i64 fb_read(UNUSED struct ofd *f, struct iobuf *io, u64 *pos) { return fb_move(io, pos, false); }
static i64 fb_write(UNUSED struct ofd *f, struct iobuf *io, u64 *pos) { return fb_move(io, pos, true); }
static i64 fb_seek(struct ofd *f, i64 offset, int whence) {
  i64 base = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? (i64)f->pos : whence == SEEK_END ? (i64)fb_bytes() : -1;
  if (base < 0 || base + offset < 0) return -EINVAL;
  return (i64)(f->pos = (u64)(base + offset));
}
static int fb_mmap_ok(UNUSED struct ofd *f, UNUSED int prot, UNUSED int flags) { return 0; }
static int fb_mmap_page(UNUSED struct ofd *f, u64 index, u8 **page, u32 *bytes) {
  if (index >= fb.pages) return -ENXIO;
  *page = fb.bytes + index * PAGE_BYTES, *bytes = PAGE_BYTES;
  return 0;
}
static void fb_release(UNUSED struct ofd *f) {
  if (--fb.opens) return;
  frame_end(&frame_rings[FRAME_SCREEN_CHANNEL]); /* the last picture stays on the screen, as on a machine */
}
static const struct ofd_ops fb_ops = {.read = fb_read, .write = fb_write, .seek = fb_seek, .ioctl = fb_ioctl,
                                      .mmap_ok = fb_mmap_ok, .mmap_page = fb_mmap_page, .release = fb_release};
static const struct ofd_ops unopened_ops = {0};

static int fb_open(UNUSED struct inode *ino, struct ofd *f) {
  struct frame_ring *r = &frame_rings[FRAME_SCREEN_CHANNEL];
  f->ops = &unopened_ops;
  if (!fb.opens) frame_begin(r);
  int e = make_room();
  if (e < 0) return fb.opens ? e : (frame_end(r), e);
  f->ops = &fb_ops;
  fb.opens++;
  show();
  return 0;
}

void framebuffer_boot(void) { chrdev_register(FB_MAJOR, 0, 1, &unopened_ops, fb_open); }
