/* The kernel's exports to the shim and the roles: numbers in, numbers out; no meaning of its own.
 *
 * Called on an instance whose stack pointer and TLS block are set (instance.h). u32, i32 and double only, so that
 * neither JavaScript nor Python needs a BigInt: sizes and addresses are exact in a double up to 2^53. */
#ifdef __wasm__
#include "instance.h"
#include "../ipc/ipc.h"
#include "../file/lazy.h"
#include "../gen/abi_hash.h"
#include "../net/net.h"
#include "../sys/sys.h"
#include "../task/exec.h"
#include "../task/timeline.h"
#include "../task/trace.h"
#include "../tty/screen.h"
#include "../wasi/wasi.h"

#define EXPORT(name) WASM_EXPORT(#name) name

/* A descriptor of this host thread's process, or NULL. Kernel lock. */
static struct ofd *own_fd(i32 fd) { return current ? fd_get(current->process->fds, fd) : NULL; }

u32 EXPORT(tk_abi_hash)(void) { return ABI_HASH32; }
/* Needs no stack: where instance stacks begin; instance i has INSTANCE_AREA_BYTES from there: stack, then TLS block. */
u32 EXPORT(tk_instance_area)(void) { return (u32)(uintptr_t)instance_area(0); }
u32 EXPORT(tk_instance_area_bytes)(void) { return INSTANCE_AREA_BYTES; }
u32 EXPORT(tk_instance_stack_bytes)(void) { return INSTANCE_STACK_BYTES; }
u32 EXPORT(tk_thread_records)(void) { return (u32)(uintptr_t)thread_records; }
u32 EXPORT(tk_counters)(void) { return (u32)(uintptr_t)&counters; }
u32 EXPORT(tk_panic_message)(void) { return (u32)(uintptr_t)panic_text; }
u32 EXPORT(tk_max_instances)(void) { return MAX_INSTANCES; }
u32 EXPORT(tk_head_bytes)(void) { return HEAD_BYTES; }

void EXPORT(tk_instance_enter)(u32 id, double epoch_ms) { instance_enter(id, epoch_ms); }
void EXPORT(tk_instance_leave)(void) { instance_leave(); }

i32 EXPORT(tk_boot)(u32 memories_cap, u32 guest_max_wasm_pages) {
  clock_boot();
  HOLD_LOCK;
  return task_boot(memories_cap, guest_max_wasm_pages);
}

i32 EXPORT(tk_host_attach)(i32 pid, u32 may_park) {
  HOLD_LOCK;
  return host_thread_attach(pid, may_park != 0);
}
void EXPORT(tk_host_detach)(void) {
  HOLD_LOCK;
  host_thread_detach();
}

double EXPORT(tk_syscall)(u32 nr, double a0, double a1, double a2, double a3, double a4, double a5) {
  if (!current) return -ESRCH;
  const u64 args[6] = {(u64)(i64)a0, (u64)(i64)a1, (u64)(i64)a2, (u64)(i64)a3, (u64)(i64)a4, (u64)(i64)a5};
  return (double)sys_call_host(nr, args);
}

/* The same as a thread that does not park: what would wait answers EAGAIN. */
double EXPORT(tk_try)(u32 nr, double a0, double a1, double a2, double a3, double a4, double a5) {
  if (!current) return -ESRCH;
  bool may_park = current->may_park;
  current->may_park = false;
  double r = tk_syscall(nr, a0, a1, a2, a3, a4, a5);
  current->may_park = may_park;
  return r;
}
/* Before anything that takes the lock, in a page's main thread. */
void EXPORT(tk_instance_spin)(u32 on) { instance_spin(on != 0); }
/* The attached thread's wait cell: it counts up at every signal and watch. */
u32 EXPORT(tk_host_cell)(void) { return current ? (u32)(uintptr_t)&current->cell : 0; }
i32 EXPORT(tk_host_pid)(void) { return current ? current->process->pid : -ESRCH; }
/* As tk_watch, but it is the caller's own cell that counts up. */
i32 EXPORT(tk_host_watch)(i32 fd, u32 events) {
  HOLD_LOCK;
  struct ofd *f = own_fd(fd);
  i32 r = f ? host_watch(f, events, current, 0, 0) : -EBADF;
  return r;
}
#define CLOSED_TEXT "the runtime was closed"
/* The runtime is closed: whoever is still attached, parked or about to call, finds a panic of this text. */
void EXPORT(tk_close)(void) {
  HOLD_LOCK;
  memcpy(panic_text, CLOSED_TEXT, sizeof CLOSED_TEXT);
  __atomic_store_n(&counters.panicked, 1, __ATOMIC_SEQ_CST);
}

double EXPORT(tk_spawn)(u32 request, u32 bytes) {
  if (!current) return -ESRCH;
  if (bytes < sizeof(struct spawn_request) || bytes > STAGING_BYTES) return -EINVAL;
  HOLD_LOCK;
  i64 r = -ENOMEM;
  u8 *copy = kmalloc(bytes);
  if (copy) {
    r = copy_in(copy, request, bytes);
    fetch_forget();
    if (r == 0) r = task_spawn(copy, bytes);
    if (r < 0 && fetch_wanted()) r = -ENOTHERE; /* nothing was started: the caller waits and asks again */
    fetch_forget();
    kfree(copy);
  }
  return (double)r;
}

i32 EXPORT(tk_resume)(u32 thread, u32 generation, i32 result) {
  HOLD_LOCK;
  return task_resume(thread, generation, result);
}
u32 EXPORT(tk_run)(u32 thread, u32 generation) { return task_run(thread, generation); }
/* Modules (wasi/): in their worker, between tk_wasi_start and their end. */
u32 EXPORT(tk_wasi_start)(u32 thread, u32 generation) { return wasi_thread_start(thread, generation); }
u32 EXPORT(tk_wasi_over)(void) { return wasi_is_over(); }
u32 EXPORT(tk_wasi_in_module)(void) { return wasi_in_module(); }
double EXPORT(tk_wasi_bytes)(void) { return (double)wasi_module_bytes(); }
u32 EXPORT(tk_wasi_read)(double offset) { return wasi_module_read((u64)offset); }
u32 EXPORT(tk_wasi_buffer)(void) { return (u32)(uintptr_t)current->process->wasi->buffer; }
u32 EXPORT(tk_wasi_memory_limit)(void) { return current->process->wasi->memory_limit_pages; }
u32 EXPORT(tk_wasi_capabilities)(void) { return current->process->wasi_options ? current->process->wasi_options->capabilities : 0; }
i32 EXPORT(tk_wasi_tid)(void) { return current->tid; }
u32 EXPORT(tk_wasi_argument)(void) { return current->module_argument; }
void EXPORT(tk_wasi_thread_end)(void) { wasi_thread_end(); }
u32 EXPORT(tk_wasi_fail_begin)(void) { return (u32)(uintptr_t)wasi_fail_begin(); }
void EXPORT(tk_wasi_fail)(u32 bytes, i32 status) { wasi_fail(bytes, status); }
i32 EXPORT(tk_worker_died)(u32 thread, u32 instance) {
  /* A worker that died inside the kernel leaves the structures half changed: that is the end of this kernel. */
  if (lock_owner() == instance + 1) kpanic("worker of instance %u died holding the kernel lock", instance);
  HOLD_LOCK;
  return task_worker_died(thread, instance);
}

i32 EXPORT(tk_watch)(i32 fd, u32 events, u32 id) {
  HOLD_LOCK;
  struct ofd *f = own_fd(fd);
  i32 r = f ? host_watch(f, events, NULL, ROLE_KERNEL, id) : -EBADF;
  return r;
}

i32 EXPORT(tk_root_new)(i32 base) {
  HOLD_LOCK;
  return root_new(base);
}
i32 EXPORT(tk_root_drop)(u32 root) {
  HOLD_LOCK;
  return root_drop(root);
}
i32 EXPORT(tk_root_use)(u32 root) {
  HOLD_LOCK;
  return current ? host_thread_use_root(root) : -ESRCH;
}

static u32 pages_of(double bytes) { return (u32)(((u64)bytes + PAGE_BYTES - 1) >> PAGE_SHIFT); }
u32 EXPORT(tk_blob_alloc)(double bytes) {
  if (!(bytes >= 0) || bytes > (double)UINT32_MAX) return 0;
  HOLD_LOCK;
  void *p = kpages_alloc(MAX(pages_of(bytes), 1u));
  return (u32)(uintptr_t)p;
}
void EXPORT(tk_blob_free)(u32 address, double bytes) {
  HOLD_LOCK;
  kpages_free((void *)(uintptr_t)address, MAX(pages_of(bytes), 1u));
}
/* lazy_shift: 0, or the bodies come later (file/lazy.h) in chunks of 1 << lazy_shift bytes; the result is the blob's id. */
i32 EXPORT(tk_layer_apply)(u32 root, u32 index, u32 index_bytes, u32 blob, double blob_bytes, u32 lazy_shift) {
  if (lazy_shift && (lazy_shift < PAGE_SHIFT || lazy_shift > 30)) return -EINVAL;
  HOLD_LOCK;
  return layer_apply(root, (const void *)(uintptr_t)index, index_bytes, (u8 *)(uintptr_t)blob, (u64)blob_bytes, lazy_shift);
}
/* The network bridge (net/bridge.c): descriptor fd of this host thread listens (-1: no bridge); an accepted one's answer. */
i32 EXPORT(tk_net_bridge)(i32 fd) {
  HOLD_LOCK;
  struct ofd *f = own_fd(fd);
  struct socket *s = f ? socket_of(f) : NULL;
  i32 r = fd >= 0 && !s ? -ENOTSOCK : net_bridge_set(s);
  return r;
}
i32 EXPORT(tk_net_answer)(i32 fd, i32 error) {
  HOLD_LOCK;
  struct ofd *f = own_fd(fd);
  struct socket *s = f ? socket_of(f) : NULL;
  i32 r = s ? net_bridge_answer(s, error) : -ENOTSOCK;
  return r;
}
/* Frames: where channel n's record lies (the lock is not wanted for a look), the screen's size, input from the page. */
double EXPORT(tk_boot_ms)(void) { return clock_boot_ms(); }
u32 EXPORT(tk_frame_channel)(u32 n) { return n < FRAME_CHANNELS ? (u32)(uintptr_t)&frame_rings[n].channel : 0; }
i32 EXPORT(tk_screen_size)(u32 width, u32 height) {
  HOLD_LOCK;
  return framebuffer_resize(width, height);
}
i32 EXPORT(tk_input)(u32 device, u32 type, u32 code, i32 value) {
  HOLD_LOCK;
  return input_event_post(device, type, code, value);
}

/* After NOTIFY_FETCH: blob id * 2^32 + chunk that somebody waits for, now the caller's to bring; -1: no more. */
double EXPORT(tk_fetch_next)(void) {
  u32 blob = 0, chunk = 0;
  HOLD_LOCK;
  bool any = fetch_next(&blob, &chunk);
  return any ? (double)blob * 4294967296.0 + chunk : -1;
}
/* Read-ahead: 1 when the chunk is the caller's to bring. */
u32 EXPORT(tk_fetch_claim)(u32 blob, u32 chunk) {
  HOLD_LOCK;
  return fetch_claim(blob, chunk);
}
/* Where a verified chunk's bytes go; 0: the layer is gone. Valid until this role makes another call. */
u32 EXPORT(tk_fetch_place)(u32 blob, u32 chunk) {
  u32 bytes;
  HOLD_LOCK;
  u8 *at = fetch_place(blob, chunk, &bytes);
  return (u32)(uintptr_t)at;
}
void EXPORT(tk_fetch_done)(u32 blob, u32 chunk, u32 ok) {
  HOLD_LOCK;
  fetch_done(blob, chunk, ok != 0);
}
/* Bytes of a regular file (a descriptor of this host thread's process) that are not here; they are asked for. */
double EXPORT(tk_fetch_file)(i32 fd) {
  HOLD_LOCK;
  struct ofd *f = own_fd(fd);
  double missing = f && f->inode && S_ISREG(f->inode->mode) ? (double)file_missing(f->inode, true) : f ? 0 : -EBADF;
  return missing;
}
/* Diagnostics (task/trace.h): results are bytes in the staging memory of the caller. */
i32 EXPORT(tk_trace)(i32 pid, u32 what) {
  HOLD_LOCK;
  return trace_set(pid, what);
}
/* Histograms: on from zero, off; the table's address (0: off) and how many there are. */
i32 EXPORT(tk_metrics)(u32 on) {
  HOLD_LOCK;
  return metrics_set(on);
}
u32 EXPORT(tk_metrics_table)(void) { return (u32)(uintptr_t)metrics_now(); }
/* A role handles a message: counters.watching asked for it. */
void EXPORT(tk_handled)(u32 role, u32 kind, u32 arg) {
  if (!(watching() & WATCH_TIMELINE)) { /* no lock: a role must not wait for one that it makes wait */
    message_handled(role, kind, arg);
    return;
  }
  HOLD_LOCK;
  message_handled(role, kind, arg);
}
i32 EXPORT(tk_events)(u32 kinds) {
  HOLD_LOCK;
  return event_listen(kinds);
}
u32 EXPORT(tk_events_lost)(void) {
  HOLD_LOCK;
  return event_lost();
}
i32 EXPORT(tk_events_take)(u32 to, u32 bytes) {
  HOLD_LOCK;
  return (i32)event_take(to, bytes);
}
/* Instructions of all children that this process has waited for, and of theirs. */
double EXPORT(tk_child_instructions)(void) { return (double)current->process->child_instructions; }
i32 EXPORT(tk_trace_take)(u32 to, u32 bytes) {
  HOLD_LOCK;
  return (i32)trace_take(to, bytes);
}
i32 EXPORT(tk_call_use_take)(u32 to, u32 bytes) {
  HOLD_LOCK;
  return (i32)call_use_take(to, bytes);
}
/* The oldest crash report's text, from byte 4 on; its pid before it. 0: there is none. */
i32 EXPORT(tk_crash_take)(u32 to, u32 bytes) {
  i32 pid = 0;
  if (bytes < 8) return -EINVAL;
  HOLD_LOCK;
  i64 r = crash_take(&pid, to + 4, bytes - 4);
  if (r > 0) r = copy_out(to, &pid, 4) ? -EFAULT : r + 4;
  return (i32)r;
}
/* Test hooks: leak checks and allocation failures. */
double EXPORT(tk_heap_used)(void) { return (double)kheap_used_bytes(); }
void EXPORT(tk_heap_fail_after)(u32 n) { kheap_fail_after(n); }
#endif
