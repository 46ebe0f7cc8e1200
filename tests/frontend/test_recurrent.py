"""Recurrent cells against onnxruntime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper

from tests.frontend.support import build, check, example, save
from tinyc.compiler.frontend import FrontendError, load_onnx
from tinyc.ir.ops import Dense, Recurrent

GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
STEPS, BATCH, INPUTS, HIDDEN = 4, 2, 3, 5


def weights(op: str, directions: int) -> dict[str, Any]:
    gates = GATES[op] * HIDDEN
    return {
        "w": example((directions, gates, INPUTS), 1) / 2,
        "r": example((directions, gates, HIDDEN), 2) / 2,
        "b": example((directions, 2 * gates), 3) / 2,
        "lens": np.full(BATCH, STEPS, np.int32),
        "h0": example((directions, BATCH, HIDDEN), 4),
        "c0": example((directions, BATCH, HIDDEN), 5),
        "p": example((directions, 3 * HIDDEN), 6),
    }


def compare(tmp_path: Path, op: str, names: list[str], opset: int = 14, **attributes: Any) -> None:
    directions = 2 if attributes.get("direction") == "bidirectional" else 1
    outputs = ("y", "h", "c") if op == "LSTM" else ("y", "h")
    known = weights(op, directions)
    node = helper.make_node(op, ["x", *names], outputs, hidden_size=HIDDEN, **attributes)
    constants = {n: known[n] for n in names if n}
    # onnxruntime's sigmoid and tanh are approximations with an absolute error of some 1e-7, once a step.
    check(tmp_path, [node], {"x": example((STEPS, BATCH, INPUTS))}, constants, outputs, opset, tolerance=5e-6)


@pytest.mark.parametrize("op", GATES)
@pytest.mark.parametrize("opset", [7, 14])
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("names", [["w", "r"], ["w", "r", "b", "lens"], ["w", "r", "b", "", "h0"]])
def test_cells(tmp_path: Path, op: str, names: list[str], direction: str, opset: int) -> None:
    compare(tmp_path, op, names, opset, direction=direction)


def test_linear_before_reset(tmp_path: Path) -> None:
    compare(tmp_path, "GRU", ["w", "r", "b", "", "h0"], linear_before_reset=1, direction="bidirectional")


def test_lstm_with_everything(tmp_path: Path) -> None:
    compare(tmp_path, "LSTM", ["w", "r", "b", "", "h0", "c0", "p"], clip=0.7)


@pytest.mark.parametrize(
    ("op", "attributes"),
    [
        ("RNN", {"activations": ["Relu"]}),
        ("RNN", {"activations": ["Affine"], "activation_alpha": [0.5], "activation_beta": [0.1]}),
        ("RNN", {"activations": ["Softsign"]}),
        ("GRU", {"activations": ["HardSigmoid", "LeakyRelu"], "activation_alpha": [0.3, 0.05]}),
        ("LSTM", {"activations": ["HardSigmoid", "Tanh", "ScaledTanh"], "activation_alpha": [0.2, 1.5]}),
    ],
)
def test_activations(tmp_path: Path, op: str, attributes: dict[str, Any]) -> None:
    if len(attributes.get("activation_alpha", ())) == 2:
        attributes = attributes | {"activation_beta": [0.4, 0.7][: 1 if op == "GRU" else 2]}
    compare(tmp_path, op, ["w", "r", "b"], **attributes)


@pytest.mark.parametrize("op", GATES)
def test_all_steps_are_one_operator(tmp_path: Path, op: str) -> None:
    known = weights(op, 1)
    node = helper.make_node(op, ["x", "w", "r", "b"], ["", "y"], hidden_size=HIDDEN)
    model = build([node], {"x": example((300, 1, INPUTS))}, {n: known[n] for n in ("w", "r", "b")})
    module = load_onnx(save(model, tmp_path)).module
    assert sum(isinstance(n.op, Recurrent) for n in module.nodes) == 1
    assert not any(isinstance(n.op, Dense) for n in module.nodes)


def test_one_step_of_states_from_outside(tmp_path: Path) -> None:
    known = weights("LSTM", 1)
    node = helper.make_node("LSTM", ["x", "w", "r", "b", "", "h0", "c0"], ["", "h", "c"], hidden_size=HIDDEN)
    given = {"x": example((1, BATCH, INPUTS)), "h0": known["h0"], "c0": known["c0"]}
    constants = {n: known[n] for n in ("w", "r", "b")}
    check(tmp_path, [node], given, constants, ("h", "c"), 14, tolerance=5e-6)
    module = load_onnx(save(build([node], given, constants, ("h", "c")), tmp_path)).module
    assert not any(isinstance(n.op, Recurrent) for n in module.nodes)


def test_several_steps_of_states_from_outside(tmp_path: Path) -> None:
    known = weights("LSTM", 1)
    node = helper.make_node("LSTM", ["x", "w", "r", "b", "", "h0", "c0"], ["y", "h", "c"], hidden_size=HIDDEN)
    given = {"x": example((STEPS, BATCH, INPUTS)), "h0": known["h0"], "c0": known["c0"]}
    check(tmp_path, [node], given, {n: known[n] for n in ("w", "r", "b")}, ("y", "h", "c"), 14, tolerance=5e-6)


@pytest.mark.parametrize(
    ("shape", "names", "attributes", "message"),
    [
        ((STEPS, BATCH, INPUTS), ["w", "r", "", "short"], {}, "sequence_lens"),
        ((STEPS, 1, INPUTS), ["w", "r"], {"activations": ["Sigmoid", "Tanh", "Erf"]}, 'the activation "Erf"'),
        ((STEPS, 1, INPUTS), ["w", "r"], {"direction": "sideways"}, 'direction "sideways"'),
    ],
)
def test_refused(
    tmp_path: Path, shape: tuple[int, ...], names: list[str], attributes: dict[str, Any], message: str
) -> None:
    known = weights("LSTM", 1) | {"short": np.array([2, STEPS], np.int32)}
    node = helper.make_node("LSTM", ["x", *names], ["y"], hidden_size=HIDDEN, **attributes)
    model = build([node], {"x": example(shape)}, {n: known[n] for n in names if n})
    with pytest.raises(FrontendError, match=message):
        load_onnx(save(model, tmp_path))
