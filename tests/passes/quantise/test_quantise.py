"""Where quantize and dequantize are put, and with which scales."""

from __future__ import annotations

import dataclasses
from collections import Counter

import numpy as np
import pytest

from tests.helpers import count
from tests.passes.quantise.networks import Net, depthwise_net, images
from tinyc.backends.interpreter import run_module
from tinyc.ir import Module, Value, verify
from tinyc.ir.op import StaysFloat
from tinyc.ir.ops import (
    Add,
    Clamp,
    Concat,
    MatMul,
    MaxPool2d,
    Mul,
    Pad,
    Pow,
    Reshape,
    Sigmoid,
    Slice,
    Softmax,
    Sub,
    Tanh,
    Transpose,
)
from tinyc.ir.ops.quantise import Dequantize, Quantize
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType, TensorType
from tinyc.passes import PassError
from tinyc.passes.quantise import QuantisedModule, quantise_module, to_dicts

SHAPE = (1, 8, 8, 3)


def quantised(net: Net, *outputs: object, **options: object) -> QuantisedModule:
    module = net.b.build(list(outputs))  # type: ignore[arg-type]
    result = quantise_module(module, images(4, *net.x.shape), run_module, **options)  # type: ignore[arg-type]
    verify(result.module)
    assert result.module.inputs == module.inputs
    assert result.module.outputs == module.outputs
    return result


def scales(module: Module) -> dict[str, tuple[float, int]]:
    """Scale and zero point of every dequantised activation."""
    return {
        n.result.name: (n.op.scale[0], n.op.zero[0])
        for n in module.nodes
        if isinstance(n.op, Dequantize) and module.constant(n.op.x) is None
    }


def is_qdq(module: Module) -> None:
    """Asserts that every operator takes dequantised values or scalars, and that its result goes into one quantize."""
    for node in module.nodes:
        if isinstance(node.op, (Quantize, Dequantize)) or not node.op.operands:
            continue
        for value in node.op.operands:
            assert isinstance(module.producer[value].op, Dequantize) or value.shape == (), node.where
        assert [type(u.op) for u in module.users[node.result]] == [Quantize], node.where


def test_a_network_is_quantised_throughout() -> None:
    module = depthwise_net()
    how = {"rounding": "nearest", "headroom": False}
    result = quantise_module(module, images(6, 1, 12, 12, 3), run_module, **how)
    is_qdq(result.module)
    for node in result.module.nodes:
        weights = getattr(node.op, "w", None)
        if weights is not None:
            made = result.module.producer[weights].op
            assert isinstance(made, Dequantize)
            q = result.module.constant(made.x)
            assert q is not None
            assert made.x.dtype is DType.I8
            assert len(made.scale) == node.result.shape[-1]
            assert set(made.zero) == {0}
            others = tuple(d for d in range(q.ndim) if d != made.axis)
            # Every channel uses all of its range, as far as multipliers of one byte allow.
            assert set(np.abs(q.astype(int)).max(axis=others)) <= {126, 127}
            bias = result.module.producer[node.op.b].op  # type: ignore[attr-defined]
            assert bias.x.dtype is DType.I32
            (x,) = result.module.producer[node.op.x].op.scale  # type: ignore[attr-defined]
            assert bias.scale == tuple(x * s for s in made.scale)
    # 8 bits for weights and activations: 35 dB and more for a layer, and errors of several layers add up.
    assert min(layer.sqnr for layer in result.layers) > 28
    assert scales(result.module)["probabilities"] == (1 / 256, -128)


def test_the_report() -> None:
    how = {"observer": "min-max", "headroom": False}
    layers = quantise_module(depthwise_net(), images(6, 1, 12, 12, 3), run_module, **how).layers
    assert [x.sqnr for x in layers] == sorted(x.sqnr for x in layers)
    assert {x.name for x in layers} == {"conv", "depthwise", "pointwise", "mean", "flat", "logits", "softmax"}
    by_name = {x.name: x for x in layers}
    conv = by_name["conv"]
    assert conv.clipped == 0.0  # min-max clips nothing of what it has seen
    assert conv.represented == pytest.approx(conv.seen, rel=1e-6, abs=1e-6)
    assert conv.weights is not None
    assert by_name["mean"].weights is None
    dicts = to_dicts(layers)
    assert dicts[0]["sqnr_db"] == round(layers[0].sqnr, 2)
    infinite = to_dicts([dataclasses.replace(conv, sqnr=float("inf"))])
    assert infinite[0]["sqnr_db"] is None


def test_operators_that_move_numbers_share_scales() -> None:
    net = Net(*SHAPE)
    y = net.conv(net.x, 4, "conv")
    pooled = net.b.add(MaxPool2d(y, (2, 2), strides=(2, 2)), "pooled", "pool")
    padded = net.b.add(Pad(pooled, (0, 1, 1, 0), (0, 1, 1, 0), value=-0.5), "padded", "pad")
    cut = net.b.add(Slice(padded, (0, 0, 0, 0), (1, 4, 4, 4), (1, 1, 1, 1)), "cut", "slice")
    flat = net.b.add(Reshape(cut, (1, 64)), "flat", "reshape")
    result = quantised(net, net.dense(flat, 3, "logits"))
    is_qdq(result.module)
    found = scales(result.module)
    assert len({found[n] for n in ("conv", "pooled", "padded", "cut", "flat")}) == 1
    scale, zero = found["conv"]
    assert scale * (-128 - zero) <= -0.5 + scale  # the pad's number is in the range


def test_concat_shares_one_scale_and_takes_a_softmax_by_conversion() -> None:
    net = Net(*SHAPE)
    left, right = net.conv(net.x, 4, "left"), net.conv(net.x, 4, "right")
    s = net.b.add(Softmax(net.conv(net.x, 4, "c")), "s", "s")
    joined = net.b.add(Concat((left, right, s), 3), "joined", "joined")
    result = quantised(net, net.conv(joined, 2, "d"))
    is_qdq(result.module)
    found = scales(result.module)
    assert found["left"] == found["right"] == found["joined"]
    assert found["s"] == (1 / 256, -128) != found["joined"]


def test_a_clamp_behind_a_sum_is_absorbed() -> None:
    net = Net(*SHAPE)
    total = net.b.add(Add(net.conv(net.x, 4, "a"), net.conv(net.x, 4, "b")), "total", "add")
    shifted = net.b.add(Sub(total, net.b.constant(np.float32(1.5))), "shifted", "sub")
    relu = net.b.add(Clamp(net.b.add(Add(shifted, net.conv(net.x, 4, "c")), "sum", "sum"), min=0.0), "relu", "relu")
    result = quantised(net, net.conv(relu, 2, "d"), equalise=False)
    is_qdq(result.module)
    assert "clamp" not in count(result.module)
    assert scales(result.module)["relu"][1] == -128
    assert next(n for n in result.module.nodes if n.result.name == "relu_float").loc == "sum+relu"


def test_a_clamp_that_saturation_does_not_do_stays() -> None:
    net = Net(*SHAPE)
    total = net.b.add(Add(net.conv(net.x, 4, "a"), net.conv(net.x, 4, "b")), "total", "add")
    relu = net.b.add(Clamp(total, min=0.0, max=0.4), "relu", "relu")
    joined = net.b.add(Concat((relu, net.conv(net.x, 4, "c")), 3), "joined", "joined")
    result = quantised(net, net.conv(joined, 2, "d"))
    is_qdq(result.module)
    assert count(result.module)["clamp"] == 1
    found = scales(result.module)
    assert found["total"] == found["relu"] == found["joined"]


def test_fixed_scales_of_sigmoid_and_tanh() -> None:
    net = Net(*SHAPE)
    y = net.conv(net.x, 4, "conv")
    sigmoid = net.b.add(Sigmoid(y), "sigmoid", "s")
    tanh = net.b.add(Tanh(net.conv(net.x, 4, "other")), "tanh", "t")
    result = quantised(net, net.conv(net.b.add(Mul(sigmoid, tanh), "mul", "m"), 2, "d"))
    is_qdq(result.module)
    assert scales(result.module)["sigmoid"] == (1 / 256, -128)
    assert scales(result.module)["tanh"] == (1 / 128, 0)


def test_elementwise_chains_of_one_tensor_are_rounded_once() -> None:
    net = Net(*SHAPE)
    y = net.conv(net.x, 4, "conv")
    third = net.b.add(Mul(y, net.b.constant(np.float32(1 / 6))), "sixth", "m")
    gate = net.b.add(Clamp(net.b.add(Add(third, net.b.constant(np.float32(0.5))), "half", "a"), 0.0, 1.0), "gate", "c")
    swish = net.b.add(Mul(y, gate), "swish", "hard_swish")
    result = quantised(net, net.conv(swish, 2, "d"))
    operators = Counter(n.op.mnemonic for n in result.module.nodes)
    assert operators["quantize"] == 4  # x, conv, swish, d
    assert set(scales(result.module)) == {"x_dq", "conv", "swish", "d"}


def test_operators_without_an_integer_form_stay_float() -> None:
    net = Net(1, 6, 4)
    y = net.dense(net.x, 6, "dense")
    power = net.b.add(Pow(y, net.dense(net.x, 6, "exponent")), "power", "pow")
    after = net.b.add(Softmax(net.b.add(Pow(power, y), "again", "pow")), "soft", "softmax")
    result = quantised(net, after)
    found = scales(result.module)
    assert set(found) == {"x_dq", "dense", "exponent"}  # between float operators nothing is rounded, softmax included
    assert {x.name for x in result.layers} == {"dense", "exponent"}


def test_a_matrix_product_of_activations_is_a_layer() -> None:
    """It needs no other one to be quantised; of more products than int32 holds it stays float."""
    net = Net(1, 6, 4)
    swapped = net.b.add(Transpose(net.x, (0, 2, 1)), "swapped")
    product = net.b.add(MatMul(net.x, swapped), "product", "matmul")
    assert set(scales(quantised(net, product).module)) == {"x_dq", "swapped", "product"}
    long = Value("x", TensorType((1, 40000), DType.F32))
    form = MatMul(long, Value("y", TensorType((40000, 1), DType.F32))).quantised()
    assert isinstance(form, StaysFloat)
    assert "40000 products" in form.reason


def test_keep_float() -> None:
    module = depthwise_net()
    samples = images(4, 1, 12, 12, 3)
    result = quantise_module(module, samples, run_module, keep_float=("depthwise", "softmax"))
    assert {x.name for x in result.layers} == {"conv", "pointwise", "mean", "flat", "logits"}
    producer = result.module.producer
    node = next(n for n in result.module.nodes if n.loc == "depthwise" and n.op.macs())
    assert producer[node.op.operands[1]].op.mnemonic == "constant"
    assert result.module.outputs[0] == next(n for n in result.module.nodes if n.loc == "softmax").result


def test_keep_float_of_an_unknown_name_lists_names() -> None:
    with pytest.raises(PassError, match=r"no operator is called 'deptwise'.*names like it are: depthwise"):
        quantise_module(depthwise_net(), images(1, 1, 12, 12, 3), run_module, keep_float=("deptwise",))
    with pytest.raises(PassError, match=r"the names are: conv, depthwise, pointwise, mean"):
        quantise_module(depthwise_net(), images(1, 1, 12, 12, 3), run_module, keep_float=("#",))


def test_a_quantised_module_is_refused() -> None:
    samples = images(1, 1, 12, 12, 3)
    once = quantise_module(depthwise_net(), samples, run_module).module
    with pytest.raises(PassError, match="quantised already"):
        quantise_module(once, samples, run_module)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_weights_that_are_no_numbers_are_refused(bad: float) -> None:
    net = Net(*SHAPE)
    w: Array = np.ones((2, 1, 1, 3), np.float32)
    w[0, 0, 0, 0] = bad
    with pytest.raises(PassError, match=r"NaN|infinite"):
        quantised(net, net.conv(net.x, 2, "conv", size=1, given=w[:, 0, 0, 0]))


def test_dead_tensors_and_channels() -> None:
    net = Net(*SHAPE)
    y = net.conv(net.x, 4, "conv", given=np.array([0.0, 1e-20, 1.0, 1.0]))
    dead = net.b.add(Clamp(net.b.add(Sub(y, net.b.constant(np.float32(1e6)))), min=0.0), "dead", "dead")
    total = net.b.add(Add(dead, y), "total", "total")
    result = quantised(net, net.conv(total, 2, "d"))
    for sample in images(2, *SHAPE):
        before, after = run_module(result.float_module, sample)[0], run_module(result.module, sample)[0]
        assert np.abs(after - before).max() < 0.05 * np.abs(before).max()  # 5 %: a dozen steps of int8
