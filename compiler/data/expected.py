"""The range of the inputs against what the network was trained on, as far as its own statistics tell.

A batch norm has the mean and the variance that its operand had in training. What they are on the data at hand shows
whether the inputs have the scale and the middle that the network was trained with. Where batch norms were folded into
the weights before, the first layer is the evidence that is left: it is of about unit variance in what was trained, and
says only whether the scale is wrong by far.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinyc.backends.interpreter import run_module
from tinyc.compiler.frontend import Imported
from tinyc.ir.module import Made, Module, Node, made, remove_dead
from tinyc.ir.op import Op, Value
from tinyc.ir.ops import BatchNorm
from tinyc.ir.ops.conv import Convolution
from tinyc.ir.ops.layer import LinearLayer
from tinyc.ir.tensor import Array

MOST, WORK = 32, 2_000_000_000
"""Of many input sets, as many are looked at, at equal distances; fewer where that takes more multiply-accumulates."""
ENOUGH = 8
"""So many input sets are as a whole like those of the training; of fewer, and of one image, each may be odd."""
FACTOR, SHIFT = (1.6, 2.5), (0.6, 1.5)
"""Deviations further apart than by this factor, or means by more than so many deviations, are no longer of one kind of
data, with enough input sets and with fewer; [0, 1] against [-1, 1] is a factor of 2."""
FAR = 16.0
"""The same factor where only a first convolution is the evidence: pixels that should have been divided by 255 are as
far, and trained networks without batch norm are not."""
DEAD = 1e-6
"""Channels of less variance than so much of the largest tell nothing."""
LINEAR = 1e-3
"""Relative: what float32 leaves of linearity."""
NAME = 60
"""Of longer names of layers, as many characters are told."""


@dataclass(frozen=True)
class InputRange:
    """What was seen at an input of floats, and what the network expects there.

    Attributes:
        data: what was looked at.
        name: the ONNX input.
        low: the least element seen.
        high: the largest.
        mean: of all elements.
        deviation: of all elements.
        evidence: what tells of the training data; empty where nothing does.
        factor: by what the deviation seen is larger than that expected; None where nothing tells.
        shift: by how many of its deviations the evidence's operand is off its mean; None where nothing tells.
        expected: what the ends of the range seen would be on the expected scale; None where nothing tells so much.
        fits: whether both can belong together.
    """

    data: str
    name: str
    low: float
    high: float
    mean: float
    deviation: float
    evidence: str = ""
    factor: float | None = None
    shift: float | None = None
    expected: tuple[float, float] | None = None
    fits: bool = True

    @property
    def note(self) -> str:
        """What the user should know; empty where it fits."""
        if self.fits or self.factor is None:
            return ""
        seen = f"{self.data}: input {self.name!r} was given values from {self.low:.4g} to {self.high:.4g}"
        if self.expected is not None:
            expects = f"{self.evidence} expects about {self.expected[0]:.3g} to {self.expected[1]:.3g}"
        else:
            expects = f"by {self.evidence} they are too {'large' if self.factor > 1 else 'small'} for this network"
        return (
            f"{seen}, and {expects}: these are not scaled as what the network was trained on, and what is learnt from "
            "them or measured on them does not count; scale them, or say by `normalise=MEAN,STD` how the model takes "
            "pixels"
        )

    @property
    def as_dict(self) -> dict[str, Any]:
        """The same as JSON has it."""

        def number(value: float | None) -> float | None:
            return None if value is None or not np.isfinite(value) else float(f"{value:.6g}")

        expected = self.expected and [number(v) for v in self.expected]
        seen = {"seen": [number(self.low), number(self.high)], "mean": number(self.mean)}
        told = {"evidence": self.evidence or None, "factor": number(self.factor), "shift": number(self.shift)}
        return {
            "data": self.data,
            "name": self.name,
            **seen,
            "deviation": number(self.deviation),
            "expected": expected,
            **told,
            "fits": self.fits,
        }


@dataclass(frozen=True)
class _Look:
    """A module, one of its inputs by number, what was seen there, and input sets."""

    module: Module
    number: int
    seen: tuple[str, str, float, float, float, float]
    samples: Sequence[Sequence[Array]]

    def values(self, value: Value, samples: Sequence[Sequence[Array]] = ()) -> Array:
        """What a value is for all input sets: rows of channels, in float64. Fewer sets, where it takes long."""
        part = remove_dead(Module(self.module.name, self.module.inputs, self.module.nodes, (value,)))
        most = max(WORK // max(part.macs(), 1), 1)
        given = samples or spread(self.samples, min(MOST, most))
        arrays = [run_module(part, sample)[0] for sample in given]
        return np.concatenate([a.reshape(-1, a.shape[-1]) for a in arrays]).astype(np.float64)

    def channel_means(self, value: Value, factor: float, offset: float) -> Array:
        """Means of a value's channels for the first input set, with this input changed."""
        changed = self.samples[0][self.number] * np.float32(factor) + np.float32(offset)
        given = [np.asarray(changed, a.dtype) if k == self.number else a for k, a in enumerate(self.samples[0])]
        return np.asarray(self.values(value, [given]).mean(axis=0))


def spread(samples: Sequence[Sequence[Array]], count: int) -> list[Sequence[Array]]:
    """At most so many of the input sets, at equal distances."""
    return [samples[k] for k in sorted({round(k) for k in np.linspace(0, len(samples) - 1, count)})]


def input_ranges(imported: Imported, samples: Sequence[Sequence[Array]], data: str) -> tuple[InputRange, ...]:
    """What was seen at each input of floats, beside what the network expects. `samples` are in the module's order and
    layout, `data` says what they are."""
    found: list[InputRange] = []
    for number, port in enumerate(imported.inputs if len(samples) else ()):
        if port.value.dtype.is_float and port.value.type.size:
            every = np.array([(a.min(), a.max(), a.mean(dtype=float)) for a in (s[number] for s in samples)], float)
            middle = float(every[:, 2].mean())
            spreads = [np.square(s[number].astype(np.float64) - middle).mean() for s in samples]
            ends = (float(every[:, 0].min()), float(every[:, 1].max()))
            seen = (data, port.name, *ends, middle, float(np.sqrt(np.mean(spreads))))
            found.append(_judged(_Look(imported.module, number, seen, samples), port.value))
    return tuple(found)


def _judged(look: _Look, value: Value) -> InputRange:
    """What was seen, and what of the network can be held against it."""
    module, nothing = look.module, InputRange(*look.seen)
    if not np.isfinite(look.seen[2:]).all() or look.seen[5] == 0.0:
        return nothing
    norm = made(_first(module, value, BatchNorm), BatchNorm)
    if norm is not None:
        return _by_statistics(look, norm) or nothing
    layer = made(_first(module, value, LinearLayer), Convolution)
    if layer is None:  # the sums of a dense layer have any variance
        return nothing
    deviation = float(np.sqrt(np.median(look.values(layer.result).var(axis=0))))
    if not 0.0 < deviation < np.inf:
        return nothing
    evidence = f"the weights and biases of {_name(layer.node)}"
    return InputRange(*look.seen, evidence, deviation, None, None, 1 / FAR < deviation < FAR)


def _by_statistics(look: _Look, norm: Made[BatchNorm]) -> InputRange | None:
    """What was seen against a batch norm's statistics; None where these tell nothing."""
    trained = [look.module.constant(v) for v in (norm.op.mean, norm.op.variance)]
    mean, variance = (np.array([]) if c is None else c.astype(np.float64).reshape(-1) for c in trained)
    if not mean.size or not variance.size:
        return None
    channels = look.values(norm.op.x)
    own_mean, own = channels.mean(axis=0), channels.var(axis=0)
    alive = (variance > DEAD * variance.max()) & np.isfinite(own)
    if len(channels) < ENOUGH or not alive.any():
        return None
    weight = np.where(alive, 1 / np.sqrt(np.where(alive, variance, 1.0)), 0.0)
    factor = float(np.median(np.sqrt(own[alive]) * weight[alive]))
    shift = float(np.median((np.abs(own_mean - mean) * weight)[alive]))
    few = len(look.samples) < ENOUGH
    fits = 1 / FACTOR[few] < factor < FACTOR[few] and shift < SHIFT[few]
    expected = _expected(look, norm.op.x, mean, own_mean, weight, factor) if factor > 0.0 else None
    return InputRange(*look.seen, f"batch norm {_name(norm.node)}", factor, shift, expected, fits)


def _expected(
    look: _Look, value: Value, mean: Array, own_mean: Array, weight: Array, factor: float
) -> tuple[float, float] | None:
    """The ends of the range on the scale with which means and variances are nearest to those of the evidence; None
    where what lies between is not linear, or does not see the mean."""
    changes = ((0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (2.0, 0.0))
    zero, one, once, twice = (look.channel_means(value, *change) for change in changes)
    if np.abs((twice - zero) - 2 * (once - zero)).max() > LINEAR * max(float(np.abs(twice - zero).max()), 1e-30):
        return None
    direction = (one - zero) * weight
    length = float(np.square(direction).sum())
    if not length > 0.0:
        return None
    wanted = ((mean - zero) - (own_mean - zero) / factor) * weight
    offset = float((direction * wanted).sum()) / length
    return look.seen[2] / factor + offset, look.seen[3] / factor + offset


def _first(module: Module, value: Value, kind: type[Op]) -> Node | None:
    """The first operator of a kind that depends on this input, and on no other."""
    own, others = {value}, set(module.inputs) - {value}
    for node in module.nodes:
        if others.intersection(node.op.operands):
            others.add(node.result)
        elif own.intersection(node.op.operands):
            own.add(node.result)
            if made(node, kind) is not None:
                return node
    return None


def _name(node: Node) -> str:
    """What a layer is called."""
    name = node.loc or node.result.name
    return name if len(name) <= NAME else f"{name[: NAME - 3]}..."
