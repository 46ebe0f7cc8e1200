"""The constants of a program as C arrays in a file of their own; equal ones are one array."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyc.backends.c import literals
from tinyc.backends.c.names import Names
from tinyc.ir.expr import Number
from tinyc.ir.tensor import Array, Tensor
from tinyc.ir.types import DType, TensorType


@dataclass
class PadRow:
    """A shared row of one value, as long as its longest use."""

    symbol: str
    dtype: DType
    value: Number
    length: int

    @property
    def array(self) -> Array:
        """The row."""
        return np.full(self.length, self.value, self.dtype.numpy)


class Constants:
    """Collects the constants that are used while functions are emitted."""

    def __init__(self, prefix: str, names: Names) -> None:
        self._prefix = f"{prefix}_"
        self._names = names
        self._arrays: dict[str, tuple[Tensor, str]] = {}
        self._by_content: dict[Tensor, str] = {}
        self._pads: dict[tuple[DType, bytes], PadRow] = {}

    def symbol(self, array: Array, hint: str, note: str = "") -> str:
        """The C array that holds these elements, in this order. `note` is said in a comment where it is defined."""
        flat = Tensor(np.ascontiguousarray(array).reshape(-1))
        if flat not in self._by_content:
            symbol = self._names.fresh(hint, self._prefix)
            self._by_content[flat] = symbol
            self._arrays[symbol] = (flat, note)
        return self._by_content[flat]

    def pad_row(self, dtype: DType, value: Number, length: int) -> str:
        """The shared row that holds `value` at least `length` times."""
        key = (dtype, np.asarray(value, dtype.numpy).tobytes())
        if key not in self._pads:
            hint = "zeros" if not any(key[1]) else f"pads_{dtype.value}" if len(self._pads) else "pads"
            self._pads[key] = PadRow(self._names.fresh(hint, self._prefix), dtype, value, length)
        row = self._pads[key]
        row.length = max(row.length, length)
        return row.symbol

    def _all(self) -> list[tuple[str, TensorType, Array, str]]:
        found = [(symbol, tensor.type, tensor.array, note) for symbol, (tensor, note) in self._arrays.items()]
        for row in self._pads.values():
            note = "what stands for rows and columns outside a tensor"
            found.append((row.symbol, TensorType((row.length,), row.dtype), row.array, note))
        return found

    @property
    def bytes(self) -> int:
        """Bytes of all arrays."""
        return sum(type.bytes for _, type, _, _ in self._all())

    @property
    def element(self) -> int:
        """Bytes of the largest element of an array."""
        return max((type.dtype.bytes for _, type, _, _ in self._all()), default=1)

    def declarations(self, align: str) -> str:
        """`extern` declarations of all arrays, each with the macro `align`: who reads an array has to know it as well,
        for compilers suppose more of large arrays than is asked for here."""
        return "".join(
            f"extern {align} const {literals.C_TYPES[type.dtype]} {symbol}[{type.size}];\n"
            for symbol, type, _, _ in self._all()
        )

    def definitions(self, memory: str) -> str:
        """Definitions of all arrays, each preceded by the macro `memory`."""
        parts = []
        for symbol, type, array, note in self._all():
            head = f"/* {note} */\n" if note else ""
            head += f"{memory} const {literals.C_TYPES[type.dtype]} {symbol}[{type.size}] = "
            body = "{0};\n" if literals.is_zero(array) else "{\n" + literals.rows(array) + "};\n"
            parts.append(head + body)
        return "\n".join(parts)

    def need_math(self) -> bool:
        """Whether a definition uses NAN or INFINITY."""
        return any(t.dtype.is_float and not np.isfinite(a).all() for _, t, a, _ in self._all())
