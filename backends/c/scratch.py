"""What memory of the arena the kernels of stages can use beside."""

from __future__ import annotations

from tinyc.backends.c import mac16, pairs, pie
from tinyc.backends.c.tuning import DEFAULT, Tuning
from tinyc.ir.rows import RowProgram, Stage


def wanted(program: RowProgram, stage: Stage, tuning: Tuning = DEFAULT) -> tuple[int, ...]:
    """How many int32 words the kernel of a stage can use, the best first."""
    if pie.takes(program, stage, tuning):
        return ()
    return mac16.wanted(program, stage, tuning) or pairs.wanted_words(program, stage, tuning)
