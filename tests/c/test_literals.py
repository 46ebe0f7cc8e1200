"""Constants reach C with all their bits, and quickly."""

from __future__ import annotations

import sys
from types import FrameType

import numpy as np
import pytest

from tests.c.support import BUILDS, lowered
from tinyc.backends.c import generate
from tinyc.backends.c.literals import literal, rows
from tinyc.backends.runners import HostRunner
from tinyc.ir.module import Builder
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType


def awkward(dtype: DType) -> Array:
    """Random bit patterns and the values that are easily printed wrong."""
    rng = np.random.default_rng(8)
    if dtype is DType.BOOL:
        return rng.integers(0, 2, 50).astype(np.bool_)
    if dtype is not DType.F32:
        limits = np.iinfo(dtype.numpy)
        ends = np.array([limits.min, limits.max, limits.min + 1, 0, 1, limits.max - 1], dtype.numpy)
        return np.concatenate([ends, rng.integers(limits.min, limits.max, 500, dtype.numpy, endpoint=True)])
    bits = rng.integers(0, 2**32, 4000, dtype=np.uint32)
    bits[:1000] &= 0x807FFFFF  # denormals
    bits[1000:1020] = 0x7FC00000 | (bits[1000:1020] & 0x803FFFFF)  # NaN
    named = np.array(
        [0.0, -0.0, 1.0, -1.0, 16777216.0, 123456789.0, 999999999.0, 1e9, 1e10, 0.1, np.inf, -np.inf], np.float32
    )
    limits = np.array([np.finfo(np.float32).max, np.finfo(np.float32).tiny, 1e-45], np.float32)
    return np.concatenate([named, limits, bits.view(np.float32)])


@pytest.mark.parametrize("build", ["gcc", "clang", "gcc-sanitize"])
def test_constants_keep_their_bits(build: str) -> None:
    b = Builder("constants")
    arrays = [awkward(dtype) for dtype in DType]
    program = lowered(b.build([b.constant(array, dtype.value) for array, dtype in zip(arrays, DType, strict=True)]))
    compiler, flags = BUILDS[build]
    for got, want in zip(
        HostRunner(generate(program, name="constants"), cc=compiler, flags=flags).run([[]])[0], arrays, strict=True
    ):
        nan = want != want  # C has no literal for the payload of a NaN
        assert np.array_equal(got != got, nan)
        assert got[~nan].tobytes() == want[~nan].tobytes()


def test_scalar_literals() -> None:
    assert literal(DType.F32, 1) == "1.0f"
    assert literal(DType.F32, 0.1) == "0.1f"
    assert literal(DType.F32, -0.0) == "-0.0f"
    assert literal(DType.F32, 1e20) == "1e+20f"
    assert literal(DType.F32, 1e60) == "INFINITY"
    assert literal(DType.F32, float("-inf")) == "-INFINITY"
    assert literal(DType.F32, float("nan")) == "NAN"
    assert literal(DType.I32, -(2**31)) == "INT32_MIN"
    assert literal(DType.I64, -(2**63)) == "INT64_MIN"
    assert literal(DType.I8, -128) == "-128"
    assert literal(DType.BOOL, True) == "1"


def test_scalar_literals_keep_all_bits() -> None:
    for value in awkward(DType.F32):
        if np.isfinite(value):
            assert np.float32(literal(DType.F32, value).removesuffix("f")).tobytes() == value.tobytes()


def test_millions_of_values_take_seconds() -> None:
    """Formatting value by value takes ten times as long as a call for each line and some for all: calls are counted."""
    array = np.random.default_rng(9).normal(size=200_000).astype(np.float32)
    calls = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        text = rows(array)
    finally:
        sys.setprofile(before)
    assert 0 < calls < array.size / 4
    assert text.count(",") == array.size
