"""Calibration: the ranges of a float module's activations on sample inputs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from tinyc.ir.module import Module
from tinyc.ir.op import Value
from tinyc.ir.tensor import Array
from tinyc.passes.core.base import PassError
from tinyc.passes.quantise.logits import limited
from tinyc.passes.quantise.observers import OBSERVERS, Observer
from tinyc.passes.quantise.unseen import expected_largest

Samples = Sequence[Sequence[Array]]
Watch = Callable[[Value, Array], None]
Progress = Callable[[str, int, int], None]
"""Told what is being done, how many samples are done, and of how many."""


class Run(Protocol):
    """The interpreter: outputs of a module for inputs; `watch` is called with every value as it is computed."""

    def __call__(self, module: Module, inputs: Sequence[Array], watch: Watch | None = None, /) -> list[Array]:
        """Runs a module."""


@dataclass(frozen=True)
class Range:
    """What a tensor's int8 shall represent, and the numbers that were seen.

    `beyond_low` and `beyond_high` are by which factor the extremes of many inputs are expected to exceed those seen.
    """

    low: float
    high: float
    seen_low: float
    seen_high: float
    beyond_low: float = 1.0
    beyond_high: float = 1.0


Ranges = Mapping[Value, Range]


def make_observer(observer: str | Callable[[], Observer]) -> Callable[[], Observer]:
    """What makes an observer for one tensor. Raises `PassError` for an unknown name."""
    if not isinstance(observer, str):
        return observer
    if observer not in OBSERVERS:
        raise PassError(f"there is no observer {observer!r}; the observers are {', '.join(OBSERVERS)}")
    return OBSERVERS[observer]


def calibrate(
    module: Module,
    samples: Samples,
    run: Run,
    observer: str | Callable[[], Observer],
    progress: Progress | None = None,
    values: Collection[Value] | None = None,
    logits: Mapping[Value, Value] | None = None,
) -> Ranges:
    """The ranges of float activations, module inputs included.

    Args:
        module: a float module.
        samples: input sets; each has one array an input.
        run: the interpreter.
        observer: a name in `OBSERVERS`, or what makes an observer for one tensor.
        progress: told after each sample.
        values: observe these only; all float activations by default.
        logits: what softmaxes take, and values that are moved to become such, by which operand they become
            (`logits.logits`): these are observed, as far as something comes out of them.

    Raises:
        PassError: there are no samples, or a tensor has NaN or infinite values.
    """
    if not samples:
        raise PassError("calibration needs at least one sample: give inputs like those the model will meet")
    make = make_observer(observer)
    wanted, moved = activations(module) if values is None else values, logits or {}
    observers = {v: (make(), _Extremes()) for v in dict.fromkeys((*module.inputs, *wanted)) if v.dtype.is_float}
    for number, inputs in enumerate(samples):

        def watch(value: Value, array: Array, number: int = number) -> None:
            found = observers.get(value)
            if moved.get(value) == value:
                array = limited(array)
            if found is not None and moved.get(value, value) == value:
                _check_finite(module, value, array, number)
                for each in found:
                    each.see(array)

        for value, array in zip(module.inputs, inputs, strict=True):
            watch(value, array)
        run(module, inputs, watch)
        if progress is not None:
            progress("calibrate", number + 1, len(samples))
    observed = {v: observers[moved.get(v, v)] for v in observers}
    given = _given(module)
    return {
        v: Range(*chosen.range(), *seen.limits(), *seen.beyond(v in given)) for v, (chosen, seen) in observed.items()
    }


def activations(module: Module) -> list[Value]:
    """The float values that depend on the inputs, inputs included."""
    found = dict.fromkeys(module.inputs)
    for node in module.nodes:
        if node.op.constant() is None:
            found[node.result] = None
    return [v for v in found if v.dtype.is_float]


def _given(module: Module) -> set[Value]:
    """The inputs, and what is computed from one of them element by element: with pixels, it has a largest number."""
    found = set(module.inputs)
    for node in module.nodes:
        varying = [v for v in node.op.operands if module.constant(v) is None]
        alone = node.op.elementwise() or node.op.is_view()
        if alone and varying and all(v in found for v in varying):
            found.add(node.result)
    return found


class _Extremes:
    """The smallest and the largest number of each sample, 0 not included unless seen."""

    def __init__(self) -> None:
        self._lows: list[float] = []
        self._highs: list[float] = []
        self._met = [False, False]

    def see(self, array: Array) -> None:
        if array.size:
            low, high = float(array.min()), float(array.max())
            self._met = [
                met or extreme in known or _often(array, extreme)
                for met, extreme, known in zip(self._met, (low, high), (self._lows, self._highs), strict=True)
            ]
            self._lows.append(low)
            self._highs.append(high)

    def limits(self) -> tuple[float, float]:
        """Of all samples."""
        return min(self._lows, default=np.inf), max(self._highs, default=-np.inf)

    def beyond(self, given: bool) -> tuple[float, float]:
        """By which factors the extremes to expect of many inputs exceed these. What is given from outside ends where
        samples share an extreme, or much of one is near it: pixels have a largest number."""
        found = []
        for met, sign, extremes in zip(self._met, (-1, 1), (self._lows, self._highs), strict=True):
            largest = np.maximum(sign * np.asarray(extremes, np.float64), 0.0)
            ends = (given and met) or not largest.any()
            found.append(1.0 if ends else float(expected_largest(largest) / largest.max()))
        return found[0], found[1]


def _often(array: Array, extreme: float) -> bool:
    """Whether one in two hundred of the numbers is within a hundredth of an extreme."""
    return int((np.abs(array - extreme) <= 0.01 * abs(extreme)).sum()) >= array.size / 200


def _check_finite(module: Module, value: Value, array: Array, sample: int) -> None:
    if np.isfinite(array).all():
        return
    what = "NaN" if np.isnan(array).any() else "an infinite value"
    node = module.producer.get(value)
    where = f"{node.where}" if node is not None else f"input {value}"
    raise PassError(
        f"{where} has {what} on calibration sample {sample}: int8 has neither. Check the calibration data"
        + (", or keep this operator float" if node is not None else "")
    )
