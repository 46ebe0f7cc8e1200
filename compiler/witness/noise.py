"""The noise of each layer against what its steps predict, and the part of its numbers that int8 cuts off."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tinyc.backends.interpreter import run_module
from tinyc.compiler.witness.definition import dequantised, evaluate, quantised, steps_of
from tinyc.compiler.witness.floats import float_bias, layers_of
from tinyc.compiler.witness.tally import Tally
from tinyc.ir.module import Made, Module, made
from tinyc.ir.op import Value
from tinyc.ir.ops import Dequantize, Quantize
from tinyc.ir.tensor import Array

BEYOND, FEW = 6.0, 10.0
"""dB by which a layer's noise may exceed the prediction, and what is added for few channels, over the square root of
their number. Roundings are not independent, as is predicted: all weights of a channel may err one way, and a flat image
has one error everywhere, of up to a quarter of a squared step, 4.8 dB above the mean. Over 25 networks the mean of
channels stayed at most 3 dB above."""
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
            roundings independent of each other and of the numbers, of what is cut off, and of what limits make of the
            bias correction, which reaches only the numbers between them.
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
    tallies = {v: Tally() for v in floats}
    random = np.random.default_rng(0)
    biases = {each.layer.op.b: float_bias(float_module, each) for each in layers_of(float_module, module)}
    ends = {v: end for v in floats if (end := module.made(v, Quantize)) is not None}
    parts = {v: _part(module, end, floats) for v, end in ends.items()}
    count = min(SAMPLES, max(2, ENOUGH // max(module.macs(), 1)))
    for sample in samples[:count]:
        say("compare the noise of layers with its prediction")
        known: dict[str, Array] = {v.name: a for v, a in zip(float_module.inputs, sample, strict=True)}

        def watch(value: Value, array: Array, known: dict[str, Array] = known) -> None:
            known[value.name] = array

        run_module(float_module, sample, watch)
        for value, part in parts.items():
            tally = tallies[value]
            exact = _steps(ends[value].op, known[floats[value]], tally)
            if part is not None:
                _compare(part, ends[value].op, floats, biases, known, exact, random, tally)
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
            end = made(node, Quantize)
            if end is not None:
                low, high = end.op.to.limits
                steps = [steps_of(end.op, sample[place]) for sample in samples]
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
                f"{layer.where}: its noise as integers is {layer.beyond:.1f} dB above what its steps predict; {advice}"
            )
        before = calibrated.get(layer.name)
        if before is not None and layer.clipped > max(CLIPPED_TIMES * before, CLIPPED_PART):
            found.append(
                f"{layer.where}: {layer.clipped:.1%} of its numbers lie beyond what its integers represent, "
                f"{before:.2%} on the calibration data; {advice}"
            )
    return found


def _float_names(float_module: Module, module: Module) -> dict[Value, str]:
    """Quantised values, and the float value that each of them stands for."""
    names = {v.name for v in (*float_module.inputs, *(n.result for n in float_module.nodes))}
    found: dict[Value, str] = {}
    for node in module.nodes:
        rounded, real = made(node, Quantize), made(node, Dequantize)
        if rounded is not None and rounded.op.x.name in names:
            found[rounded.result] = rounded.op.x.name
        before = module.made(real.op.x, Quantize) if real is not None else None
        if before is not None and node.result.name in names:
            found[before.result] = node.result.name
    return found


def _part(module: Module, end: Made[Quantize], floats: Mapping[Value, str]) -> Module | None:
    """The part between other quantised values and one; None where floats lie between, or nothing does, and where a
    result jumps: with steps far finer than the jump, whether one number of a sample does is no noise of roundings."""
    wanted = {end.result}
    taken: dict[Value, None] = {}
    waiting = list(end.op.operands)
    while waiting:
        value = waiting.pop()
        if value in wanted:
            continue
        if value in floats:
            taken[value] = None
            continue
        before = module.producer.get(value)
        if before is None:
            return None
        wanted.add(value)
        waiting.extend(before.op.operands)
    nodes = tuple(n for n in module.nodes if n.result in wanted)
    if any(n.op.jumps() for n in nodes if made(n, Quantize) is None):
        return None
    return Module(module.name, tuple(taken), nodes, (end.result,))


def _steps(end: Quantize, array: Array, tally: Tally) -> Array:
    """Float numbers in steps of a quantize, and how many of them it cuts off."""
    low, high = end.to.limits
    exact = steps_of(end, array)
    tally.clipped += int(((exact < low - 0.5) | (exact > high + 0.5)).sum())
    tally.elements += exact.size
    return exact


@dataclass(frozen=True)
class _Taken:
    """The real numbers that integers stand for: as the float model has them, rounded, and with noise of one rounding
    added. Those of weights are the same when rounded."""

    plain: Array
    rounded: Array
    noisy: Array


def _compare(
    part: Module,
    end: Quantize,
    floats: Mapping[Value, str],
    biases: Mapping[Value | None, Array | None],
    known: Mapping[str, Array],
    exact: Array,
    random: np.random.Generator,
    tally: Tally,
) -> None:
    """Adds the noise of a result on one sample, in steps; `exact` is the float model's result."""
    low, high = end.to.limits
    integers = {value: data.array for value, data in part.constants() if value.dtype.is_integer}
    taken: dict[Value, _Taken] = {}
    for real in part.made_by(Dequantize):
        name = floats.get(real.op.x)
        if name is not None:
            taken[real.result] = _rounded(real.op, known[name], random)
        else:
            taken[real.result] = _constant(real.op, integers[real.op.x], biases.get(real.result), random)
    rest = [n for n in part.nodes if n.result not in integers and n.result not in taken]
    if not taken or not exact.size:
        return

    def result(of: Callable[[_Taken], Array]) -> Array:
        return evaluate(rest, {**integers, **{v: of(t) for v, t in taken.items()}}, part.outputs[0])

    tally.actual.see(np.clip(np.rint(result(lambda t: t.rounded)), low, high) - exact)
    tally.moved.see(result(lambda t: t.noisy) - result(lambda t: t.plain))
    tally.cut.see(np.clip(exact, low, high) - exact)


def _rounded(op: Dequantize, array: Array, random: np.random.Generator) -> _Taken:
    """Numbers of the float model, that integers with the scale of a dequantize stand for."""
    plain = array.astype(np.float64)
    quantize = Quantize(Value("x", op.type), op.scale[0], op.zero[0], op.x.dtype)
    step = _step(op)
    base = np.clip(plain, *(step * (q - op.zero[0]) for q in op.x.dtype.limits))
    return _Taken(plain, dequantised(op, quantised(quantize, plain)), _noisy(base, step, random))


def _constant(op: Dequantize, integers: Array, bias: Array | None, random: np.random.Generator) -> _Taken:
    """Constant integers, that numbers were rounded to; of a bias, those of the float model, without its correction."""
    real = dequantised(op, integers)
    return _Taken(real if bias is None else bias, real, _noisy(real, _step(op), random))


def _noisy(base: Array, step: Array, random: np.random.Generator) -> Array:
    return base + step * random.uniform(-0.5, 0.5, base.shape)


def _step(op: Dequantize) -> Array:
    """The real value of one step, one for all or one an entry of the dimension that has scales."""
    step = np.asarray(op.scale, np.float32).astype(np.float64)
    return step if op.whole() else step.reshape([-1 if d == op.axis else 1 for d in range(op.x.type.rank)])
