"""The public header: how to call the network, and what it needs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tinyc.backends.c.literals import literal
from tinyc.backends.c.names import comment
from tinyc.backends.c.source import CPort
from tinyc.ir.types import DType


def prototype(name: str, inputs: Sequence[CPort], outputs: Sequence[CPort]) -> str:
    """The declaration of the run function, without a semicolon."""
    ports = [f"const {p.c_type} *{p.name}" for p in inputs] + [f"{p.c_type} *{p.name}" for p in outputs]
    return f"void {name}_run({', '.join(['void *arena', *ports])})"


def header_text(
    name: str, inputs: Sequence[CPort], outputs: Sequence[CPort], arena: tuple[int, int], weights: int, version: str
) -> str:
    """The header file. `arena` is size and alignment in bytes."""
    macro = name.upper()
    lines = [
        f"/* {name}: a neural network in C, made by tinyc {comment(version)}. Do not edit.",
        " *",
        *(f" * {line}".rstrip() for line in _help(name, inputs, outputs, arena, weights)),
        " */",
        f"#ifndef {macro}_H",
        f"#define {macro}_H",
        "",
        "#include <stdint.h>",
        "",
        "/* The arena: bytes, and what its address is a multiple of. */",
        f"#define {macro}_ARENA_BYTES {arena[0]}",
        f"#define {macro}_ARENA_ALIGN {arena[1]}",
        "",
    ]
    for port in (*inputs, *outputs):
        lines += [
            f"/* {_port(port)} */",
            f"#define {port.macro}_SIZE {port.type.size}",
            f"#define {port.macro}_BYTES {port.type.bytes}",
            *_scale_macros(port),
            "",
        ]
    lines += [
        "#ifdef __cplusplus",
        'extern "C" {',
        "#endif",
        "",
        "/* One inference. */",
        f"{prototype(name, inputs, outputs)};",
        "",
        "#ifdef __cplusplus",
        "}",
        "#endif",
        "",
        f"#endif /* {macro}_H */",
    ]
    return "\n".join(lines) + "\n"


def _help(
    name: str, inputs: Sequence[CPort], outputs: Sequence[CPort], arena: tuple[int, int], weights: int
) -> Iterator[str]:
    macro = name.upper()
    ports = (*inputs, *outputs)
    if arena[0]:
        yield f"    static unsigned char arena[{macro}_ARENA_BYTES] __attribute__((aligned({macro}_ARENA_ALIGN)));"
    for port in ports:
        yield f"    static {port.c_type} {port.name}[{port.macro}_SIZE];"
    yield ""
    yield f"    {name}_run({', '.join(['arena' if arena[0] else 'NULL', *(p.name for p in ports)])});"
    yield ""
    for port in ports:
        yield f"{port.name}: {_port(port)}"
    yield ""
    yield f"RAM: {arena[0]} bytes of arena, beside inputs ({sum(p.type.bytes for p in inputs)}) and outputs " + (
        f"({sum(p.type.bytes for p in outputs)}), and a small stack."
    )
    yield f"Flash: {weights} bytes of constants, beside the code."
    yield ""
    if arena[0]:
        yield f"The arena holds nothing between calls. Its address is a multiple of {macro}_ARENA_ALIGN."
        yield "Arena, inputs and outputs must not overlap each other."
        yield "The function keeps no state: it may run at the same time in several threads, each with its own arena."
    else:
        yield "This network needs no arena: it may be NULL. Inputs and outputs must not overlap each other."
        yield "The function keeps no state: it may run at the same time in several threads."


def _port(port: CPort) -> str:
    """What a port is, as the text of a comment."""
    shape = "x".join(map(str, port.type.shape)) or "scalar"
    text = f'"{comment(port.onnx_name)}", {port.c_type} {shape}'
    if port.layout:
        text += f" ({comment(port.layout)})"
    return text + (", each 0 or 1" if port.type.dtype is DType.BOOL else "")


def _scale_macros(port: CPort) -> Iterator[str]:
    """What the integers of a port stand for."""
    if port.scale is not None:
        scale, zero = port.scale
        yield f"/* real value = {port.macro}_SCALE * (integer - {port.macro}_ZERO_POINT) */"
        yield f"#define {port.macro}_SCALE {literal(DType.F32, scale)}"
        yield f"#define {port.macro}_ZERO_POINT {int(zero) if zero == int(zero) else literal(DType.F32, zero)}"
