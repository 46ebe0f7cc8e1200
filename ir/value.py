"""Values: what operators take and give."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

from tinyc.ir.types import DType, TensorType


@dataclass(frozen=True)
class Value:
    """An SSA value: a name, unique within its module, and a type."""

    name: str
    type: TensorType

    def __hash__(self) -> int:
        return hash(self.name)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the value."""
        return self.type.shape

    @property
    def dtype(self) -> DType:
        """The element type of the value."""
        return self.type.dtype

    def with_rows(self, rows: int) -> Value:
        """The same value cut to `rows` rows (axis 1)."""
        return Value(self.name, TensorType((self.shape[0], rows, *self.shape[2:]), self.dtype))

    def __str__(self) -> str:
        return f"%{self.name}"


def unused(hint: str, taken: Container[str]) -> str:
    """A name that is not taken: the hint, or the hint and the first number that makes it new."""
    name, number = hint, 0
    while name in taken:
        number += 1
        name = f"{hint}_{number}"
    return name
