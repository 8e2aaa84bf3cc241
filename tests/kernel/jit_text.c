/* jit_text: the translator without an engine. Reads lines "HEX", the code of a construct; prints the module made for it in
 * hex, or "refused". Usage: jit_text [--drop NUMBER | --ops]
 *   --drop  leaves out the instruction of that number (enum insn_op)
 *   --ops   prints "NUMBER NAME" of all that is translated, and ends
 * Code is at 0x10000, everything there was reached, and the region at CALLEE is known under table index 77. */
#include "cpu_fake_mm.h"

#include "../../tidemark_py/kernel/jit/jit.h"

#define AT 0x10000u
#define CALLEE (AT + 0x800u)
#define MAX_CODE 2048u
char *fgets(char *s, int n, FILE *f);

const struct cpu_translator *cpu_translator;
static u32 dropped = ~0u;
u32 jit_dropped(void) { return dropped; }

/* What policy.c and store.c say. */
u32 jit_seen_targets(struct jit_ctx *c, u32 pc, u32 *targets) {
  (void)c;
  targets[0] = pc + 4, targets[1] = pc + 12; /* a jump by register may go right behind it, or two instructions on */
  return 2;
}
bool jit_wanted(struct jit_ctx *c, u32 pc) { return (void)c, pc < CALLEE; }
bool jit_misaligned(u32 pc) { return (void)pc, false; }
bool jit_reached(struct jit_ctx *c, u32 pc) { return (void)c, (void)pc, true; }
u32 jit_generation(void) { return 2; }
u32 jit_callee(struct jit_ctx *c, u32 pc) { return (void)c, pc == CALLEE ? 77 : 0; }

static u32 hex_digit(char c) { return c <= '9' ? (u32)(c - '0') : (u32)(c - 'a' + 10); }

int main(int argc, char **argv) {
  static struct jit_ctx c;
  static u8 body[BODY_ROOM], out[BODY_ROOM];
  static char line[2 * MAX_CODE + 2];
  if (argc == 2 && strcmp(argv[1], "--ops") == 0) {
    for (u32 op = 1; op < ISA_OPS; op++) {
      struct insn d = {.op = (u16)op, .length = 4, .rm = RM_DYN}, toward_zero = {.op = (u16)op, .length = 4, .rm = 1};
      if (jit_translates(&d) || jit_translates(&toward_zero)) printf("%u %s\n", op, insn_names[op]);
    }
    return 0;
  }
  if (argc == 3) dropped = (u32)strtoul(argv[2], NULL, 10);
  if (!guest_reserve()) return 1;
  c.body = (struct jit_buffer){.at = body, .room = BODY_ROOM}, c.out = (struct jit_buffer){.at = out, .room = BODY_ROOM};
  guest_perm_fill(AT >> PAGE_SHIFT, PERM_R | PERM_X, 1);
  while (fgets(line, sizeof line, stdin)) {
    u32 length = 0;
    for (u32 at = AT; at < AT + MAX_CODE; at += 4) guest_st32(at, 0);
    for (; line[2 * length] > ' '; length++) guest_st8(AT + length, hex_digit(line[2 * length]) << 4 | hex_digit(line[2 * length + 1]));
    if (!jit_region(&c, AT) || !jit_flow(&c) || !jit_build(&c)) {
      printf("refused\n");
      continue;
    }
    for (u32 i = 0; i < c.out.length; i++) printf("%02x", out[i]);
    printf("\n");
  }
  return 0;
}
