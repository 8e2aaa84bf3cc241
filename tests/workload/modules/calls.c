/* Every call of WASI preview 1, well used and badly, one line of outcome each: the test runs it on two implementations and
 * compares. Works in its first preopened directory, which is empty. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wasi/api.h>

#define DIR 3
#define S (1000000000ull)
#define IGNORE(call) (void)!(call)

static char buffer[8192];
static __wasi_fd_t file;
static __wasi_rights_t all; /* that can be asked for */

static void say(const char *what, int error) { printf("%s: %d\n", what, error); }
static void number(const char *what, unsigned long long n) { printf("  %s %llu\n", what, n); }

static int open_at(int dir, int follow, const char *path, int oflags, __wasi_rights_t rights, int flags, __wasi_fd_t *fd) {
  return __wasi_path_open(dir, follow, path, oflags, rights, all, flags, fd);
}
static int try_open(const char *what, const char *path, int oflags, __wasi_rights_t rights) {
  __wasi_fd_t fd;
  int r = open_at(DIR, 0, path, oflags, rights, 0, &fd);
  say(what, r);
  return r ? -1 : (int)fd;
}
static int close_if(int fd) { return fd < 0 ? 0 : __wasi_fd_close(fd); }
static int write_text(__wasi_fd_t fd, const char *a, const char *b) {
  __wasi_ciovec_t v[3] = {{(const uint8_t *)a, strlen(a)}, {0, 0}, {(const uint8_t *)b, strlen(b)}};
  __wasi_size_t n = 0;
  int r = __wasi_fd_write(fd, v, 3, &n);
  number("wrote", n);
  return r;
}
static int read_some(__wasi_fd_t fd, unsigned bytes, long long at) {
  __wasi_iovec_t v[2] = {{(uint8_t *)buffer, bytes / 2}, {(uint8_t *)buffer + bytes / 2, bytes - bytes / 2}};
  __wasi_size_t n = 0;
  int r = at < 0 ? __wasi_fd_read(fd, v, 2, &n) : __wasi_fd_pread(fd, v, 2, at, &n);
  if (!r) printf("  read %.*s\n", (int)n, buffer);
  return r;
}
static void stat_of(const char *what, int r, const __wasi_filestat_t *s) {
  say(what, r);
  if (!r) printf("  type %d links %llu size %llu\n", s->filetype, (unsigned long long)s->nlink, s->filetype == 4 ? s->size : 0);
}

static void opening(void) {
  say("open creat excl", open_at(DIR, 0, "f", __WASI_OFLAGS_CREAT | __WASI_OFLAGS_EXCL, all, 0, &file));
  try_open("open excl again", "f", __WASI_OFLAGS_CREAT | __WASI_OFLAGS_EXCL, all);
  try_open("open missing", "none", 0, all);
  try_open("open file as directory", "f", __WASI_OFLAGS_DIRECTORY, __WASI_RIGHTS_FD_READ);
  try_open("open below file", "f/x", 0, __WASI_RIGHTS_FD_READ);
  try_open("open above", "../x", 0, __WASI_RIGHTS_FD_READ);
  try_open("open above by detour", "d/../../x", 0, __WASI_RIGHTS_FD_READ);
  try_open("open absolute", "/f", 0, __WASI_RIGHTS_FD_READ);
  try_open("open nothing", "", 0, __WASI_RIGHTS_FD_READ);
  __wasi_fd_t fd;
  say("open bad descriptor", open_at(77, 0, "f", 0, all, 0, &fd));
  say("open at file", open_at(file, 0, "f", 0, all, 0, &fd));
}
static void writing(void) {
  __wasi_filesize_t at = 0;
  say("write", write_text(file, "hello ", "world\n"));
  say("tell", __wasi_fd_tell(file, &at)), number("at", at);
  say("seek set", __wasi_fd_seek(file, 2, __WASI_WHENCE_SET, &at)), number("at", at);
  say("seek cur", __wasi_fd_seek(file, 3, __WASI_WHENCE_CUR, &at)), number("at", at);
  say("seek end", __wasi_fd_seek(file, -1, __WASI_WHENCE_END, &at)), number("at", at);
  say("seek before", __wasi_fd_seek(file, -1, __WASI_WHENCE_SET, &at));
  say("seek bad whence", __wasi_fd_seek(file, 0, 9, &at));
  say("seek bad descriptor", __wasi_fd_seek(77, 0, 0, &at));
  say("tell bad descriptor", __wasi_fd_tell(77, &at));
  say("read at end", read_some(file, 4, -1));
  IGNORE(__wasi_fd_seek(file, 0, 0, &at));
  say("read", read_some(file, 5, -1));
  say("pread", read_some(file, 5, 6));
  say("pread beyond", read_some(file, 5, 600));
  __wasi_ciovec_t v = {(const uint8_t *)"W", 1};
  __wasi_size_t n = 0;
  say("pwrite", __wasi_fd_pwrite(file, &v, 1, 6, &n)), number("wrote", n);
  say("pread again", read_some(file, 5, 6));
  say("write bad descriptor", __wasi_fd_write(77, &v, 1, &n));
  say("read bad descriptor", read_some(77, 4, -1));
  say("pread bad descriptor", read_some(77, 4, 0));
  say("pwrite bad descriptor", __wasi_fd_pwrite(77, &v, 1, 0, &n));
  int ro = try_open("open to read", "f", 0, __WASI_RIGHTS_FD_READ), wo = try_open("open to write", "f", 0, __WASI_RIGHTS_FD_WRITE);
  int refused = __wasi_fd_write(ro, &v, 1, &n) != 0, refused2 = read_some(wo, 4, -1) != 0;
  printf("write to what reads %d, read of what writes %d\n", refused, refused2);
  close_if(ro), close_if(wo);
  __wasi_fd_t append;
  say("open append", open_at(DIR, 0, "f", 0, all, __WASI_FDFLAGS_APPEND, &append));
  say("append", write_text(append, "more", "\n"));
  say("pread appended", read_some(file, 5, 12));
  IGNORE(__wasi_fd_close(append));
}
static void sizes(void) {
  __wasi_filestat_t s;
  stat_of("fd_filestat_get", __wasi_fd_filestat_get(file, &s), &s);
  say("fd_filestat_get bad", __wasi_fd_filestat_get(77, &s));
  say("set_size", __wasi_fd_filestat_set_size(file, 5));
  stat_of("after", __wasi_fd_filestat_get(file, &s), &s);
  say("set_size bad", __wasi_fd_filestat_set_size(77, 5));
  say("allocate", __wasi_fd_allocate(file, 4, 60));
  stat_of("after", __wasi_fd_filestat_get(file, &s), &s);
  say("allocate less", __wasi_fd_allocate(file, 0, 8));
  stat_of("after", __wasi_fd_filestat_get(file, &s), &s);
  say("allocate bad", __wasi_fd_allocate(77, 0, 8));
  for (int i = 0; i < 6; i++) say("advise", __wasi_fd_advise(file, 0, 64, i));
  say("advise bad", __wasi_fd_advise(77, 0, 64, 0));
  say("sync", __wasi_fd_sync(file));
  say("datasync", __wasi_fd_datasync(file));
  say("sync bad", __wasi_fd_sync(77));
  say("datasync bad", __wasi_fd_datasync(77));
  say("set_times", __wasi_fd_filestat_set_times(file, 5 * S, 7 * S, __WASI_FSTFLAGS_ATIM | __WASI_FSTFLAGS_MTIM));
  IGNORE(__wasi_fd_filestat_get(file, &s)), number("atim", s.atim), number("mtim", s.mtim);
  say("set_times both", __wasi_fd_filestat_set_times(file, 0, 0, __WASI_FSTFLAGS_MTIM | __WASI_FSTFLAGS_MTIM_NOW));
  say("set_times now", __wasi_fd_filestat_set_times(file, 0, 0, __WASI_FSTFLAGS_MTIM_NOW));
  IGNORE(__wasi_fd_filestat_get(file, &s)), number("later", s.mtim > 1000 * S), number("atim", s.atim);
  say("set_times bad", __wasi_fd_filestat_set_times(77, 0, 0, 0));
  say("path set_times", __wasi_path_filestat_set_times(DIR, 0, "f", 0, 9 * S, __WASI_FSTFLAGS_MTIM));
  stat_of("path_filestat_get", __wasi_path_filestat_get(DIR, 0, "f", &s), &s), number("mtim", s.mtim);
  say("path set_times missing", __wasi_path_filestat_set_times(DIR, 0, "none", 0, 9 * S, __WASI_FSTFLAGS_MTIM));
  say("path_filestat_get missing", __wasi_path_filestat_get(DIR, 0, "none", &s));
  say("path_filestat_get above", __wasi_path_filestat_get(DIR, 0, "..", &s));
  say("path_filestat_get bad", __wasi_path_filestat_get(77, 0, "f", &s));
}
static void flags(void) {
  __wasi_fdstat_t s;
  say("fdstat", __wasi_fd_fdstat_get(file, &s)), number("type", s.fs_filetype), number("flags", s.fs_flags);
  number("reads and writes", (s.fs_rights_base & 66) == 66);
  say("fdstat of directory", __wasi_fd_fdstat_get(DIR, &s)), number("type", s.fs_filetype);
  say("fdstat bad", __wasi_fd_fdstat_get(77, &s));
  say("set_flags", __wasi_fd_fdstat_set_flags(file, __WASI_FDFLAGS_APPEND));
  IGNORE(__wasi_fd_fdstat_get(file, &s)), number("flags", s.fs_flags);
  say("set_flags back", __wasi_fd_fdstat_set_flags(file, 0));
  IGNORE(__wasi_fd_fdstat_get(file, &s)), number("flags", s.fs_flags);
  say("set_flags bad", __wasi_fd_fdstat_set_flags(77, 0));
  __wasi_rights_t less = s.fs_rights_base & ~(__wasi_rights_t)__WASI_RIGHTS_FD_WRITE;
  say("set_rights less", __wasi_fd_fdstat_set_rights(file, less, 0));
  IGNORE(__wasi_fd_fdstat_get(file, &s)), number("writes", !!(s.fs_rights_base & __WASI_RIGHTS_FD_WRITE));
  say("set_rights more", __wasi_fd_fdstat_set_rights(file, less | __WASI_RIGHTS_FD_WRITE, 0));
  say("set_rights bad", __wasi_fd_fdstat_set_rights(77, 0, 0));
}
static void names(void) {
  __wasi_filestat_t s;
  __wasi_size_t n;
  say("mkdir", __wasi_path_create_directory(DIR, "d"));
  say("mkdir again", __wasi_path_create_directory(DIR, "d"));
  say("mkdir below missing", __wasi_path_create_directory(DIR, "none/d"));
  say("mkdir above", __wasi_path_create_directory(DIR, "../d"));
  say("mkdir bad", __wasi_path_create_directory(77, "e"));
  say("symlink", __wasi_path_symlink("../f", DIR, "d/to-f"));
  say("symlink again", __wasi_path_symlink("../f", DIR, "d/to-f"));
  say("symlink bad", __wasi_path_symlink("../f", 77, "x"));
  say("readlink", __wasi_path_readlink(DIR, "d/to-f", (uint8_t *)buffer, 64, &n)), printf("  %.*s\n", (int)n, buffer);
  say("readlink short", __wasi_path_readlink(DIR, "d/to-f", (uint8_t *)buffer, 2, &n));
  say("readlink of file", __wasi_path_readlink(DIR, "f", (uint8_t *)buffer, 64, &n));
  say("readlink missing", __wasi_path_readlink(DIR, "none", (uint8_t *)buffer, 64, &n));
  say("readlink bad", __wasi_path_readlink(77, "d/to-f", (uint8_t *)buffer, 64, &n));
  stat_of("stat follow", __wasi_path_filestat_get(DIR, 1, "d/to-f", &s), &s);
  stat_of("stat link", __wasi_path_filestat_get(DIR, 0, "d/to-f", &s), &s);
  say("symlink out", __wasi_path_symlink("../../../etc", DIR, "d/out"));
  say("stat out of it", __wasi_path_filestat_get(DIR, 1, "d/out/passwd", &s));
  say("symlink loop", __wasi_path_symlink("loop", DIR, "loop"));
  say("stat loop", __wasi_path_filestat_get(DIR, 1, "loop", &s));
  say("link", __wasi_path_link(DIR, 0, "f", DIR, "d/g"));
  stat_of("stat linked", __wasi_path_filestat_get(DIR, 0, "d/g", &s), &s);
  say("link again", __wasi_path_link(DIR, 0, "f", DIR, "d/g"));
  say("link missing", __wasi_path_link(DIR, 0, "none", DIR, "x"));
  say("link directory", __wasi_path_link(DIR, 0, "d", DIR, "x"));
  say("link bad", __wasi_path_link(77, 0, "f", DIR, "x"));
  say("rename", __wasi_path_rename(DIR, "d/g", DIR, "h"));
  say("rename missing", __wasi_path_rename(DIR, "d/g", DIR, "h"));
  say("rename over directory", __wasi_path_rename(DIR, "h", DIR, "d"));
  say("rename directory over file", __wasi_path_rename(DIR, "d", DIR, "h"));
  say("rename above", __wasi_path_rename(DIR, "h", DIR, "../h"));
  say("rename bad", __wasi_path_rename(DIR, "h", 77, "h"));
  say("unlink missing", __wasi_path_unlink_file(DIR, "none"));
  say("unlink bad", __wasi_path_unlink_file(77, "h"));
  say("unlink", __wasi_path_unlink_file(DIR, "h"));
  say("rmdir not empty", __wasi_path_remove_directory(DIR, "d"));
  say("rmdir file", __wasi_path_remove_directory(DIR, "f"));
  say("rmdir missing", __wasi_path_remove_directory(DIR, "none"));
  say("rmdir bad", __wasi_path_remove_directory(77, "d"));
}
static int by_name(const void *a, const void *b) { return strcmp(a, b); }
static void listing(void) {
  char found[8][64];
  __wasi_size_t used;
  int n = 0;
  __wasi_fd_t fd = (__wasi_fd_t)try_open("open directory", "d", __WASI_OFLAGS_DIRECTORY, __WASI_RIGHTS_FD_READDIR);
  say("readdir", __wasi_fd_readdir(fd, (uint8_t *)buffer, sizeof buffer, 0, &used));
  for (unsigned at = 0; at + sizeof(__wasi_dirent_t) <= used && n < 8;) {
    __wasi_dirent_t d;
    memcpy(&d, buffer + at, sizeof d);
    bool dots = buffer[at + sizeof d] == '.'; /* "." and "..": not everybody lists them */
    if (!dots) snprintf(found[n++], 64, "  %.*s type %d", (int)d.d_namlen, buffer + at + sizeof d, d.d_type);
    at += sizeof d + d.d_namlen;
  }
  qsort(found, n, 64, by_name);
  for (int i = 0; i < n; i++) puts(found[i]);
  say("readdir little", __wasi_fd_readdir(fd, (uint8_t *)buffer, 10, 0, &used)), number("used", used);
  int r = 0, seen = 0;
  for (__wasi_dircookie_t cookie = 0; seen < 100; seen++) { /* one at a time */
    __wasi_dirent_t d;
    if ((r = __wasi_fd_readdir(fd, (uint8_t *)buffer, 64, cookie, &used)) || used < sizeof d) break;
    memcpy(&d, buffer, sizeof d), cookie = d.d_next;
    seen -= buffer[sizeof d] == '.';
  }
  say("one at a time", r), number("seen", seen);
  say("readdir of file", __wasi_fd_readdir(file, (uint8_t *)buffer, 64, 0, &used));
  say("readdir bad", __wasi_fd_readdir(77, (uint8_t *)buffer, 64, 0, &used));
  IGNORE(__wasi_fd_close(fd));
  say("unlink links", __wasi_path_unlink_file(DIR, "d/to-f") | __wasi_path_unlink_file(DIR, "d/out") | __wasi_path_unlink_file(DIR, "loop"));
  say("rmdir", __wasi_path_remove_directory(DIR, "d"));
}
static void descriptors(void) {
  __wasi_prestat_t p;
  __wasi_fd_t a, b;
  say("prestat", __wasi_fd_prestat_get(DIR, &p)), number("tag", p.tag), number("bytes", p.u.dir.pr_name_len);
  say("prestat name", __wasi_fd_prestat_dir_name(DIR, (uint8_t *)buffer, p.u.dir.pr_name_len)), printf("  %.3s\n", buffer);
  say("prestat name short", __wasi_fd_prestat_dir_name(DIR, (uint8_t *)buffer, 0) != 0);
  say("prestat bad", __wasi_fd_prestat_get(77, &p));
  say("prestat of stdin", __wasi_fd_prestat_get(0, &p) != 0);
  open_at(DIR, 0, "f", 0, __WASI_RIGHTS_FD_READ, 0, &a), open_at(DIR, 0, "f", 0, __WASI_RIGHTS_FD_READ, 0, &b);
  say("renumber", __wasi_fd_renumber(a, b));
  say("close old number", __wasi_fd_close(a));
  say("close new number", __wasi_fd_close(b));
  say("renumber bad", __wasi_fd_renumber(77, file));
  say("close bad", __wasi_fd_close(77));
  say("close", __wasi_fd_close(file));
  say("close again", __wasi_fd_close(file));
  say("unlink", __wasi_path_unlink_file(DIR, "f"));
}
static void others(void) {
  __wasi_timestamp_t a, b;
  __wasi_size_t n, bytes;
  for (int id = 0; id < 4; id++) say("clock_res", __wasi_clock_res_get(id, &a)), number("positive", a > 0);
  say("clock_res bad", __wasi_clock_res_get(9, &a));
  for (int id = 0; id < 4; id++) say("clock_time", __wasi_clock_time_get(id, 0, &a)), IGNORE(__wasi_clock_time_get(id, 0, &b)), number("goes on", b >= a);
  say("clock_time bad", __wasi_clock_time_get(9, 0, &a));
  say("args_sizes", __wasi_args_sizes_get(&n, &bytes)), number("count", n);
  char *argv[8], *environ_[8], text[256];
  say("args", __wasi_args_get((uint8_t **)argv, (uint8_t *)text)), printf("  %s\n", argv[1]);
  say("environ_sizes", __wasi_environ_sizes_get(&n, &bytes)), number("count", n), number("bytes", bytes);
  say("environ", __wasi_environ_get((uint8_t **)environ_, (uint8_t *)text)), printf("  %s\n", environ_[0]);
  memset(buffer, 0, 4096);
  say("random", __wasi_random_get((uint8_t *)buffer, 4096));
  for (n = bytes = 0; n < 4096; n++) bytes += !buffer[n];
  number("few zeros", bytes < 100);
  say("yield", __wasi_sched_yield());
  __wasi_subscription_t s[2] = {{.userdata = 7}, {.userdata = 8}};
  __wasi_event_t e[2];
  s[0].u.tag = s[1].u.tag = __WASI_EVENTTYPE_CLOCK;
  s[0].u.u.clock.id = s[1].u.u.clock.id = __WASI_CLOCKID_MONOTONIC;
  s[0].u.u.clock.timeout = 100 * S, s[1].u.u.clock.timeout = S / 100;
  IGNORE(__wasi_clock_time_get(__WASI_CLOCKID_MONOTONIC, 0, &a));
  say("poll clocks", __wasi_poll_oneoff(s, e, 2, &n)), number("events", n);
  IGNORE(__wasi_clock_time_get(__WASI_CLOCKID_MONOTONIC, 0, &b));
  /* half of it: timers of whole milliseconds fire up to one early */
  printf("  of %d, error %d, waited %d\n", (int)e[0].userdata, e[0].error, b - a >= S / 200 && b - a < 90 * S);
  say("poll nothing", __wasi_poll_oneoff(s, e, 0, &n));
  s[0].u.tag = __WASI_EVENTTYPE_FD_WRITE, s[0].u.u.fd_write.file_descriptor = 1;
  say("poll stdout", __wasi_poll_oneoff(s, e, 1, &n)), number("events", n), number("type", e[0].type);
  s[0].u.u.fd_write.file_descriptor = 77;
  say("poll bad", __wasi_poll_oneoff(s, e, 1, &n)), number("events", n), number("error", e[0].error);
  __wasi_iovec_t v = {(uint8_t *)buffer, 8};
  __wasi_ciovec_t w = {(const uint8_t *)buffer, 8};
  __wasi_roflags_t out;
  __wasi_fd_t fd;
  say("sock_recv bad", __wasi_sock_recv(77, &v, 1, 0, &n, &out));
  say("sock_send bad", __wasi_sock_send(77, &w, 1, 0, &n));
  say("sock_shutdown bad", __wasi_sock_shutdown(77, __WASI_SDFLAGS_RD));
  say("sock_accept bad", __wasi_sock_accept(77, 0, &fd));
  say("sock_recv of directory", __wasi_sock_recv(DIR, &v, 1, 0, &n, &out));
  say("sock_send of directory", __wasi_sock_send(DIR, &w, 1, 0, &n));
  say("sock_shutdown of directory", __wasi_sock_shutdown(DIR, __WASI_SDFLAGS_RD));
  say("sock_accept of directory", __wasi_sock_accept(DIR, 0, &fd));
}

int main(void) {
  __wasi_fdstat_t s;
  setvbuf(stdout, NULL, _IOLBF, 1024); /* what was said before a crash is seen */
  if (__wasi_fd_fdstat_get(DIR, &s)) return 1;
  all = s.fs_rights_inheriting;
  others(), opening(), writing(), sizes(), flags(), names(), listing(), descriptors();
  __wasi_proc_exit(33);
}
