"""Accuracy of what a session makes, on data that it is given for that or asked about later."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import cached_property

import onnx

from tinyc.backends.interpreter import run_program
from tinyc.backends.runners import MissingTool, Runner
from tinyc.compiler.data.calibration import Calibration
from tinyc.compiler.data.expected import InputRange, input_ranges
from tinyc.compiler.evaluate import (
    DataLike,
    Evaluation,
    LabelsLike,
    Network,
    Outputs,
    evaluate,
    evaluation_data,
    run_model,
    run_qdq,
    with_classes,
)
from tinyc.compiler.export import to_onnx_qdq
from tinyc.compiler.frontend import Imported
from tinyc.compiler.lowering import Lowered, Quantised, integers_taken
from tinyc.compiler.lowering.quantised import as_taken
from tinyc.compiler.options import Options, Samples
from tinyc.ir.errors import TinycError

__all__ = ["Accuracy", "DataLike", "Evaluation", "LabelsLike", "Outputs", "compiled_network", "exported_model"]


class Accuracy:
    """Measures networks that were made of a model.

    Args:
        imported: the model.
        options: how it is compiled.
        calibration: what the quantisation learns from; None without one.
        say: told what is being done.
    """

    def __init__(
        self, imported: Imported, options: Options, calibration: Calibration | None, say: Callable[[str], None]
    ) -> None:
        self._imported, self._options, self._calibration, self._say = imported, options, calibration, say

    @cached_property
    def held_back(self) -> Calibration | None:
        """The data of the option `evaluate`; None without such. Raises `ArrayError`."""
        options = self._options
        return None if options.evaluate is None else self.data(options.evaluate, options.evaluate_labels)

    @cached_property
    def input_ranges(self) -> tuple[InputRange, ...]:
        """What was seen at the inputs, in calibration data and in those held back, beside what the model expects."""
        of = {"calibration data": self._calibration, "data held back": self.held_back}
        found = [input_ranges(self._imported, d.samples, name) for name, d in of.items() if d is not None]
        return tuple(itertools.chain.from_iterable(found))

    @property
    def notes(self) -> list[str]:
        """What the user should know of these, and of the data held back."""
        own = self.held_back.notes if self.held_back is not None else ()
        return [*own, *(r.note for r in self.input_ranges if r.note)]

    def data(self, data: DataLike, labels: LabelsLike | None = None) -> Calibration:
        """Data as users have them, as the model takes them. Raises `ArrayError`, also for labels that no output has
        classes for."""
        interface = integers_taken(self._imported.module, self._options)
        found = evaluation_data(data, labels, self._imported, self._options.port_types.normalise, interface)
        return with_classes(self._imported, found)

    def of(self, network: Network, data: Calibration) -> Evaluation:
        """What a network makes of data, against the model."""
        if not data.samples:
            raise TinycError("`evaluate` holds no inputs")
        model = run_model(self._imported, data.samples[0])
        return evaluate(self._imported, data, model, network, self._calibration, self._say)


def compiled_network(lowered: Lowered, host: Callable[[], Runner]) -> Network:
    """A compiled network as C on this computer, or in the interpreter without a compiler."""

    def run(samples: Samples) -> Outputs:
        taken = as_taken(lowered.program, samples, lowered.inputs)
        try:
            found = host().run([list(s) for s in taken])
        except MissingTool:
            found = [run_program(lowered.program, s) for s in taken]
        return [lowered.real_outputs(outputs) for outputs in found]

    return run


def exported_model(quantised: Quantised, imported: Imported) -> tuple[onnx.ModelProto, Network]:
    """What was quantised as a QDQ model, and that in onnxruntime."""
    model = to_onnx_qdq(quantised.module, imported.inputs, imported.outputs)
    return model, run_qdq(model, imported)
