"""Finite masks against those of minus infinity."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tinyc.backends.interpreter import run_module
from tinyc.compiler.verify import VerificationError
from tinyc.ir.module import Module
from tinyc.ir.tensor import Array


def check_masks(before: Module, after: Module, samples: Sequence[Sequence[Array]]) -> None:
    """Compares the outputs on samples, bit for bit, of a module and of what has large negative numbers in its place of
    minus infinity. What is no number in the first, a softmax of nothing, may be one in the second.

    Raises:
        VerificationError: an output has changed.
    """
    for sample in samples if before is not after else ():
        for value, old, new in zip(before.outputs, run_module(before, sample), run_module(after, sample), strict=True):
            wrong = (old != new) & ~np.isnan(old) if old.dtype.kind == "f" else old != new
            if wrong.any():
                raise VerificationError(
                    f"output {value}: {int(wrong.sum())} of {old.size} elements differ where -1e30 stands for "
                    "minus infinity"
                )
