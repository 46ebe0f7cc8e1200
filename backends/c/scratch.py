"""What memory of the arena the kernels of stages can use beside, and what they gain by it."""

from __future__ import annotations

import dataclasses

from tinyc.backends.c import mac16, pairs, pie
from tinyc.backends.c.estimate import instructions
from tinyc.backends.c.tuning import DEFAULT, Tuning
from tinyc.ir.rows import RowProgram, Stage


def wanted(program: RowProgram, stage: Stage, tuning: Tuning = DEFAULT) -> tuple[int, ...]:
    """How many int32 words the kernel of a stage can use, the best first."""
    if pie.takes(program, stage, tuning):
        return ()
    return mac16.wanted(program, stage, tuning) or pairs.wanted_words(program, stage, tuning)


def saved(program: RowProgram, stage: Stage, tuning: Tuning, family: str) -> float:
    """About the instructions that a stage takes less with the scratch memory that it has and could do without, on a
    family of cores (`estimate`)."""
    if not stage.kernel.has_spare:
        return 0.0
    if not mac16.wanted(program, stage, tuning):
        return pairs.saved(program, stage)
    without = dataclasses.replace(stage, kernel=dataclasses.replace(stage.kernel, scratch=None))
    takes = [instructions(program, s, tuning, family) or 0 for s in (without, stage)]
    return takes[0] - takes[1]
