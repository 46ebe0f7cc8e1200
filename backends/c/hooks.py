"""What a build may look into: the hooks in the network's code, and the header that profiles and dumps through them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib import resources
from string import Template

import numpy as np

from tinyc.backends.c.describe import label
from tinyc.backends.c.names import comment
from tinyc.backends.c.source import CPort
from tinyc.ir.rows import RowProgram, Space
from tinyc.ir.spelling import format_op
from tinyc.ir.tensor import Array

_MACROS = """/* Where a build may look into the network: with -DTINYC_TIMES, -DTINYC_PROFILE or -DTINYC_DUMP
 * ($name_hooks.h), or by definitions of its own, for example in a header given with -include. Without any, nothing
 * of it is there.
 *
 * TINYC_TRACE is called whenever elements of a layer's result are ready, with the number of the layer, the number of
 * the first element, a pointer to it and how many there are; TINYC_INPUT with the number of an input, a pointer to it
 * and its elements; TINYC_BEGIN before an inference (1) or a further part of one (0); TINYC_END after an inference.
 */
#if defined(TINYC_TIMES) || defined(TINYC_PROFILE) || defined(TINYC_DUMP) || defined(TINYC_DUMP_CHECKSUMS)
#include "$name_hooks.h"
#endif
#ifndef TINYC_TRACE
#define TINYC_TRACE(stage, first, data, count) ((void)0)
#endif
#ifndef TINYC_INPUT
#define TINYC_INPUT(input, data, count) ((void)0)
#endif
#ifndef TINYC_BEGIN
#define TINYC_BEGIN(first) ((void)0)
#endif
#ifndef TINYC_END
#define TINYC_END() ((void)0)
#endif
"""


def macros(name: str) -> str:
    """The hooks' definitions, for the network's source."""
    return _MACROS.replace("$name", name)


def hooks_header(name: str, program: RowProgram) -> dict[str, str]:
    """The header that profiles and dumps, by its file name."""
    template = resources.files("tinyc.backends.c").joinpath("hooks.h.in").read_text(encoding="ascii")
    # A string literal must not end early, and names are printed with "%s": quotes are all that is left to replace.
    names = [comment(label(stage)).replace('"', "'") for stage in program.stages]
    printed = [int(s.result.dtype.is_float or program.takes_rows(s)) for s in program.stages]
    text = Template(template).substitute(
        name=name,
        upper=name.upper(),
        layers=max(len(names), 1),
        names="\n".join(f'    "{n}",' for n in names or [""]),
        printed=", ".join(map(str, printed or [0])),
        program=fingerprint(program),
    )
    return {f"{name}_hooks.h": text}


def shown_inputs(program: RowProgram) -> list[int]:
    """The numbers of the inputs that are shown as such. One that nothing reads has no place in the arena, and rows that
    come from outside are shown as the result of the stage that takes them."""
    plan = program.plan
    held = {v.name for v in program.inputs if plan is not None and v.name in plan.by_buffer}
    spaces = [program.buffer[v.name].space for v in program.inputs]
    return [
        number
        for number, (value, space) in enumerate(zip(program.inputs, spaces, strict=True))
        if value.type.size and (space is Space.INPUT or (space is Space.ARENA and value.name in held))
    ]


def input_hooks(name: str, program: RowProgram, inputs: Sequence[CPort]) -> list[str]:
    """The statements that show the inputs. Where the hooks are empty they evaluate nothing."""
    return [
        f"TINYC_INPUT({n}, {f'{name}_{p.name}({p.arena})' if p.place == 'arena' else p.name}, {p.type.size});"
        for n, p in enumerate(inputs)
        if n in shown_inputs(program)
    ]


def fingerprint(program: RowProgram) -> str:
    """Eight hexadecimal digits that differ between programs which compute something else, number their layers
    differently, or work in another order. Where values lie in memory does not matter."""
    data: dict[str, Array] = {}
    lines = [f"{v.name} {v.type}" for v in (*program.inputs, *program.outputs)]
    for number, stage in enumerate(program.stages):
        lines.append(f"{stage.result.name} {stage.result.type} {format_op(stage.op, data, f'data of {number}')}")
    lines += ["fused"] if program.fused else []
    lines += [f"{s.first} {[(p.delay, p.period) for p in s.paces]} {s.reverse}" for s in program.order]
    lines += [f"{b.name} {b.view}" for b in program.buffers if b.view is not None]
    data |= {b.name: b.data.array for b in program.buffers if b.data is not None}
    digest = hashlib.sha256("\n".join(lines).encode())
    for name in sorted(data):
        digest.update(f"{name} {data[name].dtype}{data[name].shape}".encode())
        digest.update(np.ascontiguousarray(data[name]).tobytes())
    return digest.hexdigest()[:8]
