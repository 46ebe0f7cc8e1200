"""The public header: how to call the network, and what it needs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tinyc.backends.c.cameras import camera_functions, camera_macros
from tinyc.backends.c.conversions import (
    conversion_functions,
    conversion_headers,
    conversion_macros,
    scale_macros,
)
from tinyc.backends.c.functions import PublicFunction, cores_start, pushed_port, row_type
from tinyc.backends.c.names import comment
from tinyc.backends.c.sections import Arenas, arena_definitions, arena_lines, size_lines
from tinyc.backends.c.source import CPort, Sections
from tinyc.ir.types import DType


def header_text(
    name: str,
    inputs: Sequence[CPort],
    outputs: Sequence[CPort],
    public: Sequence[PublicFunction],
    arena: Arenas,
    weights: int,
    version: str,
    sections: Sections,
) -> str:
    """The header file. `public` are the functions."""
    macro = name.upper()
    lines = [
        f"/* {name}: a neural network in C, made by tinyc {comment(version)}. Do not edit.",
        " *",
        *(f" * {line}".rstrip() for line in _help(name, inputs, outputs, arena, weights, sections)),
        *(f" * {line}".rstrip() for line in _cores_help(name, public)),
        " */",
        f"#ifndef {macro}_H",
        f"#define {macro}_H",
        "",
        *sorted(["#include <stdint.h>", *conversion_headers(inputs)]),
        "",
        *size_lines(macro, arena),
        *arena_lines(macro, arena, sections),
    ]
    for port in (*inputs, *outputs):
        lines += [
            f"/* {_port(port)} */",
            f"#define {port.macro}_SIZE {port.type.size}",
            f"#define {port.macro}_BYTES {port.type.bytes}",
            *_image_macros(port),
            *scale_macros(port),
            *conversion_macros(name, [port] * (port in inputs), [port] * (port in outputs)),
            *camera_macros(name, [port] * (port in inputs)),
            "",
        ]
    lines += [
        "#ifdef __cplusplus",
        'extern "C" {',
        "#endif",
        "",
        *_callback_types(inputs, outputs),
        *(line for e in public for line in (f"/* {e.purpose} */", f"{e.prototype};", "")),
        *conversion_functions(name, inputs),
        *camera_functions(name, inputs),
        "#ifdef __cplusplus",
        "}",
        "#endif",
        "",
        f"#endif /* {macro}_H */",
    ]
    return "\n".join(lines) + "\n"


def _help(
    name: str,
    inputs: Sequence[CPort],
    outputs: Sequence[CPort],
    arena: Arenas,
    weights: int,
    sections: Sections,
) -> Iterator[str]:
    macro = name.upper()
    held = [p for p in inputs if p.place == "arena"]
    passed = [p for p in (*inputs, *outputs) if p.place == "argument"]
    memory = ["arena" if arena.bytes else "NULL", *(["psram"] if arena.external else [])]
    yield from (f"    {line}" for line in arena_definitions(macro, arena, sections))
    for port in passed:
        yield f"    static {port.c_type} {port.name}[{port.macro}_SIZE];"
    yield ""
    for port in held:
        where = f"{name}_{port.name}({memory[port.external]})"
        yield f"    {port.c_type} *{port.name} = {where};  (fill it before each run)"
    endless = any(p.calls for p in outputs)
    yield from _steps_help(name, inputs, outputs, memory) if endless else _run_help(name, inputs, outputs, memory)
    yield ""
    for port in (*inputs, *outputs):
        yield f"{port.name}: {_port(port)}"
    yield ""
    external = f", {arena.external} of a second one, for PSRAM" if arena.external else ""
    yield f"RAM: {arena.bytes} bytes of arena{external}{_beside(passed, inputs)}, and a small stack."
    yield f"Flash: {weights} bytes of constants, beside the code."
    yield ""
    if arena.bytes or arena.external:
        kept = "the state" if endless else "nothing but inputs" if held else "nothing"
        if arena.external:
            yield "What moves most lies in the first arena, what it has no room for in the second. Of both:"
        yield f"The arena holds {kept} between calls. Its address is a multiple of {macro}_ARENA_ALIGN."
        yield "Arena, inputs and outputs must not overlap each other." if not held else "Outputs must not overlap it."
        none = "nothing elsewhere" if endless else "no state"
        yield f"The functions keep {none}: they may run at the same time in several threads, each with its own arena."
    else:
        yield "This network needs no arena: it may be NULL. Inputs and outputs must not overlap each other."
        yield "The functions keep no state: they may run at the same time in several threads."


def _run_help(name: str, inputs: Sequence[CPort], outputs: Sequence[CPort], memory: Sequence[str]) -> Iterator[str]:
    """How to call a network, given its arenas."""
    called = [p for p in (*inputs, *outputs) if p.place == "rows"]
    passed = [p for p in (*inputs, *outputs) if p.place == "argument"]
    taken = [*memory, *(p.callback for p in called), *(["user"] if called else []), *(p.name for p in passed)]
    yield f"    {name}_run({', '.join(taken)});"
    if called:
        yield ""
    pushed = pushed_port(inputs)
    for port in called:
        if port is pushed:
            yield f"next_row(user, y, row) writes row y of {port.name} to `row`. Who has the rows at hand calls instead"
            yield f"{name}_push_row for each of them, in order, and then {name}_finish."
        elif port in inputs:
            yield f"{port.callback}(user, y, row) writes row y of {port.name} to `row`: 0, 1, ... in order, each once."
        else:
            yield f"{port.callback}(user, y, row) reads row y of {port.name} from `row`: 0, 1, ... in order, each once."
            yield "The row is there until it returns."


def _steps_help(name: str, inputs: Sequence[CPort], outputs: Sequence[CPort], memory: Sequence[str]) -> Iterator[str]:
    """The same of one that keeps its state."""
    yield f"    {name}_reset({', '.join(memory)});  (once, and where another signal begins)"
    yield f"    {name}_step({', '.join([*memory, *(p.name for p in (*inputs, *outputs))])});  (again and again)"
    yield ""
    yield "Each call takes the next rows of the inputs, and gives the rows of the outputs that belong to them. What it"
    yield "has to know of those before is in the arena, which is for one signal and for nothing else between calls."
    for port in (p for p in outputs if p.late):
        yield f"{port.name} is {port.late} row(s) late: the first that are given after a reset are not written."


def _cores_help(name: str, public: Sequence[PublicFunction]) -> Iterator[str]:
    if cores_start(name) in public:
        yield ""
        yield f"Two cores: call {name}_cores_start once before the first run. Its worker is the only state;"
        yield "of several runs at the same time, one has it and the others do without."


def _beside(passed: Sequence[CPort], inputs: Sequence[CPort]) -> str:
    """The caller's buffers, in words."""
    taken = sum(p.type.bytes for p in passed if p in inputs)
    given = sum(p.type.bytes for p in passed if p not in inputs)
    lies = ", input included" if any(p.place == "arena" for p in inputs) else ""
    parts = [f"{name} ({size})" for name, size in (("inputs", taken), ("outputs", given)) if size]
    return f"{lies}, beside {' and '.join(parts)}" if parts else lies


def _callback_types(inputs: Sequence[CPort], outputs: Sequence[CPort]) -> Iterator[str]:
    """The types of the functions of the caller's."""
    for port in (*inputs, *outputs):
        if port.place == "rows":
            gives = port in outputs
            does, how = ("Reads", "from `row`") if gives else ("Writes", "to `row`")
            yield f"/* {does} row y, {port.row_elements} elements, {how}. */"
            yield row_type(port, gives)
            yield ""


def _port(port: CPort) -> str:
    """What a port is, as the text of a comment."""
    shape = "x".join(map(str, port.type.shape)) or "scalar"
    text = f'"{comment(port.onnx_name)}", {port.c_type} {shape}'
    if port.layout:
        text += f" ({comment(port.layout)})"
    return text + (", each 0 or 1" if port.type.dtype is DType.BOOL else "")


def _image_macros(port: CPort) -> Iterator[str]:
    """The dimensions of an image or a signal whose rows lie one after the other."""
    if port.layout.startswith(("NHWC", "NLC")) or port.place == "rows" or port.calls:
        names = ("HEIGHT", "WIDTH", "CHANNELS") if port.type.rank == 4 else ("SAMPLES", "CHANNELS")
        for name, size in zip(names, port.type.shape[1:], strict=True):
            yield f"#define {port.macro}_{name} {size}"
