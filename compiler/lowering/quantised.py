"""Post-training quantisation within a compilation, and integers in place of floats at the interface."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np

from tinyc.backends.interpreter import run_module
from tinyc.compiler.data.calibration import Calibration
from tinyc.compiler.evaluate.classes import labelled
from tinyc.compiler.options import QuantiseOptions, Samples
from tinyc.ir.errors import TinycError
from tinyc.ir.module import Module
from tinyc.ir.rows import RowProgram
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType
from tinyc.passes.integerise import ScaledPort
from tinyc.passes.integerise.scales import Scale
from tinyc.passes.quantise import Goal, QuantisedModule, Statistics, Widths, quantise_module


def quantise(
    module: Module,
    options: QuantiseOptions,
    calibration: Calibration,
    norms: Mapping[str, Statistics],
    say: Callable[[str], None],
    four_bits: Collection[str] = (),
) -> QuantisedModule:
    """Quantises a float module that the tensor passes have been through; `norms` are what its batch norms told. The
    layers with the results `four_bits` have weights of 4 bits, whatever the options say. Raises `TinycError`."""
    if not calibration.samples:
        raise TinycError("quantisation needs calibration data: real inputs of the model, by `calibration`")

    def progress(what: str, done: int, total: int) -> None:
        say(f"{what}: {done} of {total}")

    return quantise_module(
        module,
        calibration.samples,
        run_module,
        observer=options.observer,
        equalise=options.equalise,
        correct_bias=options.correct_bias,
        headroom=options.headroom,
        rounding=options.rounding,
        keep_float=options.keep_float,
        widths=Widths(options.int16, options.activations == "int16"),
        goal=_goal(module, options, calibration),
        four_bits=options.four_bits,
        values_of_4_bits=four_bits,
        norms=norms,
        progress=progress,
    )


def _goal(module: Module, options: QuantiseOptions, calibration: Calibration) -> Goal | None:
    """What the quantised network is to reach. Raises `TinycError` where accuracy cannot be measured."""
    if options.max_drop is None:
        return None if options.min_sqnr is None else Goal(options.min_sqnr)
    if calibration.labels is None:
        raise TinycError(
            "`max_drop` needs the classes of the calibration data: give `labels`, or a folder for each class"
        )
    scores = labelled([(v.name, v.shape, v.dtype) for v in module.outputs], calibration.labels)
    return Goal(options.min_sqnr, options.max_drop, calibration.labels, scores.of)


def as_taken(module: Module | RowProgram, samples: Samples, ports: Sequence[ScaledPort]) -> Samples:
    """Float input sets as a quantised network takes them: `ports` are its inputs that are integers. Arrays of exactly
    these integers stay as they are."""
    by_name = {p.name: p for p in ports}
    return [
        [as_integers(by_name.get(v.name), array) for v, array in zip(module.inputs, sample, strict=True)]
        for sample in samples
    ]


def as_integers(port: ScaledPort | None, array: Array) -> Array:
    """An input as the caller of the quantised network has it: floats in the port's scale, exactly as the network's own
    quantize would round them; unchanged what is there."""
    if port is None or array.dtype == port.dtype.numpy:
        return array
    if port.dtype is not DType.U8:
        return Scale(port.scale, int(port.zero), port.dtype).quantized(array)
    # The nearest pixel: its zero point, the mean, may lie between two of them.
    low, high = port.dtype.limits
    scale, zero = port.numbers(array.ndim)
    return np.clip(np.rint(array.astype(np.float64) / scale + zero), low, high).astype(port.dtype.numpy)


def as_real(port: ScaledPort | None, array: Array) -> Array:
    """An output of the quantised network as real values."""
    if port is None:
        return array
    return ((array.astype(np.float64) - port.zero) * port.scale).astype(np.float32)
