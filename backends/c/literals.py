"""Constants as C writes them, exactly: what the compiler reads has the bits of the array.

The one exception is NaN: C cannot write its payload, so every NaN becomes `NAN` or `-NAN`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tinyc.ir.expr import Number
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType

C_TYPES = {
    DType.F32: "float",
    DType.I8: "int8_t",
    DType.U8: "uint8_t",
    DType.I16: "int16_t",
    DType.I32: "int32_t",
    DType.I64: "int64_t",
    DType.BOOL: "uint8_t",
}
"""The C type of an element. A boolean is a byte that is 0 or 1."""

_PER_LINE = 8
_CHUNK_LINES = 8192


def literal(dtype: DType, value: Number) -> str:
    """One value of an element type."""
    if dtype is DType.F32:
        with np.errstate(over="ignore"):
            return _float(float(np.float32(value)), str(np.float32(value)))
    if dtype is DType.BOOL:
        return "1" if value else "0"
    return _integer(int(value), dtype)


def _float(value: float, text: str) -> str:
    if math.isnan(value):
        return "-NAN" if math.copysign(1.0, value) < 0 else "NAN"
    if math.isinf(value):
        return "-INFINITY" if value < 0 else "INFINITY"
    return f"{text}f" if "." in text or "e" in text else f"{text}.0f"


def _integer(value: int, dtype: DType) -> str:
    """The lowest 32 and 64 bit integers have no literal: `-2147483648` is a minus before a number too large."""
    bits = dtype.bytes * 8
    return f"INT{bits}_MIN" if bits >= 32 and value == -(2 ** (bits - 1)) else str(value)


def is_zero(array: Array) -> bool:
    """Whether all bytes are zero, so that `{0}` says it (-0.0 does not)."""
    return not np.frombuffer(array.tobytes(), np.uint8).any()


def rows(array: Array) -> str:
    """All values of an array, `_PER_LINE` in a line, each followed by a comma, lines indented."""
    flat = np.ascontiguousarray(array).reshape(-1)
    step = _PER_LINE * _CHUNK_LINES
    return "".join(_chunk(flat[k : k + step]) for k in range(0, flat.size, step))


def _chunk(flat: Array) -> str:
    """Formats with one `%` per chunk, which is what makes millions of values bearable."""
    values: Sequence[Number] = flat.tolist()
    if flat.dtype == np.float32:
        formats, odd = _float_formats(flat)
    else:
        formats, odd = np.full(flat.size, "%d", dtype=object), {}
        if flat.dtype.itemsize >= 4:
            dtype = DType.of(flat.dtype)
            lowest = np.iinfo(flat.dtype).min
            odd = {int(k): _integer(lowest, dtype) for k in np.flatnonzero(flat == lowest)}
    if odd:
        for k, text in odd.items():
            formats[k] = text
        values = [v for k, v in enumerate(values) if k not in odd]
    pieces = formats.tolist()
    lines = [", ".join(pieces[k : k + _PER_LINE]) for k in range(0, len(pieces), _PER_LINE)]
    return ("    " + ",\n    ".join(lines) + ",\n") % tuple(values)


def _float_formats(flat: Array) -> tuple[Array, dict[int, str]]:
    """The format of each value, and the literals of those that no format can write.

    Nine significant digits tell all float32 apart. `%.9g` leaves the point out for integers below 10^9, and without a
    point there can be no `f`; for those `%.1f` is exact.
    """
    finite = np.isfinite(flat)
    safe = np.where(finite, flat, np.float32(0))
    whole = (np.abs(safe) < 1e9) & (np.rint(safe) == safe)
    formats = np.where(whole, "%.1ff", "%.9gf").astype(object)
    return formats, {int(k): literal(DType.F32, flat[k]) for k in np.flatnonzero(~finite)}
