"""A model and a network on the same inputs: top-1, what changed for each class, and how far outputs are apart."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tinyc.compiler.data.calibration import Calibration
from tinyc.compiler.evaluate.classes import scores_of
from tinyc.compiler.evaluate.errors import Difference, OutputNoise
from tinyc.compiler.evaluate.running import Network
from tinyc.compiler.frontend import Imported
from tinyc.compiler.options import Samples
from tinyc.ir.tensor import Array
from tinyc.passes.quantise.report import decibels

CHUNK_BYTES = 1 << 26
"""Inputs are handed over in parts of so many bytes: one process for each, and thousands of inferences in it."""


@dataclass(frozen=True)
class ClassChange:
    """What became of the inferences of one class: how many there are, how many the model and the network have right,
    and on how many the two say different classes."""

    name: str
    inferences: int
    model_right: int
    network_right: int
    flipped: int


@dataclass(frozen=True)
class Evaluation:
    """Measured on data.

    Attributes:
        inferences: on how many.
        calibrated: how many of them are calibration data as well.
        reference: what ran the model.
        outputs: how far each output is from the model's.
        scores: the ONNX output that tells classes; empty for none, and then the rest is None or empty.
        agreement: the part of inferences for which the two tell the same class.
        top1: the part for which model and network tell the labelled one; None without labels.
        classes: what changed for each class that a label names, in their order.
        notes: what the user should know of the data.
    """

    inferences: int
    calibrated: int
    reference: str
    outputs: tuple[OutputNoise, ...]
    scores: str = ""
    agreement: float | None = None
    top1: tuple[float, float] | None = None
    classes: tuple[ClassChange, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def sqnr(self) -> float:
        """Signal-to-noise ratio of all outputs together in dB; infinite when they are equal."""
        return decibels(sum(o.signal for o in self.outputs), sum(o.noise for o in self.outputs))

    @property
    def as_dict(self) -> dict[str, Any]:
        """The same as JSON has it: null for the ratio of what is equal, infinities as words."""

        def number(value: float, digits: int) -> float | str:
            return round(value, digits) if math.isfinite(value) else str(value)

        return {
            "inferences": self.inferences,
            "in_calibration_data": self.calibrated,
            "reference": self.reference,
            "outputs": [
                {
                    "name": o.name,
                    "sqnr_db": None if o.sqnr == math.inf else number(o.sqnr, 2),
                    "largest_error": number(o.largest, 9),
                }
                for o in self.outputs
            ],
            "scores": self.scores or None,
            "agreement": self.agreement,
            "top1": None if self.top1 is None else {"model": self.top1[0], "network": self.top1[1]},
            "classes": [vars(c) for c in self.classes],
        }


def evaluate(
    imported: Imported,
    data: Calibration,
    model: tuple[Network, str],
    network: Network,
    calibration: Calibration | None,
    say: Callable[[str], None],
) -> Evaluation:
    """Runs both on all of the data.

    Args:
        imported: what outputs are called, and their shapes.
        data: at least one input set; labels where accuracy is wanted.
        model: what it was made of, and what runs that.
        network: what was made of it.
        calibration: what was learnt from; None where nothing was.
        say: told how far it is.

    Raises:
        CalibrationError: labels that no output has classes for.
    """
    scores = scores_of(imported, data.labels)
    apart = [Difference() for _ in imported.outputs]
    told: list[tuple[int, int]] = []
    done = 0
    for samples in _chunks(data.samples):
        say(f"evaluate the network: {done} of {len(data.samples)}")
        own = network(samples)
        say(f"evaluate the model: {done} of {len(data.samples)}")
        for expected, found in zip(model[0](samples), own, strict=True):
            for difference, a, b in zip(apart, expected, found, strict=True):
                difference.add(a, b)
            if scores is not None:
                told.append((scores.of(expected), scores.of(found)))
        done += len(samples)
    noises = tuple(d.of(p.name) for d, p in zip(apart, imported.outputs, strict=True))
    measured = Evaluation(done, _both(data.samples, calibration), model[1], noises, notes=data.notes)
    if scores is None:
        return measured
    pairs = np.array(told)
    same = float(np.mean(pairs[:, 0] == pairs[:, 1]))
    measured = replace(measured, scores=scores.name, agreement=same)
    if data.labels is None:
        return measured
    labels = np.array(data.labels)
    right = pairs == labels[:, np.newaxis]
    top1 = (float(right[:, 0].mean()), float(right[:, 1].mean()))
    classes = [_change(label, labels == label, pairs, right, data.names) for label in sorted(set(data.labels))]
    return replace(measured, top1=top1, classes=tuple(classes))


def _change(label: int, chosen: Array, pairs: Array, right: Array, names: tuple[str, ...]) -> ClassChange:
    """What became of the chosen inferences, those of one class; `pairs` has the classes that the two tell."""
    flipped = int((pairs[chosen, 0] != pairs[chosen, 1]).sum())
    counts = (int(chosen.sum()), int(right[chosen, 0].sum()), int(right[chosen, 1].sum()), flipped)
    return ClassChange(names[label] if label < len(names) else str(label), *counts)


def _chunks(samples: Samples) -> Iterator[Samples]:
    """Parts of at most `CHUNK_BYTES`, or of one input set."""
    each = max(sum(a.nbytes for a in samples[0]), 1)
    count = max(CHUNK_BYTES // each, 1)
    for start in range(0, len(samples), count):
        yield samples[start : start + count]


def _both(samples: Samples, calibration: Calibration | None) -> int:
    """How many of the input sets are among those that were learnt from, bit for bit."""
    if calibration is None:
        return 0
    learnt = set(_digests(calibration.samples))
    return sum(digest in learnt for digest in _digests(samples))


def _digests(samples: Samples) -> Iterator[bytes]:
    for sample in samples:
        digest = hashlib.blake2b(digest_size=16)
        for array in sample:
            digest.update(np.ascontiguousarray(array).tobytes())
        yield digest.digest()
