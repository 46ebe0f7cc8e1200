"""Types of values: a shape and an element type, nothing else.

Storage only: quantisation parameters are attributes of the operators that use them, so a type never lies about
what a byte means, and two operators may read the same bytes with different scales.
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tinyc.ir.errors import IRError

LARGEST = 1 << 26
"""Elements that a value which comes from a file or a text may have: in int8, they fill the largest memory that a target
has (64 MB), and a few words that ask for more must not take gigabytes to compute."""


WORD = 4
"""Bytes that a processor moves at once where addresses are multiples of them."""


class DType(enum.Enum):
    """Element types. The value is the spelling in the text form."""

    F32 = "f32"
    I8 = "i8"
    U8 = "u8"
    I16 = "i16"
    I32 = "i32"
    I64 = "i64"
    BOOL = "bool"

    @cached_property
    def numpy(self) -> np.dtype[np.generic]:
        """The numpy type with the same bytes."""
        return _NUMPY[self]

    @property
    def bytes(self) -> int:
        """Bytes of one element."""
        return int(self.numpy.itemsize)

    @property
    def is_float(self) -> bool:
        """Whether elements are floating point."""
        return self is DType.F32

    @property
    def is_integer(self) -> bool:
        """Whether elements are integers (booleans are not)."""
        return self not in (DType.F32, DType.BOOL)

    @property
    def limits(self) -> tuple[int, int]:
        """The smallest and the largest value of an integer type, or of booleans."""
        if self is DType.BOOL:
            return 0, 1
        bits = 8 * self.bytes
        return (0, 2**bits - 1) if self is DType.U8 else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)

    def holds(self, number: float) -> float:
        """A number as an element of this type holds it."""
        return float(self.numpy.type(number)) if self.is_float else float(int(number))

    def has(self, number: float) -> bool:
        """Whether a number is an element of this type; floats are rounded."""
        if self.is_float:
            return True
        low, high = (0, 1) if self is DType.BOOL else self.limits
        return low <= number <= high and number == int(number)

    @staticmethod
    def of(dtype: np.typing.DTypeLike) -> DType:
        """The element type of a numpy type. Raises `IRError` for one the IR does not have."""
        found = _FROM_NUMPY.get(np.dtype(dtype))
        if found is None:
            raise IRError(
                f"element type {np.dtype(dtype)} is not supported (supported: {', '.join(d.value for d in DType)})"
            )
        return found


_NUMPY: dict[DType, np.dtype[np.generic]] = {
    DType.F32: np.dtype(np.float32),
    DType.I8: np.dtype(np.int8),
    DType.U8: np.dtype(np.uint8),
    DType.I16: np.dtype(np.int16),
    DType.I32: np.dtype(np.int32),
    DType.I64: np.dtype(np.int64),
    DType.BOOL: np.dtype(np.bool_),
}
_FROM_NUMPY = {n: d for d, n in _NUMPY.items()}


@dataclass(frozen=True)
class TensorType:
    """The type of a value: static shape and element type. `f32[1,28,28,8]` in the text form, `f32[]` for a scalar."""

    shape: tuple[int, ...]
    dtype: DType

    def __post_init__(self) -> None:
        if any(type(d) is not int or d < 0 for d in self.shape):
            raise IRError(f"a shape has non-negative integers, not {self.shape}")

    @property
    def rank(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        """Bytes of all elements."""
        return self.size * self.dtype.bytes

    @property
    def has_rows(self) -> bool:
        """Whether dimension 1 is that of rows: of an image [1, H, W, C], of a sequence [1, T, C], of whatever has three
        dimensions or more and a batch of 1."""
        return len(self.shape) >= 3 and self.shape[0] == 1

    def __str__(self) -> str:
        return f"{self.dtype.value}[{','.join(map(str, self.shape))}]"
