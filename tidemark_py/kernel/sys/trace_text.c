/* sys/trace_text: one line per system call on the log, for the native program's --strace: a debugging aid. What users see is
 * made of trace records (trace.c). Lock held, own memory. */
#ifndef __wasm__
#include "sys.h"

struct line {
  char text[480];
  u32 used;
};
static PRINTF_LIKE(2, 3) void add(struct line *l, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  int n = kvsnprintf(l->text + l->used, sizeof l->text - l->used, fmt, ap);
  va_end(ap);
  l->used = MIN(l->used + (u32)MAX(n, 0), (u32)sizeof l->text - 1);
}

static void add_string(struct line *l, uaddr_t at) {
  char s[65];
  i64 n = strncpy_in(s, at, sizeof s);
  if (n == -ENAMETOOLONG) n = 64, s[64] = 0;
  if (n < 0) {
    add(l, "0x%llx", (unsigned long long)at);
    return;
  }
  for (i64 i = 0; i < n; i++)
    if (s[i] < ' ' || s[i] > '~') s[i] = '.';
  add(l, "\"%s\"%s", s, n == 64 ? "..." : "");
}

void trace_text(u64 nr, const u64 args[6], i64 result) {
  struct line l = {.used = 0};
  const struct syscall_row *row = nr < SYSCALL_TABLE_ROWS ? &syscall_table[nr] : NULL;
  if (!row || !row->name) add(&l, "syscall_%llu(", (unsigned long long)nr);
  else add(&l, "%s(", row->name);
  for (u32 i = 0; row && i < row->argc; i++) {
    if (i) add(&l, ", ");
    switch (row->args[i]) {
    case SYSCALL_ARG_CSTR: add_string(&l, args[i]); break;
    case SYSCALL_ARG_FD:
      if ((i32)args[i] == AT_FDCWD) {
        add(&l, "AT_FDCWD");
        break;
      }
      __attribute__((fallthrough));
    case SYSCALL_ARG_INT:
    case SYSCALL_ARG_PID:
    case SYSCALL_ARG_SIGNO:
    case SYSCALL_ARG_WHENCE: add(&l, "%d", (i32)args[i]); break;
    case SYSCALL_ARG_UINT:
    case SYSCALL_ARG_UID: add(&l, "%u", (u32)args[i]); break;
    case SYSCALL_ARG_SIZE: add(&l, "%llu", (unsigned long long)args[i]); break;
    case SYSCALL_ARG_LONG:
    case SYSCALL_ARG_OFF: add(&l, "%lld", (long long)args[i]); break;
    case SYSCALL_ARG_MODE: add(&l, "0%o", (u32)args[i]); break;
    default: add(&l, "0x%llx", (unsigned long long)args[i]); break;
    }
  }
  i32 pid = current->process->pid;
  const char *name = result < 0 && result > -4096 ? errno_name((i32)-result) : NULL;
  if (result == -ENORESULT) add(&l, ")");
  else if (result <= -ERESTARTSYS && result >= -ERESTART_RESTARTBLOCK) add(&l, ") = ? (interrupted)");
  else if (name) add(&l, ") = -1 %s", name);
  else if (result > 4095 || result < 0) add(&l, ") = 0x%llx", (unsigned long long)result);
  else add(&l, ") = %lld", (long long)result);
  klog("[%d/%d] %s", pid, current->tid, l.text);
}
#endif
