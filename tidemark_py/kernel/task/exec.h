/* task/exec: execve(2) in two halves. Everything that can fail fails in exec_prepare, which reads all it needs into
 * kernel memory; exec_commit, past the point of no return, builds the new address space in own memory. Lock held. */
#ifndef TIDEMARK_TASK_EXEC_H
#define TIDEMARK_TASK_EXEC_H
#include "task.h"

struct elf_image; /* task/elf.h */

struct exec_image {
  struct elf_image *program, *interpreter; /* interpreter NULL: static */
  struct ofd *module;    /* a WebAssembly module instead: program is NULL */
  char *filename;        /* as execve named it: AT_EXECFN and comm */
  char *strings;         /* argv then envp, each NUL-terminated, as they will stand on the stack */
  u64 strings_bytes, argv_bytes;
  u32 argc, envc;
  bool set_uid, set_gid; /* the file's owner or group become the effective ids */
  u32 uid, gid;
  u64 memory_limit;      /* mm->limit_bytes from here on, for all descendants; 0: as it was */
  u64 base;              /* what is added to the program's addresses */
  u64 stack_top, stack_bytes, brk_start, brk_end;
};

/* exec_prepare (task.h) for a process that need not be the current one: its fs, credentials and limits count.
 * filename: what AT_EXECFN shows; NULL: path. flags: AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW. */
int exec_prepare_for(const struct process *p, struct inode *at, const char *at_path, const char *path,
                     const char *filename, char **argv, u32 argc, char **envp, u32 envc, u32 flags,
                     struct exec_image **out);
/* Own memory; `current` is the thread that called execve (in place) or the only thread of its process in a fresh
 * worker (spawn, exec after vfork: process->mm is then NULL or shared with the parent, and is let go untouched). Kills
 * the other threads, builds the new address space and sets mm_current, process->mm, the thread's register block,
 * close-on-exec, signal handlers, names; posts EVENT_EXEC; frees the image. Returns STATUS_CONTINUE; on a failure the
 * process has been ended by SIGKILL (task_exit_group), which the run loop finds as after any call. */
u32 exec_commit(struct exec_image *e);

/* The same for a module, in the worker that is to run it. */
void exec_commit_module(struct exec_image *e);
/* execve of a module in place: this worker lets go of the thread, memory zeroed; another one is asked for. */
void exec_move(struct thread *t);
/* START_EXEC, or START_WASI with the record's image set, for t->exec. */
u32 exec_start_kind(struct thread *t);

/* A process keeps the file it runs from being written (ETXTBSY). ino NULL: lets go. Fork copies with it, exit ends
 * with it: nobody else touches process->exe. Takes its own reference. */
void process_set_exe(struct process *p, struct inode *ino);
#endif
