"""What a user should know of a compiled network."""

from __future__ import annotations

from tinyc.backends.c import CSource
from tinyc.backends.targets import Target
from tinyc.compiler.data.calibration import Calibration
from tinyc.compiler.lowering.cores import core_notes
from tinyc.compiler.lowering.fit import check_fit, sizes
from tinyc.compiler.lowering.kernels import kernel_notes
from tinyc.compiler.options import Options
from tinyc.ir.rows import RowProgram


def notes_of(
    program: RowProgram, source: CSource, target: Target, options: Options, calibration: Calibration | None
) -> list[str]:
    """One line each. Raises `FitError` where the target has no room for the network."""
    return [
        *core_notes(program, options.cores),
        *kernel_notes(program, options),
        *(calibration.notes if calibration is not None else ()),
        *check_fit(target, sizes(program, source), options),
    ]
