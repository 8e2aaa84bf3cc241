/* Random calls on a small tree, the same sequence everywhere: names with links, dots and trailing slashes, bodies with
 * holes, descriptors that outlive names. Prints every result and the tree at the end. usage: filefuzz [SEED [CALLS [SEED OF THE DIRECTORY]]] */
#include "try.h"

static uint64_t state;
static unsigned below(unsigned n) {
  state ^= state << 13, state ^= state >> 7, state ^= state << 17;
  return (unsigned)((state >> 11) % n);
}
static const char *path(char *out) {
  static const char *const names[] = {"a", "b", "c", "d", "e", "a", "b", "..", ".", "l"};
  int parts = 1 + (int)below(3);
  out[0] = 0;
  for (int i = 0; i < parts; i++) {
    if (i) strcat(out, below(12) ? "/" : "//");
    strcat(out, names[below(10)]);
  }
  /* never above the top directory */
  int depth = 0;
  char copy[64], *save = NULL;
  strcpy(copy, out);
  for (char *p = strtok_r(copy, "/", &save); p; p = strtok_r(NULL, "/", &save)) {
    depth += !strcmp(p, "..") ? -1 : strcmp(p, ".") ? 1 : 0;
    if (depth < 0) return strcpy(out, "a");
  }
  if (!below(14)) strcat(out, "/");
  return out;
}

#define FDS 6
static int fds[FDS];
static unsigned sum(const char *p, long n) {
  unsigned s = 1;
  for (long i = 0; i < n; i++) s = s * 31 + (unsigned char)p[i];
  return s;
}
static char data[20000], buf[20000];

static void dump(const char *dir, int depth) {
  char *names[64];
  int n = 0;
  DIR *d = opendir(dir);
  for (struct dirent *e; d && (e = readdir(d));)
    if (strcmp(e->d_name, ".") && strcmp(e->d_name, "..")) names[n++] = strdup(e->d_name);
  if (d) closedir(d);
  for (int i = 0; i < n; i++) /* sort */
    for (int j = i + 1; j < n; j++)
      if (strcmp(names[i], names[j]) > 0) {
        char *t = names[i];
        names[i] = names[j], names[j] = t;
      }
  for (int i = 0; i < n; i++) {
    char p[512], target[64];
    snprintf(p, sizeof p, "%s/%s", dir, names[i]);
    struct stat st;
    if (lstat(p, &st)) continue;
    printf("%*s%s %o %d %ld", depth * 2, "", names[i], st.st_mode, (int)st.st_nlink, S_ISDIR(st.st_mode) ? 0 : (long)st.st_size);
    if (S_ISLNK(st.st_mode)) printf(" -> %.*s", (int)readlink(p, target, sizeof target), target);
    if (S_ISREG(st.st_mode)) {
      int fd = open(p, O_RDONLY);
      long got = read(fd, buf, sizeof buf);
      printf(" %08x", got < 0 ? 0 : sum(buf, got));
      close(fd);
    }
    puts("");
    if (S_ISDIR(st.st_mode) && depth < 12) dump(p, depth + 1);
    free(names[i]);
  }
}

/* Links are only ever "a" .. "l/..": they may lead up, but a walk that starts low enough stays inside. */
static long one(char *text) {
  char p[64], q[64];
  int slot = (int)below(FDS);
  switch (below(22)) {
  case 0:
  case 1:
  case 2: {
    static const int flags[] = {O_RDONLY, O_RDWR, O_RDWR | O_CREAT, O_RDWR | O_CREAT, O_RDWR | O_CREAT | O_EXCL,
                                O_WRONLY | O_CREAT | O_TRUNC, O_RDONLY | O_DIRECTORY, O_RDWR | O_APPEND,
                                O_RDONLY | O_NOFOLLOW, O_RDONLY | O_CREAT, O_PATH, O_WRONLY | O_TRUNC};
    int f = flags[below(12)];
    if (fds[slot] >= 0) close(fds[slot]);
    fds[slot] = open(path(p), f, 0600 | below(0100));
    sprintf(text, "open %s %x", p, f);
    return fds[slot] < 0 ? -1 : 0;
  }
  case 3:
  case 4: {
    long n = below(9000), at = below(4) ? (long)below(9000) : -1;
    sprintf(text, "write %ld at %ld", n, at);
    return at < 0 ? write(fds[slot], data + below(1000), (size_t)n) : pwrite(fds[slot], data + below(1000), (size_t)n, at);
  }
  case 5: {
    long at = below(16000), got = pread(fds[slot], buf, below(8000), at);
    sprintf(text, "pread at %ld sum %x", at, got > 0 ? sum(buf, got) : 0);
    return got;
  }
  case 6: {
    long at = below(16000);
    sprintf(text, "ftruncate %ld", at);
    return ftruncate(fds[slot], at);
  }
  case 7: {
    int mode = below(2) ? FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE : below(2) ? FALLOC_FL_KEEP_SIZE : 0;
    long at = below(12000), n = 1 + below(6000);
    sprintf(text, "fallocate %d %ld %ld", mode, at, n);
    return fallocate(fds[slot], mode, at, n);
  }
  case 8: {
    int whence = (int)below(3);
    long at = (long)below(9000) - 100;
    struct stat st;
    sprintf(text, "lseek %ld %d", at, whence);
    if (!fstat(fds[slot], &st) && S_ISDIR(st.st_mode)) return 0; /* every file system has its own mind there */
    return lseek(fds[slot], at, whence);
  }
  case 9:
  case 10: sprintf(text, "mkdir %s", path(p)); return mkdir(p, 0700 | below(0100));
  case 11: sprintf(text, "rmdir %s", path(p)); return rmdir(p);
  case 12: sprintf(text, "unlink %s", path(p)); return unlink(p);
  case 13:
  case 14: {
    unsigned flags = below(3) ? 0 : 1 + below(2);
    path(p), path(q);
    sprintf(text, "rename %s %s %u", p, q, flags);
    return syscall(SYS_renameat2, AT_FDCWD, p, AT_FDCWD, q, flags);
  }
  case 15: path(p), path(q), sprintf(text, "link %s %s", p, q); return link(p, q);
  case 16: {
    static const char *const targets[] = {"a", "b/c", "./d", "e", "l", "a/b", "missing"};
    const char *t = targets[below(7)];
    sprintf(text, "symlink %s %s", t, path(p));
    return symlink(t, p);
  }
  case 17: {
    struct stat st;
    long r = below(2) ? stat(path(p), &st) : lstat(path(p), &st);
    sprintf(text, "stat %s", p);
    if (!r) sprintf(text + strlen(text), " %o %d %ld", st.st_mode, (int)st.st_nlink, S_ISDIR(st.st_mode) ? 0 : (long)st.st_size);
    return r;
  }
  case 18: {
    struct stat st;
    long r = fstat(fds[slot], &st);
    strcpy(text, "fstat");
    if (!r) sprintf(text + strlen(text), " %o %d %ld", st.st_mode, (int)st.st_nlink, S_ISDIR(st.st_mode) ? 0 : (long)st.st_size);
    return r;
  }
  case 19: sprintf(text, "chmod %s", path(p)); return chmod(p, 0600 | below(0100));
  case 20: sprintf(text, "readlink %s", path(p)); return readlink(p, buf, 64);
  default: sprintf(text, "truncate %s", path(p)); return truncate(p, below(9000));
  }
}

int main(int argc, char **argv) {
  unsigned long seed = argc > 1 ? strtoul(argv[1], NULL, 10) : 1, calls = argc > 2 ? strtoul(argv[2], NULL, 10) : 4000;
  setvbuf(stdout, NULL, _IOFBF, 1 << 16);
  char dir[64];
  snprintf(dir, sizeof dir, "filefuzz.%lu", argc > 3 ? strtoul(argv[3], NULL, 10) : seed);
  umask(022);
  int fresh = !mkdir(dir, 0755); /* else: go on with what an earlier run left */
  if (chdir(dir) || (fresh && mkdir("in", 0755)) || chdir("in")) return 1;
  state = seed * 0x9e3779b97f4a7c15ull + 88172645463325252ull;
  for (unsigned i = 0; i < sizeof data; i++) data[i] = (char)below(256);
  for (int i = 0; i < FDS; i++) fds[i] = -1;
  for (unsigned long i = 0; i < calls; i++) {
    char text[256] = "";
    errno = 0;
    long r = one(text);
    int error = errno;
    printf("%lu %s: %ld%s%s\n", i, text, r, r < 0 ? " " : "", r < 0 ? strerror(error) : "");
  }
  dump(".", 0);
  return 0;
}
