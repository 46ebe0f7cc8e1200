"""Integers at inputs and outputs: right ones pass, wrong scales, biases and pads are caught."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import tinyc
from tests.compiler.witness.networks import SHAPE, network
from tinyc.compiler.data.calibration import Calibration, Normalise
from tinyc.compiler.lowering import steps as lowering
from tinyc.compiler.verify import VerificationError
from tinyc.compiler.witness import boundary as witness
from tinyc.ir import DType
from tinyc.ir.tensor import Array
from tinyc.passes.integerise import boundary

MEAN, STD = 118.3, 57.0
"""No pixel is zero: padding by the nearest one is not exact."""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return network(tmp_path / "net.onnx")


def options(input_type: str, output_type: str = "float32") -> tinyc.QuantiseOptions:
    rng = np.random.default_rng(0)
    pixels = [np.kron(rng.integers(0, 256, (1, 3, 4, 4)), np.ones((1, 1, 3, 3)))[:, :, :11, :10] for _ in range(8)]
    samples = [[((p - MEAN) / STD).astype(np.float32).reshape(SHAPE)] for p in pixels]
    kinds: Any = {"input_type": input_type, "output_type": output_type}
    return tinyc.QuantiseOptions(Calibration(samples), normalise=Normalise(MEAN, STD), **kinds)


@pytest.mark.parametrize("kinds", [("int8", "int8"), ("uint8", "float32"), ("float32", "int8")])
def test_right_ones(kinds: tuple[str, str], model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[int] = []
    check = witness.check_boundary

    def counted(*args: Any) -> int:
        compared.append(check(*args))
        return compared[-1]

    monkeypatch.setattr("tinyc.compiler.lowering.steps.check_boundary", counted)
    tinyc.compile(model, quantise=options(*kinds))
    assert compared == [sum(k != "float32" for k in kinds)]


def pads(patch: pytest.MonkeyPatch) -> None:
    fold = boundary._fold

    def wrong(*args: Any) -> Any:
        made = fold(*args)
        assert made is not None
        return dataclasses.replace(made[0], zero=made[0].zero + 1), made[1]  # type: ignore[call-arg, union-attr]

    patch.setattr(boundary, "_fold", wrong)


def biases(patch: pytest.MonkeyPatch) -> None:
    right = boundary._fold
    patch.setattr(boundary, "_fold", lambda m, layer, was, mean, *rest: right(m, layer, was, mean + 1.0, *rest))


def multipliers(patch: pytest.MonkeyPatch) -> None:
    right = boundary._factors

    def wrong(bounds: Array, m: Array, s: Array, ratio: Array, *rest: Any) -> Any:
        return right(bounds, m, s, ratio * 1.001, *rest)

    patch.setattr(boundary, "_factors", wrong)


def scales(patch: pytest.MonkeyPatch) -> None:
    right = boundary.ScaledPort
    patch.setattr(
        boundary, "ScaledPort", lambda name, dtype, scale, zero, note="": right(name, dtype, scale * 1.01, zero, note)
    )


@pytest.mark.parametrize(
    ("kind", "plant"),
    [("uint8", pads), ("uint8", biases), ("uint8", multipliers), ("uint8", scales), ("int8", scales)],
)
def test_wrong_ones(
    kind: str, plant: Callable[[pytest.MonkeyPatch], None], model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    with pytest.raises(VerificationError):
        tinyc.compile(model, quantise=options(kind))


def normalising(channels: int, deviation: bool) -> tuple[onnx.ModelProto, tinyc.QuantiseOptions]:
    """A model that subtracts a mean from its channels, and divides by a deviation, before a convolution with pads."""
    rng = np.random.default_rng(channels)
    shape = (1, channels, 24, 24)
    constants = {
        "mean": np.float32([0.485, 0.456, 0.406])[:channels].reshape(1, channels, 1, 1),
        "std": np.float32([0.229, 0.224, 0.225])[:channels].reshape(1, channels, 1, 1),
        "w": rng.normal(0, 0.3, (8, channels, 3, 3)).astype(np.float32),
        "b": rng.normal(0, 0.1, 8).astype(np.float32),
    }
    nodes = [helper.make_node("Sub", ["image", "mean"], ["centred"])]
    nodes += [helper.make_node("Div", ["centred", "std"], ["scaled"])] if deviation else []
    nodes.append(helper.make_node("Conv", [nodes[-1].output[0], "w", "b"], ["y"], pads=[1] * 4))
    ports = [
        helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, c, 24, 24]) for n, c in (("image", channels), ("y", 8))
    ]
    weights = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, "normalising", ports[:1], ports[1:], weights)
    samples = [[rng.random(shape, np.float32)] for _ in range(24)]
    return helper.make_model(graph), tinyc.QuantiseOptions(samples, input_type="uint8")


@pytest.mark.parametrize("deviation", [False, True])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_normalisation_in_the_model(channels: int, deviation: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A convolution pads with what is zero behind it, which is no zero of the pixels."""
    made, chosen = normalising(channels, deviation)
    assert tinyc.compile(made, quantise=chosen).source.inputs[0].type.dtype is DType.U8
    if channels == 1:  # the mean becomes the zero point; of several channels, each has its own in a layer before
        pads(monkeypatch)
        with pytest.raises(VerificationError, match="is nearer to 0"):
            tinyc.compile(made, quantise=chosen)


def test_what_pixels_stand_for(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    right = lowering.pixel_input

    def wrong(module: Any, mean: tuple[float, ...], std: tuple[float, ...]) -> Any:
        made, port = right(module, mean, std)
        return made, dataclasses.replace(port, scale=std[0])

    monkeypatch.setattr(lowering, "pixel_input", wrong)
    with pytest.raises(VerificationError, match="says that a pixel p stands for"):
        tinyc.compile(model, quantise=options("uint8", "float32"))


def test_an_input_that_is_converted_behind_a_choice(tmp_path: Path) -> None:
    """The larger of the input and a constant, then a convolution: integers are taken before the choice is made."""
    rng = np.random.default_rng(2)
    constants = {
        "c": np.array([0.1, -0.3], np.float32).reshape(1, 2, 1, 1),
        "w": rng.normal(size=(3, 2, 1, 1)).astype(np.float32),
    }
    nodes = [helper.make_node("Max", ["x", "c"], ["m"]), helper.make_node("Conv", ["m", "w"], ["y"])]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2, 4, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3, 4, 4])],
        [numpy_helper.from_array(a, n) for n, a in constants.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), tmp_path / "m.onnx")
    samples = [[rng.normal(size=(1, 2, 4, 4)).astype(np.float32)] for _ in range(6)]
    chosen = tinyc.QuantiseOptions(Calibration(samples), input_type="int8", output_type="int8")
    made = tinyc.compile(tmp_path / "m.onnx", quantise=chosen)
    assert [p.scale > 0 for p in (*made.lowered.inputs, *made.lowered.outputs)] == [True, True]


def an_output_that_is_chosen(path: Path) -> Path:
    """The larger of a convolution's result and of the same, moved: integers are chosen among, then given."""
    rng = np.random.default_rng(2)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"]),
        helper.make_node("Transpose", ["c"], ["t"], perm=[0, 1, 3, 2]),
        helper.make_node("Max", ["c", "t"], ["y"]),
    ]
    ports = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, c, 4, 4]) for n, c in (("x", 2), ("y", 3))]
    held = [numpy_helper.from_array(rng.normal(size=(3, 2, 1, 1)).astype(np.float32), "w")]
    graph = helper.make_graph(nodes, "net", ports[:1], ports[1:], held)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


def of_a_choice() -> tinyc.QuantiseOptions:
    rng = np.random.default_rng(3)
    samples = [[rng.normal(size=(1, 2, 4, 4)).astype(np.float32)] for _ in range(6)]
    return tinyc.QuantiseOptions(Calibration(samples), output_type="int8")


def test_an_output_that_is_chosen_among_converted_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = an_output_that_is_chosen(tmp_path / "m.onnx")
    assert tinyc.compile(model, quantise=of_a_choice()).lowered.outputs[0].scale > 0
    scales(monkeypatch)
    with pytest.raises(VerificationError, match="its integers are said to mean"):
        tinyc.compile(model, quantise=of_a_choice())


def beside_its_convolution(path: Path) -> Path:
    """A padded convolution and what it reads, added: no layer takes the pixels alone."""
    w = np.random.default_rng(4).normal(size=(3, 3, 3, 3)).astype(np.float32)
    nodes = [helper.make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]), helper.make_node("Add", ["x", "c"], ["y"])]
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, list(SHAPE)) for n in ("x", "y")]
    graph = helper.make_graph(nodes, "net", ends[:1], ends[1:], [numpy_helper.from_array(w, "w")])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


def test_pixels_by_a_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Padding is then that of the integers which the table gives; a table that is one off is caught."""
    model = beside_its_convolution(tmp_path / "m.onnx")
    made = tinyc.compile(model, quantise=options("uint8"))
    assert all(verdict.passed for verdict in made.verdicts)
    right = boundary.Scale.quantized
    monkeypatch.setattr(boundary.Scale, "quantized", lambda scale, real: right(scale, real + scale.scale))
    with pytest.raises(VerificationError):
        tinyc.compile(model, quantise=options("uint8"))
