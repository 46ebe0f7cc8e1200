"""Long series of random cases: the suite runs some, the same each time; all with TINYC_TEST_ALL=1.

A series is for looking further, when a pass, the row level or a code generator has changed. What a test claims of a
kind of case (that it occurs, how often) it claims of each member, so a few members show it as well.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")
ALL = bool(os.environ.get("TINYC_TEST_ALL"))


def some(series: Sequence[T], count: int) -> list[T]:
    """So many members of a series, evenly spread, the first among them; or all."""
    if ALL or count >= len(series):
        return list(series)
    return [series[k * len(series) // count] for k in range(count)]
