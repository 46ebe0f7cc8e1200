"""Calibration data: what users have as inputs, with the class of each where it is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinyc.compiler.base.files import reason, shown
from tinyc.compiler.data.arrays import check_samples, read_arrays
from tinyc.compiler.data.inputs import CalibrationError, Normalise, load_inputs
from tinyc.compiler.frontend import Imported
from tinyc.ir.tensor import Array

__all__ = ["Calibration", "CalibrationError", "Normalise", "calibration_of", "load_calibration", "read_labels"]


@dataclass(frozen=True)
class Calibration:
    """Input sets in the module's order and layout, the class of each where it is known, and what the user should know
    of them."""

    samples: Sequence[Sequence[Array]]
    labels: tuple[int, ...] | None = None
    notes: tuple[str, ...] = ()


def calibration_of(
    source: Calibration | str | Path, imported: Imported, normalise: Normalise | None, labels: str | Path | None
) -> Calibration:
    """Calibration data that fit a model, at hand or from files. Raises `ArrayError` naming what is wrong."""
    if not isinstance(source, Calibration):
        return load_calibration(Path(source), imported, normalise, None if labels is None else Path(labels))
    check_samples(imported, source.samples, "calibration")
    if source.labels is not None and len(source.labels) != len(source.samples):
        raise CalibrationError(f"`calibration` has {len(source.labels)} labels for {len(source.samples)} inputs")
    return source


def load_calibration(
    path: Path, imported: Imported, normalise: Normalise | None = None, labels: Path | None = None
) -> Calibration:
    """Calibration data from a file or a folder, as `load_inputs` reads them.

    Where the files of a folder lie in sub-folders, one a class, the folders' order gives labels.

    Args:
        path: the file or folder.
        imported: the model.
        normalise: how the model takes pixels.
        labels: one whole number an input set, in an .npy file or a text file; instead of those from sub-folders.

    Raises:
        ArrayError: the message names the file, and what is wrong with it.
    """
    found = load_inputs(path, imported, normalise)
    if labels is None:
        return Calibration(found.samples, found.classes, found.notes)
    classes = read_labels(labels)
    if len(classes) != len(found.samples):
        raise CalibrationError(f"{shown(labels)} has {len(classes)} labels for {len(found.samples)} inputs")
    return Calibration(found.samples, classes, found.notes)


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
