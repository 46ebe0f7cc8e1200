from __future__ import annotations

import math

import pytest

from tests.helpers import count
from tests.passes.checks import check, input_, numbers, unchanged
from tinyc.ir import Builder, DType, Module, Op, Value
from tinyc.ir.ops import AvgPool2d, Clamp, Conv2d, DepthwiseConv2d, MaxPool2d, Neg, Pad, Reshape
from tinyc.passes.tensor.fuse_pad import FusePad

ROWS_AND_COLUMNS = ((0, 1, 2, 0), (0, 1, 0, 0))


def padded(value: float, make: object, before: Value | None = None, dtype: DType = DType.F32) -> Module:
    b = Builder("m")
    x = input_(b, 1, 5, 6, 3, dtype=dtype)
    pad = b.add(Pad(x, *ROWS_AND_COLUMNS, value=value))
    return b.build([b.add(make(b, pad))])  # type: ignore[operator]


def conv(b: Builder, x: Value, **attributes: object) -> Op:
    return Conv2d(x, b.constant(numbers(4, 3, 3, 3)), b.constant(numbers(4)), **attributes)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [0.0, 1.5, -0.1])
def test_convolution_absorbs_any_value(value: float) -> None:
    after = check(FusePad(), padded(value, conv))
    assert count(after) == {"conv2d": 1}
    assert after.nodes[-1].op.pads == (1, 2, 1, 0)  # type: ignore[attr-defined]


def test_depthwise_convolution_absorbs() -> None:
    after = check(FusePad(), padded(0.5, lambda b, x: DepthwiseConv2d(x, b.constant(numbers(2, 2, 6)))))
    assert count(after) == {"depthwise_conv2d": 1}


def test_pads_of_equal_value_add_up() -> None:
    after = check(FusePad(), padded(0.0, lambda b, x: conv(b, x, pads=(1, 1, 1, 1))))
    assert after.nodes[-1].op.pads == (2, 3, 2, 1)  # type: ignore[attr-defined]


def test_pads_of_different_values_do_not() -> None:
    said = unchanged(FusePad(), padded(1.0, lambda b, x: conv(b, x, pads=(1, 1, 1, 1))))
    assert "pads with 0.0 already" in said[0]


@pytest.mark.parametrize("before", [(0, 1, 0, 1), (1, 0, 0, 0)])
def test_padded_channels_and_batches_stay(before: tuple[int, ...]) -> None:
    b = Builder("m")
    pad = b.add(Pad(input_(b, 1, 4, 4, 3), before, (0, 0, 0, 0)))
    w = b.constant(numbers(2, 1, 1, pad.shape[3]))
    assert "channels" in unchanged(FusePad(), b.build([b.add(Conv2d(pad, w))]))[0]


def test_gaps_stay() -> None:
    b = Builder("m")
    pad = b.add(Pad(input_(b, 1, 4, 4, 3), (0, 1, 1, 0), (0, 0, 0, 0), (0, 1, 1, 0)))
    assert "gaps" in unchanged(FusePad(), b.build([b.add(conv(b, pad))]))[0]


def test_all_readers_absorb() -> None:
    b = Builder("m")
    pad = b.add(Pad(input_(b, 1, 4, 4, 3), *ROWS_AND_COLUMNS))
    outputs = [b.add(conv(b, pad)), b.add(AvgPool2d(pad, (2, 3))), b.add(conv(b, pad, strides=(2, 2)))]
    assert count(check(FusePad(), b.build(outputs))) == {"conv2d": 2, "avg_pool2d": 1}


def test_one_reader_that_cannot_keeps_the_pad() -> None:
    b = Builder("m")
    pad = b.add(Pad(input_(b, 1, 4, 4, 3), *ROWS_AND_COLUMNS))
    assert "needs the padded value" in unchanged(FusePad(), b.build([b.add(conv(b, pad)), b.add(Neg(pad))]))[0]


def test_an_output_keeps_the_pad() -> None:
    b = Builder("m")
    pad = b.add(Pad(input_(b, 1, 4, 4, 3), *ROWS_AND_COLUMNS))
    assert "is an output" in unchanged(FusePad(), b.build([b.add(conv(b, pad)), pad]))[0]


@pytest.mark.parametrize("counts", [False, True])
def test_average_counts_zeros(counts: bool) -> None:
    after = check(FusePad(), padded(0.0, lambda b, x: AvgPool2d(x, (3, 3), count_pads=counts)))
    assert after.nodes[-1].op.count_pads  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("value", "pads", "why"), [(1.0, (0, 0, 0, 0), "counts pads as 0"), (0.0, (1, 0, 0, 0), "some pads would count")]
)
def test_average_of_other_pads_stays(value: float, pads: tuple[int, ...], why: str) -> None:
    assert why in unchanged(FusePad(), padded(value, lambda b, x: AvgPool2d(x, (3, 3), pads=pads)))[0]


def test_maximum_ignores_the_lowest() -> None:
    assert count(check(FusePad(), padded(-math.inf, lambda b, x: MaxPool2d(x, (3, 3))))) == {"max_pool2d": 1}
    module = padded(-128.0, lambda b, x: MaxPool2d(x, (3, 3)), dtype=DType.I8)
    assert count(check(FusePad(), module)) == {"max_pool2d": 1}


def test_maximum_ignores_zeros_below_limited_elements() -> None:
    b = Builder("m")
    x = b.add(Clamp(input_(b, 1, 4, 4, 3), min=0.0))
    module = b.build([b.add(MaxPool2d(b.add(Pad(x, (0, 1, 1, 0), (0, 1, 1, 0))), (3, 3), strides=(2, 2)))])
    assert count(check(FusePad(), module)) == {"clamp": 1, "max_pool2d": 1}


def test_maximum_of_zeros_above_elements_stays() -> None:
    assert "are possible" in unchanged(FusePad(), padded(0.0, lambda b, x: MaxPool2d(x, (3, 3))))[0]


def test_maximum_of_padding_alone_stays() -> None:
    b = Builder("m")
    x = b.add(Clamp(input_(b, 1, 4, 4, 3), min=0.0))
    module = b.build([b.add(MaxPool2d(b.add(Pad(x, (0, 2, 0, 0), (0, 0, 0, 0))), (2, 2)))])
    assert "wholly outside" in unchanged(FusePad(), module)[0]


def test_pad_before_a_reshape_of_ones() -> None:
    """A channel-first image of one channel, padded before it is taken for a channel-last one."""
    b = Builder("m")
    pad = b.add(Pad(input_(b, 1, 1, 4, 5), (0, 0, 2, 1), (0, 0, 0, 1), value=0.5))
    y = b.add(Conv2d(b.add(Reshape(pad, (1, 6, 7, 1))), b.constant(numbers(2, 3, 3, 1))))
    assert count(check(FusePad(), b.build([y]))) == {"reshape": 1, "conv2d": 1}


def test_pad_before_another_reshape_stays() -> None:
    b = Builder("m")
    pad = b.add(Pad(input_(b, 4, 5), (2, 1), (0, 1)))
    assert "other than" in unchanged(FusePad(), b.build([b.add(Reshape(pad, (1, 7, 6, 1)))]))[0]
