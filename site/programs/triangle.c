/* Hello, Triangle: three vertices through /dev/frame0 (or the device named first), turned a little with each frame.
 * triangle [DEVICE [FRAMES [MS]]]: FRAMES 1 shows it upright and ends; 0 goes on until it is killed; MS between two. */
#include "frame.h"
#include <math.h>
#include <stdlib.h>
#include <time.h>

int main(int argc, char **argv) {
  int fd = frame_open(argc > 1 ? argv[1] : "/dev/frame0");
  if (fd < 0) return 1;
  long frames = argc > 2 ? strtol(argv[2], NULL, 10) : 0;
  long ms = argc > 3 ? strtol(argv[3], NULL, 10) : 16;
  for (long n = 0; frames == 0 || n < frames; n++) {
    static const float colours[3][3] = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}};
    struct vertex corners[3];
    for (int i = 0; i < 3; i++) {
      double turn = M_PI / 2 + 2 * M_PI * i / 3 + (double)n / 60;
      corners[i] = (struct vertex){(float)(0.9 * cos(turn)), (float)(0.9 * sin(turn)), colours[i][0], colours[i][1], colours[i][2], 1};
    }
    if (frame_vertices(fd, FRAME_KIND_TRIANGLES, corners, 3) < 0) return perror("frame"), 1;
    struct timespec pause = {ms / 1000, ms % 1000 * 1000000};
    if (frames != 1) nanosleep(&pause, NULL);
  }
  return 0;
}
