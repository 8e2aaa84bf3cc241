/* frame: triple-buffered channels that carry pictures and vertices to a renderer outside. The record's layout and rules
 * are in the ABI tables (frame_channel, frame_slot, frame_head); js_shim/frames.js and tidemark_py/frames have the other
 * ends. Producer calls want the kernel lock; consumers take none. */
#ifndef TIDEMARK_IPC_FRAME_H
#define TIDEMARK_IPC_FRAME_H
#include "ipc.h"

#define FRAME_MAJOR 240 /* for local use, admin-guide/devices */

struct frame_ring {
  struct frame_channel channel;
  struct frame_slot slots[FRAME_SLOTS];
  u8 *bytes[FRAME_SLOTS]; /* what the slots' addresses are to the kernel */
};
extern struct frame_ring frame_rings[FRAME_CHANNELS];

void frame_boot(void);
/* The producer's side. begin: a new generation. back: its slot with room for `bytes`, or NULL (no memory). publish: the
 * back slot's frame becomes the newest, whatever happened to the one before. end: no more frames. */
void frame_begin(struct frame_ring *r);
struct frame_slot *frame_back(struct frame_ring *r, u32 bytes, u8 **to);
void frame_publish(struct frame_ring *r);
void frame_end(struct frame_ring *r);
#endif
