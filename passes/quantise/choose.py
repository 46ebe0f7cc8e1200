"""Which values become int16 so that a quantised module is as near to the float one as was asked: the fewest, by how
much noise each of them in int8 makes of the outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tinyc.ir.module import Module
from tinyc.ir.op import Value
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType
from tinyc.passes.core.base import PassError
from tinyc.passes.quantise.calibrate import Progress, Ranges, Run, Samples
from tinyc.passes.quantise.ranges import Parameters
from tinyc.passes.quantise.report import decibels, measure, noise_ratio, powers
from tinyc.passes.quantise.rounded import rounded
from tinyc.passes.quantise.scales import assign
from tinyc.passes.quantise.units import Unit
from tinyc.passes.quantise.widths import NONE, Widths

Outputs = Sequence[Sequence[Array]]
"""The outputs of each sample."""
NAMED = 3
"""So many layers are named where a goal is out of reach."""


@dataclass(frozen=True)
class Goal:
    """What a quantised module is to reach, on the calibration data.

    Attributes:
        sqnr: signal to noise of every output, in dB.
        drop: by how many per cent of the samples top-1 accuracy may be less than the float module's.
        labels: the class of each sample, for `drop`.
        told: the class that the outputs of one sample tell.
    """

    sqnr: float | None = None
    drop: float | None = None
    labels: tuple[int, ...] = ()
    told: Callable[[Sequence[Array]], int] = lambda outputs: int(outputs[0].reshape(-1).argmax())

    def met(self, exact: Outputs, given: Outputs) -> bool:
        """Whether outputs reach it, held against those of the float module."""
        near = self.sqnr is None or worst_sqnr(exact, given) >= self.sqnr
        if self.drop is None or not near:
            return near
        return self.lost(exact, given) <= self.drop

    def lost(self, exact: Outputs, given: Outputs) -> float:
        """By how many per cent of the samples top-1 accuracy is less."""
        right = [sum(self.told(o) == label for o, label in zip(of, self.labels, strict=True)) for of in (exact, given)]
        return 100.0 * (right[0] - right[1]) / max(len(self.labels), 1)

    def missed(self, exact: Outputs, given: Outputs) -> str:
        """How near these outputs come to it."""
        found = [f"signal to noise is {worst_sqnr(exact, given):.1f} dB"] if self.sqnr is not None else []
        if self.drop is not None:
            found.append(f"top-1 accuracy on the calibration data is {self.lost(exact, given):.2f} % less")
        return " and ".join(found)


def worst_sqnr(exact: Outputs, given: Outputs) -> float:
    """Signal to noise of the worst output, over all samples, in dB."""
    return min((decibels(*each) for each in _powers(exact, given)), default=np.inf)


def _powers(exact: Outputs, given: Outputs) -> list[tuple[float, float]]:
    """Signal and noise of each output."""
    found = []
    for arrays in zip(*(zip(e, g, strict=True) for e, g in zip(exact, given, strict=True)), strict=True):
        signals, noises = zip(*(powers(e, g) for e, g in arrays), strict=True)
        found.append((sum(signals), sum(noises)))
    return found


def choose(
    module: Module,
    units: Sequence[Unit],
    ranges: Ranges,
    samples: Samples,
    run: Run,
    goal: Goal,
    make: Callable[[Widths], Module],
    widths: Widths = NONE,
    progress: Progress | None = None,
) -> Widths:
    """The widths with the fewest values raised to int16 that reach a goal.

    The noise that each of them makes by itself decides their order; whole modules are measured for how many it takes.

    Args:
        module: a float module.
        units: what of it is quantised.
        ranges: of its values.
        samples: what it is measured on.
        run: the interpreter.
        goal: what is to be reached.
        make: the quantised module with some widths.
        widths: what is int16 in any case.
        progress: told what is being done.

    Raises:
        PassError: it is not reached with 16 bits everywhere.
    """
    exact = [run(module, inputs) for inputs in samples]

    def outputs(of: Module) -> list[list[Array]]:
        return [run(of, inputs) for inputs in samples]

    known: dict[Widths, list[list[Array]]] = {}

    def given(chosen: Widths) -> list[list[Array]]:
        if chosen not in known:
            known[chosen] = outputs(make(chosen))
        return known[chosen]

    if goal.met(exact, given(widths)):
        return widths
    every = replace(widths, everywhere=True)
    if not goal.met(exact, given(every)):
        noisy = measure(module, make(every), samples, run)[:NAMED]
        worst = ", ".join(f"{layer.name} ({layer.op}, {layer.sqnr:.1f} dB)" for layer in noisy)
        raise PassError(
            f"with int16 wherever it can be, {goal.missed(exact, given(every))}, and that is "
            "not what was asked: the noise of int8 weights is left, and of operators without a form for 16 bits; "
            f"furthest from their float values are {worst}"
        )
    groups = _groups(module, units, ranges, widths, every)
    noise: dict[str, float] = {}
    for number, (name, values) in enumerate(groups.items()):
        made = _powers(exact, outputs(rounded(module, values)))
        noise[name] = max((noise_ratio(*each) for each in made), default=0.0)
        if progress is not None:
            progress("measure what 16 bits would gain", number + 1, len(groups))
    order = sorted(groups, key=lambda name: -noise[name])

    def raised(count: int) -> Widths:
        return replace(widths, results=(*widths.results, *order[:count])) if count < len(order) else every

    return raised(_least(len(order), lambda count: goal.met(exact, given(raised(count)))))


def _least(most: int, reached: Callable[[int], bool]) -> int:
    """The least count that is enough, where `most` is: between two of which one is not and the other is."""
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if reached(middle) else (middle, high)
    return high


def _groups(
    module: Module, units: Sequence[Unit], ranges: Ranges, widths: Widths, every: Widths
) -> dict[str, Mapping[Value, Parameters]]:
    """By the name of one of them: values that become int16 together, and their parameters as int8."""
    narrow, wide = assign(module, units, ranges, widths).of, assign(module, units, ranges, every).of
    found: dict[str, Mapping[Value, Parameters]] = {}
    claimed: set[Value] = set()
    for value, parameters in wide.items():
        if parameters.dtype is not DType.I16 or narrow[value].dtype is DType.I16 or value in claimed:
            continue
        raised = replace(widths, results=(*widths.results, value.name))
        together = [v for v, p in assign(module, units, ranges, raised).of.items() if p.dtype is DType.I16]
        values = {v: narrow[v] for v in together if narrow[v].dtype is DType.I8}
        claimed.update(values)
        found[value.name] = {v: p for v, p in values.items() if module.constant(v) is None}
    return found
