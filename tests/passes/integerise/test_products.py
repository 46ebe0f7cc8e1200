"""Matrix products with a factor, as attention has one."""

from __future__ import annotations

import numpy as np
import pytest

from tests.passes.integerise.support import Net, check, stays
from tinyc.backends.interpreter import run_module
from tinyc.ir import Builder, DType, TensorType
from tinyc.ir.ops import Div, MatMul, Mul, Quantize
from tinyc.passes.quantise import quantise_module


@pytest.mark.parametrize("factor", [0.25, 0.177, 3.0])
@pytest.mark.parametrize("divided", [True, False])
def test_a_factor_is_part_of_the_product(factor: float, divided: bool) -> None:
    n = Net()
    product = n.b.add(MatMul(n.input(2, 6, 16), n.input(2, 16, 5, scale=0.02)))
    number = n.b.constant(np.float32(1 / factor if divided else factor))
    y = n.b.add(Div(product, number) if divided else Mul(number, product))
    check(n.integers(n.qdq(y, 0.11 * factor)), {"qmatmul": 1})


def test_what_is_needed_without_the_factor_stays() -> None:
    n = Net()
    product = n.b.add(MatMul(n.input(6, 16), n.input(16, 5)))
    y = n.b.add(Mul(product, n.b.constant(np.float32(0.25))))
    stays(n.integers(n.qdq(y, 0.01), n.qdq(product, 0.1)), "is needed in float as well", ["mul"])


@pytest.mark.parametrize("shown", [True, False])
def test_quantised_they_are_rounded_once(shown: bool) -> None:
    """Unless somebody wants the product without its factor."""
    b = Builder("m")
    x, y = b.input("x", TensorType((6, 8), DType.F32)), b.input("y", TensorType((8, 6), DType.F32))
    product = b.add(MatMul(x, y))
    module = b.build([b.add(Mul(product, b.constant(np.float32(0.25)))), *([product] if shown else [])])
    rng = np.random.default_rng(0)
    samples = [[rng.normal(0, 1, v.shape).astype(np.float32) for v in module.inputs] for _ in range(4)]
    made = quantise_module(module, samples, run_module).module
    assert sum(isinstance(n.op, Quantize) for n in made.nodes) == 3 + shown
