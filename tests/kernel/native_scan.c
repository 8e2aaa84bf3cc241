/* Walks a host directory for native_host.c: every file, parents before children, with what a layer entry needs.
 * Kept apart because libc's headers and the guest's constants do not mix. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef int (*scan_fn)(void *arg, const char *path, unsigned mode, long mtime, long nsec, const char *link,
                       const void *body, unsigned long bytes);
int native_scan(const char *root, scan_fn fn, void *arg);

static int scan(const char *root, const char *relative, scan_fn fn, void *arg) {
  char full[8192];
  snprintf(full, sizeof full, "%s/%s", root, relative);
  DIR *d = opendir(full);
  if (!d) return -1;
  int r = 0;
  for (struct dirent *e; r == 0 && (e = readdir(d));) {
    if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
    char path[4096], host[12300], link[4096] = "";
    if (snprintf(path, sizeof path, "%s%s%s", relative, *relative ? "/" : "", e->d_name) >= (int)sizeof path) continue;
    snprintf(host, sizeof host, "%s/%s", root, path);
    struct stat st;
    if (lstat(host, &st) < 0) continue;
    if (S_ISLNK(st.st_mode)) {
      ssize_t n = readlink(host, link, sizeof link - 1);
      if (n < 0) continue;
      link[n] = 0;
    }
    void *body = NULL;
    unsigned long bytes = 0;
    if (S_ISREG(st.st_mode)) {
      int fd = open(host, O_RDONLY);
      if (fd < 0) continue;
      body = malloc((size_t)st.st_size + 1);
      ssize_t n = read(fd, body, (size_t)st.st_size);
      bytes = n > 0 ? (unsigned long)n : 0;
      close(fd);
    }
    if (S_ISREG(st.st_mode) || S_ISLNK(st.st_mode) || S_ISDIR(st.st_mode))
      r = fn(arg, path, st.st_mode, st.st_mtim.tv_sec, st.st_mtim.tv_nsec, *link ? link : NULL, body, bytes);
    free(body);
    if (r == 0 && S_ISDIR(st.st_mode)) r = scan(root, path, fn, arg);
  }
  closedir(d);
  return r;
}
int native_scan(const char *root, scan_fn fn, void *arg) { return scan(root, "", fn, arg); }
