"""C for integer convolutions and dense layers.

Their weights, biases, multipliers and shifts are constants. So it is known here how large sums can be, which decides
between two forms of requantisation, and refuses what would overflow.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tinyc.backends.c.calls import Literal, limits, pointer, shared
from tinyc.backends.c.conv import pack
from tinyc.backends.c.emitter import emits
from tinyc.backends.c.lean import is_lean, pixel_call, window_call
from tinyc.backends.c.nibbles import has_nibbles, in_halves
from tinyc.backends.c.pairs import PATCHES, Pairs
from tinyc.backends.c.shares import LARGEST, leaves_fewer
from tinyc.backends.c.short import SHIFTS, known, requantisation, short_constants, takes_short
from tinyc.backends.c.tiles import LANES
from tinyc.backends.c.tuned import pixels, shape_of
from tinyc.backends.c.unit import Argument, Pointer, RowCall, Rows, Scratch, TranslationUnit
from tinyc.backends.c.windows import beside, leaves_columns
from tinyc.ir.op import Value
from tinyc.ir.ops import QConv2d, QConvolution, QDense, QDepthwiseConv2d
from tinyc.ir.ops.layer import IntegerLayer
from tinyc.ir.rows import Stage
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType

# The forms of requantisation of `narrow_i8.h`, and the limits of the short one.
_ANY, _SHORT, _ONCE, _ONCE_LARGE, _SHORT_CONSTANTS = 0, 1, 2, 3, 4
_SHORT_SUM, _SHORT_SHIFTS = 2**29, (-21, -1)
LARGEST_TILE, LONG_TURN = 4, 8
"""Pixels of a tile that leaves no register free; and elements of a turn of the loops of others, whose number is known
and is a multiple."""


def form(bound: Array | int, shift: Array | int) -> int:
    """The form in which sums of at most `bound` are requantised: the argument of that name of `narrow_i8`."""
    shifts = np.asarray(shift)
    least, most = _SHORT_SHIFTS
    short = np.all(np.asarray(bound) < _SHORT_SUM) and np.all((shifts >= least) & (shifts <= most))
    return _SHORT if short else _ANY


def factor_form(bound: int, multiplier: int, shift: int) -> tuple[int, int]:
    """The multiplier as `narrow_i8` takes it, and the form, where there is one for all sums of at most `bound`."""
    if shift == 0 and multiplier < LARGEST:
        return multiplier * 4, _ONCE
    if shift == 0 and bound < _SHORT_SUM:
        return multiplier, _ONCE_LARGE
    return multiplier, form(bound, shift)


Parameter = tuple[tuple[str, str], Argument | None]
"""A kernel's parameter as `specialise` takes it, and the argument for it; none for what is no parameter."""


@dataclass(frozen=True)
class LayerArguments:
    """What all kernels with weights take: parameters from the weights to the shifts, and the literals from the result's
    zero point on. Where all are requantised once there are no shifts."""

    taken: tuple[Parameter, ...]
    literals: tuple[Literal, ...]
    fixed: frozenset[str] = frozenset()
    """Literals that are no arguments at run time, whatever the kernel's others are."""

    def behind_shifts(self, *more: Parameter) -> LayerArguments:
        """The same with more parameters behind the shifts."""
        return replace(self, taken=(*self.taken, *more))

    @property
    def arguments(self) -> list[Argument]:
        """The arguments."""
        return [argument for _, argument in self.taken if argument is not None]

    @property
    def parameters(self) -> list[tuple[str, str]]:
        """Those of the function that calls the kernel, as `specialise` takes them, the result last."""
        return [*(parameter for parameter, _ in self.taken), ("int8_t *", "out")]


_NOTHING: Parameter = (("", "NULL"), None)


def _pairable(
    unit: TranslationUnit, stage: Stage, op: QConv2d | QDense, groups: int = 1
) -> tuple[LayerArguments, dict[str, int]]:
    """What the kernel of a layer takes whose weights are paired if the stage has memory for that, behind the shifts
    the memory and the extras; and the first literal, which says in groups of how many elements."""
    array = _constant(unit, stage, op.w)
    pairs = unit.pairs(stage)
    halves = has_nibbles(unit.program, stage, unit.tuning)
    packed = _packed(array if pairs is None else pairs.weights, groups, halves, pairs is not None)
    layer = weighted(unit, stage, op, packed, halves)
    if pairs is None:
        return layer.behind_shifts(_NOTHING, _NOTHING), {"paired": 0, "halves": int(halves)}
    extras = _NOTHING
    if pairs.lacks:
        array = np.frombuffer(b"".join(pairs.extras), np.uint8)
        symbol = unit.constants.symbol(array, f"{op.w.name}_extras", "what groups of four weights lack")
        extras = (pointer(DType.U8), "extras"), symbol
    elif unit.tuning.optimize == "balanced" and _like_one_that_lacks(unit, stage, pairs):
        extras = (pointer(DType.U8), "extras"), "NULL"
    layer = layer.behind_shifts((("int32_t *", "words"), Scratch()), extras)
    return layer, {"paired": pairs.group, "halves": int(halves)}


def _packed(weights: Array, groups: int, halves: bool, paired: bool = False) -> Array:
    """Weights [outputs, ...] as kernels take them, with `halves` two in a byte."""
    packed, outputs = pack(weights, groups), len(weights)
    return in_halves(packed, weights.size // outputs, outputs // groups, groups, paired) if halves else packed


def _lean(unit: TranslationUnit, stage: Stage, op: QConv2d | QDense) -> LayerArguments:
    """What the kernel for the least code takes, whether weights lie two in a byte before the other literals."""
    halves = has_nibbles(unit.program, stage, unit.tuning)
    layer = weighted(unit, stage, op, _packed(_constant(unit, stage, op.w), 1, halves), halves)
    return replace(layer, literals=(("halves", str(int(halves))), *layer.literals))


def _like_one_that_lacks(unit: TranslationUnit, stage: Stage, pairs: Pairs) -> bool:
    """Whether the code of a pointwise layer is that of another one, but for what weights of that lack: then it may be
    that code, which takes a few instructions a tile to find that nothing is lacking."""

    def how(other: Stage) -> tuple[int, int] | None:
        shape = shape_of(other)
        if shape is None or shape.kind != "qpointwise":
            return None
        tile = _tile(unit, other, pixels(other), pairs.group)
        return tile, pixels(other) % tile

    own = how(stage)
    for other in unit.program.stages if own is not None else ():
        found = unit.pairs(other)
        if found is not None and found.lacks and found.group == pairs.group and how(other) == own:
            return True
    return False


@emits(QConv2d)
def emit_qconv2d(unit: TranslationUnit, stage: Stage, op: QConv2d) -> RowCall:
    """An integer convolution of any kind, or of one pixel."""
    if is_lean(unit, op):
        lean = _lean(unit, stage, op)
        vectors = (lean.parameters, lean.arguments, lean.literals)
        if op.per_pixel():
            return pixel_call(unit, *vectors, pixels(stage), op.x.shape[3], op.type.shape[3])
        return window_call(unit, op, *vectors)
    layer, pairing = _pairable(unit, stage, op, op.groups)
    inputs, outputs = op.x.shape[3], op.type.shape[3]
    if op.per_pixel() and op.groups == 1:
        return _pointwise(unit, stage, layer, pairing, inputs, outputs)
    kh, kw = op.window()
    before, after = beside(op)
    tile = _tile(unit, stage, op.type.shape[2] - before - after, pairing["paired"])
    spare = (op.type.shape[2] - before - after) % tile
    window = kh * kw * inputs
    most = PATCHES // window if op.groups == 1 else 0
    if spare and unit.tuning.optimize != "speed" and before + spare + after <= most:
        # A tile of their own for few pixels takes more code than it saves instructions.
        after += spare
    ends = before + after
    patches = f"int8_t patches[{ends * window}];" if 0 < ends <= most else ""
    geometry = pairing | {
        "patched": int(bool(patches)),
        "tile": tile,
        "before": before,
        "after": after,
        "width": op.x.shape[2],
        "channels": inputs,
        "out_width": op.type.shape[2],
        "outputs": outputs,
        "kh": kh,
        "kw": kw,
        "stride": op.strides[1],
        "dilation": op.dilations[1],
        "left": op.pads[1],
        "groups": op.groups,
    }
    layer = layer.behind_shifts((("", "patches" if patches else "NULL"), None))
    return rows_call(unit, f"qconv{kh}x{kw}", "qconv2d", op, layer, geometry, local=patches)


@emits(QDepthwiseConv2d)
def emit_qdepthwise(unit: TranslationUnit, stage: Stage, op: QDepthwiseConv2d) -> RowCall:
    """An integer depthwise convolution; 3x3 has kernels of its own."""
    layer = weighted(unit, stage, op, None)
    kh, kw = op.window()
    stride, left = op.strides[1], op.pads[1]
    geometry = {"width": op.x.shape[2], "channels": op.x.shape[3], "out_width": op.type.shape[2]}
    if op.may_overwrite_row():
        kernel = "qdepthwise3x3" if stride == 1 else "qdepthwise3x3s2"
        geometry |= {"left": left, "fill": op.zero, "lean": int(unit.tuning.optimize == "size")}
        handed = unit.tuning.handed(kernel, small=unit.shares.with_channels(unit.program, op))
        return rows_call(unit, kernel, kernel, op, layer, geometry, pads=False, handed=handed)
    geometry |= {
        "each": op.channel_multiplier(),
        "kh": kh,
        "kw": kw,
        "stride": stride,
        "dilation": op.dilations[1],
        "left": left,
    }
    return rows_call(unit, f"qdepthwise{kh}x{kw}", "qdepthwise", op, layer, geometry)


@emits(QDense)
def emit_qdense(unit: TranslationUnit, stage: Stage, op: QDense) -> RowCall:
    """An integer dense layer: every row of x is what a pixel is to a pointwise convolution."""
    if is_lean(unit):
        lean = _lean(unit, stage, op)
        return pixel_call(unit, lean.parameters, lean.arguments, lean.literals, pixels(stage), *op.w.shape[::-1])
    layer, pairing = _pairable(unit, stage, op)
    outputs, inputs = op.w.shape
    return _pointwise(unit, stage, layer, pairing, inputs, outputs)


def weighted(
    unit: TranslationUnit, stage: Stage, op: IntegerLayer, packed: Array | None, halves: bool = False
) -> LayerArguments:
    """What the kernel of a layer takes besides rows and geometry, with short constants where they pay. `packed` are
    weights as the kernel takes them, with `halves` two in a byte; None for as they are.

    Raises:
        CodegenError: a sum may overflow int32, or something is computed that has to be constant.
    """
    short = short_constants(unit.program, stage, op) if takes_short(unit) else None
    if short is None:
        whole = of_words(unit, stage, op, packed, halves)
        *result, form = whole.literals
        return replace(whole, literals=(*result, (SHIFTS, "0"), form), fixed=frozenset({SHIFTS}))
    biases = unit.constants.symbol(short.biases, f"{op.b.name}_16", f"times {1 << short.bias_left}")
    note = f"times {1 << short.multiplier_left}, four times the real ones"
    multipliers = unit.constants.symbol(short.multipliers, f"{op.multiplier.name}_8", note)
    taken: tuple[Parameter, ...] = (
        _weights_of(unit, op, packed, halves),
        ((pointer(DType.I16), "bias"), biases),
        ((pointer(DType.U8), "multiplier"), multipliers),
        _NOTHING,
    )
    own = (SHIFTS, str(short.shifts)), ("form", str(_SHORT_CONSTANTS))
    return LayerArguments(taken, (("zero", str(op.out_zero)), *limits(op.min, op.max, DType.I8), *own))


def _weights_of(unit: TranslationUnit, op: IntegerLayer, packed: Array | None, halves: bool) -> Parameter:
    taken: Argument = Pointer(1)
    if packed is not None:
        note = "weights, four outputs interleaved" + (", two in a byte" if halves else "")
        taken = unit.constants.symbol(packed, f"{op.w.name}_packed", note)
    return (pointer(DType.I8), "w"), taken


def of_words(
    unit: TranslationUnit, stage: Stage, op: IntegerLayer, packed: Array | None, halves: bool = False
) -> LayerArguments:
    """What `weighted` gives with constants of 32 bits, for kernels that take no shorter ones."""
    multiplier, shift, bound = requantisation(unit.program, stage, op)
    literals: list[Literal] = [("zero", str(op.out_zero)), *limits(op.min, op.max, DType.I8)]
    vectors: list[Argument] = [Pointer(2), Pointer(3)]
    if np.all(shift == 0) and np.all(multiplier < LARGEST):
        vectors[1] = unit.constants.symbol((multiplier * 4).astype(np.int32), f"{op.multiplier.name}_4", "times four")
        last, how = _NOTHING, _ONCE
    elif np.all(shift == 0) and np.all(np.asarray(bound) < _SHORT_SUM):
        last, how = _NOTHING, _ONCE_LARGE
    else:
        # One byte is enough for a shift.
        last = (pointer(DType.I8), "shift"), unit.constants.symbol(shift.astype(np.int8), op.shift.name)
        how = form(bound, shift)
    named = zip(("bias", "multiplier"), vectors, strict=True)
    parameters = [((pointer(DType.I32), name), vector) for name, vector in named]
    taken = (_weights_of(unit, op, packed, halves), *parameters, last)
    return LayerArguments(taken, (*literals, ("form", str(how))))


def _constant(unit: TranslationUnit, stage: Stage, value: Value) -> Array:
    return known(unit.program, stage, value)


def _tile(unit: TranslationUnit, stage: Stage, count: int, paired: int, rests: bool = False) -> int:
    """How many of `count` pixels of a row a register tile has: as was measured, or else as many as the core's registers
    hold, or one less where fewer are left over so: but for pairs of `paired` two, which lose by it, and where there are
    `rests`, code for what is left over, anyway. More than two take more code than `size` is for."""
    if unit.tuning.optimize == "size":
        return min(unit.tuning.tile, 2)
    measured = unit.tuning.choices.find(stage)
    chosen = measured.paired_tile if paired else measured.tile
    if chosen:
        return chosen
    most = unit.tuning.paired_tile if paired else unit.tuning.tile
    return most - 1 if leaves_fewer(most, count) and paired != 2 and not rests else most


def _pointwise(
    unit: TranslationUnit, stage: Stage, layer: LayerArguments, pairing: dict[str, int], inputs: int, outputs: int
) -> RowCall:
    paired = pairing["paired"]
    rests = bool(paired) and unit.tuning.pays(unit.shares.with_rests(unit.tuning.paired_tile, pixels(stage)))
    tile = _tile(unit, stage, pixels(stage), paired, rests)
    tiles, spare = divmod(pixels(stage), tile)
    quads, extra = divmod(inputs, LANES)
    handed = unit.tuning.handed("qpointwise", unit.tuning.pays(unit.shares.with_inputs(inputs))) - layer.fixed
    if not tiles:
        handed -= {"tiles"}  # a single pixel needs no tile
    long = "quads" not in handed and tile < LARGEST_TILE and inputs % LONG_TURN == 0 and inputs > LONG_TURN
    geometry = pairing | {
        "tiles": tiles,
        "tile": tile,
        "spare": spare,
        "turn": LONG_TURN if long and not pairing["paired"] else LANES,
        "quads": quads,
        "extra": extra,
        "outputs": outputs,
        "rest": outputs % LANES,
    }
    sizes = [(name, str(value)) for name, value in geometry.items()]
    parameters = [(pointer(DType.I8), "x"), *layer.parameters]
    function, values = shared(unit, "qpointwise", "qpointwise", DType.I8, parameters, (*sizes, *layer.literals), handed)
    return RowCall(function, (Pointer(0), *layer.arguments, *values), long_rows=True)


def rows_call(
    unit: TranslationUnit,
    hint: str,
    kernel: str,
    op: QConvolution,
    layer: LayerArguments,
    geometry: dict[str, int],
    pads: bool = True,
    local: str = "",
    handed: frozenset[str] | None = None,
) -> RowCall:
    """The call of a kernel that makes one row of the rows of a window: these, what `layer` has, and in between the
    geometry. With `pads`, a row that stands for what lies beside them comes after them; `local` is a definition that
    the call needs; `handed` are the literals that are arguments at run time, where those are not the kernel's."""
    parameters = [("const int8_t **", "rows")]
    arguments: list[Argument] = [Rows(0)]
    if pads and leaves_columns(op):
        parameters.append((pointer(DType.I8), "pad"))
        arguments.append(unit.constants.pad_row(DType.I8, op.zero, op.x.shape[3]))
    elif pads:
        parameters.append(("", "NULL"))
    literals = [*((name, str(value)) for name, value in geometry.items()), *layer.literals]
    parameters += layer.parameters
    handed = (unit.tuning.handed(kernel) if handed is None else handed) - layer.fixed
    function, values = shared(unit, hint, kernel, DType.I8, parameters, literals, handed, local)
    return RowCall(function, (*arguments, *layer.arguments, *values))
