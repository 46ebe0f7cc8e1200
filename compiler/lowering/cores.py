"""Several cores: what a target allows, and what came of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tinyc.backends.targets import Target
from tinyc.ir.errors import TinycError
from tinyc.ir.rows import RowProgram


def check_cores(cores: int, target: Target) -> None:
    """Raises `TinycError` unless code for so many cores runs on the target."""
    if cores > target.cores:
        raise TinycError(f"`cores={cores}`: target {target.name} has {target.cores} core; leave `cores` out")


def core_notes(program: RowProgram, cores: int) -> Iterator[str]:
    """What the user should know when several cores were asked for."""
    if cores > 1 and not shared_layers(program):
        yield (
            f"`cores={cores}` changes nothing: no layer stands by itself that is worth sharing"
            + (" (a larger `ram` lets more layers do so)" if any(s.streams for s in program.order) else "")
        )


def shared_layers(program: RowProgram) -> list[int]:
    """The numbers of the layers whose rows cores share."""
    return [number for number, stage in enumerate(program.stages) if stage.split > 1]


def core_report(program: RowProgram) -> dict[str, Any]:
    """What a report says about cores: how many work, which layers they share, and their part of all
    multiply-accumulates."""
    layers = shared_layers(program)
    shared = sum(program.stages[k].op.macs() for k in layers)
    return {
        "used": max((program.stages[k].split for k in layers), default=1),
        "shared_layers": layers,
        "shared_macs": shared,
    }
