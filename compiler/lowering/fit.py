"""Whether a compiled network fits into a target's memories, and what its floats cost there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tinyc.backends.c import CSource
from tinyc.backends.targets import Target
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
        floats: whether the arena holds floats.
    """

    arena: int
    buffers: int
    weights: int
    code: int
    float_macs: int = 0
    floats: bool = False


def sizes(program: RowProgram, source: CSource) -> Sizes:
    """What a program and the C made from it need."""
    held = [p for p in (*source.inputs, *source.outputs) if p.place == "argument"]
    return Sizes(
        arena=source.arena_bytes,
        buffers=sum(p.type.bytes for p in held),
        weights=source.weights_bytes,
        code=CODE_BYTES * len(source.stages),
        float_macs=sum(s.op.macs() for s in program.stages if s.result.dtype.is_float),
        floats=any(b.value.dtype.is_float for b in program.buffers if b.data is None),
    )


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
    static = [part for part, where in ((arena, arena_in), (weights, weights_in)) if where == "internal"]
    rest = [("inputs and outputs", needed.buffers), ("stack", STACK_BYTES * options.cores)]
    found = [
        Demand("static memory (static_bytes)", target.static_bytes, static),
        Demand("internal RAM (ram_bytes)", target.ram_bytes, [*static, *rest]),
        # Constants in RAM come from flash when the program starts.
        Demand("flash (flash_bytes)", target.flash_bytes, [weights, ("code, about", needed.code)]),
    ]
    limited = [d for d in found if d.room]
    return [*limited, Demand("PSRAM (psram_bytes)", target.psram_bytes, external)] if external else limited


def check_fit(target: Target, needed: Sizes, options: Options) -> tuple[str, ...]:
    """What people should know before they put the network on the target.

    Raises:
        FitError: there is no room for it: how much it needs of which memory, and what would help.
    """
    found = demands(target, needed, options)
    for demand in found:
        if demand.bytes > demand.room:
            helps = list(_what_helps(target, needed, options, demand))
            raise FitError(
                f"does not fit on {target.name}: {demand.arithmetic}, {demand.bytes - demand.room:,} more than the "
                f"{demand.room:,} bytes of {demand.memory}. "
                + (f"What would help: {'; '.join(helps)}." if helps else "Only a smaller network would help.")
            )
    return (*_tight(target, found), *_soft_float(target, needed))


def _what_helps(target: Target, needed: Sizes, options: Options, demand: Demand) -> Iterator[str]:
    """Options that make a demand smaller, likely ones first."""
    parts = dict(demand.parts)
    if demand.memory.startswith("flash"):
        if needed.floats and needed.weights:
            yield f"`quantise=QuantiseOptions(...)` (weights of about {needed.weights // 4:,} bytes)"
        return
    if "weights" in parts and options.weights_in != "flash":
        yield f"`weights_in=flash` ({needed.weights:,} bytes less)"
    if "arena" in parts:
        if options.ram_bytes is not None:
            yield f"a smaller `ram` than {options.ram_bytes:,}, or none, for the smallest arena"
        if options.rows_from == "argument" and "inputs and outputs" in parts:
            yield "inputs in the arena (`rows_from=arena`)"
        if options.rows_from != "callback":
            yield "input rows from a callback (`rows_from=callback`), where the input is an image or a signal"
    if "inputs and outputs" in parts and options.rows_to != "callback":
        yield "output rows to a callback (`rows_to=callback`), where the output is an image or a signal"
    if needed.floats:
        yield f"`quantise=QuantiseOptions(...)` (an arena of about {needed.arena // 4:,} bytes)"
    if "arena" in parts and options.arena_in == "internal" and needed.arena <= target.psram_bytes:
        yield "on a board with PSRAM, `arena_in=psram`, which is slower"


def _tight(target: Target, found: Sequence[Demand]) -> Iterator[str]:
    """Warnings that the network leaves little for the rest of the application."""
    for demand in found:
        if demand.memory.startswith("internal") and 4 * demand.bytes > 3 * demand.room:
            yield (
                f"{demand.arithmetic} leave {demand.room - demand.bytes:,} bytes of {target.name}'s internal RAM "
                "to the rest of the application, the operating system included"
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
