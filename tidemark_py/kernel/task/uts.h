/* uts: who this kernel says it is (uname(2), /proc/version). sethostname(2) changes the names. Kernel lock. */
#ifndef TIDEMARK_TASK_UTS_H
#define TIDEMARK_TASK_UTS_H

#define UTS_SYSNAME "Linux"
#define UTS_RELEASE "6.12.0-tidemark"
#define UTS_VERSION "#1 SMP tidemark"
#define UTS_MACHINE "riscv64"
extern char uts_nodename[65], uts_domainname[65];
#endif
