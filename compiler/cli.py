"""The command line: one function a command, each a thin layer over the library.

Exit status: 0 for success, 1 when a verification found a difference, 2 when input or usage is wrong.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import sys
from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, NoReturn, cast

import typer

from tinyc.backends.targets import builtin
from tinyc.compiler import console, driver
from tinyc.compiler.arrays import outputs_by_name, read_npz, samples_from, write_npz
from tinyc.compiler.calibration import Normalise
from tinyc.compiler.custom import load_pass
from tinyc.compiler.frontend import inspect_onnx
from tinyc.compiler.opt import optimise_text
from tinyc.compiler.quantised import QuantiseOptions
from tinyc.compiler.verify import VerificationError
from tinyc.compiler.version import VERSION
from tinyc.ir.errors import TinycError
from tinyc.passes import PassVerificationError, registered
from tinyc.passes.quantise import DEFAULT_OBSERVER, OBSERVERS

app = typer.Typer(
    name="tinyc",
    help="Compile ONNX models to C for ESP32-class microcontrollers.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Model = Annotated[Path, typer.Argument(metavar="MODEL.onnx", help="The ONNX model.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else on stdout.")]
Shapes = Annotated[
    list[str] | None,
    typer.Option("--input-shape", metavar="NAME=1,3,96,96", help="Shape of an input; may be repeated."),
]
Name = Annotated[
    str, typer.Option("--name", help="What the C functions and files are called. [default: the file's name]")
]
On = Annotated[str, typer.Option("--on", metavar="|".join(driver.EXECUTORS), help="Where to run.")]
Inputs = Annotated[
    Path | None, typer.Option("--inputs", metavar="FILE.npz", help="Arrays named as the model's inputs.")
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
    Path | None, typer.Option("--calibration", metavar="FILE.npz|DIR", help="Real inputs, or a folder of images.")
]
Labels = Annotated[Path | None, typer.Option("--labels", metavar="FILE", help="Classes of the calibration inputs.")]
Normalise_ = Annotated[
    str, typer.Option("--normalize", metavar="MEAN,STD", help="The model takes (pixel - MEAN) / STD. [default: 0,255]")
]
KeepFloat = Annotated[str, typer.Option("--keep-float", metavar="NODE,...", help="ONNX nodes that stay float.")]
Observer_ = Annotated[str, typer.Option("--observer", metavar="|".join(OBSERVERS), help="How ranges are chosen.")]
InputLayout = Annotated[Layout, typer.Option("--input-layout", help="Layout of 4-dimensional inputs.")]


@contextlib.contextmanager
def reporting(as_json: bool) -> Iterator[None]:
    """Turns errors into one message and the exit status."""
    try:
        yield
    except (VerificationError, PassVerificationError) as error:
        _fail(str(error), 1, as_json)
    except TinycError as error:
        _fail(str(error), 2, as_json)


def _fail(message: str, status: int, as_json: bool) -> NoReturn:
    if as_json:
        _print_json({"error": message, "status": status})
    else:
        console.error(message)
    raise typer.Exit(status)


def _print_json(document: Any) -> None:
    sys.stdout.write(json.dumps(document, indent=2, allow_nan=False) + "\n")


@app.callback(invoke_without_command=True)
def main_options(
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.", is_eager=True)] = False,
) -> None:
    """Compile ONNX models to C for ESP32-class microcontrollers."""
    if version:
        print(f"tinyc {VERSION}")
        raise typer.Exit()


@app.command("compile")
def compile_command(
    model: Model,
    target: Annotated[str, typer.Option("--target", help="A target (see `tinyc targets`) or a .toml file.")] = "host",
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="DIR", help="[default: NAME_TARGET]")] = None,
    name: Name = "",
    input_shape: Shapes = None,
    input_layout: InputLayout = Layout.onnx,
    dump_ir: Annotated[
        Path | None, typer.Option("--dump-ir", metavar="DIR", help="Write the IR after each pass.")
    ] = None,
    no_verify: Annotated[bool, typer.Option("--no-verify", help="Skip all comparisons.")] = False,
    quantize: Annotated[Integers | None, typer.Option("--quantize", help="Quantise a float model.")] = None,
    calibration: Calibration = None,
    labels: Labels = None,
    input_type: Annotated[InputType, typer.Option("--input-type", help="What the input is as C.")] = InputType.float32,
    output_type: Annotated[OutputType, typer.Option("--output-type", help="What the output is.")] = OutputType.float32,
    normalize: Normalise_ = "",
    keep_float: KeepFloat = "",
    observer: Observer_ = DEFAULT_OBSERVER,
    extra_pass: Annotated[
        list[str] | None,
        typer.Option("--pass", metavar="MODULE:NAME", help="A pass of your own; may be repeated."),
    ] = None,
    debug_pass: Annotated[
        list[str] | None,
        typer.Option("--debug-pass", metavar="NAME", help="Say what a pass rewrote, and what not and why."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Compile a model to C, verify it and write it to a folder."""
    with reporting(as_json):
        custom = [load_pass(p) for p in extra_pass or []]
        chosen = driver.identifier(name or model.stem, strict=bool(name))
        quantise = quantise_options(
            quantize, calibration, labels, normalize, keep_float, observer, input_type.value, output_type.value
        )
        folder = output or Path(f"{chosen}_{Path(target).stem}")
        with console.progress(quiet=as_json) as say:
            result = driver.compile(
                model,
                output=folder,
                progress=say,
                target=target,
                name=name,
                input_shapes=parse_shapes(input_shape),
                input_layout=input_layout.value,
                verify=not no_verify,
                quantise=quantise,
                extra_passes=custom,
                dump_ir=dump_ir,
                debug_passes=debug_pass or [],
                trace=console.trace,
            )
        if as_json:
            _print_json(result.report)
        else:
            console.compilation(result, folder)


@app.command("inspect")
def inspect_command(model: Model, input_shape: Shapes = None, as_json: Json = False) -> None:
    """Show a model's operators, shapes, parameters and MACs, and which operators are unsupported."""
    with reporting(as_json):
        found = inspect_onnx(model)
        macs, reason = driver.count_macs(model, parse_shapes(input_shape))
        document = console.inspection_document(model, found, macs, reason)
        _print_json(document) if as_json else console.inspection(document)


@app.command("run")
def run_command(
    model: Model,
    inputs: Annotated[Path, typer.Option("--inputs", metavar="FILE.npz", help="Arrays named as the model's inputs.")],
    on: On = "host",
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="OUT.npz", help="Write the outputs.")] = None,
    input_shape: Shapes = None,
    as_json: Json = False,
) -> None:
    """Run a model on the interpreter or as C on this computer."""
    with reporting(as_json):
        with console.progress(quiet=as_json) as say:
            compiled = driver.compile(model, progress=say, verify=False, input_shapes=parse_shapes(input_shape))
            samples = samples_from(compiled.imported, read_npz(inputs), str(inputs))
            say(f"run on {on}")
            results = driver.execute(compiled, on, samples)
        arrays = outputs_by_name(compiled.imported, results)
        if output is not None:
            write_npz(output, arrays)
        document = console.outputs_document(arrays, on, len(samples))
        _print_json(document) if as_json else console.outputs(document)


@app.command("verify")
def verify_command(
    model: Model,
    on: On = "interpreter,host",
    inputs: Inputs = None,
    input_shape: Shapes = None,
    input_layout: InputLayout = Layout.onnx,
    as_json: Json = False,
) -> None:
    """Compare a model with onnxruntime: every pass, then each executor."""
    with reporting(as_json):
        with console.progress(quiet=as_json) as say:
            verdicts = driver.verify(
                model,
                on=[part.strip() for part in on.split(",") if part.strip()],
                arrays=read_npz(inputs) if inputs else None,
                source=str(inputs or ""),
                progress=say,
                input_shapes=parse_shapes(input_shape),
                input_layout=input_layout.value,
            )
        document = console.verdicts_document(verdicts)
        _print_json(document) if as_json else console.verdicts(document)
        if not all(v.passed for v in verdicts):
            raise typer.Exit(1)


@app.command("quantize")
def quantize_command(
    model: Model,
    calibration: Calibration,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="OUT.onnx", help="Where to write the QDQ model.")],
    labels: Labels = None,
    normalize: Normalise_ = "",
    keep_float: KeepFloat = "",
    observer: Observer_ = DEFAULT_OBSERVER,
    input_shape: Shapes = None,
    as_json: Json = False,
) -> None:
    """Quantise a float model to int8 and write it as a QDQ model that onnxruntime runs."""
    with reporting(as_json):
        options = quantise_options(Integers.int8, calibration, labels, normalize, keep_float, observer)
        assert options is not None
        with console.progress(quiet=as_json) as say:
            layers = driver.quantize(model, output, options, input_shapes=parse_shapes(input_shape), progress=say)
        document = {"model": str(model), "written": str(output), "layers": layers}
        _print_json(document) if as_json else console.quantised_layers(document)


@app.command("opt")
def opt_command(
    file: Annotated[Path, typer.Argument(metavar="FILE.tc", help="Text IR; its large data lies in FILE.npz.")],
    passes: Annotated[str, typer.Option("--passes", metavar="A,B,C", help="Passes to run, in order.")] = "",
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="OUT.tc", help="[default: stdout]")] = None,
    no_verify: Annotated[bool, typer.Option("--no-verify", help="Do not compare before and after.")] = False,
    debug_pass: Annotated[list[str] | None, typer.Option("--debug-pass", metavar="NAME", help="Trace a pass.")] = None,
    as_json: Json = False,
) -> None:
    """Run passes on text IR."""
    with reporting(as_json):
        names = [p.strip() for p in passes.split(",") if p.strip()]
        result = optimise_text(file, names, output, not no_verify, debug_pass or [], console.trace)
        if as_json:
            _print_json({"text": result.text, "passes": [dataclasses.asdict(r) for r in result.records]})
        elif output is None:
            sys.stdout.write(result.text)


@app.command("passes")
def passes_command(as_json: Json = False) -> None:
    """List the passes."""
    console.listing({name: p.purpose() for name, p in registered().items()}, as_json, _print_json)


@app.command("targets")
def targets_command(as_json: Json = False) -> None:
    """List the targets."""
    console.listing({name: t.description for name, t in builtin().items()}, as_json, _print_json)


def parse_shapes(given: list[str] | None) -> dict[str, tuple[int, ...]]:
    """`NAME=1,3,96,96` options as shapes by name. Raises `TinycError` for anything else."""
    shapes = {}
    for item in given or []:
        name, equals, numbers = item.rpartition("=")
        try:
            shape = tuple(int(n) for n in numbers.split(","))
        except ValueError:
            shape = ()
        if not equals or not name or not shape or min(shape) < 1:
            raise TinycError(f"--input-shape takes NAME=1,3,96,96 (positive whole numbers), not {item!r}")
        if name in shapes:
            raise TinycError(f"--input-shape gives a shape for {name!r} twice")
        shapes[name] = shape
    return shapes


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
        raise TinycError("--quantize needs --calibration: an .npz file of real inputs, or a folder of images")
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


def parse_normalise(given: str) -> Normalise:
    """`MEAN,STD`. Raises `TinycError` for anything else."""
    if not given:
        return Normalise()
    try:
        mean, std = (float(part) for part in given.split(","))
    except ValueError:
        mean, std = 0.0, 0.0
    if not std > 0.0:
        raise TinycError(f"--normalize takes MEAN,STD (numbers, STD above 0), as in 127.5,127.5; not {given!r}")
    return Normalise(mean, std)


def main(run: Callable[[], None] = app) -> None:
    """The entry point of the `tinyc` command. What is no user's error is a bug: it says so, and gives status 3."""
    try:
        run()
    except Exception as error:
        if os.environ.get("TINYC_TRACEBACK"):
            raise
        console.error(
            f"internal error: {type(error).__name__}: {error}\nThis is a bug in tinyc; please report it. "
            "TINYC_TRACEBACK=1 shows where it happened."
        )
        sys.exit(3)


if __name__ == "__main__":
    main()
