;; y = W x + b for T rows x: the loops of linear.js, four numbers at a time. Arguments are byte
;; addresses, float32 arrays at multiples of 16; nOut and nIn are multiples of 4; b = 0: no bias.
(module
  (import "env" "memory" (memory 1))

  (func $sum_of (param $v v128) (result f32)
    (f32.add
      (f32.add (f32x4.extract_lane 0 (local.get $v)) (f32x4.extract_lane 1 (local.get $v)))
      (f32.add (f32x4.extract_lane 2 (local.get $v)) (f32x4.extract_lane 3 (local.get $v)))))

  (func (export "linear")
    (param $x i32) (param $T i32) (param $W i32) (param $b i32)
    (param $nOut i32) (param $nIn i32) (param $y i32)
    (local $o i32) (local $t i32) (local $i i32) (local $end i32) (local $row i32) (local $out i32)
    (local $w0 i32) (local $w1 i32) (local $w2 i32) (local $w3 i32) (local $value v128)
    (local $s0 v128) (local $s1 v128) (local $s2 v128) (local $s3 v128)
    (local.set $row (i32.shl (local.get $nIn) (i32.const 2)))
    (loop $rows_of_W
      (local.set $t (i32.const 0))
      (loop $rows_of_x
        ;; where the four rows of W, the row of x and the four results stand
        (local.set $w0 (i32.add (local.get $W) (i32.mul (local.get $o) (local.get $row))))
        (local.set $w1 (i32.add (local.get $w0) (local.get $row)))
        (local.set $w2 (i32.add (local.get $w1) (local.get $row)))
        (local.set $w3 (i32.add (local.get $w2) (local.get $row)))
        (local.set $i (i32.add (local.get $x) (i32.mul (local.get $t) (local.get $row))))
        (local.set $out (i32.add (local.get $y) (i32.shl
          (i32.add (i32.mul (local.get $t) (local.get $nOut)) (local.get $o)) (i32.const 2))))
        (local.set $end (i32.add (local.get $i) (local.get $row)))
        (local.set $s0 (v128.const f32x4 0 0 0 0))
        (local.set $s1 (v128.const f32x4 0 0 0 0))
        (local.set $s2 (v128.const f32x4 0 0 0 0))
        (local.set $s3 (v128.const f32x4 0 0 0 0))
        (loop $columns
          (local.set $value (v128.load (local.get $i)))
          (local.set $s0 (f32x4.add (local.get $s0) (f32x4.mul (local.get $value) (v128.load (local.get $w0)))))
          (local.set $s1 (f32x4.add (local.get $s1) (f32x4.mul (local.get $value) (v128.load (local.get $w1)))))
          (local.set $s2 (f32x4.add (local.get $s2) (f32x4.mul (local.get $value) (v128.load (local.get $w2)))))
          (local.set $s3 (f32x4.add (local.get $s3) (f32x4.mul (local.get $value) (v128.load (local.get $w3)))))
          (local.set $w0 (i32.add (local.get $w0) (i32.const 16)))
          (local.set $w1 (i32.add (local.get $w1) (i32.const 16)))
          (local.set $w2 (i32.add (local.get $w2) (i32.const 16)))
          (local.set $w3 (i32.add (local.get $w3) (i32.const 16)))
          (local.set $i (i32.add (local.get $i) (i32.const 16)))
          (br_if $columns (i32.lt_u (local.get $i) (local.get $end))))
        (f32.store offset=0 (local.get $out) (call $sum_of (local.get $s0)))
        (f32.store offset=4 (local.get $out) (call $sum_of (local.get $s1)))
        (f32.store offset=8 (local.get $out) (call $sum_of (local.get $s2)))
        (f32.store offset=12 (local.get $out) (call $sum_of (local.get $s3)))
        (if (local.get $b) (then
          (v128.store (local.get $out) (f32x4.add
            (v128.load (local.get $out))
            (v128.load (i32.add (local.get $b) (i32.shl (local.get $o) (i32.const 2))))))))
        (br_if $rows_of_x (i32.lt_u
          (local.tee $t (i32.add (local.get $t) (i32.const 1))) (local.get $T))))
      (br_if $rows_of_W (i32.lt_u
        (local.tee $o (i32.add (local.get $o) (i32.const 4))) (local.get $nOut))))))
