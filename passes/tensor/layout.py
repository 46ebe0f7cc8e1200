"""Layouts: orders in which a value's elements can be stored.

A layout splits the dimensions of a value into factors and permutes these:

    stored = transpose(reshape(value, factors), order)

NHWC for a value the model calls [1,C,H,W] is factors (1,C,H,W), order (0,2,3,1). Since a layout is about the order of
the elements alone, a reshape does not change it: the same layout describes its operand and its result. Factors are
split further whenever an operator needs them to line up with its dimensions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Layout:
    """stored = transpose(reshape(value, factors), order)."""

    factors: Shape
    order: Shape

    @staticmethod
    def plain(shape: Shape) -> Layout:
        """The value as it is."""
        return Layout(shape, tuple(range(len(shape))))

    @property
    def shape(self) -> Shape:
        """The shape of the stored value."""
        return tuple(self.factors[i] for i in self.order)

    @property
    def rows(self) -> int:
        """How many rows the stored value has."""
        return self.shape[1] if len(self.order) > 2 else 1

    def same_bytes(self, other: Layout) -> bool:
        """Whether the elements are in the same order in both, so that at most a reshape lies between them."""
        return normal(self) == normal(other)

    def split(self, shape: Shape) -> Dims | None:
        """The layout with its factors lined up with the dimensions of a shape; None if they do not line up.

        Factors and dimensions are matched from the left: of a factor that reaches into the next dimension, the part
        that fills this dimension is split off. In the end a dimension of size 1 has one factor, and others have none
        of size 1: an operator runs with no more dimensions than it needs.
        """
        if 0 in shape or math.prod(shape) != math.prod(self.factors):
            return None
        flat = [(f, (i, 0)) for i, f in enumerate(self.factors)]
        groups: list[list[tuple[int, tuple[int, int]]]] = []
        for size in shape:
            group: list[tuple[int, tuple[int, int]]] = []
            need = size
            if need == 1 and flat and flat[0][0] == 1:
                group.append(flat.pop(0))
            while need > 1:
                factor, (i, k) = flat.pop(0)
                if factor == 1:
                    continue
                if need % factor == 0:
                    group.append((factor, (i, k)))
                    need //= factor
                elif factor % need == 0:
                    group.append((need, (i, k)))
                    flat.insert(0, (factor // need, (i, k + 1)))
                    need = 1
                else:
                    return None
            groups.append(group)
        # A dimension of size one that met no factor gets one of its own, stored before the next one there is.
        place = {i: k for k, i in enumerate(self.order)}
        after = (len(self.order), 0)
        for d in reversed(range(len(shape))):
            if groups[d]:
                i, k = groups[d][0][1]
                after = (i, k)
            else:
                groups[d] = [(1, (after[0], after[1] - len(shape) + d))]
                after = groups[d][0][1]
        keys = [(place.get(i, len(place)), k) for group in groups for _, (i, k) in group]
        order = tuple(sorted(range(len(keys)), key=lambda n: (keys[n], n)))
        return Dims(tuple(tuple(f for f, _ in group) for group in groups), order)


@dataclass(frozen=True)
class Dims:
    """A layout with its factors grouped by the dimensions of a shape."""

    groups: tuple[Shape, ...]
    order: Shape

    @property
    def layout(self) -> Layout:
        """The layout itself."""
        return Layout(tuple(f for group in self.groups for f in group), self.order)

    def first(self, dim: int) -> int:
        """The number of a dimension's first factor."""
        return sum(len(group) for group in self.groups[:dim])

    def places(self, dim: int) -> tuple[int, ...]:
        """Where the factors of a dimension are stored, ascending."""
        start, stop = self.first(dim), self.first(dim + 1)
        return tuple(k for k, i in enumerate(self.order) if start <= i < stop)

    def place(self, dim: int) -> int | None:
        """Where a dimension is stored, None if it is split over several places."""
        real = [k for k in self.places(dim) if self.layout.factors[self.order[k]] != 1]
        return None if len(real) > 1 else real[0] if real else self.places(dim)[0]

    def resized(self, dim: int, size: int) -> Dims:
        """The same with another size of a dimension that is not split."""
        at = self.place(dim)
        assert at is not None
        index = self.order[at] - self.first(dim)
        group = tuple(size if k == index else 1 for k in range(len(self.groups[dim])))
        return self._with(dim, group)

    def ones(self, dim: int) -> Dims:
        """The same with size 1 for a dimension."""
        return self._with(dim, (1,) * len(self.groups[dim]))

    def grown(self, dim: int, size: int) -> Dims:
        """The same with another size for a dimension of size 1."""
        return self._with(dim, (size, *self.groups[dim][1:]))

    def _with(self, dim: int, group: Shape) -> Dims:
        return Dims((*self.groups[:dim], group, *self.groups[dim + 1 :]), self.order)

    def permuted(self, perm: Shape) -> Dims:
        """The same elements in the same places, where dimension d of the result is dimension perm[d] of this."""
        numbers = [n for p in perm for n in range(self.first(p), self.first(p + 1))]
        return Dims(tuple(self.groups[p] for p in perm), tuple(numbers.index(i) for i in self.order))


def transposes(have: Layout, want: Layout) -> tuple[tuple[Shape, Shape], ...]:
    """The transposes, as (shape taken, permutation), that lead from one layout of a value to another, up to reshapes.

    None if the bytes are the same. One if the two layouts have common factors; else two, over the order in between.
    """
    if have.same_bytes(want):
        return ()
    dims = have.split(want.factors)
    if dims is None:
        middle = Layout.plain(have.factors), Layout.plain(want.factors)
        return transposes(have, middle[0]) + transposes(middle[1], want)
    fine = dims.layout
    # The factors of `want`, each now a group of finer ones, in the order in which `want` stores them.
    wanted = [n for i in want.order for n in range(dims.first(i), dims.first(i + 1))]
    return ((fine.shape, tuple(fine.order.index(n) for n in wanted)),)


@cache
def normal(layout: Layout) -> Layout:
    """The layout of the same bytes with the fewest factors: no ones, and neighbours that stay neighbours joined."""
    kept = [i for i in layout.order if layout.factors[i] != 1]
    rank = {i: k for k, i in enumerate(sorted(kept))}
    runs: list[list[int]] = []
    for i in kept:
        if runs and rank[i] == rank[runs[-1][-1]] + 1:
            runs[-1].append(i)
        else:
            runs.append([i])
    by_place = sorted(runs)
    factors = tuple(math.prod(layout.factors[i] for i in run) for run in by_place)
    return Layout(factors, tuple(by_place.index(run) for run in runs))
