"""Ranges with room for what few samples have not shown."""

from __future__ import annotations

import dataclasses

from tinyc.passes.quantise.calibrate import Range
from tinyc.passes.quantise.statistics import Statistics
from tinyc.passes.quantise.unseen import WORTH


def widened(found: Range, samples: int, known: Statistics | None) -> Range:
    """A range that holds the extremes to expect of many inputs.

    Args:
        found: a tensor's range as an observer chose it.
        samples: of how many.
        known: what a batch norm tells of the tensor; its say is that of `WORTH` samples.
    """
    low, high = found.low * found.beyond_low, found.high * found.beyond_high
    if known is not None:
        say = WORTH / (samples - 1 + WORTH)
        least, most = known.reach()
        low += say * min(float(least.min()) - low, 0.0)
        high += say * max(float(most.max()) - high, 0.0)
    return dataclasses.replace(found, low=low, high=high)
