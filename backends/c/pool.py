"""C for pooling."""

from __future__ import annotations

from collections.abc import Sequence

from tinyc.backends.c.calls import Literal, specialise
from tinyc.backends.c.emitter import emits
from tinyc.backends.c.generic import emit_loops
from tinyc.backends.c.literals import C_TYPES
from tinyc.backends.c.unit import Argument, Count, RowCall, Rows, TranslationUnit
from tinyc.backends.c.windows import leaves_rows
from tinyc.ir.op import RowMode
from tinyc.ir.ops.pool import AvgPool2d, MaxPool2d, Pool
from tinyc.ir.rows import Stage


@emits(MaxPool2d)
def emit_max_pool(unit: TranslationUnit, stage: Stage, op: MaxPool2d) -> RowCall:
    """The largest of each window."""
    if stage.gathers:
        return emit_loops(unit, stage, op)
    return pool_call(unit, stage, op, "maxpool", "max_pool2d", [])


@emits(AvgPool2d)
def emit_avg_pool(unit: TranslationUnit, stage: Stage, op: AvgPool2d) -> RowCall:
    """The average of each window."""
    if stage.gathers:
        return emit_loops(unit, stage, op)
    divisor = op.kernel[0] * op.kernel[1] if op.count_pads else 0
    return pool_call(unit, stage, op, "avgpool", "avg_pool2d", [("divisor", str(divisor))])


def pool_call(
    unit: TranslationUnit, stage: Stage, op: Pool, hint: str, kernel: str, more: Sequence[Literal]
) -> RowCall:
    """The call of a kernel that pools the rows of a window, with more literals behind the geometry."""
    window = stage.windows[0]
    assert window is not None
    clips = window.mode is RowMode.CLIP and leaves_rows(stage, window, op.x.shape[1])
    literals = {
        "width": op.x.shape[2],
        "channels": op.x.shape[3],
        "out_width": op.type.shape[2],
        "kw": op.kernel[1],
        "stride": op.strides[1],
        "dilation": op.dilations[1],
        "left": op.pads[1],
    }
    element = C_TYPES[op.x.dtype]
    function = specialise(
        unit,
        f"{hint}{op.kernel[0]}x{op.kernel[1]}",
        kernel,
        op.x.dtype,
        [
            (f"const {element} **", "rows"),
            ("int", "count") if clips else ("", f"/*count=*/{op.kernel[0]}"),
            (f"{element} *", "out"),
        ],
        [*((name, str(value)) for name, value in literals.items()), *more],
    )
    arguments: tuple[Argument, ...] = (Rows(0), Count(0)) if clips else (Rows(0),)
    return RowCall(function, arguments)
