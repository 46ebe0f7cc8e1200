"""The tests of `make quick`."""

from __future__ import annotations


def chosen(test: str) -> bool:
    return False
