"""How to quantise."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tinyc.compiler.base.checked import OneOf, checked
from tinyc.compiler.data.calibration import CalibrationLike, Normalise
from tinyc.compiler.data.inputs import Interface
from tinyc.ir.types import DType
from tinyc.passes.quantise import DEFAULT_OBSERVER, OBSERVERS

InputType = Literal["float32", "int8", "uint8"]
OutputType = Literal["float32", "int8"]


@checked
@dataclass(frozen=True)
class QuantiseOptions:
    """How to quantise. Each option is documented here, and has its default here; the command line has the same.

    Attributes:
        calibration: real inputs, from which the ranges of activations are learnt: an .npz file with arrays named as the
            model's inputs, a .npy file for a model with one, a folder of such files or of images; or input sets at
            hand, a list of arrays each, as `tinyc.Calibration` describes them, or one of these, which has labels too.
        labels: a file with the class of each calibration input, to measure accuracy; folders of images, and a
            `tinyc.Calibration`, have their own.
        observer: how a range is chosen (`tinyc.passes.quantise.OBSERVERS`).
        equalise: scale channels of neighbouring layers to like ranges first.
        correct_bias: take the mean error of every layer out of its bias.
        keep_float: names of ONNX nodes that stay float.
        input_type: "float32" keeps the model's own input, "int8" takes values in the calibrated scale, "uint8" takes
            pixels 0..255. A compilation that is called takes such arrays, or the model's own floats.
        output_type: "float32" or "int8" in the calibrated scale.
        normalise: how the model wants its pixels, (pixel - mean) / std: those of images, arrays of integers 0..255, and
            the input type "uint8". Without it, images and "uint8" are divided by 255, and arrays taken as they are.
    """

    calibration: CalibrationLike
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

    @property
    def interface(self) -> Interface | None:
        """The integers that the network takes in place of floats, if it does."""
        dtype = {"float32": None, "int8": DType.I8, "uint8": DType.U8}[self.input_type]
        return None if dtype is None else Interface(dtype, self.pixels)
