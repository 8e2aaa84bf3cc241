/* system: the files of /proc that are about the machine, and /proc/sys (proc(5), proc_sys(5)).
 *
 * Numbers that describe hardware are what a tab can honestly claim: two harts at most, memory bounded by 2 GiB, no
 * swap, no disks. Missing: interrupts, diskstats, slabinfo, most of sys/. */
#include "../ipc/inotify.h"
#include "proc.h"

typedef unsigned long long ull;
#define SHOW(name) static int name(struct text *t, UNUSED const struct proc_node *n)
#define SHOW_TEXT(name, string)                                                                                          \
  SHOW(name) { return text_add(t, string, sizeof(string) - 1), 0; }
#define SHOW_NUMBER(name, value)                                                                                         \
  SHOW(name) { return text_printf(t, "%llu\n", (ull)(value)), 0; }

u32 proc_cpus(void) { return 2; }

SHOW(show_self) { return text_printf(t, "%d", current ? current->process->pid : 0), 0; }
SHOW(show_thread_self) {
  return text_printf(t, "%d/task/%d", current ? current->process->pid : 0, current ? current->tid : 0), 0;
}
SHOW_TEXT(show_self_mounts, "self/mounts")

/* ---- memory ---- */
u64 proc_memory_used(void) {
  u64 used = kheap_used_bytes();
  for (u32 i = 0; i < MAX_PROCESSES; i++) {
    const struct process *p = &processes[i];
    if ((p->state == PROCESS_RUNNING || p->state == PROCESS_STOPPED) && p->mm && !p->mm->all_resident)
      used += (u64)p->mm->resident_pages * PAGE_BYTES;
  }
  return used;
}

SHOW(show_meminfo) {
  u64 total = PROC_MEMORY_TOTAL_BYTES, used = MIN(proc_memory_used(), total);
  ull total_kb = total >> 10, free_kb = (total - used) >> 10;
  text_printf(t, "MemTotal:       %8llu kB\nMemFree:        %8llu kB\nMemAvailable:   %8llu kB\n", total_kb, free_kb, free_kb);
  static const char *const zeros[] = {"Buffers", "Cached", "SwapCached", "Active", "Inactive", "SwapTotal", "SwapFree",
                                      "Dirty", "Writeback", "AnonPages", "Mapped", "Shmem", "Slab", "SReclaimable",
                                      "SUnreclaim", "KernelStack", "PageTables"};
  for (u32 i = 0; i < ARRAY_LEN(zeros); i++) {
    char name[20];
    ksnprintf(name, sizeof name, "%s:", zeros[i]);
    text_printf(t, "%-15s %8u kB\n", name, 0u);
  }
  text_printf(t, "CommitLimit:    %8llu kB\nCommitted_AS:   %8llu kB\nVmallocTotal:   %8llu kB\nHugePages_Total:       0\nHugepagesize:       2048 kB\n",
              total_kb, (ull)(used >> 10), 0ull);
  return 0;
}

SHOW(show_vmstat) {
  u64 total = PROC_MEMORY_TOTAL_BYTES, used = MIN(proc_memory_used(), total);
  return text_printf(t, "nr_free_pages %llu\npgfault 0\npgmajfault 0\n", (ull)((total - used) >> PAGE_SHIFT)), 0;
}

/* ---- processors and time ---- */
SHOW(show_cpuinfo) {
  for (u32 i = 0; i < proc_cpus(); i++)
    text_printf(t, "processor\t: %u\nhart\t\t: %u\nisa\t\t: rv64imafdc_zicsr_zifencei\nmmu\t\t: sv39\n"
                   "uarch\t\t: tidemark\nmvendorid\t: 0x0\nmarchid\t\t: 0x0\nmimpid\t\t: 0x0\n\n", i, i);
  return 0;
}

static u64 busy_ns(u32 *running, u32 *all) {
  u64 ns = 0;
  *running = *all = 0;
  for (u32 i = 0; i < MAX_PROCESSES; i++) {
    const struct process *p = &processes[i];
    if (p->state == PROCESS_FREE || p->host) continue;
    *all += p->thread_count;
    if (p->state == PROCESS_ZOMBIE) continue;
    ns += process_cpu_ns(p) + p->child_utime_ns;
    for (const struct list *l = p->threads.next; l != &p->threads; l = l->next) {
      const struct thread *th = CONTAINER_OF(l, const struct thread, link);
      u32 word = th->record ? __atomic_load_n(&th->record->word, __ATOMIC_RELAXED) : THREAD_PARKED;
      *running += word == THREAD_USER || word == THREAD_KERNEL;
    }
  }
  return ns;
}

SHOW(show_uptime) {
  u32 running, all;
  u64 up = time_monotonic_ns(), busy = busy_ns(&running, &all), idle = up * proc_cpus();
  idle = idle > busy ? idle - busy : 0;
  return text_printf(t, "%llu.%02llu %llu.%02llu\n", (ull)(up / 1000000000), (ull)(up / 10000000 % 100),
                     (ull)(idle / 1000000000), (ull)(idle / 10000000 % 100)), 0;
}

static i32 last_pid(void) { /* the youngest process: good enough for what shows it */
  const struct process *last = NULL;
  for (u32 i = 0; i < MAX_PROCESSES; i++)
    if (processes[i].state != PROCESS_FREE && (!last || processes[i].start_ns >= last->start_ns)) last = &processes[i];
  return last ? last->pid : 0;
}
SHOW(show_loadavg) {
  u32 running, all;
  busy_ns(&running, &all);
  return text_printf(t, "0.00 0.00 0.00 %u/%u %d\n", running, all, last_pid()), 0;
}

SHOW(show_stat) {
  u32 running, all;
  ull up = time_monotonic_ns() / 10000000, user = busy_ns(&running, &all) / 10000000, cpus = proc_cpus();
  ull idle = up * cpus > user ? up * cpus - user : 0;
  text_printf(t, "cpu  %llu 0 0 %llu 0 0 0 0 0 0\n", user, idle);
  for (u32 i = 0; i < cpus; i++) text_printf(t, "cpu%u %llu 0 0 %llu 0 0 0 0 0 0\n", i, user / cpus, idle / cpus);
  text_printf(t, "intr 0\nctxt 0\nbtime %llu\nprocesses %d\nprocs_running %u\nprocs_blocked 0\nsoftirq 0\n",
              (ull)((time_realtime_ns() - time_monotonic_ns()) / 1000000000), last_pid(), MAX(running, 1u));
  return 0;
}

/* ---- names ---- */
SHOW(show_version) { return text_printf(t, "%s version %s (tidemark) %s\n", UTS_SYSNAME, UTS_RELEASE, UTS_VERSION), 0; }
SHOW_TEXT(show_ostype, UTS_SYSNAME "\n")
SHOW_TEXT(show_osrelease, UTS_RELEASE "\n")
SHOW_TEXT(show_uts_version, UTS_VERSION "\n")
SHOW(show_hostname) { return text_printf(t, "%s\n", uts_nodename), 0; }
SHOW(show_domainname) { return text_printf(t, "%s\n", uts_domainname), 0; }
SHOW_TEXT(show_kernel_cmdline, "\n")
SHOW_TEXT(show_filesystems, "nodev\tsysfs\nnodev\ttmpfs\nnodev\tproc\nnodev\tdevtmpfs\nnodev\tdevpts\n")
SHOW_TEXT(show_devices,
          "Character devices:\n  1 mem\n  5 /dev/tty\n  5 /dev/console\n  5 /dev/ptmx\n136 pts\n\nBlock devices:\n")
SHOW_TEXT(show_swaps, "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n")
SHOW_TEXT(show_partitions, "major minor  #blocks  name\n\n")
SHOW_TEXT(show_nothing, "")

/* ---- mounts ---- */
struct mount_writer {
  struct text *t;
  bool info;
};
static void mount_line(void *arg, const struct superblock *sb) {
  struct mount_writer *w = arg;
  const struct superblock *of = sb->covered ? sb->root->sb : sb;
  const char *path = sb->mount_path[0] ? sb->mount_path : "/", *whole = of->read_only ? "ro" : "rw";
  const char *mode = (sb->mount_flags & MS_RDONLY) || (of->read_only && !w->info) ? "ro" : "rw";
  if (w->info)
    text_printf(w->t, "%u %u %u:%u / %s %s", sb->mount_id, sb->parent ? sb->parent->mount_id : 0, dev_major(of->dev),
                dev_minor(of->dev), path, mode);
  else
    text_printf(w->t, "%s %s %s %s", sb->type, path, sb->type, mode);
  text_printf(w->t, "%s%s%s,relatime", sb->mount_flags & MS_NOSUID ? ",nosuid" : "", sb->mount_flags & MS_NODEV ? ",nodev" : "",
              sb->mount_flags & MS_NOEXEC ? ",noexec" : "");
  if (w->info)
    text_printf(w->t, " - %s %s %s\n", sb->type, sb->type, whole);
  else
    text_add(w->t, " 0 0\n", 5);
}
int proc_show_mounts(struct text *t, const struct proc_node *n) {
  struct process *p = node_process(n);
  struct mount_writer w = {t, !strcmp(n->file->path, "mountinfo")};
  if (p->fs) fs_each_mount(p->fs->root, mount_line, &w);
  return 0;
}

/* ---- sys ---- */
static void show_uuid_text(struct text *t, const u8 *b) {
  for (u32 i = 0; i < 16; i++) text_printf(t, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", b[i]);
  text_add(t, "\n", 1);
}
static void uuid_new(u8 *b) {
  host_random(b, 16);
  b[6] = (b[6] & 0x0f) | 0x40, b[8] = (b[8] & 0x3f) | 0x80; /* RFC 4122, version 4 */
}
SHOW(show_uuid) {
  u8 b[16];
  uuid_new(b);
  return show_uuid_text(t, b), 0;
}
SHOW(show_boot_id) {
  static u8 boot_id[16];
  if (!boot_id[6]) uuid_new(boot_id);
  return show_uuid_text(t, boot_id), 0;
}
SHOW_NUMBER(show_256, 256)
SHOW_NUMBER(show_pid_max, 32768)
SHOW_NUMBER(show_threads_max, MAX_THREADS)
SHOW_NUMBER(show_ngroups_max, 65536)
SHOW_NUMBER(show_cap_last, 40)
SHOW_NUMBER(show_overflow_id, 65534)
SHOW_NUMBER(show_0, 0)
SHOW_NUMBER(show_1, 1)
SHOW_NUMBER(show_max_map_count, 65530)
SHOW_NUMBER(show_mmap_min, 65536)
SHOW_NUMBER(show_file_max, 1u << 20)
SHOW_NUMBER(show_pipe_max, PIPE_MAX_BYTES)
SHOW_NUMBER(show_nr_open, FD_LIMIT_HARD)
SHOW_NUMBER(show_somaxconn, 4096)
SHOW_NUMBER(show_inotify_events, INOTIFY_MAX_EVENTS)
SHOW_NUMBER(show_inotify_instances, INOTIFY_MAX_INSTANCES)
SHOW_NUMBER(show_inotify_watches, INOTIFY_MAX_WATCHES)
SHOW_NUMBER(show_50, 50)
SHOW_TEXT(show_core_pattern, "core\n")
SHOW_TEXT(show_port_range, "32768\t60999\n")
SHOW_TEXT(show_file_nr, "0\t0\t1048576\n")

static const struct proc_file files[] = {
    {.path = "cmdline", .show = show_kernel_cmdline},
    {.path = "cpuinfo", .show = show_cpuinfo},
    {.path = "devices", .show = show_devices},
    {.path = "filesystems", .show = show_filesystems},
    {.path = "loadavg", .show = show_loadavg},
    {.path = "meminfo", .show = show_meminfo},
    {.path = "modules", .show = show_nothing},
    {.path = "mounts", .kind = PROC_LINK, .show = show_self_mounts},
    {.path = "net/dev", .show = proc_show_net_dev},
    {.path = "net/if_inet6", .show = proc_show_net_inet6},
    {.path = "net/route", .show = proc_show_net_route},
    {.path = "net/tcp", .show = proc_show_net_sockets},
    {.path = "net/tcp6", .show = proc_show_net_sockets},
    {.path = "net/udp", .show = proc_show_net_sockets},
    {.path = "net/udp6", .show = proc_show_net_sockets},
    {.path = "net/unix", .show = proc_show_net_unix},
    {.path = "partitions", .show = show_partitions},
    {.path = "self", .kind = PROC_LINK, .show = show_self},
    {.path = "stat", .show = show_stat},
    {.path = "swaps", .show = show_swaps},
    {.path = "sys/fs/file-max", .show = show_file_max},
    {.path = "sys/fs/file-nr", .show = show_file_nr},
    {.path = "sys/fs/inotify/max_queued_events", .show = show_inotify_events},
    {.path = "sys/fs/inotify/max_user_instances", .show = show_inotify_instances},
    {.path = "sys/fs/inotify/max_user_watches", .show = show_inotify_watches},
    {.path = "sys/fs/nr_open", .show = show_nr_open},
    {.path = "sys/fs/pipe-max-size", .show = show_pipe_max},
    {.path = "sys/fs/protected_hardlinks", .show = show_1},
    {.path = "sys/fs/protected_symlinks", .show = show_0},
    {.path = "sys/kernel/cap_last_cap", .show = show_cap_last},
    {.path = "sys/kernel/core_pattern", .show = show_core_pattern},
    {.path = "sys/kernel/domainname", .show = show_domainname},
    {.path = "sys/kernel/hostname", .show = show_hostname},
    {.path = "sys/kernel/ngroups_max", .show = show_ngroups_max},
    {.path = "sys/kernel/osrelease", .show = show_osrelease},
    {.path = "sys/kernel/ostype", .show = show_ostype},
    {.path = "sys/kernel/overflowgid", .show = show_overflow_id},
    {.path = "sys/kernel/overflowuid", .show = show_overflow_id},
    {.path = "sys/kernel/pid_max", .show = show_pid_max},
    {.path = "sys/kernel/random/boot_id", .show = show_boot_id},
    {.path = "sys/kernel/random/entropy_avail", .show = show_256},
    {.path = "sys/kernel/random/poolsize", .show = show_256},
    {.path = "sys/kernel/random/uuid", .show = show_uuid},
    {.path = "sys/kernel/randomize_va_space", .show = show_0},
    {.path = "sys/kernel/threads-max", .show = show_threads_max},
    {.path = "sys/kernel/version", .show = show_uts_version},
    {.path = "sys/net/core/somaxconn", .show = show_somaxconn},
    {.path = "sys/net/ipv4/ip_local_port_range", .show = show_port_range},
    {.path = "sys/vm/max_map_count", .show = show_max_map_count},
    {.path = "sys/vm/mmap_min_addr", .show = show_mmap_min},
    {.path = "sys/vm/overcommit_memory", .show = show_1},
    {.path = "sys/vm/overcommit_ratio", .show = show_50},
    {.path = "sys/vm/swappiness", .show = show_0},
    {.path = "thread-self", .kind = PROC_LINK, .show = show_thread_self},
    {.path = "uptime", .show = show_uptime},
    {.path = "version", .show = show_version},
    {.path = "vmstat", .show = show_vmstat},
};
const struct proc_tree proc_system_tree = {files, ARRAY_LEN(files)};
