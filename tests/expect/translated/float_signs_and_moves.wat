;; fsgnj.d fa0, fa1, fa2
;; fsgnjn.d fa1, fa0, fa2
;; fsgnjx.d fa2, fa0, fa1
;; fmv.d fa3, fa0
;; fsgnj.s fa4, fa0, fa1
;; fsgnjn.s fa5, fa0, fa1
;; fsgnjx.s fa6, fa0, fa1
;; fmv.x.d a0, fa0
;; fmv.d.x fa7, a0
;; fmv.x.w a1, fa0
;; fmv.w.x ft0, a1
;; ecall

(locals 14 i32, 4 i64, 10 f64)
  block
    block i32
      block i32
        block i32
          block
            local.get $entry br_table 0
          end
          local.get $block f64.load offset=0x168 align=8 local.set 25
          local.get $block f64.load offset=0x170 align=8 local.set 26
          i32.const 0x0 local.set $entry
          local.get $count i32.const 0xb i32.sub local.set $count
          local.get 25 local.get 26 f64.copysign local.set 24
          local.get 24 local.get 26 f64.neg f64.copysign local.set 25
          local.get 24 i64.reinterpret_f64 local.get 25 i64.reinterpret_f64 i64.const -0x8000000000000000 i64.and i64.xor f64.reinterpret_i64 local.set 26
          local.get 24 local.set 27
          i32.const 0x2008007 local.get 24 i64.reinterpret_f64 i64.const 0x20 i64.shr_s i64.const -0x1 i64.ne br_if 0
          drop
          i32.const 0x2008007 local.get 25 i64.reinterpret_f64 i64.const 0x20 i64.shr_s i64.const -0x1 i64.ne br_if 0
          drop
          local.get 24 i64.reinterpret_f64 i64.const -0x80000001 i64.and local.get 25 i64.reinterpret_f64 i64.const 0x80000000 i64.and i64.or f64.reinterpret_i64 local.set 28
          i32.const 0x200a006 local.get 24 i64.reinterpret_f64 i64.const 0x20 i64.shr_s i64.const -0x1 i64.ne br_if 1
          drop
          i32.const 0x200a006 local.get 25 i64.reinterpret_f64 i64.const 0x20 i64.shr_s i64.const -0x1 i64.ne br_if 1
          drop
          local.get 24 i64.reinterpret_f64 i64.const -0x80000001 i64.and local.get 25 i64.reinterpret_f64 i64.const -0x1 i64.xor i64.const 0x80000000 i64.and i64.or f64.reinterpret_i64 local.set 29
          i32.const 0x200c005 local.get 24 i64.reinterpret_f64 i64.const 0x20 i64.shr_s i64.const -0x1 i64.ne br_if 2
          drop
          i32.const 0x200c005 local.get 25 i64.reinterpret_f64 i64.const 0x20 i64.shr_s i64.const -0x1 i64.ne br_if 2
          drop
          local.get 24 i64.reinterpret_f64 local.get 25 i64.reinterpret_f64 i64.const 0x80000000 i64.and i64.xor f64.reinterpret_i64 local.set 30
          local.get 24 i64.reinterpret_f64 local.set 20
          local.get 20 f64.reinterpret_i64 local.set 31
          local.get 24 i64.reinterpret_f64 i64.extend32_s local.set 21
          local.get 21 i64.const -0x100000000 i64.or f64.reinterpret_i64 local.set 23
          local.get $block local.get 20 i64.store offset=0x50 align=8
          local.get $block local.get 21 i64.store offset=0x58 align=8
          local.get $block local.get 23 f64.store offset=0x110 align=8
          local.get $block local.get 24 f64.store offset=0x160 align=8
          local.get $block local.get 25 f64.store offset=0x168 align=8
          local.get $block local.get 26 f64.store offset=0x170 align=8
          local.get $block local.get 27 f64.store offset=0x178 align=8
          local.get $block local.get 28 f64.store offset=0x180 align=8
          local.get $block local.get 29 f64.store offset=0x188 align=8
          local.get $block local.get 30 f64.store offset=0x190 align=8
          local.get $block local.get 31 f64.store offset=0x198 align=8
          local.get $block i32.const 0x1 i32.store offset=0x240 align=4
          i32.const 0x1002c local.set $pc
          br 3
          unreachable
        end
        local.set $pc
        local.get $block local.get 24 f64.store offset=0x160 align=8
        local.get $block local.get 25 f64.store offset=0x168 align=8
        local.get $block local.get 26 f64.store offset=0x170 align=8
        local.get $block local.get 27 f64.store offset=0x178 align=8
        local.get $block i32.const 0x1 i32.store offset=0x240 align=4
        local.get $count local.get $pc i32.const 0xfff i32.and i32.add i64.extend_i32_u i64.const 0x20 i64.shl local.get $pc i32.const 0xc i32.shr_u i32.const 0x1 i32.shl i32.const 0xc000 i32.add i64.extend_i32_u i64.or return
      end
      local.set $pc
      local.get $block local.get 24 f64.store offset=0x160 align=8
      local.get $block local.get 25 f64.store offset=0x168 align=8
      local.get $block local.get 26 f64.store offset=0x170 align=8
      local.get $block local.get 27 f64.store offset=0x178 align=8
      local.get $block local.get 28 f64.store offset=0x180 align=8
      local.get $block i32.const 0x1 i32.store offset=0x240 align=4
      local.get $count local.get $pc i32.const 0xfff i32.and i32.add i64.extend_i32_u i64.const 0x20 i64.shl local.get $pc i32.const 0xc i32.shr_u i32.const 0x1 i32.shl i32.const 0xc000 i32.add i64.extend_i32_u i64.or return
    end
    local.set $pc
    local.get $block local.get 24 f64.store offset=0x160 align=8
    local.get $block local.get 25 f64.store offset=0x168 align=8
    local.get $block local.get 26 f64.store offset=0x170 align=8
    local.get $block local.get 27 f64.store offset=0x178 align=8
    local.get $block local.get 28 f64.store offset=0x180 align=8
    local.get $block local.get 29 f64.store offset=0x188 align=8
    local.get $block i32.const 0x1 i32.store offset=0x240 align=4
    local.get $count local.get $pc i32.const 0xfff i32.and i32.add i64.extend_i32_u i64.const 0x20 i64.shl local.get $pc i32.const 0xc i32.shr_u i32.const 0x1 i32.shl i32.const 0xc000 i32.add i64.extend_i32_u i64.or return
  end
  local.get $count i64.extend_i32_u i64.const 0x20 i64.shl local.get $pc i64.extend_i32_u i64.or return
end
