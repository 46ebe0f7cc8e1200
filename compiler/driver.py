"""The whole road, as a library: load, compile, verify, write."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from tinyc.backends.c import CSource, Interface, PortInfo, generate
from tinyc.backends.esp32 import idf_component
from tinyc.backends.interpreter import observe, run_module, run_program
from tinyc.backends.runners import HostRunner, MissingTool
from tinyc.backends.targets import Target, find
from tinyc.compiler.arrays import samples_from
from tinyc.compiler.frontend import FrontendError, Imported, Port, load_onnx
from tinyc.compiler.output import check_folder, write_folder
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
from tinyc.ir.rows import RowProgram
from tinyc.ir.tensor import Array
from tinyc.passes.base import AnyPass
from tinyc.passes.manager import CompareMeaning, Dump, Instrument, PassManager, PassRecord, VerifyTypes
from tinyc.passes.pipeline import default_pipeline

Layout = Literal["onnx", "nhwc"]
Samples = Sequence[Sequence[Array]]
EXECUTORS = ("interpreter", "host")
PASS_SAMPLES = 8
"""Of many inferences to verify, as many are used to compare the IR before and after each pass."""


@dataclass(frozen=True)
class Options:
    """How to compile; the command line has the same options by the same names.

    Attributes:
        target: a built-in target's name, or a TOML file.
        name: what the generated functions, macros and files are called; from the file's name by default.
        input_shapes: shapes for inputs whose dimensions are symbolic, by input name.
        input_layout: "onnx" keeps the model's own layout; "nhwc" takes 4-dimensional inputs channels last.
        verify: compare every pass before and after, and the result with onnxruntime.
        extra_passes: custom passes over the tensor level, run before the lowering.
        dump_ir: a folder for the IR after each pass.
        debug_passes: names of passes whose rewriting is traced.
        trace: told what those passes rewrote, and what they did not and why, one line at a time.
        samples: input sets to verify with, in the module's order and layout; seeded ones by default.
    """

    target: str = "host"
    name: str = ""
    input_shapes: Mapping[str, Sequence[int]] = field(default_factory=dict)
    input_layout: Layout = "onnx"
    verify: bool = True
    extra_passes: Sequence[AnyPass] = ()
    dump_ir: Path | None = None
    debug_passes: Collection[str] = ()
    trace: Callable[[str], None] = print
    samples: Samples | None = None


@dataclass(frozen=True)
class Compilation:
    """A compiled model: the import, the lowered program, the C, and what is known about them."""

    imported: Imported
    program: RowProgram
    source: CSource
    target: Target
    passes: tuple[PassRecord, ...]
    verdicts: tuple[Verdict, ...]
    notes: tuple[str, ...]

    @cached_property
    def report(self) -> dict[str, Any]:
        """The report, as in report.json."""
        return make_report(self.imported, self.program, self.source, self.target.name, self.passes, self.verdicts)

    @cached_property
    def files(self) -> Mapping[str, str]:
        """Everything that is written, by relative path."""
        packaged = (
            idf_component(self.source, self.target.idf_target, VERSION)
            if self.target.package == "idf"
            else self.source.files
        )
        return {**packaged, "report.json": to_json(self.report)}

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
    name = identifier(chosen.name or Path(model).stem, strict=bool(chosen.name))
    if output is not None:
        check_folder(Path(output))
    say("import")
    imported = load_onnx(Path(model), input_shapes=chosen.input_shapes, input_layout=chosen.input_layout, name=name)
    samples = list(chosen.samples) if chosen.samples is not None else sample_inputs(imported.module)
    expected = _check_import(imported, samples, say) if chosen.verify else []
    program, records = _run_passes(imported.module, chosen, samples, say)
    say("generate C")
    source = _generate(program, imported, name)
    verdicts: list[Verdict] = []
    notes: list[str] = []
    if chosen.verify:
        for executor in EXECUTORS:
            say(f"verify on {executor}")
            try:
                verdicts.append(check(executor, imported, program, source, samples, expected))
            except MissingTool as error:
                notes.append(f"not verified on {executor}: {error}")
    result = Compilation(imported, program, source, target, tuple(records), tuple(verdicts), tuple(notes))
    for verdict in verdicts:
        if not verdict.passed:
            raise VerificationError(f"on {verdict.executor}: {verdict.first_difference}")
    if output is not None:
        result.write(output)
    return result


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


def _run_passes(
    module: Module, options: Options, samples: Samples, say: Callable[[str], None]
) -> tuple[RowProgram, list[PassRecord]]:
    instruments: list[Instrument] = [VerifyTypes()]
    if options.dump_ir is not None:
        instruments.append(Dump(options.dump_ir))
    if options.verify:
        instruments.append(CompareMeaning(observe, samples))
    pipeline = default_pipeline(options.extra_passes)
    if unknown := sorted(set(options.debug_passes) - {p.name for p in pipeline}):
        raise TinycError(
            f"there is no pass {', '.join(unknown)} to trace; the pipeline has {', '.join(p.name for p in pipeline)}"
        )
    manager = PassManager(pipeline, instruments, lambda n: say(f"pass {n}"), options.debug_passes, options.trace)
    program, records = manager.run(module)
    assert isinstance(program, RowProgram)
    return program, records


def _generate(program: RowProgram, imported: Imported, name: str) -> CSource:
    def described(ports: Sequence[Port]) -> tuple[PortInfo, ...]:
        own = "as in the ONNX model"
        return tuple(PortInfo(p.name, "NHWC: rows, columns, channels" if p.perm else own) for p in ports)

    interface = Interface(described(imported.inputs), described(imported.outputs))
    return generate(program, name=name, interface=interface, version=VERSION)


def execute(compilation: Compilation, executor: str, samples: Samples) -> list[list[Array]]:
    """Runs a compiled model on inputs given in the module's order and layout.

    Args:
        compilation: what `compile` returned.
        executor: "interpreter" (the row program, on the planned arena) or "host" (the C, compiled for this computer).
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
    if executor == "host":
        return HostRunner(source).run([list(sample) for sample in samples])
    raise TinycError(f"unknown executor {executor!r}; the executors are {', '.join(EXECUTORS)}")


def check(
    executor: str,
    imported: Imported,
    program: RowProgram,
    source: CSource,
    samples: Samples,
    expected: Sequence[Sequence[Array]],
) -> Verdict:
    """Compares one executor with the reference's outputs, and C, on the first sample, with the interpreter layer by
    layer. A difference in the outputs is traced to the first layer that has it."""
    if executor != "host":
        return compare(executor, imported, _execute(executor, program, source, samples), expected)
    runner = HostRunner(source)
    verdict = compare(executor, imported, runner.run(samples), expected)
    suspects = samples[:1] if verdict.passed else samples
    layer = next(filter(None, (first_difference_in_c(program, runner, s) for s in suspects)), "")
    first = "; ".join(filter(None, (layer, verdict.first_difference)))
    return dataclasses.replace(verdict, first_difference=first)


def verify(
    model: str | Path,
    *,
    on: Sequence[str] = EXECUTORS,
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
    if unknown := [e for e in on if e not in EXECUTORS]:
        raise TinycError(f"unknown executor {', '.join(map(repr, unknown))}; the executors are {', '.join(EXECUTORS)}")
    say = progress or (lambda _: None)
    chosen = Options(**options)
    name = identifier(chosen.name or Path(model).stem, strict=bool(chosen.name))
    imported = load_onnx(Path(model), input_shapes=chosen.input_shapes, input_layout=chosen.input_layout, name=name)
    samples = samples_from(imported, arrays, source) if arrays is not None else sample_inputs(imported.module)
    expected = _check_import(imported, samples, say)
    program, _ = _run_passes(imported.module, chosen, samples[:PASS_SAMPLES], say)
    generated = _generate(program, imported, name)
    verdicts = []
    for executor in on:
        say(f"verify on {executor}")
        verdicts.append(check(executor, imported, program, generated, samples, expected))
    return verdicts


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
