"""The fields of an operator class: what they hold, read from their annotations, and whether a value is such."""

from __future__ import annotations

import dataclasses
import enum
import math
import types
import typing
from dataclasses import dataclass
from typing import Any, ClassVar

from tinyc.ir.errors import IRError
from tinyc.ir.tensor import Tensor
from tinyc.ir.value import Value


class FieldKind(enum.Enum):
    """What a field of an operator holds."""

    OPERAND = "operand"
    OPTIONAL = "optional operand"
    VARIADIC = "variadic operand"
    ATTRIBUTE = "attribute"


REQUIRED: Any = object()
"""The `default` of a field that has none."""


@dataclass(frozen=True)
class FieldSpec:
    """A field of an operator class, read from its annotation. `base` is the attribute's (element) type."""

    name: str
    kind: FieldKind
    base: type = Value
    is_tuple: bool = False
    default: Any = REQUIRED


_FIELDS: dict[type, tuple[FieldSpec, ...]] = {}


def fields_of(cls: type) -> tuple[FieldSpec, ...]:
    """The fields of an operator class, in order, classified by their annotations."""
    if cls not in _FIELDS:
        hints = typing.get_type_hints(cls)
        _check_decorated(cls, hints)
        _FIELDS[cls] = tuple(_field_spec(cls, f, hints[f.name]) for f in dataclasses.fields(cls))
    return _FIELDS[cls]


def _check_decorated(cls: type, hints: typing.Mapping[str, Any]) -> None:
    """Raises `TypeError` where an attribute is declared that is no field, since nobody decorated its class."""
    fields = {f.name for f in dataclasses.fields(cls)}
    declared = (name for name, hint in hints.items() if ClassVar not in (hint, typing.get_origin(hint)))
    lacking = next((name for name in declared if name not in fields), None)
    if lacking is not None:
        raise TypeError(f"{cls.__name__}.{lacking} is no field: `@dataclass(frozen=True)` is missing before the class")


def _field_spec(cls: type, field: dataclasses.Field[Any], hint: Any) -> FieldSpec:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    default = REQUIRED if field.default is dataclasses.MISSING else field.default
    if hint is Value:
        return FieldSpec(field.name, FieldKind.OPERAND)
    if origin in (types.UnionType, typing.Union) and set(args) == {Value, type(None)}:
        return FieldSpec(field.name, FieldKind.OPTIONAL, default=default)
    if origin is tuple and args[0] is Value:
        return FieldSpec(field.name, FieldKind.VARIADIC, is_tuple=True)
    base = args[0] if origin is tuple else hint
    allowed = isinstance(base, type) and (base in (int, float, bool, str, Tensor) or issubclass(base, enum.Enum))
    if not allowed:
        raise TypeError(f"{cls.__name__}.{field.name}: {hint} is not a type an operator field can have")
    return FieldSpec(field.name, FieldKind.ATTRIBUTE, base, origin is tuple, default)


def check_field(spec: FieldSpec, value: Any, where: str) -> None:
    """The constructor check: each field holds what its annotation says."""
    want = "a tuple of " + spec.base.__name__ if spec.is_tuple else spec.base.__name__
    if spec.kind is FieldKind.OPTIONAL and value is None:
        return
    items = value if spec.is_tuple and isinstance(value, tuple) else (value,)
    right = spec.is_tuple == isinstance(value, tuple) and all(
        isinstance(v, spec.base) and not (spec.base is int and isinstance(v, bool)) for v in items
    )
    if not right:
        raise IRError(f"field {spec.name} takes {want}, not {value!r}", where)
    if spec.base is float and any(math.isnan(v) for v in items):
        raise IRError(f"field {spec.name} cannot be NaN", where)
