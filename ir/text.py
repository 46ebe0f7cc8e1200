"""The text form: for people, tests and bug reports.

    module @net {
      input %x: f32[1,4]
      %w = constant() {data = f32[2,4]<0.5, ...>} : f32[2,4]
      %y = dense(%x, %w, none) {min = 0.0} : f32[1,2] loc("fc1")
      return %y
    }

The printer and the parser are both driven by the fields of the operators; neither knows any operator. Data of more
than a few elements is named (`@name`) and kept beside the text. `parse_module(format_module(m)) == m`.
"""

from __future__ import annotations

import enum
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinyc.ir.module import Module
from tinyc.ir.op import FieldKind, FieldSpec, Op, Value, fields_of
from tinyc.ir.rows import Buffer, RowProgram, Space, Stage
from tinyc.ir.tensor import Array, Tensor
from tinyc.ir.types import DType

INLINE_ELEMENTS = 16
"""Data of at most this many elements is written in place."""

_PLAIN = re.compile(r"[A-Za-z0-9_.$/-]+")


@dataclass(frozen=True)
class Text:
    """A printed module: its text, and the arrays the text names."""

    text: str
    data: Mapping[str, Array]


def format_module(module: Module) -> Text:
    """The text form of a module."""
    data: dict[str, Array] = {}
    lines = [f"module {quoted('@', module.name)} {{"]
    lines += [f"  input {quoted('%', v.name)}: {v.type}" for v in module.inputs]
    for node in module.nodes:
        loc = f" loc({_string(node.loc)})" if node.loc else ""
        op = format_op(node.op, data, node.result.name)
        lines.append(f"  {quoted('%', node.result.name)} = {op} : {node.result.type}{loc}")
    lines.append("  return " + ", ".join(quoted("%", v.name) for v in module.outputs))
    lines.append("}")
    return Text("\n".join(lines) + "\n", data)


def format_op(op: Op, data: dict[str, Array] | None = None, name: str = "data") -> str:
    """`mnemonic(operands) {attributes}`. Large data goes to `data` under `name`, or is abbreviated without it."""
    operands: list[str] = []
    attributes: list[str] = []
    for spec in fields_of(type(op)):
        value = getattr(op, spec.name)
        if spec.kind is FieldKind.ATTRIBUTE:
            if value != spec.default:
                attributes.append(f"{spec.name} = {_attribute(value, data, name)}")
        elif spec.kind is FieldKind.VARIADIC:
            operands.extend(quoted("%", v.name) for v in value)
        else:
            operands.append("none" if value is None else quoted("%", value.name))
    braces = f" {{{', '.join(attributes)}}}" if attributes else ""
    return f"{op.mnemonic}({', '.join(operands)}){braces}"


def quoted(sigil: str, name: str) -> str:
    """A name with its sigil, in quotes unless it is plain."""
    return sigil + (name if _PLAIN.fullmatch(name) else _string(name))


def _string(text: str) -> str:
    return json.dumps(text)


def _attribute(value: Any, data: dict[str, Array] | None, name: str) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(_attribute(v, data, name) for v in value) + "]"
    if isinstance(value, Tensor):
        return _tensor(value, data, name)
    if isinstance(value, enum.Enum):
        return str(value.value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return _string(value) if isinstance(value, str) else repr(value)


def _tensor(tensor: Tensor, data: dict[str, Array] | None, name: str) -> str:
    if tensor.type.size <= INLINE_ELEMENTS:
        return f"{tensor.type}<{', '.join(_numbers(tensor.array))}>"
    if data is None:
        return f"{tensor.type}<...>"
    data[name] = tensor.array
    return quoted("@", name)


def _numbers(array: Array) -> Iterator[str]:
    """Exact literals: the shortest decimal that reads back as the same float32, NaN as its bits."""
    for x in array.reshape(-1):
        if array.dtype != np.float32:
            yield str(int(x))
        elif np.isnan(x):
            yield hex(int(np.asarray(x).view(np.uint32)))
        else:
            short = str(x)
            yield short if np.float32(float(short)) == x else repr(float(x))


def format_program(program: RowProgram) -> str:
    """The text of a row program: buffers with their places, then stages in order. For reading; it is not parsed."""
    lines = [f"rows {quoted('@', program.name)} {{"]
    if program.plan is not None:
        plan = program.plan
        lines.append(f"  arena {plan.bytes} bytes, at least {plan.lower_bound}, aligned to {plan.alignment}")
    lines += [f"  {_buffer(program, b)}" for b in program.buffers]
    for segment in program.order:
        if segment.streams:
            lines.append(
                f"  {segment.first} to {segment.stages[-1]} advance together in {program.sweeps(segment)} sweeps"
            )
        if segment.reverse:
            lines.append("  from the last row to the first:")
        for number, pace in zip(segment.stages, segment.paces, strict=True):
            due = f" from sweep {pace.delay} every {pace.period}" if segment.streams else ""
            lines.append(f"  {number}{due}: {_stage(program.stages[number])}")
    lines.append("  return " + ", ".join(quoted("%", v.name) for v in program.outputs))
    lines.append("}")
    return "\n".join(lines) + "\n"


def _buffer(program: RowProgram, buffer: Buffer) -> str:
    place = ""
    if buffer.view is not None:
        place = f" in {quoted('%', buffer.view.base)} at {buffer.view.offset}"
        if buffer.view.follows is not None:
            stride, pad = buffer.view.follows
            place = f" in {quoted('%', buffer.view.base)}, row r in row {stride} r - {pad}"
    elif program.plan is not None and buffer.space is Space.ARENA:
        slot = program.plan.by_buffer[buffer.name]
        place = f" at {slot.offset}, {slot.bytes} bytes, stages {slot.first} to {slot.last}"
    rows = f", {buffer.rows} rows" if buffer.rows > 1 else ""
    rows += f" in a ring of {buffer.ring}" if buffer.ring else ""
    return f"{buffer.space.value} {quoted('%', buffer.name)}: {buffer.value.type}{rows}{place}"


def _stage(stage: Stage) -> str:
    reads = []
    for value, window in zip(stage.op.operands, stage.windows, strict=False):
        if window is not None and not window.is_pointwise:
            pad = f" pad {window.pad} ({window.mode.value})" if window.pad else ""
            spread = f" dilation {window.dilation}" if window.dilation != 1 else ""
            reads.append(f"{quoted('%', value.name)} by {window.size} rows, stride {window.stride}{spread}{pad}")
    how = "whole" if not stage.windows else f"{stage.rows} rows, {stage.band} at a time"
    how += f", on {stage.split} cores" if stage.split > 1 else ""
    how += f", by {stage.kernel.library}" if stage.kernel.library else ""
    how += f", scratch {quoted('%', stage.kernel.scratch.name)}" if stage.kernel.scratch is not None else ""
    loc = f" loc({_string(stage.loc)})" if stage.loc else ""
    return f"{quoted('%', stage.result.name)} = {format_op(stage.op)} [{'; '.join([how, *reads])}]{loc}"


def attribute_from(spec: FieldSpec, literal: Any) -> Any:
    """An attribute's value from a parsed literal, as the field's type asks. Raises ValueError when it does not fit."""
    if spec.is_tuple:
        if not isinstance(literal, tuple):
            raise ValueError(f"{spec.name} takes a list of {spec.base.__name__}")
        return tuple(_scalar(spec, item) for item in literal)
    return _scalar(spec, literal)


def _scalar(spec: FieldSpec, literal: Any) -> Any:
    base = spec.base
    if issubclass(base, enum.Enum) and isinstance(literal, str):
        for member in base:
            if member.value == literal:
                return member
        raise ValueError(f"{spec.name} is one of {', '.join(str(m.value) for m in base)}, not {literal}")
    if base is float and type(literal) in (int, float):
        return float(literal)
    if base is bool and literal in ("true", "false"):
        return literal == "true"
    if type(literal) is base:
        return literal
    raise ValueError(f"{spec.name} takes {base.__name__}, not {literal!r}")


def dtype_named(name: str) -> DType:
    """The element type spelled `name`. Raises ValueError."""
    try:
        return DType(name)
    except ValueError:
        raise ValueError(f"{name} is not an element type ({', '.join(d.value for d in DType)})") from None


__all__ = [
    "INLINE_ELEMENTS",
    "Text",
    "Value",
    "attribute_from",
    "dtype_named",
    "format_module",
    "format_op",
    "format_program",
    "quoted",
]
