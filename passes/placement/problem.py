"""What a placement problem is: blocks, what keeps them apart, and the placement that is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tinyc.passes.core.base import PassError

NOWHERE = -1 << 60
"""A distance that constrains nothing."""


@dataclass(frozen=True)
class Block:
    """So many bytes at one offset, a multiple of `alignment` (a power of two).

    `pinned` is the offset of a block that must not move; `region` names the only memory region it may lie in. `time` is
    how long the block is alive, in any unit, 0: unknown; it only guides the search.
    """

    name: str
    bytes: int
    alignment: int = 1
    pinned: int | None = None
    region: str | None = None
    time: int = 0


@dataclass(frozen=True)
class Apart:
    """offset(second) - offset(first) is at most `below` or at least `above` (below < above)."""

    first: str
    second: str
    below: int
    above: int


@dataclass(frozen=True)
class Placement:
    """An offset for each block. `bytes` is the end of the highest block; no placement is smaller than `lower_bound`.

    `optimal`: the two are equal, so `bytes` is proven to be the least possible.
    """

    offsets: Mapping[str, int]
    bytes: int
    lower_bound: int
    optimal: bool


@dataclass(frozen=True)
class Problem:
    """A placement problem over block numbers.

    For blocks `a` and `b` with `b in after[a]`: offset(b) >= offset(a) + after[a][b] or
    offset(a) >= offset(b) + after[b][a]. One of the two distances may be negative, their sum is not.
    """

    sizes: tuple[int, ...]
    alignments: tuple[int, ...]
    pins: tuple[int | None, ...]
    after: tuple[Mapping[int, int], ...]
    times: tuple[int, ...]
    """How long each block is alive, 0: unknown."""

    def __len__(self) -> int:
        return len(self.sizes)

    @cached_property
    def masks(self) -> tuple[int, ...]:
        """For each block, those that cannot start where it starts, whichever comes first: the bits of an integer."""
        return tuple(
            sum(1 << b for b, distance in near.items() if distance > 0 and self.after[b][a] > 0)
            for a, near in enumerate(self.after)
        )

    @cached_property
    def plain(self) -> bool:
        """Whether blocks that are kept apart just must not share bytes."""
        return all(d == size for size, near in zip(self.sizes, self.after, strict=True) for d in near.values())

    @cached_property
    def distances(self) -> NDArray[np.int64]:
        """distances[a, b] = after[a][b], and `NOWHERE` for pairs that are not kept apart."""
        table = np.full((len(self), len(self)), NOWHERE, np.int64)
        for a, near in enumerate(self.after):
            table[a, list(near)] = list(near.values())
        return table

    @cached_property
    def area(self) -> tuple[int, ...]:
        """How much of the memory each block takes from the others: its bytes times the number of blocks it meets."""
        return tuple(size * (1 + len(near)) for size, near in zip(self.sizes, self.after, strict=True))

    def end(self, offsets: Sequence[int]) -> int:
        """The end of the highest block."""
        return max((offset + size for offset, size in zip(offsets, self.sizes, strict=True)), default=0)

    def broken(self, offsets: Sequence[int]) -> list[tuple[int, int]]:
        """The pairs (or single blocks, twice) whose constraint the offsets do not meet."""
        alone = [
            (a, a)
            for a, at in enumerate(offsets)
            if at < 0 or at % self.alignments[a] or self.pins[a] not in (None, at)
        ]
        return alone + [
            (a, b)
            for a, near in enumerate(self.after)
            for b, distance in near.items()
            if a < b and offsets[b] - offsets[a] < distance and offsets[a] - offsets[b] < self.after[b][a]
        ]

    def part(self, chosen: Sequence[int]) -> Problem:
        """The problem of some of the blocks, numbered in the order given."""
        number = {block: n for n, block in enumerate(chosen)}
        return Problem(
            tuple(self.sizes[b] for b in chosen),
            tuple(self.alignments[b] for b in chosen),
            tuple(self.pins[b] for b in chosen),
            tuple({number[o]: d for o, d in self.after[b].items() if o in number} for b in chosen),
            tuple(self.times[b] for b in chosen),
        )


def align_up(offset: int, alignment: int) -> int:
    """The next multiple of a power of two."""
    return (offset + alignment - 1) & -alignment


def problem_of(blocks: Sequence[Block], constraints: Sequence[Apart]) -> Problem:
    """The problem over block numbers. Raises `PassError` where the blocks or constraints make no sense."""
    number: dict[str, int] = {}
    for block in blocks:
        if block.name in number:
            raise PassError(f"placement: two blocks are called {block.name}")
        if block.bytes < 0:
            raise PassError(f"placement: {block.name} has {block.bytes} bytes")
        if block.alignment < 1 or block.alignment & (block.alignment - 1):
            raise PassError(f"placement: the alignment of {block.name} is a power of two, not {block.alignment}")
        if block.pinned is not None and (block.pinned < 0 or block.pinned % block.alignment):
            raise PassError(
                f"placement: {block.name} is pinned to offset {block.pinned}, "
                f"which is no multiple of its alignment, {block.alignment}"
            )
        number[block.name] = len(number)
    after: list[dict[int, int]] = [{} for _ in blocks]
    for apart in constraints:
        if apart.first not in number or apart.second not in number:
            missing = apart.first if apart.first not in number else apart.second
            raise PassError(f"placement: a constraint names {missing}, which is no block")
        a, b = number[apart.first], number[apart.second]
        if a == b or b in after[a]:
            raise PassError(f"placement: give one constraint between {apart.first} and {apart.second}, two blocks")
        if apart.below >= apart.above:
            raise PassError(
                f"placement: {apart.first} and {apart.second}: below ({apart.below}) is less than above ({apart.above})"
            )
        # Both offsets are multiples of the smaller alignment, so is their difference.
        step = min(blocks[a].alignment, blocks[b].alignment)
        after[a][b] = align_up(apart.above, step)
        after[b][a] = align_up(-apart.below, step)
    return Problem(
        tuple(b.bytes for b in blocks),
        tuple(b.alignment for b in blocks),
        tuple(b.pinned for b in blocks),
        tuple(after),
        tuple(b.time for b in blocks),
    )


def apart_by_lifetimes(
    blocks: Sequence[Block], lifetimes: Mapping[str, tuple[int, int]]
) -> tuple[tuple[Apart, ...], int]:
    """The constraints between blocks that must not share bytes at one time, and the largest sum of bytes at one time.

    A lifetime is the first and the last time, both included. The sum is a lower bound of the size of any placement.
    """
    order = sorted(blocks, key=lambda b: lifetimes[b.name][0])
    alive: list[Block] = []
    found: list[Apart] = []
    most = 0
    for block in order:
        first, last = lifetimes[block.name]
        if last < first:
            raise PassError(f"placement: {block.name} lives from {first} to {last}")
        if not block.bytes:
            continue
        alive = [other for other in alive if lifetimes[other.name][1] >= first]
        found += [Apart(other.name, block.name, -block.bytes, other.bytes) for other in alive]
        alive.append(block)
        most = max(most, sum(other.bytes for other in alive))
    return tuple(found), most
