;; addi sp, sp, -16
;; sd ra, 8(sp)
;; jal ra, callee
;; ld ra, 8(sp)
;; addi sp, sp, 16
;; ret

(locals 14 i32, 4 i64, 1 f64)
  block
    block i32
      block
        block i32
          block
            local.get $entry
            if
              local.get $block i64.load offset=0x10 align=8 local.set 21
            end
            block
              block
                local.get $entry br_table 0 1
              end
              local.get $block i64.load offset=0x8 align=8 local.set 20
              local.get $block i64.load offset=0x10 align=8 local.set 21
              i32.const 0x0 local.set $entry
              local.get $count i32.const 0x3 i32.sub local.set $count
              local.get 21 i64.const -0x10 i64.add local.set 21
              i32.const 0x2002002 local.get 21 i64.const 0x8 i64.add local.tee 18 i64.const -0xfffffff9 i64.and i64.eqz i32.eqz br_if 2
              drop
              i32.const 0x2002002 local.get 18 i32.wrap_i64 local.tee 6 i32.const 0xc i32.shr_u i32.load8_u i32.const 0x2 i32.and i32.eqz br_if 2
              drop
              local.get 6 local.get 20 i64.store offset=0x130000
              i64.const 0x1000c local.set 20
              i32.const 0x2400000 local.get $count i32.const 0x1 i32.lt_s local.get $depth i32.const 0x12c i32.ge_s i32.or br_if 2
              drop
              local.get $block local.get 20 i64.store offset=0x8 align=8
              local.get $block local.get 21 i64.store offset=0x10 align=8
              local.get $block i32.const 0x10800 i32.store offset=0x23c align=4
              local.get $block i32.const 0x0 local.get $count local.get $depth i32.const 0x1 i32.add i32.const 0x4d call_indirect local.tee 19 i32.wrap_i64 i32.const 0x1000c i32.ne
              if
                local.get $block local.get 19 i32.wrap_i64 local.get 19 i64.const 0x20 i64.shr_u i32.wrap_i64 local.get $depth i32.const 0x1 i32.add i32.const 0x1000c call $chase local.tee 19 i32.wrap_i64 i32.const 0x1000c i32.ne br_if 4
              end
              local.get 19 i64.const 0x20 i64.shr_u i32.wrap_i64 local.set $count
              local.get $block i64.load offset=0x10 align=8 local.set 21
              br 1
            end
            i32.const 0x0 local.set $entry
            br 0
          end
          local.get $count i32.const 0x3 i32.sub local.set $count
          i32.const 0x2006003 local.get 21 i64.const 0x8 i64.add local.tee 18 i64.const -0xfffffff9 i64.and i64.eqz i32.eqz br_if 2
          drop
          i32.const 0x2006003 local.get 18 i32.wrap_i64 local.tee 7 i32.const 0xc i32.shr_u i32.load8_u i32.const 0x1 i32.and i32.eqz br_if 2
          drop
          local.get 7 i64.load offset=0x130000 local.set 20
          local.get 21 i64.const 0x10 i64.add local.set 21
          i32.const 0x200a001 local.get 20 local.tee 18 i64.const 0x20 i64.shr_u i32.wrap_i64 br_if 0
          drop
          local.get 18 i32.wrap_i64 i32.const -0x2 i32.and local.set $pc
          local.get $block local.get 20 i64.store offset=0x8 align=8
          local.get $block local.get 21 i64.store offset=0x10 align=8
          br 3
          unreachable
        end
        local.set $pc
        local.get $block local.get 20 i64.store offset=0x8 align=8
        local.get $block local.get 21 i64.store offset=0x10 align=8
        local.get $count local.get $pc i32.const 0xfff i32.and i32.add i64.extend_i32_u i64.const 0x20 i64.shl local.get $pc i32.const 0xc i32.shr_u i32.const 0x1 i32.shl i32.const 0xc000 i32.add i64.extend_i32_u i64.or return
      end
      local.get 19 return
    end
    local.set $pc
    local.get $count local.get $pc i32.const 0xfff i32.and i32.add i64.extend_i32_u i64.const 0x20 i64.shl local.get $pc i32.const 0xc i32.shr_u i32.const 0x1 i32.shl i32.const 0xc000 i32.add i64.extend_i32_u i64.or return
  end
  local.get $count i64.extend_i32_u i64.const 0x20 i64.shl local.get $pc i64.extend_i32_u i64.or return
end
