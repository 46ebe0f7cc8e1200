"""Operators that move data without computing: reshape, transpose, broadcast, slice, concat, pad, gather."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tinyc.ir.blocks import Blocks, blocks_of
from tinyc.ir.draw import Draw
from tinyc.ir.errors import IRError
from tinyc.ir.expr import Arg, Lit
from tinyc.ir.forms import RowForm, Window
from tinyc.ir.loops import Index, Loops, Via, broadcast_strides, contiguous
from tinyc.ir.op import OfRows, Op, Value
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType, TensorType


class Movement(Op):
    """Base of operators whose result consists of elements of their operands, each from a place that is known."""

    def passes_on(self) -> tuple[Value, ...]:
        return self.operands[:1]


def same_dimension(before: Sequence[int], after: Sequence[int], axis: int) -> int | None:
    """The dimension of the shape `after` that has just the entries of dimension `axis` of the shape `before`, where the
    two have the same elements in the same order."""
    lead = math.prod(before[:axis])
    return next((d for d, n in enumerate(after) if n == before[axis] and math.prod(after[:d]) == lead), None)


@dataclass(frozen=True)
class Reshape(Movement, mnemonic="reshape"):
    """The same elements in the same order under another shape. Costs nothing: a view."""

    x: Value
    shape: tuple[int, ...]

    @classmethod
    def sample(cls, draw: Draw) -> Reshape:
        """Dimensions joined, split, inserted and dropped."""
        x = draw.anything()
        shape = list(x.shape)
        for _ in range(draw.integer(1, 3)):
            kind = draw.integer(0, 3)
            if kind == 0 and len(shape) > 1:
                at = draw.random.randrange(len(shape) - 1)
                shape[at : at + 2] = [shape[at] * shape[at + 1]]
            elif kind == 1 and shape:
                at = draw.random.randrange(len(shape))
                factor = draw.choice([f for f in range(1, shape[at] + 1) if shape[at] % f == 0])
                shape[at : at + 1] = [factor, shape[at] // factor]
            elif kind == 2:
                shape.insert(draw.integer(0, len(shape)), 1)
            elif 1 in shape:
                shape.remove(1)
        return cls(x, tuple(shape))

    def keeps_channels(self) -> bool:
        return self.shape[-1:] == self.x.shape[-1:]

    def renames(self) -> bool:
        return self.type.size > 0

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
class Transpose(OfRows, Movement, mnemonic="transpose"):
    """Permutes dimensions: dimension d of the result is dimension perm[d] of the operand."""

    x: Value
    perm: tuple[int, ...]

    @classmethod
    def sample(cls, draw: Draw) -> Transpose:
        """Of images mostly from and to channels first."""
        x = draw.anything(2)
        if x.type.rank == 4 and draw.chance(0.7):
            return cls(x, draw.choice([(0, 2, 3, 1), (0, 3, 1, 2)]))
        perm = list(range(x.type.rank))
        draw.random.shuffle(perm)
        return cls(x, tuple(perm))

    def renames(self) -> bool:
        return self.type.size > 0

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

    def row_form(self) -> RowForm | None:
        """Each row is permuted by itself where rows stay rows."""
        return RowForm((Window(),)) if self.type.has_rows and self.perm[:2] == (0, 1) else None

    def in_blocks(self) -> Blocks | None:
        # Rows that stay rows advance one by one.
        whole = self.row_form() is None and not self.is_view()
        return blocks_of(self.x.type, self.perm) if whole else None

    def may_overwrite(self, operand: int) -> bool:
        return self.in_blocks() is not None

    def loops(self) -> tuple[Loops, ...]:
        own = contiguous(self.x.shape)
        source = Index(0, tuple(own[p] for p in self.perm))
        return (Loops(self.type.shape, (source,), Index(0, contiguous(self.type.shape)), Arg(self.x.dtype, 0)),)


@dataclass(frozen=True)
class Broadcast(Movement, mnemonic="broadcast"):
    """Repeats dimensions of size 1, and adds leading ones, to reach a shape."""

    x: Value
    shape: tuple[int, ...]

    @classmethod
    def sample(cls, draw: Draw) -> Broadcast:
        x = draw.anything()
        lead = tuple(draw.integer(1, 3) for _ in range(draw.integer(0, 2)))
        return cls(x, lead + tuple(draw.integer(1, 4) if d == 1 else d for d in x.shape))

    def uniform(self) -> bool:
        """As an elementwise operator."""
        return True

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

    def row_form(self) -> RowForm | None:
        """Each row is repeated by itself where there are as many as before; else all are the one that there is."""
        if not self.type.has_rows:
            return None
        alike = self.x.type.rank == len(self.shape) and self.x.shape[:2] == self.shape[:2]
        return RowForm((Window() if alike else None,)) if alike or self._once() else None

    def _once(self) -> bool:
        """Whether the operand does not vary along the rows of the result."""
        return len(self.shape) - self.x.type.rank >= 2 or self.x.shape[1 - len(self.shape)] == 1

    def row_op(self, rows: int, valid: int) -> Op:
        form = self.row_form()
        varies = form is not None and form.windows[0] is not None
        return Broadcast(self.x.with_rows(rows) if varies else self.x, (1, rows, *self.shape[2:]))

    def loops(self) -> tuple[Loops, ...]:
        source = Index(0, broadcast_strides(self.x.shape, self.shape))
        return (Loops(self.shape, (source,), Index(0, contiguous(self.shape)), Arg(self.x.dtype, 0)),)


@dataclass(frozen=True)
class Slice(Movement, mnemonic="slice"):
    """Takes size[d] elements of each dimension d, from start[d], every step[d]-th; a step may be negative."""

    x: Value
    start: tuple[int, ...]
    size: tuple[int, ...]
    step: tuple[int, ...]

    @classmethod
    def sample(cls, draw: Draw) -> Slice:
        x = draw.anything()
        cuts = []
        for d in x.shape:
            first, step, count = 0, 1, d
            if draw.chance(0.5):
                first, step = draw.random.randrange(d), draw.choice([1, 1, 2, -1])
                room = first // -step if step < 0 else (d - 1 - first) // step
                count = draw.integer(1, room + 1)
            cuts.append((first, count, step))
        start, size, steps = zip(*cuts, strict=True) if cuts else ((), (), ())
        return cls(x, start, size, steps)

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

    def row_form(self) -> RowForm | None:
        """Every so many rows, from some row on."""
        if not self.x.type.has_rows or not self.size[0] or (self.size[1] > 1 and self.step[1] < 1):
            return None
        return RowForm((Window(stride=max(self.step[1], 1), pad=-self.start[1]),))

    def row_op(self, rows: int, valid: int) -> Op:
        whole = {"start": 0, "size": rows, "step": 1}
        cuts = {name: (*getattr(self, name)[:1], k, *getattr(self, name)[2:]) for name, k in whole.items()}
        return Slice(self.x.with_rows(rows), cuts["start"], cuts["size"], cuts["step"])

    def loops(self) -> tuple[Loops, ...]:
        own = contiguous(self.x.shape)
        source = Index(self.view_offset(), tuple(s * t for s, t in zip(own, self.step, strict=True)))
        return (Loops(self.size, (source,), Index(0, contiguous(self.size)), Arg(self.x.dtype, 0)),)


@dataclass(frozen=True)
class Concat(OfRows, Movement, mnemonic="concat"):
    """Joins values along one dimension."""

    xs: tuple[Value, ...]
    axis: int

    @classmethod
    def sample(cls, draw: Draw) -> Concat:
        x = draw.anything(1)
        axis = draw.random.randrange(x.type.rank)
        others = (x.shape[:axis], x.shape[axis + 1 :])
        xs = [x]
        for _ in range(draw.integer(0, 2)):
            new = TensorType((*others[0], draw.integer(1, 3), *others[1]), x.dtype)
            xs.append(draw.pick(lambda v: v.dtype is x.dtype and (v.shape[:axis], v.shape[axis + 1 :]) == others, new))
        return cls(tuple(xs), axis)

    def passes_on(self) -> tuple[Value, ...]:
        return self.xs

    def is_identity(self) -> bool:
        return len(self.xs) == 1

    def parts(self) -> tuple[tuple[Value, int], ...]:
        if any(n != 1 for n in self.xs[0].shape[: self.axis]):
            return ()
        starts = itertools.accumulate((x.type.size for x in self.xs), initial=0)
        return tuple(zip(self.xs, starts, strict=False))

    def row_form(self) -> RowForm | None:
        """Columns or channels are joined row by row."""
        by_rows = self.type.has_rows and self.axis > 1 and not self.parts()
        return RowForm((Window(),) * len(self.xs)) if by_rows else None

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
class Pad(Movement, mnemonic="pad"):
    """Surrounds with a constant: before[d] and after[d] elements, and between[d] between neighbours of dimension d."""

    x: Value
    before: tuple[int, ...]
    after: tuple[int, ...]
    between: tuple[int, ...] = ()
    value: float = 0.0

    @classmethod
    def sample(cls, draw: Draw) -> Pad:
        x = draw.value([d for d in DType if d is not DType.BOOL])
        before, after = (tuple(draw.choice([0, 0, 1, 2]) for _ in x.shape) for _ in range(2))
        between = tuple(draw.choice([0, 1]) for _ in x.shape) if draw.chance(0.2) else ()
        corners = [-math.inf, -0.0, 0.1] if x.dtype.is_float and not draw.smooth else []
        return cls(x, before, after, between, draw.choice([0.0, 0.0, 1.0, *corners]))

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
        if not self.x.dtype.has(self.value):
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

    def row_form(self) -> RowForm | None:
        """A row around the operand, or between its rows, is one of pads."""
        if not self.x.type.has_rows or (self.before[0], self.after[0]) != (0, 0):
            return None
        times = 1 + self._gaps()[1] if self.x.shape[1] > 1 else 1
        return RowForm((Window(pad=self.before[1], times=times),))

    def row_fill(self) -> float | None:
        return self.value

    def row_op(self, rows: int, valid: int) -> Op:
        before, after = ((0, 0, *side[2:]) for side in (self.before, self.after))
        return Pad(self.x.with_rows(rows), before, after, self.between, self.value)

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
class Gather(OfRows, Movement, mnemonic="gather"):
    """Takes entries of dimension `axis` by number. An index is limited to the entries there are, never read beyond."""

    x: Value
    indices: Value
    axis: int

    @classmethod
    def sample(cls, draw: Draw) -> Gather:
        """Entries in even steps, or anywhere."""
        x = draw.anything(1)
        axis = draw.random.randrange(x.type.rank)
        if draw.chance(0.5):
            first, step, count = draw.integer(-1, 3), draw.choice([0, 1, 2, -1]), draw.integer(1, 4)
            return cls(x, draw.given(first + step * np.arange(count, dtype=np.int64)), axis)
        new = TensorType(draw.shape(0, 2), draw.choice([d for d in DType if d.is_integer]))
        return cls(x, draw.pick(lambda v: v.dtype.is_integer and v.type.rank < 3, new), axis)

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

    def row_form(self) -> RowForm | None:
        """Columns or channels are taken row by row. Rows are, where their numbers are known: `TakeRows`. Numbers that
        have rows, of entries of the first dimension, are taken so."""
        if self.axis == 0 and self.indices.type.has_rows:
            return RowForm((None, Window()))
        return RowForm((Window(), None)) if self.x.type.has_rows and self.axis > 1 else None

    def loops(self) -> tuple[Loops, ...]:
        """Dimensions: those of x before the axis, those of the indices, those of x after the axis."""
        x, taken = self.x.shape, self.indices.shape
        own = contiguous(x)
        lead, tail = own[: self.axis], own[self.axis + 1 :]
        source = Index(0, (*lead, *(0,) * len(taken), *tail), Via(1, own[self.axis], x[self.axis]))
        number = Index(0, ((0,) * len(lead)) + contiguous(taken) + ((0,) * len(tail)))
        return (Loops(self.type.shape, (source, number), Index(0, contiguous(self.type.shape)), Arg(self.x.dtype, 0)),)
