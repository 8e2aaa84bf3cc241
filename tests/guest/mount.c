/* mount: bind mounts, read-only ones, remounts, tmpfs, and what umount(2) refuses: mount(2), umount(2), statvfs(3).
 * On the host all of it happens in a mount namespace of its own. */
#include "try.h"
#include <sched.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/socket.h>

/* The options /proc/mounts shows first for the mount at the end of `path`. */
static void show_mode(const char *path) {
  char line[1024];
  FILE *f = fopen("/proc/mounts", "r");
  const char *mode = "not mounted";
  char kept[8];
  while (f && fgets(line, sizeof line, f)) {
    char *at = strchr(line, ' '), *end = at ? strchr(at + 1, ' ') : NULL, *options = end ? strchr(end + 1, ' ') : NULL;
    if (!options) continue;
    *end = 0;
    size_t n = strlen(at + 1), p = strlen(path);
    if (n < p || strcmp(at + 1 + n - p, path)) continue;
    snprintf(kept, sizeof kept, "%.2s", options + 1);
    mode = kept;
  }
  if (f) fclose(f);
  printf("%s: %s\n", path, mode);
}

static void every_write(const char *dir) {
  printf("-- writes below %s\n", dir);
  if (chdir(dir)) printf("chdir: %s\n", strerror(errno));
  show("file");
  OPEN("file", O_RDONLY);
  OPEN("file", O_WRONLY);
  OPEN("file", O_RDWR);
  OPEN("file", O_RDONLY | O_TRUNC);
  OPEN("file", O_RDONLY | O_CREAT, 0644);
  OPEN("fresh", O_WRONLY | O_CREAT, 0644);
  OPEN("file", O_WRONLY | O_CREAT | O_EXCL, 0644);
  OPEN(".", O_RDWR | O_TMPFILE, 0600);
  OPEN("fifo", O_RDWR);
  OPEN("sub/link", O_WRONLY);
  TRY(truncate("file", 0));
  TRY(mkdir("made", 0755));
  TRY(mkdir("sub", 0755));
  TRY(rmdir("sub/empty"));
  TRY(rmdir("missing"));
  TRY(unlink("file"));
  TRY(unlink("missing"));
  TRY(symlink("x", "fresh"));
  TRY(symlink("x", "file"));
  TRY(link("file", "fresh"));
  TRY(link("file", "../side/fresh"));
  TRY(rename("file", "other"));
  TRY(rename("missing", "other"));
  TRY(rename("file", "../side/other"));
  TRY(rename("../side/there", "other"));
  TRY(mknod("fresh", S_IFIFO | 0644, 0));
  TRY(chmod("file", 0600));
  TRY(chmod("missing", 0600));
  TRY(chown("file", 1, 1));
  TRY(lchown("sub/link", 1, 1));
  TRY(utimensat(AT_FDCWD, "file", NULL, 0));
  TRY(utimensat(AT_FDCWD, "sub/link", NULL, AT_SYMLINK_NOFOLLOW));
  TRY(access("file", R_OK));
  TRY(access("file", W_OK));
  TRY(access("fifo", W_OK));
  TRY(faccessat(AT_FDCWD, ".", W_OK, AT_EACCESS));
  struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "socket"};
  int s = socket(AF_UNIX, SOCK_STREAM, 0);
  TRY(bind(s, (struct sockaddr *)&name, sizeof name));
  close(s);
  int fd = open("file", O_RDONLY);
  TRY(fchmod(fd, 0600));
  TRY(fchown(fd, 1, 1));
  TRY(futimens(fd, NULL));
  TRY(ftruncate(fd, 0));
  char way[64];
  snprintf(way, sizeof way, "/proc/self/fd/%d", fd);
  int again = open(way, O_WRONLY);
  printf("through /proc/self/fd: %s\n", again < 0 ? strerror(errno) : "ok");
  if (again >= 0) close(again);
  close(fd);
  int d = open(".", O_RDONLY | O_DIRECTORY);
  TRY(mkdirat(d, "made", 0755));
  TRY(unlinkat(d, "file", 0));
  close(d);
  OPEN("/proc/self/cwd/file", O_WRONLY);
  struct statvfs st;
  TRY(statvfs(".", &st));
  SHOW("%d", (st.f_flag & ST_RDONLY) != 0);
  SHOW("%d", (st.f_flag & ST_NOEXEC) != 0);
  show("file");
  if (chdir("..")) printf("chdir: %s\n", strerror(errno));
}

static void read_only_bind(void) {
  puts("-- a read-only bind mount");
  TRY(mount("tree", "bound", NULL, MS_BIND, NULL));
  show_mode("/bound");
  TRY(mount(NULL, "bound", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
  show_mode("/bound");
  every_write("bound");
  puts("-- the same files elsewhere stay writable");
  put("tree/file", "changed");
  show("bound/file");
  TRY(chmod("tree/file", 0640));
  SHOW("%o", stat_of("bound/file").st_mode & 07777);
  TRY(mkdir("tree/later", 0755));
  TRY(access("bound/later", F_OK));
  TRY(rmdir("tree/later"));
  TRY(mount(NULL, "bound", NULL, MS_REMOUNT | MS_BIND, NULL));
  show_mode("/bound");
  put("bound/file", "again");
  show("tree/file");
  TRY(umount("bound"));
  TRY(umount("bound"));
  show("bound/file");
}

static void read_only_itself(void) {
  puts("-- a directory bound to itself");
  TRY(mount("tree", "tree", NULL, MS_BIND, NULL));
  TRY(mount(NULL, "tree", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOEXEC, NULL));
  every_write("tree");
  int d = open("tree/sub", O_RDONLY | O_DIRECTORY);
  TRY(umount("tree"));
  TRY(mkdirat(d, "../x", 0755));
  close(d);
  TRY(umount("tree"));
  TRY(mkdir("tree/x", 0755));
  TRY(rmdir("tree/x"));
}

static void writers(void) {
  puts("-- open for writing");
  TRY(mount("tree", "bound", NULL, MS_BIND, NULL));
  int fd = open("bound/file", O_WRONLY);
  TRY(mount(NULL, "bound", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
  close(fd);
  fd = open("tree/file", O_WRONLY);
  TRY(mount(NULL, "bound", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
  TRY(write(fd, "w", 1));
  close(fd);
  fd = open("bound/file", O_RDONLY);
  TRY(umount("bound"));
  TRY(umount2("bound", MNT_DETACH));
  show_mode("/bound");
  TRY(fchmod(fd, 0644));
  char c;
  TRY(read(fd, &c, 1));
  close(fd);
  TRY(mount(NULL, "bound", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
}

static void names(void) {
  puts("-- names and parents");
  TRY(mkdir("tree/sub/point", 0755));
  TRY(mount("none", "tree/sub/point", "tmpfs", 0, "size=64k,mode=700"));
  put("tree/sub/point/inner", "inside");
  TRY(mount("tree/sub", "bound", NULL, MS_BIND, NULL));
  TRY(access("bound/point", F_OK));
  TRY(access("bound/point/inner", F_OK));
  TRY(umount("bound"));
  TRY(mount("tree/sub", "bound", NULL, MS_BIND | MS_REC, NULL));
  show("bound/point/inner");
  TRY(chdir("bound/point"));
  TRY(access("../../tree/sub/point/inner", F_OK));
  TRY(access("../../side/there", F_OK));
  char cwd[4096];
  printf("cwd ends in: %s\n", strstr(getcwd(cwd, sizeof cwd) ? cwd : "?", "bound/") ?: "?");
  TRY(chdir("../.."));
  TRY(rename("bound/link", "tree/sub/moved"));
  TRY(link("bound/plain", "tree/sub/linked"));
  TRY(rmdir("tree/sub/point"));
  TRY(rename("tree/sub/point", "tree/sub/gone"));
  TRY(umount("bound"));
  TRY(umount2("bound", MNT_DETACH));
  TRY(mount("tree/file", "side/there", NULL, MS_BIND, NULL));
  show("side/there");
  TRY(unlink("side/there"));
  TRY(umount("side/there"));
  TRY(mount("tree/file", "side", NULL, MS_BIND, NULL));
  TRY(mount("side", "tree/file", NULL, MS_BIND, NULL));
}

static void file_systems(void) {
  puts("-- a whole file system");
  TRY(mount(NULL, "tree/sub/point", NULL, MS_REMOUNT | MS_RDONLY, NULL));
  show_mode("/point");
  OPEN("tree/sub/point/inner", O_WRONLY);
  TRY(mkdir("tree/sub/point/x", 0755));
  TRY(mount(NULL, "tree/sub/point", NULL, MS_REMOUNT, "size=64k"));
  int fd = open("tree/sub/point/fill", O_WRONLY | O_CREAT, 0644);
  char page[4096] = {1};
  int written = 0;
  while (written < 64 && write(fd, page, sizeof page) == (ssize_t)sizeof page) written++;
  printf("filled: %s, %s\n", written >= 12 && written <= 16 ? "about its size" : "wrong", strerror(errno));
  TRY(mount(NULL, "tree/sub/point", NULL, MS_REMOUNT | MS_RDONLY, NULL));
  close(fd);
  TRY(umount("tree/sub/point"));
  TRY(umount("tree/sub/point"));
  TRY(mount("none", "tree/sub/point", "tmpfs", MS_RDONLY, NULL));
  OPEN("tree/sub/point/x", O_WRONLY | O_CREAT, 0644);
  TRY(umount("tree/sub/point"));
  TRY(mount("none", "tree/sub/point", "nosuchfs", 0, NULL));
  TRY(mount("none", "missing", "tmpfs", 0, NULL));
  TRY(mount(NULL, "tree", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
  TRY(mount("none", "tree/sub/point", "tmpfs", 0, "nr_inodes=4"));
  int made = 0;
  char name[64];
  do snprintf(name, sizeof name, "tree/sub/point/%d", made);
  while (mkdir(name, 0755) == 0 && ++made < 10);
  printf("inodes: %d, %s\n", made, strerror(errno));
  TRY(umount("tree/sub/point"));
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  unshare(CLONE_NEWNS);
  mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
  mkdir("tree", 0755), mkdir("tree/sub", 0755), mkdir("tree/sub/empty", 0755), mkdir("bound", 0755), mkdir("side", 0755);
  put("tree/file", "text"), put("tree/sub/plain", "plain"), put("side/there", "aside");
  mkfifo("tree/fifo", 0644);
  if (symlink("../file", "tree/sub/link")) perror("symlink");
  read_only_bind();
  read_only_itself();
  writers();
  names();
  file_systems();
  return 0;
}
