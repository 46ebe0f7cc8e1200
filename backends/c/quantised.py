"""C for integer convolutions and dense layers.

Their weights, biases, multipliers and shifts are constants. So it is known here how large sums can be, which decides
between two forms of requantisation, and refuses what would overflow.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyc.backends.c.calls import Literal, leaves_columns, limits, pointer, specialise
from tinyc.backends.c.conv import pack
from tinyc.backends.c.emitter import emits
from tinyc.backends.c.source import CodegenError
from tinyc.backends.c.unit import Argument, Pointer, RowCall, Rows, TranslationUnit
from tinyc.ir import fixed_point
from tinyc.ir.op import Value
from tinyc.ir.ops import QConv2d, QConvolution, QDense, QDepthwiseConv2d
from tinyc.ir.ops.layer import IntegerLayer
from tinyc.ir.rows import Stage
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType

# The limits of what `narrow_i8.h` calls small.
_SMALL_SUM, _SMALL_SHIFTS = 2**29, (-21, -1)


def small(bound: Array | int, shift: Array | int) -> int:
    """Whether sums of at most `bound` may be requantised in the short way: the argument of that name of `narrow_i8`."""
    shifts = np.asarray(shift)
    least, most = _SMALL_SHIFTS
    return int(bool(np.all(np.asarray(bound) < _SMALL_SUM) and np.all((shifts >= least) & (shifts <= most))))


@dataclass(frozen=True)
class LayerArguments:
    """What all kernels with weights take: the arguments and parameters from the weights to the shifts, and the literals
    from the result's zero point on."""

    arguments: tuple[Argument, ...]
    literals: tuple[Literal, ...]


_PARAMETERS = [
    (pointer(DType.I8), "w"),
    (pointer(DType.I32), "bias"),
    (pointer(DType.I32), "multiplier"),
    (pointer(DType.I8), "shift"),
    ("int8_t *", "out"),
]


@emits(QConv2d)
def emit_qconv2d(unit: TranslationUnit, stage: Stage, op: QConv2d) -> RowCall:
    """An integer convolution of any kind, or of one pixel."""
    layer = weighted(unit, stage, op, pack(_constant(unit, stage, op.w), op.groups))
    inputs, outputs = op.x.shape[3], op.type.shape[3]
    if op.window() == (1, 1) and op.groups == 1 and op.strides == (1, 1) and not any(op.pads):
        return _pointwise(unit, "qpointwise", layer, stage.band * op.type.shape[2], inputs, outputs)
    kh, kw = op.window()
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
    }
    return rows_call(unit, f"qconv{kh}x{kw}", "qconv2d", op, layer, geometry)


@emits(QDepthwiseConv2d)
def emit_qdepthwise(unit: TranslationUnit, stage: Stage, op: QDepthwiseConv2d) -> RowCall:
    """An integer depthwise convolution; 3x3 has kernels of its own."""
    layer = weighted(unit, stage, op, None)
    kh, kw = op.window()
    stride, left = op.strides[1], op.pads[1]
    geometry = {"width": op.x.shape[2], "channels": op.x.shape[3], "out_width": op.type.shape[2]}
    if op.may_overwrite_row():
        kernel = "qdepthwise3x3" if stride == 1 else "qdepthwise3x3s2"
        return rows_call(unit, kernel, kernel, op, layer, geometry | {"left": left})
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
    layer = weighted(unit, stage, op, pack(_constant(unit, stage, op.w), 1))
    outputs, inputs = op.w.shape
    return _pointwise(unit, "qdense", layer, elements(stage) // outputs, inputs, outputs)


def elements(stage: Stage) -> int:
    """Elements of the result that one application computes."""
    return stage.op.type.size // stage.rows * stage.band


def weighted(
    unit: TranslationUnit, stage: Stage, op: IntegerLayer, packed: Array | None, bound: Array | None = None
) -> LayerArguments:
    """What the kernel of a layer takes besides rows and geometry. `packed` are weights as the kernel takes them, None
    for as they are; `bound` is the largest size of each output channel's sums, None where they are of products.

    Raises:
        CodegenError: a sum may overflow int32, or something is computed that has to be constant.
    """
    multiplier = _constant(unit, stage, op.multiplier)
    # Whatever the shift, nothing comes of a multiplier of zero; a negative one keeps the layer in the short form.
    shift = np.where(multiplier == 0, -1, _constant(unit, stage, op.shift))
    if bound is None:
        w, b = _constant(unit, stage, op.w), _constant(unit, stage, op.b)
        bound = fixed_point.accumulator_bound(w, b, op.output_axis)
    if np.any(multiplier < 0) or np.any(shift < -31) or np.any(shift > 30):
        raise CodegenError(f"{stage.where}: multipliers are not negative and shifts are -31 to 30")
    if not fixed_point.fits(bound, shift):
        channel = int(np.argmax(bound * 2.0 ** np.maximum(shift, 0)))
        raise CodegenError(
            f"{stage.where}: sums of output channel {channel} (up to {bound[channel]}, shifted left by "
            f"{max(int(shift[channel]), 0)}) may overflow int32; keep this layer in floating point"
        )
    taken: Argument = Pointer(1)
    if packed is not None:
        taken = unit.constants.symbol(packed, f"{op.w.name}_packed", "weights, four outputs interleaved")
    # One byte is enough for a shift.
    shifts = unit.constants.symbol(shift.astype(np.int8), op.shift.name)
    literals = (("zero", str(op.out_zero)), *limits(op.min, op.max, DType.I8), ("small", str(small(bound, shift))))
    return LayerArguments((taken, Pointer(2), Pointer(3), shifts), literals)


def _constant(unit: TranslationUnit, stage: Stage, value: Value) -> Array:
    array = unit.constant(value)
    if array is None:
        raise CodegenError(f"{stage.where}: {value} is computed; weights of integer layers have to be constants")
    return array


def _pointwise(
    unit: TranslationUnit, hint: str, layer: LayerArguments, pixels: int, inputs: int, outputs: int
) -> RowCall:
    sizes = (("pixels", str(pixels)), ("inputs", str(inputs)), ("outputs", str(outputs)))
    parameters = [(pointer(DType.I8), "x"), *_PARAMETERS]
    function = specialise(unit, hint, "qpointwise", DType.I8, parameters, (*sizes, *layer.literals))
    return RowCall(function, (Pointer(0), *layer.arguments), long_rows=True)


def rows_call(
    unit: TranslationUnit, hint: str, kernel: str, op: QConvolution, layer: LayerArguments, geometry: dict[str, int]
) -> RowCall:
    """The call of a kernel that makes one row of the rows of a window: these, a row that stands for what lies beside
    them, what `layer` has, and in between the geometry."""
    parameters = [("const int8_t **", "rows")]
    arguments: list[Argument] = [Rows(0)]
    if leaves_columns(op):
        parameters.append((pointer(DType.I8), "pad"))
        arguments.append(unit.constants.pad_row(DType.I8, op.zero, op.x.shape[3]))
    else:
        parameters.append(("", "NULL"))
    literals = [*((name, str(value)) for name, value in geometry.items()), *layer.literals]
    function = specialise(unit, hint, kernel, DType.I8, [*parameters, *_PARAMETERS], literals)
    return RowCall(function, (*arguments, *layer.arguments))
