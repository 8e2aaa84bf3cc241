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
#include "ptrace.h"

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
  u64 deadline_ns, interval_ns; /* 0 = off; CLOCK_MONOTONIC, or processor time for ITIMER_VIRTUAL and ITIMER_PROF */
};
struct posix_timer { /* timer_create(2) */
  struct list link;
  i32 id, clock, signo, notify, tid, overrun, overrun_last;
  u64 value;
  struct itimer timer;
  bool queued; /* its signal is pending: expiries count as overruns */
};

struct process {
  enum process_state state;
  u32 generation;
  i32 pid, pgid, sid;
  struct process *parent; /* init (pid 1) adopts orphans; set by process_set_parent */
  i32 ppid;               /* atomic: its pid, for getppid without the lock */
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
  i32 hung_up_group; /* of a session leader whose terminal was hung up: its foreground then */
  struct tty *tty; /* controlling terminal of the session (copied at fork) */
  struct thread *vfork_waiter; /* parent thread on hold until we exec or exit */
  struct rlimit64 { u64 cur, max; } limits[16];
  struct itimer real_timer; /* ITIMER_REAL / alarm */
  struct itimer virtual_timer, prof_timer;
  struct list posix_timers;
  i32 next_timer_id;
  u32 timers_armed; /* atomic: non-zero while any timer runs, read by the run loop without the lock */
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
  bool group_exit;      /* exit_status is decided (exit_group or a fatal signal) */
  bool adopted;         /* an orphan of init: reaped as it ends */
  i32 stop_code_pending; /* wait status of a stop or continue not yet waited for */
  u32 timer_slack_ns;
  u32 page_faults;
  u32 traced;           /* TRACE_ON_* (trace.h) */
  struct process *tracer; /* of a leader that has ended, if not the parent: it waits first (ptrace.h) */
  bool traces;          /* has, or had, tracees */
  bool sigkilled;
  struct { u64 bytes, calls; } io[2]; /* read(2) and its kin, write(2) and its kin: proc_pid_io(5) */
  struct wasi *wasi;    /* runs a WebAssembly module: wasi/wasi.h; NULL: riscv64 */
  struct wasi_options *wasi_options; /* what a module would be given; shared by descendants, NULL: the defaults */
};

struct wasi_options { /* from spawn_request */
  u32 refs, capabilities; /* WASI_CAPABILITY_* */
  u32 preopens;           /* pairs of strings: directory, name */
  char strings[];
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
  bool in_guest_call;   /* between the ecall and its result: pc is at the ecall */
  bool registers_set;   /* the registers were written from outside during this call: its result goes nowhere */
  sigset_bits blocked, saved_blocked; /* saved: sigsuspend, ppoll, pselect */
  sigset_bits real_blocked; /* sigtimedwait: what was blocked before it unblocked what it waits for */
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
  u32 generation_taken; /* the generation its worker named */
  u32 instance;         /* of its worker, ~0 before one has it */
  bool host;            /* an attached role: never signalled, never killed */
  bool running;         /* a worker has it */
  i32 restart_code;     /* ERESTART* of the call that was interrupted, 0 none */
  u64 restart_args[6];
  u64 start_ns, parked_ns, park_start_ns; /* processor time = now - start - parked */
  u64 woken_ns; /* when it was first woken from this sleep, while somebody measures */
  u64 asked_ns; /* when a worker was asked for, likewise */
  i32 woken_by; /* tid, 0 a role */
  struct list wait_entries; /* wait_entry.thread_link: dropped when its worker dies */
  bool frozen;          /* sleeps in freeze_point: nothing of it is on a stack */
  struct state_registers *restored; /* of a saved machine, until its worker has them */
  struct fs_context *host_fs; /* tk_root_use: what process->fs is while this host thread is in a call */
  i32 exit_code;
  u64 affinity;         /* sched_setaffinity: kept */
  u32 module_argument;  /* what a module's further thread starts with */
  struct ptrace ptrace;
  u32 free_next;        /* free list of slots: the longest free comes first */
};

extern struct process processes[MAX_PROCESSES];
extern struct thread threads[MAX_THREADS];
extern _Thread_local struct thread *current; /* NULL in an instance between threads */

extern struct thread_record thread_records[MAX_THREADS];

/* ---- for host/exports.c; lock held unless said ---- */
int task_boot(u32 memories_cap, u32 guest_max_wasm_pages); /* slots, init = pid 1, files, ttys, /proc: 0 or -errno */
i32 host_thread_attach(i32 pid, bool may_park); /* `current` of this instance: slot or -errno; pid 0: a new process */
void host_thread_detach(void);
int host_thread_use_root(u32 root);
i64 task_spawn(const u8 *request, u32 bytes);   /* spawn_request in kernel memory; pid or -errno */
i32 task_resume(u32 slot, u32 generation, i32 result);
u32 task_run(u32 slot, u32 generation);         /* takes the lock itself: the run loop */
u32 task_start(u32 slot, u32 generation);       /* its first part: `current` is that thread now: 0, or a STATUS_* */
i32 task_worker_died(u32 slot, u32 instance);

/* ---- saving and restoring a machine: freeze.c, restore.c; lock held ---- */
extern bool freezing;                           /* every guest thread comes to freeze_point and stays */
i32 task_freeze(bool on);                       /* 0; -EBUSY: a role is attached, -EOPNOTSUPP: a module runs, -EAGAIN: a lazy layer is not here */
void task_forget_code(void);                    /* all are frozen: decode caches need not be saved */
u32 task_unfrozen(void);                        /* threads still on their way; 0: all are frozen */
void freeze_point(struct thread *t);
/* Kernel memory is a saved machine's: this instance is its init. -EOVERFLOW: its memories are bigger than this tab's,
 * -EAGAIN: more processes than memories may be. */
i32 task_restore(u32 memories_cap, u32 guest_max_pages);
i32 restore_pages(i32 pid, uaddr_t at);         /* a state_pages record in own memory: 0 or -errno */
i32 restore_registers(i32 tid, uaddr_t at);     /* state_registers */
void task_restore_start(void);                  /* ask the owner for workers */
void restore_begin(struct thread *t);           /* START_RESTORE in its worker: own memory */

/* ---- inside task/ ---- */
struct process *process_new(struct process *parent); /* slot with a pid, no threads; NULL when full */
void wasi_options_put(struct wasi_options *o);  /* NULL is fine */
void process_discard(struct process *p);        /* a child that never ran: without trace */
struct thread *thread_new(struct process *p, i32 tid); /* tid 0: a fresh one; NULL when full */
void thread_discard(struct thread *t);          /* unlink and free the slot */
i32 pid_alloc(void);
void pid_get(i32 pid);                          /* one more user of the number (group, session) */
void pid_put(i32 pid);
void process_set_parent(struct process *p, struct process *parent); /* the children's list is the caller's */
void process_set_group(struct process *p, i32 pgid);
void process_set_session(struct process *p, i32 sid);
void process_reap(struct process *zombie);
void process_announce_zombie(struct process *p); /* to its tracer, else its parent; reaped at once when that one ignores it */
i32 process_exit_code(i32 wait_status, i32 *code); /* si_status; *code is CLD_* */
u32 process_count_of(u32 uid);                  /* what RLIMIT_NPROC bounds */
void process_kill(struct process *p, i32 wait_status); /* all its threads die on leaving the kernel */
/* A guest memory slot: false at the cap; may park while one is being zeroed. A zombie's is closing until zeroed. */
bool process_take_memory(struct process *p);
void process_drop_memory(struct process *p);
bool process_memory_closing(struct process *p); /* true: process_memory_closed is to follow */
void process_memory_closed(void);
bool process_memories_closing(void);            /* some worker zeroes one just now */
u64 process_cpu_ns(const struct process *p);    /* user time: wall time not parked */
u64 thread_cpu_ns(const struct thread *t);
void thread_count_instructions(struct thread *t); /* own memory: register block -> record */
void task_kill_other_threads(void);             /* execve: returns when the caller is the only thread, as the leader */
void thread_sleep(struct thread *t);            /* one sleep on its cell, whatever is pending; the lock is dropped */
void task_wait_handover(struct thread *t);      /* sleeps until task_resume */
/* vfork child has exec'd or died on this worker: go on as its parent */
void vfork_switch_back(struct thread *parent);
int fork_import(struct thread *t);              /* START_FORK in the child's worker: 0 or -errno */
bool thread_exit(void);                         /* the calling thread ends for good; own memory. true: `current` is its
                                                   vfork parent now; false: NULL, the worker is free */
int exec_start(void);                           /* current->exec is prepared: run it in place or in a fresh worker.
                                                   -ENORESULT, or -errno with the image freed */
int task_hand_over(struct thread *child, struct thread *waiter, u32 start_kind);
void thread_become_leader(struct thread *t);
void process_release_resources(struct process *p);
void host_thread_lost(struct thread *t);
void process_child_event(struct process *p, i32 code, i32 status); /* stop, continue: SIGCHLD and wait4 */
void session_leader_exit(struct process *p);
void session_check_orphaned(struct process *gone); /* groups that lose their last tie through p: SIGHUP, SIGCONT */
bool group_is_orphaned(i32 pgid, const struct process *without);
void task_session_boot(void);                   /* installs tty_task_ops */
void host_fs_swap(struct thread *t);            /* enter or leave a host thread's own root */
/* Deliver what is pending: may park while stopped, changes the register block. false: the thread must exit. */
bool signal_deliver(void);
void signal_force(struct thread *t, i32 signo, i32 code, u64 addr); /* a fault: cannot be blocked or ignored */
void signal_pending_init(struct signal_pending *p);
void signal_pending_clear(struct signal_pending *p);
i32 signal_dequeue(struct thread *t, sigset_bits mask, struct signal_info *info); /* 0 none */
struct signal_actions *signal_actions_copy(const struct signal_actions *from);
void signal_actions_put(struct signal_actions *a);
void signal_exec_reset(struct process *p);      /* handlers to default, alternate stack off */
int signal_setup_frame(struct thread *t, i32 signo, const struct signal_info *info, const struct signal_action *act);
int signal_return(struct thread *t);            /* rt_sigreturn: 0 or -EFAULT */
void signal_info_to_guest(const struct signal_info *info, struct guest_siginfo *out);
void signal_info_from_guest(const struct guest_siginfo *in, struct signal_info *out);
void signal_info_user(struct signal_info *info, i32 signo, i32 code); /* SI_USER, SI_TKILL of the current process */
void signal_altstack_get(const struct thread *t, u64 sp, struct guest_stack_t *out);
int signal_altstack_set(struct thread *t, u64 sp, const struct guest_stack_t *in); /* 0, -EPERM, -EINVAL, -ENOMEM */
/* may the current process signal p? 0 or -EPERM */
int signal_permission(const struct process *p, i32 signo);
extern struct wait_queue signal_watchers;       /* woken when a signal stays pending: signalfd */
/* pidfds: a description of the process, flags O_NONBLOCK; the process of one: -EBADF no pidfd, -ESRCH reaped */
int pidfd_new(struct process *p, u32 flags, struct ofd **out);
int pidfd_process(const struct ofd *f, struct process **out);
void pidfd_process_ended(void);
void thread_poll(struct thread *t);             /* make it come back from cpu_run or its park */

/* A handler that has set the registers itself, or changed `current`: the dispatcher writes nothing. */
#define ENORESULT 600

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
bool signal_waits(const struct thread *t);      /* the same, but for freezing */
bool signal_is_pending(const struct thread *t); /* unblocked and not ignored, or killed, or stop wanted */
void signal_set_blocked(struct thread *t, sigset_bits mask);
void signal_flush_ignored(struct process *p, i32 signo);

/* ---- time ---- */
#define NS_PER_S 1000000000ull
u64 time_clock_ns(i32 clock, int *error);      /* any clockid of clock_gettime; *error -EINVAL */
void time_timers_changed(struct process *p);   /* recompute timers_armed */
void posix_timers_free(struct process *p);
u64 time_monotonic_ns(void);
u64 time_realtime_ns(void);
/* earliest deadline at which the process must be looked at (ITIMER_REAL): WAIT_FOREVER when none */
u64 process_next_deadline(const struct process *p);
void process_run_timers(struct process *p); /* raise SIGALRM where due */

/* ---- the event ring (ABI layout event_record) ---- */
int event_listen(u32 kinds);           /* 1 << EVENT_*: these are kept from now on. 0 or -ENOMEM */
i64 event_take(uaddr_t to, u32 bytes); /* whole records, oldest first, into staging: bytes, 0, -EFAULT */
u32 event_lost(void);                  /* since it was asked last */
void event_post(u32 kind, i32 pid, i32 tid, i64 a, i64 b);

/* ---- sys/: semaphores with SEM_UNDO, when their process ends; lock held ---- */
void sysv_process_exit(struct process *p);

/* ---- wasi/: a WebAssembly module as process; lock held, `current` is its thread ---- */
struct exec_image;
int wasi_process_start(struct process *p, struct exec_image *e); /* takes what it needs of the image; 0 or -errno */
void wasi_process_end(struct process *p);

/* ---- sys/: the dispatcher; called by the run loop without the lock ---- */
/* Runs one ecall of the current thread: reads a7/a0-a5, writes a0 and pc, or arranges a restart. Returns a STATUS_*
 * (STATUS_CONTINUE mostly). */
u32 sys_dispatch(void);
/* The same for an attached role: arguments given, result returned. */
i64 sys_call_host(u64 nr, const u64 args[6]);
#endif
