"""The functions of the library: each takes a `Session` as far as it has to go.

Options are keywords everywhere. They are documented, and have their defaults, in `Options`; type checkers and the
functions themselves hold what they are given against that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from tinyc.compiler.base.checked import checked
from tinyc.compiler.data.arrays import check_arrays, outputs_by_name
from tinyc.compiler.data.calibration import CalibrationLike
from tinyc.compiler.data.inputs import InputsLike
from tinyc.compiler.evaluate import Evaluation
from tinyc.compiler.export import write_onnx
from tinyc.compiler.frontend import ModelLike, load_onnx
from tinyc.compiler.options import (
    VERIFIED,
    Executor,
    InputLayout,
    MachineName,
    OptionKeywords,
    Options,
    QuantiseOptions,
    Samples,
    Shapes,
    Unpack,
    known_executors,
)
from tinyc.compiler.session.accuracy import exported_model
from tinyc.compiler.session.compilation import Compilation
from tinyc.compiler.session.measure import Measured, find_machine, measure_on
from tinyc.compiler.session.model import Model
from tinyc.compiler.session.session import Session
from tinyc.compiler.session.tuner import Tuned, tune_session
from tinyc.compiler.verify import Verdict, run_on
from tinyc.ir.tensor import Array
from tinyc.passes.quantise import to_dicts

Progress = Callable[[str], None]
"""Told what is being done, one short line at a time."""


@checked
def load(
    model: ModelLike, *, input_shapes: Shapes | None = None, input_layout: InputLayout = "onnx", name: str = ""
) -> Model:
    """Imports an ONNX model without compiling it. The options are those of `Options`.

    Raises:
        FrontendError: it is not a model that tinyc can import; the message says why.
    """
    imported = load_onnx(model, input_shapes=input_shapes or {}, input_layout=input_layout, name=name or None)
    return Model(**vars(imported))


@checked
def compile(
    model: ModelLike,
    *,
    output: str | Path | None = None,
    progress: Progress | None = None,
    **options: Unpack[OptionKeywords],
) -> Compilation:
    """Compiles an ONNX model to C.

    Args:
        model: the ONNX file, the content of one, or a model in memory.
        output: a folder to write to; nothing is written when absent.
        progress: told what is being done, one short line at a time.
        **options: those of `Options`.

    Raises:
        TinycError: bad input or usage; nothing has been written.
        PassVerificationError, VerificationError: a result differs; nothing has been written.
    """
    session = Session(model, Options(**options), progress=progress)
    if output is not None:
        session.write(output)
    return session.compilation


@checked
def execute(compilation: Compilation, executor: Executor, samples: Samples) -> list[list[Array]]:
    """Runs a compiled model on inputs given in the module's order and layout.

    Args:
        compilation: what `compile` returned.
        executor: where.
        samples: one list of inputs for each inference: as the network takes them, or as the model does, floats from
            which the integers are made that a quantised network takes.

    Raises:
        TinycError: there is no such executor, or what it needs is missing (`MissingTool`).
    """
    (executor,) = known_executors([executor])
    ports, inputs = compilation.imported.inputs, compilation.program.inputs
    first = samples[0] if len(samples) and len(samples[0]) == len(inputs) else [None] * len(inputs)
    floats = [a is not None and a.dtype == p.value.dtype.numpy for a, p in zip(first, ports, strict=True)]
    types = [p.value.type if own else v.type for own, p, v in zip(floats, ports, inputs, strict=True)]
    check_arrays(types, samples, "samples")
    return run_on(executor, compilation.program, compilation.source, compilation.as_taken(samples))


@checked
def run(
    model: ModelLike,
    inputs: InputsLike,
    *,
    on: Executor = "host",
    note: Progress | None = None,
    progress: Progress | None = None,
    **options: Unpack[OptionKeywords],
) -> dict[str, Array]:
    """Compiles a model, without verifying that unless the options say so, and runs it.

    Args:
        model: as for `compile`.
        inputs: by the names of the model's inputs, for one inference or several (`samples_from`), or a file or folder
            of them (`load_inputs`): the model's own floats, or, for a network that takes uint8, pixels of that type.
        on: where to run it.
        note: told what the user should know of the inputs.
        progress: as for `compile`.
        **options: those of `Options`.

    Returns:
        The outputs by name, as the C gives them.

    Raises:
        TinycError: bad input or usage, or a missing tool.
    """
    (executor,) = known_executors([on])
    options.setdefault("verify", False)
    session = Session(model, Options(**options), inputs=inputs, progress=progress)
    outputs = session.run(executor)
    _tell(session.evidence.notes, note or progress)
    return outputs_by_name(session.imported, outputs)


@checked
def bench(
    model: ModelLike,
    *,
    on: MachineName = "rv32imc",
    progress: Progress | None = None,
    **options: Unpack[OptionKeywords],
) -> Measured:
    """Compiles a model, without verifying that unless the options say so, and counts what one inference costs on a
    simulated machine. The target `host`, which is any computer, is then one with that machine's floating-point unit.

    Args:
        model: as for `compile`.
        on: the machine.
        progress: as for `compile`.
        **options: those of `Options`.

    Raises:
        TinycError: bad input or usage, or a missing tool.
    """
    machine = find_machine(on)
    options.setdefault("verify", False)
    session = Session(model, Options(**options), progress=progress, machine=machine.name)
    compiled = session.compilation
    _tell([f"measure on {on}"], progress)
    return measure_on(compiled, machine)


@checked
def tune(
    model: ModelLike,
    *,
    output: str | Path | None = None,
    on: MachineName | None = None,
    progress: Progress | None = None,
    **options: Unpack[OptionKeywords],
) -> Tuned:
    """Measures which register tiles a model's layers are best computed with, and writes them for the option `tuned`, if
    the network takes fewer instructions so.

    Args:
        model: as for `compile`.
        output: the file to write; MODEL_MACHINE.toml by default.
        on: the machine; that which stands for the target by default.
        progress: as for `compile`.
        **options: those of `Options`; what is tuned already is left aside.

    Raises:
        MissingTool: the simulator is not installed.
        VerificationError: results differ; nothing has been written.
        TinycError: bad input or usage, or no machine stands for the target.
    """
    options.setdefault("verify", False)
    session = Session(model, Options(**options), progress=progress, machine=on or "")
    return tune_session(session, on or "", None if output is None else Path(output), progress)


@checked
def verify(
    model: ModelLike,
    *,
    on: Sequence[Executor] = VERIFIED,
    arrays: InputsLike | None = None,
    source: str = "the inputs",
    note: Progress | None = None,
    progress: Progress | None = None,
    **options: Unpack[OptionKeywords],
) -> list[Verdict]:
    """Compares a model with onnxruntime: the import, every pass, then each executor. Where something else stood in for
    it, or nothing could, `Verdict.against` and a note say so.

    Args:
        model: as for `compile`.
        on: the executors to compare.
        arrays: inputs by ONNX name, for one inference or several (`samples_from`), or a file or folder of them
            (`load_inputs`); seeded ones by default.
        source: what errors call the arrays.
        note: told what the user should know of the inputs and of the comparison.
        progress: as for `compile`.
        **options: those of `Options`.

    Raises:
        TinycError: bad input or usage, or a missing tool.
        PassVerificationError, VerificationError: the import or a pass differs.
    """
    executors = known_executors(on)
    session = Session(model, Options(**options), inputs=arrays, source=source, progress=progress)
    _tell(session.evidence.notes, note or progress)
    verdicts = [session.verdict(executor) for executor in executors]
    _tell(session.agreed.notes, note or progress)
    return verdicts


@checked
def quantize(
    model: ModelLike,
    output: str | Path,
    options: QuantiseOptions,
    *,
    input_shapes: Shapes | None = None,
    accept_accuracy: bool = False,
    evaluate: CalibrationLike | None = None,
    evaluate_labels: str | Path | None = None,
    evaluated: Callable[[str, Evaluation], None] | None = None,
    note: Progress | None = None,
    progress: Progress | None = None,
) -> list[dict[str, Any]]:
    """Quantises a float model and writes it as a QDQ model that onnxruntime runs.

    Args:
        model: the float model, as for `compile`.
        output: the file to write.
        options: how to quantise; its input and output types do not matter here.
        input_shapes: as for `compile`.
        accept_accuracy: as for `compile`.
        evaluate: as for `compile`.
        evaluate_labels: as for `compile`.
        evaluated: told how accurate the written model is in onnxruntime: on the "calibration data", and on those of
            `evaluate` as "data held back".
        note: told what the user should know of the calibration data and of the comparison.
        progress: told what is being done.

    Returns:
        What quantisation cost, layer by layer, worst first.

    Raises:
        TinycError: bad input or usage; nothing has been written.
        PassVerificationError, VerificationError: a result differs, or is too inaccurate; nothing has been written.
    """
    chosen = Options(
        quantise=options,
        input_shapes=input_shapes or {},
        accept_accuracy=accept_accuracy,
        evaluate=evaluate,
        evaluate_labels=evaluate_labels,
    )
    session = Session(model, chosen, progress=progress)
    quantised, calibration = session.quantised, session.calibration
    assert quantised.made is not None
    assert calibration is not None
    exported, network = exported_model(quantised, session.imported)
    data = {"calibration data": calibration, "data held back": session.accuracy.held_back} if evaluated else {}
    measured = {name: session.accuracy.of(network, of) for name, of in data.items() if of is not None}
    write_onnx(exported, Path(output))
    _tell([*calibration.notes, *session.agreed.notes, *session.accuracy.notes], note or progress)
    for name, found in measured.items():
        assert evaluated is not None
        evaluated(name, found)
    return to_dicts(quantised.made.layers)


def _tell(notes: Iterable[str], listener: Progress | None) -> None:
    if listener is not None:
        for line in notes:
            listener(line)
