"""What samples have not shown: the extremes to expect of many more inputs than there were samples.

The largest number of a tensor differs from one input to the next. Taken as normally distributed over inputs, with the
mean and the deviation that samples show, the largest of `MANY` inputs lies `REACH` deviations above the mean. Few
samples say little about the deviation, and one says nothing: a deviation of `USUAL` of the mean counts as `WORTH` more.
"""

from __future__ import annotations

import numpy as np

from tinyc.ir.tensor import Array

MANY = 1000
"""Inputs whose extremes int8 shall hold."""
REACH = 3.24
"""Expected largest of so many normally distributed numbers, in deviations above their mean."""
USUAL = 0.3
"""Deviation of a tensor's largest number over inputs, as a part of its mean: over the layers of MNIST and ImageNet
networks it was 0.1 to 0.5."""
WORTH = 4


def expected_largest(largest: Array) -> Array:
    """The largest magnitude to expect, at least what was seen.

    Args:
        largest: magnitudes, at least 0, one a sample along the first axis; others are taken by themselves.
    """
    mean = largest.mean(axis=0, dtype=np.float64)
    spread = ((largest - mean) ** 2).sum(axis=0) + WORTH * (USUAL * mean) ** 2
    deviation = np.sqrt(spread / (len(largest) - 1 + WORTH))
    return np.asarray(np.maximum(largest.max(axis=0), mean + REACH * deviation))
