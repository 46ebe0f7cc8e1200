"""Export of recurrent layers: one node of ONNX's own each."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinyc.compiler.export.graph import SPELLINGS, Graph
from tinyc.ir import Value
from tinyc.ir.ops.recurrent import DEFAULTS, Gate, Gru, Lstm, Recurrent, Rnn

NAMES = {
    Gate.SIGMOID: "Sigmoid",
    Gate.TANH: "Tanh",
    Gate.RELU: "Relu",
    Gate.SOFTSIGN: "Softsign",
    Gate.AFFINE: "Affine",
    Gate.LEAKY_RELU: "LeakyRelu",
    Gate.HARD_SIGMOID: "HardSigmoid",
    Gate.SCALED_TANH: "ScaledTanh",
}
"""What ONNX calls the activations."""


@SPELLINGS(Rnn, Gru, Lstm)
def recurrent(graph: Graph, result: Value, op: Recurrent) -> None:
    """The operator, of one direction, and a reshape that leaves this out."""
    steps, batch, _ = op.x.shape
    hidden, name = op.hidden, result.name
    weights = [graph.relaid(v, (0, 1), (1, *v.shape)) for v in (op.w, op.r)]
    inputs = [graph.name(op.x), *weights, _biases(graph, op), "", _state(graph, op.h)]
    if isinstance(op, Lstm):
        inputs += [_state(graph, op.c), _state(graph, op.p)]
    cell = isinstance(op, Lstm) and op.cell
    outputs = [name, f"{name}_last", f"{name}_cell"][: 3 if cell else 1 if op.every else 2]
    while not inputs[-1]:
        inputs.pop()
    named = graph.add_several(type(op).__name__.upper(), inputs, outputs, **_attributes(op))
    y = graph.reshaped(named[0 if op.every else 1], (steps if op.every else 1, batch, hidden), name)
    if cell:
        last = graph.reshaped(named[2], (1, batch, hidden), f"{name}_cell")
        y = graph.add("Concat", [y, last], name, axis=0)
    graph.define(result, y)


def _attributes(op: Recurrent) -> dict[str, Any]:
    found: dict[str, Any] = {
        "hidden_size": op.hidden,
        "direction": "reverse" if op.reverse else None,
        "clip": op.clip if op.clip < math.inf else None,
    }
    if isinstance(op, Gru):
        found["linear_before_reset"] = 1 if op.after else None
    if isinstance(op, Lstm):
        found["input_forget"] = 1 if op.coupled else None
    if op.functions != op.usual:
        found["activations"] = [NAMES[f] for f in op.functions]
        given = list(zip(op.functions, op.alpha, op.beta, strict=True))
        found["activation_alpha"] = [a for f, a, _ in given if f in DEFAULTS] or None
        found["activation_beta"] = [b for f, _, b in given if f in DEFAULTS and f is not Gate.LEAKY_RELU] or None
    return found


def _biases(graph: Graph, op: Recurrent) -> str:
    """Those of the operand, and those of the hidden state: zeros, but for what a reset gate scales."""
    rows = op.gates * op.hidden
    inner = op.rb if isinstance(op, Gru) else None
    tail = np.zeros(rows if inner is None else rows - op.hidden, np.float32)
    b, n = graph.module.constant(op.b), graph.module.constant(inner) if inner is not None else np.zeros(0, np.float32)
    if b is not None and n is not None:
        return graph.initialiser(np.concatenate([b, tail, n]).reshape(1, -1), op.b.name)
    names = [graph.name(op.b), graph.initialiser(tail, "zeros"), *([] if inner is None else [graph.name(inner)])]
    return graph.reshaped(graph.add("Concat", names, op.b.name, axis=0), (1, 2 * rows), op.b.name)


def _state(graph: Graph, value: Value | None) -> str:
    """An operand with a dimension for the direction."""
    return "" if value is None else graph.relaid(value, tuple(range(value.type.rank)), (1, *value.shape))
