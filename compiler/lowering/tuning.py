"""What the generated C of a compilation is tuned for."""

from __future__ import annotations

from pathlib import Path

from tinyc.backends.c.tuned import Choices, load, shipped
from tinyc.backends.c.tuning import Optimize, Tuning
from tinyc.backends.targets import Target


def tuning_of(optimize: Optimize, target: Target, tuned: str | Path | None = None) -> Tuning:
    """What options and the facts of a target amount to. A file of the user's stands in for the choices that tinyc has.
    Raises `TunedError` for one that is wrong."""
    choices = shipped(target.tuned_on) if tuned is None else Choices(load(tuned))
    return Tuning(optimize, **target.core, choices=choices if optimize != "size" else Choices())
