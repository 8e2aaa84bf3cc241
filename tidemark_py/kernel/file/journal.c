/* journal: what changes in a memfs leaves kernel memory as records, and makes the same tree again.
 *
 * Nothing is written when it happens. An inode that changes goes on a list, its changed pages are tagged (memfs.h,
 * PAGE_DIRTY); the kernel worker takes records of the newest state whenever somebody waits in fsync(2), or a second after
 * the first change, and keeps them: one round is one transaction. What is kept is thus always the whole tree as it was at
 * one moment, and a moment not before the last fsync that returned; there is no order of writes to get wrong. While a
 * round is under way guests go on: what changes meanwhile is taken again before the round ends.
 *
 * Records (abi/layouts.toml, journal_*): NODE (attributes, a link's target, how much of a file's old body counts), PAGE,
 * NAMES (all of a directory), XATTRS. Nodes and pages come before the names that need them. Numbers of inodes are never
 * used again, so nothing is said when one goes: what no directory names after a replay is dropped.
 *
 * A page that a shared mapping may write is taken again in every round that somebody asked for.
 * Follows fsync(2), sync(2). Called by memfs, sys/ and kernel/host. Missing: renames of the numbers when they run out
 * (2^64). */
#include "journal.h"

#define MAX_JOURNALS 16u

struct journal {
  struct memfs *fs;
  struct list nodes, names; /* memfs_inode.dirty, .renamed */
  u64 requested, served;    /* rounds asked for; the last one that ended */
  int result;               /* of the last round */
  u64 full_blocks;          /* that many were too many */
  bool told, taken, full, fed, ready, mounted;
  struct wait_queue wait;
  struct memfs_inode **by_ino; /* while replaying: open addressing */
  u32 by_ino_size, by_ino_count;
};
static struct journal *journals[MAX_JOURNALS];
static u32 ready_number; /* +1: what mount(2) takes */

static struct journal *journal_find(u32 number) { return number < MAX_JOURNALS ? journals[number] : NULL; }
static u32 number_of(const struct journal *j) {
  u32 n = 0;
  while (journals[n] != j) n++;
  return n;
}

/* ---- marking ---- */
static void tell(struct journal *j) {
  if (j->told || !j->mounted) return;
  j->told = true;
  host_notify(ROLE_KERNEL, NOTIFY_JOURNAL, number_of(j));
}

void journal_changed(struct memfs_inode *m) {
  struct journal *j = memfs_fs(m)->journal;
  if (list_empty(&m->dirty)) list_add_tail(&j->nodes, &m->dirty);
  if (S_ISDIR(m->i.mode) && list_empty(&m->renamed)) list_add_tail(&j->names, &m->renamed);
  tell(j);
}

/* Whoever frees something may write that much again: whether it can be kept is the next round's to say. */
bool journal_full(const struct memfs *fs) {
  return fs->journal && fs->journal->full && fs->sb.blocks_used >= fs->journal->full_blocks;
}

/* ---- fsync ---- */
static bool at_rest(const struct journal *j) {
  return list_empty(&j->nodes) && list_empty(&j->names) && !j->taken && j->served == j->requested;
}

static void tag_shared(struct journal *j) {
  if (LIKELY(!j->fs->shared_count)) return;
  LIST_FOR(m, &j->fs->inodes, struct memfs_inode, link) {
    if (!m->shared_pages) continue;
    memfs_pages_tag(m, PAGE_SHARED);
    journal_changed(m);
  }
}

static int sync_number(u32 number) {
  struct journal *j = journal_find(number);
  if (!j || !j->mounted) return 0;
  tag_shared(j);
  if (at_rest(j)) return 0;
  u64 want = ++j->requested;
  host_notify(ROLE_KERNEL, NOTIFY_JOURNAL, number);
  while (j->served < want) {
    int r = wait_on_killable(&j->wait);
    if (r) return r;
    if (journal_find(number) != j) return -EIO; /* it went meanwhile */
  }
  return j->result;
}

int file_sync(struct superblock *sb) {
  if (sb->covered) sb = sb->root->sb;
  if (sb->kill != memfs_kill) return 0;
  const struct journal *j = CONTAINER_OF(sb, struct memfs, sb)->journal;
  return LIKELY(!j) ? 0 : sync_number(number_of(j));
}

int file_sync_all(void) {
  int result = 0;
  for (u32 n = 0; n < MAX_JOURNALS; n++) {
    int r = sync_number(n);
    if (r) result = r;
  }
  return result;
}

/* ---- giving records ---- */
struct give {
  u8 *to;
  u32 room, bytes;
};

/* Room for a record of `bytes` more bytes; its payload, zeroed to the next multiple of 8. NULL: no room. */
static u8 *record(struct give *g, u32 kind, u64 ino, u32 bytes) {
  u32 whole = ALIGN_UP((u32)sizeof(struct journal_record) + bytes, 8u);
  if (whole > g->room - g->bytes) return NULL;
  u8 *at = g->to + g->bytes;
  memset(at + whole - 8, 0, 8);
  struct journal_record head = {.kind = kind, .bytes = bytes, .ino = ino};
  memcpy(at, &head, sizeof head);
  g->bytes += whole;
  return at + sizeof head;
}

static bool give_node(struct give *g, struct memfs_inode *m) {
  const struct inode *i = &m->i;
  bool is_link = S_ISLNK(i->mode), is_file = S_ISREG(i->mode);
  u32 more = is_link ? (u32)i->size : 0, xattrs = xattr_pack(i, NULL);
  u32 start = g->bytes;
  u8 *at = record(g, JOURNAL_NODE, i->ino, (u32)sizeof(struct journal_node) + more);
  if (!at) return false;
  struct journal_node n = {
      .mode = i->mode, .uid = i->uid, .gid = i->gid, .rdev = i->rdev, .size = i->size,
      .kept = is_file ? m->file.kept : ~0ull,
      .atime = i->atime.sec, .mtime = i->mtime.sec, .ctime = i->ctime.sec, .btime = i->btime.sec,
      .atime_nsec = (u32)i->atime.nsec, .mtime_nsec = (u32)i->mtime.nsec, .ctime_nsec = (u32)i->ctime.nsec,
      .btime_nsec = (u32)i->btime.nsec};
  memcpy(at, &n, sizeof n);
  if (more) memcpy(at + sizeof n, m->target, more);
  if (!(at = record(g, JOURNAL_XATTRS, i->ino, xattrs))) return g->bytes = start, false;
  xattr_pack(i, at);
  if (is_file) m->file.kept = ~0ull;
  return true;
}

static u32 without_zeros(const u8 *page) {
  const u64 *words = (const u64 *)(const void *)page;
  u32 n = PAGE_BYTES / 8;
  while (n && !words[n - 1]) n--;
  return n * 8;
}

static bool give_pages(struct give *g, struct memfs_inode *m) {
  u64 index = 0, end = (m->i.size + PAGE_BYTES - 1) / PAGE_BYTES;
  for (const u8 *page; (page = memfs_page_dirty(m, &index, false)) && index < end; index++) {
    u32 n = without_zeros(page);
    u8 *at = record(g, JOURNAL_PAGE, m->i.ino, (u32)sizeof index + n);
    if (!at) return false;
    memcpy(at, &index, sizeof index);
    memcpy(at + sizeof index, page, n);
    memfs_page_dirty(m, &index, true);
  }
  return true;
}

static bool give_names(struct give *g, struct memfs_inode *m) {
  u64 bytes = 0;
  const struct memfs_directory *d = &m->dir;
  for (u32 i = 0; i < d->count; i++)
    if (d->entries[i].name) bytes += ALIGN_UP((u32)sizeof(struct journal_name) + d->entries[i].bytes, 8u);
  u8 *at = bytes < 1u << 30 ? record(g, JOURNAL_NAMES, m->i.ino, (u32)bytes) : NULL;
  if (!at) return false;
  for (u32 i = 0; i < d->count; i++) {
    const struct memfs_entry *e = &d->entries[i];
    if (!e->name) continue;
    u32 whole = ALIGN_UP((u32)sizeof(struct journal_name) + e->bytes, 8u);
    memset(at + whole - 8, 0, 8);
    struct journal_name n = {.ino = ((const struct memfs_inode *)e->child)->i.ino, .bytes = e->bytes};
    memcpy(at, &n, sizeof n);
    memcpy(at + sizeof n, e->name, e->bytes);
    at += whole;
  }
  return true;
}

i64 journal_begin(u32 number) {
  struct journal *j = journal_find(number);
  if (!j || !j->mounted) return -ENODEV;
  j->told = false;
  return (i64)j->requested;
}

i32 journal_take(u32 number, u8 *to, u32 room) {
  struct journal *j = journal_find(number);
  if (!j) return -ENODEV;
  struct give g = {.to = to, .room = MIN(room, 1u << 30)};
  while (!list_empty(&j->nodes)) {
    struct memfs_inode *m = CONTAINER_OF(j->nodes.next, struct memfs_inode, dirty);
    if (m->i.nlink) { /* else it has no name: it is kept once it gets one (linkat(2) of an O_TMPFILE) */
      if (!give_node(&g, m) || (S_ISREG(m->i.mode) && !give_pages(&g, m))) goto out;
    }
    list_remove(&m->dirty);
  }
  while (!list_empty(&j->names)) {
    struct memfs_inode *m = CONTAINER_OF(j->names.next, struct memfs_inode, renamed);
    if (m->i.nlink && !give_names(&g, m)) goto out;
    list_remove(&m->renamed);
  }
out:
  if (g.bytes) j->taken = true;
  bool more = !list_empty(&j->nodes) || !list_empty(&j->names);
  return g.bytes || !more ? (i32)g.bytes : -ENOBUFS;
}

static void all_changed(struct journal *j) {
  LIST_FOR(m, &j->fs->inodes, struct memfs_inode, link) {
    if (S_ISREG(m->i.mode)) {
      m->file.kept = 0;
      memfs_pages_tag(m, 0);
    }
    journal_changed(m);
  }
}

void journal_take_all(u32 number) {
  struct journal *j = journal_find(number);
  if (j) all_changed(j);
}

void journal_done(u32 number, u64 upto, i32 result) {
  struct journal *j = journal_find(number);
  if (!j) return;
  if (result) all_changed(j); /* nobody knows what of it the next round may build on */
  j->taken = false;
  j->full = result == -ENOSPC, j->full_blocks = j->fs->sb.blocks_used;
  j->result = result;
  j->served = MAX(j->served, MIN(upto, j->requested));
  wait_wake(&j->wait, 0);
}

bool journal_wanted(u32 number) {
  const struct journal *j = journal_find(number);
  return j && j->requested > j->served;
}

u64 journal_bytes(u32 number) {
  const struct journal *j = journal_find(number);
  return j ? j->fs->sb.blocks_used * (PAGE_BYTES + 24) + j->fs->sb.inodes_used * 256 : 0;
}

void journal_limit(u32 number, u64 blocks) {
  struct journal *j = journal_find(number);
  if (j) j->fs->sb.blocks_limit = blocks;
}

/* ---- life ---- */
int journal_new(u64 limit_blocks) {
  u32 n = 0;
  while (n < MAX_JOURNALS && journals[n]) n++;
  if (n == MAX_JOURNALS) return -ENFILE;
  struct journal *j = kzalloc(sizeof *j);
  struct memfs *fs = j ? memfs_over("kept", NULL, limit_blocks) : NULL;
  if (!fs) {
    kfree(j);
    return -ENOMEM;
  }
  j->fs = fs;
  list_init(&j->nodes), list_init(&j->names), wait_queue_init(&j->wait);
  journals[n] = j;
  return (int)n;
}

void journal_end(struct memfs *fs) {
  struct journal *j = fs->journal;
  if (!j) return;
  u32 number = number_of(j);
  journals[number] = NULL;
  fs->journal = NULL;
  while (!list_empty(&j->nodes)) list_remove(j->nodes.next);
  while (!list_empty(&j->names)) list_remove(j->names.next);
  wait_wake(&j->wait, 0);
  while (!list_empty(&j->wait.entries)) wait_remove(CONTAINER_OF(j->wait.entries.next, struct wait_entry, link));
  if (j->mounted) host_notify(ROLE_KERNEL, NOTIFY_JOURNAL, number);
  kfree(j->by_ino);
  kfree(j);
}

void journal_discard(u32 number) {
  struct journal *j = journal_find(number);
  if (!j || j->mounted) return;
  if (ready_number == number + 1) ready_number = 0;
  struct memfs *fs = j->fs;
  fs->journal = j; /* so that its end is ours */
  superblock_discard(&fs->sb);
}

void journal_detach_all(void) {
  for (u32 n = 0; n < MAX_JOURNALS; n++) {
    struct journal *j = journals[n];
    if (!j || !j->fs->journal) continue;
    j->mounted = false; /* nobody is told */
    journal_end(j->fs);
  }
}

static struct superblock *kept_make(void) {
  struct journal *j = ready_number ? journal_find(ready_number - 1) : NULL;
  if (!j) return NULL;
  ready_number = 0;
  j->mounted = true;
  return &j->fs->sb;
}

void journal_boot(void) { fs_type_register("kept", kept_make); }

/* ---- replaying ---- */
static u32 ino_slot(const struct journal *j, u64 ino) { return (u32)((ino * 0x9e3779b97f4a7c15ull) >> 40) & (j->by_ino_size - 1); }

static struct memfs_inode *by_ino(const struct journal *j, u64 ino) {
  if (ino == j->fs->sb.root->ino) return memfs_of(j->fs->sb.root);
  if (!j->by_ino_size) return NULL;
  for (u32 s = ino_slot(j, ino); j->by_ino[s]; s = (s + 1) & (j->by_ino_size - 1))
    if (j->by_ino[s]->i.ino == ino) return j->by_ino[s];
  return NULL;
}

static bool by_ino_grow(struct journal *j) {
  if (j->by_ino_count * 2 < j->by_ino_size) return true;
  u32 size = j->by_ino_size ? j->by_ino_size * 2 : 256, old = j->by_ino_size;
  struct memfs_inode **from = j->by_ino, **table = kzalloc(size * sizeof *table);
  if (!table) return false;
  j->by_ino = table, j->by_ino_size = size;
  for (u32 i = 0; i < old; i++) {
    if (!from[i]) continue;
    u32 s = ino_slot(j, from[i]->i.ino);
    while (table[s]) s = (s + 1) & (size - 1);
    table[s] = from[i];
  }
  kfree(from);
  return true;
}

static bool kind_ok(u32 mode) {
  return S_ISREG(mode) || S_ISDIR(mode) || S_ISLNK(mode) || S_ISCHR(mode) || S_ISBLK(mode) || S_ISFIFO(mode) || S_ISSOCK(mode);
}

static int replay_node(struct journal *j, u64 ino, const u8 *p, u32 bytes) {
  struct journal_node n;
  if (bytes < sizeof n) return -EINVAL;
  memcpy(&n, p, sizeof n);
  u32 more = bytes - (u32)sizeof n, nsec = 999999999;
  if (!ino || ino >= 1ull << 62 || !kind_ok(n.mode) || (n.mode & ~(u32)(S_IFMT | 07777))) return -EINVAL;
  if (n.atime_nsec > nsec || n.mtime_nsec > nsec || n.ctime_nsec > nsec || n.btime_nsec > nsec) return -EINVAL;
  if (S_ISLNK(n.mode) ? more != n.size || !more || more >= PATH_BYTES || memchr(p + sizeof n, 0, more) : more != 0) return -EINVAL;
  if (S_ISREG(n.mode) && n.size > FILE_MAX_BYTES) return -EINVAL;
  struct memfs_inode *m = by_ino(j, ino);
  if (m && (m->i.mode & S_IFMT) != (n.mode & S_IFMT)) return -EINVAL;
  if (!m) {
    struct superblock *sb = &j->fs->sb;
    if (!by_ino_grow(j)) return -ENOMEM;
    if (!(m = memfs_inode_make(j->fs, n.mode, n.uid, n.gid, n.rdev, NULL))) return -ENOSPC;
    m->i.ino = ino;
    sb->next_ino = MAX(sb->next_ino, ino + 1);
    u32 s = ino_slot(j, ino);
    while (j->by_ino[s]) s = (s + 1) & (j->by_ino_size - 1);
    j->by_ino[s] = m, j->by_ino_count++;
  }
  if (S_ISLNK(n.mode)) {
    char *target = kmalloc(more + 1);
    if (!target) return -ENOMEM;
    memcpy(target, p + sizeof n, more);
    target[more] = 0;
    kfree(m->target);
    m->target = target;
  } else if (S_ISREG(n.mode)) {
    if (n.kept < m->i.size) memfs_truncate(&m->i, n.kept);
    if (n.size != m->i.size) memfs_truncate(&m->i, n.size);
  }
  struct inode *i = &m->i;
  i->mode = n.mode, i->uid = n.uid, i->gid = n.gid, i->rdev = n.rdev;
  if (!S_ISDIR(n.mode)) i->size = n.size;
  i->atime = (struct timespec64){n.atime, (i32)n.atime_nsec}, i->mtime = (struct timespec64){n.mtime, (i32)n.mtime_nsec};
  i->ctime = (struct timespec64){n.ctime, (i32)n.ctime_nsec}, i->btime = (struct timespec64){n.btime, (i32)n.btime_nsec};
  return 0;
}

static int replay_page(struct memfs_inode *m, const u8 *p, u32 bytes) {
  u64 index;
  if (!m || !S_ISREG(m->i.mode) || bytes < sizeof index || bytes - sizeof index > PAGE_BYTES) return -EINVAL;
  memcpy(&index, p, sizeof index);
  if (index >= (m->i.size + PAGE_BYTES - 1) / PAGE_BYTES) return -EINVAL;
  return memfs_page_put(m, index, p + sizeof index, bytes - (u32)sizeof index);
}

static bool name_ok(const char *name, u32 bytes) {
  if (!bytes || bytes > NAME_BYTES || memchr(name, 0, bytes) || memchr(name, '/', bytes)) return false;
  return name[0] != '.' || (bytes > 1 && (bytes > 2 || name[1] != '.'));
}

static int replay_names(const struct journal *j, struct memfs_inode *m, const u8 *p, u32 bytes) {
  if (!m || !S_ISDIR(m->i.mode)) return -EINVAL;
  memfs_dir_free(m);
  m->dir = (struct memfs_directory){.parent = m->dir.parent, .own = true, .next_cookie = 1};
  for (u32 at = 0; at < bytes;) {
    struct journal_name n;
    if (bytes - at < sizeof n) return -EINVAL;
    memcpy(&n, p + at, sizeof n);
    const char *name = (const char *)p + at + sizeof n;
    u32 whole = ALIGN_UP((u32)sizeof n + MIN(n.bytes, PATH_BYTES), 8u);
    struct memfs_inode *child = by_ino(j, n.ino);
    if (whole > bytes - at || !name_ok(name, n.bytes) || !child || &child->i == j->fs->sb.root) return -EINVAL;
    u32 hash = name_hash(name, n.bytes);
    if (memfs_dir_find(m, name, n.bytes, hash)) return -EINVAL;
    int r = memfs_dir_add(m, name, n.bytes, hash, child, false, true);
    if (r) return r;
    at += whole;
  }
  return 0;
}

int journal_replay(u32 number, const u8 *bytes, u32 count) {
  struct journal *j = journal_find(number);
  if (!j || j->mounted || j->ready) return -ENODEV;
  int r = 0;
  j->fed = true;
  for (u32 at = 0; !r && at < count;) {
    struct journal_record head;
    if (count - at < sizeof head) return -EINVAL;
    memcpy(&head, bytes + at, sizeof head);
    if (head.bytes > count - at - sizeof head) return -EINVAL;
    const u8 *p = bytes + at + sizeof head;
    struct memfs_inode *m = by_ino(j, head.ino);
    switch (head.kind) {
    case JOURNAL_NODE: r = replay_node(j, head.ino, p, head.bytes); break;
    case JOURNAL_PAGE: r = replay_page(m, p, head.bytes); break;
    case JOURNAL_NAMES: r = replay_names(j, m, p, head.bytes); break;
    case JOURNAL_XATTRS: r = m ? xattr_unpack(&m->i, p, head.bytes) : -EINVAL; break;
    default: r = -EINVAL;
    }
    at += ALIGN_UP((u32)sizeof head + head.bytes, 8u);
  }
  return r;
}

/* Every directory has one name, below the root; nlink of all is counted anew. */
static int count_names(struct journal *j) {
  struct memfs_inode *root = memfs_of(j->fs->sb.root);
  struct list queue;
  list_init(&queue);
  LIST_FOR(m, &j->fs->inodes, struct memfs_inode, link) {
    m->i.nlink = 0;
    if (S_ISDIR(m->i.mode)) m->dir.parent = NULL;
  }
  root->i.nlink = 2, root->dir.parent = root;
  list_add_tail(&queue, &root->dirty);
  int r = 0;
  while (!list_empty(&queue)) {
    struct memfs_inode *d = CONTAINER_OF(queue.next, struct memfs_inode, dirty);
    list_remove(&d->dirty);
    for (u32 i = 0; i < d->dir.count; i++) {
      struct memfs_inode *m = d->dir.entries[i].child;
      if (!d->dir.entries[i].name) continue;
      if (!S_ISDIR(m->i.mode)) {
        m->i.nlink++;
      } else if (m->dir.parent) {
        r = -EINVAL;
      } else {
        m->dir.parent = d, m->i.nlink = 2, d->i.nlink++;
        list_add_tail(&queue, &m->dirty);
      }
    }
  }
  return r;
}

int journal_replayed(u32 number) {
  struct journal *j = journal_find(number);
  if (!j || j->mounted || j->ready) return -ENODEV;
  int r = count_names(j);
  if (r) return r;
  LIST_FOR(m, &j->fs->inodes, struct memfs_inode, link) {
    if (&m->i == j->fs->sb.root) continue;
    if (!m->i.nlink && S_ISDIR(m->i.mode)) { /* what it names is named by nobody else, or lives on there */
      memfs_dir_free(m);
      m->dir = (struct memfs_directory){.own = true};
    }
    if (S_ISREG(m->i.mode)) m->file.kept = ~0ull; /* replaying cut it short, not a guest */
    inode_put(&m->i); /* gone without a name; else it stays for its names */
  }
  kfree(j->by_ino);
  j->by_ino = NULL, j->by_ino_size = j->by_ino_count = 0;
  j->ready = true, j->fs->journal = j;
  if (!j->fed) journal_changed(memfs_of(j->fs->sb.root)); /* a new one: its root is the first to be kept */
  ready_number = number + 1;
  return 0;
}
