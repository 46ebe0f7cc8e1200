"""Blocks over several memory regions: what is accessed most goes to the fastest one that has room."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from tinyc.passes.core.base import PassError
from tinyc.passes.placement.problem import Apart, Block, Placement, align_up
from tinyc.passes.placement.solve import place

EXACT_BLOCKS = 16
EXACT_NODES = 4000
EXCHANGES = 60
"""How many other places for blocks are tried, after a greedy assignment."""


@dataclass(frozen=True)
class Region:
    """A memory of so many bytes, or of as many as are needed (None)."""

    name: str
    bytes: int | None


@dataclass(frozen=True)
class RegionPlacement:
    """A placement for each region, and the region of each block.

    `cost` is the sum over blocks of traffic times the region's position (0: the fastest). `exact`: proven
    to be the least cost; otherwise blocks were assigned greedily, or a search was given up.
    """

    placements: Mapping[str, Placement]
    region: Mapping[str, str]
    cost: int
    exact: bool


@dataclass
class _Assignment:
    blocks: tuple[Block, ...]
    constraints: tuple[Apart, ...]
    regions: tuple[Region, ...]
    traffic: Mapping[str, int]
    seconds: float
    tried: dict[tuple[frozenset[str], int], Placement] = field(default_factory=dict)
    unproven: bool = False
    """Whether some set of blocks was taken not to fit without a proof."""

    def placement(self, names: Iterable[str], region: int) -> Placement:
        """The placement of these blocks in one region; no smaller than need be if that has bounds."""
        chosen = frozenset(names)
        capacity = self.regions[region].bytes
        if (chosen, region) not in self.tried:
            blocks = [b for b in self.blocks if b.name in chosen]
            inside = [c for c in self.constraints if c.first in chosen and c.second in chosen]
            self.tried[chosen, region] = place(blocks, inside, capacity=capacity, seconds=self.seconds)
        return self.tried[chosen, region]

    @cached_property
    def near(self) -> Mapping[str, Sequence[tuple[str, int, int]]]:
        """For each block those that it is kept apart from: their offset, less its own, is at most the first number or
        at least the second."""
        found: dict[str, list[tuple[str, int, int]]] = {b.name: [] for b in self.blocks}
        for c in self.constraints:
            found[c.first].append((c.second, c.below, c.above))
            found[c.second].append((c.first, -c.above, -c.below))
        return found

    def added(self, block: Block, to: Iterable[str], region: int) -> bool:
        """Whether a block has room beside those of which a placement may be known, which then stay where they are."""
        names, capacity = frozenset(to), self.regions[region].bytes
        known = self.tried.get((names, region))
        if known is None or capacity is None or known.bytes > capacity or (names | {block.name}, region) in self.tried:
            return self.fits([*names, block.name], region)
        taken = [
            (known.offsets[n] - above, known.offsets[n] - below)
            for n, below, above in self.near[block.name]
            if n in names
        ]
        at = 0
        for low, high in sorted(taken):
            if low < at < high:
                at = align_up(high, block.alignment)
        if block.pinned is not None or at + block.bytes > capacity:
            return self.fits([*names, block.name], region)
        offsets = {**known.offsets, block.name: at}
        size = max(known.bytes, at + block.bytes)
        self.tried[names | {block.name}, region] = Placement(offsets, size, 0, False)
        return True

    def without(self, names: Iterable[str], left: str | None, region: int) -> None:
        """A placement without one block is one where the others are as they were."""
        chosen = frozenset(names)
        known, rest = self.tried.get((chosen, region)), chosen - {left}
        if known is not None and left is not None and (rest, region) not in self.tried:
            offsets = {n: at for n, at in known.offsets.items() if n != left}
            self.tried[rest, region] = Placement(offsets, known.bytes, 0, False)

    def fits(self, names: Iterable[str], region: int) -> bool:
        """Whether a placement of these blocks in one region is known."""
        capacity = self.regions[region].bytes
        if capacity is None:
            return True
        placement = self.placement(names, region)
        self.unproven |= placement.lower_bound <= capacity < placement.bytes
        return placement.bytes <= capacity

    def allowed(self, block: Block) -> list[int]:
        """The regions a block may lie in, the fastest first."""
        return [n for n, region in enumerate(self.regions) if block.region in (None, region.name)]

    def cost(self, chosen: Mapping[str, int]) -> int:
        """Traffic times position."""
        return sum(self.traffic.get(name, 0) * region for name, region in chosen.items())


def place_in_regions(
    blocks: Sequence[Block],
    constraints: Sequence[Apart],
    regions: Sequence[Region],
    traffic: Mapping[str, int],
    *,
    seconds: float = 1.0,
    nodes: int = EXACT_NODES,
) -> RegionPlacement:
    """Regions and offsets for the blocks with the least traffic (bytes accessed, by block) on slow regions.

    Regions are given from fastest to slowest; constraints hold between blocks of one region. Assigns by branch and
    bound where few blocks have a choice, of so many `nodes`, else greedily by traffic per byte. `seconds` bounds the
    search for the offsets in one region. Raises `PassError` if no assignment is found in which every region has room.
    """
    names = [r.name for r in regions]
    if not regions or len(set(names)) < len(names):
        raise PassError("placement: give one or more regions, of different names")
    for block in blocks:
        if block.region is not None and block.region not in names:
            raise PassError(f"placement: {block.name} is pinned to the region {block.region}; there are {names}")
        if block.pinned is not None and block.region is None:
            raise PassError(f"placement: {block.name} is pinned to an offset, so it needs a region: one of {names}")
    state = _Assignment(tuple(blocks), tuple(constraints), tuple(regions), traffic, seconds)
    by_use = sorted(
        blocks, key=lambda b: (b.region is None, -traffic.get(b.name, 0) / max(1, b.bytes), -b.bytes, b.name)
    )
    by_size = sorted(blocks, key=lambda b: (b.region is None, -b.bytes, b.name))
    # What lives as long as many others takes the place of many.
    near = Counter(name for c in constraints for name in (c.first, c.second))
    by_time = sorted(
        blocks,
        key=lambda b: (b.region is None, -traffic.get(b.name, 0) / max(1, b.bytes * (1 + near[b.name])), b.name),
    )
    found = [chosen for order in (by_use, by_size, by_time) if (chosen := _greedy(state, order)) is not None]
    best = min(found, key=state.cost, default=None)
    if best is not None:
        best = _exchanged(state, best)
    free = sum(len(state.allowed(b)) > 1 for b in blocks)
    exact = best is not None and state.cost(best) == _least(state, blocks)
    if not exact and free <= EXACT_BLOCKS:
        state.unproven = False
        best, complete = _branch(state, by_use, best, nodes)
        exact = complete and not state.unproven
    if best is None:
        raise PassError(_excess(state, by_use, exact))
    placements = {
        region.name: state.placement([b for b, r in best.items() if r == n], n) for n, region in enumerate(regions)
    }
    return RegionPlacement(placements, {b.name: names[best[b.name]] for b in blocks}, state.cost(best), exact)


def _least(state: _Assignment, blocks: Iterable[Block]) -> int:
    return sum(state.traffic.get(b.name, 0) * state.allowed(b)[0] for b in blocks)


def _greedy(state: _Assignment, order: Sequence[Block]) -> dict[str, int] | None:
    """Each block to the fastest region that has room beside those before it."""
    chosen: dict[str, int] = {}
    for block in order:
        for region in state.allowed(block):
            if state.added(block, [b for b, r in chosen.items() if r == region], region):
                chosen[block.name] = region
                break
        else:
            return None
    return chosen


def _exchanged(state: _Assignment, chosen: dict[str, int]) -> dict[str, int]:
    """The assignment with blocks moved to faster regions, each alone or for one of less traffic, as long as that
    helps."""
    chosen, tries, again = dict(chosen), EXCHANGES, True
    blocks = {b.name: b for b in state.blocks}
    while again:
        again = False
        for name in sorted(chosen, key=lambda n: (-state.traffic.get(n, 0), n)):
            slow = chosen[name]
            for fast in (r for r in state.allowed(blocks[name]) if r < slow):
                inside = [n for n, r in chosen.items() if r == fast]
                rivals = [
                    n
                    for n in sorted(inside, key=lambda n: (state.traffic.get(n, 0), n))
                    if state.traffic.get(n, 0) < state.traffic.get(name, 0) and slow in state.allowed(blocks[n])
                ]
                outside = [n for n, r in chosen.items() if r == slow and n != name]
                for rival in [None, *rivals]:
                    tries -= 1
                    if tries < 0:
                        return chosen
                    state.without(inside, rival, fast)
                    if not state.added(blocks[name], [n for n in inside if n != rival], fast):
                        continue
                    if rival is not None:
                        if not state.added(blocks[rival], outside, slow):
                            continue
                        chosen[rival] = slow
                    chosen[name] = fast
                    again = True
                    break
                if chosen[name] == fast:
                    break
    return chosen


def _branch(
    state: _Assignment, order: Sequence[Block], best: dict[str, int] | None, limit: int
) -> tuple[dict[str, int] | None, bool]:
    """The cheapest assignment by depth-first branch and bound, and whether the search was completed."""
    rest = [_least(state, order[n:]) for n in range(len(order) + 1)]
    nodes: list[dict[str, int]] = [{}]
    for _ in range(limit):
        if not nodes:
            return best, True
        chosen = nodes.pop()
        depth = len(chosen)
        if best is not None and state.cost(chosen) + rest[depth] >= state.cost(best):
            continue
        if depth == len(order):
            best = chosen
            continue
        block = order[depth]
        nodes += [
            {**chosen, block.name: region}
            for region in reversed(state.allowed(block))
            if state.fits([*(b for b, r in chosen.items() if r == region), block.name], region)
        ]
    return best, not nodes


def _excess(state: _Assignment, order: Sequence[Block], proven: bool) -> str:
    """By how much the blocks are too large: with each that has no room put where it exceeds least."""
    chosen: dict[str, int] = {}
    for block in order:
        over: dict[int, int] = {}
        for region in state.allowed(block):
            names = [*(b for b, r in chosen.items() if r == region), block.name]
            capacity = state.regions[region].bytes
            over[region] = 0 if capacity is None else max(0, state.placement(names, region).bytes - capacity)
        chosen[block.name] = min(over, key=lambda r: (over[r], r))
    parts = []
    for n, memory in enumerate(state.regions):
        size = state.placement([b for b, r in chosen.items() if r == n], n).bytes
        if memory.bytes is not None and size > memory.bytes:
            more = size - memory.bytes
            parts.append(f"{memory.name} has {memory.bytes} bytes and would need {size}, {more} more")
    verb = "there is no" if proven else "found no"
    return f"placement: {verb} assignment of the blocks to regions in which all have room: {'; '.join(parts)}"
