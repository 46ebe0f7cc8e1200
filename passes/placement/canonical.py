"""Depth-first search over canonical placements, with inference on cliques: finds tight placements of large problems.

Blocks are placed from low to high offsets, each at the lowest offset that those below it allow (Moffitt, 2023,
"MiniMalloc: a lightweight memory allocator for hardware-accelerated machine learning"). Where the blocks that are left
fall apart into components, each is a search of its own. What a choice implies is found clique by clique, as on the
machines of a job shop: a member is first only if all others fit above it; those that cannot be first start above the
earliest end of one that can, and a clique without a first member refutes the choice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tinyc.passes.placement.bounds import Clique
from tinyc.passes.placement.budget import Budget
from tinyc.passes.placement.problem import Problem, align_up
from tinyc.passes.placement.search import Infeasible, OutOfBudget

FAR = 1 << 60


@dataclass(frozen=True)
class Order:
    """Which block goes first where several could: by the load of its fullest clique if `tight`, then by rank."""

    tight: bool
    rank: Sequence[tuple[int, ...]]


@dataclass
class _Node:
    """A partial placement: what to try next, and where to go on when that fails."""

    left: list[int]
    """The blocks of its component that have no place, in order."""
    waiting: tuple[list[int], int, object] | None
    """Components to search after this one: the blocks, the node they fell apart at, and those after it."""
    parent: int
    """The node to return to when nothing is left to try, -1: none."""
    mark: int
    """The length of the trail when the node was made."""
    choices: list[tuple[int, int]]
    """(offset, position in `left`) to try, the last one first."""


@dataclass
class _Search:
    problem: Problem
    limit: int
    order: Order
    budget: Budget
    cliques: Sequence[Clique]
    low: list[int]
    """The lowest offset a block may get."""
    near: list[list[tuple[int, int]]]
    """For each block those kept apart from it, and how far above its start they start at least."""
    height: list[int]
    """How far above its own start a block matters to any other."""
    offsets: list[int]
    """-1: not placed."""
    load: list[int]
    """The bytes each clique still has to place, its tail included."""
    of: list[list[tuple[int, int]]]
    """The cliques of each block, and its weight there."""
    strict: bool
    """All distances are positive: of two blocks that are kept apart, one starts above the other, and is placed later.
    Else not all placements are canonical: that there are none is no proof."""
    trail: list[tuple[int, int]] = field(default_factory=list)
    """(block, its lowest offset before), or (~block, 0) for a block that was placed."""


def orders(problem: Problem, cliques: Sequence[Clique], number: int) -> list[Order]:
    """Good orders, by time and bytes; from `number` 1 on, times are changed a little at random for other ones."""
    cover = [0] * len(problem)
    for clique in cliques:
        for block in clique.blocks:
            cover[block] += 1
    times = [cover] if not any(problem.times) else [list(problem.times), cover]
    found = []
    for kind, exact in enumerate(times):
        time = _noisy(exact, 2 * number + kind) if number else exact
        area = [size * t for size, t in zip(problem.sizes, time, strict=True)]
        long = [(-t, -a, b) for b, (t, a) in enumerate(zip(time, area, strict=True))]
        large = [(-a, -t, b) for b, (t, a) in enumerate(zip(time, area, strict=True))]
        late = [(-t, -b) for b, t in enumerate(time)]
        found += [Order(True, long), Order(False, long), Order(True, large), Order(True, late)]
    return found


def _noisy(times: Sequence[int], seed: int) -> list[int]:
    """The times in 1/1024, each up to a tenth longer or shorter (a linear congruential generator, Knuth's MMIX)."""
    state, found = seed, []
    for time in times:
        state = (state * 6364136223846793005 + 1442695040888963407) & 0xFFFFFFFFFFFFFFFF
        found.append(time * (922 + (state >> 40) % 205))
    return found


def find(problem: Problem, cliques: Sequence[Clique], limit: int, order: Order, budget: Budget) -> list[int]:
    """Offsets that end at or below the limit. Raises `Infeasible` if there are none, `OutOfBudget` if it gives up.

    What is given up is a budget that is empty, or a problem of which not all placements are canonical.
    """
    near = [[(b, max(d, 0)) for b, d in pairs.items()] for pairs in problem.after]
    of: list[list[tuple[int, int]]] = [[] for _ in near]
    for c, clique in enumerate(cliques):
        for block, weight in zip(clique.blocks, clique.weights, strict=True):
            of[block].append((c, weight))
    search = _Search(
        problem,
        limit,
        order,
        budget,
        cliques,
        [pin or 0 for pin in problem.pins],
        near,
        [max([1, size, *(d for _, d in pairs)]) for size, pairs in zip(problem.sizes, near, strict=True)],
        [-1] * len(problem),
        [c.load for c in cliques],
        of,
        all(d > 0 for pairs in problem.after for d in pairs.values()),
    )
    budget.take(len(problem) + sum(map(len, near)) // 4)
    fits = problem.end(search.low) <= limit and all(load <= limit for load in search.load)
    if fits and _run(search):
        return search.offsets
    if search.strict:
        raise Infeasible
    raise OutOfBudget


def _run(search: _Search) -> bool:
    """Whether all blocks were placed."""
    levels = [_entered(search, _sorted(search, range(len(search.problem))), None, -1, 0, 0)]
    while True:
        node = levels[-1]
        _undo(search, node.mark)
        if not node.choices:
            if node.parent < 0:
                return False
            del levels[node.parent + 1 :]
            continue
        if search.budget.empty:
            raise OutOfBudget
        offset, position = node.choices.pop()
        block = node.left[position]
        left = node.left[:position] + node.left[position + 1 :]
        if not any(search.offsets[b] < 0 for b, _ in search.near[block]):
            # Whatever this block blocks is placed: another one in its stead would not help the others.
            node.choices.clear()
        if not _put(search, block, offset):
            continue
        parent, waiting = len(levels) - 1, node.waiting
        parts = _split(search, block, left)
        if len(parts) > 1:
            for part in parts[:0:-1]:
                waiting = (part, parent, waiting)
            left, offset, position = _sorted(search, parts[0]), 0, 0
        while not left:
            if waiting is None:
                return True
            part, parent, waiting = waiting  # type: ignore[assignment]
            left, offset, position = _sorted(search, part), 0, 0
        levels.append(_entered(search, left, waiting, parent, offset, position))


def _entered(
    search: _Search,
    left: list[int],
    waiting: tuple[list[int], int, object] | None,
    parent: int,
    least: int,
    first: int,
) -> _Node:
    """A node whose next block comes at or after (offset, position) `(least, first)`, so that orders are canonical."""
    low, height, room = search.low, search.height, search.limit
    full = max((search.load[c] for c in {c for b in left for c, _ in search.of[b]}), default=0)
    # No clique may waste more than it has left over, and no block could be moved down to below the next one.
    bar = min(room - full + 1, min(low[b] + height[b] for b in left))
    choices = [
        (at, position)
        for position, b in enumerate(left)
        if (at := low[b]) < bar and (at > least or (at == least and (position >= first or not search.strict)))
    ]
    choices.sort(reverse=True)
    search.budget.take(10 + len(left))
    return _Node(left, waiting, parent, len(search.trail), choices)


def _put(search: _Search, block: int, offset: int) -> bool:
    """Places a block; whether all others can still be placed as far as inference tells."""
    low, offsets, trail = search.low, search.offsets, search.trail
    offsets[block] = offset
    trail.append((~block, 0))
    for c, weight in search.of[block]:
        search.load[c] -= weight
    queue: dict[int, None] = {}
    search.budget.take(5 + len(search.near[block]) // 6)
    for other, distance in search.near[block]:
        if (
            offsets[other] < 0
            and low[other] < offset + distance
            and not _raise(search, other, offset + distance, queue)
        ):
            return False
    while queue:
        c, _ = queue.popitem()
        if not _infer(search, c, offset, queue):
            return False
    return True


def _raise(search: _Search, block: int, offset: int, queue: dict[int, None]) -> bool:
    """Raises the lowest offset of a block; the cliques where it could be first have to be looked at again."""
    problem, before = search.problem, search.low[block]
    offset = align_up(offset, problem.alignments[block])
    pin = problem.pins[block]
    if offset + problem.sizes[block] > search.limit or (pin is not None and offset > pin):
        return False
    search.trail.append((block, before))
    search.low[block] = offset
    room, load = search.limit - before, search.load
    for c, _ in search.of[block]:
        if load[c] <= room:
            queue[c] = None
    return True


def _infer(search: _Search, c: int, least: int, queue: dict[int, None]) -> bool:
    """What follows from which members of a clique can be first; false if none can."""
    low, offsets, clique = search.low, search.offsets, search.cliques[c]
    room = search.limit - search.load[c]
    search.budget.take(2 + len(clique.blocks) // 6)
    earliest = FAR
    late = []
    for block, weight in zip(clique.blocks, clique.weights, strict=True):
        if offsets[block] < 0:
            start = low[block]
            if start > room:
                late.append(block)
            elif max(start, least) + weight < earliest:
                earliest = max(start, least) + weight
    if earliest == FAR:
        return not late
    return all(low[block] >= earliest or _raise(search, block, earliest, queue) for block in late)


def _undo(search: _Search, mark: int) -> None:
    trail = search.trail
    while len(trail) > mark:
        block, before = trail.pop()
        if block >= 0:
            search.low[block] = before
        else:
            search.offsets[~block] = -1
            for c, weight in search.of[~block]:
                search.load[c] += weight


def _split(search: _Search, block: int, left: list[int]) -> list[list[int]]:
    """The connected components of the blocks that are left, in the order given; mostly there is one."""
    offsets, near = search.offsets, search.near
    beside = {b for b, _ in near[block] if offsets[b] < 0}
    if len(beside) < 2:
        return [left]
    wanted = set(beside)
    border = [min(wanted)]
    reached = {border[0]}
    while border and not wanted <= reached:
        fresh = {b for b, _ in near[border.pop()] if offsets[b] < 0} - reached
        reached |= fresh
        border += sorted(fresh)
    if wanted <= reached:
        return [left]
    parts: list[list[int]] = []
    rest = set(left)
    for first in left:
        if first not in rest:
            continue
        rest.discard(first)
        part, border = {first}, [first]
        while border:
            fresh = {b for b, _ in near[border.pop()] if b in rest}
            rest -= fresh
            part |= fresh
            border += sorted(fresh)
        parts.append([b for b in left if b in part])
    return parts


def _sorted(search: _Search, blocks: Sequence[int]) -> list[int]:
    rank, load, of = search.order.rank, search.load, search.of
    if not search.order.tight:
        return sorted(blocks, key=rank.__getitem__)
    return sorted(blocks, key=lambda b: (-max((load[c] for c, _ in of[b]), default=0), rank[b]))
