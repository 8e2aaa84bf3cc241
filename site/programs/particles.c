/* 100,000 particles round a moving attractor, computed by as many threads as asked for, one frame each step.
 * particles [DEVICE [FRAMES [THREADS [COUNT]]]]; prints steps per second at its end. */
#include "frame.h"
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#define MAX_THREADS 16
static struct vertex *shown;
static float *speed; /* x, y per particle */
static long count = 100000, threads = 2;
static volatile long frames = 600;
static float at_x, at_y;
static pthread_barrier_t begin, end;

static void move(long from, long to) {
  for (long i = from; i < to; i++) {
    struct vertex *p = &shown[i];
    float dx = at_x - p->x, dy = at_y - p->y, d2 = dx * dx + dy * dy + 0.02f, pull = 0.0004f / d2;
    float vx = speed[2 * i] = (speed[2 * i] + dx * pull) * 0.995f, vy = speed[2 * i + 1] = (speed[2 * i + 1] + dy * pull) * 0.995f;
    p->x += vx, p->y += vy;
    float fast = fminf(1, 40 * (fabsf(vx) + fabsf(vy)));
    p->red = 0.2f + 0.8f * fast, p->green = 0.5f, p->blue = 1 - 0.7f * fast;
  }
}

static void *work(void *arg) {
  long n = (long)arg;
  for (;;) {
    pthread_barrier_wait(&begin);
    if (frames < 0) return NULL;
    move(count * n / threads, count * (n + 1) / threads);
    pthread_barrier_wait(&end);
  }
}

int main(int argc, char **argv) {
  int fd = frame_open(argc > 1 ? argv[1] : "/dev/frame0");
  if (argc > 2) frames = strtol(argv[2], NULL, 10);
  if (argc > 3) threads = strtol(argv[3], NULL, 10);
  if (argc > 4) count = strtol(argv[4], NULL, 10);
  if (fd < 0 || threads < 1 || threads > MAX_THREADS || count < 1 || count > 1000000) return 1;
  shown = calloc((size_t)count, sizeof *shown), speed = calloc((size_t)count, 2 * sizeof *speed);
  if (!shown || !speed) return perror("particles"), 1;
  for (long i = 0; i < count; i++) {
    float turn = (float)i * 2.39996f, far = sqrtf((float)i / (float)count);
    shown[i] = (struct vertex){far * cosf(turn), far * sinf(turn), 0, 0, 0, 0.6f};
    speed[2 * i] = -0.01f * sinf(turn), speed[2 * i + 1] = 0.01f * cosf(turn);
  }
  pthread_t made[MAX_THREADS];
  pthread_barrier_init(&begin, NULL, (unsigned)threads), pthread_barrier_init(&end, NULL, (unsigned)threads);
  for (long n = 1; n < threads; n++)
    if (pthread_create(&made[n], NULL, work, (void *)n)) return perror("pthread_create"), 1;
  struct timespec start, now;
  clock_gettime(CLOCK_MONOTONIC, &start);
  for (long n = 0; n < frames; n++) {
    at_x = 0.5f * cosf((float)n / 90), at_y = 0.5f * sinf((float)n / 60);
    pthread_barrier_wait(&begin);
    move(0, count / threads);
    pthread_barrier_wait(&end);
    if (frame_vertices(fd, FRAME_KIND_POINTS, shown, (uint32_t)count) < 0) return perror("frame"), 1;
  }
  clock_gettime(CLOCK_MONOTONIC, &now);
  double seconds = (double)(now.tv_sec - start.tv_sec) + (double)(now.tv_nsec - start.tv_nsec) / 1e9;
  printf("%ld particles, %ld threads: %.1f steps/s\n", count, threads, (double)frames / seconds);
  frames = -1;
  pthread_barrier_wait(&begin);
  for (long n = 1; n < threads; n++) pthread_join(made[n], NULL);
  return 0;
}
