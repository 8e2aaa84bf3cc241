;; mm/guest.wat: the accessors that mm/guest.h declares, for the wasm build. wasm-merge links them to the kernel module and
;; wasm-opt inlines them: a load becomes one instruction on memory 1.
;;
;; Memories: $kernel is the kernel module's own exported memory (module name "kern" on wasm-merge's command line), $guest the
;; guest memory this instance is bound to. Both shared. An import's maximum is an upper bound: a host may make smaller ones.
;; Guest addresses carry HEAD_BYTES (0x130000) as constant offset, so that no guest address reaches the hidden head.
;;
;; The 19 pages of the guest import are the hidden head: a guest memory is made with at least those.
(module
  (import "kern" "memory" (memory $kernel 1 65536 shared))
  (import "guest_memory" "memory" (memory $guest 19 65536 shared))

  (func (export "ld8") (param $a i32) (result i32) (i32.load8_u $guest offset=0x130000 align=1 (local.get $a)))
  (func (export "ld16") (param $a i32) (result i32) (i32.load16_u $guest offset=0x130000 align=1 (local.get $a)))
  (func (export "ld32") (param $a i32) (result i32) (i32.load $guest offset=0x130000 align=1 (local.get $a)))
  (func (export "ld64") (param $a i32) (result i64) (i64.load $guest offset=0x130000 align=1 (local.get $a)))
  (func (export "st8") (param $a i32) (param $v i32) (i32.store8 $guest offset=0x130000 align=1 (local.get $a) (local.get $v)))
  (func (export "st16") (param $a i32) (param $v i32) (i32.store16 $guest offset=0x130000 align=1 (local.get $a) (local.get $v)))
  (func (export "st32") (param $a i32) (param $v i32) (i32.store $guest offset=0x130000 align=1 (local.get $a) (local.get $v)))
  (func (export "st64") (param $a i32) (param $v i64) (i64.store $guest offset=0x130000 align=1 (local.get $a) (local.get $v)))

  ;; the hidden head: permission bytes at 0, register blocks after them
  (func (export "perm") (param $page i32) (result i32) (i32.load8_u $guest (local.get $page)))
  (func (export "perm_set") (param $page i32) (param $bits i32) (i32.store8 $guest (local.get $page) (local.get $bits)))
  (func (export "perm_fill") (param $page i32) (param $bits i32) (param $pages i32)
    (memory.fill $guest (local.get $page) (local.get $bits) (local.get $pages)))
  (func (export "head_ld32") (param $off i32) (result i32) (i32.load $guest (local.get $off)))
  (func (export "head_ld64") (param $off i32) (result i64) (i64.load $guest (local.get $off)))
  (func (export "head_st32") (param $off i32) (param $v i32) (i32.store $guest (local.get $off) (local.get $v)))
  (func (export "head_st64") (param $off i32) (param $v i64) (i64.store $guest (local.get $off) (local.get $v)))
  (func (export "head_copy_in") (param $dst i32) (param $off i32) (param $n i32)
    (memory.copy $kernel $guest (local.get $dst) (local.get $off) (local.get $n)))
  (func (export "head_copy_out") (param $off i32) (param $src i32) (param $n i32)
    (memory.copy $guest $kernel (local.get $off) (local.get $src) (local.get $n)))

  ;; sequentially consistent atomics, naturally aligned
  (func (export "atomic_ld32") (param $a i32) (result i32) (i32.atomic.load $guest offset=0x130000 (local.get $a)))
  (func (export "atomic_ld64") (param $a i32) (result i64) (i64.atomic.load $guest offset=0x130000 (local.get $a)))
  (func (export "cas32") (param $a i32) (param $expected i32) (param $desired i32) (result i32)
    (i32.atomic.rmw.cmpxchg $guest offset=0x130000 (local.get $a) (local.get $expected) (local.get $desired)))
  (func (export "cas64") (param $a i32) (param $expected i64) (param $desired i64) (result i64)
    (i64.atomic.rmw.cmpxchg $guest offset=0x130000 (local.get $a) (local.get $expected) (local.get $desired)))
  (func (export "xchg32") (param $a i32) (param $v i32) (result i32)
    (i32.atomic.rmw.xchg $guest offset=0x130000 (local.get $a) (local.get $v)))
  (func (export "xchg64") (param $a i32) (param $v i64) (result i64)
    (i64.atomic.rmw.xchg $guest offset=0x130000 (local.get $a) (local.get $v)))
  (func (export "add32") (param $a i32) (param $v i32) (result i32)
    (i32.atomic.rmw.add $guest offset=0x130000 (local.get $a) (local.get $v)))
  (func (export "add64") (param $a i32) (param $v i64) (result i64)
    (i64.atomic.rmw.add $guest offset=0x130000 (local.get $a) (local.get $v)))
  (func (export "and32") (param $a i32) (param $v i32) (result i32)
    (i32.atomic.rmw.and $guest offset=0x130000 (local.get $a) (local.get $v)))
  (func (export "and64") (param $a i32) (param $v i64) (result i64)
    (i64.atomic.rmw.and $guest offset=0x130000 (local.get $a) (local.get $v)))
  (func (export "or32") (param $a i32) (param $v i32) (result i32)
    (i32.atomic.rmw.or $guest offset=0x130000 (local.get $a) (local.get $v)))
  (func (export "or64") (param $a i32) (param $v i64) (result i64)
    (i64.atomic.rmw.or $guest offset=0x130000 (local.get $a) (local.get $v)))
  (func (export "xor32") (param $a i32) (param $v i32) (result i32)
    (i32.atomic.rmw.xor $guest offset=0x130000 (local.get $a) (local.get $v)))
  (func (export "xor64") (param $a i32) (param $v i64) (result i64)
    (i64.atomic.rmw.xor $guest offset=0x130000 (local.get $a) (local.get $v)))
  (func (export "fence") (atomic.fence))

  ;; bulk: dst and src are guest addresses where named so, else kernel addresses. memory.copy has no constant offset, so
  ;; HEAD_BYTES is added here: the caller keeps a + n at or below GUEST_MAX_BYTES, hence nothing wraps.
  (func (export "copy_to_kernel") (param $dst i32) (param $a i32) (param $n i32)
    (memory.copy $kernel $guest (local.get $dst) (i32.add (local.get $a) (i32.const 0x130000)) (local.get $n)))
  (func (export "copy_from_kernel") (param $a i32) (param $src i32) (param $n i32)
    (memory.copy $guest $kernel (i32.add (local.get $a) (i32.const 0x130000)) (local.get $src) (local.get $n)))
  (func (export "move") (param $dst i32) (param $src i32) (param $n i32)
    (memory.copy $guest $guest (i32.add (local.get $dst) (i32.const 0x130000)) (i32.add (local.get $src) (i32.const 0x130000)) (local.get $n)))
  (func (export "fill") (param $a i32) (param $byte i32) (param $n i32)
    (memory.fill $guest (i32.add (local.get $a) (i32.const 0x130000)) (local.get $byte) (local.get $n)))

  (func (export "size_pages") (result i32) (memory.size $guest))
  (func (export "grow_pages") (param $delta i32) (result i32) (memory.grow $guest (local.get $delta)))
)
