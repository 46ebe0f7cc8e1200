"""Networks with recurrent layers, compiled with every check: in float and integers, exported and imported again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import tinyc
from benchmarks.accuracy.answers import decibels
from benchmarks.accuracy.kinds import unrounded
from benchmarks.recurrent import inputs as waves
from benchmarks.recurrent import network as layer
from benchmarks.recurrent import only
from tests.frontend.support import example, save
from tinyc.backends.interpreter import run_module
from tinyc.compiler.session import Session
from tinyc.ir import DType
from tinyc.ir.ops import Gru, Lstm, QRecurrent, Recurrent, Requantise
from tinyc.ir.tensor import Array

STEPS, INPUTS, HIDDEN, CLASSES = 12, 6, 9, 4
GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
EVERY = {
    "lstm": ("LSTM", {}),
    "lstm_both_ways": ("LSTM", {"direction": "bidirectional"}),
    "lstm_backwards": ("LSTM", {"direction": "reverse"}),
    "lstm_coupled": ("LSTM", {"input_forget": 1, "clip": 2.5}),
    "lstm_hard": ("LSTM", {"activations": ["HardSigmoid", "Tanh", "Softsign"]}),
    "gru": ("GRU", {"linear_before_reset": 1}),
    "gru_before": ("GRU", {}),
    "gru_both_ways": ("GRU", {"direction": "bidirectional", "linear_before_reset": 1}),
    "rnn": ("RNN", {}),
    "rnn_relu": ("RNN", {"activations": ["Relu"]}),
}


def network(kind: str, attributes: dict[str, Any], *, last: bool = True, states: bool = False) -> onnx.ModelProto:
    """A dense layer for each step, a recurrent one, and a dense layer of its last step, or of all."""
    ways = 2 if attributes.get("direction") == "bidirectional" else 1
    gates = GATES[kind] * HIDDEN
    weights = {
        "w0": example((INPUTS, INPUTS), 1) / 2,
        "w": example((ways, gates, INPUTS), 2) / 2,
        "r": example((ways, gates, HIDDEN), 3) / 3,
        "b": example((ways, 2 * gates), 4) / 4,
        "h": example((ways, 1, HIDDEN), 5) / 2,
        "c": example((ways, 1, HIDDEN), 6) / 2,
        "p": example((ways, 3 * HIDDEN), 7) / 4,
        "w1": example((ways * HIDDEN, CLASSES), 8) / 2,
        "place": np.array([STEPS - 1]),
        "flat": np.array([-1, ways * HIDDEN]),
    }
    more = ["", "h", *(["c", "p"] if kind == "LSTM" else [])] if states else []
    nodes = [
        helper.make_node("MatMul", ["x", "w0"], ["read"], "before"),
        helper.make_node(kind, ["read", "w", "r", "b", *more], ["y", "yh"], "cell", hidden_size=HIDDEN, **attributes),
        helper.make_node("Transpose", ["y"], ["turned"], perm=[0, 2, 1, 3]),
        helper.make_node("Reshape", ["turned", "flat"], ["rows"]),
        helper.make_node("Gather", ["rows", "place"], ["end"], axis=0)
        if last
        else helper.make_node("Identity", ["rows"], ["end"]),
        helper.make_node("MatMul", ["end", "w1"], ["out"], "after"),
    ]
    used = {name for n in nodes for name in n.input}
    graph = helper.make_graph(
        nodes,
        kind,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (STEPS, 1, INPUTS))],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, (1 if last else STEPS, CLASSES))],
        [
            numpy_helper.from_array(a.astype(np.int64) if a.dtype.kind == "i" else a, n)
            for n, a in weights.items()
            if n in used
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)


def inputs(count: int) -> list[list[Array]]:
    rng = np.random.default_rng(9)
    return [[rng.normal(size=(STEPS, 1, INPUTS)).astype(np.float32)] for _ in range(count)]


def operators(compiled: tinyc.Compilation) -> list[Any]:
    return [s.op for s in compiled.program.stages]


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("last", [True, False])
def test_float(name: str, last: bool, tmp_path: Path) -> None:
    kind, attributes = EVERY[name]
    compiled = tinyc.compile(save(network(kind, attributes, last=last, states=True), tmp_path))
    layers = [op for op in operators(compiled) if isinstance(op, Recurrent)]
    assert len(layers) == (2 if "both" in name else 1)


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize(("activations", "states"), [("int8", False), ("int8", True), ("int16", True)])
def test_integers(name: str, activations: Any, states: bool, tmp_path: Path) -> None:
    """Every operator is one on integers; every check passes; what is exported and compiled again computes the same."""
    kind, attributes = EVERY[name]
    path = save(network(kind, attributes, last=not states, states=states), tmp_path)
    options = tinyc.QuantiseOptions(inputs(16), activations=activations)
    compiled = tinyc.compile(path, quantise=options)
    layers = [op for op in operators(compiled) if isinstance(op, QRecurrent)]
    assert len(layers) == (2 if "both" in name else 1)
    assert {t.dtype.numpy.name for op in layers for t in (op.x.type, op.type)} == {activations}
    assert not compiled.lowered.leftovers
    written = tmp_path / "quantised.onnx"
    tinyc.quantize(path, written, options)
    assert kind in [n.op_type for n in onnx.load(written).graph.node]
    again = tinyc.compile(written, name=compiled.source.name)
    assert [str(op.type) for op in operators(again)] == [str(op.type) for op in operators(compiled)]
    assert again.source.arena_bytes == compiled.source.arena_bytes
    for (x,) in inputs(4):
        np.testing.assert_array_equal(again(x)["out"], compiled(x)["out"])


@pytest.mark.parametrize("name", ["lstm_both_ways", "gru", "gru_before", "rnn"])
@pytest.mark.parametrize("raised", ["before", "cell"])
def test_of_two_types(name: str, raised: str, tmp_path: Path) -> None:
    """Operand and hidden state of different types: nothing stands between the layers."""
    kind, attributes = EVERY[name]
    path = save(network(kind, attributes, states=True), tmp_path)
    compiled = tinyc.compile(path, quantise=tinyc.QuantiseOptions(inputs(8), int16=(raised,)))
    layers = [op for op in operators(compiled) if isinstance(op, QRecurrent)]
    assert {(op.x.dtype is DType.I16, op.to is DType.I16) for op in layers} == {(raised == "before", raised == "cell")}
    assert not compiled.lowered.leftovers
    assert not any(isinstance(op, Requantise) for op in operators(compiled))


@pytest.mark.parametrize("integers", [False, True])
@pytest.mark.parametrize("kernels", ["auto", "esp-nn", "esp-dsp"])
def test_with_kernel_libraries(kernels: Any, integers: bool, tmp_path: Path) -> None:
    """What no library computes keeps the memory that its kernel works in."""
    how = tinyc.QuantiseOptions(inputs(4)) if integers else None
    compiled = tinyc.compile(save(network("GRU", {}), tmp_path), target="esp32s3", kernels=kernels, quantise=how)
    (layer,) = [s for s in compiled.program.stages if isinstance(s.op, Recurrent | QRecurrent)]
    assert layer.kernel.scratch is not None
    assert not layer.kernel.library


def test_only_the_last_step_is_kept(tmp_path: Path) -> None:
    for kind, last in (("LSTM", True), ("LSTM", False), ("GRU", True)):
        compiled = tinyc.compile(save(network(kind, {}, last=last), tmp_path), verify=False)
        (layer,) = [op for op in operators(compiled) if isinstance(op, Lstm | Gru)]
        assert layer.every == (not last)


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
@pytest.mark.parametrize("types", ["float32", "int8", "int16"])
def test_code_and_memory_do_not_grow_with_steps(kind: str, types: Any, tmp_path: Path) -> None:
    sizes, stages, arenas = [], [], []
    for steps in (8, 200):
        options: Any = {}
        if types != "float32":
            options = {"quantise": tinyc.QuantiseOptions(waves(4, steps, 1), activations=types)}
        compiled = tinyc.compile(save(layer(kind, steps), tmp_path), verify=False, rows_from="argument", **options)
        sizes.append(sum(len(t) for f, t in compiled.source.files.items() if f.endswith(".c")))
        stages.append(len(compiled.program.stages))
        arenas.append(compiled.source.arena_bytes)
    assert stages[0] == stages[1]
    assert arenas[0] == arenas[1]
    assert abs(sizes[0] - sizes[1]) < 200  # numbers have more digits


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_int8_stays_near_float(kind: str, tmp_path: Path) -> None:
    """Errors do not add up over 100 steps, since cells and states that are added to have 15 binary places."""
    path = save(layer(kind, 100), tmp_path)
    options = tinyc.QuantiseOptions(waves(12, 100, 2), output_type="float32")
    exact, rounded = tinyc.compile(path, verify=False), tinyc.compile(path, verify=False, quantise=options)
    fresh = waves(8, 100, 3)
    assert decibels([only(exact(x)) for (x,) in fresh], [only(rounded(x)) for (x,) in fresh]) > 36


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_int16_stays_near_integer_weights(kind: str, tmp_path: Path) -> None:
    """Neither do errors of activations of 16 bits, held against floats with the same weights."""
    options = tinyc.QuantiseOptions(waves(12, 100, 2), activations="int16")
    made = Session(layer(kind, 100), tinyc.Options(quantise=options, verify=False))
    real, found = unrounded(made.quantised.module), made.lowered.integers
    assert found is not None
    fresh = waves(8, 100, 3)
    assert decibels([run_module(real, x)[0] for x in fresh], [run_module(found, x)[0] for x in fresh]) > 70


def test_states_from_outside(tmp_path: Path) -> None:
    """One step whose states are inputs and outputs: layers of their own, all of them int8."""
    kind, sizes = "LSTM", {"x": (1, 1, INPUTS), "h": (1, 1, HIDDEN), "c": (1, 1, HIDDEN)}
    weights = {"w": example((1, 4 * HIDDEN, INPUTS), 1), "r": example((1, 4 * HIDDEN, HIDDEN), 2) / 3}
    node = helper.make_node(kind, ["x", "w", "r", "", "", "h", "c"], ["", "hn", "cn"], hidden_size=HIDDEN)
    graph = helper.make_graph(
        [node],
        "one",
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in sizes.items()],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, (1, 1, HIDDEN)) for n in ("hn", "cn")],
        [numpy_helper.from_array(a, n) for n, a in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    rng = np.random.default_rng(2)
    samples = [[rng.normal(size=s).astype(np.float32) for s in sizes.values()] for _ in range(8)]
    path = save(model, tmp_path)
    assert not any(isinstance(op, Recurrent) for op in operators(tinyc.compile(path)))
    compiled = tinyc.compile(path, quantise=tinyc.QuantiseOptions(samples))
    assert not compiled.lowered.leftovers
