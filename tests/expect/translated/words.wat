;; addw a0, a1, a2
;; subw a1, a0, a2
;; sllw a2, a0, a1
;; srlw a3, a0, a1
;; sraw a4, a0, a1
;; addiw a5, a0, 1
;; slliw a6, a0, 31
;; srliw a7, a0, 1
;; sraiw t0, a0, 2
;; mulw t1, a0, a1
;; sext.w t2, a0
;; ecall

(locals 14 i32, 13 i64, 1 f64)
  block
    block
      local.get $entry br_table 0
    end
    local.get $block i64.load offset=0x58 align=8 local.set 24
    local.get $block i64.load offset=0x60 align=8 local.set 25
    i32.const 0x0 local.set $entry
    local.get $count i32.const 0xb i32.sub local.set $count
    local.get 24 i32.wrap_i64 local.get 25 i32.wrap_i64 i32.add i64.extend_i32_s local.set 23
    local.get 23 i32.wrap_i64 local.get 25 i32.wrap_i64 i32.sub i64.extend_i32_s local.set 24
    local.get 23 i32.wrap_i64 local.get 24 i32.wrap_i64 i32.shl i64.extend_i32_s local.set 25
    local.get 23 i32.wrap_i64 local.get 24 i32.wrap_i64 i32.shr_u i64.extend_i32_s local.set 26
    local.get 23 i32.wrap_i64 local.get 24 i32.wrap_i64 i32.shr_s i64.extend_i32_s local.set 27
    local.get 23 i32.wrap_i64 i32.const 0x1 i32.add i64.extend_i32_s local.set 28
    local.get 23 i32.wrap_i64 i32.const 0x1f i32.shl i64.extend_i32_s local.set 29
    local.get 23 i32.wrap_i64 i32.const 0x1 i32.shr_u i64.extend_i32_s local.set 30
    local.get 23 i32.wrap_i64 i32.const 0x2 i32.shr_s i64.extend_i32_s local.set 20
    local.get 23 i32.wrap_i64 local.get 24 i32.wrap_i64 i32.mul i64.extend_i32_s local.set 21
    local.get 23 i32.wrap_i64 i64.extend_i32_s local.set 22
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
    i32.const 0x1002c local.set $pc
    br 0
    unreachable
  end
  local.get $count i64.extend_i32_u i64.const 0x20 i64.shl local.get $pc i64.extend_i32_u i64.or return
end
