from __future__ import annotations

import pytest

from tests.helpers import count
from tests.passes.checks import check, input_, numbers
from tinyc.ir import Builder, DType, Module, Op, Value
from tinyc.ir.ops import AvgPool2d, Conv2d, DepthwiseConv2d, Pad
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


@pytest.mark.parametrize("counts", [False, True])
def test_average_counts_zeros(counts: bool) -> None:
    after = check(FusePad(), padded(0.0, lambda b, x: AvgPool2d(x, (3, 3), count_pads=counts)))
    assert after.nodes[-1].op.count_pads  # type: ignore[attr-defined]
