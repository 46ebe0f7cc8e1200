from __future__ import annotations

import numpy as np
import pytest

from tests.passes.integerise.support import Net, check, stays
from tinyc.ir import Value
from tinyc.ir.ops import Less, Mul, Where


def rectified(n: Net, x: Value, slopes: Value) -> Value:
    """x where it is not negative, else a slope times x."""
    negative = n.b.add(Less(x, n.b.constant(np.float32(0.0))))
    return n.b.add(Where(negative, n.b.add(Mul(slopes, x)), x))


@pytest.mark.parametrize("shape", [(1, 5, 6, 40), (3, 40), (1, 9, 40), (40,)])
@pytest.mark.parametrize(("low", "high"), [(0.0, 0.5), (-1.0, 1.0), (-30.0, 30.0)])
@pytest.mark.parametrize("out", [0.0213, 0.0487, 0.231])
def test_slopes_of_channels(shape: tuple[int, ...], low: float, high: float, out: float) -> None:
    n = Net()
    y = rectified(n, n.input(*shape), n.numbers(40, low=low, high=high))
    check(n.integers(n.qdq(y, out)), {"qprelu": 1})


def test_what_has_no_form_stays() -> None:
    n = Net()
    y = rectified(n, n.input(1, 6, 4), n.numbers(6, 1))
    stays(n.integers(n.qdq(y, 0.04)), "are not one a channel", ["where"])
    n = Net()
    y = rectified(n, n.input(1, 6, 2), n.b.constant(np.array([1.0, np.nan], np.float32)))
    stays(n.integers(n.qdq(y, 0.04)), "a slope is not finite", ["where"])
    n = Net()
    y = rectified(n, n.input(1, 6, 4), n.numbers(4))
    stays(n.integers(n.qdq(y, 0.04), y), "is needed in float as well", ["where"])
