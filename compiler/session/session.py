"""One model on its way to C, and every command stops at another point of it.

    inspect    imported       verify                      verdict
    quantize   quantised      compile                     compilation
                              run, bench, compare-dump    compilation, without verdicts

Each step is taken once, when somebody asks for it, and asks for those before it. One that fails is taken anew.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from functools import cached_property, partial
from pathlib import Path

from tinyc.backends.c import CSource
from tinyc.backends.runners import MissingTool, Runner, runner_for
from tinyc.compiler.base.output import check_folder
from tinyc.compiler.data import Calibration, Evidence, InputsLike, calibration_of, evidence_from, load_arrays
from tinyc.compiler.evaluate import with_classes
from tinyc.compiler.frontend import FrontendError, Imported, Inspection, ModelLike, inspect_onnx, model_stem
from tinyc.compiler.lowering import (
    Lowered,
    Pipeline,
    Quantised,
    check_port_types,
    integers_taken,
    lower,
    notes_of,
)
from tinyc.compiler.options import VERIFIED, Executor, Options
from tinyc.compiler.session.accuracy import Accuracy, DataLike, Evaluation, LabelsLike, Outputs, compiled_network
from tinyc.compiler.session.alternatives import Alternative, try_interfaces
from tinyc.compiler.session.code import generate_code, import_model
from tinyc.compiler.session.compilation import Compilation
from tinyc.compiler.session.quantising import quantised_module
from tinyc.compiler.session.setup import set_up
from tinyc.compiler.verify import Agreement, Verdict, VerificationError, check_executor, check_import, run_on
from tinyc.ir.module import Module


class Session:
    """A model and the options that it is compiled with.

    Args:
        model: its file, the content of one, or a model in memory.
        options: how to compile it.
        inputs: what to verify with or to run, by the names of the ONNX model's inputs; else what the options say.
        source: what errors call these.
        progress: told what is being done, one short line at a time.
        machine: the simulated machine that the target is to be, if it is any computer; none if empty.

    Raises:
        TinycError: options that name what there is not, or that do not go together. Every step raises it for bad input,
            and `PassVerificationError` or `VerificationError` where a result differs.
    """

    def __init__(
        self,
        model: ModelLike,
        options: Options,
        *,
        inputs: InputsLike | None = None,
        source: str = "the inputs",
        progress: Callable[[str], None] | None = None,
        machine: str = "",
    ) -> None:
        self.model, self.options = model, options
        self._inputs, self._inputs_source = inputs, source
        self._say = progress or (lambda _: None)
        self.setup = set_up(options, model_stem(model), machine)
        self._pipeline = Pipeline(options, self._say, self.setup.tuning)
        self._runners: dict[str, Runner] = {}

    @cached_property
    def inspection(self) -> Inspection:
        """What the ONNX model holds, supported or not."""
        return inspect_onnx(self.model)

    @cached_property
    def imported(self) -> Imported:
        """The model as a module."""
        self._say("import")
        imported = import_model(self.model, self.options, self.setup.name)
        check_port_types(imported.module, self.options)
        return imported

    @cached_property
    def calibration(self) -> Calibration | None:
        """The data that a quantisation learns from; None without one."""
        how = self.options.quantise
        if how is None:
            return None
        found = calibration_of(how.calibration, self.imported, how.normalise, how.labels)
        return with_classes(self.imported, found)

    @cached_property
    def accuracy(self) -> Accuracy:
        """What measures the accuracy of what is made."""
        return Accuracy(self.imported, self.options, self.calibration, self._say)

    @cached_property
    def evidence(self) -> Evidence:
        """What everything is verified on."""
        options, ports, inputs = self.options, self.options.port_types, None
        if self._inputs is not None:
            interface = integers_taken(self.imported.module, options)
            inputs = load_arrays(self._inputs, self.imported, self._inputs_source, ports.normalise, interface)
        return evidence_from(self.imported, inputs, options.samples, self.calibration, options.verify)

    @cached_property
    def agreed(self) -> Agreement:
        """The import compared with the reference, and what the outputs must be."""
        evidence = self.evidence
        self._say("compare the import with the reference")
        agreed = check_import(self.imported, [*evidence.samples, *evidence.seeded])
        return dataclasses.replace(agreed, expected=agreed.expected[: len(evidence.samples)])

    @cached_property
    def optimised(self) -> Module:
        """The module behind the passes over tensors, still in the numbers that it came in."""
        if self.options.verify:
            _ = self.agreed  # nothing is made of a wrong import
        samples = [*self.evidence.few, *self.evidence.seeded] if self.options.verify else []
        return self._pipeline.on_tensors("tensor", self.imported.module, samples)

    @cached_property
    def quantised(self) -> Quantised:
        """The module quantised, where the options say so."""
        _ = self.accuracy.held_back  # what is wrong with them is said at once
        known = (self.calibration, self.evidence, self.setup)
        return quantised_module(self.imported, self.optimised, self.options, *known, self._say)

    @cached_property
    def lowered(self) -> Lowered:
        """The row program on its planned arena."""
        return lower(self.quantised, self._pipeline, self.options, self.evidence, self._say)

    @cached_property
    def source(self) -> CSource:
        """The C."""
        lowered = self.lowered
        self._say("generate C")
        return generate_code(lowered, self.imported, self.setup)

    def verdict(self, executor: Executor) -> Verdict:
        """How what the network gives on an executor compares to the reference, whatever else is left unverified. What
        was quantised here differs from it by design, and how much is measured elsewhere."""
        lowered, source, agreed = self.lowered, self.source, self.agreed
        self._say(f"verify on {executor}")
        if lowered.quantised:
            agreed = Agreement(against="its operators, layer by layer", end_to_end=False)
        real = lowered.real_outputs
        return check_executor(
            executor, self.imported, lowered.program, source, lowered.samples, agreed, real, self._runner
        )

    @cached_property
    def compilation(self) -> Compilation:
        """Everything, verified as far as the options say. Raises `FitError` where the target has no room for it."""
        lowered, source, setup = self.lowered, self.source, self.setup
        agreed = self.agreed if self.options.verify else Agreement()
        notes = [*self.imported.notes, *agreed.notes]
        notes += notes_of(lowered, source, setup.target, self.options, self.calibration)
        verdicts: list[Verdict] = []
        for executor in VERIFIED if self.options.verify else ():
            try:
                verdicts.append(self.verdict(executor))
            except MissingTool as error:
                notes.append(f"not verified on {executor}: {error}")
        for verdict in verdicts:
            if not verdict.passed:
                raise VerificationError(f"on {verdict.executor}: {verdict.first_difference}")
        network = compiled_network(lowered, lambda: self._runner(source, "host"))
        data = (self.calibration, self.accuracy.held_back)
        quality, evaluation = (None if of is None else self.accuracy.of(network, of) for of in data)
        notes += self.accuracy.notes
        others: Callable[[], Sequence[Alternative]] = tuple
        if self.options.verify and self.options.hop is None:
            others = partial(try_interfaces, lowered, source, self.imported, self.options, setup)
        interfaces = {} if lowered.trials is None else lowered.trials.others(source.arena_bytes)

        def evaluator(data: DataLike, labels: LabelsLike | None) -> Evaluation:
            return self.accuracy.of(network, self.accuracy.data(data, labels))

        return Compilation(
            self.imported,
            lowered,
            source,
            setup.target,
            setup.packing,
            tuple(verdicts),
            tuple(notes),
            quality=quality,
            reference=agreed.against,
            others=others,
            tuning=setup.tuning,
            interfaces=interfaces,
            evaluation=evaluation,
            input_ranges=self.accuracy.input_ranges,
            evaluator=evaluator,
        )

    def _runner(self, source: CSource, executor: str) -> Runner:
        """What runs the C there; the programs that it has built are kept for the next who runs it."""
        if executor not in self._runners:
            self._runners[executor] = runner_for(source, executor)
        return self._runners[executor]

    @property
    def macs(self) -> tuple[int | None, str]:
        """Multiply-accumulates of one inference, or None and the reason why the model cannot be imported."""
        try:
            return self.imported.module.macs(), ""
        except FrontendError as error:
            return None, str(error)

    def write(self, folder: str | Path | None = None) -> Path:
        """Writes the compilation into a folder, NAME_TARGET by default, all of it or nothing. A folder that may not be
        replaced is refused before anything is done. Raises `OutputError`."""
        if folder is None:
            folder = f"{self.setup.name}_{Path(self.options.target).stem}"
        check_folder(Path(folder), self.options.force)
        return self.compilation.write(folder, self.options.force)

    def run(self, executor: Executor) -> Outputs:
        """The outputs of the compiled network for the inputs of the session, one list an inference."""
        compiled = self.compilation
        self._say(f"run on {executor}")
        return run_on(executor, compiled.program, compiled.source, compiled.lowered.samples)
