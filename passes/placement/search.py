"""Exact search: does a placement end at or below a limit?

Every pair that is kept apart is a choice between two difference constraints. Bounds of the offsets are propagated as
in job-shop scheduling (Brucker, Jurisch and Sievers, 1994): a choice that the bounds rule out settles the pair, and a
clique that does not fit into what is left refutes the branch. Only pairs that the lowest offsets violate are branched
on; where there are none, the lowest offsets are a placement.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tinyc.passes.placement.bounds import Clique
from tinyc.passes.placement.budget import Budget
from tinyc.passes.placement.problem import Problem, align_up


class Infeasible(Exception):
    """Proven: no placement ends at or below the limit."""


class OutOfBudget(Exception):
    """The search was given up."""


@dataclass
class _Search:
    problem: Problem
    cliques: Sequence[Clique]
    limit: int
    budget: Budget
    low: list[int]
    high: list[int]
    settled: list[set[int]]
    """b is in settled[a]: offset(b) >= offset(a) + after[a][b] was chosen."""
    weight: dict[tuple[int, int], int] = field(default_factory=dict)
    """How often a pair ended a branch: branching prefers such pairs (dom/wdeg, Boussemart et al., 2004)."""
    near: list[list[tuple[int, int, int]]] = field(default_factory=list)


def find(problem: Problem, cliques: Sequence[Clique], limit: int, budget: Budget) -> list[int]:
    """Offsets that end at or below the limit. Raises `Infeasible` if there are none, `OutOfBudget` if it gives up."""
    low = [pin or 0 for pin in problem.pins]
    high = [
        (limit - size) & -alignment if pin is None else pin
        for size, alignment, pin in zip(problem.sizes, problem.alignments, problem.pins, strict=True)
    ]
    if problem.end(low) > limit or any(h < lo for h, lo in zip(high, low, strict=True)):
        raise Infeasible
    heavy = [c for c in cliques if len(c.blocks) > 2 and 4 * c.load > 3 * limit]
    search = _Search(problem, heavy, limit, budget, low, high, [set() for _ in low])
    search.near = [[(b, d, problem.after[b][a]) for b, d in near.items()] for a, near in enumerate(problem.after)]
    restart = 2_000 + 20 * sum(map(len, problem.after))
    while True:
        search.low, search.high, search.settled = list(low), list(high), [set() for _ in low]
        search.budget = Budget(min(restart, budget.steps))
        granted = search.budget.steps
        try:
            if not _propagate(search, range(len(problem))):
                raise Infeasible
            return _descend(search)
        except OutOfBudget:
            if granted >= budget.steps:
                raise
        finally:
            budget.take(granted - search.budget.steps)
        restart *= 2


def _descend(search: _Search) -> list[int]:
    """Depth first: each level remembers the bounds and the number of choices before its own."""
    levels: list[tuple[list[int], list[int], int]] = []
    choices: list[tuple[int, int]] = []
    while (pair := _violated(search)) is not None:
        levels.append((list(search.low), list(search.high), len(choices)))
        while True:
            lower, upper = pair
            choices.append(pair)
            search.settled[lower].add(upper)
            if _propagate(search, pair):
                break
            if not levels:
                raise Infeasible
            search.low, search.high, depth = levels.pop()
            lower, upper = choices[depth]
            for one, other in choices[depth:]:
                search.settled[one].discard(other)
            del choices[depth:]
            # The other choice of that level needs none of its own: if it fails too, the level below has failed.
            pair = (upper, lower)
    return search.low


def _tighten(search: _Search, lower: int, upper: int, distance: int) -> list[int] | None:
    """Tightens the bounds of two blocks of which one lies `distance` above the other; the blocks whose bounds change,
    None if one has no room left."""
    low, high, alignments = search.low, search.high, search.problem.alignments
    moved = []
    bound = low[lower] + distance
    if bound > low[upper]:
        low[upper] = align_up(bound, alignments[upper])
        if low[upper] > high[upper]:
            return None
        moved.append(upper)
    bound = high[upper] - distance
    if bound < high[lower]:
        high[lower] = bound & -alignments[lower]
        if low[lower] > high[lower]:
            return None
        moved.append(lower)
    return moved


def _propagate(search: _Search, changed: Sequence[int]) -> bool:
    """Tightens the bounds until nothing changes; whether every block and clique still has room."""
    low, high, settled, near = search.low, search.high, search.settled, search.near
    queue = list(changed)
    waiting = set(queue)
    steps = 0
    while queue:
        a = queue.pop()
        waiting.discard(a)
        steps += 2 + len(near[a])
        chosen = settled[a]
        for b, after, before in near[a]:
            follows = low[a] + after <= high[b] and a not in settled[b]
            precedes = low[b] + before <= high[a] and b not in chosen
            if follows and precedes:
                continue
            if follows:
                lower, upper = a, b
                distance = after
            elif precedes:
                lower, upper = b, a
                distance = before
            else:
                return _failed(search, a, b, steps)
            moved = _tighten(search, lower, upper, distance)
            if moved is None:
                return _failed(search, a, b, steps)
            for block in moved:
                if block not in waiting:
                    waiting.add(block)
                    queue.append(block)
    search.budget.take(steps)
    if search.budget.empty:
        raise OutOfBudget
    return all(_fits(search, clique) for clique in search.cliques)


def _failed(search: _Search, a: int, b: int, steps: int) -> bool:
    pair = (min(a, b), max(a, b))
    search.weight[pair] = search.weight.get(pair, 0) + 1
    search.budget.take(steps)
    return False


def _fits(search: _Search, clique: Clique) -> bool:
    """Whether the members that start at or above each offset fit below the limit, and likewise from above."""
    low, high = search.low, search.high
    search.budget.take(len(clique.blocks))
    starts = sorted(((low[b], w) for b, w in zip(clique.blocks, clique.weights, strict=True)), reverse=True)
    room = search.limit - clique.tail
    total = 0
    for start, weight in starts:
        total += weight
        if start + total > room:
            return False
    # The last member starts at or below the largest high, and all but it start a weight or more below the next.
    total = 0
    largest = 0
    for last, weight in sorted((high[b], w) for b, w in zip(clique.blocks, clique.weights, strict=True)):
        total += weight
        largest = max(largest, weight)
        if total - largest > last:
            return False
    return True


def _violated(search: _Search) -> tuple[int, int] | None:
    """A pair that the lowest offsets violate, the choice to try first as (lower, upper)."""
    low, high, weight = search.low, search.high, search.weight
    best: tuple[int, int] | None = None
    least = 0.0
    steps = 0
    for a, near in enumerate(search.near):
        steps += len(near)
        for b, after, before in near:
            if a > b or low[b] - low[a] >= after or low[a] - low[b] >= before:
                continue
            follows, precedes = high[b] - low[a] - after, high[a] - low[b] - before
            slack = (min(follows, precedes) * 4 + max(follows, precedes) + 1) / (1 + weight.get((a, b), 0))
            if best is None or slack < least:
                least = slack
                best = (a, b) if (follows, -low[a]) >= (precedes, -low[b]) else (b, a)
    search.budget.take(steps // 4)
    return best
