"""What a compilation is verified on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

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
        find: makes `samples`; seeded ones take a while, and who verifies nothing needs none.
        seeded: what the import and the passes over floats are verified on beside calibration data: real inputs are all
            alike, and may leave limits and signs out that others reach.
        notes: what the user should know of inputs of theirs.
    """

    find: Callable[[], Sequence[Sequence[Array]]]
    seeded: Sequence[Sequence[Array]] = ()
    notes: tuple[str, ...] = ()

    @cached_property
    def samples(self) -> Sequence[Sequence[Array]]:
        """What everything is verified on."""
        return self.find()

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
        given = inputs.samples
        return Evidence(lambda: given, seeded, inputs.notes)
    if samples is not None:
        checked = check_samples(imported, samples, "samples")
        return Evidence(lambda: checked)
    if calibration is not None:
        real = calibration.samples[:FEW]
        return Evidence(lambda: real, seeded)
    return Evidence(lambda: sample_inputs(imported.module))
