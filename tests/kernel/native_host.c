/* The kernel as a Linux program: each worker is a thread, guest memories are mapped 4 GiB windows, this file is the
 * owner role and init in C. For sanitizers, debuggers and comparison runs; not a product.
 *
 * usage: tidemark-native [--root DIR] [--env K=V] [--cwd D] [--strace] [--stats] [--memories N] [--inject-resumes]
 *        [--fail-every N] [--lose-every N] [--lazy MICROSECONDS] [--fetch-fails-every N] -- PROGRAM ARGS
 * --lazy: the root's file bodies come by chunks of 16 KiB when they are touched, each that much later.
 * stdin, stdout and stderr are pipes of the kernel pumped by three threads; the exit code is the guest's (128+n). */
#define _GNU_SOURCE
#include "../../tidemark_py/kernel/file/lazy.h"
#include "../../tidemark_py/kernel/ipc/ipc.h"
#include "../../tidemark_py/kernel/sys/sys.h"
#include "../../tidemark_py/kernel/task/task.h"

#undef _GNU_SOURCE
/* libc's headers would clash with the guest's constants: the few functions used are declared here. */
typedef unsigned long pthread_type;
extern int pthread_create(pthread_type *, const void *, void *(*)(void *), void *);
extern int pthread_join(pthread_type, void **);
extern int pthread_detach(pthread_type);
extern void *mmap(void *, size_t, int, int, int, long);
extern int munmap(void *, size_t);
extern int madvise(void *, size_t, int);
extern long read(int, void *, size_t);
extern long write(int, const void *, size_t);
extern int open(const char *, int, ...);
extern int close(int);
extern NORETURN void _exit(int);
extern NORETURN void abort(void);
extern char *getenv(const char *);
extern void *malloc(size_t);
extern void *calloc(size_t, size_t);
extern void *realloc(void *, size_t);
extern void free(void *);
extern long syscall(long, ...);
extern int dprintf(int, const char *, ...);

_Thread_local u8 *guest_base;
struct guest_memory { /* shared by the threads of a process */
  u8 *base;
  u32 refs; /* workers that hold it; the owner counts */
  u32 pages; /* 64 KiB, the hidden head included */
};
static _Thread_local struct guest_memory *guest_memory_now;
u32 guest_size_pages(void) { return __atomic_load_n(&guest_memory_now->pages, __ATOMIC_SEQ_CST); }
i32 guest_grow_pages(u32 delta) {
  u32 old = guest_size_pages();
  do {
    if (delta > 65536 || old + delta > 65536) return -1;
  } while (!__atomic_compare_exchange_n(&guest_memory_now->pages, &old, old + delta, false, __ATOMIC_SEQ_CST,
                                        __ATOMIC_SEQ_CST));
  return (i32)old;
}
typedef int (*scan_fn)(void *arg, const char *path, unsigned mode, long mtime, long nsec, const char *link,
                       const void *body, unsigned long bytes);
int native_scan(const char *root, scan_fn fn, void *arg); /* native_scan.c */

/* ---- host.h for Linux ---- */
struct host_timespec {
  long sec, nsec;
};
static u64 clock_read(int clock) {
  struct host_timespec ts;
  syscall(228, clock, &ts); /* clock_gettime on x86-64 */
  return (u64)ts.sec * 1000000000u + (u64)ts.nsec;
}
u64 host_monotonic_ns(void) { return clock_read(1); }
u64 host_realtime_ns(void) { return clock_read(0); }
void host_random(void *buf, u32 bytes) { syscall(318, buf, (size_t)bytes, 0); }
void host_log(const char *text, u32 bytes) { dprintf(2, "tidemark: %.*s\n", (int)bytes, text); }
void host_panic(void) { abort(); }
int host_wait32(u32 *word, u32 expected, i64 timeout_ns) {
  struct host_timespec ts = {(long)(timeout_ns / 1000000000), (long)(timeout_ns % 1000000000)};
  /* FUTEX_WAIT_PRIVATE returns -1 with errno ETIMEDOUT: the deadline is checked again by every caller */
  long r = syscall(202, word, 128, expected, timeout_ns < 0 ? NULL : &ts, NULL, 0);
  return r != 0 && timeout_ns >= 0;
}
void host_wake32(u32 *word, u32 count) { syscall(202, word, 129, (long)MIN(count, 0x7fffffffu), NULL, NULL, 0); }

/* ---- guest memories ---- */
#define WINDOW_BYTES ((size_t)1 << 32)
static struct guest_memory *memory_new(void) {
  struct guest_memory *m = calloc(1, sizeof *m);
  m->base = mmap(NULL, WINDOW_BYTES + 4096, 3, 0x4022, -1, 0); /* PROT RW; PRIVATE ANONYMOUS NORESERVE */
  if (m->base == (void *)-1) abort();
  m->pages = (HEAD_BYTES + 65535) / 65536;
  m->refs = 1;
  return m;
}
static void memory_bind(struct guest_memory *m) {
  guest_memory_now = m;
  guest_base = m ? m->base : NULL;
}

/* ---- the owner: a queue of notifications and a pool of worker threads ---- */
struct worker {
  u32 instance;
  struct guest_memory *memory; /* own, or a process mate's for START_THREAD */
  u32 wake, slot, generation, thread;
  struct worker *next_idle;
  pthread_type pthread;
};
static u32 queue_word, queue_head, queue_tail;
static struct { u32 kind, arg; struct worker *worker; } queue[4096];
static u32 queue_lock_word, child_word;
static struct worker *slot_worker[MAX_THREADS];
static bool want_stats;
/* Faults on purpose: resumes told twice and with a wrong generation; every n-th hand-over fails; every n-th worker is
 * gone before it begins. */
static bool inject_resumes;
static u32 fail_every, lose_every, handovers;
#define LAZY_SHIFT 14u
static bool lazy;
static u32 lazy_us, fetch_fails_every, fetch_word, fetched;
static u8 *lazy_bodies; /* what the kernel worker would get from a server */

static void spin_lock(u32 *w) {
  while (__atomic_exchange_n(w, 1, __ATOMIC_ACQUIRE)) host_wait32(w, 2, 1000);
}
static void spin_unlock(u32 *w) { __atomic_store_n(w, 0, __ATOMIC_RELEASE); }
static void queue_push(u32 kind, u32 arg, struct worker *worker) {
  spin_lock(&queue_lock_word);
  u32 at = queue_tail++ % ARRAY_LEN(queue);
  queue[at].kind = kind, queue[at].arg = arg, queue[at].worker = worker;
  spin_unlock(&queue_lock_word);
  __atomic_add_fetch(&queue_word, 1, __ATOMIC_SEQ_CST);
  host_wake32(&queue_word, 1);
}
void host_notify(u32 role, u32 kind, u32 arg) {
  if (role == ROLE_OWNER) queue_push(kind, arg, NULL);
  else if (kind == NOTIFY_CHILD) {
    __atomic_add_fetch(&child_word, 1, __ATOMIC_SEQ_CST);
    host_wake32(&child_word, 100);
  } else if (kind == NOTIFY_FETCH) {
    __atomic_add_fetch(&fetch_word, 1, __ATOMIC_SEQ_CST);
    host_wake32(&fetch_word, 1);
  }
}

static void *worker_main(void *arg) {
  struct worker *w = arg;
  instance_id = w->instance;
  for (u32 seen = 0;;) {
    while (__atomic_load_n(&w->wake, __ATOMIC_SEQ_CST) == seen) host_wait32(&w->wake, seen, -1);
    seen++;
    memory_bind(w->memory);
    task_run(w->slot, w->generation);
    queue_push(NOTIFY_EXITED, w->slot, w);
  }
  return NULL;
}

static u32 next_instance = 8;
static struct worker *idle;
static struct worker *worker_take(void) {
  struct worker *w = idle;
  if (w) {
    idle = w->next_idle;
    return w;
  }
  if (next_instance >= MAX_INSTANCES) return NULL;
  w = calloc(1, sizeof *w);
  w->instance = next_instance++;
  pthread_create(&w->pthread, NULL, worker_main, w);
  pthread_detach(w->pthread);
  return w;
}

static void memory_let_go(struct worker *w) {
  struct guest_memory *m = w->memory;
  w->memory = NULL;
  if (!m || --m->refs) return;
  munmap(m->base, WINDOW_BYTES + 4096);
  free(m);
}

static void owner_start(u32 slot) {
  struct thread_record r = thread_records[slot];
  bool fail = fail_every && r.waiter >= 0 && ++handovers % fail_every == 0;
  struct worker *w = fail ? NULL : worker_take(), *lost = NULL;
  if (w && lose_every && r.waiter >= 0 && ++handovers % lose_every == 0) {
    lost = w;
  } else if (w) {
    if (r.start_kind == START_THREAD) {
      memory_let_go(w);
      w->memory = slot_worker[r.memory_owner]->memory;
      w->memory->refs++;
    } else if (!w->memory) {
      w->memory = memory_new();
    }
    w->slot = slot, w->generation = r.generation;
    slot_worker[slot] = w;
    __atomic_add_fetch(&w->wake, 1, __ATOMIC_SEQ_CST);
    host_wake32(&w->wake, 1);
  }
  kernel_lock();
  if (!w && r.waiter < 0) task_worker_died(slot, 0);
  if (r.waiter >= 0) {
    u32 waiter = (u32)r.waiter;
    bool wrong = inject_resumes && (task_resume(waiter, r.waiter_generation - 1, 0) != -ESTALE ||
                                    task_resume(waiter, r.waiter_generation + 1, 0) != -ESTALE);
    task_resume(waiter, r.waiter_generation, w ? 0 : -EAGAIN);
    if (wrong || (inject_resumes && task_resume(waiter, r.waiter_generation, 0) != -ESTALE)) abort();
  }
  if (lost) task_worker_died(slot, lost->instance);
  kernel_unlock();
  if (lost) lost->next_idle = idle, idle = lost;
}

static void *owner_main(void *arg) {
  (void)arg;
  instance_id = 1;
  for (;;) {
    u32 seen = __atomic_load_n(&queue_word, __ATOMIC_SEQ_CST);
    for (;;) {
      spin_lock(&queue_lock_word);
      bool any = queue_head != queue_tail;
      u32 kind = 0, slot = 0;
      struct worker *w = NULL;
      if (any) {
        u32 at = queue_head++ % ARRAY_LEN(queue);
        kind = queue[at].kind, slot = queue[at].arg, w = queue[at].worker;
      }
      spin_unlock(&queue_lock_word);
      if (!any) break;
      if (kind == NOTIFY_START) owner_start(slot);
      if (kind != NOTIFY_EXITED) continue;
      /* the last thread of a process has zeroed their memory; the others must not keep what is still in use */
      if (w->memory->refs > 1) memory_let_go(w);
      w->next_idle = idle, idle = w;
    }
    host_wait32(&queue_word, seen, -1);
  }
  return NULL;
}

/* ---- a host directory as a layer of the root ---- */
struct bytes {
  u8 *data;
  size_t used, room;
};
static size_t bytes_add(struct bytes *b, const void *data, size_t n, size_t align) {
  size_t at = ALIGN_UP(b->used, align);
  if (at + n > b->room) {
    b->room = ALIGN_UP((at + n) * 2, (size_t)4096);
    b->data = realloc(b->data, b->room);
  }
  memset(b->data + b->used, 0, at - b->used);
  if (n) memcpy(b->data + at, data, n);
  b->used = at + n;
  return at;
}
struct layer_build {
  struct bytes entries, strings, blob;
};
static int layer_add(void *arg, const char *path, unsigned mode, long mtime, long nsec, const char *link,
                     const void *body, unsigned long bytes) {
  struct layer_build *l = arg;
  struct layer_entry e = {.mode = mode, .mtime = mtime, .mtime_nsec = (u32)nsec, .size = bytes};
  e.path_bytes = (u32)strlen(path);
  e.path = (u32)bytes_add(&l->strings, path, e.path_bytes, 1);
  if (link) e.link_bytes = (u32)strlen(link), e.link = (u32)bytes_add(&l->strings, link, e.link_bytes, 1);
  if (bytes) e.offset = bytes_add(&l->blob, body, bytes, 4096);
  bytes_add(&l->entries, &e, sizeof e, 1);
  return 0;
}
static int layer_from_directory(const char *dir, u32 root) {
  struct layer_build l = {0};
  if (native_scan(dir, layer_add, &l) < 0) return -1;
  bytes_add(&l.blob, NULL, 0, 4096);
  struct layer_header h = {.magic = LAYER_MAGIC, .version = LAYER_VERSION, .blob_bytes = l.blob.used,
                           .entries = (u32)(l.entries.used / sizeof(struct layer_entry)),
                           .strings_bytes = (u32)l.strings.used};
  struct bytes index = {0};
  bytes_add(&index, &h, sizeof h, 1);
  bytes_add(&index, l.entries.data, l.entries.used, 1);
  bytes_add(&index, l.strings.data, l.strings.used, 1);
  kernel_lock();
  u8 *blob = kpages_alloc((u32)MAX(l.blob.used / 4096, 1ul));
  if (lazy) memset(blob, 0xdb, l.blob.used); /* what is read too early must show */
  else if (l.blob.used) memcpy(blob, l.blob.data, l.blob.used);
  int r = layer_apply(root, index.data, (u32)index.used, blob, l.blob.used, lazy ? LAZY_SHIFT : 0);
  kernel_unlock();
  if (lazy) lazy_bodies = l.blob.data;
  else free(l.blob.data);
  free(l.entries.data), free(l.strings.data), free(index.data);
  return r;
}

/* The part of the kernel worker that fetches. Content is written without the lock, as Python does. */
static void *fetcher_main(void *arg) {
  (void)arg;
  instance_id = 5;
  for (;;) {
    u32 seen = __atomic_load_n(&fetch_word, __ATOMIC_SEQ_CST), blob, chunk, bytes = 0;
    for (;;) {
      kernel_lock();
      bool any = fetch_next(&blob, &chunk);
      u8 *to = any ? fetch_place(blob, chunk, &bytes) : NULL;
      kernel_unlock();
      if (!any) break;
      struct host_timespec pause = {0, (long)lazy_us * 1000};
      if (lazy_us) syscall(35, &pause, NULL); /* nanosleep */
      bool ok = !fetch_fails_every || ++fetched % fetch_fails_every;
      if (to && ok) memcpy(to, lazy_bodies + ((size_t)chunk << LAZY_SHIFT), bytes);
      kernel_lock();
      fetch_done(blob, chunk, ok);
      kernel_unlock();
    }
    host_wait32(&fetch_word, seen, -1);
  }
  return NULL;
}

/* ---- init: stdio pumps ---- */
static struct guest_memory *attach(u32 instance) {
  instance_id = instance;
  struct guest_memory *m = memory_new();
  memory_bind(m);
  guest_grow_pages(STAGING_BYTES / 65536 + 1);
  kernel_lock();
  i32 r = host_thread_attach(1, true);
  kernel_unlock();
  if (r < 0) dprintf(2, "attach: %d\n", r), _exit(125);
  return m;
}
static i64 call(u64 nr, u64 a, u64 b, u64 c, u64 d) {
  const u64 args[6] = {a, b, c, d, 0, 0};
  return sys_call_host(nr, args);
}
struct pump {
  int host_fd, guest_fd;
  bool to_guest;
  u32 instance;
  pthread_type pthread;
};
static void *pump_main(void *arg) {
  struct pump *p = arg;
  attach(p->instance);
  u8 *staging = guest_base + HEAD_BYTES;
  for (;;) {
    if (p->to_guest) {
      long n = read(p->host_fd, staging, 65536);
      if (n <= 0) break;
      for (long done = 0; done < n;) {
        i64 w = call(SYS_write, (u64)p->guest_fd, (u64)done, (u64)(n - done), 0);
        if (w < 0) return NULL;
        done += (long)w;
      }
    } else {
      i64 n = call(SYS_read, (u64)p->guest_fd, 0, 65536, 0);
      if (n <= 0) break;
      for (i64 done = 0; done < n;) {
        long w = write(p->host_fd, staging + done, (size_t)(n - done));
        if (w <= 0) return NULL;
        done += w;
      }
    }
  }
  call(SYS_close, (u64)p->guest_fd, 0, 0, 0);
  return NULL;
}

static u32 append(u8 *buf, u32 at, const char *s) {
  u32 n = (u32)strlen(s) + 1;
  memcpy(buf + at, s, n);
  return at + n;
}

static bool executable(u8 *staging, const char *path) {
  append(staging, 0, path);
  return call(SYS_faccessat, (u64)(i64)AT_FDCWD, 0, 1, 0) == 0;
}

static u32 number(const char *s) {
  u32 n = 0;
  while (*s >= '0' && *s <= '9') n = n * 10 + (u32)(*s++ - '0');
  return n;
}

/* Killed orphans may still be ending when the program is gone: what is left after 5 s is left for good. Kernel lock. */
static void settle(void) {
  const long pause[2] = {0, 10000000};
  for (u32 i = 0; counters.memories && i < 500; i++) {
    kernel_unlock();
    syscall(35, pause, NULL); /* nanosleep */
    kernel_lock();
  }
}

int main(int argc, char **argv) {
  u32 memories_cap = 96, fail_allocation = 0;
  const char *root_dir = NULL, *cwd = "/", *env[64];
  u32 envc = 0;
  env[envc++] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  env[envc++] = "HOME=/root";
  int i = 1;
  for (; i < argc && strcmp(argv[i], "--"); i++) {
    if (!strcmp(argv[i], "--root") && i + 1 < argc) root_dir = argv[++i];
    else if (!strcmp(argv[i], "--env") && i + 1 < argc && envc < 60) env[envc++] = argv[++i];
    else if (!strcmp(argv[i], "--cwd") && i + 1 < argc) cwd = argv[++i];
    else if (!strcmp(argv[i], "--strace")) sys_trace = true;
    else if (!strcmp(argv[i], "--stats")) want_stats = true;
    else if (!strcmp(argv[i], "--fail-allocation") && i + 1 < argc) fail_allocation = number(argv[++i]);
    else if (!strcmp(argv[i], "--inject-resumes")) inject_resumes = true;
    else if (!strcmp(argv[i], "--fail-every") && i + 1 < argc) fail_every = number(argv[++i]);
    else if (!strcmp(argv[i], "--lose-every") && i + 1 < argc) lose_every = number(argv[++i]);
    else if (!strcmp(argv[i], "--lazy") && i + 1 < argc) lazy = true, lazy_us = number(argv[++i]);
    else if (!strcmp(argv[i], "--fetch-fails-every") && i + 1 < argc) fetch_fails_every = number(argv[++i]);
    else if (!strcmp(argv[i], "--memories") && i + 1 < argc) memories_cap = number(argv[++i]);
    else break;
  }
  if (i >= argc || strcmp(argv[i], "--") || i + 1 >= argc) {
    dprintf(2, "usage: tidemark-native [--root DIR] [--env K=V] [--cwd D] [--strace] [--stats] -- PROGRAM ARGS\n");
    return 125;
  }
  argv += i + 1, argc -= i + 1;

  instance_id = 0;
  memory_bind(memory_new());
  guest_grow_pages(STAGING_BYTES / 65536 + 1);
  kernel_lock();
  i32 booted = task_boot(memories_cap, 65536);
  kernel_unlock();
  if (booted < 0) return dprintf(2, "boot: %d\n", booted), 125;
  kernel_lock();
  host_thread_attach(1, true);
  kernel_unlock();
  if (root_dir && layer_from_directory(root_dir, 0) < 0) return dprintf(2, "root: cannot load %s\n", root_dir), 125;

  pthread_type owner;
  pthread_create(&owner, NULL, owner_main, NULL);
  pthread_type fetcher;
  if (lazy) pthread_create(&fetcher, NULL, fetcher_main, NULL);

  /* three pipes; the child's ends are given by number */
  u8 *staging = guest_base + HEAD_BYTES;
  i32 ends[3][2];
  for (u32 k = 0; k < 3; k++) {
    i64 r = call(SYS_pipe2, 0, O_CLOEXEC, 0, 0);
    if (r < 0) return dprintf(2, "pipe2: %ld\n", (long)r), 125;
    memcpy(ends[k], staging, 8);
  }
  char path[4096];
  ksnprintf(path, sizeof path, "%s", argv[0]);
  if (!strchr(argv[0], '/')) {
    static const char *const dirs[] = {"/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"};
    for (u32 k = 0; k < ARRAY_LEN(dirs); k++) {
      ksnprintf(path, sizeof path, "%s/%s", dirs[k], argv[0]);
      if (executable(staging, path)) break;
    }
  }
  u8 *request = calloc(1, 1 << 20);
  struct spawn_request head = {.argc = (u32)argc, .envc = envc, .fd_count = 3, .flags = SPAWN_SETSID, .umask = 022};
  struct fd_map map[3] = {{0, ends[0][0]}, {1, ends[1][1]}, {2, ends[2][1]}};
  u32 at = sizeof head;
  memcpy(request + at, map, sizeof map), at += sizeof map;
  at = append(request, at, path);
  at = append(request, at, cwd);
  for (int k = 0; k < argc; k++) at = append(request, at, argv[k]);
  for (u32 k = 0; k < envc; k++) at = append(request, at, env[k]);
  head.bytes = at;
  memcpy(request, &head, sizeof head);
  i64 pid;
  for (;;) {
    kernel_lock();
    fetch_forget();
    pid = task_spawn(request, at);
    if (pid > 0) kheap_fail_after(fail_allocation); /* the n-th from the program's start */
    int waited = pid < 0 && fetch_wanted() ? fetch_wait(false) : -1;
    kernel_unlock();
    if (waited) break;
  }
  free(request);
  if (pid < 0) return dprintf(2, "tidemark-native: %s: errno %ld\n", path, (long)-pid), pid == -ENOENT ? 127 : 126;
  call(SYS_close, (u64)ends[0][0], 0, 0, 0);
  call(SYS_close, (u64)ends[1][1], 0, 0, 0);
  call(SYS_close, (u64)ends[2][1], 0, 0, 0);
  struct pump pumps[3] = {{0, ends[0][1], true, 2, 0}, {1, ends[1][0], false, 3, 0}, {2, ends[2][0], false, 4, 0}};
  for (u32 k = 0; k < 3; k++) pthread_create(&pumps[k].pthread, NULL, pump_main, &pumps[k]);

  i64 got;
  while ((got = call(SYS_wait4, (u64)pid, 0x1000, 0, 0)) != pid)
    if (got < 0 && got != -EINTR) return dprintf(2, "wait4: %ld\n", (long)got), 125;
  i32 status;
  memcpy(&status, staging + 0x1000, 4);
  pthread_join(pumps[1].pthread, NULL);
  pthread_join(pumps[2].pthread, NULL);
  pthread_detach(pumps[0].pthread); /* may still read our stdin */
  kernel_lock();
  if (want_stats) {
    settle();
    dprintf(2, "heap used %lu KiB, memories %u, resumes %u, refused %u\n", (unsigned long)(kheap_used_bytes() / 1024),
            counters.memories, counters.resumes, counters.resumes_refused);
  }
  _exit((status & 0x7f) ? 128 + (status & 0x7f) : (status >> 8) & 0xff);
}
