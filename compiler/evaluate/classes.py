"""Outputs that tell classes: which one does, and which class it tells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tinyc.compiler.data.calibration import Calibration
from tinyc.compiler.data.pixels import CalibrationError
from tinyc.compiler.frontend import Imported
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType


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
    outputs = [(port.name, port.onnx_shape, port.value.dtype) for port in imported.outputs]
    if labels is not None:
        return labelled(outputs, labels)
    found = _telling(outputs)
    return found[0] if len(found) == len(outputs) == 1 and found[0].classes is not None else None


def with_classes(imported: Imported, data: Calibration) -> Calibration:
    """Data whose labels an output goes with: those that sub-folders say are left out, with a note, where none does.

    Raises:
        CalibrationError: as `scores_of`, for labels that were given.
    """
    try:
        scores_of(imported, data.labels)
    except CalibrationError as error:
        if not data.names:
            raise
        return replace(
            data, labels=None, names=(), notes=(*data.notes, f"sub-folders are not taken for classes: {error}")
        )
    return data


def labelled(outputs: Sequence[tuple[str, tuple[int, ...], DType]], labels: Sequence[int]) -> Scores:
    """The output, of those with these names, shapes and types, that labels go with. Raises `CalibrationError`, as
    `scores_of` does."""
    found = _telling(outputs)
    if not found:
        shapes = ", ".join(f"{name!r} {list(shape)}" for name, shape, _ in outputs)
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


def _telling(outputs: Sequence[tuple[str, tuple[int, ...], DType]]) -> list[Scores]:
    """The outputs that can tell classes."""
    found = (_scores(n, name, shape, dtype) for n, (name, shape, dtype) in enumerate(outputs))
    return [scores for scores in found if scores is not None]


def _scores(number: int, name: str, shape: tuple[int, ...], dtype: DType) -> Scores | None:
    """An output as class scores; None where it cannot be."""
    long = [size for size in shape if size > 1]
    if not long and dtype.is_integer:
        return Scores(number, name, None)
    return Scores(number, name, long[0]) if len(long) == 1 and dtype.is_float else None
