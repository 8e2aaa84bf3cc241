/* The cpu without guests: exact pc and address of faults, instruction counts, budget and poll, fetches over page ends,
 * invalidation and fence.i, counters, reserved rounding modes. Follows kernel/cpu/cpu.h and the Unprivileged ISA. */
#include "cpu_fake_mm.h"

static u32 failures;
#define CHECK_EQ(a, b)                                                                                                   \
  do {                                                                                                                   \
    unsigned long long left = (unsigned long long)(a), right = (unsigned long long)(b);                                  \
    if (left != right) failures++, printf("%s:%d: %s is 0x%llx, not 0x%llx\n", __FILE__, __LINE__, #a, left, right);      \
  } while (0)

#define CODE 0x10000u
#define DATA 0x20000u
#define BLOCK REGBLOCK_OFFSET(1)
#define NOP 0x00000013u
#define ECALL 0x00000073u
#define EBREAK 0x00100073u
#define ADDI(rd, rs, imm) (0x13u | (rd) << 7 | (rs) << 15 | ((u32)(imm)&0xfff) << 20)
#define LD(rd, rs, imm) (0x3003u | (rd) << 7 | (rs) << 15 | ((u32)(imm)&0xfff) << 20)
#define SD(rs2, rs, imm) (0x3023u | (rs) << 15 | (rs2) << 20 | ((u32)(imm)&31) << 7 | ((u32)(imm) >> 5 & 0x7f) << 25)
#define JR(rs) (0x67u | (rs) << 15)

static struct mm mm;
static u32 poll;
static struct cpu_fault fault;

static void fresh(void) {
  cpu_code_free(&mm);
  guest_perm_fill(0, 0, 0x100);
  guest_perm_fill(CODE >> PAGE_SHIFT, PERM_R | PERM_X | PERM_RESIDENT, 2);
  guest_perm_fill(DATA >> PAGE_SHIFT, PERM_R | PERM_W | PERM_RESIDENT, 1);
  for (u32 i = 0; i < 2 * PAGE_BYTES; i += 4) guest_st32(CODE + i, EBREAK);
  poll = 0;
  fault = (struct cpu_fault){0};
  cpu_reset(BLOCK, CODE, 0);
}
static void put(u32 at, const u32 *words, u32 n) {
  for (u32 i = 0; i < n; i++) guest_st32(at + 4 * i, words[i]);
}
#define PUT(at, ...) put(at, (const u32[]){__VA_ARGS__}, sizeof((const u32[]){__VA_ARGS__}) / 4)
static enum cpu_exit run(void) { return cpu_run(&mm, BLOCK, 1 << 20, &poll, &fault); }
static u64 retired(void) { return guest_head_ld64(BLOCK + REG_INSTRET); }

static void expect_fault(u64 pc, u64 addr, i32 signo, i32 code) {
  CHECK_EQ(run(), CPU_FAULT);
  CHECK_EQ(cpu_pc(BLOCK), pc);
  CHECK_EQ(fault.addr, addr);
  CHECK_EQ(fault.si_signo, signo);
  CHECK_EQ(fault.si_code, code);
}

static void test_load_and_store_faults_name_pc_and_address(void) {
  static const u64 places[] = {DATA + PAGE_BYTES, 0, 0xfffffff8u, 1ull << 32, 1ull << 40, ~0ull - 7, GUEST_MAX_BYTES};
  for (u32 i = 0; i < ARRAY_LEN(places); i++) {
    fresh();
    PUT(CODE, NOP, LD(5, 6, 0), NOP);
    cpu_set_x(BLOCK, 5, 77);
    cpu_set_x(BLOCK, 6, places[i]);
    expect_fault(CODE + 4, places[i], SIGSEGV, SEGV_MAPERR);
    CHECK_EQ(cpu_x(BLOCK, 5), 77);
    CHECK_EQ(retired(), 1);
    PUT(CODE, NOP, SD(5, 6, 0), NOP);
    cpu_code_invalidate(&mm, CODE >> PAGE_SHIFT, 1);
    cpu_set_pc(BLOCK, CODE);
    expect_fault(CODE + 4, places[i], SIGSEGV, SEGV_MAPERR);
  }
}

static void test_permissions_decide_and_crossing_names_the_second_page(void) {
  fresh();
  PUT(CODE, LD(5, 6, 0), SD(5, 6, 0));
  cpu_set_x(BLOCK, 6, CODE + 8);
  expect_fault(CODE + 4, CODE + 8, SIGSEGV, SEGV_ACCERR);
  cpu_set_pc(BLOCK, CODE);
  cpu_set_x(BLOCK, 6, DATA + PAGE_BYTES - 3);
  expect_fault(CODE, DATA + PAGE_BYTES, SIGSEGV, SEGV_MAPERR);
  guest_perm_set((DATA >> PAGE_SHIFT) + 1, PERM_R | PERM_W | PERM_RESIDENT);
  guest_st64(DATA + PAGE_BYTES - 3, 0x1122334455667788u);
  CHECK_EQ(run(), CPU_BREAK);
  CHECK_EQ(cpu_x(BLOCK, 5), 0x1122334455667788u);
}

static void test_jumps_to_where_nothing_may_be_executed_fault_at_the_target(void) {
  static const struct { u64 to; i32 code; } cases[] = {
    {0x50000, SEGV_MAPERR}, {DATA, SEGV_ACCERR}, {0, SEGV_MAPERR}, {1ull << 33, SEGV_MAPERR}, {GUEST_MAX_BYTES, SEGV_MAPERR}};
  for (u32 i = 0; i < ARRAY_LEN(cases); i++) {
    fresh();
    PUT(CODE, JR(7));
    cpu_set_x(BLOCK, 7, cases[i].to | 1); /* bit 0 is dropped */
    expect_fault(cases[i].to, cases[i].to, SIGSEGV, cases[i].code);
    CHECK_EQ(retired(), 1);
  }
}

static void test_an_instruction_over_a_page_end_faults_in_its_second_half(void) {
  fresh();
  u32 last = CODE + 2 * PAGE_BYTES - 2;
  guest_st16(last, ADDI(5, 0, 9) & 0xffff);
  guest_st16(last + 2, ADDI(5, 0, 9) >> 16);
  cpu_set_pc(BLOCK, last);
  expect_fault(last, last + 2, SIGSEGV, SEGV_MAPERR);
  guest_perm_set((last + 2) >> PAGE_SHIFT, PERM_R | PERM_X | PERM_RESIDENT);
  guest_st32(last + 4, 0); /* then comes an illegal instruction of 2 bytes */
  guest_st16(last + 4, 0);
  CHECK_EQ(run(), CPU_ILLEGAL);
  CHECK_EQ(cpu_pc(BLOCK), last + 4);
  CHECK_EQ(cpu_x(BLOCK, 5), 9);
  CHECK_EQ(retired(), 1);
  /* its second half changes: the first page's slot must go too */
  guest_st16(last + 2, ADDI(5, 0, 5) >> 16);
  cpu_code_invalidate(&mm, (last + 2) >> PAGE_SHIFT, 1);
  cpu_set_pc(BLOCK, last);
  CHECK_EQ(run(), CPU_ILLEGAL);
  CHECK_EQ(cpu_x(BLOCK, 5), 5);
}

static void test_counts_are_exact_and_budget_and_poll_end_a_loop(void) {
  fresh();
  PUT(CODE, ADDI(5, 5, 1), ADDI(6, 6, 1), 0xff9ff06fu /* j -8 */);
  CHECK_EQ(cpu_run(&mm, BLOCK, 3000000, &poll, &fault), CPU_BUDGET);
  u64 n = retired();
  CHECK_EQ(n >= 3000000 && n < 3000100, 1);
  CHECK_EQ(n, 3 * cpu_x(BLOCK, 5)); /* it stops behind a jump */
  CHECK_EQ(cpu_pc(BLOCK), CODE);
  poll = 1;
  CHECK_EQ(cpu_run(&mm, BLOCK, 1ll << 40, &poll, &fault), CPU_BUDGET);
  CHECK_EQ(retired() - n < 100000, 1);
}

static void test_ecall_and_ebreak_leave_pc_there(void) {
  fresh();
  PUT(CODE, NOP, ECALL, EBREAK);
  CHECK_EQ(run(), CPU_ECALL);
  CHECK_EQ(cpu_pc(BLOCK), CODE + 4);
  CHECK_EQ(retired(), 2);
  cpu_set_pc(BLOCK, CODE + 8);
  CHECK_EQ(run(), CPU_BREAK);
  CHECK_EQ(cpu_pc(BLOCK), CODE + 8);
}

static void test_fence_i_sees_new_code_in_writable_pages(void) {
  fresh();
  guest_perm_fill(CODE >> PAGE_SHIFT, PERM_R | PERM_W | PERM_X | PERM_RESIDENT, 1);
  /* x5 = the second addi of the two at CODE + 32; store over it, fence.i, run it */
  PUT(CODE, 0x00532023u /* sw t0, 0(t1) */, 0x0000100fu /* fence.i */, JR(6));
  PUT(CODE + 32, ADDI(7, 0, 1), EBREAK);
  cpu_set_pc(BLOCK, CODE + 32);
  CHECK_EQ(run(), CPU_BREAK);
  CHECK_EQ(cpu_x(BLOCK, 7), 1);
  cpu_set_x(BLOCK, 5, ADDI(7, 0, 2));
  cpu_set_x(BLOCK, 6, CODE + 32);
  cpu_set_pc(BLOCK, CODE);
  CHECK_EQ(run(), CPU_BREAK);
  CHECK_EQ(cpu_x(BLOCK, 7), 2);
}

static void test_invalidation_of_everything_keeps_nothing(void) {
  fresh();
  PUT(CODE, ADDI(5, 0, 1));
  CHECK_EQ(run(), CPU_BREAK);
  u32 generation = mm.code_generation;
  PUT(CODE, ADDI(5, 0, 2));
  cpu_set_pc(BLOCK, CODE);
  cpu_code_invalidate(&mm, 0, ~0u);
  CHECK_EQ(mm.code_generation != generation, 1);
  CHECK_EQ(run(), CPU_BREAK);
  CHECK_EQ(cpu_x(BLOCK, 5), 2);
}

static void test_counters_read_and_do_not_write(void) {
  fresh();
  PUT(CODE, NOP, NOP, 0xc02022f3u /* rdinstret t0 */, 0xc0002373u /* rdcycle t1 */, 0xc01023f3u /* rdtime t2 */,
      0xc0129073u /* csrw time, t0 */);
  CHECK_EQ(run(), CPU_ILLEGAL);
  CHECK_EQ(fault.addr, 0xc0129073u);
  CHECK_EQ(cpu_pc(BLOCK), CODE + 20);
  CHECK_EQ(cpu_x(BLOCK, 5), 2);
  CHECK_EQ(cpu_x(BLOCK, 6), 3);
  CHECK_EQ(cpu_x(BLOCK, 7) != 0, 1);
}

static void test_reserved_rounding_modes_are_illegal(void) {
  fresh();
  PUT(CODE, 0x0220f0d3u /* fadd.d ft1, ft1, ft2, dyn */);
  guest_head_st32(BLOCK + REG_FCSR, 5 << 5);
  CHECK_EQ(run(), CPU_ILLEGAL);
  CHECK_EQ(fault.addr, 0x0220f0d3u);
  CHECK_EQ(cpu_pc(BLOCK), CODE);
  guest_head_st32(BLOCK + REG_FCSR, 4 << 5);
  CHECK_EQ(run(), CPU_BREAK);
}

static void test_sc_needs_its_lr_and_the_reservation_survives_exits(void) {
  fresh();
  PUT(CODE, 0x1803352fu | 0 /* sc.d a0, zero, (t1) */, 0x100335afu /* lr.d a1, (t1) */, ECALL, 0x1853362fu /* sc.d a2, t0, (t1) */,
      0x185336afu /* sc.d a3, t0, (t1) */);
  cpu_set_x(BLOCK, 5, 99);
  cpu_set_x(BLOCK, 6, DATA + 8);
  guest_st64(DATA + 8, 7);
  CHECK_EQ(run(), CPU_ECALL);
  CHECK_EQ(cpu_x(BLOCK, 10), 1);
  CHECK_EQ(cpu_x(BLOCK, 11), 7);
  cpu_set_pc(BLOCK, cpu_pc(BLOCK) + 4);
  CHECK_EQ(run(), CPU_BREAK);
  CHECK_EQ(cpu_x(BLOCK, 12), 0);
  CHECK_EQ(cpu_x(BLOCK, 13), 1);
  CHECK_EQ(guest_ld64(DATA + 8), 99);
}

static void test_misaligned_atomics_are_bus_errors(void) {
  fresh();
  PUT(CODE, 0x0053252fu /* amoadd.w a0, t0, (t1) */);
  cpu_set_x(BLOCK, 6, DATA + 2);
  expect_fault(CODE, DATA + 2, SIGBUS, BUS_ADRALN);
}

static void test_x0_stays_zero(void) {
  fresh();
  PUT(CODE, ADDI(0, 0, 5), LD(0, 6, 0), 0x00000037u | 5u << 12, 0x006000efu & ~0xf80u /* jal x0, +6 */, EBREAK);
  guest_st16(CODE + 18, 0x8282 & 0); /* where +6 leads: illegal */
  cpu_set_x(BLOCK, 6, DATA);
  guest_st64(DATA, 123);
  CHECK_EQ(run(), CPU_ILLEGAL);
  CHECK_EQ(cpu_x(BLOCK, 0), 0);
}

static void test_no_memory_for_code_kills(void) {
  fresh();
  fail_allocations = true;
  CHECK_EQ(run(), CPU_FAULT);
  CHECK_EQ(fault.si_signo, SIGKILL);
  CHECK_EQ(cpu_pc(BLOCK), CODE);
  fail_allocations = false;
  CHECK_EQ(run(), CPU_BREAK);
}

int main(void) {
  if (!guest_reserve()) return 2;
  mm_current = &mm;
  test_load_and_store_faults_name_pc_and_address();
  test_permissions_decide_and_crossing_names_the_second_page();
  test_jumps_to_where_nothing_may_be_executed_fault_at_the_target();
  test_an_instruction_over_a_page_end_faults_in_its_second_half();
  test_counts_are_exact_and_budget_and_poll_end_a_loop();
  test_ecall_and_ebreak_leave_pc_there();
  test_fence_i_sees_new_code_in_writable_pages();
  test_invalidation_of_everything_keeps_nothing();
  test_counters_read_and_do_not_write();
  test_reserved_rounding_modes_are_illegal();
  test_sc_needs_its_lr_and_the_reservation_survives_exits();
  test_misaligned_atomics_are_bus_errors();
  test_x0_stays_zero();
  test_no_memory_for_code_kills();
  cpu_code_free(&mm);
  printf("%u failures\n", failures);
  return failures != 0;
}
