"""Fusing pads: the operator that slides a window pads by itself, by rows it never stores."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from tinyc.ir.errors import IRError
from tinyc.ir.module import Module, Node
from tinyc.ir.op import Op
from tinyc.ir.ops import AvgPool2d, MaxPool2d, Pad, Reshape
from tinyc.ir.ops.conv import Convolution, Spatial
from tinyc.passes.core.base import Pass
from tinyc.passes.core.facts import lower_bound, stored
from tinyc.passes.core.rewrite import Replaced, Rewriter, Skip, rewrite


@dataclass(frozen=True)
class FusePad(Pass, name="fuse-pad"):
    """Moves pads of rows and columns into the convolutions and poolings that read them.

    A pad with several readers goes into each, or stays where it is: a padded copy that must be made anyway is best
    read by all. The operators see the same elements as before, so results agree bit for bit.
    """

    def run(self, module: Module) -> Module:
        return rewrite(module, [pad_behind_reshape, pad_into_window])


def pad_behind_reshape(node: Node, rewriter: Rewriter) -> Replaced | Skip | None:
    """Move a pad from before a reshape that adds or drops dimensions of size 1 to behind it."""
    pad = rewriter.absorbable(node.op.x, Pad) if isinstance(node.op, Reshape) else None
    if pad is None:
        return None
    have, want, op = pad[1].type.shape, node.result.shape, pad[1]
    kept = [d for d, size in enumerate(have) if size != 1]
    places = [d for d, size in enumerate(want) if size != 1]
    if [have[d] for d in kept] != [want[d] for d in places]:
        return Skip("the reshape changes dimensions other than those of size 1")
    if any(op.x.shape[d] != 1 for d in range(len(have)) if d not in kept):
        return Skip("it pads from nothing to size 1")

    def moved(numbers: tuple[int, ...], neutral: int) -> tuple[int, ...]:
        out = [neutral] * len(want)
        for source, place in zip(kept, places, strict=True):
            out[place] = numbers[source]
        return tuple(out)

    x = rewriter.add(Reshape(op.x, moved(op.x.shape, 1)))
    between = moved(op.between, 0) if op.between else ()
    return Replaced(Pad(x, moved(op.before, 0), moved(op.after, 0), between, op.value), (pad[0],))


def pad_into_window(node: Node, rewriter: Rewriter) -> Replaced | Skip | None:
    """Absorb a pad of rows and columns."""
    if not isinstance(node.op, Spatial):
        return None
    pad = rewriter.producer(node.op.x)
    if pad is None or not isinstance(pad.op, Pad):
        return None
    fused = absorb(node.op, pad.op, rewriter)
    if isinstance(fused, Skip):
        return fused
    readers = rewriter.users(pad.result)
    if rewriter.uses(pad.result) > 1:
        if rewriter.uses(pad.result) > len(readers):
            return Skip(f"{pad.result} is an output, or its readers are not known yet")
        for reader in readers:
            if not isinstance(reader.op, Spatial) or isinstance(absorb(reader.op, pad.op, rewriter), Skip):
                return Skip(f"{reader.result} needs the padded value")
    return Replaced(fused, (pad,))


def absorb(op: Spatial, pad: Pad, rewriter: Rewriter) -> Op | Skip:
    """The operator that reads the pad's operand and pads it itself."""
    if pad.x.type.rank != 4 or any((pad.before[0], pad.after[0], pad.before[3], pad.after[3])):
        return Skip("the batch or the channels are padded too")
    if any(pad.between):
        return Skip("there are gaps between the elements")
    own = op.geometry()[2]
    more = (pad.before[1], pad.before[2], pad.after[1], pad.after[2])
    pads = tuple(a + b for a, b in zip(own, more, strict=True))
    value = stored(pad.value, pad.x.dtype)
    try:
        if isinstance(op, Convolution):
            if any(own) and op.pad_value != value:
                return Skip(f"it pads with {op.pad_value} already, the pad with {value}")
            return dataclasses.replace(op, x=pad.x, pads=pads, pad_value=value)
        if isinstance(op, AvgPool2d):
            if value != 0.0:
                return Skip(f"an average counts pads as 0, not as {value}")
            if any(own) and not op.count_pads:
                return Skip("some pads would count and some not")
            return dataclasses.replace(op, x=pad.x, pads=pads, count_pads=True)
        if isinstance(op, MaxPool2d):
            # Left out of a window that holds at least one element (the type checks that), a pad is never missed
            # if no element is below it.
            lowest = -np.inf if pad.x.dtype.is_float else float(np.iinfo(pad.x.dtype.numpy.name).min)
            if value != lowest and lower_bound(pad.x, rewriter) < value:
                return Skip(f"elements below the pad's {value} are possible")
            return dataclasses.replace(op, x=pad.x, pads=pads)
    except IRError as error:
        return Skip(error.message)
    return Skip("this operator does not pad")
