/* What a module can do with files below its working directory and by absolute paths. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void say(const char *what, int r) { printf("%s: %s\n", what, r < 0 ? strerror(errno) : "ok"); }

int main(void) {
  char text[64] = {0};
  struct stat st;
  say("mkdir", mkdir("made", 0777));
  int fd = open("made/a", O_CREAT | O_EXCL | O_RDWR, 0666);
  say("open", fd);
  say("write", (int)write(fd, "hello world", 11));
  say("pread", (int)pread(fd, text, 5, 6));
  printf("%s\n", text);
  say("append", fcntl(fd, F_SETFL, O_APPEND));
  lseek(fd, 0, SEEK_SET);
  say("write", (int)write(fd, "!", 1));
  say("fstat", fstat(fd, &st));
  printf("%lld %d\n", (long long)st.st_size, S_ISREG(st.st_mode));
  say("truncate", ftruncate(fd, 3));
  close(fd);
  say("excl", open("made/a", O_CREAT | O_EXCL | O_RDWR, 0666));
  say("symlink", symlink("a", "made/l"));
  memset(text, 0, sizeof text);
  say("readlink", (int)readlink("made/l", text, sizeof text));
  printf("%s\n", text);
  say("rename", rename("made/a", "made/b"));
  say("link", link("made/b", "made/a"));
  say("stat", stat("made/l", &st));
  printf("%lld %d\n", (long long)st.st_size, (int)st.st_nlink);
  say("rmdir", rmdir("made"));
  DIR *d = opendir("made");
  int names = 0;
  for (struct dirent *e; (e = readdir(d));) names += strcmp(e->d_name, ".") && strcmp(e->d_name, "..");
  closedir(d);
  printf("%d names\n", names);
  say("unlink", unlink("made/a") | unlink("made/b") | unlink("made/l"));
  say("rmdir", rmdir("made"));
  say("absolute", stat("/tmp", &st));
  say("missing", open("nothing", O_RDONLY));
  say("above", open("../../etc/passwd", O_RDONLY));
  return 0;
}
