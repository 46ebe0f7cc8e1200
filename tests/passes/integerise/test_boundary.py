from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tests.helpers import count, run
from tests.passes.integerise.support import Net, integerised
from tinyc.ir import DType, Module, TensorType, Value, verify
from tinyc.ir.ops import Add, Clamp, Conv2d, Dense, Dequantize, MaxPool2d, Neg, QConv2d, Reshape, Transpose
from tinyc.ir.tensor import Array
from tinyc.passes.core.base import PassError
from tinyc.passes.integerise import ScaledPort, int8_inputs, int8_outputs, pixel_input

SCALE, ZERO = 0.02, -10
"""Of the input."""


def image(n: Net, *shape: int) -> Value:
    """A float input, quantized at once."""
    return n.qdq(n.b.input("image", TensorType(shape, DType.F32)), SCALE, ZERO)


def network(n: Net, pads: tuple[int, ...] = (0, 0, 0, 0)) -> Module:
    """A transpose, a convolution and a dense layer with a float output."""
    x = image(n, 1, 3, 6, 6)
    w = n.weights(4, 3, 3, 3)
    y = n.op(Conv2d(n.b.add(Transpose(x, (0, 2, 3, 1))), w, n.bias(SCALE, w), pads=pads), 0.03)
    y = n.b.add(Reshape(y, (1, y.type.size)))
    return integerised(n.b.build([n.op(Dense(y, n.weights(5, y.shape[1])), 0.2, 17)]))


def test_int8_input() -> None:
    before = network(Net())
    after, ports = int8_inputs(before)
    verify(after)
    assert ports == (ScaledPort("image", DType.I8, float(np.float32(SCALE)), ZERO),)
    assert after.inputs == (Value("image", TensorType((1, 3, 6, 6), DType.I8)),)
    assert after.outputs == before.outputs
    integers = np.random.default_rng(0).integers(-128, 128, (1, 3, 6, 6)).astype(np.int8)
    floats = (integers.astype(np.float32) - ZERO) * np.float32(SCALE)
    np.testing.assert_array_equal(run(after, [integers])[0], run(before, [floats])[0])


def test_int8_output() -> None:
    before = network(Net())
    after, ports = int8_outputs(before)
    verify(after)
    (port,) = ports
    assert (port.name, port.dtype, port.zero) == (before.outputs[0].name, DType.I8, 17)
    assert after.outputs == (Value(port.name, TensorType((1, 5), DType.I8)),)
    assert count(after)["dequantize"] == 0
    x = np.random.default_rng(0).uniform(-2, 2, (1, 3, 6, 6)).astype(np.float32)
    real = (run(after, [x])[0].astype(np.float32) - 17) * np.float32(port.scale)
    np.testing.assert_array_equal(real, run(before, [x])[0])


def test_an_output_that_is_used_in_float_as_well() -> None:
    n = Net()
    y = n.op(Dense(n.input(1, 7), n.weights(5, 7)), 0.05)
    z = n.b.add(Add(y, n.numbers(1, 5)))
    module = integerised(n.b.build([y]))
    both = integerised(n.b.build([y, n.q(z, 0.1), n.b.add(Neg(z))]))
    with pytest.raises(PassError, match=r"computed in float by neg"):
        int8_outputs(both)
    assert int8_outputs(module)[0].outputs[0].dtype is DType.I8


def test_several_outputs() -> None:
    n = Net()
    x = n.input(1, 7)
    before = integerised(n.b.build([n.op(Dense(x, n.weights(5, 7)), s) for s in (0.05, 0.1)]))
    after, ports = int8_outputs(before)
    verify(after)
    assert [p.scale for p in ports] == [float(np.float32(s)) for s in (0.05, 0.1)]
    assert count(after) == {"qdense": 2}


def in_float(n: Net) -> Module:
    x = n.b.input("x", TensorType((1, 7), DType.F32))
    return n.b.build([n.b.add(Dense(x, n.numbers(5, 7)))])


def in_two_scales(n: Net) -> Module:
    x = n.b.input("x", TensorType((1, 7), DType.F32))
    return integerised(n.integers(*(n.op(Dense(n.qdq(x, s), n.weights(5, 7)), 0.05) for s in (0.1, 0.2))))


def in_both(n: Net) -> Module:
    x = n.b.input("x", TensorType((1, 7), DType.F32))
    y = n.op(Dense(n.qdq(x, 0.1), n.weights(5, 7)), 0.05)
    return integerised(n.b.build([y, n.b.add(Dense(x, n.numbers(5, 7)))]))


def unused(n: Net) -> Module:
    n.b.input("y", TensorType((1, 7), DType.F32))
    return integerised(n.b.build([n.op(Dense(image(n, 1, 7), n.weights(5, 7)), 0.05)]))


def already_integers(n: Net) -> Module:
    return integerised(n.integers(n.op(Dense(n.input(1, 7), n.weights(5, 7)), 0.05)))


def an_output_as_well(n: Net) -> Module:
    x = n.b.input("x", TensorType((1, 7), DType.F32))
    return n.b.build([n.q(x, 0.1), x])


INPUTS: list[tuple[Callable[[Net], Module], str]] = [
    (in_float, r"dense .* takes it in float"),
    (in_two_scales, "2 different scales"),
    (in_both, "takes it in float"),
    (unused, "nothing uses it"),
    (already_integers, "no float input"),
    (an_output_as_well, "is an output as well"),
]


@pytest.mark.parametrize(("make", "message"), INPUTS)
def test_inputs_that_cannot_be_integers(make: Callable[[Net], Module], message: str) -> None:
    with pytest.raises(PassError, match=message):
        int8_inputs(make(Net()))
    if make is not unused:
        with pytest.raises(PassError, match=message):
            pixel_input(make(Net()), 0.0, 255.0)


def test_outputs_that_cannot_be_integers() -> None:
    with pytest.raises(PassError, match=r"computed in float by dense"):
        int8_outputs(in_float(Net()))
    with pytest.raises(PassError, match="no float output"):
        int8_outputs(already_integers(Net()))


def test_outputs_that_show_the_same_integers_are_given_once_each() -> None:
    n = Net()
    y = n.op(Dense(n.input(1, 7), n.weights(5, 7)), 0.05, 3)
    integers = n.b.node(y).op.x  # type: ignore[union-attr, attr-defined]
    again = n.b.add(Dequantize(integers, (0.05,), (3,)))
    before = integerised(n.b.build([y, again, y]))
    after, ports = int8_outputs(before)
    verify(after)
    assert [p.name for p in ports] == [y.name, again.name]
    assert [v.name for v in after.outputs] == [y.name, again.name, y.name]
    x = np.random.default_rng(0).integers(-128, 128, (1, 7)).astype(np.int8)
    for given, real in zip(run(after, [x]), run(before, [x]), strict=True):
        assert given.dtype == np.int8
        np.testing.assert_array_equal((given.astype(np.float32) - 3) * np.float32(ports[0].scale), real)


def test_an_input_that_is_given_as_it_is() -> None:
    n = Net()
    before = n.b.build([n.input(1, 7)])
    after, ports = int8_outputs(before)
    verify(after)
    assert after.outputs[0].name == before.outputs[0].name == ports[0].name
    x = np.arange(-3, 4, dtype=np.int8).reshape(1, 7)
    np.testing.assert_array_equal(run(after, [x])[0], x)


PIXELS = np.random.default_rng(0).integers(0, 256, (1, 3, 6, 6)).astype(np.uint8)


@pytest.mark.parametrize(("mean", "std"), [(0.0, 255.0), (127.5, 127.5), (128.0, 128.0), (118.3, 58.4), (-20.0, 300.0)])
@pytest.mark.parametrize("kind", ["conv", "dense"])
def test_pixels_fold_into_the_first_layer(mean: float, std: float, kind: str) -> None:
    """The layer's result is its real sum over (p - mean) / std, with the same weights and bias, quantised: at most one
    step off, which two roundings may cost."""
    n = Net()
    x = image(n, 1, 6, 6, 3) if kind == "conv" else image(n, 2, 54)
    w = n.weights(4, 3, 3, 3) if kind == "conv" else n.weights(4, 54)
    b = n.numbers(4)
    layer = Conv2d(x, w, b) if kind == "conv" else Dense(x, w, b)
    y = n.op(layer, 0.03, 4)
    after, port = pixel_input(integerised(n.integers(y)), mean, std)
    verify(after)
    assert port == ScaledPort("image", DType.U8, 1 / std, mean)
    assert count(after) == {"cast": 1, "add": 1, f"q{layer.mnemonic}": 1}
    pixels = PIXELS.reshape(x.shape)
    weights, bias = (value_of(n, v) for v in (w, b))
    real = layer.evaluate((pixels.astype(np.float64) - mean) / std, weights, bias)
    expected = np.clip(np.rint(real / np.float32(0.03)) + 4, -128, 127)
    distance = np.abs(run(after, [pixels])[0] - expected)
    assert distance.max() <= 1
    assert (distance == 0).mean() >= 0.9


def value_of(n: Net, value: Value) -> Array:
    """What weights or biases stand for."""
    node = n.b.node(value)
    assert node is not None
    return node.op.run([value_of(n, v) for v in node.op.operands]).astype(np.float64)


def test_pixels_of_a_padded_convolution() -> None:
    """A real zero is pixel 127.5: the nearest one pads, and the port says so. 128 needs no note."""
    before = network(Net(), pads=(1, 1, 1, 1))
    after, port = pixel_input(before, 127.5, 127.5)
    assert port.note == "padding is pixel 128, a real zero would be pixel 127.5"
    assert count(after)["lookup"] == 0
    after, port = pixel_input(before, 128.0, 127.5)
    assert port.note == ""
    assert next(n.op for n in after.nodes if isinstance(n.op, QConv2d)).zero == 0


@pytest.mark.parametrize(
    ("reason", "mean", "std"), [("no layer", 30.0, 100.0), ("a pad that is no pixel", -9.0, 255.0), ("std", 0.0, 1e-30)]
)
def test_pixels_that_do_not_fold_are_converted_by_a_table(reason: str, mean: float, std: float) -> None:
    """Bit for bit what the float input would give."""
    n = Net()
    if reason == "no layer":
        before = integerised(n.b.build([n.op(MaxPool2d(image(n, 1, 3, 6, 6), (2, 2)), SCALE, ZERO)]))
    else:
        before = network(n, pads=(1, 1, 1, 1))
    after, port = pixel_input(before, mean, std)
    verify(after)
    assert count(after)["lookup"] == 1
    assert port.dtype is DType.U8
    with np.errstate(over="ignore"):
        floats = (PIXELS.astype(np.float32) - np.float32(mean)) / np.float32(std)
    np.testing.assert_array_equal(run(after, [PIXELS])[0], run(before, [floats])[0])


def test_pixels_used_twice_are_converted_once() -> None:
    n = Net()
    x = image(n, 1, 54)
    before = integerised(n.integers(*(n.op(Dense(x, n.weights(4, 54)), 0.05) for _ in range(2))))
    assert count(pixel_input(before, 0.0, 255.0)[0]) == {"cast": 1, "add": 1, "lookup": 1, "qdense": 2}


@pytest.mark.parametrize(("mean", "std"), [(float("nan"), 1.0), (0.0, 0.0), (0.0, -1.0), (0.0, float("inf"))])
def test_normalisations_that_make_no_sense(mean: float, std: float) -> None:
    with pytest.raises(PassError, match="normalised by a finite mean and a positive deviation"):
        pixel_input(network(Net()), mean, std)


def test_two_images() -> None:
    n = Net()
    x, y = image(n, 1, 7), image(n, 1, 7)
    before = integerised(n.integers(n.op(Add(n.op(Clamp(x, 0.0), SCALE), y), 0.05)))
    with pytest.raises(PassError, match="one float input"):
        pixel_input(before, 0.0, 255.0)
    after, ports = int8_inputs(before)
    verify(after)
    assert [p.name for p in ports] == ["image", "image_1"]
