"""Register tiles that were measured: what to take for a layer of a shape, in place of the rules of `Tuning`.

A table is a TOML file with a section for each kind of kernel and a line for each shape:

    [qpointwise]
    "pixels=144 inputs=64 outputs=64" = {tile = 4, paired_tile = 3}

Whatever it says, results are the same bit for bit; only instructions and bytes differ. `tinyc tune` writes one.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, singledispatch
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tinyc.backends.c.tiles import MOST
from tinyc.ir.errors import TinycError
from tinyc.ir.op import Op
from tinyc.ir.ops import Conv2d, Dense, QConv2d, QDense
from tinyc.ir.rows import Stage
from tinyc.ir.types import DType

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


class TunedError(TinycError):
    """A table of choices that cannot be read, or says what cannot be."""


@dataclass(frozen=True)
class Kind:
    """A kind of kernel: what shapes are made of, the most pixels that a tile has, and whether weights may be paired."""

    sizes: tuple[str, ...]
    most: int
    pairs: bool = False


_POINTWISE = ("pixels", "inputs", "outputs")
_WINDOW = ("kh", "kw", "stride", "channels", "outputs", "out_width", "groups")
KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "qpointwise": Kind(_POINTWISE, 4, pairs=True),
        "qconv": Kind(_WINDOW, 4, pairs=True),
        "pointwise": Kind(_POINTWISE, MOST),
        "conv": Kind(_WINDOW, MOST),
    }
)
"""By name; those with a q compute with int8."""


@dataclass(frozen=True)
class Shape:
    """What the instructions of a kernel depend on: its kind, and the sizes that `KINDS` names, in their order."""

    kind: str
    sizes: tuple[int, ...]

    @property
    def by_name(self) -> dict[str, int]:
        """The sizes and their names."""
        return dict(zip(KINDS[self.kind].sizes, self.sizes, strict=True))

    def __str__(self) -> str:
        return " ".join(f"{name}={size}" for name, size in self.by_name.items())


@dataclass(frozen=True)
class Tiling:
    """What a layer is computed with. None leaves it to the rule.

    Attributes:
        tile: pixels of a register tile of four output channels; of floats, at most.
        paired_tile: the same where one multiplication gives the products of two channels, for layers whose weights and
            memory allow it; 0 for none of it.
    """

    tile: int | None = None
    paired_tile: int | None = None


RULE = Tiling()


@dataclass(frozen=True)
class Choices:
    """Choices by shape, and what is taken for others."""

    entries: Mapping[Shape, Tiling] = field(default_factory=dict)
    otherwise: Tiling = RULE

    def find(self, stage: Stage) -> Tiling:
        """What to take for a stage."""
        shape = shape_of(stage)
        return RULE if shape is None else self.entries.get(shape, self.otherwise)


def pixels(stage: Stage) -> int:
    """Pixels of the result that one call computes."""
    return stage.aside or stage.op.type.size // stage.rows * stage.band // stage.op.type.shape[-1]


def shape_of(stage: Stage) -> Shape | None:
    """The shape by which choices for a stage are found; None for one without register tiles to choose, as those have
    that int16 has a part in."""
    wide = any(v.dtype is DType.I16 for v in (*stage.op.operands, stage.result))
    return None if wide else _shape(stage.op, stage)


@singledispatch
def _shape(op: Op, stage: Stage) -> Shape | None:
    return None


@_shape.register(Conv2d)
@_shape.register(QConv2d)
def _shape_of_convolution(op: Conv2d | QConv2d, stage: Stage) -> Shape:
    channels, outputs = op.x.shape[3], op.type.shape[3]
    if op.per_pixel() and op.groups == 1:
        return _named("pointwise", op, (pixels(stage), channels, outputs))
    return _named("conv", op, (*op.window(), op.strides[1], channels, outputs, op.type.shape[2], op.groups))


@_shape.register(Dense)
@_shape.register(QDense)
def _shape_of_dense(op: Dense | QDense, stage: Stage) -> Shape:
    outputs, inputs = op.w.shape
    return _named("pointwise", op, (pixels(stage), inputs, outputs))


def _named(kind: str, op: Op, sizes: tuple[int, ...]) -> Shape:
    return Shape(kind if op.type.dtype.is_float else f"q{kind}", sizes)


@cache
def shipped(machine: str) -> Choices:
    """The choices that come with tinyc, measured on a simulated machine; none where there are none."""
    name = f"{machine}.toml"
    file = resources.files("tinyc.backends.targets") / "tuned" / name
    return Choices(read(file.read_text(encoding="utf-8"), name)) if machine and file.is_file() else Choices()


def load(path: str | Path) -> Mapping[Shape, Tiling]:
    """A table of the user's. Raises `TunedError`."""
    try:
        return read(Path(path).read_text(encoding="utf-8"), str(path))
    except (OSError, ValueError) as error:
        raise TunedError(f"cannot read {str(path)!r}: {getattr(error, 'strerror', None) or error}") from None


def read(text: str, source: str) -> dict[Shape, Tiling]:
    """The choices of a table. Raises `TunedError`, which names the source, the line and what is allowed."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise TunedError(f"{source}: not valid TOML: {error}") from None
    found: dict[Shape, Tiling] = {}
    for kind, entries in table.items():
        if kind in KINDS and not isinstance(entries, dict):
            raise TunedError(f"{source}{_line(text, kind)}: {kind} is a section, [{kind}], with a line for each shape")
        if kind not in KINDS:
            raise TunedError(f"{source}{_line(text, kind)}: no kind of kernel is {kind!r}; they are {', '.join(KINDS)}")
        for key, values in entries.items():
            try:
                found[_parsed(kind, key)] = _choice(kind, values)
            except ValueError as error:
                raise TunedError(f"{source}{_line(text, kind, key)}: [{kind}] {key!r}: {error}") from None
    return found


def _parsed(kind: str, key: str) -> Shape:
    names = KINDS[kind].sizes
    pattern = " ".join(f"{name}=([1-9][0-9]{{0,8}})" for name in names)
    sizes = re.fullmatch(pattern, key)
    if sizes is None:
        raise ValueError(f"a shape is written as {' '.join(f'{name}=N' for name in names)}")
    return Shape(kind, tuple(map(int, sizes.groups())))


def _choice(kind: str, values: Any) -> Tiling:
    most = KINDS[kind].most
    least = {"tile": 1, "paired_tile": 0} if KINDS[kind].pairs else {"tile": 1}
    if not isinstance(values, dict) or not values or set(values) - set(least):
        raise ValueError(f"takes {' and '.join(least)}, as in {{tile = {most}}}, not {values!r}")
    for name, value in values.items():
        if type(value) is not int or not least[name] <= value <= most:
            raise ValueError(f"{name} is {least[name]} to {most}, not {value!r}")
    return Tiling(**values)


def _line(text: str, kind: str, key: str = "") -> str:
    """`, line N`: where a section begins, or a key of it; empty where it is spelt otherwise."""
    section = ""
    for number, line in enumerate(text.splitlines(), 1):
        if heading := re.match(r"\s*\[\s*[\"']?(.*?)[\"']?\s*\]", line):
            section = heading[1]
        at_key = bool(key) and re.match(rf"\s*[\"']{re.escape(key)}[\"']\s*=", line)
        if section == kind and (at_key or (heading and not key)):
            return f", line {number}"
    return ""


def written(choices: Mapping[Shape, Tiling], heading: str) -> str:
    """The text of a table; `heading` is a comment."""
    lines = [f"# {line}" for line in heading.splitlines()]
    for kind in KINDS:
        entries = {s: c for s, c in choices.items() if s.kind == kind}
        lines += ["", f"[{kind}]"] if entries else []
        lines += [f'"{s}" = {{{", ".join(_values(entries[s]))}}}' for s in sorted(entries, key=lambda s: s.sizes)]
    return "\n".join(lines) + "\n"


def _values(choice: Tiling) -> Iterator[str]:
    if choice.tile is not None:
        yield f"tile = {choice.tile}"
    if choice.paired_tile is not None:
        yield f"paired_tile = {choice.paired_tile}"
