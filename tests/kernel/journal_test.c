/* Kept file systems (file/journal.c) alone: after any changes, what was taken makes the same tree again. */
#pragma GCC diagnostic ignored "-Wunused-function" /* of the helpers some are for layers only */
#pragma GCC diagnostic ignored "-Wunused-variable"
#include "file_test.h"

#include "../../tidemark_py/kernel/file/journal.h"
#include "../../tidemark_py/kernel/file/root.h"

#define LOG_BYTES (64u << 20)
static u8 *taken; /* all transactions of one journal, one after the other */
static u32 taken_bytes, commits[512], commit_count;

static u64 seed = 88172645463325252ull;
static u32 chance(u32 below) {
  seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
  return (u32)(seed >> 33) % below;
}

static void mount_kept(int number, const char *at) {
  (void)number;
  struct superblock *sb = fs_type_make("kept");
  CHECK(sb != NULL);
  if (sb) IS(fs_mount(root_inode(0), at, sb), 0);
}

static void unmount(const char *at) {
  struct walk *w = walk_new();
  IS(path_walk(fs, cred, NULL, NULL, at, 0, w), 0);
  struct superblock *sb = w->mount;
  walk_free(w);
  IS(fs_unmount(sb, false), 0);
}

/* One round; `room`: how much at a time. Between two takes, now and then, something changes. */
static void change(const char *top);
static void commit(int number, u32 room, bool disturb) {
  i64 upto = journal_begin((u32)number);
  for (i32 n;;) {
    n = journal_take((u32)number, taken + taken_bytes, room);
    if (n == -ENOBUFS) {
      room *= 2;
      continue;
    }
    CHECK(n >= 0);
    if (n <= 0) break;
    taken_bytes += (u32)n;
    if (disturb && chance(3) == 0) change("/a");
  }
  journal_done((u32)number, (u64)upto, 0);
  commits[commit_count++] = taken_bytes;
}

static int replay(u32 bytes) {
  int number = journal_new(0), r = 0;
  CHECK(number >= 0);
  for (u32 i = 0, from = 0; !r && i < commit_count && commits[i] <= bytes; from = commits[i++])
    r = journal_replay((u32)number, taken + from, commits[i] - from);
  if (!r) r = journal_replayed((u32)number);
  IS(r, 0);
  return number;
}

/* ---- two trees, the same? ---- */
struct listing {
  char names[64][64];
  u32 count;
};
static bool list_one(void *arg, const struct dirent_out *d, UNUSED u64 next) {
  struct listing *l = arg;
  if (l->count < 64) snprintf(l->names[l->count++], 64, "%.*s", (int)d->name_bytes, d->name);
  return true;
}
static struct walk *at_path(const char *path) {
  struct walk *w = walk_new();
  int r = path_walk(fs, cred, NULL, NULL, path, WALK_NOFOLLOW, w);
  if (r) {
    walk_free(w);
    return NULL;
  }
  return w;
}
static bool same_time(struct timespec64 a, struct timespec64 b) { return a.sec == b.sec && a.nsec == b.nsec; }
static void compare(const char *a, const char *b) {
  struct walk *wa = at_path(a), *wb = at_path(b);
  CHECK(wa && wb);
  if (!wa || !wb) {
    printf("  %s %s\n", a, b);
    goto out;
  }
  struct inode *x = wa->inode, *y = wb->inode;
  int before = failures;
  CHECK(y->mode == x->mode && y->uid == x->uid && y->nlink == x->nlink && y->rdev == x->rdev && y->ino == x->ino);
  CHECK(same_time(x->mtime, y->mtime) && same_time(x->btime, y->btime));
  IS(xattr_pack(y, NULL), xattr_pack(x, NULL));
  if (!S_ISDIR(x->mode)) IS((i64)y->size, (i64)x->size);
  if (S_ISLNK(x->mode)) {
    char p[128] = {0}, q[128] = {0};
    x->ops->readlink(x, p, 127), y->ops->readlink(y, q, 127);
    CHECK(!strcmp(p, q));
  }
  if (S_ISREG(x->mode)) {
    static u8 p[4096], q[4096];
    for (u64 at = 0; at < x->size; at += 4096) {
      memset(p, 0, 4096), memset(q, 0, 4096);
      i64 n = inode_read_kernel(x, at, p, 4096), o = inode_read_kernel(y, at, q, 4096);
      if (n != o || memcmp(p, q, 4096)) {
        failures++, printf("  page %lld differs\n", (long long)(at / 4096));
        break;
      }
    }
  }
  if (S_ISDIR(x->mode)) {
    struct listing *l = calloc(2, sizeof *l);
    x->ops->readdir(x, 0, list_one, &l[0]), y->ops->readdir(y, 0, list_one, &l[1]);
    IS(l[1].count, l[0].count);
    for (u32 i = 0; i < l[0].count; i++) {
      char p[512], q[512];
      snprintf(p, sizeof p, "%s/%s", a, l[0].names[i]), snprintf(q, sizeof q, "%s/%s", b, l[0].names[i]);
      compare(p, q);
    }
    free(l);
  }
  if (failures != before) printf("  %s %s\n", a, b);
out:
  walk_free(wa), walk_free(wb);
}

/* ---- changes ---- */
static void name_in(char *to, const char *top, u32 depth) {
  static const char *const parts[] = {"x", "yy", "zzz", "a long name of a file", "q"};
  u32 n = (u32)snprintf(to, 400, "%s", top);
  for (u32 i = 0; i <= chance(depth); i++) n += (u32)snprintf(to + n, 400 - n, "/%s", parts[chance(5)]);
}
static struct ofd *kept_open; /* a file that may lose its name while it is open */
static void change(const char *top) {
  char p[400], q[400];
  name_in(p, top, 3), name_in(q, top, 3);
  u32 size = chance(40000);
  switch (chance(16)) {
  case 0: file_mkdir(fs, cred, PATH(p), 0755); break;
  case 1:
  case 2:
  case 3:
  case 4:
    if (!try_open(p, O_RDWR | O_CREAT | (chance(4) ? 0 : O_TRUNC), 0644)) {
      u8 *body = malloc(size + 1);
      for (u32 i = 0; i < size; i++) body[i] = (u8)(chance(4) ? i ^ seed : 0);
      pwrite_bytes(opened, body, size, chance(3) ? chance(100000) : chance(4) * 4096);
      free(body);
      ofd_put(opened);
    }
    break;
  case 5:
    if (!try_open(p, O_RDWR, 0)) file_truncate(opened->inode, chance(90000)), ofd_put(opened);
    break;
  case 6: file_unlink(fs, cred, PATH(p), false); break;
  case 7: file_unlink(fs, cred, PATH(p), true); break;
  case 8:
  case 9: file_rename(fs, cred, PATH(p), PATH(q), chance(4) ? 0 : RENAME_EXCHANGE); break;
  case 10: file_link(fs, cred, PATH(p), 0, PATH(q)); break;
  case 11: file_symlink(fs, cred, "where to", PATH(p)); break;
  case 12:
    if (!try_open(p, O_RDWR, 0)) {
      opened->inode->ops->fallocate(opened->inode, chance(2) ? FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE : 0, chance(9) * 4000, 9000);
      ofd_put(opened);
    }
    break;
  case 13:
    if (kept_open) ofd_put(kept_open);
    kept_open = try_open(p, O_RDWR | O_CREAT, 0600) ? NULL : opened;
    if (kept_open && S_ISREG(kept_open->inode->mode)) { /* as a shared mapping writes: without a word */
      u8 *page = NULL;
      if (kept_open->inode->size > 5000 && !kept_open->inode->ops->page(kept_open->inode, 1, true, &page)) page[7] = (u8)seed;
    }
    break;
  case 14:
    if (!try_open(p, O_RDWR, 0))
      xattr_set(opened->inode, cred, chance(2) ? "user.one" : "user.two", "value", chance(6), 0), ofd_put(opened);
    break;
  case 15:
    if (!try_open(p, O_RDONLY, 0)) inode_chmod(opened->inode, cred, chance(2) ? 0700 : 0644), ofd_put(opened);
    break;
  default: break;
  }
}

static void start(int *number) {
  block = "journal";
  taken_bytes = commit_count = 0;
  *number = journal_new(0);
  IS(journal_replayed((u32)*number), 0);
  mount_kept(*number, "/a");
}

static void test_any_changes_come_back(void) {
  int number;
  start(&number);
  for (u32 round = 0; round < 60; round++) {
    for (u32 i = 0; i < chance(60); i++) change("/a");
    if (kept_open) ofd_put(kept_open), kept_open = NULL; /* its mapping ends */
    if (chance(9) == 0) journal_take_all((u32)number);
    commit(number, chance(3) ? 1u << 20 : 6000, false);
    int other = replay(taken_bytes);
    mount_kept(other, "/b");
    compare("/a", "/b");
    unmount("/b");
    if (failures) break;
  }
  unmount("/a");
}

static void test_changes_during_a_round_and_failed_rounds(void) {
  int number;
  start(&number);
  for (u32 round = 0; round < 40; round++) {
    for (u32 i = 0; i < chance(60); i++) change("/a");
    if (kept_open) ofd_put(kept_open), kept_open = NULL;
    if (chance(4) == 0) { /* a round whose records are lost */
      u32 before = taken_bytes;
      i64 upto = journal_begin((u32)number);
      journal_take((u32)number, taken + taken_bytes, chance(2) ? 8000 : 1u << 20);
      taken_bytes = before;
      journal_done((u32)number, (u64)upto, chance(2) ? -ENOSPC : -EIO);
    }
    if (taken_bytes > LOG_BYTES / 2) break;
    commit(number, 9000, true);
    if (kept_open) ofd_put(kept_open), kept_open = NULL;
    commit(number, 1u << 20, false);
    int other = replay(taken_bytes);
    mount_kept(other, "/b");
    compare("/a", "/b");
    unmount("/b");
    if (failures) break;
  }
  unmount("/a");
}

/* A tree made of records goes on and is made of them again, life after life. */
static void test_lives(void) {
  int number;
  start(&number);
  for (u32 life = 0; life < 40 && !failures; life++) {
    for (u32 round = 0; round < 3; round++) {
      for (u32 i = 0; i < chance(30); i++) change("/a");
      if (kept_open) ofd_put(kept_open), kept_open = NULL;
      commit(number, 1u << 20, false);
    }
    int other = replay(taken_bytes);
    mount_kept(other, "/b");
    compare("/a", "/b");
    unmount("/b");
    unmount("/a");
    number = replay(taken_bytes);
    mount_kept(number, "/a");
  }
  unmount("/a");
}

static void test_no_room_outside_is_enospc(void) {
  int number;
  start(&number);
  put_file("/a/f", "text");
  i64 upto = journal_begin((u32)number);
  CHECK(journal_take((u32)number, taken, 1u << 20) > 0);
  journal_done((u32)number, (u64)upto, -ENOSPC);
  struct ofd *f = must_open("/a/g", O_RDWR | O_CREAT, 0644);
  IS(write_text(f, "more"), -ENOSPC);
  ofd_put(f);
  IS(open_close("/a/f", O_RDONLY), 0);
  IS(file_unlink(fs, cred, PATH("/a/g"), false), 0);
  IS(file_unlink(fs, cred, PATH("/a/f"), false), 0);
  put_file("/a/f", "text"); /* as much as was freed, at once */
  commit(number, 1u << 20, false);
  put_file("/a/g", "there is room again");
  commit(number, 1u << 20, false);
  int other = replay(taken_bytes);
  mount_kept(other, "/b");
  CHECK(file_is("/b/g", "there is room again") && file_is("/b/f", "text"));
  unmount("/b");
  unmount("/a");
}

/* Bytes that are no records, or not those of a tree: refused or harmless, never out of bounds (the sanitizers look). */
static void test_bad_records(void) {
  int number;
  start(&number);
  for (u32 i = 0; i < 300; i++) change("/a");
  if (kept_open) ofd_put(kept_open), kept_open = NULL;
  commit(number, 1u << 20, false);
  u8 *copy = malloc(taken_bytes);
  u32 refused = 0;
  for (u32 round = 0; round < 400; round++) {
    memcpy(copy, taken, taken_bytes);
    for (u32 i = 0; i <= chance(4); i++) copy[chance(4) ? chance(MIN(taken_bytes, 3000u)) & ~3u : chance(taken_bytes)] = (u8)chance(256);
    int n = journal_new(0);
    int r = journal_replay((u32)n, copy, chance(5) ? taken_bytes : chance(taken_bytes));
    if (!r) r = journal_replayed((u32)n);
    refused += r != 0;
    journal_discard((u32)n);
  }
  CHECK(refused > 20);
  free(copy);
  unmount("/a");
}

int main(void) {
  kernel_lock();
  file_boot();
  fs = fs_context_new(root_inode(0));
  block = "journal";
  taken = malloc(LOG_BYTES + (8u << 20));
  IS(file_mkdir(fs, cred, PATH("/a"), 0755), 0);
  IS(file_mkdir(fs, cred, PATH("/b"), 0755), 0);
  test_any_changes_come_back();
  test_changes_during_a_round_and_failed_rounds();
  test_lives();
  test_no_room_outside_is_enospc();
  test_bad_records();
  fs_context_put(fs);
  free(taken);
  kernel_unlock();
  printf("journal: %d checks, %d failed\n", checks, failures);
  return failures != 0;
}
