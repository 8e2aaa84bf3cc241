/* Attributes: stat(2), statx(2), chmod(2), chown(2), access(2), utimensat(2), umask(2), statfs(2), xattr(7). */
#include "try.h"
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <time.h>

static void modes(void) {
  put("f", "12345");
  struct stat st = stat_of("f");
  SHOW("%o %d %d %ld %d %d", st.st_mode, st.st_uid, st.st_gid, (long)st.st_size, (int)st.st_nlink, (int)st.st_blksize);
  TRY(chmod("f", 07654));
  SHOW("%o", stat_of("f").st_mode);
  TRY(chown("f", 10, 20));
  st = stat_of("f");
  SHOW("%o %d %d", st.st_mode, st.st_uid, st.st_gid);
  TRY(chown("f", -1, 30));
  st = stat_of("f");
  SHOW("%d %d", st.st_uid, st.st_gid);
  TRY(symlink("f", "l"));
  TRY(lchown("l", 5, 6));
  SHOW("%d %d", stat_of("l").st_uid, stat_of("f").st_uid);
  TRY(fchmodat(AT_FDCWD, "l", 0600, 0));
  SHOW("%o %o", stat_of("f").st_mode, stat_of("l").st_mode);
  TRY(chmod("missing", 0));
  TRY(chmod("f/x", 0));
  TRY(mkdir("d", 0));
  SHOW("%o", stat_of("d").st_mode);
  TRY(umask(0));
  TRY(umask(077));
  close(open("masked", O_CREAT | O_WRONLY, 0666));
  SHOW("%o", stat_of("masked").st_mode);
  umask(022);
  int fd = open("f", O_RDONLY);
  TRY(fchmod(fd, 0640));
  TRY(fchown(fd, 0, 0));
  TRY(fstat(fd, &st));
  SHOW("%o %d", st.st_mode, st.st_uid);
  TRY(fstat(99, &st));
  TRY(fstatat(fd, "", &st, AT_EMPTY_PATH));
  TRY(fstatat(fd, "", &st, 0));
  TRY(fstatat(fd, "x", &st, 0));
  TRY(fstatat(AT_FDCWD, "f", &st, 0x4000000));
  TRY(syscall(SYS_newfstatat, AT_FDCWD, "f", (void *)8, 0));
  close(fd);
  TRY(mkdir("sg", 0755));
  TRY(chown("sg", -1, 77));
  TRY(chmod("sg", 02755));
  put("sg/f", "");
  TRY(mkdir("sg/d", 0755));
  SHOW("%d %d %o", stat_of("sg/f").st_gid, stat_of("sg/d").st_gid, stat_of("sg/d").st_mode);
}

static void times(void) {
  struct timespec t[2] = {{1000, 111}, {2000, 222}};
  TRY(utimensat(AT_FDCWD, "f", t, 0));
  struct stat st = stat_of("f");
  SHOW("%ld %ld %ld %ld", (long)st.st_atim.tv_sec, st.st_atim.tv_nsec, (long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
  t[0].tv_nsec = UTIME_OMIT, t[1].tv_sec = -5;
  TRY(utimensat(AT_FDCWD, "f", t, 0));
  st = stat_of("f");
  SHOW("%ld %ld %ld %ld", (long)st.st_atim.tv_sec, st.st_atim.tv_nsec, (long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
  SHOW("%d", st.st_ctim.tv_sec > 1000000);
  t[0].tv_nsec = 1000000000;
  TRY(utimensat(AT_FDCWD, "f", t, 0));
  t[0].tv_nsec = t[1].tv_nsec = UTIME_OMIT;
  TRY(utimensat(AT_FDCWD, "missing", t, 0));
  TRY(utimensat(AT_FDCWD, "missing", NULL, 0));
  TRY(utimensat(AT_FDCWD, "f", NULL, 0));
  st = stat_of("f");
  SHOW("%d", st.st_mtim.tv_sec > 1000000);
  t[0] = t[1] = (struct timespec){7, 7};
  TRY(utimensat(AT_FDCWD, "l", t, AT_SYMLINK_NOFOLLOW));
  SHOW("%ld %d", (long)stat_of("l").st_mtim.tv_sec, stat_of("f").st_mtim.tv_sec > 1000000);
  int fd = open("f", O_WRONLY);
  TRY(futimens(fd, t));
  TRY(write(fd, "x", 1));
  TRY(fstat(fd, &st));
  SHOW("%ld %d", (long)st.st_atim.tv_sec, st.st_mtim.tv_sec > 1000000);
  close(fd);
  struct timespec before = stat_of(".").st_mtim;
  nanosleep(&(struct timespec){0, 20000000}, NULL);
  put("touches", "");
  struct timespec after = stat_of(".").st_mtim;
  SHOW("%d", after.tv_sec > before.tv_sec || after.tv_nsec > before.tv_nsec);
}

static void extended(void) {
  struct statx x;
  memset(&x, 0xff, sizeof x);
  TRY(syscall(SYS_statx, AT_FDCWD, "f", 0, STATX_BASIC_STATS | STATX_BTIME, &x));
  struct stat st = stat_of("f");
  SHOW("%d %o %d", (x.stx_mask & STATX_BASIC_STATS) == STATX_BASIC_STATS, x.stx_mode, x.stx_size == (unsigned)st.st_size);
  SHOW("%d %d", x.stx_ino == st.st_ino, makedev(x.stx_dev_major, x.stx_dev_minor) == st.st_dev);
  SHOW("%d %d", x.stx_mtime.tv_sec == st.st_mtim.tv_sec, (long)x.stx_mtime.tv_nsec == st.st_mtim.tv_nsec);
  TRY(syscall(SYS_statx, AT_FDCWD, "f", 0x6000, STATX_BASIC_STATS, &x));
  TRY(syscall(SYS_statx, AT_FDCWD, "f", 0, 0x80000000u, &x));
  TRY(syscall(SYS_statx, AT_FDCWD, "missing", 0, STATX_BASIC_STATS, &x));
  TRY(syscall(SYS_statx, AT_FDCWD, "l", AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &x));
  SHOW("%o", x.stx_mode);
  TRY(syscall(SYS_statx, AT_FDCWD, "/dev/null", 0, STATX_BASIC_STATS, &x));
  SHOW("%d %d", x.stx_rdev_major, x.stx_rdev_minor);
  struct statfs fs;
  TRY(statfs(".", &fs));
  SHOW("%d %d", (int)fs.f_namelen, fs.f_bavail > 1000);
  TRY(statfs("missing", &fs));
  TRY(fstatfs(99, &fs));
  TRY(statfs("/proc", &fs));
  SHOW("%lx", (long)fs.f_type);
}

static void user(void) {
  TRY(access("f", R_OK));
  TRY(access("f", W_OK));
  TRY(access("f", X_OK));
  TRY(access("secret/x", F_OK));
  OPEN("f", O_RDONLY);
  OPEN("f", O_RDWR);
  OPEN("f", O_RDONLY | O_TRUNC);
  OPEN("hidden", O_RDONLY);
  OPEN("group", O_RDWR);
  TRY(chmod("f", 0777));
  TRY(chown("f", 1000, 1000));
  TRY(chown("mine", 0, -1));
  TRY(chmod("mine", 06777));
  SHOW("%o", stat_of("mine").st_mode);
  int fd = open("mine", O_WRONLY);
  TRY(write(fd, "x", 1));
  SHOW("%o", stat_of("mine").st_mode);
  close(fd);
  TRY(utimensat(AT_FDCWD, "f", NULL, 0));
  TRY(utimensat(AT_FDCWD, "writable", NULL, 0));
  struct timespec t[2] = {{1, 1}, {1, 1}};
  TRY(utimensat(AT_FDCWD, "writable", t, 0));
  TRY(truncate("f", 0));
  TRY(truncate("writable", 0));
  TRY(chmod("mine", 0));
  OPEN("mine", O_RDONLY);
}

int main(void) {
  enter("stat");
  modes();
  times();
  extended();
  TRY(access("f", R_OK | W_OK));
  TRY(access("f", X_OK));
  TRY(access("f", 99));
  TRY(access("missing", F_OK));
  TRY(access("f/x", F_OK));
  TRY(syscall(SYS_faccessat2, AT_FDCWD, "f", R_OK, AT_EACCESS));
  TRY(syscall(SYS_faccessat2, AT_FDCWD, "l", F_OK, AT_SYMLINK_NOFOLLOW));
  TRY(syscall(SYS_faccessat2, AT_FDCWD, "f", R_OK, 0x40000));
  TRY(chmod("f", 0644));
  mkdir("secret", 0700);
  put("secret/x", ""), put("hidden", ""), put("group", ""), put("mine", "m"), put("writable", "w");
  chmod("hidden", 0600), chmod("group", 0060), chown("group", 0, 1000), chown("mine", 1000, 1000), chmod("writable", 0666);
  as_user(user);
  char buf[64];
  TRY(getxattr("f", "user.none", buf, sizeof buf));
  TRY(listxattr("f", buf, 0) >= 0);
  TRY(getxattr("missing", "user.none", buf, sizeof buf));
  return 0;
}
