"""The row level, executed on the bytes of the planned arena.

The arena starts as garbage, a buffer's bytes are garbage when it is born and garbage again as soon as the plan calls
it dead. A lifetime that is too short, or two live buffers that share bytes, therefore shows as a wrong number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from tinyc.backends.interpreter.tensor import check_inputs
from tinyc.ir import loops
from tinyc.ir.op import Op, RowMode
from tinyc.ir.rows import RowProgram, Space, Stage, Step
from tinyc.ir.tensor import Array

Bytes = NDArray[np.uint8]
WatchStage = Callable[[int, Array], None]


class Memory:
    """The bytes of one run: the arena (or, without a plan, a block a buffer), inputs, outputs and constants."""

    def __init__(self, program: RowProgram, inputs: Sequence[Array], seed: int = 0) -> None:
        self._program = program
        self._random = np.random.default_rng(seed)
        self._blocks: dict[str, Bytes] = {}
        plan = program.plan
        self.arena = self._garbage(plan.bytes if plan else 0)
        given = {v.name: a for v, a in zip(program.inputs, inputs, strict=True)}
        for buffer in program.buffers:
            if buffer.view is not None:
                continue
            if buffer.space is Space.INPUT:
                self._blocks[buffer.name] = _bytes(given[buffer.name])
            elif buffer.data is not None:
                self._blocks[buffer.name] = _bytes(buffer.data.array)
            elif buffer.space is Space.ARENA and plan is not None:
                slot = plan.by_buffer[buffer.name]
                self._blocks[buffer.name] = self.arena[slot.offset : slot.offset + buffer.bytes]
            else:
                self._blocks[buffer.name] = self._garbage(buffer.bytes)

    def array(self, name: str) -> Array:
        """The array of a buffer, on its bytes: writing to it writes the memory."""
        root, offset = self._program.root(name)
        value = self._program.buffer[name].value
        return self._blocks[root.name][offset : offset + value.type.bytes].view(value.dtype.numpy).reshape(value.shape)

    def spoil(self, time: int, *, born: bool) -> None:
        """Fills with garbage the slots that the plan says are born with, or die after, stage number `time`."""
        if self._program.plan is not None:
            for slot in self._program.plan.slots:
                if (slot.first if born else slot.last) == time:
                    self.arena[slot.offset : slot.offset + slot.bytes] = self._garbage(slot.bytes)

    def _garbage(self, size: int) -> Bytes:
        """Random bytes, every fourth 0x7F: as float32 they are huge or NaN, never near zero, so they are noticed."""
        noise = self._random.integers(0, 256, size, dtype=np.uint8)
        noise[3::4] = 0x7F
        return noise


def _bytes(array: Array) -> Bytes:
    return np.frombuffer(np.ascontiguousarray(array).tobytes(), np.uint8)


def run_program(program: RowProgram, inputs: Sequence[Array], watch: WatchStage | None = None) -> list[Array]:
    """The outputs of a row program for these inputs, both in the program's order.

    Args:
        program: what to run; with a plan it runs on an arena of exactly the planned size.
        inputs: one array an input, of exactly its shape and element type.
        watch: called with the number of every stage and its whole result once its last row is written.

    Raises:
        IRError: the inputs do not fit the program.
    """
    check_inputs(program.inputs, inputs)
    memory = Memory(program, inputs)
    kernel = cache(_kernel)
    running = -1
    for step in program.schedule():
        stage = program.stages[step.stage]
        if step.stage != running:
            running = step.stage
            memory.spoil(running, born=True)
        with np.errstate(all="ignore"):
            _apply(stage, step, memory, kernel)
        if step.row + step.rows == stage.rows:
            if watch is not None:
                watch(step.stage, memory.array(stage.result.name).copy())
            memory.spoil(running, born=False)
    return [memory.array(v.name).copy() for v in program.outputs]


def _kernel(stage: Stage, rows: int, valid: int) -> Op:
    """The operator that computes `rows` rows from `valid` rows inside the operand."""
    return stage.op.row_op(rows, valid) if stage.windows else stage.op


def _apply(stage: Stage, step: Step, memory: Memory, kernel: Callable[[Stage, int, int], Op]) -> None:
    operands = [memory.array(v.name) for v in stage.op.operands]
    valid = 0
    for number, window in enumerate(stage.windows):
        if window is None:
            continue
        if stage.band > 1:
            operands[number] = operands[number][:, step.row : step.row + step.rows]
            continue
        rows = stage.input_rows(number, step.row)
        assert rows is not None
        valid = len(rows)
        operands[number] = _window(operands[number], rows, stage.op.row_fill(), window.mode)
    op = kernel(stage, step.rows, valid)
    target = memory.array(stage.result.name)
    if stage.windows:
        target = target[:, step.row : step.row + step.rows]
    nests = op.loops()
    if nests is None:
        target[...] = op.run(operands)
        return
    flat = [np.ascontiguousarray(a).reshape(-1) for a in operands]
    out = np.empty(op.type.size, op.type.dtype.numpy)
    for nest in nests:
        loops.run(nest, flat, out)
    target[...] = out.reshape(target.shape)


def _window(array: Array, rows: Sequence[int | None], fill: float, mode: RowMode) -> Array:
    """The rows stacked as an operand of their own; rows outside are filled, or absent already when the window clips."""
    if mode is RowMode.CLIP or None not in rows:
        return array[:, [r for r in rows if r is not None]]
    padded: Array = np.full((1, len(rows), *array.shape[2:]), fill, array.dtype)
    for k, row in enumerate(rows):
        if row is not None:
            padded[0, k] = array[0, row]
    return padded
