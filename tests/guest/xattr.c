/* xattr(7), setxattr(2), getxattr(2), listxattr(2), removexattr(2): names, classes, sizes, flags, who may. */
#include "try.h"
#include <sched.h>
#include <sys/mount.h>
#include <sys/xattr.h>

static char big[70000];

/* The names, sorted: file systems keep them in an order of their own. */
static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }
static void list(const char *path) {
  char names[4096], *at[64];
  ssize_t n = listxattr(path, names, sizeof names);
  int count = 0;
  printf("list %s: %zd", path, n);
  for (char *p = names; n > 0 && p < names + n; p += strlen(p) + 1) at[count++] = p;
  qsort(at, (size_t)count, sizeof *at, by_text);
  for (int i = 0; i < count; i++) printf(" %s", at[i]);
  printf("%s\n", n < 0 ? strerror(errno) : "");
}
static void value(const char *path, const char *name) {
  char buf[256];
  ssize_t n = getxattr(path, name, buf, sizeof buf);
  if (n < 0) printf("%s %s: %s\n", path, name, strerror(errno));
  else printf("%s %s: [%.*s]\n", path, name, (int)n, buf);
}

static void values(void) {
  put("f", "f");
  list("f");
  TRY(setxattr("f", "user.one", "1", 1, 0));
  TRY(setxattr("f", "user.two", "second", 6, XATTR_CREATE));
  TRY(setxattr("f", "user.two", "again", 5, XATTR_CREATE));
  TRY(setxattr("f", "user.one", "first", 5, XATTR_REPLACE));
  TRY(setxattr("f", "user.three", "x", 1, XATTR_REPLACE));
  TRY(setxattr("f", "user.empty", NULL, 0, 0));
  TRY(setxattr("f", "user.x", "x", 1, 7));
  value("f", "user.one"), value("f", "user.two"), value("f", "user.empty"), value("f", "user.none");
  list("f");
  char buf[64];
  TRY(getxattr("f", "user.two", NULL, 0));
  TRY(getxattr("f", "user.two", buf, 5));
  TRY(getxattr("f", "user.two", buf, 6));
  TRY(listxattr("f", NULL, 0));
  TRY(listxattr("f", buf, 3));
  TRY(removexattr("f", "user.one"));
  TRY(removexattr("f", "user.one"));
  list("f");
  TRY(link("f", "hard"));
  value("hard", "user.two");
  TRY(rename("f", "g"));
  value("g", "user.two");
  TRY(rename("g", "f"));
  struct stat before = stat_of("f");
  usleep(20000);
  TRY(setxattr("f", "user.two", "later", 5, 0));
  struct stat after = stat_of("f");
  SHOW("%d %d", before.st_ctim.tv_sec != after.st_ctim.tv_sec || before.st_ctim.tv_nsec != after.st_ctim.tv_nsec,
       before.st_mtim.tv_nsec == after.st_mtim.tv_nsec);
}

static void names(void) {
  TRY(setxattr("f", "", "x", 1, 0));
  TRY(setxattr("f", "user", "x", 1, 0));
  TRY(setxattr("f", "user.", "x", 1, 0));
  TRY(setxattr("f", "nothing.x", "x", 1, 0));
  TRY(getxattr("f", "nothing.x", NULL, 0));
  char name[300] = "user.";
  memset(name + 5, 'n', 290);
  TRY(setxattr("f", name, "x", 1, 0));
  name[255] = 0;
  TRY(setxattr("f", name, "x", 1, 0));
  TRY(getxattr("f", name, NULL, 0));
  TRY(removexattr("f", name));
  TRY(setxattr("f", "user.big", big, 65537, 0));
  TRY(setxattr("missing", "user.a", "x", 1, 0));
  TRY(setxattr("f", (char *)8, "x", 1, 0));
  TRY(setxattr("f", "user.a", (char *)8, 1, 0));
  TRY(setxattr("f", "trusted.t", "t", 1, 0));
  value("f", "trusted.t");
  list("f");
}

static void kinds(void) {
  mkdir("d", 0755), mkfifo("fifo", 0644);
  if (symlink("f", "l")) perror("symlink");
  TRY(setxattr("d", "user.a", "dir", 3, 0));
  value("d", "user.a");
  TRY(setxattr("fifo", "user.a", "x", 1, 0));
  TRY(getxattr("fifo", "user.a", NULL, 0));
  TRY(lsetxattr("l", "user.a", "x", 1, 0));
  TRY(lgetxattr("l", "user.a", NULL, 0));
  TRY(lsetxattr("l", "trusted.a", "link", 4, 0));
  TRY(lgetxattr("l", "trusted.a", NULL, 0));
  TRY(getxattr("l", "trusted.a", NULL, 0));
  value("l", "user.two");
  TRY(llistxattr("l", NULL, 0));
  TRY(lremovexattr("l", "trusted.a"));
  int fd = open("f", O_RDONLY);
  TRY(fsetxattr(fd, "user.fd", "fd", 2, 0));
  TRY(fgetxattr(fd, "user.fd", NULL, 0));
  TRY(flistxattr(fd, NULL, 0) > 0);
  TRY(fremovexattr(fd, "user.fd"));
  close(fd);
  TRY(fgetxattr(fd, "user.fd", NULL, 0));
  fd = open("f", O_PATH);
  TRY(fsetxattr(fd, "user.fd", "fd", 2, 0));
  close(fd);
  TRY(setxattr("/proc/self/stat", "user.a", "x", 1, 0));
  TRY(getxattr("/proc/version", "user.a", NULL, 0));
}

static void others(void) {
  puts("-- another user");
  chmod(".", 0755), chmod("f", 0644), chmod("d", 01777);
  put("secret", "s");
  chmod("secret", 0600);
  setxattr("secret", "user.a", "x", 1, 0);
  fflush(stdout);
  pid_t p = fork();
  if (!p) {
    if (setgid(1000) || setuid(1000)) _exit(1);
    value("f", "user.two");
    TRY(setxattr("f", "user.two", "x", 1, 0));
    TRY(getxattr("f", "trusted.t", NULL, 0));
    TRY(setxattr("f", "trusted.t", "x", 1, 0));
    TRY(removexattr("f", "trusted.t"));
    TRY(setxattr("f", "security.x", "x", 1, 0));
    TRY(getxattr("secret", "user.a", NULL, 0));
    TRY(setxattr("d", "user.b", "x", 1, 0));
    list("f");
    fflush(stdout);
    _exit(0);
  }
  waitpid(p, NULL, 0);
}

static void read_only(void) {
  TRY(mount("d", "d", NULL, MS_BIND, NULL));
  TRY(mount(NULL, "d", NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL));
  TRY(setxattr("d", "user.a", "x", 1, 0));
  TRY(removexattr("d", "user.a"));
  value("d", "user.a");
  TRY(umount("d"));
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  unshare(CLONE_NEWNS);
  mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
  mkdir("t", 0755);
  mount("none", "t", "tmpfs", 0, NULL);
  if (chdir("t")) return 1;
  values();
  names();
  kinds();
  others();
  read_only();
  return 0;
}
