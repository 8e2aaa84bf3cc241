;; j 2f
;; 1: addi a0, a0, 1
;; 2: addi a1, a1, 1
;; bne a0, a1, 1b
;; ecall

(locals 14 i32, 4 i64, 1 f64)
  block
    block i32
      block
        local.get $entry
        if
          local.get $block i64.load offset=0x50 align=8 local.set 20
          local.get $block i64.load offset=0x58 align=8 local.set 21
        end
        block
          block
            local.get $entry br_table 0 1
          end
          local.get $block i64.load offset=0x50 align=8 local.set 20
          local.get $block i64.load offset=0x58 align=8 local.set 21
          i32.const 0x0 local.set $entry
          local.get $count i32.const 0x1 i32.sub local.set $count
          br 1
        end
        i32.const 0x0 local.set $entry
        br 0
      end
      loop
        i32.const 0x2004000 local.get $count i32.const 0x1 i32.lt_s br_if 1
        drop
        local.get $count i32.const 0x2 i32.sub local.set $count
        local.get 21 i64.const 0x1 i64.add local.set 21
        local.get 20 local.get 21 i64.ne
        if
          local.get $count i32.const 0x1 i32.sub local.set $count
          local.get 20 i64.const 0x1 i64.add local.set 20
          br 1
        end
        local.get $block local.get 20 i64.store offset=0x50 align=8
        local.get $block local.get 21 i64.store offset=0x58 align=8
        i32.const 0x10010 local.set $pc
        br 2
      end
      unreachable
    end
    local.set $pc
    local.get $block local.get 20 i64.store offset=0x50 align=8
    local.get $block local.get 21 i64.store offset=0x58 align=8
    local.get $count local.get $pc i32.const 0xfff i32.and i32.add i64.extend_i32_u i64.const 0x20 i64.shl local.get $pc i32.const 0xc i32.shr_u i32.const 0x1 i32.shl i32.const 0xc000 i32.add i64.extend_i32_u i64.or return
  end
  local.get $count i64.extend_i32_u i64.const 0x20 i64.shl local.get $pc i64.extend_i32_u i64.or return
end
