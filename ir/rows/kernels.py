"""What kernel libraries tell of themselves: whether they can compute a stage, and what that takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from tinyc.ir.rows.parts import Stage
from tinyc.ir.rows.program import RowProgram


@dataclass(frozen=True)
class Offer:
    """A library can compute a stage, bit for bit where that is integers.

    `scratch` is the memory it needs meanwhile, in bytes; `alignment` what the addresses of operands and result must be
    multiples of; `theirs` are instructions, estimated (None: not known, portable C and no faster than ours).
    """

    scratch: int
    alignment: int
    theirs: int | None


Estimate = Callable[[RowProgram, Stage], int | None]
"""About the instructions of tinyc's own kernel for a stage; None where nothing is known."""


def unknown(program: RowProgram, stage: Stage) -> int | None:
    """The estimate of who knows nothing."""
    return None


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
