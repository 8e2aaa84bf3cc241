/* wasi-threads by hand, without a C library (the one here knows no threads): each thread gets its stack and its
 * thread-local block from us. argv[1] says what happens: see _start. */
#include <stdint.h>

#define MOST 6
#define WASI(name) __attribute__((import_module("wasi_snapshot_preview1"), import_name(#name)))
struct iovec {
  const void *base;
  uint32_t bytes;
};
WASI(args_sizes_get) int args_sizes_get(uint32_t *count, uint32_t *bytes);
WASI(args_get) int args_get(char **argv, char *text);
WASI(fd_read) int fd_read(int fd, const struct iovec *v, int count, uint32_t *done);
WASI(fd_write) int fd_write(int fd, const struct iovec *v, int count, uint32_t *done);
WASI(fd_seek) int fd_seek(int fd, int64_t offset, int whence, uint64_t *now);
WASI(path_open)
int path_open(int dir, int follow, const char *path, int bytes, int flags, uint64_t rights, uint64_t more, int fdflags,
              int *fd);
WASI(proc_exit) _Noreturn void proc_exit(int code);

struct start { /* what a thread begins with; wasi_thread_start reads stack and tls */
  void *stack, *tls;
  int (*run)(int tid, int n);
  int n;
};
__attribute__((import_module("wasi"), import_name("thread-spawn"))) int thread_spawn(struct start *s);

__asm__(".globaltype __stack_pointer, i32\n"
        ".functype __wasm_init_tls (i32) -> ()\n"
        ".functype thread_main (i32, i32) -> ()\n"
        ".export_name wasi_thread_start, wasi_thread_start\n"
        ".globl wasi_thread_start\n"
        ".type wasi_thread_start,@function\n"
        "wasi_thread_start:\n"
        ".functype wasi_thread_start (i32, i32) -> ()\n"
        "local.get 1\ni32.load 0\nglobal.set __stack_pointer\n"
        "local.get 1\ni32.load 4\ncall __wasm_init_tls\n"
        "local.get 0\nlocal.get 1\ncall thread_main\n"
        "end_function\n");

static _Alignas(16) unsigned char stacks[MOST][16384], blocks[MOST][64];
static struct start starts[MOST];
static int ended, total, shared_fd, never;
static _Thread_local int own = 5;

static void wait_while(int *word, int value) { __builtin_wasm_memory_atomic_wait32(word, value, -1); }
static void count_up(int *word) {
  __atomic_add_fetch(word, 1, __ATOMIC_SEQ_CST);
  __builtin_wasm_memory_atomic_notify(word, MOST);
}
static void wait_for(int *word, int value) {
  for (int seen; (seen = __atomic_load_n(word, __ATOMIC_SEQ_CST)) < value;) wait_while(word, seen);
}

static void write_to(int fd, const char *text) {
  struct iovec v = {text, 0};
  uint32_t done;
  while (text[v.bytes]) v.bytes++;
  fd_write(fd, &v, 1, &done);
}
static void say(const char *text) { write_to(1, text); }
static void say_number(int n) {
  char text[12], *at = text + 11;
  for (*at = 0; n || at == text + 11; n /= 10) *--at = (char)('0' + n % 10);
  say(at);
}

__attribute__((used)) void thread_main(int tid, struct start *s) {
  own += s->run(tid, s->n);
  count_up(&ended);
}

static void start(int n, int (*run)(int, int)) {
  if (__builtin_wasm_tls_size() > sizeof blocks[0]) __builtin_trap();
  starts[n] = (struct start){stacks[n] + sizeof stacks[n], blocks[n], run, n};
  if (thread_spawn(&starts[n]) <= 0) say("no thread\n"), proc_exit(1);
}

static int add(int tid, int n) {
  for (int i = 0; i < 10000; i++) __atomic_add_fetch(&total, n + 1, __ATOMIC_SEQ_CST);
  return tid > 0 && own == 5 ? 0 : 1000000;
}
static int create(int tid, int n) {
  (void)tid, (void)n;
  if (path_open(3, 1, "tmp/by-a-thread", 15, 9, 66, 66, 0, &shared_fd)) proc_exit(2); /* creat, trunc; read, write */
  write_to(shared_fd, "from the thread\n");
  return 0;
}
static int leave(int tid, int n) {
  (void)tid, (void)n;
  say("a thread leaves\n");
  proc_exit(7);
}
static int bang(int tid, int n) {
  (void)tid, (void)n;
  __builtin_trap();
}
static int spin(int tid, int n) {
  (void)tid;
  say("spinning\n");
  for (volatile int i = n;; i++) {}
}
static int block(int tid, int n) {
  (void)tid, (void)n;
  char c;
  struct iovec v = {&c, 1};
  uint32_t done;
  count_up(&total);
  return fd_read(0, &v, 1, &done);
}
static int sleep_for_ever(int tid, int n) {
  (void)tid, (void)n;
  count_up(&total);
  for (;;) wait_while(&never, 0);
}

static char what(void) {
  uint32_t count, bytes;
  char *argv[8], text[256];
  if (args_sizes_get(&count, &bytes) || count > 8 || bytes > sizeof text || args_get(argv, text)) proc_exit(3);
  return count > 1 ? argv[1][0] : 's';
}

__attribute__((export_name("_start"))) void _start(void) {
  switch (what()) {
  case 's': /* sum: atomics, thread-local data, waiting for the end */
    for (int i = 0; i < 4; i++) start(i, add);
    wait_for(&ended, 4);
    say_number(total), say(own == 5 ? " own\n" : " changed\n");
    return;
  case 'f': { /* files: descriptors are the process's */
    char text[17] = {0};
    struct iovec v = {text, 16};
    uint64_t at;
    uint32_t done;
    start(0, create);
    wait_for(&ended, 1);
    if (fd_seek(shared_fd, 0, 0, &at) || fd_read(shared_fd, &v, 1, &done)) proc_exit(4);
    say(text);
    return;
  }
  case 'a': /* again: one after the other, workers come and go */
    for (int i = 0; i < 20; i++) start(i % MOST, add), wait_for(&ended, i + 1);
    say_number(ended);
    return;
  case 'l': start(0, leave), sleep_for_ever(0, 0); return; /* proc_exit in a thread ends a main thread that waits */
  case 'b': start(0, bang), sleep_for_ever(0, 0); return;
  case 'k': start(0, spin), sleep_for_ever(0, 0); return;  /* until somebody kills it */
  case 'r': /* return: the main thread's end is the process's, whatever the others do */
    start(0, block), start(1, sleep_for_ever);
    wait_for(&total, 2);
    proc_exit(9);
  default: proc_exit(5);
  }
}
