;; mulhu a0, a1, a2
;; mulh a3, a1, a2
;; mulhsu a4, a1, a2
;; ecall

(locals 14 i32, 7 i64, 1 f64)
  block
    block
      local.get $entry br_table 0
    end
    local.get $block i64.load offset=0x58 align=8 local.set 21
    local.get $block i64.load offset=0x60 align=8 local.set 22
    i32.const 0x0 local.set $entry
    local.get $count i32.const 0x3 i32.sub local.set $count
    local.get 21 local.get 22 call $high local.set 20
    local.get 21 local.get 22 call $high local.get 21 i64.const 0x3f i64.shr_s local.get 22 i64.and i64.sub local.get 22 i64.const 0x3f i64.shr_s local.get 21 i64.and i64.sub local.set 23
    local.get 21 local.get 22 call $high local.get 21 i64.const 0x3f i64.shr_s local.get 22 i64.and i64.sub local.set 24
    local.get $block local.get 20 i64.store offset=0x50 align=8
    local.get $block local.get 23 i64.store offset=0x68 align=8
    local.get $block local.get 24 i64.store offset=0x70 align=8
    i32.const 0x1000c local.set $pc
    br 0
    unreachable
  end
  local.get $count i64.extend_i32_u i64.const 0x20 i64.shl local.get $pc i64.extend_i32_u i64.or return
end
