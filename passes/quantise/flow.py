"""The whole of post-training quantisation as one call."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace

from tinyc.ir.module import Module
from tinyc.ir.tensor import Array
from tinyc.passes.quantise.bias import CorrectBias
from tinyc.passes.quantise.calibrate import Progress, Ranges, Run, Samples, calibrate
from tinyc.passes.quantise.choose import Goal, choose
from tinyc.passes.quantise.equalise import EqualiseRanges, see_channels
from tinyc.passes.quantise.four_bits import candidates, chosen, see_moments
from tinyc.passes.quantise.insert import Quantise
from tinyc.passes.quantise.logits import finite_masks, logits
from tinyc.passes.quantise.narrow import NarrowBiases
from tinyc.passes.quantise.observers import Observer
from tinyc.passes.quantise.report import LayerNoise, measure
from tinyc.passes.quantise.units import find_units
from tinyc.passes.quantise.widths import NONE, Widths

DEFAULT_OBSERVER = "mse"


@dataclass(frozen=True)
class QuantisedModule:
    """A quantised module and where it came from.

    Attributes:
        module: computes in int8 between quantize and dequantize; same inputs and outputs as the float module.
        corrected: the same before biases were rounded to 16 bits.
        uncorrected: before they were corrected.
        float_module: what was quantised: the given module, equalised.
        ranges: the calibrated ranges of its activations.
        layers: what quantisation cost, worst layer first.
        biases: corrected biases in real numbers, before they were rounded, by the names of the float layers' results.
        sqnr: of the worst output in dB, where a goal asked for it.
        four_bits: names of the results of layers whose weights have 4 bits.
    """

    module: Module
    corrected: Module
    uncorrected: Module
    float_module: Module
    ranges: Ranges
    layers: tuple[LayerNoise, ...]
    biases: Mapping[str, Array]
    sqnr: float | None = None
    four_bits: tuple[str, ...] = ()


def quantise_module(
    module: Module,
    samples: Samples,
    run: Run,
    *,
    observer: str | Callable[[], Observer] = DEFAULT_OBSERVER,
    equalise: bool = True,
    correct_bias: bool = True,
    keep_float: tuple[str, ...] = (),
    widths: Widths = NONE,
    goal: Goal | None = None,
    four_bits: Collection[str] | None = (),
    values_of_4_bits: Collection[str] = (),
    progress: Progress | None = None,
) -> QuantisedModule:
    """Quantises a float module by calibration.

    Args:
        module: a float module, after the float tensor passes.
        samples: calibration inputs; each has one array an input, as the module takes them.
        run: the interpreter, `run(module, inputs, watch)`.
        observer: how ranges are chosen: a name in `OBSERVERS`, or what makes an observer for one tensor.
        equalise: scale channels of neighbouring layers to like ranges first.
        correct_bias: take the mean error of every layer out of its bias.
        keep_float: names of ONNX nodes whose operators stay float.
        widths: which values are int16.
        goal: what is to be reached, by as few more of them as can be.
        four_bits: names of ONNX nodes whose weights have 4 bits; None for all that can.
        values_of_4_bits: names of results of further ones.
        progress: told what is being done, how many samples are done, and of how many.

    Raises:
        PassError: there are no samples, they have NaN or infinite values, or a name or an option is unknown.
    """
    module = finite_masks(module)
    if equalise:
        module = EqualiseRanges(see_channels(module, samples, run)).run(module)
    units = find_units(module, keep_float)
    values = dict.fromkeys(v for u in units for v in (*u.operands, u.result))
    varying = [v for v in values if module.constant(v) is None]
    ranges = calibrate(module, samples, run, observer, progress, varying, logits(module, units))

    small = dict.fromkeys(chosen(module, units, four_bits))
    small |= dict.fromkeys(v for v in candidates(module, units) if v.name in values_of_4_bits)
    moments = see_moments(module, small, samples, run, correct_bias) if small else {}
    names = tuple(v.name for v in small)

    def made(wide: Widths) -> QuantisedModule:
        uncorrected = quantised = Quantise(ranges, keep_float, wide, moments).run(module)
        biases: Mapping[str, Array] = {}
        if correct_bias:
            quantised, biases = CorrectBias(module, samples, run, progress).corrected(quantised)
        corrected, quantised = quantised, NarrowBiases().run(quantised)
        return QuantisedModule(quantised, corrected, uncorrected, module, ranges, (), biases, four_bits=names)

    sqnr = None
    if goal is not None:
        widths, sqnr = choose(
            module, units, ranges, samples, run, goal, lambda wide: made(wide).module, widths, progress
        )
    found = made(widths)
    return replace(found, sqnr=sqnr, layers=tuple(measure(module, found.module, samples, run, progress)))
