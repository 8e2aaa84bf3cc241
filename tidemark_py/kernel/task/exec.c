/* task/exec: execve(2), first half: find the program, follow `#!` lines, read and check ELF files, copy arguments and
 * environment, lay out the address space. Linux fs/exec.c, fs/binfmt_script.c. The second half is exec_commit.c.
 * Missing: file capabilities. */
#include "exec.h"
#include "exec_layout.h"

#define SCRIPT_LINE_BYTES 256u
#define SCRIPT_DEPTH 5u
#define PREFIX_STRINGS (2 * SCRIPT_DEPTH + 1)
#define STRING_MAX_BYTES 131072u /* MAX_ARG_STRLEN */
#define ARGUMENTS_MIN_BYTES 131072u

struct prefix { /* what scripts put in place of argv[0] */
  char *string[PREFIX_STRINGS];
  u32 count;
};

static void prefix_free(struct prefix *x) {
  for (u32 i = 0; i < x->count; i++) kfree(x->string[i]);
}

static int prefix_push(struct prefix *x, const char *text) {
  char *copy = kstrdup(text);
  if (!copy) return -ENOMEM;
  kassert(x->count < PREFIX_STRINGS);
  memmove(&x->string[1], &x->string[0], x->count * sizeof(x->string[0]));
  x->string[0] = copy, x->count++;
  return 0;
}

/* Open a file to run: search and execute permission, regular. */
static int open_program(const struct process *p, struct inode *at, const char *at_path, const char *path, u32 flags,
                        struct ofd **out) {
  struct walk *w = walk_new();
  if (!w) return -ENOMEM;
  u32 walk_flags = (flags & AT_SYMLINK_NOFOLLOW ? WALK_NOFOLLOW : 0) | (flags & AT_EMPTY_PATH ? WALK_EMPTY : 0);
  int r = path_walk(p->fs, &p->cred, at, at_path, path, walk_flags, w);
  if (r == 0 && (w->inode->mode & S_IFMT) == S_IFLNK) r = -ELOOP;
  if (r == 0 && (w->inode->mode & S_IFMT) != S_IFREG) r = -EACCES;
  if (r == 0) r = w->mount->mount_flags & MS_NOEXEC ? -EACCES : inode_permission(w->inode, &p->cred, 1);
  if (r == 0 && w->inode->writers) r = -ETXTBSY;
  if (r == 0) r = file_open_inode(w->inode, w->path, O_RDONLY, out);
  if (r == 0) ofd_set_way(*out, w), ofd_notify(*out, IN_OPEN);
  walk_free(w);
  return r;
}

static bool blank(char c) { return c == ' ' || c == '\t'; }

/* The `#!` line in head: interpreter and at most one argument (NULL when none), both inside head. */
static int parse_script(char *head, u32 bytes, char **interpreter, char **argument) {
  u32 end = 2;
  while (end < bytes && head[end] != '\n' && head[end]) end++;
  bool whole = end < bytes; /* the line, or the file, ends here */
  head[end] = 0;
  char *s = head + 2;
  while (blank(*s)) s++;
  if (!*s) return -ENOEXEC;
  *interpreter = s;
  while (*s && !blank(*s)) s++;
  if (!*s) {
    *argument = NULL;
    return whole ? 0 : -ENOEXEC; /* the name itself may be cut off */
  }
  *s++ = 0;
  while (blank(*s)) s++;
  char *last = s + strlen(s);
  while (last > s && blank(last[-1])) *--last = 0;
  *argument = *s ? s : NULL;
  return 0;
}

static bool is_module(const char *head, i64 n) { return n >= 4 && memcmp(head, "\0asm", 4) == 0; }

/* What a file without our magic is; NULL for text, which shells run themselves after ENOEXEC. */
static const char *foreign_format(const char *head, u32 n) {
  static const char mach_o[2][4] = {{'\xcf', '\xfa', '\xed', '\xfe'}, {'\xca', '\xfe', '\xba', '\xbe'}};
  if (n >= 4 && (memcmp(head, mach_o[0], 4) == 0 || memcmp(head, mach_o[1], 4) == 0)) return "a macOS program, this is a riscv64 Linux";
  if (n >= 2 && head[0] == 'M' && head[1] == 'Z') return "a Windows program, this is a riscv64 Linux";
  return memchr(head, 0, n) ? "neither an ELF file nor a script" : NULL;
}

/* From the named file to the ELF that runs: every script on the way adds to the prefix. */
static int find_program(const struct process *p, struct inode *at, const char *at_path, const char *path,
                        const char *filename, u32 flags, struct prefix *prefix, struct ofd **out) {
  char head[SCRIPT_LINE_BYTES + 1];
  AUTO_KFREE char *name = kstrdup(path), *shown = kstrdup(filename);
  if (!name || !shown) return -ENOMEM;
  for (u32 depth = 0;; depth++) {
    struct ofd *file;
    int r = open_program(p, at, at_path, name, flags, &file);
    if (r < 0) {
      if (depth && r == -ENOENT) klog("%s: its interpreter %s does not exist", prefix->string[prefix->count - 1], name);
      return r;
    }
    i64 n = inode_read_kernel(file->inode, 0, head, SCRIPT_LINE_BYTES);
    if (n >= 2 && head[0] == '#' && head[1] == '!') {
      char *interpreter, *argument;
      ofd_put(file);
      if (depth >= SCRIPT_DEPTH) return -ELOOP;
      if (flags & EXEC_PATH_INACCESSIBLE) return -ENOENT; /* the interpreter could not open it: the fd will be closed */
      r = parse_script(head, (u32)n, &interpreter, &argument);
      if (r == 0 && !depth) r = prefix_push(prefix, shown);
      if (r == 0 && argument) r = prefix_push(prefix, argument);
      if (r == 0) r = prefix_push(prefix, interpreter);
      if (r < 0) return r;
      kfree(name);
      if (!(name = kstrdup(interpreter))) return -ENOMEM;
      at = NULL, at_path = NULL, flags = 0;
      continue;
    }
    if (is_module(head, n) || (n >= 4 && memcmp(head, "\x7f" "ELF", 4) == 0)) {
      *out = file;
      return 0;
    }
    const char *what = n > 0 ? foreign_format(head, (u32)n) : NULL;
    if (what) klog("%s: cannot execute: %s", name, what);
    ofd_put(file);
    return n < 0 ? (int)n : -ENOEXEC;
  }
}

static int find_interpreter(const struct process *p, struct exec_image *e) {
  const char *name = e->program->interpreter;
  struct ofd *file;
  if (!name) return 0;
  int r = open_program(p, NULL, NULL, name, 0, &file);
  if (r == -ENOENT) klog("%s: its ELF interpreter %s does not exist", e->filename, name);
  if (r < 0) return r;
  r = elf_read(file, name, &e->interpreter);
  if (r < 0) return r == -ENOEXEC ? -ELIBBAD : r;
  if (!e->interpreter->dynamic_base) {
    klog("%s: its ELF interpreter %s is not position independent", e->filename, name);
    return -ELIBBAD;
  }
  return 0;
}

/* What a process gets writable is here before the point of no return: mapping it cannot wait any more. */
static int data_here(const struct elf_image *e) {
  for (u32 i = 0; e && i < e->segment_count; i++) {
    const struct elf_segment *s = &e->segments[i];
    if (!(s->prot & PERM_W) || !s->filesz) continue;
    u64 first = s->offset / PAGE_BYTES;
    int r = mm_file_here(e->file, first, (s->offset + s->filesz + PAGE_BYTES - 1) / PAGE_BYTES - first);
    if (r) return r;
  }
  return 0;
}

static int measure(char **v, u32 count, u64 *bytes) {
  for (u32 i = 0; i < count; i++) {
    size_t n = strnlen(v[i], STRING_MAX_BYTES);
    if (n == STRING_MAX_BYTES) return -E2BIG;
    *bytes += n + 1;
  }
  return 0;
}

static char *append(char *at, char **v, u32 count) {
  for (u32 i = 0; i < count; i++) {
    size_t n = strlen(v[i]) + 1;
    memcpy(at, v[i], n);
    at += n;
  }
  return at;
}

/* Strings and pointers together may take a quarter of the stack, at most 6 MiB (execve(2), "Limits on size"). */
static int copy_strings(const struct process *p, struct exec_image *e, struct prefix *prefix, char **argv, u32 argc,
                        char **envp, u32 envc) {
  static char empty[1];
  char *none[1] = {empty};
  if (!argc) argv = none, argc = 1; /* Linux 5.18 and later */
  if (prefix->count) argv++, argc--;
  u64 bytes = 0;
  int r = measure(prefix->string, prefix->count, &bytes);
  if (r == 0) r = measure(argv, argc, &bytes);
  e->argv_bytes = bytes;
  if (r == 0) r = measure(envp, envc, &bytes);
  if (r < 0) return r;
  e->argc = argc + prefix->count, e->envc = envc, e->strings_bytes = bytes;
  u64 limit = MAX(MIN(p->limits[RLIMIT_STACK].cur / 4, 6ull << 20), (u64)ARGUMENTS_MIN_BYTES);
  if (bytes + ((u64)e->argc + e->envc) * 8 > limit) return -E2BIG;
  if (!(e->strings = kmalloc(bytes))) return -ENOMEM;
  append(append(append(e->strings, prefix->string, prefix->count), argv, argc), envp, envc);
  return 0;
}

static void set_ids(const struct process *p, struct exec_image *e) {
  const struct inode *ino = e->module ? e->module->inode : e->program->file->inode;
  if (p->no_new_privs) return;
  if (ino->mode & S_ISUID) e->set_uid = true, e->uid = ino->uid;
  if ((ino->mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP)) e->set_gid = true, e->gid = ino->gid;
}

int exec_prepare_for(const struct process *p, struct inode *at, const char *at_path, const char *path,
                     const char *filename, char **argv, u32 argc, char **envp, u32 envc, u32 flags,
                     struct exec_image **out) {
  ASSERT_LOCKED();
  struct prefix prefix = {.count = 0};
  struct ofd *file = NULL;
  struct exec_image *e = kzalloc(sizeof(*e));
  if (!e) return -ENOMEM;
  if (!filename) filename = path;
  int r = (e->filename = kstrdup(filename)) ? 0 : -ENOMEM;
  if (r == 0) r = find_program(p, at, at_path, path, filename, flags, &prefix, &file);
  if (r == 0) r = copy_strings(p, e, &prefix, argv, argc, envp, envc);
  if (r < 0 && file) ofd_put(file);
  char magic[4];
  if (r == 0 && is_module(magic, inode_read_kernel(file->inode, 0, magic, sizeof magic))) {
    e->module = file;
  } else {
    if (r == 0) r = elf_read(file, file->path ? file->path : filename, &e->program);
    if (r == 0) r = find_interpreter(p, e);
    if (r == 0) r = data_here(e->program);
    if (r == 0) r = data_here(e->interpreter);
    if (r == 0) r = exec_lay_out(p, e);
  }
  if (r == 0) set_ids(p, e);
  prefix_free(&prefix);
  if (r < 0) {
    exec_image_free(e);
    return r;
  }
  *out = e;
  return 0;
}

int exec_prepare(struct inode *at, const char *at_path, const char *path, char **argv, u32 argc, char **envp, u32 envc,
                 u32 flags, struct exec_image **out) {
  return exec_prepare_for(current->process, at, at_path, path, NULL, argv, argc, envp, envc, flags, out);
}

/* Bytes that change get another number: a compiled module is kept under it. */
static u32 image_of(struct inode *ino) {
  static u32 last;
  u64 key = (u64)ino->ctime.sec * NS_PER_S + (u64)ino->ctime.nsec + ino->size * 0x9e3779b97f4a7c15ull;
  if (!ino->image || ino->image_key != key) ino->image = ++last, ino->image_key = key;
  return ino->image;
}

u32 exec_start_kind(struct thread *t) {
  if (!t->exec->module) return START_EXEC;
  t->record->image = image_of(t->exec->module->inode);
  return START_WASI;
}

void exec_image_free(struct exec_image *e) {
  if (!e) return;
  elf_free(e->program);
  elf_free(e->interpreter);
  if (e->module) ofd_put(e->module);
  kfree(e->filename);
  kfree(e->strings);
  kfree(e);
}
