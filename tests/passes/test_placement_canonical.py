"""The search over canonical placements alone: it finds what there is, and proves what there is not."""

from __future__ import annotations

import random

import pytest

from tests.passes.test_placement import fits, invented
from tinyc.passes.placement import Block, apart_by_lifetimes, bounds, canonical, place
from tinyc.passes.placement.budget import Budget
from tinyc.passes.placement.problem import Problem, problem_of
from tinyc.passes.placement.search import Infeasible, OutOfBudget


def cut(seed: int, count: int) -> list[tuple[int, int, int]]:
    """(first, last, bytes) of blocks that a rectangle of 400 times and 1,000 bytes is cut into: no room is left."""
    chance = random.Random(seed)
    whole = [(0, 400, 0, 1000)]
    while len(whole) < count:
        first, end, low, high = whole.pop(chance.choice(range(max(0, len(whole) - 8), len(whole))))
        if chance.random() < 0.5 and end - first > 3:
            middle = chance.randint(first + 1, end - 1)
            whole += [(first, middle, low, high), (middle, end, low, high)]
        elif high - low > 3:
            middle = chance.randint(low + 1, high - 1)
            whole += [(first, end, low, middle), (first, end, middle, high)]
        else:
            whole.append((first, end, low, high))
        whole.sort(key=lambda part: (part[1] - part[0]) * (part[3] - part[2]))
    return sorted((first, end - 1, high - low) for first, end, low, high in whole)


def complete(problem: Problem) -> bool:
    """Whether of two blocks that are kept apart, one always starts above the other."""
    return all(d > 0 for near in problem.after for d in near.values())


@pytest.mark.parametrize("batch", range(3))
def test_agrees_with_trying_everything(batch: int) -> None:
    found = proven = 0
    for seed in range(300 * batch, 300 * (batch + 1)):
        blocks, constraints = invented(seed)
        problem = problem_of(blocks, constraints)
        size = next((size for size in range(40) if fits(blocks, constraints, size)), None)
        if size is None:
            continue
        cliques = bounds.cliques(problem)
        for order in canonical.orders(problem, cliques, seed % 3):
            for limit in (size - 1, size, size + 2):
                try:
                    offsets = canonical.find(problem, cliques, limit, order, Budget(100_000))
                except Infeasible:
                    assert limit < size, seed
                    proven += 1
                except OutOfBudget:
                    assert not complete(problem), seed
                else:
                    assert not problem.broken(offsets)
                    assert size <= problem.end(offsets) <= limit
                    found += 1
    assert found > 1000
    assert proven > 300


@pytest.mark.parametrize("count", [60, 120, 150])
@pytest.mark.parametrize("seed", range(3))
def test_no_room_to_spare(seed: int, count: int) -> None:
    lives = cut(seed, count)
    blocks = [Block(str(n), size, time=last - first + 1) for n, (first, last, size) in enumerate(lives)]
    apart, bound = apart_by_lifetimes(blocks, {str(n): life[:2] for n, life in enumerate(lives)})
    assert bound == 1000
    placement = place(blocks, apart, lower_bound=bound, seconds=10)
    assert placement.bytes == 1000
    assert not problem_of(blocks, apart).broken([placement.offsets[b.name] for b in blocks])


def test_a_search_ends_with_its_budget_and_is_repeatable() -> None:
    lives = cut(1, 150)
    blocks = [Block(str(n), size) for n, (_, _, size) in enumerate(lives)]
    apart, _ = apart_by_lifetimes(blocks, {str(n): life[:2] for n, life in enumerate(lives)})
    problem = problem_of(blocks, apart)
    cliques = bounds.cliques(problem)
    order = canonical.orders(problem, cliques, 2)[0]
    with pytest.raises(OutOfBudget):
        canonical.find(problem, cliques, 1000, order, Budget(3_000))
    assert canonical.orders(problem, cliques, 2) == canonical.orders(problem, cliques, 2)
    assert canonical.orders(problem, cliques, 2) != canonical.orders(problem, cliques, 0)


def test_parts_that_fall_apart_are_searched_alone() -> None:
    """Where a long block is placed, what lies on either side meets no more; a thousand of them are not too deep."""
    lives = [(4 * n + k, 4 * n + k + 1, 3 + k) for n in range(500) for k in (0, 1, 2)] + [(0, 2000, 5)]
    blocks = [Block(str(n), size) for n, (_, _, size) in enumerate(lives)]
    apart, bound = apart_by_lifetimes(blocks, {str(n): life[:2] for n, life in enumerate(lives)})
    problem = problem_of(blocks, apart)
    cliques = bounds.cliques(problem)
    offsets = canonical.find(problem, cliques, bound, canonical.orders(problem, cliques, 0)[0], Budget(10**9))
    assert not problem.broken(offsets)
    assert problem.end(offsets) == bound
