"""Export of recurrent layers: one node of ONNX's own each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinyc.compiler.export.graph import SPELLINGS, Graph
from tinyc.ir import Value
from tinyc.ir.gates import DEFAULTS, Gate
from tinyc.ir.ops import Gru, Lstm, Recurrent, Rnn

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


@SPELLINGS(Rnn)
def plain(graph: Graph, result: Value, op: Rnn) -> None:
    """Its one gate."""
    graph.define(result, _hidden(graph, result, op, _layer(graph, result, op, "RNN")))


@SPELLINGS(Gru)
def gated(graph: Graph, result: Value, op: Gru) -> None:
    """ONNX has the bias that a reset gate scales among the others."""
    after = 1 if op.after else None
    named = _layer(graph, result, op, "GRU", inner=op.rb, linear_before_reset=after)
    graph.define(result, _hidden(graph, result, op, named))


@SPELLINGS(Lstm)
def with_cell(graph: Graph, result: Value, op: Lstm) -> None:
    """The last cell is a result of its own in ONNX."""
    coupled = 1 if op.coupled else None
    named = _layer(graph, result, op, "LSTM", states=(op.c, op.p), cell=op.cell, input_forget=coupled)
    y = _hidden(graph, result, op, named)
    if op.cell:
        last = graph.reshaped(named[2], (1, *result.shape[1:]), f"{result.name}_cell")
        y = graph.add("Concat", [y, last], result.name, axis=0)
    graph.define(result, y)


def _layer(
    graph: Graph,
    result: Value,
    op: Recurrent,
    operator: str,
    *,
    inner: Value | None = None,
    states: tuple[Value | None, ...] = (),
    cell: bool = False,
    **attributes: int | None,
) -> Sequence[str]:
    """The operator, of one direction: its outputs, as many as are needed, the third one for a `cell`. `inner` is the
    bias that a reset gate scales; `states` are operands behind the initial hidden state."""
    name = result.name
    weights = [graph.relaid(v, (0, 1), (1, *v.shape)) for v in (op.w, op.r)]
    inputs = [graph.name(op.x), *weights, _biases(graph, op, inner), ""]
    inputs += [_state(graph, value) for value in (op.h, *states)]
    while not inputs[-1]:
        inputs.pop()
    outputs = [name, f"{name}_last", f"{name}_cell"][: 3 if cell else 1 if op.every else 2]
    return graph.add_several(operator, inputs, outputs, **_attributes(op), **attributes)


def _hidden(graph: Graph, result: Value, op: Recurrent, named: Sequence[str]) -> str:
    """The hidden states of a layer without the dimension for the direction: every one, or the last."""
    at, steps = (0, op.x.shape[0]) if op.every else (1, 1)
    return graph.reshaped(named[at], (steps, *result.shape[1:]), result.name)


def _attributes(op: Recurrent) -> dict[str, Any]:
    found: dict[str, Any] = {
        "hidden_size": op.hidden,
        "direction": "reverse" if op.reverse else None,
        "clip": op.clip if op.clip < math.inf else None,
    }
    if op.functions != op.usual:
        found["activations"] = [NAMES[f] for f in op.functions]
        given = list(zip(op.functions, op.alpha, op.beta, strict=True))
        found["activation_alpha"] = [a for f, a, _ in given if f in DEFAULTS] or None
        found["activation_beta"] = [b for f, _, b in given if f in DEFAULTS and f is not Gate.LEAKY_RELU] or None
    return found


def _biases(graph: Graph, op: Recurrent, inner: Value | None) -> str:
    """Those of the operand, and those of the hidden state: zeros, but for what a reset gate scales."""
    rows = op.gates * op.hidden
    tail = np.zeros(rows if inner is None else rows - op.hidden, np.float32)
    b, n = graph.module.constant(op.b), graph.module.constant(inner) if inner is not None else np.zeros(0, np.float32)
    if b is not None and n is not None:
        return graph.initialiser(np.concatenate([b, tail, n]).reshape(1, -1), op.b.name)
    names = [graph.name(op.b), graph.initialiser(tail, "zeros"), *([] if inner is None else [graph.name(inner)])]
    return graph.reshaped(graph.add("Concat", names, op.b.name, axis=0), (1, 2 * rows), op.b.name)


def _state(graph: Graph, value: Value | None) -> str:
    """An operand with a dimension for the direction."""
    return "" if value is None else graph.relaid(value, tuple(range(value.type.rank)), (1, *value.shape))
