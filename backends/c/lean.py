"""One function for all integer layers with weights that see all channels: for the least code.

A layer of windows copies those of one or two pixels, which are then pixels of a pointwise layer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from tinyc.backends.c.calls import Literal, pointer, shared, wrapped
from tinyc.backends.c.tiles import COPIES
from tinyc.backends.c.unit import Argument, Pointer, RowCall, Rows, TranslationUnit
from tinyc.backends.c.windows import leaves_columns
from tinyc.ir.ops import QConv2d
from tinyc.ir.types import DType

Parameters = Sequence[tuple[str, str]]


def is_lean(unit: TranslationUnit, op: QConv2d | None = None) -> bool:
    """Whether a layer is computed so: one of pixels, or one of windows that the stack has room to copy."""
    if unit.tuning.optimize != "size":
        return False
    return op is None or (op.groups == 1 and (op.per_pixel() or math.prod(op.w.shape[1:]) <= COPIES))


def pixel_call(
    unit: TranslationUnit,
    parameters: Parameters,
    arguments: Sequence[Argument],
    literals: Sequence[Literal],
    pixels: int,
    inputs: int,
    outputs: int,
) -> RowCall:
    """The call for so many pixels, with the vectors of the layer and its literals, `halves` the first."""
    function, values = _function(unit, parameters, literals, str(pixels), inputs, outputs)
    return RowCall(function, (Pointer(0), *arguments, *values), long_rows=True)


def window_call(
    unit: TranslationUnit,
    op: QConv2d,
    parameters: Parameters,
    arguments: Sequence[Argument],
    literals: Sequence[Literal],
) -> RowCall:
    """The call for one row of a layer of windows."""
    (kh, kw), width, outputs = op.window(), op.type.shape[2], op.type.shape[3]
    window = math.prod(op.w.shape[1:])
    each = 2 if 2 * window <= COPIES and width > 1 else 1
    pixels = "pixels" if width % each else str(each)
    function, values = _function(unit, parameters, literals, pixels, window, outputs)
    rows: list[tuple[str, str]] = [("const int8_t **", "rows")]
    given: list[Argument] = [Rows(0)]
    if leaves_columns(op):
        rows.append((pointer(DType.I8), "pad"))
        given.append(unit.constants.pad_row(DType.I8, op.zero, op.x.shape[3]))
    else:
        unit.kernels.headers.add("stddef.h")  # NULL
    names = [name for kind, name in parameters[:-1] if kind]
    pad = "pad" if leaves_columns(op) else "NULL"
    numbers = (op.strides[1], op.pads[1], op.x.shape[2], op.x.shape[3], kh, kw, op.dilations[1])
    body = f"    int8_t patches[{each * window}];\n    for (int x = 0; x < {width}; x += {each}) {{\n"
    if width % each:
        body += f"        const int pixels = x + 1 < {width} ? 2 : 1;\n"
    copied = ["patches", "rows", pad, "x", pixels, *map(str, numbers)]
    body += wrapped(f"        {unit.kernels.use('qpatches', DType.I8)}(", copied, ");")
    body += wrapped(f"        {function}(", ["patches", *names, *values, f"out + x * {outputs}"], ");") + "    }\n"
    own = ", ".join(f"{kind}{name}" for kind, name in (*rows, *parameters) if kind)
    return RowCall(unit.function(f"qconv{kh}x{kw}", own, body), (*given, *arguments))


def _function(
    unit: TranslationUnit, parameters: Parameters, literals: Sequence[Literal], pixels: str, inputs: int, outputs: int
) -> tuple[str, tuple[str, ...]]:
    sizes = [("pixels", pixels), ("inputs", str(inputs)), ("outputs", str(outputs))]
    own = [(pointer(DType.I8), "x"), *parameters]
    return shared(unit, "qlean", "qlean", DType.I8, own, [*sizes, *literals], unit.tuning.handed("qlean"))
