"""Functions of int16 that no straight lines at equal distances are near, at all 65,536 integers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tests.helpers import count, run
from tests.passes.integerise.support import Net, integerised, stays
from tinyc.ir import DType, Value
from tinyc.ir.ops import Div, Exp, Floor, LeakyRelu, Log, Mul, Pow, Sin, Sqrt
from tinyc.passes.integerise.wide_tables import INT16, MOST_OFF, OFF

I16 = DType.I16
Function = Callable[[Net, Value], Value]

FUNCTIONS: dict[str, tuple[Function, float, float]] = {
    "root": (lambda n, x: n.b.add(Sqrt(x)), 1e-3, 2e-4),
    "logarithm": (lambda n, x: n.b.add(Log(x)), 1e-3, 5e-4),
    "exponential": (lambda n, x: n.b.add(Exp(x)), 3e-4, 6e-4),
    "reciprocal": (lambda n, x: n.b.add(Div(n.b.constant(np.float32(1)), x)), 1e-3, 0.03),
    "power": (lambda n, x: n.b.add(Pow(x, n.b.constant(np.float32(0.3)))), 1e-3, 1e-4),
    "saturates": (lambda n, x: n.b.add(LeakyRelu(x, 0.1)), 1e-3, 3e-4),
    "jumps": (lambda n, x: n.b.add(Floor(x)), 2e-4, 2e-4),
    "jumps, scaled": (lambda n, x: n.b.add(Floor(n.b.add(Mul(x, n.b.constant(np.float32(0.3)))))), 5e-4, 2e-4),
}
"""What they compute, and the scales of operand and result."""


def module(name: str, to: DType) -> tuple[Net, Value]:
    function, own, out = FUNCTIONS[name]
    n = Net()
    y = function(n, n.input(2**16, scale=own, zero=0, dtype=I16))
    return n, n.qdq(y, out if to is I16 else 128 * out, 0, to)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_int16(name: str) -> None:
    """Within a step everywhere, which is what float numbers next to a tie may add."""
    n, y = module(name, I16)
    before = n.integers(y)
    after = integerised(before)
    assert count(after) == {"interpolate_uneven": 1}
    exact, got = (run(m, [INT16])[0].astype(int) for m in (before, after))
    assert np.abs(exact - got).max() <= OFF


@pytest.mark.parametrize("name", ["root", "logarithm", "reciprocal"])
def test_int8(name: str) -> None:
    """In steps of 1/256 of the result's, which are rounded again."""
    n, y = module(name, DType.I8)
    before = n.integers(y)
    after = integerised(before)
    assert "quantize" not in count(after)
    exact, got = (run(m, [INT16])[0].astype(int) for m in (before, after))
    assert np.abs(exact - got).max() <= MOST_OFF
    assert (exact == got).mean() > 0.99


def test_a_square_is_a_product() -> None:
    """Which needs no table, and is rounded once."""
    n = Net()
    x = n.input(64, scale=1e-3, zero=0, dtype=I16)
    after = integerised(n.integers(n.qdq(n.b.add(Mul(x, x)), 2e-5, 0, I16)))
    assert count(after) == {"qmul": 1}


def test_what_bends_everywhere_stays() -> None:
    n = Net()
    y = n.b.add(Sin(n.input(4, scale=0.5, zero=0, dtype=I16)))
    stays(n.integers(n.qdq(y, 1e-4, 0, I16)), "straight lines are not near enough", ["sin"])
