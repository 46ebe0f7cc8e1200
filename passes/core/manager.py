"""Runs passes one after another, with instruments around each.

An instrument sees the IR before and after every pass. The most important one, `CompareMeaning`, runs both in the
interpreter, which it is given: the passes themselves do not depend on a backend.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from tinyc.ir.errors import IRError, OperatorError, TinycError
from tinyc.ir.module import Module, format_module, verify
from tinyc.ir.op import Value
from tinyc.ir.rows import RowProgram, format_program, verify_program
from tinyc.ir.rows.replay import replay
from tinyc.ir.tensor import Array, npz_bytes
from tinyc.passes.core.base import AnyPass, Lowering, PassError, apply, label, steps_of
from tinyc.passes.core.rewrite import tracing

IR = Module | RowProgram
Observe = Callable[[IR, Sequence[Array]], Mapping[str, Array]]


class PassVerificationError(TinycError):
    """A pass changed what the network computes, or left an IR that breaks the rules. `step` is the pass's name."""

    def __init__(self, step: str, message: str) -> None:
        super().__init__(f"pass {step}: {message}")
        self.step = step


@dataclass(frozen=True)
class PassRecord:
    """What one pass did: wall-clock seconds, and the largest absolute change of any output (None: not compared)."""

    name: str
    seconds: float
    max_abs_error: float | None = None


class Instrument(Protocol):
    """Sees every pass. May return a measured error to be recorded; raises to stop the pipeline."""

    def after(self, step: AnyPass, before: IR, result: IR) -> float | None:
        """Called when a pass has run."""


class VerifyTypes:
    """Checks that each pass leaves a well-formed IR, with the inputs and outputs that there were."""

    def after(self, step: AnyPass, before: IR, result: IR) -> float | None:
        try:
            verify(result) if isinstance(result, Module) else verify_program(result)
        except IRError as error:
            raise PassVerificationError(label(step), f"left a malformed IR: {error}") from error
        for what, was, now in (("inputs", before.inputs, result.inputs), ("outputs", before.outputs, result.outputs)):
            # Lowering gives a value that is several outputs a name for each.
            same = [v.type for v in was] == [v.type for v in now] if isinstance(step, Lowering) else was == now
            if not same:
                told = f"they were {_listed(was)}, and are {_listed(now)}"
                raise PassVerificationError(label(step), f"changed the {what} of the network: {told}")
        return None


def _listed(values: Sequence[Value]) -> str:
    return ", ".join(f"{v} {v.type}" for v in values) or "none"


class ReplayRows:
    """Checks that each row program that a pass leaves keeps the rows it reads until it has read them."""

    def after(self, step: AnyPass, before: IR, result: IR) -> float | None:
        if isinstance(result, RowProgram):
            try:
                replay(result)
            except IRError as error:
                raise PassVerificationError(label(step), f"left a schedule that loses rows: {error}") from error
        return None


class CompareMeaning:
    """Runs the IR before and after each pass on the same inputs and compares what is observed.

    Both agree bit for bit, or within the slack that the pass declares.

    Args:
        observe: runs the interpreter and gives arrays by what they are; those seen both before and after a pass are
            compared.
        samples: input sets; each has one array an input.
    """

    def __init__(self, observe: Observe, samples: Sequence[Sequence[Array]]) -> None:
        self._observe, self._samples = observe, samples
        self._known: tuple[IR, list[Mapping[str, Array]]] | None = None

    def after(self, step: AnyPass, before: IR, result: IR) -> float | None:
        old = self._outputs(before)
        try:
            new = self._outputs(result)
        except (IRError, OperatorError, ValueError, IndexError, KeyError) as error:
            raise PassVerificationError(label(step), f"left an IR that cannot be run: {error}") from error
        worst = 0.0
        for reference, arrays in zip(old, new, strict=True):
            for name in sorted(reference.keys() & arrays.keys()):
                worst = max(worst, _difference(step, name, reference[name], arrays[name]))
        return worst

    def _outputs(self, ir: IR) -> list[Mapping[str, Array]]:
        if self._known is None or self._known[0] is not ir:
            self._known = (ir, [self._observe(ir, sample) for sample in self._samples])
        return self._known[1]


def _difference(step: AnyPass, name: str, before: Array, after: Array) -> float:
    """The largest absolute difference. Raises `PassVerificationError` when it is more than the pass may cause."""
    if before.shape != after.shape or before.dtype != after.dtype:
        raise PassVerificationError(
            label(step),
            f"{name} was {before.dtype}{list(before.shape)}, is {after.dtype}{list(after.shape)}",
        )
    if np.array_equal(before, after, equal_nan=before.dtype.kind == "f") or not before.size:
        return 0.0
    a, b = before.astype(np.float64), after.astype(np.float64)
    with np.errstate(invalid="ignore"):
        gap = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0.0, np.abs(a - b))
    gap = np.where(np.isnan(gap), np.inf, gap)
    allowed = 0.0
    if step.slack is not None:
        largest = float(np.abs(a[np.isfinite(a)]).max(initial=0.0))
        allowed = (
            step.slack.relative * largest
            if before.dtype.kind == "f"
            else float(steps_of(step.slack.steps, before.dtype))
        )
    worst = int(np.argmax(gap))
    if gap.flat[worst] > allowed:
        where = [int(i) for i in np.unravel_index(worst, a.shape)]
        raise PassVerificationError(
            label(step),
            f"changed the meaning: {name}{where} was {before.flat[worst]}, is {after.flat[worst]}"
            f" (difference {gap.flat[worst]:.3g}, allowed {allowed:.3g})",
        )
    return float(gap.flat[worst])


class Dump:
    """Writes the IR after each pass into a folder, numbered in order: text, with large data in a .npz beside it.

    Args:
        folder: where to.
        before: how many passes were run before the first of these; where there were none, the IR that it gets is
            written as well.
    """

    def __init__(self, folder: Path, before: int = 0) -> None:
        self._folder, self._count = folder, before + 1 if before else 0

    def after(self, step: AnyPass, before: IR, result: IR) -> float | None:
        if self._count == 0:
            self.write("input", before)
        self.write(label(step), result)
        return None

    def write(self, label: str, ir: IR) -> None:
        """Writes one IR. Raises `PassError` where the folder cannot be written."""
        stem = self._folder / f"{self._count:02d}-{label}"
        self._count += 1
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            if isinstance(ir, Module):
                printed = format_module(ir)
                stem.with_suffix(".tc").write_text(printed.text, encoding="utf-8")
                if printed.data:
                    stem.with_suffix(".npz").write_bytes(npz_bytes(printed.data))
            else:
                stem.with_suffix(".rows").write_text(format_program(ir), encoding="utf-8")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise PassError(f"cannot write the IR to {str(self._folder)!r} (`dump_ir`): {reason}") from None


@dataclass(frozen=True)
class PassManager:
    """A pipeline: passes in order, and instruments that see each of them.

    `progress` is told each pass's name before it runs. `trace` is told what the rules of the passes named in `debug`
    rewrote, and what they did not and why.
    """

    passes: Sequence[AnyPass]
    instruments: Sequence[Instrument] = (VerifyTypes(),)
    progress: Callable[[str], None] | None = None
    debug: Collection[str] = ()
    trace: Callable[[str], None] = print

    def run(self, ir: IR) -> tuple[IR, list[PassRecord]]:
        """The IR after all passes, and a record of each pass.

        Raises:
            PassError: a pass does not fit the level of the IR or refused it.
            PassVerificationError: an instrument found a pass to be wrong.
        """
        records = []
        for step in self.passes:
            if self.progress:
                self.progress(label(step))
            start = time.perf_counter()
            with tracing(self.trace) if step.name in self.debug else nullcontext():
                result = apply(step, ir)
            seconds = time.perf_counter() - start
            errors = [e for e in (i.after(step, ir, result) for i in self.instruments) if e is not None]
            records.append(PassRecord(label(step), seconds, max(errors) if errors else None))
            ir = result
        return ir, records
