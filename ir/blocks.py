"""Transpositions in place: planes become pixels in the memory that the planes have, by way of a few of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from tinyc.ir.types import WORD, DType, TensorType

LOCAL = (192, 512)
"""Bytes of the stack, at most, by way of which elements are moved; and where planes cannot be divided for that."""
FEWEST = 8
"""Elements of a block, at least: with fewer, finding the blocks takes longer than moving them."""


@dataclass(frozen=True)
class Blocks:
    """How `images` times `planes` planes, each of so many blocks of `places` elements, become pixels, which have an
    element of each plane side by side; or with `back` pixels become planes.

    The blocks are first put in the order in which those of the same places of all planes, a group, lie together; then
    the elements of each group are. A group fits one of `LOCAL`.
    """

    images: int
    planes: int
    blocks: int
    places: int
    dtype: DType
    back: bool = False

    @property
    def word(self) -> int:
        """Bytes that are moved at once, of whose size the address has to be a multiple."""
        whole = self.dtype.bytes == 1 and self.places % WORD == 0
        return WORD if whole else self.dtype.bytes


def blocks_of(x: TensorType, perm: Sequence[int]) -> Blocks | None:
    """How an operand is permuted in place; None where dimensions do not only change places with those behind them, or
    no division of the planes fits."""
    merged = _merged(x.shape, perm)
    if merged is None or not x.size:
        return None
    images, first, second = merged
    for local, (planes, places, back) in product(LOCAL, ((first, second, False), (second, first, True))):
        if size := _block(places, local // (planes * x.dtype.bytes), x.dtype):
            return Blocks(images, planes, places // size, size, x.dtype, back)
    return None


def _block(places: int, most: int, dtype: DType) -> int:
    """The elements of a block of a plane, at most so many, of whole words where some are; 0 where none fits."""
    fitting = [n for n in range(FEWEST, min(most, places) + 1) if places % n == 0]
    whole = [n for n in fitting if n * dtype.bytes % WORD == 0]
    return max(whole or fitting, default=0)


def _merged(shape: Sequence[int], perm: Sequence[int]) -> tuple[int, int, int] | None:
    """The sizes a, b and c where [a, b, c] becomes [a, c, b], once neighbours that stay so are one dimension."""
    kept = [d for d in range(len(shape)) if shape[d] != 1]
    order = [kept.index(d) for d in perm if shape[d] != 1]
    sizes = [shape[d] for d in kept]
    still = 0
    while still < len(order) and order[still] == still:
        still += 1
    moved = order[still:]
    cut = len(moved) - moved.index(still) if moved else 0
    if moved != [*range(still + cut, len(order)), *range(still, still + cut)]:
        return None
    return math.prod(sizes[:still]), math.prod(sizes[still : still + cut]), math.prod(sizes[still + cut :])
