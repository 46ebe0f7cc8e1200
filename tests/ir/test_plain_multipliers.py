"""Multipliers of shift 0: as near as they are said to be, and refused where they are not."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tinyc.backends.c.quantised import factor_form, form
from tinyc.ir import fixed_point
from tinyc.ir.fixed_point import plain_multipliers

LARGEST = 2**24
UNIT = Fraction(1, 2**31)
FACTORS = st.floats(0.0, 0.9999, allow_subnormal=True)


@settings(deadline=None, max_examples=500)
@given(FACTORS, st.integers(-LARGEST, LARGEST))
@example(0.0, LARGEST)
@example(2.0**-32, -LARGEST)
@example(2.0**-33, LARGEST)
@example((2**29 - 1) * 2.0**-31, LARGEST)
@example((2**31 - 1) * 2.0**-31, -LARGEST)
@example(0.1, -LARGEST)
def test_the_error_is_a_256th_of_a_step_and_one_rounding(factor: float, total: int) -> None:
    found = plain_multipliers(np.array([factor]), np.array([abs(total)]))
    assert found is not None
    multiplier = int(found[0])
    assert abs(multiplier * UNIT - Fraction(factor)) <= UNIT / 2
    real = Fraction(factor) * total
    assert abs(multiplier * UNIT * total - real) <= Fraction(1, 256)
    (got,) = fixed_point.requantise(np.array([total]), multiplier, 0)
    # Rounded once, to the nearest, ties up: in Python's integers.
    assert got == (total * multiplier + 2**30) // 2**31
    assert abs(int(got) - real) <= Fraction(1, 2) + Fraction(1, 256)


@settings(deadline=None, max_examples=200)
@given(st.integers(0, 2**29 - 1), st.integers(fixed_point.INT32[0] + 128, fixed_point.INT32[1] - 128))
@example(2**29 - 1, fixed_point.INT32[1] - 128)
@example(2**29 - 1, -(fixed_point.INT32[1] - 128))
@example(2**28, -3)
def test_four_times_one_fits_and_its_high_word_rounds_the_same(multiplier: int, total: int) -> None:
    """What `narrow_i8.h` says of form 2."""
    assert multiplier * 4 <= fixed_point.INT32[1]
    high = total * (multiplier * 4) >> 32
    assert abs(high) <= 2**30
    (want,) = fixed_point.requantise(np.array([total]), multiplier, 0)
    assert (high + 1) >> 1 == want


@settings(deadline=None, max_examples=200)
@given(st.integers(0, 2**31 - 1), st.integers(-(2**29) + 1, 2**29 - 1))
@example(2**31 - 1, 2**29 - 1)
@example(2**31 - 1, 1 - 2**29)
@example(2**30, -3)
def test_four_times_the_sum_fits_and_its_high_word_rounds_the_same(multiplier: int, total: int) -> None:
    """What `narrow_i8.h` says of form 3."""
    assert abs(total * 4) <= fixed_point.INT32[1]
    high = total * 4 * multiplier >> 32
    assert abs(high) <= 2**30
    (want,) = fixed_point.requantise(np.array([total]), multiplier, 0)
    assert (high + 1) >> 1 == want


@pytest.mark.parametrize(
    ("factors", "bounds"),
    [
        ([0.1], [LARGEST + 1]),
        ([0.1, 0.1], [1, LARGEST + 1]),
        ([1.0], [1]),
        ([0.1, 1.0], [1, 1]),
        ([2.0], [1]),
        ([1e300], [1]),
        ([-0.1], [1]),
        ([np.nan], [1]),
        ([np.inf], [1]),
    ],
)
def test_beyond_that_there_are_none(factors: list[float], bounds: list[int]) -> None:
    assert plain_multipliers(np.array(factors), np.array(bounds)) is None


def test_the_ends() -> None:
    below = np.nextafter((2**31 - 0.5) * 2.0**-31, 0)
    for factors, bound in (([below], LARGEST), ([0.0], LARGEST), ([], 0)):
        found = plain_multipliers(np.array(factors), np.full(len(factors), bound))
        assert found is not None
        assert len(found) == len(factors)
        assert np.all(found < 2**31)
    assert plain_multipliers(np.array([(2**31 - 0.5) * 2.0**-31]), np.array([1])) is None


def test_the_form_of_a_factor() -> None:
    assert factor_form(2**31 - 1, 2**29 - 1, 0) == ((2**29 - 1) * 4, 2)
    assert factor_form(2**29 - 1, 2**29, 0) == (2**29, 3)
    assert factor_form(2**29, 2**29, 0) == (2**29, 0)
    assert factor_form(100, 2**29 - 1, -1) == (2**29 - 1, 1)
    assert factor_form(2**29, 2**30, -1) == (2**30, 0)
    assert [form(2**29 - 1, shift) for shift in (-22, -21, -1, 0)] == [0, 1, 1, 0]
