"""From an imported module to a row program, step by step: the passes, and quantisation where it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from tinyc.compiler.data.calibration import Calibration
from tinyc.compiler.data.evidence import Evidence
from tinyc.compiler.lowering.memory import check_budget
from tinyc.compiler.lowering.pipeline import Pipeline
from tinyc.compiler.lowering.quantised import as_taken, quantise
from tinyc.compiler.options import Options, QuantiseOptions, Samples
from tinyc.compiler.witness import Quantisation, Witnessed, check_boundary, check_integers, check_quantisation
from tinyc.ir.module import Module
from tinyc.ir.ops.quantise import is_quantised
from tinyc.ir.rows import RowProgram
from tinyc.passes.core.manager import PassRecord
from tinyc.passes.integerise import Leftover, ScaledPort, int8_inputs, int8_outputs, leftovers, pixel_input
from tinyc.passes.quantise import QuantisedModule

Say = Callable[[str], None]
WITNESSED = 2
"""Of many inferences to verify, as many are used to hold integer layers against their definition."""


@dataclass(frozen=True)
class Quantised:
    """A module with whatever is quantised in it between quantize and dequantize, and how it came about.

    Attributes:
        module: float, where nothing is quantised.
        made: what was quantised here, and its measurements; None when nothing was.
        compared: what of that was held against the float model; None without either.
    """

    module: Module
    made: QuantisedModule | None = None
    compared: Quantisation | None = None


@dataclass(frozen=True)
class Lowered:
    """A row program and how it came about.

    Attributes:
        program: planned.
        records: one a pass.
        evidence: what it is verified on.
        inputs: of inputs that are integers now, by name, what they mean.
        outputs: the same for outputs.
        quantised: the quantised module and its measurements; None when nothing was quantised here.
        leftovers: operators of a quantised module that compute in float, with the reasons.
        quantisation: what of the quantisation was held against the float model; None without either.
        witnessed: what of a quantised network was held against its definition; None without verification, or of floats.
    """

    program: RowProgram
    records: tuple[PassRecord, ...]
    evidence: Evidence
    inputs: tuple[ScaledPort, ...] = ()
    outputs: tuple[ScaledPort, ...] = ()
    quantised: QuantisedModule | None = None
    leftovers: tuple[Leftover, ...] = ()
    quantisation: Quantisation | None = None
    witnessed: Witnessed | None = None

    @cached_property
    def samples(self) -> Samples:
        """The input sets that it is verified on, as the program takes them."""
        return as_taken(self.program, self.evidence.samples, self.inputs)


def quantise_module(
    module: Module, options: Options, calibration: Calibration | None, evidence: Evidence, say: Say
) -> Quantised:
    """The module quantised, if the options say so, and what was verified of that.

    Args:
        module: float, and the tensor passes have been through it.
        options: how.
        calibration: the data to learn ranges from; None where nothing is quantised.
        evidence: what to verify on.
        say: told what is being done.

    Raises:
        TinycError: a model that cannot be quantised as asked.
        VerificationError: what was made does not stand for the float model, or is too inaccurate.
    """
    if options.quantise is None:
        return Quantised(module)
    assert calibration is not None
    made = quantise(module, options.quantise, calibration, say)
    if not options.verify:
        return Quantised(made.module, made)
    accept = options.accept_accuracy
    return Quantised(
        made.module, made, check_quantisation(module, made, calibration.samples, evidence.few, accept, say)
    )


def lower(quantised: Quantised, pipeline: Pipeline, options: Options, evidence: Evidence, say: Say) -> Lowered:
    """Runs the rest of the pipeline: what is quantised becomes integers, and the module a row program.

    Raises:
        TinycError: bad options, or a model that cannot be compiled as asked.
        PassVerificationError, VerificationError: a pass changed what the module computes.
    """
    defined, samples = quantised.module, evidence.few if options.verify else ()
    module = pipeline.on_tensors("to_integers", defined, samples)
    quantises = is_quantised(defined)
    witnessed = check_integers(defined, module, samples[:WITNESSED], say) if options.verify and quantises else None
    module = pipeline.on_tensors("after_integers", module, samples)
    left = tuple(leftovers(module)) if quantised.made else ()
    inputs: tuple[ScaledPort, ...] = ()
    outputs: tuple[ScaledPort, ...] = ()
    if options.quantise is not None:
        module, inputs, outputs = _boundary(module, options.quantise)
        samples = as_taken(module, samples, inputs)
        if options.verify and (inputs or outputs):
            say("check the inputs and outputs as integers")
            pixels = options.quantise.pixels
            check_boundary(defined, module, inputs, outputs, samples[:WITNESSED], (pixels.mean, pixels.std))
    module = pipeline.on_tensors("last", module, samples)
    program = pipeline.to_rows(module, samples)
    check_budget(program, module, options)
    return Lowered(
        program, pipeline.records, evidence, inputs, outputs, quantised.made, left, quantised.compared, witnessed
    )


def _boundary(
    module: Module, options: QuantiseOptions
) -> tuple[Module, tuple[ScaledPort, ...], tuple[ScaledPort, ...]]:
    """The module with the inputs and outputs that were asked for."""
    inputs: tuple[ScaledPort, ...] = ()
    outputs: tuple[ScaledPort, ...] = ()
    if options.input_type == "int8":
        module, inputs = int8_inputs(module)
    elif options.input_type == "uint8":
        module, port = pixel_input(module, options.pixels.mean, options.pixels.std)
        inputs = (port,)
    if options.output_type == "int8":
        module, outputs = int8_outputs(module)
    return module, inputs, outputs
