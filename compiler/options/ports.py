"""What a network takes and gives as C."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tinyc.compiler.data.inputs import Interface
from tinyc.compiler.data.pixels import Normalise
from tinyc.ir.types import DType

InputType = Literal["auto", "float32", "int8", "int16", "uint8"]
OutputType = Literal["auto", "float32", "int8", "int16"]


@dataclass(frozen=True)
class PortTypes:
    """The types that were asked for, and what pixels stand for.

    "auto" is int8 or int16, as it is quantised, for each input that the network quantizes at once, and for each output
    that it dequantizes last; the others keep the type that they have in the model.
    """

    input_type: InputType
    output_type: OutputType
    normalise: Normalise | None

    @property
    def pixels(self) -> Normalise:
        """What pixels stand for."""
        return self.normalise or Normalise()

    def interface(self, quantised: bool) -> Interface | None:
        """The integers that the network takes in place of floats, if it does; `quantised` says whether it is."""
        dtype = {"auto": DType.I8 if quantised else None, "int8": DType.I8, "int16": DType.I16, "uint8": DType.U8}.get(
            self.input_type
        )
        return None if dtype is None else Interface(dtype, self.pixels)
