"""What a user should know of a compiled network."""

from __future__ import annotations

from tinyc.backends.c import CSource
from tinyc.backends.targets import Target
from tinyc.compiler.data.calibration import Calibration
from tinyc.compiler.lowering.cores import core_notes
from tinyc.compiler.lowering.fit import check_fit, fits, internal_room, resized, sizes
from tinyc.compiler.lowering.kernels import kernel_notes
from tinyc.compiler.lowering.steps import Lowered
from tinyc.compiler.options import Options
from tinyc.ir.rows import RowProgram


def notes_of(
    lowered: Lowered, source: CSource, target: Target, options: Options, calibration: Calibration | None
) -> list[str]:
    """One line each. Raises `FitError` where the target has no room for the network."""
    program, needed = lowered.program, sizes(lowered.program, source, lowered.integers is not None)

    def tried() -> list[str]:
        def enough(found: RowProgram, changed: Options, part: int) -> bool:
            return fits(target, resized(needed, found, changed).parted(part), changed)

        spare = internal_room(target, needed, options)
        return [] if lowered.trials is None else lowered.trials.helps(program, enough, spare, target.psram_bytes)

    return [
        *core_notes(program, options.cores),
        *kernel_notes(program, options),
        *_normalised(lowered, options),
        *(calibration.notes if calibration is not None else ()),
        *check_fit(target, needed, options, tried),
    ]


def _normalised(lowered: Lowered, options: Options) -> list[str]:
    """That the C has no part in how pixels are scaled, where it takes floats."""
    if options.port_types.normalise is None or lowered.inputs:
        return []
    return [
        "the C does not scale pixels: its inputs are floats as `normalise` makes them; a quantised network takes "
        "pixels themselves, by `input_type=uint8`"
    ]
