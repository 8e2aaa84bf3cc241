/* process: the files of /proc/PID and /proc/PID/task/TID (proc_pid_stat(5) and its neighbours).
 *
 * Other processes' memory is out of reach: cmdline and environ show what exec copied, maps shows the areas.
 * What memory holds is in memory.c. Missing: pagemap, smaps_rollup, ns. */
#include "proc.h"

#define TICK_NS 10000000u /* CLK_TCK 100 */

static char state_letter(const struct process *p, const struct thread *t) {
  if (p->state == PROCESS_ZOMBIE) return 'Z';
  const struct thread *at = t ? t : thread_find(p->pid);
  if (at && at->ptrace.tracer && at->ptrace.stop) return 't';
  if (p->state == PROCESS_STOPPED) return 'T';
  if (!t) return 'S';
  u32 word = t->record ? __atomic_load_n(&t->record->word, __ATOMIC_RELAXED) : THREAD_PARKED;
  return word == THREAD_USER || word == THREAD_KERNEL ? 'R' : 'S';
}
static const char *state_text(char letter) {
  return letter == 'R' ? "R (running)" : letter == 't' ? "t (tracing stop)" : letter == 'S' ? "S (sleeping)" : letter == 'T' ? "T (stopped)" : "Z (zombie)";
}
static const char *name_of(const struct proc_node *n, const struct process *p, const struct thread *t) {
  return n->tid && t && t->name[0] ? t->name : p->name;
}
static void add_name(struct text *t, const char *name) { /* one line whatever it contains */
  for (; *name; name++) {
    if (*name == '\n')
      text_add(t, "\\n", 2);
    else if (*name == '\\')
      text_add(t, "\\\\", 2);
    else
      text_add(t, name, 1);
  }
}
static struct mm *mm_of(const struct process *p) { return p->state == PROCESS_ZOMBIE ? NULL : p->mm; }
static u64 resident_bytes(const struct process *p) { return mm_of(p) ? (u64)p->mm->resident_pages * PAGE_BYTES : 0; }

static int show_cmdline(struct text *t, const struct proc_node *n) {
  struct mm *mm = mm_of(node_process(n));
  if (mm && mm->args) text_add(t, mm->args->strings, mm->args->argv_bytes);
  return 0;
}
static int show_environ(struct text *t, const struct proc_node *n) {
  struct mm *mm = mm_of(node_process(n));
  if (mm && mm->args) text_add(t, mm->args->strings + mm->args->argv_bytes, mm->args->envp_bytes);
  return 0;
}

static int show_auxv(struct text *t, const struct proc_node *n) {
  struct mm *mm = mm_of(node_process(n));
  if (mm && mm->args) text_add(t, (const char *)mm->args->auxv, mm->args->auxv_bytes);
  return 0;
}

static int show_comm(struct text *t, const struct proc_node *n) {
  text_printf(t, "%s\n", name_of(n, node_process(n), node_thread(n)));
  return 0;
}
static i64 write_comm(const struct proc_node *n, const char *data, u32 bytes) {
  struct process *p = node_process(n);
  struct thread *th = node_thread(n);
  u32 length = MIN(bytes, 15u);
  if (th) memset(th->name, 0, sizeof th->name), memcpy(th->name, data, length);
  if (!n->tid || n->tid == n->pid) memset(p->name, 0, sizeof p->name), memcpy(p->name, data, length);
  return bytes;
}

static int tty_number(const struct process *p) { return p->tty ? (int)tty_device(p->tty) : 0; }

static void signal_sets(const struct process *p, sigset_bits *ignored, sigset_bits *caught) {
  *ignored = *caught = 0;
  for (u32 i = 0; p->actions && i < NSIG; i++) {
    u64 handler = p->actions->action[i].handler;
    if (handler == 1) *ignored |= 1ull << i;
    if (handler > 1) *caught |= 1ull << i;
  }
}

static int show_stat(struct text *t, const struct proc_node *n) {
  struct process *p = node_process(n);
  struct thread *th = node_thread(n);
  struct mm *mm = mm_of(p);
  sigset_bits ignored, caught;
  signal_sets(p, &ignored, &caught);
  u64 cpu = p->host ? 0 : n->tid && th ? thread_cpu_ns(th) : process_cpu_ns(p), start = n->tid && th ? th->start_ns : p->start_ns;
  text_printf(t, "%d (%s) %c %d %d %d %d %d %u %u 0 0 0 ", n->tid ? n->tid : p->pid, name_of(n, p, th),
              state_letter(p, th), p->parent ? p->parent->pid : 0, p->pgid, p->sid, tty_number(p),
              p->tty ? tty_foreground(p->tty) : -1, p->execed ? 0u : 0x40u /* PF_FORKNOEXEC */, p->page_faults);
  text_printf(t, "%llu 0 %llu 0 %d %d %u 0 %llu ", (unsigned long long)(cpu / TICK_NS),
              (unsigned long long)(p->child_utime_ns / TICK_NS), 20 + p->nice, p->nice, MAX(p->thread_count, 1u),
              (unsigned long long)(start / TICK_NS));
  text_printf(t, "%llu %u %llu 0 0 %llu 0 0 %llu %llu %llu %llu 0 0 0 %d 0 0 0 0 0 0 ",
              (unsigned long long)(mm ? mm->mapped_bytes : 0), mm ? mm->resident_pages : 0,
              (unsigned long long)p->limits[RLIMIT_RSS].cur, (unsigned long long)(mm ? mm->stack_top : 0),
              (unsigned long long)(p->pending.set & 0x7fffffff), (unsigned long long)(th ? th->blocked & 0x7fffffff : 0),
              (unsigned long long)(ignored & 0x7fffffff), (unsigned long long)(caught & 0x7fffffff),
              p->exit_signal);
  text_printf(t, "0 0 %llu %llu %llu %llu %llu %d\n", (unsigned long long)(mm ? mm->brk_start : 0),
              (unsigned long long)(mm ? mm->arg_start : 0), (unsigned long long)(mm ? mm->arg_end : 0),
              (unsigned long long)(mm ? mm->env_start : 0), (unsigned long long)(mm ? mm->env_end : 0),
              p->state == PROCESS_ZOMBIE ? p->exit_status : 0);
  return 0;
}

static int show_statm(struct text *t, const struct proc_node *n) {
  struct mm *mm = mm_of(node_process(n));
  unsigned long long data = mm ? mm->writable_bytes / PAGE_BYTES : 0;
  text_printf(t, "%llu %u 0 0 0 %llu 0\n", (unsigned long long)(mm ? mm->mapped_bytes / PAGE_BYTES : 0),
              mm ? mm->resident_pages : 0, data);
  return 0;
}

static void show_memory_status(struct text *t, const struct process *p, const struct mm *mm) {
  unsigned long long stack = 0, code = 0;
  for (u32 i = 0; i < mm->vma_count; i++) {
    const struct vma *v = &mm->vmas[i];
    if (v->grows_down) stack += v->end - v->start;
    if (v->prot & PERM_X) code += v->end - v->start;
  }
  unsigned long long size = mm->mapped_bytes >> 10, rss = resident_bytes(p) >> 10;
  text_printf(t, "VmPeak:\t%8llu kB\nVmSize:\t%8llu kB\nVmLck:\t       0 kB\nVmPin:\t       0 kB\n", size, size);
  text_printf(t, "VmHWM:\t%8llu kB\nVmRSS:\t%8llu kB\nRssAnon:\t%8llu kB\nRssFile:\t%8llu kB\nRssShmem:\t       0 kB\n", rss,
              rss, (unsigned long long)mm->dirty_pages * 4,
              (unsigned long long)(mm->resident_pages - MIN(mm->dirty_pages, mm->resident_pages)) * 4);
  text_printf(t, "VmData:\t%8llu kB\nVmStk:\t%8llu kB\nVmExe:\t%8llu kB\nVmLib:\t       0 kB\nVmPTE:\t       0 kB\nVmSwap:\t       0 kB\n",
              (unsigned long long)mm->writable_bytes >> 10, stack * 4, code * 4);
}

static int show_status(struct text *t, const struct proc_node *n) {
  struct process *p = node_process(n);
  struct thread *th = node_thread(n);
  const struct credentials *c = &p->cred;
  char letter = state_letter(p, th);
  text_add(t, "Name:\t", 6), add_name(t, name_of(n, p, th));
  text_printf(t, "\nUmask:\t%04o\nState:\t%s\nTgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\nTracerPid:\t%d\n",
              p->fs ? p->fs->umask : 0, state_text(letter), p->pid, n->tid ? n->tid : p->pid,
              p->parent ? p->parent->pid : 0, th && th->ptrace.tracer ? th->ptrace.tracer->pid : 0);
  text_printf(t, "Uid:\t%u\t%u\t%u\t%u\nGid:\t%u\t%u\t%u\t%u\nFDSize:\t%u\nGroups:\t", c->uid, c->euid, c->suid, c->fsuid,
              c->gid, c->egid, c->sgid, c->fsgid, p->fds ? p->fds->capacity : 0);
  for (u32 i = 0; i < c->group_count; i++) text_printf(t, "%u ", c->groups[i]);
  text_printf(t, "\nNStgid:\t%d\nNSpid:\t%d\nNSpgid:\t%d\nNSsid:\t%d\n", p->pid, n->tid ? n->tid : p->pid, p->pgid, p->sid);
  if (mm_of(p)) show_memory_status(t, p, p->mm);
  sigset_bits ignored, caught;
  signal_sets(p, &ignored, &caught);
  text_printf(t, "Threads:\t%u\nSigQ:\t0/%llu\n", MAX(p->thread_count, 1u),
              (unsigned long long)p->limits[RLIMIT_SIGPENDING].cur);
  text_printf(t, "SigPnd:\t%016llx\nShdPnd:\t%016llx\nSigBlk:\t%016llx\nSigIgn:\t%016llx\nSigCgt:\t%016llx\n",
              (unsigned long long)(th ? th->pending.set : 0), (unsigned long long)p->pending.set,
              (unsigned long long)(th ? th->blocked : 0), (unsigned long long)ignored, (unsigned long long)caught);
  text_printf(t, "CapInh:\t%016llx\nCapPrm:\t%016llx\nCapEff:\t%016llx\nCapBnd:\t%016llx\nCapAmb:\t%016llx\n",
              (unsigned long long)c->cap_inheritable, (unsigned long long)c->cap_permitted, (unsigned long long)c->cap_effective,
              (unsigned long long)c->cap_bounding, (unsigned long long)c->cap_ambient);
  u32 cpus = (u32)(((1ull << proc_cpus()) - 1) & (th ? th->affinity : ~0ull)), last = 31 - (u32)__builtin_clz(cpus | 1);
  text_printf(t, "NoNewPrivs:\t%u\nSeccomp:\t0\nSeccomp_filters:\t0\nCpus_allowed:\t%x\nCpus_allowed_list:\t", p->no_new_privs,
              cpus);
  text_printf(t, cpus & (cpus - 1) ? "0-%u\n" : "%u\n", last);
  text_printf(t, "Mems_allowed:\t1\nMems_allowed_list:\t0\nvoluntary_ctxt_switches:\t0\nnonvoluntary_ctxt_switches:\t0\n");
  return 0;
}

static int show_io(struct text *t, const struct proc_node *n) {
  const struct process *p = node_process(n);
  text_printf(t, "rchar: %llu\nwchar: %llu\nsyscr: %llu\nsyscw: %llu\nread_bytes: 0\nwrite_bytes: 0\ncancelled_write_bytes: 0\n",
              (unsigned long long)p->io[0].bytes, (unsigned long long)p->io[1].bytes, (unsigned long long)p->io[0].calls,
              (unsigned long long)p->io[1].calls);
  return 0;
}

static int show_limits(struct text *t, const struct proc_node *n) {
  static const struct {
    const char *name, *unit;
  } rows[] = {
      [RLIMIT_CPU] = {"Max cpu time", "seconds"},         [RLIMIT_FSIZE] = {"Max file size", "bytes"},
      [RLIMIT_DATA] = {"Max data size", "bytes"},         [RLIMIT_STACK] = {"Max stack size", "bytes"},
      [RLIMIT_CORE] = {"Max core file size", "bytes"},    [RLIMIT_RSS] = {"Max resident set", "bytes"},
      [RLIMIT_NPROC] = {"Max processes", "processes"},    [RLIMIT_NOFILE] = {"Max open files", "files"},
      [RLIMIT_MEMLOCK] = {"Max locked memory", "bytes"},  [RLIMIT_AS] = {"Max address space", "bytes"},
      [RLIMIT_LOCKS] = {"Max file locks", "locks"},       [RLIMIT_SIGPENDING] = {"Max pending signals", "signals"},
      [RLIMIT_MSGQUEUE] = {"Max msgqueue size", "bytes"}, [RLIMIT_NICE] = {"Max nice priority", ""},
      [RLIMIT_RTPRIO] = {"Max realtime priority", ""},    [RLIMIT_RTTIME] = {"Max realtime timeout", "us"},
  };
  struct process *p = node_process(n);
  text_printf(t, "%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit", "Hard Limit", "Units");
  for (u32 i = 0; i < ARRAY_LEN(rows); i++) {
    char value[2][24];
    u64 both[2] = {p->limits[i].cur, p->limits[i].max};
    for (u32 k = 0; k < 2; k++) {
      if (both[k] == ~0ull)
        memcpy(value[k], "unlimited", 10);
      else
        ksnprintf(value[k], sizeof value[k], "%llu", (unsigned long long)both[k]);
    }
    text_printf(t, "%-25s %-20s %-20s %-10s\n", rows[i].name, value[0], value[1], rows[i].unit);
  }
  return 0;
}

static int show_cgroup(struct text *t, UNUSED const struct proc_node *n) { return text_printf(t, "0::/\n"), 0; }
static int show_zero(struct text *t, UNUSED const struct proc_node *n) { return text_printf(t, "0\n"), 0; }
static i64 accept_number(UNUSED const struct proc_node *n, const char *data, u32 bytes) {
  return bytes && (data[0] == '0' || data[0] == '\n') ? (i64)bytes : -EACCES; /* 0 is what it is */
}
static int show_loginuid(struct text *t, UNUSED const struct proc_node *n) { return text_printf(t, "4294967295"), 0; }
static int show_personality(struct text *t, const struct proc_node *n) {
  return text_printf(t, "%08x\n", node_process(n)->personality), 0;
}

/* ---- links ---- */
static int show_exe(struct text *t, const struct proc_node *n) {
  struct process *p = node_process(n);
  if (!p->exe_path) return -ENOENT;
  text_printf(t, "%s%s", p->exe_path, p->exe && !p->exe->nlink ? " (deleted)" : "");
  return 0;
}
static int target_exe(const struct proc_node *n, struct inode **out, UNUSED struct superblock **mount) {
  struct process *p = node_process(n);
  if (!p->exe) return -ENOENT;
  inode_get(*out = p->exe);
  return 0;
}
static int show_cwd(struct text *t, const struct proc_node *n) {
  struct process *p = node_process(n);
  if (!p->fs) return -ENOENT;
  text_printf(t, "%s%s", p->fs->cwd_path, p->fs->cwd->nlink ? "" : " (deleted)");
  return 0;
}
static int target_cwd(const struct proc_node *n, struct inode **out, struct superblock **mount) {
  struct process *p = node_process(n);
  if (!p->fs) return -ENOENT;
  inode_get(*out = p->fs->cwd);
  *mount = p->fs->cwd_mount;
  return 0;
}
static int show_root(struct text *t, UNUSED const struct proc_node *n) { return text_add(t, "/", 1), 0; }
static int target_root(const struct proc_node *n, struct inode **out, struct superblock **mount) {
  struct process *p = node_process(n);
  if (!p->fs) return -ENOENT;
  inode_get(*out = p->fs->root);
  *mount = p->fs->root_mount;
  return 0;
}

int proc_show_fd(struct text *t, const struct proc_node *n) {
  struct ofd *f = node_ofd(n);
  if (!f) return -ENOENT;
  char buf[128];
  if (f->path)
    text_printf(t, "%s%s", f->path, f->inode && !f->inode->nlink ? " (deleted)" : "");
  else
    text_printf(t, "%s", f->ops && f->ops->link_text ? f->ops->link_text(f, buf, sizeof buf) : "anon_inode:[unknown]");
  return 0;
}
int proc_show_fdinfo(struct text *t, const struct proc_node *n) {
  struct ofd *f = node_ofd(n);
  if (!f) return -ENOENT;
  struct process *p = node_process(n);
  text_printf(t, "pos:\t%llu\nflags:\t0%o\nmnt_id:\t%u\nino:\t%llu\n",
              (unsigned long long)(f->ops && f->ops->seek ? f->pos : 0),
              f->flags | (p->fds->entries[n->fd].cloexec ? O_CLOEXEC : 0), f->mount ? f->mount->mount_id : f->inode ? f->inode->sb->mount_id : 0,
              (unsigned long long)(f->inode ? f->inode->ino : 0));
  return 0;
}

static const struct proc_file files[] = {
    {.path = "auxv", .show = show_auxv, .mode = 0400},
    {.path = "cgroup", .show = show_cgroup},
    {.path = "cmdline", .show = show_cmdline},
    {.path = "comm", .show = show_comm, .mode = 0644, .write = write_comm},
    {.path = "cwd", .kind = PROC_MAGIC, .show = show_cwd, .target = target_cwd},
    {.path = "environ", .show = show_environ, .mode = 0400},
    {.path = "exe", .kind = PROC_MAGIC, .show = show_exe, .target = target_exe},
    {.path = "fd", .kind = PROC_FDS},
    {.path = "fdinfo", .kind = PROC_FDINFOS},
    {.path = "io", .show = show_io, .mode = 0400},
    {.path = "limits", .show = show_limits},
    {.path = "loginuid", .show = show_loginuid, .mode = 0644},
    {.path = "maps", .show = proc_show_maps},
    {.path = "mem", .mode = 0600, .ops = &proc_memory_ops},
    {.path = "mountinfo", .show = proc_show_mounts},
    {.path = "mounts", .show = proc_show_mounts},
    {.path = "oom_adj", .show = show_zero, .mode = 0644, .write = accept_number},
    {.path = "oom_score", .show = show_zero},
    {.path = "oom_score_adj", .show = show_zero, .mode = 0644, .write = accept_number},
    {.path = "personality", .show = show_personality, .mode = 0400},
    {.path = "root", .kind = PROC_MAGIC, .show = show_root, .target = target_root},
    {.path = "smaps", .show = proc_show_smaps},
    {.path = "stat", .show = show_stat},
    {.path = "statm", .show = show_statm},
    {.path = "status", .show = show_status},
    {.path = "task", .kind = PROC_TASKS, .process_only = true},
};
const struct proc_tree proc_process_tree = {files, ARRAY_LEN(files)};
