/* wasi: WebAssembly modules as processes: WASI preview 1 (witx, wasi_snapshot_preview1) on the kernel's own files,
 * descriptors, pipes, sockets, clocks and signals. A WASI descriptor number is the process's descriptor number.
 *
 * The module runs in a worker of its own, in its own memory, which is memory 1 of the kernel instance beside it; its
 * imports are the exports that gen/wasi.c wraps around wasi_do_NAME. Each further thread (wasi-threads) has a worker and
 * an instance of the module of its own, on the same shared memory. Handlers are called under the kernel lock with
 * `current` a thread of such a process, and return 0 or -errno (or -(WASI_RESULT + n), gen/wasi.h).
 *
 * Modules have no signal handlers: an interrupted call is made again after a stop, or the process ends. A thread that
 * runs module code cannot be asked to come back: it is ended from outside (task/exit.c, NOTIFY_KILL), which only works
 * because nobody enters the kernel but by wasi_enter, which sees that. A stop waits for the next call. */
#ifndef TIDEMARK_WASI_WASI_H
#define TIDEMARK_WASI_WASI_H
#include "../gen/wasi.h"
#include "../sys/files.h"
#include "../task/exec.h"

#define WASI_BUFFER_BYTES 65536u
#define WASI_FAIL_BYTES 4096u

struct wasi_fd {
  u64 refused, refused_inheriting; /* rights given up: fd_fdstat_set_rights, or never asked for in path_open */
  char *preopen;                   /* the name the module sees, NULL: none */
};

struct wasi { /* process->wasi; owner: wasi/process.c */
  char *strings;        /* argv, then envp: NUL-terminated each */
  u64 argv_bytes, envp_bytes;
  u32 argc, envc;
  struct wasi_fd *fds;  /* by descriptor number */
  u32 fd_capacity, last_preopen;
  struct ofd *module;   /* the file, until the shim has read it */
  u8 *buffer;           /* WASI_BUFFER_BYTES: between shim and kernel */
  u32 memory_limit_pages; /* of 64 KiB; 0: none */
  bool ready;           /* tidemark.ready was called */
};

/* ---- entry.c ---- */
/* for host/exports.c */
u32 wasi_thread_start(u32 slot, u32 generation); /* 0: module code may run; else a STATUS_* */
bool wasi_is_over(void);                  /* the thread has ended: what was thrown is that */
bool wasi_in_module(void);                /* a trap now is the module's */
void wasi_thread_end(void);               /* a further thread's function has returned */
u8 *wasi_fail_begin(void);                /* takes the lock: the caller puts text there (WASI_FAIL_BYTES), then wasi_fail */
void wasi_fail(u32 bytes, i32 status);
u64 wasi_module_bytes(void);
u32 wasi_module_read(u64 offset);
NORETURN void wasi_exit(void);            /* lock held: the calling thread ends; never seen by the module's own catch */
void wasi_text_to(i32 fd, const char *text, u32 bytes);

/* ---- fds.c ---- */
struct wasi_fd *wasi_fd_of(i32 fd);       /* NULL: nothing special about it */
struct wasi_fd *wasi_fd_make(i32 fd);     /* NULL: no memory */
void wasi_fd_forget(i32 fd);              /* closed */
bool wasi_refused(i32 fd, u64 right);
struct ofd *wasi_hold(i32 fd);            /* sys/files.h ofd_hold, NULL for -EBADF */
u8 wasi_filetype(const struct inode *ino, const struct ofd *f);

/* ---- path.c ---- */
/* A path of the module under a directory descriptor: never above it. */
int wasi_path(struct path_arg *a, u32 fd, uaddr_t path, u32 bytes);
i64 wasi_path_result(i64 r);              /* an attempt to leave the directory is EPERM */

/* ---- iovecs (io.c): pairs of u32; 0, -EINVAL, -EFAULT, -ENOMEM; iobuf_free */
int wasi_iobuf(struct iobuf *io, u32 iovs, u32 count);
static inline int wasi_out32(u32 to, u32 v) { return COPY_OUT((uaddr_t)to, v); }
static inline int wasi_out64(u32 to, u64 v) { return COPY_OUT((uaddr_t)to, v); }
#endif
