"""Which values share a scale, and the scale and zero point of every quantised value."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tinyc.ir.module import Module, made
from tinyc.ir.op import Form, Op, Value
from tinyc.ir.ops import Clamp
from tinyc.ir.ops.layer import LinearLayer
from tinyc.ir.tensor import Array
from tinyc.passes.core.base import PassError
from tinyc.passes.quantise.calibrate import Range, Ranges
from tinyc.passes.quantise.ranges import STEPS, Parameters, parameters, weight_scales
from tinyc.passes.quantise.units import Unit

HEADROOM = 1.25
"""How much more than was seen the operand of a softmax represents. Its largest numbers decide the result, so none is
clipped, and new inputs go a little beyond those of the calibration."""

REQUANTISED = (Form.LAYER, Form.BINARY, Form.PRODUCT, Form.MEAN)
"""Forms whose results are sums that are requantised to any scale."""


@dataclass(frozen=True)
class Scales:
    """Parameters of every value that is quantised somewhere. An operand of a concat whose scale is fixed by its own
    producer is converted on the way in: see `operand`."""

    of: Mapping[Value, Parameters]

    def operand(self, unit: Unit, value: Value) -> Parameters:
        """With which parameters a unit takes an operand."""
        return self.of[unit.result] if unit.form is Form.SHARING else self.of[value]


class _Groups:
    """Disjoint sets of values that share a scale."""

    def __init__(self) -> None:
        self._parent: dict[Value, Value] = {}

    def root(self, value: Value) -> Value:
        """The set's representative."""
        parent = self._parent.setdefault(value, value)
        if parent == value:
            return value
        self._parent[value] = self.root(parent)
        return self._parent[value]

    def join(self, a: Value, b: Value) -> None:
        """Makes two sets one."""
        self._parent[self.root(a)] = self.root(b)

    def members(self) -> dict[Value, list[Value]]:
        """All sets by representative."""
        found: dict[Value, list[Value]] = {}
        for value in self._parent:
            found.setdefault(self.root(value), []).append(value)
        return found


def absorbed_clamps(module: Module, units: Sequence[Unit]) -> dict[Value, Value]:
    """From results of sums, products and means that only a clamp takes, to the clamp's result.

    The clamp's own range is the one to represent, so both have one scale, and where saturation does what the clamp
    does the clamp disappears.
    """
    producer = {u.result: u for u in units}
    found = {}
    for unit in units:
        if len(unit.nodes) == 1 and made(unit.nodes[0], Clamp) is not None:
            (x,) = unit.operands
            before = producer.get(x)
            alone = len(module.users[x]) == 1 and x not in module.outputs
            if before is not None and alone and before.form in REQUANTISED:
                found[x] = unit.result
    return found


def assign(module: Module, units: Sequence[Unit], ranges: Ranges) -> Scales:
    """Parameters for every value that a unit takes or gives.

    Raises:
        PassError: a value's range is missing.
    """
    groups, clamps = _Groups(), absorbed_clamps(module, units)
    fixed = {u.result: p for u in units if u.form is Form.SOFTMAX and (p := _natural(u.nodes[-1].op)) is not None}
    for unit in units:
        for value in (*unit.operands, unit.result):
            groups.root(value)
        if unit.form is Form.SHARING and len(unit.operands) == 1:
            groups.join(unit.operands[0], unit.result)
    for before, after in clamps.items():
        groups.join(before, after)
    _join_several(units, groups, fixed)
    chosen: dict[Value, Parameters] = {}
    logits = {u.operands[0] for u in units if u.form is Form.SOFTMAX}
    passing = {u.result for u in units if u.form is Form.SHARING} | set(clamps)
    for members in groups.members().values():
        given = _fixed(members, passing, units, fixed)
        if given is None:
            whole = any(v in logits for v in members)
            hull = [_range(module, v, ranges, whole) for v in members if v not in passing]
            hull += [(value, value) for result, value in _pads(units) if result in members]
            given = parameters(min(low for low, _ in hull), max(high for _, high in hull))
        chosen.update(dict.fromkeys(members, given))
    return Scales(_widened(module, units, groups, chosen))


def _join_several(units: Sequence[Unit], groups: _Groups, fixed: Mapping[Value, Parameters]) -> None:
    for unit in units:
        if unit.form is Form.SHARING and len(unit.operands) > 1:
            demanding = {groups.root(v) for v in fixed}
            free = [v for v in unit.operands if groups.root(v) not in demanding]
            for value in free or unit.operands:
                groups.join(value, unit.result)


def _pads(units: Sequence[Unit]) -> list[tuple[Value, float]]:
    """Results of pads, and the number that they pad with."""
    return [(u.result, fill) for u in units if (fill := u.nodes[0].op.fill()) is not None]


def _fixed(
    members: Sequence[Value], passing: set[Value], units: Sequence[Unit], fixed: Mapping[Value, Parameters]
) -> Parameters | None:
    """The fixed parameters of a group: a softmax demands them; others would like them, a sigmoid say."""
    for value in members:
        if value in fixed:
            return fixed[value]
    sources = [v for v in members if v not in passing]
    producer = {u.result: u for u in units}
    likes = set()
    for value in sources:
        unit = producer.get(value)
        likes.add(_natural(unit.nodes[-1].op) if unit is not None else None)
    return likes.pop() if len(likes) == 1 else None


def _natural(op: Op) -> Parameters | None:
    """The parameters that suit an operator's results whatever its operands are, if there are such."""
    return Parameters(*op.natural_scale) if op.natural_scale is not None else None


def _range(module: Module, value: Value, ranges: Ranges, whole: bool) -> tuple[float, float]:
    """What a value's int8 shall represent: the observer's choice, or all that was seen and some more."""
    constant = module.constant(value)
    if constant is not None:
        if not np.isfinite(constant).all():
            raise PassError(f"{module.producer[value].where} has NaN or infinite values, which int8 has not")
        return float(constant.min(initial=0.0)), float(constant.max(initial=0.0))
    found: Range | None = ranges.get(value)
    if found is None:
        raise PassError(f"there is no range for {value}: calibrate the module that is quantised")
    low, high = found.low, found.high
    if whole:
        low, high = (min(low, HEADROOM * found.seen_low), max(high, HEADROOM * found.seen_high))
    node = module.producer.get(value)
    least, most = (node.op.limits() if node is not None else None) or (-math.inf, math.inf)
    return max(low, min(least, 0.0)), min(high, max(most, 0.0))


def _widened(
    module: Module, units: Sequence[Unit], groups: _Groups, chosen: dict[Value, Parameters]
) -> dict[Value, Parameters]:
    """No result is finer than the integers it is made of: the multiplier of a requantisation stays at most 1.

    Such a result is almost always zero (a dead layer); a finer scale would say no more, and overflow int32.
    """
    members = groups.members()
    for unit in units:
        least = _step(module, unit, chosen)
        if chosen[unit.result].scale < least and unit.form in REQUANTISED:
            wider = chosen[unit.result].wider(least)
            chosen.update(dict.fromkeys(members[groups.root(unit.result)], wider))
    return chosen


def _step(module: Module, unit: Unit, chosen: Mapping[Value, Parameters]) -> float:
    """The real value of one step of the integers that a unit's result is requantised from."""
    scales = [chosen[v].scale for v in unit.operands]
    if unit.form is Form.LAYER:
        return scales[0] * float(layer_scales(module, unit, scales[0], chosen[unit.result]).max())
    return unit.nodes[0].op.resolution(scales)


def layer_scales(module: Module, unit: Unit, input_scale: float, result: Parameters) -> Array:
    """The scales of a layer's weights, one an output channel, for operands of a scale and results of parameters."""
    layer = made(unit.nodes[0], LinearLayer)
    assert layer is not None
    weights, bias = module.constant(layer.op.w), module.constant(layer.op.b)
    assert weights is not None
    for array in (weights, bias):
        if array is not None and not np.isfinite(array).all():
            raise PassError(f"{layer.where} has NaN or infinite weights, which int8 has not")
    return weight_scales(weights, layer.op.output_axis, bias, input_scale, STEPS * result.scale)
