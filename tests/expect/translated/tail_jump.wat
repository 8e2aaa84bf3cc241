;; addi a0, a0, 1
;; j callee

(locals 14 i32, 3 i64, 1 f64)
  block
    block
      local.get $entry br_table 0
    end
    local.get $block i64.load offset=0x50 align=8 local.set 20
    i32.const 0x0 local.set $entry
    local.get $count i32.const 0x2 i32.sub local.set $count
    local.get 20 i64.const 0x1 i64.add local.set 20
    local.get $block local.get 20 i64.store offset=0x50 align=8
    i32.const 0x10800 local.set $pc
    local.get $count i32.const 0x1 i32.lt_s br_if 0
    local.get $block local.get $pc i32.store offset=0x23c align=4
    local.get $block i32.const 0x0 local.get $count local.get $depth i32.const 0x4d return_call_indirect
    unreachable
  end
  local.get $count i64.extend_i32_u i64.const 0x20 i64.shl local.get $pc i64.extend_i32_u i64.or return
end
