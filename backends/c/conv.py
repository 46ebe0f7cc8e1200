"""C for convolutions and dense layers."""

from __future__ import annotations

import numpy as np

from tinyc.backends.c.calls import Literal, limits, pointer, require_float, shared, specialise
from tinyc.backends.c.emitter import emits
from tinyc.backends.c.tiles import LANES, Tiles, head, room, tiles, unrolled
from tinyc.backends.c.tuned import pixels
from tinyc.backends.c.unit import Argument, Pointer, RowCall, Rows, TranslationUnit
from tinyc.backends.c.windows import beside, leaves_columns
from tinyc.ir.op import Value
from tinyc.ir.ops.conv import Conv2d, Convolution, DepthwiseConv2d
from tinyc.ir.ops.linear import Dense
from tinyc.ir.rows import Stage
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType

SHARED = 8
"""Inputs from which on pointwise layers share a function, if they need the same tiles. What they then compute at run
time costs a few percent where there are few inputs, and a function takes more than a kilobyte."""

BLOCK_REGISTERS = 24
"""Floating-point registers from which on a depthwise layer computes four pixels before it limits and writes them."""


def pack(weights: Array, groups: int) -> Array:
    """Weights [outputs, ...] for the register tiles: within each group, blocks of four outputs and a last one of the
    rest, with the outputs of a block interleaved."""
    parts: list[Array] = []
    for group in np.split(weights.reshape(weights.shape[0], -1), groups):
        whole = group.shape[0] // LANES * LANES
        parts += [block.T.reshape(-1) for block in group[:whole].reshape(-1, LANES, group.shape[1])]
        parts.append(group[whole:].T.reshape(-1))
    return np.concatenate(parts)


@emits(Conv2d)
def emit_conv2d(unit: TranslationUnit, stage: Stage, op: Conv2d) -> RowCall:
    """A convolution of any kind, or of one pixel."""
    require_float(stage)
    weights, packed = _weights(unit, op.w, op.groups, f"{op.w.name}_packed")
    inputs, outputs = op.x.shape[3], op.type.shape[3]
    if op.per_pixel() and op.groups == 1:
        return _pointwise(unit, "pointwise", stage, op, weights, packed)
    kh, kw = op.window()
    before, after = beside(op)
    how = _tiles(unit, stage, op.type.shape[2] - before - after, outputs // op.groups)
    geometry = {
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
        "before": before,
        "tile": how.pixels,
        "overlap": how.overlap,
        "larger": how.larger,
        "smaller": how.smaller,
        "turn": unrolled(unit.tuning.float_registers),
        "packed": packed,
    }
    return _rows_call(unit, f"conv{kh}x{kw}", "conv2d", op, weights, geometry)


@emits(DepthwiseConv2d)
def emit_depthwise(unit: TranslationUnit, stage: Stage, op: DepthwiseConv2d) -> RowCall:
    """A depthwise convolution; 3x3 has kernels of its own."""
    require_float(stage)
    kh, kw = op.window()
    stride, left = op.strides[1], op.pads[1]
    geometry = {"width": op.x.shape[2], "channels": op.x.shape[3]}
    if op.may_overwrite_row():
        kernel = "depthwise3x3" if stride == 1 else "depthwise3x3s2"
        block = 4 if unit.tuning.float_registers >= BLOCK_REGISTERS else 1
        geometry |= {"out_width": op.type.shape[2], "left": left, "block": block}
        return _rows_call(unit, kernel, kernel, op, Pointer(1), geometry)
    geometry |= {
        "multiplier": op.channel_multiplier(),
        "out_width": op.type.shape[2],
        "kh": kh,
        "kw": kw,
        "stride": stride,
        "dilation": op.dilations[1],
        "left": left,
    }
    return _rows_call(unit, f"depthwise{kh}x{kw}", "depthwise", op, Pointer(1), geometry)


@emits(Dense)
def emit_dense(unit: TranslationUnit, stage: Stage, op: Dense) -> RowCall:
    """A dense layer: every row of x is what a pixel is to a pointwise convolution."""
    require_float(stage)
    weights, packed = _weights(unit, op.w, 1, f"{op.w.name}_packed")
    return _pointwise(unit, "dense", stage, op, weights, packed)


def _weights(unit: TranslationUnit, w: Value, groups: int, hint: str) -> tuple[Argument, int]:
    """The weights argument, and whether they are packed: those that are computed are not."""
    array = unit.constant(w)
    if array is None:
        return Pointer(1), 0
    return unit.constants.symbol(pack(array, groups), hint, "weights, four outputs interleaved"), 1


def _tiles(unit: TranslationUnit, stage: Stage, pixels: int, outputs: int) -> Tiles:
    """How some pixels are divided into tiles, for as many output channels that see the same inputs."""
    measured = unit.tuning.choices.find(stage).tile
    return tiles(pixels, measured or room(unit.tuning.float_registers, min(outputs, LANES)))


def _pointwise(
    unit: TranslationUnit, hint: str, stage: Stage, op: Conv2d | Dense, weights: Argument, packed: int
) -> RowCall:
    """The call for all pixels or rows of a band."""
    inputs, outputs = op.x.shape[-1], op.type.shape[-1]
    how, turn = _tiles(unit, stage, pixels(stage), outputs), unrolled(unit.tuning.float_registers)
    sizes = {"inputs": inputs, "outputs": outputs, "larger": how.larger, "smaller": how.smaller}
    handed = unit.tuning.handed("pointwise") if packed and inputs >= SHARED else frozenset()
    # Of what there is none needs no code.
    handed = frozenset(name for name in handed if sizes[name])
    values = sizes | {"tile": how.pixels, "overlap": how.overlap}
    values["head"] = inputs % turn if handed else head(inputs, turn)
    values |= {"turn": turn, "rest": outputs % LANES, "packed": packed, "has_bias": int(op.b is not None)}
    literals: list[Literal] = [(name, str(value)) for name, value in values.items()]
    literals += limits(op.min, op.max, DType.F32)
    float_pointer = pointer(DType.F32)
    bias = (float_pointer, "b") if op.b is not None else ("", "NULL")
    parameters = [(float_pointer, "x"), (float_pointer, "w"), bias, ("float *", "out")]
    function, given = shared(unit, hint, "pointwise", DType.F32, parameters, literals, handed)
    vectors = (Pointer(0), weights) if op.b is None else (Pointer(0), weights, Pointer(2))
    return RowCall(function, (*vectors, *given), long_rows=True)


def _rows_call(
    unit: TranslationUnit, hint: str, kernel: str, op: Convolution, weights: Argument, geometry: dict[str, int]
) -> RowCall:
    float_pointer = pointer(DType.F32)
    parameters = [("const float **", "rows")]
    arguments: list[Argument] = [Rows(0)]
    if leaves_columns(op):
        parameters.append((float_pointer, "pad"))
        arguments.append(unit.constants.pad_row(DType.F32, op.pad_value, op.x.shape[3]))
    else:
        parameters.append(("", "NULL"))
    parameters.append((float_pointer, "w"))
    arguments.append(weights)
    if op.b is not None:
        parameters.append((float_pointer, "b"))
        arguments.append(Pointer(2))
    else:
        parameters.append(("", "NULL"))
    parameters.append(("float *", "out"))
    literals: list[Literal] = [(name, str(value)) for name, value in geometry.items()]
    literals += [("has_bias", str(int(op.b is not None))), *limits(op.min, op.max, DType.F32)]
    return RowCall(specialise(unit, hint, kernel, DType.F32, parameters, literals), tuple(arguments))
