from __future__ import annotations

import numpy as np
import pytest

from tests.passes.integerise.support import Net, check, stays
from tinyc.ir import Value
from tinyc.ir.ops import Add, Div, Mul, QNorm, ReduceMean, Sqrt, Sub

Shape = tuple[int, ...]


def normalised(
    n: Net, x: Value, axes: Shape, epsilon: float = 1e-5, scale: Value | None = None, bias: Value | None = None
) -> Value:
    """(x - mean) / sqrt(variance + epsilon) * scale + bias."""
    centred = n.b.add(Sub(x, n.b.add(ReduceMean(x, axes))))
    return rooted(n, centred, axes, epsilon, scale, bias)


def rooted(
    n: Net, x: Value, axes: Shape, epsilon: float = 1e-5, scale: Value | None = None, bias: Value | None = None
) -> Value:
    """x / sqrt(mean square + epsilon) * scale + bias."""
    variance = n.b.add(ReduceMean(n.b.add(Mul(x, x)), axes))
    y = n.b.add(Div(x, n.b.add(Sqrt(n.b.add(Add(n.b.constant(np.float32(epsilon)), variance))))))
    y = y if scale is None else n.b.add(Mul(scale, y))
    return y if bias is None else n.b.add(Add(y, bias))


@pytest.mark.parametrize(
    ("shape", "axes", "factors"),
    [
        ((1, 16, 64), (2,), (64,)),
        ((2, 5, 6, 40), (2, 3), (1, 1, 6, 40)),
        ((1, 12, 13, 8), (1, 2), (8,)),
        ((1, 9, 5, 31), (2, 3), (9, 1, 1)),
        ((3, 7, 50), (2,), (1,)),
        ((3, 50, 4), (0, 1), ()),
        ((2, 3), (1,), (2, 3)),
    ],
)
@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize("affine", ["", "scale", "bias", "both"])
def test_norms_of_all_kinds(shape: Shape, axes: Shape, factors: Shape, centred: bool, affine: str) -> None:
    """Within a step, as any layer; 16 bits of a reciprocal turn few roundings."""
    n = Net()
    scale = n.numbers(*factors, low=-2.0, high=2.0) if affine in ("scale", "both") else None
    bias = n.numbers(*factors, low=-1.0, high=1.0) if affine in ("bias", "both") else None
    make = normalised if centred else rooted
    y = make(n, n.input(*shape), axes, 1e-5, scale, bias)
    after = check(n.integers(n.qdq(y, 0.04)), {"qnorm": 1}, equal=0.93)
    assert next(after.made_by(QNorm)).op.centred == centred


@pytest.mark.parametrize(("epsilon", "scale"), [(1e-12, 1.0), (1e-3, 0.001), (0.5, 0.01), (100.0, 0.05), (1e-5, 1e-3)])
def test_an_epsilon_of_any_size(epsilon: float, scale: float) -> None:
    n = Net()
    y = normalised(n, n.input(3, 5, 24, scale=scale), (2,), epsilon)
    out = 0.04 if epsilon < 0.5 else 0.04 * min(1.0, scale * 74 / epsilon**0.5)
    check(n.integers(n.qdq(y, out)), {"qnorm": 1}, equal=0.93)


def test_what_has_no_form_stays() -> None:
    n = Net()
    stays(n.integers(n.qdq(normalised(n, n.input(2, 5, 4), (0, 2)), 0.04)), "do not follow each other", ["div"])
    n = Net()
    stays(n.integers(n.qdq(normalised(n, n.input(1, 32769), (1,)), 0.04)), "have no sum in int32", ["div"])
    n = Net()
    y = normalised(n, n.input(1, 6, 4), (1, 2), 1e-5, n.numbers(4))
    stays(n.integers(n.qdq(y, 0.04)), "only some of the dimensions", ["mul"])
    n = Net()
    y = normalised(n, n.input(1, 6, 4, scale=1e-9), (2,), 1.0)
    stays(n.integers(n.qdq(y, 1e-9)), "too large beside the operand's scale", ["div"])
    n = Net()
    y = normalised(n, n.input(1, 6, 4), (2,), 1e-5, n.b.constant(np.full((4,), np.inf, np.float32)))
    stays(n.integers(n.qdq(y, 0.04)), "not finite", ["mul"])


def test_a_norm_that_is_needed_in_float_stays() -> None:
    n = Net()
    y = normalised(n, n.input(1, 6, 4), (2,))
    module = n.integers(n.qdq(y, 0.04), y)
    stays(module, "is needed in float as well", ["div"])
