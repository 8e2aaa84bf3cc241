/* capabilities(7): the sets, capset(2), setuid(2)'s effect on them, KEEPCAPS and securebits, ambient ones over execve,
 * the bounding set, what single capabilities allow, and file permissions of users other than root. */
#include "try.h"
#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>

static int get(uint64_t *e, uint64_t *p, uint64_t *i) {
  struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct d[2] = {{0}};
  int r = (int)syscall(SYS_capget, &h, d);
  *e = d[0].effective | (uint64_t)d[1].effective << 32;
  *p = d[0].permitted | (uint64_t)d[1].permitted << 32;
  *i = d[0].inheritable | (uint64_t)d[1].inheritable << 32;
  return r;
}
static int set(uint64_t e, uint64_t p, uint64_t i) {
  struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct d[2] = {{(uint32_t)e, (uint32_t)p, (uint32_t)i},
                                        {(uint32_t)(e >> 32), (uint32_t)(p >> 32), (uint32_t)(i >> 32)}};
  return (int)syscall(SYS_capset, &h, d);
}
#define CAP(n) (1ull << (n))
/* Of the many that may be missing on a host, only these are shown. */
static const uint64_t shown = CAP(CAP_CHOWN) | CAP(CAP_KILL) | CAP(CAP_SETUID) | CAP(CAP_SETPCAP) | CAP(CAP_DAC_OVERRIDE);
static void sets(const char *when) {
  uint64_t e, p, i;
  get(&e, &p, &i);
  unsigned ambient = 0;
  for (int c = 0; c < 10; c++) ambient |= (unsigned)(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, c, 0, 0) == 1) << c;
  printf("%s: e %llx p %llx i %llx a %x bits %d\n", when, (unsigned long long)(e & shown), (unsigned long long)(p & shown),
         (unsigned long long)(i & shown), ambient, prctl(PR_GET_SECUREBITS));
}

static void in_child(void (*fn)(void)) {
  fflush(stdout);
  pid_t p = fork();
  if (!p) {
    fn();
    fflush(stdout);
    _exit(0);
  }
  int status;
  waitpid(p, &status, 0);
  if (status) printf("status %x\n", (unsigned)status);
}

static void by_setuid(void) {
  sets("root");
  TRY(seteuid(1000));
  sets("effective 1000");
  TRY(seteuid(0));
  sets("effective 0 again");
  TRY(setresuid(1000, 1000, 1000));
  sets("all 1000");
  TRY(setuid(0));
  TRY(set(CAP(CAP_CHOWN), CAP(CAP_CHOWN), 0));
}
static void kept(void) {
  TRY(prctl(PR_SET_KEEPCAPS, 1));
  TRY(setuid(1000));
  sets("kept");
  uint64_t e, p, i;
  get(&e, &p, &i);
  TRY(set(CAP(CAP_CHOWN) | CAP(CAP_SETUID), p, 0));
  sets("raised");
  TRY(setuid(0));
  sets("back to 0");
  TRY(prctl(PR_SET_KEEPCAPS, 2));
}
static void no_fixup(void) {
  TRY(prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP | SECBIT_NO_SETUID_FIXUP_LOCKED));
  TRY(setresuid(1000, 1000, 1000));
  sets("no fix-up");
  TRY(prctl(PR_SET_SECUREBITS, 0));
  TRY(prctl(PR_SET_SECUREBITS, 1 << 20));
}
static void by_hand(void) {
  TRY(set(CAP(CAP_CHOWN), CAP(CAP_CHOWN) | CAP(CAP_KILL), CAP(CAP_KILL)));
  sets("set");
  TRY(set(CAP(CAP_SETUID), CAP(CAP_CHOWN) | CAP(CAP_KILL), 0));
  TRY(set(0, CAP(CAP_CHOWN) | CAP(CAP_SETUID), 0));
  TRY(set(0, CAP(CAP_CHOWN), CAP(CAP_SETUID)));
  TRY(setuid(1000));
  put("own", "x");
  TRY(chown("own", 1000, 1000));
  TRY(kill(getppid(), 0));
  TRY(prctl(PR_CAPBSET_DROP, CAP_CHOWN));
  TRY(prctl(PR_CAPBSET_READ, CAP_CHOWN));
  TRY(prctl(PR_CAPBSET_READ, 64));
  struct __user_cap_header_struct h = {0x1234, 0};
  TRY(syscall(SYS_capget, &h, NULL));
  SHOW("%x", h.version);
  h.pid = -1;
  struct __user_cap_data_struct d[2];
  TRY(syscall(SYS_capget, &h, d));
  h.version = _LINUX_CAPABILITY_VERSION_3, h.pid = 999999;
  TRY(syscall(SYS_capget, &h, d));
  h.pid = getppid();
  TRY(syscall(SYS_capget, &h, d));
  TRY(syscall(SYS_capset, &h, d));
}
static char *self;
static void run(const char *how) {
  fflush(stdout);
  execl(self, self, how, NULL);
  perror("execl");
}
static void over_exec(void) {
  TRY(prctl(PR_CAPBSET_DROP, CAP_KILL));
  TRY(set(CAP(CAP_CHOWN), CAP(CAP_CHOWN), CAP(CAP_CHOWN)));
  run("after execve, root without CAP_KILL in the bounding set");
}
static void plain_exec(void) {
  TRY(prctl(PR_SET_KEEPCAPS, 1));
  TRY(setuid(1000));
  uint64_t e, p, i;
  get(&e, &p, &i);
  TRY(set(p, p, CAP(CAP_CHOWN)));
  run("after execve, not root");
}
static void ambient_exec(void) {
  TRY(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN, 0, 0));
  TRY(prctl(PR_SET_KEEPCAPS, 1));
  TRY(setuid(1000));
  TRY(set(CAP(CAP_CHOWN), CAP(CAP_CHOWN) | CAP(CAP_KILL), CAP(CAP_CHOWN) | CAP(CAP_KILL)));
  TRY(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN, 0, 0));
  TRY(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0));
  TRY(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_LOWER, CAP_KILL, 0, 0));
  TRY(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_SETUID, 0, 0));
  TRY(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 99, 0, 0));
  TRY(prctl(PR_CAP_AMBIENT, 9, CAP_CHOWN, 0, 0));
  TRY(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_CHOWN, 0, 1));
  TRY(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 1, 0, 0));
  sets("with ambient");
  run("after execve, ambient");
}

static void not_root(void) {
  TRY(setgroups(1, (gid_t[]){2000}));
  TRY(setgid(1000));
  TRY(setuid(1000));
  TRY(setgroups(0, NULL));
  OPEN("root-only", O_RDONLY);
  OPEN("group-reads", O_RDONLY);
  OPEN("group-reads", O_WRONLY);
  OPEN("all-read", O_RDONLY);
  OPEN("closed/file", O_RDONLY);
  OPEN("search/file", O_RDONLY);
  TRY(access("search", R_OK));
  TRY(access("search", X_OK));
  OPEN("fresh", O_WRONLY | O_CREAT, 0644);
  OPEN("open/mine", O_WRONLY | O_CREAT, 0644);
  TRY(unlink("open/theirs"));
  TRY(rename("open/theirs", "open/x"));
  TRY(unlink("open/mine"));
  TRY(chmod("all-read", 0777));
  TRY(chown("all-read", 1000, 1000));
  TRY(utimensat(AT_FDCWD, "all-read", NULL, 0));
  TRY(mkdir("d", 0755));
  TRY(mknod("dev", S_IFCHR | 0600, 0));
  TRY(chroot("/"));
  TRY(mount("none", "open", "tmpfs", 0, NULL));
  TRY(umount("open"));
  TRY(sethostname("x", 1));
  TRY(setpriority(PRIO_PROCESS, 0, -5));
  struct rlimit l = {1 << 30, 1 << 30};
  TRY(setrlimit(RLIMIT_NOFILE, &l));
  TRY(kill(1, 0));
  TRY(setuid(0));
  TRY(setresuid(-1, -1, 1000));
  char protected = '0';
  FILE *f = fopen("/proc/sys/fs/protected_hardlinks", "r");
  if (f && fread(&protected, 1, 1, f) == 1) fclose(f);
  printf("a link to what is not mine: as the system says %d\n", link("root-only", "open/l") == (protected == '1' ? -1 : 0));
  TRY(symlink("root-only", "open/s"));
  OPEN("open/s", O_RDONLY);
  TRY(mkdir("open/sub", 02777));
  OPEN("open/sub/f", O_CREAT | O_WRONLY, 0644);
  SHOW("%o %d", stat_of("open/sub").st_mode, (int)stat_of("open/sub/f").st_gid);
  TRY(open("all-read", O_RDONLY | O_NOATIME) > 0);
}
static void search_capable(void) {
  prctl(PR_SET_KEEPCAPS, 1);
  TRY(setuid(1000));
  TRY(set(CAP(CAP_DAC_READ_SEARCH), CAP(CAP_DAC_READ_SEARCH), 0));
  OPEN("root-only", O_RDONLY);
  OPEN("root-only", O_WRONLY);
  OPEN("closed/file", O_RDONLY);
  TRY(access("root-only", R_OK));
  TRY(faccessat(AT_FDCWD, "root-only", R_OK, AT_EACCESS));
}
static void fsuid(void) {
  TRY(syscall(SYS_setfsuid, 1000));
  sets("fsuid 1000");
  OPEN("root-only", O_RDONLY);
  TRY(syscall(SYS_setfsuid, 0));
  sets("fsuid 0");
  OPEN("root-only", O_RDONLY);
}

int main(int argc, char **argv) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  static char path[4096];
  self = realpath("/proc/self/exe", path);
  if (argc > 1) {
    sets(argv[1]);
    return 0;
  }
  chmod(".", 0755);
  put("root-only", "r"), chmod("root-only", 0600);
  put("group-reads", "g"), chmod("group-reads", 0640);
  if (chown("group-reads", 0, 2000)) perror("chown");
  put("all-read", "a");
  mkdir("closed", 0700), put("closed/file", "x"), mkdir("search", 0711), put("search/file", "x");
  mkdir("open", 0), chmod("open", 01777), put("open/theirs", "x");
  puts("-- setuid"), in_child(by_setuid);
  puts("-- KEEPCAPS"), in_child(kept);
  puts("-- securebits"), in_child(no_fixup);
  puts("-- capset"), in_child(by_hand);
  puts("-- execve"), in_child(over_exec), in_child(plain_exec), in_child(ambient_exec);
  puts("-- another user"), in_child(not_root);
  puts("-- CAP_DAC_READ_SEARCH alone"), in_child(search_capable);
  puts("-- setfsuid"), in_child(fsuid);
  return 0;
}
