"""What lies inside of one operator of the model is int16 where 8 bits would be louder than the result's rounding."""

from __future__ import annotations

import numpy as np
import pytest

from tests.passes.quantise.networks import Net
from tinyc.backends.interpreter import run_module
from tinyc.ir import DType, Module, Value
from tinyc.ir.ops import AvgPool2d, MaxPool2d, Mul, Neg, Quantize, Sqrt
from tinyc.passes.integerise import Integerise
from tinyc.passes.quantise import quantise_module
from tinyc.passes.quantise.choose import worst_sqnr
from tinyc.passes.quantise.inner import Inside, operators_inside
from tinyc.passes.quantise.units import find_units

SHAPE = (1, 8, 8, 4)
SAMPLES = [[np.random.default_rng(seed).standard_normal(SHAPE).astype(np.float32)] for seed in range(12)]


def network(names: tuple[str, str, str] = ("pool", "pool", "pool"), seen: bool = False, root: bool = True) -> Module:
    """The root of means of squares between two layers, or the largest negated; each of the three steps has a name."""
    net = Net(*SHAPE)
    x = net.conv(net.x, 8, "first")
    square = net.b.add(Mul(x, x), "square", names[0])
    pool = AvgPool2d if root else MaxPool2d
    mean = net.b.add(pool(square, (2, 2), (2, 2)), "mean", names[1])
    y = net.b.add(Sqrt(mean) if root else Neg(mean), "root", names[2])
    return net.b.build([net.conv(y, 6, "second"), *([mean] if seen else [])])


def wide(module: Module) -> set[str]:
    """The names of the values that are int16."""
    made = quantise_module(module, SAMPLES, run_module).module.made_by(Quantize)
    return {q.result.name for q in made if q.op.to is DType.I16}


def test_squares_before_a_root() -> None:
    module = network()
    assert wide(module) == {"square_q", "mean_q"}


def test_only_inside_of_one_operator() -> None:
    """What the model itself has keeps the type that was asked for."""
    assert wide(network(("mul", "pool", "root"))) == set()
    assert wide(network(("pool", "pool", "root"))) == set()
    assert wide(network(("pool+more", "pool+more", "pool+more"))) == set()
    assert wide(network(seen=True)) == set()


def test_not_what_is_quiet() -> None:
    """Roundings of squares are no louder than that of the result."""
    assert [tuple(v.name for v in i.values) for i in inside(network(root=False))] == [("square", "mean")]
    assert wide(network(root=False)) == set()


def inside(module: Module) -> list[Inside]:
    return list(operators_inside(module, find_units(module)))


def test_what_moves_an_operand_is_not_inside() -> None:
    """It shares the operand's scale, and would raise whoever computes that."""
    net = Net(*SHAPE)
    x: Value = net.conv(net.x, 8, "first")
    pooled = net.b.add(AvgPool2d(x, (2, 2), (2, 2)), "pooled", "op")
    module = net.b.build([net.b.add(Neg(pooled), "y", "op")])
    assert inside(module) == []


@pytest.mark.parametrize("least", [30.0])
def test_it_is_worth_it(least: float) -> None:
    """In integers throughout; with 8 bits in between it is 24 dB."""
    module = network()
    exact = [run_module(module, s) for s in SAMPLES]

    def sqnr(of: Module) -> float:
        integers = Integerise().run(quantise_module(of, SAMPLES, run_module, headroom=False).module)
        assert {n.op.mnemonic for n in integers.nodes}.isdisjoint({"sqrt", "mul", "avg_pool2d"})
        return worst_sqnr(exact, [run_module(integers, s) for s in SAMPLES])

    assert sqnr(module) > least
    assert sqnr(network(("mul", "pool", "root"))) < least
