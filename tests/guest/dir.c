/* Directories: mkdir(2), rmdir(2), getdents64(2), chdir(2), getcwd(2), mknod(2), unlink(2). */
#include "try.h"
#include <limits.h>

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }
static void list(const char *path) {
  char *names[64];
  int n = 0;
  DIR *d = opendir(path);
  if (!d) {
    printf("%s: %s\n", path, strerror(errno));
    return;
  }
  for (struct dirent *e; (e = readdir(d));) {
    char line[300];
    snprintf(line, sizeof line, "%s:%d", e->d_name, e->d_type);
    struct stat st;
    if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) || st.st_ino != e->d_ino) strcat(line, "(other inode)");
    names[n++] = strdup(line);
  }
  closedir(d);
  qsort(names, n, sizeof *names, by_name);
  printf("%s:", path);
  for (int i = 0; i < n; i++) printf(" %s", names[i]), free(names[i]);
  puts("");
}

static void making(void) {
  TRY(mkdir("d", 0777));
  SHOW("%o", stat_of("d").st_mode);
  TRY(mkdir("d", 0777));
  TRY(mkdir("d/e/", 0700));
  TRY(mkdir("x/y", 0700));
  TRY(mkdir("/", 0700));
  TRY(mkdir(".", 0700));
  TRY(mkdir("..", 0700));
  TRY(mkdir("", 0700));
  put("f", "f");
  TRY(mkdir("f", 0700));
  TRY(mkdir("f/x", 0700));
  SHOW("%d", (int)stat_of("d").st_nlink);
  TRY(symlink("nowhere", "dangling"));
  TRY(mkdir("dangling", 0700));
  TRY(mkdir("dangling/", 0700));
  TRY(mknod("node", S_IFREG | 0640, 0));
  TRY(mknod("fifo", S_IFIFO | 0640, 0));
  TRY(mknod("null", S_IFCHR | 0666, 0x103));
  TRY(mknod("dir", S_IFDIR | 0666, 0));
  TRY(mknod("node", S_IFREG | 0640, 0));
  OPEN("null", O_WRONLY);
  OPEN("fifo", O_WRONLY | O_NONBLOCK);
  OPEN("fifo", O_RDONLY | O_NONBLOCK);
  list(".");
  list("d");
  list("f");
  list("missing");
}

static void removing(void) {
  TRY(rmdir("d"));
  TRY(unlink("d"));
  TRY(rmdir("f"));
  TRY(rmdir("d/e/."));
  TRY(rmdir("d/e/.."));
  TRY(rmdir("/"));
  TRY(rmdir("missing"));
  TRY(unlink("missing"));
  TRY(unlink("f/"));
  TRY(unlink("."));
  TRY(unlink("dangling/"));
  TRY(unlink("dangling"));
  TRY(unlinkat(AT_FDCWD, "f", 0x400000));
  TRY(unlinkat(AT_FDCWD, "d/e/", AT_REMOVEDIR));
  TRY(unlinkat(99, "d", AT_REMOVEDIR));
  int fd = open("f", O_RDONLY);
  TRY(unlinkat(fd, "x", 0));
  TRY(unlink("f"));
  char c = 0;
  TRY(read(fd, &c, 1));
  struct stat st;
  TRY(fstat(fd, &st));
  SHOW("%c %d", c, (int)st.st_nlink);
  close(fd);
  fd = open("d", O_RDONLY | O_DIRECTORY);
  TRY(mkdirat(fd, "in", 0700));
  TRY(unlinkat(fd, "in", AT_REMOVEDIR));
  TRY(rmdir("d"));
  TRY(mkdirat(fd, "in", 0700));
  TRY(openat(fd, "in", O_CREAT | O_WRONLY, 0600));
  char buf[1024];
  TRY(syscall(SYS_getdents64, fd, buf, sizeof buf));
  close(fd);
}

static void reading(void) {
  TRY(mkdir("many", 0755));
  for (int i = 0; i < 400; i++) {
    char name[40];
    snprintf(name, sizeof name, "many/name-%d", i);
    close(open(name, O_CREAT | O_WRONLY, 0600));
  }
  /* remove what was read between two calls: nothing is missed, nothing comes twice */
  int fd = open("many", O_RDONLY | O_DIRECTORY), seen = 0, twice = 0, bad = 0;
  static char was[400];
  char buf[512];
  for (long n; (n = syscall(SYS_getdents64, fd, buf, sizeof buf)) > 0;) {
    for (long at = 0; at < n;) {
      unsigned short reclen;
      memcpy(&reclen, buf + at + 16, 2);
      char *name = buf + at + 19;
      int i;
      if (sscanf(name, "name-%d", &i) == 1) {
        if (was[i]) twice++;
        was[i] = 1, seen++;
        if (unlinkat(fd, name, 0)) bad++;
      } else if (strcmp(name, ".") && strcmp(name, "..")) {
        bad++;
      }
      if (reclen % 8) bad++;
      at += reclen;
    }
  }
  SHOW("%d %d %d", seen, twice, bad);
  TRY(syscall(SYS_getdents64, fd, buf, 1024));
  TRY(lseek(fd, 0, SEEK_SET));
  TRY(syscall(SYS_getdents64, fd, buf, 10));
  TRY(syscall(SYS_getdents64, fd, (char *)8, 1024));
  TRY(syscall(SYS_getdents64, 1, buf, sizeof buf) < 0);
  close(fd);
  TRY(rmdir("many"));
  /* telldir and seekdir */
  TRY(mkdir("t", 0755));
  for (char name[] = "t/a"; name[2] < 'g'; name[2]++) put(name, "");
  DIR *d = opendir("t");
  long mark = 0;
  char after[64] = "";
  for (int i = 0; i < 5; i++) {
    readdir(d);
    if (i == 2) mark = telldir(d);
    if (i == 3) break;
  }
  seekdir(d, mark);
  struct dirent *e = readdir(d);
  if (e) strncpy(after, e->d_name, sizeof after - 1);
  seekdir(d, mark);
  e = readdir(d);
  SHOW("%d", e && !strcmp(after, e->d_name));
  rewinddir(d);
  int count = 0;
  while (readdir(d)) count++;
  SHOW("%d", count);
  closedir(d);
}

static void walking(void) {
  char buf[PATH_MAX], base[PATH_MAX];
  if (!getcwd(base, sizeof base)) return;
  TRY(mkdir("w", 0755));
  TRY(mkdir("w/x", 0755));
  TRY(mkdir("w/x/y", 0755));
  TRY(symlink("x/y", "w/link"));
  TRY(chdir("w/link"));
  SHOW("%s", getcwd(buf, sizeof buf) ? buf + strlen(base) : strerror(errno));
  TRY(chdir(".."));
  SHOW("%s", getcwd(buf, sizeof buf) ? buf + strlen(base) : strerror(errno));
  char other[PATH_MAX + 10];
  snprintf(other, sizeof other, "%s/w", base);
  char renamed[PATH_MAX + 10];
  snprintf(renamed, sizeof renamed, "%s/renamed", base);
  TRY(rename(other, renamed));
  SHOW("%s", getcwd(buf, sizeof buf) ? buf + strlen(base) : strerror(errno));
  TRY(chdir("../../renamed/./x//y/"));
  SHOW("%s", getcwd(buf, sizeof buf) ? buf + strlen(base) : strerror(errno));
  TRY(syscall(SYS_getcwd, buf, 3));
  TRY(rmdir("../y"));
  SHOW("%s", getcwd(buf, sizeof buf) ? buf : strerror(errno));
  OPEN("x", O_CREAT | O_WRONLY, 0644);
  OPEN(".", O_RDONLY);
  TRY(chdir("."));
  TRY(chdir(base));
  TRY(chdir("missing"));
  TRY(chdir("node"));
  int fd = open("renamed/x", O_RDONLY);
  TRY(fchdir(fd));
  SHOW("%s", getcwd(buf, sizeof buf) ? buf + strlen(base) : strerror(errno));
  TRY(fchdir(99));
  TRY(chdir(base));
  close(fd);
  TRY(chdir("/../.."));
  SHOW("%s", getcwd(buf, sizeof buf));
  TRY(chdir(base));
  TRY(symlink("loop2", "loop1"));
  TRY(symlink("loop1", "loop2"));
  TRY(chdir("loop1"));
  fd = open("node", O_RDONLY);
  TRY(fchdir(fd));
  close(fd);
}

static void jail(void) {
  pid_t pid = fork();
  if (pid) {
    int status;
    waitpid(pid, &status, 0);
    return;
  }
  char buf[PATH_MAX];
  TRY(mkdir("jail", 0755));
  TRY(mkdir("jail/in", 0755));
  put("jail/file", "inside");
  TRY(symlink("/file", "jail/abs"));
  TRY(symlink("../../../file", "jail/in/up"));
  TRY(chroot("jail"));
  TRY(chdir("/"));
  show("/file");
  show("/abs");
  show("/in/up");
  show("../../file");
  SHOW("%s", getcwd(buf, sizeof buf));
  TRY(chdir("in"));
  TRY(chdir("../.."));
  SHOW("%s", getcwd(buf, sizeof buf));
  OPEN("/etc/passwd", O_RDONLY);
  _exit(0);
}

static void user(void) {
  TRY(mkdir("denied/x", 0755));
  TRY(chdir("denied"));
  TRY(unlink("sticky/roots"));
  TRY(rename("sticky/roots", "sticky/mine"));
  TRY(mkdir("sticky/own", 0755));
  TRY(rmdir("sticky/own"));
  TRY(mknod("sticky/null", S_IFCHR | 0666, 0x103));
  TRY(mknod("sticky/fifo", S_IFIFO | 0666, 0));
  TRY(unlink("sticky/fifo"));
  TRY(chroot("sticky"));
}

int main(void) {
  enter("dir");
  making();
  removing();
  reading();
  walking();
  jail();
  TRY(mkdir("denied", 0700));
  TRY(mkdir("sticky", 0777));
  TRY(chmod("sticky", 01777));
  put("sticky/roots", "");
  as_user(user);
  return 0;
}
