"""Which stages two cores share, and what that saves."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from tinyc.ir.rows import RowProgram, Stage, whole_because
from tinyc.passes.core.base import PassError, RowPass, Slack

HAND_OVER = 5_000
"""Instructions in the time that it takes to wake a task on the other core and to be woken by it, about: 20 microseconds
at 240 MHz. An estimate, and rather too high."""
PER_MAC, PER_ELEMENT = 3, 8
"""Instructions of a stage for each multiply-accumulate and for each element of its result, about: measured on rv32imc
for int8."""


@dataclass(frozen=True)
class Split(RowPass, name="split-rows"):
    """Divides the rows of heavy stages between cores.

    A stage is split where it stands alone in its segment, its rows do not depend on each other, and computing a part of
    them elsewhere takes away more than the hand-over adds. No row of its result may then lie over a row that it reads:
    the plan that follows knows.
    """

    slack = Slack(1e-6, "a float sum over some rows may be rounded otherwise than the same sum over all")

    cores: int = 2

    def run(self, program: RowProgram) -> RowProgram:
        if self.cores < 1:
            raise PassError(f"split-rows: the number of cores is at least 1, not {self.cores}")
        alone = {segment.first for segment in program.order if not segment.streams}
        stages = tuple(
            dataclasses.replace(s, split=self.cores) if number in alone and saving(program, s, self.cores) else s
            for number, s in enumerate(program.stages)
        )
        return dataclasses.replace(program, stages=stages) if stages != program.stages else program


def saving(program: RowProgram, stage: Stage, cores: int) -> int:
    """Instructions in the time that is saved when so many cores share the rows of a stage; 0 where they cannot, or had
    better not."""
    split = dataclasses.replace(stage, split=cores)
    if cores == 1 or whole_because(program, split):
        return 0
    work = PER_MAC * stage.op.macs() + PER_ELEMENT * stage.result.type.size
    longest = len(split.parts[0])
    return max(work * (stage.rows - longest) // stage.rows - HAND_OVER, 0)


__all__ = ["HAND_OVER", "Split", "saving"]
