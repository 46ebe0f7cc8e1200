"""How to compile: the options that the library and the command line share."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, TypedDict

from tinyc.backends.c.tuning import Optimize
from tinyc.backends.libraries import Kernels
from tinyc.backends.packages.memories import Format
from tinyc.compiler.base.checked import AtLeast, Elsewhere, OptionError, checked
from tinyc.compiler.data.calibration import CalibrationLike
from tinyc.compiler.data.pixels import Normalise
from tinyc.compiler.options.byte_counts import parse_bytes, parse_memories
from tinyc.compiler.options.custom import CustomPass
from tinyc.compiler.options.ports import InputType, OutputType, PortTypes
from tinyc.compiler.options.quantise import QuantiseOptions
from tinyc.ir.tensor import Array
from tinyc.passes.core.base import AnyPass

if sys.version_info >= (3, 11):
    from typing import Unpack
else:
    from typing_extensions import Unpack

__all__ = [
    "InputLayout",
    "OptionKeywords",
    "Options",
    "OutputLayout",
    "RowsFrom",
    "RowsTo",
    "Samples",
    "Shapes",
    "Unpack",
]

InputLayout = Literal["onnx", "nhwc", "nlc"]
OutputLayout = Literal["onnx", "nhwc", "nlc"]
RowsFrom = Literal["arena", "argument", "callback"]
RowsTo = Literal["argument", "callback"]
Hop = Annotated[int, AtLeast(1)] | Literal["least"]
ArenaIn = Literal["internal", "psram"]
WeightsIn = Annotated[Literal["flash", "internal"], Elsewhere()]
Samples = Sequence[Sequence[Array]]
Shapes = Mapping[str, Sequence[Annotated[int, AtLeast(1)]]]
Bytes = Annotated[int, AtLeast(1)] | str
"""A number, or a text such as "64K" or "1M" (of 1,024), or of two memories "160K+2M"."""
OtherBytes = Annotated[int, AtLeast(0)] | str
"""The same of one memory, which may be none."""


@checked
@dataclass(frozen=True)
class Options:
    """How to compile. Each option is documented here, and has its default here: the functions of the library take them
    as keywords, the command line as flags.

    The annotations are what is checked, when a program runs and by type checkers.

    Attributes:
        target: a built-in target's name, or a TOML file.
        name: what the generated functions, macros and files are called; from the file's name by default.
        input_shapes: shapes for inputs whose dimensions are symbolic, or that are to have another batch, by input name.
        input_layout: "onnx" keeps the model's own layout; "nhwc" takes 4-dimensional inputs channels last,
            "nlc" 3-dimensional ones: signals, sample after sample.
        rows_from: where the generated function finds its inputs: "arena" gives them a place in the arena, where the
            network overwrites them; "argument" takes pointers to the caller's memory, which it leaves as it is;
            "callback" asks for the rows of each image and the samples of each signal one by one, channels last whatever
            the layout in the model.
        output_layout: the same as `input_layout` for outputs.
        rows_to: where it puts its outputs: "argument" takes pointers to the caller's memory; "callback" hands over the
            rows of each image and the samples of each signal one by one, as they are computed, channels last whatever
            the layout in the model.
        hop: keep the state between calls: each brings so many rows of each image or samples of each signal and gives
            what belongs to them, for ever; "least" for as few as can be. The rows lie in the caller's memory, channels
            last. Goes with networks that do not look ahead, and of several inputs counts the rows of the first.
        ram: bytes of arena that may be used, as a number or as in "64K" or "1M"; the schedule is the fastest that fits.
            The least without it. "160K+2M" is of two memories, internal RAM and PSRAM, with an arena in each: what does
            not fit into the first goes to the second, such that the fewest bytes are moved there.
        flash: bytes that code and constants may take, as `ram`. Of a model that is quantised here, as many layers have
            weights of 4 bits as it takes, those that do the least harm first; any other that does not fit is refused.
        system_ram: bytes of internal RAM that the operating system and the rest of your application take, as `ram`;
            what ESP-IDF takes by itself, as the target has it, without it.
        format: the form of the output, one of `tinyc.backends.packages.FORMATS`; the target's own if empty.
        arena_in: the memory of the arena: "internal" or "psram".
        weights_in: the memory of the constants: "flash" or "internal".
        kernels: "generic" are tinyc's own; "esp-nn" and "esp-dsp" those of that library wherever it is exact; "auto"
            takes the faster ones for each layer.
        cores: how many cores share the rows of heavy layers: 1, or 2 where the target has them.
        optimize: "speed" specialises kernels for each layer, "size" shares them between layers, and "balanced" shares
            them where a byte of code would save few instructions.
        tuned: a file of register tiles that `tinyc tune` measured, in place of the table that tinyc has for the
            target; results stay the same. "size" leaves all of them aside.
        verify: compare every pass before and after, and the result with onnxruntime.
        accept_accuracy: note it, instead of refusing to compile, when a layer's noise in int8, or what it cuts off, is
            beyond what its step sizes and the calibration data explain.
        quantise: quantise the float model to int8; None leaves it as it is.
        input_type: of a model that is quantised already, what its float inputs become, as in `QuantiseOptions`, which
            says it for one that is quantised here.
        output_type: the same for its float outputs.
        normalise: how the model wants its pixels, as in `QuantiseOptions`, which says it for one quantised here.
        extra_passes: custom passes, run last on the tensor level; a `CustomPass` says after or before which pass.
        dump_ir: a folder for the IR after each pass.
        debug_passes: names of passes whose rewriting is traced.
        trace: told what those passes rewrote, and what they did not and why, one line at a time.
        force: overwrite generated files that somebody has edited.
        evaluate: data that nothing was learnt from, as `QuantiseOptions.calibration`: what the network makes of them is
            compared with what the model does, as the report and `Compilation.evaluation` tell.
        evaluate_labels: a file with the class of each of them, to measure accuracy; folders of images, and .npz files
            with an array `labels`, have their own.
        samples: input sets to verify with, in the module's order and layout; calibration data, or seeded ones, by
            default.
    """

    target: str = "host"
    name: str = ""
    input_shapes: Shapes = field(default_factory=dict)
    input_layout: InputLayout = "onnx"
    rows_from: RowsFrom = "arena"
    output_layout: OutputLayout = "onnx"
    rows_to: RowsTo = "argument"
    hop: Hop | None = None
    ram: Bytes | None = None
    flash: Bytes | None = None
    system_ram: OtherBytes | None = None
    format: Format | Literal[""] = ""
    arena_in: ArenaIn = "internal"
    weights_in: WeightsIn = "flash"
    kernels: Kernels = "generic"
    cores: Literal[1, 2] = 1
    optimize: Optimize = "balanced"
    tuned: str | Path | None = None
    verify: bool = True
    accept_accuracy: bool = False
    quantise: QuantiseOptions | None = None
    input_type: InputType = "auto"
    output_type: OutputType = "auto"
    normalise: Normalise | None = None
    extra_passes: Sequence[AnyPass | CustomPass] = ()
    dump_ir: str | Path | None = None
    debug_passes: Collection[str] = ()
    trace: Callable[[str], None] = print
    force: bool = False
    evaluate: CalibrationLike | None = None
    evaluate_labels: str | Path | None = None
    samples: Samples | None = None

    def __post_init__(self) -> None:
        _ = self.system_bytes, self.flash_bytes
        if self.external_bytes is not None and self.arena_in == "psram":
            raise OptionError(
                "`ram` of two memories says itself what lies where: give `arena_in=psram` with one number or none"
            )
        if self.evaluate_labels is not None and self.evaluate is None:
            raise OptionError("`evaluate_labels` goes with `evaluate`, the data that they belong to")
        if self.hop is not None:
            self._check_hop()
        if self.quantise is not None:
            given = {"input_type": self.input_type, "output_type": self.output_type, "normalise": self.normalise}
            for name, value in given.items():
                if value not in ("auto", None):
                    raise OptionError(f"`{name}` of a model that is quantised here belongs into `QuantiseOptions`")

    def _check_hop(self) -> None:
        """Raises `OptionError` for what networks that keep their state cannot have."""
        for name, fits in (("rows_from", "arena"), ("rows_to", "argument"), ("cores", 1), ("kernels", "generic")):
            if (value := getattr(self, name)) != fits:
                raise OptionError(f"`hop` and `{name}={value}` do not go together: leave one of them out")
        if self.external_bytes is not None:
            raise OptionError("`hop` and `ram` of two memories do not go together: give `ram` one number, or none")

    @property
    def hop_rows(self) -> int | None:
        """`hop` as a number, 0 for the least; None where no state is kept."""
        return 0 if self.hop == "least" else self.hop

    @property
    def port_types(self) -> PortTypes:
        """What the network takes and gives, whoever quantises it."""
        if self.quantise is not None:
            return self.quantise.port_types
        return PortTypes(self.input_type, self.output_type, self.normalise)

    @property
    def ram_bytes(self) -> int | None:
        """`ram` as a number: of two memories, the first."""
        return parse_memories(self.ram)[0] if isinstance(self.ram, str) else self.ram

    @property
    def flash_bytes(self) -> int | None:
        """`flash` as a number."""
        return parse_bytes(self.flash, "flash") if isinstance(self.flash, str) else self.flash

    @property
    def system_bytes(self) -> int | None:
        """`system_ram` as a number."""
        return parse_bytes(self.system_ram, "system_ram") if isinstance(self.system_ram, str) else self.system_ram

    @property
    def external_bytes(self) -> int | None:
        """The bytes of PSRAM in `ram`, None where it has none."""
        return parse_memories(self.ram)[1] if isinstance(self.ram, str) else None


class OptionKeywords(TypedDict, total=False):
    """The options as keywords: the fields of `Options`, for type checkers."""

    target: str
    name: str
    input_shapes: Shapes
    input_layout: InputLayout
    rows_from: RowsFrom
    output_layout: OutputLayout
    rows_to: RowsTo
    hop: Hop | None
    ram: Bytes | None
    flash: Bytes | None
    system_ram: OtherBytes | None
    format: Format | Literal[""]
    arena_in: ArenaIn
    weights_in: WeightsIn
    kernels: Kernels
    cores: Literal[1, 2]
    optimize: Optimize
    tuned: str | Path | None
    verify: bool
    accept_accuracy: bool
    quantise: QuantiseOptions | None
    input_type: InputType
    output_type: OutputType
    normalise: Normalise | None
    extra_passes: Sequence[AnyPass | CustomPass]
    dump_ir: str | Path | None
    debug_passes: Collection[str]
    trace: Callable[[str], None]
    force: bool
    evaluate: CalibrationLike | None
    evaluate_labels: str | Path | None
    samples: Samples | None
