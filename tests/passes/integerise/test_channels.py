"""Pixels whose channels are normalised by numbers of their own: bit for bit what the floats would give."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers import count, run
from tests.passes.integerise.support import Net, integerised
from tests.passes.integerise.test_boundary import SCALE, ZERO, image, value_of
from tinyc.ir import DType, Module, verify
from tinyc.ir.fixed_point import requantise
from tinyc.ir.ops import Conv2d, Dense, MaxPool2d, Reshape, Transpose
from tinyc.ir.tensor import Array
from tinyc.passes.core.base import PassError
from tinyc.passes.integerise import pixel_input
from tinyc.passes.integerise.channels import channel_axis, normalising_arrays
from tinyc.passes.integerise.scales import Scale

MEANS, STDS = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
PIXELS = np.random.default_rng(0).integers(0, 256, (1, 6, 6, 3)).astype(np.uint8)


def network(planes: bool, pads: int = 1) -> Module:
    """A convolution on pixels, or on planes that are made such first."""
    n = Net()
    x = image(n, 1, 3, 6, 6) if planes else image(n, 1, 6, 6, 3)
    taken = n.b.add(Transpose(x, (0, 2, 3, 1))) if planes else x
    w = n.weights(4, 3, 3, 3)
    return integerised(n.integers(n.op(Conv2d(taken, w, n.bias(SCALE, w), pads=(pads,) * 4), 0.03)))


def given_as(planes: bool, pixels: Array) -> Array:
    return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)) if planes else pixels


def real(pixels: Array, means: tuple[float, ...] = MEANS, stds: tuple[float, ...] = STDS) -> Array:
    return (pixels.astype(np.float32) - np.array(means, np.float32)) / np.array(stds, np.float32)


@pytest.mark.parametrize("planes", [False, True])
@pytest.mark.parametrize("pads", [0, 1])
def test_a_layer_converts_them(planes: bool, pads: int) -> None:
    before = network(planes, pads)
    after, port = pixel_input(before, MEANS, STDS)
    verify(after)
    assert count(after)["qdepthwise_conv2d"] == 1
    assert (port.dtype, port.note, port.axis) == (DType.U8, "", -3 if planes else -1)
    assert port.channels == tuple((1 / s, m) for m, s in zip(MEANS, STDS, strict=True))
    assert math.isnan(port.scale)
    wanted = run(before, [given_as(planes, real(PIXELS))])[0]
    np.testing.assert_array_equal(run(after, [given_as(planes, PIXELS)])[0], wanted)
    assert len(np.unique(wanted)) > 10


numbers = st.tuples(*[st.floats(-50, 300, width=32)] * 3), st.tuples(*[st.floats(20, 300, width=32)] * 3)


@settings(max_examples=25, deadline=None)
@given(*numbers, st.floats(0.003, 0.08), st.integers(-128, 127))
def test_all_pixels_of_each_channel(means: tuple[float, ...], stds: tuple[float, ...], scale: float, zero: int) -> None:
    """Within half a step of the exact quotient, and what floats become where that is not next to the middle."""
    of, pairs = Scale(float(np.float32(scale)), zero), list(zip(means, stds, strict=True))
    n = Net()
    x = image(n, 1, 6, 6, 3)
    w, b, m, s = normalising_arrays(x, of, pairs)
    every = np.arange(256)
    sums = (every[:, np.newaxis] - 128) * w.reshape(1, 3).astype(np.int64) + b
    given = np.clip(requantise(sums, m, s) + zero, -128, 127)
    exact = (every[:, np.newaxis] - np.array(means)) / (np.array(stds) * of.scale) + zero
    limited = np.clip(exact, -128, 127)
    assert np.abs(given - limited).max() <= 0.5 + 2e-3
    floats = real(np.repeat(every[:, np.newaxis], 3, axis=1).astype(np.uint8), means, stds)
    clear = np.abs(exact - np.floor(exact) - 0.5) > 2e-3
    np.testing.assert_array_equal(given[clear], of.quantized(floats)[clear])


def test_means_alone_go_into_the_bias() -> None:
    """With one deviation and no padding: the real sum, quantised, or one step off, which two roundings may cost."""
    n = Net()
    x, w, b = image(n, 1, 6, 6, 3), n.weights(4, 3, 3, 3), n.numbers(4)
    layer = Conv2d(x, w, b)
    after, _ = pixel_input(integerised(n.integers(n.op(layer, 0.03, 4))), MEANS, (57.0,) * 3)
    assert count(after) == {"cast": 1, "add": 1, "qconv2d": 1}
    sums = layer.evaluate((PIXELS - np.array(MEANS)) / 57.0, value_of(n, w), value_of(n, b))
    wanted = np.clip(np.rint(sums / np.float32(0.03)) + 4, -128, 127)
    distance = np.abs(run(after, [PIXELS])[0] - wanted)
    assert distance.max() <= 1
    assert (distance == 0).mean() >= 0.9
    # Padding is one pixel, which means as many numbers: a layer converts then.
    assert count(pixel_input(network(planes=False, pads=1), MEANS, (57.0,) * 3)[0])["qdepthwise_conv2d"] == 1


@pytest.mark.parametrize("planes", [False, True])
def test_a_dense_layer_takes_each_elements_mean(planes: bool) -> None:
    n = Net()
    x = image(n, 1, 3, 6, 6) if planes else image(n, 1, 6, 6, 3)
    w, b = n.weights(4, 108), n.numbers(4)
    layer = Dense(n.b.add(Reshape(x, (1, 108))), w, b)
    after, _ = pixel_input(integerised(n.integers(n.op(layer, 0.2, 4))), MEANS, 57.0)
    assert count(after)["qdense"] == 1
    assert count(after)["qdepthwise_conv2d"] == 0
    normalised = given_as(planes, (PIXELS - np.array(MEANS)) / 57.0).reshape(1, 108)
    sums = layer.evaluate(normalised, value_of(n, w), value_of(n, b))
    wanted = np.clip(np.rint(sums / np.float32(0.2)) + 4, -128, 127)
    assert np.abs(run(after, [given_as(planes, PIXELS)])[0] - wanted).max() <= 1


def test_what_sees_no_channels_is_refused() -> None:
    n = Net()
    flat = n.b.add(Reshape(image(n, 1, 3, 6, 6), (1, 108)))
    before = integerised(n.integers(n.op(Dense(flat, n.weights(4, 108)), 0.2)))
    with pytest.raises(PassError, match=r"sees no channels; leave the input type at int8"):
        pixel_input(before, MEANS, STDS)
    with pytest.raises(PassError, match="has not 4 channels"):
        pixel_input(before, (1.0, 2.0, 3.0, 4.0), 1.0)


def test_before_a_pool() -> None:
    """No layer with weights takes the pixels."""
    n = Net()
    before = integerised(n.b.build([n.op(MaxPool2d(image(n, 1, 6, 6, 3), (2, 2)), SCALE, ZERO)]))
    after, _ = pixel_input(before, MEANS, STDS)
    np.testing.assert_array_equal(run(after, [PIXELS])[0], run(before, [real(PIXELS)])[0])


def test_ties_that_no_product_rounds() -> None:
    """Half a step a pixel: every second one lies in the middle, and goes to the even neighbour."""
    x = image(Net(), 1, 6, 6, 3)
    w, b, m, s = normalising_arrays(x, Scale(2.0, 0), [(0.0, 1.0)])
    given = requantise((np.arange(256) - 128) * int(w[0, 0, 0]) + b, m, s)
    assert np.abs(given - np.arange(256) / 2).max() == 0.5


def test_deviations_that_no_multiplier_has() -> None:
    with pytest.raises(PassError, match="a product does not round as"):
        normalising_arrays(image(Net(), 1, 6, 6, 3), Scale(1.0, 0), [(0.3, 1.0), (0.3, 1e-12)])


def test_equal_channels_are_one() -> None:
    before = network(planes=False)
    one, port = pixel_input(before, (20.0,) * 3, (57.0,) * 3)
    same, again = pixel_input(before, 20.0, 57.0)
    assert (str(one), port) == (str(same), again)


@pytest.mark.parametrize(
    ("shape", "channels", "axis"),
    [((1, 3, 8, 6), 3, -3), ((1, 8, 6, 3), 3, -1), ((1, 3, 8, 3), 3, -3), ((1, 9), 3, None), ((4, 3), 3, -1)],
)
def test_where_channels_are(shape: tuple[int, ...], channels: int, axis: int | None) -> None:
    assert channel_axis(shape, channels) == axis
