"""How small the arena could be with another interface, at little more than what the first search has cost.

Another place of the input changes what is alive while the first stages run. Segments that begin behind the last stage
that touches the input need the same memory as before, so only those that begin before it are worked out again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tinyc.ir.rows import RowProgram
from tinyc.ir.rows.lives import touching
from tinyc.passes.stream.piece import Cutter, Piece
from tinyc.passes.stream.stream import least_peak_of, within

WORKED_OUT = 4
"""The stages with which segments may begin that are worked out again: of more, the search would be done anew."""


@dataclass
class Searched:
    """A program whose schedule was searched, and the segments that it could have; nothing before that."""

    program: RowProgram | None = None
    pieces: Sequence[Piece] = field(default_factory=tuple)

    @property
    def peak(self) -> int:
        """The least peak of the program that was searched."""
        found = [(p.segment.stages.start, p.segment.stages.stop, p.peak) for p in self.pieces if not p.held]
        return least_peak_of(found, len(self.program.stages) if self.program is not None else 0)

    def keep(self, program: RowProgram, pieces: Sequence[Piece]) -> None:
        """Keeps what the first search has found: further ones are of the same stages with results elsewhere."""
        if self.program is None:
            self.program, self.pieces = program, pieces


def least_peak(program: RowProgram, searched: Searched, longest: int) -> int | None:
    """The least peak of bytes alive at one time that any division into segments of so many stages has, in a program
    that is like the one which was searched but for its inputs; None where it differs in more, or in many stages."""
    known = searched.program
    if known is None:
        return None
    count, shift = len(program.stages), len(program.stages) - len(known.stages)
    begin = max(_behind(program), _behind(known) + shift, shift, 0)
    for number in range(begin, count):
        if program.stages[number] != known.stages[number - shift]:
            return None
    if begin > WORKED_OUT:
        return None
    cutter, most = Cutter(program), max([searched.peak, *(p.kept for p in searched.pieces)])
    growing = (cutter.growing(range(start, min(start + longest, count))) for start in range(begin))
    fresh = [p for begun in growing for p in within(begun, most)]
    # The peaks of those whose rings are a row smaller are estimates from below.
    found = [(p.segment.stages.start, p.segment.stages.stop, p.peak) for p in fresh if not p.held]
    found += [
        (p.segment.stages.start + shift, p.segment.stages.stop + shift, p.peak)
        for p in searched.pieces
        if p.segment.stages.start + shift >= begin and not p.held
    ]
    return least_peak_of(found, count)


def _behind(program: RowProgram) -> int:
    """The first stage behind all that touch the memory of an input, or that take rows from outside."""
    touched = touching(program)
    last = [touched[v.name][1] for v in program.inputs if v.name in touched]
    names = {v.name for v in program.inputs}
    last += [k for k, s in enumerate(program.stages) if any(v.name in names for v in s.op.operands)]
    taken = {s.result.name for s in program.stages if program.takes_rows(s)}
    last += [touched[name][1] for name in taken if name in touched]
    return max(last, default=-1) + 1
