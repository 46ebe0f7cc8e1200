"""A compiled network on one executor: run, and compared."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from tinyc.backends.c import CSource
from tinyc.backends.interpreter import run_program
from tinyc.backends.runners import HostRunner, Runner, RunnerError, Unsupported, runner_for
from tinyc.compiler.data.evidence import FEW
from tinyc.compiler.frontend import Imported
from tinyc.compiler.verify.endless import first_difference_beyond, first_difference_in_calls
from tinyc.compiler.verify.gaps import VerificationError
from tinyc.compiler.verify.verdict import Agreement, Verdict, compare, first_difference_in_c, run_rows
from tinyc.ir.rows import RowProgram
from tinyc.ir.tensor import Array

STEPS = 200_000_000
"""Multiply-accumulates, in all samples, that the interpreter takes in float32 one after another when it is verified: a
second or two. Where there are more it sums in float64; when it is run it takes them all."""


def run_on(
    executor: str, program: RowProgram, source: CSource, samples: Sequence[Sequence[Array]]
) -> list[list[Array]]:
    """The outputs for input sets that the program takes. Raises `MissingTool` or `RunnerError`."""
    if executor == "interpreter":
        return [run_program(program, list(sample), in_steps=True) for sample in samples]
    return runner_for(source, executor).run([list(sample) for sample in samples])


def check_executor(
    executor: str,
    imported: Imported,
    program: RowProgram,
    source: CSource,
    samples: Sequence[Sequence[Array]],
    agreed: Agreement,
    real: Callable[[Sequence[Array]], list[Array]] = list,
    make: Callable[[CSource, str], Runner] = runner_for,
) -> Verdict:
    """Compares one executor with the reference's outputs, and its layers, each on its own operands, with what their
    operators make of these. A write outside the memory that the C was given is traced to its layer as well.

    Args:
        executor: one of the executors.
        imported: what the outputs are called.
        program: planned.
        source: the C made from it.
        samples: input sets as the program takes them.
        agreed: what the outputs must be, if they are known.
        real: makes the model's numbers of outputs, where these are integers that stand for them.
        make: makes the C run there; `runner_for`, or one that keeps what it has built.

    Raises:
        Unsupported: the machine cannot run such a network.
        MissingTool: what is needed is not installed.
        VerificationError: the C does not compile or run.
    """
    expected, end_to_end = agreed.expected, agreed.end_to_end
    if executor == "interpreter":
        outputs, layer = run_rows(program, samples, in_steps=program.macs() * len(samples) <= STEPS)
        meant = [real(arrays) for arrays in outputs]
        verdict = compare(executor, imported, meant, expected or meant, end_to_end=end_to_end)
        first = layer or verdict.first_difference
        if program.endless is not None and not first:
            first = first_difference_beyond(program, samples)
        return dataclasses.replace(verdict, first_difference=first, against=agreed.against)
    try:
        runner = make(source, executor)
    except Unsupported:
        raise
    except RunnerError as error:
        raise VerificationError(f"on {executor}: {error}") from None
    try:
        outputs = runner.run([list(sample) for sample in samples])
        meant = [real(arrays) for arrays in outputs]
        verdict = compare(executor, imported, meant, expected or meant, end_to_end=end_to_end)
        # Many samples are an evaluation: there, outputs tell which to look into.
        few = verdict.first_difference or not end_to_end or len(samples) <= FEW
        layer = first_difference_in_c(program, runner, samples if few else samples[:FEW], outputs)
        first = "; ".join(filter(None, (layer, verdict.first_difference)))
        if program.endless is not None and not first:
            first = first_difference_in_calls(program, source, executor, samples)
        stack = runner.stack_bytes(list(samples[0])) if isinstance(runner, HostRunner) and not first else None
        return dataclasses.replace(verdict, first_difference=first, stack_bytes=stack, against=agreed.against)
    except RunnerError as error:
        raise VerificationError(f"on {executor}: {_traced(runner, samples, error)}") from None


def _traced(runner: Runner, samples: Sequence[Sequence[Array]], error: RunnerError) -> RunnerError:
    """What a program says that failed, when its layers are watched: it names the one that wrote where it must not."""
    try:
        for sample in samples:
            runner.trace(list(sample))
    except RunnerError as found:
        return found
    return error
