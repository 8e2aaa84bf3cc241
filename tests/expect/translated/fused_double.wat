;; fmadd.d fa0, fa1, fa2, fa3
;; fmsub.d fa1, fa0, fa2, fa3
;; fnmsub.d fa2, fa0, fa1, fa3
;; fnmadd.d fa3, fa0, fa1, fa2
;; ecall

(locals 14 i32, 2 i64, 5 f64)
  block
    block i32
      block i32
        local.get $block i32.load offset=0x210 align=4 i32.const 0xe1 i32.and i32.const 0x1 i32.eq local.set $float
        block
          local.get $entry br_table 0
        end
        local.get $block f64.load offset=0x168 align=8 local.set 22
        local.get $block f64.load offset=0x170 align=8 local.set 23
        local.get $block f64.load offset=0x178 align=8 local.set 24
        i32.const 0x0 local.set $entry
        local.get $count i32.const 0x4 i32.sub local.set $count
        i32.const 0x2000004 local.get $float i32.eqz br_if 0
        drop
        local.get 22 local.get 23 local.get 24 call $fma local.set 20
        local.get 20 i64.reinterpret_f64 i64.const 0x1 i64.shl i64.const 0x40000000000000 i64.sub i64.const -0x60000000000000 i64.ge_u
        if
          i32.const 0x2000004 br 1
        end
        local.get 20 local.set 21
        local.get 21 local.get 23 local.get 24 f64.neg call $fma local.set 20
        local.get 20 i64.reinterpret_f64 i64.const 0x1 i64.shl i64.const 0x40000000000000 i64.sub i64.const -0x60000000000000 i64.ge_u
        if
          i32.const 0x2002003 br 2
        end
        local.get 20 local.set 22
        local.get 21 f64.neg local.get 22 local.get 24 call $fma local.set 20
        local.get 20 i64.reinterpret_f64 i64.const 0x1 i64.shl i64.const 0x40000000000000 i64.sub i64.const -0x60000000000000 i64.ge_u
        if
          i32.const 0x2004002 br 2
        end
        local.get 20 local.set 23
        local.get 21 f64.neg local.get 22 local.get 23 f64.neg call $fma local.set 20
        local.get 20 i64.reinterpret_f64 i64.const 0x1 i64.shl i64.const 0x40000000000000 i64.sub i64.const -0x60000000000000 i64.ge_u
        if
          i32.const 0x2006001 br 2
        end
        local.get 20 local.set 24
        local.get $block local.get 21 f64.store offset=0x160 align=8
        local.get $block local.get 22 f64.store offset=0x168 align=8
        local.get $block local.get 23 f64.store offset=0x170 align=8
        local.get $block local.get 24 f64.store offset=0x178 align=8
        local.get $block i32.const 0x1 i32.store offset=0x240 align=4
        i32.const 0x10010 local.set $pc
        br 2
        unreachable
      end
      local.set $pc
      local.get $count local.get $pc i32.const 0xfff i32.and i32.add i64.extend_i32_u i64.const 0x20 i64.shl local.get $pc i32.const 0xc i32.shr_u i32.const 0x1 i32.shl i32.const 0xc000 i32.add i64.extend_i32_u i64.or return
    end
    local.set $pc
    local.get $block local.get 21 f64.store offset=0x160 align=8
    local.get $block local.get 22 f64.store offset=0x168 align=8
    local.get $block local.get 23 f64.store offset=0x170 align=8
    local.get $block i32.const 0x1 i32.store offset=0x240 align=4
    local.get $count local.get $pc i32.const 0xfff i32.and i32.add i64.extend_i32_u i64.const 0x20 i64.shl local.get $pc i32.const 0xc i32.shr_u i32.const 0x1 i32.shl i32.const 0xc000 i32.add i64.extend_i32_u i64.or return
  end
  local.get $count i64.extend_i32_u i64.const 0x20 i64.shl local.get $pc i64.extend_i32_u i64.or return
end
