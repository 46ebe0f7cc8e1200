"""Operator order: of all orders that compute the same, one with the least peak of live arena bytes.

The states of the search are downsets: sets of stages that hold, with a stage, all stages that must run before it
(Ahn et al. 2020, "Ordering chaos: memory-aware scheduling of irregularly wired neural networks for edge devices").
What is alive after a set of stages does not depend on their order, so a state needs one path only, the one with the
lowest peak. States are taken by their peak, lowest first: none above the optimum is ever looked into, which is what
that paper's soft budget is tuned for, and when the search is cut short the next state's peak is a lower bound.
"""

from __future__ import annotations

import dataclasses
import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from itertools import pairwise
from operator import or_
from typing import NamedTuple

from tinyc.ir.rows import Buffer, RowProgram, Space, Stage
from tinyc.passes.core.base import PassError, RowPass

STATES = 100_000
"""States that the search for the best order makes before it is content with a bound."""
BEAM = 16_384
"""States that the beam search looks into."""


@dataclass(frozen=True)
class OrderStages(RowPass, name="order-stages"):
    """Orders operators such that as few bytes as possible are alive at one time.

    The order that is there stays where none is found that needs less. Runs before `plan-arena`; the results that
    `share-buffers` may still write over a dying operand are counted as if they were.
    """

    states: int = STATES

    def run(self, program: RowProgram) -> RowProgram:
        if program.plan is not None or program.segments:
            raise PassError("order-stages: runs before stages are streamed and the arena is planned, not after")
        found = best_order(program, self.states)
        if found.stages == program.stages:
            return program
        return dataclasses.replace(program, stages=found.stages)


@dataclass(frozen=True)
class Ordering:
    """An order of a program's stages; the largest sum of arena bytes alive during one of them; and what no order can
    go below."""

    stages: tuple[Stage, ...]
    peak: int
    lower_bound: int

    @property
    def exact(self) -> bool:
        """Whether no order has a lower peak."""
        return self.peak == self.lower_bound


def peak_bytes(program: RowProgram) -> int:
    """The largest sum of arena bytes alive during one stage, in the order that is there."""
    return max(_graph(program).costs(), default=0)


def best_order(program: RowProgram, states: int = STATES) -> Ordering:
    """An order with the least peak; the order that is there when none has a lower one.

    Where all stages before some point must precede all stages after it, the parts on both sides are ordered by
    themselves. A part is left as it is unless it is what the peak depends on.

    Args:
        program: stages that run one after the other, each wholly.
        states: how many states the search may make; a part for which they do not suffice gets the best order that a
            beam search finds.
    """
    graph = _graph(program)
    costs = graph.costs()
    order = list(range(graph.stages))
    reached = lower = graph.least()
    for first, last in sorted(graph.parts(), key=lambda part: -max(costs[slice(*part)])):
        given = max(costs[first:last])
        if given <= reached:
            break
        part = graph.between(first, last)
        found = _search(part, reached, given, states)
        states -= found.states
        if found.lower_bound > reached:
            lower = max(lower, found.lower_bound)
        if found.order is None and found.lower_bound < given:
            found = _beam(part, reached, given)
        if found.order is not None:
            order[first:last] = [first + stage for stage in found.order]
        reached = max(reached, found.peak)
    better = reached < max(costs, default=0)
    return Ordering(tuple(program.stages[n] for n in order) if better else program.stages, reached, lower)


class _State(NamedTuple):
    """A set of stages that have run, and the path to it.

    Attributes:
        peak: the most bytes alive on the way.
        live: bytes alive now.
        done: the stages that have run.
        ready: those that could run next.
        size: how many have run.
        last: the state before stage number `stage`.
    """

    peak: int
    live: int
    done: int
    ready: int
    size: int = 0
    last: _State | None = None
    stage: int = -1

    def path(self) -> list[int]:
        """The stages in the order in which they ran."""
        found: list[int] = []
        state = self
        while state.last is not None:
            found.append(state.stage)
            state = state.last
        return found[::-1]


@dataclass(frozen=True)
class _Graph:
    """What orders of stages are judged by. A set of stages is a bit mask: stage `n` is bit `n + 1`, bit 0 stands for
    what ran before, the highest bit for what runs later.

    Attributes:
        before: of each stage, those that must run before it.
        roots: of each buffer that owns bytes of the arena, its bytes and the stages that touch it.
        reuse: of each stage, the pairs of roots (result, operand) of which the one may be written over the other.
    """

    before: tuple[int, ...]
    roots: tuple[tuple[int, int], ...]
    reuse: tuple[tuple[tuple[int, int], ...], ...]

    @property
    def stages(self) -> int:
        """How many there are."""
        return len(self.before)

    @cached_property
    def after(self) -> tuple[tuple[int, ...], ...]:
        """Of each stage, those that name it among the ones before them."""
        found: list[list[int]] = [[] for _ in self.before]
        for stage, before in enumerate(self.before):
            for earlier in _members(before):
                found[earlier].append(stage)
        return tuple(tuple(stages) for stages in found)

    @cached_property
    def ancestors(self) -> tuple[int, ...]:
        """Of each stage, those that must run before it or before one of those, and what ran before."""
        found: list[int] = []
        for before in self.before:
            found.append(reduce(or_, (found[earlier] for earlier in _members(before)), before | 1))
        return tuple(found)

    @cached_property
    def touched(self) -> tuple[tuple[tuple[int, int], ...], ...]:
        """Of each stage, the roots it touches."""
        found: list[list[tuple[int, int]]] = [[] for _ in self.before]
        for root in self.roots:
            for stage in _members(root[1] & ((2 << self.stages) - 1)):
                found[stage].append(root)
        return tuple(tuple(roots) for roots in found)

    def start(self, peak: int = 0) -> _State:
        """Before the first stage."""
        live = sum(size for size, touching in self.roots if touching & 1 and touching != 1)
        ready = sum(2 << stage for stage, before in enumerate(self.before) if not before)
        return _State(peak, live, 1, ready)

    def run(self, state: _State, stage: int) -> _State:
        """After one more stage, one that is ready. A result written over an operand takes no bytes of its own."""
        was, during, ended = state.done, state.live, 0
        done = was | 2 << stage
        for size, touching in self.touched[stage]:
            if not touching & was:
                during += size
            if not touching & ~done:
                ended += size
        live = during - ended
        for result, operand in self.reuse[stage]:
            if not self.roots[result][1] & was and not self.roots[operand][1] & ~done:
                during -= self.roots[result][0]
                break
        ready = state.ready ^ 2 << stage
        for later in self.after[stage]:
            if not self.before[later] & ~done:
                ready |= 2 << later
        return _State(max(state.peak, during), live, done, ready, state.size + 1, state, stage)

    def costs(self) -> list[int]:
        """Bytes alive during each stage, in the order that is there."""
        state, found = self.start(), []
        for stage in range(self.stages):
            state = self.run(state._replace(peak=0), stage)
            found.append(state.peak)
        return found

    def least(self) -> int:
        """A lower bound: while a stage runs, what it touches is alive, and what is touched both by stages that must
        run before it and by stages that must run after it."""
        follow = [0] * self.stages
        for stage in reversed(range(self.stages)):
            follow[stage] = reduce(or_, (follow[later] | 2 << later for later in self.after[stage]), 0)
        bound = 0
        for stage in range(self.stages):
            own = 2 << stage
            come, go = self.ancestors[stage] | own, follow[stage] | own | 2 << self.stages
            alive = sum(size for size, touching in self.roots if touching & come and touching & go)
            free = [r for r, operand in self.reuse[stage] if not self.roots[operand][1] & go & ~own]
            bound = max(bound, alive - max((self.roots[result][0] for result in free), default=0))
        return bound

    def parts(self) -> list[tuple[int, int]]:
        """Ranges of stages, each of which must run wholly before the next."""
        cuts, shared = [self.stages], -1
        for stage in reversed(range(self.stages)):
            shared &= self.ancestors[stage]
            if not ((2 << stage) - 1) & ~shared:
                cuts.append(stage)
        return list(pairwise(reversed(cuts)))

    def between(self, first: int, last: int) -> _Graph:
        """The stages of one of the parts."""

        def cut(mask: int) -> int:
            inner = mask >> first & ((2 << last - first) - 2)
            earlier = mask & ((2 << first) - 1) != 0
            return inner | earlier | (mask >> last + 1 != 0) << last - first + 1

        roots = tuple((size, cut(touching)) for size, touching in self.roots)
        return _Graph(tuple(cut(b) & ~1 for b in self.before[first:last]), roots, self.reuse[first:last])


def _members(mask: int) -> Iterator[int]:
    """The stages of a set, in order."""
    mask &= ~1
    while mask:
        yield (mask & -mask).bit_length() - 2
        mask &= mask - 1


def _graph(program: RowProgram) -> _Graph:
    """Stages depend on each other where they touch the same bytes and one of them writes: the order of any two such
    stages stays. Touching is meant of the bytes of roots, so parts of one whole do not depend on each other. Rows that
    can be pushed come before anything else is done."""
    names = [b.name for b in program.buffers if b.space is Space.ARENA and b.view is None]
    touching = dict.fromkeys(names, 0)
    for value in program.inputs:
        if value.name in touching:
            touching[value.name] = 1
    accesses: dict[str, list[tuple[int, int, int, bool]]] = {}
    before = []
    asking = sum(2 << number for number, stage in enumerate(program.stages) if stage is program.pushed)
    for number, stage in enumerate(program.stages):
        needs = asking & ((2 << number) - 1)
        for value in (stage.result, *stage.op.operands):
            root, low = program.root(value.name)
            if root.space not in (Space.ARENA, Space.OUTPUT):
                continue
            if root.name in touching:
                touching[root.name] |= 2 << number
            writes, high = value is stage.result, low + max(value.type.bytes, 1)
            known = accesses.setdefault(root.name, [])
            for earlier, start, end, wrote in known:
                if earlier != number and (writes or wrote) and start < high and low < end:
                    needs |= 2 << earlier
            known.append((number, low, high, writes))
        before.append(needs)
    position = {name: n for n, name in enumerate(names)}
    reuse = [[(position[a.name], position[b.name]) for a, b in _reuses(program, stage)] for stage in program.stages]
    roots = tuple((program.buffer[name].bytes, touching[name]) for name in names)
    return _Graph(tuple(before), roots, tuple(tuple(pairs) for pairs in reuse))


def _reuses(program: RowProgram, stage: Stage) -> Iterator[tuple[Buffer, Buffer]]:
    """The result's buffer, and the roots of operands that it may be written over when they die, of as many bytes."""
    result = program.buffer[stage.result.name]
    if result.space is not Space.ARENA or result.view is not None:
        return
    owners = [(v, program.root(v.name)[0]) for v in stage.op.operands]
    for position, (operand, owner) in enumerate(owners):
        fits = owner.space is Space.ARENA and owner.bytes == result.bytes and stage.op.may_overwrite(position)
        if fits and all(root.name != owner.name or v == operand for v, root in owners):
            yield result, owner


class _Found(NamedTuple):
    """An order below the ceiling, if one was found, or else the ceiling as peak; a lower bound; and the states made.

    What is said of peaks holds from the floor up.
    """

    order: Sequence[int] | None
    peak: int
    lower_bound: int
    states: int


def _search(graph: _Graph, floor: int, ceiling: int, states: int) -> _Found:
    """The least peak of all orders below a ceiling; peaks below the floor are as good as the floor. Among states of one
    peak the largest comes first: the search goes deep until it has to pay."""
    start = graph.start(floor)
    heap = [(floor, 0, start.live, start.done, start)]
    best = {start.done: floor}
    made = 0
    while heap:
        peak, _, _, done, state = heapq.heappop(heap)
        if peak > best[done]:
            continue
        if not state.ready:
            return _Found(state.path(), peak, peak, made)
        if made >= states:
            return _Found(None, ceiling, peak, made)
        moves = _moves(graph, state)
        made += state.ready.bit_count()
        for after in moves:
            if after.peak < best.get(after.done, ceiling):
                best[after.done] = after.peak
                heapq.heappush(heap, (after.peak, -after.size, after.live, after.done, after))
    return _Found(None, ceiling, ceiling, made)


def _beam(graph: _Graph, floor: int, ceiling: int) -> _Found:
    """A good order below the ceiling: of each size, the states with the lowest peak and the fewest live bytes."""
    width = max(1, BEAM // graph.stages)
    layers: list[dict[int, _State]] = [{} for _ in range(graph.stages + 1)]
    layers[0][1] = graph.start(floor)
    for layer in layers[:-1]:
        for state in heapq.nsmallest(width, layer.values(), key=_merit):
            for after in _moves(graph, state):
                known = layers[after.size].get(after.done)
                if after.peak < ceiling and (known is None or _merit(after) < _merit(known)):
                    layers[after.size][after.done] = after
        layer.clear()
    ends = list(layers[-1].values())
    return _Found(ends[0].path() if ends else None, ends[0].peak if ends else ceiling, floor, 0)


def _merit(state: _State) -> tuple[int, int, int]:
    return state.peak, state.live, state.done


def _moves(graph: _Graph, state: _State) -> list[_State]:
    """The states to go on with: one if some is as good as any other, else one for each stage that is ready.

    A stage that raises neither the peak nor the live bytes can run at once, and so can a chain of stages, each waiting
    for the one before, once it has brought the live bytes down to where they were. Live bytes are a submodular function
    of the set of stages that have run (each root counts for the sets that meet its stages and do not contain them all),
    so where the chain's end is the least of all sets between, it lowers the live bytes of every larger set too, and in
    any order the chain can be moved to the front.
    """
    found = []
    for stage in _members(state.ready):
        link = graph.run(state, stage)
        found.append(link)
        while link.peak == state.peak:
            if link.live <= state.live:
                return [link]
            following = [later for later in graph.after[link.stage] if link.ready & 2 << later]
            if len(following) != 1:
                break
            link = graph.run(link, following[0])
    return found
