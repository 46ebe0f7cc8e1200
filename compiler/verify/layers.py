"""One layer's error each: a module walked operator by operator beside the arrays of a witness.

Where the witness has an array for a value, the operator's result is compared with it, and the walk goes on with the
witness's array. So an error is seen at the layer that makes it, and no rounding before it is held against a layer.

What rounding may do is followed where it matters: an operator that jumps (quantize, floor, a comparison) gives one
value or the next where its operand stands at a step, so its result is an interval, until the walk is back on the
witness's arrays.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tinyc.backends.interpreter.threads import in_one_thread
from tinyc.compiler.verify.gaps import ABSOLUTE, Gap, gap
from tinyc.ir.module import Module, Node, made
from tinyc.ir.op import Op, Value
from tinyc.ir.ops import Dequantize
from tinyc.ir.tensor import Array
from tinyc.passes.core.base import steps_of

LAYER = 2e-5
"""Largest difference allowed between float results of one layer on the same operands, relative to the largest magnitude
of the result. Sums of some thousand products in float32, added in another order, differ by about 1e-6 of it; functions
that are approximated (sigmoid, erf, tanh) by up to 3e-7 of 1; the rest is for results smaller than their products."""

SAME = 2.0**-22
"""Relative difference allowed between equal operands: two units in the last place of float32, for who multiplies by the
inverse of a scale instead of dividing by it."""

Bounds = tuple[Array, Array]


class Walk:
    """The arrays of a module on the way, those of the witness where it has been.

    Args:
        module: what is walked.
        inputs: one array an input.
        steps: by how many an integer result may differ from the witness's.
        relative: by how much a float may, relative to the largest of the result.
    """

    def __init__(self, module: Module, inputs: Sequence[Array], steps: int = 0, relative: float = LAYER) -> None:
        self._module, self._steps, self._relative = module, steps, relative
        self.known: dict[Value, Array] = dict(zip(module.inputs, inputs, strict=True))
        self._given = set(module.inputs)
        self._bounds: dict[Value, Bounds] = {}

    @in_one_thread
    def apply(self, node: Node) -> Array:
        """Computes a node from what is known."""
        operands = [self.known[v] for v in node.op.operands]
        with np.errstate(all="ignore"):
            result = node.op.run(operands)
            if node.op.elementwise() or node.op.jumps() or node.op.passes_on():
                self._follow(node, operands, result)
        self.known[node.result] = result
        if node.op.constant() is not None:
            self._given.add(node.result)
        return result

    def doubt(self, value: Value) -> None:
        """States that a computed integer has no witness: it may be `steps` off."""
        array = self.known[value]
        limits = np.iinfo(array.dtype)
        wide, steps = array.astype(np.int64), steps_of(self._steps, array.dtype)
        low, high = np.maximum(wide - steps, limits.min), np.minimum(wide + steps, limits.max)
        self._bounds[value] = low.astype(array.dtype), high.astype(array.dtype)

    def take(self, value: Value, array: Array) -> None:
        """Goes on with the witness's array of a value."""
        self.known[value] = array
        self._given.add(value)
        self._bounds.pop(value, None)

    def difference(self, node: Node, other: Array) -> Gap | None:
        """What of a node's result is not the witness's by more than rounding explains; None for nothing."""
        own = self.known[node.result]
        if np.array_equal(own, other, equal_nan=own.dtype.kind == other.dtype.kind == "f"):
            return None
        operands = [self.known[v] for v in node.op.operands]
        undefined = node.op.undefined(*operands)
        if undefined is not None:
            other = np.where(undefined, own, other)
        found = gap(own, other, node.where)
        bounds = self._bounds.get(node.result)
        if own.dtype.kind == "f":
            integers = made(node, Dequantize)
            step = max(integers.op.scale) if integers is not None else 0.0
            steps = steps_of(self._steps, operands[0].dtype) if integers is not None else self._steps
            slack = max(allowed(node.op, operands, found, self._relative), steps * step * (1 + SAME))
            if found.absolute <= slack:
                return None
        else:
            slack = float(steps_of(self._steps, own.dtype))
            if bounds is None and found.absolute <= slack:
                return None
        if bounds is None:
            return found
        low, high = (b.astype(np.float64) for b in bounds)
        wide = other.astype(np.float64)
        inside = (low - slack <= wide) & (wide <= high + slack)
        inside |= own == other
        inside |= np.isnan(wide) & np.isnan(own.astype(np.float64))
        if inside.all():
            return None
        index = tuple(int(i) for i in np.unravel_index(int(np.argmin(inside)), inside.shape))
        return found.at(index, float(own[index]), float(other[index]))

    def _follow(self, node: Node, operands: Sequence[Array], result: Array) -> None:
        """Bounds of what rounding may make of the result of an operator that jumps, or that takes what has bounds:
        those that it tells itself (`Op.spread`), else the least and the largest result on all corners of its operands'
        bounds. What moves elements moves their bounds."""
        op = node.op
        if not op.jumps() and not any(v in self._bounds for v in op.operands):
            return
        corners = [(array, *self._around(v, array)) for v, array in zip(op.operands, operands, strict=True)]
        if len(corners[0]) == 3 and (spread := op.spread(*corners[0][1:])) is not None:
            self._bounds[node.result] = spread
            return
        low = high = result
        ends = zip(*(c * 2 if len(c) == 1 else c[1:] for c in corners), strict=True)
        for corner in itertools.product(*corners) if op.elementwise() else ends:
            other = op.run(list(corner))
            low, high = np.minimum(low, other), np.maximum(high, other)
        self._bounds[node.result] = low, high

    def _around(self, value: Value, array: Array) -> Bounds | tuple[()]:
        """What rounding may have made of an operand; nothing where it cannot have made anything."""
        if value in self._bounds:
            return self._bounds[value]
        if not value.dtype.is_float or self._module.constant(value) is not None:
            return ()
        if value in self._given:
            margin = np.abs(array) * SAME
        else:
            largest = float(np.abs(array[np.isfinite(array)]).max(initial=0.0))
            margin = np.full_like(array, max(ABSOLUTE, self._relative * largest))
        return (array - margin).astype(array.dtype), (array + margin).astype(array.dtype)


@dataclass(frozen=True)
class Difference:
    """A node whose result is not the witness's on the witness's own operands, and how far the two are apart."""

    node: Node
    own: Array
    other: Array
    gap: Gap
    _walk: Walk

    def agrees_with(self, array: Array) -> bool:
        """Whether the result is this array, but for rounding."""
        return self.own.shape == array.shape and self._walk.difference(self.node, array) is None


def differences(
    module: Module, inputs: Sequence[Array], witness: Mapping[Value, Array], steps: int = 0
) -> Iterator[Difference]:
    """The nodes whose results are not the witness's, each on the witness's own operands, in order.

    Args:
        module: what is compared.
        inputs: one array an input.
        witness: arrays of values of the module, as many as there are.
        steps: by how many an integer result may differ.
    """
    walk = Walk(module, inputs, steps)
    for node, left in zip(module.nodes, _last_uses(module), strict=True):
        own = walk.apply(node)
        other = witness.get(node.result)
        if other is not None:
            found = walk.difference(node, other)
            if found is not None:
                yield Difference(node, own, other, found, walk)
            walk.take(node.result, np.asarray(other).astype(own.dtype, copy=False).reshape(own.shape))
        for value in left:
            del walk.known[value]


def allowed(op: Op, operands: Sequence[Array], found: Gap, relative: float = LAYER) -> float:
    """By how much float results of an operator on the same operands may differ: relative to the largest of them, or,
    where they are zero but for the rounding of the operands, or of the products of these, by that: `ABSOLUTE` where
    numbers are around 1, less where all are smaller.

    Sums of n products, whose sizes add up to s, are off by more where they cancel. Added one after the other in
    float32, each addition rounds what has come together by 2^-24 of it at most, up or down as it comes: about
    s * 2^-24 * sqrt(n) / 6 in all, and six times that is allowed."""
    sizes = [float(np.abs(a[np.isfinite(a)]).max(initial=0.0)) for a in operands if a.dtype.kind == "f"]
    if op.multiplies() and len(sizes) > 1:
        sizes = [sizes[0] * sizes[1], *sizes[2:]]
    most = max(ABSOLUTE * min(1.0, max(sizes, default=0.0)), relative * found.scale)
    return max(most, _of_sums(op, operands)) if found.absolute > most and op.macs() else most


def _of_sums(op: Op, operands: Sequence[Array]) -> float:
    """What rounding may make of the sums of an operator, which have been added one after the other."""
    free = op if op.limits() is None else op.limited(-math.inf, math.inf)
    sums = free.run([np.abs(a) for a in operands])
    largest = float(np.abs(sums[np.isfinite(sums)]).max(initial=0.0))
    return largest * 2.0**-24 * math.sqrt(op.macs() / max(op.type.size, 1))


def jumps(module: Module) -> bool:
    """Whether a module has an operator whose result jumps: rounding before it may move all that comes after."""
    return any(node.op.jumps() for node in module.nodes)


def _last_uses(module: Module) -> Iterable[list[Value]]:
    """For each node, the values that no later node takes."""
    last: dict[Value, int] = {}
    for number, node in enumerate(module.nodes):
        last[node.result] = number
        last.update(dict.fromkeys(node.op.operands, number))
    dying: list[list[Value]] = [[] for _ in module.nodes]
    for value, number in last.items():
        dying[number].append(value)
    return dying
