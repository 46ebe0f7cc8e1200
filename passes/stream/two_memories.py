"""Streaming where the arena is in two memories: what moves the fewest bytes in the slower one."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tinyc.ir.rows import RowProgram, Space
from tinyc.ir.rows.traffic import moved, stage_traffic
from tinyc.passes.core.base import PassError, RowPass
from tinyc.passes.rows.plan import PlanArena
from tinyc.passes.stream.alive import Alive
from tinyc.passes.stream.piece import Piece, Way, apply
from tinyc.passes.stream.stream import TRIAL, Stream, candidates, division, turned, variants

BOUNDLESS = 1 << 40
"""Bytes of a memory that is never full."""
SHARES = (1.0, 0.9, 0.75, 0.6)
"""The parts of the internal memory for which divisions into segments are looked for: what lives across segments and
gaps between buffers take of it, too."""


@dataclass(frozen=True)
class StreamInTwo(RowPass, name="stream-rows-in-two"):
    """Divides the stages into segments such that the fewest bytes are moved in the external memory.

    Where a schedule fits the internal memory, it is the one that `Stream` takes. Elsewhere the search over all
    divisions into segments has a sum for its cost: what each moves outside if the buffers of least traffic for each
    byte are there, as few as make the others fit. Some of the divisions are planned, and the one which moves the fewest
    bytes outside stays; of equal ones the one with the fewest instructions. Raises `PassError` where none is found for
    which both memories suffice.

    `internal` and `external` are sizes in bytes.
    """

    slack = Stream.slack

    internal: int = 0
    external: int = 0
    cores: int = 1

    def run(self, program: RowProgram) -> RowProgram:
        best = min(map(self._best, variants(program)), key=_Planned.order)
        if not best.score:
            raise PassError(
                f"`ram` of two memories is too small for any schedule that was found: {best.refused}. "
                + " ".join(self._enough(program))
            )
        return best.program

    def _enough(self, program: RowProgram) -> Iterator[str]:
        """What would be enough: more external memory beside as much internal, and one memory alone."""
        alone = PlanArena(seconds=TRIAL).run(Stream(None, self.cores).run(program)).plan
        assert alone is not None
        wide = dataclasses.replace(self, external=BOUNDLESS)
        taken = {planned.score[2] for way in variants(program) for planned in wide._all(way) if planned.score}
        # What a search finds depends on the memory that it is given, so each size is tried.
        for external in sorted(size for size in {alone.bytes, *taken} if size > self.external):
            pair = dataclasses.replace(self, external=external)
            if any(pair._best(way).score for way in variants(program)):
                yield f"`ram={self.internal}+{external}` is enough."
                break
        yield f"In one memory, the smallest arena is {alone.bytes:,} bytes."

    def _best(self, program: RowProgram) -> _Planned:
        """The best schedule of these stages, whose results lie over operands or beside them as they do here."""
        return min(self._all(program), key=_Planned.order)

    def _all(self, program: RowProgram) -> list[_Planned]:
        """The schedules that are planned; one alone where it fits the internal memory."""
        options = candidates(program, self.internal, self.cores)
        least = Stream(self.internal, self.cores).of(program, options)
        found = [self._planned(least)]
        if found[0].score and not found[0].score[0]:
            return found
        found.append(self._planned(program))
        divisions = self._divisions(program, options)
        found += [self._planned(apply(program, chosen)) for chosen in divisions]
        best = min(found, key=_Planned.order)
        # Which segments run in reverse has to do with their offsets alone: it is tried for the best of them.
        chosen = next((d for d, p in zip(divisions, found[2:], strict=True) if p is best), None)
        if chosen is not None:
            found += map(self._planned, turned(program, chosen))
        return found

    def _planned(self, program: RowProgram) -> _Planned:
        try:
            planned = PlanArena(seconds=TRIAL, memories=(self.internal, self.external)).run(program)
        except PassError as error:
            return _Planned(program, (), str(error))
        assert planned.plan is not None
        return _Planned(program, (moved(planned)[1], _calls(program), planned.plan.external_bytes))

    def _divisions(self, program: RowProgram, options: Sequence[Piece]) -> list[list[Piece]]:
        """The divisions to plan."""
        spill, count = _Spill(program), len(program.stages)
        found: dict[tuple[Way, ...], list[Piece]] = {}
        for share in SHARES:
            estimates = [spill.of(piece, int(self.internal * share)) for piece in options]
            for kind in range(2):
                priced = [(p, (each[kind], p.cost)) for p, each in zip(options, estimates, strict=True)]
                chosen = division(priced, count)
                found.setdefault(tuple(piece.way for piece in chosen), chosen)
        return list(found.values())


@dataclass(frozen=True)
class _Planned:
    """A schedule, what it is chosen by, and, where it could not be planned, why."""

    program: RowProgram
    score: tuple[int, ...]
    refused: str = ""

    def order(self) -> tuple[bool, tuple[int, ...]]:
        """The least is the best."""
        return not self.score, self.score


def _calls(program: RowProgram) -> int:
    """How often kernels are called: what more of them takes is what one schedule costs more than another."""
    return sum(stage.applications for stage in program.stages)


class _Spill:
    """What segments move outside of an internal memory, estimated."""

    def __init__(self, program: RowProgram) -> None:
        self._program, self._alive = program, Alive(program)
        self._traffic = [self._of_stage(number) for number in range(len(program.stages))]
        self._total: Counter[str] = sum(self._traffic, Counter())

    def _of_stage(self, number: int) -> Counter[str]:
        found: Counter[str] = Counter()
        for name, size in stage_traffic(self._program.stages[number]):
            root = self._program.root(name)[0]
            if root.space is Space.ARENA:
                found[root.name] += size
        return found

    def of(self, piece: Piece, room: int) -> tuple[int, int]:
        """The bytes that a segment moves outside of so many bytes, and what all stages move in the memories that this
        takes: either is nearer the truth where a memory is outside for this segment alone, or for several."""
        over = piece.peak - room
        if over <= 0:
            return 0, 0
        program, touched, stages = self._program, self._alive.touched, piece.segment.stages
        traffic: Counter[str] = sum((self._traffic[k] for k in stages), Counter())
        over -= self._alive.across[stages.start]
        over += sum(program.buffer[name].bytes for name in traffic if touched[name][0] < stages.start)
        for name, view in reversed(list(piece.follows.items())):
            traffic[program.root(view.base)[0].name] += traffic.pop(name, 0)
        sizes = {name: self._bytes(name, piece) for name in traffic}
        outside: list[str] = []
        for name in sorted(sizes, key=lambda n: traffic[n] / max(sizes[n], 1)):
            if over <= 0:
                break
            outside.append(name)
            over -= sizes[name]
        for name in sorted(outside, key=lambda n: -traffic[n]):
            if over + sizes[name] <= 0:
                outside.remove(name)
                over += sizes[name]
        return sum(traffic[name] for name in outside), sum(self._total[name] for name in outside)

    def _bytes(self, name: str, piece: Piece) -> int:
        buffer = self._program.buffer[name]
        return piece.rings.get(name, 0) * buffer.row_bytes or buffer.bytes
