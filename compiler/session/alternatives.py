"""What other types at the network's interface would cost. Each is tried, as far as its C, before it is told."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args

from tinyc.backends.c import CPort, CSource
from tinyc.backends.c.estimate import family_of
from tinyc.backends.c.scratch import saved
from tinyc.compiler.frontend import Imported
from tinyc.compiler.lowering import Lowered, Pipeline, with_port_types
from tinyc.compiler.options import InputType, Options, OutputType, PortTypes
from tinyc.compiler.session.code import generate_code, is_image
from tinyc.compiler.session.setup import Setup
from tinyc.ir.errors import TinycError
from tinyc.ir.rows import RowProgram
from tinyc.ir.types import DType


@dataclass(frozen=True)
class Conversion:
    """What making int8 of a type, or the type of int8, costs.

    Attributes:
        instructions: an element.
        code: bytes, once.
    """

    instructions: int
    code: int


QUANTIZE = Conversion(23, 220)
DEQUANTIZE = Conversion(23, 114)
DEQUANTIZE_FPU = Conversion(8, 50)
PIXELS = Conversion(11, 72)
"""Estimates, measured on rv32imc (`DEQUANTIZE_FPU`: rv32imafc) with gcc 12.2 -O2 on random elements, by `tinyc bench`
of Mobile-LeNet with one type and with another, and of conversions alone; tests hold them against such
counts. The most that one element takes is 38 instructions (a tie)."""


@dataclass(frozen=True)
class Alternative:
    """One option that is another, and what would come of it.

    Attributes:
        option: "input_type" or "output_type".
        value: what it would be.
        arena_bytes: of the arena, as planned.
        input_bytes, output_bytes, weights_bytes: as in the report.
        instructions: more an inference, estimated.
        code_bytes: more, estimated.
    """

    option: str
    value: str
    arena_bytes: int
    input_bytes: int
    output_bytes: int
    weights_bytes: int
    instructions: int
    code_bytes: int

    @property
    def as_dict(self) -> dict[str, Any]:
        """As the report has it."""
        found = dataclasses.asdict(self)
        return {k: found[k] for k in ("option", "value", "arena_bytes", "input_bytes", "output_bytes")} | {
            "weights_bytes": self.weights_bytes,
            "instructions_more_estimated": self.instructions,
            "code_bytes_more_estimated": self.code_bytes,
        }


def try_interfaces(
    lowered: Lowered, source: CSource, imported: Imported, options: Options, setup: Setup
) -> tuple[Alternative, ...]:
    """What becomes of a quantised network with each other type at its inputs, or else at its outputs. Types that the
    network cannot have are left out.

    Args:
        lowered: with the types that were chosen.
        source: the C of it.
        imported: the model.
        options: what it was compiled with.
        setup: what they amount to.
    """
    if lowered.integers is None or options.extra_passes:  # passes of a user's may be of use once only
        return ()
    chosen = options.port_types
    plain = dataclasses.replace(options, verify=False, dump_ir=None, debug_passes=())
    found = []
    for option, value, types in _others(chosen, source):
        try:
            other = with_port_types(lowered, Pipeline(plain, lambda _: None, setup.tuning), plain, types)
            code = generate_code(other, imported, setup)
        except TinycError:
            continue
        if _types(code) != _types(source):
            more = _saved(lowered.program, setup) - _saved(other.program, setup)
            found.append(_alternative(option, value, source, code, setup.target.fpu, more))
    return tuple(found)


def _others(chosen: PortTypes, source: CSource) -> Iterator[tuple[str, str, PortTypes]]:
    """Options that differ from those chosen in one."""
    pixels = len(source.inputs) == 1 and is_image(source.inputs[0].type.shape)
    for kind in get_args(InputType):
        if kind not in ("auto", chosen.input_type) and (kind != "uint8" or pixels):
            yield "input_type", kind, dataclasses.replace(chosen, input_type=kind)
    for kind in get_args(OutputType):
        if kind not in ("auto", chosen.output_type):
            yield "output_type", kind, dataclasses.replace(chosen, output_type=kind)


def _saved(program: RowProgram, setup: Setup) -> float:
    """About the instructions that kernels save with memory which another interface may take the room of."""
    family = family_of(setup.target.isa)
    return sum(saved(program, stage, setup.tuning, family) for stage in program.stages)


def _types(source: CSource) -> list[DType]:
    return [p.type.dtype for p in (*source.inputs, *source.outputs)]


def _alternative(option: str, value: str, source: CSource, other: CSource, fpu: bool, more: float) -> Alternative:
    """The cost of another interface, with which kernels take so many instructions more for want of memory."""
    instructions, code = round(more) + other.widening - source.widening, 0
    for side, sign in ((source, -1), (other, 1)):
        ports = [(p, _taken(p)) for p in side.inputs] + [(p, _given(p, fpu)) for p in side.outputs]
        instructions += sign * sum(p.type.size * c.instructions for p, c in ports)
        code += sign * sum(c.code for c in {c for _, c in ports})
    return Alternative(
        option,
        value,
        other.arena_bytes,
        sum(p.type.bytes for p in other.inputs),
        sum(p.type.bytes for p in other.outputs if p.place == "argument"),
        other.weights_bytes,
        instructions,
        code,
    )


def _taken(port: CPort) -> Conversion:
    """What an input costs; what the float operators of a network do with floats they do anyway."""
    if port.type.dtype.is_float:
        return QUANTIZE
    return PIXELS if port.scale is not None and port.type.dtype is DType.U8 else Conversion(0, 0)


def _given(port: CPort, fpu: bool) -> Conversion:
    if not port.type.dtype.is_float:
        return Conversion(0, 0)
    return DEQUANTIZE_FPU if fpu else DEQUANTIZE
