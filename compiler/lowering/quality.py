"""What quantisation cost: the quantised network against the float model on all calibration data."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tinyc.backends.interpreter import run_program
from tinyc.backends.runners import MissingTool, Runner
from tinyc.compiler.data.calibration import Calibration
from tinyc.compiler.frontend import Imported
from tinyc.compiler.lowering.quantised import as_taken, top1
from tinyc.compiler.lowering.steps import Lowered
from tinyc.compiler.options import Samples
from tinyc.compiler.reference import Reference
from tinyc.ir.tensor import Array


@dataclass(frozen=True)
class Quality:
    """Measured on the calibration data.

    Attributes:
        sqnr: signal-to-quantisation-noise ratio of all outputs in dB; infinite when they are equal.
        agreement: the part of inferences with the same largest element in the first output.
        accuracy: top-1 accuracy of the float model and of the quantised one, where labels are known.
        inferences: on how many.
    """

    sqnr: float
    agreement: float
    accuracy: tuple[float, float] | None
    inferences: int


def measure(
    imported: Imported,
    lowered: Lowered,
    calibration: Calibration,
    host: Callable[[], Runner],
    say: Callable[[str], None],
) -> Quality:
    """Runs the float model in onnxruntime and the quantised network as C on this computer (in the interpreter without
    a compiler)."""
    reference = Reference(imported, calibration.samples[0])
    expected = []
    for number, sample in enumerate(calibration.samples, 1):
        say(f"measure the float model: {number} of {len(calibration.samples)}")
        expected.append(reference.run(sample))
    say("measure the quantised network")
    own = [lowered.real_outputs(outputs) for outputs in run_network(lowered, calibration.samples, host)]
    signal = sum(float(np.square(a, dtype=np.float64).sum()) for outputs in expected for a in outputs)
    noise = sum(
        float(np.square(a.astype(np.float64) - b).sum())
        for outputs, others in zip(expected, own, strict=True)
        for a, b in zip(outputs, others, strict=True)
    )
    ratio = math.inf if noise == 0 else 10 * math.log10(signal / noise) if signal else -math.inf
    first = [o[0] for o in own]
    same = top1(first, [int(o[0].reshape(-1).argmax()) for o in expected])
    labels = calibration.labels
    accuracy = None if labels is None else (top1([o[0] for o in expected], labels), top1(first, labels))
    return Quality(ratio, same, accuracy, len(expected))


def run_network(lowered: Lowered, given: Samples, host: Callable[[], Runner]) -> list[list[Array]]:
    """The network's outputs for the model's inputs: as C on this computer, in the interpreter without a compiler."""
    samples = as_taken(lowered.program, given, lowered.inputs)
    try:
        return host().run([list(s) for s in samples])
    except MissingTool:
        return [run_program(lowered.program, s) for s in samples]
