"""LSTM, GRU and RNN: an operator for each direction, in which all steps are one loop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinyc.compiler.frontend.context import Context
from tinyc.compiler.frontend.node import OnnxNode
from tinyc.compiler.frontend.recurrent_activations import Activation, activations
from tinyc.compiler.frontend.recurrent_step import step
from tinyc.compiler.frontend.registry import onnx_op
from tinyc.ir import Value
from tinyc.ir.ops import Add, Concat, Mul
from tinyc.ir.ops.recurrent import NO_CLIP, Gru, Lstm, Recurrent, Rnn

Ends = tuple[Value, ...]
"""Hidden states of all steps, [steps, batch, hidden], then each state after the last step, [batch, hidden]."""


@onnx_op("RNN")
def rnn(ctx: Context, node: OnnxNode) -> Sequence[Value]:
    """The plain cell."""
    return _directions(ctx, node, Rnn)


@onnx_op("GRU")
def gru(ctx: Context, node: OnnxNode) -> Sequence[Value]:
    """The gated recurrent unit."""
    return _directions(ctx, node, Gru)


@onnx_op("LSTM")
def lstm(ctx: Context, node: OnnxNode) -> Sequence[Value]:
    """The long short-term memory, with peepholes if given."""
    return _directions(ctx, node, Lstm)


def _directions(ctx: Context, node: OnnxNode, kind: type[Recurrent]) -> Sequence[Value]:
    """All directions: the hidden state of every step, then each state after the last step."""
    batch_first = bool(node.integer("layout", 0))
    x = ctx.transpose(node.operand(0), (1, 0, 2)) if batch_first else node.operand(0)
    ways = {"forward": (False,), "reverse": (True,), "bidirectional": (False, True)}[
        node.choice("direction", ("forward", "reverse", "bidirectional"), "forward")
    ]
    _check_lengths(ctx, node, x)
    defaults = tuple(f.value for f in kind.usual)
    functions = activations(node, defaults, len(ways))
    outside = x.shape[0] == 1 and not all(v is None or ctx.is_constant(v) for v in map(node.optional, (5, 6)))
    found: list[Ends] = []
    for number, reverse in enumerate(ways):
        if outside:
            states = step(ctx, node, ctx.entry(x, 0, 0), number, functions[number])
            found.append((ctx.reshape(states[0], (1, *states[0].shape)), *states))
        else:
            found.append(_operator(ctx, node, kind, x, number, reverse, functions[number]))
    sequence = _stack(ctx, [f[0] for f in found], 1)
    ends = [_stack(ctx, list(each), 1 if batch_first else 0) for each in zip(*(f[1:] for f in found), strict=True)]
    return (ctx.transpose(sequence, (2, 0, 1, 3)) if batch_first else sequence, *ends)


def _operator(
    ctx: Context,
    node: OnnxNode,
    kind: type[Recurrent],
    x: Value,
    number: int,
    reverse: bool,
    functions: tuple[Activation, ...],
) -> Ends:
    """One direction as an operator."""
    w, r = (ctx.entry(node.operand(k), 0, number) for k in (1, 2))
    steps, rows, hidden = x.shape[0], w.shape[0], r.shape[1]
    limit = node.number("clip", 0.0)
    both = node.optional(3)
    both = ctx.constant(np.zeros(2 * rows, np.float32), "zeros") if both is None else ctx.entry(both, 0, number)
    wb, rb = ctx.part(both, 0, 0, rows), ctx.part(both, 0, rows, rows)
    fields: dict[str, Any] = {
        "h": _initial(ctx, node, 5, number),
        "functions": tuple(f.function for f in functions),
        "alpha": tuple(f.alpha for f in functions),
        "beta": tuple(f.beta for f in functions),
        "clip": limit if limit > 0 else NO_CLIP,
        "reverse": reverse,
    }
    if kind is Gru and node.integer("linear_before_reset", 0):
        # The recurrent bias may join the other one, except where the reset gate scales it.
        fields |= {"after": True, "rb": ctx.part(rb, 0, 2 * hidden, hidden)}
        rb = ctx.emit(Mul(rb, ctx.constant(np.repeat([1, 1, 0], hidden), "joins", np.float32)))
    if kind is Lstm:
        fields |= {
            "c": _initial(ctx, node, 6, number),
            "p": None if node.optional(7) is None else ctx.entry(node.operand(7), 0, number),
            "coupled": bool(node.integer("input_forget", 0)),
            "cell": node.uses_output(2),
        }
    op = kind(x, w, r, ctx.emit(Add(wb, rb)), **fields)
    y = ctx.add(op)
    last = ctx.entry(y, 0, op.last())
    if kind is not Lstm:
        return y, last
    return ctx.part(y, 0, 0, steps), last, ctx.entry(y, 0, y.shape[0] - 1)


def _check_lengths(ctx: Context, node: OnnxNode, x: Value) -> None:
    if x.type.rank != 3 or not x.dtype.is_float or 0 in x.shape:
        raise node.error(f"takes a sequence of 3 dimensions, not {x.type}")
    lengths = ctx.integers(node, node.optional(4), "sequence_lens")
    if lengths is not None and any(n != x.shape[0] for n in lengths):
        raise node.error(f"sequence_lens {list(lengths)} are not all the full length of {x.shape[0]}")


def _initial(ctx: Context, node: OnnxNode, index: int, direction: int) -> Value | None:
    """What a state begins with, [batch, hidden]; None for zeros."""
    given = node.optional(index)
    if given is None:
        return None
    found = ctx.entry(given, 1 if node.integer("layout", 0) else 0, direction)
    known = ctx.data(found)
    return found if known is None or known.any() else None


def _stack(ctx: Context, values: Sequence[Value], axis: int) -> Value:
    """Joins values along a new axis."""
    lifted = tuple(ctx.reshape(v, (*v.shape[:axis], 1, *v.shape[axis:])) for v in values)
    return lifted[0] if len(lifted) == 1 else ctx.emit(Concat(lifted, axis))
