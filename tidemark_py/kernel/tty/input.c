/* /dev/input/event0 (keyboard), event1 (pointer: absolute, with buttons and a wheel) and mice, as linux/input.h and the
 * kernel's input documentation have them. Events come from the page (input_event_post) and go to every open description
 * of the device; a reader that is too slow loses what it has and is told by SYN_DROPPED: what waits for it is dropped by
 * its producer, which no queue of core/queue.h does, so a client's events are an array under the lock.
 * event1's coordinates are pixels of the screen: its range is the framebuffer's size. mice speaks three-byte PS/2.
 * Missing: EV_REP settings, LEDs, multi-touch slots (one touch is the pointer), EVIOCGRAB of more than one client. */
#include "screen.h"

#define INPUT_MAJOR 13
#define EVENT_MINOR 64
#define MICE_MINOR 63
#define RING_EVENTS 128u
enum { KEYBOARD, POINTER, DEVICES };
#define KEY_CODES 0x300u

struct client {
  struct list link;
  u32 device;
  bool mice;
  int clock;
  u32 head, tail; /* of events: indexes rise for ever */
  struct guest_input_event events[RING_EVENTS];
};
static struct {
  struct list clients;
  struct wait_queue wait;
  u8 keys[KEY_CODES / 8];
  i32 x, y;
  struct client *grabbed;
} devices[DEVICES];

static void push(struct client *c, u64 ns, u32 type, u32 code, i32 value) {
  if (c->head - c->tail == RING_EVENTS - 1) { /* keep the newest: drop all, say so */
    c->tail = c->head;
    c->events[c->head++ % RING_EVENTS] = (struct guest_input_event){.type = EV_SYN, .code = SYN_DROPPED};
  }
  struct guest_input_event *e = &c->events[c->head++ % RING_EVENTS];
  *e = (struct guest_input_event){.type = (u16)type, .code = (u16)code, .value = value};
  e->time.tv_sec = (i64)(ns / 1000000000), e->time.tv_usec = (i64)(ns / 1000 % 1000000);
}

int input_event_post(u32 device, u32 type, u32 code, i32 value) {
  if (device >= DEVICES) return -ENODEV;
  if (type == EV_KEY ? code >= KEY_CODES : type == EV_ABS ? code > ABS_Y || device != POINTER : type == EV_REL ? code > REL_WHEEL : type != EV_SYN)
    return -EINVAL;
  if (type == EV_KEY) {
    u8 bit = (u8)(1u << (code % 8));
    devices[device].keys[code / 8] = (u8)((devices[device].keys[code / 8] & ~bit) | (value ? bit : 0));
  }
  if (type == EV_ABS && code == ABS_X) devices[device].x = value;
  if (type == EV_ABS && code == ABS_Y) devices[device].y = value;
  struct list *list = &devices[device].clients;
  for (struct list *l = list->next; l != list; l = l->next) {
    struct client *c = CONTAINER_OF(l, struct client, link);
    if (devices[device].grabbed && devices[device].grabbed != c) continue;
    push(c, c->clock == CLOCK_MONOTONIC ? host_monotonic_ns() : host_realtime_ns(), type, code, value);
  }
  if (type == EV_SYN) wait_wake(&devices[device].wait, POLLIN | POLLRDNORM);
  return 0;
}

/* Whole reports only: up to the last SYN that has come. */
static u32 ready(const struct client *c) {
  u32 n = c->head - c->tail;
  while (n && c->events[(c->tail + n - 1) % RING_EVENTS].type != EV_SYN) n--;
  return n;
}

static i64 mice_read(struct client *c, struct iobuf *io, u32 n) {
  i64 done = 0;
  static i32 last_x, last_y;
  static u8 buttons;
  for (; n && io->left >= 3; n--, c->tail++) {
    const struct guest_input_event *e = &c->events[c->tail % RING_EVENTS];
    if (e->type == EV_KEY && e->code >= BTN_LEFT && e->code <= BTN_MIDDLE) {
      u8 bit = (u8)(1u << (e->code - BTN_LEFT));
      buttons = (u8)(e->value ? buttons | bit : buttons & ~bit);
    }
    if (e->type != EV_SYN) continue;
    i32 dx = MIN(MAX(devices[POINTER].x - last_x, -127), 127), dy = MIN(MAX(last_y - devices[POINTER].y, -127), 127);
    last_x += dx, last_y -= dy;
    u8 packet[3] = {(u8)(8u | buttons | (dx < 0 ? 16u : 0) | (dy < 0 ? 32u : 0)), (u8)dx, (u8)dy};
    i64 r = iobuf_write(io, packet, 3);
    if (r < 3) return done ? done : -EFAULT;
    done += 3;
  }
  return done;
}

static i64 input_read(struct ofd *f, struct iobuf *io, UNUSED u64 *pos) {
  struct client *c = f->priv;
  u32 n;
  if (io->left < (c->mice ? 3 : sizeof(struct guest_input_event))) return -EINVAL;
  for (;;) {
    while (!(n = ready(c))) {
      if (f->flags & O_NONBLOCK) return -EAGAIN;
      int r = wait_on(&devices[c->device].wait, WAIT_FOREVER);
      if (r) return r;
    }
    if (!c->mice) break;
    i64 done = mice_read(c, io, n);
    if (done) return done;
  }
  i64 done = 0;
  for (; n && io->left >= sizeof c->events[0]; n--, c->tail++) {
    i64 r = iobuf_write(io, &c->events[c->tail % RING_EVENTS], sizeof c->events[0]);
    if (r < (i64)sizeof c->events[0]) return done ? done : -EFAULT;
    done += r;
  }
  return done;
}

static u32 input_poll(struct ofd *f, struct poll_table *pt) {
  struct client *c = f->priv;
  poll_wait(pt, &devices[c->device].wait);
  return ready(c) ? POLLIN | POLLRDNORM : 0;
}

/* ---- ioctls ---- */
static void bit_set(u8 *bits, u32 n) { bits[n / 8] = (u8)(bits[n / 8] | 1u << (n % 8)); }

static i64 bits_out(uaddr_t arg, u32 size, const u8 *bits, u32 bytes) {
  u32 n = MIN(size, bytes);
  int r = copy_out(arg, bits, n);
  return r < 0 ? r : (i64)n;
}

static i64 capability_bits(const struct client *c, u32 type, u32 size, uaddr_t arg) {
  u8 bits[KEY_CODES / 8] = {0};
  bool pointer = c->device == POINTER;
  switch (type) {
  case 0: /* the types */
    bit_set(bits, EV_SYN), bit_set(bits, EV_KEY);
    if (pointer) bit_set(bits, EV_ABS), bit_set(bits, EV_REL);
    return bits_out(arg, size, bits, 4);
  case EV_KEY:
    for (u32 i = 1; !pointer && i < 249; i++) bit_set(bits, i);
    if (pointer) bit_set(bits, BTN_LEFT), bit_set(bits, BTN_RIGHT), bit_set(bits, BTN_MIDDLE), bit_set(bits, BTN_TOUCH);
    return bits_out(arg, size, bits, sizeof bits);
  case EV_ABS:
    if (pointer) bit_set(bits, ABS_X), bit_set(bits, ABS_Y);
    return bits_out(arg, size, bits, 8);
  case EV_REL:
    if (pointer) bit_set(bits, REL_WHEEL);
    return bits_out(arg, size, bits, 8);
  default: return bits_out(arg, size, bits, 8);
  }
}

static i64 absolute_out(const struct client *c, u32 code, uaddr_t arg) {
  if (c->device != POINTER || code > ABS_Y) return -EINVAL;
  u32 width, height;
  framebuffer_size(&width, &height);
  struct guest_input_absinfo a = {.value = code == ABS_X ? devices[POINTER].x : devices[POINTER].y,
                                  .maximum = (i32)(code == ABS_X ? width : height) - 1};
  return COPY_OUT(arg, a);
}

static i64 input_ioctl(struct ofd *f, u32 request, uaddr_t arg) {
  struct client *c = f->priv;
  static const char *const names[DEVICES] = {"tidemark keyboard", "tidemark pointer"};
  u32 number = request & 0xff, size = request >> 16 & 0x3fff;
  u8 none[8] = {0};
  if (c->mice || (request >> 8 & 0xff) != 'E') return -ENOTTY;
  switch (request) {
  case EVIOCGVERSION: {
    i32 version = 0x010001;
    return COPY_OUT(arg, version);
  }
  case EVIOCGID: {
    struct guest_input_id id = {.bustype = BUS_VIRTUAL, .version = 1, .product = (u16)(c->device + 1)};
    return COPY_OUT(arg, id);
  }
  case EVIOCGRAB:
    if (!arg) return devices[c->device].grabbed == c ? (devices[c->device].grabbed = NULL, 0) : -EINVAL;
    if (devices[c->device].grabbed) return -EBUSY;
    devices[c->device].grabbed = c;
    return 0;
  case EVIOCSCLOCKID: {
    i32 clock;
    int r = COPY_IN(clock, arg);
    if (r < 0) return r;
    if (clock != CLOCK_MONOTONIC && clock != CLOCK_REALTIME) return -EINVAL;
    c->clock = clock;
    return 0;
  }
  default: break;
  }
  if (number == 0x06) return bits_out(arg, size, (const u8 *)names[c->device], (u32)strlen(names[c->device]) + 1);
  if (number == 0x07 || number == 0x08) return -ENOENT; /* no physical place, no unique name */
  if (number == 0x09) {
    if (c->device == POINTER) bit_set(none, INPUT_PROP_DIRECT);
    return bits_out(arg, size, none, sizeof none);
  }
  if (number == 0x18) return bits_out(arg, size, devices[c->device].keys, sizeof devices[0].keys);
  if (number == 0x19 || number == 0x1a || number == 0x1b) return bits_out(arg, size, none, sizeof none);
  if (number >= 0x20 && number < 0x40) return capability_bits(c, number - 0x20, size, arg);
  if (number >= 0x40 && number < 0x80) return absolute_out(c, number - 0x40, arg);
  return -ENOTTY;
}

static void input_release(struct ofd *f) {
  struct client *c = f->priv;
  if (devices[c->device].grabbed == c) devices[c->device].grabbed = NULL;
  list_remove(&c->link);
  kfree(c);
}
static const struct ofd_ops input_ops = {.read = input_read, .poll = input_poll, .ioctl = input_ioctl, .release = input_release};
static const struct ofd_ops unopened_ops = {0};

static int input_open(struct inode *ino, struct ofd *f) {
  u32 minor = dev_minor(ino->rdev);
  f->ops = &unopened_ops;
  struct client *c = kzalloc(sizeof *c);
  if (!c) return -ENOMEM;
  c->mice = minor == MICE_MINOR, c->device = c->mice ? POINTER : minor - EVENT_MINOR, c->clock = CLOCK_REALTIME;
  list_add_tail(&devices[c->device].clients, &c->link);
  f->ops = &input_ops, f->priv = c;
  return 0;
}

void input_boot(void) {
  for (u32 i = 0; i < DEVICES; i++) list_init(&devices[i].clients), wait_queue_init(&devices[i].wait);
  chrdev_register(INPUT_MAJOR, MICE_MINOR, 1 + DEVICES, &unopened_ops, input_open);
}
