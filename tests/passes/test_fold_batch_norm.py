from __future__ import annotations

import numpy as np
import pytest

from tests.helpers import count
from tests.passes.checks import check, input_, numbers, unchanged
from tinyc.ir import Builder, Op, Value
from tinyc.ir.ops import Add, BatchNorm, Conv2d, Dense, DepthwiseConv2d, Div, Mul, Pad, Sub
from tinyc.passes.tensor.fold_batch_norm import FoldBatchNorm

NEIGHBOURS = ["conv2d", "grouped", "depthwise_conv2d", "multiplier", "dense"]


def neighbour(b: Builder, kind: str, x: Value, bias: bool = True, **attributes: object) -> Op:
    """An operator of 4 channels into which scales and shifts fold."""
    c = b.constant(numbers(8 if kind == "multiplier" else 4, seed=2)) if bias else None
    if kind == "dense":
        return Dense(x, b.constant(numbers(4, 4)), c)
    if kind in ("conv2d", "grouped"):
        groups = 2 if kind == "grouped" else 1
        w = b.constant(numbers(4, 2, 3, 4 // groups))
        return Conv2d(x, w, c, groups=groups, **attributes)  # type: ignore[arg-type]
    w = b.constant(numbers(2, 3, 8 if kind == "multiplier" else 4))
    return DepthwiseConv2d(x, w, c, **attributes)  # type: ignore[arg-type]


def batch_norm(b: Builder, x: Value, shift: bool = True, same: bool = False) -> Value:
    n = x.shape[-1]
    zeros, ones = np.zeros(n, np.float32), np.ones(n, np.float32)
    parts = [numbers(n, seed=3), numbers(n, seed=4), numbers(n, seed=5), np.abs(numbers(n, seed=6)) + np.float32(0.5)]
    if not shift:
        parts[1] = parts[2] = zeros
    if same:
        parts = [ones * np.float32(v) for v in (2.0, 3.0, 0.5, 1.0)]
    # An epsilon that shows beyond the slack of the pass.
    return b.add(BatchNorm(x, *(b.constant(p) for p in parts), epsilon=0.01))


@pytest.mark.parametrize("kind", NEIGHBOURS)
@pytest.mark.parametrize("bias", [False, True])
def test_batch_norm_after(kind: str, bias: bool) -> None:
    b = Builder("m")
    y = b.add(neighbour(b, kind, input_(b, 1, 5, 5, 4), bias))
    assert sum(count(check(FoldBatchNorm(), b.build([batch_norm(b, y)]))).values()) == 1


@pytest.mark.parametrize("kind", NEIGHBOURS)
@pytest.mark.parametrize("bias", [False, True])
def test_batch_norm_before(kind: str, bias: bool) -> None:
    b = Builder("m")
    y = b.add(neighbour(b, kind, batch_norm(b, input_(b, 2, 5, 5, 4)), bias))
    assert sum(count(check(FoldBatchNorm(), b.build([y]))).values()) == 1


@pytest.mark.parametrize("kind", NEIGHBOURS[:-1])
def test_shift_before_zero_padding_stays(kind: str) -> None:
    b = Builder("m")
    y = b.add(neighbour(b, kind, batch_norm(b, input_(b, 1, 5, 5, 4)), pads=(1, 0, 0, 0)))
    after = check(FoldBatchNorm(), b.build([y]))
    assert count(after)["add"] == 1
    assert count(after)["batch_norm"] == 0


@pytest.mark.parametrize("kind", NEIGHBOURS[:-1])
def test_scale_before_zero_padding_folds(kind: str) -> None:
    b = Builder("m")
    y = b.add(neighbour(b, kind, batch_norm(b, input_(b, 1, 5, 5, 4), shift=False), pads=(1, 0, 0, 0)))
    assert sum(count(check(FoldBatchNorm(), b.build([y]))).values()) == 1


def test_equal_shifts_before_a_pad_that_is_not_zero() -> None:
    b = Builder("m")
    x = batch_norm(b, input_(b, 1, 5, 5, 4), same=True)
    y = b.add(neighbour(b, "depthwise_conv2d", x, pads=(1, 1, 1, 1), pad_value=2.0))
    assert count(check(FoldBatchNorm(), b.build([y]))) == {"depthwise_conv2d": 1}


def test_limits_between_keep_it() -> None:
    b = Builder("m")
    w = b.constant(numbers(4, 4))
    y = batch_norm(b, b.add(Dense(input_(b, 2, 4), w, min=0.0)))
    assert count(check(FoldBatchNorm(), b.build([y]))) == {"dense": 1, "mul": 1, "add": 1}


@pytest.mark.parametrize("kind", NEIGHBOURS)
def test_scales_and_shifts_fold_one_by_one(kind: str) -> None:
    b = Builder("m")
    y = b.add(neighbour(b, kind, input_(b, 1, 5, 5, 4), bias=False))
    n = y.shape[-1]
    y = b.add(Add(b.constant(numbers(n)), y))
    y = b.add(Mul(y, b.constant(numbers(1, 1, 1, n))))
    y = b.add(Sub(y, b.constant(numbers(n))))
    y = b.add(Div(y, b.constant(np.float32(3))))
    assert sum(count(check(FoldBatchNorm(), b.build([y]))).values()) == 1


def test_a_bias_alone_leaves_the_weights() -> None:
    b = Builder("m")
    w = b.constant(numbers(3, 4), "w")
    y = b.add(Add(b.add(Dense(input_(b, 2, 4), w)), b.constant(numbers(3))))
    after = check(FoldBatchNorm(), b.build([y]))
    assert after.nodes[-1].op.w == w  # type: ignore[attr-defined]


@pytest.mark.parametrize("shape", [(5, 1), (1, 5, 1, 1), (1, 5, 5, 4)])
def test_other_directions_stay(shape: tuple[int, ...]) -> None:
    b = Builder("m")
    y = b.add(Conv2d(input_(b, 1, 5, 5, 4), b.constant(numbers(4, 1, 1, 4))))
    unchanged(FoldBatchNorm(), b.build([b.add(Mul(y, b.constant(numbers(*shape))))]))


def test_constant_minus_value_folds() -> None:
    b = Builder("m")
    y = b.add(Dense(input_(b, 2, 4), b.constant(numbers(3, 4))))
    after = check(FoldBatchNorm(), b.build([b.add(Sub(b.constant(numbers(3)), y))]))
    assert count(after) == {"dense": 1}


@pytest.mark.parametrize("scale", [0.0, np.inf, np.nan, 1e-45])
def test_division_by_nothing_stays(scale: float) -> None:
    b = Builder("m")
    y = b.add(Dense(input_(b, 2, 4), b.constant(numbers(3, 4) + 4)))
    module = b.build([b.add(Div(y, b.constant(np.float32(scale))))])
    if scale == np.inf:
        check(FoldBatchNorm(), module)
    else:
        assert "not finite" in unchanged(FoldBatchNorm(), module)[0]


def test_batch_norm_behind_a_pad() -> None:
    b = Builder("m")
    y = b.add(neighbour(b, "conv2d", input_(b, 1, 5, 5, 4)))
    y = batch_norm(b, b.add(Pad(y, (0, 1, 1, 0), (0, 0, 0, 0))), same=True)
    after = check(FoldBatchNorm(), b.build([y]))
    assert count(after) == {"conv2d": 1, "pad": 1}
    # Computed in float32.
    assert after.nodes[-1].op.value == pytest.approx(3.0 - 0.5 * 2.0 / 1.01**0.5, rel=1e-6)  # type: ignore[attr-defined]


def test_batch_norm_behind_a_pad_with_different_shifts() -> None:
    """The scale commutes with padding by zero, the shift does not."""
    b = Builder("m")
    y = b.add(neighbour(b, "conv2d", input_(b, 1, 5, 5, 4)))
    y = batch_norm(b, b.add(Pad(y, (0, 1, 1, 0), (0, 0, 0, 0))))
    after = check(FoldBatchNorm(), b.build([y]))
    assert [n.op.mnemonic for n in after.nodes if n.op.operands] == ["conv2d", "pad", "add"]


def test_batch_norm_of_computed_statistics_is_taken_apart() -> None:
    b = Builder("m")
    x, scale, bias, mean = (input_(b, *shape) for shape in ((2, 4), (4,), (4,), (4,)))
    y = b.add(BatchNorm(x, scale, bias, mean, b.constant(np.ones(4, np.float32))))
    assert "batch_norm" not in count(check(FoldBatchNorm(), b.build([y])))
