"""Strided loops: one form for every operator that has no kernel of its own.

    for i in space:  out[output(i)] = finish(combine over r of body(in_0[inputs[0](i, r)], in_1[...], ...))

An operator that can say this gets a numpy row kernel and C for nothing. Indices are affine in the loop counters, plus
an optional value read from an integer operand (a gather).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

import numpy as np

from tinyc.ir.errors import IRError
from tinyc.ir.expr import Arg, Call, Expr, arguments, evaluate
from tinyc.ir.steps import Sums, may_be_small
from tinyc.ir.tensor import Array


@dataclass(frozen=True)
class Via:
    """An indirect index: operand `operand`'s element at this point of the loops, limited to 0..count-1, times scale."""

    operand: int
    scale: int
    count: int


@dataclass(frozen=True)
class Index:
    """A flat element number: `offset + sum(strides[d] * counter[d])`, plus what `via` adds."""

    offset: int
    strides: tuple[int, ...]
    via: Via | None = None


@dataclass(frozen=True)
class Loops:
    """A loop nest. The last `reduced` dimensions of `space` are reduced by `combine` ("add", "mul", "max" or "min").

    `body` sees one argument an operand. `finish`, where given, sees the reduced value as its only argument. A float
    sum is accumulated in float64 by the interpreter and in float32 by the C.
    """

    space: tuple[int, ...]
    inputs: tuple[Index, ...]
    output: Index
    body: Expr
    reduced: int = 0
    combine: str = ""
    finish: Expr | None = None

    def __post_init__(self) -> None:
        parallel = len(self.space) - self.reduced
        if any(len(i.strides) != len(self.space) for i in self.inputs) or len(self.output.strides) != parallel:
            raise IRError("each index of a loop nest has one stride a dimension")
        if bool(self.reduced) != bool(self.combine):
            raise IRError("a loop nest that reduces needs a combining function, and no other has one")
        if self.reduced and 0 in self.space[parallel:]:
            raise IRError("a reduction over no elements")


def contiguous(shape: Sequence[int]) -> tuple[int, ...]:
    """Row-major strides of a shape, in elements."""
    strides = [1] * len(shape)
    for d in range(len(shape) - 2, -1, -1):
        strides[d] = strides[d + 1] * shape[d + 1]
    return tuple(strides)


def broadcast_strides(shape: Sequence[int], to: Sequence[int]) -> tuple[int, ...]:
    """Strides that read an array of `shape` as if broadcast (numpy's rules) to the shape `to`."""
    lead = len(to) - len(shape)
    own = contiguous(shape)
    return (0,) * lead + tuple(0 if d == 1 else s for d, s in zip(shape, own, strict=True))


def run(nest: Loops, operands: Sequence[Array], out: Array, fused: bool | None = None) -> None:
    """Executes a nest on flat arrays, writing into the flat array `out`.

    Args:
        nest: what to execute.
        operands: flat arrays.
        out: where to.
        fused: compute float sums and products one step after another in float32, as the C does, and so that where
            products are summed, each is rounded with the sum (true), or by itself. None for float64, rounded once.

    Raises:
        IRError: an index is out of range.
    """
    if 0 in nest.space:
        return
    read = arguments(nest.body)
    views = [_view(nest, k, operands) if k in read else np.empty(0) for k in range(len(nest.inputs))]
    parallel = nest.space[: len(nest.space) - nest.reduced]
    axes = tuple(range(len(parallel), len(nest.space)))
    body = nest.body
    floats = body.dtype.is_float
    if fused is not None and floats and nest.combine in ("add", "mul"):
        value = _in_steps(nest, views, fused)
    elif (
        nest.reduced
        and nest.combine == "add"
        and isinstance(body, Call)
        and body.fn == "mul"
        and body.args == _product(body)
    ):
        letters = list(range(len(nest.space)))
        kind = np.dtype(np.float64) if floats else body.dtype.numpy
        product: Any = np.einsum
        value = product(views[0], letters, views[1], letters, letters[: len(parallel)], dtype=kind)
    else:
        value = np.broadcast_to(evaluate(body, views), nest.space)
        if nest.combine == "add":
            value = value.sum(axis=axes, dtype=np.float64 if floats else body.dtype.numpy)
        elif nest.combine == "mul":
            value = value.prod(axis=axes, dtype=np.float64 if floats else body.dtype.numpy)
        elif nest.combine:
            value = (value.max if nest.combine == "max" else value.min)(axis=axes)
    value = value.astype(body.dtype.numpy, copy=False)
    if nest.finish is not None:
        value = evaluate(nest.finish, [value])
    target = _strided(out, nest.output, parallel)
    target[...] = value.astype(out.dtype, copy=False)


def _in_steps(nest: Loops, views: Sequence[Array], fused: bool) -> Array:
    """A float sum or product, from the first element to the last. One of a single element is that element, zeros with
    their sign."""
    parallel = nest.space[: len(nest.space) - nest.reduced]
    body, combine = nest.body, nest.combine
    if math.prod(nest.space[len(parallel) :]) == 1:
        return np.broadcast_to(evaluate(body, views), nest.space).reshape(parallel)
    parts = body.args if combine == "add" and is_product(body) else (body,)
    factors = [np.broadcast_to(evaluate(part, views), nest.space) for part in parts]
    if len(parts) == 2:
        sums = Sums(np.zeros(parallel, np.float32), fused, fused and may_be_small(*factors))
        for at in np.ndindex(*nest.space[len(parallel) :]):
            x, w = (sums.wide(f[(..., *at)]) for f in factors)
            sums.add(x, w)
        return sums.total
    total = np.full(parallel, combine == "mul", np.float32)
    for at in np.ndindex(*nest.space[len(parallel) :]):
        element = factors[0][(..., *at)]
        total = total * element if combine == "mul" else total + element
    return np.asarray(total)


def is_product(body: Expr) -> TypeGuard[Call]:
    """Whether a body multiplies floats, so that a sum of it can be made by fused multiply-adds."""
    return isinstance(body, Call) and body.fn == "mul" and body.dtype.is_float


def _product(body: Call) -> tuple[Expr, ...]:
    return (Arg(body.args[0].dtype, 0), Arg(body.args[-1].dtype, 1))


def _view(nest: Loops, number: int, operands: Sequence[Array]) -> Array:
    """Operand `number` as an array of the nest's whole space."""
    index = nest.inputs[number]
    if index.via is None:
        return _strided(operands[number], index, nest.space)
    flat = np.full(nest.space, index.offset, dtype=np.int64)
    for d, stride in enumerate(index.strides):
        shape = [1] * len(nest.space)
        shape[d] = nest.space[d]
        flat = flat + (np.arange(nest.space[d], dtype=np.int64) * stride).reshape(shape)
    via = index.via
    chosen = _strided(operands[via.operand], nest.inputs[via.operand], nest.space).astype(np.int64)
    flat = flat + via.scale * np.clip(chosen, 0, via.count - 1)
    if flat.min() < 0 or flat.max() >= operands[number].size:
        raise IRError("a gather reads outside its operand")
    return np.asarray(operands[number][flat])


def _strided(array: Array, index: Index, space: Sequence[int]) -> Array:
    reach = [s * (n - 1) for s, n in zip(index.strides, space, strict=True)]
    low = index.offset + sum(min(r, 0) for r in reach)
    high = index.offset + sum(max(r, 0) for r in reach)
    if low < 0 or high >= array.size:
        raise IRError(f"a loop nest touches elements {low} to {high} of an operand that has {array.size}")
    return np.lib.stride_tricks.as_strided(
        array[index.offset :], tuple(space), tuple(s * array.itemsize for s in index.strides)
    )
