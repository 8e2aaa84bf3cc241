/* rename(2), renameat2(2). */
#include "try.h"
#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1
#define RENAME_EXCHANGE 2
#endif
static int renameat2_(int a, const char *x, int b, const char *y, unsigned flags) { return (int)syscall(SYS_renameat2, a, x, b, y, flags); }

static void user(void) {
  TRY(rename("locked/f", "open/f"));
  TRY(rename("open/dir", "open/dir2"));
  TRY(rename("open/dir", "other/dir"));
}

int main(void) {
  enter("rename");
  put("a", "a"), put("b", "b");
  ino_t ino = stat_of("a").st_ino;
  TRY(rename("a", "c"));
  SHOW("%d", stat_of("c").st_ino == ino);
  show("a");
  TRY(rename("c", "b"));
  show("b");
  TRY(rename("missing", "x"));
  TRY(rename("b", "missing/x"));
  TRY(rename("b", "b"));
  TRY(link("b", "b2"));
  TRY(rename("b", "b2"));
  SHOW("%d", (int)stat_of("b").st_nlink);
  TRY(mkdir("d", 0755));
  TRY(mkdir("d/e", 0755));
  TRY(mkdir("empty", 0755));
  put("d/f", "in d");
  TRY(rename("b", "d"));
  TRY(rename("d", "b"));
  TRY(rename("b/", "z"));
  TRY(rename("b", "z/"));
  TRY(rename("d", "d/e/x"));
  TRY(rename("d", "d/x"));
  TRY(rename("d/e", "d"));
  TRY(rename("empty", "d"));
  TRY(rename("d/", "empty/"));
  show("empty/f");
  TRY(rename("empty", "d/"));
  TRY(rename(".", "x"));
  TRY(rename("d/..", "x"));
  TRY(rename("d", "."));
  TRY(rename("/", "x"));
  SHOW("%d", (int)stat_of("d").st_nlink);
  TRY(mkdir("p", 0755));
  TRY(rename("d/e", "p/e"));
  SHOW("%d %d", (int)stat_of("d").st_nlink, (int)stat_of("p").st_nlink);
  SHOW("%d", stat_of("p/e/..").st_ino == stat_of("p").st_ino);
  put("x", "x"), put("y", "y");
  TRY(renameat2_(AT_FDCWD, "x", AT_FDCWD, "y", RENAME_NOREPLACE));
  TRY(renameat2_(AT_FDCWD, "x", AT_FDCWD, "z", RENAME_NOREPLACE));
  TRY(renameat2_(AT_FDCWD, "z", AT_FDCWD, "y", RENAME_EXCHANGE));
  show("y"), show("z");
  TRY(renameat2_(AT_FDCWD, "z", AT_FDCWD, "missing", RENAME_EXCHANGE));
  TRY(renameat2_(AT_FDCWD, "z", AT_FDCWD, "p", RENAME_EXCHANGE));
  show("p");
  TRY(access("z/e", F_OK));
  TRY(renameat2_(AT_FDCWD, "z", AT_FDCWD, "z/e", RENAME_EXCHANGE));
  TRY(renameat2_(AT_FDCWD, "z/e", AT_FDCWD, "z", RENAME_EXCHANGE));
  TRY(renameat2_(AT_FDCWD, "x", AT_FDCWD, "y", 99));
  TRY(renameat2_(AT_FDCWD, "y", AT_FDCWD, "w", RENAME_NOREPLACE | RENAME_EXCHANGE));
  TRY(symlink("y", "s"));
  TRY(rename("s", "s2"));
  SHOW("%o", stat_of("s2").st_mode);
  TRY(rename("y", "s2"));
  SHOW("%o", stat_of("s2").st_mode);
  /* an open file keeps its body when its name is taken over */
  put("old", "old"), put("new", "new");
  int fd = open("old", O_RDONLY);
  TRY(rename("new", "old"));
  char buf[8] = "";
  TRY(read(fd, buf, 8));
  SHOW("%s", buf);
  close(fd);
  int from = open("d", O_RDONLY | O_DIRECTORY);
  TRY(renameat(from, "f", AT_FDCWD, "out"));
  show("out");
  TRY(renameat(99, "f", AT_FDCWD, "out"));
  close(from);
  TRY(rename("/proc/version", "out"));
  mkdir("locked", 0755), mkdir("open", 0777), mkdir("other", 0777), mkdir("open/dir", 0755);
  chmod("open", 0777), chmod("other", 0777);
  put("locked/f", "f");
  as_user(user);
  return 0;
}
