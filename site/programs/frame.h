/* Publishing frames from a guest: one function. The device's rules are in gen/frame.h, from the ABI tables. */
#ifndef SITE_FRAME_H
#define SITE_FRAME_H
#include "gen/frame.h"
#include <fcntl.h>
#include <stdio.h>
#include <sys/uio.h>
#include <unistd.h>

/* x, y in -1..1, colour in 0..1: FRAME_FORMAT_XY_RGBA */
struct vertex {
  float x, y, red, green, blue, alpha;
};

static inline int frame_open(const char *path) {
  int fd = open(path, O_WRONLY);
  if (fd < 0) perror(path);
  return fd;
}

/* One frame; 0, or -1 with errno. */
static inline int frame_vertices(int fd, uint32_t kind, const struct vertex *vertices, uint32_t count) {
  struct frame_head head = {.magic = FRAME_MAGIC, .kind = kind, .width = count, .height = 1, .stride = sizeof *vertices,
                            .format = FRAME_FORMAT_XY_RGBA, .bytes = count * (uint32_t)sizeof *vertices};
  struct iovec parts[2] = {{&head, sizeof head}, {(void *)(uintptr_t)vertices, head.bytes}};
  return writev(fd, parts, 2) == (ssize_t)(sizeof head + head.bytes) ? 0 : -1;
}
#endif
