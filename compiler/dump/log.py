"""Reading the dump that a network prints when it is built with -DTINYC_DUMP: see docs/on-device.md.

A line of it is `tinyc PROGRAM LAYER FIRST COUNT CRC32 BASE64;`, where a checksum is all that is printed without BASE64,
or `tinyc PROGRAM begin;` and `tinyc PROGRAM end;` around an inference. Layer -1 is the first input, -2 the second. What
stands before and behind it on a line, and other lines, are the console's.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import re
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tinyc.compiler.base.files import reason, shown
from tinyc.ir.errors import TinycError
from tinyc.ir.tensor import Array
from tinyc.ir.types import TensorType

_ANY = re.compile(r"tinyc ([0-9a-f]{8}) ")
_BOUND = re.compile(r"tinyc ([0-9a-f]{8}) (begin|end);")
_PART = re.compile(r"tinyc ([0-9a-f]{8}) (-?\d{1,9}) (\d{1,10}) (\d{1,10}) ([0-9a-f]{8})(?: ([A-Za-z0-9+/]+={0,2}))?;")


class LogError(TinycError):
    """A log that holds no dump of the program."""


@dataclass(frozen=True)
class Part:
    """Elements `first` to `first + count - 1` of a layer's result, or their checksum alone."""

    layer: int
    first: int
    count: int
    crc: int
    content: bytes | None

    @property
    def elements(self) -> slice:
        """The elements."""
        return slice(self.first, self.first + self.count)


@dataclass
class Inference:
    """What the log has of one inference: its first line, counted from 1, whether it has the lines that begin and end
    it, and its parts by layer and first element."""

    line: int
    begun: bool
    ended: bool = False
    parts: dict[tuple[int, int], Part] = field(default_factory=dict)


@dataclass(frozen=True)
class DumpLog:
    """The inferences in a log, the numbers of lines that arrived damaged, and whether the log began in the midst of an
    inference, which was left out."""

    inferences: Sequence[Inference]
    damaged: Sequence[int]
    began_late: bool


@dataclass(frozen=True)
class Dumped:
    """What a log has of one layer, flat.

    Attributes:
        values: the elements; where they are not known, anything.
        known: which elements are known.
        checksums: parts of which only the checksum is known.
    """

    values: Array
    known: Array
    checksums: tuple[Part, ...]

    @property
    def seen(self) -> Array:
        """Which elements the log says anything of."""
        seen: Array = self.known.copy()
        for part in self.checksums:
            seen[part.elements] = True
        return seen


def read_log(path: Path) -> str:
    """The text of a log; bytes that are no text become signs of their absence. Raises `LogError`."""
    try:
        raw = path.read_bytes()
    except (OSError, ValueError) as error:
        raise LogError(f"cannot read {shown(path)}: {reason(error)}") from None
    # Windows PowerShell writes what is redirected as UTF-16.
    wide = raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return raw.decode("utf-16" if wide else "utf-8", errors="replace")


def parse_log(text: str, program: str, types: Mapping[int, TensorType], source: str) -> DumpLog:
    """The dump in a log.

    Args:
        text: the log.
        program: the fingerprint of the program that is asked for; lines of others are left out.
        types: the type of each layer's result and, by negative numbers, of each input.
        source: what errors call the log.

    Raises:
        LogError: it holds no dump, or one of other programs only.
    """
    lines = text.split("\n")
    printed = Counter(found[1] for line in lines for found in _ANY.finditer(line))
    if not printed:
        raise LogError(
            f"{source} holds no dump: build the network with -DTINYC_DUMP, run it, and save what the console shows"
        )
    if program not in printed:
        others = ", ".join(printed)
        raise LogError(
            f"{source} holds a dump of program {others}; this model with these options is program {program}. Give the "
            "model file and the options that the C was made with, and the same version of tinyc"
        )
    inferences: list[Inference] = []
    damaged: list[int] = []
    for number, line in enumerate(lines, 1):
        found = [f for pattern in (_BOUND, _PART) for f in pattern.finditer(line) if f[1] == program]
        if len(found) != sum(f[1] == program for f in _ANY.finditer(line)):
            damaged.append(number)
        for one in sorted(found, key=lambda f: f.start()):
            if not _take(inferences, one, number, types):
                damaged.append(number)
    late = len(inferences) > 1 and not inferences[0].begun
    return DumpLog(inferences[1:] if late else inferences, sorted(set(damaged)), late)


def _take(inferences: list[Inference], found: re.Match[str], line: int, types: Mapping[int, TensorType]) -> bool:
    """Adds what a line says to the inferences; whether it says anything."""
    if found[2] == "begin":
        inferences.append(Inference(line, begun=True))
        return True
    if found[2] == "end":
        if inferences:
            inferences[-1].ended = True
        return True
    part = _part(found, types)
    if part is None:
        return False
    # What is shown a second time belongs to another inference, whose first line was lost.
    if not inferences or inferences[-1].ended or (part.layer, part.first) in inferences[-1].parts:
        inferences.append(Inference(line, begun=False))
    inferences[-1].parts[part.layer, part.first] = part
    return True


def _part(found: re.Match[str], types: Mapping[int, TensorType]) -> Part | None:
    """A line's part; None when it cannot be one as it was printed."""
    layer, first, count = (int(found[k]) for k in (2, 3, 4))
    kind = types.get(layer)
    if kind is None or not 0 <= first < first + count <= kind.size:
        return None
    content = None
    if found[6] is not None:
        try:
            content = base64.b64decode(found[6], validate=True)
        except (ValueError, binascii.Error):
            return None
        if len(content) != count * kind.dtype.bytes or zlib.crc32(content) != int(found[5], 16):
            return None
    return Part(layer, first, count, int(found[5], 16), content)


def gather(inference: Inference, types: Mapping[int, TensorType]) -> dict[int, Dumped]:
    """What an inference's parts say of each layer and input."""
    values = {n: np.zeros(t.size, t.dtype.numpy) for n, t in types.items()}
    known = {n: np.zeros(t.size, bool) for n, t in types.items()}
    sums: dict[int, list[Part]] = {n: [] for n in types}
    for part in inference.parts.values():
        if part.content is None:
            sums[part.layer].append(part)
        else:
            values[part.layer][part.elements] = np.frombuffer(part.content, types[part.layer].dtype.numpy)
            known[part.layer][part.elements] = True
    return {n: Dumped(values[n], known[n], tuple(sums[n])) for n in types}
