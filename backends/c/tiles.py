"""Register tiles: their output channels, and into which of them the pixels of a float layer are divided."""

from __future__ import annotations

from dataclasses import dataclass

LANES = 4
"""Output channels of a tile, at most: as many weights are interleaved, of floats and of integers."""
MOST = 8
"""Pixels of a tile, at most: `tile_f32.h` has no more."""
_FEW = 3
"""Pixels up to which a tile of one less is much smaller: of each product it takes about a tenth more instructions."""
COPIES = 640
"""Bytes of stack, at most, for copies of windows or of elements, where a kernel computes from these alone."""
UNROLLED = 8
"""Elements of a run, at most, whose products are written out one after another."""


@dataclass(frozen=True)
class Tiles:
    """Tiles that cover some pixels: `larger` of `pixels` pixels and then `smaller` of one less. The second begins
    `overlap` pixels before the first ends: computed twice, they spare another kind of tile."""

    pixels: int
    larger: int
    smaller: int = 0
    overlap: int = 0


def room(registers: int, lanes: int) -> int:
    """How many pixels of a tile the floating-point registers hold: a sum for each lane of each, and of the elements and
    the weights of a turn the fewer and one of the others. Where there are too few, or none, two: each weight is then
    read for two products."""
    fitting = (n for n in range(2, MOST + 1) if n * lanes + min(n, lanes) + 1 <= registers)
    return max(fitting, default=2)


def tiles(count: int, most: int) -> Tiles:
    """`count` pixels in tiles of at most `most`: of one kind, if there is one that is not much smaller, or one that
    computes few pixels twice; else as few as there can be."""
    if count <= most:
        return Tiles(max(count, 1), min(count, 1))
    least = most if most == _FEW else most * 2 // 3
    for pixels in range(most, least - 1, -1):
        if count % pixels == 0:
            return Tiles(pixels, count // pixels)
    number = -(-count // most)
    pixels = -(-count // number)
    missing = number * pixels - count
    if missing * 32 <= count:
        return Tiles(pixels, number, overlap=missing)
    return Tiles(pixels, number - missing, missing)


def unrolled(registers: int) -> int:
    """How many elements a turn of a tile's loop takes. Without floating-point registers each product is a call, and
    more of them only more code."""
    return 4 if registers else 1


def head(run: int, turn: int) -> int:
    """How many elements of a run come before the loop, whose turns take `turn` each."""
    return run if run <= UNROLLED and turn > 1 else run % turn
