/* sys/trace: what a system call was, for strace(1)-like tools: a record with its arguments, times and result, and what
 * its pointers pointed at, by the argument types of the syscall table. Formatting is the reader's (state/trace.py).
 * Lock held, own memory; called when the call has ended, also by one that does not return. */
#include "../task/trace.h"
#include "sys.h"

#define STRING_BYTES 256u
#define BUFFER_BYTES 64u
#define VECTOR_STRINGS 24u

struct record {
  struct trace_record head;
  u8 payload[TRACE_RECORD_MAX_BYTES - sizeof(struct trace_record)];
};

static u32 room_left(const struct record *r) { return TRACE_RECORD_MAX_BYTES - r->head.bytes; }

/* {u16 argument, u16 bytes, the bytes, padding to 4}; what cannot be read is left out. */
static void capture(struct record *r, u32 argument, const void *data, u32 bytes) {
  struct {
    u16 argument, bytes;
  } tag = {(u16)argument, (u16)bytes};
  u32 whole = (u32)ALIGN_UP(sizeof tag + bytes, 4);
  if (whole + 8 > room_left(r)) return;
  u8 *at = (u8 *)r + r->head.bytes;
  memset(at, 0, whole);
  memcpy(at, &tag, sizeof tag);
  memcpy(at + sizeof tag, data, bytes);
  r->head.bytes += whole;
}

static void capture_bytes(struct record *r, u32 argument, uaddr_t from, u64 bytes) {
  u8 data[STRING_BYTES];
  u32 n = (u32)MIN(bytes, (u64)sizeof data);
  if (from && n && !copy_in(data, from, n)) capture(r, argument, data, n);
}

static void capture_string(struct record *r, u32 argument, uaddr_t from) {
  char text[STRING_BYTES];
  i64 n = strncpy_in(text, from, sizeof text);
  if (n == -ENAMETOOLONG) n = sizeof text; /* without its end: the reader sees that */
  else if (n >= 0) n++;
  if (n > 0) capture(r, argument, text, (u32)n);
}

static void capture_vector(struct record *r, u32 argument, uaddr_t from) {
  for (u32 i = 0; from && i < VECTOR_STRINGS; i++, from += 8) {
    uaddr_t string;
    if (COPY_IN(string, from) || !string) return;
    capture_string(r, argument, string);
  }
}

static void capture_argument(struct record *r, u32 i, u32 type, const u64 args[6], i64 result) {
  uaddr_t at = args[i];
  u64 next = i < 5 ? args[i + 1] : 0;
  switch (type) {
  case SYSCALL_ARG_CSTR: capture_string(r, i, at); break;
  case SYSCALL_ARG_STRV: capture_vector(r, i, at); break;
  case SYSCALL_ARG_INBUF: capture_bytes(r, i, at, MIN(next, (u64)BUFFER_BYTES)); break;
  case SYSCALL_ARG_OUTBUF:
    if (result > 0) capture_bytes(r, i, at, MIN((u64)result, (u64)BUFFER_BYTES));
    break;
  case SYSCALL_ARG_TIMESPEC: capture_bytes(r, i, at, 16); break;
  case SYSCALL_ARG_SIGSET: capture_bytes(r, i, at, 8); break;
  case SYSCALL_ARG_SOCKADDR: capture_bytes(r, i, at, MIN(MAX(next, 16ull), 110ull)); break;
  case SYSCALL_ARG_STAT:
    if (!result) capture_bytes(r, i, at, sizeof(struct guest_stat));
    break;
  case SYSCALL_ARG_FDPAIR:
    if (!result) capture_bytes(r, i, at, 8);
    break;
  default: break;
  }
}

void trace_call(u64 nr, const u64 args[6], i64 result, u64 start_ns, u64 parked_ns, bool may_wait) {
  struct thread *t = current;
  if (!t || !t->process || !(trace_wanted(t->process) & TRACE_ON_CALLS)) return;
  struct record r;
  r.head = (struct trace_record){.bytes = sizeof r.head, .kind = TRACE_CALL, .pid = t->process->pid, .tid = t->tid,
                                 .start_ns = start_ns, .end_ns = time_monotonic_ns(), .parked_ns = parked_ns,
                                 .result = result, .nr = (u32)nr, .instance = instance_id};
  memcpy(r.head.args, args, sizeof r.head.args);
  memcpy(r.head.name, t->process->name, sizeof r.head.name);
  const struct syscall_row *row = nr < SYSCALL_TABLE_ROWS ? &syscall_table[nr] : NULL;
  bool readable = mm_current && t->process->mm == mm_current;
  for (u32 i = 0; row && readable && i < row->argc; i++) capture_argument(&r, i, row->args[i], args, result);
  fetch_forget(); /* a string that is not here is not worth a fetch */
  r.head.bytes = (u32)ALIGN_UP(r.head.bytes, 8);
  if (trace_room(may_wait)) trace_put(&r.head);
}
