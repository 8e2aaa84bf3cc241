;; lb a1, 0(a0)
;; lbu a2, 0(a1)
;; lh a3, 0(a2)
;; lhu a4, 0(a3)
;; lw a5, 0(a4)
;; lwu a6, 0(a5)
;; ld a7, 0(a6)
;; ecall

(locals 14 i32, 10 i64, 1 f64)
  block
    block i32
      block i32
        block i32
          block i32
            block i32
              block i32
                block i32
                  block
                    local.get $entry br_table 0
                  end
                  local.get $block i64.load offset=0x50 align=8 local.set 20
                  i32.const 0x0 local.set $entry
                  local.get $count i32.const 0x7 i32.sub local.set $count
                  i32.const 0x2000007 local.get 20 local.tee 18 i64.const 0x20 i64.shr_u i32.wrap_i64 br_if 0
                  drop
                  i32.const 0x2000007 local.get 18 i32.wrap_i64 local.tee 6 i32.const 0xc i32.shr_u i32.load8_u i32.const 0x1 i32.and i32.eqz br_if 0
                  drop
                  local.get 6 i64.load8_s offset=0x130000 local.set 21
                  i32.const 0x2002006 local.get 21 local.tee 18 i64.const 0x20 i64.shr_u i32.wrap_i64 br_if 1
                  drop
                  i32.const 0x2002006 local.get 18 i32.wrap_i64 local.tee 7 i32.const 0xc i32.shr_u i32.load8_u i32.const 0x1 i32.and i32.eqz br_if 1
                  drop
                  local.get 7 i64.load8_u offset=0x130000 local.set 22
                  i32.const 0x2004005 local.get 22 local.tee 18 i64.const -0xffffffff i64.and i64.eqz i32.eqz br_if 2
                  drop
                  i32.const 0x2004005 local.get 18 i32.wrap_i64 local.tee 8 i32.const 0xc i32.shr_u i32.load8_u i32.const 0x1 i32.and i32.eqz br_if 2
                  drop
                  local.get 8 i64.load16_s offset=0x130000 local.set 23
                  i32.const 0x2006004 local.get 23 local.tee 18 i64.const -0xffffffff i64.and i64.eqz i32.eqz br_if 3
                  drop
                  i32.const 0x2006004 local.get 18 i32.wrap_i64 local.tee 9 i32.const 0xc i32.shr_u i32.load8_u i32.const 0x1 i32.and i32.eqz br_if 3
                  drop
                  local.get 9 i64.load16_u offset=0x130000 local.set 24
                  i32.const 0x2008003 local.get 24 local.tee 18 i64.const -0xfffffffd i64.and i64.eqz i32.eqz br_if 4
                  drop
                  i32.const 0x2008003 local.get 18 i32.wrap_i64 local.tee 10 i32.const 0xc i32.shr_u i32.load8_u i32.const 0x1 i32.and i32.eqz br_if 4
                  drop
                  local.get 10 i64.load32_s offset=0x130000 local.set 25
                  i32.const 0x200a002 local.get 25 local.tee 18 i64.const -0xfffffffd i64.and i64.eqz i32.eqz br_if 5
                  drop
                  i32.const 0x200a002 local.get 18 i32.wrap_i64 local.tee 11 i32.const 0xc i32.shr_u i32.load8_u i32.const 0x1 i32.and i32.eqz br_if 5
                  drop
                  local.get 11 i64.load32_u offset=0x130000 local.set 26
                  i32.const 0x200c001 local.get 26 local.tee 18 i64.const -0xfffffff9 i64.and i64.eqz i32.eqz br_if 6
                  drop
                  i32.const 0x200c001 local.get 18 i32.wrap_i64 local.tee 12 i32.const 0xc i32.shr_u i32.load8_u i32.const 0x1 i32.and i32.eqz br_if 6
                  drop
                  local.get 12 i64.load offset=0x130000 local.set 27
                  local.get $block local.get 21 i64.store offset=0x58 align=8
                  local.get $block local.get 22 i64.store offset=0x60 align=8
                  local.get $block local.get 23 i64.store offset=0x68 align=8
                  local.get $block local.get 24 i64.store offset=0x70 align=8
                  local.get $block local.get 25 i64.store offset=0x78 align=8
                  local.get $block local.get 26 i64.store offset=0x80 align=8
                  local.get $block local.get 27 i64.store offset=0x88 align=8
                  i32.const 0x1001c local.set $pc
                  br 7
                  unreachable
                end
                local.set $pc
                local.get $count local.get $pc i32.const 0xfff i32.and i32.add i64.extend_i32_u i64.const 0x20 i64.shl local.get $pc i32.const 0xc i32.shr_u i32.const 0x1 i32.shl i32.const 0xc000 i32.add i64.extend_i32_u i64.or return
              end
              local.set $pc
              local.get $block local.get 21 i64.store offset=0x58 align=8
              local.get $count local.get $pc i32.const 0xfff i32.and i32.add i64.extend_i32_u i64.const 0x20 i64.shl local.get $pc i32.const 0xc i32.shr_u i32.const 0x1 i32.shl i32.const 0xc000 i32.add i64.extend_i32_u i64.or return
            end
            local.set $pc
            local.get $block local.get 21 i64.store offset=0x58 align=8
            local.get $block local.get 22 i64.store offset=0x60 align=8
            local.get $count local.get $pc i32.const 0xfff i32.and i32.add i64.extend_i32_u i64.const 0x20 i64.shl local.get $pc i32.const 0xc i32.shr_u i32.const 0x1 i32.shl i32.const 0xc000 i32.add i64.extend_i32_u i64.or return
          end
          local.set $pc
          local.get $block local.get 21 i64.store offset=0x58 align=8
          local.get $block local.get 22 i64.store offset=0x60 align=8
          local.get $block local.get 23 i64.store offset=0x68 align=8
          local.get $count local.get $pc i32.const 0xfff i32.and i32.add i64.extend_i32_u i64.const 0x20 i64.shl local.get $pc i32.const 0xc i32.shr_u i32.const 0x1 i32.shl i32.const 0xc000 i32.add i64.extend_i32_u i64.or return
        end
        local.set $pc
        local.get $block local.get 21 i64.store offset=0x58 align=8
        local.get $block local.get 22 i64.store offset=0x60 align=8
        local.get $block local.get 23 i64.store offset=0x68 align=8
        local.get $block local.get 24 i64.store offset=0x70 align=8
        local.get $count local.get $pc i32.const 0xfff i32.and i32.add i64.extend_i32_u i64.const 0x20 i64.shl local.get $pc i32.const 0xc i32.shr_u i32.const 0x1 i32.shl i32.const 0xc000 i32.add i64.extend_i32_u i64.or return
      end
      local.set $pc
      local.get $block local.get 21 i64.store offset=0x58 align=8
      local.get $block local.get 22 i64.store offset=0x60 align=8
      local.get $block local.get 23 i64.store offset=0x68 align=8
      local.get $block local.get 24 i64.store offset=0x70 align=8
      local.get $block local.get 25 i64.store offset=0x78 align=8
      local.get $count local.get $pc i32.const 0xfff i32.and i32.add i64.extend_i32_u i64.const 0x20 i64.shl local.get $pc i32.const 0xc i32.shr_u i32.const 0x1 i32.shl i32.const 0xc000 i32.add i64.extend_i32_u i64.or return
    end
    local.set $pc
    local.get $block local.get 21 i64.store offset=0x58 align=8
    local.get $block local.get 22 i64.store offset=0x60 align=8
    local.get $block local.get 23 i64.store offset=0x68 align=8
    local.get $block local.get 24 i64.store offset=0x70 align=8
    local.get $block local.get 25 i64.store offset=0x78 align=8
    local.get $block local.get 26 i64.store offset=0x80 align=8
    local.get $count local.get $pc i32.const 0xfff i32.and i32.add i64.extend_i32_u i64.const 0x20 i64.shl local.get $pc i32.const 0xc i32.shr_u i32.const 0x1 i32.shl i32.const 0xc000 i32.add i64.extend_i32_u i64.or return
  end
  local.get $count i64.extend_i32_u i64.const 0x20 i64.shl local.get $pc i64.extend_i32_u i64.or return
end
