"""The network's own inputs and outputs as integers, instead of floats that are converted first and last.

These functions change a module's interface, so they are no passes: the driver calls them after `integerise`, and tells
the user what the integers mean (`ScaledPort`).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Sequence
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
    QDepthwiseConv2d,
    Quantize,
    Reshape,
)
from tinyc.ir.ops.layer import IntegerLayer
from tinyc.ir.tensor import Array, Tensor
from tinyc.ir.types import DType, TensorType
from tinyc.passes.core.base import PassError
from tinyc.passes.core.rewrite import Skip, rename
from tinyc.passes.integerise.channels import (
    PIXELS,
    along,
    channel_axis,
    followed,
    normalising_arrays,
    of_channels,
    where_channels_are_last,
)
from tinyc.passes.integerise.scales import Scale, multiplier


@dataclass(frozen=True)
class ScaledPort:
    """An input or output that is integers: a real value is scale * (integer - zero).

    The zero point of pixels is the mean, which need not be a whole number. `note` says what is not exact, if anything.
    Where `channels` differ, they have the scale and the zero point of each, along the dimension `axis` from the end,
    and there is no one scale and zero point (they are NaN).
    """

    name: str
    dtype: DType
    scale: float
    zero: float
    note: str = ""
    channels: tuple[tuple[float, float], ...] = ()
    axis: int = -1

    def numbers(self, rank: int) -> tuple[Array, Array]:
        """Scale and zero point, shaped to broadcast with an array of so many dimensions."""
        scales, zeros = (np.array(v) for v in zip(*(self.channels or [(self.scale, self.zero)]), strict=True))
        if not self.channels:
            return scales.reshape([1] * rank), zeros.reshape([1] * rank)
        return along(scales, rank, self.axis), along(zeros, rank, self.axis)


INTEGERS = (DType.I8, DType.I16)
"""What floats become where they are quantised."""


def int8_inputs(
    module: Module, everywhere: bool = True, among: Collection[DType] = INTEGERS
) -> tuple[Module, tuple[ScaledPort, ...]]:
    """Takes integers, int8 or int16 as the quantize has them, where the module takes floats that it quantizes at once.
    Other inputs stay as they are, unless it is to be `everywhere`; so do those of types that are not `among`.

    Raises:
        PassError: `everywhere`, and there is no float input, or one is not quantized at once.
    """
    ports = []
    for value in _floats(module.inputs, "input", everywhere):
        try:
            node, scale = _first(module, value, among)
        except PassError:
            if everywhere:
                raise
            continue
        taken = Value(value.name, TensorType(value.shape, scale.dtype))
        inputs = tuple(taken if v == value else v for v in module.inputs)
        kept = tuple(n for n in module.nodes if n is not node)
        module = _substitute(Module(module.name, inputs, kept, module.outputs), node.result, taken)
        ports.append(ScaledPort(value.name, scale.dtype, scale.scale, scale.zero))
    return module, tuple(ports)


def int8_outputs(
    module: Module, everywhere: bool = True, among: Collection[DType] = INTEGERS
) -> tuple[Module, tuple[ScaledPort, ...]]:
    """Gives integers, int8 or int16 as they are, where the module gives floats that it has dequantized last. Other
    outputs stay as they are, unless it is to be `everywhere`; so do those of types that are not `among`.

    Raises:
        PassError: `everywhere`, and there is no float output, or one is computed in float.
    """
    ports = []
    for value in _floats(module.outputs, "output", everywhere):
        found = module.made(value, Dequantize)
        if found is None or found.op.x.dtype not in among or not found.op.whole():
            if not everywhere:
                continue
            if found is not None and found.op.x.dtype in INTEGERS and found.op.whole():
                raise PassError(f"output {value} cannot be {_words(among)}: it is {found.op.x.dtype.numpy.name}")
            maker = module.producer.get(value)
            raise PassError(
                f"output {value} cannot be {_words(among)}: it is computed in float"
                + (f" by {maker.where}" if maker is not None else "")
                + "; leave the output type at float32, or quantise the operator"
            )
        integers, scale = found.op.x, Scale.of(found.op)
        names = {value: Value(_fresh(module, f"{value.name}_float"), value.type)}
        given = Value(value.name, TensorType(value.shape, scale.dtype))
        outputs = tuple(given if v == value else v for v in module.outputs)
        shown: tuple[Node, ...] = ()
        if integers in module.inputs or integers in module.outputs:
            # They have a name of their own: the output shows them once more.
            shown = (Node(given, Reshape(integers, value.shape), found.node.loc),)
        else:
            names[integers] = given
        nodes = (*rename(dataclasses.replace(module, outputs=()), names).nodes, *shown)
        module = remove_dead(Module(module.name, module.inputs, nodes, outputs))
        ports.append(ScaledPort(value.name, scale.dtype, scale.scale, scale.zero))
    return module, tuple(ports)


def _words(among: Collection[DType]) -> str:
    return " or ".join(dtype.numpy.name for dtype in among)


def pixel_input(
    module: Module, mean: float | Sequence[float], std: float | Sequence[float]
) -> tuple[Module, ScaledPort]:
    """Takes uint8 pixels p that stand for (p - mean) / std, where the module takes floats that it quantizes at once.

    The scale goes into the first layer's multipliers, the mean, as a zero point that need not be whole, into its bias.
    Where no convolution or dense layer takes the input alone, a table converts the pixels. Means of channels go into
    the bias of a layer without padding, if their deviations are the same; else a layer of its own converts the pixels.

    Args:
        module: of integers.
        mean: of all pixels, or of each channel's.
        std: the same; of both lists, there are as many entries as the input has channels.

    Raises:
        PassError: mean or std make no sense, there is not one float input, or it is not quantized at once.
    """
    pairs = _pairs(mean, std)
    values = _floats(module.inputs, "input")
    if len(values) > 1:
        raise PassError(f"pixels are for a module with one float input, not for {', '.join(map(str, values))}")
    (value,) = values
    node, scale = _first(module, value)
    axis = channel_axis(value.shape, len(pairs)) if len(pairs) > 1 else -1
    if axis is None:
        raise PassError(f"input {value} has not {len(pairs)} channels, one for each mean and deviation of pixels")
    taken = Value(value.name, TensorType(value.shape, DType.U8))
    builder = _Inserter(module, node.loc)
    inputs = tuple(taken if v == value else v for v in module.inputs)
    offset = builder.add(Constant(Tensor(np.asarray(-128, np.int8))), "offset")
    cast = builder.add(Cast(taken, DType.I8), f"{value.name}_cast")
    centred = builder.add(Add(cast, offset), f"{value.name}_centred")
    layer = _first_layer(module, node.result)
    means = _means(module, node.result, layer, pairs, axis) if layer is not None else None
    folded = None
    if layer is not None and means is not None:
        folded = _fold(module, layer, scale, means, pairs[0][1], builder)
    note = ""
    nodes, replaced, by = list(module.nodes), node.result, centred
    if layer is not None and folded is not None:
        op, note = folded
        nodes = [Node(n.result, op, n.loc) if n is layer.node else n for n in module.nodes]
    elif len(pairs) > 1 and scale.dtype is not DType.I8:
        raise PassError(
            f"input {value} cannot be pixels whose channels differ: it is {scale.dtype.numpy.name} in this network; "
            "leave the input type at that, which the header converts pixels to"
        )
    elif len(pairs) > 1:
        nodes, by = _normalised(module, node.result, centred, scale, pairs, axis, builder)
    else:
        real = (PIXELS.astype(np.float32) - np.float32(pairs[0][0])) / np.float32(pairs[0][1])
        table = builder.add(Constant(Tensor(scale.quantized(real))), "table")
        by = builder.add(Lookup(centred, table), f"{value.name}_scaled")
    kept = tuple(n for n in nodes if n.result != node.result)
    after = Module(module.name, inputs, (*builder.nodes, *kept), module.outputs)
    return _substitute(after, replaced, by), _pixel_port(value.name, pairs, axis, note)


def _pairs(mean: float | Sequence[float], std: float | Sequence[float]) -> list[tuple[float, float]]:
    """Mean and deviation of all pixels, or of each channel's where these differ. Raises `PassError`."""
    means, stds = ([v] if isinstance(v, (int, float)) else list(v) for v in (mean, std))
    count = max(len(means), len(stds))
    means, stds = (v * count if len(v) == 1 else v for v in (means, stds))
    pairs = list(zip(means, stds, strict=True))
    for m, s in pairs:
        if not math.isfinite(m) or not 0.0 < s < math.inf:
            raise PassError(f"pixels are normalised by a finite mean and a positive deviation, not by {m} and {s}")
    return pairs[:1] if len(set(pairs)) == 1 else pairs


def _pixel_port(name: str, pairs: Sequence[tuple[float, float]], axis: int, note: str) -> ScaledPort:
    """What pixels mean."""
    if len(pairs) == 1:
        return ScaledPort(name, DType.U8, 1.0 / pairs[0][1], pairs[0][0], note)
    channels = tuple((1.0 / std, mean) for mean, std in pairs)
    return ScaledPort(name, DType.U8, math.nan, math.nan, note, channels, axis)


def _means(
    module: Module, value: Value, layer: Made[IntegerLayer], pairs: Sequence[tuple[float, float]], axis: int
) -> float | Array | None:
    """The mean of pixels, or of each entry of the last dimension of what a layer takes; None where neither can go into
    its bias."""
    if len(pairs) == 1:
        return pairs[0][0]
    if len({std for _, std in pairs}) > 1 or layer.op.outside() is not None:
        return None
    spread = along(np.array([mean for mean, _ in pairs]), value.type.rank, axis)
    numbers = dict(followed(module, value, np.broadcast_to(spread, value.shape))).get(layer.op.x)
    return None if numbers is None else of_channels(numbers)


def _normalised(
    module: Module,
    quantized: Value,
    centred: Value,
    scale: Scale,
    pairs: Sequence[tuple[float, float]],
    axis: int,
    builder: _Inserter,
) -> tuple[list[Node], Value]:
    """The module's nodes with a layer that normalises channels where these come last, and what takes the place of the
    input quantized: that layer's result, or pixels less 128 that are moved to it first."""
    at = where_channels_are_last(module, quantized, len(pairs), axis)
    names = ("weights", "bias", "multiplier", "shift")
    arrays = normalising_arrays(quantized, scale, pairs)
    w, b, m, s = (builder.add(Constant(Tensor(array)), name) for name, array in zip(names, arrays, strict=True))
    op = QDepthwiseConv2d(centred if at == quantized else at, w, b, m, s, out_zero=scale.zero)
    if at == quantized:
        return list(module.nodes), builder.add(op, "normalised")
    result = builder.named(op, "normalised")
    nodes: list[Node] = []
    for n in module.nodes:
        nodes.append(n if n.result == at else Node(n.result, n.op.replace_operands({at: result}), n.loc))
        if n.result == at:
            nodes.append(Node(result, op, builder.loc))
    return nodes, centred


def _floats(values: tuple[Value, ...], what: str, needed: bool = True) -> list[Value]:
    found = [v for v in dict.fromkeys(values) if v.dtype.is_float]
    if not found and needed:
        types = ", ".join(f"{v} {v.type}" for v in values)
        raise PassError(f"the module has no float {what} to make integers of ({types}); keep its own type")
    return found


def _first(module: Module, value: Value, among: Collection[DType] = INTEGERS) -> tuple[Node, Scale]:
    """The quantize of an input, which nothing else uses."""
    users = module.users[value]
    advice = "leave the input type at float32, or quantise what uses it"
    if value in module.outputs:
        raise PassError(f"input {value} cannot be integers: it is an output as well")
    if not users:
        raise PassError(f"input {value} cannot be integers: nothing uses it, so it has no scale")
    found = [made(node, Quantize) for node in users]
    quantizes = [q for q in found if q is not None and q.op.to in INTEGERS]
    if len(quantizes) < len(users):
        odd = next(n for n, q in zip(users, found, strict=True) if q not in quantizes)
        raise PassError(f"input {value} cannot be integers: {odd.where} takes it in float; {advice}")
    if len(users) > 1:
        raise PassError(
            f"input {value} cannot be integers: it is quantized with {len(users)} different scales; {advice}"
        )
    (quantize,) = quantizes
    if quantize.op.to not in among:
        raise PassError(f"input {value} cannot be {_words(among)}: it is quantized to {quantize.op.to.numpy.name}")
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
        self.loc = loc
        self.nodes: list[Node] = []

    def named(self, op: Op, hint: str) -> Value:
        """What an operator gives, under a name of its own."""
        name = unused(hint, self._names)
        self._names.add(name)
        return Value(name, op.type)

    def add(self, op: Op, hint: str) -> Value:
        """Adds a node and returns its result."""
        self.nodes.append(Node(self.named(op, hint), op, self.loc))
        return self.nodes[-1].result


def _fold(
    module: Module, layer: Made[IntegerLayer], was: Scale, mean: float | Array, std: float, builder: _Inserter
) -> tuple[IntegerLayer, str] | None:
    """The layer for pixels less 128, and what is not exact about it; None if that is out of range. The mean is that of
    all pixels, or one for each entry of the last dimension, of a layer without padding."""
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
    means = zero * total if isinstance(zero, float) else op.by_output(w * op.per_input(zero)).sum(axis=1)
    moved = np.rint((bias + was.zero * total) / ratio - means)
    moved = np.where(empty, bias, moved)
    if np.abs(moved).max(initial=0.0) >= 2.0**31:
        return None
    bounds = accumulator_bound(w, moved.astype(np.int64), op.output_axis)
    wide = op.to is DType.I16
    pairs = _factors(bounds, factors, shifts, np.where(empty, 1.0, ratio), wide)
    if pairs is None:
        return None
    vectors = [builder.add(Constant(Tensor(a.astype(np.int32))), n) for a, n in ((moved, "bias"), *pairs)]
    changed, outside = op.with_factors(*vectors), op.outside()
    if outside is None or not isinstance(zero, float):
        return changed, ""
    pad = (outside - was.zero) / ratio + zero
    near = round(pad)
    if not -128 <= near <= 127:
        return None
    note = "" if near == pad else f"padding is pixel {near + 128}, a real zero would be pixel {pad + 128:.6g}"
    return changed.with_outside(near), note


def _factors(
    bounds: Array, multipliers: Array, shifts: Array, ratio: Array, wide: bool
) -> tuple[tuple[Array, str], tuple[Array, str]] | None:
    """Multipliers and shifts of factors times `ratio`, for sums within bounds."""
    factors = np.ldexp(multipliers.astype(np.float64), shifts.astype(np.int64) - 31) * ratio
    plain = plain_multipliers(factors, bounds)
    if plain is not None:
        return (plain, "multiplier"), (np.zeros_like(plain), "shift")
    pairs = []
    for factor, bound in zip(factors, bounds, strict=True):
        pair = multiplier(float(factor), int(bound), wide)
        if isinstance(pair, Skip):
            return None
        pairs.append(pair)
    return (np.array([p[0] for p in pairs]), "multiplier"), (np.array([p[1] for p in pairs]), "shift")


def _substitute(module: Module, value: Value, by: Value) -> Module:
    """The module with uses of a value replaced; nothing may compute it any more. What moves it has the type of the
    other, where that is another."""
    known = {value: by}
    nodes = []
    for node in module.nodes:
        op = node.op.replace_operands(known)
        result = node.result
        if op is not node.op and op.type != result.type:
            result = Value(result.name, op.type)
            known[node.result] = result
        nodes.append(Node(result, op, node.loc))
    return remove_dead(Module(module.name, module.inputs, tuple(nodes), module.outputs))


def _fresh(module: Module, hint: str) -> str:
    return unused(hint, {v.name for v in (*module.inputs, *(n.result for n in module.nodes))})
