"""What the generated C of a compilation is tuned for."""

from __future__ import annotations

from tinyc.backends.c.pairs import wanted_words
from tinyc.backends.c.tuning import Tuning
from tinyc.backends.targets import find
from tinyc.compiler.options import Options
from tinyc.passes.rows.spare import Wants, nothing


def tuning_of(options: Options) -> Tuning:
    """What the options and the target's registers ask for. Raises `TargetError` for an unknown target."""
    target = find(options.target)
    return Tuning(options.optimize, target.tile, target.paired_tile, target.fpu)


def wanted_memory(options: Options) -> Wants:
    """What memory the kernels of stages can use beside their operands."""
    return wanted_words if tuning_of(options).pairs else nothing
