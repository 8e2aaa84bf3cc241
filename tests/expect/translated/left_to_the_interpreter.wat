;; addi a0, a0, 1
;; amoadd.w a1, a0, (a2)
;; addi a1, a1, 1
;; fence rw, rw
;; ecall

(locals 14 i32, 4 i64, 1 f64)
  block
    local.get $entry
    if
      local.get $block i64.load offset=0x58 align=8 local.set 21
    end
    block
      block
        local.get $entry br_table 0 1
      end
      local.get $block i64.load offset=0x50 align=8 local.set 20
      i32.const 0x0 local.set $entry
      local.get $count i32.const 0x1 i32.sub local.set $count
      local.get 20 i64.const 0x1 i64.add local.set 20
      local.get $block local.get 20 i64.store offset=0x50 align=8
      i32.const 0x10004 local.set $pc
      br 1
    end
    i32.const 0x0 local.set $entry
    local.get $count i32.const 0x2 i32.sub local.set $count
    local.get 21 i64.const 0x1 i64.add local.set 21
    atomic.fence
    local.get $block local.get 21 i64.store offset=0x58 align=8
    i32.const 0x10010 local.set $pc
    br 0
    unreachable
  end
  local.get $count i64.extend_i32_u i64.const 0x20 i64.shl local.get $pc i64.extend_i32_u i64.or return
end
