from __future__ import annotations

import math

import numpy as np
import pytest

from tests.passes.integerise.support import Net, check, integerised, stays
from tinyc.ir import Value
from tinyc.ir.ops import Add, Clamp, Conv2d, Dense, DepthwiseConv2d, Dequantize, Neg, Pad, QConv2d, QDense
from tinyc.ir.ops.qconv import QConvolution


@pytest.mark.parametrize("axis", [0, None])
@pytest.mark.parametrize("bias", ["integer", "float", "none"])
@pytest.mark.parametrize("groups", [1, 2])
def test_convolution(axis: int | None, bias: str, groups: int) -> None:
    n = Net()
    x = n.input(1, 7, 6, 4)
    w = n.weights(6, 3, 2, 4 // groups, axis=axis)
    b = {"integer": lambda: n.bias(0.05, w), "float": lambda: n.numbers(6), "none": lambda: None}[bias]()
    y = n.op(Conv2d(x, w, b, (2, 1), (1, 0, 1, 1), (1, 2), groups=groups), 0.06)
    check(n.integers(y), {"qconv2d": 1})


@pytest.mark.parametrize("axis", [2, None])
def test_depthwise(axis: int | None) -> None:
    n = Net()
    w = n.weights(3, 3, 8, axis=axis)
    y = n.op(DepthwiseConv2d(n.input(1, 6, 6, 4), w, n.bias(0.05, w), pads=(1, 1, 1, 1)), 0.05)
    check(n.integers(y), {"qdepthwise_conv2d": 1})


@pytest.mark.parametrize("shape", [(7,), (1, 7), (3, 5, 7), (1, 4, 4, 7)])
def test_dense(shape: tuple[int, ...]) -> None:
    n = Net()
    w = n.weights(16, 7)
    y = n.op(Dense(n.input(*shape), w, n.bias(0.05, w)), 0.05)
    check(n.integers(y), {"qdense": 1})


@pytest.mark.parametrize("limits", [(0.0, 6.0), (0.0, math.inf), (-0.33, 0.21), (2.0, 3.0), (100.0, 200.0)])
@pytest.mark.parametrize("fused", [True, False])
def test_limits_become_integers(limits: tuple[float, float], fused: bool) -> None:
    n = Net()
    x, w = n.input(1, 5, 5, 3), n.weights(4, 3, 3, 3)
    if fused:
        y = n.op(Conv2d(x, w, min=limits[0], max=limits[1]), 0.03)
    else:
        y = n.op(Clamp(n.b.add(Clamp(n.b.add(Conv2d(x, w)), -9.0, 150.0)), *limits), 0.03)
    check(n.integers(y), {"qconv2d": 1})


def test_a_relu_between_conversions_of_one_scale_is_absorbed() -> None:
    n = Net()
    y = n.op(Conv2d(n.input(1, 5, 5, 3), n.weights(4, 3, 3, 3)), 0.03)
    y = n.op(Clamp(y, 0.0, 2.0), 0.03)
    check(n.integers(y), {"qconv2d": 1})


def test_a_bias_added_behind_is_absorbed() -> None:
    n = Net()
    w = n.weights(8, 7)
    y = n.op(Add(n.bias(0.05, w), n.b.add(Dense(n.input(3, 7), w))), 0.05)
    check(n.integers(y), {"qdense": 1})


def test_weights_with_zero_points() -> None:
    n = Net()
    x = n.input(1, 7)
    data = n.b.constant(n.rng.integers(20, 200, (9, 7)).astype(np.uint8))
    y = n.op(Dense(x, n.b.add(Dequantize(data, (0.01,), (100,)))), 0.05)
    check(n.integers(y), {"qdense": 1})


def test_weights_that_do_not_fit_int8_stay() -> None:
    n = Net()
    y = n.op(Dense(n.input(1, 7), n.weights(9, 7, axis=None, dtype=np.uint8, zero=10)), 0.05)
    stays(n.integers(y), "less their zero point do not fit int8", ["dense"])


def test_zero_point_is_folded_into_the_bias() -> None:
    """Zeros stand for real numbers; with x = zero the result is the bias, whatever the weights."""
    n = Net()
    w = n.weights(5, 1, 1, 3)
    y = n.op(Conv2d(n.input(1, 2, 2, 3, zero=-77), w), 0.05, zero=11)
    after = integerised(n.integers(y))
    op = after.nodes[-1].op
    assert isinstance(op, QConv2d)
    result = op.run([np.full((1, 2, 2, 3), -77, np.int8), *(after.constant(v) for v in op.operands[1:])])  # type: ignore[list-item]
    assert (result == 11).all()


@pytest.mark.parametrize(("value", "expected"), [(0.0, 3), (0.5, 13), (-6.55, -128)])
def test_pad_values(value: float, expected: int) -> None:
    n = Net()
    y = n.op(Conv2d(n.input(1, 4, 4, 3), n.weights(4, 3, 3, 3), pads=(1, 1, 1, 1), pad_value=value), 0.05)
    after = check(n.integers(y), {"qconv2d": 1})
    op = after.nodes[-1].op
    assert isinstance(op, QConvolution)
    assert op.zero == expected


@pytest.mark.parametrize("value", [0.52, 60.0])
def test_a_pad_value_without_an_integer_stays(value: float) -> None:
    n = Net()
    y = n.op(Conv2d(n.input(1, 4, 4, 3), n.weights(4, 3, 3, 3), pads=(1, 1, 1, 1), pad_value=value), 0.05)
    stays(n.integers(y), "no int8 value stands for the pad value", ["conv2d"])


def test_a_pad_is_absorbed() -> None:
    n = Net()
    x = n.b.add(Pad(n.input(1, 4, 4, 3), (0, 2, 1, 0), (0, 1, 0, 0)))
    y = n.op(Conv2d(x, n.weights(4, 3, 3, 3), pads=(0, 0, 1, 1)), 0.05)
    check(n.integers(y), {"qconv2d": 1})


def test_a_padded_value_that_is_needed_stays() -> None:
    n = Net()
    x = n.op(Pad(n.input(1, 4, 4, 3), (0, 2, 1, 0), (0, 1, 0, 0)), 0.05, zero=3)
    y = n.op(Conv2d(x, n.weights(4, 3, 3, 3)), 0.05)
    check(n.integers(y, x), {"qconv2d": 1, "pad": 1})


def test_channels_without_weights() -> None:
    """A dead channel may have any scale, and its bias may be far beyond int32 in units of it."""
    n = Net()
    data = n.rng.integers(-127, 128, (3, 7)).astype(np.int8)
    data[1] = 0
    w = n.b.add(Dequantize(n.b.constant(data), (0.01, 1e-30, 0.02), (0, 0, 0)))
    y = n.op(Dense(n.input(4, 7), w, n.b.constant(np.float32([0.3, 1.7, -0.4]))), 0.05)
    check(n.integers(y), {"qdense": 1})


@pytest.mark.parametrize("scale", [1e-9, 1e-3, 1e3, 1e20])
def test_scales_far_apart(scale: float) -> None:
    """Results that are all but constant, or saturate: still at most one step apart."""
    n = Net()
    w = n.weights(4, 3, 3, 3)
    y = n.op(Conv2d(n.input(1, 5, 5, 3), w), scale)
    module = n.integers(y)
    if scale == 1e-9:
        stays(module, "do not fit int32", ["conv2d"])
    else:
        check(module, {"qconv2d": 1})


def test_a_bias_beyond_int32_stays() -> None:
    n = Net()
    y = n.op(Dense(n.input(1, 7), n.weights(2, 7), n.b.constant(np.float32([1e9, 0]))), 1e7)
    stays(n.integers(y), "does not fit int32", ["dense"])


@pytest.mark.parametrize("bias", [1e9, -1e9, 30.0, -30.0])
def test_a_bias_whose_result_is_always_at_a_limit_needs_no_shift(bias: float) -> None:
    n = Net()
    w = n.b.add(Dequantize(n.b.constant(np.int8([[1, -2, 3], [90, -80, 70]])), (1e-4, 0.01), (0, 0), 0))
    y = n.op(Dense(n.input(1, 3), w, n.b.constant(np.float32([bias, 0]))), 0.05)
    after = check(n.integers(y), {"qdense": 1}, exact=True)
    (layer,) = after.made_by(QDense)
    shift, cut = after.constant(layer.op.shift), after.constant(layer.op.b)
    assert shift is not None
    assert cut is not None
    assert not shift.any()
    assert abs(int(cut[0])) < 2**31 - 1


def test_a_sum_that_may_overflow_stays() -> None:
    n = Net()
    data = np.full((1, 150_000), 127, np.int8)
    y = n.op(Dense(n.input(1, 150_000), n.b.add(Dequantize(n.b.constant(data), (0.01,), (0,)))), 50.0)
    stays(n.integers(y), "do not fit int32", ["dense"])


def float_weights(n: Net) -> Value:
    return n.numbers(4, 7)


def wrong_axis(n: Net) -> Value:
    return n.weights(4, 7, axis=1)


def computed(n: Net) -> Value:
    return n.qdq(n.b.add(Neg(n.input(4, 7))), 0.05)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (float_weights, "not the dequantize of a constant"),
        (computed, "not the dequantize of a constant"),
        (wrong_axis, "not along the output channels"),
    ],
)
def test_other_weights_stay(make: object, reason: str) -> None:
    n = Net()
    y = n.op(Dense(n.input(1, 7), make(n)), 0.05)  # type: ignore[operator]
    stays(n.integers(y), reason, ["dense"])


def test_a_result_needed_in_float_stays() -> None:
    n = Net()
    y = n.b.add(Dense(n.input(1, 7), n.weights(4, 7)))
    stays(n.b.build([n.q(y, 0.05), y]), "is needed in float as well", ["dense"])


def test_two_scales_of_one_result() -> None:
    """One integer layer for each costs no more than a float layer and two conversions."""
    n = Net()
    y = n.b.add(Dense(n.input(1, 60), n.weights(40, 60)))
    check(n.integers(n.qdq(y, 0.5), n.qdq(y, 0.3)), {"qdense": 2})


def test_equal_quantizes_of_one_result() -> None:
    n = Net()
    y = n.b.add(Dense(n.input(1, 7), n.weights(4, 7)))
    one, other = n.qdq(y, 0.05), n.qdq(y, 0.05)
    check(n.integers(n.op(Add(one, n.qdq(n.b.add(Neg(other)), 0.1)), 0.08)), {"qdense": 1, "lookup": 1})


def test_a_float_operand_stays() -> None:
    n = Net()
    x = n.b.add(Add(n.input(1, 7), n.numbers(1, 7)))
    stays(n.integers(n.op(Dense(x, n.weights(4, 7)), 0.05)), "is not a dequantized int8 value", ["dense"])
