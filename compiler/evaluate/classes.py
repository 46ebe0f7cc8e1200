"""Outputs that tell classes: which one does, and which class it tells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tinyc.compiler.data.pixels import CalibrationError
from tinyc.compiler.frontend import Imported, Port
from tinyc.ir.tensor import Array


@dataclass(frozen=True)
class Scores:
    """The output that tells classes: its number and name, and how many classes it knows; None where it is the number
    of a class itself."""

    output: int
    name: str
    classes: int | None

    def of(self, outputs: Sequence[Array]) -> int:
        """The class that one inference's outputs tell: the first of the largest scores, or the number that is given."""
        flat = outputs[self.output].reshape(-1)
        return int(flat.argmax()) if self.classes is not None else int(flat[0])


def scores_of(imported: Imported, labels: Sequence[int] | None) -> Scores | None:
    """The output that tells classes. With labels it is the first that can: a vector of two scores or more, or one whole
    number. Without them the model's only output is taken for one if it is such a vector.

    Raises:
        CalibrationError: there are labels, and no output for them, or one that is no class of it.
    """
    found = [s for number, port in enumerate(imported.outputs) if (s := _scores(number, port)) is not None]
    if labels is None:
        return found[0] if len(found) == len(imported.outputs) == 1 and found[0].classes is not None else None
    if not found:
        shapes = ", ".join(f"{p.name!r} {list(p.onnx_shape)}" for p in imported.outputs)
        raise CalibrationError(
            "labels go with an output of class scores, which has one dimension longer than 1, or the number of one; "
            f"the model gives {shapes}: leave the labels out, and signal to noise is measured"
        )
    first = found[0]
    if first.classes is not None and max(labels, default=0) >= first.classes:
        raise CalibrationError(
            f"there is a label {max(labels)}, and output {first.name!r} has the classes 0 to {first.classes - 1}"
        )
    return first


def _scores(number: int, port: Port) -> Scores | None:
    """An output as class scores; None where it cannot be."""
    long = [size for size in port.onnx_shape if size > 1]
    if port.value.type.size == 1 and port.value.dtype.is_integer:
        return Scores(number, port.name, None)
    vector = len(long) == 1 and port.value.dtype.is_float
    return Scores(number, port.name, long[0]) if vector else None
