"""How far two arrays are apart, and how far floats may be."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from tinyc.ir.errors import TinycError
from tinyc.ir.tensor import Array

RELATIVE = 1e-4
"""Largest difference allowed between float results, relative to the largest magnitude of the tensor. onnxruntime, the
interpreter and the C add the same products in different orders; each of the few dozen layers of a network may lose a
few units in the last place (6e-8) for every factor of ten in the length of its sums."""

ABSOLUTE = 1e-6
"""The same for tensors that are zero but for rounding."""


class VerificationError(TinycError):
    """Results differ by more than rounding explains."""


@dataclass(frozen=True)
class Gap:
    """The largest difference between two arrays: absolute, relative to the largest reference value, and where. `scale`
    is that largest value."""

    absolute: float
    relative: float
    index: tuple[int, ...]
    value: float
    reference: float
    scale: float = 0.0

    def acceptable(self, relative: float = RELATIVE) -> bool:
        """Whether rounding explains it."""
        return self.absolute <= ABSOLUTE or self.relative <= relative

    def at(self, index: tuple[int, ...], value: float, reference: float) -> Gap:
        """The same arrays, told by another element."""
        return dataclasses.replace(self, index=index, value=value, reference=reference, absolute=abs(value - reference))


def gap(array: Array, reference: Array, where: str) -> Gap:
    """Compares two arrays of one shape; NaN equals NaN, and integers differ by more than rounding when they differ.

    Raises:
        VerificationError: they have not one shape; the message begins with `where`.
    """
    if array.shape != reference.shape:
        raise VerificationError(f"{where}: has the shape {list(array.shape)}, not {list(reference.shape)}")
    if not array.size:
        return Gap(0.0, 0.0, (), 0.0, 0.0)
    a, r = array.astype(np.float64), reference.astype(np.float64)
    with np.errstate(invalid="ignore"):
        apart = np.where((a == r) | (np.isnan(a) & np.isnan(r)), 0.0, np.abs(a - r))
    apart = np.where(np.isnan(apart), np.inf, apart)
    index = tuple(int(i) for i in np.unravel_index(int(np.argmax(apart)), apart.shape))
    worst = float(apart[index])
    scale = float(np.abs(r[np.isfinite(r)]).max(initial=0.0))
    exact = reference.dtype.kind not in "f"
    relative = (np.inf if exact or not scale else worst / scale) if worst else 0.0
    absolute = max(worst, 1.0) if exact and worst else worst
    return Gap(absolute, float(relative), index, float(a[index]), float(r[index]), scale)


def describe(found: Gap) -> str:
    """A difference in words."""
    return (
        f"element {list(found.index)} is {found.value:.9g} where {found.reference:.9g} was expected "
        f"(difference {found.absolute:.3g}, {found.relative:.3g} of the largest value)"
    )
