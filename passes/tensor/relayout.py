"""In which layouts each operator can run, and the operator rewritten for them.

`form_at` answers: if this operand (or the result) had that layout, which layouts would the others have? `build` makes
the operator that runs so. An operator that refuses runs in the plain layout only.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinyc.ir.concern import Concern
from tinyc.ir.constant import Constant
from tinyc.ir.op import Op, Value
from tinyc.ir.ops import (
    BatchNorm,
    Broadcast,
    Concat,
    Dense,
    Elementwise,
    Gather,
    MatMul,
    Pad,
    Reduce,
    Reshape,
    Slice,
    Softmax,
    TakeRows,
    Transpose,
)
from tinyc.ir.ops.along import Along
from tinyc.ir.ops.conv import Spatial
from tinyc.ir.ops.int8 import Int8
from tinyc.ir.ops.recurrent import Recurrent
from tinyc.ir.ops.scatter import Put
from tinyc.ir.tensor import Array
from tinyc.passes.tensor.layout import Dims, Layout, Shape

RESULT = -1
"""The place of the result, beside those of the operands, 0 and up."""


@dataclass(frozen=True)
class Form:
    """The layouts an operator runs in."""

    operands: tuple[Layout, ...]
    result: Layout

    def same_bytes(self, other: Form) -> bool:
        """Whether both mean the same order of elements everywhere."""
        pairs = zip((*self.operands, self.result), (*other.operands, other.result), strict=True)
        return all(a.same_bytes(b) for a, b in pairs)


@dataclass(frozen=True)
class Maker:
    """What `build` needs from the module that is being made."""

    add: Callable[[Op], Value]
    """Adds a node."""
    permuted: Callable[[Value, Sequence[Array]], Value]
    """A fixed value (see `is_fixed`) with the entries of each dimension in another order."""
    is_fixed: Callable[[Value | None], bool]
    """Whether a value is a constant, or the dequantize of one."""


def plain_form(op: Op) -> Form:
    """The operator as it is. A transpose or reshape takes its operand as it is and moves nothing: its result is then
    the operand's bytes, which is a layout of the result."""
    if op.renames():
        found = form_at(op, 0, Layout.plain(op.operands[0].shape), None, lambda _: False)
        assert found is not None
        return found
    return Form(tuple(Layout.plain(v.shape) for v in op.operands), Layout.plain(op.type.shape))


_Fixed = Callable[[Value | None], bool]

FORMS: Concern[Callable[[Any, int, Layout, Form | None, _Fixed], Form | None]] = Concern(
    "layouts", "register in passes/tensor/relayout.py in which layouts it can run (`FORMS`), and how (`BUILDS`)"
)
"""See `form_at`, by operator."""
BUILDS: Concern[Callable[[Any, Form, Sequence[Value], Maker], Op]] = Concern(
    "operator in another layout",
    "register in passes/tensor/relayout.py how it runs in the layouts of `FORMS` (`BUILDS`)",
    within=FORMS,
)
"""See `build`, by operator."""


def form_at(op: Op, place: int, layout: Layout, now: Form | None, is_fixed: _Fixed) -> Form | None:
    """The form in which the value at `place` has a layout, None if there is none.

    `now` is the form the operator has so far, for what `layout` leaves open; `is_fixed` as in `Maker`.
    """
    if FORMS.refused(type(op)):
        return None
    return FORMS.of(op)(op, place, layout, now, is_fixed)


def build(op: Op, form: Form, operands: Sequence[Value], make: Maker) -> Op:
    """The operator in a form other than the plain one, on operands stored in the form's layouts."""
    return BUILDS.of(op)(op, form, operands, make)


FORMS.refuse("it slides over the rows and columns of an NHWC operand", Spatial)
FORMS.refuse("it multiplies along the last two dimensions as they are", MatMul)
FORMS.refuse("it puts rows into a matrix", Put)
FORMS.refuse("it goes through a sequence, step by step", Recurrent)
FORMS.refuse("it is stored in whatever layout is asked for", Constant)
FORMS.refuse("it is made after layouts are chosen", Int8, TakeRows)
BUILDS.refuse("in fitting layouts nothing is left of it", Reshape, Transpose)


@FORMS(Reshape)
def _(op: Reshape, place: int, layout: Layout, *_: object) -> Form | None:
    return Form((layout,), layout)


@FORMS(Transpose)
def _(op: Transpose, place: int, layout: Layout, *_: object) -> Form | None:
    if place == RESULT:
        after = layout.split(op.type.shape)
        inverse = tuple(op.perm.index(d) for d in range(len(op.perm)))
        return Form((after.permuted(inverse).layout,), after.layout) if after is not None else None
    before = layout.split(op.x.shape)
    return Form((before.layout,), before.permuted(op.perm).layout) if before is not None else None


@FORMS(Elementwise, Broadcast)
def _(op: Elementwise | Broadcast, place: int, layout: Layout, *_: object) -> Form | None:
    """Operands broadcast: along a dimension of size 1 they have a factor 1 where the result has a larger one."""
    if not op.uniform():
        return None
    shape = op.type.shape
    if place == RESULT:
        dims = layout.split(shape)
    else:
        own = layout.split(op.operands[place].shape)
        dims = _widened(own, op.operands[place].shape, shape) if own is not None else None
    if dims is None:
        return None
    return Form(tuple(_narrowed(dims, v.shape, shape) for v in op.operands), dims.layout)


def _widened(dims: Dims, own: Shape, shape: Shape) -> Dims:
    lead = len(shape) - len(own)
    out = Dims(((1,),) * lead + dims.groups, (*range(lead), *(i + lead for i in dims.order)))
    for d, size in enumerate(shape):
        if size != 1 and (d < lead or own[d - lead] == 1):
            out = out.grown(d, size)
    return out


def _narrowed(dims: Dims, own: Shape, shape: Shape) -> Layout:
    lead = len(shape) - len(own)
    for d in range(len(shape)):
        if d < lead or own[d - lead] == 1:
            dims = dims.ones(d)
    return dims.layout


@BUILDS(Elementwise)
def _(op: Elementwise, form: Form, operands: Sequence[Value], make: Maker) -> Op:
    return op.with_operands(operands)


@BUILDS(Broadcast)
def _(op: Broadcast, form: Form, operands: Sequence[Value], make: Maker) -> Op:
    return Broadcast(operands[0], form.result.shape)


@FORMS(Reduce)
def _(op: Reduce, place: int, layout: Layout, *_: object) -> Form | None:
    dims = layout.split(op.type.shape if place == RESULT else op.x.shape)
    if dims is None or 0 in op.x.shape:
        return None
    before = after = dims
    for axis in op.axes:
        before = before.grown(axis, op.x.shape[axis]) if place == RESULT else before
        after = after.ones(axis)
    return Form((before.layout,), after.layout)


@BUILDS(Reduce)
def _(op: Reduce, form: Form, operands: Sequence[Value], make: Maker) -> Op:
    dims = form.operands[0].split(op.x.shape)
    assert dims is not None
    axes = sorted(k for axis in op.axes for k in dims.places(axis))
    return dataclasses.replace(op, x=operands[0], axes=tuple(axes))


def _resize(layout: Layout, have: Shape, *wants: Shape) -> list[Layout] | None:
    """Layouts for shapes that differ from `have` in dimensions that are not split."""
    dims = layout.split(have)
    changed = [d for d in range(len(have)) if any(want[d] != have[d] for want in wants)]
    if dims is None or any(0 in want for want in wants) or any(dims.place(d) is None for d in changed):
        return None
    found = []
    for want in wants:
        other = dims
        for d in changed:
            other = other.resized(d, want[d])
        found.append(other.layout)
    return found


def _where(layout: Layout, shape: Shape, dim: int) -> int:
    dims = layout.split(shape)
    place = dims.place(dim) if dims is not None else None
    assert place is not None
    return place


@FORMS(Concat)
def _(op: Concat, place: int, layout: Layout, *_: object) -> Form | None:
    have = op.type.shape if place == RESULT else op.xs[place].shape
    found = _resize(layout, have, op.type.shape, *(x.shape for x in op.xs))
    return Form(tuple(found[1:]), found[0]) if found else None


@BUILDS(Concat)
def _(op: Concat, form: Form, operands: Sequence[Value], make: Maker) -> Op:
    return Concat(tuple(operands), _where(form.result, op.type.shape, op.axis))


@FORMS(Along)
def _(op: Along, place: int, layout: Layout, *_: object) -> Form | None:
    """Any layout that does not split the dimension; the value with most elements along it tells where that is."""
    types = (op.type, *(v.type for v in op.operands))
    have = types[place + 1].shape
    found = _resize(layout, have, *(t.shape for t in types))
    if not found or max(t.shape[op.axis] for t in types) == 1:
        return None
    return Form(tuple(found[1:]), found[0]) if _along(op, found) is not None else None


def _along(op: Along, layouts: Sequence[Layout]) -> int | None:
    """Where the axis is stored, given the layouts of the result and the operands; None if it is split."""
    shapes = (op.type.shape, *(v.shape for v in op.operands))
    longest = max(range(len(shapes)), key=lambda k: shapes[k][op.axis])
    dims = layouts[longest].split(shapes[longest])
    return dims.place(op.axis) if dims is not None else None


@BUILDS(Along)
def _(op: Along, form: Form, operands: Sequence[Value], make: Maker) -> Op:
    axis = _along(op, (form.result, *form.operands))
    assert axis is not None
    return op.moved(operands, axis)


@FORMS(Pad, Slice)
def _(op: Pad | Slice, place: int, layout: Layout, *_: object) -> Form | None:
    found = _resize(layout, op.type.shape if place == RESULT else op.x.shape, op.x.shape, op.type.shape)
    if found is None or None in _worked_along(op, *found):
        return None
    return Form((found[0],), found[1])


def _worked_along(op: Pad | Slice, before: Layout, after: Layout) -> list[int | None]:
    """Where the dimensions that the operator works along are stored; None for those that are split.

    The larger side tells: in a dimension of size 1 all factors look alike. A slice may reverse and keep the size.
    """
    layout, shape = (after, op.type.shape) if op.type.size > op.x.type.size else (before, op.x.shape)
    dims = layout.split(shape)
    assert dims is not None
    steps: Shape = getattr(op, "step", (1,) * len(shape))
    changes = zip(op.x.shape, op.type.shape, steps, strict=True)
    return [dims.place(d) if a != b or step != 1 else -1 for d, (a, b, step) in enumerate(changes)]


def _spread(op: Pad | Slice, form: Form, numbers: Shape, neutral: Sequence[int]) -> Shape:
    """Numbers given one a dimension, as numbers one a stored dimension: neutral ones where nothing happens."""
    out = list(neutral)
    for place, number in zip(_worked_along(op, form.operands[0], form.result), numbers, strict=True):
        assert place is not None
        if place >= 0:
            out[place] = number
    return tuple(out)


@BUILDS(Pad)
def _(op: Pad, form: Form, operands: Sequence[Value], make: Maker) -> Op:
    nothing = (0,) * operands[0].type.rank
    gaps = op.between or (0,) * op.type.rank
    before, after, between = (_spread(op, form, n, nothing) for n in (op.before, op.after, gaps))
    return Pad(operands[0], before, after, between if any(between) else (), op.value)


@BUILDS(Slice)
def _(op: Slice, form: Form, operands: Sequence[Value], make: Maker) -> Op:
    stored = operands[0].shape
    start = _spread(op, form, op.start, (0,) * len(stored))
    size = _spread(op, form, op.size, stored)
    return Slice(operands[0], start, size, _spread(op, form, op.step, (1,) * len(stored)))


@FORMS(Gather)
def _(op: Gather, place: int, layout: Layout, *_: object) -> Form | None:
    if op.indices.type.rank != 1 or place == 1:
        return None
    dims = layout.split(op.type.shape if place == RESULT else op.x.shape)
    if dims is None or dims.place(op.axis) is None or op.type.size == 0:
        return None
    before, after = dims.resized(op.axis, op.x.shape[op.axis]), dims.resized(op.axis, op.type.shape[op.axis])
    return Form((before.layout, Layout.plain(op.indices.shape)), after.layout)


@BUILDS(Gather)
def _(op: Gather, form: Form, operands: Sequence[Value], make: Maker) -> Op:
    # The operand tells where the axis is, or, if it has size 1 there, the result.
    dims = form.operands[0].split(op.x.shape)
    assert dims is not None
    place = dims.place(op.axis)
    if op.x.shape[op.axis] == 1:
        place = _where(form.result, op.type.shape, op.axis)
    assert place is not None
    return Gather(operands[0], operands[1], place)


@dataclass(frozen=True)
class _Last:
    """A layout in which the last dimension's factors are stored last: how the others are stored, and how they are."""

    lead: Layout
    tail: Layout

    @staticmethod
    def of(layout: Layout, shape: Shape) -> _Last | None:
        dims = layout.split(shape) if shape else None
        if dims is None:
            return None
        fine, first = dims.layout, dims.first(len(shape) - 1)
        real = [i >= first for i in fine.order if fine.factors[i] != 1]
        if real != sorted(real):
            return None
        lead = Layout(fine.factors[:first], tuple(i for i in fine.order if i < first))
        return _Last(lead, Layout(fine.factors[first:], tuple(i - first for i in fine.order if i >= first)))

    def layout(self) -> Layout:
        """The layout of the whole."""
        first = len(self.lead.factors)
        order = (*self.lead.order, *(i + first for i in self.tail.order))
        return Layout(self.lead.factors + self.tail.factors, order)

    def numbers(self) -> Array:
        """Which entry of the last dimension is stored at each place of it."""
        return np.arange(math.prod(self.tail.factors)).reshape(self.tail.factors).transpose(self.tail.order).reshape(-1)


@FORMS(Softmax, BatchNorm)
def _(op: Softmax | BatchNorm, place: int, layout: Layout, *_: object) -> Form | None:
    found = _Last.of(layout, op.x.shape) if place in (0, RESULT) else None
    plain = Layout.plain(op.x.shape[-1:])
    if found is None or not found.tail.same_bytes(plain):
        return None
    whole = _Last(found.lead, plain).layout()
    return Form((whole, *(Layout.plain(v.shape) for v in op.operands[1:])), whole)


@BUILDS(Softmax, BatchNorm)
def _(op: Softmax | BatchNorm, form: Form, operands: Sequence[Value], make: Maker) -> Op:
    return op.with_operands(operands)


@FORMS(Dense)
def _(op: Dense, place: int, layout: Layout, now: Form | None, is_fixed: Callable[[Value | None], bool]) -> Form | None:
    """The leading dimensions may be stored in any order. So may inputs and outputs among themselves, if the weights
    are constant: these are then stored in the same order."""
    shapes = {0: op.x.shape, RESULT: op.type.shape}
    found = _Last.of(layout, shapes[place]) if place in shapes else None
    if found is None or now is None:
        return None
    tails = {0: Layout.plain(op.x.shape[-1:]), RESULT: Layout.plain(op.type.shape[-1:])}
    if is_fixed(op.w) and (op.b is None or is_fixed(op.b)):
        before, after = _Last.of(now.operands[0], op.x.shape), _Last.of(now.result, op.type.shape)
        tails = {0: before.tail if before else tails[0], RESULT: after.tail if after else tails[RESULT]}
        tails[place] = found.tail
    elif not found.tail.same_bytes(tails[place]):
        return None
    rest = (Layout.plain(v.shape) for v in op.operands[1:])
    return Form((_Last(found.lead, tails[0]).layout(), *rest), _Last(found.lead, tails[RESULT]).layout())


@BUILDS(Dense)
def _(op: Dense, form: Form, operands: Sequence[Value], make: Maker) -> Op:
    x = operands[0]
    before, after = _Last.of(form.operands[0], op.x.shape), _Last.of(form.result, op.type.shape)
    assert before is not None
    assert after is not None
    joined = (*before.lead.shape, op.x.shape[-1])
    if x.shape != joined:
        x = make.add(Reshape(x, joined))
    new = dataclasses.replace(op, x=x)
    if make.is_fixed(op.w):
        new = dataclasses.replace(new, w=make.permuted(op.w, (after.numbers(), before.numbers())))
    if op.b is not None and make.is_fixed(op.b):
        new = dataclasses.replace(new, b=make.permuted(op.b, (after.numbers(),)))
    return new if new.type.shape == form.result.shape else Reshape(make.add(new), form.result.shape)
