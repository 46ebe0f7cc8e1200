"""The fixed-point arithmetic against exact integers and real numbers."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.quantised import reference
from tinyc.ir import IRError, fixed_point

LOW, HIGH = -(2**31), 2**31 - 1
SUMS = sorted({0, 1, -1, 2, 3, -3, 127, -128, 65025, 2**30, -(2**30), 2**30 + 1, LOW, LOW + 1, HIGH, HIGH - 1})
MULTIPLIERS = [0, 1, 2**30, 2**30 + 1, 1518500250, HIGH - 1, HIGH]
QUICK = settings(deadline=None, max_examples=300)


def test_requantisation_at_the_corners() -> None:
    used = 0
    for x, multiplier, shift in product(SUMS, MULTIPLIERS, range(-31, 31)):
        if LOW <= x * 2 ** max(shift, 0) <= HIGH:
            (got,) = fixed_point.requantise(np.array([x]), multiplier, shift)
            assert got == reference.requantise(x, multiplier, shift), (x, multiplier, shift)
            assert LOW <= got <= HIGH
            used += 1
    assert used > 3000


def test_requantisation_of_ties() -> None:
    """With multiplier 2^30 the high multiply halves: odd sums are its ties, and what it gives are ties of the shift."""
    x = np.arange(-4096, 4096)
    for shift in range(-8, 2):
        expected = [reference.requantise(int(v), 2**30, shift) for v in x]
        np.testing.assert_array_equal(fixed_point.requantise(x, 2**30, shift), expected)
    assert list(fixed_point.high_multiply(np.array([-3, -1, 1, 3]), 2**30)) == [-1, 0, 1, 2]
    assert list(fixed_point.rounding_shift(np.array([-6, -2, 2, 6]), 2)) == [-2, -1, 1, 2]


@QUICK
@given(st.integers(0, 62), st.integers(0, 2**62))
def test_the_reciprocal_of_a_root(bits: int, x: int) -> None:
    x >>= 62 - bits
    (root,), (halves,) = fixed_point.inverse_root(np.array([x]))
    exact = Fraction(max(x, 1))
    assert 2**15 <= root < 2**16
    # As (root / 2^(31 + halves))^2 * x: at most 1 but for what rounding m down leaves out, and one more is too much.
    scale = Fraction(4) ** -(31 + int(halves))
    assert (int(root) * int(root)) * exact * scale <= 1 + Fraction(4, 2**30)
    assert root == 2**16 - 1 or (int(root) + 1) ** 2 * exact * scale > 1


@QUICK
@given(st.integers(LOW, HIGH), st.integers(0, HIGH), st.integers(-31, 30))
def test_requantisation_is_the_exact_product_but_for_two_roundings(x: int, multiplier: int, shift: int) -> None:
    x >>= max(shift, 0)
    (got,) = fixed_point.requantise(np.array([x]), multiplier, shift)
    assert got == reference.requantise(x, multiplier, shift)
    # Half a step of the high multiply, divided by the shift, and half a step of the shift.
    exact = Fraction(x * multiplier) * Fraction(2) ** (shift - 31)
    slack = Fraction(1, 2) * Fraction(2) ** min(shift, 0) + (Fraction(1, 2) if shift < 0 else 0)
    assert abs(Fraction(int(got)) - exact) <= slack


@QUICK
@given(st.lists(st.integers(LOW, HIGH), min_size=2, max_size=2), st.integers(0, HIGH), st.integers(-31, 0))
def test_requantisation_never_falls(sums: list[int], multiplier: int, shift: int) -> None:
    less, more = fixed_point.requantise(np.array(sorted(sums)), multiplier, shift)
    assert less <= more


@QUICK
@given(st.floats(2.0**-31, 2.0**30, exclude_max=True))
def test_a_factor_is_met_to_its_last_bit(factor: float) -> None:
    multiplier, shift = fixed_point.to_multiplier(factor)
    assert 2**30 <= multiplier < 2**31
    assert -31 <= shift <= 30
    step = Fraction(2) ** (shift - 31)
    # Just below 2^30 the largest multiplier stands for what would round up to 2^30.
    assert abs(multiplier * step - Fraction(factor)) <= step / (1 if factor > 2.0**30 - 1 else 2)


@QUICK
@given(st.floats(2.0**-40, 2.0**8), st.floats(2.0**-40, 2.0**8))
def test_whole_factors_are_within_half_a_unit_or_not_there(x: float, y: float) -> None:
    found = fixed_point.whole_factors(x, y)
    if found is None:
        # There is no room for 16 places.
        assert 255 * (x + y) * 2**16 > 2**31 - 2**24 - 2**10 or max(x, y) * 2**16 > 2**22 - 1
        return
    a, b, places = found
    assert 16 <= places <= 23
    assert 0 <= a < 2**22
    assert 0 <= b < 2**22
    error = abs(Fraction(a, 2**places) - Fraction(x)) + abs(Fraction(b, 2**places) - Fraction(y))
    assert 255 * error <= Fraction(1, 2**8)
    # int32 holds the farthest sum, the farthest zero point, and the half.
    assert 255 * (a + b) + 128 * 2**places + 2 ** (places - 1) < 2**31


def test_whole_factors_out_of_range() -> None:
    assert fixed_point.whole_factors(0.0, 0.0) == (0, 0, 23)
    assert fixed_point.whole_factors(0.5, 0.25) == (2**21, 2**20, 22)
    for factor in (-1.0, math.inf, math.nan, 1e300, 64.0):
        assert fixed_point.whole_factors(factor, 0.5) is None
        assert fixed_point.whole_factors(0.5, factor) is None


def test_what_multiplies_by_a_whole_number() -> None:
    assert fixed_point.whole_factor(3 << 11, 0, 20) == 3
    assert fixed_point.whole_factor(0, 0, 20) == 0
    assert fixed_point.whole_factor((3 << 11) + 1, 0, 20) is None
    assert fixed_point.whole_factor(3 << 11, -1, 20) is None
    x = np.arange(-255, 256)
    np.testing.assert_array_equal(fixed_point.requantise(x << 20, 3 << 11, 0), 3 * x)


def test_factors_out_of_range() -> None:
    assert fixed_point.to_multiplier(0.0) == (0, 0)
    assert fixed_point.to_multiplier(2.0**-33) == (0, 0)
    assert fixed_point.to_multiplier(2.0**-32) == (2**30, -31)
    assert fixed_point.to_multiplier(1.0) == (2**30, 1)
    assert fixed_point.to_multiplier(1.0 - 2.0**-40) == (2**30, 1)
    assert fixed_point.to_multiplier(math.nextafter(2.0**30, 0)) == (HIGH, 30)
    for factor in (-1e-9, 2.0**30, math.inf, math.nan):
        with pytest.raises(IRError, match="out of range"):
            fixed_point.to_multiplier(factor)


@pytest.mark.parametrize("seed", range(20))
def test_the_accumulator_bound_is_met_and_never_passed(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape, axis = [((3, 2, 2, 4), 0), ((3, 3, 5), 2), ((4, 9), 0)][seed % 3]
    weights = rng.integers(-128, 128, shape).astype(np.int8)
    biases = rng.integers(-3, 4, shape[axis]).astype(np.int32) * int(rng.choice([1, 9000, 2**29]))
    bound = fixed_point.accumulator_bound(weights, biases, axis)
    for w, b, most in zip(np.moveaxis(weights, axis, 0).astype(int), biases, bound, strict=True):
        extremes = [w * np.where(w > 0, x, -1 - x) for x in (127, -128)]
        partial = [abs(int(p.sum()) + s) for p in extremes for s in (0, int(b))]
        assert max(partial) == most
        order = rng.permutation(w.size)
        for start in (0, int(b)):
            sums = start + np.cumsum((w * rng.integers(-128, 128, w.shape)).reshape(-1)[order])
            assert np.abs(sums).max() <= most


def test_what_fits_int32() -> None:
    assert fixed_point.fits(2**31 - 129, -5)
    assert not fixed_point.fits(2**31 - 128, 0)
    assert fixed_point.fits(np.array([2**30 - 65, 1]), np.array([1, 30]))
    assert not fixed_point.fits(np.array([2**30 - 65, 2]), np.array([1, 30]))


def test_exponentials_and_inverses() -> None:
    x = np.concatenate([-np.arange(0, 31 * 2**26, 99991), -(np.arange(31 * 4) << 24), -(np.arange(31 * 4) << 24) - 1])
    x = x[x > -(31 << 26)]
    got = fixed_point.exp_of_negative(x)
    assert [int(v) for v in got[::37]] == [reference.exponential(int(v)) for v in x[::37]]
    # The Taylor polynomial of degree 4 over 1/8 to each side leaves 3e-7; each of 8 products rounds by 2^-32.
    np.testing.assert_allclose(got / 2**31, np.exp(x / 2**26), rtol=0, atol=4e-7)
    y = np.arange(0, 2**31, 1999993)
    got = fixed_point.one_over_one_plus(y)
    assert [int(v) for v in got[::7]] == [reference.inverse(int(v)) for v in y[::7]]
    # Newton's iteration has converged; Q2.29 leaves 2^-29 of rounding.
    np.testing.assert_allclose(got / 2**31, 1 / (1 + y / 2**31), rtol=0, atol=2.0**-28)


@pytest.mark.parametrize("seed", range(60))
def test_softmax_is_near_the_real_one(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scale = float(np.exp(rng.uniform(-7, 1)))
    x = rng.integers(-128, 128, (3, int(rng.choice([1, 2, 10, 300])))).astype(np.int8)
    got = fixed_point.softmax(x, *fixed_point.softmax_scaling(scale)).astype(int) + 128
    raised = np.exp((x.astype(np.float64) - x.max(axis=-1, keepdims=True)) * scale)
    expected = np.minimum(raised / raised.sum(axis=-1, keepdims=True) * 256, 255)
    # Half a step of the result, and what sums of up to 300 exponentials in Q12.19 leave (300 * 2^-20 * 256).
    np.testing.assert_allclose(got, expected, rtol=0, atol=0.6)


@pytest.mark.parametrize(
    ("scale", "x", "expected"),
    [
        (
            0.05,
            [89, 35, 2, -59, -50, -118, -109, -124, -84, 80, 38, 105, 0, 27, 120, 58],
            [-100, -126, -128, -128, -128, -128, -128, -128, -128, -110, -126, -65, -128, -127, 6, -122],
        ),
        (
            0.011,
            [-7, 3, 65, 115, -120, -92, 82, 114, -65, -49, 94, -20, -59, 83, -63, -24],
            [-118, -117, -105, -89, -125, -124, -101, -89, -123, -122, -97, -119, -122, -100, -122, -119],
        ),
        (0.6, [86, -62, -101, -52, -23, 80, -13, -105, -43, 25], [121, *[-128] * 4, -121, *[-128] * 4]),
    ],
)
def test_softmax_as_esp_nn_computes_it(scale: float, x: list[int], expected: list[int]) -> None:
    """Recorded from ESP-NN 1.2.3; `test_esp_nn.py` compares at random where its sources are at hand."""
    got = fixed_point.softmax(np.array([x], np.int8), *fixed_point.softmax_scaling(scale))
    assert got.tolist() == [expected]


def test_softmax_of_many_equal_entries() -> None:
    """Each of 4095 entries is below half a step: the last shift exceeds 31 places, and what is left is zero."""
    x = np.zeros((1, fixed_point.SOFTMAX_LARGEST), np.int8)
    assert set(fixed_point.softmax(x, *fixed_point.softmax_scaling(0.1)).reshape(-1)) == {-128}


@pytest.mark.parametrize("scale", [1e-9, 2.0**-26, 1.0, 15.99, 16.0, 1e6])
def test_softmax_scaling(scale: float) -> None:
    multiplier, left, least = fixed_point.softmax_scaling(scale)
    assert -least << left <= 31 << 26
    assert (1 - least) << left > 31 << 26
    factor = min(scale * 2.0**26, 2.0**31 - 1)
    assert abs(multiplier * 2.0 ** (left - 31) - factor) <= 2.0 ** (left - 32)
    with pytest.raises(IRError, match="positive and finite"):
        fixed_point.softmax_scaling(-scale)
