from __future__ import annotations

import numpy as np
import pytest

from tests.helpers import count
from tests.passes.integerise.support import Net, check, integerised, stays
from tinyc.ir import Value
from tinyc.ir.ops import (
    Abs,
    Add,
    Clamp,
    Conv2d,
    Dequantize,
    Div,
    Erf,
    Exp,
    LeakyRelu,
    Less,
    Mul,
    Neg,
    Sigmoid,
    Sub,
    Tanh,
    Where,
)


@pytest.mark.parametrize("scales", [(0.05, 0.05, 0.11), (0.05, 0.01, 0.05), (1e-4, 3.0, 3.0), (0.3, 0.3, 0.002)])
@pytest.mark.parametrize("shape", [(1, 4, 5, 3), (2, 7), ()])
def test_add(scales: tuple[float, float, float], shape: tuple[int, ...]) -> None:
    n = Net()
    x, y = n.input(*shape, scale=scales[0], zero=-30), n.input(*shape, scale=scales[1], zero=90)
    check(n.integers(n.op(Add(x, y), scales[2])), {"qadd": 1})


def test_ties_round_another_way() -> None:
    """Half of the sums lie between two steps: quantize rounds to even, integer arithmetic away from zero."""
    n = Net()
    check(n.integers(n.op(Add(n.input(4, 50), n.input(4, 50)), 0.1)), {"qadd": 1}, equal=0.7)


def test_subtract() -> None:
    n = Net()
    x, y = n.input(4, 50, scale=0.03, zero=-128), n.input(4, 50, scale=0.05, zero=127)
    check(n.integers(n.op(Sub(x, y), 0.09)), {"qadd": 1, "lookup": 1})


def test_add_with_limits() -> None:
    n = Net()
    y = n.b.add(Add(n.input(1, 4, 5, 3), n.input(1, 4, 5, 3, scale=0.02)))
    check(n.integers(n.op(Clamp(y, 0.0, 6.0), 0.03)), {"qadd": 1})


def test_add_of_a_constant() -> None:
    n = Net()
    constant = n.dq(n.b.constant(n.rng.integers(-128, 128, (4, 5)).astype(np.int8)), 0.01, 7)
    check(n.integers(n.op(Add(constant, n.input(4, 5)), 0.05)), {"qadd": 1})


def test_add_broadcasts() -> None:
    n = Net()
    x, y = n.input(1, 4, 5, 3), n.input(1, 1, 5, 1, scale=0.02)
    check(n.integers(n.op(Add(y, x), 0.05)), {"broadcast": 1, "qadd": 1})


def test_add_to_too_fine_a_scale_stays() -> None:
    n = Net()
    x, y = n.input(1, 4), n.input(1, 4, scale=0.02)
    stays(n.integers(n.op(Add(x, y), 1e-8)), "is too fine", ["add"])


@pytest.mark.parametrize("shape", [(1, 4, 5, 3), (1, 1, 1, 3), (3,), (1, 4, 1, 3), (1, 1, 1, 1)])
@pytest.mark.parametrize("swapped", [False, True])
def test_multiply(shape: tuple[int, ...], swapped: bool) -> None:
    n = Net()
    x, y = n.input(1, 4, 5, 3, scale=0.03), n.input(*shape, scale=0.004, zero=-128)
    z = n.op(Mul(y, x) if swapped else Mul(x, y), 0.05)
    per_channel = shape in [(1, 4, 5, 3), (1, 1, 1, 3), (3,)]
    check(n.integers(z), {"qmul": 1} if per_channel else {"qmul": 1, "broadcast": 1})


def test_outer_product() -> None:
    n = Net()
    z = n.op(Mul(n.input(4, 1), n.input(1, 5, scale=0.02)), 0.05)
    check(n.integers(z), {"qmul": 1, "broadcast": 1})


def test_multiply_with_limits() -> None:
    n = Net()
    y = n.b.add(Mul(n.input(3, 5), n.input(3, 5, scale=0.02)))
    check(n.integers(n.op(Clamp(y, -1.0, 2.0), 0.03)), {"qmul": 1})


def test_multiply_to_too_fine_a_scale_stays() -> None:
    n = Net()
    stays(n.integers(n.op(Mul(n.input(1, 4), n.input(1, 4)), 1e-9)), "do not fit int32", ["mul"])


@pytest.mark.parametrize("kind", [Add, Sub, Mul, Div])
@pytest.mark.parametrize("shape", [(1, 6, 6, 5), (3, 5), (2, 3, 3, 5)])
@pytest.mark.parametrize("quantised", [False, True])
@pytest.mark.parametrize("swapped", [False, True])
def test_constants_for_each_channel(
    kind: type[Add | Sub | Mul | Div], shape: tuple[int, ...], quantised: bool, swapped: bool
) -> None:
    n = Net()
    x = n.input(*shape)
    values = np.float32([0.7, -1.3, 2.0, -0.001, 0.31])
    c = n.b.constant(values)
    if quantised:
        c = n.b.add(Dequantize(n.b.constant(np.int8([7, -13, 20, 1, 3])), (0.1,), (0,)))
    module = n.integers(n.op(kind(c, x) if swapped else kind(x, c), 0.073))
    if kind is Div and swapped and quantised:
        check(module, {"qdiv": 1, "broadcast": 1})
    elif kind is Div and swapped:
        assert count(integerised(module))["div"] == 1
    else:
        reshapes = {} if shape == (1, 6, 6, 5) else {"reshape": 2}  # a convolution takes batches of 1
        check(module, {"qdepthwise_conv2d": 1, **reshapes})


def test_a_channel_times_zero() -> None:
    n = Net()
    y = n.op(Mul(n.input(1, 4, 4, 3), n.b.constant(np.float32([0.0, 1.0, -2.0]))), 0.06, zero=9)
    check(n.integers(y), {"qdepthwise_conv2d": 1})


def test_a_full_float_constant_stays() -> None:
    n = Net()
    y = n.op(Add(n.input(3, 5), n.numbers(3, 5)), 0.05)
    stays(n.integers(y), "neither one number nor one for each channel", ["add"])


def sigmoid(n: Net, x: Value) -> Value:
    return n.b.add(Sigmoid(x))


def hard_swish(n: Net, x: Value) -> Value:
    gate = n.b.add(Clamp(n.b.add(Add(x, n.b.constant(np.float32(3)))), 0.0, 6.0))
    return n.b.add(Mul(x, n.b.add(Mul(gate, n.b.constant(np.full((1, 1, 1, 3), 1 / 6, np.float32))))))


def silu_between_conversions(n: Net, x: Value) -> Value:
    return n.b.add(Mul(x, n.qdq(n.b.add(Sigmoid(x)), 1 / 256, -128)))


def gelu(n: Net, x: Value) -> Value:
    half, one = n.b.constant(np.float32(0.5)), n.dq(n.b.constant(np.int8([10])), 0.1, 0)
    inner = n.b.add(Erf(n.b.add(Mul(x, n.b.constant(np.float32(0.70710677))))))
    return n.b.add(Mul(n.b.add(Mul(x, half)), n.b.add(Add(inner, one))))


def softplus_like(n: Net, x: Value) -> Value:
    return n.b.add(Div(n.b.constant(np.float32(1)), n.b.add(Add(n.b.add(Exp(x)), n.b.constant(np.float32(1))))))


def choice(n: Net, x: Value) -> Value:
    return n.b.add(Where(n.b.add(Less(x, n.b.constant(np.float32(0.2)))), x, n.b.add(Neg(x))))


@pytest.mark.parametrize(
    "chain",
    [
        sigmoid,
        hard_swish,
        silu_between_conversions,
        gelu,
        softplus_like,
        choice,
        lambda n, x: n.b.add(Tanh(x)),
        lambda n, x: n.b.add(LeakyRelu(x, alpha=0.1)),
        lambda n, x: n.b.add(Abs(n.qdq(n.b.add(Neg(x)), 0.02))),
        lambda n, x: n.b.add(Mul(x, x)),
    ],
)
def test_chains_of_one_value_become_a_table(chain: object) -> None:
    n = Net()
    x = n.input(1, 8, 8, 3)
    check(n.integers(n.qdq(chain(n, x), 0.03, 4)), {"lookup": 1}, exact=True)  # type: ignore[operator]


@pytest.mark.parametrize("low", [-1.0, -100.0])
def test_a_table_that_only_limits_is_a_clamp(low: float) -> None:
    n = Net()
    y = n.op(Clamp(n.input(3, 50), low, 2.0), 0.05, zero=3)
    after = check(n.integers(y), {"clamp": 1}, exact=True)
    assert (after.nodes[-1].op.max) == 43.0  # type: ignore[attr-defined]


def test_a_rescale_is_a_table_and_none_is_nothing() -> None:
    n = Net()
    x = n.input(3, 50)
    y = n.qdq(n.qdq(x, 0.05, 3), 0.07, 1)
    check(n.integers(y), {"lookup": 1}, exact=True)


def test_a_value_used_elsewhere_may_still_be_a_table() -> None:
    n = Net()
    x = n.input(3, 50)
    y = n.b.add(Sigmoid(x))
    after = integerised(n.b.build([n.q(n.b.add(Mul(y, x)), 0.05), y]))
    assert count(after) == {"dequantize": 1, "sigmoid": 1, "lookup": 1}


def test_a_table_behind_a_convolution_stays_if_it_is_more_than_limits() -> None:
    n = Net()
    y = n.op(Conv2d(n.input(1, 4, 4, 3), n.weights(4, 1, 1, 3)), 0.05)
    check(n.integers(n.op(LeakyRelu(y, alpha=0.1), 0.05)), {"qconv2d": 1, "lookup": 1})


def test_limits_stay_where_the_unlimited_value_is_needed() -> None:
    n = Net()
    y = n.op(Conv2d(n.input(1, 4, 4, 3), n.weights(4, 1, 1, 3)), 0.05)
    check(n.integers(n.op(Clamp(y, 0.0), 0.05), y), {"qconv2d": 1, "clamp": 1})


def test_two_values_are_no_table() -> None:
    n = Net()
    x, y = n.input(3, 5), n.input(3, 5)
    module = n.integers(n.op(Where(n.b.add(Less(x, y)), x, y), 0.05))
    assert count(integerised(module))["where"] == 1
