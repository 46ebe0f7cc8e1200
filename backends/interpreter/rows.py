"""The row level, executed on the bytes of the planned arena, or arenas.

The arena starts as garbage, a buffer's bytes are garbage as soon as the plan calls it dead, and the bytes of a row are
spoilt before the step that writes it reads its operands. A lifetime that is too short, a ring that is too small, a row
read too early, or two live rows that share bytes therefore shows as a wrong number.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache

import numpy as np

from tinyc.backends.interpreter.apply import apply_step, kernel_of
from tinyc.backends.interpreter.memory import Memory
from tinyc.backends.interpreter.steps import run_endless
from tinyc.backends.interpreter.tensor import check_inputs
from tinyc.backends.interpreter.threads import in_one_thread
from tinyc.ir.rows import RowProgram, Slot, verify_program
from tinyc.ir.tensor import Array

WatchStage = Callable[[int, Array], None]


@in_one_thread
def run_program(
    program: RowProgram, inputs: Sequence[Array], watch: WatchStage | None = None, *, in_steps: bool = False
) -> list[Array]:
    """The outputs of a row program for these inputs, both in the program's order.

    Args:
        program: what to run; with a plan it runs on arenas of exactly the planned sizes.
        inputs: one array an input, of exactly its shape and element type.
        watch: called with the number of every stage and its whole result once its last row is written.
        in_steps: make float sums as the generated C does, each step rounded in float32, fused where the program says
            so, instead of rounding sums in float64 once. Some nanoseconds for each multiply-accumulate.

    Raises:
        IRError: the inputs do not fit the program, or it is malformed.
    """
    verify_program(program)
    check_inputs(program.inputs, inputs)
    if program.endless is not None:
        return run_endless(program, inputs, watch, in_steps=in_steps)
    memory = Memory(program, inputs)
    kernel = cache(kernel_of)
    whole: dict[int, Array] = {}
    done: Counter[int] = Counter()
    dying = _dying(program)
    for step in program.schedule():
        stage = program.stages[step.stage]
        if stage.split > 1 and not done[step.stage] and not program.overwrites(stage):
            # Another core may write any row before the first one is read.
            memory.scramble(stage.result.name)
        with np.errstate(all="ignore"):
            result = apply_step(program, stage, step, memory, kernel, in_steps)
        if watch is not None and stage.gathers:
            whole[step.stage] = result
        elif watch is not None:
            if step.stage not in whole:
                whole[step.stage] = np.empty(stage.result.shape, stage.result.dtype.numpy)
            target = whole[step.stage][:, step.row : step.row + step.rows] if stage.windows else whole[step.stage]
            target[...] = result.reshape(target.shape)
        done[step.stage] += step.rows
        if done[step.stage] == stage.rows:
            if watch is not None:
                watch(step.stage, whole.pop(step.stage))
            for slot, others in dying.get(step.stage, ()):
                memory.spoil(slot, others)
    return [memory.array(v.name).copy() for v in program.outputs]


def _dying(program: RowProgram) -> dict[int, list[tuple[Slot, list[Slot]]]]:
    """By stage, the slots whose last stage it is, each with those of other buffers that are alive in its segment or go
    on to live after it."""
    found: dict[int, list[tuple[Slot, list[Slot]]]] = {}
    slots = program.plan.slots if program.plan is not None else ()
    home = {number: segment for segment in program.order for number in segment.stages}
    for slot in slots:
        if slot.last >= 0:
            stages = home[slot.last].stages
            alive = [s for s in slots if s is not slot and s.first < stages.stop and s.last >= stages.start]
            others = [s for s in alive if s.external == slot.external]
            found.setdefault(slot.last, []).append((slot, others))
    return found
