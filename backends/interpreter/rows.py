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
from numpy.typing import NDArray

from tinyc.backends.interpreter.tensor import check_inputs
from tinyc.backends.interpreter.threads import in_one_thread
from tinyc.ir import loops
from tinyc.ir.op import Op, RowMode, Value
from tinyc.ir.rows import RowProgram, Slot, Space, Stage, Step, verify_program
from tinyc.ir.tensor import Array
from tinyc.ir.types import TensorType

Bytes = NDArray[np.uint8]
WatchStage = Callable[[int, Array], None]


class Memory:
    """The bytes of one run: the arenas (or, without a plan, a block a buffer), inputs, outputs and constants."""

    def __init__(self, program: RowProgram, inputs: Sequence[Array], seed: int = 0) -> None:
        self._program = program
        self._random = np.random.default_rng(seed)
        self._blocks: dict[str, Bytes] = {}
        plan = program.plan
        self.arenas = [self._garbage(plan.room(external) if plan else 0) for external in (False, True)]
        given = {v.name: a for v, a in zip(program.inputs, inputs, strict=True)}
        for buffer in program.buffers:
            if buffer.view is not None:
                continue
            if buffer.space in (Space.INPUT, Space.ROWS) and buffer.name in given:
                self._blocks[buffer.name] = _bytes(given[buffer.name])
            elif buffer.data is not None:
                self._blocks[buffer.name] = _bytes(buffer.data.array)
            elif buffer.space is Space.ARENA and plan is not None and buffer.bytes:
                slot = plan.by_buffer[buffer.name]
                self._blocks[buffer.name] = self.arenas[slot.external][slot.offset : slot.offset + buffer.bytes]
            else:
                self._blocks[buffer.name] = self._garbage(buffer.bytes)
            if buffer.space is Space.ARENA and buffer.name in given:
                self._blocks[buffer.name][:] = _bytes(given[buffer.name])

    def rows(self, name: str, rows: Sequence[int]) -> list[Array]:
        """Rows of a buffer, each [1, 1, ...] on its bytes: writing to one writes the memory."""
        buffer = self._program.buffer[name]
        shape = (1, 1, *buffer.value.shape[2:])
        found = []
        for row in rows:
            root, offset = self._program.row_at(name, row)
            block = self._blocks[root.name][offset : offset + buffer.row_bytes]
            found.append(block.view(buffer.value.dtype.numpy).reshape(shape))
        return found

    def array(self, name: str) -> Array:
        """The array of a buffer that keeps all its rows, on its bytes: writing to it writes the memory."""
        root, offset = self._program.root(name)
        value = self._program.buffer[name].value
        return self._blocks[root.name][offset : offset + value.type.bytes].view(value.dtype.numpy).reshape(value.shape)

    def held(self, name: str, type: TensorType) -> Array:
        """What the memory of a buffer holds while it is gathered, on its bytes."""
        root, offset = self._program.root(name)
        block = self._blocks[root.name][offset : offset + type.bytes]
        return block.view(type.dtype.numpy).reshape(type.shape)

    def spoil(self, slot: Slot, others: Sequence[Slot]) -> None:
        """Fills a slot with garbage, but for the bytes that it shares with other ones of its arena."""
        mine = np.ones(slot.bytes, bool)
        for other in others:
            mine[max(other.offset - slot.offset, 0) : max(other.offset + other.bytes - slot.offset, 0)] = False
        self.arenas[slot.external][slot.offset : slot.offset + slot.bytes][mine] = self._garbage(int(mine.sum()))

    def scribble(self, scratch: Value | None) -> None:
        """Fills the scratch memory of a stage with garbage, as a library may."""
        if scratch is not None:
            block = self._blocks[scratch.name]
            block[:] = self._garbage(block.size)

    def scramble(self, name: str) -> None:
        """Fills a buffer that keeps all its rows with garbage."""
        raw = self.array(name).reshape(-1).view(np.uint8)
        raw[:] = self._garbage(raw.size)

    def _garbage(self, size: int) -> Bytes:
        """Random bytes, every fourth 0x7F: as float32 they are huge or NaN, never near zero, so they are noticed."""
        noise = self._random.integers(0, 256, size, dtype=np.uint8)
        noise[3::4] = 0x7F
        return noise


def _bytes(array: Array) -> Bytes:
    return np.frombuffer(np.ascontiguousarray(array).tobytes(), np.uint8)


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
    memory = Memory(program, inputs)
    kernel = cache(_kernel)
    whole: dict[int, Array] = {}
    done: Counter[int] = Counter()
    dying = _dying(program)
    for step in program.schedule():
        stage = program.stages[step.stage]
        if stage.split > 1 and not done[step.stage] and not program.overwrites(stage):
            # Another core may write any row before the first one is read.
            memory.scramble(stage.result.name)
        with np.errstate(all="ignore"):
            result = _apply(program, stage, step, memory, kernel, in_steps)
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


def _kernel(stage: Stage, rows: int, valid: int) -> Op:
    """The operator that computes `rows` rows from `valid` rows inside the operand."""
    return stage.op.row_op(rows, valid) if stage.windows else stage.op


def _apply(
    program: RowProgram,
    stage: Stage,
    step: Step,
    memory: Memory,
    kernel: Callable[[Stage, int, int], Op],
    in_steps: bool,
) -> Array:
    """Computes a step into the memory; the result, as an array of its own."""
    if stage.gathers:
        return _gather(program, stage, step, memory, program.fused if in_steps else None)
    if stage.windows:
        targets = memory.rows(stage.result.name, range(step.row, step.row + step.rows))
    else:
        targets = [memory.array(stage.result.name)]
    if not program.overwrites(stage):
        for target in targets:
            raw = target.reshape(-1).view(np.uint8)
            np.invert(raw, out=raw)
    memory.scribble(stage.kernel.scratch)
    operands: list[Array] = []
    valid = 0
    for number, value in enumerate(stage.op.operands):
        window = stage.windows[number] if stage.windows else None
        if window is None:
            operands.append(memory.array(value.name))
        elif stage.band > 1:
            operands.append(memory.array(value.name)[:, step.row : step.row + step.rows])
        else:
            rows = stage.input_rows(number, step.row)
            assert rows is not None
            valid = len(rows)
            fresh = stage.fresh_row(number, step.row)
            operands.append(_window(memory, value, rows, stage.op.row_fill(), window.mode, fresh))
    result = _computed(kernel(stage, step.rows, valid), operands, program.fused if in_steps else None)
    if not stage.windows:
        targets[0][...] = result.reshape(targets[0].shape)
    else:
        result = result.reshape(1, step.rows, *stage.result.shape[2:])
        for k, target in enumerate(targets):
            target[...] = result[:, k : k + 1]
    memory.scribble(stage.kernel.scratch)
    return result


def _gather(program: RowProgram, stage: Stage, step: Step, memory: Memory, fused: bool | None) -> Array:
    """Takes one more row into the memory of the result; what is there then, which after the last row is the result."""
    reverse = next(s.reverse for s in program.order if step.stage in s.stages)
    first, last = (0, stage.rows - 1) if not reverse else (stage.rows - 1, 0)
    type = stage.op.gathered()
    assert type is not None
    held = memory.held(stage.result.name, type)
    operands = [*memory.rows(stage.op.operands[0].name, [step.row])]
    operands += [memory.array(v.name) for v in stage.op.operands[1:]]
    result = stage.op.gather(held.copy(), operands, step.row, step.row == first, step.row == last, fused)
    if step.row != last:
        held[...] = result
        return result
    target = memory.array(stage.result.name)
    target[...] = result.reshape(target.shape)
    return target.copy()


def _computed(op: Op, operands: Sequence[Array], fused: bool | None) -> Array:
    """What an operator makes of its operands, by its loops if it has some; `fused` as for `loops.run`."""
    nests = op.loops()
    if nests is None:
        return op.run(operands) if fused is None else op.run_in_steps(operands, fused)
    flat = [np.ascontiguousarray(a).reshape(-1) for a in operands]
    result = np.empty(op.type.size, op.type.dtype.numpy)
    for nest in nests:
        loops.run(nest, flat, result, fused)
    return result


def _window(
    memory: Memory,
    value: Value,
    rows: Sequence[int | None],
    fill: float | None,
    mode: RowMode,
    fresh: tuple[Value, int] | None,
) -> Array:
    """The rows stacked as an operand of their own; rows outside are filled, or absent already when the window clips.
    A fresh one lies in another buffer."""
    present = memory.rows(value.name, [r for r in rows if r is not None])
    if fresh is not None:
        present[[r for r in rows if r is not None].index(fresh[1])] = memory.rows(fresh[0].name, [fresh[1]])[0].reshape(
            1, 1, *value.shape[2:]
        )
    if mode is RowMode.CLIP or None not in rows:
        if not present:
            return np.empty((1, 0, *value.shape[2:]), value.dtype.numpy)
        return np.concatenate(present, axis=1)
    assert fill is not None
    padded: Array = np.full((1, len(rows), *value.shape[2:]), fill, value.dtype.numpy)
    for k, row in enumerate(rows):
        if row is not None:
            padded[:, k : k + 1] = present.pop(0)
    return padded
