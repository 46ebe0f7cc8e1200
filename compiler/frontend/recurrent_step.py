"""One step of an LSTM, GRU or RNN whose states come from outside, as dense layers and elementwise operators.

A model that is called once a step has its states as inputs and outputs. These become int8 tensors of their own then, as
all others do, and there is no loop that an operator would be worth.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from tinyc.compiler.frontend.context import Context
from tinyc.compiler.frontend.node import OnnxNode
from tinyc.compiler.frontend.recurrent_activations import Activation
from tinyc.ir import Value
from tinyc.ir.ops import Add, Clamp, Dense, Mul, Sub

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


CELLS: Mapping[str, tuple[Cell, int]] = {"RNN": (_rnn_cell, 1), "GRU": (_gru_cell, 1), "LSTM": (_lstm_cell, 2)}
"""By operator: its cell, and how many states that has."""


def step(ctx: Context, node: OnnxNode, x: Value, number: int, functions: tuple[Activation, ...]) -> State:
    """The states of direction `number` after one step, each [batch, hidden], given x as [batch, inputs]."""
    cell, states = CELLS[node.proto.op_type]
    batch_first = bool(node.integer("layout", 0))
    shape = (x.shape[0], node.operand(2).shape[-1])
    before = tuple(_initial(ctx, node, 5 + k, number, shape, batch_first) for k in range(states))
    return cell(ctx, node, _weights(ctx, node, number, functions))(x, before)


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


def _sum(ctx: Context, x: Value, y: Value) -> Value:
    return ctx.emit(Add(x, y))


def _clip(ctx: Context, node: OnnxNode, x: Value) -> Value:
    """The limit that the attribute `clip` puts on what the activations see."""
    limit = node.number("clip", 0.0)
    return ctx.emit(Clamp(x, -limit, limit)) if limit > 0 else x
