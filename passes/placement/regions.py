"""Blocks over several memory regions: what is accessed most goes to the fastest one that has room."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tinyc.passes.core.base import PassError
from tinyc.passes.placement.problem import Apart, Block, Placement
from tinyc.passes.placement.solve import place

EXACT_BLOCKS = 16
EXACT_NODES = 4000


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
) -> RegionPlacement:
    """Regions and offsets for the blocks with the least traffic (bytes accessed, by block) on slow regions.

    Regions are given from fastest to slowest; constraints hold between blocks of one region. Assigns by branch and
    bound where few blocks have a choice, else greedily by traffic per byte. `seconds` bounds the search for the
    offsets in one region. Raises `PassError` if no assignment is found in which every region has room.
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
    found = [chosen for order in (by_use, by_size) if (chosen := _greedy(state, order)) is not None]
    best = min(found, key=state.cost, default=None)
    free = sum(len(state.allowed(b)) > 1 for b in blocks)
    exact = best is not None and state.cost(best) == _least(state, blocks)
    if not exact and free <= EXACT_BLOCKS:
        state.unproven = False
        best, complete = _branch(state, by_use, best)
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
            if state.fits([*(b for b, r in chosen.items() if r == region), block.name], region):
                chosen[block.name] = region
                break
        else:
            return None
    return chosen


def _branch(
    state: _Assignment, order: Sequence[Block], best: dict[str, int] | None
) -> tuple[dict[str, int] | None, bool]:
    """The cheapest assignment by depth-first branch and bound, and whether the search was completed."""
    rest = [_least(state, order[n:]) for n in range(len(order) + 1)]
    nodes: list[dict[str, int]] = [{}]
    for _ in range(EXACT_NODES):
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
