/* mm/shared: memory behind MAP_SHARED|MAP_ANONYMOUS areas: pages in kernel memory, made at the first store, shared by
 * every area (of any process) that references the object. Kernel lock held. Its size is fixed: like the hidden tmpfs
 * file behind such a mapping on Linux, an area that mremap(2) made longer gets SIGBUS past the end. */
#include "area.h"

#define CHUNK_PAGES 512u
struct shared_memory {
  u32 refs;
  u32 pages;
  u8 **chunks[]; /* each NULL or CHUNK_PAGES pointers */
};

static u32 chunk_count(u32 pages) { return (pages + CHUNK_PAGES - 1) / CHUNK_PAGES; }

struct shared_memory *shared_memory_new(u32 pages) {
  struct shared_memory *m = kzalloc(sizeof(*m) + chunk_count(pages) * sizeof(m->chunks[0]));
  if (m) m->refs = 1, m->pages = pages;
  return m;
}

void shared_memory_get(struct shared_memory *m) { m->refs++; }

void shared_memory_put(struct shared_memory *m) {
  if (--m->refs) return;
  for (u32 c = 0; c < chunk_count(m->pages); c++) {
    if (!m->chunks[c]) continue;
    for (u32 i = 0; i < CHUNK_PAGES; i++)
      if (m->chunks[c][i]) kpages_free(m->chunks[c][i], 1);
    kfree(m->chunks[c]);
  }
  kfree(m);
}

int shared_memory_page(struct shared_memory *m, u64 index, bool write, u8 **page) {
  if (index >= m->pages) return -ENXIO;
  u8 ***chunk = &m->chunks[index / CHUNK_PAGES];
  *page = *chunk ? (*chunk)[index % CHUNK_PAGES] : NULL;
  if (*page || !write) return 0;
  if (!*chunk && !(*chunk = kzalloc(CHUNK_PAGES * sizeof(u8 *)))) return -ENOMEM;
  if (!(*page = kpages_alloc(1))) return -ENOMEM;
  memset(*page, 0, PAGE_BYTES);
  (*chunk)[index % CHUNK_PAGES] = *page;
  return 0;
}

void shared_memory_punch(struct shared_memory *m, u64 index) {
  u8 **chunk = index < m->pages ? m->chunks[index / CHUNK_PAGES] : NULL;
  if (!chunk || !chunk[index % CHUNK_PAGES]) return;
  kpages_free(chunk[index % CHUNK_PAGES], 1);
  chunk[index % CHUNK_PAGES] = NULL;
}
