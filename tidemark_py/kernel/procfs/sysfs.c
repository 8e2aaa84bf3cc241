/* sysfs: the little of /sys that programs look at: how many processors there are, and that no huge pages exist. */
#include "proc.h"

static int show_cpus(struct text *t, UNUSED const struct proc_node *n) {
  u32 cpus = proc_cpus();
  text_printf(t, cpus > 1 ? "0-%u\n" : "%u\n", cpus - 1);
  return 0;
}
static int show_offline(struct text *t, UNUSED const struct proc_node *n) { return text_add(t, "\n", 1), 0; }
static int show_never(struct text *t, UNUSED const struct proc_node *n) {
  return text_printf(t, "always madvise [never]\n"), 0;
}
static int show_zero(struct text *t, UNUSED const struct proc_node *n) { return text_add(t, "0\n", 2), 0; }

static const struct proc_file files[] = {
    {.path = "devices/system/cpu/online", .show = show_cpus},
    {.path = "devices/system/cpu/possible", .show = show_cpus},
    {.path = "devices/system/cpu/present", .show = show_cpus},
    {.path = "devices/system/cpu/offline", .show = show_offline},
    {.path = "devices/system/node/online", .show = show_zero},
    {.path = "devices/system/node/possible", .show = show_zero},
    {.path = "kernel/mm/transparent_hugepage/enabled", .show = show_never},
};
const struct proc_tree proc_sysfs_tree = {files, ARRAY_LEN(files)};
