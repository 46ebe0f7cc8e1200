"""Streaming: which stages advance together, row by row."""

from tinyc.passes.stream.endless import KeepState
from tinyc.passes.stream.stream import Stream

__all__ = ["KeepState", "Stream"]
