"""The network's own inputs and outputs as integers, instead of floats that are converted first and last.

These functions change a module's interface, so they are no passes: the driver calls them after `integerise`, and tells
the user what the integers mean (`ScaledPort`).
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np

from tinyc.ir.fixed_point import accumulator_bound, plain_multipliers
from tinyc.ir.module import Made, Module, Node, made, remove_dead
from tinyc.ir.op import Op, Value, unused
from tinyc.ir.ops import (
    Add,
    Cast,
    Constant,
    Dequantize,
    Lookup,
    Quantize,
    Reshape,
)
from tinyc.ir.ops.layer import IntegerLayer
from tinyc.ir.tensor import Array, Tensor
from tinyc.ir.types import DType, TensorType
from tinyc.passes.core.base import PassError
from tinyc.passes.core.rewrite import Skip, rename
from tinyc.passes.integerise.scales import Scale, multiplier

PIXELS = np.arange(256)


@dataclass(frozen=True)
class ScaledPort:
    """An input or output that is integers: a real value is scale * (integer - zero).

    The zero point of pixels is the mean, which need not be a whole number. `note` says what is not exact, if anything.
    """

    name: str
    dtype: DType
    scale: float
    zero: float
    note: str = ""


def int8_inputs(module: Module, everywhere: bool = True) -> tuple[Module, tuple[ScaledPort, ...]]:
    """Takes int8 where the module takes floats that it quantizes at once. Other inputs stay as they are, unless it is
    to be `everywhere`.

    Raises:
        PassError: `everywhere`, and there is no float input, or one is not quantized at once.
    """
    ports = []
    for value in _floats(module.inputs, "input", everywhere):
        try:
            node, scale = _first(module, value)
        except PassError:
            if everywhere:
                raise
            continue
        taken = Value(value.name, TensorType(value.shape, DType.I8))
        inputs = tuple(taken if v == value else v for v in module.inputs)
        kept = tuple(n for n in module.nodes if n is not node)
        module = _substitute(Module(module.name, inputs, kept, module.outputs), node.result, taken)
        ports.append(ScaledPort(value.name, DType.I8, scale.scale, scale.zero))
    return module, tuple(ports)


def int8_outputs(module: Module, everywhere: bool = True) -> tuple[Module, tuple[ScaledPort, ...]]:
    """Gives int8 where the module gives floats that it has dequantized last. Other outputs stay as they are, unless it
    is to be `everywhere`.

    Raises:
        PassError: `everywhere`, and there is no float output, or one is computed in float.
    """
    ports = []
    for value in _floats(module.outputs, "output", everywhere):
        found = module.made(value, Dequantize)
        if found is None or found.op.x.dtype is not DType.I8 or not found.op.whole():
            if not everywhere:
                continue
            maker = module.producer.get(value)
            raise PassError(
                f"output {value} cannot be int8: it is computed in float"
                + (f" by {maker.where}" if maker is not None else "")
                + "; leave the output type at float32, or quantise the operator"
            )
        integers, scale = found.op.x, Scale.of(found.op)
        names = {value: Value(_fresh(module, f"{value.name}_float"), value.type)}
        given = Value(value.name, TensorType(value.shape, DType.I8))
        outputs = tuple(given if v == value else v for v in module.outputs)
        shown: tuple[Node, ...] = ()
        if integers in module.inputs or integers in module.outputs:
            # They have a name of their own: the output shows them once more.
            shown = (Node(given, Reshape(integers, value.shape), found.node.loc),)
        else:
            names[integers] = given
        nodes = (*rename(dataclasses.replace(module, outputs=()), names).nodes, *shown)
        module = remove_dead(Module(module.name, module.inputs, nodes, outputs))
        ports.append(ScaledPort(value.name, DType.I8, scale.scale, scale.zero))
    return module, tuple(ports)


def pixel_input(module: Module, mean: float, std: float) -> tuple[Module, ScaledPort]:
    """Takes uint8 pixels p that stand for (p - mean) / std, where the module takes floats that it quantizes at once.

    The scale goes into the first layer's multipliers, the mean, as a zero point that need not be whole, into its bias.
    Where no convolution or dense layer takes the input alone, a table converts the pixels.

    Raises:
        PassError: mean or std make no sense, there is not one float input, or it is not quantized at once.
    """
    if not math.isfinite(mean) or not 0.0 < std < math.inf:
        raise PassError(f"pixels are normalised by a finite mean and a positive deviation, not by {mean} and {std}")
    values = _floats(module.inputs, "input")
    if len(values) > 1:
        raise PassError(f"pixels are for a module with one float input, not for {', '.join(map(str, values))}")
    (value,) = values
    node, scale = _first(module, value)
    taken = Value(value.name, TensorType(value.shape, DType.U8))
    builder = _Inserter(module, node.loc)
    inputs = tuple(taken if v == value else v for v in module.inputs)
    offset = builder.add(Constant(Tensor(np.asarray(-128, np.int8))), "offset")
    cast = builder.add(Cast(taken, DType.I8), f"{value.name}_cast")
    centred = builder.add(Add(cast, offset), f"{value.name}_centred")
    layer = _first_layer(module, node.result)
    folded = _fold(module, layer, scale, mean, std, builder) if layer is not None else None
    note = ""
    if layer is not None and folded is not None:
        op, note = folded
        replaced, by = node.result, centred
        nodes = [Node(n.result, op, n.loc) if n is layer.node else n for n in module.nodes]
    else:
        real = (PIXELS.astype(np.float32) - np.float32(mean)) / np.float32(std)
        table = builder.add(Constant(Tensor(scale.quantized(real))), "table")
        replaced, by = node.result, builder.add(Lookup(centred, table), f"{value.name}_scaled")
        nodes = list(module.nodes)
    kept = tuple(n for n in nodes if n.result != node.result)
    after = Module(module.name, inputs, (*builder.nodes, *kept), module.outputs)
    return _substitute(after, replaced, by), ScaledPort(value.name, DType.U8, 1.0 / std, mean, note)


def _floats(values: tuple[Value, ...], what: str, needed: bool = True) -> list[Value]:
    found = [v for v in dict.fromkeys(values) if v.dtype.is_float]
    if not found and needed:
        types = ", ".join(f"{v} {v.type}" for v in values)
        raise PassError(f"the module has no float {what} to make integers of ({types}); keep its own type")
    return found


def _first(module: Module, value: Value) -> tuple[Node, Scale]:
    """The quantize of an input, which nothing else uses."""
    users = module.users[value]
    advice = "leave the input type at float32, or quantise what uses it"
    if value in module.outputs:
        raise PassError(f"input {value} cannot be integers: it is an output as well")
    if not users:
        raise PassError(f"input {value} cannot be integers: nothing uses it, so it has no scale")
    found = [made(node, Quantize) for node in users]
    quantizes = [q for q in found if q is not None and q.op.to is DType.I8]
    if len(quantizes) < len(users):
        odd = next(n for n, q in zip(users, found, strict=True) if q not in quantizes)
        raise PassError(f"input {value} cannot be integers: {odd.where} takes it in float; {advice}")
    if len(users) > 1:
        raise PassError(
            f"input {value} cannot be integers: it is quantized with {len(users)} different scales; {advice}"
        )
    (quantize,) = quantizes
    if quantize.result in module.outputs:
        raise PassError(f"input {value} cannot be integers: {quantize.result} is an output")
    return quantize.node, Scale.of(quantize.op)


def _first_layer(module: Module, value: Value) -> Made[IntegerLayer] | None:
    """The convolution or dense layer that alone takes a value, perhaps moved."""
    while value not in module.outputs and len(users := module.users[value]) == 1:
        layer, op = made(users[0], IntegerLayer), users[0].op
        if layer is not None and op.operands.count(value) == 1:
            return layer if layer.op.x == value else None
        if op.operands != (value,) or not op.passes_on() or op.chooses() or op.fill() is not None:
            return None
        value = users[0].result
    return None


class _Inserter:
    """Nodes that are put before all others, with names of their own."""

    def __init__(self, module: Module, loc: str) -> None:
        self._names = {v.name for v in (*module.inputs, *(n.result for n in module.nodes))}
        self._loc = loc
        self.nodes: list[Node] = []

    def add(self, op: Op, hint: str) -> Value:
        """Adds a node and returns its result."""
        name = unused(hint, self._names)
        self._names.add(name)
        self.nodes.append(Node(Value(name, op.type), op, self._loc))
        return self.nodes[-1].result


def _fold(
    module: Module, layer: Made[IntegerLayer], was: Scale, mean: float, std: float, builder: _Inserter
) -> tuple[IntegerLayer, str] | None:
    """The layer for pixels less 128, and what is not exact about it; None if that is out of range."""
    op = layer.op
    arrays = [module.constant(v) for v in (op.w, op.b, op.multiplier, op.shift)]
    known = [a for a in arrays if a is not None]
    if len(known) < len(arrays):
        return None
    w, bias, factors, shifts = known
    sums = op.by_output(w).astype(np.float64)
    # A channel without weights has a bias in units of its own.
    empty, total = ~sums.any(axis=1), sums.sum(axis=1)
    zero, ratio = mean - 128.0, 1.0 / (std * was.scale)
    moved = np.rint((bias + was.zero * total) / ratio - zero * total)
    moved = np.where(empty, bias, moved)
    if np.abs(moved).max(initial=0.0) >= 2.0**31:
        return None
    bounds = accumulator_bound(w, moved.astype(np.int64), op.output_axis)
    pairs = _factors(bounds, factors, shifts, np.where(empty, 1.0, ratio))
    if pairs is None:
        return None
    vectors = [builder.add(Constant(Tensor(a.astype(np.int32))), n) for a, n in ((moved, "bias"), *pairs)]
    changed, outside = op.with_factors(*vectors), op.outside()
    if outside is None:
        return changed, ""
    pad = (outside - was.zero) / ratio + zero
    near = round(pad)
    if not -128 <= near <= 127:
        return None
    note = "" if near == pad else f"padding is pixel {near + 128}, a real zero would be pixel {pad + 128:.6g}"
    return changed.with_outside(near), note


def _factors(
    bounds: Array, multipliers: Array, shifts: Array, ratio: Array
) -> tuple[tuple[Array, str], tuple[Array, str]] | None:
    """Multipliers and shifts of factors times `ratio`, for sums within bounds."""
    factors = np.ldexp(multipliers.astype(np.float64), shifts.astype(np.int64) - 31) * ratio
    plain = plain_multipliers(factors, bounds)
    if plain is not None:
        return (plain, "multiplier"), (np.zeros_like(plain), "shift")
    pairs = []
    for factor, bound in zip(factors, bounds, strict=True):
        pair = multiplier(float(factor), int(bound))
        if isinstance(pair, Skip):
            return None
        pairs.append(pair)
    return (np.array([p[0] for p in pairs]), "multiplier"), (np.array([p[1] for p in pairs]), "shift")


def _substitute(module: Module, value: Value, by: Value) -> Module:
    """The module with uses of a value replaced; nothing may compute it any more."""
    nodes = tuple(Node(n.result, n.op.replace_operands({value: by}), n.loc) for n in module.nodes)
    return remove_dead(Module(module.name, module.inputs, nodes, module.outputs))


def _fresh(module: Module, hint: str) -> str:
    return unused(hint, {v.name for v in (*module.inputs, *(n.result for n in module.nodes))})
