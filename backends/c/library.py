"""The kernel files, and how they are put together into one text.

A kernel is a header under `kernels/` named after its function. It is written for float32 or int32 and serves other
element types by substitution: `max` for int8 is `max_f32.h` with `float` -> `int8_t` and `_f32` -> `_i8`. Where the
arithmetic differs there is a file for integers (`_i32.h`), and where even that does not fit, one for the type itself.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from tinyc.backends.c.literals import C_TYPES
from tinyc.ir.types import DType

FOLDER = Path(__file__).parent / "kernels"


class Kernels:
    """The kernels a translation unit uses, each once, those it needs before it."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self.headers: set[str] = {"stdint.h"}

    def use(self, kernel: str, dtype: DType | None = None) -> str:
        """Makes a kernel available and returns its function's name. `dtype` is None for a kernel of no element type."""
        name = f"{kernel}_{dtype.value}" if dtype else kernel
        if name not in self._texts:
            self._add(name, _text(kernel, dtype))
        return f"tinyc_{name}"

    def _add(self, name: str, text: str) -> None:
        headers, kernels, body = _split(text)
        self.headers |= set(headers)
        for needed in kernels:
            stem, _, suffix = needed.rpartition("_")
            self.use(stem, DType(suffix)) if stem else self.use(needed)
        self._texts[name] = body

    def text(self) -> str:
        """All kernels."""
        return "\n".join(self._texts.values())


def _text(kernel: str, dtype: DType | None) -> str:
    """The source of a kernel for an element type."""
    if dtype is None:
        return _read(kernel)
    if dtype is DType.BOOL:
        written = "f32"
    else:
        tried = [dtype.value, "f32"] if dtype.is_float else [dtype.value, "i32", "f32"]
        written = next((t for t in tried if (FOLDER / f"{kernel}_{t}.h").exists()), "f32")
    text = _read(f"{kernel}_{written}")
    return text if written == dtype.value else _retyped(text, DType(written), dtype)


@cache
def _read(name: str) -> str:
    return (FOLDER / f"{name}.h").read_text(encoding="utf-8")


def _retyped(text: str, old: DType, new: DType) -> str:
    """Substitutes the element type. Unsigned arithmetic stays 32 bits wide except for 64-bit elements."""
    words = {C_TYPES[old]: C_TYPES[new]}
    if old is DType.I32:
        signed = new not in (DType.U8, DType.BOOL)
        bits = new.bytes * 8
        words["INT32_MIN"] = f"INT{bits}_MIN" if signed else "0"
        words["INT32_MAX"] = f"INT{bits}_MAX" if signed else f"UINT{bits}_MAX"
        words["uint32_t"] = "uint64_t" if bits == 64 else "uint32_t"
    pattern = re.compile(r"\b(" + "|".join(words) + r")\b")
    text = pattern.sub(lambda found: words[found.group()], text)
    return re.sub(rf"_{old.value}\b", f"_{new.value}", text)


def _split(text: str) -> tuple[list[str], list[str], str]:
    """The system headers a kernel file includes, the kernels it includes, and what is between its include guards."""
    lines = text.splitlines()
    headers = [line.split("<")[1].rstrip(">") for line in lines if line.startswith("#include <")]
    kernels = [line.split('"')[1].removesuffix(".h") for line in lines if line.startswith('#include "')]
    guard = next(k for k, line in enumerate(lines) if line.startswith("#ifndef TINYC_"))
    last = max(k for k, line in enumerate(lines) if line.startswith("#endif"))
    body = [line for line in lines[guard + 2 : last] if not line.startswith("#include")]
    return headers, kernels, "\n".join(body).strip("\n") + "\n"
