/* task/exec_commit: execve(2), second half, in own memory, past the point of no return: the old address space goes, the
 * new one is built (lazily: segments are file areas), the stack gets arguments, environment and auxiliary vector
 * (getauxval(3), Linux fs/binfmt_elf.c), and what a process loses at exec is taken from it. A failure here kills. */
#include "exec_layout.h"

#define LOW_BYTES 65536u            /* nothing below: NULL pointers fault */
#define STACK_FIRST_BYTES (128u << 10) /* mapped at once; the rest by faults */
#define STACK_UNLIMITED_BYTES (256ull << 20)
#define BRK_ROOM_BYTES (64ull << 20)
/* riscv ELF_HWCAP: one bit per letter of the base ISA string: I M A F D C */
#define HWCAP_IMAFDC ((1u << ('I' - 'A')) | (1u << ('M' - 'A')) | 1u | (1u << ('F' - 'A')) | (1u << ('D' - 'A')) | (1u << ('C' - 'A')))

/* ---- layout ---- */
int exec_lay_out(const struct process *p, struct exec_image *e) {
  const struct elf_image *x = e->program;
  u64 window = mm_guest_max(), cur = p->limits[RLIMIT_STACK].cur;
  e->base = x->dynamic_base ? ALIGN_UP((u64)LOW_BYTES, x->align) - ALIGN_DOWN(x->low, x->align) : 0;
  u64 low = e->base + x->low, high = e->base + x->high;
  if (low < LOW_BYTES) {
    klog("%s: cannot execute: it wants address 0x%llx, the lowest is 0x%x", e->filename, (unsigned long long)low, LOW_BYTES);
    return -ENOEXEC;
  }
  u64 stack = cur == ~0ull ? STACK_UNLIMITED_BYTES : cur;
  stack = ALIGN_UP(MAX(MIN(stack, window / 8), e->strings_bytes + 8ull * (e->argc + e->envc) + (256u << 10)), (u64)PAGE_BYTES);
  u64 room = MIN(BRK_ROOM_BYTES, ALIGN_DOWN(window / 16, (u64)PAGE_BYTES));
  u64 need = PAGE_BYTES + stack + 2 * PAGE_BYTES + room, start = high;
  if (low >= LOW_BYTES + need && (high > window / 2 || high + need > window)) start = LOW_BYTES; /* a program linked high */
  u64 interpreter = e->interpreter ? e->interpreter->high - e->interpreter->low + e->interpreter->align : 0;
  if (start + need + interpreter > window || high > window) {
    klog("%s: cannot execute: its %llu KiB do not fit the address window of this tab", e->filename,
         (unsigned long long)(x->high - x->low) >> 10);
    return -ENOMEM;
  }
  e->stack_bytes = stack;
  e->stack_top = start + PAGE_BYTES + stack;
  e->brk_start = e->stack_top + PAGE_BYTES;
  e->brk_end = e->brk_start + room;
  return 0;
}

static int map_interpreter(struct mm *mm, const struct exec_image *e, u64 *base) {
  const struct elf_image *x = e->interpreter;
  u64 bytes = x->high - x->low + x->align;
  i64 at = mm_map(mm, 0, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, NULL, 0);
  if (at < 0) return (int)at;
  int r = mm_unmap(mm, (u64)at, bytes);
  *base = ALIGN_UP((u64)at, x->align) - ALIGN_DOWN(x->low, x->align);
  return r < 0 ? r : elf_map(mm, x, *base);
}

static int map_stack(struct mm *mm, const struct exec_image *e) {
  u64 first = MIN(e->stack_bytes, e->strings_bytes + 8ull * (e->argc + e->envc) + STACK_FIRST_BYTES);
  first = ALIGN_UP(first, (u64)PAGE_BYTES);
  int prot = PROT_READ | PROT_WRITE | (e->program->stack_exec ? PROT_EXEC : 0);
  mm->stack_top = e->stack_top, mm->stack_bytes = e->stack_bytes;
  i64 r = mm_map(mm, e->stack_top - first, first, prot,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN | MAP_STACK, NULL, 0);
  if (r < 0) return (int)r;
  mm_name(mm, e->stack_top - first, "[stack]");
  return (int)mm_map_signal_code(mm, e->stack_top);
}

/* ---- the first stack ---- */
struct vector {
  u64 *word;
  u32 count;
};
static void put(struct vector *v, u64 word) { v->word[v->count++] = word; }
static void put_aux(struct vector *v, u64 type, u64 value) { put(v, type), put(v, value); }

static void put_strings(struct vector *v, const char *strings, u64 *at, u64 address, u32 count) {
  for (u32 i = 0; i < count; i++) {
    put(v, address + *at);
    *at += strlen(strings + *at) + 1;
  }
  put(v, 0);
}

static int write_stack(struct mm *mm, const struct exec_image *e, const struct process *p, u64 interpreter_base, u64 *sp) {
  const struct elf_image *x = e->program;
  u64 filename_bytes = strlen(e->filename) + 1, at = e->stack_top - 8, used = 0;
  u8 random[16];
  host_random(random, sizeof(random));
  u64 filename = at -= filename_bytes;
  if (copy_out(filename, e->filename, filename_bytes) < 0) return -EFAULT;
  u64 strings = at -= e->strings_bytes;
  if (copy_out(strings, e->strings, e->strings_bytes) < 0) return -EFAULT;
  u64 random_at = at = ALIGN_DOWN(at - sizeof(random), (u64)16);
  if (copy_out(random_at, random, sizeof(random)) < 0) return -EFAULT;
  mm->arg_start = strings, mm->arg_end = mm->env_start = strings + e->argv_bytes, mm->env_end = strings + e->strings_bytes;
  mm_args_set(mm, e->strings, (u32)e->argv_bytes, (u32)(e->strings_bytes - e->argv_bytes));

  u64 words = 1 + e->argc + 1 + (u64)e->envc + 1 + AUXV_WORDS;
  AUTO_KFREE u64 *table = kzalloc(words * 8);
  if (!table) return -ENOMEM;
  struct vector v = {.word = table};
  put(&v, e->argc);
  put_strings(&v, e->strings, &used, strings, e->argc);
  put_strings(&v, e->strings, &used, strings, e->envc);
  u32 fixed = v.count;
  const struct credentials *c = &p->cred;
  put_aux(&v, AT_HWCAP, HWCAP_IMAFDC);
  put_aux(&v, AT_PAGESZ, PAGE_BYTES);
  put_aux(&v, AT_CLKTCK, 100);
  if (x->phdr_vaddr) put_aux(&v, AT_PHDR, e->base + x->phdr_vaddr);
  put_aux(&v, AT_PHENT, sizeof(struct guest_elf64_phdr));
  put_aux(&v, AT_PHNUM, x->phnum);
  put_aux(&v, AT_BASE, interpreter_base);
  put_aux(&v, AT_FLAGS, 0);
  put_aux(&v, AT_ENTRY, e->base + x->entry);
  put_aux(&v, AT_UID, c->uid);
  put_aux(&v, AT_EUID, c->euid);
  put_aux(&v, AT_GID, c->gid);
  put_aux(&v, AT_EGID, c->egid);
  put_aux(&v, AT_SECURE, c->uid != c->euid || c->gid != c->egid);
  put_aux(&v, AT_RANDOM, random_at);
  put_aux(&v, AT_HWCAP2, 0);
  put_aux(&v, AT_EXECFN, filename);
  put_aux(&v, AT_NULL, 0);
  kassert(v.count - fixed <= AUXV_WORDS);
  mm_auxv_set(mm, table + fixed, v.count - fixed);
  *sp = ALIGN_DOWN(at - (u64)v.count * 8, (u64)16);
  return copy_out(*sp, table, (size_t)v.count * 8);
}

static int build(struct mm *mm, const struct exec_image *e, const struct process *p, u64 *entry, u64 *sp) {
  u64 interpreter_base = 0;
  mm->brk_start = mm->brk = e->brk_start, mm->brk_end = e->brk_end;
  mm->mmap_page = (u32)(e->brk_end >> PAGE_SHIFT);
  int r = elf_map(mm, e->program, e->base);
  if (r == 0) r = map_stack(mm, e);
  if (r == 0 && e->interpreter) r = map_interpreter(mm, e, &interpreter_base);
  if (r == 0) r = write_stack(mm, e, p, interpreter_base, sp);
  *entry = e->interpreter ? interpreter_base + e->interpreter->entry : e->base + e->program->entry;
  return r;
}

/* ---- what changes in the process ---- */
void process_set_exe(struct process *p, struct inode *ino) {
  struct inode *old = p->exe;
  if (ino) inode_get(ino), ino->write_denied++;
  p->exe = ino;
  if (!old) return;
  kassert(old->write_denied);
  old->write_denied--;
  inode_put(old);
}

/* capabilities(7), "Transformation of capabilities during execve()", for files without capabilities of their own. */
static void take_new_capabilities(struct credentials *c, bool is_setid) {
  bool root = !(c->securebits & SECBIT_NOROOT);
  if (is_setid) c->cap_ambient = 0;
  u64 permitted = 0;
  if (root && (!c->euid || !c->uid)) permitted = c->cap_bounding | c->cap_inheritable;
  c->cap_permitted = permitted | c->cap_ambient;
  c->cap_effective = root && !c->euid ? c->cap_permitted : c->cap_ambient;
  c->securebits &= ~(u32)SECBIT_KEEP_CAPS;
}

static void take_new_ids(struct process *p, const struct exec_image *e) {
  struct credentials *c = &p->cred;
  const struct process *tracer = current->ptrace.tracer;
  bool setid = !tracer || credentials_capable(&tracer->cred, CAP_SYS_PTRACE); /* nobody gains rights through a tracee */
  if (e->set_uid && setid) c->euid = e->uid;
  if (e->set_gid && setid) c->egid = e->gid;
  take_new_capabilities(c, c->euid != c->uid || c->egid != c->gid);
  if (c->uid != c->euid || c->gid != c->egid) p->dumpable = 0, p->parent_death_signal = 0;
  else p->dumpable = 1;
  c->suid = c->fsuid = c->euid, c->sgid = c->fsgid = c->egid;
}

static int shed(struct process *p, struct thread *t, const struct exec_image *e) {
  if (p->fds->refs > 1) { /* shared by CLONE_FILES: exec ends that */
    struct fd_table *own = fd_table_copy(p->fds);
    if (!own) return -ENOMEM;
    fd_table_put(p->fds);
    p->fds = own;
  }
  fd_table_close_on_exec(p->fds);
  signal_exec_reset(p);
  posix_timers_free(p);
  t->robust_list = t->clear_child_tid = t->set_child_tid = t->rseq = 0;
  t->restart_code = 0;
  p->exit_signal = SIGCHLD;
  p->execed = true;
  const char *slash = strrchr(e->filename, '/'), *name = slash ? slash + 1 : e->filename;
  memset(t->name, 0, sizeof(t->name));
  memcpy(t->name, name, MIN(strlen(name), sizeof(t->name) - 1));
  memcpy(p->name, t->name, sizeof(p->name));
  const struct ofd *file = e->module ? e->module : e->program->file;
  process_set_exe(p, file->inode);
  kfree(p->exe_path);
  p->exe_path = file->path ? kstrdup(file->path) : NULL;
  return 0;
}

/* The address space and register block of the thread from here on. */
static struct mm *change_space(struct process *p, struct thread *t, u64 memory_limit, u64 *instructions) {
  struct mm *mm = mm_create(), *old = p->mm;
  *instructions = 0;
  if (!mm) return NULL;
  if (old) {
    mm->limit_bytes = old->limit_bytes;
    if (old->refs == 1 && mm_current == old) { /* in place */
      if (t->regslot >= 0) *instructions = guest_head_ld64(t->regblock + REG_INSTRET);
      mm_reset_guest(old);
    } else if (old->refs > 1 && t->regslot >= 0) {
      mm_regblock_free(old, t->regslot); /* a vfork child leaves its parent's memory */
    }
  }
  if (memory_limit) mm->limit_bytes = MIN(memory_limit, mm->max_guest_bytes);
  mm_current = p->mm = mm;
  mm_put(old);
  t->regslot = mm_regblock_alloc(mm);
  t->regblock = REGBLOCK_OFFSET((u32)t->regslot);
  return mm;
}

u32 exec_commit(struct exec_image *e) {
  ASSERT_LOCKED();
  struct thread *t = current;
  struct process *p = t->process;
  u64 entry = 0, sp = 0, instructions;
  i32 tid = t->tid;
  if (t->exec == e) t->exec = NULL;
  task_kill_other_threads();
  int r = -ENOMEM;
  struct mm *mm = change_space(p, t, e->memory_limit, &instructions);
  if (mm) {
    take_new_ids(p, e);
    r = build(mm, e, p, &entry, &sp);
  }
  if (r == 0) r = shed(p, t, e);
  if (r == 0) {
    cpu_reset(t->regblock, entry, sp);
    guest_head_st64(t->regblock + REG_INSTRET, instructions);
    event_post(EVENT_EXEC, p->pid, t->tid, 0, 0);
    ptrace_exec_done(t, tid);
  } else {
    klog("%s: execve failed after the old program was gone (error %d): the process is killed", e->filename, -r);
    task_exit_group(SIGKILL);
  }
  exec_image_free(e);
  return STATUS_CONTINUE;
}

/* ---- modules ---- */
#define MODULE_WINDOW_BYTES (1ull << 32) /* wasm32 */

void exec_move(struct thread *t) {
  ASSERT_LOCKED();
  struct process *p = t->process;
  struct mm *old = p->mm;
  task_kill_other_threads();
  ptrace_detach(t, 0); /* modules are not traced */
  if (!t->exec->memory_limit && old->limit_bytes < old->max_guest_bytes) t->exec->memory_limit = old->limit_bytes;
  thread_count_instructions(t);
  p->instructions += t->record->instructions;
  t->record->instructions = 0;
  mm_reset_guest(old);
  p->mm = NULL, mm_current = NULL;
  mm_put(old);
  t->regslot = -1, t->regblock = 0;
  t->running = false, t->instance = UINT32_MAX, t->restart_code = 0;
  t->record->generation++;
  /* the owner may not have resumed yet who forked us: it does so by this record */
  struct thread_record *r = t->record, *waiter = r->waiter >= 0 ? &thread_records[r->waiter] : NULL;
  if (waiter && (waiter->word != THREAD_HANDOVER || waiter->generation != r->waiter_generation)) r->waiter = -1;
  current = NULL;
  __atomic_store_n(&t->record->word, THREAD_NEW, __ATOMIC_SEQ_CST);
  task_hand_over(t, NULL, exec_start_kind(t));
}

void exec_commit_module(struct exec_image *e) {
  ASSERT_LOCKED();
  struct thread *t = current;
  struct process *p = t->process;
  struct mm *mm = mm_create(), *old = p->mm; /* old: none, or a vfork parent's */
  int r = -ENOMEM;
  if (mm) {
    u64 limit = old && old->limit_bytes < old->max_guest_bytes ? old->limit_bytes : 0;
    if (e->memory_limit) limit = e->memory_limit;
    if (limit) mm->limit_bytes = limit;
    mm->all_resident = true, mm->max_guest_bytes = MODULE_WINDOW_BYTES;
    mm_args_set(mm, e->strings, (u32)e->argv_bytes, (u32)(e->strings_bytes - e->argv_bytes));
    mm_current = p->mm = mm;
    mm_put(old);
    t->regslot = -1;
    take_new_ids(p, e);
    r = shed(p, t, e);
  }
  if (r == 0) r = wasi_process_start(p, e);
  if (r == 0) event_post(EVENT_EXEC, p->pid, t->tid, 1, 0);
  else {
    klog("%s: execve failed after the old program was gone (error %d): the process is killed", e->filename, -r);
    task_exit_group(SIGKILL);
  }
  exec_image_free(e);
}
