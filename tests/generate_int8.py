"""Makers of integer operators for `tests.generate`: fields at their corners, accumulators up to the int32 limits.

Whatever is made can be computed in int32 without overflow (`fixed_point.fits`), since C has no meaning for the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from tinyc.ir import DType, Op, TensorType, Value, fixed_point
from tinyc.ir import ops as o
from tinyc.ir.tensor import Array

if TYPE_CHECKING:
    from tests.generate import Grower

I8, I32 = DType.I8, DType.I32
LARGEST_SUM = fixed_point.INT32[1] - 128
"""What an accumulator may hold, so that a zero point can still be added."""


def image(g: Grower) -> Value:
    """An int8 NHWC value."""
    shape = (g.random.choice([1, 1, 1, 2]), *g.pair(1, 6), g.random.randint(1, 9))
    return g.pick(lambda v: v.dtype is I8 and v.type.rank == 4, shape, I8)


def anything(g: Grower, rank: int = 0) -> Value:
    """An int8 value."""
    return g.pick(lambda v: v.dtype is I8 and v.type.rank >= rank and v.type.size > 0, g.shape(rank), I8)


def zero(g: Grower) -> int:
    """A zero point."""
    return g.random.choice([-128, 127, 0, g.random.randint(-128, 127)])


def output(g: Grower) -> dict[str, Any]:
    """The result's zero point and limits."""
    kind, out = g.random.randrange(4), zero(g)
    low, high = sorted((g.random.randint(-128, 127), g.random.randint(-128, 127)))
    limits = [(-128, 127), (-128, 127), (out, 127), (low, high)][kind]
    return {"out_zero": out, "min": limits[0], "max": limits[1]}


def window(g: Grower) -> dict[str, Any]:
    """The geometry of a convolution, and what its padding holds."""
    return {**g.geometry(), "zero": zero(g)}


def multiplier(g: Grower) -> int:
    """A multiplier, at times a corner."""
    corners = [2**30, 2**31 - 1, 2**30 + 1, 0, 1]
    return g.random.choice(corners) if g.chance(0.2) else g.random.randrange(2**30, 2**31)


def shift(g: Grower, typical: int, largest: int) -> int:
    """A shift of at most `largest` that brings sums as large as `typical` to the size of int8, or a corner."""
    wanted = 7 - int(typical).bit_length() + g.random.randint(-1, 2)
    chosen = g.random.choice([-31, largest, 0, g.random.randint(-31, largest)]) if g.chance(0.2) else wanted
    return max(-31, min(chosen, largest))


def room(bound: int) -> int:
    """The largest shift for sums of at most `bound`."""
    return (LARGEST_SUM // max(bound, 1)).bit_length() - 1


def channels(g: Grower, products: int, count: int) -> dict[str, Any]:
    """Bias, multipliers and shifts of `count` channels that sum so many products each.

    Biases of every third channel are as large as int32 allows beside the products and the shift.
    """
    bound = 128 * 128 * products
    shifts = [shift(g, 5000 * products, room(bound)) for _ in range(count)]
    biases = []
    for places in shifts:
        rest = (LARGEST_SUM >> max(places, 0)) - bound
        small = min(rest, 3000 * products)
        biases.append(g.random.choice([rest, -rest]) if g.chance(0.3) else g.random.randint(-small, small))
    vectors = {"b": biases, "multiplier": [multiplier(g) for _ in range(count)], "shift": shifts}
    return {name: g.builder.constant(np.array(v, np.int32)) for name, v in vectors.items()}


def weights(g: Grower, *shape: int) -> Value:
    """int8 weights, now and then computed or all at a limit."""
    if g.chance(0.1):
        return g.fresh(shape, I8)
    rng = np.random.default_rng(g.random.getrandbits(32))
    filled: Array = np.full(shape, g.random.choice([-128, 127, 0]), np.int8)
    return g.builder.constant(filled if g.chance(0.1) else rng.integers(-128, 128, shape).astype(np.int8))


def qconv(g: Grower, largest: int = 3) -> Value:
    """A convolution whose window is at most `largest` high and wide."""
    x = image(g)
    groups = g.random.choice([n for n in (1, 1, 2, 3) if x.shape[3] % n == 0])
    w = weights(g, groups * g.random.randint(1, 4), *g.pair(1, largest), x.shape[3] // groups)
    vectors = channels(g, w.type.size // w.shape[0], w.shape[0])
    return g.add(o.QConv2d(x, w, **vectors, **window(g), **output(g), groups=groups))


def qdepthwise(g: Grower) -> Value:
    x = image(g)
    w = weights(g, *g.pair(1, 3), x.shape[3] * g.random.choice([1, 1, 2, 3]))
    vectors = channels(g, w.shape[0] * w.shape[1], w.shape[2])
    return g.add(o.QDepthwiseConv2d(x, w, **vectors, **window(g), **output(g)))


def qdense(g: Grower) -> Value:
    x = anything(g, 1)
    w = weights(g, g.random.randint(1, 6), x.shape[-1])
    return g.add(o.QDense(x, w, **channels(g, w.shape[1], w.shape[0]), **output(g)))


def qadd(g: Grower) -> Value:
    x = anything(g)
    y = x if g.chance(0.1) else g.pick(lambda v: v.type == x.type, x.shape, I8)
    left = g.random.choice([20, 20, 20, 0, 22])
    fields: dict[str, Any] = {
        "x_zero": zero(g),
        "y_zero": zero(g),
        "x_multiplier": multiplier(g),
        "y_multiplier": multiplier(g),
        "x_shift": g.random.choice([0, -1, -3, -31]),
        "y_shift": g.random.choice([0, -1, -2, -12]),
        "out_multiplier": multiplier(g),
        "out_shift": g.random.choice([0, -31]) if g.chance(0.1) else -left + g.random.randint(0, min(2, left)),
        "left": left,
    }
    return g.add(o.QAdd(x, y, **fields, **output(g)))


def qmul(g: Grower) -> Value:
    x = anything(g, 1)
    shape = (*(1 for _ in x.shape[1:]), x.shape[-1]) if g.chance(0.4) else x.shape
    y = g.pick(lambda v: v.type == TensorType(shape, I8), shape, I8)
    places = shift(g, 5000, room(255 * 255))
    return g.add(o.QMul(x, y, zero(g), zero(g), multiplier(g), places, **output(g)))


def qavg_pool(g: Grower) -> Value:
    limits = output(g)
    return g.add(o.QAvgPool2d(image(g), g.pair(1, 3), **g.geometry(), min=limits["min"], max=limits["max"]))


def max_pool(g: Grower) -> Value:
    """The float operator, which takes int8 as it is."""
    return g.add(o.MaxPool2d(image(g), g.pair(1, 3), **g.geometry()))


def qmean(g: Grower) -> Value:
    x = image(g)
    elements = x.shape[1] * x.shape[2]
    places = shift(g, 70 * elements, room(255 * elements))
    return g.add(o.QMean(x, zero(g), multiplier(g), places, **output(g)))


def lookup(g: Grower) -> Value:
    rng = np.random.default_rng(g.random.getrandbits(32))
    return g.add(o.Lookup(anything(g), g.builder.constant(rng.integers(-128, 128, 256).astype(np.int8))))


def qsoftmax(g: Grower) -> Value:
    scaling = fixed_point.softmax_scaling(2.0 ** g.random.uniform(-14, 3))
    return g.add(o.QSoftmax(anything(g, 1), *scaling))


def quantize(g: Grower) -> Value:
    """A step: operands that were computed may round to either side of it, so a smooth module quantises inputs alone."""
    x = g.fresh(g.shape(), DType.F32) if g.smooth else g.floating()
    scale, to = g.random.choice([1 / 16, 1 / 127, 0.037, 1.0]), g.random.choice([I8, I8, DType.U8])
    low, high = to.limits
    return g.add(o.Quantize(x, scale, g.random.choice([0, low, high, g.random.randint(low, high)]), to))


def dequantize(g: Grower) -> Value:
    x = g.pick(lambda v: v.dtype.is_integer, g.shape(), g.random.choice([I8, I8, DType.U8, I32]))
    axis = g.random.randrange(x.type.rank) if x.type.rank and g.chance(0.4) else 0
    count = x.shape[axis] if axis else 1
    scales = tuple(g.random.choice([1 / 16, 1 / 127, 0.037]) for _ in range(count))
    low, high = x.dtype.limits if x.dtype.bytes <= 2 else (0, 0)
    return g.add(o.Dequantize(x, scales, tuple(g.random.randint(low, high) for _ in range(count)), axis))


def chain(g: Grower) -> None:
    """A quantised network in small: convolutions, pooling, addition, mean, dense, softmax."""
    for _ in range(g.random.randint(1, 3)):
        g.random.choice([qconv, qdepthwise])(g)
        g.random.choice([lookup, qavg_pool, qadd, max_pool])(g)
    qmean(g)
    qdense(g)
    qsoftmax(g)


MAKERS: dict[type[Op], Callable[[Grower], object]] = {
    o.QConv2d: qconv,
    o.QDepthwiseConv2d: qdepthwise,
    o.QDense: qdense,
    o.QAdd: qadd,
    o.QMul: qmul,
    o.QAvgPool2d: qavg_pool,
    o.QMean: qmean,
    o.Lookup: lookup,
    o.QSoftmax: qsoftmax,
    o.Quantize: quantize,
    o.Dequantize: dequantize,
}
