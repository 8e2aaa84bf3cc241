/* serve PROGRAM [ARG...]: runs it with a listening TCP socket as descriptor 0, and a client of that socket beside it. */
#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the server answered goes to `text`. */
static int client(struct sockaddr_in *where, char *text, size_t room) {
  ssize_t n;
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(fd, (struct sockaddr *)where, sizeof *where)) return perror("connect"), 1;
  if (write(fd, "good ", 5) != 5) return perror("write"), 1;
  usleep(50000);
  if (write(fd, "news", 4) != 4) return perror("write"), 1;
  while ((n = read(fd, text, room - 1)) > 0) text += n, room -= (size_t)n;
  *text = 0;
  return close(fd);
}

int main(int argc, char **argv) {
  struct sockaddr_in where = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof where;
  int status, fd = socket(AF_INET, SOCK_STREAM, 0);
  if (argc < 2 || fd < 0 || bind(fd, (struct sockaddr *)&where, size) || listen(fd, 5) ||
      getsockname(fd, (struct sockaddr *)&where, &size)) return perror("serve"), 1;
  pid_t child = fork();
  if (child == 0) {
    dup2(fd, 0);
    execv(argv[1], argv + 1);
    _exit(127);
  }
  close(fd);
  char text[64];
  int code = client(&where, text, sizeof text);
  waitpid(child, &status, 0);
  if (!code) printf("client: %s\n", text);
  return code ? code : WEXITSTATUS(status);
}
