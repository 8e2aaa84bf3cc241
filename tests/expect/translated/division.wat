;; div a0, a1, a2
;; divu a3, a1, a2
;; rem a4, a1, a2
;; remu a5, a1, a2
;; divw a6, a1, a2
;; divuw a7, a1, a2
;; remw t0, a1, a2
;; remuw t1, a1, a2
;; ecall

(locals 14 i32, 12 i64, 1 f64)
  block
    block
      local.get $entry br_table 0
    end
    local.get $block i64.load offset=0x58 align=8 local.set 23
    local.get $block i64.load offset=0x60 align=8 local.set 24
    i32.const 0x0 local.set $entry
    local.get $count i32.const 0x8 i32.sub local.set $count
    local.get 24 i64.eqz
    if i64
      i64.const -0x1
    else
      local.get 24 i64.const -0x1 i64.eq
      if i64
        i64.const 0x0 local.get 23 i64.sub
      else
        local.get 23 local.get 24 i64.div_s
      end
    end
    local.set 22
    local.get 24 i64.eqz
    if i64
      i64.const -0x1
    else
      local.get 23 local.get 24 i64.div_u
    end
    local.set 25
    local.get 24 i64.eqz
    if i64
      local.get 23
    else
      local.get 24 i64.const -0x1 i64.eq
      if i64
        i64.const 0x0
      else
        local.get 23 local.get 24 i64.rem_s
      end
    end
    local.set 26
    local.get 24 i64.eqz
    if i64
      local.get 23
    else
      local.get 23 local.get 24 i64.rem_u
    end
    local.set 27
    local.get 24 i32.wrap_i64 i32.eqz
    if i32
      i32.const -0x1
    else
      local.get 24 i32.wrap_i64 i32.const -0x1 i32.eq
      if i32
        i32.const 0x0 local.get 23 i32.wrap_i64 i32.sub
      else
        local.get 23 i32.wrap_i64 local.get 24 i32.wrap_i64 i32.div_s
      end
    end
    i64.extend_i32_s local.set 28
    local.get 24 i32.wrap_i64 i32.eqz
    if i32
      i32.const -0x1
    else
      local.get 23 i32.wrap_i64 local.get 24 i32.wrap_i64 i32.div_u
    end
    i64.extend_i32_s local.set 29
    local.get 24 i32.wrap_i64 i32.eqz
    if i32
      local.get 23 i32.wrap_i64
    else
      local.get 24 i32.wrap_i64 i32.const -0x1 i32.eq
      if i32
        i32.const 0x0
      else
        local.get 23 i32.wrap_i64 local.get 24 i32.wrap_i64 i32.rem_s
      end
    end
    i64.extend_i32_s local.set 20
    local.get 24 i32.wrap_i64 i32.eqz
    if i32
      local.get 23 i32.wrap_i64
    else
      local.get 23 i32.wrap_i64 local.get 24 i32.wrap_i64 i32.rem_u
    end
    i64.extend_i32_s local.set 21
    local.get $block local.get 20 i64.store offset=0x28 align=8
    local.get $block local.get 21 i64.store offset=0x30 align=8
    local.get $block local.get 22 i64.store offset=0x50 align=8
    local.get $block local.get 25 i64.store offset=0x68 align=8
    local.get $block local.get 26 i64.store offset=0x70 align=8
    local.get $block local.get 27 i64.store offset=0x78 align=8
    local.get $block local.get 28 i64.store offset=0x80 align=8
    local.get $block local.get 29 i64.store offset=0x88 align=8
    i32.const 0x10020 local.set $pc
    br 0
    unreachable
  end
  local.get $count i64.extend_i32_u i64.const 0x20 i64.shl local.get $pc i64.extend_i32_u i64.or return
end
