"""Lower bounds from cliques: blocks of which no two may start at one offset."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass

from tinyc.passes.placement.problem import Problem


@dataclass(frozen=True)
class Clique:
    """Blocks of which no two may start at one offset.

    Whatever their order, the start of the next one is `weights[k]` or more above that of `blocks[k]`, and the highest
    ends `tail` or more above the sum of all weights, counted from the lowest start.
    """

    blocks: tuple[int, ...]
    weights: tuple[int, ...]
    tail: int

    @property
    def load(self) -> int:
        """The least number of bytes between the lowest start and the highest end."""
        return sum(self.weights) + self.tail

    def renumbered(self, number: Mapping[int, int]) -> Clique:
        """The same clique where its blocks have other numbers."""
        return Clique(tuple(number[b] for b in self.blocks), self.weights, self.tail)


def cliques(problem: Problem) -> list[Clique]:
    """Cliques that together hold all constraints of an interval graph, and many of any other; at most one per block.

    Maximum cardinality search (Tarjan and Yannakakis, 1984): the neighbours visited before a block are a clique if
    the graph is chordal, as that of lifetimes is; otherwise those that are one are picked, the largest first.
    """
    masks = problem.masks
    count = [0] * len(problem)
    left = set(range(len(problem)))
    visited = 0
    found: list[int] = []
    while left:
        block = max(left, key=lambda b: (count[b], problem.sizes[b], -b))
        left.remove(block)
        near = [b for b in problem.after[block] if (visited & masks[block]) >> b & 1]
        clique, allowed = 1 << block, masks[block]
        for other in sorted(near, key=lambda b: (-problem.sizes[b], b)):
            if allowed >> other & 1:
                clique |= 1 << other
                allowed &= masks[other]
        found.append(clique)
        visited |= 1 << block
        for other in problem.after[block]:
            count[other] += 1
    return [_heaviest(problem, mask) for mask in _maximal(found)]


def lower_bound(problem: Problem, known: list[Clique]) -> int:
    """No placement is smaller: the largest clique, block, and end of a pinned block."""
    pinned = (pin + size for pin, size in zip(problem.pins, problem.sizes, strict=True) if pin is not None)
    return max([*(c.load for c in known), *problem.sizes, *pinned], default=0)


def restricted(problem: Problem, clique: Clique, chosen: Container[int]) -> Clique:
    """What a clique is once only the chosen blocks are left."""
    blocks = tuple(b for b in clique.blocks if b in chosen)
    if len(blocks) == len(clique.blocks):
        return clique
    return _weighed(problem, blocks)


def _maximal(found: list[int]) -> list[int]:
    kept: list[int] = []
    for mask in sorted(set(found), key=lambda m: (-m.bit_count(), m)):
        if not any(mask & other == mask for other in kept):
            kept.append(mask)
    return kept


def _heaviest(problem: Problem, mask: int) -> Clique:
    """The clique, or what is left of it once the blocks are gone whose small distances cost more than they weigh."""
    blocks = tuple(b for b in range(len(problem)) if mask >> b & 1)
    best = _weighed(problem, blocks)
    while any(w < problem.sizes[b] for b, w in zip(best.blocks, best.weights, strict=True)) and len(best.blocks) > 1:
        fewer = (_weighed(problem, tuple(b for b in best.blocks if b != gone)) for gone in best.blocks)
        better = max(fewer, key=lambda c: c.load)
        if better.load <= best.load:
            break
        best = better
    return best


def _weighed(problem: Problem, blocks: tuple[int, ...]) -> Clique:
    if problem.plain or not blocks:
        return Clique(blocks, tuple(problem.sizes[b] for b in blocks), 0)
    after = problem.after
    weights = tuple(min((after[a][b] for b in blocks if b != a), default=problem.sizes[a]) for a in blocks)
    return Clique(blocks, weights, min(problem.sizes[b] - w for b, w in zip(blocks, weights, strict=True)))
