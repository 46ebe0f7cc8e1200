"""What the generated C of a compilation is tuned for."""

from __future__ import annotations

from tinyc.backends.c.tuning import Optimize, Tuning
from tinyc.backends.targets import Target


def tuning_of(optimize: Optimize, target: Target) -> Tuning:
    """What an option and the facts of a target amount to."""
    return Tuning(
        optimize,
        tile=target.tile,
        paired_tile=target.paired_tile,
        fpu=target.fpu,
        fma=target.fma,
        float_registers=target.float_registers,
    )
