/* task: processes, threads, signals, fork/exec/exit/wait, time, ELF loading into a process.
 *
 * A thread runs on one worker. Its `word` says where it is, so that a killer knows what it may do. Status numbers,
 * event kinds and shared records come from the ABI tables (gen/abi.h). */
#ifndef TIDEMARK_TASK_TASK_H
#define TIDEMARK_TASK_TASK_H
#include "../cpu/cpu.h"
#include "../file/file.h"
#include "../tty/tty.h"
#include "../wait/wait.h"

#define MAX_PROCESSES 512
#define MAX_THREADS 512
#define NSIG 64
typedef u64 sigset_bits; /* bit n-1 = signal n */
#define SIGBIT(n) (1ull << ((n)-1))

struct signal_info { /* the kernel's siginfo: fields by kind, laid out for the guest by signal_frame */
  i32 signo, code, errno_;
  i32 pid;
  u32 uid;
  i32 status;
  u64 addr, value;
  i32 timer_id, overrun;
  i64 utime, stime;
};
struct signal_queued {
  struct list link;
  struct signal_info info;
};
struct signal_pending {
  sigset_bits set;
  struct list queue; /* signal_queued: at most one for 1..31, many for real-time */
};
struct signal_action {
  u64 handler; /* SIG_DFL 0, SIG_IGN 1 */
  u64 flags;
  sigset_bits mask;
};
struct signal_actions {
  u32 refs;
  struct signal_action action[NSIG];
};

enum process_state { PROCESS_FREE, PROCESS_RUNNING, PROCESS_STOPPED, PROCESS_ZOMBIE };

struct itimer {
  u64 deadline_ns, interval_ns; /* 0 = off */
};

struct process {
  enum process_state state;
  u32 generation;
  i32 pid, pgid, sid;
  struct process *parent; /* init (pid 1) adopts orphans */
  struct list children, sibling, threads;
  u32 thread_count;
  i32 exit_status;      /* as wait4 reports it */
  i32 exit_signal;      /* to the parent, SIGCHLD mostly */
  bool exiting;         /* exit_group under way */
  bool host;            /* an attached role (init, Pyodide): no worker, never killed by the kernel */
  bool execed;
  bool continued_event, stopped_event; /* for waitid */
  i32 stop_signal;
  struct wait_queue child_wait; /* our wait4 callers */
  struct mm *mm;
  struct fd_table *fds;
  struct fs_context *fs;
  struct credentials cred;
  struct signal_actions *actions;
  struct signal_pending pending;
  struct tty *tty; /* controlling terminal of the session (copied at fork) */
  struct thread *vfork_waiter; /* parent thread on hold until we exec or exit */
  struct rlimit64 { u64 cur, max; } limits[16];
  struct itimer real_timer; /* ITIMER_REAL / alarm */
  char name[16];        /* comm */
  char *exe_path;
  struct inode *exe;
  u64 start_ns;
  u64 instructions, child_instructions; /* retired by dead threads; by reaped children */
  u64 utime_ns, child_utime_ns;
  i32 nice;
  u32 root;             /* root handle (file.h) */
  u32 personality, dumpable, no_new_privs;
  i32 parent_death_signal;
  bool subreaper;
  u32 memory_slot;      /* counted against the cap of guest memories */
};

struct thread {
  u32 index;            /* slot number: the handle the runtime uses with generation */
  i32 tid;
  struct process *process;
  struct list link;     /* process->threads */
  struct thread_record *record; /* shared with JS and Python: ABI layout: word, generation, status ... */
  u32 regblock;         /* head offset in the process's guest memory */
  i32 regslot;
  u32 cell;             /* wait cell: counter; wake increments and notifies */
  u32 poll;             /* non-zero: cpu_run must come back (signal, kill, stop) */
  bool killed;          /* dies on leaving the kernel */
  bool may_park;        /* false for attached roles on an event loop */
  bool in_syscall;
  sigset_bits blocked, saved_blocked; /* saved: sigsuspend, ppoll, pselect */
  bool restore_blocked;
  struct signal_pending pending;
  u64 sigaltstack_sp, sigaltstack_bytes;
  u32 sigaltstack_flags;
  uaddr_t clear_child_tid, set_child_tid, robust_list, rseq;
  struct cpu_fault fault;
  u64 syscall_nr, syscall_args[6], syscall_pc;
  u64 restart_deadline_ns; /* ERESTART_RESTARTBLOCK */
  u64 restart_nr;
  struct exec_image *exec; /* a prepared execve, committed by the run loop in own memory */
  struct fork_transfer *fork; /* pages on their way to a child (parent and child both point here) */
  struct thread *vfork_parent; /* runs on this worker on the parent's memory until exec or exit */
  char name[16];
};

extern struct process processes[MAX_PROCESSES];
extern struct thread threads[MAX_THREADS];
extern _Thread_local struct thread *current; /* NULL in an instance between threads */

/* ---- lookups; lock held ---- */
struct process *process_find(i32 pid); /* running, stopped or zombie */
struct thread *thread_find(i32 tid);
struct process *process_init(void);    /* pid 1 */
u32 guest_memory_cap(void);            /* slots for guest memories (default 96) */

/* ---- lifecycle; lock held ---- */
/* fork/clone for processes and threads. Returns the child's pid/tid or -errno; blocks in place until handed over. */
i64 task_clone(u64 flags, u64 stack, uaddr_t parent_tid, uaddr_t child_tid, u64 tls, i32 exit_signal, uaddr_t pidfd);
/* execve: checks everything that can fail, copies arguments; then current->exec is set and the run loop commits. */
int exec_prepare(struct inode *at, const char *at_path, const char *path, char **argv, u32 argc, char **envp, u32 envc,
                 u32 flags, struct exec_image **out);
void exec_image_free(struct exec_image *e);
void task_exit_thread(i32 code);               /* exit(2) */
void task_exit_group(i32 wait_status);         /* exit_group(2), fatal signals: status as wait4 shows it */
/* wait4/waitid core. idtype P_*; options W*. Returns pid, 0 (WNOHANG) or -errno. */
struct wait_result {
  i32 pid, status, code; /* code: CLD_* */
  u32 uid;
  u64 utime_ns, stime_ns;
};
i64 task_wait(i32 idtype, i32 id, u32 options, struct wait_result *r);

/* ---- signals; lock held ---- */
int signal_process(struct process *p, i32 signo, const struct signal_info *info); /* info NULL: SI_KERNEL */
int signal_thread(struct thread *t, i32 signo, const struct signal_info *info);
int signal_group(i32 pgid, i32 signo, const struct signal_info *info); /* -ESRCH when empty */
bool signal_is_pending(const struct thread *t); /* unblocked and not ignored, or killed, or stop wanted */
void signal_set_blocked(struct thread *t, sigset_bits mask);
void signal_flush_ignored(struct process *p, i32 signo);

/* ---- time ---- */
u64 time_monotonic_ns(void);
u64 time_realtime_ns(void);
/* earliest deadline at which the process must be looked at (ITIMER_REAL): WAIT_FOREVER when none */
u64 process_next_deadline(const struct process *p);
void process_run_timers(struct process *p); /* raise SIGALRM where due */

/* ---- the event ring (ABI layout event_record) ---- */
void event_post(u32 kind, i32 pid, i32 tid, i64 a, i64 b);

/* ---- sys/: the dispatcher; called by the run loop without the lock ---- */
/* Runs one ecall of the current thread: reads a7/a0-a5, writes a0 and pc, or arranges a restart. Returns a STATUS_*
 * (STATUS_CONTINUE mostly). */
u32 sys_dispatch(void);
/* The same for an attached role: arguments given, result returned. */
i64 sys_call_host(u64 nr, const u64 args[6]);
#endif
