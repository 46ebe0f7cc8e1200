"""The row level: buffers, and a schedule of row kernels that fill them."""

from tinyc.ir.rows.parts import (
    Buffer,
    Endless,
    Fresh,
    Kernel,
    Pace,
    Plan,
    Segment,
    Slot,
    Space,
    Stage,
    Step,
    View,
    row_count,
)
from tinyc.ir.rows.program import RowProgram, format_program
from tinyc.ir.rows.verify import verify_program, whole_because

__all__ = [
    "Buffer",
    "Endless",
    "Fresh",
    "Kernel",
    "Pace",
    "Plan",
    "RowProgram",
    "Segment",
    "Slot",
    "Space",
    "Stage",
    "Step",
    "View",
    "format_program",
    "row_count",
    "verify_program",
    "whole_because",
]
