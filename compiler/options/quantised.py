"""Post-training quantisation within a compilation: its options, and integers in place of floats at the interface."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import numpy as np

from tinyc.backends.interpreter import run_module
from tinyc.compiler.base.checked import OneOf, checked
from tinyc.compiler.data.arrays import check_samples
from tinyc.compiler.data.calibration import Calibration, CalibrationError, Normalise, load_calibration
from tinyc.compiler.frontend import Imported
from tinyc.ir.errors import TinycError
from tinyc.ir.module import Module
from tinyc.ir.tensor import Array
from tinyc.passes.integerise import Port
from tinyc.passes.quantise import DEFAULT_OBSERVER, OBSERVERS, QuantisedModule, quantise_module

InputType = Literal["float32", "int8", "uint8"]
OutputType = Literal["float32", "int8"]


@checked
@dataclass(frozen=True)
class QuantiseOptions:
    """How to quantise; the command line has the same options.

    Attributes:
        calibration: real inputs, from which the ranges of activations are learnt: an .npz file with arrays named as the
            model's inputs, a .npy file for a model with one, a folder of such files or of images, or input sets in the
            module's order and layout.
        labels: a file with the class of each calibration input, to measure accuracy; folders of images have their own.
        observer: how a range is chosen (`tinyc.passes.quantise.OBSERVERS`).
        equalise: scale channels of neighbouring layers to like ranges first.
        correct_bias: take the mean error of every layer out of its bias.
        keep_float: names of ONNX nodes that stay float.
        input_type: "float32" keeps the model's own input, "int8" takes values in the calibrated scale, "uint8" takes
            pixels 0..255.
        output_type: "float32" or "int8" in the calibrated scale.
        normalise: how the model wants its pixels, (pixel - mean) / std: those of images, arrays of integers 0..255, and
            the input type "uint8". Without it, images and "uint8" are divided by 255, and arrays taken as they are.
    """

    calibration: Calibration | str | Path
    labels: str | Path | None = None
    observer: Annotated[str, OneOf(OBSERVERS)] = DEFAULT_OBSERVER
    equalise: bool = True
    correct_bias: bool = True
    keep_float: tuple[str, ...] = ()
    input_type: InputType = "float32"
    output_type: OutputType = "float32"
    normalise: Normalise | None = None

    @property
    def pixels(self) -> Normalise:
        """What pixels stand for."""
        return self.normalise or Normalise()


def with_data(options: QuantiseOptions, imported: Imported) -> QuantiseOptions:
    """The options with the calibration data read. Raises `TinycError` naming the file that is wrong."""
    given = options.calibration
    if isinstance(given, Calibration):
        check_samples(imported, given.samples, "calibration")
        if given.labels is not None and len(given.labels) != len(given.samples):
            raise CalibrationError(f"`calibration` has {len(given.labels)} labels for {len(given.samples)} inputs")
        return options
    labels = Path(options.labels) if options.labels is not None else None
    return replace(options, calibration=load_calibration(Path(given), imported, options.normalise, labels))


def data(options: QuantiseOptions) -> Calibration:
    """The calibration data of options that `with_data` has been through."""
    assert isinstance(options.calibration, Calibration)
    return options.calibration


def quantise(module: Module, options: QuantiseOptions, say: Callable[[str], None]) -> QuantisedModule:
    """Quantises a float module that the tensor passes have been through. Raises `TinycError`."""
    if not data(options).samples:
        raise TinycError("quantisation needs calibration data: real inputs of the model, by `calibration`")

    def progress(what: str, done: int, total: int) -> None:
        say(f"{what}: {done} of {total}")

    return quantise_module(
        module,
        data(options).samples,
        run_module,
        observer=options.observer,
        equalise=options.equalise,
        correct_bias=options.correct_bias,
        keep_float=options.keep_float,
        progress=progress,
    )


def as_given(port: Port | None, array: Array) -> Array:
    """A float input as the caller of the quantised network gives it: in the port's scale, or unchanged."""
    if port is None:
        return array
    low, high = port.dtype.limits
    steps = array.astype(np.float64) / port.scale
    # Integers are rounded as quantize does; pixels may have a zero point between two of them.
    rounded = np.rint(steps) + port.zero if port.zero == int(port.zero) else np.rint(steps + port.zero)
    return np.clip(rounded, low, high).astype(port.dtype.numpy)


def as_real(port: Port | None, array: Array) -> Array:
    """An output of the quantised network as real values."""
    if port is None:
        return array
    return ((array.astype(np.float64) - port.zero) * port.scale).astype(np.float32)


def top1(outputs: Sequence[Array], labels: Sequence[int]) -> float:
    """The part of inferences whose largest output is the labelled one."""
    right = [int(array.reshape(-1).argmax()) == label for array, label in zip(outputs, labels, strict=True)]
    return float(np.mean(right))
