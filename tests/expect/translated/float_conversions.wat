;; fcvt.d.w fa0, a0
;; fcvt.d.wu fa1, a0
;; fcvt.d.l fa2, a0
;; fcvt.d.lu fa3, a0
;; fcvt.w.d a1, fa0, rtz
;; fcvt.wu.d a2, fa0, rtz
;; fcvt.l.d a3, fa0, rtz
;; fcvt.lu.d a4, fa0, rtz
;; fcvt.s.d fa4, fa0
;; fcvt.d.s fa5, fa4
;; ecall

(locals 14 i32, 7 i64, 7 f64)
  block
    block i32
      block i32
        block i32
          block i32
            block i32
              block i32
                block i32
                  local.get $block i32.load offset=0x210 align=4 i32.const 0xe1 i32.and i32.const 0x1 i32.eq local.set $float
                  block
                    local.get $entry br_table 0
                  end
                  local.get $block i64.load offset=0x50 align=8 local.set 20
                  i32.const 0x0 local.set $entry
                  local.get $count i32.const 0xa i32.sub local.set $count
                  local.get 20 i32.wrap_i64 f64.convert_i32_s local.set 26
                  local.get 20 i32.wrap_i64 f64.convert_i32_u local.set 27
                  i32.const 0x2004008 local.get $float i32.eqz br_if 0
                  drop
                  local.get 20 f64.convert_i64_s local.set 28
                  local.get 20 f64.convert_i64_u local.set 29
                  i32.const 0x2008006 local.get 26 f64.const 0xc1e0000000200000 f64.gt local.get 26 f64.const 0x41e0000000000000 f64.lt i32.and i32.eqz br_if 1
                  drop
                  local.get 26 i32.trunc_sat_f64_s i64.extend_i32_s local.set 21
                  i32.const 0x200a005 local.get 26 f64.const 0xbff0000000000000 f64.gt local.get 26 f64.const 0x41f0000000000000 f64.lt i32.and i32.eqz br_if 2
                  drop
                  local.get 26 i32.trunc_sat_f64_u i64.extend_i32_s local.set 22
                  i32.const 0x200c004 local.get 26 f64.const 0xc3e0000000000000 f64.ge local.get 26 f64.const 0x43e0000000000000 f64.lt i32.and i32.eqz br_if 3
                  drop
                  local.get 26 i64.trunc_sat_f64_s local.set 23
                  i32.const 0x200e003 local.get 26 f64.const 0xbff0000000000000 f64.gt local.get 26 f64.const 0x43f0000000000000 f64.lt i32.and i32.eqz br_if 4
                  drop
                  local.get 26 i64.trunc_sat_f64_u local.set 24
                  local.get 26 f32.demote_f64 i32.reinterpret_f32 i64.extend_i32_u i64.const -0x100000000 i64.or f64.reinterpret_i64 local.set 25
                  i32.const 0x2010002 local.get 25 i64.reinterpret_f64 i32.wrap_i64 i32.const 0x17 i32.shr_u i32.const 0xff i32.and i32.const 0x2 i32.sub i32.const 0xfd i32.ge_u br_if 5
                  drop
                  local.get 25 local.set 30
                  i32.const 0x2012001 local.get 30 i64.reinterpret_f64 i64.const 0x20 i64.shr_s i64.const -0x1 i64.ne br_if 6
                  drop
                  i32.const 0x2012001 local.get 30 i64.reinterpret_f64 i32.wrap_i64 f32.reinterpret_i32 local.get 30 i64.reinterpret_f64 i32.wrap_i64 f32.reinterpret_i32 f32.ne br_if 6
                  drop
                  local.get 30 i64.reinterpret_f64 i32.wrap_i64 f32.reinterpret_i32 f64.promote_f32 local.set 31
                  local.get $block local.get 21 i64.store offset=0x58 align=8
                  local.get $block local.get 22 i64.store offset=0x60 align=8
                  local.get $block local.get 23 i64.store offset=0x68 align=8
                  local.get $block local.get 24 i64.store offset=0x70 align=8
                  local.get $block local.get 26 f64.store offset=0x160 align=8
                  local.get $block local.get 27 f64.store offset=0x168 align=8
                  local.get $block local.get 28 f64.store offset=0x170 align=8
                  local.get $block local.get 29 f64.store offset=0x178 align=8
                  local.get $block local.get 30 f64.store offset=0x180 align=8
                  local.get $block local.get 31 f64.store offset=0x188 align=8
                  local.get $block i32.const 0x1 i32.store offset=0x240 align=4
                  i32.const 0x10028 local.set $pc
                  br 7
                  unreachable
                end
                local.set $pc
                local.get $block local.get 26 f64.store offset=0x160 align=8
                local.get $block local.get 27 f64.store offset=0x168 align=8
                local.get $block i32.const 0x1 i32.store offset=0x240 align=4
                local.get $count local.get $pc i32.const 0xfff i32.and i32.add i64.extend_i32_u i64.const 0x20 i64.shl local.get $pc i32.const 0xc i32.shr_u i32.const 0x1 i32.shl i32.const 0xc000 i32.add i64.extend_i32_u i64.or return
              end
              local.set $pc
              local.get $block local.get 26 f64.store offset=0x160 align=8
              local.get $block local.get 27 f64.store offset=0x168 align=8
              local.get $block local.get 28 f64.store offset=0x170 align=8
              local.get $block local.get 29 f64.store offset=0x178 align=8
              local.get $block i32.const 0x1 i32.store offset=0x240 align=4
              local.get $count local.get $pc i32.const 0xfff i32.and i32.add i64.extend_i32_u i64.const 0x20 i64.shl local.get $pc i32.const 0xc i32.shr_u i32.const 0x1 i32.shl i32.const 0xc000 i32.add i64.extend_i32_u i64.or return
            end
            local.set $pc
            local.get $block local.get 21 i64.store offset=0x58 align=8
            local.get $block local.get 26 f64.store offset=0x160 align=8
            local.get $block local.get 27 f64.store offset=0x168 align=8
            local.get $block local.get 28 f64.store offset=0x170 align=8
            local.get $block local.get 29 f64.store offset=0x178 align=8
            local.get $block i32.const 0x1 i32.store offset=0x240 align=4
            local.get $count local.get $pc i32.const 0xfff i32.and i32.add i64.extend_i32_u i64.const 0x20 i64.shl local.get $pc i32.const 0xc i32.shr_u i32.const 0x1 i32.shl i32.const 0xc000 i32.add i64.extend_i32_u i64.or return
          end
          local.set $pc
          local.get $block local.get 21 i64.store offset=0x58 align=8
          local.get $block local.get 22 i64.store offset=0x60 align=8
          local.get $block local.get 26 f64.store offset=0x160 align=8
          local.get $block local.get 27 f64.store offset=0x168 align=8
          local.get $block local.get 28 f64.store offset=0x170 align=8
          local.get $block local.get 29 f64.store offset=0x178 align=8
          local.get $block i32.const 0x1 i32.store offset=0x240 align=4
          local.get $count local.get $pc i32.const 0xfff i32.and i32.add i64.extend_i32_u i64.const 0x20 i64.shl local.get $pc i32.const 0xc i32.shr_u i32.const 0x1 i32.shl i32.const 0xc000 i32.add i64.extend_i32_u i64.or return
        end
        local.set $pc
        local.get $block local.get 21 i64.store offset=0x58 align=8
        local.get $block local.get 22 i64.store offset=0x60 align=8
        local.get $block local.get 23 i64.store offset=0x68 align=8
        local.get $block local.get 26 f64.store offset=0x160 align=8
        local.get $block local.get 27 f64.store offset=0x168 align=8
        local.get $block local.get 28 f64.store offset=0x170 align=8
        local.get $block local.get 29 f64.store offset=0x178 align=8
        local.get $block i32.const 0x1 i32.store offset=0x240 align=4
        local.get $count local.get $pc i32.const 0xfff i32.and i32.add i64.extend_i32_u i64.const 0x20 i64.shl local.get $pc i32.const 0xc i32.shr_u i32.const 0x1 i32.shl i32.const 0xc000 i32.add i64.extend_i32_u i64.or return
      end
      local.set $pc
      local.get $block local.get 21 i64.store offset=0x58 align=8
      local.get $block local.get 22 i64.store offset=0x60 align=8
      local.get $block local.get 23 i64.store offset=0x68 align=8
      local.get $block local.get 24 i64.store offset=0x70 align=8
      local.get $block local.get 26 f64.store offset=0x160 align=8
      local.get $block local.get 27 f64.store offset=0x168 align=8
      local.get $block local.get 28 f64.store offset=0x170 align=8
      local.get $block local.get 29 f64.store offset=0x178 align=8
      local.get $block i32.const 0x1 i32.store offset=0x240 align=4
      local.get $count local.get $pc i32.const 0xfff i32.and i32.add i64.extend_i32_u i64.const 0x20 i64.shl local.get $pc i32.const 0xc i32.shr_u i32.const 0x1 i32.shl i32.const 0xc000 i32.add i64.extend_i32_u i64.or return
    end
    local.set $pc
    local.get $block local.get 21 i64.store offset=0x58 align=8
    local.get $block local.get 22 i64.store offset=0x60 align=8
    local.get $block local.get 23 i64.store offset=0x68 align=8
    local.get $block local.get 24 i64.store offset=0x70 align=8
    local.get $block local.get 26 f64.store offset=0x160 align=8
    local.get $block local.get 27 f64.store offset=0x168 align=8
    local.get $block local.get 28 f64.store offset=0x170 align=8
    local.get $block local.get 29 f64.store offset=0x178 align=8
    local.get $block local.get 30 f64.store offset=0x180 align=8
    local.get $block i32.const 0x1 i32.store offset=0x240 align=4
    local.get $count local.get $pc i32.const 0xfff i32.and i32.add i64.extend_i32_u i64.const 0x20 i64.shl local.get $pc i32.const 0xc i32.shr_u i32.const 0x1 i32.shl i32.const 0xc000 i32.add i64.extend_i32_u i64.or return
  end
  local.get $count i64.extend_i32_u i64.const 0x20 i64.shl local.get $pc i64.extend_i32_u i64.or return
end
