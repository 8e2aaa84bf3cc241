/* A frame by the host's import instead of a path: frame DEVICE. Needs the capability "frames", no directory at all. */
#include "../../../site/programs/frame.h"
#include <stdlib.h>

__attribute__((import_module("tidemark"), import_name("frame_open"))) int import_frame_open(uint32_t device, int *fd);
__attribute__((import_module("tidemark"), import_name("input_open"))) int import_input_open(uint32_t device, int *fd);

int main(int argc, char **argv) {
  int fd = -1, input = -1;
  struct vertex corners[3] = {{-1, -1, 0, 1, 0, 1}, {3, -1, 0, 1, 0, 1}, {-1, 3, 0, 1, 0, 1}}; /* all of it, green */
  int e = import_frame_open(argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 0, &fd);
  if (e) return printf("errno %d\n", e), 2;
  if (import_input_open(0, &input) || input < 0) return 3;
  if (frame_vertices(fd, FRAME_KIND_TRIANGLES, corners, 3) < 0) return perror("frame"), 1;
  return puts("published"), 0;
}
