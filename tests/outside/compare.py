"""Compiles the operator and both convolutions, and compares them with the interpreter."""

import numpy as np
from outside import PrefixSum

from tests.c.support import STRICT, lowered
from tinyc.backends.c import generate
from tinyc.backends.interpreter import run_program
from tinyc.backends.runners import HostRunner
from tinyc.ir import Builder, DType, TensorType
from tinyc.ir.ops import Conv2d

b = Builder("net")
x = b.input("x", TensorType((1, 5, 4, 1), DType.F32))
doubled = b.add(Conv2d(x, b.constant(np.full((1, 1, 1, 1), 2.0, np.float32))), "doubled")
tripled = b.add(Conv2d(doubled, b.constant(np.full((3, 1, 1, 1), 3.0, np.float32))), "tripled")
flat = b.input("flat", TensorType((3, 7), DType.F32))
outputs = [b.add(PrefixSum(v), name) for v, name in ((tripled, "sums"), (flat, "flat_sums"))]
program = lowered(b.build(outputs))
arrays = [np.random.default_rng(1).normal(size=v.shape).astype(np.float32) for v in (x, flat)]
source = generate(program, name="net")
text = source.files["net.c"]
assert text.count("tinyc_double_each_f32(") == 2, "for one convolution, not for the other"
assert "tinyc_pointwise_f32(" in text
assert text.count("tinyc_prefix_sum_f32(") == 3
for got in HostRunner(source, cc="gcc", flags=STRICT).run([arrays]):
    for have, want in zip(got, run_program(program, arrays), strict=True):
        np.testing.assert_array_equal(have, want)
print("as the interpreter")
