/* The kernel heap: page runs with boundary tags, and slabs of one page for small objects. Kernel lock held.
 *
 * Page metadata stands in run_pages[]: the length of a run at its first and last page, the top bit set while it is
 * free. Free runs hang in bins by floor(log2(length)); their links live in the free pages themselves. A slab is one
 * page with its header at the start, so a small object is never page-aligned: kfree() tells the two apart by that.
 * Under AddressSanitizer the native build uses malloc instead, so that the sanitizer sees every object. */
#include "core.h"

#if defined(__SANITIZE_ADDRESS__)
#define HEAP_IS_MALLOC 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HEAP_IS_MALLOC 1
#endif
#endif

static u32 fail_countdown;
void kheap_fail_after(u32 n) { fail_countdown = n; }
static bool injected_failure(void) { return UNLIKELY(fail_countdown) && --fail_countdown == 0; }

u64 kheap_used_bytes(void) { return counters.heap_used; }

#ifdef HEAP_IS_MALLOC
#include <malloc.h>
#include <stdlib.h>
void *kmalloc(size_t bytes) {
  if (injected_failure()) return NULL;
  void *p = malloc(bytes ? bytes : 1);
  if (p) counters.heap_used += malloc_usable_size(p);
  return p;
}
void kfree(void *p) {
  if (p) counters.heap_used -= malloc_usable_size(p);
  free(p);
}
void *krealloc(void *p, size_t bytes) {
  if (injected_failure()) return NULL;
  if (p) counters.heap_used -= malloc_usable_size(p);
  void *q = realloc(p, bytes ? bytes : 1);
  counters.heap_used += malloc_usable_size(q ? q : p);
  return q;
}
void *kpages_alloc(u32 pages) {
  if (injected_failure()) return NULL;
  void *p = aligned_alloc(PAGE_BYTES, (size_t)pages * PAGE_BYTES);
  if (p) counters.heap_used += (u64)pages * PAGE_BYTES;
  return p;
}
void kpages_free(void *p, u32 pages) {
  if (p) counters.heap_used -= (u64)pages * PAGE_BYTES;
  free(p);
}
u64 kheap_total_bytes(void) { return counters.heap_used; }
u32 kheap_ranges(struct image_range *to, u32 room) { return (void)to, (void)room, 0; }
#else

#define HEAP_MAX_PAGES (1u << 20) /* 4 GiB */
#define RUN_FREE 0x80000000u
#define BINS 21
struct free_run {
  struct free_run *next, *prev;
};
static u32 run_pages[HEAP_MAX_PAGES];
static struct free_run bins[BINS];
static u8 *heap_base; /* page 0 of the heap */
static u32 heap_pages;

#ifdef __wasm__
extern u8 __heap_base;
/* The first bytes after the data are the instances' stacks and TLS blocks (kernel/host/instance.h). */
static u8 *heap_begin(void) {
  return (u8 *)ALIGN_UP((uintptr_t)&__heap_base, (uintptr_t)65536) + (size_t)MAX_INSTANCES * INSTANCE_AREA_BYTES;
}
static bool heap_extend(u8 *end) {
  size_t need = ((size_t)end + 65535) >> 16, have = __builtin_wasm_memory_size(0);
  return need <= have || __builtin_wasm_memory_grow(0, need - have) != (size_t)-1;
}
#define HEAP_ADDRESSABLE_PAGES ((0xffff0000u - (u32)(uintptr_t)heap_base) / PAGE_BYTES)
#else
#include <sys/mman.h>
static u8 *heap_begin(void) {
  void *p = mmap(NULL, (size_t)HEAP_MAX_PAGES * PAGE_BYTES, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  kassert(p != MAP_FAILED);
  return p;
}
static bool heap_extend(u8 *end) { return end <= heap_base + (size_t)HEAP_MAX_PAGES * PAGE_BYTES; }
#define HEAP_ADDRESSABLE_PAGES HEAP_MAX_PAGES
#endif

u64 kheap_total_bytes(void) { return (u64)heap_pages * PAGE_BYTES; }

static u32 log2_floor(u32 n) { return 31 - (u32)__builtin_clz(n); }
static u32 page_index(const void *p) { return (u32)((size_t)((const u8 *)p - heap_base) >> PAGE_SHIFT); }
static void *page_address(u32 page) { return heap_base + (size_t)page * PAGE_BYTES; }

static void run_tag(u32 page, u32 pages, u32 flag) {
  run_pages[page] = pages | flag;
  run_pages[page + pages - 1] = pages | flag;
}
static void run_insert(u32 page, u32 pages) {
  struct free_run *bin = &bins[log2_floor(pages)], *run = page_address(page);
  run_tag(page, pages, RUN_FREE);
  run->next = bin->next, run->prev = bin;
  if (bin->next) bin->next->prev = run;
  bin->next = run;
}
static void run_take_out(u32 page) {
  struct free_run *run = page_address(page);
  run->prev->next = run->next;
  if (run->next) run->next->prev = run->prev;
}

/* Give a run back: merge with free neighbours. */
static void run_release(u32 page, u32 pages) {
  if (page && (run_pages[page - 1] & RUN_FREE)) {
    u32 before = run_pages[page - 1] & ~RUN_FREE;
    page -= before, pages += before;
    run_take_out(page);
  }
  u32 after = page + pages;
  if (after < heap_pages && (run_pages[after] & RUN_FREE)) {
    run_take_out(after);
    pages += run_pages[after] & ~RUN_FREE;
  }
  run_insert(page, pages);
}

static bool heap_grow(u32 pages) {
  if (!heap_base) heap_base = heap_begin();
  u32 step = MAX(pages, 256u); /* 1 MiB at least */
  u32 limit = MIN(HEAP_MAX_PAGES, HEAP_ADDRESSABLE_PAGES);
  if (step > limit - heap_pages) step = pages;
  if (step > limit - heap_pages) return false;
  if (!heap_extend(heap_base + ((size_t)heap_pages + step) * PAGE_BYTES)) {
    if (step == pages || !heap_extend(heap_base + ((size_t)heap_pages + pages) * PAGE_BYTES)) return false;
    step = pages;
  }
  u32 first = heap_pages;
  heap_pages += step;
  run_release(first, step);
  return true;
}

static u32 run_find(u32 pages) {
  u32 bin = log2_floor(pages);
  u32 looked = 0;
  for (struct free_run *r = bins[bin].next; r && looked < 16; r = r->next, looked++)
    if ((run_pages[page_index(r)] & ~RUN_FREE) >= pages) return page_index(r);
  for (bin++; bin < BINS; bin++)
    if (bins[bin].next) return page_index(bins[bin].next);
  return ~0u;
}

static void *run_alloc(u32 pages) {
  if (!pages || pages > HEAP_MAX_PAGES / 2) return NULL;
  u32 page = run_find(pages);
  if (page == ~0u) {
    if (!heap_grow(pages)) return NULL;
    page = run_find(pages);
    if (page == ~0u) return NULL;
  }
  u32 have = run_pages[page] & ~RUN_FREE;
  run_take_out(page);
  run_tag(page, pages, 0);
  if (have > pages) run_insert(page + pages, have - pages);
  counters.heap_used += (u64)pages * PAGE_BYTES;
  return page_address(page);
}
static void run_free(void *p, u32 pages) {
  u32 page = page_index(p);
  kassert(page < heap_pages && run_pages[page] == pages);
  counters.heap_used -= (u64)pages * PAGE_BYTES;
  run_release(page, pages);
}

void *kpages_alloc(u32 pages) {
  ASSERT_LOCKED();
  return injected_failure() ? NULL : run_alloc(pages);
}
void kpages_free(void *p, u32 pages) {
  ASSERT_LOCKED();
  if (p) run_free(p, pages);
}

u32 kheap_ranges(struct image_range *to, u32 room) {
  ASSERT_LOCKED();
  u32 count = 0;
  u64 end = 0; /* of the last one */
  for (u32 page = 0; page < heap_pages;) {
    bool is_free = run_pages[page] & RUN_FREE;
    u32 pages = run_pages[page] & ~RUN_FREE;
    u64 address = (u64)(uintptr_t)page_address(page), bytes = (u64)(is_free ? 1 : pages) * PAGE_BYTES;
    if (count && end == address) {
      if (count <= room) to[count - 1].bytes += bytes;
    } else {
      if (count < room) to[count] = (struct image_range){.address = address, .bytes = bytes};
      count++;
    }
    end = address + bytes;
    page += pages;
  }
  return count;
}

/* ---- slabs ---- */
static const u16 class_bytes[] = {16, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1008, 1344, 2016};
#define CLASSES ARRAY_LEN(class_bytes)
struct slab { /* 48 bytes or less at the start of its page */
  struct slab *next, *prev; /* among slabs with room */
  void *free;
  u16 used, capacity, size_class;
};
#define SLAB_HEADER 64u
static struct slab *partial[CLASSES];

static int class_of(size_t bytes) {
  for (u32 c = 0; c < CLASSES; c++)
    if (bytes <= class_bytes[c]) return (int)c;
  return -1;
}
static void partial_push(struct slab *s) {
  s->prev = NULL, s->next = partial[s->size_class];
  if (s->next) s->next->prev = s;
  partial[s->size_class] = s;
}
static void partial_remove(struct slab *s) {
  if (s->prev) s->prev->next = s->next;
  else partial[s->size_class] = s->next;
  if (s->next) s->next->prev = s->prev;
}
static struct slab *slab_new(u32 c) {
  struct slab *s = run_alloc(1);
  if (!s) return NULL;
  u32 step = class_bytes[c];
  *s = (struct slab){.size_class = (u16)c, .capacity = (u16)((PAGE_BYTES - SLAB_HEADER) / step)};
  for (u32 i = s->capacity; i-- > 0;) {
    void **object = (void **)(void *)((u8 *)s + SLAB_HEADER + (size_t)i * step);
    *object = s->free;
    s->free = object;
  }
  partial_push(s);
  return s;
}

void *kmalloc(size_t bytes) {
  ASSERT_LOCKED();
  if (injected_failure()) return NULL;
  int c = class_of(bytes);
  if (c < 0) return bytes > (size_t)1 << 31 ? NULL : run_alloc((u32)((bytes + PAGE_BYTES - 1) >> PAGE_SHIFT));
  struct slab *s = partial[c];
  if (!s && !(s = slab_new((u32)c))) return NULL;
  void **object = s->free;
  s->free = *object;
  if (++s->used == s->capacity) partial_remove(s);
  return object;
}

void kfree(void *p) {
  if (!p) return;
  ASSERT_LOCKED();
  if (((uintptr_t)p & (PAGE_BYTES - 1)) == 0) {
    run_free(p, run_pages[page_index(p)]);
    return;
  }
  struct slab *s = (struct slab *)(void *)((uintptr_t)p & ~(uintptr_t)(PAGE_BYTES - 1));
  kassert(s->used > 0 && s->size_class < CLASSES);
  *(void **)p = s->free;
  s->free = p;
  if (s->used-- == s->capacity) partial_push(s);
  /* keep one empty slab of each class at hand */
  if (s->used == 0 && (s->next || s->prev)) {
    partial_remove(s);
    run_free(s, 1);
  }
}

static size_t object_bytes(const void *p) {
  if (((uintptr_t)p & (PAGE_BYTES - 1)) == 0) return (size_t)run_pages[page_index(p)] * PAGE_BYTES;
  const struct slab *s = (const struct slab *)(const void *)((uintptr_t)p & ~(uintptr_t)(PAGE_BYTES - 1));
  return class_bytes[s->size_class];
}
void *krealloc(void *p, size_t bytes) {
  if (!p) return kmalloc(bytes);
  size_t have = object_bytes(p);
  if (bytes <= have && (bytes > have / 2 || have <= 64)) return p;
  void *q = kmalloc(bytes);
  if (!q) return NULL;
  memcpy(q, p, MIN(have, bytes));
  kfree(p);
  return q;
}
#endif

void *kzalloc(size_t bytes) {
  void *p = kmalloc(bytes);
  return p ? memset(p, 0, bytes) : NULL;
}
char *kstrdup(const char *s) {
  size_t bytes = strlen(s) + 1;
  char *copy = kmalloc(bytes);
  return copy ? memcpy(copy, s, bytes) : NULL;
}
