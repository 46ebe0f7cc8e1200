"""Large constants for the assembler: a C compiler takes a hundred bytes of memory for each number that it reads.

The generated C states constants as text, and what runs here must be what that text says. So the text is read back,
array by array, and the assembler is given its numbers as bytes. All else in the file goes to the compiler as it is, the
types and sizes of these arrays among it, which it holds against the header's. What is not written as tinyc writes it
goes to the compiler, too.
"""

from __future__ import annotations

import hashlib
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tinyc.backends.c.literals import C_TYPES
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType

ByteOrder = Literal["<", ">", "="]
"""As numpy writes it."""
LARGE = 4096
"""Elements; arrays of fewer are left to the compiler."""
BYTES = "harness_constants.bin"
"""The file of the bytes."""
_ALIGN = 16
"""What the arrays' addresses are multiples of, as the generated C has it (`backends/c/program.py`)."""
_TYPES = {C_TYPES[dtype]: dtype for dtype in DType if dtype is not DType.BOOL}
_HEAD = re.compile(r"[\w ]*\bconst (\w+) (\w+)\[(\d+)\]")
_OPEN, _CLOSE = " = {\n", "};\n"
_ASSEMBLY = """__asm__(".pushsection .rodata\\n.balign {align}\\n.globl {symbol}\\n.type {symbol},%object\\n"
        ".size {symbol},{size}\\n{symbol}:\\n.incbin \\"{file}\\",{at},{size}\\n.popsection\\n");
"""


@dataclass(frozen=True)
class Lean:
    """A file of constants without the large ones, and the bytes of these."""

    text: str
    data: bytes


def lean(text: str, byte_order: ByteOrder) -> Lean | None:
    """A file of constants whose large arrays come from `BYTES`; None where it has none that can.

    Args:
        text: the C.
        byte_order: of the machine.
    """
    kept: list[str] = []
    data = bytearray()
    at = 0
    for found in _large(text):
        array = _read(found, text)
        if array is None:
            continue
        data += bytes(-len(data) % _ALIGN)
        raw = array.astype(array.dtype.newbyteorder(byte_order)).tobytes()
        placed = _ASSEMBLY.format(align=_ALIGN, symbol=found.symbol, file=BYTES, at=len(data), size=len(raw))
        kept += [text[at : found.start], f"extern {text[found.start : found.open]};\n", placed]
        data += raw
        at = found.end
    if not data:
        return None
    # Objects are kept by the texts that they are made of (`objects`).
    digest = f"/* {BYTES}: {hashlib.sha256(data).hexdigest()} */\n"
    return Lean("".join([digest, *kept, text[at:]]), bytes(data))


@dataclass(frozen=True)
class _Definition:
    """Where a definition begins in a file, its initialiser, and what is behind it; and what it defines."""

    start: int
    open: int
    end: int
    symbol: str
    dtype: DType
    size: int


def _large(text: str) -> Iterator[_Definition]:
    at = 0
    while (opened := text.find(_OPEN, at)) >= 0 and (closed := text.find(_CLOSE, opened)) >= 0:
        start, at = text.rfind("\n", 0, opened) + 1, closed + len(_CLOSE)
        head = _HEAD.fullmatch(text, start, opened)
        if head is not None and head[1] in _TYPES and int(head[3]) >= LARGE:
            yield _Definition(start, opened, at, head[2], _TYPES[head[1]], int(head[3]))


def _read(found: _Definition, text: str) -> Array | None:
    """The numbers of an array, as a C compiler reads them; None where they are not written as tinyc writes them, or
    not as many."""
    body = text[found.open + len(_OPEN) : found.end - len(_CLOSE)]
    numbers = _floats(body) if found.dtype is DType.F32 else _integers(body)
    if numbers is None or len(numbers) != found.size:
        return None
    # Nine digits are so near a float32 that rounding to float64 on the way changes nothing.
    array = numbers.astype(found.dtype.numpy)
    return array if found.dtype is DType.F32 or (array == numbers).all() else None


def _floats(body: str) -> Array | None:
    """Numbers that each end with an f, and have a point or an exponent before it: without either, C has no f."""
    numbers = _numbers(body.replace("f,", ","), b"-+.0123456789e, \n", np.float64)
    if numbers is None or not body.count("f,") == body.count(",") == len(numbers):
        return None
    with_point = body.count(".")
    if with_point < len(numbers):
        with_point += len(re.findall(r"[\s-]\d+e[-+]?\d+f,", body))
    return numbers if with_point == len(numbers) else None


def _integers(body: str) -> Array | None:
    """Decimal numbers: one that begins with a zero is octal in C."""
    return None if re.search(r"[\s-]0\d", body) else _numbers(body, b"-0123456789, \n", np.int64)


def _numbers(body: str, characters: bytes, kind: type[np.generic]) -> Array | None:
    """Numbers of these characters, each followed by a comma."""
    if body.encode("ascii").translate(None, characters) or not body.endswith(",\n"):
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            return np.fromstring(body[:-2], kind, sep=",")
        except (DeprecationWarning, ValueError):
            return None
