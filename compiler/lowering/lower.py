"""From an imported module to a row program: the passes, and quantisation where it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tinyc.compiler.lowering.kernels import kernel_libraries
from tinyc.compiler.lowering.memory import check_budget
from tinyc.compiler.options import Options, Samples
from tinyc.compiler.options.quantised import QuantiseOptions, as_given, data, quantise
from tinyc.compiler.verify.pass_layers import ComparePasses
from tinyc.compiler.witness import Quantisation, Witnessed, check_boundary, check_integers, check_quantisation
from tinyc.ir.errors import TinycError
from tinyc.ir.module import Module
from tinyc.ir.ops import Dequantize, Quantize
from tinyc.ir.rows import RowProgram
from tinyc.passes.core.base import AnyPass
from tinyc.passes.core.manager import IR, Dump, Instrument, PassManager, PassRecord, ReplayRows, VerifyTypes
from tinyc.passes.integerise import Leftover, Port, int8_inputs, int8_outputs, leftovers, pixel_input
from tinyc.passes.pipeline import after_integers, integer_passes, row_passes, tensor_passes, to_integers
from tinyc.passes.quantise import QuantisedModule
from tinyc.passes.rows.lower import InputPlace

Say = Callable[[str], None]
WITNESSED = 2
"""Of many inferences to verify, as many are used to hold integer layers against their definition."""


@dataclass(frozen=True)
class Lowered:
    """A row program and how it came about.

    Attributes:
        program: planned.
        records: one a pass.
        samples: the input sets as the program takes them.
        inputs: of inputs that are integers now, by name, what they mean.
        outputs: the same for outputs.
        quantised: the quantised module and its measurements; None when nothing was quantised here.
        leftovers: operators of a quantised module that compute in float, with the reasons.
        quantisation: what of the quantisation was held against the float model; None without either.
        witnessed: what of a quantised network was held against its definition; None without verification, or of floats.
    """

    program: RowProgram
    records: tuple[PassRecord, ...]
    samples: Samples
    inputs: tuple[Port, ...] = ()
    outputs: tuple[Port, ...] = ()
    quantised: QuantisedModule | None = None
    leftovers: tuple[Leftover, ...] = ()
    quantisation: Quantisation | None = None
    witnessed: Witnessed | None = None


def lower(module: Module, options: Options, samples: Samples, say: Say, seeded: Samples = ()) -> Lowered:
    """Runs the pipeline, quantising in its midst where the options say so.

    Passes are compared on `samples`, and those over floats on `seeded` too.

    Raises:
        TinycError: bad options, or a model that cannot be compiled or quantised as asked.
        PassVerificationError: a pass changed what the module computes.
    """
    run = _Runner(options, say)
    place: InputPlace = "rows" if options.rows_from == "callback" else options.rows_from
    rows = row_passes(place, options.ram, options.cores, kernel_libraries(options), options.kernels != "auto")
    everything = [*tensor_passes(), *integer_passes(), *options.extra_passes, *rows]
    if unknown := sorted(set(options.debug_passes) - {p.name for p in everything}):
        known = ", ".join(dict.fromkeys(p.name for p in everything))
        raise TinycError(f"there is no pass {', '.join(unknown)} to trace; the pipeline has {known}")
    module = run.tensor(tensor_passes(), module, [*samples, *seeded])
    quantised: QuantisedModule | None = None
    quantisation: Quantisation | None = None
    if options.quantise is not None:
        quantised, quantisation = _quantised(module, options, samples, say)
        module = quantised.module
    defined = module
    quantises = any(isinstance(n.op, (Quantize, Dequantize)) for n in defined.nodes)
    module = run.tensor(to_integers(), module, samples)
    witnessed = check_integers(defined, module, samples[:WITNESSED], say) if options.verify and quantises else None
    module = run.tensor(after_integers(), module, samples)
    left = tuple(leftovers(module))
    inputs: tuple[Port, ...] = ()
    outputs: tuple[Port, ...] = ()
    if options.quantise is not None:
        module, inputs, outputs = _boundary(module, options.quantise)
        samples = given(module, samples, inputs)
        if options.verify and (inputs or outputs):
            say("check the inputs and outputs as integers")
            pixels = options.quantise.pixels
            check_boundary(defined, module, inputs, outputs, samples[:WITNESSED], (pixels.mean, pixels.std))
    module = run.tensor(options.extra_passes, module, samples)
    program = run(rows, module, samples)
    assert isinstance(program, RowProgram)
    check_budget(program, module, options)
    records = tuple(run.records)
    left = left if quantised else ()
    return Lowered(program, records, samples, inputs, outputs, quantised, left, quantisation, witnessed)


def quantised_module(module: Module, options: QuantiseOptions, say: Say, accept_accuracy: bool) -> QuantisedModule:
    """The tensor passes and quantisation, verified, without lowering: for export."""
    chosen = Options(quantise=options, accept_accuracy=accept_accuracy)
    run = _Runner(chosen, say)
    samples = data(options).samples
    made, _ = _quantised(run.tensor(tensor_passes(), module, samples[:2]), chosen, samples, say)
    return made


def _quantised(
    module: Module, options: Options, samples: Samples, say: Say
) -> tuple[QuantisedModule, Quantisation | None]:
    """The module quantised, and what was verified of that."""
    assert options.quantise is not None
    made = quantise(module, options.quantise, say)
    if not options.verify:
        return made, None
    calibration = data(options.quantise).samples
    return made, check_quantisation(module, made, calibration, samples, options.accept_accuracy, say)


def given(module: Module | RowProgram, samples: Samples, ports: Sequence[Port]) -> Samples:
    """Float input sets as a quantised network takes them."""
    by_name = {p.name: p for p in ports}
    return [
        [as_given(by_name.get(v.name), array) for v, array in zip(module.inputs, sample, strict=True)]
        for sample in samples
    ]


def _boundary(module: Module, options: QuantiseOptions) -> tuple[Module, tuple[Port, ...], tuple[Port, ...]]:
    """The module with the inputs and outputs that were asked for."""
    inputs: tuple[Port, ...] = ()
    outputs: tuple[Port, ...] = ()
    if options.input_type == "int8":
        module, inputs = int8_inputs(module)
    elif options.input_type == "uint8":
        module, port = pixel_input(module, options.pixels.mean, options.pixels.std)
        inputs = (port,)
    if options.output_type == "int8":
        module, outputs = int8_outputs(module)
    return module, inputs, outputs


class _Runner:
    """Runs passes with the instruments that the options ask for, and keeps the records."""

    def __init__(self, options: Options, say: Say) -> None:
        self._options, self._say = options, say
        self._dump = Dump(Path(options.dump_ir)) if options.dump_ir is not None else None
        self.records: list[PassRecord] = []

    def __call__(self, passes: Sequence[AnyPass], ir: IR, samples: Samples) -> IR:
        instruments: list[Instrument] = [VerifyTypes()]
        if self._dump is not None:
            instruments.append(self._dump)
        if self._options.verify:
            instruments += [ReplayRows(), ComparePasses(samples)]
        options = self._options
        manager = PassManager(
            passes, instruments, lambda name: self._say(f"pass {name}"), options.debug_passes, options.trace
        )
        result, records = manager.run(ir)
        self.records += records
        return result

    def tensor(self, passes: Sequence[AnyPass], module: Module, samples: Samples) -> Module:
        """Runs passes that stay on the tensor level."""
        result = self(passes, module, samples)
        if not isinstance(result, Module):
            raise TinycError("a custom pass left the tensor level; custom passes are subclasses of tinyc.passes.Pass")
        return result
