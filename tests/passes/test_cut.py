"""Minimum cuts against networkx."""

from __future__ import annotations

from random import Random

import networkx as nx

from tinyc.passes.tensor.cut import SINK, SOURCE, Network


def test_sink_sides_are_those_of_networkx() -> None:
    """Small capacities, so that many cuts are minimal: it is the one with the fewest nodes on the sink's side."""
    random = Random(1)
    for _ in range(300):
        count = random.randint(1, 12)
        network, graph = Network(), nx.DiGraph()
        graph.add_nodes_from((SOURCE, SINK))
        for _ in range(random.randint(0, 4 * count)):
            tail, head = random.choice([SOURCE, *range(count)]), random.choice([SINK, *range(count)])
            capacity = random.randint(0, 3)
            if tail != head:
                network.add(tail, head, capacity)
                known = graph.edges[tail, head]["capacity"] if graph.has_edge(tail, head) else 0
                graph.add_edge(tail, head, capacity=known + capacity)
        value, _ = nx.minimum_cut(graph, SOURCE, SINK)
        side = network.sink_side()
        assert sum(d for a, b, d in graph.edges(data="capacity") if a not in side and b in side) == value
        assert side == nx.minimum_cut(graph, SOURCE, SINK)[1][1]
