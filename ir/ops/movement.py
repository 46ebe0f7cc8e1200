"""Operators that move data without computing: reshape, transpose, broadcast, slice, concat, pad, gather."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tinyc.ir.errors import IRError
from tinyc.ir.expr import Arg, Lit
from tinyc.ir.loops import Index, Loops, Via, broadcast_strides, contiguous
from tinyc.ir.op import Op, Value
from tinyc.ir.tensor import Array
from tinyc.ir.types import TensorType


def same_dimension(before: Sequence[int], after: Sequence[int], axis: int) -> int | None:
    """The dimension of the shape `after` that has just the entries of dimension `axis` of the shape `before`, where the
    two have the same elements in the same order."""
    lead = math.prod(before[:axis])
    return next((d for d, n in enumerate(after) if n == before[axis] and math.prod(after[:d]) == lead), None)


@dataclass(frozen=True)
class Reshape(Op, mnemonic="reshape"):
    """The same elements in the same order under another shape. Costs nothing: a view."""

    x: Value
    shape: tuple[int, ...]

    def renames(self) -> bool:
        return self.type.size > 0

    def passes_on(self) -> tuple[Value, ...]:
        return (self.x,)

    def entries(self, axis: int) -> tuple[int, tuple[int, ...]] | None:
        found = same_dimension(self.x.shape, self.shape, axis)
        return None if found is None else (found, tuple(range(self.x.shape[axis])))

    def is_identity(self) -> bool:
        return self.x.type == self.type

    def infer(self) -> TensorType:
        if math.prod(self.shape) != self.x.type.size:
            raise IRError(
                f"{self.x.type} has {self.x.type.size} elements, the shape {list(self.shape)} {math.prod(self.shape)}"
            )
        return TensorType(self.shape, self.x.dtype)

    def evaluate(self, *operands: Array) -> Array:
        return operands[0].reshape(self.shape)

    def is_view(self) -> bool:
        return True


@dataclass(frozen=True)
class Transpose(Op, mnemonic="transpose"):
    """Permutes dimensions: dimension d of the result is dimension perm[d] of the operand."""

    x: Value
    perm: tuple[int, ...]

    def renames(self) -> bool:
        return self.type.size > 0

    def passes_on(self) -> tuple[Value, ...]:
        return (self.x,)

    def entries(self, axis: int) -> tuple[int, tuple[int, ...]] | None:
        return self.perm.index(axis), tuple(range(self.x.shape[axis]))

    def is_identity(self) -> bool:
        return self.x.type == self.type and self.is_view()

    def infer(self) -> TensorType:
        if sorted(self.perm) != list(range(self.x.type.rank)):
            raise IRError(f"perm {list(self.perm)} is not a permutation of the dimensions of {self.x.type}")
        return TensorType(tuple(self.x.shape[p] for p in self.perm), self.x.dtype)

    def evaluate(self, *operands: Array) -> Array:
        return np.ascontiguousarray(operands[0].transpose(self.perm))

    def is_view(self) -> bool:
        moved = [p for p in self.perm if self.x.shape[p] != 1]
        return moved == sorted(moved)

    def loops(self) -> tuple[Loops, ...]:
        own = contiguous(self.x.shape)
        source = Index(0, tuple(own[p] for p in self.perm))
        return (Loops(self.type.shape, (source,), Index(0, contiguous(self.type.shape)), Arg(self.x.dtype, 0)),)


@dataclass(frozen=True)
class Broadcast(Op, mnemonic="broadcast"):
    """Repeats dimensions of size 1, and adds leading ones, to reach a shape."""

    x: Value
    shape: tuple[int, ...]

    def passes_on(self) -> tuple[Value, ...]:
        return (self.x,)

    def is_identity(self) -> bool:
        return self.x.type == self.type

    def infer(self) -> TensorType:
        try:
            fits = np.broadcast_shapes(self.x.shape, self.shape) == self.shape
        except ValueError:
            fits = False
        if not fits:
            raise IRError(f"{self.x.type} does not broadcast to {list(self.shape)}")
        return TensorType(self.shape, self.x.dtype)

    def evaluate(self, *operands: Array) -> Array:
        return np.broadcast_to(operands[0], self.shape)

    def is_view(self) -> bool:
        return self.x.type.size == math.prod(self.shape)

    def loops(self) -> tuple[Loops, ...]:
        source = Index(0, broadcast_strides(self.x.shape, self.shape))
        return (Loops(self.shape, (source,), Index(0, contiguous(self.shape)), Arg(self.x.dtype, 0)),)


@dataclass(frozen=True)
class Slice(Op, mnemonic="slice"):
    """Takes size[d] elements of each dimension d, from start[d], every step[d]-th; a step may be negative."""

    x: Value
    start: tuple[int, ...]
    size: tuple[int, ...]
    step: tuple[int, ...]

    def passes_on(self) -> tuple[Value, ...]:
        return (self.x,)

    def entries(self, axis: int) -> tuple[int, tuple[int, ...]] | None:
        return axis, tuple(self.start[axis] + k * self.step[axis] for k in range(self.size[axis]))

    def is_identity(self) -> bool:
        whole = all(t == 1 or n == 1 for t, n in zip(self.step, self.size, strict=True))
        return self.x.type == self.type and whole

    def infer(self) -> TensorType:
        rank = self.x.type.rank
        if not len(self.start) == len(self.size) == len(self.step) == rank:
            raise IRError(f"start, size and step have one entry a dimension of {self.x.type}")
        for d, (start, size, step) in enumerate(zip(self.start, self.size, self.step, strict=True)):
            last = start + (size - 1) * step
            if size < 0 or step == 0 or (size and not (0 <= start < self.x.shape[d] and 0 <= last < self.x.shape[d])):
                raise IRError(f"start {start}, size {size}, step {step} leave dimension {d} of {self.x.type}")
        return TensorType(self.size, self.x.dtype)

    def evaluate(self, *operands: Array) -> Array:
        index = tuple(s + t * np.arange(n) for s, n, t in zip(self.start, self.size, self.step, strict=True))
        return operands[0][np.ix_(*index)] if index else operands[0]

    def is_view(self) -> bool:
        """Contiguous when every dimension after the first one that is cut is whole, and those before it are single."""
        whole = [n == d for n, d in zip(self.size, self.x.shape, strict=True)]
        if any(t != 1 and n > 1 for t, n in zip(self.step, self.size, strict=True)):
            return False
        cut = next((d for d, w in enumerate(whole) if not w), None)
        return cut is None or (all(n == 1 for n in self.size[:cut]) and all(whole[cut + 1 :]))

    def view_offset(self) -> int:
        return sum(s * t for s, t in zip(self.start, contiguous(self.x.shape), strict=True))

    def loops(self) -> tuple[Loops, ...]:
        own = contiguous(self.x.shape)
        source = Index(self.view_offset(), tuple(s * t for s, t in zip(own, self.step, strict=True)))
        return (Loops(self.size, (source,), Index(0, contiguous(self.size)), Arg(self.x.dtype, 0)),)


@dataclass(frozen=True)
class Concat(Op, mnemonic="concat"):
    """Joins values along one dimension."""

    xs: tuple[Value, ...]
    axis: int

    def passes_on(self) -> tuple[Value, ...]:
        return self.xs

    def is_identity(self) -> bool:
        return len(self.xs) == 1

    def parts(self) -> tuple[tuple[Value, int], ...]:
        if any(n != 1 for n in self.xs[0].shape[: self.axis]):
            return ()
        starts = itertools.accumulate((x.type.size for x in self.xs), initial=0)
        return tuple(zip(self.xs, starts, strict=False))

    def infer(self) -> TensorType:
        if not self.xs or not 0 <= self.axis < self.xs[0].type.rank:
            raise IRError(
                f"axis {self.axis} is not a dimension of {', '.join(str(x.type) for x in self.xs) or 'nothing'}"
            )
        first = self.xs[0]
        for x in self.xs[1:]:
            same = [a == b or d == self.axis for d, (a, b) in enumerate(zip(x.shape, first.shape, strict=False))]
            if x.type.rank != first.type.rank or x.dtype != first.dtype or not all(same):
                raise IRError(f"{x.type} does not join {first.type} along dimension {self.axis}")
        shape = list(first.shape)
        shape[self.axis] = sum(x.shape[self.axis] for x in self.xs)
        return TensorType(tuple(shape), first.dtype)

    def evaluate(self, *operands: Array) -> Array:
        return np.concatenate(operands, axis=self.axis)

    def loops(self) -> tuple[Loops, ...]:
        nests, at = [], 0
        out = contiguous(self.type.shape)
        for k, x in enumerate(self.xs):
            unused = Index(0, (0,) * x.type.rank)
            inputs = tuple(Index(0, contiguous(x.shape)) if j == k else unused for j in range(len(self.xs)))
            nests.append(Loops(x.shape, inputs, Index(at * out[self.axis], out), Arg(x.dtype, k)))
            at += x.shape[self.axis]
        return tuple(nests)


@dataclass(frozen=True)
class Pad(Op, mnemonic="pad"):
    """Surrounds with a constant: before[d] and after[d] elements, and between[d] between neighbours of dimension d."""

    x: Value
    before: tuple[int, ...]
    after: tuple[int, ...]
    between: tuple[int, ...] = ()
    value: float = 0.0

    def passes_on(self) -> tuple[Value, ...]:
        return (self.x,)

    def is_identity(self) -> bool:
        return self.x.type == self.type

    def fill(self) -> float | None:
        return self.value

    def filled(self, value: float) -> Pad:
        return dataclasses.replace(self, value=value)

    def infer(self) -> TensorType:
        rank = self.x.type.rank
        if len(self.before) != rank or len(self.after) != rank or len(self.between) not in (0, rank):
            raise IRError(f"before, after and between have one entry a dimension of {self.x.type}")
        if min((*self.before, *self.after, *self.between), default=0) < 0:
            raise IRError("a pad cannot be negative (a crop is a slice)")
        if not self.x.dtype.is_float and self.value != int(self.value):
            raise IRError(f"the value {self.value} does not fit the element type {self.x.dtype.value}")
        shape = [
            b + d + max(d - 1, 0) * g + a
            for b, d, g, a in zip(self.before, self.x.shape, self._gaps(), self.after, strict=True)
        ]
        return TensorType(tuple(shape), self.x.dtype)

    def _gaps(self) -> tuple[int, ...]:
        return self.between or (0,) * self.x.type.rank

    def evaluate(self, *operands: Array) -> Array:
        out = np.full(self.type.shape, self.value, dtype=self.x.dtype.numpy)
        inside = tuple(
            slice(b, b + d + max(d - 1, 0) * g, g + 1)
            for b, d, g in zip(self.before, self.x.shape, self._gaps(), strict=True)
        )
        out[inside] = operands[0]
        return out

    def loops(self) -> tuple[Loops, ...]:
        out = contiguous(self.type.shape)
        value = self.value if self.x.dtype.is_float else int(self.value)
        nothing = Index(0, (0,) * self.type.rank)
        fill = Loops(self.type.shape, (nothing,), Index(0, out), Lit(self.x.dtype, value))
        inside = Index(
            sum(b * s for b, s in zip(self.before, out, strict=True)),
            tuple(s * (g + 1) for s, g in zip(out, self._gaps(), strict=True)),
        )
        copy = Loops(self.x.shape, (Index(0, contiguous(self.x.shape)),), inside, Arg(self.x.dtype, 0))
        return (copy,) if self.type.size == self.x.type.size else (fill, copy)


@dataclass(frozen=True)
class Gather(Op, mnemonic="gather"):
    """Takes entries of dimension `axis` by number. An index is limited to the entries there are, never read beyond."""

    x: Value
    indices: Value
    axis: int

    def passes_on(self) -> tuple[Value, ...]:
        return (self.x,)

    def infer(self) -> TensorType:
        if not 0 <= self.axis < self.x.type.rank:
            raise IRError(f"axis {self.axis} is not a dimension of {self.x.type}")
        if not self.indices.dtype.is_integer:
            raise IRError(f"indices are integers, not {self.indices.type}")
        if self.x.shape[self.axis] == 0:
            raise IRError(f"dimension {self.axis} of {self.x.type} has nothing to take")
        return TensorType(
            (*self.x.shape[: self.axis], *self.indices.shape, *self.x.shape[self.axis + 1 :]), self.x.dtype
        )

    def evaluate(self, *operands: Array) -> Array:
        return np.take(operands[0], operands[1].astype(np.int64), axis=self.axis, mode="clip")

    def loops(self) -> tuple[Loops, ...]:
        """Dimensions: those of x before the axis, those of the indices, those of x after the axis."""
        x, taken = self.x.shape, self.indices.shape
        own = contiguous(x)
        lead, tail = own[: self.axis], own[self.axis + 1 :]
        source = Index(0, (*lead, *(0,) * len(taken), *tail), Via(1, own[self.axis], x[self.axis]))
        number = Index(0, ((0,) * len(lead)) + contiguous(taken) + ((0,) * len(tail)))
        return (Loops(self.type.shape, (source, number), Index(0, contiguous(self.type.shape)), Arg(self.x.dtype, 0)),)
