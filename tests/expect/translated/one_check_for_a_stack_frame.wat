;; addi sp, sp, -64
;; sd ra, 56(sp)
;; sd s0, 48(sp)
;; ld a5, 8(sp)
;; sd s1, 40(sp)
;; ecall

(locals 14 i32, 7 i64, 1 f64)
  block
    block i32
      block
        local.get $entry br_table 0
      end
      local.get $block i64.load offset=0x8 align=8 local.set 20
      local.get $block i64.load offset=0x10 align=8 local.set 21
      local.get $block i64.load offset=0x40 align=8 local.set 22
      local.get $block i64.load offset=0x48 align=8 local.set 23
      i32.const 0x0 local.set $entry
      local.get $count i32.const 0x5 i32.sub local.set $count
      local.get 21 i64.const -0x40 i64.add local.set 21
      i32.const 0x2002004 local.get 21 i64.const 0x8 i64.add local.tee 18 i64.const 0x20 i64.shr_u i32.wrap_i64 br_if 0
      drop
      i32.const 0x2002004 local.get 18 i32.wrap_i64 local.tee 6 i32.const 0xc i32.shr_u i32.load8_u local.get 6 i32.const 0x37 i32.add i32.const 0xc i32.shr_u i32.load8_u i32.and i32.const 0x3 i32.and i32.const 0x3 i32.ne br_if 0
      drop
      local.get 6 local.get 20 i64.store offset=0x130030
      local.get 6 local.get 22 i64.store offset=0x130028
      local.get 6 i64.load offset=0x130000 local.set 24
      local.get 6 local.get 23 i64.store offset=0x130020
      local.get $block local.get 21 i64.store offset=0x10 align=8
      local.get $block local.get 24 i64.store offset=0x78 align=8
      i32.const 0x10014 local.set $pc
      br 1
      unreachable
    end
    local.set $pc
    local.get $block local.get 21 i64.store offset=0x10 align=8
    local.get $count local.get $pc i32.const 0xfff i32.and i32.add i64.extend_i32_u i64.const 0x20 i64.shl local.get $pc i32.const 0xc i32.shr_u i32.const 0x1 i32.shl i32.const 0xc000 i32.add i64.extend_i32_u i64.or return
  end
  local.get $count i64.extend_i32_u i64.const 0x20 i64.shl local.get $pc i64.extend_i32_u i64.or return
end
