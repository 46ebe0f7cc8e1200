"""Constant data: an immutable array with value equality, so that operators holding constants stay hashable."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinyc.ir.types import DType, TensorType

Array = NDArray[Any]


class Tensor:
    """An immutable array. Two tensors are equal when type and bytes are: NaN equals NaN, -0.0 differs from 0.0."""

    def __init__(self, data: ArrayLike) -> None:
        array = np.array(data, order="C", copy=True)
        self.type = TensorType(tuple(int(d) for d in array.shape), DType.of(array.dtype))
        array.setflags(write=False)
        self.array: Array = array

    @cached_property
    def digest(self) -> bytes:
        """A hash of type and bytes."""
        return hashlib.blake2b(str(self.type).encode() + self.array.tobytes(), digest_size=16).digest()

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return isinstance(other, Tensor) and self.type == other.type and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        return f"Tensor({self.type})"


def npz_bytes(arrays: Mapping[str, Array]) -> bytes:
    """The content of a .npz file; unlike `numpy.savez` it takes arrays of any name."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asarray(array), allow_pickle=False)
    return content.getvalue()
