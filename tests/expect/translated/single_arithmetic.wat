;; fadd.s fa0, fa1, fa2
;; fsub.s fa1, fa0, fa2
;; fmul.s fa2, fa0, fa1
;; fdiv.s fa3, fa0, fa1
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
        i32.const 0x0 local.set $entry
        local.get $count i32.const 0x4 i32.sub local.set $count
        i32.const 0x2000004 local.get $float i32.eqz br_if 0
        drop
        i32.const 0x2000004 local.get 22 i64.reinterpret_f64 i64.const 0x20 i64.shr_s i64.const -0x1 i64.ne br_if 0
        drop
        i32.const 0x2000004 local.get 23 i64.reinterpret_f64 i64.const 0x20 i64.shr_s i64.const -0x1 i64.ne br_if 0
        drop
        local.get 22 i64.reinterpret_f64 i32.wrap_i64 f32.reinterpret_i32 local.get 23 i64.reinterpret_f64 i32.wrap_i64 f32.reinterpret_i32 f32.add i32.reinterpret_f32 i64.extend_i32_u i64.const -0x100000000 i64.or f64.reinterpret_i64 local.set 20
        i32.const 0x2000004 local.get 20 i64.reinterpret_f64 i32.wrap_i64 i32.const 0x17 i32.shr_u i32.const 0xff i32.and i32.const 0x2 i32.sub i32.const 0xfd i32.ge_u br_if 0
        drop
        local.get 20 local.set 21
        i32.const 0x2002003 local.get 21 i64.reinterpret_f64 i64.const 0x20 i64.shr_s i64.const -0x1 i64.ne br_if 1
        drop
        i32.const 0x2002003 local.get 23 i64.reinterpret_f64 i64.const 0x20 i64.shr_s i64.const -0x1 i64.ne br_if 1
        drop
        local.get 21 i64.reinterpret_f64 i32.wrap_i64 f32.reinterpret_i32 local.get 23 i64.reinterpret_f64 i32.wrap_i64 f32.reinterpret_i32 f32.sub i32.reinterpret_f32 i64.extend_i32_u i64.const -0x100000000 i64.or f64.reinterpret_i64 local.set 20
        i32.const 0x2002003 local.get 20 i64.reinterpret_f64 i32.wrap_i64 i32.const 0x17 i32.shr_u i32.const 0xff i32.and i32.const 0x2 i32.sub i32.const 0xfd i32.ge_u br_if 1
        drop
        local.get 20 local.set 22
        i32.const 0x2004002 local.get 21 i64.reinterpret_f64 i64.const 0x20 i64.shr_s i64.const -0x1 i64.ne br_if 1
        drop
        i32.const 0x2004002 local.get 22 i64.reinterpret_f64 i64.const 0x20 i64.shr_s i64.const -0x1 i64.ne br_if 1
        drop
        local.get 21 i64.reinterpret_f64 i32.wrap_i64 f32.reinterpret_i32 local.get 22 i64.reinterpret_f64 i32.wrap_i64 f32.reinterpret_i32 f32.mul i32.reinterpret_f32 i64.extend_i32_u i64.const -0x100000000 i64.or f64.reinterpret_i64 local.set 20
        i32.const 0x2004002 local.get 20 i64.reinterpret_f64 i32.wrap_i64 i32.const 0x17 i32.shr_u i32.const 0xff i32.and i32.const 0x2 i32.sub i32.const 0xfd i32.ge_u br_if 1
        drop
        local.get 20 local.set 23
        i32.const 0x2006001 local.get 21 i64.reinterpret_f64 i64.const 0x20 i64.shr_s i64.const -0x1 i64.ne br_if 1
        drop
        i32.const 0x2006001 local.get 22 i64.reinterpret_f64 i64.const 0x20 i64.shr_s i64.const -0x1 i64.ne br_if 1
        drop
        local.get 21 i64.reinterpret_f64 i32.wrap_i64 f32.reinterpret_i32 local.get 22 i64.reinterpret_f64 i32.wrap_i64 f32.reinterpret_i32 f32.div i32.reinterpret_f32 i64.extend_i32_u i64.const -0x100000000 i64.or f64.reinterpret_i64 local.set 20
        i32.const 0x2006001 local.get 20 i64.reinterpret_f64 i32.wrap_i64 i32.const 0x17 i32.shr_u i32.const 0xff i32.and i32.const 0x2 i32.sub i32.const 0xfd i32.ge_u br_if 1
        drop
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
