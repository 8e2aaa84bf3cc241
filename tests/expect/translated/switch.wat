;; jr a5
;; addi a0, a0, 1
;; ecall
;; addi a0, a0, 2
;; ecall

(locals 14 i32, 4 i64, 1 f64)
  block
    block i32
      block
        local.get $entry
        if
          local.get $block i64.load offset=0x50 align=8 local.set 20
        end
        block
          block
            local.get $entry br_table 0 1
          end
          local.get $block i64.load offset=0x50 align=8 local.set 20
          local.get $block i64.load offset=0x78 align=8 local.set 21
          i32.const 0x0 local.set $entry
          local.get $count i32.const 0x1 i32.sub local.set $count
          i32.const 0x2000001 local.get 21 local.tee 18 i64.const 0x20 i64.shr_u i32.wrap_i64 br_if 2
          drop
          local.get 18 i32.wrap_i64 i32.const -0x2 i32.and local.set $pc
          block
            block
              block
                local.get $pc i32.const 0x10004 i32.sub i32.const 0x1 i32.shr_u br_table 1 2 2 2 0 2
              end
              br 3
            end
            local.get $count i32.const 0x1 i32.sub local.set $count
            local.get 20 i64.const 0x1 i64.add local.set 20
            local.get $block local.get 20 i64.store offset=0x50 align=8
            i32.const 0x10008 local.set $pc
            br 4
          end
          local.get $block local.get $pc i64.extend_i32_u i64.const 0x1000000000000 i64.or i64.store offset=0x230 align=8
          local.get $block i32.const 0x0 i32.store offset=0x238 align=4
          local.get $count i32.const 0x1 i32.lt_s br_if 3
          local.get $pc i32.const 0x2 i32.shl i32.const 0xfff8 i32.and i64.load offset=0x120000 align=8 local.tee 18 i64.const 0x20 i64.shr_u i32.wrap_i64 local.get $pc i32.const 0x2 i32.xor i32.eq i32.eqz br_if 3
          local.get $block local.get $pc i32.store offset=0x23c align=4
          local.get $block local.get 18 i32.wrap_i64 i32.const 0x3ff i32.and local.get $count local.get $depth local.get 18 i32.wrap_i64 i32.const 0xa i32.shr_u return_call_indirect
        end
        i32.const 0x0 local.set $entry
        br 0
      end
      local.get $count i32.const 0x1 i32.sub local.set $count
      local.get 20 i64.const 0x2 i64.add local.set 20
      local.get $block local.get 20 i64.store offset=0x50 align=8
      i32.const 0x10010 local.set $pc
      br 1
      unreachable
    end
    local.set $pc
    local.get $count local.get $pc i32.const 0xfff i32.and i32.add i64.extend_i32_u i64.const 0x20 i64.shl local.get $pc i32.const 0xc i32.shr_u i32.const 0x1 i32.shl i32.const 0xc000 i32.add i64.extend_i32_u i64.or return
  end
  local.get $count i64.extend_i32_u i64.const 0x20 i64.shl local.get $pc i64.extend_i32_u i64.or return
end
