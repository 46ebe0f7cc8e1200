"""The factors and zero points of sums, products and means, against the scales that they stand for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from tinyc.compiler.verify import VerificationError
from tinyc.compiler.witness.arithmetic import LEAST, MULTIPLIER, computes, half_unit
from tinyc.compiler.witness.behind import behind_moves
from tinyc.compiler.witness.fixed import factor
from tinyc.compiler.witness.kinds import COMPUTING, GIVING
from tinyc.compiler.witness.region import OFFSET, Region
from tinyc.ir.concern import Concern
from tinyc.ir.ops import (
    Add,
    AvgPool2d,
    Constant,
    CumSum,
    Div,
    Lookup,
    MatMul,
    MaxPool2d,
    Mul,
    QAdd,
    QAvgPool2d,
    QCumSum,
    QDiv,
    QMatMul,
    QMean,
    QMul,
    QNorm,
    QPRelu,
    QRecurrent,
    QSoftmax,
    QSum,
    ReduceMean,
    ReduceSum,
    Requantise,
    Sub,
)
from tinyc.ir.ops.layer import IntegerLayer, LinearLayer
from tinyc.ir.ops.qinterpolate import OfLines
from tinyc.ir.types import DType


@dataclass(frozen=True)
class Scales:
    """What operands and result stand for: scales, and int8 zero points."""

    taken: tuple[float, ...]
    zeros: tuple[int, ...]
    out: float
    out_zero: int


@dataclass(frozen=True)
class Factors:
    """How steps of a result follow from those of its operands.

    Attributes:
        by_name: factors, as errors call them.
        zeros: the zero points of the operands.
        out_zero: the zero point of the result.
        halves: what factors may be off by beside the rounding of a multiplier of 31 bits, where they are whole numbers
            of some unit: half of it.
    """

    by_name: Mapping[str, float]
    zeros: tuple[int, ...]
    out_zero: int
    halves: Mapping[str, float] = field(default_factory=dict)

    def comparable(self, other: Factors) -> bool:
        """Whether both are of one kind of operator."""
        return self.by_name.keys() == other.by_name.keys() and len(self.zeros) == len(other.zeros)


FACTORS: Concern[Callable[..., Factors]] = Concern(
    "factors", "register them in compiler/witness/factors.py (`FACTORS`)"
)
"""By operator: of one on integers, its own; of one of the quantised module, those that it has with scales. Both are
given the operator and these."""
FACTORS.refuse("layers.py compares its constants, a channel each", IntegerLayer, LinearLayer)
FACTORS.refuse("layers.py compares its one constant", QSoftmax)
FACTORS.refuse("it is a table, which tables.py compares", Lookup, OfLines)
FACTORS.refuse("operands and result have one scale", *GIVING, MaxPool2d, QAvgPool2d)
FACTORS.refuse("it becomes a table, or stays in float", *COMPUTING)
FACTORS.refuse("recurrent.py holds its steps against those in float", QRecurrent)
FACTORS.refuse("its result is held against that of several operators", QNorm, QPRelu)
FACTORS.refuse("it has no operands", Constant)


def check_factors(region: Region) -> bool:
    """Whether the region is a sum, product or mean whose factors could be compared, and were.

    Raises:
        VerificationError: one is not what the scales give.
    """
    found = [n.op for n in region.own.nodes if computes(n.op) and FACTORS.find(type(n.op)) is not None]
    core = region.core.op if region.core is not None and region.rounds_once else None
    defined = FACTORS.find(type(core)) if core is not None else None
    scales = _scales(region)
    if len(found) != 1 or core is None or defined is None or scales is None:
        return False
    given, wanted = FACTORS.of(found[0])(found[0], scales), defined(core, scales)
    if not given.comparable(wanted):
        return False
    for name, value in given.by_name.items():
        _same(region, name, value, wanted.by_name[name], given.halves.get(name, 0.0))
    if given.zeros != wanted.zeros:
        raise VerificationError(
            f"{region.where}: the zero points of its operands are {list(given.zeros)}, defined as {list(wanted.zeros)}"
        )
    if given.out_zero != wanted.out_zero:
        raise VerificationError(
            f"{region.where}: the zero point of its result is {given.out_zero}, defined as {wanted.out_zero}"
        )
    return True


def _scales(region: Region) -> Scales | None:
    """What the operands of a region's core and its result stand for; None where these are not integers by one scale."""
    if region.core is None or region.quantize is None:
        return None
    behind = [behind_moves(region.meant, v) for v in region.core.op.operands]
    taken = [d for d in behind if d is not None and d.whole()]
    if len(taken) < len(behind):
        return None
    out = region.quantize.op
    return Scales(
        tuple(float(np.float32(d.scale[0])) for d in taken),
        tuple(_signed(d.zero[0], d.x.dtype) for d in taken),
        float(np.float32(out.scale)),
        _signed(out.zero, out.to),
    )


@FACTORS(QMean, QSum, QCumSum, Requantise)
def _own_mean(op: QMean | QSum | QCumSum | Requantise, _: Scales) -> Factors:
    return Factors({"factor": float(factor(op.multiplier, op.shift))}, (op.zero,), op.out_zero)


@FACTORS(QMul)
def _own_product(op: QMul, _: Scales) -> Factors:
    zeros = tuple(sorted((op.x_zero, op.y_zero)))
    return Factors({"factor": float(factor(op.multiplier, op.shift))}, zeros, op.out_zero)


@FACTORS(QDiv)
def _own_quotient(op: QDiv, _: Scales) -> Factors:
    value, half = op.factor * 2.0**-op.places, 0.5 * 2.0**-op.places
    return Factors({"factor": value}, (op.x_zero, op.y_zero), op.out_zero, {"factor": half})


@FACTORS(QMatMul)
def _own_matrix_product(op: QMatMul, _: Scales) -> Factors:
    return Factors({"factor": float(factor(op.multiplier, op.shift))}, (op.x_zero, op.y_zero), op.out_zero)


@FACTORS(QAdd)
def _own_sum(op: QAdd, _: Scales) -> Factors:
    last = float(factor(op.out_multiplier, op.out_shift)) * 2.0**op.left
    pairs = (op.x_multiplier, op.x_shift), (op.y_multiplier, op.y_shift)
    found = _of_two([float(factor(*pair)) * last for pair in pairs], (op.x_zero, op.y_zero), op.out_zero)
    return replace(found, halves=dict(zip(found.by_name, (half_unit(op, *pair) for pair in pairs), strict=True)))


@FACTORS(ReduceMean)
def _mean(op: ReduceMean, scales: Scales) -> Factors:
    return Factors({"factor": scales.taken[0] / (op.count() * scales.out)}, scales.zeros, scales.out_zero)


@FACTORS(ReduceSum, CumSum)
def _total(op: ReduceSum | CumSum, scales: Scales) -> Factors:
    return Factors({"factor": scales.taken[0] / scales.out}, scales.zeros, scales.out_zero)


@FACTORS(AvgPool2d)
def _pool(op: AvgPool2d, scales: Scales) -> Factors:
    """A mean over all rows and columns, where an integer mean stands for it."""
    count = op.x.shape[1] * op.x.shape[2]
    return Factors({"factor": scales.taken[0] / (count * scales.out)}, scales.zeros, scales.out_zero)


@FACTORS(Mul)
def _product(op: Mul, scales: Scales) -> Factors:
    x, y = scales.taken
    return Factors({"factor": x * y / scales.out}, tuple(sorted(scales.zeros)), scales.out_zero)


@FACTORS(MatMul)
def _matrix_product(op: MatMul, scales: Scales) -> Factors:
    x, y = scales.taken
    return Factors({"factor": x * y / scales.out}, scales.zeros, scales.out_zero)


@FACTORS(Div)
def _quotient(op: Div, scales: Scales) -> Factors:
    x, y = scales.taken
    return Factors({"factor": x / (y * scales.out)}, scales.zeros, scales.out_zero)


@FACTORS(Add)
def _sum(op: Add, scales: Scales) -> Factors:
    return _of_two([scale / scales.out for scale in scales.taken], scales.zeros, scales.out_zero)


@FACTORS(Sub)
def _difference(op: Sub, scales: Scales) -> Factors:
    x, y = scales.zeros
    # -1 - q stands for the negated value.
    return _of_two([scale / scales.out for scale in scales.taken], (x, -1 - y), scales.out_zero)


def _of_two(factors: list[float], zeros: tuple[int, ...], out_zero: int) -> Factors:
    x, y = factors
    return Factors({"factor of its first operand": x, "factor of its second operand": y}, zeros, out_zero)


def _signed(zero: int, dtype: DType) -> int:
    """A zero point as int8 has it."""
    return zero - (OFFSET if dtype is DType.U8 else 0)


def _same(region: Region, what: str, given: float, wanted: float, half: float) -> None:
    if abs(given - wanted) > MULTIPLIER * wanted + LEAST + half:
        raise VerificationError(
            f"{region.where}: the {what} is {given:.9g} where the scales give {wanted:.9g} ({given / wanted - 1:+.3%})"
        )
