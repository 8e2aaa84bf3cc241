/* mm/area: the sorted list of areas of one address space. For mm/ alone; the kernel lock is held in every call.
 *
 * A page's permission byte is non-zero only inside an area. Bytes of a page that is not RESIDENT are zero in guest
 * memory, so that a new zero page costs nothing: whoever drops a page with content clears it (pages_drop). */
#ifndef TIDEMARK_MM_AREA_H
#define TIDEMARK_MM_AREA_H
#include "mm.h"

#define MIN_MAP_PAGE 16u           /* mmap_min_addr: 64 KiB */
#define STACK_GUARD_PAGES 256u     /* stack_guard_gap of Linux: below a MAP_GROWSDOWN area */

static inline u32 page_of(u64 addr) { return (u32)(addr >> PAGE_SHIFT); }
static inline u64 page_addr(u32 page) { return (u64)page << PAGE_SHIFT; }
static inline u32 max_page(const struct mm *mm) { return (u32)(mm->max_guest_bytes >> PAGE_SHIFT); }

/* What the hardware of Linux/riscv allows for a prot: W without R does not exist. */
static inline u32 prot_bits(u32 prot) { return prot & PERM_W ? prot | PERM_R : prot; }
static inline bool area_counted(const struct vma *v) { /* against limit_bytes */
  return (v->prot & PERM_W) && !v->no_reserve && !(v->shared && v->file);
}

u32 area_index(const struct mm *mm, u32 page);               /* first area with end > page; vma_count when none */
struct vma *area_at(const struct mm *mm, u32 page);          /* the area that holds page, or NULL */
bool area_range_free(const struct mm *mm, u32 start, u32 end);
bool area_range_full(const struct mm *mm, u32 start, u32 end); /* no hole */
int area_reserve(struct mm *mm, u32 extra);                  /* room for so many more areas: 0 or -ENOMEM */
void area_refs_get(const struct vma *v);
void area_refs_put(const struct vma *v);
/* The three below need room (area_reserve): 1 per insert or split. */
void area_insert(struct mm *mm, const struct vma *v);        /* takes over v's references; merges with neighbours */
void area_split(struct mm *mm, u32 page);                    /* a border at page, if an area spans it */
void area_set(struct mm *mm, u32 index, u32 prot);           /* changes prot, with the accounts */
void area_merge(struct mm *mm, u32 start, u32 end);          /* join what can be joined around [start, end] */
void area_remove(struct mm *mm, u32 start, u32 end);         /* whole areas only (split before); drops their pages */
void area_extend_down(struct mm *mm, struct vma *v, u32 start);
i64 area_find_gap(const struct mm *mm, u32 pages);           /* page or -ENOMEM */

/* pages.c: permission bytes and page contents; own memory */
void pages_drop(struct mm *mm, const struct vma *v, u32 start, u32 end); /* to "not present" */
void pages_protect(struct mm *mm, const struct vma *v, u32 start, u32 end); /* bytes follow v->prot */
void pages_move(struct mm *mm, const struct vma *v, u32 from, u32 to, u32 pages); /* v: the area at `from` */
int pages_grow(struct mm *mm, u32 page);                     /* guest memory reaches past page: 0 or -ENOMEM */
u32 pages_next(u32 page, u32 end, u32 mask);                 /* first page >= page whose byte has a bit of mask, or end */

/* fault.c: bytes of an external page. *bytes NULL: zeros (only when !write); *valid: how many are there. */
int external_page(const struct vma *v, u32 page, bool write, u8 **bytes, u32 *valid);
int page_fault(struct mm *mm, u64 addr, u32 access);         /* 0, -EFAULT with mm_fault_info set, or -ENOTHERE */
/* Outside system calls: waits, without the lock meanwhile, for what *r == -ENOTHERE stood for; true: do it all again.
 * A kill makes *r -EFAULT. */
bool page_fetched(u64 addr, int *r);

/* shared.c */
struct shared_memory *shared_memory_new(u32 pages); /* NULL: no memory */
void shared_memory_get(struct shared_memory *m);
void shared_memory_put(struct shared_memory *m);
int shared_memory_page(struct shared_memory *m, u64 index, bool write, u8 **page); /* -ENXIO past its end, -ENOMEM */
void shared_memory_punch(struct shared_memory *m, u64 index);
#endif
