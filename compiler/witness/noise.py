"""The noise of each layer against what its steps predict, and the part of its numbers that int8 cuts off."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tinyc.backends.interpreter import run_module
from tinyc.compiler.witness.definition import dequantised, evaluate, quantised, steps_of
from tinyc.ir.module import Module, Node
from tinyc.ir.op import Value
from tinyc.ir.ops import Constant, Dequantize, Quantize
from tinyc.ir.tensor import Array

BEYOND, FEW = 6.0, 10.0
"""dB by which a layer's noise may exceed the prediction, and what is added for few channels, over the square root of
their number. Roundings are not independent, as is predicted: all weights of a channel may err one way, and a flat image
has one error everywhere, of up to a quarter of a squared step, 4.8 dB above the mean. Over 25 networks the mean of
channels stayed at most 3 dB above."""
ONE_ROUNDING = 1 / 12
"""The variance of a rounding, in squared steps."""
CLIPPED_TIMES, CLIPPED_PART = 10.0, 0.02
"""The part of new inputs that is cut off is far beyond that of the calibration data when it is ten times as large, and
two in a hundred."""
SAMPLES = 8
"""Of the inputs to verify, as many are measured at most."""
ENOUGH = 20_000_000
"""Multiply-accumulates after which two samples do: large layers have numbers enough."""


@dataclass(frozen=True)
class LayerNoise:
    """One quantised value on the same float operands.

    Attributes:
        where: what errors call it.
        name: of the float value.
        channels: of the result.
        beyond: dB of actual over predicted noise, the mean over its channels. Actual is the variance of a channel's
            error: the mean error that bias correction puts there is for the layers before. Predicted is that of
            roundings independent of each other and of the numbers, and of what is cut off.
        clipped: the part of its numbers more than half a step beyond what int8 represents.
    """

    where: str
    name: str
    channels: int
    beyond: float
    clipped: float


def measure_noise(
    float_module: Module, module: Module, samples: Sequence[Sequence[Array]], say: Callable[[str], None]
) -> list[LayerNoise]:
    """Runs every quantised operator on the float model's own numbers, rounded, and compares its result with theirs.

    Args:
        float_module: what was quantised.
        module: the quantised module; dequantised values have the names they have in the float module.
        samples: inputs of both; a few of them are used.
        say: told what is being done.
    """
    floats = _float_names(float_module, module)
    tallies = {v: _Tally() for v in floats}
    random = np.random.default_rng(0)
    parts = {v: _part(module, module.producer[v], floats) for v in floats}
    count = min(SAMPLES, max(2, ENOUGH // max(module.macs(), 1)))
    for sample in samples[:count]:
        say("compare the noise of layers with its prediction")
        known: dict[str, Array] = {v.name: a for v, a in zip(float_module.inputs, sample, strict=True)}

        def watch(value: Value, array: Array, known: dict[str, Array] = known) -> None:
            known[value.name] = array

        run_module(float_module, sample, watch)
        for value, nodes in parts.items():
            tally = tallies[value]
            exact = _steps(module.producer[value], known[floats[value]], tally)
            if nodes is not None:
                _compare(nodes, module.producer[value], floats, known, exact, random, tally)
    found = []
    for value, tally in tallies.items():
        if tally.elements:
            node = module.producer[value]
            taken = floats[value] in {v.name for v in float_module.inputs}
            name = f"input {floats[value]}" if taken else f"layer {node.loc}" if node.loc else str(node.result)
            channels, beyond = tally.beyond()
            found.append(LayerNoise(name, floats[value], channels, beyond, tally.clipped / tally.elements))
    return found


def clipped_inputs(module: Module, samples: Sequence[Sequence[Array]]) -> dict[str, float]:
    """By the name of an input that is quantised: the part of its numbers that int8 cuts off."""
    found: dict[str, float] = {}
    for place, value in enumerate(module.inputs):
        for node in module.users[value]:
            if isinstance(node.op, Quantize):
                low, high = node.op.to.limits
                steps = [steps_of(node.op, sample[place]) for sample in samples]
                found[value.name] = float(np.mean([((s < low - 0.5) | (s > high + 0.5)).mean() for s in steps]))
    return found


def judge(layers: Sequence[LayerNoise], calibrated: Mapping[str, float]) -> list[str]:
    """What is worse than it should be, in words.

    Args:
        layers: as measured.
        calibrated: by the value's name, the part of its numbers that was cut off on calibration data.
    """
    found = []
    for layer in layers:
        kept = "" if layer.where.startswith("input ") else "keep the layer in float (`keep_float`), "
        advice = f"{kept}calibrate with more data like these, or accept it (`accept_accuracy`)"
        if layer.beyond > BEYOND + FEW / math.sqrt(layer.channels):
            found.append(
                f"{layer.where}: its noise in int8 is {layer.beyond:.1f} dB above what its step sizes predict; {advice}"
            )
        before = calibrated.get(layer.name)
        if before is not None and layer.clipped > max(CLIPPED_TIMES * before, CLIPPED_PART):
            found.append(
                f"{layer.where}: {layer.clipped:.1%} of its numbers lie beyond what its int8 represents, {before:.2%} "
                f"on the calibration data; {advice}"
            )
    return found


def _float_names(float_module: Module, module: Module) -> dict[Value, str]:
    """Quantised values, and the float value that each of them stands for."""
    names = {v.name for v in (*float_module.inputs, *(n.result for n in float_module.nodes))}
    found: dict[Value, str] = {}
    for node in module.nodes:
        op = node.op
        if isinstance(op, Quantize) and op.x.name in names:
            found[node.result] = op.x.name
        made = module.producer.get(op.x) if isinstance(op, Dequantize) else None
        if made is not None and isinstance(made.op, Quantize) and node.result.name in names:
            found[made.result] = node.result.name
    return found


def _part(module: Module, node: Node, floats: Mapping[Value, str]) -> tuple[Node, ...] | None:
    """The nodes between other quantised values and one; None where floats lie between, or nothing does."""
    wanted = {node.result}
    waiting = list(node.op.operands)
    while waiting:
        value = waiting.pop()
        made = module.producer.get(value)
        if value in wanted or value in floats:
            continue
        if made is None:
            return None
        wanted.add(value)
        waiting.extend(made.op.operands)
    return tuple(n for n in module.nodes if n.result in wanted)


class _Spread:
    """The variance of numbers around the mean of their channel (the last dimension)."""

    def __init__(self) -> None:
        self.count = 0
        self._sum: Array | float = 0.0
        self._squares: Array | float = 0.0

    def see(self, array: Array) -> None:
        """Takes in numbers."""
        flat = array.reshape(-1, array.shape[-1]) if array.ndim else array.reshape(1, 1)
        self.count += len(flat)
        self._sum = self._sum + flat.sum(axis=0)
        self._squares = self._squares + (flat**2).sum(axis=0)

    def square(self) -> Array:
        """The mean of squares of each channel."""
        return np.asarray(self._squares) / self.count

    def variance(self) -> Array:
        """Of each channel."""
        mean = np.asarray(self._sum) / self.count
        return np.maximum(self.square() - mean**2, 0.0) * self.count / max(self.count - 1, 1)


class _Tally:
    """What is summed up of one value: actual and injected noise, what is cut off, elements, and how many of them that
    is."""

    def __init__(self) -> None:
        self.actual, self.moved, self.cut = _Spread(), _Spread(), _Spread()
        self.clipped = self.elements = 0

    def beyond(self) -> tuple[int, float]:
        """How many channels there are, and the mean over them of dB of actual over predicted noise."""
        if self.actual.count < 2:
            return 1, 0.0
        actual = np.maximum(self.actual.variance(), ONE_ROUNDING)
        predicted = ONE_ROUNDING + self.cut.square() + self.moved.variance()
        return actual.size, float(10 * np.log10(actual / predicted).mean())


def _steps(node: Node, array: Array, tally: _Tally) -> Array:
    """Float numbers in steps of a quantize, and how many of them it cuts off."""
    assert isinstance(node.op, Quantize)
    low, high = node.op.to.limits
    exact = steps_of(node.op, array)
    tally.clipped += int(((exact < low - 0.5) | (exact > high + 0.5)).sum())
    tally.elements += exact.size
    return exact


def _compare(
    nodes: Sequence[Node],
    end: Node,
    floats: Mapping[Value, str],
    known: Mapping[str, Array],
    exact: Array,
    random: np.random.Generator,
    tally: _Tally,
) -> None:
    """Adds the noise of a result on one sample, in steps; `exact` is the float model's result."""
    assert isinstance(end.op, Quantize)
    low, high = end.op.to.limits
    rounded: dict[Value, Array] = {}
    plain: dict[Value, Array] = {}
    noisy: dict[Value, Array] = {}
    rest: list[Node] = []
    integers: dict[Value, Array] = {}
    for node in nodes:
        conversion = node.op
        if isinstance(conversion, Constant) and conversion.type.dtype.is_integer:
            integers[node.result] = conversion.data.array
        elif isinstance(conversion, Dequantize):
            name = floats.get(conversion.x)
            shape = [-1 if d == conversion.axis else 1 for d in range(conversion.x.type.rank)]
            step = np.asarray(conversion.scale, np.float32).astype(np.float64)
            step = step if conversion.whole() else step.reshape(shape)
            if name is not None:
                scaled = Quantize(
                    Value("x", node.result.type), conversion.scale[0], conversion.zero[0], conversion.x.dtype
                )
                plain[node.result] = known[name].astype(np.float64)
                rounded[node.result] = dequantised(conversion, quantised(scaled, plain[node.result]))
                ends = [step * (q - conversion.zero[0]) for q in conversion.x.dtype.limits]
                base = np.clip(plain[node.result], *ends)
            else:
                base = plain[node.result] = rounded[node.result] = dequantised(conversion, integers[conversion.x])
            noisy[node.result] = base + step * random.uniform(-0.5, 0.5, base.shape)
        else:
            rest.append(node)
    if not plain or not exact.size:
        return
    given = evaluate(rest, {**integers, **rounded}, end.result)
    tally.actual.see(np.clip(np.rint(given), low, high) - exact)
    tally.moved.see(
        evaluate(rest, {**integers, **noisy}, end.result) - evaluate(rest, {**integers, **plain}, end.result)
    )
    tally.cut.see(np.clip(exact, low, high) - exact)
