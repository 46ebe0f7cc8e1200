"""What kernel libraries tell of themselves: whether they can compute a stage, and what that takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from tinyc.ir.rows.parts import Stage
from tinyc.ir.rows.program import RowProgram


@dataclass(frozen=True)
class Offer:
    """A library can compute a stage, bit for bit where that is integers.

    `scratch` is the memory it needs meanwhile, in bytes; `alignment` what the addresses of operands and result must be
    multiples of; `ours` and `theirs` are cycles, estimated (None: not known, no faster than ours).
    """

    scratch: int
    alignment: int
    ours: int
    theirs: int | None

    @property
    def saved(self) -> int:
        """The cycles that it saves; negative where ours is faster, 0 where that is not known."""
        return 0 if self.theirs is None else self.ours - self.theirs


class KernelLibrary(Protocol):
    """A library of kernels, for one chip."""

    @property
    def name(self) -> str:
        """What options, reports and dependencies call it."""

    @property
    def chip(self) -> str:
        """The vector instructions that it is to use, by the chip that has them; empty for none."""

    def offer(self, program: RowProgram, stage: Stage, whole: bool) -> Offer | str:
        """What it takes to compute a stage in one call for the whole, or in one for each row; or why it cannot."""
