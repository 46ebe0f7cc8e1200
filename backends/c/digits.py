"""Millions of numbers as text, some characters of all of them at a time: what `%` writes, many times as fast.

A block of numbers becomes a table of characters with one number a line, and a table of the same shape that says which
of them are written.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tinyc.ir.tensor import Array

Characters = NDArray[np.uint8]
Written = NDArray[np.bool_]
_LOWEST, _HIGHEST = -4, -1
"""The decimal exponents of the numbers that are written with a zero before the point, and as many behind it as need be:
most weights."""
_CLOSE = 1e-3
"""How near a number may be to the middle between two of nine digits, in units of the last one: the product that decides
is off by no more than 1e-6."""


def _words(texts: Sequence[bytes]) -> NDArray[np.uint32]:
    """Four characters each, as numbers that are copied at once."""
    return np.frombuffer(b"".join(texts), np.uint32)


def _taken(texts: Sequence[bytes]) -> NDArray[np.uint32]:
    """Which of the characters are no spaces."""
    characters = np.frombuffer(b"".join(texts), np.uint8)
    return np.not_equal(characters, ord(" ")).view(np.uint32)


_FOUR = [b"%04d" % k for k in range(10_000)]
_DIGITS = _words(_FOUR)
_WITHOUT_ZEROS = _taken([text.rstrip(b"0").ljust(4) for text in _FOUR])
_SIGNS = _taken([b" 0.0", b"-0.0", b" 0. ", b"-0. "])
"""Those written for a positive and a negative number, with zeros behind the point and without."""
_ZEROS = _taken([b"00 d", b" 0 d", b"   d", b"   d"])
"""The other zeros behind the point, and the first digit, by exponent."""
_FIRST = _words([b"00 %d" % k for k in range(10)])
FLOAT_WIDTH = 20


def fill_floats(flat: Array, table: Characters, written: Written) -> NDArray[np.bool_]:
    """Fills in what `%.9gf` writes for each float32: a sign, a zero, the point, zeros, nine digits without the zeros at
    their end, and an f. Says for which of them that is not known of here.

    Args:
        flat: the numbers.
        table: `FLOAT_WIDTH` characters each.
        written: the same.
    """
    with np.errstate(invalid="ignore"):
        size = np.abs(flat).astype(np.float64)
    known = (size >= 10.0**_LOWEST) & (size < 1.0)
    size[~known] = 0.5
    exponent = sum((size >= 10.0**k).astype(np.intp) for k in range(_LOWEST + 1, _HIGHEST + 1))
    scaled = size * np.array([1e12, 1e11, 1e10, 1e9])[exponent]
    number = np.rint(scaled)
    known &= (np.abs(scaled - number) < 0.5 - _CLOSE) & (scaled > 1e8 + 1) & (scaled < 1e9 - 1)
    number[~known] = 1e8
    upper, lower = np.divmod(number.astype(np.uint32), np.uint32(10_000))
    first, middle = np.divmod(upper, np.uint32(10_000))
    columns = [table[:, k : k + 4].view(np.uint32)[:, 0] for k in range(0, FLOAT_WIDTH, 4)]
    columns[0][:], columns[1][:], columns[4][:] = _words([b"-0.0"]), _FIRST[first], _words([b"f   "])
    columns[2][:], columns[3][:] = _DIGITS[middle], _DIGITS[lower]
    taken = [written[:, k : k + 4].view(np.uint32)[:, 0] for k in range(0, FLOAT_WIDTH, 4)]
    taken[0][:] = _SIGNS[np.signbit(flat) + 2 * (exponent == _HIGHEST - _LOWEST)]
    taken[1][:] = _ZEROS[exponent]
    taken[2][:] = np.where(lower, _taken([b"dddd"]), _WITHOUT_ZEROS[middle])
    taken[3][:], taken[4][:] = _WITHOUT_ZEROS[lower], _taken([b"f   "])
    return ~known


def text_table(texts: Sequence[bytes]) -> tuple[Characters, Written]:
    """These texts, which are not empty."""
    lines = np.array(texts)
    table = lines.view(np.uint8).reshape(len(lines), -1)
    return table, table != 0


BYTE_WIDTH = 4
_BYTES = {
    np.dtype(kind): [b"%4d" % k for k in np.arange(256, dtype=np.uint8).view(kind).tolist()]
    for kind in (np.int8, np.uint8)
}


def fill_bytes(flat: Array, table: Characters, written: Written) -> None:
    """Fills in what `%d` writes for each int8, uint8 or boolean: `BYTE_WIDTH` characters, as for floats."""
    texts, at = _BYTES[np.dtype(np.int8 if flat.dtype == np.int8 else np.uint8)], flat.view(np.uint8)
    table.view(np.uint32)[:, 0], written.view(np.uint32)[:, 0] = _words(texts)[at], _taken(texts)[at]
