"""The one error the frontend raises."""

from __future__ import annotations

from tinyc.ir import TinycError


class FrontendError(TinycError):
    """A model tinyc cannot take: one message that says what is wrong, where, and what to do."""
