/* session: process groups, sessions and their terminal: setsid(2), setpgid(2), credentials(7), tty_ioctl(4).
 *
 * Answers the questions of tty/ (tty_task_ops) and carries out what the end of a process means for job control: the
 * death of a session leader hangs up the foreground group; a group that becomes orphaned with stopped members gets
 * SIGHUP and SIGCONT. Lock held. */
#include "task.h"

/* A group is orphaned when no member has a parent in another group of the same session. */
bool group_is_orphaned(i32 pgid, const struct process *without) {
  for (u32 i = 0; i < MAX_PROCESSES; i++) {
    const struct process *p = &processes[i];
    if (p->state == PROCESS_FREE || p->state == PROCESS_ZOMBIE || p->pgid != pgid || p == without) continue;
    const struct process *up = p->parent;
    if (up && up->pid != 1 && up != without && up->pgid != pgid && up->sid == p->sid) return false;
  }
  return true;
}

static bool group_has_stopped(i32 pgid) {
  for (u32 i = 0; i < MAX_PROCESSES; i++)
    if (processes[i].state == PROCESS_STOPPED && processes[i].pgid == pgid) return true;
  return false;
}

static void hangup_if_orphaned(i32 pgid, const struct process *gone) {
  if (!group_has_stopped(pgid) || !group_is_orphaned(pgid, gone)) return;
  signal_group(pgid, SIGHUP, NULL);
  signal_group(pgid, SIGCONT, NULL);
}

void session_check_orphaned(struct process *gone) {
  const struct process *up = gone->parent;
  if (up && up->pgid != gone->pgid && up->sid == gone->sid) hangup_if_orphaned(gone->pgid, gone);
  LIST_FOR(c, &gone->children, struct process, sibling)
    if (c->sid == gone->sid && c->pgid != gone->pgid) hangup_if_orphaned(c->pgid, gone);
}

static void session_drop_tty(i32 sid) {
  for (u32 i = 0; i < MAX_PROCESSES; i++) {
    struct process *p = &processes[i];
    if (p->state == PROCESS_FREE || p->sid != sid || !p->tty) continue;
    tty_put(p->tty);
    p->tty = NULL;
  }
}

void session_leader_exit(struct process *p) {
  struct tty *tty = p->tty;
  if (!tty && p->hung_up_group > 0) { /* the terminal went before its leader */
    signal_group(p->hung_up_group, SIGHUP, NULL);
    signal_group(p->hung_up_group, SIGCONT, NULL);
  }
  if (!tty || tty_session(tty) != p->sid) return;
  i32 foreground = tty_foreground(tty);
  tty_get(tty);
  tty_session_exit(tty, p->sid);
  if (foreground > 0) signal_group(foreground, SIGHUP, NULL); /* no SIGCONT: Linux' disassociate_ctty at an exit */
  session_drop_tty(p->sid);
  tty_put(tty);
}

/* ---- what tty/ asks ---- */
static void ops_signal_group(i32 pgid, i32 signo) { signal_group(pgid, signo, NULL); }

static int ops_check_background(struct tty *tty, i32 signo) {
  struct process *p = current->process;
  if (p->host || p->tty != tty || tty_session(tty) != p->sid || tty_foreground(tty) == p->pgid) return 0;
  if (tty_foreground(tty) <= 0) return 0;
  bool ignored = p->actions->action[signo - 1].handler == SIG_IGN || (current->blocked & SIGBIT(signo));
  if (signo == SIGTTIN) {
    if (ignored || group_is_orphaned(p->pgid, NULL)) return -EIO;
  } else {
    if (ignored) return 0;
    if (group_is_orphaned(p->pgid, NULL)) return -EIO;
  }
  signal_group(p->pgid, signo, NULL);
  return -ERESTARTSYS;
}

static i32 ops_current_session(void) { return current->process->sid; }
static i32 ops_current_group(void) { return current->process->pgid; }
static bool ops_is_privileged(void) { return credentials_capable(&current->process->cred, CAP_SYS_TTY_CONFIG); }
static bool ops_current_is_leader(void) { return current->process->sid == current->process->pid; }
static struct tty *ops_current_tty(void) { return current->process->tty; }

static void ops_set_current_tty(struct tty *tty) {
  i32 sid = current->process->sid;
  if (!tty) {
    session_drop_tty(sid);
    return;
  }
  for (u32 i = 0; i < MAX_PROCESSES; i++) {
    struct process *p = &processes[i];
    if (p->state == PROCESS_FREE || p->state == PROCESS_ZOMBIE || p->sid != sid || p->tty == tty) continue;
    if (p->tty) tty_put(p->tty);
    tty_get(tty);
    p->tty = tty;
  }
}

static bool ops_group_in_session(i32 pgid, i32 sid) {
  for (u32 i = 0; i < MAX_PROCESSES; i++)
    if (processes[i].state != PROCESS_FREE && processes[i].pgid == pgid && (!sid || processes[i].sid == sid)) return true;
  return false;
}

static void ops_hangup_session(i32 sid, i32 foreground) {
  struct process *leader = process_find(sid);
  if (leader && leader->sid == sid) {
    signal_process(leader, SIGHUP, NULL);
    signal_process(leader, SIGCONT, NULL);
    leader->hung_up_group = foreground;
  }
  session_drop_tty(sid);
}

static int ops_install_fd(struct ofd *f, u32 cloexec) {
  struct process *p = current->process;
  return fd_install(p->fds, f, 0, (u32)MIN(p->limits[RLIMIT_NOFILE].cur, FD_LIMIT_HARD), cloexec);
}

static const struct tty_task_ops ops = {
  .signal_group = ops_signal_group, .check_background = ops_check_background,
  .current_session = ops_current_session, .current_group = ops_current_group,
  .current_is_leader = ops_current_is_leader, .current_tty = ops_current_tty,
  .set_current_tty = ops_set_current_tty, .group_in_session = ops_group_in_session,
  .hangup_session = ops_hangup_session, .is_privileged = ops_is_privileged, .install_fd = ops_install_fd,
};
void task_session_boot(void) { tty_task_ops = &ops; }
