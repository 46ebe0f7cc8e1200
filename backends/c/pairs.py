"""Which integer layers have the products of two output channels from one multiplication, and with which weights.

Two weights lie in one 32-bit word, first + 65536 * second. A multiplication by an element gives both products at once,
and those of a group of elements are added before the sums are taken apart: exact where the weights of a channel for the
group are together at most 255 in size, for |x| is at most 128; or 256 with weights of both signs, for x is -128 to 127.

Groups of two elements have such weights by themselves, but for two of -128 side by side: elements follow each other
within the whole window, which is one run where it is copied. For groups of four, which lie within one run of the
window, the words have less of some weights, and what is missing is added one by one: the extras.

Weights of 4 bits fit in groups of eight of any elements: what is a run does not matter.

The words are made from the weights for each block of four channels, in scratch memory, each time that the layer is
computed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import singledispatch
from itertools import pairwise

import numpy as np

from tinyc.backends.c.tiles import LANES
from tinyc.backends.c.tuned import pixels
from tinyc.backends.c.tuning import DEFAULT, Tuning
from tinyc.backends.c.windows import beside
from tinyc.backends.libraries.operands import constant
from tinyc.ir.constant import fits_4_bits
from tinyc.ir.op import Op
from tinyc.ir.ops import QConv2d
from tinyc.ir.rows import RowProgram, Stage
from tinyc.ir.tensor import Array

PATCHES = 320
"""Bytes of stack, at most, for copies of the windows at the ends of a row."""
LARGEST = 255
"""The largest size of the weights of a group together: 128 times as much fits 16 bits. One more does where they have
both signs: n of these are met by numbers up to 127 where the others are met by -128, and the other way round."""
FURTHEST = 127
"""How far an extra lies before the next one, at most."""
MOST_RUNS = 16
"""Runs of a window in groups of four, at most."""
ANOTHER = 128
"""Added to that of an extra behind which another one of its run follows."""

# Instructions for a pixel and four channels, as counted on rv32imc: an element without words, in groups of two, of
# four and of eight; taking sums apart; looking for the extras of a run, and adding one. And what it takes to make the
# words of an element.
_PLAIN, _TWOS, _FOURS, _EIGHTS, _APART, _LOOK, _EXTRA, _MADE = 10.2, 8.9, 7.8, 6.8, 12.0, 5.0, 6.0, 9.0


@dataclass(frozen=True)
class Pairs:
    """Weights [outputs, elements] for words, in groups of `group` elements of each of so many runs of the window.
    `extras` has what groups of four lack, for each whole block of four output channels as `qextras_i8.h` reads it."""

    group: int
    weights: Array
    runs: int
    extras: tuple[bytes, ...] = ()

    @property
    def lacks(self) -> bool:
        """Whether there are extras."""
        return any(map(any, self.extras))

    def instructions(self, pixels: int) -> float:
        """About what they take in a block of four channels, for so many pixels."""
        elements = int(self.weights.shape[1])
        if self.group != 4:
            each = _TWOS if self.group == 2 else _EIGHTS
            return pixels * (each * elements + _APART) + _MADE * elements
        bits = (self.runs + 1) // 2
        extras = sum(len(block) - bits for block in self.extras) / 2 / len(self.extras)
        seldom = _APART + _LOOK * self.runs + _EXTRA * extras
        return pixels * (_FOURS * elements + seldom) + _MADE * elements

    def gain(self, pixels: int) -> float:
        """How many fewer they take than without words."""
        return _PLAIN * int(self.weights.shape[1]) * pixels - self.instructions(pixels)


def twos(weights: Array, runs: int) -> Pairs | None:
    """Int8 weights [outputs, elements] in groups of two elements; None where some are too large."""
    sizes = np.abs(weights.astype(np.int64))
    return Pairs(2, weights, runs) if np.all(sizes[:, :-1] + sizes[:, 1:] <= LARGEST) else None


def fours(weights: Array, runs: int) -> Pairs | None:
    """The same in groups of four; None for more than `MOST_RUNS`."""
    if runs > MOST_RUNS:
        return None
    outputs, elements = weights.shape
    whole, run = outputs // LANES * LANES, elements // runs
    left = weights.astype(np.int64).reshape(outputs, runs, run)
    lacking = np.zeros((whole, runs, run), np.int64)
    for begin, end in _groups(run):
        _relieve(left[:whole, :, begin:end], lacking[:, :, begin:end])
    extras = tuple(map(_extras, lacking.reshape(-1, LANES * runs, run)))
    return Pairs(4, left.reshape(weights.shape).astype(np.int8), runs, extras)


def _groups(run: int) -> list[tuple[int, int]]:
    """Begin and end of the groups of four of a run, and of those of two and one at its end."""
    ends = [*range(4, run + 1, 4)]
    ends += [run // 4 * 4 + 2] if run % 4 > 1 else []
    ends += [run] if run % 2 else []
    return list(zip([0, *ends], ends, strict=False))


def _relieve(group: Array, lacking: Array) -> None:
    """Moves from the last dimension of one array to the other what is too much, from the largest weights first."""
    for at in zip(*np.nonzero(np.abs(group).sum(axis=-1) > LARGEST), strict=True):
        weights = group[at]
        while (excess := int(np.abs(weights).sum()) - LARGEST - bool(weights.min() < 0 < weights.max())) > 0:
            largest = int(np.argmax(np.abs(weights)))
            part = int(np.sign(weights[largest])) * min(excess, abs(int(weights[largest])))
            weights[largest] -= part
            lacking[at][largest] += part


def _extras(block: Array) -> bytes:
    """The bytes for what one block lacks, [lanes * runs, run]: a bit for each row that says whether it lacks anything,
    and for those that do, backwards from the end, the distance and the part of a weight of each extra."""
    found = bytearray(np.packbits(block.any(axis=1), bitorder="little").tobytes())
    for row in block:
        places = [row.size - 1, *np.flatnonzero(row)[::-1].tolist()]
        for before, place in pairwise(places):
            further, near = divmod(before - place, FURTHEST)
            found += bytes([ANOTHER + FURTHEST, 0] * further + [ANOTHER + near, int(row[place]) & 0xFF])
        if len(places) > 1:
            found[-2] -= ANOTHER
    return bytes(found)


@singledispatch
def runs(op: Op) -> int:
    """The runs of a window, in each of which groups of four begin anew."""
    return 1


@runs.register
def _runs_of_window(op: QConv2d) -> int:
    """A row of the window is one, unless its pixels lie apart, or a pixel at the end of a row reads only some of them:
    where the windows there are not copied."""
    kh, kw = op.window()
    copied = sum(beside(op)) * math.prod(op.w.shape[1:]) <= PATCHES
    return kh if op.dilations[1] == 1 and copied else kh * kw


def pairs_of(program: RowProgram, stage: Stage) -> Pairs | None:
    """The weights of a stage in the groups that take the fewest instructions; None where they cannot be paired."""
    weights = stage.op.joint_weights()
    array = constant(program, weights) if weights is not None else None
    if array is None or array.shape[0] < LANES:
        return None
    flat, number, count = array.reshape(array.shape[0], -1), runs(stage.op), pixels(stage)
    if fits_4_bits(array):
        return Pairs(8, flat, number)
    found = [p for p in (twos(flat, number), fours(flat, number)) if p is not None]
    return min(found, key=lambda p: p.instructions(count), default=None)


def wanted_words(program: RowProgram, stage: Stage, tuning: Tuning = DEFAULT) -> tuple[int, ...]:
    """The words of scratch memory that the kernel of a stage can use: two for each product of a sum, or none."""
    if not tuning.pairs or stage.op.joint_weights() is None:
        return ()
    measured = tuning.choices.find(stage).paired_tile
    pairs = pairs_of(program, stage) if measured != 0 else None
    if pairs is None:
        return ()
    pays = measured is not None or pairs.gain(pixels(stage)) > 0
    return (2 * pairs.weights.shape[1],) if pays else ()


def saved(program: RowProgram, stage: Stage) -> float:
    """About the instructions that a stage takes less with words than without; 0 for one that has none."""
    pairs = pairs_of(program, stage)
    return 0.0 if pairs is None else stage.applications * (len(pairs.weights) // LANES) * pairs.gain(pixels(stage))
