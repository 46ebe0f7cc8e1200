"""The C of many programs, compiled as one library and called in a process of its own: some hundredths of a second a
program, where a program each takes a second."""

from __future__ import annotations

import ctypes
import faulthandler
import multiprocessing
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tests.c.support import STRICT
from tinyc.backends.c import CSource
from tinyc.backends.runners.host import find_compiler
from tinyc.backends.runners.runner import FLAGS
from tinyc.ir.tensor import Array
from tinyc.ir.types import TensorType

GUARD = 64
"""Bytes before and after what a program may write."""
CANARY = 0xA7


def build(sources: Sequence[CSource], folder: Path) -> Path:
    """Compiles sources, whose names differ, with every warning an error and without optimisation.

    Raises:
        RuntimeError: the compiler rejects one.
    """
    texts, others = [], []
    for number, source in enumerate(sources):
        for name, text in source.files.items():
            # Kernels have the same names in each; here they stand in one file.
            (folder / name).write_text(text.replace("tinyc_", f"tinyc{number}_"), encoding="ascii")
        files = sorted(name for name in source.files if name.endswith(".c"))
        # What starts the other core has the same names in each, too.
        others += [name for name in files if name.endswith("_cores.c")]
        files = [name for name in files if name not in others]
        texts.append(PREFIX + "".join(f'#include "{name}"\n' for name in files))
    (folder / "all.c").write_text("".join(texts), encoding="ascii")
    library = folder / "all.so"
    command = [find_compiler(), *FLAGS, "-O0", *STRICT, "-D_POSIX_C_SOURCE=200809L", "-shared", "-fPIC", "-pthread"]
    result = subprocess.run(
        [*command, "-o", library.name, "all.c", *others, "-lm"], cwd=folder, capture_output=True, text=True, check=False
    )
    if result.returncode:
        raise RuntimeError(result.stderr[:2000])
    return library


PREFIX = "".join(
    f"#undef {name}\n"
    for name in ("TINYC_TRACE", "TINYC_BEGIN", "TINYC_END", "TINYC_INPUT", "TINYC_INLINE", "TINYC_NOINLINE")
)


def run(library: Path, sources: Sequence[CSource], samples: Sequence[Sequence[Sequence[Array]]]) -> list[Any]:
    """The outputs of each source for each of its samples, or in their place what went wrong, in words."""
    context = multiprocessing.get_context("fork")
    results: list[Any] = []
    while len(results) < len(sources):
        receiving, sending = context.Pipe(duplex=False)
        rest = range(len(results), len(sources))
        process = context.Process(target=_serve, args=(library, [(sources[k], samples[k]) for k in rest], sending))
        process.start()
        sending.close()
        try:
            while len(results) < len(sources):
                results.append(receiving.recv())
        except EOFError:
            process.join()
            results.append(f"the C ended with status {process.exitcode}")
        process.join()
    return results


def _serve(library: Path, work: Sequence[tuple[CSource, Sequence[Sequence[Array]]]], to: Any) -> None:
    faulthandler.disable()  # the status says enough
    loaded = ctypes.CDLL(str(library))
    for source, samples in work:
        try:
            to.send([_infer(loaded, source, sample, turn) for turn, sample in enumerate(samples)])
        except RuntimeError as error:
            to.send(str(error))


def _infer(loaded: ctypes.CDLL, source: CSource, sample: Sequence[Array], turn: int) -> list[Array]:
    """One inference. Raises RuntimeError when it writes where it must not, or asks for rows in another order."""
    name = source.name
    blocks = [_Block(source.arena_bytes, turn), *(_Block(p.type.bytes, turn) for p in source.outputs)]
    arguments: list[Any] = [blocks[0].address]
    rows: list[_Rows] = []
    given = list(zip(source.inputs, map(np.ascontiguousarray, sample), strict=True))
    for port, array in given:
        if port.place == "arena" and array.size:
            place = getattr(loaded, f"{name}_{port.name}")
            place.restype = ctypes.c_void_p
            ctypes.memmove(place(blocks[0].address), array.ctypes.data, array.nbytes)
        elif port.place == "rows":
            rows.append(_Rows(ctypes.c_void_p(array.ctypes.data), port.type, "the C asks for", asked=True))
    for port, block in zip(source.outputs, blocks[1:], strict=True):
        if port.place == "rows":
            rows.append(_Rows(block.address, port.type, "the C hands over", asked=False))
    arguments += [*(r.callback for r in rows), *([None] if rows else [])]
    for port, array in given:
        if port.place == "argument":
            arguments.append(ctypes.c_void_p(array.ctypes.data))
    arguments += [b.address for p, b in zip(source.outputs, blocks[1:], strict=True) if p.place == "argument"]
    if source.cores > 1:
        getattr(loaded, f"{name}_cores_start")()
    getattr(loaded, f"{name}_run")(*arguments)
    wrong = [r.wrong for r in rows if r.wrong]
    for block, what in zip(blocks, ("its arena", *("an output" for _ in source.outputs)), strict=True):
        if not block.intact():
            wrong.append(f"the C wrote outside {what}")
    if wrong:
        raise RuntimeError("; ".join(wrong))
    return [
        np.frombuffer(b.content(), p.type.dtype.numpy).reshape(p.type.shape)
        for b, p in zip(blocks[1:], source.outputs, strict=True)
    ]


class _Block:
    """Memory between guards, full of garbage; as float32, it is huge or NaN."""

    def __init__(self, size: int, turn: int) -> None:
        # Aligned as compilers align static arrays.
        self._bytes = np.empty(size + 2 * GUARD + 64, np.uint8)
        self._bytes[:] = CANARY
        self._start = GUARD + -(self._bytes.ctypes.data + GUARD) % 64
        self._size = size
        self._bytes[self._start : self._start + size] = 0xFF if turn % 2 else 0x7F

    @property
    def address(self) -> ctypes.c_void_p:
        """Where the memory begins."""
        return ctypes.c_void_p(self._bytes.ctypes.data + self._start)

    def content(self) -> bytes:
        """What is in it."""
        return self._bytes[self._start : self._start + self._size].tobytes()

    def intact(self) -> bool:
        """Whether the guards are as they were."""
        around = np.delete(self._bytes, np.s_[self._start : self._start + self._size])
        return bool((around == CANARY).all())


class _Rows:
    """The function that is asked for the rows of an image, or is handed them."""

    def __init__(self, image: ctypes.c_void_p, type_: TensorType, what: str, *, asked: bool) -> None:
        self._image, self._asked, self._what = image.value or 0, asked, what
        self._count = type_.shape[1]
        self._bytes = type_.bytes // self._count
        self._done, self._disorder = 0, False
        self.callback = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)(self._move)

    @property
    def wrong(self) -> str:
        """What was wrong with the order, in words."""
        return f"{self._what} rows in another order" if self._disorder or self._done != self._count else ""

    def _move(self, _: Any, row: int, theirs: int) -> None:
        if row != self._done or row >= self._count:
            self._disorder = True
            return
        self._done += 1
        ours = self._image + row * self._bytes
        ctypes.memmove(*((theirs, ours) if self._asked else (ours, theirs)), self._bytes)
