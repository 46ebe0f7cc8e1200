"""From a planned row program to C files."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tinyc.backends.c import cameras, conversions, cores, forms, functions
from tinyc.backends.c.cores import CORES, port_files, splits
from tinyc.backends.c.describe import label
from tinyc.backends.c.functions import Writer, place_of
from tinyc.backends.c.header import header_text
from tinyc.backends.c.hooks import hooks_header, macros
from tinyc.backends.c.literals import C_TYPES
from tinyc.backends.c.names import comment, identifier
from tinyc.backends.c.sections import Arenas, attribute_lines
from tinyc.backends.c.short import widening
from tinyc.backends.c.source import CodegenError, CPort, CSource, CStage, Interface, PortDescription, Sections
from tinyc.backends.c.steps import called_often
from tinyc.backends.c.tuning import DEFAULT, Tuning
from tinyc.backends.c.unit import TranslationUnit
from tinyc.backends.libraries.operands import VECTOR
from tinyc.ir.op import Value
from tinyc.ir.rows import RowProgram, Space, verify_program

WORD = 4
"""Bytes that kernels read of constants at once, but for vectors and those of libraries."""
_ALIGN = """#if defined(__GNUC__)
#define {macro} __attribute__((aligned({bytes})))
#else
#define {macro}
#endif
"""


def generate(
    program: RowProgram,
    *,
    name: str,
    interface: Interface | None = None,
    version: str = "0",
    sections: Sections | None = None,
    tuning: Tuning = DEFAULT,
) -> CSource:
    """The C of a planned program.

    Args:
        program: what to print; its arena is planned unless it needs none.
        name: what the files, functions and macros begin with; made an identifier if it is none.
        interface: names and layouts of inputs and outputs, for the header; the program's own names without it.
        version: the version of the compiler, for the header.
        sections: the memories that the arrays go to; where the compiler puts them without it.
        tuning: what the code is tuned for.

    Raises:
        CodegenError: an operator has no C, or memory cannot be addressed as planned. The message names the stage.
        IRError: the program is malformed.
    """
    verify_program(program)
    name, sections = _prefix(name), sections or Sections()
    unit = TranslationUnit(name, program, tuning)
    inputs, outputs = _ports(unit, name, program, interface)
    ports = {
        v.name: p.callback or p.name
        for v, p in zip((*program.inputs, *program.outputs), (*inputs, *outputs), strict=True)
    }
    functions, public = Writer(unit, _with_roots(program, ports), inputs, outputs).write()
    arena = Arenas(program.plan.bytes if program.plan else 0, _alignment(program), external_bytes(program))
    constants = unit.constants
    weights_h = f"{name}_weights.h" if constants.bytes else ""
    files = {
        f"{name}.h": header_text(name, inputs, outputs, public, arena, constants.bytes, version, sections),
        f"{name}.c": _source_text(unit, functions, weights_h),
    }
    if weights_h:
        files |= _weights_files(unit, name, sections)
    files |= hooks_header(name, program)
    if splits(program):
        files |= port_files(name)
    return CSource(
        name=name,
        files=files,
        arena_bytes=arena.bytes,
        arena_align=arena.alignment,
        psram_bytes=arena.external,
        weights_bytes=constants.bytes,
        inputs=inputs,
        outputs=outputs,
        cores=CORES if splits(program) else 1,
        libraries=tuple(sorted(unit.libraries)),
        fused=unit.kernels.fuses,
        functions=unit.function_count,
        optimize=unit.tuning.optimize,
        paired_layers=forms.count(program, tuning, "pairs"),
        mac16_layers=forms.count(program, tuning, "mac16"),
        vector_layers=forms.count(program, tuning, "vectors"),
        widening=widening(unit),
        stages=tuple(
            CStage(number, label(stage), stage.result.type)
            for number, stage in enumerate(program.stages)
            if stage.result.type.size
        ),
    )


def _prefix(name: str) -> str:
    """The name as the beginning of identifiers; one that is an identifier stays as it is."""
    return name if re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name) and identifier(name) == name else identifier(name)


def external_bytes(program: RowProgram) -> int:
    """The size of the arena in external memory."""
    return program.plan.external_bytes if program.plan else 0


def _alignment(program: RowProgram) -> int:
    """What the arena's address must be a multiple of."""
    sizes = [b.value.dtype.bytes for b in program.buffers if b.space is Space.ARENA]
    return max([program.plan.alignment if program.plan else 1, *sizes])


def _constant_alignment(unit: TranslationUnit) -> int:
    """What the addresses of constants are multiples of."""
    return VECTOR if unit.tuning.vectors or unit.libraries else max(WORD, unit.constants.element)


def _ports(
    unit: TranslationUnit, name: str, program: RowProgram, interface: Interface | None
) -> tuple[tuple[CPort, ...], tuple[CPort, ...]]:
    for taken in (*functions.RESERVED, *cores.RESERVED):
        unit.names.fresh(taken)
    for taken in ("cores_start", "cores_run", "cores_part"):
        unit.names.fresh(taken, f"{name}_")
    for taken in ("profile", conversions.KERNEL):
        unit.names.fresh(taken, f"{name}_")

    def side(kind: str, values: Sequence[Value], infos: Sequence[PortDescription]) -> tuple[CPort, ...]:
        if len(values) != len(infos):
            raise CodegenError(f"program {program.name} has {len(values)} {kind}(s), the interface names {len(infos)}")
        ports = []
        places = [place_of(program, v.name) for v in values]
        for value, info, place in zip(values, infos, places, strict=True):
            word = kind if len(values) == 1 else f"{kind}_{identifier(info.name)}"
            port = unit.names.fresh(word)
            for taken in (*conversions.RESERVED, *cameras.RESERVED):
                unit.names.fresh(taken.format(port), f"{name}_")
            macro, c_type = f"{name}_{port}".upper(), C_TYPES[value.dtype]
            slot = program.plan.by_buffer.get(value.name) if program.plan else None
            external = slot is not None and slot.external
            known = (info.name, value.type, info.layout, c_type, info.scale, place, info.pixels, external)
            called = _callback(unit, name, kind, port, places.count("rows") == 1) if place == "rows" else ()
            found = CPort(port, macro, *known, *called)
            ports.append(found if program.endless is None else called_often(found, program, value))
        return tuple(ports)

    own = Interface(
        tuple(PortDescription(v.name) for v in program.inputs), tuple(PortDescription(v.name) for v in program.outputs)
    )
    ports = interface or own
    return side("input", program.inputs, ports.inputs), side("output", program.outputs, ports.outputs)


def _callback(unit: TranslationUnit, name: str, kind: str, port: str, alone: bool) -> tuple[str, str]:
    """The parameter and the type of the function that rows come from or go to."""
    word = "next" if kind == "input" else "on"
    if alone:
        return f"{word}_row", f"{name}_row_fn" if kind == "input" else f"{name}_on_row_fn"
    callback = unit.names.fresh(f"{word}_{port}")
    return callback, unit.names.fresh(f"{callback}_fn", f"{name}_")


def _with_roots(program: RowProgram, ports: dict[str, str]) -> dict[str, str]:
    """The parameters by the buffers that own the bytes: an output that is a view names its base too."""
    return {program.root(name)[0].name: port for name, port in ports.items()}


def _source_text(unit: TranslationUnit, functions: str, weights_h: str) -> str:
    includes = [f'#include "{unit.prefix}.h"', "", *(f"#include <{h}>" for h in sorted(unit.kernels.headers))]
    own = [weights_h] if weights_h else []
    own += [f"{unit.prefix}_cores.h"] if splits(unit.program) else []
    if own:
        includes += ["", *(f'#include "{h}"' for h in own)]
    parts = [
        f"/* {unit.prefix}: layers and kernels. Made by tinyc; do not edit. */",
        "\n".join(includes),
        *(text.rstrip() for text in unit.libraries.values()),
        macros(unit.prefix).rstrip(),
        unit.kernels.text().rstrip(),
        unit.functions().rstrip(),
        functions.rstrip(),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _weights_files(unit: TranslationUnit, name: str, sections: Sections) -> dict[str, str]:
    constants, macro = unit.constants, name.upper()
    align, section = f"{macro}_ALIGNED", f"{macro}_WEIGHTS_ATTR"
    attribute = "\n".join(attribute_lines(section, sections.weights))
    math = "#include <math.h>\n\n" if constants.need_math() else ""
    guard = f"{macro}_WEIGHTS_H"
    notice = f"/* {name}: constants. Made by tinyc from the program {comment(unit.program.name)}; do not edit. */\n"
    header = (
        f"{notice}#ifndef {guard}\n#define {guard}\n\n#include <stdint.h>\n\n"
        f"{_ALIGN.format(macro=align, bytes=_constant_alignment(unit))}\n{constants.declarations(align)}\n#endif\n"
    )
    source = (
        f'{notice}#include "{name}_weights.h"\n\n{math}'
        f"/* The memory of the constants: an attribute, for builds that want another. */\n{attribute}\n\n"
        f"{constants.definitions(section)}"
    )
    return {f"{name}_weights.h": header, f"{name}_weights.c": source}
