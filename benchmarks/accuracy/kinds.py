"""How accurate each kind of operator is in int8, between two layers, and what of it stays in float.

    python -m benchmarks.accuracy.kinds                     all kinds
    python -m benchmarks.accuracy.kinds LRN Div --markdown  some, as a table for docs/int8.md
    python -m benchmarks.accuracy.kinds --int16             with activations of 16 bits

Networks have random weights; they are quantised with 16 samples, in which operands, result and output reach as far as
in the 24 others on which they are compared with onnxruntime, so that ranges need no headroom for what is unseen.
`dB` is the signal-to-noise ratio of the network's result. `8 bits` is that of the float network with its input, its
weights, operands and result of the kind and its own result rounded to 8 bits, in the ranges that they have on all these
samples, and with operators that compute exactly: what 8 bits allow. `float` are the operators that are left in float,
`instructions` about what these and the conversions around them take without a floating-point unit (estimates for the
ESP32-C3). With `--int16`, `weights` is what the float network has with the int8 weights, which 16 bits do not change,
and `activations` what the integers have beside that one.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

import onnx

import tinyc
from benchmarks.accuracy import elementwise, shaped
from benchmarks.accuracy.answers import decibels
from benchmarks.accuracy.micro import Kind, Range
from benchmarks.building import chosen_of
from benchmarks.sheets import Sheet, show
from tinyc.backends.c.estimate import all_instructions, family_of
from tinyc.backends.interpreter import run_module
from tinyc.compiler.lowering import Lowered
from tinyc.compiler.options import Options
from tinyc.compiler.reference import session
from tinyc.compiler.session import Session
from tinyc.ir.module import Module, Node, made, remove_dead
from tinyc.ir.op import Value
from tinyc.ir.ops import Dequantize, Quantize
from tinyc.ir.rows import Stage
from tinyc.ir.tensor import Array

KINDS = {kind.name: kind for kind in (*elementwise.kinds(), *shaped.kinds())}
CALIBRATED, MEASURED = 16, 24
TARGET = "esp32c3"


@dataclass(frozen=True)
class Figures:
    """Of one kind.

    Attributes:
        sqnr: signal to noise, in dB.
        ceiling: the same with 8 bits between operators that compute in floats.
        floats: operators that are left in float, each with the reason.
        instructions: about what they and the conversions around them take.
    """

    sqnr: float
    ceiling: float
    floats: tuple[tuple[str, str], ...]
    instructions: int


@dataclass(frozen=True)
class WideFigures:
    """Of one kind with activations of 16 bits: signal to noise in dB, and what is left in float.

    Attributes:
        sqnr: beside the float network.
        weights: of the float network with the int8 weights.
        activations: beside that one.
        floats: operators that are left in float, each with the reason.
    """

    sqnr: float
    weights: float
    activations: float
    floats: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Data:
    """Inputs of the network of a kind.

    Attributes:
        calibrated: to quantise with. Operands and result of the kind, and the network's result, reach as far as in any
            of both: what a range costs that is too small is not the kind's.
        measured: to measure with.
        ranges: of input, operands, result and output on both, by name.
        exact: what the network gives in floats for `measured`.
    """

    calibrated: list[list[Array]]
    measured: list[list[Array]]
    ranges: dict[str, Range]
    exact: list[Array]


def data_of(kind: Kind) -> Data:
    """Random samples, divided."""
    samples = kind.samples(CALIBRATED + MEASURED, 1)
    model, names = kind.seen()
    runs = _run(model, samples)
    extremes: dict[int, None] = {}
    for k in range(len(names) + 1):
        extremes[max(range(len(runs)), key=lambda n, k=k: float(runs[n][k].max()))] = None
        extremes[min(range(len(runs)), key=lambda n, k=k: float(runs[n][k].min()))] = None
    order = [*extremes, *(n for n in range(len(samples)) if n not in extremes)]
    arrays = {name: [r[k] for r in runs] for k, name in enumerate([*names, "output"])}
    arrays["input"] = [sample[0] for sample in samples]
    ranges = {
        name: (min(float(a.min()) for a in seen), max(float(a.max()) for a in seen)) for name, seen in arrays.items()
    }
    first, others = order[:CALIBRATED], order[CALIBRATED:]
    exact = [runs[n][-1] for n in others]
    return Data([samples[n] for n in first], [samples[n] for n in others], ranges, exact)


def quantised(kind: Kind, data: Data, verify: bool = False, int16: bool = False) -> Session:
    """The network of a kind on its way to C."""
    how = tinyc.QuantiseOptions(data.calibrated, headroom=False, activations="int16" if int16 else "int8")
    return Session(kind.model(), Options(target=TARGET, quantise=how, verify=verify))


def figures(kind: Kind) -> Figures:
    """Quantises and measures the network of a kind. Raises `TinycError` where tinyc refuses it."""
    data = data_of(kind)
    made = quantised(kind, data)
    lowered = made.lowered
    assert lowered.integers is not None
    own = [run_module(lowered.integers, sample)[0] for sample in data.measured]
    rounded = [outputs[-1] for outputs in _run(kind.rounded(data.ranges), data.measured)]
    costs = all_instructions(lowered.program, made.setup.tuning, family_of(made.setup.target.isa))
    cost = sum(n or 0 for n, stage in zip(costs, lowered.program.stages, strict=True) if _of_floats(lowered, stage))
    return Figures(decibels(data.exact, own), decibels(data.exact, rounded), _floats(lowered), cost)


def of_16_bits(kind: Kind) -> WideFigures:
    """Quantises and measures the network of a kind with activations of 16 bits. Raises `TinycError` where tinyc refuses
    it."""
    data = data_of(kind)
    lowered = quantised(kind, data, int16=True).lowered
    assert lowered.integers is not None
    assert lowered.quantised is not None
    own = [run_module(lowered.integers, sample)[0] for sample in data.measured]
    real = [run_module(unrounded(lowered.quantised.module), sample)[0] for sample in data.measured]
    floats = _floats(lowered)
    return WideFigures(decibels(data.exact, own), decibels(data.exact, real), decibels(real, own), floats)


def _floats(lowered: Lowered) -> tuple[tuple[str, str], ...]:
    return tuple((left.node.op.mnemonic, left.reason) for left in lowered.leftovers)


def unrounded(module: Module) -> Module:
    """A quantised module whose activations are not rounded, with weights and biases as they are."""
    same: dict[Value, Value] = {}
    nodes = []
    for node in module.nodes:
        again = made(node, Dequantize)
        rounded = made(module.producer.get(again.op.x), Quantize) if again is not None else None
        if rounded is not None:
            same[node.result] = same.get(rounded.op.x, rounded.op.x)
        else:
            nodes.append(Node(node.result, node.op.replace_operands(same), node.loc))
    outputs = tuple(same.get(v, v) for v in module.outputs)
    return remove_dead(Module(module.name, module.inputs, tuple(nodes), outputs))


def _run(model: onnx.ModelProto, samples: Sequence[Sequence[Array]]) -> list[list[Array]]:
    """All outputs for each sample, from onnxruntime as the model says it."""
    run, names = session(model), [output.name for output in model.graph.output]
    return [run(names, {"x": sample[0]}) for sample in samples]


def _of_floats(lowered: Lowered, stage: Stage) -> bool:
    """Whether a stage computes with floats, or converts to or from them within the network."""
    ports = {*lowered.program.inputs, *lowered.program.outputs}
    inside = {stage.result, *stage.op.operands} - ports
    return any(v.dtype.is_float for v in inside)


def main(given: Sequence[str] | None = None) -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="kinds; all by default")
    parser.add_argument("--markdown", action="store_true", help="as Markdown")
    parser.add_argument("--int16", action="store_true", help="with activations of 16 bits")
    args = parser.parse_args(given)
    chosen = [KINDS[name] for name in chosen_of(parser, args.names, KINDS)]
    if args.int16:
        heads: tuple[str, ...] = ("kind", "dB", "weights", "activations", "float")
        found = Sheet("activations of 16 bits", 1, heads, tuple(map(_row_of_16_bits, chosen)))
    else:
        heads = ("kind", "dB", "8 bits", "float", "instructions")
        found = Sheet("int8", 1, heads, tuple(map(_row, chosen)))
    show([found], args.markdown)


def _row_of_16_bits(kind: Kind) -> tuple[str, ...]:
    try:
        found = of_16_bits(kind)
    except tinyc.TinycError as error:
        return kind.name, "", "", "", str(error)
    ratios = (f"{ratio:.1f}" for ratio in (found.sqnr, found.weights, found.activations))
    return kind.name, *ratios, _said(found.floats)


def _row(kind: Kind) -> tuple[str, ...]:
    try:
        found = figures(kind)
    except tinyc.TinycError as error:
        return kind.name, "", "", str(error), ""
    cost = f"{found.instructions:,}" if found.floats else ""
    return kind.name, f"{found.sqnr:.1f}", f"{found.ceiling:.1f}", _said(found.floats), cost


def _said(floats: tuple[tuple[str, str], ...]) -> str:
    return "; ".join(f"{op}: {reason}" for op, reason in floats)


if __name__ == "__main__":
    main()
