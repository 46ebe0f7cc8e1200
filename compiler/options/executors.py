"""Where a compiled model runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, cast, get_args

from tinyc.compiler.base.checked import Elsewhere
from tinyc.ir.errors import TinycError

MachineName = Annotated[Literal["rv32imc", "rv32imac", "rv32imafc", "esp32", "esp32s3", "xtensa-lx106"], Elsewhere()]
"""A simulated machine."""
Executor = Annotated[
    Literal["interpreter", "host", "rv32imc", "rv32imac", "rv32imafc", "esp32", "esp32s3", "xtensa-lx106"], Elsewhere()
]
"""The row program on the planned arena; its C on this computer or on a simulated machine."""

EXECUTORS: tuple[Executor, ...] = get_args(get_args(Executor)[0])
VERIFIED: tuple[Executor, ...] = ("interpreter", "host")
"""The executors that a compilation is verified on."""


def known_executors(names: Sequence[str]) -> tuple[Executor, ...]:
    """Names as executors. Raises `TinycError` when one is no executor, or none is given."""
    if not names:
        raise TinycError(f"no executor given; the executors are {', '.join(EXECUTORS)}")
    if unknown := [n for n in names if n not in EXECUTORS]:
        raise TinycError(f"unknown executor {', '.join(map(repr, unknown))}; the executors are {', '.join(EXECUTORS)}")
    return cast("tuple[Executor, ...]", tuple(names))
