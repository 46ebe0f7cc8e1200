"""The errors the frontend raises."""

from __future__ import annotations

from tinyc.ir import TinycError


class FrontendError(TinycError):
    """A model tinyc cannot take: one message that says what is wrong, where, and what to do.

    A message is one line and prints safely, whatever the names in the model are made of.
    """

    def __init__(self, message: str) -> None:
        super().__init__("".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in message))


class BatchError(FrontendError):
    """A node that takes one sample at a time is given several: another shape of the inputs may help."""
