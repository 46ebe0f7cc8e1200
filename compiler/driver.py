"""The whole road, as a library: load, compile, verify, write."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tinyc.backends.c import CSource, Interface, Placement, PortInfo, generate
from tinyc.backends.interpreter import run_module, run_program
from tinyc.backends.packages import Packing, check_libraries, choose, package_files
from tinyc.backends.runners import RUNNERS, HostRunner, MissingTool, runner_for
from tinyc.backends.targets import Target, find
from tinyc.compiler.arrays import samples_from
from tinyc.compiler.calibration import Normalise
from tinyc.compiler.cores import check_cores, core_notes
from tinyc.compiler.export import to_onnx_qdq, write_onnx
from tinyc.compiler.fit import check_fit, sizes
from tinyc.compiler.frontend import FrontendError, Imported, Port, load_onnx
from tinyc.compiler.kernels import kernel_libraries, kernel_notes
from tinyc.compiler.lowering import Lowered, given, lower, quantised_module
from tinyc.compiler.options import Layout, Options, Samples
from tinyc.compiler.output import check_folder, write_folder
from tinyc.compiler.quality import Quality, measure
from tinyc.compiler.quantised import QuantiseOptions, data, with_data
from tinyc.compiler.reference import Reference
from tinyc.compiler.report import make_report, to_json
from tinyc.compiler.samples import sample_inputs
from tinyc.compiler.verify import (
    Verdict,
    VerificationError,
    compare,
    first_difference_in_c,
    first_difference_in_import,
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
        return {**report, "package": self.packing.as_dict}

    @cached_property
    def files(self) -> Mapping[str, str]:
        """Everything that is written, by relative path."""
        return {**package_files(self.source, self.packing, VERSION), "report.json": to_json(self.report)}

    def write(self, folder: str | Path) -> Path:
        """Writes the files into a folder, all or none. Raises `OutputError`."""
        write_folder(Path(folder), self.files)
        return Path(folder)


def load(model: str | Path, **options: Any) -> Imported:
    """Imports an ONNX model without compiling it. Options: `input_shapes`, `input_layout`, `name`.

    Raises:
        FrontendError: the file is not a model that tinyc can import; the message says why.
    """
    return load_onnx(Path(model), **options)


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
        check_folder(Path(output))
    say("import")
    imported = _load(model, chosen, name)
    if chosen.quantise is not None:
        chosen = dataclasses.replace(chosen, quantise=with_data(chosen.quantise, imported))
    samples = _samples(chosen, imported)
    expected = _check_import(imported, samples, say) if chosen.verify else []
    lowered = lower(imported.module, chosen, samples, say)
    say("generate C")
    source = _generate(lowered, imported, name, packing.placement)
    check_libraries(packing.format, source)
    verdicts: list[Verdict] = []
    notes: list[str] = [*core_notes(lowered.program, chosen.cores), *kernel_notes(lowered.program, chosen)]
    notes += check_fit(target, sizes(lowered.program, source), chosen)
    if chosen.verify:
        for executor in VERIFIED:
            say(f"verify on {executor}")
            try:
                verdicts.append(check(executor, imported, lowered, source, expected))
            except MissingTool as error:
                notes.append(f"not verified on {executor}: {error}")
    for verdict in verdicts:
        if not verdict.passed:
            raise VerificationError(f"on {verdict.executor}: {verdict.first_difference}")
    quality = None
    if chosen.quantise is not None:
        quality = measure(imported, lowered, source, data(chosen.quantise), say)
    result = Compilation(imported, lowered, source, target, packing, tuple(verdicts), tuple(notes), quality)
    if output is not None:
        result.write(output)
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
        return options.samples
    if options.quantise is not None:
        return data(options.quantise).samples[:PASS_SAMPLES]
    return sample_inputs(imported.module)


def _check_import(imported: Imported, samples: Samples, say: Callable[[str], None]) -> list[list[Array]]:
    """The reference's outputs. Raises when the imported module does not agree with them, or, on the first sample, with
    any tensor inside the model: an output that has saturated would hide an error before it."""
    say("compare the import with onnxruntime")
    reference = Reference(imported)
    expected = [reference.run(sample) for sample in samples]
    verdict = compare("import", imported, [run_module(imported.module, s) for s in samples], expected)
    suspects = samples[:1] if verdict.passed else samples
    inside = next(filter(None, (first_difference_in_import(imported, reference, s) for s in suspects)), "")
    if inside or not verdict.passed:
        raise VerificationError(f"the import differs from onnxruntime: {inside or verdict.first_difference}")
    return expected


def _packing(options: Options, target: Target, name: str) -> Packing:
    """The form of the output and the memories, as the options say."""
    pixels = options.quantise.normalise if options.quantise is not None else Normalise()
    return choose(
        target,
        name,
        format=options.format,
        arena_in=options.arena_in,
        weights_in=options.weights_in,
        pixels=(pixels.mean, pixels.std),
    )


def _generate(lowered: Lowered, imported: Imported, name: str, placement: Placement | None = None) -> CSource:
    scales = {p.name: p for p in (*lowered.inputs, *lowered.outputs)}

    def described(ports: Sequence[Port]) -> tuple[PortInfo, ...]:
        return tuple(_described(p, scales.get(p.value.name)) for p in ports)

    interface = Interface(described(imported.inputs), described(imported.outputs))
    return generate(lowered.program, name=name, interface=interface, version=VERSION, placement=placement)


def _described(port: Port, scale: ScaledPort | None) -> PortInfo:
    """What the header says of an input or output."""
    layout = "NHWC: rows, columns, channels" if port.perm else "as in the ONNX model"
    return PortInfo(port.name, layout, (scale.scale, scale.zero) if scale else None)


def execute(compilation: Compilation, executor: str, samples: Samples) -> list[list[Array]]:
    """Runs a compiled model on inputs given in the module's order and layout.

    Args:
        compilation: what `compile` returned.
        executor: one of `EXECUTORS`.
        samples: one list of inputs for each inference.

    Raises:
        TinycError: there is no such executor, or what it needs is missing.
    """
    return _execute(executor, compilation.program, compilation.source, samples)


def _execute(executor: str, program: RowProgram, source: CSource, samples: Samples) -> list[list[Array]]:
    """Outputs of every sample on one executor, in the program's order and layout.

    Raises:
        TinycError: there is no such executor, or what it needs is missing (`MissingTool`).
    """
    if executor == "interpreter":
        return [run_program(program, list(sample)) for sample in samples]
    _known([executor])
    return runner_for(source, executor).run([list(sample) for sample in samples])


def _known(executors: Sequence[str]) -> None:
    """Raises `TinycError` when one is no executor, or none is given."""
    if not executors:
        raise TinycError(f"no executor given; the executors are {', '.join(EXECUTORS)}")
    if unknown := [e for e in executors if e not in EXECUTORS]:
        raise TinycError(f"unknown executor {', '.join(map(repr, unknown))}; the executors are {', '.join(EXECUTORS)}")


def check(
    executor: str, imported: Imported, lowered: Lowered, source: CSource, expected: Sequence[Sequence[Array]]
) -> Verdict:
    """Compares one executor with the reference's outputs, and C, on the first sample, with the interpreter layer by
    layer. A difference in the outputs is traced to the first layer that has it.

    What was quantised here differs from the reference by design, and how much is measured elsewhere: its C is compared
    with the interpreter instead, and the interpreter with nothing.
    """
    program, samples = lowered.program, lowered.samples
    if executor == "interpreter":
        outputs = _execute(executor, program, source, samples)
        return compare(executor, imported, outputs, outputs if lowered.quantised else expected)
    if lowered.quantised:
        expected = _execute("interpreter", program, source, samples)
    runner = runner_for(source, executor)
    verdict = compare(executor, imported, runner.run(samples), expected)
    suspects = samples[:1] if verdict.passed else samples
    layer = next(filter(None, (first_difference_in_c(program, runner, s) for s in suspects)), "")
    first = "; ".join(filter(None, (layer, verdict.first_difference)))
    stack = runner.stack_bytes(list(samples[0])) if isinstance(runner, HostRunner) and not first else None
    return dataclasses.replace(verdict, first_difference=first, stack_bytes=stack)


def verify(
    model: str | Path,
    *,
    on: Sequence[str] = VERIFIED,
    arrays: Mapping[str, Array] | None = None,
    source: str = "the inputs",
    progress: Callable[[str], None] | None = None,
    **options: Any,
) -> list[Verdict]:
    """Compares a model with onnxruntime: the import, every pass, then each executor.

    Args:
        model: the ONNX file.
        on: the executors to compare.
        arrays: inputs by ONNX name, one inference or several along the batch dimension; seeded ones by default.
        source: what errors call the arrays.
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
    samples = samples_from(imported, arrays, source) if arrays is not None else _samples(chosen, imported)
    expected = _check_import(imported, samples, say)
    lowered = lower(imported.module, chosen, samples[:PASS_SAMPLES], say)
    lowered = dataclasses.replace(lowered, samples=given(lowered.program, samples, lowered.inputs))
    generated = _generate(lowered, imported, name)
    verdicts = []
    for executor in on:
        say(f"verify on {executor}")
        verdicts.append(check(executor, imported, lowered, generated, expected))
    return verdicts


def quantize(
    model: str | Path,
    output: str | Path,
    options: QuantiseOptions,
    *,
    input_shapes: Mapping[str, Sequence[int]] | None = None,
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
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
            raise TinycError(
                f"--name {name!r} is not a C identifier: use letters, digits and _, and start with a letter"
            )
        return name
    cleaned = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_").lower()
    return cleaned if re.match(r"[a-z]", cleaned) else f"model_{cleaned}".rstrip("_")
