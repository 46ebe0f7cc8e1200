"""Recurrent layers on integers against the same layers in float, step by step.

A hidden state that is rounded in each step may lead later steps anywhere, so only one step at a time is held against
the definition: each step of the float layer, in float64, is given the hidden state that the integer layer had before
it. What differs then is that step's rounding, and what the gates' tables and products of 15 binary places leave of it.
The cell (LSTM) and the state that a GRU adds to are no integers of the network, and go on as the float layer has them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from tinyc.backends.interpreter import run_module
from tinyc.compiler.verify import VerificationError
from tinyc.ir.module import Module, Node, made
from tinyc.ir.op import Op, Value
from tinyc.ir.ops import Gru, Lstm, QRecurrent, Recurrent, Rnn
from tinyc.ir.tensor import Array

SLOPPY = 2.0**-9
"""By how much a hidden state may be off beside its rounding, relative to the largest real number that int8 stands for
there: tanh is off by 2^-13, sigmoid by 2^-14, and errors of a cell, or of a state that is added to, add up while it is
kept."""


def check_recurrent(floats: Module, integers: Module, samples: Sequence[Sequence[Array]]) -> int:
    """Holds each step of recurrent layers against its definition.

    Args:
        floats: the layers between dequantize and quantize.
        integers: the same module with layers on integers in place of them.
        samples: inputs of both.

    Returns:
        How many layers were compared.

    Raises:
        VerificationError: a hidden state differs by more than rounding explains; the message names the layer.
    """
    layers = [found for n in integers.nodes if (found := made(n, QRecurrent)) is not None]
    for sample in samples if layers else ():
        own: dict[Value, Array] = dict(zip(integers.inputs, sample, strict=True))
        run_module(integers, sample, own.__setitem__)
        for layer in layers:
            value = next((n.result for n in floats.nodes if n.result.name == layer.result.name), None)
            quantize = floats.producer.get(value) if value is not None else None
            definition = floats.producer.get(quantize.op.operands[0]) if quantize is not None else None
            meant = made(definition, Recurrent) if definition is not None else None
            if meant is None:
                raise VerificationError(f"{layer.node.where}: the float layer that it was made of is gone")
            constants = {v: _constant(floats, v) for v in meant.op.operands[1:]}
            _check(layer.op, layer.node, meant.op, constants, own[layer.op.x], own[layer.result])
    return len(layers)


def _constant(module: Module, value: Value) -> Array:
    """The numbers of a constant, or of weights that are dequantised."""
    array = module.constant(value)
    if array is not None:
        return array
    node: Node = module.producer[value]
    return node.op.run([_constant(module, v) for v in node.op.operands])


def _check(
    op: QRecurrent, node: Node, meant: Recurrent, constants: dict[Value, Array], x: Array, result: Array
) -> None:
    if not op.every:
        return
    real_x = (x.astype(np.float64) - op.x_zero) * op.x_scale
    real = (result.astype(np.float64) - op.zero) * op.scale
    low, high = ((v - op.zero) * op.scale for v in (-128, 127))
    exact = _forced(meant, constants, real_x, real, low, high)
    allowed = op.scale * (0.51 + _inner(meant, constants)) + SLOPPY * max(abs(low), abs(high))
    off = np.abs(np.clip(exact, low, high) - real)
    if off.max(initial=0.0) > allowed:
        at = tuple(int(i) for i in np.unravel_index(int(off.argmax()), off.shape))
        raise VerificationError(
            f"{node.where}: element {list(at)} of the hidden states is {real[at]:.6g}, and {exact[at]:.6g} by the "
            f"definition of its step; {allowed:.3g} is what rounding explains"
        )


def _inner(op: Recurrent, constants: dict[Value, Array]) -> float:
    """Steps by which rounding within a step may move its result: of what the reset gate of a GRU leaves, before it is
    multiplied."""
    if not isinstance(op, Gru) or op.after:
        return 0.0
    weights = np.abs(constants[op.r][2 * op.hidden :].astype(np.float64))
    slope = max(1.0, abs(op.alpha[1]), abs(op.alpha[1] * op.beta[1]))
    return 0.5 * float(weights.sum(axis=1).max()) * slope


def _forced(meant: Recurrent, constants: dict[Value, Array], x: Array, real: Array, low: float, high: float) -> Array:
    """The hidden states that the float layer has after each step, given those before it, which are of low..high."""
    arrays = {f: constants[v] for f in _fields(meant) if (v := getattr(meant, f)) is not None}
    wide = arrays.get("h", np.zeros(real.shape[1:])).astype(np.float64)
    # What it begins with is rounded as well.
    step = (high - low) / 255
    near, cell = np.clip(low + np.rint((wide - low) / step) * step, low, high), arrays.get("c", np.zeros_like(wide))
    exact = np.empty_like(real)
    for t in meant.order():
        exact[t], cell = _one(meant, arrays, x[t], near, wide, cell, (low, high))
        near, wide = real[t], exact[t]
    return exact


def _fields(op: Op) -> list[str]:
    return [f.name for f in dataclasses.fields(op) if isinstance(getattr(op, f.name), Value) and f.name != "x"]


def _one(
    op: Recurrent,
    arrays: dict[str, Array],
    x: Array,
    near: Array,
    wide: Array,
    cell: Array,
    limits: tuple[float, float],
) -> tuple[Array, Array]:
    """The hidden state, and the cell, after one step: products see the state `near`, what is added to is `wide`. What a
    reset gate leaves of that is limited as int8 is."""
    w, r, b = (arrays[name].astype(np.float64) for name in "wrb")
    n = op.hidden
    gates = [x @ w[k * n : (k + 1) * n].T + b[k * n : (k + 1) * n] for k in range(op.gates)]
    back = [near @ r[k * n : (k + 1) * n].T for k in range(op.gates)]
    if isinstance(op, Rnn):
        return op.active(0, gates[0] + back[0]), cell
    if isinstance(op, Gru):
        update, reset = (op.active(0, gates[k] + back[k]) for k in range(2))
        if op.after:
            mixed = reset * (back[2] + arrays.get("rb", np.zeros(n)))
        else:
            mixed = np.clip(reset * wide, *limits) @ r[2 * n :].T
        return (1 - update) * op.active(1, gates[2] + mixed) + update * wide, cell
    assert isinstance(op, Lstm)
    p = arrays.get("p", np.zeros(3 * n)).astype(np.float64)
    enter = op.active(0, gates[0] + back[0] + p[:n] * cell)
    keep = 1 - enter if op.coupled else op.active(0, gates[2] + back[2] + p[2 * n :] * cell)
    cell = keep * cell + enter * op.active(1, gates[3] + back[3])
    leave = op.active(0, gates[1] + back[1] + p[n : 2 * n] * cell)
    return leave * op.shown(cell), cell
