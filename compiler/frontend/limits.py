"""What is too large for any microcontroller: refused by its shape, before an array is made of it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tinyc.compiler.frontend.errors import FrontendError
from tinyc.ir.types import LARGEST

LARGEST_FILE = 1 << 28
"""Bytes that a model may have: as many parameters in float32 as `LARGEST`."""


def check_elements(shape: Sequence[int], what: str) -> None:
    """Raises `FrontendError` for a shape that no tensor should have."""
    if any(d < 0 for d in shape):
        raise FrontendError(f"{what} has the shape {list(shape)}, which is not possible")
    count = math.prod(shape)
    if count > LARGEST:
        raise FrontendError(
            f"{what} has the shape {list(shape)}, of {count:,} elements: more than {LARGEST:,} fit into no target"
        )
