/* lazy: file bodies met for the first time through every door: read(2), write(2) out of a mapping, stores into a private
 * mapping, faults, and all of it while another thread unmaps or a kill arrives. Under a lazy root (tests/kernel/
 * test_lazy.py) each chunk has to be fetched; everywhere else the program's own file is just a file. */
#include "check.h"
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define TABLE_BYTES (512 * 1024)
#define ROUNDS 200
/* far apart, so that nobody's first touch brings another's */
static const unsigned char for_write[TABLE_BYTES] = {[0 ... TABLE_BYTES - 1] = 0x5a};
static const unsigned char for_kill[TABLE_BYTES] = {[0 ... TABLE_BYTES - 1] = 0x5b};
static const unsigned char for_signal[TABLE_BYTES] = {[0 ... TABLE_BYTES - 1] = 0x5c};
static unsigned char data[65536] = {[0 ... 65535] = 0x5d};
static volatile int alarms;

static unsigned long sum(const unsigned char *p, size_t n) {
  unsigned long s = 0;
  for (size_t i = 0; i < n; i++) s = s * 31 + p[i];
  return s;
}

static void *drain(void *fd) {
  static unsigned char buffer[65536];
  long total = 0, n;
  while ((n = read(*(int *)fd, buffer, sizeof buffer)) > 0) total += n;
  return (void *)total;
}

static void test_write_from_mapping(void) {
  int ends[2];
  pthread_t reader;
  void *total;
  if (pipe(ends)) exit(1);
  pthread_create(&reader, NULL, drain, &ends[0]);
  check("write of pages not here is whole", write(ends[1], for_write, TABLE_BYTES) == TABLE_BYTES);
  close(ends[1]);
  pthread_join(reader, &total);
  check("and arrives whole", (long)total == TABLE_BYTES);
  close(ends[0]);
}

static size_t file_bytes;
static unsigned char *volatile shown;
static volatile int stop;
static void *unmapper(void *unused) {
  while (!stop) {
    unsigned char *at = shown;
    if (at) mmap(at, file_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    usleep(50);
  }
  return unused;
}
static void test_race_with_unmap(int fd) {
  int null = open("/dev/null", O_WRONLY), good = 1;
  char name[] = "/tmp/lazyXXXXXX";
  int file = mkstemp(name);
  pthread_t t;
  pthread_create(&t, NULL, unmapper, NULL);
  for (int i = 0; i < ROUNDS; i++) {
    unsigned char *at = mmap(NULL, file_bytes, PROT_READ, MAP_PRIVATE, fd, 0);
    if (at == MAP_FAILED) exit(1);
    shown = at;
    long n = pwrite(file, at, file_bytes, 0);
    if (n < 0 ? errno != EFAULT : n > (long)file_bytes) good = 0;
    n = pread(fd, at, 4096, 0);
    if (n != -1 || errno != EFAULT) good = 0; /* read-only or gone */
    shown = NULL;
    munmap(at, file_bytes);
  }
  stop = 1;
  pthread_join(t, NULL);
  check("write from a mapping that another thread unmaps: a count or EFAULT", good);
  unlink(name), close(file), close(null);
}

static void test_kill_while_waiting(void) {
  pid_t pid = fork();
  if (pid == 0) {
    volatile unsigned long s = sum(for_kill, TABLE_BYTES);
    (void)s;
    for (;;) pause();
  }
  pause_ms(20);
  double began = seconds(CLOCK_MONOTONIC);
  int status;
  kill(pid, SIGKILL);
  waitpid(pid, &status, 0);
  check("kill ends a thread that waits for a page", WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  check("at once", seconds(CLOCK_MONOTONIC) - began < 5);
}

static void on_alarm(int number) { alarms += number == SIGALRM; }
static void test_signal_while_waiting(int fd, size_t offset) {
  static unsigned char buffer[TABLE_BYTES];
  struct sigaction action = {.sa_handler = on_alarm};
  sigaction(SIGALRM, &action, NULL);
  ualarm(2000, 2000);
  long n = pread(fd, buffer, TABLE_BYTES, (off_t)offset);
  ualarm(0, 0);
  check("a read of a file is not cut short by signals", n == TABLE_BYTES);
}

int main(void) {
  int fd = open("/proc/self/exe", O_RDONLY);
  struct stat st;
  fstat(fd, &st);
  file_bytes = (size_t)st.st_size;

  test_kill_while_waiting();
  test_write_from_mapping();
  test_signal_while_waiting(fd, file_bytes / 2 - TABLE_BYTES / 2);
  check("for_signal", sum(for_signal, TABLE_BYTES) != 0);

  unsigned char *own = mmap(NULL, file_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  check("read into a private mapping of a file", pread(fd, own + 8192, 4096, 0) == 4096 && !memcmp(own, own + 8192, 4096));
  munmap(own, file_bytes);

  unsigned char *by_read = malloc(file_bytes), *by_map = mmap(NULL, file_bytes, PROT_READ, MAP_PRIVATE, fd, 0);
  check("one read gives the whole file", pread(fd, by_read, file_bytes, 0) == (ssize_t)file_bytes);
  check("as its mapping shows it", sum(by_read, file_bytes) == sum(by_map, file_bytes));
  check("initialised data", sum(data, sizeof data) != 0 && data[65535] == 0x5d);
  check("advice", posix_fadvise(fd, 0, 0, POSIX_FADV_WILLNEED) == 0);
  munmap(by_map, file_bytes);
  test_race_with_unmap(fd);
  return 0;
}
