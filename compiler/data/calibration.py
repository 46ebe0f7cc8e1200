"""Calibration data: what users have as inputs, with the class of each where it is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tinyc.compiler.base.checked import checked
from tinyc.compiler.base.files import reason, shown
from tinyc.compiler.data.arrays import check_samples, read_arrays
from tinyc.compiler.data.inputs import Interface, labels_of, load_inputs
from tinyc.compiler.data.pixels import CalibrationError, Normalise
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
        names: what the classes are called; their numbers where that is not said.
    """

    samples: Sequence[Sequence[Array]]
    labels: tuple[int, ...] | None = None
    notes: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


CalibrationLike = Calibration | Sequence[Sequence[Array]] | str | Path
"""Calibration data as users have them: input sets in the module's order and layout, with labels or without, or the file
or folder of them (`load_inputs`)."""


def calibration_of(
    source: CalibrationLike,
    imported: Imported,
    normalise: Normalise | None = None,
    labels: str | Path | None = None,
    *,
    interface: Interface | None = None,
    option: str = "calibration",
) -> Calibration:
    """Calibration data that fit a model, or other data with labels.

    Where the files of a folder lie in sub-folders, one a class, the folders' order gives labels; an array `labels` of
    .npz files does as well.

    Args:
        source: the data, or where they are.
        imported: the model.
        normalise: how the model takes pixels.
        labels: one whole number an input set, in an .npy file or a text file; instead of those that the data bring.
        interface: the integers that a network made of it takes, if these may be among the data.
        option: what errors call the data.

    Raises:
        ArrayError: the message names the file, or the option, and what is wrong with it.
    """
    if isinstance(source, (str, Path)):
        inputs = load_inputs(Path(source), imported, normalise, interface)
        found = Calibration(inputs.samples, inputs.classes, inputs.notes, inputs.names)
    else:
        found = source if isinstance(source, Calibration) else Calibration(source)
        found = replace(found, samples=check_samples(imported, found.samples, option))
        if found.labels is not None:
            labels_of(np.array(found.labels), f"`{option}`")
    if labels is not None:
        found = replace(found, labels=read_labels(Path(labels)), names=())
    if found.labels is not None:
        labels_of(np.array(found.labels), f"`{option}`" if labels is None else shown(labels), len(found.samples))
    return found


def read_labels(path: Path) -> tuple[int, ...]:
    """Whole numbers from an .npy file, or from a text file with one in each line. Raises `ArrayError`."""
    values = read_arrays(path) if path.suffix == ".npy" else _text_numbers(path)
    return labels_of(values if isinstance(values, np.ndarray) else np.array(""), shown(path))


def _text_numbers(path: Path) -> Array:
    try:
        return np.array([float(word) for word in path.read_text(encoding="utf-8").split()])
    except OSError as error:
        raise CalibrationError(f"cannot read labels from {shown(path)}: {reason(error)}") from None
    except ValueError as error:
        raise CalibrationError(f"cannot read labels from {shown(path)}: {error}") from None
