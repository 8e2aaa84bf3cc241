;; beq a0, a1, 1f
;; addi a2, a2, 1
;; j 2f
;; 1: addi a2, a2, -1
;; 2: bge a2, a3, 3f
;; addi a4, a4, 1
;; 3: bgeu a4, a5, 4f
;; addi a5, a5, 1
;; 4: ecall

(locals 14 i32, 8 i64, 1 f64)
  block
    block
      local.get $entry br_table 0
    end
    local.get $block i64.load offset=0x50 align=8 local.set 20
    local.get $block i64.load offset=0x58 align=8 local.set 21
    local.get $block i64.load offset=0x60 align=8 local.set 22
    local.get $block i64.load offset=0x68 align=8 local.set 23
    local.get $block i64.load offset=0x70 align=8 local.set 24
    local.get $block i64.load offset=0x78 align=8 local.set 25
    i32.const 0x0 local.set $entry
    block
      local.get $count i32.const 0x1 i32.sub local.set $count
      local.get 20 local.get 21 i64.eq
      if
        local.get $count i32.const 0x1 i32.sub local.set $count
        local.get 22 i64.const -0x1 i64.add local.set 22
        br 1
      end
      local.get $count i32.const 0x2 i32.sub local.set $count
      local.get 22 i64.const 0x1 i64.add local.set 22
      br 0
    end
    block
      local.get $count i32.const 0x1 i32.sub local.set $count
      local.get 22 local.get 23 i64.ge_s br_if 0
      local.get $count i32.const 0x1 i32.sub local.set $count
      local.get 24 i64.const 0x1 i64.add local.set 24
      br 0
    end
    block
      local.get $count i32.const 0x1 i32.sub local.set $count
      local.get 24 local.get 25 i64.ge_u br_if 0
      local.get $count i32.const 0x1 i32.sub local.set $count
      local.get 25 i64.const 0x1 i64.add local.set 25
      br 0
    end
    local.get $block local.get 22 i64.store offset=0x60 align=8
    local.get $block local.get 24 i64.store offset=0x70 align=8
    local.get $block local.get 25 i64.store offset=0x78 align=8
    i32.const 0x10020 local.set $pc
    br 0
    unreachable
  end
  local.get $count i64.extend_i32_u i64.const 0x20 i64.shl local.get $pc i64.extend_i32_u i64.or return
end
