;; feq.d a0, fa0, fa1
;; flt.d a1, fa0, fa1
;; fle.d a2, fa0, fa1
;; feq.s a3, fa0, fa1
;; flt.s a4, fa0, fa1
;; fle.s a5, fa0, fa1
;; ecall

(locals 14 i32, 8 i64, 3 f64)
  block
    block i32
      block i32
        block i32
          block i32
            block i32
              block i32
                block
                  local.get $entry br_table 0
                end
                local.get $block f64.load offset=0x160 align=8 local.set 27
                local.get $block f64.load offset=0x168 align=8 local.set 28
                i32.const 0x0 local.set $entry
                local.get $count i32.const 0x6 i32.sub local.set $count
                i32.const 0x2000006 local.get 27 local.get 27 f64.eq local.get 28 local.get 28 f64.eq i32.and i32.eqz br_if 0
                drop
                local.get 27 local.get 28 f64.eq i64.extend_i32_u local.set 20
                i32.const 0x2002005 local.get 27 local.get 27 f64.eq local.get 28 local.get 28 f64.eq i32.and i32.eqz br_if 1
                drop
                local.get 27 local.get 28 f64.lt i64.extend_i32_u local.set 21
                i32.const 0x2004004 local.get 27 local.get 27 f64.eq local.get 28 local.get 28 f64.eq i32.and i32.eqz br_if 2
                drop
                local.get 27 local.get 28 f64.le i64.extend_i32_u local.set 22
                i32.const 0x2006003 local.get 27 i64.reinterpret_f64 i64.const 0x20 i64.shr_s i64.const -0x1 i64.ne br_if 3
                drop
                i32.const 0x2006003 local.get 28 i64.reinterpret_f64 i64.const 0x20 i64.shr_s i64.const -0x1 i64.ne br_if 3
                drop
                i32.const 0x2006003 local.get 27 i64.reinterpret_f64 i32.wrap_i64 f32.reinterpret_i32 local.get 27 i64.reinterpret_f64 i32.wrap_i64 f32.reinterpret_i32 f32.eq local.get 28 i64.reinterpret_f64 i32.wrap_i64 f32.reinterpret_i32 local.get 28 i64.reinterpret_f64 i32.wrap_i64 f32.reinterpret_i32 f32.eq i32.and i32.eqz br_if 3
                drop
                local.get 27 i64.reinterpret_f64 i32.wrap_i64 f32.reinterpret_i32 local.get 28 i64.reinterpret_f64 i32.wrap_i64 f32.reinterpret_i32 f32.eq i64.extend_i32_u local.set 23
                i32.const 0x2008002 local.get 27 i64.reinterpret_f64 i64.const 0x20 i64.shr_s i64.const -0x1 i64.ne br_if 4
                drop
                i32.const 0x2008002 local.get 28 i64.reinterpret_f64 i64.const 0x20 i64.shr_s i64.const -0x1 i64.ne br_if 4
                drop
                i32.const 0x2008002 local.get 27 i64.reinterpret_f64 i32.wrap_i64 f32.reinterpret_i32 local.get 27 i64.reinterpret_f64 i32.wrap_i64 f32.reinterpret_i32 f32.eq local.get 28 i64.reinterpret_f64 i32.wrap_i64 f32.reinterpret_i32 local.get 28 i64.reinterpret_f64 i32.wrap_i64 f32.reinterpret_i32 f32.eq i32.and i32.eqz br_if 4
                drop
                local.get 27 i64.reinterpret_f64 i32.wrap_i64 f32.reinterpret_i32 local.get 28 i64.reinterpret_f64 i32.wrap_i64 f32.reinterpret_i32 f32.lt i64.extend_i32_u local.set 24
                i32.const 0x200a001 local.get 27 i64.reinterpret_f64 i64.const 0x20 i64.shr_s i64.const -0x1 i64.ne br_if 5
                drop
                i32.const 0x200a001 local.get 28 i64.reinterpret_f64 i64.const 0x20 i64.shr_s i64.const -0x1 i64.ne br_if 5
                drop
                i32.const 0x200a001 local.get 27 i64.reinterpret_f64 i32.wrap_i64 f32.reinterpret_i32 local.get 27 i64.reinterpret_f64 i32.wrap_i64 f32.reinterpret_i32 f32.eq local.get 28 i64.reinterpret_f64 i32.wrap_i64 f32.reinterpret_i32 local.get 28 i64.reinterpret_f64 i32.wrap_i64 f32.reinterpret_i32 f32.eq i32.and i32.eqz br_if 5
                drop
                local.get 27 i64.reinterpret_f64 i32.wrap_i64 f32.reinterpret_i32 local.get 28 i64.reinterpret_f64 i32.wrap_i64 f32.reinterpret_i32 f32.le i64.extend_i32_u local.set 25
                local.get $block local.get 20 i64.store offset=0x50 align=8
                local.get $block local.get 21 i64.store offset=0x58 align=8
                local.get $block local.get 22 i64.store offset=0x60 align=8
                local.get $block local.get 23 i64.store offset=0x68 align=8
                local.get $block local.get 24 i64.store offset=0x70 align=8
                local.get $block local.get 25 i64.store offset=0x78 align=8
                i32.const 0x10018 local.set $pc
                br 6
                unreachable
              end
              local.set $pc
              local.get $count local.get $pc i32.const 0xfff i32.and i32.add i64.extend_i32_u i64.const 0x20 i64.shl local.get $pc i32.const 0xc i32.shr_u i32.const 0x1 i32.shl i32.const 0xc000 i32.add i64.extend_i32_u i64.or return
            end
            local.set $pc
            local.get $block local.get 20 i64.store offset=0x50 align=8
            local.get $count local.get $pc i32.const 0xfff i32.and i32.add i64.extend_i32_u i64.const 0x20 i64.shl local.get $pc i32.const 0xc i32.shr_u i32.const 0x1 i32.shl i32.const 0xc000 i32.add i64.extend_i32_u i64.or return
          end
          local.set $pc
          local.get $block local.get 20 i64.store offset=0x50 align=8
          local.get $block local.get 21 i64.store offset=0x58 align=8
          local.get $count local.get $pc i32.const 0xfff i32.and i32.add i64.extend_i32_u i64.const 0x20 i64.shl local.get $pc i32.const 0xc i32.shr_u i32.const 0x1 i32.shl i32.const 0xc000 i32.add i64.extend_i32_u i64.or return
        end
        local.set $pc
        local.get $block local.get 20 i64.store offset=0x50 align=8
        local.get $block local.get 21 i64.store offset=0x58 align=8
        local.get $block local.get 22 i64.store offset=0x60 align=8
        local.get $count local.get $pc i32.const 0xfff i32.and i32.add i64.extend_i32_u i64.const 0x20 i64.shl local.get $pc i32.const 0xc i32.shr_u i32.const 0x1 i32.shl i32.const 0xc000 i32.add i64.extend_i32_u i64.or return
      end
      local.set $pc
      local.get $block local.get 20 i64.store offset=0x50 align=8
      local.get $block local.get 21 i64.store offset=0x58 align=8
      local.get $block local.get 22 i64.store offset=0x60 align=8
      local.get $block local.get 23 i64.store offset=0x68 align=8
      local.get $count local.get $pc i32.const 0xfff i32.and i32.add i64.extend_i32_u i64.const 0x20 i64.shl local.get $pc i32.const 0xc i32.shr_u i32.const 0x1 i32.shl i32.const 0xc000 i32.add i64.extend_i32_u i64.or return
    end
    local.set $pc
    local.get $block local.get 20 i64.store offset=0x50 align=8
    local.get $block local.get 21 i64.store offset=0x58 align=8
    local.get $block local.get 22 i64.store offset=0x60 align=8
    local.get $block local.get 23 i64.store offset=0x68 align=8
    local.get $block local.get 24 i64.store offset=0x70 align=8
    local.get $count local.get $pc i32.const 0xfff i32.and i32.add i64.extend_i32_u i64.const 0x20 i64.shl local.get $pc i32.const 0xc i32.shr_u i32.const 0x1 i32.shl i32.const 0xc000 i32.add i64.extend_i32_u i64.or return
  end
  local.get $count i64.extend_i32_u i64.const 0x20 i64.shl local.get $pc i64.extend_i32_u i64.or return
end
