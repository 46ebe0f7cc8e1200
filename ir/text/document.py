"""The reference page of the operators, made from the operator classes themselves."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from tinyc.ir.op import REQUIRED, FieldKind, FieldSpec, Op, fields_of
from tinyc.ir.ops import registry

HEAD = """# Operators

The operators of the tensor IR. This page is made from the operator classes (`python -m tinyc.ir.text.document`); each
class is the single place of its operator. Operands are values; attributes are written `{name = value}` in the text
form and may be left out where a default is given.
"""


def operator_page() -> str:
    """The page, as Markdown."""
    return "\n".join([HEAD, *(line for op in registry().values() for line in _entry(op))])


def _entry(cls: type[Op]) -> Iterator[str]:
    yield f"## {cls.mnemonic}"
    yield ""
    yield inspect.cleandoc(cls.__doc__ or "")
    yield ""
    for spec in fields_of(cls):
        yield f"- `{spec.name}`: {_kind(spec)}"
    yield ""


def _kind(spec: FieldSpec) -> str:
    if spec.kind is not FieldKind.ATTRIBUTE:
        return str(spec.kind.value)
    name = str(spec.base.__name__)
    kind = f"list of {name}" if spec.is_tuple else name
    return f"attribute, {kind}" + ("" if spec.default is REQUIRED else f", default {spec.default!r}")


if __name__ == "__main__":
    print(operator_page(), end="")
