"""The files through which a program talks that was made of generated C, and what its exit status says.

Common to this computer and to simulated ones; all numbers are little endian. `harness.c` is the other side.

- `inputs.bin`: how many inferences there are (32 bits), then the inputs of each: all ports in order, elements as they
  lie in memory. A program that measures takes one inference.
- `outputs.bin`: the outputs of each inference in the same way.
- `trace.bin`: parts of the stages' results as they come into being. Each is a record: stage number, first byte in the
  whole result and byte count, three 32-bit integers, then the bytes. Stage -1 ends an inference.
- `counts.bin`: instructions and bytes of stack, instructions by stage number where asked for; 64 bits each.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tinyc.backends.c.source import CPort, CSource
from tinyc.ir.errors import IRError, TinycError
from tinyc.ir.tensor import Array

INPUTS, OUTPUTS, TRACE, COUNTS = "inputs.bin", "outputs.bin", "trace.bin", "counts.bin"

WROTE_OUTSIDE = (3, 4)
"""The exit statuses of a network that wrote where it must not."""

EXIT_MEANING: Mapping[int, str] = {
    2: "the harness could not open, read or write its files",
    3: "the network wrote outside its arena",
    4: "the network wrote outside an output",
    5: "the network did not take the rows of its input one by one, from the first to the last",
    6: "the network needs more stack than the harness can measure",
    7: "the network did not hand over the rows of its output one by one, from the first to the last",
}
"""What the program's exit status says."""

_HEAD = struct.Struct("<iii")


class RunnerError(TinycError):
    """Generated C that does not compile, fails when it runs, or writes where it must not."""


class Unsupported(RunnerError):
    """A program that a machine cannot run, whatever is right or wrong about it."""


class MissingTool(TinycError):
    """A program that is needed is not installed. The message names the packages that have it."""


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
            if array.shape != port.whole.shape or array.dtype != port.type.dtype.numpy:
                raise IRError(f"input {port.name} is {port.whole}, given {array.dtype}{list(array.shape)}")
            parts.append(np.ascontiguousarray(array).tobytes())
    return b"".join(parts)


def unpack_outputs(ports: Sequence[CPort], data: bytes, count: int) -> list[list[Array]]:
    """The arrays in `outputs.bin`, for each inference.

    Raises:
        RunnerError: the file has another size than `count` inferences give.
    """
    size = sum(p.whole.bytes for p in ports)
    if len(data) != size * count:
        raise RunnerError(f"{OUTPUTS} has {len(data)} bytes, not {size} for each of {count} inference(s)")
    found: list[list[Array]] = []
    at = 0
    for _ in range(count):
        arrays: list[Array] = []
        for port in ports:
            arrays.append(_array(data[at : at + port.whole.bytes], port))
            at += port.whole.bytes
        found.append(arrays)
    return found


def _array(data: bytes, port: CPort) -> Array:
    return np.frombuffer(bytearray(data), port.type.dtype.numpy).reshape(port.whole.shape)


@dataclass(frozen=True)
class _Record:
    """Part of a stage's result: its first byte in the whole result, how many, and where they begin in the file."""

    stage: int
    first: int
    bytes: int
    at: int


def unpack_traces(source: CSource, data: bytes, count: int) -> dict[int, Array]:
    """The results in `trace.bin` by stage number, those of all inferences stacked along a new first dimension.

    Raises:
        RunnerError: the parts are not the whole result of every stage, each element once, or not the same parts in
            every inference.
    """
    if not count:
        return {s.number: np.zeros((0, *s.type.shape), s.type.dtype.numpy) for s in source.stages}
    records = list(_first_records(data))
    length = records[-1].at if records else 0
    if not records or len(data) != count * length:
        raise RunnerError(f"{TRACE} has {len(data)} bytes, not {length} for each of {count} inference(s)")
    rows = np.frombuffer(data, np.uint8).reshape(count, length)
    for record in records:
        head = slice(record.at - _HEAD.size, record.at)
        if (rows[:, head] != rows[0, head]).any():
            raise RunnerError(f"{TRACE} does not have the same parts of stage {record.stage} in every inference")
    types = {stage.number: stage.type for stage in source.stages}
    found = {number: np.zeros((count, t.bytes), np.uint8) for number, t in types.items()}
    times = {number: np.zeros(t.bytes, np.uint8) for number, t in types.items()}
    for r in records[:-1]:
        if r.stage not in types or not 0 <= r.first <= r.first + r.bytes <= types[r.stage].bytes:
            raise RunnerError(
                f"{TRACE} has bytes {r.first} to {r.first + r.bytes} of stage {r.stage}, which has none"
                f"{_layer(source, r.stage)}"
            )
        found[r.stage][:, r.first : r.first + r.bytes] = rows[:, r.at : r.at + r.bytes]
        times[r.stage][r.first : r.first + r.bytes] += 1
    for number, counted in times.items():
        if (counted != 1).any():
            byte = int(np.argmax(counted != 1))
            raise RunnerError(
                f"{TRACE} has byte {byte} of stage {number} {counted[byte]} times, not once{_layer(source, number)}"
            )
    return {n: found[n].view(t.dtype.numpy).reshape(count, *t.shape) for n, t in types.items()}


def _layer(source: CSource, number: int) -> str:
    """A stage as errors name it, in brackets; nothing for one that there is not."""
    return "".join(f" (layer {s.number}, {s.label})" for s in source.stages if s.number == number)


def last_stage(data: bytes) -> int | None:
    """The stage of the last whole record in `trace.bin`: where a program stopped recording, the first to write where it
    must not. None when there is no record."""
    at, found = 0, None
    while at + _HEAD.size <= len(data):
        stage, _, size = _HEAD.unpack_from(data, at)
        at += _HEAD.size + max(size, 0)
        if stage >= 0 and at <= len(data):
            found = stage
    return found


def _first_records(data: bytes) -> Iterator[_Record]:
    """The records of the first inference with the one that ends it; nothing when it does not end."""
    at = 0
    while at + _HEAD.size <= len(data):
        stage, first, size = _HEAD.unpack_from(data, at)
        at += _HEAD.size
        yield _Record(stage, first, size, at)
        if stage < 0:
            return
        at += max(size, 0)
    raise RunnerError(f"{TRACE} ends within an inference")


def unpack_counts(data: bytes, stages: int) -> tuple[int, int, tuple[int, ...]]:
    """Instructions, bytes of stack, and instructions of as many stages, in `counts.bin`.

    Raises:
        RunnerError: the file has another size.
    """
    if len(data) != 8 * (2 + stages):
        raise RunnerError(f"{COUNTS} has {len(data)} bytes, not {8 * (2 + stages)}")
    instructions, stack, *layers = struct.unpack(f"<{2 + stages}q", data)
    return instructions, stack, tuple(layers)
