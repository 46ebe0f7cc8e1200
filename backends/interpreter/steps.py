"""Programs that keep their state between calls, call after call on the bytes of one arena.

What was written stays: the only garbage is that in which the arena begins. How many sweeps there were is counted in
the arena, as the generated C does, so that a count that goes back to where not all lies alike is a wrong number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache

import numpy as np

from tinyc.backends.interpreter.apply import apply_step, kernel_of
from tinyc.backends.interpreter.memory import Memory
from tinyc.ir.errors import IRError
from tinyc.ir.rows import RowProgram, Stage, Step
from tinyc.ir.rows.endless import late_rows, paced, rows_a_call
from tinyc.ir.tensor import Array


class Calls:
    """An endless program that is called, from its start on.

    Args:
        program: planned, or each of its buffers lies by itself.
        in_steps: as for `run_program`.
        seed: of the garbage in which the arena begins.
    """

    def __init__(self, program: RowProgram, *, in_steps: bool = False, seed: int = 0) -> None:
        assert program.endless is not None
        self._program, self._endless, self._in_steps = program, program.endless, in_steps
        nothing = [np.zeros(v.shape, v.dtype.numpy) for v in program.inputs]
        self._memory = Memory(program, nothing, seed)
        self._stages = list(paced(program))
        self._kernel = cache(kernel_of)
        self.rows = rows_a_call(program)
        self.reset()

    def reset(self) -> None:
        """Begins anew."""
        self._count[0] = 0

    @property
    def _count(self) -> Array:
        return self._memory.array(self._endless.counter.name)

    def call(self, inputs: Sequence[Array], seen: Callable[[int, Array], None] | None = None) -> list[Array]:
        """What the rows of a call's inputs give. Rows of outputs that are not there yet are zeros.

        Args:
            inputs: [1, rows of a call, ...] each.
            seen: told the number of each stage that has computed a row, and the row.
        """
        program = self._program
        given = {v.name: iter(np.swapaxes(a, 0, 1)) for v, a in zip(program.inputs, inputs, strict=True)}
        outputs = {v.name: np.zeros((1, self.rows[v.name], *v.shape[2:]), v.dtype.numpy) for v in program.outputs}
        begin = int(self._count[0])
        for sweep in range(begin, begin + self._endless.hop):
            for number, stage, pace in self._stages:
                row, rest = divmod(sweep - pace.delay, pace.period)
                if row < 0 or rest:
                    continue
                result = self._row(number, stage, row, given)
                if program.gives_rows(stage):
                    place = (sweep - begin) // pace.period
                    outputs[stage.result.name][0, place] = result.reshape(stage.result.shape[2:])
                if seen is not None:
                    seen(number, result)
        self._count[0] = self._endless.after(begin)
        return [outputs[v.name] for v in program.outputs]

    def _row(self, number: int, stage: Stage, row: int, given: Mapping[str, Iterator[Array]]) -> Array:
        """Computes a row of a stage."""
        if self._program.takes_rows(stage):
            target = self._memory.rows(stage.result.name, [row])[0]
            target[...] = next(given[stage.op.operands[0].name]).reshape(target.shape)
            return target.copy()
        if self._program.gives_rows(stage):
            value, there = stage.fresh_row(0, row) or (stage.op.operands[0], row)
            return self._memory.rows(value.name, [there])[0].copy()
        with np.errstate(all="ignore"):
            step = Step(number, row, 1)
            return apply_step(self._program, stage, step, self._memory, self._kernel, self._in_steps)


def run_endless(
    program: RowProgram,
    inputs: Sequence[Array],
    watch: Callable[[int, Array], None] | None = None,
    *,
    in_steps: bool = False,
) -> list[Array]:
    """The outputs for signals of any whole number of calls, from the start on: see `run_program`."""
    calls = Calls(program, in_steps=in_steps)
    lengths = {a.shape[1] // calls.rows[v.name] for v, a in zip(program.inputs, inputs, strict=True)}
    rest = any(a.shape[1] % calls.rows[v.name] for v, a in zip(program.inputs, inputs, strict=True))
    if rest or len(lengths) != 1:
        raise IRError(f"takes {dict(calls.rows)} rows a call, of each input as often", f"program {program.name}")
    found: list[list[Array]] = []
    computed: dict[int, list[Array]] = {}
    for number in range(lengths.pop()):
        counts = [calls.rows[v.name] for v in program.inputs]
        part = [a[:, number * n : (number + 1) * n] for a, n in zip(inputs, counts, strict=True)]
        found.append(calls.call(part, lambda k, row: computed.setdefault(k, []).append(row)))
    if watch is not None:
        for stage, rows in computed.items():
            result = program.stages[stage].result
            shape = (1, len(rows), *result.shape[2:])
            watch(stage, np.stack(rows).reshape(shape))
    late = late_rows(program)
    return [
        np.concatenate([outputs[k] for outputs in found], axis=1)[:, late[v.name] :]
        for k, v in enumerate(program.outputs)
    ]
