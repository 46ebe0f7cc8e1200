"""The activations that gates of recurrent layers have, and what they mean on real numbers."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping

import numpy as np

from tinyc.ir.tensor import Array


class Gate(enum.Enum):
    """An activation of a gate, a function of z with two parameters a and b."""

    SIGMOID = "sigmoid"
    TANH = "tanh"
    RELU = "relu"
    SOFTSIGN = "softsign"
    AFFINE = "affine"
    LEAKY_RELU = "leaky_relu"
    HARD_SIGMOID = "hard_sigmoid"
    SCALED_TANH = "scaled_tanh"


MEANINGS: Mapping[Gate, Callable[[Array, float, float], Array]] = {
    Gate.SIGMOID: lambda z, a, b: 1 / (1 + np.exp(-z)),
    Gate.TANH: lambda z, a, b: np.tanh(z),
    Gate.RELU: lambda z, a, b: np.maximum(z, 0),
    Gate.SOFTSIGN: lambda z, a, b: z / (1 + np.abs(z)),
    Gate.AFFINE: lambda z, a, b: a * z + b,
    Gate.LEAKY_RELU: lambda z, a, b: np.where(z < 0, a * z, z),
    Gate.HARD_SIGMOID: lambda z, a, b: np.clip(a * z + b, 0, 1),
    Gate.SCALED_TANH: lambda z, a, b: a * np.tanh(b * z),
}

DEFAULTS: Mapping[Gate, tuple[float, float]] = {
    Gate.AFFINE: (1.0, 0.0),
    Gate.LEAKY_RELU: (0.01, 0.0),
    Gate.HARD_SIGMOID: (0.2, 0.5),
    Gate.SCALED_TANH: (1.0, 1.0),
}
"""a and b of functions that have parameters, where nobody says them."""
