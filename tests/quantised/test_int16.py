"""Networks with activations of 16 bits: whole ones, mixed ones, those that came quantised, and what is chosen."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import tinyc
from tests.sessions import open_onnxruntime
from tinyc.backends.interpreter import run_module
from tinyc.compiler.options import QuantiseOptions
from tinyc.compiler.session import Session
from tinyc.ir import DType
from tinyc.ir.tensor import Array
from tinyc.passes.quantise.choose import worst_sqnr

SHAPE = (1, 3, 8, 8)


def network() -> onnx.ModelProto:
    """Convolutions of all kinds, a sum, a product, poolings, tables, a concatenation, matrices and a softmax."""
    rng = np.random.default_rng(3)
    weights: list[onnx.TensorProto] = []

    def w(name: str, *shape: int) -> str:
        array = (rng.standard_normal(shape) / np.sqrt(np.prod(shape[1:]) or 1)).astype(np.float32)
        weights.append(numpy_helper.from_array(array, name))
        return name

    def node(kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> onnx.NodeProto:
        return helper.make_node(kind, inputs, [output], output, **attributes)

    nodes = [
        node("Conv", ["x", w("w1", 8, 3, 3, 3), w("b1", 8)], "first", pads=[1, 1, 1, 1]),
        node("Relu", ["first"], "relu"),
        node("Conv", ["relu", w("w2", 8, 1, 3, 3), w("b2", 8)], "depthwise", group=8, pads=[1, 1, 1, 1]),
        node("Conv", ["depthwise", w("w3", 8, 8, 1, 1), w("b3", 8)], "pointwise"),
        node("Add", ["pointwise", "relu"], "sum"),
        node("Tanh", ["sum"], "tanh"),
        node("Mul", ["tanh", "pointwise"], "product"),
        node("Conv", ["product", w("w4", 8, 1, 3, 3)], "strided", group=8, strides=[2, 2], pads=[0, 0, 1, 1]),
        node("MaxPool", ["strided"], "largest", kernel_shape=[2, 2], strides=[2, 2]),
        node("AveragePool", ["strided"], "average", kernel_shape=[2, 2], strides=[2, 2]),
        node("Concat", ["largest", "average"], "both", axis=1),
        node("Conv", ["both", w("w5", 6, 8, 3, 3), w("b5", 6)], "grouped", group=2, pads=[1, 1, 1, 1]),
        node("LeakyRelu", ["grouped"], "leaky", alpha=0.1),
        node("GlobalAveragePool", ["leaky"], "mean"),
        node("Flatten", ["mean"], "flat"),
        node("Gemm", ["flat", w("w6", 5, 6), w("b6", 5)], "dense", transB=1),
        node("Softmax", ["dense"], "y", axis=-1),
    ]
    ports = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in (("x", SHAPE), ("y", (1, 5)))]
    graph = helper.make_graph(nodes, "net", ports[:1], ports[1:], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


NAMES = [n.name for n in network().graph.node if n.op_type != "Flatten"]


def samples(count: int = 6) -> list[list[Array]]:
    rng = np.random.default_rng(5)
    return [[rng.standard_normal(SHAPE).astype(np.float32)] for _ in range(count)]


def session(**options: Any) -> Session:
    chosen = tinyc.Options(quantise=QuantiseOptions(samples(), **options))
    return Session(network(), chosen)


def ratio(made: Session) -> float:
    """Signal to noise of the quantised network against the float one."""
    exact, given = ([run_module(m, s) for s in samples()] for m in (made.optimised, made.quantised.module))
    return worst_sqnr(exact, given)


def test_a_whole_network() -> None:
    """It is verified by the interpreter, the C and the witness, nothing is left in float, and it is much nearer."""
    made = session(activations="int16")
    compiled = made.compilation
    assert all(v.passed for v in compiled.verdicts)
    assert not compiled.lowered.leftovers
    assert {p.dtype for p in (*compiled.lowered.inputs, *compiled.lowered.outputs)} == {DType.I16}
    types = {layer["type"] for layer in compiled.report["quantisation"]["layers"]}
    assert types == {"int16"}
    assert ratio(made) > 50.0
    assert ratio(made) > ratio(session()) + 12.0


@pytest.mark.parametrize("seed", range(4))
def test_any_of_its_layers(seed: int) -> None:
    """Those that are named are int16, whatever stands around them, and everything agrees."""
    named = random.Random(seed).sample([*NAMES, "x"], 5)
    compiled = session(int16=tuple(named)).compilation
    assert all(v.passed for v in compiled.verdicts)
    found = {layer["name"]: layer["type"] for layer in compiled.report["quantisation"]["layers"]}
    for name in named:
        assert all(kind == "int16" for loc, kind in found.items() if name in loc.split("+")), name
    assert "int8" in found.values()


def test_what_cannot_be_raised_is_refused() -> None:
    with pytest.raises(tinyc.TinycError, match="no operator is called 'second', so it cannot be int16"):
        _ = session(int16=("second",)).quantised


def test_types_at_the_interface() -> None:
    made = session(int16=("y",), input_type="int8", output_type="int16").compilation
    assert [p.dtype for p in (*made.lowered.inputs, *made.lowered.outputs)] == [DType.I8, DType.I16]
    with pytest.raises(tinyc.TinycError, match="input %x cannot be int16: it is quantized to int8"):
        _ = session(input_type="int16").compilation
    with pytest.raises(tinyc.TinycError, match="output %y cannot be int8: it is int16"):
        _ = session(activations="int16", output_type="int8").compilation
    pixels = session(activations="int16", input_type="uint8").compilation
    assert all(v.passed for v in pixels.verdicts)


@pytest.mark.parametrize("wanted", [36.0, 44.0, 50.0])
def test_as_few_as_a_ratio_takes(wanted: float) -> None:
    made = session(min_sqnr=wanted)
    again = session(min_sqnr=wanted)
    assert made.quantised.made is not None
    assert again.quantised.made is not None
    assert made.quantised.made.module == again.quantised.made.module
    assert ratio(made) >= wanted
    raised = [layer for layer in made.quantised.made.layers if layer.type == "int16"]
    assert (len(raised) == 0) == (ratio(session()) >= wanted)
    assert len(raised) < len(NAMES)


def test_what_no_ratio_is_reached_by() -> None:
    with pytest.raises(tinyc.TinycError, match=r"with int16 wherever it can be, .*; furthest .* are \w+ \(\w+, "):
        _ = session(min_sqnr=150.0).quantised


def test_accuracy_that_may_be_lost() -> None:
    labels = tuple(int(o[0].argmax()) for o in (run_module(session().optimised, s) for s in samples()))
    given = tinyc.Calibration(samples(), labels)
    made = Session(network(), tinyc.Options(quantise=QuantiseOptions(given, max_drop=0.0)))
    given_labels = [int(run_module(made.quantised.module, s)[0].argmax()) for s in samples()]
    assert given_labels == list(labels)
    with pytest.raises(tinyc.TinycError, match="`max_drop` needs the classes"):
        _ = session(max_drop=1.0).quantised


def test_accuracy_is_that_of_the_output_with_classes() -> None:
    """As `--evaluate` has it: the first output that is a vector, whatever stands before it."""
    model = network()
    model.graph.output.insert(0, helper.make_tensor_value_info("relu", TensorProto.FLOAT, (1, 8, 8, 8)))
    labels = tuple(int(o[0].argmax()) for o in (run_module(session().optimised, s) for s in samples()))
    made = Session(model, tinyc.Options(quantise=QuantiseOptions(tinyc.Calibration(samples(), labels), max_drop=0.0)))
    assert made.quantised.made is not None
    assert [int(run_module(made.quantised.module, s)[1].argmax()) for s in samples()] == list(labels)


def test_accuracy_that_cannot_be_measured() -> None:
    model, given = network(), tinyc.Calibration(samples(), (5,) * len(samples()))
    model.graph.output.insert(0, helper.make_tensor_value_info("relu", TensorProto.FLOAT, (1, 8, 8, 8)))
    made = Session(model, tinyc.Options(quantise=QuantiseOptions(given, max_drop=0.0)))
    with pytest.raises(tinyc.TinycError, match="there is a label 5, and output 'y' has the classes 0 to 4"):
        _ = made.quantised
    with pytest.raises(tinyc.TinycError, match="`max_drop` is a number of per cent, 0 or more, not -1"):
        QuantiseOptions(given, max_drop=-1.0)


def test_a_logarithm_of_shares() -> None:
    """Of a negative integer, which no share is, there is none."""
    model = network()
    model.graph.node.append(helper.make_node("Log", ["y"], ["logarithm"]))
    model.graph.output[0].name = "logarithm"
    made = Session(model, tinyc.Options(quantise=QuantiseOptions(tinyc.Calibration(samples()), activations="int16")))
    assert all(v.passed for v in made.compilation.verdicts)


def imported(kind: int, zero: int, long: bool) -> onnx.ModelProto:
    """A QDQ model of this type between its layers; with `long`, sums of a layer need more than 32 bits."""
    rng = np.random.default_rng(1)
    channels = 64 if long else 3
    element = {TensorProto.INT16: np.int16, TensorProto.UINT16: np.uint16}[kind]
    magnitudes = (127, 128) if long else (-127, 128)
    arrays = {
        "s": np.float32(3e-4),
        "z": element(zero),
        "so": np.float32(0.4 if long else 4e-3),
        "wq": rng.integers(*magnitudes, (4, channels, 3, 3)).astype(np.int8),
        "ws": np.full(4, 0.01, np.float32),
        "wz": np.zeros(4, np.int8),
        "bq": rng.integers(-50000, 50000, 4).astype(np.int32),
        "bs": np.full(4, np.float32(0.01) * np.float32(3e-4), np.float32),
    }
    steps = [
        ("QuantizeLinear", ["x", "s", "z"], "q", {}),
        ("DequantizeLinear", ["q", "s", "z"], "d", {}),
        ("DequantizeLinear", ["wq", "ws", "wz"], "w", {"axis": 0}),
        ("DequantizeLinear", ["bq", "bs"], "b", {"axis": 0}),
        ("Conv", ["d", "w", "b"], "c", {"pads": [1, 1, 1, 1]}),
        ("Relu", ["c"], "r", {}),
        ("QuantizeLinear", ["r", "so", "z"], "q2", {}),
        ("DequantizeLinear", ["q2", "so", "z"], "p", {}),
        ("Add", ["p", "p"], "a", {}),
        ("QuantizeLinear", ["a", "so", "z"], "q3", {}),
        ("DequantizeLinear", ["q3", "so", "z"], "y", {}),
    ]
    nodes = [helper.make_node(k, i, [o], **a) for k, i, o, a in steps]
    ports = [
        helper.make_tensor_value_info(n, TensorProto.FLOAT, s)
        for n, s in (("x", (1, channels, 8, 8)), ("y", (1, 4, 8, 8)))
    ]
    tensors = [numpy_helper.from_array(np.asarray(a), n) for n, a in arrays.items()]
    graph = helper.make_graph(nodes, "qdq", ports[:1], ports[1:], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


@pytest.mark.parametrize("long", [False, True])
@pytest.mark.parametrize(
    ("kind", "zero"),
    [
        (TensorProto.INT16, 0),
        (TensorProto.INT16, -1234),
        (TensorProto.UINT16, 32768),
        (TensorProto.UINT16, 1000),
        (TensorProto.UINT16, 65535),
    ],
)
def test_models_that_came_with_16_bits(kind: int, zero: int, long: bool) -> None:
    """onnxruntime's numbers, but where its float32 sums lie next to a tie; with sums of 64 bits as well."""
    model = imported(kind, zero, long)
    compiled = tinyc.compile(model, name="qdq", output_type="float32")
    assert all(v.passed for v in compiled.verdicts)
    assert not compiled.lowered.leftovers
    x = 3 * np.random.default_rng(0).standard_normal(model.graph.input[0].type.tensor_type.shape.dim[1].dim_value * 64)
    x = x.reshape(1, -1, 8, 8).astype(np.float32)
    (y,) = open_onnxruntime(model).run(None, {"x": x})
    own = compiled(x)["y"]
    step = 0.4 if long else 4e-3
    assert np.abs(own - y).max() <= 2.001 * step
    assert (np.abs(own - y) < step / 2).mean() > 0.99


def test_uint16_elsewhere_is_refused() -> None:
    model = imported(TensorProto.UINT16, 9, False)
    model.graph.node.append(helper.make_node("Cast", ["q2"], ["f"], to=TensorProto.FLOAT))
    model.graph.output.append(helper.make_tensor_value_info("f", TensorProto.FLOAT, (1, 4, 8, 8)))
    with pytest.raises(tinyc.TinycError, match="uint16, which is supported between"):
        tinyc.compile(model, name="qdq")


def test_it_is_exported(tmp_path: Path) -> None:
    """As QDQ of opset 21; onnxruntime's integers are the interpreter's, a few of them a step off."""
    file = tmp_path / "qdq.onnx"
    tinyc.quantize(network(), file, QuantiseOptions(samples(), activations="int16"))
    model = onnx.load(file)
    assert model.opset_import[0].version == 21
    again = tinyc.compile(file, name="again", output_type="float32")
    assert not again.lowered.leftovers
    engine = open_onnxruntime(model)
    for (x,) in samples(2):
        (y,) = engine.run(None, {"x": x})
        np.testing.assert_allclose(again(x)["y"], y, rtol=0, atol=8 / 32768)
