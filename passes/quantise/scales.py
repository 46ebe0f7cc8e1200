"""Which values share a scale, and the scale and zero point of every quantised value."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from tinyc.ir.module import Module, made
from tinyc.ir.op import Form, Op, Value
from tinyc.ir.ops import Clamp
from tinyc.ir.ops.conv import Convolution
from tinyc.ir.ops.layer import LinearLayer
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType
from tinyc.passes.core.base import PassError
from tinyc.passes.core.facts import scaled_by
from tinyc.passes.quantise.calibrate import Range, Ranges
from tinyc.passes.quantise.logits import logits, mask_limits
from tinyc.passes.quantise.ranges import Parameters, parameters, weight_scales
from tinyc.passes.quantise.units import Unit
from tinyc.passes.quantise.widths import NONE, Widths, settled

HEADROOM = 1.25
"""How much more than was seen the operand of a softmax represents. Its largest numbers decide the result, so none is
clipped, and new inputs go a little beyond those of the calibration."""
WIDE_HEADROOM = 2.0
"""The same of int16 values: one bit of them all that is seldom used costs 6 dB of some 85, while a number of new inputs
that is cut off costs more."""

REQUANTISED = (Form.LAYER, Form.BINARY, Form.PRODUCT, Form.MEAN)
"""Forms whose results are sums that are requantised to any scale."""


@dataclass(frozen=True)
class Scales:
    """Parameters of every value that is quantised somewhere. An operand of a concat whose scale is fixed by its own
    producer is converted on the way in, and so is an int16 operand of an operator that has no form for these (to the
    parameters in `narrow`): see `operand`."""

    of: Mapping[Value, Parameters]
    narrow: Mapping[Value, Parameters]

    def operand(self, unit: Unit, value: Value) -> Parameters:
        """With which parameters a unit takes an operand."""
        if unit.form is Form.SHARING:
            return self.of[unit.result]
        return self.of[value] if unit.wide else self.narrow.get(value, self.of[value])


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
            if before is not None and module.taken_once(x) and before.form in REQUANTISED:
                found[x] = unit.result
    return found


def assign(
    module: Module,
    units: Sequence[Unit],
    ranges: Ranges,
    widths: Widths = NONE,
    finest: Mapping[Value, Array] = MappingProxyType({}),
) -> Scales:
    """Parameters for every value that a unit takes or gives, constants that share the scale of a result aside; `widths`
    says what is to be int16. `finest` has the scales of weights that are not int8, by the layers' results.

    Raises:
        PassError: a value's range is missing, or what is to be int16 cannot be.
    """
    groups, clamps = _Groups(), absorbed_clamps(module, units)
    wanted, makers = widths.values(module, units), {u.result: u for u in units}
    fixed = {u.result: p for u in units if u.form is Form.SOFTMAX and (p := _natural(u.nodes[-1].op)) is not None}
    for unit in units:
        for value in (*_varying(module, unit), unit.result):
            groups.root(value)
        if unit.form is Form.SHARING and len(unit.operands) == 1:
            groups.join(unit.operands[0], unit.result)
    for before, after in clamps.items():
        groups.join(before, after)
    own = _join_several(module, units, groups, fixed)
    chosen: dict[Value, Parameters] = {}
    taken = logits(module, units)
    whole = set(taken.values())
    least = _masks(module, units, ranges, taken)
    ends = _ends(module, units, ranges, taken)
    passing = ({u.result for u in units if u.form is Form.SHARING} | set(clamps)) - own
    narrow: dict[Value, Parameters] = {}

    def found(members: Sequence[Value], dtype: DType) -> Parameters:
        given = _fixed(members, passing, units, fixed)
        within = [end for result, end in ends if result in members]
        if given is not None and (fixed.keys() & set(members) or all(_holds(given, end) for end in within)):
            return given if dtype is DType.I8 else _wider(given)
        head = WIDE_HEADROOM if dtype is DType.I16 else HEADROOM if any(v in whole for v in members) else 0.0
        hull = [_range(module, v, ranges, head, least) for v in members if v not in passing] + within
        return parameters(min(low for low, _ in hull), max(high for _, high in hull), dtype)

    for members in groups.members().values():
        wide = settled(members, wanted, makers)
        chosen.update(dict.fromkeys(members, found(members, DType.I16 if wide else DType.I8)))
        if wide:
            narrow.update(dict.fromkeys(members, found(members, DType.I8)))
    return _widened(module, units, groups, Scales(chosen, narrow), finest)


def _wider(p: Parameters) -> Parameters:
    """The same range of int16: that of int8 reaches up to a power of two, which has no int8 itself."""
    return Parameters(max(-p.low, p.high + p.scale) / 2**15, 0, DType.I16)


def _varying(module: Module, unit: Unit) -> list[Value]:
    """The operands of a unit that have parameters of their own: constants get those of the result, where it shares
    them, and may be operands of others, which have theirs."""
    shares = unit.form is Form.SHARING
    return [v for v in unit.operands if not (shares and module.constant(v) is not None)]


def _join_several(
    module: Module, units: Sequence[Unit], groups: _Groups, fixed: Mapping[Value, Parameters]
) -> set[Value]:
    """Joins several operands and a result. Gives the results that none was joined to."""
    alone = set()
    for unit in units:
        if unit.form is Form.SHARING and len(unit.operands) > 1:
            demanding = {groups.root(v): p for v, p in fixed.items()}
            values = _varying(module, unit)
            ends = [_extent(module, v) for v in unit.operands if v not in values]
            free = [v for v in values if groups.root(v) not in demanding]
            held = [v for v in values if v not in free and all(_holds(demanding[groups.root(v)], e) for e in ends)]
            for value in free or held:
                groups.join(value, unit.result)
            if not free and not held:
                alone.add(unit.result)
    return alone


def padding(unit: Unit) -> float | None:
    """What a layer takes outside of its operand; None where it takes nothing there."""
    layer = made(unit.nodes[0], Convolution) if unit.form is Form.LAYER else None
    return layer.op.outside() if layer is not None else None


def _holds(p: Parameters, end: tuple[float, float]) -> bool:
    """Whether int8 represents a range, to half a step."""
    return p.low - p.scale / 2 <= end[0] and end[1] <= p.high + p.scale / 2


def _ends(
    module: Module, units: Sequence[Unit], ranges: Ranges, taken: Mapping[Value, Value]
) -> list[tuple[Value, tuple[float, float]]]:
    """Values whose scale stands for numbers that no operand or result has: results of pads, operands that a layer pads,
    and results that share their scale with constants, which what a softmax takes has no further down than it was
    seen."""
    found = []
    for unit in units:
        if (pad := padding(unit)) is not None:
            found.append((unit.operands[0], (pad, pad)))
        fill = unit.nodes[0].op.fill()
        if fill is not None:
            found.append((unit.result, (fill, fill)))
        for value in unit.operands if unit.form is Form.SHARING else ():
            if module.constant(value) is not None:
                low, high = _extent(module, value)
                low = max(low, ranges[unit.result].seen_low) if unit.result in taken else low
                found.append((unit.result, (low, max(low, high))))
    return found


def _masks(
    module: Module, units: Sequence[Unit], ranges: Ranges, taken: Mapping[Value, Value]
) -> Mapping[Value, float]:
    lows = {v: HEADROOM * r.seen_low for v, r in ranges.items()}
    highs = {v: HEADROOM * max(r.seen_high, r.high) for v, r in ranges.items()}
    return mask_limits(module, units, taken, lows, highs) if taken else {}


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


def _extent(module: Module, value: Value) -> tuple[float, float]:
    """The least and the largest number of a constant, and 0. Raises `PassError` where they are not finite."""
    constant = module.constant(value)
    assert constant is not None
    if not np.isfinite(constant).all():
        raise PassError(f"{module.producer[value].where} has NaN or infinite values, which int8 has not")
    return float(constant.min(initial=0.0)), float(constant.max(initial=0.0))


def _range(
    module: Module, value: Value, ranges: Ranges, head: float, least: Mapping[Value, float]
) -> tuple[float, float]:
    """What a value's integers shall represent: the observer's choice, or `head` times all that was seen; of a constant
    all that it has, but no more than the least that is stated for it."""
    if module.constant(value) is not None:
        low, high = _extent(module, value)
        return max(low, least.get(value, low)), high
    found: Range | None = ranges.get(value)
    if found is None:
        raise PassError(f"there is no range for {value}: calibrate the module that is quantised")
    low, high = found.low, found.high
    if head:
        low, high = min(low, head * found.seen_low), max(high, head * found.seen_high)
    node = module.producer.get(value)
    floor, ceiling = (node.op.limits() if node is not None else None) or (-math.inf, math.inf)
    return max(low, min(floor, 0.0)), min(high, max(ceiling, 0.0))


def _widened(
    module: Module, units: Sequence[Unit], groups: _Groups, scales: Scales, finest: Mapping[Value, Array]
) -> Scales:
    """No result is finer than the integers it is made of: the multiplier of a requantisation stays at most 1.

    Such a result is almost always zero (a dead layer); a finer scale would say no more, and overflow int32.
    """
    members, chosen = groups.members(), dict(scales.of)
    for unit in units:
        known = Scales(chosen, scales.narrow)
        least = _step(module, unit, known, finest.get(unit.result)) if unit.form in REQUANTISED else 0.0
        if chosen[unit.result].scale < least:
            wider = chosen[unit.result].wider(least)
            chosen.update(dict.fromkeys(members[groups.root(unit.result)], wider))
    return Scales(chosen, scales.narrow)


def _step(module: Module, unit: Unit, known: Scales, finest: Array | None) -> float:
    """The real value of one step of the integers that a unit's result is requantised from."""
    operands = [known.operand(unit, v) for v in unit.operands]
    scales = [p.scale for p in operands]
    if unit.form is Form.LAYER:
        return scales[0] * float(layer_scales(module, unit, operands[0], known.of[unit.result], finest).max())
    factor = scaled_by(unit.nodes[-1], module.producer.get) if unit.form is Form.PRODUCT else None
    return unit.nodes[0].op.resolution(scales) * (1.0 if factor is None else factor[1])


def layer_scales(
    module: Module, unit: Unit, operand: Parameters, result: Parameters, finest: Array | None = None
) -> Array:
    """The scales of a layer's weights, one an output channel, for operands and results of these parameters: those of
    int8, or `finest`."""
    layer = made(unit.nodes[0], LinearLayer)
    assert layer is not None
    weights, bias = module.constant(layer.op.w), module.constant(layer.op.b)
    assert weights is not None
    for array in (weights, bias):
        if array is not None and not np.isfinite(array).all():
            raise PassError(f"{layer.where} has NaN or infinite weights, which int8 has not")
    reach = (result.dtype.limits[1] - result.dtype.limits[0]) * result.scale
    return weight_scales(weights, layer.op.output_axis, bias, operand.scale, reach, operand.dtype, finest)
