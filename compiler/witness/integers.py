"""Integer operators against what the quantised module means, layer by layer, on the same integers.

Each operator is run on the integers that the reference (onnxruntime, on the module as QDQ) has before it. Its result is
held against three things: exact integer arithmetic, bit for bit; the real number that the definition gives before it is
rounded; and that number rounded, from which onnxruntime's integers are not far either.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from tinyc.backends.interpreter import run_module
from tinyc.compiler.verify import ABSOLUTE, RELATIVE, VerificationError
from tinyc.compiler.witness import arithmetic
from tinyc.compiler.witness.definition import evaluate
from tinyc.compiler.witness.factors import check_factors
from tinyc.compiler.witness.layers import check_layer, check_softmax
from tinyc.compiler.witness.ran import run_region
from tinyc.compiler.witness.regions import CHOOSING, OFFSET, Region, find_regions, offset
from tinyc.compiler.witness.rounding import check_rounding
from tinyc.compiler.witness.session import QdqModel
from tinyc.compiler.witness.tables import TABLE_STEPS, check_table
from tinyc.ir.errors import TinycError
from tinyc.ir.module import Module
from tinyc.ir.op import Op, Value
from tinyc.ir.ops import Constant, Dequantize, Quantize
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType
from tinyc.passes.tensor.eliminate_common import EliminateCommon

CONSTANTS = (check_layer, check_factors, check_table, check_softmax)
"""What compares the constants of a region, if they are of a kind that it knows."""
FLOAT_STEPS = 0.1
"""Steps of the result by which onnxruntime's float32 arithmetic may be off: a sum rounds by 2^-24 of its partial sums
at each product, 0.25 for 1,000 products and sums of 2^12 steps if all err one way, a thirtieth of that if they do not.
What would be a fault, a wrong scale or zero point, is off by whole steps."""
EXACT = 1e-9
"""Steps by which float64 sums may be off."""
FAR = 4096.0
"""Steps beyond which int8's limits hide what a result is: a channel without weights may have its bias limited there."""
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


def check_integers(
    quantised: Module, integers: Module, samples: Sequence[Sequence[Array]], say: Callable[[str], None]
) -> Witnessed:
    """Holds every integer operator against its definition.

    Args:
        quantised: float operators between quantize and dequantize.
        integers: what has been made of it.
        samples: inputs of both.
        say: told what is being done.

    Raises:
        VerificationError: an operator differs by more than rounding explains; the message names the layer.
    """
    quantised = EliminateCommon().run(quantised)
    regions, left = find_regions(quantised, integers)
    found = Witnessed(layers=sum(isinstance(r.definition.op, Quantize) for r in regions))
    found.left = [n.where for n in left if arithmetic.computes(n.op)]
    for region in regions:
        found.constants += any(check(region) for check in CONSTANTS)
    say("check the integer arithmetic")
    check_rounding(integers)
    wanted = dict.fromkeys(v for r in regions for v in (r.definition.result, *(meant for _, meant in r.taken)))
    reference: QdqModel | None = None
    try:
        reference = QdqModel(quantised, list(wanted))
        found.reference = 0.0
    except TinycError as error:
        found.because = str(error)
    operators: set[Value] = set()
    for sample in samples:
        say("check the integer layers")
        own: dict[Value, Array] = dict(zip(integers.inputs, sample, strict=True))
        run_module(integers, sample, own.__setitem__)
        known: Mapping[Value, Array] = {}
        if reference is not None:
            known = {**reference.run(sample), **dict(zip(quantised.inputs, sample, strict=True))}
        for node in integers.nodes:
            if _check_arithmetic(node.op, node.where, [own[v] for v in node.op.operands], own[node.result]):
                operators.add(node.result)
        for region in regions:
            check_region(region, own, known, found)
    found.left = list(dict.fromkeys(found.left))
    found.arithmetic = len(operators)
    return found


def _check_arithmetic(op: Op, where: str, operands: Sequence[Array], result: Array) -> bool:
    """Whether an operator computes on integers; raises when its result is not that of exact arithmetic."""
    exact = arithmetic.compute(op, operands)
    if exact is None:
        return False
    wrong = exact.integers != result
    if wrong.any():
        at = tuple(int(i[0]) for i in np.nonzero(wrong))
        raise VerificationError(
            f"{where}: the interpreter's integers are not those of exact arithmetic: element {list(at)} is "
            f"{result[at]}, exactly {exact.integers[at]} ({int(wrong.sum())} of {wrong.size} elements differ)"
        )
    return True


def check_region(
    region: Region,
    own: Mapping[Value, Array],
    known: Mapping[Value, Array],
    found: Witnessed,
    meaning: Mapping[Value, Array] | None = None,
) -> None:
    """Runs a region on the reference's numbers, or on its own where the reference has none, and compares.

    Args:
        region: what to run.
        own: arrays of the integer module.
        known: the reference's arrays, of values of the quantised module.
        found: what has been found so far; added to.
        meaning: steps of quantised values that are given with fractions, in place of integers.

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
    op, result = region.definition.op, region.definition.result
    if not isinstance(op, Quantize):
        if not ran.rounds:
            _check_floats(region, ran.array, evaluate(region.meant, given, result))
        return
    free, low, high = region.limits
    steps = evaluate(region.meant, given, result, free=free)
    shift = offset(region.node.result, result)
    if ran.unrounded is not None:
        _check_real(region, *ran.unrounded, steps + shift)
    if ran.error is None:
        found.left.append(region.where)
        return
    # What only moves integers rounds nothing, but its definition may: a pad's constant, or a table that is no change.
    error = max(ran.error, 0.5)
    scale = float(np.float32(op.scale))
    real = np.clip(steps, low / scale + op.zero, high / scale + op.zero)

    def distances(*ends: Array) -> tuple[Array, Array | None]:
        """How far the integers lie from what they may round, and onnxruntime's."""
        within = [np.clip(e, *op.to.limits) + shift for e in ends]
        reference = known[result].astype(np.int64) + shift if asked and result in known else None
        return _outside(ran.array, within), None if reference is None else _outside(reference, within)

    own_gap, reference_gap = distances(real)
    worst = max(
        own_gap.max(initial=0.0) - error,
        0.0 if reference_gap is None else reference_gap.max(initial=0.0) - error - FLOAT_STEPS,
    )
    if worst > 0 and any(isinstance(n.op, Quantize) for n in region.meant if n is not region.definition):
        # Integers inside may be rounded either way where they lie between two steps.
        nudge = max(TABLE_STEPS, error - 0.5)
        moved = [evaluate(region.meant, given, result, n) for n in (-nudge, nudge)]
        own_gap, reference_gap = distances(real, *moved)
    _check_gap(region, "its result", ran.array, own_gap, real + shift, error)
    found.steps = max(found.steps, float(own_gap.max(initial=0.0)))
    if reference_gap is not None:
        _check_gap(region, "onnxruntime's result", known[result], reference_gap, real, error + FLOAT_STEPS)
        found.reference = max(found.reference or 0.0, float(reference_gap.max(initial=0.0)))


def _signed(array: Array, value: Value) -> Array:
    """An array of the reference as a value of the integer module has it."""
    unsigned = array.dtype == np.uint8 and value.dtype is DType.I8
    return (
        (array.astype(np.int16) - OFFSET).astype(np.int8) if unsigned else array.astype(value.dtype.numpy, copy=False)
    )


def _outside(integers: Array, ends: Sequence[Array]) -> Array:
    """How far integers lie outside of the range of some numbers; 0 where these are none, and have no integer."""
    wide = integers.astype(np.float64)
    gap = np.maximum(np.minimum.reduce(ends) - wide, wide - np.maximum.reduce(ends))
    return np.asarray(np.where(np.isnan(gap), 0.0, np.maximum(gap, 0.0)))


def _check_gap(region: Region, what: str, integers: Array, gap: Array, steps: Array, allowed: float) -> None:
    """Raises when integers lie further from the numbers that they round than is allowed."""
    if gap.max(initial=0.0) > allowed:
        at = tuple(int(i) for i in np.unravel_index(int(np.argmax(gap)), gap.shape))
        raise VerificationError(
            f"{region.where}: {what} at {list(at)} is {int(integers[at])}, defined as {steps[at]:.4f} before rounding "
            f"({gap[at]:.3f} steps off, rounding explains {allowed:.3f}; "
            f"{int((gap > allowed).sum())} of {gap.size} elements)"
        )


def _check_real(region: Region, real: Array, allowed: Array, steps: Array) -> None:
    """Before rounding, integers and definition differ by what the constants' own roundings explain."""
    real, steps = (np.clip(a, -FAR, FAR) for a in (real, steps))
    over = np.abs(real - steps) - allowed - EXACT
    over = np.where(np.isnan(over), 0.0, over)
    if over.size and over.max() > 0:
        worst = int(np.argmax(over))
        at = [int(i) for i in np.unravel_index(worst, over.shape)]
        raise VerificationError(
            f"{region.where}: before rounding, element {at} is {real.flat[worst]:.7g} steps, defined as "
            f"{steps.flat[worst]:.7g} (the rounding of its constants explains {allowed.flat[worst]:.2g})"
        )


def _check_floats(region: Region, array: Array, real: Array) -> None:
    """Integers as real numbers, one float32 product each; or what floats give, as near as float32 is elsewhere."""
    plain = all(isinstance(n.op, (Constant, Dequantize, *CHOOSING)) for n in region.own)
    if plain:
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
