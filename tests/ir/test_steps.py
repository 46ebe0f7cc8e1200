"""Sums of float32 step by step, against exact fractions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from tinyc.ir.steps import Sums, limited, may_be_small, multiply_add, sums_in_order
from tinyc.ir.tensor import Array

LEAST = 2.0**-149
"""The least float32 above zero."""


def nearest(exact: Fraction) -> np.float32:
    """The float32 nearest to a number, of two the even one."""
    near = np.float32(float(exact))
    around = [np.nextafter(near, np.float32(-np.inf)), near, np.nextafter(near, np.float32(np.inf))]
    return min(
        (v for v in around if np.isfinite(v)),
        key=lambda v: (abs(Fraction(float(v)) - exact), int(np.float32(v).view(np.uint32)) & 1),
    )


def floats(rng: np.random.Generator, count: int, exponents: range, short: bool) -> Array:
    """Random numbers of these exponents; with few bits, sums of them are often half way between two."""
    mantissa = rng.integers(0, 8 if short else 1 << 23, count)
    mantissa = (mantissa << 20 if short else mantissa).astype(np.uint32)
    exponent = rng.integers(exponents.start, exponents.stop, count).astype(np.uint32) << 23
    sign = rng.integers(0, 2, count).astype(np.uint32) << 31
    return (mantissa | exponent | sign).view(np.float32)


@pytest.mark.parametrize(
    ("x", "w", "total"),
    [
        pytest.param(range(115, 135), range(115, 135), range(100, 150), id="ordinary"),
        pytest.param(range(40, 75), range(40, 75), range(30), id="small"),
        pytest.param(range(3), range(120, 130), range(4), id="subnormal"),
    ],
)
@pytest.mark.parametrize("short", [False, True])
def test_a_fused_step_is_rounded_once(x: range, w: range, total: range, short: bool) -> None:
    rng = np.random.default_rng(1)
    a, b, c = (floats(rng, 2000, e, short) for e in (x, w, total))
    got = multiply_add(a, b, c)
    for p, q, r, s in zip(a, b, c, got, strict=True):
        exact = Fraction(float(p)) * Fraction(float(q)) + Fraction(float(r))
        assert s == nearest(exact), (p, q, r)


def test_half_way_but_for_what_float64_rounds_away() -> None:
    """Products a little more or less than half the last bit of the sum: by so little that float64 does not see it."""
    up, down = np.float32(1 + 2.0**-23), np.float32(1 - 2.0**-23)
    half = np.float32(2.0**-24)
    x = np.array([half * up, half * up, half * down, half * down, -half * up, -half * down], np.float32)
    w = np.array([down, up, up, down, down, up], np.float32)
    totals = [np.float32(1), np.float32(1 + 2.0**-23), np.float32(1 + 2.0**-22), np.float32(-1)]
    doubled = 0
    for total in totals:
        got = multiply_add(x, w, np.full(x.shape, total))
        for p, q, s in zip(x, w, got, strict=True):
            exact = Fraction(float(p)) * Fraction(float(q)) + Fraction(float(total))
            assert s == nearest(exact), (p, q, total)
            doubled += s != np.float32(float(p) * float(q) + float(total))
    assert doubled > 2  # else rounding twice would do


def test_what_is_not_finite() -> None:
    inf, nan = np.float32(np.inf), np.float32(np.nan)
    x = np.array([inf, inf, 0, nan, 3e38, 3e38, -0.0, -0.0], np.float32)
    w = np.array([1, 1, inf, 1, 2, -2, 1, 1], np.float32)
    total = np.array([1, -inf, 1, 1, 1, 1, -0.0, 0.0], np.float32)
    with np.errstate(all="ignore"):
        got = multiply_add(x, w, total)
    np.testing.assert_array_equal(got, np.array([inf, nan, nan, nan, inf, -inf, -0.0, 0.0], np.float32))
    np.testing.assert_array_equal(np.signbit(got[6:]), [True, False])


@pytest.mark.parametrize("fused", [False, True])
def test_sums_in_order_are_steps_one_after_another(fused: bool) -> None:
    rng = np.random.default_rng(2)
    x, w = (rng.normal(size=s).astype(np.float32) for s in ((5, 40), (3, 40)))
    bias = rng.normal(size=3).astype(np.float32)
    want = np.broadcast_to(bias, (5, 3)).copy()
    for k in range(40):
        elements, weights = x[:, k, np.newaxis], np.broadcast_to(w[:, k], (5, 3))
        want = multiply_add(elements, weights, want) if fused else want + elements * weights
    np.testing.assert_array_equal(sums_in_order(x, w, bias, fused), want)


def test_small_products_are_noticed() -> None:
    assert may_be_small(np.float32([0, 1e-20]), np.float32([1e-19, 3]))
    assert not may_be_small(np.float32([0, 1e-10]), np.float32([1e-19, 0]))
    assert not may_be_small(np.zeros(3, np.float32), np.zeros(3, np.float32))
    sums = Sums(np.float32([LEAST]), fused=True, small=True)
    sums.add(np.float64([2.0**-75 * (1 + 2.0**-20)]), np.float64([2.0**-75]))
    assert sums.total[0] == 2 * LEAST  # a little more than half of the least


def test_limits_keep_nan_and_have_the_sign_of_the_limit() -> None:
    got = limited(np.float32([np.nan, -0.0, -1, 7, np.inf]), 0.0, 6.0)
    np.testing.assert_array_equal(got, np.float32([np.nan, 0, 0, 6, 6]))
    assert not np.signbit(got[1])
    assert np.signbit(limited(np.float32([-0.0]), -np.inf, np.inf)[0])
