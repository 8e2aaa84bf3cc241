/* ptrace: what a thread is to the process that traces it (ptrace(2)). Embedded in struct thread; owner: task/ptrace.c.
 *
 * A tracee stops only at the border of the kernel: before a call, after it, before a signal is delivered, at an event.
 * Its registers are in kernel memory while it is stopped, for the tracer to read and change; it takes them back when it
 * goes on. Its memory is reached by errands, which a stopped thread does too. Lock held. */
#ifndef TIDEMARK_TASK_PTRACE_H
#define TIDEMARK_TASK_PTRACE_H
#include "../core/core.h"

struct process;
struct thread;
struct signal_info;
struct wait_result;
struct state_registers;

enum ptrace_stop { PTRACE_RUNS, PTRACE_AT_SIGNAL, PTRACE_AT_GROUP_STOP, PTRACE_AT_EVENT, PTRACE_AT_ENTRY, PTRACE_AT_EXIT };
struct ptrace {
  struct process *tracer; /* NULL: nobody traces it */
  u32 calls;              /* atomic, read without the lock: stops before and after calls */
  u32 options;            /* PTRACE_O_* */
  bool seized;            /* by PTRACE_SEIZE: group stops are events, PTRACE_INTERRUPT works */
  enum ptrace_stop stop;
  i32 code;               /* of the stop: what wait4 shows in the upper bytes */
  bool reported;          /* a wait has seen it */
  bool listening;         /* PTRACE_LISTEN: stopped, but not for the tracer */
  bool registers_changed;
  bool in_call;           /* a stop after the call is due */
  bool interrupt;         /* a stop with PTRACE_EVENT_STOP is due */
  bool group_done;        /* it has made this group stop and was told to go on */
  bool vfork_done;        /* PTRACE_EVENT_VFORK_DONE is due */
  bool ending;            /* in PTRACE_EVENT_EXIT: killed already */
  u32 event;              /* PTRACE_EVENT_* that is due, with due_message */
  u64 due_message, message; /* PTRACE_GETEVENTMSG */
  i32 signo;              /* that it shall go on with */
  struct signal_info *info;      /* of the stop; NULL: none (a group stop) */
  struct state_registers *regs;  /* while it is stopped; from the attach on */
};

/* ---- the call: sys/ptrace.c ---- */
int ptrace_may_access(const struct process *p); /* the current process, PTRACE_MODE_ATTACH_REALCREDS: 0 or -EPERM */
int ptrace_attach(struct thread *t, struct process *tracer, bool seized, u32 options); /* 0, -EPERM, -ENOMEM */
void ptrace_resume(struct thread *t, bool calls, i32 signo); /* a stopped one */
void ptrace_detach(struct thread *t, i32 signo);             /* runs on, whatever it was at */
void ptrace_interrupt(struct thread *t);
void ptrace_listen(struct thread *t);           /* at a group stop: stays there, but is not the tracer's */

/* ---- the thread itself, in its worker ---- */
void ptrace_call_begins(struct thread *t);      /* before a call is looked at: may stop, may change it */
void ptrace_leave(struct thread *t);            /* on the way to the guest: what is due */
bool ptrace_trap(struct thread *t);             /* group stop or interrupt: true when it has stopped */
i32 ptrace_signal(struct thread *t, i32 signo, struct signal_info *info); /* the signal to deliver, 0 none */
void ptrace_exec_done(struct thread *t, i32 tid_before);
void ptrace_exit_event(struct thread *t, i32 wait_status);
/* clone(2): the event that the current thread's tracer wants to see, 0 none; the child is traced as well then. */
u32 ptrace_clone_event(u64 flags, i32 exit_signal);
int ptrace_child(struct thread *child, u64 flags, u32 event); /* before it runs: 0 or -ENOMEM */
void ptrace_event_due(struct thread *t, u32 event, i32 child);
void ptrace_vfork_parent(struct thread *t, u32 event, i32 child); /* stopped though its worker runs the child */

/* ---- from outside ---- */
void ptrace_continued(struct thread *t);        /* SIGCONT has ended a group stop */
void ptrace_thread_ends(struct thread *t, i32 wait_status); /* its tracer may wait for it */
void ptrace_tracer_ends(struct process *p);
void ptrace_thread_free(struct thread *t);
/* What p can have of its tracees: tid, or 0; *any: there are some. */
i32 ptrace_wait(struct process *p, i32 idtype, i32 id, u32 options, struct wait_result *r, bool *any);
bool ptrace_anyone(void);                       /* is somebody traced? */
#endif
