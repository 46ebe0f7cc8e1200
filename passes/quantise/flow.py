"""The whole of post-training quantisation as one call."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np

from tinyc.ir.module import Module
from tinyc.ir.tensor import Array
from tinyc.passes.core.base import PassError
from tinyc.passes.quantise.bias import CorrectBias
from tinyc.passes.quantise.calibrate import Progress, Ranges, Run, Samples, calibrate
from tinyc.passes.quantise.choose import Goal, choose
from tinyc.passes.quantise.equalise import EqualiseRanges, see_channels
from tinyc.passes.quantise.four_bits import PLACES, candidates, chosen
from tinyc.passes.quantise.inner import with_inner
from tinyc.passes.quantise.insert import Quantise
from tinyc.passes.quantise.logits import finite_masks, logits
from tinyc.passes.quantise.moments import measure_moments
from tinyc.passes.quantise.narrow import NarrowBiases
from tinyc.passes.quantise.observers import Observer
from tinyc.passes.quantise.pick import MEASURED, PICKED_FROM, pick
from tinyc.passes.quantise.report import LayerNoise, measure
from tinyc.passes.quantise.statistics import Statistics, layer_statistics
from tinyc.passes.quantise.units import find_units
from tinyc.passes.quantise.widen import widened
from tinyc.passes.quantise.widths import NONE, Widths

DEFAULT_OBSERVER = "mse"
ROUNDINGS = ("nearest", "adaptive")
DEFAULT_ROUNDING = "adaptive"


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
        rounding: how weights were rounded.
        biases: corrected biases in real numbers, before they were rounded, by the names of the float layers' results.
        four_bits: names of the results of layers whose weights have 4 bits.
    """

    module: Module
    corrected: Module
    uncorrected: Module
    float_module: Module
    ranges: Ranges
    layers: tuple[LayerNoise, ...]
    biases: Mapping[str, Array]
    rounding: str = DEFAULT_ROUNDING
    four_bits: tuple[str, ...] = ()


def quantise_module(
    module: Module,
    samples: Samples,
    run: Run,
    *,
    observer: str | Callable[[], Observer] = DEFAULT_OBSERVER,
    equalise: bool = True,
    correct_bias: bool = True,
    headroom: bool = True,
    rounding: str = DEFAULT_ROUNDING,
    keep_float: tuple[str, ...] = (),
    widths: Widths = NONE,
    goal: Goal | None = None,
    four_bits: Collection[str] | None = (),
    values_of_4_bits: Collection[str] = (),
    norms: Mapping[str, Statistics] | None = None,
    progress: Progress | None = None,
) -> QuantisedModule:
    """Quantises a float module by calibration.

    Args:
        module: a float module, after the float tensor passes.
        samples: calibration inputs; each has one array an input, as the module takes them.
        run: the interpreter, `run(module, inputs, watch)`.
        observer: how ranges are chosen: a name in `OBSERVERS`, "measured" for the one of several that
            leaves each tensor's layers the least noise, or what makes an observer for one tensor.
        equalise: scale channels of neighbouring layers to like ranges first.
        headroom: widen ranges by what few samples leave unseen.
        correct_bias: take the mean error of every layer out of its bias.
        rounding: of weights: "nearest", or "adaptive" for the least error of each layer's result.
        keep_float: names of ONNX nodes whose operators stay float.
        widths: which values are int16.
        goal: what is to be reached, by as few more of them as can be.
        four_bits: names of ONNX nodes whose weights have 4 bits; None for all that can.
        values_of_4_bits: names of results of further ones.
        norms: what the model's batch norms tell, by their locations (`batch_norm_statistics`).
        progress: told what is being done, how many samples are done, and of how many.

    Raises:
        PassError: there are no samples, they have NaN or infinite values, or a name or an option is unknown.
    """
    if rounding not in ROUNDINGS:
        raise PassError(f"there is no rounding {rounding!r} of weights; there are {', '.join(ROUNDINGS)}")
    module = finite_masks(module)
    known = layer_statistics(module, norms or {}, samples, run) if headroom else {}
    if equalise:
        seen = see_channels(module, samples, run, headroom, known)
        module, divided = EqualiseRanges(seen).equalised(module)
        known = {value: found.divided(divided.get(value, np.ones(()))) for value, found in known.items()}
    units = find_units(module, keep_float)
    values = dict.fromkeys(v for u in units for v in (*u.operands, u.result))
    varying = [v for v in values if module.constant(v) is None]
    ways = [
        calibrate(module, samples, run, each, progress, varying, logits(module, units))
        for each in (PICKED_FROM if observer == MEASURED else (observer,))
    ]
    if headroom:
        ways = [{v: widened(found, len(samples), known.get(v)) for v, found in way.items()} for way in ways]
    ranges = ways[0]
    if len(ways) > 1:
        ranges = pick(module, {v: [way[v] for way in ways] for v in ranges}, samples, run, progress)
    moments = measure_moments(module, samples, run, progress) if rounding == "adaptive" else {}
    small = dict.fromkeys(chosen(module, units, four_bits))
    small |= dict.fromkeys(v for v in candidates(module, units) if v.name in values_of_4_bits)
    of_small = measure_moments(module, samples, run, progress, small, correct_bias, PLACES) if small else {}
    names = tuple(v.name for v in small)

    def made(wide: Widths) -> QuantisedModule:
        uncorrected = quantised = Quantise(ranges, keep_float, moments, wide, of_small).run(module)
        biases: Mapping[str, Array] = {}
        if correct_bias:
            quantised, biases = CorrectBias(module, samples, run, progress).corrected(quantised)
        corrected, quantised = quantised, NarrowBiases().run(quantised)
        given = (module, ranges, (), biases, rounding)
        return QuantisedModule(quantised, corrected, uncorrected, *given, four_bits=names)

    widths = with_inner(module, units, ranges, samples, run, widths)
    if goal is not None:
        widths = choose(module, units, ranges, samples, run, goal, lambda wide: made(wide).module, widths, progress)
    result = made(widths)
    return replace(result, layers=tuple(measure(module, result.module, samples, run, progress)))
