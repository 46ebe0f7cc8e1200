"""What the C backend takes beside a program, and what it gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from tinyc.ir.errors import TinycError
from tinyc.ir.types import TensorType


class CodegenError(TinycError):
    """A row program that the C backend cannot turn into C. The message names the stage."""


Place = Literal["argument", "arena", "rows"]
ARENAS = ("arena", "psram")
"""The parameters of the public functions for the arena, and for that in external memory, where a network has one."""


@dataclass(frozen=True)
class PixelScale:
    """What the pixels 0 to 255 of an image stand for: (pixel - mean) / deviation. `pairs` are these two numbers for all
    channels, or for each; `blue_first` says that the first of three channels is blue, not red."""

    pairs: tuple[tuple[float, float], ...] = ((0.0, 255.0),)
    blue_first: bool = False

    def of(self, channel: int) -> tuple[float, float]:
        """Mean and deviation of a channel."""
        return self.pairs[channel if len(self.pairs) > 1 else 0]


@dataclass(frozen=True)
class PortDescription:
    """What a program does not know of an input or output: its name in the ONNX model, the layout of its elements, and,
    where these are integers that stand for real values, their scale and zero point: real = scale * (integer - zero);
    none where these are pixels whose channels differ. Of an image, what its pixels stand for."""

    name: str
    layout: str = ""
    scale: tuple[float, float] | None = None
    pixels: PixelScale | None = None


@dataclass(frozen=True)
class Interface:
    """What people know of a model's inputs and outputs, in the program's order."""

    inputs: tuple[PortDescription, ...]
    outputs: tuple[PortDescription, ...]


@dataclass(frozen=True)
class Section:
    """A memory that arrays are put into by an attribute.

    Attributes:
        attribute: the macro that stands before a definition.
        header: where it is defined.
        enabled: the macro of the build that turns it on.
        needs: a macro without which it would have no effect; none if empty.
        advice: what to do when that is missing. Printable ASCII without quotes and backslashes.
    """

    attribute: str
    header: str
    enabled: str = "ESP_PLATFORM"
    needs: str = ""
    advice: str = ""


@dataclass(frozen=True)
class Sections:
    """Where a network's arrays lie; where the compiler puts them, if there is no section.

    `allocate` is for an arena that cannot be a static array: an expression that gives its address. `external` and
    `allocate_external` are for the second arena of a network whose arena is in two memories.
    """

    arena: Section | None = None
    weights: Section | None = None
    allocate: str = ""
    external: Section | None = None
    allocate_external: str = ""


@dataclass(frozen=True)
class CPort:
    """An input or output of the generated function.

    `name` is the parameter, `macro` the beginning of its macros (`LENET_INPUT` of `LENET_INPUT_SIZE`).
    `place` is how an input comes or an output goes: as an argument; in the arena, where an accessor says; or row by
    row, from or to a function of the caller's, `callback`, which is of the type `callback_type`. With `external`, the
    arena is that of the external memory.

    Of a network that keeps its state, `type` is what a call brings or gives, and the model's window are so many `calls`
    (0 of any other network). The rows of an output are `late` ones behind those that a call brings.
    """

    name: str
    macro: str
    onnx_name: str
    type: TensorType
    layout: str
    c_type: str
    scale: tuple[float, float] | None = None
    place: Place = "argument"
    pixels: PixelScale | None = None
    external: bool = False
    callback: str = ""
    callback_type: str = ""
    calls: int = 0
    late: int = 0

    @property
    def whole(self) -> TensorType:
        """The type of the model's input or output."""
        if not self.calls:
            return self.type
        batch, rows, *rest = self.type.shape
        return TensorType((batch, rows * self.calls - self.late, *rest), self.type.dtype)

    @property
    def arena(self) -> str:
        """The parameter of the arena that an input in one lies in."""
        return ARENAS[self.external]

    @property
    def row_elements(self) -> int:
        """Elements of each row of an image, or of each sample of a signal."""
        return self.type.size // self.type.shape[1]


@dataclass(frozen=True)
class CStage:
    """A stage as the trace macro numbers it: what it is called, and the type of its result."""

    number: int
    label: str
    type: TensorType


@dataclass(frozen=True)
class CSource:
    """Generated C: the texts by file name, and what is needed to call it.

    `weights_bytes` counts all constants, rows of padding included. `stages` lists those that do something. `cores`
    is how many cores it runs on; with two, `<name>_cores_start` has to be called once. `libraries` names the kernel
    libraries that it includes headers of and is linked with. `functions` is how many functions compute the stages:
    fewer than these where some share one. `optimize` is what they are tuned for; `paired_layers` stages have
    one multiplication for two products, MAC16 computes `mac16_layers`, and vector instructions `vector_layers`.
    `psram_bytes` is the size of a second arena, for external memory; 0 where there is none.
    `widening` is how many instructions of an inference short constants take, estimated.
    `fused` says that it calls `fmaf`, which is quick only where the processor has an instruction for it.
    """

    name: str
    files: Mapping[str, str]
    arena_bytes: int
    arena_align: int
    weights_bytes: int
    inputs: tuple[CPort, ...]
    outputs: tuple[CPort, ...]
    stages: tuple[CStage, ...]
    cores: int = 1
    libraries: tuple[str, ...] = ()
    fused: bool = False
    functions: int = 0
    optimize: str = ""
    paired_layers: int = 0
    mac16_layers: int = 0
    vector_layers: int = 0
    widening: int = 0
    psram_bytes: int = 0

    @property
    def calls(self) -> int:
        """How many calls the model's window are, of a network that keeps its state; 0 of any other."""
        return max((p.calls for p in self.inputs), default=0)

    @property
    def function(self) -> str:
        """The function that computes."""
        return f"{self.name}_step" if self.calls else f"{self.name}_run"

    @property
    def arenas(self) -> tuple[str, ...]:
        """The parameters of the public functions that are arenas."""
        return ARENAS if self.psram_bytes else ARENAS[:1]

    @property
    def header(self) -> str:
        """The name of the public header."""
        return f"{self.name}.h"

    @property
    def macro(self) -> str:
        """What the macros begin with."""
        return self.name.upper()
