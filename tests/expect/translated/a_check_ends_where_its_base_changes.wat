;; ld a1, 0(a0)
;; ld a2, 8(a0)
;; add a0, a0, a2
;; ld a3, 0(a0)
;; ecall

(locals 14 i32, 6 i64, 1 f64)
  block
    block i32
      block i32
        block
          local.get $entry br_table 0
        end
        local.get $block i64.load offset=0x50 align=8 local.set 20
        i32.const 0x0 local.set $entry
        local.get $count i32.const 0x4 i32.sub local.set $count
        i32.const 0x2000004 local.get 20 local.tee 18 i64.const 0x20 i64.shr_u i32.wrap_i64 br_if 0
        drop
        i32.const 0x2000004 local.get 18 i32.wrap_i64 local.tee 6 i32.const 0xc i32.shr_u i32.load8_u local.get 6 i32.const 0xf i32.add i32.const 0xc i32.shr_u i32.load8_u i32.and i32.const 0x1 i32.and i32.eqz br_if 0
        drop
        local.get 6 i64.load offset=0x130000 local.set 21
        local.get 6 i64.load offset=0x130008 local.set 22
        local.get 20 local.get 22 i64.add local.set 20
        i32.const 0x2006001 local.get 20 local.tee 18 i64.const -0xfffffff9 i64.and i64.eqz i32.eqz br_if 1
        drop
        i32.const 0x2006001 local.get 18 i32.wrap_i64 local.tee 7 i32.const 0xc i32.shr_u i32.load8_u i32.const 0x1 i32.and i32.eqz br_if 1
        drop
        local.get 7 i64.load offset=0x130000 local.set 23
        local.get $block local.get 20 i64.store offset=0x50 align=8
        local.get $block local.get 21 i64.store offset=0x58 align=8
        local.get $block local.get 22 i64.store offset=0x60 align=8
        local.get $block local.get 23 i64.store offset=0x68 align=8
        i32.const 0x10010 local.set $pc
        br 2
        unreachable
      end
      local.set $pc
      local.get $count local.get $pc i32.const 0xfff i32.and i32.add i64.extend_i32_u i64.const 0x20 i64.shl local.get $pc i32.const 0xc i32.shr_u i32.const 0x1 i32.shl i32.const 0xc000 i32.add i64.extend_i32_u i64.or return
    end
    local.set $pc
    local.get $block local.get 20 i64.store offset=0x50 align=8
    local.get $block local.get 21 i64.store offset=0x58 align=8
    local.get $block local.get 22 i64.store offset=0x60 align=8
    local.get $count local.get $pc i32.const 0xfff i32.and i32.add i64.extend_i32_u i64.const 0x20 i64.shl local.get $pc i32.const 0xc i32.shr_u i32.const 0x1 i32.shl i32.const 0xc000 i32.add i64.extend_i32_u i64.or return
  end
  local.get $count i64.extend_i32_u i64.const 0x20 i64.shl local.get $pc i64.extend_i32_u i64.or return
end
