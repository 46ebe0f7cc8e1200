"""Whose code raised an exception: passes and emitters may be somebody else's."""

from __future__ import annotations

import sysconfig
import traceback

OURS = "tinyc."
"""How the names of tinyc's own modules begin."""


def blame(error: Exception) -> str:
    """An exception that somebody else's code has raised, on one line: where in that code, and what."""
    place = f"{error.filename}:{error.lineno}" if isinstance(error, SyntaxError) else line_of(error)
    what = " ".join(str(error).split())
    return (f"{place}: " if place else "") + type(error).__name__ + (f": {what}" if what else "")


def line_of(error: Exception) -> str:
    """FILE:LINE of the innermost code that is neither tinyc's nor a library's, or else of the outermost that is not
    tinyc's: a pass may be installed as a library. Empty where there is none."""
    others: list[str] = []
    own: list[str] = []
    for frame, line in traceback.walk_tb(error.__traceback__):
        file = frame.f_code.co_filename
        if not str(frame.f_globals.get("__name__", "")).startswith(OURS) and not file.startswith("<"):
            others.append(f"{file}:{line}")
            if not file.startswith(_LIBRARIES):
                own.append(f"{file}:{line}")
    return own[-1] if own else others[0] if others else ""


_LIBRARIES = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})
