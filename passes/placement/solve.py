"""The least memory for blocks: lower bounds, lowest fit, then search for what lies between."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from math import gcd

from tinyc.passes.core.base import PassError
from tinyc.passes.placement import beam, bounds, canonical, greedy, search
from tinyc.passes.placement.bounds import Clique
from tinyc.passes.placement.budget import Budget
from tinyc.passes.placement.problem import Apart, Block, Placement, Problem, problem_of

WIDEST_BEAM = 4096
EXACT_STEPS = 20_000
"""What one round of exact search may take, before a beam search has its turn; doubles with each round."""


def place(
    blocks: Sequence[Block],
    constraints: Sequence[Apart],
    *,
    lower_bound: int = 0,
    capacity: int | None = None,
    seconds: float = 1.0,
) -> Placement:
    """Offsets for the blocks that meet the constraints and end as low as possible.

    `lower_bound` is a size (bytes) that the caller has proven to be necessary. With a `capacity` (bytes), a placement
    that is no larger is good enough. `seconds` bounds the search, in counted steps that take about that long: the same
    blocks and constraints in the same order give the same offsets everywhere. Blocks are best given in order of first
    use. Raises `PassError` where blocks or constraints make no sense, or pinned blocks are in each other's way.
    """
    problem = problem_of(blocks, constraints)
    fixed = [b for b, pin in enumerate(problem.pins) if pin is not None]
    clash = problem.part(fixed).broken([problem.pins[b] or 0 for b in fixed])
    if clash:
        first, second = (blocks[fixed[n]].name for n in clash[0])
        raise PassError(f"placement: {first} and {second} are pinned to offsets that their constraint forbids")
    offsets, least = minimise(problem, lower_bound, capacity or 0, Budget.of(seconds))
    assert not problem.broken(offsets)
    size = problem.end(offsets)
    if size < least:
        raise PassError(
            f"placement: the lower bound is wrong, {lower_bound} bytes are not necessary: {size} are enough"
        )
    return Placement({b.name: at for b, at in zip(blocks, offsets, strict=True)}, size, least, size == least)


def minimise(problem: Problem, lower: int, capacity: int, budget: Budget) -> tuple[list[int], int]:
    """Offsets, and a size that is proven to be necessary."""
    cliques = bounds.cliques(problem)
    grain = _grain(problem)
    lower = _round_up(max(lower, bounds.lower_bound(problem, cliques)), grain)
    goal = max(lower, capacity // grain * grain)
    best = greedy.greedy(problem)
    if problem.end(best) > goal:
        best = greedy.improve(problem, best, goal, Budget(budget.steps // 10))
    # Limits below `low` are not tried again: proven too small, or given up.
    low, limit = goal, goal
    while low < problem.end(best) and not budget.empty:
        share = Budget(budget.steps // 3)
        granted = share.steps
        try:
            found = _decide(problem, cliques, limit, share, tight=limit == goal)
            best = found or best
            low = low if found else limit + grain
        except search.Infeasible:
            lower = low = limit + grain
        budget.take(granted - share.steps)
        limit = (low + problem.end(best) - grain) // 2 // grain * grain
    # What was given up below is settled if the best cannot be improved by the least step.
    while lower < problem.end(best) and goal < problem.end(best) and not budget.empty:
        try:
            found = _decide(problem, cliques, problem.end(best) - grain, budget)
        except search.Infeasible:
            lower = problem.end(best)
        else:
            if found is None:
                break
            best = found
    return best, lower


def _decide(
    problem: Problem, cliques: Sequence[Clique], limit: int, budget: Budget, tight: bool = False
) -> list[int] | None:
    """Offsets that end at or below the limit, None if the budget is empty first. Raises `Infeasible` on a proof.

    Blocks that find a place wherever the others are come last; the others fall into independent parts. Canonical
    placements are searched where the limit is `tight`: with some room, beams are the quicker way.
    """
    hard, easy = _peel(problem, limit)
    budget.take(len(problem) + sum(map(len, problem.after)) // 2)
    offsets = [-1] * len(problem)
    given_up = False
    for part in _parts(problem, hard):
        number = {block: n for n, block in enumerate(part)}
        inside = [
            few.renumbered(number) for c in cliques if len((few := bounds.restricted(problem, c, number)).blocks) > 1
        ]
        found = _search(problem.part(part), inside, limit, budget, tight)
        given_up = given_up or found is None
        for block, at in zip(part, found or (), strict=found is not None):
            offsets[block] = at
    return None if given_up else greedy.lowest_fit(problem, easy, offsets)


def _search(problem: Problem, cliques: Sequence[Clique], limit: int, budget: Budget, tight: bool) -> list[int] | None:
    """Exact search, beam search and canonical placements by turns, each round with more effort."""
    width, steps = 1, EXACT_STEPS
    # A dive of the canonical search takes about half the square of the number of blocks.
    dives = 2 * len(problem) ** 2
    orders = beam.preferences(problem, cliques)
    while not budget.empty:
        exact = _tried(partial(search.find, problem, cliques, limit), steps, budget)
        if exact is not None:
            return exact
        for order in orders if width <= WIDEST_BEAM else ():
            found = beam.find(problem, cliques, limit, order, width, budget)
            if found is not None:
                return found
        # Every second round other orders: the effort that a placement takes differs widely between them.
        turn = width.bit_length() // 2 if width.bit_length() % 2 == 0 else 0
        for first in canonical.orders(problem, cliques, turn) if tight else ():
            found = _tried(partial(canonical.find, problem, cliques, limit, first), dives, budget)
            if found is not None:
                return found
        width, steps, dives = 2 * width, 2 * steps, 2 * dives
    return None


def _tried(find: Callable[[Budget], list[int]], steps: int, budget: Budget) -> list[int] | None:
    """What a search finds within some of the budget, None if it gives up."""
    share = Budget(min(steps, budget.steps))
    granted = share.steps
    try:
        return find(share) if granted > 0 else None
    except search.OutOfBudget:
        return None
    finally:
        budget.take(granted - share.steps)


def _peel(problem: Problem, limit: int) -> tuple[list[int], list[int]]:
    """The blocks that decide whether the limit can be met, and the others in an order to place them afterwards.

    A block is one of the others if those it is kept apart from cannot take all its offsets, wherever they are.
    """
    left = dict.fromkeys(range(len(problem)))
    easy: list[int] = []
    changed = True
    while changed:
        changed = False
        for block in [b for b in left if problem.pins[b] is None]:
            alignment = problem.alignments[block]
            free = (limit - problem.sizes[block]) // alignment + 1
            for other, distance in problem.after[block].items():
                if other in left:
                    span = distance + problem.after[other][block]
                    free -= (span - 2) // alignment + 1 if span > 1 else 0
            if free > 0:
                del left[block]
                easy.append(block)
                changed = True
    return list(left), easy[::-1]


def _parts(problem: Problem, chosen: Sequence[int]) -> Iterator[list[int]]:
    """The connected components of some blocks."""
    left = dict.fromkeys(chosen)
    while left:
        border = [next(iter(left))]
        del left[border[0]]
        part = []
        while border:
            block = border.pop()
            part.append(block)
            fresh = [b for b in problem.after[block] if b in left]
            border += fresh
            for b in fresh:
                del left[b]
        yield sorted(part)


def _grain(problem: Problem) -> int:
    """A number that divides the size of a least placement: what all bytes and distances are multiples of."""
    grain = gcd(*problem.sizes, *(p or 0 for p in problem.pins), *(d for near in problem.after for d in near.values()))
    return grain if grain and all(grain % alignment == 0 for alignment in problem.alignments) else 1


def _round_up(size: int, grain: int) -> int:
    return -(-size // grain) * grain
