"""Which values share a scale, and the scale and zero point of every quantised value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tinyc.ir.module import Module
from tinyc.ir.op import Value
from tinyc.ir.ops import Add, Clamp, Concat, Mul, Pad, ReduceMean, Sigmoid, Tanh
from tinyc.ir.tensor import Array
from tinyc.passes.core.base import PassError
from tinyc.passes.quantise.calibrate import Range, Ranges
from tinyc.passes.quantise.ranges import SIGMOID, SOFTMAX, TANH, Parameters, parameters, weight_scales
from tinyc.passes.quantise.units import Kind, Unit, layer_axis

HEADROOM = 1.25
"""How much more than was seen the operand of a softmax represents. Its largest numbers decide the result, so none is
clipped, and new inputs go a little beyond those of the calibration."""


@dataclass(frozen=True)
class Scales:
    """Parameters of every value that is quantised somewhere. An operand of a concat whose scale is fixed by its own
    producer is converted on the way in: see `operand`."""

    of: Mapping[Value, Parameters]

    def operand(self, unit: Unit, value: Value) -> Parameters:
        """With which parameters a unit takes an operand."""
        return self.of[unit.result] if unit.kind is Kind.SHARING else self.of[value]


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
        if unit.kind is Kind.TABLE and len(unit.nodes) == 1 and isinstance(unit.nodes[0].op, Clamp):
            (x,) = unit.operands
            before = producer.get(x)
            alone = len(module.users[x]) == 1 and x not in module.outputs
            if before is not None and alone and before.kind in (Kind.BINARY, Kind.MEAN, Kind.LAYER):
                found[x] = unit.result
    return found


def assign(module: Module, units: Sequence[Unit], ranges: Ranges) -> Scales:
    """Parameters for every value that a unit takes or gives.

    Raises:
        PassError: a value's range is missing.
    """
    groups, clamps = _Groups(), absorbed_clamps(module, units)
    fixed = {u.result: SOFTMAX for u in units if u.kind is Kind.SOFTMAX}
    for unit in units:
        for value in (*unit.operands, unit.result):
            groups.root(value)
        if unit.kind is Kind.SHARING and not isinstance(unit.nodes[0].op, Concat):
            groups.join(unit.operands[0], unit.result)
    for before, after in clamps.items():
        groups.join(before, after)
    _join_concats(units, groups, fixed)
    chosen: dict[Value, Parameters] = {}
    logits = {u.operands[0] for u in units if u.kind is Kind.SOFTMAX}
    passing = {u.result for u in units if u.kind is Kind.SHARING} | set(clamps)
    for members in groups.members().values():
        given = _fixed(members, passing, units, fixed)
        if given is None:
            whole = any(v in logits for v in members)
            hull = [_range(module, v, ranges, whole) for v in members if v not in passing]
            hull += [(value, value) for result, value in _pads(units) if result in members]
            given = parameters(min(low for low, _ in hull), max(high for _, high in hull))
        chosen.update(dict.fromkeys(members, given))
    return Scales(_widened(module, units, groups, chosen))


def _join_concats(units: Sequence[Unit], groups: _Groups, fixed: Mapping[Value, Parameters]) -> None:
    for unit in units:
        if isinstance(unit.nodes[0].op, Concat):
            demanding = {groups.root(v) for v in fixed}
            free = [v for v in unit.operands if groups.root(v) not in demanding]
            for value in free or unit.operands:
                groups.join(value, unit.result)


def _pads(units: Sequence[Unit]) -> list[tuple[Value, float]]:
    """Results of pads, and the number that they pad with."""
    return [(u.result, op.value) for u in units if isinstance(op := u.nodes[0].op, Pad)]


def _fixed(
    members: Sequence[Value], passing: set[Value], units: Sequence[Unit], fixed: Mapping[Value, Parameters]
) -> Parameters | None:
    """The fixed parameters of a group: a softmax demands them; a sigmoid or tanh would like them."""
    for value in members:
        if value in fixed:
            return fixed[value]
    sources = [v for v in members if v not in passing]
    producer = {u.result: u for u in units}
    likes = set()
    for value in sources:
        unit = producer.get(value)
        last = unit.nodes[-1].op if unit is not None else None
        likes.add(SIGMOID if isinstance(last, Sigmoid) else TANH if isinstance(last, Tanh) else None)
    return likes.pop() if len(likes) == 1 else None


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
    return (HEADROOM * found.seen_low, HEADROOM * found.seen_high) if whole else (found.low, found.high)


def _widened(
    module: Module, units: Sequence[Unit], groups: _Groups, chosen: dict[Value, Parameters]
) -> dict[Value, Parameters]:
    """No result is finer than the integers it is made of: the multiplier of a requantisation stays at most 1.

    Such a result is almost always zero (a dead layer); a finer scale would say no more, and overflow int32.
    """
    members = groups.members()
    for unit in units:
        least = _step(module, unit, chosen)
        if chosen[unit.result].scale < least and unit.kind in (Kind.LAYER, Kind.BINARY, Kind.MEAN):
            wider = chosen[unit.result].wider(least)
            chosen.update(dict.fromkeys(members[groups.root(unit.result)], wider))
    return chosen


def _step(module: Module, unit: Unit, chosen: Mapping[Value, Parameters]) -> float:
    """The real value of one step of the integers that a unit's result is requantised from."""
    scales = [chosen[v].scale for v in unit.operands]
    op = unit.nodes[0].op
    if unit.kind is Kind.LAYER:
        return scales[0] * float(layer_scales(module, unit, scales[0]).max())
    if isinstance(op, Add):
        # TFLite shifts the operands left by 20 before it adds, and halves them once.
        return max(scales) / 2**18
    if isinstance(op, Mul):
        return scales[0] * scales[-1]
    if isinstance(op, ReduceMean):
        return scales[0] / op.count()
    return 0.0


def layer_scales(module: Module, unit: Unit, input_scale: float) -> Array:
    """The scales of a layer's weights, one an output channel."""
    op = unit.nodes[0].op
    weights = module.constant(op.operands[1])
    bias = module.constant(op.operands[2]) if len(op.operands) > 2 else None
    assert weights is not None
    for array in (weights, bias):
        if array is not None and not np.isfinite(array).all():
            raise PassError(f"{unit.nodes[0].where} has NaN or infinite weights, which int8 has not")
    return weight_scales(weights, layer_axis(op), bias, input_scale)
