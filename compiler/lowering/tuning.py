"""What the generated C of a compilation is tuned for."""

from __future__ import annotations

from pathlib import Path

from tinyc.backends.c.tuned import Choices, load, shipped
from tinyc.backends.c.tuning import Optimize, Tuning
from tinyc.backends.targets import Target


def tuning_of(optimize: Optimize, target: Target, tuned: str | Path | None = None) -> Tuning:
    """What options and the facts of a target amount to. The user's file of choices comes before those that tinyc has.
    Raises `TunedError` for one that is wrong."""
    choices = Choices({**shipped(target.tuned_on).entries, **(load(tuned) if tuned is not None else {})})
    return Tuning(
        optimize,
        tile=target.tile,
        paired_tile=target.paired_tile,
        fpu=target.fpu,
        fma=target.fma,
        float_registers=target.float_registers,
        choices=choices if optimize != "size" else Choices(),
    )
