"""Minimum cuts, by Dinic's algorithm (1970).

networkx has them too, and the tests compare with it: to load it would take a tenth of a compilation's two seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

SOURCE, SINK = -1, -2
"""The nodes at the ends; those between have numbers from 0 on."""


class Network:
    """Nodes, and how much may flow from one to another."""

    def __init__(self) -> None:
        self._left: dict[int, dict[int, int]] = {SOURCE: {}, SINK: {}}
        """What may still flow from a node to each of its neighbours."""

    def add(self, tail: int, head: int, capacity: int) -> None:
        """Lets so much more flow from one node to another."""
        there = self._left.setdefault(tail, {})
        there[head] = there.get(head, 0) + capacity
        self._left.setdefault(head, {}).setdefault(tail, 0)

    def sink_side(self) -> set[int]:
        """The sink's side of the minimum cut that is nearest to the sink: what can reach it once all has flowed."""
        while SOURCE in (distance := self._distances()):
            self._flow(distance)
        return set(distance)

    def _distances(self) -> dict[int, int]:
        """How many steps from the sink each node is that can reach it."""
        found, border = {SINK: 0}, [SINK]
        for node in border:
            for other in self._left[node]:
                if other not in found and self._left[other][node]:
                    found[other] = found[node] + 1
                    border.append(other)
        return found

    def _flow(self, distance: Mapping[int, int]) -> None:
        """Lets flow what can on the shortest ways."""
        ahead = {node: [n for n in self._left[node] if distance.get(n) == far - 1] for node, far in distance.items()}
        way = [SOURCE]
        while way:
            if way[-1] == SINK:
                del way[self._sent(way) + 1 :]
            ways = ahead[way[-1]]
            while ways and not self._left[way[-1]][ways[-1]]:
                ways.pop()
            if ways:
                way.append(ways[-1])
                continue
            way.pop()
            if way:
                ahead[way[-1]].pop()

    def _sent(self, way: list[int]) -> int:
        """Lets flow along a way what can; the place of the first node from which no more can."""
        amount = min(self._left[a][b] for a, b in pairwise(way))
        for a, b in pairwise(way):
            self._left[a][b] -= amount
            self._left[b][a] += amount
        return next(k for k, (a, b) in enumerate(pairwise(way)) if not self._left[a][b])
