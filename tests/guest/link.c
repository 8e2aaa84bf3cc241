/* Links: link(2), symlink(2), readlink(2), O_NOFOLLOW, O_TMPFILE with linkat(2), path_resolution(7). */
#include "try.h"

static void hard(void) {
  put("a", "text");
  TRY(link("a", "b"));
  TRY(link("a", "b"));
  TRY(link("missing", "c"));
  TRY(link(".", "c"));
  TRY(link("a", "missing/c"));
  TRY(link("a", "c/"));
  SHOW("%d", (int)stat_of("b").st_nlink);
  SHOW("%d", stat_of("a").st_ino == stat_of("b").st_ino);
  put("b", "changed");
  show("a");
  TRY(unlink("a"));
  show("b");
  SHOW("%d", (int)stat_of("b").st_nlink);
  TRY(linkat(AT_FDCWD, "b", AT_FDCWD, "c", 0x80000));
  TRY(symlink("b", "s"));
  TRY(link("s", "s2"));
  SHOW("%o", stat_of("s2").st_mode);
  SHOW("%d", (int)stat_of("s").st_nlink);
  TRY(linkat(AT_FDCWD, "s", AT_FDCWD, "followed", AT_SYMLINK_FOLLOW));
  SHOW("%o", stat_of("followed").st_mode);
}

static void soft(void) {
  char buf[64];
  TRY(symlink("target", "l"));
  TRY(symlink("target", "l"));
  TRY(symlink("", "empty"));
  TRY(symlink("x", ""));
  TRY(symlink("x", "missing/l"));
  TRY(symlink("x", "new/"));
  ssize_t n = readlink("l", buf, sizeof buf);
  printf("%zd %.*s\n", n, (int)n, buf);
  TRY(readlink("l", buf, 3));
  TRY(readlink("l", buf, 0));
  TRY(readlink("b", buf, 10));
  TRY(readlink(".", buf, 10));
  TRY(readlink("missing", buf, 10));
  TRY(readlink("l/", buf, 10));
  SHOW("%ld %o", (long)stat_of("l").st_size, stat_of("l").st_mode);
  OPEN("l", O_RDONLY);
  put("l", "made through the link");
  show("target");
  OPEN("l", O_WRONLY | O_CREAT | O_EXCL, 0644);
  OPEN("l", O_RDONLY | O_NOFOLLOW);
  OPEN("l", O_RDONLY | O_NOFOLLOW | O_DIRECTORY);
  OPEN("l", O_PATH | O_NOFOLLOW);
  int fd = open("l", O_PATH | O_NOFOLLOW);
  TRY(readlinkat(fd, "", buf, sizeof buf));
  struct stat st;
  TRY(fstat(fd, &st));
  SHOW("%o", st.st_mode);
  close(fd);
  TRY(readlinkat(AT_FDCWD, "", buf, sizeof buf));
  TRY(symlink("self", "self"));
  OPEN("self", O_RDONLY);
  TRY(access("self", F_OK));
  TRY(mkdir("d", 0755));
  put("d/f", "in d");
  TRY(symlink("d", "dl"));
  show("dl/f");
  show("dl//f");
  show("dl/../dl/f");
  OPEN("dl/", O_RDONLY | O_NOFOLLOW);
  TRY(rmdir("dl"));
  TRY(rmdir("dl/"));
  TRY(unlink("dl/"));
  SHOW("%o", stat_of("dl/").st_mode);
  SHOW("%o", stat_of("dl").st_mode);
  OPEN("target/", O_RDONLY);
  char name[16] = "c0";
  TRY(symlink("d/f", name));
  for (int i = 1; i <= 42; i++) {
    char target[16];
    snprintf(target, sizeof target, "c%d", i - 1), snprintf(name, sizeof name, "c%d", i);
    if (symlink(target, name)) puts("symlink");
  }
  OPEN("c39", O_RDONLY);
  OPEN("c40", O_RDONLY);
  char longer[4097];
  memset(longer, 'x', sizeof longer);
  longer[4096] = 0;
  TRY(symlink(longer, "toolong"));
  longer[4095] = 0;
  TRY(symlink(longer, "long"));
}

static void temporary(void) {
  int fd = open(".", O_TMPFILE | O_RDWR, 0600);
  if (fd < 0) {
    puts(strerror(errno));
    return;
  }
  struct stat st;
  fstat(fd, &st);
  SHOW("%d %o", (int)st.st_nlink, st.st_mode);
  TRY(write(fd, "nameless", 8));
  TRY(linkat(fd, "", AT_FDCWD, "named", AT_EMPTY_PATH));
  show("named");
  fstat(fd, &st);
  SHOW("%d", (int)st.st_nlink);
  char path[32];
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  TRY(linkat(AT_FDCWD, path, AT_FDCWD, "by-proc", AT_SYMLINK_FOLLOW));
  TRY(unlink("named"));
  show("by-proc");
  int again = open(path, O_RDONLY);
  char buf[16];
  TRY(read(again, buf, sizeof buf));
  close(again), close(fd);
  fd = open(".", O_TMPFILE | O_WRONLY | O_EXCL, 0600);
  TRY(linkat(fd, "", AT_FDCWD, "excl", AT_EMPTY_PATH));
  close(fd);
  fd = open("by-proc", O_RDONLY);
  TRY(unlink("by-proc"));
  TRY(linkat(fd, "", AT_FDCWD, "undead", AT_EMPTY_PATH));
  char text[300], base[200];
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  ssize_t n = readlink(path, text, sizeof text - 1);
  text[n < 0 ? 0 : n] = 0;
  if (getcwd(base, sizeof base) && !strncmp(text, base, strlen(base))) printf("fd link: %s\n", text + strlen(base));
  close(fd);
}

int main(void) {
  enter("link");
  hard();
  soft();
  temporary();
  return 0;
}
