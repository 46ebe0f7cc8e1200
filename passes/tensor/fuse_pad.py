"""Fusing pads: the operator that slides a window pads by itself, by rows it never stores, and computes no rows that are
cut off behind it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from tinyc.ir.errors import IRError
from tinyc.ir.module import Made, Module, made
from tinyc.ir.op import Op
from tinyc.ir.ops import Pad, Reshape, Slice
from tinyc.ir.ops.conv import Spatial
from tinyc.passes.core.base import Pass
from tinyc.passes.core.facts import lower_bound
from tinyc.passes.core.rewrite import Answer, Replaced, Rewriter, Skip, on, rewrite


@dataclass(frozen=True)
class FusePad(Pass, name="fuse-pad"):
    """Moves pads of rows and columns into the convolutions and poolings that read them.

    A pad with several readers goes into each, or stays where it is: a padded copy that must be made anyway is best
    read by all. A slice of a result makes its operator pad less: causal convolutions are often padded on both sides and
    cut on one. The operators see the same elements as before, so results agree bit for bit.
    """

    def run(self, module: Module) -> Module:
        return rewrite(module, [pad_behind_reshape, pad_into_window, slice_before_reshape, slice_into_window])


@on(Reshape)
def pad_behind_reshape(at: Made[Reshape], rewriter: Rewriter) -> Answer:
    """Move a pad from before a reshape that adds or drops dimensions of size 1 to behind it."""
    pad = rewriter.absorbable(at.op.x, Pad)
    if pad is None:
        return None
    have, want, op = pad.op.type.shape, at.result.shape, pad.op
    moved = _between(have, want)
    if isinstance(moved, Skip):
        return moved
    if any(op.x.shape[d] != 1 for d, size in enumerate(have) if size == 1):
        return Skip("it pads from nothing to size 1")
    x = rewriter.add(Reshape(op.x, moved(op.x.shape, 1)))
    between = moved(op.between, 0) if op.between else ()
    return Replaced(Pad(x, moved(op.before, 0), moved(op.after, 0), between, op.value), (pad.node,))


def _between(have: Sequence[int], want: Sequence[int]) -> Callable[[Sequence[int], int], tuple[int, ...]] | Skip:
    """Numbers for the dimensions of one shape as numbers for those of another one, which has other dimensions of size 1
    only; these get a number that is given."""
    kept = [d for d, size in enumerate(have) if size != 1]
    places = [d for d, size in enumerate(want) if size != 1]
    if [have[d] for d in kept] != [want[d] for d in places]:
        return Skip("the reshape changes dimensions other than those of size 1")

    def moved(numbers: Sequence[int], neutral: int) -> tuple[int, ...]:
        out = [neutral] * len(want)
        for source, place in zip(kept, places, strict=True):
            out[place] = numbers[source]
        return tuple(out)

    return moved


@on(Spatial)
def pad_into_window(at: Made[Spatial], rewriter: Rewriter) -> Answer:
    """Absorb a pad of rows and columns."""
    pad = rewriter.made(at.op.x, Pad)
    if pad is None:
        return None
    fused = absorb(at.op, pad.op, rewriter)
    if isinstance(fused, Skip):
        return fused
    uses, readers = rewriter.uses(pad.result), rewriter.users(pad.result)
    if uses > len(readers) and uses > 1:
        return Skip(f"{pad.result} is an output, or its readers are not known yet")
    for reader in readers if uses > 1 else ():
        window = made(reader, Spatial)
        if window is None or isinstance(absorb(window.op, pad.op, rewriter), Skip):
            return Skip(f"{reader.result} needs the padded value")
    return Replaced(fused, (pad.node,))


def absorb(op: Spatial, pad: Pad, rewriter: Rewriter) -> Op | Skip:
    """The operator that reads the pad's operand and pads it itself."""
    if pad.x.type.rank != 4 or any((pad.before[0], pad.after[0], pad.before[3], pad.after[3])):
        return Skip("the batch or the channels are padded too")
    if any(pad.between):
        return Skip("there are gaps between the elements")
    pads = (pad.before[1], pad.before[2], pad.after[1], pad.after[2])
    try:
        fused = op.absorb_pad(pad.x, pads, pad.x.dtype.holds(pad.value), lower_bound(pad.x, rewriter))
    except IRError as error:
        return Skip(error.message)
    return Skip(fused) if isinstance(fused, str) else fused


@on(Slice)
def slice_before_reshape(at: Made[Slice], rewriter: Rewriter) -> Answer:
    """Move a slice to before a reshape that drops dimensions of size 1 of what a window gives."""
    cut = at.op
    reshape = rewriter.absorbable(cut.x, Reshape)
    if reshape is None or rewriter.absorbable(reshape.op.x, Spatial) is None:
        return None
    moved = _between(cut.x.shape, reshape.op.x.shape)
    if isinstance(moved, Skip):
        return moved
    whole = Slice(reshape.op.x, moved(cut.start, 0), moved(cut.size, 1), moved(cut.step, 1))
    return Replaced(Reshape(rewriter.add(whole), cut.type.shape), (reshape.node,))


@on(Slice)
def slice_into_window(at: Made[Slice], rewriter: Rewriter) -> Answer:
    """Compute no rows and columns that are cut off."""
    cut = at.op
    before = rewriter.absorbable(cut.x, Spatial)
    if before is None:
        return None
    if (cut.start[0], cut.start[3]) != (0, 0) or cut.size[3] != cut.x.shape[3] or any(t != 1 for t in cut.step):
        return Skip("it cuts channels, or leaves out rows or columns between others")
    op = before.op
    strides, dilations, pads = op.geometry()
    less = [0] * 4
    for axis in (0, 1):
        extent = (op.window()[axis] - 1) * dilations[axis] + 1
        first = cut.start[1 + axis] * strides[axis] - pads[axis]
        last = first + (cut.size[1 + axis] - 1) * strides[axis] + extent
        beyond = last - op.x.shape[1 + axis]
        if first > 0 or beyond <= -strides[axis]:
            return Skip("there are rows or columns that no window would read")
        less[axis], less[2 + axis] = -first, max(beyond, 0)
    fused = dataclasses.replace(op, **cast("Any", {"pads": tuple(less)}))
    return Replaced(fused, (before.node,)) if fused.type == cut.type else Skip("the operator pads otherwise")
