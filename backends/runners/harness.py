"""What `harness.c` includes for one network: its memory, and the calls of its functions.

An input comes as an argument, lies in the arena before the call (`N_input`), or comes row by row: the network asks for
each row (`N_row_fn`), or, in a program built with `HARNESS_PUSH`, is handed each (`N_start`, if there is one, then
`N_push_row` for each row, then `N_finish`). An output is an argument, or the network hands over each
row (`N_on_row_fn`). A network that keeps its state is called again and again (`N_reset`, then `N_step` for each part of
the model's window).

What a caller goes by are the macros of the network's header. The program does not compile unless they say what is known
of the network here, and each is named after what it says, so that the compiler's message tells which.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from tinyc.backends.c.functions import pushed_port
from tinyc.backends.c.source import CPort, CSource

FOLDER = Path(__file__).parent
_XTENSA = ("xtensa.h", "xtensa.c", "xtensa_lx106.c", "xtensa_windowed.c", "xtensa_clock.c", "xtensa.ld")
SUPPORT = ("host.h", "riscv.h", *_XTENSA)
"""What the harness needs for one machine or the other."""

TRACE_HEADER = """#include <stddef.h>
void harness_trace(int stage, size_t first, const void *data, size_t bytes);
#define TINYC_TRACE(stage, first, data, count) \\
    harness_trace((stage), (size_t)(first) * sizeof *(data), (data), (size_t)(count) * sizeof *(data))
"""
"""Goes before the network's source by `-include` when tracing."""

LAYERS_HEADER = """void harness_layer(int stage);
#define TINYC_TRACE(stage, first, data, count) harness_layer(stage)
"""
"""Goes before the network's source by `-include` when counting the instructions of each stage."""


def harness_files(source: CSource) -> Mapping[str, str]:
    """The texts of the harness by file name; `harness.c` is the one to compile."""
    return {
        "harness.c": (FOLDER / "harness.c").read_text(encoding="ascii"),
        "harness_network.h": network_h(source),
        "harness_trace.h": TRACE_HEADER,
        "harness_layers.h": LAYERS_HEADER,
        **support_files(),
    }


def support_files() -> Mapping[str, str]:
    """The texts of what programs need beside the harness, by file name."""
    return {f"harness_{name}": (FOLDER / name).read_text(encoding="ascii") for name in SUPPORT}


def network_h(source: CSource) -> str:
    """harness_network.h."""
    rows = rows_port(source)
    by_rows = [[p for p in ports if p.place == "rows"] for ports in (source.inputs, source.outputs)]
    lines = [
        f"/* The memory and the calls of {source.name}. Made by tinyc. */",
        f'#include "{source.name}.h"',
        "",
        f"#define HARNESS_STAGES {max([s.number for s in source.stages], default=0) + 1}",
        f"#define ALIGNED __attribute__((aligned({max(16, source.arena_align)})))",
        "",
        *_as_planned(source),
        "",
        f"ALIGNED static unsigned char arena_room[ROOM({source.macro}_ARENA_BYTES)];",
        f"ALIGNED static unsigned char psram_room[ROOM({_psram(source)})];",
        *(f"ALIGNED static unsigned char {p.name}_room[ROOM({_bytes(p)})];" for p in source.outputs),
        *(f"ALIGNED static unsigned char {p.name}_bytes[ROOM({_bytes(p)})];" for p in source.inputs),
        "",
        *_table(
            "const struct block",
            "arenas",
            [f"{{arena_room, {source.macro}_ARENA_BYTES}}", f"{{psram_room, {_psram(source)}}}"],
        ),
        *_table("const struct block", "outputs", [f"{{{p.name}_room, {_bytes(p)}}}" for p in source.outputs]),
        *_table("const struct data", "inputs", [f"{{{p.name}_bytes, {_bytes(p)}}}" for p in source.inputs]),
        "",
        *(_rows(p) for ports in by_rows for p in ports),
        *_table("struct rows *const", "asked_rows", [f"&{p.name}_rows" for p in by_rows[0]], "NULL"),
        *_table("struct rows *const", "given_rows", [f"&{p.name}_rows" for p in by_rows[1]], "NULL"),
        *(["", "static int harness_user __attribute__((unused));"] if any(by_rows) else []),
        "",
        *_placing(source),
        "",
    ]
    run = _inference(_steps(source) if source.calls else [_call(source, "run")])
    lines += [line for p in by_rows[0] for line in (*_asking(p, p is rows), "")]
    lines += [line for p in by_rows[1] for line in (*_taking(p), "")]
    if rows is not None:
        run = ["#ifdef HARNESS_PUSH", *_inference(_pushes(source, rows)), "#else", *run, "#endif"]
    return "\n".join([*lines, *run]) + "\n"


def rows_port(source: CSource) -> CPort | None:
    """The input that comes row by row and may be pushed."""
    return pushed_port(source.inputs)


def _as_planned(source: CSource) -> list[str]:
    """Types that are an error where a macro of the header says otherwise than the plan."""
    numbers = {f"{source.macro}_ARENA_BYTES": source.arena_bytes, f"{source.macro}_ARENA_ALIGN": source.arena_align}
    for port in (*source.inputs, *source.outputs):
        numbers |= {f"{port.macro}_SIZE": port.type.size, f"{port.macro}_BYTES": port.type.bytes}
    if source.psram_bytes:
        numbers[f"{source.macro}_PSRAM_BYTES"] = source.psram_bytes
    sizes = {"arena": source.arena_bytes} | ({"psram": source.psram_bytes} if source.psram_bytes else {})
    lines = [
        f"typedef char {macro}_is_as_planned[({macro}) == {number} ? 1 : -1];" for macro, number in numbers.items()
    ]
    for name, size in sizes.items():
        arena = f"{source.macro}_{name.upper()}"
        lines += [
            f"#ifdef {arena}",
            f"INLINE void {name}_as_defined(void)",
            "{",
            f"    {arena}(made);",
            f"    typedef char {arena}_is_as_planned[sizeof made == {size} ? 1 : -1];",
            f"    (void)sizeof({arena}_is_as_planned);",
            "}",
            "#endif",
        ]
    return lines


def _bytes(port: CPort) -> str:
    """The size of an input or output of the model."""
    return str(port.whole.bytes) if port.calls else f"{port.macro}_BYTES"


def _psram(source: CSource) -> str:
    """The size of the arena in external memory."""
    return f"{source.macro}_PSRAM_BYTES" if source.psram_bytes else "0"


def _table(kind: str, name: str, entries: Sequence[str], end: str = "{NULL, 0}") -> list[str]:
    return [f"static {kind} {name}[] = {{{', '.join([*entries, end])}}};"]


def _rows(port: CPort) -> str:
    """What is known of the rows of a port."""
    height = port.type.shape[1]
    return f"static struct rows {port.name}_rows = {{{height}, {port.type.bytes // height}, 0, 0}};"


def _arenas(source: CSource) -> dict[str, str]:
    """What the parameters for arenas are given."""
    sizes = {"arena": source.arena_bytes, "psram": source.psram_bytes}
    return {name: f"{name}_room + GUARD" if size else "NULL" for name, size in sizes.items()}


def _placing(source: CSource) -> list[str]:
    """The function that puts inputs into the arena, and starts the other core where the network uses one."""
    lines = ["static void place_inputs(void)", "{"]
    lines += [f"    (void){source.name}_cores_start();"] if source.cores > 1 else []
    for port in source.inputs:
        if port.place == "arena":
            where = f"{source.name}_{port.name}({_arenas(source)[port.arena]})"
            lines.append(f"    memcpy({where}, {port.name}_bytes, {port.macro}_BYTES);")
    return [*lines, "}"]


def _asking(port: CPort, pushed: bool) -> list[str]:
    """The function that the network calls for a row. `user` must be what the harness gave."""
    lines = [
        f"static void {port.callback}(void *user, int row, {port.c_type} *to)",
        "{",
        f"    give_row(&{port.name}_rows, user != &harness_user, row, to, {port.name}_bytes);",
        "}",
    ]
    return ["#ifndef HARNESS_PUSH", *lines, "#endif"] if pushed else lines


def _taking(port: CPort) -> list[str]:
    """The function that the network hands a row to."""
    return [
        f"static void {port.callback}(void *user, int row, const {port.c_type} *from)",
        "{",
        f"    keep_row(&{port.name}_rows, user != &harness_user, row, from, {port.name}_room + GUARD);",
        "}",
    ]


def _inference(calls: Sequence[str]) -> list[str]:
    return ["INLINE void infer(void)", "{", *(f"    {line}" for line in calls), "}"]


def _pushes(source: CSource, port: CPort) -> list[str]:
    """Hands over the rows, all in one buffer: after each call it holds the next row, at last garbage."""
    if not _parameters(source, "push_row"):
        return []
    return [
        f"ALIGNED static unsigned char scratch[{port.type.bytes // port.type.shape[1]}];",
        f"{port.c_type} *const row_now = ({port.c_type} *)(void *)scratch;",
        "int y;",
        *([_call(source, "start")] if _parameters(source, "start") else []),
        f"for (y = 0; y < {port.type.shape[1]}; ++y) {{",
        f"    give_row(&{port.name}_rows, 0, y, row_now, {port.name}_bytes);",
        f"    {_call(source, 'push_row')}",
        "}",
        "spoil(scratch, sizeof scratch);",
        _call(source, "finish"),
    ]


def _steps(source: CSource) -> list[str]:
    """Calls a network that keeps its state, from its start on, until it has had the model's window. Each call has its
    part of the inputs, and gives its part of the outputs; what it gives late has been handed over in memory of its own.
    """
    late = [p for p in source.outputs if p.late]
    return [
        *(f"ALIGNED static unsigned char {p.name}_call[{p.type.bytes}];" for p in late),
        "int n;",
        _call(source, "reset"),
        f"for (n = 0; n < {source.calls}; ++n) {{",
        f"    {_call(source, 'step')}",
        *(f"    keep_late({_late(p)}, {p.name}_call, {p.name}_room + GUARD);" for p in late),
        "}",
    ]


def _late(port: CPort) -> str:
    """The number of the first row that a call gives, how many they are, and the bytes of each."""
    rows = port.type.shape[1]
    return f"n * {rows} - {port.late}, {rows}, {port.type.bytes // rows}"


def pushes(source: CSource) -> bool:
    """Whether the network can be handed its rows."""
    return rows_port(source) is not None and bool(_parameters(source, "push_row"))


def _call(source: CSource, function: str) -> str:
    """The call of a public function, its arguments chosen by the names of its parameters."""
    given = {**_arenas(source), "user": "&harness_user", "y": "y", "row": "row_now"}
    given |= {p.callback: p.callback for p in (*source.inputs, *source.outputs)}
    part = {p.name: f" + n * {p.type.bytes}" if p.calls else "" for p in (*source.inputs, *source.outputs)}
    given |= {p.name: f"(const {p.c_type} *)(const void *)({p.name}_bytes{part[p.name]})" for p in source.inputs}
    where = {p.name: f"{p.name}_call" if p.late else f"({p.name}_room + GUARD{part[p.name]})" for p in source.outputs}
    given |= {p.name: f"({p.c_type} *)(void *){where[p.name]}" for p in source.outputs}
    arguments = ", ".join(given[name] for name in _parameters(source, function))
    return f"{source.name}_{function}({arguments});"


def _parameters(source: CSource, function: str) -> list[str]:
    """The names of a function's parameters, as the public header declares it; none when it does not."""
    found = re.search(rf"^void {source.name}_{function}\(([^()]*)\);", source.files[source.header], re.MULTILINE)
    return [parameter.split()[-1].lstrip("*") for parameter in found[1].split(",")] if found else []
