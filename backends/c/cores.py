"""Stages whose rows two cores compute at once: a function for their parts, and how it is handed to the other core.

A part needs what the run function was given: the arena and the caller's memory. That is one structure on the caller's
stack, `shared`, which both cores read.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path

from tinyc.backends.c.addresses import BLOCKS, Addresses, blocks_of
from tinyc.backends.c.describe import sentence
from tinyc.backends.c.emitter import emit
from tinyc.backends.c.literals import C_TYPES
from tinyc.backends.c.schedule import row_lines, step_call
from tinyc.backends.c.source import CodegenError
from tinyc.backends.c.unit import Argument, Pointer, RowCall, TranslationUnit
from tinyc.ir.op import Value
from tinyc.ir.rows import RowProgram, Space, Stage

FOLDER = Path(__file__).parent / "ports"
CORES = 2
"""The cores that a stage may be split between."""
RESERVED = ("part", "context", "shared", "end")
"""Names that the functions use."""


def port_files(name: str) -> dict[str, str]:
    """The files that start the other core and hand parts to it, for a network of this name."""
    return {f"{name}_{file}": _renamed(_read(file), name) for file in ("cores.c", "cores.h")}


def splits(program: RowProgram) -> bool:
    """Whether a program has stages for two cores."""
    return any(stage.split > 1 for stage in program.stages)


@cache
def _read(file: str) -> str:
    return (FOLDER / file).read_text(encoding="ascii")


def _renamed(text: str, name: str) -> str:
    """The names of a port made those of a network."""
    return (
        text.replace("TINYC_CORES", f"{name.upper()}_CORES")
        .replace("tinyc_cores", f"{name}_cores")
        .replace('"tinyc.h"', f'"{name}.h"')
    )


class Parts:
    """The functions for the parts of split stages.

    Args:
        unit: where they go.
        addresses: makes the pointers of one function.
        declared: the parameters of the run function but the arena, by name, as they are declared.
        ports: those that lie outside the arena, by the buffer that owns the bytes.
    """

    def __init__(
        self,
        unit: TranslationUnit,
        addresses: Callable[[], Addresses],
        declared: Mapping[str, str],
        ports: Mapping[str, str],
    ) -> None:
        self._unit, self._addresses, self._declared, self._ports = unit, addresses, declared, ports
        self._type = unit.names.fresh("shared", f"{unit.prefix}_")
        self._texts: list[str] = []
        self._used: set[str] = set()

    @property
    def used_ports(self) -> set[str]:
        """The parameters that parts need."""
        return set(self._used)

    def lines(self, number: int) -> list[str]:
        """The statements that compute a split stage; they need `declaration` before them."""
        stage = self._unit.program.stages[number]
        if stage.split != CORES:
            raise CodegenError(f"{stage.where}: is split {stage.split} ways; there is C for {CORES}")
        function = self._define(number, stage)
        size = stage.result.type.size
        return [
            "",
            f"/* {sentence(number, stage)}: on two cores */",
            f"{self._unit.prefix}_cores_run({function}, &shared);",
            f"TINYC_TRACE({number}, 0, {self._result(stage.result)}, {size});",
        ]

    def declaration(self, arenas: Sequence[str]) -> list[str]:
        """Declares what parts share, in a function whose parameters of these names are the arenas; nothing without
        parts."""
        if not self._texts:
            return []
        values = [arena if arena in BLOCKS else f"(unsigned char *){arena}" for arena in arenas]
        values += [name for name in self._declared if name in self._used]
        return [f"const {self._type} shared = {{{', '.join(values)}}};"]

    def definitions(self) -> list[str]:
        """What stands before the functions that use `lines`."""
        if not self._texts:
            return []
        blocks = blocks_of(self._unit.program.plan)
        fields = [
            *(f"unsigned char *{block}" for block in blocks),
            *(d for name, d in self._declared.items() if name in self._used),
        ]
        members = "".join(f"    {field};\n" for field in fields)
        structure = f"/* What the parts of a layer share. */\ntypedef struct {{\n{members}}} {self._type};\n"
        return [structure, *self._texts]

    def _define(self, number: int, stage: Stage) -> str:
        """The name of the function for a stage's parts, which it adds."""
        addresses = self._addresses()
        lines = _part_lines(self._unit, addresses, stage)
        kind = self._type
        body = [f"const {kind} *const shared = (const {kind} *)context;"]
        body += [f"unsigned char *const {block} = shared->{block};" for block in addresses.blocks()]
        for name, declared in self._declared.items():
            if name in addresses.used_ports:
                body.append(f"{declared.removesuffix(name)}const {name} = shared->{name};")
        self._used |= addresses.used_ports
        body += [local.declaration for local in addresses.locals()]
        name = self._unit.names.fresh(f"part_{number}", f"{self._unit.prefix}_")
        text = "".join(f"    {line}\n" for line in (*body, *lines))
        self._texts.append(f"TINYC_NOINLINE void {name}(const void *context, int part)\n{{\n{text}}}\n")
        return name

    def _result(self, value: Value) -> str:
        """A pointer to a result by way of `shared`: the run function itself may have no other use for one."""
        program = self._unit.program
        root, offset = program.root(value.name)
        c_type = C_TYPES[value.dtype]
        if root.space is not Space.ARENA:
            return f"shared.{self._ports[root.name]} + {offset // value.dtype.bytes}"
        assert program.plan is not None
        slot = program.plan.by_buffer[root.name]
        return f"({c_type} *)(void *)(shared.{BLOCKS[slot.external]} + {slot.offset + offset})"


def _part_lines(unit: TranslationUnit, addresses: Addresses, stage: Stage) -> list[str]:
    """The statements that compute the rows of part number `part`."""
    first, second = stage.parts
    by_band = stage.band == stage.rows
    call = emit(unit, dataclasses.replace(stage, band=len(first)) if by_band else stage)
    if not (by_band and call.long_rows):
        return [
            f"const int end = part == 0 ? {first.stop} : {second.stop};",
            f"for (int y = part == 0 ? 0 : {second.start}; y < end; ++y) {{",
            *(f"    {line}" for line in row_lines(unit, addresses, stage, call)),
            "}",
        ]
    lines = [f"const int y = part == 0 ? 0 : {second.start};"]
    if len(first) == len(second):
        return [*lines, _band_call(addresses, stage, call)]
    other = emit(unit, dataclasses.replace(stage, band=len(second)))
    calls = [f"    {_band_call(addresses, stage, c)}" for c in (call, other)]
    return [*lines, "if (part == 0) {", calls[0], "} else {", calls[1], "}"]


def _band_call(addresses: Addresses, stage: Stage, call: RowCall) -> str:
    """The statement that computes rows from row y on, as one long row."""

    def argument(a: Argument) -> str:
        if isinstance(a, str):
            return a
        assert isinstance(a, Pointer)
        value = stage.op.operands[a.operand]
        return addresses.whole(value) if stage.windows[a.operand] is None else addresses.row(value, "y")

    return step_call(call, argument, addresses.row(stage.result, "y"))
