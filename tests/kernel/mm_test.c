/* mm/ alone: directed cases of the mmap family (mmap(2), mremap(2), mprotect(2), madvise(2), brk(2)), then a random walk
 * against a model, page by page: what is mapped, what it holds, what faults how. Files are fakes. */
#include "../../tidemark_py/kernel/mm/mm.h"

extern int printf(const char *, ...);
extern NORETURN void abort(void);
extern void *mmap(void *, size_t, int, int, int, long);
extern int atoi(const char *);

u64 host_monotonic_ns(void) { return 0; }
u64 host_realtime_ns(void) { return 0; }
void host_random(void *buf, u32 bytes) { memset(buf, 0, bytes); }
static bool quiet;
void host_log(const char *text, u32 bytes) { if (!quiet) printf("%.*s\n", (int)bytes, text); }
void host_panic(void) { abort(); }
void host_notify(u32 role, u32 kind, u32 arg) { (void)role, (void)kind, (void)arg; }
int host_wait32(u32 *word, u32 expected, i64 timeout_ns) { return (void)word, (void)expected, (void)timeout_ns, 0; }
void host_wake32(u32 *word, u32 count) { (void)word, (void)count; }

_Thread_local u8 *guest_base;
static u32 guest_pages = HEAD_BYTES / 65536;
u32 guest_size_pages(void) { return guest_pages; }
i32 guest_grow_pages(u32 delta) {
  u32 old = guest_pages;
  if (old + delta > 65536) return -1;
  guest_pages += delta;
  return (i32)old;
}
static u32 invalidations;
void cpu_code_invalidate(struct mm *mm, u32 page, u32 pages) { (void)mm, (void)page, (void)pages, invalidations++; }
void cpu_code_free(struct mm *mm) { (void)mm; }

/* ---- fake files: FILE_PAGES pages and a tail ---- */
#define FILE_PAGES 20u
#define FILE_TAIL 100u
struct ofd {
  u32 refs;
  bool writable, lazy;
  u8 *bytes; /* FILE_PAGES + 1 pages; behind the tail lies what must not be seen */
};
static bool wanted, killed;
static u32 here_after, waits; /* a lazy file is here after so many fetches */
void mm_file_get(struct ofd *f) { f->refs++; }
void mm_file_put(struct ofd *f) { f->refs--; }
int mm_file_check(struct ofd *f, int prot, bool shared) { return shared && (prot & PROT_WRITE) && !f->writable ? -EACCES : 0; }
int mm_file_page(struct ofd *f, u64 index, bool write, u8 **page, u32 *bytes) {
  if (index > FILE_PAGES) return -ENXIO;
  if (f->lazy && here_after) return wanted = true, -ENOTHERE;
  *page = f->bytes + index * PAGE_BYTES;
  *bytes = index == FILE_PAGES && !write ? FILE_TAIL : PAGE_BYTES;
  return 0;
}
bool mm_file_lazy(struct ofd *f) { return f->lazy; }
int mm_file_here(struct ofd *f, u64 index, u64 pages) { return f->lazy && here_after ? (void)index, (void)pages, wanted = true, -ENOTHERE : 0; }
bool fetch_wanted(void) { return wanted; }
void fetch_forget(void) { wanted = false; }
int fetch_wait(bool killable_only) {
  (void)killable_only;
  wanted = false, waits++;
  if (killed) return -ERESTARTSYS;
  here_after--;
  return 0;
}
const void *mm_file_identity(struct ofd *f) { return f; }
void mm_file_written(struct ofd *f) { (void)f; }
static u8 file_bytes[2][(FILE_PAGES + 1) * PAGE_BYTES];
static struct ofd files[2] = {{1, true, false, file_bytes[0]}, {1, false, false, file_bytes[1]}};

static int failures;
#define CHECK(c) ((c) ? (void)0 : (void)(printf("%s:%d: %s\n", __FILE__, __LINE__, #c), failures++))
#define CHECK_EQ(a, b)                                                                                                 \
  do {                                                                                                                 \
    long long va = (long long)(a), vb = (long long)(b);                                                                \
    if (va != vb) printf("%s:%d: %s = %lld, not %lld\n", __FILE__, __LINE__, #a, va, vb), failures++;                  \
  } while (0)
#define P(n) ((u64)(n)*PAGE_BYTES)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define RW (PROT_READ | PROT_WRITE)

static void check_invariants(struct mm *mm) {
  u32 resident = 0, dirty = 0;
  u64 mapped = 0;
  for (u32 i = 0; i < mm->vma_count; i++) {
    const struct vma *v = &mm->vmas[i];
    CHECK(v->start < v->end && (!i || mm->vmas[i - 1].end <= v->start));
    mapped += P(v->end - v->start);
    for (u32 p = v->start; p < v->end; p++) {
      u32 perm = guest_perm(p);
      if (perm & PERM_RESIDENT) resident++;
      if (perm & PERM_DIRTY) dirty++;
      if (perm & PERM_EXTERNAL) CHECK(v->shared && !(perm & (PERM_R | PERM_W)));
      if ((perm & PERM_W) && !(v->prot & PERM_W)) CHECK(!"W without prot");
    }
  }
  CHECK_EQ(mm->resident_pages, resident);
  CHECK_EQ(mm->dirty_pages, dirty);
  CHECK_EQ(mm->mapped_bytes, mapped);
  u32 bound = MIN(0x4000u, (u32)(((u64)guest_pages * 65536 - HEAD_BYTES) / PAGE_BYTES));
  for (u32 p = 0; p < bound; p++) {
    u32 perm = guest_perm(p);
    if (perm) CHECK(mm_find(mm, p) != NULL);
    if (perm & PERM_RESIDENT) continue;
    for (u32 k = 0; k < PAGE_BYTES; k += 512) CHECK(guest_ld64((u32)P(p) + k) == 0);
  }
}

static struct mm *fresh(void) {
  struct mm *mm = mm_create();
  mm->mmap_page = 0x400;
  mm->brk_start = mm->brk = P(0x200), mm->brk_end = P(0x400);
  mm->stack_top = P(0x180), mm->stack_bytes = P(0x80);
  return mm_current = mm;
}
static void drop(struct mm *mm) {
  check_invariants(mm);
  mm_reset_guest(mm);
  for (u32 p = 0; p < 0x8000; p++) CHECK(guest_perm(p) == 0);
  mm_put(mm);
}
static int fault(struct mm *mm, u64 addr, u32 access) { /* 0, or signal * 16 + code */
  int signo = 0, code = 0;
  return mm_fault(mm, addr, access, &signo, &code) ? signo * 16 + code : 0;
}
#define MAPERR (SIGSEGV * 16 + SEGV_MAPERR)
#define ACCERR (SIGSEGV * 16 + SEGV_ACCERR)
#define ADRERR (SIGBUS * 16 + BUS_ADRERR)

static void test_errors(void) {
  struct mm *mm = fresh();
  CHECK_EQ(mm_map(mm, 0, 0, RW, ANON, NULL, 0), -EINVAL);
  CHECK_EQ(mm_map(mm, 0, 1, RW, ANON, NULL, 12), -EINVAL);
  CHECK_EQ(mm_map(mm, 0, 1, RW, MAP_ANONYMOUS, NULL, 0), -EINVAL);
  CHECK_EQ(mm_map(mm, 0, 1ull << 40, RW, ANON, NULL, 0), -ENOMEM);
  CHECK_EQ(mm_map(mm, 0, ~0ull, RW, ANON, NULL, 0), -ENOMEM);
  CHECK_EQ(mm_map(mm, 1, 1, RW, ANON | MAP_FIXED, NULL, 0), -EINVAL);
  CHECK_EQ(mm_map(mm, 0, 1, RW, ANON | MAP_FIXED, NULL, 0), -EPERM);
  CHECK_EQ(mm_map(mm, ~0xfffull, P(1), RW, ANON | MAP_FIXED, NULL, 0), -ENOMEM);
  CHECK_EQ(mm_map(mm, GUEST_MAX_BYTES - P(1), P(2), RW, ANON | MAP_FIXED, NULL, 0), -ENOMEM);
  CHECK_EQ(mm_map(mm, 0, 1, RW, MAP_SHARED, &files[1], 0), -EACCES);
  CHECK_EQ(mm_map(mm, 0, P(2), RW, MAP_PRIVATE, &files[1], 0x7ffffffffffff000ull), -EOVERFLOW);
  CHECK_EQ(mm_map(mm, 0, 1, RW, MAP_SHARED_VALIDATE | MAP_ANONYMOUS | MAP_SYNC, NULL, 0), -EOPNOTSUPP);
  CHECK_EQ(mm_map(mm, 0, 1, RW, ANON | MAP_HUGETLB, NULL, 0), -ENOMEM);
  u64 a = (u64)mm_map(mm, 0, P(4), RW, ANON, NULL, 0);
  CHECK_EQ(a, P(0x400)); /* first fit */
  CHECK_EQ(mm_map(mm, a + P(1), P(1), RW, ANON | MAP_FIXED_NOREPLACE, NULL, 0), -EEXIST);
  CHECK_EQ(mm_map(mm, a + P(8), P(1), RW, ANON, NULL, 0), a + P(8));   /* a hint */
  CHECK_EQ(mm_map(mm, a, P(1), RW, ANON, NULL, 0), a + P(4));          /* a taken hint */
  CHECK_EQ(mm_map(mm, 1ull << 45, P(1), RW, ANON, NULL, 0), a + P(5)); /* a hint outside the window */
  CHECK_EQ(mm_unmap(mm, a + 1, 1), -EINVAL);
  CHECK_EQ(mm_unmap(mm, a, 0), -EINVAL);
  CHECK_EQ(mm_unmap(mm, a, ~0ull), -EINVAL);
  CHECK_EQ(mm_unmap(mm, P(0x3000), P(5)), 0); /* nothing there */
  CHECK_EQ(mm_protect(mm, a, P(7), PROT_READ), -ENOMEM); /* a hole at a + 6 */
  CHECK_EQ(mm_protect(mm, a, P(1), 0x100), -EINVAL);
  CHECK_EQ(mm_protect(mm, a + 1, P(1), PROT_READ), -EINVAL);
  CHECK_EQ(mm_protect(mm, a, 0, PROT_READ), 0);
  CHECK_EQ(mm_protect(mm, a, ~0ull, PROT_READ), -ENOMEM);
  CHECK_EQ(fault(mm, a, ACCESS_W), ACCERR); /* the part before the hole changed */
  CHECK_EQ(mm_advise(mm, a, P(1), 77), -EINVAL);
  CHECK_EQ(mm_advise(mm, a, P(100), MADV_WILLNEED), -ENOMEM);
  CHECK_EQ(mm_remap(mm, a, P(1), 0, 0, 0), -EINVAL);
  CHECK_EQ(mm_remap(mm, a, P(50), P(60), MREMAP_MAYMOVE, 0), -EFAULT);
  CHECK_EQ(mm_remap(mm, P(0x3000), P(1), P(2), MREMAP_MAYMOVE, 0), -EFAULT);
  CHECK_EQ(mm_remap(mm, a, P(1), P(2), MREMAP_FIXED, a + P(9)), -EINVAL);
  CHECK_EQ(mm_remap(mm, a, P(2), P(2), MREMAP_FIXED | MREMAP_MAYMOVE, a + P(1)), -EINVAL);
  CHECK_EQ(mm_remap(mm, a, P(1), P(3), 0, 0), -ENOMEM);
  CHECK_EQ(mm_remap(mm, ~0ull << 12, P(1), P(3), 0, 0), -EFAULT);
  drop(mm);
}

static void test_limits_and_brk(void) {
  struct mm *mm = fresh();
  mm->limit_bytes = P(16);
  CHECK_EQ(mm_map(mm, 0, P(17), RW, ANON, NULL, 0), -ENOMEM);
  i64 big = mm_map(mm, 0, 1u << 30, PROT_NONE, ANON | MAP_NORESERVE, NULL, 0);
  CHECK(big > 0);
  CHECK_EQ(guest_size_pages(), HEAD_BYTES / 65536); /* a reservation grows nothing */
  CHECK_EQ(mm_protect(mm, (u64)big, P(16), RW), 0);  /* NORESERVE is not counted ... */
  for (u32 i = 0; i < 16; i++) CHECK_EQ(mm_slow_store((u64)big + P(i), 8, 1), 0);
  quiet = true;
  CHECK_EQ(mm_protect(mm, (u64)big, P(17), RW), 0);
  CHECK_EQ(fault(mm, (u64)big + P(16), ACCESS_W), SIGKILL * 16 + SI_KERNEL); /* ... until touched */
  quiet = false;
  CHECK_EQ(mm_brk(mm, 0), mm->brk_start);
  CHECK_EQ(mm_brk(mm, P(0x200) + 10), P(0x200) + 10);
  CHECK_EQ(mm_brk(mm, P(0x200) + P(20)), P(0x200) + 10); /* over the limit */
  CHECK_EQ(mm_brk(mm, P(0x200) + P(3)), P(0x203));
  CHECK_EQ(mm_brk(mm, P(0x201)), P(0x201));
  CHECK_EQ(fault(mm, P(0x202), ACCESS_R), MAPERR);
  CHECK_EQ(fault(mm, P(0x200), ACCESS_R), 0);
  mm_unmap(mm, (u64)big, 1u << 30);
  check_invariants(mm);
  drop(mm);
}

static void test_faults_and_files(void) {
  struct mm *mm = fresh();
  u64 v = 0, old = 0;
  u64 a = (u64)mm_map(mm, 0, P(FILE_PAGES + 2), PROT_READ, MAP_PRIVATE, &files[0], 0);
  CHECK_EQ(files[0].refs, 2);
  CHECK_EQ(mm_slow_load(a + P(FILE_PAGES) - 4, 8, &v), 0);
  CHECK_EQ(v, (u64)0x5151515151515151);
  CHECK_EQ(mm_slow_load(a + P(FILE_PAGES) + FILE_TAIL - 4, 8, &v), 0);
  CHECK_EQ(v, 0x51515151); /* behind the end: zero */
  CHECK_EQ(fault(mm, a + P(FILE_PAGES + 1), ACCESS_R), ADRERR);
  CHECK_EQ(fault(mm, a, ACCESS_W), ACCERR);
  CHECK_EQ(fault(mm, a, ACCESS_X), ACCERR);
  CHECK_EQ(guest_perm((u32)(a >> 12)), 0);
  CHECK_EQ(mm_protect(mm, a, P(2), RW), 0);
  CHECK_EQ(mm_slow_load(a, 1, &v), 0);
  CHECK_EQ(guest_perm((u32)(a >> 12)), PERM_R | PERM_RESIDENT);
  CHECK_EQ(mm_dirty_next(mm, 0), -1);
  CHECK_EQ(mm_slow_store(a, 1, 9), 0);
  CHECK_EQ(guest_perm((u32)(a >> 12)), PERM_R | PERM_W | PERM_RESIDENT | PERM_DIRTY);
  CHECK_EQ(mm_dirty_next(mm, 0), a >> 12);
  CHECK_EQ(file_bytes[0][0], 0x51);
  CHECK_EQ(mm_advise(mm, a, P(1), MADV_DONTNEED), 0);
  CHECK_EQ(mm_slow_load(a, 1, &v), 0);
  CHECK_EQ(v, 0x51);
  /* shared: two mappings see each other, atomics too */
  u64 s = (u64)mm_map(mm, 0, P(2), RW, MAP_SHARED, &files[0], P(3)), t = (u64)mm_map(mm, 0, P(2), RW, MAP_SHARED, &files[0], P(3));
  CHECK_EQ(mm_slow_store(s + P(1) - 2, 4, 0xaabbccdd), 0);
  CHECK_EQ(mm_slow_load(t + P(1) - 2, 4, &v), 0);
  CHECK_EQ(v, 0xaabbccdd);
  CHECK_EQ(guest_perm((u32)(s >> 12)), PERM_EXTERNAL);
  CHECK_EQ(mm_slow_store(s, 8, 0xffffffff00000001ull), 0);
  CHECK_EQ(mm_slow_atomic(t, 4, MM_ATOMIC_ADD, 5, 0, &old), 0);
  CHECK_EQ(old, 1);
  CHECK_EQ(mm_slow_atomic(t, 8, MM_ATOMIC_MIN, 3, 0, &old), 0);
  CHECK_EQ(old, 0xffffffff00000006ull);
  CHECK_EQ(mm_slow_atomic(s, 8, MM_ATOMIC_MINU, 3, 0, &old), 0);
  CHECK_EQ(old, 0xffffffff00000006ull);
  CHECK_EQ(mm_slow_atomic(s, 4, MM_ATOMIC_CAS, 77, 4, &old), 0);
  CHECK_EQ(mm_slow_load(t, 4, &v), 0);
  CHECK_EQ(v, 3);
  CHECK_EQ(mm_slow_atomic(s, 4, MM_ATOMIC_CAS, 77, 3, &old), 0);
  CHECK_EQ(mm_slow_load(t, 4, &v), 0);
  CHECK_EQ(v, 77);
  struct mm_futex_key k1, k2, k3;
  CHECK_EQ(mm_futex_key(s + 8, false, &k1) | mm_futex_key(t + 8, false, &k2) | mm_futex_key(t + 8, true, &k3), 0);
  CHECK(k1.object == k2.object && k1.offset == k2.offset && k3.object != k1.object);
  u8 text[16] = "hello";
  CHECK_EQ(copy_out(s + P(1) - 3, text, 6), 0);
  memset(text, 0, sizeof(text));
  CHECK_EQ(copy_in(text, t + P(1) - 3, 6), 0);
  CHECK(!strcmp((char *)text, "hello"));
  CHECK_EQ(strncpy_in((char *)text, t + P(1) - 3, 16), 5);
  /* code on an external page is a copy until fence.i */
  u64 x = (u64)mm_map(mm, 0, P(1), PROT_READ | PROT_EXEC, MAP_SHARED, &files[0], P(3));
  CHECK_EQ(mm_slow_prepare(x, 4, ACCESS_X), 0);
  CHECK_EQ(guest_ld32((u32)x), 77);
  mm_slow_store(s, 4, 78);
  mm_code_sync(mm);
  CHECK(!(guest_perm((u32)(x >> 12)) & PERM_X));
  CHECK_EQ(mm_slow_prepare(x, 4, ACCESS_X), 0);
  CHECK_EQ(guest_ld32((u32)x), 78);
  CHECK_EQ(mm_protect(mm, (u64)mm_map(mm, 0, P(1), PROT_READ, MAP_SHARED, &files[1], 0), P(1), RW), -EACCES);
  /* private atomics on a page not present */
  u64 n = (u64)mm_map(mm, 0, P(1), RW, ANON, NULL, 0);
  CHECK_EQ(mm_slow_atomic(n + 8, 8, MM_ATOMIC_MAX, (u64)-5, 0, &old), 0);
  CHECK_EQ(mm_slow_load(n + 8, 8, &v), 0);
  CHECK_EQ(v, 0);
  CHECK_EQ(user_load32(n + 6, (u32 *)text), -EFAULT);
  memset(file_bytes[0], 0x51, sizeof(file_bytes[0]));
  drop(mm);
  CHECK_EQ(files[0].refs, 1);
  CHECK_EQ(files[1].refs, 1);
}

static void test_stack_and_copies(void) {
  struct mm *mm = fresh();
  u64 v, top = mm->stack_top;
  mm_map(mm, top - P(4), P(4), RW, ANON | MAP_FIXED | MAP_GROWSDOWN, NULL, 0);
  mm_name(mm, top - P(1), "[stack]");
  CHECK_EQ(mm_slow_store(top - P(64), 8, 7), 0);
  CHECK_EQ(mm_find(mm, 0x180 - 1)->start, 0x180 - 64);
  CHECK_EQ(fault(mm, top - mm->stack_bytes - 1, ACCESS_W), MAPERR);
  CHECK_EQ(fault(mm, top - mm->stack_bytes, ACCESS_W), 0);
  CHECK_EQ(fault(mm, top, ACCESS_W), MAPERR);
  u64 a = (u64)mm_map(mm, 0, P(4), RW, ANON, NULL, 0);
  mm_protect(mm, a + P(2), P(1), PROT_NONE);
  static u8 big[4 * PAGE_BYTES], back[4 * PAGE_BYTES];
  memset(big, 3, sizeof(big));
  CHECK_EQ(copy_out(a, big, P(2)), 0);
  CHECK_EQ(copy_out(a, big, P(2) + 1), -EFAULT);
  CHECK_EQ(copy_in(back, a + 1, P(2) - 1), 0);
  CHECK(!memcmp(back, big, P(2) - 1));
  CHECK_EQ(copy_in(back, ~0ull - 3, 8), -EFAULT);
  CHECK_EQ(copy_in(back, ~0ull, 1), -EFAULT);
  CHECK_EQ(copy_in(back, ~0ull, 0), 0);
  CHECK_EQ(copy_in(back, 1ull << 32, 8), -EFAULT);
  CHECK_EQ(mm_slow_load(~0ull, 8, &v), -EFAULT);
  CHECK_EQ(mm_slow_load(GUEST_MAX_BYTES - 4, 8, &v), -EFAULT);
  CHECK_EQ(mm_slow_store(a + P(2) - 4, 8, 1), -EFAULT);
  CHECK_EQ(mm_fault_info.addr, a + P(2));
  CHECK_EQ(mm_fault_info.si_code, SEGV_ACCERR);
  CHECK_EQ(access_prepare(a, P(2), ACCESS_W), 0);
  CHECK_EQ(access_prepare(a, P(3), ACCESS_W), -EFAULT);
  CHECK_EQ(access_prepare(a, ~0ull, ACCESS_W), -EFAULT);
  struct iovec_seg iov[4] = {{a, 10}, {a + 100, 0}, {a + P(2) - 5, 20}, {a, 5}};
  copy_out(a + 512, iov, sizeof(iov));
  struct iobuf io;
  CHECK_EQ(iobuf_init_iovec(&io, a + 512, 4), 0);
  CHECK_EQ(io.left, 35);
  CHECK_EQ(iobuf_write(&io, big, 35), 15); /* up to the fault */
  CHECK_EQ(iobuf_write(&io, big, 20), -EFAULT);
  iobuf_free(&io);
  iov[1].len = ~0ull >> 1;
  copy_out(a + 512, iov, sizeof(iov));
  CHECK_EQ(iobuf_init_iovec(&io, a + 512, 4), -EINVAL);
  CHECK_EQ(iobuf_init_iovec(&io, a + 512, 1025), -EINVAL);
  CHECK_EQ(iobuf_init_iovec(&io, 8, 4), -EFAULT);
  CHECK_EQ(strncpy_in((char *)back, a + P(3) - 1, 5), -EFAULT);
  CHECK_EQ(strncpy_in((char *)back, a, 10), -ENAMETOOLONG);
  CHECK_EQ(mm_map_signal_code(mm, top), 0);
  CHECK_EQ(mm_slow_load(top, 4, &v), 0);
  CHECK_EQ(v, 0x08b00893);
  mm_regblock_alloc(mm);
  for (u32 i = 1; i < REGBLOCKS; i++) CHECK_EQ(mm_regblock_alloc(mm), i);
  CHECK_EQ(mm_regblock_alloc(mm), -EAGAIN);
  mm_regblock_free(mm, 100);
  CHECK_EQ(mm_regblock_alloc(mm), 100);
  drop(mm);
}

/* ---- random walk: a window of WALK pages from page BASE ---- */
#define BASE 0x400u
#define WALK 96u
static u64 state = 88172645463325252u;
static u32 next(u32 below) {
  state ^= state << 13, state ^= state >> 7, state ^= state << 17;
  return (u32)(state % below);
}
struct model_page {
  bool mapped, shared;
  u8 prot;
  int file;     /* 0, 1, or -1 anonymous */
  u32 index;    /* of the file, or of the shared object */
  u64 *object;  /* shared anonymous: words of its pages */
  u32 object_pages;
  bool written; /* private and touched: own word, else what the file has */
  u64 word;
};
static struct model_page model[WALK];
static u64 file_words[2][FILE_PAGES + 1];
static u64 object_words[4096][WALK];
static u32 objects;

static u64 *model_word(struct model_page *m) { /* NULL: SIGBUS */
  if (m->shared && m->file < 0) return m->index < m->object_pages ? &m->object[m->index] : NULL;
  if (m->file >= 0 && m->index > FILE_PAGES) return NULL;
  if (m->file >= 0 && (m->shared || !m->written)) return &file_words[m->file][m->index];
  return &m->word;
}
static void model_map(u32 at, u32 n, u32 prot, bool shared, int file, u32 index) {
  u64 *object = shared && file < 0 ? object_words[objects++] : NULL;
  for (u32 i = 0; i < n; i++)
    model[at + i] = (struct model_page){.mapped = true, .shared = shared, .prot = (u8)prot, .file = file, .index = index + i,
                                        .object = object, .object_pages = n};
}
static void walk_access(u32 at) {
  struct model_page *m = &model[at];
  u64 addr = P(BASE + at) + 8 * 3, v = 0;
  bool write = next(2);
  u64 *word = m->mapped ? model_word(m) : NULL;
  int expect = !m->mapped ? MAPERR : write ? !(m->prot & PROT_WRITE) ? ACCERR : 0 : !(m->prot & (PROT_READ | PROT_WRITE)) ? ACCERR : 0;
  if (!expect && !word) expect = ADRERR;
  u32 perm = guest_perm(BASE + at);
  u64 stamp = state;
  int r;
  if ((perm & (write ? PERM_W : PERM_R)) && next(2)) { /* what the cpu does at once */
    r = 0;
    if (write) guest_st64((u32)addr, stamp);
    else v = guest_ld64((u32)addr);
  } else {
    r = write ? mm_slow_store(addr, 8, stamp) : mm_slow_load(addr, 8, &v);
  }
  int got = r ? mm_fault_info.si_signo * 16 + mm_fault_info.si_code : 0;
  if (got != expect) printf("page %u %s: %x, not %x\n", at, write ? "store" : "load", got, expect), failures++;
  if (r || expect) return;
  if (write) {
    if (!m->shared) m->written = true, m->word = stamp;
    else *word = stamp;
    return;
  }
  u64 want = *word;
  if (!m->shared) m->written = true, m->word = want; /* a private page of a file is a copy from its first touch on */
  if (v != want) {
    printf("page %u holds %llx, not %llx\n", at, (unsigned long long)v, (unsigned long long)want), failures++;
  }
}
/* Some allocation in the next call fails: then it says ENOMEM and nothing has changed. */
static bool injecting, injected;
static i64 with_failure(i64 r) {
  injected = injecting && r == -ENOMEM;
  kheap_fail_after(0);
  return r;
}
static struct mm *risky(struct mm *mm) {
  if (injecting && next(3) == 0) kheap_fail_after(1 + next(3));
  return mm;
}
static void walk_step(struct mm *mm) {
  u32 at = next(WALK), n = 1 + next(MIN(WALK - at, 12u)), what = next(100);
  if (injecting && mm->vma_capacity > mm->vma_count && next(2)) { /* the list of areas must grow again */
    struct vma *tight = krealloc(mm->vmas, mm->vma_count * sizeof(*tight));
    if (tight) mm->vmas = tight, mm->vma_capacity = mm->vma_count;
  }
  static const u8 prots[] = {0, 1, 3, 3, 3, 2, 5, 7};
  u32 prot = prots[next(8)];
  if (what < 60) {
    walk_access(at);
  } else if (what < 72) {
    bool shared = next(3) == 0;
    int file = (int)next(3) - 1;
    u32 index = file >= 0 ? next(FILE_PAGES) : 0;
    if (shared && file < 0 && objects == 4096) return;
    i64 r = mm_map(risky(mm), P(BASE + at), P(n), (int)prot, (shared ? MAP_SHARED : MAP_PRIVATE) | MAP_FIXED | (file < 0 ? MAP_ANONYMOUS : 0),
                   file < 0 ? NULL : &files[file], P(index));
    with_failure(r);
    if (injected) return;
    if (shared && file == 1 && (prot & PROT_WRITE)) {
      CHECK_EQ(r, -EACCES);
    } else {
      CHECK_EQ(r, P(BASE + at));
      model_map(at, n, prot, shared, file, index);
    }
  } else if (what < 80) {
    i64 r = with_failure(mm_unmap(risky(mm), P(BASE + at), P(n)));
    if (injected) return;
    CHECK_EQ(r, 0);
    for (u32 i = 0; i < n; i++) model[at + i].mapped = false;
  } else if (what < 88) {
    bool hole = false;
    for (u32 i = 0; i < n; i++) hole |= !model[at + i].mapped;
    i64 r = with_failure(mm_protect(hole ? mm : risky(mm), P(BASE + at), P(n), (int)prot)), expect = 0;
    if (injected && !hole) return;
    for (u32 i = 0; i < n && !expect; i++) {
      struct model_page *m = &model[at + i];
      if (!m->mapped) expect = -ENOMEM;
      else if (m->shared && m->file == 1 && (prot & PROT_WRITE)) expect = -EACCES;
      else m->prot = (u8)prot;
    }
    CHECK_EQ(r, expect);
  } else if (what < 92) {
    int r = mm_advise(mm, P(BASE + at), P(n), MADV_DONTNEED), expect = 0;
    for (u32 i = 0; i < n; i++) {
      if (!model[at + i].mapped) expect = -ENOMEM;
      model[at + i].written = false, model[at + i].word = 0;
    }
    CHECK_EQ(r, expect);
  } else { /* mremap to a fixed place, or in place */
    u32 to = next(WALK), more = 1 + next(MIN(WALK - to, 12u));
    if (to < at + n && at < to + more) return;
    i64 r = with_failure(mm_remap(risky(mm), P(BASE + at), P(n), P(more), MREMAP_MAYMOVE | MREMAP_FIXED, P(BASE + to)));
    if (injected) return;
    if (r < 0) {
      CHECK_EQ(r, -EFAULT);
      return;
    }
    struct model_page copy[12];
    for (u32 i = 0; i < more; i++) {
      if (i < n) copy[i] = model[at + i];
      else copy[i] = model[at], copy[i].index += i, copy[i].written = false, copy[i].word = 0;
    }
    for (u32 i = 0; i < n; i++) model[at + i].mapped = false;
    memcpy(&model[to], copy, more * sizeof(copy[0]));
  }
}
static void test_random(u32 steps) {
  struct mm *mm = fresh();
  for (u32 f = 0; f < 2; f++)
    for (u32 i = 0; i <= FILE_PAGES; i++) file_words[f][i] = ((u64 *)(void *)files[f].bytes)[i * 512 + 3];
  for (u32 i = 0; i < steps && failures < 20; i++) {
    walk_step(mm);
    if (i % 1024 == 0) check_invariants(mm);
    if (i % 4096 == 0) injecting = !injecting;
    if (i % 10007 == 0) { /* the child of a fork has the same areas and what was written */
      struct mm *child = mm_fork(mm);
      CHECK_EQ(child->mapped_bytes, mm->mapped_bytes);
      CHECK_EQ(child->writable_bytes, mm->writable_bytes);
      CHECK_EQ(child->resident_pages, 0);
      u32 dirty = 0;
      for (i64 p = mm_dirty_next(mm, 0); p >= 0; p = mm_dirty_next(mm, (u32)p + 1)) dirty++;
      CHECK_EQ(dirty, mm->dirty_pages);
      mm_put(child);
    }
  }
  drop(mm);
  CHECK_EQ(files[0].refs, 1);
  CHECK_EQ(files[1].refs, 1);
}

/* A file whose pages come after a number of fetches. */
static void test_lazy_file(void) {
  struct mm *mm = fresh();
  u64 a = P(0x1000), value = 0;
  files[1].lazy = true, here_after = 3, waits = 0;
  CHECK_EQ(mm_map(mm, a, P(2), RW, MAP_PRIVATE | MAP_FIXED, &files[1], 0), -ENOTHERE); /* writable: here before it is mapped */
  CHECK_EQ(mm_map(mm, a, P(4), PROT_READ, MAP_PRIVATE | MAP_FIXED, &files[1], 0), (i64)a);
  CHECK(mm->lazy_files);
  u8 byte;
  CHECK_EQ(copy_in(&byte, a, 1), -EFAULT); /* in a call: -EFAULT, and who called knows why */
  CHECK(fetch_wanted());
  struct iobuf io;
  iobuf_init_guest(&io, a, P(2));
  CHECK_EQ(iobuf_here(&io), -ENOTHERE);
  CHECK_EQ(mm_protect(mm, a, P(2), RW), -ENOTHERE);
  CHECK_EQ(mm_find(mm, 0x1000)->prot, PROT_READ);
  CHECK_EQ(mm_slow_load(a, 1, &value), 0); /* a guest's access waits */
  CHECK_EQ(waits, 3);
  CHECK_EQ(value, files[1].bytes[0]);
  here_after = 1, killed = true;
  CHECK_EQ(mm_slow_load(a + P(1), 1, &value), -EFAULT);
  CHECK_EQ(mm_fault_info.si_signo, SIGKILL);
  killed = false, waits = 0;
  CHECK_EQ(fault(mm, a + P(2), ACCESS_R), 0);
  CHECK_EQ(waits, 1);
  CHECK_EQ(iobuf_here(&io), 0);
  CHECK_EQ(mm_protect(mm, a, P(2), RW), 0);
  files[1].lazy = false, wanted = false;
  drop(mm);
}

int main(int argc, char **argv) {
  guest_base = mmap(NULL, ((size_t)1 << 32) + 4096, 3, 0x4022, -1, 0);
  memset(file_bytes[0], 0x51, sizeof(file_bytes[0]));
  memset(file_bytes[1], 0x52, sizeof(file_bytes[1]));
  u64 used = kheap_used_bytes();
  test_limits_and_brk();
  test_errors();
  test_faults_and_files();
  test_stack_and_copies();
  test_lazy_file();
  test_random(argc > 1 ? (u32)atoi(argv[1]) : 300000);
  CHECK_EQ(kheap_used_bytes(), used); /* nothing leaks */
  printf(failures ? "mm: %d failures\n" : "mm: ok\n", failures);
  return failures != 0;
}
