"""C for pooling."""

from __future__ import annotations

from tinyc.backends.c.calls import leaves_rows, specialise
from tinyc.backends.c.literals import C_TYPES
from tinyc.backends.c.unit import Argument, Count, RowCall, Rows, Unit
from tinyc.ir.op import RowMode
from tinyc.ir.ops.pool import AvgPool2d, Pool
from tinyc.ir.rows import Stage


def emit_pool(unit: Unit, stage: Stage) -> RowCall:
    """A max or average pooling."""
    op = stage.op
    assert isinstance(op, Pool)
    window = stage.windows[0]
    assert window is not None
    dtype, size = op.x.dtype, op.kernel[0] * op.kernel[1]
    clips = window.mode is RowMode.CLIP and leaves_rows(stage, window, op.x.shape[1])
    literals = [
        ("width", op.x.shape[2]),
        ("channels", op.x.shape[3]),
        ("out_width", op.type.shape[2]),
        ("kw", op.kernel[1]),
        ("stride", op.strides[1]),
        ("dilation", op.dilations[1]),
        ("left", op.pads[1]),
    ]
    kernel = "max_pool2d"
    if isinstance(op, AvgPool2d):
        kernel = "avg_pool2d"
        literals.append(("divisor", size if op.count_pads else 0))
    element = C_TYPES[dtype]
    function = specialise(
        unit,
        f"{'avg' if isinstance(op, AvgPool2d) else 'max'}pool{op.kernel[0]}x{op.kernel[1]}",
        kernel,
        dtype,
        [
            (f"const {element} **", "rows"),
            ("int", "count") if clips else ("", f"/*count=*/{op.kernel[0]}"),
            (f"{element} *", "out"),
        ],
        [(name, str(value)) for name, value in literals],
    )
    arguments: tuple[Argument, ...] = (Rows(0), Count(0)) if clips else (Rows(0),)
    return RowCall(function, arguments)
