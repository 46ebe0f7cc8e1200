"""The layout pass: chooses in which order each value's elements are stored, so that few bytes are transposed.

The frontend writes every NCHW operator as transpose, NHWC operator, transpose back. A convolution runs in one layout
only, but what lies between convolutions runs in any (`relayout`), a transpose or reshape moves nothing if the layouts
of its operand and result fit, and constants are permuted at compile time. What costs is a value that its producer
makes in one layout and a user takes in another. So this pass assigns each operator a form and minimises these costs:

- start from the forms in which every operator runs as written;
- where a cost is paid, spread the layout of one side from operator to operator, as far as it goes: each operator
  reached may keep its form or switch, and the best set of switches is a minimum cut (one expansion move of Boykov,
  Veksler and Zabih, Fast Approximate Energy Minimization via Graph Cuts, 2001);
- repeat until no move helps.

Every step lowers the cost, so this ends, and never ends above where it started.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from tinyc.ir.module import Module, Node, made
from tinyc.ir.op import Value
from tinyc.ir.ops import Transpose
from tinyc.ir.ops.conv import Spatial
from tinyc.ir.ops.layer import LinearLayer
from tinyc.passes.core.base import Pass, Slack
from tinyc.passes.core.rewrite import tell
from tinyc.passes.tensor.cut import SINK, SOURCE, Network
from tinyc.passes.tensor.layout import Layout, normal, transposes
from tinyc.passes.tensor.layout_build import is_fixed, rebuild
from tinyc.passes.tensor.relayout import RESULT, Form, form_at, plain_form

Forms = Mapping[Value, Form]


@dataclass(frozen=True)
class ChannelsLast(Pass, name="channels-last"):
    """Stores values in the layouts that their operators want, so that few or no transposes remain."""

    slack = Slack(1e-5, "a dense layer or a sum over permuted elements adds in another order")

    def run(self, module: Module) -> Module:
        while True:
            after = rebuild(module, _Search(module).forms())
            if transposed(after) >= transposed(module):
                return module
            tell(f"{transposed(module)[0]} bytes were transposed, {transposed(after)[0]} are")
            module = after


def transposed(module: Module) -> tuple[int, int]:
    """Bytes that transposes move, and how unfortunate their places are (see `_penalty`)."""
    count, places = 0, 0
    for found in module.made_by(Transpose):
        if not found.op.is_view():
            source = module.producer.get(_root(module, found.op.x))
            users = _leaves(module, found.result)
            count += found.result.type.bytes
            places += min((_penalty(source, user) for user in users), default=0)
    return count, places


def _root(module: Module, value: Value) -> Value:
    """What a value is a view of."""
    node = module.producer.get(value)
    return _root(module, node.op.operands[0]) if node is not None and node.op.renames() else value


def _leaves(module: Module, value: Value) -> Iterator[Node | None]:
    """The nodes that use a value or a view of it; None for being an output."""
    if value in module.outputs:
        yield None
    for node in module.users[value]:
        if node.op.renames():
            yield from _leaves(module, node.result)
        else:
            yield node


def _penalty(producer: Node | None, user: Node | None) -> int:
    """Among equals: best is a transpose at the model's own boundary, worst one right behind an operator into which
    the next one could be fused."""
    if producer is None or user is None:
        return 0
    fuses = made(producer, Spatial) is not None or made(producer, LinearLayer) is not None
    return 2 if fuses else 1


@dataclass(frozen=True)
class _Edge:
    """A use of a value: the operator that makes it, if any, and the operator that takes it at a place, if any."""

    value: Value
    producer: Node | None
    user: Node | None
    place: int

    def have(self, forms: Forms) -> Layout:
        """The layout the value is made in."""
        return forms[self.value].result if self.producer is not None else Layout.plain(self.value.shape)

    def want(self, forms: Forms) -> Layout:
        """The layout the value is needed in."""
        return forms[self.user.result].operands[self.place] if self.user is not None else Layout.plain(self.value.shape)

    def cost(self, producers: Forms, users: Forms) -> int:
        """What the edge costs, with the producer's form from one assignment and the user's from another."""
        steps = len(transposes(self.have(producers), self.want(users)))
        return steps * (self.value.type.bytes * 4 + _penalty(self.producer, self.user)) if steps else 0


class _Search:
    """The search for the forms of a module's operators. Constants take part in no cost."""

    def __init__(self, module: Module) -> None:
        self._module = module
        self._is_fixed = partial(is_fixed, module)
        self._forms: dict[Value, Form] = {n.result: plain_form(n.op) for n in module.nodes if n.op.constant() is None}
        self._edges: dict[Value, list[_Edge]] = {v: [] for v in (*module.inputs, *self._forms)}
        self._operands: dict[Value, list[_Edge]] = {v: [] for v in self._forms}
        for node in module.nodes:
            for place, value in enumerate(node.op.operands):
                if value in self._edges:
                    edge = _Edge(value, module.producer.get(value), node, place)
                    self._edges[value].append(edge)
                    self._operands[node.result].append(edge)
        for value in module.outputs:
            if value in self._edges:
                self._edges[value].append(_Edge(value, module.producer.get(value), None, 0))

    def forms(self) -> Forms:
        """The best forms found."""
        while self._improve():
            pass
        self._settle()
        return self._forms

    def _settle(self) -> None:
        """Of layouts with the same bytes, those with more rows, where what is taken has them: it can come row by row,
        as pixels do after a reduction over channels."""
        for node in self._module.nodes:
            for edge in self._operands.get(node.result, ()):
                now, have = self._forms[node.result], edge.have(self._forms)
                form = form_at(node.op, edge.place, have, now, self._is_fixed)
                if form is not None and form.same_bytes(now) and form.result.rows > now.result.rows:
                    self._forms[node.result] = form

    def _improve(self) -> bool:
        improved = False
        for edge in [e for edges in self._edges.values() for e in edges]:
            for seed in ((edge.user, edge.place), (edge.producer, RESULT)):
                node, place = seed
                have, want = edge.have(self._forms), edge.want(self._forms)
                if node is None or have.same_bytes(want):
                    continue
                improved |= self._move(node, place, have if place != RESULT else want)
        return improved

    def _move(self, node: Node, place: int, layout: Layout) -> bool:
        family = self._spread(node, place, layout)
        if not family:
            return False
        switched = {v: family[v] for v in self._cut(family)}
        after = ChainMap(switched, self._forms)
        touched = {e.value for v in switched for e in (*self._edges[v], *self._operands[v])}
        if self._cost(touched, after) >= self._cost(touched, self._forms):
            return False
        self._forms.update(switched)
        return True

    def _cost(self, values: set[Value], forms: Forms) -> int:
        """What values cost: each layout a value is needed in, other than its own, is made once for all its users."""
        total = 0
        for value in values:
            kinds: dict[Layout, int] = {}
            for edge in self._edges[value]:
                cost = edge.cost(forms, forms)
                kind = normal(edge.want(forms))
                kinds[kind] = min(kinds.get(kind, cost), cost)
            total += sum(kinds.values())
        return total

    def _spread(self, node: Node, place: int, layout: Layout) -> dict[Value, Form]:
        """The other forms of operators that follow from giving one of them a layout at one place."""
        family: dict[Value, Form] = {}
        waiting: list[tuple[Node | None, int, Layout]] = [(node, place, layout)]
        while waiting:
            at, place, layout = waiting.pop(0)
            if at is None or at.result in family:
                continue
            now = self._forms[at.result]
            form = form_at(at.op, place, layout, now, self._is_fixed)
            if form is None or form.same_bytes(now):
                continue
            family[at.result] = form
            waiting.extend((e.user, e.place, form.result) for e in self._edges[at.result])
            waiting.extend((e.producer, RESULT, form.operands[e.place]) for e in self._operands[at.result])
        return family

    def _cut(self, family: Forms) -> set[Value]:
        """Those of a family whose switching costs least together: the sink's side of a minimum cut."""
        network, number = Network(), {value: k for k, value in enumerate(family)}

        def pays(value: Value, amount: int) -> None:
            """Switching costs this amount more than keeping."""
            tail, head = (SOURCE, number[value]) if amount >= 0 else (number[value], SINK)
            network.add(tail, head, abs(amount))

        after = ChainMap(dict(family), self._forms)
        edges = dict.fromkeys(e for v in family for e in (*self._edges[v], *self._operands[v]))
        for edge in edges:
            made = edge.value if edge.producer is not None and edge.value in family else None
            taken = edge.user.result if edge.user is not None and edge.user.result in family else None
            neither = edge.cost(self._forms, self._forms)
            if made is not None and taken is not None:
                one, other = edge.cost(after, self._forms), edge.cost(self._forms, after)
                both = edge.cost(after, after)
                pays(made, one - neither)
                pays(taken, both - one)
                # Exact unless layouts disagree along this edge; the caller compares true costs anyway.
                network.add(number[made], number[taken], max(0, one + other - neither - both))
            elif made is not None:
                pays(made, edge.cost(after, self._forms) - neither)
            elif taken is not None:
                pays(taken, edge.cost(self._forms, after) - neither)
        sink = network.sink_side()
        return {value for value, k in number.items() if k in sink}
