"""Rows that are taken by number, in even steps: then they can be taken as they come."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyc.ir.module import Made, Module
from tinyc.ir.ops import Gather
from tinyc.ir.ops.take_rows import rows_taken
from tinyc.passes.core.base import Pass
from tinyc.passes.core.rewrite import Answer, Replaced, Rewriter, Skip, on, rewrite


@dataclass(frozen=True)
class NumberRows(Pass, name="number-rows"):
    """Says of rows that are taken by known numbers which step is between them, and what stands for those outside, where
    one rule says so for all: in resizing, and in padding by repetition and reflection."""

    def run(self, module: Module) -> Module:
        return rewrite(module, [gather_to_rows])


@on(Gather)
def gather_to_rows(at: Made[Gather], rewriter: Rewriter) -> Answer:
    """Replace a gather of rows by known numbers."""
    op = at.op
    numbers = rewriter.constant(op.indices)
    if op.axis != 1 or not op.x.type.has_rows or numbers is None or numbers.ndim != 1:
        return None
    found = rows_taken(op.x, np.clip(numbers.astype(np.int64), 0, op.x.shape[1] - 1))
    return Replaced(found) if found is not None else Skip("its rows are not in even steps")
