"""Whether a compiled network fits into a target's memories, and what its floats cost there."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tinyc.backends.c import CSource
from tinyc.backends.targets import Target
from tinyc.compiler.lowering.memory import quantising_helps
from tinyc.compiler.options import Options
from tinyc.ir.errors import TinycError
from tinyc.ir.rows import RowProgram

STACK_BYTES = 4096
"""Stack of a task that runs a network. Generated functions need some hundred bytes, and what calls them needs some."""
CODE_BYTES = 1024
"""Code of one layer, about: between 470 and 1,480 bytes on rv32imc and Xtensa, kernels included."""
SOFT_FLOAT, HARD_FLOAT = 179, 6
"""Instructions that a multiply-accumulate of float32 takes without a floating-point unit and with one: simple loops at
-O2, counted on rv32imc and rv32imafc."""
PARTITION_BYTES = 1 << 20
"""The partition for the application in ESP-IDF's default partition table (single factory app)."""


SYSTEM = "system"
"""What the operating system takes of a memory."""


class FitError(TinycError):
    """A network that a target has no room for."""


@dataclass(frozen=True)
class Sizes:
    """What a network needs, in bytes.

    Attributes:
        arena: its memory while it runs.
        buffers: inputs and outputs that the caller holds.
        weights: constants.
        code: an estimate.
        float_macs: multiply-accumulates of float32 in an inference.
        floats: whether there are floats that quantisation would make integers.
        psram: of the arena in PSRAM, where there is one beside.
    """

    arena: int
    buffers: int
    weights: int
    code: int
    float_macs: int = 0
    floats: bool = False
    psram: int = 0

    def parted(self, part: int) -> Sizes:
        """The same with such a part of what the arena and the constants take."""
        return dataclasses.replace(self, arena=self.arena // part, weights=self.weights // part)


def sizes(program: RowProgram, source: CSource, quantised: bool = False) -> Sizes:
    """What a program and the C made from it need; for `quantised`, see `quantising_helps`."""
    held = [p for p in (*source.inputs, *source.outputs) if p.place == "argument"]
    return Sizes(
        arena=source.arena_bytes,
        buffers=sum(p.type.bytes for p in held),
        weights=source.weights_bytes,
        code=CODE_BYTES * len(source.stages),
        float_macs=sum(s.op.macs() for s in program.stages if s.result.dtype.is_float),
        floats=quantising_helps(program, quantised),
        psram=source.psram_bytes,
    )


def resized(needed: Sizes, program: RowProgram, options: Options) -> Sizes:
    """The same with another program of the same network, whose constants and code are about the same."""
    plan, held = program.plan, [*program.outputs]
    if options.rows_from == "argument":
        held += program.inputs
    buffers = sum(v.type.bytes for v in held)
    arena, psram = (plan.bytes, plan.external_bytes) if plan is not None else (0, 0)
    return dataclasses.replace(needed, arena=arena, psram=psram, buffers=buffers)


@dataclass(frozen=True)
class Demand:
    """What goes into one memory: amounts by what they are for, and the most that there is room for."""

    memory: str
    room: int
    parts: Sequence[tuple[str, int]]

    @property
    def bytes(self) -> int:
        """All of it."""
        return sum(size for _, size in self.parts)

    @property
    def arithmetic(self) -> str:
        """The sum as people write it."""
        terms = [f"{name} {size:,}" for name, size in self.parts if size]
        return " + ".join(terms) + (f" = {self.bytes:,} bytes" if len(terms) > 1 else " bytes")


def demands(target: Target, needed: Sizes, options: Options) -> list[Demand]:
    """What goes into each of the target's memories, as placed by the options; memories without limit are left out."""
    arena_in, weights_in = options.arena_in, options.weights_in
    arena, weights = ("arena", needed.arena), ("weights", needed.weights)
    external = [part for part, where in ((arena, arena_in), (weights, weights_in)) if where == "psram"]
    external += [("second arena", needed.psram)] if needed.psram else []
    static = [part for part, where in ((arena, arena_in), (weights, weights_in)) if where == "internal"]
    rest = [("inputs and outputs", needed.buffers), ("stack", STACK_BYTES * options.cores)]
    taken, fixed = target.system_bytes, target.system_static_bytes
    if options.system_bytes is not None:
        taken, fixed = options.system_bytes, min(fixed, options.system_bytes)
    found = [
        Demand("static memory (static_bytes)", target.static_bytes, [*static, (SYSTEM, fixed)]),
        Demand("internal RAM (ram_bytes)", target.ram_bytes, [*static, *rest, (SYSTEM, taken)]),
        # Constants in RAM come from flash when the program starts.
        Demand("flash (flash_bytes)", target.flash_bytes, [weights, ("code, about", needed.code)]),
    ]
    if options.flash_bytes is not None:
        found.append(Demand("what `flash` gives", options.flash_bytes, found[-1].parts))
    limited = [d for d in found if d.room]
    # Whoever gives a target without PSRAM two memories knows what they are.
    known = external and (target.psram_bytes or not needed.psram)
    return [*limited, Demand("PSRAM (psram_bytes)", target.psram_bytes, external)] if known else limited


def internal_room(target: Target, needed: Sizes, options: Options) -> int:
    """The bytes of internal RAM that are left for an arena."""
    without = demands(target, dataclasses.replace(needed, arena=0, psram=0), options)
    return min((d.room - d.bytes for d in without if d.memory.startswith(("static", "internal"))), default=0)


def fits(target: Target, needed: Sizes, options: Options) -> bool:
    """Whether the target has room."""
    return all(d.bytes <= d.room for d in demands(target, needed, options))


def check_fit(
    target: Target, needed: Sizes, options: Options, tried: Callable[[], Sequence[str]] = tuple
) -> tuple[str, ...]:
    """What people should know before they put the network on the target.

    Args:
        target: what it is for.
        needed: what it needs.
        options: what it was compiled with.
        tried: gives what would help of what was tried, once that is asked for.

    Raises:
        FitError: there is no room for it: how much it needs of which memory, and what would help.
    """
    found = demands(target, needed, options)
    for demand in found:
        if demand.bytes > demand.room:
            taken = dict(demand.parts).get(SYSTEM, 0)
            if taken >= demand.room:
                own = target.system_bytes if demand.memory.startswith("internal") else target.system_static_bytes
                raise FitError(
                    f"does not fit on {target.name}: `system_ram` takes {taken:,} bytes, which leaves nothing of "
                    f"the {demand.room:,} bytes of {demand.memory}. Without `system_ram` it is {own:,}"
                )
            helps = list(_what_helps(target, needed, options, tried))
            raise FitError(
                f"does not fit on {target.name}: {demand.arithmetic}, {demand.bytes - demand.room:,} more than the "
                f"{demand.room:,} bytes of {demand.memory}. "
                + (f"What would help: {'; '.join(helps)}." if helps else "Only a smaller network would help.")
            )
    return (*_tight(target, found), *_soft_float(target, needed))


def _what_helps(target: Target, needed: Sizes, options: Options, tried: Callable[[], Sequence[str]]) -> Iterator[str]:
    """Options with which there is room, the cheapest first."""

    def enough(sizes: Sizes = needed, **changed: Any) -> bool:
        return fits(target, sizes, dataclasses.replace(options, **changed))

    if options.weights_in != "flash" and enough(weights_in="flash"):
        yield f"`weights_in=flash` ({needed.weights:,} bytes less)"
    yield from tried()
    smaller = needed.parted(4)
    if needed.floats and enough(smaller):
        yield (
            f"`quantise=QuantiseOptions(...)` (an arena of about {smaller.arena:,} bytes, weights of about "
            f"{smaller.weights:,}: not tried)"
        )
    if target.psram_bytes and options.arena_in == "internal" and not needed.psram and enough(arena_in="psram"):
        yield "on a board with PSRAM, `arena_in=psram`, which is slower"


def _tight(target: Target, found: Sequence[Demand]) -> Iterator[str]:
    """Warnings that the network leaves little for the rest of the application."""
    for demand in found:
        if demand.memory.startswith("internal") and 4 * demand.bytes > 3 * demand.room:
            yield (
                f"{demand.arithmetic} leave {demand.room - demand.bytes:,} bytes of {target.name}'s internal RAM "
                "to the rest of the application"
            )
        if demand.memory.startswith("flash") and target.idf_target and demand.bytes > PARTITION_BYTES:
            yield (
                f"{demand.arithmetic} need a partition larger than the {PARTITION_BYTES:,} bytes that ESP-IDF gives an "
                "application unless told otherwise: choose another partition table"
            )


def _soft_float(target: Target, needed: Sizes) -> Iterator[str]:
    """A warning that floats are slow, with an order of magnitude."""
    if target.fpu or not needed.float_macs:
        return
    instructions = needed.float_macs * SOFT_FLOAT
    seconds = f", of the order of {_rough(instructions / target.clock_hz)} s" if target.clock_hz else ""
    yield (
        f"{target.name} has no floating-point unit: {needed.float_macs:,} multiply-accumulates in software take about "
        f"{SOFT_FLOAT} instructions each, {HARD_FLOAT} with such a unit: {instructions / 1e6:,.0f} million{seconds} an "
        "inference; `quantise=QuantiseOptions(...)` makes them integers"
    )


def _rough(number: float) -> str:
    """One digit that counts, without an exponent."""
    return f"{float(f'{number:.1g}'):,.10f}".rstrip("0").rstrip(".")
