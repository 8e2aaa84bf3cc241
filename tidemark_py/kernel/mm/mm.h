/* mm: one address space per process: areas (VMAs), page faults, brk/mmap family, user copies.
 *
 * The structures live in kernel memory; bytes and permission bytes live in the guest memory of the workers that run
 * the process. Only those workers may call what touches them (everything below that says "own memory"). All calls want
 * the kernel lock. Demand paging: an area's pages start with permission byte 0; mm_fault() brings each page in at
 * first touch (zero page, file page, stack growth), sets RESIDENT, and W + DIRTY only at the first write, so that fork
 * copies dirty pages alone and clean file pages are read again by the child. */
#ifndef TIDEMARK_MM_MM_H
#define TIDEMARK_MM_MM_H
#include "guest.h"

struct ofd;
struct shared_memory; /* mm/shared.c: pages of a MAP_SHARED|MAP_ANONYMOUS area, in kernel memory */

#define ACCESS_R PERM_R
#define ACCESS_W PERM_W
#define ACCESS_X PERM_X

struct vma {
  u32 start, end;   /* page numbers, [start, end) */
  u8 prot;          /* PERM_R|W|X as mprotect says */
  bool shared;      /* MAP_SHARED */
  bool grows_down;  /* the stack */
  bool no_reserve;  /* MAP_NORESERVE: not counted against limit_bytes when mapped */
  bool dont_fork, wipe_on_fork; /* madvise(2) */
  bool signal_code; /* the kernel's own page: `li a7,139; ecall` (mm->sigreturn_page) */
  struct ofd *file; /* NULL for anonymous; holds a reference */
  struct shared_memory *memory; /* shared and anonymous: file_page counts its pages; holds a reference */
  u64 file_page;    /* page of the file at start */
  const char *name; /* "[heap]", "[stack]", "[sigpage]" or NULL */
};

#define AUXV_WORDS 48u
/* A kernel copy of argv, envp and auxv for /proc: other processes' memory is out of reach. Shared by forked copies. */
struct mm_args {
  u32 refs, argv_bytes, envp_bytes, auxv_bytes;
  u64 auxv[AUXV_WORDS]; /* getauxval(3): type and value, in turn */
  char strings[]; /* NUL-terminated: argv, then envp */
};

struct mm {
  u32 refs;              /* processes on it: >1 only under CLONE_VM without CLONE_THREAD (vfork) */
  struct vma *vmas;      /* sorted, disjoint */
  u32 vma_count, vma_capacity;
  u64 brk_start, brk;    /* bytes */
  u64 stack_top, stack_bytes; /* [stack_top - stack_bytes, stack_top) is kept for the stack */
  u64 brk_end;           /* [brk_start, brk_end) is kept for brk while there is room elsewhere */
  u32 mmap_page;         /* mmap searches upwards from here */
  u64 sigreturn_page;    /* guest address of `li a7,139; ecall`: what a signal handler returns to */
  u64 limit_bytes;       /* RLIMIT_AS-like cap on mapped writable bytes; ENOMEM beyond */
  u64 mapped_bytes;      /* all areas, PROT_NONE too (VmSize) */
  u64 writable_bytes;    /* private writable areas without MAP_NORESERVE: what limit_bytes bounds */
  u32 resident_pages, dirty_pages;
  u64 max_guest_bytes;   /* what this tab's memories allow: 4, 2, 1 GiB or 512 MiB less the head */
  u32 code_generation;   /* bumped when executable pages change: instances drop their decode caches (cpu) */
  void *code;            /* the decode cache, shared by the threads of the process: owned by cpu/ */
  void *jit;             /* translations, likewise: owned by jit/ */
  /* what /proc shows */
  u64 arg_start, arg_end, env_start, env_end;
  struct mm_args *args; /* exec_commit sets it (mm_args_set); NULL: none */
  u8 regblocks_used[REGBLOCKS / 8];
  bool external_code;    /* some PROT_EXEC page is external: see mm_code_sync */
  bool lazy_files;       /* some area may show a file body that is not here yet */
  bool all_resident;     /* a staging memory of an attached role: every page RW, no areas */
  struct mm_errand *errands; /* mm/errand.h */
  void *restored;        /* pages of a saved machine, until a worker has them: task/restore.c */
};

/* The address space whose guest memory this instance is bound to: task/ sets it wherever it sets `current` (NULL with
 * none). Every copy, iobuf and slow access below works on it. */
extern _Thread_local struct mm *mm_current;
/* What the last failed mm_slow_* of this instance says; cpu/ copies it into its struct cpu_fault. */
struct mm_fault_info {
  u64 addr;
  i32 si_signo, si_code;
};
extern _Thread_local struct mm_fault_info mm_fault_info;
/* Bytes a guest may address in this tab (tk_boot sets it from the probed maximum); new address spaces start with it. */
u64 mm_guest_max(void);
void mm_set_guest_max(u64 bytes);

struct mm *mm_create(void);                /* NULL: no memory */
struct mm *mm_fork(const struct mm *from); /* areas copied, files referenced; pages are moved by task/fork.c */
void mm_get(struct mm *mm);
void mm_put(struct mm *mm);                /* last reference: frees areas and code cache (not guest bytes) */
void mm_release_files(struct mm *mm);      /* with the last reference: files and shared memory of areas nobody will touch */
void mm_args_set(struct mm *mm, const char *strings, u32 argv_bytes, u32 envp_bytes); /* without memory: none */
void mm_auxv_set(struct mm *mm, const u64 *words, u32 count);
/* own memory: forget every page: zero resident bytes and permission bytes, for exec or before the worker is pooled. */
void mm_reset_guest(struct mm *mm);
int mm_regblock_alloc(struct mm *mm);      /* slot 0..REGBLOCKS-1 or -EAGAIN */
void mm_regblock_free(struct mm *mm, int slot);

/* mmap(2) family, own memory. Lengths and addresses in bytes as the guest gave them. Return address or -errno. */
i64 mm_map(struct mm *mm, u64 addr, u64 bytes, int prot, int flags, struct ofd *file, u64 offset_bytes);
int mm_unmap(struct mm *mm, u64 addr, u64 bytes);
int mm_protect(struct mm *mm, u64 addr, u64 bytes, int prot);
i64 mm_remap(struct mm *mm, u64 old_addr, u64 old_bytes, u64 new_bytes, int flags, u64 new_addr);
i64 mm_brk(struct mm *mm, u64 addr);
void mm_name(struct mm *mm, u64 addr, const char *name); /* the area at addr; name: static text */
i64 mm_map_signal_code(struct mm *mm, u64 addr);         /* sets mm->sigreturn_page; 0 or -errno */
int mm_advise(struct mm *mm, u64 addr, u64 bytes, int advice);
const struct vma *mm_find(const struct mm *mm, u32 page); /* the area that holds page, or NULL */

/* Own memory, lock held. Make `addr` accessible for `access` (ACCESS_*). 0, or -EFAULT with *si_signo and *si_code set
 * (SIGSEGV SEGV_MAPERR/SEGV_ACCERR, SIGBUS BUS_ADRERR past a file's end), or -ENOMEM. */
int mm_fault(struct mm *mm, u64 addr, u32 access, int *si_signo, int *si_code);
/* Slow path of one guest access of 1..8 bytes that crosses pages, hits an external page or a not-present page.
 * Takes the lock itself. 0 or -EFAULT (details in mm_fault_info). */
int mm_slow_load(u64 addr, u32 bytes, u64 *value);
int mm_slow_store(u64 addr, u32 bytes, u64 value);
/* Make the pages present. After 0 with ACCESS_X a fetch may read guest memory (an external page's bytes are copied
 * there: fetches need not be coherent before fence.i); with R or W only when the page is not PERM_EXTERNAL. */
int mm_slow_prepare(u64 addr, u32 bytes, u32 access);
/* Slow path of AMO, LR and SC whenever the permission byte does not allow them at once (not present, read-only so far,
 * external): does the whole operation, atomically to every other access of this page, and gives the old value
 * (zero-extended). addr is aligned to bytes (4 or 8). LOAD (lr) wants R, all others R and W. CAS (sc) stores operand
 * only if the old value is `expected`. Takes the lock itself; 0 or -EFAULT as above. */
enum mm_atomic {
  MM_ATOMIC_LOAD, MM_ATOMIC_CAS, MM_ATOMIC_SWAP, MM_ATOMIC_ADD, MM_ATOMIC_XOR, MM_ATOMIC_AND, MM_ATOMIC_OR,
  MM_ATOMIC_MIN, MM_ATOMIC_MAX, MM_ATOMIC_MINU, MM_ATOMIC_MAXU,
};
int mm_slow_atomic(u64 addr, u32 bytes, enum mm_atomic op, u64 operand, u64 expected, u64 *old);
/* fence.i, riscv_flush_icache: fetches see external code pages anew. Takes no lock: lock held. */
void mm_code_sync(struct mm *mm);

/* futex(2), lock held: the identity of the word at addr (aligned by 4), the same for every process that shares it;
 * `private_only` skips the look for sharing. 0 or -EFAULT. The atomics work on any page. */
struct mm_futex_key {
  u64 object, offset;
};
int mm_futex_key(uaddr_t addr, bool private_only, struct mm_futex_key *key);
int user_load32(uaddr_t addr, u32 *value);                               /* 0 or -EFAULT */
int user_atomic32(uaddr_t addr, enum mm_atomic op, u32 operand, u32 expected, u32 *old); /* 0 or -EFAULT */

/* fork page transfer, own memory of the caller (task/fork.c drives it).
 * mm_dirty_next: next page number >= page whose bytes fork must copy, or -1. */
i64 mm_dirty_next(const struct mm *mm, u32 page);
/* The same for saving: also what fork does not give to a child. */
i64 mm_saved_next(const struct mm *mm, u32 page);
void mm_page_export(u32 page, void *dst);            /* guest -> kernel, PAGE_BYTES */
int mm_page_import(struct mm *mm, u32 page, const void *src); /* kernel -> guest, sets permission byte by its area;
                                                                 0 or -ENOMEM when the guest memory cannot grow */

/* Of the first `count` areas, own memory: pages that are here, pages that are the process's own. */
struct mm_usage {
  u32 start, resident, dirty;
};
void mm_usage(const struct mm *mm, struct mm_usage *out, u32 count);

/* ---- user copies (own memory, lock held): every guest pointer goes through these ---- */
int copy_in(void *dst, uaddr_t src, size_t bytes);        /* 0 or -EFAULT */
int copy_out(uaddr_t dst, const void *src, size_t bytes); /* 0 or -EFAULT */
int zero_out(uaddr_t dst, size_t bytes);
/* For a tracer: private pages that the guest may only read or run take it as well, and are its own from then on. */
int mm_poke(uaddr_t dst, const void *src, u32 bytes);     /* 0, -EFAULT, -ENOTHERE */
/* NUL-terminated string, at most max bytes with the NUL: its length, -EFAULT, or -ENAMETOOLONG. */
i64 strncpy_in(char *dst, uaddr_t src, size_t max);
int access_prepare(uaddr_t a, size_t bytes, u32 access); /* fault in a whole range before side effects: 0 or -EFAULT */
#define COPY_IN(obj, src) copy_in(&(obj), (src), sizeof(obj))
#define COPY_OUT(dst, obj) copy_out((dst), &(obj), sizeof(obj))

/* A cursor over a guest's buffers (read, readv, recvmsg ...) or a kernel buffer: what file operations see. */
struct iobuf {
  bool kernel;            /* segments are kernel addresses */
  u32 segment, segments;
  u64 done_in_segment;
  u64 left;               /* bytes left in all */
  struct iovec_seg { u64 base, len; } *segs;
  struct iovec_seg inline_seg;
};
void iobuf_init_guest(struct iobuf *io, uaddr_t base, u64 len);
void iobuf_init_kernel(struct iobuf *io, void *base, u64 len);
/* reads a guest iovec array (max IOV_MAX 1024); -EINVAL, -EFAULT, -ENOMEM; free with iobuf_free. */
int iobuf_init_iovec(struct iobuf *io, uaddr_t iov, u32 count);
void iobuf_free(struct iobuf *io);
int iobuf_prepare(struct iobuf *io, u32 access);        /* fault in all that is left: 0 or -EFAULT */
int iobuf_here(struct iobuf *io);                       /* every byte to be read is here: 0 or -ENOTHERE; cheap mostly */
/* move up to n bytes; returns the bytes moved, or -EFAULT when none could be. */
i64 iobuf_write(struct iobuf *io, const void *src, u64 n); /* kernel -> the buffers (a guest's read) */
i64 iobuf_read(struct iobuf *io, void *dst, u64 n);        /* the buffers -> kernel (a guest's write) */
i64 iobuf_zero(struct iobuf *io, u64 n);

/* ---- what the floors above give at link time (mm includes nothing of theirs) ---- */
void cpu_code_invalidate(struct mm *mm, u32 page, u32 pages); /* cpu/ */
void cpu_code_free(struct mm *mm);
void mm_file_get(struct ofd *file); /* file/mapping.c */
void mm_file_put(struct ofd *file);
/* May it be mapped so? 0: by pages; 1: as anonymous memory (/dev/zero); -EACCES, -EBADF, -ENODEV. */
int mm_file_check(struct ofd *file, int prot, bool shared);
/* Bytes of page `index`: *bytes of them are the file's, *page NULL is a hole. -ENXIO past the end,
 * -ENOTHERE, or -errno. */
int mm_file_page(struct ofd *file, u64 index, bool write, u8 **page, u32 *bytes);
const void *mm_file_identity(struct ofd *file); /* the inode */
bool mm_file_lazy(struct ofd *file);            /* its body may not be here */
int mm_file_here(struct ofd *file, u64 index, u64 pages); /* is it, for these pages? 0, -ENOTHERE, -EIO */
/* file/lazy.c: what the last -ENOTHERE of this instance stood for. fetch_wait drops the lock: 0 when it may be tried
 * again, -ERESTARTSYS for a kill (or any signal unless killable_only), -EAGAIN for a thread that may not park. */
bool fetch_wanted(void);
void fetch_forget(void);
int fetch_wait(bool killable_only);
void mm_file_written(struct ofd *file);         /* a writable shared mapping was synced or unmapped: mtime */
#endif
