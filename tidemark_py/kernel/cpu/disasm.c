/* cpu/disasm: text of one instruction, for diagnostics only. Standard register names; no pseudo-instructions. */
#include "cpu.h"
#include "isa.h"

static const char *const x_names[32] = {"zero", "ra", "sp", "gp", "tp",  "t0",  "t1", "t2", "s0", "s1", "a0",
                                        "a1",   "a2", "a3", "a4", "a5",  "a6",  "a7", "s2", "s3", "s4", "s5",
                                        "s6",   "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6"};
static const char *const f_names[32] = {"ft0", "ft1", "ft2", "ft3", "ft4", "ft5", "ft6",  "ft7",  "fs0", "fs1", "fa0",
                                        "fa1", "fa2", "fa3", "fa4", "fa5", "fa6", "fa7",  "fs2",  "fs3", "fs4", "fs5",
                                        "fs6", "fs7", "fs8", "fs9", "fs10", "fs11", "ft8", "ft9", "ft10", "ft11"};
static const char *const rm_names[8] = {"", ",rtz", ",rdn", ",rup", ",rmm", ",?", ",?", ",dyn"};
static const char *const order_names[4] = {"", ".rl", ".aq", ".aqrl"};

static const char *csr_name(u32 csr) {
  switch (csr) {
  case CSR_FFLAGS: return "fflags";
  case CSR_FRM: return "frm";
  case CSR_FCSR: return "fcsr";
  case CSR_CYCLE: return "cycle";
  case CSR_TIME: return "time";
  }
  return "instret";
}

const char *cpu_register_name(u32 x) { return x_names[x & 31]; }

u32 cpu_disassemble(u64 pc, u32 bits, char *out, u32 out_bytes) {
  struct insn d = insn_decode(bits);
  const char *op = insn_names[d.op], *rd = x_names[d.rd], *rs1 = x_names[d.rs1], *rs2 = x_names[d.rs2];
  const char *fd = f_names[d.rd], *f1 = f_names[d.rs1], *f2 = f_names[d.rs2], *f3 = f_names[d.rs3], *rm = rm_names[d.rm & 7];
  unsigned long long target = pc + (u64)(i64)d.imm;
  if (d.op == OP_ILLEGAL) {
    ksnprintf(out, out_bytes, "illegal 0x%x", d.length == 2 ? bits & 0xffff : bits);
    return d.length;
  }
  switch (insn_formats[d.op]) {
  case F_U: ksnprintf(out, out_bytes, "%s %s,0x%x", op, rd, (u32)d.imm >> 12); break;
  case F_J: ksnprintf(out, out_bytes, "%s %s,0x%llx", op, rd, target); break;
  case F_I: ksnprintf(out, out_bytes, "%s %s,%s,%d", op, rd, rs1, d.imm); break;
  case F_LOAD: ksnprintf(out, out_bytes, "%s %s,%d(%s)", op, rd, d.imm, rs1); break;
  case F_STORE: ksnprintf(out, out_bytes, "%s %s,%d(%s)", op, rs2, d.imm, rs1); break;
  case F_B: ksnprintf(out, out_bytes, "%s %s,%s,0x%llx", op, rs1, rs2, target); break;
  case F_R: ksnprintf(out, out_bytes, "%s %s,%s,%s", op, rd, rs1, rs2); break;
  case F_LR: ksnprintf(out, out_bytes, "%s%s %s,(%s)", op, order_names[d.rm & 3], rd, rs1); break;
  case F_AMO: ksnprintf(out, out_bytes, "%s%s %s,%s,(%s)", op, order_names[d.rm & 3], rd, rs2, rs1); break;
  case F_CSR: ksnprintf(out, out_bytes, "%s %s,%s,%s", op, rd, csr_name((u32)d.imm), rs1); break;
  case F_CSRI: ksnprintf(out, out_bytes, "%s %s,%s,%u", op, rd, csr_name((u32)d.imm), d.rs1); break;
  case F_FLOAD: ksnprintf(out, out_bytes, "%s %s,%d(%s)", op, fd, d.imm, rs1); break;
  case F_FSTORE: ksnprintf(out, out_bytes, "%s %s,%d(%s)", op, f2, d.imm, rs1); break;
  case F_F4: ksnprintf(out, out_bytes, "%s %s,%s,%s,%s%s", op, fd, f1, f2, f3, rm); break;
  case F_F3RM: ksnprintf(out, out_bytes, "%s %s,%s,%s%s", op, fd, f1, f2, rm); break;
  case F_F3: ksnprintf(out, out_bytes, "%s %s,%s,%s", op, fd, f1, f2); break;
  case F_F2RM: ksnprintf(out, out_bytes, "%s %s,%s%s", op, fd, f1, rm); break;
  case F_CMP: ksnprintf(out, out_bytes, "%s %s,%s,%s", op, rd, f1, f2); break;
  case F_XF: ksnprintf(out, out_bytes, "%s %s,%s", op, rd, f1); break;
  case F_XFRM: ksnprintf(out, out_bytes, "%s %s,%s%s", op, rd, f1, rm); break;
  case F_FX: ksnprintf(out, out_bytes, "%s %s,%s", op, fd, rs1); break;
  case F_FXRM: ksnprintf(out, out_bytes, "%s %s,%s%s", op, fd, rs1, rm); break;
  default: ksnprintf(out, out_bytes, "%s", op); break;
  }
  return d.length;
}
