"""One quantised value on the same integers: what the integer module makes of them, against what it is defined as."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from tinyc.compiler.verify import ABSOLUTE, RELATIVE, VerificationError
from tinyc.compiler.witness.arithmetic import FAR, far
from tinyc.compiler.witness.behind import chosen
from tinyc.compiler.witness.definition import evaluate
from tinyc.compiler.witness.ran import Ran, run_region
from tinyc.compiler.witness.region import OFFSET, Region, offset
from tinyc.compiler.witness.tables import table_steps
from tinyc.ir.module import Node, made
from tinyc.ir.op import Value
from tinyc.ir.ops import Dequantize, Equal, Less, Quantize
from tinyc.ir.ops.layer import IntegerLayer
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType

FLOAT_STEPS = 0.1
"""Steps of the result by which onnxruntime's float32 arithmetic may be off: a sum rounds by 2^-24 of its partial sums
at each product, 0.25 for 1,000 products and sums of 2^12 steps if all err one way, a thirtieth of that if they do not.
What would be a fault, a wrong scale or zero point, is off by whole steps."""
WIDER = 32
"""How many times as many steps of int16, of which 256 are one of int8: partial sums have as many more, and next to all
of them are smaller than the result."""
EXACT = 1e-9
"""Steps by which float64 sums may be off."""
ONE_PRODUCT = 2.0**-23
"""Relative error of a product of float32 numbers, and to spare."""


@dataclass
class Witnessed:
    """What was held against what.

    Attributes:
        layers: integer operators held against the definition of their result.
        constants: how many of them had multipliers, weights, bias, padding and limits compared one by one.
        arithmetic: how many operators were computed again in exact integers.
        steps: the largest distance of a result from the real number that the definition gives, in steps of the result.
        reference: the same of onnxruntime's results; None where it could not be asked.
        because: why it could not.
        left: operators that no definition was found for.
    """

    layers: int = 0
    constants: int = 0
    arithmetic: int = 0
    steps: float = 0.0
    reference: float | None = None
    because: str = ""
    left: list[str] = field(default_factory=list)


def check_region(
    region: Region,
    own: Mapping[Value, Array],
    known: Mapping[Value, Array],
    found: Witnessed,
    meaning: Mapping[Value, Array] | None = None,
    coarser: float = 1.0,
) -> None:
    """Runs a region on the reference's numbers, or on its own where the reference has none, and compares.

    Args:
        region: what to run.
        own: arrays of the integer module.
        known: the reference's arrays, of values of the quantised module.
        found: what has been found so far; added to.
        meaning: steps of quantised values that are given with fractions, in place of integers.
        coarser: how large these steps are, in those of the region's own operand.

    Raises:
        VerificationError: the region's result is further from its definition than rounding explains.
    """
    asked = all(m in known for _, m in region.taken)
    operands = {v: _signed(known[m], v) if asked else own[v] for v, m in region.taken}
    given = {
        m: operands[v].astype(np.int64) - offset(v, m) if v.dtype.is_integer else operands[v] for v, m in region.taken
    }
    given.update({m: steps for m, steps in (meaning or {}).items() if m in given})
    ran = run_region(region, operands)
    if meaning and ran.error is not None:
        ran = replace(ran, error=ran.error + _rounded_again(region) * coarser)
    if region.quantize is not None:
        _check_rounded(region, region.quantize.op, ran, given, known if asked else {}, found)
    elif region.node.result.dtype is DType.BOOL:
        _check_decided(region, ran.array, given)
    elif not ran.rounds:
        _check_floats(region, ran.array, evaluate(region.meant.nodes, given, region.definition.result))


def _rounded_again(region: Region) -> float:
    """Steps of the result that half a unit of biases is. Layers that take numbers with fractions have biases which were
    rounded in units of layers for whole ones before."""
    units = [0.0]
    for layer in region.own.made_by(IntegerLayer):
        multiplier, shift = region.own.constant(layer.op.multiplier), region.own.constant(layer.op.shift)
        if multiplier is not None and shift is not None and multiplier.size:
            units.append(float(np.ldexp(multiplier.astype(np.float64), shift.astype(np.int64) - 31).max()))
    return 0.5 * max(units)


def _check_rounded(
    region: Region,
    op: Quantize,
    ran: Ran,
    given: Mapping[Value, Array],
    known: Mapping[Value, Array],
    found: Witnessed,
) -> None:
    """Compares integers with the real numbers that they round, and onnxruntime's with the same if they are known."""
    free, low, high = region.limits
    result = region.definition.result
    steps = evaluate(region.meant.nodes, given, result, free=free)
    shift = offset(region.node.result, result)
    if ran.unrounded is not None:
        _check_real(region, *ran.unrounded, steps + shift, far(op.to))
    if ran.error is None:
        found.left.append(region.where)
        return
    # What only moves integers rounds nothing, but its definition may: a pad's constant, or a table that is no change.
    error = max(ran.error, 0.5)
    scale = float(np.float32(op.scale))
    ends = [np.clip(steps, low / scale + op.zero, high / scale + op.zero)]
    judged = [_Judged("its result", ran.array, shift, error)]
    if result in known:
        floats = FLOAT_STEPS * (WIDER if op.to is DType.I16 else 1)
        judged.append(_Judged("onnxruntime's result", known[result], 0, error + floats))
    inside = any(n.result != result for n in region.meant.made_by(Quantize))
    if inside and any(j.gap(ends, op).max(initial=0.0) > j.allowed for j in judged):
        # Integers inside may be rounded either way where they lie between two steps.
        nudge = max(table_steps(op.to), error - 0.5)
        ends += [evaluate(region.meant.nodes, given, result, n) for n in (-nudge, nudge)]
    own, *reference = (j.check(region, ends, op) for j in judged)
    found.steps = max(found.steps, own)
    if reference:
        found.reference = max(found.reference or 0.0, *reference)


@dataclass(frozen=True)
class _Judged:
    """Integers that are held against real numbers.

    Attributes:
        what: what errors call them.
        integers: int8, or uint8 as the quantised module has them.
        shift: what is to be added to the quantised module's steps.
        allowed: steps that rounding explains.
    """

    what: str
    integers: Array
    shift: int
    allowed: float

    def gap(self, ends: Sequence[Array], op: Quantize) -> Array:
        """How far the integers lie outside of the range of some numbers, in steps of their quantize; 0 where these are
        none, and have no integer."""
        wide = self.integers.astype(np.float64) - self.shift
        within = [np.clip(e, *op.to.limits) for e in ends]
        gap = np.maximum(np.minimum.reduce(within) - wide, wide - np.maximum.reduce(within))
        return np.asarray(np.where(np.isnan(gap), 0.0, np.maximum(gap, 0.0)))

    def check(self, region: Region, ends: Sequence[Array], op: Quantize) -> float:
        """The largest distance from the numbers. Raises `VerificationError` when it is more than is allowed; the first
        of the numbers is what the definition says."""
        gap = self.gap(ends, op)
        worst = float(gap.max(initial=0.0))
        if worst > self.allowed:
            at = tuple(int(i) for i in np.unravel_index(int(np.argmax(gap)), gap.shape))
            steps = ends[0][at] + self.shift
            raise VerificationError(
                f"{region.where}: {self.what} at {list(at)} is {int(self.integers[at])}, defined as {steps:.4f} before "
                f"rounding ({gap[at]:.3f} steps off, rounding explains {self.allowed:.3f}; "
                f"{int((gap > self.allowed).sum())} of {gap.size} elements)"
            )
        return worst


def _signed(array: Array, value: Value) -> Array:
    """An array of the reference as a value of the integer module has it."""
    unsigned = array.dtype == np.uint8 and value.dtype is DType.I8
    return (
        (array.astype(np.int16) - OFFSET).astype(np.int8) if unsigned else array.astype(value.dtype.numpy, copy=False)
    )


def _check_real(region: Region, real: Array, allowed: Array, steps: Array, hidden: float) -> None:
    """Before rounding, integers and definition differ by what the constants' own roundings explain."""
    real, steps = (np.clip(a, -hidden, hidden) for a in (real, steps))
    over = np.abs(real - steps) - allowed - EXACT * hidden / FAR
    over = np.where(np.isnan(over), 0.0, over)
    if over.size and over.max() > 0:
        worst = int(np.argmax(over))
        at = [int(i) for i in np.unravel_index(worst, over.shape)]
        raise VerificationError(
            f"{region.where}: before rounding, element {at} is {real.flat[worst]:.7g} steps, defined as "
            f"{steps.flat[worst]:.7g} (the rounding of its constants explains {allowed.flat[worst]:.2g})"
        )


def _check_decided(region: Region, array: Array, given: Mapping[Value, Array]) -> None:
    """Booleans are those of real numbers, but where a comparison is of two that float32 may make equal."""
    defined = evaluate(region.meant.nodes, given, region.definition.result)
    wrong = array != defined
    if made(region.definition, Less) is not None or made(region.definition, Equal) is not None:
        x, y = (evaluate(region.meant.nodes, given, v) for v in region.definition.op.operands)
        with np.errstate(invalid="ignore"):
            wrong &= ~(np.abs(x - y) <= 2 * ONE_PRODUCT * np.maximum(np.abs(x), np.abs(y)))
    if wrong.any():
        at = tuple(int(i[0]) for i in np.nonzero(wrong))
        raise VerificationError(
            f"{region.where}: element {list(at)} is {array[at]}, defined as {defined[at]} ({int(wrong.sum())} of "
            f"{wrong.size} differ)"
        )


def _check_floats(region: Region, array: Array, real: Array) -> None:
    """Integers as real numbers, one float32 product each; or what floats give, as near as float32 is elsewhere."""
    if all(_is_exact(n) for n in region.own.nodes):
        allowed = ONE_PRODUCT * np.abs(real)
    else:
        finite = np.abs(real[np.isfinite(real)])
        allowed = np.full(real.shape, max(RELATIVE * float(finite.max(initial=0.0)), ABSOLUTE))
    with np.errstate(invalid="ignore"):
        over = np.abs(array.astype(np.float64) - real) - allowed
    over = np.where(np.isnan(over), 0.0, over)  # infinity from itself, and what is no number
    if over.size and over.max() > 0:
        worst = int(np.argmax(over))
        raise VerificationError(
            f"{region.where}: an element is {array.flat[worst]:.9g}, defined as {real.flat[worst]:.9g}"
        )


def _is_exact(node: Node) -> bool:
    """Whether a node rounds no float but the product of a dequantize."""
    return node.op.constant() is not None or bool(chosen(node)) or made(node, Dequantize) is not None
