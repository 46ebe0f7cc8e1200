"""LSTM, GRU and RNN, unrolled: each step becomes dense layers and elementwise operators that share their weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tinyc.compiler.frontend.context import Context
from tinyc.compiler.frontend.node import OnnxNode
from tinyc.compiler.frontend.recurrent_activations import Activation, activations
from tinyc.compiler.frontend.registry import onnx_op
from tinyc.ir import Value
from tinyc.ir.ops import Add, Clamp, Concat, Dense, Mul, Sub

LONGEST = 128
"""Steps that are still unrolled."""

State = tuple[Value, ...]
"""What a cell carries from step to step: the hidden state first."""


@dataclass(frozen=True)
class GateWeights:
    """One direction's weights: [gates * hidden, inputs], [gates * hidden, hidden], two biases, peepholes."""

    w: Value
    r: Value
    wb: Value
    rb: Value
    peepholes: Value | None
    functions: tuple[Activation, ...]


Step = Callable[[Value, State], State]
Cell = Callable[[Context, OnnxNode, GateWeights], Step]


@onnx_op("RNN")
def rnn(ctx: Context, node: OnnxNode) -> Sequence[Value]:
    """The plain cell."""
    return _unroll(ctx, node, _rnn_cell, ("Tanh",), states=1)


@onnx_op("GRU")
def gru(ctx: Context, node: OnnxNode) -> Sequence[Value]:
    """The gated recurrent unit."""
    return _unroll(ctx, node, _gru_cell, ("Sigmoid", "Tanh"), states=1)


@onnx_op("LSTM")
def lstm(ctx: Context, node: OnnxNode) -> Sequence[Value]:
    """The long short-term memory, with peepholes if given."""
    return _unroll(ctx, node, _lstm_cell, ("Sigmoid", "Tanh", "Tanh"), states=2)


def _rnn_cell(ctx: Context, node: OnnxNode, weights: GateWeights) -> Step:
    """h' = f(x W + h R + b)."""
    bias = _sum(ctx, weights.wb, weights.rb)

    def step(x: Value, state: State) -> State:
        total = _sum(ctx, ctx.emit(Dense(x, weights.w, bias)), ctx.emit(Dense(state[0], weights.r)))
        return (weights.functions[0](ctx, _clip(ctx, node, total)),)

    return step


def _gru_cell(ctx: Context, node: OnnxNode, weights: GateWeights) -> Step:
    """h' = (1 - z) * n + z * h, with gates in the order z, r, n."""
    hidden = weights.r.shape[1]
    after = bool(node.integer("linear_before_reset", 0))
    f, g = weights.functions
    gates, new = (ctx.part(weights.r, 0, 0, 2 * hidden), ctx.part(weights.r, 0, 2 * hidden, hidden))
    new_bias = ctx.part(weights.rb, 0, 2 * hidden, hidden)
    # The recurrent bias may join the other one, except where the reset gate scales it.
    joins = ctx.constant(np.repeat([1, 1, 0 if after else 1], hidden), "joins", np.float32)
    bias = _sum(ctx, weights.wb, ctx.emit(Mul(weights.rb, joins)))

    def step(x: Value, state: State) -> State:
        (h,) = state
        read = ctx.emit(Dense(x, weights.w, bias))
        both = _sum(ctx, ctx.part(read, 1, 0, 2 * hidden), ctx.emit(Dense(h, gates)))
        both = f(ctx, _clip(ctx, node, both))
        update, reset = ctx.part(both, 1, 0, hidden), ctx.part(both, 1, hidden, hidden)
        if after:
            recalled = ctx.emit(Mul(reset, ctx.emit(Dense(h, new, new_bias))))
        else:
            recalled = ctx.emit(Dense(ctx.emit(Mul(reset, h)), new))
        candidate = g(ctx, _clip(ctx, node, _sum(ctx, ctx.part(read, 1, 2 * hidden, hidden), recalled)))
        fresh = ctx.emit(Mul(ctx.emit(Sub(ctx.scalar(1, update), update)), candidate))
        return (_sum(ctx, fresh, ctx.emit(Mul(update, h))),)

    return step


def _lstm_cell(ctx: Context, node: OnnxNode, weights: GateWeights) -> Step:
    """c' = f * c + i * g and h' = o * tanh(c'), with gates in the order i, o, f, g."""
    hidden = weights.r.shape[1]
    f, g, h_function = weights.functions
    bias = _sum(ctx, weights.wb, weights.rb)
    coupled = bool(node.integer("input_forget", 0))

    def gate(total: Value, number: int, cell: Value | None, peephole: int, function: Activation) -> Value:
        part = ctx.part(total, 1, number * hidden, hidden)
        if cell is not None and weights.peepholes is not None:
            scale = ctx.part(weights.peepholes, 0, peephole * hidden, hidden)
            part = _sum(ctx, part, ctx.emit(Mul(scale, cell)))
        return function(ctx, _clip(ctx, node, part))

    def step(x: Value, state: State) -> State:
        h, c = state
        total = _sum(ctx, ctx.emit(Dense(x, weights.w, bias)), ctx.emit(Dense(h, weights.r)))
        enter = gate(total, 0, c, 0, f)
        keep = ctx.emit(Sub(ctx.scalar(1, enter), enter)) if coupled else gate(total, 2, c, 2, f)
        cell = _sum(ctx, ctx.emit(Mul(keep, c)), ctx.emit(Mul(enter, gate(total, 3, None, 0, g))))
        leave = gate(total, 1, cell, 1, f)
        return ctx.emit(Mul(leave, h_function(ctx, cell))), cell

    return step


def _unroll(ctx: Context, node: OnnxNode, cell: Cell, defaults: tuple[str, ...], states: int) -> Sequence[Value]:
    """All steps of all directions: the hidden state of every step, then each state after the last step."""
    batch_first = bool(node.integer("layout", 0))
    x = ctx.transpose(node.operand(0), (1, 0, 2)) if batch_first else node.operand(0)
    directions = {"forward": (1,), "reverse": (-1,), "bidirectional": (1, -1)}[
        node.choice("direction", ("forward", "reverse", "bidirectional"), "forward")
    ]
    _check_lengths(ctx, node, x)
    hidden = node.operand(2).shape[-1]
    functions = activations(node, defaults, len(directions))
    tracks: list[list[State]] = []
    for number, order in enumerate(directions):
        step = cell(ctx, node, _weights(ctx, node, number, functions[number]))
        shape = (x.shape[1], hidden)
        state: State = tuple(_initial(ctx, node, 5 + k, number, shape, batch_first) for k in range(states))
        track: list[State] = []
        for t in range(x.shape[0])[::order]:
            state = step(ctx.entry(x, 0, t), state)
            track.append(state)
        tracks.append(track)
    ends = [_stack(ctx, [track[-1][k] for track in tracks], 1 if batch_first else 0) for k in range(states)]
    in_time = [track[::order] for track, order in zip(tracks, directions, strict=True)]
    steps = [_stack(ctx, [track[t][0] for track in in_time], 0) for t in range(x.shape[0])]
    sequence = _stack(ctx, steps, 0)
    return (ctx.transpose(sequence, (2, 0, 1, 3)) if batch_first else sequence, *ends)


def _check_lengths(ctx: Context, node: OnnxNode, x: Value) -> None:
    if x.type.rank != 3 or not x.dtype.is_float or 0 in x.shape:
        raise node.error(f"takes a sequence of 3 dimensions, not {x.type}")
    if x.shape[0] > LONGEST:
        steps = x.shape[0]
        raise node.error(f"{steps} steps are too many to unroll (at most {LONGEST}): feed the model shorter sequences")
    lengths = ctx.integers(node, node.optional(4), "sequence_lens")
    if lengths is not None and any(n != x.shape[0] for n in lengths):
        raise node.error(f"sequence_lens {list(lengths)} are not all the full length of {x.shape[0]}")


def _weights(ctx: Context, node: OnnxNode, direction: int, functions: tuple[Activation, ...]) -> GateWeights:
    w, r = (ctx.entry(node.operand(k), 0, direction) for k in (1, 2))
    size = w.shape[0]
    biases, peepholes = node.optional(3), node.optional(7)
    both = ctx.constant(np.zeros(2 * size, np.float32), "zeros") if biases is None else ctx.entry(biases, 0, direction)
    return GateWeights(
        w=w,
        r=r,
        wb=ctx.part(both, 0, 0, size),
        rb=ctx.part(both, 0, size, size),
        peepholes=None if peepholes is None else ctx.entry(peepholes, 0, direction),
        functions=functions,
    )


def _initial(
    ctx: Context, node: OnnxNode, index: int, direction: int, shape: tuple[int, int], batch_first: bool
) -> Value:
    given = node.optional(index)
    if given is None:
        return ctx.constant(np.zeros(shape, np.float32), "zeros")
    return ctx.entry(given, 1 if batch_first else 0, direction)


def _stack(ctx: Context, values: Sequence[Value], axis: int) -> Value:
    """Joins values along a new axis."""
    lifted = tuple(ctx.reshape(v, (*v.shape[:axis], 1, *v.shape[axis:])) for v in values)
    return lifted[0] if len(lifted) == 1 else ctx.emit(Concat(lifted, axis))


def _sum(ctx: Context, x: Value, y: Value) -> Value:
    return ctx.emit(Add(x, y))


def _clip(ctx: Context, node: OnnxNode, x: Value) -> Value:
    """The limit that the attribute `clip` puts on what the activations see."""
    limit = node.number("clip", 0.0)
    return ctx.emit(Clamp(x, -limit, limit)) if limit > 0 else x
