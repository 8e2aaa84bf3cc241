/* screen: what a console has besides a tty: the framebuffer and the input devices. Kernel lock. */
#ifndef TIDEMARK_TTY_SCREEN_H
#define TIDEMARK_TTY_SCREEN_H
#include "../ipc/frame.h"

void framebuffer_boot(void);
void input_boot(void);
/* The size of the screen when nobody has it open: pixels, 1..FRAME_SIDE_MAX. -EINVAL, -EBUSY. */
int framebuffer_resize(u32 width, u32 height);
void framebuffer_size(u32 *width, u32 *height);
/* An event of a device (0 keyboard, 1 pointer) from outside: EV_KEY, EV_REL, EV_ABS, EV_SYN. -ENODEV, -EINVAL. */
int input_event_post(u32 device, u32 type, u32 code, i32 value);
#endif
