/* execve(2), execveat(2): what the new program gets (arguments, environment, auxiliary vector, name), what it loses,
 * scripts, limits, and that a failed execve leaves the caller whole. The program runs itself in other roles. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
static char self[4096];

static const char *name_of(int e) {
  switch (e) {
  case ENOENT: return "ENOENT";
  case EACCES: return "EACCES";
  case ENOEXEC: return "ENOEXEC";
  case ENOTDIR: return "ENOTDIR";
  case ELOOP: return "ELOOP";
  case E2BIG: return "E2BIG";
  case EFAULT: return "EFAULT";
  case ENAMETOOLONG: return "ENAMETOOLONG";
  case EBADF: return "EBADF";
  case EINVAL: return "EINVAL";
  case ETXTBSY: return "ETXTBSY";
  case EISDIR: return "EISDIR";
  default: return "other";
  }
}

/* Run path with these arguments in a child; print how it ended. at >= 0: execveat with flags. */
static void run_at(const char *what, int at, const char *path, char *const argv[], char *const envp[], int flags) {
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    if (at == -1) execve(path, argv, envp);
    else syscall(SYS_execveat, at, path, argv, envp, flags);
    printf("%s: %s\n", what, name_of(errno));
    fflush(stdout);
    _exit(99);
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFSIGNALED(status)) printf("%s: signal %d\n", what, WTERMSIG(status));
  else if (WEXITSTATUS(status) != 99) printf("%s: exit %d\n", what, WEXITSTATUS(status));
}
static void run(const char *what, const char *path, char *const argv[]) { run_at(what, -1, path, argv, environ, 0); }

static void make(const char *path, const char *text, int mode) {
  unlink(path);
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0755);
  if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text)) exit(3);
  close(fd);
  chmod(path, (mode_t)mode);
}

/* ---- roles of the new program ---- */
static int role_show(int argc, char **argv) {
  printf("argc %d", argc);
  for (int i = 1; i < argc; i++) printf(" [%s]", argv[i]);
  for (char **e = environ; *e; e++)
    if (!strncmp(*e, "SHOW", 4)) printf(" {%s}", *e);
  printf("\n");
  return argc;
}
static int role_state(void) {
  char name[16] = "";
  struct sigaction act;
  prctl(PR_GET_NAME, name);
  printf("name %s", name);
  sigaction(SIGUSR1, NULL, &act);
  printf(", caught became default %d", act.sa_handler == SIG_DFL);
  sigaction(SIGUSR2, NULL, &act);
  printf(", ignored stayed %d", act.sa_handler == SIG_IGN);
  sigset_t blocked, pending;
  sigprocmask(SIG_BLOCK, NULL, &blocked);
  sigpending(&pending);
  printf(", blocked %d, pending %d", sigismember(&blocked, SIGWINCH), sigismember(&pending, SIGWINCH));
  printf(", fd 20 %d, fd 21 %d", fcntl(20, F_GETFD), fcntl(21, F_GETFD) == -1);
  stack_t alternate;
  sigaltstack(NULL, &alternate);
  printf(", alternate stack off %d", !!(alternate.ss_flags & SS_DISABLE));
  char link[4096] = "";
  if (readlink("/proc/self/exe", link, sizeof link - 1) < 0) printf(" no exe");
  const char *slash = strrchr(link, '/');
  printf(", exe %s", slash ? slash + 1 : "?");
  printf(", pid kept %d\n", getpid() == atoi(getenv("PID")));
  return 0;
}
static int role_aux(void) {
  const unsigned char *random = (const unsigned char *)getauxval(AT_RANDOM);
  int nonzero = 0;
  for (int i = 0; i < 16; i++) nonzero |= random[i];
  printf("page %lu, random %d, phdr %d, phent %lu, entry %d, clock %lu, secure %lu, uid %d, file %s\n", getauxval(AT_PAGESZ),
         nonzero != 0, getauxval(AT_PHDR) != 0 && getauxval(AT_PHNUM) > 0, getauxval(AT_PHENT), getauxval(AT_ENTRY) != 0,
         getauxval(AT_CLKTCK), getauxval(AT_SECURE), getauxval(AT_UID) == getuid() && getauxval(AT_EGID) == getegid(),
         (const char *)getauxval(AT_EXECFN));
  return 0;
}
static int role_big(int argc, char **argv) {
  size_t bytes = 0;
  int wrong = 0;
  for (int i = 2; i < argc; i++) {
    size_t n = strlen(argv[i]);
    bytes += n;
    for (size_t k = 0; k < n; k++) wrong += argv[i][k] != (char)('A' + i % 26);
  }
  printf("%d strings of %zu bytes, wrong %d\n", argc - 2, bytes, wrong);
  return 0;
}

/* ---- the tests ---- */
static char *const aux_role[] = {"x", "aux", NULL};
static void caught(int signo) { (void)signo; }

static void arguments(void) {
  char *argv[] = {"name", "show", "", "two words", "\xff\x01", NULL}, *envp[] = {"SHOW=1", "SHOW", "SHOW=", NULL};
  run_at("arguments", -1, self, argv, envp, 0);
  run_at("no environment", -1, self, argv, NULL, 0);
  run_at("no arguments", -1, self, NULL, (char *[]){"EMPTY=1", NULL}, 0);
  run("bad path", (char *)16, argv);
  char *volatile low = (char *)16;
  run("bad arguments", self, (char **)(void *)low);
  run("bad string", self, (char *[]){low, NULL});
  run("empty path", "", argv);
  run_at("auxiliary vector", -1, self, aux_role, environ, 0);
}

static void state(void) {
  char pid[32];
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    snprintf(pid, sizeof pid, "%d", getpid());
    setenv("PID", pid, 1);
    signal(SIGUSR1, caught);
    signal(SIGUSR2, SIG_IGN);
    sigset_t set;
    sigemptyset(&set), sigaddset(&set, SIGWINCH);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGWINCH, caught);
    raise(SIGWINCH);
    static char other[65536];
    stack_t alternate = {.ss_sp = other, .ss_size = sizeof other};
    sigaltstack(&alternate, NULL);
    int fd = open("/dev/null", O_RDONLY);
    dup2(fd, 20), dup3(fd, 21, O_CLOEXEC);
    symlink(self, "a-name-longer-than-comm");
    char *argv[] = {"zero", "state", NULL};
    execve("./a-name-longer-than-comm", argv, environ);
    _exit(98);
  }
  int status = 0;
  waitpid(child, &status, 0);
  printf("state: exit %d\n", WEXITSTATUS(status));
}

/* Any thread may execve: the others end, and it goes on as the leader. */
static void *waits(void *arg) {
  for (;;) pause();
  return arg;
}
static void *executes(void *arg) {
  char *argv[] = {"x", "thread", NULL};
  execve("./no-such-file", argv, environ); /* a failed one leaves all threads alive */
  execve(self, argv, environ);
  return arg;
}
static void threads(void) {
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    char pid[32];
    snprintf(pid, sizeof pid, "%d", getpid());
    setenv("PID", pid, 1);
    pthread_t t;
    for (int i = 0; i < 3; i++) pthread_create(&t, NULL, waits, NULL);
    pthread_create(&t, NULL, executes, NULL);
    pthread_join(t, NULL);
    _exit(97);
  }
  int status = 0;
  waitpid(child, &status, 0);
  printf("from a thread: exit %d\n", WEXITSTATUS(status));
}
static int role_thread(void) {
  printf("the only thread is the leader %d, pid kept %d\n", syscall(SYS_gettid) == getpid(), getpid() == atoi(getenv("PID")));
  return 4;
}

static void refusals(void) {
  char *argv[] = {"x", NULL}, text[600], path[5000];
  mkdir("dir", 0755);
  make("plain", "hello\n", 0644);
  make("text", "echo not ours\n", 0755);
  make("empty", "", 0755);
  make("magic", "\x7f" "ELF", 0755);
  make("nothing", "#!\n", 0755);
  make("blanks", "#!   \t \n", 0755);
  make("missing", "#!/no/such/interpreter\n", 0755);
  make("directory", "#!/\n", 0755);
  make("loop", "#!./loop\n", 0755);
  symlink("circle", "circle");
  run("missing file", "./no-such-file", argv);
  run("file as directory", "./plain/x", argv);
  run("directory", "./dir", argv);
  run("not executable", "./plain", argv);
  run("text", "./text", argv);
  run("empty file", "./empty", argv);
  run("magic alone", "./magic", argv);
  run("script without interpreter", "./nothing", argv);
  run("script with blanks", "./blanks", argv);
  run("missing interpreter", "./missing", argv);
  run("interpreter is a directory", "./directory", argv);
  run("script that runs itself", "./loop", argv);
  run("circular link", "./circle", argv);
  int writing = open("text", O_WRONLY | O_APPEND);
  run("open for writing", "./text", argv);
  close(writing);
  printf("writing what runs: %s\n", open(self, O_WRONLY) < 0 ? name_of(errno) : "allowed");
  printf("truncating what runs: %s\n", truncate(self, 10) ? name_of(errno) : "allowed");
  memset(path, 'a', sizeof path - 1), path[sizeof path - 1] = 0;
  run("long path", path, argv);
  path[300] = 0;
  run("long name", path, argv);
  memset(text, 'a', sizeof text - 1), text[sizeof text - 1] = 0;
  memcpy(text, "#!/", 3);
  make("long", text, 0755);
  run("cut-off interpreter", "./long", argv);
  printf("still here: %d\n", getpid() > 0);
}

static void scripts(void) {
  char line[8192], deep[32], before[48];
  snprintf(line, sizeof line, "#!%.200s show\n", self);
  make("script", line, 0755);
  run("script", "./script", (char *[]){"zero", "one", "two", NULL});
  snprintf(line, sizeof line, "#! \t%.200s   show  a b\t \nrest\n", self);
  make("blank-script", line, 0755);
  run("one argument with blanks", "./blank-script", (char *[]){"zero", "one", NULL});
  snprintf(line, sizeof line, "#!%.200s show", self);
  make("unended", line, 0755);
  run("no newline", "./unended", (char *[]){"zero", NULL});
  run("no argv[0]", "./script", NULL);
  snprintf(line, sizeof line, "#!%.200s aux\n", self);
  make("aux-script", line, 0755);
  snprintf(before, sizeof before, "./script");
  for (int i = 1; i <= 6; i++) {
    snprintf(deep, sizeof deep, "./deep%d", i);
    snprintf(line, sizeof line, "#!%s arg%d\n", before, i);
    make(deep, line, 0755);
    snprintf(line, sizeof line, "script %d deep", i);
    run(line, deep, (char *[]){"zero", "end", NULL});
    memcpy(before, deep, sizeof deep);
  }
}

static void limits(void) {
  static char *argv[100005], *strings[30];
  static char text[200000];
  memset(text, 'x', sizeof text - 1);
  run("a string of 200000 bytes", self, (char *[]){"x", "show", text, NULL});
  text[131072] = 0;
  run("a string of 131072 bytes", self, (char *[]){"x", "big", text, NULL});
  for (int i = 2; i < 14; i++) {
    strings[i] = malloc(131072);
    memset(strings[i], 'A' + i % 26, 131071);
    strings[i][131071] = 0;
  }
  strings[0] = "x", strings[1] = "big";
  run_at("1.5 MiB", -1, self, strings, (char *[]){NULL}, 0);
  for (int i = 14; i < 28; i++) strings[i] = strings[2];
  run_at("3.4 MiB", -1, self, strings, (char *[]){NULL}, 0);
  argv[0] = "x", argv[1] = "big";
  for (int i = 2; i < 100002; i++) {
    static char letters[26][2];
    letters[i % 26][0] = (char)('A' + i % 26);
    argv[i] = letters[i % 26];
  }
  run_at("100000 strings", -1, self, argv, (char *[]){NULL}, 0);
}

static void by_descriptor(void) {
  char *argv[] = {"x", "show", "end", NULL};
  int program = open(self, O_RDONLY), closing = open(self, O_RDONLY | O_CLOEXEC), script = open("script", O_RDONLY);
  int closing_script = open("script", O_RDONLY | O_CLOEXEC), here = open(".", O_RDONLY | O_DIRECTORY), plain = open("plain", O_RDONLY);
  run_at("program by descriptor", program, "", argv, environ, AT_EMPTY_PATH);
  run_at("close-on-exec program", closing, "", argv, environ, AT_EMPTY_PATH);
  fflush(stdout);
  (void)script;
  run_at("close-on-exec script", closing_script, "", argv, environ, AT_EMPTY_PATH);
  run_at("relative to a directory", here, "aux-script", argv, environ, 0);
  run_at("without AT_EMPTY_PATH", program, "", argv, environ, 0);
  run_at("not executable", plain, "", argv, environ, AT_EMPTY_PATH);
  run_at("no such descriptor", 500, "", argv, environ, AT_EMPTY_PATH);
  run_at("bad flags", here, "script", argv, environ, 8);
  symlink("script", "link");
  run_at("link, not followed", here, "link", argv, environ, AT_SYMLINK_NOFOLLOW);
  run_at("working directory", AT_FDCWD, "./script", argv, environ, 0);
}

static int role_main(void) {
  snprintf(self, sizeof self, "/tmp/exec-test/me");
  arguments();
  state();
  threads();
  refusals();
  scripts();
  limits();
  by_descriptor();
  return 0;
}

int main(int argc, char **argv) {
  if (argc > 1 && !strncmp(argv[1], "show", 4)) return role_show(argc, argv);
  if (argc > 1 && !strcmp(argv[1], "thread")) return role_thread();
  if (argc > 1 && !strcmp(argv[1], "main")) return role_main();
  if (argc > 1 && !strcmp(argv[1], "state")) return role_state();
  if (argc > 1 && !strcmp(argv[1], "aux")) return role_aux();
  if (argc > 1 && !strcmp(argv[1], "big")) return role_big(argc, argv);
  if (getenv("EMPTY")) return printf("argc %d, argv[0] '%s'\n", argc, argv[0]), 0;
  if (argc > 1 || !realpath("/proc/self/exe", self)) return 2;
  /* everything under one short name, so that what is printed does not depend on where the program lies */
  char copy[] = "/tmp/exec-test", buffer[65536];
  int from = open(self, O_RDONLY), to;
  mkdir(copy, 0755);
  if (chdir(copy) || (to = open("me", O_WRONLY | O_CREAT | O_TRUNC, 0755)) < 0) return 2;
  for (ssize_t n; (n = read(from, buffer, sizeof buffer)) > 0;)
    if (write(to, buffer, (size_t)n) != n) return 2;
  close(from), close(to);
  execl("/tmp/exec-test/me", "me", "main", NULL);
  return 2;
}
