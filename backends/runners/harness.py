"""The C program around generated C, and the files it talks through: common to the host and to simulators.

The program reads from `inputs.bin` how many inferences there are (32 bits) and then the inputs of each, and writes the
outputs of each to `outputs.bin`: all ports in order, elements as they lie in memory (little endian on every machine we
have). Built with
`HARNESS_TRACE`, it writes every stage's result to `trace.bin` as a record: stage number and byte count, two 32-bit
integers, then the bytes.

Arena and outputs are filled with garbage before every inference and lie between canary bytes that are checked after
it. (A sanitiser guards the ends itself, and sees reads too, so the canaries are left out then.)
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

import numpy as np

from tinyc.backends.c.source import CPort, CSource
from tinyc.ir.errors import IRError, TinycError
from tinyc.ir.tensor import Array

INPUTS, OUTPUTS, TRACE = "inputs.bin", "outputs.bin", "trace.bin"

EXIT_MEANING: Mapping[int, str] = {
    2: "the harness could not open or read its files",
    3: "the network wrote outside its arena",
    4: "the network wrote outside an output",
}
"""What the program's exit status says."""


class RunnerError(TinycError):
    """Generated C that does not compile, fails when it runs, or writes where it must not."""


class MissingTool(TinycError):
    """A program that is needed is not installed. The message names the packages that have it."""


_HEAD = """/* Runs {name} on the inferences in a file. Made by tinyc for tests. */
#include <stdio.h>
#include <string.h>

#include "{name}.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define GUARD 0
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#undef GUARD
#define GUARD 0
#endif
#ifndef GUARD
#define GUARD 64
#endif

#define CANARY 0xA7
#define ALIGNED __attribute__((aligned({align})))

/* Room for `bytes` between guards; ROOM_AT is where the room begins. */
#define ROOM(bytes) (GUARD + (bytes) + GUARD)

"""

_CHECKS = """
static void garbage(unsigned char *room, size_t bytes, uint32_t turn)
{
    memset(room, CANARY, ROOM(bytes));
    /* As float32 the one is huge, the other NaN. */
    memset(room + GUARD, turn % 2 != 0 ? 0xFF : 0x7F, bytes);
}

static int intact(const unsigned char *room, size_t bytes)
{
    int k;
    for (k = 0; k < GUARD; ++k) {
        if (room[k] != CANARY || room[GUARD + bytes + (size_t)k] != CANARY) {
            return 0;
        }
    }
    return 1;
}
"""

TRACE_HEADER = """#include <stddef.h>
void harness_trace(int stage, const void *data, size_t bytes);
#define TINYC_TRACE(stage, data, count) harness_trace((stage), (data), (size_t)(count) * sizeof *(data))
"""
"""Goes before the network's source by `-include` when tracing."""

_TRACE_C = """
#ifdef HARNESS_TRACE
static FILE *traced;

void harness_trace(int stage, const void *data, size_t bytes);
void harness_trace(int stage, const void *data, size_t bytes)
{
    const int head[2] = {stage, (int)bytes};
    fwrite(head, sizeof head, 1, traced);
    fwrite(data, 1, bytes, traced);
}
#endif
"""


def harness_c(source: CSource) -> str:
    """The harness's main.c."""
    align = max(16, source.arena_align)
    rooms = [("arena", f"{source.macro}_ARENA_BYTES")] + [(p.name, f"{p.macro}_BYTES") for p in source.outputs]
    # One byte more than nothing: C has no empty arrays.
    memory = [f"ALIGNED static unsigned char {name}_room[ROOM({size}) + ({size} == 0)];" for name, size in rooms]
    memory += [
        f"ALIGNED static unsigned char {p.name}_bytes[{p.macro}_BYTES + ({p.macro}_BYTES == 0)];" for p in source.inputs
    ]
    head = _HEAD.format(name=source.name, align=align)
    return head + "".join(f"{line}\n" for line in memory) + _CHECKS + _TRACE_C + _main(source, rooms)


def _main(source: CSource, rooms: Sequence[tuple[str, str]]) -> str:
    arguments = ["arena_room + GUARD" if source.arena_bytes else "NULL"]
    arguments += [f"(const {p.c_type} *)(const void *){p.name}_bytes" for p in source.inputs]
    arguments += [f"({p.c_type} *)(void *)({p.name}_room + GUARD)" for p in source.outputs]
    lines = [
        "",
        "int main(void)",
        "{",
        f'    FILE *in = fopen("{INPUTS}", "rb");',
        f'    FILE *out = fopen("{OUTPUTS}", "wb");',
        "    uint32_t turn;",
        "    uint32_t turns;",
        "    if (in == NULL || out == NULL || fread(&turns, sizeof turns, 1, in) != 1) {",
        "        return 2;",
        "    }",
        "#ifdef HARNESS_TRACE",
        f'    traced = fopen("{TRACE}", "wb");',
        "    if (traced == NULL) {",
        "        return 2;",
        "    }",
        "#endif",
        "    for (turn = 0; turn < turns; ++turn) {",
    ]
    for p in source.inputs:
        lines.append(f"        if (fread({p.name}_bytes, 1, {p.macro}_BYTES, in) != {p.macro}_BYTES) {{")
        lines += ["            return 2;", "        }"]
    lines += [f"        garbage({name}_room, {size}, turn);" for name, size in rooms]
    lines.append(f"        {source.name}_run({', '.join(arguments)});")
    for number, (name, size) in enumerate(rooms):
        lines.append(f"        if (!intact({name}_room, {size})) {{")
        lines += [f"            return {4 if number else 3};", "        }"]
    lines += [f"        fwrite({p.name}_room + GUARD, 1, {p.macro}_BYTES, out);" for p in source.outputs]
    lines += [
        "    }",
        "#ifdef HARNESS_TRACE",
        "    fclose(traced);",
        "#endif",
        "    fclose(in);",
        "    return fclose(out) == 0 ? 0 : 2;",
        "}",
    ]
    return "\n".join(lines) + "\n"


def pack_inputs(ports: Sequence[CPort], inferences: Sequence[Sequence[Array]]) -> bytes:
    """The contents of `inputs.bin`.

    Raises:
        IRError: an array has another shape or element type than its port.
    """
    parts = [struct.pack("<I", len(inferences))]
    for arrays in inferences:
        if len(arrays) != len(ports):
            raise IRError(f"takes {len(ports)} input(s), {len(arrays)} given")
        for port, array in zip(ports, arrays, strict=True):
            if array.shape != port.type.shape or array.dtype != port.type.dtype.numpy:
                raise IRError(f"input {port.name} is {port.type}, given {array.dtype}{list(array.shape)}")
            parts.append(np.ascontiguousarray(array).tobytes())
    return b"".join(parts)


def unpack_outputs(ports: Sequence[CPort], data: bytes, count: int) -> list[list[Array]]:
    """The arrays in `outputs.bin`, for each inference.

    Raises:
        RunnerError: the file has another size than `count` inferences give.
    """
    size = sum(p.type.bytes for p in ports)
    if len(data) != size * count:
        raise RunnerError(f"{OUTPUTS} has {len(data)} bytes, not {size} for each of {count} inference(s)")
    found: list[list[Array]] = []
    at = 0
    for _ in range(count):
        arrays: list[Array] = []
        for port in ports:
            arrays.append(_array(data[at : at + port.type.bytes], port))
            at += port.type.bytes
        found.append(arrays)
    return found


def _array(data: bytes, port: CPort) -> Array:
    return np.frombuffer(bytearray(data), port.type.dtype.numpy).reshape(port.type.shape)


def unpack_traces(source: CSource, data: bytes, count: int) -> dict[int, Array]:
    """The results in `trace.bin` by stage number, those of all inferences stacked along a new first dimension.

    Every inference writes one record a stage, in the order of execution: number, size, and the bytes of the result.

    Raises:
        RunnerError: a record is not what its stage gives.
    """
    length = sum(8 + stage.type.bytes for stage in source.stages)
    if len(data) != count * length:
        raise RunnerError(f"{TRACE} has {len(data)} bytes, not {length} for each of {count} inference(s)")
    records = np.frombuffer(data, np.uint8).reshape(count, length)
    found: dict[int, Array] = {}
    at = 0
    for stage in source.stages:
        head = np.frombuffer(struct.pack("<ii", stage.number, stage.type.bytes), np.uint8)
        if (records[:, at : at + 8] != head).any():
            raise RunnerError(f"{TRACE} has no record of stage {stage.number} where it should be")
        at += 8
        raw = np.ascontiguousarray(records[:, at : at + stage.type.bytes])
        found[stage.number] = raw.view(stage.type.dtype.numpy).reshape(count, *stage.type.shape)
        at += stage.type.bytes
    return found
