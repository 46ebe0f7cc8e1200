"""The options that say what code is made, shared by the commands that make some."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable
from enum import Enum
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, cast, get_type_hints

import typer

from tinyc.backends.libraries import CHOICES
from tinyc.backends.packages import ARENAS, FORMATS, WEIGHTS
from tinyc.compiler.data.calibration import Normalise
from tinyc.compiler.options.custom import load_pass
from tinyc.compiler.options.quantised import QuantiseOptions
from tinyc.ir.errors import TinycError
from tinyc.passes.quantise import DEFAULT_OBSERVER, OBSERVERS

Shapes = Annotated[
    list[str] | None,
    typer.Option("--input-shape", metavar="NAME=1,3,96,96", help="Shape of an input, or its batch; may be repeated."),
]
Name = Annotated[
    str, typer.Option("--name", help="What the C functions and files are called. [default: the file's name]")
]


class Layout(str, Enum):
    """Layout of 4-dimensional inputs."""

    onnx = "onnx"
    nhwc = "nhwc"


class Integers(str, Enum):
    """What to quantise to."""

    int8 = "int8"


class InputType(str, Enum):
    """Element type of the input."""

    float32 = "float32"
    int8 = "int8"
    uint8 = "uint8"


class OutputType(str, Enum):
    """Element type of the output."""

    float32 = "float32"
    int8 = "int8"


Calibration = Annotated[
    Path | None,
    typer.Option("--calibration", metavar="FILE|DIR", help="Real inputs: arrays, or a folder of such or of images."),
]
Labels = Annotated[Path | None, typer.Option("--labels", metavar="FILE", help="Classes of the calibration inputs.")]
Normalise_ = Annotated[
    str, typer.Option("--normalize", metavar="MEAN,STD", help="The model takes (pixel - MEAN) / STD. [default: 0,255]")
]
KeepFloat = Annotated[str, typer.Option("--keep-float", metavar="NODE,...", help="ONNX nodes that stay float.")]
Observer_ = Annotated[str, typer.Option("--observer", metavar="|".join(OBSERVERS), help="How ranges are chosen.")]


class RowsFrom(str, Enum):
    """Where the inputs come from."""

    arena = "arena"
    argument = "argument"
    callback = "callback"


RowsFrom_ = Annotated[
    RowsFrom,
    typer.Option("--rows-from", help="Inputs lie in the arena, are arguments, or come row by row from a callback."),
]
Ram = Annotated[
    str,
    typer.Option("--ram", metavar="64K", help="Arena that may be used: the fastest code that fits. [default: least]"),
]
Format = Annotated[
    str, typer.Option("--format", metavar="|".join(FORMATS), help="Form of the output. [default: the target's]")
]
ArenaIn = Annotated[str, typer.Option("--arena-in", metavar="|".join(ARENAS), help="Memory of the arena.")]
WeightsIn = Annotated[str, typer.Option("--weights-in", metavar="|".join(WEIGHTS), help="Memory of the constants.")]
Cores = Annotated[
    int, typer.Option("--cores", metavar="1|2", help="Cores that share the rows of heavy layers. [default: 1]")
]
Kernels = Annotated[
    str, typer.Option("--kernels", metavar="|".join(CHOICES), help="Kernels of tinyc, or of a library where exact.")
]
InputLayout = Annotated[Layout, typer.Option("--input-layout", help="Layout of 4-dimensional inputs.")]
Quantize = Annotated[Integers | None, typer.Option("--quantize", help="Quantise a float model.")]
InputType_ = Annotated[InputType, typer.Option("--input-type", help="What the input is as C.")]
OutputType_ = Annotated[OutputType, typer.Option("--output-type", help="What the output is.")]
AcceptAccuracy = Annotated[
    bool,
    typer.Option("--accept-accuracy", help="Note layers that are less accurate in int8 than explained; do not refuse."),
]
ExtraPass = Annotated[
    list[str] | None,
    typer.Option("--pass", metavar="MODULE:NAME", help="A pass of your own; may be repeated."),
]
Target = Annotated[str, typer.Option("--target", help="A target (see `tinyc targets`) or a .toml file.")]


def code_options(
    target: Target = "host",
    name: Name = "",
    input_shape: Shapes = None,
    input_layout: InputLayout = Layout.onnx,
    rows_from: RowsFrom_ = RowsFrom.arena,
    ram: Ram = "",
    format: Format = "",
    arena_in: ArenaIn = "internal",
    weights_in: WeightsIn = "flash",
    kernels: Kernels = "generic",
    cores: Cores = 1,
    quantize: Quantize = None,
    calibration: Calibration = None,
    labels: Labels = None,
    input_type: InputType_ = InputType.float32,
    output_type: OutputType_ = OutputType.float32,
    normalize: Normalise_ = "",
    keep_float: KeepFloat = "",
    observer: Observer_ = DEFAULT_OBSERVER,
    accept_accuracy: AcceptAccuracy = False,
    extra_pass: ExtraPass = None,
) -> dict[str, Any]:
    """The fields of `Options` that these options amount to. Raises `TinycError` when they do not go together."""
    return {
        "target": target,
        "name": name,
        "input_shapes": parse_shapes(input_shape),
        "input_layout": input_layout.value,
        "rows_from": rows_from.value,
        "ram": parse_bytes(ram),
        "format": format,
        "arena_in": arena_in,
        "weights_in": weights_in,
        "kernels": kernels,
        "cores": cores,
        "quantise": quantise_options(
            quantize, calibration, labels, normalize, keep_float, observer, input_type.value, output_type.value
        ),
        "accept_accuracy": accept_accuracy,
        "extra_passes": [load_pass(p) for p in extra_pass or []],
    }


def takes_code_options(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command the options of `code_options`; it takes `code`, a function that gives their fields of `Options`
    or raises `TinycError`."""
    shared = inspect.signature(code_options).parameters
    own = [p for p in inspect.signature(command).parameters.values() if p.name != "code"]

    @wraps(command)
    def with_options(**given: Any) -> None:
        chosen = {key: given.pop(key) for key in shared}
        command(code=lambda: code_options(**chosen), **given)

    required = [p for p in own if p.default is inspect.Parameter.empty]
    optional = [p for p in own if p.default is not inspect.Parameter.empty]
    parameters = [*required, *shared.values(), *optional]
    hints = get_type_hints(command, include_extras=True) | get_type_hints(code_options, include_extras=True)
    with_options.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [p.replace(annotation=hints[p.name], kind=inspect.Parameter.KEYWORD_ONLY) for p in parameters]
    )
    with_options.__annotations__ = {p.name: hints[p.name] for p in parameters}
    return with_options


def parse_shapes(given: list[str] | None) -> dict[str, tuple[int, ...]]:
    """`NAME=1,3,96,96` or `NAME:1,3,96,96` options as shapes by name. Raises `TinycError` for anything else."""
    shapes = {}
    for item in given or []:
        found = re.fullmatch(r"(.+)[=:]([0-9]{1,18}(?:,[0-9]{1,18})*)", item, re.DOTALL)
        shape = tuple(int(n) for n in found[2].split(",")) if found else ()
        if found is None or min(shape) < 1:
            raise TinycError(f"--input-shape takes NAME=1,3,96,96 (positive whole numbers), not {item!r}")
        name = found[1]
        if name in shapes:
            raise TinycError(f"--input-shape gives a shape for {name!r} twice")
        shapes[name] = shape
    return shapes


def parse_bytes(given: str) -> int | None:
    """`65536`, `64K` or `1M` (of 1,024) in bytes; None for nothing. Raises `TinycError` for anything else."""
    if not given:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([KM]?)(?:i?B)?", given, re.IGNORECASE)
    size = int(float(found[1]) * {"": 1, "K": 1024, "M": 1024**2}[found[2].upper()]) if found else 0
    if size < 1:
        raise TinycError(f"--ram takes a number of bytes, as in 65536, 64K or 1M; not {given!r}")
    return size


def quantise_options(
    quantize: Integers | None,
    calibration: Path | None,
    labels: Path | None,
    normalize: str,
    keep_float: str,
    observer: str,
    input_type: str = "float32",
    output_type: str = "float32",
) -> QuantiseOptions | None:
    """The quantisation that the options ask for; None for none. Raises `TinycError` for options that need others."""
    if quantize is None:
        needless = {
            "--calibration": calibration,
            "--labels": labels,
            "--normalize": normalize,
            "--keep-float": keep_float,
        }
        given = [name for name, value in needless.items() if value]
        given += ["--input-type"] * (input_type != "float32") + ["--output-type"] * (output_type != "float32")
        if given:
            raise TinycError(f"{', '.join(given)} goes with --quantize int8")
        return None
    if calibration is None:
        raise TinycError(
            "--quantize needs --calibration: real inputs in .npy or .npz files, or a folder of such files or images"
        )
    if observer not in OBSERVERS:
        raise TinycError(f"--observer is one of {', '.join(OBSERVERS)}, not {observer!r}")
    return QuantiseOptions(
        calibration=calibration,
        labels=labels,
        observer=observer,
        keep_float=tuple(part.strip() for part in keep_float.split(",") if part.strip()),
        input_type=cast("Any", input_type),
        output_type=cast("Any", output_type),
        normalise=parse_normalise(normalize),
    )


def parse_normalise(given: str) -> Normalise | None:
    """`MEAN,STD`; None for nothing. Raises `TinycError` for anything else."""
    if not given:
        return None
    try:
        mean, std = (float(part) for part in given.split(","))
    except ValueError:
        mean, std = 0.0, 0.0
    if not (math.isfinite(mean) and math.isfinite(std) and std > 0.0):
        raise TinycError(f"--normalize takes MEAN,STD (numbers, STD above 0), as in 127.5,127.5; not {given!r}")
    return Normalise(mean, std)
