/* lazy: layers whose file bodies are fetched at first touch (DESIGN.md section 4, "Buffers before effects").
 *
 * A layer's blob has its whole range of kernel memory from the start (untouched pages cost nothing) and a state byte per
 * chunk. Who reads a body asks lazy_need() first: what is not here is asked for, -ENOTHERE goes up to whoever can wait
 * without the lock - the dispatcher, which makes the whole system call again, or the slow path of a guest access - and
 * that one calls fetch_wait(). No -ENOTHERE reaches a guest. The kernel worker is told by NOTIFY_FETCH, takes the chunks
 * with fetch_next(), brings and verifies their bytes without the lock (nobody reads a chunk that is not HERE) and says
 * fetch_done(). A chunk that could not be had gives -EIO for RETRY_NS, then it is asked for again.
 *
 * What an instance wants is kept by number: the blob may be gone when it waits (its root was dropped). */
#include "lazy.h"

#define RETRY_NS 1000000000ull

enum { ABSENT, WANTED, FETCHING, HERE, FAILED };
struct lazy_blob {
  struct list link; /* blobs */
  u32 id, chunk_shift, chunks, wanted;
  u32 cursor;       /* no WANTED chunk below it */
  u32 here;
  bool told;        /* NOTIFY_FETCH is under way */
  u8 *bytes;
  u64 size, failed_ns;
  struct wait_queue wait;
  u8 state[];
};

static struct list blobs = {&blobs, &blobs};
static u32 last_id;
static _Thread_local struct {
  u32 blob, chunk; /* blob 0: nothing */
} want;

static struct lazy_blob *find(u32 id) {
  LIST_FOR(b, &blobs, struct lazy_blob, link) if (b->id == id) return b;
  return NULL;
}

struct lazy_blob *lazy_blob_new(u8 *bytes, u64 size, u32 chunk_shift) {
  u32 chunks = (u32)((size + (1ull << chunk_shift) - 1) >> chunk_shift);
  struct lazy_blob *b = kzalloc(sizeof *b + chunks);
  if (!b) return NULL;
  b->id = ++last_id, b->chunk_shift = chunk_shift, b->chunks = chunks, b->bytes = bytes, b->size = size;
  wait_queue_init(&b->wait);
  list_add_tail(&blobs, &b->link);
  return b;
}

void lazy_blob_free(struct lazy_blob *b) {
  if (!b) return;
  list_remove(&b->link);
  wait_wake(&b->wait, 0);
  while (!list_empty(&b->wait.entries)) wait_remove(CONTAINER_OF(b->wait.entries.next, struct wait_entry, link));
  kfree(b);
}

u32 lazy_blob_id(const struct lazy_blob *b) { return b->id; }

/* Its state for somebody who needs it now; ABSENT ones and old failures are asked for. */
static u32 ask(struct lazy_blob *b, u32 chunk) {
  u8 *s = &b->state[chunk];
  if (*s == FAILED && host_monotonic_ns() - b->failed_ns >= RETRY_NS) *s = ABSENT;
  if (*s != ABSENT) return *s;
  *s = WANTED, b->wanted++;
  if (chunk < b->cursor) b->cursor = chunk;
  if (!b->told) b->told = true, host_notify(ROLE_KERNEL, NOTIFY_FETCH, b->id);
  return WANTED;
}

struct range {
  u32 first, end;
};
static struct range range_of(const struct lazy_blob *b, const u8 *body, u64 bytes) {
  if (!bytes || b->here == b->chunks) return (struct range){0, 0};
  u64 from = (u64)(body - b->bytes);
  kassert(from <= b->size && bytes <= b->size - from);
  return (struct range){(u32)(from >> b->chunk_shift), (u32)(((from + bytes - 1) >> b->chunk_shift) + 1)};
}

int lazy_need(struct lazy_blob *b, const u8 *body, u64 bytes) {
  struct range r = range_of(b, body, bytes);
  bool all = true;
  for (u32 i = r.first; i < r.end; i++) {
    if (LIKELY(b->state[i] == HERE)) continue;
    if (ask(b, i) == FAILED) return -EIO;
    if (all) want.blob = b->id, want.chunk = i;
    all = false;
  }
  return all ? 0 : -ENOTHERE;
}

void lazy_advise(struct lazy_blob *b, const u8 *body, u64 bytes) {
  struct range r = range_of(b, body, bytes);
  for (u32 i = r.first; i < r.end; i++) ask(b, i);
}

u64 lazy_missing(const struct lazy_blob *b, const u8 *body, u64 bytes) {
  struct range r = range_of(b, body, bytes);
  u64 from = (u64)(body - b->bytes), missing = 0;
  for (u32 i = r.first; i < r.end; i++) {
    u64 low = MAX(from, (u64)i << b->chunk_shift), high = MIN(from + bytes, (u64)(i + 1) << b->chunk_shift);
    if (b->state[i] != HERE) missing += high - low;
  }
  return missing;
}

/* ---- waiting (mm.h) ---- */
bool fetch_wanted(void) { return want.blob != 0; }
void fetch_forget(void) { want.blob = 0; }

int fetch_wait(bool killable_only) {
  struct lazy_blob *b = want.blob ? find(want.blob) : NULL;
  u32 id = want.blob, chunk = want.chunk;
  int r = 0;
  want.blob = 0;
  for (; !r && b && (b->state[chunk] == WANTED || b->state[chunk] == FETCHING); b = find(id))
    r = killable_only ? wait_on_killable(&b->wait) : wait_on(&b->wait, WAIT_FOREVER);
  return r;
}

/* ---- the host ---- */
bool fetch_next(u32 *blob, u32 *chunk) {
  LIST_FOR(b, &blobs, struct lazy_blob, link) {
    for (u32 i = b->cursor; b->wanted && i < b->chunks; i++) {
      b->cursor = i + 1;
      if (b->state[i] != WANTED) continue;
      b->state[i] = FETCHING, b->wanted--;
      *blob = b->id, *chunk = i;
      return true;
    }
    b->cursor = b->chunks, b->told = false;
  }
  return false;
}

bool fetch_claim(u32 blob, u32 chunk) {
  struct lazy_blob *b = find(blob);
  if (!b || chunk >= b->chunks || (b->state[chunk] != ABSENT && b->state[chunk] != WANTED)) return false;
  if (b->state[chunk] == WANTED) b->wanted--;
  b->state[chunk] = FETCHING;
  return true;
}

u8 *fetch_place(u32 blob, u32 chunk, u32 *bytes) {
  struct lazy_blob *b = find(blob);
  if (!b || chunk >= b->chunks || b->state[chunk] != FETCHING) return NULL;
  u64 from = (u64)chunk << b->chunk_shift;
  *bytes = (u32)MIN(1ull << b->chunk_shift, b->size - from);
  return b->bytes + from;
}

void fetch_done(u32 blob, u32 chunk, bool ok) {
  struct lazy_blob *b = find(blob);
  if (!b || chunk >= b->chunks || b->state[chunk] != FETCHING) return;
  b->state[chunk] = ok ? HERE : FAILED;
  if (ok) b->here++;
  else b->failed_ns = host_monotonic_ns();
  wait_wake(&b->wait, 0);
}

bool lazy_all_here(void) {
  LIST_FOR(b, &blobs, struct lazy_blob, link) if (b->here != b->chunks) return false;
  return true;
}
