"""What a compilation has made, for whoever asked for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from tinyc.backends.c import CSource
from tinyc.backends.c.estimate import all_instructions, family_of
from tinyc.backends.c.tuning import DEFAULT, Tuning
from tinyc.backends.packages import Packing, package_files
from tinyc.backends.targets import Target
from tinyc.compiler.base.checked import checked
from tinyc.compiler.base.output import write_folder
from tinyc.compiler.base.version import VERSION
from tinyc.compiler.data.arrays import arguments_of, outputs_by_name
from tinyc.compiler.data.expected import InputRange
from tinyc.compiler.evaluate import DataLike, Evaluation, LabelsLike
from tinyc.compiler.frontend import Imported
from tinyc.compiler.lowering import Lowered
from tinyc.compiler.lowering.quantised import as_taken
from tinyc.compiler.options import Executor, Samples, known_executors
from tinyc.compiler.report.report import make_report, to_json
from tinyc.compiler.report.times import LayerTime, Places, bytes_moved, layer_times, time_document
from tinyc.compiler.session.alternatives import Alternative
from tinyc.compiler.verify import Verdict, run_on
from tinyc.ir.rows import RowProgram
from tinyc.ir.tensor import Array


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
    quality: Evaluation | None = None
    """Accuracy on the calibration data."""
    reference: str = ""
    """What the import was compared with; empty when nothing was."""
    others: Callable[[], Sequence[Alternative]] = tuple
    """What other types at the interface would cost, once somebody asks for it."""
    tuning: Tuning = DEFAULT
    """What the C is tuned for."""
    interfaces: Mapping[str, int] = field(default_factory=dict)
    """The arena's bytes with other interfaces, as far as they were tried, by option."""
    evaluation: Evaluation | None = None
    """Accuracy on the data of the option `evaluate`."""
    input_ranges: tuple[InputRange, ...] = ()
    """What was seen at the inputs, in calibration data and in those held back, beside what the model expects."""
    evaluator: Callable[[DataLike, LabelsLike | None], Evaluation] = field(kw_only=True)
    """What `evaluate` calls."""

    @property
    def program(self) -> RowProgram:
        """The row program."""
        return self.lowered.program

    def __repr__(self) -> str:
        return f"<tinyc.Compilation {self.source.name} for {self.target.name}: arena {self.source.arena_bytes:,} bytes>"

    def __call__(self, /, *arrays: Array, on: Executor | Array = "interpreter", **named: Array) -> dict[str, Array]:
        """Runs the compiled network.

        Args:
            *arrays: the inputs in the model's order, each of the ONNX model's own shape for one inference, or as
                `samples_from` takes them for several. Where the network was quantised to take int8 or uint8, arrays of
                exactly that type are what it takes; of others, which are the model's own numbers, such are made.
            on: "interpreter" runs the row program on its planned arena, "host" the C on this computer, the others the C
                on a simulated machine. An array is the input of that name.
            **named: inputs by name, in place of positions.

        Returns:
            The outputs by name, in the model's order and layout: as the C gives them, integers where the network was
            quantised to give such. It is a dictionary for one output too, so that its type does not depend on the
            model.

        Raises:
            ArrayError: missing or unknown inputs, a wrong shape or element type.
            TinycError: there is no such executor, or what it needs is missing (`MissingTool`).
        """
        if isinstance(on, np.ndarray):
            named, on = {**named, "on": on}, "interpreter"
        (executor,) = known_executors([on])
        integers = {port.name: port.dtype for port in self.lowered.inputs}
        samples = self.as_taken(arguments_of(self.imported, arrays, named, integers))
        return outputs_by_name(self.imported, run_on(executor, self.program, self.source, samples))

    @checked
    def evaluate(self, data: DataLike, labels: LabelsLike | None = None) -> Evaluation:
        """Accuracy on data that nothing was learnt from: what the compiled network makes of them, as C on this computer
        (in the interpreter without a compiler), against what the model does.

        Args:
            data: a file or folder, input sets at hand, or arrays by the names of the model's inputs.
            labels: one class an inference, or the file of them; folders of images, and .npz files with an array
                `labels`, have their own.

        Raises:
            ArrayError: data that the model cannot take, or labels that no output has classes for.
        """
        return self.evaluator(data, labels)

    def as_taken(self, samples: Samples) -> Samples:
        """Inputs as the model has them, as the compiled network takes them: integers where it was quantised to take
        such. Arrays of exactly these integers stay as they are."""
        return as_taken(self.program, samples, self.lowered.inputs)

    @cached_property
    def estimates(self) -> Sequence[int | None]:
        """About the instructions of each stage; None where nothing is known."""
        return all_instructions(self.program, self.tuning, family_of(self.target.isa))

    def times(self, counts: Sequence[int | None], target: Target | None = None) -> Sequence[LayerTime | None]:
        """About the time of each stage with so many instructions on the target, or on another chip."""
        return layer_times(self.program, counts, target or self.target, self.places)

    @property
    def places(self) -> Places:
        """The memories of constants and arena."""
        return Places(self.packing.weights_in == "flash", self.packing.arena_in == "psram")

    @cached_property
    def report(self) -> dict[str, Any]:
        """The report, as in report.json."""
        report = make_report(self.imported, self.lowered, self.source, self.target.name, self.verdicts, self.quality)
        report["input_ranges"] = [r.as_dict for r in self.input_ranges]
        report["evaluation"] = None if self.evaluation is None else self.evaluation.as_dict
        report["interface"]["alternatives"] = [a.as_dict for a in self.others()]
        report["ram"]["other_arena_bytes"] = dict(self.interfaces)
        report["ram"]["moved_bytes"] = bytes_moved(self.program, self.target, self.places)
        report["time"] = time_document(self.times(self.estimates), self.target, counted=False)
        for layer, count in zip(report["layers"], self.estimates, strict=True):
            layer["estimated_instructions"] = count
        if self.lowered.leftovers and "quantisation" in report:
            counts = dict(zip((s.result.name for s in self.program.stages), self.estimates, strict=True))
            floats = report["quantisation"]["float_operators"]
            for entry, left in zip(floats, self.lowered.leftovers, strict=True):
                entry["estimated_instructions"] = counts.get(left.node.result.name)
        package = self.packing.as_dict
        if self.source.psram_bytes:
            package["arena_in"] = "internal and psram"
        return {**report, "package": package, "notes": list(self.notes), "reference": self.reference}

    @cached_property
    def files(self) -> Mapping[str, str]:
        """Everything that is written, by relative path."""
        return {**package_files(self.source, self.packing, VERSION), "report.json": to_json(self.report)}

    @checked
    def write(self, folder: str | Path, force: bool = False) -> Path:
        """Writes the files into a folder, all or none; over edited ones only with `force`. Raises `OutputError`."""
        write_folder(Path(folder), self.files, force)
        return Path(folder)
