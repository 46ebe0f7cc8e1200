"""How operators and names are spelled in the text form.

Driven by the fields of the operators: no operator is known here. Data of more than a few elements is named (`@name`)
and kept beside the text.
"""

from __future__ import annotations

import enum
import json
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from tinyc.ir.op import FieldKind, Op, fields_of
from tinyc.ir.tensor import Array, Tensor

INLINE_ELEMENTS = 16
"""Data of at most this many elements is written in place."""

_PLAIN = re.compile(r"[A-Za-z0-9_.$/-]+")


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
    return sigil + (name if _PLAIN.fullmatch(name) else string(name))


def string(text: str) -> str:
    """A text in quotes."""
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
    return string(value) if isinstance(value, str) else repr(value)


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
