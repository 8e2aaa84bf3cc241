/* proc(5): the files programs read, by their shape and by what must hold between them; never by their numbers. */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

static char buf[1 << 16];
static long slurp(const char *path) {
  int fd = open(path, O_RDONLY);
  long n = 0, r;
  if (fd < 0) return -1;
  while ((r = read(fd, buf + n, sizeof buf - 1 - (size_t)n)) > 0) n += r;
  close(fd);
  buf[n] = 0;
  return n;
}
static const char *field(const char *key) { /* of "Key:\tvalue" lines */
  static char value[256];
  char *at = strstr(buf, key);
  value[0] = 0;
  if (at) {
    at += strlen(key);
    while (*at == ' ' || *at == '\t') at++;
    size_t n = strcspn(at, "\n");
    memcpy(value, at, n < 255 ? n : 255), value[n < 255 ? n : 255] = 0;
  }
  return value;
}
static const char *link_of(const char *path) {
  static char text[4096];
  long n = readlink(path, text, sizeof text - 1);
  text[n < 0 ? 0 : n] = 0;
  return n < 0 ? strerror(errno) : text;
}

static void self(char **argv) {
  char text[64];
  snprintf(text, sizeof text, "%d", getpid());
  printf("self %d\n", !strcmp(link_of("/proc/self"), text));
  snprintf(text, sizeof text, "%d/task/%d", getpid(), getpid());
  printf("thread-self %d\n", !strcmp(link_of("/proc/thread-self"), text));
  long n = slurp("/proc/self/cmdline");
  printf("cmdline %d %d\n", n == (long)strlen(argv[0]) + 1, !strcmp(buf, argv[0]));
  const char *base = strrchr(argv[0], '/');
  printf("exe %d\n", !strcmp(strrchr(link_of("/proc/self/exe"), '/') + 1, base ? base + 1 : argv[0]));
  char cwd[4096];
  printf("cwd %d root %s\n", !strcmp(link_of("/proc/self/cwd"), getcwd(cwd, sizeof cwd)), link_of("/proc/self/root"));
  slurp("/proc/self/comm");
  printf("comm %s", buf);
  prctl(PR_SET_NAME, "renamed thing that is long");
  slurp("/proc/self/comm");
  printf("comm %s", buf);
  int fd = open("/proc/self/comm", O_WRONLY);
  printf("write comm %ld\n", (long)write(fd, "proc\n", 5));
  close(fd);
  prctl(PR_GET_NAME, buf);
  printf("comm %s\n", buf);
  struct stat st, by_link;
  stat("/proc/self/exe", &by_link), stat(argv[0], &st);
  printf("exe is the file %d\n", st.st_ino == by_link.st_ino && st.st_dev == by_link.st_dev);
  fd = open("/proc/self/exe", O_RDONLY);
  printf("exe opens %d %.3s\n", read(fd, buf, 4) == 4, buf + 1);
  close(fd);
}

static void stat_and_status(void) {
  slurp("/proc/self/stat");
  int pid, ppid, pgrp, session, fields = 0;
  char comm[32], state;
  int got = sscanf(buf, "%d (%31[^)]) %c %d %d %d", &pid, comm, &state, &ppid, &pgrp, &session);
  for (char *p = strrchr(buf, ')'); *p; p++) fields += *p == ' ';
  printf("stat %d: %d %s %c %d %d %d fields %d\n", got, pid == getpid(), comm, state, ppid == getppid(), pgrp == getpgrp(),
         session == getsid(0), fields + 2);
  slurp("/proc/self/status");
  printf("status name %s", field("Name:"));
  printf(" state %c", field("State:")[0]);
  printf(" pid %d", atoi(field("\nPid:")) == getpid());
  printf(" ppid %d", atoi(field("PPid:")) == getppid());
  printf(" uid %d", atoi(field("Uid:")) == (int)getuid());
  printf(" threads %s", field("Threads:"));
  printf(" rss %d", atoi(field("VmRSS:")) > 0);
  printf(" tracer %s\n", field("TracerPid:"));
  signal(SIGUSR1, SIG_IGN);
  sigset_t set;
  sigemptyset(&set), sigaddset(&set, SIGUSR2);
  sigprocmask(SIG_BLOCK, &set, NULL);
  raise(SIGUSR2);
  slurp("/proc/self/status");
  unsigned long ign = strtoul(field("SigIgn:"), NULL, 16), blk = strtoul(field("SigBlk:"), NULL, 16);
  unsigned long pnd = strtoul(field("SigPnd:"), NULL, 16) | strtoul(field("ShdPnd:"), NULL, 16);
  printf("signals ignored %d blocked %d pending %d\n", (int)(ign >> (SIGUSR1 - 1) & 1), (int)(blk >> (SIGUSR2 - 1) & 1),
         (int)(pnd >> (SIGUSR2 - 1) & 1));
  slurp("/proc/self/statm");
  long size = 0, rss = 0;
  printf("statm %d %d\n", sscanf(buf, "%ld %ld", &size, &rss), size >= rss && rss > 0);
}

static void maps(void) {
  slurp("/proc/self/maps");
  unsigned long last = 0, from, to, here = (unsigned long)&maps, stack = (unsigned long)&last;
  char perms[5], name[256];
  int sorted = 1, code = 0, on_stack = 0, has_stack = strstr(buf, "[stack]") != NULL;
  for (char *line = strtok(buf, "\n"); line; line = strtok(NULL, "\n")) {
    name[0] = 0;
    if (sscanf(line, "%lx-%lx %4s %*x %*s %*d %255s", &from, &to, perms, name) < 3) sorted = 0;
    if (from < last || to <= from) sorted = 0;
    if (here >= from && here < to) code = perms[0] == 'r' && perms[2] == 'x' && strstr(name, "proc") != NULL;
    if (stack >= from && stack < to) on_stack = perms[1] == 'w' && !strcmp(name, "[stack]");
    last = to;
  }
  printf("maps sorted %d code %d stack %d %d\n", sorted, code, on_stack, has_stack);
}

static void descriptors(void) {
  int p[2], ev = eventfd(0, 0);
  pipe(p);
  int file = open("proc_file", O_RDWR | O_CREAT | O_APPEND, 0600);
  char path[64], cwd[4096];
  write(file, "12345", 5);
  snprintf(path, sizeof path, "/proc/self/fd/%d", file);
  getcwd(cwd, sizeof cwd), strcat(cwd, "/proc_file");
  printf("fd file %d\n", !strcmp(link_of(path), cwd));
  struct stat st;
  lstat(path, &st);
  printf("fd link mode %o\n", st.st_mode);
  stat(path, &st);
  printf("fd target regular %d size %ld\n", S_ISREG(st.st_mode), (long)st.st_size);
  unlink("proc_file");
  printf("deleted %d\n", strstr(link_of(path), " (deleted)") != NULL);
  int again = open(path, O_RDONLY);
  printf("reopened %ld\n", (long)read(again, buf, 10));
  snprintf(path, sizeof path, "/proc/self/fd/%d", p[0]);
  printf("pipe %.6s\n", link_of(path));
  lstat(path, &st);
  printf("pipe link mode %o\n", st.st_mode);
  snprintf(path, sizeof path, "/proc/self/fd/%d", ev);
  printf("eventfd %s\n", link_of(path));
  snprintf(path, sizeof path, "/proc/self/fdinfo/%d", file);
  slurp(path);
  printf("fdinfo pos %s", field("pos:"));
  printf(" flags %lo\n", strtoul(field("flags:"), NULL, 8) & (O_ACCMODE | O_APPEND));
  DIR *d = opendir("/proc/self/fd");
  int seen = 0, own = 0;
  for (struct dirent *e; (e = readdir(d));) {
    if (e->d_name[0] == '.') continue;
    int fd = atoi(e->d_name);
    seen += fd == file || fd == p[0] || fd == p[1] || fd == ev || fd == again;
    own += fd == dirfd(d);
  }
  closedir(d);
  printf("listed %d own %d\n", seen, own);
  errno = 0;
  printf("closed one %d %d\n", open("/proc/self/fd/77", O_RDONLY), errno == ENOENT);
  close(p[0]), close(p[1]), close(ev), close(file), close(again);
}

static void *sleeper(void *arg) {
  prctl(PR_SET_NAME, "sleeper");
  *(int *)arg = (int)syscall(SYS_gettid);
  for (;;) pause();
}
static void threads(void) {
  pthread_t t;
  volatile int tid = 0;
  pthread_create(&t, NULL, sleeper, (void *)&tid);
  while (!tid) usleep(1000);
  usleep(20000);
  char path[64];
  DIR *d = opendir("/proc/self/task");
  int count = 0, found = 0;
  for (struct dirent *e; (e = readdir(d));) count += isdigit(e->d_name[0]) != 0, found += atoi(e->d_name) == tid;
  closedir(d);
  printf("tasks %d found %d\n", count, found);
  snprintf(path, sizeof path, "/proc/self/task/%d/comm", tid);
  slurp(path);
  printf("thread comm %s", buf);
  snprintf(path, sizeof path, "/proc/self/task/%d/status", tid);
  slurp(path);
  printf("thread pid %d tgid %d state %c\n", atoi(field("\nPid:")) == tid, atoi(field("Tgid:")) == getpid(), field("State:")[0]);
}

static void others(char **argv) {
  int gate[2];
  pipe(gate);
  pid_t child = fork();
  char path[64], c;
  if (child == 0) {
    char *args[] = {argv[0], "--wait", "two words", NULL}, *env[] = {"A=1", "B=2", NULL};
    dup2(gate[1], 1);
    execve("/proc/self/exe", args, env);
    _exit(1);
  }
  read(gate[0], &c, 1);
  snprintf(path, sizeof path, "/proc/%d/cmdline", child);
  long n = slurp(path);
  for (long i = 0; i < n; i++) buf[i] = buf[i] ? buf[i] : '|';
  char *rest = strchr(buf, '|');
  printf("child cmdline %s\n", rest ? rest : "none");
  snprintf(path, sizeof path, "/proc/%d/environ", child);
  n = slurp(path);
  for (long i = 0; i < n; i++) buf[i] = buf[i] ? buf[i] : '|';
  printf("child environ %s\n", buf);
  usleep(20000);
  snprintf(path, sizeof path, "/proc/%d/stat", child);
  slurp(path);
  int ppid;
  char state;
  sscanf(strrchr(buf, ')') + 2, "%c %d", &state, &ppid);
  printf("child state %c ppid %d\n", state, ppid == getpid());
  kill(child, SIGSTOP);
  waitpid(child, NULL, WUNTRACED);
  slurp(path);
  printf("stopped %c\n", strrchr(buf, ')')[2]);
  kill(child, SIGKILL);
  siginfo_t info;
  waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT);
  slurp(path);
  printf("zombie %c\n", strrchr(buf, ')')[2]);
  snprintf(path, sizeof path, "/proc/%d/cmdline", child);
  printf("zombie cmdline %ld\n", slurp(path));
  int open_dir = open("/proc/self/status", O_RDONLY);
  close(open_dir);
  snprintf(path, sizeof path, "/proc/%d", child);
  int dir = open(path, O_RDONLY | O_DIRECTORY);
  waitpid(child, NULL, 0);
  errno = 0;
  printf("reaped %d %d\n", access(path, F_OK), errno == ENOENT);
  errno = 0;
  int gone = openat(dir, "stat", O_RDONLY);
  printf("through the old directory %d %d\n", gone, errno == ENOENT || errno == ESRCH);
  close(dir);
}

static void machine(void) {
  struct utsname u;
  uname(&u);
  slurp("/proc/sys/kernel/osrelease");
  printf("osrelease %d\n", !strncmp(buf, u.release, strlen(u.release)));
  slurp("/proc/sys/kernel/hostname");
  printf("hostname %d\n", !strncmp(buf, u.nodename, strlen(u.nodename)));
  slurp("/proc/sys/kernel/ostype");
  printf("ostype %s", buf);
  slurp("/proc/version");
  printf("version %d\n", !strncmp(buf, "Linux version ", 14) && strstr(buf, u.release));
  slurp("/proc/meminfo");
  long total = atol(field("MemTotal:")), available = atol(field("MemAvailable:"));
  printf("meminfo %d %d\n", total > 0, available > 0 && available <= total);
  double up = 0, idle = -1;
  slurp("/proc/uptime");
  printf("uptime %d %d\n", sscanf(buf, "%lf %lf", &up, &idle), up > 0 && idle >= 0);
  double load[3];
  int running, all, last;
  slurp("/proc/loadavg");
  printf("loadavg %d\n", sscanf(buf, "%lf %lf %lf %d/%d %d", load, load + 1, load + 2, &running, &all, &last));
  slurp("/proc/stat");
  printf("stat %d %d\n", !strncmp(buf, "cpu  ", 5), atol(field("btime ")) > 1600000000);
  long cpus = 0;
  slurp("/proc/cpuinfo");
  for (char *at = buf; (at = strstr(at, "processor\t: ")); at++) cpus++;
  printf("cpuinfo %d\n", cpus > 0 && cpus == sysconf(_SC_NPROCESSORS_ONLN));
  slurp("/proc/filesystems");
  printf("filesystems %d\n", strstr(buf, "nodev\tproc\n") != NULL);
  slurp("/proc/mounts");
  printf("mounts %d %d %s\n", strstr(buf, " /proc proc ") != NULL, strstr(buf, " / ") != NULL, link_of("/proc/mounts"));
  slurp("/proc/self/mountinfo");
  printf("mountinfo %d\n", strstr(buf, " /proc ") != NULL && strstr(buf, " - proc ") != NULL);
  char first[64];
  long n = slurp("/proc/sys/kernel/random/uuid");
  memcpy(first, buf, 40);
  slurp("/proc/sys/kernel/random/uuid");
  printf("uuid %ld version %c new %d\n", n, buf[14], memcmp(first, buf, 36) != 0);
  slurp("/proc/sys/kernel/random/boot_id");
  memcpy(first, buf, 40);
  slurp("/proc/sys/kernel/random/boot_id");
  printf("boot_id same %d\n", !memcmp(first, buf, 36));
  slurp("/proc/sys/kernel/ngroups_max");
  printf("ngroups_max %s", buf);
  slurp("/proc/sys/fs/pipe-max-size");
  printf("pipe-max-size %s", buf);
  slurp("/proc/self/limits");
  printf("limits %d\n", strstr(buf, "Max open files ") != NULL);
  slurp("/sys/devices/system/cpu/online");
  printf("sys cpu %c\n", buf[0]);
}

static volatile char page[4096 * 8] __attribute__((aligned(4096)));
/* Rss of the area that holds `page`, in kB; the process pid is our copy. */
static long resident_of(pid_t pid) {
  char path[64];
  unsigned long start, end;
  snprintf(path, sizeof path, "/proc/%d/smaps", pid);
  FILE *f = fopen(path, "r");
  char line[512];
  long rss = -1;
  int inside = 0;
  while (f && fgets(line, sizeof line, f)) {
    if (sscanf(line, "%lx-%lx ", &start, &end) == 2) inside = (unsigned long)page >= start && (unsigned long)page < end;
    if (inside && !strncmp(line, "Rss:", 4)) rss = atol(line + 4);
  }
  if (f) fclose(f);
  return rss;
}
static long io_count(const char *key) {
  slurp("/proc/self/io");
  char *at = strstr(buf, key);
  return at ? atol(at + strlen(key)) : -1;
}
static void usage(void) {
  long reads = io_count("syscr: "), bytes = io_count("rchar: "), null = open("/dev/null", O_WRONLY), written = io_count("wchar: ");
  printf("io: reads counted %d, bytes %d\n", io_count("syscr: ") > reads, io_count("rchar: ") > bytes);
  write((int)null, buf, 1000);
  printf("io: written %ld\n", io_count("wchar: ") - written);
  close((int)null);
  unsigned long word[2] = {1, 0}, size = 0;
  int fd = open("/proc/self/auxv", O_RDONLY);
  while (word[0] && read(fd, word, sizeof word) == sizeof word) size = word[0] == 6 /* AT_PAGESZ */ ? word[1] : size;
  close(fd);
  printf("auxv: pages of %lu, ends with %lu\n", size, word[0]);
  long before = resident_of(getpid());
  for (int i = 0; i < 8; i++) page[i * 4096] = 1;
  printf("smaps: known %d, touched pages are there %d\n", before >= 0, resident_of(getpid()) >= 32);
  pid_t child = fork();
  if (!child) {
    for (;;) pause();
  }
  printf("smaps of a child: %d\n", resident_of(child) >= 32);
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
}

static void access_rules(void) {
  errno = 0;
  printf("create %d %d\n", open("/proc/nothing", O_CREAT | O_RDWR, 0600), errno == ENOENT || errno == EACCES);
  errno = 0;
  printf("absent %d %d\n", open("/proc/999999", O_RDONLY), errno == ENOENT);
  errno = 0;
  printf("mkdir %d %d\n", mkdir("/proc/dir", 0700), errno == ENOENT || errno == EPERM || errno == EACCES);
  errno = 0;
  printf("unlink %d %d\n", unlink("/proc/version"), errno == EPERM || errno == EACCES);
  int fd = open("/proc/uptime", O_RDONLY);
  char one[64] = "", two[64] = "";
  read(fd, one, 4);
  usleep(30000);
  lseek(fd, 0, SEEK_SET);
  read(fd, two, 63);
  struct stat st;
  fstat(fd, &st);
  printf("read anew %d size %ld mode %o\n", strlen(two) > 4, (long)st.st_size, st.st_mode);
  printf("pread %ld\n", (long)pread(fd, one, 2, 1));
  close(fd);
  stat("/proc/self", &st);
  printf("directory %d nlink>=2 %d\n", S_ISDIR(st.st_mode), st.st_nlink >= 2);
  char cwd[64];
  chdir("/proc/self/task");
  chdir("..");
  char expect[64];
  snprintf(expect, sizeof expect, "/proc/%d", getpid());
  printf("dot dot %d\n", !strcmp(getcwd(cwd, sizeof cwd), expect));
}

int main(int argc, char **argv) {
  if (argc > 1) {
    write(1, "x", 1);
    pause();
  }
  setvbuf(stdout, NULL, _IOFBF, 1 << 16);
  self(argv);
  stat_and_status();
  maps();
  descriptors();
  fflush(stdout);
  others(argv);
  threads();
  machine();
  usage();
  access_rules();
  return 0;
}
