"""Calibration data: what users have as inputs, with the class of each where it is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tinyc.compiler.base.checked import checked
from tinyc.compiler.base.files import reason, shown
from tinyc.compiler.data.arrays import check_samples, read_arrays
from tinyc.compiler.data.inputs import CalibrationError, Normalise, load_inputs
from tinyc.compiler.frontend import Imported
from tinyc.ir.tensor import Array

__all__ = ["Calibration", "CalibrationError", "CalibrationLike", "Normalise", "calibration_of"]


@checked
@dataclass(frozen=True)
class Calibration:
    """Real inputs at hand, to quantise with: `QuantiseOptions(Calibration(samples, labels))`.

    Attributes:
        samples: input sets, one array an input, in the order of the model's inputs, of their shapes and element types;
            channels last where `input_layout` or `rows_from` make the network take images so.
        labels: the class of each, to measure accuracy; None where they are not known.
        notes: what the user should know of them, repeated in the report.
    """

    samples: Sequence[Sequence[Array]]
    labels: tuple[int, ...] | None = None
    notes: tuple[str, ...] = ()


CalibrationLike = Calibration | Sequence[Sequence[Array]] | str | Path
"""Calibration data as users have them: input sets in the module's order and layout, with labels or without, or the file
or folder of them (`load_inputs`)."""


def calibration_of(
    source: CalibrationLike,
    imported: Imported,
    normalise: Normalise | None = None,
    labels: str | Path | None = None,
) -> Calibration:
    """Calibration data that fit a model.

    Where the files of a folder lie in sub-folders, one a class, the folders' order gives labels.

    Args:
        source: the data, or where they are.
        imported: the model.
        normalise: how the model takes pixels.
        labels: one whole number an input set, in an .npy file or a text file; instead of those that the data bring.

    Raises:
        ArrayError: the message names the file, or the option, and what is wrong with it.
    """
    if isinstance(source, (str, Path)):
        inputs = load_inputs(Path(source), imported, normalise)
        found = Calibration(inputs.samples, inputs.classes, inputs.notes)
    else:
        found = source if isinstance(source, Calibration) else Calibration(source)
        found = replace(found, samples=check_samples(imported, found.samples, "calibration"))
        if found.labels is not None and not _are_labels(np.array(found.labels)):
            raise CalibrationError("`calibration`: labels are whole numbers, 0 or above")
    if labels is not None:
        found = replace(found, labels=read_labels(Path(labels)))
    if found.labels is not None and len(found.labels) != len(found.samples):
        where = "`calibration`" if labels is None else shown(labels)
        raise CalibrationError(f"{where} has {len(found.labels)} labels for {len(found.samples)} inputs")
    return found


def read_labels(path: Path) -> tuple[int, ...]:
    """Whole numbers from an .npy file, or from a text file with one in each line. Raises `ArrayError`."""
    values = read_arrays(path) if path.suffix == ".npy" else _text_numbers(path)
    if not isinstance(values, np.ndarray) or values.ndim != 1 or not _are_labels(values):
        raise CalibrationError(f"{shown(path)} does not hold one whole number (0 or above) for each input")
    return tuple(int(v) for v in values)


def _text_numbers(path: Path) -> Array:
    try:
        return np.array([float(word) for word in path.read_text(encoding="utf-8").split()])
    except OSError as error:
        raise CalibrationError(f"cannot read labels from {shown(path)}: {reason(error)}") from None
    except ValueError as error:
        raise CalibrationError(f"cannot read labels from {shown(path)}: {error}") from None


def _are_labels(values: Array) -> bool:
    return values.dtype.kind in "iuf" and bool(
        np.isfinite(values).all() and (values == np.rint(values)).all() and (values >= 0).all()
    )
