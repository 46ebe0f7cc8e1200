from __future__ import annotations

import pytest

from tests.passes.integerise.support import Net, check
from tinyc.ir.ops import Div


@pytest.mark.parametrize(
    ("x", "y", "spread"),
    [((2, 30, 40), (2, 30, 40), 0), ((30, 40), (1, 40), 0), ((1, 30, 40), (1, 30, 1), 1), ((1, 40), (30, 40), 1)],
)
@pytest.mark.parametrize("out", [0.01, 0.3, 5.0])
@pytest.mark.parametrize("zero", [-128, -3, 127])
def test_quotients(x: tuple[int, ...], y: tuple[int, ...], spread: int, out: float, zero: int) -> None:
    """By 0 as well, which is among the numbers: of infinite numbers and of none, quantize makes what integers give."""
    n = Net()
    module = n.integers(n.op(Div(n.input(*x), n.input(*y, scale=0.07, zero=zero)), out))
    check(module, {"qdiv": 1, **({"broadcast": 1} if spread else {})}, equal=0.99)
