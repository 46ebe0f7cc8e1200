"""Networks that keep their state, run for longer than the model's window.

The witness is the window again: rows of an output that reach back to none before their window are those that the
network gives for that window alone. The C is held against the interpreter, which is held against that.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from tinyc.backends.c import CSource
from tinyc.backends.interpreter import run_program
from tinyc.backends.interpreter.steps import run_endless
from tinyc.backends.runners import runner_for
from tinyc.compiler.verify.gaps import describe, gap
from tinyc.ir.rows import RowProgram
from tinyc.ir.rows.endless import looks_back
from tinyc.ir.tensor import Array

WINDOWS = 2
STEPS = 100_000_000
"""Multiply-accumulates of these, up to which that is done in half a second or so."""


def first_difference_beyond(program: RowProgram, samples: Sequence[Sequence[Array]]) -> str:
    """Where the interpreter gives other rows in a second window than for that window alone; empty for nowhere, and for
    outputs that depend on all rows before."""
    back, steps = looks_back(program), _in_steps(program)
    outputs = run_endless(program, _twice(samples), in_steps=steps)
    alone = run_program(program, list(_second(samples)), in_steps=steps)
    for value, got, want in zip(program.outputs, outputs, alone, strict=True):
        rows = want.shape[1] - back.get(value.name, want.shape[1])
        if rows > 0:
            found = gap(got[:, -rows:], want[:, -rows:], f"output {value}")
            if not found.acceptable():
                return f"output {value}, in the rows behind the model's window: {describe(found)}"
    return ""


def first_difference_in_calls(
    program: RowProgram, source: CSource, executor: str, samples: Sequence[Sequence[Array]]
) -> str:
    """Where the C, called for two windows, gives other rows than the interpreter; empty for nowhere.

    Raises:
        RunnerError: it does not compile, or fails.
    """
    signal = _twice(samples)
    inputs, outputs = (
        tuple(dataclasses.replace(p, calls=p.calls * WINDOWS) for p in ports)
        for ports in (source.inputs, source.outputs)
    )
    got = runner_for(dataclasses.replace(source, inputs=inputs, outputs=outputs), executor).run([signal])[0]
    meant = run_endless(program, signal, in_steps=_in_steps(program))
    for value, array, want in zip(program.outputs, got, meant, strict=True):
        found = gap(array, want, f"output {value}")
        if not found.acceptable():
            return f"output {value}, in the rows of two windows: {describe(found)}"
    return ""


def _second(samples: Sequence[Sequence[Array]]) -> Sequence[Array]:
    """The second sample, or the one that there is."""
    return samples[min(1, len(samples) - 1)]


def _twice(samples: Sequence[Sequence[Array]]) -> list[Array]:
    """A signal of two windows."""
    return [np.concatenate(pair, axis=1) for pair in zip(samples[0], _second(samples), strict=True)]


def _in_steps(program: RowProgram) -> bool:
    """Whether float sums are made as the C makes them, which takes long."""
    return program.macs() * WINDOWS <= STEPS
