"""How long an inference takes on a chip, estimated: docs/targets.md has the model, and how far it is from boards.

cycles = instructions * cycles of one + lines of weights from flash + lines of the arena from external memory
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tinyc.backends.targets import Target
from tinyc.ir.rows import RowProgram, Segment, Space, Stage
from tinyc.ir.rows.traffic import moved


@dataclass(frozen=True)
class Places:
    """Whether weights are read from flash, and whether the arena lies in external memory."""

    weights_in_flash: bool = True
    arena_in_psram: bool = False


@dataclass(frozen=True)
class LayerTime:
    """What a layer takes: instructions, and seconds for these, for weights from flash and for external memory."""

    instructions: int
    computing: float
    flash: float
    psram: float

    @property
    def seconds(self) -> float:
        """All of it."""
        return self.computing + self.flash + self.psram


def has_times(target: Target) -> bool:
    """Whether enough is known of a chip."""
    return bool(target.clock_hz and target.cycles_per_100_instructions)


def layer_times(
    program: RowProgram, counts: Sequence[int | None], target: Target, places: Places
) -> list[LayerTime | None]:
    """What each stage takes on a chip of which enough is known, with so many instructions; None where these are not
    known. Of a stage that cores share, the time is that of one part."""
    if not has_times(target):
        return [None] * len(counts)
    found: list[LayerTime | None] = [None] * len(counts)
    for segment in program.order:
        for number in segment.stages:
            count, stage = counts[number], program.stages[number]
            if count is not None:
                found[number] = _layer(program, segment, stage, count, target, places)
    return found


def _layer(
    program: RowProgram, segment: Segment, stage: Stage, count: int, target: Target, places: Places
) -> LayerTime:
    each = target.cycles_per_100_instructions / 100 / target.clock_hz / stage.split
    flash = _weight_lines(program, segment, stage, target) * target.flash_line_ns if places.weights_in_flash else 0
    psram = _arena_lines(program, stage, target, places) * target.psram_line_ns
    return LayerTime(count, count * each, flash * 1e-9, psram * 1e-9)


def constant_bytes(program: RowProgram, stage: Stage) -> int:
    """Bytes of what a stage reads that is constant."""
    return sum(v.type.bytes for v in stage.op.operands if program.root(v.name)[0].space is Space.CONSTANT)


def bytes_moved(program: RowProgram, target: Target, places: Places) -> dict[str, int]:
    """The bytes that an inference moves in each memory: those of the arenas as `ir/rows/traffic.py` counts them, of
    constants what the target's cache loads, as `time` counts it."""
    internal, psram = moved(program)
    if places.arena_in_psram:
        internal, psram = 0, internal + psram
    lines = sum(
        _weight_lines(program, segment, program.stages[number], target)
        for segment in program.order
        for number in segment.stages
    )
    constants = lines * target.cache_line_bytes
    flash = constants if places.weights_in_flash else 0
    return {"internal": internal + constants - flash, "psram": psram, "flash": flash}


def _weight_lines(program: RowProgram, segment: Segment, stage: Stage, target: Target) -> int:
    """Cache lines of constants that are loaded: once, where the cache holds those of all stages that advance together;
    else once for each call, since the others have run meanwhile."""
    together = sum(constant_bytes(program, program.stages[k]) for k in segment.stages)
    calls = 1 if together <= target.cache_bytes else stage.applications
    return calls * -(-constant_bytes(program, stage) // target.cache_line_bytes)


def _arena_lines(program: RowProgram, stage: Stage, target: Target, places: Places) -> int:
    """Cache lines of external memory that are loaded and written back: operands once, a result there and back."""
    slots = program.plan.by_buffer if program.plan is not None else {}

    def outside(name: str) -> bool:
        root, _ = program.root(name)
        return places.arena_in_psram or (root.name in slots and slots[root.name].external)

    read = sum(
        v.type.bytes for v in stage.op.operands if program.root(v.name)[0].space is Space.ARENA and outside(v.name)
    )
    written = stage.result.type.bytes if outside(stage.result.name) else 0
    return -(-(read + 2 * written) // target.cache_line_bytes)


def time_document(layers: Sequence[LayerTime | None], target: Target, counted: bool) -> dict[str, Any] | None:
    """The estimate as data; None where it is not known of a layer, or nothing is known of the chip."""
    known = [layer for layer in layers if layer is not None]
    if not has_times(target) or len(known) < len(layers):
        return None
    return {
        "milliseconds": _ms(sum(layer.seconds for layer in known)),
        "clock_hz": target.clock_hz,
        "instructions": sum(layer.instructions for layer in known),
        "instructions_are": "counted" if counted else "estimated",
        "computing_ms": _ms(sum(layer.computing for layer in known)),
        "flash_ms": _ms(sum(layer.flash for layer in known)),
        "psram_ms": _ms(sum(layer.psram for layer in known)),
        "model_error_percent": target.time_error_percent or None,
        "layers_us": [round(layer.seconds * 1e6, 1) for layer in known],
    }


def _ms(seconds: float) -> float:
    return round(seconds * 1e3, 3)
