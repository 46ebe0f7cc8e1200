"""The data of an evaluation as users have them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from tinyc.compiler.data.calibration import Calibration, CalibrationLike, calibration_of
from tinyc.compiler.data.inputs import Interface, labels_of, load_arrays
from tinyc.compiler.data.pixels import Normalise
from tinyc.compiler.frontend import Imported
from tinyc.ir.tensor import Array

DataLike = CalibrationLike | Mapping[str, Array] | Array
"""What calibration data may be, or arrays by the names of the model's inputs, or one array without a name."""
LabelsLike = str | Path | Sequence[int] | Array
"""One class an inference: at hand, or the file of them."""


def evaluation_data(
    data: DataLike,
    labels: LabelsLike | None,
    imported: Imported,
    normalise: Normalise | None,
    interface: Interface | None,
) -> Calibration:
    """Input sets of the model, with the class of each where it is known. Raises `ArrayError`."""
    file = labels if isinstance(labels, (str, Path)) else None
    if isinstance(data, (Mapping, np.ndarray)):
        inputs = load_arrays(data, imported, "`evaluate`", normalise, interface)
        data = Calibration(inputs.samples, notes=inputs.notes)
    found = calibration_of(data, imported, normalise, file, interface=interface, option="evaluate")
    if labels is None or file is not None:
        return found
    return replace(found, labels=labels_of(np.array(labels), "`evaluate_labels`", len(found.samples)), names=())
