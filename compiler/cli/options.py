"""The options that say what code is made, shared by the commands that make some."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Literal, cast, get_type_hints

import typer

from tinyc.backends.libraries import CHOICES
from tinyc.backends.packages import ARENAS, FORMATS, WEIGHTS
from tinyc.compiler.cli.preprocessing import parse_normalise
from tinyc.compiler.data.pixels import Normalise
from tinyc.compiler.options import CustomPass, OptionKeywords, Options, QuantiseOptions
from tinyc.compiler.options.custom import load_pass
from tinyc.ir.errors import TinycError
from tinyc.passes.quantise import MEASURED, OBSERVERS, ROUNDINGS

ShapesFlag = Annotated[
    list[str] | None,
    typer.Option("--input-shape", metavar="NAME=1,3,96,96", help="Shape of an input, or its batch; may be repeated."),
]
NameFlag = Annotated[
    str, typer.Option("--name", help="What the C functions and files are called. [default: the file's name]")
]


class LayoutWord(str, Enum):
    """Layout of inputs or outputs."""

    onnx = "onnx"
    nhwc = "nhwc"
    nlc = "nlc"


class IntegersWord(str, Enum):
    """What to quantise to: the integers of activations, and of weights where these are others."""

    int8 = "int8"
    int16x8 = "int16x8"


class InputWord(str, Enum):
    """Element type of the input."""

    auto = "auto"
    float32 = "float32"
    int8 = "int8"
    int16 = "int16"
    uint8 = "uint8"


class OutputWord(str, Enum):
    """Element type of the output."""

    auto = "auto"
    float32 = "float32"
    int8 = "int8"
    int16 = "int16"


CalibrationFlag = Annotated[
    Path | None,
    typer.Option("--calibration", metavar="FILE|DIR", help="Real inputs: arrays, or a folder of such or of images."),
]
LabelsFlag = Annotated[Path | None, typer.Option("--labels", metavar="FILE", help="Classes of the calibration inputs.")]
NormaliseFlag = Annotated[
    str,
    typer.Option(
        "--normalize",
        metavar="MEAN,STD|R,G,B/R,G,B",
        help="The model takes (pixel - MEAN) / STD, or means and deviations of channels. [default: 0,255]",
    ),
]
PixelScaleFlag = Annotated[
    str, typer.Option("--pixel-scale", metavar="255", help="Pixels are divided by it before MEAN and STD. [default: 1]")
]


class ChannelsWord(str, Enum):
    """The order of colours."""

    rgb = "rgb"
    bgr = "bgr"


ChannelsFlag = Annotated[
    ChannelsWord, typer.Option("--channels", help="The order of the model's colours, for image files and cameras.")
]
ResizeFlag = Annotated[
    str, typer.Option("--resize", metavar="N", help="The shorter side of image files becomes N; the centre is cut out.")
]
CropFlag = Annotated[
    bool, typer.Option("--crop", help="The centre of image files is cut out in the input's shape, and then scaled.")
]
EvaluateFlag = Annotated[
    Path | None,
    typer.Option("--evaluate", metavar="FILE|DIR", help="Inputs that were held back, to measure accuracy on."),
]
EvaluateLabelsFlag = Annotated[
    Path | None, typer.Option("--evaluate-labels", metavar="FILE", help="Classes of these inputs.")
]
Int16Flag = Annotated[
    str, typer.Option("--int16", metavar="NODE,...", help="ONNX nodes whose results are int16, or inputs that are.")
]
MinSqnrFlag = Annotated[
    float | None,
    typer.Option("--min-sqnr", metavar="DB", help="Raise as few tensors to int16 as outputs of this ratio take."),
]
MaxDropFlag = Annotated[
    float | None,
    typer.Option("--max-drop", metavar="PERCENT", help="The same for what top-1 accuracy may lose; with labels."),
]
KeepFloatFlag = Annotated[str, typer.Option("--keep-float", metavar="NODE,...", help="ONNX nodes that stay float.")]
WeightsFlag = Annotated[
    str, typer.Option("--weights", metavar="int8|int4|int4:NODE,...", help="Bits of quantised weights, by ONNX node.")
]
ObserverFlag = Annotated[
    str, typer.Option("--observer", metavar="|".join((*OBSERVERS, MEASURED)), help="How ranges are chosen.")
]
RoundingFlag = Annotated[
    str, typer.Option("--rounding", metavar="|".join(ROUNDINGS), help="How weights are rounded to integers.")
]


class RowsWord(str, Enum):
    """Where the inputs come from."""

    arena = "arena"
    argument = "argument"
    callback = "callback"


class RowsToWord(str, Enum):
    """Where the outputs go."""

    argument = "argument"
    callback = "callback"


RowsFromFlag = Annotated[
    RowsWord,
    typer.Option("--rows-from", help="Inputs lie in the arena, are arguments, or come row by row from a callback."),
]
RowsToFlag = Annotated[
    RowsToWord, typer.Option("--rows-to", help="Outputs are arguments, or images leave row by row through a callback.")
]
HopFlag = Annotated[
    str, typer.Option("--hop", metavar="N|least", help="Keep state between calls, of so many rows or samples each.")
]
RamFlag = Annotated[
    str,
    typer.Option("--ram", metavar="64K", help="Arena: fastest code that fits; 160K+2M: with PSRAM. [default: least]"),
]
FlashFlag = Annotated[
    str, typer.Option("--flash", metavar="300K", help="Code and constants: weights of as many layers become int4.")
]
SystemRamFlag = Annotated[
    str, typer.Option("--system-ram", metavar="64K", help="RAM of everything else. [default: what ESP-IDF takes]")
]
FormatFlag = Annotated[
    str, typer.Option("--format", metavar="|".join(FORMATS), help="Form of the output. [default: the target's]")
]
ArenaInFlag = Annotated[str, typer.Option("--arena-in", metavar="|".join(ARENAS), help="Memory of the arena.")]
WeightsInFlag = Annotated[str, typer.Option("--weights-in", metavar="|".join(WEIGHTS), help="Memory of the constants.")]
CoresFlag = Annotated[
    int, typer.Option("--cores", metavar="1|2", help="Cores that share the rows of heavy layers. [default: 1]")
]
OptimizeFlag = Annotated[
    str, typer.Option("--optimize", metavar="speed|balanced|size", help="Kernels for each layer, or shared by layers.")
]
TunedFlag = Annotated[
    Path | None, typer.Option("--tuned", metavar="FILE", help="Register tiles that `tinyc tune` measured.")
]
KernelsFlag = Annotated[
    str, typer.Option("--kernels", metavar="|".join(CHOICES), help="Kernels of tinyc, or of a library where exact.")
]
InputLayoutFlag = Annotated[
    LayoutWord, typer.Option("--input-layout", help="Layout of images (nhwc) or signals (nlc) that come in.")
]
OutputLayoutFlag = Annotated[LayoutWord, typer.Option("--output-layout", help="The same of those that go out.")]
ToFlag = Annotated[IntegersWord, typer.Option("--to", help="The integers of activations.")]
QuantizeFlag = Annotated[IntegersWord | None, typer.Option("--quantize", help="Quantise a float model.")]
InputTypeFlag = Annotated[
    InputWord, typer.Option("--input-type", help="What the input is as C; auto: integers where quantised.")
]
OutputTypeFlag = Annotated[
    OutputWord, typer.Option("--output-type", help="What the output is; auto: as for the input.")
]
AcceptAccuracyFlag = Annotated[
    bool,
    typer.Option("--accept-accuracy", help="Note layers that are less accurate in int8 than explained; do not refuse."),
]
ExtraPassFlag = Annotated[
    list[str] | None,
    typer.Option("--pass", metavar="MODULE:NAME", help="A pass of your own; may be repeated."),
]
AfterFlag = Annotated[
    list[str] | None,
    typer.Option("--after", metavar="PASS", help="Behind which pass --pass runs: the same for all, or one for each."),
]
BeforeFlag = Annotated[
    list[str] | None, typer.Option("--before", metavar="PASS", help="Before which, in place of --after.")
]
TargetFlag = Annotated[str, typer.Option("--target", help="A target (see `tinyc targets`) or a .toml file.")]
DEFAULTS = Options()
"""What is not given is as the library has it."""
QUANTISED = QuantiseOptions("")


def code_options(
    target: TargetFlag = DEFAULTS.target,
    name: NameFlag = DEFAULTS.name,
    input_shape: ShapesFlag = None,
    input_layout: InputLayoutFlag = LayoutWord.onnx,
    output_layout: OutputLayoutFlag = LayoutWord.onnx,
    rows_from: RowsFromFlag = RowsWord.arena,
    rows_to: RowsToFlag = RowsToWord.argument,
    hop: HopFlag = "",
    ram: RamFlag = "",
    flash: FlashFlag = "",
    system_ram: SystemRamFlag = "",
    format: FormatFlag = DEFAULTS.format,
    arena_in: ArenaInFlag = DEFAULTS.arena_in,
    weights_in: WeightsInFlag = DEFAULTS.weights_in,
    kernels: KernelsFlag = DEFAULTS.kernels,
    cores: CoresFlag = DEFAULTS.cores,
    optimize: OptimizeFlag = DEFAULTS.optimize,
    tuned: TunedFlag = None,
    quantize: QuantizeFlag = None,
    calibration: CalibrationFlag = None,
    labels: LabelsFlag = None,
    input_type: InputTypeFlag = InputWord.auto,
    output_type: OutputTypeFlag = OutputWord.auto,
    normalize: NormaliseFlag = "",
    pixel_scale: PixelScaleFlag = "",
    channels: ChannelsFlag = ChannelsWord.rgb,
    resize: ResizeFlag = "",
    crop: CropFlag = False,
    keep_float: KeepFloatFlag = "",
    int16: Int16Flag = "",
    min_sqnr: MinSqnrFlag = None,
    max_drop: MaxDropFlag = None,
    weights: WeightsFlag = QUANTISED.weights,
    observer: ObserverFlag = QUANTISED.observer,
    rounding: RoundingFlag = QUANTISED.rounding,
    accept_accuracy: AcceptAccuracyFlag = DEFAULTS.accept_accuracy,
    extra_pass: ExtraPassFlag = None,
    after: AfterFlag = None,
    before: BeforeFlag = None,
) -> OptionKeywords:
    """The options of the library that these amount to. Raises `TinycError` when they do not go together."""
    words = {"format": format, "arena_in": arena_in, "weights_in": weights_in, "kernels": kernels, "cores": cores}
    words["optimize"] = optimize
    pixels = parse_normalise(normalize, pixel_scale, channels.value, resize, crop)
    ports = {"input_type": input_type.value, "output_type": output_type.value, "normalise": pixels}
    if quantize is None:
        words |= ports
    return {
        "target": target,
        "name": name,
        "input_shapes": parse_shapes(input_shape),
        "input_layout": input_layout.value,
        "output_layout": output_layout.value,
        "rows_from": rows_from.value,
        "rows_to": rows_to.value,
        "hop": parse_hop(hop),
        "ram": ram or None,
        "flash": flash or None,
        "system_ram": system_ram or None,
        "tuned": tuned,
        "quantise": quantise_options(
            quantize,
            calibration,
            labels,
            pixels,
            keep_float,
            Wider(int16, min_sqnr, max_drop),
            observer,
            weights,
            input_type.value,
            output_type.value,
            rounding,
        ),
        "accept_accuracy": accept_accuracy,
        "extra_passes": placed_passes(extra_pass or [], after or [], before or []),
        **cast("OptionKeywords", words),
    }


def parse_hop(text: str) -> int | Literal["least"] | None:
    """How many rows each call brings; None for a network that keeps nothing. Raises `TinycError` for no such number."""
    if not text:
        return None
    if text == "least":
        return "least"
    if not re.fullmatch(r"[1-9][0-9]{0,8}", text):
        raise TinycError(f"--hop takes a number of rows or samples, 1 or more, or `least`, not {text!r}")
    return int(text)


def placed_passes(passes: list[str], after: list[str], before: list[str]) -> list[CustomPass]:
    """Custom passes and their places. Raises `TinycError` for places that are not one for all or one for each."""
    option, places = ("--before", before) if before else ("--after", after)
    if after and before:
        raise TinycError("--after and --before do not go together; tinyc.compile can place each pass by itself")
    if places and not passes:
        raise TinycError(f"{option} says where a pass of yours runs, and goes with --pass")
    if len(places) == 1:
        places = places * len(passes)
    if places and len(places) != len(passes):
        raise TinycError(
            f"{option} is given {len(places)} times, --pass {len(passes)} times; give one, or one for each"
        )
    where = {"--before": "before", "--after": "after"}[option]
    steps = [load_pass(p) for p in passes]
    if not places:
        return [CustomPass(step) for step in steps]
    return [CustomPass(step, **{where: place}) for step, place in zip(steps, places, strict=True)]


def takes_code_options(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command the options of `code_options`; it takes `code`, which makes `Options` of them and of what the
    command adds, or raises `TinycError`."""
    shared = inspect.signature(code_options).parameters
    own = [p for p in inspect.signature(command).parameters.values() if p.name != "code"]

    @wraps(command)
    def with_options(**arguments: Any) -> None:
        chosen = {key: arguments.pop(key) for key in shared}
        command(code=lambda **more: Options(**{**code_options(**chosen), **more}), **arguments)

    required = [p for p in own if p.default is inspect.Parameter.empty]
    optional = [p for p in own if p.default is not inspect.Parameter.empty]
    parameters = [*required, *shared.values(), *optional]
    hints = get_type_hints(command, include_extras=True) | get_type_hints(code_options, include_extras=True)
    with_options.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [p.replace(annotation=hints[p.name], kind=inspect.Parameter.KEYWORD_ONLY) for p in parameters]
    )
    with_options.__annotations__ = {p.name: hints[p.name] for p in parameters}
    return with_options


def parse_shapes(texts: list[str] | None) -> dict[str, tuple[int, ...]]:
    """`NAME=1,3,96,96` or `NAME:1,3,96,96` options as shapes by name. Raises `TinycError` for anything else."""
    shapes = {}
    for item in texts or []:
        found = re.fullmatch(r"(.+)[=:]([0-9]{1,18}(?:,[0-9]{1,18})*)", item, re.DOTALL)
        shape = tuple(int(n) for n in found[2].split(",")) if found else ()
        if found is None or min(shape) < 1:
            raise TinycError(f"--input-shape takes NAME=1,3,96,96 (positive whole numbers), not {item!r}")
        name = found[1]
        if name in shapes:
            raise TinycError(f"--input-shape gives a shape for {name!r} twice")
        shapes[name] = shape
    return shapes


@dataclass(frozen=True)
class Wider:
    """What asks for int16: `--int16`, `--min-sqnr` and `--max-drop`."""

    names: str = ""
    min_sqnr: float | None = None
    max_drop: float | None = None


def quantise_options(
    quantize: IntegersWord | None,
    calibration: Path | None,
    labels: Path | None,
    normalise: Normalise | None,
    keep_float: str,
    wider: Wider,
    observer: str,
    weights: str,
    input_type: str = QUANTISED.input_type,
    output_type: str = QUANTISED.output_type,
    rounding: str = QUANTISED.rounding,
) -> QuantiseOptions | None:
    """The quantisation that the options ask for; None for none. Raises `TinycError` for options that need others."""
    if quantize is None:
        needless = {
            "--calibration": calibration,
            "--labels": labels,
            "--keep-float": keep_float,
            "--int16": wider.names,
            "--min-sqnr": wider.min_sqnr is not None,
            "--max-drop": wider.max_drop is not None,
            "--weights": weights != QUANTISED.weights,
            "--observer": observer != QUANTISED.observer,
            "--rounding": rounding != QUANTISED.rounding,
        }
        if needing := [name for name, value in needless.items() if value]:
            go = "goes" if len(needing) == 1 else "go"
            raise TinycError(f"{', '.join(needing)} {go} with --quantize int8 or int16x8")
        return None
    if calibration is None:
        raise TinycError(
            "--quantize needs --calibration: real inputs in .npy or .npz files, or a folder of such files or images"
        )
    if observer not in (*OBSERVERS, MEASURED):
        raise TinycError(f"--observer is one of {', '.join((*OBSERVERS, MEASURED))}, not {observer!r}")
    if rounding not in ROUNDINGS:
        raise TinycError(f"--rounding is one of {', '.join(ROUNDINGS)}, not {rounding!r}")
    return QuantiseOptions(
        calibration=calibration,
        labels=labels,
        observer=observer,
        weights=weights,
        rounding=rounding,
        keep_float=_names(keep_float),
        activations="int16" if quantize is IntegersWord.int16x8 else "int8",
        int16=_names(wider.names),
        min_sqnr=wider.min_sqnr,
        max_drop=wider.max_drop,
        input_type=cast("Any", input_type),
        output_type=cast("Any", output_type),
        normalise=normalise,
    )


def _names(text: str) -> tuple[str, ...]:
    """`NAME,...`."""
    return tuple(part.strip() for part in text.split(",") if part.strip())
