from __future__ import annotations

import numpy as np
import pytest

from tests.helpers import count, run
from tests.passes.integerise.support import Net, check, compare, integerised, stays
from tinyc.ir import DType, Value
from tinyc.ir.ops import (
    Add,
    Broadcast,
    Clamp,
    Div,
    Maximum,
    Mul,
    QNorm,
    ReduceMean,
    ReduceSum,
    Reshape,
    Sqrt,
    Sub,
)

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


@pytest.mark.parametrize(
    ("shape", "axes", "factors"),
    [((2, 5, 4), (0, 2), (5, 1)), ((1, 6, 5, 2, 7), (1, 2, 4), (2, 7)), ((1, 6, 5, 2, 7), (1, 2, 4), (2, 1))],
)
def test_dimensions_that_do_not_follow_each_other_are_brought_together(
    shape: Shape, axes: Shape, factors: Shape
) -> None:
    """As those of groups of channels, channels last."""
    n = Net()
    y = normalised(n, n.input(*shape), axes, 1e-5, n.numbers(*factors, low=-2.0, high=2.0), n.numbers(*factors))
    check(n.integers(n.qdq(y, 0.04)), {"transpose": 2, "qnorm": 1}, equal=0.93)


def test_factors_may_begin_again_within_a_group() -> None:
    n = Net()
    y = normalised(n, n.input(2, 6, 5, 4), (1, 2, 3), 1e-5, n.numbers(5, 4, low=-2.0, high=2.0), n.numbers(4))
    after = check(n.integers(n.qdq(y, 0.04)), {"qnorm": 1}, equal=0.93)
    assert next(after.made_by(QNorm)).op.period() == 20


@pytest.mark.parametrize("centred", [True, False])
def test_reshapes_of_means_and_deviations(centred: bool) -> None:
    """As layouts leave them."""
    n = Net()
    x = n.input(1, 6, 5, 8)
    mean = n.b.add(ReduceMean(x, (1, 2)))
    d = n.b.add(Sub(x, n.b.add(Reshape(n.b.add(Reshape(mean, (8, 1, 1))), mean.shape)))) if centred else x
    variance = n.b.add(Reshape(n.b.add(ReduceMean(n.b.add(Mul(d, d)), (1, 2))), (1, 8, 1, 1)))
    root = n.b.add(Sqrt(n.b.add(Add(variance, n.b.constant(np.float32(1e-5))))))
    y = n.b.add(Div(d, n.b.add(Reshape(root, (1, 1, 1, 8)))))
    after = check(n.integers(n.qdq(y, 0.04)), {"qnorm": 1}, equal=0.93)
    assert next(after.made_by(QNorm)).op.centred == centred


def of_moments(n: Net, x: Value, axes: Shape, epsilon: float, outside: bool) -> Value:
    """The variance is the mean of squares less the square of the mean."""
    mean, e = n.b.add(ReduceMean(x, axes)), n.b.constant(np.float32(epsilon))
    squares = n.b.add(ReduceMean(n.b.add(Mul(x, x)), axes))
    variance = n.b.add(Sub(squares, n.b.add(Mul(mean, mean))))
    root = n.b.add(Sqrt(variance if outside else n.b.add(Add(variance, e))))
    return n.b.add(Div(n.b.add(Sub(x, mean)), n.b.add(Add(root, e)) if outside else root))


@pytest.mark.parametrize("outside", [True, False])
def test_a_variance_of_moments(outside: bool) -> None:
    """As ONNX defines MeanVarianceNormalization, with epsilon behind the root."""
    n = Net()
    check(n.integers(n.qdq(of_moments(n, n.input(3, 5, 24), (2,), 1e-9, outside), 0.04)), {"qnorm": 1}, equal=0.93)


@pytest.mark.parametrize("limit", ["", "clamp", "maximum"])
@pytest.mark.parametrize("spread", [True, False])
@pytest.mark.parametrize("scale", [True, False])
def test_numbers_over_their_length(limit: str, spread: bool, scale: bool) -> None:
    """As L2 normalisation is exported; of zeros it makes zeros."""
    n = Net()
    x = n.input(3, 5, 24, zero=0)
    length = n.b.add(Sqrt(n.b.add(ReduceSum(n.b.add(Mul(x, x)), (2,)))))
    if limit == "clamp":
        length = n.b.add(Clamp(length, min=1e-12))
    elif limit == "maximum":
        length = n.b.add(Maximum(length, n.b.constant(np.float32(1e-12))))
    y = n.b.add(Div(x, n.b.add(Broadcast(length, x.shape)) if spread else length))
    y = n.b.add(Mul(n.numbers(24, low=-2.0, high=2.0), y)) if scale else y
    module = n.integers(n.qdq(y, 0.008, 0))
    after = check(module, {"qnorm": 1}, equal=0.93)
    zeros = np.zeros((3, 5, 24), np.int8)
    assert limit == "" or not run(after, [zeros])[0].any()


def test_what_has_no_form_stays() -> None:
    n = Net()
    stays(n.integers(n.qdq(normalised(n, n.input(1, 32769), (1,)), 0.04)), "have no sum in int32", ["div"])
    n = Net()
    y = normalised(n, n.input(1, 6, 4), (1, 2), 1e-5, n.numbers(6, 1))
    stays(n.integers(n.qdq(y, 0.04)), "only some of the dimensions", ["mul"])
    n = Net()
    y = normalised(n, n.input(1, 6, 4, scale=1e-9), (2,), 1.0)
    stays(n.integers(n.qdq(y, 1e-9)), "too large beside the operand's scale", ["div"])
    n = Net()
    y = normalised(n, n.input(1, 6, 4), (2,), 1e-5, n.b.constant(np.full((4,), np.inf, np.float32)))
    stays(n.integers(n.qdq(y, 0.04)), "not finite", ["mul"])
    n = Net()
    x = n.input(3, 24)
    length = n.b.add(Clamp(n.b.add(Sqrt(n.b.add(ReduceSum(n.b.add(Mul(x, x)), (1,))))), min=0.5))
    stays(n.integers(n.qdq(n.b.add(Div(x, length)), 0.04)), "is at least 0.5, and may be 0.05", ["div"])
    n = Net()
    y = of_moments(n, n.input(3, 24), (1,), 1e-3, True)
    stays(n.integers(n.qdq(y, 0.04)), "is added to the root, and not small", ["div"])


def test_a_norm_that_is_needed_in_float_stays() -> None:
    n = Net()
    y = normalised(n, n.input(1, 6, 4), (2,))
    module = n.integers(n.qdq(y, 0.04), y)
    stays(module, "is needed in float as well", ["div"])


@pytest.mark.parametrize(("own", "to"), [(DType.I16, DType.I16), (DType.I8, DType.I16), (DType.I16, DType.I8)])
@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize(("shape", "axes"), [((3, 7, 50), (2,)), ((1, 9, 5, 8), (1, 2)), ((2, 5, 4), (0, 2))])
def test_norms_of_16_bits(own: DType, to: DType, centred: bool, shape: Shape, axes: Shape) -> None:
    """Some int16 steps are off by one: half a unit of a factor, of 15 bits, is half a step of the largest results."""
    n = Net()
    factors = [shape[d] if d in axes[-1:] else 1 for d in range(len(shape))]
    scale, bias = n.numbers(*factors, low=-2.0, high=2.0), n.numbers(*factors)
    make = normalised if centred else rooted
    x = n.input(*shape, scale=2e-4 if own is DType.I16 else 0.05, zero=3, dtype=own)
    y = n.qdq(make(n, x, axes, 1e-5, scale, bias), 3e-4 if to is DType.I16 else 0.04, 7, to)
    before = n.integers(y)
    after = integerised(before)
    assert count(after)["qnorm"] == 1
    assert "quantize" not in count(after)
    distance = np.array(compare(before, after))
    assert distance.max() <= 1
    assert (distance == 0).mean() > (0.8 if to is DType.I16 else 0.99)


@pytest.mark.parametrize(("epsilon", "own"), [(1e-9, 1e-5), (1e-6, 1e-2)])
def test_a_small_number_beside_the_root_of_int16(epsilon: float, own: float) -> None:
    """It is nothing beside a step of the operand, by half of which each number is off."""
    n = Net()
    x = n.input(3, 5, 24, scale=own, zero=0, dtype=DType.I16)
    after = integerised(n.integers(n.qdq(of_moments(n, x, (2,), epsilon, True), 3e-4, 0, DType.I16)))
    assert count(after) == {"qnorm": 1}
