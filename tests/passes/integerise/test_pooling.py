from __future__ import annotations

import numpy as np
import pytest

from tests.passes.integerise.support import Net, check, stays
from tinyc.ir import DType
from tinyc.ir.ops import AvgPool2d, Clamp, QMean, Reduce, ReduceMean, ReduceSum, Softmax


@pytest.mark.parametrize("pads", [(0, 0, 0, 0), (1, 0, 1, 1)])
@pytest.mark.parametrize("count_pads", [False, True])
@pytest.mark.parametrize("dilations", [(1, 1), (1, 2)])
def test_average_at_one_scale(pads: tuple[int, ...], count_pads: bool, dilations: tuple[int, int]) -> None:
    n = Net()
    x = n.input(1, 7, 8, 3, scale=0.05, zero=-5)
    y = n.op(AvgPool2d(x, (3, 3), (2, 1), pads, dilations, count_pads=count_pads), 0.05)
    check(n.integers(y), {"qavg_pool2d": 1, **({"pad": 1} if count_pads and any(pads) else {})})


def test_average_with_limits() -> None:
    n = Net()
    y = n.b.add(AvgPool2d(n.input(1, 6, 6, 3, zero=-5), (2, 2)))
    check(n.integers(n.op(Clamp(y, 0.0, 1.0), 0.05)), {"qavg_pool2d": 1}, equal=0.8)


@pytest.mark.parametrize("scale", [0.011, 0.049, 0.31])
@pytest.mark.parametrize(("pads", "count_pads"), [((0, 0, 0, 0), False), ((1, 0, 1, 1), True)])
def test_average_to_another_scale(scale: float, pads: tuple[int, ...], count_pads: bool) -> None:
    n = Net()
    y = n.op(AvgPool2d(n.input(1, 7, 8, 3), (3, 3), (2, 1), pads, count_pads=count_pads), scale)
    check(n.integers(y), {"qdepthwise_conv2d": 1})


def test_average_of_everything() -> None:
    n = Net()
    y = n.op(AvgPool2d(n.input(1, 17, 18, 30), (17, 18)), 0.011)
    check(n.integers(y), {"qmean": 1})


def test_average_without_pads_to_a_coarser_scale() -> None:
    """Rounded twice, so that fewer are equal, but at most one step apart."""
    n = Net()
    y = n.op(AvgPool2d(n.input(1, 7, 8, 3), (3, 3), pads=(1, 1, 1, 1)), 0.051)
    check(n.integers(y), {"qavg_pool2d": 1, "lookup": 1}, equal=0.5)


def test_average_of_int16_without_pads() -> None:
    """All its integers are averaged, not those of int8 only. Rounded twice, as above."""
    n = Net()
    x = n.input(1, 7, 8, 3, scale=0.001, zero=0, dtype=DType.I16)
    y = n.op(AvgPool2d(x, (3, 3), pads=(1, 1, 1, 1)), 0.0011, zero=0, to=DType.I16)
    check(n.integers(y), {"qavg_pool2d": 1, "requantise": 1}, equal=0.5)


def test_average_without_pads_to_a_finer_scale_stays() -> None:
    n = Net()
    y = n.op(AvgPool2d(n.input(1, 7, 8, 3), (3, 3), pads=(1, 1, 1, 1)), 0.02)
    stays(n.integers(y), "would be coarser than the result's", ["avg_pool2d"])


@pytest.mark.parametrize(
    ("shape", "axes", "expected"),
    [
        ((1, 15, 17, 60), (1, 2), {"qmean": 1}),
        ((1, 9, 60), (1,), {"qmean": 1, "reshape": 2}),
        ((9, 60), (0,), {"qmean": 1, "reshape": 2}),
        ((4, 5), (0, 1), {"qmean": 1, "reshape": 2}),
        ((1, 60, 5, 7), (2, 3), {"qsum": 1}),
        ((1, 20, 9, 30), (3,), {"qsum": 1}),
        ((3, 20, 9, 4), (1, 3), {"qsum": 1, "transpose": 1, "reshape": 1}),
    ],
)
@pytest.mark.parametrize("scale", [0.004, 0.03, 0.2])
@pytest.mark.parametrize("kind", [ReduceMean, ReduceSum])
def test_sums_and_means(
    kind: type[Reduce], shape: tuple[int, ...], axes: tuple[int, ...], expected: dict[str, int], scale: float
) -> None:
    """The first rounding is to one part in 2^shift of a step, about what the mean's count is times the scales' ratio:
    for few elements and a fine result, it turns the second one often."""
    n = Net()
    count = int(np.prod([shape[a] for a in axes]))
    scale *= 1 if kind is ReduceMean else count
    parts = (count if kind is ReduceMean else 1) * scale / 0.05
    check(n.integers(n.op(kind(n.input(*shape), axes), scale)), expected, equal=0.95 if parts > 16 else 0.0)


def test_mean_with_limits() -> None:
    n = Net()
    y = n.b.add(ReduceMean(n.input(1, 5, 7, 600), (1, 2)))
    after = check(n.integers(n.op(Clamp(y, 0.0, 0.4), 0.01)), {"qmean": 1}, equal=0.9)
    op = after.nodes[-1].op
    assert isinstance(op, QMean)
    assert (op.min, op.max) == (-5, 35)


@pytest.mark.parametrize("x_scale", [0.01, 0.1, 0.7])
def test_softmax(x_scale: float) -> None:
    n = Net()
    y = n.op(Softmax(n.input(50, 12, scale=x_scale)), 1 / 256, zero=-128)
    check(n.integers(y), {"qsoftmax": 1})


def test_softmax_to_another_scale() -> None:
    n = Net()
    y = n.op(Softmax(n.input(50, 12)), 1 / 255, zero=-128)
    check(n.integers(y), {"qsoftmax": 1, "lookup": 1}, equal=0.9)


def test_softmax_of_int16_to_a_scale_beyond_all_shifts_stays() -> None:
    n = Net()
    x = n.input(5, 12, scale=0.001, zero=0, dtype=DType.I16)
    y = n.op(Softmax(x), 1e-12, zero=0, to=DType.I16)
    stays(n.integers(y), "do not fit int32", ["softmax"])


def test_softmax_too_wide_stays() -> None:
    n = Net()
    y = n.op(Softmax(n.input(1, 5000)), 1 / 256, zero=-128)
    stays(n.integers(y), "4095", ["softmax"])


def test_a_tiny_scale_still_works() -> None:
    n = Net()
    y = n.op(Softmax(n.input(5, 12, scale=1e-12)), 1 / 256, zero=-128)
    check(n.integers(y), {"qsoftmax": 1})
