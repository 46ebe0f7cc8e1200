"""The kernel files, and how they are put together into one text.

A kernel is a header under `kernels/` named after its function. It is written for float32 or int32 and serves other
element types by substitution: `max` for int8 is `max_f32.h` with `float` -> `int8_t` and `_f32` -> `_i8`. Where the
arithmetic differs there is a file for integers (`_i32.h`), and where even that does not fit, one for the type itself.
Activations are int8 or int16: a kernel for one of these serves the other, if there is none for that. One that has int8
weights too is written for int16, since all that is int8_t in one for int8 becomes int16_t; `short` stays what it is.

`add_kernels` adds a folder of a package of the user's: its files are found and put together like those here, and may
include them.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from tinyc.backends.c.literals import C_TYPES
from tinyc.ir.errors import TinycError
from tinyc.ir.types import DType

FOLDER = Path(__file__).parent / "kernels"
FUSED = FOLDER / "fused"
"""Files that stand in for those of the same name where products and sums are rounded once."""
_FOLDERS = [FOLDER]
_SUFFIXES = frozenset(dtype.value for dtype in DType)
_ACTIVATIONS = {DType.I8: ("i16",), DType.I16: ("i8",)}
"""The kernels tried last for activations of a type: those for the other one that they have."""


class KernelError(TinycError):
    """A kernel file that is missing, or is not what one has to be."""


class MissingKernel(KernelError):
    """A kernel file that is missing."""


def add_kernels(folder: str | Path) -> None:
    """Makes the kernel files of a folder available.

    Raises:
        KernelError: there are none, or one has the name of a file that there is already.
    """
    added = Path(folder).resolve()
    if added in _FOLDERS:
        return
    files = sorted(added.glob("*.h"))
    if not files:
        raise KernelError(f"{added} is no folder with kernel files (.h)")
    for file in files:
        known = _file(file.stem)
        if known is not None:
            raise KernelError(f"{file} has the name of {known}: kernel files have names of their own")
    _FOLDERS.append(added)


class Kernels:
    """The kernels a translation unit uses, each once, those it needs before it.

    Args:
        fused: whether the program's float products and sums are fused.
    """

    def __init__(self, fused: bool = False) -> None:
        self.fused = fused
        self._texts: dict[str, str] = {}
        self.headers: set[str] = {"stdint.h"}

    def use(self, kernel: str, dtype: DType | None = None) -> str:
        """Makes a kernel available and returns its function's name. `dtype` is None for a kernel of no element type.

        Raises:
            KernelError: there is no such kernel, or its file does not define the function that it is named after.
        """
        name = self.include(kernel, dtype)
        if not re.search(rf"^\w[^;{{}}#=]*\btinyc_{name}\(", self._texts[name], re.MULTILINE):
            path = _path(kernel, dtype)
            raise KernelError(f"{path} does not define tinyc_{path.stem}: a kernel file is named after its function")
        return f"tinyc_{name}"

    def include(self, kernel: str, dtype: DType | None = None) -> str:
        """Makes what a kernel file has available, if it is no function or several, and returns its name."""
        name = f"{kernel}_{dtype.value}" if dtype else kernel
        if name not in self._texts:
            stands_in = FUSED / f"{name}.h"
            there = self.fused and stands_in.is_file()
            self._add(name, _read(stands_in) if there else _text(kernel, dtype))
        return name

    def _add(self, name: str, text: str) -> None:
        headers, kernels, body = _split(text, name)
        self.headers |= set(headers)
        for needed in kernels:
            stem, _, suffix = needed.rpartition("_")
            self.include(stem, DType(suffix)) if stem and suffix in _SUFFIXES else self.include(needed)
        self._texts[name] = body

    @property
    def fuses(self) -> bool:
        """Whether one of them has fused multiply-adds."""
        return self.fused and any((FUSED / f"{name}.h").is_file() for name in self._texts)

    def text(self) -> str:
        """All kernels."""
        return "\n".join(self._texts.values())


def _text(kernel: str, dtype: DType | None) -> str:
    """The source of a kernel for an element type."""
    path = _path(kernel, dtype)
    text, written = _read(path), path.stem.rpartition("_")[2]
    return text if dtype is None or written == dtype.value else _retyped(text, DType(written), dtype)


def _path(kernel: str, dtype: DType | None) -> Path:
    """The file that a kernel for an element type is made of."""
    if dtype is None:
        return _found([kernel])
    if dtype is DType.BOOL:
        tried = ["bool", "f32"]
    else:
        tried = [dtype.value, "f32"] if dtype.is_float else [dtype.value, "i32", "f32", *_ACTIVATIONS.get(dtype, ())]
    return _found([f"{kernel}_{t}" for t in dict.fromkeys(tried)])


def _file(name: str) -> Path | None:
    """The kernel file of this name, without `.h`, in any of the folders."""
    return next((path for folder in _FOLDERS if (path := folder / f"{name}.h").is_file()), None)


def _found(names: list[str]) -> Path:
    """The first kernel file that there is among these."""
    for name in names:
        path = _file(name)
        if path is not None:
            return path
    files = " or ".join(f"{name}.h" for name in names)
    raise MissingKernel(
        f"there is no kernel file {files} in {', '.join(map(str, _FOLDERS))}; `add_kernels` adds a folder of yours"
    )


@cache
def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise KernelError(f"{path}: cannot be read as ASCII: {error}") from None


def _retyped(text: str, old: DType, new: DType) -> str:
    """Substitutes the element type, and limits of the old one where these are integers. Unsigned arithmetic stays 32
    bits wide except for 64-bit elements."""
    words = {C_TYPES[old]: C_TYPES[new]}
    if old.is_integer:
        signed, was, bits = new not in (DType.U8, DType.BOOL), old.bytes * 8, new.bytes * 8
        words[f"INT{was}_MIN"] = f"INT{bits}_MIN" if signed else "0"
        words[f"INT{was}_MAX"] = f"INT{bits}_MAX" if signed else f"UINT{bits}_MAX"
    if old is DType.I32 and new.bytes == 8:
        words["uint32_t"] = "uint64_t"
    pattern = re.compile(r"\b(" + "|".join(words) + r")\b")
    text = pattern.sub(lambda found: words[found.group()], text)
    return re.sub(rf"_{old.value}\b", f"_{new.value}", text)


def _split(text: str, name: str) -> tuple[list[str], list[str], str]:
    """The system headers a kernel file includes, the kernels it includes, and what is between its include guards."""
    lines = text.splitlines()
    headers = [line.split("<")[1].rstrip("> ") for line in lines if line.startswith("#include <")]
    kernels = [line.split('"')[1].removesuffix(".h") for line in lines if line.startswith('#include "')]
    guard = next((k for k, line in enumerate(lines) if line.startswith("#ifndef ")), len(lines))
    last = max((k for k, line in enumerate(lines) if line.startswith("#endif")), default=0)
    if last <= guard or not lines[guard + 1].startswith("#define "):
        raise KernelError(f"{name}.h has no include guard: #ifndef, #define, the kernel, #endif")
    body = [line for line in lines[guard + 2 : last] if not line.startswith("#include")]
    return headers, kernels, "\n".join(body).strip("\n") + "\n"
