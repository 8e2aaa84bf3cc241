;; flw fa0, 0(a0)
;; fld fa1, 8(a0)
;; fsw fa0, 16(a0)
;; fsd fa1, 24(a0)
;; ecall

(locals 14 i32, 3 i64, 3 f64)
  block
    block i32
      block
        local.get $entry br_table 0
      end
      local.get $block i64.load offset=0x50 align=8 local.set 20
      i32.const 0x0 local.set $entry
      local.get $count i32.const 0x4 i32.sub local.set $count
      i32.const 0x2000004 local.get 20 local.tee 18 i64.const 0x20 i64.shr_u i32.wrap_i64 br_if 0
      drop
      i32.const 0x2000004 local.get 18 i32.wrap_i64 local.tee 6 i32.const 0xc i32.shr_u i32.load8_u local.get 6 i32.const 0x1f i32.add i32.const 0xc i32.shr_u i32.load8_u i32.and i32.const 0x3 i32.and i32.const 0x3 i32.ne br_if 0
      drop
      local.get 6 i64.load32_u offset=0x130000 i64.const -0x100000000 i64.or f64.reinterpret_i64 local.set 22
      local.get 6 f64.load offset=0x130008 local.set 23
      local.get 6 local.get 22 i64.reinterpret_f64 i64.store32 offset=0x130010
      local.get 6 local.get 23 f64.store offset=0x130018
      local.get $block local.get 22 f64.store offset=0x160 align=8
      local.get $block local.get 23 f64.store offset=0x168 align=8
      local.get $block i32.const 0x1 i32.store offset=0x240 align=4
      i32.const 0x10010 local.set $pc
      br 1
      unreachable
    end
    local.set $pc
    local.get $count local.get $pc i32.const 0xfff i32.and i32.add i64.extend_i32_u i64.const 0x20 i64.shl local.get $pc i32.const 0xc i32.shr_u i32.const 0x1 i32.shl i32.const 0xc000 i32.add i64.extend_i32_u i64.or return
  end
  local.get $count i64.extend_i32_u i64.const 0x20 i64.shl local.get $pc i64.extend_i32_u i64.or return
end
