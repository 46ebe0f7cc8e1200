"""Beam search for a placement that ends at or below a limit, for problems too large for exact search.

Blocks are placed from low to high offsets, each at the lowest offset that those below it allow: the canonical
placements of MiniMalloc (Moffitt, 2023, "MiniMalloc: a lightweight memory allocator for hardware-accelerated machine
learning"). A partial placement is dropped when some clique has more bytes to place than room, or when a block is
passed over that the next one does not push up. Where it falls into parts that do not meet, one part is completed
before the next. Of the others, those stay that have wasted the least room. All arithmetic is on integers, for the same
result on every machine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinyc.passes.placement.bounds import Clique
from tinyc.passes.placement.budget import Budget
from tinyc.passes.placement.problem import NOWHERE, Problem

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
FAR = 1 << 60
"""The offset of what needs no place any more."""
MOST_CLIQUES = 200


@dataclass(frozen=True)
class _Tables:
    """A problem as arrays. Ties between blocks go to the lower number."""

    sizes: Ints
    alignments: Ints
    pins: Ints
    """-1: not pinned."""
    after: Ints
    """after[a, b]: how far above `a` a later `b` starts at least; far below for pairs that are not kept apart."""
    height: Ints
    """How far above its own start a block matters to any other."""
    weights: Ints
    """weights[b, c] of block `b` in clique `c`; 0 for others."""
    members: NDArray[np.intp]
    """The blocks of all cliques, one clique after the other."""
    begins: NDArray[np.intp]
    """Where those of each clique begin."""
    room: Ints
    """The bytes each clique has left over in all."""
    tails: Ints
    salt: NDArray[np.uint64]
    meets: tuple[int, ...]
    """The blocks kept apart from each block, as the bits of an integer."""


@dataclass(frozen=True)
class _States:
    """Partial placements, one per row."""

    placed: Bools
    offsets: Ints
    """Of placed blocks where they are, of others the lowest offset they may get."""
    load: Ints
    """The bytes each clique still has to place."""
    slack: Ints
    """The bytes each clique can still waste, FAR once it is complete."""

    def __len__(self) -> int:
        return len(self.placed)

    def rows(self, chosen: NDArray[np.intp] | Bools) -> _States:
        return _States(self.placed[chosen], self.offsets[chosen], self.load[chosen], self.slack[chosen])


def preferences(problem: Problem, cliques: Sequence[Clique]) -> list[list[int]]:
    """Orders of the blocks that decide which goes first where several could: by what is scarce."""
    tight = [0] * len(problem)
    cover = [0] * len(problem)
    for clique in cliques:
        for block in clique.blocks:
            tight[block] = max(tight[block], clique.load)
            cover[block] += 1
    area = [size * count for size, count in zip(problem.sizes, cover, strict=True)]
    keys: tuple[Callable[[int], tuple[int, ...]], ...] = (
        lambda b: (-cover[b], -area[b], -tight[b], b),
        lambda b: (-tight[b], -cover[b], -area[b], b),
        lambda b: (-tight[b], -area[b], -cover[b], b),
        lambda b: (b,),
        lambda b: (-b,),
    )
    return [sorted(range(len(problem)), key=key) for key in keys]


def find(
    problem: Problem, cliques: Sequence[Clique], limit: int, order: Sequence[int], width: int, budget: Budget
) -> list[int] | None:
    """Offsets that end at or below the limit, or None if the search fails or the budget is empty.

    `order` decides ties, `width` is how many partial placements are kept, alternately by two measures of waste.
    """
    number = {block: n for n, block in enumerate(order)}
    near = sorted((c for c in cliques if 2 * c.load > limit), key=lambda c: -c.load)[:MOST_CLIQUES]
    table = _tables(problem, near, number, limit)
    states = _States(
        np.zeros((1, len(order)), np.bool_),
        np.maximum(table.pins, 0)[None],
        table.weights.sum(axis=0)[None],
        table.room[None].copy(),
    )
    parts = [(1 << len(order)) - 1]
    work = len(order) + int((table.weights > 0).sum())
    budget.take(len(order) ** 2 // 20)
    if (table.room < 0).any():
        return None
    for _ in order:
        if budget.empty:
            return None
        parent, states = _children(table, states, _bits(parts, len(order)), limit, work, budget)
        if not len(states):
            return None
        chosen = _best(table, states, limit, width)
        parts = [_part(table, parts[parent[row]], states.placed[row]) for row in chosen]
        states = states.rows(chosen)
    found = states.offsets[0].tolist()
    return [found[number[block]] for block in range(len(order))]


def _tables(problem: Problem, cliques: Sequence[Clique], number: dict[int, int], limit: int) -> _Tables:
    order = np.array(list(number), np.intp)
    after = problem.distances[np.ix_(order, order)]
    meets = after > NOWHERE
    np.maximum(after, 0, out=after, where=meets)
    sizes = np.array(problem.sizes, np.int64)[order]
    weights = np.zeros((len(order), len(cliques)), np.int64)
    members = tuple(np.array([number[b] for b in c.blocks], np.intp) for c in cliques)
    for c, clique in enumerate(cliques):
        weights[members[c], c] = clique.weights
    return _Tables(
        sizes,
        np.array(problem.alignments, np.int64)[order],
        np.array([-1 if pin is None else pin for pin in problem.pins], np.int64)[order],
        after,
        np.maximum(sizes, after.max(axis=1, initial=0)),
        weights,
        np.concatenate([*members, np.zeros(0, np.intp)]),
        np.cumsum([0, *(len(m) for m in members)])[:-1],
        limit - np.array([c.load for c in cliques], np.int64),
        np.array([c.tail for c in cliques], np.int64),
        _salt(2 * len(order)),
        tuple(_mask(row) for row in meets),
    )


def _children(
    table: _Tables, states: _States, part: Bools, limit: int, work: int, budget: Budget
) -> tuple[NDArray[np.intp], _States]:
    """All states with one more block, those left out that cannot be completed; and the row of each one's parent."""
    count = len(table.sizes)
    low = np.where(part, states.offsets, FAR)
    ceiling = np.where(part, states.offsets + table.height, FAR).min(axis=1)
    parent, block = np.nonzero(
        (low < np.minimum(ceiling[:, None], limit + 1 - table.sizes)) & ((table.pins < 0) | (low <= table.pins))
    )
    budget.take(200 + len(parent) * work // 400)
    # The lowest block comes next, or one that pushes it up.
    lowest = low.argmin(axis=1)[parent]
    near = (block == lowest) | (table.after[block, lowest] > NOWHERE)
    parent, block = parent[near], block[near]
    start = low[parent, block]
    rows = np.arange(len(parent))
    placed = states.placed[parent]
    placed[rows, block] = True
    offsets = states.offsets[parent]
    pushed = start[:, None] + table.after[block]
    if (table.alignments > 1).any():
        pushed = (pushed + table.alignments - 1) & -table.alignments
    np.maximum(offsets, pushed, out=offsets, where=~placed)
    # The blocks that are left come later in (offset, number), and pinned ones are not past their place.
    left = part[parent] & ~placed
    wrong = left & (offsets * count + np.arange(count) < (start * count + block)[:, None])
    wrong |= ~placed & (table.pins >= 0) & (offsets > table.pins)
    kept = ~wrong.any(axis=1)
    parent, placed, offsets = parent[kept], placed[kept], offsets[kept]
    load = states.load[parent] - table.weights[block[kept]]
    waiting = np.where(placed, FAR, offsets)
    slack = np.minimum.reduceat(waiting[:, table.members], table.begins, axis=1) if len(table.begins) else load
    slack = np.where(slack < FAR, limit - table.tails - load - slack, FAR)
    kept = (slack >= 0).all(axis=1)
    return parent[kept], _States(placed[kept], offsets[kept], load[kept], slack[kept])


def _best(table: _Tables, states: _States, limit: int, width: int) -> NDArray[np.intp]:
    """The rows to keep: half by the bytes wasted, half by those bytes in proportion to what may yet be wasted."""
    count = len(table.sizes)
    salt = table.salt
    left = np.where(states.placed, 0, states.offsets + 1).astype(np.uint64)
    key = (left * salt[:count]).sum(axis=1) + (states.placed * salt[count:]).sum(axis=1)
    _, rows = np.unique(key, return_index=True)
    slack = states.slack[rows]
    waste = np.where(slack < FAR, table.room - slack, 0)
    share = (waste * 1024 // (slack + limit // 50 + 1)).sum(axis=1)
    first = np.lexsort((key[rows], share))[: (width + 1) // 2]
    second = np.lexsort((key[rows], waste.sum(axis=1)))[:width]
    fresh = second[~np.isin(second, first)][: width - len(first)]
    kept: NDArray[np.intp] = rows[np.concatenate([first, fresh])]
    return kept


def _part(table: _Tables, part: int, placed: Bools) -> int:
    """The blocks to place next: those of the part that are connected to its first one, or the part of the next."""
    taken = _mask(placed)
    left = part & ~taken or ((1 << len(placed)) - 1) & ~taken
    found = border = left & -left
    while border:
        block = border & -border
        fresh = table.meets[block.bit_length() - 1] & left & ~found
        found |= fresh
        if found == left:
            break
        border = (border | fresh) & ~block
    return found


def _mask(row: Bools) -> int:
    return int.from_bytes(np.packbits(row, bitorder="little").tobytes(), "little")


def _bits(masks: Sequence[int], count: int) -> Bools:
    size = (count + 7) // 8
    packed = np.frombuffer(b"".join(mask.to_bytes(size, "little") for mask in masks), np.uint8)
    bits = np.unpackbits(packed.reshape(len(masks), size), axis=1, count=count, bitorder="little")
    return bits.astype(np.bool_)


def _salt(count: int) -> NDArray[np.uint64]:
    """Odd numbers that look random (SplitMix64, Steele et al., 2014)."""
    numbers, state = [], 0
    for _ in range(count):
        state = (state + 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
        z = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9 & 0xFFFFFFFFFFFFFFFF
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB & 0xFFFFFFFFFFFFFFFF
        numbers.append((z ^ (z >> 31)) | 1)
    return np.array(numbers, np.uint64)
