"""From an imported module to a row program, step by step: the passes, and quantisation where it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from tinyc.backends.targets import find
from tinyc.compiler.data.calibration import Calibration
from tinyc.compiler.data.evidence import Evidence
from tinyc.compiler.data.inputs import Interface
from tinyc.compiler.lowering.memory import check_budget
from tinyc.compiler.lowering.pipeline import Pipeline
from tinyc.compiler.lowering.quantised import as_real, as_taken, quantise
from tinyc.compiler.lowering.trials import Trials
from tinyc.compiler.options import Options, PortTypes, Samples
from tinyc.compiler.witness import (
    Quantisation,
    Witnessed,
    check_boundary,
    check_integers,
    check_quantisation,
    check_recurrent,
)
from tinyc.ir.errors import TinycError
from tinyc.ir.module import Module
from tinyc.ir.ops.quantise import is_quantised
from tinyc.ir.rows import RowProgram
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType
from tinyc.passes.core.manager import PassRecord
from tinyc.passes.integerise import Leftover, ScaledPort, int8_inputs, int8_outputs, leftovers, pixel_input
from tinyc.passes.integerise.boundary import INTEGERS
from tinyc.passes.integerise.channels import channel_axis
from tinyc.passes.quantise import QuantisedModule, Statistics

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
        outputs: the same for each output, by place, for the program has other names where an output is a copy; None
            for one that is no integer in place of floats.
        quantised: the quantised module and its measurements; None when nothing was quantised here.
        leftovers: operators of a quantised module that compute in float, with the reasons.
        quantisation: what of the quantisation was held against the float model; None without either.
        witnessed: what of a quantised network was held against its definition; None without verification, or of floats.
        integers: a quantised network before its interface was given the types that were asked for; None of floats.
        trials: what tries other options on it.
    """

    program: RowProgram
    records: tuple[PassRecord, ...]
    evidence: Evidence
    inputs: tuple[ScaledPort, ...] = ()
    outputs: tuple[ScaledPort | None, ...] = ()
    quantised: QuantisedModule | None = None
    leftovers: tuple[Leftover, ...] = ()
    quantisation: Quantisation | None = None
    witnessed: Witnessed | None = None
    integers: Module | None = None
    trials: Trials | None = None

    @cached_property
    def samples(self) -> Samples:
        """The input sets that it is verified on, as the program takes them."""
        return as_taken(self.program, self.evidence.samples, self.inputs)

    def real_outputs(self, outputs: Sequence[Array]) -> list[Array]:
        """The model's numbers, of what the program gave."""
        return [as_real(port, array) for port, array in zip(self.outputs, outputs, strict=True)]


def check_port_types(module: Module, options: Options) -> None:
    """Raises `TinycError` for integers at the interface of a network that is not quantised, and for means and
    deviations of other channels than its inputs have."""
    pairs = options.port_types.pixels.pairs
    if len(pairs) > 1 and all(channel_axis(v.shape, len(pairs)) is None for v in module.inputs):
        shapes = ", ".join(f"{v.name} {list(v.shape)}" for v in module.inputs)
        raise TinycError(f"`normalise` has {len(pairs)} means and deviations, and no input as many channels ({shapes})")
    if options.quantise is not None or is_quantised(module):
        return
    types = {"input_type": options.input_type, "output_type": options.output_type}
    if integers := [f"`{name}`" for name, kind in types.items() if kind in ("int8", "int16", "uint8")]:
        advice = "goes with `quantise=QuantiseOptions(...)`, or with a model that is quantised already"
        raise TinycError(f"{', '.join(integers)} {advice}")


def integers_taken(module: Module, options: Options) -> Interface | None:
    """The integers that a network takes in place of the floats of this module, as far as the options tell."""
    return options.port_types.interface(options.quantise is not None or is_quantised(module))


def quantise_module(
    module: Module,
    options: Options,
    calibration: Calibration | None,
    norms: Mapping[str, Statistics],
    evidence: Evidence,
    say: Say,
) -> Quantised:
    """The module quantised, if the options say so, and what was verified of that.

    Args:
        module: float, and the tensor passes have been through it.
        options: how.
        calibration: the data to learn ranges from; None where nothing is quantised.
        norms: what the model's batch norms tell of its activations.
        evidence: what to verify on.
        say: told what is being done.

    Raises:
        TinycError: a model that cannot be quantised as asked.
        VerificationError: what was made does not stand for the float model, or is too inaccurate.
    """
    if options.quantise is None:
        return Quantised(module)
    assert calibration is not None
    made = quantise(module, options.quantise, calibration, norms, say)
    return checked_quantised(module, made, options, calibration, evidence, say)


def checked_quantised(
    module: Module, made: QuantisedModule, options: Options, calibration: Calibration, evidence: Evidence, say: Say
) -> Quantised:
    """What was made of a float module, held against it as far as the options say. Raises `VerificationError` where it
    does not stand for it, or is too inaccurate."""
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
    samples = evidence.few if options.verify else ()
    defined = pipeline.on_tensors("recurrent", quantised.module, samples)
    if options.verify and defined is not quantised.module:
        say("check the recurrent layers")
        check_recurrent(quantised.module, defined, samples[:WITNESSED])
    module = pipeline.on_tensors("to_integers", defined, samples)
    quantises = is_quantised(defined)
    witnessed = None
    if options.verify and quantises:
        witnessed = check_integers(defined, module, samples[:WITNESSED], say, quantised.module)
    integers = module = pipeline.on_tensors("after_integers", module, samples)
    left = tuple(leftovers(module)) if quantised.made else ()
    inputs: tuple[ScaledPort, ...] = ()
    outputs: tuple[ScaledPort, ...] = ()
    if quantises:
        module, inputs, outputs = _boundary(module, options.port_types)
        samples = as_taken(module, samples, inputs)
        if options.verify and (inputs or outputs):
            say("check the inputs and outputs as integers")
            pairs = options.port_types.pixels.pairs
            check_boundary(defined, module, inputs, outputs, samples[:WITNESSED], pairs)
    module = pipeline.on_tensors("last", module, samples)
    program = pipeline.to_rows(module, samples)
    retype = (lambda wanted: _boundary(integers, wanted)[0]) if quantises else None
    trials = None
    if options.hop is None:
        trials = Trials(module, options, pipeline.tuning, retype, pipeline.row_seconds, pipeline.searched)
    room = options.ram_bytes

    def enough(found: RowProgram, _: Options, part: int) -> bool:
        return found.plan is None or room is None or found.plan.bytes // part <= room

    psram = find(options.target).psram_bytes
    check_budget(program, options, quantises, lambda: trials.helps(program, enough, room, psram) if trials else ())
    known = (quantised.made, left, quantised.compared, witnessed, integers if quantises else None, trials)
    return Lowered(program, pipeline.records, evidence, inputs, _by_place(module, outputs), *known)


def with_port_types(lowered: Lowered, pipeline: Pipeline, options: Options, wanted: PortTypes) -> Lowered:
    """The same quantised network with other types at its interface, unverified and without samples.

    Raises:
        TinycError: it cannot have them, or not within the RAM that the options give it.
    """
    assert lowered.integers is not None
    module, inputs, outputs = _boundary(lowered.integers, wanted)
    module = pipeline.on_tensors("last", module, ())
    program = pipeline.to_rows(module, ())
    check_budget(program, options, quantised=True)
    meant = _by_place(module, outputs)
    return Lowered(program, pipeline.records, lowered.evidence, inputs, meant, integers=lowered.integers)


def _by_place(module: Module, ports: Sequence[ScaledPort]) -> tuple[ScaledPort | None, ...]:
    """What each output of a module means, of ports by name."""
    by_name = {p.name: p for p in ports}
    return tuple(by_name.get(v.name) for v in module.outputs)


_TYPES = {"int8": (DType.I8,), "int16": (DType.I16,)}
"""The integers that were asked for by name."""


def _boundary(module: Module, wanted: PortTypes) -> tuple[Module, tuple[ScaledPort, ...], tuple[ScaledPort, ...]]:
    """The module with the inputs and outputs that were asked for."""
    inputs: tuple[ScaledPort, ...] = ()
    outputs: tuple[ScaledPort, ...] = ()
    if wanted.input_type in ("auto", *_TYPES):
        everywhere = wanted.input_type != "auto"
        module, inputs = int8_inputs(module, everywhere, _TYPES.get(wanted.input_type, INTEGERS))
    elif wanted.input_type == "uint8":
        mean, std = zip(*wanted.pixels.pairs, strict=True)
        module, port = pixel_input(module, mean, std)
        inputs = (port,)
    if wanted.output_type in ("auto", *_TYPES):
        everywhere = wanted.output_type != "auto"
        module, outputs = int8_outputs(module, everywhere, _TYPES.get(wanted.output_type, INTEGERS))
    return module, inputs, outputs
