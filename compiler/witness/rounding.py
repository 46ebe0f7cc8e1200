"""The interpreter's rounding where it decides: sums on either side of ties, and at the ends of int32."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from tinyc.compiler.verify import VerificationError
from tinyc.compiler.witness import arithmetic
from tinyc.compiler.witness.kinds import COMPUTING, GIVING, SUMMING
from tinyc.ir.concern import Concern
from tinyc.ir.module import Module
from tinyc.ir.op import Value
from tinyc.ir.ops import (
    Constant,
    Lookup,
    MaxPool2d,
    QAdd,
    QAvgPool2d,
    QCumSum,
    QDense,
    QDiv,
    QMatMul,
    QMean,
    QMul,
    QNorm,
    QPRelu,
    QRecurrent,
    QSoftmax,
    QSum,
    Quantize,
    Requantise,
)
from tinyc.ir.ops.layer import IntegerLayer
from tinyc.ir.ops.qinterpolate import OfLines
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType, TensorType

HALVING = (2**30, 0)
"""A multiplier that halves: odd sums are ties of the high multiply."""
EIGHTHS = (2**30, -2)
"""A shift whose ties are tried whether a module has any shifts or not."""
TIES = range(-3, 3)
EACH = 4
"""Multipliers of each shift that are tried."""

Pair = tuple[int, int]

REQUANTISED: Concern[Callable[..., Iterable[Pair]]] = Concern(
    "multipliers", "register them in compiler/witness/rounding.py (`REQUANTISED`)"
)
"""By operator: the multipliers and shifts by which it requantises, given the operator and its module."""
REQUANTISED.refuse("it gives elements of its operands", *GIVING, MaxPool2d, Lookup, OfLines)
REQUANTISED.refuse("it has no multiplier", *COMPUTING, *SUMMING, QAvgPool2d, QDiv, Constant)
REQUANTISED.refuse("its multiplier scales a difference, and is held against the scale (layers.py)", QSoftmax)


def check_rounding(module: Module) -> None:
    """Requantises sums at ties by every factor of a module, and quantises numbers between two steps, as the interpreter
    does, and in exact arithmetic.

    Raises:
        VerificationError: they differ.
    """
    cases = [(x, m, s) for m, s in dict.fromkeys((HALVING, EIGHTHS, *_some(module))) for x in _sums(m, s)]
    sums, multipliers, shifts = (np.asarray(column, np.int64) for column in zip(*cases, strict=True))
    # A zero times a zero weight leaves the bias as the sum.
    x = np.zeros((1, 1), np.int8)
    vectors = [v.astype(np.int32) for v in (sums, multipliers, shifts)]
    arrays: list[Array] = [x, np.zeros((len(cases), 1), np.int8), *vectors]
    x_, w, b, m, s = (Value(f"v{k}", TensorType(a.shape, DType.of(a.dtype))) for k, a in enumerate(arrays))
    op = QDense(x_, w, b, m, s)
    exact = arithmetic.compute(op, arrays)
    assert exact is not None
    if (wrong := exact.integers != op.run(arrays)).any():
        k = int(np.argmax(wrong.reshape(-1)))
        raise VerificationError(
            f"requantise: the sum {sums[k]} with multiplier {multipliers[k]} and shift {shifts[k]} becomes "
            f"{op.run(arrays).reshape(-1)[k]}, exactly {exact.integers.reshape(-1)[k]}"
        )
    steps = np.arange(-9, 9)
    halves = (steps.astype(np.float32) + np.float32(0.5)) * np.float32(0.5)
    given = Quantize(Value("x", TensorType(halves.shape, DType.F32)), 0.5, 3).run([halves])
    even = np.where(steps % 2 == 0, steps, steps + 1) + 3
    if (wrong := given != even).any():
        k = int(np.argmax(wrong))
        raise VerificationError(
            f"quantize: {steps[k] + 0.5} steps become {given[k] - 3}, the even neighbour is {even[k] - 3}"
        )


def _some(module: Module) -> Iterator[Pair]:
    """Of each shift, a few of the multipliers that come with it."""
    seen: Counter[int] = Counter()
    for multiplier, shift in dict.fromkeys(_factors(module)):
        seen[shift] += 1
        if seen[shift] <= EACH:
            yield multiplier, shift


def _factors(module: Module) -> Iterator[Pair]:
    """All multipliers and shifts of a module."""
    for node in module.nodes:
        pairs = REQUANTISED.find(type(node.op))
        if pairs is not None:
            yield from pairs(node.op, module)


@REQUANTISED(QAdd)
def _of_sum(op: QAdd, _: Module) -> Iterable[Pair]:
    return (op.x_multiplier, op.x_shift), (op.y_multiplier, op.y_shift), (op.out_multiplier, op.out_shift)


@REQUANTISED(QMul, QMatMul, QMean, QNorm, QPRelu, QSum, QCumSum, QRecurrent, Requantise)
def _of_one(op: Any, _: Module) -> Iterable[Pair]:
    return ((op.multiplier, op.shift),)


@REQUANTISED(IntegerLayer)
def _of_channels(op: IntegerLayer, module: Module) -> Iterable[Pair]:
    multipliers, shifts = module.constant(op.multiplier), module.constant(op.shift)
    if multipliers is None or shifts is None:
        return ()
    return zip(multipliers.tolist(), shifts.tolist(), strict=True)


def _sums(multiplier: int, shift: int) -> Iterator[int]:
    """Sums around which a factor's results change, and the largest and smallest ones."""
    room = (2**31 - 129) >> max(shift, 0)
    found = {0, 1, -1, room, -room, 3, -3}
    unit = 2 ** max(-shift, 0)
    for tie in TIES if multiplier else ():
        # What the high multiply gives is a multiple of the shift's unit and a half.
        middle = (2 * tie + 1) * unit * 2**31 // (2 * multiplier * 2 ** max(shift, 0))
        found.update(range(middle - 1, middle + 2))
    yield from (x for x in sorted(found) if abs(x) <= room)
