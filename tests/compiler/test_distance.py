"""What the terminal says about an arena that is not proven to be the least."""

from __future__ import annotations

import pytest

from tinyc.compiler.cli.console import _distance


@pytest.mark.parametrize(
    ("size", "bound", "words"),
    [
        (1000, 1000, "optimal"),
        (0, 0, "optimal"),
        (1001, 1000, "at most 0.1 % over the least, 1,000 or more"),
        (100_001, 100_000, "at most 0.1 % over the least, 100,000 or more"),
        (1059, 1000, "at most 5.9 % over the least, 1,000 or more"),
        (4, 0, "no lower bound"),
    ],
)
def test_per_cent_are_rounded_up(size: int, bound: int, words: str) -> None:
    assert _distance({"arena_bytes": size, "arena_lower_bound_bytes": bound}) == words
