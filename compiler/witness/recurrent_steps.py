"""Recurrent layers on integers against the same layers in float, step by step.

A hidden state that is rounded in each step may lead later steps anywhere, so only one step at a time is held against
the definition: each step of the float layer, in float64, is given the hidden state that the integer layer had before
it. What differs then is that step's rounding, and what the gates' tables and products of 15 binary places leave of it.
The cell (LSTM) and the state that a GRU adds to are no integers of the network, and go on as the float layer has them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tinyc.backends.interpreter import run_module
from tinyc.compiler.verify import VerificationError
from tinyc.ir.module import Module, Node, made
from tinyc.ir.op import Value
from tinyc.ir.ops import QRecurrent, Recurrent
from tinyc.ir.ops.recurrent import Operands
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType

SLOPPY = {DType.I8: 2.0**-9, DType.I16: 2.0**-10}
"""By how much a hidden state may be off beside its rounding, relative to the largest real number that its integers
stand for: tanh is off by 2^-13 and sigmoid by 2^-14, with 16 bits both by 2^-14, and errors of a cell, or of a state
that is added to, add up while it is kept."""


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
            constants = [_constant(floats, v) for v in meant.op.operands[1:]]
            _check(layer.op, layer.node, meant.op, constants, own[layer.op.x], own[layer.result])
    return len(layers)


def _constant(module: Module, value: Value) -> Array:
    """The numbers of a constant, or of weights that are dequantised."""
    array = module.constant(value)
    if array is not None:
        return array
    node: Node = module.producer[value]
    return node.op.run([_constant(module, v) for v in node.op.operands])


def _check(op: QRecurrent, node: Node, meant: Recurrent, constants: list[Array], x: Array, result: Array) -> None:
    if not op.every:
        return
    real_x = (x.astype(np.float64) - op.x_zero) * op.x_scale
    real = (result.astype(np.float64) - op.zero) * op.scale
    low, high = ((v - op.zero) * op.scale for v in op.type.dtype.limits)
    given = meant.given(meant.arguments([real_x, *constants]))
    exact = _forced(meant, given, real, op.scale, low, high)
    allowed = op.scale * (0.51 + _inner(meant, given["r"])) + SLOPPY[op.to] * max(abs(low), abs(high))
    off = np.abs(np.clip(exact, low, high) - real)
    if off.max(initial=0.0) > allowed:
        at = tuple(int(i) for i in np.unravel_index(int(off.argmax()), off.shape))
        raise VerificationError(
            f"{node.where}: element {list(at)} of the hidden states is {real[at]:.6g}, and {exact[at]:.6g} by the "
            f"definition of its step; {allowed:.3g} is what rounding explains"
        )


def _inner(op: Recurrent, r: Array) -> float:
    """Steps by which rounding within a step may move its result: of what a gate leaves of the hidden state, before the
    gates that wait for it multiply that."""
    late = np.abs(r[op.together() * op.hidden :])
    slope = max(1.0, abs(op.alpha[-1]), abs(op.alpha[-1] * op.beta[-1]))
    return 0.5 * float(late.sum(axis=1).max(initial=0.0)) * slope


def _forced(meant: Recurrent, given: Operands, real: Array, step: float, low: float, high: float) -> Array:
    """The hidden states that the float layer has after each step, given those before it, which are multiples of `step`
    from low to high."""
    nothing = np.zeros(real.shape[1:])
    state = (given.get("h", nothing), given.get("c", nothing))
    # What it begins with is rounded as well.
    near = np.clip(low + np.rint((state[0] - low) / step) * step, low, high)
    exact = np.empty_like(real)
    for t in meant.order():
        state = meant.step(given, given["x"][t], state, near, (low, high))
        exact[t], near = state[0], real[t]
    return exact
