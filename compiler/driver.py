"""The whole road, as a library: load, compile, verify, write."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tinyc.backends.c import CSource, Interface, PortDescription, Sections, generate
from tinyc.backends.interpreter import run_program
from tinyc.backends.packages import Packing, check_libraries, choose, package_files
from tinyc.backends.runners import RUNNERS, HostRunner, MissingTool, Runner, RunnerError, Unsupported, runner_for
from tinyc.backends.targets import Target, find
from tinyc.compiler.arrays import check_arrays, check_samples
from tinyc.compiler.calibration import Normalise
from tinyc.compiler.checked import checked
from tinyc.compiler.cores import check_cores, core_notes
from tinyc.compiler.export import to_onnx_qdq, write_onnx
from tinyc.compiler.fit import check_fit, sizes
from tinyc.compiler.frontend import FrontendError, Imported, Port, load_onnx
from tinyc.compiler.inputs import given_inputs
from tinyc.compiler.kernels import kernel_libraries, kernel_notes
from tinyc.compiler.lowering import Lowered, given, lower, quantised_module
from tinyc.compiler.options import Layout, Options, Samples, Shapes
from tinyc.compiler.output import check_folder, write_folder
from tinyc.compiler.quality import Quality, measure
from tinyc.compiler.quantised import QuantiseOptions, data, with_data
from tinyc.compiler.report import make_report, to_json
from tinyc.compiler.samples import sample_inputs
from tinyc.compiler.verify import (
    Agreement,
    Verdict,
    VerificationError,
    check_import,
    compare,
    first_difference_in_c,
    run_rows,
)
from tinyc.compiler.version import VERSION
from tinyc.ir.errors import TinycError
from tinyc.ir.module import Module
from tinyc.ir.ops import Transpose
from tinyc.ir.rows import RowProgram
from tinyc.ir.tensor import Array
from tinyc.passes.integerise import Port as ScaledPort
from tinyc.passes.quantise import to_dicts

EXECUTORS = ("interpreter", *RUNNERS)
"""Where a compiled model runs: the row program on the planned arena; its C on this computer or a simulated machine."""
VERIFIED = ("interpreter", "host")
"""The executors that a compilation is verified on."""
LONGEST_NAME = 100
"""Of the generated code: the names of its files are longer by some endings, and file systems stop at 255."""
PASS_SAMPLES = 8
"""Of many inferences to verify, as many are used to compare the IR before and after each pass."""


@dataclass(frozen=True)
class Compilation:
    """A compiled model: the import, the lowered program, the C, and what is known about them."""

    imported: Imported
    lowered: Lowered
    source: CSource
    target: Target
    packing: Packing
    verdicts: tuple[Verdict, ...]
    notes: tuple[str, ...]
    quality: Quality | None = None
    reference: str = ""
    """What the import was compared with; empty when nothing was."""

    @property
    def program(self) -> RowProgram:
        """The row program."""
        return self.lowered.program

    def given(self, samples: Samples) -> Samples:
        """Inputs as the model has them, as the compiled network takes them: integers where it was quantised to take
        such."""
        return given(self.program, samples, self.lowered.inputs)

    @cached_property
    def report(self) -> dict[str, Any]:
        """The report, as in report.json."""
        report = make_report(self.imported, self.lowered, self.source, self.target.name, self.verdicts, self.quality)
        return {**report, "package": self.packing.as_dict, "notes": list(self.notes), "reference": self.reference}

    @cached_property
    def files(self) -> Mapping[str, str]:
        """Everything that is written, by relative path."""
        return {**package_files(self.source, self.packing, VERSION), "report.json": to_json(self.report)}

    @checked
    def write(self, folder: str | Path, force: bool = False) -> Path:
        """Writes the files into a folder, all or none; over edited ones only with `force`. Raises `OutputError`."""
        write_folder(Path(folder), self.files, force)
        return Path(folder)


@checked
def load(
    model: str | Path, *, input_shapes: Shapes | None = None, input_layout: Layout = "onnx", name: str = ""
) -> Imported:
    """Imports an ONNX model without compiling it. The options are those of `Options`.

    Raises:
        FrontendError: the file is not a model that tinyc can import; the message says why.
    """
    return load_onnx(Path(model), input_shapes=input_shapes or {}, input_layout=input_layout, name=name or None)


@checked
def compile(
    model: str | Path,
    *,
    output: str | Path | None = None,
    progress: Callable[[str], None] | None = None,
    **options: Any,
) -> Compilation:
    """Compiles an ONNX model to C.

    Args:
        model: the ONNX file.
        output: a folder to write to; nothing is written when absent.
        progress: told what is being done, one short line at a time.
        **options: fields of `Options`.

    Raises:
        TinycError: bad input or usage; nothing has been written.
        PassVerificationError, VerificationError: a result differs; nothing has been written.
    """
    chosen = Options(**options)
    say = progress or (lambda _: None)
    target = find(chosen.target)
    check_cores(chosen.cores, target)
    kernel_libraries(chosen)
    name = identifier(chosen.name or Path(model).stem, strict=bool(chosen.name))
    packing = _packing(chosen, target, name)
    if output is not None:
        check_folder(Path(output), chosen.force)
    say("import")
    imported = _load(model, chosen, name)
    if chosen.quantise is not None:
        chosen = dataclasses.replace(chosen, quantise=with_data(chosen.quantise, imported))
    samples, seeded = _samples(chosen, imported), _seeded(chosen, imported)
    agreed = _check_import(imported, samples, seeded, say) if chosen.verify else Agreement()
    lowered = lower(imported.module, chosen, samples, say, seeded)
    say("generate C")
    source = _generate(lowered, imported, name, packing.sections)
    check_libraries(packing.format, source)
    verdicts: list[Verdict] = []
    notes = [*imported.notes, *agreed.notes]
    notes += [*core_notes(lowered.program, chosen.cores), *kernel_notes(lowered.program, chosen)]
    notes += data(chosen.quantise).notes if chosen.quantise is not None else ()
    notes += check_fit(target, sizes(lowered.program, source), chosen)
    if chosen.verify:
        for executor in VERIFIED:
            say(f"verify on {executor}")
            try:
                verdicts.append(check(executor, imported, lowered, source, agreed))
            except MissingTool as error:
                notes.append(f"not verified on {executor}: {error}")
    for verdict in verdicts:
        if not verdict.passed:
            raise VerificationError(f"on {verdict.executor}: {verdict.first_difference}")
    quality = None
    if chosen.quantise is not None:
        quality = measure(imported, lowered, source, data(chosen.quantise), say)
    result = Compilation(
        imported, lowered, source, target, packing, tuple(verdicts), tuple(notes), quality, agreed.against
    )
    if output is not None:
        result.write(output, chosen.force)
    return result


def _load(model: str | Path, options: Options, name: str) -> Imported:
    """The import in the layout that was asked for; in rows, if they are to come one by one."""

    def load(layout: Layout) -> Imported:
        return load_onnx(Path(model), input_shapes=options.input_shapes, input_layout=layout, name=name)

    imported = load(options.input_layout)
    if options.rows_from == "callback" and options.input_layout == "onnx" and _channels_first(imported.module):
        return load("nhwc")
    return imported


def _channels_first(module: Module) -> bool:
    """Whether images come in as the ONNX operators take them, channel by channel: a model that takes rows and columns
    of pixels begins by transposing them."""
    images = [v for v in module.inputs if v.type.rank == 4]
    to_channels = [n.op.x for n in module.nodes if isinstance(n.op, Transpose) and n.op.perm == (0, 3, 1, 2)]
    return any(v not in to_channels for v in images)


def _samples(options: Options, imported: Imported) -> Samples:
    """What to verify with: given, or some of the calibration data, or seeded."""
    if options.samples is not None:
        return check_samples(imported, options.samples, "samples")
    if options.quantise is not None:
        return data(options.quantise).samples[:PASS_SAMPLES]
    return sample_inputs(imported.module)


def _seeded(options: Options, imported: Imported) -> Samples:
    """What the import and the passes over floats are verified with beside calibration data: real inputs are all alike,
    and may leave limits and signs out that others reach."""
    beside = options.verify and options.quantise is not None and options.samples is None
    return sample_inputs(imported.module)[-1:] if beside else []


def _check_import(imported: Imported, samples: Samples, seeded: Samples, say: Callable[[str], None]) -> Agreement:
    say("compare the import with the reference")
    agreed = check_import(imported, [*samples, *seeded])
    return dataclasses.replace(agreed, expected=agreed.expected[: len(samples)])


def _packing(options: Options, target: Target, name: str) -> Packing:
    """The form of the output and the memories, as the options say."""
    pixels = options.quantise.pixels if options.quantise is not None else Normalise()
    return choose(
        target,
        name,
        format=options.format,
        arena_in=options.arena_in,
        weights_in=options.weights_in,
        pixels=(pixels.mean, pixels.std),
    )


def _generate(lowered: Lowered, imported: Imported, name: str, sections: Sections | None = None) -> CSource:
    scales = {p.name: p for p in (*lowered.inputs, *lowered.outputs)}

    def described(ports: Sequence[Port]) -> tuple[PortDescription, ...]:
        return tuple(_described(p, scales.get(p.value.name)) for p in ports)

    interface = Interface(described(imported.inputs), described(imported.outputs))
    return generate(lowered.program, name=name, interface=interface, version=VERSION, sections=sections)


def _described(port: Port, scale: ScaledPort | None) -> PortDescription:
    """What the header says of an input or output."""
    layout = "NHWC: rows, columns, channels" if port.perm else "as in the ONNX model"
    return PortDescription(port.name, layout, (scale.scale, scale.zero) if scale else None)


@checked
def execute(compilation: Compilation, executor: str, samples: Samples) -> list[list[Array]]:
    """Runs a compiled model on inputs given in the module's order and layout.

    Args:
        compilation: what `compile` returned.
        executor: one of `EXECUTORS`.
        samples: one list of inputs for each inference.

    Raises:
        TinycError: there is no such executor, or what it needs is missing (`MissingTool`).
    """
    _known([executor])
    program = compilation.program
    check_arrays([v.type for v in program.inputs], samples, "samples")
    if executor == "interpreter":
        return [run_program(program, list(sample)) for sample in samples]
    return runner_for(compilation.source, executor).run([list(sample) for sample in samples])


def _known(executors: Sequence[str]) -> None:
    """Raises `TinycError` when one is no executor, or none is given."""
    if not executors:
        raise TinycError(f"no executor given; the executors are {', '.join(EXECUTORS)}")
    if unknown := [e for e in executors if e not in EXECUTORS]:
        raise TinycError(f"unknown executor {', '.join(map(repr, unknown))}; the executors are {', '.join(EXECUTORS)}")


def check(executor: str, imported: Imported, lowered: Lowered, source: CSource, agreed: Agreement) -> Verdict:
    """Compares one executor with the reference's outputs, and its layers, each on its own operands, with what their
    operators make of these. A write outside the memory that the C was given is traced to its layer as well. Raises
    `VerificationError` when the C does not compile or run.

    What was quantised here differs from the reference by design, and how much is measured elsewhere.
    """
    program, samples = lowered.program, lowered.samples
    end_to_end = agreed.end_to_end and not lowered.quantised
    expected = () if lowered.quantised else agreed.expected
    if executor == "interpreter":
        outputs, layer = run_rows(program, samples)
        verdict = compare(executor, imported, outputs, expected or outputs, end_to_end=end_to_end)
        return dataclasses.replace(verdict, first_difference=layer or verdict.first_difference)
    try:
        runner = runner_for(source, executor)
    except Unsupported:
        raise
    except RunnerError as error:
        raise VerificationError(f"on {executor}: {error}") from None
    try:
        outputs = runner.run([list(sample) for sample in samples])
        verdict = compare(executor, imported, outputs, expected or outputs, end_to_end=end_to_end)
        # Many samples are an evaluation: there, outputs tell which to look into.
        few = verdict.first_difference or not end_to_end or len(samples) <= PASS_SAMPLES
        layer = first_difference_in_c(program, runner, samples if few else samples[:PASS_SAMPLES], outputs)
        first = "; ".join(filter(None, (layer, verdict.first_difference)))
        stack = runner.stack_bytes(list(samples[0])) if isinstance(runner, HostRunner) and not first else None
        return dataclasses.replace(verdict, first_difference=first, stack_bytes=stack)
    except RunnerError as error:
        raise VerificationError(f"on {executor}: {_traced(runner, samples, error)}") from None


def _traced(runner: Runner, samples: Samples, error: RunnerError) -> RunnerError:
    """What a program says that failed, when its layers are watched: it names the one that wrote where it must not."""
    try:
        for sample in samples:
            runner.trace(list(sample))
    except RunnerError as found:
        return found
    return error


@checked
def verify(
    model: str | Path,
    *,
    on: Sequence[str] = VERIFIED,
    arrays: Mapping[str, Array] | Array | str | Path | None = None,
    source: str = "the inputs",
    note: Callable[[str], None] | None = None,
    progress: Callable[[str], None] | None = None,
    **options: Any,
) -> list[Verdict]:
    """Compares a model with onnxruntime: the import, every pass, then each executor.

    Args:
        model: the ONNX file.
        on: the executors to compare.
        arrays: inputs by ONNX name, for one inference or several (`samples_from`), or a file or folder of them
            (`load_inputs`); seeded ones by default.
        source: what errors call the arrays.
        note: told what the user should know of the inputs.
        progress: told what is being done.
        **options: fields of `Options`.

    Raises:
        TinycError: bad input or usage, or a missing tool.
        PassVerificationError, VerificationError: the import or a pass differs.
    """
    _known(on)
    say = progress or (lambda _: None)
    chosen = Options(**options)
    check_cores(chosen.cores, find(chosen.target))
    name = identifier(chosen.name or Path(model).stem, strict=bool(chosen.name))
    imported = _load(model, chosen, name)
    if chosen.quantise is not None:
        chosen = dataclasses.replace(chosen, quantise=with_data(chosen.quantise, imported))
    samples = _samples(chosen, imported)
    if arrays is not None:
        found = given_inputs(arrays, imported, source)
        samples = found.samples
        for line in found.notes:
            (note or say)(line)
    seeded = _seeded(chosen, imported)
    agreed = _check_import(imported, samples, seeded, say)
    lowered = lower(imported.module, chosen, samples[:PASS_SAMPLES], say, seeded)
    lowered = dataclasses.replace(lowered, samples=given(lowered.program, samples, lowered.inputs))
    generated = _generate(lowered, imported, name)
    verdicts = []
    for executor in on:
        say(f"verify on {executor}")
        verdicts.append(check(executor, imported, lowered, generated, agreed))
    return verdicts


@checked
def quantize(
    model: str | Path,
    output: str | Path,
    options: QuantiseOptions,
    *,
    input_shapes: Shapes | None = None,
    accept_accuracy: bool = False,
    progress: Callable[[str], None] | None = None,
) -> list[dict[str, Any]]:
    """Quantises a float model and writes it as a QDQ model that onnxruntime runs.

    Args:
        model: the float ONNX file.
        output: the file to write.
        options: how to quantise; its input and output types do not matter here.
        input_shapes: as for `compile`.
        accept_accuracy: as for `compile`.
        progress: told what is being done.

    Returns:
        What quantisation cost, layer by layer, worst first.

    Raises:
        TinycError: bad input or usage; nothing has been written.
        PassVerificationError, VerificationError: a result differs, or is too inaccurate; nothing has been written.
    """
    say = progress or (lambda _: None)
    say("import")
    imported = load_onnx(Path(model), input_shapes=input_shapes or {})
    options = with_data(options, imported)
    quantised = quantised_module(imported.module, options, say, accept_accuracy)
    write_onnx(to_onnx_qdq(quantised.module, imported.inputs, imported.outputs), Path(output))
    return to_dicts(quantised.layers)


def count_macs(model: str | Path, input_shapes: Mapping[str, Sequence[int]]) -> tuple[int | None, str]:
    """Multiply-accumulates of one inference, or None and the reason why the model cannot be imported."""
    try:
        return load_onnx(Path(model), input_shapes=input_shapes).module.macs(), ""
    except FrontendError as error:
        return None, str(error)


def identifier(name: str, *, strict: bool) -> str:
    """A C identifier for the generated code. A name the user chose must be one already; a file's name is made one."""
    if strict:
        if len(name) > LONGEST_NAME:
            raise TinycError(f"`name` has {len(name)} characters; take at most {LONGEST_NAME}")
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
            raise TinycError(
                f"`name` {name!r} is not a C identifier: use letters, digits and _, and start with a letter"
            )
        return name
    cleaned = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_").lower()
    return (cleaned if re.match(r"[a-z]", cleaned) else f"model_{cleaned}")[:LONGEST_NAME].rstrip("_")
