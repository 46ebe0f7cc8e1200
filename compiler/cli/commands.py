"""The command line: one function a command, each a thin layer over the library.

Exit status: 0 for success, 1 when a verification found a difference, 2 when input or usage is wrong.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, NoReturn, Protocol

import typer

from tinyc.backends.runners import MACHINES
from tinyc.backends.targets import builtin
from tinyc.compiler.base.files import SIGNALS
from tinyc.compiler.base.version import VERSION
from tinyc.compiler.cli import console, measured
from tinyc.compiler.cli.flags import as_flags
from tinyc.compiler.cli.options import (
    AcceptAccuracyFlag,
    CalibrationFlag,
    ChannelsFlag,
    ChannelsWord,
    CropFlag,
    EvaluateFlag,
    EvaluateLabelsFlag,
    Int16Flag,
    IntegersWord,
    KeepFloatFlag,
    LabelsFlag,
    MaxDropFlag,
    MinSqnrFlag,
    NormaliseFlag,
    ObserverFlag,
    PixelScaleFlag,
    ResizeFlag,
    RoundingFlag,
    ShapesFlag,
    ToFlag,
    WeightsFlag,
    Wider,
    parse_shapes,
    quantise_options,
    takes_code_options,
)
from tinyc.compiler.cli.preprocessing import parse_normalise
from tinyc.compiler.data.arrays import outputs_by_name, write_npz
from tinyc.compiler.dump import compare_dump, compare_times
from tinyc.compiler.evaluate import Evaluation
from tinyc.compiler.options import EXECUTORS, VERIFIED, OptionKeywords, Options, Unpack, known_executors
from tinyc.compiler.report.documents import inspection_document, outputs_document, verdicts_document
from tinyc.compiler.session import Session, quantize
from tinyc.compiler.session.measure import find_machine, measure_on
from tinyc.compiler.session.tuner import tune_session
from tinyc.compiler.verify import VerificationError
from tinyc.ir.errors import TinycError
from tinyc.passes import PassVerificationError, registered
from tinyc.passes.quantise import DEFAULT_OBSERVER, DEFAULT_ROUNDING

app = typer.Typer(
    name="tinyc",
    help="Compile ONNX models to C for ESP32-class microcontrollers.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

ModelFlag = Annotated[Path, typer.Argument(metavar="MODEL.onnx", help="The ONNX model.")]
JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else on stdout.")]
OnFlag = Annotated[str, typer.Option("--on", metavar="|".join(EXECUTORS), help="Where to run.")]
OnSeveralFlag = Annotated[
    str, typer.Option("--on", metavar="A,B", help=f"Where to run: some of {', '.join(EXECUTORS)}.")
]
DEFAULT_ON = ",".join(VERIFIED)
DEFAULT_MACHINE = "rv32imc"
OnMachineFlag = Annotated[
    str,
    typer.Option("--on", metavar="|".join(MACHINES), help=f"The simulated machine. [default: {DEFAULT_MACHINE}]"),
]
FromLogFlag = Annotated[
    Path | None, typer.Option("--from-log", metavar="LOG.txt", help="What a device printed, built with -DTINYC_TIMES.")
]
InputsFlag = Annotated[
    Path | None, typer.Option("--inputs", metavar="FILE|DIR", help="Arrays named as the model's inputs, or images.")
]


class Code(Protocol):
    """What `takes_code_options` hands to a command."""

    def __call__(self, **more: Unpack[OptionKeywords]) -> Options:
        """The options of the command line, and more."""


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
    message = as_flags(message)
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
@takes_code_options
def compile_command(
    model: ModelFlag,
    code: Code,
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="DIR", help="[default: NAME_TARGET]")] = None,
    dump_ir: Annotated[
        Path | None, typer.Option("--dump-ir", metavar="DIR", help="Write the IR after each pass.")
    ] = None,
    evaluate: EvaluateFlag = None,
    evaluate_labels: EvaluateLabelsFlag = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite generated files that were edited.")] = False,
    no_verify: Annotated[bool, typer.Option("--no-verify", help="Skip all comparisons.")] = False,
    debug_pass: Annotated[
        list[str] | None,
        typer.Option("--debug-pass", metavar="NAME", help="Say what a pass rewrote, and what not and why."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Compile a model to C, verify it and write it to a folder."""
    with reporting(as_json):
        with console.progress(quiet=as_json) as say:
            options = code(
                force=force,
                verify=not no_verify,
                dump_ir=dump_ir,
                evaluate=evaluate,
                evaluate_labels=evaluate_labels,
                debug_passes=debug_pass or [],
                trace=console.trace,
            )
            session = Session(model, options, progress=say)
            folder = session.write(output)
            result = session.compilation
        if as_json:
            _print_json(result.report)
        else:
            console.compilation(result, folder)


@app.command("inspect")
def inspect_command(model: ModelFlag, input_shape: ShapesFlag = None, as_json: JsonFlag = False) -> None:
    """Show a model's operators, shapes, parameters and MACs, and which operators are unsupported."""
    with reporting(as_json):
        session = Session(model, Options(input_shapes=parse_shapes(input_shape)))
        document = inspection_document(model, session.inspection, *session.macs)
        _print_json(document) if as_json else console.inspection(document)


@app.command("run")
@takes_code_options
def run_command(
    model: ModelFlag,
    code: Code,
    inputs: Annotated[
        Path, typer.Option("--inputs", metavar="FILE|DIR", help="Arrays named as the model's inputs, or images.")
    ],
    on: OnFlag = "host",
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="OUT.npz", help="Write the outputs.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Run a model on the interpreter, or as C on this computer or a simulated machine."""
    with reporting(as_json):
        with console.progress(quiet=as_json) as say:
            (executor,) = known_executors([on])
            session = Session(model, code(verify=False), inputs=inputs, progress=say)
            results = session.run(executor)
        arrays = outputs_by_name(session.imported, results)
        if output is not None:
            write_npz(output, arrays)
        console.notes(session.evidence.notes)
        document = outputs_document(arrays, on, len(results))
        _print_json(document) if as_json else console.outputs(document)


@app.command("verify")
@takes_code_options
def verify_command(
    model: ModelFlag, code: Code, on: OnSeveralFlag = DEFAULT_ON, inputs: InputsFlag = None, as_json: JsonFlag = False
) -> None:
    """Compare a model with onnxruntime: every pass, then each executor."""
    with reporting(as_json):
        with console.progress(quiet=as_json) as say:
            executors = known_executors([part.strip() for part in on.split(",") if part.strip()])
            session = Session(model, code(), inputs=inputs, progress=say)
            verdicts = [session.verdict(executor) for executor in executors]
        console.notes([*session.evidence.notes, *session.agreed.notes])
        document = verdicts_document(verdicts)
        _print_json(document) if as_json else console.verdicts(document)
        if not all(v.passed for v in verdicts):
            raise typer.Exit(1)


@app.command("bench")
@takes_code_options
def bench_command(
    model: ModelFlag,
    code: Code,
    on: OnMachineFlag = "",
    from_log: Annotated[
        Path | None,
        typer.Option(
            "--from-log",
            metavar="LOG.txt",
            help="What a device printed, built with -DTINYC_TIMES, in place of a machine.",
        ),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Count the instructions, stack and code of one inference on a simulated machine, or read a device's times."""
    with reporting(as_json):
        if from_log is not None:
            _bench_log(model, code(verify=False), from_log, on, as_json)
            return
        on = on or DEFAULT_MACHINE
        machine = find_machine(on)
        with console.progress(quiet=as_json) as say:
            compiled = Session(model, code(verify=False), progress=say, machine=on).compilation
            say(f"measure on {on}")
            document = measure_on(compiled, machine)
        _print_json(document) if as_json else measured.bench(document)


def _bench_log(model: Path, options: Options, log: Path, on: str, as_json: bool) -> None:
    """`tinyc bench --from-log`."""
    if on:
        raise TinycError("--on goes without --from-log: instructions are those of the target's own simulator")
    with console.progress(quiet=as_json) as say:
        compiled = Session(model, options, progress=say).compilation
        say("read the log")
        document = compare_times(compiled, log)
    _print_json(document) if as_json else measured.times(document)


@app.command("tune")
@takes_code_options
def tune_command(
    model: ModelFlag,
    code: Code,
    on: Annotated[
        str, typer.Option("--on", metavar="|".join(MACHINES), help="The simulated machine. [default: the target's]")
    ] = "",
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="[default: MODEL_MACHINE.toml]")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Measure which register tiles a model's layers are best computed with, and write them for --tuned."""
    with reporting(as_json):
        with console.progress(quiet=as_json) as say:
            document = tune_session(Session(model, code(verify=False), progress=say, machine=on), on, output, say)
        _print_json(document) if as_json else measured.tuned(document)


@app.command("compare-dump")
@takes_code_options
def compare_dump_command(
    model: ModelFlag,
    log: Annotated[Path, typer.Argument(metavar="LOG.txt", help="What the device printed, built with -DTINYC_DUMP.")],
    code: Code,
    inputs: InputsFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Hold the layers that a device printed against the interpreter, and name the first that differs."""
    with reporting(as_json):
        with console.progress(quiet=as_json) as say:
            session = Session(model, code(verify=False), inputs=inputs, progress=say)
            if session.options.hop is not None:
                raise TinycError("compare-dump takes whole inferences: leave `hop` out, for the program as well")
            compiled = session.compilation
            say("compare the dump")
            document = compare_dump(compiled, log, session.evidence.samples if inputs else None)
        _print_json(document) if as_json else console.dump(document)
        if not document["passed"]:
            raise typer.Exit(1)


@app.command("quantize")
def quantize_command(
    model: ModelFlag,
    calibration: CalibrationFlag,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="OUT.onnx", help="Where to write the QDQ model.")],
    labels: LabelsFlag = None,
    normalize: NormaliseFlag = "",
    pixel_scale: PixelScaleFlag = "",
    channels: ChannelsFlag = ChannelsWord.rgb,
    resize: ResizeFlag = "",
    crop: CropFlag = False,
    keep_float: KeepFloatFlag = "",
    to: ToFlag = IntegersWord.int8,
    int16: Int16Flag = "",
    min_sqnr: MinSqnrFlag = None,
    max_drop: MaxDropFlag = None,
    weights: WeightsFlag = "int8",
    observer: ObserverFlag = DEFAULT_OBSERVER,
    rounding: RoundingFlag = DEFAULT_ROUNDING,
    input_shape: ShapesFlag = None,
    accept_accuracy: AcceptAccuracyFlag = False,
    evaluate: EvaluateFlag = None,
    evaluate_labels: EvaluateLabelsFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Quantise a float model to integers and write it as a QDQ model that onnxruntime runs."""
    with reporting(as_json):
        pixels = parse_normalise(normalize, pixel_scale, channels.value, resize, crop)
        wider = Wider(int16, min_sqnr, max_drop)
        options = quantise_options(
            to, calibration, labels, pixels, keep_float, wider, observer, weights, rounding=rounding
        )
        assert options is not None
        notes: list[str] = []
        accuracy: dict[str, Evaluation] = {}
        with console.progress(quiet=as_json) as say:
            layers = quantize(
                model,
                output,
                options,
                input_shapes=parse_shapes(input_shape),
                accept_accuracy=accept_accuracy,
                evaluate=evaluate,
                evaluate_labels=evaluate_labels,
                evaluated=accuracy.__setitem__,
                note=notes.append,
                progress=say,
            )
        console.notes(notes)
        measured = {name: found.as_dict for name, found in accuracy.items()}
        document = {"model": str(model), "written": str(output), "layers": layers, "accuracy": measured}
        _print_json(document) if as_json else console.quantised_layers(document)


@app.command("opt")
def opt_command(
    file: Annotated[Path, typer.Argument(metavar="FILE.tc", help="Text IR; its large data lies in FILE.npz.")],
    passes: Annotated[str, typer.Option("--passes", metavar="A,B,C", help="Passes to run, in order.")] = "",
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="OUT.tc", help="[default: stdout]")] = None,
    no_verify: Annotated[bool, typer.Option("--no-verify", help="Do not compare before and after.")] = False,
    debug_pass: Annotated[list[str] | None, typer.Option("--debug-pass", metavar="NAME", help="Trace a pass.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Run passes on text IR."""
    with reporting(as_json):
        names = [p.strip() for p in passes.split(",") if p.strip()]
        from tinyc.compiler.session.opt import optimise_text  # the parser is no other command's

        result = optimise_text(file, names, output, not no_verify, debug_pass or [], console.trace)
        if as_json:
            _print_json({"text": result.text, "passes": [dataclasses.asdict(r) for r in result.records]})
        elif output is None:
            sys.stdout.write(result.text)


@app.command("passes")
def passes_command(as_json: JsonFlag = False) -> None:
    """List the passes."""
    console.listing({name: p.purpose() for name, p in registered().items()}, as_json, _print_json)


@app.command("targets")
def targets_command(as_json: JsonFlag = False) -> None:
    """List the targets and what they have."""
    found = builtin().values()
    _print_json([t.as_dict for t in found]) if as_json else console.targets(found)


class Interrupted(BaseException):
    """A signal that asks the program to end; not an exception that any handler on the way should take for an error."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise Interrupted(number)


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Inside, signals that end programs are raised as `Interrupted`, so that nothing temporary is left behind. Those
    that whoever started the program wants ignored, as nohup does, are."""
    with contextlib.ExitStack() as restore:
        for number in SIGNALS if threading.current_thread() is threading.main_thread() else ():
            handler = signal.getsignal(number)
            if handler not in (None, signal.SIG_IGN):
                restore.callback(signal.signal, number, handler)
                signal.signal(number, _interrupt)
        yield


def main(run: Callable[[], None] = app) -> None:
    """The entry point of the `tinyc` command. What is no user's error is a bug: it says so, and gives status 3. A
    signal ends it with one line and the status that shells give it: 130 for SIGINT, 143 for SIGTERM."""
    try:
        with _interruptible():
            run()
    except Interrupted as signalled:
        console.error(f"interrupted by {signal.Signals(signalled.number).name}")
        sys.exit(128 + signalled.number)
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
