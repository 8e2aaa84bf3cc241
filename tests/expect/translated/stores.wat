;; sb a1, 0(a0)
;; sh a1, 0(a2)
;; sw a1, 0(a3)
;; sd a1, 0(a4)
;; ecall

(locals 14 i32, 7 i64, 1 f64)
  block
    block i32
      block
        local.get $entry br_table 0
      end
      local.get $block i64.load offset=0x50 align=8 local.set 20
      local.get $block i64.load offset=0x58 align=8 local.set 21
      local.get $block i64.load offset=0x60 align=8 local.set 22
      local.get $block i64.load offset=0x68 align=8 local.set 23
      local.get $block i64.load offset=0x70 align=8 local.set 24
      i32.const 0x0 local.set $entry
      local.get $count i32.const 0x4 i32.sub local.set $count
      i32.const 0x2000004 local.get 20 local.tee 18 i64.const 0x20 i64.shr_u i32.wrap_i64 br_if 0
      drop
      i32.const 0x2000004 local.get 18 i32.wrap_i64 local.tee 6 i32.const 0xc i32.shr_u i32.load8_u i32.const 0x2 i32.and i32.eqz br_if 0
      drop
      local.get 6 local.get 21 i64.store8 offset=0x130000
      i32.const 0x2002003 local.get 22 local.tee 18 i64.const -0xffffffff i64.and i64.eqz i32.eqz br_if 0
      drop
      i32.const 0x2002003 local.get 18 i32.wrap_i64 local.tee 7 i32.const 0xc i32.shr_u i32.load8_u i32.const 0x2 i32.and i32.eqz br_if 0
      drop
      local.get 7 local.get 21 i64.store16 offset=0x130000
      i32.const 0x2004002 local.get 23 local.tee 18 i64.const -0xfffffffd i64.and i64.eqz i32.eqz br_if 0
      drop
      i32.const 0x2004002 local.get 18 i32.wrap_i64 local.tee 8 i32.const 0xc i32.shr_u i32.load8_u i32.const 0x2 i32.and i32.eqz br_if 0
      drop
      local.get 8 local.get 21 i64.store32 offset=0x130000
      i32.const 0x2006001 local.get 24 local.tee 18 i64.const -0xfffffff9 i64.and i64.eqz i32.eqz br_if 0
      drop
      i32.const 0x2006001 local.get 18 i32.wrap_i64 local.tee 9 i32.const 0xc i32.shr_u i32.load8_u i32.const 0x2 i32.and i32.eqz br_if 0
      drop
      local.get 9 local.get 21 i64.store offset=0x130000
      i32.const 0x10010 local.set $pc
      br 1
      unreachable
    end
    local.set $pc
    local.get $count local.get $pc i32.const 0xfff i32.and i32.add i64.extend_i32_u i64.const 0x20 i64.shl local.get $pc i32.const 0xc i32.shr_u i32.const 0x1 i32.shl i32.const 0xc000 i32.add i64.extend_i32_u i64.or return
  end
  local.get $count i64.extend_i32_u i64.const 0x20 i64.shl local.get $pc i64.extend_i32_u i64.or return
end
