/* What file_test.c stands on: plain C in place of the host, wait and mm; checks; files and layers made by hand.
 * Include once. */
#ifndef FILE_TEST_H
#define FILE_TEST_H
#include <stdio.h>

#include "../../tidemark_py/kernel/file/file.h"
#include "../../tidemark_py/kernel/file/memfs.h"

/* ---- stand-ins for the host, wait and mm ---- */
/* hosted headers would define Linux' own constants next to ours */
extern void abort(void) __attribute__((noreturn));
extern void exit(int) __attribute__((noreturn));
extern void *malloc(size_t), *calloc(size_t, size_t);
extern void free(void *);
extern char *strstr(const char *, const char *);
extern int clock_gettime(int, i64 *);
static u64 clock_ns(int clock) {
  i64 t[2];
  clock_gettime(clock, t);
  return (u64)t[0] * 1000000000u + (u64)t[1];
}
u64 host_monotonic_ns(void) { return clock_ns(1); }
u64 host_realtime_ns(void) { return clock_ns(0); }
void host_random(void *buf, u32 bytes) { memset(buf, 0x5a, bytes); }
static char last_log[512];
void host_log(const char *text, u32 bytes) { snprintf(last_log, sizeof last_log, "%.*s", (int)bytes, text); }
void host_panic(void) { abort(); }
int host_wait32(UNUSED u32 *word, UNUSED u32 expected, UNUSED i64 timeout_ns) { return 0; }
void host_wake32(UNUSED u32 *word, UNUSED u32 count) {}
void wait_queue_init(struct wait_queue *q) { list_init(&q->entries); }
void wait_wake(UNUSED struct wait_queue *q, UNUSED u32 events) {}
int wait_on(UNUSED struct wait_queue *q, UNUSED u64 deadline) { return -ERESTARTSYS; }
int wait_on_killable(UNUSED struct wait_queue *q) { return -ERESTARTSYS; }
void wait_remove(UNUSED struct wait_entry *e) {}
void host_notify(UNUSED u32 role, UNUSED u32 kind, UNUSED u32 arg) {}
int iobuf_here(UNUSED struct iobuf *io) { return 0; }
static void io_init(struct iobuf *io, const void *p, u64 n) {
  *io = (struct iobuf){.kernel = true, .left = n, .segments = 1, .inline_seg = {(u64)(uintptr_t)p, n}};
}
static u64 io_fault_after = ~0ull; /* bytes that can still be moved */
static i64 io_move(struct iobuf *io, void *to, const void *from, u64 n) {
  n = MIN(n, io->left);
  if (n && !io_fault_after) return -EFAULT;
  n = MIN(n, io_fault_after);
  u8 *user = (u8 *)(uintptr_t)io->inline_seg.base + io->done_in_segment;
  if (to)
    memcpy(to, user, n);
  else if (from)
    memcpy(user, from, n);
  else
    memset(user, 0, n);
  io->left -= n, io->done_in_segment += n;
  if (io_fault_after != ~0ull) io_fault_after -= n;
  return (i64)n;
}
i64 iobuf_write(struct iobuf *io, const void *src, u64 n) { return io_move(io, NULL, src, n); }
i64 iobuf_read(struct iobuf *io, void *dst, u64 n) { return io_move(io, dst, NULL, n); }
i64 iobuf_zero(struct iobuf *io, u64 n) { return io_move(io, NULL, NULL, n); }

/* ---- helpers ---- */
static int failures, checks;
static const char *block;
#define CHECK(c)                                                                                                         \
  do {                                                                                                                   \
    checks++;                                                                                                            \
    if (!(c)) failures++, printf("%s:%d: %s: %s\n", __FILE__, __LINE__, block, #c);                                      \
  } while (0)
#define IS(expression, expected)                                                                                         \
  do {                                                                                                                   \
    long long got_ = (expression), want_ = (expected);                                                                   \
    checks++;                                                                                                            \
    if (got_ != want_) failures++, printf("%s:%d: %s: %s is %lld, not %lld\n", __FILE__, __LINE__, block, #expression, got_, want_); \
  } while (0)

static struct fs_context *fs;
static struct credentials root_cred = {.cap_effective = CAPABILITIES_ALL}, user_cred = {.uid = 1000, .gid = 1000, .euid = 1000, .egid = 1000, .fsuid = 1000, .fsgid = 1000};
static const struct credentials *cred = &root_cred;

#define PATH(p) (&(struct path_at){.path = (p)})
static struct ofd *opened;
static int try_open(const char *path, u32 flags, u32 mode) {
  struct path_at at = {.path = path};
  return file_open(fs, cred, &at, flags, mode, &opened);
}
static struct ofd *must_open(const char *path, u32 flags, u32 mode) {
  int r = try_open(path, flags, mode);
  if (r) printf("%s: open %s: %d\n", block, path, r), failures++, exit(1);
  return opened;
}
static int open_close(const char *path, u32 flags) {
  int r = try_open(path, flags, 0644);
  if (!r) ofd_put(opened);
  return r;
}
static i64 write_text(struct ofd *f, const char *text) {
  struct iobuf io;
  io_init(&io, text, strlen(text));
  return ofd_write(f, &io);
}
static i64 pwrite_bytes(struct ofd *f, const void *p, u64 n, u64 pos) {
  struct iobuf io;
  io_init(&io, p, n);
  return ofd_pwrite(f, &io, pos);
}
static i64 pread_bytes(struct ofd *f, void *p, u64 n, u64 pos) {
  struct iobuf io;
  io_init(&io, p, n);
  return ofd_pread(f, &io, pos);
}
static void put_file(const char *path, const char *text) {
  struct ofd *f = must_open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  IS(write_text(f, text), (i64)strlen(text));
  ofd_put(f);
}
static bool file_is(const char *path, const char *text) {
  char buf[256] = {0};
  if (try_open(path, O_RDONLY, 0)) return false;
  i64 n = pread_bytes(opened, buf, sizeof buf - 1, 0);
  ofd_put(opened);
  return n == (i64)strlen(text) && !memcmp(buf, text, (size_t)n);
}
static struct inode *inode_at(const char *path, u32 flags) { /* borrowed: lives as long as something else holds it */
  struct walk *w = walk_new();
  struct inode *ino = path_walk(fs, cred, NULL, NULL, path, flags, w) ? NULL : w->inode;
  walk_free(w);
  return ino;
}

/* ---- layers made by hand ---- */
struct layer_builder {
  struct layer_entry entries[64];
  char strings[4096];
  u32 count, used;
  u8 *blob;
  u64 blob_used;
};
static u32 add_string(struct layer_builder *b, const char *s) {
  u32 at_ = b->used, n = (u32)strlen(s);
  memcpy(b->strings + at_, s, n);
  b->used += n;
  return at_;
}
static struct layer_entry *add_entry(struct layer_builder *b, const char *path, u32 mode, const char *link_or_body) {
  struct layer_entry *e = &b->entries[b->count++];
  *e = (struct layer_entry){.mode = mode, .path_bytes = (u32)strlen(path), .path = add_string(b, path), .mtime = 1000000};
  if (!link_or_body) return e;
  if (S_ISREG(mode)) {
    e->offset = b->blob_used, e->size = strlen(link_or_body);
    memcpy(b->blob + b->blob_used, link_or_body, e->size);
    b->blob_used += e->size;
  } else {
    e->link = add_string(b, link_or_body), e->link_bytes = (u32)strlen(link_or_body);
  }
  return e;
}
static struct layer_builder *builder(void) {
  struct layer_builder *b = calloc(1, sizeof *b);
  b->blob = kpages_alloc(16);
  memset(b->blob, 0xee, 16 * PAGE_BYTES);
  return b;
}
static int apply_as(u32 root, struct layer_builder *b, u32 lazy_shift) {
  u32 bytes = (u32)(sizeof(struct layer_header) + b->count * sizeof(struct layer_entry) + b->used);
  u8 *index = malloc(bytes);
  struct layer_header h = {.magic = LAYER_MAGIC, .version = LAYER_VERSION, .entries = b->count, .strings_bytes = b->used,
                           .blob_bytes = b->blob_used};
  memcpy(index, &h, sizeof h);
  memcpy(index + sizeof h, b->entries, b->count * sizeof(struct layer_entry));
  memcpy(index + sizeof h + b->count * sizeof(struct layer_entry), b->strings, b->used);
  int r = layer_apply(root, index, bytes, b->blob, 16 * PAGE_BYTES, lazy_shift);
  if (r < 0) kpages_free(b->blob, 16);
  free(index);
  free(b);
  return r;
}

static int apply(u32 root, struct layer_builder *b) { return apply_as(root, b, 0); }

static u64 heap_at_start;
static u32 test_root;
static void begin(const char *name) {
  block = name;
  heap_at_start = kheap_used_bytes();
  int r = root_new(-1);
  if (r < 0) abort();
  test_root = (u32)r;
  fs = fs_context_new(root_inode(test_root));
  cred = &root_cred;
}
static void end(void) {
  fs_context_put(fs);
  IS(root_drop(test_root), 0);
#ifdef __SANITIZE_ADDRESS__ /* malloc's count is exact; slabs keep a page or two */
  IS(kheap_used_bytes(), heap_at_start);
#else
  CHECK(kheap_used_bytes() < heap_at_start + 65536);
#endif
}
#endif
