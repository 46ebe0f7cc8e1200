"""Placements by lowest fit: quick, and the upper bound that the searches start from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from tinyc.passes.placement.budget import Budget
from tinyc.passes.placement.problem import Problem, align_up


def lowest(problem: Problem, block: int, offsets: Sequence[int]) -> int:
    """The lowest offset of a block that its constraints with the blocks placed so far allow (not placed: -1)."""
    after = problem.after
    taken = sorted(
        (at - distance, at + after[other][block])
        for other, distance in after[block].items()
        if (at := offsets[other]) >= 0
    )
    alignment = problem.alignments[block]
    offset = 0
    for low, high in taken:
        if low >= offset:
            break
        if high > offset:
            offset = align_up(high, alignment)
    return offset


def lowest_fit(problem: Problem, order: Iterable[int], placed: Sequence[int] | None = None) -> list[int]:
    """Every block at its lowest offset, in this order; pinned blocks first."""
    offsets = [-1] * len(problem) if placed is None else list(placed)
    for block, pin in enumerate(problem.pins):
        if pin is not None:
            offsets[block] = pin
    for block in order:
        if offsets[block] < 0:
            offsets[block] = lowest(problem, block, offsets)
    return offsets


def orders(problem: Problem) -> list[list[int]]:
    """Orders that are good for different problems: by bytes, by number of neighbours, by both, as given."""
    sizes, near, area = problem.sizes, problem.after, problem.area
    keys: tuple[Callable[[int], tuple[int, ...]], ...] = (
        lambda b: (-area[b],),
        lambda b: (-sizes[b], -len(near[b])),
        lambda b: (-len(near[b]), -sizes[b]),
        lambda b: (b,),
        lambda b: (-b,),
    )
    return [sorted(range(len(problem)), key=key) for key in keys]


def greedy(problem: Problem) -> list[int]:
    """The best of the orders."""
    return min((lowest_fit(problem, order) for order in orders(problem)), key=problem.end)


def improve(problem: Problem, best: list[int], target: int, budget: Budget) -> list[int]:
    """Places again and again, with the blocks that ended above the target placed earlier each time.

    Squeaky wheel optimisation (Joslin and Clements, 1999): the blame of a block grows while it lies too high, and
    orders are by blame first. Stops at the target, or when the budget is empty.
    """
    cost = 1 + sum(map(len, problem.after)) // 3 + len(problem)
    for order in orders(problem):
        rank = [0] * len(problem)
        for place, block in enumerate(order):
            rank[block] = place
        idle, least = 0, problem.end(best)
        while idle < 20 and not budget.empty:
            budget.take(cost)
            offsets = lowest_fit(problem, sorted(order, key=lambda b: (rank[b], b)))
            end = problem.end(offsets)
            idle += 1
            if end < least:
                best, least, idle = offsets, end, 0
            if least <= target:
                return best
            limit = min(max(target, end - 1), least - 1)
            for block, at in enumerate(offsets):
                if at + problem.sizes[block] > limit:
                    rank[block] -= max(1, len(problem) // 8)
    return best
