"""How to quantise."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tinyc.compiler.base.checked import OneOf, OptionError, checked
from tinyc.compiler.data.calibration import CalibrationLike, Normalise
from tinyc.compiler.options.ports import InputType, OutputType, PortTypes
from tinyc.passes.quantise import DEFAULT_OBSERVER, DEFAULT_ROUNDING, MEASURED, OBSERVERS, ROUNDINGS


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
        observer: how a range is chosen (`tinyc.passes.quantise.OBSERVERS`), or "measured" for the one that leaves each
            tensor's layers the least noise.
        equalise: scale channels of neighbouring layers to like ranges first.
        correct_bias: take the mean error of every layer out of its bias.
        headroom: widen ranges, and scale channels with more care, by what few samples leave unseen: what batch norms
            tell of channels, and how the largest numbers of inputs spread.
        rounding: of weights: "adaptive" is for the least error of each layer's result on the calibration data,
            "nearest" rounds each weight by itself.
        keep_float: names of ONNX nodes that stay float.
        weights: "int8", "int4" for 4 bits wherever that saves memory, or "int4:NODE,..." for those of these ONNX nodes.
        activations: "int8", or "int16" for every tensor between layers that can be: weights stay int8. What has no form
            for 16 bits computes in int8.
        int16: names of ONNX nodes whose results are int16 and of inputs that are, where activations are int8.
        min_sqnr: raise as few tensors to int16 as give each output this signal to noise on the calibration data, in dB.
        max_drop: the same for top-1 accuracy: by how many per cent of the calibration inputs it may be less. Needs
            labels.
        input_type: "auto" is int8 or int16, as it is quantised, for each input that is quantised at once and float32
            for the others; "int8" and "int16" take values in the calibrated scale, and refuse a model where one
            cannot; "uint8" takes pixels 0..255; "float32" keeps the model's own input. A compilation that is called
            takes such arrays, or the model's own floats.
        output_type: "auto", "int8", "int16" or "float32", in the same way.
        normalise: how the model wants its pixels, (pixel - mean) / std: those of images, arrays of integers 0..255, and
            the input type "uint8". Without it, images and "uint8" are divided by 255, and arrays taken as they are.
    """

    calibration: CalibrationLike
    labels: str | Path | None = None
    observer: Annotated[str, OneOf((*OBSERVERS, MEASURED))] = DEFAULT_OBSERVER
    equalise: bool = True
    correct_bias: bool = True
    headroom: bool = True
    rounding: Annotated[str, OneOf(ROUNDINGS)] = DEFAULT_ROUNDING
    keep_float: tuple[str, ...] = ()
    activations: Literal["int8", "int16"] = "int8"
    int16: tuple[str, ...] = ()
    min_sqnr: float | None = None
    max_drop: float | None = None
    weights: str = "int8"
    input_type: InputType = "auto"
    output_type: OutputType = "auto"
    normalise: Normalise | None = None

    def __post_init__(self) -> None:
        word, colon, _ = self.weights.partition(":")
        if word not in ("int8", "int4") or (colon and (word == "int8" or not self.four_bits)):
            raise OptionError(f'`weights` is "int8", "int4" or "int4:NODE,...", not {self.weights!r}')
        if self.max_drop is not None and self.max_drop < 0:
            raise OptionError(f"`max_drop` is a number of per cent, 0 or more, not {self.max_drop}")

    @property
    def four_bits(self) -> tuple[str, ...] | None:
        """The names of the ONNX nodes whose weights have 4 bits; None for all that can."""
        _, _, names = self.weights.partition(":")
        named = tuple(part.strip() for part in names.split(",") if part.strip())
        return None if self.weights == "int4" else named

    @property
    def port_types(self) -> PortTypes:
        """What the quantised network takes and gives."""
        return PortTypes(self.input_type, self.output_type, self.normalise)
