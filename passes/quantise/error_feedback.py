"""Rounding of a layer's weights so that its results change least, not each weight by itself.

Frantar et al., "GPTQ: Accurate Post-Training Quantization for Generative Pre-trained Transformers" (ICLR 2023): weights
are rounded one input after another, and the error of each is made good by those not rounded yet, as the second moments
of the layer's inputs say. Inputs come in the order of their energy, largest first.
"""

from __future__ import annotations

import numpy as np

from tinyc.ir.tensor import Array

DAMPING = 0.01
"""Of the mean energy of an input, added to each: moments of few samples are not those of all."""
_BLOCK = 64
"""Inputs after which errors are carried to all that follow."""


def nearest(weights: Array, scales: Array, levels: tuple[int, int]) -> Array:
    """The integers nearest to weights [outputs, inputs] in steps of one scale an output, in float64."""
    return np.clip(np.rint(weights / scales[:, None]), *levels)


def rounded(weights: Array, scales: Array, moments: Array, levels: tuple[int, int]) -> Array:
    """Integers for the weights of a layer, with which its squared error is least, as far as error feedback finds them:
    that of no output is larger than with the nearest ones.

    Args:
        weights: [outputs, inputs].
        scales: one an output.
        moments: [inputs, inputs], the mean products of two inputs.
        levels: the smallest and the largest integer.

    Returns:
        [outputs, inputs], int8.
    """
    given = weights.astype(np.float64)
    steps = scales.astype(np.float64)
    simple = nearest(given, steps, levels)
    found = _fed_back(given, steps, moments.astype(np.float64), levels)
    better = squared_errors(given - found * steps[:, None], moments) < squared_errors(
        given - simple * steps[:, None], moments
    )
    return np.where(better[:, None], found, simple).astype(np.int8)


def squared_errors(off: Array, moments: Array) -> Array:
    """The mean squared error of each output whose weights [outputs, inputs] are off by so much."""
    return np.asarray(np.einsum("oi,oi->o", off @ moments, off))


def _fed_back(weights: Array, scales: Array, moments: Array, levels: tuple[int, int]) -> Array:
    energy = np.diagonal(moments)
    order = np.argsort(-energy, kind="stable")
    damping = DAMPING * float(energy.mean()) if energy.size else 0.0
    damped = moments[np.ix_(order, order)] + (damping or 1.0) * np.eye(len(order))
    # Row k of the factor says how the error of input k is spread over those after it, with those before rounded.
    spread = np.linalg.cholesky(np.linalg.inv(damped)).T
    left = weights[:, order].copy()
    found = np.zeros_like(left)
    for begin in range(0, len(order), _BLOCK):
        end = min(begin + _BLOCK, len(order))
        errors = np.zeros((len(left), end - begin))
        for k in range(begin, end):
            found[:, k] = np.clip(np.rint(left[:, k] / scales), *levels)
            error = (left[:, k] - found[:, k] * scales) / spread[k, k]
            left[:, k:end] -= error[:, None] * spread[k, k:end]
            errors[:, k - begin] = error
        left[:, end:] -= errors @ spread[begin:end, end:]
    result = np.empty_like(found)
    result[:, order] = found
    return result
