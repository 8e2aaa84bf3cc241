/* The file room alone: memfs over frozen layers, walks, descriptors, locks, roots. Kernel core is the real one; what
 * mm, wait and the host would give is plain C (file_test.h). Every block ends with the heap where it began.
 * Built and run by test_file.py. */
#include "file_test.h"

static void test_names(void) {
  begin("names");
  IS(open_close("/a", O_RDONLY), -ENOENT);
  put_file("/a", "hello");
  CHECK(file_is("/a", "hello"));
  IS(open_close("/a", O_CREAT | O_EXCL | O_WRONLY), -EEXIST);
  IS(open_close("/a", O_DIRECTORY), -ENOTDIR);
  IS(open_close("/a/", O_RDONLY), -ENOTDIR);
  IS(open_close("/a/b", O_RDONLY), -ENOTDIR);
  IS(open_close("/b/", O_CREAT | O_WRONLY), -EISDIR);
  IS(open_close("/tmp", O_WRONLY), -EISDIR);
  IS(open_close("/tmp", O_CREAT), -EISDIR);
  IS(open_close("", O_RDONLY), -ENOENT);
  IS(file_mkdir(fs, cred, PATH("/d"), 0777), 0);
  IS(file_mkdir(fs, cred, PATH("/d"), 0777), -EEXIST);
  IS(file_mkdir(fs, cred, PATH("/d/e/"), 0777), 0);
  IS(file_mkdir(fs, cred, PATH("/"), 0777), -EEXIST);
  IS(file_mkdir(fs, cred, PATH("/x/y"), 0777), -ENOENT);
  IS(inode_at("/d", 0)->nlink, 3);
  IS(inode_at("/d", 0)->mode, S_IFDIR | 0755);
  IS(file_unlink(fs, cred, PATH("/d"), false), -EISDIR);
  IS(file_unlink(fs, cred, PATH("/d"), true), -ENOTEMPTY);
  IS(file_unlink(fs, cred, PATH("/d/e/."), true), -EINVAL);
  IS(file_unlink(fs, cred, PATH("/d/e/.."), true), -ENOTEMPTY);
  IS(file_unlink(fs, cred, PATH("/a"), true), -ENOTDIR);
  IS(file_unlink(fs, cred, PATH("/"), true), -EBUSY);
  IS(file_unlink(fs, cred, PATH("/dev"), true), -EBUSY);
  IS(file_symlink(fs, cred, "d/e", PATH("/l")), 0);
  IS(file_symlink(fs, cred, "loop2", PATH("/loop1")), 0);
  IS(file_symlink(fs, cred, "loop1", PATH("/loop2")), 0);
  IS(open_close("/loop1", O_RDONLY), -ELOOP);
  IS(open_close("/l", O_RDONLY | O_NOFOLLOW), -ELOOP);
  IS(open_close("/l", O_PATH | O_NOFOLLOW), 0);
  IS(open_close("/l/../../a", O_RDONLY), 0);
  IS(open_close("/l/../../../../a", O_RDONLY), 0);
  IS(file_symlink(fs, cred, "d/new", PATH("/dangling")), 0);
  put_file("/dangling", "through");
  CHECK(file_is("/d/new", "through"));
  IS(file_link(fs, cred, PATH("/a"), WALK_NOFOLLOW, PATH("/d/hard")), 0);
  CHECK(inode_at("/a", 0) == inode_at("/d/hard", 0));
  IS(inode_at("/a", 0)->nlink, 2);
  IS(file_link(fs, cred, PATH("/d"), WALK_NOFOLLOW, PATH("/d2")), -EPERM);
  struct ofd *f = must_open("/a", O_RDWR, 0);
  IS(file_unlink(fs, cred, PATH("/a"), false), 0);
  IS(file_unlink(fs, cred, PATH("/d/hard"), false), 0);
  IS(f->inode->nlink, 0);
  char buf[8];
  IS(pread_bytes(f, buf, 8, 0), 5);
  ofd_put(f);
  char name[400];
  memset(name, 'n', sizeof name);
  name[0] = '/', name[257] = 0;
  IS(open_close(name, O_CREAT | O_WRONLY), -ENAMETOOLONG);
  name[256] = 0;
  IS(open_close(name, O_CREAT | O_WRONLY), 0);
  end();
}

static void test_rename(void) {
  begin("rename");
  put_file("/a", "a"), put_file("/b", "b");
  IS(file_mkdir(fs, cred, PATH("/d"), 0755), 0);
  IS(file_mkdir(fs, cred, PATH("/d/e"), 0755), 0);
  IS(file_mkdir(fs, cred, PATH("/empty"), 0755), 0);
  IS(file_rename(fs, cred, PATH("/a"), PATH("/b"), RENAME_NOREPLACE), -EEXIST);
  IS(file_rename(fs, cred, PATH("/a"), PATH("/b"), 0), 0);
  CHECK(file_is("/b", "a"));
  IS(open_close("/a", O_RDONLY), -ENOENT);
  IS(file_rename(fs, cred, PATH("/b"), PATH("/d"), 0), -EISDIR);
  IS(file_rename(fs, cred, PATH("/d"), PATH("/b"), 0), -ENOTDIR);
  IS(file_rename(fs, cred, PATH("/d"), PATH("/d/e/f"), 0), -EINVAL);
  IS(file_rename(fs, cred, PATH("/d/e"), PATH("/d"), 0), -ENOTEMPTY);
  IS(file_rename(fs, cred, PATH("/empty"), PATH("/d"), 0), -ENOTEMPTY);
  IS(file_rename(fs, cred, PATH("/d"), PATH("/empty"), 0), 0);
  IS(inode_at("/empty", 0)->nlink, 3);
  IS(file_rename(fs, cred, PATH("/b"), PATH("/empty/e"), RENAME_EXCHANGE), 0);
  CHECK(file_is("/empty/e", "a"));
  CHECK(S_ISDIR(inode_at("/b", 0)->mode));
  IS(inode_at("/empty", 0)->nlink, 2);
  IS(file_rename(fs, cred, PATH("/b"), PATH("/b"), 0), 0);
  IS(file_rename(fs, cred, PATH("/b"), PATH("/dev/b"), 0), -EXDEV);
  IS(file_rename(fs, cred, PATH("/b"), PATH("/gone/"), RENAME_EXCHANGE), -ENOENT);
  IS(file_rename(fs, cred, PATH("/b/."), PATH("/c"), 0), -EBUSY);
  for (int i = 0; i < 300; i++) { /* many names, and back to few */
    char p[32];
    snprintf(p, sizeof p, "/empty/f%d", i);
    put_file(p, p);
  }
  for (int i = 0; i < 300; i++) {
    char p[32], q[32];
    snprintf(p, sizeof p, "/empty/f%d", i), snprintf(q, sizeof q, "/b/g%d", i);
    CHECK(file_is(p, p));
    if (i % 3) IS(file_rename(fs, cred, &(struct path_at){.path = p}, &(struct path_at){.path = q}, 0), 0);
  }
  for (int i = 0; i < 300; i++) {
    char p[32], q[32];
    snprintf(p, sizeof p, "/empty/f%d", i), snprintf(q, sizeof q, "/b/g%d", i);
    IS(open_close(p, O_RDONLY), i % 3 ? -ENOENT : 0);
    IS(open_close(q, O_RDONLY), i % 3 ? 0 : -ENOENT);
  }
  end();
}

struct listing {
  char names[512][16];
  u32 count, stop_at;
  u64 pos;
};
static bool list_one(void *arg, const struct dirent_out *d, u64 next) {
  struct listing *l = arg;
  if (l->count == l->stop_at) return false;
  snprintf(l->names[l->count++], 16, "%.*s", (int)d->name_bytes, d->name);
  l->pos = next;
  return true;
}
static void test_readdir(void) {
  begin("readdir");
  IS(file_mkdir(fs, cred, PATH("/d"), 0755), 0);
  for (int i = 0; i < 100; i++) {
    char p[32];
    snprintf(p, sizeof p, "/d/n%d", i);
    put_file(p, "");
  }
  struct ofd *f = must_open("/d", O_RDONLY | O_DIRECTORY, 0);
  static struct listing l;
  memset(&l, 0, sizeof l);
  u32 round = 0;
  while (l.count < 100 && round++ < 100) { /* seven at a time, each is removed once seen: none is missed */
    u32 before = l.count;
    l.stop_at = before + 7;
    IS(f->inode->ops->readdir(f->inode, l.pos, list_one, &l), 0);
    for (u32 i = before; i < l.count; i++) {
      char p[40];
      snprintf(p, sizeof p, "/d/%s", l.names[i]);
      IS(file_unlink(fs, cred, PATH(p), false), 0);
    }
  }
  IS(l.count, 100);
  IS(file_unlink(fs, cred, PATH("/d"), true), 0);
  ofd_put(f);
  end();
}

static void test_data(void) {
  begin("data");
  struct ofd *f = must_open("/sparse", O_RDWR | O_CREAT, 0644);
  u8 buf[8192];
  u64 far = 5ull << 30;
  IS(pwrite_bytes(f, "end", 3, far), 3);
  IS(f->inode->size, far + 3);
  IS(f->inode->blocks_512, 8);
  IS(pread_bytes(f, buf, 4096, 4096), 4096);
  CHECK(!buf[0] && !memcmp(buf, buf + 1, 4095));
  IS(f->ops->seek(f, 0, SEEK_DATA), (i64)far);
  IS(f->ops->seek(f, 0, SEEK_HOLE), 0);
  IS(f->ops->seek(f, (i64)far, SEEK_HOLE), (i64)far + 3);
  IS(f->ops->seek(f, (i64)far + 3, SEEK_DATA), -ENXIO);
  IS(pwrite_bytes(f, "one", 3, 100000), 3);
  IS(f->ops->seek(f, 0, SEEK_DATA), 100000 / 4096 * 4096);
  IS(file_truncate(f->inode, 100002), 0);
  IS(file_truncate(f->inode, 200000), 0);
  IS(pread_bytes(f, buf, 10, 99998), 10);
  CHECK(!memcmp(buf, "\0\0on\0\0\0\0\0\0", 10));
  IS(f->inode->blocks_512, 8);
  IS(f->inode->ops->fallocate(f->inode, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 98304, 4096), 0);
  IS(f->inode->blocks_512, 0);
  IS(f->inode->ops->fallocate(f->inode, 0, 0, 10000), 0);
  IS(f->inode->blocks_512, 24);
  IS(f->inode->size, 200000);
  IS(f->inode->ops->fallocate(f->inode, FALLOC_FL_KEEP_SIZE, 200000, 10000), 0);
  IS(f->inode->size, 200000);
  /* junk that a mapping left behind the end must not come to light */
  u8 *page;
  IS(file_truncate(f->inode, 10), 0);
  IS(f->inode->ops->page(f->inode, 0, true, &page), 0);
  memset(page, 'j', 4096);
  IS(pwrite_bytes(f, "x", 1, 100), 1);
  IS(pread_bytes(f, buf, 101, 0), 101);
  CHECK(buf[9] == 'j' && buf[10] == 0 && buf[99] == 0 && buf[100] == 'x');
  /* a buffer that faults half-way: a short write, nothing stale */
  memset(buf, 'w', sizeof buf);
  io_fault_after = 5000;
  IS(pwrite_bytes(f, buf, 8192, 8192), 5000);
  io_fault_after = ~0ull;
  IS(f->inode->size, 8192 + 5000);
  /* O_APPEND */
  f->flags |= O_APPEND;
  IS(write_text(f, "tail"), 4);
  IS(f->inode->size, 8192 + 5004);
  ofd_put(f);
  /* no room: the file system's limit */
  struct superblock *sb = root_inode(test_root)->sb;
  sb->blocks_limit = sb->blocks_used + 2;
  f = must_open("/full", O_RDWR | O_CREAT, 0644);
  u8 *big = calloc(1, 65536);
  IS(pwrite_bytes(f, big, 65536, 0), 8192);
  IS(pwrite_bytes(f, big, 65536, 8192), -ENOSPC);
  free(big);
  ofd_put(f);
  end();
}

static void test_permissions(void) {
  begin("permissions");
  put_file("/secret", "s");
  IS(inode_chmod(inode_at("/secret", 0), cred, 0600), 0);
  IS(file_mkdir(fs, cred, PATH("/private"), 0700), 0);
  put_file("/private/x", "x");
  IS(file_mkdir(fs, cred, PATH("/sticky"), 0777), 0);
  IS(inode_chmod(inode_at("/sticky", 0), cred, 01777), 0);
  put_file("/sticky/roots", "r");
  cred = &user_cred;
  IS(open_close("/secret", O_RDONLY), -EACCES);
  IS(open_close("/private/x", O_RDONLY), -EACCES);
  IS(open_close("/mine", O_CREAT | O_WRONLY), -EACCES);
  IS(file_unlink(fs, cred, PATH("/sticky/roots"), false), -EPERM);
  IS(open_close("/sticky/mine", O_CREAT | O_WRONLY), 0);
  IS(inode_chown(inode_at("/sticky/mine", 0), cred, 0, ~0u), -EPERM);
  IS(inode_chmod(inode_at("/sticky/mine", 0), cred, 0400), 0);
  IS(open_close("/sticky/mine", O_WRONLY), -EACCES);
  IS(open_close("/sticky/mine", O_RDONLY | O_TRUNC), -EACCES);
  IS(file_unlink(fs, cred, PATH("/sticky/mine"), false), 0);
  IS(file_mknod(fs, cred, PATH("/sticky/dev"), S_IFCHR | 0666, makedev(1, 3)), -EPERM);
  cred = &root_cred;
  IS(open_close("/secret", O_RDONLY), 0);
  IS(inode_permission(inode_at("/secret", 0), cred, 1), -EACCES);
  IS(file_mkdir(fs, cred, PATH("/team"), 0777), 0);
  IS(inode_chown(inode_at("/team", 0), cred, ~0u, 77), 0);
  IS(inode_chmod(inode_at("/team", 0), cred, 02777), 0);
  IS(file_mkdir(fs, cred, PATH("/team/sub"), 0755), 0);
  IS(inode_at("/team/sub", 0)->gid, 77);
  IS(inode_at("/team/sub", 0)->mode, S_IFDIR | 02755);
  struct inode *x = inode_at("/private/x", 0);
  x->write_denied++;
  IS(open_close("/private/x", O_WRONLY), -ETXTBSY);
  x->write_denied--;
  end();
}

static void test_cwd_and_mounts(void) {
  begin("cwd");
  char buf[4096];
  IS(file_mkdir(fs, cred, PATH("/d"), 0755), 0);
  IS(file_mkdir(fs, cred, PATH("/d/e"), 0755), 0);
  struct walk *w = walk_new();
  IS(path_walk(fs, cred, NULL, NULL, "/d/./../d//e/", 0, w), 0);
  CHECK(!strcmp(w->path, "/d/e"));
  inode_put(fs->cwd), kfree(fs->cwd_path);
  fs->cwd = w->inode, w->inode = NULL, fs->cwd_path = kstrdup("/d/e");
  IS(path_of_cwd(fs, buf, sizeof buf), 4);
  IS(file_rename(fs, cred, PATH("/d"), PATH("/renamed"), 0), 0);
  IS(path_of_cwd(fs, buf, sizeof buf), 10);
  CHECK(!strcmp(buf, "/renamed/e"));
  IS(file_mkdir(fs, cred, PATH("f"), 0755), 0);
  IS(path_walk(fs, cred, NULL, NULL, "../../renamed/e/f", 0, w), 0);
  IS(file_unlink(fs, cred, PATH("f"), true), 0);
  IS(file_unlink(fs, cred, PATH("/renamed/e"), true), 0);
  IS(path_of_cwd(fs, buf, sizeof buf), -ENOENT);
  IS(open_close("x", O_CREAT | O_WRONLY), -ENOENT);
  IS(path_walk(fs, cred, NULL, NULL, "/dev/shm/../null", 0, w), 0);
  CHECK(!strcmp(w->path, "/dev/null"));
  IS(dev_minor(w->inode->rdev), 3);
  IS(path_walk(fs, cred, NULL, NULL, "/dev/../tmp", 0, w), 0);
  CHECK(!strcmp(w->path, "/tmp"));
  IS(w->inode->mode, S_IFDIR | 01777);
  IS(path_walk(fs, cred, NULL, NULL, "/dev/shm", 0, w), 0);
  IS(fs_unmount(w->mount, false), -EBUSY);
  walk_free(w);
  struct superblock *sb = memfs_new("tmpfs", 10);
  IS(file_mkdir(fs, cred, PATH("/mnt"), 0755), 0);
  put_file("/mnt/under", "u");
  IS(fs_mount(fs->root, "/mnt", sb), 0);
  IS(open_close("/mnt/under", O_RDONLY), -ENOENT);
  put_file("/mnt/over", "o");
  IS(fs_unmount(sb, false), 0);
  CHECK(file_is("/mnt/under", "u"));
  struct walk *on = walk_new(), *of = walk_new();
  IS(path_walk(fs, cred, NULL, NULL, "/tmp", 0, on), 0);
  IS(path_walk(fs, cred, NULL, NULL, "/mnt", 0, of), 0);
  IS(fs_bind(on, of, false), 0);
  walk_free(on), walk_free(of);
  CHECK(file_is("/tmp/under", "u"));
  struct ofd *f = must_open("/dev/full", O_RDWR, 0);
  IS(write_text(f, "x"), -ENOSPC);
  ofd_put(f);
  f = must_open("/dev/zero", O_RDWR, 0);
  IS(ofd_pread(f, &(struct iobuf){0}, 0), 0);
  ofd_put(f);
  end();
}

static void test_fds_and_locks(void) {
  begin("fds");
  struct fd_table *t = fd_table_new(), *u;
  put_file("/f", "0123456789");
  for (int i = 0; i < 100; i++) IS(fd_install(t, must_open("/f", O_RDWR, 0), 0, 1024, i & 1), i);
  IS(fd_install(t, t->entries[0].ofd, 0, 100, false), -EMFILE);
  IS(fd_close(t, 50), 0);
  IS(fd_close(t, 50), -EBADF);
  IS(fd_close(t, 1000000), -EBADF);
  IS(fd_close(t, 7), 0);
  IS(fd_install(t, must_open("/f", O_RDWR, 0), 0, 1024, false), 7);
  IS(fd_install(t, must_open("/f", O_RDWR, 0), 0, 1024, false), 50);
  ofd_get(t->entries[3].ofd);
  IS(fd_install(t, t->entries[3].ofd, 200, 1024, false), 200);
  u = fd_table_copy(t);
  fd_table_close_on_exec(u);
  CHECK(!fd_get(u, 1) && fd_get(u, 2));
  struct ofd *a = fd_get(t, 0), *b = fd_get(u, 2);
  struct file_lock_request r = {.owner = t, .pid = 1, .type = F_WRLCK, .start = 0, .end = 99}, s;
  IS(lock_set(a->inode, &r, false), 0);
  s = (struct file_lock_request){.owner = u, .pid = 2, .type = F_RDLCK, .start = 50, .end = 60};
  IS(lock_set(a->inode, &s, false), -EAGAIN);
  IS(lock_set(a->inode, &s, true), -ERESTARTSYS);
  lock_test(a->inode, &s);
  IS(s.type, F_WRLCK);
  IS(s.pid, 1);
  r.type = F_UNLCK, r.start = 40, r.end = 70;
  IS(lock_set(a->inode, &r, false), 0);
  s = (struct file_lock_request){.owner = u, .pid = 2, .type = F_RDLCK, .start = 40, .end = 70};
  IS(lock_set(a->inode, &s, false), 0);
  s.start = 39;
  IS(lock_set(a->inode, &s, false), -EAGAIN);
  IS(lock_flock(a, LOCK_EX | LOCK_NB), 0);
  IS(lock_flock(b, LOCK_SH | LOCK_NB), -EAGAIN);
  IS(lock_flock(a, LOCK_SH | LOCK_NB), 0);
  IS(lock_flock(b, LOCK_SH | LOCK_NB), 0);
  IS(fd_close(t, 5), 0); /* any close of the file drops the table's record locks */
  s.type = F_WRLCK, s.start = 0, s.end = ~0ull;
  IS(lock_set(a->inode, &s, false), 0);
  fd_table_put(t);
  fd_table_put(u);
  CHECK(!inode_at("/f", 0)->locks);
  struct ofd *tmp = must_open("/tmp", O_TMPFILE | O_RDWR, 0600);
  IS(write_text(tmp, "tmp"), 3);
  IS(tmp->inode->nlink, 0);
  IS(file_link(fs, cred, &(struct path_at){.at = tmp->inode, .path = ""}, WALK_EMPTY, PATH("/linked")), 0);
  ofd_put(tmp);
  CHECK(file_is("/linked", "tmp"));
  end();
}

/* Bodies that come later: chunks of one page. Nobody waits here: -ENOTHERE itself is looked at. */
static void test_lazy_layer(void) {
  begin("lazy layer");
  char kept[16 * PAGE_BYTES];
  struct layer_builder *b = builder();
  add_entry(b, "big", S_IFREG | 0644, NULL)->size = 3 * PAGE_BYTES + 10;
  b->blob_used = 4 * PAGE_BYTES;
  memset(b->blob, 'x', 4 * PAGE_BYTES);
  add_entry(b, "small", S_IFREG | 0644, "small body");
  memcpy(kept, b->blob, sizeof kept);
  memset(b->blob, 0xdb, sizeof kept);
  i32 id = apply_as(test_root, b, PAGE_SHIFT);
  CHECK(id > 0);
  char buf[4 * PAGE_BYTES];
  struct ofd *big = must_open("/big", O_RDWR, 0), *small = must_open("/small", O_RDONLY, 0);
  u32 blob, chunk, bytes;
  CHECK(!fetch_next(&blob, &chunk)); /* names and sizes ask for nothing */
  IS(big->inode->size, 3 * PAGE_BYTES + 10);
  IS(file_missing(big->inode, false), 3 * PAGE_BYTES + 10);
  IS(pread_bytes(small, buf, 20, 0), -ENOTHERE);
  CHECK(fetch_wanted());
  IS(pread_bytes(big, buf, 10, 2 * PAGE_BYTES - 5), -ENOTHERE); /* two chunks */
  u8 *page;
  IS(big->inode->ops->page(big->inode, 2, false, &page), -ENOTHERE); /* asked for already */
  IS(big->inode->ops->page(big->inode, 3, true, &page), -ENOTHERE);
  CHECK(!memfs_of(big->inode)->changed);
  u32 asked = 0;
  while (fetch_next(&blob, &chunk)) {
    u8 *to = fetch_place(blob, chunk, &bytes);
    IS(blob, id);
    CHECK(to && bytes == PAGE_BYTES);
    memcpy(to, kept + chunk * PAGE_BYTES, bytes);
    asked |= 1u << chunk;
    if (chunk != 2) fetch_done(blob, chunk, true);
  }
  IS(asked, 0x1e); /* 1, 2, 3 of big, 4 is small's */
  IS(pread_bytes(small, buf, 20, 0), 10);
  CHECK(!memcmp(buf, "small body", 10));
  IS(pread_bytes(big, buf, 10, PAGE_BYTES), 10);
  IS(pread_bytes(big, buf, 2 * PAGE_BYTES, PAGE_BYTES), -ENOTHERE);
  fetch_done((u32)id, 2, false);
  IS(pread_bytes(big, buf, 2 * PAGE_BYTES, PAGE_BYTES), -EIO);
  IS(pwrite_bytes(big, "yy", 2, 2 * PAGE_BYTES), -EIO); /* the rest of the page would be lost */
  CHECK(!fetch_next(&blob, &chunk)); /* not asked for again at once */
  IS(pwrite_bytes(big, "yy", 2, PAGE_BYTES), 2);
  IS(pread_bytes(big, buf, 3, PAGE_BYTES), 3);
  CHECK(!memcmp(buf, "yyx", 3));
  CHECK(fetch_claim((u32)id, 0));
  CHECK(!fetch_claim((u32)id, 0) && !fetch_claim((u32)id, 99) && !fetch_claim((u32)id + 1, 0));
  memcpy(fetch_place((u32)id, 0, &bytes), kept, PAGE_BYTES);
  fetch_done((u32)id, 0, true);
  fetch_done((u32)id, 0, false); /* too late: it is here */
  IS(pread_bytes(big, buf, 1, 0), 1);
  IS(file_missing(big->inode, false), PAGE_BYTES);
  IS(file_truncate(big->inode, PAGE_BYTES + 1), 0);
  IS(file_missing(big->inode, true), 0); /* what was cut off is not wanted any more */
  ofd_put(big), ofd_put(small);
  fetch_forget();
  end();
  CHECK(!fetch_claim((u32)id, 2) && !fetch_place((u32)id, 2, &bytes)); /* the root is gone */
}

static void test_layers(void) {
  begin("layers");
  struct layer_builder *b = builder();
  add_entry(b, "usr", S_IFDIR | 0755, NULL);
  add_entry(b, "usr/bin", S_IFDIR | 0755, NULL);
  add_entry(b, "usr/bin/tool", S_IFREG | 0755, "tool v1");
  add_entry(b, "usr/bin/other", S_IFREG | 0755, "other v1");
  add_entry(b, "usr/bin/alias", 0, "usr/bin/tool");
  add_entry(b, "bin", S_IFLNK | 0777, "usr/bin");
  add_entry(b, "etc", S_IFDIR | 0755, NULL);
  add_entry(b, "etc/passwd", S_IFREG | 0644, "root:x:0:0");
  add_entry(b, "fifo", S_IFIFO | 0644, NULL);
  IS(apply(test_root, b), 0);
  CHECK(file_is("/bin/tool", "tool v1"));
  struct ofd *held = must_open("/usr/bin/alias", O_RDONLY, 0);
  CHECK(held->inode == inode_at("/bin/tool", 0));
  IS(held->inode->nlink, 2);
  IS(held->inode->mtime.sec, 1000000);
  u8 *page;
  IS(held->inode->ops->page(held->inode, 0, false, &page), 0);
  CHECK(!memcmp(page, "tool v1\0\0\0", 10) && !page[4095]); /* the tail is zeros, not the next body */
  ofd_put(held);
  int second = root_new((i32)test_root);
  CHECK(second > 0);
  put_file("/etc/passwd", "changed here");
  put_file("/etc/new", "new here");
  IS(file_unlink(fs, cred, PATH("/usr/bin/other"), false), 0);
  put_file("/usr/bin/tool", "tool local");
  CHECK(file_is("/usr/bin/alias", "tool local"));
  struct fs_context *first_fs = fs;
  fs = fs_context_new(root_inode((u32)second));
  CHECK(file_is("/etc/passwd", "root:x:0:0"));
  CHECK(file_is("/usr/bin/tool", "tool v1"));
  CHECK(file_is("/usr/bin/other", "other v1"));
  IS(open_close("/etc/new", O_RDONLY), -ENOENT);
  struct ofd *old = must_open("/usr/bin/tool", O_RDONLY, 0);

  b = builder(); /* an upper layer: replaces, adds, merges, whites out */
  add_entry(b, "usr/bin/tool", S_IFREG | 0755, "tool v2");
  add_entry(b, "usr/bin/third", S_IFREG | 0755, "third");
  add_entry(b, "usr/bin/other", S_IFCHR, NULL);
  add_entry(b, "usr", S_IFDIR | 0700, NULL);
  add_entry(b, "etc/passwd", S_IFREG | 0600, "root and more");
  add_entry(b, "etc/group", S_IFREG | 0600, "groups");
  IS(apply((u32)second, b), 0);
  CHECK(file_is("/usr/bin/tool", "tool v2"));
  CHECK(file_is("/usr/bin/alias", "tool v1"));
  CHECK(file_is("/usr/bin/third", "third"));
  CHECK(file_is("/etc/passwd", "root and more"));
  IS(open_close("/usr/bin/other", O_RDONLY), -ENOENT);
  IS(inode_at("/usr", 0)->mode, S_IFDIR | 0700);
  char buf[16] = {0};
  IS(pread_bytes(old, buf, 16, 0), 7); /* an open file stays what it was */
  CHECK(!memcmp(buf, "tool v1", 7));
  ofd_put(old);
  struct fs_context *second_fs = fs;
  fs = first_fs; /* the root that changed things keeps its changes and sees what is new */
  CHECK(file_is("/usr/bin/tool", "tool local"));
  CHECK(file_is("/usr/bin/third", "third"));
  CHECK(file_is("/etc/passwd", "changed here"));
  CHECK(file_is("/etc/new", "new here"));
  CHECK(file_is("/etc/group", "groups"));
  IS(inode_at("/usr", 0)->mode, S_IFDIR | 0700);
  fs_context_put(second_fs);
  IS(root_drop((u32)second), 0);

  struct { /* refused whole, with the entry's name */
    const char *path;
    u32 mode;
    const char *rest, *log;
  } bad[] = {
      {"../x", S_IFREG | 0644, "", "plain relative"},     {"/abs", S_IFREG | 0644, "", "plain relative"},
      {"a//b", S_IFREG | 0644, "", "plain relative"},     {"a/", S_IFDIR | 0755, NULL, "plain relative"},
      {"no/where", S_IFREG | 0644, "", "no directory"},   {"usr/bin/tool/x", S_IFREG | 0644, "", "no directory"},
      {"good", S_IFREG | 0644, "", "twice"},              {"h", 0, "missing", "hard link"},
      {"h", 0, "usr", "hard link"},                       {"s", S_IFLNK | 0777, NULL, "link target"},
      {"t", 0170000 | 0644, NULL, "unknown file type"},   {"m", S_IFREG | 0200644, "", "mode bits"},
      {"usr/.", S_IFDIR | 0755, NULL, "plain relative"},  {"bin/x", S_IFREG | 0644, "", "no directory"},
  };
  for (u32 i = 0; i < ARRAY_LEN(bad); i++) {
    u64 before = kheap_used_bytes();
    b = builder();
    add_entry(b, "good", S_IFREG | 0644, "good");
    add_entry(b, bad[i].path, bad[i].mode, bad[i].rest);
    last_log[0] = 0;
    IS(apply(test_root, b), -EINVAL);
    if (!strstr(last_log, bad[i].log) || !strstr(last_log, bad[i].path)) failures++, printf("layer: %s: log says: %s\n", bad[i].path, last_log);
    IS(open_close("/good", O_RDONLY), -ENOENT);
    IS(kheap_used_bytes(), before);
  }
  b = builder();
  add_entry(b, "body", S_IFREG | 0644, "body")->size = 1u << 20;
  IS(apply(test_root, b), -EINVAL);
  b = builder();
  add_entry(b, "body", S_IFREG | 0644, "body")->offset = ~0ull - 1;
  IS(apply(test_root, b), -EINVAL);
  b = builder();
  add_entry(b, "wild", S_IFREG | 0644, "body")->path = 0xfffffff0u;
  IS(apply(test_root, b), -EINVAL);
  b = builder();
  add_entry(b, "deep", S_IFREG | 0644, "body");
  add_entry(b, "deep/x", S_IFREG | 0644, "body");
  IS(apply(test_root, b), -EINVAL);
  for (u32 n = 1; n < 40; n++) { /* no memory at any point: all or nothing */
    u64 before = kheap_used_bytes();
    b = builder();
    add_entry(b, "mem", S_IFDIR | 0755, NULL);
    add_entry(b, "mem/x", S_IFREG | 0644, "body");
    kheap_fail_after(n);
    int r = apply(test_root, b);
    kheap_fail_after(0);
    if (!r) {
      CHECK(file_is("/mem/x", "body"));
      break;
    }
    IS(r, -ENOMEM);
    IS(kheap_used_bytes(), before);
    IS(open_close("/mem", O_RDONLY), -ENOENT);
  }
  /* a local directory takes in a layer's of the same name */
  IS(file_mkdir(fs, cred, PATH("/opt"), 0755), 0);
  put_file("/opt/mine", "mine");
  b = builder();
  add_entry(b, "opt", S_IFDIR | 0755, NULL);
  add_entry(b, "opt/theirs", S_IFREG | 0644, "theirs");
  IS(apply(test_root, b), 0);
  CHECK(file_is("/opt/mine", "mine"));
  CHECK(file_is("/opt/theirs", "theirs"));
  /* a big body: whole pages are lent, a write copies one page */
  b = builder();
  struct layer_entry *e = add_entry(b, "big", S_IFREG | 0644, "");
  for (u32 i = 0; i < 3 * PAGE_BYTES + 100; i++) b->blob[i] = (u8)(i / PAGE_BYTES + 1);
  e->offset = 0, e->size = 3 * PAGE_BYTES + 100, b->blob_used = e->size;
  u8 *blob = b->blob;
  IS(apply(test_root, b), 0);
  struct ofd *big = must_open("/big", O_RDWR, 0);
  u8 bytes[PAGE_BYTES + 10];
  IS(big->inode->ops->page(big->inode, 1, false, &page), 0);
  CHECK(page == blob + PAGE_BYTES);
  IS(pwrite_bytes(big, "W", 1, PAGE_BYTES + 5), 1);
  IS(big->inode->ops->page(big->inode, 1, false, &page), 0);
  CHECK(page != blob + PAGE_BYTES && page[5] == 'W' && page[6] == 2 && blob[PAGE_BYTES + 5] == 2);
  IS(big->inode->blocks_512, 32);
  IS(file_truncate(big->inode, 2 * PAGE_BYTES + 50), 0);
  IS(file_truncate(big->inode, 4 * PAGE_BYTES), 0);
  IS(pread_bytes(big, bytes, sizeof bytes, 2 * PAGE_BYTES), (i64)sizeof bytes);
  CHECK(bytes[49] == 3 && bytes[50] == 0 && bytes[PAGE_BYTES] == 0);
  IS(big->inode->ops->fallocate(big->inode, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PAGE_BYTES), 0);
  IS(pread_bytes(big, bytes, 2, PAGE_BYTES - 1), 2);
  CHECK(bytes[0] == 0 && bytes[1] == 2);
  ofd_put(big);
  end();
}

static void test_roots_are_flat(void) {
  begin("roots");
  struct layer_builder *b = builder();
  add_entry(b, "data", S_IFDIR | 0755, NULL);
  for (int i = 0; i < 20; i++) {
    char p[32];
    snprintf(p, sizeof p, "data/f%d", i);
    add_entry(b, p, S_IFREG | 0644, "layer");
  }
  IS(apply(test_root, b), 0);
  struct fs_context *outer = fs;
  u64 used = 0, start = 0, spent = 0;
  for (int i = 0; i < 1001; i++) {
    start = host_monotonic_ns();
    int r = root_new((i32)test_root);
    spent += host_monotonic_ns() - start;
    fs = fs_context_new(root_inode((u32)r));
    put_file("/data/f3", "changed");
    put_file("/data/new", "new");
    IS(file_unlink(fs, cred, PATH("/data/f4"), false), 0);
    IS(file_rename(fs, cred, PATH("/data/f5"), PATH("/tmp/f5"), 0), 0);
    IS(file_symlink(fs, cred, "/data/f3", PATH("/link")), 0);
    CHECK(file_is("/link", "changed"));
    IS(root_drop((u32)r), -EBUSY);
    fs_context_put(fs);
    start = host_monotonic_ns();
    IS(root_drop((u32)r), 0);
    spent += host_monotonic_ns() - start;
    if (i == 0) used = kheap_used_bytes();
  }
  IS(kheap_used_bytes(), used);
  printf("root_new + root_drop: %.2f us\n", (double)spent / 1001 / 1000);
  fs = outer;
  end();
}

/* Every allocation fails once, at every place it can: errors, no crash, nothing lost. */
static void no_memory_round(void) {
  int r = root_new(0);
  if (r < 0) return;
  struct fs_context *mine = fs_context_new(root_inode((u32)r));
  struct fd_table *t = fd_table_new(), *u = NULL;
  if (mine && t) {
    fs = mine;
    file_mkdir(fs, cred, PATH("/a"), 0755);
    for (int i = 0; i < 20; i++) {
      char p[32];
      snprintf(p, sizeof p, "/a/f%d", i);
      if (!try_open(p, O_RDWR | O_CREAT, 0644)) {
        write_text(opened, "some text");
        pwrite_bytes(opened, "far", 3, 1u << 30);
        struct file_lock_request l = {.owner = t, .pid = 1, .type = F_WRLCK, .start = 5, .end = 500};
        lock_set(opened->inode, &l, false);
        l.type = F_UNLCK, l.start = 50, l.end = 60;
        lock_set(opened->inode, &l, false);
        file_truncate(opened->inode, 100);
        if (fd_install(t, opened, i * 10, 1024, false) < 0) ofd_put(opened);
      }
    }
    file_symlink(fs, cred, "/a/f1", PATH("/link"));
    file_link(fs, cred, PATH("/a/f2"), 0, PATH("/tmp/hard"));
    file_rename(fs, cred, PATH("/a/f3"), PATH("/tmp/moved"), 0);
    file_rename(fs, cred, PATH("/a"), PATH("/tmp/dir"), 0);
    file_unlink(fs, cred, PATH("/link"), false);
    open_close("/dev/null", O_RDWR);
    if (!try_open("/tmp", O_TMPFILE | O_RDWR, 0600)) ofd_put(opened);
    u = fd_table_copy(t);
  }
  fd_table_put(t);
  fd_table_put(u);
  fs_context_put(mine);
  IS(root_drop((u32)r), 0);
}
static void test_no_memory(void) {
  begin("no memory");
  struct fs_context *outer = fs;
  no_memory_round();
  for (u32 n = 1; n < 400; n++) {
    u64 before = kheap_used_bytes();
    kheap_fail_after(n);
    no_memory_round();
    kheap_fail_after(0);
#ifdef __SANITIZE_ADDRESS__
    IS(kheap_used_bytes(), before);
#endif
    (void)before;
  }
  fs = outer;
  end();
}

static void test_speed(void) {
  begin("speed");
  IS(file_mkdir(fs, cred, PATH("/usr"), 0755), 0);
  IS(file_mkdir(fs, cred, PATH("/usr/bin"), 0755), 0);
  put_file("/usr/bin/file", "0123456789012345678901234567890123456789012345678901234567890123");
  struct fd_table *t = fd_table_new();
  char buf[64];
  u64 start = host_monotonic_ns(), n = 200000;
  for (u64 i = 0; i < n; i++) {
    int fd = try_open("/usr/bin/file", O_RDONLY, 0);
    fd = fd_install(t, opened, 0, 1024, false);
    struct iobuf io;
    io_init(&io, buf, 64);
    ofd_read(fd_get(t, fd), &io);
    fd_close(t, fd);
  }
  printf("open + read 64 + close: %.3f us\n", (double)(host_monotonic_ns() - start) / (double)n / 1000);
  fd_table_put(t);
  end();
}

int main(void) {
  kernel_lock();
  file_boot();
  for (int round = 0; round < 2; round++) { /* the first one fills the pools */
    if (!round) {
      block = "warm-up";
      fs = fs_context_new(root_inode(0));
      struct walk *w[8];
      char *p[8];
      for (int i = 0; i < 8; i++) w[i] = walk_new(), p[i] = path_buffer();
      for (int i = 0; i < 8; i++) walk_free(w[i]), path_buffer_free(p[i]);
      fs_context_put(fs);
      continue;
    }
    test_names();
    test_rename();
    test_readdir();
    test_data();
    test_permissions();
    test_cwd_and_mounts();
    test_fds_and_locks();
    test_lazy_layer();
    test_layers();
    test_roots_are_flat();
    test_no_memory();
    test_speed();
  }
  kernel_unlock();
  printf("file: %d checks, %d failed\n", checks, failures);
  return failures != 0;
}
