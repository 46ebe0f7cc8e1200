"""Observers: ranges, and the scales and zero points that follow."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tinyc.ir.tensor import Array
from tinyc.passes.quantise.observers import (
    BINS,
    OBSERVERS,
    Entropy,
    Histogram,
    MeanSquare,
    MinMax,
    MovingAverage,
    Observer,
    Percentile,
)
from tinyc.passes.quantise.ranges import Parameters, parameters, weight_scales

RNG = np.random.default_rng(3)
SAMPLES = {
    "normal": RNG.standard_normal((10, 500)),
    "relu": np.maximum(RNG.standard_normal((10, 500)), 0),
    "negative": -np.abs(RNG.standard_normal((10, 500))) - 1,
    "far from zero": RNG.standard_normal((10, 500)) + 100,
    "heavy tail": RNG.standard_t(2, (10, 500)),
    "tiny": RNG.standard_normal((10, 500)) * 1e-12,
    "huge": RNG.standard_normal((10, 500)) * 1e30,
    "constant": np.full((10, 500), 0.7),
    "zeros": np.zeros((10, 500)),
    "one number": np.full((1, 1), -3.0),
}


def observed(observer: Observer, samples: Array) -> tuple[float, float]:
    for sample in samples.astype(np.float32):
        observer.see(sample)
    return observer.range()


def squared_error(numbers: Array, chosen: Parameters) -> float:
    back = (chosen.quantise(numbers).astype(np.float64) - chosen.zero) * chosen.scale
    return float(((numbers - back) ** 2).sum())


@pytest.mark.parametrize("name", OBSERVERS)
@pytest.mark.parametrize("data", SAMPLES)
def test_ranges_contain_zero_and_lie_within_what_was_seen(name: str, data: str) -> None:
    samples = SAMPLES[data].astype(np.float32)
    low, high = observed(OBSERVERS[name](), samples)
    assert min(float(samples.min()), 0.0) <= low <= 0.0 <= high <= max(float(samples.max()), 0.0)
    chosen = parameters(low, high)
    assert -128 <= chosen.zero <= 127
    assert chosen.scale == float(np.float32(chosen.scale)) > 0
    assert chosen.quantise(np.zeros(1))[0] == chosen.zero  # zero is represented exactly
    # Moving the zero point to an integer shifts the range by at most half a step.
    assert chosen.low <= low + 0.51 * chosen.scale
    assert chosen.high >= high - 0.51 * chosen.scale


@pytest.mark.parametrize("data", ["constant", "one number"])
@pytest.mark.parametrize("name", OBSERVERS)
def test_a_constant_is_represented(name: str, data: str) -> None:
    chosen = parameters(*observed(OBSERVERS[name](), SAMPLES[data]))
    number = float(np.float32(SAMPLES[data].flat[0]))
    back = (int(chosen.quantise(np.array([number]))[0]) - chosen.zero) * chosen.scale
    assert back == pytest.approx(number, rel=1 / 255)  # one step of the range 0..number


def test_zeros_have_a_plain_scale() -> None:
    assert parameters(0.0, 0.0) == Parameters(1.0, 0)


@pytest.mark.parametrize("make", [Percentile, MeanSquare, Entropy])
@pytest.mark.parametrize("data", SAMPLES)
def test_histograms_do_not_depend_on_order(make: Callable[[], Observer], data: str) -> None:
    samples = SAMPLES[data]
    scaled = samples * np.geomspace(1e-3, 1e3, len(samples))[:, None]
    assert observed(make(), scaled) == observed(make(), scaled[::-1])


def test_histograms_are_bounded_and_lose_no_number() -> None:
    histogram = Histogram()
    seen = 0
    for k in range(-35, 38):
        for sign in (1, -1):
            histogram.see(np.array([sign * 10.0**k, 0.0], np.float32))
            seen += 1
            assert len(histogram.counts) <= BINS
            assert histogram.counts.sum() == seen == histogram.zeros
    assert histogram.edges()[0] <= histogram.low
    assert histogram.edges()[-1] > histogram.high


def test_min_max_is_exact() -> None:
    assert observed(MinMax(), np.array([[0.5, 2.0], [-3.0, 1.0]])) == (-3.0, 2.0)


def test_moving_average_is_a_mean_at_first() -> None:
    low, high = observed(MovingAverage(), np.array([[-1.0, 1.0], [-3.0, 2.0], [-2.0, 6.0]]))
    assert (low, high) == (pytest.approx(-2.0), pytest.approx(3.0))


def test_percentiles_are_nested_and_cut_what_they_say() -> None:
    samples = SAMPLES["heavy tail"]
    wide = (-np.inf, np.inf)
    for kept in (100.0, 99.9, 99.0, 90.0):
        low, high = observed(Percentile(kept), samples)
        assert wide[0] <= low < high <= wide[1]
        wide = (low, high)
        outside = np.mean((samples < low) | (samples > high)) * 100
        assert outside == pytest.approx(100 - kept, abs=0.1)  # a bin or two of 5,000 numbers


@pytest.mark.parametrize("data", ["normal", "relu", "heavy tail", "far from zero"])
def test_mean_square_is_no_worse_than_other_ranges(data: str) -> None:
    samples = SAMPLES[data].astype(np.float32)
    best = squared_error(samples, parameters(*observed(MeanSquare(), samples)))
    for name, make in OBSERVERS.items():
        other = squared_error(samples, parameters(*observed(make(), samples)))
        # The histogram knows numbers to a sixteenth of a step, the search limits to a 64th.
        assert best <= other * 1.02, name


@pytest.mark.parametrize("make", [MeanSquare, Entropy])
def test_an_outlier_is_clipped(make: Callable[[], Observer]) -> None:
    samples = np.append(np.abs(RNG.standard_normal(200_000)), 40.0).reshape(1, -1)
    low, high = observed(make(), samples)
    assert low == 0.0
    # Squared error balances 200,000 numbers rounded in steps of high / 255 with one number off by 40 - high: at 32.
    assert 3.0 < high < 33.0


def test_an_even_spread_is_not_clipped() -> None:
    samples = np.linspace(0.0, 5.0, 100_000).reshape(1, -1)
    for make in (MeanSquare, Entropy):
        assert observed(make(), samples)[1] > 4.9


def test_weights_that_are_tiny_against_the_bias_keep_the_bias_in_int32() -> None:
    weights, bias = np.array([[1.0], [1e-12], [0.0]]), np.array([0.5, 0.5, 0.0])
    scales = weight_scales(weights, 0, bias, 0.01, reach=1e-9)
    assert (np.abs(bias) / (0.01 * scales) <= 2**30 * (1 + 1e-6)).all()  # scales are rounded to float32
    assert scales[0] == np.float32(1 / 127)
    assert scales[2] == scales[0]
