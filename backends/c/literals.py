"""Constants as C writes them, exactly: what the compiler reads has the bits of the array.

The one exception is NaN: C cannot write its payload, so every NaN becomes `NAN` or `-NAN`.
"""

from __future__ import annotations

import math

import numpy as np

from tinyc.backends.c.digits import BYTE_WIDTH, FLOAT_WIDTH, Characters, Written, fill_bytes, fill_floats, text_table
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
_CHUNK_LINES = 4096
_INDENT = 4


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
    """Some lines, some characters of all values at a time, which is what makes millions of values bearable."""
    texts = () if flat.dtype == np.float32 or flat.dtype.itemsize == 1 else text_table(_integers(flat))
    width = texts[0].shape[1] if texts else FLOAT_WIDTH if flat.dtype == np.float32 else BYTE_WIDTH
    characters = np.empty((flat.size, _INDENT + width + 2), np.uint8)
    taken = np.empty(characters.shape, np.bool_)
    table, written = characters[:, _INDENT:-2], taken[:, _INDENT:-2]
    if texts:
        table[:], written[:] = texts
    elif flat.dtype == np.float32:
        _fill(flat, table, written)
    else:
        fill_bytes(flat, table, written)
    place = np.arange(flat.size) % _PER_LINE
    characters[:, :_INDENT], characters[:, -2], characters[:, -1] = ord(" "), ord(","), ord(" ")
    characters[place == _PER_LINE - 1, -1] = characters[-1, -1] = ord("\n")
    taken[:, :_INDENT], taken[:, -2:] = (place == 0)[:, None], True
    return characters[taken].tobytes().decode("ascii")


def _fill(flat: Array, table: Characters, written: Written) -> None:
    """Fills in floats, those as well that cannot be written together."""
    others = fill_floats(flat, table, written)
    if others.any():
        texts, there = text_table(_floats(flat[others]))
        written[others] = False
        table[others, : texts.shape[1]], written[others, : texts.shape[1]] = texts, there


def _integers(flat: Array) -> list[bytes]:
    """Literals of integers, by one `%` for all."""
    texts = (b"%d\n" * flat.size % tuple(flat.tolist())).split()
    if flat.dtype.itemsize >= 4:
        lowest = np.iinfo(flat.dtype).min
        for k in np.flatnonzero(flat == lowest).tolist():
            texts[k] = _integer(lowest, DType.of(flat.dtype)).encode("ascii")
    return texts


def _floats(flat: Array) -> list[bytes]:
    """Literals of float32, by one `%` for all.

    Nine significant digits tell all of them apart. `%.9g` leaves the point out for integers below 10^9, and without a
    point there can be no `f`; for those `%.1f` is exact.
    """
    finite = np.isfinite(flat)
    safe = np.where(finite, flat, np.float32(0))
    whole = (np.abs(safe) < 1e9) & (np.rint(safe) == safe)
    texts = (b"".join(np.where(whole, b"%.1ff\n", b"%.9gf\n").tolist()) % tuple(safe.tolist())).split()
    for k in np.flatnonzero(~finite).tolist():
        texts[k] = literal(DType.F32, flat[k]).encode("ascii")
    return texts
