;; addi a0, a1, 5
;; xori a1, a0, -1
;; ori a2, a0, 7
;; andi a3, a0, 255
;; slli a4, a0, 40
;; srli a5, a0, 3
;; srai a6, a0, 63
;; slti a7, a0, -2048
;; sltiu t0, a0, 1
;; lui t1, 0x12345
;; auipc t2, 1
;; mv t3, a0
;; li t4, -1
;; ecall

(locals 14 i32, 15 i64, 1 f64)
  block
    block
      local.get $entry br_table 0
    end
    local.get $block i64.load offset=0x58 align=8 local.set 24
    i32.const 0x0 local.set $entry
    local.get $count i32.const 0xd i32.sub local.set $count
    local.get 24 i64.const 0x5 i64.add local.set 23
    local.get 23 i64.const -0x1 i64.xor local.set 24
    local.get 23 i64.const 0x7 i64.or local.set 25
    local.get 23 i64.const 0xff i64.and local.set 26
    local.get 23 i64.const 0x28 i64.shl local.set 27
    local.get 23 i64.const 0x3 i64.shr_u local.set 28
    local.get 23 i64.const 0x3f i64.shr_s local.set 29
    local.get 23 i64.const -0x800 i64.lt_s i64.extend_i32_u local.set 30
    local.get 23 i64.const 0x1 i64.lt_u i64.extend_i32_u local.set 20
    i64.const 0x12345000 local.set 21
    i64.const 0x11028 local.set 22
    local.get 23 local.set 31
    i64.const -0x1 local.set 32
    local.get $block local.get 20 i64.store offset=0x28 align=8
    local.get $block local.get 21 i64.store offset=0x30 align=8
    local.get $block local.get 22 i64.store offset=0x38 align=8
    local.get $block local.get 23 i64.store offset=0x50 align=8
    local.get $block local.get 24 i64.store offset=0x58 align=8
    local.get $block local.get 25 i64.store offset=0x60 align=8
    local.get $block local.get 26 i64.store offset=0x68 align=8
    local.get $block local.get 27 i64.store offset=0x70 align=8
    local.get $block local.get 28 i64.store offset=0x78 align=8
    local.get $block local.get 29 i64.store offset=0x80 align=8
    local.get $block local.get 30 i64.store offset=0x88 align=8
    local.get $block local.get 31 i64.store offset=0xe0 align=8
    local.get $block local.get 32 i64.store offset=0xe8 align=8
    i32.const 0x10034 local.set $pc
    br 0
    unreachable
  end
  local.get $count i64.extend_i32_u i64.const 0x20 i64.shl local.get $pc i64.extend_i32_u i64.or return
end
