/* What calls say to bad arguments: closed descriptors, descriptors of the wrong kind, bad pointers, impossible sizes,
 * unknown flags. Every call of the lists with every set of arguments; the same errno as on the Linux host. Nothing here
 * can succeed in a way that matters, so the sets are blind products. */
#include "try.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

struct call {
  const char *name;
  long nr;
};
#define C(n) {#n, SYS_##n}
#define BAD ((long)8)        /* an address that is never mapped */
#define HIGH ((long)-4096)   /* one that cannot be */
static char *edge;           /* the last 4 bytes before an unmapped page */
static char *read_only;
static char buffer[8192] __attribute__((aligned(64)));

static void one(const struct call *c, const char *what, long a, long b, long d, long e, long f, long g) {
  errno = 0;
  long r = syscall(c->nr, a, b, d, e, f, g);
  if (r < 0) printf("%s %s: %s\n", c->name, what, strerror(errno));
  else printf("%s %s: ok\n", c->name, what);
}
#define EACH(list) for (const struct call *c = list; c < list + sizeof list / sizeof *list; c++)

/* First argument a descriptor. */
static const struct call by_fd[] = {
    C(read), C(write), C(pread64), C(pwrite64), C(readv), C(writev), C(preadv), C(pwritev), C(lseek), C(fstat), C(fsync),
    C(fdatasync), C(ftruncate), C(fallocate), C(fchmod), C(fchown), C(fchdir), C(getdents64), C(flock), C(fstatfs),
    C(dup), C(dup3), C(fcntl), C(ioctl), C(close), C(syncfs), C(sync_file_range), C(fadvise64), C(readahead), C(sendto),
    C(recvfrom), C(sendmsg), C(recvmsg), C(sendmmsg), C(bind), C(connect), C(listen), C(accept), C(accept4),
    C(getsockname), C(getpeername), C(shutdown), C(getsockopt), C(setsockopt), C(epoll_ctl), C(epoll_pwait),
    C(timerfd_settime), C(timerfd_gettime), C(signalfd4), C(inotify_add_watch), C(inotify_rm_watch), C(fgetxattr),
    C(fsetxattr), C(flistxattr), C(fremovexattr), C(tee), C(vmsplice), C(pidfd_send_signal), C(openat), C(mkdirat),
    C(unlinkat), C(readlinkat), C(faccessat), C(fchmodat), C(fchownat), C(utimensat), C(newfstatat), C(statx), C(mknodat),
    C(sendfile), C(splice), C(copy_file_range), C(execveat), C(openat2)};

/* First argument a path. */
static const struct call by_path[] = {C(chdir), C(truncate), C(statfs), C(setxattr), C(getxattr), C(listxattr),
                                      C(removexattr), C(lgetxattr), C(chroot)};

static void descriptors(void) {
  EACH(by_fd) one(c, "closed", 999, 0, 0, 0, 0, 0);
  EACH(by_fd) {
    if (c->nr == SYS_openat || c->nr == SYS_dup3) continue; /* succeed, or differ by what descriptors are there */
    one(c, "minus one", -1, BAD, 1, 0, 0, 0);
  }
  long file = open("plain", O_RDWR | O_CREAT, 0644), path = open("plain", O_PATH), dir = open(".", O_RDONLY | O_DIRECTORY);
  EACH(by_fd) {
    if (c->nr == SYS_close || c->nr == SYS_dup || c->nr == SYS_fcntl || c->nr == SYS_dup3 || c->nr == SYS_ioctl)
      continue;
    if (c->nr == SYS_fstat || c->nr == SYS_fstatfs || c->nr == SYS_flistxattr || c->nr == SYS_statx) continue;
    one(c, "O_PATH", path, BAD, 1, 0, 0, 0);
    lseek((int)dir, 0, SEEK_SET);
    if (c->nr == SYS_fchown || c->nr == SYS_fchmod || c->nr == SYS_flock || c->nr == SYS_fallocate) continue;
    one(c, "directory, bad address", dir, BAD, 1, 0, 0, 0);
  }
  static const struct call of_sockets[] = {C(bind), C(connect), C(listen), C(accept), C(getsockname), C(getpeername),
                                           C(shutdown), C(getsockopt), C(setsockopt), C(sendto), C(recvfrom), C(sendmsg),
                                           C(recvmsg), C(sendmmsg)};
  EACH(of_sockets) one(c, "of a file", file, (long)buffer, 16, 0, (long)buffer, 16);
  long s = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
  EACH(of_sockets) one(c, "bad address", s, BAD, 16, 0, BAD, BAD);
  EACH(of_sockets)
    if (c->nr != SYS_sendto && c->nr != SYS_recvfrom) one(c, "high address", s, HIGH, 16, 0, HIGH, HIGH); /* two faults: either may be said */
  EACH(of_sockets) one(c, "zeros", s, (long)buffer, 0, 0, 0, 0);
  EACH(of_sockets)
    if (c->nr != SYS_sendmsg) one(c, "minus one", s, (long)buffer, -1, 0, (long)buffer, -1); /* flags newer than some hosts */
  static const struct call of_io[] = {C(read), C(write), C(pread64), C(pwrite64), C(readv), C(writev), C(preadv), C(pwritev)};
  write((int)file, "0123456789", 10);
  EACH(of_io) {
    lseek((int)file, 0, SEEK_SET);
    one(c, "bad address", file, BAD, 4, 0, 0, 0);
    one(c, "high address", file, HIGH, 4, 0, 0, 0);
    one(c, "negative position", file, (long)buffer, 0, -1, -1, 0);
    one(c, "huge", file, BAD, -1, 0, 0, 0);
    one(c, "nothing", file, (long)buffer, 0, 0, 0, 0);
  }
  one(&(struct call)C(read), "into read-only memory", file, (long)read_only, 4, 0, 0, 0);
  lseek((int)file, 0, SEEK_SET);
  one(&(struct call)C(read), "over the edge", file, (long)edge, 10, 0, 0, 0);
  one(&(struct call)C(lseek), "whence", file, 0, 9, 0, 0, 0);
  one(&(struct call)C(lseek), "before the start", file, -1, 0, 0, 0, 0);
  one(&(struct call)C(ftruncate), "negative", file, -1, 0, 0, 0, 0);
  one(&(struct call)C(fallocate), "no length", file, 0, 0, 0, 0, 0);
  one(&(struct call)C(fallocate), "mode", file, 0x1000, 0, 1, 0, 0);
  one(&(struct call)C(flock), "operation", file, 77, 0, 0, 0, 0);
  one(&(struct call)C(fcntl), "command", file, 7777, 0, 0, 0, 0);
  one(&(struct call)C(fcntl), "lock, bad address", file, F_SETLK, BAD, 0, 0, 0);
  one(&(struct call)C(fcntl), "dup beyond", file, F_DUPFD, 1 << 30, 0, 0, 0);
  one(&(struct call)C(dup3), "same", file, file, 0, 0, 0, 0);
  one(&(struct call)C(dup3), "flags", file, 50, 1, 0, 0, 0);
  one(&(struct call)C(dup3), "beyond", file, 1 << 30, 0, 0, 0, 0);
  one(&(struct call)C(ioctl), "request", file, 0x1234, 0, 0, 0, 0);
  one(&(struct call)C(ioctl), "FIONREAD, bad address", s, 0x541b, BAD, 0, 0, 0);
  one(&(struct call)C(getdents64), "of a file", file, (long)buffer, 4096, 0, 0, 0);
  lseek((int)dir, 0, SEEK_SET);
  one(&(struct call)C(getdents64), "too small", dir, (long)buffer, 3, 0, 0, 0);
  one(&(struct call)C(fchdir), "a file", file, 0, 0, 0, 0, 0);
  one(&(struct call)C(splice), "no pipe", file, 0, file, 0, 10, 0);
  one(&(struct call)C(splice), "flags", file, 0, file, 0, 10, -1);
  one(&(struct call)C(tee), "no pipes", file, file, 10, 0, 0, 0);
  one(&(struct call)C(copy_file_range), "flags", file, 0, file, 0, 10, 1);
  one(&(struct call)C(epoll_ctl), "no epoll", file, 1, s, (long)buffer, 0, 0);
  one(&(struct call)C(epoll_pwait), "no epoll", file, (long)buffer, 1, 0, 0, 0);
  long ep = epoll_create1(0);
  one(&(struct call)C(epoll_ctl), "itself", ep, 1, ep, (long)buffer, 0, 0);
  one(&(struct call)C(epoll_ctl), "a file", ep, 1, file, (long)buffer, 0, 0);
  one(&(struct call)C(epoll_ctl), "operation", ep, 9, s, (long)buffer, 0, 0);
  one(&(struct call)C(epoll_ctl), "not there", ep, 2, s, (long)buffer, 0, 0);
  one(&(struct call)C(epoll_ctl), "bad address", ep, 1, s, BAD, 0, 0);
  one(&(struct call)C(epoll_pwait), "none wanted", ep, (long)buffer, 0, 0, 0, 0);
  one(&(struct call)C(epoll_pwait), "too many", ep, (long)buffer, -1, 0, 0, 0);
  one(&(struct call)C(signalfd4), "of a file", file, (long)buffer, 8, 0, 0, 0);
  one(&(struct call)C(signalfd4), "size", -1, (long)buffer, 4, 0, 0, 0);
  one(&(struct call)C(signalfd4), "flags", -1, (long)buffer, 8, 0x10, 0, 0);
  one(&(struct call)C(timerfd_settime), "of a file", file, 0, (long)buffer, 0, 0, 0);
}

static void paths(void) {
  EACH(by_path) {
    one(c, "bad address", BAD, 0, 0, 0, 0, 0);
    one(c, "high address", HIGH, 0, 0, 0, 0, 0);
    one(c, "empty", (long)"", 0, 0, 0, 0, 0);
    one(c, "missing", (long)"no/such/path", (long)"user.x", 0, 0, 0, 0);
    one(c, "through a file", (long)"plain/x", (long)"user.x", 0, 0, 0, 0);
  }
  memset(buffer, 'a', 5000), buffer[5000] = 0;
  EACH(by_path) one(c, "long", (long)buffer, (long)"user.x", 0, 0, 0, 0);
  buffer[300] = 0;
  EACH(by_path) one(c, "long name", (long)buffer, (long)"user.x", 0, 0, 0, 0);
  memset(buffer, 0, sizeof buffer);
  static const struct call at[] = {C(openat), C(mkdirat), C(unlinkat), C(faccessat), C(fchmodat), C(newfstatat), C(mknodat)};
  EACH(at) {
    long third = c->nr == SYS_newfstatat ? (long)buffer : 0;
    one(c, "bad address", AT_FDCWD, BAD, 0, 0, 0, 0);
    one(c, "empty", AT_FDCWD, (long)"", third, 0, 0, 0);
    one(c, "in a file", open("plain", O_RDONLY), (long)"x", third, 0, 0, 0);
    one(c, "closed, absolute", 999, (long)"/no/such", third, 0, 0, 0);
  }
  one(&(struct call)C(openat), "tmpfile without writing", AT_FDCWD, (long)".", O_TMPFILE, 0600, 0, 0);
  one(&(struct call)C(openat), "directory made", AT_FDCWD, (long)"nodir", O_CREAT | O_DIRECTORY, 0600, 0, 0);
  one(&(struct call)C(unlinkat), "flags", AT_FDCWD, (long)"plain", 1, 0, 0, 0);
  one(&(struct call)C(renameat2), "flags", AT_FDCWD, (long)"plain", AT_FDCWD, (long)"x", 1 << 10, 0);
  one(&(struct call)C(renameat2), "both flags", AT_FDCWD, (long)"plain", AT_FDCWD, (long)"x", 3, 0);
  one(&(struct call)C(renameat2), "bad address", AT_FDCWD, BAD, AT_FDCWD, (long)"x", 0, 0);
  one(&(struct call)C(linkat), "flags", AT_FDCWD, (long)"plain", AT_FDCWD, (long)"x", 1, 0);
  one(&(struct call)C(symlinkat), "empty", (long)"", AT_FDCWD, (long)"x", 0, 0, 0);
  one(&(struct call)C(readlinkat), "no link", AT_FDCWD, (long)"plain", (long)buffer, 10, 0, 0);
  one(&(struct call)C(readlinkat), "no room", AT_FDCWD, (long)"/proc/self/exe", (long)buffer, 0, 0, 0);
  one(&(struct call)C(statx), "flags", AT_FDCWD, (long)"plain", 0x8000, 0, (long)buffer, 0);
  one(&(struct call)C(statx), "bad address", AT_FDCWD, (long)"plain", 0, 0xfff, BAD, 0);
  one(&(struct call)C(newfstatat), "flags", AT_FDCWD, (long)"plain", (long)buffer, 1 << 20, 0, 0);
  one(&(struct call)C(utimensat), "nanoseconds", AT_FDCWD, (long)"plain", (long)(struct timespec[2]){{0, 2000000000}, {0, 0}}, 0, 0, 0);
  one(&(struct call)C(utimensat), "flags", AT_FDCWD, (long)"plain", 0, 1 << 20, 0, 0);
  one(&(struct call)C(getcwd), "small", (long)buffer, 1, 0, 0, 0, 0);
  one(&(struct call)C(getcwd), "bad address", BAD, 4096, 0, 0, 0, 0);
  one(&(struct call)C(mknodat), "type", AT_FDCWD, (long)"node", 0150000, 0, 0, 0);
  one(&(struct call)C(mount), "bad address", (long)"x", BAD, (long)"tmpfs", 0, 0, 0);
  one(&(struct call)C(umount2), "flags", (long)".", 1 << 20, 0, 0, 0, 0);
  one(&(struct call)C(umount2), "no mount", (long)"plain", 0, 0, 0, 0, 0);
}

static void memory(void) {
  one(&(struct call)C(mmap), "no length", 0, 0, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  one(&(struct call)C(mmap), "no type", 0, 4096, 3, MAP_ANONYMOUS, -1, 0);
  one(&(struct call)C(mmap), "closed", 0, 4096, 3, MAP_PRIVATE, 999, 0);
  one(&(struct call)C(mmap), "offset", 0, 4096, 1, MAP_PRIVATE, open("plain", O_RDONLY), 5);
  one(&(struct call)C(mmap), "a directory", 0, 4096, 1, MAP_PRIVATE, open(".", O_RDONLY), 0);
  one(&(struct call)C(mmap), "not writable", 0, 4096, 3, MAP_SHARED, open("plain", O_RDONLY), 0);
  one(&(struct call)C(mmap), "fixed, misaligned", 5, 4096, 1, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  one(&(struct call)C(mmap), "everything", 0, -4096, 1, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  one(&(struct call)C(munmap), "misaligned", 5, 4096, 0, 0, 0, 0);
  one(&(struct call)C(munmap), "no length", 4096 * 64, 0, 0, 0, 0, 0);
  one(&(struct call)C(mprotect), "misaligned", 5, 4096, 0, 0, 0, 0);
  one(&(struct call)C(mprotect), "nothing there", 65536, 4096, 0, 0, 0, 0);
  one(&(struct call)C(mprotect), "bits", (long)read_only, 4096, 0x7000, 0, 0, 0);
  one(&(struct call)C(mremap), "flags", (long)read_only, 4096, 4096, 0x100, 0, 0);
  one(&(struct call)C(mremap), "misaligned", 5, 4096, 8192, 1, 0, 0);
  one(&(struct call)C(mremap), "to nothing", (long)read_only, 4096, 0, 1, 0, 0);
  one(&(struct call)C(mremap), "nothing there", 65536, 4096, 8192, 1, 0, 0);
  one(&(struct call)C(madvise), "advice", (long)read_only, 4096, 999, 0, 0, 0);
  one(&(struct call)C(madvise), "misaligned", 5, 4096, 4, 0, 0, 0);
  one(&(struct call)C(mincore), "nothing there", 65536, 4096, (long)buffer, 0, 0, 0);
  one(&(struct call)C(mincore), "bad address", (long)read_only, 4096, BAD, 0, 0, 0);
  one(&(struct call)C(msync), "flags", (long)read_only, 4096, 0x100, 0, 0, 0);
  one(&(struct call)C(msync), "both", (long)read_only, 4096, MS_SYNC | MS_ASYNC, 0, 0, 0);
  one(&(struct call)C(mlock2), "flags", (long)read_only, 4096, 77, 0, 0, 0);
  one(&(struct call)C(mlockall), "flags", 77, 0, 0, 0, 0, 0);
  one(&(struct call)C(memfd_create), "flags", (long)"x", 0x100, 0, 0, 0, 0);
  one(&(struct call)C(memfd_create), "bad address", BAD, 0, 0, 0, 0, 0);
}

static void processes(void) {
  one(&(struct call)C(kill), "signal", 0, 99, 0, 0, 0, 0);
  one(&(struct call)C(kill), "nobody", 9999999, 0, 0, 0, 0, 0);
  one(&(struct call)C(tkill), "nobody", 9999999, 0, 0, 0, 0, 0);
  one(&(struct call)C(tkill), "zero", 0, 0, 0, 0, 0, 0);
  one(&(struct call)C(tgkill), "zero", 0, 0, 0, 0, 0, 0);
  one(&(struct call)C(wait4), "no child", -1, 0, 0, 0, 0, 0);
  one(&(struct call)C(wait4), "options", -1, 0, 0x1000, 0, 0, 0);
  one(&(struct call)C(waitid), "kind", 77, 0, (long)buffer, 4, 0, 0);
  one(&(struct call)C(waitid), "options", 0, 0, (long)buffer, 0, 0, 0);
  one(&(struct call)C(waitid), "no child", 0, 0, (long)buffer, 4, 0, 0);
  one(&(struct call)C(setpgid), "negative", 0, -1, 0, 0, 0, 0);
  one(&(struct call)C(setpgid), "nobody", 9999999, 0, 0, 0, 0, 0);
  one(&(struct call)C(getpgid), "nobody", 9999999, 0, 0, 0, 0, 0);
  one(&(struct call)C(getsid), "nobody", 9999999, 0, 0, 0, 0, 0);
  one(&(struct call)C(getpriority), "kind", 9, 0, 0, 0, 0, 0);
  one(&(struct call)C(setpriority), "nobody", 0, 9999999, 0, 0, 0, 0);
  one(&(struct call)C(prlimit64), "resource", 0, 99, 0, (long)buffer, 0, 0);
  one(&(struct call)C(prlimit64), "bad address", 0, 7, BAD, 0, 0, 0);
  one(&(struct call)C(prlimit64), "nobody", 9999999, 7, 0, (long)buffer, 0, 0);
  one(&(struct call)C(getrusage), "who", 99, (long)buffer, 0, 0, 0, 0);
  one(&(struct call)C(getrusage), "bad address", 0, BAD, 0, 0, 0, 0);
  one(&(struct call)C(prctl), "option", 9999, 0, 0, 0, 0, 0);
  one(&(struct call)C(prctl), "signal", 1, 99, 0, 0, 0, 0);
  one(&(struct call)C(setgroups), "many", 100000, (long)buffer, 0, 0, 0, 0);
  one(&(struct call)C(setgroups), "bad address", 4, BAD, 0, 0, 0, 0);
  one(&(struct call)C(getgroups), "negative", -1, (long)buffer, 0, 0, 0, 0);
  one(&(struct call)C(setresuid), "bad address of get", 0, 0, 0, 0, 0, 0);
  one(&(struct call)C(getresuid), "bad address", BAD, BAD, BAD, 0, 0, 0);
  one(&(struct call)C(execve), "missing", (long)"no/such", 0, 0, 0, 0, 0);
  one(&(struct call)C(execve), "bad address", BAD, 0, 0, 0, 0, 0);
  one(&(struct call)C(execve), "bad arguments", (long)"/proc/self/exe", BAD, 0, 0, 0, 0);
  one(&(struct call)C(execve), "a directory", (long)".", 0, 0, 0, 0, 0);
  one(&(struct call)C(execve), "no program", (long)"plain", 0, 0, 0, 0, 0);
  one(&(struct call)C(execveat), "flags", AT_FDCWD, (long)"plain", 0, 0, 1, 0);
  one(&(struct call)C(pidfd_open), "nobody", 9999999, 0, 0, 0, 0, 0);
  one(&(struct call)C(pidfd_open), "flags", getpid(), 1, 0, 0, 0, 0);
  one(&(struct call)C(pidfd_open), "zero", 0, 0, 0, 0, 0, 0);
  one(&(struct call)C(sched_setscheduler), "policy", 0, 99, (long)buffer, 0, 0, 0);
  one(&(struct call)C(sched_getscheduler), "nobody", 9999999, 0, 0, 0, 0, 0);
  one(&(struct call)C(sched_getaffinity), "small", 0, 1, (long)buffer, 0, 0, 0);
  one(&(struct call)C(sched_setaffinity), "none", 0, 8, (long)buffer, 0, 0, 0);
  one(&(struct call)C(unshare), "flags", 1, 0, 0, 0, 0, 0);
  one(&(struct call)C(personality), "query", 0xffffffff, 0, 0, 0, 0, 0);
  one(&(struct call)C(set_robust_list), "size", (long)buffer, 3, 0, 0, 0, 0);
  one(&(struct call)C(get_robust_list), "nobody", 9999999, (long)buffer, (long)buffer, 0, 0, 0);
  one(&(struct call)C(capget), "bad address", BAD, 0, 0, 0, 0, 0);
  one(&(struct call)C(times), "bad address", BAD, 0, 0, 0, 0, 0);
  one(&(struct call)C(uname), "bad address", BAD, 0, 0, 0, 0, 0);
  one(&(struct call)C(sysinfo), "bad address", BAD, 0, 0, 0, 0, 0);
  one(&(struct call)C(getrandom), "flags", (long)buffer, 8, 0x100, 0, 0, 0);
  one(&(struct call)C(getrandom), "bad address", BAD, 8, 0, 0, 0, 0);
  one(&(struct call)C(sethostname), "long", (long)buffer, 1000, 0, 0, 0, 0);
}

static void signals_and_time(void) {
  one(&(struct call)C(rt_sigaction), "signal", 99, 0, 0, 8, 0, 0);
  one(&(struct call)C(rt_sigaction), "kill", 9, (long)buffer, 0, 8, 0, 0);
  one(&(struct call)C(rt_sigaction), "size", 1, 0, 0, 4, 0, 0);
  one(&(struct call)C(rt_sigaction), "bad address", 1, BAD, 0, 8, 0, 0);
  one(&(struct call)C(rt_sigprocmask), "how", 9, (long)buffer, 0, 8, 0, 0);
  one(&(struct call)C(rt_sigprocmask), "size", 0, (long)buffer, 0, 4, 0, 0);
  one(&(struct call)C(rt_sigprocmask), "bad address", 0, BAD, 0, 8, 0, 0);
  one(&(struct call)C(rt_sigpending), "size", (long)buffer, 9, 0, 0, 0, 0);
  one(&(struct call)C(rt_sigtimedwait), "size", (long)buffer, 0, 0, 4, 0, 0);
  one(&(struct call)C(rt_sigtimedwait), "time", (long)buffer, 0, (long)(struct timespec[1]){{0, -1}}, 8, 0, 0);
  one(&(struct call)C(rt_sigsuspend), "size", (long)buffer, 4, 0, 0, 0, 0);
  one(&(struct call)C(sigaltstack), "flags", (long)(long[3]){(long)buffer, 77, 8192}, 0, 0, 0, 0, 0);
  one(&(struct call)C(sigaltstack), "small", (long)(long[3]){(long)buffer, 0, 100}, 0, 0, 0, 0, 0);
  one(&(struct call)C(rt_sigqueueinfo), "bad address", getpid(), 10, BAD, 0, 0, 0);
  one(&(struct call)C(clock_gettime), "clock", 99, (long)buffer, 0, 0, 0, 0);
  one(&(struct call)C(clock_gettime), "bad address", 0, BAD, 0, 0, 0, 0);
  one(&(struct call)C(clock_getres), "clock", 99, (long)buffer, 0, 0, 0, 0);
  one(&(struct call)C(clock_nanosleep), "clock", 99, 0, (long)buffer, 0, 0, 0);
  one(&(struct call)C(clock_nanosleep), "bad address", 0, 0, BAD, 0, 0, 0);
  one(&(struct call)C(nanosleep), "nanoseconds", (long)(struct timespec[1]){{0, 1000000000}}, 0, 0, 0, 0, 0);
  one(&(struct call)C(nanosleep), "negative", (long)(struct timespec[1]){{-1, 0}}, 0, 0, 0, 0, 0);
  one(&(struct call)C(timer_create), "clock", 99, 0, (long)buffer, 0, 0, 0);
  one(&(struct call)C(timer_settime), "none", 77, 0, (long)buffer, 0, 0, 0);
  one(&(struct call)C(timer_delete), "none", 77, 0, 0, 0, 0, 0);
  one(&(struct call)C(setitimer), "which", 9, (long)buffer, 0, 0, 0, 0);
  one(&(struct call)C(setitimer), "microseconds", 0, (long)(long[4]){0, 0, 0, 2000000}, 0, 0, 0, 0);
  one(&(struct call)C(getitimer), "bad address", 0, BAD, 0, 0, 0, 0);
  one(&(struct call)C(timerfd_create), "clock", 99, 0, 0, 0, 0, 0);
  one(&(struct call)C(timerfd_create), "flags", 0, 1, 0, 0, 0, 0);
  one(&(struct call)C(eventfd2), "flags", 0, 2, 0, 0, 0, 0);
  one(&(struct call)C(epoll_create1), "flags", 1, 0, 0, 0, 0, 0);
  one(&(struct call)C(inotify_init1), "flags", 1, 0, 0, 0, 0, 0);
  one(&(struct call)C(pipe2), "flags", (long)buffer, 1, 0, 0, 0, 0);
  one(&(struct call)C(pipe2), "bad address", BAD, 0, 0, 0, 0, 0);
  one(&(struct call)C(socket), "family", 99, 1, 0, 0, 0, 0);
  one(&(struct call)C(socket), "type", 1, 99, 0, 0, 0, 0);
  one(&(struct call)C(socket), "protocol", 1, 1, 99, 0, 0, 0);
  one(&(struct call)C(socketpair), "bad address", 1, 1, 0, BAD, 0, 0);
  one(&(struct call)C(ppoll), "bad address", BAD, 1, 0, 0, 8, 0);
  one(&(struct call)C(ppoll), "many", (long)buffer, 1 << 30, 0, 0, 8, 0);
  one(&(struct call)C(pselect6), "negative", -1, 0, 0, 0, 0, 0);
  one(&(struct call)C(pselect6), "bad address", 10, BAD, 0, 0, 0, 0);
  one(&(struct call)C(futex), "operation", (long)buffer, 77, 0, 0, 0, 0);
  one(&(struct call)C(futex), "misaligned", (long)buffer + 1, 0, 0, 0, 0, 0);
  one(&(struct call)C(futex), "bad address", BAD, 0, 0, 0, 0, 0);
  one(&(struct call)C(futex), "other value", (long)buffer, 0, 77, 0, 0, 0);
  one(&(struct call)C(shmget), "missing", 0x12345, 4096, 0, 0, 0, 0);
  one(&(struct call)C(shmat), "none", 777777, 0, 0, 0, 0, 0);
  one(&(struct call)C(shmdt), "nothing there", 65536, 0, 0, 0, 0, 0);
  one(&(struct call)C(semget), "none wanted", 0, -1, 0, 0, 0, 0);
  one(&(struct call)C(semtimedop), "none", 777777, (long)buffer, 1, 0, 0, 0);
  one(&(struct call)C(msgget), "missing", 0x12345, 0, 0, 0, 0, 0);
  one(&(struct call)C(msgsnd), "none", 777777, (long)buffer, 1, 0, 0, 0);
  one(&(struct call)C(msgctl), "command", 777777, 99, 0, 0, 0, 0);
}

int main(void) {
  setvbuf(stdout, NULL, _IOFBF, 1 << 16);
  char *two = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  munmap(two + 4096, 4096);
  edge = two + 4092;
  read_only = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  put("plain", "");
  puts("-- descriptors"), descriptors();
  puts("-- paths"), paths();
  puts("-- memory"), memory();
  puts("-- processes"), processes();
  puts("-- signals, time"), signals_and_time();
  return 0;
}
