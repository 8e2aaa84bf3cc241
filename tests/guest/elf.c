/* Malformed ELF files (elf(5), execve(2)): each is this very program with something wrong. None may harm the caller;
 * what Linux refuses before the point of no return is refused here with the same errno. */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static unsigned char *good, *bad;
static size_t size;
#define HEADER(p) ((Elf64_Ehdr *)(void *)(p))
#define SEGMENT(p, i) ((Elf64_Phdr *)(void *)((p) + HEADER(p)->e_phoff) + (i))

static const char *name_of(int e) {
  switch (e) {
  case ENOEXEC: return "ENOEXEC";
  case ENOMEM: return "ENOMEM";
  case EINVAL: return "EINVAL";
  case ENOENT: return "ENOENT";
  case EACCES: return "EACCES";
  case ELIBBAD: return "ELIBBAD";
  default: return "other";
  }
}

/* Exec the first n bytes of bad: "ran", an errno's name, or "killed". */
static const char *outcome(size_t n) {
  static int count;
  char path[32];
  snprintf(path, sizeof path, "./bad%d", count++ % 50);
  unlink(path);
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0755), status = 0, report[2], error = 0;
  if (write(fd, bad, n) != (ssize_t)n) exit(3);
  close(fd);
  if (pipe2(report, O_CLOEXEC)) exit(3);
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    alarm(5); /* what runs wild */
    for (int i = 0; i < 3; i++) dup2(open("/dev/null", O_RDWR), i);
    execl(path, "bad", "child", NULL);
    error = errno;
    _exit(write(report[1], &error, sizeof error) > 0 ? 99 : 98);
  }
  close(report[1]);
  ssize_t got = read(report[0], &error, sizeof error);
  close(report[0]);
  waitpid(child, &status, 0);
  memcpy(bad, good, size);
  if (got == sizeof error) return name_of(error);
  return WIFEXITED(status) && WEXITSTATUS(status) == 42 ? "ran" : "killed";
}
static int first(uint32_t type) {
  for (int i = 0; i < HEADER(good)->e_phnum; i++)
    if (SEGMENT(good, i)->p_type == type) return i;
  return -1;
}

static uint64_t state = 88172645463325252u;
static uint32_t next(uint32_t below) {
  state ^= state << 13, state ^= state >> 7, state ^= state << 17;
  return (uint32_t)(state % below);
}

int main(int argc, char **argv) {
  (void)argv;
  if (argc > 1) return 42;
  int fd = open("/proc/self/exe", O_RDONLY);
  struct stat st;
  if (fd < 0 || fstat(fd, &st)) return 2;
  size = (size_t)st.st_size;
  good = malloc(size), bad = malloc(size);
  for (size_t at = 0; at < size;) {
    ssize_t n = read(fd, good + at, size - at);
    if (n <= 0) return 2;
    at += (size_t)n;
  }
  memcpy(bad, good, size);
  mkdir("/tmp/elf-test", 0755);
  if (chdir("/tmp/elf-test")) return 2;

  printf("whole: %s\n", outcome(size));
  printf("cut inside the magic: %s\n", outcome(3));
  printf("cut inside the header: %s\n", outcome(40));
  printf("cut inside the program headers: %s\n", outcome(HEADER(good)->e_phoff + 60));
  HEADER(bad)->e_ident[0] = 0x7e;
  printf("no magic: %s\n", outcome(size));
  HEADER(bad)->e_machine = 0;
  printf("no machine: %s\n", outcome(size));
  HEADER(bad)->e_machine = EM_S390;
  printf("another machine: %s\n", outcome(size));
  HEADER(bad)->e_type = ET_REL;
  printf("relocatable: %s\n", outcome(size));
  HEADER(bad)->e_type = 77;
  printf("strange type: %s\n", outcome(size));
  HEADER(bad)->e_phentsize = 55;
  printf("strange program header size: %s\n", outcome(size));
  HEADER(bad)->e_phnum = 0;
  printf("no program headers: %s\n", outcome(size));
  HEADER(bad)->e_phnum = 65535;
  printf("65535 program headers: %s\n", outcome(size));
  HEADER(bad)->e_phoff = size + 100;
  printf("program headers behind the end: %s\n", strcmp(outcome(size), "ran") ? "refused" : "ran");
  HEADER(bad)->e_phoff = UINT64_MAX - 10;
  printf("program headers at the end of numbers: %s\n", strcmp(outcome(size), "ran") ? "refused" : "ran");

  int load = first(PT_LOAD);
  static const struct {
    const char *what;
    size_t field;
    uint64_t value;
  } cases[] = {
      {"p_filesz larger than p_memsz", offsetof(Elf64_Phdr, p_filesz), 1ull << 40},
      {"p_filesz at the end of numbers", offsetof(Elf64_Phdr, p_filesz), UINT64_MAX},
      {"p_memsz huge", offsetof(Elf64_Phdr, p_memsz), 1ull << 60},
      {"p_memsz at the end of numbers", offsetof(Elf64_Phdr, p_memsz), UINT64_MAX},
      {"p_vaddr at the end of numbers", offsetof(Elf64_Phdr, p_vaddr), UINT64_MAX - 4095},
      {"p_vaddr odd", offsetof(Elf64_Phdr, p_vaddr), 0x10001},
      {"p_vaddr in the kernel's half", offsetof(Elf64_Phdr, p_vaddr), 1ull << 63},
      {"p_offset huge", offsetof(Elf64_Phdr, p_offset), 1ull << 50},
      {"p_offset at the end of numbers", offsetof(Elf64_Phdr, p_offset), UINT64_MAX - 4095},
      {"p_memsz zero", offsetof(Elf64_Phdr, p_memsz), 0},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    memcpy((unsigned char *)SEGMENT(bad, load) + cases[i].field, &cases[i].value, 8);
    printf("%s: %s\n", cases[i].what, strcmp(outcome(size), "ran") ? "does not run" : "ran");
  }
  for (int i = 0; i < HEADER(bad)->e_phnum; i++)
    if (SEGMENT(bad, i)->p_type == PT_LOAD) SEGMENT(bad, i)->p_type = PT_NOTE;
  printf("nothing to load: %s\n", strcmp(outcome(size), "ran") ? "does not run" : "ran");
  HEADER(bad)->e_entry = 16;
  printf("entry at nothing: %s\n", outcome(size));

  /* an interpreter's name in place of the first header that does not matter */
  int spare = first(PT_GNU_STACK) >= 0 ? first(PT_GNU_STACK) : first(PT_NOTE);
  static const char *const names[] = {"/no/such/loader", "/dev/null", "/tmp"};
  for (int i = 0; i < 3; i++) {
    size_t at = size - 64;
    memcpy(bad + at, names[i], strlen(names[i]) + 1);
    *SEGMENT(bad, spare) = (Elf64_Phdr){.p_type = PT_INTERP, .p_offset = at, .p_filesz = strlen(names[i]) + 1};
    printf("interpreter %s: %s\n", names[i], outcome(size));
  }
  *SEGMENT(bad, spare) = (Elf64_Phdr){.p_type = PT_INTERP, .p_offset = 0, .p_filesz = 10};
  printf("interpreter's name does not end: %s\n", outcome(size));
  *SEGMENT(bad, spare) = (Elf64_Phdr){.p_type = PT_INTERP, .p_offset = 0, .p_filesz = 100000};
  printf("interpreter's name too long: %s\n", outcome(size));
  *SEGMENT(bad, spare) = (Elf64_Phdr){.p_type = PT_INTERP, .p_offset = 0, .p_filesz = 1};
  printf("interpreter's name empty: %s\n", outcome(size));

  int runs = 0, refused = 0, killed = 0, spoil = HEADER(good)->e_phnum * 56 + 64;
  for (int i = 0; i < 120; i++) {
    for (uint32_t k = 1 + next(4); k; k--) {
      uint32_t at = 4 + next((uint32_t)spoil - 4);
      bad[at] = (unsigned char)(next(2) ? next(256) : next(2) ? 0xff : bad[at] ^ (1u << next(8)));
    }
    const char *how = outcome(size);
    if (!strcmp(how, "ran")) runs++;
    else if (!strcmp(how, "killed")) killed++;
    else refused++;
  }
  printf("random damage: the caller lives through %d\n", runs + refused + killed);
  return 0;
}
