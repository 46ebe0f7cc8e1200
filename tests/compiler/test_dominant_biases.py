"""Biases that are larger than what they are added to by far, and sums that cancel: compiled, verified, and accurate."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import tinyc
from tinyc.ir.tensor import Array

INTEGERS = {"input_type": "float32", "output_type": "float32"}


def model(
    nodes: Sequence[onnx.NodeProto], x: tuple[int, ...], y: tuple[int, ...], **constants: Array
) -> onnx.ModelProto:
    ports = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in (("x", x), ("y", y))]
    tensors = [numpy_helper.from_array(np.asarray(a), n) for n, a in constants.items()]
    graph = helper.make_graph(list(nodes), "net", ports[:1], ports[1:], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def two_layers(w: Array, b: Array) -> onnx.ModelProto:
    """A 3x3 convolution with ReLU, and a 1x1."""
    rng = np.random.default_rng(1)
    conv = helper.make_node("Conv", ["x", "w", "b"], ["a"], pads=[1] * 4)
    relu = helper.make_node("Relu", ["a"], ["r"])
    last = helper.make_node("Conv", ["r", "v", "c"], ["y"])
    v, c = rng.normal(0, 0.2, (3, len(w), 1, 1)), rng.normal(0, 0.1, 3)
    return model(
        [conv, relu, last],
        (1, w.shape[1], 9, 9),
        (1, 3, 9, 9),
        w=w,
        b=b,
        v=v.astype(np.float32),
        c=c.astype(np.float32),
    )


@pytest.mark.parametrize("kind", ["tiny weights", "no weights", "no weights at all", "large biases"])
def test_a_quantised_network_is_verified_and_accurate(kind: str) -> None:
    rng = np.random.default_rng(0)
    w, b = rng.normal(0, 0.2, (5, 3, 3, 3)).astype(np.float32), rng.normal(0, 0.1, 5).astype(np.float32)
    if kind == "tiny weights":
        w[0] *= 1e-6
    elif kind == "no weights":
        w[0], b[0] = 0, 50
    elif kind == "no weights at all":
        w[:] = 0
    else:
        b[:] = rng.choice([-1, 1], 5) * 1e4
    samples = rng.normal(0, 1, (24, 1, 3, 9, 9)).astype(np.float32)
    net = two_layers(w, b)
    want = tinyc.load(net)(samples[16:])["y"].astype(np.float64)
    quantise = tinyc.QuantiseOptions([[x] for x in samples[:16]], **INTEGERS)  # type: ignore[arg-type]
    got = tinyc.compile(net, quantise=quantise)(samples[16:])["y"]
    noise = ((got - want) ** 2).sum()
    assert 10 * np.log10((want**2).sum() / noise) > 25


@pytest.mark.parametrize("bias", [-200, -2e4])
@pytest.mark.parametrize("sign", [-1, 1])
def test_a_channel_that_is_always_at_a_limit_whatever_its_weights(sign: int, bias: float) -> None:
    """Behind a ReLU the operand's zero point is at the end of int8, so weights of one sign move what sums begin with as
    far as the products do."""
    rng = np.random.default_rng(0)
    w, b = rng.normal(0, 0.2, (5, 3, 3, 3)).astype(np.float32), rng.normal(0, 0.1, 5).astype(np.float32)
    v, c = rng.normal(0, 0.2, (3, 5, 1, 1)).astype(np.float32), np.float32([bias, 0.1, 0.2])
    v[0] = sign * np.abs(v[0]) * 4
    conv = helper.make_node("Conv", ["x", "w", "b"], ["a"], pads=[1] * 4)
    nodes = [conv, helper.make_node("Relu", ["a"], ["r"]), helper.make_node("Conv", ["r", "v", "c"], ["s"])]
    nodes.append(helper.make_node("Relu", ["s"], ["y"]))
    net = model(nodes, (1, 3, 9, 9), (1, 3, 9, 9), w=w, b=b, v=v, c=c)
    samples = rng.normal(0, 1, (8, 1, 3, 9, 9)).astype(np.float32)
    quantise = tinyc.QuantiseOptions([[x] for x in samples], **INTEGERS)  # type: ignore[arg-type]
    y = tinyc.compile(net, quantise=quantise)(samples)["y"]
    assert not y[:, 0].any()
    assert y[:, 1:].any()


def test_a_channel_without_weights_far_beyond_the_limits() -> None:
    """A model that came quantised: a bias of 400 steps of the result, which saturates."""
    w = np.random.default_rng(0).integers(-60, 60, (4, 3, 1, 1)).astype(np.int8)
    w[0] = 0
    bias, factor = np.zeros(4, np.int32), 0.9
    bias[0] = -400 / factor
    step, zero = np.float32(0.02), np.int8(0)
    scale = np.float32(0.01)
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "step", "zero"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "step", "zero"], ["d"]),
        helper.make_node("DequantizeLinear", ["w", "scale", "zero"], ["wd"]),
        helper.make_node("DequantizeLinear", ["b", "both"], ["bd"]),
        helper.make_node("Conv", ["d", "wd", "bd"], ["s"]),
        helper.make_node("QuantizeLinear", ["s", "out", "zero"], ["r"]),
        helper.make_node("DequantizeLinear", ["r", "out", "zero"], ["y"]),
    ]
    out = np.float32(step * scale / factor)
    net = model(
        nodes, (1, 3, 4, 4), (1, 4, 4, 4), step=step, zero=zero, w=w, scale=scale, b=bias, both=step * scale, out=out
    )
    got = tinyc.compile(net)(np.zeros((1, 1, 3, 4, 4), np.float32))["y"]
    assert (got[0, 0, 0] == -128).all()


def test_sums_that_cancel() -> None:
    """Partial sums are a hundred times larger than what is left: the rounding of these is no fault."""
    rng = np.random.default_rng(0)
    w = (0.05 + rng.normal(0, 0.01, (1024, 6))).astype(np.float32)
    node = helper.make_node("Gemm", ["x", "w", "b"], ["y"])
    net = model([node], (1, 1024), (1, 6), w=w, b=(-0.5 * w.sum(axis=0)).astype(np.float32))
    compiled = tinyc.compile(net, target="esp32p4")
    samples = rng.uniform(0, 1, (4, 1, 1024)).astype(np.float32)
    assert np.isfinite(compiled(samples)["y"]).all()
