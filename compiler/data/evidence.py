"""What a compilation is verified on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tinyc.compiler.data.arrays import check_samples
from tinyc.compiler.data.calibration import Calibration
from tinyc.compiler.data.inputs import Inputs
from tinyc.compiler.data.samples import sample_inputs
from tinyc.compiler.frontend import Imported
from tinyc.ir.tensor import Array

FEW = 8
"""Of many inferences, as many are used where each costs: before and after each pass, and layer by layer."""


@dataclass(frozen=True)
class Evidence:
    """Input sets in the module's order and layout.

    Attributes:
        samples: what everything is verified on.
        seeded: what the import and the passes over floats are verified on beside calibration data: real inputs are all
            alike, and may leave limits and signs out that others reach.
        notes: what the user should know of inputs of theirs.
    """

    samples: Sequence[Sequence[Array]]
    seeded: Sequence[Sequence[Array]] = ()
    notes: tuple[str, ...] = ()

    @property
    def few(self) -> Sequence[Sequence[Array]]:
        """The first of the samples."""
        return self.samples[:FEW]


def evidence_from(
    imported: Imported,
    inputs: Inputs | None,
    samples: Sequence[Sequence[Array]] | None,
    calibration: Calibration | None,
    beside: bool,
) -> Evidence:
    """The inputs that there are: those of the user, some of the calibration data, or else seeded ones.

    Args:
        imported: the model.
        inputs: of the user, as they were given by name.
        samples: of the user, in the module's order and layout; where there are no `inputs`.
        calibration: the data that a quantisation learns from.
        beside: whether seeded inputs are wanted beside those.

    Raises:
        ArrayError: inputs that the model cannot take.
    """
    beside = beside and calibration is not None and samples is None
    seeded = sample_inputs(imported.module)[-1:] if beside else []
    if inputs is not None:
        return Evidence(inputs.samples, seeded, inputs.notes)
    if samples is not None:
        return Evidence(check_samples(imported, samples, "samples"))
    if calibration is not None:
        return Evidence(calibration.samples[:FEW], seeded)
    return Evidence(sample_inputs(imported.module))
